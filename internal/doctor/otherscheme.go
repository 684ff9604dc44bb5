package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/probe"
)

// otherScheme bounds the look whether a port speaks the other of http and https.
const otherScheme = 2 * time.Second

// Kinds that the wrong scheme shows itself as, where the server does not say so: some wait for more, some close or
// reset, some answer with bytes that are neither.
var (
	likePlainToTLS = []fault.Kind{fault.ClosedBeforeResponse, fault.ResetBeforeResponse, fault.FirstByteTimeout, fault.NotHTTP, fault.MalformedResponse}
	likeTLSToPlain = []fault.Kind{fault.TLSHandshakeTimeout, fault.TLSHandshakeClosed, fault.TLSHandshakeReset, fault.TLSProtocolError}
)

// tryOther asks a port that failed as one of the other scheme does whether it speaks that. Then the finding says so.
// Nothing secret is sent: a handshake, or a HEAD without the configuration's fields.
func (d *doctor) tryOther(ctx context.Context, p *place, at netip.AddrPort, g *answer) {
	if g.finding == nil || !at.IsValid() || p.unix() || p.proxy != 0 {
		return
	}
	was := g.finding
	switch {
	case !p.secure() && slices.Contains(likePlainToTLS, was.Kind):
		t := probe.LookAtTLS(ctx, at, probe.TLSOptions{ServerName: p.url.Hostname(), Limit: otherScheme})
		if t.Err != "" {
			return
		}
		g.finding = d.judge(p, g, diagnose.Input{Kind: fault.PlainToTLSPort})
		g.finding.Evidence = append(g.finding.Evidence, "a TLS handshake with "+at.String()+" succeeds ("+t.Version+")")
	case p.secure() && slices.Contains(likeTLSToPlain, was.Kind):
		plain, u := *p, *p.url
		u.Scheme = "http"
		plain.url, plain.tls, plain.fields, plain.protocol = &u, nil, nil, protocolOf("")
		plain.limits = limits{connect: otherScheme, send: otherScheme, firstByte: otherScheme, idle: otherScheme, total: otherScheme, ownTotal: true}
		road, err := d.open(&plain, at)
		if err != nil {
			return
		}
		defer road.Close()
		if a := d.exchange(ctx, &plain, road, request{method: http.MethodHead, path: "/"}); a.status == 0 {
			return
		}
		g.finding = d.judge(p, g, diagnose.Input{Kind: fault.TLSToPlainPort})
		g.finding.Evidence = append(g.finding.Evidence, "plain HTTP to "+at.String()+" is answered")
	default:
		return
	}
	g.finding.Evidence = append(g.finding.Evidence, "with the scheme that was given it ends as "+string(was.Kind))
}
