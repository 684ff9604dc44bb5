package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

type reproAnswer struct {
	Status int
	Kind   string
	Body   string
	CallID string `json:"call_id"`
}

type reproReport struct {
	Kept               reproAnswer
	Direct, Gateway    *reproAnswer
	Differences, Notes []string
	Meaning, Script    string
}

// A kept call is sent again both ways, and the script does the same without the gateway.
func TestRepro(t *testing.T) {
	t.Parallel()
	const secret, callerKey = "canary-upstream-secret", "e2e-repro-key-0123456789"
	var broken atomic.Bool
	var mu sync.Mutex
	var got []string
	up := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("X-Api-Key")+" "+r.Header.Get("Content-Type")+" "+string(body))
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		way := "gateway"
		if r.Header.Get("Causeway-Call-Id")+r.Header.Get("Via")+r.Header.Get("X-Forwarded-For") == "" {
			way = "direct"
		}
		fmt.Fprintf(w, `{"path":%q,"way":%q,"n":[1,2]}`, r.URL.Path, way)
	})
	requests := func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := got
		got = nil
		return list
	}
	dead := freePort(t)
	g := serve(t, fmt.Sprintf(`version: 1
services:
  it:
    access: key
    keep_bodies: true
    routes: [{path: "/it/*", strip_prefix: true}]
    upstream: {targets: [{url: "%s/base"}], headers: {set: {X-Api-Key: %s}}, retries: {max: 0}}
  dead:
    access: open
    keep_bodies: failures
    routes: [{path: "/dead/*"}]
    upstream: {targets: [{url: "http://%s"}], retries: {max: 0}}
  bare: {access: open, routes: [{path: "/bare/*"}], upstream: {targets: [{url: %q}]}}
applications:
  shop: {keys: [%s], subscribes: [it]}
`, up, secret, dead, up, callerKey))
	call := func(method, path, body string) string {
		t.Helper()
		a := fetch(t, client(t), method, g.URL+path, strings.NewReader(body), "apikey", callerKey)
		g.record(t, a.id)
		requests()
		return a.id
	}
	repro := func(code int, args ...string) (reproReport, result) {
		t.Helper()
		r := causeway(t, append([]string{"repro", "--json", "--data", g.Data}, args...)...)
		want(t, "exit code of repro "+strings.Join(args, " ")+": "+r.err, r.code, code)
		lacks(t, "what repro prints", r.out+r.err, secret, callerKey)
		var rep reproReport
		if r.out != "" {
			decode(t, []byte(r.out), &rep)
		}
		return rep, r
	}

	get := call("GET", "/it/orders/7", "")
	rep, _ := repro(0, "--key", callerKey, "--query", "page=2", get)
	want(t, "what reached the upstream", strings.Join(requests(), "\n"), "GET /base/orders/7?page=2 "+secret+"  \nGET /base/orders/7?page=2 "+secret+"  ")
	if rep.Direct.Status != 200 || rep.Gateway.Status != 200 || rep.Gateway.CallID == "" {
		t.Errorf("%+v", rep)
	}
	contains(t, "the differences", strings.Join(rep.Differences, "\n"), `body /way: directly "direct", through the gateway "gateway"`)
	lacks(t, "the differences", strings.Join(rep.Differences, "\n"), "/path", "/n")
	contains(t, "the notes", strings.Join(rep.Notes, "\n"), "credentials are never kept")
	contains(t, "the script", rep.Script, "${UPSTREAM_X_API_KEY:?", "${QUERY:?")

	// Without a key the gateway can't be asked as the caller did; that is said and no difference.
	rep, _ = repro(1, get)
	contains(t, "the meaning", rep.Meaning, "wants a key")
	requests()

	// A method that may write is not sent unasked, and no terminal is here to ask.
	post := call("POST", "/it/orders", `{"qty": 3, "name": "o'brien"}`)
	_, r := repro(2, post)
	contains(t, "the refusal", r.err, "--yes", "billed")
	want(t, "requests that were sent all the same", len(requests()), 0)
	rep, _ = repro(0, "--yes", "--only", "direct", post)
	want(t, "what reached the upstream", strings.Join(requests(), "\n"), "POST /base/orders "+secret+` application/json {"qty": 3, "name": "o'brien"}`)

	// The script sends the same, with the secret from the environment.
	script := filepath.Join(t.TempDir(), "again.sh")
	if err := os.WriteFile(script, []byte(rep.Script), 0o700); err != nil {
		t.Fatal(err)
	}
	needs(t, "curl")
	if r := command(t, "", "/bin/sh", script); r.code == 0 || !strings.Contains(r.err, "UPSTREAM_X_API_KEY") {
		t.Errorf("without the secret it ran: %+v", r)
	}
	if r := commandEnv(t, []string{"UPSTREAM_X_API_KEY=" + secret}, "", "/bin/sh", script); r.code != 0 || !strings.Contains(r.out, `"way":"direct"`) {
		t.Errorf("%+v", r)
	}
	want(t, "what the script sent", strings.Join(requests(), "\n"), "POST /base/orders "+secret+` application/json {"qty": 3, "name": "o'brien"}`)

	// Bodies that are not whole are not sent as if they were.
	for name, body := range map[string]string{"masked": `{"password": "hunter2-canary"}`, "cut": `{"x": "` + strings.Repeat("y", 20<<10) + `"}`} {
		id := call("POST", "/it/"+name, body)
		_, r := repro(2, "--yes", id)
		contains(t, name, r.err, map[string]string{"masked": "masked", "cut": "of 2"}[name], "--body")
		want(t, "requests for "+name, len(requests()), 0)
		file := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		rep, _ := repro(0, "--yes", "--only", "direct", "--body", file, id)
		if sent := requests(); len(sent) != 1 || !strings.HasSuffix(sent[0], body) {
			t.Errorf("%s: %d requests", name, len(sent))
		}
		lacks(t, "the script", rep.Script, "hunter2-canary", "yyyy", base64.StdEncoding.EncodeToString([]byte(body))[:40])
		contains(t, "the script", rep.Script, "BODY_FILE")
	}
	_, r = repro(2, "--yes", call("POST", "/bare/x", "hello"))
	contains(t, "a service that keeps nothing", r.err, "not kept", "keep_bodies")

	// What fails both ways is the upstream's; what failed then and works now is over.
	broken.Store(true)
	failed := call("GET", "/it/report", "")
	rep, _ = repro(1, "--key", callerKey, failed)
	if rep.Direct.Status != 500 || rep.Gateway.Status != 500 || rep.Kept.Status != 500 {
		t.Errorf("%+v", rep)
	}
	contains(t, "the meaning", rep.Meaning, "fails both ways")
	broken.Store(false)
	rep, _ = repro(0, "--key", callerKey, failed)
	contains(t, "the meaning", rep.Meaning, "the cause is over")
	requests()
	rep, _ = repro(1, call("GET", "/dead/x", ""))
	if rep.Direct.Kind != "connection_refused" || rep.Gateway.Kind != "connection_refused" {
		t.Errorf("%+v", rep)
	}

	// Only those who may; and what was never an upstream's call is not one now.
	res, err := http.Post(g.Console+"/api/v1/calls/"+get+"/repro", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want(t, "without a token", res.StatusCode, 401)
	_, r = repro(2, call("GET", "/nowhere", ""))
	contains(t, "a call without a route", r.err, "reached no service")
	_, r = repro(2, "--header", "Host: evil.example", get)
	contains(t, "another Host", r.err, "not the caller's to choose")
	_, r = repro(2, noSuchCall)
	contains(t, "no such call", r.err, "No call with the id")
	text := causeway(t, "repro", "--data", g.Data, "--key", callerKey, get)
	want(t, "exit code", text.code, 0)
	contains(t, "the text", text.out, "directly", "gateway", "first byte", "#!/bin/sh")
}
