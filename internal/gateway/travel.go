package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// travel takes the call through rooms 7 to 12: choose a target, make an attempt, inspect how it
// ended, and either try again or hand the answer on. It returns false when the call failed before
// an answer was begun: the finding is then set.
func (c *call) travel() bool {
	c.begin()
	for {
		target, ok := c.choose()
		if !ok {
			return false
		}
		c.holding = target.Target
		if c.rpc.form == rpcGRPC && !c.rpcUpstream(target) {
			c.releaseTarget()
			return false
		}
		answer, a := c.attempt(target)
		c.reply = answer
		if answer == nil {
			c.releaseTarget()
			if c.inspect(target, a) {
				continue
			}
			return false
		}
		c.glance(target, answer, a)
		if c.repeatAnswer(target, answer, a) {
			continue
		}
		if a.Again == leftInPause {
			c.releaseAnswer()
			c.releaseTarget()
			return c.leftWaiting(a)
		}
		if c.model != nil {
			c.learnLimits(answer)
		}
		ok = c.deliver(target, answer, a)
		c.releaseTarget()
		if ok && a.Kind != "" {
			c.learn(a, 0)
		}
		if !ok && !c.ex.Started() && c.inspect(target, a) {
			continue
		}
		return ok
	}
}

// releaseAnswer and releaseTarget give back what the attempt holds: its connection and its slot.
// Further calls do nothing, so that leave can see to it after a bug.
func (c *call) releaseAnswer() {
	if u := c.reply; u != nil {
		c.reply = nil
		u.Release()
	}
}

func (c *call) releaseTarget() {
	c.leaveTarget()
	if t := c.holding; t != nil {
		c.holding = nil
		if t.Breaks() {
			c.tell(t)
		}
		t.Release()
	}
}

// begin starts the clock of the whole call and counts it for the retry budget. A model's call
// begins with the provider that is chosen first.
func (c *call) begin() {
	if c.upstream == nil {
		return
	}
	c.upstream.Retry.Call(c.began)
	if t := c.upstream.Timeouts.Total; t > 0 && c.until == 0 {
		c.until = wire.Now() + int64(t-c.since())
	}
	if c.rpc.form != rpcNone {
		c.rpcDeadline()
	}
}

// attempt is room 8: one attempt at one target, under its limits.
func (c *call) attempt(t snapshot.Chosen) (*wire.Upcall, *journey.Attempt) {
	up := c.upstream
	c.again++
	if c.leg != nil {
		c.leg.race.made.Add(1)
	}
	c.modelProblem, c.modelEvidence = "", nil
	if c.pick.learned, c.pick.moved, c.pick.content = false, false, false; c.again > 1 {
		c.j.Usage = llm.NoUsage() // what a failed attempt told is not this one's
	}
	if c.unfold.d != nil {
		c.unfold.close()
		c.unfold = unfolding{}
	}
	c.ex.WriteLimit(up.Timeouts.Idle)
	a := c.j.NewAttempt()
	if a.Start = c.j.Admitted; c.again > 1 || c.spare() {
		a.Start = c.since()
	}
	length := c.length
	if c.body != nil {
		length = int64(len(c.body))
	}
	if c.again > 1 && c.limit.keep {
		c.useKept()
	}
	body := c.body
	if c.model != nil && c.stream == nil {
		body = c.askModel()
		length = int64(len(body))
	}
	c.key = t.Key
	c.out = c.appendHead(c.out[:0], t.Origin, up, c.targetPath(), length)
	if c.key != nil && c.key.Signer != nil {
		if err := c.sign(body); err != nil {
			a.Target, a.Phase, a.Kind = t.Origin.URL(), journey.PhaseNone, fault.ProviderKeyRejected
			c.modelProblem = err.Error()
			return nil, a
		}
	}
	c.request = wire.Call{
		Head: c.out, Body: body, Stream: c.stream, Length: length,
		IsHead: c.j.Method == "HEAD", Upgrade: c.upgrade, WebSocket: c.upgrade && hasToken(&c.rq.Header, wire.Upgrade, "websocket"), Trailers: c.rq.Header.Has(wire.TE) && hasToken(&c.rq.Header, wire.TE, "trailers"),
		Limits: wire.AttemptLimits{
			Connect: up.Timeouts.Connect, Send: up.Timeouts.Send, FirstByte: up.Timeouts.FirstByte,
			Idle: up.Timeouts.Idle, Total: up.Timeouts.Total, Until: c.until,
		},
		Inform: c.ex,
	}
	if up.ProxyHeader != 0 {
		c.request.Proxy = c.proxyAddresses()
	}
	if c.stream != nil {
		// The caller may wait for our word before it sends the body.
		if err := c.ex.Continue(); err != nil {
			a.Target, a.End, a.Phase = t.Origin.URL(), journey.EndCaller, journey.PhaseNone
			return nil, a
		}
	}
	return t.Origin.Try(&c.request, a, c.ex), a
}

