package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The examples for Python, run by Debian's Python with Debian's packages against a gateway whose upstreams fail: what
// the client itself says, what the example reads out of the answer, and how often the upstream was asked.

// pythonUpstream fails as its path says, and keeps what it was asked.
type pythonUpstream struct {
	*rawServer
	mu   sync.Mutex
	keys map[string][]string // Idempotency-Key of each request, by path
}

func startPythonUpstream(t *testing.T) *pythonUpstream {
	u := &pythonUpstream{keys: map[string][]string{}}
	part := strings.Repeat("0123456789abcdef", 1250) // 20,000 bytes: more than the gateway holds back
	u.rawServer = listenRaw(t, func(c *rawConn) {
		rq, _ := c.request()
		if rq == nil {
			return
		}
		u.mu.Lock()
		u.keys[rq.URL.Path] = append(u.keys[rq.URL.Path], rq.Header.Get("Idempotency-Key"))
		n := len(u.keys[rq.URL.Path])
		u.mu.Unlock()
		how := strings.Split(rq.URL.Path, "/")[2] // /SERVICE/HOW/CLIENT
		if n > 1 && (how == "later" || how == "absorbed") {
			how = "well"
		}
		switch how {
		case "banner":
			c.send("SSH-2.0-OpenSSH_9.2\r\n")
		case "silence":
			<-t.Context().Done()
		case "length":
			c.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" + part)
		case "chunks":
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" + part + "\r\n")
		case "busy":
			c.send("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbusy\n")
		case "later":
			c.send("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbusy\n")
		case "well":
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ngood\n")
		case "chat": // of /v1/chat/completions
			c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" +
				`data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}` + "\n\n")
		}
	})
	return u
}

// asked are the Idempotency-Keys that came to an address.
func (u *pythonUpstream) asked(path string) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.keys[path])
}

// runExamples runs the example of its first argument once for each further one, whose words are the example's own
// arguments, as a person would one after the other, but in one interpreter: what takes the time is importing.
const runExamples = `
import runpy, sys
script, sys.path[0:0] = sys.argv[1], [sys.argv[1].rpartition("/")[0]]
for line in sys.argv[2:]:
    sys.argv, code = [script] + line.split(), 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as e:
        code = e.code or 0
    print(f"exit {code}\n--", flush=True)
`

// examplePython runs an example with each of the argument lists, and gives what it printed, with "exit CODE" behind.
func examplePython(t *testing.T, script string, args ...string) []string {
	t.Helper()
	path, err := filepath.Abs("../examples/python/" + script)
	if err != nil {
		t.Fatal(err)
	}
	r := commandEnv(t, []string{"PYTHONDONTWRITEBYTECODE=1"}, "", python(t), append([]string{"-c", runExamples, path}, args...)...)
	said := strings.Split(r.out, "--\n")
	if r.code != 0 || len(said) != len(args)+1 {
		t.Fatalf("%s ended with %d: %s\n%s", script, r.code, r.out, r.err)
	}
	return said
}

