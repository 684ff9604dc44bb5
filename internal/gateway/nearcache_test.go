package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"causeway/internal/cache"
	"causeway/internal/llm"
)

const nearConfig = `
version: 1
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [PROVIDERKEY], retries: {max: 0}}
models:
  kept: {targets: [{model: mock/gpt-4o-mini}], cache: {ttl: 1h, semantic: {model: mock/embed, threshold: 0.9, timeout: 2s}}}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
  app: {keys: [app-0123456789abcdef], subscribes: [models/*]}
`

// meaning answers calls for embeddings of what is known, and others with their number.
func meaning(vectors map[string]string) func(int, *got) string {
	n := 0
	return func(_ int, rq *got) string {
		if !strings.Contains(rq.head, "/v1/embeddings") {
			n++
			return numbered(n, rq)
		}
		for text, v := range vectors {
			if strings.Contains(rq.body, `"`+text+`"`) {
				return reply(200, `{"object":"list","model":"embed","data":[{"object":"embedding","index":0,"embedding":`+v+`}],"usage":{"prompt_tokens":1,"total_tokens":1}}`, "Content-Type: application/json")
			}
		}
		return reply(500, `{"error":{"message":"unknown text"}}`, "Content-Type: application/json")
	}
}

func says(who, system, text, rest string) string {
	body := fmt.Sprintf(`{"model":"kept","messages":[{"role":"system","content":%q},{"role":"user","content":[{"type":"text","text":%q}]}]%s}`, system, text, rest)
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: h\nAuthorization: Bearer %s\nContent-Length: %d\n\n%s", who, len(body), body)
}

func TestACallThatMeansTheSameGetsTheSameAnswer(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, nearConfig, up))
	up.acts(meaning(map[string]string{
		"What is the capital of France?": "[1,0,0]", "Tell me the capital of France": "[0.95,0.1,0]", "What is the capital of Spain?": "[0.6,0.8,0]",
	}))
	for i, step := range []struct{ request, want, status, record string }{
		{says(key, "s", "What is the capital of France?", ""), "answer 1", "fwd=uri-miss; stored", "stored"},
		{says(key, "s", "Tell me the capital of France", ""), "answer 1", `detail="similarity=0.995"`, "hit (similarity 0.995, "},
		{says(key, "s", "What is the capital of France?", ""), "answer 1", "hit; ttl=", "hit ("},
		{says(key, "s", "What is the capital of Spain?", ""), "answer 2", "fwd=uri-miss; stored", "stored"},
		{says(key, "another", "Tell me the capital of France", ""), "answer 3", "fwd=uri-miss; stored", "stored"},
		{says(key, "s", "Tell me the capital of France", `,"temperature":1`), "answer 4", "fwd=uri-miss; stored", "stored"},
		{says(appKey, "s", "Tell me the capital of France", ""), "answer 5", "fwd=uri-miss; stored", "stored"},
		{says(key, "s", "Nobody knows what this means", ""), "answer 6", "fwd=uri-miss; stored", "stored"},
		{says(key, "s", "Nobody knows what this means", ""), "answer 6", "hit; ttl=", "hit ("},
	} {
		a := r.call(t, step.request)
		if a.status != 200 || !strings.Contains(a.body, step.want) || !strings.Contains(a.header.Get("Cache-Status"), step.status) {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
		j := r.record(t, a)
		if !strings.HasPrefix(j.Cache, step.record) {
			t.Errorf("step %d: %q", i+1, j.Cache)
		}
		if i == 7 && (len(j.Notes) == 0 || !strings.Contains(fmt.Sprint(j.Notes), "no embedding by mock/embed: it answered 500")) {
			t.Errorf("step %d: %v", i+1, j.Notes)
		}
	}
	f := r.gateway.near.figures()
	if len(f) != 1 || f[0].Model != "kept" || f[0].Made != 6 || f[0].Failed != 1 {
		t.Errorf("%+v", f)
	}
	for _, rq := range up.got() {
		if strings.Contains(rq.head, "/v1/embeddings") && (!strings.Contains(rq.head, providerKey) || strings.Contains(rq.head, key) || !strings.Contains(rq.body, `"embed"`)) {
			t.Errorf("asked for an embedding with %s%s", rq.head, rq.body)
		}
	}
}

func TestAnEmbeddingThatTakesTooLongIsAMiss(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, strings.Replace(fill(t, nearConfig, up), "timeout: 2s", "timeout: 30ms", 1))
	release := make(chan struct{})
	defer close(release)
	up.acts(func(_ int, rq *got) string {
		if strings.Contains(rq.head, "/v1/embeddings") {
			<-release
		}
		return numbered(1, rq)
	})
	began := time.Now()
	a := r.call(t, says(key, "s", "hello", ""))
	if a.status != 200 || !strings.Contains(a.body, "answer 1") || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %s", time.Since(began), a.whole())
	}
	if f := r.gateway.near.figures(); len(f) != 1 || f[0].Failed != 1 {
		t.Errorf("%+v", f)
	}
}

