package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// TLS is what a server shows in handshakes. Nothing is verified here: what is shown is shown, also where
// a caller would refuse it.
type TLS struct {
	Version string        // of the handshake that Chain is from, "TLS 1.3"
	Cipher  string        // its suite
	Took    time.Duration // of that handshake
	// Agreed is what ALPN agreed on of Offered, "" for nothing.
	Agreed string
	// Versions are those that the server speaks, newest first; Asked is false when that was not found out.
	Versions []string
	Chain    []Certificate // as sent, at most 10
	OCSP     bool          // an OCSP answer is stapled
	Err      string        // why no handshake was completed, "" when one was
}

// Certificate is one that a server sent.
type Certificate struct {
	Subject   string
	Issuer    string
	Names     []string // DNS names and IP addresses, at most 20
	MoreNames int      // names left out
	NotBefore time.Time
	NotAfter  time.Time
	Key       string // "RSA 2048", "ECDSA P-256", "Ed25519"
	SHA256    string // of the whole certificate, hex
	SelfMade  bool   // subject and issuer are the same
}

// TLSOptions say what is asked for.
type TLSOptions struct {
	ServerName   string            // SNI
	Certificates []tls.Certificate // shown when the server asks
	Limit        time.Duration     // of each handshake, connecting included
}

const (
	mostCertificates = 10
	mostNames        = 20
)

var versions = []uint16{tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS11, tls.VersionTLS10}

// LookAtTLS completes a handshake to see the certificates, and then one for each version of TLS to see
// which of them are spoken.
func LookAtTLS(ctx context.Context, at netip.AddrPort, o TLSOptions) TLS {
	var t TLS
	began := time.Now()
	s, err := handshake(ctx, at, o, tls.VersionTLS10, tls.VersionTLS13)
	t.Took = time.Since(began)
	if err != nil {
		t.Err = plainError(err)
		return t
	}
	t.Version, t.Cipher, t.Agreed = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol
	t.OCSP = len(s.OCSPResponse) > 0
	for _, c := range s.PeerCertificates[:min(len(s.PeerCertificates), mostCertificates)] {
		t.Chain = append(t.Chain, certificate(c))
	}
	for _, v := range versions {
		if v == s.Version {
			t.Versions = append(t.Versions, tls.VersionName(v))
		} else if _, err := handshake(ctx, at, o, v, v); err == nil {
			t.Versions = append(t.Versions, tls.VersionName(v))
		}
	}
	return t
}

func handshake(ctx context.Context, at netip.AddrPort, o TLSOptions, least, most uint16) (*tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	nc, done, err := dialFor(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	defer done()
	c := tls.Client(nc, &tls.Config{
		ServerName: o.ServerName, MinVersion: least, MaxVersion: most, Certificates: o.Certificates,
		NextProtos: []string{"h2", "http/1.1"},
		// Looking is all that is done: no request follows, and what is wrong with the certificate is to
		// be shown and not to end the handshake.
		InsecureSkipVerify: true,
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	s := c.ConnectionState()
	return &s, nil
}

func certificate(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	v := Certificate{
		Subject: clip(c.Subject.String()), Issuer: clip(c.Issuer.String()), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		Key: keyName(c.PublicKey), SHA256: hex.EncodeToString(sum[:]), SelfMade: slices.Equal(c.RawSubject, c.RawIssuer),
	}
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) > mostNames {
		v.MoreNames = len(names) - mostNames
		names = names[:mostNames]
	}
	for _, name := range names {
		v.Names = append(v.Names, clip(name))
	}
	return v
}

func keyName(k any) string {
	switch k := k.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}

// clip bounds what a stranger wrote.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
