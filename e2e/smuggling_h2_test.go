package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/wire/smuggle"
)

// TestSmugglingOverHTTP2 sends every request of the corpus of HTTP/2 through the whole gateway to the
// same servers of HTTP/1.1 as TestSmuggling, and holds the same three readers to one another.
func TestSmugglingOverHTTP2(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has every address of 127.0.0.0/8 on loopback")
	}
	for name, begin := range map[string]func(*testing.T) smuggleTarget{"go": smuggleGo, "node": smuggleNode, "nginx": smuggleNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calmly(t, func() bool { return smuggleOverHTTP2(t, begin(t)) })
		})
	}
}

// smuggleOverHTTP2 returns false when calls were turned away, so that nothing can be told.
func smuggleOverHTTP2(t *testing.T, target smuggleTarget) bool {
	g := serve(t, "", proxying(target.url), withArgs("--log", "off"))
	cases := smuggle.H2Cases()
	got := make([]smuggle.H2Outcome, len(cases))
	next := make(chan int)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range next {
				got[i] = sendOverHTTP2(t, g.Addr, smuggler(i), cases[i])
			}
		})
	}
	probing, stop := context.WithCancel(t.Context())
	var probes sync.WaitGroup
	probes.Go(func() { probe(probing, t, g.URL) })
	for i := range cases {
		next <- i
	}
	close(next)
	all.Wait()
	stop()
	probes.Wait()
	if g.turnedAway(t) {
		return false
	}

	logged := map[string]int{}
	for rec := range g.everyCall(t) {
		if rec.Status == http.StatusOK && !strings.HasPrefix(rec.Path, "/probe-") {
			logged[g.record(t, rec.ID).Remote]++
		}
	}
	seen := map[string][]understood{}
	for _, u := range target.told(t) {
		if net.ParseIP(u.From) == nil {
			t.Errorf("the upstream understood a request that never was a call: %+v", u)
		}
		seen[u.From] = append(seen[u.From], u)
	}
	served := 0
	for i, c := range cases {
		from, o := smuggler(i).String(), got[i]
		var targets []string
		for _, u := range seen[from] {
			targets = append(targets, u.Target)
		}
		served += len(targets)
		byUpstream := o.Whole && o.Status >= 400 && o.Status < 500 && o.Fields["proxy-status"] == ""
		if err := c.Check(targets); err != nil && !(byUpstream && len(targets) == 0) {
			t.Errorf("%v: %+v", err, o)
		}
		if logged[from] != len(targets) {
			t.Errorf("%s: the upstream understood %d requests, and the gateway had %d calls for it: %+v", c.Name, len(targets), logged[from], o)
		}
		if c.Verdict == smuggle.MustRefuse && !o.Refused() {
			t.Errorf("%s: what must be refused is answered %+v", c.Name, o)
		}
		if len(targets) != 1 {
			continue
		}
		u := seen[from][0]
		line := fmt.Sprintf("%s %s", u.Method, u.Target)
		if target.body {
			line += fmt.Sprintf(" %d %08x", u.Length, u.Sum)
		}
		if c.IsHead() {
			line = ""
		}
		if o.Body != line || !o.Whole {
			t.Errorf("%s: the answer is %+v, the upstream understood %q", c.Name, o, line)
		}
	}
	if served < 25 {
		t.Errorf("the upstream saw only %d requests", served)
	}
	t.Logf("%d requests, %d understood", len(cases), served)
	return true
}

func sendOverHTTP2(t *testing.T, addr string, from net.IP, c smuggle.H2Case) (o smuggle.H2Outcome) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return o
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if o, err = c.Send(conn); err != nil {
		t.Errorf("%s: %v", c.Name, err)
	}
	return o
}
