package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// origin is an upstream whose answers a test writes byte for byte.
type origin struct {
	addr string
	lis  net.Listener
	done sync.WaitGroup

	mu     sync.Mutex
	answer func(n int, rq *got) string // n counts from 1
	seen   []*got
	conns  map[net.Conn]bool
}

// got is a request as an upstream got it.
type got struct {
	head string
	body string
	conn net.Conn
}

// closeAfter ends an answer after which the upstream closes its connection.
const closeAfter = "\x00close"

func newOrigin(tb testing.TB) *origin {
	tb.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	o := &origin{addr: lis.Addr().String(), lis: lis, conns: map[net.Conn]bool{}}
	o.replies(reply(200, "ok"))
	o.done.Go(o.accept)
	tb.Cleanup(o.stop)
	return o
}

// stop closes the port and all connections.
func (o *origin) stop() {
	_ = o.lis.Close()
	o.mu.Lock()
	for c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.done.Wait()
}

func (o *origin) accept() {
	for {
		c, err := o.lis.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.conns[c] = true
		o.mu.Unlock()
		o.done.Go(func() { o.serve(c) })
	}
}

func (o *origin) serve(c net.Conn) {
	defer func() {
		o.mu.Lock()
		delete(o.conns, c)
		o.mu.Unlock()
		_ = c.Close()
	}()
	r := bufio.NewReader(c)
	for {
		rq := &got{conn: c}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if line == "\r\n" {
				break
			}
			rq.head += line
		}
		head, err := http.ReadRequest(bufio.NewReader(strings.NewReader(rq.head + "\r\n")))
		if err != nil {
			return
		}
		if rq.body, err = readBody(r, head.ContentLength); err != nil {
			return // it was not sent to its end
		}
		o.mu.Lock()
		o.seen = append(o.seen, rq)
		n, answer := len(o.seen), o.answer
		o.mu.Unlock()
		text, closing := strings.CutSuffix(answer(n, rq), closeAfter)
		if _, err := io.WriteString(c, text); err != nil || closing {
			return
		}
	}
}

// readBody reads a body of a declared length, or a chunked one (-1), which is kept as it was framed.
func readBody(r *bufio.Reader, length int64) (string, error) {
	if length >= 0 {
		b := make([]byte, length)
		_, err := io.ReadFull(r, b)
		return string(b), err
	}
	body := ""
	for !strings.HasSuffix(body, "0\r\n\r\n") {
		line, err := r.ReadString('\n')
		if err != nil {
			return body, err
		}
		body += line
	}
	return body, nil
}

// replies sets the answers of the requests to come, the last of them for all further ones, and
// forgets the requests until now.
func (o *origin) replies(list ...string) {
	o.acts(func(n int, _ *got) string { return list[min(n, len(list))-1] })
}

// acts lets a function answer the requests to come.
func (o *origin) acts(f func(n int, rq *got) string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer, o.seen = f, nil
}

// got is what came since replies, as text.
func (o *origin) got() (list []*got) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen)
}

// reply is a plain answer.
func reply(status int, body string, fields ...string) string {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
	for _, f := range fields {
		head += f + "\r\n"
	}
	return head + "\r\n" + body
}

// open is how many connections there are.
func (o *origin) open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// closedPort is an address that refuses connections.
func closedPort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
