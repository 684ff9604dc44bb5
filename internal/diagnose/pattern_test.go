package diagnose

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// known is what is remembered of a target that answered 41 s ago and has failed n times since.
func known(n int, change func(p *journey.Past)) *journey.Past {
	p := &journey.Past{Watched: time.Hour, Good: true, GoodAgo: 41 * time.Second, Streak: n, RunAgo: 20 * time.Second, RunKind: fault.FirstByteTimeout}
	if change != nil {
		change(p)
	}
	return p
}

var (
	flatBefore  = journey.PastLatency{Samples: 40, P50: 4 * time.Millisecond, P95: 9 * time.Millisecond, Recent: 16, NewP50: 4 * time.Millisecond, NewP95: 8 * time.Millisecond}
	steepBefore = journey.PastLatency{Samples: 40, P50: 40 * time.Millisecond, P95: 90 * time.Millisecond, Recent: 16, NewP50: 900 * time.Millisecond, NewP95: 2 * time.Second}
)

func TestPatterns(t *testing.T) {
	refused, dropped := dialFailed(syscall.ECONNREFUSED), limited(journey.PhaseConnect, "connect", 2*time.Second)
	silent := limited(journey.PhaseWait, "first_byte", 10*time.Second)
	closed := attempt(func(a *journey.Attempt) {})
	stale := attempt(func(a *journey.Attempt) {
		a.Reused, a.ConnUses, a.ConnIdle, a.ConnAge = true, 3, 61*time.Second, 5*time.Minute
	})
	late := attempt(func(a *journey.Attempt) { a.Silence, a.Total = 60*time.Second, 60*time.Second })
	early := certificate("not_yet_valid")
	early.TLS.NotBefore, early.TLS.NotAfter = callTime.Add(48*time.Hour), callTime.Add(90*24*time.Hour)
	short := attempt(func(a *journey.Attempt) {
		a.Phase, a.BodyIn, a.BodyInLen, a.Status = journey.PhaseBody, 65536, 200000, 200
	})
	others := func(well, failing, hosts int) func(p *journey.Past) {
		return func(p *journey.Past) {
			p.Others = journey.PastOthers{Known: well + failing, Well: well, Failing: failing, Hosts: hosts, Name: "http://10.1.1.1:80", Ago: 2 * time.Second, Kind: fault.ConnectTimeout}
		}
	}
	change := func(what string, before time.Duration) func(p *journey.Past) {
		return func(p *journey.Past) {
			p.Changes = []journey.PastChange{{What: what, From: "a", To: "b", Ago: p.RunAgo + before}}
		}
	}
	for _, c := range []struct {
		name       string
		a          journey.Attempt
		past       *journey.Past
		pattern    string
		cause      fault.Cause
		confidence string
		because    string
	}{
		{"never answered", refused, &journey.Past{Watched: time.Minute, Streak: 1}, "never_worked", fault.Configuration, "likely", "since the gateway knows it (1 min)"},
		{"settings changed, and nothing since", closed, &journey.Past{Revised: true, RevisedAgo: time.Minute, GoodBefore: true, GoodBeforeAgo: 2 * time.Minute, Streak: 2, RunAgo: 50 * time.Second}, "config_changed", fault.Configuration, "likely", "1 min ago"},
		{"settings changed, one failure", closed, &journey.Past{Revised: true, RevisedAgo: time.Minute, GoodBefore: true, GoodBeforeAgo: 2 * time.Minute, Streak: 1, RunAgo: time.Second}, "config_changed", fault.Configuration, "possible", ""},
		{"crashed", refused, known(2, func(p *journey.Past) { p.CutBefore, p.CutBeforeAgo = true, p.RunAgo+12*time.Millisecond }), "crashed", fault.Software, "likely", "12 ms before"},
		{"stopped a moment ago", refused, known(1, func(p *journey.Past) { p.RunAgo = time.Second }), "stopped", fault.Software, "possible", "may be restarting"},
		{"stopped long ago", refused, known(9, func(p *journey.Past) { p.RunAgo = 10 * time.Minute }), "stopped", fault.Software, "possible", "not started again"},
		{"restarts as before", refused, known(1, func(p *journey.Past) {
			p.RunAgo = time.Second
			p.Outages = []journey.PastOutage{{Took: 2 * time.Second, Ago: time.Hour, Kind: fault.ConnectionRefused}}
		}), "restarting", fault.Software, "likely", "once before"},
		{"was away a moment ago as well", refused, known(1, func(p *journey.Past) {
			p.RunAgo = time.Second
			p.Outages = []journey.PastOutage{{Took: 2 * time.Second, Ago: 30 * time.Second, Kind: fault.ConnectionRefused}}
		}), "restarting", fault.Software, "possible", "it was away 31.0 s ago as well, for 2.0 s"},
		{"goes away again and again", refused, known(1, func(p *journey.Past) {
			p.RunAgo = time.Second
			for n := range 3 {
				p.Outages = append(p.Outages, journey.PastOutage{Took: 2 * time.Second, Ago: time.Second + time.Duration(n+1)*20*time.Second - 2*time.Second, Kind: fault.ConnectionRefused})
			}
		}), "crash_loop", fault.Software, "possible", "gone away 4 times in 1 min (about every 20.0 s) and come back in between, with no call cut"},
		{"crashes again and again", refused, known(1, func(p *journey.Past) {
			p.RunAgo, p.CutBefore, p.CutBeforeAgo = time.Second, true, time.Second
			for n := range 2 {
				p.Outages = append(p.Outages, journey.PastOutage{Took: 2 * time.Second, Ago: time.Second + time.Duration(n+1)*40*time.Second - 2*time.Second, Kind: fault.ConnectionRefused, Cut: n == 0})
			}
		}), "crash_loop", fault.Software, "likely", "3 times in 1 min 20 s (about every 40.0 s) and come back in between, and 2 times a call under way was cut"},
		{"crashed an hour ago as well", refused, known(1, func(p *journey.Past) {
			p.RunAgo, p.CutBefore, p.CutBeforeAgo = time.Second, true, time.Second
			p.Outages = []journey.PastOutage{{Took: time.Second, Ago: time.Hour, Kind: fault.ConnectionRefused, Cut: true}, {Took: time.Second, Ago: 2 * time.Hour, Kind: fault.ConnectionRefused, Cut: true}}
		}), "crashed", fault.Software, "likely", "in an orderly way."},
		{"was never away for so long", refused, known(1, func(p *journey.Past) {
			p.RunAgo = time.Minute
			p.Outages = []journey.PastOutage{{Took: 2 * time.Second, Ago: time.Hour, Kind: fault.ConnectionRefused}}
		}), "stopped", fault.Software, "possible", ""},
		{"every port of the host refuses", refused, known(1, func(p *journey.Past) { p.SameHost = journey.PastOthers{Known: 2, Failing: 2} }), "host_down", fault.Network, "likely", "All 3 ports"},
		{"one other port refuses, one answers", refused, known(1, func(p *journey.Past) {
			p.SameHost = journey.PastOthers{Known: 2, Failing: 1, Well: 1, Name: "http://h:1", Ago: time.Second}
		}), "stopped", fault.Software, "possible", ""},
		{"the name leads elsewhere", refused, known(1, change("address", time.Second)), "upstream_changed", fault.Network, "likely", "the address behind its name"},
		{"everybody fails", dropped, known(1, others(0, 3, 2)), "our_network", fault.Network, "likely", "3 other upstreams on 2 other hosts"},
		{"one other fails", dropped, known(1, others(0, 1, 1)), "our_network", fault.Network, "possible", ""},
		{"others answer", dropped, known(1, others(2, 1, 1)), "packets_dropped", fault.Network, "possible", "no call of ours in work"},
		{"calls are in work there", dropped, known(1, func(p *journey.Past) { p.Open = 3 }), "accept_queue_full", fault.Overload, "likely", "3 calls of ours"},
		{"it had become slow", dropped, known(1, func(p *journey.Past) { p.Latency = steepBefore }), "accept_queue_full", fault.Overload, "possible", "slower before"},
		{"climbed", silent, known(1, func(p *journey.Past) { p.Latency, p.Busy, p.Usual = steepBefore, 64, 4 }), "overload", fault.Overload, "likely", "64 calls are in flight where 4 are usual"},
		{"flat, then a cliff", silent, known(3, func(p *journey.Past) { p.Latency = flatBefore }), "stopped_answering", fault.Software, "likely", "none of 3 attempts"},
		{"flat, and one that hangs", silent, known(1, func(p *journey.Past) { p.Latency = flatBefore }), "", fault.Overload, "possible", ""},
		{"the limit is what is normal", limited(journey.PhaseWait, "first_byte", 100*time.Millisecond), known(1, func(p *journey.Past) {
			p.Latency = journey.PastLatency{Samples: 20, P50: 60 * time.Millisecond, P95: 95 * time.Millisecond}
		}), "limit_too_low", fault.Configuration, "likely", "limit of 100ms"},
		{"one shape", closed, known(3, func(p *journey.Past) { p.Shape = journey.PastShape{Failed: 3, OthersGood: 4} }), "one_request_shape", fault.Software, "likely", "3 times in a row"},
		{"one shape, too little to be sure", closed, known(2, func(p *journey.Past) { p.Shape = journey.PastShape{Failed: 2, OthersGood: 1} }), "one_request_shape", fault.Software, "possible", ""},
		{"all shapes", closed, known(4, func(p *journey.Past) { p.Shape = journey.PastShape{Failed: 2, OthersBad: 2} }), "every_request", fault.Software, "likely", "4 in a row"},
		{"a version came", closed, known(1, change("x-version", time.Second)), "upstream_changed", fault.IncompatibleChange, "likely", `its field x-version changed from "a" to "b"`},
		{"a version came a while before", closed, known(1, change("x-version", 5*time.Minute)), "upstream_changed", fault.IncompatibleChange, "possible", ""},
		{"a version came long before", closed, known(1, change("x-version", time.Hour)), "", fault.Software, "likely", ""},
		{"60 s, three times", late, known(3, func(p *journey.Past) {
			p.Elapsed = journey.PastCluster{Value: int64(60 * time.Second), Count: 3, Of: 3}
		}), "hidden_timeout", fault.Configuration, "likely", "nginx's proxy_read_timeout"},
		{"60 s, once", late, known(1, func(p *journey.Past) {
			p.Elapsed = journey.PastCluster{Value: int64(60 * time.Second), Count: 1, Of: 1}
		}), "hidden_timeout", fault.Configuration, "possible", "1 call ended 1 min"},
		{"37 s, three times", late, known(3, func(p *journey.Past) {
			p.Elapsed = journey.PastCluster{Value: int64(37 * time.Second), Count: 3, Of: 3}
		}), "hidden_timeout", fault.Configuration, "likely", "37.0 s after"},
		{"37 s, once", late, known(1, func(p *journey.Past) {
			p.Elapsed = journey.PastCluster{Value: int64(37 * time.Second), Count: 1, Of: 1}
		}), "", fault.Software, "likely", ""},
		{"64 KiB, three times", short, known(3, func(p *journey.Past) { p.Size = journey.PastCluster{Value: 65536, Count: 3, Of: 3} }), "hidden_limit", fault.Configuration, "likely", "exactly 65536 bytes"},
		{"idle for a minute, twice", stale, known(0, func(p *journey.Past) {
			p.Idle, p.KeepFor = journey.PastCluster{Value: int64(60 * time.Second), Count: 2, Of: 2}, 55*time.Second
		}), "keepalive_mismatch", fault.Configuration, "likely", "go after 55.0 s"},
		{"idle for a minute, once", stale, known(0, nil), "keepalive_mismatch", fault.Configuration, "possible", "may close idle connections"},
		{"the clock is wrong", early, known(1, func(p *journey.Past) { p.ClockOff, p.ClockSeen = -72*time.Hour, 2 }), "wrong_clock", fault.Gateway, "likely", "3 d behind"},
		{"the clock is right", early, known(1, func(p *journey.Past) { p.ClockOff, p.ClockSeen = time.Second, 2 }), "", fault.Configuration, "high", ""},
		{"the clock is wrong, and that explains nothing", early, known(1, func(p *journey.Past) { p.ClockOff, p.ClockSeen = time.Hour, 2 }), "", fault.Configuration, "high", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := post(c.a)
			in.Past = c.past
			in.History = History{Known: true, EverGood: c.past.Good || c.past.GoodBefore, LastGood: c.past.GoodAgo}
			f := Judge(in)
			if f.Pattern != c.pattern || f.Cause != c.cause || f.Confidence != c.confidence {
				t.Errorf("got  %q %s (%s): %s\nwant %q %s (%s)", f.Pattern, f.Cause, f.Confidence, f.Because, c.pattern, c.cause, c.confidence)
			}
			if !strings.Contains(f.Because, c.because) {
				t.Errorf("because %q lacks %q", f.Because, c.because)
			}
			if (f.Pattern == "") != (f.Because == "") {
				t.Errorf("pattern %q because %q: they come together", f.Pattern, f.Because)
			}
			if f.Pattern != "" && f.Check == "" {
				t.Error("nothing is named that would settle it")
			}
			for _, safe := range append([]string{f.SafeDetail, f.Warning}, f.CallerAdvice...) {
				for _, secret := range []string{canaryHost, canaryAddress, canaryPort, canarySecret} {
					if strings.Contains(safe, secret) {
						t.Errorf("the safe view tells %s: %q", secret, safe)
					}
				}
			}
			for _, full := range append(append([]string{f.Because, f.Check}, f.Evidence...), f.Advice...) {
				if strings.Contains(full, canarySecret) {
					t.Errorf("a secret shows: %q", full)
				}
			}
		})
	}
}

