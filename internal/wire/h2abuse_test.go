package wire

import (
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestFramesInTheWrongPlace: what a caller may not send on a stream that is open or ended gets the answer of
// RFC 9113, and a call that is under way learns of it.
func TestFramesInTheWrongPlace(t *testing.T) {
	reset, goAway := http2.FrameRSTStream, http2.FrameGoAway
	for name, c := range map[string]struct {
		ended bool // the request is whole
		send  func(s *h2Asked) error
		by    http2.FrameType
		code  http2.ErrCode
	}{
		"HEADERS behind END_STREAM": {true, func(s *h2Asked) error {
			return s.c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.c.block("x-sum", "1"), EndHeaders: true, EndStream: true})
		}, reset, http2.ErrCodeStreamClosed},
		"DATA behind END_STREAM": {true, func(s *h2Asked) error { return s.c.fr.WriteData(s.id, true, []byte("x")) }, reset, http2.ErrCodeStreamClosed},
		"a trailer without END_STREAM": {false, func(s *h2Asked) error {
			return s.c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.c.block("x-sum", "1"), EndHeaders: true})
		}, reset, http2.ErrCodeProtocol},
		"a window above 2^31-1":        {false, func(s *h2Asked) error { return s.c.fr.WriteWindowUpdate(s.id, 1<<31-1) }, reset, http2.ErrCodeFlowControl},
		"a window of the connection's": {false, func(s *h2Asked) error { return s.c.fr.WriteWindowUpdate(0, 1<<31-1) }, goAway, http2.ErrCodeFlowControl},
		"a window of nothing": {false, func(s *h2Asked) error {
			return s.c.fr.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4))
		}, goAway, http2.ErrCodeProtocol},
		"DATA on a stream that is not there": {false, func(s *h2Asked) error { return s.c.fr.WriteData(s.id+20, true, []byte("x")) }, goAway, http2.ErrCodeProtocol},
		"RST_STREAM of one":                  {false, func(s *h2Asked) error { return s.c.fr.WriteRSTStream(s.id+20, http2.ErrCodeCancel) }, goAway, http2.ErrCodeProtocol},
		"a promise": {false, func(s *h2Asked) error {
			return s.c.fr.WritePushPromise(http2.PushPromiseParam{StreamID: s.id, PromiseID: 2, BlockFragment: s.c.block("x", "y"), EndHeaders: true})
		}, goAway, http2.ErrCodeProtocol},
		"SETTINGS of a window above 2^31-1": {false, func(s *h2Asked) error {
			return s.c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, goAway, http2.ErrCodeFlowControl},
		"more padding than DATA": {false, func(s *h2Asked) error {
			return s.c.fr.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, s.id, []byte{9, 1})
		}, goAway, http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, ended := make(chan struct{}, 1), make(chan error, 1)
			h := doorKinds[3].open(t, opened(func(ex Exchange) {
				w := make(standing, 1)
				ex.Watch(w)
				begun <- struct{}{}
				if ex.Request().Length != 0 {
					_, err := readAll(ex)
					ended <- err
				} else {
					<-w
					ended <- nil
				}
				ex.Abort()
				ex.Unwatch()
			}))
			caller := dialH2(t, h.addr, nil)
			method := "POST"
			if c.ended {
				method = "GET"
			}
			s := caller.ask(c.ended, method, "/")
			soon(t, "the call", begun)
			caller.write(func() error { return c.send(s) })
			if c.by == goAway {
				caller.wantGoAway(c.code)
			} else {
				caller.until("RST_STREAM", func() bool { return s.reset != nil })
				if *s.reset != c.code {
					t.Errorf("reset with %v, want %v", *s.reset, c.code)
				}
			}
			if err := soon(t, "the call's end", ended); err == nil && !c.ended {
				t.Error("its body ended as a whole one")
			}
		})
	}
}

// TestAGoAwayInMidBodyEndsNoCall: the caller wants no further ones, and this one goes on.
func TestAGoAwayInMidBodyEndsNoCall(t *testing.T) {
	h := doorKinds[3].open(t, opened(func(ex Exchange) {
		body, err := readAll(ex)
		if err != nil {
			body = err.Error()
		}
		reply(ex, 200, body+string(ex.Trailer().Lookup("x-sum")))
	}))
	c := dialH2(t, h.addr, nil)
	s := c.ask(false, "POST", "/")
	s.sendData("hel", false)
	c.write(func() error { return c.fr.WriteGoAway(0, http2.ErrCodeNo, []byte("done")) })
	time.Sleep(10 * time.Millisecond) // it is there before the rest
	s.sendData("lo ", false)
	s.trail(true, "x-sum", "7")
	s.want("200", "hello 7")
}
