package gateway

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/mask"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A call with guardrails has the texts of its body masked before anything else is done with it, so that every attempt,
// in whatever dialect, and whatever is kept of the call has the masked body alone. Its answer is masked, and what was
// hidden put back, in the caller's dialect when it is whole; a stream goes through the canonical form (guardstream.go).

// guarding is what guardrails do to one call.
type guarding struct {
	by      *snapshot.Guard
	vault   mask.Vault
	found   []foundThing
	blocked *mask.Found // in the answer
	stream  *guardedStream
	unread  bool // what cannot be looked at was noted
}

// foundThing is how often a guardrail found a kind of thing.
type foundThing struct {
	mask.Found
	n int64
}

func (g *guarding) add(found []mask.Found) {
next:
	for _, f := range found {
		for i := range g.found {
			if g.found[i].Found == f {
				g.found[i].n++
				continue next
			}
		}
		g.found = append(g.found, foundThing{f, 1})
	}
}

// answers tells whether answers have to be looked at.
func (g *guarding) answers() bool { return g != nil && (g.by.Answer != nil || !g.vault.Empty()) }

// stopped tells whether a stream must not go on.
func (g *guarding) stopped() bool { return g != nil && g.blocked != nil }

// noteFound writes what was found since the last time into the call's record, and counts it. No text is in it.
func (c *call) noteFound(where string) {
	g := c.guard
	if g == nil {
		return
	}
	if s := g.stream; s != nil {
		s.collect(g)
	}
	for _, f := range g.found {
		did := [...]string{"masked", "masked in part", "hashed", "hidden", "blocked"}[f.Way]
		c.note("guard", fmt.Sprintf("%s: %s in the %s, %s (%d)", f.Rule, f.Label, where, did, f.n))
		g.by.Count(f.Rule, f.Label, f.n)
	}
	g.found = g.found[:0]
}

// guardStored gets ready to look at an answer that a provider has kept.
func (c *call) guardStored() {
	if by := c.gen.Guard(c.model, c.tenant()); by != nil {
		c.guard = &guarding{by: by}
	}
}

// guardPrompt is room 4's guard of what a call says. It stands behind the model's name, which decides about it. It
// returns false when the call has failed.
func (c *call) guardPrompt() bool {
	by := c.gen.Guard(c.model, c.tenant())
	if by == nil {
		return true
	}
	g := &guarding{by: by}
	c.guard = g
	if t := bytes.TrimLeft(c.body, " \n\t\r"); len(t) == 0 || t[0] != '{' && t[0] != '[' {
		if len(t) > 0 {
			c.note("guard", "the body is no JSON: its texts were not looked at")
		}
		return true
	}
	if c.op == llm.Responses { // another call of the conversation may have hidden other things, and the provider may remember it
		g.vault.From = 1000 + rand.IntN(900_000)
	}
	r := mask.Rewrite{Mask: by.Request, Hide: &g.vault}
	body, err := r.JSON(c.body)
	if err != nil {
		return c.badBody(&llm.RequestError{Problem: err.Error()})
	}
	g.add(r.Found)
	c.noteFound("prompt")
	if r.Blocked != nil {
		text := fmt.Sprintf("The guardrail %s found %s in the prompt.", r.Blocked.Rule, thing(r.Blocked.Label))
		return c.fail(failure{
			kind: fault.PromptBlocked, detail: text, safe: text,
			evidence: []string{fmt.Sprintf("guardrails.%s: with: block, found %s", r.Blocked.Rule, r.Blocked.Label)},
		})
	}
	if len(r.Found) > 0 {
		c.body, c.ownBody = body, true
		c.llmReq = llm.Request{}
		if err := c.dialect.ReadRequest(&c.llmReq, c.match(), c.body); err != nil {
			return c.badBody(err)
		}
	}
	return c.promptFits(r.Size)
}

// thing names what was found, for people.
func thing(label string) string {
	switch label {
	case "EMAIL":
		return "an e-mail address"
	case "PHONE":
		return "a telephone number"
	case "CARD":
		return "a payment card's number"
	case "IBAN":
		return "a bank account's number"
	case "ID":
		return "an identity number"
	case "IP":
		return "an IP address"
	case "SECRET":
		return "a secret"
	case "WORD":
		return "one of its keywords"
	case "TEXT":
		return "a match of one of its expressions"
	}
	return "a value at one of its paths"
}

