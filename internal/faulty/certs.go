package faulty

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// authority is a certificate authority made in memory. Its methods may be called concurrently.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // where write put the certificate, "" before
}

// newAuthority makes a root that is valid for ten years.
func newAuthority(name string) (*authority, error) {
	return makeAuthority(name, nil)
}

// intermediate makes an authority that a signed.
func (a *authority) intermediate(name string) (*authority, error) {
	return makeAuthority(name, a)
}

func makeAuthority(name string, by *authority) (*authority, error) {
	return makeAltered(name, by, nil)
}

// makeAltered makes an authority whose certificate is not as it should be; alter may be nil.
func makeAltered(name string, by *authority, alter func(*x509.Certificate)) (*authority, error) {
	now := time.Now()
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Causeway fault lab"}},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	if alter != nil {
		alter(t)
	}
	der, key, err := sign(t, by)
	if err != nil {
		return nil, fmt.Errorf("making authority %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making authority %s: %w", name, err)
	}
	return &authority{cert: cert, key: key}, nil
}

// sign makes a key and a certificate for it, signed by an authority or, with nil, by itself.
func sign(t *x509.Certificate, by *authority) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	parent, signer := t, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	return der, key, err
}

// leaf describes the certificate of a healthy server on loopback; alter may be nil.
func leaf(alter func(*x509.Certificate)) *x509.Certificate {
	now := time.Now()
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "orders.test", Organization: []string{"Causeway fault lab"}},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.AddDate(1, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"orders.test", "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if alter != nil {
		alter(t)
	}
	return t
}

// issue makes a leaf with its key; a may be nil for a self-signed one.
func (a *authority) issue(alter func(*x509.Certificate)) (*tls.Certificate, error) {
	der, key, err := sign(leaf(alter), a)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// pool holds the authority alone.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// write puts the authority's certificate into a PEM file.
func (a *authority) write(name string) error {
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(name, block, 0o644); err != nil {
		return fmt.Errorf("writing the authority's certificate: %w", err)
	}
	a.file = name
	return nil
}

// writeClient issues a client certificate and writes it and its key into PEM files; alter may be nil.
func (a *authority) writeClient(certFile, keyFile string, alter func(*x509.Certificate)) error {
	c, err := a.issue(func(t *x509.Certificate) {
		t.Subject.CommonName = "gateway.test"
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if alter != nil {
			alter(t)
		}
	})
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return fmt.Errorf("encoding the client's key: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	if err := os.WriteFile(certFile, block, 0o644); err != nil {
		return fmt.Errorf("writing the client's certificate: %w", err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
		return fmt.Errorf("writing the client's key: %w", err)
	}
	return nil
}
