package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// h2Script is the server's side of one HTTP/2 connection, frame by frame.
type h2Script struct {
	nc    net.Conn
	fr    *http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
	wmu   sync.Mutex // for scripts that write from several goroutines
}

// h2Scripted serves each connection with a script. The preface and the first SETTINGS are exchanged.
func h2Scripted(t testing.TB, o OriginOptions, script func(*h2Script)) *Origin {
	t.Helper()
	url, _ := rawServer(t, false, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		s := &h2Script{nc: c, fr: http2.NewFramer(c, c)}
		s.enc = hpack.NewEncoder(&s.block)
		s.fr.AllowIllegalWrites = true
		_ = s.fr.WriteSettings()
		script(s)
	})
	o.URL, o.Protocol = url, ProtocolH2C
	return newOrigin(t, o)
}

// next reads to the next frame of these types; nil when the connection has ended.
func (s *h2Script) next(kinds ...http2.FrameType) http2.Frame {
	for {
		f, err := s.fr.ReadFrame()
		if err != nil {
			return nil
		}
		if settings, ok := f.(*http2.SettingsFrame); ok && !settings.IsAck() {
			_ = s.fr.WriteSettingsAck()
		}
		for _, k := range kinds {
			if f.Header().Type == k {
				return f
			}
		}
	}
}

// call is the next call's stream, 0 when the connection has ended.
func (s *h2Script) call() uint32 {
	if f := s.next(http2.FrameHeaders); f != nil {
		return f.Header().StreamID
	}
	return 0
}

func (s *h2Script) head(stream uint32, end bool, fields ...string) {
	s.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = s.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = s.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.block.Bytes(), EndHeaders: true, EndStream: end})
}

func (s *h2Script) answer(stream uint32, body string) {
	s.head(stream, false, ":status", "200")
	_ = s.fr.WriteData(stream, true, []byte(body))
}

// TestAnUpstreamThatIsGoneIsNoticedByPing: nothing comes, a PING is sent, no answer, and the calls on
// the connection fail together while the next one gets another connection.
func TestAnUpstreamThatIsGoneIsNoticedByPing(t *testing.T) {
	var mu sync.Mutex
	conns := 0
	g := h2Scripted(t, OriginOptions{PingAfter: 40 * time.Millisecond, PingTimeout: 40 * time.Millisecond}, func(s *h2Script) {
		mu.Lock()
		conns++
		first := conns == 1
		mu.Unlock()
		for {
			stream := s.call()
			if stream == 0 {
				return
			}
			if !first {
				s.answer(stream, "ok")
			}
		}
	})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			o := attempt(g, getCall())
			if o.End != journey.EndHTTP2 || o.HTTP2.Signal != journey.HTTP2Ping || o.Phase != journey.PhaseWait || o.Silence <= 0 {
				t.Errorf("%s %+v", o.show(), o.HTTP2)
			}
		})
	}
	wg.Wait()
	if o := attempt(g, getCall()); string(o.body) != "ok" || o.Reused {
		t.Error(o.show())
	}
}

// TestASilenceIsAskedAboutOnce: a PING that is answered says that the upstream is there; servers count
// further ones.
func TestASilenceIsAskedAboutOnce(t *testing.T) {
	pings := make(chan int, 1)
	g := h2Scripted(t, OriginOptions{PingAfter: 20 * time.Millisecond, PingTimeout: 5 * time.Second}, func(s *h2Script) {
		stream, n := s.call(), 0
		for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
			_ = s.nc.SetReadDeadline(end)
			if f := s.next(http2.FramePing); f != nil {
				n++
				_ = s.fr.WritePing(true, f.(*http2.PingFrame).Data)
			}
		}
		_ = s.nc.SetReadDeadline(time.Time{})
		s.answer(stream, "ok")
		pings <- n
		s.call()
	})
	if o := attempt(g, getCall()); string(o.body) != "ok" {
		t.Error(o.show())
	}
	if n := soon(t, "the answer", pings); n != 1 {
		t.Errorf("%d PINGs in 200 ms of silence", n)
	}
}

