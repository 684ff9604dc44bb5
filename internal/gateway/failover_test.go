package gateway

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// failing is a rig whose model m has a primary target and a fallback, each on an upstream of its own.
type failing struct {
	*rig
	primary, second *origin
	config          string
}

// failoverConfig is a configuration with PRIMARY and SECOND for the addresses; EXTRA goes into the model.
const failoverConfig = `
version: 1
providers:
  first: {kind: openai-compatible, base_url: "http://PRIMARY/v1", keys: [KEYS], timeouts: {connect: 1s, first_byte: 200ms, idle: 200ms}, retries: {backoff: 1ms}}
  second: {kind: openai-compatible, base_url: "http://SECOND/v1", keys: [sk-second-key-0123456789]}
models:
  m: {targets: [{model: first/a}], fallback: [second/b], EXTRA}
applications:
  web: {keys: [KEY], subscribes: [models/m]}
`

func newFailing(t *testing.T, extra string, keys ...string) *failing {
	t.Helper()
	f := &failing{primary: newOrigin(t), second: newOrigin(t)}
	f.second.acts(func(_ int, rq *got) string { return f.good("second", rq) })
	if len(keys) == 0 {
		keys = []string{"sk-first-key-0123456789"}
	}
	config := strings.NewReplacer("PRIMARY", f.primary.addr, "SECOND", f.second.addr, "EXTRA", extra, "KEYS", strings.Join(keys, ", ")).Replace(failoverConfig)
	f.config = fill(t, config, f.primary)
	f.rig = newRig(t, f.config)
	return f
}

// good is a whole answer that names who gave it.
func (f *failing) good(who string, rq *got) string {
	if strings.Contains(rq.head, "GET ") {
		return reply(200, `{"object":"list","data":[]}`, "Content-Type: application/json")
	}
	if strings.Contains(rq.body, `"stream":true`) {
		return events(strings.Replace(deltaEvent, `"content":"hi"`, `"content":"from `+who+`"`, 1), finishEvent, usageEvent, doneEvent) + lastChunk
	}
	return reply(200, strings.Replace(completionBody, `"content":"hi"`, `"content":"from `+who+`"`, 1), "Content-Type: application/json")
}

// posts counts the calls that an upstream got.
func posts(o *origin) (n int) {
	for _, rq := range o.got() {
		if strings.HasPrefix(rq.head, "POST ") {
			n++
		}
	}
	return n
}

// ask makes a call to m, as a stream or not.
func (f *failing) ask(t *testing.T, stream bool) *answer {
	t.Helper()
	if stream {
		return f.call(t, streamed("m"))
	}
	return f.call(t, chat("m"))
}

// both runs a scenario with and without a stream, each at a gateway of its own.
func both(t *testing.T, f func(t *testing.T, stream bool)) {
	for _, stream := range []bool{false, true} {
		t.Run(map[bool]string{false: "whole", true: "stream"}[stream], func(t *testing.T) { f(t, stream) })
	}
}

func problem(message, typ, code string) string {
	return fmt.Sprintf(`{"error":{"message":%q,"type":%q,"param":null,"code":%q}}`, message, typ, code)
}

const asJSON = "Content-Type: application/json"

