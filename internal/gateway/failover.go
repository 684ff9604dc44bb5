package gateway

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"causeway/internal/choose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/wire"
)

// When an attempt at a model's target fails before any content of an answer has left, the call goes on: with
// the next key of the provider where the key was the reason, else at the next target, and down the model's
// fallbacks. A provider that failed after it had got the request may have worked on it, and may bill it; so
// may the one that answers. The failure's retry verdict and the attempt's record say so.

// blame is whose fault a failed attempt was.
type blame uint8

const (
	blameNobody blame = iota // the request's, the caller's or the gateway's own
	blameTarget
	blameKey
)

func blameOf(kind fault.Kind) blame {
	switch kind {
	case fault.ProviderRateLimited, fault.QuotaExhausted, fault.ProviderKeyRejected:
		return blameKey
	case fault.UpgradeFailed, fault.LoopDetected, fault.TotalTimeout, fault.OutputMismatch:
		return blameNobody
	}
	if e := fault.Lookup(kind); e == nil || e.Cause == fault.Caller || e.Cause == fault.Gateway {
		return blameNobody
	}
	return blameTarget
}

// learn notes what an attempt has shown of its target and of the key that it was made with, once. asked is how
// long the provider asks to wait.
func (c *call) learn(a *journey.Attempt, asked time.Duration) {
	p := &c.pick
	if c.model == nil || p.learned || c.provider == nil || c.provider.Sandbox {
		return
	}
	p.learned = true
	if a.End == journey.EndCaller || a.End == journey.EndCancelled || a.End == journey.EndHedged {
		return
	}
	t, now := &c.model.Targets[p.at], wire.Now()
	switch blameOf(a.Kind) {
	case blameTarget:
		if t.State.Failed(now, a.Kind, p.trial) {
			c.g.log.LogAttrs(context.Background(), slog.LevelWarn, "a model's target keeps failing: calls go elsewhere where they can",
				slog.String("target", t.Name), slog.String("kind", string(a.Kind)), slog.Int("in_a_row", choose.DeadAfter))
		}
		if a.Kind == fault.Overloaded && asked > 0 {
			t.State.Wait(now, min(asked, longestRest))
		}
	case blameKey:
		if !c.provider.CallerKey { // else it says nothing of anybody else's calls
			c.learnKey(a.Kind, now, asked)
		}
	}
}

// longestRest is the longest that a target is left alone because it asked for it.
const longestRest = 10 * time.Minute

// learnKey sets aside the key that an attempt failed with.
func (c *call) learnKey(kind fault.Kind, now int64, asked time.Duration) {
	p, up := &c.pick, c.upstream
	if p.key < 0 {
		if kind == fault.ProviderRateLimited { // a server without keys has limits, too
			c.model.Targets[p.at].State.Wait(now, min(max(asked, time.Second), longestRest))
		}
		return
	}
	why := choose.RateLimited
	switch kind {
	case fault.QuotaExhausted:
		why = choose.OutOfMoney
	case fault.ProviderKeyRejected:
		why = choose.Rejected
	}
	first, pause := up.KeyPool.Set(p.key, now, why, asked)
	if first && why != choose.RateLimited {
		c.g.log.LogAttrs(context.Background(), slog.LevelWarn, "a provider's key is set aside",
			slog.String("provider", up.Name), slog.Int("key", p.key+1), slog.String("ends_in", up.Keys[p.key].Hint),
			slog.String("reason", why.String()), slog.String("for", pause.String()), slog.String("call", c.j.ID.String()))
	}
}

// learnGood notes a good answer, before its last byte goes out: who has it may call again at once.
func (c *call) learnGood(a *journey.Attempt) {
	p := &c.pick
	if c.model == nil || p.learned || c.provider.Sandbox || a.Kind != "" || c.finding != nil || c.op == llm.Realtime {
		return
	}
	p.learned = true
	since := c.j.Total
	if since == 0 {
		since = c.since()
	}
	t, now := &c.model.Targets[p.at], wire.At(c.began)+int64(since)
	if back, down := t.State.Good(now); back {
		c.g.log.LogAttrs(context.Background(), slog.LevelInfo, "a model's target answers again",
			slog.String("target", t.Name), slog.String("after", down.String()))
	}
	if len(c.model.Targets) > 1 {
		took := a.FirstByte
		if c.j.Stream && c.j.FirstByte > a.Start {
			took = c.j.FirstByte - a.Start
		}
		t.State.Took(now, took, c.j.Stream)
	}
	if p.key < 0 {
		return
	}
	if back, why := c.upstream.KeyPool.Good(p.key); back && why != choose.RateLimited {
		c.g.log.LogAttrs(context.Background(), slog.LevelInfo, "a provider's key is in use again",
			slog.String("provider", c.upstream.Name), slog.Int("key", p.key+1), slog.String("ends_in", c.upstream.Keys[p.key].Hint), slog.String("was", why.String()))
	}
}

