package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"causeway/internal/cache"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/meter"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A service with policies.cache has its answers to GET kept by the rules of RFC 9111 for shared caches. What is kept
// of an address stands below an epoch, which a successful call of another method on the same address drops: then
// nobody finds it any more, nor what a GET that was under way then puts there. Below the epoch each application has a
// slot, with the answer or, where answers vary, with the names of the fields that choose among several.

// shelf is what a call of a service with a cache has to do with it.
type shelf struct {
	by      *snapshot.ServiceCache
	address cache.Key // of the epoch
	slot    cache.Key // below the epoch; unset unless keeps
	asks    string    // Cache-Status, as long as nothing is kept
	status  []byte    // Cache-Status
	outcome cache.Outcome
	asked   time.Duration // when the cache was

	keeps   bool // the answer may be kept, for all that the request says
	changes bool // the method is one that changes what stands at the address

	stale    *cache.Answer // what may serve where no fresh answer can be got
	staleAge time.Duration // since it was stored

	old    *cache.Answer // of which the upstream is asked whether it still holds; nil for none
	oldKey cache.Key

	flight    *flight // that others wait for; nil where nobody may
	flightKey cache.Key
	patience  time.Time // until when this call waits for others; zero before it has
	collapsed bool      // it has waited for another one's fetch

	storing bool // the answer that passes is gathered
	answer  cache.Answer
	vary    []string
	why     string // why it is not kept
}

// fromCache answers a call from the cache, where that has an answer for it. It returns false when the call goes on.
func (c *call) fromCache() bool {
	s := &shelf{by: c.svc.Cache, outcome: cache.Bypass, asked: c.since()}
	c.shelf = s
	method := c.j.Method
	switch why := c.uncached(); {
	case c.rpc.form != rpcNone:
		return s.passes("bypass", "gRPC", c)
	case method != "GET" && method != "HEAD":
		s.changes = method != "OPTIONS" && method != "TRACE"
		s.address = c.cacheAddress()
		return s.passes("method", method, c)
	case why != "":
		return s.passes("bypass", why, c)
	}
	said := c.requestControl()
	if said.NoStore {
		return s.passes("request", "the call says no-store", c)
	}
	s.outcome = cache.Miss
	epoch := c.g.cache.Epoch(c.cacheAddress())
	if epoch == nil {
		return s.passes("miss", "the cache can't be reached", c)
	}
	s.keeps = method == "GET"
	tenant, credentials := "", []byte{0}
	if !s.by.Shared && !c.svc.Open {
		tenant = c.tenant()
	}
	if c.sendsCredentials() {
		credentials[0] = 1 // what is kept for calls without them is not for these
	}
	s.slot = cache.KeyOf(epoch, []byte(tenant), credentials, c.targetPath())
	for {
		key, forwarded, hit := s.find(c, said)
		if hit {
			return true
		}
		if !s.keeps || credentials[0] == 1 || forwarded == "request" || !c.awaits(s, key) {
			return s.passes(forwarded, "", c)
		}
	}
}

// find looks for a kept answer, and answers with it where it is fresh. Else it says where it would stand, and why it is
// to be fetched.
func (s *shelf) find(c *call, said cache.Control) (key cache.Key, forwarded string, hit bool) {
	s.stale, s.old = nil, nil
	key, forwarded = s.slot, "uri-miss"
	value, age := c.g.cache.Get(key)
	a := cache.ReadAnswer(value)
	if a != nil && len(a.Vary) > 0 {
		key, forwarded = s.variant(a.Vary, c), "vary-miss"
		value, age = c.g.cache.Get(key)
		a = cache.ReadAnswer(value)
	}
	if a == nil {
		return key, forwarded, false
	}
	left := a.FreshFor(age)
	switch {
	case said.NoCache || said.MaxAge >= 0 && a.AgeNow(age) > time.Duration(said.MaxAge)*time.Second ||
		said.MinFresh > 0 && left < time.Duration(said.MinFresh)*time.Second:
		forwarded = "request"
	case left > 0:
		s.outcome = cache.Hit
		c.j.Cache = "hit (" + fault.Span(a.AgeNow(age)) + " old)"
		s.status = fmt.Appendf(nil, "causeway; hit; ttl=%d", int64(left/time.Second))
		if s.collapsed {
			s.status = append(s.status, "; collapsed"...)
			c.j.Cache += ", fetched by another call that this one waited for"
		}
		c.sendKept(a, age)
		return key, "", true
	default:
		forwarded = "stale"
	}
	if left+a.StaleFor > 0 {
		s.stale, s.staleAge = a, age
	}
	if s.keeps && renewable(a) {
		s.old, s.oldKey = a, key
	}
	return key, forwarded, false
}

