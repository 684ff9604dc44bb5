package gateway

import (
	"fmt"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

// TestSmallLossesAreReported: what is easily forgotten, since another loss is the reason for it.
func TestSmallLossesAreReported(t *testing.T) {
	r, _, _ := newCrossRig(t)
	const resp = `{"model":"MODEL","input":"x","max_output_tokens":9,"parallel_tool_calls":false,"tools":[{"type":"local_shell"}]}`
	const msg = `{"model":"MODEL","max_tokens":9,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"adaptive"},"output_config":{"effort":"EFFORT"}}`
	for _, c := range []struct{ path, body, model, has, lacks string }{
		{"/v1/responses", resp, "anthropic/claude-sonnet-4-5", "parallel_tool_calls;dropped", ""},
		{"/v1/responses", strings.Replace(resp, "false", "true", 1), "anthropic/claude-sonnet-4-5", "tools.0;dropped", "parallel_tool_calls"},
		{"/v1/messages", strings.Replace(msg, "EFFORT", "max", 1), "openai/gpt-5", "thinking;approximated", ""},
		{"/v1/messages", strings.Replace(msg, "EFFORT", "xhigh", 1), "openai/gpt-5", "", "approximated"},
		{"/v1/messages", strings.Replace(msg, "EFFORT", "max", 1), "gemini/gemini-2.5-pro", ";approximated", ""},
	} {
		body := strings.Replace(c.body, "MODEL", c.model, 1)
		a := r.call(t, fmt.Sprintf("POST %s HTTP/1.1\nHost: h\nAuthorization: Bearer web-key-0123456789\nContent-Length: %d\n\n%s", c.path, len(body), body))
		report := a.header.Get("Causeway-Translation")
		if a.status != 200 || !strings.Contains(report, c.has) || c.lacks != "" && strings.Contains(report, c.lacks) {
			t.Errorf("%s %s: %d, the report is %q, want %q and not %q: %.300s", c.model, body, a.status, report, c.has, c.lacks, a.body)
		}
	}
}

// TestARequestWithoutItsTextIsWritten: one that was not read from a body, of whatever dialect it says it is.
func TestARequestWithoutItsTextIsWritten(t *testing.T) {
	for _, d := range allDialects() {
		for _, of := range allDialects() {
			req := &canon.Request{Dialect: of.Name(), Op: llm.Chat, Messages: []canon.Message{{Role: canon.User, Parts: []canon.Part{{Text: "hello"}}}}}
			req.Params[canon.MaxTokens] = canon.Param{JSON: []byte("5")}
			body, err := d.(canon.Speaker).Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: "m"}, canon.NewReport(req))
			if err != nil || !strings.Contains(string(body), "hello") {
				t.Errorf("%s for %s: %s, %v", of.Name(), d.Name(), body, err)
			}
		}
	}
}
