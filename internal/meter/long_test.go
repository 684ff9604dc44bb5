package meter

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLongWorkIsShown(t *testing.T) {
	m, err := New(Options{Sources: Sources{
		Door: func() Door { return Door{Silent: 3, Idle: 4} },
		Long: func() Long {
			return Long{
				Work:   map[string]LongWork{"tiny_chunks": {Turns: 5, Waited: 1500 * time.Millisecond}},
				Unread: map[Unread]int64{{Of: "answer", Provider: "mock", Reason: "ratio"}: 6},
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		"causeway_connections_silent_total 3", "causeway_connections_idle_total 4",
		`causeway_long_work_turns_total{work="tiny_chunks"} 5`, `causeway_long_work_waited_seconds_total{work="tiny_chunks"} 1.5`,
		`causeway_coded_texts_unread_total{of="answer",provider="mock",reason="ratio"} 6`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %q", want)
		}
	}
}
