package gateway

import (
	"bytes"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/route"
	"causeway/internal/wire"
)

// signpost is room 3: from host, method and path to the service or model that the call is for.
func (c *call) signpost() bool {
	if string(c.rq.Method) == "CONNECT" {
		c.allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
		return c.fail(failure{
			kind:   fault.MethodNotAllowed,
			detail: "CONNECT asks for a forward proxy; this is a gateway before services.",
			safe:   "CONNECT asks for a forward proxy; this is a gateway before services.",
		})
	}
	if c.ownAddress() {
		return true
	}
	if done, ok := c.llmAddress(); done {
		return ok
	}
	res := c.gen.Routes.Match(c.j.Method, c.rq.Authority, c.rq.Path, c.headerLookup())
	switch res.Status {
	case route.Found:
		c.route = &c.gen.Entries[res.Rule]
		c.svc = c.route.Service
		c.upstream = c.svc.Upstream
		c.details = c.svc.Details
		c.j.Service, c.j.Route = c.svc.Name, c.route.Pattern
		c.slot.SetService(c.svc.Name)
		return c.looped()
	case route.MethodNotAllowed:
		c.allow = res.Allow
		return c.fail(failure{
			kind:     fault.MethodNotAllowed,
			detail:   c.j.Method + " is not among the methods of " + c.j.Path + "; it takes " + res.Allow + ".",
			safe:     "This address does not take " + c.j.Method + "; it takes " + res.Allow + ".",
			evidence: c.nearMisses(),
		})
	case route.Ambiguous:
		return c.fail(failure{
			kind:     fault.AmbiguousPath,
			detail:   "The path can be read in two ways, which belong to different routes: as it stands and as " + string(res.Reading) + ".",
			safe:     "The path can be read in two ways, which belong to different routes.",
			evidence: []string{"route: " + c.gen.Entries[res.Rule].Pattern, "route of the other reading: " + c.gen.Entries[res.Other].Pattern},
		})
	case route.BadPath:
		if string(c.rq.Path) == "*" { // lawful, but nobody's: RFC 9110 section 9.3.7
			const text = "OPTIONS * asks about the server as a whole, and no route takes that; ask about a path."
			return c.fail(failure{kind: fault.RouteNotFound, detail: text, safe: text})
		}
		return c.fail(failure{kind: fault.MalformedRequest, detail: "The request's path is not valid: " + res.Err.Error() + ".", safe: "The request's path is not valid: " + res.Err.Error() + "."})
	}
	if c.knocks() {
		return true
	}
	if c.unserved() {
		text := "This version of the gateway does not serve " + c.j.Method + " " + c.j.Path + "; its LLM addresses are " + c.addresses() + "."
		return c.fail(failure{kind: fault.RouteNotFound, detail: text, safe: text})
	}
	if meant := c.misplaced(); meant != "" {
		base, _, _ := strings.Cut(meant, "/v1")
		text := "No route takes " + c.j.Method + " " + c.j.Path + "; the model's address is " + meant + ": give an SDK the base URL http://HOST:PORT" + base + "/v1."
		return c.fail(failure{kind: fault.RouteNotFound, detail: text, safe: text})
	}
	return c.fail(failure{
		kind:     fault.RouteNotFound,
		detail:   "No route takes " + c.j.Method + " " + c.j.Path + hostText(c.j.Host) + ".",
		safe:     "No route takes this method and path.",
		evidence: c.nearMisses(),
	})
}

// knocks tells whether the call is a HEAD of the root, which agents and load balancers send to see whether somebody is
// there (Claude Code to its base URL, to have the connection ready). It is answered where no service has a route for it.
func (c *call) knocks() bool {
	if c.j.Method != "HEAD" || c.gen.LLMOff || len(c.gen.Dialects) == 0 || !c.gen.LLMHost(c.j.Host) || c.hostIsNamed() {
		return false
	}
	if root, ok := strings.CutPrefix(c.j.Path, c.gen.LLMPrefix); !ok || root != "/" && root != "" {
		return false
	}
	c.own, c.knocked, c.j.Route = true, true, "/"
	return true
}

func hostText(host string) string {
	if host == "" {
		return ""
	}
	return " on host " + host
}

func (c *call) headerLookup() route.Header {
	if !c.gen.HeaderConditions {
		return nil
	}
	return c.rq.Header.Lookup
}

func (c *call) nearMisses() (lines []string) {
	for _, m := range c.gen.Routes.NearMisses(c.j.Method, c.rq.Authority, c.rq.Path, c.rq.Header.Lookup, 3) {
		lines = append(lines, m.Text)
	}
	return lines
}

var ownPrefix = []byte("/.causeway/")

// ownAddress tells whether the call is for one of the gateway's own pages. On a host that a
// service names, that service wins.
func (c *call) ownAddress() bool {
	if len(c.rq.Path) < 2 || c.rq.Path[1] != '.' {
		return false
	}
	if _, ok := c.challenge(); ok {
		c.own = true
		c.j.Route = challengePrefix + "*"
		return true
	}
	if !bytes.HasPrefix(c.rq.Path, ownPrefix) || c.hostIsNamed() {
		return false
	}
	c.own = true
	c.j.Route = "/.causeway/*"
	return true
}

// hostIsNamed tells whether a service route that names this host takes the path.
func (c *call) hostIsNamed() bool {
	if !c.gen.NamedHosts {
		return false
	}
	res := c.gen.Routes.Match(c.j.Method, c.rq.Authority, c.rq.Path, c.headerLookup())
	return res.Rule >= 0 && len(c.gen.Entries[res.Rule].Hosts) > 0
}

// looped refuses a call that has come through this gateway to the same service before: its
// upstream leads back here. Our name in Via says so (RFC 9110 section 7.6.3).
func (c *call) looped() bool {
	c.pseudonym = c.upstream.Pseudonym
	if !c.rq.Header.Has(wire.Via) {
		return true
	}
	for i := range c.rq.Header.Fields {
		f := &c.rq.Header.Fields[i]
		if f.ID != wire.Via || !bytes.Contains(f.Value, c.pseudonym) {
			continue
		}
		return c.fail(failure{
			kind:     fault.LoopDetected,
			detail:   c.upstream.Name + ": the call has already come through this gateway for the same service; the upstream leads back here.",
			safe:     "The call has already come through this gateway for the same service; its upstream leads back here.",
			evidence: []string{"Via: " + string(f.Value)},
			advice:   []string{"Look at " + c.whereTo() + ": it is this gateway's own address, or a proxy's that sends the call back here."},
		})
	}
	return true
}

// whereTo is the setting that says where the call goes.
func (c *call) whereTo() string {
	if c.model != nil {
		return "providers." + c.upstream.Name + ".base_url"
	}
	return "services." + c.upstream.Name + ".upstream.targets"
}
