package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// passedOn is a call whose upstream's own answer went to the caller.
func passedOn(method string, a *Answer, wait time.Duration) Input {
	in := get(attempt(func(t *journey.Attempt) {
		t.Status, t.Phase, t.End, t.FirstByte = a.Status, journey.PhaseDone, journey.EndComplete, wait
	}))
	in.Method, in.Idempotent = method, method == "GET"
	in.Answer, in.Passed, in.Kind = a, true, Passed(a.Status, a.Header)
	in.Past = &journey.Past{Watched: time.Hour, Good: true, GoodAgo: time.Second, Streak: 1, RunAgo: time.Millisecond}
	return in
}

func fields(list ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(list); i += 2 {
			if list[i] == name {
				return list[i+1]
			}
		}
		return ""
	}
}

// What a 5xx commonly means is not said more surely than the answer shows.
func TestAnUpstreamsOwnAnswerIsNotOverstated(t *testing.T) {
	nginx504 := "<html><body><center><h1>504 Gateway Time-out</h1></center><hr><center>nginx</center>"
	for _, c := range []struct {
		name       string
		status     int
		header     func(string) string
		body       string
		wait       time.Duration
		cause      fault.Cause
		confidence string
		tells      string
	}{
		{"503 that says when to come again", 503, fields("retry-after", "7"), "busy", 1, fault.Overload, "likely", "retry-after"},
		{"503 and no more", 503, fields(), "", 1, fault.Overload, "possible", ""},
		{"503 of a balancer with nobody behind it", 503, fields(), "<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.", 1, fault.Software, "possible", "HAProxy"},
		{"503 of a full circuit breaker", 503, fields("server", "envoy"), "upstream connect error or disconnect/reset before headers. reset reason: overflow", 1, fault.Overload, "likely", "circuit_breakers"},
		{"500 of an application", 500, fields(), `{"trace":"java.lang.NullPointerException: secret"}`, 1, fault.Software, "high", "(java.lang.NullPointerException)"},
		{"500 of nginx itself", 500, fields("server", "nginx"), "<center><h1>500 Internal Server Error</h1></center><hr><center>nginx</center>", 1, fault.Configuration, "likely", "failed itself"},
		{"507", 507, fields(), "", 1, fault.Software, "possible", ""},
		{"504 of a proxy that waited", 504, fields("server", "nginx"), nginx504, time.Minute, fault.Overload, "likely", "its limit on the server behind it passed, not one of ours (proxy_read_timeout (60 s))"},
		{"504 of a proxy that did not wait", 504, fields("server", "nginx"), nginx504, time.Millisecond, fault.Overload, "possible", "nothing was waited for so long"},
		{"429 of Cloudflare", 429, fields("cf-ray", "8c1f-FRA", "server", "cloudflare"), "error code: 1015", 1, fault.Overload, "likely", "Cloudflare"},
		{"429 of an application behind Cloudflare", 429, fields("cf-ray", "8c1f-FRA", "server", "cloudflare"), `{"error":"slow down"}`, 1, fault.Overload, "high", ""},
	} {
		f := Judge(passedOn("GET", &Answer{Status: c.status, Header: c.header, Body: []byte(c.body)}, c.wait))
		all := strings.Join(append(f.Evidence, f.Detail, f.Because), "\n")
		if f.Cause != c.cause || f.Confidence != c.confidence || !strings.Contains(all, c.tells) || strings.Contains(all, "secret") {
			t.Errorf("%s: %s (%s), want %s (%s) and %q in\n%s", c.name, f.Cause, f.Confidence, c.cause, c.confidence, c.tells, all)
		}
	}
}

func TestNamesOfExceptions(t *testing.T) {
	for body, want := range map[string]string{
		"Traceback (most recent call last):\n  File \"/app/x.py\", line 1\nKeyError: 'total'": "KeyError",
		"psycopg2.OperationalError: connection to db failed":                                  "psycopg2.OperationalError",
		"<h1>Internal Server Error</h1>":                                                      "",
		"an error, an Exception":                                                              "",
		"System.InvalidOperationException: Sequence contains no elements":                     "System.InvalidOperationException",
		"...Error" + strings.Repeat("x", 5000) + "Exception":                                  "",
		"": "",
	} {
		if got := exception([]byte(body)); got != want {
			t.Errorf("%.40q: got %q, want %q", body, got, want)
		}
	}
}

func TestWhatStandsBeforeAnAnswerIsNoOtherProtocol(t *testing.T) {
	for first, want := range map[string]fault.Kind{
		"starting worker...\nHTTP/1.1 200 OK\r\n":      fault.MalformedResponse,
		"http/1.1 200 OK\r\n":                          fault.MalformedResponse,
		"200 OK\r\nContent-Length: 0\r\n":              fault.MalformedResponse,
		"200 news.example.com InterNetNews ready\r\n":  fault.NotHTTP,
		"SSH-2.0-OpenSSH_9.2\r\n":                      fault.NotHTTP,
		"220 mail ESMTP\r\nHTTP/1.1 is not spoken\r\n": fault.NotHTTP,
		"<?xml version='1.0'?><stream:stream>":         fault.NotHTTP,
	} {
		f := Judge(get(notHTTP(journey.FaultNotHTTP, first)))
		if f.Kind != want || want == fault.MalformedResponse && !strings.Contains(f.Detail, "first line of its answer") {
			t.Errorf("%q: %s, %q", first, f.Kind, f.Detail)
		}
	}
}

// Whose call changes nothing when it is repeated is not told to check first.
func TestCallersOfSafeCallsAreNotTroubled(t *testing.T) {
	for method, careful := range map[string]bool{"GET": false, "POST": true} {
		f := Judge(passedOn(method, &Answer{Status: 502, Header: fields()}, 1))
		list := f.CallerAdvice
		if len(list) == 0 {
			list = fault.Lookup(f.Kind).CallerAdvice
		}
		if slices.Contains(list, fault.RepeatCareful) != careful || len(list) == 0 {
			t.Errorf("%s: %q", method, list)
		}
	}
}
