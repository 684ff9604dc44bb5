package diagnose

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// TestTheContractsExample is the finding of contract section 6.
func TestTheContractsExample(t *testing.T) {
	a := journey.Attempt{
		Target: "http://127.0.0.1:9001", Phase: journey.PhaseConnect, End: journey.EndErrno, Errno: syscall.ECONNREFUSED,
		Tries: []journey.AddressTry{{Address: "127.0.0.1:9001", Errno: syscall.ECONNREFUSED, Took: 200 * time.Microsecond}},
		Total: 200 * time.Microsecond,
	}
	in := get(a).worked()
	in.Backoff = 500 * time.Millisecond
	f := Judge(in)
	if want := "orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there."; f.Detail != want {
		t.Errorf("detail: %q", f.Detail)
	}
	if want := "orders: the upstream refused the TCP connection after 0.2 ms; nothing listens there."; f.SafeDetail != want {
		t.Errorf("safe detail: %q", f.SafeDetail)
	}
	if want := []string{"TCP connect to 127.0.0.1:9001: ECONNREFUSED after 0.2 ms", "last good answer from this target: 41 s ago"}; !slices.Equal(f.Evidence, want) {
		t.Errorf("evidence: %q", f.Evidence)
	}
	if f.Cause != fault.Software || f.Retry != fault.Safe || f.RetryAfterMS != 500 {
		t.Errorf("cause %s, retry %s after %d ms", f.Cause, f.Retry, f.RetryAfterMS)
	}
	if !strings.HasPrefix(f.Advice[0], "Check that the service runs on 127.0.0.1:9001") {
		t.Errorf("advice: %q", f.Advice[0])
	}
	if a := f.Attempts[0]; a.Target != "http://127.0.0.1:9001" || a.Kind != fault.ConnectionRefused || a.MS != 0.2 {
		t.Errorf("attempt: %+v", a)
	}
}

func TestEvidenceTellsNumbers(t *testing.T) {
	tests := []struct {
		name string
		in   Input
		want string
	}{
		{"limit that fired", post(limited(journey.PhaseWait, "first_byte", 2*time.Second)), "timeouts.first_byte: 2s; nothing came for 2.0 s after the last request byte"},
		{"limit while connecting", post(limited(journey.PhaseConnect, "connect", 1500*time.Millisecond)), "timeouts.connect: 1.5s; not connected after 1.5 s"},
		{"cut body", post(inBody(journey.EndEOF, 10, 100)), "got 10 of 100 body bytes, then FIN"},
		{"reset body", post(inBody(journey.EndReset, 10, 100)), "got 10 of 100 body bytes, then RST"},
		{"body of unknown length", post(inBody(journey.EndReset, 20480, -1)), "got 20480 bytes (20.0 KiB) of a body without declared length, then RST"},
		{"kept-alive connection", post(reused(attempt(func(*journey.Attempt) {}))), "kept-alive connection to 10.66.77.88:59001: 12 calls before this one, idle for 5.0 s, 1 min 5 s old"},
		{"certificate's age", post(certificate("expired")), "valid from 2025-12-01 12:00 UTC to 2026-03-01 10:00 UTC: expired 2 h before the call"},
		{"alert", post(tlsFailed("alert", 70, nil)), "alert received: 70 protocol_version"},
		{"resolver", post(dnsFailed("NXDOMAIN", true, false)), "DNS lookup of canary-host.internal.example: NXDOMAIN after 1.2 ms, asked of 10.66.77.88:53"},
		{"first bytes", post(notHTTP(journey.FaultNotHTTP, "SSH-2.0-x\r\nmore")), `first bytes: "SSH-2.0-x"`},
		{"masked line", post(parsed(journey.FaultFieldValue, "Set-Cookie: a=b")), `the line: "Set-Cookie" with a value of 4 bytes, not shown`},
		{"broken line of a secret field", post(parsed(journey.FaultFieldLine, "Authorization Bearer abc")), `the line: "Authorization" with a value of 0 bytes, not shown`},
		{"several attempts", facts()["retries exhausted, one sent and then refused"], "attempt 1 of 2, http://canary-host.internal.example:59001/base: closed_before_response after 12 ms; retried: idempotent"},
		{"healthy others", post(dialFailed(syscall.ECONNREFUSED)).with(func(in *Input) { in.Targets, in.Healthy = 3, 2 }), "2 of 3 targets are healthy"},
	}
	for _, test := range tests {
		if f := Judge(test.in); !slices.Contains(f.Evidence, test.want) {
			t.Errorf("%s: no line %q in\n%s", test.name, test.want, strings.Join(f.Evidence, "\n"))
		}
	}
}

