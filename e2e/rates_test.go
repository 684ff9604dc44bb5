package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// rateConfig has one service for each way to count, all with the same limit.
func rateConfig(up, limit string) string {
	config := "version: 1\nservices:\n"
	for name, by := range map[string]string{"application": "application", "ip": "ip", "header": "header:X-Tenant", "service": "service", "open": "application"} {
		access := "key"
		if name == "open" {
			access = "open"
		}
		config += fmt.Sprintf("  %s:\n    access: %s\n    routes: [{path: /%s/*}]\n    upstream: {targets: [{url: %q}]}\n    policies: {rate_limit: {%s, by: %q}}\n", name, access, name, up, limit, by)
	}
	return config + fmt.Sprintf("applications:\n  web: {keys: [%q], subscribes: [application, ip, header, service]}\n  other: {keys: [%q], subscribes: [application, ip, header, service]}\n", guardsKey, guardsOtherKey)
}

// burst makes n calls at once and returns how many passed and how many were refused; every answer
// is looked at.
func burst(t *testing.T, c *http.Client, n, limit int, url string, header ...string) (passed, refused int) {
	t.Helper()
	var mu sync.Mutex
	left := map[int]int{} // how often each number of remaining calls was said
	begin := make(chan struct{})
	var calls sync.WaitGroup
	for range n {
		calls.Go(func() {
			<-begin
			a, err := try(t.Context(), c, "GET", url, nil, header...)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			want(t, "RateLimit-Policy", a.header.Get("RateLimit-Policy"), fmt.Sprintf(`"default";q=%d;w=60`, limit))
			var remaining, reset int
			if _, err := fmt.Sscanf(a.header.Get("RateLimit"), `"default";r=%d;t=%d`, &remaining, &reset); err != nil || reset < 1 || reset > 60 {
				t.Errorf("RateLimit is %q", a.header.Get("RateLimit"))
			}
			switch a.status {
			case 200:
				passed++
				left[remaining]++
				want(t, "Retry-After of a good call", a.header.Get("Retry-After"), "")
			case 429:
				refused++
				want(t, "remaining when refused", remaining, 0)
				after, err := strconv.Atoi(a.header.Get("Retry-After"))
				if err != nil || after < 1 || after > 60 || after < reset-1 || after > reset+1 {
					t.Errorf("Retry-After is %q, RateLimit %q", a.header.Get("Retry-After"), a.header.Get("RateLimit"))
				}
				p := a.problem(t)
				want(t, "kind", p.Kind, "rate_limited")
				want(t, "retry", p.Retry, "safe")
				if p.RetryAfterMS <= 0 || p.RetryAfterMS > 60_000 {
					t.Errorf("retry_after_ms is %d", p.RetryAfterMS)
				}
			default:
				t.Errorf("%s: %s", a.line, clip(a.body))
			}
		})
	}
	close(begin)
	calls.Wait()
	for r, times := range left {
		if times != 1 || r < 0 || r >= limit {
			t.Errorf("%d calls were told that %d are left", times, r)
		}
	}
	return passed, refused
}

func TestRateLimitIsExact(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	const limit, n = 37, 200
	config := rateConfig(up.URL, fmt.Sprintf("requests: %d, per: 1m", limit))
	g := serve(t, config)
	c := client(t)
	one := clientFrom(t, "127.0.0.5")
	two := clientFrom(t, "127.0.0.6")
	web, other := []string{"apikey", guardsKey}, []string{"apikey", guardsOtherKey}
	with := func(header []string, more ...string) []string { return append(slices.Clone(header), more...) }
	for _, k := range []struct {
		what, service string
		c             *http.Client
		header        []string
		passed        int
	}{
		{"an application", "application", c, web, limit},
		{"another application", "application", one, other, limit},
		{"the first from elsewhere", "application", two, web, 0},
		{"an address", "ip", one, web, limit},
		{"another address", "ip", two, web, limit},
		{"the first with another key", "ip", one, other, 0},
		{"a tenant", "header", c, with(web, "X-Tenant", "a"), limit},
		{"another tenant", "header", c, with(web, "x-tenant", "b"), limit},
		{"the first with another key", "header", one, with(other, "X-Tenant", "a"), 0},
		{"no tenant", "header", c, web, limit},
		{"no tenant, again", "header", one, other, 0},
		{"the service", "service", one, web, limit},
		{"the service for everybody else", "service", two, other, 0},
		{"an open service counts addresses", "open", one, web, limit},
		{"another address of it", "open", two, web, limit},
		{"the first address of it", "open", one, nil, 0},
	} {
		before := up.requests.Load()
		calls := n
		if k.passed == 0 {
			calls = 20
		}
		passed, refused := burst(t, k.c, calls, limit, g.URL+"/"+k.service+"/x", k.header...)
		want(t, k.service+": "+k.what+": passed", passed, k.passed)
		want(t, k.service+": "+k.what+": refused", refused, calls-k.passed)
		want(t, k.service+": "+k.what+": at the upstream", up.requests.Load()-before, int64(k.passed))
	}

	// A reload that does not change the limit keeps the counts, however much else it changes.
	g.configure(t, strings.ReplaceAll(config, "upstream: {", "upstream: {timeouts: {first_byte: 7s}, ")+"  third: {keys: [e2e-third-key-0123456789abcd], subscribes: [application]}\n")
	g.awaitGeneration(t, 2)
	g.signal(t, syscall.SIGHUP)
	g.awaitGeneration(t, 3)
	passed, _ := burst(t, c, 20, limit, g.URL+"/application/x", web...)
	want(t, "passed after reloads that keep the limit", passed, 0)
	passed, _ = burst(t, two, 20, limit, g.URL+"/service/x", other...)
	want(t, "passed by service after reloads that keep the limit", passed, 0)
	passed, _ = burst(t, c, 60, limit, g.URL+"/application/x", "apikey", "e2e-third-key-0123456789abcd")
	want(t, "passed of a new application", passed, limit)
	g.configure(t, rateConfig(up.URL, fmt.Sprintf("requests: %d, per: 1m", limit+3)))
	g.awaitGeneration(t, 4)
	passed, _ = burst(t, c, 60, limit+3, g.URL+"/application/x", web...)
	want(t, "passed after the limit was changed", passed, limit+3)
}

// Waiting for as long as Retry-After says is enough.
func TestRateLimitComesBack(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, rateConfig(up.URL, "requests: 3, per: 2s"))
	c := client(t)
	for round := range 2 {
		var a *answer
		begun := time.Now()
		for n := 0; ; n++ {
			if a = fetch(t, c, "GET", g.URL+"/open/x", nil); a.status != 200 {
				break
			}
			if n == 3 && time.Since(begun) < 2*time.Second {
				t.Fatal("the limit of 3 let 4 calls through")
			}
		}
		want(t, "status above the limit", a.line, "429 Too Many Requests (rate_limited)")
		contains(t, "detail", a.problem(t).Detail, "3 requests per 2s")
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil || seconds < 1 || seconds > 2 {
			t.Fatalf("Retry-After is %q", a.header.Get("Retry-After"))
		}
		time.Sleep(time.Duration(seconds) * time.Second)
		want(t, fmt.Sprint("status after waiting in round ", round), fetch(t, c, "GET", g.URL+"/open/x", nil).status, 200)
	}
	// What another guard refuses is not counted.
	for range 5 {
		want(t, "status without a key", fetch(t, c, "GET", g.URL+"/service/x", nil).status, 401)
	}
	want(t, "status with one", fetch(t, c, "GET", g.URL+"/service/x", nil, "apikey", guardsKey).status, 200)
}
