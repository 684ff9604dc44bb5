package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const adminPassword = "correct-horse-battery"

// gateway is a running `causeway serve`.
type gateway struct {
	*process
	URL, Console string
	Addr         string // URL without its scheme
	Data         string
	File         string // the configuration file, "" without one
	Ready        time.Duration
	Also         []string     // what the ready line names beside URL
	admin        *http.Client // over the socket in the data folder
}

// setting changes how a gateway is started.
type setting func(*settings)

type settings struct {
	command []string // before the flags
	args    []string
	env     []string
	data    string
	listen  string
}

func withArgs(args ...string) setting { return func(s *settings) { s.args = append(s.args, args...) } }
func withEnv(env ...string) setting   { return func(s *settings) { s.env = append(s.env, env...) } }
func inData(dir string) setting       { return func(s *settings) { s.data = dir } }
func listenOn(addr string) setting    { return func(s *settings) { s.listen = addr } }

// proxying runs `causeway proxy` in place of serve.
func proxying(target string) setting {
	return func(s *settings) { s.command = []string{"proxy", target} }
}

// serve starts a gateway with the configuration, waits until it is ready and ends it with the
// test. An empty configuration means the embedded defaults.
func serve(t *testing.T, config string, how ...setting) *gateway {
	t.Helper()
	g := launch(t, config, how...)
	if !g.awaitReady(ample) {
		t.Fatalf("the gateway did not get ready; stdout:\n%s\nstderr:\n%s", g.out.all(), g.errs.all())
	}
	return g
}

// launch starts a gateway and does not wait for it.
func launch(t *testing.T, config string, how ...setting) *gateway {
	t.Helper()
	s := settings{command: []string{"serve"}, listen: "127.0.0.1:0", env: []string{"CAUSEWAY_ADMIN_PASSWORD=" + adminPassword}}
	for _, f := range how {
		f(&s)
	}
	g := &gateway{Data: s.data}
	if g.Data == "" {
		g.Data = shortDir(t)
	}
	args := append(s.command, "--data", g.Data, "--console", "127.0.0.1:0")
	if s.listen != "" {
		args = append(args, "--listen", s.listen)
	}
	if config != "" {
		g.File = filepath.Join(shortDir(t), "causeway.yaml")
		g.configure(t, config)
		args = append(args, "--config", g.File)
	}
	t.Cleanup(func() { // after start's: the process has ended
		for _, sign := range []string{"a bug of the gateway", "panic: ", "fatal error: ", "DATA RACE"} {
			if g.process != nil && strings.Contains(g.errs.all(), sign) {
				t.Errorf("standard error of the gateway has %q:\n%s", sign, g.errs.all())
			}
		}
	})
	g.process = start(t, s.env, binary, append(args, s.args...)...)
	socket := filepath.Join(g.Data, "causeway.sock")
	g.admin = &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(g.admin.CloseIdleConnections)
	return g
}

var readyLine = regexp.MustCompile(`^ready gateway=(https?://(\S+)) console=(http://\S+?)(?: also=(\S+))?$`)

func (g *gateway) awaitReady(within time.Duration) bool {
	line, ok := g.out.find(within, readyLine.MatchString)
	if !ok {
		return false
	}
	g.Ready = time.Since(g.begun)
	m := readyLine.FindStringSubmatch(line)
	g.URL, g.Addr, g.Console = m[1], m[2], m[3]
	if m[4] != "" {
		g.Also = strings.Split(m[4], ",")
	}
	return true
}

