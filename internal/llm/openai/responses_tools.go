package openai

import (
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// readResponsesTools reads tools and tool_choice.
func readResponsesTools(req *canon.Request, root jsontree.Node) {
	tools := root.Get("tools")
	if tools.Said() && !tools.IsArray() {
		req.Doc.Fail(tools, "must be an array of tools")
		return
	}
	tools.Each(func(_ int, n jsontree.Node) {
		if !n.IsObject() {
			req.Doc.Fail(n, "must be an object")
			return
		}
		tool := canon.Tool{At: n.Ref()}
		switch kind := n.Get("type").Str(); kind {
		case "function":
			tool.Description = n.Get("description").Str()
			tool.Strict.On, tool.Strict.Said = n.Get("strict").Bool()
			tool.Strict.At = n.Get("strict").Ref()
			if schema := n.Get("parameters"); schema.IsObject() {
				tool.Schema = schema.Raw()
			} else if schema.Said() {
				req.Doc.Fail(schema, "must be an object")
			}
		case "custom":
			tool.Custom, tool.Description = true, n.Get("description").Str()
			if format := n.Get("format"); format.Said() {
				tool.Raw = format.Raw()
			}
		case "":
			wrong(req.Doc, n, "type", "must not be empty")
		default:
			tool.BuiltIn, tool.Raw = kind, n.Raw()
			req.Tools = append(req.Tools, tool)
			return
		}
		if tool.Name = n.Get("name").Str(); tool.Name == "" {
			wrong(req.Doc, n, "name", "must not be empty")
		}
		req.Tools = append(req.Tools, tool)
	})
	readResponsesChoice(req, root.Get("tool_choice"))
}

func readResponsesChoice(req *canon.Request, n jsontree.Node) {
	if !n.Said() {
		return
	}
	c := &req.Choice
	c.At = n.Ref()
	if n.IsString() {
		switch n.Str() {
		case "auto":
			c.Mode = canon.ToolsAuto
		case "none":
			c.Mode = canon.ToolsNone
		case "required":
			c.Mode = canon.ToolsAny
		default:
			req.Doc.Fail(n, "must be none, auto, required or an object")
		}
		return
	}
	if !n.IsObject() {
		req.Doc.Fail(n, "must be a string or an object")
		return
	}
	switch n.Get("type").Str() {
	case "function", "custom":
		c.Mode = canon.ToolsNamed
		name := n.Get("name").Str()
		if name == "" {
			wrong(req.Doc, n, "name", "must not be empty")
		}
		c.Names = []string{name}
	case "allowed_tools":
		if c.Mode = canon.ToolsAuto; n.Get("mode").Str() == "required" {
			c.Mode = canon.ToolsAny
		}
		tools := n.Get("tools")
		if !tools.IsArray() {
			wrong(req.Doc, n, "tools", "must be an array of tools")
			return
		}
		tools.Each(func(_ int, e jsontree.Node) {
			kind, name := e.Get("type"), e.Get("name").Str()
			if name == "" {
				e.Leave() // a built-in tool
				return
			}
			kind.Settle()
			c.Names = append(c.Names, name)
		})
	case "":
		wrong(req.Doc, n, "type", "must not be empty")
	default:
		// A built-in tool by its type: no other dialect can say so. It is told as lost unless the writer of
		// this dialect copies it.
		n.Leave()
	}
}

// fromResponses tells whether the caller's request is one of Responses.
func fromResponses(req *canon.Request) bool {
	return req.Dialect == dialectName && req.Op == llm.Responses
}

// writeResponsesTools writes the member tools, if there are any.
func writeResponsesTools(w *jsontree.Writer, req *canon.Request, r *canon.Report, always bool) {
	search := r.Take(canon.WebSearch)
	if len(req.Tools) == 0 && search == nil && !always {
		return
	}
	w.Name("tools")
	w.Array()
	for i := range req.Tools {
		writeResponsesTool(w, req, &req.Tools[i], r)
	}
	if search != nil {
		writeWebSearch(w, search)
	}
	w.End()
}

func writeResponsesTool(w *jsontree.Writer, req *canon.Request, t *canon.Tool, r *canon.Report) {
	if t.BuiltIn != "" {
		switch kind := builtIn(t.BuiltIn); {
		case fromResponses(req):
			w.Raw(t.Raw)
		case kind == "":
			r.Lose(t.At, canon.Dropped, "the provider has no such built-in tool")
		default:
			w.Object()
			w.StrMember("type", kind)
			if kind == "code_interpreter" {
				w.Name("container")
				w.Object()
				w.StrMember("type", "auto")
				w.End()
			}
			w.End()
			r.Lose(t.At, canon.Approximated, "by the provider's own "+kind)
		}
		return
	}
	w.Object()
	if t.Custom {
		w.StrMember("type", "custom")
	} else {
		w.StrMember("type", "function")
	}
	w.StrMember("name", t.Name)
	if t.Description != "" {
		w.StrMember("description", t.Description)
	}
	switch {
	case t.Custom && t.Raw != nil:
		w.Name("format")
		writeCustomFormat(w, t.Raw)
	case t.Custom:
	default:
		if w.Name("parameters"); t.Schema == nil {
			w.RawStr(`{"type":"object","properties":{}}`)
		} else {
			w.Raw(t.Schema)
		}
		// A function is strict here unless it is said not to be; in other dialects it is the other way round.
		if t.Strict.Said || !fromResponses(req) {
			w.BoolMember("strict", t.Strict.On)
		}
	}
	w.End()
}

// writeCustomFormat writes the format of a custom tool: that of chat completions has its grammar one object
// deeper.
func writeCustomFormat(w *jsontree.Writer, format []byte) {
	d, err := jsontree.Parse(format, true)
	if err != nil {
		w.RawStr(`{"type":"text"}`)
		return
	}
	grammar := d.Root().Get("grammar")
	if !grammar.IsObject() {
		w.Raw(format)
		return
	}
	w.Object()
	w.StrMember("type", "grammar")
	grammar.Each(func(_ int, e jsontree.Node) { w.RawMember(e.Name(), e.Raw()) })
	w.End()
}

// builtIn is Responses' name of another dialect's built-in tool, "" when it has none like it.
func builtIn(kind string) string {
	switch {
	case strings.HasPrefix(kind, "web_search"), kind == "google_search", kind == "googleSearch", kind == "google_search_retrieval":
		return "web_search"
	case strings.HasPrefix(kind, "code_execution"), kind == "codeExecution":
		return "code_interpreter"
	}
	return ""
}

// writeWebSearch writes chat completions' web_search_options as the tool that it is here.
func writeWebSearch(w *jsontree.Writer, options []byte) {
	w.Object()
	w.StrMember("type", "web_search")
	if d, err := jsontree.Parse(options, true); err == nil {
		if size := d.Root().Get("search_context_size"); size.IsString() {
			w.RawMember("search_context_size", size.Raw())
		}
		if place := d.Root().Get("user_location"); place.IsObject() {
			w.Name("user_location")
			w.Object()
			w.StrMember("type", "approximate")
			if inner := place.Get("approximate"); inner.IsObject() {
				place = inner
			}
			place.Each(func(_ int, e jsontree.Node) {
				if e.Name() != "type" {
					w.RawMember(e.Name(), e.Raw())
				}
			})
			w.End()
		}
	}
	w.End()
}

// writeResponsesChoice writes tool_choice and parallel_tool_calls. With always it writes what holds without them.
func writeResponsesChoice(w *jsontree.Writer, req *canon.Request, always bool) {
	c := &req.Choice
	custom := func(name string) bool {
		for i := range req.Tools {
			if req.Tools[i].Name == name {
				return req.Tools[i].Custom
			}
		}
		return false
	}
	tool := func(name string) {
		w.Object()
		if custom(name) {
			w.StrMember("type", "custom")
		} else {
			w.StrMember("type", "function")
		}
		w.StrMember("name", name)
		w.End()
	}
	own := req.Doc.At(c.At)
	switch {
	case c.Mode == canon.ToolsNamed && len(c.Names) == 1, c.Mode == canon.ToolsAny && len(c.Names) == 1 && !fromResponses(req):
		w.Name("tool_choice")
		tool(c.Names[0])
	case len(c.Names) > 0 && c.Mode != canon.ToolsNone:
		w.Name("tool_choice")
		w.Object()
		w.StrMember("type", "allowed_tools")
		if c.Mode == canon.ToolsAuto {
			w.StrMember("mode", "auto")
		} else {
			w.StrMember("mode", "required")
		}
		w.Name("tools")
		w.Array()
		for _, name := range c.Names {
			tool(name)
		}
		w.End()
		w.End()
	case c.Mode == canon.ToolsAuto:
		w.StrMember("tool_choice", "auto")
	case c.Mode == canon.ToolsNone:
		w.StrMember("tool_choice", "none")
	case c.Mode == canon.ToolsAny || c.Mode == canon.ToolsNamed:
		w.StrMember("tool_choice", "required")
	case fromResponses(req) && own.IsObject():
		w.RawMember("tool_choice", own.Copy())
	case always:
		w.StrMember("tool_choice", "auto")
	}
	if p := req.ParallelTools; p.Said || always {
		w.BoolMember("parallel_tool_calls", p.On || !p.Said)
	}
}
