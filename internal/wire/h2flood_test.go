package wire

import (
	"bytes"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// flooded is a door of HTTP/2 without TLS, with low limits.
type flooded struct {
	*house
	calls   atomic.Int64  // that came to the rooms
	reasons chan string   // told to OnHTTP2
	hold    chan struct{} // calls of /held wait for it
}

func newFlooded(t *testing.T, change func(*DoorOptions)) *flooded {
	t.Helper()
	f := &flooded{reasons: make(chan string, 1000), hold: make(chan struct{})}
	o := opened(func(ex Exchange) {
		f.calls.Add(1)
		if string(ex.Request().Path) == "/held" {
			w := make(standing, 1)
			ex.Watch(w)
			select {
			case <-w:
			case <-f.hold:
			}
			ex.Unwatch()
		}
		reply(ex, 200, "ok")
	})
	o.HTTP2 = &HTTP2Options{MaxStreams: 50, MaxResets: 100, MaxControl: 300}
	o.OnHTTP2 = func(reason, _ string) {
		select {
		case f.reasons <- reason:
		default:
		}
	}
	if change != nil {
		change(&o)
	}
	f.house = doorKind{name: "h2c", h2: true}.open(t, o)
	t.Cleanup(func() { close(f.hold) })
	return f
}

// others checks that another caller notices nothing.
func (f *flooded) others(t *testing.T) {
	t.Helper()
	dialH2(t, f.addr, nil).ask(true, "GET", "/").want("200", "ok")
}

func (f *flooded) wantReason(t *testing.T, want string) {
	t.Helper()
	for {
		if got := soon(t, "the reason "+want, f.reasons); got == want {
			break
		}
	}
	if n := f.door.HTTP2().Errors[want]; n < 1 {
		t.Errorf("counted %d times", n)
	}
}

// together runs the rows of a table at the same time: most of their time is spent waiting, whatever the
// number of processors.
func together[C any](t *testing.T, rows map[string]C, test func(t *testing.T, c C)) {
	var all sync.WaitGroup
	for name, c := range rows {
		all.Go(func() { t.Run(name, func(t *testing.T) { test(t, c) }) })
	}
	all.Wait()
}

// flood sends frames as fast as they are taken, until the connection ends.
func (c *h2Caller) flood(frames func(i int) error) {
	for i := 0; ; i++ {
		select {
		case <-c.done:
			return
		default:
		}
		if c.try(func() error { return frames(i) }) != nil {
			<-c.done // what was sent back is still to be read
			return
		}
	}
}

func (c *h2Caller) headers(id uint32, end bool, block []byte) error {
	return c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: end, EndHeaders: true})
}

// TestRapidReset is CVE-2023-44487, and CVE-2025-8671, in which the caller breaks a rule on the stream
// so that the server resets it.
func TestRapidReset(t *testing.T) {
	together(t, map[string]func(c *h2Caller, id uint32) error{
		"by RST_STREAM":              func(c *h2Caller, id uint32) error { return c.fr.WriteRSTStream(id, http2.ErrCodeCancel) },
		"by a WINDOW_UPDATE of none": func(c *h2Caller, id uint32) error { return c.fr.WriteWindowUpdate(id, 0) },
		"by a window that overflows": func(c *h2Caller, id uint32) error { return c.fr.WriteWindowUpdate(id, 1<<31-1) },
		"by DATA behind END_STREAM":  func(c *h2Caller, id uint32) error { return c.fr.WriteData(id, false, []byte("x")) },
		"by depending on itself": func(c *h2Caller, id uint32) error {
			return c.fr.WritePriority(id, http2.PriorityParam{StreamDep: id})
		},
	}, func(t *testing.T, reset func(c *h2Caller, id uint32) error) {
		f := newFlooded(t, nil)
		c := dialH2(t, f.addr, nil)
		block := hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/held")
		c.flood(func(i int) error {
			id := uint32(2*i + 1)
			if err := c.headers(id, true, block); err != nil {
				return err
			}
			return reset(c, id)
		})
		c.wantGoAway(http2.ErrCodeEnhanceYourCalm)
		if n := f.calls.Load(); n > 500 { // in four seconds, of some hundred thousand
			t.Errorf("%d calls came to the rooms", n)
		}
		select {
		case <-f.reasons:
		case <-time.After(5 * time.Second):
			t.Error("no reason was told")
		}
		f.others(t)
	})
}

