package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestAWebSocketOverHTTP2IsOpenOnlyWhenTheUpstreamSwitched: 2xx is what opens a WebSocket over HTTP/2, so
// that an upstream's ordinary success must not pass as it does over HTTP/1.1; its refusals do.
func TestAWebSocketOverHTTP2IsOpenOnlyWhenTheUpstreamSwitched(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			t.Errorf("the upstream was asked with %q", r.Header)
		}
		status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/s/"))
		w.Header().Set("X-Why", "because")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			fmt.Fprint(w, "no socket")
		}
	}))
	t.Cleanup(up.Close)
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL)))
	for status, shown := range map[int]int{200: 502, 201: 502, 204: 502, 302: 302, 401: 401, 403: 403, 404: 404, 426: 426, 500: 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			ask := []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "x", ":path", fmt.Sprint("/s/", status), "sec-websocket-version", "13"}
			over2 := h2Asker{addr: g.Addr}.ask(t, ask, "", nil, false)
			want(t, "status over HTTP/2", over2.fields[":status"], strconv.Itoa(shown))
			if shown == status {
				want(t, "body", over2.body, "no socket")
				want(t, "X-Why", over2.fields["x-why"], "because")
			} else {
				contains(t, "body", over2.body, `"kind":"upgrade_failed"`, fmt.Sprintf("the upstream answered %d in place of switching", status))
				want(t, "kind on record", g.record(t, over2.fields["causeway-call-id"]).Kind, "upgrade_failed")
			}
			over1 := fetch(t, http.DefaultClient, "GET", g.URL+fmt.Sprint("/s/", status), nil,
				"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			want(t, "status over HTTP/1.1", over1.status, status)
		})
	}
	t.Run("another protocol", func(t *testing.T) {
		told := h2Asker{addr: g.Addr}.ask(t, []string{":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "http", ":authority", "x", ":path", "/s/200"}, "", nil, false)
		want(t, "status", told.fields[":status"], "501")
		contains(t, "body", told.body, `"kind":"malformed_request"`, "only websocket is")
	})
}
