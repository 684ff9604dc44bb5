package openai

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteRequest writes req for a provider that has Responses.
func (responsesCodec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	o := &responsesOut{req: req, to: to, r: r}
	if req.Doc != nil {
		o.w.Buf = make([]byte, 0, 512+len(req.Doc.Root().Copy()))
	}
	if fromResponses(req) {
		o.own = r.Own(dialectName, "reasoning", "text")
	}
	w := &o.w
	w.Object()
	w.StrMember("model", to.Model)
	messages := req.Messages
	if text, ok := o.instructions(); ok {
		w.StrMember("instructions", text)
		messages = messages[1:]
	}
	if len(messages) > 0 {
		w.Name("input")
		if m := &messages[0]; len(messages) == 1 && m.Role == canon.User && fromResponses(req) && req.Doc.At(m.At).IsString() {
			w.Str(m.Parts[0].Text) // it was a string
		} else {
			w.Array()
			o.items(messages)
			w.End()
		}
	}
	writeResponsesTools(w, req, r, false)
	writeResponsesChoice(w, req, false)
	o.text()
	o.reasoning()
	o.params()
	if req.Stream {
		w.BoolMember("stream", true)
	}
	o.copyOwn("")
	w.End()
	return w.Buf, nil
}

// responsesOut is a request being written.
type responsesOut struct {
	w     jsontree.Writer
	req   *canon.Request
	to    *canon.Target
	r     *canon.Report
	calls []namedCall // calls without id whose result has not come
	made  int
	own   []jsontree.Node // what this codec does not know of a caller's request of the same dialect
}

// copyOwn copies what stands in the caller's object at parent and is not known here.
func (o *responsesOut) copyOwn(parent string) {
	for _, n := range o.own {
		if o.isOwn(n, parent) {
			o.w.RawMember(n.Name(), n.Copy())
		}
	}
}

func (o *responsesOut) hasOwn(parent string) bool {
	return slices.ContainsFunc(o.own, func(n jsontree.Node) bool { return o.isOwn(n, parent) })
}

// isOwn tells whether n stands at parent; tool_choice is written in its place.
func (o *responsesOut) isOwn(n jsontree.Node, parent string) bool {
	path := n.Path()
	if parent != "" {
		rest, ok := strings.CutPrefix(path, parent+".")
		return ok && rest == n.Name()
	}
	return path == n.Name() && path != "tool_choice"
}

type namedCall struct{ name, id string }

// instructions is the text that goes into the member of this name: the caller's own, or the system prompt of a
// dialect that keeps it apart.
func (o *responsesOut) instructions() (text string, ok bool) {
	if len(o.req.Messages) == 0 {
		return "", false
	}
	m := &o.req.Messages[0]
	if m.Role != canon.System || len(m.Parts) != 1 || m.Parts[0].Kind != canon.Text || m.Parts[0].Cache != nil {
		return "", false
	}
	if o.req.Dialect == dialectName && o.req.Doc.At(m.At).Path() != "instructions" {
		return "", false
	}
	return m.Parts[0].Text, true
}

// param writes a parameter under a name, unless the provider refuses that.
func (o *responsesOut) param(id canon.ParamID, name string) {
	if o.refuses(name) {
		return
	}
	if json := o.r.Take(id); json != nil {
		o.w.RawMember(name, json)
	}
}

func (o *responsesOut) refuses(name string) bool {
	return o.to.Vendor != nil && slices.Contains(o.to.Vendor.Refuses, name)
}

// minOutput is the least that max_output_tokens may say (API description, CreateResponse).
const minOutput = 16

func (o *responsesOut) params() {
	w, r := &o.w, o.r
	if n, ok := o.req.Int(canon.MaxTokens); ok && n < minOutput && !fromResponses(o.req) {
		r.Take(canon.MaxTokens)
		w.IntMember("max_output_tokens", minOutput)
		r.Lose(o.req.Params[canon.MaxTokens].At, canon.Approximated, "the provider takes 16 at least")
	} else {
		o.param(canon.MaxTokens, "max_output_tokens")
	}
	for _, p := range [...]struct {
		id   canon.ParamID
		name string
	}{
		{canon.Temperature, "temperature"},
		{canon.TopP, "top_p"},
		{canon.TopLogprobs, "top_logprobs"},
		{canon.Metadata, "metadata"},
		{canon.EndUser, "user"},
		{canon.SafetyUser, "safety_identifier"},
		{canon.CacheKey, "prompt_cache_key"},
		{canon.CacheRetention, "prompt_cache_retention"},
		{canon.PreviousID, "previous_response_id"},
		{canon.Conversation, "conversation"},
		{canon.PromptTemplate, "prompt"},
		{canon.Truncation, "truncation"},
		{canon.MaxToolCalls, "max_tool_calls"},
		{canon.Background, "background"},
	} {
		o.param(p.id, p.name)
	}
	if fromResponses(o.req) {
		o.param(canon.FrequencyPenalty, "frequency_penalty")
		o.param(canon.PresencePenalty, "presence_penalty")
	}
	o.serviceTier()
	switch {
	case o.refuses("store"):
	case o.req.Params[canon.Store].JSON != nil || fromResponses(o.req):
		o.param(canon.Store, "store")
	default: // other dialects keep nothing unless asked to
		w.BoolMember("store", false)
	}
	o.include()
}

func (o *responsesOut) serviceTier() {
	tier := o.req.Word(canon.ServiceTier)
	if tier == "standard_only" || tier == "standard" { // Anthropic's and Gemini's words for no priority
		o.r.Take(canon.ServiceTier)
		o.w.StrMember("service_tier", "default")
		return
	}
	o.param(canon.ServiceTier, "service_tier")
}

