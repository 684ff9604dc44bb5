package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// DoorOptions say how calls are accepted. Handler is required; zero limits are off.
type DoorOptions struct {
	Handler           Handler
	Limits            Limits
	ReadHeaderTimeout time.Duration // for a whole head, from the connection's start or the head's first byte
	IdleTimeout       time.Duration // between two calls of a connection
	MaxConnections    int
	// MinRate is the least bytes a second at which a caller must send a body and take an answer, on
	// average over the time that is waited for it once that is MinRateAfter; 0 is any.
	MinRate      int64
	MinRateAfter time.Duration
	// TLS, when not nil, makes the door speak TLS. The door sets its ALPN protocols, unless it has
	// GetConfigForClient.
	TLS *tls.Config
	// HTTP2, when not nil, lets callers speak HTTP/2: by ALPN over TLS, else by prior knowledge.
	HTTP2 *HTTP2Options
	// OnHTTP2 is told of a fault of HTTP/2 by its reason; remote is "" where it is not known.
	OnHTTP2 func(reason, remote string)
	// Preamble, when not nil, reads what stands before a connection's first byte.
	Preamble Preamble
	// OnAcceptError is told each time that a connection could not be accepted and is tried again, as when
	// descriptors have run out.
	OnAcceptError func(error)
	// Lane is what bodies share that come as fast as they are read; nil holds none back.
	Lane *Lane
	// OnSilent is told of a connection that is closed because nothing came on it in time: its first call, or, where
	// called, a further one; and of one that its caller has held for a second or more without a byte. OnHandshake is told of a failed TLS handshake.
	OnSilent    func(caller netip.AddrPort, called bool)
	OnHandshake func(HandshakeFailure)

	h2 *h2Door // made of HTTP2
}

// Door accepts connections and serves the calls on them. It is safe for concurrent use.
type Door struct {
	o                     atomic.Pointer[DoorOptions]
	dates                 dateClock
	watcher               *watcher
	draining              atomic.Bool
	leaving               atomic.Bool
	open                  atomic.Int64
	accepted              atomic.Int64
	turnedAway            atomic.Int64
	acceptFailed, tooSlow atomic.Int64
	refusing              atomic.Int64
	h2                    h2Counts
	served                sync.WaitGroup

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[*conn]struct{}
}

// NewDoor makes a door that is ready to Serve.
func NewDoor(o DoorOptions) (*Door, error) {
	if o.Handler == nil {
		return nil, errors.New("making a door: no handler")
	}
	w, err := newWatcher()
	if err != nil {
		return nil, fmt.Errorf("making a door: %w", err)
	}
	d := &Door{watcher: w, conns: map[*conn]struct{}{}}
	d.Configure(o)
	return d, nil
}

// Configure changes the options for connections that are accepted from now on.
func (d *Door) Configure(o DoorOptions) {
	if o.Limits.Head <= 0 {
		o.Limits.Head = 64 << 10
	}
	if o.Limits.Fields <= 0 {
		o.Limits.Fields = 500
	}
	if o.HTTP2 != nil {
		o.h2 = d.newHTTP2(&o)
	}
	if o.TLS != nil {
		o.TLS = withALPN(o.TLS, o.HTTP2 != nil)
	}
	d.o.Store(&o)
}