// targetPath is the path for the upstream: the caller's bytes, less a stripped prefix.
func (c *call) targetPath() []byte {
	if c.target != nil {
		return c.target
	}
	c.target = c.rq.Path
	if c.route != nil && c.route.Strip {
		c.target = c.gen.Routes.Strip(c.route.Rule, c.rq.Path)
	}
	return c.target
}

// inspect is room 9 for an attempt without an answer: it names what happened, tells the pool, and
// decides whether another attempt follows. When none does the finding is set.
func (c *call) inspect(t snapshot.Chosen, a *journey.Attempt) (again bool) {
	if c.pick.moved {
		return true
	}
	if c.outrun() {
		return false
	}
	if a.Kind == "" {
		a.Kind = diagnose.Kind(a)
	}
	c.nameDeadline(a)
	if a.End == journey.EndCaller {
		if c.uploadFault() {
			return false
		}
		return c.fail(failure{kind: c.goneKind()})
	}
	c.tried.Add(t.Target)
	if a.End != journey.EndCancelled && c.repeat(a, 0, 0) {
		return true
	}
	if a.Again == leftInPause {
		return c.leftWaiting(a)
	}
	c.judge(a)
	return false
}

// repeat decides whether the call may be sent once more, and waits for the pause before it. status
// is what the upstream answered, 0 when it did not.
func (c *call) repeat(a *journey.Attempt, status int, asked time.Duration) bool {
	c.remember()
	if c.asksForHTTP1(a) {
		return true
	}
	if c.model != nil {
		if again, decided := c.failOver(a, asked); decided {
			return again
		}
	}
	up := c.upstream
	f := upstream.Failure{
		Kind: a.Kind, Status: status, Phase: a.Phase, NothingSent: nothingSent(a), Idempotent: c.idempotent,
		Replayable: c.replayable(status), AnswerBegun: c.ex.Started(),
		OtherTarget: up.Pool.Untried(&c.tried), Attempts: c.again,
	}
	if e := fault.Lookup(a.Kind); e != nil {
		f.Again = e.Again
		if f.Status == 0 {
			f.Status = e.Status
		}
	}
	if a.Kind == fault.IdleTimeout && !f.AnswerBegun {
		f.Again = fault.Idempotent // of an answer that nobody has seen, half a head is no more than none
	}
	if f.OtherTarget && status == 503 {
		asked = 0 // one target's word for itself; another one has not been asked
	}
	pause, worth := up.Retry.Pause(c.again, asked)
	if f.OtherTarget && c.again == 1 && asked == 0 {
		pause = 0 // who has not failed yet need not be spared
	}
	switch {
	case c.until != 0 && wire.Now()+int64(pause) >= c.until:
		a.Again = "not retried: the call's total limit would pass"
		return false
	case !worth:
		a.Again = "not retried: the upstream asks to wait for " + fault.Span(asked)
		return false
	case c.ex.Gone():
		a.Again = "not retried: the caller has left"
		return false
	}
	ok, why := up.Retry.Allow(f, time.Now())
	a.Again = why
	if ok && c.pause(pause) {
		a.Again = leftInPause
		return false
	}
	return ok
}

// asksForHTTP1 tells whether the upstream refused the call for its version alone (HTTP_1_1_REQUIRED) and is
// asked over HTTP/1.1 from now on, this call included: it has not failed by that, and no setting for
// retries is needed.
func (c *call) asksForHTTP1(a *journey.Attempt) bool {
	if a.Kind != fault.HTTP2HTTP11Required || a.HTTP2 == nil || !a.HTTP2.Unworked || c.ex.Started() || c.ex.Gone() || !c.replayable(0) {
		return false
	}
	a.Again = "retried: the upstream asks for HTTP/1.1, and is asked over it for the next ten minutes"
	if ok, _ := c.g.failLog.allow(a.Kind, time.Now()); ok { // all calls of a connection may be told at once
		c.g.log.LogAttrs(context.Background(), slog.LevelInfo, "an upstream asks for HTTP/1.1 and is asked over it for ten minutes",
			slog.String("call", c.j.ID.String()), slog.String("target", a.Target), slog.String("kind", string(a.Kind)))
	}
	return true
}

// leftInPause is why no attempt was begun after the pause before it.
const leftInPause = "not retried: the caller left in the pause before another attempt"

