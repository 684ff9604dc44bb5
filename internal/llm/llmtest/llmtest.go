// Package llmtest is the suite that every dialect passes: requests are read and rewritten without
// touching anything else, streams come out the same however they were cut on the way in, and no
// answer that broke ever looks finished. It also holds a small implementation of Anthropic's
// dialect, by which the suite shows that it asks for nothing that only OpenAI's has.
package llmtest

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
)

// Suite is what the suite needs to know of a dialect. The first request and the first stream
// are those that are broken in every way.
type Suite struct {
	Dialect  llm.Dialect
	Op       llm.Operation // the operation of Requests, Answers and Streams
	Requests []Request
	Answers  []Answer
	Streams  []Stream
	Errors   []Error

	// Read lists the outermost members that ReadRequest reads.
	Read []string
	// Terminal is a text that only a terminal event contains, such as "[DONE]"; "" where there is no such event.
	Terminal string
	// ErrorEvent is a provider's error event, framing included, and ErrorKind what it means.
	ErrorEvent string
	ErrorKind  fault.Kind
	// NeedsTerminal tells that an answer without terminal event is never whole.
	NeedsTerminal bool
	// InPath tells that the address names the model and whether the answer is to be a stream.
	InPath bool
	// BareError tells that our own error event is the error body on a line by itself and no event.
	BareError bool
	// Lines tells that streams are lines of JSON (NDJSON) and not server-sent events.
	Lines bool
	// Frames splits the body of a stream that is made of binary frames, not server-sent events; what is cut off is its
	// last piece. Payload is then the JSON in a frame, and BadFrames are bytes that are none.
	Frames    func(body string) []string
	Payload   func(frame []byte) []byte
	BadFrames []string
}

// Request is a request and what is to be read in it.
type Request struct {
	Name       string
	Body       string
	Model      string
	Stream     bool
	UsageAsked bool
}

// Answer is a whole answer that is not streamed, and what is to be read in it.
type Answer struct {
	Name   string
	Body   string
	Usage  journey.Usage
	Finish string
}

// Stream is a whole streamed answer, and what is to be read in it.
type Stream struct {
	Name   string
	Body   string
	Usage  journey.Usage
	Finish string
}

// Error is a provider's answer with a status that is not 2xx, and what it means.
type Error struct {
	Name    string            `json:"name"`
	Source  string            `json:"source"` // where the fixture is from
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Kind    fault.Kind        `json:"kind"`
	Valid   bool              `json:"valid"` // the body is an error of the dialect
}

// Header looks up a field as ReadError asks for it.
func (e *Error) Header(name string) string { return e.Headers[name] }

// Exchange is one recorded exchange of testdata/recorded.jsonl.
type Exchange struct {
	ID       string            `json:"id"`
	Provider string            `json:"provider"`
	Endpoint string            `json:"endpoint"`
	Request  string            `json:"request"`
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
}

// Streamed tells whether the answer was an event stream.
func (e *Exchange) Streamed() bool { return llm.IsEventStream(e.Headers["content-type"]) }

// Lines reads a file of JSON lines, each into a T.
func Lines[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s, line %d: %v", path, len(all)+1, err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(all), err)
	}
	return all
}

// sameUsage compares two usages, with what they point to.
func sameUsage(a, b journey.Usage) bool { return reflect.DeepEqual(a, b) }

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Run("requests", s.requests)
	t.Run("streams", s.streams)
	t.Run("broken streams", s.brokenStreams)
	t.Run("answers", s.answers)
	t.Run("errors", s.errors)
}
