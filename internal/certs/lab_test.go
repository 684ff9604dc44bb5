package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"causeway/internal/catalog"
)

// authority signs certificates; nil signs them by themselves.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// leaf is a certificate with its key and what stands behind it.
type leaf struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte // the chain
	der  [][]byte
}

func newKey(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if kind == "rsa" {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	l := (*authority)(nil).issue(t, "ecdsa", func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = name, true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = nil
	})
	return &authority{l.cert, l.key}
}

func (a *authority) issue(t *testing.T, kind string, alter func(*x509.Certificate)) *leaf {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "leaf"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	alter(c)
	key := newKey(t, kind)
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	l := &leaf{key: key, der: [][]byte{der}, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if l.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if a != nil {
		l.pem, l.der = append(l.pem, a.pem()...), append(l.der, a.cert.Raw)
	}
	return l
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (l *leaf) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(l.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (l *leaf) pair() tls.Certificate {
	return tls.Certificate{Certificate: l.der, PrivateKey: l.key}
}

func named(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = names[0], names }
}

// folder is where a test keeps its files. put replaces one as a careful tool does.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) put(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(f.path(name)+".next", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(f.path(name)+".next", f.path(name)); err != nil {
		t.Fatal(err)
	}
	return f.path(name)
}

// files puts a certificate and its key under a name.
func (f folder) files(t *testing.T, name string, l *leaf) catalog.Certificate {
	t.Helper()
	return catalog.Certificate{CertFile: f.put(t, name+".pem", l.pem), KeyFile: f.put(t, name+".key", l.keyPEM(t))}
}

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Now()
	}
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	c.at = at
	c.mu.Unlock()
}

// buffer takes a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rig is a store with a door of bare TLS: whoever gets in is greeted.
type rig struct {
	*Store
	addr  string
	log   *buffer
	clock *clock
	fails chan error // of handshakes
}

func newRig(t *testing.T, c catalog.Server, alter func(*Options)) *rig {
	t.Helper()
	r := &rig{log: &buffer{}, clock: &clock{}, fails: make(chan error, 100)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	o := Options{Log: slog.New(slog.NewTextHandler(r.log, nil)), Now: r.clock.now, ListenHost: "127.0.0.1", TLSPort: l.Addr().(*net.TCPAddr).Port}
	if alter != nil {
		alter(&o)
	}
	r.Store = New(o)
	if err := r.Load(c); err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer nc.Close()
				tc := tls.Server(nc, r.Config())
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				if err := tc.HandshakeContext(ctx); err != nil {
					r.Failed(nc.RemoteAddr().String(), tc.ConnectionState().ServerName, err)
					select {
					case r.fails <- err:
					default: // nobody looks
					}
					return
				}
				_, _ = tc.Write([]byte("hello\n"))
				_, _ = tc.Read(make([]byte, 1)) // until the caller has gone
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// meet shakes hands and reads the greeting.
func (r *rig) meet(cfg *tls.Config) (tls.ConnectionState, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := tls.DialWithDialer(&d, "tcp", r.addr, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 10)); err != nil {
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

// shown is the serial number that a caller of this name is shown.
func (r *rig) shown(t *testing.T, name string) string {
	t.Helper()
	st, err := r.meet(&tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("asking for %q: %v", name, err)
	}
	return st.PeerCertificates[0].SerialNumber.String()
}

func (l *leaf) serial() string { return l.cert.SerialNumber.String() }

func textLog(b *buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