// passes lets the call go on; forwarded is why, in the words of RFC 9211. It returns false.
func (s *shelf) passes(forwarded, why string, c *call) bool {
	s.asks = "causeway; fwd=" + forwarded
	s.status = []byte(s.asks)
	s.say(c, why)
	return false
}

// say writes the outcome into the call's record.
func (s *shelf) say(c *call, why string) {
	c.j.Cache = s.outcome.String()
	if why != "" {
		c.j.Cache += " (" + why + ")"
	}
}

// uncached tells in a phrase why a call has nothing to do with a cache, "" where it may have.
func (c *call) uncached() string {
	h := &c.rq.Header
	switch {
	case c.rq.Length != 0:
		return "the call has a body"
	case c.asksUpgrade():
		return "the call asks for an upgrade"
	}
	for _, name := range [...]string{"Range", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if h.Lookup(name) != nil {
			return "the call has " + name
		}
	}
	return ""
}

// requestControl is what the call says of caches. Pragma counts where Cache-Control is absent (RFC 9111 section 5.4).
func (c *call) requestControl() cache.Control {
	if !c.rq.Header.Has(wire.CacheControl) && bytes.Contains(bytes.ToLower(c.rq.Header.Lookup("Pragma")), []byte("no-cache")) {
		return cache.ParseControl("no-cache")
	}
	return cache.ParseControl(c.requestValues("Cache-Control")...)
}

// cacheAddress is the key of an address's epoch.
func (c *call) cacheAddress() cache.Key {
	scheme, _ := c.origin()
	query := c.rq.Query
	if c.rq.HasQuery {
		query = append([]byte{'?'}, query...)
	}
	return cache.KeyOf([]byte("epoch"), c.svc.Cache.Seed, []byte(scheme), bytes.ToLower(c.rq.Authority), c.rq.Path, query)
}

// sendsCredentials tells whether the upstream gets credentials of the caller's own.
func (c *call) sendsCredentials() bool {
	for _, id := range [...]wire.ID{wire.Authorization, wire.Cookie, wire.XAPIKey, wire.APIKey, wire.XGoogAPIKey} {
		if c.rq.Header.Has(id) && c.dropped&(1<<id) == 0 {
			return true
		}
	}
	return false
}

func (c *call) requestValues(name string) []string { return fieldValues(&c.rq.Header, name) }

func fieldValues(h *wire.Header, name string) (values []string) {
	for i := range h.Fields {
		if f := &h.Fields[i]; len(f.Name) == len(name) && wire.EqualFold(f.Name, name) {
			values = append(values, string(f.Value))
		}
	}
	return values
}

// variant is the key of the answer to this request, where answers vary by fields.
func (s *shelf) variant(names []string, c *call) cache.Key {
	return cache.KeyOf(append([][]byte{s.slot[:]}, cache.Variant(names, c.requestValues)...)...)
}

// sendKept answers with a kept answer, which was stored some time ago. The call is then over.
func (c *call) sendKept(a *cache.Answer, stored time.Duration) {
	status, body := a.Status, a.Body
	unchanged := a.Unchanged(c.requestValues)
	if unchanged {
		status, body = http.StatusNotModified, nil
	}
	h := &c.answer
	h.Reset()
	for _, f := range a.Fields {
		if unchanged && ofContent(f.Name) {
			continue
		}
		h.Add(wire.Identify(f.Name), f.Name, f.Value)
	}
	h.Add(wire.Other, nameAge, strconv.AppendInt(nil, int64(a.AgeNow(stored)/time.Second), 10))
	c.addOurs()
	if c.finding != nil {
		h.Add(wire.CausewayFinding, nameFinding, []byte(c.finding.Kind))
	}
	c.j.Status = status
	c.willSend(body)
	if c.keepBodies(c.finding != nil) {
		c.keptCoding = string(a.Get("Content-Encoding"))
		c.keepAnswer(body)
	}
	c.commit()
	if c.finding != nil {
		c.logFailure()
	}
	if c.upstream != nil {
		c.ex.WriteLimit(c.upstream.Timeouts.Idle)
	}
	length := int64(len(body))
	declared := length
	if unchanged {
		declared = -1
	}
	if c.ex.Start(status, "", h, length, declared) != nil || c.ex.Write(body) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
	}
}

