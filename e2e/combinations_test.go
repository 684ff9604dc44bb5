package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/faulty"
)

// Two faults at a time: testdata/combinations.tsv says what must be said of each, and this file provokes them.

// combination is one row of the table.
type combination struct {
	statuses, kinds, causes, proxies, retries []string
	attempts                                  [][]string // nil: any
	tells                                     []string
}

func combinationTable(t *testing.T) map[string]combination {
	t.Helper()
	b, err := os.ReadFile("testdata/combinations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]combination{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 9 {
			t.Fatalf("testdata/combinations.tsv: %q has %d fields", line, len(f))
		}
		either := func(s string) []string { return strings.Split(s, "|") }
		c := combination{statuses: either(f[2]), kinds: either(f[3]), causes: either(f[4]), proxies: either(f[5]), retries: either(f[6])}
		switch f[7] {
		case "*":
		case "-":
			c.attempts = [][]string{}
		default:
			for _, a := range strings.Fields(f[7]) {
				c.attempts = append(c.attempts, either(a))
			}
		}
		if f[8] != "" {
			c.tells = strings.Split(f[8], ";")
		}
		table[f[0]] = c
	}
	return table
}

// combinationLab is one gateway before all of them.
type combinationLab struct {
	*faultLab
	lab    *faulty.Lab
	config strings.Builder
	models strings.Builder
}

// peer starts a fault.
func (l *combinationLab) peer(t *testing.T, name string, p faulty.Params) *faulty.Upstream {
	t.Helper()
	up, err := l.lab.Start(name, p)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return up
}

// service adds one with those targets, tried in this order.
func (l *combinationLab) service(name, more string, urls ...string) {
	fmt.Fprintf(&l.config, "  %s:\n    access: open\n    routes: [{path: /%s/*}]\n    upstream: {targets: [", name, name)
	for _, url := range urls {
		fmt.Fprintf(&l.config, "{url: %q}, ", url)
	}
	fmt.Fprintf(&l.config, "], %s}\n", more)
}

// Only what is to hang meets a short limit, so that a busy machine meets no other.
const (
	patientLimits = "timeouts: {connect: 10s, send: 10s, first_byte: 10s, idle: 10s}"
	shortLimits   = "timeouts: {connect: 10s, send: 10s, first_byte: 400ms, idle: 400ms}"
)

// Each model's name is its row's, with a target and a fallback of providers of their own.
func (l *combinationLab) model(providers *strings.Builder, name string, ups ...*faulty.Upstream) {
	for i, up := range ups {
		limits := patientLimits
		if up.Name == "no_answer" {
			limits = shortLimits
		}
		fmt.Fprintf(providers, "  %s-%d: {kind: openai-compatible, base_url: %q, keys: [sk-e2e-upstream-0123456789], %s}\n", name, i, up.URL+"/v1", limits)
	}
	fmt.Fprintf(&l.models, "  %s: {targets: [{model: %s-0/m}], fallback: [%s-1/m], failover: {on_context: true}}\n", name, name, name)
}

