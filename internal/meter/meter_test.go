package meter

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is one scrape: every sample by its series' text, and the families as parsed.
type page struct {
	samples  map[string]float64
	families map[string]*dto.MetricFamily
	text     string
}

// scrape asks the meter over a real socket and reads the answer as Prometheus does.
func scrape(t *testing.T, m *Meter) page {
	t.Helper()
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("scrape: status %d, %v:\n%s", resp.StatusCode, err, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("not valid exposition: %v\n%s", err, body)
	}
	p := page{samples: map[string]float64{}, families: families, text: string(body)}
	lines := bufio.NewScanner(strings.NewReader(p.text))
	for lines.Scan() {
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			at := strings.LastIndexByte(line, ' ')
			var v float64
			if _, err := fmt.Sscan(line[at+1:], &v); err != nil {
				t.Fatalf("sample %q: %v", line, err)
			}
			if _, twice := p.samples[line[:at]]; twice {
				t.Fatalf("series twice: %s", line)
			}
			p.samples[line[:at]] = v
		}
	}
	return p
}

func (p page) want(t *testing.T, series string, want float64) {
	t.Helper()
	got, ok := p.samples[series]
	if !ok {
		t.Errorf("no series %s in\n%s", series, p.own())
	} else if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s = %v, want %v", series, got, want)
	}
}

func (p page) without(t *testing.T, part string) {
	t.Helper()
	if strings.Contains(p.text, part) {
		t.Errorf("the page contains %q:\n%s", part, p.own())
	}
}

