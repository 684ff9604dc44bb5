// Package certs holds the certificates that the gateway shows to its callers, and what it asks of
// theirs. Certificates come from files, which are read again when they change, and from an ACME
// authority (RFC 8555), which certmagic speaks to. One is chosen by the name that a caller asks for.
//
//	certs.go    the store: loading, reloading, the configuration that the door has
//	pair.go     a certificate and its key in files, with an OCSP answer to staple
//	choose.go   which certificate a caller is shown
//	failure.go  the kind of a handshake that failed
//	report.go   counts, and what is wrong at the moment
//	acme.go     certificates from an authority
//	zap.go      certmagic's log in ours
package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/catalog"
)

// Options are what New needs. The zero value works, without ACME.
type Options struct {
	// NextProtos are the protocols spoken inside TLS, the preferred one first (ALPN); none: http/1.1.
	NextProtos []string
	// ACMEDir is where certificates from an authority are kept; required if there is server.acme.
	ACMEDir string
	// ListenHost and TLSPort are where the door listens, for TLS-ALPN-01; port 0 is for a door without one.
	ListenHost string
	TLSPort    int
	// PlainPort is that of an address of the gateway's that speaks plain HTTP and asks Challenge, 0 for none.
	PlainPort int
	Log       *slog.Logger
	Now       func() time.Time // nil: time.Now

	// RenewEvery is how often certificates from an authority are looked at; 0 is certmagic's 10 minutes.
	RenewEvery time.Duration
}

// Store is the door's certificates. Its methods may be called concurrently.
type Store struct {
	o Options

	mu     sync.Mutex // for Load, Check and Close
	server catalog.Server
	pairs  []*pair
	asked  string // what was asked of callers' certificates, to notice a change
	acme   *manager

	outer atomic.Pointer[tls.Config] // what the door has; nil: no TLS
	inner atomic.Pointer[tls.Config] // what it says to ordinary callers at the moment
	table atomic.Pointer[table]

	counts counts
}

// New makes a store without certificates.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.NextProtos) == 0 {
		o.NextProtos = []string{"http/1.1"}
	}
	return &Store{o: o}
}

// Config is the configuration for the door, nil when there are no certificates. It stays the same
// over a reload, so that a caller's session can be resumed after it: crypto/tls makes the keys of
// session tickets itself, a new one each day, and forgets one after seven. Only a change in what is
// asked of callers' certificates makes a new one: a session must not carry who somebody was then.
func (s *Store) Config() *tls.Config { return s.outer.Load() }

// Load puts the listener's TLS settings in force. On an error those before stay. A pair of files that
// was in force and cannot be read any more does not count as an error: it stays as it was loaded.
func (s *Store) Load(c catalog.Server) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pairs, err := s.loadPairs(c.TLS)
	if err != nil {
		return err
	}
	auth, pool, asked, err := clientAuth(c.ClientAuth)
	if err != nil {
		return err
	}
	next, err := s.prepare(c.ACME)
	if err != nil {
		return err
	}
	before := s.acme
	s.server, s.pairs, s.acme = c, pairs, next
	s.arrange()
	if before != nil && before != next {
		before.close()
	}
	if len(pairs) == 0 && next == nil {
		s.outer.Store(nil)
		s.inner.Store(nil)
		return nil
	}
	s.inner.Store(&tls.Config{
		MinVersion: minVersion(c.TLSOptions.MinVersion), CipherSuites: cipherSuites(c.TLSOptions.Ciphers), NextProtos: alpn(s.o.NextProtos, c.HTTP2.Enabled),
		GetCertificate: s.certificate, ClientAuth: auth, ClientCAs: pool, VerifyConnection: s.count, Time: s.o.Now,
	})
	if s.outer.Load() == nil || asked != s.asked {
		s.asked = asked
		s.outer.Store(&tls.Config{
			MinVersion: tls.VersionTLS12, GetConfigForClient: s.configFor, GetCertificate: s.certificate, Time: s.o.Now,
		})
	}
	if next != nil && next != before {
		return next.begin()
	}
	return nil
}

