package gateway

import (
	"strings"
	"testing"

	"causeway/internal/journey"
)

const headConfig = `
version: 1
server: {trusted_proxies: [TRUSTED]}
services:
  plain:
    access: open
    routes: [{path: "/plain/*"}]
    upstream: {targets: [{url: "http://UP"}]}
  ruled:
    access: open
    routes: [{path: "/ruled/*"}]
    upstream:
      targets: [{url: "http://UP"}]
      host: caller
      headers: {set: {X-From: causeway}, add: {X-More: "1"}, remove: [X-Debug]}
`

func TestWhatTheUpstreamIsSent(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(headConfig, "TRUSTED", "192.0.2.1", 1), up))
	r.run(t, up, []scenario{
		{
			name: "fields in the caller's order and case", request: get("/plain/x", "x-B: 1", "X-a:  two  ", "X-b: 3"),
			status: 200, calls: 1, sent: []string{"x-B: 1\r\nX-a: two\r\nX-b: 3\r\n"},
		},
		{
			name: "not those of the caller's connection", request: get("/plain/x", "Connection: close, X-Mine", "Keep-Alive: timeout=1", "TE: trailers", "X-Mine: 1", "Proxy-Authorization: Basic eA=="),
			status: 200, calls: 1, unsent: []string{"X-Mine", "Keep-Alive", "TE:", "Proxy-Authorization", "Connection:"},
		},
		{
			name: "who called, and not what a stranger says of it", request: get("/plain/x", far, "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Real-IP: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Forwarded-Port: 1"),
			status: 200, calls: 1,
			sent:   []string{"X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: h\r\n", "Forwarded: for=127.0.0.1;host=\"h\";proto=http\r\n", "Via: 1.1 causeway-"},
			unsent: []string{"203.0.113.7", "evil", "1.2.3.4", "X-Forwarded-Port"},
			record: func(t *testing.T, j *journey.Journey) {
				if j.Remote != "127.0.0.1" {
					t.Errorf("the caller is %s", j.Remote)
				}
			},
		},
		{
			name: "nor in the spelling that CGI cannot tell from it", request: get("/plain/x", "X_Forwarded_For: 1.2.3.4", "X-Forwarded_Proto: https", "Causeway_Call_Id: x", "X_Custom: kept"),
			status: 200, calls: 1, unsent: []string{"1.2.3.4", "https", "Causeway"}, sent: []string{"X_Custom: kept"},
		},
		{
			name: "the operator's rules", request: get("/ruled/x", "x-from: caller", "X_From: caller", "X-More: 0", "x-debug: 1"),
			status: 200, calls: 1, sent: []string{"Host: h\r\n", "X-From: causeway\r\n", "X-More: 0\r\n", "X-More: 1\r\n"}, unsent: []string{"caller", "debug"},
		},
		{
			name: "a trace that goes on", request: get("/plain/x", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=b"),
			status: 200, calls: 1, sent: []string{"traceparent: 00-0af7651916cd43dd8448eb211c80319c-", "-01\r\n", "tracestate: a=b"}, unsent: []string{"b7ad6b7169203331"},
			record: func(t *testing.T, j *journey.Journey) {
				if j.Trace != [16]byte{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c} {
					t.Errorf("the trace is %x", j.Trace)
				}
			},
		},
		{
			name: "a trace that begins here in the place of a broken one", request: get("/plain/x", "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01"),
			status: 200, calls: 1, sent: []string{"traceparent: 00-", "-00\r\n"}, unsent: []string{"b7ad6b7169203331"},
		},
		{
			name: "HTTP/1.1, whatever the caller speaks", request: "GET /plain/x HTTP/1.0\n\n",
			status: 200, calls: 1, sent: []string{"GET /plain/x HTTP/1.1\r\nHost: " + up.addr, "Via: 1.0 causeway-"}, unsent: []string{"X-Forwarded-Host"},
		},
	})
}

func TestATrustedProxysWordCounts(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(headConfig, "TRUSTED", "127.0.0.1", 1), up))
	from := func(want string) func(*testing.T, *journey.Journey) {
		return func(t *testing.T, j *journey.Journey) {
			if j.Remote != want {
				t.Errorf("the caller is %s, want %s", j.Remote, want)
			}
		}
	}
	r.run(t, up, []scenario{
		{
			name: "of the caller, and on to the upstream", request: get("/plain/x", far, "X-Forwarded-Proto: https", "X-Forwarded-Host: api.example.com", "X-Forwarded-Port: 443", "X-Real-IP: 203.0.113.7", "Forwarded: for=203.0.113.7"),
			status: 200, calls: 1, record: from("203.0.113.7"),
			sent: []string{
				"X-Forwarded-For: 203.0.113.7, 127.0.0.1\r\n", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Host: api.example.com\r\n", "X-Forwarded-Port: 443\r\n",
				"X-Real-IP: 203.0.113.7\r\n", "Forwarded: for=203.0.113.7\r\n", "Forwarded: for=127.0.0.1;host=\"api.example.com\";proto=https\r\n",
			},
		},
		{
			name: "by Forwarded alone, told in both ways", request: get("/plain/x", `Forwarded: for=198.51.100.1, for="[2001:db8::7]:1234";proto=https;host=api.example.com`),
			status: 200, calls: 1, record: from("2001:db8::7"),
			sent: []string{
				"X-Forwarded-For: 198.51.100.1, 2001:db8::7, 127.0.0.1\r\n", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Host: api.example.com\r\n",
				"Forwarded: for=198.51.100.1, for=\"[2001:db8::7]:1234\";proto=https;host=api.example.com\r\n", "Forwarded: for=127.0.0.1;host=\"api.example.com\";proto=https\r\n",
			},
		},
		{
			name: "by X-Forwarded-For alone, told in both ways", request: get("/plain/x", "X-Forwarded-For: 2001:db8::9, unknown", "X-Forwarded-For: 203.0.113.7:4711", "X-Forwarded-Proto: https"),
			status: 200, calls: 1, record: from("203.0.113.7"),
			sent: []string{
				"X-Forwarded-For: 2001:db8::9, unknown, 203.0.113.7:4711, 127.0.0.1\r\n",
				"Forwarded: for=\"[2001:db8::9]\", for=unknown, for=203.0.113.7, for=127.0.0.1;host=\"h\";proto=https\r\n",
			},
		},
		{
			name: "a host in Forwarded that would break the field is left out", request: get("/plain/x", `Forwarded: for=203.0.113.7;host="a,b";proto="x y"`),
			status: 200, calls: 1, sent: []string{"X-Forwarded-For: 203.0.113.7, 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: h\r\n"},
		},
		{name: "not what stands before a stranger's address", request: get("/plain/x", "X-Forwarded-For: 1.2.3.4, 203.0.113.7"), status: 200, calls: 1, record: from("203.0.113.7")},
		{name: "nor before what is no address", request: get("/plain/x", "X-Forwarded-For: 1.2.3.4, unknown"), status: 200, calls: 1, record: from("127.0.0.1")},
		{
			name: "a host that would break the field is left out", request: get("/plain/x", far, `X-Forwarded-Host: a";for=1.2.3.4`),
			status: 200, calls: 1, sent: []string{`Forwarded: for=203.0.113.7, for=127.0.0.1;host="h";proto=http` + "\r\n"}, unsent: []string{"1.2.3.4"},
		},
	})
}
