package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// incidentRecord is an incident as the admin API tells it.
type incidentRecord struct {
	ID          string           `json:"id"`
	State       string           `json:"state"`
	Kind        string           `json:"kind"`
	Cause       string           `json:"cause"`
	Title       string           `json:"title"`
	Sentence    string           `json:"sentence"`
	Services    []string         `json:"services"`
	Target      string           `json:"target"`
	Onset       time.Time        `json:"onset"`
	Ended       time.Time        `json:"ended"`
	Calls       int64            `json:"calls"`
	Absorbed    int64            `json:"absorbed"`
	CallerCount int              `json:"caller_count"`
	Symptoms    map[string]int64 `json:"symptoms"`
	Changes     []struct{ What, Text string }
	Timeline    []struct{ Text string }
	Evidence    []string
	Advice      []string
	Check       string
	Retry       string
	CallIDs     []string `json:"call_ids"`
}

func (g *gateway) incidents(t *testing.T, query string) []incidentRecord {
	t.Helper()
	status, body := g.get(t, "/api/v1/incidents"+query, "application/json")
	if status != 200 {
		t.Fatalf("GET /api/v1/incidents%s: %d %s", query, status, body)
	}
	var list struct{ Incidents []incidentRecord }
	decode(t, body, &list)
	return list.Incidents
}

// awaitIncident waits until there is one incident, in a state, and returns it.
func (g *gateway) awaitIncident(t *testing.T, state string) (i incidentRecord) {
	t.Helper()
	eventually(t, "an incident is "+state, func() bool {
		list := g.incidents(t, "")
		if len(list) > 1 {
			t.Fatalf("there is more than one incident: %+v", list)
		}
		if len(list) == 1 && list[0].State == state {
			i = list[0]
			return true
		}
		return false
	})
	return i
}

// steadily calls an address until the returned function is called, which tells how many calls failed.
func steadily(t *testing.T, address string, keys ...string) (stop func() int64) {
	ctx, cancel := context.WithCancel(t.Context())
	var failed atomic.Int64
	done := make(chan struct{})
	c := client(t)
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			a, err := try(context.Background(), c, "GET", address, nil, keyed(keys[n%len(keys)])...)
			if err == nil && a.status >= 500 {
				failed.Add(1)
			}
		}
	}()
	return func() int64 {
		cancel()
		<-done
		return failed.Load()
	}
}

// moody is an upstream that can be ended and begun again at the same address.
type moody struct {
	addr string
	srv  *http.Server
}

func (m *moody) begin(t *testing.T) {
	t.Helper()
	var l net.Listener
	if m.addr == "" {
		l = listenFree(t)
	}
	eventually(t, "the upstream has its port", func() bool {
		if l == nil {
			l, _ = net.Listen("tcp", m.addr)
		}
		return l != nil
	})
	m.addr = l.Addr().String()
	m.srv = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Millisecond) // so that some calls are under way when it ends
		_, _ = io.WriteString(w, "fine")
	})}
	go m.srv.Serve(l)
	srv := m.srv
	t.Cleanup(func() { srv.Close() })
}

const incidentConfig = `version: 1
server: {hooks_allow: [%[3]q]}
incidents: {recover_after: 1s}
services:
  orders:
    routes: [{path: /orders/*}]
    upstream:
      targets: [{url: "http://%[1]s"}]
      retries: {max: 0}
      timeouts: {connect: %[4]s}
applications:
  web: {keys: [web-key], subscribes: [orders]}
  app: {keys: [app-key], subscribes: [orders]}
hooks:
  - {name: pager, webhook: {url: %[2]q, secret: sign-me}}
  - {name: restart, on: [opened], services: [orders], causes: [software, configuration, network], command: [%[3]q, restart, "{service}.service", "{kind}"]}
  - {name: elsewhere, kinds: [quota_exhausted], webhook: %[2]q}
`

