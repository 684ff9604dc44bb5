package exchanges

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

// runGo makes the exchanges with net/http, and HTTP/2 with its transport.
func runGo(ctx context.Context, job Job) ([]Seen, error) {
	return job.run(ctx, goCall)
}

func goCall(ctx context.Context, pool *x509.CertPool, row *Row, seen *Seen) error {
	switch {
	case row.HTTP10:
		seen.Skip = "sends HTTP/1.1 only"
		return nil
	case row.Pipeline > 0:
		seen.Skip = "does not pipeline"
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!row.Column.HTTP2())
	protocols.SetHTTP2(row.Column == H2)
	protocols.SetUnencryptedHTTP2(row.Column == H2C)
	tr := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableCompression: true, MaxResponseHeaderBytes: 1 << 20, ExpectContinueTimeout: 10 * time.Second}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if !row.Follow {
			return http.ErrUseLastResponse
		}
		seen.Statuses = append(seen.Statuses, 0)
		return nil
	}}
	calls := max(row.Repeat, 1)
	if row.Cookies {
		calls = 2
		client.Jar, _ = cookiejar.New(nil) // without options it cannot fail
	}
	for range calls {
		if err := goOne(ctx, client, row, seen); err != nil {
			return err
		}
	}
	return nil
}

func goOne(ctx context.Context, client *http.Client, row *Row, seen *Seen) error {
	seen.Interim = nil
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code != 100 {
			seen.Interim = append(seen.Interim, Interim{code, listOf(http.Header(h))})
		}
		return nil
	}}
	var body io.Reader
	switch {
	case row.Body == "chunked":
		body = struct{ io.Reader }{bytes.NewReader(row.payload())}
	case row.Body == "length":
		body = bytes.NewReader(row.payload())
	}
	rq, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), row.Method, row.URL, body)
	if err != nil {
		return err
	}
	for _, f := range row.Headers {
		rq.Header[f[0]] = append(rq.Header[f[0]], string(bytesOf(f[1])))
	}
	if row.Expect {
		rq.Header.Set("Expect", "100-continue")
	}
	rq.Close = row.Close
	for _, f := range row.Trailers {
		if rq.Trailer == nil {
			rq.Trailer = http.Header{}
			rq.Header.Del("Trailer") // it announces them itself
		}
		rq.Trailer.Add(f[0], f[1])
	}
	begun := &watcher{begun: time.Now()}
	res, err := client.Do(rq)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	seen.Status, seen.Version, seen.Headers = res.StatusCode, res.Proto, listOf(res.Header)
	if _, why, found := strings.Cut(res.Status, " "); found && res.ProtoMajor == 1 {
		seen.Reason = latin([]byte(why))
	}
	seen.Statuses = append(seen.Statuses, res.StatusCode)
	if row.Follow {
		seen.URL = res.Request.URL.String()
	}
	_, err = io.Copy(begun, res.Body)
	begun.tell(seen)
	seen.Trailers = listOf(res.Trailer)
	return err
}

// listOf is a header as a list, by name.
func listOf(h http.Header) (list []Field) {
	for _, name := range sortedNames(h) {
		for _, v := range h[name] {
			list = append(list, Field{strings.ToLower(name), latin([]byte(v))})
		}
	}
	return slices.Clip(list)
}

// classOf is what a program would tell one error from another by.
func classOf(err error) string {
	var stream http2.StreamError
	var network net.Error
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected EOF"
	case errors.Is(err, io.EOF):
		return "EOF"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.As(err, &stream):
		return stream.Code.String()
	case strings.Contains(err.Error(), "stream error"):
		_, code, _ := strings.Cut(err.Error(), "; ")
		return code
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	}
	return err.Error()
}
