package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// prompts checks what prompts say of models, variables and versions.
func (c *checker) prompts(root *value) {
	prompts := root.get("prompts")
	for _, name := range prompts.names {
		p := prompts.get(name)
		if p.bad || p.node == nil || p.node.kind != mapNode {
			continue
		}
		c.prompt(root, p)
	}
}

func (c *checker) prompt(root, p *value) {
	versions := p.get("versions")
	if hasText(p) {
		if at, twice := versions.keyAt[firstVersion]; twice {
			c.faults.add(at, fmt.Sprintf("`%s.versions.1` is what the prompt says itself", p.path), "give it another name, or write the text in versions alone")
		}
		c.promptVersion(root, p, p)
	} else if len(versions.names) == 0 {
		c.faults.add(p.name, fmt.Sprintf("`%s` has no text", p.path), `add system: "...{{variable}}...", user or messages`)
	}
	for _, name := range versions.names {
		if v := versions.get(name); v.node != nil && v.node.kind == mapNode {
			c.promptVersion(root, v, p)
		}
	}
	c.defaultVersion(p, versions)
	used := usedVariables(p, p)
	for _, name := range versions.names {
		v := versions.get(name)
		if v.get("variables").set() {
			c.unused(v, usedVariables(v, p))
			continue
		}
		used = append(used, usedVariables(v, p)...)
	}
	c.unused(p, used)
}

func (c *checker) defaultVersion(p, versions *value) {
	d := p.get("default_version")
	known := slices.Clone(versions.names)
	if hasText(p) {
		known = append([]string{firstVersion}, known...)
	}
	name := as[string](d)
	switch {
	case d.bad:
	case d.set() && !slices.Contains(known, name):
		c.faults.add(d.at, subjectOf(d)+" is not a version of this prompt", c.suggest(name, known, "add it under versions"))
	case !d.set() && !slices.Contains(known, firstVersion) && len(known) > 1:
		c.faults.add(p.name, fmt.Sprintf("`%s` does not say which version is used when none is asked for", p.path), "add default_version: "+strconv.Quote(known[len(known)-1]))
	}
}

// promptVersion checks v, a version of base or base itself.
func (c *checker) promptVersion(root, v, base *value) {
	first := v == base
	switch model := own(v, base, "model"); {
	case !model.set():
		c.faults.add(v.name, fmt.Sprintf("`%s` has no `model`", v.path), "add model: NAME, a name under models or PROVIDER/MODEL")
	case model.bad || !first && !v.get("model").set():
	default:
		text := as[string](model)
		if root.get("models").fields[text] == nil {
			c.fallback(model, text, root)
		}
	}
	if !hasText(v) && !hasText(base) {
		c.faults.add(v.name, fmt.Sprintf("`%s` has no text", v.path), `add system: "...{{variable}}...", user or messages`)
	}
	if u := v.get("user"); u.set() && v.get("messages").set() {
		c.faults.add(u.name, fmt.Sprintf("`%s` stands beside `messages`", u.path), "add it to messages as {role: user, content: ...}")
	}
	if v.get("variables").set() || first {
		c.variables(v)
	}
	if out := v.get("output"); out.set() && !out.bad {
		c.outputSchema(out)
	}
	if first || hasText(v) || v.get("variables").set() {
		c.templates(v, base)
	}
}

func (c *checker) outputSchema(out *value) {
	text, problem := appendJSON(nil, out.node)
	if problem != nil {
		c.faults.add(problem.at, fmt.Sprintf("`%s` holds a value that JSON does not have", out.path), "write numbers in plain digits, or put text in quotes")
		return
	}
	if out.node.kind != mapNode {
		c.faults.add(out.at, fmt.Sprintf("`%s` must be a mapping, and this is %s", out.path, out.node.kind), "write {type: object, properties: {...}}")
		return
	}
	if _, err := NewJSONSchema(text); err != nil {
		c.faults.add(out.at, fmt.Sprintf("`%s` is not a JSON Schema: %s", out.path, shorten(err.Error())), "write one as json-schema.org has them, such as {type: object, properties: {label: {type: string}}}")
	}
}

// variables checks the variables that v lists.
func (c *checker) variables(v *value) {
	seen := map[string]*value{}
	for _, item := range v.get("variables").items {
		if item.bad && nameOf(item).bad {
			continue
		}
		name := nameOf(item)
		text := as[string](name)
		switch before := seen[text]; {
		case !name.set():
			c.faults.add(item.at, fmt.Sprintf("`%s` has no `name`", item.path), "add name: text")
			continue
		case !isVariable(text):
			c.faults.add(name.at, subjectOf(name)+" is not a variable's name", "use up to 64 letters, digits and underscores, no digit first")
		case before != nil:
			c.faults.add(name.at, fmt.Sprintf("%s is here twice; the first is at line %d", subjectOf(name), before.at.line), "keep one of the two")
		}
		seen[text] = name
		c.variable(item)
	}
}

