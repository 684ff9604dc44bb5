package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// through feeds body in pieces of size bytes and returns what goes out.
func through(s *llm.Stream, body string, size int) (out string, end llm.End) {
	var all strings.Builder
	take := func(pieces [][]byte) {
		for _, p := range pieces {
			all.Write(p)
		}
	}
	for from := 0; from < len(body); from += size {
		take(s.Feed([]byte(body[from:min(from+size, len(body))]), nil))
	}
	pieces, end := s.Finish(true, nil)
	take(pieces)
	return all.String(), end
}

const (
	first   = `data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	hello   = `data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}` + "\n\n"
	stopped = `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	counted = `data: {"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}` + "\n\n"
	done    = "data: [DONE]\n\n"
)

func TestUsageThatOnlyWeAskedForIsTakenOut(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"the last chunk", first + hello + stopped + counted + done, first + hello + stopped + done},
		{"the null after a member", `data: {"choices":[{"index":0}],"usage":null,"obfuscation":"x"}` + "\n\n", `data: {"choices":[{"index":0}],"obfuscation":"x"}` + "\n\n"},
		{"the null at the end", `data: {"choices":[{"index":0}] , "usage" : null }` + "\n\n", `data: {"choices":[{"index":0}]  }` + "\n\n"},
		{"the null at the start", `data: { "usage":null , "choices":[{"index":0}]}` + "\n\n", `data: { "choices":[{"index":0}]}` + "\n\n"},
		{"the null alone", `data: {"usage":null}` + "\n\n", `data: {}` + "\n\n"},
		{"not a null inside a choice", `data: {"choices":[{"index":0,"usage":null}]}` + "\n\n", `data: {"choices":[{"index":0,"usage":null}]}` + "\n\n"},
		{"not usage beside a choice", `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}` + "\n\n", `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}` + "\n\n"},
		{"not a chunk without choices", `data: {"choices":[],"prompt_filter_results":[]}` + "\n\n", `data: {"choices":[],"prompt_filter_results":[]}` + "\n\n"},
		{"not a chunk over several lines", "data: {\"choices\":[],\ndata: \"usage\":null}\n\n", "data: {\"choices\":[],\ndata: \"usage\":null}\n\n"},
		{"CRLF", strings.ReplaceAll(hello+counted+done, "\n", "\r\n"), strings.ReplaceAll(hello+done, "\n", "\r\n")},
		{"CR", strings.ReplaceAll(hello+counted+done, "\n", "\r"), strings.ReplaceAll(hello+done, "\n", "\r")},
	} {
		t.Run(c.name, func(t *testing.T) {
			tail := ""
			if !strings.Contains(c.in, "[DONE]") {
				tail = done
			}
			for size := 1; size < len(c.in)+len(tail); size++ {
				stream := openai.New().NewStream(llm.Chat, true)
				if out, end := through(stream, c.in+tail, size); out != c.out+tail || !end.Complete {
					t.Fatalf("pieces of %d: %+v\n got %q\nwant %q", size, end, out, c.out+tail)
				}
			}
			if out, _ := through(openai.New().NewStream(llm.Chat, false), c.in+tail, len(c.in)); out != c.in+tail {
				t.Errorf("without strip it came out as %q", out)
			}
		})
	}
}

// TestStrippedRecordings strips every recorded stream: the rest reads the same, without what is
// only there because usage was asked for.
func TestStrippedRecordings(t *testing.T) {
	all := recorded(t)
	for _, c := range streamed {
		stream := openai.New().NewStream(llm.Chat, true)
		out, end := through(stream, all[c.id].Body, 100)
		if !end.Complete || stream.State().Usage != c.usage {
			t.Errorf("%s: %+v, usage %+v", c.id, end, stream.State().Usage)
		}
		for _, event := range strings.Split(strings.ReplaceAll(out, "\r\n", "\n"), "\n\n") {
			data, ok := strings.CutPrefix(strings.TrimSpace(event), "data: ")
			if !ok || data == "[DONE]" {
				continue
			}
			var chunk map[string]json.RawMessage
			if err := json.Unmarshal([]byte(data), &chunk); err != nil {
				t.Fatalf("%s: %v in %.300q", c.id, err, data)
			}
			usage, has := chunk["usage"]
			if has && (string(usage) == "null" || string(chunk["choices"]) == "[]") {
				t.Errorf("%s: left over: %.300s", c.id, data)
			}
		}
	}
}

