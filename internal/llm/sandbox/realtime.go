package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// realtimeIdle is how long a realtime session may be silent.
const realtimeIdle = 5 * time.Minute

// realtime is a session of the realtime API (platform.openai.com/docs/api-reference/realtime): text in,
// the same text out, token by token. Audio it neither hears nor speaks.
func (s *server) realtime(w http.ResponseWriter, r *http.Request) error {
	model, err := known(r.URL.Query().Get("model"))
	if err != nil {
		return err
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return invalid("", "This address is a WebSocket.")
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"realtime"}, InsecureSkipVerify: true, // whoever may call is the gateway's to say
	})
	if err != nil {
		return nil // it has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(16 << 20)
	session := &session{server: s, c: c, ctx: r.Context(), model: model, id: s.id("sess_")}
	session.run()
	return nil
}

// session is one realtime conversation.
type session struct {
	server *server
	c      *websocket.Conn
	ctx    context.Context
	model  string
	id     string
	events int
	texts  []string // of all messages, for the count
	prompt string   // the last message of the user
}

// clientEvent is what is read of a client's event.
type clientEvent struct {
	ID   string `json:"event_id"`
	Type string `json:"type"`
	Item struct {
		Type    string `json:"type"`
		Role    string `json:"role"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"item"`
}

func (s *session) run() {
	if s.send("session.created", map[string]any{"session": s.describe()}) != nil {
		return
	}
	for {
		ctx, cancel := context.WithTimeout(s.ctx, realtimeIdle)
		_, p, err := s.c.Read(ctx)
		cancel()
		if err != nil {
			return // the client closed, or was silent for too long
		}
		var ev clientEvent
		if err = json.Unmarshal(p, &ev); err != nil {
			err = s.refuse(ev.ID, "invalid_json", "We could not parse the JSON of your event: "+err.Error())
		} else {
			err = s.handle(&ev)
		}
		if err != nil {
			return
		}
	}
}

func (s *session) handle(ev *clientEvent) error {
	switch ev.Type {
	case "session.update":
		return s.send("session.updated", map[string]any{"session": s.describe()})
	case "conversation.item.create":
		var text strings.Builder
		for _, part := range ev.Item.Content {
			text.WriteString(part.Text)
		}
		s.texts = append(s.texts, text.String())
		if ev.Item.Role == "user" {
			s.prompt = text.String()
		}
		return s.send("conversation.item.created", map[string]any{"item": map[string]any{
			"id": s.server.id("item_"), "object": "realtime.item", "type": ev.Item.Type, "role": ev.Item.Role, "status": "completed",
			"content": []any{map[string]any{"type": "input_text", "text": text.String()}},
		}})
	case "response.create":
		return s.respond()
	case "response.cancel", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear":
		return s.refuse(ev.ID, "unsupported", "The sandbox speaks text alone, and has answered by the time it could be told to stop.")
	}
	return s.refuse(ev.ID, "unknown_event", "Unknown event type: "+strconv.Quote(ev.Type)+".")
}

// respond answers with the prompt.
func (s *session) respond() error {
	id, item := s.server.id("resp_"), s.server.id("item_")
	about := map[string]any{"response_id": id, "item_id": item, "output_index": 0, "content_index": 0}
	with := func(name string, value any) map[string]any {
		m := map[string]any{name: value}
		for k, v := range about {
			m[k] = v
		}
		return m
	}
	response := map[string]any{"object": "realtime.response", "id": id, "status": "in_progress", "output": []any{}}
	if err := s.send("response.created", map[string]any{"response": response}); err != nil {
		return err
	}
	tokens := split(s.prompt)
	pace := &stream{ctx: s.ctx, pause: max(s.server.pace, 0)}
	if n := len(tokens); n > 0 {
		pace.pause = min(pace.pause, longestStream/time.Duration(n))
	}
	err := pace.tokens(s.prompt, func(token string) error { return s.send("response.output_text.delta", with("delta", token)) })
	if err != nil {
		return err
	}
	if err := s.send("response.output_text.done", with("text", s.prompt)); err != nil {
		return err
	}
	input, output := count(s.texts...), len(tokens)
	response["status"] = "completed"
	response["output"] = []any{map[string]any{
		"id": item, "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed",
		"content": []any{map[string]any{"type": "output_text", "text": s.prompt}},
	}}
	response["usage"] = map[string]any{"total_tokens": input + output, "input_tokens": input, "output_tokens": output}
	s.texts = append(s.texts, s.prompt)
	return s.send("response.done", map[string]any{"response": response})
}

func (s *session) describe() map[string]any {
	return map[string]any{"type": "realtime", "object": "realtime.session", "id": s.id, "model": s.model, "output_modalities": []string{"text"}}
}

func (s *session) refuse(event, code, message string) error {
	return s.send("error", map[string]any{"error": map[string]any{"type": "invalid_request_error", "code": code, "message": message, "param": nil, "event_id": event}})
}

// send writes one event. The error is the connection's.
func (s *session) send(kind string, members map[string]any) error {
	s.events++
	members["type"], members["event_id"] = kind, "event_"+s.id+"_"+strconv.Itoa(s.events)
	p, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return s.c.Write(s.ctx, websocket.MessageText, p)
}