// learnLimits reads what an answer says is left of its key's limits, where there is anything else to choose.
func (c *call) learnLimits(u *wire.Upcall) {
	if c.pick.key < 0 || u.Response.Status >= 300 || len(c.model.Targets) == 1 && len(c.upstream.Keys) == 1 {
		return
	}
	var l llm.Limits
	h := &u.Response.Header
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == wire.Other {
			l.Read(f.Name, f.Value, func(name string) string { return string(h.Lookup(name)) }, c.began)
		}
	}
	if l.Requests.Known || l.Tokens.Known {
		c.upstream.KeyPool.Learn(c.pick.key, wire.Now(), choose.Limit(l.Requests), choose.Limit(l.Tokens))
	}
}

// failOver decides whether a failed attempt is followed by one with another key or at another target, and
// sets it. decided is false when it is not for failover to say: then the same target may be tried
// again by the rules of retries.
func (c *call) failOver(a *journey.Attempt, asked time.Duration) (again, decided bool) {
	p, m := &c.pick, c.model
	c.learn(a, asked)
	stop := func(why string) (bool, bool) {
		a.Again = "not retried: " + why
		return false, true
	}
	if c.spare() {
		return stop("it was asked beside another target, which goes on")
	}
	why, ok := c.movable(a.Kind)
	if !ok {
		return stop(why)
	}
	now := wire.Now()
	key, next, wait := c.nextKey(a.Kind, now), -1, time.Duration(0)
	if (key || m.Untried(c.triedModels)) && c.attemptsMade() >= m.Attempts {
		return stop("all " + plural(int64(c.attemptsMade()), "attempt") + " are made (failover.max_attempts: " + strconv.Itoa(m.Attempts) + ")")
	}
	if !key {
		next = c.candidate(c.notLonger(a.Kind))
	}
	if !key && next < 0 {
		switch {
		case m.Bounded && c.attemptsMade() >= m.Attempts:
			return stop("all " + plural(int64(c.attemptsMade()), "attempt") + " are made (failover.max_attempts: " + strconv.Itoa(m.Attempts) + ")")
		case a.Kind != fault.ProviderRateLimited && a.Kind != fault.Overloaded || asked <= 0 || asked > keyPatience:
			return false, false
		case !m.Bounded && c.again > c.upstream.Retries.Max:
			return stop("all " + plural(int64(c.again), "attempt") + " are made (retries.max: " + strconv.Itoa(c.upstream.Retries.Max) + ")")
		}
		wait = asked // nobody else is left, and the provider says when it will be there again
	}
	until := c.until
	if d := c.callersPatience(); d > 0 && (until == 0 || now+int64(d-c.since()) < until) {
		until = now + int64(d-c.since())
	}
	switch {
	case until != 0 && now+int64(wait) >= until:
		return stop("the time that the call may take is over")
	case c.ex.Gone():
		return stop("the caller has left")
	case !m.Failovers.Allow(time.Now()):
		return stop("more calls than can be made again have failed in the last 10 s")
	}
	billed := ""
	if mayBeBilled(a) {
		billed = "; the provider may have worked on it, and both may bill it"
	}
	switch {
	case key:
		p.keys = choose.Mark(p.keys, p.key)
		a.Again = "retried: with the next key of " + c.upstream.Name
	case next >= 0:
		p.next = next + 1
		a.Again = "retried: at " + m.Targets[next].Name + billed
		c.note("choose", m.Targets[next].Chosen+" after "+string(a.Kind)+" at "+m.Targets[p.at].Name)
	default:
		p.keys = 0
		a.Again = "retried: after the " + fault.Span(asked) + " that the provider asked for"
		if c.pause(wait) {
			a.Again = leftInPause
			return false, true
		}
	}
	return true, true
}

