package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLlama stands before a real Llama server: Ollama, which runs llama.cpp, with the model of the GGUF file LLAMA_MODEL.
// LLAMA_SERVER is Ollama's program. `make test-llama` builds it.
func TestLlama(t *testing.T) {
	weights, program := os.Getenv("LLAMA_MODEL"), os.Getenv("LLAMA_SERVER")
	if weights == "" || program == "" {
		t.Skip("make test-llama LLAMA_MODEL=FILE.gguf runs this")
	}
	one, two := startLlama(t, program, weights), startLlama(t, program, weights)
	g := serve(t, strings.NewReplacer("ONE", one.addr, "TWO", two.addr).Replace(`
version: 1
providers:
  one: {kind: openai-compatible, base_url: "http://ONE/v1", timeouts: {first_byte: 60s}}
  cpp: {kind: llamacpp, base_url: "http://ONE"}
  native: {kind: ollama, dialect: ollama, base_url: "http://ONE"}
  two: {kind: llamacpp, base_url: "http://TWO"}
models:
  stories: {targets: [{model: one/stories}], fallback: [two/stories]}
applications:
  web: {keys: [llama-test-key-0123456789], subscribes: [models/*]}
`))
	t.Run("tokens are streamed", func(t *testing.T) {
		for _, model := range []string{"one/stories", "cpp/stories", "native/stories"} {
			t.Run(model, func(t *testing.T) {
				s := g.tell(t, t.Context(), model, 40)
				tokens, spread := 0, time.Duration(0)
				for s.next() {
					if s.text() != "" {
						tokens++
						spread = time.Since(s.first)
					}
				}
				if s.problem != "" || !s.done || tokens < 20 {
					t.Fatalf("%d pieces, whole %v: %s", tokens, s.done, s.problem)
				}
				rec := g.record(t, s.id)
				if rec.Usage == nil || rec.Usage.Source != "reported" || *rec.Usage.Output < 20 {
					t.Errorf("the usage is %+v", rec.Usage)
				}
				t.Logf("%d pieces over %v, %d tokens", tokens, spread.Round(time.Millisecond), *rec.Usage.Output)
			})
		}
	})
	t.Run("the server sees who leaves", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		s := g.tell(t, ctx, "one/stories", longStory)
		for range 20 {
			if !s.next() {
				t.Fatalf("the story was over before anybody left: %s", s.problem)
			}
		}
		answered := one.answered()
		left := time.Now()
		leave()
		eventually(t, "the server to end the call", func() bool { return one.answered() > answered })
		took := time.Since(left)
		rec := g.record(t, s.id)
		if rec.Finding == nil || rec.Finding.Kind != "caller_gone" {
			t.Errorf("the record says %+v", rec.Finding)
		}
		t.Logf("the server ended the call %v after its caller had left", took.Round(time.Millisecond))
		// It is free for the next one at once.
		if s := g.tell(t, t.Context(), "one/stories", 5); !s.whole() {
			t.Errorf("the next call: %s", s.problem)
		}
	})
	t.Run("the server is killed in mid-stream", func(t *testing.T) {
		s := g.tell(t, t.Context(), "stories", longStory)
		for range 20 {
			if !s.next() {
				t.Fatalf("the story was over too early: %s", s.problem)
			}
		}
		one.kill(t)
		for s.next() {
		}
		rec := g.record(t, s.id)
		if s.done || rec.Finding == nil || rec.Finding.Kind != "truncated_body" || !strings.Contains(s.problem, `"code":"truncated_body"`) {
			t.Fatalf("the stream's end: %q; the record: %+v", s.problem, rec.Finding)
		}
		t.Log(s.problem)
	})
	t.Run("the second one takes over", func(t *testing.T) {
		s := g.tell(t, t.Context(), "stories", 20)
		if !s.whole() {
			t.Fatalf("%s", s.problem)
		}
		want(t, "Causeway-Attempts", s.attempts, "2")
		g.record(t, s.id) // waits for it
		var j struct{ Attempts []struct{ Kind string } }
		_, body := g.get(t, "/api/v1/calls/"+s.id, "application/json")
		if err := json.Unmarshal(body, &j); err != nil || len(j.Attempts) != 2 || j.Attempts[0].Kind != "connection_refused" {
			t.Errorf("%v: %s", err, body)
		}
	})
}

