package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/policy"
	"causeway/internal/wire"
)

// ownPage answers the gateway's own addresses: the pages of failure kinds, for everyone, and of
// calls, for the key that made them.
func (c *call) ownPage() {
	path := view(c.rq.Path)
	if c.j.Method != "GET" && c.j.Method != "HEAD" {
		c.allow = "GET, HEAD"
		c.fail(failure{kind: fault.MethodNotAllowed})
		c.explain()
		return
	}
	switch {
	case c.knocked:
		c.page(http.StatusOK, typeText, nil)
	case strings.HasPrefix(path, challengePrefix):
		body, _ := c.challenge() // one that has gone meanwhile is an empty answer, which proves nothing
		c.page(http.StatusOK, typeText, body)
	case path == "/.causeway/failures" || path == "/.causeway/failures/":
		c.failureIndex("")
	case strings.HasPrefix(path, "/.causeway/failures/"):
		c.failureKind(strings.Clone(path[len("/.causeway/failures/"):]))
	case strings.HasPrefix(path, "/.causeway/calls/"):
		c.ownCall(strings.Clone(path[len("/.causeway/calls/"):]))
	default:
		text := "The gateway's own addresses are /.causeway/failures/, /.causeway/failures/KIND and /.causeway/calls/ID."
		c.fail(failure{kind: fault.RouteNotFound, detail: text, safe: text})
		c.explain()
	}
}

func (c *call) wantsHTML() bool { return fault.PrefersHTML(string(c.rq.Header.Get(wire.Accept))) }

func (c *call) failureIndex(unknown string) {
	status := http.StatusOK
	if unknown != "" {
		status = http.StatusNotFound
	}
	if c.wantsHTML() {
		c.page(status, typeHTML, fault.IndexPage(nil, unknown, c.faultView()))
		return
	}
	c.page(status, typeJSON, fault.AppendIndex(nil, c.faultView()))
}

func (c *call) failureKind(kind string) {
	e := fault.Lookup(fault.Kind(kind))
	switch {
	case e == nil && c.wantsHTML():
		c.failureIndex(kind)
	case e == nil:
		text := "There is no failure kind of that name; /.causeway/failures/ lists them all."
		c.fail(failure{kind: fault.RouteNotFound, detail: text, safe: text})
		c.explain()
	case c.wantsHTML():
		c.page(http.StatusOK, typeHTML, fault.FailurePage(nil, e, c.faultView()))
	default:
		c.page(http.StatusOK, typeJSON, fault.AppendEntry(nil, e, c.faultView()))
	}
}

// ownCall shows a call to the one who made it: the same application's key, or, for a call that was
// made without one, the same address.
func (c *call) ownCall(text string) {
	found := c.gen.Keys.Find(policy.AnyPlaces, c.rq.Header.Lookup)
	if found.Kind == fault.KeyMissing && c.gen.Keys.Certificates() {
		c.byCertificate(&found)
	}
	if found.Kind == "" {
		c.caller = found.Caller
		c.j.Application = found.Caller.Name
	}
	id, ok := journey.ParseID(text)
	if !ok {
		c.noCall("That is not a call's id: it has 26 letters and digits, as in Causeway-Call-Id.")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	select {
	case c.g.readers <- struct{}{}:
		defer func() { <-c.g.readers }()
	case <-ctx.Done():
		text := "Too many callers are reading their calls at this moment."
		c.fail(failure{kind: fault.GatewayOverloaded, detail: text, safe: text})
		c.explain()
		return
	}
	c.g.lane.LookUp(c)
	j, err := c.g.ledger.Get(ctx, id)
	if err != nil || !c.mayRead(&j) {
		c.noCall("No call of this id was made with this key; the key goes where it went in the call.")
		return
	}
	told := diagnose.Explain(&j)
	v := c.faultView()
	v.CallID, v.Time = j.ID.String(), j.Start
	v.Full = c.mayKnow(&j)
	if c.wantsHTML() {
		c.page(http.StatusOK, typeHTML, fault.CallPage(nil, told, v))
		return
	}
	c.page(http.StatusOK, typeJSON, fault.AppendCall(nil, told, v))
}

func (c *call) mayRead(j *journey.Journey) bool {
	if j.Application != "" {
		return c.caller != nil && c.caller.Name == j.Application
	}
	return j.Remote == c.clientText()
}

// mayKnow applies the details rule to the call that is read.
func (c *call) mayKnow(j *journey.Journey) bool {
	c.svc = c.gen.Services[j.Service]
	c.details = ""
	if c.svc != nil {
		c.details = c.svc.Details
	}
	full := c.fullDetails()
	c.svc = nil
	return full
}

func (c *call) noCall(text string) {
	c.fail(failure{kind: fault.CallNotFound, detail: text, safe: text})
	c.explain()
}

// page answers one of the gateway's own addresses.
func (c *call) page(status int, contentType, body []byte) {
	c.j.Status = status
	c.willSend(body)
	h := &c.answer
	h.Reset()
	h.Add(wire.ContentType, nameContentType, contentType)
	h.Add(wire.CacheControl, nameCacheControl, valueNoStore)
	h.Add(wire.Vary, nameVary, valueAccept)
	h.Add(wire.ProxyStatus, nameProxyStatus, valueOurs)
	c.addGuards(contentType)
	c.addOurs()
	c.addEmulated()
	c.commit()
	c.ex.WriteLimit(10 * time.Second)
	length := int64(len(body))
	if c.ex.Start(status, "", h, length, length) != nil || c.ex.Write(body) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
		return
	}
}

// valueOurs is the Proxy-Status of an answer that is ours and tells of no failure.
var valueOurs = []byte("causeway")
