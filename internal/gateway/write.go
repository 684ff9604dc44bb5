package gateway

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// deliver takes an answer to the caller (rooms 10 to 12). It returns false when nothing has been
// begun and the attempt turned out to have failed.
func (c *call) deliver(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	if c.dialect != nil {
		return c.deliverModel(t, u, a)
	}
	if c.rpc.form == rpcGRPC {
		return c.deliverRPC(t, u, a)
	}
	return c.deliverREST(t, u, a)
}

func (c *call) deliverREST(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	res := &u.Response
	if res.Status == 101 {
		return c.tunnel(t, u, a)
	}
	if c.upgrade && res.Status < 300 && c.j.Protocol == protocolHTTP2 {
		return c.noSwitch(res.Status, a)
	}
	if res.Status >= 500 && c.ownLoop(&res.Header, res.Reason) {
		c.releaseAnswer()
		a.Kind = fault.LoopDetected
		c.judge(a)
		return c.explained()
	}
	if res.Header.Has(wire.AllowOrigin) {
		c.svc.RememberCORS(&res.Header)
	}
	first := c.comment(u, a)
	if c.rpc.form >= rpcWeb {
		c.tapWeb(u, a)
	}
	length := res.Length
	if length == wire.LengthUntilClose {
		length = wire.LengthChunked
	}
	if c.shelf != nil {
		if c.renew(t, u, a) || c.staleInstead(u, a) {
			return true
		}
		c.shelve(u, length)
	}
	c.answerHead(u)
	c.j.Status = res.Status
	if c.stream != nil && c.unread() {
		c.ex.Close() // the rest of the body stands before the caller's next call
	}
	if c.ex.Start(res.Status, view(res.Reason), &c.answer, length, res.Declared) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	// The head does not wait for its body: a stream of events may be silent at first.
	if first == nil && !u.Buffered() && !c.holds(u) && c.ex.Flush() != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	return c.relay(t, u, a, first)
}

// saysLoop tells whether an answer is that of a gateway that met a call for the second time. Over HTTP/2
// there is no reason phrase to say so.
func saysLoop(h *wire.Header, reason []byte) bool {
	return bytes.HasSuffix(reason, []byte("("+fault.LoopDetected+")")) ||
		len(reason) == 0 && bytes.Contains(h.Get(wire.ProxyStatus), []byte("error=proxy_loop_detected"))
}