// TestFailover is what a call goes on after, and what not.
func TestFailover(t *testing.T) {
	overloaded := problem("The server is overloaded", "server_error", "server_is_overloaded")
	tooLong := problem("This model's maximum context length is 8 tokens", "invalid_request_error", "context_length_exceeded")
	refused := problem("Your request was rejected by our safety system", "invalid_request_error", "content_policy_violation")
	for _, test := range []struct {
		name   string
		extra  string                      // of the model
		idle   string                      // timeouts.idle of the primary, where it is not 200ms
		answer func(n int, rq *got) string // the primary's; nil: nobody listens there
		kind   fault.Kind                  // of the first attempt
		only   string                      // "whole" or "stream": the scenario is of that alone
		stays  bool                        // the second is not asked
		has    []string                    // of the answer, where it stays
		lacks  []string
		status int // where it stays
	}{
		{name: "a refused connection", kind: fault.ConnectionRefused},
		{name: "a primary that hangs", answer: func(_ int, rq *got) string { return hang(rq) }, kind: fault.FirstByteTimeout},
		{name: "a primary that closes", answer: func(int, *got) string { return closeAfter }, kind: fault.ClosedBeforeResponse},
		{name: "500", answer: always(reply(500, problem("Oops", "server_error", ""), asJSON)), kind: fault.ProviderError},
		{name: "503", answer: always(reply(503, overloaded, asJSON)), kind: fault.Overloaded},
		{name: "529", answer: always(reply(529, overloaded, asJSON)), kind: fault.Overloaded},
		{name: "503 of a proxy in HTML", answer: always(reply(503, "<html>no upstream", "Content-Type: text/html")), kind: fault.Overloaded},
		{name: "429", answer: always(reply(429, problem("Slow down", "requests", "rate_limit_exceeded"), asJSON, "Retry-After: 60")), kind: fault.ProviderRateLimited},
		{name: "429 for money", answer: always(reply(429, problem("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), asJSON)), kind: fault.QuotaExhausted},
		{name: "a dead key", answer: always(reply(401, problem("Incorrect API key provided: sk-first.", "invalid_request_error", "invalid_api_key"), asJSON)), kind: fault.ProviderKeyRejected},
		{name: "a model that is gone", answer: always(reply(404, problem("The model a does not exist", "invalid_request_error", "model_not_found"), asJSON)), kind: fault.ModelNotFound},
		{name: "HTML in the place of JSON", answer: always(reply(200, "<html><title>Log in</title>", "Content-Type: text/html")), kind: fault.IncompatibleResponse},
		{name: "200 with an error body", answer: always(reply(200, overloaded, asJSON)), kind: fault.Overloaded},
		{name: "a body that breaks", only: "whole", answer: always("HTTP/1.1 200 OK\r\n" + asJSON + "\r\nContent-Length: 900\r\n\r\n{" + closeAfter), kind: fault.TruncatedBody},
		{name: "a stream that fails at its first event", only: "stream", answer: always(events(overloaded) + lastChunk), kind: fault.Overloaded},
		{name: "a stream that fails behind a role", only: "stream", answer: always(events(strings.Replace(deltaEvent, `{"content":"hi"}`, `{"role":"assistant"}`, 1), overloaded) + lastChunk), kind: fault.Overloaded},
		{name: "a stream without content that breaks", only: "stream", answer: always(events() + closeAfter), kind: fault.TruncatedBody},
		{name: "a stream that stalls before its content", only: "stream", idle: "100ms", answer: func(_ int, rq *got) string {
			fmt.Fprint(rq.conn, events())
			return hang(rq)
		}, kind: fault.IdleTimeout},
		{name: "a stream whose first token does not come", only: "stream", idle: "2s", answer: func(_ int, rq *got) string {
			fmt.Fprint(rq.conn, events(strings.Replace(deltaEvent, `{"content":"hi"}`, `{"role":"assistant"}`, 1)))
			return hang(rq)
		}, kind: fault.FirstByteTimeout},
		{name: "a stream of heartbeats alone", only: "stream", answer: trickled(": processing\n\n", false), kind: fault.FirstByteTimeout},

		{
			name: "but not after content: a cut", only: "stream", stays: true, status: 200, answer: always(events(deltaEvent) + closeAfter), kind: fault.TruncatedBody,
			has: []string{`"content":"hi"`, `"code":"truncated_body"`}, lacks: []string{"[DONE]", "from second"},
		},
		{
			name: "nor a stall", only: "stream", stays: true, status: 200, kind: fault.IdleTimeout,
			answer: func(_ int, rq *got) string { fmt.Fprint(rq.conn, events(deltaEvent)); return hang(rq) },
			has:    []string{`"content":"hi"`, `"code":"idle_timeout"`}, lacks: []string{"[DONE]", "from second"},
		},
		{
			name: "a stream that comes a byte at a time is whole", only: "stream", stays: true, status: 200,
			answer: trickled("data: "+deltaEvent+"\n\ndata: "+finishEvent+"\n\ndata: [DONE]\n\n", true),
			has:    []string{`"content":"hi"`, "data: [DONE]"},
		},
		{
			name: "a parameter that is refused", stays: true, status: 400, answer: always(reply(400, problem("Unsupported parameter: 'seed'", "invalid_request_error", "unsupported_parameter"), asJSON)),
			kind: fault.ParameterRejected, has: []string{"Unsupported parameter"},
		},
		{name: "a request that is too long", stays: true, status: 400, answer: always(reply(400, tooLong, asJSON)), kind: fault.ContextTooLong, has: []string{"maximum context length"}},
		{name: "too long, and it is asked for", extra: "failover: {on_context: true}", answer: always(reply(400, tooLong, asJSON)), kind: fault.ContextTooLong},
		{name: "content that is refused", stays: true, status: 400, answer: always(reply(400, refused, asJSON)), kind: fault.ContentRefused, has: []string{"safety system"}},
		{name: "refused, and it is asked for", extra: "failover: {on_refusal: true}", answer: always(reply(400, refused, asJSON)), kind: fault.ContentRefused},
		{name: "one attempt and no more", extra: "failover: {max_attempts: 1}", stays: true, status: 503, answer: always(reply(503, overloaded, asJSON)), kind: fault.Overloaded, has: []string{"overloaded", "Causeway-Attempts: 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, stream bool) {
				if test.only != "" && test.only != map[bool]string{false: "whole", true: "stream"}[stream] {
					t.SkipNow()
				}
				f := newFailing(t, test.extra)
				if test.idle != "" {
					f.reload(t, strings.Replace(f.config, "idle: 200ms", "idle: "+test.idle, 1))
				}
				if test.answer == nil {
					f.primary.stop()
				} else {
					f.primary.acts(test.answer)
				}
				a := f.ask(t, stream)
				j := f.record(t, a)
				if len(j.Attempts) == 0 || j.Attempts[0].Kind != test.kind {
					t.Fatalf("the first attempt is %+v, want %s", j.Attempts, test.kind)
				}
				if test.stays {
					if a.status != test.status || posts(f.second) != 0 {
						t.Errorf("status %d, %d calls at the second", a.status, posts(f.second))
					}
				} else {
					test.has = []string{"from second", "Causeway-Attempts: 2"}
					if stream {
						test.has = append(test.has, "data: [DONE]")
					}
					if a.status != 200 || j.Provider != "second" || j.TargetModel != "b" || len(j.Attempts) != 2 || kindOf(j) != "" {
						t.Errorf("status %d from %s/%s after %d attempts, finding %s", a.status, j.Provider, j.TargetModel, len(j.Attempts), kindOf(j))
					}
					if !strings.HasPrefix(j.Attempts[0].Again, "retried: at second/b") || !wasNoted(j, "asked second/b (fallback 1) after "+string(test.kind)+" at first/a") {
						t.Errorf("the record says %q, notes %v", j.Attempts[0].Again, j.Notes)
					}
				}
				for _, want := range test.has {
					if !strings.Contains(a.whole(), want) {
						t.Errorf("the answer lacks %q", want)
					}
				}
				for _, not := range append(test.lacks, "sk-first") {
					if strings.Contains(a.whole(), not) {
						t.Errorf("the answer has %q", not)
					}
				}
				if t.Failed() {
					t.Logf("answer:\n%s", a.whole())
				}
			})
		})
	}
}

func always(answer string) func(int, *got) string {
	return func(int, *got) string { return answer }
}

// hang says nothing more until the connection is closed.
func hang(rq *got) string {
	_, _ = io.Copy(io.Discard, rq.conn)
	return closeAfter
}

// trickled sends a stream's text a byte at a time; with no end it begins anew until the connection is gone.
func trickled(text string, ends bool) func(int, *got) string {
	return func(_ int, rq *got) string {
		fmt.Fprint(rq.conn, events())
		for {
			for i := range len(text) {
				if _, err := fmt.Fprintf(rq.conn, "1\r\n%s\r\n", text[i:i+1]); err != nil {
					return closeAfter
				}
			}
			if ends {
				return lastChunk
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func wasNoted(j *journey.Journey, text string) bool {
	for _, n := range j.Notes {
		if strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}

// keyed answers by the key that a call came with.
func keyed(answers map[string]string, good func(rq *got) string) func(int, *got) string {
	return func(_ int, rq *got) string {
		for key, answer := range answers {
			if strings.Contains(rq.head, "Bearer "+key+"\r\n") {
				return answer
			}
		}
		return good(rq)
	}
}

const keyA, keyB = "sk-key-a-0123456789-aaaa", "sk-key-b-0123456789-bbbb"

// TestTheNextKeyComesBeforeTheNextTarget and a key that failed for a reason that lasts is not used again.
func TestTheNextKeyComesBeforeTheNextTarget(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		logged string
	}{
		"rate limited": {answer: reply(429, problem("Slow down", "requests", "rate_limit_exceeded"), asJSON, "Retry-After: 60")},
		"out of money": {answer: reply(429, problem("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), asJSON, "Retry-After: 1"), logged: "reason=out_of_money"},
		"rejected":     {answer: reply(401, problem("Incorrect API key provided: "+keyA+".", "invalid_request_error", "invalid_api_key"), asJSON), logged: "reason=rejected"},
		"not allowed":  {answer: reply(403, problem("Denied", "permission_denied", "permission_denied"), asJSON), logged: "reason=rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, stream bool) {
				f := newFailing(t, "strict: false", keyA, keyB)
				f.primary.acts(keyed(map[string]string{keyA: test.answer}, func(rq *got) string { return f.good("first", rq) }))
				for range 6 {
					if a := f.ask(t, stream); a.status != 200 || !strings.Contains(a.body, "from first") {
						t.Fatalf("answer: %s", a.whole())
					}
				}
				withA := 0
				for _, rq := range f.primary.got() {
					if strings.Contains(rq.head, keyA) {
						withA++
					}
				}
				if withA != 1 || posts(f.primary) != 7 || posts(f.second) != 0 {
					t.Errorf("%d of %d calls with the bad key, %d at the second", withA, posts(f.primary), posts(f.second))
				}
				if key := f.gateway.Generation().ProviderKeys()[0]; key.Provider != "first" || key.Place != 1 || key.Why == "" {
					t.Errorf("the key's state is %+v", key)
				}
				if lines := f.gateway.Generation().Troubles(); test.logged != "" && (len(lines) != 1 || !strings.Contains(lines[0], "key 1 of provider first (...aaaa) is set aside")) {
					t.Errorf("the troubles are %q", lines)
				}
				log := f.log.String()
				if n := strings.Count(log, "a provider's key is set aside"); test.logged != "" && (n != 1 || !strings.Contains(log, test.logged) || !strings.Contains(log, "...aaaa")) || test.logged == "" && n != 0 {
					t.Errorf("the log: %s", log)
				}
				if strings.Contains(log, keyA) {
					t.Error("the log has the key")
				}
			})
		})
	}
}

// TestRetryAfterIsHonoured: a provider that asks for a second gets no call before it is over, and calls again then.
func TestRetryAfterIsHonoured(t *testing.T) {
	f := newFailing(t, "strict: false")
	f.primary.acts(func(n int, rq *got) string {
		if n == 1 {
			return reply(429, problem("Slow down", "requests", "rate_limit_exceeded"), asJSON, "Retry-After: 1")
		}
		return f.good("first", rq)
	})
	began := time.Now()
	for time.Since(began) < 700*time.Millisecond {
		a := f.ask(t, false)
		if n, after := posts(f.primary), time.Since(began); after < time.Second && (n != 1 || !strings.Contains(a.body, "from second")) {
			t.Fatalf("%d calls while it asked to wait; after %s: %s", n, after, a.whole())
		}
		time.Sleep(20 * time.Millisecond)
	}
	eventually(t, "a call to the primary again", func() bool { return strings.Contains(f.ask(t, false).body, "from first") })
	if took := time.Since(began); took < time.Second {
		t.Errorf("it was called again after %s", took)
	}
}

// TestAShortWaitIsWaitedWhereNobodyElseIsLeft for the one key of the one target.
func TestAShortWaitIsWaitedWhereNobodyElseIsLeft(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	up.replies(reply(429, problem("Slow down", "requests", "rate_limit_exceeded"), asJSON, "retry-after-ms: 60"), completion)
	began := time.Now()
	a := r.call(t, chat("fast"))
	if a.status != 200 || len(up.got()) != 2 || time.Since(began) < 60*time.Millisecond {
		t.Errorf("status %d after %d calls in %s", a.status, len(up.got()), time.Since(began))
	}
	if j := r.record(t, a); !strings.Contains(j.Attempts[0].Again, "that the provider asked for") {
		t.Errorf("the record says %q", j.Attempts[0].Again)
	}
}

// TestADeadPrimaryCostsFewCallsAndIsFoundWell: fifteen calls are answered, at most five of them tried it; it is probed
// without a call; and when it is well again it gets calls again.
func TestADeadPrimaryCostsFewCallsAndIsFoundWell(t *testing.T) {
	both(t, func(t *testing.T, stream bool) {
		t.Parallel()
		f := newFailing(t, "strict: false")
		var well atomic.Bool
		f.primary.acts(func(_ int, rq *got) string {
			if well.Load() {
				return f.good("first", rq)
			}
			return reply(500, problem("Oops", "server_error", ""), asJSON)
		})
		for n := range 15 {
			a := f.ask(t, stream)
			if a.status != 200 || !strings.Contains(a.body, "from second") {
				t.Fatalf("call %d: %s", n+1, a.whole())
			}
			if n == 14 && !wasNoted(f.record(t, a), "skipped first/a: it has failed 3 times in a row, the last with provider_error") {
				t.Error("the record does not say that it was skipped")
			}
		}
		if n := posts(f.primary); n > 5 {
			t.Errorf("fifteen calls cost %d attempts on it", n)
		}
		if lines := f.gateway.Generation().Troubles(); len(lines) != 1 || !strings.Contains(lines[0], "calls to first/a have failed for ") {
			t.Errorf("the troubles are %q", lines)
		}
		before := posts(f.primary)
		eventually(t, "a probe", func() bool { return len(f.primary.got()) > before })
		for _, rq := range f.primary.got()[before:] {
			if !strings.HasPrefix(rq.head, "GET /v1/models HTTP/1.1\r\n") {
				t.Errorf("it was probed with %q", rq.head)
			}
		}
		well.Store(true)
		eventually(t, "its recovery", func() bool {
			a := f.ask(t, stream)
			if a.status != 200 {
				t.Fatalf("answer: %s", a.whole())
			}
			return strings.Contains(a.body, "from first")
		})
		if !strings.Contains(f.ask(t, stream).body, "from first") {
			t.Error("the call after its recovery goes elsewhere")
		}
		if log := f.log.String(); strings.Count(log, "target keeps failing") != 1 || strings.Count(log, "answers again") != 1 {
			t.Errorf("the log: %s", log)
		}
	})
}

func TestTheCallersPatienceEndsFailover(t *testing.T) {
	f := newFailing(t, "strict: false")
	f.primary.acts(func(_ int, rq *got) string { return hang(rq) })
	a := f.call(t, chat("m", "X-Stainless-Timeout: 0.1"))
	if a.status != 504 || posts(f.second) != 0 {
		t.Errorf("status %d, %d calls at the second: nobody waits for it any more", a.status, posts(f.second))
	}
}

const capableConfig = `
version: 1
providers:
  first: {kind: openai-compatible, base_url: "http://UP/v1"}
models:
  m:
    targets: [{model: first/text, supports: []}, {model: first/small, supports: [vision, tools], context: 200}]
    fallback: [{model: first/large, supports: [tools], context: 2000}]
  talk: {balance: sticky, targets: [{model: first/a}, {model: first/b}, {model: first/c}, {model: first/d}]}
  cheap: {balance: cheapest, targets: [{model: first/a}, {model: first/b, price: {input: 2, output: 9}}, {model: first/c, price: {input: 1, output: 2}}]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`

// TestATargetGetsOnlyWhatItCanDo and the record says why another was passed over.
func TestATargetGetsOnlyWhatItCanDo(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, capableConfig, up))
	up.replies(completion)
	image := `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}`
	text := func(n int) string { return `{"role":"user","content":"` + strings.Repeat("word ", n) + `"}` }
	for _, test := range []struct {
		name, body, model, note string
		status                  int
	}{
		{"an image", `{"model":"m","messages":[` + image + `]}`, "small", "skipped first/text: no vision", 200},
		{"tools", `{"model":"m","messages":[` + text(1) + `],"tools":[{"type":"function","function":{"name":"f"}}]}`, "small", "skipped first/text: no tools", 200},
		{"tools and a long text", `{"model":"m","messages":[` + text(400) + `],"tools":[{"type":"function","function":{"name":"f"}}]}`, "large", "its context is 200 tokens", 200},
		{"a text that is too long for all", `{"model":"m","messages":[` + text(4000) + `],"tools":[{"type":"function","function":{"name":"f"}}]}`, "large", "none of the targets is fit", 200},
		{"sound", `{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA"}}]}]}`, "", "", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 4 {
				a := r.call(t, chatBody(test.body))
				j := r.record(t, a)
				if a.status != test.status || test.model != "" && (j.TargetModel != test.model || !wasNoted(j, test.note)) {
					t.Errorf("status %d from %s, notes %v", a.status, j.TargetModel, j.Notes)
				}
				if test.status == 400 && (kindOf(j) != fault.UnsupportedFeature || !strings.Contains(a.body, "it needs audio")) {
					t.Errorf("answer: %s", a.whole())
				}
			}
		})
	}
}

func TestAConversationStaysAtItsTarget(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, capableConfig, up))
	up.replies(completion)
	homes := map[string]bool{}
	for n := range 12 {
		first := fmt.Sprintf(`{"role":"user","content":"conversation %d"}`, n)
		home := ""
		for _, more := range []string{"", `,{"role":"assistant","content":"a"},{"role":"user","content":"b"}`} {
			j := r.record(t, r.call(t, chatBody(`{"model":"talk","messages":[`+first+more+`]}`)))
			if home != "" && j.TargetModel != home {
				t.Errorf("conversation %d moves from %s to %s", n, home, j.TargetModel)
			}
			home = j.TargetModel
		}
		homes[home] = true
	}
	if len(homes) < 2 {
		t.Error("all conversations are at one target")
	}
}

func TestTheCheapestIsAsked(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, capableConfig, up))
	up.replies(completion)
	for range 4 {
		if j := r.record(t, r.call(t, chat("cheap"))); j.TargetModel != "c" {
			t.Errorf("asked %s", j.TargetModel)
		}
	}
}

