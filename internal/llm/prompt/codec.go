package prompt

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

var (
	_ canon.Speaker = (*Call)(nil)
	_ canon.Codec   = codec{}
	_ canon.Checker = codec{}
	_ canon.Typed   = codec{}
)

// Path is where prompts are; one's name stands behind it.
const Path = "/prompts/"

// Name is "prompt".
func (c *Call) Name() string { return "prompt" }

// Routes lists the prompt's address.
func (c *Call) Routes() []llm.Route {
	return []llm.Route{{Method: http.MethodPost, Path: Path + c.api.Name, Op: llm.Chat}}
}

// Lookup finds the prompt's address.
func (c *Call) Lookup(method, path string) (llm.Match, bool) {
	switch {
	case path != Path+c.api.Name:
		return llm.Match{}, false
	case method != http.MethodPost:
		return llm.Match{Allow: "GET, POST"}, false
	}
	return llm.Match{Op: llm.Chat}, true
}

// Path is "": no provider speaks this dialect.
func (c *Call) Path(llm.Operation) string { return "" }

// ReadRequest reads what Render has made.
func (c *Call) ReadRequest(req *llm.Request, m llm.Match, _ []byte) error {
	*req = llm.Request{Op: m.Op, Model: []byte(c.version.Model), Stream: c.asked.Stream, UsageAsked: true}
	return nil
}

// ReadAnswer reads an answer of this dialect, as WriteAnswer makes it.
func (c *Call) ReadAnswer(_ llm.Operation, body []byte) llm.Answer {
	a := llm.Answer{Usage: llm.NoUsage()}
	doc, err := jsontree.Parse(body, true)
	if err != nil || !doc.Root().Get("output").Exists() {
		a.Kind, a.Problem = fault.IncompatibleResponse, llm.DescribeBody(body)
		return a
	}
	a.Usage = readUsage(doc.Root().Get("usage"))
	a.Finish = doc.Root().Get("finish_reason").Str()
	return a
}

func readUsage(n jsontree.Node) journey.Usage {
	u := llm.NoUsage()
	for name, to := range map[string]*int64{"input_tokens": &u.Input, "output_tokens": &u.Output, "cached_tokens": &u.Cached, "cache_write_tokens": &u.CacheWrite, "reasoning_tokens": &u.Reasoning} {
		if v, ok := n.Get(name).Int(); ok {
			*to = v
		}
	}
	if u.Input >= 0 || u.Output >= 0 {
		u.Source = "reported"
	}
	return u
}

// LongAnswer reads the member usage.
func (c *Call) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswer("usage", func(value []byte) journey.Usage {
		doc, err := jsontree.Parse(value, true)
		if err != nil {
			return llm.NoUsage()
		}
		return readUsage(doc.Root())
	})
}

// ReadError reads a problem (RFC 9457).
func (c *Call) ReadError(status int, header func(string) string, body []byte, now time.Time) llm.ProviderError {
	e := llm.ProviderError{Kind: fault.ProviderError, Status: status}
	e.ReadHeader(header, now)
	doc, err := jsontree.Parse(body, false)
	if err != nil || !doc.Root().IsObject() {
		e.Problem = llm.DescribeBody(body)
		return e
	}
	root := doc.Root()
	e.Valid, e.Message, e.Code = true, root.Get("detail").Str(), root.Get("kind").Str()
	if fault.Lookup(fault.Kind(e.Code)) != nil {
		e.Kind = fault.Kind(e.Code)
	}
	return e
}

// judge follows a stream of this dialect.
type judge struct{}

// Judge knows the events delta, done and error.
func (judge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	switch string(ev.Name) {
	case "delta":
		st.Content = true
	case "done":
		st.Ended, st.Done = true, true
		if doc, err := jsontree.Parse(ev.Data, false); err == nil {
			st.Usage, st.Finish = readUsage(doc.Root().Get("usage")), doc.Root().Get("finish_reason").Str()
			st.Usage.Source = ""
		}
	case "error":
		st.Error = llm.ProviderError{Kind: fault.ProviderError, Valid: true}
		return llm.Fail
	default:
		st.Problem = "an event that this dialect does not have"
		return llm.Malformed
	}
	return llm.Pass
}

