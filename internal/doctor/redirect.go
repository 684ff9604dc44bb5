package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/fetch"
	"causeway/internal/wire"
)

// mostRedirects is how many are followed.
const mostRedirects = 10

// redirected follows where an answer sends its caller. What is sent on the way carries nothing of the
// configuration: neither headers nor certificates.
func (d *doctor) redirected(ctx context.Context, p *place, g *answer) {
	next, err := g.location(p.url)
	if next == nil && err == nil {
		return
	}
	end := d.begin(Status, "redirects", p.shown)
	step := Step{Result: OK}
	seen := map[string]bool{p.url.String(): true}
	status, at := g.status, p.url
	for hop := 1; ; hop++ {
		if err != nil {
			step.Result, step.Text = Faulty, fmt.Sprintf("%s answers %d, and where to is not to be understood: %v", shownURL(at), status, errorOf(err))
			break
		}
		next.Fragment = ""
		step.Lines = append(step.Lines, fmt.Sprintf("%d: %s -> %s", status, shownURL(at), shownURL(next)))
		if seen[next.String()] {
			step.Result = Faulty
			step.Text = fmt.Sprintf("the redirects go round: after %d of them %s comes again", hop, shownURL(next))
			step.Advice = []string{"Find out which of the servers sends back: mostly one redirects to https and the other, which does not see X-Forwarded-Proto, to http; or one adds a slash and the other takes it off."}
			break
		}
		seen[next.String()] = true
		if hop > mostRedirects {
			step.Result = Faulty
			step.Text = fmt.Sprintf("more than %d redirects, each to another address", mostRedirects)
			break
		}
		if ctx.Err() != nil {
			step.Result, step.Text = Skipped, "no time was left (--timeout)"
			break
		}
		r, refused := d.follow(ctx, p, next)
		if refused != nil {
			refused.Lines = step.Lines
			step = *refused
			break
		}
		if r.finding != nil {
			f := failed(r.finding)
			f.Lines = append(step.Lines, phaseLine(&r.attempt))
			step = f
			break
		}
		status, at = r.status, next
		next, err = r.location(at)
		if next == nil && err == nil {
			step.Text = fmt.Sprintf("after %d of them %s answers %d %s", hop, shownURL(at), r.status, http.StatusText(r.status))
			d.difference(&step, p.url, at)
			break
		}
	}
	end(step)
}

// difference says what of the address the redirects changed, which is what a configuration should say
// in the first place.
func (d *doctor) difference(step *Step, from, to *url.URL) {
	var words []string
	if from.Scheme != to.Scheme {
		words = append(words, from.Scheme+" became "+to.Scheme)
	}
	if from.Host != to.Host {
		words = append(words, "the host became "+clip(to.Host))
	}
	if from.Path+"/" == to.Path {
		words = append(words, "a slash was added at the end")
	}
	if len(words) > 0 {
		step.Lines = append(step.Lines, strings.Join(words, ", ")+": naming that address at once saves a round trip, and calls that are not GET")
	}
}

// follow asks where a redirect leads; the step is set when it is not asked.
func (d *doctor) follow(ctx context.Context, from *place, to *url.URL) (*answer, *Step) {
	refuse := func(result Result, kind fault.Kind, format string, args ...any) (*answer, *Step) {
		return nil, &Step{Result: result, Kind: kind, Text: "a redirect leads to " + shownURL(to) + fmt.Sprintf(format, args...)}
	}
	if to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "" {
		return refuse(Warning, "", ", which is not asked: it is not HTTP")
	}
	p := &place{url: to, shown: shownURL(to), host: to.Host, limits: from.limits}
	if to.Scheme == "https" {
		p.protocol = wire.ProtocolAuto
	}
	same := to.Scheme == from.url.Scheme && strings.EqualFold(authority(to), authority(from.url))
	if same {
		p.tls = from.tls
	}
	port, err := strconv.ParseUint(portOf(to), 10, 16)
	if err != nil || port == 0 {
		return refuse(Faulty, "", ", whose port is none")
	}
	var addresses []netip.Addr
	if ip, ok := p.literal(); ok {
		addresses = []netip.Addr{ip}
	} else {
		part, cancel := context.WithTimeout(ctx, p.limits.connect)
		defer cancel()
		a := d.lookup(part, to.Hostname())
		if !a.Good() {
			return refuse(Faulty, fault.DNSNotFound, ", whose name is not found: %s", a.Err)
		}
		addresses = a.Addresses
	}
	for _, ip := range addresses {
		// What was named may be asked again, under the name and port it was named by, where it was then.
		if !fetch.IsPublic(ip) && !d.o.AllowPrivate && !(same && slices.Contains(from.asked, ip)) {
			return refuse(Warning, fault.AddressProhibited, " at the private address %s, which nobody named: it was not asked (--allow-private asks it)", ip)
		}
	}
	road, err := d.open(p, netip.AddrPortFrom(addresses[0], uint16(port)))
	if err != nil {
		return refuse(Faulty, "", ": %v", err)
	}
	defer road.Close()
	return d.exchange(ctx, p, road, request{method: http.MethodGet, path: p.requestPath()}), nil
}
