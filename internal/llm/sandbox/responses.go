package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

type responsesRequest struct {
	Model           string          `json:"model"`
	Input           json.RawMessage `json:"input"`
	Instructions    string          `json:"instructions"`
	Stream          bool            `json:"stream"`
	MaxOutputTokens *int            `json:"max_output_tokens"`
	Tools           []responsesTool `json:"tools"`
	ToolChoice      json.RawMessage `json:"tool_choice"`
}

type responsesTool struct {
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
}

type responsesItem struct {
	Type    string          `json:"type"`
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
	Output  json.RawMessage `json:"output"`
}

// turn reads what is asked. Nothing is stored, so an earlier response can't be continued by its id.
func (q *responsesRequest) turn() (*turn, error) {
	model, err := known(q.Model)
	if err != nil {
		return nil, err
	}
	t := &turn{model: model, choice: readChoice(q.ToolChoice)}
	if q.Instructions != "" {
		t.texts = append(t.texts, q.Instructions)
	}
	if err := q.readInput(t); err != nil {
		return nil, err
	}
	for _, f := range q.Tools {
		if f.Type == "function" && f.Name != "" {
			t.tools = append(t.tools, tool{f.Name, f.Parameters})
		}
	}
	t.most, err = limit(q.MaxOutputTokens, "max_output_tokens", nil, "")
	return t, err
}

// readInput reads a text, or a list of messages and of what tools returned.
func (q *responsesRequest) readInput(t *turn) error {
	if input := bytes.TrimSpace(q.Input); len(input) == 0 || string(input) == "null" {
		return invalid("input", "Missing required parameter: 'input'.")
	}
	var text string
	if json.Unmarshal(q.Input, &text) == nil {
		t.prompt = text
		t.texts = append(t.texts, text)
		return nil
	}
	var items []responsesItem
	if json.Unmarshal(q.Input, &items) != nil {
		return invalid("input", "Invalid type for 'input': expected a string or an array of items.")
	}
	for i, item := range items {
		content := item.Content
		if item.Type == "function_call_output" {
			content = item.Output
		}
		text, ok := contentText(content)
		if !ok {
			return invalid(fmt.Sprintf("input[%d]", i), fmt.Sprintf("Invalid type for 'input[%d]': expected a string or an array of parts.", i))
		}
		t.texts = append(t.texts, text)
		switch {
		case item.Type == "function_call_output":
			t.results = append(t.results, text)
		case item.Role == "user":
			t.prompt, t.results = text, nil
		default:
			t.results = nil
		}
	}
	return nil
}

// responses answers POST responses.
func (s *server) responses(w http.ResponseWriter, r *http.Request) error {
	var q responsesRequest
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
	c := response{id: s.id("resp_"), itemID: s.id("item_"), callID: s.id("call_"), created: s.now().Unix(), model: q.Model, reply: a}
	if !q.Stream {
		return writeJSON(w, http.StatusOK, c.object(true))
	}
	return c.stream(s.stream(w, r, a.output))
}

// response is an answer that is about to be written.
type response struct {
	id, itemID, callID string
	created            int64
	model              string
	reply              reply
}

// object is the response, as it stands before and after its output.
func (c *response) object(done bool) map[string]any {
	o := map[string]any{
		"id": c.id, "object": "response", "created_at": c.created, "model": c.model, "status": "in_progress", "error": nil, "incomplete_details": nil,
		"instructions": nil, "max_output_tokens": nil, "output": []any{}, "parallel_tool_calls": true, "previous_response_id": nil,
		"reasoning": map[string]any{"effort": nil, "summary": nil}, "store": false, "temperature": 1.0, "top_p": 1.0,
		"text": map[string]any{"format": map[string]any{"type": "text"}}, "tool_choice": "auto", "tools": []any{}, "truncation": "disabled",
		"usage": nil, "user": nil, "metadata": map[string]any{},
	}
	if !done {
		return o
	}
	o["status"] = c.status()
	if c.reply.short {
		o["incomplete_details"] = map[string]any{"reason": "max_output_tokens"}
	}
	o["output"] = []any{c.item(c.status(), c.reply.text, c.reply.arguments)}
	o["usage"] = map[string]any{
		"input_tokens": c.reply.input, "input_tokens_details": map[string]any{"cached_tokens": 0},
		"output_tokens": c.reply.output, "output_tokens_details": map[string]any{"reasoning_tokens": 0},
		"total_tokens": c.reply.input + c.reply.output,
	}
	return o
}

func (c *response) status() string {
	if c.reply.short {
		return "incomplete"
	}
	return "completed"
}

// item is the one output item: a message or a call.
func (c *response) item(status, text, arguments string) map[string]any {
	if c.reply.tool != "" {
		return map[string]any{"type": "function_call", "id": c.itemID, "call_id": c.callID, "name": c.reply.tool, "arguments": arguments, "status": status}
	}
	content := []any{}
	if status != "in_progress" {
		content = append(content, textPart(text))
	}
	return map[string]any{"type": "message", "id": c.itemID, "status": status, "role": "assistant", "content": content}
}

func textPart(text string) map[string]any {
	return map[string]any{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": []any{}}
}

// stream is the answer as typed events, each with its sequence number.
func (c *response) stream(out *stream) error {
	sequence := 0
	send := func(kind string, members map[string]any) error {
		members["type"], members["sequence_number"] = kind, sequence
		sequence++
		return out.send(kind, members)
	}
	inItem := func(members map[string]any) map[string]any {
		members["output_index"], members["item_id"] = 0, c.itemID
		return members
	}
	inPart := func(members map[string]any) map[string]any {
		members["content_index"] = 0
		return inItem(members)
	}
	for _, kind := range []string{"response.created", "response.in_progress"} {
		if err := send(kind, map[string]any{"response": c.object(false)}); err != nil {
			return err
		}
	}
	if err := send("response.output_item.added", map[string]any{"output_index": 0, "item": c.item("in_progress", "", "")}); err != nil {
		return err
	}
	var err error
	if c.reply.tool != "" {
		err = out.tokens(c.reply.arguments, func(token string) error {
			return send("response.function_call_arguments.delta", inItem(map[string]any{"delta": token}))
		})
		if err == nil {
			err = send("response.function_call_arguments.done", inItem(map[string]any{"name": c.reply.tool, "arguments": c.reply.arguments}))
		}
	} else {
		err = c.streamText(out, send, inPart)
	}
	if err != nil {
		return err
	}
	if err := send("response.output_item.done", map[string]any{"output_index": 0, "item": c.item(c.status(), c.reply.text, c.reply.arguments)}); err != nil {
		return err
	}
	return send("response."+c.status(), map[string]any{"response": c.object(true)})
}

// streamText sends the one part of a message.
func (c *response) streamText(out *stream, send func(string, map[string]any) error, inPart func(map[string]any) map[string]any) error {
	if err := send("response.content_part.added", inPart(map[string]any{"part": textPart("")})); err != nil {
		return err
	}
	err := out.tokens(c.reply.text, func(token string) error {
		return send("response.output_text.delta", inPart(map[string]any{"delta": token, "logprobs": []any{}}))
	})
	if err != nil {
		return err
	}
	if err := send("response.output_text.done", inPart(map[string]any{"text": c.reply.text, "logprobs": []any{}})); err != nil {
		return err
	}
	return send("response.content_part.done", inPart(map[string]any{"part": textPart(c.reply.text)}))
}
