package bedrock

import (
	"slices"
	"strings"

	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// bounds are the keywords to which Bedrock does not hold answers, and for which it refuses a schema.
// Source: docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html, "Unsupported features".
var bounds = []string{
	"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems",
	"minProperties", "maxProperties", "patternProperties", "not", "if", "then", "else", "contains",
}

// narrow writes a JSON Schema in the part of the language that Bedrock takes: objects are closed, and bounds go into the
// description, where the model reads them. lost lists the keywords that are told and not enforced. The schema is nil when it
// is no JSON object.
func narrow(schema []byte) (narrowed []byte, lost string) {
	d, err := jsontree.Parse(schema, true)
	if err != nil || !d.Root().IsObject() {
		return nil, ""
	}
	var n narrowing
	n.w.Buf = make([]byte, 0, len(schema)+256)
	n.schema(d.Root())
	return n.w.Buf, strings.Join(n.lost, ", ")
}

type narrowing struct {
	w    jsontree.Writer
	lost []string
}

func (n *narrowing) schema(s jsontree.Node) {
	if !s.IsObject() { // true and false
		n.w.Raw(s.Copy())
		return
	}
	n.w.Object()
	object := s.Get("properties").IsObject() || s.Get("type").Kind() == jsonscan.String && s.Get("type").Str() == "object"
	description, told := "", []string(nil)
	s.Each(func(_ int, m jsontree.Node) {
		switch keyword := m.Name(); {
		case keyword == "description" && m.IsString():
			description = m.Str()
		case keyword == "additionalProperties" && object:
			if m.IsObject() {
				told = n.tell(told, m)
			}
		case slices.Contains(bounds, keyword), keyword == "minItems" && string(m.Copy()) != "0" && string(m.Copy()) != "1":
			told = n.tell(told, m)
		case (keyword == "properties" || keyword == "$defs" || keyword == "definitions") && m.IsObject():
			n.w.Name(keyword)
			n.w.Object()
			m.Each(func(_ int, e jsontree.Node) {
				n.w.Name(e.Name())
				n.schema(e)
			})
			n.w.End()
		case keyword == "items" || keyword == "anyOf" || keyword == "allOf" || keyword == "oneOf":
			n.w.Name(keyword)
			n.under(m)
		default:
			n.w.RawMember(keyword, m.Copy())
		}
	})
	if object {
		n.w.BoolMember("additionalProperties", false)
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
	if !slices.Contains(n.lost, m.Name()) {
		n.lost = append(n.lost, m.Name())
	}
	return append(told, m.Name()+": "+string(m.Copy()))
}

// under writes a schema or an array of schemas.
func (n *narrowing) under(m jsontree.Node) {
	if !m.IsArray() {
		n.schema(m)
		return
	}
	n.w.Array()
	m.Each(func(_ int, e jsontree.Node) { n.schema(e) })
	n.w.End()
}
