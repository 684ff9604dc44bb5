package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// conn is one connection of the load.
type conn struct {
	fd      int
	index   int
	calling bool
	due     time.Time // of the call under way
	answer  reader
}

// sources is the number of loopback addresses that connections are spread over, so that their
// number is not bounded by the ports of one.
const sources = 8

// connect opens the connection's socket.
func (g *generator) connect(c *conn) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + c.index%sources)}})
	}
	for err == nil {
		if err = unix.Connect(fd, &unix.SockaddrInet4{Addr: g.addr.Addr().As4(), Port: int(g.addr.Port())}); !errors.Is(err, unix.EINTR) {
			break
		}
		err = nil
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = g.poller.Add(fd, false)
	}
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("connecting to %s: %w", g.addr, err)
	}
	c.fd = fd
	g.byFD[fd] = c
	c.answer.reset()
	return nil
}

// call sends the next call, whose latency counts from due.
func (g *generator) call(c *conn, due time.Time) {
	c.calling, c.due = true, due
	g.inFlight++
	if c.fd < 0 {
		g.result.Closed++
		g.done(c)
		return
	}
	if n, err := unix.Write(c.fd, g.want.request); err != nil || n < len(g.want.request) {
		// A request of 1 KB always fits into the empty buffer of an open connection.
		g.result.Closed++
		g.note(fmt.Sprintf("sending a call: %d of %d bytes, %v", n, len(g.want.request), err))
		g.hangUp(c)
		g.done(c)
	}
}

// mend opens the connections anew that broke in a call, once a round, so that a server that hangs
// up on every call can't keep us busy with it. Those that can't be opened are tried again.
func (g *generator) mend() {
	broken := g.broken
	g.broken = nil
	for _, c := range broken {
		if err := g.connect(c); err != nil {
			g.note(err.Error())
			g.broken = append(g.broken, c)
			continue
		}
		if g.issuing && g.spec.Rate == 0 {
			g.call(c, g.now)
		} else {
			g.idle = append(g.idle, c)
		}
	}
}

func (g *generator) hangUp(c *conn) {
	delete(g.byFD, c.fd)
	_ = unix.Close(c.fd)
	c.fd = -1
}

// done ends a call; the connection's next one follows at once in a closed loop.
func (g *generator) done(c *conn) {
	c.calling = false
	g.inFlight--
	c.answer.reset()
	switch {
	case c.fd < 0:
		g.broken = append(g.broken, c)
	case g.issuing && g.spec.Rate == 0:
		g.call(c, g.now)
	default:
		g.idle = append(g.idle, c)
	}
	if g.issuing && g.spec.Rate > 0 {
		g.due() // a call that waited for a connection
	}
}

// read takes what the server sent.
func (g *generator) read(c *conn) {
	n, err := unix.Read(c.fd, g.scratch[:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case err != nil || n == 0:
		g.ended(c, err)
		return
	case !c.calling:
		g.result.Wrong++
		g.note(fmt.Sprintf("%d bytes came that no call had asked for", n))
		g.hangUp(c)
		return
	}
	events := c.answer.stream.events
	c.answer.crossed = g.want.crossed
	rest, err := c.answer.feed(g.scratch[:n], g.want.stream, g.stamped)
	if g.want.stream {
		g.result.Reads++
		g.result.Events += int64(c.answer.stream.events - events)
		if events == 0 && c.answer.stream.events > 0 {
			g.first.Add(g.now.Sub(c.due))
		}
	}
	switch {
	case err != nil || len(rest) > 0:
		g.result.Wrong++
		g.note(fmt.Sprintf("an answer that can't be read: %v, %d bytes after its end", err, len(rest)))
		g.hangUp(c)
		g.done(c)
	case c.answer.phase == whole:
		g.judge(c)
		if c.answer.close {
			g.result.Reconnects++
			g.hangUp(c)
		}
		g.done(c)
	}
}

// stamped counts one event, written at a time in nanoseconds since 1970.
func (g *generator) stamped(written int64) {
	g.delay.Add(time.Duration(g.now.UnixNano() - written))
}

// judge counts a whole answer as what it is.
func (g *generator) judge(c *conn) {
	a := &c.answer
	switch {
	case a.status != 200:
		g.result.Wrong++
		g.note(fmt.Sprintf("status %d", a.status))
	case g.want.stream && (!a.endsWithDone() || a.length < g.want.length):
		g.result.Truncated++
		g.note(fmt.Sprintf("a stream that ended cleanly with %d of %d bytes, last event %q", a.length, g.want.length, a.stream.tail))
	case g.want.crossed && g.want.stream && a.stream.events != g.want.events:
		g.result.Truncated++
		g.note(fmt.Sprintf("a stream that ended cleanly with %d of %d events", a.stream.events, g.want.events))
	case a.length != g.want.length && (!g.want.crossed || a.length < g.want.length):
		g.result.Wrong++
		g.note(fmt.Sprintf("an answer of %d bytes instead of %d", a.length, g.want.length))
	default:
		g.result.Answers++
		g.latency.Add(g.now.Sub(c.due))
	}
}

// ended counts a connection that the server closed: between two calls, before an answer or in one.
func (g *generator) ended(c *conn, err error) {
	calling, begun := c.calling, c.answer.begun()
	g.hangUp(c)
	switch {
	case !calling:
		g.result.Reconnects++
		if g.keepClosed {
			return
		}
		if err := g.connect(c); err != nil {
			g.note(err.Error()) // its next call counts as closed
		}
		return
	case !begun:
		g.result.Closed++
		g.note(fmt.Sprintf("the connection ended before an answer's first byte (%v)", err))
	default:
		g.result.Truncated++
		g.note(fmt.Sprintf("the connection ended %d bytes into an answer's body (%v)", c.answer.length, err))
	}
	g.done(c)
}
