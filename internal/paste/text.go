package paste

import (
	"fmt"
	"strings"

	"causeway/internal/fault"
)

// ANSI colours of the text.
const (
	bold = "1"
	dim  = "2"
	red  = "31"
)

// Text appends the report as plain text, in the manner of the explanation of a call. colour adds ANSI escapes.
// What stands in it of the pasted text is safe for a terminal.
func (r *Report) Text(dst []byte, colour bool) []byte {
	t := text{dst, colour}
	if len(r.Findings) == 0 {
		t.line("%s", t.paint(bold, "This text was not recognised."))
		t.list("It begins with", r.NotRecognised)
		t.list("Notes", r.Notes)
		t.list("What is recognised", []string{
			"an error body: of Causeway, of a provider, a problem detail, another proxy's JSON or page",
			"an answer's head (curl -i), a Proxy-Status field",
			"lines of nginx, Apache, HAProxy, Envoy and other logs; whole files: causeway doctor logs FILE",
			"an exception of Python, Node, Go, Java or .NET, curl's error, an errno such as ECONNREFUSED",
			"a code: of Cloudflare (522, 1016), HAProxy (sH--), Envoy (UH), a status, a kind of docs/failures.md",
		})
		return t.dst
	}
	t.finding(&r.Findings[0])
	if len(r.Findings) > 1 {
		t.heading("Also in it")
		for i := range r.Findings[1:] {
			f := &r.Findings[i+1]
			t.line("  - %s", strings.TrimSpace(f.What+" of "+f.Who)+": "+f.Title+kindIn(f.Kind))
			for _, s := range f.Seen[:min(len(f.Seen), 2)] {
				t.line("      %s", t.paint(dim, s))
			}
		}
	}
	t.list("Notes", r.Notes)
	return t.dst
}

func kindIn(k fault.Kind) string {
	if k == "" {
		return ""
	}
	return " (" + string(k) + ")"
}

type text struct {
	dst    []byte
	colour bool
}

func (t *text) paint(code, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *text) line(format string, args ...any) {
	t.dst = append(fmt.Appendf(t.dst, format, args...), '\n')
}

func (t *text) heading(s string) { t.line("\n%s", t.paint(bold, s)) }

func (t *text) list(heading string, items []string) {
	if len(items) == 0 {
		return
	}
	t.heading(heading)
	for _, s := range items {
		t.line("  - %s", s)
	}
}

func (t *text) fact(name, value string) {
	if value != "" {
		t.line("  %s %s", t.paint(dim, fmt.Sprintf("%-6s", name)), value)
	}
}

func (t *text) finding(f *Finding) {
	word := string(f.Kind)
	if word == "" {
		word = "failure"
	}
	if f.Status != 0 {
		word = fmt.Sprintf("%d %s", f.Status, word)
	}
	t.line("%s  %s", t.paint(red, word), t.paint(bold, f.Title))
	if f.Meaning != "" && strings.TrimSuffix(f.Meaning, ".") != f.Title {
		t.line("%s", f.Meaning)
	}
	t.line("")
	t.fact("what", f.What)
	t.fact("who", f.Who)
	t.fact("cause", strings.ReplaceAll(string(f.Cause), "_", " "))
	t.fact("call", f.CallID)
	t.list("Seen in the text", f.Seen)
	if len(f.Likely) > 0 {
		t.heading("Most likely, in this order")
		for i, l := range f.Likely {
			t.line("  %d. %s", i+1, l.Cause)
			t.line("     %s %s", t.paint(dim, "it is this if:"), l.Tell)
			if l.Do != "" {
				t.line("     %s %s", t.paint(dim, "then:"), l.Do)
			}
		}
	}
	if len(f.Advice) > 0 {
		t.heading("What to do")
		for i, s := range f.Advice {
			t.line("  %d. %s", i+1, s)
		}
	}
	if f.CallID != "" {
		t.line("\n%s", "More at the gateway that said it: causeway explain "+f.CallID)
	}
	t.heading("Repeat it?")
	switch f.Retry {
	case fault.Safe:
		t.line("  Yes: nothing of the request was worked on.")
	case fault.MayRepeat:
		t.line("  With care: the work may have been done, or billed, already, and would be again. Safe for GET.")
	default:
		t.line("  No: repeating it unchanged does not help.")
	}
}
