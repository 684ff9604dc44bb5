package diagnose

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

func TestKindByPhase(t *testing.T) {
	tests := []struct {
		phase      journey.Phase
		eof, reset fault.Kind
	}{
		{journey.PhaseNone, fault.Unclassified, fault.Unclassified},
		{journey.PhaseDNS, fault.Unclassified, fault.Unclassified},
		{journey.PhaseConnect, fault.Unclassified, fault.ConnectReset},
		{journey.PhaseTLS, fault.TLSHandshakeClosed, fault.TLSHandshakeReset},
		{journey.PhaseSend, fault.ClosedBeforeResponse, fault.ResetDuringUpload},
		{journey.PhaseWait, fault.ClosedBeforeResponse, fault.ResetBeforeResponse},
		{journey.PhaseHead, fault.TruncatedHeader, fault.TruncatedHeader},
		{journey.PhaseBody, fault.TruncatedBody, fault.ResetMidBody},
		{journey.PhaseDone, "", ""},
	}
	for _, test := range tests {
		a := journey.Attempt{Target: "http://h", Phase: test.phase, BodyOutLen: 10}
		a.End = journey.EndEOF
		if k := Kind(&a); k != test.eof {
			t.Errorf("FIN in %s: got %q, want %q", test.phase, k, test.eof)
		}
		a.End = journey.EndReset
		if k := Kind(&a); k != test.reset {
			t.Errorf("RST in %s: got %q, want %q", test.phase, k, test.reset)
		}
		a.End, a.Errno = journey.EndErrno, syscall.EPIPE
		if k := Kind(&a); k != test.reset {
			t.Errorf("EPIPE in %s: got %q, want %q", test.phase, k, test.reset)
		}
	}
}

func TestResetOfARequestWithoutBody(t *testing.T) {
	a := journey.Attempt{Target: "http://h", Phase: journey.PhaseSend, End: journey.EndReset}
	if k := Kind(&a); k != fault.ResetBeforeResponse {
		t.Errorf("got %q: nothing was being uploaded", k)
	}
}

func TestStaleConnection(t *testing.T) {
	tests := []struct {
		name   string
		change func(a *journey.Attempt)
		want   fault.Kind
	}{
		{"reused and closed at once", func(*journey.Attempt) {}, fault.StaleConnection},
		{"new", func(a *journey.Attempt) { a.Reused = false }, fault.ClosedBeforeResponse},
		{"after an interim answer", func(a *journey.Attempt) { a.BytesIn = 25 }, fault.ClosedBeforeResponse},
		{"after a wait", func(a *journey.Attempt) { a.Silence = staleWithin }, fault.ClosedBeforeResponse},
		{"after much of the body was read", func(a *journey.Attempt) { a.BodyOut = uploadRead }, fault.ClosedBeforeResponse},
	}
	for _, test := range tests {
		a := journey.Attempt{Phase: journey.PhaseWait, End: journey.EndEOF, Reused: true, ConnUses: 3}
		test.change(&a)
		if k := Kind(&a); k != test.want {
			t.Errorf("%s: got %q, want %q", test.name, k, test.want)
		}
	}
}

func TestRouteErrorsAfterTheConnectionStoodAreBreaks(t *testing.T) {
	// "always safe to repeat" would be wrong: the request was under way.
	a := journey.Attempt{Phase: journey.PhaseWait, End: journey.EndErrno, Errno: syscall.EHOSTUNREACH}
	if k := Kind(&a); k != fault.ResetBeforeResponse {
		t.Errorf("got %q", k)
	}
}

