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
	"strings"
	"sync/atomic"
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
		begun := time.Now()
		a := fetch(t, c, "GET", g.URL+"/api/x", nil, keyed(guardsKey)...)
		if a.status == 401 {
			want(t, "kind", a.problem(t).Kind, "key_expired")
			if now := time.Now(); now.Before(end) {
				t.Errorf("refused %v before its end", end.Sub(now))
			}
			break
		}
		want(t, "status", a.status, 200)
		if begun.After(end.Add(time.Second)) {
			t.Fatalf("still let in %v after its end", begun.Sub(end))
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
