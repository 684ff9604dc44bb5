package openai_test

import (
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/openai"
)

// BenchmarkResponses measures the four steps of a call that crosses, on a body of 1 KiB, and an event of a stream.
func BenchmarkResponses(b *testing.B) {
	codec := openai.New().Codec(llm.Responses)
	body := []byte(`{"model":"m","instructions":"Be brief.","input":[{"role":"user","content":"` + strings.Repeat("word ", 120) + `"},{"role":"assistant","content":"yes"},{"role":"user","content":"And?"}],
		"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":false}],"temperature":0.5,"max_output_tokens":100}`)
	req, err := codec.ReadRequest(llm.Match{}, body)
	if err != nil {
		b.Fatal(err)
	}
	answer := &canon.Answer{ID: "resp_1", Model: "m", Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: canon.Stopped, Parts: []canon.Part{{Text: strings.Repeat("word ", 100)}}}}}
	written := codec.WriteAnswer(answer, req, canon.NewReport(req))
	target := &canon.Target{Model: "gpt-5", Vendor: &catalog.Vendor{}}
	b.Run("ReadRequest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = codec.ReadRequest(llm.Match{}, body)
		}
	})
	b.Run("WriteRequest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = codec.WriteRequest(req, target, canon.NewReport(req))
		}
	})
	b.Run("ReadAnswer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = codec.ReadAnswer(written)
		}
	})
	b.Run("WriteAnswer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			codec.WriteAnswer(answer, req, canon.NewReport(req))
		}
	})
	b.Run("ReadEvent", func(b *testing.B) {
		r := codec.NewReader()
		added := []byte(`{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1"}}`)
		delta := []byte(`{"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" word","logprobs":[]}`)
		out, _ := r.Read(llm.Event{Data: added}, nil)
		b.ReportAllocs()
		for b.Loop() {
			out, _ = r.Read(llm.Event{Data: delta}, out[:0])
		}
	})
	b.Run("WriteEvent", func(b *testing.B) {
		w := codec.NewWriter(req, canon.NewReport(req))
		out := w.Write(nil, &canon.Event{Kind: canon.Start, ID: "x"})
		out = w.Write(out, &canon.Event{Kind: canon.Begin})
		ev := &canon.Event{Kind: canon.Delta, Text: " word"}
		b.ReportAllocs()
		for b.Loop() {
			out = w.Write(out[:0], ev)
		}
	})
}
