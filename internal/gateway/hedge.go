package gateway

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A call of a model with hedge that has got no content after a time is put to another target as well. Each of the
// two is a leg: a call of its own, with its own attempt, translation and record, that has an exchange of its own
// (leg, in hedge_exchange.go). The first leg that has content to give takes the caller's exchange, and the others
// are cancelled at once. The call's own goroutine runs the first leg, which alone may go on at further targets and
// alone tells of a failure: another leg that fails ends in silence. Whichever answers writes the call's one record,
// with the attempts of all.

// race is a call whose answer several targets may give. It is made for calls that may be hedged only.
type race struct {
	real    wire.Exchange
	by      *snapshot.Hedge
	most    int // attempts, of all legs
	legs    []*leg
	taken   atomic.Uint64 // the targets that legs have asked
	made    atomic.Int32  // the attempts of all legs
	parked  chan struct{} // closed when the first leg has lost and touches nothing any more
	decided chan struct{} // closed when a leg has won

	mu     sync.Mutex
	timer  *time.Timer
	begun  int // legs beside the first
	over   bool
	failed bool // the first leg has
	why    wire.Reason
	winner *leg
	spent  string // why no further leg was begun, "" for no reason

	tokens, nano int64 // what legs that lost were told to have used
}

// hedges tells whether the call may be put to another target before the first has failed: what a provider would keep
// of it would be there twice.
func (c *call) hedges() bool {
	m := c.model
	if m == nil || m.Hedge == nil || c.body == nil || c.stream != nil || c.upgrade || c.llmReq.Verbatim || c.prompt.asked {
		return false
	}
	switch c.op {
	case llm.Embeddings, llm.Rerank, llm.Moderations, llm.CountTokens:
		return true
	case llm.Chat, llm.Completions:
		return !asksFor(c.body, "store", false)
	case llm.Responses:
		k := &c.kept
		return !k.names && !k.foreign && k.previous == "" && len(k.turns) == 0 && !asksFor(c.body, "store", true) &&
			!asksFor(c.body, "background", false) && !asksFor(c.body, "conversation", false)
	}
	return false
}

// asksFor tells whether a member of a body is there and neither false nor null. unsaid is what holds where it is not.
func asksFor(body []byte, name string, unsaid bool) bool {
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return unsaid
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is(name) {
			unsaid = scan.Peek() != jsonscan.False && scan.Peek() != jsonscan.Null
		}
		scan.Skip()
	}
	return unsaid
}

// travelHedged is travel for a call that may be put to more than one target at a time.
func (c *call) travelHedged() (ok bool) {
	r := &race{real: c.ex, by: c.model.Hedge, most: c.model.Attempts, parked: make(chan struct{}), decided: make(chan struct{})}
	r.by.Budget.Call(c.began)
	first := &leg{Exchange: c.ex, race: r, c: c, launched: true}
	r.legs = append(r.legs, first)
	for range min(r.by.Max, len(c.model.Targets)-1) {
		d := c.twin()
		l := &leg{Exchange: c.ex, race: r, c: d, done: make(chan struct{})}
		d.leg, d.ex = l, l
		r.legs = append(r.legs, l)
	}
	c.leg, c.ex = first, first
	r.real.Watch(r)
	r.mu.Lock()
	r.timer = time.AfterFunc(r.by.After, r.begin)
	r.mu.Unlock()
	whole := false
	defer func() { ok = r.settle(ok, !whole) }() // also after a bug
	ok = c.travel()
	whole = true
	return ok
}

// twin makes a call that asks for the same as c, before c has asked anybody.
func (c *call) twin() *call {
	d := c.g.calls.Get().(*call)
	d.g, d.rq, d.gen, d.began, d.idBuf = c.g, c.rq, c.gen, c.began, c.idBuf
	own := &d.j
	attempts, notes, policies, usage := own.Attempts, own.Notes, own.Policies, own.Usage
	*own = c.j
	own.Attempts, own.Notes, own.Policies, own.Usage = attempts, notes, append(policies, c.j.Policies...), usage
	d.model, d.dialect, d.op, d.details = c.model, c.dialect, c.op, c.details
	d.caller, d.dropped, d.rate, d.limited = c.caller, c.dropped, c.rate, c.limited
	d.client, d.peerText, d.trustedPeer, d.local = c.client, c.peerText, c.trustedPeer, c.local
	d.body, d.length, d.idempotent, d.pseudonym, d.query = c.body, c.length, c.idempotent, c.pseudonym, c.query
	d.llmReq, d.pathModel, d.pathStream, d.pathDetail = c.llmReq, c.pathModel, c.pathStream, c.pathDetail
	d.triedModels, d.until, d.kept, d.callersKey = c.triedModels, c.until, c.kept, c.callersKey
	if c.recall != nil {
		r := *c.recall
		r.status, r.events = slices.Clone(r.status), nil
		d.recall = &r
	}
	if c.guard != nil {
		d.guard = &guarding{by: c.guard.by, vault: c.guard.vault} // which is only read from here on
	}
	return d
}

