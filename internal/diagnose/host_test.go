package diagnose

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// calm is a host that is well.
func calm() *journey.Host {
	return &journey.Host{
		Span: 2 * time.Second, CPU: 20, Own: 10, CPUs: 2, Delay: 2 * time.Millisecond, Memory: 100 << 20, MemoryMax: 1000 << 20,
		Files: 100, FilesMax: 1000, Ports: 50, PortsMax: 28232, DiskFree: 10 << 30, DiskWrite: 2 * time.Millisecond, Lookups: 10, LookupTime: time.Millisecond,
	}
}

func on(change func(h *journey.Host)) *journey.Host {
	h := calm()
	change(h)
	return h
}

func datedCertificate(from, to time.Time) journey.Attempt {
	reason := "expired"
	if callTime.Before(from) {
		reason = "not_yet_valid"
	}
	return attempt(func(a *journey.Attempt) {
		before(a, journey.PhaseTLS, journey.EndTLS)
		a.TLS = &journey.TLSFacts{ServerName: canaryHost, Reason: reason, Alert: -1, Subject: "CN=x", NotBefore: from, NotAfter: to}
	})
}

// hostFacts are the cases of testdata/expected.tsv that the gateway's host, or its caller's pace, has to do
// with.
func hostFacts() map[string]Input {
	at := func(in Input, h *journey.Host) Input {
		in.Host = h
		return in
	}
	starved := on(func(h *journey.Host) { h.CPU, h.Delay = 100, time.Second })
	ends := func(a journey.Attempt, k fault.Kind) Input {
		in := post(a)
		in.Kind = k
		return in
	}
	return map[string]Input{
		"first_byte fires on a starved host, POST":  at(post(limited(journey.PhaseWait, "first_byte", 2*time.Second)), starved),
		"first_byte fires on a calm host, POST":     at(post(limited(journey.PhaseWait, "first_byte", 2*time.Second)), calm()),
		"a resolver that answers nobody":            at(get(dnsFailed("", false, true)), on(func(h *journey.Host) { h.Lookups, h.LookupsFailed, h.LookupNames = 12, 12, 4 })),
		"the call log is full as its disk is":       at(room(fault.CallLogFull), on(func(h *journey.Host) { h.DiskFree = -1 })),
		"a body too slow":                           ends(uploading(journey.EndCaller), fault.RequestBodyTooSlow),
		"a body too slow on a starved host":         at(ends(uploading(journey.EndCaller), fault.RequestBodyTooSlow), starved),
		"a caller that takes nothing of its answer": ends(inBody(journey.EndOpen, 4096, -1), fault.CallerTooSlow),
		"too little memory":                         room(fault.GatewayMemoryLow),
		"gateway overloaded as it is starved":       at(room(fault.GatewayOverloaded), starved),
	}
}

