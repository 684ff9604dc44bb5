package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/history"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// What the gateway remembers of targets (internal/history) is written from here: of good answers at most a hundred
// times a second per target, of failures always; and read when a call has failed.

// glance notes, as an answer's head comes, what about its target may have changed: what it calls itself, its
// versions, its certificate, its address, its clock. Later the head's bytes may be gone.
func (c *call) glance(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) {
	if !t.Due(c.at(a.Start+a.Total)) || c.leg != nil {
		return
	}
	now := c.began.Add(a.Start + a.Total)
	switch status := u.Response.Status; {
	case status == 101, status >= 502 && status <= 504, status >= 520:
		return // whoever said so may be a proxy before the target
	}
	p := t.Up.Remembered(t.Index)
	if p == nil {
		return
	}
	h := &u.Response.Header
	for _, name := range marks {
		p.Mark(name, h.Lookup(name), now)
	}
	if date := h.Lookup("date"); len(date) > 0 {
		if at, err := time.Parse(http.TimeFormat, view(date)); err == nil {
			p.Clock(now.Sub(at))
		}
	}
	if address := hostOnly(a.Address); !amongTries(a, address, p.Current("address")) {
		p.Mark("address", []byte(address), now)
	}
	if leaf, agreed := u.Peer(); leaf != nil {
		sum := sha256.Sum256(leaf.Raw)
		p.Mark("certificate", hex.AppendEncode(nil, sum[:8]), now)
		p.Mark("ALPN", []byte(agreed), now)
	}
	if u.Response.Status < 400 {
		p.Mark("content type of "+c.shapeName(), mediaType(h.Get(wire.ContentType)), now)
	}
}

// marks are the fields in which servers name themselves and their version.
var marks = [...]string{"server", "x-powered-by", "x-version", "x-app-version", "x-api-version", "x-release", "openai-version", "anthropic-version"}

func mediaType(b []byte) []byte {
	for i, ch := range b {
		if ch == ';' || ch == ' ' {
			return b[:i]
		}
	}
	return b
}

// hostOnly is an address without its port; "" for a socket's path.
func hostOnly(address string) string {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	return ap.Addr().String()
}

// good notes a good answer that the target had noted.
func (c *call) good(t snapshot.Chosen, a *journey.Attempt) {
	p := t.Up.Remembered(t.Index)
	if p == nil {
		return
	}
	g := history.Good{
		At: c.began.Add(a.Start + a.Total), Revision: t.Up.Revision, Shape: c.shape(),
		FirstByte: a.FirstByte, Busy: t.Busy(),
	}
	if c.j.TargetModel != "" {
		g.Model = history.Hash(c.j.TargetModel)
	}
	p.Good(g)
}

// shape is the shape of the call's request.
func (c *call) shape() uint64 {
	size := c.length
	if c.body != nil {
		size = int64(len(c.body))
	}
	return history.Shape(c.shapeName(), c.j.Method, c.j.Model, size)
}

// shapeName is the route that the call took, or for a model's call its address.
func (c *call) shapeName() string {
	if c.j.Route != "" {
		return c.j.Route
	}
	return c.op.String()
}

// remember notes the attempts that have failed since it was last called.
func (c *call) remember() {
	if c.upstream == nil {
		return
	}
	for ; c.recorded < len(c.j.Attempts); c.recorded++ {
		a := &c.j.Attempts[c.recorded]
		switch a.End {
		case journey.EndCaller, journey.EndCancelled, journey.EndHedged:
			continue
		}
		kind := a.Kind
		if kind == "" {
			kind = diagnose.Kind(a)
		}
		if kind == "" {
			if a.End == journey.EndOpen && c.recorded == len(c.j.Attempts)-1 {
				return // it goes on
			}
			continue
		}
		c.rememberOne(a, kind)
	}
}

func (c *call) rememberOne(a *journey.Attempt, kind fault.Kind) {
	p, t := c.upstream.Past(a.Target)
	if p == nil {
		return
	}
	now := c.began.Add(a.Start + a.Total)
	if address := hostOnly(lastAddress(a)); address != "" && hostOnly(targetHost(a.Target)) == "" && !amongTries(a, address, p.Current("address")) {
		p.Mark("address", []byte(address), now) // where the name leads may be what has changed
	}
	p.Bad(a, kind, c.shape(), c.upstream.Revision, now)
	t.MarkBad()
}

// amongTries tells whether the name led to the known address as well as to this one: then it has several, and has
// not moved.
func amongTries(a *journey.Attempt, address, known string) bool {
	if known == "" || known == address {
		return false
	}
	for i := range a.Tries {
		if hostOnly(a.Tries[i].Address) == known {
			return true
		}
	}
	return false
}

func lastAddress(a *journey.Attempt) string {
	if n := len(a.Tries); a.Address == "" && n > 0 {
		return a.Tries[n-1].Address
	}
	return a.Address
}

// targetHost is a target's host and port, for telling an address from a name.
func targetHost(url string) string {
	for i := 0; i+3 < len(url); i++ {
		if url[i:i+3] == "://" {
			rest := url[i+3:]
			for j := range len(rest) {
				if rest[j] == '/' {
					rest = rest[:j]
					break
				}
			}
			if _, _, err := net.SplitHostPort(rest); err != nil {
				rest = net.JoinHostPort(rest, "80")
			}
			return rest
		}
	}
	return url
}

// past is what is remembered that has to do with a failure of this kind at the call's last target, nil when nothing is.
func (c *call) past(kind fault.Kind) *journey.Past {
	n := len(c.j.Attempts)
	if n == 0 || c.upstream == nil {
		return nil
	}
	c.remember()
	a := &c.j.Attempts[n-1]
	if kind == "" {
		if kind = a.Kind; kind == "" {
			kind = diagnose.Kind(a)
		}
	}
	p, t := c.upstream.Past(a.Target)
	if p == nil {
		return nil
	}
	q := history.Question{Attempt: a, Kind: kind, Shape: c.shape(), Busy: t.Busy(), Now: c.began.Add(a.Start + a.Total)}
	if c.j.TargetModel != "" {
		q.Model = history.Hash(c.j.TargetModel)
	}
	past := p.Look(q)
	c.upstream.Keeps(past, t.Index)
	return past
}