// leftWaiting is the finding of a call whose caller left between two attempts: the time told is the call's, since
// the attempt before had an end of its own.
func (c *call) leftWaiting(a *journey.Attempt) bool {
	text := fmt.Sprintf("the caller left after %s, in the pause before another attempt; the one before it had failed: %s.", fault.Span(c.since()), a.Kind)
	if name := c.j.Service + c.j.Model; name != "" {
		text = name + ": " + text
	}
	return c.fail(failure{kind: c.goneKind(), detail: text, safe: text})
}

// replayable tells whether the body can be sent again from its first byte. While an answer is there
// a streamed body may still be coming in.
func (c *call) replayable(status int) bool {
	return c.stream == nil || status == 0 && c.limit.read.Load() == 0 || c.limit.isKept()
}

// nothingSent tells whether no byte of the request can have reached an application.
func nothingSent(a *journey.Attempt) bool {
	return a.BytesOut == 0 && a.Phase < journey.PhaseSend || a.HTTP2 != nil && a.HTTP2.Unworked
}

// pause waits, but not for a caller who leaves: left is then true.
func (c *call) pause(d time.Duration) (left bool) {
	if d <= 0 {
		return false
	}
	w := &waiter{gone: make(chan struct{})}
	c.ex.Watch(w)
	t := time.NewTimer(d)
	select {
	case <-t.C:
	case <-w.gone:
		t.Stop()
		left = w.why == wire.ReasonCallerGone
	}
	c.ex.Unwatch()
	return left
}

type waiter struct {
	gone chan struct{}
	why  wire.Reason // set before gone is closed
}

func (w *waiter) Cancel(why wire.Reason) {
	w.why = why
	close(w.gone)
}

// repeatAnswer decides whether a whole answer that says that the upstream is in trouble is given up
// for another attempt. The last one is always handed on as it is.
func (c *call) repeatAnswer(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	status := u.Response.Status
	if c.rpc.form == rpcGRPC && status == 200 {
		return c.repeatRPC(t, u, a)
	}
	if status < 400 || c.dialect != nil {
		return false
	}
	if a.Kind = diagnose.Passed(status, nil); a.Kind == "" && !c.upstream.Retry.Names(status) {
		return false
	}
	c.tried.Add(t.Target)
	if !c.repeat(a, status, retryAfter(&u.Response.Header)) {
		return false
	}
	drain(u)
	c.releaseAnswer()
	c.releaseTarget()
	return true
}

// retryAfter reads Retry-After in seconds (RFC 9110 section 10.2.3); a date counts as not given.
func retryAfter(h *wire.Header) time.Duration {
	n, err := strconv.Atoi(view(h.Get(wire.RetryAfter)))
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// drain reads the rest of a short answer, so that its connection can be used again.
func drain(u *wire.Upcall) {
	for n := 0; n < 64<<10 && u.Buffered(); {
		p, err := u.Next()
		if err != nil {
			return
		}
		n += len(p)
	}
}

// judge makes the finding of a call whose last attempt failed.
func (c *call) judge(a *journey.Attempt) {
	in := diagnose.Input{Kind: a.Kind, Attempts: c.j.Attempts, Evidence: c.modelEvidence}
	if c.j.Cut {
		in.Status = c.j.Status // what had gone out before the break
	}
	if c.modelProblem != "" {
		in.Evidence = append([]string{c.modelProblem}, in.Evidence...)
	}
	c.failWith(in)
}

// choose is room 7: a healthy target with room, not one that this call has tried if there is another.
func (c *call) choose() (snapshot.Chosen, bool) {
	if c.model != nil && !c.chooseModel() {
		return snapshot.Chosen{}, false
	}
	up := c.upstream
	t, refusal := up.Pick(c.hashKey(), &c.tried)
	if refusal == nil {
		if c.model != nil {
			c.pickKey(&t)
		}
		return t, true
	}
	if n := len(c.j.Attempts); n > 0 {
		// Nobody is left to try: the last attempt's own failure says more.
		c.judge(&c.j.Attempts[n-1])
		return t, false
	}
	in := diagnose.Input{Kind: refusal.Kind, RetryAfter: refusal.RetryAfter}
	for _, r := range refusal.Targets {
		text := r.Reason.Text
		if r.Fact == upstream.FactUnhealthy && r.For > 0 {
			text = "for " + fault.Span(r.For) + ": " + text
		}
		_, ever, known := up.LastGood(r.URL)
		in.HealthReasons = append(in.HealthReasons, diagnose.TargetReason{Target: r.URL, Kind: r.Reason.Kind, Text: text, Never: known && !ever})
	}
	c.note("choose", "no target: "+string(refusal.Kind))
	c.failWith(in)
	return t, false
}
