package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/ollama"
	"causeway/internal/llm/openai"
	"causeway/internal/snapshot"
)

func allDialects() []llm.Dialect {
	return []llm.Dialect{gemini.New(), openai.New(), anthropic.New(), bedrock.New(), cohere.New(), ollama.New()}
}

// echoes is a provider that speaks every dialect and says what the last message says, in pieces of three bytes; a
// message that begins with "call:" is said back as the arguments of a tool's call.
type echoes struct {
	mu    sync.Mutex
	heard []string
}

func (e *echoes) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard) == 0 {
		return ""
	}
	return e.heard[len(e.heard)-1]
}

// all are the bodies that came.
func (e *echoes) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

func (e *echoes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	e.heard = append(e.heard, string(body))
	e.mu.Unlock()
	for _, d := range allDialects() {
		m, ok := d.Lookup(r.Method, r.URL.Path)
		if !ok {
			continue
		}
		m.Query = r.URL.RawQuery
		codec := d.(canon.Speaker).Codec(m.Op)
		if codec == nil {
			break
		}
		var head llm.Request
		if err := d.ReadRequest(&head, m, body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		req, err := codec.ReadRequest(m, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		echo(w, codec, req, head.Stream)
		return
	}
	http.NotFound(w, r)
}

func echo(w http.ResponseWriter, codec canon.Codec, req *canon.Request, stream bool) {
	text := ""
	for _, m := range req.Messages {
		for _, p := range m.Parts {
			if p.Kind == canon.Text {
				text = p.Text
			}
		}
	}
	part, delta := canon.Part{Kind: canon.Text, Text: text}, text
	if said, ok := strings.CutPrefix(text, "call:"); ok {
		args, _ := json.Marshal(map[string]any{"said": said, "n": 1})
		part, delta = canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: "call_1", Name: "tell", Args: string(args)}}, string(args)
	}
	report := canon.NewReport(req)
	usage := canon.NoUsage()
	usage.Input, usage.Output, usage.Source = 5, 7, "reported"
	finish := canon.Stopped
	if part.Kind == canon.ToolCall {
		finish = canon.ToolCalls
	}
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(codec.WriteAnswer(&canon.Answer{ID: "a1", Model: "m", Created: 1, Choices: []canon.Choice{{Parts: []canon.Part{part}, Finish: finish}}, Usage: usage}, req, report))
		return
	}
	req.StreamUsage = true
	writer := codec.NewWriter(req, report)
	w.Header().Set("Content-Type", writer.ContentType())
	flush := w.(http.Flusher).Flush
	send := func(ev canon.Event) {
		if b := writer.Write(nil, &ev); len(b) > 0 {
			_, _ = w.Write(b)
			flush()
		}
	}
	send(canon.Event{Kind: canon.Start, ID: "a1", Model: "m", Created: 1})
	begin := canon.Event{Kind: canon.Begin, PartKind: part.Kind}
	if part.Call != nil {
		begin.Call = &canon.Call{ID: part.Call.ID, Name: part.Call.Name}
	}
	send(begin)
	for len(delta) > 0 {
		n := min(3, len(delta))
		send(canon.Event{Kind: canon.Delta, PartKind: part.Kind, Text: delta[:n]})
		delta = delta[n:]
	}
	send(canon.Event{Kind: canon.EndPart, PartKind: part.Kind})
	send(canon.Event{Kind: canon.Finished, Finish: finish})
	send(canon.Event{Kind: canon.Used, Usage: &usage})
	_, _ = w.Write(writer.End(nil))
}

// guardCallers are the ways to ask: a dialect and its address.
var guardCallers = []struct {
	name string
	op   llm.Operation
	d    canon.Speaker
	path string
}{
	{"chat", llm.Chat, openai.New(), "/v1/chat/completions"},
	{"responses", llm.Responses, openai.New(), "/v1/responses"},
	{"anthropic", llm.Chat, anthropic.New(), "/v1/messages"},
	{"gemini", llm.Chat, gemini.New(), "/v1beta/models/MODEL:generateContent"},
}

// guardProviders are the kinds of providers, each of another dialect.
var guardProviders = []string{"openai", "anthropic", "gemini", "cohere", "ollama"}