// An upstream is killed under steady calls, and comes back: one incident, from the first failing call to the
// first good one, with who was hit and what had changed; hooks run at both ends, the stream shows both.
func TestAnUpstreamThatIsKilledIsOneIncident(t *testing.T) {
	t.Parallel()
	type delivery struct {
		Event    string
		Incident incidentRecord
	}
	came := make(chan delivery, 100)
	pager := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, rq *http.Request) {
		var d delivery
		_ = json.NewDecoder(rq.Body).Decode(&d)
		if !strings.HasPrefix(rq.Header.Get("Causeway-Signature"), "t=") {
			d.Event = "unsigned " + d.Event
		}
		came <- d
	}))
	t.Cleanup(pager.Close)
	dir := shortDir(t)
	restarted := filepath.Join(dir, "restarted")
	unit := filepath.Join(dir, "unit")
	if err := os.WriteFile(unit, []byte("#!/bin/sh\n{ echo \"$@\"; cat; } > "+restarted+".part && mv "+restarted+".part "+restarted+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	up := &moody{}
	up.begin(t)
	config := func(connect string) string { return fmt.Sprintf(incidentConfig, up.addr, pager.URL, unit, connect) }
	g := serve(t, config("2s"))
	stream := g.watchIncidents(t)
	stop := steadily(t, g.URL+"/orders/7", "web-key", "app-key")
	c := client(t)
	for range 20 {
		want(t, "status", fetch(t, c, "GET", g.URL+"/orders/1", nil, keyed("web-key")...).status, 200)
	}
	g.configure(t, config("3s"))
	g.awaitGeneration(t, 2)
	for range 20 { // it does work with the new settings
		want(t, "status", fetch(t, c, "GET", g.URL+"/orders/1", nil, keyed("web-key")...).status, 200)
	}
	killed := time.Now()
	up.srv.Close()
	open := g.awaitIncident(t, "open")
	want(t, "kind", open.Kind, "connection_refused")
	want(t, "cause", open.Cause, "software")
	want(t, "target", open.Target, "http://"+up.addr)
	want(t, "callers", open.CallerCount, 2)
	want(t, "services", strings.Join(open.Services, ","), "orders")
	want(t, "retry", open.Retry, "safe")
	if d := open.Onset.Sub(killed); d < -3*time.Second || d > 3*time.Second {
		t.Errorf("the onset is %s from the kill", d)
	}
	if len(open.Changes) == 0 {
		t.Error("what had changed is not named")
	} else {
		contains(t, "the change", open.Changes[0].Text, "configuration revision 2", "orders (upstream.timeouts)")
		contains(t, "the sentence", open.Sentence, "before the first failure configuration revision 2", "from 2 callers")
	}
	contains(t, "the title", open.Title, "The upstream refused the connection", "orders")
	if len(open.CallIDs) == 0 || open.Check == "" || len(open.Advice) == 0 || len(open.Evidence) == 0 {
		t.Errorf("the incident does not tell all: %+v", open)
	} else if !slices.ContainsFunc(open.CallIDs, func(id string) bool { return g.record(t, id).Kind == "connection_refused" }) {
		t.Errorf("none of the samples %v is a refused call", open.CallIDs) // some may have been cut as it ended
	}
	first := <-came
	want(t, "the webhook's event", first.Event, "opened")
	want(t, "the webhook's incident", first.Incident.ID, open.ID)
	var ran []byte
	eventually(t, "the command has run", func() (ok bool) {
		var err error
		ran, err = os.ReadFile(restarted)
		return err == nil
	})
	contains(t, "what the command got", string(ran), "restart orders.service connection_refused\n", `"event":"opened"`, open.ID)
	want(t, "open incidents in the metrics", g.metric(t, `causeway_incidents_open{cause="software",kind="connection_refused"}`), 1)
	contains(t, "causeway incidents", causeway(t, "incidents", "--data", g.Data).out, open.ID, "connection_refused", "orders")
	health := g.health(t)
	want(t, "well", health.Well, false)
	want(t, "the last failure", health.Services[0].Targets[0].LastFailure.Kind, "connection_refused")

	up.begin(t)
	over := g.awaitIncident(t, "recovered")
	failed := stop()
	want(t, "id", over.ID, open.ID)
	// A call whose connection was cut as the upstream ended is counted as well, under its cause.
	want(t, "calls", over.Calls, failed)
	if over.Ended.Before(over.Onset) || !slices.ContainsFunc(over.Timeline, func(m struct{ Text string }) bool { return m.Text == "calls go well again" }) {
		t.Errorf("the recovery is not told: %+v", over)
	}
	last := <-came
	want(t, "the webhook's event", last.Event, "closed")
	want(t, "the webhook's incident", last.Incident.State, "recovered")
	want(t, "the stream", stream.next(t), "opened "+open.ID)
	want(t, "the stream", stream.next(t), "closed "+open.ID)
	if _, ok := g.errs.find(patience, func(s string) bool { return strings.Contains(s, "incident closed") }); !ok {
		t.Error("the log does not tell of the end")
	}
	lines := g.errs.all()
	want(t, "lines that tell of the opening", strings.Count(lines, "incident opened"), 1)
	want(t, "lines that tell of the end", strings.Count(lines, "incident closed"), 1)
	contains(t, "the log", lines, `"hook ran" hook=pager`, `"hook ran" hook=restart`)
	lacks(t, "the log", lines, "hook=elsewhere", "sign-me")
	eventually(t, "everything is well", func() bool { return g.health(t).Well })
}

// incidentStream reads GET /api/v1/incidents/stream.
type incidentStream struct{ events chan string }

func (g *gateway) watchIncidents(t *testing.T) *incidentStream {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), "GET", "http://causeway/api/v1/incidents/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Accept", "text/event-stream")
	c := &http.Client{Transport: g.admin.Transport}
	res, err := c.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	want(t, "Content-Type", res.Header.Get("Content-Type"), "text/event-stream")
	s := &incidentStream{make(chan string, 1000)}
	go func() {
		in := bufio.NewScanner(res.Body)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if data, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				var e struct {
					Event    string
					Incident struct{ ID string }
				}
				if json.Unmarshal([]byte(data), &e) == nil && e.Event != "changed" {
					s.events <- e.Event + " " + e.Incident.ID
				}
			}
		}
	}()
	return s
}

