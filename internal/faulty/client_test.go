package faulty

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ending is how a connection stands after everything that comes has been read.
type ending string

const (
	endFIN    ending = "FIN"
	endRST    ending = "RST"
	endSilent ending = "silence" // still open, and nothing came for quiet
)

const (
	quiet   = 150 * time.Millisecond // how long a silence must last to be one
	patient = 10 * time.Second       // no test waits longer
	getX    = "GET /x HTTP/1.1\r\nHost: orders.test\r\n\r\n"
	postX   = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: 48\r\n\r\n" +
		`{"model":"gpt-test","stream":true,"messages":[]}`
	upgradeX = "GET /ws HTTP/1.1\r\nHost: orders.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

// newLab makes a lab that ends with the test.
func newLab(t *testing.T, o Options) *Lab {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func start(t *testing.T, l *Lab, name string, p Params) *Upstream {
	t.Helper()
	u, err := l.Start(name, p)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// dial connects to the upstream's own address, without TLS.
func dial(t *testing.T, u *Upstream) net.Conn {
	t.Helper()
	network, addr := address(t, u)
	conn, err := net.DialTimeout(network, addr, patient)
	if err != nil {
		t.Fatalf("dialling %s: %v", u.URL, err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patient))
	return conn
}

func address(t *testing.T, u *Upstream) (network, addr string) {
	t.Helper()
	if path, ok := strings.CutPrefix(u.URL, "unix:"); ok {
		return "unix", path
	}
	at, err := url.Parse(u.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "tcp", at.Host
}

// drain reads what comes until the connection ends or falls silent.
func drain(t *testing.T, conn net.Conn, within time.Duration) (string, ending) {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 64<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(within))
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return got.String(), endFIN
		case errors.Is(err, syscall.ECONNRESET):
			return got.String(), endRST
		case errors.Is(err, os.ErrDeadlineExceeded):
			return got.String(), endSilent
		default:
			t.Fatalf("reading: %v", err)
		}
	}
}

// until reads up to and including want, however long that takes.
func until(t *testing.T, conn net.Conn, want string) string {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(patient))
	for !strings.Contains(got.String(), want) {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("reading: %v after %q, want %q", err, clip(got.String()), want)
		}
	}
	return got.String()
}

// ask sends a request on a fresh connection.
func ask(t *testing.T, u *Upstream, request string) net.Conn {
	t.Helper()
	conn := dial(t, u)
	if _, err := io.WriteString(conn, request); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("writing: %v", err)
	}
	return conn
}

// talk sends a request on a fresh connection and returns everything that comes back. Where the end
// is silence, want must have come before it begins.
func talk(t *testing.T, u *Upstream, request, want string, end ending) string {
	t.Helper()
	conn := ask(t, u, request)
	begin, within := "", patient
	if end == endSilent {
		await(t, u, func(c Counts) bool { return c.Open > 0 })
		begin, within = until(t, conn, want), quiet
	}
	got, e := drain(t, conn, within)
	if got = begin + got; e != end {
		t.Fatalf("ended by %s after %q, want %s", e, clip(got), end)
	}
	return got
}

func clip(s string) string {
	if len(s) > 400 {
		return s[:300] + fmt.Sprintf("... (%d bytes) ...", len(s)) + s[len(s)-100:]
	}
	return s
}

// tlsClient is the configuration that a gateway would use for the upstream.
func tlsClient(t *testing.T, u *Upstream) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(u.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", u.CAFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: u.ServerName, NextProtos: []string{"http/1.1"}}
}

// resolver asks the upstream's own DNS server.
func resolver(u *Upstream) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, u.Resolver)
	}}
}

// client is net/http's client set up as the upstream says.
func client(t *testing.T, u *Upstream) *http.Client {
	t.Helper()
	d := &net.Dialer{Timeout: patient}
	if u.Resolver != "" {
		d.Resolver = resolver(u)
	}
	tr := &http.Transport{DialContext: d.DialContext, DisableCompression: true}
	if path, ok := strings.CutPrefix(u.URL, "unix:"); ok {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) }
	}
	if u.CAFile != "" {
		tr.TLSClientConfig = tlsClient(t, u)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patient, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// base is the URL to call.
func base(u *Upstream) string {
	if strings.HasPrefix(u.URL, "unix:") {
		return "http://orders.test"
	}
	return u.URL
}

// fetch calls the upstream once and returns status, header and body.
func fetch(t *testing.T, c *http.Client, req *http.Request) (*http.Response, string, error) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func get(t *testing.T, u *Upstream) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base(u)+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
