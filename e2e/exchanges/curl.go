package exchanges

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// runCurl makes each exchange with one run of the command.
func runCurl(ctx context.Context, job Job) ([]Seen, error) {
	dir, err := os.MkdirTemp("", "cw-curl-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return each(ctx, job.Rows, func(ctx context.Context, row *Row) Seen {
		return curl(ctx, filepath.Join(dir, string(row.Column)+"-"+row.Name), job.CA, row)
	}), nil
}

func curl(ctx context.Context, scratch, ca string, row *Row) Seen {
	switch {
	case len(row.Trailers) > 0:
		return Seen{Skip: "sends no trailers"}
	case row.Pipeline > 0:
		return Seen{Skip: "does not pipeline"}
	}
	limit := "15"
	if row.Column.HTTP2() && row.Name == "early-answer" {
		limit = "3" // see http2Rules
	}
	heads := scratch + ".heads"
	args := []string{"-q", "-sS", "-N", "-g", "--path-as-is", "--cacert", ca, "-D", heads, "--max-time", limit, "-A", "curl"}
	switch row.Column {
	case Plain, TLS:
		args = append(args, "--http1.1")
	case H2:
		args = append(args, "--http2")
	case H2C:
		args = append(args, "--http2-prior-knowledge")
	}
	switch {
	case row.Method == "HEAD":
		args = append(args, "-I", "-o", "/dev/null") // it would print the head
	case row.Follow:
		args = append(args, "-L") // -X would be kept over a 303
	case row.Method != "":
		args = append(args, "-X", row.Method)
	}
	for _, f := range row.Headers {
		line := f[0] + ": " + f[1]
		if f[1] == "" {
			line = f[0] + ";"
		}
		args = append(args, "-H", string(bytesOf(line)))
	}
	if row.HTTP10 {
		args = append(args, "--http1.0")
	}
	if row.Close {
		args = append(args, "-H", "Connection: close")
	}
	if row.Body != "" {
		file := scratch + ".up"
		if err := os.WriteFile(file, row.payload(), 0o600); err != nil {
			return Seen{Error: err.Error()}
		}
		args = append(args, "--data-binary", "@"+file)
		switch {
		case row.Expect:
			args = append(args, "-H", "Expect: 100-continue", "--expect100-timeout", "10")
		default:
			args = append(args, "-H", "Expect:")
		}
		if row.Body == "chunked" && !row.Column.HTTP2() {
			args = append(args, "-H", "Transfer-Encoding: chunked")
		} else if row.Body == "chunked" {
			args = append(args, "-H", "Content-Length:")
		}
		if value(row.Headers, "Content-Type") == "" {
			args = append(args, "-H", "Content-Type:")
		}
	}
	urls := max(row.Repeat, 1)
	if row.Cookies {
		urls = 2
		args = append(args, "-c", scratch+".jar", "-b", scratch+".jar")
	}
	for range urls {
		args = append(args, row.URL)
	}
	cmd := exec.CommandContext(ctx, "curl", args...)
	cmd.Env = environment()
	body := &watcher{begun: time.Now()}
	cmd.Stdout = body
	var seen Seen
	if err := cmd.Run(); err != nil {
		seen.Error = err.Error()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			seen.Error = "exit code " + strconv.Itoa(exit.ExitCode())
		}
	}
	raw, err := os.ReadFile(heads)
	if err != nil {
		return seen
	}
	seen.parse(raw)
	body.tell(&seen)
	return seen
}

// parse reads the heads that curl wrote, one after the other; trailers follow the last.
func (s *Seen) parse(raw []byte) {
	s.Ordered = true
	inHead := false
	var fields []Field
	headEnds := func() {
		switch last := len(s.Statuses) - 1; {
		case !inHead:
			s.Trailers = append(s.Trailers, fields...)
		case s.Statuses[last] < 200:
			if status := s.Statuses[last]; status != 100 {
				s.Interim = append(s.Interim, Interim{status, fields})
			}
			s.Statuses = s.Statuses[:last]
		default:
			s.Status, s.Headers = s.Statuses[last], fields
		}
		fields, inHead = nil, false
	}
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		text := latin(bytes.TrimRight(line, "\r"))
		switch {
		case text == "":
			if inHead || len(fields) > 0 {
				headEnds()
			}
		case strings.HasPrefix(text, "HTTP/"):
			if len(fields) > 0 {
				headEnds()
			}
			inHead = true
			s.Trailers = nil
			parts := strings.SplitN(text, " ", 3)
			status, err := strconv.Atoi(parts[1])
			if err != nil {
				s.Error = fmt.Sprintf("a status line %q", text)
				return
			}
			s.Statuses = append(s.Statuses, status)
			s.Version, s.Reason = parts[0], ""
			if len(parts) == 3 {
				s.Reason = parts[2]
			}
		default:
			name, v, _ := strings.Cut(text, ":")
			fields = append(fields, Field{name, strings.TrimSpace(v)})
		}
	}
}

// watcher hashes a body as it comes.
type watcher struct {
	begun, first, last time.Time
	all                []byte
}

func (w *watcher) Write(p []byte) (int, error) {
	if len(p) > 0 {
		w.last = time.Now()
		if w.first.IsZero() {
			w.first = w.last
		}
		w.all = append(w.all, p...)
	}
	return len(p), nil
}

func (w *watcher) tell(s *Seen) {
	sum := sha256.Sum256(w.all)
	s.Length, s.SHA = len(w.all), hex.EncodeToString(sum[:])
	if !w.first.IsZero() {
		s.Wait, s.Spread = int(w.first.Sub(w.begun).Milliseconds()), int(w.last.Sub(w.first).Milliseconds())
	}
}
