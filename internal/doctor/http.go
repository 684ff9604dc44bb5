package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/probe"
	"causeway/internal/wire"
)

// ask makes the exchanges over one address (none for a Unix socket) and tells them as steps.
func (d *doctor) ask(ctx context.Context, p *place, at netip.AddrPort, l *look) {
	road, err := d.open(p, at)
	if err != nil {
		l.failed = true
		d.note(Status, "get", p.shown, Step{Result: Faulty, Text: err.Error()})
		return
	}
	defer road.Close()
	if at.IsValid() {
		l.address = at.String()
	}
	if p.asking != nil {
		d.askProvider(ctx, p, at, road, l)
		return
	}
	name := "get"
	if p.secure() {
		name = "tls"
	}
	end := d.begin(Status, name, p.shown)
	g := d.exchange(ctx, p, road, request{method: http.MethodGet, path: p.requestPath()})
	d.tryOther(ctx, p, at, g)
	l.get, l.failed = g, g.finding != nil
	if p.secure() {
		if !d.security(ctx, p, at, g, end) {
			return
		}
		end = d.begin(Status, "get", p.shown)
	}
	end(d.answered(p, g))
	if l.failed && g.status == 0 {
		return
	}
	d.again(ctx, p, road, g, l)
	d.redirected(ctx, p, g)
	d.shape(p, g, l)
	d.checkHealth(p, g, l)
	d.openAPI(ctx, p, road, g)
}

// beforeHTTP says whether an exchange ended before a request could be sent.
func beforeHTTP(a *journey.Attempt) bool {
	return a.Phase <= journey.PhaseTLS || a.End == journey.EndTLS && a.Phase < journey.PhaseHead
}

// security tells what TLS shows; false means that it failed, and that nothing can be asked.
func (d *doctor) security(ctx context.Context, p *place, at netip.AddrPort, g *answer, end func(Step)) bool {
	bad := g.finding != nil && beforeHTTP(&g.attempt)
	name := p.url.Hostname()
	o := probe.TLSOptions{ServerName: name, Limit: p.limits.connect}
	if p.tls != nil {
		o.Certificates = p.tls.Certificates
		if p.tls.ServerName != "" {
			o.ServerName = p.tls.ServerName
		}
	}
	step := Step{Result: OK}
	if bad {
		step = failed(g.finding)
	}
	// A handshake that failed otherwise than by the certificate fails again, and costs its time again.
	if !bad || g.attempt.TLS != nil && len(g.attempt.TLS.Subject) > 0 {
		t := probe.LookAtTLS(ctx, at, o)
		tellTLS(&step, &t, o.ServerName, time.Now())
	}
	if !bad && step.Text == "" {
		step.Text = "the handshake takes " + fault.Span(g.attempt.TLSTime)
	}
	if !bad && p.tls != nil && p.tls.InsecureSkipVerify {
		step.Result = Warning
		step.Lines = append(step.Lines, "the certificate is not verified (tls.insecure_skip_verify)")
	}
	end(step)
	return !bad
}

// soon is when a certificate's end is worth a word.
const soon = 14 * 24 * time.Hour

