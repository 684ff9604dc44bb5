package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/faulty"
)

// Every fault of internal/faulty is met on a real socket by one gateway that has a service, or a
// provider, for each; what it says is held against testdata/faults.tsv, which was written from the
// failure table before the first run.

const faultsKey = "e2e-faults-key-0123456789"

// verdict is what a fault must be called.
type verdict struct{ kinds, statuses, causes, retries []string }

func verdicts(t *testing.T) map[string]verdict {
	t.Helper()
	b, err := os.ReadFile("testdata/faults.tsv")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]verdict{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 5 {
			t.Fatalf("testdata/faults.tsv: %q", line)
		}
		var v verdict
		for i, into := range []*[]string{&v.kinds, &v.statuses, &v.causes, &v.retries} {
			if f[i+1] != "-" {
				*into = strings.Split(f[i+1], "|")
			}
		}
		table[f[0]] = v
	}
	return table
}

// lab is a gateway before many faults.
type faultLab struct {
	*gateway
	client *http.Client
	peers  map[string]*faulty.Upstream
	pace   sync.Mutex
}

// turn lets one call begin each 80 ms: the gateway writes at most 20 lines a second about failed
// calls, and every line is looked at.
func (l *faultLab) turn() {
	l.pace.Lock()
	time.Sleep(80 * time.Millisecond)
	l.pace.Unlock()
}

