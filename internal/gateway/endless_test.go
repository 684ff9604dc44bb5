package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// endless is an upstream that never stops: it sends head, and then piece after piece until its peer leaves.
type endless struct {
	status      int
	contentType string
	encoding    string
	declared    int64 // Content-Length, 0 for none
	head        string
	piece       func(n int) string
}

const endlessConfig = `
version: 1
providers:
  openai: {kind: openai, base_url: "UP/v1", keys: [provider-key-0123], retries: {max: 0}}
  anthropic: {kind: anthropic, base_url: "UP", keys: [provider-key-0123], retries: {max: 0}}
  gemini: {kind: gemini, base_url: "UP", keys: [provider-key-0123], retries: {max: 0}}
  ollama: {kind: ollama, dialect: ollama, base_url: "UP", retries: {max: 0}}
  bedrock: {kind: bedrock, base_url: "UP", region: us-east-1, keys: [provider-key-0123], retries: {max: 0}}
guardrails:
  words: {detect: [email], on: answer}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*]}
  kept: {keys: [kept-key-0123456789], subscribes: [models/*], guardrails: [words]}
`

// frameOf is a frame of AWS's event stream.
func frameOf(name, payload string) string {
	var headers bytes.Buffer
	for _, h := range [][2]string{{":event-type", name}, {":content-type", "application/json"}, {":message-type", "event"}} {
		headers.WriteByte(byte(len(h[0])))
		headers.WriteString(h[0])
		headers.WriteByte(7)
		_ = binary.Write(&headers, binary.BigEndian, uint16(len(h[1])))
		headers.WriteString(h[1])
	}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.BigEndian, uint32(16+headers.Len()+len(payload)))
	_ = binary.Write(&b, binary.BigEndian, uint32(headers.Len()))
	_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(b.Bytes()))
	b.Write(headers.Bytes())
	b.WriteString(payload)
	_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(b.Bytes()))
	return b.String()
}

