package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

func clientCertificate(t *testing.T, alter func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Billing"}, NotAfter: time.Now().Add(time.Hour)}
	alter(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestByCertificate(t *testing.T) {
	spiffe, err := url.Parse("spiffe://example.org/Billing")
	if err != nil {
		t.Fatal(err)
	}
	full := clientCertificate(t, func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses = []string{"Billing.internal", "second.internal"}, []string{"Ops@example.org"}
		c.URIs, c.IPAddresses = []*url.URL{spiffe}, []net.IP{net.ParseIP("2001:db8::1")}
	})
	bare := clientCertificate(t, func(*x509.Certificate) {})
	ended := clientCertificate(t, func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"billing.internal"}, time.Now().Add(-time.Hour)
	})
	san := func(name string) catalog.CallerCertificate {
		return catalog.CallerCertificate{SAN: catalog.PlainSAN(name)}
	}
	for _, c := range []struct {
		name     string
		entry    catalog.CallerCertificate
		cert     *x509.Certificate
		verified bool
		kind     fault.Kind
	}{
		{"its hash", catalog.CallerCertificate{SHA256: sha256.Sum256(full.Raw)}, full, true, ""},
		{"its hash, without an authority", catalog.CallerCertificate{SHA256: sha256.Sum256(bare.Raw)}, bare, false, ""},
		{"another's hash", catalog.CallerCertificate{SHA256: sha256.Sum256(bare.Raw)}, full, true, fault.ClientCertUnknown},
		{"its name", san("billing.INTERNAL"), full, true, ""},
		{"its second name", san("second.internal"), full, true, ""},
		{"its e-mail address", san("Ops@example.org"), full, true, ""},
		{"an e-mail address in other case", san("ops@example.org"), full, true, fault.ClientCertUnknown},
		{"its URI", san("spiffe://example.org/Billing"), full, true, ""},
		{"its address", san("2001:DB8:0::1"), full, true, ""},
		{"its subject", catalog.CallerCertificate{Subject: "Billing"}, bare, true, ""},
		{"another name", san("other.internal"), full, true, fault.ClientCertUnknown},
		{"its name, without an authority", san("billing.internal"), full, false, fault.ClientCertUnknown},
		{"its subject, without an authority", catalog.CallerCertificate{Subject: "Billing"}, full, false, fault.ClientCertUnknown},
		{"one that has ended", san("billing.internal"), ended, true, fault.ClientCertExpired},
		{"none", san("billing.internal"), nil, true, fault.KeyMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewKeyRing(map[string]*catalog.Application{"billing": {Name: "billing", Certificates: []catalog.CallerCertificate{c.entry}}})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Certificates() {
				t.Error("no application has a certificate")
			}
			st := &tls.ConnectionState{}
			if c.cert != nil {
				st.PeerCertificates = []*x509.Certificate{c.cert}
				if c.verified {
					st.VerifiedChains = [][]*x509.Certificate{{c.cert}}
				}
			}
			f := r.ByCertificate(st)
			if f.Kind != c.kind || (f.Caller != nil) != (c.kind == "") {
				t.Fatalf("%+v, want kind %q", f, c.kind)
			}
			if (f.Kind == fault.ClientCertUnknown || f.Kind == fault.ClientCertExpired) && (f.Detail == "" || !strings.Contains(strings.Join(f.Evidence, "\n"), "sha256 ")) {
				t.Errorf("it says %q, %q", f.Detail, f.Evidence)
			}
		})
	}
	r, err := NewKeyRing(map[string]*catalog.Application{"a": {Name: "a", Certificates: []catalog.CallerCertificate{san("x")}}})
	if err != nil {
		t.Fatal(err)
	}
	if f := r.ByCertificate(nil); f.Kind != fault.KeyMissing {
		t.Errorf("without TLS: %+v", f)
	}
	if _, err := NewKeyRing(map[string]*catalog.Application{
		"a": {Name: "a", Certificates: []catalog.CallerCertificate{san("x")}}, "b": {Name: "b", Certificates: []catalog.CallerCertificate{san("x")}},
	}); err == nil {
		t.Error("two applications have the same certificate")
	}
}

func TestACertificateCostsNoAllocation(t *testing.T) {
	cert := clientCertificate(t, func(c *x509.Certificate) { c.DNSNames = []string{"billing.internal"} })
	r, err := NewKeyRing(map[string]*catalog.Application{"a": {Name: "a", Certificates: []catalog.CallerCertificate{{SAN: "billing.internal"}}}})
	if err != nil {
		t.Fatal(err)
	}
	st := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	if n := testing.AllocsPerRun(100, func() { r.ByCertificate(st) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
