package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// member is an upstream that says who it is and counts what reaches it.
type member struct {
	Name, URL, addr string
	calls           atomic.Int64 // without health checks
	checks          atomic.Int64
	health          atomic.Int64             // what /healthz answers
	script          chan int                 // when not nil, /healthz waits for its answers here
	gate            atomic.Pointer[chan int] // when set, calls wait until it is closed
	waiting         atomic.Int64             // calls at the gate
	server          *http.Server
}

func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		m.checks.Add(1)
		status := int(m.health.Load())
		if m.script != nil {
			select {
			case status = <-m.script:
			case <-r.Context().Done():
				return
			}
		}
		w.WriteHeader(status)
		return
	}
	m.calls.Add(1)
	if gate := m.gate.Load(); gate != nil {
		m.waiting.Add(1)
		defer m.waiting.Add(-1)
		select {
		case <-*gate:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = io.WriteString(w, m.Name)
}

// hold makes calls wait until the function it returns is called, which may be done twice.
func (m *member) hold() (release func()) {
	gate := make(chan int)
	m.gate.Store(&gate)
	return sync.OnceFunc(func() {
		m.gate.Store(nil)
		close(gate)
	})
}

// up listens, at the same address as the time before.
func (m *member) up(t *testing.T) {
	t.Helper()
	var l net.Listener
	var err error
	if m.addr == "" {
		l = listenFree(t) // at a port that nobody else is given while it is down
	} else if l, err = net.Listen("tcp", m.addr); err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	m.URL = "http://" + m.addr
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: time.Minute}
	go func() { _ = m.server.Serve(l) }()
}

// down closes the port and every connection.
func (m *member) down() { _ = m.server.Close() }

// farm is a row of members a, b, c, ...
type farm []*member

func startFarm(t *testing.T, n int) farm {
	t.Helper()
	f := make(farm, n)
	for i := range f {
		f[i] = &member{Name: string(rune('a' + i))}
		f[i].health.Store(200)
		f[i].up(t)
		t.Cleanup(func() { f[i].down() })
	}
	return f
}

// targets are the members as in the file, with their weights where there are any.
func (f farm) targets(weights ...int) string {
	list := make([]string, len(f))
	for i, m := range f {
		list[i] = fmt.Sprintf("{url: %q}", m.URL)
		if i < len(weights) {
			list[i] = fmt.Sprintf("{url: %q, weight: %d}", m.URL, weights[i])
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (f farm) calls() []int64 {
	n := make([]int64, len(f))
	for i, m := range f {
		n[i] = m.calls.Load()
	}
	return n
}

// openService is one service in the file, open to all, at /NAME/*; upstream is the inside of its
// upstream.
func openService(name, upstream string) string {
	return fmt.Sprintf("  %s:\n    access: open\n    routes: [{path: /%s/*}]\n    upstream: {%s}\n", name, name, upstream)
}

// flow is a mapping as the file has it.
func flow(m map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+": "+m[k])
	}
	return "{" + strings.Join(list, ", ") + "}"
}

// who asks for url and returns the name of the member that answered.
func who(t *testing.T, c *http.Client, url string, header ...string) string {
	t.Helper()
	a := fetch(t, c, "GET", url, nil, header...)
	if a.status != 200 {
		t.Fatalf("%s: %s %s", url, a.line, clip(a.body))
	}
	return string(a.body)
}

// targetMetric is a metric of one target of a service.
func (g *gateway) targetMetric(t *testing.T, metric, service, url string) float64 {
	t.Helper()
	return g.metric(t, fmt.Sprintf("causeway_%s{provider=\"\",service=%q,target=%q}", metric, service, url))
}

func TestWeightsAreExact(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 3)
	g := serve(t, "version: 1\nservices:\n"+openService("s", "targets: "+f.targets(5, 3, 2)))
	c := client(t)
	for round := range 4 {
		got := map[string]int{}
		for range 10 {
			got[who(t, c, g.URL+"/s/x")]++
		}
		want(t, fmt.Sprintf("round %d", round), fmt.Sprint(got), "map[a:5 b:3 c:2]")
	}
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			for range 10 {
				if _, err := try(t.Context(), c, "GET", g.URL+"/s/x", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	want(t, "after 240 calls, 200 of them at a time", fmt.Sprint(f.calls()), "[120 72 48]")
}

func TestLeastBusy(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 2)
	g := serve(t, "version: 1\nservices:\n"+openService("s", "balance: least_busy, targets: "+f.targets())+
		openService("w", "balance: least_busy, targets: "+f.targets(3, 1)))
	c := client(t)
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	t.Cleanup(func() { cancel(); calls.Wait() })
	// more begins calls one after the other: each has reached its target before the next begins.
	more := func(service string, n int) {
		for range n {
			before := f[0].waiting.Load() + f[1].waiting.Load()
			calls.Go(func() { _, _ = try(ctx, c, "GET", g.URL+"/"+service+"/x", nil) })
			eventually(t, "the call is at a target", func() bool { return f[0].waiting.Load()+f[1].waiting.Load() == before+1 })
		}
	}
	busy := func() string { return fmt.Sprint(f[0].waiting.Load(), f[1].waiting.Load()) }
	a, b := f[0].hold(), f[1].hold()
	more("s", 10)
	want(t, "10 calls in flight", busy(), "5 5")
	a()
	eventually(t, "a is free", func() bool {
		return f[0].waiting.Load() == 0 && g.targetMetric(t, "target_attempts_in_flight", "s", f[0].URL) == 0
	})
	a = f[0].hold()
	more("s", 5)
	want(t, "5 more after a has ended its own", busy(), "5 5")
	a()
	b()
	eventually(t, "both are free", func() bool { return busy() == "0 0" })

	a, b = f[0].hold(), f[1].hold()
	defer a()
	defer b()
	more("w", 12)
	want(t, "12 calls in flight by weights of 3 to 1", busy(), "9 3")
}

func TestRandomTwoSpreads(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 4)
	g := serve(t, "version: 1\nservices:\n"+openService("s", "balance: random_two, targets: "+f.targets()))
	c := client(t)
	var order strings.Builder
	for range 400 {
		order.WriteString(who(t, c, g.URL+"/s/x"))
	}
	for i, n := range f.calls() {
		if n < 50 || n > 150 { // nearly six standard deviations
			t.Errorf("%s got %d of 400 calls", f[i].Name, n)
		}
	}
	if s := order.String(); strings.Count(s, "abcd") > 20 || s[:200] == s[200:] {
		t.Errorf("the order is not a random one: %s", s)
	}
}

