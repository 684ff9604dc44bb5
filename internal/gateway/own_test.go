package gateway

import (
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

const ownConfig = `
version: 1
server: {trusted_proxies: ["127.0.0.0/8"]}
services:
  open:
    access: open
    routes: [{path: "/open/*"}]
    upstream: {targets: [{url: "http://DOWN"}], retries: {max: 0}}
  keyed:
    team: shop
    routes: [{path: "/keyed/*"}]
    upstream: {targets: [{url: "http://DOWN"}], retries: {max: 0}}
applications:
  web: {keys: [KEY], subscribes: [keyed]}
  own: {team: shop, keys: ["ownkey-0123456789abcdef"], subscribes: [keyed]}
`

func TestPagesOfFailures(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, ownConfig, up))
	r.run(t, up, []scenario{
		{name: "one kind", request: get("/.causeway/failures/connection_refused"), status: 200, has: []string{`"kind":"connection_refused"`, "Cache-Control: no-store", "Proxy-Status: causeway\r\n", "Causeway-Call-Id: "}},
		{name: "one kind for a browser", request: get("/.causeway/failures/connection_refused", "Accept: text/html"), status: 200, has: []string{"<!doctype html>", "Content-Security-Policy: "}},
		{name: "all of them", request: get("/.causeway/failures/"), status: 200, has: []string{`"connection_refused"`, `"truncated_stream"`}},
		{name: "all of them for a browser", request: get("/.causeway/failures", "Accept: text/html"), status: 200, has: []string{"connection_refused", "truncated_stream"}},
		{name: "the head alone", request: "HEAD /.causeway/failures/ HTTP/1.1\nHost: h\n\n", status: 200, has: []string{"Content-Length: "}},
		{name: "none of that name", request: get("/.causeway/failures/nonsense"), status: 404, has: []string{`"kind":"route_not_found"`}},
		{name: "none of that name, for a browser", request: get("/.causeway/failures/<script>", "Accept: text/html"), status: 404, has: []string{"connection_refused"}, lacks: []string{"<script>"}},
		{name: "read only", request: "POST /.causeway/failures/ HTTP/1.1\nHost: h\nContent-Length: 0\n\n", status: 405, has: []string{"Allow: GET, HEAD"}},
		{name: "another address of ours", request: get("/.causeway/nonsense"), status: 404, has: []string{"/.causeway/calls/ID"}},
	})
	for _, e := range fault.All() {
		for _, accept := range []string{"text/html", "application/json"} {
			if a := r.call(t, get("/.causeway/failures/"+string(e.Kind), "Accept: "+accept)); a.status != 200 || !strings.Contains(a.body, string(e.Kind)) {
				t.Errorf("%s as %s: %s", e.Kind, accept, a.head)
			}
		}
	}
}

func TestACallersOwnCall(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, ownConfig, up))
	web, own := "apikey: "+key, "Authorization: Bearer ownkey-0123456789abcdef"
	id := func(lines ...string) string {
		path := "/keyed/x"
		if len(lines) == 0 {
			path = "/open/x"
		}
		return r.call(t, get(path, append(lines, far)...)).header.Get("Causeway-Call-Id")
	}
	mine, theirs, open := "/.causeway/calls/"+id(web), "/.causeway/calls/"+id(own), "/.causeway/calls/"+id()
	none := []string{`"kind":"call_not_found"`, "404 Not Found (call_not_found)"}
	r.run(t, up, []scenario{
		{name: "by its key, without addresses for another team", request: get(mine, web, far), status: 200, has: []string{`"kind":"connection_refused"`, "/keyed/x"}, lacks: []string{"127.0.0.1:", "ECONNREFUSED"}},
		{name: "with them for the service's own team", request: get(theirs, own, far), status: 200, has: []string{"ECONNREFUSED"}},
		{name: "for a browser", request: get(theirs, own, far, "Accept: text/html"), status: 200, has: []string{"<!doctype html>", "ECONNREFUSED"}},
		{name: "in lower case too", request: get(strings.ToLower(mine), web, far), status: 200},
		{name: "not by another application's key", request: get(mine, own, far), status: 404, has: none},
		{name: "not without a key", request: get(mine, far), status: 404, has: none},
		{name: "not from loopback without its key", request: get(mine), status: 404, has: none},
		{name: "of an open service from the same address", request: get(open, far), status: 200, has: []string{`"kind":"connection_refused"`}, lacks: []string{"ECONNREFUSED"}},
		{name: "not from another", request: get(open, "X-Forwarded-For: 203.0.113.8"), status: 404, has: none},
		{name: "one that never was", request: get("/.causeway/calls/01KAPZQ4M8X3V7N2T5R9W6YB1C", web), status: 404, has: none},
		{name: "what is no id", request: get("/.causeway/calls/../etc", web), status: 404, has: none},
		{
			name: "the look itself is on record, by the one who looked", request: get(mine, web, far), status: 200,
			record: func(t *testing.T, j *journey.Journey) {
				if j.Application != "web" || j.Service != "" || j.Route != "/.causeway/*" {
					t.Errorf("application %q, service %q, route %q", j.Application, j.Service, j.Route)
				}
			},
		},
	})
}
