package hook

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log that a test can wait on.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
	in chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.b.Write(p)
	select {
	case j.in <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// await waits for a text in the log.
func (j *journal) await(t *testing.T, want string) string {
	t.Helper()
	over := time.After(20 * time.Second)
	for {
		for line := range strings.SplitSeq(j.text(), "\n") {
			if strings.Contains(line, want) {
				return line
			}
		}
		select {
		case <-j.in:
		case <-over:
			t.Fatalf("the log lacks %q:\n%s", want, j.text())
		}
	}
}

func newRunner(t *testing.T) (*Runner, *journal) {
	j := &journal{in: make(chan struct{}, 1)}
	r := New(Options{Log: slog.New(slog.NewTextHandler(j, nil)), Pause: time.Millisecond})
	t.Cleanup(func() { _ = r.Close() })
	return r, j
}

func opened() Event {
	return Event{
		What: "opened", ID: "01INCIDENT", Kind: fault.ConnectionRefused, Cause: fault.Software, Services: []string{"orders"},
		Values: map[string]string{"event": "opened", "id": "01INCIDENT", "kind": "connection_refused", "service": "orders", "target": "http://127.0.0.1:9001", "host": "127.0.0.1", "port": "9001"},
		Body:   []byte(`{"event":"opened"}`),
	}
}

func web(url string, change ...func(h *catalog.Hook)) catalog.Hook {
	h := catalog.Hook{Name: "pager", On: []string{"opened", "closed"}, Timeout: 5 * time.Second, MaxPerHour: 100, Webhook: &catalog.Webhook{URL: catalog.Secret(url), Retries: 3}}
	for _, f := range change {
		f(&h)
	}
	return h
}

func TestAWebhookGetsASignedIncident(t *testing.T) {
	type got struct {
		header http.Header
		body   []byte
	}
	came := make(chan got, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, rq *http.Request) {
		b, _ := io.ReadAll(rq.Body)
		came <- got{rq.Header, b}
	}))
	defer s.Close()
	r, log := newRunner(t)
	r.Configure([]catalog.Hook{web(s.URL+"/in?token=hunter2", func(h *catalog.Hook) {
		h.Webhook.Secret, h.Webhook.Headers = "topsecret", map[string]catalog.Secret{"X-Team": "shop"}
	})}, nil)
	r.Tell(opened())
	g := <-came
	at, _, _ := strings.Cut(strings.TrimPrefix(g.header.Get(FieldSignature), "t="), ",")
	var unix int64
	fmt.Sscan(at, &unix)
	if want := Sign("topsecret", time.Unix(unix, 0), g.body); g.header.Get(FieldSignature) != want || unix == 0 {
		t.Errorf("signature %q, want %q", g.header.Get(FieldSignature), want)
	}
	if string(g.body) != `{"event":"opened"}` || g.header.Get("X-Team") != "shop" || g.header.Get(FieldDelivery) != "01INCIDENT-opened" || g.header.Get(FieldEvent) != "opened" {
		t.Errorf("got %s with %v", g.body, g.header)
	}
	log.await(t, `msg="hook ran" hook=pager event=opened incident=01INCIDENT`)
	if strings.Contains(log.text(), "hunter2") || strings.Contains(log.text(), "topsecret") {
		t.Errorf("a secret is in the log:\n%s", log.text())
	}
}

