package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"causeway/internal/wire/smuggle"
)

// FuzzStream holds a whole connection of the door to the promise that FuzzRequest holds the parser
// to: of any stream of bytes, in whatever pieces it arrives, the door serves no request that a
// net/http server on the same stream does not serve as well, in the same place and with the same
// body.
func FuzzStream(f *testing.F) {
	ours, theirs := newStreamDoor(f), newStreamServer(f)
	for i, c := range smuggle.Cases() {
		if len(c.Bytes) < 4096 {
			f.Add([]byte(c.Bytes), uint16(i))
		}
	}
	f.Add([]byte("GET / HTTP/1.1\r\nHost:\r\nConnection:0 Close\r\n\r\nGET / HTTP/1.0\r\n\r\n"), uint16(0))
	f.Add([]byte("GET / HTTP/1.0\r\nConnection:\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, pieces uint16) {
		a, b := newScript(data, pieces), newScript(data, 0)
		ours(a)
		theirs(b)
		for i, m := range a.seen {
			if i >= len(b.seen) {
				t.Fatalf("the door serves %d requests, net/http %d: the next is %q", len(a.seen), len(b.seen), m.start)
			}
			n := b.seen[i]
			switch {
			case m.start != n.start || m.host != n.host:
				t.Fatalf("request %d: %q for %q, net/http: %q for %q", i, m.start, m.host, n.start, n.host)
			case m.whole && (!n.whole || !bytes.Equal(m.body, n.body)):
				t.Fatalf("request %d: body %q, net/http: %q, whole %v", i, m.body, n.body, n.whole)
			}
		}
	})
}

func TestTheCorpusThroughADoorAndANetHTTPServer(t *testing.T) {
	ours := newStreamDoor(t)
	for _, c := range smuggle.Cases() {
		for _, pieces := range []uint16{0, 1, 2, 7} {
			s := newScript([]byte(c.Bytes), pieces)
			if len(c.Bytes) > 10000 && pieces == 1 {
				continue
			}
			ours(s)
			var targets []string
			for _, m := range s.seen {
				if m.whole {
					targets = append(targets, m.target)
				}
			}
			if err := c.Check(targets); err != nil {
				t.Errorf("in pieces of kind %d: %v", pieces, err)
			}
		}
	}
}

// script is a connection on which a fixed stream of bytes arrives, in pieces, and then the end.
type script struct {
	mu     sync.Mutex
	rest   []byte
	pieces uint16
	seen   []streamed
	closed chan struct{}
	once   sync.Once
}

// streamed is one request that was served.
type streamed struct {
	start, target, host string
	body                []byte
	whole               bool
}

// newScript makes a connection. Pieces of kind 0 are whole, of 1 single bytes, else of changing sizes.
func newScript(data []byte, pieces uint16) *script {
	return &script{rest: bytes.Clone(data), pieces: pieces, closed: make(chan struct{})}
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := len(s.rest)
	switch s.pieces {
	case 0:
	case 1:
		n = 1
	default:
		s.pieces = s.pieces*25173 + 13849 | 2
		n = 1 + int(s.pieces>>4)%(len(s.rest)/2+8)
	}
	n = copy(p, s.rest[:min(n, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) { return len(p), nil }

func (s *script) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// streamHandler notes what it is asked on a script.
type streamHandler struct{}

func (streamHandler) Serve(ex Exchange) {
	rq := ex.Request()
	m := streamed{
		start:  fmt.Sprintf("%s %s HTTP/1.%d", rq.Method, rq.Target, rq.Minor),
		target: string(rq.Path), host: string(rq.Authority),
	}
	if rq.HasQuery {
		m.target += "?" + string(rq.Query)
	}
	if string(rq.Method) == http.MethodConnect {
		m.target = "" // it is refused, and reaches nobody
	}
	body, err := io.ReadAll(bodyReader{ex})
	m.body, m.whole = body, err == nil && m.target != ""
	s := ex.(*conn).sock.nc.(*script)
	s.seen = append(s.seen, m)
	_ = ex.Start(200, "", &Header{}, 0, -1)
	_ = ex.End(nil)
}

func (streamHandler) Refuse(ex Exchange, why *Refusal) {
	_ = ex.Start(400, "", &Header{}, 0, -1)
	_ = ex.End(nil)
}

// bodyReader reads an exchange's body as an io.Reader.
type bodyReader struct{ ex Exchange }

func (b bodyReader) Read(p []byte) (int, error) { return b.ex.ReadBody(p, time.Minute) }

// newStreamDoor returns a function that serves a script with a door, to its end.
func newStreamDoor(tb testing.TB) func(*script) {
	d, err := NewDoor(DoorOptions{Handler: streamHandler{}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Shutdown(context.Background()) })
	return func(s *script) {
		d.admit(s, false)
		<-s.closed
	}
}

// newStreamServer does the same with net/http's server.
func newStreamServer(tb testing.TB) func(*script) {
	l := &scriptListener{conns: make(chan *script), done: make(chan struct{})}
	type key struct{}
	srv := &http.Server{
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			s := r.Context().Value(key{}).(*script)
			s.mu.Lock()
			s.seen = append(s.seen, streamed{
				start: fmt.Sprintf("%s %s HTTP/1.%d", r.Method, r.RequestURI, r.ProtoMinor),
				host:  r.Host, body: body, whole: err == nil,
			})
			s.mu.Unlock()
		}),
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	tb.Cleanup(func() {
		_ = srv.Close()
		wg.Wait()
	})
	return func(s *script) {
		l.conns <- s
		<-s.closed
	}
}

type scriptListener struct {
	conns chan *script
	done  chan struct{}
	once  sync.Once
}

func (l *scriptListener) Accept() (net.Conn, error) {
	select {
	case s := <-l.conns:
		return s, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *scriptListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *scriptListener) Addr() net.Addr { return &net.TCPAddr{} }