// loadPairs loads what is new or has changed and keeps the rest.
func (s *Store) loadPairs(list []catalog.Certificate) ([]*pair, error) {
	var pairs []*pair
	for _, files := range list {
		i := slices.IndexFunc(s.pairs, func(p *pair) bool { return p.files == files })
		if i < 0 {
			p, err := newPair(files, s.o.Now())
			if err != nil {
				return nil, err
			}
			s.tell(p)
			pairs = append(pairs, p)
			continue
		}
		p := s.pairs[i]
		if !p.unchanged() {
			s.reload(p)
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// Check looks at the files of certificates, reads those again that have changed and are quiet since
// the last look, and leaves out OCSP answers that are out of date. It is cheap while nothing has
// changed, and is meant to be called about twice a second.
func (s *Store) Check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for _, p := range s.pairs {
		switch {
		case p.settled():
			s.reload(p)
			changed = true
		case p.stapleEnds(s.o.Now()):
			s.o.Log.Warn("the OCSP answer is out of date and no longer stapled", "certificate", p.files.CertFile, "file", p.files.OCSPFile, "ended", p.staple.next.UTC().Format(time.RFC3339))
			changed = true
		}
	}
	if changed {
		s.arrange()
	}
}

// reload reads a pair's files again; what is no good leaves it as it was.
func (s *Store) reload(p *pair) {
	if err := p.load(s.o.Now()); err != nil {
		s.counts.reloadFailures.Add(1)
		s.o.Log.Error("the certificate was not replaced", "kind", "certificate_not_loaded", "certificate", p.files.CertFile, "error", err.Error(), "in_use_until", p.cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
		return
	}
	s.tell(p)
}

// tell logs a certificate that came into force.
func (s *Store) tell(p *pair) {
	leaf := p.cert.Leaf
	s.o.Log.Info("certificate in force", "certificate", p.files.CertFile, "names", p.names, "until", leaf.NotAfter.UTC().Format(time.RFC3339), "stapled", len(p.cert.OCSPStaple) > 0)
	if p.staple.err != nil {
		s.o.Log.Warn("the OCSP answer is not stapled", "certificate", p.files.CertFile, "file", p.files.OCSPFile, "error", p.staple.err.Error())
	}
	if now := s.o.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		s.o.Log.Warn("the certificate is outside of its dates", "certificate", p.files.CertFile, "from", leaf.NotBefore.UTC().Format(time.RFC3339), "until", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}

// configFor answers an ACME authority that asks for its proof, and everybody else with what is in force.
func (s *Store) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if t := s.table.Load(); t != nil && t.acme != nil && isChallenge(hello) {
		return t.acme.challenge, nil
	}
	return s.inner.Load(), nil // nil when TLS was switched off as this caller came: the outer one serves it
}

// Close ends what works for an authority.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acme != nil {
		s.acme.close()
		s.acme = nil
		s.arrange()
	}
	return nil
}

func minVersion(text string) uint16 {
	if text == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// goodCiphers are the suites of TLS 1.2 that are spoken unless the file names others: forward secret
// and authenticated, which is Mozilla's "intermediate" profile without finite-field Diffie-Hellman.
var goodCiphers = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func cipherSuites(names []string) []uint16 {
	if len(names) == 0 {
		return goodCiphers
	}
	var ids []uint16
	for _, suite := range tls.CipherSuites() {
		if slices.Contains(names, suite.Name) {
			ids = append(ids, suite.ID)
		}
	}
	return ids
}

// clientAuth is what is asked of callers' certificates, and a text that tells one such rule from another.
func clientAuth(c *catalog.ClientAuth) (auth tls.ClientAuthType, pool *x509.CertPool, asked string, err error) {
	if c == nil {
		return tls.NoClientCert, nil, "", nil
	}
	auth = tls.RequestClientCert
	if c.CAFile == "" {
		if c.Mode == "require" {
			auth = tls.RequireAnyClientCert
		}
		return auth, nil, c.Mode, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return auth, nil, "", fmt.Errorf("reading server.client_auth.ca_file: %w", err)
	}
	if pool, err = catalog.Authorities(pem); err != nil {
		return auth, nil, "", fmt.Errorf("reading server.client_auth.ca_file: %s %w", c.CAFile, err)
	}
	auth = tls.VerifyClientCertIfGiven
	if c.Mode == "require" {
		auth = tls.RequireAndVerifyClientCert
	}
	sum := sha256.Sum256(pem)
	return auth, pool, c.Mode + string(sum[:]), nil
}