func TestWhenAStreamIsWhole(t *testing.T) {
	second := strings.ReplaceAll(hello, `"index":0`, `"index":1`)
	secondStopped := strings.ReplaceAll(stopped, `"index":0`, `"index":1`)
	for _, c := range []struct {
		name, body string
		complete   bool
		content    bool
	}{
		{"with its terminal event", first + hello + stopped + done, true, true},
		{"with its terminal event, without finish reason", first + hello + done, true, true},
		{"ended after the finish reason", first + hello + stopped, true, true},
		{"ended after the finish reason and usage", first + hello + stopped + counted, true, true},
		{"ended without either", first + hello, false, true},
		{"two choices, one finished", first + hello + second + stopped, false, true},
		{"two choices, both finished", first + hello + second + stopped + secondStopped, true, true},
		{"only the role", first, false, false},
		{"only usage", counted, false, false},
		{"a finish reason that is empty", first + hello + strings.ReplaceAll(stopped, `"stop"`, `""`), false, true},
		{"only a tool call", first + `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a"}]},"finish_reason":null}]}` + "\n\n", false, true},
		{"only reasoning", first + `data: {"choices":[{"index":0,"delta":{"content":"","reasoning_content":"Hm"}}]}` + "\n\n", false, true},
		{"the terminal event without blank line", first + hello + "data: [DONE]", true, true},
		{"the last event without blank line", first + hello + strings.TrimSpace(stopped), true, true},
		{"ended inside the event after the finish reason", first + hello + stopped + counted[:30], false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := openai.New().NewStream(llm.Chat, false)
			out, end := through(stream, c.body, 10)
			if end.Complete != c.complete || stream.State().Content != c.content {
				t.Errorf("%+v, content %v", end, stream.State().Content)
			}
			if c.complete && out != c.body {
				t.Errorf("came out as %q", out)
			}
		})
	}
}

func TestErrorEventsOfVendors(t *testing.T) {
	for _, c := range []struct {
		name, event string
		kind        fault.Kind
		status      int
	}{
		{
			"OpenRouter", `data: {"id":"x","object":"chat.completion.chunk","model":"m","error":{"code":502,"message":"Provider disconnected unexpectedly"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`,
			fault.ProviderError, 502,
		},
		{"OpenRouter's limit", `data: {"error":{"code":429,"message":"Rate limited"}}`, fault.ProviderRateLimited, 429},
		{"vLLM", `data: {"error":{"object":"error","message":"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}`, fault.ProviderError, 500},
		{"Mistral", `data: {"object":"error","message":"Service unavailable.","type":"internal_server_error","param":null,"code":"1000"}`, fault.ProviderError, 0},
		{"a finish reason alone", `data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`, fault.ProviderError, 0},
		{"a named event", "event: error\ndata: {\"message\":\"insufficient balance\"}", fault.QuotaExhausted, 0},
		{"a bare text", `data: {"error":"upstream timed out"}`, fault.ProviderError, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := openai.New().NewStream(llm.Chat, false)
			out, end := through(stream, first+c.event+"\n\n"+done, 1000)
			e := stream.State().Error
			if out != first || end.Kind != fault.StreamError || e.Kind != c.kind || e.Status != c.status {
				t.Errorf("%+v, error %+v, out %q", end, e, out)
			}
			if string(stream.ErrorFrame()) != c.event+"\n\n" {
				t.Errorf("frame %q", stream.ErrorFrame())
			}
		})
	}
	for _, harmless := range []string{`data: {"error":null,"choices":[]}`, `data: {"error":{},"choices":[]}`, `data: {"error":"","choices":[]}`} {
		stream := openai.New().NewStream(llm.Chat, false)
		if _, end := through(stream, first+harmless+"\n\n"+done, 1000); !end.Complete {
			t.Errorf("%s: %+v", harmless, end)
		}
	}
}

