package wire

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
)

// PinError is a handshake with a server that has none of the pinned keys.
type PinError struct {
	Chain []*x509.Certificate // what the server sent, its own certificate first
}

// Error tells the pin of the server's own key, in the form of RFC 7469 section 2.4.
func (e *PinError) Error() string {
	return "the server's key is not among the pinned ones; its pin is " + Pin(e.Chain[0])
}

// Pin is a certificate's key as a pin: sha256/ and the base64 of the SHA-256 of its
// SubjectPublicKeyInfo (RFC 7469 section 2.4).
func Pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

// PinnedTo is a tls.Config.VerifyConnection that lets a server through when one of the keys of its
// verified chain, root included, is pinned (RFC 7469 section 2.6). Where nothing is verified, what
// stands behind the server's own certificate proves nothing: then only its own key counts.
func PinnedTo(pins [][sha256.Size]byte) func(tls.ConnectionState) error {
	return func(st tls.ConnectionState) error {
		if len(st.PeerCertificates) == 0 {
			return errors.New("checking pins: the server sent no certificate")
		}
		chains := st.VerifiedChains
		if len(chains) == 0 {
			chains = [][]*x509.Certificate{st.PeerCertificates[:1]}
		}
		for _, chain := range chains {
			for _, c := range chain {
				if slices.Contains(pins, sha256.Sum256(c.RawSubjectPublicKeyInfo)) {
					return nil
				}
			}
		}
		return &PinError{Chain: st.PeerCertificates}
	}
}