// ownLoop tells whether an answer is one that this gateway gave to this very call when it came back
// by way of the upstream. It is then ours to explain, and not an upstream's to pass on.
func (c *call) ownLoop(h *wire.Header, reason []byte) bool {
	if !h.Has(wire.CausewayCallID) || !saysLoop(h, reason) {
		return false
	}
	id, ok := journey.ParseID(string(h.Get(wire.CausewayCallID)))
	if !ok {
		return false
	}
	select {
	case c.g.readers <- struct{}{}:
		defer func() { <-c.g.readers }()
	default:
		return false // an upstream that imitates us must not make us search without end
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := c.g.ledger.Get(ctx, id)
	return err == nil
}

// relay passes the body on, piece by piece. Each piece is sent when there is no more of it at hand;
// the call's record is committed before the last one goes out.
func (c *call) relay(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, piece []byte) bool {
	keep := c.keepBodies(c.finding != nil)
	if keep && u.Response.Header.Has(wire.ContentEncoding) {
		c.keptCoding = string(u.Response.Header.Get(wire.ContentEncoding))
	}
	for {
		if piece == nil {
			p, err := u.Next()
			if err == io.EOF {
				return c.complete(t, u, a)
			}
			if err != nil {
				c.releaseAnswer()
				return c.broken(t, a)
			}
			piece = p
		}
		if c.long != nil {
			c.feedLong(piece)
			if c.j.BytesOut > maxPassed {
				return c.passedTooMuch(a)
			}
		}
		if c.rpc.web != nil {
			c.rpc.web.feed(piece)
		}
		if keep {
			c.keepAnswer(piece)
		}
		if c.shelf != nil {
			c.shelf.feed(piece)
		}
		c.j.BytesOut += int64(len(piece))
		if u.Complete() {
			// The last byte of the answer goes to the kernel with what follows.
			c.ended(t, a)
		} else if c.j.FirstByte == 0 && !c.holds(u) {
			c.j.FirstByte = c.since()
		}
		err := c.ex.Write(piece)
		if err == nil && !u.Buffered() && !c.holds(u) {
			err = c.ex.Flush()
		}
		if err != nil {
			c.releaseAnswer()
			return c.callerLeft()
		}
		piece = nil
	}
}

// holdBelow is the longest declared body that is sent only when all of it has come, so that a
// break in its middle can still be told, or mended by another attempt.
const holdBelow = 8 << 10

func (c *call) holds(u *wire.Upcall) bool {
	return u.Response.Length > 0 && u.Response.Length <= holdBelow
}

// ended closes the record of a call whose answer is whole.
func (c *call) ended(t snapshot.Chosen, a *journey.Attempt) {
	if c.committed {
		return
	}
	a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	if c.stream != nil {
		// The upload's own facts come when the connection is released, which is after the last byte.
		a.BodyOut, a.SendComplete = c.limit.read.Load(), c.limit.whole.Load()
	}
	c.finishLong(true)
	if c.rpc.web != nil {
		c.finishWeb(a)
	}
	if c.shelf != nil {
		c.finishShelf()
	}
	c.commit()
	if c.outrun() {
		return
	}
	if a.Kind == "" {
		if t.MarkGood(c.at(c.j.Total)) {
			c.good(t, a)
		}
		c.learnGood(a)
	}
}

// complete ends a whole answer.
func (c *call) complete(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	if u.Unannounced() {
		c.note("inspect", "the upstream ended TLS without close_notify: the answer, whose length only its end tells, may have been cut")
	}
	c.ended(t, a)
	trailer := u.Trailer()
	if len(trailer.Fields) == 0 {
		trailer = nil
	}
	if trailer == nil && c.stream == nil {
		// Connection and slot are free before the caller can know that its answer is whole: its next
		// call finds them so.
		c.releaseAnswer()
		c.releaseTarget()
	}
	if c.ex.End(trailer) != nil {
		c.ex.Abort()
	}
	c.releaseAnswer()
	if c.finding != nil {
		c.logFailure()
	}
	return true
}

// broken ends an answer whose upstream failed in its middle: the caller must see that it is not
// whole. While nothing of it has left us, it is taken back instead and false returned.
func (c *call) broken(t snapshot.Chosen, a *journey.Attempt) bool {
	if a.End == journey.EndHedged {
		return c.callerLeft()
	}
	a.Kind = diagnose.Kind(a)
	if a.End == journey.EndCaller {
		return c.callerLeft()
	}
	if c.ex.Withdraw() {
		c.j.Status, c.j.BytesOut, c.j.FirstByte = 0, 0, 0
		c.j.ResponseBody, c.j.Finding, c.finding, c.long = nil, nil, nil, nil
		if c.shelf != nil {
			c.shelf.status = []byte(c.shelf.asks)
		}
		return false
	}
	c.finishLong(false)
	if c.rpc.web != nil && c.rpc.web.between() {
		return c.cutWeb(a)
	}
	c.j.Cut = true
	c.judge(a)
	c.commit()
	c.logFailure()
	c.ex.Abort()
	return true
}

// maxPassed is how long a model's answer of JSON may be that passes while it comes: no API has one of that length, so
// that who sends it does not mean to end.
const maxPassed = 256 << 20

// passedTooMuch cuts an answer that does not end.
func (c *call) passedTooMuch(a *journey.Attempt) bool {
	a.Kind, c.modelProblem = fault.ResponseBodyTooLarge, "an answer of more than "+snapshotSize(maxPassed)
	c.releaseAnswer()
	c.finishLong(false)
	c.j.Cut = true
	c.judge(a)
	c.commit()
	c.logFailure()
	c.ex.Abort()
	return true
}

// callerLeft ends a call whose caller is gone. There is nobody to answer.
func (c *call) callerLeft() bool {
	if c.silent() {
		return true
	}
	if !c.committed {
		in := diagnose.Input{Kind: c.goneKind(), Attempts: c.j.Attempts, Status: statusCallerGone}
		if f, slow := c.slowTaker(); slow {
			in.Kind, in.Detail, in.SafeDetail, in.Evidence = f.kind, f.detail, f.safe, f.evidence
			c.j.Cut = true
		} else if c.uploadBroke() {
			return true
		}
		if c.ex.Withdraw() {
			c.j.BytesOut, c.j.FirstByte = 0, 0
		} else {
			in.Status = c.j.Status // it had got the begin of an answer
		}
		c.finishLong(false)
		c.failWith(in)
	}
	c.commit()
	c.logFailure()
	c.ex.Abort()
	return true
}

// comment looks at an upstream's own failure that is about to be passed on, and says in the record
// and in Causeway-Finding what we read in it. It returns the body's first piece if it took one.
func (c *call) comment(u *wire.Upcall, a *journey.Attempt) []byte {
	res := &u.Response
	if c.rpc.form == rpcGRPC {
		c.commentForeign(u, a)
		return nil
	}
	// A server may ignore an Upgrade, but a WebSocket that was not opened has failed.
	refused := c.upgrade && wire.EqualFold(c.rq.Header.Get(wire.Upgrade), "websocket")
	if res.Status < 400 && !refused {
		return nil
	}
	kind := diagnose.Passed(res.Status, c.lookupAnswer(u))
	if refused && kind == "" {
		kind = fault.UpgradeFailed
	}
	if kind == "" && res.Status != 400 {
		return nil
	}
	var first []byte
	if !u.Complete() && u.Buffered() {
		if p, err := u.Next(); err == nil {
			first = p
		}
	}
	answer := &diagnose.Answer{Status: res.Status, Header: c.lookupAnswer(u), Body: peekText(u, first)}
	if kind == "" {
		if !diagnose.SaysPlainToTLS(res.Status, answer.Body) {
			return first
		}
		kind = fault.PlainToTLSPort
	}
	a.Kind = kind
	c.finding = diagnose.Judge(c.input(diagnose.Input{Kind: kind, Answer: answer, Passed: true, Attempts: c.passing()}))
	c.j.Finding = c.finding
	return first
}

// passing are the attempts as they will be when the answer of the last one has been passed on. If it
// breaks, it is judged again.
func (c *call) passing() []journey.Attempt {
	list := slices.Clone(c.j.Attempts)
	last := &list[len(list)-1]
	last.End, last.Phase = journey.EndComplete, journey.PhaseDone
	return list
}

func (c *call) lookupAnswer(u *wire.Upcall) func(string) string {
	return func(name string) string { return string(u.Response.Header.Lookup(name)) }
}

// answerHead makes the answer's fields: the upstream's, less those of its connection and those that
// are ours to say, and ours.
func (c *call) answerHead(u *wire.Upcall) {
	h := &u.Response.Header
	if h.Has(wire.Connection) {
		c.dropNominated(h)
	}
	const ours = 1<<wire.CausewayCallID | 1<<wire.CausewayAttempts | 1<<wire.CausewayFinding
	c.answer.Reset()
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == wire.Other || uint64(ours)&(1<<f.ID) == 0 {
			c.answer.Add(f.ID, f.Name, f.Value)
		}
	}
	c.addOurs()
	if c.finding != nil {
		c.answer.Add(wire.CausewayFinding, nameFinding, []byte(c.finding.Kind))
	}
}

