package wire

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Caller is a client of HTTP/2 that sends what it is told to, lawful or not, and keeps what comes
// for each stream.
type h2Caller struct {
	t    testing.TB
	nc   net.Conn
	fr   *http2.Framer
	done chan struct{} // closed when nothing more is read
	mute atomic.Bool   // nothing is sent unasked

	wmu    sync.Mutex // guards writing
	enc    *hpack.Encoder
	encBuf bytes.Buffer

	mu      sync.Mutex
	some    sync.Cond
	streams map[uint32]*h2Asked
	next    uint32
	goAway  *http2.GoAwayFrame
	debug   string
	frames  map[http2.FrameType]int
	set     map[http2.SettingID]uint32
	ended   bool
	endedBy error
}

// h2Asked is one stream as its caller sees it.
type h2Asked struct {
	c     *h2Caller
	id    uint32
	heads []http.Header // ":status" among the fields
	data  []byte
	bytes int
	over  bool           // END_STREAM came
	reset *http2.ErrCode // RST_STREAM came
	stuck bool           // no window is given back
}

// dialH2 connects, over TLS when config is not nil, and sends the preface and settings.
func dialH2(t testing.TB, addr string, config *tls.Config, settings ...http2.Setting) *h2Caller {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"h2"}
		if config.ServerName == "" {
			config.ServerName = "localhost"
		}
		tc := tls.Client(nc, config)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		if p := tc.ConnectionState().NegotiatedProtocol; p != "h2" {
			t.Fatalf("ALPN agreed on %q", p)
		}
		nc = tc
	}
	if _, err := nc.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	c := newH2Caller(t, nc)
	c.write(func() error { return c.fr.WriteSettings(settings...) })
	return c
}

// newH2Caller reads frames from nc, and has not sent anything.
func newH2Caller(t testing.TB, nc net.Conn) *h2Caller {
	c := &h2Caller{
		t: t, nc: nc, fr: http2.NewFramer(nc, nc), done: make(chan struct{}), next: 1,
		streams: map[uint32]*h2Asked{}, frames: map[http2.FrameType]int{}, set: map[http2.SettingID]uint32{},
	}
	c.some.L = &c.mu
	c.enc = hpack.NewEncoder(&c.encBuf)
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.fr.AllowIllegalWrites = true
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	go c.read()
	t.Cleanup(func() {
		nc.Close()
		<-c.done
	})
	return c
}

func (c *h2Caller) read() {
	defer close(c.done)
	for {
		f, err := c.fr.ReadFrame()
		c.mu.Lock()
		if err != nil {
			c.ended, c.endedBy = true, err
			c.some.Broadcast()
			c.mu.Unlock()
			return
		}
		c.frames[f.Header().Type]++
		s := c.streams[f.Header().StreamID]
		var answer func() error
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = f.ForeachSetting(func(s http2.Setting) error { c.set[s.ID] = s.Val; return nil })
				answer = c.fr.WriteSettingsAck
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				data := f.Data
				answer = func() error { return c.fr.WritePing(true, data) }
			}
		case *http2.GoAwayFrame:
			copied := *f
			c.goAway, c.debug = &copied, string(f.DebugData())
		case *http2.MetaHeadersFrame:
			if s != nil {
				h := http.Header{}
				for _, field := range f.Fields {
					h.Add(field.Name, field.Value)
				}
				s.heads = append(s.heads, h)
				s.over = s.over || f.StreamEnded()
			}
		case *http2.DataFrame:
			n := uint32(f.Length)
			if s != nil {
				s.bytes += len(f.Data())
				if s.bytes < 1<<20 {
					s.data = append(s.data, f.Data()...)
				}
				s.over = s.over || f.StreamEnded()
				if n > 0 {
					over, stuck := s.over, s.stuck
					answer = func() error {
						if !over && !stuck {
							_ = c.fr.WriteWindowUpdate(s.id, n)
						}
						return c.fr.WriteWindowUpdate(0, n)
					}
				}
			}
		case *http2.RSTStreamFrame:
			if s != nil {
				code := f.ErrCode
				s.reset = &code
			}
		}
		c.some.Broadcast()
		c.mu.Unlock()
		if answer != nil && !c.mute.Load() {
			c.wmu.Lock()
			_ = answer()
			c.wmu.Unlock()
		}
	}
}

