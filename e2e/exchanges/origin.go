package exchanges

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	date    = "Sun, 06 Nov 1994 08:49:37 GMT"
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	atMost  = 5 * time.Minute // for one connection: longer than all exchanges take
)

// Origin is the server of all exchanges: HTTP/1.1 and HTTP/2 by prior knowledge on one address,
// TLS with either of them by ALPN on another. It writes HTTP/1.1 byte by byte as an exchange says,
// and keeps what it received.
type Origin struct {
	Addr, TLSAddr string

	byName map[string]*Exchange
	conns  atomic.Int64
	h2     *h2Origin
	plain  net.Listener
	secure net.Listener

	mu   sync.Mutex
	got  map[string][]Received // by run and exchange
	open map[net.Conn]struct{}
	done sync.WaitGroup
}

// StartOrigin listens on two free ports of loopback. Close ends it.
func StartOrigin(cert tls.Certificate, list []Exchange) (*Origin, error) {
	o := &Origin{byName: map[string]*Exchange{}, got: map[string][]Received{}, open: map[net.Conn]struct{}{}}
	for i := range list {
		o.byName[list[i].Name] = &list[i]
	}
	o.h2 = newH2Origin(o)
	var err error
	if o.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening for the exchanges: %w", err)
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.plain.Close()
		return nil, fmt.Errorf("listening for the exchanges: %w", err)
	}
	o.secure = tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1", "http/1.0"}})
	o.Addr, o.TLSAddr = o.plain.Addr().String(), o.secure.Addr().String()
	o.done.Add(2)
	go o.accept(o.plain)
	go o.accept(o.secure)
	return o, nil
}

// Close ends the origin and every connection, and waits for them.
func (o *Origin) Close() {
	o.plain.Close()
	o.secure.Close()
	o.mu.Lock()
	for c := range o.open {
		c.Close()
	}
	o.mu.Unlock()
	o.done.Wait()
}

// Got returns what came for an exchange of a run, in the order of arrival.
func (o *Origin) Got(run, exchange string) []Received {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got[run+"/"+exchange]
}

func (o *Origin) accept(l net.Listener) {
	defer o.done.Done()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.open[c] = struct{}{}
		o.mu.Unlock()
		o.done.Add(1)
		go func() {
			defer o.done.Done()
			o.serve(c)
			c.Close()
			o.mu.Lock()
			delete(o.open, c)
			o.mu.Unlock()
		}()
	}
}

func (o *Origin) serve(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(atMost))
	number := int(o.conns.Add(1))
	if t, is := c.(*tls.Conn); is {
		if t.Handshake() != nil {
			return
		}
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			o.h2.serve(c, number)
			return
		}
	}
	br := bufio.NewReaderSize(c, 64<<10)
	if b, err := br.Peek(len(preface)); err == nil && string(b) == preface {
		o.h2.serve(replay{c, br}, number)
		return
	}
	for o.serveOne(c, br, number) {
	}
}

// replay is a connection of which some bytes have been read.
type replay struct {
	net.Conn
	r io.Reader
}

func (c replay) Read(p []byte) (int, error) { return c.r.Read(p) }

// find splits a target, /ROUTE/RUN/EXCHANGE and what follows.
func (o *Origin) find(target string) (run, suffix string, e *Exchange) {
	_, rest, _ := strings.Cut(strings.TrimPrefix(target, "/"), "/")
	run, rest, _ = strings.Cut(rest, "/")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	return run, rest[end:], o.byName[rest[:end]]
}

// note keeps what was received and tells what to answer.
func (o *Origin) note(run string, e *Exchange, r *Received) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := run + "/" + e.Name
	o.got[key] = append(o.got[key], *r)
}

func (e *Exchange) answer(r *Received) Answer {
	if e.AnswerTo != nil {
		return e.AnswerTo(r)
	}
	return e.Answer
}

// serveOne reads one request from an HTTP/1.1 connection and answers it; it returns false when the
// connection is over.
func (o *Origin) serveOne(c net.Conn, br *bufio.Reader, number int) bool {
	r, err := readHead(br)
	if err != nil {
		return false
	}
	r.Conn = number
	run, suffix, e := o.find(r.Target)
	r.Suffix = suffix
	if e == nil {
		_, err = io.WriteString(c, page(r.Target))
		return err == nil
	}
	a := e.answer(r)
	expects := strings.EqualFold(value(r.Headers, "Expect"), "100-continue")
	body := func() bool {
		if expects && !a.Refuse && r.Framing != "none" {
			if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return false
			}
		}
		r.readBody(br)
		return true
	}
	switch {
	case a.Refuse && expects:
		o.note(run, e, r)
		o.write(c, r, &a)
		return false
	case a.Early:
		whole := o.write(c, r, &a) && body()
		o.note(run, e, r)
		return whole && !r.Broken
	}
	ok := body()
	o.note(run, e, r)
	if !ok || r.Broken || !o.write(c, r, &a) {
		return false
	}
	return !a.Close && !r.closes()
}