// addOurs adds what every answer carries.
func (c *call) addOurs() {
	c.answer.Add(wire.CausewayCallID, nameCallID, c.idBuf[:])
	if n := c.attemptsMade(); n > 0 {
		c.answer.Add(wire.CausewayAttempts, nameAttempts, smallNumber(n))
	}
	if c.shelf != nil {
		c.answer.Add(wire.Other, nameCacheStatus, c.shelf.status)
	} else if c.recall != nil {
		c.answer.Add(wire.Other, nameCacheStatus, c.recall.status)
	}
	if c.limited {
		n := len(c.arena)
		c.arena = c.rate.AppendPolicy(c.arena)
		m := len(c.arena)
		c.arena = c.rate.AppendState(c.arena)
		c.answer.Add(wire.RateLimitPolicy, namePolicy, c.arena[n:m:m])
		c.answer.Add(wire.RateLimit, nameRate, c.arena[m:len(c.arena):len(c.arena)])
	}
}

var (
	nameCallID   = []byte("Causeway-Call-Id")
	nameAttempts = []byte("Causeway-Attempts")
	nameFinding  = []byte("Causeway-Finding")
	namePolicy   = []byte("RateLimit-Policy")
	nameRate     = []byte("RateLimit")
	digits       = []byte("0123456789")
)

func smallNumber(n int) []byte {
	if n < 10 {
		return digits[n : n+1 : n+1]
	}
	return strconv.AppendInt(nil, int64(n), 10)
}

// dropNominated takes out the fields that the upstream's Connection names.
func (c *call) dropNominated(h *wire.Header) {
	var names [][]byte
	for i := range h.Fields {
		if h.Fields[i].ID == wire.Connection {
			wire.EachToken(h.Fields[i].Value, func(t []byte) bool {
				if !wire.EqualFold(t, "close") && !wire.EqualFold(t, "keep-alive") {
					names = append(names, t)
				}
				return true
			})
		}
	}
	for _, name := range names {
		h.DelName(name)
	}
}
