package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"causeway/internal/certs/acmetest"
)

// secureClient calls over TLS, with a certificate of its own if there is one.
func secureClient(t *testing.T, roots *x509.CertPool, own *signed) *http.Client {
	t.Helper()
	cfg := &tls.Config{RootCAs: roots, ServerName: "gw.test"}
	if own != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own.pair, nil }
	}
	tr := &http.Transport{TLSClientConfig: cfg}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// A client certificate says who calls where a call has no key.
func TestClientCertificateIsACredential(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	ca, clients := newAuthority(t, "server authority"), newAuthority(t, "client authority")
	door := ca.issue(t, "gw.test")
	billing, pinned, stranger, reporting := clients.issue(t, "billing.internal"), clients.issue(t, "anything"), clients.issue(t, "nobody"), clients.issue(t, "reporting.internal")
	const key = "e2e-key-of-an-application"
	g := serve(t, fmt.Sprintf(`
version: 1
server:
  tls: [{cert_file: %q, key_file: %q}]
  client_auth: {ca_file: %q}
services:
  s:
    routes: [{path: /s/*}]
    upstream: {targets: %s}
applications:
  billing: {certificates: [{san: billing.internal}], subscribes: [s]}
  pinned: {certificates: [{sha256: %q}], subscribes: [s]}
  reporting: {certificates: [{subject: reporting.internal}]}
  keyed: {keys: [%s], subscribes: [s]}
`, door.certFile, door.keyFile, clients.file, f.targets(), pinned.fingerprint(), key))

	for _, c := range []struct {
		name        string
		own         *signed
		header      []string
		line        string
		application string
		says        string
	}{
		{"a name", billing, nil, "200 OK", "billing", ""},
		{"a fingerprint", pinned, nil, "200 OK", "pinned", ""},
		{"without a subscription", reporting, nil, "403 Forbidden (not_subscribed)", "reporting", "reporting"},
		{"a key beside it wins", billing, []string{"apikey", key}, "200 OK", "keyed", ""},
		{"a wrong key beside it fails", billing, []string{"apikey", "e2e-key-that-nobody-has"}, "401 Unauthorized (key_unknown)", "", ""},
		{"one that nobody has", stranger, nil, "401 Unauthorized (client_certificate_unknown)", "", stranger.fingerprint()},
		{"none and no key", nil, nil, "401 Unauthorized (key_missing)", "", "client certificate: none was shown"},
		{"none and a key", nil, []string{"apikey", key}, "200 OK", "keyed", ""},
	} {
		a := fetch(t, secureClient(t, ca.pool, c.own), "GET", g.URL+"/s/x", nil, c.header...)
		want(t, c.name, a.line, c.line)
		rec := g.record(t, a.id)
		want(t, c.name+": application", rec.Application, c.application)
		if c.says != "" {
			contains(t, c.name+": the body", string(a.body), c.says)
		}
	}

	// One that ends while its connection stands is refused at the next call, and the connection closed.
	short := clients.issue(t, "billing.internal")
	short.renew(t, clients, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(5*time.Second)
	}, "billing.internal")
	conn, err := tls.Dial("tcp", g.Addr, &tls.Config{RootCAs: ca.pool, ServerName: "gw.test", Certificates: []tls.Certificate{short.pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stands := &caller{Conn: conn, br: bufio.NewReader(conn)}
	stands.send(t, "GET /s/x HTTP/1.1\r\nHost: gw.test\r\n\r\n")
	want(t, "before its end", stands.read(t, "GET").line, "200 OK")
	time.Sleep(time.Until(short.cert.NotAfter.Add(1100 * time.Millisecond))) // dates have no fractions of a second
	stands.send(t, "GET /s/x HTTP/1.1\r\nHost: gw.test\r\n\r\n")
	a, closes := stands.readLast(t, "GET")
	want(t, "after its end", a.line, "400 Bad Request (client_certificate_expired)")
	want(t, "the connection ends", closes, true)
}

// Handshakes that fail are counted by kind, logged with a limit, and harm nobody.
func TestFailedHandshakesAreNamed(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	ca, clients, strangers := newAuthority(t, "server authority"), newAuthority(t, "client authority"), newAuthority(t, "strangers")
	door := ca.issue(t, "gw.test")
	own := clients.issue(t, "me")
	g := serve(t, fmt.Sprintf("version: 1\nserver:\n  tls: [{cert_file: %q, key_file: %q}]\n  tls_options: {unknown_names: refuse}\n  client_auth: {ca_file: %q, mode: require}\nservices:\n", door.certFile, door.keyFile, clients.file)+
		openService("s", "targets: "+f.targets()), withArgs("--log", "json"))
	shake := func(name string, version uint16, own *signed) error {
		cfg := &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}
		if own != nil {
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own.pair, nil }
		}
		c, err := tls.Dial("tcp", g.Addr, cfg)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1)) // TLS 1.3 refuses a certificate after the handshake
		return err
	}
	for _, c := range []struct {
		kind string
		err  error
	}{
		{"client_certificate_missing", shake("gw.test", tls.VersionTLS13, nil)},
		{"client_certificate_untrusted", shake("gw.test", tls.VersionTLS13, strangers.issue(t, "me"))},
		{"caller_tls_version", shake("gw.test", tls.VersionTLS11, own)},
		{"caller_tls_unknown_name", shake("elsewhere.test", tls.VersionTLS13, own)},
	} {
		if c.err == nil || c.err == io.EOF {
			t.Errorf("%s: the caller is told %v", c.kind, c.err)
		}
		eventually(t, c.kind+" is counted", func() bool {
			return g.metric(t, fmt.Sprintf("causeway_tls_handshake_failures_total{kind=%q}", c.kind)) == 1
		})
		if _, ok := g.errs.find(patience, func(line string) bool {
			return strings.Contains(line, `"TLS handshake failed"`) && strings.Contains(line, `"kind":"`+c.kind+`"`) && strings.Contains(line, `"remote":"127.0.0.1:`)
		}); !ok {
			t.Errorf("%s is not in the log:\n%s", c.kind, g.errs.all())
		}
	}

	// Plain HTTP is answered in plain HTTP.
	plain := dial(t, g.Addr)
	plain.send(t, "GET /s/x HTTP/1.1\r\nHost: gw.test\r\n\r\n")
	a, _ := plain.readLast(t, "GET")
	want(t, "plain HTTP", a.line, "400 Bad Request (caller_tls_plain_http)")
	contains(t, "its body", string(a.body), `begin its URL with https://",`)

	// A flood of them writes a few lines.
	begun := time.Now()
	nonsense := func() {
		c, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("\x00\x01\x02\x03\x04\x05"))
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
	for range 200 {
		nonsense()
	}
	eventually(t, "they are counted", func() bool {
		return g.metric(t, `causeway_tls_handshake_failures_total{kind="caller_tls_not_tls"}`) == 200
	})
	if n, most := strings.Count(g.errs.all(), "caller_tls_not_tls"), 5*int(2+time.Since(begun).Seconds()); n > most {
		t.Errorf("%d lines for 200 handshakes in %v", n, time.Since(begun))
	}
	eventually(t, "the log tells what it left out", func() bool { // in the first line of another second
		nonsense()
		return strings.Contains(g.errs.all(), `"lines_left_out":`)
	})
	want(t, "a good caller", who(t, secureClient(t, ca.pool, own), g.URL+"/s/x"), "a")
	if g.metric(t, fmt.Sprintf("causeway_certificate_expiry_timestamp_seconds{name=\"gw.test\",source=%q}", door.certFile)) != float64(door.cert.NotAfter.Unix()) {
		t.Error("the certificate's end is not in the metrics")
	}
}

