package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const reloadConfig = `
version: 1
services:
  a:
    routes: [{path: "/a/*"}]
    upstream: {targets: [{url: "http://UP"}, {url: "http://UP/second"}], health: {interval: 10ms, path: /a/health}, max_busy: 100}
    policies: {rate_limit: {requests: 1000000, per: 10s}}
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [PROVIDERKEY]}
models:
  fast: {targets: [{model: mock/gpt-4o-mini}]}
applications:
  web: {keys: [KEY], subscribes: [a, models/*]}
`

// TestReloadsUnderCalls changes the configuration over and over while callers call: none of them may
// see anything of it, and at the end nothing is left over.
func TestReloadsUnderCalls(t *testing.T) {
	up := newOrigin(t)
	up.acts(func(_ int, rq *got) string {
		if strings.HasPrefix(rq.head, "POST /v1/") {
			return completion
		}
		return reply(200, "ok")
	})
	first := fill(t, reloadConfig, up)
	configs := []string{
		strings.Replace(first, "max_busy: 100", "max_busy: 50", 1),
		strings.Replace(first, "/second", "/third", 1),
		strings.Replace(first, "/a/health", "/a/check", 1) + "  other: {keys: [otherkey-0123456789], subscribes: [a]}\n",
		first,
	}
	r := newRig(t, first)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for n := range 6 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := reloadCall(client, r.addr, n%2 == 0); err != nil {
					t.Errorf("caller %d, call %d: %v", n, i, err)
					return
				}
			}
		})
	}
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		for _, config := range configs {
			r.reload(t, config)
		}
	}
	stop()
	callers.Wait()
	eventually(t, "the calls' end", func() bool { return r.gateway.InFlight() == 0 })
	for _, target := range r.gateway.Generation().Targets() {
		if target.InFlight != 0 {
			t.Errorf("%s %s: %d calls", target.Service, target.Target, target.InFlight)
		}
	}
}

func reloadCall(client *http.Client, addr string, model bool) error {
	method, path, body := http.MethodGet, "/a/x", ""
	if model {
		method, path, body = http.MethodPost, "/v1/chat/completions", `{"model":"fast","messages":[]}`
	}
	rq, err := http.NewRequest(method, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	rq.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(rq)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, %w, %s", res.StatusCode, err, b)
	}
	return nil
}

// TestLimitsGoOnOverAReload: a caller does not get its calls twice because something else changed.
func TestLimitsGoOnOverAReload(t *testing.T) {
	up := newOrigin(t)
	config := strings.Replace(fill(t, reloadConfig, up), "requests: 1000000, per: 10s", "requests: 2, per: 1h", 1)
	r := newRig(t, config)
	call := func() int { return r.call(t, get("/a/x", "apikey: "+key)).status }
	call()
	r.reload(t, strings.Replace(config, "max_busy: 100", "max_busy: 10", 1))
	if second, third := call(), call(); second != 200 || third != 429 {
		t.Errorf("status %d, then %d", second, third)
	}
	r.reload(t, strings.Replace(config, "requests: 2", "requests: 3", 1))
	if status := call(); status != 200 {
		t.Errorf("status %d after the limit was changed", status)
	}
}

// TestACallEndsOnTheGenerationThatItBeganWith also when what it uses is gone from the next.
func TestACallEndsOnTheGenerationThatItBeganWith(t *testing.T) {
	up := newOrigin(t)
	config := strings.Replace(fill(t, reloadConfig, up), ", health: {interval: 10ms, path: /a/health}", "", 1)
	r := newRig(t, config)
	release := make(chan struct{})
	up.acts(func(int, *got) string {
		<-release
		return reply(200, "late")
	})
	c := dial(t, r.addr)
	c.send(t, get("/a/x", "apikey: "+key))
	eventually(t, "the call upstream", func() bool { return len(up.got()) == 1 })
	r.reload(t, "version: 1\n")
	close(release)
	if a := c.read(t, "GET"); a.status != 200 || a.body != "late" {
		t.Errorf("%s", a.whole())
	}
	if a := r.call(t, get("/a/x")); a.status != 404 {
		t.Errorf("status %d for a service that is gone", a.status)
	}
	eventually(t, "the end of its connection, which nobody can use", func() bool { return up.open() == 0 })
}
