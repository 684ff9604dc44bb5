package load

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"causeway/bench/mock"
)

// serve runs a mock for the test and returns its address.
func serve(t *testing.T, options mock.Options) string {
	t.Helper()
	server, err := mock.Listen("127.0.0.1:0", options)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return server.Addr()
}

func run(t *testing.T, spec Spec) Result {
	t.Helper()
	result, err := Run(context.Background(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestEveryModeGetsWholeAnswers(t *testing.T) {
	addr := serve(t, mock.Options{Events: 20})
	for _, mode := range []Mode{REST1K, REST64K, Chat, SSE, Crossed, CrossedSSE} {
		t.Run(string(mode), func(t *testing.T) {
			got := run(t, Spec{Addr: addr, Mode: mode, Conns: 16, Events: 20, Answers: 500, Duration: time.Minute})
			if got.Answers < 500 || got.Bad() != 0 || got.Reconnects != 0 {
				t.Errorf("%d answers, %d bad (%s), %d reconnects; want at least 500 and none", got.Answers, got.Bad(), got.Example, got.Reconnects)
			}
			if got.Latency.P50 <= 0 || got.Latency.P50 > got.Latency.P99 || got.Latency.P99 > got.Latency.Max {
				t.Errorf("quantiles out of order: %+v", got.Latency)
			}
			if (mode == SSE || mode == CrossedSSE) && got.Events != 20*got.Answers {
				t.Errorf("%d events in %d streams, want 20 each", got.Events, got.Answers)
			}
			if (mode == SSE || mode == CrossedSSE) && (got.EventDelay.P50 <= 0 || got.EventDelay.P50 > time.Second) {
				t.Errorf("event delay %v: the time in the events was not read", got.EventDelay.P50)
			}
		})
	}
}

func TestBadAnswersAreCounted(t *testing.T) {
	for _, test := range []struct {
		name    string
		options mock.Options
		mode    Mode
		events  int // expected of each stream
		count   func(Result) int64
		says    string
	}{
		{"a connection that ends inside a stream", mock.Options{Events: 10, CutEvery: 40}, SSE, 10, func(r Result) int64 { return r.Truncated }, "bytes into an answer's body"},
		{"a clean end without [DONE]", mock.Options{Events: 10, OmitDoneEvery: 40}, SSE, 10, func(r Result) int64 { return r.Truncated }, "ended cleanly"},
		{"an answer one byte short", mock.Options{ShortEvery: 40}, REST1K, 0, func(r Result) int64 { return r.Wrong }, "1023 bytes instead of 1024"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// The first 16 calls open the connections and are not counted; with one bad answer in
			// 40, the first bad one is the 24th counted.
			got := run(t, Spec{Addr: serve(t, test.options), Mode: test.mode, Conns: 16, Events: test.events, Answers: 400, Duration: time.Minute})
			want := (16 + got.Answers + got.Bad()) / 40
			if n := test.count(got); n != want || got.Bad() != n {
				t.Errorf("counted %d, %d bad in all, want %d: %+v", n, got.Bad(), want, got)
			}
			if !strings.Contains(got.Example, test.says) {
				t.Errorf("the example %q does not say %q", got.Example, test.says)
			}
		})
	}
}

func TestStreamsShorterThanExpectedAreTruncated(t *testing.T) {
	addr := serve(t, mock.Options{Events: 9})
	_, err := Run(context.Background(), Spec{Addr: addr, Mode: SSE, Conns: 2, Events: 10, Answers: 10, Duration: time.Minute}, nil)
	if err == nil || !strings.Contains(err.Error(), "of 2514 bytes") {
		t.Errorf("a run whose first streams lack an event says: %v", err)
	}
}

func TestOneThreadServesMockAndLoad(t *testing.T) {
	for _, test := range []struct {
		name    string
		options mock.Options
		spec    Spec
		// The least time that the calls can take.
		least time.Duration
	}{
		{"closed loop", mock.Options{}, Spec{Mode: REST64K, Conns: 16, Answers: 300, Duration: time.Minute, Quiet: time.Millisecond}, 0},
		{"paced streams", mock.Options{Events: 10, Pace: 2 * time.Millisecond}, Spec{Mode: SSE, Events: 10, Conns: 16, Answers: 64, Duration: time.Minute}, 20 * time.Millisecond},
		{"streams at full speed", mock.Options{Events: 10}, Spec{Mode: SSE, Events: 10, Conns: 16, Answers: 64, Duration: time.Minute}, 0},
		{"fixed rate", mock.Options{}, Spec{Mode: Chat, Conns: 16, Rate: 2000, Duration: 100 * time.Millisecond}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, err := mock.Listen("127.0.0.1:0", test.options)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Release()
			test.spec.Addr = server.Addr()
			got, err := Run(context.Background(), test.spec, func() error { return server.Step(0) })
			if err != nil {
				t.Fatal(err)
			}
			if got.Answers < max(test.spec.Answers, 50) || got.Bad() != 0 {
				t.Errorf("%+v", got)
			}
			if got.Latency.P50 < test.least {
				t.Errorf("an answer took %v, less than %v", got.Latency.P50, test.least)
			}
		})
	}
}

func TestOpenLoopKeepsItsRate(t *testing.T) {
	addr := serve(t, mock.Options{})
	got := run(t, Spec{Addr: addr, Mode: Chat, Conns: 8, Rate: 1000, Warm: 50 * time.Millisecond, Duration: 500 * time.Millisecond})
	rate := float64(got.Answers+got.Unsent) / got.Elapsed.Seconds()
	if rate < 900 || rate > 1100 || got.Bad() != 0 {
		t.Errorf("%.0f calls per second, %d bad, want 1000 and none: %+v", rate, got.Bad(), got)
	}
}

func TestPacedStreamsKeepTheirPace(t *testing.T) {
	addr := serve(t, mock.Options{Events: 20, Pace: 2 * time.Millisecond})
	got := run(t, Spec{Addr: addr, Mode: SSE, Conns: 4, Events: 20, Answers: 8, Duration: time.Minute})
	if got.Latency.P50 < 38*time.Millisecond {
		t.Errorf("a stream of 20 events took %v at one every 2 ms", got.Latency.P50)
	}
	if got.Answers < 8 || got.Bad() != 0 {
		t.Errorf("%d whole streams, %d bad (%s)", got.Answers, got.Bad(), got.Example)
	}
}

func TestHeldConnectionsStayOpen(t *testing.T) {
	addr := serve(t, mock.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed, err := Hold(ctx, Spec{Addr: addr, Mode: REST1K, Conns: 300}, nil, cancel)
	if err != nil || closed != 0 {
		t.Errorf("%d of 300 connections closed, %v", closed, err)
	}
}

func TestASpecThatCannotRunIsAnError(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		says string
	}{
		{"no address", Spec{Mode: Chat, Conns: 1}, "address"},
		{"no connections", Spec{Addr: "127.0.0.1:1", Mode: Chat}, "connections"},
		{"unknown mode", Spec{Addr: "127.0.0.1:1", Mode: "soap", Conns: 1}, "soap"},
		{"nothing listens", Spec{Addr: "127.0.0.1:1", Mode: Chat, Conns: 1}, "connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Run(context.Background(), test.spec, nil)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
		})
	}
}

func TestCPUAgreesWithProcStat(t *testing.T) {
	for began := time.Now(); time.Since(began) < 100*time.Millisecond; { // so that there is something to count
	}
	used, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	var ticks time.Duration
	for _, field := range fields[11:13] { // utime and stime, the 14th and 15th of the line
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n) * 10 * time.Millisecond
	}
	if difference := ticks - used; difference.Abs() > 60*time.Millisecond {
		t.Errorf("the CPU clock says %v, /proc/self/stat %v", used, ticks)
	}
}
