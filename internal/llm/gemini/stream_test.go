package gemini_test

import (
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/llmtest"
)

const array = "[{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a]},\\\"[{\"}]}}],\"modelVersion\":\"m\"}\n,\r\n" +
	"{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"b\"}]},\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": 3,\"candidatesTokenCount\": 2}}\n]\n"

func follow(body string, size int, clean bool) (out string, end llm.End, stream *llm.Stream) {
	stream = gemini.New().FramedStream(llm.Chat, "application/json; charset=UTF-8")
	take := func(pieces [][]byte) {
		for _, p := range pieces {
			out += string(p)
		}
	}
	for len(body) > 0 {
		n := min(size, len(body))
		take(stream.Feed([]byte(body[:n]), nil))
		body = body[n:]
	}
	pieces, end := stream.Finish(clean, nil)
	take(pieces)
	return out, end, stream
}

func TestArraysPassByteForByte(t *testing.T) {
	for size := 1; size <= len(array); size++ {
		out, end, stream := follow(array, size, true)
		if st := stream.State(); out != array || !end.Complete || st.Finish != "STOP" || st.Usage != used(3, 2, -1, -1) || !st.Content {
			t.Fatalf("in pieces of %d: %+v, %+v, %q", size, end, st, out)
		}
	}
	if gemini.New().FramedStream(llm.Chat, "text/html") != nil || gemini.New().FramedStream(llm.Embeddings, "application/json") != nil {
		t.Error("other answers are taken for streams")
	}
}

// TestAnArrayThatBreaksEndsWithOurError cuts an array at every byte: it never looks whole, and with our error behind it,
// it is JSON whose last element is the error.
func TestAnArrayThatBreaksEndsWithOurError(t *testing.T) {
	whole := strings.LastIndexByte(array, ']') + 1
	f := &llm.Failure{Kind: fault.TruncatedStream, Status: 502, Sentence: "It ended early.", CallID: "01J"}
	for cut := range whole {
		for _, clean := range []bool{true, false} {
			out, end, stream := follow(array[:cut], 5, clean)
			if end.Complete {
				t.Fatalf("cut at %d: complete", cut)
			}
			text := gemini.New().AppendErrorEvent([]byte(out), llm.Chat, f, stream.State())
			var list []struct {
				Error struct {
					Code   int
					Status string
				}
			}
			if err := json.Unmarshal(text, &list); err != nil || list[len(list)-1].Error.Code != 502 || list[len(list)-1].Error.Status != "UNAVAILABLE" {
				t.Fatalf("cut at %d: %v: %s", cut, err, text)
			}
		}
	}
	// An array that ends in order and without a finish reason is not whole either.
	out, end, stream := follow(`[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}]`, 1<<20, true)
	if end.Complete || end.Kind != fault.TruncatedStream || !json.Valid(gemini.New().AppendErrorEvent([]byte(out), llm.Chat, f, stream.State())) {
		t.Errorf("%+v, %q", end, out)
	}
}

func TestWhatIsNoArray(t *testing.T) {
	for _, bad := range []string{"<html>", "data: {}\n\n", `[1]`, `["a"]`, `[{}{}]`, `[,{}]`, `[{},,{}]`, `[{},]`, `[null]`, `}`, array + "{}", `[{"a":}]`} {
		for _, size := range []int{1, 1 << 20} {
			if out, end, _ := follow(bad, size, true); end.Complete || end.Kind != fault.MalformedStream || end.Problem == "" {
				t.Errorf("%q: %+v, %q", bad, end, out)
			}
		}
	}
}

// TestErrorsInsideStreams: an error ends a stream as an event, as an element, and as Google sends it: alone, over lines.
func TestErrorsInsideStreams(t *testing.T) {
	const event = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a\"}]}}]}\r\n\r\n"
	const problem = "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"The model is overloaded. Please try again later.\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n"
	for name, body := range map[string]string{
		"alone": event + problem, "alone and first": problem, "in an array": event + "[" + strings.TrimSpace(problem) + "]\n", "an event with an array": event + "data: [{\"error\":{\"code\":503,\"message\":\"x\",\"status\":\"UNAVAILABLE\"}}]\n\n",
		"with a blank line": event + problem + "\n",
	} {
		for _, size := range []int{1, 1 << 20} {
			stream := gemini.New().NewStream(llm.Chat, false)
			out := ""
			for rest := body; rest != ""; rest = rest[min(size, len(rest)):] {
				for _, p := range stream.Feed([]byte(rest[:min(size, len(rest))]), nil) {
					out += string(p)
				}
			}
			_, end := stream.Finish(true, nil)
			if end.Kind != fault.StreamError || stream.State().Error.Kind != fault.Overloaded || stream.State().Error.Status != 503 || strings.Contains(out, "error") {
				t.Errorf("%s: %+v, %+v, %q", name, end, stream.State().Error, out)
			}
		}
	}
	for _, body := range []string{"[" + problem + "]", problem, strings.Replace(array, "\n]", "\n,"+problem+"]", 1)} {
		if _, end, stream := follow(body, 3, true); end.Kind != fault.StreamError || stream.State().Error.Kind != fault.Overloaded {
			t.Errorf("%q: %+v", body, end)
		}
	}
}