func startFaults(t *testing.T, list []faulty.Fault, server string, how ...setting) *faultLab {
	t.Helper()
	lab, err := faulty.New(faulty.Options{Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	addr := freePort(t)
	l := &faultLab{peers: map[string]*faulty.Upstream{}, client: client(t)}
	var services, providers strings.Builder
	for _, f := range list {
		params := faulty.Params{Target: addr}
		if f.Needs.BodyLimit {
			params.Bytes = 1 << 20
		}
		up, err := lab.StartFault(f, params)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		l.peers[f.Name] = up
		limits := "{" + faultLimits(f) + "}"
		more := ""
		if up.Protocol != "" {
			more = "protocol: " + up.Protocol + ", "
		}
		more += fmt.Sprintf("timeouts: %s, retries: {max: 0}, tls: %s", limits, tlsSettings(up))
		if f.LLM {
			fmt.Fprintf(&providers, "  %s: {kind: openai-compatible, base_url: %q, keys: [sk-e2e-upstream-0123456789], %s}\n", f.Name, up.URL+"/v1", more)
		} else {
			fmt.Fprintf(&services, "  %s:\n    access: open\n    routes: [{path: /%s/*}]\n    upstream: {targets: [{url: %q}], %s}\n", f.Name, f.Name, up.URL, more)
		}
	}
	config := "version: 1\n" + server
	if services.Len() > 0 {
		config += "services:\n" + services.String()
	}
	if providers.Len() > 0 {
		config += "providers:\n" + providers.String() + "applications:\n  e2e: {keys: [" + faultsKey + "], subscribes: [models/*]}\n"
	}
	l.gateway = serve(t, config, append(how, listenOn(addr), withArgs("--log", "json"))...)
	return l
}

// faultLimits are the limits on time that a fault is met under: only the one that it is about is short, so that a busy
// machine meets no other.
func faultLimits(f faulty.Fault) string {
	connect, send, first, idle, total := "10s", "10s", "10s", "10s", ""
	switch f.Kind {
	case fault.ConnectTimeout, fault.TLSHandshakeTimeout, fault.HTTP2HandshakeTimeout:
		connect = "300ms"
	case fault.SendTimeout:
		send = "500ms"
	case fault.FirstByteTimeout:
		first, idle = "300ms", "300ms"
	case fault.IdleTimeout:
		idle = "300ms"
	case fault.TotalTimeout:
		total = ", total: 700ms"
	}
	if f.Row == "36" { // what comes before the silence need not be an answer's first byte
		first, idle = "300ms", "300ms"
	}
	return fmt.Sprintf("connect: %s, send: %s, first_byte: %s, idle: %s%s", connect, send, first, idle, total)
}

// tlsSettings are what meeting the fault needs under tls.
func tlsSettings(up *faulty.Upstream) string {
	text := fmt.Sprintf("{ca_file: %q, server_name: %q, cert_file: %q, key_file: %q, pins: [", up.CAFile, up.ServerName, up.ShowCertFile, up.ShowKeyFile)
	for _, pin := range up.Pins {
		text += fmt.Sprintf("%q", "sha256/"+base64.StdEncoding.EncodeToString(pin[:]))
	}
	return text + "]}"
}

func TestFaults(t *testing.T) {
	t.Parallel()
	table := verdicts(t)
	var list []faulty.Fault
	for _, f := range faulty.All() {
		switch {
		case f.Needs.Met() != nil:
			t.Logf("%s is left out: %v", f.Name, f.Needs.Met())
		case f.Needs.Resolver:
			t.Run(f.Name, func(t *testing.T) {
				t.Parallel()
				meetByName(t, f, table[f.Name])
			})
		default:
			list = append(list, f)
		}
	}
	l := startFaults(t, list, "")
	for _, f := range list {
		v, ok := table[f.Name]
		if f.Kind != "" && !ok {
			t.Errorf("testdata/faults.tsv has no row for %s (%s)", f.Name, f.Kind)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			l.meet(t, f, v)
		})
	}
}

// meetByName meets a fault of name resolution: its gateway asks the fault's own resolver.
func meetByName(t *testing.T, f faulty.Fault, v verdict) {
	lab, err := faulty.New(faulty.Options{Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	up, err := lab.StartFault(f, faulty.Params{})
	if err != nil {
		t.Fatal(err)
	}
	l := &faultLab{client: client(t), peers: map[string]*faulty.Upstream{f.Name: up}}
	connect := "20s" // only a resolver that is silent meets a short limit, so that a busy machine meets no other
	if f.Kind == fault.DNSTimeout {
		connect = "1s"
	}
	l.gateway = serve(t, fmt.Sprintf(`
version: 1
server: {resolver: %q}
services:
  %s:
    access: open
    routes: [{path: /%s/*}]
    upstream: {targets: [{url: %q}], timeouts: {connect: %s, first_byte: 20s}, retries: {max: 0}}
`, up.Resolver, f.Name, f.Name, up.URL, connect), withArgs("--log", "json"))
	l.meet(t, f, v)
	for _, c := range l.calls(t, "service="+f.Name) {
		if c.Finding == nil {
			continue
		}
		for _, line := range c.Finding.Evidence {
			if _, server, ok := strings.Cut(line, "asked of "); ok {
				contains(t, "the server that was asked", server, up.Resolver)
			}
		}
	}
}

// meet makes the call that shows the fault and judges what came of it.
func (l *faultLab) meet(t *testing.T, f faulty.Fault, v verdict) {
	a := l.call(t, f)
	if bytes.Contains(a.body, []byte("poisoned")) {
		t.Errorf("the answer holds bytes of another: %q", clip(a.body))
	}
	if f.NoReuse {
		if b := l.call(t, f); bytes.Contains(b.body, []byte("poisoned")) || b.status != a.status {
			t.Errorf("the next call got %s with %q, the first %s", b.line, clip(b.body), a.line)
		}
	}
	kind := fault.Kind(a.header.Get("Causeway-Finding"))
	rec := l.record(t, a.id)
	if kind == "" {
		kind = fault.Kind(rec.Kind)
	}
	allowed := append([]fault.Kind{f.Kind}, f.Also...)
	for _, k := range v.kinds {
		allowed = append(allowed, fault.Kind(k))
	}
	if !slices.Contains(allowed, kind) {
		t.Fatalf("kind %q, want one of %q (%s); got %s %q", kind, allowed, f.About, a.line, clip(a.body))
	}
	want(t, "the log's kind", rec.Kind, string(kind))
	want(t, "the log's status", rec.Status, a.status)
	switch {
	case kind == "":
		l.untouched(t, f, a)
		return
	case rec.Finding == nil:
		t.Fatalf("the log has the kind %s and no finding", rec.Kind)
	case f.Status != 0 && a.status == f.Status && rec.Finding.Passed:
		l.passedOn(t, f, a, kind)
	case f.LLM:
		l.toldToModel(t, a, kind, rec)
	case a.err != nil || a.status == http.StatusSwitchingProtocols:
		if a.status != http.StatusSwitchingProtocols {
			want(t, "the log's cut", rec.Cut, true)
		}
	default:
		want(t, "status", fmt.Sprint(a.status), v.statuses...)
		checkProblem(t, a, kind, "application/problem+json", a.problem(t))
	}
	if !strings.Contains(rec.Finding.Detail, "gateway_cpu_starved") { // a busy machine may be what is behind a limit on time
		want(t, "cause", rec.Finding.Cause, v.causes...)
	}
	want(t, "retry", rec.Finding.Retry, v.retries...)
	l.sameEverywhere(t, a, rec)
}

// checkProblem holds a failure that the gateway made to contract section 6.
func checkProblem(t *testing.T, a *answer, kind fault.Kind, contentType string, p problem) {
	t.Helper()
	e := fault.Lookup(kind)
	if e == nil {
		t.Fatalf("the kind %q is not in the catalogue", kind)
	}
	h := a.header
	want(t, "reason phrase", strings.HasSuffix(a.line, " ("+string(kind)+")") && !strings.HasPrefix(a.line[4:], "("), true)
	want(t, "Content-Type", h.Get("Content-Type"), contentType)
	want(t, "Cache-Control", h.Get("Cache-Control"), "no-store")
	contains(t, "Vary", h.Get("Vary"), "Accept")
	want(t, "call_id", p.CallID, a.id)
	want(t, "Causeway-Call-Id's length", len(a.id), 26)
	if e.Proxy != "" {
		status := h.Get("Proxy-Status")
		if !strings.HasPrefix(status, "causeway; error="+e.Proxy+";") {
			t.Errorf("Proxy-Status is %q, want error=%s", status, e.Proxy)
		}
		contains(t, "Proxy-Status", status, "; details=\"")
	}
	want(t, "kind", p.Kind, string(kind))
	want(t, "type", p.Type, "/.causeway/failures/"+string(kind))
	want(t, "title", p.Title, e.Title)
	want(t, "status in the body", p.Status, a.status)
	want(t, "help", p.Help, "/.causeway/calls/"+a.id)
	if p.Retryable == nil {
		t.Error("the body has no member retryable")
	} else {
		want(t, "retryable", *p.Retryable, p.Retry == "safe")
	}
	if len(p.Detail) < 20 || len(p.Advice) == 0 {
		t.Errorf("detail %q and advice %q are too thin", p.Detail, p.Advice)
	}
	if e.At == fault.AtUpstream || e.At == fault.AtUpstreamLink {
		if len(p.Evidence) == 0 || len(p.Attempts) == 0 {
			t.Errorf("no evidence or no attempts: %s", clip(a.body))
		} else if p.Attempts[0].Target == "" || p.Attempts[0].Kind == "" {
			t.Errorf("the first attempt is %+v", p.Attempts[0])
		}
		want(t, "Causeway-Attempts", h.Get("Causeway-Attempts"), fmt.Sprint(len(p.Attempts)))
	}
}

// untouched holds an answer without a failure to what the upstream sent.
func (l *faultLab) untouched(t *testing.T, f faulty.Fault, a *answer) {
	t.Helper()
	if a.err != nil {
		t.Errorf("a good answer is not whole: %v", a.err)
	}
	status, body := f.Status, f.Defaults.Body
	if status == 0 {
		status = http.StatusOK
	}
	if body == "" {
		body = map[int]string{200: "ok\n", 413: "too large\n"}[status]
	}
	switch f.Name {
	case "cl_repeated":
		body = "hello"
	case "gzip_lie":
		body = `{"ok":true}`
	case "head_with_body":
		body = ""
	case "refuse_expect":
		status, body = http.StatusOK, "ok\n"
	case "upgrade":
		body = ""
	}
	if f.Name == "gzip_cut" || f.Name == "gzip_lie" {
		want(t, "Content-Encoding", a.header.Get("Content-Encoding"), "gzip")
	}
	switch f.Name {
	case "body_too_large":
		if len(a.body) < 1<<20*99/100 || strings.Trim(string(a.body), "x") != "" {
			t.Errorf("got %d bytes of body", len(a.body))
		}
	case "gzip_cut":
		if !bytes.HasPrefix(a.body, []byte("\x1f\x8b")) || len(a.body) < 10 {
			t.Errorf("the compressed body was changed: %q", clip(a.body))
		}
	case "stream_no_done":
		if !bytes.Contains(a.body, []byte(`"finish_reason":"stop"`)) {
			t.Errorf("the stream has no finish reason: %q", clip(a.body))
		}
	case "stream":
		if !bytes.HasSuffix(a.body, []byte("data: [DONE]\n\n")) {
			t.Errorf("the stream does not end well: %q", clip(a.body))
		}
	default:
		want(t, "body", string(a.body), body)
	}
	want(t, "status", a.status, status)
	sameHeader(t, f, a)
	for _, name := range []string{"Proxy-Status", "Causeway-Finding"} {
		want(t, name, a.header.Get(name), "")
	}
}

func sameHeader(t *testing.T, f faulty.Fault, a *answer) {
	t.Helper()
	for _, line := range f.Defaults.Header {
		name, value, _ := strings.Cut(line, ": ")
		if !strings.EqualFold(name, "Connection") && !strings.EqualFold(name, "l5d-proxy-connection") {
			want(t, name, a.header.Get(name), value)
		}
	}
}

// passedOn holds an upstream's own failure to what it sent.
func (l *faultLab) passedOn(t *testing.T, f faulty.Fault, a *answer, kind fault.Kind) {
	t.Helper()
	if f.Defaults.Status != 0 {
		want(t, "body", string(a.body), f.Defaults.Body)
		sameHeader(t, f, a)
	}
	want(t, "Causeway-Finding", a.header.Get("Causeway-Finding"), string(kind))
	want(t, "Proxy-Status", a.header.Get("Proxy-Status"), "")
	if strings.Contains(a.line, string(kind)) {
		t.Errorf("the reason phrase of an answer that is passed on was changed: %s", a.line)
	}
	if f.LLM {
		if v := a.header.Get("x-should-retry"); v != "true" && v != "false" {
			t.Errorf("x-should-retry is %q", v)
		}
	}
}

// toldToModel holds a failure on a model's route to its dialect: the error object of the whole
// answer, or the last event of a stream.
func (l *faultLab) toldToModel(t *testing.T, a *answer, kind fault.Kind, rec callRecord) {
	t.Helper()
	if a.err != nil {
		t.Errorf("the answer is not whole: %v", a.err)
	}
	type dialectError struct {
		Error struct {
			Message  string   `json:"message"`
			Type     string   `json:"type"`
			Code     any      `json:"code"`
			Causeway *problem `json:"causeway"`
		} `json:"error"`
	}
	var e dialectError
	if a.status == http.StatusOK {
		events := strings.Split(strings.TrimSuffix(string(a.body), "\n\n"), "\n\n")
		last := strings.TrimPrefix(events[len(events)-1], "data: ")
		lacks(t, "a stream that broke", string(a.body), "[DONE]")
		decode(t, []byte(last), &e)
		want(t, "the log's cut", rec.Cut, true)
	} else {
		decode(t, a.body, &e)
		want(t, "Content-Type", a.header.Get("Content-Type"), "application/json")
		if v := a.header.Get("x-should-retry"); v != "true" && v != "false" {
			t.Errorf("x-should-retry is %q", v)
		}
		if e.Error.Causeway != nil {
			checkProblem(t, a, kind, "application/json", *e.Error.Causeway)
		}
	}
	if e.Error.Causeway == nil {
		t.Fatalf("the error has no member causeway: %s", clip(a.body))
	}
	contains(t, "the error's message", e.Error.Message, string(kind), a.id)
	want(t, "error.causeway.kind", e.Error.Causeway.Kind, string(kind))
	want(t, "error.causeway.retry", e.Error.Causeway.Retry, rec.Finding.Retry)
	want(t, "error.causeway.cause", e.Error.Causeway.Cause, rec.Finding.Cause)
}

// sameEverywhere holds body, log line and both forms of `causeway explain` to the call log.
func (l *faultLab) sameEverywhere(t *testing.T, a *answer, rec callRecord) {
	t.Helper()
	f := rec.Finding
	want(t, "the log's cause", rec.Cause, f.Cause)
	if a.header.Get("Content-Type") == "application/problem+json" {
		p := a.problem(t)
		want(t, "the body's cause", p.Cause, f.Cause)
		want(t, "the body's retry", p.Retry, f.Retry)
		want(t, "the body's detail", p.Detail, f.Detail)
		want(t, "the body's evidence", strings.Join(p.Evidence, "\n"), strings.Join(f.Evidence, "\n"))
	}
	if !f.Passed && a.header != nil { // nothing is logged of a caller that left
		line, ok := l.errs.find(patience, func(s string) bool { return strings.Contains(s, a.id) && strings.Contains(s, "call failed") })
		if !ok {
			t.Errorf("standard error has no line about call %s", a.id)
		} else {
			var said struct {
				Kind, Cause string
				Status      int
			}
			decode(t, []byte(line), &said)
			want(t, "the log line's kind", said.Kind, f.Kind)
			want(t, "the log line's cause", said.Cause, f.Cause)
			want(t, "the log line's status", said.Status, a.status)
		}
	}
	text := causeway(t, "explain", a.id, "--data", l.Data)
	want(t, "exit code of explain", text.code, 0)
	contains(t, "explain", text.out, "("+f.Kind+")", strings.ReplaceAll(f.Cause, "_", " "), fmt.Sprint(rec.Status), f.Detail,
		map[string]string{"safe": "safe to repeat", "may_repeat": "With care", "no": "does not help"}[f.Retry])
	told := causeway(t, "explain", "--json", a.id, "--data", l.Data)
	var x struct{ Finding *finding }
	decode(t, []byte(told.out), &x)
	if x.Finding == nil {
		t.Fatalf("explain --json has no finding: %s", told.out)
	}
	want(t, "explain --json's kind", x.Finding.Kind, f.Kind)
	want(t, "explain --json's cause", x.Finding.Cause, f.Cause)
	want(t, "explain --json's retry", x.Finding.Retry, f.Retry)
	want(t, "explain --json's status", x.Finding.Status, f.Status)
}

// call makes the call that the fault needs.
func (l *faultLab) call(t *testing.T, f faulty.Fault) *answer {
	t.Helper()
	l.turn()
	url := l.URL + "/" + f.Name + "/x"
	switch {
	case f.LLM:
		body, _ := json.Marshal(map[string]any{
			"model": f.Name + "/gpt-test", "stream": f.Needs.Stream,
			"messages": []map[string]string{{"role": "user", "content": "hello"}},
		})
		return fetch(t, l.client, "POST", l.URL+"/v1/chat/completions", bytes.NewReader(body), "Authorization", "Bearer "+faultsKey)
	case f.Needs.Upload:
		return l.upload(t, f)
	case f.Needs.Upgrade:
		return l.upgrade(t, f)
	case f.Needs.Head:
		return fetch(t, l.client, "HEAD", url, nil)
	case f.Needs.Reuse:
		first := fetch(t, l.client, "GET", url, nil)
		want(t, "the first call's body", string(first.body), "ok\n")
		if strings.HasPrefix(f.Name, "stale_idle") {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := l.peers[f.Name].Await(ctx, func(c faulty.Counts) bool { return c.Open == 0 }); err != nil {
				t.Fatal(err)
			}
		}
	}
	return fetch(t, l.client, "GET", url, nil)
}

// upload sends a body of 8 MiB and reads the answer at the same time, as callers should.
func (l *faultLab) upload(t *testing.T, f faulty.Fault) *answer {
	t.Helper()
	const size = 8 << 20
	c := dial(t, l.Addr)
	c.send(t, "POST /%s/x HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", f.Name, l.Addr, size)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.CopyN(c, neverEnding('x'), size) // the gateway may have heard enough
	}()
	a := c.read(t, "POST")
	c.Close()
	<-done
	return a
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// upgrade asks for a WebSocket, and where it gets one reads it to its end.
func (l *faultLab) upgrade(t *testing.T, f faulty.Fault) *answer {
	t.Helper()
	c := dial(t, l.Addr)
	c.send(t, "GET /%s/x HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", f.Name, l.Addr)
	a := c.read(t, "GET")
	if a.status != http.StatusSwitchingProtocols {
		return a
	}
	if f.Kind == "" {
		c.send(t, "ping")
		got := make([]byte, 4)
		if _, err := io.ReadFull(c.br, got); err != nil || string(got) != "ping" {
			t.Errorf("the tunnel gave back %q, %v", got, err)
		}
		c.Close()
		return a
	}
	a.body, a.err = io.ReadAll(c.br)
	return a
}