func TestCombinations(t *testing.T) {
	t.Parallel()
	table := combinationTable(t)
	lab, err := faulty.New(faulty.Options{Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	l := &combinationLab{lab: lab}
	none := faulty.Params{}
	at := func(name string) string { return l.peer(t, name, none).URL }

	const again = "retries: {max: 1, backoff: 1ms, budget: 100%}, "
	const once, onceShort = again + patientLimits, again + shortLimits
	expired, nameless := l.peer(t, "tls_expired", none), l.peer(t, "dns_nxdomain", none)
	tlsAs := func(up *faulty.Upstream, name string) string {
		return fmt.Sprintf(", tls: {ca_file: %q, server_name: %q}", up.CAFile, name)
	}
	tlsOf := func(up *faulty.Upstream) string { return tlsAs(up, up.ServerName) }
	l.service("expired_then_hung", onceShort+tlsOf(expired), expired.URL, at("no_answer"))
	l.service("name_then_refused", once, nameless.URL, at("connection_refused"))
	l.service("busy_then_cut", once, busyThenCut(t).URL)
	l.service("caller_leaves_before_retry", "retries: {max: 1, backoff: 5s}, "+patientLimits, at("connection_refused"))
	l.service("stale_then_upload_reset", once, staleThenReset(t).URL)
	l.service("gzip_lie_wrong_length", once, gzipLieCut(t).URL)
	twice := breakerTrial(t)
	l.service("breaker_opened_by_two", "retries: {max: 0}, breaker: {failures: 50%, min_calls: 2, open_for: 1m}, "+patientLimits, resetThenCutHead(t).URL)
	l.service("breaker_trial_hangs", "retries: {max: 0}, breaker: {failures: 50%, min_calls: 2, open_for: 3s}, "+shortLimits, twice.URL)
	l.service("all_unhealthy", once+", health: {interval: 100ms, timeout: 100ms, unhealthy_after: 1}",
		at("connection_refused"), l.peer(t, "status_500", none).URL, at("no_answer"))
	l.service("refused_then_cut_head", once, at("connection_refused"), at("header_cut_fin"))
	l.service("reset_then_ssh", once, at("reset_before_response"), at("banner_ssh"))
	l.service("full_queue_then_refused", again+"timeouts: {connect: 300ms}", at("connect_timeout"), at("connection_refused"))
	strange, other := l.peer(t, "tls_unknown_authority", none), l.peer(t, "tls_name_mismatch", none)
	l.service("strange_ca_then_other_name", once+tlsOf(other), strange.URL, other.URL)
	l.service("h2_refused_then_stall", again+strings.Replace(patientLimits, "idle: 10s", "idle: 400ms", 1)+", protocol: h2c", at("h2_refused_stream"), at("h2_stall"))
	l.service("traceback_then_nginx", "retries: {max: 1, on: [500]}, "+patientLimits, tracebackThenNginx(t).URL)
	l.service("limited_before_dead", "retries: {max: 0}", at("connection_refused"))
	l.config.WriteString("    policies: {rate_limit: {requests: 1, per: 1h, by: service}}\n")
	l.service("expired_and_other_name", once+tlsAs(expired, "nobody.test"), expired.URL)
	l.service("upload_left_and_hung", "retries: {max: 0}, timeouts: {first_byte: 20s}", at("no_answer"))

	var providers strings.Builder
	l.model(&providers, "hung_then_html", l.peer(t, "no_answer", none), l.peer(t, "llm_html", none))
	l.model(&providers, "broke_then_too_long", l.peer(t, "llm_quota", none), l.peer(t, "llm_context_length", none))
	l.model(&providers, "overloaded_then_cut_stream", l.peer(t, "llm_overloaded", none), l.peer(t, "stream_cut_fin", none))
	l.model(&providers, "gone_then_blocked", l.peer(t, "llm_model_not_found", none), l.peer(t, "llm_region", none))
	fmt.Fprintf(&providers, "  keys: {kind: openai-compatible, base_url: %q, keys: [sk-e2e-limited-0123456789, {value: sk-e2e-dead-0123456789, priority: 2}], %s}\n", limitedAndDead(t).URL+"/v1", patientLimits)
	l.models.WriteString("  limited_key_then_dead_key: {targets: [{model: keys/m}]}\n")

	g := serve(t, fmt.Sprintf("version: 1\nserver: {resolver: %q}\nservices:\n%sproviders:\n%smodels:\n%sapplications:\n  e2e: {keys: [%s], subscribes: [models/*]}\n",
		nameless.Resolver, l.config.String(), providers.String(), l.models.String(), faultsKey), withArgs("--log", "json"))
	l.faultLab = &faultLab{gateway: g, client: client(t)}

	get := func(name string) func(*testing.T) *answer {
		return func(t *testing.T) *answer {
			l.turn()
			return fetch(t, l.client, "GET", l.URL+"/"+name+"/x", nil)
		}
	}
	ask := func(stream bool) func(name string) func(*testing.T) *answer {
		return func(name string) func(*testing.T) *answer {
			return func(t *testing.T) *answer {
				l.turn()
				body, _ := json.Marshal(map[string]any{"model": name, "stream": stream, "messages": []map[string]string{{"role": "user", "content": "hello"}}})
				return fetch(t, l.client, "POST", l.URL+"/v1/chat/completions", bytes.NewReader(body), "Authorization", "Bearer "+faultsKey)
			}
		}
	}
	for _, k := range []struct {
		name string
		call func(name string) func(*testing.T) *answer
		then string // the row of the next call
	}{
		{name: "expired_then_hung"},
		{name: "name_then_refused"},
		{name: "busy_then_cut"},
		{name: "limited_key_then_dead_key", call: ask(false)},
		{name: "hung_then_html", call: ask(false)},
		{name: "caller_leaves_before_retry", call: l.leave},
		{name: "stale_then_upload_reset", call: l.warmAndPut},
		{name: "gzip_lie_wrong_length"},
		{name: "breaker_opened_by_two", call: l.after(get, 2, 0)},
		{name: "breaker_trial_hangs", call: l.after(get, 2, 700*time.Millisecond), then: "breaker_again"},
		{name: "all_unhealthy", call: l.untilUnhealthy},
		{name: "refused_then_cut_head"},
		{name: "reset_then_ssh"},
		{name: "full_queue_then_refused"},
		{name: "strange_ca_then_other_name"},
		{name: "h2_refused_then_stall"},
		{name: "broke_then_too_long", call: ask(false)},
		{name: "overloaded_then_cut_stream", call: ask(true)},
		{name: "gone_then_blocked", call: ask(false)},
		{name: "traceback_then_nginx"},
		{name: "limited_before_dead", call: l.after(get, 1, 0)},
		{name: "expired_and_other_name"},
		{name: "upload_left_and_hung", call: l.leaveUpload},
	} {
		if k.call == nil {
			k.call = get
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			a := k.call(k.name)(t)
			if k.then != "" {
				next := get(k.name)(t)
				defer l.judge(t, k.then, table[k.then], next)
			}
			l.judge(t, k.name, table[k.name], a)
		})
	}
}

// judge holds what every place says of a call against its row: a is what the caller got, with the call's id alone where it
// left.
func (l *combinationLab) judge(t *testing.T, name string, c combination, a *answer) {
	t.Helper()
	if c.kinds == nil {
		t.Fatal("the table has no row for it")
	}
	rec := l.record(t, a.id)
	f := rec.Finding
	if f == nil {
		t.Fatalf("no finding; got %s %q, the record is %+v", a.line, clip(a.body), rec)
	}
	said, _ := json.Marshal(rec)
	want(t, "kind", f.Kind, c.kinds...)
	want(t, "status", fmt.Sprint(rec.Status), c.statuses...)
	if !strings.Contains(f.Detail, "gateway_cpu_starved") { // a busy machine may be what is behind a limit on time
		want(t, "cause", f.Cause, c.causes...)
	}
	want(t, "retry", f.Retry, c.retries...)
	if c.attempts != nil {
		var kinds []string
		for _, at := range rec.Attempts {
			kinds = append(kinds, at.Kind)
		}
		if len(kinds) != len(c.attempts) {
			t.Errorf("the attempts are %q, want %q", kinds, c.attempts)
		} else {
			for i, kind := range kinds {
				want(t, fmt.Sprintf("attempt %d", i+1), kind, c.attempts[i]...)
			}
		}
	}
	for _, text := range c.tells {
		contains(t, "what is said of it", string(said), text)
	}
	want(t, "advice is given", len(f.Advice) > 0, true)
	if t.Failed() || os.Getenv("COMB") != "" {
		t.Logf("the caller got %s %v %q; the record is %s", a.line, a.header, clip(a.body), said)
	}
	if a.header != nil { // the caller was there to be told
		want(t, "status of the answer", a.status, rec.Status)
		proxy, _, _ := strings.Cut(strings.TrimPrefix(a.header.Get("Proxy-Status"), "causeway; error="), ";")
		if f.Passed || rec.Cut || proxy == "" {
			proxy = "-"
		}
		if !rec.Cut {
			want(t, "Proxy-Status", proxy, c.proxies...)
		}
		l.toldAlike(t, a, rec)
	}
	l.sameEverywhere(t, a, rec)
	adminSays(t, l.gateway, a.id, rec)
}

// toldAlike holds the caller's body to the record.
func (l *combinationLab) toldAlike(t *testing.T, a *answer, rec callRecord) {
	t.Helper()
	f := rec.Finding
	if f.Passed {
		want(t, "Causeway-Finding", a.header.Get("Causeway-Finding"), f.Kind)
		return
	}
	var p problem
	switch kind := a.header.Get("Content-Type"); {
	case kind == "application/problem+json":
		p = a.problem(t)
	case rec.Cut && !strings.HasPrefix(kind, "text/event-stream"):
		if a.err == nil {
			t.Error("an answer that was cut looks whole")
		}
		return
	default:
		body := a.body
		if rec.Cut {
			lacks(t, "a stream that broke", string(body), "[DONE]")
			events := bytes.Split(bytes.TrimSpace(body), []byte("\n\n"))
			body = bytes.TrimPrefix(events[len(events)-1], []byte("data: "))
		}
		var e struct{ Error struct{ Causeway *problem } }
		decode(t, body, &e)
		if e.Error.Causeway == nil {
			t.Errorf("the error has no member causeway: %s", clip(a.body))
			return
		}
		p = *e.Error.Causeway
	}
	want(t, "the body's kind", p.Kind, f.Kind)
	want(t, "the body's cause", p.Cause, f.Cause)
	want(t, "the body's retry", p.Retry, f.Retry)
	want(t, "the body's detail", p.Detail, f.Detail)
	want(t, "the body's attempts", len(p.Attempts), len(rec.Attempts))
	for i := range min(len(p.Attempts), len(rec.Attempts)) {
		want(t, "an attempt in the body", p.Attempts[i].Kind, rec.Attempts[i].Kind)
	}
}

// adminSays holds the admin API's explanation, JSON and text, to the call's record.
func adminSays(t *testing.T, g *gateway, id string, rec callRecord) {
	t.Helper()
	status, body := g.get(t, "/api/v1/calls/"+id+"/explanation", "")
	want(t, "the explanation's status", status, http.StatusOK)
	var x struct {
		Finding *finding
		Text    string
	}
	decode(t, body, &x)
	if x.Finding == nil {
		t.Fatalf("the admin API's explanation has no finding: %s", clip(body))
	}
	f := rec.Finding
	want(t, "the admin API's kind", x.Finding.Kind, f.Kind)
	want(t, "the admin API's cause", x.Finding.Cause, f.Cause)
	want(t, "the admin API's retry", x.Finding.Retry, f.Retry)
	want(t, "the admin API's status", x.Finding.Status, f.Status)
	want(t, "the admin API's detail", x.Finding.Detail, f.Detail)
	if !slices.Equal(x.Finding.Advice, f.Advice) {
		t.Errorf("the admin API advises %q, the record %q", x.Finding.Advice, f.Advice)
	}
	contains(t, "the admin API's text", x.Text, "("+f.Kind+")", f.Detail)
}

// after makes n calls, waits, and then makes the one that counts.
func (l *combinationLab) after(get func(string) func(*testing.T) *answer, n int, wait time.Duration) func(string) func(*testing.T) *answer {
	return func(name string) func(*testing.T) *answer {
		return func(t *testing.T) *answer {
			for range n {
				get(name)(t)
			}
			if wait == 0 {
				return get(name)(t)
			}
			for deadline := time.Now().Add(patience); ; {
				if a := get(name)(t); a.problem(t).Kind != string(fault.BreakerOpen) || time.Now().After(deadline) {
					return a
				}
			}
		}
	}
}

// untilUnhealthy calls until no target is asked any more.
func (l *combinationLab) untilUnhealthy(name string) func(*testing.T) *answer {
	return func(t *testing.T) *answer {
		for deadline := time.Now().Add(patience); ; {
			l.turn()
			a := fetch(t, l.client, "GET", l.URL+"/"+name+"/x", nil)
			if a.header.Get("Causeway-Attempts") == "" || a.header.Get("Causeway-Attempts") == "0" || time.Now().After(deadline) {
				return a
			}
		}
	}
}

// leave closes the caller's connection while the gateway waits to try again.
func (l *combinationLab) leave(name string) func(*testing.T) *answer {
	return func(t *testing.T) *answer {
		l.turn()
		c := dial(t, l.Addr)
		c.send(t, "GET /%s/x HTTP/1.1\r\nHost: x\r\n\r\n", name)
		time.Sleep(700 * time.Millisecond) // the first attempt takes no longer; the pause is 2.5 s at least
		c.Close()
		return l.theOnly(t, name)
	}
}

func (l *combinationLab) leaveUpload(name string) func(*testing.T) *answer {
	return func(t *testing.T) *answer {
		l.turn()
		c := dial(t, l.Addr)
		c.send(t, "POST /%s/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf", name)
		time.Sleep(200 * time.Millisecond)
		c.Close()
		return l.theOnly(t, name)
	}
}

// theOnly waits for the one call of a service, whose caller has left.
func (l *combinationLab) theOnly(t *testing.T, service string) *answer {
	t.Helper()
	var found []callRecord
	eventually(t, "the call in the log", func() bool {
		found = l.calls(t, "service="+service)
		return len(found) > 0
	})
	return &answer{id: found[0].ID, status: found[0].Status}
}

// warmAndPut makes a call so that a connection is kept, and then the one that meets both faults.
func (l *combinationLab) warmAndPut(name string) func(*testing.T) *answer {
	return func(t *testing.T) *answer {
		want(t, "the first call", fetch(t, l.client, "GET", l.URL+"/"+name+"/x", nil).status, http.StatusOK)
		l.turn()
		return fetch(t, l.client, "PUT", l.URL+"/"+name+"/x", strings.NewReader(strings.Repeat("x", 40<<10)))
	}
}

func busyThenCut(t *testing.T) *rawServer {
	var n atomic.Int64
	return listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq == nil {
			return
		}
		if n.Add(1) == 1 {
			c.send("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
	})
}

func gzipLieCut(t *testing.T) *rawServer {
	return listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n{\"ok\":true}")
		}
	})
}

