package anthropic

import (
	"slices"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// refOf is short for the type of places.
type refOf = jsontree.Ref

// tools writes the tools and what is said about calling them.
func (w *writing) tools() {
	search := w.webSearch()
	c := &w.req.Choice
	some := (c.Mode == canon.ToolsAny || c.Mode == canon.ToolsAuto) && len(c.Names) > 0
	open := false
	begin := func() {
		if !open {
			open = true
			w.Name("tools")
			w.Array()
		}
	}
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		if some && !slices.Contains(c.Names, t.Name) {
			w.r.Lose(c.At, canon.Emulated, "Anthropic chooses among all tools: those that are not allowed are left out")
			continue
		}
		if t.BuiltIn == "" || w.same {
			begin()
			w.tool(t)
			continue
		}
		if !isSearch(t.BuiltIn) {
			w.r.Lose(t.At, canon.Dropped, "Anthropic has no tool "+t.BuiltIn)
			continue
		}
		if search == nil {
			search = w.searchTool(t.At, t.Raw)
		} else {
			w.r.Lose(t.At, canon.Dropped, "one web search is enough")
		}
	}
	if search != nil {
		begin()
		w.Raw(search)
	}
	if open {
		w.End()
	}
	if !w.same {
		w.choice(open)
	}
}

func (w *writing) tool(t *canon.Tool) {
	if t.BuiltIn != "" {
		w.Raw(t.Raw)
		return
	}
	if !w.same && !isName(t.Name, 128) {
		w.refuse(t.At, "Anthropic's tools have names of letters, digits, _ and -, at most 128")
	}
	w.Object()
	w.StrMember("name", t.Name)
	if t.Description != "" {
		w.StrMember("description", t.Description)
	}
	schema := t.Schema
	if t.Custom {
		schema = []byte(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`)
		w.r.Lose(t.At, canon.Emulated, "Anthropic's tools take an object: the free text is its member input")
	}
	strict := t.Strict
	switch {
	case !strict.Said || w.same:
	case !w.model.structured():
		if strict.On {
			w.r.Lose(strict.At, canon.Approximated, "this model is told the schema and not held to it")
		}
		strict.Said = false
	case strict.On && schema != nil:
		narrowed, lost := narrow(schema, "", "")
		if lost != "" {
			w.r.Lose(strict.At, canon.Approximated, "Anthropic does not hold arguments to "+lost+": the model is told")
		}
		if strict.Said = narrowed != nil; strict.Said {
			schema = narrowed
		}
	}
	w.Name("input_schema")
	w.schema(t.At, schema)
	if strict.Said {
		w.BoolMember("strict", strict.On)
	}
	w.cache(t.Cache, t.At)
	if own := w.at(t.At); w.same && own.IsObject() {
		but := []string{"name", "input_schema", "strict", "cache_control"}
		if t.Description != "" {
			but = append(but, "description")
		}
		w.rest(own, but...)
	}
	w.End()
}

// schema writes the schema of a tool's arguments, of which the API wants to read that they are an object.
func (w *writing) schema(at refOf, schema []byte) {
	if len(schema) == 0 {
		w.RawStr(`{"type":"object","properties":{}}`)
		return
	}
	var scan jsonscan.Scanner
	scan.Reset(schema)
	typed, any := w.same, false
	if scan.Peek() != jsonscan.Object {
		w.refuse(at, "the schema of a tool's arguments is no JSON object")
		w.RawStr("{}")
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		any = true
		typed = typed || k.Is("type")
		scan.Skip()
	}
	if typed {
		w.Raw(schema)
		return
	}
	rest := schema[strings.IndexByte(string(schema), '{')+1:]
	if w.RawStr(`{"type":"object"`); any {
		w.Buf = append(w.Buf, ',')
	}
	w.Buf = append(w.Buf, rest...)
}

func (w *writing) choice(tools bool) {
	c, parallel := &w.req.Choice, &w.req.ParallelTools
	if !tools {
		if c.Mode != canon.ToolsUnsaid && c.Mode != canon.ToolsNone && c.Mode != canon.ToolsAuto {
			w.r.Lose(c.At, canon.Dropped, "there is no tool to choose")
		}
		if parallel.Said && !parallel.On && len(w.req.Tools) > 0 {
			w.r.Lose(parallel.At, canon.Dropped, "there are no tools left")
		}
		return
	}
	if c.Mode == canon.ToolsUnsaid && !parallel.Said {
		return
	}
	w.Name("tool_choice")
	w.Object()
	switch c.Mode {
	case canon.ToolsNone:
		w.StrMember("type", "none")
		w.End()
		return // what is not called is not called at once
	case canon.ToolsAny:
		w.StrMember("type", "any")
	case canon.ToolsNamed:
		w.StrMember("type", "tool")
		named := ""
		if len(c.Names) > 0 {
			named = c.Names[0]
		}
		w.StrMember("name", named)
	default:
		w.StrMember("type", "auto")
	}
	if parallel.Said {
		w.BoolMember("disable_parallel_tool_use", !parallel.On)
	}
	w.End()
}

// isSearch tells whether a built-in tool of another dialect is its web search.
func isSearch(kind string) bool {
	switch kind {
	case "web_search", "web_search_preview", "google_search", "google_search_retrieval", "googleSearch", "googleSearchRetrieval":
		return true
	}
	return strings.HasPrefix(kind, "web_search_2") || strings.HasPrefix(kind, "web_search_preview_")
}

// webSearch is Anthropic's web search for OpenAI's web_search_options, nil when it is not asked for.
func (w *writing) webSearch() []byte {
	json := w.r.Take(canon.WebSearch)
	if json == nil || w.same {
		return nil
	}
	return w.searchTool(w.req.Params[canon.WebSearch].At, json)
}

// searchTool writes Anthropic's web search with what another vendor's tool says that it has too: where the
// user is, and which domains count.
func (w *writing) searchTool(at refOf, json []byte) []byte {
	var s jsontree.Writer
	s.Object()
	s.StrMember("type", "web_search_20250305")
	s.StrMember("name", "web_search")
	if d, err := jsontree.Parse(json, true); err == nil {
		root := d.Root()
		if place := root.Get("user_location"); place.IsObject() {
			location(&s, place)
		}
		if list := root.Get("filters").Get("allowed_domains"); list.IsArray() {
			s.RawMember("allowed_domains", list.Raw())
		}
		if size := root.Get("search_context_size"); size.IsString() && size.Str() != "medium" {
			w.loseIn(at, canon.Dropped, "Anthropic decides itself how much it reads", "search_context_size")
		}
	}
	s.End()
	return s.Buf
}

// location writes where the user is. Chat completions have it one level deeper than responses.
func location(s *jsontree.Writer, place jsontree.Node) {
	if inner := place.Get("approximate"); inner.IsObject() {
		place = inner
	}
	s.Name("user_location")
	s.Object()
	s.StrMember("type", "approximate")
	for _, name := range [...]string{"city", "region", "country", "timezone"} {
		if v := place.Get(name); v.IsString() && v.Str() != "" {
			s.StrMember(name, v.Str())
		}
	}
	s.End()
}
