package wire

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestAConnectionThatEndsInACallIsNotKept: nothing of it stays in memory until it would have been idle for long enough.
func TestAConnectionThatEndsInACallIsNotKept(t *testing.T) {
	freed := make(chan struct{}, 1)
	begun := make(chan struct{}, 1)
	o := opened(func(ex Exchange) {
		p := ex.(*h2Exchange).p
		runtime.AddCleanup(p, func(c chan struct{}) { c <- struct{}{} }, freed)
		w := make(standing, 1)
		ex.Watch(w)
		begun <- struct{}{}
		<-w
		ex.Unwatch()
	})
	o.HTTP2, o.IdleTimeout = &HTTP2Options{}, time.Hour
	h := doorKind{name: "h2c", h2: true}.open(t, o)
	c := dialH2(t, h.addr, nil)
	c.ask(true, "GET", "/")
	soon(t, "the call", begun)
	_ = c.nc.Close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection is still in memory")
		}
	}
}

// TestAConnectionRestsBehindItsLastCall: the time without calls counts from the end of the last one.
func TestAConnectionRestsBehindItsLastCall(t *testing.T) {
	const idle = 300 * time.Millisecond
	release := make(chan struct{})
	o := opened(func(ex Exchange) {
		<-release
		reply(ex, 200, "ok")
	})
	o.HTTP2, o.IdleTimeout = &HTTP2Options{}, idle
	h := doorKind{name: "h2c", h2: true}.open(t, o)
	c := dialH2(t, h.addr, nil)
	a := c.ask(true, "GET", "/")
	time.AfterFunc(2*idle, func() { close(release) }) // the time that there may be none passes with one
	a.want("200", "ok")
	ended := time.Now()
	c.wantGoAway(http2.ErrCodeNo)
	if took := time.Since(ended); took < idle-50*time.Millisecond {
		t.Errorf("GOAWAY came after %v", took)
	}
}
