package openai

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// responsesCodec is the codec of the Responses API.
//
// Sources: platform.openai.com/docs/api-reference/responses and responses-streaming, the API's OpenAPI
// description (schemas CreateResponse, Response, InputItem, OutputItem, ResponseStreamEvent), and
// platform.openai.com/docs/guides/reasoning on items that are sent back.
type responsesCodec struct{}

var _ canon.Codec = responsesCodec{}

// dialectName is the name by which parts of this dialect are signed.
const dialectName = "openai"

// What include may ask for that other dialects say in their own way.
const (
	includeEncrypted = "reasoning.encrypted_content"
	includeLogprobs  = "message.output_text.logprobs"
)

// ReadRequest reads a caller's request.
func (responsesCodec) ReadRequest(_ llm.Match, body []byte) (*canon.Request, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if !root.IsObject() {
		doc.Fail(root, "must be a JSON object")
		return nil, doc.Fault()
	}
	req := &canon.Request{Doc: doc, Dialect: dialectName, Op: llm.Responses, StreamUsage: true}
	if model := root.Get("model"); model.Said() {
		req.Model = model.Str()
	} else {
		doc.Missing(root, "model")
	}
	req.Stream, _ = root.Get("stream").Bool()
	if options := root.Get("stream_options"); options.IsObject() {
		// We never pad events, so that asking us not to asks for nothing.
		if pad := options.Get("include_obfuscation"); pad.Said() {
			if on, _ := pad.Bool(); on {
				pad.Leave()
			}
		}
	}
	t := turns{doc: doc}
	if n := root.Get("instructions"); n.Said() {
		if text := n.Str(); text != "" {
			t.list = append(t.list, canon.Message{Role: canon.System, Parts: []canon.Part{{At: n.Ref(), Text: text}}, At: n.Ref()})
		}
	}
	readResponsesParams(req, root)
	readResponsesInput(req, &t, root)
	req.Messages = t.list
	readResponsesTools(req, root)
	readResponsesFormat(req, root.Get("text"))
	readResponsesReasoning(req, root.Get("reasoning"))
	if f := doc.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

// readResponsesInput reads input, which may be missing where the provider knows what came before.
func readResponsesInput(req *canon.Request, t *turns, root jsontree.Node) {
	input := root.Get("input")
	switch {
	case input.IsString():
		t.list = append(t.list, canon.Message{Role: canon.User, Parts: []canon.Part{{At: input.Ref(), Text: input.Str()}}, At: input.Ref()})
	case input.IsArray():
		t.items(input)
	case input.Said():
		req.Doc.Fail(input, "must be a string or an array of items")
	case req.Params[canon.PreviousID].JSON == nil && req.Params[canon.Conversation].JSON == nil && req.Params[canon.PromptTemplate].JSON == nil:
		req.Doc.Missing(root, "input")
	}
}

// readResponsesParams reads the members that are one value.
func readResponsesParams(req *canon.Request, root jsontree.Node) {
	for _, p := range [...]struct {
		id   canon.ParamID
		name string
	}{
		{canon.MaxTokens, "max_output_tokens"}, {canon.MaxToolCalls, "max_tool_calls"},
	} {
		if n := root.Get(p.name); n.Said() {
			n.Int()
			req.Set(p.id, n)
		}
	}
	for _, p := range [...]struct {
		id   canon.ParamID
		name string
	}{
		{canon.Temperature, "temperature"},
		{canon.TopP, "top_p"},
		{canon.FrequencyPenalty, "frequency_penalty"},
		{canon.PresencePenalty, "presence_penalty"}, // Azure and xAI echo and take them
	} {
		if n := root.Get(p.name); n.Said() {
			n.Float()
			req.Set(p.id, n)
		}
	}
	for _, p := range [...]struct {
		id   canon.ParamID
		name string
	}{
		{canon.EndUser, "user"},
		{canon.SafetyUser, "safety_identifier"},
		{canon.CacheKey, "prompt_cache_key"},
		{canon.CacheRetention, "prompt_cache_retention"},
		{canon.ServiceTier, "service_tier"},
		{canon.PreviousID, "previous_response_id"},
		{canon.Truncation, "truncation"},
	} {
		if n := root.Get(p.name); n.Said() {
			n.Str()
			req.Set(p.id, n)
		}
	}
	for _, p := range [...]struct {
		id   canon.ParamID
		name string
	}{{canon.Store, "store"}, {canon.Background, "background"}} {
		if n := root.Get(p.name); n.Said() {
			n.Bool()
			req.Set(p.id, n)
		}
	}
	if n := root.Get("metadata"); n.Said() {
		mustBeObject(req, n)
		req.Set(canon.Metadata, n)
	}
	if n := root.Get("prompt"); n.Said() {
		mustBeObject(req, n)
		req.Set(canon.PromptTemplate, n)
	}
	if n := root.Get("conversation"); n.Said() {
		if !n.IsString() {
			mustBeObject(req, n)
		}
		req.Set(canon.Conversation, n)
	}
	if n := root.Get("parallel_tool_calls"); n.Said() {
		req.ParallelTools.On, req.ParallelTools.Said = n.Bool()
		req.ParallelTools.At = n.Ref()
	}
	readResponsesLogprobs(req, root)
}

func mustBeObject(req *canon.Request, n jsontree.Node) {
	if !n.IsObject() {
		req.Doc.Fail(n, "must be an object")
	}
}

// readResponsesLogprobs reads include and top_logprobs: what include asks for is said in other ways in other
// dialects, and the rest of it is carried as it is.
func readResponsesLogprobs(req *canon.Request, root jsontree.Node) {
	include := root.Get("include")
	if include.Said() && !include.IsArray() {
		req.Doc.Fail(include, "must be an array of strings")
		return
	}
	var w jsontree.Writer
	w.Array()
	rest := false
	include.Each(func(_ int, e jsontree.Node) {
		switch word := e.Str(); word {
		case includeEncrypted:
			req.Reasoning.Encrypted = true
		case includeLogprobs:
			req.Params[canon.Logprobs] = canon.Param{JSON: jsonTrue, At: e.Ref()}
		default:
			w.Str(word)
			rest = true
		}
	})
	if w.End(); rest {
		req.Params[canon.Include] = canon.Param{JSON: w.Buf, At: include.Ref()}
	}
	if n := root.Get("top_logprobs"); n.Said() {
		count, _ := n.Int()
		req.Set(canon.TopLogprobs, n)
		if count > 0 && req.Params[canon.Logprobs].JSON == nil {
			req.Params[canon.Logprobs] = canon.Param{JSON: jsonTrue, At: n.Ref()}
		}
	}
}

var jsonTrue = []byte("true")

// readResponsesFormat reads text: the form of the answer and how long-winded it is.
func readResponsesFormat(req *canon.Request, text jsontree.Node) {
	if !text.Said() {
		return
	}
	if !text.IsObject() {
		req.Doc.Fail(text, "must be an object")
		return
	}
	if n := text.Get("verbosity"); n.Said() {
		n.Str()
		req.Set(canon.Verbosity, n)
	}
	format := text.Get("format")
	if !format.Said() {
		return
	}
	if !format.IsObject() {
		req.Doc.Fail(format, "must be an object")
		return
	}
	f := &req.Format
	f.At = format.Ref()
	switch format.Get("type").Str() {
	case "text":
	case "json_object":
		f.Kind = canon.JSONObject
	case "json_schema":
		f.Kind = canon.JSONSchema
		f.Name, f.Description = format.Get("name").Str(), format.Get("description").Str()
		if schema := format.Get("schema"); schema.IsObject() {
			f.Schema = schema.Raw()
		} else {
			wrong(req.Doc, format, "schema", "must be an object")
		}
		f.Strict.On, f.Strict.Said = format.Get("strict").Bool()
		f.Strict.At = format.Get("strict").Ref()
	case "":
		wrong(req.Doc, format, "type", "must not be empty")
	default:
		format.Leave() // a grammar, or what is newer than this: told as lost
	}
}

// readResponsesReasoning reads reasoning.
func readResponsesReasoning(req *canon.Request, n jsontree.Node) {
	if !n.Said() {
		return
	}
	if !n.IsObject() {
		req.Doc.Fail(n, "must be an object")
		return
	}
	r := &req.Reasoning
	r.At = n.Ref()
	if r.Effort = n.Get("effort").Str(); r.Effort == "max" {
		r.Effort = "xhigh" // the most that others know
	}
	r.Summary = n.First("summary", "generate_summary").Str()
	r.Show = r.Summary != ""
	r.Off = r.Effort == "none"
	r.Said = r.Effort != "" || r.Show
}

// wrong notes that the member name of n is missing, or that it is there and not what it must be.
func wrong(doc *jsontree.Doc, n jsontree.Node, name, problem string) {
	if member := n.Get(name); member.Said() {
		doc.Fail(member, problem)
		return
	}
	doc.Missing(n, name)
}
