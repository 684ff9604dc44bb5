package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/wire"
)

// mostBody is how much of an answer is read.
const mostBody = 1 << 20

// answer is what came of one exchange. Nothing in it points into a connection.
type answer struct {
	method  string
	attempt journey.Attempt
	status  int // 0 when no head came
	header  func(name string) string
	fields  map[string]string // by lower-case name, the first of each
	body    []byte
	whole   bool // the body was read to its end
	endless bool // there was more than is read
	slow    bool // it still went on when its time was over
	took    time.Duration
	finding *fault.Finding // nil when nothing failed
}

// request is one request to a place.
type request struct {
	method, path string
	fields       []byte // further header lines
	body         []byte
	sign         func(head []byte, method, path string, body []byte) ([]byte, error)
}

// open makes the road to a place: over one of its addresses, or over its Unix socket.
func (d *doctor) open(p *place, at netip.AddrPort) (*wire.Origin, error) {
	o := wire.OriginOptions{URL: p.url.String(), Protocol: p.protocol, ProxyHeader: p.proxy, MaxIdle: 2}
	if !p.unix() {
		o.URL = p.url.Scheme + "://" + at.String()
	}
	if p.secure() {
		cfg := &tls.Config{MinVersion: tls.VersionTLS12}
		if p.tls != nil {
			cfg = p.tls.Clone()
		}
		if cfg.ServerName == "" {
			cfg.ServerName = p.url.Hostname()
		}
		o.TLS = cfg
	}
	return wire.NewOrigin(o)
}

// exchange makes one request and reads the answer, all of it bounded. With reuse the connection may be
// a kept one.
func (d *doctor) exchange(ctx context.Context, p *place, road *wire.Origin, rq request) *answer {
	g := &answer{method: rq.method, fields: map[string]string{}}
	g.header = func(name string) string { return g.fields[name] }
	began := time.Now()
	defer func() { g.took = time.Since(began) }()

	host := p.host
	if host == "" {
		host = road.Host
	}
	head := []byte(rq.method + " " + rq.path + " HTTP/1.1\r\nHost: " + host + "\r\n")
	for _, field := range [...]string{"User-Agent: causeway-doctor\r\n", "Accept: */*\r\n"} {
		if name, _, _ := strings.Cut(field, ":"); headField(rq.fields, name) == "" {
			head = append(head, field...)
		}
	}
	head = append(append(head, p.fields...), rq.fields...)
	if rq.body != nil {
		if headField(rq.fields, "content-type") == "" {
			head = append(head, "Content-Type: application/json\r\n"...)
		}
		head = append(head, "Content-Length: "+strconv.Itoa(len(rq.body))+"\r\n"...)
	}
	if rq.sign != nil {
		signed, err := rq.sign(head, rq.method, rq.path, rq.body)
		if err != nil {
			g.finding = d.judge(p, g, diagnose.Input{Kind: fault.ProviderKeyRejected, Evidence: []string{err.Error()}})
			return g
		}
		head = signed
	}
	head = append(head, "\r\n"...)
	total := p.limits.total
	if dl, ok := ctx.Deadline(); ok {
		total = min(total, time.Until(dl))
	}
	call := wire.Call{
		Head: head, Body: rq.body, Length: int64(len(rq.body)), IsHead: rq.method == "HEAD",
		Limits: wire.AttemptLimits{
			Connect: p.limits.connect, Send: p.limits.send, FirstByte: p.limits.firstByte, Idle: p.limits.idle,
			Total: total, Until: wire.Now() + int64(total),
		},
	}
	w := &wire.ContextWatch{Context: ctx}
	up := road.Try(&call, &g.attempt, w)
	g.attempt.Target = p.target()
	if up == nil {
		d.ranOut(p, g)
		g.finding = d.judge(p, g, diagnose.Input{})
		return g
	}
	g.read(up)
	up.Release()
	g.attempt.Target = p.target()
	d.ranOut(p, g)
	d.conclude(p, g)
	return g
}

