package openai

import (
	"slices"
	"strconv"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// WriteRequest writes a chat completion in the way that the target's vendor wants it.
func (chatCodec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	if err := needsItsProvider(req); err != nil {
		return nil, err
	}
	o := newChatOut(req, to, r)
	w := &o.w
	w.Object()
	w.StrMember("model", to.Model)
	o.formatted()
	w.Name("messages")
	w.Array()
	o.messages()
	w.End()
	o.tools()
	o.params()
	o.reasoning()
	o.streamed()
	if req.Op == llm.Chat {
		for _, n := range r.Own(dialectName) {
			w.RawMember(n.Name(), n.Copy())
		}
	}
	w.End()
	return w.Buf, nil
}

// needsItsProvider refuses a request whose prompt, or a part of it, is kept by the provider that the caller
// had in mind.
func needsItsProvider(req *canon.Request) error {
	for _, id := range [...]canon.ParamID{canon.Conversation, canon.PromptTemplate, canon.CachedContent, canon.PreviousID} {
		if p := &req.Params[id]; p.JSON != nil && string(p.JSON) != `""` {
			return &canon.Unsupported{Field: req.Doc.At(p.At).Path(), Why: "names what another provider keeps, and without it the prompt is not whole"}
		}
	}
	return nil
}

// chatOut writes one request.
type chatOut struct {
	req    *canon.Request
	to     *canon.Target
	v      *catalog.Vendor
	r      *canon.Report
	w      jsontree.Writer
	own    bool // the caller speaks chat completions itself
	notice string
	later  []canon.Part // media that follow in a user message
	ids    callIDs
}

func newChatOut(req *canon.Request, to *canon.Target, r *canon.Report) *chatOut {
	o := &chatOut{req: req, to: to, v: to.Vendor, r: r, own: req.Dialect == dialectName && req.Op == llm.Chat && req.Doc != nil}
	if o.v == nil {
		o.v = &catalog.Vendor{}
	}
	size := 512
	if req.Doc != nil {
		size += len(req.Doc.Root().Copy())
	}
	o.w.Buf = make([]byte, 0, size)
	o.ids.nine = o.v.ShortCallIDs
	return o
}

// takes tells whether the vendor takes a member of OpenAI's.
func (o *chatOut) takes(name string) bool { return !slices.Contains(o.v.Refuses, name) }

// has tells whether it takes one beyond.
func (o *chatOut) has(name string) bool { return slices.Contains(o.v.Has, name) }

// named is the vendor's name of a member.
func (o *chatOut) named(name string) string {
	if other := o.v.Renames[name]; other != "" {
		return other
	}
	return name
}

// loseMember tells a loss of the first of these members of what stands at at, or of all that stands there.
func (o *chatOut) loseMember(at jsontree.Ref, loss canon.Loss, why string, names ...string) {
	n := o.req.Doc.At(at)
	for _, name := range names {
		if m := n.Get(name); m.Said() {
			o.r.Add(m.Path(), loss, why)
			return
		}
	}
	o.r.Lose(at, loss, why)
}

// params writes what is one value.
func (o *chatOut) params() {
	for i := range chatParams {
		p := &chatParams[i]
		if o.req.Params[p.id].JSON == nil {
			continue
		}
		name := p.name
		if p.id == canon.RepetitionPenalty && !o.has(name) && o.has("repeat_penalty") { // llama.cpp, Ollama
			name = "repeat_penalty"
		}
		if p.own && !o.own && !o.has(name) || !o.takes(p.name) {
			continue
		}
		if _, err := strconv.ParseInt(string(o.req.Params[p.id].JSON), 10, 64); p.id == canon.Seed && err != nil {
			continue // Cohere's have 64 bits without sign
		}
		o.w.RawMember(o.named(name), o.r.Take(p.id))
	}
	if o.req.Params[canon.TopLogprobs].JSON != nil && o.req.Params[canon.Logprobs].JSON == nil && o.takes("logprobs") {
		o.w.BoolMember("logprobs", true)
	}
	if o.req.Params[canon.Stop].JSON != nil && o.takes("stop") {
		o.w.RawMember(o.named("stop"), o.r.Take(canon.Stop))
	}
	if length := o.r.Take(canon.MaxTokens); length != nil {
		name := o.v.MaxTokens
		if name == "" {
			name = "max_tokens"
		}
		o.w.RawMember(o.named(name), length)
	}
}

// streamed asks for a stream, and for its usage where it does not come by itself: the gateway counts it
// whether or not the caller wants it.
func (o *chatOut) streamed() {
	if !o.req.Stream {
		return
	}
	o.w.BoolMember("stream", true)
	if !o.v.UsageAlways && o.takes("stream_options") {
		o.w.Name("stream_options")
		o.w.RawStr(`{"include_usage":true}`)
	}
}

// reasoning writes how much the model is to think, by the vendor's switch.
func (o *chatOut) reasoning() {
	t := &o.req.Reasoning
	if !t.Said {
		return
	}
	switch o.v.ThinkingSwitch {
	case "":
		o.effortMember()
	case "thinking":
		kind := `{"type":"enabled"}`
		if t.Off {
			kind = `{"type":"disabled"}`
		}
		o.w.Name("thinking")
		o.w.RawStr(kind)
		o.beside()
	case "enable_thinking":
		o.w.BoolMember("enable_thinking", !t.Off)
		o.beside()
	case "reasoning":
		o.reasoningObject()
	default:
		o.r.Lose(t.At, canon.Dropped, "the provider has no switch for it")
		o.r.Lose(t.BudgetAt, canon.Dropped, "the provider has no switch for it")
		return
	}
	if o.hidden().Said() && o.v.ThinkingSwitch != "reasoning" {
		o.r.Add(o.hidden().Path(), canon.Dropped, "the provider shows its thinking or not as it likes")
	}
	if t.Summary != "" {
		o.loseMember(t.At, canon.Dropped, "chat completions have no summaries to choose from", "summary", "generate_summary")
	}
}

// hidden is where a caller of chat completions says that it does not want to read the thinking.
func (o *chatOut) hidden() jsontree.Node {
	if !o.own || o.req.Reasoning.Show {
		return jsontree.Node{}
	}
	return o.req.Doc.Root().Get("reasoning").Get("exclude")
}

// effortMember writes reasoning_effort.
func (o *chatOut) effortMember() {
	t := &o.req.Reasoning
	effort := t.Effort
	switch {
	case t.Off:
		effort = "none"
	case effort == "" && t.Budget > 0:
		if effort = canon.EffortOf(t.Budget); len(o.v.Efforts) > 0 && !slices.Contains(o.v.Efforts, effort) {
			effort = o.v.Efforts[0]
		}
		o.loseBudget(canon.Approximated, "told as effort "+effort)
	case t.Budget > 0:
		o.loseBudget(canon.Dropped, "the provider takes an effort and no number of tokens")
	}
	if effort == "" && len(o.v.Efforts) > 0 {
		effort = o.v.Efforts[0]
	}
	if effort == "xhigh" && t.Most && len(o.v.Efforts) == 0 {
		o.loseMember(t.At, canon.Approximated, "told as effort xhigh", "effort")
	}
	if effort == "" { // on, and as much as the model likes: that is so unasked
		return
	}
	if !o.takes("reasoning_effort") {
		o.r.Lose(t.At, canon.Dropped, "")
		return
	}
	if len(o.v.Efforts) > 0 && !slices.Contains(o.v.Efforts, effort) {
		if t.Effort != "" { // of a budget it has been told
			o.loseMember(t.At, canon.Approximated, "told as effort "+o.v.Efforts[0], "reasoning_effort", "effort", "thinkingLevel", "thinking_level")
		}
		effort = o.v.Efforts[0]
	}
	o.w.StrMember(o.named("reasoning_effort"), effort)
}

func (o *chatOut) loseBudget(loss canon.Loss, why string) {
	at := o.req.Reasoning.BudgetAt
	if at == 0 {
		at = o.req.Reasoning.At
	}
	o.r.Lose(at, loss, why)
}

// beside writes what a vendor with a switch takes beside it: an effort, or a number of tokens.
func (o *chatOut) beside() {
	t := &o.req.Reasoning
	if t.Off {
		return
	}
	effort, budget := t.Effort, t.Budget
	switch {
	case effort != "" && o.has("reasoning_effort"):
		o.w.StrMember("reasoning_effort", effort)
	case effort != "" && o.has("thinking_budget"):
		o.w.IntMember("thinking_budget", canon.BudgetOf(effort))
		o.loseMember(t.At, canon.Approximated, "told as a number of tokens", "effort")
		return
	case effort != "":
		o.loseMember(t.At, canon.Approximated, "the provider's thinking is on or off", "effort")
	}
	switch {
	case budget <= 0:
	case o.has("thinking_budget"):
		o.w.IntMember("thinking_budget", budget)
	case effort == "" && o.has("reasoning_effort"):
		word := canon.EffortOf(budget)
		o.w.StrMember("reasoning_effort", word)
		o.loseBudget(canon.Approximated, "told as effort "+word)
	default:
		o.loseBudget(canon.Approximated, "the provider takes no number of tokens")
	}
}

// reasoningObject writes OpenRouter's object.
func (o *chatOut) reasoningObject() {
	t := &o.req.Reasoning
	o.w.Name("reasoning")
	o.w.Object()
	switch {
	case t.Off:
		o.w.BoolMember("enabled", false)
	case t.Effort != "":
		o.w.StrMember("effort", t.Effort)
		if t.Budget > 0 {
			o.loseBudget(canon.Dropped, "the provider takes an effort or a number of tokens")
		}
	case t.Budget > 0:
		o.w.IntMember("max_tokens", t.Budget)
	default:
		o.w.BoolMember("enabled", true)
	}
	if o.hidden().Said() {
		o.w.BoolMember("exclude", true)
	}
	o.w.End()
}

// formatted writes the form of the answer's text; where the vendor knows no schemas, an instruction
// takes its place.
func (o *chatOut) formatted() {
	f := &o.req.Format
	if f.Kind == canon.AnyText {
		return
	}
	schema := f.Kind == canon.JSONSchema && len(f.Schema) > 0
	takes := o.takes("response_format")
	if schema && (o.v.NoSchema || !takes) {
		o.notice = "Answer with nothing but JSON that is valid under this JSON Schema:\n" + string(f.Schema)
		o.r.Lose(f.At, canon.Approximated, "the provider knows no schemas: it is told in the prompt")
	} else if !takes {
		o.notice = "Answer with nothing but a JSON object."
		o.r.Lose(f.At, canon.Approximated, "told in the prompt")
	}
	if !takes {
		return
	}
	o.w.Name("response_format")
	if !schema && !(f.Kind == canon.JSONSchema && o.own) || o.v.NoSchema {
		o.w.RawStr(`{"type":"json_object"}`)
		return
	}
	o.w.Object()
	o.w.StrMember("type", "json_schema")
	o.w.Name("json_schema")
	o.w.Object()
	name := f.Name
	if name == "" && !o.own {
		name = "answer"
	}
	if name != "" {
		o.w.StrMember("name", name)
	}
	if f.Description != "" {
		o.w.StrMember("description", f.Description)
	}
	if schema {
		o.w.RawMember("schema", f.Schema)
	}
	switch {
	case f.Strict.Said:
		o.w.BoolMember("strict", f.Strict.On)
	case !o.own && o.req.Dialect != dialectName && strictly(f.Schema):
		o.w.BoolMember("strict", true) // the caller's dialect holds answers to their schema
	}
	o.w.End()
	o.w.End()
}

// strictly tells whether a schema is in the subset that strict allows: every object lists all its members
// as required and allows no others.
// Source: platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
func strictly(schema []byte) bool {
	d, err := jsontree.Parse(schema, true)
	return err == nil && d.Root().Get("type").Kind() == jsonscan.String && d.Root().Get("type").Str() == "object" && strictNode(d.Root())
}

func strictNode(n jsontree.Node) bool {
	for _, name := range [...]string{"allOf", "not", "if", "oneOf", "patternProperties", "dependentRequired", "dependentSchemas", "default"} {
		if n.Get(name).Exists() {
			return false
		}
	}
	ok := true
	check := func(_ int, e jsontree.Node) { ok = ok && (!e.IsObject() || strictNode(e)) }
	if props := n.Get("properties"); props.IsObject() {
		closed, said := n.Get("additionalProperties").Bool()
		if !said || closed || n.Get("required").Len() != props.Len() {
			return false
		}
		props.Each(check)
	} else if t := n.Get("type"); t.IsString() && t.Str() == "object" {
		return false
	}
	check(0, n.Get("items"))
	n.Get("anyOf").Each(check)
	n.Get("$defs").Each(check)
	n.Get("definitions").Each(check)
	return ok
}
