package diagnose

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// refusedWith is an attempt that a provider answered with a status of its own.
func refusedWith(target string, kind fault.Kind, status int) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.Target, a.Kind, a.Status, a.Phase, a.End = target, kind, status, journey.PhaseDone, journey.EndComplete
	})
}

func TestRetryAfterSeveralAttempts(t *testing.T) {
	const one, two = "https://one.example/v1", "https://two.example/v1"
	hung := limited(journey.PhaseWait, "first_byte", 10*time.Second)
	hung.Target = one
	refused := dialFailed(syscall.ECONNREFUSED)
	refused.Target = one
	for _, c := range []struct {
		name string
		list []journey.Attempt
		want fault.Verdict
	}{
		{"a hung provider, then a login page", []journey.Attempt{hung, refusedWith(two, fault.IncompatibleResponse, 200)}, fault.MayRepeat},
		{"a provider that refused, then a login page", []journey.Attempt{refused, refusedWith(two, fault.IncompatibleResponse, 200)}, fault.No},
		{"a hung provider, then a prompt that is too long", []journey.Attempt{hung, refusedWith(two, fault.ContextTooLong, 400)}, fault.No},
		{"a rejected key, then a limited one", []journey.Attempt{refusedWith(one, fault.ProviderKeyRejected, 401), refusedWith(one, fault.ProviderRateLimited, 429)}, fault.Safe},
		{"a limited key alone", []journey.Attempt{refusedWith(one, fault.ProviderRateLimited, 429)}, fault.Safe},
		{"a hung provider, then a limited key", []journey.Attempt{hung, refusedWith(two, fault.ProviderRateLimited, 429)}, fault.MayRepeat},
		{"an account without money, then a region", []journey.Attempt{refusedWith(one, fault.QuotaExhausted, 429), refusedWith(two, fault.RegionBlocked, 403)}, fault.No},
	} {
		in := Input{Provider: "p", Model: "m", Method: "POST", LLM: true, Time: callTime, Attempts: c.list, Targets: 1, Healthy: 1}
		last := &c.list[len(c.list)-1]
		in.Kind = last.Kind
		in.Answer = &Answer{Status: last.Status}
		f := Judge(in)
		if f.Retry != c.want {
			t.Errorf("%s: retry is %q, want %q", c.name, f.Retry, c.want)
		}
		if (f.Retry == fault.MayRepeat) != strings.Contains(f.Warning, "billed twice") {
			t.Errorf("%s: the warning is %q", c.name, f.Warning)
		}
	}
}

// A call has the kind of its last attempt; what it began with is told beside it.
func TestWhatACallBeganWithIsTold(t *testing.T) {
	crash := attempt(func(a *journey.Attempt) { a.Phase, a.End, a.BytesOut = journey.PhaseWait, journey.EndReset, 100 })
	refused := dialFailed(syscall.ECONNREFUSED)
	elsewhere := crash
	elsewhere.Target = "http://10.0.0.9:80"
	for _, c := range []struct {
		name       string
		list       []journey.Attempt
		full, safe string
	}{
		{
			"a crash that a refused retry followed",
			[]journey.Attempt{crash, refused, refused},
			"nothing listens there. It began otherwise: attempt 1 of 3 met reset_before_response: the upstream reset the connection without an answer.",
			"nothing listens there. It began otherwise: attempt 1 of 3 met reset_before_response: the upstream reset the connection without an answer.",
		},
		{
			"another target", []journey.Attempt{elsewhere, refused}, "attempt 1 of 2 (http://10.0.0.9:80) met reset_before_response", "attempt 1 of 2 met reset_before_response",
		},
		{"all alike", []journey.Attempt{refused, refused}, "nothing listens there.", "nothing listens there."},
	} {
		in := get(c.list[0])
		in.Attempts = c.list
		f := Judge(in)
		if f.Kind != fault.ConnectionRefused || !strings.Contains(f.Detail, c.full) || !strings.Contains(f.SafeDetail, c.safe) {
			t.Errorf("%s: %s, %q, %q", c.name, f.Kind, f.Detail, f.SafeDetail)
		}
		if began := strings.Contains(f.Detail, "It began otherwise"); began != (c.name != "all alike") {
			t.Errorf("%s: %q", c.name, f.Detail)
		}
	}
}

func TestEvidenceDoesNotContradictItself(t *testing.T) {
	answered := attempt(func(a *journey.Attempt) { a.Phase, a.Status, a.BodyIn, a.BodyInLen = journey.PhaseBody, 200, 10, 100 })
	plain := answered
	plain.Target, plain.TLSTime, plain.HTTP2 = "http://10.0.0.9:80", time.Millisecond, &journey.HTTP2Facts{Stream: 1}
	for _, c := range []struct {
		name         string
		in           Input
		tells, lacks string
	}{
		{"an answer that broke", get(answered).neverWorked(), "has not given one good answer under", "not answered once"},
		{"no answer", get(dialFailed(syscall.ECONNREFUSED)).neverWorked(), "has not answered once under", "one good answer"},
		{"what began HTTP/2 on a plain connection", get(plain), "status 200 received", "TLS handshake"},
		{"targets that nothing judges", get(answered).with(func(in *Input) { in.Targets, in.Healthy, in.Unjudged = 2, 2, true }), "status 200 received", "targets are healthy"},
		{"targets that something judges", get(answered).with(func(in *Input) { in.Targets, in.Healthy = 2, 1 }), "1 of 2 targets are healthy", "2 of 2"},
	} {
		f := Judge(c.in)
		all := strings.Join(append(f.Evidence, f.RuledOut...), "\n")
		if !strings.Contains(all, c.tells) || strings.Contains(all, c.lacks) {
			t.Errorf("%s: want %q and not %q in\n%s", c.name, c.tells, c.lacks, all)
		}
	}
}