func TestErrnoOnASocketAndOnTheNetwork(t *testing.T) {
	tests := []struct {
		target string
		errno  syscall.Errno
		want   fault.Kind
	}{
		{"unix:/run/app.sock", syscall.EACCES, fault.SocketDenied},
		{"http://10.0.0.1", syscall.EACCES, fault.EgressDenied},
		{"unix:/run/app.sock", syscall.ENOENT, fault.SocketMissing},
		{"http://10.0.0.1", syscall.ENOENT, fault.Unclassified},
		{"unix:/run/app.sock", syscall.ECONNREFUSED, fault.ConnectionRefused},
		{"unix:/run/app.sock", syscall.EAGAIN, fault.ConnectionRefused},
		{"unix:/run/app.sock", syscall.EPROTOTYPE, fault.ConnectionRefused},
		{"unix:/run/app.sock", syscall.ELOOP, fault.SocketMissing},
	}
	for _, test := range tests {
		a := journey.Attempt{Target: test.target, Phase: journey.PhaseConnect, End: journey.EndErrno, Errno: test.errno}
		if k := Kind(&a); k != test.want {
			t.Errorf("%s, %s: got %q, want %q", test.target, errnoName(test.errno), k, test.want)
		}
	}
}

func TestTLSErrorsAfterTheHandshake(t *testing.T) {
	tests := []struct {
		name    string
		phase   journey.Phase
		tls     journey.TLSFacts
		want    fault.Kind
		reached bool
	}{
		{"certificate wanted by TLS 1.3", journey.PhaseWait, journey.TLSFacts{Reason: "alert", Alert: 116}, fault.TLSClientCertificate, false},
		{"server gave up", journey.PhaseWait, journey.TLSFacts{Reason: "alert", Alert: 80}, fault.TLSAlert, true},
		{"alert in the answer", journey.PhaseBody, journey.TLSFacts{Reason: "alert", Alert: 20}, fault.TruncatedBody, true},
		{"garbage in the answer", journey.PhaseBody, journey.TLSFacts{Reason: "protocol", Alert: -1, Err: "local error: tls: bad record MAC"}, fault.TruncatedBody, true},
		{"garbage instead of an answer", journey.PhaseWait, journey.TLSFacts{Reason: "protocol", Alert: -1, Err: "local error: tls: bad record MAC"}, fault.TLSProtocolError, true},
		{"garbage in the header", journey.PhaseHead, journey.TLSFacts{Reason: "protocol", Alert: -1}, fault.TruncatedHeader, true},
		{"closed", journey.PhaseWait, journey.TLSFacts{Reason: "eof", Alert: -1}, fault.ClosedBeforeResponse, true},
		{"reset", journey.PhaseWait, journey.TLSFacts{Reason: "reset", Alert: -1}, fault.ResetBeforeResponse, true},
	}
	for _, test := range tests {
		test.tls.AfterComplete = true
		a := journey.Attempt{Target: "https://h", Phase: test.phase, End: journey.EndTLS, TLS: &test.tls, BytesOut: 10}
		if k, r := Kind(&a), reachedApplication(&a); k != test.want || r != test.reached {
			t.Errorf("%s: %q, reached %v", test.name, k, r)
		}
	}
}

func TestLoopIsKept(t *testing.T) {
	a := journey.Attempt{End: journey.EndRefused, Kind: fault.LoopDetected}
	if k := Kind(&a); k != fault.LoopDetected {
		t.Errorf("got %q", k)
	}
}