// hpackOf encodes fields without the dynamic table, so that a block can be sent again.
func hpackOf(fields ...string) (block []byte) {
	for i := 0; i < len(fields); i += 2 {
		block = append(block, 0, byte(len(fields[i])))
		block = append(block, fields[i]...)
		block = append(block, byte(len(fields[i+1])))
		block = append(block, fields[i+1]...)
	}
	return block
}

// TestCallersMayGiveUpWhatTheyLike as long as it is no flood.
func TestCallersMayGiveUpWhatTheyLike(t *testing.T) {
	f := newFlooded(t, nil)
	c := dialH2(t, f.addr, nil)
	for range 2 {
		var all []*h2Asked
		for range 50 {
			all = append(all, c.ask(true, "GET", "/held"))
		}
		for _, s := range all {
			s.cancel(http2.ErrCodeCancel)
		}
		c.ask(true, "GET", "/").want("200", "ok")
	}
}

func TestControlFloods(t *testing.T) {
	together(t, map[string]func(c *h2Caller, i int) error{
		"PING":         func(c *h2Caller, _ int) error { return c.fr.WritePing(false, [8]byte{}) },
		"PING answers": func(c *h2Caller, _ int) error { return c.fr.WritePing(true, [8]byte{}) },
		"SETTINGS":     func(c *h2Caller, _ int) error { return c.fr.WriteSettings() },
		"table sizes": func(c *h2Caller, i int) error {
			return c.fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: uint32(i % 4096)})
		},
		"PRIORITY":       func(c *h2Caller, i int) error { return c.fr.WritePriority(uint32(2*i+101), http2.PriorityParam{}) },
		"empty DATA":     func(c *h2Caller, _ int) error { return c.fr.WriteData(1, false, nil) },
		"padding":        func(c *h2Caller, _ int) error { return c.fr.WriteDataPadded(1, false, nil, make([]byte, 10)) },
		"small windows":  func(c *h2Caller, _ int) error { return c.fr.WriteWindowUpdate(1, 1) },
		"dead windows":   func(c *h2Caller, _ int) error { return c.fr.WriteWindowUpdate(3, 1) },
		"unknown frames": func(c *h2Caller, _ int) error { return c.fr.WriteRawFrame(0xbe, 0, 0, []byte("x")) },
		"PRIORITY_UPDATE": func(c *h2Caller, _ int) error {
			return c.fr.WriteRawFrame(0x10, 0, 0, []byte{0, 0, 0, 1, 'u', '=', '1'})
		},
	}, func(t *testing.T, frame func(c *h2Caller, i int) error) {
		f := newFlooded(t, nil)
		c := dialH2(t, f.addr, nil)
		c.ask(false, "POST", "/held")
		c.ask(true, "GET", "/").want("200", "ok")
		c.flood(func(i int) error { return frame(c, i) })
		c.wantGoAway(http2.ErrCodeEnhanceYourCalm)
		f.wantReason(t, h2ControlFlood)
		f.others(t)
	})
}

func TestResetsOfWhatHasEnded(t *testing.T) {
	f := newFlooded(t, nil)
	c := dialH2(t, f.addr, nil)
	c.ask(true, "GET", "/").want("200", "ok")
	c.flood(func(int) error { return c.fr.WriteRSTStream(1, http2.ErrCodeCancel) })
	c.wantGoAway(http2.ErrCodeEnhanceYourCalm)
	// At first they may be of a call that was only just given up.
	for got := ""; got != h2ControlFlood && got != h2RapidReset; {
		got = soon(t, "the reason", f.reasons)
	}
	f.others(t)
}

