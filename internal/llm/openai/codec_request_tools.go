package openai

import (
	"slices"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// textArgument is the schema of a function that takes the place of a custom tool, for vendors that have
// functions only.
const textArgument = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

// customs tells whether the vendor has custom tools.
func (o *chatOut) customs() bool { return o.own || o.has("custom_tools") }

// tools writes the tools offered and what is said about calling them.
func (o *chatOut) tools() {
	offered, searches := 0, false
	for i := range o.req.Tools {
		t := &o.req.Tools[i]
		if !o.offers(t) {
			continue
		}
		if t.BuiltIn != "" && !o.knows(t) {
			searches = o.search(t) || searches
			continue
		}
		if offered++; offered == 1 {
			o.w.Name("tools")
			o.w.Array()
		}
		o.tool(t)
	}
	if offered > 0 {
		o.w.End()
	}
	if searches && o.req.Params[canon.WebSearch].JSON == nil {
		o.w.Name("web_search_options")
		o.w.RawStr("{}")
	}
	if offered == 0 {
		o.loseChoice("there are no tools left")
		if p := o.req.ParallelTools; p.Said && !p.On && len(o.req.Tools) > 0 {
			o.r.Lose(p.At, canon.Dropped, "there are no tools left")
		}
		return
	}
	o.choice()
	if p := o.req.ParallelTools; p.Said {
		if o.takes("parallel_tool_calls") {
			o.w.BoolMember("parallel_tool_calls", p.On)
		} else if !p.On { // several calls are allowed everywhere unless refused
			o.r.Lose(p.At, canon.Dropped, "")
		}
	}
}

func (o *chatOut) loseChoice(why string) {
	if c := &o.req.Choice; c.Mode == canon.ToolsAny || c.Mode == canon.ToolsNamed {
		o.r.Lose(c.At, canon.Dropped, why)
	}
	if p := o.req.ParallelTools; p.Said && !p.On && len(o.req.Tools) > 0 {
		o.r.Lose(p.At, canon.Dropped, why)
	}
}

// knows tells whether a built-in tool is one of chat completions, as its caller wrote it.
func (o *chatOut) knows(t *canon.Tool) bool { return o.own && len(t.Raw) > 0 }

// offers tells whether a tool goes to the vendor: it does not where tools are refused, and where the
// choice is among some of them and the vendor can't be told so.
func (o *chatOut) offers(t *canon.Tool) bool {
	if !o.takes("tools") {
		o.r.Lose(t.At, canon.Dropped, "the provider takes no tools")
		return false
	}
	c := &o.req.Choice
	if len(c.Names) == 0 || c.Mode == canon.ToolsNamed || o.allows() || slices.Contains(c.Names, t.Name) {
		return true
	}
	o.r.Lose(c.At, canon.Emulated, "only the tools allowed are offered")
	return false
}

// allows tells whether the vendor knows a choice among some of the tools.
func (o *chatOut) allows() bool { return o.own || o.has("allowed_tools") }

// search lets the vendor search the web where the caller wanted its own provider's search.
func (o *chatOut) search(t *canon.Tool) bool {
	web := strings.HasPrefix(t.BuiltIn, "web_search") || strings.HasPrefix(t.BuiltIn, "google_search") || t.BuiltIn == "googleSearch"
	if web && o.has("web_search_options") {
		o.r.Lose(t.At, canon.Approximated, "told as web_search_options")
		return true
	}
	o.r.Lose(t.At, canon.Dropped, "a tool that the caller's own provider runs")
	return false
}

func (o *chatOut) tool(t *canon.Tool) {
	w := &o.w
	if t.BuiltIn != "" {
		w.Raw(t.Raw)
		return
	}
	w.Object()
	if t.Custom && o.customs() {
		w.StrMember("type", "custom")
		w.Name("custom")
		w.Object()
		w.StrMember("name", t.Name)
		if t.Description != "" {
			w.StrMember("description", t.Description)
		}
		if t.Raw != nil {
			w.Name("format")
			o.customFormat(t.Raw)
		}
		w.End()
		w.End()
		return
	}
	w.StrMember("type", "function")
	w.Name("function")
	w.Object()
	w.StrMember("name", t.Name)
	description, schema := t.Description, t.Schema
	if t.Custom {
		schema = []byte(textArgument)
		o.r.Lose(t.At, canon.Emulated, "as a function with one text argument")
		if t.Raw != nil && !strings.Contains(string(t.Raw), `"text"`) {
			description = strings.TrimSpace(description + "\nThe input must have this format: " + string(t.Raw))
		}
	}
	if description != "" {
		w.StrMember("description", description)
	}
	switch {
	case schema != nil:
		w.RawMember("parameters", schema)
	case !o.own:
		w.RawMember("parameters", []byte(`{"type":"object","properties":{}}`))
	}
	if t.Strict.Said {
		if o.takes("strict") {
			w.BoolMember("strict", t.Strict.On)
		} else {
			o.r.Lose(t.Strict.At, canon.Dropped, "")
		}
	}
	w.End()
	o.cache(t.Cache, t.At)
	w.End()
}

// customFormat writes the format of a custom tool: that of Responses has its grammar one object higher.
func (o *chatOut) customFormat(format []byte) {
	d, err := jsontree.Parse(format, true)
	if err != nil || d.Root().Get("grammar").Exists() || !d.Root().Get("definition").Exists() {
		o.w.Raw(format)
		return
	}
	o.w.Object()
	o.w.StrMember("type", "grammar")
	o.w.Name("grammar")
	o.w.Object()
	d.Root().Each(func(_ int, e jsontree.Node) {
		if e.Name() != "type" {
			o.w.RawMember(e.Name(), e.Raw())
		}
	})
	o.w.End()
	o.w.End()
}

// choice writes tool_choice, in the older form for vendors that may know no other.
func (o *chatOut) choice() {
	c := &o.req.Choice
	if c.Mode == canon.ToolsUnsaid {
		return
	}
	if !o.takes("tool_choice") {
		if c.Mode != canon.ToolsAuto {
			o.r.Lose(c.At, canon.Dropped, "")
		}
		return
	}
	w := &o.w
	w.Name("tool_choice")
	any := o.v.AnyTool
	if any == "" {
		any = "required"
	}
	switch {
	case c.Mode == canon.ToolsNone:
		w.Str("none")
	case c.Mode == canon.ToolsNamed && len(c.Names) > 0:
		o.namedTool(c.Names[0])
	case len(c.Names) > 0 && o.allows():
		w.Object()
		w.StrMember("type", "allowed_tools")
		w.Name("allowed_tools")
		w.Object()
		w.StrMember("mode", map[bool]string{true: "auto", false: "required"}[c.Mode == canon.ToolsAuto])
		w.Name("tools")
		w.Array()
		for _, name := range c.Names {
			o.namedTool(name)
		}
		w.End()
		w.End()
		w.End()
	case c.Mode == canon.ToolsAuto:
		w.Str("auto")
	default:
		w.Str(any)
	}
}

func (o *chatOut) namedTool(name string) {
	kind := "function"
	if o.customs() && isCustom(o.req, name) {
		kind = "custom"
	}
	o.w.Object()
	o.w.StrMember("type", kind)
	o.w.Name(kind)
	o.w.Object()
	o.w.StrMember("name", name)
	o.w.End()
	o.w.End()
}

// isCustom tells whether the caller offered a custom tool of this name.
func isCustom(req *canon.Request, name string) bool {
	return slices.ContainsFunc(req.Tools, func(t canon.Tool) bool { return t.Custom && t.Name == name })
}

// legacy tells whether the caller offered functions in the way that came before tools: its answer has
// function_call.
func legacy(req *canon.Request) bool {
	if req.Dialect != dialectName || req.Op != llm.Chat || req.Doc == nil {
		return false
	}
	root := req.Doc.Root()
	return root.Get("functions").Said() && !root.Get("tools").Said()
}