// everyAttempt calls f with an attempt for every combination of what an attempt can show.
func everyAttempt(f func(a *journey.Attempt)) {
	errnos := []syscall.Errno{0, syscall.EIO, syscall.EINVAL}
	for _, n := range errnoNames {
		errnos = append(errnos, n.errno)
	}
	faults := []journey.ParseFault{
		journey.FaultNone, journey.FaultNotHTTP, journey.FaultTLSBytes, journey.FaultStatusLine, journey.FaultVersion,
		journey.FaultFieldName, journey.FaultFieldValue, journey.FaultFieldLine, journey.FaultHeadTooLarge, journey.FaultTooManyFields,
		journey.FaultContentLength, journey.FaultFraming, journey.FaultCoding, journey.FaultChunk, journey.FaultTrailer, journey.FaultUpgrade,
		journey.FaultInterim, "new_fault",
	}
	limits := []string{"", "connect", "send", "first_byte", "idle", "total", "upstream.timeouts.idle", "new_limit"}
	dns := []*journey.DNSFacts{nil, {}, {NotFound: true}, {Timeout: true}, {RCode: "NXDOMAIN"}, {RCode: "NOERROR"}, {RCode: "REFUSED"}, {RCode: "SERVFAIL"}}
	reasons := []string{"", "unknown_authority", "self_signed", "missing_intermediate", "expired", "not_yet_valid", "issuer_expired", "issuer_not_yet_valid", "name_mismatch", "wrong_usage", "name_constraint", "weak_signature", "not_an_authority", "chain_too_long", "pin_mismatch", "invalid", "not_tls", "eof", "reset", "timeout", "protocol", "new_reason"}

	for phase := journey.PhaseNone; phase <= journey.PhaseDone; phase++ {
		for end := journey.EndOpen; end <= journey.EndRefused; end++ {
			for _, again := range []bool{false, true} {
				make := func(change func(a *journey.Attempt)) {
					a := attempt(func(a *journey.Attempt) { a.Phase, a.End, a.Reused = phase, end, again })
					change(&a)
					f(&a)
				}
				switch end {
				case journey.EndErrno:
					for _, e := range errnos {
						make(func(a *journey.Attempt) { a.Errno = e })
						make(func(a *journey.Attempt) {
							a.Errno, a.Target, a.Address, a.Tries = e, "unix:"+canarySocket, canarySocket, nil
						})
					}
				case journey.EndParse:
					for _, p := range faults {
						make(func(a *journey.Attempt) { a.Fault, a.First = p, []byte("220 "+canaryHost+" ESMTP") })
						make(func(a *journey.Attempt) { a.Fault, a.Line = p, []byte("Set-Cookie: "+canarySecret) })
					}
				case journey.EndTimeout:
					for _, l := range limits {
						make(func(a *journey.Attempt) { a.Limit, a.LimitValue = l, 2*time.Second })
					}
				case journey.EndDNS:
					for _, d := range dns {
						make(func(a *journey.Attempt) { a.DNS = d })
					}
				case journey.EndTLS:
					make(func(a *journey.Attempt) { a.TLS = nil })
					for _, r := range reasons {
						make(func(a *journey.Attempt) {
							a.TLS = &journey.TLSFacts{ServerName: canaryHost, Reason: r, Alert: -1, Subject: canaryHost, Issuer: canaryHost, Names: []string{canaryHost}, Err: canaryHost}
						})
					}
					for n := 0; n < 256; n += 5 {
						make(func(a *journey.Attempt) {
							a.TLS = &journey.TLSFacts{ServerName: canaryHost, Reason: "alert", Alert: n, AlertText: "at " + canaryHost, Asked: n%2 == 0}
						})
					}
				default:
					make(func(*journey.Attempt) {})
					make(func(a *journey.Attempt) { a.Target, a.Address, a.Tries = "", "", nil })
				}
			}
		}
	}
}

// TestEveryCombinationIsToldSafely judges every combination of facts: each gets a kind of the
// catalogue, only whole answers get none, and no safe view of any tells an address or a secret.
func TestEveryCombinationIsToldSafely(t *testing.T) {
	n := 0
	everyAttempt(func(a *journey.Attempt) {
		n++
		f := Judge(post(*a).worked())
		good := a.End == journey.EndOpen || a.End == journey.EndComplete || a.Phase == journey.PhaseDone && (a.End == journey.EndEOF || a.End == journey.EndReset || a.End == journey.EndErrno || a.End == journey.EndTLS)
		if f == nil {
			if !good {
				t.Fatalf("%s in %s has no finding", a.End, a.Phase)
			}
			return
		}
		if fault.Lookup(f.Kind) == nil {
			t.Fatalf("%s in %s: kind %q is not in the catalogue", a.End, a.Phase, f.Kind)
		}
		v := fault.View{CallID: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
		for _, text := range []string{f.SafeDetail, string(fault.Problem(nil, f, v)), fault.ProxyStatus(f, v)} {
			if strings.Contains(text, "canary") || strings.Contains(text, canaryAddress) {
				t.Fatalf("%s in %s (%s) tells too much: %s", a.End, a.Phase, f.Kind, text)
			}
		}
	})
	if n < 2000 {
		t.Errorf("only %d combinations were tried", n)
	}
}
