package gateway

import (
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/policy"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// guards is room 4: who may call, from where, how much and how often. The order is that of cost and
// of what a stranger may learn: address, key, subscription, size, rate.
func (c *call) guards() bool {
	ok := c.addressGuard() && c.keyGuard() && c.subscriptionGuard() && c.sizeGuard() && c.rateGuard()
	// Routing takes microseconds: one look at the clock tells when both were done.
	c.j.Routed = c.since()
	c.j.Admitted = c.j.Routed
	return ok
}

func (c *call) addressGuard() bool {
	if c.svc == nil || c.svc.IPAllow == nil || c.svc.IPAllow.Allows(c.client) {
		return true
	}
	c.policy("ip_allow")
	from, address := c.clientText(), "caller's address: "+c.clientText()
	if from == "" {
		from, address = "a Unix socket, which have no address,", "the caller is on a Unix socket: it has no address"
	}
	return c.fail(failure{
		kind:     fault.AddressNotAllowed,
		detail:   fmt.Sprintf("%s: calls from %s are not allowed.", c.svc.Name, from),
		safe:     "Calls from this address are not allowed.",
		evidence: []string{address, "policies.ip_allow: " + c.svc.IPAllow.String()},
	})
}

// clientText is the caller's address as records have it: "" for a caller on a Unix socket.
func (c *call) clientText() string {
	if !c.client.IsValid() {
		return ""
	}
	return c.client.String()
}

// keyGuard finds the application that calls.
func (c *call) keyGuard() bool {
	if c.svc != nil && c.svc.Open {
		return true
	}
	places := policy.ServicePlaces
	if c.dialect != nil {
		places = policy.ModelPlaces
	}
	if c.prompt.asked {
		places = policy.AnyPlaces
	}
	lookup := c.rq.Header.Lookup
	if c.op == llm.Realtime {
		lookup = c.realtimeLookup
	}
	if c.dialect != nil && c.dialect.Name() == queryKeys && c.rq.HasQuery {
		lookup = c.queryLookup
		_, c.query = splitKey(c.rq.Query)
	}
	found := c.gen.Keys.Find(places, lookup)
	if found.Kind == fault.KeyMissing && c.gen.Keys.Certificates() {
		c.byCertificate(&found)
	}
	if found.Kind == "" {
		c.admit(&found)
		return true
	}
	return c.fail(failure{kind: found.Kind, detail: found.Detail, safe: found.Detail, evidence: found.Evidence, keyHeader: found.Example})
}

// admit notes who calls. Only the field with its key is taken out of what goes upstream; a
// provider has no use for any key of ours, so that a model's call loses all of them.
func (c *call) admit(found *policy.Found) {
	c.caller = found.Caller
	c.j.Application = found.Caller.Name
	if c.dialect != nil || c.prompt.asked {
		c.dropped = 1<<wire.Authorization | 1<<wire.XAPIKey | 1<<wire.XGoogAPIKey | 1<<wire.APIKey | 1<<wire.AcceptEncoding | 1<<wire.Cookie
		return
	}
	c.dropped = 1 << wire.Identify([]byte(found.Field))
}

func (c *call) subscriptionGuard() bool {
	if c.caller == nil {
		return true
	}
	if c.svc != nil {
		if c.caller.MayCall(c.svc.Name) {
			return true
		}
		return c.notSubscribed(c.svc.Name, c.svc.Name)
	}
	return true // a model's name stands in the body: translate asks
}

func (c *call) notSubscribed(what, entry string) bool {
	text := fmt.Sprintf("The application %s has no subscription to %s.", c.caller.Name, what)
	return c.fail(failure{
		kind: fault.NotSubscribed, detail: text, safe: text,
		evidence: []string{"subscriptions of " + c.caller.Name + ": " + strings.Join(c.caller.Subscribes, ", ")},
		advice:   []string{fmt.Sprintf("Add %q to applications.%s.subscribes.", entry, c.caller.Name)},
	})
}

func (c *call) sizeGuard() bool {
	if limit := c.bodyLimit(); limit > 0 && c.rq.Length > limit {
		return c.tooLarge(c.rq.Length)
	}
	return true
}

func (c *call) rateGuard() bool {
	if c.svc == nil || c.svc.Rate == nil {
		return true
	}
	c.rate, c.limited = c.svc.Rate.Take(c.rateKey()), true
	if c.rate.OK {
		return true
	}
	c.retryIn = c.rate.RetryAfter
	limit := c.svc.Rate.String()
	c.policy("rate_limit: " + limit)
	text := fmt.Sprintf("%s: the limit of %s is reached.", c.svc.Name, limit)
	return c.fail(failure{
		kind: fault.RateLimited, detail: text, safe: "The limit of " + limit + " is reached.",
		evidence: []string{"policies.rate_limit: " + limit, fmt.Sprintf("free again in %s", fault.Span(c.rate.RetryAfter))},
	})
}

// rateKey is what the service's limit counts by. On an open service there is no application: its
// callers are counted by address.
func (c *call) rateKey() policy.RateKey {
	switch c.svc.Rate.By {
	case policy.ByService:
		return policy.RateKey{}
	case policy.ByHeader:
		return policy.TextKey(c.rq.Header.Lookup(c.svc.Rate.Header))
	case policy.ByApplication:
		if c.caller != nil {
			return policy.NumberKey(c.caller.Index)
		}
	}
	return policy.AddressKey(c.client)
}

// hashKey is what a hashing pool chooses by.
func (c *call) hashKey() uint64 {
	h := c.upstream.Hash
	var value []byte
	switch {
	case h.None():
		return 0
	case h.IP:
		a := c.client.As16()
		return upstream.Hash(a[:])
	case h.Header != "":
		value = c.rq.Header.Lookup(h.Header)
	default:
		value = cookie(&c.rq.Header, h.Cookie)
	}
	if len(value) == 0 {
		return 0
	}
	return upstream.Hash(value)
}

// cookie finds a cookie's value (RFC 6265 section 4.2).
func cookie(h *wire.Header, name string) []byte {
	for i := range h.Fields {
		if h.Fields[i].ID != wire.Cookie {
			continue
		}
		rest := h.Fields[i].Value
		for len(rest) > 0 {
			pair := rest
			if j := strings.IndexByte(view(rest), ';'); j >= 0 {
				pair, rest = rest[:j], rest[j+1:]
			} else {
				rest = nil
			}
			k, v, ok := strings.Cut(strings.TrimSpace(view(pair)), "=")
			if ok && k == name {
				return []byte(v)
			}
		}
	}
	return nil
}