// TestTheCallerGetsTheFramingItAskedFor: without alt=sse Gemini's stream is an array.
func TestTheCallerGetsTheFramingItAskedFor(t *testing.T) {
	codec := gemini.New().Codec(llm.Chat)
	for query, framed := range map[string]bool{"": true, "alt=sse": false, "x=1&alt=sse": false, "alt=json": true} {
		req, err := codec.ReadRequest(llm.Match{Op: llm.Chat, Model: "m", Stream: true, Query: query}, []byte(`{"contents":[{"parts":[{"text":"a"}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		w := codec.NewWriter(req, canon.NewReport(req))
		if got := w.ContentType() == "application/json"; got != framed {
			t.Errorf("%q: %s", query, w.ContentType())
		}
		if !framed {
			continue
		}
		crossed := llmtest.CrossPieces(t, gemini.New(), llm.Chat, "application/json", []byte(array), 3, w)
		var list []any
		if err := json.Unmarshal(crossed.Out, &list); err != nil || len(list) < 2 {
			t.Errorf("%v: %s", err, crossed.Out)
		}
		back := llmtest.CrossPieces(t, gemini.New(), llm.Chat, w.ContentType(), crossed.Out, 7, nil)
		if d := llmtest.Diff(llmtest.PlainAnswer(&crossed.Fold.Answer), llmtest.PlainAnswer(&back.Fold.Answer)); len(d) > 0 || !back.End.Complete {
			t.Errorf("%q, %+v: %s", d, back.End, crossed.Out)
		}
		empty := codec.NewWriter(req, canon.NewReport(req))
		if text := gemini.New().AppendErrorEvent(nil, llm.Chat, &llm.Failure{Status: 502}, empty.State()); !json.Valid(text) || text[0] != '[' {
			t.Errorf("an error before the first chunk: %s", text)
		}
	}
}

// TestCallsAreWrittenWhole: other dialects send a call's arguments in pieces and several calls at once.
func TestCallsAreWrittenWhole(t *testing.T) {
	req := &canon.Request{Dialect: "gemini", Op: llm.Chat, Model: "m", Stream: true}
	report := canon.NewReport(req)
	w := gemini.New().Codec(llm.Chat).NewWriter(req, report)
	call := func(part int, kind canon.EventKind, text string) canon.Event {
		return canon.Event{Kind: kind, Part: part, PartKind: canon.ToolCall, Text: text}
	}
	begin := func(part int, id string) canon.Event {
		return canon.Event{Kind: canon.Begin, Part: part, PartKind: canon.ToolCall, Call: &canon.Call{ID: id, Name: "f"}}
	}
	usage := canon.NoUsage()
	usage.Input, usage.Output = 1, 2
	var out []byte
	for _, ev := range []canon.Event{
		{Kind: canon.Start, ID: "r", Model: "gpt"},
		{Kind: canon.Beat},
		begin(0, "a"), begin(1, "b"), begin(2, "c"),
		call(0, canon.Delta, "{\n\"x\":\r\n"), call(1, canon.Delta, `not `), call(0, canon.Delta, `1}`), call(1, canon.Delta, `JSON`),
		call(0, canon.EndPart, ""), call(1, canon.EndPart, ""), call(2, canon.EndPart, ""),
		{Kind: canon.Finished, Finish: canon.ToolCalls, FinishRaw: "tool_calls"},
		{Kind: canon.Used, Usage: &usage},
	} {
		out = w.Write(out, &ev)
	}
	out = w.End(out)
	const frame = `,"modelVersion":"gpt","responseId":"r"}` + "\n\n"
	want := `data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{ "x":  1}}}],"role":"model"},"index":0}]` + frame + // a line end would end the event
		`data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"b","name":"f","args":{"input":"not JSON"}}}],"role":"model"},"index":0}]` + frame +
		`data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"c","name":"f","args":{}}}],"role":"model"},"index":0}]` + frame +
		`data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3}` + frame
	if string(out) != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
	if got := report.Header(); got != "answer.arguments;approximated" {
		t.Errorf("report %s", got)
	}
}

func BenchmarkEvent(b *testing.B) {
	codec := gemini.New().Codec(llm.Chat)
	req := &canon.Request{Dialect: "gemini", Op: llm.Chat, Model: "m", Stream: true}
	r, w := codec.NewReader(), codec.NewWriter(req, canon.NewReport(req))
	ev := llm.Event{Data: []byte(`{"candidates": [{"content": {"parts": [{"text": "The sum of 2 and 3 is 5, and their product is 6"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 211,"candidatesTokenCount": 18,"totalTokenCount": 249,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 211}],"thoughtsTokenCount": 20},"modelVersion": "gemini-3.1-pro-preview","responseId": "VgCzafjWBa_Qz7IP1KnJoQk"}`)}
	var out []canon.Event
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = r.Read(ev, out[:0])
		dst = dst[:0]
		for i := range out {
			dst = w.Write(dst, &out[i])
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	codec := gemini.New().Codec(llm.Chat)
	body := []byte(`{"contents":[{"role":"user","parts":[{"text":"` + strings.Repeat("Tell me in a few sentences what a gateway does. ", 18) + `"}]}],"generationConfig":{"temperature":0.7,"maxOutputTokens":100}}`)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = codec.ReadRequest(llm.Match{Op: llm.Chat}, body)
		}
	})
	req, _ := codec.ReadRequest(llm.Match{Op: llm.Chat}, body)
	req.Dialect = "openai"
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = codec.WriteRequest(req, &canon.Target{Model: "gemini-2.5-flash"}, canon.NewReport(req))
		}
	})
}
