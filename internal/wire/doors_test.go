package wire

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
)

// doorKind is one of the ways in which a call comes in. What a room may rely on is tested through all
// of them alike, by calls that are told in the words of no protocol.
type doorKind struct {
	name   string
	secure bool
	h2     bool
}

var doorKinds = []doorKind{{name: "HTTP/1.1"}, {name: "TLS", secure: true}, {name: "h2", secure: true, h2: true}, {name: "h2c", h2: true}}

// house is a door of one kind, open.
type house struct {
	doorKind
	t      testing.TB
	addr   string
	client *tls.Config
	door   *Door
	conn   *h2Caller // all calls come over it
}

// open opens a door of this kind.
func (k doorKind) open(t testing.TB, o DoorOptions) *house {
	t.Helper()
	h := &house{doorKind: k, t: t}
	if k.secure {
		o.TLS, h.client = testTLS(t)
	}
	if o.HTTP2 == nil {
		o.HTTP2 = &HTTP2Options{}
	}
	h.addr, h.door = startDoor(t, o)
	return h
}

// asked is a call as its caller sees it.
type asked interface {
	send(p string)         // a piece of the body
	end(trailer ...string) // the end of the body, with a trailer: name, value
	// head waits for the next head, interim ones too; ok is false when the call ends instead.
	head() (status int, fields http.Header, ok bool)
	body(n int) string // the next n bytes of the answer's body
	// rest is the answer's body from here, and whether it ended as a whole answer does.
	rest() (body string, trailer http.Header, whole bool)
	hold()      // takes no byte of the answer from now on
	leave()     // gives the call up
	halfClose() // closes the sending half of its connection
}

// ask begins a call; one with a body is ended by end.
func (h *house) ask(method, path string, body bool, fields ...string) asked {
	h.t.Helper()
	if h.h2 {
		return h.askH2(method, path, body, fields)
	}
	c := dial(h.t, h.addr)
	below := c.Conn
	if h.secure {
		config := h.client.Clone()
		config.ServerName = "localhost"
		tc := tls.Client(c.Conn, config)
		c = newCaller(h.t, tc)
	}
	lines := method + " " + path + " HTTP/1.1\r\nHost: gateway.test\r\n"
	for i := 0; i < len(fields); i += 2 {
		lines += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	if body {
		lines += "Transfer-Encoding: chunked\r\n"
	}
	c.send("%s\r\n", lines)
	return &askedH1{caller: c, below: below, method: method, br: bufio.NewReader(c.Conn)}
}

type askedH1 struct {
	*caller
	below  net.Conn
	method string
	br     *bufio.Reader
	reader io.Reader // of the body
	chunks bool
}

func (a *askedH1) send(p string) {
	_, _ = io.WriteString(a.Conn, strconv.FormatInt(int64(len(p)), 16)+"\r\n"+p+"\r\n")
}

func (a *askedH1) end(trailer ...string) {
	last := "0\r\n"
	for i := 0; i < len(trailer); i += 2 {
		last += trailer[i] + ": " + trailer[i+1] + "\r\n"
	}
	_, _ = io.WriteString(a.Conn, last+"\r\n")
}

func (a *askedH1) head() (int, http.Header, bool) {
	tp := textproto.NewReader(a.br)
	line, err := tp.ReadLine()
	if err != nil || len(line) < 12 {
		return 0, nil, false
	}
	status, _ := strconv.Atoi(line[9:12])
	mime, err := tp.ReadMIMEHeader()
	if err != nil {
		return 0, nil, false
	}
	fields := http.Header(mime)
	if status < 200 {
		return status, fields, true
	}
	a.chunks = fields.Get("Transfer-Encoding") == "chunked"
	switch n, err := strconv.ParseInt(fields.Get("Content-Length"), 10, 64); {
	case a.method == "HEAD" || status == 204 || status == 304:
		a.reader = strings.NewReader("")
	case a.chunks:
		a.reader = httputil.NewChunkedReader(a.br)
	case err == nil:
		a.reader = &exactly{a.br, n}
	default:
		a.reader = a.br
	}
	return status, fields, true
}

// exactly is a body of n bytes: less of it is an error.
type exactly struct {
	r io.Reader
	n int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.n)])
	if e.n -= int64(n); err == io.EOF && e.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (a *askedH1) body(n int) string {
	b := make([]byte, n)
	_, _ = io.ReadFull(a.reader, b)
	return string(b)
}

