package e2e

//lint:file-ignore SA1019 x/net's server alone is what the door is measured by

import (
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
)

// TestH2spec holds the gateway's HTTP/2 to h2spec's cases, over TLS and without: none may end worse than
// with golang.org/x/net/http2 alone, which the door speaks it with. What that fails is in
// docs/protocols.md.
func TestH2spec(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes some fifteen seconds of waiting")
	}
	program := buildH2spec(t)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "hello there, how are you?")
	}))
	t.Cleanup(up.Close)
	cert := newCertificate(t, "localhost")
	const services = "services: {up: {access: open, routes: [{path: /}, {path: /*, hosts: [127.0.0.1]}], upstream: {targets: [{url: %q}]}}}\n"
	plain := serve(t, fmt.Sprintf("version: 1\n"+services, up.URL))
	secure := serve(t, fmt.Sprintf("version: 1\n"+tlsConfig(cert)+services, up.URL))
	pair, err := tls.LoadX509KeyPair(cert.certFile, cert.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, target := range map[string]struct {
		addr string
		tls  bool
	}{
		"h2c": {plain.Addr, false}, "h2c of x/net alone": {bareHTTP2(t, nil), false},
		"h2": {secure.Addr, true}, "h2 of x/net alone": {bareHTTP2(t, &pair), true},
	} {
		all.Go(func() {
			cases := runH2spec(t, program, target.addr, target.tls)
			mu.Lock()
			got[name] = cases
			mu.Unlock()
		})
	}
	all.Wait()
	for _, name := range []string{"h2c", "h2"} {
		ours, alone := got[name], got[name+" of x/net alone"]
		if len(ours) < 140 || len(ours) != len(alone) {
			t.Errorf("%s: %d cases, %d with x/net alone", name, len(ours), len(alone))
		}
		failed := 0
		for what, failure := range ours {
			if failure == "" {
				continue
			}
			failed++
			if alone[what] == "" {
				t.Errorf("%s: %s fails, and not with x/net alone:\n%s", name, what, failure)
			}
		}
		t.Logf("%s: %d cases, %d failed; with x/net alone %d", name, len(ours), failed, failures(alone))
	}
}

func failures(cases map[string]string) (n int) {
	for _, failure := range cases {
		if failure != "" {
			n++
		}
	}
	return n
}

// buildH2spec builds the version of h2spec that is pinned in tools/h2spec.
func buildH2spec(t *testing.T) string {
	t.Helper()
	program := filepath.Join(scratch, "h2spec")
	build := exec.Command("go", "build", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec")
	build.Dir = filepath.Join("..", "tools", "h2spec")
	build.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building h2spec: %v\n%s", err, out)
	}
	return program
}

// runH2spec runs every case and returns how each failed, "" where it did not.
func runH2spec(t *testing.T, program, addr string, secure bool) map[string]string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	args := []string{"--host", host, "--port", port, "--timeout", "2", "--junit-report", report}
	if secure {
		args = append(args, "--tls", "--insecure")
	}
	out, _ := exec.CommandContext(t.Context(), program, args...).CombinedOutput() // it fails with any case
	b, err := os.ReadFile(report)
	if err != nil {
		t.Errorf("h2spec on %s: %v\n%s", addr, err, clip(out))
		return nil
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string `xml:"package,attr"`
				Name    string `xml:"classname,attr"`
				Failure string `xml:"failure"`
				Error   string `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b, &suites); err != nil {
		t.Errorf("h2spec's report on %s: %v", addr, err)
		return nil
	}
	cases := map[string]string{}
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			cases[c.Package+": "+c.Name] = strings.TrimSpace(c.Failure + c.Error)
		}
	}
	return cases
}

// bareHTTP2 is a server of x/net's alone, over TLS when there is a certificate.
func bareHTTP2(t *testing.T, cert *tls.Certificate) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := &http2.Server{}
	options := &http2.ServeConnOpts{
		BaseConfig: &http.Server{ErrorLog: log.New(io.Discard, "", 0)},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "hello there, how are you?")
		}),
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if cert != nil {
					tc := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2"}})
					if tc.Handshake() != nil {
						return
					}
					conn = tc
				}
				server.ServeConn(conn, options)
			}()
		}
	}()
	return l.Addr().String()
}
