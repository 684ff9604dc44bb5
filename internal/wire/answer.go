package wire

import (
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// keepBelow is how much of an answer is kept back for one write.
const keepBelow = mediumBuffer - 64

// answerState is how far the answer has been written.
type answerState struct {
	buf     []byte // head and body not yet sent; from the pool
	limit   time.Duration
	started bool
	sent    bool // some of it has gone to the kernel
	ended   bool
	failed  bool
	aborted bool
	close   bool // the connection ends after it
	chunked bool
	nobody  bool  // HEAD, 204, 304
	left    int64 // of the declared length, -1 when not declared
	out     int64
	pace    pace
	stall   *Stall // the caller took it too slowly
}

func (a *answerState) reset() {
	*a = answerState{buf: a.buf[:0]}
}

// room makes place for n more bytes, if that many are kept at all, in a pooled buffer.
func (a *answerState) room(n int) {
	if need := len(a.buf) + n; a.buf == nil || need > cap(a.buf) && need <= mediumBuffer {
		if need > mediumBuffer {
			need = smallBuffer
		}
		bigger := getBuffer(need)
		bigger = bigger[:copy(bigger, a.buf)]
		putBuffer(a.buf)
		a.buf = bigger
	}
}

func (a *answerState) free() {
	if a.buf != nil {
		putBuffer(a.buf)
		a.buf = nil
	}
}

var (
	errAnswerOver  = errors.New("the answer has ended or was cut")
	errTooMuchBody = errors.New("the answer's body is longer than its Content-Length")
	errTooLittle   = errors.New("the answer's body is shorter than its Content-Length")
)

// Inform implements Exchange.
func (c *conn) Inform(status int, h *Header) error {
	if c.req.Minor == 0 || c.answer.started {
		return nil
	}
	if status == 100 {
		return c.Continue()
	}
	b := getBuffer(mediumBuffer)
	defer func() { putBuffer(b) }()
	out := appendStatusLine(b[:0], 1, status, "")
	out = AppendFields(out, h)
	out = append(out, '\r', '\n')
	_, err := c.sock.write(out, nil, c.answer.limit, 0)
	return err
}

// Start implements Exchange.
func (c *conn) Start(status int, reason string, h *Header, length, declared int64) error {
	a := &c.answer
	if a.started {
		return errAnswerOver
	}
	a.started = true
	a.nobody = string(c.req.Method) == "HEAD" || status == 204 || status == 304 || status < 200
	a.close = c.req.Close || c.body.failed.Load() || c.body.wants || c.door.isLeaving()
	a.left = length
	if c.req.Length < 0 {
		c.body.answered.Store(true)
	}
	if a.nobody {
		a.left = 0
	}
	if a.buf == nil {
		a.buf = getBuffer(smallBuffer)[:0]
	}
	out := appendStatusLine(a.buf[:0], 1, status, reason)
	out = AppendFields(out, h)
	if !h.Has(Date) {
		out = append(out, "Date: "...)
		out = append(out, c.door.dates.at(c.began)...)
		out = append(out, '\r', '\n')
	}
	switch {
	case a.nobody:
		if declared >= 0 && status != 204 && status >= 200 {
			out = appendLength(out, declared)
		}
	case length >= 0:
		out = appendLength(out, length)
	case c.req.Minor == 1:
		a.chunked = true
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	default:
		a.close = true // HTTP/1.0: the body ends with the connection
	}
	if a.close {
		out = append(out, "Connection: close\r\n"...)
	} else if c.req.Minor == 0 {
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	a.buf = append(out, '\r', '\n')
	return nil
}

// Write implements Exchange.
func (c *conn) Write(p []byte) error {
	a := &c.answer
	if !a.started || a.ended || a.failed || a.aborted {
		return errAnswerOver
	}
	if len(p) == 0 || a.nobody {
		return nil
	}
	if a.left >= 0 {
		if int64(len(p)) > a.left {
			return errTooMuchBody
		}
		a.left -= int64(len(p))
	}
	a.out += int64(len(p))
	a.room(len(p) + 32)
	if a.chunked {
		a.buf = appendChunkSize(a.buf, len(p))
	}
	if len(a.buf)+len(p) <= keepBelow {
		a.buf = append(a.buf, p...)
		if a.chunked {
			a.buf = append(a.buf, '\r', '\n')
		}
		return nil
	}
	err := c.send(p)
	if a.chunked {
		a.buf = append(a.buf, '\r', '\n')
	}
	return err
}

// send writes what was kept and then p.
func (c *conn) send(p []byte) error {
	a := &c.answer
	a.sent = true
	n, err := c.sock.write(a.buf, p, a.limit, 0)
	if c.sock.wait.waited != 0 {
		err = c.waitedFor(a.buf, p, n, err)
	}
	a.buf = a.buf[:0]
	if err != nil {
		a.failed = true
	}
	return err
}

// Flush implements Exchange.
func (c *conn) Flush() error {
	if len(c.answer.buf) == 0 {
		return nil
	}
	if c.answer.failed || c.answer.aborted {
		return errAnswerOver
	}
	err := c.send(nil)
	if c.answer.chunked && !c.answer.ended {
		c.answer.free() // a stream waits between its events, and needs no buffer meanwhile
	}
	return err
}

// End implements Exchange.
func (c *conn) End(trailer *Header) error {
	a := &c.answer
	if !a.started || a.ended || a.failed || a.aborted {
		return errAnswerOver
	}
	if a.left > 0 {
		return errTooLittle
	}
	a.ended = true
	if a.chunked {
		a.room(len("0\r\n\r\n"))
		a.buf = append(a.buf, "0\r\n"...)
		if trailer != nil {
			for i := range trailer.Fields {
				if f := &trailer.Fields[i]; !ForbiddenTrailer(f.ID) {
					a.buf = appendField(a.buf, f.Name, f.Value)
				}
			}
		}
		a.buf = append(a.buf, '\r', '\n')
	}
	return c.Flush()
}

// Withdraw implements Exchange.
func (c *conn) Withdraw() bool {
	a := &c.answer
	if a.sent || a.failed || a.aborted || a.ended || c.hijacked {
		return false
	}
	limit := a.limit
	a.reset()
	a.limit = limit
	return true
}

// Switch implements Exchange.
func (c *conn) Switch(upgrade []byte, h *Header) error {
	a := &c.answer
	if a.started {
		return errAnswerOver
	}
	a.started, a.nobody, a.close = true, true, true
	if a.buf == nil {
		a.buf = getBuffer(smallBuffer)[:0]
	}
	out := appendStatusLine(a.buf[:0], 1, 101, "")
	out = AppendFields(out, h)
	out = append(out, "Connection: Upgrade\r\n"...)
	out = appendField(out, []byte("Upgrade"), upgrade)
	a.buf = append(out, '\r', '\n')
	return c.Flush()
}

// Abort implements Exchange.
func (c *conn) Abort() {
	if c.answer.aborted || c.hijacked {
		return
	}
	c.answer.aborted = true
	if c.answer.started && !c.answer.ended && !c.answer.failed {
		// What was already complete of the body still goes out, then the break.
		_ = c.sendQuietly()
	}
	// Not through TLS: its close_notify would make a cut look like an end.
	nc := underlying(c.sock.nc)
	if l, ok := nc.(interface{ SetLinger(int) error }); ok && c.answer.left < 0 && !c.answer.chunked {
		// A body that ends with the connection would look whole with a FIN.
		_ = l.SetLinger(0)
	}
	_ = nc.Close()
}

func (c *conn) sendQuietly() error {
	if len(c.answer.buf) == 0 {
		return nil
	}
	_, err := c.sock.write(c.answer.buf, nil, time.Second, 0)
	c.answer.buf = c.answer.buf[:0]
	return err
}

func (c *conn) flushQuietly() {
	if c.answer.started && !c.answer.failed && !c.answer.aborted {
		_ = c.Flush()
	}
}

// AppendFields writes the fields that travel end to end, in order, in the sender's case.
func AppendFields(dst []byte, h *Header) []byte {
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.ID != Other && uint64(hopByHop)&(1<<f.ID) != 0 {
			continue
		}
		dst = appendField(dst, f.Name, f.Value)
	}
	return dst
}

func appendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

func appendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

func appendStatusLine(dst []byte, minor, status int, reason string) []byte {
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, byte('0'+minor), ' ')
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	if reason == "" {
		reason = http.StatusText(status)
	}
	dst = append(dst, reason...)
	return append(dst, '\r', '\n')
}

// dateClock keeps the Date field's text for the second it is in.
type dateClock struct{ v atomic.Pointer[dateText] }

type dateText struct {
	unix int64
	text string
}

func (d *dateClock) at(now time.Time) string {
	if v := d.v.Load(); v != nil && v.unix == now.Unix() {
		return v.text
	}
	v := &dateText{now.Unix(), now.UTC().Format(http.TimeFormat)}
	d.v.Store(v)
	return v.text
}
