package wire

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"causeway/internal/journey"
)

// certificateFacts notes what a server that was not accepted had shown, and why that was.
func certificateFacts(f *journey.TLSFacts, bad *tls.CertificateVerificationError) {
	showCertificates(f, bad.UnverifiedCertificates)
	f.Reason = certificateReason(f, bad)
}

// showCertificates notes the server's own certificate, and how many it sent.
func showCertificates(f *journey.TLSFacts, chain []*x509.Certificate) {
	if f.Chain = len(chain); f.Chain == 0 {
		return
	}
	leaf := chain[0]
	f.Names = leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		f.Names = append(f.Names, ip.String())
	}
	showCertificate(f, leaf)
}

func showCertificate(f *journey.TLSFacts, c *x509.Certificate) {
	f.Subject, f.Issuer = c.Subject.String(), c.Issuer.String()
	f.NotBefore, f.NotAfter = c.NotBefore, c.NotAfter
}

// certificateReason is why verifying failed, as one of the words of journey.TLSFacts.Reason. For an
// issuer's certificate that is out of its dates the facts tell that one.
func certificateReason(f *journey.TLSFacts, bad *tls.CertificateVerificationError) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(bad.Err, &authority):
		return authorityReason(bad.UnverifiedCertificates)
	case errors.As(bad.Err, &host):
		return "name_mismatch"
	case !errors.As(bad.Err, &invalid):
		return "invalid"
	}
	switch invalid.Reason {
	case x509.Expired:
		return datesReason(f, bad.UnverifiedCertificates, invalid.Cert)
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return "wrong_usage"
	case x509.CANotAuthorizedForThisName, x509.UnconstrainedName, x509.NameConstraintsWithoutSANs, x509.TooManyConstraints:
		return "name_constraint"
	case x509.NotAuthorizedToSign:
		return "not_an_authority"
	case x509.TooManyIntermediates:
		return "chain_too_long"
	}
	return "invalid"
}

func datesReason(f *journey.TLSFacts, chain []*x509.Certificate, which *x509.Certificate) string {
	reason := ""
	if which != nil && len(chain) > 0 && !which.Equal(chain[0]) {
		showCertificate(f, which)
		reason = "issuer_"
	}
	if !f.NotBefore.IsZero() && time.Now().Before(f.NotBefore) {
		return reason + "not_yet_valid"
	}
	return reason + "expired"
}

// authorityReason tells what keeps a chain from leading to an authority that is trusted. crypto/x509
// has one error for all of it.
func authorityReason(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return "unknown_authority"
	}
	top := chain[0]
	if selfIssued(top) {
		return "self_signed"
	}
	for range chain {
		switch top.SignatureAlgorithm {
		case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
			return "weak_signature"
		}
		issuer := issuerIn(chain, top)
		switch {
		case issuer == nil && top == chain[0] && len(top.IssuingCertificateURL) > 0:
			// Public authorities write into each certificate where its issuer's can be had (RFC 5280
			// section 4.2.2.1): it exists, and the server does not send it.
			return "missing_intermediate"
		case issuer == nil:
			return "unknown_authority"
		case !issuer.IsCA:
			return "not_an_authority"
		case selfIssued(issuer):
			return "unknown_authority"
		}
		top = issuer
	}
	return "unknown_authority"
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

func issuerIn(chain []*x509.Certificate, c *x509.Certificate) *x509.Certificate {
	for _, other := range chain {
		if other != c && bytes.Equal(other.RawSubject, c.RawIssuer) {
			return other
		}
	}
	return nil
}

// identity is what a handshake shows of the gateway when the server asks for a certificate.
type identity struct {
	asked bool
	shown *x509.Certificate // nil: none
}

// watch returns c so that what happens is noted. The first certificate of c is shown whatever
// authorities the server names: what it says to that tells more than showing none.
func (id *identity) watch(c *tls.Config) *tls.Config {
	if c.GetClientCertificate != nil {
		return c
	}
	own := &tls.Certificate{}
	if len(c.Certificates) > 0 {
		own = &c.Certificates[0]
	}
	c = c.Clone()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		id.asked, id.shown = true, own.Leaf
		return own, nil
	}
	return c
}

// note writes it into the facts of a handshake that failed.
func (id *identity) note(f *journey.TLSFacts) {
	f.Asked = id.asked
	if c := id.shown; c != nil {
		f.Own = `"` + c.Subject.String() + `", issued by "` + c.Issuer.String() + `", valid until ` + c.NotAfter.UTC().Format("2006-01-02 15:04 UTC")
	}
}
