package wire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"causeway/internal/journey"
)

// forgetful is an upstream before which a firewall forgets connections that were idle for longer than n: what is
// sent on one is answered by a reset.
func forgetful(n time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		br := bufio.NewReader(c)
		var last time.Time
		for {
			rq, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if !last.IsZero() && time.Since(last) > n {
				_ = c.(*net.TCPConn).SetLinger(0)
				return
			}
			_, _ = io.Copy(io.Discard, rq.Body)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			last = time.Now()
		}
	}
}

func TestAnOriginLearnsToLetConnectionsGo(t *testing.T) {
	t.Parallel()
	const dead = 200 * time.Millisecond
	url, _ := rawServer(t, false, forgetful(dead))
	told := make(chan [2]time.Duration, 4)
	g := newOrigin(t, OriginOptions{URL: url, OnKeepAlive: func(idle, keep time.Duration) { told <- [2]time.Duration{idle, keep} }})
	if o := attempt(g, getCall()); o.End != journey.EndComplete {
		t.Fatal(o.show())
	}
	time.Sleep(dead + 20*time.Millisecond)
	if o := attempt(g, getCall()); !o.Reused || o.End != journey.EndReset && o.End != journey.EndEOF {
		t.Fatalf("the connection was not dead: %s", o.show())
	}
	k := g.KeepAlive()
	if k.For <= 0 || k.For >= k.Died || k.Died < dead || k.Deaths != 1 {
		t.Fatalf("learned %+v", k)
	}
	if got := <-told; got[0] != k.Died || got[1] != k.For {
		t.Errorf("told %v of %+v", got, k)
	}
	for range 3 {
		if o := attempt(g, getCall()); o.End != journey.EndComplete {
			t.Fatalf("after learning: %s", o.show())
		}
		time.Sleep(k.Died + 10*time.Millisecond) // on a busy machine it was idle for longer than the least that is deadly
	}
	for by := time.Now().Add(2 * time.Second); g.Stats().Idle != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(by) {
			t.Fatal("a connection is kept for longer than was learned")
		}
	}
	if o := attempt(g, getCall()); o.End != journey.EndComplete || o.Reused {
		t.Errorf("an old connection was used: %s", o.show())
	}
}

func TestKeepAliveRules(t *testing.T) {
	const s = int64(time.Second)
	for _, c := range []struct {
		name    string
		steps   func(k *keepAlive)
		now     int64
		keepFor int64 // of a minute
	}{
		{"nothing was seen", func(*keepAlive) {}, s, 60 * s},
		{"one death teaches", func(k *keepAlive) { k.dies(8*s, 10*s) }, 11 * s, 6 * s},
		{"the margin is bounded", func(k *keepAlive) { k.dies(55*s, 60*s) }, 61 * s, 50 * s},
		{"what ended at once teaches nothing", func(k *keepAlive) { k.dies(s/100, s) }, 2 * s, 60 * s},
		{"others lived longer", func(k *keepAlive) { k.lives(30*s, 31*s); k.dies(2*s, 40*s) }, 41 * s, 60 * s},
		{"others lived longer, but many died", func(k *keepAlive) {
			k.lives(30*s, 31*s)
			for i := range int64(3) {
				k.dies(4*s, (40+i)*s)
			}
		}, 50 * s, 3 * s},
		{"deaths that differ do not add up", func(k *keepAlive) {
			k.lives(30*s, 31*s)
			k.dies(4*s, 40*s)
			k.dies(2*s, 41*s)
			k.dies(s, 42*s)
		}, 50 * s, 60 * s},
		{"an earlier death tightens it", func(k *keepAlive) { k.dies(8*s, 10*s); k.dies(4*s, 20*s) }, 21 * s, 3 * s},
		{"a later one does not loosen it", func(k *keepAlive) { k.dies(4*s, 10*s); k.dies(5*s, 20*s) }, 21 * s, 3 * s},
		{"it is forgotten", func(k *keepAlive) { k.dies(8*s, 10*s) }, 10*s + keepForget, 60 * s},
		{"and kept for longer when it was right", func(k *keepAlive) {
			k.dies(8*s, 10*s)
			k.dies(8*s, 10*s+keepForget+s)
		}, 10*s + 2*keepForget, 6 * s},
	} {
		var k keepAlive
		c.steps(&k)
		if got := k.keepFor(60*s, c.now); got != c.keepFor {
			t.Errorf("%s: kept for %v, want %v", c.name, time.Duration(got), time.Duration(c.keepFor))
		}
	}
}