func TestWhatTheHostHasToDoWithIt(t *testing.T) {
	starved := func(h *journey.Host) { h.CPU, h.Steal, h.Delay = 98, 40, 220*time.Millisecond }
	year := 365 * 24 * time.Hour
	for _, c := range []struct {
		name     string
		in       Input
		host     *journey.Host
		behind   fault.Kind // "" when it is not the host
		evidence string     // a part of a line; "" for no word about the host
		ruledOut bool       // the host is said to have been well
	}{
		{
			"an answer that did not come in 400 ms, work late by 220 ms", get(limited(journey.PhaseWait, "first_byte", 400*time.Millisecond)), on(starved),
			fault.GatewayCPUStarved, "CPUs 98 % busy, 40 % stolen by the hypervisor; the gateway used 10 % of its 2 CPUs, and its work waited up to 220 ms for a CPU", false,
		},
		{
			"an answer that did not come in a minute, work late by 220 ms", get(limited(journey.PhaseWait, "first_byte", time.Minute)), on(starved),
			"", "CPUs 98 % busy", false,
		},
		{
			"a process held back by its CPU limit", get(limited(journey.PhaseConnect, "connect", 2*time.Second)), on(func(h *journey.Host) { h.Throttled = 80 }),
			fault.GatewayCPUStarved, "the process held back by its CPU limit 80 % of the time", false,
		},
		{
			"an answer that did not come in 2 s, work late by 220 ms: the upstream had nearly all of the time", get(limited(journey.PhaseWait, "first_byte", 2*time.Second)), on(starved),
			"", "CPUs 98 % busy", false,
		},
		{
			"an upstream that hung for 30 s, the last ten of them beside a process that was held back", get(limited(journey.PhaseWait, "first_byte", 30*time.Second)),
			on(func(h *journey.Host) { h.Span, h.Throttled, h.Delay = 10*time.Second, 95, 4*time.Second }), "", "held back by its CPU limit 95 % of the time", false,
		},
		{
			"a fifth of the last ten seconds, of which the limit had two", get(limited(journey.PhaseWait, "first_byte", 2*time.Second)),
			on(func(h *journey.Host) { h.Span, h.Throttled = 10*time.Second, 30 }), "", "held back by its CPU limit 30 % of the time", false,
		},
		{"a calm host", get(limited(journey.PhaseWait, "first_byte", 2*time.Second)), calm(), "", "", true},
		{"busy CPUs alone make nobody wait", get(limited(journey.PhaseWait, "first_byte", 2*time.Second)), on(func(h *journey.Host) { h.CPU = 100 }), "", "", true},
		{"a refused connection on a starved host", post(dialFailed(syscall.ECONNREFUSED)), on(starved), "", "", false},
		{
			"a garbage collector that does little else", get(limited(journey.PhaseWait, "first_byte", 2*time.Second)), on(func(h *journey.Host) { h.GC, h.Memory = 70, 990<<20 }),
			fault.GatewayMemoryLow, "memory the gateway needs: 990 MiB of 1000 MiB; garbage collection took 70 % of its CPU time", true,
		},
		{
			"a host that swaps", get(limited(journey.PhaseWait, "idle", 2*time.Second)), on(func(h *journey.Host) { h.Swap = 50 << 20 }),
			fault.GatewayMemoryLow, "moves 50 MiB a second from and to swap", true,
		},
		{
			"a caller's slow head on a starved host", room(fault.RequestHeaderTimeout).with(func(in *Input) { in.Limit = 400 * time.Millisecond }), on(starved),
			fault.GatewayCPUStarved, "98 % busy", false,
		},
		{
			"a caller's slow head in ten seconds", room(fault.RequestHeaderTimeout).with(func(in *Input) { in.Limit = 10 * time.Second }), on(starved),
			"", "98 % busy", false,
		},
		{"turned away while late", room(fault.GatewayOverloaded), on(starved), fault.GatewayCPUStarved, "98 % busy", false},
		{"turned away because it is full", room(fault.GatewayOverloaded), calm(), "", "", true},
		{"no memory", room(fault.GatewayMemoryLow), on(func(h *journey.Host) { h.Memory = 850 << 20 }), "", "850 MiB of 1000 MiB", false},
		{
			"no descriptor left", post(dialFailed(syscall.EMFILE)), on(func(h *journey.Host) { h.Files = 1000 }),
			"", "descriptors of the gateway: 1000 of 1000 in use", false,
		},
		{
			"no port left", post(dialFailed(syscall.EADDRNOTAVAIL)), on(func(h *journey.Host) { h.Ports = 28000 }),
			"", "TCP sockets of the gateway's host: 28000, those in TIME_WAIT included; outgoing connections to one address have 28232 ports", false,
		},
		{
			"a resolver that answers nobody", get(dnsFailed("", false, true)), on(func(h *journey.Host) {
				h.Lookups, h.LookupsFailed, h.LookupNames, h.LookupTime = 12, 12, 4, 2*time.Second
			}),
			fault.GatewayDNSSlow, "in the last minute: 12, 12 without an answer (of 4 names), taking 2.0 s on average", true,
		},
		{
			"a resolver that answers nobody, on a starved host", get(dnsFailed("", false, true)), on(func(h *journey.Host) {
				starved(h)
				h.Lookups, h.LookupsFailed, h.LookupNames = 12, 12, 4
			}),
			fault.GatewayDNSSlow, "98 % busy", false,
		},
		{
			"one name that is not answered", get(dnsFailed("", false, true)), on(func(h *journey.Host) { h.Lookups, h.LookupsFailed, h.LookupNames = 40, 30, 1 }),
			"", "40, 30 without an answer", true,
		},
		{
			"a certificate that expired because the clock was set forward", get(datedCertificate(callTime.Add(-year), callTime.Add(-time.Hour))), on(func(h *journey.Host) { h.ClockStep, h.ClockAgo = 48*time.Hour, 3*time.Minute }),
			fault.GatewayClockJumped, "was set forward by 2 d, 3 min earlier", false,
		},
		{
			"a certificate of tomorrow because the clock was set back", get(datedCertificate(callTime.Add(time.Hour), callTime.Add(year))), on(func(h *journey.Host) { h.ClockStep, h.ClockAgo = -48*time.Hour, 3*time.Minute }),
			fault.GatewayClockJumped, "was set back by 2 d", false,
		},
		{
			"a certificate that had expired before, too", get(datedCertificate(callTime.Add(-year), callTime.Add(-72*time.Hour))), on(func(h *journey.Host) { h.ClockStep = 48 * time.Hour }),
			"", "was set forward", false,
		},
		{"a full disk", room(fault.CallLogFull), on(func(h *journey.Host) { h.DiskFree = -1 }), fault.GatewayDiskFull, "0 MiB free", false},
		{
			"a disk that takes nothing", room(fault.CallLogFull), on(func(h *journey.Host) { h.DiskError = syscall.ENOSPC.Error() }),
			fault.GatewayDiskFull, "a write failed (\"no space left on device\")", false,
		},
		{"a disk that fails", room(fault.CallLogFull), on(func(h *journey.Host) { h.DiskError = syscall.EIO.Error() }), fault.GatewayDiskSlow, "a write failed", false},
		{"a slow disk", room(fault.CallLogFull), on(func(h *journey.Host) { h.DiskWrite = 4 * time.Second }), fault.GatewayDiskSlow, "the last small write took 4.0 s", false},
		{"a call log that is full of itself", room(fault.CallLogFull), calm(), "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Host = c.host
			without := c.in
			without.Host = nil
			f, plain := Judge(c.in), Judge(without)
			if f.Kind != plain.Kind || f.Status != plain.Status || f.Retry != plain.Retry {
				t.Errorf("the host changed what failed: %s %d %s, without it %s %d %s", f.Kind, f.Status, f.Retry, plain.Kind, plain.Status, plain.Retry)
			}
			told := ""
			if _, after, ok := strings.Cut(f.SafeDetail, "; behind it: "); ok {
				told = after
			}
			switch {
			case c.behind == "" && (told != "" || f.Cause != plain.Cause):
				t.Errorf("the host is blamed: %s, %q", f.Cause, f.SafeDetail)
			case c.behind != "" && (f.Cause != fault.Gateway || !strings.HasSuffix(told, "("+string(c.behind)+").") || !strings.Contains(f.Detail, told)):
				t.Errorf("cause %s, %q", f.Cause, f.SafeDetail)
			}
			evidence := strings.Join(f.Evidence, "\n")
			if c.evidence != "" && !strings.Contains(evidence, c.evidence) {
				t.Errorf("no %q in\n%s", c.evidence, evidence)
			}
			if n := len(f.Evidence) - len(plain.Evidence); (c.evidence == "") != (n == 0) {
				t.Errorf("%d lines about the host:\n%s", n, evidence)
			}
			if got := strings.Contains(strings.Join(f.RuledOut, "\n"), "the gateway's own host: its CPUs"); got != c.ruledOut && c.behind == "" {
				t.Errorf("ruled out: %q", f.RuledOut)
			}
		})
	}
}

func TestTroublesOfAHost(t *testing.T) {
	if HostTroubles(nil) != nil || HostTroubles(calm()) != nil || HostTroubles(&journey.Host{}) != nil {
		t.Error("a host of which nothing bad is known is in trouble")
	}
	everything := &journey.Host{
		Span: time.Second, Delay: time.Second, Memory: 99, MemoryMax: 100, Files: 80, FilesMax: 100, Ports: 80, PortsMax: 100,
		DiskFree: -1, ClockStep: -time.Hour, Lookups: 3, LookupTime: time.Second,
	}
	var kinds []string
	for _, x := range HostTroubles(everything) {
		kinds = append(kinds, string(x.Kind))
		if fault.Lookup(x.Kind) == nil || x.Text == "" || anyAddress.MatchString(x.Text) {
			t.Errorf("%s: %q", x.Kind, x.Text)
		}
	}
	want := "gateway_cpu_starved gateway_memory_low gateway_files_exhausted gateway_ports_exhausted gateway_disk_full gateway_clock_jumped gateway_dns_slow"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
