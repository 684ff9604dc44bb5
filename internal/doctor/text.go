package doctor

import (
	"fmt"
	"io"
	"strings"

	"causeway/internal/fault"
)

// Printer writes an examination for a person, step by step while it goes on. It is used by one
// goroutine. Errors of writing are kept: Err returns the first.
type Printer struct {
	w        io.Writer
	colour   bool // ANSI escapes
	progress bool // the step under way is shown, and taken away again
	part     Part
	last     string // the target of the step before
	pending  bool
	err      error
}

// NewPrinter makes a Printer. colour and progress are for terminals only.
func NewPrinter(w io.Writer, colour, progress bool) *Printer {
	return &Printer{w: w, colour: colour, progress: progress}
}

// Err is the first error of writing.
func (p *Printer) Err() error { return p.err }

func (p *Printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// ANSI colours.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *Printer) paint(code, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

var parts = map[Part]string{
	Status: "1 Status: is it there, and what does it say?", Logs: "2 Logs: what happened lately?",
	Performance: "3 Performance: is anything short?", Configuration: "4 Configuration: can it work?",
}

// Begin shows what is being looked at. It is Options.OnBegin.
func (p *Printer) Begin(_ Part, name, target string) {
	if !p.progress {
		return
	}
	p.clear()
	p.printf("%s", p.paint(dim, fault.Clean("  ... "+name+" "+target)))
	p.pending = true
}

func (p *Printer) clear() {
	if p.pending {
		p.printf("\r\x1b[K")
		p.pending = false
	}
}

// Step writes a step that is over. It is Options.OnStep.
func (p *Printer) Step(s Step) {
	p.clear()
	if s.Part != p.part {
		if p.part != "" {
			p.printf("\n")
		}
		p.part, p.last = s.Part, ""
		p.printf("%s\n", p.paint(bold, parts[s.Part]))
	}
	if s.Target != "" && s.Target != p.last && s.Part == Status {
		p.printf("  %s\n", p.paint(dim, fault.Clean(s.Target)))
		p.last = s.Target
	}
	word, code := "ok   ", green
	switch s.Result {
	case Warning:
		word, code = "look ", yellow
	case Faulty:
		word, code = "FAULT", red
	case Skipped:
		word, code = "-    ", dim
	}
	text := fault.Clean(s.Text)
	if s.Kind != "" && s.Result != OK {
		text = p.paint(bold, string(s.Kind)) + ": " + text
	}
	p.printf("  %s %-12s %s\n", p.paint(code, word), fault.Clean(s.Name), text)
	for _, l := range s.Lines {
		p.printf("        %s\n", p.paint(dim, fault.Clean(l)))
	}
}

// Verdict writes the end.
func (p *Printer) Verdict(r *Report) {
	p.clear()
	v := &r.Verdict
	p.printf("\n%s\n", p.paint(bold, "Verdict"))
	switch {
	case v.Healthy:
		p.printf("  %s  %s\n", p.paint(green, "healthy"), p.paint(bold, v.Title))
	case !r.Looked:
		p.printf("  %s  %s\n", p.paint(yellow, "unknown"), p.paint(bold, v.Title))
	case v.Kind != "":
		p.printf("  %s  %s\n", p.paint(red, string(v.Kind)), p.paint(bold, v.Title))
	default:
		p.printf("  %s  %s\n", p.paint(red, "fault"), p.paint(bold, v.Title))
	}
	p.printf("  %s\n", fault.Clean(v.Detail))
	if v.Cause != "" {
		cause := "cause: " + strings.ReplaceAll(string(v.Cause), "_", " ")
		if v.Confidence != "" {
			cause += " (" + v.Confidence + ")"
		}
		p.printf("  %s\n", p.paint(dim, cause))
	}
	p.list("Evidence", v.Evidence, "- ")
	p.list("Ruled out", v.RuledOut, "- ")
	if len(v.Advice) > 0 {
		p.printf("\n%s\n", p.paint(bold, "What to do"))
		for i, a := range v.Advice {
			p.printf("  %d. %s\n", i+1, fault.Clean(a))
		}
	}
	p.list("Also worth a look", v.Warnings, "- ")
	if v.Kind != "" {
		p.printf("\n%s\n", p.paint(dim, "more about it: "+fault.FailuresPath+string(v.Kind)+" at the gateway, docs/failures.md#"+string(v.Kind)))
	}
}

func (p *Printer) list(heading string, items []string, bullet string) {
	if len(items) == 0 {
		return
	}
	p.printf("\n%s\n", p.paint(bold, heading))
	for _, s := range items {
		p.printf("  %s%s\n", bullet, fault.Clean(s))
	}
}