// configure writes the configuration file as an editor does: a new file in the place of the old.
func (g *gateway) configure(t *testing.T, config string) {
	t.Helper()
	next := g.File + ".next"
	if err := os.WriteFile(next, []byte(unhurried(config)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, g.File); err != nil {
		t.Fatal(err)
	}
}

// unhurried is a configuration with which a gateway that is late with its own work turns nobody away: on a machine that
// runs several tests at once it may well be. What decides about that is tested where it is decided.
func unhurried(config string) string {
	const more = "overload: {max_delay: 0s}"
	switch {
	case !strings.HasPrefix(strings.TrimSpace(config), "version: 1") || strings.Contains(config, "max_delay"):
		return config
	case strings.Contains(config, "\nserver: {"):
		return strings.Replace(config, "\nserver: {", "\nserver: {"+more+", ", 1)
	case strings.Contains(config, "\nserver:\n"):
		return strings.Replace(config, "\nserver:\n", "\nserver:\n  "+more+"\n", 1)
	}
	return strings.TrimSuffix(config, "\n") + "\nserver: {" + more + "}\n"
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// nextPort is where freePort goes on: below the ports that systems give to those who ask for any,
// so that nobody gets one between a test's choice and its use.
var nextPort atomic.Int32

// freePort is a port of loopback that nobody listens on, and that no other test is given.
func freePort(t *testing.T) string {
	t.Helper()
	const low, count = 15000, 15000
	nextPort.CompareAndSwap(0, low+int32(os.Getpid())*64%count)
	for range count {
		addr := fmt.Sprintf("127.0.0.1:%d", low+(nextPort.Add(1)-low)%count)
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// listenFree listens at a port that is freePort's: nobody else is given it when the listener is closed.
func listenFree(t *testing.T) net.Listener {
	t.Helper()
	for range 20 { // what runs beside these tests may have taken one just now
		if l, err := net.Listen("tcp", freePort(t)); err == nil {
			return l
		}
	}
	t.Fatal("no port is free")
	return nil
}

// callRecord is a call as the admin API tells it.
type callRecord struct {
	ID          string  `json:"id"`
	Method      string  `json:"method"`
	Path        string  `json:"path"`
	Service     string  `json:"service"`
	Application string  `json:"application"`
	Provider    string  `json:"provider"`
	Model       string  `json:"model"`
	TargetModel string  `json:"target_model"`
	Status      int     `json:"status"`
	Kind        string  `json:"kind"`
	Cause       string  `json:"cause"`
	DurationMS  float64 `json:"duration_ms"`
	BytesIn     int64   `json:"bytes_in"`
	BytesOut    int64   `json:"bytes_out"`
	Stream      bool    `json:"stream"`
	Cut         bool    `json:"cut"`
	Remote      string  `json:"remote"`
	TraceID     string  `json:"trace_id"`
	Attempts    []struct {
		Target string `json:"target"`
		Kind   string `json:"kind"`
		Status int    `json:"status"`
		Reused bool   `json:"reused"`
		Again  string `json:"again"`
	} `json:"attempts"`
	Usage *struct {
		Input  *int64 `json:"input_tokens"`
		Output *int64 `json:"output_tokens"`
		Source string `json:"source"`
	} `json:"usage"`
	Finding      *finding               `json:"finding"`
	RequestBody  *struct{ Text string } `json:"request_body"`
	ResponseBody *struct{ Text string } `json:"response_body"`
}

// finding is what is said of a failed call, in the admin API and in explanations.
type finding struct {
	Kind     string   `json:"kind"`
	Title    string   `json:"title"`
	Cause    string   `json:"cause"`
	Detail   string   `json:"detail"`
	Status   int      `json:"status"`
	Retry    string   `json:"retry"`
	Passed   bool     `json:"passed"`
	Evidence []string `json:"evidence"`
	Advice   []string `json:"advice"`
}

// get asks the admin API over the data folder's socket.
func (g *gateway) get(t *testing.T, path, accept string) (int, []byte) {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://socket"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		rq.Header.Set("Accept", accept)
	}
	res, err := g.admin.Do(rq)
	if err != nil {
		t.Fatalf("asking the admin API: %v; stderr:\n%s", err, g.errs.all())
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// record is the call of that id. It must be in the log by the time its answer is whole; a call
// whose answer was cut, or had none, is waited for.
func (g *gateway) record(t *testing.T, id string) callRecord {
	t.Helper()
	c, ok := g.findRecord(t, id, patience)
	if !ok {
		t.Fatalf("call %s is not in the log", id)
	}
	return c
}

func (g *gateway) findRecord(t *testing.T, id string, within time.Duration) (c callRecord, ok bool) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		status, body := g.get(t, "/api/v1/calls/"+id, "")
		if status == http.StatusOK {
			decode(t, body, &c)
			return c, true
		}
		if status != http.StatusNotFound {
			t.Fatalf("GET /api/v1/calls/%s: %d %s", id, status, body)
		}
		if time.Now().After(deadline) {
			return c, false
		}
	}
}

// calls searches the log.
func (g *gateway) calls(t *testing.T, query string) []callRecord {
	t.Helper()
	status, body := g.get(t, "/api/v1/calls?"+query, "")
	if status != http.StatusOK {
		t.Fatalf("GET /api/v1/calls?%s: %d %s", query, status, body)
	}
	var page struct {
		Calls []callRecord `json:"calls"`
	}
	decode(t, body, &page)
	return page.Calls
}

// metric is the value of one line of /metrics, 0 when it is not there.
func (g *gateway) metric(t *testing.T, name string) float64 {
	t.Helper()
	res, err := http.Get(g.Console + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			var v float64
			if _, err := fmt.Sscan(rest, &v); err != nil {
				t.Fatalf("metric %s: %v", line, err)
			}
			return v
		}
	}
	return 0
}

// answer is what a caller got.
type answer struct {
	status int
	line   string // status with reason phrase
	header http.Header
	body   []byte
	err    error // of reading the body: an answer that is not whole
	id     string
}

func (a *answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	decode(t, a.body, &p)
	return p
}

// problem is an application/problem+json body, or the member error.causeway of a dialect's.
type problem struct {
	Type         string   `json:"type"`
	Title        string   `json:"title"`
	Status       int      `json:"status"`
	Detail       string   `json:"detail"`
	Kind         string   `json:"kind"`
	Cause        string   `json:"cause"`
	CallID       string   `json:"call_id"`
	Retry        string   `json:"retry"`
	Retryable    *bool    `json:"retryable"`
	RetryAfterMS int64    `json:"retry_after_ms"`
	Evidence     []string `json:"evidence"`
	Attempts     []struct {
		Target string  `json:"target"`
		Kind   string  `json:"kind"`
		Status int     `json:"status"`
		MS     float64 `json:"ms"`
	} `json:"attempts"`
	Advice []string `json:"advice"`
	Help   string   `json:"help"`
}

// client follows nothing, decodes nothing, and keeps connections only within one test.
func client(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, ExpectContinueTimeout: patience}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch makes a call and reads the answer to its end. Headers come in pairs.
func fetch(t *testing.T, c *http.Client, method, address string, body io.Reader, header ...string) *answer {
	t.Helper()
	a, err := try(t.Context(), c, method, address, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return a
}

// try is fetch for calls that may get no answer, and for other goroutines than the test's.
func try(ctx context.Context, c *http.Client, method, address string, body io.Reader, header ...string) (*answer, error) {
	rq, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			rq.Host = header[i+1]
			continue
		}
		rq.Header.Add(header[i], header[i+1])
	}
	res, err := c.Do(rq)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode, line: res.Status, header: res.Header, id: res.Header.Get("Causeway-Call-Id")}
	a.body, a.err = io.ReadAll(res.Body)
	return a, nil
}

