package gateway

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
)

// completionBody is a good answer of a model, completion the whole of it on the wire.
const completionBody = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`

var completion = reply(200, completionBody, "Content-Type: application/json")

const modelConfig = `
version: 1
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [PROVIDERKEY], timeouts: {first_byte: 300ms, idle: 300ms}}
  gone: {kind: openai-compatible, base_url: "http://DOWN/v1", keys: [PROVIDERKEY], retries: {backoff: 1ms}}
  strange: {kind: openai-compatible, base_url: "https://127.0.0.1:1/v1", retries: {backoff: 1ms}}
models:
  fast: {targets: [{model: mock/gpt-4o-mini}]}
  pair: {targets: [{model: gone/x}, {model: mock/y}]}
  mixed: {targets: [{model: strange/x}, {model: mock/y}]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`

// events is a streamed answer on the wire.
func events(list ...string) string {
	out := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, e := range list {
		e = "data: " + e + "\n\n"
		out += fmt.Sprintf("%x\r\n%s\r\n", len(e), e)
	}
	return out
}

const (
	lastChunk   = "0\r\n\r\n"
	deltaEvent  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}`
	finishEvent = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	usageEvent  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`
	doneEvent   = "[DONE]"
)

func streamed(model string) string {
	return chatBody(`{"model":"` + model + `","stream":true,"messages":[]}`)
}

func used(input, output int64, source string) func(*testing.T, *journey.Journey) {
	return func(t *testing.T, j *journey.Journey) {
		if u := j.Usage; u.Input != input || u.Output != output || u.Source != source {
			t.Errorf("the usage is %+v", u)
		}
	}
}

func TestModelAnswers(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	long := `{"object":"list","data":["` + strings.Repeat("x", 5<<20) + `"],"usage":{"prompt_tokens":5,"total_tokens":5}}`
	r.run(t, up, []scenario{
		{
			name: "pass through, with the model's own name upstream", request: chat("fast"), answers: []string{completion},
			status: 200, calls: 1, has: []string{completionBody, "Causeway-Attempts: 1"}, lacks: []string{"x-should-retry", "Causeway-Finding"},
			sent: []string{"POST /v1/chat/completions HTTP/1.1\r\nHost: " + up.addr, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`}, record: used(10, 2, "reported"),
		},
		{
			name: "too long to be held passes while it comes, and is counted", request: strings.Replace(chat("fast"), "/chat/completions", "/embeddings", 1),
			answers: []string{reply(200, long, "Content-Type: application/json")}, status: 200, calls: 1, record: used(5, 0, "reported"),
		},
		{
			name: "that are no answers of the dialect are not passed on", request: chat("fast"), answers: []string{reply(200, "<html><title>Log in</title>", "Content-Type: text/html")},
			status: 502, calls: 1, has: []string{`"code":"incompatible_response"`, `Log in`, "x-should-retry: false"},
		},
		{
			name: "as events that nobody asked for are not either", request: chat("fast"), answers: []string{events(deltaEvent, finishEvent, doneEvent) + lastChunk},
			status: 502, calls: 1, has: []string{`"code":"incompatible_response"`},
		},
		{
			name: "nor JSON in the place of events", request: streamed("fast"), answers: []string{completion},
			status: 502, calls: 1, has: []string{`"code":"incompatible_response"`},
		},
		{
			name: "a refusal of the dialect passes as it is", request: chat("fast"),
			answers: []string{reply(429, `{"error":{"message":"Slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}`, "Content-Type: application/json", "Retry-After: 7")},
			status:  429, calls: 1, has: []string{"Retry-After: 7\r\n", `{"error":{"message":"Slow down"`, "Causeway-Finding: provider_rate_limited", "x-should-retry: false"}, lacks: []string{`"causeway"`},
		},
		{
			name: "its own word on repeating is kept", request: chat("fast"),
			answers: []string{reply(500, `{"error":{"message":"Oops","type":"server_error","param":null,"code":null}}`, "Content-Type: application/json", "X-Should-Retry: true")},
			status:  500, calls: 1, has: []string{"X-Should-Retry: true\r\n", "Causeway-Finding: provider_error"}, lacks: []string{"x-should-retry: false"},
		},
		{
			name: "one that is not is told in the dialect, with what is known of its end", request: chat("fast"),
			answers: []string{reply(503, "<html>upstream connect error", "Content-Type: text/html", "Retry-After: 9", "Server: envoy")},
			status:  503, calls: 1, has: []string{"Retry-After: 9\r\n", `"kind":"overloaded"`, `{"error":{`, "received-status=503", "envoy", "...wxyz"}, lacks: []string{providerKey, "<html>"},
		},
		{
			name: "one about our key is told without it", request: chat("fast"),
			answers: []string{reply(401, `{"error":{"message":"Incorrect API key provided: `+providerKey+`.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, "Content-Type: application/json")},
			status:  502, calls: 1, has: []string{`"code":"provider_key_rejected"`, `"cause":"configuration"`}, lacks: []string{providerKey, "sk-provider"},
		},
		{
			name: "a broken one is told", request: chat("fast"), answers: []string{"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n" + completionBody + closeAfter},
			status: 502, calls: 1, has: []string{`"code":"truncated_body"`, `"retry":"may_repeat"`},
		},
		{
			name: "a request with two models", request: chatBody(`{"model":"fast","messages":[],"model":"gone/x"}`),
			status: 400, has: []string{`"param":"model"`, "stands twice"},
		},
		{
			name: "a request that is no JSON", request: chatBody(`{"model":`), status: 400, has: []string{`"kind":"bad_request"`},
		},
	})
	if strings.Contains(r.log.String(), "sk-provider") {
		t.Error("the log has the provider's key")
	}
}

func TestStreams(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	refusal := `{"error":{"message":"The server is overloaded","type":"server_error","param":null,"code":"server_is_overloaded"}}`
	r.run(t, up, []scenario{
		{
			name: "pass event by event; the usage that only we asked for is taken out", request: streamed("fast"), answers: []string{events(deltaEvent, finishEvent, usageEvent, doneEvent) + lastChunk},
			status: 200, calls: 1, sent: []string{`"stream_options":{"include_usage":true}`}, has: []string{"data: " + deltaEvent + "\n\n", "data: [DONE]\n\n"}, lacks: []string{`"usage":{`}, record: used(3, 4, "reported"),
		},
		{
			name: "a break after the first token ends with an error and not with the end mark", request: streamed("fast"), answers: []string{events(deltaEvent) + closeAfter},
			status: 200, calls: 1, has: []string{"data: " + deltaEvent, `"code":"truncated_body"`, `"causeway":{`}, lacks: []string{"[DONE]"},
			record: func(t *testing.T, j *journey.Journey) {
				if !j.Cut || kindOf(j) != fault.TruncatedBody {
					t.Errorf("cut %v, kind %s", j.Cut, kindOf(j))
				}
			},
		},
		{
			name: "an end without finish reason is no end", request: streamed("fast"), answers: []string{events(deltaEvent) + lastChunk},
			status: 200, calls: 1, has: []string{`"code":"truncated_stream"`}, lacks: []string{"[DONE]"},
		},
		{
			name: "a failure before the first token is an answer of its own", request: streamed("fast"), answers: []string{events(refusal) + lastChunk},
			status: 503, calls: 1, has: []string{`"kind":"overloaded"`, "application/json", "x-should-retry: false"}, lacks: []string{"data:"},
		},
		{
			name: "as is a break there", request: streamed("fast"), answers: []string{events() + closeAfter},
			status: 502, calls: 1, has: []string{`"code":"truncated_body"`}, lacks: []string{"data:"},
		},
		{
			name: "an error event in the middle is the last word", request: streamed("fast"), answers: []string{events(deltaEvent, refusal, deltaEvent, doneEvent) + lastChunk},
			status: 200, calls: 1, has: []string{"data: " + deltaEvent, `"code":"stream_error"`}, lacks: []string{"[DONE]"},
		},
		{
			name: "a silence in the middle", request: streamed("fast"), answers: []string{events(deltaEvent)},
			status: 200, calls: 1, has: []string{`"code":"idle_timeout"`, "timeouts.idle"}, lacks: []string{"[DONE]"},
		},
	})
}

func TestAnEventIsPassedOnAtOnce(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	more := make(chan string)
	up.acts(func(_ int, rq *got) string {
		fmt.Fprint(rq.conn, events(deltaEvent))
		e := "data: " + <-more + "\n\ndata: [DONE]\n\n"
		return fmt.Sprintf("%x\r\n%s\r\n", len(e), e) + lastChunk
	})
	c := dial(t, r.addr)
	c.send(t, streamed("fast"))
	seen := ""
	for !strings.Contains(seen, deltaEvent) {
		line, err := c.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		seen += line
	}
	more <- finishEvent
	for !strings.HasSuffix(seen, lastChunk) {
		line, err := c.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		seen += line
	}
}

// TestAModelsNextTargetIsTried after one that is down, and after one that will fail until somebody
// changes something: its certificate is not to be trusted.
func TestAModelsNextTargetIsTried(t *testing.T) {
	up := newOrigin(t)
	strange := httptest.NewTLSServer(nil)
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer strange.Close()
	r := newRig(t, strings.Replace(fill(t, modelConfig, up), "https://127.0.0.1:1", strange.URL, 1))
	up.replies(completion)
	for _, model := range []string{"pair", "mixed"} {
		for range 2 { // whichever comes first in turn
			a := r.call(t, chat(model))
			j := r.record(t, a)
			if a.status != 200 || j.Provider != "mock" || j.TargetModel != "y" {
				t.Errorf("%s: status %d from %s/%s", model, a.status, j.Provider, j.TargetModel)
			}
		}
	}
	if n := len(up.got()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestTheSandboxsFaults(t *testing.T) {
	up := newOrigin(t)
	deps := newRig(t, fill(t, modelConfig, up)).deps
	real, err := snapshot.Single("sandbox", "http://"+closedPort(t), snapshot.Peer{Timeouts: catalog.Timeouts{Connect: time.Second}}, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(real.Close)
	r := newRigOver(t, fill(t, modelConfig, up), &memory{}, &sandboxes{
		upstreams: map[string]*snapshot.Upstream{"fault-connection_refused": real},
		kinds:     map[string]fault.Kind{"fault-no_slot": fault.NoSlot, "fault-caller_gone": fault.CallerGone},
	})
	r.run(t, up, []scenario{
		{name: "that a peer can have are had", request: chat("sandbox/fault-connection_refused"), status: 502, has: []string{`"code":"connection_refused"`, "Causeway-Attempts: 1", "ECONNREFUSED"}},
		{name: "others are told", request: chat("sandbox/fault-no_slot"), status: 503, has: []string{`"code":"no_slot"`, "made by the sandbox"}, lacks: []string{"Retry-After"}},
		{name: "to a caller who is there, whatever they say", request: chat("sandbox/fault-caller_gone"), status: 499, has: []string{`"code":"caller_gone"`}},
	})
}

// TestTheProvidersWordsAreReadBeforeTheyAreGone calls while connections are used again by others: a
// finding must not be made of what stands in a buffer that was given back.
func TestTheProvidersWordsAreReadBeforeTheyAreGone(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	up.acts(func(_ int, rq *got) string {
		word := rq.head[strings.Index(rq.head, "X-Word: ")+8:]
		word, _, _ = strings.Cut(word, "\r\n")
		return reply(503, "<html>no", "Content-Type: text/html", "Server: "+word)
	})
	done := make(chan error)
	for n := range 8 {
		go func() {
			word := fmt.Sprintf("server-%d", n)
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				done <- err
				return
			}
			defer c.Close()
			for range 50 {
				buf := make([]byte, 64<<10)
				if _, err := fmt.Fprint(c, strings.ReplaceAll(chat("fast", "X-Word: "+word), "\n", "\r\n")); err != nil {
					done <- err
					return
				}
				text := ""
				for !strings.HasSuffix(text, "}}}") {
					k, err := c.Read(buf)
					if err != nil {
						done <- err
						return
					}
					text += string(buf[:k])
				}
				if !strings.Contains(text, `Server: \"`+word+`\"`) {
					done <- fmt.Errorf("%s got %s", word, text)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
