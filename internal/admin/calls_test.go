package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

func TestCalls(t *testing.T) {
	run(t, []row{
		{
			name: "the newest first", request: request{as: "session", path: "/api/v1/calls"}, status: 200,
			check: callsAre(4, 3, 2, 1), without: []string{"next_cursor"},
		},
		{name: "by a viewer", request: request{as: "viewer", path: "/api/v1/calls"}, status: 200, check: callsAre(4, 3, 2, 1)},
		{name: "by service", request: request{as: "token", path: "/api/v1/calls?service=orders"}, status: 200, check: callsAre(4, 3, 1)},
		{name: "by model", request: request{as: "token", path: "/api/v1/calls?model=fast"}, status: 200, check: callsAre(2)},
		{name: "by application", request: request{as: "token", path: "/api/v1/calls?application=web"}, status: 200, check: callsAre(3, 1)},
		{name: "by provider", request: request{as: "token", path: "/api/v1/calls?provider=openai"}, status: 200, check: callsAre(2)},
		{name: "by status", request: request{as: "token", path: "/api/v1/calls?status=502"}, status: 200, check: callsAre(3)},
		{name: "by class of status", request: request{as: "token", path: "/api/v1/calls?status=4xx"}, status: 200, check: callsAre(4)},
		{name: "by kind", request: request{as: "token", path: "/api/v1/calls?kind=connection_refused"}, status: 200, check: callsAre(3)},
		{name: "failed", request: request{as: "token", path: "/api/v1/calls?failed=true"}, status: 200, check: callsAre(4, 3)},
		{name: "not failed", request: request{as: "token", path: "/api/v1/calls?failed=false"}, status: 200, check: callsAre(2, 1)},
		{name: "by duration", request: request{as: "token", path: "/api/v1/calls?min_ms=2.5&max_ms=100"}, status: 200, check: callsAre(1)},
		{name: "by time", request: request{as: "token", path: "/api/v1/calls?from=2026-11-23T04:06:07Z&to=2026-11-23T05:08:06.789%2B01:00"}, status: 200, check: callsAre(2)},
		{name: "by how long ago", request: request{as: "token", path: "/api/v1/calls?from=58m"}, status: 200, check: callsAre(4, 3, 2)},
		{name: "by how many days ago", request: request{as: "token", path: "/api/v1/calls?to=1d"}, status: 200, check: callsAre()},
		{name: "several filters", request: request{as: "token", path: "/api/v1/calls?service=orders&failed=true&status=5xx"}, status: 200, check: callsAre(3)},
		{name: "a page", request: request{as: "token", path: "/api/v1/calls?limit=2"}, status: 200, check: callsAre(4, 3), contains: []string{`"next_cursor":"` + refused + `"`}},
		{name: "the next page", request: request{as: "token", path: "/api/v1/calls?limit=2&cursor=" + refused}, status: 200, check: callsAre(2, 1), without: []string{"next_cursor"}},
		{name: "none", request: request{as: "token", path: "/api/v1/calls?service=none"}, status: 200, contains: []string{`{"calls":[]}`}},
		{
			name: "one call", request: request{as: "viewer", path: "/api/v1/calls/" + refused}, status: 200,
			contains: []string{
				`"id":"` + refused + `"`, `"time":"2026-11-23T04:08:06.789Z"`, `"method":"GET"`, `"path":"/orders/7"`, `"service":"orders"`,
				`"status":502`, `"kind":"connection_refused"`, `"cause":"software"`, `"duration_ms":0.7`, `"first_byte_ms":0.6`, `"bytes_in":10`, `"bytes_out":900`,
				`"attempt_count":1`, `"remote":"192.0.2.7"`, `"timings":{"routed_ms":0.05,"admitted_ms":0.08,"first_byte_ms":0.6,"total_ms":0.7}`,
				`"target":"http://127.0.0.1:9001"`, `"phase":"connect"`, `"end":"errno"`, `"error":"connection refused"`, `"connect_ms":0.2`,
				`"again":"not retried: budget spent"`, `"evidence":["TCP connect to 127.0.0.1:9001: ECONNREFUSED after 0.2 ms"]`,
				`"title":"` + fault.Lookup(fault.ConnectionRefused).Title + `"`, `"page":"http://127.0.0.1:8080/.causeway/failures/connection_refused"`,
				`"policies":["rate_limit: 100/1s by application"]`, `"room":"choose"`,
			},
			without: []string{"usage", "request_body"},
		},
		{name: "one call by an id in lower case", request: request{as: "viewer", path: "/api/v1/calls/" + strings.ToLower(refused)}, status: 200, contains: []string{refused}},
		{
			name: "a call of a model", request: request{as: "viewer", path: "/api/v1/calls/" + callID(2)}, status: 200,
			contains: []string{
				`"model":"fast"`, `"provider":"openai"`, `"target_model":"gpt-4o-mini"`, `"stream":true`,
				`"usage":{"input_tokens":12,"output_tokens":34,"source":"reported"}`, `"response_body":{"base64":"//4="}`, `"attempts":[]`,
			},
			without: []string{`"finding"`, `"kind"`},
		},
		{name: "a call that is not kept", request: request{as: "viewer", path: "/api/v1/calls/" + callID(9)}, status: 404, contains: []string{callID(9), "calls.keep"}},
		{name: "not an id", request: request{as: "viewer", path: "/api/v1/calls/7"}, status: 422, contains: []string{`"in":"path"`, `"pointer":"#/id"`}},
		{
			name: "the store fails", request: request{as: "token", path: "/api/v1/calls"}, status: 500,
			set:     func(w *world) { w.calls.fail = errors.New("database disk image is malformed") },
			without: []string{"malformed"},
			check: func(t *testing.T, w *world, _ string, _ *http.Response) {
				if log := w.log.String(); !strings.Contains(log, "malformed") || !strings.Contains(log, "GET /api/v1/calls") {
					t.Errorf("the log does not say what failed: %s", log)
				}
			},
		},
		{
			name: "an explanation", request: request{as: "viewer", path: "/api/v1/calls/" + refused + "/explanation"}, status: 200,
			contains: []string{
				`"call_id":"` + refused + `"`, `"summary":"orders: 127.0.0.1:9001 refused`, `"confidence":"high"`, `"retry":"safe"`,
				`{"at_ms":0.1,"what":"attempt 1 at http://127.0.0.1:9001 began"}`, `"text":"502 `,
			},
			answer: map[string]string{"Content-Type": "application/json", "Vary": "Accept"},
		},
		{
			name: "an explanation as text", request: request{as: "viewer", path: "/api/v1/calls/" + refused + "/explanation", header: map[string]string{"Accept": "text/plain"}}, status: 200,
			contains: []string{"connection_refused", "Evidence\n"}, without: []string{`"`, "\x1b"},
			answer: map[string]string{"Content-Type": "text/plain; charset=utf-8", "Vary": "Accept"},
		},
		{
			name: "an explanation for a browser", request: request{as: "session", path: "/api/v1/calls/" + refused + "/explanation", header: map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}}, status: 200,
			answer: map[string]string{"Content-Type": "application/json"},
		},
		{
			name: "an explanation of a good call", request: request{as: "viewer", path: "/api/v1/calls/" + callID(1) + "/explanation"}, status: 200,
			contains: []string{`"summary":"Nothing failed in this call."`}, without: []string{`"finding"`},
		},
		{name: "an explanation of no call", request: request{as: "viewer", path: "/api/v1/calls/" + callID(9) + "/explanation"}, status: 404},
		{
			name: "the catalogue", request: request{as: "viewer", path: "/api/v1/failures"}, status: 200,
			contains: []string{`"kind":"dns_not_found"`, `"kind":"connection_refused"`, `"proxy_status":"connection_refused"`, `"repeat":"always"`, "http://127.0.0.1:8080/.causeway/failures/gateway_killed"},
			without:  []string{"next_cursor"},
			check: func(t *testing.T, _ *world, body string, _ *http.Response) {
				var list FailureList
				if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Failures) != len(fault.All()) {
					t.Errorf("%d kinds, %v, want %d", len(list.Failures), err, len(fault.All()))
				}
			},
		},
		{name: "a page of the catalogue", request: request{as: "viewer", path: "/api/v1/failures?limit=1&cursor=" + string(fault.All()[0].Kind)}, status: 200, contains: []string{`"next_cursor":"` + string(fault.All()[1].Kind) + `"`}, without: []string{string(fault.All()[0].Kind) + `"`}},
		{name: "a page of the catalogue that is none", request: request{as: "viewer", path: "/api/v1/failures?cursor=x"}, status: 422, contains: []string{`"#/cursor"`}},
	})
}

