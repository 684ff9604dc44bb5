package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"causeway/internal/budget"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/price"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// money is what a call of an application with limits has reserved.
type money struct {
	lease  *budget.Lease
	length int // of the body
	// What attempts had used that were given up because another one of the call was faster.
	hedgedTokens, hedgedNano int64
}

// allowance is room 4's last guard: a call of an application with limits on tokens or money reserves what it may use.
// It stands behind the model's name, because what a call costs depends on it.
func (c *call) allowance() bool {
	if c.caller == nil || c.model == nil || c.money.lease != nil {
		return true
	}
	a := c.gen.AllowanceOf(c.caller.Name)
	if a == nil {
		return true
	}
	u := c.mayUse()
	ask, ok := c.asks(a, u)
	if !ok {
		return false
	}
	least := ask.Tokens.Least
	ask.Tokens.Least = ask.Tokens.Likely
	lease, refusal, err := c.reserveFor(a, ask, 0)
	if refusal != nil && refusal.Verdict != budget.Spent {
		// Near the limit it is worth a closer look, and to wait for others.
		ask.Tokens.Least = least
		if u, ok = c.countPrompt(u); ok {
			ask, _ = c.asks(a, u)
		}
		lease, refusal, err = c.reserveFor(a, ask, a.Wait())
	}
	switch {
	case errors.Is(err, budget.ErrGone):
		return c.fail(failure{kind: c.goneKind()})
	case refusal != nil:
		return c.overspent(refusal, u)
	}
	c.money = money{lease: lease, length: len(c.body)}
	return true
}

// reserveFor reserves what is asked for. Counters that can't be reached are stood in for, and the only error is ErrGone.
func (c *call) reserveFor(a *snapshot.Allowance, ask budget.Ask, wait time.Duration) (*budget.Lease, *budget.Refusal, error) {
	ctx, left := context.WithCancel(context.Background())
	defer left()
	c.ex.Watch(&leaver{left: left})
	lease, refusal, err := budget.Take(ctx, c.g.money.counters(), a.Limits, c.j.ID.String(), ask, wait)
	c.ex.Unwatch()
	if err == nil || errors.Is(err, budget.ErrGone) {
		return lease, refusal, err
	}
	c.g.money.lost(err)
	lease, refusal, _ = budget.Take(context.Background(), c.g.money.spare, a.Limits, c.j.ID.String(), ask, 0)
	return lease, refusal, nil
}

// leaver ends a wait when the caller leaves.
type leaver struct{ left context.CancelFunc }

func (l *leaver) Cancel(wire.Reason) { l.left() }

// foreseen is what a call may use: tokens of its prompt, and of the answer.
type foreseen struct {
	input, output int64
	most          int64 // that the call lets the model answer; 0: it does not say
	counted       bool  // the prompt is not guessed by its length, but counted
}

// mayUse is what the call may use, by its length and by what calls like it have used.
func (c *call) mayUse() (u foreseen) {
	switch c.op {
	case llm.Embeddings, llm.Moderations, llm.Rerank, llm.CountTokens:
		u.input, _ = c.g.money.estimates.Guess(c.caller.Name, c.model.Name, len(c.body), 0)
	default:
		u.most = llm.MostOutput(c.body)
		u.input, u.output = c.g.money.estimates.Guess(c.caller.Name, c.model.Name, len(c.body), u.most)
	}
	return u
}

// mostCounted is the longest body whose prompt is counted for a limit that is near.
const mostCounted = 256 << 10

// countPrompt puts what the prompt has by the vocabularies in the place of the guess by its length, for which a body of
// media is much too long. It takes milliseconds; false where it can't be, or is not worth it.
func (c *call) countPrompt(u foreseen) (foreseen, bool) {
	if len(c.body) > mostCounted || c.op != llm.Chat && c.op != llm.Responses && c.op != llm.Completions {
		return u, false
	}
	req := c.canonical()
	if req == nil || len(c.model.Targets) == 0 {
		return u, false
	}
	u.input, u.counted = countRequest(c.g.tokens, c.model.Targets[0].Model, req), true
	return u, true
}

// asks is what a call that may use u asks of limits. Of tokens the call itself says a part: its prompt where that is
// counted, and the most that it lets the model answer. Of money nothing is said but that: what an answer costs is a
// guess, and a budget is there to be used up. It goes by the dearest of the model's targets, since any of them may be
// asked; ok is false when the call has failed, because a price is not known.
func (c *call) asks(a *snapshot.Allowance, u foreseen) (ask budget.Ask, ok bool) {
	ask.Tokens = budget.Amount{Likely: u.input + max(u.output, u.most), Least: u.most}
	if u.counted {
		ask.Tokens.Least, ask.Tokens.Counted = u.most+u.input, u.input
	}
	if !a.Money {
		return ask, true
	}
	nano := int64(0)
	for i := range c.model.Targets {
		t := &c.model.Targets[i]
		if t.Price == nil {
			text := fmt.Sprintf("What %s costs is not known, and the application %s has a budget.", t.Name, c.caller.Name)
			return ask, c.fail(failure{
				kind: fault.PriceUnknown, detail: text, safe: text, param: "model",
				advice: []string{fmt.Sprintf("Add prices: {%q: {input: DOLLARS, output: DOLLARS}}, for a million tokens each.", t.Name)},
			})
		}
		nano = max(nano, int64(t.Price.Cost(price.Usage{Input: u.input, Output: u.output})))
	}
	ask.Nano.Likely = nano
	return ask, true
}

