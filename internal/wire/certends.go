package wire

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"
)

// FirstToEnd is the certificate that ends first of the verified chain that lasts longest, as a target is as unreachable
// when its issuer's certificate ends. Where nothing is verified it is the target's own; nil where it showed none.
func FirstToEnd(s *tls.ConnectionState) (first *x509.Certificate) {
	for _, chain := range s.VerifiedChains {
		ends := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first == nil || ends.NotAfter.After(first.NotAfter) {
			first = ends
		}
	}
	if first == nil && len(s.PeerCertificates) > 0 {
		first = s.PeerCertificates[0]
	}
	return first
}

// noteCertificate remembers until when the certificate of a handshake that went well is good.
func (g *Origin) noteCertificate(s *tls.ConnectionState) {
	if c := FirstToEnd(s); c != nil {
		g.certEnds.Store(c.NotAfter.Unix())
	}
}

// CertificateEnds is until when the certificate that the target showed last is good (see FirstToEnd); the zero time
// where no handshake with it has gone well. It may be called concurrently.
func (g *Origin) CertificateEnds() time.Time {
	if at := g.certEnds.Load(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}
