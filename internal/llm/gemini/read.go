package gemini

import (
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// codec implements canon.Codec. Members are read in camel case and in snake case, as the JSON form of protocol
// buffers allows, and written in camel case.
type codec struct {
	vertex bool // requests are written for Vertex AI
}

// ReadRequest reads the body of generateContent or streamGenerateContent.
func (codec) ReadRequest(m llm.Match, body []byte) (*canon.Request, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	req := newRequest(m, d)
	readGenerate(req, d.Root())
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

func mustBeObject(d *jsontree.Doc) error {
	if !d.Root().IsObject() {
		return &jsontree.Fault{Offset: d.Root().Offset(), Problem: "must be a JSON object"}
	}
	return nil
}

func newRequest(m llm.Match, d *jsontree.Doc) *canon.Request {
	return &canon.Request{
		Doc: d, Dialect: dialect, Op: m.Op, Model: m.Model, Stream: m.Stream, StreamUsage: true,
		Framed: m.Stream && !asksEvents(m.Query),
	}
}

// asksEvents tells whether a query has alt=sse.
func asksEvents(query string) bool {
	for query != "" {
		var pair string
		if pair, query, _ = strings.Cut(query, "&"); pair == "alt=sse" || pair == "%24alt=sse" || pair == "$alt=sse" {
			return true
		}
	}
	return false
}

// reader reads one request.
type reader struct {
	req *canon.Request
	d   *jsontree.Doc
}

// readGenerate reads a GenerateContentRequest.
func readGenerate(req *canon.Request, root jsontree.Node) {
	r := reader{req, req.Doc}
	root.Get("model").Settle() // the address names it
	if sys := root.First("systemInstruction", "system_instruction"); sys.Said() {
		r.system(sys)
	}
	r.contents(root)
	r.tools(root.First("tools"))
	r.toolConfig(root.First("toolConfig", "tool_config"))
	r.config(root.First("generationConfig", "generation_config"))
	if n := root.First("safetySettings", "safety_settings"); r.is(n, jsonscan.Array) {
		req.Set(canon.Safety, n)
	}
	if n := root.First("cachedContent", "cached_content"); n.Said() {
		n.Str()
		req.Set(canon.CachedContent, n)
	}
	if n := root.Get("labels"); r.is(n, jsonscan.Object) {
		req.Set(canon.Metadata, n)
	}
}

// is tells whether n is said and of this kind; if it is of another that is a fault.
func (r reader) is(n jsontree.Node, kind jsonscan.Kind) bool {
	switch {
	case !n.Said():
		return false
	case n.Kind() == kind:
		return true
	case kind == jsonscan.Object:
		r.d.Fail(n, "must be an object")
	case kind == jsonscan.Array:
		r.d.Fail(n, "must be an array")
	default:
		r.d.Fail(n, "must be a string")
	}
	return false
}

// system reads systemInstruction, a content whose role means nothing, or text alone as some clients send it.
func (r reader) system(n jsontree.Node) {
	m := canon.Message{Role: canon.System, At: n.Ref()}
	if n.IsString() {
		m.Parts = []canon.Part{{Kind: canon.Text, Text: n.Str(), At: n.Ref()}}
		r.req.Messages = append(r.req.Messages, m)
		return
	}
	if !r.is(n, jsonscan.Object) {
		return
	}
	n.Get("role").Settle()
	parts := n.Get("parts")
	if parts.IsObject() { // one part, which the JSON form of a list allows
		r.part(parts, &m.Parts)
	} else if r.is(parts, jsonscan.Array) {
		m.Parts = make([]canon.Part, 0, parts.Len())
		parts.Each(func(_ int, p jsontree.Node) { r.part(p, &m.Parts) })
	} else if !parts.Said() {
		r.d.Missing(n, "parts")
	}
	r.req.Messages = append(r.req.Messages, m)
}

// contents reads the turns of the conversation.
func (r reader) contents(root jsontree.Node) {
	list := root.Get("contents")
	if list.IsObject() {
		r.req.Messages = append(make([]canon.Message, 0, 2), r.req.Messages...)
		r.content(list)
		return
	}
	if !list.Said() {
		r.d.Missing(root, "contents")
		return
	}
	if !r.is(list, jsonscan.Array) {
		return
	}
	if list.Len() == 0 {
		r.d.Fail(list, "must hold at least one content")
	}
	r.req.Messages = append(make([]canon.Message, 0, list.Len()+1), r.req.Messages...)
	list.Each(func(_ int, n jsontree.Node) { r.content(n) })
	r.pair()
}

// pair takes the ids from results that no call has: Gemini CLI gives them ids of its own, where the calls, as the API
// made them, have none. Such a result belongs to the call of its name.
func (r reader) pair() {
	calls := map[string]bool{}
	for i := range r.req.Messages {
		for k := range r.req.Messages[i].Parts {
			p := &r.req.Messages[i].Parts[k]
			switch {
			case p.Call != nil && p.Call.ID != "":
				calls[p.Call.ID] = true
			case p.Result != nil && p.Result.ID != "" && !calls[p.Result.ID] && p.Result.Name != "":
				p.Result.ID = ""
			}
		}
	}
}

// content reads one turn. Results of functions stand in it beside what the user says: they become messages of
// their own, in order, all of which name the content as their place.
func (r reader) content(n jsontree.Node) {
	if !n.IsObject() {
		r.d.Fail(n, "must be an object")
		return
	}
	role := canon.User
	switch word := n.Get("role"); word.Str() {
	case "", "user", "function", "tool":
	case "model":
		role = canon.Assistant
	default:
		r.d.Fail(word, `must be "user" or "model"`)
	}
	list := n.Get("parts")
	var parts []canon.Part
	switch {
	case list.IsObject():
		r.part(list, &parts)
	case r.is(list, jsonscan.Array):
		if list.Len() == 0 {
			r.d.Fail(list, "must hold at least one part")
		}
		parts = make([]canon.Part, 0, list.Len())
		list.Each(func(_ int, p jsontree.Node) { r.part(p, &parts) })
	case !list.Said():
		r.d.Missing(n, "parts")
	}
	for from := 0; from < len(parts); {
		to := from + 1
		result := parts[from].Kind == canon.ToolResult
		for to < len(parts) && (parts[to].Kind == canon.ToolResult) == result {
			to++
		}
		m := canon.Message{Role: role, Parts: parts[from:to:to], At: n.Ref()}
		from = to
		if last := len(r.req.Messages) - 1; role == canon.Assistant && !result && last >= 0 && r.req.Messages[last].Role == canon.Assistant {
			// Google's SDK for Go keeps each chunk of a stream as a turn: to others they are one.
			r.req.Messages[last].Parts = append(r.req.Messages[last].Parts, m.Parts...)
			continue
		}
		if result {
			m.Role = canon.ToolRole
		}
		r.req.Messages = append(r.req.Messages, m)
	}
}