// movable tells whether a call that failed so may go on elsewhere.
func (c *call) movable(kind fault.Kind) (why string, ok bool) {
	if c.provider.CallerKey && blameOf(kind) == blameKey {
		return "the key was the caller's own", false
	}
	switch kind {
	case fault.ContentRefused:
		return "the content was refused (failover.on_refusal is false)", c.model.OnRefusal
	case fault.ContextTooLong:
		return "the request is too long (failover.on_context is false)", c.model.OnContext
	case fault.ParameterRejected, fault.BadRequest, fault.UnsupportedFeature:
		return "the request itself was refused", false
	case fault.UpgradeFailed, fault.LoopDetected:
		return "it would fail again", false
	}
	return "", true
}

// nextKey tells whether a call whose key was the reason has another one.
func (c *call) nextKey(kind fault.Kind, now int64) bool {
	p := &c.pick
	return blameOf(kind) == blameKey && p.key >= 0 && c.upstream.KeyPool.Usable(now, choose.Mark(p.keys, p.key))
}

// notLonger are the targets that can hold no more than the one for which the request was too long.
func (c *call) notLonger(kind fault.Kind) (without uint64) {
	most := c.model.Targets[c.pick.at].Context
	if kind != fault.ContextTooLong || most == 0 {
		return 0
	}
	for i := range c.model.Targets {
		if n := c.model.Targets[i].Context; n > 0 && n <= most {
			without |= 1 << i
		}
	}
	return without
}

// mayBeBilled tells whether the provider may have worked on an attempt that failed.
func mayBeBilled(a *journey.Attempt) bool {
	if nothingSent(a) || blameOf(a.Kind) == blameKey {
		return false
	}
	switch a.Kind {
	case fault.Overloaded, fault.ModelNotFound, fault.RegionBlocked, fault.ContextTooLong, fault.ContentRefused:
		return false
	}
	return true
}

// callersPatience is how long the caller's SDK waits for an answer (x-stainless-timeout, in seconds), 0
// when it does not say.
func (c *call) callersPatience() time.Duration {
	s, err := strconv.ParseFloat(string(c.rq.Header.Lookup("x-stainless-timeout")), 64)
	if err != nil || s <= 0 || s > 1e6 {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// moveOn is failOver for an answer that says that the provider refused or failed, before it is handed on:
// true when the call goes on elsewhere, or at the same target after the pause that it asked for.
func (c *call) moveOn(a *journey.Attempt, asked time.Duration) bool {
	if c.model == nil || c.ex.Started() {
		return false
	}
	c.remember()
	again, _ := c.failOver(a, asked)
	c.pick.moved = again
	return again
}

// mostHeld is the longest that the begin of a stream is held back for the sake of a failover.
const mostHeld = 5 * time.Second

// holdEvents tells whether the events of a stream are not sent yet: those before its first content
// (message_start, a role, heartbeats) come in one go with it, so that a stream that fails there can begin
// anew elsewhere. Nothing is held where there is no elsewhere, nor for long.
func (c *call) holdEvents(s *llm.Stream) bool {
	if c.leg != nil && !s.State().Content && c.leg.holds() {
		return true
	}
	if s.State().Content || c.again >= c.model.Attempts || !c.model.Untried(c.triedModels) && len(c.upstream.Keys) < 2 {
		return false
	}
	return c.since()-c.j.FirstByte < mostHeld
}

// nextEvents reads on in a stream. Until its first content timeouts.first_byte holds, however the time is
// spent: in silence, or with heartbeats, which are no answer.
func (c *call) nextEvents(u *wire.Upcall, s *llm.Stream, a *journey.Attempt) ([]byte, error) {
	st, limit, idle := s.State(), c.upstream.Timeouts.FirstByte, c.upstream.Timeouts.Idle
	if limit == 0 || st.Content && c.pick.content {
		return u.Next()
	}
	if st.Content || st.Ended {
		c.pick.content = true
		u.LimitSilence(idle)
		return u.Next()
	}
	left := limit + a.SendTime - (c.since() - a.Start)
	if idle > 0 && idle < left {
		return u.Next()
	}
	u.LimitSilence(max(left, time.Millisecond))
	p, err := u.Next()
	if err != nil && a.End == journey.EndTimeout && a.Limit == "idle" {
		a.Limit, a.LimitValue = "first_byte", limit
	}
	return p, err
}

// noContent ends a stream that only trickles.
func (c *call) noContent(s *llm.Stream, a *journey.Attempt) bool {
	limit := c.upstream.Timeouts.FirstByte
	if s.State().Content || s.State().Ended || limit == 0 || c.since()-a.Start < limit+a.SendTime {
		return false
	}
	a.End, a.Phase, a.Limit, a.LimitValue = journey.EndTimeout, journey.PhaseBody, "first_byte", limit
	return true
}
