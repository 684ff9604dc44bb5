package doctor

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"causeway/internal/journey"
)

func keptCall(method, path string, body string) *journey.Journey {
	j := &journey.Journey{
		ID: journey.NewID(time.Now()), Method: method, Path: path, Host: "shop.example", Service: "it", Route: "/it/*", Status: 502,
		BytesIn: int64(len(body)), Total: 5 * time.Millisecond,
	}
	if body != "" {
		j.RequestBody = []byte(body)
	}
	return j
}

func TestReproduce(t *testing.T) {
	t.Parallel()
	const secret = "canary-of-the-configuration"
	seen := make(chan string, 10)
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- r.Method + " " + r.URL.Path + " " + r.Header.Get("X-Key") + " " + string(body)
		w.WriteHeader(http.StatusTeapot)
	})
	c := configOf(t, fmt.Sprintf("services:\n  it:\n    access: open\n    keep_bodies: true\n    routes: [{path: /it/*, strip_prefix: true}]\n    upstream: {targets: [{url: %q}], headers: {set: {X-Key: %s}}}\n", at, secret))
	again := func(o ReproOptions) (*Repro, error) {
		o.Options = Options{Config: c, Compile: compile}
		return Reproduce(t.Context(), o)
	}
	r, err := again(ReproOptions{Call: keptCall("PUT", "/it/a", "it's\n{}"), Unsafe: true, Only: "direct"})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != "PUT /a "+secret+" it's\n{}" || r.Direct.Status != http.StatusTeapot {
		t.Errorf("%q %+v", got, r.Direct)
	}
	if strings.Contains(r.Script, secret) || !strings.Contains(r.Script, `'it'\''s`) || !strings.Contains(r.Script, "${UPSTREAM_X_KEY:?") {
		t.Errorf("%s", r.Script)
	}
	// What can't be shown on a terminal stands in base64.
	r, err = again(ReproOptions{Call: keptCall("PUT", "/it/a", "\x1b[2J\x00"), Unsafe: true, Only: "direct"})
	if err != nil || strings.ContainsAny(r.Script, "\x1b\x00") || !strings.Contains(r.Script, "base64 -d") {
		t.Errorf("%v %q", err, r.Script)
	}
	<-seen

	cut, masked, none := keptCall("GET", "/it/a", "abc"), keptCall("GET", "/it/a", `{"k":"[masked]"}`), keptCall("GET", "/it/a", "")
	cut.BytesIn, none.BytesIn = 30000, 3
	model := keptCall("POST", "/v1/chat/completions", "")
	model.Model, model.Service, model.BytesIn = "fast", "", 9
	for name, row := range map[string]struct {
		o    ReproOptions
		says string
	}{
		"a cut body":      {ReproOptions{Call: cut}, "3 of 30000 bytes"},
		"a masked body":   {ReproOptions{Call: masked}, "masked"},
		"no body kept":    {ReproOptions{Call: none}, "keep_bodies"},
		"a model's call":  {ReproOptions{Call: model}, "llm.keep_bodies to failures"},
		"a foreign Host":  {ReproOptions{Call: keptCall("GET", "/it/a", ""), Headers: []string{"host: x"}}, "not the caller's to choose"},
		"a split header":  {ReproOptions{Call: keptCall("GET", "/it/a", ""), Headers: []string{"a: b\r\nc: d"}}, "not NAME: VALUE"},
		"a broken query":  {ReproOptions{Call: keptCall("GET", "/it/a", ""), Query: "a b"}, "character"},
		"an unknown name": {ReproOptions{Call: &journey.Journey{Service: "gone"}}, "no service"},
	} {
		if _, err := again(row.o); !errors.Is(err, ErrCannotLook) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var unsafe *UnsafeError
	if _, err := again(ReproOptions{Call: keptCall("DELETE", "/it/a", "")}); !errors.As(err, &unsafe) {
		t.Errorf("%v", err)
	}
	select {
	case got := <-seen:
		t.Errorf("it was sent all the same: %s", got)
	default:
	}
}

