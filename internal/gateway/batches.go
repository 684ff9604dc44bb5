package gateway

import (
	"context"
	"fmt"
	"strings"

	"causeway/internal/budget"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsontree"
	"causeway/internal/owner"
	"causeway/internal/snapshot"
)

// What a batch has used is known when it is over. It is counted, and its cost is, the first time that its end is seen:
// in the answer to whoever asks for the batch, or for a list with it, at the prices of that moment. A batch that
// nobody looks at again is not counted, nor one whose provider does not tell its use.

// batchAllowance refuses a batch of an application whose limits are used up, or with a budget and models of which it
// is not known what they cost. Nothing is reserved: what a batch will use is not known.
func (c *call) batchAllowance(p *snapshot.Provider) bool {
	if c.caller == nil {
		return true
	}
	a := c.gen.AllowanceOf(c.caller.Name)
	if a == nil {
		return true
	}
	if a.Money {
		for _, model := range c.owned.models {
			if p.PriceOf(model) == nil {
				text := fmt.Sprintf("What this batch costs can't be known (%s/%s), and the application %s has a budget.", p.Name, clipText(model), c.caller.Name)
				return c.fail(failure{kind: fault.PriceUnknown, detail: text, safe: text, param: "input_file_id"})
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	lease, refusal, err := budget.Take(ctx, c.g.money.counters(), a.Limits, c.j.ID.String(), budget.Ask{}, 0)
	if err == nil {
		err = lease.Settle(0, 0)
	}
	if err != nil {
		c.g.money.lost(err)
	}
	if refusal != nil && refusal.Verdict == budget.Spent {
		return c.overspent(refusal, foreseen{})
	}
	return true
}

// seeBatch notes what a batch tells: the files that came of it are whose it is, and what it used.
func (c *call) seeBatch(ctx context.Context, root jsontree.Node, raw []byte) {
	for _, name := range [...]string{"output_file_id", "error_file_id"} {
		if id := root.Get(name); id.IsString() && id.Str() != "" {
			c.noteOwned(c.g.owner.Seen(ctx, owner.Record{
				Tenant: c.owns(), Provider: c.provider.Name, ID: strings.Clone(id.Str()), Kind: owner.File, Models: []string{owner.AnyModel},
			}))
		}
	}
	switch root.Get("status").Str() {
	case "completed", "failed", "expired", "cancelled":
		if id := root.Get("id").Str(); id != "" {
			c.billBatch(ctx, strings.Clone(id), strings.Clone(root.Get("model").Str()), raw)
		}
	}
}

// seeListed is seeBatch for one of a list.
func (c *call) seeListed(ctx context.Context, id string, raw []byte) {
	doc, err := jsontree.Parse(raw, true)
	if err != nil {
		return
	}
	if r, err := c.g.owner.Find(ctx, c.tenant(), c.provider.Name, id); err == nil {
		c.owned.models = r.Models
	}
	c.seeBatch(ctx, doc.Root(), raw)
}

// billBatch counts what a batch used, once.
func (c *call) billBatch(ctx context.Context, id, model string, raw []byte) {
	used := c.dialect.ReadAnswer(llm.Batches, raw).Usage
	if used.Input <= 0 && used.Output <= 0 {
		return
	}
	first, err := c.g.owner.Bill(ctx, c.provider.Name, id)
	if err != nil {
		c.noteOwned(err)
	}
	if !first {
		return
	}
	if model == "" && len(c.owned.models) == 1 {
		model = c.owned.models[0]
	}
	used.Source = "reported"
	extra := used.Extra
	if extra == nil {
		extra = new(journey.UsageExtra)
	}
	extra.Batch = true
	used.Extra = extra
	if p := c.provider.PriceOf(model); p != nil {
		used.Cost, used.Priced = int64(p.Cost(billed(&used))), true
	}
	c.note("translate", fmt.Sprintf("the batch %s is over and counted: %s", clipID(id), plural(max(used.Input, 0)+max(used.Output, 0), "token")))
	if c.j.Usage.Source == "" {
		c.j.Usage = used
	} else { // of a list
		sum := &c.j.Usage
		for _, n := range [...]struct {
			to   *int64
			more int64
		}{{&sum.Input, used.Input}, {&sum.Output, used.Output}, {&sum.Cached, used.Cached}, {&sum.Reasoning, used.Reasoning}} {
			if n.more > 0 {
				*n.to = max(*n.to, 0) + n.more
			}
		}
		sum.Cost, sum.Priced = sum.Cost+used.Cost, sum.Priced && used.Priced
	}
	if c.caller == nil {
		return
	}
	if a := c.gen.AllowanceOf(c.caller.Name); a != nil {
		if err := budget.Charge(ctx, c.g.money.counters(), a.Limits, "batch/"+id, max(used.Input, 0)+max(used.Output, 0), used.Cost); err != nil {
			c.g.money.lost(err)
		}
	}
}
