package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rawServer answers each connection with a script of a test's own: what http.Server would not do.
type rawServer struct {
	URL      string
	listener net.Listener
	accepted atomic.Int64
	requests atomic.Int64
}

// listenRaw runs serve on every connection, one goroutine each, until the test ends.
func listenRaw(t *testing.T, serve func(c *rawConn)) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{URL: "http://" + l.Addr().String(), listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
				serve(&rawConn{Conn: conn, br: bufio.NewReader(conn), server: s})
			}()
		}
	}()
	return s
}

// rawConn is one connection of a rawServer.
type rawConn struct {
	net.Conn
	br     *bufio.Reader
	server *rawServer
}

// head reads a request's head as it came, without its body: the lines, or nil at the end.
func (c *rawConn) head() []string {
	var list []string
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			return nil
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			if list == nil {
				continue
			}
			c.server.requests.Add(1)
			return list
		}
		list = append(list, line)
	}
}

// request reads a whole request.
func (c *rawConn) request() (*http.Request, []byte) {
	rq, err := http.ReadRequest(c.br)
	if err != nil {
		return nil, nil
	}
	c.server.requests.Add(1)
	body, err := io.ReadAll(rq.Body)
	if err != nil {
		return nil, nil
	}
	return rq, body
}

func (c *rawConn) send(text string) bool {
	_, err := io.WriteString(c.Conn, text)
	return err == nil
}

// reset closes with RST.
func (c *rawConn) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Conn.Close()
}

// caller is a connection to the gateway on which a test writes bytes of its own.
type caller struct {
	net.Conn
	br *bufio.Reader
}

func dial(t *testing.T, addr string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &caller{conn, bufio.NewReader(conn)}
}

func (c *caller) send(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		t.Fatalf("writing to the gateway: %v", err)
	}
}

// read reads one answer; interim answers are returned too.
func (c *caller) read(t *testing.T, method string) *answer {
	t.Helper()
	res, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	a := &answer{status: res.StatusCode, line: res.Status, header: res.Header, id: res.Header.Get("Causeway-Call-Id")}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return a
	}
	a.body, a.err = io.ReadAll(res.Body)
	res.Body.Close()
	return a
}
