package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A trial of resilience: three targets under load, one of them goes bad for a while, and is well again. In full
// (CAUSEWAY_RESILIENCE=full, make resilience) it is 2,000 calls a second, and times count as well.
type ordeal struct {
	rate         int           // calls a second
	warm, outage time.Duration // before it goes bad; how long it is bad
	settle       time.Duration // after which the bad one gets next to nothing
	full         bool
}

func ordealOf() ordeal {
	if rate, err := strconv.Atoi(os.Getenv("CAUSEWAY_RESILIENCE")); err == nil && rate > 0 {
		return ordeal{rate: rate, warm: 10 * time.Second, outage: 12 * time.Second, settle: 5 * time.Second, full: true}
	}
	return ordeal{rate: 150, warm: 2 * time.Second, outage: 3500 * time.Millisecond, settle: 2 * time.Second}
}

const (
	hangs = 500 * time.Millisecond // the gateway's first_byte
	slow  = 300 * time.Millisecond // how late a slow target is
	usual = 2 * time.Millisecond   // how long a good answer takes
)

// sufferer is a target that can be bad.
type sufferer struct {
	addr   string
	calls  atomic.Int64
	mode   atomic.Pointer[string]
	healed atomic.Pointer[chan struct{}]
	server *http.Server
}

func (s *sufferer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	chat := strings.HasSuffix(r.URL.Path, "/chat/completions")
	if chat || strings.HasPrefix(r.URL.Path, "/s/") {
		s.calls.Add(1)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	switch *s.mode.Load() {
	case "hung":
		select {
		case <-*s.healed.Load():
		case <-r.Context().Done():
		}
		return
	case "slow":
		time.Sleep(slow)
	case "500":
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	default:
		time.Sleep(usual)
	}
	if chat {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

func (s *sufferer) up(t *testing.T) {
	t.Helper()
	var l net.Listener
	var err error
	if s.addr == "" {
		l = listenFree(t) // at a port that nobody else is given while it is down
	} else if l, err = net.Listen("tcp", s.addr); err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func(server *http.Server) { _ = server.Serve(l) }(s.server)
}

// turn makes it bad, or well again.
func (s *sufferer) turn(t *testing.T, mode string) {
	t.Helper()
	was := s.mode.Swap(&mode)
	healed := make(chan struct{})
	if old := s.healed.Swap(&healed); old != nil {
		close(*old)
	}
	switch {
	case mode == "killed":
		_ = s.server.Close()
	case was != nil && *was == "killed":
		s.up(t)
	}
}

func startSufferers(t *testing.T) []*sufferer {
	t.Helper()
	list := make([]*sufferer, 3)
	for i := range list {
		s := &sufferer{}
		s.turn(t, "well")
		s.up(t)
		t.Cleanup(func() { _ = s.server.Close() })
		list[i] = s
	}
	return list
}

// made is one call of the load.
type made struct {
	at   time.Duration // since the load began
	took time.Duration
	ok   bool
	says string // what a lost call was told
}

// load makes calls at a steady rate until it is stopped, whatever becomes of those before.
type load struct {
	began time.Time
	mu    sync.Mutex
	list  []made
	late  time.Duration // the most that the load itself was late, for want of a CPU
	stop  context.CancelFunc
	done  chan struct{}
}

func startLoad(t *testing.T, rate int, call func(context.Context, *http.Client) (bool, string)) *load {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 1024}, Timeout: patience}
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{began: time.Now(), stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		defer c.CloseIdleConnections()
		var calls sync.WaitGroup
		defer calls.Wait()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		last := l.began
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := time.Now()
			l.mu.Lock()
			l.late = max(l.late, now.Sub(last)-5*time.Millisecond)
			l.mu.Unlock()
			last = now
			for due := int(time.Since(l.began).Seconds() * float64(rate)); n < due; n++ {
				calls.Go(func() {
					at := time.Now()
					ok, says := call(context.WithoutCancel(ctx), c)
					m := made{at: at.Sub(l.began), took: time.Since(at), ok: ok, says: says}
					l.mu.Lock()
					l.list = append(l.list, m)
					l.mu.Unlock()
				})
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-l.done })
	return l
}

// between are the calls begun in a time.
func (l *load) between(from, to time.Duration) (list []made) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.list {
		if m.at >= from && m.at < to {
			list = append(list, m)
		}
	}
	return list
}

