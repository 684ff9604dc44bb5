package anthropic

import (
	"strings"

	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// narrow writes a JSON Schema in the part of the language to which Anthropic holds answers and strict tools:
// objects are closed, and bounds on numbers, lengths and counts can't be checked, so that they go into the
// description, where the model reads them. title and description are given to the schema when it has none.
// lost lists the keywords that are told and not enforced. The schema is nil when it is no JSON object, and,
// with lost saying so, when it can't be enforced at all.
// Source: docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations.
func narrow(schema []byte, title, description string) (narrowed []byte, lost string) {
	d, err := jsontree.Parse(schema, true)
	if err != nil || !d.Root().IsObject() {
		return nil, ""
	}
	if recursive(d.Root()) {
		return nil, "a schema that refers to itself"
	}
	n := narrowing{}
	n.w.Buf = make([]byte, 0, len(schema)+256)
	n.schema(d.Root(), title, description)
	return n.w.Buf, strings.Join(n.lost, ", ")
}

// recursive tells whether a schema refers to itself, directly or by its definitions.
func recursive(root jsontree.Node) bool {
	refs := map[string][]string{}
	var walk func(n jsontree.Node, owner string)
	walk = func(n jsontree.Node, owner string) {
		n.Each(func(_ int, m jsontree.Node) {
			switch m.Name() {
			case "$ref":
				if m.IsString() {
					refs[owner] = append(refs[owner], m.Str())
				}
			case "$defs", "definitions":
				m.Each(func(_ int, def jsontree.Node) { walk(def, "#/"+m.Name()+"/"+def.Name()) })
			default:
				walk(m, owner)
			}
		})
	}
	walk(root, "#")
	open := map[string]bool{}
	done := map[string]bool{}
	var cycle func(owner string) bool
	cycle = func(owner string) bool {
		if open[owner] || done[owner] {
			return open[owner]
		}
		open[owner] = true
		for _, to := range refs[owner] {
			if cycle(to) {
				return true
			}
		}
		open[owner], done[owner] = false, true
		return false
	}
	return cycle("#")
}

type narrowing struct {
	w    jsontree.Writer
	lost []string
}

// schema writes one schema.
func (n *narrowing) schema(s jsontree.Node, title, description string) {
	if !s.IsObject() { // true and false
		n.w.Raw(s.Raw())
		return
	}
	var told []string
	n.w.Object()
	closed := s.Get("type").Kind() == jsonscan.String && s.Get("type").Str() == "object" || s.Get("properties").IsObject()
	s.Each(func(_ int, m jsontree.Node) {
		keyword := m.Name()
		switch keyword {
		case "type", "enum", "const", "required", "$ref", "default", "pattern":
			n.w.RawMember(keyword, m.Raw())
		case "title":
			title = ""
			n.w.RawMember(keyword, m.Raw())
		case "description":
			if m.IsString() {
				description = m.Str()
			}
		case "properties", "$defs", "definitions":
			n.schemas(keyword, m)
		case "items", "anyOf", "allOf":
			n.under(keyword, m)
		case "oneOf":
			n.under("anyOf", m)
		case "additionalProperties":
			if m.IsObject() && m.Len() > 0 {
				told = n.tell(told, m)
			}
		case "format":
			if m.IsString() && knownFormat(m.Str()) {
				n.w.RawMember(keyword, m.Raw())
			} else {
				told = n.tell(told, m)
			}
		case "minItems":
			if v, _ := m.Int(); v == 0 || v == 1 {
				n.w.RawMember(keyword, m.Raw())
			} else {
				told = n.tell(told, m)
			}
		case "$schema", "$id", "$comment", "examples", "example", "deprecated", "readOnly", "writeOnly":
			// they hold nothing to anything
		default:
			told = n.tell(told, m)
		}
	})
	if closed {
		n.w.BoolMember("additionalProperties", false)
	}
	if title != "" {
		n.w.StrMember("title", title)
	}
	if len(told) > 0 {
		description = strings.TrimSpace(description + "\n{" + strings.Join(told, ", ") + "}")
	}
	if description != "" {
		n.w.StrMember("description", description)
	}
	n.w.End()
}

// tell moves a keyword into the description.
func (n *narrowing) tell(told []string, m jsontree.Node) []string {
	found := false
	for _, l := range n.lost {
		found = found || l == m.Name()
	}
	if !found {
		n.lost = append(n.lost, m.Name())
	}
	return append(told, m.Name()+": "+string(m.Raw()))
}

// schemas writes an object whose members are schemas.
func (n *narrowing) schemas(keyword string, m jsontree.Node) {
	n.w.Name(keyword)
	if !m.IsObject() {
		n.w.Raw(m.Raw())
		return
	}
	n.w.Object()
	m.Each(func(_ int, e jsontree.Node) {
		n.w.Name(e.Name())
		n.schema(e, "", "")
	})
	n.w.End()
}

// under writes a member that is a schema or an array of schemas.
func (n *narrowing) under(keyword string, m jsontree.Node) {
	n.w.Name(keyword)
	if !m.IsArray() {
		n.schema(m, "", "")
		return
	}
	n.w.Array()
	m.Each(func(_ int, e jsontree.Node) { n.schema(e, "", "") })
	n.w.End()
}

// knownFormat tells whether strings are held to a format.
func knownFormat(format string) bool {
	switch format {
	case "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid":
		return true
	}
	return false
}