func TestDetailsNameWhatGaveUp(t *testing.T) {
	early := limited(journey.PhaseDNS, "connect", 10*time.Second)
	early.DNS, early.DNSTime = &journey.DNSFacts{Name: "api.internal", Timeout: true}, 5*time.Second
	late := limited(journey.PhaseDNS, "connect", 2*time.Second)
	late.DNS, late.DNSTime = &journey.DNSFacts{Name: "api.internal", Timeout: true}, 2*time.Second
	tests := []struct {
		name string
		in   Input
		want string
	}{
		{"the resolver", post(early), "orders: the lookup of the host name api.internal got no answer; the resolver gave up after 5.0 s."},
		{"our limit", post(late), "orders: the lookup of the host name api.internal got no answer within timeouts.connect (2s)."},
		{"the provider, in its own words", model(fault.QuotaExhausted, 429).with(func(in *Input) { in.Passed = true }), "prov: the provider's account has no credit left (10.66.77.88:59001 answered 429; its answer was passed on unchanged)."},
		{"the provider, in ours", model(fault.QuotaExhausted, 429), "prov: the provider's account has no credit left (it answered 429)."},
		{"one target of several", facts()["no healthy target, expired certificates"], "orders: none of 3 targets is healthy; behind it, at 2 of them: the upstream's certificate has expired (tls_certificate_expired)."},
		{"all targets alike", facts()["no healthy target, refused"], "orders: none of 2 targets is healthy; behind it, at all of them: the upstream refused the connection (connection_refused)."},
		{"the rule that a certificate breaks", facts()["certificate not for servers"], "orders: the certificate of 10.66.77.88:59001 cannot be accepted: it is not meant for servers (its extended key usage lacks serverAuth); it has expired as well, on 2026-03-01 10:00 UTC."},
		{"a missing intermediate", facts()["intermediate certificate missing"], "orders: 10.66.77.88:59001 sent its own certificate without that of the authority that signed it, CN=canary-host.internal.example authority; it has expired as well, on 2026-03-01 10:00 UTC."},
		{"whose dates are over", facts()["expired intermediate certificate"], "orders: a certificate that 10.66.77.88:59001 sent with its own, of the authority that signed it (CN=canary-host.internal.example), expired on 2026-03-01 10:00 UTC."},
	}
	for _, test := range tests {
		if f := Judge(test.in); f.Detail != test.want {
			t.Errorf("%s: %q", test.name, f.Detail)
		}
	}
	if f := Judge(post(early)); strings.Contains(strings.Join(f.Evidence, "\n"), "timeouts.connect") {
		t.Errorf("a limit that did not fire is named: %q", f.Evidence)
	}
}

