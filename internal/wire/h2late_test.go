package wire

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestALateTrailerOfACallerEndsNoOtherCall: a call is answered before its body has ended and reset behind the
// answer, and its trailer is on the way. That is no fault of its caller's; a second one is.
func TestALateTrailerOfACallerEndsNoOtherCall(t *testing.T) {
	for _, how := range []string{"answered early", "cut"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			begun, held := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(held) })
			h := doorKinds[3].open(t, opened(func(ex Exchange) {
				switch {
				case string(ex.Request().Path) == "/slow":
					close(begun)
					<-held
					reply(ex, 200, "slow")
				case how == "cut":
					_ = ex.Start(200, "", &Header{}, -1, -1)
					ex.Abort()
				default:
					reply(ex, 200, "early")
				}
			}))
			defer release()
			c := dialH2(t, h.addr, nil)
			slow := c.ask(true, "GET", "/slow")
			soon(t, "the other call", begun)
			for range 3 {
				early := c.ask(false, "POST", "/early")
				c.until("RST_STREAM", func() bool { return early.reset != nil })
				early.trail(true, "x-sum", "1")
			}
			next := c.ask(false, "POST", "/early")
			c.until("RST_STREAM", func() bool { return next.reset != nil })
			release()
			slow.want("200", "slow")
			next.trail(false, "x-sum", "1")
			next.trail(true, "x-sum", "2")
			c.wantGoAway(http2.ErrCodeProtocol)
		})
	}
}

// heldTrailer is a body whose end, with a trailer, comes when it is let go.
type heldTrailer struct {
	zeros
	more chan struct{}
}

func (b *heldTrailer) ReadBody(p []byte, limit time.Duration) (int, error) {
	if b.left > 0 {
		return b.zeros.ReadBody(p, limit)
	}
	<-b.more
	return 0, io.EOF
}

func (*heldTrailer) Trailer() *Header {
	h := &Header{}
	h.AddString("X-Sum", "7")
	return h
}

// heldCall is a call with a trailer, announced or not.
func heldCall(announced bool) (*Call, *heldTrailer) {
	call, body := uploadCall(10), &heldTrailer{zeros: zeros{left: 10}, more: make(chan struct{})}
	call.Head, call.Length, call.Stream = []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), LengthChunked, body
	if announced {
		call.Head = []byte("POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")
	}
	return call, body
}

// TestATrailerSharesNoConnectionWithOtherCalls: many servers end the connection, and every call on it, for a
// trailer that comes when they have ended its stream. So no other call is on that connection.
func TestATrailerSharesNoConnectionWithOtherCalls(t *testing.T) {
	for name, c := range map[string]struct {
		announced     bool
		before, after bool            // another call is on its way, begun before or after this one
		ends          http2.FrameType // what ends the request
		dials         int64           // with one more call, behind them
	}{
		"announced":                        {true, false, false, http2.FrameHeaders, 2},
		"announced, after another call":    {true, true, false, http2.FrameHeaders, 2},
		"announced, before another call":   {true, false, true, http2.FrameHeaders, 2},
		"unannounced":                      {false, false, false, http2.FrameHeaders, 2},
		"unannounced, after another call":  {false, true, false, http2.FrameData, 1},
		"unannounced, before another call": {false, false, true, http2.FrameData, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, ends, release := make(chan struct{}, 3), make(chan http2.FrameType, 1), make(chan struct{})
			g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
				last := uint32(0)
				for {
					f := s.next(http2.FrameHeaders, http2.FrameData)
					if f == nil {
						return
					}
					id, over := f.Header().StreamID, f.Header().Flags.Has(http2.FlagHeadersEndStream)
					switch {
					case id > last:
						last = id
						begun <- struct{}{}
						if over {
							go func() {
								<-release
								s.wmu.Lock()
								defer s.wmu.Unlock()
								s.answer(id, "other")
							}()
						}
					case over:
						ends <- f.Header().Type
						s.wmu.Lock()
						s.answer(id, "whole")
						s.wmu.Unlock()
					}
				}
			})
			var others sync.WaitGroup
			another := func() {
				others.Go(func() {
					if o := attempt(g, getCall()); string(o.body) != "other" {
						t.Error(o.show())
					}
				})
				soon(t, "another call", begun)
			}
			if c.before {
				another()
			}
			call, body := heldCall(c.announced)
			whole := make(chan *outcome, 1)
			go func() { whole <- attempt(g, call) }()
			soon(t, "the call", begun)
			if c.after {
				another()
			}
			close(body.more)
			if got := soon(t, "the request's end", ends); got != c.ends {
				t.Errorf("it ends with %v, want %v", got, c.ends)
			}
			if o := soon(t, "the answer", whole); string(o.body) != "whole" {
				t.Error(o.show())
			}
			close(release)
			others.Wait()
			another()
			others.Wait()
			if s := g.Stats(); s.Dials != c.dials || s.Streams != 0 {
				t.Errorf("%+v, want %d dials", s, c.dials)
			}
		})
	}
}

// TestALateTrailerHurtsNobodyElse: callers whose calls are answered before their trailers come, beside calls that last, at a
// server that ends a connection for each of these trailers.
func TestALateTrailerHurtsNobodyElse(t *testing.T) {
	g, _ := h2Server(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			return // answered, and its stream reset
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "lasted")
	})
	var stop atomic.Bool
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for n := 0; !stop.Load(); n++ {
				call, body := heldCall(i%2 == 0)
				time.AfterFunc(time.Duration(n%20)*50*time.Microsecond, func() { close(body.more) })
				if o := attempt(g, call); o.Status != 200 {
					t.Error(o.show())
				}
			}
		})
	}
	var lasting sync.WaitGroup
	for range 4 {
		lasting.Go(func() {
			for range 20 {
				if o := attempt(g, getCall()); string(o.body) != "lasted" {
					t.Error(o.show())
				}
			}
		})
	}
	lasting.Wait()
	stop.Store(true)
	callers.Wait()
}
