package bedrock_test

import (
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/canon"
)

// Claude refuses to think on behind results of tools whose calls came without the thoughts before them.
func TestClaudeIsNotAskedToThinkWithoutTheThoughtsBefore(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []canon.Part
		on    bool
	}{
		{"with them", []canon.Part{{Kind: canon.Thinking, Text: "hm", Signature: "s", SignedBy: "bedrock"}, {Kind: canon.ToolCall, Call: &canon.Call{ID: "1", Name: "f", Args: "{}"}}}, true},
		{"without", []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: "1", Name: "f", Args: "{}"}}}, false},
	} {
		req := &canon.Request{Dialect: "other", Op: llm.Chat, Messages: []canon.Message{
			{Parts: []canon.Part{{Text: "a"}}},
			{Role: canon.Assistant, Parts: c.parts},
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "1", Parts: []canon.Part{{Text: "r"}}}}}},
		}}
		req.Reasoning.Said, req.Reasoning.Budget = true, 2000
		body, err := bedrock.New().Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Vendor: &catalog.Vendor{}}, canon.NewReport(req))
		if err != nil {
			t.Fatal(err)
		}
		if on := strings.Contains(string(body), `"thinking":{"type":"enabled"`); on != c.on {
			t.Errorf("%s: %s", c.name, body)
		}
	}
}
