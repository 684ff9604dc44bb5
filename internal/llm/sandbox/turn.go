package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// turn is what a model is asked, whatever the address it was asked at.
type turn struct {
	model   string
	texts   []string // of all messages, for the count
	prompt  string   // the last message of the user
	results []string // what the tools that were called last have returned
	tools   []tool
	choice  string // the tool that must be called, "none", or "" for the first
	most    int    // tokens, 0 for no limit
}

// tool is a function that is offered.
type tool struct {
	name       string
	parameters json.RawMessage // its JSON schema
}

// reply is what a model answers: a text, or one call of a tool.
type reply struct {
	text      string
	tool      string // the tool's name, "" for a text
	arguments string // JSON
	short     bool   // cut off by the limit of tokens
	input     int
	output    int
}

// answer is the whole intelligence of the sandbox.
func (t *turn) answer() (reply, error) {
	r := reply{input: count(t.texts...)}
	chosen, err := t.chosenTool()
	switch {
	case err != nil:
		return r, err
	case chosen != nil:
		r.tool = chosen.name
		if r.arguments, err = sampleArguments(chosen.parameters); err != nil {
			return r, invalid("tools", fmt.Sprintf("The parameters of tool '%s' are no JSON schema: %v.", chosen.name, err))
		}
	case t.model == tools && len(t.results) > 0:
		r.text = strings.Join(t.results, "\n")
	case t.model == tools && len(t.tools) == 0:
		r.text = "No tool was offered, so that none was called."
	default:
		r.text = t.prompt
	}
	if r.text, r.short = cut(r.text, t.most); r.tool != "" {
		r.output = count(r.tool, r.arguments)
	} else {
		r.output = count(r.text)
	}
	return r, nil
}

// chosenTool is the tool that is to be called, nil for none.
func (t *turn) chosenTool() (*tool, error) {
	if t.model != tools || len(t.results) > 0 || t.choice == "none" || len(t.tools) == 0 {
		return nil, nil
	}
	if t.choice == "" {
		return &t.tools[0], nil
	}
	for i := range t.tools {
		if t.tools[i].name == t.choice {
			return &t.tools[i], nil
		}
	}
	return nil, invalid("tool_choice", fmt.Sprintf("Tool choice '%s' not found in 'tools' parameter.", t.choice))
}

// contentText reads a message's content: a text, or a list of parts of which those with a text count.
func contentText(content json.RawMessage) (string, bool) {
	content = bytes.TrimSpace(content)
	if len(content) == 0 || string(content) == "null" {
		return "", true
	}
	var text string
	if json.Unmarshal(content, &text) == nil {
		return text, true
	}
	var parts []struct{ Text string }
	if json.Unmarshal(content, &parts) != nil {
		return "", false
	}
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(p.Text)
	}
	return all.String(), true
}

// readChoice reads tool_choice: "none", "auto", "required", or an object that names a function, in
// either of OpenAI's two ways.
func readChoice(raw json.RawMessage) string {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		if word == "none" {
			return word
		}
		return ""
	}
	var named struct {
		Name     string
		Function struct{ Name string }
	}
	if json.Unmarshal(raw, &named) != nil {
		return ""
	}
	return named.Function.Name + named.Name
}

// usageOfChat is a usage object as chat completions write it.
func (r *reply) usageOfChat() map[string]any {
	return map[string]any{
		"prompt_tokens": r.input, "completion_tokens": r.output, "total_tokens": r.input + r.output,
		"prompt_tokens_details":     map[string]any{"cached_tokens": 0},
		"completion_tokens_details": map[string]any{"reasoning_tokens": 0},
	}
}
