package wire

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Tunnel is a connection taken over after an upgrade: the socket and the bytes that were read
// from it and not yet used.
type Tunnel struct {
	conn  net.Conn
	ahead []byte
}

// Hijack implements Exchange.
func (c *conn) Hijack() (*Tunnel, error) {
	if c.hijacked || c.answer.ended {
		return nil, errAnswerOver
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	c.hijacked = true
	t := &Tunnel{conn: c.sock.nc, ahead: append([]byte(nil), c.buf[c.r:c.w]...)}
	_ = c.sock.nc.SetDeadline(time.Time{})
	return t, nil
}

// Close closes the connection.
func (t *Tunnel) Close() { _ = t.conn.Close() }

// TunnelEnd is how a tunnel ended.
type TunnelEnd struct {
	Down, Up int64 // bytes towards the caller and towards the upstream
	Idle     bool  // nothing moved for the idle limit
	ByCaller bool  // the caller ended it first, or was gone
	Reset    bool  // the upstream reset its connection
	// Unframed is false for a tunnel that is not WebSocket's; else it tells that the upstream closed
	// without a close frame (RFC 6455 section 7.1.5: an abnormal closure).
	Unframed bool
}

// Failed tells whether the upstream's side broke the tunnel.
func (e *TunnelEnd) Failed() bool { return !e.ByCaller && (e.Idle || e.Reset || e.Unframed) }

// TunnelOptions say how a tunnel is joined.
type TunnelOptions struct {
	Idle      time.Duration // the longest silence in both directions; 0: no limit
	WebSocket bool          // the bytes are WebSocket frames (RFC 6455)
	// LastWord, when not nil, is told of a failed end before the caller's side is closed; what it
	// returns is written to the caller, if that stands between two WebSocket frames.
	LastWord func(TunnelEnd) []byte
}

// join is one tunnel at work.
type join struct {
	o        TunnelOptions
	last     atomic.Int64 // when a byte moved
	up, down atomic.Int64
	byCaller atomic.Bool
	idle     atomic.Bool
	reset    atomic.Bool
	unframed atomic.Bool
	closing  atomic.Bool // a close frame passed, either way
	first    sync.Once
	frames   frames // towards the caller
}

// Join copies between the caller's and the upstream's side until both have closed, one has
// reset, nothing has moved for the idle limit, or either tunnel is closed. It closes both.
func Join(caller, upstream *Tunnel, o TunnelOptions) TunnelEnd {
	defer caller.Close()
	defer upstream.Close()
	j := &join{o: o}
	j.last.Store(clock())
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.toUpstream(upstream, caller)
	}()
	j.toCaller(caller, upstream)
	<-done
	return j.end()
}

func (j *join) end() TunnelEnd {
	return TunnelEnd{
		Down: j.down.Load(), Up: j.up.Load(), Idle: j.idle.Load(), ByCaller: j.byCaller.Load(),
		Reset: j.reset.Load(), Unframed: j.unframed.Load(),
	}
}

// toCaller copies the upstream's bytes, and is the one that ends a broken tunnel.
func (j *join) toCaller(caller, upstream *Tunnel) {
	buf := getBuffer(mediumBuffer)
	defer putBuffer(buf)
	write := func(p []byte) error {
		if j.o.WebSocket {
			j.frames.feed(p)
			if j.frames.closing {
				j.closing.Store(true)
			}
		}
		return j.write(caller, p, &j.down)
	}
	err := write(upstream.ahead)
	for err == nil {
		var n int
		n, err = j.read(upstream, buf)
		if n > 0 {
			if werr := write(buf[:n]); werr != nil {
				j.first.Do(func() { j.byCaller.Store(true) })
				upstream.Close()
				caller.Close()
				return
			}
		}
	}
	switch {
	case isTimeout(err):
		j.first.Do(func() { j.idle.Store(true) })
	case isEOF(err) && !j.reset.Load():
		j.first.Do(func() { j.unframed.Store(j.o.WebSocket && !j.closing.Load()) })
	default:
		j.first.Do(func() { j.reset.Store(true) })
	}
	if end := j.end(); end.Failed() && j.o.LastWord != nil {
		if p := j.o.LastWord(end); len(p) > 0 && j.frames.between() {
			_ = j.write(caller, p, &j.down)
		}
	} else if half, ok := caller.conn.(interface{ CloseWrite() error }); ok && isEOF(err) && !end.Failed() && half.CloseWrite() == nil {
		return // the other direction may go on
	}
	caller.Close()
	upstream.Close()
}

