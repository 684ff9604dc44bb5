package gemini

import (
	"slices"
	"strconv"
	"strings"

	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// schemaOf turns the API's own Schema (google.ai.generativelanguage.v1beta.Schema, a part of OpenAPI 3.0's) into
// JSON Schema: types in lower case, nullable as the type null, 64-bit counts as numbers, example as examples. The
// node counts as taken.
func schemaOf(n jsontree.Node) []byte {
	var w jsontree.Writer
	writeSchema(&w, n)
	n.Settle()
	return w.Buf
}

func writeSchema(w *jsontree.Writer, n jsontree.Node) {
	if !n.IsObject() {
		w.Raw(n.Raw())
		return
	}
	nullable, _ := n.Get("nullable").Bool()
	typed := false
	w.Object()
	n.Each(func(_ int, m jsontree.Node) {
		if !m.Said() {
			return
		}
		name := m.Name()
		switch camel(name) {
		case "nullable":
		case "type":
			typed = true
			writeType(w, m, nullable)
		case "items":
			w.Name("items")
			writeSchema(w, m)
		case "anyOf":
			w.Name("anyOf")
			writeSchemas(w, m)
		case "properties":
			w.Name("properties")
			w.Object()
			m.Each(func(_ int, p jsontree.Node) {
				w.Name(p.Name())
				writeSchema(w, p)
			})
			w.End()
		case "enum":
			w.Name("enum")
			writeEnum(w, m, nullable)
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			w.Name(camel(name))
			if v, err := strconv.ParseInt(stringOf(m), 10, 64); err == nil { // int64 is a string in protocol buffers' JSON
				w.Int(v)
			} else {
				w.Raw(m.Raw())
			}
		case "example":
			w.Name("examples")
			w.Array()
			w.Raw(m.Raw())
			w.End()
		default: // format, title, description, required, minimum, maximum, pattern, default, propertyOrdering
			w.RawMember(camel(name), m.Raw())
		}
	})
	if nullable && !typed {
		w.BoolMember("nullable", true)
	}
	w.End()
}

func stringOf(n jsontree.Node) string {
	if n.IsString() {
		return n.Str()
	}
	return ""
}

func writeType(w *jsontree.Writer, m jsontree.Node, nullable bool) {
	w.Name("type")
	word := strings.ToLower(stringOf(m))
	switch {
	case !m.IsString():
		w.Raw(m.Raw())
	case nullable && word != "null":
		w.Array()
		w.Str(word)
		w.Str("null")
		w.End()
	default:
		w.Str(word)
	}
}

func writeEnum(w *jsontree.Writer, m jsontree.Node, nullable bool) {
	w.Array()
	m.Each(func(_ int, v jsontree.Node) { w.Raw(v.Raw()) })
	if nullable {
		w.Null()
	}
	w.End()
}

func writeSchemas(w *jsontree.Writer, list jsontree.Node) {
	w.Array()
	list.Each(func(_ int, s jsontree.Node) { writeSchema(w, s) })
	w.End()
}

// schemaUse is what a JSON Schema asks for beyond what the API handles.
type schemaUse struct {
	ignored []string // keywords that the API does not enforce
	rewrite bool     // it has const or definitions, which can be said otherwise
}

// scanSchema passes the JSON Schema that stands next, or with names the members of an object each of which is one,
// and notes in use what the API does not handle. Source: the comment on GenerationConfig.response_json_schema in
// generative_service.proto, which lists what is.
func scanSchema(scan *jsonscan.Scanner, names bool, use *schemaUse) {
	switch scan.Peek() {
	case jsonscan.Array: // anyOf, oneOf, prefixItems
		for ok := scan.Array(); ok && scan.Element(); {
			scanSchema(scan, false, use)
		}
		return
	case jsonscan.Object:
	default:
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if names {
			scanSchema(scan, false, use)
			continue
		}
		switch string(k.Raw) {
		case "items", "prefixItems", "anyOf", "oneOf", "additionalProperties":
			scanSchema(scan, false, use)
		case "properties", "$defs":
			scanSchema(scan, true, use)
		case "definitions":
			use.rewrite = true
			scanSchema(scan, true, use)
		case "const":
			use.rewrite = true
			scan.Skip()
		case "pattern", "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "contains",
			"minContains", "maxContains", "minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired",
			"dependentSchemas", "dependencies", "allOf", "not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef":
			if name := string(k.Raw); !slices.Contains(use.ignored, name) {
				use.ignored = append(use.ignored, name)
			}
			scan.Skip()
		default: // handled, or it constrains nothing
			scan.Skip()
		}
	}
}

// handled is a JSON Schema as the API handles it best: const as an enum of one, definitions as $defs. The rest stays
// as it is; ignored lists the keywords among it that nobody will enforce.
func handled(schema []byte) (fit []byte, ignored []string) {
	var use schemaUse
	var scan jsonscan.Scanner
	scan.Reset(schema)
	scanSchema(&scan, false, &use)
	if !use.rewrite {
		return schema, use.ignored
	}
	d, err := jsontree.Parse(schema, true)
	if err != nil {
		return schema, use.ignored
	}
	var w jsontree.Writer
	rewriteSchema(&w, d.Root(), false)
	return w.Buf, use.ignored
}

func rewriteSchema(w *jsontree.Writer, n jsontree.Node, names bool) {
	switch {
	case n.IsArray():
		w.Array()
		n.Each(func(_ int, s jsontree.Node) { rewriteSchema(w, s, false) })
		w.End()
		return
	case !n.IsObject():
		w.Raw(n.Raw())
		return
	}
	w.Object()
	n.Each(func(_ int, m jsontree.Node) {
		name := m.Name()
		switch {
		case names:
			w.Name(name)
			rewriteSchema(w, m, false)
		case name == "const" && !n.Get("enum").Exists():
			w.Name("enum")
			w.Array()
			w.Raw(m.Raw())
			w.End()
		case name == "definitions" && !n.Get("$defs").Exists():
			w.Name("$defs")
			rewriteSchema(w, m, true)
		case name == "$ref" && strings.HasPrefix(stringOf(m), "#/definitions/"):
			w.StrMember(name, "#/$defs/"+strings.TrimPrefix(m.Str(), "#/definitions/"))
		case name == "properties" || name == "$defs":
			w.Name(name)
			rewriteSchema(w, m, true)
		case name == "items" || name == "prefixItems" || name == "anyOf" || name == "oneOf" || name == "additionalProperties":
			w.Name(name)
			rewriteSchema(w, m, false)
		default:
			w.RawMember(name, m.Raw())
		}
	})
	w.End()
}
