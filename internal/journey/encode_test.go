package journey

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"causeway/internal/fault"
)

// goodCall is a typical good REST call, as the benchmark of the gateway sends it.
func goodCall() *Journey {
	start := time.Date(2026, 3, 14, 9, 26, 53, 589793238, time.UTC)
	j := &Journey{}
	j.Reset()
	j.ID, j.Start = NewID(start), start
	j.Remote, j.Method, j.Host, j.Path, j.Protocol = "127.0.0.1", "GET", "127.0.0.1:8080", "/orders/7c31a/items", "HTTP/1.1"
	j.Service, j.Route, j.Application = "orders", "/orders/*", "web"
	j.Status, j.BytesOut, j.Generation = 200, 1024, 3
	j.Trace = [16]byte{1, 9, 3, 200, 5, 77, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	j.Routed, j.Admitted, j.FirstByte, j.Total = 3100, 5200, 412_345, 431_002
	a := j.NewAttempt()
	*a = Attempt{
		Target: "http://127.0.0.1:9001", Address: "127.0.0.1:9001", Start: 6100, Reused: true, ConnUses: 812,
		ConnIdle: 1_234_567, ConnAge: 45_000_000_000, Phase: PhaseDone, End: EndComplete, SendTime: 11_000, FirstByte: 380_000,
		Total: 401_000, BytesOut: 311, BytesIn: 1190, BodyIn: 1024, BodyInLen: 1024, SendComplete: true, Status: 200,
	}
	return j
}

func failedCall() *Journey {
	j := goodCall()
	j.Method, j.Status, j.BytesIn = "PROPFIND", 502, 12
	j.Attempts[0] = Attempt{
		Target: "https://[::1]:9001", Address: "[::1]:9001", Phase: PhaseTLS, End: EndTLS, Errno: syscall.ECONNREFUSED,
		Limit: "connect", LimitValue: 2 * time.Second, BodyOutLen: -1, BodyInLen: -1, Fault: FaultStatusLine, Offset: 9,
		First: []byte("\x15\x03\x01"), Line: []byte("bad line"),
		Tries: []AddressTry{{"[::1]:9001", syscall.ECONNREFUSED, false, 1000}, {"127.0.0.1:9001", 0, true, 2e9}},
		DNS:   &DNSFacts{Name: "orders", Server: "127.0.0.53", NotFound: true, RCode: "NXDOMAIN", Err: "no such host"},
		TLS: &TLSFacts{
			ServerName: "orders", Reason: "expired", Alert: -1, Subject: "CN=orders", Issuer: "CN=ca", Names: []string{"orders"},
			NotBefore: time.Unix(1, 2).UTC(), NotAfter: time.Unix(5e9, 0).UTC(), Chain: 2, First: []byte("x"), Asked: true, Own: "CN=gateway",
		},
		HTTP2: &HTTP2Facts{Stream: 7, Signal: HTTP2GoAway, Code: HTTP2EnhanceYourCalm, LastStream: 5, Debug: []byte("too_many_pings"), Unworked: true, Moved: 1},
		Kind:  fault.TLSCertificateExpired, Again: "not retried: lasting",
	}
	j.Finding = &fault.Finding{
		Kind: fault.TLSCertificateExpired, Cause: fault.Configuration, Status: 502, Detail: strings.Repeat("detail ", 20),
		SafeDetail: "safe", Retry: fault.No, RetryAfterMS: 500, Evidence: []string{"a", "b"}, RuledOut: []string{"c"},
		Attempts: []fault.Attempt{{Target: "https://[::1]:9001", Kind: fault.TLSCertificateExpired, Status: 0, MS: 0.2}},
		Advice:   []string{"renew it"}, CallerAdvice: []string{"wait"},
		ProxyParams:    []fault.Param{{Name: "alert-id", Int: 116, IsInt: true}, {Name: "rcode", Str: "NXDOMAIN", Token: true}},
		ReceivedStatus: 500, Passed: true, Confidence: "high", Pattern: "crashed", Because: "it broke", Check: "its log", Warning: "billed twice",
	}
	j.Note(5*time.Millisecond, "choose", "skipped one target")
	j.Policies = []string{"rate_limit: 100/1s by application"}
	j.Cache = "stored"
	j.Usage = Usage{Input: 12, Output: 3, Cached: -1, CacheWrite: -1, Reasoning: 0, Source: "partial"}
	j.RequestBody, j.ResponseBody = []byte("request"), bytes.Repeat([]byte("answer "), 30)
	j.Sent = &Sent{Query: "page=2&key=[masked]", HasQuery: true, Header: []byte("Accept: */*\r\nAuthorization: [masked]\r\n"), Left: 3}
	j.Dialect, j.Stream, j.TLS, j.Cut = "openai", true, true, true
	j.GatewayHost = &Host{Span: time.Second, CPU: 98, Steal: 40, Delay: 200 * time.Millisecond, DiskFree: -1, LookupNames: 3, DiskError: "no space left on device"}
	return j
}

func TestRecordRoundTrip(t *testing.T) {
	odd := *goodCall()
	odd.ID = ID{}
	foreign := *goodCall()
	foreign.ID, _ = ParseID("ZZZZZZZZZZZZZZZZZZZZZZZZZZ")
	cases := []struct {
		name string
		in   *Journey
	}{
		{"good call", goodCall()},
		{"failed call with every fact", failedCall()},
		{"zero call", &Journey{}},
		{"call after Reset", func() *Journey { j := &Journey{}; j.Reset(); return j }()},
		{"id that is no ULID", &odd},
		{"id beyond 128 bits", &foreign},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			record := c.in.AppendRecord([]byte("before"))
			if !bytes.HasPrefix(record, []byte("before")) {
				t.Fatal("AppendRecord changed what stood in dst")
			}
			record = record[len("before"):]
			got, err := DecodeRecord(record)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, normal(c.in)) {
				t.Errorf("decoded\n%+v\nwant\n%+v", got, normal(c.in))
			}
			checkSummary(t, record, c.in)
			for n := range record { // every byte counts: a cut record is an error, never another call
				if j, err := DecodeRecord(record[:n]); !errors.Is(err, ErrRecord) {
					t.Fatalf("cut after %d of %d bytes gave %+v, %v", n, len(record), j, err)
				}
			}
		})
	}
}