// longStory is more tokens than anybody waits for.
const longStory = 20000

// llama is one server.
type llama struct {
	*process
	addr string
}

// startLlama starts a server of its own folder that has the model "stories".
func startLlama(t *testing.T, program, weights string) *llama {
	t.Helper()
	dir := shortDir(t)
	addr := freePort(t)
	env := []string{"HOME=" + dir, "OLLAMA_HOST=" + addr, "OLLAMA_MODELS=" + filepath.Join(dir, "models"), "OLLAMA_KEEP_ALIVE=10m", "OLLAMA_NUM_PARALLEL=1"}
	l := &llama{start(t, env, program, "serve"), addr}
	t.Cleanup(func() { l.end() }) // its runner is a process of its own
	awaitListener(t, l.process, addr)
	file := filepath.Join(dir, "Modelfile")
	if err := os.WriteFile(file, []byte("FROM "+weights+"\nPARAMETER temperature 0.8\nPARAMETER seed 1\nPARAMETER num_ctx 2048\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := commandEnv(t, env, "", program, "create", "stories", "-f", file); r.code != 0 {
		t.Fatalf("ollama create: exit %d: %s%s", r.code, r.out, r.err)
	}
	return l
}

// runners are the processes that the server has started.
func (l *llama) runners() (pids []int) {
	pid := strconv.Itoa(l.cmd.Process.Pid)
	text, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	threads, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
	for _, name := range threads {
		more, _ := os.ReadFile(name)
		text = append(append(text, ' '), more...)
	}
	for _, field := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// end kills the server and its runners, as a machine that goes down does.
func (l *llama) end() {
	runners := l.runners()
	_ = l.cmd.Process.Kill()
	for _, pid := range runners {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (l *llama) kill(t *testing.T) {
	t.Helper()
	l.end()
	<-l.done
}

// answered is how many chats the server says it has answered, or given up.
func (l *llama) answered() int {
	return strings.Count(l.out.all()+l.errs.all(), "/v1/chat/completions\"")
}

// story is a stream of a model.
type story struct {
	id, attempts string
	answer       *http.Response
	lines        *bufio.Scanner
	event        string
	first        time.Time
	done         bool
	problem      string
}

// tell asks a model to go on with a story, by the OpenAI dialect.
func (g *gateway) tell(t *testing.T, ctx context.Context, model string, tokens int) *story {
	t.Helper()
	body := fmt.Sprintf(`{"model":%q,"stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"Once upon a time"}]}`, model, tokens)
	rq, err := http.NewRequestWithContext(ctx, "POST", g.URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Authorization", "Bearer llama-test-key-0123456789")
	rq.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	s := &story{id: res.Header.Get("Causeway-Call-Id"), attempts: res.Header.Get("Causeway-Attempts"), answer: res, lines: bufio.NewScanner(res.Body)}
	s.lines.Buffer(nil, 1<<20)
	if res.StatusCode != 200 {
		for s.lines.Scan() {
			s.problem += s.lines.Text()
		}
		t.Fatalf("%s: %s", res.Status, s.problem)
	}
	return s
}

// next reads the next event; false at the stream's end.
func (s *story) next() bool {
	for s.lines.Scan() {
		event, ok := strings.CutPrefix(s.lines.Text(), "data: ")
		if !ok {
			continue
		}
		if s.first.IsZero() {
			s.first = time.Now()
		}
		switch {
		case event == "[DONE]":
			s.done = true
			return false
		case strings.HasPrefix(event, `{"error"`):
			s.problem = event
			return false
		}
		s.event = event
		return true
	}
	return false
}

// text is what the event adds.
func (s *story) text() string {
	var chunk struct {
		Choices []struct{ Delta struct{ Content string } }
	}
	if json.Unmarshal([]byte(s.event), &chunk) != nil || len(chunk.Choices) == 0 {
		return ""
	}
	return chunk.Choices[0].Delta.Content
}

// whole reads on, and tells whether the stream ended as a whole one does.
func (s *story) whole() bool {
	for s.next() {
	}
	return s.done
}