// TestAConnectionWithoutASignOfLifeIsNotUsedAgain after a call on it ran out of time.
func TestAConnectionWithoutASignOfLifeIsNotUsedAgain(t *testing.T) {
	var mu sync.Mutex
	conns := 0
	g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
		mu.Lock()
		conns++
		first := conns == 1
		mu.Unlock()
		for stream := s.call(); stream != 0; stream = s.call() {
			if !first {
				s.answer(stream, "ok")
			}
		}
	})
	call := getCall()
	call.Limits.FirstByte = h2Suspect + 50*time.Millisecond
	if o := attempt(g, call); o.End != journey.EndTimeout {
		t.Error(o.show())
	}
	if o := attempt(g, getCall()); string(o.body) != "ok" || o.Reused {
		t.Error(o.show())
	}
}

// TestGoAwayLetsStreamsFinish: what the upstream has begun it answers on the old connection, new calls
// take another one.
func TestGoAwayLetsStreamsFinish(t *testing.T) {
	var mu sync.Mutex
	conns := 0
	both, away, ended := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
	leave := sync.OnceFunc(func() { close(away) })
	defer leave()
	g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
		mu.Lock()
		conns++
		first := conns == 1
		mu.Unlock()
		if !first {
			for stream := s.call(); stream != 0; stream = s.call() {
				s.answer(stream, "new")
			}
			return
		}
		a, b := s.call(), s.call()
		close(both)
		_ = s.fr.WriteGoAway(b, http2.ErrCodeNo, []byte("bye"))
		<-away
		s.answer(b, "old")
		s.answer(a, "old")
		ended <- s.next(http2.FrameGoAway) != nil
	})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if o := attempt(g, getCall()); string(o.body) != "old" || o.End != journey.EndComplete {
				t.Error(o.show())
			}
		})
	}
	soon(t, "the first two calls", both)
	for range 500 {
		time.Sleep(time.Millisecond)
		if o := attempt(g, getCall()); string(o.body) == "new" { // the GOAWAY has come
			break
		} else if o.none || o.err != nil {
			t.Fatal(o.show())
		}
	}
	leave()
	wg.Wait()
	if !soon(t, "the old connection's end", ended) {
		t.Error("it was not ended with GOAWAY")
	}
	if s := g.Stats(); s.Dials != 2 || s.Moved > 1 {
		t.Errorf("%+v", s)
	}
}

// TestAFaultOfOneStreamSparesTheConnection and one of the connection ends it.
func TestAFaultOfOneStreamSparesTheConnection(t *testing.T) {
	lab := newLab(t)
	for _, f := range faulty.All() {
		if _, mine := http2FaultFacts()[f.Name]; !mine || !strings.HasPrefix(f.Name, "h2_") || strings.HasPrefix(f.Name, "h2_alpn") || f.Name == "h2_client_certificate" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			u, err := lab.StartFault(f, tuned[f.Name])
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			g := originOf(t, u)
			defer g.Close()
			call := getCall()
			if f.Name == "h2_first_byte" || f.Name == "h2_stall" {
				call.Limits.FirstByte, call.Limits.Idle = short, short
			}
			attempt(g, call)
			kept := g.Stats().Open == 1
			if want := !slices.Contains(endTheConnection, f.Name); kept != want {
				t.Errorf("kept: %v, want %v", kept, want)
			}
			call.Limits.FirstByte = short // most of these peers answer no second call
			if o := attempt(g, call); kept && (!o.Reused || o.HTTP2.Stream != 3) {
				t.Errorf("the next call: %s %+v", o.show(), o.HTTP2)
			}
		})
	}
}

// TestNoStreamIsAllowed: a server that takes no calls at all is dialled once for a call, and its connections do not gather.
func TestNoStreamIsAllowed(t *testing.T) {
	url, _ := rawServer(t, false, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
		fr := http2.NewFramer(c, c)
		_ = fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
		for {
			if _, err := fr.ReadFrame(); err != nil {
				return
			}
		}
	})
	g := newOrigin(t, OriginOptions{URL: url, Protocol: ProtocolH2C})
	for i := range int64(10) {
		o := attempt(g, getCall())
		if o.End != journey.EndHTTP2 || o.HTTP2.Signal != journey.HTTP2Reset || !o.HTTP2.Unworked || g.Stats().Dials != i+1 || g.Stats().Open != 0 {
			t.Fatalf("%s %+v %+v", o.show(), o.HTTP2, g.Stats())
		}
	}
}

