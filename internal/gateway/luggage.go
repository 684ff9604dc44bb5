package gateway

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
	"causeway/internal/owner"
	"causeway/internal/wire"
)

// keepBody is the longest declared body that is read whole before an upstream is asked, so that it
// can be sent again. A longer one, or one of unknown length, is sent as it comes.
const keepBody = 64 << 10

// luggage is room 6: it decides how the body travels and whether it can be sent again.
func (c *call) luggage() bool {
	c.idempotent = idempotentMethod(c.j.Method) || c.dialect == nil && (c.rq.Header.Has(wire.IdempotencyKey) || c.rq.Header.Has(wire.XIdempotencyKey))
	c.upgrade = c.asksUpgrade()
	if c.dialect != nil && c.owned.upload == nil {
		return true // translate has read the body
	}
	if c.rpc.form != rpcNone && !c.rpcLuggage() {
		return false
	}
	c.length = c.rq.Length
	if b, ok := c.ex.Buffered(); ok {
		c.body = b
		c.feedUpload(b)
		return true
	}
	if c.length > 0 && c.length <= keepBody {
		c.held = c.g.bodies.Get().(*[keepBody]byte)[:]
		n, err := c.readWhole(c.held[:c.length])
		if err != nil {
			return c.bodyFault(err)
		}
		c.body = c.held[:n]
		c.feedUpload(c.body)
		return true
	}
	if err := c.ex.Malformed(); err != nil {
		return c.bodyFault(err)
	}
	c.limit.upload = c.owned.upload
	c.limit.ex, c.limit.want, c.limit.left, c.limit.most = c.ex, c.length, c.bodyLimit(), c.bodyLimit()
	c.stream = &c.limit
	if c.keepBodies(true) {
		c.limit.log = &loggedBody{}
	}
	return true
}

// asksUpgrade tells whether the call asks for an upgrade that is passed on. One to h2c is the
// connection's own matter, and a way round every guard.
func (c *call) asksUpgrade() bool {
	return c.rq.Minor == 1 && c.rq.Length == 0 && c.rq.Header.Has(wire.Upgrade) && hasToken(&c.rq.Header, wire.Connection, "upgrade") &&
		!hasToken(&c.rq.Header, wire.Upgrade, "h2c")
}

func hasToken(h *wire.Header, id wire.ID, token string) (found bool) {
	for i := range h.Fields {
		if h.Fields[i].ID == id {
			wire.EachToken(h.Fields[i].Value, func(t []byte) bool {
				found = wire.EqualFold(t, token)
				return !found
			})
			if found {
				return true
			}
		}
	}
	return false
}