// TestCallersWhoseTimeIsUpAreNoFlood: an upstream hangs, and the limits of many callers behind one
// connection fire.
func TestCallersWhoseTimeIsUpAreNoFlood(t *testing.T) {
	f := newFlooded(t, nil)
	c := dialH2(t, f.addr, nil)
	for range 3 {
		var all []*h2Asked
		for range 50 {
			all = append(all, c.ask(true, "GET", "/held"))
		}
		time.Sleep(2*h2Young + 20*time.Millisecond)
		for _, s := range all {
			s.cancel(http2.ErrCodeCancel)
		}
		began := time.Now()
		c.ask(true, "GET", "/").want("200", "ok")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the next call took %v", took)
		}
	}
	if e := f.door.HTTP2().Errors; e[h2Slowed]+e[h2RapidReset] > 0 {
		t.Errorf("counted: %v", e)
	}
}

// TestRequestsThatAreNone: each is answered or reset, and none may cost much; so many are an attack.
func TestRequestsThatAreNone(t *testing.T) {
	together(t, map[string][]byte{
		"a target that is none":  hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/a b"),
		"a path without a slash": hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "a"),
		"a field of HTTP/1.1":    hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", "connection", "close"),
		"a head above twice the limit": append(hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"),
			bytes.Repeat(hpackOf("x-long", strings.Repeat("x", 100)), 140)...),
	}, func(t *testing.T, block []byte) {
		f := newFlooded(t, func(o *DoorOptions) { o.Limits = Limits{Head: 4 << 10, Fields: 20} })
		c := dialH2(t, f.addr, nil)
		c.flood(func(i int) error { return c.headers(uint32(2*i+1), true, block) })
		c.wantGoAway(http2.ErrCodeEnhanceYourCalm)
		// Those that x/net resets count as reset.
		for got := ""; got != h2BrokenRequests && got != h2RapidReset; {
			got = soon(t, "the reason", f.reasons)
		}
		if n := f.calls.Load(); n != 0 {
			t.Errorf("%d came to the rooms", n)
		}
		f.others(t)
	})
}

// TestManyGoodCallsAreNoFlood: as many at a time as are allowed, again and again.
func TestManyGoodCallsAreNoFlood(t *testing.T) {
	f := newFlooded(t, nil)
	c := dialH2(t, f.addr, nil)
	for range 40 {
		var all []*h2Asked
		for range 50 {
			all = append(all, c.ask(true, "GET", "/"))
		}
		for _, s := range all {
			s.want("200", "ok")
			s.cancel(http2.ErrCodeCancel) // some clients say goodbye to what has ended
		}
	}
}

// TestWindowsMayBeOpenedAsOftenAsBytesCome: a client may acknowledge every byte of a download.
func TestWindowsMayBeOpenedAsOftenAsBytesCome(t *testing.T) {
	o := opened(func(ex Exchange) { reply(ex, 200, strings.Repeat("x", 8<<20)) })
	o.HTTP2 = &HTTP2Options{MaxControl: 50}
	h := doorKind{name: "h2c", h2: true}.open(t, o)
	c := dialH2(t, h.addr, nil, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16 << 10})
	s := c.ask(true, "GET", "/")
	s.answer()
	if !s.over || s.bytes != 8<<20 || c.frames[http2.FrameData] < 400 {
		t.Errorf("%d bytes in %d frames came, reset: %v", s.bytes, c.frames[http2.FrameData], s.reset)
	}
}

