package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"causeway/internal/fault"
)

// CallQuery says which calls of the gateway's log are wanted.
type CallQuery struct {
	Service, Model string // "" is any
	// Authority is the host and port of a target that must be among a call's attempts, "" any.
	Authority string
	Since     time.Time
	Limit     int
}

// Call is one call of the gateway's log.
type Call struct {
	ID     string
	Time   time.Time
	Status int
	Kind   fault.Kind // "" when nothing failed
	Took   time.Duration
}

// LogReport is what log files of other servers tell of the time before the examination.
type LogReport struct {
	Files    int   // that were read
	Lines    int64 // of them
	Requests int64 // in access logs
	Failures int64 // of them
	// Causes are why, those that explain most first; Unexplained counts failures that no line explains.
	Causes      []LogCause
	Unexplained int64
	Unread      []string // files of which nothing was read, and why
	Notes       []string // what of the others was not read
}

// LogCause is one cause of failures that a log names.
type LogCause struct {
	Kind     fault.Kind
	Server   string // whose words they are
	Title    string
	Upstream string // as the server that noticed it names it, "" where it does not
	Failures int64  // failed requests that it explains
	Lines    int64  // lines that say it without a failed request
	Last     time.Time
	Sure     bool     // a line says so; else the times fit
	Said     []string // the lines that tell, FILE:LINE: TEXT
	Advice   []string
}

// LogWindow is how far back logs are looked at.
const LogWindow = time.Hour

const logCalls = 500

// logs is the second part.
func (d *doctor) logs(ctx context.Context, s *subject) {
	if d.o.Calls != nil {
		d.callLog(ctx, s)
	}
	if d.o.ReadLogs == nil {
		return
	}
	end := d.begin(Logs, "log files", "")
	r, err := d.o.ReadLogs(ctx, s.name)
	if err != nil {
		end(Step{Result: Warning, Text: "the log files were not read: " + err.Error()})
		return
	}
	end(readFiles(&r, s, d.began))
}

// readFiles is the step of what log files say. They tell of the past: a remark, and no fault of now.
func readFiles(r *LogReport, s *subject, now time.Time) Step {
	step := Step{Result: OK, Text: fmt.Sprintf("%s of the last hour in %s, and no failure in them", many(int(r.Requests), "request"), many(r.Files, "file"))}
	switch {
	case r.Files == 0:
		return Step{Result: Warning, Text: "nothing could be read of the log files", Lines: r.Unread}
	case len(r.Causes) > 0:
		c := &r.Causes[0]
		step.Result, step.Kind, step.Advice = Warning, c.Kind, c.Advice
		step.Text = fmt.Sprintf("%d of %s in the last hour failed; the log of %s says: %s", r.Failures, many(int(r.Requests), "request"), c.Server, c.Title)
		if r.Requests == 0 {
			step.Text = fmt.Sprintf("the log of %s says: %s (%s)", c.Server, c.Title, many(int(c.Lines), "line"))
		}
	case r.Failures > 0:
		step.Result = Warning
		step.Text = fmt.Sprintf("%d of %s in the last hour failed, and no line says why: give it the error log and the application's log as well", r.Failures, many(int(r.Requests), "request"))
	}
	for i := range r.Causes[:min(len(r.Causes), 5)] {
		c := &r.Causes[i]
		line := fmt.Sprintf("%d x %s: %s: %s", max(c.Failures, c.Lines), c.Kind, c.Server, c.Title)
		if c.Upstream != "" {
			line += " (upstream " + clip(c.Upstream) + ", " + s.whose(c.Upstream) + ")"
		}
		if !c.Last.IsZero() {
			line += ", the last " + fault.Span(now.Sub(c.Last)) + " ago"
		}
		if !c.Sure {
			line += "; the times fit, no line says it"
		}
		step.Lines = append(step.Lines, line)
		if len(c.Said) > 0 {
			step.Lines = append(step.Lines, clip(c.Said[0]))
		}
	}
	if r.Unexplained > 0 && len(r.Causes) > 0 {
		step.Lines = append(step.Lines, fmt.Sprintf("%d failures that no line explains", r.Unexplained))
	}
	step.Lines = append(append(step.Lines, r.Unread...), r.Notes...)
	if len(r.Unread) > 0 {
		step.Result = Warning
	}
	return step
}