// write sends frames.
func (c *h2Caller) write(f func() error) {
	c.t.Helper()
	if err := c.try(f); err != nil {
		c.t.Fatalf("sending a frame: %v", err)
	}
}

func (c *h2Caller) try(f func() error) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return f()
}

// block encodes fields: name, value, name, value. It must be sent in this order.
func (c *h2Caller) block(fields ...string) []byte {
	c.encBuf.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(c.encBuf.Bytes())
}

// open begins a stream with exactly these fields.
func (c *h2Caller) open(end bool, fields ...string) *h2Asked {
	c.t.Helper()
	c.mu.Lock()
	s := &h2Asked{c: c, id: c.next}
	c.streams[s.id] = s
	c.next += 2
	c.mu.Unlock()
	c.write(func() error {
		block := c.block(fields...)
		first := block[:min(len(block), 16<<10)]
		block = block[len(first):]
		err := c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0})
		for err == nil && len(block) > 0 {
			n := min(len(block), 16<<10)
			err = c.fr.WriteContinuation(s.id, n == len(block), block[:n])
			block = block[n:]
		}
		return err
	})
	return s
}

// ask begins a lawful request.
func (c *h2Caller) ask(end bool, method, path string, fields ...string) *h2Asked {
	c.t.Helper()
	scheme := "http"
	if _, ok := c.nc.(*tls.Conn); ok {
		scheme = "https"
	}
	return c.open(end, append([]string{":method", method, ":scheme", scheme, ":authority", "gateway.test", ":path", path}, fields...)...)
}

// until waits for something that has come, or for the end of the connection.
func (c *h2Caller) until(what string, ok func() bool) bool {
	c.t.Helper()
	late := time.AfterFunc(10*time.Second, c.some.Broadcast)
	defer late.Stop()
	by := time.Now().Add(10 * time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() {
		if c.ended {
			return false
		}
		if time.Now().After(by) {
			c.t.Fatalf("waiting for %s", what)
		}
		c.some.Wait()
	}
	return true
}

// wantGoAway waits for GOAWAY and the end of the connection, and compares the code.
func (c *h2Caller) wantGoAway(code http2.ErrCode) {
	c.t.Helper()
	c.until("the end of the connection", func() bool { return false })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goAway == nil || c.goAway.ErrCode != code {
		c.t.Errorf("the connection ended with GOAWAY %v (%v), want %v", c.goAway, c.endedBy, code)
	}
}

// answer waits for the end of a stream: its last head that is no trailer, and its body. whole is false when
// it was reset or the connection ended.
func (s *h2Asked) answer() (status string, body string, whole bool) {
	s.c.t.Helper()
	whole = s.c.until("the answer", func() bool { return s.over || s.reset != nil })
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, h := range s.heads {
		if v := h.Get(":status"); v != "" {
			status = v
		}
	}
	// After a whole answer to half a request, RST_STREAM (NO_ERROR) says that the rest is not wanted.
	return status, string(s.data), whole && s.over
}

func (s *h2Asked) want(status, body string) {
	s.c.t.Helper()
	if st, b, whole := s.answer(); st != status || b != body || !whole {
		s.c.t.Fatalf("got %s %q whole=%v (reset %v), want %s %q", st, b, whole, s.reset, status, body)
	}
}

// field is a field of the final head.
func (s *h2Asked) field(name string) string {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, h := range s.heads {
		if v := h.Get(":status"); v != "" && !strings.HasPrefix(v, "1") {
			return h.Get(name)
		}
	}
	return ""
}

// data sends a piece of the body.
func (s *h2Asked) sendData(p string, end bool) {
	s.c.t.Helper()
	s.c.write(func() error { return s.c.fr.WriteData(s.id, end, []byte(p)) })
}

func (s *h2Asked) cancel(code http2.ErrCode) {
	s.c.write(func() error { return s.c.fr.WriteRSTStream(s.id, code) })
}