// stickyConfig has a service for each way to hash, with the same targets.
func stickyConfig(targets string) string {
	const health = ", health: {interval: 150ms, timeout: 10s, healthy_after: 1, unhealthy_after: 1}"
	config := "version: 1\nservices:\n"
	for name, balance := range map[string]string{"ip": "hash_ip", "header": "hash_header:X-Tenant", "cookie": "hash_cookie:sid"} {
		config += openService(name, "targets: "+targets+", balance: "+balance+health)
	}
	return config
}

func TestHashesAreSticky(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 4)
	g := serve(t, stickyConfig(f.targets()))
	const values = 60
	clients := make([]*http.Client, values)
	for i := range clients {
		clients[i] = clientFrom(t, fmt.Sprintf("127.0.1.%d", i+1))
	}
	ask := map[string]func(i int) string{
		"ip":     func(i int) string { return who(t, clients[i], g.URL+"/ip/x", "X-Tenant", "t", "Cookie", "sid=1") },
		"header": func(i int) string { return who(t, clients[0], g.URL+"/header/x", "X-Tenant", fmt.Sprint("tenant-", i)) },
		"cookie": func(i int) string {
			return who(t, clients[0], g.URL+"/cookie/x", "Cookie", fmt.Sprintf("theme=dark; sid=%d-session; lang=en", i), "X-Tenant", fmt.Sprint(i))
		},
	}
	all := func(how string) (list [values]string) {
		for i := range list {
			list[i] = ask[how](i)
		}
		return list
	}
	first := map[string][values]string{}
	for how := range ask {
		first[how] = all(how)
		for _, m := range f {
			n := 0
			for _, name := range first[how] {
				if name == m.Name {
					n++
				}
			}
			if n < 3 {
				t.Errorf("%s: %s has %d of %d values", how, m.Name, n, values)
			}
		}
		want(t, how+": asked again", all(how), first[how])
	}

	healthy := func(m *member, state float64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s has health %v everywhere", m.Name, state), func() bool {
			for how := range ask {
				if g.targetMetric(t, "target_healthy", how, m.URL) != state {
					return false
				}
			}
			return true
		})
	}
	moved := func(what string, lost *member) {
		t.Helper()
		for how := range ask {
			elsewhere := map[string]bool{}
			for i, name := range all(how) {
				switch was := first[how][i]; {
				case was != lost.Name:
					want(t, fmt.Sprintf("%s: %s: value %d, which another target had", what, how, i), name, was)
				case name == lost.Name:
					t.Errorf("%s: %s: value %d went to the lost target", what, how, i)
				default:
					elsewhere[name] = true
				}
			}
			if len(elsewhere) < 2 {
				t.Errorf("%s: %s: all that the lost target had went to %v", what, how, elsewhere)
			}
		}
	}
	f[2].health.Store(500)
	healthy(f[2], 0)
	moved("c is unhealthy", f[2])
	f[2].health.Store(200)
	healthy(f[2], 1)
	for how := range ask {
		want(t, how+": after c has come back", all(how), first[how])
	}

	g.configure(t, stickyConfig(slices.Delete(slices.Clone(f), 0, 1).targets()))
	g.awaitGeneration(t, 2)
	moved("a was taken out of the file", f[0])
	g.configure(t, stickyConfig(farm{f[3], f[0], f[2], f[1]}.targets()))
	g.awaitGeneration(t, 3)
	for how := range ask {
		want(t, how+": with all of them again, in another order", all(how), first[how])
	}

	var seen strings.Builder
	for range 8 {
		seen.WriteString(who(t, clients[0], g.URL+"/header/x"))
	}
	for _, m := range f {
		want(t, "of 8 calls without the header, those that "+m.Name+" got", strings.Count(seen.String(), m.Name), 2)
	}
}