func lost(list []made) (n int, says map[string]int) {
	says = map[string]int{}
	for _, m := range list {
		if !m.ok {
			n++
			says[m.says]++
		}
	}
	return n, says
}

func p99(list []made) time.Duration {
	took := make([]time.Duration, len(list))
	for i, m := range list {
		took[i] = m.took
	}
	slices.Sort(took)
	if len(took) == 0 {
		return 0
	}
	return took[len(took)*99/100]
}

// endure puts one of three targets through an outage under load. What goes wrong on a machine that could not keep the
// load up itself, in the ordinary tests, says nothing: then it is done again with half of the load.
func endure(t *testing.T, o ordeal, mode string, targets []*sufferer, call func(context.Context, *http.Client) (bool, string)) {
	t.Helper()
	for n := 1; ; n++ {
		wrong, busy := suffer(t, o, mode, targets, call)
		if len(wrong) > 0 && busy && !o.full {
			if n < 4 {
				t.Logf("once more: the machine was too busy (%s)", strings.Join(wrong, "; "))
				o.rate /= 2
				c := &http.Client{Timeout: patience}
				eventually(t, "it is well again", func() bool { ok, _ := call(t.Context(), c); return ok })
				continue
			}
			t.Skipf("the machine is too busy to tell: %s", strings.Join(wrong, "; "))
		}
		for _, w := range wrong {
			t.Error(w)
		}
		return
	}
}

// suffer tells what went wrong, and whether the machine was too busy: the load was late, or slow before anything was
// bad.
func suffer(t *testing.T, o ordeal, mode string, targets []*sufferer, call func(context.Context, *http.Client) (bool, string)) (wrong []string, busy bool) {
	t.Helper()
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	bad := targets[1]
	total := func() (n int64) {
		for _, s := range targets {
			n += s.calls.Load()
		}
		return n
	}
	l := startLoad(t, o.rate, call)
	wait := func(d time.Duration) { time.Sleep(max(0, d-time.Since(l.began))) }
	wait(o.warm)
	bad.turn(t, mode)
	from := time.Since(l.began)
	wait(from + o.settle)
	badBefore, allBefore := bad.calls.Load(), total()
	wait(from + o.outage)
	badCalls, allCalls := bad.calls.Load()-badBefore, total()-allBefore
	bad.turn(t, "well")
	healed := time.Since(l.began)

	// It is back in use when it gets a share that no trials make: a twentieth of the calls in half a second.
	const look = 500 * time.Millisecond
	back := time.Duration(0)
	for back == 0 && time.Since(l.began) < healed+15*time.Second {
		b, a := bad.calls.Load(), total()
		time.Sleep(look)
		if b, a = bad.calls.Load()-b, total()-a; b > 3 && b*20 >= a {
			back = time.Since(l.began) - healed
		}
	}
	l.stop()
	<-l.done

	outage := l.between(from-50*time.Millisecond, healed)
	all := l.between(0, 1<<62)
	healthy, suffering := p99(l.between(o.warm/2, from-50*time.Millisecond)), p99(outage)
	n, says := lost(all)
	share := 100 * float64(badCalls) / float64(max(allCalls, 1))
	t.Logf("%s at %d/s: %d of %d calls lost (%.3f %%), p99 %s healthy and %s in the outage, the bad target's share %.2f %%, back in use after %s",
		mode, o.rate, n, len(all), 100*float64(n)/float64(len(all)), healthy.Round(10*time.Microsecond), suffering.Round(10*time.Microsecond), share, back.Round(10*time.Millisecond))
	if float64(n) > 0.001*float64(len(all))+1 {
		fail("%d of %d calls were lost: %v", n, len(all), says)
	}
	if allowed := max(2, float64(allCalls)*0.02); float64(badCalls) > allowed {
		fail("the bad target got %d of %d calls", badCalls, allCalls)
	}
	if back == 0 || back > 10*time.Second {
		fail("it was back in use after %s", back)
	}
	if most := 2*healthy + hangs; o.full && suffering > most {
		fail("p99 in the outage is %s, above %s", suffering, most)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return wrong, l.late > hangs/5 || healthy > hangs/5
}

func getOK(url string) func(context.Context, *http.Client) (bool, string) {
	return func(ctx context.Context, c *http.Client) (bool, string) {
		rq, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, err.Error()
		}
		return answersOK(c, rq)
	}
}