func TestRecordedResponsesPassAndAreUnderstood(t *testing.T) {
	all := recorded(t)
	for _, c := range []struct {
		id    string
		usage journey.Usage
	}{
		{"openai-0081", used(104, 51, 0, -1, 0)},
		{"openai-0089", used(109, 223, 0, -1, 128)},
		{"openai-0262", used(87, 339, 0, 0, 256)},
		{"deepseek-0029", used(95, 14, 0, -1, 12)},
		{"xai-0023", used(340, 105, 320, -1, 83)},
		{"azure-0009", used(19, 208, 0, -1, 192)},
	} {
		t.Run(c.id, func(t *testing.T) {
			body := all[c.id].Body
			for _, size := range []int{1, 7, 1000, len(body)} {
				stream := openai.New().NewStream(llm.Responses, true)
				out, end := through(stream, body, size)
				st := stream.State()
				if out != body || !end.Complete || !st.Done || !st.Content || st.Finish != "completed" || st.Sequence < 0 {
					t.Fatalf("%+v, %+v, same %v", end, st, out == body)
				}
				if st.Usage != c.usage {
					t.Fatalf("usage %+v", st.Usage)
				}
			}
			// Without its last event it is never whole.
			cut := strings.LastIndex(body, "event: response.completed")
			if cut < 0 {
				t.Fatal("no response.completed in the recording")
			}
			stream := openai.New().NewStream(llm.Responses, false)
			if _, end := through(stream, body[:cut], 1000); end.Kind != fault.TruncatedStream {
				t.Errorf("without its last event: %+v", end)
			}
		})
	}
}

func TestResponsesThatFail(t *testing.T) {
	const created = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\",\"error\":null,\"usage\":null}}\n\n"
	for _, c := range []struct {
		name, event string
		kind        fault.Kind
	}{
		{"response.failed", "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":1,\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"Too many.\"}}}\n\n", fault.ProviderRateLimited},
		{"error", "event: error\ndata: {\"type\":\"error\",\"sequence_number\":1,\"code\":\"server_error\",\"message\":\"Broken.\",\"param\":null}\n\n", fault.ProviderError},
		{"error with an object", "event: error\ndata: {\"type\":\"error\",\"sequence_number\":1,\"error\":{\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\",\"message\":\"No money.\"}}\n\n", fault.QuotaExhausted},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := openai.New().NewStream(llm.Responses, false)
			out, end := through(stream, created+c.event, 13)
			if out != created || end.Kind != fault.StreamError || stream.State().Error.Kind != c.kind || stream.State().Error.Message == "" {
				t.Errorf("%+v, %+v", end, stream.State().Error)
			}
		})
	}
	stream := openai.New().NewStream(llm.Responses, false)
	incomplete := "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"sequence_number\":9,\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"usage\":{\"input_tokens\":5,\"output_tokens\":7,\"total_tokens\":12}}}\n\n"
	if out, end := through(stream, created+incomplete, 13); !end.Complete || out != created+incomplete || stream.State().Finish != "max_output_tokens" || stream.State().Usage.Output != 7 {
		t.Errorf("response.incomplete: %+v, %+v", end, stream.State())
	}
}

func TestErrorEventOfResponsesContinuesTheSequence(t *testing.T) {
	dialect := openai.New()
	broken := dialect.NewStream(llm.Responses, false)
	body := recorded(t)["openai-0081"].Body
	before := body[:strings.LastIndex(body, "event: response.completed")]
	through(broken, before, 1000)
	f := &llm.Failure{Kind: fault.ResetMidBody, Status: 502, Sentence: "It broke.", CallID: "01J", Members: []byte(`{"kind":"reset_mid_body"}`)}
	event := dialect.AppendErrorEvent(nil, llm.Responses, f, broken.State())
	data, ok := strings.CutPrefix(string(event), "event: error\ndata: ")
	var got struct {
		Type           string
		Code           string
		SequenceNumber int64 `json:"sequence_number"`
		Error          struct{ Causeway map[string]string }
	}
	if err := json.Unmarshal([]byte(data), &got); err != nil || !ok {
		t.Fatalf("%v: %s", err, event)
	}
	if got.Type != "error" || got.Code != "reset_mid_body" || got.SequenceNumber != broken.State().Sequence+1 || got.Error.Causeway["kind"] != "reset_mid_body" {
		t.Errorf("%+v after sequence number %d", got, broken.State().Sequence)
	}
	stream := dialect.NewStream(llm.Responses, false)
	if out, end := through(stream, before+string(event), 100); out != before || end.Kind != fault.StreamError {
		t.Errorf("%+v", end)
	}
}

