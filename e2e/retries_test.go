package e2e

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/faulty"
)

// repeater fails as the path says: /NAME/HOW/..., HOW being the ends of its attempts, the last one
// for all that follow.
type repeater struct {
	*rawServer
	mu     sync.Mutex
	times  []time.Time
	bodies map[string]int
}

func startRepeater(t *testing.T, name string) *repeater {
	u := &repeater{bodies: map[string]int{}}
	u.rawServer = listenRaw(t, func(c *rawConn) {
		for {
			rq, body := c.request()
			if rq == nil {
				return
			}
			u.mu.Lock()
			u.times = append(u.times, time.Now())
			u.bodies[string(body)]++
			n := len(u.times)
			u.mu.Unlock()
			ways := strings.Split(strings.Trim(strings.TrimPrefix(rq.URL.Path, "/"+name), "/"), ",")
			if !u.end(c, ways[min(n, len(ways))-1]) {
				return
			}
		}
	})
	return u
}

func (u *repeater) end(c *rawConn, how string) (goOn bool) {
	status, after, _ := strings.Cut(how, "+")
	switch status {
	case "fin":
		return false
	case "rst":
		c.reset()
		return false
	case "cut_head":
		c.send("HTTP/1.1 200 OK\r\nContent-Le")
		return false
	case "cut_body":
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
		return false
	case "garbage":
		c.send("SSH-2.0-OpenSSH_9.2\r\n")
		return false
	case "silence":
		_, _ = io.Copy(io.Discard, c.br)
		return false
	}
	if after != "" {
		after = "Retry-After: " + after + "\r\n"
	}
	return c.send("HTTP/1.1 " + status + " Said\r\n" + after + "Content-Length: 2\r\n\r\nok")
}

func (u *repeater) attempts() []time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.times)
}

