package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// examine runs the doctor with the tests' limits.
func examine(t *testing.T, o Options) *Report {
	t.Helper()
	if o.Limits == (Limits{}) {
		o.Limits = quick
	}
	o.Compile = compile
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func serveHTTP(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// step is the first step of a name, nil when there was none.
func step(r *Report, name string) *Step {
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	return nil
}

func wantStep(t *testing.T, r *Report, name string, result Result, contains string) {
	t.Helper()
	s := step(r, name)
	if s == nil {
		t.Fatalf("no step %q in\n%s", name, text(r))
	}
	if all := s.Text + "\n" + strings.Join(s.Lines, "\n"); s.Result != result || !strings.Contains(all, contains) {
		t.Errorf("the step %q is %s, %q; want %s with %q", name, s.Result, all, result, contains)
	}
}

func TestAHealthyTargetIsHealthy(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/openapi.json" {
			_, _ = io.WriteString(w, `{"openapi":"3.1.0","info":{"title":"Orders","version":"2"},"paths":{}}`)
			return
		}
		_, _ = io.WriteString(w, `{"ok":true,"name":"orders"}`)
	})
	r := examine(t, Options{Target: at + "/x"})
	if !r.Verdict.Healthy || !r.Looked || r.Verdict.Kind != "" {
		t.Fatalf("the verdict is %+v", r.Verdict)
	}
	wantStep(t, r, "get", OK, "200 OK")
	wantStep(t, r, "keep-alive", OK, "same connection")
	wantStep(t, r, "head", OK, "200")
	wantStep(t, r, "shape", OK, "a JSON object with ok, name")
	wantStep(t, r, "openapi", OK, "an OpenAPI 3.1.0 description of Orders 2")
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	private := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path })
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slash":
			http.Redirect(w, r, "/slash/", http.StatusMovedPermanently)
		case "/a":
			http.Redirect(w, r, "/b", http.StatusFound)
		case "/b":
			http.Redirect(w, r, "/a", http.StatusFound)
		case "/away":
			http.Redirect(w, r, private+"/secret", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/on":
			http.Redirect(w, r, "/on?n="+r.URL.Query().Get("n")+"1", http.StatusFound)
		}
	})
	for _, c := range []struct {
		path, contains string
		result         Result
	}{
		{"/slash", "a slash was added", OK},
		{"/a", "go round", Faulty},
		{"/away", "private address 127.0.0.1", Warning},
		{"/file", "not HTTP", Warning},
		{"/nowhere", "no Location", Faulty},
		{"/on", "more than 10 redirects", Faulty},
	} {
		t.Run(c.path, func(t *testing.T) {
			wantStep(t, examine(t, Options{Target: at + c.path}), "redirects", c.result, c.contains)
		})
	}
	if len(asked) != 0 {
		t.Errorf("the private address was asked for %s", <-asked)
	}
	t.Run("allowed", func(t *testing.T) {
		r := examine(t, Options{Target: at + "/away", AllowPrivate: true})
		wantStep(t, r, "redirects", OK, "200")
		if got := <-asked; got != "/secret" {
			t.Errorf("asked for %s", got)
		}
	})
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	const secret = "sk-doctor-secret-0123456789"
	other := make(chan http.Header, 10)
	away := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { other <- r.Header })
	own := make(chan http.Header, 10)
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		own <- r.Header
		http.Redirect(w, r, away+"/x", http.StatusFound)
	})
	config := configOf(t, fmt.Sprintf("services:\n  it:\n    access: open\n    routes: [{path: /it/*}]\n    upstream: {targets: [{url: %q}], headers: {set: {X-Secret: %s}}}\n", at, secret))
	r := examine(t, Options{Target: "service:it", Config: config, AllowPrivate: true})
	if got := (<-own).Get("X-Secret"); got != secret {
		t.Errorf("the configured host got %q", got)
	}
	if h := <-other; strings.Contains(fmt.Sprint(h), secret) {
		t.Error("another host got the configured header")
	}
	j, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(j)+text(r), secret) {
		t.Error("the report shows the secret")
	}
}

func TestAURLsQueryIsSentAndNotShown(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" && r.URL.Query().Get("key") != "hidden" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := examine(t, Options{Target: at + "/x?key=hidden"})
	if !r.Verdict.Healthy || strings.Contains(text(r), "hidden") {
		t.Errorf("the report is\n%s", text(r))
	}
}