// callsAre checks that a list is of the calls with these numbers, in this order.
func callsAre(numbers ...int) func(*testing.T, *world, string, *http.Response) {
	return func(t *testing.T, _ *world, body string, _ *http.Response) {
		t.Helper()
		var list CallList
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, c := range list.Calls {
			got = append(got, c.ID)
		}
		for _, n := range numbers {
			want = append(want, callID(n))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("calls %v, want %v", got, want)
		}
	}
}

func TestAWrongParameterIsNamed(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]string{
		"status=600":                 "#/status",
		"status=099":                 "#/status",
		"status=6xx":                 "#/status",
		"status=50":                  "#/status",
		"status=+502":                "#/status",
		"status=ok":                  "#/status",
		"kind=refused":               "#/kind",
		"kind=":                      "#/kind",
		"from=yesterday":             "#/from",
		"from=-5m":                   "#/from",
		"from=2026-11-23":            "#/from",
		"to=99999999d":               "#/to",
		"from=1h&to=2h":              "#/to",
		"min_ms=fast":                "#/min_ms",
		"min_ms=-1":                  "#/min_ms",
		"min_ms=NaN":                 "#/min_ms",
		"min_ms=1e300":               "#/min_ms",
		"max_ms=0":                   "#/max_ms",
		"min_ms=2&max_ms=1":          "#/max_ms",
		"failed=yes":                 "#/failed",
		"limit=0":                    "#/limit",
		"limit=501":                  "#/limit",
		"limit=ten":                  "#/limit",
		"cursor=x":                   "#/cursor",
		"servce=orders":              "#/servce",
		"a/b~c=1":                    "#/a~1b~0c",
		"status=1&status=2":          "#/status",
		"failed=true&failed":         "#/failed",
		"kind=not_http&failed=false": "#/failed",
	} {
		t.Run(query, func(t *testing.T) {
			body, r := w.do(request{as: "token", path: "/api/v1/calls?" + query})
			if r.StatusCode != http.StatusUnprocessableEntity {
				t.Fatalf("status %d: %s", r.StatusCode, body)
			}
			isProblem(t, body, r)
			var p Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatal(err)
			}
			if len(p.Errors) != 1 || p.Errors[0].In != "query" || p.Errors[0].Pointer != want {
				t.Errorf("errors %+v, want %s in the query", p.Errors, want)
			}
			if name := strings.NewReplacer("#/", "", "~1", "/", "~0", "~").Replace(want); !strings.Contains(p.Detail, strings.TrimPrefix(want, "#/")) {
				t.Errorf("the detail does not name %s: %s", name, p.Detail)
			}
		})
	}
	if body, r := w.do(request{as: "token", path: "/api/v1/calls?status=x&kind=conection_refused&limit=7"}); r.StatusCode != 422 ||
		!strings.Contains(body, "#/status") || !strings.Contains(body, "did you mean connection_refused?") {
		t.Errorf("two faults: %d %s", r.StatusCode, body)
	}
	if body, _ := w.do(request{as: "token", path: "/api/v1/calls?servce=orders"}); !strings.Contains(body, "did you mean service?") {
		t.Errorf("a parameter misspelt: %s", body)
	}
	if body, _ := w.do(request{as: "token", path: "/api/v1/calls?q=orders"}); !strings.Contains(body, "which takes service, model, application") {
		t.Errorf("a parameter made up: %s", body)
	}
	if body, r := w.do(request{as: "token", path: "/api/v1/calls?service=%zz"}); r.StatusCode != 400 {
		t.Errorf("a malformed query: %d %s", r.StatusCode, body)
	}
}

