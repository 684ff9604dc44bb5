package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// soakTime is how long the load lasts: SOAK=10m, or 30 s.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	v := os.Getenv("SOAK")
	if v == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatalf("SOAK: %v", err)
	}
	return d
}

// soak is a gateway under mixed load.
type soak struct {
	g      *gateway
	key    string // of the sandbox model
	steady *soakUpstream
	shaky  []*soakUpstream
	ways   map[string]*soakWay
	rested string // the configuration that nobody calls: what the process holds under it is its rest

	mu     sync.Mutex
	ids    map[string]struct{} // of calls that got an answer's head
	counts map[string]int      // iterations, by load and by how they ended
	faults []string
	ended  map[string]float64 // calls by service, as the gateway counted them
}

// config is the n-th configuration of the load: all mean the same and none is the one before.
func (s *soak) config(n int) string {
	var shaky []string
	for _, u := range s.shaky {
		shaky = append(shaky, fmt.Sprintf("{url: %q, weight: %d}", u.url(), 1+n%3))
	}
	config := s.rested + fmt.Sprintf(`services:
  steady:
    access: open
    routes: [{path: /steady/*, strip_prefix: true}]
    upstream: {targets: [{url: %q}], headers: {set: {X-Generation: "%d"}}}
  grpc:
    access: open
    routes: [{path: /soak.Echo/*}]
    upstream: {targets: [{url: %q}], protocol: h2c}
  shaky:
    access: open
    routes: [{path: /shaky/*, strip_prefix: true}]
    upstream:
      targets: [%s]
      balance: least_busy
      timeouts: {connect: 1s, first_byte: 5s, idle: 5s}
      health: {path: /echo, interval: 200ms, timeout: 500ms, healthy_after: 1, unhealthy_after: 2}
`, s.steady.url(), n, s.steady.url(), strings.Join(shaky, ", "))
	if n%2 == 1 {
		config += "  extra: {access: open, routes: [{path: /extra/*}], upstream: {targets: [{url: \"http://127.0.0.1:1\"}]}}\n"
	}
	return config
}

// Every protocol at once, with callers that leave, reloads and upstreams that die. Afterwards the
// gateway holds what it held before, and every call is in the log.
func TestSoak(t *testing.T) {
	t.Parallel()
	lasts := soakTime(t)
	s := &soak{steady: startSoakUpstream(t), shaky: []*soakUpstream{startSoakUpstream(t), startSoakUpstream(t), startSoakUpstream(t)}, ids: map[string]struct{}{}, counts: map[string]int{}, ways: map[string]*soakWay{}, ended: map[string]float64{}}
	cert := newCertificate(t, "localhost")
	s.rested = fmt.Sprintf("version: 1\ncalls: {max_size: 2GiB}\nserver: {tls: [{cert_file: %q, key_file: %q}], listen: [{address: \"127.0.0.1:0\", tls: false}, {address: \"127.0.0.1:0\"}]}\n", cert.certFile, cert.keyFile)
	s.g = serve(t, s.rested, listenOn(""), withEnv("GOGC=25"))
	s.key = s.g.sandboxKey(t)
	s.makeWays(t, cert.pool)

	// The warm-up leaves behind what is meant to stay: buffers, the sandbox's peers, the store's pages.
	begun := time.Now()
	s.run(t, min(lasts/5, 20*time.Second))
	before := s.rest(t)
	t.Logf("warm-up: %d calls in %v; at rest: %s", len(s.ids), time.Since(begun).Round(time.Second), before)
	begun = time.Now()
	s.run(t, lasts)
	t.Logf("load: %d calls answered in %v", len(s.ids), time.Since(begun).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		t.Logf("  %s: %d", name, s.counts[name])
	}
	for _, l := range soakLoads() {
		if s.counts[l.name+", good"]+s.counts[l.name+", left"] == 0 {
			t.Errorf("the load %q did nothing", l.name)
		}
	}
	s.compare(t, before)
	s.inLog(t)
	want(t, "exit code", s.g.stop(t), 0)
}

