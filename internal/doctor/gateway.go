package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/probe"
)

// throughGateway asks the service by way of the running gateway and explains where that differs from
// asking it directly.
func (d *doctor) throughGateway(ctx context.Context, s *subject) {
	const name = "through the gateway"
	switch {
	case d.o.Gateway == "":
		return
	case s.service == nil:
		if s.model == "" {
			d.note(Status, name, "", Step{Result: Skipped, Text: "no service of the gateway's configuration has this target"})
		}
		return
	}
	path, host, ok := wayIn(s.service, s.places[0])
	if !ok {
		d.note(Status, name, "", Step{Result: Skipped, Text: "no route of " + s.service.Name + " takes GET"})
		return
	}
	p, err := d.place(d.o.Gateway, nil)
	if err != nil {
		d.note(Status, name, "", Step{Result: Skipped, Text: err.Error()})
		return
	}
	p.named = true
	p.setPath(path)
	p.shown = shownURL(p.url)
	if host != "" {
		p.host = host
	}
	if d.o.Key != "" && !strings.ContainsAny(d.o.Key, "\r\n\x00") {
		p.fields = []byte("apikey: " + d.o.Key + "\r\n")
	}
	end := d.begin(Status, name, p.shown)
	at, step := d.gatewayAddress(ctx, p)
	if step != nil {
		end(*step)
		return
	}
	road, err := d.open(p, at)
	if err != nil {
		end(Step{Result: Skipped, Text: err.Error()})
		return
	}
	defer road.Close()
	g := d.exchange(ctx, p, road, request{method: http.MethodGet, path: p.requestPath(), fields: []byte("Accept: application/json\r\n")})
	end(d.beside(s, g))
}

// gatewayAddress is where the gateway listens.
func (d *doctor) gatewayAddress(ctx context.Context, p *place) (netip.AddrPort, *Step) {
	ip, ok := p.literal()
	if !ok {
		part, cancel := context.WithTimeout(ctx, p.limits.connect)
		defer cancel()
		a := probe.LookupSystem(part, nil, p.url.Hostname())
		if !a.Good() {
			return netip.AddrPort{}, &Step{Result: Skipped, Text: "the gateway's own name is not found: " + a.Err}
		}
		ip = a.Addresses[0]
	}
	at, err := netip.ParseAddrPort(netip.AddrPortFrom(ip, 0).Addr().String() + ":" + portOf(p.url))
	if ip.Is6() {
		at, err = netip.ParseAddrPort("[" + ip.String() + "]:" + portOf(p.url))
	}
	if err != nil {
		return at, &Step{Result: Skipped, Text: "the gateway's address " + p.shown + " has no port"}
	}
	return at, nil
}

// wayIn is a path, and a host, by which a caller's GET reaches what the direct request asked for.
func wayIn(svc *catalog.Service, p *place) (path, host string, ok bool) {
	for i := range svc.Routes {
		r := &svc.Routes[i]
		if !takes(r, http.MethodGet) || len(r.MatchHeaders) > 0 {
			continue
		}
		if len(r.Hosts) > 0 {
			host = strings.Replace(r.Hosts[0], "*", "www", 1)
		}
		return samplePath(r.Path), host, true
	}
	return "", "", false
}

// own is what an error of the gateway's says.
type own struct {
	Kind     fault.Kind    `json:"kind"`
	Cause    fault.Cause   `json:"cause"`
	Detail   string        `json:"detail"`
	CallID   string        `json:"call_id"`
	Retry    fault.Verdict `json:"retry"`
	Evidence []string      `json:"evidence"`
	Advice   []string      `json:"advice"`
}