// tellTLS adds what handshakes showed.
func tellTLS(step *Step, t *probe.TLS, asked string, now time.Time) {
	line := func(format string, args ...any) { step.Lines = append(step.Lines, fmt.Sprintf(format, args...)) }
	if t.Err != "" {
		line("asked for %s without verifying: %s", asked, t.Err)
		return
	}
	agreed := t.Agreed
	if agreed == "" {
		agreed = "nothing (HTTP/1.1 then)"
	}
	line("speaks %s; agreed on %s with %s, and by ALPN on %s", strings.Join(t.Versions, ", "), t.Version, t.Cipher, agreed)
	for _, old := range t.Versions {
		if old == "TLS 1.0" || old == "TLS 1.1" {
			line("%s is spoken still, which RFC 8996 forbids", old)
		}
	}
	for i := range t.Chain {
		c := &t.Chain[i]
		line("certificate %d: %s, from %s, %s, %s to %s", i+1, c.Subject, c.Issuer, c.Key, c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		if i > 0 {
			continue
		}
		if len(c.Names) > 0 {
			more := ""
			if c.MoreNames > 0 {
				more = fmt.Sprintf(" and %d more", c.MoreNames)
			}
			line("it is for %s%s", strings.Join(c.Names, ", "), more)
		}
		left := c.NotAfter.Sub(now)
		switch {
		case left < 0 || step.Result == Faulty:
		case left < soon:
			step.Result = Warning
			step.Text = "the certificate ends in " + days(left)
			step.Advice = []string{"Renew the certificate, and see why that did not happen by itself: most are renewed 30 days before their end."}
		default:
			step.Text = fmt.Sprintf("%s, a certificate that holds for %s more", t.Version, days(left))
		}
	}
}

func days(d time.Duration) string {
	if n := int(d / (24 * time.Hour)); n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return fault.Span(d)
}

// slowFrom is how long a first byte may take before it is worth a word.
const slowFrom = time.Second

// answered tells what came of a request.
func (d *doctor) answered(p *place, g *answer) Step {
	a := &g.attempt
	var step Step
	if g.finding != nil {
		step = failed(g.finding)
	} else {
		step = Step{Result: OK, Text: fmt.Sprintf("%d %s in %s", g.status, http.StatusText(g.status), fault.Span(g.took))}
	}
	step.Lines = append(step.Lines, phaseLine(a))
	if g.status == 0 {
		return step
	}
	if v := g.fields["server"]; v != "" {
		step.Lines = append(step.Lines, "Server: "+clip(v))
	}
	size := fault.Size(int64(len(g.body)))
	switch {
	case g.endless:
		size = "more than " + fault.Size(mostBody) + ", the rest was not read"
	case g.slow:
		size = fmt.Sprintf("%s, and it still went on after %s", fault.Size(int64(len(g.body))), fault.Span(p.limits.total))
		if step.Result == OK && !g.events() {
			step.Result, step.Kind = Warning, fault.TotalTimeout
			step.Text = fmt.Sprintf("%d %s, and the answer did not end within %s", g.status, http.StatusText(g.status), fault.Span(p.limits.total))
		}
	}
	step.Lines = append(step.Lines, "body: "+size)
	if g.finding != nil {
		return step
	}
	switch {
	case a.FirstByte >= slowFrom:
		step.Result = Warning
		step.Text += fmt.Sprintf(", slow: the first byte took %s", fault.Span(a.FirstByte))
	case g.status == http.StatusNotFound:
		step.Lines = append(step.Lines, "the server is there and has nothing at "+clip(p.requestPath())+": give a path that it has (--path)")
	case g.status == http.StatusUnauthorized, g.status == http.StatusForbidden:
		step.Lines = append(step.Lines, "the server is there and wants a credential, which the doctor has none of")
	}
	return step
}

// phaseLine is where the time went.
func phaseLine(a *journey.Attempt) string {
	var words []string
	add := func(name string, d time.Duration) {
		if d > 0 {
			words = append(words, name+" "+fault.Span(d))
		}
	}
	if a.Reused {
		words = append(words, "kept-alive connection")
	}
	add("connect", a.ConnectTime)
	add("tls", a.TLSTime)
	add("send", a.SendTime)
	add("first byte", a.FirstByte)
	add("total", a.Total)
	to := ""
	if a.Address != "" {
		to = a.Address + ": "
	}
	return to + strings.Join(words, ", ")
}

// again sends a second request over the kept connection, and a HEAD.
func (d *doctor) again(ctx context.Context, p *place, road *wire.Origin, first *answer, l *look) {
	if first.whole && first.finding == nil && road.Stats().Idle > 0 && !d.late(ctx, "keep-alive", p) {
		end := d.begin(Status, "keep-alive", p.shown)
		g := d.exchange(ctx, p, road, request{method: http.MethodGet, path: p.requestPath()})
		switch {
		case g.finding == nil && g.attempt.Reused:
			end(Step{Result: OK, Text: "a second request over the same connection is answered with " + fmt.Sprint(g.status), Lines: []string{phaseLine(&g.attempt)}})
		case g.finding == nil:
			end(Step{Result: OK, Text: "the connection was not kept: each call connects anew"})
		default:
			l.failed = true
			step := failed(g.finding)
			step.Lines = []string{"the first request over this connection was answered with " + fmt.Sprint(first.status), phaseLine(&g.attempt)}
			end(step)
		}
	}
	if p.asking != nil || d.late(ctx, "head", p) {
		return
	}
	end := d.begin(Status, "head", p.shown)
	g := d.exchange(ctx, p, road, request{method: http.MethodHead, path: p.requestPath()})
	step := Step{Result: OK, Text: fmt.Sprintf("HEAD is answered with %d, as GET is", g.status)}
	switch {
	case g.finding != nil && first.finding != nil && g.finding.Kind == first.finding.Kind:
		step.Text = "HEAD fails as GET does"
	case g.finding != nil:
		step = Step{Result: Warning, Kind: g.finding.Kind, Text: "HEAD fails where GET is answered: " + g.finding.Detail}
	case g.status != first.status:
		step.Text = fmt.Sprintf("HEAD is answered with %d, GET with %d", g.status, first.status)
	}
	end(step)
}

// otherFamily asks an address of the other IP version and compares.
func (d *doctor) otherFamily(ctx context.Context, p *place, at netip.AddrPort, l *look) {
	road, err := d.open(p, at)
	if err != nil || l.get == nil {
		return
	}
	defer road.Close()
	name := "ipv6"
	if at.Addr().Is4() {
		name = "ipv4"
	}
	end := d.begin(Status, name, p.shown)
	g := d.exchange(ctx, p, road, request{method: http.MethodGet, path: p.requestPath()})
	switch {
	case g.finding != nil && (l.get.finding == nil || l.get.finding.Kind != g.finding.Kind):
		step := failed(g.finding)
		step.Lines = []string{phaseLine(&g.attempt), fmt.Sprintf("over %s it is otherwise: %s", l.address, outcome(l.get))}
		l.failed = true
		end(step)
	case g.status != l.get.status:
		end(Step{Result: Warning, Text: fmt.Sprintf("%s answers %d where %s answers %d: two servers, or two configurations, behind one name", at, g.status, l.address, l.get.status)})
	default:
		end(Step{Result: OK, Text: "the same over " + at.String() + ": " + outcome(g), Lines: []string{phaseLine(&g.attempt)}})
	}
}

func outcome(g *answer) string {
	if g.finding != nil {
		return string(g.finding.Kind)
	}
	return fmt.Sprint(g.status)
}

// shape tells what the body is, and that it is not what it says it is.
func (d *doctor) shape(p *place, g *answer, l *look) {
	if g.status == 0 || g.finding != nil || g.status == http.StatusNoContent || g.status == http.StatusNotModified || g.status >= 300 && g.status < 400 {
		return
	}
	text, ok := g.text()
	if ok && text == nil {
		return
	}
	s := probe.ShapeOf(g.fields["content-type"], text, g.whole)
	if !ok {
		s.Problem = "it says Content-Encoding: " + clip(g.fields["content-encoding"]) + " and can't be unpacked"
	}
	if s.Problem != "" {
		l.failed = true
		d.note(Status, "shape", p.shown, failed(d.judge(p, g, diagnose.Input{
			Kind: fault.IncompatibleResponse, Passed: true, Evidence: []string{"the body: " + s.Problem},
			Detail: p.shown + " answers with a body that is not what it says: " + s.Problem + ".", SafeDetail: "The answer's body is not what it says it is.",
			Answer: &diagnose.Answer{Status: g.status, Header: g.header, Body: g.body[:min(len(g.body), 1024)]},
		})))
		return
	}
	d.note(Status, "shape", p.shown, Step{Result: OK, Text: shapeText(&s)})
}

func shapeText(s *probe.Shape) string {
	said := s.Said
	if said == "" {
		said = "no Content-Type"
	}
	text := said + ", "
	switch {
	case s.OpenAPI != "":
		text += "an OpenAPI " + s.OpenAPI + " description"
		if s.Title != "" {
			text += " of " + s.Title
		}
	case s.Is == "html" && s.Title != "":
		text += fmt.Sprintf("an HTML page with the title %q", s.Title)
	case s.Items >= 0:
		text += fmt.Sprintf("a JSON array of %d", s.Items)
	case len(s.Members) > 0:
		text += "a JSON object with " + strings.Join(s.Members, ", ")
	default:
		text += s.Is
	}
	return text
}

// openAPI looks whether the server describes itself at the usual place.
func (d *doctor) openAPI(ctx context.Context, p *place, road *wire.Origin, g *answer) {
	const usual = "/openapi.json"
	if p.unix() || g.finding != nil || g.status >= 400 && g.status != http.StatusNotFound || p.url.Path == usual || ctx.Err() != nil {
		return
	}
	r := d.exchange(ctx, p, road, request{method: http.MethodGet, path: usual})
	if r.finding != nil || r.status != http.StatusOK {
		return
	}
	text, _ := r.text()
	if s := probe.ShapeOf(r.fields["content-type"], text, r.whole); s.OpenAPI != "" {
		d.note(Status, "openapi", p.shown, Step{Result: OK, Text: usual + ": " + shapeText(&s)})
	}
}

// checkHealth holds the answer against what the health check of the service wants.
func (d *doctor) checkHealth(p *place, g *answer, l *look) {
	h := p.health
	if h == nil || d.o.Path != "" || g.status == 0 {
		return
	}
	switch {
	case g.status < h.StatusFrom || g.status > h.StatusTo:
		l.failed = true
		text := fmt.Sprintf("the health check asks for %s and wants %d to %d; the server answers %d: after %d checks this target gets no calls", h.Path, h.StatusFrom, h.StatusTo, g.status, h.UnhealthyAfter)
		step := Step{Result: Faulty, Kind: fault.NoHealthyTarget, Text: text}
		step.Advice = []string{"Set upstream.health.path to a path that the server answers well, or upstream.health.status to what it answers."}
		if g.finding != nil {
			step.Kind, step.finding = g.finding.Kind, g.finding
		}
		d.note(Status, "health check", p.shown, step)
	case g.took > h.Timeout:
		l.failed = true
		d.note(Status, "health check", p.shown, Step{
			Result: Faulty, Kind: fault.NoHealthyTarget,
			Text:   fmt.Sprintf("the health check waits %s (upstream.health.timeout); the server took %s", h.Timeout, fault.Span(g.took)),
			Advice: []string{fmt.Sprintf("Raise upstream.health.timeout above %s, or make %s cheap to answer.", fault.Span(g.took), h.Path)},
		})
	default:
		d.note(Status, "health check", p.shown, Step{Result: OK, Text: fmt.Sprintf("%s is answered with %d, as upstream.health wants", h.Path, g.status)})
	}
}