func TestEndlessHeaders(t *testing.T) {
	type row struct {
		frame func(c *h2Caller, i int) error
		codes []http2.ErrCode
	}
	together(t, map[string]row{
		"empty CONTINUATION": {func(c *h2Caller, _ int) error { return c.fr.WriteContinuation(1, false, nil) }, []http2.ErrCode{http2.ErrCodeEnhanceYourCalm}},
		"one byte at a time": {func(c *h2Caller, i int) error { return c.fr.WriteContinuation(1, false, []byte{0x82}) }, []http2.ErrCode{http2.ErrCodeProtocol, http2.ErrCodeEnhanceYourCalm}},
		"CONTINUATION of 16 KiB": {func(c *h2Caller, i int) error {
			return c.fr.WriteContinuation(1, false, []byte(strings.Repeat("\x00\x01a\x01b", 3200)))
		}, []http2.ErrCode{http2.ErrCodeProtocol, http2.ErrCodeEnhanceYourCalm}},
	}, func(t *testing.T, c row) {
		f := newFlooded(t, nil)
		caller := dialH2(t, f.addr, nil)
		caller.mute.Store(true)
		caller.write(func() error {
			return caller.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: hpackOf(":method", "GET"), EndStream: true})
		})
		caller.flood(func(i int) error { return c.frame(caller, i) })
		caller.mu.Lock()
		code := caller.goAway
		caller.mu.Unlock()
		known := false
		for _, want := range c.codes {
			known = known || code != nil && code.ErrCode == want
		}
		if !known {
			t.Errorf("ended with %v (%v), want one of %v", code, f.door.HTTP2().Errors, c.codes)
		}
		if n := f.calls.Load(); n != 0 {
			t.Errorf("%d calls came to the rooms", n)
		}
		f.others(t)
	})
}

// TestAHeaderBomb says a large field by one byte each time (CVE-2016-6581).
func TestAHeaderBomb(t *testing.T) {
	f := newFlooded(t, func(o *DoorOptions) { o.Limits.Head = 16 << 10 })
	c := dialH2(t, f.addr, nil)
	for range 30 {
		c.mu.Lock()
		id := c.next
		c.next += 2
		s := &h2Asked{c: c, id: id}
		c.streams[id] = s
		c.mu.Unlock()
		c.write(func() error {
			c.encBuf.Reset()
			for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {"x-bomb", strings.Repeat("b", 3<<10)}} {
				_ = c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
			}
			block := append([]byte(nil), c.encBuf.Bytes()...)
			block = append(block, strings.Repeat("\xbe", 10_000)...) // index 62: the newest of the dynamic table
			return c.headers(id, true, block)
		})
		if status, _, _ := s.answer(); status != "431" && status != "" {
			t.Fatalf("a head of 30 MiB is answered %s", status)
		}
	}
	if n := f.calls.Load(); n != 0 {
		t.Errorf("%d calls came to the rooms", n)
	}
	f.others(t)
}

func TestSlowHeadsOfHTTP2(t *testing.T) {
	together(t, map[string]func(nc net.Conn, fr *http2.Framer) error{
		"half a preface": func(nc net.Conn, _ *http2.Framer) error {
			_, err := nc.Write([]byte(http2.ClientPreface[:20]))
			return err
		},
		"a frame's head": func(nc net.Conn, _ *http2.Framer) error {
			_, err := nc.Write([]byte(http2.ClientPreface + "\x00\x00"))
			return err
		},
		"half a field block": func(nc net.Conn, fr *http2.Framer) error {
			_, err := nc.Write([]byte(http2.ClientPreface))
			if err == nil {
				err = fr.WriteSettings()
			}
			if err == nil {
				err = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: hpackOf(":method", "GET"), EndStream: true})
			}
			return err
		},
		"half a frame of fields": func(nc net.Conn, fr *http2.Framer) error {
			_, err := nc.Write([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x01\x00\x01\x04\x00\x00\x00\x01\x82"))
			return err
		},
	}, func(t *testing.T, send func(nc net.Conn, fr *http2.Framer) error) {
		f := newFlooded(t, func(o *DoorOptions) { o.ReadHeaderTimeout = 100 * time.Millisecond })
		nc, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := send(nc, http2.NewFramer(nc, nc)); err != nil {
			t.Fatal(err)
		}
		c := newH2Caller(t, nc)
		c.until("the end", func() bool { return false })
		// x/net leaves a second for reading why.
		if took := time.Since(began); took < 90*time.Millisecond || took > 4*time.Second {
			t.Errorf("the connection ended after %v", took)
		}
	})
}