func TestAnEndlessBodyIsBounded(t *testing.T) {
	t.Parallel()
	sent := make(chan int, 10)
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return
		}
		n, block := 0, make([]byte, 64<<10)
		for {
			m, err := w.Write(block)
			if n += m; err != nil {
				sent <- n
				return
			}
		}
	})
	r := examine(t, Options{Target: at + "/x"})
	wantStep(t, r, "get", OK, "more than 1 MiB")
	if !r.Verdict.Healthy {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
	if n := <-sent; n > 16<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestADripIsNoticedAndBounded(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Method == http.MethodGet && r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	r := examine(t, Options{Target: at + "/x", Limits: Limits{Total: 300 * time.Millisecond}})
	wantStep(t, r, "get", Warning, "did not end within 300 ms")
}

func TestWhatTheBodyIs(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title>")
	})
	r := examine(t, Options{Target: at + "/x"})
	if r.Verdict.Kind != fault.IncompatibleResponse || !strings.Contains(r.Verdict.Detail, "HTML page") {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
}

// A port of the other scheme is known also where its server does not say so.
func TestTheOtherScheme(t *testing.T) {
	t.Parallel()
	listen := func(answer func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer c.Close(); answer(c) }()
			}
		}()
		return l.Addr().String()
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer secure.Close()
	config := secure.TLS.Clone()
	config.Certificates = secure.TLS.Certificates
	// TLS that closes without a word when no handshake comes.
	shut := listen(func(c net.Conn) {
		b := bufio.NewReader(c)
		if first, err := b.Peek(1); err != nil || first[0] != 0x16 {
			return
		}
		s := tls.Server(&peeked{c, b}, config)
		_ = s.Handshake()
	})
	// HTTP that waits for the end of a head, which a handshake never has.
	patient := listen(func(c net.Conn) {
		rq, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil && rq.Method != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	mute := listen(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for _, c := range []struct {
		target string
		kind   fault.Kind
	}{
		{"http://" + shut, fault.PlainToTLSPort},
		{"https://" + patient, fault.TLSToPlainPort},
		{"http://" + mute, fault.FirstByteTimeout},
		{"https://" + mute, fault.TLSHandshakeTimeout},
	} {
		r, err := Run(t.Context(), Options{Target: c.target, Limits: quick})
		if err != nil || r.Verdict.Kind != c.kind {
			t.Errorf("%s: %v\n%s", c.target, err, text(r))
		}
	}
}

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	b *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.b.Read(b) }

func TestTargetsWithoutAScheme(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"127.0.0.1:9001":       "http://127.0.0.1:9001",
		"127.0.0.1":            "http://127.0.0.1",
		"localhost:8000/x?y=1": "http://localhost:8000/x?y=1",
		"localhost":            "http://localhost",
		"[::1]:9001/a":         "http://[::1]:9001/a",
		"::1":                  "http://[::1]",
		"example.com/x":        "https://example.com/x",
		"example.com:8080":     "http://example.com:8080",
		"example.com:443/x":    "https://example.com:443/x",
		"orders:8000":          "http://orders:8000",
		"/run/app.sock":        "unix:/run/app.sock",
		"https://example.com":  "https://example.com",
	} {
		if got, err := withScheme(target); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", target, got, err, want)
		}
	}
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer well.Close()
	r, err := Run(t.Context(), Options{Target: strings.TrimPrefix(well.URL, "http://") + "/x"})
	if err != nil || !r.Verdict.Healthy || r.Target != well.URL+"/x" {
		t.Errorf("%v %+v", err, r)
	}
	config := configOf(t, "services:\n  orders: {access: open, routes: [{path: /o/*}], upstream: {targets: [{url: \""+well.URL+"\"}]}}\n")
	if r, err = Run(t.Context(), Options{Target: "orders", Config: config, Compile: compile}); err != nil || r.Target != "service:orders" || !r.Verdict.Healthy {
		t.Errorf("%v %+v", err, r)
	}
}

func TestWhatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	config := configOf(t, "services:\n  orders: {access: open, routes: [{path: /o/*}], upstream: {targets: [{url: \"http://127.0.0.1:1\"}]}}\n")
	for target, says := range map[string]string{
		"nowhere":                "http://nowhere, or service:nowhere",
		"mailto:somebody":        "no target",
		"user:pw@example.com":    "user name or password",
		"ftp://127.0.0.1/":       "no target",
		"http://":                "no host",
		"http://u:pw@127.0.0.1/": "user name or password",
		"http://[::1":            "not a URL",
		"service:missing":        "it has orders",
		"model:missing":          "no model",
	} {
		_, err := Run(t.Context(), Options{Target: target, Config: config, Compile: compile})
		if !errors.Is(err, ErrCannotLook) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v, want %q", target, err, says)
		}
	}
	if _, err := Run(t.Context(), Options{Target: "service:x"}); !errors.Is(err, ErrCannotLook) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("without a configuration: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(over, Options{Target: "http://127.0.0.1:1/"})
	if err != nil || r.Looked || r.Verdict.Healthy {
		t.Errorf("without time: %+v, %v", r, err)
	}
}

func TestADeadTargetAmongThree(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String()
	_ = l.Close()
	config := configOf(t, fmt.Sprintf("services:\n  it: {access: open, routes: [{path: /it/*}], upstream: {targets: [{url: %q}, {url: %q}]}}\n", at, dead))
	r := examine(t, Options{Target: "service:it", Config: config})
	if v := r.Verdict; v.Kind != fault.ConnectionRefused || !strings.HasPrefix(v.Target, dead) || !strings.Contains(strings.Join(v.Evidence, "\n"), "1 of 2 targets") {
		t.Errorf("the verdict is %+v", v)
	}
}

func TestTheHealthCheckIsTried(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			http.NotFound(w, r)
		}
	})
	config := configOf(t, fmt.Sprintf("services:\n  it: {access: open, routes: [{path: /it/*}], upstream: {targets: [{url: %q}], health: {path: /healthz}}}\n", at))
	r := examine(t, Options{Target: "service:it", Config: config})
	wantStep(t, r, "health check", Faulty, "the server answers 404")
	if r.Verdict.Healthy || !strings.Contains(strings.Join(r.Verdict.Advice, " "), "upstream.health.path") {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
}

func TestThroughTheGateway(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	config := configOf(t, fmt.Sprintf("services:\n  it: {access: key, routes: [{path: /it/*}], upstream: {targets: [{url: %q}]}}\n", at))
	problem := func(status int, kind fault.Kind) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/it/" || r.Header.Get("apikey") != "the-key" {
				t.Errorf("the gateway was asked for %s with the key %q", r.URL.Path, r.Header.Get("apikey"))
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Causeway-Call-Id", "01KAPZQ4M8X3V7N2T5R9W6YB1C")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"kind": kind, "cause": "configuration", "detail": "it: what happened.", "advice": []string{"Do this."}})
		}
	}
	for _, c := range []struct {
		name, contains string
		h              http.HandlerFunc
		result         Result
		kind           fault.Kind
	}{
		{"the same", "directly 200", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Causeway-Call-Id", "01KAPZQ4M8X3V7N2T5R9W6YB1C")
		}, OK, ""},
		{"a breaker", "too many calls before this one failed", problem(503, fault.BreakerOpen), Faulty, fault.BreakerOpen},
		{"a key", "wants a key", problem(401, fault.KeyMissing), Skipped, ""},
		{"not ours", "not Causeway", func(http.ResponseWriter, *http.Request) {}, Warning, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := examine(t, Options{Target: "service:it", Config: config, Gateway: serveHTTP(t, c.h), Key: "the-key"})
			wantStep(t, r, "through the gateway", c.result, c.contains)
			if r.Verdict.Kind != c.kind {
				t.Errorf("the verdict is %+v", r.Verdict)
			}
		})
	}
}