// Serve accepts connections from l until Shutdown, StopAccepting or a lasting error. It closes l. It may
// be called for several listeners at a time. One with a method Plain that says true has no TLS, whatever
// the options.
func (d *Door) Serve(l net.Listener) error {
	p, ok := l.(interface{ Plain() bool })
	plain := ok && p.Plain()
	d.mu.Lock()
	if d.isLeaving() {
		d.mu.Unlock()
		return errors.Join(net.ErrClosed, l.Close())
	}
	d.listeners = append(d.listeners, l)
	d.mu.Unlock()
	defer l.Close()
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err != nil {
			if d.isLeaving() {
				return nil
			}
			if !temporary(err) {
				return fmt.Errorf("accepting connections: %w", err)
			}
			// Descriptors have run out: what is open goes on, and we try again in a moment.
			d.acceptFailed.Add(1)
			if o := d.o.Load(); o.OnAcceptError != nil {
				o.OnAcceptError(err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		d.admit(nc, plain)
	}
}

func (d *Door) admit(nc net.Conn, plain bool) {
	o := d.o.Load()
	c := &conn{door: d, o: o, fd: -1, remote: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr())}
	c.sock.lane, c.sock.by = o.Lane, c
	if c.remote.IsValid() {
		c.ipText = c.remote.Addr().String()
	}
	if o.TLS != nil && !plain {
		c.sock.init(tls.Server(&alertTap{Conn: nc}, o.TLS))
	} else {
		c.sock.init(nc)
	}
	if d.refusing.Load() > maxRefusing {
		// So many are being told no that nobody has time to tell one more.
		d.turnedAway.Add(1)
		_ = nc.Close()
		return
	}
	// Those who are being told no do not take a place from those who come when there is one.
	full := d.open.Add(1)-d.refusing.Load() > int64(o.MaxConnections) && o.MaxConnections > 0
	d.mu.Lock()
	if d.draining.Load() {
		d.mu.Unlock()
		d.open.Add(-1)
		_ = nc.Close()
		return
	}
	d.conns[c] = struct{}{}
	d.served.Add(1)
	d.mu.Unlock()
	d.watcher.add(c, nc)
	d.accepted.Add(1)
	if full {
		d.turnedAway.Add(1)
		d.refusing.Add(1)
		c.oneTooMany = true
		go c.turnAway()
		return
	}
	go c.serve()
}

// maxRefusing is how many connections above the limit are answered at a time; the rest are closed.
const maxRefusing = 256

// turnAway answers the first head of a connection that is one too many.
func (c *conn) turnAway() {
	defer c.close()
	if _, secure := c.sock.nc.(*tls.Conn); secure {
		return // a handshake for a refusal would cost more than serving
	}
	if !c.await(true) {
		return
	}
	c.reset()
	if c.startsHTTP2() {
		_, _ = c.sock.write(h2TurnAway, nil, time.Second, 0)
		c.linger()
		return
	}
	c.req = Request{Minor: 1, Close: true, Method: []byte("GET"), Target: slash, Path: slash}
	if end := HeadEnd(c.buf[:c.w], 0); end > 0 {
		_ = ParseRequest(c.buf[:end:end], c.o.Limits, &c.req)
	}
	c.refuse(Refusal{Reason: RefuseConnections, Limit: "server.max_connections", Value: fmt.Sprint(c.o.MaxConnections), Seen: fmt.Sprint(c.door.open.Load())})
	c.linger()
}

func (d *Door) forget(c *conn) {
	d.watcher.remove(c)
	d.mu.Lock()
	delete(d.conns, c)
	d.mu.Unlock()
	if c.oneTooMany {
		d.refusing.Add(-1) // first, and at once: in between there would seem to be a place
	}
	d.open.Add(-1)
	d.served.Done()
}

// DoorStats are a door's counts: connections open now, and since the start those accepted and those
// turned away because there were too many, the times that one could not be accepted, and the callers that
// were cut because they took their answer too slowly.
type DoorStats struct{ Open, Accepted, TurnedAway, AcceptFailed, TooSlow int64 }

// Stats returns the counts.
func (d *Door) Stats() DoorStats {
	return DoorStats{d.open.Load(), d.accepted.Load(), d.turnedAway.Load(), d.acceptFailed.Load(), d.tooSlow.Load()}
}

func (d *Door) isDraining() bool { return d.draining.Load() }

func (d *Door) handshakeFailed(f HandshakeFailure) {
	if o := d.o.Load(); o.OnHandshake != nil {
		o.OnHandshake(f)
	}
}

// Shutdown stops accepting, ends idle connections and waits for the calls in flight until ctx is
// done; what still runs then is cut. It returns ctx's error if calls were cut.
func (d *Door) Shutdown(ctx context.Context) error {
	d.mu.Lock()
	d.draining.Store(true)
	for _, l := range d.listeners {
		_ = l.Close()
	}
	conns := make([]*conn, 0, len(d.conns))
	for c := range d.conns {
		conns = append(conns, c)
	}
	d.mu.Unlock()
	for _, c := range conns {
		c.drain()
	}
	done := make(chan struct{})
	go func() {
		d.served.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		d.mu.Lock()
		for c := range d.conns {
			c.cancelCall(ReasonDrain)
		}
		d.mu.Unlock()
		d.cutAfter(done, time.Second)
	}
	d.watcher.close()
	return err
}

// cutAfter gives the cancelled calls a moment to say their last word, then closes their connections.
func (d *Door) cutAfter(done <-chan struct{}, grace time.Duration) {
	select {
	case <-done:
		return
	case <-time.After(grace):
	}
	d.mu.Lock()
	for c := range d.conns {
		c.sock.cancel()
	}
	d.mu.Unlock()
	<-done
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary() && !errors.Is(err, net.ErrClosed)
}

func underlying(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if t, ok := nc.(*alertTap); ok {
		return t.Conn
	}
	return nc
}

func sizeText(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