// run puts the load on for a time.
func (s *soak) run(t *testing.T, lasts time.Duration) {
	t.Helper()
	s.g.configure(t, s.config(0))
	eventually(t, "the services are there", func() bool {
		a, err := try(t.Context(), s.ways["h1"].client, "GET", s.g.URL+"/steady/echo", nil)
		return err == nil && a.status == 200
	})
	eventually(t, "the shaky ones too", func() bool {
		a, err := try(t.Context(), s.ways["h1"].client, "GET", s.g.URL+"/shaky/echo", nil)
		return err == nil && a.status == 200
	})
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	var all sync.WaitGroup
	for _, l := range soakLoads() {
		for i := range l.workers {
			all.Add(1)
			go func() {
				defer all.Done()
				s.work(ctx, l, rand.New(rand.NewPCG(uint64(i), uint64(len(l.name)))))
			}()
		}
	}
	all.Add(2)
	go func() { // reloads
		defer all.Done()
		for n := 1; pause(ctx, 700*time.Millisecond); n++ {
			s.g.configure(t, s.config(n))
		}
	}()
	go func() { // upstreams that die and come back
		defer all.Done()
		for n := 0; pause(ctx, 400*time.Millisecond); n++ {
			u := s.shaky[n%len(s.shaky)]
			u.die()
			pause(ctx, 300*time.Millisecond)
			if err := u.live(); err != nil {
				s.fault("an upstream's address: %v", err)
				return
			}
		}
	}()
	all.Wait()
	for _, f := range s.faults {
		t.Error(f)
		if _, rest, ok := strings.Cut(f, ": call "); ok && len(rest) > 26 {
			if c, ok := s.g.findRecord(t, rest[:26], time.Second); ok {
				t.Logf("%+v", c)
			}
		}
	}
	s.faults = nil
}

// work repeats one load until the time is over.
func (s *soak) work(ctx context.Context, l soakLoad, r *rand.Rand) {
	for ctx.Err() == nil {
		// What has begun ends by itself: only the loads that leave do so in the middle.
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		how, err := l.call(one, s, r)
		cancel()
		s.mu.Lock()
		s.counts[l.name+", "+how]++
		s.mu.Unlock()
		if err != nil {
			s.fault("%s: %v", l.name, err)
		}
		pause(ctx, time.Duration(r.Int64N(int64(l.pause))))
	}
}

func (s *soak) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) < 20 {
		s.faults = append(s.faults, fmt.Sprintf(format, args...))
	}
}

// saw keeps the id of a call whose answer has begun.
func (s *soak) saw(id string) {
	if id == "" {
		return
	}
	s.mu.Lock()
	s.ids[id] = struct{}{}
	s.mu.Unlock()
}

// pause waits, and returns false when the time is over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// holdings are what the process holds.
type holdings struct {
	goroutines, files, heap, resident float64
}

func (h holdings) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f descriptors, %.1f MiB of heap in use after collection, %.1f MiB resident", h.goroutines, h.files, h.heap/(1<<20), h.resident/(1<<20))
}

// rest takes the load's services away and waits until nothing is in flight; then it measures.
func (s *soak) rest(t *testing.T) holdings {
	t.Helper()
	for _, w := range s.ways {
		w.client.CloseIdleConnections()
	}
	s.g.admin.CloseIdleConnections()
	eventually(t, "nothing is in flight", func() bool {
		m := s.scrape(t)
		return m["causeway_calls_in_flight"] == 0 && m["causeway_connections_open"] == 0
	})
	for service, n := range callsOf(s.scrape(t)) {
		if service != "" && service != "other" { // its counters go with it
			s.ended[service] += n
		}
	}
	n := s.g.generation(t)
	s.g.configure(t, s.rested+fmt.Sprintf("# after generation %d\n", n))
	s.g.awaitGeneration(t, n+1)
	return s.holdings(t)
}

// holdings reads the process's own figures over some garbage collections: the least of each, as what
// is on its way out comes and goes.
func (s *soak) holdings(t *testing.T) holdings {
	t.Helper()
	now := func(m map[string]float64) holdings {
		// Connections to the sandbox wait for the next call, with both ends in this process. Each has a
		// goroutine at the sandbox's end.
		_, served, called := descriptors(s.g.cmd.Process.Pid)
		return holdings{m["go_goroutines"] - float64(served), m["process_open_fds"] - float64(served+called), m["go_memstats_heap_alloc_bytes"], m["process_resident_memory_bytes"]}
	}
	m := s.scrape(t)
	until := m["go_gc_duration_seconds_count"] + 4
	least := now(m)
	for deadline := time.Now().Add(patience); m["go_gc_duration_seconds_count"] < until && time.Now().Before(deadline); {
		m = s.scrape(t)
		h := now(m)
		least.goroutines, least.files = min(least.goroutines, h.goroutines), min(least.files, h.files)
		least.heap, least.resident = min(least.heap, h.heap), h.resident
	}
	return least
}

