package faulty

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxHead bounds a request's head, maxKept what is kept of its body.
const (
	maxHead = 1 << 20
	maxKept = 1 << 20
)

// drainTime bounds how long a connection is read on after our FIN.
const drainTime = 2 * time.Second

// errEnd ends a script whose connection is finished with.
var errEnd = errors.New("end of the script")

// peer is one accepted connection: what the steps of a script work on.
type peer struct {
	net.Conn                   // the socket, or TLS over it
	raw      net.Conn          // the socket
	in       *io.LimitedReader // Conn, limited while a head is read
	br       *bufio.Reader     // over in
	site     *site
	p        Params
	req      *http.Request // the request being answered; nil before the first
	body     []byte        // the first bytes of its body, once read
	served   int64         // requests whose head was read on this connection
	h2       *conversation // once HTTP/2 is spoken
}

func newPeer(s *site, raw net.Conn) *peer {
	c := &peer{raw: raw, site: s, p: s.p}
	c.speak(raw)
	return c
}

// speak makes conn what the following steps read and write.
func (c *peer) speak(conn net.Conn) {
	c.Conn = conn
	c.in = &io.LimitedReader{R: conn, N: math.MaxInt64}
	c.br = bufio.NewReader(c.in)
}

// play runs the script. Whatever step fails, the connection is over: the site closes it.
func (c *peer) play(script []step) {
	for _, s := range script {
		if s(c) != nil {
			return
		}
	}
}

// readHead reads one request's head and leaves its body in the socket.
func (c *peer) readHead() error {
	c.hold()
	c.in.N = maxHead
	req, err := http.ReadRequest(c.br)
	if err != nil {
		return err
	}
	c.in.N = math.MaxInt64
	c.req, c.body = req, nil
	c.served++
	c.site.tally.add(func(n *Counts) { n.Requests++ })
	return nil
}

// invite asks for the body that waits for 100 Continue (RFC 9110 section 10.1.1).
func (c *peer) invite() error {
	if !strings.EqualFold(c.req.Header.Get("Expect"), "100-continue") {
		return nil
	}
	return c.put("HTTP/1.1 100 Continue\r\n\r\n")
}

// readBody reads the request's body to its end and keeps its first bytes.
func (c *peer) readBody() error {
	if err := c.invite(); err != nil {
		return err
	}
	var kept bytes.Buffer
	if _, err := io.CopyN(&kept, c.req.Body, maxKept); err != nil && err != io.EOF {
		return err
	}
	c.body = kept.Bytes()
	_, err := io.Copy(io.Discard, c.req.Body)
	return err
}

// hold sets the longest silence on the connection from now.
func (c *peer) hold() { _ = c.raw.SetDeadline(time.Now().Add(c.site.lab.hold)) }

// put writes all of text.
func (c *peer) put(text string) error {
	c.hold()
	_, err := io.WriteString(c.Conn, text)
	return err
}

// finish sends FIN (after close_notify over TLS) and reads on until the peer closes too: closing
// with unread bytes would send RST.
func (c *peer) finish() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		_ = t.CloseWrite()
	}
	if w, ok := c.raw.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.Copy(io.Discard, c.raw)
}

// reset sends RST. What is still queued for the peer is thrown away: settle first to keep it.
// A Unix socket knows no RST; its peer sees ECONNRESET when bytes it sent were never read.
func (c *peer) reset() {
	if t, ok := c.raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.raw.Close()
}