func TestSilentAndIdleConnectionsOfHTTP2(t *testing.T) {
	told := make(chan string, 1)
	f := newFlooded(t, func(o *DoorOptions) { o.IdleTimeout, o.OnSilent = 100*time.Millisecond, tellSilent(told) })
	c := dialH2(t, f.addr, nil)
	c.ask(true, "GET", "/").want("200", "ok")
	c.wantGoAway(http2.ErrCodeNo)
	if got := soon(t, "OnSilent", told); !strings.HasSuffix(got, "called: true") {
		t.Errorf("after a call it is told of %s", got)
	}
	dialH2(t, f.addr, nil).wantGoAway(http2.ErrCodeNo)
	if got := soon(t, "OnSilent", told); !strings.HasSuffix(got, "called: false") {
		t.Errorf("without a call it is told of %s", got)
	}
}

// TestACallerWhoLeavesEarlyIsNotIdle.
func TestACallerWhoLeavesEarlyIsNotIdle(t *testing.T) {
	told := make(chan string, 1)
	f := newFlooded(t, func(o *DoorOptions) { o.IdleTimeout, o.OnSilent = time.Minute, tellSilent(told) })
	c := dialH2(t, f.addr, nil)
	c.ask(true, "GET", "/").want("200", "ok")
	_ = c.nc.Close()
	for deadline := time.Now().Add(5 * time.Second); f.door.Stats().Open > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still there")
		}
	}
	if len(told) > 0 {
		t.Errorf("it is told of %s", <-told)
	}
}

// TestACallerWhoAnswersNoPINGIsGone: a peer that vanished without a word, as behind a NAT.
func TestACallerWhoAnswersNoPINGIsGone(t *testing.T) {
	left := make(chan Reason, 1)
	o := opened(func(ex Exchange) {
		w := make(standing, 1)
		ex.Watch(w)
		left <- <-w
		ex.Unwatch()
	})
	o.HTTP2 = &HTTP2Options{PingAfter: 100 * time.Millisecond, PingTimeout: 100 * time.Millisecond}
	h := doorKind{name: "h2c", h2: true}.open(t, o)
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = nc.Write([]byte(http2.ClientPreface))
	fr := http2.NewFramer(nc, nc)
	_ = fr.WriteSettings()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"), EndStream: true, EndHeaders: true})
	if why := soon(t, "the call's end", left); why != ReasonCallerGone {
		t.Errorf("cancelled for %v", why)
	}
	if n := h.door.HTTP2().Errors["conn_close_lost_ping"]; n != 1 {
		t.Errorf("counted %d times: %v", n, h.door.HTTP2().Errors)
	}
}