func answersOK(c *http.Client, rq *http.Request) (bool, string) {
	res, err := c.Do(rq)
	if err != nil {
		return false, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		var p struct {
			Kind  string
			Error struct{ Causeway struct{ Kind string } }
		}
		_ = json.Unmarshal(body, &p) // an upstream's own answer has no kind
		return false, fmt.Sprint(res.Status, " ", p.Kind, p.Error.Causeway.Kind, " ", res.Header.Get("Causeway-Attempts"))
	}
	return true, ""
}

func sufferersConfig(targets []*sufferer, more string) string {
	var list []string
	for _, s := range targets {
		list = append(list, "{url: http://"+s.addr+"}")
	}
	return "version: 1\nservices:\n" + openService("s", "targets: ["+strings.Join(list, ", ")+"], timeouts: {first_byte: "+hangs.String()+"}, "+more)
}

// TestResilienceOfAService: with retries and breakers on, one of three targets that is killed, hangs, is slow or answers
// 500 costs next to no calls.
func TestResilienceOfAService(t *testing.T) {
	o := ordealOf()
	for _, mode := range []string{"killed", "hung", "slow", "500"} {
		t.Run(mode, func(t *testing.T) {
			if !o.full {
				t.Parallel()
			}
			targets := startSufferers(t)
			g := serve(t, sufferersConfig(targets, "retries: {max: 2, on: [connect, reset_before_response, 500, 502, 503, 504]}, breaker: {slow: 5, open_for: 4s}"))
			endure(t, o, mode, targets, getOK(g.URL+"/s/x"))
		})
	}
}

// TestResilienceOfAModel is the same for a model with three providers.
func TestResilienceOfAModel(t *testing.T) {
	o := ordealOf()
	for _, mode := range []string{"killed", "hung", "500"} {
		t.Run(mode, func(t *testing.T) {
			if !o.full {
				t.Parallel()
			}
			targets := startSufferers(t)
			config := "version: 1\nproviders:\n"
			for i, s := range targets {
				config += fmt.Sprintf("  p%d: {kind: openai-compatible, base_url: http://%s/v1, keys: [key-number-%d-0123456789], timeouts: {first_byte: %s}}\n", i, s.addr, i, hangs)
			}
			config += "models:\n  fast: {targets: [{model: p0/m}, {model: p1/m}, {model: p2/m}]}\napplications:\n  web: {keys: [0123456789abcdef0123], subscribes: [models/fast]}\n"
			g := serve(t, config)
			endure(t, o, mode, targets, func(ctx context.Context, c *http.Client) (bool, string) {
				rq, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"fast","messages":[{"role":"user","content":"x"}]}`))
				if err != nil {
					return false, err.Error()
				}
				rq.Header.Set("Content-Type", "application/json")
				rq.Header.Set("Authorization", "Bearer 0123456789abcdef0123")
				return answersOK(c, rq)
			})
		})
	}
}

// TestNoRetryStorm: when all targets are bad, attempts stay within calls x (1 + budget), with and without breakers.
func TestNoRetryStorm(t *testing.T) {
	o := ordealOf()
	for name, breaker := range map[string]string{"budget alone": "", "with breakers": ", breaker: {open_for: 500ms}"} {
		for _, mode := range []string{"500", "hung"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				if !o.full {
					t.Parallel()
				}
				targets := startSufferers(t)
				g := serve(t, sufferersConfig(targets, "retries: {max: 5, on: [connect, reset_before_response, 500, 502, 503, 504], budget: 20%}"+breaker))
				for _, s := range targets {
					s.turn(t, mode)
				}
				l := startLoad(t, o.rate, getOK(g.URL+"/s/x"))
				time.Sleep(o.outage)
				l.stop()
				<-l.done
				calls := len(l.between(0, 1<<62))
				attempts := int64(0)
				for _, s := range targets {
					attempts += s.calls.Load()
				}
				t.Logf("%d calls, %d attempts", calls, attempts)
				// A window has three retries whatever its calls are; connections kept alive have none that are not counted.
				if most := 1.2*float64(calls) + 3; float64(attempts) > most || attempts == 0 {
					t.Errorf("%d attempts for %d calls", attempts, calls)
				}
				if n, _ := lost(l.between(0, 1<<62)); n != calls {
					t.Errorf("%d of %d calls were lost", n, calls)
				}
			})
		}
	}
}