func TestWithoutAPastNothingIsInferred(t *testing.T) {
	for name, in := range facts() {
		if f := Judge(in); f != nil && (f.Pattern != "" && f.Pattern != "gateway_host" && f.Pattern != "process_ended" || f.Because != "") {
			t.Errorf("%s: %q because %q", name, f.Pattern, f.Because)
		}
	}
}

func TestModelsAndKeys(t *testing.T) {
	for _, c := range []struct {
		name    string
		kind    fault.Kind
		past    *journey.Past
		pattern string
		cause   fault.Cause
	}{
		{"retired", fault.ModelNotFound, known(1, func(p *journey.Past) { p.ModelGood, p.ModelGoodAgo = true, time.Minute }), "model_retired", fault.IncompatibleChange},
		{"mistyped", fault.ModelNotFound, known(1, nil), "model_mistyped", fault.Configuration},
		{"one key of three", fault.ProviderKeyRejected, known(1, func(p *journey.Past) { p.Keys, p.KeysGood = 3, 2 }), "one_bad_key", fault.Configuration},
		{"all keys", fault.ProviderKeyRejected, known(1, func(p *journey.Past) { p.Keys = 3 }), "bad_key", fault.Configuration},
		{"no money", fault.QuotaExhausted, known(1, nil), "no_money", fault.Configuration},
		{"outage", fault.ProviderError, known(3, nil), "provider_outage", fault.Software},
		{"a single error", fault.ProviderError, known(1, nil), "", fault.Software},
	} {
		in := model(c.kind, 500)
		in.Past = c.past
		f := Judge(in)
		if f.Pattern != c.pattern || f.Cause != c.cause {
			t.Errorf("%s: %q %s because %q", c.name, f.Pattern, f.Cause, f.Because)
		}
	}
}

