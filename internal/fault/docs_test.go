package fault

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/failures.md anew instead of comparing it")

const docsFile = "../../docs/failures.md"

// TestDocumentationIsTheCatalogue keeps docs/failures.md the same as the table:
// go test ./internal/fault -run Documentation -update
func TestDocumentationIsTheCatalogue(t *testing.T) {
	want := documentation()
	if *update {
		if err := os.WriteFile(docsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/failures.md is not what the catalogue says: run go test ./internal/fault -run Documentation -update")
	}
	for i := range All() {
		e := &All()[i]
		if !bytes.Contains(got, []byte("### "+string(e.Kind)+"\n\n"+e.Title+".")) {
			t.Errorf("%s is not documented with its title", e.Kind)
		}
	}
}

// documentation is the catalogue as Markdown.
func documentation() []byte {
	var b bytes.Buffer
	b.WriteString(`# Failures

<!-- Made from internal/fault/table*.go by go test ./internal/fault -run Documentation -update. Do not edit. -->

Every failed call has a **kind**: a word that stays the same from version to version, so that scripts can rely on it. It is in the
error body (` + "`kind`" + `), in the reason phrase, in the log, in the metrics, and, as its RFC 9209 error type, in ` + "`Proxy-Status`" + `.
A running gateway serves the page of each kind at ` + "`/.causeway/failures/KIND`" + `, as HTML or JSON.

**Cause** is what the kind usually means; the finding of a call may know better, from what else was observed. The causes are overload,
configuration, network, software (the upstream's), incompatible_change, caller and gateway.

**Repeated** says when the gateway itself makes another attempt, where retries are configured:

| letter | meaning |
| --- | --- |
`)
	for _, a := range []Again{Always, Idempotent, Delayed, Elsewhere, Never} {
		fmt.Fprintf(&b, "| %c | %s |\n", a, a.text())
	}
	b.WriteString("\nWhether the *caller* may repeat the call is `retry` in the error body: `safe`, `may_repeat` (the work may have been done, or billed, and\nwould be again) or `no` (the fault lasts, or the request must change).\n")
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n%s", g.name, overview(g.rows))
		for i := range g.rows {
			b.WriteString(section(Lookup(g.rows[i].Kind))) // with what may lie behind it
		}
	}
	return b.Bytes()
}

// overview is the table of a group, its columns aligned.
func overview(rows []Entry) string {
	cells := [][]string{{"kind", "status", "Proxy-Status error", "gRPC code", "usual cause", "repeated"}, nil}
	for i := range rows {
		e := &rows[i]
		proxy := e.Proxy
		if proxy == "" {
			proxy = "-"
		}
		cells = append(cells, []string{fmt.Sprintf("[%s](#%s)", e.Kind, e.Kind), e.statusText(), proxy, GRPCCode(e.Kind).String(), string(e.Cause), string(e.Again)})
	}
	width := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, c := range row {
			width[i] = max(width[i], len(c))
		}
	}
	var b strings.Builder
	for _, row := range cells {
		b.WriteByte('|')
		for i, w := range width {
			if row == nil {
				b.WriteString(" " + strings.Repeat("-", w) + " |")
				continue
			}
			fmt.Fprintf(&b, " %-*s |", w, row[i])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func section(e *Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n%s. %s\n", e.Kind, e.Title, e.Explain)
	list := func(heading string, items []string) {
		b.WriteString("\n" + heading + "\n\n")
		for _, s := range items {
			b.WriteString("- " + s + "\n")
		}
	}
	list("If you called the API:", e.CallerAdvice)
	list("If you run the gateway or the upstream:", e.OperatorAdvice)
	if n := len(e.DependsOn); n > 12 {
		b.WriteString("\nWhat may lie behind it: any failure of the targets themselves; the finding of a call names it.\n")
	} else if n > 0 {
		links := make([]string, n)
		for i, k := range e.DependsOn {
			links[i] = fmt.Sprintf("[%s](#%s)", k, k)
		}
		b.WriteString("\nWhat may lie behind it: " + strings.Join(links, ", ") + ".\n")
	}
	return b.String()
}
