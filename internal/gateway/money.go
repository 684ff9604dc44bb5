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
	tokens, nano, ok := c.mayUse(a)
	if !ok {
		return false
	}
	ctx, left := context.WithCancel(context.Background())
	w := &leaver{left: left}
	c.ex.Watch(w)
	lease, refusal, err := budget.Take(ctx, c.g.money.counters(), a.Limits, c.j.ID.String(), tokens, nano, a.Wait())
	c.ex.Unwatch()
	left()
	switch {
	case errors.Is(err, budget.ErrGone):
		return c.fail(failure{kind: c.goneKind()})
	case err != nil:
		c.g.money.lost(err)
		lease, refusal, _ = budget.Take(context.Background(), c.g.money.spare, a.Limits, c.j.ID.String(), tokens, nano, 0)
	}
	if refusal != nil {
		return c.overspent(refusal)
	}
	c.money = money{lease: lease, length: len(c.body)}
	return true
}

// leaver ends a wait when the caller leaves.
type leaver struct{ left context.CancelFunc }

func (l *leaver) Cancel(wire.Reason) { l.left() }

// mayUse is what the call may use by the dearest of the model's targets, since any of them may be asked.
func (c *call) mayUse(a *snapshot.Allowance) (tokens, nano int64, ok bool) {
	input, output := c.g.money.estimates.Guess(c.caller.Name, c.model.Name, len(c.body), c.mostOutput())
	if c.op == llm.Embeddings || c.op == llm.Moderations || c.op == llm.Rerank || c.op == llm.CountTokens {
		output = 0
	}
	if !a.Money {
		return input + output, 0, true
	}
	for i := range c.model.Targets {
		t := &c.model.Targets[i]
		if t.Price == nil {
			text := fmt.Sprintf("What %s costs is not known, and the application %s has a budget.", t.Name, c.caller.Name)
			return 0, 0, c.fail(failure{
				kind: fault.PriceUnknown, detail: text, safe: text, param: "model",
				advice: []string{fmt.Sprintf("Add prices: {%q: {input: DOLLARS, output: DOLLARS}}, for a million tokens each.", t.Name)},
			})
		}
		nano = max(nano, int64(t.Price.Cost(price.Usage{Input: input, Output: output})))
	}
	return input + output, nano, true
}

// mostOutput is the most tokens that the call wants, 0 when it does not say.
func (c *call) mostOutput() int64 {
	return llm.MostOutput(c.body)
}

// overspent refuses a call that has no room in a limit.
func (c *call) overspent(r *budget.Refusal) bool {
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
	if r.Verdict == budget.Busy {
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
	return c.fail(f)
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