func TestPythonClients(t *testing.T) {
	t.Parallel()
	up := startPythonUpstream(t)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  bad:
    access: open
    routes: [{path: /bad/*}]
    upstream: {targets: [{url: %[1]q}], retries: {max: 0}, timeouts: {first_byte: 1s}}
  again:
    access: open
    routes: [{path: /again/*}]
    upstream: {targets: [{url: %[1]q}], retries: {max: 2}}
  dead:
    access: open
    routes: [{path: /dead/*}]
    upstream: {targets: [{url: "http://%[2]s"}], retries: {max: 0}}
  locked: {routes: [{path: /locked/*}], upstream: {targets: [{url: %[1]q}]}}
  limited:
    access: open
    routes: [{path: /limited/*}]
    upstream: {targets: [{url: %[1]q}]}
    policies: {rate_limit: {requests: 1, per: 1h, by: service}}
providers:
  gone: {kind: openai-compatible, base_url: "http://%[2]s/v1", keys: [sk-e2e-upstream-0123456789], retries: {max: 0}}
  cut: {kind: openai-compatible, base_url: "%[1]s/v1", keys: [sk-e2e-upstream-0123456789], retries: {max: 0}}
applications:
  e2e: {keys: [%[3]s], subscribes: [models/*]}
`, up.URL, freePort(t), faultsKey))
	want(t, "the first call of the limited service", fetch(t, client(t), "GET", g.URL+"/limited/well/go", nil).status, 200)
	page, err := os.ReadFile("../docs/python.md")
	if err != nil {
		t.Fatal(err)
	}

	// says is what each client prints by itself: requests, httpx, aiohttp, urllib. A cause that depends on what the
	// other clients met before is left out.
	rows := []struct {
		path, kind, cause, retry string
		asked                    int // requests that reach the upstream
		says                     [4]string
	}{
		{"/dead/x", "connection_refused", "", "safe", 0, reason(502, "Bad Gateway (connection_refused)")},
		{"/bad/silence", "first_byte_timeout", "", "safe", 2, reason(504, "Gateway Timeout (first_byte_timeout)")},
		{"/bad/nothing", "closed_before_response", "", "safe", 2, reason(502, "Bad Gateway (closed_before_response)")},
		{"/bad/banner", "not_http", "", "no", 1, reason(502, "Bad Gateway (not_http)")},
		{"/bad/busy", "upstream_unavailable", "", "", 1, reason(503, "Service Unavailable")},
		{"/locked/x", "key_missing", "caller", "no", 0, reason(401, "Unauthorized (key_missing)")},
		{"/limited/well", "rate_limited", "caller", "safe", 0, reason(429, "Too Many Requests (rate_limited)")},
		{"/bad/length", "truncated_body", "", "safe", 1, [4]string{
			"got 20000 of 100000 bytes",
			"peer closed connection without sending complete message body (received 20000 bytes, expected 100000)",
			"Response payload is not completed", "IncompleteRead(20000 bytes read, 80000 more expected)",
		}},
		{"/bad/chunks", "truncated_body", "", "safe", 1, [4]string{
			"Connection broken: InvalidChunkLength(got length b'', 0 bytes read)",
			"peer closed connection without sending complete message body (incomplete chunked read)",
			"Response payload is not completed", "IncompleteRead(20000 bytes read)",
		}},
	}
	turn := make(chan struct{}, 2) // as many interpreters at a time
	for n, name := range []string{"requests", "httpx", "aiohttp", "urllib"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turn <- struct{}{}
			defer func() { <-turn }()
			var calls []string
			for _, row := range rows {
				calls = append(calls, g.URL+row.path+"/"+name)
			}
			said := examplePython(t, "with_"+name+".py", append(calls, g.URL+"/bad/later/"+name, g.URL+"/again/absorbed/"+name+" POST")...)
			for i, row := range rows {
				what := name + " " + row.path
				contains(t, what, said[i], row.says[n], "\nkind: "+row.kind+"\n", "\ncall: ", "\nexit 1\n")
				if row.cause != "" {
					contains(t, what, said[i], "\ncause: "+row.cause+"\n")
				}
				if row.retry != "" {
					contains(t, what, said[i], "\nretry: "+row.retry+"\n")
				}
				contains(t, "docs/python.md", string(page), row.says[n])
				want(t, what+": requests at the upstream", len(up.asked(row.path+"/"+name)), row.asked)
				_, id, _ := strings.Cut(said[i], "\ncall: ")
				id, _, _ = strings.Cut(id, "\n")
				want(t, what+": the kind of its call in the log", g.record(t, id).Kind, row.kind)
			}
			// Where it is worth it another attempt is made, and by one of the two alone.
			want(t, name+" after a 503 that asks to wait", said[len(rows)], "ok: 200, 5 bytes\nexit 0\n")
			want(t, name+" after a failure that the gateway absorbs", said[len(rows)+1], "ok: 200, 5 bytes\nexit 0\n")
			keys := up.asked("/again/absorbed/" + name)
			if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
				t.Errorf("%s: the upstream was asked with the Idempotency-Keys %q, want the same one twice", name, keys)
			}
		})
	}
	t.Run("chat", func(t *testing.T) {
		t.Parallel()
		turn <- struct{}{}
		defer func() { <-turn }()
		by := g.URL + "/v1 " + faultsKey
		said := examplePython(t, "chat_httpx.py", by+" gone/m", by+" cut/m stream")
		contains(t, "a refused model", said[0], "client: ", "[connection_refused, ", "\nkind: connection_refused\n", "\nretry: safe\n", "\nexit 1\n")
		contains(t, "a stream that broke", said[1], "Hel\nclient: ", "[truncated_stream, ", "\nkind: truncated_stream\n", "\nexit 1\n")
		want(t, "requests at the provider", len(up.asked("/v1/chat/completions")), 1)
	})
	t.Run("openai", func(t *testing.T) { // Debian has no package of it, so that it can only be read
		r := command(t, "", python(t), "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())", "../examples/python/with_openai.py")
		want(t, "with_openai.py is not Python: "+r.err, r.code, 0)
	})
}

// reason is what the four clients print of a status line.
func reason(status int, phrase string) [4]string {
	kind := "Server"
	if status < http.StatusInternalServerError {
		kind = "Client"
	}
	code := strconv.Itoa(status)
	return [4]string{
		code + " " + kind + " Error: " + phrase + " for url",
		kind + " error '" + code + " " + phrase + "'",
		code + ", message='" + phrase + "'",
		"HTTP Error " + code + ": " + phrase,
	}
}