// A target's checks are answered one by one here, so that it is known after which of them its state
// changes.
func TestHealthChecksCount(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 2)
	f[1].script = make(chan int)
	g := serve(t, "version: 1\nservices:\n"+openService("s", "targets: "+f.targets()+
		", health: {interval: 20ms, timeout: 20s, healthy_after: 2, unhealthy_after: 3}"))
	c := client(t)
	n := int64(1)
	answer := func(status int) {
		t.Helper()
		eventually(t, "a check has come", func() bool { return f[1].checks.Load() == n })
		f[1].script <- status
		n++
		eventually(t, "the check after it has come", func() bool { return f[1].checks.Load() == n })
	}
	used := func(what, share string) {
		t.Helper()
		got := map[string]int{}
		for range 10 {
			got[who(t, c, g.URL+"/s/x")]++
		}
		want(t, what, fmt.Sprint(got), share)
	}
	const both, onlyA = "map[a:5 b:5]", "map[a:10]"
	used("before any check", both)
	for _, status := range []int{500, 404, 200, 503, 302} {
		answer(status)
	}
	used("after failed checks, never three in a row", both)
	answer(500)
	used("after three in a row", onlyA)
	want(t, "its metric", g.targetMetric(t, "target_healthy", "s", f[1].URL), 0.0)
	want(t, "the metric of the other", g.targetMetric(t, "target_healthy", "s", f[0].URL), 1.0)
	answer(200)
	answer(500)
	answer(204)
	used("after good checks, never two in a row", onlyA)
	answer(299)
	used("after two in a row", both)
	want(t, "its metric", g.targetMetric(t, "target_healthy", "s", f[1].URL), 1.0)
	if _, ok := g.errs.find(patience, func(s string) bool {
		return strings.Contains(s, "target is unhealthy") && strings.Contains(s, f[1].URL) && strings.Contains(s, "answered 500")
	}); !ok {
		t.Errorf("no line says why the target was unhealthy: %s", g.errs.all())
	}
	if f[0].checks.Load() < 3 {
		t.Errorf("the healthy target was checked %d times", f[0].checks.Load())
	}
}

func TestNoHealthyTarget(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 3)
	f[0].down()
	f[1].health.Store(500)
	f[2].script = make(chan int) // never answers
	g := serve(t, "version: 1\nservices:\n"+openService("s", "targets: "+f.targets()+
		", health: {interval: 50ms, timeout: 1s, healthy_after: 1, unhealthy_after: 1}"))
	c := client(t)
	for _, m := range f {
		eventually(t, m.Name+" is unhealthy", func() bool { return g.targetMetric(t, "target_healthy", "s", m.URL) == 0 })
	}
	begun := time.Now()
	a := fetch(t, c, "GET", g.URL+"/s/x", nil)
	if took := time.Since(begun); took > atOnce {
		t.Errorf("the answer took %v", took)
	}
	want(t, "status", a.line, "503 Service Unavailable (no_healthy_target)")
	contains(t, "Proxy-Status", a.header.Get("Proxy-Status"), "causeway; error=destination_unavailable;")
	p := a.problem(t)
	want(t, "kind", p.Kind, "no_healthy_target")
	want(t, "attempts", len(p.Attempts), 0)
	contains(t, "detail", p.Detail, "none of 3 targets is healthy")
	for _, m := range f {
		reason := map[string]string{"a": "connection_refused", "b": "answered 500, not within 200-299", "c": "first_byte_timeout"}[m.Name]
		if !slices.ContainsFunc(p.Evidence, func(line string) bool { return strings.Contains(line, m.addr) && strings.Contains(line, reason) }) {
			t.Errorf("the evidence does not say of %s (%s): %s\n%s", m.Name, m.addr, reason, strings.Join(p.Evidence, "\n"))
		}
	}
	// A reload that does not change the checks keeps what they have found.
	g.signal(t, syscall.SIGHUP)
	g.awaitGeneration(t, 2)
	want(t, "status after a reload", fetch(t, c, "GET", g.URL+"/s/x", nil).line, "503 Service Unavailable (no_healthy_target)")
	want(t, "calls at the targets", fmt.Sprint(f.calls()), "[0 0 0]")

	f[0].up(t)
	eventually(t, "a is healthy", func() bool { return g.targetMetric(t, "target_healthy", "s", f[0].URL) == 1 })
	want(t, "who answers when a is back", who(t, c, g.URL+"/s/x"), "a")
}