// own leaves out the Go runtime's and the process' metrics.
func (p page) own() string {
	var b strings.Builder
	for line := range strings.SplitSeq(p.text, "\n") {
		if strings.HasPrefix(line, "causeway_") {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func newMeter(t testing.TB, o Options) *Meter {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func call(status int, kind fault.Kind) *journey.Journey {
	j := &journey.Journey{}
	j.Reset()
	j.Status, j.Total = status, 30*time.Millisecond
	if status != 0 {
		j.FirstByte = 20 * time.Millisecond
	}
	if kind != "" {
		j.Finding = &fault.Finding{Kind: kind}
	}
	return j
}

func TestACallIsCountedUnderItsNames(t *testing.T) {
	m := newMeter(t, Options{})
	set := m.NewSet()
	orders, web := set.Service("orders"), set.Application("web")
	fast := set.Model("fast", "openai")
	m.Install(set, 7)

	good := call(200, "")
	good.BytesIn, good.BytesOut = 10, 1000
	good.Attempts = []journey.Attempt{{Kind: fault.ResetBeforeResponse}, {Status: 200}}
	orders.Call(web, good)
	orders.Call(nil, call(502, fault.ConnectionRefused))
	orders.Call(web, call(299, ""))
	orders.Call(web, call(777, ""))
	gone := call(0, "from_a_later_version")
	gone.Cut = true
	orders.Call(web, gone)
	chat := call(200, "")
	chat.Usage = journey.Usage{Input: 12, Output: 34, Cached: 5, CacheWrite: -1, Reasoning: 0, Source: "reported"}
	fast.Call(web, chat)
	fast.Events(200)
	set.Other().Call(nil, call(404, ""))

	p := scrape(t, m)
	const o = `service="orders"`
	p.want(t, `causeway_calls_total{application="web",code="200",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_calls_total{application="",code="502",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_calls_total{application="web",code="2xx",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_calls_total{application="web",code="other",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_calls_total{application="web",code="none",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_calls_total{application="web",code="200",model="fast",provider="openai",service=""}`, 1)
	p.want(t, `causeway_calls_total{application="",code="404",model="",provider="",service="other"}`, 1)
	p.want(t, `causeway_failures_total{kind="connection_refused",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_failures_total{kind="other",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_answers_cut_total{model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_upstream_attempts_total{model="",provider="",`+o+`}`, 2)
	p.want(t, `causeway_upstream_retries_total{model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_upstream_attempt_failures_total{kind="reset_before_response",model="",provider="",`+o+`}`, 1)
	p.want(t, `causeway_request_body_bytes_total{model="",provider="",`+o+`}`, 10)
	p.want(t, `causeway_response_body_bytes_total{model="",provider="",`+o+`}`, 1000)
	p.want(t, `causeway_call_duration_seconds_count{model="",provider="",`+o+`}`, 5)
	p.want(t, `causeway_call_duration_seconds_sum{model="",provider="",`+o+`}`, 0.15)
	p.want(t, `causeway_call_duration_seconds_bucket{model="",provider="",`+o+`,le="0.025"}`, 0)
	p.want(t, `causeway_call_duration_seconds_bucket{model="",provider="",`+o+`,le="0.05"}`, 5)
	p.want(t, `causeway_first_byte_seconds_count{model="",provider="",`+o+`}`, 4)
	p.want(t, `causeway_tokens_total{direction="input",model="fast",provider="openai"}`, 12)
	p.want(t, `causeway_tokens_total{direction="output",model="fast",provider="openai"}`, 34)
	p.want(t, `causeway_tokens_total{direction="cached",model="fast",provider="openai"}`, 5)
	p.want(t, `causeway_tokens_total{direction="cache_write",model="fast",provider="openai"}`, 0)
	p.want(t, `causeway_stream_events_total{model="fast",provider="openai",service=""}`, 200)
	p.want(t, `causeway_config_generation`, 7)
}

func TestEveryMetricSaysWhatItIs(t *testing.T) {
	m := newMeter(t, Options{
		Version: "1.2.3", Commit: "abc",
		Sources: Sources{
			Door: func() Door { return Door{HTTP2Errors: map[string]int64{"rapid_reset": 1}} },
			Targets: func() []Target {
				return []Target{{Service: "orders", Target: "http://127.0.0.1:1", Road: Road{HTTP2: true, KeepFor: time.Second, CertEnds: time.Unix(3, 0)}}}
			},
			Long: func() Long {
				return Long{Work: map[string]LongWork{"refusal": {}}, Unread: map[Unread]int64{{Of: "request", Reason: "size"}: 1}}
			},
			Ledger: func() Ledger { return Ledger{} },
			Listen: func() Listen { return Listen{ProxyRefused: map[string]int64{"missing": 1}} },
			TLS: func() TLS {
				return TLS{
					Certificates: []Certificate{{Name: "a.test", Source: "gw.pem", NotAfter: time.Unix(2, 0), OCSPUntil: time.Unix(1, 0), OK: true}, {Name: "b.test", Source: "acme"}},
					Handshakes:   []Handshakes{{Version: "1.3", Count: 1}, {Version: "1.3", Resumed: true, Count: 1}}, Failures: map[string]int64{"caller_tls_closed": 1},
				}
			},
		},
	})
	set := m.NewSet()
	m.Install(set, 1)
	failed := call(502, fault.ConnectionRefused)
	failed.Attempts = []journey.Attempt{{Kind: fault.ConnectionRefused, Tunnel: &journey.TunnelFacts{WebSocket: true, MessagesUp: 1, By: journey.SideCaller}}}
	failed.RPC = &journey.RPC{Form: "grpc"}
	failed.Usage = journey.Usage{Source: "reported", Cost: 1, Priced: true}
	set.Service("orders").Call(nil, failed)
	set.Model("fast", "").Call(nil, failed)

	p := scrape(t, m)
	for _, d := range allDescs {
		name, _, _ := strings.Cut(strings.TrimPrefix(d.String(), `Desc{fqName: "`), `"`)
		f := p.families[name]
		if f == nil {
			t.Errorf("%s is described and not shown", name)
			continue
		}
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		if counter := f.GetType() == dto.MetricType_COUNTER; counter != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s: counters end in _total and nothing else does", name, f.GetType())
		}
		if f.GetType() == dto.MetricType_HISTOGRAM && !strings.HasSuffix(name, "_seconds") {
			t.Errorf("%s is a histogram of durations without its unit in the name", name)
		}
	}
	p.want(t, fmt.Sprintf(`causeway_build_info{commit="abc",go_version=%q,version="1.2.3"}`, runtime.Version()), 1)
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "process_open_fds"} {
		if p.families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

func TestAReloadKeepsTheCountersOfNamesThatStay(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := newMeter(t, Options{Now: func() time.Time { return now }})
	first := m.NewSet()
	orders, users := first.Service("orders"), first.Service("users")
	web, batch := first.Application("web"), first.Application("batch")
	m.Install(first, 1)
	for _, s := range []*Series{orders, users} {
		s.Call(web, call(200, ""))
		s.Call(batch, call(200, ""))
	}

	second := m.NewSet()
	if second.Service("orders") != orders || second.Application("web") != web {
		t.Fatal("a name that stays got another handle")
	}
	stock := second.Service("stock")
	m.ReloadFailed()
	m.ReloadFailed()
	p := scrape(t, m)
	p.want(t, "causeway_config_last_reload_successful", 0)
	p.want(t, "causeway_config_reload_failures_total", 2)
	p.want(t, "causeway_config_generation", 1)

	m.Install(second, 2)
	stock.Call(second.Application("web"), call(200, ""))
	orders.Call(web, call(200, ""))
	users.Call(web, call(200, "")) // a call that was in flight over the reload
	p = scrape(t, m)
	p.want(t, `causeway_calls_total{application="web",code="200",model="",provider="",service="orders"}`, 2)
	p.want(t, `causeway_calls_total{application="web",code="200",model="",provider="",service="stock"}`, 1)
	p.want(t, `causeway_call_duration_seconds_count{model="",provider="",service="orders"}`, 3)
	p.want(t, "causeway_config_last_reload_successful", 1)
	p.want(t, "causeway_config_last_reload_success_timestamp_seconds", 1_700_000_000)
	p.without(t, "users")
	p.without(t, "batch")

	third := m.NewSet()
	if again := third.Application("batch"); again == batch || again.index == batch.index {
		t.Error("an application that came back took over counters that were dropped")
	}
}

func TestSourcesAreReadAtEachScrape(t *testing.T) {
	open := int64(3)
	m := newMeter(t, Options{Sources: Sources{
		Door: func() Door { return Door{Connections: open, Calls: 2, Accepted: 9, TurnedAway: 1} },
		Targets: func() []Target {
			return []Target{
				{Service: "orders", Target: "http://a:1", Healthy: true, InFlight: 4, Idle: 5, Road: Road{Open: 9}},
				{Service: "orders", Target: "http://a:1", Healthy: false, InFlight: 1, Idle: 1, Road: Road{Open: 2, HTTP2: true, Shared: 1, Streams: 7, Moved: 3}},
				{Service: "orders", Target: "http://user:secret@b:1/x"},
				{Service: "orders", Target: "http://user:secret@[b"},
				{Provider: "openai", Target: "bad\xffname", Healthy: true, Full: true},
			}
		},
		Listen: func() Listen {
			return Listen{ProxyAccepted: [3]int64{0, 6, 7}, ProxyRefused: map[string]int64{"malformed": 2}, HandOverFailures: 1, Leaving: true}
		},
		Ledger:     func() Ledger { return Ledger{BacklogBytes: 11, Dropped: 3, DroppedFailed: 1, Killed: 1, Full: true} },
		Guardrails: func() []GuardrailFound { return []GuardrailFound{{Rule: "pii", Label: "EMAIL", Count: 3}} },
		Models: func() []ModelTarget {
			return []ModelTarget{{Provider: "openai", Model: "gpt", Alone: true, Busy: 2, FirstToken: 250 * time.Millisecond}}
		},
		Keys: func() []ProviderKey {
			return []ProviderKey{{Provider: "openai", Place: 1, Requests: 7, Tokens: -1}, {Provider: "openai", Place: 2, Why: "rejected", Requests: -1, Tokens: -1}}
		},
	}})
	scrape(t, m).want(t, "causeway_connections_open", 3)
	open = 4
	p := scrape(t, m)
	p.want(t, "causeway_connections_open", 4)
	p.want(t, "causeway_calls_in_flight", 2)
	p.want(t, `causeway_model_target_up{model="gpt",provider="openai"}`, 0)
	p.want(t, `causeway_model_target_calls_in_flight{model="gpt",provider="openai"}`, 2)
	p.want(t, `causeway_model_target_first_token_seconds{model="gpt",provider="openai"}`, 0.25)
	p.want(t, `causeway_provider_key_usable{key="1",provider="openai",reason=""}`, 1)
	p.want(t, `causeway_provider_key_usable{key="2",provider="openai",reason="rejected"}`, 0)
	p.want(t, `causeway_provider_key_remaining{key="1",limit="requests",provider="openai"}`, 7)
	p.want(t, `causeway_guardrail_found_total{label="EMAIL",rule="pii"}`, 3)
	p.want(t, "causeway_connections_turned_away_total", 1)
	p.want(t, `causeway_target_healthy{provider="",service="orders",target="http://a:1"}`, 0)
	p.want(t, `causeway_target_attempts_in_flight{provider="",service="orders",target="http://a:1"}`, 5)
	p.want(t, `causeway_target_idle_connections{provider="",service="orders",target="http://a:1"}`, 6)
	p.want(t, `causeway_target_connections{provider="",service="orders",target="http://a:1"}`, 11)
	p.want(t, `causeway_target_http2_connections{provider="",service="orders",target="http://a:1"}`, 1)
	p.want(t, `causeway_target_http2_streams{provider="",service="orders",target="http://a:1"}`, 7)
	p.want(t, `causeway_target_http2_moved_total{provider="",service="orders",target="http://a:1"}`, 3)
	p.want(t, `causeway_target_full{provider="openai",service="",target="bad`+"\uFFFD"+`name"}`, 1)
	p.want(t, `causeway_target_healthy{provider="",service="orders",target="http://b:1/x"}`, 0)
	p.want(t, `causeway_target_healthy{provider="",service="orders",target="other"}`, 0)
	p.without(t, "secret")
	p.want(t, "causeway_ledger_backlog_bytes", 11)
	p.want(t, `causeway_ledger_dropped_calls_total{failed="true"}`, 1)
	p.want(t, `causeway_ledger_dropped_calls_total{failed="false"}`, 2)
	p.want(t, "causeway_ledger_spool_full", 1)
	p.want(t, "causeway_ledger_store_failing", 0)
	p.want(t, "causeway_ledger_killed_calls_total", 1)
	p.want(t, `causeway_proxy_protocol_headers_total{version="2"}`, 7)
	p.want(t, `causeway_proxy_protocol_refused_total{reason="malformed"}`, 2)
	p.want(t, "causeway_handover_failures_total", 1)
	p.want(t, "causeway_leaving", 1)
}

// Calls, scrapes and reloads at once: nothing is lost, and no histogram contradicts itself.
func TestNothingIsLostUnderConcurrency(t *testing.T) {
	const workers, calls = 8, 2000
	m := newMeter(t, Options{})
	set := m.NewSet()
	s := set.Service("orders")
	apps := []*Application{nil, set.Application("web"), set.Application("batch")}
	m.Install(set, 1)

	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			app := apps[w%len(apps)]
			j := call(502, fault.NotHTTP)
			for range calls {
				s.Call(app, j)
			}
		})
	}
	stop := make(chan struct{})
	var scrapes sync.WaitGroup
	scrapes.Go(func() {
		for g := uint64(2); ; g++ {
			select {
			case <-stop:
				return
			default:
			}
			next := m.NewSet()
			next.Service("orders")
			next.Application("web")
			next.Application("batch")
			rec := httptest.NewRecorder()
			m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
			if rec.Code != 200 {
				t.Errorf("scrape during calls: %d %s", rec.Code, rec.Body)
			}
			m.Install(next, g)
		}
	})
	wg.Wait()
	close(stop)
	scrapes.Wait()

	p := scrape(t, m)
	var sum float64
	for series, v := range p.samples {
		if strings.HasPrefix(series, "causeway_calls_total{") {
			sum += v
		}
	}
	if sum != workers*calls {
		t.Errorf("counted %v calls, want %d", sum, workers*calls)
	}
	p.want(t, `causeway_failures_total{kind="not_http",model="",provider="",service="orders"}`, workers*calls)
	p.want(t, `causeway_call_duration_seconds_bucket{model="",provider="",service="orders",le="+Inf"}`, workers*calls)
}

func TestBucketIsTheFirstBoundNotBelow(t *testing.T) {
	want := func(d time.Duration) int {
		for i, b := range bounds {
			if d <= b {
				return i
			}
		}
		return len(bounds)
	}
	try := func(d time.Duration) {
		t.Helper()
		if got := bucket(d); got != want(d) {
			t.Errorf("bucket(%v) = %d, want %d", d, got, want(d))
		}
	}
	for _, b := range bounds {
		for _, d := range []time.Duration{b - time.Microsecond, b - 1, b, b + 1, b + time.Microsecond} {
			try(d)
		}
	}
	for d := time.Duration(1); d > 0 && d < math.MaxInt64/2; d *= 2 {
		try(d)
		try(d - 1)
	}
	try(0)
	try(math.MaxInt64)
	if got := bucket(-time.Second); got != 0 {
		t.Errorf("bucket of a negative duration = %d, want 0", got)
	}
}

func TestShardsAreAPowerOfTwo(t *testing.T) {
	for procs, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 4, 8: 8, 64: 8} {
		if got := shardCount(procs); got != want {
			t.Errorf("shardCount(%d) = %d, want %d", procs, got, want)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := newMeter(t, Options{})
	set := m.NewSet()
	s, app := set.Model("fast", "openai"), set.Application("web")
	good, failed := benchCall(), call(502, fault.ConnectionRefused)
	s.Call(app, good)
	for name, f := range map[string]func(){
		"good call":   func() { s.Call(app, good) },
		"failed call": func() { s.Call(app, failed) },
		"events":      func() { s.Events(200) },
	} {
		if n := testing.AllocsPerRun(500, f); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func benchCall() *journey.Journey {
	j := call(200, "")
	j.BytesIn, j.BytesOut = 300, 1024
	j.Attempts = make([]journey.Attempt, 1)
	j.Usage = journey.Usage{Input: 10, Output: 20, Cached: -1, CacheWrite: -1, Reasoning: -1, Source: "reported"}
	return j
}

func BenchmarkCall(b *testing.B) {
	m := newMeter(b, Options{})
	set := m.NewSet()
	s, app := set.Model("fast", "openai"), set.Application("web")
	j := benchCall()
	b.ReportAllocs()
	for b.Loop() {
		s.Call(app, j)
	}
}

func BenchmarkCallParallel(b *testing.B) {
	m := newMeter(b, Options{})
	set := m.NewSet()
	s, app := set.Model("fast", "openai"), set.Application("web")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		j := benchCall()
		for pb.Next() {
			s.Call(app, j)
		}
	})
}

func BenchmarkScrape100Services(b *testing.B) {
	m := newMeter(b, Options{})
	set := m.NewSet()
	for i := range 100 {
		set.Service(fmt.Sprintf("service-%d", i)).Call(nil, benchCall())
	}
	m.Install(set, 1)
	b.ReportAllocs()
	for b.Loop() {
		m.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
	}
}
