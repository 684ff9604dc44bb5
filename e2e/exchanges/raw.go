package exchanges

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// runRaw makes the exchanges by writing bytes to a socket: what no client shows, it sees.
func runRaw(ctx context.Context, job Job) ([]Seen, error) {
	return job.run(ctx, rawCall)
}

func rawCall(ctx context.Context, pool *x509.CertPool, row *Row, seen *Seen) error {
	if row.Follow || row.Cookies {
		seen.Skip = "is no more than a socket"
		return nil
	}
	at, err := url.Parse(row.URL)
	if err != nil {
		return err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	if row.Column == TLS {
		c = tls.Client(c, &tls.Config{RootCAs: pool, ServerName: at.Hostname(), NextProtos: []string{"http/1.1"}})
	}
	head := row.head(at.Host)
	br := bufio.NewReaderSize(c, 64<<10)
	calls := max(row.Repeat, row.Pipeline, 1)
	if row.Pipeline > 0 {
		if _, err := c.Write(bytes.Repeat(head, calls)); err != nil {
			return err
		}
	}
	for range calls {
		sent := make(chan error, 1)
		switch {
		case row.Pipeline > 0:
			sent <- nil
		case row.Expect:
			if _, err := c.Write(head); err != nil {
				return err
			}
		default:
			go func() {
				_, err := c.Write(append(bytes.Clone(head), row.rawBody()...))
				sent <- err
			}()
		}
		if err := rawAnswer(c, br, row, seen, sent); err != nil {
			return err
		}
	}
	return nil
}

// head is a request's head as it goes out.
func (r *Row) head(host string) []byte {
	_, rest, _ := strings.Cut(r.URL, "://")
	target := rest[strings.IndexByte(rest, '/'):]
	method, version := r.Method, "HTTP/1.1"
	if method == "" {
		method = "GET"
	}
	if r.HTTP10 {
		version = "HTTP/1.0"
	}
	b := fmt.Appendf(nil, "%s %s %s\r\nHost: %s\r\n", method, target, version, host)
	for _, f := range r.Headers {
		b = append(b, f[0]+": "...)
		b = append(append(b, bytesOf(f[1])...), "\r\n"...)
	}
	switch {
	case r.Body == "length":
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(r.payload()))
	case r.Body == "chunked":
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if r.Expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if r.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// rawBody is a request's body with its framing.
func (r *Row) rawBody() []byte {
	body := r.payload()
	if r.Body != "chunked" {
		return body
	}
	var b []byte
	for len(body) > 0 {
		n := min(len(body), 50_000)
		b = fmt.Appendf(b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b = append(b, "0\r\n"...)
	for _, f := range r.Trailers {
		b = append(b, f[0]+": "+f[1]+"\r\n"...)
	}
	return append(b, "\r\n"...)
}

// rawAnswer reads one answer. sent gets what became of writing the body.
func rawAnswer(c net.Conn, br *bufio.Reader, row *Row, seen *Seen, sent chan error) error {
	for {
		status, why, version, fields, err := readAnswerHead(br)
		if err != nil {
			return err
		}
		if status < 200 {
			if status != 100 {
				seen.Interim = append(seen.Interim, Interim{status, fields})
				continue
			}
			if row.Expect {
				go func() {
					_, err := c.Write(row.rawBody())
					sent <- err
				}()
			}
			continue
		}
		seen.Status, seen.Reason, seen.Version, seen.Headers, seen.Ordered = status, why, version, fields, true
		seen.Statuses = append(seen.Statuses, status)
		break
	}
	w := &watcher{begun: time.Now()}
	err := rawBody(br, row, seen, w)
	w.tell(seen)
	return err
}

func readAnswerHead(br *bufio.Reader) (status int, why, version string, fields []Field, err error) {
	for first := true; ; first = false {
		raw, err := br.ReadBytes('\n')
		if err != nil {
			if len(raw) > 0 || !first {
				err = io.ErrUnexpectedEOF
			}
			return 0, "", "", nil, err
		}
		line := latin(bytes.TrimRight(raw, "\r\n"))
		if first {
			parts := strings.SplitN(line, " ", 3)
			if len(parts) < 2 {
				return 0, "", "", nil, fmt.Errorf("a status line %q", line)
			}
			if status, err = strconv.Atoi(parts[1]); err != nil {
				return 0, "", "", nil, err
			}
			version = parts[0]
			if len(parts) == 3 {
				why = parts[2]
			}
			continue
		}
		if line == "" {
			return status, why, version, fields, nil
		}
		name, v, _ := strings.Cut(line, ":")
		fields = append(fields, Field{name, strings.TrimSpace(v)})
	}
}

func rawBody(br *bufio.Reader, row *Row, seen *Seen, w io.Writer) error {
	if row.Method == "HEAD" || seen.Status == 204 || seen.Status == 304 {
		return nil
	}
	switch length := value(seen.Headers, "Content-Length"); {
	case strings.EqualFold(value(seen.Headers, "Transfer-Encoding"), "chunked"):
		seen.Framing = "chunked"
		seen.Trailers = nil
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return io.ErrUnexpectedEOF
			}
			n, err := strconv.ParseInt(strings.TrimRight(line, "\r\n"), 16, 64)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if err := copyWhole(w, br, n); err != nil {
				return err
			}
			if _, err := br.Discard(2); err != nil {
				return io.ErrUnexpectedEOF
			}
		}
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return io.ErrUnexpectedEOF
			}
			if line = strings.TrimRight(line, "\r\n"); line == "" {
				return nil
			}
			name, v, _ := strings.Cut(line, ":")
			seen.Trailers = append(seen.Trailers, Field{name, strings.TrimSpace(v)})
		}
	case length != "":
		seen.Framing = "length"
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			return err
		}
		return copyWhole(w, br, n)
	}
	seen.Framing = "close"
	_, err := io.Copy(w, br)
	return err
}

func copyWhole(w io.Writer, r io.Reader, n int64) error {
	_, err := io.CopyN(w, r, n)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
