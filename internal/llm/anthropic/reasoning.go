package anthropic

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// plan is what becomes of the reasoning that a caller asks for, and of the length of the answer, which hang
// together: thoughts count as answer.
type plan struct {
	mode      string // "", enabled, adaptive or disabled
	budget    int64
	effort    string
	display   string
	maxTokens int64
}

// on tells whether the model is to think.
func (p *plan) on() bool { return p.mode == "enabled" || p.mode == "adaptive" }

// plan decides. A budget and an effort mean each other by canon.BudgetOf and canon.EffortOf.
func (w *writing) plan(turns []turn) plan {
	var p plan
	limit, said := w.req.Int(canon.MaxTokens)
	if w.r.Take(canon.MaxTokens) != nil && !said {
		w.r.Lose(w.req.Params[canon.MaxTokens].At, canon.Dropped, "it is no whole number")
	}
	t := &w.req.Reasoning
	if t.Said {
		w.planThinking(&p, t)
		w.planAround(&p, t, turns)
	}
	if p.maxTokens = limit; !said {
		p.maxTokens = min(w.model.longest(), usual+p.budget)
	}
	if p.mode == "enabled" && p.budget >= p.maxTokens {
		w.shorten(&p, t)
	}
	return p
}

// planThinking says in the model's own terms what the caller asks for.
func (w *writing) planThinking(p *plan, t *canon.Reasoning) {
	off := t.Off || t.Effort == "none"
	switch {
	case off && w.model.claude && w.model.version >= 407:
		// These decide themselves, and some of them can't be told not to think.
		p.effort = "low"
		w.r.Lose(t.At, canon.Approximated, "this model decides itself whether it thinks: effort low")
	case off && w.model.thinks():
		p.mode = "disabled"
	case off:
	case !w.model.thinks():
		w.r.Lose(t.At, canon.Dropped, "this model does not think")
	case t.Budget > 0 && w.model.budgets():
		if p.mode, p.budget = "enabled", max(t.Budget, 1024); p.budget != t.Budget {
			w.r.Lose(budgetAt(t), canon.Approximated, "Anthropic's budgets begin at 1024")
		}
		if t.Effort != "" && w.model.adaptive() {
			p.effort = w.effort(t)
		}
	case w.model.adaptive():
		p.mode = "adaptive"
		if t.Budget > 0 {
			w.r.Lose(budgetAt(t), canon.Approximated, "this model takes an effort and no budget: "+canon.EffortOf(t.Budget))
		}
		if p.effort = w.effort(t); t.Show && !w.model.budgets() {
			p.display = "summarized" // these leave their thoughts out unless asked
		}
	default:
		if p.mode, p.budget = "enabled", canon.BudgetOf(t.Effort); p.budget == 0 {
			p.budget = canon.BudgetOf("medium")
			w.r.Lose(t.At, canon.Approximated, "this model wants a thinking budget: 8192 tokens")
		}
	}
}

// budgetAt is where a budget stands.
func budgetAt(t *canon.Reasoning) jsontree.Ref {
	if t.BudgetAt != 0 {
		return t.BudgetAt
	}
	return t.At
}

// effort is the word for how much an adaptive model thinks; "" leaves it to the model.
func (w *writing) effort(t *canon.Reasoning) string {
	word := t.Effort
	if word == "" && t.Budget > 0 {
		if word = canon.EffortOf(t.Budget); word == "minimal" {
			return "low"
		}
	}
	switch word {
	case "minimal":
		w.r.Lose(t.At, canon.Approximated, "Anthropic's lowest effort is low")
		return "low"
	case "xhigh":
		if w.model.version < 407 || t.Most {
			return "max" // this model's word for more than high
		}
	case "", "low", "medium", "high":
	default:
		w.r.Lose(t.At, canon.Dropped, "Anthropic has no such effort")
		return ""
	}
	return word
}

