package drill

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Printer writes a report for a person. Errors of writing are kept: Err returns the first.
type Printer struct {
	w      io.Writer
	colour bool
	all    bool
	err    error
}

// NewPrinter makes a Printer. colour is for terminals only; with all it lists every fault, else those that
// callers would have noticed.
func NewPrinter(w io.Writer, colour, all bool) *Printer {
	return &Printer{w: w, colour: colour, all: all}
}

// Err is the first error of writing.
func (p *Printer) Err() error { return p.err }

func (p *Printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *Printer) paint(code, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *Printer) grade(g string) string {
	code := map[string]string{"A": "1;32", "B": "1;32", "C": "1;33", "D": "1;31", "F": "1;31"}[g]
	return p.paint(code, g)
}

// Step shows how far a drill is, in a line that the next one takes the place of.
func (p *Printer) Step(s Step) { p.printf("\r\x1b[K%s", s.Text) }

// Clear takes the line of Step away.
func (p *Printer) Clear() { p.printf("\r\x1b[K") }

// Report prints the whole report.
func (p *Printer) Report(r *Report) {
	for i := range r.Subjects {
		p.subject(&r.Subjects[i])
	}
	for _, n := range r.Notes {
		p.printf("%s\n", p.paint("2", n))
	}
	p.printf("\n%s %s (%.0f of 100), in %s\n", p.paint("1", "Grade"), p.grade(r.Grade), r.Score, fault.Span(time.Duration(r.TookMS)*time.Millisecond))
}

func (p *Printer) subject(s *Subject) {
	place := s.place()
	if s.Targets != 1 {
		place += "s"
	}
	p.printf("%s %s  %s  %.0f of 100, %d %s, %s\n", s.What, p.paint("1", s.Name), p.grade(s.Grade), s.Score, s.Targets, place, s.Method)
	for _, reason := range s.Reasons {
		p.printf("  %s\n", reason)
	}
	p.table(s)
	if len(s.Changes) > 0 {
		p.printf("\n  %s\n", p.paint("1", "What would help"))
		for _, c := range s.Changes {
			was := ""
			if c.From != "" {
				was = "  (now " + c.From + ")"
			}
			p.printf("  %s: %s%s\n      %s\n      against %s\n", c.Key, p.paint("32", c.To), p.paint("2", was), c.Why, few(c.Faults))
		}
	}
	if a := s.After; a != nil {
		how := "an estimate; --try drills with them"
		if a.Tried {
			how = "drilled again with them"
		}
		p.printf("  With these changes: %s, %.0f of 100 (%s)\n", p.grade(a.Grade), a.Score, how)
	}
	p.printf("\n")
}

// table lists the faults in columns.
func (p *Printer) table(s *Subject) {
	rows := [][]string{{"fault", fmt.Sprintf("one of %d bad", s.Targets), "later", "one call in ten", "all bad", "later"}}
	hidden := 0
	for i := range s.Faults {
		r := &s.Faults[i]
		if !p.all && r.Score >= 0.9 {
			hidden++
			continue
		}
		row := []string{r.Fault, r.One.cell(), "", r.Blip.cell(), r.All.cell(), ""}
		if r.Late {
			row[0] += " *"
		}
		if o := r.One; o != nil {
			row[2] = o.After.cell()
		}
		if o := r.All; o != nil {
			row[5] = o.After.cell()
		}
		rows = append(rows, row)
	}
	if s.Targets == 1 {
		for i := range rows {
			rows[i] = append(rows[i][:1], rows[i][3:]...)
		}
	}
	if len(rows) > 1 {
		p.printf("\n")
		p.columns(rows)
		if strings.Contains(strings.Join(flat(rows), "\n"), " *") {
			p.printf("  %s\n", p.paint("2", "* where the answer had begun, nothing can save the call that meets it"))
		}
	}
	if hidden > 0 {
		p.printf("  %s\n", p.paint("2", fmt.Sprintf("and %d faults that callers would hardly have noticed (--all)", hidden)))
	}
}

func flat(rows [][]string) (list []string) {
	for _, r := range rows {
		list = append(list, r[0])
	}
	return list
}

func (p *Printer) columns(rows [][]string) {
	wide := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			wide[i] = max(wide[i], len(c))
		}
	}
	for n, r := range rows {
		line := ""
		for i, c := range r {
			line += c + strings.Repeat(" ", wide[i]-len(c)+2)
		}
		line = strings.TrimRight(line, " ")
		if n == 0 {
			line = p.paint("2", line)
		}
		p.printf("  %s\n", line)
	}
}

// cell is an outcome in a few words: "saved (failover)", "3 of 9 lost, 504, 1 min".
func (o *Outcome) cell() string {
	if o == nil {
		return "-"
	}
	took := fault.Span(time.Duration(o.TookMS) * time.Millisecond)
	switch {
	case o.Endless:
		return "no end"
	case o.Lost == 0 && o.Hit == 0:
		return "not met"
	case o.Lost == 0:
		return "saved (" + o.By + "), " + took
	}
	what := string(o.Kind)
	if o.Status > 0 {
		what = fmt.Sprintf("%d %s", o.Status, o.Kind)
	}
	if o.Lost == o.Calls {
		return what + ", " + took
	}
	return fmt.Sprintf("%d of %d lost, %s, %s", o.Lost, o.Calls, what, took)
}

func (l *Later) cell() string {
	if l == nil {
		return "-"
	}
	took := fault.Span(time.Duration(l.TookMS) * time.Millisecond)
	switch {
	case l.Lost == 0:
		return "well (" + l.By + "), " + took
	case l.Lost == l.Calls:
		return "lost, " + took
	}
	return fmt.Sprintf("%d of %d lost, %s", l.Lost, l.Calls, took)
}

// JUnit writes a report as JUnit's XML, for CI servers: a suite for each subject, a case for each fault. A case fails
// when the fault could be absorbed and was not, where its subject has a grade below min.
func JUnit(w io.Writer, r *Report, least string) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Failure *failure `xml:"failure,omitempty"`
	}
	type suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	all := struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		Suites  []suite  `xml:"testsuite"`
	}{Name: "causeway drill"}
	for i := range r.Subjects {
		s := &r.Subjects[i]
		one := suite{Name: s.What + " " + s.Name + ", grade " + s.Grade}
		for k := range s.Faults {
			f := &s.Faults[k]
			c := testcase{Name: f.Fault, Class: s.What + "." + s.Name}
			if _, could := f.absorbed(); could && !f.Absorbed && Below(s.Grade, least) {
				c.Failure = &failure{Message: "one target: " + f.One.cell() + "; one call in ten: " + f.Blip.cell() + "; all: " + f.All.cell(), Type: string(f.Kind)}
				one.Failures++
			}
			one.Tests++
			one.Cases = append(one.Cases, c)
		}
		all.Suites = append(all.Suites, one)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// Below tells whether a grade is worse than another one.
func Below(grade, least string) bool {
	return strings.Index(Grades, grade) > strings.Index(Grades, least)
}