func (c *checker) variable(item *value) {
	kind := as[string](item.get("type"))
	if kind == "" {
		return // it was reported
	}
	d := item.get("default")
	if d.set() && !d.bad {
		switch {
		case as[bool](item.get("required")):
			c.faults.add(d.name, fmt.Sprintf("`%s` is never used: the variable is required", d.path), "remove it, or required: true")
		case !fitsType(d.node, kind):
			c.faults.add(d.at, fmt.Sprintf("`%s` is %s, and the variable is %s", d.path, d.node.kind, article(kind)), "write "+article(kind)+typeHint(kind))
		}
	}
	if m := item.get("max_length"); m.set() && kind != "string" {
		c.faults.add(m.name, fmt.Sprintf("`%s` is for strings, and the variable is %s", m.path, article(kind)), "remove it")
	}
	enum := item.get("enum")
	if !enum.set() || enum.bad {
		return
	}
	if kind == "array" || kind == "object" {
		c.faults.add(enum.name, fmt.Sprintf("`%s` is for single values, and the variable is %s", enum.path, article(kind)), "remove it")
		return
	}
	found := !d.set()
	for _, e := range enum.items {
		if !fitsType(e.node, kind) {
			c.faults.add(e.at, fmt.Sprintf("`%s` is %s, and the variable is %s", e.path, e.node.kind, article(kind)), "write "+article(kind)+typeHint(kind))
		}
		found = found || e.node.text == d.node.text
	}
	if !found {
		c.faults.add(d.at, fmt.Sprintf("`%s` is not one of the values of `enum`", d.path), "write one of them")
	}
}

func article(kind string) string {
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

func typeHint(kind string) string {
	if kind == "string" {
		return ", in quotes where YAML would read something else"
	}
	return ""
}

// fitsType tells whether a value of the file is of a variable's type.
func fitsType(n *node, kind string) bool {
	switch kind {
	case "string":
		return n.kind == stringNode
	case "boolean":
		return n.kind == boolNode
	case "array":
		return n.kind == listNode && jsonable(n)
	case "object":
		return n.kind == mapNode && jsonable(n)
	case "integer":
		_, err := strconv.ParseInt(n.text, 10, 64)
		return n.kind == numberNode && err == nil
	}
	return n.kind == numberNode && jsonable(n)
}

// templates checks the texts of v against the variables that it has.
func (c *checker) templates(v, base *value) {
	var known []string
	for _, item := range own(v, base, "variables").items {
		known = append(known, as[string](nameOf(item)))
	}
	told := map[string]bool{}
	for _, t := range promptTexts(v, base) {
		if t.text.bad || !t.text.set() {
			continue
		}
		pieces, wrong := cutTemplate(as[string](t.text))
		if wrong != "" {
			c.faults.add(t.text.at, fmt.Sprintf("`%s` has %s", t.text.path, shorten(wrong)), "write {{name}} with a variable's name, or {{{{ for a literal {{")
		}
		for _, p := range pieces {
			if p.variable && !slices.Contains(known, p.text) && !told[p.text] {
				told[p.text] = true
				c.faults.add(t.text.at, fmt.Sprintf("`%s` uses {{%s}}, which is not under variables", t.text.path, p.text), c.suggest(p.text, known, "add {name: "+p.text+"} there"))
			}
		}
	}
}

// usedVariables are the variables in the texts of v.
func usedVariables(v, base *value) (names []string) {
	for _, t := range promptTexts(v, base) {
		pieces, _ := cutTemplate(as[string](t.text))
		for _, p := range pieces {
			if p.variable {
				names = append(names, p.text)
			}
		}
	}
	return names
}

// unused reports the variables that v lists and no text uses.
func (c *checker) unused(v *value, used []string) {
	for _, item := range v.get("variables").items {
		name := nameOf(item)
		if text := as[string](name); isVariable(text) && !slices.Contains(used, text) {
			c.faults.add(name.at, fmt.Sprintf("%s is in no text of the prompt", subjectOf(name)), "use it as {{"+text+"}}, or remove it")
		}
	}
}

// templatePiece is text, or the name of a variable.
type templatePiece struct {
	text     string
	variable bool
}

// cutTemplate cuts a text at its {{variables}}. wrong is the first {{ that is not one, "" for none.
func cutTemplate(s string) (pieces []templatePiece, wrong string) {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			pieces = append(pieces, templatePiece{text: plain.String()})
			plain.Reset()
		}
	}
	for {
		before, rest, found := strings.Cut(s, "{{")
		plain.WriteString(before)
		if !found {
			break
		}
		if after, literal := strings.CutPrefix(rest, "{{"); literal {
			plain.WriteString("{{")
			s = after
			continue
		}
		name, after, closed := strings.Cut(rest, "}}")
		name = strings.TrimSpace(name)
		if !closed || !isVariable(name) {
			if wrong == "" {
				wrong = "{{" + rest[:min(len(rest), 40)]
			}
			plain.WriteString("{{")
			s = rest
			continue
		}
		flush()
		pieces = append(pieces, templatePiece{name, true})
		s = after
	}
	flush()
	return pieces, wrong
}