// ofContent tells whether a field is one that a 304 leaves out, since it tells of a body (RFC 9110 section 15.4.5).
func ofContent(name []byte) bool {
	const prefix = "content-"
	return len(name) > len(prefix) && wire.EqualFold(name[:len(prefix)], prefix) && !wire.EqualFold(name, "content-location")
}

var (
	nameAge         = []byte("Age")
	nameCacheStatus = []byte("Cache-Status")
)

// shelve looks at an answer of the upstream's that is about to pass: whether it is kept, and whether it makes what is
// kept old.
func (c *call) shelve(u *wire.Upcall, length int64) {
	s, res := c.shelf, &u.Response
	s.storing, s.status = false, []byte(s.asks)
	if res.Header.Has(wire.Connection) {
		c.dropNominated(&res.Header)
	}
	if s.changes && res.Status >= 200 && res.Status < 400 {
		c.g.cache.Delete(s.address)
		return
	}
	if !s.keeps {
		return
	}
	x := cache.Exchange{
		Status: res.Status, Answer: func(name string) []string { return fieldValues(&res.Header, name) },
		Credentials: c.sendsCredentials(), Delay: c.since() - s.asked, Now: time.Now(), TTL: s.by.TTL,
	}
	how, why := x.Storable()
	switch {
	case why != "":
	case c.finding != nil:
		why = "the answer tells of a failure"
	case res.Length == wire.LengthUntilClose:
		why = "the answer ends with its connection, so that nobody knows whether it is whole"
	case length > s.by.MaxSize:
		why = "the answer is larger than max_size"
	}
	if why != "" {
		s.say(c, why)
		if res.Status >= 500 {
			c.land(landedFailed)
		} else {
			c.land(landedUnkept)
		}
		return
	}
	s.storing, s.vary = true, how.Vary
	s.answer = cache.Answer{Status: res.Status, Lifetime: how.Lifetime, Age: how.Age}
	if !how.MustRevalidate {
		s.answer.StaleFor = s.by.StaleIfError
	}
	for i := range res.Header.Fields {
		if f := &res.Header.Fields[i]; !notKeptField(f) {
			s.answer.Fields = append(s.answer.Fields, cache.Field{Name: bytes.Clone(f.Name), Value: bytes.Clone(f.Value)})
		}
	}
	if length >= 0 { // else it may still turn out to be too large
		s.status = append(s.status, "; stored"...)
	}
}

// notKeptField tells whether a field of an answer belongs to its connection, or to that one call.
func notKeptField(f *wire.Field) bool {
	const ids = 1<<wire.Connection | 1<<wire.KeepAlive | 1<<wire.ProxyConnection | 1<<wire.ProxyAuthenticate | 1<<wire.TE | 1<<wire.Trailer |
		1<<wire.TransferEncoding | 1<<wire.Upgrade | 1<<wire.ContentLength | 1<<wire.ProxyStatus | 1<<wire.CausewayCallID |
		1<<wire.CausewayAttempts | 1<<wire.CausewayFinding | 1<<wire.RateLimit | 1<<wire.RateLimitPolicy | 1<<wire.RetryAfter | 1<<wire.Traceparent
	if f.ID != wire.Other {
		return uint64(ids)&(1<<f.ID) != 0
	}
	return wire.EqualFold(f.Name, "age") || wire.EqualFold(f.Name, "cache-status") || wire.EqualFold(f.Name, "set-cookie")
}

