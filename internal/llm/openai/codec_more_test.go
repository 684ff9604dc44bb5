package openai_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// TestCompletionsCodec reads and writes the older text completions.
func TestCompletionsCodec(t *testing.T) {
	llmtest.RunCodec(t, llmtest.CodecSuite{
		Dialect: openai.New(), Op: llm.Completions,
		Vendor: &catalog.Vendor{Quirks: catalog.Quirks{Has: []string{"top_k", "min_p", "repetition_penalty"}}},
		CodecRequests: []llmtest.CodecRequest{
			{Name: "all", Body: `{"model":"m","prompt":"Once","suffix":"end","max_tokens":5,"temperature":0,"top_p":1,"top_k":3,"n":2,"stream":true,"stream_options":{"include_usage":true},
"logprobs":2,"echo":true,"stop":["a"],"presence_penalty":0.1,"frequency_penalty":0.2,"best_of":3,"logit_bias":{"1":1},"user":"u","seed":1}`},
			{Name: "one prompt in a list", Body: `{"model":"m","prompt":["Once"],"echo":false,"best_of":1}`, Differ: []string{"~/prompt", "-/best_of"}},
		},
		CodecAnswers: []llmtest.CodecAnswer{{Name: "all", Body: `{"id":"c","object":"text_completion","created":5,"model":"m","choices":[
{"text":"a b","index":0,"logprobs":{"tokens":["a"," b"],"token_logprobs":[-0.5,-1],"top_logprobs":[{"a":-0.5,"c":-2},{" b":-1}],"text_offset":[0,1]},"finish_reason":"length"},
{"text":"","index":1,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"system_fingerprint":"fp"}`}},
		CodecStreams: []llmtest.CodecStream{{
			Name: "in pieces", Body: "data: {\"id\":\"c\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\",\"choices\":[{\"text\":\"a\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"text\":\" b\",\"index\":0,\"finish_reason\":\"length\"}]}\n\n" +
				"data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n",
			Whole: `{"id":"c","object":"text_completion","created":5,"model":"m","choices":[{"text":"a b","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		}},
		Malformed: []llmtest.Malformed{
			{Name: "no prompt", Body: `{"model":"m"}`, Pointer: "/prompt"},
			{Name: "no prompts", Body: `{"model":"m","prompt":[]}`, Pointer: "/prompt"},
			{Name: "two prompts", Body: `{"model":"m","prompt":["a","b"]}`, Pointer: "/prompt/1"},
			{Name: "tokens", Body: `{"model":"m","prompt":[1,2]}`, Pointer: "/prompt/0"},
			{Name: "lists of tokens", Body: `{"model":"m","prompt":[[1],[2]]}`, Pointer: "/prompt/0"},
			{Name: "an object", Body: `{"model":"m","prompt":{}}`, Pointer: "/prompt"},
			{Name: "logprobs as a flag", Body: `{"model":"m","prompt":"a","logprobs":true}`, Pointer: "/logprobs"},
		},
	})
}

// TestCompletionOverChat takes a caller of the older completions to a provider of chats and back.
func TestCompletionOverChat(t *testing.T) {
	completions, chats := openai.New().Codec(llm.Completions), openai.New().Codec(llm.Chat)
	body := `{"model":"m","prompt":"Say hi","max_tokens":5,"echo":true,"logprobs":1,"suffix":"x"}`
	v, r := written(t, completions, llm.Completions, body, &canon.Target{Model: "gpt"})
	if got := js(v); got != `{"logprobs":true,"max_tokens":5,"messages":[{"content":"Say hi","role":"user"}],"model":"gpt","top_logprobs":1}` {
		t.Errorf("written %s", got)
	}
	if got := r.Names(canon.Dropped); !reflect.DeepEqual(got, []string{"suffix"}) {
		t.Errorf("dropped %q", got)
	}
	req, err := completions.ReadRequest(llm.Match{}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := chats.ReadAnswer([]byte(`{"id":"c","created":5,"model":"gpt","choices":[{"index":0,"message":{"role":"assistant","content":"Hi!","reasoning_content":"hm"},"finish_reason":"stop"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r = canon.NewReport(req)
	if got := string(completions.WriteAnswer(a, req, r)); got != `{"id":"c","object":"text_completion","created":5,"model":"gpt","choices":[{"text":"Say hiHi!","index":0,"logprobs":null,"finish_reason":"stop"}]}` {
		t.Errorf("answer %s", got)
	}
	if got := r.Header(); got != "answer.choices.0.parts.0;dropped" {
		t.Errorf("the report tells %q", got)
	}
	stream := llmtest.CrossPieces(t, openai.New(), llm.Chat, "", []byte(sse(`{"index":0,"delta":{"content":"Hi!"}}`, `{"index":0,"delta":{},"finish_reason":"stop"}`)), 10, completions.NewWriter(req, r))
	back := llmtest.CrossPieces(t, openai.New(), llm.Completions, "", stream.Out, 10, nil)
	if p := back.Fold.Answer.Choices[0].Parts; !back.End.Complete || len(p) != 1 || p[0].Text != "Say hiHi!" {
		t.Errorf("streamed %+v: %s", p, stream.Out)
	}
}

// TestChatOverCompletions takes a conversation to a provider that only has text completions.
func TestChatOverCompletions(t *testing.T) {
	codec := openai.New().Codec(llm.Completions)
	req, err := openai.New().Codec(llm.Chat).ReadRequest(llm.Match{}, []byte(`{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r := canon.NewReport(req)
	out, err := codec.WriteRequest(req, &canon.Target{Model: "m"}, r)
	if err != nil || string(out) != `{"model":"m","prompt":"system: Be brief.\n\nuser: Hi\n\nassistant:"}` {
		t.Errorf("%v: %s", err, out)
	}
	if got := r.Header(); got != "messages.0;approximated, messages.1;approximated, tools.0;dropped" {
		t.Errorf("the report tells %q", got)
	}
}

// TestEmbeddings reads and writes embeddings in all their forms.
func TestEmbeddings(t *testing.T) {
	d := openai.New()
	for _, body := range []string{
		`{"model":"m","input":"a"}`,
		`{"model":"m","input":["a","b"],"dimensions":3,"encoding_format":"base64","user":"u"}`,
		`{"model":"m","input":[1,2,3]}`,
		`{"model":"m","input":[[1,2],[3]]}`,
		`{"model":"m","input":["a"],"input_type":"query"}`,
	} {
		req, err := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings}, []byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		r := canon.NewReport(&req.Request)
		out, err := d.WriteEmbedRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{Quirks: catalog.Quirks{Has: []string{"input_type"}}}}, r)
		r.Close()
		if err != nil || len(llmtest.Diff(llmtest.Value(t, []byte(body)), llmtest.Value(t, out))) > 0 || len(r.Entries) > 0 {
			t.Errorf("%s was written as %s: %v, %v", body, out, err, r.Entries)
		}
	}
	for body, pointer := range map[string]string{
		`{"input":"a"}`: "/model", `{"model":"m"}`: "/input", `{"model":"m","input":[]}`: "/input", `{"model":"m","input":[true]}`: "/input/0", `{"model":"m","input":{}}`: "/input",
		`{"model":"m","input":["a",1]}`: "/input/1", `{"model":"m","input":"a","dimensions":0}`: "/dimensions", `{"model":"m","input":"a","encoding_format":"hex"}`: "/encoding_format", `[`: "",
	} {
		_, err := d.ReadEmbedRequest(llm.Match{}, []byte(body))
		if at, ok := llmtest.PointerOf(err); !ok || at != pointer {
			t.Errorf("%s: %v", body, err)
		}
	}
	const answer = `{"object":"list","data":[{"object":"embedding","index":1,"embedding":[0.5,-1e-9]},{"object":"embedding","index":0,"embedding":"AACAPwAAAEA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
	a, err := d.ReadEmbedAnswer([]byte(answer))
	if err != nil || len(a.Lost) > 0 || !reflect.DeepEqual(a.Vectors, [][]float32{{1, 2}, {0.5, -1e-9}}) || a.Usage.Input != 3 {
		t.Fatalf("%v: %+v", err, a)
	}
	for _, base64 := range []bool{false, true} {
		req := &canon.EmbedRequest{Base64: base64}
		out := d.WriteEmbedAnswer(a, req, canon.NewReport(&req.Request))
		if judged := d.ReadAnswer(llm.Embeddings, out); judged.Kind != "" || judged.Usage.Input != 3 {
			t.Errorf("%s: %+v", out, judged)
		}
		again, err := d.ReadEmbedAnswer(out)
		if err != nil || !reflect.DeepEqual(again.Vectors, a.Vectors) || strings.Contains(string(out), "AACAPwAAAEA=") != base64 {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestAnswersOfOtherDialects shows what a chat completion's caller gets of what only others have, whole and streamed.
func TestAnswersOfOtherDialects(t *testing.T) {
	codec := openai.New().Codec(llm.Chat)
	req, err := codec.ReadRequest(llm.Match{}, []byte(chat(`"tools":[{"type":"custom","custom":{"name":"sh"}}]`)))
	if err != nil {
		t.Fatal(err)
	}
	usage := canon.NoUsage()
	usage.Input, usage.Output, usage.CacheWrite = 5, 6, 4
	a := &canon.Answer{Usage: usage, Choices: []canon.Choice{{Finish: canon.Paused, Parts: []canon.Part{
		{Kind: canon.Thinking, Text: "hm", Signature: "SIG", SignedBy: "anthropic"},
		{Kind: canon.Thinking, Signature: "RED", SignedBy: "anthropic", Redacted: true},
		{Kind: canon.Text, Text: "grüß ", Citations: []canon.Citation{{Start: -1, End: -1, URL: "https://e/1"}, {Start: 0, End: 1, Cited: "of a document"}}},
		{Kind: canon.Text, Text: "dich", Citations: []canon.Citation{{Start: 1, End: 2, URL: "https://e/2", Title: "T"}}},
		{Kind: canon.Other, Raw: []byte(`{}`), SignedBy: "anthropic"},
		{Kind: canon.ToolCall, Call: &canon.Call{Name: "sh", Args: `{"input":"ls -l"}`}, Signature: "G", SignedBy: "gemini"},
	}}}}
	r := canon.NewReport(req)
	out := codec.WriteAnswer(a, req, r)
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for path, want := range map[string]string{
		"/model": `"m"`, "/object": `"chat.completion"`, "/choices/0/finish_reason": `"stop"`, "/choices/0/message/content": `"grüß dich"`, "/choices/0/message/reasoning_content": `"hm"`,
		"/choices/0/message/reasoning_details/0/signature": `"SIG"`, "/choices/0/message/reasoning_details/1/data": `"RED"`,
		"/choices/0/message/annotations/0/url_citation/end_index": "5", "/choices/0/message/annotations/1/url_citation/start_index": "6",
		"/choices/0/message/tool_calls/0/custom/input": `"ls -l"`, "/choices/0/message/tool_calls/0/extra_content/google/thought_signature": `"G"`,
		"/usage/prompt_tokens_details/cache_write_tokens": "4", "/usage/total_tokens": "11",
	} {
		if got := js(llmtest.Find(v, path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if id, _ := llmtest.Find(v, "/id").(string); !strings.HasPrefix(id, "chatcmpl-") {
		t.Errorf("id %q", id)
	}
	if id, _ := llmtest.Find(v, "/choices/0/message/tool_calls/0/id").(string); !strings.HasPrefix(id, "call_") {
		t.Errorf("the call's id %q", id)
	}
	want := "answer.choices.0.parts.4;dropped, answer.choices.0.citations;dropped, answer.choices.0.finish_reason;approximated"
	if got := r.Header(); got != want {
		t.Errorf("the report tells %q", got)
	}

	r = canon.NewReport(req)
	w := codec.NewWriter(req, r)
	var stream []byte
	for _, ev := range streamOf(a) {
		stream = w.Write(stream, &ev)
	}
	stream = w.End(stream)
	back := llmtest.CrossPieces(t, openai.New(), llm.Chat, w.ContentType(), stream, 20, nil)
	if !back.End.Complete {
		t.Fatalf("%+v: %s", back.End, stream)
	}
	reread, err := codec.ReadAnswer(out)
	if err != nil {
		t.Fatal(err)
	}
	reread.Usage = canon.NoUsage()         // which the caller did not ask for
	reread.Choices[0].Parts[0].Text = "hm" // texts are parts of their own in the stream
	allow := []string{"/ID", "/Created", "/Choices/*/Parts/*/Call/ID"}
	if bad, _ := llmtest.Unexpected(llmtest.Diff(llmtest.PlainAnswer(reread), llmtest.PlainAnswer(&back.Fold.Answer)), allow); len(bad) > 0 {
		t.Errorf("streamed it differs at %q\n%s\n%s", bad, js(llmtest.PlainAnswer(reread)), js(llmtest.PlainAnswer(&back.Fold.Answer)))
	}
	if got := r.Names(canon.Dropped, canon.Approximated); len(got) != 3 {
		t.Errorf("the stream's report tells %q", got)
	}
}

// streamOf is an answer as a reader would stream it.
func streamOf(a *canon.Answer) (list []canon.Event) {
	list = append(list, canon.Event{Kind: canon.Start, ID: a.ID, Model: a.Model}, canon.Event{Kind: canon.Beat})
	for _, c := range a.Choices {
		for i, p := range c.Parts {
			at := canon.Event{Choice: c.Index, Part: i, PartKind: p.Kind}
			add := func(kind canon.EventKind, set func(*canon.Event)) {
				ev := at
				ev.Kind = kind
				if set != nil {
					set(&ev)
				}
				list = append(list, ev)
			}
			add(canon.Begin, func(ev *canon.Event) { ev.Call, ev.Media, ev.Raw, ev.Redacted = p.Call, p.Media, p.Raw, p.Redacted })
			text := p.Text
			if p.Call != nil {
				text = p.Call.Args
			}
			for len(text) > 0 {
				n := min(3, len(text))
				for n < len(text) && text[n]&0xc0 == 0x80 {
					n++
				}
				piece := text[:n]
				add(canon.Delta, func(ev *canon.Event) { ev.Text = piece })
				text = text[n:]
			}
			for k := range p.Citations {
				add(canon.Cite, func(ev *canon.Event) { ev.Citation = &p.Citations[k] })
			}
			if p.Signature != "" {
				add(canon.Sign, func(ev *canon.Event) { ev.Signature, ev.SignedBy, ev.Redacted = p.Signature, p.SignedBy, p.Redacted })
			}
			add(canon.EndPart, nil)
		}
		list = append(list, canon.Event{Kind: canon.Finished, Choice: c.Index, Finish: c.Finish})
	}
	return append(list, canon.Event{Kind: canon.Used, Usage: &a.Usage})
}

// TestFinishReasons reads the vendors' words for why an answer ended, and writes OpenAI's.
func TestFinishReasons(t *testing.T) {
	codec := openai.New().Codec(llm.Chat)
	for word, want := range map[string]struct {
		finish canon.Finish
		word   string
	}{
		"stop": {canon.Stopped, "stop"}, "eos": {canon.Stopped, "stop"}, "length": {canon.Length, "length"}, "model_length": {canon.ContextLength, "length"},
		"tool_calls": {canon.ToolCalls, "tool_calls"}, "function_call": {canon.ToolCalls, "tool_calls"}, "content_filter": {canon.Filtered, "content_filter"},
		"sensitive": {canon.Filtered, "content_filter"}, "insufficient_system_resource": {canon.Failed, "error"}, "stop_sequence": {canon.StopSequence, "stop"},
	} {
		a, err := codec.ReadAnswer([]byte(`{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"` + word + `"}]}`))
		if err != nil || a.Choices[0].Finish != want.finish || a.Choices[0].FinishRaw != word {
			t.Errorf("%s: %v, %+v", word, err, a)
			continue
		}
		req := &canon.Request{Model: "m"}
		if out := codec.WriteAnswer(a, req, canon.NewReport(req)); !strings.Contains(string(out), `"finish_reason":"`+want.word+`"`) {
			t.Errorf("%s was written %s", word, out)
		}
	}
	a, err := codec.ReadAnswer([]byte(`{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":""}}]},"finish_reason":"stop"}]}`))
	if err != nil || a.Choices[0].Finish != canon.ToolCalls {
		t.Errorf("a stop with a call: %v, %+v", err, a)
	}
	req := &canon.Request{Model: "m"}
	if out := string(codec.WriteAnswer(&canon.Answer{Usage: canon.NoUsage(), Blocked: "SAFETY"}, req, canon.NewReport(req))); !strings.Contains(out, `"finish_reason":"content_filter"`) {
		t.Errorf("a prompt that was blocked: %s", out)
	}
}

// TestEmbeddingsOfOtherDialects shows what is told of what embeddings here do not have.
func TestEmbeddingsOfOtherDialects(t *testing.T) {
	doc, err := jsontree.Parse([]byte(`{"embedding_types":["int8"],"truncate":"END","output_dimensionality":3,"input_type":"classification"}`), true)
	if err != nil {
		t.Fatal(err)
	}
	req := &canon.EmbedRequest{
		Request: canon.Request{Doc: doc, Dialect: "cohere", Model: "m"}, Purpose: "CLASSIFICATION", PurposeAt: doc.Root().Get("input_type").Ref(),
		Dimensions: 3, Truncate: "END", EmbeddingTypes: []string{"int8"}, Inputs: []canon.EmbedInput{{Parts: []canon.Part{text("a"), text("b")}}},
	}
	r := canon.NewReport(&req.Request)
	out, err := openai.New().WriteEmbedRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{Quirks: catalog.Quirks{Refuses: []string{"dimensions"}}}}, r)
	if err != nil || string(out) != `{"model":"m","input":["ab"]}` {
		t.Errorf("%v: %s", err, out)
	}
	if got := r.Header(); got != "output_dimensionality;dropped, input_type;dropped, embedding_types;dropped, truncate;dropped" {
		t.Errorf("the report tells %q", got)
	}
	req.Inputs = []canon.EmbedInput{{Parts: []canon.Part{{Kind: canon.Image, Media: &canon.Media{Data: "AA=="}}}}}
	var unsupported *canon.Unsupported
	if _, err := openai.New().WriteEmbedRequest(req, &canon.Target{Model: "m"}, r); !errors.As(err, &unsupported) {
		t.Errorf("an image: %v", err)
	}
}

// TestFunctionCallers shows that a caller of the way before tools gets its answer in that way.
func TestFunctionCallers(t *testing.T) {
	codec := openai.New().Codec(llm.Chat)
	req, err := codec.ReadRequest(llm.Match{}, []byte(chat(`"functions":[{"name":"f"}]`)))
	if err != nil {
		t.Fatal(err)
	}
	a := &canon.Answer{ID: "c", Created: 5, Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: canon.ToolCalls, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{Name: "f", Args: `{"a":1}`}}}}}}
	out := string(codec.WriteAnswer(a, req, canon.NewReport(req)))
	if want := `"content":null,"refusal":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},"logprobs":null,"finish_reason":"function_call"`; !strings.Contains(out, want) {
		t.Errorf("%s", out)
	}
	w := codec.NewWriter(req, canon.NewReport(req))
	var stream []byte
	for _, ev := range streamOf(a) {
		stream = w.Write(stream, &ev)
	}
	stream = w.End(stream)
	for _, want := range []string{`{"role":"assistant","function_call":{"name":"f","arguments":""}}`, `{"function_call":{"arguments":"{\"a"}}`, `"finish_reason":"function_call"`} {
		if !strings.Contains(string(stream), want) {
			t.Errorf("no %s in %s", want, stream)
		}
	}
}

// FuzzChatCodec feeds strangers' bytes to the codec of chat completions, FuzzCompletionsCodec to the older one.
func FuzzChatCodec(f *testing.F) {
	seeds := []string{full}
	for _, m := range malformedChats {
		seeds = append(seeds, m.Body)
	}
	for _, s := range wild() {
		seeds = append(seeds, s.Body, s.Whole)
	}
	llmtest.FuzzCodec(f, openai.New(), llm.Match{Op: llm.Chat}, &canon.Target{Model: "m", Vendor: &catalog.Vendor{}}, "", seeds...)
}

func FuzzCompletionsCodec(f *testing.F) {
	llmtest.FuzzCodec(f, openai.New(), llm.Match{Op: llm.Completions}, &canon.Target{Model: "m"}, "", `{"model":"m","prompt":"Once","logprobs":2,"echo":true}`,
		`{"choices":[{"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-1],"top_logprobs":[{"a":-1}]},"finish_reason":"stop"}]}`,
		"data: {\"choices\":[{\"text\":\"a\",\"index\":0,\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n")
}

// A call of 1 KB and its answer, as they are translated.
var (
	benchRequest = []byte(`{"model":"gpt-4o","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"` + strings.Repeat("What is the weather in Florence? ", 20) + `"}],"temperature":0.7,"max_tokens":500,"tools":[{"type":"function","function":{"name":"weather","description":"Gets it.","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}`)
	benchAnswer  = []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("It is sunny in Florence today. ", 20) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50,"prompt_tokens_details":{"cached_tokens":0}}}`)
)

// BenchmarkTranslatedCall is all four steps of a translated call.
func BenchmarkTranslatedCall(b *testing.B) {
	codec := openai.New().Codec(llm.Chat)
	to := &canon.Target{Model: "gpt-4o", Vendor: &catalog.Vendor{}}
	b.ReportAllocs()
	for b.Loop() {
		req, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, benchRequest)
		if err != nil {
			b.Fatal(err)
		}
		r := canon.NewReport(req)
		if _, err := codec.WriteRequest(req, to, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
		a, err := codec.ReadAnswer(benchAnswer)
		if err != nil {
			b.Fatal(err)
		}
		codec.WriteAnswer(a, req, r)
	}
}

// BenchmarkTranslatedEvent is one event of a stream, read and written.
func BenchmarkTranslatedEvent(b *testing.B) {
	codec := openai.New().Codec(llm.Chat)
	req := &canon.Request{Model: "m"}
	reader, writer := codec.NewReader(), codec.NewWriter(req, canon.NewReport(req))
	ev := llm.Event{Data: []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" sunny"},"logprobs":null,"finish_reason":null}]}`)}
	var events []canon.Event
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = reader.Read(ev, events[:0]); err != nil {
			b.Fatal(err)
		}
		out = out[:0]
		for i := range events {
			out = writer.Write(out, &events[i])
		}
	}
}
