package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// Each handshake-level failure is provoked by a caller on a real socket, and named.
func TestEveryFailedHandshakeHasItsKind(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	l := ca.issue(t, "ecdsa", named("a.test"))
	clients, strangers := newAuthority(t, "clients"), newAuthority(t, "strangers")
	server := catalog.Server{TLS: []catalog.Certificate{dir.files(t, "a", l)}, TLSOptions: catalog.TLSOptions{UnknownNames: "refuse"}}
	open := newRig(t, server, nil)
	server.ClientAuth = &catalog.ClientAuth{CAFile: dir.put(t, "clients.pem", clients.pem()), Mode: "require"}
	mutual := newRig(t, server, nil)

	good := func() *tls.Config { return &tls.Config{ServerName: "a.test", RootCAs: ca.pool()} }
	with := func(l *leaf) *tls.Config {
		c, pair := good(), l.pair()
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		return c
	}
	raw := func(write string, reset bool) func(*rig) {
		return func(r *rig) {
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = c.Write([]byte(write))
			if reset {
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
				return
			}
			if write == "" {
				_ = c.Close()
				return
			}
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, _ = bytes.NewBuffer(nil).ReadFrom(c)
			_ = c.Close()
		}
	}
	meet := func(c *tls.Config) func(*rig) {
		return func(r *rig) {
			if _, err := r.meet(c); err == nil {
				t.Error("the handshake went well")
			}
		}
	}
	old := good()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	cipher := good()
	cipher.MaxVersion, cipher.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256} // for an RSA certificate
	alpn := good()
	alpn.NextProtos = []string{"gopher"}
	unknown := good()
	unknown.ServerName = "b.test"
	distrusting := good()
	distrusting.RootCAs = x509.NewCertPool()
	wrongName := good()
	wrongName.ServerName, wrongName.InsecureSkipVerify = "a.test", true
	wrongName.VerifyConnection = func(tls.ConnectionState) error { return errors.New("not this one") }
	missing12 := good()
	missing12.MaxVersion = tls.VersionTLS12
	now := time.Now()

	for _, c := range []struct {
		name   string
		rig    *rig
		act    func(*rig)
		kind   fault.Kind
		detail string
	}{
		{"plain HTTP", open, raw("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", false), fault.CallerTLSPlainHTTP, `"GET /"`},
		{"the PROXY protocol", open, raw("\r\n\r\n\x00\r\nQUIT\n", false), fault.CallerTLSNotTLS, `"\r\n\r\n\x00"`},
		{"TLS 1.1", open, meet(old), fault.CallerTLSVersion, "unsupported versions"},
		{"no cipher in common", open, meet(cipher), fault.CallerTLSCipher, "no cipher suite"},
		{"another protocol inside", open, meet(alpn), fault.CallerTLSProtocol, "gopher"},
		{"an unknown name", open, meet(unknown), fault.CallerTLSUnknownName, ""},
		{"a caller that does not trust us", open, meet(distrusting), fault.CallerTLSDistrust, "alert 42"},
		{"a caller that does not like the certificate", open, meet(wrongName), fault.CallerTLSDistrust, "alert 42"},
		{"an alert of another kind", open, raw("\x15\x03\x03\x00\x02\x02\x50", false), fault.CallerTLSAlert, "alert 80"},
		{"an alert about versions", open, raw("\x15\x03\x03\x00\x02\x02\x46", false), fault.CallerTLSVersion, "alert 70"},
		{"a caller that leaves", open, raw("", false), fault.CallerTLSClosed, "closed"},
		{"a caller that resets", open, raw("\x16\x03\x01\x02\x00", true), fault.CallerTLSClosed, ""},
		{"the PROXY protocol, version 1", open, raw("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", false), fault.CallerTLSNotTLS, "server.proxy_protocol"},
		{"the PROXY protocol, version 2", open, raw("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", false), fault.CallerTLSNotTLS, "server.proxy_protocol"},
		{"SSH", open, raw("SSH-2.0-OpenSSH_9.2\r\n", false), fault.CallerTLSNotTLS, "SSH"},
		{"HTTP/2 without TLS", open, raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false), fault.CallerTLSPlainHTTP, "PRI *"},
		{"a message out of turn", open, raw("\x16\x03\x01\x00\x04\x0b\x00\x00\x00", false), fault.CallerTLSBroken, ""},
		{"a record with nonsense in it", open, raw("\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff", false), fault.CallerTLSBroken, ""},
		{"no client certificate, TLS 1.3", mutual, meet(good()), fault.ClientCertMissing, "didn't provide"},
		{"no client certificate, TLS 1.2", mutual, meet(missing12), fault.ClientCertMissing, "didn't provide"},
		{"a stranger's", mutual, meet(with(strangers.issue(t, "ecdsa", named("me.test")))), fault.ClientCertUntrusted, "strangers"},
		{"a self-signed one", mutual, meet(with((*authority)(nil).issue(t, "ecdsa", named("me.test")))), fault.ClientCertUntrusted, "me.test"},
		{"an expired one", mutual, meet(with(clients.issue(t, "ecdsa", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour)
		}))), fault.ClientCertExpired, "valid until"},
		{"one of tomorrow", mutual, meet(with(clients.issue(t, "ecdsa", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour)
		}))), fault.ClientCertNotYet, "valid from"},
		{"one for servers only", mutual, meet(with(clients.issue(t, "ecdsa", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}))), fault.ClientCertUsage, "clients"},
		{"one outside of its authority's names", mutual, meet(with(constrained(t, clients).issue(t, "ecdsa", named("elsewhere.test")))), fault.ClientCertInvalid, "not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.act(c.rig)
			select {
			case err := <-c.rig.fails:
				kind, detail := Kind(err, now)
				if kind != c.kind || !strings.Contains(detail, c.detail) {
					t.Errorf("%v is %s (%s), want %s with %q", err, kind, detail, c.kind, c.detail)
				}
				if fault.Lookup(kind) == nil {
					t.Errorf("%s is not in the catalogue", kind)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("the handshake has not failed")
			}
		})
	}
}

