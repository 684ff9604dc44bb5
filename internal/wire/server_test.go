package wire

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// testTLS makes a certificate for localhost and 127.0.0.1, and the configurations of a server that
// has it and of a client that trusts it.
func testTLS(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return server, &tls.Config{RootCAs: roots}
}

// secureListener is a TLS listener whose connections can send several records in one TCP segment.
type secureListener struct {
	net.Listener
	config *tls.Config
}

func (l secureListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	h := &holding{Conn: c}
	return &secureConn{tls.Server(h, l.config), h}, nil
}

type secureConn struct {
	*tls.Conn
	below *holding
}

// hold makes what is written to c wait, or go out at once; without TLS it does nothing.
func hold(c net.Conn, on bool) {
	if s, ok := c.(*secureConn); ok {
		s.below.set(on)
	}
}

// holding keeps what is written back while it is told to.
type holding struct {
	net.Conn
	mu   sync.Mutex
	on   bool
	kept bytes.Buffer
}

func (h *holding) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on {
		return h.kept.Write(p)
	}
	return h.Conn.Write(p)
}

func (h *holding) set(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on = on
	if !on {
		_, _ = h.Conn.Write(h.kept.Bytes())
		h.kept.Reset()
	}
}

// reset ends a connection with RST.
func reset(c net.Conn) {
	if s, ok := c.(*secureConn); ok {
		c = s.below.Conn
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// rawServer runs serve on every connection to a loopback port, over TLS if secure, until the test
// ends. It returns its URL and, over TLS, what a client needs.
func rawServer(t testing.TB, secure bool, serve func(net.Conn)) (url string, client *tls.Config) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	if secure {
		var server *tls.Config
		server, client = testTLS(t)
		url, l = "https://"+l.Addr().String(), secureListener{l, server}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return url, client
}

// skipRequest reads one request's head and body.
func skipRequest(c net.Conn) {
	rq, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		_, _ = io.Copy(io.Discard, rq.Body)
	}
}