// toUpstream copies the caller's bytes.
func (j *join) toUpstream(upstream, caller *Tunnel) {
	buf := getBuffer(mediumBuffer)
	defer putBuffer(buf)
	err := j.write(upstream, caller.ahead, &j.up)
	for err == nil {
		var n int
		n, err = j.read(caller, buf)
		if n > 0 {
			if j.o.WebSocket && buf[0]&0x0f == 8 {
				j.closing.Store(true)
			}
			if werr := j.write(upstream, buf[:n], &j.up); werr != nil {
				// The reading side finds the upstream's end, and says it.
				if isReset(werr) {
					j.reset.Store(true)
				}
				return
			}
		}
	}
	if isTimeout(err) {
		return // the reading side says it
	}
	j.first.Do(func() { j.byCaller.Store(true) })
	if half, ok := upstream.conn.(interface{ CloseWrite() error }); ok && isEOF(err) && half.CloseWrite() == nil {
		return // the other direction may go on
	}
	caller.Close()
	upstream.Close()
}

// read waits until neither direction has moved for the limit.
func (j *join) read(t *Tunnel, buf []byte) (int, error) {
	for {
		if j.o.Idle > 0 {
			_ = t.conn.SetReadDeadline(clockTime(j.last.Load() + int64(j.o.Idle)))
		}
		n, err := t.conn.Read(buf)
		if n > 0 {
			j.last.Store(clock())
		} else if isTimeout(err) && clock()-j.last.Load() < int64(j.o.Idle) {
			continue // the other direction moved
		}
		return n, err
	}
}

func (j *join) write(t *Tunnel, p []byte, count *atomic.Int64) error {
	if len(p) == 0 {
		return nil
	}
	if j.o.Idle > 0 {
		_ = t.conn.SetWriteDeadline(time.Now().Add(j.o.Idle))
	}
	n, err := t.conn.Write(p)
	count.Add(int64(n))
	return err
}

// frames follows WebSocket frames (RFC 6455 section 5.2) by their heads alone.
type frames struct {
	head    [14]byte
	n       int    // bytes of head that are there
	left    uint64 // of the payload
	closing bool   // a close frame came
}

// between tells whether a frame may begin.
func (f *frames) between() bool { return f.n == 0 && f.left == 0 }

func (f *frames) feed(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			k := min(uint64(len(p)), f.left)
			f.left -= k
			p = p[k:]
			continue
		}
		f.head[f.n] = p[0]
		f.n++
		p = p[1:]
		if f.n < 2 {
			continue
		}
		extended, mask := 0, 0
		switch f.head[1] & 0x7f {
		case 126:
			extended = 2
		case 127:
			extended = 8
		}
		if f.head[1]&0x80 != 0 {
			mask = 4
		}
		if f.n < 2+extended+mask {
			continue
		}
		f.left = uint64(f.head[1] & 0x7f)
		if extended > 0 {
			f.left = 0
			for _, b := range f.head[2 : 2+extended] {
				f.left = f.left<<8 | uint64(b)
			}
		}
		f.closing = f.closing || f.head[0]&0x0f == 8
		f.n = 0
	}
}

// CloseFrame is a WebSocket close frame with a status and a reason of at most 123 bytes.
func CloseFrame(status int, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	return append([]byte{0x88, byte(2 + len(reason)), byte(status >> 8), byte(status)}, reason...)
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}
