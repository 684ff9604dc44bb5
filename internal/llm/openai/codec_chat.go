package openai

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// chatCodec is the codec of chat completions: those of OpenAI, and what the vendors of its dialect add to them.
//
// Sources: platform.openai.com/docs/api-reference/chat, the API's OpenAPI description
// (CreateChatCompletionRequest, CreateChatCompletionResponse, CreateChatCompletionStreamResponse), and for
// the members of vendors openrouter.ai/docs (reasoning, reasoning_details, cache_control, images),
// api-docs.deepseek.com (thinking, reasoning_content), help.aliyun.com/model-studio (enable_thinking),
// docs.mistral.ai (thinking parts, document_url) and ai.google.dev/gemini-api/docs/openai (extra_content).
type chatCodec struct{}

var (
	_ canon.Codec   = chatCodec{}
	_ canon.Speaker = Dialect{}
)

// chatParams are the parameters that are one member of a chat completion, with the kind of their value. Those
// with own are not OpenAI's: a vendor must be known to have them.
var chatParams = [...]struct {
	id   canon.ParamID
	name string
	kind paramKind
	own  bool
}{
	{canon.Temperature, "temperature", aNumber, false},
	{canon.TopP, "top_p", aNumber, false},
	{canon.TopK, "top_k", anInt, true},
	{canon.MinP, "min_p", aNumber, true},
	{canon.TopA, "top_a", aNumber, true},
	{canon.FrequencyPenalty, "frequency_penalty", aNumber, false},
	{canon.PresencePenalty, "presence_penalty", aNumber, false},
	{canon.RepetitionPenalty, "repetition_penalty", aNumber, true},
	{canon.Seed, "seed", anInt, false},
	{canon.N, "n", anInt, false},
	{canon.Logprobs, "logprobs", aFlag, false},
	{canon.TopLogprobs, "top_logprobs", anInt, false},
	{canon.LogitBias, "logit_bias", anObject, false},
	{canon.EndUser, "user", aString, false},
	{canon.Metadata, "metadata", anObject, false},
	{canon.ServiceTier, "service_tier", aString, false},
	{canon.Store, "store", aFlag, false},
	{canon.Verbosity, "verbosity", aString, false},
	{canon.Modalities, "modalities", anArray, false},
	{canon.AudioOut, "audio", anObject, false},
	{canon.Prediction, "prediction", anObject, false},
	{canon.CacheKey, "prompt_cache_key", aString, false},
	{canon.CacheRetention, "prompt_cache_retention", aString, false},
	{canon.CacheOptions, "prompt_cache_options", anObject, false},
	{canon.WebSearch, "web_search_options", anObject, false},
	{canon.SafetyUser, "safety_identifier", aString, false},
	{canon.Moderation, "moderation", anObject, false},
}

// paramKind is what a parameter's value must be.
type paramKind uint8

const (
	aString paramKind = iota
	aNumber
	anInt
	aFlag
	anObject
	anArray
)

// hold holds a value to its kind.
func (k paramKind) hold(doc *jsontree.Doc, n jsontree.Node) {
	switch k {
	case aString:
		n.Str()
	case aNumber:
		n.Float()
	case anInt:
		n.Int()
	case aFlag:
		n.Bool()
	case anObject:
		need(doc, n, jsonscan.Object, "must be an object")
	case anArray:
		need(doc, n, jsonscan.Array, "must be an array")
	}
}

// need holds a value that is said to a kind.
func need(doc *jsontree.Doc, n jsontree.Node, kind jsonscan.Kind, problem string) bool {
	if !n.Said() {
		return false
	}
	if n.Kind() != kind {
		doc.Fail(n, problem)
		return false
	}
	return true
}

// ReadRequest reads a caller's chat completion.
func (chatCodec) ReadRequest(_ llm.Match, body []byte) (*canon.Request, error) {
	r, err := openRequest(llm.Chat, body)
	if err != nil {
		return nil, err
	}
	root, req := r.doc.Root(), r.req
	r.messages(root)
	r.params(root)
	r.tools(root)
	r.format(root.Get("response_format"))
	r.reasoning(root)
	if fault := r.doc.Fault(); fault != nil {
		return nil, fault
	}
	return req, nil
}

// chatReader reads one request.
type chatReader struct {
	doc *jsontree.Doc
	req *canon.Request
}

