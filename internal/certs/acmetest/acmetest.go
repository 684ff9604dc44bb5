// Package acmetest runs an ACME authority for tests: Let's Encrypt's Pebble, built from the version
// that testdata/pebble/go.mod names, in a process of its own on loopback.
package acmetest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Options say how the authority behaves.
type Options struct {
	TLSPort  int           // where it looks for TLS-ALPN-01
	HTTPPort int           // where it looks for HTTP-01
	Blocked  []string      // names that it refuses by policy
	Validity time.Duration // of what it issues, 0 is 90 days
}

// Authority is a running one. It knows every name by the address 127.0.0.1.
type Authority struct {
	Directory string
	CAFile    string // what its own certificate is verified with
	manage    string
	client    *http.Client

	mu    sync.Mutex
	lines []string
}

// Start starts an authority that ends with the test. With -short, or without network for what is not
// in the module cache, the test is skipped.
func Start(t *testing.T, o Options) *Authority {
	t.Helper()
	if testing.Short() {
		t.Skip("an ACME authority is built and started")
	}
	dir := t.TempDir()
	program := build(t, dir)
	a := &Authority{CAFile: filepath.Join(dir, "ca.pem")}
	key := filepath.Join(dir, "key.pem")
	pool := certificate(t, a.CAFile, key)
	a.client = &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	listen, manage := freePort(t), freePort(t)
	a.Directory, a.manage = fmt.Sprintf("https://127.0.0.1:%d/dir", listen), fmt.Sprintf("https://127.0.0.1:%d", manage)
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", listen), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", manage),
		"certificate": a.CAFile, "privateKey": key, "httpPort": o.HTTPPort, "tlsPort": o.TLSPort, "keyAlgorithm": "ecdsa",
		"domainBlocklist": o.Blocked, "retryAfter": map[string]int{"authz": 0, "order": 0},
		"profiles": map[string]any{"default": map[string]any{"description": "default", "validityPeriod": int(o.Validity.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-config", config, "-dnsserver", resolver(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { a.read(out) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the authority's log:\n%s", a.Log())
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		res, err := a.client.Get(a.Directory)
		if err == nil {
			_ = res.Body.Close()
			return a
		}
		if time.Now().After(end) {
			t.Fatalf("the authority does not answer: %v\n%s", err, a.Log())
		}
	}
}

// read keeps what the authority prints.
func (a *Authority) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		a.mu.Lock()
		a.lines = append(a.lines, s.Text())
		a.mu.Unlock()
	}
}

// Log is what the authority has printed so far.
func (a *Authority) Log() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.lines, "\n")
}

// Orders is how many orders it was sent.
func (a *Authority) Orders() int { return strings.Count(a.Log(), "POST /order-plz") }

// Roots are the authorities that sign what it issues.
func (a *Authority) Roots(t *testing.T) (pool *x509.CertPool, text []byte) {
	t.Helper()
	res, err := a.client.Get(a.manage + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the authority's root is %q", text)
	}
	return pool, text
}

// build makes Pebble from source; only the first time of all takes long.
func build(t *testing.T, dir string) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("where this file is cannot be found")
	}
	program := filepath.Join(dir, "pebble")
	cmd := exec.Command("go", "build", "-o", program, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	cmd.Dir = filepath.Join(filepath.Dir(file), "testdata", "pebble")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(text), "dial tcp") || strings.Contains(string(text), "no such host") {
			t.Skipf("the authority's source is not here and cannot be fetched:\n%s", text)
		}
		t.Fatalf("building the authority: %v\n%s", err, text)
	}
	return program
}

// certificate makes the authority's own certificate for its API.
func certificate(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "acme.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// freePort is a port that nobody listens on, below those that systems give to whoever asks for any, so that nobody gets
// it before the authority listens.
func freePort(t *testing.T) int {
	t.Helper()
	const low, count = 10000, 5000
	for range count {
		port := low + mathrand.IntN(count)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// resolver answers every question for an address with 127.0.0.1. Pebble asks over TCP (RFC 1035
// section 4.2.2).
func resolver(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				serveNames(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

func serveNames(c net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		answer := answerTo(question)
		if answer == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func answerTo(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) == 0 {
		return nil
	}
	m.Response, m.RecursionAvailable = true, true
	m.Additionals, m.Authorities = nil, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}