// What the caller sent beside the body is sent again as it is kept, and credentials are neither kept nor sent.
func TestReproduceSendsHeaderAndQuery(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 10)
	at := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	c := configOf(t, fmt.Sprintf("services:\n  it:\n    access: open\n    routes: [{path: /it/*}]\n    upstream: {targets: [{url: %q}], headers: {set: {X-Set: configured}, remove: [X-Gone]}}\n", at))
	j := keptCall("GET", "/it/a", "")
	j.Sent = &journey.Sent{
		HasQuery: true, Query: "page=2&key=[masked]&q=a%20b",
		Header: []byte("Accept: text/csv\r\nAuthorization: [masked]\r\nX-Set: callers\r\nX-Gone: 1\r\nX-Tenant: it's\r\nTraceparent: 00-1-2-01\r\nUser-Agent: curl/8\r\n"),
	}
	o := ReproOptions{Call: j, Options: Options{Config: c, Compile: compile, Gateway: at, Key: "application-key-1"}}
	r, err := Reproduce(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	direct, gateway := <-seen, <-seen
	for name, want := range map[string][2]string{
		"Accept": {"text/csv", "text/csv"}, "X-Tenant": {"it's", "it's"}, "User-Agent": {"curl/8", "curl/8"}, "Authorization": {"", ""}, "Traceparent": {"", ""},
		"X-Set": {"configured", "callers"}, "X-Gone": {"", "1"}, "Apikey": {"", "application-key-1"},
	} {
		if d, g := strings.Join(direct.Header.Values(name), "|"), strings.Join(gateway.Header.Values(name), "|"); d != want[0] || g != want[1] {
			t.Errorf("%s: directly %q, through the gateway %q, want %q", name, d, g, want)
		}
	}
	if direct.URL.RawQuery != "page=2&q=a%20b" || gateway.URL.RawQuery != direct.URL.RawQuery {
		t.Errorf("query %q and %q", direct.URL.RawQuery, gateway.URL.RawQuery)
	}
	notes := strings.Join(r.Notes, "\n")
	if !strings.Contains(notes, "Authorization, ?key") || strings.Contains(notes, "not kept with this call") {
		t.Error(notes)
	}
	for _, want := range []string{`-H 'X-Tenant: it'\''s'`, `?page=2&q=a%20b'`, "${UPSTREAM_X_SET:?"} {
		if !strings.Contains(r.Script, want) {
			t.Errorf("the script lacks %s:\n%s", want, r.Script)
		}
	}
	if strings.Contains(r.Script, "application-key-1") || strings.Contains(r.Script, "configured") {
		t.Error(r.Script)
	}
	o.Headers, o.Query, o.Only = []string{"X-Tenant: other"}, "x=1", "direct"
	if r, err = Reproduce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if rq := <-seen; strings.Join(rq.Header.Values("X-Tenant"), "|") != "other" || rq.URL.RawQuery != "x=1" || strings.Contains(r.Script, "other") || strings.Contains(r.Script, "x=1") {
		t.Errorf("%v %s\n%s", rq.Header, rq.URL.RawQuery, r.Script)
	}
}

