package certs

import (
	"crypto/tls"
	"strings"
)

// table finds certificates by name. It is immutable.
type table struct {
	exact    map[string][]*tls.Certificate
	wild     map[string][]*tls.Certificate // by what follows "*."
	fallback []*tls.Certificate            // for a caller that names nothing, or nothing that is known
	refuse   bool                          // a name that is not known ends the handshake
	acme     *manager
	managed  map[string]bool // the names of acme
}

// arrange makes the table anew.
func (s *Store) arrange() {
	t := &table{
		exact: map[string][]*tls.Certificate{}, wild: map[string][]*tls.Certificate{}, managed: map[string]bool{},
		refuse: s.server.TLSOptions.UnknownNames == "refuse", acme: s.acme,
	}
	for i, p := range s.pairs {
		if i == 0 || sameNames(p, s.pairs[0]) {
			t.fallback = append(t.fallback, p.cert) // one of another type for the same names belongs to it
		}
		for _, name := range p.names {
			if under, ok := strings.CutPrefix(name, "*."); ok {
				t.wild[under] = append(t.wild[under], p.cert)
			} else {
				t.exact[name] = append(t.exact[name], p.cert)
			}
		}
	}
	if s.acme != nil {
		for _, name := range s.acme.hosts {
			t.managed[name] = true
		}
	}
	s.table.Store(t)
}

func sameNames(p, q *pair) bool {
	return len(p.names) > 0 && strings.Join(p.names, " ") == strings.Join(q.names, " ")
}

// certificate is tls.Config.GetCertificate: files before the authority, an exact name before a
// wildcard. Neither a certificate nor an error makes crypto/tls send unrecognized_name.
func (s *Store) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	t := s.table.Load()
	name := strings.ToLower(hello.ServerName)
	if name != "" {
		if list := t.exact[name]; list != nil {
			return suited(hello, list), nil
		}
		if t.managed[name] {
			return t.acme.certificate(hello)
		}
		if _, under, ok := strings.Cut(name, "."); ok {
			if list := t.wild[under]; list != nil {
				return suited(hello, list), nil
			}
		}
		if t.refuse {
			return nil, nil
		}
	}
	if len(t.fallback) > 0 {
		return suited(hello, t.fallback), nil
	}
	if t.acme != nil {
		return t.acme.fallback(hello)
	}
	return nil, nil
}

// suited is the first certificate of a list that the caller can use: an old one may know RSA alone.
// When it can use none, the first says so in crypto/tls's own words.
func suited(hello *tls.ClientHelloInfo, list []*tls.Certificate) *tls.Certificate {
	if len(list) > 1 {
		for _, cert := range list {
			if usable(hello, cert) {
				return cert
			}
		}
	}
	return list[0]
}

// usable is hello.SupportsCertificate without its look at the name, which was found already.
func usable(hello *tls.ClientHelloInfo, cert *tls.Certificate) bool {
	bare := *hello
	bare.ServerName = ""
	return bare.SupportsCertificate(cert) == nil
}
