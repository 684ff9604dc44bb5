package spec_test

import (
	"testing"

	"causeway/internal/llm/llmtest/spec"
)

// refused notes whether a check failed.
type refused struct {
	testing.TB
	failed bool
}

func (r *refused) Helper()               {}
func (r *refused) Errorf(string, ...any) { r.failed = true }

func TestWhatTheDescriptionRefusesIsRefused(t *testing.T) {
	s := spec.Open(t, "anthropic-openapi.yaml.gz")
	for _, c := range []struct {
		name, body string
		bad        bool
	}{
		{"a request", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, false},
		{"without length", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, true},
		{"a member that it does not have", `{"model":"m","max_tokens":1,"n":2,"messages":[{"role":"user","content":"x"}]}`, true},
		{"an empty text", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":""}]}]}`, true},
		{"no JSON", `{`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &refused{TB: t}
			s.Request(r, "POST", "/v1/messages", []byte(c.body))
			if r.failed != c.bad {
				t.Errorf("refused: %v", r.failed)
			}
		})
	}
}
