package catalog

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// PEMError is what is wrong with the text of a certificate's or a key's file. It does not name the file.
type PEMError struct {
	OfKey bool // it is about the key's file, else about the certificates'
	// Mismatch is true where each file is good, and they do not belong together.
	Mismatch bool
	Line     int    // where in that file, from 1; 0 for what has no place
	What     string // as a predicate: "holds no certificate in PEM"
	Fix      string // what would be right
}

// Error is What and Fix.
func (e *PEMError) Error() string { return e.What + "; " + e.Fix }

// KeyPair reads a certificate, with those that follow it, and its private key. Unlike tls.X509KeyPair it passes over
// nothing that was meant to be read: a block that is cut short or damaged is an error, since a chain without it is
// accepted by some callers and refused by others. A byte order mark before the first block is no harm. Every error is
// a *PEMError.
func KeyPair(cert, key []byte) (tls.Certificate, error) {
	cert, key = withoutMark(cert), withoutMark(key)
	certs, bad := pemBlocks(cert)
	if bad == nil {
		bad = mustHold(certs, "CERTIFICATE", "certificate")
	}
	if bad != nil {
		return tls.Certificate{}, bad
	}
	if bad = readableKey(key); bad != nil {
		bad.OfKey = true
		return tls.Certificate{}, bad
	}
	pair, failed := tls.X509KeyPair(cert, key)
	switch text := fmt.Sprint(failed); {
	case failed == nil:
		return pair, nil
	case strings.Contains(text, "does not match"):
		return pair, mismatch(certs, key)
	case strings.Contains(text, "in certificate input") || strings.Contains(text, "x509: malformed") || unreadable(certs):
		return pair, &PEMError{What: "holds no certificate that can be read", Fix: "name a file whose first certificate is whole: " + strings.TrimPrefix(text, "x509: ")}
	}
	return pair, noKey()
}

func noKey() *PEMError {
	return &PEMError{OfKey: true, What: "holds no private key in PEM that can be used", Fix: "name a file that begins with -----BEGIN PRIVATE KEY----- and has no passphrase"}
}

// Authorities reads the certificates to trust. One that is cut short or damaged is an error, one of a kind that
// crypto/x509 cannot read is passed over, as the bundles of systems hold such, unless it is the only one. The error is
// a *PEMError.
func Authorities(text []byte) (*x509.CertPool, error) {
	text = withoutMark(text)
	blocks, bad := pemBlocks(text)
	if bad == nil {
		bad = mustHold(blocks, "CERTIFICATE", "certificate")
	}
	if bad != nil {
		return nil, bad
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &PEMError{Line: blocks[0].line, What: "holds no certificate that can be read", Fix: "name a file of X.509 certificates in PEM"}
	}
	return pool, nil
}

func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// pemBlock is a block and the line that it begins at.
type pemBlock struct {
	*pem.Block
	line int
}

// pemBlocks are all blocks of a text.
func pemBlocks(text []byte) (list []pemBlock, bad *PEMError) {
	line := 1
	for {
		at := nextBegin(text)
		if at < 0 {
			return list, nil
		}
		line += bytes.Count(text[:at], []byte("\n"))
		text = text[at:]
		block, rest := pem.Decode(text)
		// pem.Decode passes over what it cannot read to the next that it can.
		if took := text[:len(text)-len(rest)]; block == nil || nextBegin(took[1:]) >= 0 || block.Type == "CERTIFICATE" && !whole(block.Bytes) {
			return nil, &PEMError{Line: line, What: fmt.Sprintf("has a block at its line %d that is cut short or damaged", line), Fix: "write the file again, whole, and rename it into place"}
		}
		list = append(list, pemBlock{block, line})
		line += bytes.Count(text[:len(text)-len(rest)], []byte("\n"))
		text = rest
	}
}

// whole tells whether DER is as long as it says that it is: base64 that lost a line may still be base64.
func whole(der []byte) bool {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	return err == nil && len(rest) == 0
}

// nextBegin is where the next line is that begins a block, -1 for none.
func nextBegin(text []byte) int {
	mark := []byte("-----BEGIN ")
	if bytes.HasPrefix(text, mark) {
		return 0
	}
	if at := bytes.Index(text, append([]byte("\n"), mark...)); at >= 0 {
		return at + 1
	}
	return -1
}

func mustHold(blocks []pemBlock, kind, noun string) *PEMError {
	for _, b := range blocks {
		if b.Type == kind {
			return nil
		}
	}
	e := &PEMError{What: "holds no " + noun + " in PEM", Fix: "name a file that begins with -----BEGIN " + kind + "-----"}
	if len(blocks) > 0 && blocks[0].Type != "PRIVATE KEY" && !strings.HasSuffix(blocks[0].Type, " PRIVATE KEY") {
		e.What += ", but a " + strings.ToLower(blocks[0].Type)
	}
	return e
}

// readableKey looks for what tls.X509KeyPair says too little about.
func readableKey(text []byte) *PEMError {
	blocks, bad := pemBlocks(text)
	if bad != nil {
		return bad
	}
	for _, b := range blocks {
		if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return &PEMError{Line: b.line, What: "holds a private key with a passphrase, for which nobody is there to ask", Fix: "take it off: openssl pkey -in OLD -out NEW"}
		}
		if b.Type == "PRIVATE KEY" || strings.HasSuffix(b.Type, " PRIVATE KEY") {
			return nil
		}
	}
	return noKey()
}

// mismatch tells a key of another certificate from certificates in a wrong order.
func mismatch(certs []pemBlock, key []byte) *PEMError {
	signer := privateKey(key)
	for i, b := range certs {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil || signer == nil || i == 0 {
			continue
		}
		if public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && public.Equal(signer.Public()) {
			return &PEMError{Line: b.line, What: fmt.Sprintf("has the certificate of the key at its line %d, behind another one", b.line), Fix: "put that first, then the one that signed it, and so on"}
		}
	}
	return &PEMError{OfKey: true, Mismatch: true, What: "is not the key of the certificate", Fix: "name the key that the certificate was made for"}
}

func privateKey(text []byte) crypto.Signer {
	blocks, _ := pemBlocks(text)
	for _, b := range blocks {
		if k, err := x509.ParsePKCS8PrivateKey(b.Bytes); err == nil {
			signer, _ := k.(crypto.Signer)
			return signer
		}
		if k, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
			return k
		}
		if k, err := x509.ParseECPrivateKey(b.Bytes); err == nil {
			return k
		}
	}
	return nil
}

func unreadable(certs []pemBlock) bool {
	for _, b := range certs {
		if b.Type == "CERTIFICATE" {
			_, err := x509.ParseCertificate(b.Bytes)
			return err != nil
		}
	}
	return true
}

// InFile names the file that an error of KeyPair is about.
func InFile(err error, certFile, keyFile string) error {
	var bad *PEMError
	if !errors.As(err, &bad) {
		return err
	}
	file, where := certFile, ""
	if bad.OfKey {
		file = keyFile
		if bad.Mismatch {
			where = " in " + certFile
		}
	}
	return fmt.Errorf("%s %s%s; %s", file, bad.What, where, bad.Fix)
}
