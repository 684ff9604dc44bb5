package exchanges

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// runNghttp makes each exchange with one run of nghttp2's client. It prints frames; of bodies it
// tells the length alone.
func runNghttp(ctx context.Context, job Job) ([]Seen, error) {
	dir, err := os.MkdirTemp("", "cw-nghttp-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return each(ctx, job.Rows, func(ctx context.Context, row *Row) Seen {
		return nghttp(ctx, filepath.Join(dir, string(row.Column)+"-"+row.Name), row)
	}), nil
}

func nghttp(ctx context.Context, scratch string, row *Row) Seen {
	switch {
	case row.Follow:
		return Seen{Skip: "follows no redirects"}
	case row.Cookies:
		return Seen{Skip: "keeps no cookies"}
	case row.Repeat > 0:
		return Seen{Skip: "makes its calls at the same time"}
	}
	args := []string{"-v", "-n", "-y", "--no-dep", "-t", "15"}
	if row.Method != "" {
		args = append(args, "-H", ":method: "+row.Method)
	}
	for _, f := range row.Headers {
		args = append(args, "-H", string(bytesOf(strings.ToLower(f[0])+": "+f[1])))
	}
	for _, f := range row.Trailers {
		args = append(args, "--trailer="+strings.ToLower(f[0])+": "+f[1])
	}
	if row.Expect {
		args = append(args, "--expect-continue")
	}
	if row.Body != "" {
		if err := os.WriteFile(scratch, row.payload(), 0o600); err != nil {
			return Seen{Error: err.Error()}
		}
		args = append(args, "-d", scratch)
		if row.Body == "chunked" {
			args = append(args, "--no-content-length")
		}
	}
	cmd := exec.CommandContext(ctx, "nghttp", append(args, row.URL)...)
	cmd.Env = environment()
	out, err := cmd.Output()
	seen := parseFrames(out)
	if exit := new(exec.ExitError); errors.As(err, &exit) && seen.Error == "" {
		seen.Error = "exit code " + strconv.Itoa(exit.ExitCode())
	}
	return seen
}

var (
	fieldLine = regexp.MustCompile(`^\[ *[\d.]+\] recv \(stream_id=(\d+)(?:, sensitive)?\) (.+?): (.*)$`)
	frameLine = regexp.MustCompile(`^\[ *[\d.]+\] (recv|send) (\w+) frame <length=(\d+), flags=0x(\w+), stream_id=(\d+)>`)
	codeLine  = regexp.MustCompile(`error_code=(\w+)`)
)

// parseFrames reads what `nghttp -v` prints.
func parseFrames(out []byte) Seen {
	seen := Seen{Ordered: true, Version: "HTTP/2"}
	var fields []Field
	status, reset := 0, false
	for raw := range bytes.SplitSeq(out, []byte("\n")) {
		line := latin(raw)
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			if m[2] == ":status" {
				status, _ = strconv.Atoi(m[3]) // digits, as nghttp checks
			} else {
				fields = append(fields, Field{m[2], m[3]})
			}
			continue
		}
		if m := frameLine.FindStringSubmatch(line); m != nil && m[1] == "recv" {
			reset = false
			switch m[2] {
			case "HEADERS":
				switch {
				case status == 0:
					seen.Trailers = fields
				case status < 200:
					if status != 100 {
						seen.Interim = append(seen.Interim, Interim{status, fields})
					}
				default:
					seen.Status, seen.Headers = status, fields
					seen.Statuses = append(seen.Statuses, status)
				}
				fields, status = nil, 0
			case "DATA":
				n, _ := strconv.Atoi(m[3])
				seen.Length += n
			case "RST_STREAM":
				reset = true
			}
			continue
		}
		if m := codeLine.FindStringSubmatch(line); m != nil && reset {
			if reset = false; m[1] != "NO_ERROR" { // which ends an upload that nobody reads any more
				seen.Error = "RST_STREAM " + m[1]
			}
		}
	}
	return seen
}
