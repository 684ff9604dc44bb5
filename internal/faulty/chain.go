package faulty

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"time"

	"causeway/internal/fault"
)

// chainFaults are faults of what stands above a server's certificate, of its key, and of the
// certificate that the gateway itself shows.
func chainFaults() []Fault {
	tomorrow, lastYear := time.Now().AddDate(0, 0, 1), time.Now().AddDate(-1, 0, 0)
	return []Fault{
		{
			Name: "tls_intermediate_expired", Kind: fault.TLSCertificateExpired, Row: "15",
			About: "the server's own certificate is good, the intermediate that it sends ended yesterday",
			start: https(under(func(t *x509.Certificate) { t.NotBefore, t.NotAfter = lastYear, time.Now().AddDate(0, 0, -1) })),
		},
		{
			Name: "tls_intermediate_not_yet_valid", Kind: fault.TLSCertificateNotYet, Row: "15",
			About: "the server's own certificate is good, the intermediate that it sends begins tomorrow",
			start: https(under(func(t *x509.Certificate) { t.NotBefore = tomorrow })),
		},
		{
			Name: "tls_name_constraint", Kind: fault.TLSCertificateInvalid, Row: "17",
			About: "the intermediate may sign names under inside.test alone, and signed this one",
			start: https(under(func(t *x509.Certificate) {
				t.PermittedDNSDomainsCritical, t.PermittedDNSDomains = true, []string{"inside.test"}
			})),
		},
		{
			Name: "tls_not_an_authority", Kind: fault.TLSCertificateInvalid, Row: "17",
			About: "the certificate is signed by another server's certificate",
			start: https(under(func(t *x509.Certificate) { t.IsCA, t.KeyUsage = false, x509.KeyUsageDigitalSignature })),
		},
		{
			Name: "tls_weak_signature", Kind: fault.TLSCertificateInvalid, Row: "17",
			About: "the certificate is signed with SHA-1",
			start: https(certificate(func(t *x509.Certificate) { t.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
		},
		{
			Name: "tls_chain_too_long", Kind: fault.TLSCertificateInvalid, Row: "17",
			About: "the intermediate may have no authority below it (path length 0), and has one", start: https(twoBelow),
		},
		{
			Name: "tls_pin_mismatch", Kind: fault.TLSPinMismatch, Row: "17",
			About: "the certificate is good, and its key is not the one that is pinned", start: https(otherKey),
		},
		{
			Name: "tls_client_unknown", Kind: fault.TLSClientCertRejected, Row: "18",
			About: "the client certificate that is shown is a stranger's: alert 48, unknown_ca", start: https(refuseClient(tls.VersionTLS13, true, nil)),
		},
		{
			Name: "tls_client_unknown_12", Kind: fault.TLSClientCertRejected, Row: "18",
			About: "the same under TLS 1.2, inside the handshake", start: https(refuseClient(tls.VersionTLS12, true, nil)),
		},
		{
			Name: "tls_client_expired", Kind: fault.TLSClientCertRejected, Row: "18",
			About: "the client certificate that is shown ended yesterday: alert 45, certificate_expired",
			start: https(refuseClient(tls.VersionTLS13, false, func(t *x509.Certificate) { t.NotBefore, t.NotAfter = lastYear, time.Now().AddDate(0, 0, -1) })),
		},
		{
			Name: "tls_client_wrong_usage", Kind: fault.TLSClientCertRejected, Row: "18",
			About: "the client certificate that is shown is for servers only: alert 42, bad_certificate",
			start: https(refuseClient(tls.VersionTLS13, false, func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })),
		},
	}
}

// under serves a good leaf of an intermediate authority that is not as it should be, and sends both.
func under(alter func(*x509.Certificate)) tlsConfig {
	return func(_ *site, ca *authority) (*tls.Config, error) {
		between, err := makeAltered("Faulty Lab Intermediate", ca, alter)
		if err != nil {
			return nil, err
		}
		return chained(between, between)
	}
}

// chained serves leaves of an authority with the certificates of others behind them.
func chained(signer *authority, behind ...*authority) (*tls.Config, error) {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := signer.issue(nil)
		if err != nil {
			return nil, err
		}
		for _, a := range behind {
			c.Certificate = append(c.Certificate, a.cert.Raw)
		}
		return c, nil
	}}, nil
}

func twoBelow(_ *site, ca *authority) (*tls.Config, error) {
	upper, err := makeAltered("Faulty Lab Last Intermediate", ca, func(t *x509.Certificate) { t.MaxPathLen, t.MaxPathLenZero = 0, true })
	if err != nil {
		return nil, err
	}
	lower, err := upper.intermediate("Faulty Lab Intermediate Below")
	if err != nil {
		return nil, err
	}
	return chained(lower, lower, upper)
}

// otherKey serves well, and says that another key is to be pinned.
func otherKey(s *site, ca *authority) (*tls.Config, error) {
	s.up.Pins = [][32]byte{sha256.Sum256([]byte("a key that nobody has"))}
	return certificate(nil)(s, ca)
}

// refuseClient demands a client certificate of the lab's authority and is to be shown one that is not
// good: a stranger's, or one of its own that is altered.
func refuseClient(version uint16, stranger bool, alter func(*x509.Certificate)) tlsConfig {
	return func(s *site, ca *authority) (*tls.Config, error) {
		signer := ca
		if stranger {
			var err error
			if signer, err = newAuthority("Nobody's CA"); err != nil {
				return nil, err
			}
		}
		var err error
		if s.up.ShowCertFile, s.up.ShowKeyFile, err = s.client(signer, alter); err != nil {
			return nil, err
		}
		return demandClient(version)(s, ca)
	}
}
