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
	ByCaller bool  // the caller closed first
}

// Join copies between the caller's and the upstream's side until both have closed, one has
// reset, nothing has moved for idle (0: no limit), or Cancel. It closes both.
func Join(caller, upstream *Tunnel, idle time.Duration) (end TunnelEnd) {
	defer caller.Close()
	defer upstream.Close()
	var last, up, down atomic.Int64
	last.Store(clock())
	var byCaller, timedOut atomic.Bool
	var first sync.Once
	var wg sync.WaitGroup
	pipe := func(dst, src *Tunnel, count *atomic.Int64, fromCaller bool) {
		defer wg.Done()
		buf := getBuffer(mediumBuffer)
		defer putBuffer(buf)
		if len(src.ahead) > 0 {
			n, _ := dst.conn.Write(src.ahead)
			count.Add(int64(n))
		}
		for {
			if idle > 0 {
				_ = src.conn.SetReadDeadline(clockTime(last.Load() + int64(idle)))
			}
			n, err := src.conn.Read(buf)
			if n > 0 {
				last.Store(clock())
				if idle > 0 {
					_ = dst.conn.SetWriteDeadline(time.Now().Add(idle))
				}
				m, werr := dst.conn.Write(buf[:n])
				count.Add(int64(m))
				if werr != nil {
					break
				}
			}
			if err == nil {
				continue
			}
			if isTimeout(err) && idle > 0 {
				if clock()-last.Load() < int64(idle) {
					continue // the other direction moved
				}
				timedOut.Store(true)
			}
			first.Do(func() { byCaller.Store(fromCaller) })
			if half, ok := dst.conn.(interface{ CloseWrite() error }); ok && isEOF(err) && half.CloseWrite() == nil {
				return // the other direction may go on
			}
			break
		}
		_ = dst.conn.Close()
		_ = src.conn.Close()
	}
	wg.Add(2)
	go pipe(caller, upstream, &down, false)
	pipe(upstream, caller, &up, true)
	wg.Wait()
	return TunnelEnd{Down: down.Load(), Up: up.Load(), Idle: timedOut.Load(), ByCaller: byCaller.Load()}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}