// read takes the answer over.
func (g *answer) read(up *wire.Upcall) {
	g.status = up.Response.Status
	h := &up.Response.Header
	for i := range h.Fields {
		name := strings.ToLower(string(h.Fields[i].Name))
		if _, there := g.fields[name]; !there && len(g.fields) < 200 {
			g.fields[name] = string(h.Fields[i].Value)
		}
	}
	for {
		p, err := up.Next()
		g.body = append(g.body, p...)
		if err == io.EOF || err == nil && up.Complete() {
			g.whole = true
			g.attempt.End, g.attempt.Phase = journey.EndComplete, journey.PhaseDone
			return
		}
		if err != nil {
			return
		}
		if len(g.body) >= mostBody {
			g.endless = true
			g.body = g.body[:mostBody]
			g.attempt.End = journey.EndOpen
			return
		}
	}
}

// ranOut names the limit that passed where it was one of the doctor's own for the whole exchange: that
// of the phase in which it passed says more. A body that still came is slow, which need not be wrong.
func (d *doctor) ranOut(p *place, g *answer) {
	a := &g.attempt
	if a.End != journey.EndTimeout || a.Limit != "total" || !p.limits.ownTotal {
		return
	}
	switch {
	case a.Phase <= journey.PhaseTLS:
		a.Limit = "connect"
	case a.Phase == journey.PhaseSend:
		a.Limit = "send"
	case a.Phase == journey.PhaseWait:
		a.Limit = "first_byte"
	case a.Phase == journey.PhaseHead:
		// A head that trickles in for so long: the limit stays that of the whole.
	case a.Silence >= a.LimitValue/2:
		a.Limit = "idle"
	default:
		g.slow = true
		a.End = journey.EndOpen
	}
}

// conclude judges an answer whose head came.
func (d *doctor) conclude(p *place, g *answer) {
	a := &g.attempt
	if a.End != journey.EndComplete && a.End != journey.EndOpen {
		if g.events() && a.End == journey.EndTimeout {
			a.End = journey.EndOpen // a stream of events may be silent
			return
		}
		g.finding = d.judge(p, g, diagnose.Input{Status: g.status})
		return
	}
	seen := &diagnose.Answer{Status: g.status, Header: g.header, Body: g.body[:min(len(g.body), 1024)]}
	kind := diagnose.Passed(g.status, g.header)
	switch {
	case kind == "" && !p.secure() && diagnose.SaysPlainToTLS(g.status, g.body):
		kind = fault.PlainToTLSPort
	case kind == "" && g.status == 101:
		kind = fault.UnexpectedUpgrade
	case kind == "":
		return
	}
	g.finding = d.judge(p, g, diagnose.Input{Kind: kind, Answer: seen, Passed: true})
}

func (g *answer) events() bool {
	return strings.HasPrefix(g.fields["content-type"], "text/event-stream")
}

// judge makes the finding of an exchange.
func (d *doctor) judge(p *place, g *answer, in diagnose.Input) *fault.Finding {
	in.Service, in.Method, in.Idempotent, in.Time = p.service, g.method, true, time.Now()
	if p.asking != nil {
		in.Provider, in.Model, in.LLM = p.asking.provider, p.asking.model, true
	}
	in.Attempts, in.Host = []journey.Attempt{g.attempt}, d.host
	return diagnose.Judge(in)
}

// text is the body without a coding; ok is false when it could not be undone.
func (g *answer) text() (text []byte, ok bool) {
	switch strings.ToLower(strings.TrimSpace(g.fields["content-encoding"])) {
	case "", "identity":
		return g.body, true
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(g.body))
		if err != nil {
			return nil, false
		}
		out, err := io.ReadAll(io.LimitReader(z, mostBody))
		return out, err == nil || !g.whole && len(out) > 0
	}
	return nil, true // a coding that is not read here
}

// location is where an answer sends its caller, nil when it does not.
func (g *answer) location(from *url.URL) (*url.URL, error) {
	switch g.status {
	case 301, 302, 303, 307, 308:
	default:
		return nil, nil
	}
	l := g.fields["location"]
	if l == "" {
		return nil, errors.New("it has no Location")
	}
	return from.Parse(l)
}
