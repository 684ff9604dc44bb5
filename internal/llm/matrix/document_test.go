package matrix

import "strings"

// document is docs/dialects.md.
func document(all []*side, requests, answers map[pair]map[string]outcome) string {
	var b strings.Builder
	b.WriteString(`# Dialects

Any caller's dialect reaches any provider. Where both speak the same one, bytes pass through as they are. Where they do not, a call is read
into one canonical form and written again, and so is its answer, whole or event by event.

What cannot be carried as it is stands in the **translation report**: the header ` + "`Causeway-Translation`" + ` of the answer names each field with what
became of it, and the call log says why. With ` + "`strict: true`" + ` on a model the call is refused instead, with a 400 that names the field.

This page is written by ` + "`go test ./internal/llm/matrix -update`" + ` from what the tests see. They write each feature in the caller's dialect, take it to each provider's,
hold what is written against the provider's own description of its API, read it again and compare. What a pair must carry is committed in
` + "`internal/llm/matrix/testdata/carry`" + `; every recorded request, answer and stream of every dialect crosses to every other in the same way.

- **carried**: the provider gets it, and nothing is reported.
- **emulated**: the gateway does it in the provider's place, such as fetching an image.
- **approximated**: the provider gets something that is nearly it.
- **dropped**: the provider does not get it.
- **refused**: without it the call would be another, so that it is answered with an error (or another target is chosen).
- \-: the caller's (or, of answers, the provider's) dialect has no such thing.

The models that the tests write for are named in each column's page: what one model takes another may not, and then the report says so.

`)
	for _, s := range all {
		b.WriteString("- " + s.title + ": [" + s.doc + "](dialects/" + s.doc + ".md), written for `" + s.model + "`\n")
	}
	b.WriteString("\n# Requests\n")
	for _, caller := range all {
		names := []string{}
		for _, f := range features() {
			names = append(names, f.name)
		}
		table(&b, "A caller of "+caller.title+" and a provider of", caller, all, names, func(other *side, name string) outcome { return requests[pair{caller.name, other.name}][name] })
	}
	b.WriteString("\n# Answers\n")
	for _, caller := range all {
		names := []string{}
		for _, f := range answerFeatures() {
			names = append(names, f.name)
		}
		table(&b, "A caller of "+caller.title+" and an answer of", caller, all, names, func(other *side, name string) outcome { return answers[pair{caller.name, other.name}][name] })
	}
	return b.String()
}

// table writes one dialect's features against all others. A row of which the dialect has nothing is left out.
func table(b *strings.Builder, title string, caller *side, all []*side, names []string, of func(other *side, name string) outcome) {
	b.WriteString("\n## " + title + "\n\n| |")
	rule := "|---|"
	for _, other := range all {
		if other != caller {
			b.WriteString(" " + other.title + " |")
			rule += "---|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, name := range names {
		row, any := "| "+name+" |", false
		for _, other := range all {
			if other == caller {
				continue
			}
			o := of(other, name)
			any = any || o != none
			if o == carried {
				row += " carried |"
			} else {
				row += " " + strings.Replace(string(o), "-", `\-`, 1) + " |"
			}
		}
		if any {
			b.WriteString(row + "\n")
		}
	}
}
