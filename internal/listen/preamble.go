//go:build unix

package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ProxyOptions say from whom PROXY protocol headers are taken.
type ProxyOptions struct {
	From     []netip.Prefix // peers that send one
	Unix     bool           // and those on Unix sockets
	Optional bool           // a connection of theirs without one is as good
	Timeout  time.Duration  // for the whole header, from the connection's start
}

// Proxy reads PROXY protocol headers. It is safe for concurrent use.
type Proxy struct {
	o ProxyOptions
	c *ProxyCounts
}

// ProxyCounts are figures of headers, kept over changes of the options.
type ProxyCounts struct {
	versions [3]atomic.Int64 // by version

	mu      sync.Mutex
	refused map[string]int64
}

// Accepted is how many headers of a version, 1 or 2, were taken.
func (c *ProxyCounts) Accepted(version int) int64 { return c.versions[version].Load() }

// Refused is how many connections were refused, by reason: "missing", "malformed", "timeout".
func (c *ProxyCounts) Refused() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int64, len(c.refused))
	for reason, n := range c.refused {
		out[reason] = n
	}
	return out
}

func (c *ProxyCounts) refuse(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused == nil {
		c.refused = map[string]int64{}
	}
	c.refused[reason]++
}

// NewProxy returns a reader of headers that counts in c.
func NewProxy(o ProxyOptions, c *ProxyCounts) *Proxy { return &Proxy{o, c} }

// ErrTimeout: the header was not whole in time.
var ErrTimeout = errors.New("no PROXY protocol header came in time")

// ErrClosed: the connection ended before anything came, as one that only asks whether somebody
// listens. It is not counted as refused.
var ErrClosed = errors.New("the connection was closed before a PROXY protocol header came")

// Wants tells whether connections of that peer begin with a header. The zero address is a Unix
// socket's.
func (p *Proxy) Wants(peer netip.Addr) bool {
	if !peer.IsValid() {
		return p.o.Unix
	}
	peer = peer.Unmap().WithZone("")
	for _, n := range p.o.From {
		if n.Contains(peer) {
			return true
		}
	}
	return false
}

// Read takes the header off a new connection, and nothing of what stands behind it. It is for the
// connection's own goroutine: it waits. Where headers are optional a connection without one is left as
// it is, and ok is false. On an error the connection is to be closed: ErrMissing, ErrTimeout, ErrClosed, a
// *MalformedError or a socket's. A deadline that was set is taken off.
func (p *Proxy) Read(nc net.Conn) (h Header, ok bool, err error) {
	h, err = p.read(nc)
	var bad *MalformedError
	switch {
	case err == nil:
		p.c.versions[h.Version].Add(1)
		return h, true, nil
	case errors.Is(err, ErrMissing) && p.o.Optional:
		return Header{}, false, nil
	case errors.Is(err, ErrMissing):
		p.c.refuse("missing")
	case errors.As(err, &bad):
		p.c.refuse("malformed")
	case errors.Is(err, ErrTimeout):
		p.c.refuse("timeout")
	}
	return Header{}, false, err
}

const (
	// undecided is how many bytes of a header may begin something else.
	undecided    = 6
	undecidedFor = 2 * time.Millisecond
)

func (p *Proxy) read(nc net.Conn) (h Header, err error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return h, errors.New("reading a PROXY protocol header: the connection has no descriptor")
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return h, fmt.Errorf("reading a PROXY protocol header: %w", err)
	}
	by := time.Now().Add(p.o.Timeout)
	if err := nc.SetReadDeadline(by); err != nil {
		return h, fmt.Errorf("reading a PROXY protocol header: %w", err)
	}
	defer func() { _ = nc.SetReadDeadline(time.Time{}) }() // fails on a closed connection alone
	// What is there is looked at, and only what is known to be the header's is taken out of the
	// socket: the rest is for others, who may read by descriptor.
	buf, have := make([]byte, 256), 0
	for {
		n, err := receive(rc, buf[have:], unix.MSG_PEEK)
		if err != nil {
			return h, err
		}
		if n == 0 {
			if have == 0 {
				return h, ErrClosed
			}
			return h, malformed("the connection was closed within it")
		}
		h, used, err := Parse(buf[:have+n])
		if err != nil {
			return h, err
		}
		if used == 0 && n < undecided && have == 0 {
			// It may be something else yet, and then belongs to others. The kernel does not tell when
			// there is more than what was looked at.
			if time.Now().After(by) {
				return h, ErrTimeout
			}
			time.Sleep(undecidedFor)
			continue
		}
		take := n
		if used > 0 {
			take = used - have
		}
		if _, err := receive(rc, buf[have:have+take], 0); err != nil {
			return h, err
		}
		if have += take; used > 0 {
			return h, nil
		}
		if have == len(buf) {
			buf = append(buf, make([]byte, maxV2-len(buf))...) // Parse refuses what is larger
		}
	}
}

// receive waits until something can be received into p.
func receive(rc syscall.RawConn, p []byte, flags int) (n int, err error) {
	var failed error
	err = rc.Read(func(fd uintptr) bool {
		for {
			n, _, failed = unix.Recvfrom(int(fd), p, flags)
			if !errors.Is(failed, unix.EINTR) {
				return !errors.Is(failed, unix.EAGAIN)
			}
		}
	})
	if err == nil {
		err = failed
	}
	var late interface{ Timeout() bool }
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &late) && late.Timeout():
		return 0, ErrTimeout
	}
	return 0, fmt.Errorf("reading a PROXY protocol header: %w", err)
}
