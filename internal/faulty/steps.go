package faulty

import (
	"io"
	"strings"
	"time"
)

// step is one thing a script does on a connection. An error ends the script and the connection.
type step func(*peer) error

// tcp is the start of a fault that speaks plainly on a TCP port.
func tcp(script ...step) func(*site) error {
	return func(s *site) error {
		addr, err := s.listen("tcp", "127.0.0.1:0", script...)
		s.up.URL = "http://" + addr
		return err
	}
}

// request reads one whole request, body included.
func request(c *peer) error {
	if err := c.readHead(); err != nil {
		return err
	}
	return c.readBody()
}

// head reads a request's head and leaves the body in the socket.
func head(c *peer) error { return c.readHead() }

// something reads whatever comes first, HTTP or not: one read of at most 4 KiB.
func something(c *peer) error {
	c.hold()
	_, err := c.Read(make([]byte, 4096))
	return err
}

// send writes bytes as they are.
func send(text string) step {
	return func(c *peer) error { return c.put(text) }
}

// write writes what text makes of the connection's parameters and request.
func write(text func(*peer) string) step {
	return func(c *peer) error { return c.put(text(c)) }
}

// fin closes cleanly.
func fin(c *peer) error {
	c.finish()
	return errEnd
}

// rst resets at once.
func rst(c *peer) error {
	c.reset()
	return errEnd
}

// settle waits until the kernel of the peer has what was sent, and then a moment more, so that
// the bytes and the reset that follows are two events for whoever reads.
func settle(c *peer) error {
	deadline := time.Now().Add(time.Second)
	for unacked(c.raw) > 0 && time.Now().Before(deadline) {
		if !c.site.wait(time.Millisecond) {
			return errEnd
		}
	}
	if !c.site.wait(20 * time.Millisecond) {
		return errEnd
	}
	return nil
}

// pause waits for Params.Delay.
func pause(c *peer) error {
	if !c.site.wait(c.p.Delay) {
		return errEnd
	}
	return nil
}

// silence says nothing more, and ends when the peer leaves or Options.Hold is over.
func silence(c *peer) error {
	c.hold()
	_, _ = io.Copy(io.Discard, c.br)
	return errEnd
}

// deafTime bounds how long a connection is kept without being read: nothing tells us that such a
// peer has given up.
const deafTime = 3 * time.Minute

// deaf neither reads nor writes for a while, then resets.
func deaf(c *peer) error {
	c.site.wait(min(c.site.lab.hold, deafTime))
	return rst(c)
}

// loop runs the steps for one request after another, for as long as the caller keeps the
// connection.
func loop(steps ...step) step {
	return func(c *peer) error {
		for {
			if err := all(steps)(c); err != nil {
				return err
			}
			if c.req.Close {
				return fin(c)
			}
		}
	}
}

// all runs the steps in order.
func all(steps []step) step {
	return func(c *peer) error {
		for _, s := range steps {
			if err := s(c); err != nil {
				return err
			}
		}
		return nil
	}
}

// drip writes text Params.Count times, Params.Interval apart.
func drip(text string) step {
	return func(c *peer) error {
		if c.p.Interval == 0 {
			return c.put(strings.Repeat(text, c.p.Count))
		}
		for range c.p.Count {
			if err := c.put(text); err != nil {
				return err
			}
			if !c.site.wait(c.p.Interval) {
				return errEnd
			}
		}
		return nil
	}
}

// flood writes text again and again until it has written Params.Bytes, in whole repetitions.
func flood(text string) step {
	return func(c *peer) error {
		times := (c.p.Bytes + int64(len(text)) - 1) / int64(len(text))
		block := strings.Repeat(text, int(min(times, int64(max(1, 32<<10/len(text))))))
		for left := times * int64(len(text)); left > 0; left -= int64(len(block)) {
			if err := c.put(block[:min(left, int64(len(block)))]); err != nil {
				return err
			}
		}
		return nil
	}
}