// TestAnAnswerBeforeTheUploadsEnd is handed on at once, and the rest of the body is given up.
func TestAnAnswerBeforeTheUploadsEnd(t *testing.T) {
	reset := make(chan http2.ErrCode, 1)
	g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
		stream := s.call()
		s.next(http2.FrameData)
		s.head(stream, true, ":status", "413")
		if f := s.next(http2.FrameRSTStream); f != nil {
			reset <- f.(*http2.RSTStreamFrame).ErrCode
		}
		s.call()
	})
	for name, call := range map[string]*Call{
		"held":     {Head: []byte("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), Body: make([]byte, 4<<20), Length: 4 << 20, Limits: patient},
		"streamed": uploadCall(4 << 20),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			o := attempt(g, call)
			if o.Status != 413 || o.SendComplete || time.Since(began) > 2*time.Second {
				t.Errorf("%s after %v", o.show(), time.Since(began))
			}
			if code := soon(t, "the reset", reset); code != http2.ErrCodeNo {
				t.Errorf("reset with %v", code)
			}
		})
		g.Close()
	}
}

// TestAnEchoOfALongHeldBody comes while the body is still going out: the upstream stops reading when
// nobody takes its answer.
func TestAnEchoOfALongHeldBody(t *testing.T) {
	g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
		stream := s.call()
		s.head(stream, false, ":status", "200")
		// It reads no further than what it may send back: 64 KiB of the body wait at most.
		window, ended, waiting := h2Window, false, []byte(nil)
		for !ended || len(waiting) > 0 {
			n := min(window, len(waiting), h2MaxFrame)
			if n > 0 {
				_ = s.fr.WriteData(stream, ended && n == len(waiting), waiting[:n])
				_ = s.fr.WriteWindowUpdate(0, uint32(n))
				_ = s.fr.WriteWindowUpdate(stream, uint32(n))
				window, waiting = window-n, waiting[n:]
				continue
			}
			switch f := s.next(http2.FrameData, http2.FrameWindowUpdate).(type) {
			case *http2.DataFrame:
				waiting, ended = append(waiting, f.Data()...), f.StreamEnded()
			case *http2.WindowUpdateFrame:
				if f.StreamID == stream {
					window += int(f.Increment)
				}
			default:
				return
			}
		}
		s.call()
	})
	body := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	o := attempt(g, &Call{Head: []byte("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), Body: body, Length: int64(len(body)), Limits: patient})
	if !bytes.Equal(o.body, body) || o.End != journey.EndComplete || !o.SendComplete {
		t.Errorf("%d of %d bytes: %s", len(o.body), len(body), o.show())
	}
}

// TestNodesHTTP2 is a server that is not Go's.
func TestNodesHTTP2(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	cmd := exec.Command(node, "-e", `
		const http2 = require('http2');
		const s = http2.createServer({settings: {maxConcurrentStreams: 20, initialWindowSize: 20000, headerTableSize: 0}});
		s.on('stream', (st, h) => {
			let n = 0;
			st.on('data', d => n += d.length);
			st.on('end', () => {
				st.respond({':status': 200, 'x-saw': h[':method'] + ' ' + h[':path'] + ' ' + h[':authority'] + ' ' + n + ' ' + h.te}, {waitForTrailers: true});
				st.on('wantTrailers', () => st.sendTrailers({'x-sum': String(n)}));
				st.end('x'.repeat(n));
			});
		});
		s.listen(0, '127.0.0.1', () => console.log(s.address().port));
		process.stdin.on('end', () => process.exit()).resume();
	`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	var port int
	if _, err := fmt.Fscan(out, &port); err != nil {
		t.Fatal(err)
	}
	g := newOrigin(t, OriginOptions{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Protocol: ProtocolH2C})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			n := i * 1000
			call := post("", strings.Repeat("y", n))
			call.Trailers = true
			var a journey.Attempt
			u := g.Try(call, &a, nobody{})
			if u == nil {
				t.Errorf("call %d: %+v %+v", i, a, a.HTTP2)
				return
			}
			got := 0
			for {
				p, err := u.Next()
				got += len(p)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Error(err)
					}
					break
				}
			}
			saw, sum := string(u.Response.Header.Lookup("x-saw")), string(u.Trailer().Lookup("x-sum"))
			u.Release()
			if want := fmt.Sprintf("POST /x orders.test %d trailers", n); saw != want || got != n || sum != fmt.Sprint(n) {
				t.Errorf("call %d: %q, %d bytes, sum %q", i, saw, got, sum)
			}
		})
	}
	wg.Wait()
	if s := g.Stats(); s.HTTP2 > 6 {
		t.Errorf("%+v for 64 calls of 20 a connection", s)
	}
}