func (s *incidentStream) next(t *testing.T) string {
	t.Helper()
	select {
	case e := <-s.events:
		return e
	case <-time.After(patience):
		t.Fatal("the stream tells nothing")
		return ""
	}
}

type healthRecord struct {
	Well     bool
	Services []struct {
		Name    string
		Targets []struct {
			Target, State string
			LastFailure   struct{ Kind string } `json:"last_failure"`
		}
	}
	Providers []struct{ Name, State string }
}

func (g *gateway) health(t *testing.T) (h healthRecord) {
	t.Helper()
	status, body := g.get(t, "/api/v1/health", "application/json")
	want(t, "status of /api/v1/health", status, 200)
	decode(t, body, &h)
	return h
}

// One connection that was reset, and whose call a retry saved, is no incident; neither are many good calls.
func TestABlipAndGoodCallsAreNoIncident(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.CompareAndSwap(true, false) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
			return
		}
		_, _ = io.WriteString(w, "fine")
	}))
	t.Cleanup(up.Close)
	g := serve(t, fmt.Sprintf(`version: 1
services:
  orders:
    access: open
    routes: [{path: /orders/*}]
    upstream: {targets: [{url: %q}]}
`, up.URL))
	c := client(t)
	broken.Store(true)
	a := fetch(t, c, "GET", g.URL+"/orders/1", nil)
	want(t, "status", a.status, 200)
	want(t, "attempts", a.header.Get("Causeway-Attempts"), "2")
	const calls = 10_000
	var failed atomic.Int64
	done := make(chan struct{})
	for range 8 {
		go func() {
			for range calls / 8 {
				if a, err := try(context.Background(), c, "GET", g.URL+"/orders/1", nil); err != nil || a.status != 200 {
					failed.Add(1)
				}
			}
			done <- struct{}{}
		}()
	}
	for range 8 {
		<-done
	}
	want(t, "failed calls", failed.Load(), 0)
	time.Sleep(2 * time.Second) // nothing is to happen: the time after which an incident would have opened
	if list := g.incidents(t, ""); len(list) != 0 {
		t.Errorf("there are incidents: %+v", list)
	}
	want(t, "failed calls in the log", len(g.calls(t, "failed=true")), 0)
}

// A restart while an incident is open goes on with it, and so does the process that takes over.
func TestAnIncidentOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	up := &moody{}
	up.begin(t)
	up.srv.Close()
	config := fmt.Sprintf(`version: 1
incidents: {recover_after: 1s}
services:
  orders:
    access: open
    routes: [{path: /orders/*}]
    upstream: {targets: [{url: "http://%s"}], retries: {max: 0}}
`, up.addr)
	g := serve(t, config, inData(shortDir(t)))
	c := client(t)
	call := func(g *gateway) int { return fetch(t, c, "GET", g.URL+"/orders/1", nil).status }
	for range 5 {
		want(t, "status", call(g), 502)
	}
	open := g.awaitIncident(t, "open")
	eventually(t, "five calls are counted", func() bool { return g.incidents(t, "")[0].Calls == 5 })
	g.kill(t)

	g = serve(t, config, inData(g.Data))
	same := g.awaitIncident(t, "open")
	want(t, "id after a kill", same.ID, open.ID)
	want(t, "status", call(g), 502)
	eventually(t, "six calls are counted", func() bool { return g.incidents(t, "")[0].Calls == 6 })
	opened := strings.Count(g.errs.all(), "incident opened")
	want(t, "times that it was told again", opened, 0)

	g.handedOver(t)
	for range 3 {
		want(t, "status", call(g), 502)
	}
	eventually(t, "nine calls are counted", func() bool {
		list := g.incidents(t, "")
		want(t, "incidents", len(list), 1)
		if len(list) == 1 {
			t.Logf("%s %d", list[0].ID, list[0].Calls)
		}
		return list[0].ID == open.ID && list[0].Calls == 9
	})
	up.begin(t)
	eventually(t, "it has recovered", func() bool {
		call(g)
		list := g.incidents(t, "?state=recovered&service=orders&kind=connection_refused&since=1h")
		return len(list) == 1 && list[0].ID == open.ID
	})
	want(t, "lines that tell of an opening", strings.Count(g.errs.all(), "incident opened"), 0)
}