// NewStream follows the events delta, done and error.
func (c *Call) NewStream(llm.Operation, bool) *llm.Stream { return llm.NewStream(judge{}, 0) }

// AppendError appends a problem (RFC 9457), with the pointer of the variable at fault in errors.
func (c *Call) AppendError(dst []byte, f *llm.Failure) []byte {
	if f.Members == nil {
		var w jsontree.Writer
		w.Reset(dst)
		w.Object()
		w.StrMember("type", fault.FailuresPath+string(f.Kind))
		w.IntMember("status", int64(f.Status))
		w.StrMember("detail", f.Sentence)
		w.StrMember("kind", string(f.Kind))
		w.StrMember("call_id", f.CallID)
		appendErrors(&w, f)
		w.End()
		return w.Buf
	}
	dst = llm.AppendLine(dst, f.Members)
	if !pointsAt(f) {
		return dst
	}
	var w jsontree.Writer
	w.Reset(nil)
	w.Object()
	appendErrors(&w, f)
	w.End()
	dst = append(dst[:len(dst)-1], ',')
	return append(dst, w.Buf[1:]...)
}

// pointsAt tells whether a failure names a place in the caller's body; others name members of the chat that it
// never saw.
func pointsAt(f *llm.Failure) bool { return strings.HasPrefix(f.Param, "/") }

// appendErrors writes where the fault is, in the form of RFC 9457's own example.
func appendErrors(w *jsontree.Writer, f *llm.Failure) {
	if !pointsAt(f) {
		return
	}
	w.Name("errors")
	w.Array()
	w.Object()
	w.StrMember("pointer", "#"+f.Param)
	w.StrMember("detail", f.Sentence)
	w.End()
	w.End()
}

// AppendErrorEvent appends the event error, whose data is a problem.
func (c *Call) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, _ *llm.StreamState) []byte {
	dst = append(dst, "event: error\ndata: "...)
	return append(c.AppendError(dst, f), "\n\n"...)
}

// AppendModels appends a list of names.
func (c *Call) AppendModels(dst []byte, models []llm.Model) []byte {
	dst = append(dst, '[')
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.AppendModel(dst, m)
	}
	return append(dst, ']')
}

// AppendModel appends a name.
func (c *Call) AppendModel(dst []byte, m llm.Model) []byte {
	dst = append(dst, `{"id":`...)
	return append(jsonscan.Quote(dst, m.ID), '}')
}

// Codec is that of Chat.
func (c *Call) Codec(op llm.Operation) canon.Codec {
	if op != llm.Chat {
		return nil
	}
	return codec{c}
}

type codec struct{ c *Call }

// parameterIDs are the parameters that are one value in the canonical form.
var parameterIDs = map[string]canon.ParamID{
	"max_tokens": canon.MaxTokens, "temperature": canon.Temperature, "top_p": canon.TopP, "top_k": canon.TopK,
	"frequency_penalty": canon.FrequencyPenalty, "presence_penalty": canon.PresencePenalty, "seed": canon.Seed, "stop": canon.Stop,
}

// ReadRequest reads what Render has made.
func (k codec) ReadRequest(m llm.Match, body []byte) (*canon.Request, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	req := &canon.Request{Doc: doc, Dialect: k.c.Name(), Op: m.Op, Model: root.Get("model").Str(), Stream: k.c.asked.Stream, StreamUsage: true}
	root.Get("messages").Each(func(_ int, n jsontree.Node) {
		content := n.Get("content")
		req.Messages = append(req.Messages, canon.Message{
			Role: roleOf(n.Get("role").Str()), At: n.Ref(),
			Parts: []canon.Part{{Kind: canon.Text, Text: content.Str(), At: content.Ref()}},
		})
	})
	for name, id := range parameterIDs {
		req.Set(id, root.Get(name))
	}
	if n := root.Get("reasoning_effort"); n.Said() {
		effort := n.Str()
		req.Reasoning = canon.Reasoning{Said: true, Effort: effort, Off: effort == "none", At: n.Ref()}
	}
	if n := root.Get("output"); n.Said() {
		schema := n.Raw()
		req.Format = canon.Format{Kind: canon.JSONSchema, Name: schemaName(k.c.api.Name), Schema: schema, At: n.Ref()}
		if strictable(doc.Root().Get("output")) {
			req.Format.Strict = canon.Flag{Said: true, On: true, At: n.Ref()}
		}
	}
	return req, faultOf(doc)
}

