package gateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

var updateAgents = flag.Bool("update", false, "rewrite testdata/agents.reports")

// agentCall is a request as a coding agent sends it: testdata/agents.jsonl.
type agentCall struct {
	Name, Source, Path string
	Headers            map[string]string
	Body               json.RawMessage
}

func agentCalls(t *testing.T) (list []agentCall) {
	t.Helper()
	text, err := os.ReadFile("testdata/agents.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var c agentCall
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// agentPeer is a provider of any dialect. It thinks, speaks, and calls the first tool that it is offered; asked for JSON
// it gives that.
type agentPeer struct {
	mu   sync.Mutex
	last seen
}

const agentThought, agentText, agentArgs = "Let me see what is there.", "I look at it.", `{"command":"ls -l"}`

func (p *agentPeer) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	p.mu.Lock()
	p.last = seen{method: q.Method, uri: q.RequestURI, header: q.Header, body: body}
	p.mu.Unlock()
	for _, d := range allDialects() {
		m, ok := d.Lookup(q.Method, q.URL.Path)
		if !ok {
			continue
		}
		w.Header().Set("Content-Type", "application/json")
		if m.Op == llm.CountTokens {
			_, _ = io.WriteString(w, `{"input_tokens":42,"totalTokens":42}`)
			return
		}
		m.Query = q.URL.RawQuery
		codec := d.(canon.Speaker).Codec(m.Op)
		var head llm.Request
		err := d.ReadRequest(&head, m, body)
		var req *canon.Request
		if err == nil {
			req, err = codec.ReadRequest(m, body)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(d.AppendError(nil, &llm.Failure{Kind: "bad_request", Status: 400, Sentence: err.Error(), CallID: "theirs"}))
			return
		}
		p.answer(w, codec, req, head.Stream, bytes.Contains(body, []byte("valid against this JSON Schema")))
		return
	}
	http.NotFound(w, q)
}

func (p *agentPeer) answer(w http.ResponseWriter, codec canon.Codec, req *canon.Request, stream, told bool) {
	usage := canon.NoUsage()
	usage.Input, usage.Output, usage.Source = 50, 7, "reported"
	finish := canon.Stopped
	parts := []canon.Part{{Kind: canon.Thinking, Text: agentThought}, {Kind: canon.Text, Text: agentText}}
	if len(req.Tools) > 0 {
		finish = canon.ToolCalls
		parts = append(parts, canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: "call_9", Name: req.Tools[0].Name, Args: agentArgs}})
	}
	if req.Format.Kind != canon.AnyText || told {
		parts = []canon.Part{{Kind: canon.Text, Text: `{"title":"Files"}`}}
	}
	report := canon.NewReport(req)
	if !stream {
		_, _ = w.Write(codec.WriteAnswer(&canon.Answer{ID: "a1", Model: "m", Created: 1, Choices: []canon.Choice{{Parts: parts, Finish: finish}}, Usage: usage}, req, report))
		return
	}
	req.StreamUsage = true
	writer := codec.NewWriter(req, report)
	w.Header().Set("Content-Type", writer.ContentType())
	send := func(ev canon.Event) { _, _ = w.Write(writer.Write(nil, &ev)) }
	send(canon.Event{Kind: canon.Start, ID: "a1", Model: "m", Created: 1})
	for i, part := range parts {
		begin := canon.Event{Kind: canon.Begin, Part: i, PartKind: part.Kind}
		text := part.Text
		if part.Call != nil {
			begin.Call = &canon.Call{ID: part.Call.ID, Name: part.Call.Name}
			text = part.Call.Args
		}
		send(begin)
		for len(text) > 0 {
			n := min(len(text), 6)
			send(canon.Event{Kind: canon.Delta, Part: i, PartKind: part.Kind, Text: text[:n]})
			text = text[n:]
		}
		send(canon.Event{Kind: canon.EndPart, Part: i, PartKind: part.Kind})
	}
	send(canon.Event{Kind: canon.Finished, Finish: finish})
	send(canon.Event{Kind: canon.Used, Usage: &usage})
	_, _ = w.Write(writer.End(nil))
}

// home is what an agent reads of its answer.
type home struct {
	thought, text, args, tool string
	complete                  bool
}

func readHome(t *testing.T, d llm.Dialect, m llm.Match, body []byte) (h home) {
	t.Helper()
	codec := d.(canon.Speaker).Codec(m.Op)
	take := func(kind canon.PartKind, text string) {
		switch kind {
		case canon.Thinking:
			h.thought += text
		case canon.ToolCall:
			h.args += text
		default:
			h.text += text
		}
	}
	if !m.Stream {
		a, err := codec.ReadAnswer(body)
		if err != nil {
			t.Errorf("%v in %s", err, body)
			return h
		}
		for _, p := range a.Choices[0].Parts {
			if p.Call != nil {
				h.tool = p.Call.Name
				take(p.Kind, p.Call.Args)
				continue
			}
			take(p.Kind, p.Text)
		}
		h.complete = true
		return h
	}
	st, reader := d.NewStream(m.Op, false), codec.NewReader()
	st.Tap(func(ev llm.Event) {
		events, err := reader.Read(ev, nil)
		if err != nil {
			t.Errorf("%v in %s", err, ev.Data)
		}
		for _, ev := range events {
			switch {
			case ev.Kind == canon.Begin && ev.Call != nil:
				h.tool = ev.Call.Name
			case ev.Kind == canon.Delta:
				take(ev.PartKind, ev.Text)
			}
		}
	})
	st.Feed(body, nil)
	_, end := st.Finish(true, nil)
	h.complete = end.Complete
	return h
}