// Cancel implements wire.Canceller: the caller has left, or the gateway stops.
func (r *race) Cancel(why wire.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why = why
	for _, l := range r.legs {
		l.cancel(why)
	}
}

// begin puts the call to another target. It is the timer's, on a goroutine of its own, which serves that leg.
func (r *race) begin() {
	r.mu.Lock()
	if r.over || r.winner != nil || r.why != wire.ReasonNone || r.begun+1 >= len(r.legs) {
		r.mu.Unlock()
		return
	}
	switch {
	case int(r.made.Load()) >= r.most:
		r.spent = "all " + plural(int64(r.most), "attempt") + " are made (failover.max_attempts)"
	case r.legs[0].c.model.All()&^r.taken.Load() == 0:
		r.spent = "no other is left"
	case !r.by.Budget.Allow(time.Now()):
		r.spent = "more calls than hedge.budget allows were put to another one in the last 10 s"
	}
	if r.spent != "" {
		r.over = true
		r.mu.Unlock()
		return
	}
	r.begun++
	l := r.legs[r.begun]
	l.launched = true
	if r.begun+1 < len(r.legs) {
		r.timer.Reset(r.by.After)
	}
	r.mu.Unlock()
	l.run()
}

// run serves a leg other than the first to its end.
func (l *leg) run() {
	d := l.c
	defer close(l.done)
	defer func() {
		if p := recover(); p != nil {
			if l.won {
				d.caught(p)
			} else if ok, _ := d.g.failLog.allow(fault.GatewayBug, time.Now()); ok {
				d.g.log.Error("a hedged attempt ended in a bug of the gateway", "call", d.j.ID.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
		}
		d.releaseAnswer()
		d.releaseTarget()
		d.unfold.close()
	}()
	d.triedModels |= l.race.taken.Load()
	d.note("hedge", "no content after "+fault.Span(l.race.by.After)+": another target is asked as well")
	if !d.travel() && l.won {
		d.explain()
	}
}

// claim makes l the leg that answers; false when another one is.
func (r *race) claim(l *leg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return r.winner == l
	}
	r.winner, r.over = l, true
	r.timer.Stop()
	for _, o := range r.legs {
		if o != l {
			o.lost = true
			o.cancel(wire.ReasonHedged)
		}
	}
	close(r.decided)
	return true
}

// alone waits until no other leg can answer in the first one's place; false when one does.
func (r *race) alone() bool {
	r.mu.Lock()
	r.over, r.failed = true, true
	r.timer.Stop()
	r.mu.Unlock()
	for _, l := range r.legs[1:] {
		if !r.ran(l) {
			continue
		}
		select {
		case <-l.done:
		case <-r.decided:
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner == nil || r.winner == r.legs[0]
}

// ran tells whether a leg was begun.
func (r *race) ran(l *leg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.launched
}

// join waits for the other legs of the winner and takes over what they know, for the call's record.
func (r *race) join(w *leg) {
	first := r.legs[0]
	for _, l := range r.legs[1:] {
		if l != w && r.ran(l) {
			<-l.done
		}
	}
	if w != first {
		<-r.parked
		w.c.slot, w.c.counted, first.c.counted = first.c.slot, first.c.counted, false
	}
	r.merge(w)
}

// merge puts the attempts and notes of all legs into the journey of w.
func (r *race) merge(w *leg) {
	w.c.countGone() // what the others may bill is taken from it
	j := &w.c.j
	attempts := slices.Clone(j.Attempts) // who has a pointer into the old ones may go on using it
	for _, l := range r.legs {
		if l == w || !r.ran(l) {
			continue
		}
		if n := len(l.c.j.Attempts); n > 0 {
			if a := &l.c.j.Attempts[n-1]; l.lost || a.End == journey.EndCaller {
				r.tellLost(w, l, a)
			}
		}
		attempts = append(attempts, l.c.j.Attempts...)
		j.Notes = append(j.Notes, l.c.j.Notes...)
		if l.c.j.BytesIn > j.BytesIn {
			j.BytesIn = l.c.j.BytesIn
		}
	}
	if r.spent != "" && r.begun == 0 {
		j.Note(w.c.since(), "hedge", "no content after "+fault.Span(r.by.After)+", and no other target was asked as well: "+r.spent)
	}
	slices.SortStableFunc(attempts, func(a, b journey.Attempt) int { return cmp.Compare(a.Start, b.Start) })
	slices.SortStableFunc(j.Notes, func(a, b journey.Note) int { return cmp.Compare(a.At, b.At) })
	j.Attempts, w.c.recorded = attempts, len(attempts) // each leg has told of its own
}

// tellLost says of a leg's last attempt that another one was faster, or that the caller of both has left, and what its
// provider may bill.
func (r *race) tellLost(w, l *leg, a *journey.Attempt) {
	if a.Kind != "" && a.End != journey.EndCaller {
		return // it had failed by itself
	}
	if a.End == journey.EndOpen {
		a.End = journey.EndHedged
	}
	c := w.c
	a.Again = "hedged: the caller has left"
	if a.End != journey.EndCaller {
		a.Again = "hedged: " + c.model.Targets[c.pick.at].Name + " answered first"
	}
	if a.Usage = l.c.lostUsage(a, c.j.Usage.Input); a.Usage == nil {
		return
	}
	u := a.Usage
	how := "that it had told of"
	if u.Source == journey.Estimated {
		how = "by estimate, since it had told of none"
	}
	a.Again += fmt.Sprintf("; it may bill %d tokens of input and %d of output, %s", u.Input, u.Output, how)
	r.tokens, r.nano = r.tokens+u.Input+u.Output, r.nano+u.Cost
}

// lostUsage is what a provider may bill of an attempt that was given up because another one was faster: what it had
// told of, else the input of the whole request, which is taken to be what the other one told of the same request; nil
// where it had not got all of the request, or asks no money for such a call.
func (c *call) lostUsage(a *journey.Attempt, others int64) *journey.AttemptUsage {
	u := &c.j.Usage
	switch {
	case c.op == llm.CountTokens || u.Source == "" && !a.SendComplete:
		return nil
	case u.Source == "":
		if u.Input = others; others < 0 {
			u.Input, _ = c.g.money.estimates.Guess(c.j.Application, c.model.Name, len(c.body), 0)
		}
		u.Output, u.Source = 0, journey.Estimated
	default:
		u.Source = "partial"
	}
	c.cost()
	return &journey.AttemptUsage{Input: max(u.Input, 0), Output: max(u.Output, 0), Source: u.Source, Cost: u.Cost, Priced: u.Priced}
}

// settle ends the race on the call's own goroutine, and makes c what the leg that answered has become. bug tells that
// the first leg ended in one.
func (r *race) settle(ok, bug bool) bool {
	first := r.legs[0]
	c := first.c
	if bug {
		r.claim(first) // so that nobody goes on behind its back
	}
	if !r.alone() {
		close(r.parked)
		<-r.winner.done
		c.absorb(r.winner.c)
		ok = true
	} else {
		for _, l := range r.legs[1:] {
			if r.ran(l) {
				<-l.done
			}
		}
		if !c.committed {
			r.merge(first)
		}
	}
	r.real.Unwatch()
	c.leg, c.ex = nil, r.real
	c.money.hedgedTokens, c.money.hedgedNano = r.tokens, r.nano
	for _, l := range r.legs[1:] {
		l.c.forget()
		c.g.calls.Put(l.c)
	}
	return ok
}

// absorb makes c what d has become, for what follows the answer.
func (c *call) absorb(d *call) {
	c.j, d.j = d.j, c.j
	c.committed, c.finding, c.provider, c.upstream, c.key = d.committed, d.finding, d.provider, d.upstream, d.key
	c.pick.at, c.again, c.recorded, c.retryIn, c.recall = d.pick.at, d.again, d.recorded, d.retryIn, d.recall
}

// attemptsMade counts the attempts of the call, those of all its legs.
func (c *call) attemptsMade() int {
	if c.leg != nil {
		return int(c.leg.race.made.Load())
	}
	return c.again
}

// outrun tells whether another leg of the call answers it.
func (c *call) outrun() bool { return c.leg != nil && c.leg.isLost() }

// spare tells whether c is a leg that was begun because the first one gave no content: it asks one target, and does
// not tell of its failure.
func (c *call) spare() bool { return c.leg != nil && c.leg != c.leg.race.legs[0] }

// silent tells whether c says nothing to the caller, because another leg does or may.
func (c *call) silent() bool { return c.leg != nil && !c.leg.won && (c.spare() || c.leg.isLost()) }
