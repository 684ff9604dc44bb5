package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The process is killed under full load, three times on one data folder. Whatever a caller has an
// answer to must be in the call log afterwards, as it was answered; what was in flight must be there
// as well, as killed.

const killKey = "kill-test-key-0123456789"

// killLoad is the load on a gateway that will be killed.
type killLoad struct {
	g     *gateway
	until int64 // answers to collect before the kill
	count atomic.Int64

	mu       sync.Mutex
	answered map[string]expected // by call id
}

// expected is what a call's answer said, and so what the log must say.
type expected struct {
	status        int
	kind          string
	input, output int64 // tokens; 0: not a model's call
}

func TestKill(t *testing.T) {
	t.Parallel()
	total := int64(10_000)
	if os.Getenv("E2E_BIG") == "1" {
		total = 100_000
	}
	up := startKillUpstream(t)
	config := fmt.Sprintf(`
version: 1
services:
  rest: {routes: [{path: /rest/*}], upstream: {targets: [{url: %q}]}}
  down: {routes: [{path: /down/*}], upstream: {targets: [{url: "http://%s"}], retries: {max: 0}}}
providers:
  mock: {kind: openai-compatible, base_url: "%s/v1", keys: [mock-provider-key-0123]}
models:
  fast: {targets: [{model: mock/m}]}
applications:
  load: {keys: [%s], subscribes: [rest, down, models/fast]}
`, up.url, freePort(t), up.url, killKey)
	data := shortDir(t)
	load := &killLoad{answered: map[string]expected{}}
	var cut []string // ids of answers that had begun when the process was killed
	silent := 0      // calls without a byte of an answer
	const rounds = 3
	for round := range rounds {
		load.g = serve(t, config, inData(data), withArgs("--log", "off"))
		load.until = total * int64(round+1) / rounds
		begun := time.Now()
		began, waiting := load.killUnder(t, up)
		cut, silent = append(cut, began...), silent+waiting
		t.Logf("round %d: %d answers in %v, killed with %d calls in flight", round+1, load.count.Load(), time.Since(begun).Round(time.Millisecond), waiting+len(began))
	}

	g := serve(t, config, inData(data), withArgs("--log", "off"))
	t.Logf("ready again in %v", g.Ready)
	begun := time.Now()
	log := map[string]callRecord{}
	for rec := range g.everyCall(t) {
		if _, twice := log[rec.ID]; twice {
			t.Errorf("call %s is listed twice", rec.ID)
		}
		log[rec.ID] = rec
	}
	t.Logf("%d calls listed in %v", len(log), time.Since(begun).Round(time.Millisecond))
	missing, killed := 0, 0
	for id, e := range load.answered {
		rec, ok := log[id]
		switch {
		case !ok:
			missing++
		case rec.Status != e.status || rec.Kind != e.kind:
			t.Errorf("call %s was answered %+v and is logged with %d %q", id, e, rec.Status, rec.Kind)
		}
	}
	for _, rec := range log {
		if rec.Kind == "gateway_killed" {
			killed++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d answered calls are missing", missing, len(load.answered))
	}
	if len(load.answered) < int(total) {
		t.Errorf("only %d answers were collected, want %d", len(load.answered), total)
	}
	for _, id := range cut {
		want(t, "kind of a call whose answer had begun", log[id].Kind, "gateway_killed")
		want(t, "its cause", log[id].Cause, "gateway")
	}
	// Every other call of the load that had no whole answer may have been in flight, or not yet sent.
	if least := len(cut) + silent; killed < least || killed > least+rounds*loadConnections {
		t.Errorf("%d calls are logged as killed, want %d to %d", killed, least, least+rounds*loadConnections)
	}
	want(t, "damaged records", g.metric(t, "causeway_ledger_damaged_records_total"), 0)
	load.tokens(t, g)
	t.Logf("%d answered calls found, %d killed in flight", len(load.answered)-missing, killed)
}

const (
	loadConnections = 32
	heldStreams     = 4
	heldCalls       = 4
)

// killUnder puts the load on, kills the process in its midst, and tells which answers had begun and
// how many calls without a byte of one were held.
func (l *killLoad) killUnder(t *testing.T, up *killUpstream) (began []string, waiting int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := client(t)
	// Calls that cannot end before the kill: some whose answers have begun, some that wait for theirs.
	for range heldStreams {
		res := l.open(ctx, t, c, "/rest/held-stream")
		began = append(began, res.Header.Get("Causeway-Call-Id"))
	}
	held := up.held.Load()
	for range heldCalls {
		go func() { _, _ = try(ctx, c, "GET", l.g.URL+"/rest/held", nil, keyed(killKey)...) }()
	}
	eventually(t, "calls held at the upstream", func() bool { return up.held.Load() == held+heldCalls })
	reached := make(chan struct{})
	var once sync.Once
	var all sync.WaitGroup
	for i := range loadConnections {
		all.Go(func() {
			tr := &http.Transport{MaxConnsPerHost: 1}
			defer tr.CloseIdleConnections()
			own := &http.Client{Transport: tr, Timeout: patience}
			for n := 0; ; n++ {
				if !l.one(ctx, t, own, i+n) {
					return
				}
				if l.count.Add(1) >= l.until {
					once.Do(func() { close(reached) })
				}
			}
		})
	}
	select {
	case <-reached:
	case <-time.After(3 * time.Minute):
		t.Errorf("only %d answers in time", l.count.Load())
	}
	l.g.kill(t)
	all.Wait()
	return began, heldCalls
}

// one makes a call and notes its answer; false when there was none, because the process is gone.
func (l *killLoad) one(ctx context.Context, t *testing.T, c *http.Client, n int) bool {
	path, body, method := "/rest/1k", io.Reader(nil), "GET"
	switch {
	case n%10 == 9:
		path = "/down/x"
	case n%10 == 8:
		path = "/nowhere"
	case n%3 == 0:
		path, method, body = "/v1/chat/completions", "POST", strings.NewReader(chatBody("fast", "hello", n%2 == 0))
	}
	a, err := try(ctx, c, method, l.g.URL+path, body, keyed(killKey)...)
	if err != nil || a.err != nil {
		return false
	}
	e := expected{status: a.status}
	switch {
	case a.status == http.StatusOK && method == "POST":
		// The provider counts: no two calls have the same tokens.
		if e.input, e.output, err = tokensIn(a.body); err != nil {
			t.Errorf("call %s: %v in %s", a.id, err, clip(a.body))
		}
	case a.status != http.StatusOK:
		var p problem
		if err := json.Unmarshal(a.body, &p); err != nil || p.Kind == "" {
			t.Errorf("call %s: %s %s", a.id, a.line, clip(a.body))
		}
		e.kind = p.Kind
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[a.id] = e
	return true
}

// tokensIn reads the usage of an answer or of a stream.
func tokensIn(body []byte) (input, output int64, err error) {
	if data, ok := strings.CutPrefix(string(body), "data: "); ok {
		_, err = fmt.Sscanf(data[strings.Index(data, `"content":"`):], `"content":"%d %d"`, &input, &output)
		return input, output, err
	}
	var c completionJSON
	if err = json.Unmarshal(body, &c); err == nil && c.Usage == nil {
		err = fmt.Errorf("no usage")
	}
	if err != nil {
		return 0, 0, err
	}
	return c.Usage.Input, c.Usage.Output, nil
}

// open makes a call and reads no more than the head of its answer.
func (l *killLoad) open(ctx context.Context, t *testing.T, c *http.Client, path string) *http.Response {
	t.Helper()
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, l.g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Authorization", "Bearer "+killKey)
	res, err := c.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// tokens holds the record of every model's call to what its answer said.
func (l *killLoad) tokens(t *testing.T, g *gateway) {
	t.Helper()
	begun := time.Now()
	var ids []string
	for id, e := range l.answered {
		if e.input > 0 {
			ids = append(ids, id)
		}
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ids)); i = next.Add(1) - 1 {
				a, err := try(t.Context(), g.admin, "GET", "http://socket/api/v1/calls/"+ids[i], nil)
				var rec callRecord
				if err == nil {
					err = json.Unmarshal(a.body, &rec)
				}
				e := l.answered[ids[i]]
				switch u := rec.Usage; {
				case err != nil:
					t.Errorf("call %s: %v", ids[i], err)
				case u == nil || u.Input == nil || u.Output == nil || *u.Input != e.input || *u.Output != e.output || rec.Model != "fast" || rec.Provider != "mock":
					t.Errorf("call %s was answered with %+v and is logged as %+v", ids[i], e, rec)
				}
			}
		})
	}
	all.Wait()
	if len(ids) < len(l.answered)/10 {
		t.Errorf("only %d of %d calls were a model's", len(ids), len(l.answered))
	}
	t.Logf("the tokens of %d calls looked up in %v", len(ids), time.Since(begun).Round(time.Millisecond))
}

// killUpstream serves both kinds of call.
type killUpstream struct {
	url  string
	held atomic.Int64
}

func startKillUpstream(t *testing.T) *killUpstream {
	t.Helper()
	up := &killUpstream{}
	kilobyte := []byte(strings.Repeat("x", 1024))
	end := make(chan struct{})
	var calls atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/rest/1k", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(kilobyte) })
	hold := func(r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}
	mux.HandleFunc("/rest/held", func(_ http.ResponseWriter, r *http.Request) {
		up.held.Add(1)
		hold(r)
	})
	mux.HandleFunc("/rest/held-stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		hold(r)
	})
	mux.HandleFunc("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := calls.Add(1)
		if !strings.Contains(string(body), `"stream":true`) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`, n, n+1, 2*n+1)
			return
		}
		// The caller is not sent the usage, which it has not asked for: it reads it in the content.
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d %d\"},\"finish_reason\":null}]}\n\n"+
			"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"+
			"data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n", n, n+1, n, n+1, 2*n+1)
	})
	s := httptest.NewServer(mux)
	up.url = s.URL
	t.Cleanup(func() {
		close(end)
		s.Close()
	})
	return up
}
