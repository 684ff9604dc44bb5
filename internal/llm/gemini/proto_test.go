package gemini_test

import (
	"slices"
	"strings"
	"testing"

	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/llmtest/spec"
)

// schema is what the API's description says of its messages.
type schema struct{ *spec.Protos }

func readProtos(t *testing.T) *schema {
	t.Helper()
	return &schema{spec.OpenProtos(t, "testdata/proto/*.proto")}
}

// valid fails the test when a text is no message of the API's description; but are members that came after it.
func (s *schema) valid(t *testing.T, message string, text []byte, but ...string) {
	t.Helper()
	for _, fault := range s.Faults(message, llmtest.Value(t, text)) {
		if !slices.ContainsFunc(but, func(part string) bool { return strings.Contains(fault, part) }) {
			t.Errorf("%s\n%.2000s", fault, text)
		}
	}
}

// TestTheDescriptionIsRead guards the reader of the description itself.
func TestTheDescriptionIsRead(t *testing.T) {
	s := readProtos(t)
	for _, c := range []struct {
		message, text string
		faults        int
	}{
		{"GenerateContentRequest", `{"contents":[{"role":"user","parts":[{"text":"a"}]}]}`, 0},
		{"GenerateContentRequest", `{"contents":[{"parts":[{"text":1}]}],"nonsense":1}`, 2},
		{"GenerateContentRequest", `{"contents":{},"generationConfig":{"candidateCount":1.5,"responseModalities":["text"]}}`, 3},
		{"GenerateContentRequest", `{"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"any":1}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`, 0},
		{"GenerationConfig", `{"responseJsonSchema":{},"_responseJsonSchema":{},"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}}`, 1},
		{"GenerateContentResponse", `{"candidates":[{"finishReason":"STOP"},{"finishReason":"stop"}],"promptFeedback":{"blockReason":"SAFETY"}}`, 1},
		{"Schema", `{"type":"OBJECT","properties":{"a":{"type":"string"}}}`, 1},
	} {
		if faults := s.Faults(c.message, llmtest.Value(t, []byte(c.text))); len(faults) != c.faults {
			t.Errorf("%s: %q, want %d", c.text, faults, c.faults)
		}
	}
}
