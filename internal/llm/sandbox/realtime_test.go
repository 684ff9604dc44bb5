package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"causeway/internal/llm/sandbox"
)

// realtimeEvent is what is read of a server's event.
type realtimeEvent struct {
	Type    string `json:"type"`
	Delta   string `json:"delta"`
	Text    string `json:"text"`
	Session struct {
		Model string `json:"model"`
	} `json:"session"`
	Error struct {
		Code    string `json:"code"`
		EventID string `json:"event_id"`
	} `json:"error"`
	Response struct {
		Status string `json:"status"`
		Usage  struct {
			Input  int `json:"input_tokens"`
			Output int `json:"output_tokens"`
		} `json:"usage"`
	} `json:"response"`
}

func TestRealtime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, strings.Replace(start(t, sandbox.Options{}), "http", "ws", 1)+"/v1/realtime?model=echo", &websocket.DialOptions{Subprotocols: []string{"realtime"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	next := func() (ev realtimeEvent) {
		t.Helper()
		_, p, err := c.Read(ctx)
		if err == nil {
			err = json.Unmarshal(p, &ev)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ev
	}
	send := func(text string) {
		t.Helper()
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if ev := next(); c.Subprotocol() != "realtime" || ev.Type != "session.created" || ev.Session.Model != "echo" {
		t.Errorf("the session begins with %+v", ev)
	}
	send(`{"type":"session.update","session":{}}`)
	if ev := next(); ev.Type != "session.updated" {
		t.Errorf("got %+v", ev)
	}
	send(`{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"one two "},{"type":"input_text","text":"three"}]}}`)
	if ev := next(); ev.Type != "conversation.item.created" {
		t.Errorf("got %+v", ev)
	}
	send(`{"type":"response.create"}`)
	var kinds []string
	text := ""
	for {
		ev := next()
		kinds = append(kinds, ev.Type)
		text += ev.Delta
		if ev.Type == "response.done" {
			if ev.Response.Status != "completed" || ev.Response.Usage.Input != 3 || ev.Response.Usage.Output != 3 {
				t.Errorf("it ends with %+v", ev.Response)
			}
			break
		}
	}
	want := "response.created response.output_text.delta response.output_text.delta response.output_text.delta response.output_text.done response.done"
	if got := strings.Join(kinds, " "); got != want || text != "one two three" {
		t.Errorf("%s with %q", got, text)
	}
	for event, code := range map[string]string{`{"type":"nonsense","event_id":"mine"}`: "unknown_event", `{"type":"input_audio_buffer.append","event_id":"mine"}`: "unsupported", `{`: "invalid_json"} {
		send(event)
		if ev := next(); ev.Type != "error" || ev.Error.Code != code || code != "invalid_json" && ev.Error.EventID != "mine" {
			t.Errorf("%s: %+v", event, ev)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestRealtimeIsRefusedBeforeTheUpgrade(t *testing.T) {
	url := start(t, sandbox.Options{})
	for path, status := range map[string]int{"/v1/realtime?model=nobody": 404, "/v1/realtime": 400, "/v1/realtime?model=echo": 400} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, status)
		}
	}
}
