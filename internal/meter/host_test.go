package meter

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/journey"
)

func TestLoadAndHostAreShown(t *testing.T) {
	var host *journey.Host
	m, err := New(Options{Sources: Sources{
		Load: func() Load {
			return Load{Waiting: 3, Ceiling: 100, TurnedAway: 0.25, Delay: 0.3, MemoryLow: "soft", Refused: map[string]int64{"full": 7}, AcceptFailed: 2, TooSlow: 5}
		},
		Host: func() *journey.Host { return host },
	}})
	if err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	before := scrape()
	for _, want := range []string{
		"causeway_calls_waiting 3", "causeway_calls_in_flight_max 100", "causeway_overload_turned_away_ratio 0.25", "causeway_overload_delay_seconds 0.3",
		`causeway_memory_low{level="soft"} 1`, `causeway_memory_low{level="hard"} 0`, `causeway_calls_refused_total{reason="full"} 7`,
		"causeway_accept_failures_total 2", "causeway_callers_too_slow_total 5",
	} {
		if !strings.Contains(before, want+"\n") {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(before, "causeway_host_") {
		t.Error("a host of which nothing is known is shown")
	}
	host = &journey.Host{CPU: 98, Steal: 40, Delay: 220 * time.Millisecond, Files: 80, FilesMax: 100, DiskFree: -1, DiskError: "full", ClockStep: -time.Minute}
	after := scrape()
	for _, want := range []string{
		"causeway_host_cpu_busy_ratio 0.98", "causeway_host_cpu_steal_ratio 0.4", "causeway_host_sched_delay_seconds 0.22", "causeway_host_descriptors 80",
		"causeway_host_disk_free_bytes 0", "causeway_host_disk_failing 1", "causeway_host_clock_step_seconds -60",
	} {
		if !strings.Contains(after, want+"\n") {
			t.Errorf("no %q", want)
		}
	}
}
