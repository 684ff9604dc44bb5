package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What strangers can do to the gateway over HTTP/1.1, and what of it its other callers feel: each attack
// is bounded in memory and descriptors, refused for less than a call costs, named in metrics and log, and
// gone without a trace when it ends. `make attacks` runs each alone, large and for long, and prints what
// it measured; here they all come at once.

const attacksConfig = `
version: 1
server: {read_header_timeout: %[5]s, idle_timeout: 2s, min_rate: 128, min_rate_after: 1s, max_connections: 40000}
services:
  small: {access: open, routes: [{path: /small}], upstream: {targets: [{url: %[4]q}]}}
  sink: {access: open, routes: [{path: /sink}], upstream: {targets: [{url: %[1]q}], retries: {max: 0}}}
  endless: {access: open, routes: [{path: /endless}], upstream: {targets: [{url: %[1]q}], timeouts: {idle: 1s}}}
  odd: {access: open, routes: [{path: /interim}, {path: /trailers}, {path: /heads}], upstream: {targets: [{url: %[2]q}], retries: {max: 0}}}
providers:
  bomb: {kind: openai-compatible, base_url: "%[1]s/bomb/v1", keys: [sk-attacks-upstream-0123456789], retries: {max: 0}}
  folded: {kind: openai-compatible, base_url: "%[1]s/folded/v1", keys: [sk-attacks-upstream-0123456789], retries: {max: 0}}
applications:
  web: {keys: [%[3]s], subscribes: [models/*]}
`

const attacksKey = "e2e-attacks-key-0123456789"

var drills = []drill{
	{"slow heads", 100, 2000, []mark{failed("request_header_timeout")}, 0},
	{"slow bodies", 30, 500, []mark{failed("request_body_too_slow")}, 0},
	{"slow chunks", 30, 500, []mark{failed("request_body_too_slow")}, 0},
	{"slow model bodies", 10, 200, []mark{failed("request_body_too_slow")}, 0},
	{"slow readers", 10, 100, []mark{failed("caller_too_slow")}, 0},
	{"idle connections", 1000, asManyAsFiles, []mark{silentConnections}, time.Minute},
	{"idle after a call", 500, 5000, []mark{idleConnections}, 0},
	{"large heads", 4, 50, []mark{failed("request_header_too_large")}, 0},
	{"many fields", 4, 50, []mark{failed("request_header_too_large")}, 0},
	{"chunk extensions", 4, 50, []mark{failed("malformed_request")}, 0},
	{"tiny chunks", 4, 20, []mark{tinyChunks}, 0},
	{"huge trailers", 4, 50, []mark{failed("malformed_request")}, 0},
	{"broken requests", 10, 100, []mark{failed("malformed_request")}, 0},
	{"endless interim answers", 4, 20, []mark{failed("malformed_response")}, 0},
	{"huge trailers of an upstream", 4, 20, []mark{failed("malformed_chunking")}, 0},
	{"huge heads of an upstream", 4, 20, []mark{failed("response_header_too_large")}, 0},
	{"compression bombs", 2, 10, []mark{bombs}, 0},
	{"answers that unfold to much", 2, 10, []mark{longTexts}, 0},
}

// Bounds that every attack stays within.
const (
	mostAnonymous = 300 << 20 // bytes of memory that are the gateway's own
	mostFullRise  = 5 * time.Millisecond
	mostRise      = time.Second          // all at once, on a machine that does other things as well, and 4 times their p99 at a gateway that nobody attacks
	quiet         = 2 * time.Millisecond // p99 without an attack, above which 5 ms cannot be judged
)

