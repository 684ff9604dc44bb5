package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	guardsKey      = "e2e-web-key-0123456789abcdef"
	guardsOtherKey = "e2e-other-key-0123456789abcd"
)

// clientFrom is client with an address of loopback of its own.
func clientFrom(t *testing.T, ip string) *http.Client {
	t.Helper()
	local := &net.TCPAddr{IP: net.ParseIP(ip)}
	l, err := net.ListenTCP("tcp", local)
	if err != nil {
		t.Skipf("this host has no %s: %v", ip, err)
	}
	l.Close()
	c := client(t)
	c.Transport.(*http.Transport).DialContext = (&net.Dialer{LocalAddr: local}).DialContext
	return c
}

// readLast is read, and tells whether the answer said that it is the connection's last.
func (c *caller) readLast(t *testing.T, method string) (a *answer, closes bool) {
	t.Helper()
	res, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	defer res.Body.Close()
	a = &answer{status: res.StatusCode, line: res.Status, header: res.Header, id: res.Header.Get("Causeway-Call-Id")}
	a.body, a.err = io.ReadAll(res.Body)
	return a, res.Close
}

func TestKeyPlaces(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	sum := sha256.Sum256([]byte(guardsOtherKey))
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  api:
    routes: [{path: /api/*}]
    upstream: {targets: [{url: %[1]q}]}
  open:
    access: open
    routes: [{path: /open/*}]
    upstream: {targets: [{url: %[1]q}]}
applications:
  web: {keys: [%[2]q], subscribes: [api]}
  other: {keys: [{sha256: %[3]s}], subscribes: [open]}
  late: {keys: [{value: e2e-late-key-0123456789abcdef, expires: 2020-01-31}], subscribes: [api]}
`, up.URL, guardsKey, hex.EncodeToString(sum[:])))
	c := client(t)
	const foreign = "Bearer upstream-token-0123456789"
	for _, k := range []struct {
		name    string
		header  []string
		service string
		kind    string // of the refusal
		app     string
		passes  []string // fields that the upstream gets
		taken   []string // and those it does not
	}{
		{name: "apikey", header: []string{"apikey", guardsKey}, app: "web", taken: []string{"apikey"}},
		{name: "bearer", header: []string{"Authorization", "Bearer " + guardsKey}, app: "web", taken: []string{"Authorization"}},
		{name: "bearer in another case", header: []string{"Authorization", "bEaReR   " + guardsKey}, app: "web", taken: []string{"Authorization"}},
		{name: "x-api-key", header: []string{"X-API-Key", guardsKey}, app: "web", taken: []string{"X-API-Key"}},
		{
			name: "apikey before the others", header: []string{"apikey", guardsKey, "Authorization", foreign, "x-api-key", "the-upstreams-own-key"},
			app: "web", taken: []string{"apikey"}, passes: []string{"Authorization", "x-api-key"},
		},
		{
			name: "a bearer of the upstream's and our x-api-key", header: []string{"Authorization", foreign, "x-api-key", guardsKey},
			app: "web", taken: []string{"x-api-key"}, passes: []string{"Authorization"},
		},
		{
			name: "our bearer and an x-api-key of the upstream's", header: []string{"Authorization", "Bearer " + guardsKey, "x-api-key", "the-upstreams-own-key"},
			app: "web", taken: []string{"Authorization"}, passes: []string{"x-api-key"},
		},
		{
			name: "Basic and our x-api-key", header: []string{"Authorization", "Basic dXNlcjpwYXNz", "x-api-key", guardsKey},
			app: "web", taken: []string{"x-api-key"}, passes: []string{"Authorization"},
		},
		{name: "a wrong apikey hides a good bearer", header: []string{"apikey", "wrong", "Authorization", "Bearer " + guardsKey}, kind: "key_unknown"},
		{name: "a wrong apikey hides a good x-api-key", header: []string{"apikey", "wrong", "x-api-key", guardsKey}, kind: "key_unknown"},
		{name: "nothing", kind: "key_missing"},
		{name: "Basic alone", header: []string{"Authorization", "Basic dXNlcjpwYXNz"}, kind: "key_missing"},
		{name: "the key as a Basic", header: []string{"Authorization", guardsKey}, kind: "key_missing"},
		{name: "wrong bearer", header: []string{"Authorization", foreign}, kind: "key_unknown"},
		{name: "the key's beginning", header: []string{"apikey", guardsKey[:len(guardsKey)-1]}, kind: "key_unknown"},
		{name: "the key and more", header: []string{"apikey", guardsKey + "0"}, kind: "key_unknown"},
		{name: "a place of models", header: []string{"x-goog-api-key", guardsKey}, kind: "key_missing"},
		{name: "the key's hash", header: []string{"apikey", hex.EncodeToString(sum[:])}, kind: "key_unknown"},
		{name: "expired", header: []string{"apikey", "e2e-late-key-0123456789abcdef"}, kind: "key_expired"},
		{name: "no subscription", header: []string{"apikey", guardsOtherKey}, kind: "not_subscribed"},
		{name: "open", service: "open", passes: []string{"apikey"}, header: []string{"apikey", "anything"}},
		{name: "open without a key", service: "open"},
	} {
		service := k.service
		if service == "" {
			service = "api"
		}
		before := up.requests.Load()
		a := fetch(t, c, "GET", g.URL+"/"+service+"/x", nil, k.header...)
		rec := g.record(t, a.id)
		if k.kind != "" {
			status := map[string]int{"not_subscribed": 403}[k.kind]
			if status == 0 {
				status = 401
				want(t, k.name+": WWW-Authenticate", a.header.Get("WWW-Authenticate"), "Bearer")
			}
			want(t, k.name+": status", a.status, status)
			want(t, k.name+": kind", a.problem(t).Kind, k.kind)
			want(t, k.name+": kind in the log", rec.Kind, k.kind)
			want(t, k.name+": requests at the upstream", up.requests.Load(), before)
			if k.kind == "not_subscribed" {
				contains(t, k.name+": advice", strings.Join(a.problem(t).Advice, "\n"), `Add "api" to applications.other.subscribes`)
			}
			lacks(t, k.name+": the answer", string(a.body), guardsKey, guardsOtherKey)
			continue
		}
		want(t, k.name+": status", a.status, 200)
		want(t, k.name+": application", rec.Application, k.app)
		for _, name := range k.taken {
			want(t, k.name+": "+name+" at the upstream", len(fields(a.body, name)), 0)
		}
		for i := 0; i < len(k.header); i += 2 {
			if slices.Contains(k.passes, k.header[i]) {
				want(t, k.name+": "+k.header[i]+" at the upstream", strings.Join(fields(a.body, k.header[i]), "|"), k.header[i+1])
			}
		}
		if k.app != "" {
			lacks(t, k.name+": the request at the upstream", string(a.body), guardsKey)
		}
	}
	a := fetch(t, c, "GET", g.URL+"/api/x?key="+guardsKey, nil)
	want(t, "a key in the query of a service's route", fmt.Sprint(a.status, a.problem(t).Kind), "401key_missing")

	// Keys are neither logged nor kept.
	lacks(t, "the log", g.out.all()+g.errs.all(), guardsKey, guardsOtherKey)
	_, list := g.get(t, "/api/v1/calls?limit=100", "")
	lacks(t, "the call log", string(list), guardsKey, guardsOtherKey)
}

func TestKeyExpires(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	end := time.Now().Add(3 * time.Second).Truncate(time.Second)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  api: {routes: [{path: /api/*}], upstream: {targets: [{url: %q}]}}
applications:
  web: {keys: [{value: %q, expires: %q}], subscribes: [api]}
`, up.URL, guardsKey, end.Format(time.RFC3339)))
	c := client(t)
	for {
		a := fetch(t, c, "GET", g.URL+"/api/x", nil, keyed(guardsKey)...)
		now := time.Now()
		if a.status == 401 {
			want(t, "kind", a.problem(t).Kind, "key_expired")
			if now.Before(end) {
				t.Errorf("refused %v before its end", end.Sub(now))
			}
			break
		}
		want(t, "status", a.status, 200)
		if now.After(end.Add(time.Second)) {
			t.Fatalf("still let in %v after its end", now.Sub(end))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The curl in a 401 works, once the key is in it, for the call as it was made.
func TestCurlOfA401Works(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	up := mirror(t)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  api: {routes: [{path: /api/*}], upstream: {targets: [{url: %q}]}}
applications:
  web: {keys: [%q], subscribes: [api, models/*]}
`, up.URL, guardsKey))
	c := client(t)
	for _, k := range []struct {
		method, path, body string
		header             []string
		line               string // what the upstream then gets
	}{
		{"GET", "/api/x", "", nil, "GET /api/x HTTP/1.1"},
		{"GET", "/api/it's/a%20$(path)", "", nil, "GET /api/it's/a%20$(path) HTTP/1.1"},
		{"GET", "/api/x", "", []string{"apikey", "wrong"}, "GET /api/x HTTP/1.1"},
		{"GET", "/api/x", "", []string{"Authorization", "Bearer wrong"}, "GET /api/x HTTP/1.1"},
		{"GET", "/api/x", "", []string{"X-Forwarded-For", "203.0.113.7"}, "GET /api/x HTTP/1.1"}, // who gets the safe view
		{"DELETE", "/api/x", "", nil, "DELETE /api/x HTTP/1.1"},
		{"PUT", "/api/x", "{}", nil, "PUT /api/x HTTP/1.1"},
		{"HEAD", "/api/x", "", nil, ""},
		{"POST", "/api/x", "{}", nil, "POST /api/x HTTP/1.1"},
		{"POST", "/v1/chat/completions", `{"model":"sandbox/echo","messages":[]}`, nil, ""},
		{"GET", "/v1/models", "", nil, ""},
	} {
		name := k.method + " " + k.path
		a := fetch(t, c, k.method, g.URL+k.path, strings.NewReader(k.body), k.header...)
		want(t, name+": status", a.status, 401)
		if k.method == "HEAD" {
			continue // there is no body to take it from
		}
		p := problemOf(t, a)
		found := ""
		for _, advice := range p.Advice {
			if _, after, ok := strings.Cut(advice, ": curl "); ok {
				found = "curl " + after
			}
		}
		if strings.Count(found, "YOUR_KEY") != 1 {
			t.Errorf("%s: the advice has no curl with the place of the key: %q", name, p.Advice)
			continue
		}
		r := command(t, "", "sh", "-c", "cd "+shellQuote(t.TempDir())+" && "+strings.Replace(found, "YOUR_KEY", guardsKey, 1)+" -sS -w '\\n%{http_code}'")
		if !strings.HasSuffix(r.out, "\n200") || r.code != 0 || r.err != "" {
			t.Errorf("%s: %s\nsays %q %q and exits %d", name, found, clip([]byte(r.out)), r.err, r.code)
		}
		if k.line != "" {
			line, _, _ := strings.Cut(r.out, "\n")
			want(t, name+": the request line at the upstream", line, k.line)
			want(t, name+": a second key at the upstream", strings.Contains(r.out, guardsKey), false)
		}
	}
}

// problemOf is the problem in a body, also where it is in a dialect's error.
func problemOf(t *testing.T, a *answer) problem {
	t.Helper()
	if a.header.Get("Content-Type") == "application/problem+json" {
		return a.problem(t)
	}
	var e struct{ Error struct{ Causeway problem } }
	decode(t, a.body, &e)
	return e.Error.Causeway
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func TestIPAllow(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, fmt.Sprintf(`
version: 1
server: {trusted_proxies: [127.0.0.9, 10.0.0.0/8, "fd00::/8"]}
services:
  some:
    access: open
    routes: [{path: /some/*}]
    upstream: {targets: [{url: %[1]q}]}
    policies: {ip_allow: ["127.0.0.2", "203.0.113.0/24", "2001:db8::/32"]}
  nobody:
    access: key
    routes: [{path: /nobody/*}]
    upstream: {targets: [{url: %[1]q}]}
    policies: {ip_allow: ["198.51.100.0/24"]}
`, up.URL))
	here, allowed, proxy := client(t), clientFrom(t, "127.0.0.2"), clientFrom(t, "127.0.0.9")
	for _, k := range []struct {
		name   string
		from   *http.Client
		header []string
		status int
		remote string
	}{
		{"on the list", allowed, nil, 200, "127.0.0.2"},
		{"not on it", here, nil, 403, "127.0.0.1"},
		{"a proxy that says nothing", proxy, nil, 403, "127.0.0.9"},
		{"an address that nobody has to believe", here, []string{"X-Forwarded-For", "203.0.113.7"}, 403, "127.0.0.1"},
		{"the same in Forwarded", here, []string{"Forwarded", "for=203.0.113.7"}, 403, "127.0.0.1"},
		{"the same in X-Real-IP", here, []string{"X-Real-IP", "203.0.113.7"}, 403, "127.0.0.1"},
		{"a proxy's word for one on the list", proxy, []string{"X-Forwarded-For", "203.0.113.7"}, 200, "203.0.113.7"},
		{"a proxy's word for another", proxy, []string{"X-Forwarded-For", "192.0.2.7"}, 403, "192.0.2.7"},
		{"what the caller told the proxy", proxy, []string{"X-Forwarded-For", "203.0.113.7, 192.0.2.7"}, 403, "192.0.2.7"},
		{"in two fields", proxy, []string{"X-Forwarded-For", "203.0.113.7", "X-Forwarded-For", "192.0.2.7"}, 403, "192.0.2.7"},
		{"through two proxies", proxy, []string{"X-Forwarded-For", "192.0.2.1, 203.0.113.7, 10.1.2.3"}, 200, "203.0.113.7"},
		{"the caller behind a proxy claims loopback's address", proxy, []string{"X-Forwarded-For", "127.0.0.2, 192.0.2.7"}, 403, "192.0.2.7"},
		{"with a port", proxy, []string{"X-Forwarded-For", "203.0.113.7:4711"}, 200, "203.0.113.7"},
		{"IPv6", proxy, []string{"X-Forwarded-For", "2001:db8::1"}, 200, "2001:db8::1"},
		{"IPv6 that is not on it", proxy, []string{"X-Forwarded-For", "2001:db9::1"}, 403, "2001:db9::1"},
		{"IPv4 in IPv6", proxy, []string{"X-Forwarded-For", "::ffff:203.0.113.7"}, 200, "203.0.113.7"},
		{"a proxy that speaks Forwarded", proxy, []string{"Forwarded", "for=203.0.113.7;proto=https"}, 200, "203.0.113.7"},
		{"the same for another", proxy, []string{"Forwarded", "proto=http; for=192.0.2.7"}, 403, "192.0.2.7"},
		{"Forwarded with what the caller told the proxy", proxy, []string{"Forwarded", "for=203.0.113.7, for=192.0.2.7"}, 403, "192.0.2.7"},
		{"Forwarded with IPv6", proxy, []string{"Forwarded", `For="[2001:db8::1]:4711"`}, 200, "2001:db8::1"},
		{"Forwarded through two proxies", proxy, []string{"Forwarded", `for=203.0.113.7`, "Forwarded", `for="10.1.2.3:80"`}, 200, "203.0.113.7"},
	} {
		a := fetch(t, k.from, "GET", g.URL+"/some/x", nil, k.header...)
		want(t, k.name+": status", a.status, k.status)
		rec := g.record(t, a.id)
		want(t, k.name+": address in the log", rec.Remote, k.remote)
		if k.status == 403 {
			p := a.problem(t)
			want(t, k.name+": kind", p.Kind, "address_not_allowed")
			want(t, k.name+": cause", p.Cause, "caller")
		}
	}
	// The address is looked at before the key: a stranger learns nothing about keys.
	a := fetch(t, here, "GET", g.URL+"/nobody/x", nil, keyed(guardsKey)...)
	want(t, "kind without key and address", a.problem(t).Kind, "address_not_allowed")
	want(t, "Proxy-Status", strings.HasPrefix(a.header.Get("Proxy-Status"), "causeway; error=http_request_denied;"), true)
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	var whole, begun atomic.Int64
	up := listenRaw(t, func(c *rawConn) {
		for {
			if _, err := c.br.Peek(1); err != nil {
				return
			}
			begun.Add(1)
			if rq, _ := c.request(); rq == nil {
				return
			}
			whole.Add(1)
			if !c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
				return
			}
		}
	})
	g := serve(t, fmt.Sprintf(`
version: 1
server: {max_body: 2KiB}
services:
  small:
    access: open
    routes: [{path: /small/*}]
    upstream: {targets: [{url: %[1]q}]}
    policies: {body_limit: 1KiB}
  default:
    access: open
    routes: [{path: /default/*}]
    upstream: {targets: [{url: %[1]q}]}
`, up.URL))
	c := client(t)
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	chunked := func(n int) io.Reader { return io.LimitReader(neverEnding('x'), int64(n)) }
	declared := func(n int) io.Reader { return strings.NewReader(strings.Repeat("x", n)) }
	good := int64(0)
	for _, k := range []struct {
		service, framing string
		body             func(int) io.Reader
		size, status     int
		says             string
	}{
		{"small", "declared", declared, 1024, 200, ""},
		{"small", "declared", declared, 1025, 413, "policies.body_limit of small is 1KiB"},
		{"small", "chunked", chunked, 1024, 200, ""},
		{"small", "chunked", chunked, 1025, 413, "policies.body_limit of small is 1KiB"},
		{"small", "chunked", chunked, 32 << 20, 413, "policies.body_limit of small is 1KiB"},
		{"small", "declared", declared, 32 << 20, 413, "policies.body_limit of small is 1KiB"},
		{"default", "declared", declared, 2048, 200, ""},
		{"default", "declared", declared, 2049, 413, "server.max_body is 2KiB"},
		{"default", "chunked", chunked, 2048, 200, ""},
		{"default", "chunked", chunked, 2049, 413, "server.max_body is 2KiB"},
	} {
		name := fmt.Sprintf("%s: %s body of %d bytes", k.service, k.framing, k.size)
		before := begun.Load()
		a, err := try(t.Context(), c, "POST", g.URL+"/"+k.service+"/x", k.body(k.size))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want(t, name, a.status, k.status)
		if k.status == 200 {
			good++
			continue
		}
		p := a.problem(t)
		want(t, name+": kind", p.Kind, "body_too_large")
		contains(t, name+": detail", p.Detail, k.says)
		want(t, name+": kind in the log", g.record(t, a.id).Kind, "body_too_large")
		if k.framing == "declared" {
			want(t, name+": requests begun at the upstream", begun.Load(), before)
		}
	}
	want(t, "whole requests at the upstream", whole.Load(), good)

	// Callers who write all of it before they read get the answer too.
	for _, framing := range []string{"Content-Length: 8388608", "Transfer-Encoding: chunked"} {
		raw := dial(t, g.Addr)
		raw.send(t, "POST /small/x HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", framing)
		piece := strings.Repeat("x", 64<<10)
		if strings.HasPrefix(framing, "Transfer") {
			piece = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
		}
		for range 128 {
			if _, err := io.WriteString(raw, piece); err != nil {
				break // the gateway has heard enough
			}
		}
		a, closes := raw.readLast(t, "POST")
		want(t, framing+": status", a.line, "413 Content Too Large (body_too_large)")
		want(t, framing+": the answer says that the connection ends", closes, true)
	}
	for _, flags := range [][]string{{}, {"-H", "Expect:"}, {"-H", "Transfer-Encoding: chunked"}, {"-H", "Transfer-Encoding: chunked", "-H", "Expect:"}} {
		r := command(t, "", "curl", append(flags, "-sS", "--data-binary", "@"+big, "-o", "/dev/null", "-w", "%{http_code}", g.URL+"/small/x")...)
		want(t, fmt.Sprintf("curl %q", flags), r.out, "413")
	}
	want(t, "whole requests at the upstream", whole.Load(), good)
}

// rateGateway has one service for each way to count, all with the same limit.
func rateConfig(up, limit string) string {
	config := "version: 1\nservices:\n"
	for name, by := range map[string]string{"application": "application", "ip": "ip", "header": "header:X-Tenant", "service": "service", "open": "application"} {
		access := "key"
		if name == "open" {
			access = "open"
		}
		config += fmt.Sprintf("  %s:\n    access: %s\n    routes: [{path: /%s/*}]\n    upstream: {targets: [{url: %q}]}\n    policies: {rate_limit: {%s, by: %q}}\n", name, access, name, up, limit, by)
	}
	return config + fmt.Sprintf("applications:\n  web: {keys: [%q], subscribes: [application, ip, header, service]}\n  other: {keys: [%q], subscribes: [application, ip, header, service]}\n", guardsKey, guardsOtherKey)
}

// burst makes n calls at once and returns how many passed and how many were refused; every answer
// is looked at.
func burst(t *testing.T, c *http.Client, n, limit int, url string, header ...string) (passed, refused int) {
	t.Helper()
	var mu sync.Mutex
	left := map[int]int{} // how often each number of remaining calls was said
	begin := make(chan struct{})
	var calls sync.WaitGroup
	for range n {
		calls.Go(func() {
			<-begin
			a, err := try(t.Context(), c, "GET", url, nil, header...)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			want(t, "RateLimit-Policy", a.header.Get("RateLimit-Policy"), fmt.Sprintf(`"default";q=%d;w=60`, limit))
			var remaining, reset int
			if _, err := fmt.Sscanf(a.header.Get("RateLimit"), `"default";r=%d;t=%d`, &remaining, &reset); err != nil || reset < 1 || reset > 60 {
				t.Errorf("RateLimit is %q", a.header.Get("RateLimit"))
			}
			switch a.status {
			case 200:
				passed++
				left[remaining]++
				want(t, "Retry-After of a good call", a.header.Get("Retry-After"), "")
			case 429:
				refused++
				want(t, "remaining when refused", remaining, 0)
				after, err := strconv.Atoi(a.header.Get("Retry-After"))
				if err != nil || after < 1 || after > 60 || after < reset-1 || after > reset+1 {
					t.Errorf("Retry-After is %q, RateLimit %q", a.header.Get("Retry-After"), a.header.Get("RateLimit"))
				}
				p := a.problem(t)
				want(t, "kind", p.Kind, "rate_limited")
				want(t, "retry", p.Retry, "safe")
				if p.RetryAfterMS <= 0 || p.RetryAfterMS > 60_000 {
					t.Errorf("retry_after_ms is %d", p.RetryAfterMS)
				}
			default:
				t.Errorf("%s: %s", a.line, clip(a.body))
			}
		})
	}
	close(begin)
	calls.Wait()
	for r, times := range left {
		if times != 1 || r < 0 || r >= limit {
			t.Errorf("%d calls were told that %d are left", times, r)
		}
	}
	return passed, refused
}

func TestRateLimitIsExact(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	const limit, n = 37, 200
	config := rateConfig(up.URL, fmt.Sprintf("requests: %d, per: 1m", limit))
	g := serve(t, config)
	c := client(t)
	one := clientFrom(t, "127.0.0.5")
	two := clientFrom(t, "127.0.0.6")
	web, other := []string{"apikey", guardsKey}, []string{"apikey", guardsOtherKey}
	with := func(header []string, more ...string) []string { return append(slices.Clone(header), more...) }
	for _, k := range []struct {
		what, service string
		c             *http.Client
		header        []string
		passed        int
	}{
		{"an application", "application", c, web, limit},
		{"another application", "application", one, other, limit},
		{"the first from elsewhere", "application", two, web, 0},
		{"an address", "ip", one, web, limit},
		{"another address", "ip", two, web, limit},
		{"the first with another key", "ip", one, other, 0},
		{"a tenant", "header", c, with(web, "X-Tenant", "a"), limit},
		{"another tenant", "header", c, with(web, "x-tenant", "b"), limit},
		{"the first with another key", "header", one, with(other, "X-Tenant", "a"), 0},
		{"no tenant", "header", c, web, limit},
		{"no tenant, again", "header", one, other, 0},
		{"the service", "service", one, web, limit},
		{"the service for everybody else", "service", two, other, 0},
		{"an open service counts addresses", "open", one, web, limit},
		{"another address of it", "open", two, web, limit},
		{"the first address of it", "open", one, nil, 0},
	} {
		before := up.requests.Load()
		calls := n
		if k.passed == 0 {
			calls = 20
		}
		passed, refused := burst(t, k.c, calls, limit, g.URL+"/"+k.service+"/x", k.header...)
		want(t, k.service+": "+k.what+": passed", passed, k.passed)
		want(t, k.service+": "+k.what+": refused", refused, calls-k.passed)
		want(t, k.service+": "+k.what+": at the upstream", up.requests.Load()-before, int64(k.passed))
	}

	// A reload that does not change the limit keeps the counts, however much else it changes.
	g.configure(t, strings.ReplaceAll(config, "upstream: {", "upstream: {timeouts: {first_byte: 7s}, ")+"  third: {keys: [e2e-third-key-0123456789abcd], subscribes: [application]}\n")
	g.awaitGeneration(t, 2)
	g.signal(t, syscall.SIGHUP)
	g.awaitGeneration(t, 3)
	passed, _ := burst(t, c, 20, limit, g.URL+"/application/x", web...)
	want(t, "passed after reloads that keep the limit", passed, 0)
	passed, _ = burst(t, two, 20, limit, g.URL+"/service/x", other...)
	want(t, "passed by service after reloads that keep the limit", passed, 0)
	passed, _ = burst(t, c, 60, limit, g.URL+"/application/x", "apikey", "e2e-third-key-0123456789abcd")
	want(t, "passed of a new application", passed, limit)
	g.configure(t, rateConfig(up.URL, fmt.Sprintf("requests: %d, per: 1m", limit+3)))
	g.awaitGeneration(t, 4)
	passed, _ = burst(t, c, 60, limit+3, g.URL+"/application/x", web...)
	want(t, "passed after the limit was changed", passed, limit+3)
}

// Waiting for as long as Retry-After says is enough.
func TestRateLimitComesBack(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, rateConfig(up.URL, "requests: 3, per: 2s"))
	c := client(t)
	for round := range 2 {
		var a *answer
		begun := time.Now()
		for n := 0; ; n++ {
			if a = fetch(t, c, "GET", g.URL+"/open/x", nil); a.status != 200 {
				break
			}
			if n == 3 && time.Since(begun) < 2*time.Second {
				t.Fatal("the limit of 3 let 4 calls through")
			}
		}
		want(t, "status above the limit", a.line, "429 Too Many Requests (rate_limited)")
		contains(t, "detail", a.problem(t).Detail, "3 requests per 2s")
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil || seconds < 1 || seconds > 2 {
			t.Fatalf("Retry-After is %q", a.header.Get("Retry-After"))
		}
		time.Sleep(time.Duration(seconds) * time.Second)
		want(t, fmt.Sprint("status after waiting in round ", round), fetch(t, c, "GET", g.URL+"/open/x", nil).status, 200)
	}
	// What another guard refuses is not counted.
	for range 5 {
		want(t, "status without a key", fetch(t, c, "GET", g.URL+"/service/x", nil).status, 401)
	}
	want(t, "status with one", fetch(t, c, "GET", g.URL+"/service/x", nil, "apikey", guardsKey).status, 200)
}

// What a failure tells, in every form it has: to whom it may be told everything, and to whom not.
func TestDetails(t *testing.T) {
	t.Parallel()
	dead := freePort(t)
	config := "version: 1\nserver: {trusted_proxies: [127.0.0.9]}\nservices:\n"
	for _, details := range []string{"auto", "full", "safe"} {
		for _, access := range []string{"key", "open"} {
			config += fmt.Sprintf("  %[1]s-%[2]s:\n    team: shop\n    details: %[1]s\n    access: %[2]s\n    routes: [{path: /%[1]s-%[2]s/*}]\n    upstream: {targets: [{url: \"http://%[3]s/\"}], retries: {max: 0}}\n", details, access, dead)
		}
	}
	broken := listenRaw(t, func(c *rawConn) { // a stream that ends before its time
		if rq, _ := c.request(); rq != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" +
				"data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n")
		}
	})
	const provider = "{kind: openai-compatible, base_url: \"http://%s/v1\", keys: [sk-e2e-upstream-0123456789], retries: {max: 0}}\n"
	config += fmt.Sprintf("providers:\n  gone: "+provider+"  cut: "+provider+"applications:\n", dead, hostPort(broken.URL))
	key := func(app string) string { return "e2e-" + app + "-key-0123456789" }
	for app, rest := range map[string]string{
		"shop": "team: shop, ", "bank": "team: bank, ", "none": "", "shopsafe": "team: shop, details: safe, ", "bankfull": "team: bank, details: full, ",
	} {
		config += fmt.Sprintf("  %s: {%skeys: [%q], subscribes: [auto-key, full-key, safe-key, models/*]}\n", app, rest, key(app))
	}
	g := serve(t, config)
	here, proxy := client(t), clientFrom(t, "127.0.0.9")
	elsewhere := []string{"X-Forwarded-For", "203.0.113.7"}
	as := func(app string, more ...string) []string { return append([]string{"apikey", key(app)}, more...) }
	far := func(app string) []string { return as(app, elsewhere...) }
	for _, k := range []struct {
		name, service string
		from          *http.Client
		header        []string
		full          bool
	}{
		{"on loopback", "auto-open", here, nil, true},
		{"on loopback with another team's key", "auto-key", here, as("bank"), true},
		{"loopback, but it speaks for somebody", "auto-open", here, elsewhere, false},
		{"loopback, in Forwarded", "auto-open", here, []string{"Forwarded", "for=127.0.0.1"}, false},
		{"loopback, in X-Real-IP", "auto-open", here, []string{"X-Real-IP", "127.0.0.1"}, false},
		{"loopback, with a Via", "auto-open", here, []string{"Via", "1.1 cdn"}, false},
		{"loopback, claims to be loopback", "auto-open", here, []string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"elsewhere, the service's team", "auto-key", here, far("shop"), true},
		{"elsewhere, another team", "auto-key", here, far("bank"), false},
		{"elsewhere, no team", "auto-key", here, far("none"), false},
		{"elsewhere, the team's own wish is safe", "auto-key", here, far("shopsafe"), false},
		{"elsewhere, another team that may know", "auto-key", here, far("bankfull"), true},
		{"behind a trusted proxy", "auto-open", proxy, elsewhere, false},
		{"behind a trusted proxy that speaks Forwarded", "auto-open", proxy, []string{"Forwarded", "for=203.0.113.7"}, false},
		{"behind a trusted proxy that hides who calls", "auto-open", proxy, []string{"Forwarded", "for=_hidden"}, false},
		{"behind a trusted proxy with a field that can't be read", "auto-open", proxy, []string{"X-Forwarded-For", "unknown"}, false},
		{"behind a trusted proxy that has only X-Real-IP", "auto-open", proxy, []string{"X-Real-IP", "203.0.113.7"}, false},
		{"behind a trusted proxy, claims to be loopback", "auto-open", proxy, []string{"X-Forwarded-For", "127.0.0.1, 203.0.113.7"}, false},
		{"behind a trusted proxy, from its own host", "auto-open", proxy, []string{"X-Forwarded-For", "127.0.0.1"}, true},
		{"behind a trusted proxy, the service's team", "auto-key", proxy, far("shop"), true},
		{"full for everybody", "full-open", here, elsewhere, true},
		{"full, another team", "full-key", proxy, far("bank"), true},
		{"safe on loopback", "safe-open", here, nil, false},
		{"safe for its own team", "safe-key", here, as("shop"), false},
		{"safe for who may know elsewhere", "safe-key", here, as("bankfull"), false},
	} {
		url := g.URL + "/" + k.service + "/x"
		told := func(form, text string) {
			t.Helper()
			if k.full {
				contains(t, k.name+": "+form, text, dead)
			} else {
				lacks(t, k.name+": "+form, text, dead, portOf("http://"+dead), "127.0.0.1", "ECONNREFUSED", "ss -ltnp")
			}
			contains(t, k.name+": "+form, text, "connection_refused", "refused the TCP connection")
		}
		a := fetch(t, k.from, "GET", url, nil, k.header...)
		want(t, k.name+": status", a.status, 502)
		told("JSON", string(a.body))
		p := a.problem(t)
		want(t, k.name+": has evidence and attempts", fmt.Sprint(len(p.Evidence) > 0, len(p.Attempts) > 0), fmt.Sprint(k.full, k.full))
		want(t, k.name+": has advice", len(p.Advice) > 0, true)
		if p.Cause == "" || p.CallID != a.id || p.Retry != "safe" || p.Help != "/.causeway/calls/"+a.id {
			t.Errorf("%s: what everybody may know is missing: %s", k.name, a.body)
		}
		told("Proxy-Status", a.header.Get("Proxy-Status"))
		page := fetch(t, k.from, "GET", url, nil, append([]string{"Accept", "text/html"}, k.header...)...)
		contains(t, k.name+": Content-Type", page.header.Get("Content-Type"), "text/html")
		told("HTML", string(page.body))
		told("the page's Proxy-Status", page.header.Get("Proxy-Status"))
	}
	for _, k := range []struct {
		name   string
		header []string
		full   bool
	}{
		{"on loopback", as("none"), true},
		{"elsewhere", far("none"), false},
		{"elsewhere, safe", far("shopsafe"), false},
		{"on loopback, safe", as("shopsafe"), false},
		{"elsewhere, full", far("bankfull"), true},
	} {
		k.header[0], k.header[1] = "Authorization", "Bearer "+k.header[1]
		a := fetch(t, here, "POST", g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"gone/m","messages":[{"role":"user","content":"x"}]}`), k.header...)
		want(t, "a model, "+k.name+": status", a.status, 502)
		text := string(a.body) + a.header.Get("Proxy-Status")
		contains(t, "a model, "+k.name, text, "connection_refused")
		if k.full {
			contains(t, "a model, "+k.name, text, dead)
		} else {
			lacks(t, "a model, "+k.name, text, dead, portOf("http://"+dead), "127.0.0.1")
		}

		a = fetch(t, here, "POST", g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"cut/m","stream":true,"messages":[{"role":"user","content":"x"}]}`), k.header...)
		want(t, "a stream, "+k.name+": status", a.status, 200)
		_, last, _ := strings.Cut(string(a.body), "\n\ndata: ")
		var e struct{ Error struct{ Causeway problem } }
		decode(t, []byte(last), &e)
		want(t, "a stream, "+k.name+": kind", e.Error.Causeway.Kind, "truncated_stream")
		want(t, "a stream, "+k.name+": has evidence and attempts", fmt.Sprint(len(e.Error.Causeway.Evidence) > 0, len(e.Error.Causeway.Attempts) > 0), fmt.Sprint(k.full, k.full))
		if !k.full {
			lacks(t, "a stream, "+k.name, last, portOf(broken.URL), "127.0.0.1")
		}
	}
	// Where no service is known the caller's address decides.
	for name, k := range map[string]struct {
		header []string
		full   bool
	}{"on loopback": {nil, true}, "elsewhere": {elsewhere, false}} {
		a := fetch(t, here, "GET", g.URL+"/auto-opem/x", nil, k.header...)
		want(t, "no route, "+name, a.status, 404)
		want(t, "no route, "+name+": the nearest routes are told", strings.Contains(string(a.body), "/auto-open/"), k.full)
	}
}

// A browser sends the console's session to every port of its host: it is nobody else's.
func TestConsoleCookieStaysHere(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL)))
	c := client(t)
	login := fetch(t, c, "POST", g.Console+"/api/v1/session", strings.NewReader(`{"username":"admin","password":"`+adminPassword+`"}`), "Content-Type", "application/json")
	want(t, "signing in", login.status, 200, 201)
	set, err := http.ParseSetCookie(login.header.Get("Set-Cookie"))
	if err != nil {
		t.Fatalf("Set-Cookie %q: %v", login.header.Get("Set-Cookie"), err)
	}
	session := set.Name + "=" + set.Value
	a := fetch(t, c, "GET", g.Console+"/api/v1/session", nil, "Cookie", session)
	want(t, "who the console takes the cookie for", a.status, 200)
	for _, k := range []struct {
		name   string
		header []string
		gets   string
	}{
		{"alone", []string{"Cookie", session}, ""},
		{"first", []string{"Cookie", session + "; a=1; b=2"}, "a=1; b=2"},
		{"last", []string{"Cookie", "a=1; b=2;" + session}, "a=1; b=2"},
		{"between", []string{"Cookie", "a=1; " + session + "; b=2"}, "a=1; b=2"},
		{"in a second field", []string{"Cookie", "a=1", "Cookie", session}, "a=1"},
		{"twice", []string{"Cookie", session + ";" + session + "; a=1"}, "a=1"},
		{"without it", []string{"Cookie", "a=1;b=2;  c=\"x y\""}, "a=1;b=2;  c=\"x y\""},
		{"another name", []string{"Cookie", "my" + set.Name + "=kept"}, "my" + set.Name + "=kept"},
	} {
		a := fetch(t, c, "GET", g.URL+"/s/x", nil, k.header...)
		want(t, k.name+": status", a.status, 200)
		want(t, k.name+": Cookie at the upstream", strings.Join(fields(a.body, "Cookie"), " | "), k.gets)
		lacks(t, k.name+": the request", string(a.body), set.Value)
	}
}
