package ollama_test

import (
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/ollama"
)

// BenchmarkCall is a chat of this dialect read, written for a provider, and its answer brought back.
func BenchmarkCall(b *testing.B) {
	all := exchanges(b)
	body, answer := []byte(all["ollama-0029"].Request), []byte(all["ollama-0029"].Body)
	codec := ollama.New().Codec(llm.Chat)
	to := &canon.Target{Model: "m", Vendor: &catalog.Vendor{}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, body)
		if err != nil {
			b.Fatal(err)
		}
		r := canon.NewReport(req)
		if _, err := codec.WriteRequest(req, to, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
		a, err := codec.ReadAnswer(answer)
		if err != nil {
			b.Fatal(err)
		}
		codec.WriteAnswer(a, req, r)
	}
}

// BenchmarkEvent is one event of a stream, judged, read and written.
func BenchmarkEvent(b *testing.B) {
	d := ollama.New()
	body := exchanges(b)["ollama-0032"].Body
	codec := d.Codec(llm.Chat)
	req := &canon.Request{Dialect: "ollama", Op: llm.Chat}
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		events += llmtest.CrossPieces(b, d, llm.Chat, "application/x-ndjson", []byte(body), len(body), codec.NewWriter(req, canon.NewReport(req))).Events
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
