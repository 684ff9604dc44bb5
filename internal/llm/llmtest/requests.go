package llmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"causeway/internal/llm"
)

// models are names to rewrite to: shorter and longer than the original, and some that need escapes.
var models = []string{"m", "gpt-4o-mini", "meta-llama/Llama-3.3-70B-Instruct-Turbo-with-a-rather-long-name", `we"ird\name`, "名前", "tab\there"}

func (s *Suite) requests(t *testing.T) {
	for _, r := range s.Requests {
		t.Run(r.Name, func(t *testing.T) { s.request(t, r) })
	}
	t.Run("a member read twice or written strangely is refused", s.strangeMembers)
	t.Run("what is not a request is refused", s.notRequests)
	t.Run("reading allocates nothing", func(t *testing.T) {
		body := []byte(s.Requests[0].Body)
		var req llm.Request
		var dst []byte
		n := testing.AllocsPerRun(100, func() {
			if err := s.Dialect.ReadRequest(&req, s.match(s.Requests[0]), body); err != nil {
				t.Fatal(err)
			}
			dst = req.Rewrite(dst[:0], body, "another-model", true)
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// match is what the address says of r.
func (s *Suite) match(r Request) llm.Match {
	if s.InPath {
		return llm.Match{Op: s.Op, Model: r.Model, Stream: r.Stream}
	}
	return llm.Match{Op: s.Op}
}

func (s *Suite) request(t *testing.T, r Request) {
	body := []byte(r.Body)
	req := s.mustRead(t, r, body)
	if string(req.Model) != r.Model || req.Stream != r.Stream || req.UsageAsked != r.UsageAsked || req.Op != s.Op {
		t.Fatalf("read model %q, stream %v, usage asked %v, op %v", req.Model, req.Stream, req.UsageAsked, req.Op)
	}
	if got := req.Rewrite(nil, body, r.Model, false); !bytes.Equal(got, body) {
		t.Errorf("the body was changed although nothing had to be:\n%s", got)
	}
	if s.InPath {
		if got := req.Rewrite(nil, body, "another-model", true); len(req.Also) == 0 && !bytes.Equal(got, body) {
			t.Errorf("the body was changed although the address names the model:\n%s", got)
		}
		return
	}
	for _, model := range models {
		got := req.Rewrite(nil, body, model, false)
		quoted, rest := cutAround(t, got, body, req)
		var name string
		if err := json.Unmarshal(quoted, &name); err != nil || name != model {
			t.Errorf("model %q was written as %s", model, quoted)
		}
		if string(rest) != string(body[:req.ModelAt.From])+string(body[req.ModelAt.To:]) {
			t.Errorf("with model %q other bytes changed:\n%s", model, got)
		}
		s.rewrittenWithUsage(t, r, req, model)
	}
	if !bytes.Equal(body, []byte(r.Body)) {
		t.Error("the caller's own bytes were changed")
	}
}

// rewrittenWithUsage asks for usage too: the rewritten body must read so, and differ by that alone.
func (s *Suite) rewrittenWithUsage(t *testing.T, r Request, req *llm.Request, model string) {
	got := req.Rewrite(nil, []byte(r.Body), model, true)
	again := s.mustRead(t, r, got)
	if string(again.Model) != model || again.Stream != r.Stream {
		t.Errorf("rewritten to %q it reads model %q, stream %v", model, again.Model, again.Stream)
	}
	if req.AskUsage.Text != "" && !again.UsageAsked {
		t.Errorf("usage is not asked for after rewriting:\n%s", got)
	}
	if before, after := members(t, []byte(r.Body)), members(t, got); !reflect.DeepEqual(before, after) {
		t.Errorf("other members changed:\n%v\n%v", before, after)
	}
}

// members decodes a body without what Rewrite may change.
func members(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	delete(m, "model")
	if options, ok := m["stream_options"].(map[string]any); ok {
		delete(options, "include_usage")
		if len(options) == 0 {
			delete(m, "stream_options")
		}
	} else if m["stream_options"] == nil {
		delete(m, "stream_options")
	}
	return m
}

// cutAround splits a rewritten body into the new model's value and all the rest.
func cutAround(t *testing.T, got, body []byte, req *llm.Request) (model, rest []byte) {
	t.Helper()
	to := len(got) - (len(body) - req.ModelAt.To)
	if to < req.ModelAt.From {
		t.Fatalf("the rewritten body is too short:\n%s", got)
	}
	return got[req.ModelAt.From:to], append(bytes.Clone(got[:req.ModelAt.From]), got[to:]...)
}

func (s *Suite) mustRead(t *testing.T, r Request, body []byte) *llm.Request {
	t.Helper()
	var req llm.Request
	if err := s.Dialect.ReadRequest(&req, s.match(r), body); err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	return &req
}

func (s *Suite) strangeMembers(t *testing.T) {
	body := s.Requests[0].Body
	for _, name := range s.Read {
		value := `"x"`
		if name != "model" {
			value = "null"
		}
		added := map[string]string{
			"twice":       name,
			"upper case":  strings.ToUpper(name),
			"capitalised": strings.ToUpper(name[:1]) + name[1:],
			"escaped":     escaped(name),
		}
		for how, key := range added {
			for _, text := range []string{
				`{"` + key + `":` + value + `,` + strings.TrimSpace(body)[1:],
				strings.TrimSuffix(strings.TrimSpace(body), "}") + `,"` + key + `":` + value + `}`,
			} {
				if how == "twice" && !strings.Contains(body, `"`+name+`"`) {
					continue
				}
				var req llm.Request
				var fault *llm.RequestError
				if err := s.Dialect.ReadRequest(&req, llm.Match{Op: s.Op}, []byte(text)); !errors.As(err, &fault) {
					t.Errorf("%s %s: accepted as model %q", name, how, req.Model)
				} else if fault.Pointer != "/"+name || fault.Offset <= 0 || fault.Offset >= len(text) {
					t.Errorf("%s %s: refused with pointer %q at byte %d: %v", name, how, fault.Pointer, fault.Offset, err)
				}
			}
		}
	}
}

// escaped writes the first character of name as an escape.
func escaped(name string) string {
	const digits = "0123456789abcdef"
	u := utf16.Encode([]rune(name[:1]))[0]
	return `\u00` + string(digits[u>>4]) + string(digits[u&15]) + name[1:]
}

func (s *Suite) notRequests(t *testing.T) {
	body := strings.TrimRight(s.Requests[0].Body, " \n")
	for cut := range len(body) {
		var req llm.Request
		var fault *llm.RequestError
		if err := s.Dialect.ReadRequest(&req, llm.Match{Op: s.Op}, []byte(body[:cut])); !errors.As(err, &fault) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for text, pointer := range map[string]string{
		``: "", `null`: "", `[]`: "", `"model"`: "", `{}`: "/model", `{"model":1}`: "/model", `{"model":null}`: "/model", `{"model":""}`: "/model",
		"{\"model\":\"\xff\"}": "/model", `{"model":"m","stream":"true"}`: "/stream", `{"model":"m","stream":1}`: "/stream",
		`{"model":"m"} {"model":"n"}`: "", `{"model":"m",}`: "", `{"model":"m","x":"` + "\n" + `"}`: "/x", `<html>`: "",
	} {
		var req llm.Request
		var fault *llm.RequestError
		if s.InPath && (len(s.Read) == 0 && pointer != "" || text == "{}" || text == `{"model":null}` || text == `{"model":""}` || pointer == "/stream" || strings.Contains(text, "\xff")) {
			continue // what the address says is not looked for here
		}
		if err := s.Dialect.ReadRequest(&req, llm.Match{Op: s.Op}, []byte(text)); !errors.As(err, &fault) {
			t.Errorf("%q is accepted", text)
		} else if fault.Pointer != pointer {
			t.Errorf("%q: pointer %q, want %q (%v)", text, fault.Pointer, pointer, err)
		}
	}
}
