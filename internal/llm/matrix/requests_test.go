package matrix

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/llm/canon"
)

// TestMatrix runs what crosses between all dialects; the providers' descriptions are read once for all of it.
func TestMatrix(t *testing.T) {
	all := sides(t)
	t.Run("recorded requests", func(t *testing.T) { recordedRequests(t, all) })
	t.Run("recorded answers", func(t *testing.T) { recordedAnswers(t, all) })
	t.Run("carry", func(t *testing.T) { carry(t, all) })
}

// recordedRequests reads each recorded request of each dialect and writes it for a provider of each other: what
// is written is what the provider's own description allows, and read again it says the same but for what the report
// names.
func recordedRequests(t *testing.T, all []*side) {
	for _, from := range all {
		for _, to := range all {
			if from == to {
				continue
			}
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				for _, x := range from.exchanges {
					if x.Request == "" {
						continue
					}
					t.Run(x.ID, func(t *testing.T) { cross(t, from, to, x) })
				}
			})
		}
	}
}

// refusedRightly are members of requests without which a call is another: they name what the caller's own provider keeps.
var refusedRightly = map[string]bool{"cachedContent": true}

// cross takes one request across, and returns the closed report with what was written.
func cross(t *testing.T, from, to *side, x exchange) (*canon.Report, []byte) {
	t.Helper()
	req, err := from.codec().ReadRequest(x.match, []byte(x.Request))
	if err != nil {
		t.Fatalf("the caller's dialect: %v", err)
	}
	report := canon.NewReport(req)
	written, err := to.codec().WriteRequest(req, to.target(), report)
	var un *canon.Unsupported
	if errors.As(err, &un) && refusedRightly[un.Field] {
		return report, nil
	}
	if err != nil {
		t.Fatalf("the provider can't be asked: %v", err)
	}
	report.Close()
	if to.valid != nil {
		to.valid(t, written)
	}
	again, err := to.codec().ReadRequest(to.match(to.model, req.Stream), written)
	if err != nil {
		t.Fatalf("what was written can't be read: %v\n%.2000s", err, written)
	}
	for _, f := range missing(facts(req), facts(again)) {
		if !covered(f.place, report) && !same(f, req, to, report) {
			t.Errorf("the %s at %s is lost in silence: %.200s\nreport: %s\nwritten: %.1500s", f.what, f.place, f.value, report.Header(), written)
		}
	}
	return report, written
}

// same tells whether a fact need not be found again, because the provider's dialect has it in another way.
func same(f fact, req *canon.Request, to *side, report *canon.Report) bool {
	switch {
	case f.what == "thinking" && f.value == "off":
		return true // the models that are written for do not think unless they are asked to
	case f.what == "thinking" && to.name == "openai-chat":
		return req.Reasoning.Effort == "" && req.Reasoning.Budget <= 0 // as much as the model likes: so it is unasked
	case strings.HasPrefix(f.what, "tool") && f.what != "tool choice" && covered(req.Doc.At(req.Choice.At).Path(), report):
		return !strings.HasPrefix(f.what, "tool call") && !strings.HasPrefix(f.what, "tool result") // it is not offered, so that it is not called
	case to.name == "gemini" && f.what == "image detail":
		return true // it is said once for all media
	case to.name == "bedrock" && strings.HasSuffix(f.what, "'s id"):
		return strings.ContainsAny(f.value, ".:") // Bedrock takes no such ids: call and result get the same other one
	case to.name == "gemini" && f.what == "strict tool":
		return req.Choice.Mode >= canon.ToolsAny // ANY holds the model to the schema
	}
	return false
}