func TestEachUnhealthyTargetIsNamed(t *testing.T) {
	in := room(fault.NoHealthyTarget)
	in.Targets = 3
	in.HealthReasons = []TargetReason{
		{Target: "http://10.0.0.1:80", Kind: fault.ConnectionRefused, Never: true},
		{Target: "http://10.0.0.2:80", Kind: fault.UpstreamError},
		{Target: "http://10.0.0.3:80", Kind: fault.FirstByteTimeout},
	}
	f := Judge(in)
	const full = "orders: none of 3 targets is healthy; behind it: 10.0.0.1:80 connection_refused, 10.0.0.2:80 upstream_error, 10.0.0.3:80 first_byte_timeout."
	const safe = "orders: none of 3 targets is healthy; behind it: target 1 connection_refused, target 2 upstream_error, target 3 first_byte_timeout."
	if f.Detail != full || f.SafeDetail != safe {
		t.Errorf("told as %q and %q", f.Detail, f.SafeDetail)
	}
	if f.Cause != fault.Configuration {
		t.Errorf("the cause of a target that never answered is %q", f.Cause)
	}
	in.HealthReasons[0].Never = false
	if f = Judge(in); f.Cause != fault.Software {
		t.Errorf("the cause of a target that has answered before is %q", f.Cause)
	}
}

func TestSecondFaultOfACertificate(t *testing.T) {
	with := func(reason, asked string, from, to time.Duration) Input {
		return post(tlsFailed(reason, -1, func(f *journey.TLSFacts) {
			f.ServerName, f.Names, f.Chain = asked, []string{"orders.test", "*.shop.test"}, 1
			f.NotBefore, f.NotAfter = callTime.Add(from), callTime.Add(to)
		}))
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		in   Input
		want string // in the detail and in the first advice; "" for no second fault
	}{
		{"expired, of another name", with("expired", "nobody.test", -90*day, -day), "it is not for the name asked for either"},
		{"expired, of the right name", with("expired", "Orders.test", -90*day, -day), ""},
		{"expired, a wildcard's", with("expired", "a.shop.test", -90*day, -day), ""},
		{"a wildcard stands for one label", with("expired", "a.b.shop.test", -90*day, -day), "it is not for the name asked for either"},
		{"another name's, and expired", with("name_mismatch", "nobody.test", -90*day, -day), "it has expired as well"},
		{"another name's, and early", with("name_mismatch", "nobody.test", day, 90*day), "it is not valid yet as well"},
		{"another name's alone", with("name_mismatch", "nobody.test", -day, 90*day), ""},
		{"a stranger's, of another name", with("unknown_authority", "nobody.test", -day, 90*day), "it is not for the name asked for either"},
		{"its authority's dates are not its own", with("issuer_expired", "nobody.test", -90*day, -day), ""},
	} {
		f := Judge(c.in)
		told := len(f.Advice) > 0 && strings.HasPrefix(f.Advice[0], "Mend both at once: ")
		if told != (c.want != "") || !strings.Contains(f.Detail, c.want) || !strings.Contains(f.SafeDetail, c.want) {
			t.Errorf("%s: %q, %q, advice %q", c.name, f.Detail, f.SafeDetail, f.Advice)
		}
		if strings.Contains(f.SafeDetail, ".test") {
			t.Errorf("%s: a stranger is told %q", c.name, f.SafeDetail)
		}
	}
}

// A server that was asked, and asked again, within the limit and never answered is not explained by a host that was
// late for a part of it.
func TestSilentResolverIsNotTheHost(t *testing.T) {
	silent := limited(journey.PhaseDNS, "connect", time.Second)
	silent.DNS, silent.DNSTime = &journey.DNSFacts{Name: "api.internal", Timeout: true, Server: "10.0.0.53:53"}, time.Second
	for delay, want := range map[time.Duration]fault.Cause{100 * time.Millisecond: fault.Network, 700 * time.Millisecond: fault.Gateway} {
		in := get(silent)
		in.Host = on(func(h *journey.Host) { h.Delay = delay })
		if f := Judge(in); f.Cause != want {
			t.Errorf("late by %s: cause %q, want %q (%s)", delay, f.Cause, want, f.Detail)
		}
	}
}

func TestNoHiddenLimitWhereNothingWasWhole(t *testing.T) {
	short := attempt(func(a *journey.Attempt) {
		a.Phase, a.BodyIn, a.BodyInLen, a.Status = journey.PhaseBody, 65536, 131072, 200
	})
	in := get(short)
	in.Past = &journey.Past{Watched: time.Minute, Streak: 4, Size: journey.PastCluster{Value: 65536, Count: 4, Of: 4}}
	if f := Judge(in); f.Cause != fault.Software || f.Pattern == "hidden_limit" {
		t.Errorf("cause %q by %q, though no answer was ever whole", f.Cause, f.Pattern)
	}
}