func FuzzStream(f *testing.F) {
	for _, x := range llmtest.Lines[llmtest.Exchange](f, "testdata/recorded.jsonl") {
		if x.Streamed() && len(x.Body) < 6000 {
			f.Add([]byte(x.Body), 9, 300, false)
		}
	}
	for _, body := range []string{first + hello + stopped + counted + done, "data: {\"usage\":null}\r\r\n\r\n", "\ufeffdata: [DONE]\r\r", ": x\n\ndata:\n\ndata\n\n", "event: error\ndata: {}\n\n"} {
		f.Add([]byte(body), 1, 2, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, a, b int, strip bool) {
		a = min(max(a, 0), len(body))
		b = min(max(b, a), len(body))
		for _, op := range []llm.Operation{llm.Chat, llm.Responses} {
			whole := openai.New().NewStream(op, strip)
			want, wantEnd := through(whole, string(body), max(len(body), 1))
			split := openai.New().NewStream(op, strip)
			var got strings.Builder
			for _, p := range [][]byte{body[:a], body[a:b], body[b:]} {
				p = []byte(string(p))
				for _, out := range split.Feed(p, nil) {
					got.Write(out)
				}
			}
			pieces, end := split.Finish(true, nil)
			for _, out := range pieces {
				got.Write(out)
			}
			if got.String() != want || end != wantEnd || split.State().Usage != whole.State().Usage || split.State().Content != whole.State().Content {
				t.Fatalf("split at %d, %d: %+v %q\nwhole: %+v %q", a, b, end, got.String(), wantEnd, want)
			}
			if !strip && !strings.HasPrefix(string(body), want) {
				t.Fatalf("%q came out of %q", want, body)
			}
			if !strip && end.Complete && want != string(body) && whole.State().Done == false {
				t.Fatalf("complete, but %q came out of %q", want, body)
			}
			if !end.Complete && end.Kind == "" {
				t.Fatalf("a clean end without verdict: %+v", end)
			}
		}
	})
}

func BenchmarkStream(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-DuLdMEdkw5VsZSxKY3i9G934hT7LM","object":"chat.completion.chunk","created":1782321900,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_4fa7959453","usage":null,"choices":[{"index":0,"delta":{"content":" gateway"},"logprobs":null,"finish_reason":null}],"obfuscation":"9Szx"}` + "\n\n")
	for name, strip := range map[string]bool{"pass": false, "strip": true} {
		b.Run(name, func(b *testing.B) {
			stream := openai.New().NewStream(llm.Chat, strip)
			out := make([][]byte, 0, 4)
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				stream.Feed(event, out)
			}
		})
	}
	b.Run("two pieces", func(b *testing.B) {
		stream := openai.New().NewStream(llm.Chat, false)
		out := make([][]byte, 0, 4)
		b.ReportAllocs()
		for b.Loop() {
			stream.Feed(event[:100], out)
			stream.Feed(event[100:], out)
		}
	})
}

func BenchmarkReadRequest(b *testing.B) {
	text := strings.Repeat(`Tell me what an API gateway does and why a 502 can have so many causes. `, 12)
	body := []byte(`{"model":"gpt-4o-mini","temperature":0.7,"stream":true,"messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"` + text + `"}],"max_tokens":256}`)
	dialect := openai.New()
	var req llm.Request
	var dst []byte
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if dialect.ReadRequest(&req, llm.Match{Op: llm.Chat}, body) != nil {
			b.Fatal()
		}
		dst = req.Rewrite(dst[:0], body, "llama-3.3-70b", true)
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	body := []byte(recorded(b)["openai-0064"].Body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		openai.New().ReadAnswer(llm.Chat, body)
	}
}
