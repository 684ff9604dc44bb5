package catalog

import (
	"fmt"
	"strings"
)

// Reference is docs/configuration.md, made from the same table that files are checked against.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	root := fileShape()
	for i := range root.keys {
		section(&b, &root.keys[i])
	}
	b.WriteString("\nThe kinds of providers are in [providers](providers.md). `sandbox` is built in as a provider: `sandbox/echo` and its other models need no file, no key and no network.\n")
	ownPathList(&b)
	b.WriteString("\n## Not in this version yet\n\nThese are named by the format and are a fault until they work:\n\n")
	for _, line := range notYet(&root, "") {
		b.WriteString("- " + line + "\n")
	}
	return []byte(b.String())
}

// section writes one key of the file with all that is under it.
func section(b *strings.Builder, k *key) {
	if k.notYet {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n", k.name, k.doc)
	if k.shape.form == scalarForm {
		return
	}
	prefix := ""
	inner := &k.shape
	if inner.form == mappingForm {
		fmt.Fprintf(b, "\nThe keys below are those of one of them: `%s: {NAME: {...}}`.\n", k.name)
		inner = inner.of
	}
	b.WriteString("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
	rows(b, inner, prefix)
}

func rows(b *strings.Builder, s *shape, prefix string) {
	for i := range s.keys {
		k := &s.keys[i]
		if k.notYet {
			continue
		}
		name := prefix + k.name
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, cell(expected(&k.shape)), defaultCell(k), cell(meaning(k)))
		switch under := &k.shape; {
		case under.form == objectForm:
			rows(b, under, name+".")
		case under.form == listForm && under.of.form == objectForm:
			rows(b, under.of, name+"[].")
		}
	}
}

// expected says what a value looks like.
func expected(s *shape) string {
	switch {
	case s.word != "":
		return example(s.noun) + ", or `" + s.word + "`"
	case s.form != scalarForm:
		return example(s.noun)
	case len(s.scalar.choices) > 0 && len(s.scalar.choices) < 10:
		words := "`" + strings.Join(allowed(s.scalar.choices), "`, `") + "`"
		if s.scalar.besides != "" {
			words += " or " + s.scalar.besides
		}
		return words
	case s.scalar.name != "":
		return s.scalar.name
	}
	return example(s.noun)
}

// example puts what a noun gives as an example between backticks: * and _ are not for Markdown.
func example(noun string) string {
	if strings.HasPrefix(noun, "{") {
		return "`" + noun + "`"
	}
	if what, such, ok := strings.Cut(noun, " such as "); ok {
		return what + " such as `" + such + "`"
	}
	return noun
}

// meaning is the key's doc with what each choice means.
func meaning(k *key) string {
	var parts []string
	for _, c := range k.shape.scalar.choices {
		if c.doc != "" && !c.notYet && k.shape.form == scalarForm {
			parts = append(parts, fmt.Sprintf("`%s`: %s", c, c.doc))
		}
	}
	if parts == nil {
		return k.doc
	}
	return k.doc + " " + strings.Join(parts, "; ") + "."
}

func defaultCell(k *key) string {
	switch {
	case k.required:
		return "required"
	case k.def != "":
		return "`" + k.def + "`"
	case k.optional:
		return "none"
	}
	return ""
}

// cell makes text fit for a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func ownPathList(b *strings.Builder) {
	b.WriteString("\n## The gateway's own paths\n\nA route without `hosts` can't overlap one of these; on a host that a route names, the route wins. `llm.hosts` and `llm.prefix` move those of the first line.\n\n")
	var moved, fixed []string
	for _, o := range ownPaths() {
		if o.llm {
			moved = append(moved, "`"+o.path+"`")
		} else {
			fixed = append(fixed, "`"+o.path+"`")
		}
	}
	fmt.Fprintf(b, "- %s\n- %s\n", strings.Join(moved, ", "), strings.Join(fixed, ", "))
	b.WriteString("\nThe addresses of Cohere's, Ollama's and Bedrock's dialects give way: a service's route that takes one of them wins, with `hosts` or without. `llm.hosts` and `llm.prefix` move them as well.\n\n")
	fmt.Fprintf(b, "- `%s`\n", strings.Join(yieldingPaths(), "`, `"))
}

// notYet lists the keys and values that this version does not have.
func notYet(s *shape, path string) []string {
	var list []string
	for i := range s.keys {
		k := &s.keys[i]
		name := join(path, k.name)
		if k.notYet {
			list = append(list, "`"+name+"`: "+k.doc)
			continue
		}
		var values []string
		for _, c := range k.shape.scalar.choices {
			if c.notYet && k.shape.form == scalarForm {
				values = append(values, "`"+c.value+"`")
			}
		}
		if values != nil {
			list = append(list, "`"+name+"`: the values "+listed(values, "and"))
		}
		switch k.shape.form {
		case objectForm:
			list = append(list, notYet(&k.shape, name)...)
		case mappingForm:
			list = append(list, notYet(k.shape.of, name+".NAME")...)
		case listForm:
			list = append(list, notYet(k.shape.of, name+"[]")...)
		}
	}
	return list
}

const referenceHead = `# The configuration file

<!-- Made from the table in internal/catalog: run "go test ./internal/catalog -update" after a change. -->

The gateway reads one YAML file: ` + "`causeway serve --config FILE`" + `. ` + "`causeway validate FILE`" + ` checks it and prints every
fault with its place and what would be right; ` + "`causeway schema`" + ` prints the JSON Schema, which editors
use to complete and check while you type. Examples are in [examples](examples).

The file is read again when it changes and on SIGHUP. A valid one takes effect without a dropped call; an
invalid one changes nothing and is reported.

` + "```yaml" + `
version: 1
services:
  orders:
    routes: [{path: /orders/*}]
    upstream: {targets: [{url: http://127.0.0.1:9001}]}
applications:
  web:
    keys: ["${WEB_KEY}"]
    subscribes: [orders]
` + "```" + `

## How values are written

| value | written as |
| --- | --- |
| duration | a number and a unit: ` + "`500ms`, `30s`, `2m`, `1h30m`, `30d`" + `; units are us, ms, s, m, h, d (24 h) and w; ` + "`0`" + ` for none |
| size | bytes, or a number and a unit: ` + "`64KiB`, `10MiB`" + ` count in 1024s, ` + "`10MB`, `1GB`" + ` in 1000s |
| percentage | ` + "`20%`" + ` |
| network | ` + "`10.0.0.0/8`, `2001:db8::/32`" + `, or a single address |
| environment variable | ` + "`${NAME}`" + ` anywhere in a value; one that is not set is a fault. ` + "`$${`" + ` is a literal ` + "`${`" + `. What a variable holds is never read as YAML. Inside ` + "`[ ]` and `{ }`" + ` put it in double quotes |

- Unknown keys are faults, and so is a key that stands twice in a mapping.
- Anchors, aliases and merge keys (` + "`<<: *name`" + `) work; a fault in an aliased block is shown where the block is written.
- Tags (` + "`!!str`" + `), directives and more than one document are faults.
- Relative file names are taken from the configuration file's folder.
- A file has at most 4 MiB, and one mapping about 20,000 keys.
`
