package bedrock

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// plan is what becomes of the reasoning that a caller asks for, which each family of models has in its own words, and of
// what it keeps from being sent.
type plan struct {
	mode    string // Claude's thinking: "", enabled, adaptive or disabled
	budget  int64
	display string
	effort  string // outputConfig.effort
	word    string // reasoning_effort of OpenAI's open models
	nova    string // Nova's maxReasoningEffort, or disabled

	cold, noTopP, noTopK bool // temperature, top_p or top_k is not sent
}

// think decides.
func (w *writing) think() {
	t := &w.req.Reasoning
	if !t.Said {
		return
	}
	off := t.Off || t.Effort == "none"
	if w.same && w.model.family != nova && w.model.family != openAI {
		w.asSaid(t, off)
		return
	}
	switch {
	case w.model.family == claude && off:
		w.thinkLess(t)
	case w.model.family == claude:
		if w.thinkClaude(t); w.plan.mode == "enabled" && w.thoughtless() {
			w.plan.mode, w.plan.budget, w.plan.display = "", 0, ""
			w.r.Lose(t.At, canon.Dropped, "the thoughts before the last tool call did not come along, and Claude refuses to go on thinking without them")
		}
	case w.model.family == openAI:
		w.plan.word = w.effortWord(t, off, "")
	case w.model.family == nova && off:
		w.plan.nova = "disabled"
	case w.model.family == nova:
		w.plan.nova = w.effortWord(t, false, "medium")
	case off: // nothing is said, and nothing is thought
	default:
		w.r.Lose(t.At, canon.Dropped, "how this model's reasoning is turned on is not known")
	}
}

// thoughtless tells whether the conversation goes on from results of tools whose calls came without the thoughts before them.
func (w *writing) thoughtless() bool {
	messages := w.req.Messages
	results := false
	for i := len(messages) - 1; i >= 0; i-- {
		m := &messages[i]
		if m.Role != canon.Assistant {
			for j := range m.Parts {
				results = results || m.Parts[j].Kind == canon.ToolResult
			}
			continue
		}
		return results && (len(m.Parts) == 0 || m.Parts[0].Kind != canon.Thinking || m.Parts[0].Signature == "")
	}
	return false
}

// asSaid writes what a Bedrock caller said for Bedrock.
func (w *writing) asSaid(t *canon.Reasoning, off bool) {
	w.plan.effort = t.Effort
	switch {
	case off:
		w.plan.mode, w.plan.effort = "disabled", ""
	case t.Budget > 0:
		w.plan.mode, w.plan.budget = "enabled", t.Budget
	case t.Budget < 0:
		w.plan.mode = "adaptive"
	}
}

// thinkLess is for a caller who wants no reasoning.
func (w *writing) thinkLess(t *canon.Reasoning) {
	if w.model.adaptiveOnly() {
		w.plan.effort = "low"
		w.r.Lose(t.At, canon.Approximated, "this model decides itself whether it thinks: effort low")
	}
}

func (w *writing) thinkClaude(t *canon.Reasoning) {
	switch {
	case w.model.version != 0 && w.model.version < 307:
		w.r.Lose(t.At, canon.Dropped, "this model does not think")
		return
	case w.model.adaptiveOnly() || w.model.adaptive() && t.Budget <= 0:
		w.plan.mode = "adaptive"
		if t.Budget > 0 {
			w.r.Lose(budgetAt(t), canon.Approximated, "this model takes an effort and no budget: "+canon.EffortOf(t.Budget))
		}
		if t.Effort != "" || t.Budget > 0 {
			w.plan.effort = w.effortWord(t, false, "")
		}
		if t.Show && w.model.adaptiveOnly() {
			w.plan.display = "summarized" // these leave their thoughts out unless asked
		}
		return
	}
	w.plan.mode = "enabled"
	switch w.plan.budget = t.Budget; {
	case t.Budget > 0 && t.Budget < 1024:
		w.plan.budget = 1024
		w.r.Lose(budgetAt(t), canon.Approximated, "Claude's budgets begin at 1024")
	case t.Budget <= 0:
		if w.plan.budget = canon.BudgetOf(t.Effort); w.plan.budget == 0 {
			w.plan.budget = canon.BudgetOf("medium")
			w.r.Lose(t.At, canon.Approximated, "this model wants a thinking budget: 8192 tokens")
		}
	}
	limit, said := w.req.Int(canon.MaxTokens)
	switch {
	case !said || w.plan.budget < limit:
	case limit <= 1024:
		w.plan = plan{}
		w.r.Lose(t.At, canon.Dropped, "Claude thinks for 1024 tokens or more, and the answer is to be no longer")
	default:
		w.plan.budget = max(1024, limit/2)
		w.r.Lose(budgetAt(t), canon.Approximated, "Claude counts thoughts as answer: they get half of it")
	}
}

// effortWord is the effort in words that Bedrock's models share: low, medium, high and, of Claude, xhigh and max.
func (w *writing) effortWord(t *canon.Reasoning, off bool, usual string) string {
	word := t.Effort
	if word == "" {
		word = canon.EffortOf(t.Budget)
	}
	switch {
	case off || word == "minimal":
		w.r.Lose(t.At, canon.Approximated, "this model's lowest effort is low")
		return "low"
	case word == "low" || word == "medium" || word == "high":
		return word
	case word == "xhigh" && w.model.adaptiveOnly() && !t.Most:
		return word
	case word == "xhigh" && w.model.family == claude:
		return "max" // this model's word for more than high
	case word == "xhigh":
		w.r.Lose(t.At, canon.Approximated, "this model's highest effort is high")
		return "high"
	case word != "":
		w.r.Lose(t.At, canon.Dropped, "this model has no such effort")
	}
	return usual
}

// budgetAt is where a budget stands.
func budgetAt(t *canon.Reasoning) jsontree.Ref {
	if t.BudgetAt != 0 {
		return t.BudgetAt
	}
	return t.At
}

// thinking writes Claude's thinking.
func (w *writing) thinking() {
	w.Name("thinking")
	w.Object()
	w.StrMember("type", w.plan.mode)
	if w.plan.mode == "enabled" {
		w.IntMember("budget_tokens", w.plan.budget)
	}
	if w.plan.display != "" {
		w.StrMember("display", w.plan.display)
	}
	w.End()
}