// agentModels are a provider of each dialect with a model of today's.
var agentModels = []string{"openai/gpt-5", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"}

// TestCodingAgents: each agent's requests to a provider of its own dialect, where its bytes pass, and to the two others,
// where its tools and the thoughts come home; testdata/agents.reports is what is lost on the way.
func TestCodingAgents(t *testing.T) {
	peer := &agentPeer{}
	up := httptest.NewServer(peer)
	defer up.Close()
	r := newRigWith(t, strings.ReplaceAll(badConfig, "UP", up.URL), withAllDialects)
	var reports strings.Builder
	for _, c := range agentCalls(t) {
		for _, at := range agentModels {
			provider, model, _ := strings.Cut(at, "/")
			t.Run(c.Name+" at "+provider, func(t *testing.T) {
				named := strings.NewReplacer("MODEL", provider+"/"+model)
				path, body := named.Replace(c.Path), named.Replace(string(c.Body))
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+path, strings.NewReader(body))
				req.Header.Set("Authorization", "Bearer web-key-0123456789")
				req.Header.Set("Content-Type", "application/json")
				for name, value := range c.Headers {
					req.Header.Set(name, named.Replace(value))
				}
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				answer, _ := io.ReadAll(res.Body)
				if res.StatusCode != 200 {
					t.Fatalf("%d %s\nthe provider was asked %s", res.StatusCode, answer, peer.last.body)
				}
				report := res.Header.Get("Causeway-Translation")
				fmt.Fprintf(&reports, "%s at %s: %s\n", c.Name, provider, report)
				dialect, m := callerOf(t, r, path)
				if dialect.Name() == provider {
					sent := strings.NewReplacer("MODEL", model).Replace(string(c.Body))
					if string(peer.last.body) != sent || report != "" {
						t.Errorf("its bytes do not pass: %s, want %s; %s", peer.last.body, sent, report)
					}
					if _, query, _ := strings.Cut(c.Path, "?"); !strings.HasSuffix(peer.last.uri, query) {
						t.Errorf("it was asked at %s", peer.last.uri)
					}
					for name, value := range c.Headers {
						if got := peer.last.header.Get(name); got != named.Replace(value) {
							t.Errorf("%s is %q, want %q", name, got, value)
						}
					}
				} else if peer.last.header.Get("Anthropic-Beta")+peer.last.header.Get("X-Stainless-Lang") != "" {
					t.Errorf("another provider gets %v", peer.last.header)
				}
				if m.Op == llm.CountTokens {
					if !strings.Contains(string(answer), `okens":`) {
						t.Errorf("the count is %s", answer)
					}
					return
				}
				m.Stream = bytes.HasPrefix(bytes.TrimSpace(answer), []byte("event:")) || bytes.HasPrefix(answer, []byte("data:"))
				got := readHome(t, dialect, m, answer)
				want := home{thought: agentThought, text: agentText, args: agentArgs, tool: firstTool(t, dialect, m, c.Body), complete: true}
				if want.tool == "" {
					want = home{text: `{"title":"Files"}`, complete: true}
				}
				if strings.ReplaceAll(got.args, " ", "") != strings.ReplaceAll(want.args, " ", "") {
					t.Errorf("the arguments are %s, want %s", got.args, want.args)
				}
				if got.args = want.args; got != want {
					t.Errorf("%+v came home, want %+v, in %s", got, want, answer)
				}
			})
		}
	}
	if *updateAgents {
		if err := os.WriteFile("testdata/agents.reports", []byte(reports.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/agents.reports")
	if err != nil || reports.String() != string(want) {
		t.Errorf("the reports are\n%s\nwant\n%s (%v)", reports.String(), want, err)
	}
}

func callerOf(t *testing.T, r *rig, path string) (llm.Dialect, llm.Match) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for _, d := range r.deps.Dialects {
		if m, ok := d.Lookup(http.MethodPost, path); ok {
			return d, m
		}
	}
	t.Fatalf("nobody has %s", path)
	return nil, llm.Match{}
}

func firstTool(t *testing.T, d llm.Dialect, m llm.Match, body []byte) string {
	t.Helper()
	req, err := d.(canon.Speaker).Codec(m.Op).ReadRequest(m, body)
	if err != nil {
		t.Fatal(err)
	}
	if len(req.Tools) == 0 {
		return ""
	}
	return req.Tools[0].Name
}