// overspent refuses a call that has no room in a limit. u is what it may use.
func (c *call) overspent(r *budget.Refusal, u foreseen) bool {
	c.retryIn = time.Until(r.Resets)
	l := &r.Limit
	f := failure{kind: fault.TokensSpent}
	amount := func(n int64) string { return strconv.FormatInt(n, 10) + " tokens" }
	key := "limits.tokens"
	if l.Unit == budget.Nanodollars {
		f.kind, key = fault.BudgetSpent, "limits.budget"
		amount = func(n int64) string { return price.Nano(n).String() }
	}
	c.policy(key)
	f.detail = fmt.Sprintf("The application %s may use %s per %s, and %s are used.", c.caller.Name, amount(l.Max), windowName(l.Period), amount(r.State.Used))
	switch r.Verdict {
	case budget.Short:
		left := l.Max - r.State.Used
		f.detail = fmt.Sprintf("The application %s may use %s per %s, and %d are left until %s; this call asks for %s.",
			c.caller.Name, amount(l.Max), windowName(l.Period), left, r.Resets.UTC().Format(time.RFC3339), u.text(r.Asked.Least))
		if u.most > 0 {
			f.param = "max_tokens"
		}
		prompt := int64(0)
		if u.counted {
			prompt = u.input
		}
		if most := left - prompt; u.most > 0 && most > 0 {
			f.advice = append(f.advice, fmt.Sprintf("Ask for no more than %d tokens of answer to have the call answered now.", most))
		}
		if r.Asked.Least > l.Max { // no window has room for it
			c.retryIn = 0
			f.advice = append(f.advice, fmt.Sprintf("Send a shorter prompt or ask for a shorter answer: %s are the most that one call may use.", amount(l.Max)))
		}
	case budget.Busy:
		c.retryIn = time.Second
		f.detail = fmt.Sprintf("The application %s may use %s per %s; %s are used, and calls that are running have reserved %s.",
			c.caller.Name, amount(l.Max), windowName(l.Period), amount(r.State.Used), amount(r.State.Reserved))
	}
	f.safe = f.detail
	f.evidence = []string{
		fmt.Sprintf("applications.%s.%s: %s per %s", c.caller.Name, key, amount(l.Max), windowName(l.Period)),
		fmt.Sprintf("used: %s, reserved by calls that are running: %s", amount(r.State.Used), amount(r.State.Reserved)),
		"the window ends at " + r.Resets.UTC().Format(time.RFC3339),
	}
	if r.Verdict == budget.Short {
		f.evidence = append(f.evidence, "this call asks for "+u.text(r.Asked.Least))
	}
	c.fail(f)
	if r.Verdict == budget.Short && r.Asked.Least > l.Max {
		c.finding.Retry = fault.No
	}
	return false
}

// text says what of n tokens is for what.
func (u foreseen) text(n int64) string {
	switch {
	case !u.counted:
		return fmt.Sprintf("%d for its answer alone", n)
	case u.most == 0:
		return fmt.Sprintf("%d for its prompt alone", n)
	}
	return fmt.Sprintf("%d: about %d for its prompt and %d for the answer", u.input+u.most, u.input, u.most)
}

func windowName(p budget.Period) string {
	if p.Calendar != "" {
		return p.Calendar
	}
	return fault.Span(p.Every)
}

// cost notes what the call cost, when its usage and the model's price are known. It is done before the
// record is written.
func (c *call) cost() {
	u := &c.j.Usage
	if u.Source == "" || c.provider == nil || c.pick.at >= len(c.model.Targets) {
		return
	}
	p := c.model.Targets[c.pick.at].Price
	if p == nil {
		return
	}
	u.Cost, u.Priced = int64(p.Cost(billed(u))), true
}

// countGone counts what a call used whose caller left before its provider had told anything: the input, once the
// provider had got all of the request, since it works on that and bills it.
func (c *call) countGone() {
	n := len(c.j.Attempts)
	if c.j.Usage.Source != "" || n == 0 || c.provider == nil || c.pick.at >= len(c.model.Targets) {
		return
	}
	if a := &c.j.Attempts[n-1]; a.End != journey.EndCaller || !a.SendComplete {
		return
	}
	if c.countMissing(nil, 0); c.j.Usage.Source != "" {
		c.j.Usage.Source = "partial"
	}
}

// billed is a usage as it is paid for.
func billed(u *journey.Usage) price.Usage {
	b := price.Usage{Input: u.Input, Output: u.Output, Cached: u.Cached, CacheWrite: u.CacheWrite}
	if u.BilledInput > 0 || u.BilledOutput > 0 {
		b.Input, b.Output = u.BilledInput, u.BilledOutput
	}
	if x := u.Extra; x != nil {
		b.CacheWrite1h, b.AudioIn, b.AudioOut, b.ImageIn, b.ImageOut = x.CacheWrite1h, x.AudioIn, x.AudioOut, x.ImageIn, x.ImageOut
		b.Searches, b.Images, b.Seconds, b.Batch = x.Searches, x.Images, float64(x.Milliseconds)/1000, x.Batch
	}
	return b
}

// settleUse counts what the call used against the application's limits and gives the rest back. A call that
// failed without an answer used nothing.
func (c *call) settleUse() {
	if c.money.lease == nil {
		return
	}
	u := &c.j.Usage
	tokens := max(u.Input, 0) + max(u.Output, 0)
	if u.Source == journey.FromCache {
		tokens = 0
	}
	if u.Source == "reported" {
		c.g.money.estimates.Learn(c.caller.Name, c.model.Name, c.money.length, max(u.Input, 0), max(u.Output, 0))
	}
	if err := c.money.lease.Settle(tokens+c.money.hedgedTokens, u.Cost+c.money.hedgedNano); err != nil {
		c.g.money.lost(err)
	}
	c.money = money{}
}