func TestAttacks(t *testing.T) {
	t.Parallel()
	if os.Getenv("CAUSEWAY_ATTACKS") != "" {
		t.Skip("make attacks runs TestAttacksAlone")
	}
	g := attackedGateway(t)
	calm := watchCallers(t, g, time.Second)
	before := g.usage(t)
	var orders []attackOrder
	for _, d := range drills {
		o := attackOrder{Name: d.name, Conns: d.conns, For: 4 * time.Second}
		if d.name == "slow readers" {
			// They are stalled only when the kernel's buffers on the whole way are full, and then for a second:
			// beside the others, on a busy machine, that takes its time.
			o.For = 10 * time.Second
		}
		orders = append(orders, o)
	}
	during := g.underAttackBeside(t, orders, &calm)
	t.Logf("before or elsewhere: %v, %v; during: %v, %v", calm, before, during.callers, during.peak)
	g.untilNamed(t, orders, drills)
	for _, d := range drills {
		g.wasNamed(t, d, during)
	}
	during.check(t, calm, mostRise+4*calm.p99)
	g.recovers(t, before)
	g.logIsBounded(t, time.Since(g.begun))
}

// TestAttacksAlone is `make attacks`: each attack alone, in full.
func TestAttacksAlone(t *testing.T) { runAlone(t, "HTTP/1.1", drills) }

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// attackedGateway is a gateway before a small upstream, and others that the attacks are about. Those are in
// a process of their own with the lowest priority, for the same reason as the attackers. heads may say how
// long a head may take, where two seconds are too short.
func attackedGateway(t *testing.T, heads ...time.Duration) *gateway {
	t.Helper()
	small := mirrorSmall(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	last := giveWay(self)
	up := start(t, []string{attackVariable + "=" + attackedUpstreams}, last[0], last[1:]...)
	line, ok := up.out.find(patience, func(s string) bool { return strings.HasPrefix(s, "upstreams ") })
	urls := strings.Fields(line)
	if !ok || len(urls) != 3 {
		t.Fatalf("the upstreams did not start: %q %s", line, up.errs.all())
	}
	// A limit of its own, so that what is measured is not how lazy the garbage collector may be.
	return serve(t, fmt.Sprintf(attacksConfig, urls[1], urls[2], attacksKey, small, slices.Max(append(heads, 2*time.Second))), withEnv("GOMEMLIMIT=256MiB"), withArgs("--log", "json"))
}

func mirrorSmall(t *testing.T) string {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(up.Close)
	return up.URL
}

// latencies is how callers that have no part in an attack fare.
type latencies struct {
	calls, failed   int
	why             string // one of them failed
	p50, p99, worst time.Duration
}

func (l latencies) String() string {
	s := fmt.Sprintf("%d calls, %d failed, p50 %v, p99 %v, worst %v", l.calls, l.failed, short(l.p50), short(l.p99), short(l.worst))
	if l.failed > 0 {
		s += " (" + l.why + ")"
	}
	return s
}

// watchCallers makes calls at an even pace on a few kept-alive connections, and says how they fared.
func watchCallers(t *testing.T, g *gateway, span time.Duration) latencies {
	t.Helper()
	const callers, pause = 4, 5 * time.Millisecond
	var mu sync.Mutex
	var all []time.Duration
	failed, why := 0, ""
	var wg sync.WaitGroup
	until := time.Now().Add(span)
	for range callers {
		wg.Go(func() {
			c := &plainCaller{addr: g.Addr}
			defer c.close()
			for time.Now().Before(until) {
				begun := time.Now()
				err := c.call()
				took := time.Since(begun)
				mu.Lock()
				if all = append(all, took); err != nil {
					failed, why = failed+1, err.Error()
				}
				mu.Unlock()
				time.Sleep(pause)
			}
			mu.Lock()
			defer mu.Unlock()
			if c.replaced > 3 {
				failed, why = failed+c.replaced, "connections in use were closed"
			}
		})
	}
	wg.Wait()
	if len(all) == 0 {
		t.Error("no call was made")
		return latencies{}
	}
	slices.Sort(all)
	return latencies{calls: len(all), failed: failed, why: why, p50: all[len(all)/2], p99: all[len(all)*99/100], worst: all[len(all)-1]}
}

// plainCaller keeps its connection. One that was closed for its idleness, as on a busy machine the pause between two
// calls may be long, it replaces, as every client does.
type plainCaller struct {
	addr     string
	conn     net.Conn
	replaced int // connections that had ended
	buf      [4 << 10]byte
}

func (c *plainCaller) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *plainCaller) call() error {
	if c.conn != nil {
		if n, err := c.exchange(); err == nil || n > 0 {
			return err
		}
		c.replaced++
	}
	c.close()
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn = conn
	_, err = c.exchange()
	return err
}