// promptFits holds a prompt of size bytes of text to the bounds of guardrails.
func (c *call) promptFits(size int64) bool {
	for _, l := range c.guard.by.Limits {
		has, most, unit := size, l.Bytes, snapshotSize
		if l.Tokens > 0 {
			has, most, unit = size/4, l.Tokens, func(n int64) string { return strconv.FormatInt(n, 10) + " tokens" }
			if req := c.canonical(); req != nil && len(c.model.Targets) > 0 {
				has = countRequest(c.g.tokens, c.model.Targets[0].Model, req)
			}
		}
		if has > most {
			text := fmt.Sprintf("The prompt has %s, and the guardrail %s allows %s.", unit(has), l.Rule, unit(most))
			return c.fail(failure{
				kind: fault.PromptTooLarge, detail: text, safe: text,
				evidence: []string{fmt.Sprintf("guardrails.%s.max_prompt: %s", l.Rule, unit(most)), "the prompt has " + unit(has)},
			})
		}
	}
	return true
}

// maskKept masks what was kept of a conversation, which is about to go to a provider again.
func (c *call) maskKept(json []byte) []byte {
	g := c.guard
	if g == nil || g.by.Request == nil || len(json) == 0 {
		return json
	}
	r := mask.Rewrite{Mask: g.by.Request, Hide: &g.vault}
	out, err := r.JSON(json)
	if err != nil {
		return json // it came out of our own store, and is read as JSON next
	}
	g.add(r.Found)
	c.noteFound("conversation")
	return out
}

// revealKept puts back what was hidden in what is to be kept, since another call hides it otherwise.
func (c *call) revealKept(json []byte) []byte {
	if c.guard == nil || c.guard.vault.Empty() || len(json) == 0 {
		return json
	}
	r := mask.Rewrite{Reveal: &c.guard.vault}
	if out, err := r.JSON(json); err == nil {
		return out
	}
	return json
}

// guardAnswer is what the caller may see of a whole answer. ok is false when it may see nothing of it.
func (c *call) guardAnswer(body []byte) (out []byte, ok bool) {
	g := c.guard
	if !g.answers() {
		return body, true
	}
	r := mask.Rewrite{Mask: g.by.Answer, Reveal: &g.vault, Answer: true}
	if t := bytes.TrimLeft(body, " \n\t\r"); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		var err error
		if out, err = r.JSON(body); err != nil {
			return nil, false
		}
	} else {
		out = []byte(r.Text(string(body)))
	}
	g.add(r.Found)
	c.noteFound("answer")
	g.blocked = r.Blocked
	return out, r.Blocked == nil
}

// answerBlocked refuses to hand a whole answer on. It returns true: the call is over.
func (c *call) answerBlocked(t snapshot.Chosen, a *journey.Attempt) bool {
	c.releaseAnswer()
	t.MarkGood(c.at(c.since())) // the provider did its part
	c.learnGood(a)
	c.fail(c.blockedFailure())
	return c.explained()
}

func (c *call) blockedFailure() failure {
	f := failure{kind: fault.AnswerBlocked, detail: "The model's answer can't be looked through by the guardrails that hold for it."}
	if b := c.guard.blocked; b != nil {
		f.detail = fmt.Sprintf("The guardrail %s found %s in the model's answer.", b.Rule, thing(b.Label))
		f.evidence = []string{fmt.Sprintf("guardrails.%s: with: block, found %s", b.Rule, b.Label)}
	}
	f.safe = f.detail
	return f
}

// handGuarded is hand for an answer that passes but for what guardrails do to it.
func (c *call) handGuarded(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, text []byte) bool {
	body, ok := c.guardAnswer(text)
	if !ok {
		return c.answerBlocked(t, a)
	}
	c.keepPassed(body)
	c.storedGone(u.Response.Status)
	return c.handOwn(t, u, a, body, string(u.Response.Header.Get(wire.ContentType)))
}

// handOwn hands on a body that is ours.
func (c *call) handOwn(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, body []byte, contentType string) bool {
	c.crossedHead(u, contentType)
	c.j.Status, c.j.BytesOut = u.Response.Status, int64(len(body))
	if c.ex.Start(u.Response.Status, view(u.Response.Reason), &c.answer, int64(len(body)), -1) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	c.ended(t, a)
	if c.ex.Write(body) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	return c.complete(t, u, a)
}
