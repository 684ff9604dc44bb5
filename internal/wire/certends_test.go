package wire

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func TestFirstToEnd(t *testing.T) {
	at := func(days int) *x509.Certificate {
		return &x509.Certificate{NotAfter: time.Date(2030, 1, 1+days, 0, 0, 0, 0, time.UTC)}
	}
	short, long, root := at(10), at(90), at(900)
	for name, c := range map[string]struct {
		state tls.ConnectionState
		want  *x509.Certificate
	}{
		"nothing shown":            {tls.ConnectionState{}, nil},
		"not verified":             {tls.ConnectionState{PeerCertificates: []*x509.Certificate{long, short}}, long},
		"the issuer ends first":    {tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{long, short, root}}}, short},
		"the longer of two chains": {tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{long, short}, {long, root}}}, long},
	} {
		if got := FirstToEnd(&c.state); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	var g Origin
	if !g.CertificateEnds().IsZero() {
		t.Error("an end is told before any handshake")
	}
	if g.noteCertificate(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{long}}); !g.CertificateEnds().Equal(long.NotAfter) {
		t.Errorf("the end is %s", g.CertificateEnds())
	}
}