func (o *responsesOut) include() {
	words := o.req.Words(canon.Include)
	if o.r.Take(canon.Include); o.encrypted() {
		words = append(words, includeEncrypted)
	}
	if o.req.True(canon.Logprobs) && !o.refuses("logprobs") {
		o.r.Take(canon.Logprobs)
		words = append(words, includeLogprobs)
	}
	if len(words) == 0 {
		return
	}
	o.w.Name("include")
	o.w.Array()
	for _, word := range words {
		o.w.Str(word)
	}
	o.w.End()
}

// encrypted tells whether the provider is to send what proves its reasoning. A caller of another dialect that
// lets the model think sends the thoughts back.
func (o *responsesOut) encrypted() bool {
	if fromResponses(o.req) {
		return o.req.Reasoning.Encrypted
	}
	return o.req.Reasoning.Encrypted || o.req.Reasoning.Said && !o.req.Reasoning.Off
}

// text writes the form of the answer.
func (o *responsesOut) text() {
	f := &o.req.Format
	verbosity := []byte(nil)
	if !o.refuses("verbosity") {
		verbosity = o.r.Take(canon.Verbosity)
	}
	own := fromResponses(o.req) && o.req.Doc.At(f.At).IsObject() && !o.hasOwn("text")
	if f.Kind == canon.AnyText && verbosity == nil && !own && !o.hasOwn("text") {
		return
	}
	o.w.Name("text")
	o.w.Object()
	writeResponsesFormat(&o.w, f, own)
	if verbosity != nil {
		o.w.RawMember("verbosity", verbosity)
	}
	o.copyOwn("text")
	o.w.End()
}

func writeResponsesFormat(w *jsontree.Writer, f *canon.Format, always bool) {
	if f.Kind == canon.AnyText && !always {
		return
	}
	w.Name("format")
	w.Object()
	switch f.Kind {
	case canon.JSONObject:
		w.StrMember("type", "json_object")
	case canon.JSONSchema:
		w.StrMember("type", "json_schema")
		name := f.Name
		if name == "" {
			name = "answer"
		}
		w.StrMember("name", name)
		if f.Description != "" {
			w.StrMember("description", f.Description)
		}
		if w.Name("schema"); f.Schema == nil {
			w.RawStr("{}")
		} else {
			w.Raw(f.Schema)
		}
		if f.Strict.Said {
			w.BoolMember("strict", f.Strict.On)
		}
	default:
		w.StrMember("type", "text")
	}
	w.End()
}

// reasoning writes how much the model is to think.
func (o *responsesOut) reasoning() {
	q := &o.req.Reasoning
	effort := o.effort()
	if effort == "" && !q.Show && !o.hasOwn("reasoning") {
		return
	}
	o.w.Name("reasoning")
	o.w.Object()
	if effort != "" {
		o.w.StrMember("effort", effort)
	}
	if q.Show {
		summary := q.Summary
		if summary == "" {
			summary = "auto"
		}
		o.w.StrMember("summary", summary)
	}
	o.copyOwn("reasoning")
	o.w.End()
}

func (o *responsesOut) effort() string {
	q := &o.req.Reasoning
	switch {
	case !q.Said:
		return ""
	case q.Off && !fromResponses(o.req):
		return o.noEffort()
	case q.Effort != "":
		if q.Most && !fromResponses(o.req) {
			o.r.Lose(q.At, canon.Approximated, "told as effort xhigh")
		}
		return q.Effort
	case q.Budget > 0:
		at := q.BudgetAt
		if at == 0 {
			at = q.At
		}
		o.r.Lose(at, canon.Approximated, "as an effort")
		return canon.EffortOf(q.Budget)
	}
	return ""
}

// noEffort is how a model is told not to think; those that always do think as little as they can.
// Source: platform.openai.com/docs/guides/reasoning, the efforts that each model takes.
func (o *responsesOut) noEffort() string {
	model := o.to.Model[strings.LastIndexAny(o.to.Model, "/.")+1:]
	full := o.to.Model
	switch {
	case strings.Contains(full, "gpt-5."):
		return "none"
	case strings.Contains(full, "gpt-5"):
		o.r.Lose(o.req.Reasoning.At, canon.Approximated, "the model thinks as little as it can")
		return "minimal"
	case len(model) > 1 && model[0] == 'o' && model[1] >= '1' && model[1] <= '9':
		o.r.Lose(o.req.Reasoning.At, canon.Approximated, "the model thinks as little as it can")
		return "low"
	}
	return "" // it does not think
}

// maxCallID is the longest call_id (API description, FunctionCallOutputItemParam).
const maxCallID = 64

// callID is the name of a call here. Dialects without ids get one from the call's place; one that is too long
// is replaced by its hash, the same for the call and its result.
func (o *responsesOut) callID(c *canon.Call) string {
	if c.ID != "" {
		return shortID(c.ID)
	}
	o.made++
	id := "call_" + strconv.Itoa(o.made)
	o.calls = append(o.calls, namedCall{c.Name, id})
	return id
}

// resultID is the id of the call that a result is of.
func (o *responsesOut) resultID(res *canon.Result) string {
	if res.ID != "" {
		return shortID(res.ID)
	}
	for i, c := range o.calls {
		if c.name == res.Name {
			o.calls = slices.Delete(o.calls, i, i+1)
			return c.id
		}
	}
	o.made++
	return "call_" + strconv.Itoa(o.made)
}

func shortID(id string) string {
	if len(id) <= maxCallID {
		return id
	}
	return "call_" + hashOf(id)
}

// hashOf is a name for a text, the same each time.
func hashOf(text string) string {
	h := fnv.New128a()
	h.Write([]byte(text))
	const digits = "0123456789abcdef"
	var out []byte
	for _, b := range h.Sum(nil) {
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}