// planAround takes thinking back where the API refuses it: beside a forced call of a tool, before an answer
// that is begun, and after a call whose thoughts did not come along.
// Source: docs.claude.com/en/docs/build-with-claude/extended-thinking#extended-thinking-with-tool-use.
func (w *writing) planAround(p *plan, t *canon.Reasoning, turns []turn) {
	if !p.on() {
		return
	}
	why := ""
	last := len(turns) - 1
	mode := w.req.Choice.Mode
	switch {
	case (mode == canon.ToolsAny || mode == canon.ToolsNamed) && len(w.req.Tools) > 0:
		why = "Anthropic does not think before a call that is forced"
	case last >= 0 && turns[last].assistant:
		why = "Anthropic does not think in an answer that is begun"
	case p.mode == "enabled" && last > 0 && turns[last].parts[0].Kind == canon.ToolResult && turns[last-1].parts[0].Kind != canon.Thinking:
		why = "the thoughts before the last tool call did not come along, and Anthropic refuses to go on thinking without them"
	default:
		return
	}
	loss := canon.Dropped
	if p.effort != "" { // an effort counts without thinking, too
		loss = canon.Approximated
	}
	w.r.Lose(t.At, loss, why)
	p.mode, p.budget, p.display = "", 0, ""
}

// shorten makes the budget fit into the answer's length.
func (w *writing) shorten(p *plan, t *canon.Reasoning) {
	if p.maxTokens <= 1024 {
		w.r.Lose(t.At, canon.Dropped, "Anthropic thinks for 1024 tokens or more, and the answer is to be no longer")
		p.mode, p.budget, p.display = "", 0, ""
		return
	}
	p.budget = max(1024, p.maxTokens/2)
	w.r.Lose(budgetAt(t), canon.Approximated, "Anthropic counts thoughts as answer: they get half of it")
}

// thinking writes what was planned, and the form of the answer.
func (w *writing) thinking(p *plan) {
	if p.mode != "" {
		w.Name("thinking")
		w.Object()
		w.StrMember("type", p.mode)
		if p.mode == "enabled" {
			w.IntMember("budget_tokens", p.budget)
		}
		if p.display != "" {
			w.StrMember("display", p.display)
		}
		w.End()
	}
	schema := w.format()
	if p.effort == "" && schema == nil {
		return
	}
	w.Name("output_config")
	w.Object()
	if p.effort != "" {
		w.StrMember("effort", p.effort)
	}
	if schema != nil {
		w.Name("format")
		w.Object()
		w.StrMember("type", "json_schema")
		w.RawMember("schema", schema)
		w.End()
	}
	w.End()
}

// format is the schema that the answer is held to, nil where the model is only told: that is what there
// is for JSON of any shape, and for models before 4.5.
func (w *writing) format() []byte {
	f := &w.req.Format
	switch f.Kind {
	case canon.JSONSchema:
		schema, lost := narrow(f.Schema, f.Name, f.Description)
		switch {
		case schema == nil && lost == "":
			w.refuse(f.At, "the schema is no JSON object")
			return nil
		case schema == nil || !w.model.structured():
			why := "this model is told the schema and not held to it"
			if schema == nil {
				why = "Anthropic does not hold answers to " + lost + ": the model is told"
			}
			w.prose = "Answer with one JSON value that is valid against this JSON Schema, and with nothing else: no prose, no code fence.\n" + string(f.Schema)
			w.r.Lose(f.At, canon.Emulated, why)
			return nil
		}
		if lost != "" {
			w.r.Lose(f.At, canon.Approximated, "Anthropic does not hold answers to "+lost+": told in descriptions")
		}
		return schema
	case canon.JSONObject:
		w.prose = "Answer with one JSON object and with nothing else: no prose, no code fence."
		w.r.Lose(f.At, canon.Emulated, "the model is told, since Anthropic knows JSON by a schema only")
	}
	return nil
}
