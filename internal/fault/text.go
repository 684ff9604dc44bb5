package fault

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text appends the explanation of c as plain text, for causeway explain: who and when, what
// happened, the evidence, what was ruled out, the attempts, what to do and whether to repeat. It
// is the full view. colour adds ANSI escapes; control characters in the call's own strings are
// shown as \xNN, so that a path cannot write to the reader's terminal.
func Text(dst []byte, c *Call, colour bool) []byte {
	t := text{dst: dst, colour: colour}
	f := c.Finding
	if f == nil {
		t.linef("%s  %s", t.paint(good, c.verdict()), t.paint(bold, "Nothing failed in this call."))
	} else {
		head := headline(f)
		if c.RPC != nil && c.RPC.Ended {
			head = "gRPC " + c.RPC.Code.String() + " (" + string(f.Kind) + ")"
		}
		t.linef("%s  %s", t.paint(bad, head), t.paint(bold, entryOf(f.Kind).Title))
		if d := f.Detail; d != "" {
			t.linef("%s", Clean(d))
		}
		if f.Because != "" {
			t.linef("%s", Clean(f.Because))
		}
	}
	t.linef("")
	t.facts(c)
	if f != nil {
		t.list("Evidence", f.Evidence, "- ")
		t.list("Ruled out", f.RuledOut, "- ")
	}
	t.attempts(c.Attempts)
	t.list("Policies", c.Policies, "- ")
	t.list("Notes", c.Notes, "- ")
	if f != nil {
		if f.Check != "" {
			t.heading("What would settle it")
			t.linef("  %s", Clean(f.Check))
		}
		t.advice(View{Full: true}.advice(f, entryOf(f.Kind)))
		t.heading("Repeat it?")
		t.linef("  %s", retrySentence(f))
	}
	return t.dst
}

// headline is the status with its reason phrase, or the phrase alone when there was no status.
func headline(f *Finding) string {
	if f.Status == 0 {
		return Reason(f)
	}
	return statusText(f.Status) + " " + Reason(f)
}

type text struct {
	dst    []byte
	colour bool
}

// ANSI colours of the output.
const (
	bold = "1"
	dim  = "2"
	bad  = "31"
	good = "32"
)

func (t *text) paint(code, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *text) linef(format string, args ...any) {
	t.dst = fmt.Appendf(t.dst, format, args...)
	t.dst = append(t.dst, '\n')
}

func (t *text) heading(s string) {
	t.linef("")
	t.linef("%s", t.paint(bold, s))
}

func (t *text) list(heading string, items []string, bullet string) {
	if len(items) == 0 {
		return
	}
	t.heading(heading)
	for _, s := range items {
		t.linef("  %s%s", bullet, Clean(s))
	}
}

func (t *text) advice(items []string) {
	t.heading("What to do")
	for i, s := range items {
		t.linef("  %d. %s", i+1, Clean(s))
	}
}

// facts is who called what, when, and what came of it.
func (t *text) facts(c *Call) {
	t.fact("call", c.ID)
	if !c.Time.IsZero() {
		t.fact("when", c.Time.UTC().Format("2006-01-02 15:04:05.000 UTC")+", took "+Span(c.Total))
	}
	who := c.Application
	if who == "" {
		who = "no application"
	}
	if c.Remote != "" {
		who += " from " + c.Remote
	}
	t.fact("who", who)
	t.fact("what", strings.TrimSpace(c.Method+" "+c.Host+c.Path))
	to := c.Service
	if c.Route != "" {
		to = strings.TrimSpace(to + " by route " + c.Route)
	}
	if c.Model != "" {
		to = strings.TrimSpace(to + " model " + c.Model)
	}
	if c.Provider != "" {
		to += " at " + c.Provider
	}
	t.fact("to", to)
	t.fact("got", c.verdict())
	if c.Cache != "" {
		t.fact("cache", c.Cache)
	}
	if p := c.RPC; p != nil {
		t.fact("rpc", p.verdict())
		if p.Timeout > 0 {
			t.fact("limit", Span(p.Timeout)+", given by the caller")
		}
	}
	if c.Tunnel != nil {
		t.fact("tunnel", c.Tunnel.flows())
		t.fact("ended", c.Tunnel.ended())
	}
	if f := c.Finding; f != nil {
		cause := strings.ReplaceAll(string(f.Cause), "_", " ")
		if f.Confidence != "" {
			cause += " (" + f.Confidence + ")"
		}
		if f.Pattern != "" {
			cause += ", " + strings.ReplaceAll(f.Pattern, "_", " ")
		}
		t.fact("cause", cause)
	}
}

func (t *text) fact(name, value string) {
	if value != "" {
		t.linef("  %s %s", t.paint(dim, fmt.Sprintf("%-6s", name)), Clean(value))
	}
}

// attempts is the table of attempts, one line each, with its phases below.
func (t *text) attempts(list []CallAttempt) {
	if len(list) == 0 {
		return
	}
	t.heading("Attempts")
	width := len("target")
	for i := range list {
		width = min(60, max(width, utf8.RuneCountInString(Clean(list[i].Target))))
	}
	t.linef("  %s", t.paint(dim, fmt.Sprintf("#  %-*s  %9s  %9s  outcome", width, "target", "at", "took")))
	for i := range list {
		a := &list[i]
		t.linef("  %-2d %-*s  %9s  %9s  %s", i+1, width, Clean(a.Target), Span(a.Start), Span(a.Total), a.outcome())
		if p := phases(a); p != "" {
			t.linef("     %s", t.paint(dim, p))
		}
		if a.Why != "" {
			t.linef("     %s", Clean(a.Why))
		}
	}
}

func phases(a *CallAttempt) string {
	var parts []string
	if a.Reused {
		parts = append(parts, "kept-alive connection")
	}
	for _, p := range a.Phases {
		parts = append(parts, p.Name+" "+Span(p.Took))
	}
	return strings.Join(parts, ", ")
}

// retrySentence tells a finding's retry verdict as a sentence.
func retrySentence(f *Finding) string {
	after := ""
	if f.RetryAfterMS > 0 {
		after = ", after " + Span(time.Duration(f.RetryAfterMS)*time.Millisecond)
	}
	if f.Warning != "" {
		after += ". " + strings.TrimSuffix(f.Warning, ".")
	}
	switch f.Retry {
	case Safe:
		return "Yes, it is safe to repeat" + after + "."
	case MayRepeat:
		if f.Warning != "" {
			return "With care" + after + "."
		}
		return "With care" + after + ": the work may have been done, or billed, already, and would be again."
	default:
		return "No: repeating it unchanged does not help."
	}
}

// Clean makes a stranger's text safe to print on a terminal: what does not print is told by its number.
func Clean(s string) string {
	bare := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.IndexFunc(s, bare) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1 || r < utf8.RuneSelf && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