func decode(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("not the JSON that was expected: %v\n%s", err, clip(body))
	}
}

func clip(b []byte) []byte {
	if len(b) > 600 {
		return append(bytes.Clone(b[:600]), "..."...)
	}
	return b
}

// want fails the test where got is not one of the values allowed.
func want[T comparable](t *testing.T, what string, got T, allowed ...T) {
	t.Helper()
	for _, a := range allowed {
		if got == a {
			return
		}
	}
	if len(allowed) == 1 {
		t.Errorf("%s is %#v, want %#v", what, got, allowed[0])
		return
	}
	t.Errorf("%s is %#v, want one of %#v", what, got, allowed)
}

// wantCause fails the test where a failed call's cause is not one of those allowed. Of a limit on time that passed, a
// busy machine may be the cause, and the gateway says so then.
func wantCause(t *testing.T, what string, c callRecord, allowed ...string) {
	t.Helper()
	if c.Finding != nil && strings.Contains(c.Finding.Detail, "gateway_cpu_starved") {
		allowed = append(slices.Clone(allowed), "gateway")
	}
	want(t, what, c.Cause, allowed...)
}

// contains fails the test where text lacks a part.
func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, clip([]byte(text)))
		}
	}
}

// lacks fails the test where text has a part that it must not have.
func lacks(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if p != "" && strings.Contains(text, p) {
			t.Errorf("%s must not have %q:\n%s", what, p, clip([]byte(text)))
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(ample); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, ample)
		}
	}
}

// keyed is the header of a caller's key, for fetch.
func keyed(key string) []string { return []string{"Authorization", "Bearer " + key} }

// everyCall walks through the whole log, the newest first.
func (g *gateway) everyCall(t *testing.T) iter.Seq[callRecord] {
	return func(yield func(callRecord) bool) {
		for cursor := ""; ; {
			status, body := g.get(t, "/api/v1/calls?limit=500"+cursor, "")
			if status != http.StatusOK {
				t.Fatalf("GET /api/v1/calls: %d %s", status, body)
			}
			var page struct {
				Calls []callRecord `json:"calls"`
				Next  string       `json:"next_cursor"`
			}
			decode(t, body, &page)
			for _, c := range page.Calls {
				if !yield(c) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			cursor = "&cursor=" + url.QueryEscape(page.Next)
		}
	}
}