func TestHostAndPort(t *testing.T) {
	for in, want := range map[string]string{"10.0.0.1:80": "10.0.0.1 80", "[fd00::1]:80": "fd00::1 80", "/run/a.sock": "/run/a.sock"} {
		if got := hostAndPort(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestProxyParameters(t *testing.T) {
	tests := []struct {
		name string
		in   Input
		want string
	}{
		{"rcode", post(dnsFailed("SERVFAIL", false, false)), `causeway; error=dns_error; rcode="SERVFAIL"; details=`},
		{"alert", post(tlsFailed("alert", 112, nil)), `causeway; error=tls_alert_received; alert-id=112; alert-message=unrecognized_name; details=`},
		{"alert without a name", post(tlsFailed("alert", 200, func(t *journey.TLSFacts) { t.AlertText = "what is this" })), `alert-id=200; alert-message=unknown; details=`},
		{"chunked", post(chunk(journey.FaultChunk)), `causeway; error=http_response_transfer_coding; coding=chunked; received-status=200; details=`},
		{"coding", post(parsed(journey.FaultCoding, "Transfer-Encoding: chunked, GZip")), `coding=gzip; details=`},
		{"header size", post(parsed(journey.FaultHeadTooLarge, "")), `header-section-size=64; details=`},
		{"none received", post(dialFailed(syscall.ECONNREFUSED)), `causeway; error=connection_refused; details=`},
		{"404", room(fault.RouteNotFound), `causeway; error=http_request_error; status-code=404; details=`},
	}
	for _, test := range tests {
		if got := fault.ProxyStatus(Judge(test.in), fault.View{}); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestRetryAfterOnlyWhenKnown(t *testing.T) {
	tests := []struct {
		name string
		in   Input
		want int64
	}{
		{"named by the limiter, rounded up", room(fault.RateLimited).with(func(in *Input) { in.RetryAfter = 1500*time.Millisecond + 1 }), 1501},
		{"our pause when nothing was sent", post(dialFailed(syscall.ECONNREFUSED)).with(func(in *Input) { in.Backoff = 50 * time.Millisecond }), 50},
		{"no pause of ours when work may have been done", post(attempt(func(*journey.Attempt) {})).with(func(in *Input) { in.Backoff = 50 * time.Millisecond }), 0},
		{"not known", post(dialFailed(syscall.ECONNREFUSED)), 0},
	}
	for _, test := range tests {
		if got := Judge(test.in).RetryAfterMS; got != test.want {
			t.Errorf("%s: %d", test.name, got)
		}
	}
}

func TestTheRoomsOwnWordsComeFirst(t *testing.T) {
	in := room(fault.RouteNotFound)
	in.Detail, in.SafeDetail = "no route for GET /ordres; nearest: /orders/* of orders.", "no route for this path."
	in.Evidence, in.Advice, in.CallerAdvice = []string{"distance 2"}, []string{"operator first"}, []string{"caller first"}
	f := Judge(in)
	if f.Detail != in.Detail || f.SafeDetail != in.SafeDetail {
		t.Errorf("details: %q, %q", f.Detail, f.SafeDetail)
	}
	if f.Evidence[0] != "distance 2" || f.Advice[0] != "operator first" || f.CallerAdvice[0] != "caller first" {
		t.Errorf("%q %q %q", f.Evidence, f.Advice, f.CallerAdvice)
	}
	if len(f.Advice) < 2 || len(f.CallerAdvice) < 2 {
		t.Error("the catalogue's advice was dropped")
	}
}

func TestCurlOfA401(t *testing.T) {
	tests := []struct {
		name, method, url, header, want string
	}{
		{"GET", "GET", "http://127.0.0.1:8080/orders/1", "apikey: YOUR_KEY", "curl 'http://127.0.0.1:8080/orders/1' -H 'apikey: YOUR_KEY'"},
		{"DELETE", "DELETE", "http://h/orders/1", "apikey: YOUR_KEY", "curl -X 'DELETE' 'http://h/orders/1' -H 'apikey: YOUR_KEY'"},
		{"chat", "POST", "http://h/v1/chat/completions", "Authorization: Bearer YOUR_KEY", `-H 'Authorization: Bearer YOUR_KEY' -H 'Content-Type: application/json' -d '{"model":"sandbox/echo",`},
		{"brackets, which curl would spread", "GET", "http://h/o[1-3]{a,b}", "apikey: YOUR_KEY", `curl -g 'http://h/o[1-3]{a,b}' -H`},
		{"a quote in the path", "GET", "http://h/o'r$(x)\x1b", "apikey: YOUR_KEY", `curl 'http://h/o'\''r$(x)' -H`},
	}
	for _, test := range tests {
		in := room(fault.KeyMissing)
		in.Method, in.URL, in.KeyHeader = test.method, test.url, test.header
		if f := Judge(in); !strings.Contains(f.CallerAdvice[0], test.want) {
			t.Errorf("%s: %s", test.name, f.CallerAdvice[0])
		}
	}
	if f := Judge(room(fault.KeyMissing)); f.CallerAdvice != nil {
		t.Errorf("a curl out of nothing: %q", f.CallerAdvice)
	}
}

func TestAdviceNamesTheSetting(t *testing.T) {
	in := post(limited(journey.PhaseWait, "first_byte", 2*time.Second))
	if f := Judge(in); !strings.HasPrefix(f.Advice[0], "services.orders.upstream.timeouts.first_byte is 2s now") {
		t.Errorf("service: %q", f.Advice[0])
	}
	in.LLM, in.Provider = true, "openai"
	if f := Judge(in); !strings.HasPrefix(f.Advice[0], "providers.openai.timeouts.first_byte is 2s now") {
		t.Errorf("provider: %q", f.Advice[0])
	}
}

func TestRoundNumbersArePointedOut(t *testing.T) {
	quick := Judge(post(attempt(func(*journey.Attempt) {})))
	slow := Judge(post(attempt(func(a *journey.Attempt) { a.Silence = 60010 * time.Millisecond })))
	if strings.Contains(strings.Join(quick.Advice, " "), "somebody's timeout") || !strings.Contains(slow.Advice[0], "It broke after 1 min of silence") {
		t.Errorf("quick: %q\nslow: %q", quick.Advice, slow.Advice)
	}
	if f := Judge(post(inBody(journey.EndEOF, 65536, 100000))); !strings.Contains(f.Advice[0], "at exactly 65536 bytes") {
		t.Errorf("size: %q", f.Advice[0])
	}
}

func TestResetAfterLongSilenceIsTheNetworks(t *testing.T) {
	a := inBody(journey.EndReset, 10, 100)
	if f := Judge(post(a)); f.Cause != fault.Software {
		t.Errorf("at once: %s", f.Cause)
	}
	a.Silence = forgotten
	if f := Judge(post(a)); f.Cause != fault.Network {
		t.Errorf("after silence: %s", f.Cause)
	}
}

func TestSubject(t *testing.T) {
	in := post(dialFailed(syscall.ECONNREFUSED))
	in.Service, in.Provider, in.Model = "", "openai", "fast"
	f := Judge(in)
	if !strings.HasPrefix(f.Detail, "openai: ") || !strings.HasPrefix(f.SafeDetail, "fast: ") {
		t.Errorf("%q %q", f.Detail, f.SafeDetail)
	}
	in.Provider, in.Model = "", ""
	if f := Judge(in); !strings.HasPrefix(f.SafeDetail, "The upstream refused") {
		t.Errorf("%q", f.SafeDetail)
	}
}

func TestCleanTarget(t *testing.T) {
	tests := []struct{ in, clean, authority, host string }{
		{"http://127.0.0.1:9001", "http://127.0.0.1:9001", "127.0.0.1:9001", "127.0.0.1"},
		{"https://u:p@api.example.com/v1?key=x", "https://api.example.com/v1", "api.example.com", "api.example.com"},
		{"http://[fd00::1]:80/", "http://[fd00::1]:80/", "[fd00::1]:80", "fd00::1"},
		{"http://[fd00::1]", "http://[fd00::1]", "[fd00::1]", "fd00::1"},
		{"unix:/run/a.sock", "unix:/run/a.sock", "unix:/run/a.sock", "unix"},
		{"", "", "", ""},
	}
	for _, test := range tests {
		if c, a, h := cleanTarget(test.in), authority(test.in), hostOf(test.in); c != test.clean || a != test.authority || h != test.host {
			t.Errorf("%q: %q %q %q", test.in, c, a, h)
		}
	}
}

func TestLimit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		2 * time.Second: "2s", time.Minute: "1m", 90 * time.Minute: "1h30m", time.Hour: "1h", 500 * time.Millisecond: "500ms", 90 * time.Second: "1m30s",
	} {
		if got := limit(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestExplainCarriesTheWholeJourney(t *testing.T) {
	j := &journey.Journey{ID: journey.NewID(callTime), Start: callTime, Method: "GET", Path: "/orders/1", Service: "orders", Application: "web", Status: 502, Total: 20 * time.Millisecond}
	a := inBody(journey.EndEOF, 10, 100)
	a.Total = 30 * time.Millisecond
	j.Attempts = []journey.Attempt{a}
	j.Note(400*time.Microsecond, "choose", "1 of 2 targets")
	j.Finding = Judge(post(a))
	c := Explain(j)
	if c.ID != j.ID.String() || c.Service != "orders" || c.Finding != j.Finding || len(c.Notes) != 1 || c.Notes[0] != "0.4 ms choose: 1 of 2 targets" {
		t.Errorf("%+v", c)
	}
	at := c.Attempts[0]
	if at.Kind != fault.TruncatedBody || strings.Contains(at.Target, canarySecret) {
		t.Errorf("%+v", at)
	}
	var names []string
	var sum time.Duration
	for _, p := range at.Phases {
		names, sum = append(names, p.Name), sum+p.Took
	}
	if want := []string{"dns", "connect", "send", "wait", "read"}; !slices.Equal(names, want) || sum != at.Total {
		t.Errorf("phases %q add up to %v of %v", names, sum, at.Total)
	}
	if text := string(fault.Text(nil, c, false)); !strings.Contains(text, "truncated_body") || !strings.Contains(text, "got 10 of 100 body bytes, then FIN") {
		t.Error(text)
	}
}