// exchange makes a call and returns how many bytes of an answer came.
func (c *plainCaller) exchange() (n int, err error) {
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c.conn, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
	for err == nil && !bytes.HasSuffix(c.buf[:n], []byte("\r\n\r\nok")) {
		var m int
		m, err = c.conn.Read(c.buf[n:])
		n += m
	}
	if err == nil && !bytes.HasPrefix(c.buf[:n], []byte("HTTP/1.1 200")) || err != nil && n > 0 {
		err = fmt.Errorf("%.60q: %v", c.buf[:n], err)
	}
	if err != nil {
		c.close()
	}
	return n, err
}

// usage is what a process has of the host.
type usage struct {
	anonymous, peak int64 // bytes: now, and the most that was ever resident (mapped files included)
	files           int
}

func (u usage) String() string {
	return fmt.Sprintf("%d MiB anonymous, at most %d MiB resident, %d files", u.anonymous>>20, u.peak>>20, u.files)
}

var statusLine = regexp.MustCompile(`(?m)^(RssAnon|VmHWM):\s+(\d+) kB$`)

func (g *gateway) usage(t *testing.T) (u usage) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d", g.cmd.Process.Pid)
	b, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		t.Skipf("what a process uses is read from /proc: %v", err)
	}
	for _, m := range statusLine.FindAllSubmatch(b, -1) {
		var n int64
		_, _ = fmt.Sscan(string(m[2]), &n)
		if string(m[1]) == "VmHWM" {
			u.peak = n << 10
		} else {
			u.anonymous = n << 10
		}
	}
	// Its size is their number, since Linux 6.2. To list 19,000 would keep a processor from gateway and callers for
	// 4 to 12 ms, as the kernel doesn't interrupt that.
	files := filepath.Join(dir, "fd")
	if info, err := os.Stat(files); err == nil && info.Size() > 0 {
		u.files = int(info.Size())
		return u
	}
	list, err := os.ReadDir(files)
	if err != nil {
		t.Fatal(err)
	}
	u.files = len(list)
	return u
}

// attacked is what was seen during an attack.
type attacked struct {
	callers latencies
	peak    usage
	reports map[string]attackReport
}

// underAttackBeside is underAttack while others call a gateway that nobody attacks: calm becomes what they see, where
// that is worse, as it is what the machine alone does to callers.
func (g *gateway) underAttackBeside(t *testing.T, orders []attackOrder, calm *latencies) attacked {
	t.Helper()
	apart := serve(t, "version: 1\nservices:\n  small: {access: open, routes: [{path: /small}], upstream: {targets: [{url: \""+mirrorSmall(t)+"\"}]}}\n")
	elsewhere := make(chan latencies)
	go func() { elsewhere <- watchCallers(t, apart, 4*time.Second) }()
	during := g.underAttack(t, orders)
	if l := <-elsewhere; l.p99 > calm.p99 {
		*calm = l
	}
	return during
}

// untilNamed repeats the attacks that were not noticed, alone and for longer: on a busy machine the attackers, who come
// last, may not have come so far.
func (g *gateway) untilNamed(t *testing.T, orders []attackOrder, list []drill) {
	t.Helper()
	for range 4 {
		var again []attackOrder
		for _, o := range orders {
			if i := slices.IndexFunc(list, func(d drill) bool { return d.name == o.Name }); !g.named(t, list[i]) {
				o.For = 10 * time.Second
				again = append(again, o)
			}
		}
		if len(again) == 0 {
			return
		}
		t.Logf("once more: %+v", again)
		g.underAttack(t, again)
	}
}