// page is what every other address gets: a browser's start.
func page(target string) string {
	status, body := "404 Not Found", ""
	if strings.HasSuffix(target, "/page") {
		status, body = "200 OK", "<!doctype html><title>exchanges</title>"
	}
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// closes tells whether the request's connection ends with its answer.
func (r *Received) closes() bool {
	connection := strings.ToLower(value(r.Headers, "Connection"))
	return strings.Contains(connection, "close") || r.Version == "HTTP/1.0" && !strings.Contains(connection, "keep-alive")
}

// value is a field's first value.
func value(list []Field, name string) string {
	for _, f := range list {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}

func readHead(br *bufio.Reader) (*Received, error) {
	r := &Received{Framing: "none"}
	for first := true; ; {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first && len(line) == 0:
			continue
		case first:
			first = false
			parts := strings.SplitN(latin(line), " ", 3)
			if len(parts) != 3 {
				return nil, fmt.Errorf("a request line of %d parts", len(parts))
			}
			r.Method, r.Target, r.Version = parts[0], parts[1], parts[2]
			continue
		case len(line) == 0:
			return r, r.frame()
		}
		name, v, found := strings.Cut(latin(line), ":")
		if !found {
			return nil, fmt.Errorf("a field without a colon")
		}
		r.Headers = append(r.Headers, Field{name, strings.Trim(v, " \t")})
	}
}

func (r *Received) frame() (err error) {
	if strings.EqualFold(value(r.Headers, "Transfer-Encoding"), "chunked") {
		r.Framing = "chunked"
	} else if v := value(r.Headers, "Content-Length"); v != "" {
		r.Framing = "length"
		r.Length, err = strconv.Atoi(v)
	}
	return err
}

// readBody reads and hashes the body.
func (r *Received) readBody(br *bufio.Reader) {
	h := sha256.New()
	switch r.Framing {
	case "length":
		n, err := io.CopyN(h, br, int64(r.Length))
		r.Length, r.Broken = int(n), err != nil
	case "chunked":
		r.Length = 0
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				r.Broken = true
				return
			}
			size, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";")
			n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
			if err != nil {
				r.Broken = true
				return
			}
			if n == 0 {
				break
			}
			m, err := io.CopyN(h, br, n)
			r.Length += int(m)
			if _, more := br.Discard(2); err != nil || more != nil {
				r.Broken = true
				return
			}
		}
		for {
			line, err := br.ReadBytes('\n')
			if err != nil {
				r.Broken = true
				return
			}
			if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
				break
			}
			name, v, _ := strings.Cut(latin(line), ":")
			r.Trailers = append(r.Trailers, Field{name, strings.TrimSpace(v)})
		}
	}
	r.SHA = hex.EncodeToString(h.Sum(nil))
}

// write answers on an HTTP/1.1 connection; it returns false when the connection is over.
func (o *Origin) write(c net.Conn, r *Received, a *Answer) bool {
	time.Sleep(a.Wait)
	if a.End == NoAnswer {
		return false
	}
	w := bufio.NewWriterSize(c, 64<<10)
	for _, i := range a.Interim {
		fmt.Fprintf(w, "HTTP/1.1 %d %s\r\n", i.Status, reason(i.Status))
		writeFields(w, i.Headers)
		w.WriteString("\r\n")
		w.Flush()
	}
	version := "HTTP/1.1"
	if a.HTTP10 {
		version = "HTTP/1.0"
	}
	status := max(a.Status, 200)
	why := a.Reason
	if why == "" && !a.NoReason {
		why = reason(status)
	}
	fmt.Fprintf(w, "%s %d %s\r\n", version, status, why)
	if !a.NoDate {
		writeFields(w, []Field{{"Date", date}})
	}
	writeFields(w, a.Headers)
	framing := a.Framing
	if framing == Chunked && r.Version == "HTTP/1.0" {
		framing = UntilClose
	}
	switch {
	case framing == Chunked:
		w.WriteString("Transfer-Encoding: chunked\r\n")
	case framing == NoBody && a.Declared > 0:
		fmt.Fprintf(w, "Content-Length: %d\r\n", a.Declared)
	case framing == ByLength && value(a.Headers, "Content-Length") == "":
		fmt.Fprintf(w, "Content-Length: %d\r\n", len(a.whole()))
	}
	if a.Close {
		w.WriteString("Connection: close\r\n")
	}
	w.WriteString("\r\n")
	if framing == NoBody || r.Method == "HEAD" {
		return w.Flush() == nil
	}
	pieces := a.pieces()
	if a.End != Whole && len(pieces) == 1 {
		pieces = [][]byte{pieces[0][:len(pieces[0])/2]}
	} else if a.End != Whole {
		pieces = pieces[:len(pieces)/2]
	}
	for i, p := range pieces {
		if i > 0 && a.Pause > 0 {
			if w.Flush() != nil {
				return false
			}
			time.Sleep(a.Pause)
		}
		if framing == Chunked {
			fmt.Fprintf(w, "%x\r\n", len(p))
		}
		w.Write(p)
		if framing == Chunked {
			w.WriteString("\r\n")
		}
	}
	if a.End != Whole {
		w.Flush()
		time.Sleep(a.Pause) // what was sent arrives before the reset
		if a.End == Reset {
			linger(c)
		}
		return false
	}
	if framing == Chunked {
		w.WriteString("0\r\n")
		writeFields(w, a.Trailers)
		w.WriteString("\r\n")
	}
	return w.Flush() == nil && framing != UntilClose
}

// linger makes Close send RST.
func linger(c net.Conn) {
	if t, is := c.(*tls.Conn); is {
		c = t.NetConn()
	}
	if t, is := c.(*net.TCPConn); is {
		_ = t.SetLinger(0)
		_ = t.Close()
	}
}

func writeFields(w *bufio.Writer, list []Field) {
	for _, f := range list {
		w.Write(bytesOf(f[0]))
		w.WriteString(": ")
		w.Write(bytesOf(f[1]))
		w.WriteString("\r\n")
	}
}

// reason is the phrase that the origin gives a status: not always the registered one, so that it
// shows where somebody puts it in by himself.
func reason(status int) string {
	switch status {
	case 200:
		return "Okay"
	case 103:
		return "Early Hints"
	case 201:
		return "Created"
	}
	return "Status " + strconv.Itoa(status)
}
