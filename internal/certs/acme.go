package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// protoChallenge is what an authority speaks to see a proof in a handshake (RFC 8737 section 3).
const protoChallenge = "acme-tls/1"

// ChallengePath begins the addresses at which an authority looks for a proof (RFC 8555 section 8.3).
const ChallengePath = "/.well-known/acme-challenge/"

// manager gets certificates from an authority and renews them.
type manager struct {
	settings  string // to notice a change
	hosts     []string
	cache     *certmagic.Cache
	config    *certmagic.Config
	issuer    *certmagic.ACMEIssuer
	challenge *tls.Config // for the authority's own handshakes
	stop      context.CancelFunc

	mu      sync.Mutex
	reasons map[string]string // by host: why the last order failed
}

// ErrNotIssued is a handshake for a name that the authority has given no certificate for so far.
type ErrNotIssued struct{ Name, Reason string }

func (e *ErrNotIssued) Error() string {
	if e.Reason == "" {
		return "there is no certificate for " + e.Name + " yet: it is being asked for"
	}
	return "there is no certificate for " + e.Name + " yet: " + e.Reason
}

// prepare makes what works for an authority as c says, which is what is at work already when nothing
// has changed, and nil for a nil c. It does not begin.
func (s *Store) prepare(c *catalog.ACME) (*manager, error) {
	if c == nil {
		return nil, nil
	}
	settings := fmt.Sprintf("%+v", *c)
	var roots *x509.CertPool
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading server.acme.ca_file: %w", err)
		}
		if roots, err = catalog.Authorities(pem); err != nil {
			return nil, fmt.Errorf("reading server.acme.ca_file: %s %w", c.CAFile, err)
		}
		settings += string(pem)
	}
	if s.acme != nil && s.acme.settings == settings {
		return s.acme, nil
	}
	return s.newManager(c, settings, roots)
}

func (s *Store) newManager(c *catalog.ACME, settings string, roots *x509.CertPool) (*manager, error) {
	if s.o.ACMEDir == "" {
		return nil, errors.New("server.acme needs a data folder")
	}
	m := &manager{settings: settings, hosts: c.Hosts, reasons: map[string]string{}}
	log := zap.New(zapCore{log: s.o.Log})
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return m.config, nil },
		RenewCheckInterval: s.o.RenewEvery, Logger: log,
	})
	m.config = certmagic.New(m.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: s.o.ACMEDir}, Logger: log, DefaultServerName: c.Hosts[0],
		OnEvent: s.happened(m), ShouldEmitFunc: func(event string) bool { return event != "tls_get_certificate" },
	})
	httpPort := c.HTTPPort
	if httpPort == 0 {
		httpPort = s.o.PlainPort
	}
	m.issuer = certmagic.NewACMEIssuer(m.config, certmagic.ACMEIssuer{
		CA: c.Directory, Email: c.Email, Agreed: c.AcceptTerms, TrustedRoots: roots, Logger: log,
		DisableHTTPChallenge: httpPort == 0, AltHTTPPort: httpPort,
		DisableTLSALPNChallenge: s.o.TLSPort == 0, AltTLSALPNPort: s.o.TLSPort, ListenHost: s.o.ListenHost,
		CertObtainTimeout: time.Minute,
	})
	m.config.Issuers = []certmagic.Issuer{m.issuer}
	m.challenge = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{protoChallenge}, GetCertificate: m.config.GetCertificate}
	return m, nil
}

// begin asks for the certificates that are not there, in the background: the door must be ready for
// the authority's questions.
func (m *manager) begin() error {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	if err := m.config.ManageAsync(ctx, m.hosts); err != nil {
		return fmt.Errorf("asking for certificates: %w", err)
	}
	return nil
}

// happened is told by certmagic of each order.
func (s *Store) happened(m *manager) func(context.Context, string, map[string]any) error {
	return func(_ context.Context, event string, data map[string]any) error {
		name, _ := data["identifier"].(string)
		switch event {
		case "cert_obtained":
			m.mu.Lock()
			delete(m.reasons, name)
			m.mu.Unlock()
			s.o.Log.Info("certificate issued", "name", name, "renewal", data["renewal"], "authority", m.issuer.CA)
		case "cert_failed":
			err, _ := data["error"].(error)
			why := reasonOf(err)
			m.mu.Lock()
			m.reasons[name] = why
			m.mu.Unlock()
			s.o.Log.Error("the authority issued no certificate", "kind", string(fault.CertificateNotIssued), "name", name, "renewal", data["renewal"], "authority", m.issuer.CA, "reason", why)
		}
		return nil
	}
}

// reasonOf is an authority's own words for why it refused, or the error that kept us from asking it.
func reasonOf(err error) string {
	var p acme.Problem
	if !errors.As(err, &p) {
		return clip(fmt.Sprint(err))
	}
	const namespace = "urn:ietf:params:acme:error:" // RFC 8555 section 6.7
	text := strings.TrimPrefix(p.Type, namespace)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, sub := range p.Subproblems {
		text += "; " + sub.Identifier.Value + ": " + strings.TrimPrefix(sub.Type, namespace) + ": " + sub.Detail
	}
	return clip(text)
}

// certificate is the one for the name that a caller asks for.
func (m *manager) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, err := m.config.GetCertificate(hello)
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		return nil, &ErrNotIssued{hello.ServerName, m.reasons[hello.ServerName]}
	}
	return cert, nil
}

// fallback is the first name's certificate, for a caller who named nothing that is known.
func (m *manager) fallback(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	other := *hello
	other.ServerName = m.hosts[0]
	return m.certificate(&other)
}

func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == protoChallenge
}

// Challenge is what is answered to GET path on a plain address, where path begins with ChallengePath
// and an order of ours waits for it.
func (s *Store) Challenge(ctx context.Context, host, path string) ([]byte, bool) {
	t := s.table.Load()
	if t == nil || t.acme == nil {
		return nil, false
	}
	rq := (&http.Request{Method: http.MethodGet, Host: host, URL: &url.URL{Path: path}, RequestURI: path, Header: http.Header{}}).WithContext(ctx)
	w := proof{header: http.Header{}}
	ok := t.acme.issuer.HandleHTTPChallenge(&w, rq)
	return w.body, ok && len(w.body) > 0
}

// proof takes what certmagic answers to an authority.
type proof struct {
	header http.Header
	body   []byte
}

func (p *proof) Header() http.Header { return p.header }
func (p *proof) WriteHeader(int)     {}
func (p *proof) Write(b []byte) (int, error) {
	p.body = append(p.body, b...)
	return len(b), nil
}

// report is the state of each name.
func (m *manager) report() []Certificate {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Certificate
	for _, host := range m.hosts {
		c := Certificate{Name: host, Source: "acme", OK: m.reasons[host] == ""}
		for _, have := range m.cache.AllMatchingCertificates(host) {
			if have.Leaf != nil && have.Leaf.NotAfter.After(c.NotAfter) {
				c.NotAfter = have.Leaf.NotAfter
			}
		}
		c.OK = c.OK && !c.NotAfter.IsZero()
		list = append(list, c)
	}
	return list
}

func (m *manager) problems() []Problem {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Problem
	for _, host := range m.hosts {
		if why := m.reasons[host]; why != "" {
			list = append(list, Problem{fault.CertificateNotIssued, host + ": " + m.issuer.CA + " issued no certificate: " + why})
		}
	}
	return slices.Clip(list)
}

// close ends orders under way and gives back their locks.
func (m *manager) close() {
	if m.stop != nil {
		m.stop()
	}
	m.cache.Stop()
	certmagic.CleanUpOwnLocks(context.Background(), zap.NewNop())
}
