package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
)

type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Tools               []chatTool      `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type chatTool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// turn reads what is asked.
func (q *chatRequest) turn() (*turn, error) {
	model, err := known(q.Model)
	if err != nil {
		return nil, err
	}
	t := &turn{model: model, choice: readChoice(q.ToolChoice)}
	if len(q.Messages) == 0 {
		return nil, invalid("messages", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	asked := false
	for i, m := range q.Messages {
		text, ok := contentText(m.Content)
		if !ok {
			return nil, invalid(fmt.Sprintf("messages[%d].content", i), fmt.Sprintf("Invalid type for 'messages[%d].content': expected a string or an array of parts.", i))
		}
		t.texts = append(t.texts, text)
		switch m.Role {
		case "user":
			t.prompt, t.results, asked = text, nil, true
		case "tool":
			t.results = append(t.results, text)
		case "system", "developer", "assistant", "function":
			t.results = nil
		default:
			return nil, invalid(fmt.Sprintf("messages[%d].role", i), fmt.Sprintf("Invalid value: '%s'. Supported values are: 'system', 'developer', 'assistant', 'user', 'tool', and 'function'.", m.Role))
		}
	}
	if !asked {
		t.prompt = t.texts[len(t.texts)-1]
	}
	for _, f := range q.Tools {
		if f.Type == "function" && f.Function.Name != "" {
			t.tools = append(t.tools, tool{f.Function.Name, f.Function.Parameters})
		}
	}
	t.most, err = limit(q.MaxCompletionTokens, "max_completion_tokens", q.MaxTokens, "max_tokens")
	return t, err
}

// limit chooses the first limit of tokens that is given; 0 when none is.
func limit(first *int, firstName string, second *int, secondName string) (int, error) {
	for _, l := range []struct {
		value *int
		name  string
	}{{first, firstName}, {second, secondName}} {
		if l.value == nil {
			continue
		}
		if *l.value < 1 {
			return 0, invalid(l.name, fmt.Sprintf("Invalid '%s': integer below minimum value. Expected a value >= 1, but got %d instead.", l.name, *l.value))
		}
		return *l.value, nil
	}
	return 0, nil
}

// chat answers POST chat/completions.
func (s *server) chat(w http.ResponseWriter, r *http.Request) error {
	var q chatRequest
	if err := read(w, r, &q); err != nil {
		return err
	}
	t, err := q.turn()
	if err != nil {
		return err
	}
	a, err := t.answer()
	if err != nil {
		return err
	}
	c := chatAnswer{id: s.id("chatcmpl-"), created: s.now().Unix(), model: q.Model, reply: a}
	if !q.Stream {
		return writeJSON(w, http.StatusOK, c.whole(s.id("call_")))
	}
	out := s.stream(w, r, a.output)
	return c.stream(out, s.id("call_"), q.StreamOptions != nil && q.StreamOptions.IncludeUsage)
}

// chatAnswer is an answer that is about to be written.
type chatAnswer struct {
	id      string
	created int64
	model   string
	reply   reply
}

func (c *chatAnswer) finish() string {
	switch {
	case c.reply.tool != "":
		return "tool_calls"
	case c.reply.short:
		return "length"
	}
	return "stop"
}

// whole is the answer in one piece.
func (c *chatAnswer) whole(callID string) any {
	message := map[string]any{"role": "assistant", "content": c.reply.text, "refusal": nil, "annotations": []any{}}
	if c.reply.tool != "" {
		message["content"] = nil
		message["tool_calls"] = []any{map[string]any{
			"id": callID, "type": "function",
			"function": map[string]any{"name": c.reply.tool, "arguments": c.reply.arguments},
		}}
	}
	return map[string]any{
		"id": c.id, "object": "chat.completion", "created": c.created, "model": c.model,
		"choices": []any{map[string]any{"index": 0, "message": message, "logprobs": nil, "finish_reason": c.finish()}},
		"usage":   c.reply.usageOfChat(),
	}
}

// stream is the answer in chunks: the role, the tokens, the finish reason, the usage if it was
// asked for, and the end mark.
func (c *chatAnswer) stream(out *stream, callID string, withUsage bool) error {
	send := func(choices []any, usage any) error {
		chunk := map[string]any{"id": c.id, "object": "chat.completion.chunk", "created": c.created, "model": c.model, "choices": choices}
		if withUsage {
			chunk["usage"] = usage
		}
		return out.send("", chunk)
	}
	delta := func(delta map[string]any, finish any) error {
		return send([]any{map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}, nil)
	}
	function := func(call map[string]any) map[string]any { return map[string]any{"tool_calls": []any{call}} }
	var err error
	if c.reply.tool != "" {
		begin := function(map[string]any{"index": 0, "id": callID, "type": "function", "function": map[string]any{"name": c.reply.tool, "arguments": ""}})
		begin["role"], begin["content"] = "assistant", nil
		if err = delta(begin, nil); err != nil {
			return err
		}
		err = out.tokens(c.reply.arguments, func(token string) error {
			return delta(function(map[string]any{"index": 0, "function": map[string]any{"arguments": token}}), nil)
		})
	} else {
		if err = delta(map[string]any{"role": "assistant", "content": ""}, nil); err != nil {
			return err
		}
		err = out.tokens(c.reply.text, func(token string) error { return delta(map[string]any{"content": token}, nil) })
	}
	if err != nil {
		return err
	}
	if err := delta(map[string]any{}, c.finish()); err != nil {
		return err
	}
	if withUsage {
		if err := send([]any{}, c.reply.usageOfChat()); err != nil {
			return err
		}
	}
	return out.sendRaw("", []byte("[DONE]"))
}