// beside compares what came through the gateway with what came directly.
func (d *doctor) beside(s *subject, g *answer) Step {
	if g.status == 0 {
		if g.attempt.End == journey.EndTLS {
			// Its certificate is for the name that callers use, which need not be where it listens.
			return Step{Result: Skipped, Kind: g.finding.Kind, Text: "the gateway was not asked, as its certificate is not for this address; name it as callers do (--gateway): " + g.finding.Detail}
		}
		step := failed(g.finding)
		step.Text = "the gateway itself does not answer: " + g.finding.Detail
		step.finding = nil
		return step
	}
	lines := []string{phaseLine(&g.attempt)}
	if id := g.fields["causeway-call-id"]; id != "" {
		lines = append(lines, "the call: "+clip(id)+" (causeway explain "+clip(id)+")")
	} else {
		return Step{Result: Warning, Text: "what answers at " + shownURL(mustURL(d.o.Gateway)) + " is not Causeway: its answer has no Causeway-Call-Id", Lines: lines}
	}
	var o own
	ours := strings.HasPrefix(g.fields["content-type"], "application/problem+json") && json.Unmarshal(g.body, &o) == nil && fault.Lookup(o.Kind) != nil
	well, ill := d.outcomes(s)
	switch {
	case ours && (o.Kind == fault.KeyMissing || o.Kind == fault.KeyUnknown || o.Kind == fault.NotSubscribed || o.Kind == fault.KeyExpired) && well > 0:
		return Step{Result: Skipped, Kind: o.Kind, Text: "the gateway wants a key of an application that may call " + s.service.Name + " (--key, CAUSEWAY_KEY)", Lines: lines}
	case ours && well > 0 && ill == 0:
		step := Step{Result: Faulty, Kind: o.Kind, Lines: append(lines, differs(o.Kind)), Advice: o.Advice}
		step.Text = fmt.Sprintf("directly the target answers well, and the gateway answers %d (%s): %s", g.status, o.Kind, clip(o.Detail))
		step.finding = &fault.Finding{Kind: o.Kind, Cause: o.Cause, Status: g.status, Detail: o.Detail, Retry: o.Retry, Evidence: o.Evidence, Advice: o.Advice, Confidence: "high"}
		return step
	case ours:
		return Step{Result: Warning, Kind: o.Kind, Text: fmt.Sprintf("callers get %d (%s): %s", g.status, o.Kind, clip(o.Detail)), Lines: lines}
	case ill > 0 && g.finding == nil && g.status < 500:
		text := fmt.Sprintf("callers get %d: the gateway answers from the targets that are well (%d of %d)", g.status, well, well+ill)
		if well == 0 {
			text = fmt.Sprintf("callers get %d all the same: the target was ill for the doctor and well for the gateway, a moment apart or by another address", g.status)
		}
		return Step{Result: OK, Text: text, Lines: append(lines, "attempts: "+clip(g.fields["causeway-attempts"]))}
	}
	text := fmt.Sprintf("through the gateway it is %d in %s", g.status, fault.Span(g.took))
	for _, p := range s.places {
		l := d.direct[p.shown]
		if l == nil || l.get == nil || l.get.status == 0 {
			continue
		}
		more := g.attempt.FirstByte - l.get.attempt.FirstByte
		text += fmt.Sprintf(", directly %d in %s", l.get.status, fault.Span(l.get.took))
		if more > 50*time.Millisecond {
			text += fmt.Sprintf(": %s more until the first byte", fault.Span(more))
		}
		break
	}
	return Step{Result: OK, Text: text, Lines: lines}
}

// outcomes counts the places that were well and ill.
func (d *doctor) outcomes(s *subject) (well, ill int) {
	for _, p := range s.places {
		if l := d.direct[p.shown]; l != nil && !l.failed {
			well++
		} else {
			ill++
		}
	}
	return well, ill
}

// differs says why the gateway fails where the target itself answers.
func differs(k fault.Kind) string {
	switch k {
	case fault.NoHealthyTarget:
		return "the difference: the gateway does not ask the target, because its health checks fail; what they ask for is not what was asked here"
	case fault.BreakerOpen:
		return "the difference: the gateway does not ask the target for a while, because too many calls before this one failed"
	case fault.FirstByteTimeout, fault.ConnectTimeout, fault.IdleTimeout, fault.TotalTimeout, fault.SendTimeout:
		return "the difference: the gateway's limit is shorter than the doctor's, or its calls are heavier"
	case fault.RouteNotFound, fault.MethodNotAllowed, fault.AmbiguousPath:
		return "the difference: no route of the gateway leads there; the running configuration is another than the file's, or a route is shadowed"
	case fault.DNSNotFound, fault.DNSTimeout, fault.DNSServerFailure, fault.Unroutable, fault.EgressDenied, fault.ConnectionRefused:
		return "the difference: the gateway's process stands elsewhere than this one (another host, container, resolver or firewall rule)"
	case fault.RateLimited, fault.NoSlot:
		return "the difference: the gateway's own limits"
	}
	if e := fault.Lookup(k); e != nil && e.At == fault.AtGateway {
		return "the difference: the gateway's own rules or state"
	}
	return "the difference: what the gateway sends (its headers, Host, protocol or TLS settings), or from where"
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return u
}
