package gateway

import (
	"bytes"
	"net/http"
	"time"

	"causeway/internal/cache"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A kept answer that is too old, or that the caller wants to have looked after, and that has an ETag or a Last-Modified
// is not fetched anew: the upstream is asked whether it still holds (RFC 9111 section 4.3). A 304 makes it fresh; any
// other answer takes its place.

// renewFor is how long an answer is kept beyond its time for this.
const renewFor = time.Hour

// renewable tells whether the upstream can be asked whether an answer still holds.
func renewable(a *cache.Answer) bool {
	return a.Status == http.StatusOK && (len(a.Get("ETag")) > 0 || len(a.Get("Last-Modified")) > 0)
}

// asksWhether tells whether the gateway puts conditions of its own in the place of the caller's.
func (s *shelf) asksWhether() bool { return s != nil && s.old != nil }

// ofCondition tells whether a request's field is one of those conditions.
func ofCondition(f *wire.Field) bool {
	return wire.EqualFold(f.Name, "if-none-match") || wire.EqualFold(f.Name, "if-modified-since")
}

// appendConditions appends the fields that ask whether the kept answer still holds.
func (s *shelf) appendConditions(dst []byte) []byte {
	for _, f := range [...]struct{ name, of string }{{"If-None-Match", "ETag"}, {"If-Modified-Since", "Last-Modified"}} {
		if v := s.old.Get(f.of); len(v) > 0 {
			dst = append(append(append(append(dst, f.name...), ": "...), v...), "\r\n"...)
		}
	}
	return dst
}

// renew answers with the kept answer of which the upstream says that it still holds, and keeps it anew with what the
// upstream says of it now (RFC 9111 sections 3.2 and 4.3.4). False when the upstream says something else.
func (c *call) renew(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	s, res := c.shelf, &u.Response
	if !s.asksWhether() || res.Status != http.StatusNotModified {
		return false
	}
	if res.Header.Has(wire.Connection) {
		c.dropNominated(&res.Header)
	}
	next := &cache.Answer{Status: s.old.Status, Body: s.old.Body}
	for _, f := range s.old.Fields {
		if !replaced(&res.Header, f.Name) {
			next.Fields = append(next.Fields, f)
		}
	}
	for i := range res.Header.Fields {
		if f := &res.Header.Fields[i]; !notKeptField(f) && !ofContent(f.Name) {
			next.Fields = append(next.Fields, cache.Field{Name: bytes.Clone(f.Name), Value: bytes.Clone(f.Value)})
		}
	}
	age := fieldValues(&res.Header, "Age")
	x := cache.Exchange{
		Status: next.Status, Credentials: c.sendsCredentials(), Delay: c.since() - s.asked, Now: time.Now(), TTL: s.by.TTL,
		Answer: func(name string) (values []string) {
			if name == "Age" {
				return age
			}
			for _, f := range next.Fields {
				if wire.EqualFold(f.Name, name) {
					values = append(values, string(f.Value))
				}
			}
			return values
		},
	}
	how, why := x.Storable()
	next.Lifetime, next.Age = how.Lifetime, how.Age
	if !how.MustRevalidate {
		next.StaleFor = s.by.StaleIfError
	}
	s.status = []byte(s.asks + "; fwd-status=304")
	s.outcome = cache.Miss
	switch {
	case why == "" && c.g.cache.Set(s.oldKey, next.Append(nil), keptFor(next)):
		s.outcome = cache.Stored
		s.status = append(s.status, "; stored"...)
		s.say(c, "it still holds, for "+fault.Span(next.Lifetime))
		c.land(landedKept)
	case why != "":
		s.say(c, "it still holds; "+why)
		c.land(landedUnkept)
	default:
		s.say(c, "it still holds; the cache had no room, or can't be reached")
		c.land(landedUnkept)
	}
	drain(u)
	a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	if t.MarkGood(time.Now().UnixNano()) {
		c.good(t, a)
	}
	c.releaseAnswer()
	c.releaseTarget()
	c.sendKept(next, 0)
	return true
}

// replaced tells whether a 304 says a kept field anew.
func replaced(h *wire.Header, name []byte) bool {
	if ofContent(name) {
		return false
	}
	for i := range h.Fields {
		f := &h.Fields[i]
		if len(f.Name) == len(name) && wire.EqualFold(f.Name, string(name)) {
			return true
		}
	}
	return false
}

// keptFor is how long an answer stays in the cache: while it is fresh, and beyond that while it may serve in place of a
// failure, or the upstream may be asked whether it still holds.
func keptFor(a *cache.Answer) time.Duration {
	beyond := a.StaleFor
	if renewable(a) {
		beyond = max(beyond, renewFor)
	}
	return a.Lifetime + beyond
}