func TestWhatTheUserSaidLast(t *testing.T) {
	for _, c := range []struct{ name, body, want, rest string }{
		{"text", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, "c", `{"messages":[{"content":"a","role":"user"},{"content":"b","role":"assistant"},{"content":"","role":"user"}]}`},
		{"one part", `{"messages":[{"role":"user","content":[{"type":"text","text":"c"}]}]}`, "c", `{"messages":[{"content":[{"text":"","type":"text"}],"role":"user"}]}`},
		{"Gemini", `{"contents":[{"role":"user","parts":[{"text":"c"}]}]}`, "c", `{"contents":[{"parts":[{"text":""}],"role":"user"}]}`},
		{"Responses", `{"input":"c"}`, "c", `{"input":""}`},
		{"Responses, a list", `{"input":[{"role":"user","content":[{"type":"input_text","text":"c"}]}]}`, "c", `{"input":[{"content":[{"text":"","type":"input_text"}],"role":"user"}]}`},
		{"an image", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "", ""},
		{"text and image", `{"messages":[{"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url"}]}]}`, "", ""},
		{"a tool's result", `{"messages":[{"role":"tool","content":"c"}]}`, "", ""},
		{"Anthropic's tool's result", `{"messages":[{"role":"user","content":[{"type":"tool_result","text":"c"}]}]}`, "", ""},
		{"nothing", `{"messages":[]}`, "", ""},
		{"no messages", `{"prompt":"c"}`, "", ""},
		{"odd", `{"messages":[{"role":"user","content":[null]}]}`, "", ""},
		{"numbers stay", `{"seed":12345678901234567890,"input":"c"}`, "c", `{"input":"","seed":12345678901234567890}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, rest, ok := lastSaid(llm.Chat, []byte(c.body))
			if ok != (c.want != "") || ok && (text != c.want || string(rest) != c.rest) {
				t.Errorf("%q, %s, %v", text, rest, ok)
			}
		})
	}
}

func TestASetOfVectorsStaysWithinItsEntries(t *testing.T) {
	s, now := &nearSet{}, time.Now()
	group := cache.KeyOf([]byte("g"))
	key := func(i int) cache.Key { return cache.KeyOf(fmt.Append(nil, i)) }
	axis := func(i int) []float32 { v := make([]float32, 10); v[i] = 1; return v }
	for i := range 5 {
		s.add(nearEntry{group, key(i), axis(i), now.Add(time.Hour)}, 3)
	}
	if len(s.list) != 3 {
		t.Fatalf("%d entries", len(s.list))
	}
	if _, _, ok := s.nearest(group, axis(0), 0.9, now); ok {
		t.Error("the first one had not to make room")
	}
	if k, d, ok := s.nearest(group, axis(2), 0.9, now); !ok || k != key(2) || d != 1 {
		t.Error("one that is there is not found")
	}
	s.add(nearEntry{group, key(6), axis(6), now.Add(time.Hour)}, 3)
	if _, _, ok := s.nearest(group, axis(2), 0.9, now); !ok {
		t.Error("what was used last had to make room")
	}
	if _, _, ok := s.nearest(cache.KeyOf([]byte("h")), axis(2), 0, now); ok {
		t.Error("one of another group is found")
	}
	if _, _, ok := s.nearest(group, axis(2)[:3], 0, now); ok {
		t.Error("vectors of different lengths are compared")
	}
	if _, _, ok := s.nearest(group, axis(2), 0.9, now.Add(2*time.Hour)); ok || len(s.list) != 0 {
		t.Error("what is too old is found")
	}
}

// An application whose limits are used up gets what is kept for the very same request, and no embedding is made for it.
func TestNoEmbeddingBeyondALimit(t *testing.T) {
	up := newOrigin(t)
	config := strings.Replace(fill(t, nearConfig, up), "subscribes: [models/*]}", "subscribes: [models/*], limits: {tokens: 12, per: day}}", 1)
	r := newRig(t, config)
	up.acts(meaning(map[string]string{"What is the capital of France?": "[1,0,0]", "Tell me the capital of France": "[0.95,0.1,0]"}))
	embedded := func() (n int) {
		for _, rq := range up.got() {
			if strings.Contains(rq.head, "/v1/embeddings") {
				n++
			}
		}
		return n
	}
	for i, step := range []struct {
		text, has string
		status    int
		embedded  int
	}{
		{"What is the capital of France?", "answer 1", 200, 1}, // 12 tokens
		{"What is the capital of France?", "answer 1", 200, 1},
		{"Tell me the capital of France", "tokens_spent", 429, 1},
	} {
		a := r.call(t, says(key, "s", step.text, `,"max_tokens":1`))
		if a.status != step.status || !strings.Contains(a.body, step.has) || embedded() != step.embedded {
			t.Errorf("step %d, after %d embeddings: %s", i+1, embedded(), a.whole())
		}
	}
}

// A kept answer to nearly the same costs none of the tokens that were reserved while it was looked for.
func TestANearAnswerUsesNoTokens(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, strings.Replace(fill(t, nearConfig, up), "subscribes: [models/*]}", "subscribes: [models/*], limits: {tokens: 200, per: day}}", 1))
	up.acts(meaning(map[string]string{"What is the capital of France?": "[1,0,0]", "Tell me the capital of France": "[0.95,0.1,0]"}))
	if a := r.call(t, says(key, "s", "What is the capital of France?", `,"max_tokens":1`)); a.status != 200 {
		t.Fatal(a.whole())
	}
	for range 30 {
		a := r.call(t, says(key, "s", "Tell me the capital of France", `,"max_tokens":1`))
		if a.status != 200 || !strings.Contains(a.body, "answer 1") || !strings.Contains(a.header.Get("Cache-Status"), "similarity=") {
			t.Fatal(a.whole())
		}
	}
}