func TestRetriesOnlyWhereSafe(t *testing.T) {
	t.Parallel()
	big, small := strings.Repeat("x", 200<<10), strings.Repeat("y", 60<<10)
	rows := []struct {
		name, method, how, body string
		header                  []string
		extra                   string // of the service's retries
		attempts, status        int
		kind                    string // of the record; an answer that is passed on has one as well
	}{
		{name: "get-fin", method: "GET", how: "fin", attempts: 3, status: 502, kind: "closed_before_response"},
		{name: "get-rst", method: "GET", how: "rst", attempts: 3, status: 502, kind: "reset_before_response"},
		{name: "head-fin", method: "HEAD", how: "fin", attempts: 3, status: 502, kind: "closed_before_response"},
		{name: "delete-fin", method: "DELETE", how: "fin", attempts: 3, status: 502, kind: "closed_before_response"},
		{name: "put-fin", method: "PUT", how: "fin", body: small, attempts: 3, status: 502, kind: "closed_before_response"},
		{name: "put-large", method: "PUT", how: "fin", body: big, attempts: 1, status: 502, kind: "closed_before_response"},
		{name: "post-fin", method: "POST", how: "fin", body: small, attempts: 1, status: 502, kind: "closed_before_response"},
		{name: "post-rst", method: "POST", how: "rst", body: "b", attempts: 1, status: 502, kind: "reset_before_response"},
		{name: "patch-fin", method: "PATCH", how: "fin", body: "b", attempts: 1, status: 502, kind: "closed_before_response"},
		{name: "post-key-fin", method: "POST", how: "fin", body: small, header: []string{"Idempotency-Key", "k-1"}, attempts: 3, status: 502, kind: "closed_before_response"},
		{name: "post-key-good", method: "POST", how: "rst,200", body: small, header: []string{"idempotency-key", "k-1"}, attempts: 2, status: 200},
		{name: "post-key-503", method: "POST", how: "503,200", body: "b", header: []string{"Idempotency-Key", "k-1"}, attempts: 2, status: 200},
		{name: "get-good", method: "GET", how: "fin,rst,200", attempts: 3, status: 200},
		{name: "get-502", method: "GET", how: "502,200", attempts: 2, status: 200},
		{name: "get-503", method: "GET", how: "503,503,200", attempts: 3, status: 200},
		{name: "get-504", method: "GET", how: "504", attempts: 3, status: 504, kind: "upstream_timeout"},
		{name: "get-500", method: "GET", how: "500,200", attempts: 1, status: 500, kind: "upstream_error"},
		{name: "get-429", method: "GET", how: "429,200", attempts: 1, status: 429, kind: "upstream_rate_limited"},
		{name: "post-502", method: "POST", how: "502,200", body: "b", attempts: 1, status: 502, kind: "upstream_bad_gateway"},
		{name: "post-503", method: "POST", how: "503,200", body: "b", attempts: 1, status: 503, kind: "upstream_unavailable"},
		{name: "post-504", method: "POST", how: "504,200", body: "b", attempts: 1, status: 504, kind: "upstream_timeout"},
		{name: "on-500", method: "GET", how: "500,200", extra: ", on: [500]", attempts: 2, status: 200},
		{name: "on-408", method: "GET", how: "408,200", extra: ", on: [408]", attempts: 2, status: 200},
		{name: "on-520", method: "GET", how: "520,200", extra: ", on: [520]", attempts: 2, status: 200},
		{name: "on-404-post", method: "POST", how: "404,200", extra: ", on: [404]", attempts: 1, status: 404},
		{name: "not-on-503", method: "GET", how: "503,200", extra: ", on: [connect]", attempts: 1, status: 503, kind: "upstream_unavailable"},
		{name: "not-on-rst", method: "GET", how: "rst,200", extra: ", on: [connect]", attempts: 1, status: 502, kind: "reset_before_response"},
		{name: "none", method: "GET", how: "503,200", extra: ", max: 0", attempts: 1, status: 503, kind: "upstream_unavailable"},
		{name: "one", method: "GET", how: "503,503,200", extra: ", max: 1", attempts: 2, status: 503, kind: "upstream_unavailable"},
		{name: "get-cut-head", method: "GET", how: "cut_head,200", attempts: 2, status: 200},
		{name: "post-cut-head", method: "POST", how: "cut_head,200", body: "b", attempts: 1, status: 502, kind: "truncated_header"},
		{name: "get-cut-body", method: "GET", how: "cut_body,200", attempts: 2, status: 200},
		{name: "post-cut-body", method: "POST", how: "cut_body,200", body: "b", attempts: 1, status: 502, kind: "truncated_body"},
		{name: "get-garbage", method: "GET", how: "garbage,200", attempts: 1, status: 502, kind: "not_http"},
		{name: "get-silence", method: "GET", how: "silence,200", attempts: 2, status: 200},
		{name: "post-silence", method: "POST", how: "silence,200", body: "b", attempts: 1, status: 504, kind: "first_byte_timeout"},
		{name: "get-wait", method: "GET", how: "503+1,200", attempts: 2, status: 200},
		{name: "get-wait-long", method: "GET", how: "503+60,200", attempts: 1, status: 503, kind: "upstream_unavailable"},
	}
	config := "version: 1\nservices:\n"
	upstreams := map[string]*repeater{}
	for _, r := range rows {
		u := startRepeater(t, r.name)
		upstreams[r.name] = u
		firstByte := "20s" // only silence meets a short limit, so that a busy machine meets no other
		if strings.HasPrefix(r.how, "silence") {
			firstByte = "600ms"
		}
		config += openService(r.name, fmt.Sprintf("targets: [{url: %q}], timeouts: {first_byte: %s}, retries: {backoff: 1ms%s}", u.URL, firstByte, r.extra))
	}
	g := serve(t, config)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			u := upstreams[r.name]
			var body io.Reader
			if r.body != "" {
				body = strings.NewReader(r.body)
			}
			a := fetch(t, client(t), r.method, g.URL+"/"+r.name+"/"+r.how, body, r.header...)
			want(t, "status", a.status, r.status)
			times := u.attempts()
			want(t, "requests at the upstream", len(times), r.attempts)
			want(t, "Causeway-Attempts", a.header.Get("Causeway-Attempts"), fmt.Sprint(r.attempts))
			if r.body != "" {
				want(t, "requests with the whole body", u.bodies[r.body], r.attempts)
			}
			rec := g.record(t, a.id)
			want(t, "kind in the log", rec.Kind, r.kind)
			want(t, "attempts in the log", len(rec.Attempts), r.attempts)
			for i, at := range rec.Attempts {
				contains(t, fmt.Sprintf("what is said after attempt %d", i+1), at.Again, map[bool]string{true: "retried: ", false: ""}[i < r.attempts-1])
			}
			if r.name == "get-wait" && len(times) == 2 {
				if pause := times[1].Sub(times[0]); pause < time.Second {
					t.Errorf("the upstream asked for a second and was asked again after %v", pause)
				}
			}
		})
	}
}

