// Package sandbox is a small model server in OpenAI's dialect that needs no network, no key and no
// model: "echo" answers with the prompt, "tools" calls the first tool it is offered. Its answers
// are whole and valid (usage, finish reasons, streams, tool calls), so that a client can be tried
// against it before there is a provider. It looks at no credentials.
//
// A token is a word with the white space before it, or twelve characters of a longer word; usage
// counts these. Embeddings are made from a hash of the text: equal texts have equal vectors, and
// nothing else is meant by them.
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultPace is the pause between two tokens of a stream when Options say nothing: enough to see
// that it streams.
const DefaultPace = 5 * time.Millisecond

// longestStream bounds the pauses of one stream in sum: in a long one they get shorter.
const longestStream = time.Second

// maxBody is the longest request body that is read.
const maxBody = 64 << 20

// Options are the sandbox's settings. The zero value is good.
type Options struct {
	// Pace is the pause between two tokens of a stream: 0 means DefaultPace, less none.
	Pace time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// server is the handler.
type server struct {
	pace  time.Duration
	now   func() time.Time
	since time.Time
	calls atomic.Int64
}

// New returns the model server. It answers under /v1 and without it:
// POST chat/completions, completions, responses, embeddings, moderations; GET models, models/{model}, and
// the WebSocket realtime.
func New(o Options) http.Handler {
	s := &server{pace: o.Pace, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if s.pace == 0 {
		s.pace = DefaultPace
	}
	s.since = s.now()
	return s
}

// ServeHTTP routes by path, then method.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	var serve func(http.ResponseWriter, *http.Request) error
	method := http.MethodPost
	switch {
	case path == "/chat/completions":
		serve = s.chat
	case path == "/completions":
		serve = s.completions
	case path == "/responses":
		serve = s.responses
	case path == "/embeddings":
		serve = s.embeddings
	case path == "/moderations":
		serve = s.moderations
	case path == "/realtime":
		serve, method = s.realtime, http.MethodGet
	case path == "/models" || strings.HasPrefix(path, "/models/"):
		serve, method = s.models, http.MethodGet
	default:
		writeRefusal(w, &refusal{http.StatusNotFound, "unknown_url", "", fmt.Sprintf("Unknown request URL: %s %s.", r.Method, r.URL.Path)})
		return
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		writeRefusal(w, &refusal{http.StatusMethodNotAllowed, "method_not_allowed", "", fmt.Sprintf("Not allowed to %s on %s.", r.Method, r.URL.Path)})
		return
	}
	err := serve(w, r)
	var no *refusal
	if errors.As(err, &no) {
		writeRefusal(w, no)
	}
	// Any other error is the caller's connection, which is gone.
}

// refusal is an answer in the shape of OpenAI's errors.
type refusal struct {
	status               int
	code, param, message string
}

func (r *refusal) Error() string { return r.message }

func invalid(param, message string) error {
	return &refusal{http.StatusBadRequest, "invalid_value", param, message}
}

func writeRefusal(w http.ResponseWriter, r *refusal) {
	var param *string
	if r.param != "" {
		param = &r.param
	}
	body := map[string]any{"error": map[string]any{"message": r.message, "type": "invalid_request_error", "param": param, "code": r.code}}
	_ = writeJSON(w, r.status, body)
}

// writeJSON answers with v. The error is the connection's.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// read decodes the body into v.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &refusal{http.StatusRequestEntityTooLarge, "request_too_large", "", fmt.Sprintf("The body is longer than %d bytes.", maxBody)}
	case err != nil:
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return invalid(kind.Field, fmt.Sprintf("Invalid type for '%s': got a JSON %s.", kind.Field, kind.Value))
		}
		return invalid("", "We could not parse the JSON body of your request: "+err.Error())
	}
	return nil
}

// The models.
const (
	echo  = "echo"
	tools = "tools"
)

// known checks a model's name, with or without "sandbox/" before it, and returns it without.
func known(name string) (string, error) {
	short := strings.TrimPrefix(name, "sandbox/")
	switch short {
	case echo, tools:
		return short, nil
	case "":
		return "", invalid("model", "You must provide a model parameter.")
	}
	return "", &refusal{http.StatusNotFound, "model_not_found", "model", fmt.Sprintf("The model `%s` does not exist. The sandbox has `%s` and `%s`.", name, echo, tools)}
}

// models answers with the list of models, or with one of them.
func (s *server) models(w http.ResponseWriter, r *http.Request) error {
	entry := func(id string) map[string]any {
		return map[string]any{"id": id, "object": "model", "created": s.since.Unix(), "owned_by": "sandbox"}
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	if id, one := strings.CutPrefix(path, "/models/"); one {
		name, err := known(id)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, entry(name))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{entry(echo), entry(tools)}})
}

// id makes the id of the next answer or call, which no earlier start has made: responses are kept by it.
func (s *server) id(prefix string) string {
	return prefix + "sandbox" + strconv.FormatInt(s.since.UnixMilli(), 36) + strconv.FormatInt(s.calls.Add(1), 10)
}
