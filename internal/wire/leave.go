package wire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Preamble reads what stands before a connection's first byte, such as the PROXY protocol's header.
type Preamble interface {
	// Wants tells whether connections of that peer have one; the zero address is a Unix socket's.
	Wants(peer netip.Addr) bool
	// Read takes it off the connection, and nothing of what stands behind it, on the connection's own
	// goroutine. caller and local are the addresses that it tells; where they are not valid the
	// connection's own hold. With an error the connection ends.
	Read(nc net.Conn) (caller, local netip.AddrPort, err *PreambleError)
}

// PreambleError is how a preamble was no good.
type PreambleError struct {
	Missing bool   // there is none: the connection begins with something else
	Silent  bool   // nothing is to be answered: the peer has closed, or sent nothing in time
	Detail  string // what is wrong, without the peer's bytes
}

// preamble reads what stands before the connection's first byte and makes the caller's address what it
// says. When it returns false the connection is over.
func (c *conn) preamble() bool {
	nc := underlying(c.sock.nc)
	c.began = time.Now() // of the call that is refused, if it is no good
	caller, local, err := c.o.Preamble.Read(nc)
	if err != nil {
		if c.tls == nil && !err.Silent && c.sock.rc != nil && !c.sock.cancelled.Load() {
			c.refusePreamble(err)
		}
		return false
	}
	if caller.IsValid() {
		c.remote = netip.AddrPortFrom(caller.Addr().WithZone(""), caller.Port())
		c.ipText = c.remote.Addr().String()
	}
	if local.IsValid() {
		c.local = local
	}
	return true
}

// refusePreamble answers, in HTTP, a peer whose preamble is no good: mostly it speaks HTTP, and one side
// is configured for the PROXY protocol and the other is not.
func (c *conn) refusePreamble(err *PreambleError) {
	c.state.Store(stateActive)
	c.buf = getBuffer(smallBuffer)
	c.r, c.w = 0, 0
	c.reset()
	c.req = Request{Minor: 1, Close: true, Method: []byte("GET"), Target: slash, Path: slash}
	reason := RefusePreamble
	if err.Missing {
		reason = RefuseNoPreamble
	}
	c.refuse(Refusal{Reason: reason, Limit: "server.proxy_protocol", Seen: err.Detail})
	c.linger()
}

// isLeaving tells whether callers are to connect anew for their next call.
func (d *Door) isLeaving() bool { return d.leaving.Load() || d.draining.Load() }

// StopAccepting makes every Serve return, and closes their listeners. Connections that are open go on,
// those that were accepted a moment before as well.
func (d *Door) StopAccepting() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaving.Store(true)
	for _, l := range d.listeners {
		_ = l.Close()
	}
}

// Leave is for a process whose addresses another one serves by now: it stops accepting, asks callers with
// each answer to connect anew, and waits until no connection is left, or ctx is done. An idle connection
// of HTTP/1.1 is not ended, since its caller may be about to send a call: it ends after its next one.
// Shutdown ends what is left. The error is ctx's if there are connections left.
func (d *Door) Leave(ctx context.Context) error {
	d.StopAccepting()
	d.mu.Lock()
	conns := make([]*conn, 0, len(d.conns))
	for c := range d.conns {
		conns = append(conns, c)
	}
	d.mu.Unlock()
	for _, c := range conns {
		c.leave()
	}
	gone := make(chan struct{})
	go func() {
		d.served.Wait() // Shutdown makes it return
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for callers to leave: %w", context.Cause(ctx))
	}
}

// leave tells a caller of HTTP/2 to go elsewhere with further calls; one of HTTP/1.1 is told with its
// next answer.
func (c *conn) leave() {
	c.mu.Lock()
	peer := c.h2
	c.mu.Unlock()
	if peer != nil {
		peer.drain()
	}
}
