package incident

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	targetA = "http://10.0.0.5:8080"
	targetB = "http://10.0.0.6:8080"
)

// lab plays a story to an engine and keeps what it told.
type lab struct {
	*testing.T
	e      *Engine
	now    time.Time
	events []Event
}

func newLab(t *testing.T, set Settings) *lab {
	return &lab{T: t, e: New(set, func(_ *journey.Journey, _ int) *fault.Finding {
		return &fault.Finding{Cause: fault.Software, Detail: "judged from the attempt"}
	}), now: t0}
}

func (l *lab) pass(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); {
		l.now = l.now.Add(min(500*time.Millisecond, end.Sub(l.now)))
		l.tick()
	}
}

func (l *lab) tick() {
	for _, ev := range l.e.Tick(l.now) {
		if ev.What != Changed {
			l.events = append(l.events, ev)
		}
	}
}

// call makes a call to a service that ends now. kinds are those of its attempts, "" for a good one, each with its
// target as KIND@TARGET.
func (l *lab) call(service, caller string, attempts ...string) *journey.Journey {
	j := &journey.Journey{ID: journey.NewID(l.now), Start: l.now, Service: service, Remote: caller, Method: "GET", Path: "/"}
	for i, a := range attempts {
		k, target, _ := strings.Cut(a, "@")
		j.Attempts = append(j.Attempts, journey.Attempt{Target: target, Kind: fault.Kind(k)})
		if i == len(attempts)-1 && k != "" {
			e := fault.Lookup(fault.Kind(k))
			j.Finding = &fault.Finding{Kind: e.Kind, Cause: e.Cause, Detail: "orders: " + k, Retry: fault.Safe, Evidence: []string{"ECONNREFUSED"}}
		}
	}
	l.e.Call(j)
	return j
}

// refused makes a call that failed without an attempt.
func (l *lab) without(service, caller string, k fault.Kind) {
	j := &journey.Journey{ID: journey.NewID(l.now), Start: l.now, Service: service, Remote: caller}
	e := fault.Lookup(k)
	j.Finding = &fault.Finding{Kind: k, Cause: e.Cause, Detail: string(k)}
	l.e.Call(j)
}

