package diagnose

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

func TestTheEndOfTheUpstreamsProcessIsJoined(t *testing.T) {
	refused := attempt(func(a *journey.Attempt) {
		before(a, journey.PhaseConnect, journey.EndErrno)
		a.Errno = syscall.ECONNREFUSED
	})
	trace := &journey.Traceback{Language: "Python", Error: "KeyError: 'total'", Where: "app.py:12 in handler", Lines: []string{"Traceback (most recent call last):", "KeyError: 'total'"}}
	oom := &journey.Child{
		Name: "python3", PID: 77, Ended: true, Ago: 12 * time.Millisecond, Ran: time.Minute, Code: -1, Signal: "SIGKILL",
		OutOfMemory: "the kernel's log: Out of memory: Killed process 77 (python3)", MemoryCounted: true, MemoryMax: 64 << 20, Last: []string{"loading"},
	}
	tests := []struct {
		name                string
		child               *journey.Child
		passed              bool
		cause               fault.Cause
		detail, safe        string
		evidence, ruled, do string
	}{
		{
			"out of memory", oom, false, fault.Overload, "the upstream process died 12 ms before: signal SIGKILL (out of memory).", "the upstream process had ended.",
			"its control group may have 64 MiB", "a wrong address", "Give the upstream more memory",
		},
		{
			"killed, and the counter says not by the kernel", &journey.Child{Name: "x", Ended: true, Ago: time.Second, Code: -1, Signal: "SIGKILL", MemoryCounted: true},
			false, fault.Software, "died 1.0 s before: signal SIGKILL.", "had ended.", "died 1.0 s before", "want of memory", "--restart on-failure",
		},
		{
			"exited with a traceback", &journey.Child{Name: "x", Ended: true, Ago: -time.Millisecond, Code: 3, Trace: trace},
			false, fault.Software, "exited at that moment: code 3.", "had ended.", "Python traceback (app.py:12 in handler): KeyError: 'total'", "", "Fix what the traceback names: KeyError: 'total', at app.py:12 in handler.",
		},
		{
			"ended and started again", &journey.Child{Name: "x", Ended: true, Running: true, Ago: time.Second, Code: 1}, false, fault.Software,
			"exited 1.0 s before: code 1.", "had ended.", "it was started again since", "", "",
		},
		{
			"crashes again and again", &journey.Child{Name: "x", Ended: true, Ago: time.Second, Code: 1, Crashes: 4, CrashSpan: 27 * time.Second}, false, fault.Software,
			"exited 1.0 s before: code 1, for the 4th time in 27.0 s.", "had ended.", "a crash loop: the process has ended like this 4 times in 27.0 s, about every 9.0 s", "", "crashes each time that it is started",
		},
		{
			"runs", &journey.Child{Name: "x", PID: 5, Running: true, Last: []string{"starting"}}, false, fault.Configuration, "", "",
			"the upstream process (x, pid 5) runs", "", "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := get(refused)
			in.Child = tt.child
			in.History = History{Known: true}
			f := Judge(in)
			if f.Kind != fault.ConnectionRefused || f.Cause != tt.cause {
				t.Errorf("%s, %s", f.Kind, f.Cause)
			}
			if !strings.HasSuffix(f.Detail, tt.detail) || !strings.HasSuffix(f.SafeDetail, tt.safe) {
				t.Errorf("detail %q\nsafe %q", f.Detail, f.SafeDetail)
			}
			for what, pair := range map[string][2]string{
				"evidence": {strings.Join(f.Evidence, "\n"), tt.evidence}, "ruled out": {strings.Join(f.RuledOut, "\n"), tt.ruled}, "advice": {strings.Join(f.Advice, "\n"), tt.do},
			} {
				if !strings.Contains(pair[0], pair[1]) {
					t.Errorf("%s without %q: %s", what, pair[1], pair[0])
				}
			}
			if strings.Contains(f.SafeDetail, "SIGKILL") || strings.Contains(f.SafeDetail, "pid") {
				t.Errorf("strangers are told: %s", f.SafeDetail)
			}
		})
	}
}

func TestAnUpstreamsOwn500IsJoinedWithItsTraceback(t *testing.T) {
	in := get(attempt(func(a *journey.Attempt) { a.Status, a.Phase, a.End = 500, journey.PhaseDone, journey.EndComplete }))
	in.Kind, in.Passed, in.Answer = fault.UpstreamError, true, &Answer{Status: 500}
	in.Child = &journey.Child{Name: "gunicorn", Running: true, Trace: &journey.Traceback{Language: "Python", Error: "ZeroDivisionError: division by zero", Where: "app.py:9 in index"}}
	f := Judge(in)
	if all := strings.Join(f.Evidence, "\n"); !strings.Contains(all, "Python traceback (app.py:9 in index): ZeroDivisionError: division by zero") || strings.Contains(all, "gunicorn") {
		t.Errorf("evidence: %s", all)
	}
}

func TestTheCallersOwnDoingIsNotJoined(t *testing.T) {
	in := room(fault.KeyMissing)
	in.Child = &journey.Child{Name: "x", Ended: true, Code: 1, Last: []string{"boom"}}
	if f := Judge(in); strings.Contains(f.Detail, "exited") || strings.Contains(strings.Join(f.Evidence, "\n"), "boom") {
		t.Errorf("%+v", f)
	}
}
