package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/faulty"
)

// The fault lab: what TestFaults holds over HTTP/1.1 in full holds over HTTP/2 as well, and on a model's address with a
// stream asked for over both. What is expected is testdata/faults.tsv, and for streams what the failure table says of a
// call that is not idempotent.

// rowTypes are the error types (RFC 9209) of the rows of the failure table.
var rowTypes = map[string]string{
	"05": "connection_refused", "06": "connection_refused", "07": "connection_timeout", "08": "destination_ip_unroutable",
	"14": "tls_certificate_error", "15": "tls_certificate_error", "16": "tls_certificate_error", "17": "tls_certificate_error",
	"18": "tls_alert_received", "19": "tls_alert_received|tls_protocol_error", "20": "tls_alert_received", "21": "tls_protocol_error",
	"22": "http_protocol_error", "23": "tls_protocol_error", "24": "connection_timeout", "25": "http_protocol_error|tls_protocol_error",
	"26": "http_protocol_error", "27": "http_response_incomplete", "28": "http_response_header_section_size",
	"29": "http_protocol_error|http_response_transfer_coding", "30": "http_response_transfer_coding", "32": "connection_terminated",
	"33": "connection_terminated", "35": "http_response_timeout|connection_read_timeout", "36": "connection_read_timeout",
	"37": "http_response_timeout", "41": "http_response_incomplete", "45": "http_protocol_error",
	"46": "connection_terminated", "47": "connection_terminated|http_response_incomplete|http_protocol_error", "48": "tls_protocol_error|http_protocol_error|connection_timeout",
	"83": "http_response_body_size",
}

// streamRetry is the verdict on a model's call that failed so, where get is that on a GET: nothing had reached the
// application (Y in the table) is safe for both; where it had (I), a model may bill twice.
func streamRetry(f faulty.Fault, get []string) []string {
	switch {
	case !slices.Contains(get, "safe"):
		return get
	case f.Name == "connect_reset" || f.Row == "46" || f.Kind == fault.HTTP2EnhanceYourCalm:
		return []string{"safe", "may_repeat"} // the kernel, or how far the stream had come, decides
	case slices.Contains([]string{"03", "04", "05", "06", "07", "08", "23", "24", "48"}, f.Row), f.Kind == fault.HTTP2StreamRefused:
		return []string{"safe"}
	}
	return []string{"may_repeat"}
}

// faultCase is one fault over one door in one form.
type faultCase struct {
	fault.Kind
	door, form string
}

func TestFaultLab(t *testing.T) {
	t.Parallel()
	table := verdicts(t)
	var list []faulty.Fault
	for _, f := range faulty.All() {
		n := f.Needs
		if f.Kind != "" && f.Needs.Met() == nil && !n.Resolver && !n.Reuse && !n.Upload && !n.Upgrade && !n.Head && !n.Target && !n.BodyLimit {
			list = append(list, f)
		}
	}
	l := startFaultLab(t, list)
	doors := map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": over2(t)}
	var mu sync.Mutex
	met := map[faultCase]int{}
	t.Run("faults", func(t *testing.T) {
		for _, f := range list {
			t.Run(f.Name, func(t *testing.T) {
				t.Parallel()
				for door, c := range doors {
					for _, form := range []string{"plain", "stream"} {
						if form == "plain" && door == "HTTP/1.1" || form == "plain" && f.Needs.Stream {
							continue // TestFaults; a stream's fault asked for without a stream
						}
						if form == "stream" && !f.LLM && f.Status != 0 {
							continue // a whole answer that is no model's: rows of the fault's own dialect say what becomes of it
						}
						kind := l.meetAt(t, f, table[f.Name], door, form, c)
						mu.Lock()
						met[faultCase{kind, door, form}]++
						mu.Unlock()
					}
				}
			})
		}
	})
	all, faults := 0, map[string]int{}
	for k, n := range met {
		all += n
		faults[k.door+" "+k.form] += n
	}
	t.Logf("%d faults, %d calls, %v", len(list), all, faults)
	if faults["HTTP/2 plain"] < 80 || faults["HTTP/1.1 stream"] < 80 || faults["HTTP/2 stream"] < 80 {
		t.Errorf("fewer than 80 faults over a door: %v", faults)
	}
	if n := l.metric(t, `causeway_failures_total{kind="unclassified"}`); n*20 > float64(all) {
		t.Errorf("%v of %d calls are unclassified, more than 5 %%", n, all)
	}
}