func TestNoSlot(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 2)
	g := serve(t, "version: 1\nservices:\n"+openService("s", "targets: "+f.targets()+", max_busy: 2"))
	c := client(t)
	release := []func(){f[0].hold(), f[1].hold()}
	ctx, leave := context.WithCancel(t.Context())
	var good atomic.Int64
	var calls sync.WaitGroup
	t.Cleanup(func() { release[0](); release[1](); calls.Wait() })
	fill := func(ctx context.Context) {
		calls.Go(func() {
			if a, err := try(ctx, c, "GET", g.URL+"/s/x", nil); err == nil && a.status == 200 {
				good.Add(1)
			}
		})
	}
	atTargets := func(n int64) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " calls are at the targets"), func() bool { return f[0].waiting.Load()+f[1].waiting.Load() == n })
	}
	fill(ctx)
	for range 3 {
		fill(t.Context())
	}
	atTargets(4)
	want(t, "calls at a and b", fmt.Sprint(f[0].waiting.Load(), f[1].waiting.Load()), "2 2")
	want(t, "the metric of a full target", g.targetMetric(t, "target_full", "s", f[0].URL), 1.0)
	begun := time.Now()
	a := fetch(t, c, "GET", g.URL+"/s/x", nil)
	if took := time.Since(begun); took > atOnce {
		t.Errorf("the answer took %v", took)
	}
	want(t, "status", a.line, "503 Service Unavailable (no_slot)")
	p := a.problem(t)
	want(t, "cause", p.Cause, "overload")
	contains(t, "Proxy-Status", a.header.Get("Proxy-Status"), "error=connection_limit_reached")
	contains(t, "evidence", strings.Join(p.Evidence, "\n"), f[0].addr, f[1].addr, "max_busy: 2")

	leave() // its slot comes back
	atTargets(3)
	eventually(t, "the slot of a caller who left is free", func() bool {
		return g.targetMetric(t, "target_attempts_in_flight", "s", f[0].URL)+g.targetMetric(t, "target_attempts_in_flight", "s", f[1].URL) == 3
	})
	fill(t.Context())
	atTargets(4)
	want(t, "status when that slot is taken as well", fetch(t, c, "GET", g.URL+"/s/x", nil).status, 503)
	release[0]()
	release[1]()
	calls.Wait()
	want(t, "calls that were answered", good.Load(), 4)
	want(t, "status when all slots are free", fetch(t, c, "GET", g.URL+"/s/x", nil).status, 200)
}

func TestDeadTargetIsSkipped(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 2)
	f[0].down()
	g := serve(t, "version: 1\nservices:\n"+openService("s", "targets: "+f.targets()+", retries: {budget: 100%, backoff: 1ms}"))
	c := client(t)
	twice := 0
	for i := range 20 {
		method := []string{"GET", "POST"}[i/10] // what was refused had not been sent
		a := fetch(t, c, method, g.URL+"/s/x", nil)
		want(t, "answer", fmt.Sprint(a.status, string(a.body)), "200b")
		rec := g.record(t, a.id)
		want(t, "Causeway-Attempts", a.header.Get("Causeway-Attempts"), fmt.Sprint(len(rec.Attempts)))
		if len(rec.Attempts) == 2 {
			twice++
			want(t, "the first attempt", rec.Attempts[0].Kind+" at "+rec.Attempts[0].Target, "connection_refused at "+f[0].URL)
			want(t, "the second", fmt.Sprint(rec.Attempts[1].Status)+" at "+rec.Attempts[1].Target, "200 at "+f[1].URL)
			contains(t, "why it was repeated", rec.Attempts[0].Again, "retried: nothing had reached the upstream")
		}
	}
	if twice < 8 || twice > 12 {
		t.Errorf("%d of 20 calls met the dead target", twice)
	}
	want(t, "calls at the other", f[1].calls.Load(), 20)
}
