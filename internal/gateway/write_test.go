package gateway

import (
	"net/http"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

const writeConfig = `
version: 1
services:
  plain:
    access: open
    routes: [{path: "/plain/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}
  kept:
    access: open
    keep_bodies: "true"
    routes: [{path: "/kept/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}
  failures:
    access: open
    keep_bodies: failures
    routes: [{path: "/failures/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}
  shared:
    access: open
    routes: [{path: "/shared/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}
    policies: {rate_limit: {requests: 1, per: 1h, by: "header:X-Who"}}
`

func TestAnswersPassAsTheyAre(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, writeConfig, up))
	r.run(t, up, []scenario{
		{
			name: "status, reason, fields and body", request: get("/plain/x"), answers: []string{"HTTP/1.1 299 Quite So\r\nx-One: 1\r\nX-ONE: 2\r\nContent-Length: 3\r\n\r\nyes"},
			status: 299, calls: 1, has: []string{"HTTP/1.1 299 Quite So\r\nx-One: 1\r\nX-ONE: 2\r\n", "\n\nyes"}, lacks: []string{"Proxy-Status", "Causeway-Finding"},
		},
		{
			name: "not the fields of the upstream's connection, nor what is ours to say", request: get("/plain/x"),
			answers: []string{reply(200, "ok", "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "causeway-call-id: forged", "Causeway-Finding: forged", "Causeway-Attempts: 9")},
			status:  200, calls: 1, lacks: []string{"X-Hop", "Keep-Alive", "forged", ": 9"},
		},
		{
			name: "HEAD with the length and without a body", request: "HEAD /plain/x HTTP/1.1\nHost: h\n\n", answers: []string{"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"},
			status: 200, calls: 1, has: []string{"Content-Length: 12345\r\n"},
		},
		{name: "204", request: get("/plain/x"), answers: []string{"HTTP/1.1 204 No Content\r\n\r\n"}, status: 204, calls: 1, lacks: []string{"Content-Length", "Transfer-Encoding"}},
		{name: "304", request: get("/plain/x"), answers: []string{"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"}, status: 304, calls: 1, has: []string{`ETag: "a"`}},
		{
			name: "trailers", request: get("/plain/x"), answers: []string{"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"},
			status: 200, calls: 1, has: []string{"trailer X-Sum: 7\r\n"},
		},
		{
			name: "a body that ends with its connection", request: get("/plain/x"), answers: []string{"HTTP/1.1 200 OK\r\n\r\nuntil the end" + closeAfter},
			status: 200, calls: 1, has: []string{"Transfer-Encoding: chunked", "until the end"},
		},
		{
			name: "to HTTP/1.0 as it can be read there", request: "GET /plain/x HTTP/1.0\n\n", answers: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
			status: 200, calls: 1, has: []string{"Connection: close", "\n\nok"}, lacks: []string{"chunked"},
		},
		{
			name: "the upstream's own failure with what is read in it", request: get("/plain/x"), answers: []string{reply(502, "<center>nginx</center>", "Server: nginx", "Content-Type: text/html")},
			status: 502, calls: 1, has: []string{"Causeway-Finding: upstream_bad_gateway", "<center>nginx</center>", "HTTP/1.1 502 Bad Gateway\r\n"}, lacks: []string{"Proxy-Status"},
			record: func(t *testing.T, j *journey.Journey) {
				all := strings.Join(j.Finding.Evidence, "\n")
				if kindOf(j) != fault.UpstreamBadGateway || !j.Finding.Passed || !strings.Contains(all, "nginx") || strings.Contains(all, "then its end") {
					t.Errorf("kind %s, passed %v, evidence %s", kindOf(j), j.Finding.Passed, all)
				}
			},
		},
		{
			name: "a plain answer of a TLS port", request: get("/plain/x"), answers: []string{reply(400, "Client sent an HTTP request to an HTTPS server.\n")},
			status: 400, calls: 1, has: []string{"Causeway-Finding: plain_to_tls_port", "Client sent"},
		},
		{name: "another 400 is the caller's", request: get("/plain/x"), answers: []string{reply(400, "no such thing")}, status: 400, calls: 1, lacks: []string{"Causeway-Finding"}},
	})
}

func TestInterimAnswersPass(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, writeConfig, up))
	up.replies("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + reply(200, "ok"))
	c := dial(t, r.addr)
	c.send(t, get("/plain/x"))
	if a := c.read(t, "GET"); a.status != 103 || a.header.Get("Link") != "</a.css>" {
		t.Errorf("%s", a.whole())
	}
	if a := c.read(t, "GET"); a.status != 200 {
		t.Errorf("%s", a.whole())
	}
}

