package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	o := &DoorOptions{MinRate: 100, MinRateAfter: 20 * time.Second}
	for _, c := range []struct {
		name   string
		o      *DoorOptions
		waited time.Duration
		moved  int64
		want   bool
	}{
		{"nothing yet", o, 0, 0, false},
		{"nothing for long, but not long enough to tell", o, 20 * time.Second, 0, false},
		{"nothing for longer", o, 21 * time.Second, 0, true},
		{"just enough", o, 30 * time.Second, 3000, false},
		{"just too little", o, 30 * time.Second, 2999, true},
		{"any rate will do", &DoorOptions{}, time.Hour, 0, false},
	} {
		p := pace{}
		for range 10 {
			p.add(int64(c.waited)/10, c.moved/10)
		}
		p.add(0, c.moved%10)
		if got := p.tooSlow(c.o); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// stalls serves an endless answer and tells how its writing ended.
func stalls(t *testing.T, o DoorOptions, limit time.Duration) (addr string, end <-chan *Stall) {
	t.Helper()
	ended := make(chan *Stall, 1)
	o.Handler = handler{serve: func(ex Exchange) {
		ex.WriteLimit(limit)
		_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
		piece := make([]byte, 64<<10)
		for ex.Write(piece) == nil {
		}
		ended <- StallOf(ex)
		ex.Abort()
	}}
	addr, _ = startDoor(t, o)
	return addr, ended
}

func ask(t *testing.T, addr string, client *tls.Config) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if client != nil {
		client = client.Clone()
		client.ServerName = "localhost"
		c = tls.Client(c, client)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACallerThatStopsTakingIsTold(t *testing.T) {
	server, client := testTLS(t)
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := DoorOptions{ReadHeaderTimeout: 5 * time.Second}
			var cfg *tls.Config
			if secure {
				o.TLS, cfg = server, client
			}
			addr, end := stalls(t, o, 200*time.Millisecond)
			c := ask(t, addr, cfg)
			stall := <-end
			if stall == nil || stall.Limit != 200*time.Millisecond || stall.Waited < 200*time.Millisecond {
				t.Errorf("%+v", stall)
			}
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
		})
	}
}

// A caller that takes an answer slowly makes no room in the kernel's buffer for a long time. It is not
// cut as long as it takes anything; when it stops, it is.
func TestACallerThatIsSlowIsNotOneThatHasStopped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what the peer has taken")
	}
	const limit = 600 * time.Millisecond
	addr, end := stalls(t, DoorOptions{ReadHeaderTimeout: 5 * time.Second}, limit)
	c := ask(t, addr, nil)
	var stopped atomic.Int64
	go func() {
		p := make([]byte, 64<<10)
		for range 25 {
			time.Sleep(60 * time.Millisecond)
			if _, err := io.ReadFull(c, p); err != nil {
				return
			}
		}
		stopped.Store(clock())
	}()
	stall := <-end
	at := stopped.Load()
	if at == 0 {
		t.Fatalf("it was cut while it took what it could: %+v", stall)
	}
	if stall == nil || stall.Limit != limit || stall.Took < 64<<10 {
		t.Errorf("%+v", stall)
	}
}

func TestACallerThatTakesLessThanItMustIsTold(t *testing.T) {
	addr, end := stalls(t, DoorOptions{ReadHeaderTimeout: 5 * time.Second, MinRate: 1 << 30, MinRateAfter: 100 * time.Millisecond}, 5*time.Second)
	c := ask(t, addr, nil)
	go func() {
		p := make([]byte, 1<<20)
		for {
			time.Sleep(50 * time.Millisecond)
			if _, err := c.Read(p); err != nil {
				return
			}
		}
	}()
	if stall := <-end; stall == nil || stall.Limit != 0 || stall.Rate != 1<<30 || stall.Waited < 100*time.Millisecond {
		t.Errorf("%+v", stall)
	}
}

// A caller that leaves is not one that is slow.
func TestACallerThatLeavesIsNotSlow(t *testing.T) {
	addr, end := stalls(t, DoorOptions{ReadHeaderTimeout: 5 * time.Second}, 5*time.Second)
	c := ask(t, addr, nil)
	_ = c.Close()
	if stall := <-end; stall != nil {
		t.Errorf("%+v", stall)
	}
}

// refusing is a listener that has no descriptor for its first connections.
type refusing struct {
	net.Listener
	left atomic.Int32
}

func (l *refusing) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestConnectionsThatCannotBeAcceptedAreTold(t *testing.T) {
	told := make(chan error, 10)
	d, err := NewDoor(DoorOptions{
		Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}, ReadHeaderTimeout: time.Second,
		OnAcceptError: func(err error) { told <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &refusing{Listener: inner}
	l.left.Store(3)
	served := make(chan error, 1)
	go func() { served <- d.Serve(l) }()
	t.Cleanup(func() {
		_ = d.Shutdown(t.Context())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		if err := <-told; !errors.Is(err, syscall.EMFILE) {
			t.Errorf("told of %v", err)
		}
	}
	c := ask(t, inner.Addr().String(), nil)
	if _, err := io.ReadFull(c, make([]byte, 12)); err != nil {
		t.Errorf("a caller that waited: %v", err)
	}
	if n := d.Stats().AcceptFailed; n != 3 {
		t.Errorf("%d counted", n)
	}
}
