package gemini

import (
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
)

// reasoning writes thinkingConfig. Efforts go as the budgets that canon.BudgetOf has for them, since all models
// that think take a budget and only the newest a level.
func (w *writer) reasoning() {
	t := &w.req.Reasoning
	if !t.Said {
		return
	}
	if w.own {
		w.ownThinking(t)
		return
	}
	model := w.to.Model
	if !thinks(model) {
		if !t.Off {
			w.r.Lose(t.At, canon.Dropped, "the model does not think")
		}
		return
	}
	budget, said := t.Budget, t.Budget != 0
	if !said {
		budget = canon.BudgetOf(t.Effort)
		if t.Most {
			w.r.Lose(t.At, canon.Approximated, "told as the budget of effort xhigh")
		}
		said = budget > 0
	}
	if t.Off || t.Effort == "none" {
		budget, said = 0, true
	}
	at := t.At
	if t.BudgetAt != 0 {
		at = t.BudgetAt
	}
	if least, most := budgets(model); said && budget >= 0 && (budget < least || budget > most) {
		fit := min(max(budget, least), most)
		w.r.Lose(at, canon.Approximated, "the model thinks with "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10)+" tokens")
		budget = fit
	}
	if !said && !t.Show {
		if t.Effort != "" {
			w.r.Lose(t.At, canon.Dropped, "Gemini knows no such effort")
		}
		return
	}
	w.Name("thinkingConfig")
	w.Object()
	if said {
		w.IntMember("thinkingBudget", budget)
	}
	if t.Show && budget != 0 || t.Show && !said {
		w.BoolMember("includeThoughts", true)
	}
	w.End()
}

// ownThinking writes the caller's thinkingConfig as it was said.
func (w *writer) ownThinking(t *canon.Reasoning) {
	w.Name("thinkingConfig")
	w.Object()
	if t.Show {
		w.BoolMember("includeThoughts", true)
	}
	if t.Effort != "" {
		w.StrMember("thinkingLevel", strings.ToUpper(t.Effort))
	}
	if t.BudgetAt != 0 {
		w.IntMember("thinkingBudget", t.Budget)
	}
	w.End()
}

// thinks tells whether a model takes thinkingConfig. Sources: ai.google.dev/gemini-api/docs/thinking and the pages of
// the models.
func thinks(model string) bool {
	for _, older := range [...]string{"gemini-1.", "gemini-2.0", "gemini-pro", "gemma", "gemini-flash-1", "embedding", "imagen", "learnlm"} {
		if strings.Contains(model, older) {
			return false
		}
	}
	return true
}

// budgets are the least and the most tokens that a model may think with. Source: ai.google.dev/gemini-api/docs/thinking,
// "Thinking budgets".
func budgets(model string) (least, most int64) {
	switch {
	case strings.Contains(model, "flash-lite"):
		return 0, 24576
	case strings.Contains(model, "gemini-3"):
		return 128, 32768
	case strings.Contains(model, "pro"):
		return 128, 32768
	}
	return 0, 24576
}
