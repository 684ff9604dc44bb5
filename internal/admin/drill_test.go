package admin

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/drill"
)

func TestADrillIsToldStepByStepAndRemembered(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	w := newWorld(t, func(d *Deps) {
		d.RunDrill = func(ctx context.Context, what Drill, tell func(drill.Step)) (*drill.Report, error) {
			if len(what.Only) > 0 && what.Only[0] == "service:none" {
				return nil, drill.ErrNothing
			}
			tell(drill.Step{Subject: "service orders", Fault: "no_answer", Done: 1, Total: 2})
			if len(what.Faults) > 0 {
				entered <- struct{}{}
				select {
				case <-release:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return &drill.Report{Grade: "B", Text: "Grade B.", Subjects: []drill.Subject{{Name: "orders", Grade: "B"}}}, nil
		}
	})
	if _, r := w.do(request{as: "viewer", path: "/api/v1/drill"}); r.StatusCode != 404 {
		t.Errorf("before the first: %d", r.StatusCode)
	}
	if body, r := w.do(request{as: "token", method: "POST", path: "/api/v1/drill", body: `{"only":["service:none"]}`}); r.StatusCode != 422 || !strings.Contains(body, "nothing to drill") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	body, r := w.do(request{as: "token", method: "POST", path: "/api/v1/drill", body: `{}`})
	lines := strings.Split(strings.TrimSpace(body), "\n")
	var step, end DrillEvent
	if r.StatusCode != 200 || len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &step) != nil || json.Unmarshal([]byte(lines[1]), &end) != nil {
		t.Fatalf("%d %s", r.StatusCode, body)
	}
	if step.Step == nil || step.Step.Fault != "no_answer" || end.End == nil || end.End.Grade != "B" {
		t.Errorf("%s", body)
	}
	if body, r = w.do(request{as: "viewer", path: "/api/v1/drill"}); r.StatusCode != 200 || !strings.Contains(body, `"Grade B."`) {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if _, r = w.do(request{as: "viewer", method: "POST", path: "/api/v1/drill", body: `{}`}); r.StatusCode != 403 {
		t.Errorf("a viewer may start one: %d", r.StatusCode)
	}

	done := make(chan string, 1)
	go func() {
		body, _ := w.do(request{as: "token", method: "POST", path: "/api/v1/drill", body: `{"faults":["no_answer"]}`})
		done <- body
	}()
	<-entered
	if _, r = w.do(request{as: "token", method: "POST", path: "/api/v1/drill", body: `{}`}); r.StatusCode != 409 {
		t.Errorf("two at a time: %d", r.StatusCode)
	}
	close(release)
	if body := <-done; !strings.Contains(body, `"end"`) {
		t.Errorf("%s", body)
	}
}
