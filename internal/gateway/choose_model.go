package gateway

import (
	"strings"
	"time"

	"causeway/internal/choose"
	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// choosing is what a call knows of the targets of its model.
type choosing struct {
	at    int            // the target that is asked
	state *choose.Target // which counts the call as in flight; nil when none does
	trial bool           // the target was dead: this call finds out whether it still is
	next  int            // one more than the target that a failover has chosen; 0 for none
	key   int            // the place of the key in use, -1 for none
	keys  uint64         // the provider's keys that were tried
	told  uint64         // targets whose being passed over is noted

	content bool // the stream's first content has come
	learned bool // what the attempt has shown is noted
	moved   bool // and the call goes on elsewhere

	survey   llm.Survey
	surveyed bool
}

// chooseModel is room 7 for a model: which of its targets is asked, and who answers there.
func (c *call) chooseModel() bool {
	for skipped := false; ; skipped = true {
		if !c.nextTarget(skipped) {
			return false
		}
		t := &c.model.Targets[c.pick.at]
		c.provider = t.Provider
		c.j.Provider, c.j.TargetModel = t.Provider.Name, t.Model
		asked := t.Provider.Upstream
		if t.Provider.Sandbox {
			up, kind, ok := c.g.sandbox.Upstream(t.Model, c.llmReq.Stream)
			if kind != "" {
				return c.pretend(kind)
			}
			if ok {
				asked = up
			}
		}
		if asked != c.upstream {
			c.upstream, c.tried = asked, upstream.Tried{}
			if !c.looped() {
				return false
			}
			c.begin()
		}
		done, skip := c.crossOver()
		if skip {
			continue
		}
		if done {
			c.pick.state = t.State
			c.pick.state.Begin()
		}
		return done
	}
}

// leaveTarget ends the call's being in flight at its target.
func (c *call) leaveTarget() {
	if s := c.pick.state; s != nil {
		c.pick.state = nil
		s.End()
	}
}

// nextTarget sets the target of the next attempt: the one that a failover has chosen, the same as before when
// it is tried again, else the best of all. skipped tells that the one that was set cannot be asked.
func (c *call) nextTarget(skipped bool) bool {
	p := &c.pick
	made := len(c.j.Attempts) > 0
	if made && !skipped {
		if p.next == 0 {
			return true
		}
		i := p.next - 1
		p.next = 0
		c.take(i)
		return true
	}
	if !made && !skipped && c.model.Attempts > 1 {
		c.model.Failovers.Call(c.began)
	}
	i := c.candidate(0)
	if i < 0 {
		if c.spare() {
			c.note("hedge", "no other target can be asked now")
			return false
		}
		if i = c.lastResort(); i < 0 {
			return false
		}
	}
	c.take(i)
	if len(c.model.Targets) > 1 {
		c.j.Note(c.since(), "choose", c.model.Targets[i].Chosen)
	}
	return true
}

// take makes a target the one that is asked.
func (c *call) take(i int) {
	c.pick.at, c.pick.keys = i, 0
	c.triedModels |= 1 << i
}

// candidate is the best target of those that have not been tried and may be asked now, without those of
// without; -1 when there is none.
func (c *call) candidate(without uint64) int {
	m := c.model
	allowed := m.All() &^ c.triedModels &^ without
	if c.leg != nil {
		allowed &^= c.leg.race.taken.Load()
	}
	if m.Surveys() {
		c.look()
	}
	if len(m.Targets) == 1 {
		if allowed == 0 || c.pick.survey.Needs&m.Targets[0].Lacks != 0 && m.Targets[0].Declared {
			return -1
		}
		return 0
	}
	now := wire.Now()
	var unfit uint64
	for i := range m.Targets {
		if allowed&(1<<i) == 0 {
			continue
		}
		why := c.unfit(&m.Targets[i], now)
		if why == resting {
			c.gen.Watch(&m.Targets[i]) // from now on somebody looks whether it is well again
		}
		if why != fits {
			unfit |= 1 << i
		}
	}
	choice := choose.Choice{Now: now, Hash: c.pick.survey.Conversation, Stream: c.llmReq.Stream, Again: c.triedModels != 0}
	for allowed &^= unfit; ; {
		choice.Allowed = allowed
		i := m.Pick(choice)
		if i < 0 {
			c.tellSkipped(unfit, len(m.Targets), now)
			return -1
		}
		if c.leg != nil && c.leg.race.taken.Or(1<<i)&(1<<i) != 0 {
			allowed &^= 1 << i // another leg has just taken it
			continue
		}
		trial, ok := m.Targets[i].State.Claim(now)
		if !ok {
			allowed, unfit = allowed&^(1<<i), unfit|1<<i
			continue
		}
		c.pick.trial = trial
		c.tellSkipped(unfit, m.Targets[i].Tier, now)
		if trial {
			c.note("choose", "a trial of "+m.Targets[i].Name+", which had failed before")
		}
		return i
	}
}

// fitness is why a target is passed over.
type fitness uint8

const (
	fits    fitness = iota
	lacking         // it lacks what the request needs
	short           // it cannot hold the request
	resting         // it failed, or asked for a pause
	keyless         // all keys of its provider are set aside
)

// unfit tells why a target is not asked now, fits when it may be.
func (c *call) unfit(t *snapshot.ModelTarget, now int64) fitness {
	switch {
	case c.pick.survey.Needs&t.Lacks != 0:
		return lacking
	case t.Context > 0 && c.pick.survey.Tokens > t.Context:
		return short
	case !t.State.Usable(now):
		return resting
	case !t.Provider.Upstream.KeyPool.Usable(now, 0):
		return keyless
	}
	return fits
}

// tellSkipped notes why targets of the tiers down to that of the one chosen were passed over, once for each.
func (c *call) tellSkipped(unfit uint64, tier int, now int64) {
	unfit &^= c.pick.told
	if unfit == 0 {
		return
	}
	for i := range c.model.Targets {
		t := &c.model.Targets[i]
		if unfit&(1<<i) == 0 || t.Tier > tier {
			continue
		}
		c.pick.told |= 1 << i
		c.note("choose", "skipped "+t.Name+": "+c.whyUnfit(t, now))
	}
}

func (c *call) whyUnfit(t *snapshot.ModelTarget, now int64) string {
	switch c.unfit(t, now) {
	case lacking:
		return "no " + strings.Join((c.pick.survey.Needs&t.Lacks).Names(), ", no ")
	case short:
		return "the request is some " + plural(c.pick.survey.Tokens, "token") + " long, and its context is " + plural(t.Context, "token")
	case keyless:
		_, why, wait, _ := t.Provider.Upstream.KeyPool.Soonest(now)
		return "no key of " + t.Provider.Name + " can be used (" + strings.ReplaceAll(why.String(), "_", " ") + "), the first again in " + fault.Span(wait)
	}
	s := t.State.State(now)
	switch {
	case s.Dead:
		return "it has failed " + plural(int64(s.Failures), "time") + " in a row, the last with " + string(s.Kind) + "; it is left alone for " + fault.Span(s.Down+s.Next) + " so far"
	case s.Next > 0:
		return "it asked to be left alone for " + fault.Span(s.Next) + " more"
	}
	return "another call is trying it"
}

// look reads what the choice goes by out of the body, once.
func (c *call) look() {
	if c.pick.surveyed {
		return
	}
	c.pick.surveyed = true
	switch c.op {
	case llm.Chat, llm.Responses, llm.Completions, llm.CountTokens:
		c.pick.survey = llm.ReadSurvey(c.body)
	}
}

// lastResort is the target of a call for which none is fit. Whether it fails is then for its provider to say: one
// that has failed, or has no key left, is asked in spite of it, and of those that are too short the
// longest. What is said to lack a feature is not asked.
func (c *call) lastResort() int {
	m := c.model
	left := m.All() &^ c.triedModels
	if len(c.j.Attempts) > 0 {
		c.judge(&c.j.Attempts[len(c.j.Attempts)-1])
		return -1
	}
	if left == 0 {
		c.fail(failure{kind: fault.NoTarget})
		return -1
	}
	var able, long uint64
	longest := int64(0)
	for i := range m.Targets {
		t := &m.Targets[i]
		if left&(1<<i) == 0 || t.Declared && c.pick.survey.Needs&t.Lacks != 0 {
			continue
		}
		able |= 1 << i
		switch {
		case t.Context == 0 || c.pick.survey.Tokens <= t.Context:
			long |= 1 << i
		case long == 0 && t.Context > longest:
			longest = t.Context
		}
	}
	if able == 0 {
		c.lacksFeature(left)
		return -1
	}
	if long == 0 {
		for i := range m.Targets {
			if able&(1<<i) != 0 && m.Targets[i].Context == longest {
				long |= 1 << i
			}
		}
	}
	i := m.Pick(choose.Choice{Now: wire.Now(), Allowed: long, Hash: c.pick.survey.Conversation, Stream: c.llmReq.Stream})
	c.pick.trial = false
	c.note("choose", "none of the targets is fit; "+m.Targets[i].Name+" is asked all the same")
	return i
}

// lacksFeature refuses a call that no target can answer.
func (c *call) lacksFeature(left uint64) {
	var missing llm.Needs
	for i := range c.model.Targets {
		if left&(1<<i) != 0 {
			missing |= c.model.Targets[i].Lacks & c.pick.survey.Needs
		}
	}
	names := strings.Join(missing.Names(), ", ")
	text := "No target of the model " + c.model.Name + " can answer this request: it needs " + names + "."
	f := failure{kind: fault.UnsupportedFeature, detail: text, safe: text}
	for i := range c.model.Targets {
		if t := &c.model.Targets[i]; t.Lacks&c.pick.survey.Needs != 0 {
			f.evidence = append(f.evidence, t.Name+" has no "+strings.Join((t.Lacks&c.pick.survey.Needs).Names(), ", no "))
		}
	}
	f.advice = []string{"If one of them can do it, add it to supports under models." + c.model.Name + "; else add a target or fallback that can."}
	c.fail(f)
}

// keyPatience is the longest that a call waits for a key where all are limited.
const keyPatience = 5 * time.Second

// pickKey chooses the key for an attempt. Where all are set aside, the one that will be back first is used all the
// same: it is for the provider to say no. For a limit that ends soon it waits.
func (c *call) pickKey(t *snapshot.Chosen) {
	up, p := c.upstream, &c.pick
	p.key = -1
	if c.provider.CallerKey {
		t.Key = c.callersKey
		return
	}
	if len(up.Keys) == 0 {
		return
	}
	if i, ok := up.KeyPool.Only(); ok && p.keys == 0 {
		p.key, t.Key = i, &up.Keys[i]
		return
	}
	now := wire.Now()
	i, ok := up.KeyPool.Pick(now, p.keys)
	if !ok {
		var why choose.Aside
		var wait time.Duration
		i, why, wait, _ = up.KeyPool.Soonest(now)
		if why == choose.RateLimited && wait > 0 && wait <= keyPatience && (c.until == 0 || now+int64(wait) < c.until) {
			c.note("choose", "waited "+fault.Span(wait)+" for the limit of a key of "+up.Name)
			c.pause(wait)
		}
	}
	p.key, t.Key = i, &up.Keys[i]
}
