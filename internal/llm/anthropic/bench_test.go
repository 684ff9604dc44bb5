package anthropic_test

import (
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/canon"
)

// BenchmarkWriteRequest writes a call of about 1 KB of another dialect.
func BenchmarkWriteRequest(b *testing.B) {
	req := another(b, `{"messages":[{"role":"system","content":"You are a helpful assistant that answers in one word where one word will do."},{"role":"user","content":"What is the capital of France?"},{"role":"assistant","content":"Paris"},{"role":"user","content":"And what is the weather there?"}],
		"tools":[{"name":"get_weather","description":"Gets the current weather for a city","parameters":{"type":"object","properties":{"city":{"type":"string","description":"City name"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"]}}],"max_tokens":500,"temperature":0.5,"stream":true}`)
	to, codec := target("claude-sonnet-4-5"), anthropic.New().Codec(llm.Chat)
	b.ReportAllocs()
	for b.Loop() {
		report := canon.NewReport(req)
		if _, err := codec.WriteRequest(req, to, report); err != nil {
			b.Fatal(err)
		}
		report.Close()
	}
}

func BenchmarkReadRequest(b *testing.B) {
	body := []byte(recorded(b)["anthropic-0104"].Request)
	body = append([]byte(`{"max_tokens":5,`), body[1:]...)
	codec := anthropic.New().Codec(llm.Chat)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	body := []byte(recorded(b)["anthropic-0016"].Body)
	codec := anthropic.New().Codec(llm.Chat)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.ReadAnswer(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteAnswer(b *testing.B) {
	codec := anthropic.New().Codec(llm.Chat)
	answer, err := codec.ReadAnswer([]byte(recorded(b)["anthropic-0016"].Body))
	if err != nil {
		b.Fatal(err)
	}
	req := &canon.Request{Dialect: "anthropic"}
	report := canon.NewReport(req)
	b.ReportAllocs()
	for b.Loop() {
		codec.WriteAnswer(answer, req, report)
	}
}

// BenchmarkStreamEvent reads one delta and writes it again.
func BenchmarkStreamEvent(b *testing.B) {
	codec := anthropic.New().Codec(llm.Chat)
	reader, req := codec.NewReader(), &canon.Request{Dialect: "anthropic"}
	writer := codec.NewWriter(req, canon.NewReport(req))
	var events []canon.Event
	var out []byte
	step := func(data string) {
		var err error
		if events, err = reader.Read(llm.Event{Data: []byte(data)}, events[:0]); err != nil {
			b.Fatal(err)
		}
		for i := range events {
			out = writer.Write(out[:0], &events[i])
		}
	}
	step(`{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":1}}}`)
	step(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	b.ReportAllocs()
	for b.Loop() {
		step(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" information for Florence, Italy. I have"}               }`)
	}
}