// A connection that the upstream closes as the next request comes: a GET goes again, a POST must not.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	var served sync.Map // number of requests by path
	up := listenRaw(t, func(c *rawConn) {
		for n := 0; ; n++ {
			rq, _ := c.request()
			if rq == nil {
				return
			}
			v, _ := served.LoadOrStore(rq.Method, new(atomic.Int64))
			v.(*atomic.Int64).Add(1)
			if n == 1 || !c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
				return
			}
		}
	})
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}], retries: {backoff: 1ms}", up.URL)))
	c := client(t)
	seen := func(method string) int64 {
		v, _ := served.LoadOrStore(method, new(atomic.Int64))
		return v.(*atomic.Int64).Load()
	}
	want(t, "the call that opens the connection", fetch(t, c, "PUT", g.URL+"/s/x", nil).status, 200)
	a := fetch(t, c, "GET", g.URL+"/s/x", nil)
	want(t, "GET on a stale connection", a.status, 200)
	want(t, "GETs at the upstream", seen("GET"), 2)
	want(t, "kind of the first attempt", g.record(t, a.id).Attempts[0].Kind, "stale_connection")

	a = fetch(t, c, "POST", g.URL+"/s/x", strings.NewReader("pay"))
	want(t, "POST on a stale connection", a.line, "502 Bad Gateway (stale_connection)")
	want(t, "POSTs at the upstream", seen("POST"), 1)
	want(t, "what is said of repeating it", a.problem(t).Retry, "may_repeat")
}

func TestRetryBudget(t *testing.T) {
	t.Parallel()
	u := startRepeater(t, "s")
	few := startRepeater(t, "few")
	g := serve(t, "version: 1\nservices:\n"+
		openService("s", fmt.Sprintf("targets: [{url: %q}], retries: {max: 5, backoff: 0s}", u.URL))+
		openService("few", fmt.Sprintf("targets: [{url: %q}], retries: {max: 10, backoff: 0s, budget: 0%%}", few.URL)))
	c := client(t)
	const n = 200
	var calls sync.WaitGroup
	var unexpected atomic.Int64
	for range 20 {
		calls.Go(func() {
			for range n / 20 {
				if a, err := try(t.Context(), c, "GET", g.URL+"/s/503", nil); err != nil || a.status != 503 {
					unexpected.Add(1)
				}
			}
		})
	}
	calls.Wait()
	want(t, "calls without the upstream's own 503", unexpected.Load(), 0)
	attempts := len(u.attempts())
	t.Logf("%d calls made %d attempts", n, attempts)
	if most := int(math.Ceil(n*1.2)) + 3; attempts > most || attempts < n+n/10 {
		t.Errorf("%d calls made %d attempts, want about %d and never more than %d", n, attempts, n+n/5, most)
	}
	for range 10 {
		fetch(t, c, "GET", g.URL+"/few/503", nil)
	}
	want(t, "attempts of 10 calls with a budget of 0 %: 3 retries are always allowed", len(few.attempts()), 13)
	a := fetch(t, c, "GET", g.URL+"/few/503", nil)
	contains(t, "why there was no other", g.record(t, a.id).Attempts[0].Again, "budget")
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	u := startRepeater(t, "s")
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}], retries: {max: 3, backoff: 200ms}", u.URL)))
	fetch(t, client(t), "GET", g.URL+"/s/503", nil)
	times := u.attempts()
	if len(times) != 4 {
		t.Fatalf("%d attempts", len(times))
	}
	// The pause doubles, and up to half of it is taken off.
	for i, least := range []time.Duration{100, 200, 400} {
		least *= time.Millisecond
		pause := times[i+1].Sub(times[i])
		if pause < least-5*time.Millisecond || pause > 2*least+atOnce {
			t.Errorf("pause %d was %v, want %v to %v", i+1, pause, least, 2*least)
		}
	}
}

// A call whose caller leaves during the pause before a retry makes none.
func TestCallerLeavesDuringBackoff(t *testing.T) {
	t.Parallel()
	u := startRepeater(t, "s")
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}], retries: {max: 3, backoff: 10s}", u.URL)))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = try(ctx, client(t), "GET", g.URL+"/s/503", nil)
	}()
	eventually(t, "the first attempt", func() bool { return len(u.attempts()) == 1 })
	time.Sleep(300 * time.Millisecond) // its answer has come: the pause is 2.5 s at least
	leave()
	<-done
	begun := time.Now()
	eventually(t, "the call has ended", func() bool { return g.metric(t, "causeway_calls_in_flight") == 0 })
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the call went on for %v after its caller had left", took)
	}
	want(t, "attempts", len(u.attempts()), 1)
	eventually(t, "the call is in the log as one whose caller left", func() bool { return len(g.calls(t, "kind=caller_gone")) == 1 })
}

