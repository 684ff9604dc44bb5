// Package logs reads the logs of other servers and says what caused the failures in them: access and
// error logs of nginx, Apache, HAProxy, Envoy, Traefik, Caddy, IIS, CloudFront and the AWS ALB, the words
// of gunicorn, uvicorn, uWSGI and applications, stack traces, the systemd journal, the kernel, and our
// own. Each line is recognised by itself, so that files may be mixed.
//
// The files are read side by side in the order of their times, through a window of what was said
// lately: a 502 is joined with the error log's line about it, that with the application's crash, and
// that with the kernel's OOM kill. Memory depends on the number of files and not on their size.
package logs

import (
	"context"
	"errors"
	"time"

	"causeway/internal/fault"
)

// Options says what to read.
type Options struct {
	// Files are paths; "-" is standard input. Compressed ones (gzip, zstd) are known by their content.
	Files []string
	// Since and Until leave out what was before and after; the zero time leaves out nothing.
	Since, Until time.Time
	// Zone is that of times that are written without one; nil is time.Local.
	Zone *time.Location
	// Now decides the year of times that are written without one; the zero time is the present.
	Now time.Time
	// Progress, when not nil, is told now and then how many of the files' bytes have been read, of
	// how many; total is 0 when it is not known. It is called by the goroutine that reads.
	Progress func(done, total int64)
}

// Report is what the files say.
type Report struct {
	Files []File `json:"files"`
	// Answers counts requests in access logs, Failures those that failed: 5xx, 499 and 460, 413, 431.
	Answers  int64         `json:"answers"`
	Failures int64         `json:"failures"`
	Statuses map[int]int64 `json:"statuses"`
	From     *time.Time    `json:"from,omitempty"` // the earliest time that was read
	To       *time.Time    `json:"to,omitempty"`
	// Causes come in the order of what they explain.
	Causes      []Cause       `json:"causes"`
	Unexplained []Unexplained `json:"unexplained,omitempty"`
	Notes       []string      `json:"notes,omitempty"`
}

// File is one file as it was read.
type File struct {
	Path  string     `json:"path"`
	Forms []string   `json:"forms"`
	Lines int64      `json:"lines"`
	Bytes int64      `json:"bytes"` // of the file, compressed as it is
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	Notes []string   `json:"notes,omitempty"` // what was not read, and why
	Error string     `json:"error,omitempty"` // why nothing was
}

// Cause is one cause of failures.
type Cause struct {
	ID         string        `json:"id"`
	Kind       fault.Kind    `json:"kind"`
	Cause      fault.Cause   `json:"cause"`
	Server     string        `json:"server"` // whose words tell it
	Title      string        `json:"title"`
	Noticed    string        `json:"noticed,omitempty"`  // what the proxy saw of it
	Upstream   string        `json:"upstream,omitempty"` // as the proxy names it
	Failures   int64         `json:"failures"`           // failed requests that it explains
	Share      float64       `json:"share"`              // of all that failed, 0 to 1
	Lines      int64         `json:"lines"`              // lines that say it, of which no failed request was found
	Statuses   map[int]int64 `json:"statuses,omitempty"`
	First      *time.Time    `json:"first,omitempty"`
	Last       *time.Time    `json:"last,omitempty"`
	Confidence string        `json:"confidence"` // high: a line says so; likely: the times fit
	Evidence   []string      `json:"evidence,omitempty"`
	Chain      []Example     `json:"chain,omitempty"`    // the lines that tell, the deepest first
	Examples   []Example     `json:"examples,omitempty"` // failed requests
	Advice     []string      `json:"advice"`
}

// Example is a line, without secrets and queries.
type Example struct {
	File string `json:"file"`
	Line int64  `json:"line"`
	Text string `json:"text"`
}

// Unexplained are failures of which no line tells the cause.
type Unexplained struct {
	File     string     `json:"file"`
	Status   int        `json:"status"`
	Failures int64      `json:"failures"`
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	Evidence string     `json:"evidence,omitempty"`
	Examples []Example  `json:"examples,omitempty"`
}

// ErrNothingRead says that no file could be read, or that no line of any has a form that is known.
var ErrNothingRead = errors.New("no line could be read")

// Read reads the files. With ErrNothingRead the report still tells of each file why. A context that
// ends ends the reading with its error.
func Read(ctx context.Context, o Options) (*Report, error) {
	if len(o.Files) == 0 {
		return nil, errors.New("no file is named")
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	r := newRun(o)
	r.look()
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	rep := r.done()
	for _, f := range rep.Files {
		if f.Error == "" && f.Lines > 0 && len(f.Forms) > 0 {
			return rep, nil
		}
	}
	return rep, ErrNothingRead
}

// lines is one way through the lines of a source; fn is told the entry of each line of a known form.
func (r *run) lines(s *source, most int64, fn func(line []byte, e *entry) bool) {
	var e entry
	for n := int64(0); n < most; n++ {
		line := s.next()
		if line == nil {
			return
		}
		if r.parser.parse(s, line, &e) && !fn(line, &e) {
			return
		}
	}
}

// ahead is a shift of a clock in words.
func ahead(ns int64) string {
	d := time.Duration(ns)
	if d < 0 {
		return fault.Span(-d) + " behind"
	}
	return fault.Span(d) + " ahead of"
}
