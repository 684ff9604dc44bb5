package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// stream writes server-sent events.
type stream struct {
	w     http.ResponseWriter
	ctx   context.Context
	flush func() error
	pause time.Duration
}

// stream begins an answer of about n tokens.
func (s *server) stream(w http.ResponseWriter, r *http.Request, n int) *stream {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	pause := max(s.pace, 0)
	if n > 0 {
		pause = min(pause, longestStream/time.Duration(n))
	}
	return &stream{w: w, ctx: r.Context(), flush: http.NewResponseController(w).Flush, pause: pause}
}

// send writes one event, named unless name is "", and gets it on its way. The error is the
// connection's.
func (s *stream) send(name string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	return s.sendRaw(name, body)
}

func (s *stream) sendRaw(name string, data []byte) error {
	event := make([]byte, 0, len(data)+len(name)+len("event: \ndata: \n\n"))
	if name != "" {
		event = append(append(append(event, "event: "...), name...), '\n')
	}
	event = append(append(append(event, "data: "...), data...), "\n\n"...)
	if _, err := s.w.Write(event); err != nil {
		return err
	}
	return s.flush()
}

// wait pauses between two tokens; the caller's leaving ends it.
func (s *stream) wait() error {
	if s.pause == 0 {
		return s.ctx.Err()
	}
	timer := time.NewTimer(s.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// tokens sends text token by token: send is called with each, with a pause between two.
func (s *stream) tokens(text string, send func(token string) error) error {
	for i, token := range split(text) {
		if i > 0 {
			if err := s.wait(); err != nil {
				return err
			}
		}
		if err := send(token); err != nil {
			return err
		}
	}
	return nil
}