// TestASubscriptionToAModelGrantsItsFallbacksThroughItAlone as the contract has it.
func TestASubscriptionToAModelGrantsItsFallbacksThroughItAlone(t *testing.T) {
	f := newFailing(t, "strict: false")
	f.primary.stop()
	if a := f.ask(t, false); a.status != 200 {
		t.Errorf("status %d through m", a.status)
	}
	if a := f.call(t, chat("second/b")); a.status != 403 {
		t.Errorf("status %d directly", a.status)
	}
}

// TestWhatIsKnownOfTargetsAndKeysOutlivesAReload of a configuration that does not change them.
func TestWhatIsKnownOfTargetsAndKeysOutlivesAReload(t *testing.T) {
	f := newFailing(t, "strict: false", keyA, keyB)
	config := strings.NewReplacer("PRIMARY", f.primary.addr, "SECOND", f.second.addr, "EXTRA", "strict: false", "KEYS", keyB+", "+keyA).Replace(failoverConfig)
	f.primary.acts(keyed(map[string]string{keyA: reply(401, problem("No", "invalid_request_error", "invalid_api_key"), asJSON)}, func(rq *got) string { return f.good("first", rq) }))
	for range 3 {
		f.ask(t, false)
	}
	before := len(f.primary.got())
	f.reload(t, fill(t, config, f.primary))
	for range 4 {
		if a := f.ask(t, false); a.status != 200 || a.header.Get("Causeway-Attempts") != "1" {
			t.Errorf("answer: %s", a.whole())
		}
	}
	for _, rq := range f.primary.got()[before:] {
		if strings.Contains(rq.head, keyA) {
			t.Error("the rejected key is used again after a reload")
		}
	}
}

// BenchmarkChatAmongMany is one chat call to a model with targets, keys and a fallback to choose from, whose
// provider tells its limits.
func BenchmarkChatAmongMany(b *testing.B) {
	up := cannedUpstream(b, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-ratelimit-remaining-requests: 99\r\nx-ratelimit-remaining-tokens: 9999\r\nContent-Length: %d\r\n\r\n%s", len(completionBody), completionBody))
	config := strings.Replace(benchConfig, "fast: {targets: [{model: mock/gpt-4o-mini}]}", "fast: {balance: sticky, targets: [{model: mock/a, supports: [tools]}, {model: mock/b, context: 9000}, {model: mock/c}], fallback: [mock/d]}", 1)
	config = strings.Replace(config, "keys: [k-0123456789abcdef]", "keys: [k-0123456789abcdef, k-0123456789abcde2]", 1)
	addr := newRigOver(b, strings.ReplaceAll(config, "UP", up), &nowhere{}, &sandboxes{}).addr
	ask := `{"model":"fast","messages":[{"role":"user","content":"` + string(oneKilobyte[:300]) + `"}]}`
	benchCalls(b, addr, fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer benchkey-0123456789abcdef\r\nContent-Length: %d\r\n\r\n%s", addr, len(ask), ask))
}