// newGuardRig serves a provider of each dialect, with these guardrails.
func newGuardRig(t testing.TB, guardrails string) (*rig, *echoes) {
	t.Helper()
	e := &echoes{}
	up := httptest.NewServer(e)
	t.Cleanup(up.Close)
	r := newRigWith(t, fmt.Sprintf(`
version: 1
providers:
  openai: {kind: openai, base_url: "%[1]s/v1", keys: [provider-key-0123]}
  anthropic: {kind: anthropic, base_url: "%[1]s", keys: [provider-key-0123]}
  gemini: {kind: gemini, base_url: "%[1]s", keys: [provider-key-0123]}
  cohere: {kind: cohere, base_url: "%[1]s", keys: [provider-key-0123]}
  ollama: {kind: ollama, base_url: "%[1]s"}
%[2]s
`, up.URL, guardrails), func(d *snapshot.Deps) {
		d.Dialects, d.Speak = allDialects(), map[string]llm.Dialect{}
		for _, x := range allDialects() {
			d.Speak[x.Name()] = x
		}
	})
	return r, e
}

// say puts a text to a model and returns what was said back: the text, or the arguments of a call.
type said struct {
	status   int
	body     string
	text     string
	args     string
	complete bool
	header   http.Header
}

func (r *rig) say(t testing.TB, caller int, key, model, text string, stream bool) said {
	t.Helper()
	how := guardCallers[caller]
	codec := how.d.Codec(how.op)
	req := &canon.Request{Op: how.op, Model: model, Stream: stream, StreamUsage: true, Messages: []canon.Message{{Role: canon.User, Parts: []canon.Part{{Kind: canon.Text, Text: text}}}}}
	req.Params[canon.MaxTokens] = canon.Param{JSON: []byte("100")}
	body, err := codec.WriteRequest(req, &canon.Target{Model: model}, canon.NewReport(req))
	if err != nil {
		t.Fatal(err)
	}
	path := strings.Replace(how.path, "MODEL", model, 1)
	if stream && how.name == "gemini" {
		path = strings.Replace(path, "generateContent", "streamGenerateContent", 1) + "?alt=sse"
	}
	return r.sayBody(t, caller, key, path, body, stream)
}

func (r *rig) sayBody(t testing.TB, caller int, key, path string, body []byte, stream bool) said {
	t.Helper()
	how := guardCallers[caller]
	codec := how.d.Codec(how.op)
	hr, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+path, bytes.NewReader(body))
	hr.Header.Set("Authorization", "Bearer "+key)
	hr.Header.Set("Content-Type", "application/json")
	hr.Header.Set("Anthropic-Version", "2023-06-01")
	res, err := http.DefaultClient.Do(hr)
	if err != nil {
		t.Error(err)
		return said{}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	s := said{status: res.StatusCode, body: string(b), header: res.Header}
	if err != nil || res.StatusCode != http.StatusOK {
		return s
	}
	take := func(p canon.PartKind, text string) {
		if p == canon.ToolCall {
			s.args += text
		} else {
			s.text += text
		}
	}
	if !stream {
		a, err := codec.ReadAnswer(b)
		if err != nil {
			t.Errorf("%s: %v", b, err)
			return s
		}
		for _, c := range a.Choices {
			for _, p := range c.Parts {
				if p.Call != nil {
					take(p.Kind, p.Call.Args)
				} else {
					take(p.Kind, p.Text)
				}
			}
		}
		s.complete = true
		return s
	}
	st, reader := how.d.NewStream(how.op, false), codec.NewReader()
	st.Tap(func(ev llm.Event) {
		events, err := reader.Read(ev, nil)
		if err != nil {
			t.Errorf("%s: %v", ev.Data, err)
		}
		for _, ev := range events {
			if ev.Kind == canon.Delta {
				take(ev.PartKind, ev.Text)
			}
		}
	})
	st.Feed(b, nil)
	_, end := st.Finish(true, nil)
	s.complete = end.Complete
	return s
}

const guardConfig = `
guardrails:
  hide: {detect: [email, card], keywords: ["Project \"Falcon\""], with: reversible}
  answers: {detect: [ip], with: partial, on: answer}
  stop: {keywords: [top secret], with: block, on: request}
  stopanswer: {keywords: ["launch code"], with: block, on: answer}
  size: {max_prompt: 2KiB}
  few: {max_prompt: 20 tokens}
  staff: {expressions: ["EMP-[0-9]{6}"], paths: [{path: "$.metadata", remove: true}, $.x_new.name], with: hash}
llm: {guardrails: [hide, answers, stop, stopanswer]}
models:
  sized: {targets: [{model: openai/m}], guardrails: [size]}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*]}
  strict: {keys: [strict-key-0123456789], subscribes: [models/*], guardrails: [few, staff]}
`

const webKey = "web-key-0123456789"