// normal is the call as DecodeRecord promises to give it back.
func normal(in *Journey) Journey {
	j := *in
	j.Start = j.Start.Round(0).UTC()
	if j.Start.IsZero() {
		j.Start = time.Time{}
	}
	if len(j.Attempts) == 0 {
		j.Attempts = nil
	}
	if len(j.Notes) == 0 {
		j.Notes = nil
	}
	if len(j.Policies) == 0 {
		j.Policies = nil
	}
	return j
}

func checkSummary(t testing.TB, record []byte, j *Journey) {
	t.Helper()
	var s Summary
	if err := ReadSummary(record, &s); err != nil {
		t.Fatal(err)
	}
	kind := ""
	if j.Finding != nil {
		kind = string(j.Finding.Kind)
	}
	for _, c := range []struct{ name, got, want string }{
		{"id", s.ID.String(), j.ID.String()},
		{"method", string(s.Method), j.Method},
		{"path", string(s.Path), j.Path},
		{"service", string(s.Service), j.Service},
		{"route", string(s.Route), j.Route},
		{"application", string(s.Application), j.Application},
		{"provider", string(s.Provider), j.Provider},
		{"model", string(s.Model), j.Model},
		{"target model", string(s.TargetModel), j.TargetModel},
		{"kind", string(s.Kind), kind},
	} {
		if c.got != c.want {
			t.Errorf("summary's %s is %q, want %q", c.name, c.got, c.want)
		}
	}
	if s.Status != j.Status || s.Total != j.Total || s.Failed != (j.Finding != nil) || !s.Start.Equal(j.Start) {
		t.Errorf("summary %+v of %+v", s, j)
	}
	if RecordFailed(record) != (j.Finding != nil) {
		t.Errorf("RecordFailed is %v", RecordFailed(record))
	}
}