// TestStalledReadersHoldLittle: many calls whose answers nobody takes.
func TestStalledReadersHoldLittle(t *testing.T) {
	const calls = 50
	stalled := make(chan struct{}, calls)
	o := opened(func(ex Exchange) {
		ex.WriteLimit(20 * time.Second)
		_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
		block := make([]byte, 8<<10)
		for i := range 100 {
			if i == 1 {
				stalled <- struct{}{}
			}
			if ex.Write(block) != nil {
				return
			}
		}
	})
	h := doorKind{name: "h2c", h2: true}.open(t, o)
	before := heap()
	c := dialH2(t, h.addr, nil, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for range calls {
		c.ask(true, "GET", "/")
	}
	for range calls {
		soon(t, "the calls", stalled)
	}
	time.Sleep(50 * time.Millisecond) // they run on until they are stalled
	if grew := heap() - before; grew > calls*64<<10 {
		t.Errorf("%d KiB are held for %d stalled answers", grew>>10, calls)
	}
	c.nc.Close()
}

// TestAStalledConnectionEnds: the caller reads nothing at all, so that not even RST_STREAM can go out.
func TestAStalledConnectionEnds(t *testing.T) {
	failed := make(chan error, 1)
	o := opened(func(ex Exchange) {
		ex.WriteLimit(200 * time.Millisecond)
		_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
		block := make([]byte, 1<<20)
		for {
			if err := ex.Write(block); err != nil {
				failed <- err
				return
			}
		}
	})
	h := doorKind{name: "h2c", h2: true}.open(t, o)
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = nc.Write([]byte(http2.ClientPreface))
	fr := http2.NewFramer(nc, nc)
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	_ = fr.WriteWindowUpdate(0, 1<<30)
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"), EndStream: true, EndHeaders: true})
	if err := soon(t, "the write's end", failed); err != errTimeout {
		t.Errorf("the write ended with %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); h.door.Stats().Open > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still open")
		}
	}
	if n := h.door.HTTP2().Errors[h2WriteStall]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func TestMoreStreamsThanAreAllowed(t *testing.T) {
	f := newFlooded(t, nil)
	c := dialH2(t, f.addr, nil)
	for range 50 {
		c.ask(true, "GET", "/held")
	}
	over := c.ask(true, "GET", "/")
	if _, _, whole := over.answer(); whole || over.reset == nil {
		t.Fatal("a 51st call is served")
	}
	if got := c.set[http2.SettingMaxConcurrentStreams]; got != 50 {
		t.Errorf("SETTINGS_MAX_CONCURRENT_STREAMS is %d", got)
	}
	// x/net takes it more lightly while its SETTINGS may still be on the way.
	if got := soon(t, "the reason", f.reasons); !strings.Contains(got, "over_max_streams") {
		t.Errorf("counted as %s", got)
	}
}

func TestTooManyConnectionsOfHTTP2(t *testing.T) {
	f := newFlooded(t, func(o *DoorOptions) { o.MaxConnections = 1 })
	first := dialH2(t, f.addr, nil)
	first.ask(true, "GET", "/").want("200", "ok")
	second := dialH2(t, f.addr, nil)
	second.wantGoAway(http2.ErrCodeEnhanceYourCalm)
	if second.goAway.LastStreamID != 0 || !strings.Contains(second.debug, "max_connections") {
		t.Errorf("GOAWAY %v %q", second.goAway, second.debug)
	}
	first.ask(true, "GET", "/").want("200", "ok")
	if n := f.door.Stats().TurnedAway; n != 1 {
		t.Errorf("%d were turned away", n)
	}
}

// TestAFloodIsNotTheOthersTrouble while it lasts.
func TestAFloodIsNotTheOthersTrouble(t *testing.T) {
	f := newFlooded(t, nil)
	good := dialH2(t, f.addr, nil)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		block := hpackOf(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/held")
		for {
			select {
			case <-stop:
				return
			default:
			}
			nc, err := net.Dial("tcp", f.addr)
			if err != nil {
				return
			}
			_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = nc.Write([]byte(http2.ClientPreface))
			fr := http2.NewFramer(nc, nil)
			_ = fr.WriteSettings()
			for i := uint32(0); ; i++ {
				if fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: block, EndStream: true, EndHeaders: true}) != nil || fr.WriteRSTStream(2*i+1, 8) != nil {
					break
				}
			}
			nc.Close()
		}
	}()
	before := runtime.NumGoroutine()
	for range 200 {
		began := time.Now()
		good.ask(true, "GET", "/").want("200", "ok")
		if took := time.Since(began); took > time.Second {
			t.Errorf("a good call took %v", took)
		}
	}
	close(stop)
	<-done
	if n := runtime.NumGoroutine() - before; n > 1000 {
		t.Errorf("%d goroutines more", n)
	}
	if e := f.door.HTTP2().Errors; e[h2RapidReset]+e["conn_ENHANCE_YOUR_CALM_too_many_early_resets"] == 0 {
		t.Errorf("no flood was ended: %v", f.door.HTTP2().Errors)
	}
}
