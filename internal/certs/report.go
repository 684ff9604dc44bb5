package certs

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
)

// counts are what happened since the start.
type counts struct {
	reloadFailures atomic.Int64
	full           [2]atomic.Int64 // handshakes by version, TLS 1.2 and 1.3
	resumed        [2]atomic.Int64

	mu       sync.Mutex
	failures map[fault.Kind]int64
	said     map[fault.Kind]int64 // the second in which one was logged last
	second   int64                // of the log's limit
	lines    int
	leftOut  int
}

// mostLines is how many failed handshakes are logged in one second, beside the first of each kind; the rest are counted.
const mostLines = 5

// count is tls.Config.VerifyConnection: it is called once for every handshake that goes well.
func (s *Store) count(st tls.ConnectionState) error {
	v := 0
	if st.Version == tls.VersionTLS13 {
		v = 1
	}
	if st.DidResume {
		s.counts.resumed[v].Add(1)
	} else {
		s.counts.full[v].Add(1)
	}
	return nil
}

// Failed counts a handshake that failed, and logs it unless too many were logged in this second. name
// is what the caller asked for.
func (s *Store) Failed(remote, name string, err error) {
	now := s.o.Now()
	kind, detail := Kind(err, now)
	c := &s.counts
	c.mu.Lock()
	if c.failures == nil {
		c.failures, c.said = map[fault.Kind]int64{}, map[fault.Kind]int64{}
	}
	c.failures[kind]++
	if c.second != now.Unix() {
		c.second, c.lines = now.Unix(), 0
	}
	c.lines++
	leftOut, first := c.leftOut, c.said[kind] != c.second
	if c.lines > mostLines && !first {
		c.leftOut++
		c.mu.Unlock()
		return
	}
	c.leftOut, c.said[kind] = 0, c.second
	c.mu.Unlock()
	args := []any{"kind", string(kind), "remote", remote, "detail", clip(detail)}
	if name != "" {
		args = append(args, "server_name", clip(name))
	}
	if leftOut > 0 {
		args = append(args, "lines_left_out", leftOut)
	}
	s.o.Log.Info("TLS handshake failed", args...)
}

func clip(s string) string {
	const most = 400
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// Certificate is the state of one certificate.
type Certificate struct {
	Name      string    // its first name
	Source    string    // cert_file as it is configured, or "acme"
	NotAfter  time.Time // zero while there is none (acme)
	OCSPUntil time.Time // when what is stapled goes out of date, zero when nothing is
	OK        bool      // what its files, or the authority, last gave is in force
}

// Handshakes counts handshakes that went well.
type Handshakes struct {
	Version string // "1.2" | "1.3"
	Resumed bool
	Count   int64
}

// Report is what metrics show.
type Report struct {
	Certificates   []Certificate
	Handshakes     []Handshakes
	Failures       map[fault.Kind]int64
	ReloadFailures int64
}

// Report returns the state of everything.
func (s *Store) Report() Report {
	s.mu.Lock()
	var r Report
	for _, p := range s.pairs {
		c := Certificate{Name: nameOf(p), Source: p.files.CertFile, NotAfter: p.cert.Leaf.NotAfter, OK: p.err == nil}
		if len(p.cert.OCSPStaple) > 0 {
			c.OCSPUntil = p.staple.next
		}
		r.Certificates = append(r.Certificates, c)
	}
	if s.acme != nil {
		r.Certificates = append(r.Certificates, s.acme.report()...)
	}
	s.mu.Unlock()
	for i, version := range []string{"1.2", "1.3"} {
		r.Handshakes = append(r.Handshakes, Handshakes{version, false, s.counts.full[i].Load()}, Handshakes{version, true, s.counts.resumed[i].Load()})
	}
	r.ReloadFailures = s.counts.reloadFailures.Load()
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	r.Failures = make(map[fault.Kind]int64, len(s.counts.failures))
	for k, n := range s.counts.failures {
		r.Failures[k] = n
	}
	return r
}

// nameOf is how a certificate is called: its first name, or its subject's.
func nameOf(p *pair) string {
	switch {
	case len(p.names) > 0:
		return p.names[0]
	case len(p.cert.Leaf.IPAddresses) > 0:
		return p.cert.Leaf.IPAddresses[0].String()
	}
	return strings.ToValidUTF8(p.cert.Leaf.Subject.CommonName, "?")
}

// Problem is something about a certificate that somebody has to mend.
type Problem struct {
	Kind fault.Kind // "" for what has none: dates, an OCSP answer
	Text string
}

// Problems are what is wrong now, for /readyz; none of it keeps the door from serving.
func (s *Store) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Problem
	now := s.o.Now()
	for _, p := range s.pairs {
		if p.err != nil {
			list = append(list, Problem{fault.CertificateNotLoaded, p.err.Error()})
		}
		if p.staple.err != nil {
			list = append(list, Problem{"", p.files.CertFile + ": " + p.staple.err.Error()})
		}
		if leaf := p.cert.Leaf; now.After(leaf.NotAfter) {
			list = append(list, Problem{"", p.files.CertFile + ": the certificate has expired on " + leaf.NotAfter.UTC().Format(time.RFC3339)})
		} else if now.Before(leaf.NotBefore) {
			list = append(list, Problem{"", p.files.CertFile + ": the certificate is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339)})
		}
	}
	if s.acme != nil {
		list = append(list, s.acme.problems()...)
	}
	return slices.Clip(list)
}
