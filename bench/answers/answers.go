// Package answers holds what the mock upstream answers and the load generator expects: both sides
// of the benchmark read the same table, so that every answer's length and end can be checked
// whatever stands between them.
package answers

import (
	"bytes"
	"fmt"
	"strings"
)

// The paths that the mock upstream serves.
const (
	PathREST1K  = "/rest/1k"
	PathREST64K = "/rest/64k"
	PathChat    = "/v1/chat/completions"
	// PathMessages answers the same in Anthropic's dialect, for calls that a gateway translates.
	PathMessages = "/v1/messages"
)

// The model as callers name it and as the upstream knows it. They are equally long, so that an
// answer has the same length whether or not a gateway writes the caller's name back into it.
const (
	CallerModel   = "bench-fast"
	UpstreamModel = "bench-slow"
	// CrossModel is a model of a provider that speaks Anthropic's dialect: a proxy that does not translate passes the
	// call on to PathChat.
	CrossModel = "bench-turn"
)

// Sizes in bytes.
const (
	SizeREST1K  = 1 << 10
	SizeREST64K = 64 << 10
	SizeChat    = 1 << 10
	// EventSize is one event of a stream, "data: " and the blank line included.
	EventSize = 250
	// StampSize is the time an event was written: nanoseconds since 1970, lower-case hex.
	StampSize = 16
)

// Done is the last event of every whole stream.
const Done = "data: [DONE]\n\n"

const eventHead = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"` +
	UpstreamModel + `","choices":[{"index":0,"delta":{"content":"`

// StampOffset is where in an event its time begins.
const StampOffset = len(eventHead)

// StreamLength is the length in bytes of a whole stream of n events and Done.
func StreamLength(n int) int64 { return int64(n)*EventSize + int64(len(Done)) }

// JSON is a JSON object of exactly size bytes, at least 64: a list of orders, padded.
func JSON(size int) []byte {
	const head, tail = `{"orders":[`, `],"pad":""}`
	var b bytes.Buffer
	b.WriteString(head)
	for i := 0; ; i++ {
		row := fmt.Sprintf(`{"id":%d,"item":"a thing","quantity":%d,"price":"12.50"}`, i, i%7+1)
		if b.Len()+len(row)+1+len(tail) > size {
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(row)
	}
	pad := size - b.Len() - len(tail)
	b.WriteString(`],"pad":"` + strings.Repeat("x", pad) + `"}`)
	return b.Bytes()
}

// Chat is a chat completion of exactly SizeChat bytes, with its usage.
func Chat() []byte {
	const head = `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"` + UpstreamModel +
		`","choices":[{"index":0,"message":{"role":"assistant","content":"`
	const tail = `"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":180,"total_tokens":222}}`
	return []byte(head + words(SizeChat-len(head)-len(tail)) + tail)
}

// Event is one event of a stream, EventSize bytes long, its time all zeros. The last one carries
// the finish reason that the dialect asks for.
func Event(last bool) []byte {
	tail := `"},"finish_reason":null}]}` + "\n\n"
	if last {
		tail = `"},"finish_reason":"stop"}]}` + "\n\n"
	}
	text := strings.Repeat("0", StampSize) + words(EventSize-len(eventHead)-len(tail)-StampSize)
	return []byte(eventHead + text + tail)
}

// Usage is the event that carries a stream's usage, sent before Done to a caller who asked.
func Usage() []byte {
	return []byte(`data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"` + UpstreamModel +
		`","choices":[],"usage":{"prompt_tokens":42,"completion_tokens":200,"total_tokens":242}}` + "\n\n")
}

// PutStamp writes a time in nanoseconds into the StampSize bytes of b.
func PutStamp(b []byte, nanoseconds int64) {
	const digits = "0123456789abcdef"
	for i := StampSize - 1; i >= 0; i-- {
		b[i] = digits[nanoseconds&15]
		nanoseconds >>= 4
	}
}

// ChatRequest is the body of a chat call as a caller sends it: about 1 KB, with a system prompt
// and a short conversation, as the usual SDKs write it.
func ChatRequest(model string, stream bool) []byte {
	flag := ""
	if stream {
		flag = `,"stream":true`
	}
	return []byte(`{"model":"` + model + `","messages":[{"role":"system","content":"` + words(400) +
		`"},{"role":"user","content":"` + words(300) + `"}],"temperature":0.2,"max_tokens":512` + flag + `}`)
}

func words(n int) string {
	const text = "the quick brown fox jumps over the lazy dog and runs on into the deep green wood "
	return strings.Repeat(text, n/len(text)+1)[:n]
}

// Message is Chat's answer in Anthropic's dialect.
func Message() []byte {
	return []byte(`{"id":"msg_bench","type":"message","role":"assistant","model":"` + UpstreamModel + `","content":[{"type":"text","text":"` +
		words(MessageText) + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":42,"output_tokens":180}}`)
}

// MessageText is how long the text of Message is: no translation of it can be shorter.
const MessageText = 740

// MessageBegin begins a stream of Anthropic's dialect, and MessageEnd ends it.
func MessageBegin() []byte {
	return []byte("event: message_start\ndata: " + `{"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"` + UpstreamModel +
		`","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":42,"output_tokens":1}}}` + "\n\n" +
		"event: content_block_start\ndata: " + `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n")
}

// MessageEnd is MessageBegin's other half.
func MessageEnd() []byte {
	return []byte("event: content_block_stop\ndata: " + `{"type":"content_block_stop","index":0}` + "\n\n" +
		"event: message_delta\ndata: " + `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}}` + "\n\n" +
		"event: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n")
}

const messageEventHead = "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`

// MessageStampOffset is where in an event of MessageEvent its time begins.
const MessageStampOffset = len(messageEventHead)

// MessageEvent is Event in Anthropic's dialect, of the same text.
func MessageEvent() []byte {
	const text = EventSize - len(eventHead) - len(`"},"finish_reason":null}]}`+"\n\n")
	return []byte(messageEventHead + strings.Repeat("0", StampSize) + words(text-StampSize) + `"}}` + "\n\n")
}

// Content is what stands before the stamp in every event of Chat's dialect that carries text, whoever wrote the event.
const Content = `"content":"`
