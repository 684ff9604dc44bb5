package fault

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// example is the finding of contract section 6.
func example() *Finding {
	return &Finding{
		Kind: ConnectionRefused, Cause: Software, Status: 502,
		Detail:     "orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there.",
		SafeDetail: "orders: the upstream refused the TCP connection after 0.2 ms; nothing listens there.",
		Retry:      Safe, RetryAfterMS: 500,
		Evidence:   []string{"TCP connect to 127.0.0.1:9001: ECONNREFUSED after 0.2 ms", "last good answer from this target: 41 s ago"},
		RuledOut:   []string{"a dropped packet"},
		Attempts:   []Attempt{{Target: "http://127.0.0.1:9001", Kind: ConnectionRefused, MS: 0.2}},
		Advice:     []string{"Check that the service runs on 127.0.0.1:9001 ..."},
		Confidence: "likely",
	}
}

func TestProblemIsTheContractsExample(t *testing.T) {
	got := string(Problem(nil, example(), View{CallID: "01J", Full: true}))
	want := `{"type":"/.causeway/failures/connection_refused","title":"The upstream refused the connection","status":502,` +
		`"detail":"orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there.",` +
		`"kind":"connection_refused","cause":"software","call_id":"01J","retry":"safe","retryable":true,"retry_after_ms":500,` +
		`"evidence":["TCP connect to 127.0.0.1:9001: ECONNREFUSED after 0.2 ms","last good answer from this target: 41 s ago"],` +
		`"attempts":[{"target":"http://127.0.0.1:9001","kind":"connection_refused","ms":0.2}],` +
		`"advice":["Check that the service runs on 127.0.0.1:9001 ..."],"help":"/.causeway/calls/01J","confidence":"likely","ruled_out":["a dropped packet"]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSafeProblemHasOnlyWhatAStrangerMayKnow(t *testing.T) {
	got := Problem(nil, example(), View{CallID: "01J", PublicURL: "https://api.example.com"})
	var m map[string]any
	if err := json.Unmarshal(got, &m); err != nil {
		t.Fatal(err)
	}
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	want := []string{"advice", "call_id", "cause", "detail", "help", "kind", "retry", "retry_after_ms", "retryable", "status", "title", "type"}
	if !slices.Equal(names, want) {
		t.Errorf("members %q", names)
	}
	if strings.Contains(string(got), "127.0.0.1") || strings.Contains(string(got), "9001") {
		t.Errorf("an address is told: %s", got)
	}
	if m["type"] != "https://api.example.com/.causeway/failures/connection_refused" || m["help"] != "https://api.example.com/.causeway/calls/01J" {
		t.Errorf("links are not absolute: %v %v", m["type"], m["help"])
	}
}

func TestDetailWithoutSafeTextIsTheTitle(t *testing.T) {
	f := &Finding{Kind: NoTarget, Cause: Configuration, Status: 500, Detail: "10.1.2.3 is gone", Retry: No}
	got := string(Problem(nil, f, View{}))
	if !strings.Contains(got, `"detail":"The service has no target."`) || strings.Contains(got, "10.1.2.3") {
		t.Error(got)
	}
	if !strings.Contains(got, `"retryable":false`) || strings.Contains(got, "retry_after_ms") || strings.Contains(got, "call_id") {
		t.Error(got)
	}
}

func TestAdviceOfTheCallersOwnFailuresIsInBothViews(t *testing.T) {
	f := &Finding{Kind: KeyMissing, Cause: Caller, Status: 401, Retry: No, CallerAdvice: []string{"curl -H 'apikey: YOUR_KEY'"}}
	for _, full := range []bool{false, true} {
		var m struct{ Advice []string }
		if err := json.Unmarshal(Problem(nil, f, View{Full: full}), &m); err != nil {
			t.Fatal(err)
		}
		if m.Advice[0] != f.CallerAdvice[0] {
			t.Errorf("full %v: %q", full, m.Advice)
		}
	}
}

func TestKindOfAnotherVersionIsStillTold(t *testing.T) {
	f := &Finding{Kind: "a_kind_of_tomorrow", Cause: Network, Status: 502, Detail: "d", Retry: MayRepeat}
	for _, full := range []bool{false, true} {
		if got := string(Problem(nil, f, View{Full: full})); !strings.Contains(got, `"kind":"a_kind_of_tomorrow"`) || !json.Valid([]byte(got)) {
			t.Error(got)
		}
		HTML(nil, f, View{Full: full})
	}
}

var hostile = []string{
	"", "plain", `"quoted" \ back`, "line\nfeed\r\ttab", "\x00\x01\x1f\x7f", "<script>alert(1)</script>", "</style><b>", "bad \xff\xfe utf8", "\xc3", "é 漢字 😀",
	"sep\u2028and\u2029", "\ufffd itself", "{{.}}", "\x1b[31mred", "`tick`", "'single'",
}

func TestAppendStringIsJSON(t *testing.T) {
	for _, s := range hostile {
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); got != want && utf8.ValidString(s) {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		// encoding/json replaces invalid bytes as we do: one U+FFFD for each.
		ref, _ := json.Marshal(s)
		var want string
		if err := json.Unmarshal(ref, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q became %q, want %q", s, got, want)
		}
	})
}

func TestHostileTextsInEveryRendering(t *testing.T) {
	for _, s := range hostile {
		f := example()
		f.Detail, f.SafeDetail, f.Evidence, f.Advice, f.RuledOut = s, s, []string{s}, []string{s}, []string{s}
		f.Attempts[0].Target = s
		for _, full := range []bool{false, true} {
			v := View{CallID: "01J", Full: full}
			if b := Problem(nil, f, v); !json.Valid(b) || !utf8.Valid(b) {
				t.Errorf("%q: not JSON: %s", s, b)
			}
			if p := ProxyStatus(f, v); !wellFormedStatus(p) {
				t.Errorf("%q: not a structured field: %s", s, p)
			}
			if h := string(HTML(nil, f, v)); strings.Contains(h, "<script") || strings.Contains(h, "</style><b>") {
				t.Errorf("%q: unescaped in HTML", s)
			}
		}
		c := exampleCall()
		c.Path, c.Finding = s, f
		if h := string(CallPage(nil, c, View{Full: true})); strings.Contains(h, "<script") {
			t.Errorf("%q: unescaped in the call's page", s)
		}
		if !json.Valid(AppendCall(nil, c, View{Full: true})) {
			t.Errorf("%q: the call is not JSON", s)
		}
		if text := string(Text(nil, c, false)); strings.ContainsAny(text, "\x00\x1b\x7f\r\t") {
			t.Errorf("%q: a control character in the text", s)
		}
	}
}

// wellFormedStatus checks a Proxy-Status value against the grammar of RFC 8941.
func wellFormedStatus(s string) bool {
	const value = `("([\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|-?[0-9]{1,15}|[A-Za-z*][!#$%&'*+.^_|~:/A-Za-z0-9` + "`" + `-]*)`
	return regexp.MustCompile(`^causeway(; [a-z*][a-z0-9_.*-]*=` + value + `)*$`).MatchString(s)
}

func TestProxyStatus(t *testing.T) {
	f := example()
	tests := []struct {
		name   string
		change func(f *Finding)
		full   bool
		want   string
	}{
		{"full", func(*Finding) {}, true, `causeway; error=connection_refused; details="orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there."`},
		{"safe", func(*Finding) {}, false, `causeway; error=connection_refused; details="orders: the upstream refused the TCP connection after 0.2 ms; nothing listens there."`},
		{"quotes and other alphabets", func(f *Finding) { f.Detail = `a "b" \ é` }, true, `causeway; error=connection_refused; details="a \"b\" \\ ?"`},
		{"received", func(f *Finding) { f.Kind, f.ReceivedStatus, f.Detail = TruncatedBody, 200, "cut" }, true, `causeway; error=http_response_incomplete; received-status=200; details="cut"`},
		{"parameters", func(f *Finding) {
			f.Kind, f.Detail = TLSAlert, "x"
			f.ProxyParams = []Param{{Name: "alert-id", Int: 80, IsInt: true}, {Name: "alert-message", Str: "internal_error", Token: true}, {Name: "rcode", Str: `N"X`}}
		}, true, `causeway; error=tls_alert_received; alert-id=80; alert-message=internal_error; rcode="N\"X"; details="x"`},
		{"parameters that the grammar forbids", func(f *Finding) {
			f.Detail = "x"
			f.ProxyParams = []Param{{Name: "Bad Name", Str: "a"}, {Name: "coding", Str: "two words", Token: true}, {Name: "", Str: "a"}}
		}, true, `causeway; error=connection_refused; details="x"`},
		{"status code of a 4xx", func(f *Finding) { f.Kind, f.Status, f.Detail = RouteNotFound, 404, "x" }, true, `causeway; error=http_request_error; status-code=404; details="x"`},
		{"an upstream's own answer", func(f *Finding) { f.Kind, f.Status, f.ReceivedStatus, f.Detail = UpstreamError, 500, 500, "x" }, true, `causeway; received-status=500; details="x"`},
	}
	for _, test := range tests {
		c := *f
		test.change(&c)
		if got := ProxyStatus(&c, View{Full: test.full}); got != test.want || !wellFormedStatus(got) {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
	f.Detail = strings.Repeat("long ", 1000)
	if got := ProxyStatus(f, View{Full: true}); len(got) > 500 || !wellFormedStatus(got) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestReason(t *testing.T) {
	for _, test := range []struct {
		kind   Kind
		status int
		want   string
	}{
		{ConnectionRefused, 502, "Bad Gateway (connection_refused)"},
		{FirstByteTimeout, 504, "Gateway Timeout (first_byte_timeout)"},
		{BodyTooLarge, 413, "Content Too Large (body_too_large)"},
		{CallerGone, 499, "Client Closed Request (caller_gone)"},
		{UpstreamBadGateway, 520, "Server Error (upstream_bad_gateway)"},
		{GatewayKilled, 0, "No Answer (gateway_killed)"},
		{TruncatedStream, 200, "OK (truncated_stream)"},
	} {
		if got := Reason(&Finding{Kind: test.kind, Status: test.status}); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	for i := range All() {
		e := &All()[i]
		got := Reason(&Finding{Kind: e.Kind, Status: e.Status})
		if strings.Contains(got, "Error (") && e.Status != 500 || strings.HasPrefix(got, "Client Error") {
			t.Errorf("%s: status %d has no phrase of its own", e.Kind, e.Status)
		}
	}
}

func TestPrefersHTML(t *testing.T) {
	tests := []struct {
		accept string
		want   bool
	}{
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},                                                                         // Firefox
		{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", true}, // Chrome
		{"text/html", true},
		{"TEXT/HTML; charset=utf-8", true},
		{"text/*", true},
		{"text/html, */*; q=0.01", true},
		{"text/html;q=0.9, application/json;q=0.8, */*;q=0.1", true},
		{"text/html, text/html;q=0.1", true},
		{"*/*;q=0.8, text/html", true},
		{`text/plain;x="a,text/html", text/html`, true},
		{"", false},
		{"*/*", false},
		{"application/json", false},
		{"application/problem+json", false},
		{"text/html, */*", false},
		{"text/html, application/json", false},
		{"text/html;q=0.5, application/problem+json;q=0.6", false},
		{"text/html;q=0.9, application/*", false},
		{"text/html;q=0", false},
		{"text/html;q=0, text/*", false},
		{"text/html;q=2", false},
		{"text/html;q=abc", false},
		{"text/html;level=1", false},
		{"text/htmlx", false},
		{"text/event-stream", false},
		{`text/plain;x="a,text/html"`, false},
		{";;;,,,=", false},
	}
	for _, test := range tests {
		if got := PrefersHTML(test.accept); got != test.want {
			t.Errorf("%q: %v", test.accept, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { PrefersHTML(tests[0].accept) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPrefersHTML(f *testing.F) {
	f.Add("text/html,*/*;q=0.8")
	f.Add(`a/b;c="\",";q=1.000`)
	f.Fuzz(func(t *testing.T, accept string) {
		// Whatever else is asked for: JSON first, then never a page.
		if PrefersHTML("application/json, " + accept) {
			q := regexp.MustCompile(`(?i)json|application/\*`)
			if !q.MatchString(accept) {
				t.Errorf("a page for %q", accept)
			}
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "0 ms", 0: "0 ms", 50: "0.01 ms", 40 * time.Microsecond: "0.04 ms", 200 * time.Microsecond: "0.2 ms", 999 * time.Microsecond: "1.0 ms",
		time.Millisecond: "1.0 ms", 1260 * time.Microsecond: "1.3 ms", 12 * time.Millisecond: "12 ms", 999400 * time.Microsecond: "999 ms",
		999600 * time.Microsecond: "1.0 s", 2 * time.Second: "2.0 s", 59940 * time.Millisecond: "59.9 s", 59960 * time.Millisecond: "1 min",
		time.Minute: "1 min", 192 * time.Second: "3 min 12 s", 3599600 * time.Millisecond: "1 h", time.Hour: "1 h", 125 * time.Minute: "2 h 5 min",
		23*time.Hour + 59*time.Minute + 40*time.Second: "1 d", 99 * time.Hour: "4 d 3 h",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
