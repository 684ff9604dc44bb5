package snapshot

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"os"
	"slices"

	"causeway/internal/catalog"
	"causeway/internal/wire"
)

// upstreamTLS is how the targets of an upstream are spoken to over https, and a text that tells one
// such way from another: connections are not kept over a change of the files, either. Without
// settings it is nil, the system's roots and the target's own name.
func upstreamTLS(t catalog.UpstreamTLS) (*tls.Config, string, error) {
	cfg := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if t.MinVersion == "1.3" {
		cfg.MinVersion = tls.VersionTLS13
	}
	key := fmt.Sprintf("%s\x00%v\x00%x", t.ServerName, t.InsecureSkipVerify, cfg.MinVersion)
	if key == noSettings && t.CAFile == "" && t.CertFile == "" && len(t.Pins) == 0 {
		return nil, "", nil
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, "", fmt.Errorf("reading tls.ca_file: %w", err)
		}
		if cfg.RootCAs, err = catalog.Authorities(pem); err != nil {
			return nil, "", fmt.Errorf("reading tls.ca_file: %s %w", t.CAFile, err)
		}
		key += "\x00ca" + digest(pem)
	}
	if t.CertFile != "" {
		own, text, err := clientCertificate(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, "", err
		}
		cfg.Certificates = []tls.Certificate{own}
		key += "\x00cert" + text
	}
	if len(t.Pins) > 0 {
		cfg.VerifyConnection = wire.PinnedTo(t.Pins)
		key += fmt.Sprintf("\x00pins%x", t.Pins)
	}
	return cfg, key, nil
}

// noSettings is upstreamTLS's text for the defaults.
var noSettings = fmt.Sprintf("\x00false\x00%x", tls.VersionTLS12)

// clientCertificate reads the certificate that the gateway shows to an upstream.
func clientCertificate(certFile, keyFile string) (tls.Certificate, string, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("reading tls.cert_file: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("reading tls.key_file: %w", err)
	}
	pair, err := catalog.KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("loading tls.cert_file: %w", catalog.InFile(err, certFile, keyFile))
	}
	return pair, digest(cert) + digest(key), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// certificateFields are those in which a proxy passes on the certificate of a caller (RFC 9440, and
// Envoy's own). Where the gateway asks callers for certificates, upstreams may take them for its word.
var certificateFields = []string{"Client-Cert", "Client-Cert-Chain", "X-Forwarded-Client-Cert"}

// headerRules are an upstream's, with what must not come from callers.
func (b *builder) headerRules(h catalog.HeaderRules) catalog.HeaderRules {
	if b.asked {
		h.Remove = append(slices.Clone(h.Remove), certificateFields...)
	}
	return h
}
