package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/fetch"
	"causeway/internal/journey"
	"causeway/internal/probe"
)

// status is the first part: every place directly, layer by layer, and then through the gateway.
func (d *doctor) status(ctx context.Context, s *subject) {
	for _, p := range s.places {
		d.direct[p.shown] = d.look(ctx, p)
	}
	d.throughGateway(ctx, s)
}

// look asks one place directly.
func (d *doctor) look(ctx context.Context, p *place) *look {
	l := &look{}
	if d.late(ctx, "dns", p) {
		return l
	}
	d.spelling(p)
	if p.unix() {
		d.ask(ctx, p, netip.AddrPort{}, l)
		return l
	}
	list, ok := d.names(ctx, p)
	if !ok {
		l.failed = true
		return l
	}
	open, ok := d.connections(ctx, p, list)
	if !ok {
		l.failed = true
		return l
	}
	d.ask(ctx, p, open[0], l)
	// The other family has a road, and often a configuration, of its own.
	other := slices.IndexFunc(open, func(at netip.AddrPort) bool { return at.Addr().Is4() != open[0].Addr().Is4() })
	if other >= 0 && !d.late(ctx, "other address family", p) {
		d.otherFamily(ctx, p, open[other], l)
	}
	return l
}

// late says whether the examination's time is over, and notes what was left out.
func (d *doctor) late(ctx context.Context, name string, p *place) bool {
	if ctx.Err() == nil {
		return false
	}
	d.note(Status, name, p.shown, Step{Result: Skipped, Text: "no time was left (--timeout)"})
	return true
}

// names looks the host's name up and returns the addresses that may be asked.
func (d *doctor) names(ctx context.Context, p *place) ([]netip.AddrPort, bool) {
	port, err := strconv.ParseUint(portOf(p.url), 10, 16)
	if err != nil || port == 0 {
		d.note(Status, "dns", p.shown, Step{Result: Faulty, Text: "the port " + clip(p.url.Port()) + " is none: ports are 1 to 65535"})
		return nil, false
	}
	if ip, ok := p.literal(); ok {
		return d.allowed(p, []netip.Addr{ip}, uint16(port))
	}
	end := d.begin(Status, "dns", p.shown)
	name := p.url.Hostname()
	ctx, cancel := context.WithTimeout(ctx, p.limits.connect)
	defer cancel()
	main := d.lookup(ctx, name)
	if !main.Good() {
		g := &answer{attempt: journey.Attempt{
			Target: p.target(), Phase: journey.PhaseDNS, DNSTime: main.Took, Total: main.Took, End: journey.EndDNS,
			DNS: &journey.DNSFacts{Name: name, Server: main.Server, RCode: main.RCode, Err: main.Err, Timeout: main.Timeout},
		}}
		if main.Timeout {
			g.attempt.End, g.attempt.Limit, g.attempt.LimitValue = journey.EndTimeout, "connect", p.limits.connect
		}
		step := failed(d.judge(p, g, diagnose.Input{}))
		step.Lines = append(step.Lines, answerLine(&main))
		end(step)
		return nil, false
	}
	step := Step{Result: OK, Text: fmt.Sprintf("%s is %s (%s)", name, addressList(main.Addresses), fault.Span(main.Took)), Lines: []string{answerLine(&main)}}
	d.compare(ctx, name, &main, &step)
	end(step)
	return d.allowed(p, main.Addresses, uint16(port))
}

// lookup is the answer to go by.
func (d *doctor) lookup(ctx context.Context, name string) probe.DNSAnswer {
	server := d.o.Resolver
	if server == "" && d.o.Config != nil {
		server = d.o.Config.Server.Resolver
	}
	if server == "" {
		return probe.LookupSystem(ctx, nil, name)
	}
	return probe.Lookup(ctx, server, name)
}

// compare asks the other resolvers what they say of a name.
func (d *doctor) compare(ctx context.Context, name string, main *probe.DNSAnswer, step *Step) {
	if strings.EqualFold(name, "localhost") || strings.HasSuffix(strings.ToLower(name), ".localhost") {
		return
	}
	type heard chan probe.DNSAnswer
	var answers []heard
	for _, server := range d.o.Resolvers {
		if server == main.Server {
			continue
		}
		c := make(heard, 1)
		answers = append(answers, c)
		go func() { c <- probe.Lookup(ctx, server, name) }()
	}
	for _, c := range answers {
		a := <-c
		step.Lines = append(step.Lines, answerLine(&a))
		switch {
		case !a.Good() && a.RCode == "" || a.RCode == "SERVFAIL" || a.RCode == "REFUSED":
			step.Result = Warning
			step.Lines = append(step.Lines, "lookups that go to "+a.Server+" fail or wait for the next resolver")
		case !a.Good() && main.Server == probe.System:
			step.Lines = append(step.Lines, "the address then comes from this host's own files (/etc/hosts) or from another resolver: other hosts may not know the name")
		case !a.Good():
			step.Result = Warning
		case !sameAddresses(a.Addresses, main.Addresses):
			step.Lines = append(step.Lines, "that is another answer than "+main.Server+"'s: a change that has not reached everybody, or a name with many servers")
		}
	}
}