// mutual is an upstream that demands a client certificate and says whose it got.
func mutual(t *testing.T, server *signed, clients *authority) (url string, sawSerial *atomic.Value) {
	t.Helper()
	sawSerial = &atomic.Value{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sawSerial.Store(r.TLS.PeerCertificates[0].SerialNumber.String())
		_, _ = io.WriteString(w, "a")
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.pool}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, sawSerial
}

// The gateway shows a certificate of its own to upstreams, reads it again when it changes, and holds
// an upstream to pinned keys.
func TestMutualTLSAndPinsUpstream(t *testing.T) {
	t.Parallel()
	ca, clients := newAuthority(t, "upstream authority"), newAuthority(t, "gateway authority")
	server, own := ca.issue(t, "up.test"), clients.issue(t, "gateway")
	url, saw := mutual(t, server, clients)
	config := func(more string) string {
		return "version: 1\nservices:\n" + openService("s", fmt.Sprintf("targets: [{url: %q}], tls: {ca_file: %q%s}", url, ca.file, more))
	}
	mine := fmt.Sprintf(", cert_file: %q, key_file: %q", own.certFile, own.keyFile)
	g := serve(t, config(mine))
	c := client(t)
	want(t, "with a certificate", who(t, c, g.URL+"/s/x"), "a")
	want(t, "the one that it was shown", fmt.Sprint(saw.Load()), own.cert.SerialNumber.String())

	generation := g.generation(t)
	own.renew(t, clients, nil, "gateway")
	g.awaitGeneration(t, generation+1)
	eventually(t, "its successor is shown", func() bool {
		who(t, c, g.URL+"/s/x")
		return saw.Load() == own.cert.SerialNumber.String()
	})

	reconfigure := func(more string) *answer {
		t.Helper()
		n := g.generation(t)
		g.configure(t, config(more))
		g.awaitGeneration(t, n+1)
		return fetch(t, c, "GET", g.URL+"/s/x", nil)
	}
	a := reconfigure("")
	want(t, "without one", a.line, "502 Bad Gateway (tls_client_certificate)")
	contains(t, "the evidence", string(a.body), "the gateway has none")
	strangers := newAuthority(t, "strangers").issue(t, "gateway")
	a = reconfigure(fmt.Sprintf(", cert_file: %q, key_file: %q", strangers.certFile, strangers.keyFile))
	want(t, "a stranger's", a.line, "502 Bad Gateway (tls_client_certificate_rejected)")
	contains(t, "the evidence", string(a.body), `was shown that of \"CN=gateway\", issued by \"CN=strangers\"`)

	const spare = `"sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="`
	want(t, "its own pin", reconfigure(mine+fmt.Sprintf(", pins: [%s, %q]", spare, server.pin())).line, "200 OK")
	authority := &signed{cert: ca.cert}
	want(t, "its authority's pin", reconfigure(mine+fmt.Sprintf(", pins: [%q]", authority.pin())).line, "200 OK")
	a = reconfigure(mine + ", pins: [" + spare + "]")
	want(t, "another pin", a.line, "502 Bad Gateway (tls_pin_mismatch)")
	contains(t, "the evidence", string(a.body), server.pin())
	want(t, "its pin without its authority", reconfigure(mine+fmt.Sprintf(", insecure_skip_verify: true, pins: [%q]", server.pin())).line, "200 OK")
	a = reconfigure(mine + ", min_version: \"1.3\"")
	want(t, "TLS 1.3 alone", a.line, "200 OK")
}