// compare fails the test where more is held than before the load.
func (s *soak) compare(t *testing.T, before holdings) {
	t.Helper()
	after := s.rest(t)
	// The store's readers come and go (each a descriptor, and together a goroutine of database/sql), and
	// the figures of one moment are read one after the other. What a call leaves behind is there
	// thousands of times by now.
	const comeAndGo = 3
	before.goroutines, before.files = before.goroutines+comeAndGo, before.files+comeAndGo
	for deadline := time.Now().Add(patience); (after.goroutines > before.goroutines || after.files > before.files) && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		after = s.holdings(t)
	}
	t.Logf("at rest again: %s", after)
	for name, v := range s.scrape(t) {
		if strings.HasPrefix(name, "causeway_target_attempts_in_flight") && v != 0 {
			t.Errorf("%s is %v", name, v)
		}
	}
	const slack = 6 << 20 // the store's cache of pages, the log's indexes
	if after.heap > before.heap*1.1+slack {
		t.Errorf("the heap grew from %.1f to %.1f MiB", before.heap/(1<<20), after.heap/(1<<20))
	}
	if after.files > before.files {
		list, _, _ := descriptors(s.g.cmd.Process.Pid)
		t.Errorf("%.0f descriptors, at most %.0f after what there was before the load:\n%s", after.files, before.files, strings.Join(list, "\n"))
	}
	if after.goroutines > before.goroutines {
		s.g.signal(t, syscall.SIGQUIT) // it prints them and ends
		<-s.g.done
		t.Fatalf("%.0f goroutines, at most %.0f after what there was before the load:\n%s", after.goroutines, before.goroutines, s.g.errs.all())
	}
}

// inLog checks that every call is in the log, once.
func (s *soak) inLog(t *testing.T) {
	t.Helper()
	m := s.scrape(t)
	others := callsOf(m)
	s.ended[""] = others[""] + others["other"]
	for _, name := range []string{`causeway_ledger_dropped_calls_total{failed="false"}`, `causeway_ledger_dropped_calls_total{failed="true"}`, "causeway_ledger_refused_calls_total", "causeway_ledger_damaged_records_total"} {
		want(t, name, m[name], 0)
	}
	log, logged := map[string]string{}, map[string]float64{}
	for c := range s.g.everyCall(t) {
		if _, twice := log[c.ID]; twice {
			t.Errorf("call %s is in the log twice", c.ID)
		}
		log[c.ID] = c.Kind
		logged[c.Service]++
	}
	if !maps.Equal(logged, s.ended) {
		t.Errorf("calls in the log, by service: %v; counted by the gateway: %v", logged, s.ended)
	}
	missing, kinds := 0, map[string]int{}
	for id := range s.ids {
		if _, ok := log[id]; !ok {
			missing++
		}
	}
	want(t, "answered calls that are not in the log", missing, 0)
	for _, kind := range log {
		kinds[kind]++
	}
	t.Logf("%d calls in the log; kinds: %v", len(log), kinds)
	for _, never := range []string{"gateway_bug", "unclassified", "gateway_killed", "gateway_draining"} {
		want(t, "calls of kind "+never, kinds[never], 0)
	}
}

// callsOf counts the calls that ended, by service; those of models and of nobody are under "".
func callsOf(m map[string]float64) map[string]float64 {
	by := map[string]float64{}
	for name, v := range m {
		if labels, ok := strings.CutPrefix(name, "causeway_calls_total{"); ok {
			_, service, _ := strings.Cut(labels, `service="`)
			service, _, _ = strings.Cut(service, `"`)
			by[service] += v
		}
	}
	return by
}

// scrape reads /metrics: values by name with labels.
func (s *soak) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(s.g.Console + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]float64{}
	for line := range strings.SplitSeq(string(body), "\n") {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(line[i+1:], 64)
			if err != nil {
				t.Fatalf("metric %q: %v", line, err)
			}
			m[line[:i]] = v
		}
	}
	return m
}

// left tells an error that a caller's own leaving made.
func left(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
