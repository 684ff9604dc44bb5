package openai

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// tools reads the tools offered and what is said about calling them, functions and function_call of
// older callers included.
func (r *chatReader) tools(root jsontree.Node) {
	list := root.Get("tools")
	if need(r.doc, list, jsonscan.Array, "must be an array") {
		list.Each(func(_ int, n jsontree.Node) {
			if !n.IsObject() {
				r.doc.Fail(n, "must be an object")
				return
			}
			r.tool(n)
		})
	}
	if old := root.Get("functions"); need(r.doc, old, jsonscan.Array, "must be an array") {
		old.Each(func(_ int, n jsontree.Node) { r.req.Tools = append(r.req.Tools, r.function(n, n)) })
	}
	if n := root.Get("parallel_tool_calls"); n.Said() {
		r.req.ParallelTools = flag(n)
	}
	if n := root.Get("tool_choice"); n.Said() {
		r.choice(n)
	} else if n := root.Get("function_call"); n.Said() {
		if n.IsObject() {
			r.req.Choice = canon.ToolChoice{Mode: canon.ToolsNamed, Names: []string{r.text(n, "name")}, At: n.Ref()}
		} else {
			r.choice(n)
		}
	}
}

// flag reads true or false.
func flag(n jsontree.Node) canon.Flag {
	on, said := n.Bool()
	return canon.Flag{Said: said, On: on, At: n.Ref()}
}

func (r *chatReader) tool(n jsontree.Node) {
	typ := n.Get("type")
	switch kind := typ.Str(); {
	case kind == "function" || kind == "" && n.Get("function").IsObject():
		f := n.Get("function")
		if !f.IsObject() {
			if f.Said() {
				r.doc.Fail(f, "must be an object")
			} else {
				r.doc.Missing(n, "function")
			}
			return
		}
		t := r.function(f, n)
		t.Cache = r.cache(n)
		r.req.Tools = append(r.req.Tools, t)
	case kind == "":
		r.doc.Missing(n, "type")
	case kind == "custom":
		c := n.Get("custom")
		if !need(r.doc, c, jsonscan.Object, "must be an object") {
			r.doc.Missing(n, "custom")
			return
		}
		t := canon.Tool{Name: r.text(c, "name"), Description: c.Get("description").Str(), At: n.Ref(), Custom: true}
		if format := c.Get("format"); format.Said() {
			t.Raw = format.Raw()
		}
		r.req.Tools = append(r.req.Tools, t)
	default:
		r.req.Tools = append(r.req.Tools, canon.Tool{Name: n.Get("name").Str(), BuiltIn: kind, At: n.Ref(), Raw: n.Raw()})
	}
}

// function reads a function's definition f, which stands at at.
func (r *chatReader) function(f, at jsontree.Node) canon.Tool {
	t := canon.Tool{At: at.Ref()}
	if t.Name = r.text(f, "name"); t.Name == "" {
		wrong(r.doc, f, "name", "must not be empty")
	}
	t.Description = f.Get("description").Str()
	if p := f.Get("parameters"); need(r.doc, p, jsonscan.Object, "must be an object") {
		t.Schema = p.Raw()
	}
	if s := f.Get("strict"); s.Said() {
		t.Strict = flag(s)
	}
	return t
}

// choice reads tool_choice.
func (r *chatReader) choice(n jsontree.Node) {
	c := &r.req.Choice
	c.At = n.Ref()
	if n.IsString() {
		switch n.Str() {
		case "auto":
			c.Mode = canon.ToolsAuto
		case "none":
			c.Mode = canon.ToolsNone
		case "required", "any": // Mistral's word
			c.Mode = canon.ToolsAny
		default:
			r.doc.Fail(n, "must be none, auto, required or an object")
		}
		return
	}
	if !need(r.doc, n, jsonscan.Object, "must be none, auto, required or an object") {
		return
	}
	typ := n.Get("type")
	switch kind := typ.Str(); kind {
	case "function", "custom":
		f := n.Get(kind)
		if !need(r.doc, f, jsonscan.Object, "must be an object") {
			r.doc.Missing(n, kind)
			return
		}
		c.Mode, c.Names = canon.ToolsNamed, []string{r.text(f, "name")}
	case "allowed_tools":
		r.allowed(n)
	case "":
		r.doc.Missing(n, "type")
	default:
		r.doc.Fail(typ, "must be function, custom or allowed_tools")
	}
}

// allowed reads a choice among some of the tools.
func (r *chatReader) allowed(n jsontree.Node) {
	a := n.Get("allowed_tools")
	if !need(r.doc, a, jsonscan.Object, "must be an object") {
		r.doc.Missing(n, "allowed_tools")
		return
	}
	c := &r.req.Choice
	switch a.Get("mode").Str() {
	case "auto":
		c.Mode = canon.ToolsAuto
	case "required":
		c.Mode = canon.ToolsAny
	default:
		wrong(r.doc, a, "mode", "must be auto or required")
	}
	list := a.Get("tools")
	if !need(r.doc, list, jsonscan.Array, "must be an array") {
		r.doc.Missing(a, "tools")
	}
	list.Each(func(_ int, e jsontree.Node) {
		kind := e.Get("type").Str()
		if kind != "custom" {
			kind = "function"
		}
		f := e.Get(kind)
		if !f.IsObject() {
			wrong(r.doc, e, kind, "must be an object")
			return
		}
		c.Names = append(c.Names, r.text(f, "name"))
	})
}

// format reads the form of the answer's text.
func (r *chatReader) format(n jsontree.Node) {
	if !need(r.doc, n, jsonscan.Object, "must be an object") {
		return
	}
	f := &r.req.Format
	f.At = n.Ref()
	typ := n.Get("type")
	switch typ.Str() {
	case "text":
	case "json_object":
		f.Kind = canon.JSONObject
	case "json_schema":
		f.Kind = canon.JSONSchema
		s := n.Get("json_schema")
		if !need(r.doc, s, jsonscan.Object, "must be an object") {
			r.doc.Missing(n, "json_schema")
			return
		}
		f.Name, f.Description = s.Get("name").Str(), s.Get("description").Str()
		if schema := s.Get("schema"); need(r.doc, schema, jsonscan.Object, "must be an object") {
			f.Schema = schema.Raw()
		}
		if strict := s.Get("strict"); strict.Said() {
			f.Strict = flag(strict)
		}
	case "":
		r.doc.Missing(n, "type")
	default:
		f.At = 0
		typ.Leave()
	}
}