// A call to a model goes to its provider with the configured key, which stands nowhere else.
func TestReproduceAModelsCall(t *testing.T) {
	t.Parallel()
	const key, body = "sk-canary-0123456789abcdef", `{"model":"fast","messages":[{"role":"user","content":"hi"}]}`
	seen := make(chan string, 10)
	at := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen <- r.URL.Path + " " + r.Header.Get("Authorization") + " " + string(b)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"message":"You exceeded your current quota, `+key+`","type":"insufficient_quota","code":"insufficient_quota"}}`)
	})
	c := configOf(t, fmt.Sprintf("providers:\n  it: {kind: openai-compatible, base_url: %q, keys: [%s]}\nmodels:\n  fast: {targets: [{model: it/gpt-test}]}\n", at+"/v1", key))
	j := &journey.Journey{
		ID: journey.NewID(time.Now()), Method: "POST", Path: "/v1/chat/completions", Model: "fast", Provider: "it", TargetModel: "gpt-test", Dialect: "openai",
		Status: 429, RequestBody: []byte(body), BytesIn: int64(len(body)), Sent: &journey.Sent{Header: []byte("Content-Type: application/json\r\nAuthorization: [masked]\r\n")},
	}
	o := ReproOptions{Call: j, Options: Options{Config: c, Compile: compile, Gateway: at, Key: "application-key-1"}, Unsafe: true}
	r, err := Reproduce(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := <-seen, "/v1/chat/completions Bearer "+key+" "+strings.Replace(body, "fast", "gpt-test", 1); got != want {
		t.Errorf("directly %q, want %q", got, want)
	}
	if got, want := <-seen, "/v1/chat/completions Bearer application-key-1 "+body; got != want {
		t.Errorf("through the gateway %q, want %q", got, want)
	}
	if r.Direct.Status != 429 || r.Direct.Kind != "quota_exhausted" || r.Model != "fast" || !strings.Contains(r.Meaning, "fails both ways") {
		t.Errorf("%+v %+v", r, r.Direct)
	}
	if !strings.Contains(r.Script, `-H "Authorization: Bearer ${IT_API_KEY:?the key of it}"`) || !strings.Contains(r.Script, "gpt-test") {
		t.Error(r.Script)
	}
	if strings.Contains(r.Script+r.Direct.Body+r.Direct.Detail+strings.Join(r.Notes, " "), key) {
		t.Errorf("the key is shown: %+v\n%s", r.Direct, r.Script)
	}
	if _, err := Reproduce(t.Context(), ReproOptions{Call: j, Options: o.Options}); err == nil || !strings.Contains(err.Error(), "billed") {
		t.Errorf("a call that costs is sent unasked: %v", err)
	}
	if len(seen) != 0 {
		t.Error("it was sent all the same")
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string, header ...string) *ReproAnswer {
		a := &ReproAnswer{Status: status, body: []byte(body), header: http.Header{}}
		for i := 0; i+1 < len(header); i += 2 {
			a.header.Set(header[i], header[i+1])
		}
		return a
	}
	for _, c := range []struct {
		name string
		d, g *ReproAnswer
		want string
	}{
		{"the same", answer(200, `{"a":1}`, "Date", "x"), answer(200, `{"a":1}`, "Date", "y"), ""},
		{"JSON in another order", answer(200, `{"a":1,"b":2}`), answer(200, `{"b":2, "a":1}`), ""},
		{"a member", answer(200, `{"a":{"b/c":1}}`), answer(200, `{"a":{"b/c":"1"}}`), `body /a/b~1c: directly 1, through the gateway "1"`},
		{"a large number", answer(200, `[9007199254740993]`), answer(200, `[9007199254740992]`), `body /0: directly 9007199254740993, through the gateway 9007199254740992`},
		{"a missing member", answer(200, `{"a":1}`), answer(200, `{}`), `body /a: directly only`},
		{"a list's length", answer(200, `[1,2]`), answer(200, `[1]`), `body /: directly 2 elements, through the gateway 1`},
		{"text", answer(200, "hello"), answer(200, "help"), "body: directly 5 bytes, through the gateway 4; they part at byte 3"},
		{"the status and a field", answer(200, "x", "X-A", "1"), answer(503, "x", "X-A", "2", "Set-Cookie", "s=1"), "status: directly 200, through the gateway 503\nheader Set-Cookie: through the gateway only, a cookie\nheader X-A: directly \"1\", through the gateway \"2\""},
		{"no answer", &ReproAnswer{Kind: "connection_refused"}, answer(502, ""), "status: directly none (connection_refused), through the gateway 502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(differences(c.d, c.g), "\n"); got != c.want {
				t.Errorf("%s", got)
			}
		})
	}
}