// startFaultLab is a gateway with a service for each fault that is no model's, and a provider for each.
func startFaultLab(t *testing.T, list []faulty.Fault) *faultLab {
	t.Helper()
	lab, err := faulty.New(faulty.Options{Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	var services, providers strings.Builder
	for _, f := range list {
		up, err := lab.StartFault(f, faulty.Params{})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		more := ""
		if up.Protocol != "" {
			more = "protocol: " + up.Protocol + ", "
		}
		more += fmt.Sprintf("timeouts: {%s}, retries: {max: 0}, tls: %s", faultLimits(f), tlsSettings(up))
		if !f.LLM {
			fmt.Fprintf(&services, "  %s:\n    access: open\n    routes: [{path: /%s/*}]\n    upstream: {targets: [{url: %q}], %s}\n", f.Name, f.Name, up.URL, more)
		}
		if f.LLM || strings.HasPrefix(up.URL, "http") {
			path := ""
			if f.LLM {
				path = "/v1"
			}
			fmt.Fprintf(&providers, "  %s: {kind: openai-compatible, base_url: %q, keys: [sk-e2e-upstream-0123456789], %s}\n", f.Name, up.URL+path, more)
		}
	}
	return &faultLab{gateway: serve(t, "version: 1\nservices:\n"+services.String()+"providers:\n"+providers.String()+
		"applications:\n  e2e: {keys: ["+faultsKey+"], subscribes: [models/*]}\n")}
}

// meetAt makes one call and holds body, header, log and admin API to the table.
func (l *faultLab) meetAt(t *testing.T, f faulty.Fault, v verdict, door, form string, c *http.Client) fault.Kind {
	t.Helper()
	var a *answer
	retries := v.retries
	if f.LLM || form == "stream" {
		body, _ := json.Marshal(map[string]any{"model": f.Name + "/gpt-test", "stream": form == "stream", "messages": []map[string]string{{"role": "user", "content": "hello"}}})
		if strings.HasPrefix(f.Name, "unix_") {
			return f.Kind // a provider has a URL
		}
		a = fetch(t, c, "POST", l.URL+"/v1/chat/completions", bytes.NewReader(body), "Authorization", "Bearer "+faultsKey)
		if !f.LLM {
			retries = streamRetry(f, v.retries)
		}
	} else {
		a = fetch(t, c, "GET", l.URL+"/"+f.Name+"/x", nil)
	}
	in := door + " " + form + ": "
	rec := l.record(t, a.id)
	kinds := append([]fault.Kind{f.Kind}, f.Also...)
	for _, k := range v.kinds {
		kinds = append(kinds, fault.Kind(k))
	}
	if form == "stream" && !f.LLM { // bytes that came before the break need not be a stream's
		kinds = append(kinds, fault.IncompatibleResponse, fault.MalformedStream, fault.TruncatedStream)
	}
	if form == "stream" && f.Name == "tls_alert_protocol" { // it knows none of what it was offered, HTTP/2 among it
		kinds = append(kinds, fault.HTTP2NotAgreed)
	}
	if !slices.Contains(kinds, fault.Kind(rec.Kind)) {
		t.Errorf("%skind %q, want one of %q (%s); got %s %q", in, rec.Kind, kinds, f.About, a.line, clip(a.body))
		return fault.Kind(rec.Kind)
	}
	want(t, in+"the log's status", rec.Status, a.status)
	x := rec.Finding
	if rec.Kind == "" {
		return ""
	}
	if x == nil {
		t.Errorf("%sthe log has the kind %s and no finding", in, rec.Kind)
		return fault.Kind(rec.Kind)
	}
	asListed := rec.Kind == string(f.Kind)
	if asListed && !strings.Contains(x.Detail, "gateway_cpu_starved") {
		want(t, in+"cause", x.Cause, v.causes...)
		want(t, in+"retry", x.Retry, retries...)
	}
	want(t, in+"advice is given", len(x.Advice) > 0, true)
	types := rowTypes[f.Row]
	switch f.Kind {
	case fault.MalformedHTTP2, fault.HTTP2EnhanceYourCalm, fault.HTTP2Rejected:
		types = "http_protocol_error" // whichever row's place it is in: the code says so on a stream and on the connection
	}
	if asListed && types != "" && !x.Passed && !rec.Cut {
		got, _, _ := strings.Cut(strings.TrimPrefix(a.header.Get("Proxy-Status"), "causeway; error="), ";")
		want(t, in+"Proxy-Status", got, strings.Split(types, "|")...)
	}
	(&combinationLab{faultLab: l}).toldAlike(t, a, rec)
	adminSays(t, l.gateway, a.id, rec)
	return fault.Kind(rec.Kind)
}

// Ten thousand good calls, plain and streaming, over both doors, are not one finding.
func TestGoodCallsRaiseNoFinding(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost: // a model's stream
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, streamOf("m", false))
		case strings.HasSuffix(r.URL.Path, "/events"):
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "data: 2\n\n")
		default:
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	}))
	t.Cleanup(up.Close)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  good: {access: open, routes: [{path: /good/*}], upstream: {targets: [{url: %[1]q}], breaker: {}, health: {path: /x}}}
providers:
  good: {kind: openai-compatible, base_url: "%[1]s/v1", keys: [sk-e2e-upstream-0123456789]}
applications:
  e2e: {keys: [%[2]s], subscribes: [models/*]}
`, up.URL, faultsKey))
	const rounds, workers = 2500, 8 // of four calls each
	body := `{"model":"good/m","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	h1, h2 := client(t), over2(t)
	turns := make(chan int, rounds)
	for n := range rounds {
		turns <- n
	}
	close(turns)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for n := range turns {
				c := h1
				if n%2 == 1 {
					c = h2
				}
				for _, path := range []string{"/good/x", "/good/y?a=b", "/good/events", ""} {
					var a *answer
					var err error
					if path != "" {
						a, err = try(t.Context(), c, "GET", g.URL+path, nil)
					} else {
						a, err = try(t.Context(), c, "POST", g.URL+"/v1/chat/completions", strings.NewReader(body), "Authorization", "Bearer "+faultsKey)
					}
					if err != nil || a.err != nil || a.status != http.StatusOK || a.header.Get("Causeway-Finding") != "" || a.header.Get("Proxy-Status") != "" {
						t.Errorf("a good call: %+v, %v", a, err)
						return
					}
				}
			}
		})
	}
	running.Wait()
	seen := 0
	for c := range g.everyCall(t) {
		seen++
		if c.Kind != "" || c.Finding != nil || c.Cut {
			t.Fatalf("a good call is told as a failure: %+v %+v", c, c.Finding)
		}
	}
	want(t, "calls in the log", seen, 4*rounds)
	want(t, "unclassified findings", g.metric(t, `causeway_failures_total{kind="unclassified"}`), 0)
}
