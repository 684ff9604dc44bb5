package drill

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// relay is a TCP relay that leads one connection in ten to a faulty upstream, and all others to a good one. How a
// connection ends is passed on as it was. Relays of one subject share count.
type relay struct {
	l         net.Listener
	bad, good string // addresses
	count     *atomic.Int64
	wg        sync.WaitGroup
	mu        sync.Mutex
	open      map[net.Conn]bool
	closed    bool
}

// oneIn is how rare the fault is; the first connection meets it.
const oneIn = 10

func newRelay(bad, good string, count *atomic.Int64) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{l: l, bad: bad, good: good, count: count, open: map[net.Conn]bool{}}
	r.wg.Go(r.accept)
	return r, nil
}

func (r *relay) url() string { return "http://" + r.l.Addr().String() }

func (r *relay) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		to := r.good
		if (r.count.Add(1)-1)%oneIn == 0 {
			to = r.bad
		}
		r.wg.Go(func() { r.relay(c, to) })
	}
}

// keep notes a connection that close ends; it says no, and closes it, once close was called.
func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = c.Close()
		return false
	}
	r.open[c] = true
	return true
}

func (r *relay) drop(c net.Conn) {
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
	_ = c.Close()
}

func (r *relay) relay(c net.Conn, to string) {
	if !r.keep(c) {
		return
	}
	defer r.drop(c)
	far, err := net.Dial("tcp", to)
	if err != nil || !r.keep(far) {
		return
	}
	defer r.drop(far)
	var both sync.WaitGroup
	both.Go(func() { pass(far, c) })
	pass(c, far)
	_ = far.Close() // nobody is left to read what the caller still sends
	both.Wait()
}

// pass copies from one to the other, and ends the other as the one has ended.
func pass(to, from net.Conn) {
	_, err := io.Copy(to, from)
	t, ok := to.(*net.TCPConn)
	switch {
	case !ok:
	case err != nil:
		_ = t.SetLinger(0)
		_ = t.Close()
	default:
		_ = t.CloseWrite()
	}
}

func (r *relay) close() {
	_ = r.l.Close()
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}
