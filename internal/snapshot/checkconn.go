package snapshot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// checkConnection makes one health check that asks for nothing: of type tcp a connection, of type tls one with its
// handshake, whose certificate must last.
func checkConnection(ctx context.Context, o *wire.Origin, h *catalog.Health) upstream.CheckResult {
	var a journey.Attempt
	state, ok := o.Knock(h.Timeout, h.Type == "tls", &a, &contextWatch{ctx: ctx})
	r := upstream.CheckResult{OK: ok, Took: a.Total}
	if !ok {
		late := ranOut(&a)
		r.Kind = diagnose.Kind(&a)
		r.Text = fmt.Sprintf("%s connection: %s", h.Type, r.Kind)
		if late {
			r.Text += fmt.Sprintf(" (health.timeout is %s)", h.Timeout)
		}
		return r
	}
	if h.Type != "tls" {
		return r
	}
	if c := firstToEnd(&state); c != nil && time.Until(c.NotAfter) < h.MinValidity {
		r.OK, r.Kind = false, fault.TLSCertificateExpired
		r.Text = fmt.Sprintf("the certificate of %s ends in %s, at %s (health.min_validity is %s)", c.Subject.CommonName, fault.Span(time.Until(c.NotAfter)), c.NotAfter.UTC().Format(time.RFC3339), fault.Span(h.MinValidity))
	}
	return r
}

// firstToEnd is the certificate that ends first of the verified chain that lasts longest, as a target is as unreachable
// when its issuer's certificate ends. Where nothing is verified it is the target's own.
func firstToEnd(s *tls.ConnectionState) (first *x509.Certificate) {
	for _, chain := range s.VerifiedChains {
		ends := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first == nil || ends.NotAfter.After(first.NotAfter) {
			first = ends
		}
	}
	if first == nil && len(s.PeerCertificates) > 0 {
		first = s.PeerCertificates[0]
	}
	return first
}
