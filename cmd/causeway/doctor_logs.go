package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"causeway/internal/fault"
	"causeway/internal/logs"
)

type doctorLogsFlags struct {
	since, until, zone string
	json               bool
}

func newDoctorLogs() *cobra.Command {
	var f doctorLogsFlags
	c := &cobra.Command{
		Use:   "logs FILE...",
		Short: "Find out from log files what caused the failures in them",
		Long: `Reads logs of other servers, puts their lines on one time line and says what caused the 502s, 503s, 504s,
499s and 500s in them, how many each cause explains, and what to change in that server's configuration.

It knows access and error logs of nginx, Apache, HAProxy, Envoy, Traefik, Caddy, IIS, CloudFront and the AWS ALB,
the words of gunicorn, uvicorn, uWSGI, Flask and Django, stack traces of Python, Node, Go and Java, journalctl
(short, short-iso, json), the kernel's log, and Causeway's own. Give it all that was written at the time: the
proxy's access and error log, the application's log, and the kernel's. Each line is recognised by itself, so
files may be mixed; gzip and zstd are unpacked. - is standard input.

Times without a zone are this machine's unless --tz says another.

Exit 0 when nothing failed, 1 when causes or failures were found, 2 when no file could be read.`,
		Example: "  causeway doctor logs /var/log/nginx/access.log /var/log/nginx/error.log /var/log/gunicorn.log\n" +
			"  causeway doctor logs /var/log/haproxy.log* /var/log/kern.log --since 2h\n" +
			"  journalctl -o short-iso --since today | causeway doctor logs --json -",
		Args: someArguments("FILE", "/var/log/nginx/error.log"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	c.Flags().StringVar(&f.since, "since", "", "leave out what was before: a time, or how long ago, such as 2h")
	c.Flags().StringVar(&f.until, "until", "", "leave out what was after")
	c.Flags().StringVar(&f.zone, "tz", "", "zone of times that are written without one, such as UTC or Europe/Berlin (default this machine's)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (f *doctorLogsFlags) run(cmd *cobra.Command, files []string) error {
	o := logs.Options{Files: files, Zone: time.Local, Now: time.Now()}
	if f.zone != "" {
		zone, err := time.LoadLocation(f.zone)
		if err != nil {
			return fmt.Errorf("--tz %q is not a zone's name, such as UTC or Europe/Berlin", f.zone)
		}
		o.Zone = zone
	}
	var err error
	if o.Since, err = moment(f.since, o.Zone, o.Now); err != nil {
		return fmt.Errorf("--since %w", err)
	}
	if o.Until, err = moment(f.until, o.Zone, o.Now); err != nil {
		return fmt.Errorf("--until %w", err)
	}
	if !o.Since.IsZero() && !o.Until.IsZero() && !o.Since.Before(o.Until) {
		return errors.New("--since is not before --until: nothing would be read")
	}
	bar := newProgressBar(cmd.ErrOrStderr())
	o.Progress = bar.tell
	r, err := logs.Read(cmd.Context(), o)
	bar.clear()
	if err != nil && !errors.Is(err, logs.ErrNothingRead) {
		return &exitError{2, "causeway doctor logs: " + err.Error()}
	}
	out := cmd.OutOrStdout()
	if f.json {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else if err == nil {
		if _, err := out.Write(r.Text(nil, o.Zone, colourful(out))); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return &exitError{2, "causeway doctor logs: no line could be read: " + whyNothing(r)}
	case r.Failures > 0 || len(r.Causes) > 0:
		return &exitError{1, ""}
	}
	return nil
}

// whyNothing says of each file why nothing of it was read.
func whyNothing(r *logs.Report) string {
	var parts []string
	for _, f := range r.Files {
		switch {
		case f.Error != "":
			parts = append(parts, f.Error)
		case len(f.Notes) > 0:
			parts = append(parts, f.Path+": "+f.Notes[0])
		}
	}
	return strings.Join(parts, "; ")
}

// moment reads a time, or how long before now.
func moment(s string, zone *time.Location, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a time (2026-11-23 09:30, 2026-11-23T09:30:00Z) nor how long ago (2h, 30m)", s)
}

// progressBar shows on a terminal how far a long reading is; elsewhere it shows nothing.
type progressBar struct {
	out   io.Writer
	begun time.Time
	last  time.Time
	shown bool
}

func newProgressBar(out io.Writer) *progressBar {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		out = nil
	}
	return &progressBar{out: out, begun: time.Now()}
}

// tell draws the bar, at most ten times a second and not for what is done at once.
func (p *progressBar) tell(done, total int64) {
	now := time.Now()
	if p.out == nil || now.Sub(p.begun) < 500*time.Millisecond || now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last, p.shown = now, true
	rate := float64(done) / (1 << 20) / now.Sub(p.begun).Seconds()
	if total <= 0 {
		fmt.Fprintf(p.out, "\r\x1b[K%s, %.0f MiB/s", fault.Size(done), rate)
		return
	}
	const width = 30
	part := min(float64(done)/float64(total), 1)
	full := int(part * width)
	fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %3.0f %%  %s of %s, %.0f MiB/s", strings.Repeat("#", full), strings.Repeat(".", width-full), part*100, fault.Size(done), fault.Size(total), rate)
}

func (p *progressBar) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