func TestWarnings(t *testing.T) {
	in := post(attempt(func(a *journey.Attempt) {}))
	if f := Judge(in); f.Retry != fault.MayRepeat || !strings.Contains(f.Warning, "POST") {
		t.Errorf("%s %q", f.Retry, f.Warning)
	}
	in.LLM = true
	if f := Judge(in); !strings.Contains(f.Warning, "billed twice") {
		t.Errorf("%q", f.Warning)
	}
	if f := Judge(get(attempt(func(a *journey.Attempt) {}))); f.Retry != fault.Safe || f.Warning != "" {
		t.Errorf("%s %q", f.Retry, f.Warning)
	}
}

func TestOwnersAreInOrder(t *testing.T) {
	for i := range owners {
		if i > 0 && owners[i].seconds <= owners[i-1].seconds {
			t.Errorf("%d s stands behind %d s", owners[i].seconds, owners[i-1].seconds)
		}
		at := time.Duration(owners[i].seconds) * time.Second
		if s, _ := ownerOf(at + 3*time.Millisecond); s != owners[i].seconds {
			t.Errorf("%d s is read as %d", owners[i].seconds, s)
		}
	}
	for _, d := range []time.Duration{time.Second, 37 * time.Second, 58 * time.Second, 65 * time.Second} {
		if s, who := ownerOf(d); s != 0 {
			t.Errorf("%v is taken for %d s (%s)", d, s, who)
		}
	}
}
