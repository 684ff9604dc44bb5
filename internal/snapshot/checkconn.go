package snapshot

import (
	"context"
	"fmt"
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
	state, ok := o.Knock(h.Timeout, h.Type == "tls", &a, &wire.ContextWatch{Context: ctx})
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
	if c := wire.FirstToEnd(&state); c != nil && time.Until(c.NotAfter) < h.MinValidity {
		r.OK, r.Kind = false, fault.TLSCertificateExpired
		r.Text = fmt.Sprintf("the certificate of %s ends in %s, at %s (health.min_validity is %s)", c.Subject.CommonName, fault.Span(time.Until(c.NotAfter)), c.NotAfter.UTC().Format(time.RFC3339), fault.Span(h.MinValidity))
	}
	return r
}
