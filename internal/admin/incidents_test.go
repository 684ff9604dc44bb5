package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/incident"
	"causeway/internal/journey"
)

// keptIncidents are incidents for the API.
type keptIncidents struct {
	list   []incident.Incident
	asked  IncidentQuery
	events chan incident.Event
}

func (k *keptIncidents) Search(_ context.Context, q IncidentQuery) ([]incident.Incident, bool, error) {
	k.asked = q
	if len(k.list) > q.Limit {
		return k.list[:q.Limit], true, nil
	}
	return k.list, false, nil
}

func (k *keptIncidents) Get(_ context.Context, id string) (incident.Incident, bool, error) {
	for _, i := range k.list {
		if i.ID == id {
			return i, true, nil
		}
	}
	return incident.Incident{}, false, nil
}

func (k *keptIncidents) Watch(context.Context) ([]incident.Incident, <-chan incident.Event) {
	return k.list[:1], k.events
}

func newIncidentWorld(t *testing.T) (*world, *keptIncidents) {
	k := &keptIncidents{events: make(chan incident.Event, 10)}
	for n := range 2 {
		onset := start.Add(-time.Duration(n) * time.Hour)
		k.list = append(k.list, incident.Incident{
			ID: journey.NewID(onset).String(), State: incident.Open, Kind: fault.ConnectionRefused, Cause: fault.Software, Side: incident.Upstream,
			Target: "http://127.0.0.1:9001", Services: []string{"orders"}, Onset: onset, Opened: onset.Add(time.Second), LastSeen: onset.Add(time.Minute),
			Calls: 57, CallerCount: 1, Callers: []string{"web"}, Symptoms: map[fault.Kind]int64{fault.BreakerOpen: 9},
			Finding: &fault.Finding{Kind: fault.ConnectionRefused, Detail: "orders: 127.0.0.1:9001 refused the TCP connection.", Retry: fault.Safe},
		})
	}
	return newWorld(t, func(d *Deps) { d.Incidents = k }), k
}

func TestIncidents(t *testing.T) {
	w, k := newIncidentWorld(t)
	for _, c := range []struct {
		name, path string
		as         string
		status     int
		has        []string
		asked      func(q IncidentQuery) bool
	}{
		{"needs a sign-in", "/api/v1/incidents", "", 401, nil, nil},
		{"the list", "/api/v1/incidents", "viewer", 200, []string{k.list[0].ID, k.list[1].ID, `"sentence":"Since `, "57 calls of orders failed, from 1 caller (web)", `"breaker_open":9`, `"retry":"safe"`}, func(q IncidentQuery) bool { return q.Limit == 50 }},
		{"a page", "/api/v1/incidents?limit=1", "viewer", 200, []string{`"next_cursor":"` + k.list[0].ID + `"`}, nil},
		{"filters", "/api/v1/incidents?state=open,quiet&service=orders&kind=connection_refused&since=1h&cursor=" + k.list[0].ID, "viewer", 200, nil, func(q IncidentQuery) bool {
			return len(q.States) == 2 && q.Service == "orders" && q.Kind == fault.ConnectionRefused && !q.Since.IsZero() && q.Before == k.list[0].ID
		}},
		{"an unknown state", "/api/v1/incidents?state=closed", "viewer", 422, []string{`"pointer":"#/state"`, "open, quiet, recovered, folded"}, nil},
		{"an unknown kind", "/api/v1/incidents?kind=connection_refusd", "viewer", 422, []string{"did you mean connection_refused?"}, nil},
		{"a cursor that is none", "/api/v1/incidents?cursor=x", "viewer", 422, []string{`"pointer":"#/cursor"`}, nil},
		{"one", "/api/v1/incidents/" + strings.ToLower(k.list[1].ID), "viewer", 200, []string{`"title":"The upstream refused the connection: orders, http://127.0.0.1:9001"`, "127.0.0.1:9001 refused the TCP connection"}, nil},
		{"one that is not kept", "/api/v1/incidents/01KAPZQ4M8X3V7N2T5R9W6YB1C", "viewer", 404, []string{"calls.keep"}, nil},
		{"what is no id", "/api/v1/incidents/7", "viewer", 422, []string{`"pointer":"#/id"`}, nil},
		{"health without anything", "/api/v1/health", "viewer", 200, []string{`"well":true`, `"services":[]`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, res := w.do(request{as: c.as, path: c.path})
			if res.StatusCode != c.status {
				t.Fatalf("%d %s, want %d", res.StatusCode, body, c.status)
			}
			for _, part := range c.has {
				if !strings.Contains(body, part) {
					t.Errorf("%s lacks %s", body, part)
				}
			}
			if c.asked != nil && !c.asked(k.asked) {
				t.Errorf("asked for %+v", k.asked)
			}
		})
	}
}

func TestTheStreamOfIncidents(t *testing.T) {
	w, k := newIncidentWorld(t)
	for _, c := range []struct{ accept, contentType, prefix string }{
		{"text/event-stream", "text/event-stream", "data: "},
		{"application/json", "application/x-ndjson", ""},
	} {
		t.Run(c.contentType, func(t *testing.T) {
			k.events = make(chan incident.Event, 10)
			k.events <- incident.Event{What: incident.Opened, Incident: k.list[1]}
			close(k.events)
			body, res := w.do(request{as: "viewer", path: "/api/v1/incidents/stream", header: map[string]string{"Accept": c.accept}})
			if got := res.Header.Get("Content-Type"); got != c.contentType {
				t.Errorf("Content-Type %q, want %q", got, c.contentType)
			}
			var told []string
			in := bufio.NewScanner(strings.NewReader(body))
			in.Buffer(nil, 1<<20)
			for in.Scan() {
				var e IncidentEvent
				if data, ok := strings.CutPrefix(in.Text(), c.prefix); ok && json.Unmarshal([]byte(data), &e) == nil {
					told = append(told, e.Event+" "+e.Incident.ID)
				}
			}
			if want := "ongoing " + k.list[0].ID + ", opened " + k.list[1].ID; strings.Join(told, ", ") != want {
				t.Errorf("told %v, want %s; of\n%s", told, want, body)
			}
		})
	}
}
