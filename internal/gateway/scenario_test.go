package gateway

import (
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// scenario is one call and what must come of it.
type scenario struct {
	name    string
	request string
	// answers of the upstream, one for each request, the last for all further ones.
	answers []string
	status  int
	has     []string // of the answer, head and body
	lacks   []string
	sent    []string // of what the upstream got
	unsent  []string
	calls   int // requests that the upstream got
	// record looks at the call's record.
	record func(*testing.T, *journey.Journey)
}

// run makes the calls of a table at one gateway with one upstream.
func (r *rig) run(t *testing.T, up *origin, table []scenario) {
	for _, s := range table {
		t.Run(s.name, func(t *testing.T) {
			if len(s.answers) == 0 {
				s.answers = []string{reply(200, "ok")}
			}
			up.replies(s.answers...)
			a := r.call(t, s.request)
			if a.status != s.status {
				t.Errorf("status %d, want %d", a.status, s.status)
			}
			for _, want := range s.has {
				if !strings.Contains(a.whole(), want) {
					t.Errorf("the answer lacks %q", want)
				}
			}
			for _, not := range s.lacks {
				if strings.Contains(a.whole(), not) {
					t.Errorf("the answer has %q", not)
				}
			}
			list := up.got()
			if len(list) != s.calls {
				t.Errorf("%d requests came to the upstream, want %d", len(list), s.calls)
			}
			sent := ""
			for _, rq := range list {
				sent += rq.head + "\r\n" + rq.body
			}
			for _, want := range s.sent {
				if !strings.Contains(sent, want) {
					t.Errorf("the upstream did not get %q", want)
				}
			}
			for _, not := range s.unsent {
				if strings.Contains(sent, not) {
					t.Errorf("the upstream got %q", not)
				}
			}
			j := r.record(t, a)
			if j.Status != a.status {
				t.Errorf("the record says %d, the caller got %d", j.Status, a.status)
			}
			if j.BytesOut != int64(len(a.body)) {
				t.Errorf("the record says %d bytes, the caller got %d", j.BytesOut, len(a.body))
			}
			if kind := kindOf(j); kind != "" && j.Finding.Status != a.status {
				t.Errorf("the finding %s says %d, the caller got %d", kind, j.Finding.Status, a.status)
			}
			if s.record != nil {
				s.record(t, j)
			}
			if t.Failed() {
				t.Logf("answer:\n%s\nupstream got:\n%s", a.whole(), sent)
			}
		})
	}
}

func kindOf(j *journey.Journey) fault.Kind {
	if j.Finding == nil {
		return ""
	}
	return j.Finding.Kind
}