func TestAGatewayWithACertificateForAnotherName(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	gateway := httptest.NewUnstartedServer(nil)
	gateway.Config.ErrorLog = log.New(io.Discard, "", 0)
	gateway.StartTLS()
	t.Cleanup(gateway.Close)
	config := configOf(t, fmt.Sprintf("services:\n  it: {access: open, routes: [{path: /it/*}], upstream: {targets: [{url: %q}]}}\n", at))
	r := examine(t, Options{Target: "service:it", Config: config, Gateway: gateway.URL})
	wantStep(t, r, "through the gateway", Skipped, "--gateway")
	if !r.Verdict.Healthy {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
}

func TestResolversAreCompared(t *testing.T) {
	t.Parallel()
	lab := newLab(t)
	well, err := lab.Start("dns_slow", faulty.Params{Delay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	other, err := lab.Start("dns_servfail", faulty.Params{})
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, Options{Target: well.URL, Resolver: well.Resolver, Resolvers: []string{well.Resolver, other.Resolver}})
	wantStep(t, r, "dns", Warning, other.Resolver+": SERVFAIL")
	if !r.Verdict.Healthy || len(r.Verdict.Warnings) == 0 {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
}

func TestAModelThatItsProviderDoesNotList(t *testing.T) {
	t.Parallel()
	const key = "sk-doctor-model-0123456789"
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+key || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"message":"Incorrect API key provided: `+key+`","type":"invalid_request_error","code":"invalid_api_key"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"llama-3.1-8b","object":"model"}]}`)
	})
	config := func(key string) string {
		return fmt.Sprintf("providers:\n  it: {kind: openai-compatible, base_url: %q, keys: [%s]}\n", at+"/v1", key)
	}
	r := examine(t, Options{Target: "model:it/llama-3-8b", Config: configOf(t, config(key))})
	if v := r.Verdict; v.Kind != fault.ModelNotFound || !strings.Contains(strings.Join(v.Evidence, "\n"), "llama-3.1-8b") {
		t.Errorf("the verdict is %+v", v)
	}
	if r = examine(t, Options{Target: "model:it/llama-3.1-8b", Config: configOf(t, config(key))}); !r.Verdict.Healthy {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
	r = examine(t, Options{Target: "model:it/llama-3.1-8b", Config: configOf(t, config("sk-another-key-0123456789"))})
	if r.Verdict.Kind != fault.ProviderKeyRejected {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
	if all := text(r); strings.Contains(all, "another-key") || strings.Contains(all, key) {
		t.Errorf("the report shows a key:\n%s", all)
	}
}

func TestTheCallLog(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	r := examine(t, Options{Target: at + "/x", Calls: func(_ context.Context, q CallQuery) ([]Call, error) {
		if q.Authority != u.Host {
			t.Errorf("calls to %q were looked for", q.Authority)
		}
		var list []Call
		for i := range 4 {
			list = append(list, Call{ID: "X", Time: now.Add(-time.Duration(i+1) * time.Minute), Status: 504, Kind: fault.FirstByteTimeout, Took: 60 * time.Second})
		}
		return append(list, Call{ID: "Y", Time: now.Add(-time.Hour), Status: 200}), nil
	}})
	wantStep(t, r, "call log", Warning, "each after 1 min: a limit")
	if !r.Verdict.Healthy {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
	wantStep(t, examine(t, Options{Target: at, ReadLogs: func(context.Context, string) (LogReport, error) {
		return LogReport{}, nil
	}}), "log files", Warning, "nothing could be read")
}

// What a server's log says of the last hour is a remark where the target is well, and evidence where it is not.
func TestTheLogFiles(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	report := LogReport{
		Files: 2, Lines: 90, Requests: 80, Failures: 7, Unexplained: 2, Unread: []string{"x.log: permission denied"}, Notes: []string{"a.log: 1 line longer than 512 KiB"},
		Causes: []LogCause{{
			Kind: fault.ClosedBeforeResponse, Server: "the kernel", Title: "the kernel killed the process", Upstream: "http://" + u.Host + "/x", Failures: 5,
			Last: time.Now().Add(-time.Minute), Sure: true, Said: []string{"kern.log:3: Out of memory: Killed process 7"}, Advice: []string{"Give it more memory."},
		}},
	}
	read := func(context.Context, string) (LogReport, error) { return report, nil }
	r := examine(t, Options{Target: at, ReadLogs: read})
	wantStep(t, r, "log files", Warning, "7 of 80 requests in the last hour failed; the log of the kernel says: the kernel killed the process")
	if all := text(r); !r.Verdict.Healthy {
		t.Errorf("the past made it ill: %s", all)
	} else {
		for _, want := range []string{"this target", "kern.log:3: Out of memory", "2 failures that no line explains", "x.log: permission denied", "longer than 512 KiB", "the last 1 min ago"} {
			if !strings.Contains(all, want) {
				t.Errorf("%q is not said:\n%s", want, all)
			}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	r = examine(t, Options{Target: "http://" + l.Addr().String(), ReadLogs: read})
	if r.Verdict.Kind != fault.ConnectionRefused || !slices.Contains(r.Verdict.Advice, "Give it more memory.") || !strings.Contains(strings.Join(r.Verdict.Evidence, "\n"), "the log files: 7 of 80") {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
	report.Causes = nil
	wantStep(t, examine(t, Options{Target: at, ReadLogs: read}), "log files", Warning, "no line says why")
	report = LogReport{Files: 1, Requests: 3}
	wantStep(t, examine(t, Options{Target: at, ReadLogs: read}), "log files", OK, "3 requests of the last hour in 1 file, and no failure")
	broken := func(context.Context, string) (LogReport, error) { return LogReport{}, context.DeadlineExceeded }
	wantStep(t, examine(t, Options{Target: at, ReadLogs: broken}), "log files", Warning, "were not read")
}

// Asked by others, a private address counts as named only where the configuration has it.
func TestOnlyWhatTheConfigurationNames(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	c := configOf(t, fmt.Sprintf("services:\n  it:\n    access: open\n    routes: [{path: /it/*}]\n    upstream: {targets: [{url: %q}]}\n", at))
	if r := examine(t, Options{Target: at + "/deep", OnlyConfigured: true, Config: c, Compile: compile}); !r.Verdict.Healthy {
		t.Errorf("a configured target was not asked: %s", text(r))
	}
	asked := false
	other := serveHTTP(t, func(http.ResponseWriter, *http.Request) { asked = true })
	r := examine(t, Options{Target: other, OnlyConfigured: true, Config: c, Compile: compile})
	if r.Verdict.Kind != fault.AddressProhibited || asked {
		t.Errorf("asked %v: %s", asked, text(r))
	}
	if _, err := Run(t.Context(), Options{Target: "unix:/run/x.sock", OnlyConfigured: true, Config: c, Compile: compile}); !errors.Is(err, ErrCannotLook) {
		t.Errorf("%v", err)
	}
}

func TestTheHostBehindAFault(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	full := &journey.Host{CPUs: 2, Files: 1000, FilesMax: 1024}
	r := examine(t, Options{Target: "http://" + l.Addr().String(), Host: func(context.Context) *journey.Host { return full }})
	wantStep(t, r, "this host", Warning, "1000 of 1024")
	if r.Verdict.Kind != fault.ConnectionRefused {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
}

func TestTheUpstreamsMetrics(t *testing.T) {
	t.Parallel()
	at := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	node := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = io.WriteString(w, "# HELP node_load1 x\nnode_load1 31.5\nnode_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 5\nnode_cpu_seconds_total{cpu=\"1\",mode=\"idle\"} 5\nnode_memory_MemTotal_bytes 1e9\nnode_memory_MemAvailable_bytes 8e8\nnode_vmstat_oom_kill 0\n")
		}
	})
	wantStep(t, examine(t, Options{Target: at, Metrics: node}), "upstream's metrics", Warning, "load: 31.50 on 2 CPUs")
	prometheus := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/query" && strings.Contains(r.URL.Query().Get("query"), `127\\.0\\.0\\.1`) {
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"node_vmstat_oom_kill","instance":"127.0.0.1:9100"},"value":[1,"2"]}]}}`)
			return
		}
		_, _ = io.WriteString(w, "prometheus_build_info 1\n")
	})
	wantStep(t, examine(t, Options{Target: at, Metrics: prometheus}), "upstream's metrics", Warning, "want of memory since it started: 2")
}

func TestTheTextIsSafeForATerminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := NewPrinter(&b, false, false)
	p.Step(Step{Part: Status, Name: "get", Result: OK, Text: "\x1b[31mred\x07\u202e", Lines: []string{"a\nb"}})
	if s := b.String(); strings.ContainsAny(s, "\x1b\x07\u202e") || !strings.Contains(s, `a\x0ab`) {
		t.Errorf("%q", s)
	}
}