// openRequest reads what all requests of the dialect have: the model, and whether and how to stream.
func openRequest(op llm.Operation, body []byte) (*chatReader, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if !root.IsObject() {
		doc.Fail(root, "must be a JSON object")
		return nil, doc.Fault()
	}
	req := &canon.Request{Doc: doc, Dialect: dialectName, Op: op}
	model := root.Get("model")
	if req.Model = model.Str(); req.Model == "" {
		wrong(doc, root, "model", "must not be empty")
	}
	req.Stream, _ = root.Get("stream").Bool()
	options := root.Get("stream_options")
	if need(doc, options, jsonscan.Object, "must be an object") {
		req.StreamUsage, _ = options.Get("include_usage").Bool()
		options.Get("include_obfuscation").Settle() // padding against eavesdroppers, no content
	}
	if usage := root.Get("usage"); usage.IsObject() { // OpenRouter's way to ask for it
		asked, _ := usage.Get("include").Bool()
		req.StreamUsage = req.StreamUsage || asked
	}
	return &chatReader{doc: doc, req: req}, nil
}

// params reads what is one value.
func (r *chatReader) params(root jsontree.Node) {
	for i := range chatParams {
		p := &chatParams[i]
		if n := root.Get(p.name); n.Said() {
			p.kind.hold(r.doc, n)
			r.req.Set(p.id, n)
		}
	}
	if n := root.Get("random_seed"); n.Said() && r.req.Params[canon.Seed].JSON == nil { // Mistral's seed
		n.Int()
		r.req.Set(canon.Seed, n)
	}
	if n := root.First("max_completion_tokens", "max_tokens"); n.Said() {
		n.Int()
		r.req.Set(canon.MaxTokens, n)
	}
	r.stop(root.Get("stop"))
}

// stop reads a string or a list of strings.
func (r *chatReader) stop(n jsontree.Node) {
	switch n.Kind() {
	case jsonscan.String:
		raw := n.Raw()
		list := make([]byte, 0, len(raw)+2)
		list = append(append(append(list, '['), raw...), ']')
		r.req.SetJSON(canon.Stop, n, list)
	case jsonscan.Array:
		n.Each(func(_ int, e jsontree.Node) {
			if !e.IsString() {
				r.doc.Fail(e, "must be a string")
			}
		})
		r.req.Set(canon.Stop, n)
	case jsonscan.Null, jsonscan.None:
	default:
		r.doc.Fail(n, "must be a string or an array of strings")
	}
}

// reasoning reads how much the model is to think, in the words of OpenAI and of its dialect's vendors.
func (r *chatReader) reasoning(root jsontree.Node) {
	t := &r.req.Reasoning
	if n := root.Get("reasoning_effort"); n.Said() {
		r.effort(n)
	}
	if n := root.Get("reasoning"); need(r.doc, n, jsonscan.Object, "must be an object") { // OpenRouter
		t.Said, t.Show, t.At = true, true, n.Ref()
		if e := n.Get("effort"); e.Said() {
			r.effort(e)
		}
		if b := n.Get("max_tokens"); b.Said() {
			t.Budget, _ = b.Int()
			t.BudgetAt = b.Ref()
		}
		if on, said := n.Get("enabled").Bool(); said {
			t.Off = !on
		}
		if hide, said := n.Get("exclude").Bool(); said {
			t.Show = !hide
		}
	}
	if n := root.Get("thinking"); n.IsObject() { // DeepSeek, Z.ai, Moonshot, Volcengine
		switch n.Get("type").Str() {
		case "enabled", "auto", "adaptive":
			t.Said, t.Show = true, true
		case "disabled":
			t.Said, t.Off = true, true
		default:
			wrong(r.doc, n, "type", "must be enabled or disabled")
		}
		if t.At == 0 {
			t.At = n.Ref()
		}
		if b := n.Get("budget_tokens"); b.Said() {
			t.Budget, _ = b.Int()
			t.BudgetAt = b.Ref()
		}
	}
	if n := root.Get("enable_thinking"); n.Said() { // Qwen, SiliconFlow, Hunyuan
		on, _ := n.Bool()
		t.Said, t.Off, t.Show = true, !on, on
		if t.At == 0 {
			t.At = n.Ref()
		}
	}
	if n := root.Get("thinking_budget"); n.Said() {
		t.Budget, _ = n.Int()
		t.Said, t.BudgetAt = true, n.Ref()
		if t.At == 0 {
			t.At = n.Ref()
		}
	}
	if t.Said && !t.Off && t.Effort == "" && t.Budget == 0 {
		t.Budget = -1
	}
}

func (r *chatReader) effort(n jsontree.Node) {
	t := &r.req.Reasoning
	t.Effort = n.Str()
	t.Said, t.Off = true, t.Effort == "none"
	t.At = n.Ref()
}