func TestKeptBodies(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, writeConfig, up))
	bodies := func(request, response string) func(*testing.T, *journey.Journey) {
		return func(t *testing.T, j *journey.Journey) {
			if !strings.Contains(string(j.RequestBody), request) || request == "" && j.RequestBody != nil || !strings.Contains(string(j.ResponseBody), response) || response == "" && j.ResponseBody != nil {
				t.Errorf("kept %q and %q", j.RequestBody, j.ResponseBody)
			}
		}
	}
	r.run(t, up, []scenario{
		{name: "none", request: post("/plain/x", "question"), answers: []string{reply(500, "answer")}, status: 500, calls: 1, record: bodies("", "")},
		{name: "all", request: post("/kept/x", "question"), answers: []string{reply(200, "answer")}, status: 200, calls: 1, record: bodies("question", "answer")},
		{name: "failures: not a good one's", request: post("/failures/x", "question"), answers: []string{reply(200, "answer")}, status: 200, calls: 1, record: bodies("", "")},
		{name: "failures: a failed one's, whatever its status", request: post("/failures/x", "question"), answers: []string{reply(429, "answer")}, status: 429, calls: 1, record: bodies("question", "answer")},
	})
}

// TestAPageOfAnotherOriginSeesTheFailure: a service's answers say who may read them, and its
// failures then say the same.
func TestAPageOfAnotherOriginSeesTheFailure(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, writeConfig, up))
	origin := "Origin: https://app.example.com"
	r.run(t, up, []scenario{
		{
			name: "the service's own answer", request: get("/shared/x", origin, "X-Who: a"),
			answers: []string{reply(200, "ok", "Access-Control-Allow-Origin: https://app.example.com", "Access-Control-Allow-Credentials: true")}, status: 200, calls: 1,
		},
		{
			name: "our failure", request: get("/shared/x", origin, "X-Who: a"), status: 429,
			has: []string{"Access-Control-Allow-Origin: https://app.example.com\r\n", "Access-Control-Allow-Credentials: true\r\n", "Access-Control-Expose-Headers: Causeway-Call-Id", "Vary: Accept, Origin\r\n", "RateLimit: "},
		},
		{name: "not for another origin", request: get("/shared/x", "Origin: https://evil.example.com", "X-Who: a"), status: 429, lacks: []string{"Access-Control"}},
		{name: "nor for a caller without", request: get("/shared/x", "X-Who: a"), status: 429, lacks: []string{"Access-Control"}},
	})
}

// TestOneConnectionManyCalls keeps a caller's connection through good answers, refusals and failures.
func TestOneConnectionManyCalls(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, writeConfig, up))
	c := dial(t, r.addr)
	seen := map[string]bool{}
	for i := range 50 {
		request, status := get("/plain/x"), http.StatusOK
		switch i % 4 {
		case 1:
			request, status = get("/nowhere"), http.StatusNotFound
		case 2:
			request = post("/plain/x", "a body")
		case 3:
			request, status = "DELETE /.causeway/failures/ HTTP/1.1\nHost: h\nContent-Length: 3\n\nabc", http.StatusMethodNotAllowed
		}
		c.send(t, request)
		a := c.read(t, "GET")
		if id := a.header.Get("Causeway-Call-Id"); a.status != status || seen[id] || id == "" {
			t.Fatalf("call %d: %s", i, a.whole())
		}
		seen[a.header.Get("Causeway-Call-Id")] = true
	}
}