func TestAnyCallRoundTrips(t *testing.T) {
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.StringN(130, 300, -1))
	raw := rapid.SliceOfN(rapid.Byte(), 0, 300)
	number := rapid.OneOf(rapid.Just(int64(0)), rapid.Just(int64(-1)), rapid.Int64())
	list := rapid.SliceOfN(rapid.String(), 0, 4)
	draw := func(rt *rapid.T) *Journey {
		str := func(n string) string { return text.Draw(rt, n) }
		num := func(n string) int64 { return number.Draw(rt, n) }
		dur := func(n string) time.Duration { return time.Duration(num(n)) }
		yes := func(n string) bool { return rapid.Bool().Draw(rt, n) }
		blob := func(n string) []byte { return none(raw.Draw(rt, n)) }
		when := func(n string) time.Time {
			return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(rt, n), rapid.Int64Range(0, 999_999_999).Draw(rt, n+"ns")).UTC()
		}
		j := &Journey{
			Start: when("start"), Remote: str("remote"), Method: str("method"), Host: str("host"), Path: str("path"),
			Protocol: rapid.OneOf(rapid.SampledFrom(protocolWords[:]), text).Draw(rt, "protocol"),
			Service:  str("service"), Route: str("route"), Application: str("application"), Provider: str("provider"),
			Model: str("model"), TargetModel: str("target"), Dialect: str("dialect"), Stream: yes("stream"),
			Status: int(num("status")), BytesIn: num("in"), BytesOut: num("out"), TLS: yes("tls"), Cut: yes("cut"),
			Generation: uint64(num("generation")), Routed: dur("routed"), Admitted: dur("admitted"), FirstByte: dur("first"),
			Total: dur("total"), Policies: none(list.Draw(rt, "policies")), RequestBody: blob("request"), ResponseBody: blob("response"),
		}
		copy(j.ID[:], rapid.SliceOfN(rapid.SampledFrom([]byte(crockford+"!")), 26, 26).Draw(rt, "id"))
		copy(j.Trace[:], raw.Draw(rt, "trace"))
		j.Usage = rapid.SampledFrom([]Usage{noUsage, {}, {Input: num("usage"), Source: str("source")}, {Input: 510, BilledInput: num("usage"), BilledOutput: 66}, {Input: 5, Cost: num("cost"), Priced: true}, {Output: 5, Extra: &UsageExtra{AudioOut: num("audio"), Batch: true}}}).Draw(rt, "usages")
		for range rapid.IntRange(0, 3).Draw(rt, "notes") {
			j.Note(dur("at"), str("room"), str("note"))
		}
		for range rapid.IntRange(0, 3).Draw(rt, "attempts") {
			a := j.NewAttempt()
			*a = Attempt{
				Target: str("target"), Address: str("address"), Start: dur("s"), Reused: yes("r"), ConnUses: int(num("u")),
				ConnIdle: dur("i"), ConnAge: dur("a"), Phase: Phase(rapid.IntRange(0, 8).Draw(rt, "phase")),
				End: End(rapid.IntRange(0, 12).Draw(rt, "end")), Errno: syscall.Errno(rapid.IntRange(0, 200).Draw(rt, "errno")),
				Limit: str("l"), LimitValue: dur("lv"), DNSTime: dur("d"), ConnectTime: dur("c"), TLSTime: dur("t"), SendTime: dur("st"),
				FirstByte: dur("fb"), Total: dur("tt"), BytesOut: num("bo"), BodyOut: num("bdo"), BodyOutLen: num("bol"), BytesIn: num("bi"),
				BodyIn: num("bdi"), BodyInLen: num("bil"), Silence: dur("si"), SendComplete: yes("sc"), Status: int(num("as")),
				Fault: ParseFault(str("f")), Offset: num("o"), First: blob("first"), Line: blob("line"), Kind: fault.Kind(str("k")), Again: str("ag"),
			}
			for range rapid.IntRange(0, 2).Draw(rt, "tries") {
				a.Tries = append(a.Tries, AddressTry{str("ta"), syscall.Errno(rapid.IntRange(0, 200).Draw(rt, "te")), yes("tt"), dur("tk")})
			}
			if yes("dns") {
				a.DNS = &DNSFacts{str("n"), str("s"), yes("nf"), yes("to"), str("rc"), str("er")}
			}
			if yes("withtls") {
				a.TLS = &TLSFacts{
					str("sn"), str("re"), rapid.IntRange(-1, 255).Draw(rt, "al"), str("at"), yes("as"), str("own"), str("su"), str("is"),
					none(list.Draw(rt, "names")), when("nb"), when("na"), rapid.IntRange(0, 9).Draw(rt, "ch"), blob("fi"), str("te"), yes("ac"),
				}
			}
			if yes("tunnel") {
				a.Usage = &AttemptUsage{num("ui"), num("uo"), str("us"), num("uc"), yes("up")}
				a.Tunnel = &TunnelFacts{
					Protocol: str("protocol"), WebSocket: yes("websocket"), Up: num("up"), Down: num("down"), MessagesUp: num("mu"), MessagesDown: num("md"),
					By: Side(str("by")), Caller: CloseFrame{int(num("cc")), str("cr")}, Upstream: CloseFrame{int(num("uc")), str("ur")},
					Told: int(num("told")), BadFrames: Side(str("bad")), Problem: str("problem"),
				}
			}
			if yes("http2") {
				u32 := rapid.Uint32()
				a.HTTP2 = &HTTP2Facts{
					Stream: u32.Draw(rt, "stream"), Streams: int(num("streams")), Signal: HTTP2Signal(str("signal")), Code: u32.Draw(rt, "code"),
					LastStream: u32.Draw(rt, "last"), Debug: blob("debug"), Detail: str("detail"), Unworked: yes("unworked"), Ended: yes("ended"),
					Moved: int(num("moved")), Agreed: str("agreed"),
				}
			}
		}
		if yes("rpc") {
			j.RPC = &RPC{str("form"), dur("timeout"), yes("ended"), fault.Code(rapid.Uint32().Draw(rt, "code")), str("message"), yes("own")}
		}
		if yes("failed") {
			f := &fault.Finding{
				Kind: fault.Kind(str("kind")), Cause: fault.Cause(str("cause")), Status: int(num("fs")), Detail: str("de"), SafeDetail: str("sd"),
				Retry: fault.Verdict(str("rt")), RetryAfterMS: num("ra"), Evidence: none(list.Draw(rt, "ev")), RuledOut: none(list.Draw(rt, "ro")),
				Advice: none(list.Draw(rt, "ad")), CallerAdvice: none(list.Draw(rt, "ca")), ReceivedStatus: int(num("rs")), Passed: yes("pa"), Confidence: str("co"), Pattern: str("pt"), Because: str("be"), Check: str("ch"), Warning: str("wa"),
			}
			for range rapid.IntRange(0, 2).Draw(rt, "fa") {
				f.Attempts = append(f.Attempts, fault.Attempt{Target: str("t"), Kind: fault.Kind(str("k")), Status: int(num("s")), MS: rapid.Float64().Draw(rt, "ms")})
				f.ProxyParams = append(f.ProxyParams, fault.Param{Name: str("n"), Str: str("s"), Int: num("i"), IsInt: yes("ii"), Token: yes("to")})
			}
			j.Finding = f
		}
		return j
	}
	rapid.Check(t, func(rt *rapid.T) {
		j := draw(rt)
		record := j.AppendRecord(nil)
		got, err := DecodeRecord(record)
		if err != nil {
			rt.Fatal(err)
		}
		if want := normal(j); !reflect.DeepEqual(got, want) {
			rt.Fatalf("decoded\n%+v\nwant\n%+v", got, want)
		}
		checkSummary(t, record, j)
	})
}