// whose says whether an upstream that a log names is what is looked at.
func (s *subject) whose(upstream string) string {
	for _, p := range s.places {
		if at := authorityOfPlace(p); strings.Contains(upstream, at) || !p.unix() && strings.Contains(upstream, p.url.Host) {
			return "this target"
		}
		for _, ip := range p.asked {
			if strings.Contains(upstream, netip.AddrPortFrom(ip, portNumber(p)).String()) {
				return "this target"
			}
		}
	}
	return "not this target's address"
}

func portNumber(p *place) uint16 {
	n, _ := strconv.ParseUint(portOf(p.url), 10, 16)
	return uint16(n)
}

// callLog tells what the gateway noted of the target lately.
func (d *doctor) callLog(ctx context.Context, s *subject) {
	q := CallQuery{Model: s.model, Since: d.began.Add(-LogWindow), Limit: logCalls}
	if s.service != nil {
		q.Service = s.service.Name
	}
	if q.Service == "" && q.Model == "" {
		q.Authority = authorityOfPlace(s.places[0])
	}
	end := d.begin(Logs, "call log", "")
	calls, err := d.o.Calls(ctx, q)
	if err != nil {
		end(Step{Result: Skipped, Text: "the call log was not read: " + err.Error()})
		return
	}
	// The doctor's own call through the gateway is in it.
	calls = slices.DeleteFunc(calls, func(c Call) bool { return !c.Time.Before(d.began) })
	end(readCalls(calls, d.began))
}

func authorityOfPlace(p *place) string {
	if p.unix() {
		return p.url.Path
	}
	return authority(p.url)
}

// readCalls is the step of a list of calls, newest first.
func readCalls(calls []Call, now time.Time) Step {
	if len(calls) == 0 {
		return Step{Result: OK, Text: "no call to this target in the last hour"}
	}
	count := map[fault.Kind]int{}
	last := map[fault.Kind]Call{}
	bad := 0
	var lastGood, lastBad, firstBad time.Time
	for _, c := range calls {
		if c.Kind == "" {
			if lastGood.IsZero() {
				lastGood = c.Time
			}
			continue
		}
		if e := fault.Lookup(c.Kind); e != nil && e.Cause == fault.Caller {
			continue // the caller's own doing
		}
		bad++
		if lastBad.IsZero() {
			lastBad = c.Time
		}
		firstBad = c.Time
		if count[c.Kind]++; count[c.Kind] == 1 {
			last[c.Kind] = c
		}
	}
	step := Step{Result: OK, Text: fmt.Sprintf("%s in the last hour, none failed", many(len(calls), "call"))}
	if bad == 0 {
		return step
	}
	step.Text = fmt.Sprintf("%d of %s in the last hour failed", bad, many(len(calls), "call"))
	if len(calls) == logCalls {
		step.Text = fmt.Sprintf("%d of the last %d calls failed", bad, len(calls))
	}
	kinds := sortedKeys(count)
	slices.SortStableFunc(kinds, func(a, b fault.Kind) int { return count[b] - count[a] })
	for _, k := range kinds[:min(len(kinds), 5)] {
		step.Lines = append(step.Lines, fmt.Sprintf("%d x %s, the last %s ago (causeway explain %s)%s", count[k], k, fault.Span(now.Sub(last[k].Time)), last[k].ID, constant(calls, k)))
	}
	step.Lines = append(step.Lines, fmt.Sprintf("the first of them %s ago, the last %s ago", fault.Span(now.Sub(firstBad)), fault.Span(now.Sub(lastBad))))
	if !lastGood.IsZero() {
		step.Lines = append(step.Lines, fmt.Sprintf("the last good call %s ago", fault.Span(now.Sub(lastGood))))
	}
	step.Kind = kinds[0]
	if lastGood.Before(lastBad) {
		step.Result = Warning
		step.Text += ", the last of them too"
	}
	return step
}

// constant says when the failures of a kind all took the same time, which is a limit's mark.
func constant(calls []Call, k fault.Kind) string {
	var least, most time.Duration
	n := 0
	for _, c := range calls {
		if c.Kind != k {
			continue
		}
		if n++; n == 1 || c.Took < least {
			least = c.Took
		}
		most = max(most, c.Took)
	}
	if n < 3 || least < time.Second || most-least > least/50 {
		return ""
	}
	return fmt.Sprintf(", each after %s: a limit, not chance", fault.Span(least))
}

func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// TargetAuthority is the host and port of a target's URL, or the path of its Unix socket: how calls are
// known to have gone to it.
func TargetAuthority(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	if u.Scheme == "unix" {
		return strings.TrimSpace(u.Path)
	}
	return strings.ToLower(authority(u))
}