// What a prompt hides does not reach the provider and is back in the answer; what a model says of addresses is masked;
// whatever the dialects, in whole answers and in streams, in texts and in calls of tools.
func TestGuardrailsOverEveryPairOfDialects(t *testing.T) {
	r, e := newGuardRig(t, guardConfig)
	for i, caller := range guardCallers {
		for _, provider := range guardProviders {
			for _, stream := range []bool{false, true} {
				for _, call := range []string{"", "call:"} {
					name := fmt.Sprintf("%s to %s, stream %v %s", caller.name, provider, stream, call)
					text := call + "Mail jane.doe@example.com, card 4111 1111 1111 1111, for project \"falcon\" at 203.0.113.77 or jane.doe@example.com."
					s := r.say(t, i, webKey, provider+"/m", text, stream)
					if s.status != 200 || !s.complete {
						t.Errorf("%s: %d %s", name, s.status, s.body)
						continue
					}
					heard := e.last()
					for _, secret := range []string{"jane", "4111 1111", "falcon"} {
						if strings.Contains(heard, secret) {
							t.Errorf("%s: the provider heard %s: %s", name, secret, heard)
						}
					}
					want := strings.TrimPrefix(strings.ReplaceAll(text, "203.0.113.77", "2***7"), call)
					got := s.text
					if call != "" {
						var args struct{ Said string }
						if err := json.Unmarshal([]byte(s.args), &args); err != nil {
							t.Errorf("%s: arguments %q: %v", name, s.args, err)
						}
						got = args.Said
					}
					if got != want {
						t.Errorf("%s:\n got %s\nwant %s\n%s", name, got, want, s.body)
					}
				}
			}
		}
	}
}

func TestABlockedPromptIsNotSent(t *testing.T) {
	r, e := newGuardRig(t, guardConfig)
	for i, caller := range guardCallers {
		s := r.say(t, i, webKey, "openai/m", "this is TOP SECRET stuff", i%2 == 0)
		if s.status != 403 || !strings.Contains(s.body, "prompt_blocked") || !strings.Contains(s.body, "guardrail stop") || strings.Contains(strings.ToLower(s.body), "top secret") {
			t.Errorf("%s: %d %s", caller.name, s.status, s.body)
		}
	}
	if e.last() != "" {
		t.Error("the provider was asked")
	}
}

// A whole answer that is blocked is a 403; a stream that had begun ends with the dialect's error event, and never as
// if it had finished.
func TestABlockedAnswerIsNotHandedOn(t *testing.T) {
	r, _ := newGuardRig(t, guardConfig)
	for i, caller := range guardCallers {
		for _, provider := range guardProviders {
			for _, stream := range []bool{false, true} {
				name := fmt.Sprintf("%s to %s, stream %v", caller.name, provider, stream)
				s := r.say(t, i, webKey, provider+"/m", strings.Repeat("it is fine so far, ", 20)+"and the launch code is 1234 5678", stream)
				switch {
				case !strings.Contains(s.body, "answer_blocked") || strings.Contains(s.body, "launch code") || strings.Contains(s.body, "1234"):
					t.Errorf("%s: %d %s", name, s.status, s.body)
				case stream && (s.status != 200 || s.complete):
					t.Errorf("%s: status %d, complete %v: %s", name, s.status, s.complete, s.body)
				case !stream && s.status != 403:
					t.Errorf("%s: %d", name, s.status)
				}
			}
		}
	}
	// At its first words it is a 403 where nothing has left, such as the role that OpenAI's streams begin with.
	if s := r.say(t, 0, webKey, "openai/m", "launch code", true); s.status != 403 && s.status != 200 || s.complete || !strings.Contains(s.body, "answer_blocked") {
		t.Errorf("a stream blocked at its first words: %d %s", s.status, s.body)
	}
}

func TestPromptSizes(t *testing.T) {
	r, _ := newGuardRig(t, guardConfig)
	for _, tt := range []struct {
		key, model, text string
		status           int
	}{
		{webKey, "sized", strings.Repeat("x ", 900), 200},
		{webKey, "sized", strings.Repeat("x ", 1100), 413},
		{webKey, "openai/m", strings.Repeat("x ", 1100), 200},
		{"strict-key-0123456789", "openai/m", "hello there", 200},
		{"strict-key-0123456789", "openai/m", strings.Repeat("hello there ", 20), 413},
	} {
		s := r.say(t, 0, tt.key, tt.model, tt.text, false)
		if s.status != tt.status || tt.status == 413 && !strings.Contains(s.body, "prompt_too_large") {
			t.Errorf("%s with %d bytes: %d %s", tt.model, len(tt.text), s.status, s.body)
		}
	}
}