// none is the list as it comes back: nil when it is empty.
func none[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

func TestRecordOfALaterVersionIsReadAsFarAsKnown(t *testing.T) {
	j := failedCall()
	record := j.AppendRecord(nil)
	later := append(bytes.Clone(record), "a field of a later version"...)
	later[maskBytes] |= 0x20 // bit 37, not given to any field yet
	got, err := DecodeRecord(later)
	if err != nil || !reflect.DeepEqual(got, normal(j)) {
		t.Errorf("got %+v, %v", got, err)
	}
	later[0]++
	if _, err := DecodeRecord(later); !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("another format gave %v", err)
	}
}

func TestPhaseAndEndOfALaterVersionHaveAName(t *testing.T) {
	j := &Journey{Attempts: []Attempt{{Phase: 200, End: 100}}}
	got, err := DecodeRecord(j.AppendRecord(nil))
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Attempts[0]; a.Phase.String() != "none" || a.End.String() != "open" {
		t.Errorf("phase %v, end %v", a.Phase, a.End)
	}
}

func TestListsAreBounded(t *testing.T) {
	j := &Journey{Policies: make([]string, 5000), Attempts: make([]Attempt, 5000), Notes: make([]Note, 5000)}
	got, err := DecodeRecord(j.AppendRecord(nil))
	if err != nil || len(got.Policies) != maxItems || len(got.Attempts) != maxItems || len(got.Notes) != maxItems {
		t.Errorf("%d policies, %d attempts, %d notes, %v", len(got.Policies), len(got.Attempts), len(got.Notes), err)
	}
}

func TestIDsPackInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.Custom(func(rt *rapid.T) (id ID) {
			copy(id[:], rapid.SliceOfN(rapid.SampledFrom([]byte(crockford)), 26, 26).Draw(rt, "letters"))
			id[0] = crockford[rapid.IntRange(0, 7).Draw(rt, "first")]
			return id
		})
		a, b := id.Draw(rt, "a"), id.Draw(rt, "b")
		pa, ok := packID(a)
		pb, ok2 := packID(b)
		if !ok || !ok2 || unpackID(pa[:]) != a || unpackID(pb[:]) != b {
			rt.Fatalf("%s and %s came back as %s and %s", a, b, unpackID(pa[:]), unpackID(pb[:]))
		}
		if bytes.Compare(a[:], b[:]) != bytes.Compare(pa[:], pb[:]) {
			rt.Fatalf("%s and %s change their order when packed", a, b)
		}
	})
}

func TestMinID(t *testing.T) {
	at := time.UnixMilli(1_767_225_600_123)
	if low, id := MinID(at), NewID(at); bytes.Compare(low[:], id[:]) > 0 || !low.Time().Equal(at) {
		t.Errorf("MinID %s, an id of the same millisecond %s", low, id)
	}
	if low, id := MinID(at), NewID(at.Add(-time.Millisecond)); bytes.Compare(low[:], id[:]) <= 0 {
		t.Errorf("MinID %s, an id of the millisecond before %s", low, id)
	}
	if got := MinID(time.Time{}).String(); got != strings.Repeat("0", 26) {
		t.Errorf("MinID of the zero time is %s", got)
	}
}

func TestGoodCallIsSmallAndFree(t *testing.T) {
	j := goodCall()
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = j.AppendRecord(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(buf) > 250 {
		t.Errorf("%d bytes", len(buf))
	}
	var s Summary
	if n := testing.AllocsPerRun(100, func() { _ = ReadSummary(buf, &s) }); n != 0 {
		t.Errorf("reading the summary: %v allocations", n)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add(goodCall().AppendRecord(nil))
	f.Add(failedCall().AppendRecord(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := DecodeRecord(b)
		var s Summary
		if serr := ReadSummary(b, &s); err == nil && serr != nil {
			t.Fatalf("the record can be read, its summary cannot: %v", serr)
		}
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		if s.ID != j.ID || string(s.Path) != j.Path || s.Status != j.Status || s.Failed != (j.Finding != nil) {
			t.Fatalf("summary %+v of %+v", s, j)
		}
		again, err := DecodeRecord(j.AppendRecord(nil))
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		_ = again
	})
}

func BenchmarkAppendRecord(b *testing.B) {
	j := goodCall()
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = j.AppendRecord(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes/call")
}

func BenchmarkReadSummary(b *testing.B) {
	record := goodCall().AppendRecord(nil)
	var s Summary
	b.ReportAllocs()
	for b.Loop() {
		if err := ReadSummary(record, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	record := goodCall().AppendRecord(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRecord(record); err != nil {
			b.Fatal(err)
		}
	}
}
