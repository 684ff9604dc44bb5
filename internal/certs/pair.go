package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"causeway/internal/catalog"
)

// pair is a certificate and its key in two files, and an OCSP answer in a third where there is one.
type pair struct {
	files  catalog.Certificate
	cert   *tls.Certificate // never changed: another one takes its place
	names  []string         // lower case
	staple staple

	stamps  stamps // of the files as they were last read
	pending stamps // as they were at the last look, when that was another state
	err     error  // why the files as they are now are not in force
}

// staple is an OCSP answer (RFC 6960).
type staple struct {
	next time.Time // when it goes out of date, zero without one
	gone bool      // it has
	err  error     // why the file is not used, nil when it is or there is none
}

// newPair reads a pair for the first time.
func newPair(files catalog.Certificate, now time.Time) (*pair, error) {
	p := &pair{files: files}
	return p, p.load(now)
}

// load reads the files. On an error everything but err stays as it was.
func (p *pair) load(now time.Time) error {
	p.stamps, p.pending = stampsOf(p.files), stamps{}
	cert, err := readPair(p.files)
	if err != nil {
		p.err = fmt.Errorf("loading the certificate: %w", err)
		return p.err
	}
	if cert.Leaf == nil { // with GODEBUG x509keypairleaf=0
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			p.err = fmt.Errorf("loading the certificate %s: %w", p.files.CertFile, err)
			return p.err
		}
	}
	p.err = nil
	cert.OCSPStaple, p.staple = loadStaple(p.files.OCSPFile, &cert, now)
	p.cert, p.names = &cert, namesOf(cert.Leaf)
	return nil
}

// readPair reads the two files. Its error names the one that is no good.
func readPair(files catalog.Certificate) (tls.Certificate, error) {
	cert, err := os.ReadFile(files.CertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(files.KeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := catalog.KeyPair(cert, key)
	if err != nil {
		return pair, catalog.InFile(err, files.CertFile, files.KeyFile)
	}
	return pair, nil
}

// namesOf are the names that a certificate may be chosen by.
func namesOf(leaf *x509.Certificate) []string {
	var names []string
	for _, name := range leaf.DNSNames {
		names = append(names, strings.ToLower(strings.TrimSuffix(name, ".")))
	}
	return names
}

// loadStaple reads an OCSP answer and sees that it is about this certificate, by its authority, good
// and fresh.
func loadStaple(file string, cert *tls.Certificate, now time.Time) ([]byte, staple) {
	if file == "" {
		return nil, staple{}
	}
	der, next, err := readStaple(file, cert, now)
	return der, staple{next: next, err: err}
}

func readStaple(file string, cert *tls.Certificate, now time.Time) (der []byte, next time.Time, err error) {
	if der, err = os.ReadFile(file); err != nil {
		return nil, next, fmt.Errorf("reading the OCSP answer: %w", err)
	}
	if len(cert.Certificate) < 2 {
		return nil, next, errors.New("reading the OCSP answer: who signed it can't be checked, because cert_file lacks the issuer's certificate")
	}
	issuer, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		return nil, next, fmt.Errorf("reading the OCSP answer: the issuer's certificate: %w", err)
	}
	r, err := ocsp.ParseResponseForCert(der, cert.Leaf, issuer)
	switch {
	case err != nil:
		return nil, next, fmt.Errorf("reading the OCSP answer: %w", err)
	case r.Status == ocsp.Revoked:
		return nil, next, fmt.Errorf("the authority says that the certificate is revoked since %s", r.RevokedAt.UTC().Format(time.RFC3339))
	case r.Status != ocsp.Good:
		return nil, next, errors.New("the authority says that it does not know the certificate")
	case r.NextUpdate.IsZero():
		return nil, next, errors.New("the OCSP answer does not say how long it is fresh")
	case now.Before(r.ThisUpdate):
		return nil, next, fmt.Errorf("the OCSP answer is from the future: %s", r.ThisUpdate.UTC().Format(time.RFC3339))
	case !now.Before(r.NextUpdate):
		return nil, next, fmt.Errorf("the OCSP answer is out of date since %s", r.NextUpdate.UTC().Format(time.RFC3339))
	}
	return der, r.NextUpdate, nil
}

// stapleEnds takes an answer that is out of date off the certificate, and tells whether it did.
func (p *pair) stapleEnds(now time.Time) bool {
	if p.staple.next.IsZero() || p.staple.gone || now.Before(p.staple.next) {
		return false
	}
	p.staple.gone = true
	p.staple.err = fmt.Errorf("the OCSP answer is out of date since %s", p.staple.next.UTC().Format(time.RFC3339))
	bare := *p.cert
	bare.OCSPStaple = nil
	p.cert = &bare
	return true
}

// stamps are what the files of a pair looked like.
type stamps [3]os.FileInfo

func stampsOf(files catalog.Certificate) (s stamps) {
	for i, name := range []string{files.CertFile, files.KeyFile, files.OCSPFile} {
		if name != "" {
			s[i], _ = os.Stat(name) // one that is missing is nil, which differs from one that is there
		}
	}
	return s
}

func (s stamps) same(o stamps) bool {
	for i, a := range s {
		b := o[i]
		if (a == nil) != (b == nil) || a != nil && (a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) || !os.SameFile(a, b)) {
			return false
		}
	}
	return true
}

// unchanged tells whether the files are as they were when they were last read.
func (p *pair) unchanged() bool { return p.stamps.same(stampsOf(p.files)) }

// settled tells whether the files have changed since they were read and not since the last look: a
// program that is still writing the second one is not disturbed.
func (p *pair) settled() bool {
	now := stampsOf(p.files)
	if p.stamps.same(now) {
		p.pending = stamps{}
		return false
	}
	if p.pending.same(now) {
		return true
	}
	p.pending = now
	return false
}