// told is what was told, as lines.
func (l *lab) told() (lines []string) {
	for _, ev := range l.events {
		i := ev.Incident
		about := i.Target + i.Caller
		if about == "" {
			about = strings.Join(i.Services, "+")
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", ev.What, i.State, i.Kind, about))
	}
	return lines
}

func (l *lab) wantTold(want ...string) {
	l.Helper()
	if got := l.told(); !slices.Equal(got, want) {
		l.Errorf("told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const refusedA, refusedB = "connection_refused@" + targetA, "connection_refused@" + targetB

func TestStories(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(l *lab)
		want []string
	}{
		{"ten thousand good calls are nothing", func(l *lab) {
			for range 10_000 {
				l.call("orders", "c1", "@"+targetA)
			}
			l.pass(5 * time.Second)
		}, nil},
		{"a reset that a retry absorbed is a blip", func(l *lab) {
			l.call("orders", "c1", "reset_before_response@"+targetA, "@"+targetB)
			l.pass(2 * time.Minute)
		}, nil},
		{"two failures are a blip", func(l *lab) {
			l.call("orders", "c1", refusedA)
			l.call("orders", "c1", refusedA)
			l.pass(2 * time.Minute)
		}, nil},
		{"a refusal, and then a breaker that keeps everybody out", func(l *lab) {
			l.call("orders", "c1", refusedA)
			for range 50 {
				l.without("orders", "c1", fault.BreakerOpen)
			}
			l.pass(5 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"a refusal as it was restarted, and crashes of what runs since", func(l *lab) {
			l.call("orders", "c1", refusedA)
			l.call("orders", "c1", "@"+targetA)
			for range 5 {
				l.call("orders", "c1", "closed_before_response@"+targetA)
				l.call("orders", "c1", "@"+targetA)
			}
			l.pass(5 * time.Second)
		}, []string{"opened open closed_before_response " + targetA}},
		{"calls that were cut, and then refusals", func(l *lab) {
			for range 5 {
				l.call("orders", "c1", "reset_before_response@"+targetA)
			}
			for range 5 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(5 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"one failure a minute is no run", func(l *lab) {
			for range 10 {
				l.call("orders", "c1", refusedA)
				l.pass(61 * time.Second)
			}
		}, nil},
		{"three failures among ten thousand calls are below the share", func(l *lab) {
			l.e.Count("orders", "", 10_000, l.now)
			for range 3 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(5 * time.Second)
		}, nil},
		{"thirty that callers saw are told whatever the share", func(l *lab) {
			l.e.Count("orders", "", 100_000, l.now)
			for range 30 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"three failures open, five good calls and ten seconds close", func(l *lab) {
			for range 3 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(2 * time.Second)
			for range 5 {
				l.call("orders", "c1", "@"+targetA)
			}
			l.pass(11 * time.Second)
		}, []string{"opened open connection_refused " + targetA, "closed recovered connection_refused " + targetA}},
		{"good calls of another target prove nothing", func(l *lab) {
			for range 3 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(2 * time.Second)
			for range 50 {
				l.call("orders", "c1", "@"+targetB)
			}
			l.pass(time.Minute)
		}, []string{"opened open connection_refused " + targetA}},
		{"what is not called any more goes quiet, and is told again when it fails again", func(l *lab) {
			for range 3 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(11 * time.Minute)
			l.call("orders", "c1", refusedA)
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA, "closed quiet connection_refused " + targetA}},
		{"retries that save every call still tell of a dead target", func(l *lab) {
			for range 20 {
				l.call("orders", "c1", refusedA, "@"+targetB)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"two targets are two incidents", func(l *lab) {
			for range 3 {
				l.call("orders", "c1", refusedA, refusedB)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA, "opened open connection_refused " + targetB}},
		{"connections cut by a crash go under the refusals that follow", func(l *lab) {
			for range 8 {
				l.call("orders", "c1", "reset_before_response@"+targetA)
			}
			for range 4 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"the cause that comes late takes over the incident of its symptom", func(l *lab) {
			for range 8 {
				l.call("orders", "c1", "reset_before_response@"+targetA)
			}
			l.pass(3 * time.Second)
			for range 4 {
				l.call("orders", "c1", refusedA)
			}
			l.pass(3 * time.Second)
			for range 5 {
				l.call("orders", "c1", "@"+targetA)
			}
			l.pass(11 * time.Second)
		}, []string{"opened open reset_before_response " + targetA, "closed recovered connection_refused " + targetA}},
		{"an open breaker goes under what opened it", func(l *lab) {
			for range 5 {
				l.call("orders", "c1", refusedA)
			}
			for range 50 {
				l.without("orders", "c1", fault.BreakerOpen)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"no healthy target goes under what the checks see, in whatever order they come", func(l *lab) {
			for range 5 {
				l.without("orders", "c1", fault.NoHealthyTarget)
			}
			l.e.Health(l.now, []TargetHealth{{Service: "orders", Target: targetA, Kind: fault.ConnectionRefused, Text: "refused", Since: l.now}})
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA}},
		{"another service's trouble is not its cause", func(l *lab) {
			for range 5 {
				l.call("stock", "c1", refusedA)
				l.without("orders", "c1", fault.NoHealthyTarget)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open connection_refused " + targetA, "opened open no_healthy_target orders"}},
		{"a failing check opens without any call, and a good one closes", func(l *lab) {
			l.e.Health(l.now, []TargetHealth{{Service: "orders", Target: targetA, Kind: fault.ConnectTimeout, Text: "no answer", Since: l.now}})
			l.pass(time.Second)
			l.e.Health(l.now, []TargetHealth{{Service: "orders", Target: targetA, Healthy: true, Since: l.now}})
			l.pass(12 * time.Second)
		}, []string{"opened open connect_timeout " + targetA, "closed recovered connect_timeout " + targetA}},
		{"callers' own mistakes open nothing", func(l *lab) {
			for range 500 {
				l.without("", "c1", fault.RouteNotFound)
				l.without("orders", "c1", fault.CallerGone)
				l.without("orders", "c1", fault.BodyTooLarge)
			}
			l.pass(5 * time.Second)
		}, nil},
		{"a burst of one caller's unknown keys is one incident of the caller", func(l *lab) {
			for range 40 {
				l.without("orders", "10.1.1.1", fault.KeyUnknown)
			}
			for n := range 15 {
				l.without("orders", fmt.Sprintf("10.2.2.%d", n), fault.KeyUnknown)
			}
			l.pass(70 * time.Second)
		}, []string{"opened open key_unknown 10.1.1.1", "closed recovered key_unknown 10.1.1.1"}},
		{"the gateway's own trouble is one incident for all services", func(l *lab) {
			for n := range 9 {
				l.without([]string{"orders", "stock", "web"}[n%3], "c1", fault.GatewayOverloaded)
			}
			l.pass(2 * time.Second)
		}, []string{"opened open gateway_overloaded "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, Settings{})
			c.play(l)
			l.wantTold(c.want...)
		})
	}
}

// TestASymptomGoesUnderItsLikeliestCause: one answer with 500 a while before an outage does not take what follows from it.
func TestASymptomGoesUnderItsLikeliestCause(t *testing.T) {
	l := newLab(t, Settings{})
	l.call("orders", "c1", "upstream_error@"+targetA)
	l.pass(5 * time.Second)
	for range 10 {
		l.call("orders", "c1", refusedA)
	}
	l.now = l.now.Add(100 * time.Millisecond)
	for range 35 {
		l.without("orders", "c1", fault.BreakerOpen)
	}
	l.pass(3 * time.Second)
	l.wantTold("opened open connection_refused " + targetA)
	i := l.e.Ongoing()[0]
	if i.Calls != 45 || i.Symptoms[fault.BreakerOpen] != 35 {
		t.Errorf("%d calls, symptoms %v", i.Calls, i.Symptoms)
	}
	if k, at, _, _ := l.e.Last(targetA); k != fault.ConnectionRefused || !at.Before(i.LastSeen) {
		t.Errorf("the target's last failure is %s at %v", k, at)
	}
}

func TestAnIncidentTellsAllThatIsKnown(t *testing.T) {
	l := newLab(t, Settings{})
	l.call("orders", "c1", "@"+targetA)
	l.pass(41 * time.Second)
	l.e.Changed(Change{At: l.now, What: "configuration", Text: "revision 7 came into force; it changed service orders", Services: []string{"orders"}})
	l.e.Changed(Change{At: l.now, What: "configuration", Text: "revision 7 changed service stock", Services: []string{"stock"}})
	l.now = l.now.Add(800 * time.Millisecond)
	onset := l.now
	for n := range 57 {
		l.call("orders", []string{"c1", "c2", "c3"}[n%3], refusedA)
		l.now = l.now.Add(50 * time.Millisecond)
	}
	l.call("orders", "c1", refusedA, "@"+targetB)
	l.tick()
	if len(l.events) != 1 {
		t.Fatalf("told %v", l.told())
	}
	i := l.events[0].Incident
	if i.Calls != 57 || i.Absorbed != 1 || i.CallerCount != 3 || !i.Onset.Equal(onset) || i.Cause != fault.Software || len(i.Changes) != 1 || len(i.Samples) != 10 {
		t.Errorf("calls %d, absorbed %d, callers %d, onset %v (want %v), cause %s, changes %v, %d samples", i.Calls, i.Absorbed, i.CallerCount, i.Onset, onset, i.Cause, i.Changes, len(i.Samples))
	}
	told := Tell(&i, l.now)
	for what, text := range map[string]string{
		"title": told.Title, "sentence": told.Sentence, "evidence": strings.Join(told.Evidence, "\n"), "advice": strings.Join(told.Advice, "\n"), "check": told.Check,
	} {
		want := map[string][]string{
			"title":    {"The upstream refused the connection: orders, " + targetA},
			"sentence": {"57 calls of orders failed and 1 more were saved by another attempt, from 3 callers (c1, c2, c3)", "orders: connection_refused.", "800 ms before the first failure revision 7 came into force"},
			"evidence": {"the last good call ended 41.8 s before the first failure", "first call: ECONNREFUSED"},
			"advice":   {"Look first at what changed just before: revision 7"},
			"check":    {"causeway doctor " + targetA},
		}[what]
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("the %s %q lacks %q", what, text, part)
			}
		}
	}
	for range 5 {
		l.call("orders", "c1", "@"+targetA)
	}
	good := l.now
	l.pass(11 * time.Second)
	end := l.events[len(l.events)-1].Incident
	if end.State != Recovered || !end.Ended.Equal(good) {
		t.Errorf("ended %s at %v, want recovered at %v", end.State, end.Ended, good)
	}
	if s := Tell(&end, l.now).Sentence; !strings.Contains(s, "It recovered after 2.9 s.") {
		t.Errorf("the sentence does not tell of the recovery: %s", s)
	}
	// The next incident of the target knows that it has just come back.
	for range 3 {
		l.call("orders", "c1", "malformed_response@"+targetA)
	}
	l.pass(2 * time.Second)
	next := l.events[len(l.events)-1].Incident
	if len(next.Changes) == 0 || !strings.Contains(next.Changes[0].Text, "answered again after 2.9 s of connection_refused") {
		t.Errorf("the restart is not among the changes: %v", next.Changes)
	}
}

func TestANewAddressOfTheNameIsTold(t *testing.T) {
	l := newLab(t, Settings{})
	named := "http://orders.internal:8080"
	call := func(address string, k fault.Kind) {
		j := l.call("orders", "c1")
		j.Attempts = []journey.Attempt{{Target: named, Address: address + ":8080", Kind: k}}
		if k != "" {
			j.Finding = &fault.Finding{Kind: k, Cause: fault.Network}
		}
		l.e.Call(j)
	}
	call("10.0.0.5", "")
	l.pass(time.Minute)
	for range 4 {
		call("10.0.0.9", fault.ConnectTimeout)
	}
	l.pass(2 * time.Second)
	if len(l.events) != 1 || len(l.events[0].Incident.Changes) != 1 || !strings.Contains(l.events[0].Incident.Changes[0].Text, "leads to 10.0.0.9, and led to 10.0.0.5 before") {
		t.Fatalf("told %v, %+v", l.told(), l.events)
	}
}

func TestARestartLosesNothingAndDoublesNothing(t *testing.T) {
	l := newLab(t, Settings{})
	for range 5 {
		l.call("orders", "c1", refusedA)
	}
	l.pass(2 * time.Second)
	kept, err := json.Marshal(l.e.Ongoing())
	if err != nil {
		t.Fatal(err)
	}
	var list []Incident
	if err := json.Unmarshal(kept, &list); err != nil || len(list) != 1 {
		t.Fatalf("kept %s: %v", kept, err)
	}
	next := newLab(t, Settings{})
	next.now = l.now
	for range 4 { // seen before the old ones were read
		next.call("orders", "c2", refusedA)
	}
	next.e.Restore(list)
	next.pass(2 * time.Second)
	next.call("orders", "c1", refusedA)
	next.pass(time.Second)
	next.wantTold()
	got := next.e.Ongoing()
	if len(got) != 1 || got[0].ID != list[0].ID || got[0].Calls != 10 || got[0].CallerCount != 2 || !got[0].Onset.Equal(list[0].Onset) {
		t.Fatalf("after the restart: %+v", got)
	}
	for range 5 {
		next.call("orders", "c1", "@"+targetA)
	}
	next.pass(12 * time.Second)
	next.wantTold("closed recovered connection_refused " + targetA)
}

func TestMemoryIsBounded(t *testing.T) {
	l := newLab(t, Settings{Ceiling: 10, Share: -1})
	for n := range mostCandidates + 500 {
		for range 3 {
			l.call("orders", fmt.Sprint("c", n), fmt.Sprintf("connection_refused@http://10.0.%d.%d:80", n/250, n%250))
		}
	}
	l.pass(2 * time.Second)
	open, opened := l.e.Figures()
	k := Count{fault.ConnectionRefused, fault.Software}
	if open[k] != 10 || opened[k] != 10 {
		t.Errorf("%d open, %d opened, want 10", open[k], opened[k])
	}
	if l.e.Past() == 0 {
		t.Error("what found no room was not counted")
	}
	if n := len(l.e.tracks); n > mostCandidates+10 {
		t.Errorf("%d are remembered", n)
	}
	l.pass(10 * time.Minute)
	if n := len(l.e.tracks); n > 10 {
		t.Errorf("after ten minutes %d are remembered", n)
	}
}

func TestCallersAreCountedUpToABound(t *testing.T) {
	l := newLab(t, Settings{})
	for n := range 3 * MostCallers {
		l.call("orders", fmt.Sprint("c", n), refusedA)
	}
	l.pass(2 * time.Second)
	i := l.events[0].Incident
	if i.CallerCount != MostCallers || len(i.Callers) != listedCallers || i.Calls != 3*MostCallers {
		t.Errorf("%d callers, %d listed, %d calls", i.CallerCount, len(i.Callers), i.Calls)
	}
}

func TestSecretsOfATargetStayOut(t *testing.T) {
	l := newLab(t, Settings{})
	for range 3 {
		l.call("orders", "c1", "connection_refused@http://user:hunter2@10.0.0.5:8080/?key=hunter2")
	}
	l.pass(2 * time.Second)
	b, _ := json.Marshal(l.events)
	if strings.Contains(string(b), "hunter2") {
		t.Errorf("a secret is in %s", b)
	}
	if !reflect.DeepEqual(l.told(), []string{"opened open connection_refused http://10.0.0.5:8080/"}) {
		t.Errorf("told %v", l.told())
	}
}
