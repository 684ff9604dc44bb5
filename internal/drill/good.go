package drill

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// goodServer answers well, in HTTP/1.1 and in HTTP/2 without TLS.
type goodServer struct {
	l      net.Listener
	server *http.Server
}

// newGood starts one. Without keepAlive it closes each connection after its answer, so that one connection in ten is
// one call in ten.
func newGood(keepAlive bool) (*goodServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the drill's good server: %w", err)
	}
	var speaks http.Protocols
	speaks.SetHTTP1(true)
	speaks.SetUnencryptedHTTP2(true)
	s := &goodServer{l: l, server: &http.Server{
		Handler: http.HandlerFunc(answerWell), Protocols: &speaks, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}}
	s.server.SetKeepAlivesEnabled(keepAlive)
	go func() { _ = s.server.Serve(l) }() // ends with close
	return s, nil
}

func (s *goodServer) addr() string { return s.l.Addr().String() }

func (s *goodServer) close() { _ = s.server.Close() }

const (
	goodChat   = `{"id":"chatcmpl-drill","object":"chat.completion","created":1,"model":"drill","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	goodStream = `data: {"id":"chatcmpl-drill","object":"chat.completion.chunk","created":1,"model":"drill","choices":[{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":null}]}

data: {"id":"chatcmpl-drill","object":"chat.completion.chunk","created":1,"model":"drill","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

`
)

func answerWell(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if !strings.HasSuffix(r.URL.Path, "/chat/completions") {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	var ask struct {
		Stream bool `json:"stream"`
	}
	_ = json.Unmarshal(body, &ask) // what is no JSON asks for no stream
	if ask.Stream {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, goodStream)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, goodChat)
}
