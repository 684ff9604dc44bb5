// Package peers plays the providers for the tests of the official SDKs: one server for each dialect, which checks
// how it is called as the provider does, refuses with 400 what the provider's own description of its API refuses,
// and answers with recorded traffic.
//
// Which answer a request gets depends on what it asks for, never on who asks: tools that were offered are called,
// their results are answered, a schema is filled, an image is looked at. Models whose names begin with "fail-" fail.
package peers

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

//go:embed testdata/*.jsonl
var files embed.FS

// The keys that the gateway has for the peers; no caller may see them.
const (
	Key         = "sk-peer-own-0123456789abcdef"
	AccessKey   = "AKIACAUSEWAYPEER0001"
	SecretKey   = "peer/own+secret0123456789abcdefghijklmnop"
	AWSRegion   = "us-east-1"
	FailLimited = "fail-429"   // refuses with its "too many requests"
	FailError   = "fail-500"   // refuses with its internal error
	FailBusy    = "fail-busy"  // refuses with its "overloaded"
	FailCut     = "fail-cut"   // cuts the connection in the middle of a stream
	FailShort   = "fail-short" // ends a stream in its middle, as if it were whole
)

// Facts are what an answer says, whatever its dialect.
type Facts struct {
	Text     string `json:"text"`
	Thinking string `json:"thinking"`
	Calls    []Call `json:"calls"`
	Input    int    `json:"input"`
	Output   int    `json:"output"`
}

// Call is a call of a tool.
type Call struct {
	Name string         `json:"name"`
	Args map[string]any `json:"args"`
}

// answer is one line of testdata: what is answered where, and where it is from.
type answer struct {
	Case   string              `json:"case"`   // what the request asks for
	Form   string              `json:"form"`   // the API: chat, responses or the dialect's name
	Stream bool                `json:"stream"` // in events
	Source string              `json:"source"` // the recording
	Made   string              `json:"made"`   // how it differs from that; "" for a recording as it is
	Facts  Facts               `json:"facts"`
	Body   string              `json:"body"`
	Frames [][]json.RawMessage `json:"frames"` // of Bedrock's streams: type and payload
}

// Peer is one provider.
type Peer struct {
	Name string // of its dialect, or of the vendor
	URL  string // its root

	d       dialect
	answers map[string]answer

	mu    sync.Mutex
	heard []Heard
}

// Heard is a request that a peer got.
type Heard struct {
	Path, Model string
	Body        []byte
	Refused     string // why it was refused, "" when it was not
}

// dialect is how a peer speaks.
type dialect interface {
	// find tells which API is asked for, "" where there is none; model and stream where the address says them.
	find(r *http.Request) (form, model string, stream bool)
	// key tells whether the call brought the key.
	key(r *http.Request, body []byte) error
	// look reads what the request asks for, or says what the provider would refuse.
	look(q *ask) error
	// fail is an error in the provider's form.
	fail(status int, why string) (body string, header []string)
}

// ask is one request, as far as it decides on the answer.
type ask struct {
	form, model string
	stream      bool
	raw         []byte
	body        map[string]any

	kase string // which of the answers
}

// refusal is why a provider refuses a request, in its own words.
type refusal string

func (r refusal) Error() string { return string(r) }

func refused(format string, args ...any) error {
	if len(args) == 0 {
		return refusal(format)
	}
	return refusal(fmt.Sprintf(format, args...))
}

// Start starts all peers. They end with the test.
func Start(t testing.TB) map[string]*Peer {
	t.Helper()
	all := map[string]*Peer{}
	for name, d := range dialects(t) {
		p := &Peer{Name: name, d: d, answers: map[string]answer{}}
		p.read(t, name)
		if name == "ollama" { // nothing is recorded of its Responses, which are OpenAI's
			p.read(t, "openai")
		}
		s := httptest.NewServer(p)
		t.Cleanup(s.Close)
		p.URL = s.URL
		all[name] = p
	}
	return all
}

// read reads the answers in a file of testdata: the peer's own, and OpenAI's for Responses where another has them too.
func (p *Peer) read(t testing.TB, name string) {
	t.Helper()
	text, err := files.ReadFile("testdata/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if name == p.Name || a.Form == "responses" {
			p.answers[place(a.Form, a.Case, a.Stream)] = a
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func place(form, kase string, stream bool) string { return fmt.Sprint(form, " ", kase, " ", stream) }

// Facts are those of the answer to a case, streamed or not, in one of the peer's APIs.
func (p *Peer) Facts(form, kase string, stream bool) (Facts, bool) {
	a, ok := p.answers[place(form, kase, stream)]
	return a.Facts, ok
}

// Heard are the requests so far, in the order in which they came.
func (p *Peer) Heard() []Heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Heard(nil), p.heard...)
}

// ServeHTTP answers one request.
func (p *Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		return
	}
	q := &ask{raw: b.Bytes()}
	q.form, q.model, q.stream = p.d.find(r)
	status, why := p.judge(r, q)
	p.mu.Lock()
	p.heard = append(p.heard, Heard{Path: r.URL.Path, Model: q.model, Body: q.raw, Refused: why})
	p.mu.Unlock()
	if status == 0 {
		switch q.model {
		case FailLimited:
			status, why = http.StatusTooManyRequests, ""
		case FailError:
			status, why = http.StatusInternalServerError, ""
		case FailBusy:
			status, why = http.StatusServiceUnavailable, ""
		}
	}
	if status != 0 {
		body, header := p.d.fail(status, why)
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			if header[i] == ":status" {
				_, _ = fmt.Sscan(header[i+1], &status)
				continue
			}
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return
	}
	p.answer(w, q)
}

// judge finds what is wrong with a request: the status that refuses it, or 0.
func (p *Peer) judge(r *http.Request, q *ask) (status int, why string) {
	if q.form == "" || r.Method != http.MethodPost {
		return http.StatusNotFound, r.Method + " " + r.URL.Path + " is no address here"
	}
	if err := p.d.key(r, q.raw); err != nil {
		return http.StatusUnauthorized, err.Error()
	}
	if err := json.Unmarshal(q.raw, &q.body); err != nil {
		return http.StatusBadRequest, err.Error()
	}
	if m, ok := q.body["model"].(string); ok && q.model == "" {
		q.model = m
	}
	if s, ok := q.body["stream"].(bool); ok {
		q.stream = s
	}
	if err := p.d.look(q); err != nil {
		return http.StatusBadRequest, err.Error()
	}
	return 0, ""
}

// answer serves the recording for what is asked.
func (p *Peer) answer(w http.ResponseWriter, q *ask) {
	if text, ok := made(q); ok {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
		return
	}
	a, ok := p.answers[place(q.form, q.kase, q.stream)]
	if !ok {
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"the peer has no recording of %s"}}`, place(q.form, q.kase, q.stream))
		return
	}
	if !q.stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(a.Body))
		return
	}
	gap := "\n\n"
	if strings.Contains(a.Body, "\r\n\r\n") {
		gap = "\r\n\r\n"
	}
	kind, events := "text/event-stream", strings.SplitAfter(strings.TrimRight(a.Body, "\r\n")+gap, gap)
	if a.Frames != nil {
		kind, events = "application/vnd.amazon.eventstream", frames(a.Frames)
	}
	w.Header().Set("Content-Type", kind)
	flush := w.(http.Flusher).Flush
	for i, e := range events {
		if i == len(events)/2 && (q.model == FailCut || q.model == FailShort) {
			if q.model == FailShort {
				return
			}
			flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(e))
	}
}