func roleOf(role string) canon.Role {
	switch role {
	case "system":
		return canon.System
	case "assistant":
		return canon.Assistant
	}
	return canon.User
}

// schemaName is a prompt's name as OpenAI takes it for a schema: letters, digits, _ and -, 64 at most.
func schemaName(s string) string {
	return strings.ReplaceAll(s[:min(len(s), 64)], ".", "_")
}

// strictable tells whether a schema is of the kind that OpenAI can force an answer into: each object in it closes
// itself and requires all that it has, and nothing is used that strict schemas lack
// (https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas"). Others are asked for
// without strict; the answer is checked by us either way.
func strictable(n jsontree.Node) bool {
	if !n.IsObject() {
		return true
	}
	ok := true
	n.Each(func(_ int, e jsontree.Node) {
		switch e.Name() {
		case "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties", "propertyNames", "unevaluatedProperties", "prefixItems", "contains", "default", "$schema", "$id":
			ok = false
		case "properties", "$defs", "definitions":
			e.Each(func(_ int, p jsontree.Node) { ok = ok && strictable(p) })
		case "items":
			ok = ok && strictable(e)
		case "anyOf":
			e.Each(func(_ int, p jsontree.Node) { ok = ok && strictable(p) })
		}
	})
	if properties := n.Get("properties"); n.Get("type").IsString() && n.Get("type").Str() == "object" || properties.Exists() {
		more, said := n.Get("additionalProperties").Bool()
		ok = ok && said && !more && n.Get("required").Len() == properties.Len()
	}
	return ok
}

// WriteRequest cannot be: no provider speaks this dialect.
func (k codec) WriteRequest(*canon.Request, *canon.Target, *canon.Report) ([]byte, error) {
	return nil, &canon.Unsupported{Why: "no provider has prompts of this form"}
}

// ReadAnswer reads what WriteAnswer makes.
func (k codec) ReadAnswer(body []byte) (*canon.Answer, error) {
	doc, err := jsontree.Parse(body, false)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	text := string(root.Get("output").Raw())
	if root.Get("output").IsString() && k.c.version.Output == nil {
		text = root.Get("output").Str()
	}
	a := &canon.Answer{Model: root.Get("model").Str(), Usage: canon.NoUsage()}
	a.Usage.Usage = readUsage(root.Get("usage"))
	a.Choices = []canon.Choice{{Parts: []canon.Part{{Kind: canon.Text, Text: text}}, Finish: finishOf(root.Get("finish_reason").Str())}}
	return a, faultOf(doc)
}

// NewReader reads the events that NewWriter's writer makes.
func (k codec) NewReader() canon.Reader { return &reader{} }

// WriteAnswer writes {"output", "finish_reason", "usage", "model", "version", "call_id"}, or the output alone
// where the caller wants text.
func (k codec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	o := gather(a)
	for _, field := range o.left {
		r.Add("answer."+field, canon.Dropped, "a prompt's answer is its output")
	}
	if k.c.asked.Plain {
		if k.c.version.Output != nil {
			return bytes.Clone(outputJSON(o.text))
		}
		return []byte(o.text)
	}
	if o.model == "" {
		o.model = req.Model
	}
	return k.c.appendResult(nil, &o)
}

// AnswerType is the type of what WriteAnswer writes.
func (k codec) AnswerType() string {
	switch {
	case !k.c.asked.Plain || k.c.version.Output != nil:
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// CheckAnswer holds an answer to the prompt's schema.
func (k codec) CheckAnswer(a *canon.Answer) error {
	o := gather(a)
	return k.c.check(&o)
}
