package app

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"

	"causeway/internal/catalog"
	"causeway/internal/certs"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

// certificates are the door's, nothing before openCertificates.
type certificates struct{ store *certs.Store }

// openCertificates makes the store of certificates and loads what the configuration names.
func (a *App) openCertificates(c *catalog.Catalog) error {
	o := certs.Options{NextProtos: nextProtos(), ACMEDir: filepath.Join(a.o.DataDir, "acme"), Log: a.log}
	for _, l := range a.listeners {
		tcp, ok := l.Addr().(*net.TCPAddr)
		switch {
		case !ok:
		case l.Spec.Plain && o.PlainPort == 0:
			o.PlainPort = tcp.Port
		case !l.Spec.Plain && o.TLSPort == 0:
			o.TLSPort = tcp.Port
			if !tcp.IP.IsUnspecified() {
				o.ListenHost = tcp.IP.String()
			}
		}
	}
	a.certs.store = certs.New(o)
	a.onClose(a.certs.store.Close)
	return a.certs.store.Load(c.Server)
}

// nextProtos are the protocols inside TLS beside HTTP/2: curl --http1.0 offers the latter alone.
func nextProtos() []string { return []string{"http/1.1", "http/1.0"} }

// config is the door's, nil when there are no certificates.
func (c *certificates) config() *tls.Config {
	if c.store == nil {
		return nil
	}
	return c.store.Config()
}

// handshakeFailed counts and logs a TLS handshake of a caller that did not end well.
func (a *App) handshakeFailed(f wire.HandshakeFailure) {
	remote := ""
	if f.Remote.IsValid() {
		remote = f.Remote.String()
	}
	a.certs.store.Failed(remote, f.ServerName, f.Err)
}

// certificateWarnings are what is wrong with certificates, for /readyz.
func (a *App) certificateWarnings() []string {
	if a.certs.store == nil {
		return nil
	}
	var list []string
	for _, p := range a.certs.store.Problems() {
		text := p.Text
		if p.Kind != "" {
			text = string(p.Kind) + ": " + text
		}
		list = append(list, text)
	}
	return list
}

// tlsFigures are what metrics show of TLS with callers.
func (a *App) tlsFigures() meter.TLS {
	if a.certs.store == nil {
		return meter.TLS{}
	}
	r := a.certs.store.Report()
	t := meter.TLS{ReloadFailures: r.ReloadFailures, Failures: map[string]int64{}}
	for _, c := range r.Certificates {
		t.Certificates = append(t.Certificates, meter.Certificate(c))
	}
	for _, h := range r.Handshakes {
		t.Handshakes = append(t.Handshakes, meter.Handshakes(h))
	}
	for k, n := range r.Failures {
		t.Failures[string(k)] = n
	}
	return t
}

// trustFiles are the files that a configuration is compiled from: authorities, and the gateway's own
// certificates for upstreams. Those that it shows to callers are read again by themselves.
func trustFiles(c *catalog.Catalog) []string {
	var list []string
	add := func(files ...string) {
		for _, f := range files {
			if f != "" {
				list = append(list, f)
			}
		}
	}
	if c.Server.ClientAuth != nil {
		add(c.Server.ClientAuth.CAFile)
	}
	if c.Server.ACME != nil {
		add(c.Server.ACME.CAFile)
	}
	for _, s := range c.Services {
		add(s.Upstream.TLS.CAFile, s.Upstream.TLS.CertFile, s.Upstream.TLS.KeyFile)
	}
	for _, p := range c.Providers {
		add(p.TLS.CAFile, p.TLS.CertFile, p.TLS.KeyFile)
	}
	return list
}

// challenge answers an ACME authority on a plain address.
func (c *certificates) challenge(ctx context.Context, host, path string) ([]byte, bool) {
	if c.store == nil {
		return nil, false
	}
	return c.store.Challenge(ctx, host, path)
}
