package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// examiner stands for internal/doctor: it tells one step, and does what the target's name asks for.
func examiner(release <-chan struct{}, entered chan<- struct{}) Examiner {
	return func(ctx context.Context, what Examination, tell func(DoctorEvent)) (*DoctorRun, error) {
		if what.Target == "service:nobody" {
			return nil, errors.New("the configuration has no service \"nobody\"")
		}
		tell(DoctorEvent{Event: "begin", Begin: &DoctorAt{Part: "status", Name: "tcp"}})
		if what.Target == "wait" {
			entered <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		tell(DoctorEvent{Event: "step", Step: &DoctorAt{Part: "status", Name: "tcp", Result: "fault", Kind: "connection_refused", Text: "refused\n<b>", MS: 2}})
		return &DoctorRun{Target: what.Target, Looked: true, MS: 3, Verdict: DoctorVerdict{Kind: "connection_refused", Title: "It refused", Detail: "Nothing listens."}}, nil
	}
}

func doctorWorld(t *testing.T) (w *world, release, entered chan struct{}) {
	release, entered = make(chan struct{}), make(chan struct{}, 16)
	return newWorld(t, func(d *Deps) { d.Examine = examiner(release, entered) }), release, entered
}

func TestAnExaminationIsToldStepByStep(t *testing.T) {
	w, _, _ := doctorWorld(t)
	ask := request{as: "token", method: "POST", path: "/api/v1/doctor", body: `{"target":"service:orders"}`}
	body, r := w.do(ask)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %s %s", r.StatusCode, r.Header.Get("Content-Type"), body)
	}
	var events []DoctorEvent
	for line := range strings.Lines(body) {
		var e DoctorEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events = append(events, e)
	}
	if len(events) != 3 || events[0].Begin == nil || events[1].Step.Text != "refused\n<b>" || events[2].End == nil || events[2].End.Verdict.Kind != "connection_refused" || events[2].End.Steps != nil {
		t.Fatalf("%s", body)
	}
	ask.header = map[string]string{"Accept": "text/event-stream"}
	if body, r = w.do(ask); r.Header.Get("Content-Type") != "text/event-stream" || strings.Count(body, "\n\n") != 3 || !strings.HasPrefix(body, "event: begin\ndata: {") || !strings.Contains(body, "event: end\ndata: {") {
		t.Errorf("%s", body)
	}

	body, _ = w.do(request{as: "viewer", path: "/api/v1/doctor"})
	var list DoctorRuns
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Runs) != 2 || list.Runs[1].ID != events[2].End.ID || list.Runs[0].Steps != nil || list.Runs[0].By != "admin" {
		t.Fatalf("%v %s", err, body)
	}
	body, _ = w.do(request{as: "viewer", path: "/api/v1/doctor/" + list.Runs[1].ID})
	var run DoctorRun
	if err := json.Unmarshal([]byte(body), &run); err != nil || len(run.Steps) != 1 || run.Steps[0].Kind != "connection_refused" {
		t.Errorf("%v %s", err, body)
	}
	if _, r = w.do(request{as: "viewer", path: "/api/v1/doctor/x"}); r.StatusCode != 404 {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestWhoMayAskForAnExamination(t *testing.T) {
	w, _, _ := doctorWorld(t)
	for _, c := range []struct {
		name, as, body string
		status         int
		says           string
	}{
		{"nobody", "", `{"target":"service:orders"}`, 401, "token"},
		{"a viewer", "viewer", `{"target":"service:orders"}`, 403, "role admin"},
		{"another page", "session", `{"target":"service:orders"}`, 403, "another origin"},
		{"no target", "token", `{}`, 422, "target"},
		{"a member too much", "token", `{"target":"x","allow_private":true}`, 422, "allow_private"},
		{"a path without /", "token", `{"target":"x","path":"y"}`, 422, "begin with /"},
		{"a name that is not there", "token", `{"target":"service:nobody"}`, 422, "no service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := request{as: c.as, method: "POST", path: "/api/v1/doctor", body: c.body}
			if c.name == "another page" {
				x.header = map[string]string{"Origin": "https://evil.example"}
			}
			body, r := w.do(x)
			if r.StatusCode != c.status && !(c.status == 422 && r.StatusCode == 400) || !strings.Contains(body, c.says) || r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s", r.StatusCode, body)
			}
		})
	}
	if body, r := newWorld(t).do(request{as: "token", method: "POST", path: "/api/v1/doctor", body: `{"target":"x"}`}); r.StatusCode != 501 {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func TestOnlySoManyExaminationsAtATime(t *testing.T) {
	w, release, entered := doctorWorld(t)
	over := make(chan int, doctorAtOnce)
	for range doctorAtOnce {
		go func() {
			_, r := w.do(request{as: "token", method: "POST", path: "/api/v1/doctor", body: `{"target":"wait"}`})
			over <- r.StatusCode
		}()
		<-entered
	}
	one := request{as: "token", method: "POST", path: "/api/v1/doctor", body: `{"target":"service:orders"}`}
	if body, r := w.do(one); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	close(release)
	for range doctorAtOnce {
		if status := <-over; status != 200 {
			t.Errorf("%d", status)
		}
	}
	if body, r := w.do(one); r.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", r.StatusCode, body)
	}
}

// A client that leaves ends its examination, and its place is free again.
func TestALeavingClientEndsItsExamination(t *testing.T) {
	gone := make(chan struct{})
	entered := make(chan struct{})
	w := newWorld(t, func(d *Deps) {
		d.Examine = func(ctx context.Context, _ Examination, tell func(DoctorEvent)) (*DoctorRun, error) {
			tell(DoctorEvent{Event: "begin", Begin: &DoctorAt{Part: "status", Name: "tcp"}})
			close(entered)
			<-ctx.Done()
			close(gone)
			return nil, ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	rq, err := http.NewRequestWithContext(ctx, "POST", w.server.URL+"/api/v1/doctor", strings.NewReader(`{"target":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Authorization", "Bearer "+w.adminToken)
	rq.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	cancel()
	_ = res.Body.Close()
	<-gone
}