// feed gathers a piece of the answer.
func (s *shelf) feed(p []byte) {
	if !s.storing {
		return
	}
	if int64(len(s.answer.Body)+len(p)) > s.by.MaxSize {
		s.storing, s.answer.Body, s.why = false, nil, "the answer is larger than max_size"
		return
	}
	s.answer.Body = append(s.answer.Body, p...)
}

// finishShelf keeps an answer that was whole.
func (c *call) finishShelf() {
	s := c.shelf
	if s.why != "" {
		s.say(c, s.why)
		c.land(landedUnkept)
	}
	if !s.storing {
		return
	}
	s.storing = false
	defer c.land(landedUnkept) // unless it is kept
	if c.reply != nil && len(c.reply.Trailer().Fields) > 0 {
		s.say(c, "the answer has a trailer")
		return
	}
	key, ok := s.slot, true
	if len(s.vary) > 0 {
		// What varied by other fields before must still be told apart by those.
		if value, _ := c.g.cache.Get(s.slot); value != nil {
			if before := cache.ReadAnswer(value); before != nil {
				s.vary = union(s.vary, before.Vary)
			}
		}
		ok = c.g.cache.Set(s.slot, (&cache.Answer{Vary: s.vary}).Append(nil), cache.MaxLifetime)
		key = s.variant(s.vary, c)
	}
	if ok && c.g.cache.Set(key, s.answer.Append(nil), keptFor(&s.answer)) {
		s.outcome = cache.Stored
		c.land(landedKept)
		s.say(c, "for "+fault.Span(s.answer.Lifetime))
		return
	}
	s.say(c, "the cache had no room, or can't be reached")
}

// union is what is in either of two lists, sorted.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// staleInstead answers with what is kept, and too old, in place of an answer that says that the upstream is in
// trouble (RFC 5861 section 4).
func (c *call) staleInstead(u *wire.Upcall, a *journey.Attempt) bool {
	switch u.Response.Status {
	case 500, 502, 503, 504:
	default:
		return false
	}
	if c.shelf.stale == nil || c.finding == nil {
		return false
	}
	c.shelf.status = fmt.Appendf(nil, "causeway; fwd=stale; fwd-status=%d", u.Response.Status)
	drain(u)
	if a.End == journey.EndOpen {
		a.End = journey.EndCancelled
		if u.Complete() {
			a.End, a.Phase = journey.EndComplete, journey.PhaseDone
		}
	}
	c.releaseAnswer()
	return c.serveStale()
}

// serveStale answers a call that has failed at the upstream with what is kept, and too old. The failure stays in the
// call's record.
func (c *call) serveStale() bool {
	s := c.shelf
	if s.stale == nil || c.finding == nil || c.finding.Status < 500 || c.ex.Started() || c.ex.Gone() {
		return false
	}
	age := s.staleAge + c.since() - s.asked
	s.outcome = cache.Stale
	s.say(c, fault.Span(s.stale.AgeNow(age))+" old, because of "+string(c.finding.Kind))
	s.status = fmt.Appendf(s.status, "; ttl=%d; detail=stale-if-error", int64(s.stale.FreshFor(age)/time.Second))
	c.sendKept(s.stale, age)
	return true
}

// countCache counts the call by what the cache did.
func (c *call) countCache() {
	if s := c.shelf; s != nil {
		c.land(landedFailed)
		c.g.cache.Count(cache.Name{Service: c.svc.Name}, s.outcome)
	}
	if r := c.recall; r != nil {
		c.g.cache.Count(cache.Name{Model: c.model.Name}, r.outcome)
	}
}

// CacheFigures tells what the cache of answers holds and has done.
func (g *Gateway) CacheFigures() meter.Cache {
	f := g.cache.Figures()
	out := meter.Cache{Entries: f.Entries, Bytes: f.Bytes, Evicted: f.Evicted, Errors: f.Errors, Away: f.Away}
	out.Embeddings = g.near.figures()
	for name, counts := range f.Calls {
		for o := range cache.Outcomes {
			out.Calls = append(out.Calls, meter.CacheCalls{Service: name.Service, Model: name.Model, Outcome: o.String(), Count: counts[o]})
		}
	}
	return out
}