// A call that passes keeps what the canonical form does not know, in both directions.
func TestWhatIsMaskedPassesOtherwise(t *testing.T) {
	r, e := newGuardRig(t, guardConfig)
	body := `{"model":"openai/m","x_new":{"a":["jane@x.com"],"name":"Jane"},"metadata":{"a":"b"},"messages":[{"role":"user","content":"EMP-123456","x_other":1.50}]}`
	s := r.sayBody(t, 0, "strict-key-0123456789", "/v1/chat/completions", []byte(body), false)
	if s.status != 200 || !strings.HasPrefix(s.text, "[TEXT:") {
		t.Fatalf("%d %s", s.status, s.body)
	}
	hash := strings.TrimSuffix(strings.TrimPrefix(s.text, "[TEXT:"), "]")
	heard := e.last()
	if !strings.HasPrefix(heard, `{"model":"m","x_new":{"a":["[EMAIL_1]"],"name":"[VALUE:`) || !strings.HasSuffix(heard, `]"},"messages":[{"role":"user","content":"[TEXT:`+hash+`]","x_other":1.50}]}`) {
		t.Errorf("heard %s", heard)
	}
	if s.header.Get("Causeway-Translation") != "" {
		t.Errorf("a loss is told: %s", s.header.Get("Causeway-Translation"))
	}
}

// The record says which guardrail found what, and never the text.
func TestTheRecordNamesWhatWasFound(t *testing.T) {
	r, _ := newGuardRig(t, guardConfig)
	r.say(t, 2, webKey, "openai/m", "jane@x.com joe@x.com at 203.0.113.77", true)
	j := r.last(t, "/v1/messages")
	var notes []string
	for _, n := range j.Notes {
		if n.Room == "guard" {
			notes = append(notes, n.Text)
		}
	}
	want := "hide: EMAIL in the prompt, hidden (2)|answers: IP in the answer, masked in part (1)"
	if got := strings.Join(notes, "|"); got != want {
		t.Errorf("notes %q, want %q", got, want)
	}
	found := map[string]int64{}
	for _, f := range r.gateway.Generation().GuardrailsFound() {
		found[f.Rule+" "+f.Label] = f.Count
	}
	if found["hide EMAIL"] != 2 || found["answers IP"] != 1 || len(found) != 2 {
		t.Errorf("counted %v", found)
	}
}

// 2,000 calls at a time, each with a text of its own, some of them left by their callers: nobody ever reads a word of
// another's, and the provider none that is to be hidden.
func TestNoTextReachesAnotherCaller(t *testing.T) {
	r, e := newGuardRig(t, guardConfig)
	const calls = 2000
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	begun := time.Now()
	for n := range calls {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			own := fmt.Sprintf("canary%05d@example.com", n)
			text := fmt.Sprintf("word%05d mail %s word%05d", n, own, n)
			caller, provider := n%len(guardCallers), guardProviders[n/7%len(guardProviders)]
			stream := n%3 > 0
			if n%5 == 4 {
				r.leave(t, provider+"/m", text, n)
				return
			}
			s := r.say(t, caller, webKey, provider+"/m", text, stream)
			if s.status != 200 || !s.complete || s.text != text {
				t.Errorf("call %d, %s to %s: %d %q\n%s", n, guardCallers[caller].name, provider, s.status, s.text, s.body)
			}
			for rest := s.body; ; {
				i := strings.Index(rest, "canary")
				if i < 0 {
					break
				}
				if !strings.HasPrefix(own, rest[i:min(i+11, len(rest))]) {
					t.Errorf("call %d got %q", n, rest[i:min(i+30, len(rest))])
				}
				rest = rest[i+6:]
			}
		})
	}
	wg.Wait()
	t.Logf("%d calls in %s", calls, time.Since(begun))
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, heard := range e.heard {
		if strings.Contains(heard, "canary") || strings.Contains(heard, webKey) {
			t.Fatalf("the provider heard %s", heard)
		}
	}
}

// leave asks for a stream and goes before its end.
func (r *rig) leave(t testing.TB, model, text string, n int) {
	body, _ := json.Marshal(map[string]any{"model": model, "stream": true, "messages": []any{map[string]any{"role": "user", "content": text}}})
	hr, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/v1/chat/completions", bytes.NewReader(body))
	hr.Header.Set("Authorization", "Bearer "+webKey)
	res, err := http.DefaultClient.Do(hr)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.CopyN(io.Discard, res.Body, int64(n%700))
	res.Body.Close()
}
