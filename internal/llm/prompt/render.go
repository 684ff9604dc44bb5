package prompt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// Render makes the chat that the variables in body ask for, in the form that ReadRequest reads: OpenAI's names,
// which is also what the gateway's estimates go by. The error is a *jsontree.Fault or a *llm.RequestError with the
// variable's pointer. What a variable holds is put in as it is: it is never read as a template and cannot
// become a message of its own.
func (c *Call) Render(body []byte) ([]byte, error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		body = []byte("{}")
	}
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	values, err := c.values(doc)
	if err != nil {
		return nil, err
	}
	var w jsontree.Writer
	w.Reset(make([]byte, 0, 512+len(body)))
	w.Object()
	w.StrMember("model", c.version.Model)
	w.Name("messages")
	w.Array()
	var text strings.Builder
	for _, m := range c.version.Messages {
		text.Reset()
		for _, p := range m.Pieces {
			if p.Variable >= 0 {
				text.WriteString(values[p.Variable])
			} else {
				text.WriteString(p.Text)
			}
		}
		w.Object()
		w.StrMember("role", m.Role)
		w.StrMember("content", text.String())
		w.End()
	}
	w.End()
	for _, p := range c.version.Parameters {
		w.RawMember(p.Name, p.JSON)
	}
	if out := c.version.Output; out != nil {
		w.RawMember("output", out.JSON)
	}
	w.End()
	return w.Buf, nil
}

// values are the texts of the variables in their order.
func (c *Call) values(doc *jsontree.Doc) ([]string, error) {
	root := doc.Root()
	if !root.IsObject() {
		return nil, &llm.RequestError{Problem: "must be a JSON object with the prompt's variables"}
	}
	vars := c.version.Variables
	var err error
	root.Each(func(_ int, e jsontree.Node) {
		name := e.Name()
		if err == nil && !slices.ContainsFunc(vars, func(v catalog.PromptVariable) bool { return v.Name == name }) {
			err = &llm.RequestError{Pointer: e.Pointer(), Offset: e.Offset(), Problem: "is not a variable of this prompt" + c.known()}
		}
	})
	if err != nil {
		return nil, err
	}
	values := make([]string, len(vars))
	for i := range vars {
		v := &vars[i]
		n := root.Get(v.Name)
		switch {
		case n.Said():
			values[i] = valueOf(doc, n, v)
		case v.Required:
			doc.Missing(root, v.Name)
		case v.Default != nil:
			values[i] = defaultOf(v)
		}
	}
	if f := doc.Fault(); f != nil {
		return nil, f
	}
	return values, nil
}

// known lists the variables, for whoever wrote another.
func (c *Call) known() string {
	if len(c.version.Variables) == 0 {
		return ": it has none"
	}
	var names []string
	for _, v := range c.version.Variables {
		names = append(names, v.Name)
	}
	return ": it has " + strings.Join(names, ", ")
}

// valueOf is the text of a variable's value, which is held to what the prompt says of it.
func valueOf(doc *jsontree.Doc, n jsontree.Node, v *catalog.PromptVariable) string {
	raw := string(n.Raw())
	fits := true
	switch v.Type {
	case "string":
		fits = n.IsString()
	case "number":
		fits = n.Kind() == jsonscan.Number
	case "integer":
		f, err := strconv.ParseFloat(raw, 64)
		fits = n.Kind() == jsonscan.Number && err == nil && f == float64(int64(f))
	case "boolean":
		fits = n.Kind() == jsonscan.True || n.Kind() == jsonscan.False
	case "array":
		fits = n.IsArray()
	case "object":
		fits = n.IsObject()
	}
	if !fits {
		doc.Fail(n, "must be "+article(v.Type))
		return ""
	}
	text := raw
	if n.IsString() {
		text = n.Str()
	}
	if v.MaxLength > 0 && utf8.RuneCountInString(text) > v.MaxLength {
		doc.Fail(n, fmt.Sprintf("has %d characters, and may have %d", utf8.RuneCountInString(text), v.MaxLength))
	}
	if v.Enum != nil && !slices.ContainsFunc(v.Enum, func(e []byte) bool { return same(e, []byte(raw)) }) {
		doc.Fail(n, "must be one of "+joinJSON(v.Enum))
	}
	return text
}

func article(kind string) string {
	switch kind {
	case "boolean":
		return "true or false"
	case "integer", "array", "object":
		return "an " + strings.Replace(kind, "integer", "integer (a whole number)", 1)
	}
	return "a " + kind
}

func joinJSON(list [][]byte) string {
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(e)
	}
	return b.String()
}

// same tells whether two JSON scalars have the same value.
func same(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x == y
}

func defaultOf(v *catalog.PromptVariable) string {
	if v.Type == "string" {
		var s string
		if json.Unmarshal(v.Default, &s) == nil {
			return s
		}
	}
	return string(v.Default)
}

// faultOf is a document's fault as an error, nil when it has none.
func faultOf(doc *jsontree.Doc) error {
	if f := doc.Fault(); f != nil {
		return f
	}
	return nil
}