// staleThenReset answers one call, closes the connection on the next, and resets whatever comes on another.
func staleThenReset(t *testing.T) *rawServer {
	var n atomic.Int64
	return listenRaw(t, func(c *rawConn) {
		if n.Add(1) > 1 {
			_, _ = c.br.Peek(1)
			c.reset()
			return
		}
		if rq, _ := c.request(); rq != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			_, _ = c.request()
		}
	})
}

func resetThenCutHead(t *testing.T) *rawServer {
	var n atomic.Int64
	return listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq == nil {
			return
		}
		if n.Add(1) == 1 {
			c.reset()
			return
		}
		c.send("HTTP/1.1 200 OK\r\nContent-Ty")
	})
}

// breakerTrial resets two calls and answers no other.
func breakerTrial(t *testing.T) *rawServer {
	var n atomic.Int64
	return listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq == nil {
			return
		}
		if n.Add(1) <= 2 {
			c.reset()
			return
		}
		_, _ = io.Copy(io.Discard, c.br)
	})
}

func tracebackThenNginx(t *testing.T) *rawServer {
	var n atomic.Int64
	return listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq == nil {
			return
		}
		status, kind, body := "500 Internal Server Error", "text/plain", "Traceback (most recent call last):\n  File \"app.py\", line 3, in get\nKeyError: 'id'\n"
		if n.Add(1) > 1 {
			status, kind, body = "502 Bad Gateway", "text/html", "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
		}
		c.send(fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, kind, len(body), body))
	})
}

// limitedAndDead is a provider that limits one key and does not know the other.
func limitedAndDead(t *testing.T) *rawServer {
	return listenRaw(t, func(c *rawConn) {
		rq, _ := c.request()
		if rq == nil {
			return
		}
		status, more, body := "401 Unauthorized", "", `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`
		if strings.Contains(rq.Header.Get("Authorization"), "limited") {
			status, more = "429 Too Many Requests", "Retry-After: 30\r\n"
			body = `{"error":{"message":"Rate limit reached for requests","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
		}
		c.send(fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, more, len(body), body))
	})
}