// allowed leaves out the addresses that nobody named.
func (d *doctor) allowed(p *place, list []netip.Addr, port uint16) ([]netip.AddrPort, bool) {
	var out []netip.AddrPort
	var left []netip.Addr
	public := slices.ContainsFunc(list, fetch.IsPublic)
	for _, ip := range list {
		// A name of which all addresses are private is a name for a private server. One that has private
		// addresses among public ones was made to lead somewhere else.
		if fetch.IsPublic(ip) || d.o.AllowPrivate || p.named && !public {
			out = append(out, netip.AddrPortFrom(ip, port))
			p.asked = append(p.asked, ip)
		} else {
			left = append(left, ip)
		}
	}
	if len(left) == 0 {
		return out, true
	}
	text := "not asked: " + addressList(left) + " is private, and nobody named it (--allow-private asks it all the same)"
	if len(out) > 0 {
		d.note(Status, "addresses", p.shown, Step{Result: Warning, Kind: fault.AddressProhibited, Text: text})
		return out, true
	}
	g := &answer{attempt: journey.Attempt{Target: p.target(), End: journey.EndRefused, Kind: fault.AddressProhibited}}
	f := d.judge(p, g, diagnose.Input{Detail: text, SafeDetail: text})
	d.note(Status, "addresses", p.shown, failed(f))
	return nil, false
}

// connections connects to each address and returns those that answered.
func (d *doctor) connections(ctx context.Context, p *place, list []netip.AddrPort) ([]netip.AddrPort, bool) {
	end := d.begin(Status, "tcp", p.shown)
	found := probe.Connect(ctx, list, p.limits.connect)
	var open []netip.AddrPort
	step := Step{Result: OK}
	a := journey.Attempt{Target: p.target(), Phase: journey.PhaseConnect}
	for i := range found {
		c := &found[i]
		if c.Good() {
			open = append(open, c.Address)
			step.Lines = append(step.Lines, fmt.Sprintf("%s connects in %s", c.Address, fault.Span(c.Took)))
			continue
		}
		one := connectFacts(p, c)
		if len(a.Tries) == 0 {
			a.Address, a.End, a.Errno, a.Limit, a.LimitValue = one.Address, one.End, one.Errno, one.Limit, one.LimitValue
		}
		a.Tries = append(a.Tries, one.Tries...)
		a.ConnectTime, a.Total = max(a.ConnectTime, c.Took), max(a.Total, c.Took)
		step.Lines = append(step.Lines, fmt.Sprintf("%s: %s, %s after %s", c.Address, diagnose.Kind(&one), c.Err, fault.Span(c.Took)))
	}
	switch {
	case len(open) == 0:
		if len(a.Tries) == 1 {
			a.Tries = nil // it is the attempt itself
		}
		f := failed(d.judge(p, &answer{attempt: a}, diagnose.Input{}))
		f.Lines = step.Lines
		end(f)
		return nil, false
	case len(open) < len(found):
		step.Result = Warning
		step.Kind = diagnose.Kind(&a)
		step.Text = fmt.Sprintf("%d of %d addresses take a connection", len(open), len(found))
		if missing := missingFamily(found); missing != "" {
			step.Text += "; none of " + missing
			step.Advice = []string{"Let the server listen on " + missing + " as well (0.0.0.0 is IPv4 alone), or take those addresses out of DNS: callers that try them first wait or fail."}
		}
	default:
		if len(open) == 1 {
			step.Text, step.Lines = step.Lines[0], nil
		} else {
			step.Text = fmt.Sprintf("all %d addresses take a connection", len(open))
		}
	}
	end(step)
	return open, true
}

// connectFacts is one address that could not be connected to, as an attempt.
func connectFacts(p *place, c *probe.Connection) journey.Attempt {
	a := journey.Attempt{
		Target: p.target(), Address: c.Address.String(), Phase: journey.PhaseConnect, ConnectTime: c.Took, Total: c.Took,
		End: journey.EndErrno, Errno: c.Errno,
		Tries: []journey.AddressTry{{Address: c.Address.String(), Errno: c.Errno, Timeout: c.Timeout, Took: c.Took}},
	}
	switch {
	case c.Timeout:
		a.End, a.Limit, a.LimitValue = journey.EndTimeout, "connect", p.limits.connect
	case c.Errno == syscall.ECONNRESET:
		a.End = journey.EndReset
	}
	return a
}

// missingFamily is "IPv4" or "IPv6" where that has addresses and none of them answers.
func missingFamily(found []probe.Connection) string {
	var have, good [2]int
	for i := range found {
		f := 0
		if found[i].Address.Addr().Is6() {
			f = 1
		}
		have[f]++
		if found[i].Good() {
			good[f]++
		}
	}
	for f, name := range []string{"IPv4", "IPv6"} {
		if have[f] > 0 && good[f] == 0 {
			return name
		}
	}
	return ""
}

func answerLine(a *probe.DNSAnswer) string {
	who := a.Server
	if who == probe.System {
		who = "this host's own resolution"
	}
	if !a.Good() {
		return fmt.Sprintf("%s: %s after %s", who, a.Err, fault.Span(a.Took))
	}
	line := fmt.Sprintf("%s: %s in %s", who, addressList(a.Addresses), fault.Span(a.Took))
	if a.Alias != "" {
		line += ", by way of " + clip(a.Alias)
	}
	if a.TTL > 0 {
		line += ", kept for " + fault.Span(a.TTL)
	}
	if a.Truncated {
		line += ", over TCP"
	}
	return line
}

func addressList(list []netip.Addr) string {
	const most = 6
	words := make([]string, 0, most+1)
	for i, ip := range list {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		words = append(words, ip.String())
	}
	return strings.Join(words, ", ")
}

func sameAddresses(a, b []netip.Addr) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, netip.Addr.Compare)
	slices.SortFunc(b, netip.Addr.Compare)
	return slices.Equal(a, b)
}
