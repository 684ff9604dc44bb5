package wire

import (
	"testing"

	"golang.org/x/net/http2"
)

// A call that its caller has reset is over: no RST_STREAM answers an RST_STREAM (RFC 9113 section
// 5.4.2), whatever had begun of the answer.
func TestH2NothingAnswersAReset(t *testing.T) {
	answer := func(ex Exchange) error { // which fails when the caller is gone
		_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
		_ = ex.Write([]byte("some"))
		return ex.Flush()
	}
	wait := func(_ Exchange, left standing) { <-left }
	for name, c := range map[string]struct {
		begin func(Exchange) error
		then  func(Exchange, standing)
	}{
		"while it waits": {func(Exchange) error { return nil }, wait},
		"in its answer":  {answer, wait},
		"in a write": {answer, func(ex Exchange, _ standing) {
			for piece := make([]byte, 32<<10); ex.Write(piece) == nil && ex.Flush() == nil; {
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			begun, aborted := make(chan struct{}, 1), make(chan struct{}, 1)
			o := opened(func(ex Exchange) {
				if string(ex.Request().Path) == "/next" {
					_ = ex.Start(204, "", &Header{}, 0, -1)
					_ = ex.End(nil)
					return
				}
				w := make(standing, 1)
				ex.Watch(w)
				_ = c.begin(ex)
				begun <- struct{}{}
				c.then(ex, w)
				ex.Abort()
				ex.Unwatch()
				aborted <- struct{}{}
			})
			o.HTTP2 = &HTTP2Options{}
			addr, _ := startDoor(t, o)
			caller := dialH2(t, addr, nil)
			for range 20 {
				s := caller.ask(true, "GET", "/")
				<-begun
				s.cancel(http2.ErrCodeCancel)
				<-aborted
			}
			caller.ask(true, "GET", "/next").want("204", "") // what was sent before has come
			caller.mu.Lock()
			defer caller.mu.Unlock()
			if n := caller.frames[http2.FrameRSTStream]; n > 0 {
				t.Errorf("%d RST_STREAM came for 20 of ours", n)
			}
		})
	}
}