// constrained is an authority's subordinate that may sign names under inside.test alone. Its
// certificate goes with each that it signs.
func constrained(t *testing.T, a *authority) *authority {
	t.Helper()
	l := a.issue(t, "ecdsa", func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = "inside", true, true
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageCertSign, nil
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"inside.test"}
	})
	return &authority{l.cert, l.key}
}

func TestASilentCallerIsTimedOut(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	_ = a.SetDeadline(time.Now().Add(10 * time.Millisecond))
	err := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{{}}}).Handshake()
	if kind, _ := Kind(err, time.Now()); kind != fault.CallerTLSTimeout {
		t.Errorf("%v is %s", err, kind)
	}
}

func TestMutualTLSLetsGoodCertificatesIn(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	clients := newAuthority(t, "clients")
	server := catalog.Server{TLS: []catalog.Certificate{dir.files(t, "a", ca.issue(t, "ecdsa", named("a.test")))}}
	own := clients.issue(t, "ecdsa", named("me.test")).pair()
	self := (*authority)(nil).issue(t, "ecdsa", named("self.test")).pair()
	caFile := dir.put(t, "clients.pem", clients.pem())
	for _, c := range []struct {
		name             string
		auth             catalog.ClientAuth
		none, own, other bool // who gets in
	}{
		{"optional with an authority", catalog.ClientAuth{CAFile: caFile, Mode: "optional"}, true, true, false},
		{"required with an authority", catalog.ClientAuth{CAFile: caFile, Mode: "require"}, false, true, false},
		{"optional without one", catalog.ClientAuth{Mode: "optional"}, true, true, true},
		{"required without one", catalog.ClientAuth{Mode: "require"}, false, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server.ClientAuth = &c.auth
			r := newRig(t, server, nil)
			for what, try := range map[string]struct {
				pair tls.Certificate
				in   bool
			}{"none": {tls.Certificate{}, c.none}, "own": {own, c.own}, "self-signed": {self, c.other}} {
				_, err := r.meet(&tls.Config{ServerName: "a.test", RootCAs: ca.pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &try.pair, nil
				}})
				if (err == nil) != try.in {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}
