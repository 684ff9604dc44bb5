package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The head of an answer goes out after its body has come: it must not be read over by it.
func TestAHeadWhoseBodyComesLater(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	good := strings.Replace(completionBody, "{", `{"pad":"`+long+`",`, 1)
	for name, tc := range map[string]struct {
		status  int
		body    string
		chunked bool
	}{
		"with a length":        {200, good, false},
		"in chunks":            {200, good, true},
		"a provider's refusal": {400, `{"error":{"message":"` + long + `","type":"invalid_request_error","param":"x","code":"bad"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Request-Id", "req_0123456789")
				if !tc.chunked {
					w.Header().Set("Content-Length", strconv.Itoa(len(tc.body)))
				}
				w.WriteHeader(tc.status)
				control := http.NewResponseController(w)
				_ = control.Flush()
				time.Sleep(20 * time.Millisecond) // nothing tells that the head has been read
				_, _ = io.WriteString(w, tc.body[:100])
				_ = control.Flush()
				_, _ = io.WriteString(w, tc.body[100:])
			}))
			defer up.Close()
			r := newRig(t, strings.ReplaceAll(`
version: 1
providers:
  openai: {kind: openai, base_url: "UP/v1", keys: [provider-key-0123456789], retries: {max: 0}}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`, "UP", up.URL))
			body := `{"model":"openai/m","messages":[]}`
			a := r.call(t, "POST /v1/chat/completions HTTP/1.1\nHost: x\nAuthorization: Bearer KEY\nContent-Type: application/json\nContent-Length: "+strconv.Itoa(len(body))+"\n\n"+body)
			if a.status != tc.status || a.body != tc.body || a.header.Get("Content-Type") != "application/json" || a.header.Get("X-Request-Id") != "req_0123456789" {
				t.Errorf("%d %v %.100s", a.status, a.header, a.body)
			}
		})
	}
}
