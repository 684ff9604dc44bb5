package llmtest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

func (s *Suite) answers(t *testing.T) {
	for _, c := range s.Answers {
		t.Run(c.Name, func(t *testing.T) {
			got := s.Dialect.ReadAnswer(s.Op, []byte(c.Body))
			if got.Kind != "" || !sameUsage(got.Usage, c.Usage) || got.Finish != c.Finish {
				t.Errorf("%+v", got)
			}
			for _, size := range []int{1, 10, 1 << 20} {
				long := s.Dialect.LongAnswer(s.Op)
				for _, p := range bytewise(c.Body, size) {
					long.Feed(p)
				}
				if answer, ok := long.Finish(true); !ok || !sameUsage(answer.Usage, c.Usage) {
					t.Errorf("read while passing in pieces of %d: %+v", size, answer)
				}
			}
		})
	}
	for name, body := range map[string]string{
		"an HTML page": "<!DOCTYPE html><html><head><title>Log in</title></head></html>", "nothing": "", "text": "upstream connect error", "another object": `{"ok":true}`,
		"an array": "[]", "cut off": s.Answers[0].Body[:len(s.Answers[0].Body)/2], "two texts": s.Answers[0].Body + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.Dialect.ReadAnswer(s.Op, []byte(body)); got.Kind != fault.IncompatibleResponse || got.Problem == "" {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("reading allocates nothing", func(t *testing.T) {
		body := []byte(s.Answers[0].Body)
		if n := testing.AllocsPerRun(100, func() { s.Dialect.ReadAnswer(s.Op, body) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func (s *Suite) errors(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, e := range s.Errors {
		t.Run(e.Name, func(t *testing.T) {
			got := s.Dialect.ReadError(e.Status, e.Header, []byte(e.Body), now)
			if got.Kind != e.Kind || got.Valid != e.Valid {
				t.Errorf("got %s, valid %v, want %s, valid %v: %+v", got.Kind, got.Valid, e.Kind, e.Valid, got)
			}
			if got.Valid != (got.Problem == "") {
				t.Errorf("valid %v with problem %q", got.Valid, got.Problem)
			}
		})
	}
	t.Run("our own error body", func(t *testing.T) {
		body := s.Dialect.AppendError(nil, failure())
		s.hasMembers(t, body)
		got := s.Dialect.ReadError(502, func(string) string { return "" }, body, now)
		if !got.Valid || !got.Passable() {
			t.Errorf("the dialect does not read it as an error: %+v", got)
		}
	})
	t.Run("models", func(t *testing.T) {
		var list struct {
			Data   []struct{ ID string }      // OpenAI, Anthropic
			Models []struct{ Name string }    // Gemini (models/NAME), Cohere, Ollama
			Known  []struct{ ModelID string } `json:"modelSummaries"` // Bedrock
		}
		body := s.Dialect.AppendModels(nil, []llm.Model{{ID: "fast", OwnedBy: "causeway"}, {ID: `a"b`, OwnedBy: "sandbox", Created: now}})
		err := json.Unmarshal(body, &list)
		var names []string
		for _, m := range list.Data {
			names = append(names, m.ID)
		}
		for _, m := range list.Models {
			names = append(names, strings.TrimPrefix(m.Name, "models/"))
		}
		for _, m := range list.Known {
			names = append(names, m.ModelID)
		}
		if err != nil || len(names) != 2 || names[0] != "fast" || names[1] != `a"b` {
			t.Errorf("%v: %s", err, body)
		}
		if body := s.Dialect.AppendModels(nil, nil); !json.Valid(body) || !strings.Contains(string(body), "[]") {
			t.Errorf("%s", body)
		}
		if body := s.Dialect.AppendModel(nil, llm.Model{ID: "fast"}); !json.Valid(body) || !strings.Contains(string(body), `"fast"`) {
			t.Errorf("%s", body)
		}
	})
}