func TestWhatIsAskedOfTheCallLog(t *testing.T) {
	w := newWorld(t)
	w.do(request{as: "token", path: "/api/v1/calls?status=5xx&from=15m&to=2026-11-23T05:05:00Z&min_ms=0.5&max_ms=60000&failed=true&limit=500&cursor=" + refused})
	q := w.calls.asked
	if q.StatusFrom != 500 || q.StatusTo != 599 || !q.From.Equal(start.Add(45*time.Minute)) || !q.To.Equal(time.Date(2026, 11, 23, 5, 5, 0, 0, time.UTC)) ||
		q.MinDuration != 500*time.Microsecond || q.MaxDuration != time.Minute || q.Failed == nil || !*q.Failed || q.Limit != 500 || q.Cursor != refused {
		t.Errorf("asked %+v", q)
	}
}

// The OpenAPI page lists the values of phase and end; a new one must be added there.
func TestEveryPhaseAndEndIsDocumented(t *testing.T) {
	w := newWorld(t)
	body, _ := w.do(request{path: "/api/openapi.json"})
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []any }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	attempt := doc.Components.Schemas["Attempt"].Properties
	documented := func(property, value string) {
		for _, v := range attempt[property].Enum {
			if v == value {
				return
			}
		}
		t.Errorf("%s %q is not documented", property, value)
	}
	for p := journey.PhaseNone; p <= journey.PhaseDone; p++ {
		documented("phase", p.String())
	}
	for e := journey.EndOpen; e <= journey.EndRefused; e++ {
		documented("end", e.String())
	}
	for _, k := range fault.All() {
		if repeatWords[k.Again] == "" {
			t.Errorf("%s: no word for %q", k.Kind, k.Again)
		}
	}
}

func TestBytesOfAnUpstreamAreShownEscaped(t *testing.T) {
	w := newWorld(t)
	j := refusedCall()
	j.Attempts[0].First = []byte("SSH-2.0\r\n\x00\xff\x1b[31m<script>")
	j.Attempts[0].TLS = &journey.TLSFacts{Alert: 0, Reason: "expired", NotAfter: start}
	j.Attempts[0].DNS = &journey.DNSFacts{Name: "orders.internal", RCode: "NXDOMAIN"}
	j.RequestBody = []byte(`{"a":1}`)
	w.calls.calls = []*journey.Journey{j}
	body, _ := w.do(request{as: "token", path: "/api/v1/calls/" + refused})
	var c Call
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err)
	}
	a := c.Attempts[0]
	if a.FirstBytes != `SSH-2.0\r\n\x00\xff\x1b[31m<script>` {
		t.Errorf("first bytes %q", a.FirstBytes)
	}
	if a.TLS.Alert == nil || *a.TLS.Alert != 0 || a.TLS.NotAfter != "2026-11-23T04:05:06.789Z" || a.DNS.RCode != "NXDOMAIN" || c.RequestBody.Text != `{"a":1}` {
		t.Errorf("%s", body)
	}
}