// underAttack runs attacks, each in a process of its own, and watches gateway and callers meanwhile.
func (g *gateway) underAttack(t *testing.T, orders []attackOrder) (seen attacked) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seen.reports = map[string]attackReport{}
	var mu sync.Mutex
	var running sync.WaitGroup
	var longest time.Duration
	for _, o := range orders {
		o.Addr, o.Key = g.Addr, attacksKey
		longest = max(longest, o.For)
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		// All of its threads give way: attackers are on machines of their own.
		last := giveWay(self)
		cmd := exec.CommandContext(t.Context(), last[0], last[1:]...)
		cmd.Env = append(cleanEnv(), attackVariable+"="+string(b))
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		running.Go(func() {
			var r attackReport
			if err := cmd.Run(); err != nil {
				t.Errorf("%s: %v: %s", o.Name, err, errs.String())
			} else if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Errorf("%s: %v: %s", o.Name, err, out.String())
			}
			mu.Lock()
			seen.reports[o.Name] = r
			mu.Unlock()
		})
	}
	time.Sleep(300 * time.Millisecond) // they come in over a tenth of a second
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			u := g.usage(t)
			seen.peak = usage{max(seen.peak.anonymous, u.anonymous), max(seen.peak.peak, u.peak), max(seen.peak.files, u.files)}
		}
	}()
	seen.callers = watchCallers(t, g, longest-300*time.Millisecond)
	close(stop)
	<-watched
	running.Wait()
	return seen
}

func (a *attacked) check(t *testing.T, calm latencies, most time.Duration) {
	t.Helper()
	if a.callers.failed > 0 {
		t.Errorf("calls of others failed: %v", a.callers)
	}
	if most == mostFullRise && calm.p99 > quiet {
		t.Logf("this machine is too busy to judge a rise of %v: %v without an attack", most, calm)
	} else if rise := a.callers.p99 - calm.p99; rise > most {
		t.Errorf("the others' p99 rose by %v, at most %v is allowed: %v, then %v", short(rise), most, calm, a.callers)
	}
	if a.peak.anonymous > mostAnonymous {
		t.Errorf("the gateway took %v", a.peak)
	}
}

// failures adds up the calls that failed with a kind.
func (g *gateway) failures(t *testing.T, kind string) float64 {
	t.Helper()
	return g.sum(t, "causeway_failures_total", `kind="`+kind+`"`)
}

// sum adds up the series of a metric that have a label.
func (g *gateway) sum(t *testing.T, name, label string) (n float64) {
	t.Helper()
	res, err := http.Get(g.Console + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, label) {
			var v float64
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v)
			n += v
		}
	}
	return n
}

// recovers waits until the gateway has given back what the attacks took.
func (g *gateway) recovers(t *testing.T, before usage) {
	t.Helper()
	eventually(t, "the attackers' connections to be closed", func() bool { return g.metric(t, "causeway_connections_open") == 0 })
	eventually(t, "their descriptors to be given back", func() bool {
		idle := int(g.sum(t, "causeway_target_idle_connections", "")) // kept for the next calls, for a minute
		return g.usage(t).files <= before.files+idle+20
	})
	want(t, "calls in flight", g.metric(t, "causeway_calls_in_flight"), 0)
	want(t, "calls that wait", g.metric(t, "causeway_calls_waiting"), 0)
	want(t, "memory that is reserved", g.metric(t, "causeway_memory_reserved_bytes"), 0)
	want(t, "the next call", fetch(t, client(t), "GET", g.URL+"/small", nil).status, 200)
}

// giveWay is a command that runs a program behind all others.
func giveWay(program string) []string {
	for _, c := range [][]string{{"chrt", "--idle", "0"}, {"nice", "-n", "19"}} {
		if _, err := exec.LookPath(c[0]); err == nil {
			return append(c, program)
		}
	}
	return []string{program}
}

// logIsBounded looks at the log: however many calls failed, at most 20 lines a second tell of them, and one of each
// further kind.
func (g *gateway) logIsBounded(t *testing.T, span time.Duration) {
	t.Helper()
	lines := strings.Count(g.errs.all(), "\n")
	if most := int(span.Seconds()+2) * 35; lines > most {
		t.Errorf("%d lines in the log, at most %d are expected", lines, most)
	}
}