func (c *call) readWhole(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := c.ex.ReadBody(p[n:], c.bodySilence())
		n += m
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// bodySilence is how long the caller may send nothing of its body.
func (c *call) bodySilence() time.Duration {
	if c.upstream != nil && c.upstream.Timeouts.Idle > 0 {
		return c.upstream.Timeouts.Idle
	}
	return time.Minute
}

func (c *call) bodyLimit() int64 {
	if c.svc != nil && c.svc.BodyLimit > 0 {
		return min(c.svc.BodyLimit, c.gen.MaxBody)
	}
	return c.gen.MaxBody
}

var errBodyTooLarge = errors.New("the body is larger than the limit")

// limitedBody ends a body of unknown length at the limit. It is read by the upload's goroutine.
type limitedBody struct {
	ex    wire.Exchange
	want  int64 // its declared length, -1 when chunked
	left  int64
	most  int64
	over  bool // looked at after the upload has ended
	read  atomic.Int64
	whole atomic.Bool // it was read to its end

	keep bool // gRPC's: what is read is kept, and the caller may be silent
	kept keptBody

	log    *loggedBody   // nil unless the service keeps bodies
	upload *owner.Upload // nil but for a file that goes to a provider
}

// feedUpload reads a file that goes to a provider, where it is at hand as a whole.
func (c *call) feedUpload(p []byte) {
	if c.owned.upload != nil {
		c.owned.upload.Feed(p)
	}
}

func (b *limitedBody) ReadBody(p []byte, silence time.Duration) (int, error) {
	if b.keep {
		silence = wire.Unhurried // its messages come when there is something to tell
	}
	n, err := b.ex.ReadBody(p, silence)
	if b.keep {
		b.kept.add(p[:n])
	}
	if b.log != nil {
		b.log.add(p[:n])
	}
	if b.upload != nil {
		b.upload.Feed(p[:n])
	}
	read := b.read.Add(int64(n))
	if b.left -= int64(n); b.left < 0 && b.most > 0 {
		b.over = true
		return 0, errBodyTooLarge
	}
	if err == io.EOF || read == b.want {
		b.whole.Store(true)
	}
	return n, err
}

// unread tells whether more of the caller's body is to come than would be read for the sake of the
// connection alone.
func (c *call) unread() bool {
	return c.body == nil && (c.rq.Length < 0 || c.rq.Length > keepBody) && !c.limit.whole.Load()
}

// bytesIn is how much of the caller's body was read.
func (c *call) bytesIn() int64 {
	if c.stream != nil {
		return c.limit.read.Load() // the upload may still be running
	}
	return c.ex.BytesIn()
}

func (b *limitedBody) StopReading()          { b.ex.StopReading() }
func (b *limitedBody) Trailer() *wire.Header { return b.ex.Trailer() }

// bodyFault names how reading the caller's body failed.
func (c *call) bodyFault(err error) bool {
	if errors.Is(err, errBodyTooLarge) {
		return c.tooLarge(-1)
	}
	var be *wire.BodyError
	if !errors.As(err, &be) {
		return c.fail(failure{kind: fault.RequestBodyAborted, status: statusCallerGone})
	}
	want := "of unknown length"
	if be.Want >= 0 {
		want = fmt.Sprintf("of %d", be.Want)
	}
	got := fmt.Sprintf("got %d body bytes %s", be.Got, want)
	switch be.Reason {
	case "timeout":
		text := fmt.Sprintf("The request's body stopped: nothing came for %s.", be.Limit)
		return c.fail(failure{kind: fault.RequestBodyTimeout, detail: text, safe: text, limit: be.Limit, evidence: []string{got}})
	case "slow":
		text := fmt.Sprintf("The request's body came too slowly: %d bytes in %s; server.min_rate is %d bytes a second.", be.Got, fault.Span(be.Waited), be.Rate)
		return c.fail(failure{kind: fault.RequestBodyTooSlow, detail: text, safe: text, limit: be.Waited, evidence: []string{got}})
	case "malformed":
		text := "The request's chunked body is malformed: " + be.Detail + "."
		return c.fail(failure{kind: fault.MalformedRequest, detail: text, safe: text, evidence: []string{got}})
	}
	text := "The caller closed its connection before its whole body was sent."
	return c.fail(failure{kind: fault.RequestBodyAborted, status: statusCallerGone, detail: text, safe: text, evidence: []string{got}})
}

// uploadFault names a broken upload that showed while an attempt was running.
func (c *call) uploadFault() (handled bool) {
	if c.limit.over {
		c.tooLarge(-1)
		return true
	}
	// "stopped" is our own doing: an attempt ended before its upload did.
	err := c.ex.BodyError()
	if err != nil && c.rpc.form == rpcGRPC && err.Reason == "aborted" {
		return false // a gRPC client cancels a call by resetting its stream, with its messages sent or not
	}
	if err != nil && err.Reason != "stopped" {
		c.bodyFault(err)
		return true
	}
	return false
}

// tooLarge refuses a body above the limit; declared is its length, -1 when it did not say.
func (c *call) tooLarge(declared int64) bool {
	key, limit := "server.max_body", c.gen.MaxBody
	if c.svc != nil && c.svc.BodyLimit > 0 && c.svc.BodyLimit <= limit {
		key, limit = "policies.body_limit of "+c.svc.Name, c.svc.BodyLimit
	}
	seen := fmt.Sprintf("the body grew past %d bytes", limit)
	if declared >= 0 {
		seen = fmt.Sprintf("the body is %d bytes long", declared)
	}
	c.policy(fmt.Sprintf("body_limit: %s", snapshotSize(limit)))
	return c.fail(failure{
		kind:     fault.BodyTooLarge,
		detail:   fmt.Sprintf("The request's body is too large: %s; %s is %s.", seen, key, snapshotSize(limit)),
		safe:     fmt.Sprintf("The request's body is too large: %s; the limit is %s.", seen, snapshotSize(limit)),
		evidence: []string{seen, key + ": " + snapshotSize(limit)},
	})
}

func snapshotSize(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func (c *call) policy(text string) { c.j.Policies = append(c.j.Policies, text) }

func (c *call) note(room, text string) { c.j.Note(c.since(), room, strings.Clone(text)) }
