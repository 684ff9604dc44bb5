package logs

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Text appends the report as a person reads it: what failed, why and what to change, the most
// frequent cause first. Times are told in zone. colour adds ANSI escapes. Nothing of the files can
// write to the reader's terminal.
func (r *Report) Text(dst []byte, zone *time.Location, colour bool) []byte {
	w := writer{dst: dst, zone: zone, colour: colour}
	w.verdict(r)
	for i := range r.Causes {
		w.cause(i+1, &r.Causes[i])
	}
	w.unexplained(r)
	w.files(r)
	return w.dst
}

type writer struct {
	dst    []byte
	zone   *time.Location
	colour bool
}

const (
	bold = "1"
	dim  = "2"
	red  = "31"
	fine = "32"
)

func (w *writer) paint(code, s string) string {
	if !w.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (w *writer) line(format string, args ...any) {
	w.dst = fmt.Appendf(w.dst, format, args...)
	w.dst = append(w.dst, '\n')
}

func (w *writer) verdict(r *Report) {
	switch {
	case r.Failures == 0 && len(r.Causes) == 0:
		w.line("%s", w.paint(fine, "Nothing failed in these logs."))
	case r.Failures == 0:
		w.line("%s", w.paint(bold, "No failed request was read, but the logs tell of trouble."))
	default:
		w.line("%s", w.paint(bold, fmt.Sprintf("%s of %s failed: %s.", count(r.Failures, "request"), count(r.Answers, "answer"), r.statuses())))
	}
	if r.From != nil && r.To != nil {
		w.line("%s", w.paint(dim, "from "+w.time(r.From)+" to "+w.time(r.To)))
	}
	if r.Failures > 0 {
		var explained int64
		for i := range r.Causes {
			explained += r.Causes[i].Failures
		}
		w.line("%s of them explained.", percent(explained, r.Failures))
	}
}

// statuses lists how often each failed.
func (r *Report) statuses() string {
	var codes []int
	for s := range r.Statuses {
		codes = append(codes, s)
	}
	sort.Slice(codes, func(a, b int) bool {
		return r.Statuses[codes[a]] > r.Statuses[codes[b]] || r.Statuses[codes[a]] == r.Statuses[codes[b]] && codes[a] < codes[b]
	})
	return counts(codes, r.Statuses)
}

func counts(codes []int, n map[int]int64) string {
	var parts []string
	for _, s := range codes {
		parts = append(parts, fmt.Sprintf("%s x %d", count(n[s], ""), s))
	}
	return strings.Join(parts, ", ")
}

func percent(n, all int64) string {
	p := float64(n) * 100 / float64(all)
	if n < all && p > 99.9 {
		p = 99.9
	}
	return strconv.FormatFloat(float64(int64(p*10+0.5))/10, 'f', -1, 64) + " %"
}

func (w *writer) time(t *time.Time) string {
	return t.In(w.zone).Format("2006-01-02 15:04:05 -0700")
}

func (w *writer) cause(n int, c *Cause) {
	w.line("")
	head := c.Title
	if c.Upstream != "" {
		head += " [" + shorten([]byte(c.Upstream)) + "]"
	}
	w.line("%s %s", w.paint(red, strconv.Itoa(n)+"."), w.paint(bold, sentence(head)))
	var size []string
	if c.Failures > 0 {
		size = append(size, fmt.Sprintf("%s (%s %%)", count(c.Failures, "failed request"), strconv.FormatFloat(math.Round(c.Share*1000)/10, 'f', -1, 64)))
	}
	if c.Lines > 0 {
		size = append(size, count(c.Lines, "line")+" with no failed request in an access log")
	}
	w.line("   %s, %s, kind %s", strings.Join(size, ", "), strings.ReplaceAll(string(c.Cause), "_", " "), c.Kind)
	if c.First != nil && c.Last != nil {
		if c.First.Equal(*c.Last) {
			w.line("   at %s", w.time(c.First))
		} else {
			w.line("   first %s, last %s", w.time(c.First), w.time(c.Last))
		}
	}
	if c.Noticed != "" {
		w.line("   what was noticed: %s", c.Noticed)
	}
	if c.Confidence != "high" {
		w.line("   %s: the times fit, and no line says so itself", c.Confidence)
	}
	for _, e := range c.Evidence {
		w.line("   - %s", e)
	}
	if len(c.Chain) > 0 {
		w.line("   %s", w.paint(dim, "because of"))
		w.examples(c.Chain)
	}
	if len(c.Examples) > 0 {
		what := "for example"
		if c.Failures == 0 {
			what = "lines"
		}
		w.line("   %s", w.paint(dim, what))
		w.examples(c.Examples)
	}
	w.line("   %s", w.paint(dim, "what to change"))
	for i, a := range c.Advice {
		w.line("     %d. %s", i+1, a)
	}
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (w *writer) examples(list []Example) {
	for _, e := range list {
		w.line("     %s:%d: %s", shorten([]byte(e.File)), e.Line, e.Text)
	}
}

func (w *writer) unexplained(r *Report) {
	if len(r.Unexplained) == 0 {
		return
	}
	w.line("")
	w.line("%s", w.paint(bold, "Not explained"))
	for _, u := range r.Unexplained {
		w.line("   %s x %d in %s", count(u.Failures, ""), u.Status, shorten([]byte(u.File)))
		if u.Evidence != "" {
			w.line("   - %s", u.Evidence)
		}
		w.examples(u.Examples)
	}
	w.line("   No line tells why. Give the error log of that server, the application's log and the kernel's of the same time as well:")
	w.line("   causeway doctor logs ACCESS.log ERROR.log app.log <(journalctl -k -o short-iso)")
}

func (w *writer) files(r *Report) {
	w.line("")
	w.line("%s", w.paint(bold, "Read"))
	for _, f := range r.Files {
		name := shorten([]byte(f.Path))
		if f.Error != "" {
			w.line("   %s: %s", name, w.paint(red, "not read: "+shorten([]byte(f.Error))))
			continue
		}
		w.line("   %s: %s, %s%s", name, count(f.Lines, "line"), fault.Size(f.Bytes), forms(f.Forms))
		for _, n := range f.Notes {
			w.line("     - %s", shorten([]byte(n)))
		}
	}
	for _, n := range r.Notes {
		w.line("   %s", n)
	}
}

func forms(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, ", ")
}