func TestTimeoutsAreNamed(t *testing.T) {
	t.Parallel()
	lab, err := faulty.New(faulty.Options{Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	rows := []struct{ key, value, fault, kind string }{
		{"connect", "300ms", "connect_timeout", "connect_timeout"},
		{"connect", "350ms", "tls_handshake_timeout", "tls_handshake_timeout"},
		{"send", "400ms", "send_timeout", "send_timeout"},
		{"first_byte", "450ms", "no_answer", "first_byte_timeout"},
		{"idle", "500ms", "stall_mid_body", "idle_timeout"},
		{"total", "550ms", "no_answer", "total_timeout"},
		{"total", "600ms", "slow_drip", "total_timeout"},
		{"total", "650ms", "connect_timeout", "total_timeout"},
	}
	config := "version: 1\nservices:\n"
	for i, r := range rows {
		f, ok := faulty.Find(r.fault)
		if !ok {
			t.Fatalf("there is no fault %s", r.fault)
		}
		up, err := lab.StartFault(f, faulty.Params{})
		if err != nil {
			t.Skipf("%s: %v", r.fault, err)
		}
		limits := map[string]string{"connect": "20s", "send": "20s", "first_byte": "20s", "idle": "20s"}
		limits[r.key] = r.value
		config += openService(fmt.Sprint("s", i), fmt.Sprintf("targets: [{url: %q}], retries: {max: 0}, timeouts: %s, tls: {ca_file: %q, server_name: %q}",
			up.URL, flow(limits), up.CAFile, up.ServerName))
	}
	g := serve(t, config)
	for i, r := range rows {
		t.Run(r.key+"-"+r.fault, func(t *testing.T) {
			t.Parallel()
			limit, _ := time.ParseDuration(r.value)
			var body io.Reader
			method := "GET"
			if r.key == "send" {
				method, body = "POST", io.LimitReader(neverEnding('x'), 32<<20)
			}
			begun := time.Now()
			a, err := try(t.Context(), client(t), method, fmt.Sprintf("%s/s%d/x", g.URL, i), body)
			took := time.Since(begun)
			if err != nil {
				t.Fatal(err)
			}
			if took < limit || took > limit+atOnce { // the other limits are 20 s
				t.Errorf("the call took %v, the limit is %v", took, limit)
			}
			rec := g.record(t, a.id)
			want(t, "kind in the log", rec.Kind, r.kind)
			contains(t, "the detail", rec.Finding.Detail, "timeouts."+r.key, r.value)
			contains(t, "the evidence", strings.Join(rec.Finding.Evidence, "\n"), r.key, r.value)
			if a.status == 200 { // it had begun
				want(t, "cut", rec.Cut, true)
				if a.err == nil {
					t.Errorf("the answer looks whole")
				}
				return
			}
			want(t, "status", a.line, "504 Gateway Timeout ("+r.kind+")")
			contains(t, "the body's detail", a.problem(t).Detail, "timeouts."+r.key, r.value)
		})
	}
}

func TestTotalRunsOverAllAttempts(t *testing.T) {
	t.Parallel()
	u := startRepeater(t, "s")
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}], timeouts: {first_byte: 2s, total: 5s}, retries: {max: 9, budget: 100%%, backoff: 20ms}", u.URL)))
	begun := time.Now()
	a := fetch(t, client(t), "GET", g.URL+"/s/silence", nil)
	took := time.Since(begun)
	want(t, "status", a.line, "504 Gateway Timeout (total_timeout)")
	contains(t, "the detail", a.problem(t).Detail, "timeouts.total", "5s")
	if took < 5*time.Second || took > 5*time.Second+atOnce {
		t.Errorf("the call took %v, its total is 5s", took)
	}
	want(t, "attempts", len(u.attempts()), 3)
	rec := g.record(t, a.id)
	for i, kind := range []string{"first_byte_timeout", "first_byte_timeout", "total_timeout"} {
		if i < len(rec.Attempts) {
			want(t, fmt.Sprint("kind of attempt ", i+1), rec.Attempts[i].Kind, kind)
		}
	}
}
