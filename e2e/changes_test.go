package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const changesConfig = `version: 1
incidents: {recover_after: 1s}
services:
  orders:
    access: open
    routes: [{path: /orders/*}]
    upstream: {targets: [{url: %q}], retries: {max: 0}, tls: {ca_file: %q, server_name: twin.example}}
`

// What is remembered of a target stands among the changes of its incident: its new version, its new certificate, and
// that it was restarted, each with its time, before and after.
func TestAnIncidentHoldsWhatChangedAboutTheTarget(t *testing.T) {
	t.Parallel()
	ca := newTwinAuthority(t)
	a := startActor(t, "127.0.0.1", ca.server(t, -time.Hour, time.Hour))
	serves := func(version string) {
		a.does(func(c *rawConn, _ *http.Request, _ int) bool {
			return c.send("HTTP/1.1 200 OK\r\nServer: orders/" + version + "\r\nContent-Length: 2\r\n\r\nok")
		})
	}
	serves("1.4")
	w := &twins{client: client(t), said: map[string]string{}}
	w.gateway = serve(t, fmt.Sprintf(changesConfig, "https://"+a.addr, ca.file))
	w.ok(t, "/orders/1", 3)
	a.stop(false)
	w.fails(t, "GET", "/orders/1", "")
	serves("1.5")
	a.tls = ca.server(t, -time.Hour, 2*time.Hour)
	a.start(t)
	w.ok(t, "/orders/1", 3)
	a.does(func(c *rawConn, _ *http.Request, _ int) bool { return false })
	for range 4 {
		w.call(t, "POST", "/orders/1", "{}")
	}
	i := w.awaitIncident(t, "open")
	want(t, "kind", i.Kind, "closed_before_response", "stale_connection")
	_, body := w.get(t, "/api/v1/incidents/"+i.ID, "application/json")
	var full struct {
		Changes []struct {
			Time, Until                       time.Time
			What, Text, Target, Before, After string
		}
	}
	decode(t, body, &full)
	seen := map[string]bool{}
	for n, c := range full.Changes {
		seen[c.What] = true
		if c.Time.IsZero() || c.Time.After(i.Onset.Add(time.Second)) || n > 0 && c.Time.After(full.Changes[n-1].Time) {
			t.Errorf("change %d of %d, %q, is at %s; the onset is %s", n, len(full.Changes), c.Text, c.Time, i.Onset)
		}
		switch c.What {
		case "version":
			want(t, "before", c.Before, "orders/1.4")
			want(t, "after", c.After, "orders/1.5")
			contains(t, "the version's text", c.Text, a.addr, "Server field changed from", "orders/1.5")
		case "certificate":
			if c.Before == "" || c.After == "" || c.Before == c.After {
				t.Errorf("the certificate: %+v", c)
			}
		case "restart":
			contains(t, "the restart's text", c.Text, a.addr, "was away for", "connection_refused", "came back")
			if !c.Until.After(c.Time) || c.Before == "" || c.After == "" {
				t.Errorf("the restart: %+v", c)
			}
		}
	}
	for _, what := range []string{"version", "certificate", "restart", "start"} {
		if !seen[what] {
			t.Errorf("no change of %s among %s", what, body)
		}
	}
	contains(t, "the sentence", i.Sentence, "before the first failure", "changed from")
	if len(i.Advice) == 0 || !strings.Contains(i.Advice[0], "what changed just before") {
		t.Errorf("advice %q", i.Advice)
	}
	if !slices.ContainsFunc(i.Timeline, func(m struct{ Text string }) bool { return strings.HasSuffix(m.Text, "was back") }) {
		t.Errorf("the timeline lacks that it was back: %+v", i.Timeline)
	}
}

// A server that crashes on a call which is then retried: the call fails because nobody listens any more, and tells
// as well that it began with the crash.
func TestACrashDuringARetriedCallTellsBoth(t *testing.T) {
	t.Parallel()
	a := startActor(t, "127.0.0.1", nil)
	w := &twins{client: client(t), said: map[string]string{}}
	w.gateway = serve(t, fmt.Sprintf("version: 1\nservices:\n  orders:\n    access: open\n    routes: [{path: /o/*}]\n    upstream: {targets: [{url: \"http://%s\"}]}\n", a.addr))
	a.does(func(c *rawConn, _ *http.Request, _ int) bool {
		c.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
		return false
	})
	w.ok(t, "/o/1", 3)
	a.does(func(c *rawConn, _ *http.Request, _ int) bool {
		go a.stop(true)
		c.br.ReadByte() // until it is gone
		return false
	})
	answer := w.call(t, "GET", "/o/1", "")
	x := w.verdict(t, answer)
	want(t, "kind", x.Kind, "connection_refused")
	want(t, "pattern", x.Pattern, "crashed")
	want(t, "retry", x.Retry, "safe")
	contains(t, "detail", x.Detail, "refused the TCP connection", "It began otherwise: attempt 1 of", " met ", "reset_before_response")
	if p := answer.problem(t); len(p.Attempts) < 2 || p.Attempts[0].Kind != "reset_before_response" || p.Attempts[len(p.Attempts)-1].Kind != "connection_refused" {
		t.Errorf("attempts %+v", p.Attempts)
	}
	contains(t, "Proxy-Status", answer.header.Get("Proxy-Status"), "error=connection_refused", "attempt 1 of")
}