func TestWebhooksAreTriedAgainWhereThatMayHelp(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses []int // of the tries, the last for all further ones
		tries    int
		log      string
	}{
		{"until it goes well", []int{503, 429, 200}, 3, `msg="hook ran"`},
		{"no more than its retries", []int{500}, 4, `msg="hook failed"`},
		{"not after what is wrong with the request", []int{404}, 1, `error="it answered 404"`},
		{"not into a redirect", []int{302}, 1, `redirects are not followed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			n := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				status := c.statuses[min(n, len(c.statuses)-1)]
				n++
				w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
				w.WriteHeader(status)
			}))
			defer s.Close()
			r, log := newRunner(t)
			r.Configure([]catalog.Hook{web(s.URL)}, nil)
			r.Tell(opened())
			log.await(t, c.log)
			mu.Lock()
			defer mu.Unlock()
			if n != c.tries {
				t.Errorf("%d tries, want %d", n, c.tries)
			}
		})
	}
}

func TestANameThatLeadsToAPrivateAddressIsRefused(t *testing.T) {
	asked := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	r, log := newRunner(t)
	r.Configure([]catalog.Hook{web("http://localhost:" + port)}, nil)
	r.Tell(opened())
	line := log.await(t, "which is not a public address")
	if !strings.Contains(line, "tries=1") || len(asked) > 0 {
		t.Errorf("it was asked, or tried again: %s", line)
	}
	r.Configure([]catalog.Hook{web("http://localhost:"+port, func(h *catalog.Hook) { h.Webhook.Private = true })}, nil)
	r.Tell(opened())
	<-asked
}

func TestTheRateLimitIsKeptOverAReload(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	r, log := newRunner(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	r.o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	two := func(h *catalog.Hook) { h.MaxPerHour = 2 }
	r.Configure([]catalog.Hook{web(s.URL, two)}, nil)
	for range 5 {
		r.Tell(opened())
	}
	log.await(t, "it has run as often as it may in an hour")
	r.Configure([]catalog.Hook{web(s.URL+"/other", two)}, nil)
	r.Tell(opened())
	if got := figures(r, "suppressed"); got != 4 {
		t.Errorf("%d were left out, want 4", got)
	}
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	r.Tell(opened())
	if got := figures(r, "suppressed"); got != 4 {
		t.Errorf("after an hour %d were left out, want 4", got)
	}
}

func figures(r *Runner, result string) (n int64) {
	for _, f := range r.Figures() {
		if f.Result == result {
			n += f.N
		}
	}
	return n
}

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		name string
		set  catalog.Hook
		want bool
	}{
		{"no filter", catalog.Hook{On: []string{"opened"}}, true},
		{"another event", catalog.Hook{On: []string{"closed"}}, false},
		{"its kind", catalog.Hook{On: []string{"opened"}, Kinds: []fault.Kind{fault.ConnectionRefused}}, true},
		{"another kind", catalog.Hook{On: []string{"opened"}, Kinds: []fault.Kind{fault.ConnectTimeout}}, false},
		{"another cause", catalog.Hook{On: []string{"opened"}, Causes: []fault.Cause{fault.Network}}, false},
		{"its service", catalog.Hook{On: []string{"opened"}, Services: []string{"stock", "orders"}}, true},
		{"another service", catalog.Hook{On: []string{"opened"}, Services: []string{"stock"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := opened()
			if h := (&hook{set: c.set}); h.wants(&e) != c.want {
				t.Errorf("wants is %v", !c.want)
			}
		})
	}
}

// script writes a program of a shell's, for a test alone.
func script(t *testing.T, text string) string {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	p := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func program(path string, args ...string) catalog.Hook {
	return catalog.Hook{Name: "restart", On: []string{"opened"}, Timeout: 10 * time.Second, MaxPerHour: 10, Command: append([]string{path}, args...)}
}

func TestACommandGetsTheIncidentAndNothingElse(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "hunter2")
	out := filepath.Join(t.TempDir(), "out")
	p := script(t, `{ echo "$#:$1:$2:$3"; env; cat; } > `+out)
	r, log := newRunner(t)
	r.Configure([]catalog.Hook{program(p, "restart", "{service}.service", "$(id); {host}")}, []string{p})
	r.Tell(opened())
	log.await(t, `msg="hook ran"`)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	if !strings.HasPrefix(got, "3:restart:orders.service:$(id); 127.0.0.1\n") || !strings.HasSuffix(got, `{"event":"opened"}`) {
		t.Errorf("the program got\n%s", got)
	}
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "PATH=/usr/local/sbin") {
		t.Errorf("its environment is\n%s", got)
	}
}

func TestCommandsThatFailAreTold(t *testing.T) {
	for _, c := range []struct {
		name    string
		text    string
		args    []string
		allow   bool
		timeout time.Duration
		mode    os.FileMode
		want    []string
	}{
		{"an exit code with its last words", "echo unit not found >&2; exit 5", nil, true, 0, 0, []string{"exit_code=5", `output="unit not found"`}},
		{"an endless output is bounded", "yes | head -c 3000000; exit 1", nil, true, 0, 0, []string{"exit_code=1"}},
		{"its timeout, with all it has started", "sleep 60 & sleep 60", nil, true, 200 * time.Millisecond, 0, []string{"took longer than its timeout of 200ms"}},
		{"not in the list", "exit 0", nil, false, 0, 0, []string{"is not in server.hooks_allow"}},
		{"a program that everybody can change", "exit 0", nil, true, 0, 0o777, []string{"can be changed by everybody"}},
		{"a value that is not there", "exit 0", []string{"{model}"}, true, 0, 0, []string{"which this incident does not have"}},
		{"a value that is not plain", "exit 0", []string{"{provider}"}, true, 0, 0, []string{"characters that are not plain"}},
		{"a value that reads as an option", "exit 0", []string{"{cause}"}, true, 0, 0, []string{"would begin with a hyphen"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := script(t, c.text)
			if c.mode != 0 {
				if err := os.Chmod(p, c.mode); err != nil {
					t.Fatal(err)
				}
			}
			h := program(p, c.args...)
			if c.timeout > 0 {
				h.Timeout = c.timeout
			}
			var allowed []string
			if c.allow {
				allowed = []string{p}
			}
			r, log := newRunner(t)
			r.Configure([]catalog.Hook{h}, allowed)
			e := opened()
			e.Values["provider"], e.Values["cause"] = "a; reboot", "--force"
			r.Tell(e)
			line := log.await(t, `msg="hook failed"`)
			for _, want := range c.want {
				if !strings.Contains(line, want) {
					t.Errorf("the log lacks %q: %s", want, line)
				}
			}
			if len(line) > 4<<10 {
				t.Errorf("the line has %d bytes", len(line))
			}
		})
	}
}

func TestCloseEndsARunningCommand(t *testing.T) {
	began := filepath.Join(t.TempDir(), "began")
	p := script(t, "mkfifo "+began+" && echo x > "+began+"; sleep 60")
	r, log := newRunner(t)
	r.Configure([]catalog.Hook{program(p)}, []string{p})
	r.Tell(opened())
	for { // it waits in the fifo until it is read
		if b, err := os.ReadFile(began); err == nil && len(b) > 0 {
			break
		}
		runtime.Gosched()
	}
	at := time.Now()
	_ = r.Close()
	if took := time.Since(at); took > 10*time.Second {
		t.Errorf("closing took %s", took)
	}
	log.await(t, "the gateway is stopping")
}