func (a *askedH1) rest() (string, http.Header, bool) {
	b, err := io.ReadAll(a.reader)
	if err != nil || !a.chunks {
		return string(b), nil, err == nil
	}
	trailer, err := textproto.NewReader(a.br).ReadMIMEHeader()
	return string(b), http.Header(trailer), err == nil
}

func (a *askedH1) hold()      {}
func (a *askedH1) leave()     { _ = a.below.Close() }
func (a *askedH1) halfClose() { _ = a.below.(*net.TCPConn).CloseWrite() }

func (h *house) askH2(method, path string, body bool, fields []string) asked {
	if h.conn == nil {
		h.conn = dialH2(h.t, h.addr, h.client)
	}
	for i := 0; i < len(fields); i += 2 {
		fields[i] = strings.ToLower(fields[i])
	}
	return &askedH2{h2Asked: h.conn.ask(!body, method, path, fields...)}
}

type askedH2 struct {
	*h2Asked
	seen int // heads
	took int // bytes of data
}

func (a *askedH2) send(p string) {
	_ = a.c.try(func() error { return a.c.fr.WriteData(a.id, false, []byte(p)) })
}

func (a *askedH2) end(trailer ...string) {
	if len(trailer) == 0 {
		_ = a.c.try(func() error { return a.c.fr.WriteData(a.id, true, nil) })
		return
	}
	for i := 0; i < len(trailer); i += 2 {
		trailer[i] = strings.ToLower(trailer[i])
	}
	_ = a.c.try(func() error {
		return a.c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: a.id, BlockFragment: a.c.block(trailer...), EndStream: true, EndHeaders: true})
	})
}

func canonical(h http.Header) http.Header {
	c := http.Header{}
	for name, values := range h {
		if !strings.HasPrefix(name, ":") {
			c[http.CanonicalHeaderKey(name)] = values
		}
	}
	return c
}

func (a *askedH2) head() (int, http.Header, bool) {
	a.c.t.Helper()
	if !a.c.until("a head", func() bool { return len(a.heads) > a.seen || a.reset != nil }) {
		return 0, nil, false
	}
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if len(a.heads) == a.seen {
		return 0, nil, false
	}
	h := a.heads[a.seen]
	a.seen++
	status, _ := strconv.Atoi(h.Get(":status"))
	return status, canonical(h), true
}

func (a *askedH2) body(n int) string {
	a.c.until("the body", func() bool { return len(a.data) >= a.took+n || a.over || a.reset != nil })
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	b := a.data[a.took:min(a.took+n, len(a.data))]
	a.took += len(b)
	return string(b)
}

func (a *askedH2) rest() (string, http.Header, bool) {
	_, body, whole := a.answer()
	body = body[a.took:]
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	var trailer http.Header
	if len(a.heads) > a.seen {
		trailer = canonical(a.heads[a.seen])
	}
	return body, trailer, whole
}

func (a *askedH2) hold() {
	a.c.mu.Lock()
	a.stuck = true
	a.c.mu.Unlock()
}

func (a *askedH2) leave() { a.cancel(http2.ErrCodeCancel) }

func (a *askedH2) halfClose() {
	nc := a.c.nc
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	_ = nc.(*net.TCPConn).CloseWrite()
}

// everywhere runs a test through every kind of door, all at the same time.
func everywhere(t *testing.T, test func(t *testing.T, k doorKind)) {
	var all sync.WaitGroup
	for _, k := range doorKinds {
		all.Go(func() { t.Run(k.name, func(t *testing.T) { test(t, k) }) })
	}
	all.Wait()
}