// A gateway with server.acme gets a certificate from an authority, keeps it over a restart, and says
// why it has none when it is refused one.
func TestCertificatesFromAnAuthority(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	addr := freePort(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	ca := acmetest.Start(t, acmetest.Options{TLSPort: number, HTTPPort: 1, Blocked: []string{"blocked.test"}})
	config := fmt.Sprintf("version: 1\nserver:\n  acme: {hosts: [gw.test, blocked.test], directory: %q, ca_file: %q, accept_terms: true, email: ops@example.com}\nservices:\n", ca.Directory, ca.CAFile) +
		openService("s", "targets: "+f.targets())
	g := serve(t, config, listenOn(addr))
	roots, _ := ca.Roots(t)
	c := secureClient(t, roots, nil)
	eventually(t, "a call over the new certificate", func() bool {
		a, err := try(t.Context(), c, "GET", g.URL+"/s/x", nil)
		return err == nil && a.status == 200
	})
	eventually(t, "the refusal of the other name", func() bool {
		a := fetch(t, client(t), "GET", g.Console+"/readyz", nil)
		return a.status == 200 && strings.Contains(string(a.body), "certificate_not_issued: blocked.test: ") && strings.Contains(string(a.body), "rejectedIdentifier")
	})
	if _, ok := g.errs.find(patience, func(line string) bool {
		return strings.Contains(line, "kind=certificate_not_issued") && strings.Contains(line, "name=blocked.test")
	}); !ok {
		t.Errorf("the log does not tell the refusal:\n%s", g.errs.all())
	}
	want(t, "what is in force", g.metric(t, `causeway_certificate_last_reload_successful{name="gw.test",source="acme"}`), 1.0)
	want(t, "what is not", g.metric(t, `causeway_certificate_last_reload_successful{name="blocked.test",source="acme"}`), 0.0)
	for _, name := range []string{"acme"} {
		info, err := os.Stat(filepath.Join(g.Data, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s in the data folder: %v, %v", name, info, err)
		}
	}

	orders := ca.Orders()
	g.signal(t, syscall.SIGTERM)
	want(t, "exit code", g.wait(t, patience), 0)
	again := serve(t, strings.Replace(config, ", blocked.test", "", 1), listenOn(addr), inData(g.Data))
	eventually(t, "a call after the restart", func() bool {
		a, err := try(t.Context(), c, "GET", again.URL+"/s/x", nil)
		return err == nil && a.status == 200
	})
	want(t, "orders after the restart", ca.Orders(), orders)
}

// An authority that comes to the gateway's plain address (HTTP-01) is answered there, and paths beside
// its own are the services'.
func TestAnAuthorityIsAnsweredOnThePlainAddress(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	secure, plain := freePort(t), freePort(t)
	_, port, err := net.SplitHostPort(plain)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	ca := acmetest.Start(t, acmetest.Options{TLSPort: 1, HTTPPort: number})
	g := serve(t, fmt.Sprintf(`
version: 1
server:
  listen: [%q, {address: %q, tls: false}]
  acme: {hosts: [gw.test], directory: %q, ca_file: %q, accept_terms: true}
services:
  s:
    access: open
    routes: [{path: /*, hosts: ["127.0.0.1"]}]
    upstream: {targets: %s}
`, secure, plain, ca.Directory, ca.CAFile, f.targets()), listenOn(""))
	roots, _ := ca.Roots(t)
	eventually(t, "a handshake with the new certificate", func() bool {
		c, err := tls.Dial("tcp", secure, &tls.Config{ServerName: "gw.test", RootCAs: roots})
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	want(t, "a proof of the service's own", who(t, client(t), "http://"+plain+"/.well-known/acme-challenge/somebody-elses"), "a")
	want(t, "another path", who(t, client(t), "http://"+plain+"/.well-known/security.txt"), "a")
	if !strings.HasPrefix(g.URL, "https://") {
		t.Errorf("the ready line says %s", g.URL)
	}
}