// TestEndlessAnswersAreCut: whatever a provider does not stop saying is cut at a limit, the caller is told so in its
// own dialect, and the memory that it took is bounded by the limit and not by what the provider had to say.
func TestEndlessAnswersAreCut(t *testing.T) {
	const most = 96 << 20 // of bytes that a provider gets rid of: the longest limit and what sockets hold
	letters := strings.Repeat(letters, 16)
	same := func(s string) func(int) string { return func(int) string { return s } }
	delta := `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"` + letters + `"},"finish_reason":null}]}`
	frame := frameOf("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"`+letters+`"}}`)
	huge := []byte(frame)
	binary.BigEndian.PutUint32(huge, 1<<31)
	binary.BigEndian.PutUint32(huge[8:], crc32.ChecksumIEEE(huge[:8]))
	for _, c := range []struct {
		name, caller, key, model string
		stream                   bool
		up                       endless
		kind                     string
		content                  bool // something of the answer has left before
	}{
		{"an answer that is translated", "msg", "web", "openai/m", false, endless{200, "application/json", "", 0, `{"choices":[{"message":{"content":"`, same(letters)}, "response_body_too_large", false},
		{"one that says how long it is", "msg", "web", "openai/m", false, endless{200, "application/json", "", 1 << 40, `{"choices":[{"message":{"content":"`, same(letters)}, "response_body_too_large", false},
		{"one that guardrails look at", "chat", "kept", "openai/m", false, endless{200, "application/json", "", 0, `{"choices":[{"message":{"content":"`, same(letters)}, "response_body_too_large", false},
		{"embeddings", "emb", "web", "gemini/m", false, endless{200, "application/json", "", 0, `{"embeddings":[`, same(letters)}, "response_body_too_large", false},
		{"an error", "chat", "web", "openai/m", false, endless{500, "application/json", "", 0, `{"error":{"message":"`, same(letters)}, "response_body_too_large", false},
		{"an error that is translated", "gen", "web", "anthropic/m", false, endless{400, "application/json", "", 0, `{"error":{"message":"`, same(letters)}, "response_body_too_large", false},
		{"HTML in the place of an answer", "gen", "web", "anthropic/m", false, endless{200, "text/html", "", 0, `<html>`, same(letters)}, "response_body_too_large", false},
		{"lines of JSON that nobody knows", "chat", "web", "openai/m", true, endless{200, "application/x-ndjson", "", 0, `{"message":{"content":"`, same(letters)}, "incompatible_response", false},
		{"something else than JSON", "chat", "web", "openai/m", false, endless{200, "application/json", "", 0, `<html>`, same(letters)}, "incompatible_response", false},
		{"an event", "chat", "web", "openai/m", true, endless{200, "text/event-stream", "", 0, `data: {"choices":[{"delta":{"content":"`, same(letters)}, "malformed_stream", false},
		{"an event of many lines", "chat", "web", "openai/m", true, endless{200, "text/event-stream", "", 0, "", same("data: " + letters + "\n")}, "malformed_stream", false},
		{"an event behind another", "chat", "web", "openai/m", true, endless{200, "text/event-stream", "", 0, "data: " + deltaEvent + "\n\ndata: {", same(letters)}, "malformed_stream", true},
		{"an event that is translated", "msg", "web", "openai/m", true, endless{200, "text/event-stream", "", 0, `data: {"choices":[{"delta":{"content":"`, same(letters)}, "malformed_stream", false},
		{"events that are translated", "msg", "web", "openai/m", true, endless{200, "text/event-stream", "", 0, "", same("data: " + delta + "\n\n")}, "response_body_too_large", true},
		{"events for a caller of Responses", "resp", "web", "openai2/m", true, endless{200, "text/event-stream", "", 0, "", same("data: " + delta + "\n\n")}, "response_body_too_large", true},
		{"a line of JSON", "chat", "web", "ollama/m", true, endless{200, "application/x-ndjson", "", 0, `{"message":{"content":"`, same(letters)}, "malformed_stream", false},
		{"an array of JSON", "gen", "web", "gemini/m", true, endless{200, "application/json", "", 0, `[{"candidates":[{"content":{"parts":[{"text":"`, same(letters)}, "malformed_stream", false},
		{"frames of AWS", "chat", "web", "bedrock/m", true, endless{200, "application/vnd.amazon.eventstream", "", 0, frameOf("messageStart", `{"role":"assistant"}`), same(frame)}, "response_body_too_large", true},
		{"a frame of 2 GiB", "chat", "web", "bedrock/m", true, endless{200, "application/vnd.amazon.eventstream", "", 0, frameOf("messageStart", `{"role":"assistant"}`), same(string(huge))}, "malformed_stream", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sent atomic.Int64
			gone := make(chan struct{})
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				defer close(gone)
				_, _ = io.Copy(io.Discard, q.Body)
				w.Header().Set("Content-Type", c.up.contentType)
				if c.up.declared > 0 {
					w.Header().Set("Content-Length", fmt.Sprint(c.up.declared))
				}
				w.WriteHeader(c.up.status)
				text := c.up.head
				for n := 0; sent.Load() < 4*most; n++ {
					k, err := io.WriteString(w, text)
					if sent.Add(int64(k)); err != nil {
						return
					}
					text = c.up.piece(n)
				}
			}))
			defer up.Close()
			config := strings.ReplaceAll(endlessConfig, "UP", up.URL)
			b := &badRig{rig: newRigWith(t, strings.Replace(config, "  ollama:", "  openai2: {kind: mistral, base_url: \""+up.URL+"/v1\", keys: [provider-key-0123], retries: {max: 0}}\n  ollama:", 1), withAllDialects)}
			at := badAddresses[c.caller]
			path := strings.Replace(at.path, "MODEL", c.model, 1)
			body := `{"model":"MODEL","max_tokens":1,"messages":[{"role":"user","content":"x"}],"input":"x","contents":[{"parts":[{"text":"x"}]}]STREAM}`
			stream := ""
			if c.stream {
				stream = `,"stream":true`
				path = strings.Replace(path, ":generateContent", ":streamGenerateContent", 1)
			}
			if c.caller == "gen" {
				stream = ""
				body = strings.Replace(body, `"model":"MODEL",`, "", 1)
			}
			peak := watchHeap(t)
			status, text, _ := b.send(t, path, []byte(strings.NewReplacer("MODEL", c.model, "STREAM", stream).Replace(body)), "Authorization", "Bearer "+c.key+"-key-0123456789")
			took := peak()
			if c.content {
				if status != 200 || !strings.Contains(text[max(0, len(text)-6000):], c.kind) || strings.Contains(text, "[DONE]") {
					t.Errorf("status %d, no %s at the end of %.2000q", status, c.kind, text[max(0, len(text)-2000):])
				}
			} else if got := tellOf(t, at.dialect, status, text); got.kind != c.kind || status < 500 {
				t.Errorf("status %d, kind %s, want %s: %.3000s", status, got.kind, c.kind, text)
			}
			select {
			case <-gone:
			case <-time.After(10 * time.Second):
				t.Fatal("the provider still talks")
			}
			if n := sent.Load(); n > most {
				t.Errorf("the provider got rid of %d MiB", n>>20)
			}
			// The caller of this test holds what it got as well.
			if limit := int64(4*maxCrossed + 6*len(text)); took > limit {
				t.Errorf("it took %d MiB of memory, want less than %d", took>>20, limit>>20)
			}
			if n := b.gateway.InFlight(); n != 0 {
				t.Errorf("%d calls are left", n)
			}
		})
	}
}

// watchHeap tells how much more memory was held at its highest than when it was called.
func watchHeap(t *testing.T) (peak func() int64) {
	t.Helper()
	held := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	runtime.GC()
	before, most := held(), int64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, held()-before)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return most
	}
}

// TestAnAnswerThatPassesIsCutAsWell: it is not held, and the caller sees that it is not whole.
func TestAnAnswerThatPassesIsCutAsWell(t *testing.T) {
	piece := []byte(strings.Repeat("x", 1<<20))
	gone := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		defer close(gone)
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"data":["`)
		for n := 0; err == nil && n < 2*maxPassed; {
			var k int
			k, err = w.Write(piece)
			n += k
		}
		if err == nil {
			t.Error("nobody stopped the provider")
		}
	}))
	defer up.Close()
	r := newRigWith(t, strings.ReplaceAll(endlessConfig, "UP", up.URL), withAllDialects)
	peak := watchHeap(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/v1/embeddings", strings.NewReader(`{"model":"openai/m","input":"x"}`))
	req.Header.Set("Authorization", "Bearer web-key-0123456789")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil || n > maxPassed+4<<20 || n < maxPassed/2 {
		t.Errorf("%d bytes came, and then %v", n, err)
	}
	if took := peak(); took > 64<<20 {
		t.Errorf("it took %d MiB of memory", took>>20)
	}
	<-gone
	j := r.last(t, "/v1/embeddings")
	if kindOf(j) != "response_body_too_large" || !j.Cut {
		t.Errorf("the record says %s, cut %v", kindOf(j), j.Cut)
	}
}
