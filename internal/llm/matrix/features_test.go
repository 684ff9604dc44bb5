package matrix

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/llm/canon"
)

// feature is one thing that a request can ask for, built in the canonical form: each dialect that has it writes it in its
// own way, and that is what crosses to the others.
type feature struct {
	name  string
	build func(r *canon.Request, own string)
}

func say(role canon.Role, parts ...canon.Part) canon.Message {
	return canon.Message{Role: role, Parts: parts}
}

func words(s string) canon.Part { return canon.Part{Text: s} }

func param(id canon.ParamID, json string) func(*canon.Request, string) {
	return func(r *canon.Request, _ string) { r.Params[id] = canon.Param{JSON: []byte(json)} }
}

func asks(parts ...canon.Part) func(*canon.Request, string) {
	return func(r *canon.Request, _ string) { r.Messages[0].Parts = append(r.Messages[0].Parts, parts...) }
}

var citySchema = []byte(`{"type":"object","properties":{"city":{"type":"string","description":"Where"}},"required":["city"],"additionalProperties":false}`)

func weather() canon.Tool {
	return canon.Tool{Name: "weather", Description: "The weather of a city", Schema: citySchema}
}

func callOf(id, city string) canon.Part {
	return canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: id, Name: "weather", Args: `{"city":"` + city + `"}`}}
}

func resultOf(id string, parts ...canon.Part) canon.Message {
	return say(canon.ToolRole, canon.Part{Kind: canon.ToolResult, Result: &canon.Result{ID: id, Name: "weather", Parts: parts}})
}

// used is a conversation in which tools were called.
func used(r *canon.Request, turn []canon.Part, results ...canon.Message) {
	r.Tools = append(r.Tools, weather())
	r.Messages = append(r.Messages, say(canon.Assistant, turn...))
	r.Messages = append(r.Messages, results...)
}

func choose(mode canon.ToolMode, names ...string) func(*canon.Request, string) {
	return func(r *canon.Request, _ string) {
		r.Tools = append(r.Tools, weather(), canon.Tool{Name: "time", Description: "The time", Schema: citySchema})
		r.Choice = canon.ToolChoice{Mode: mode, Names: names}
	}
}

const pdf = "JVBERi0xLjQKJSVFT0Y="

// features are what the matrix of requests shows, in the order of the document.
func features() []feature {
	yes, no := canon.Flag{Said: true, On: true}, canon.Flag{Said: true}
	return []feature{
		{"text", func(*canon.Request, string) {}},
		{"system prompt", func(r *canon.Request, _ string) {
			r.Messages = append([]canon.Message{say(canon.System, words("Be brief."))}, r.Messages...)
		}},
		{"several turns", func(r *canon.Request, _ string) {
			r.Messages = append(r.Messages, say(canon.Assistant, words("Hello.")), say(canon.User, words("Go on.")))
		}},
		{"participants' names", func(r *canon.Request, _ string) { r.Messages[0].Name = "eve" }},
		{"streaming", func(r *canon.Request, _ string) { r.Stream, r.StreamUsage = true, true }},
		{"images inline", asks(canon.Part{Kind: canon.Image, Media: &canon.Media{MIME: "image/png", Data: pixel}})},
		{"images at a URL", asks(canon.Part{Kind: canon.Image, Media: &canon.Media{URL: "https://example.com/a.png"}})},
		{"image detail", asks(canon.Part{Kind: canon.Image, Media: &canon.Media{MIME: "image/png", Data: pixel, Detail: "low"}})},
		{"PDF documents", asks(canon.Part{Kind: canon.Document, Media: &canon.Media{MIME: "application/pdf", Data: pdf, Name: "a.pdf"}})},
		{"text documents", asks(canon.Part{Kind: canon.Document, Media: &canon.Media{MIME: "text/plain", Text: "plain notes", Name: "notes"}})},
		{"audio", asks(canon.Part{Kind: canon.Audio, Media: &canon.Media{MIME: "audio/wav", Data: "UklGRg=="}})},
		{"video", asks(canon.Part{Kind: canon.Video, Media: &canon.Media{MIME: "video/mp4", Data: "AAAAGGZ0eXA="}})},
		{"tool definitions", func(r *canon.Request, _ string) { r.Tools = append(r.Tools, weather()) }},
		{"strict tools", func(r *canon.Request, _ string) {
			tool := weather()
			tool.Strict = yes
			r.Tools = append(r.Tools, tool)
		}},
		{"tools that take free text", func(r *canon.Request, _ string) {
			r.Tools = append(r.Tools, canon.Tool{Name: "shell", Description: "Runs", Custom: true})
		}},
		{"the provider's web search", param(canon.WebSearch, "{}")},
		{"tool choice: none", choose(canon.ToolsNone)},
		{"tool choice: any", choose(canon.ToolsAny)},
		{"tool choice: one by name", choose(canon.ToolsNamed, "weather")},
		{"no parallel calls", func(r *canon.Request, _ string) { r.Tools, r.ParallelTools = append(r.Tools, weather()), no }},
		{"tool calls with ids and results", func(r *canon.Request, _ string) {
			used(r, []canon.Part{callOf("call_1", "Rome")}, resultOf("call_1", words("sunny")))
		}},
		{"parallel calls", func(r *canon.Request, _ string) {
			used(r, []canon.Part{words("Let me look."), callOf("call_1", "Rome"), callOf("call_2", "Oslo")}, resultOf("call_1", words("sunny")), resultOf("call_2", words("snow")))
		}},
		{"failed tools", func(r *canon.Request, _ string) {
			m := resultOf("call_1", words("no such city"))
			m.Parts[0].Result.Error = true
			used(r, []canon.Part{callOf("call_1", "Rome")}, m)
		}},
		{"images from tools", func(r *canon.Request, _ string) {
			used(r, []canon.Part{callOf("call_1", "Rome")}, resultOf("call_1", words("look"), canon.Part{Kind: canon.Image, Media: &canon.Media{MIME: "image/png", Data: pixel}}))
		}},
		{"thinking with its proof, of its own provider", func(r *canon.Request, own string) {
			thought := canon.Part{Kind: canon.Thinking, Text: "A tool.", Signature: "EqQBCkgIBRABGAI=", SignedBy: own, ID: "rs_1"}
			if own == "gemini" { // whose proof stands at what follows the thought
				thought = canon.Part{Kind: canon.Thinking, Text: "A tool.", SignedBy: own}
			}
			call := callOf("call_1", "Rome")
			if own == "gemini" {
				call.Signature, call.SignedBy = "EqQBCkgIBRABGAI=", own
			}
			used(r, []canon.Part{thought, call}, resultOf("call_1", words("sunny")))
		}},
		{"thinking effort", func(r *canon.Request, _ string) { r.Reasoning = canon.Reasoning{Said: true, Effort: "high"} }},
		{"thinking budget", func(r *canon.Request, _ string) {
			r.Reasoning = canon.Reasoning{Said: true, Budget: 2048, Show: true}
			r.Params[canon.MaxTokens] = canon.Param{JSON: []byte("8000")}
		}},
		{"thinking off", func(r *canon.Request, _ string) { r.Reasoning = canon.Reasoning{Said: true, Off: true, Effort: "none"} }},
		{"JSON", func(r *canon.Request, _ string) { r.Format.Kind = canon.JSONObject }},
		{"JSON Schema", func(r *canon.Request, _ string) {
			r.Format = canon.Format{Kind: canon.JSONSchema, Name: "answer", Schema: citySchema, Strict: yes}
		}},
		{"max tokens", param(canon.MaxTokens, "500")},
		{"temperature", param(canon.Temperature, "0.5")},
		{"top_p", param(canon.TopP, "0.9")},
		{"top_k", param(canon.TopK, "40")},
		{"stop", param(canon.Stop, `["END","STOP"]`)},
		{"seed", param(canon.Seed, "7")},
		{"several choices", param(canon.N, "2")},
		{"frequency penalty", param(canon.FrequencyPenalty, "0.5")},
		{"presence penalty", param(canon.PresencePenalty, "0.5")},
		{"logprobs", func(r *canon.Request, _ string) {
			r.Params[canon.Logprobs], r.Params[canon.TopLogprobs] = canon.Param{JSON: []byte("true")}, canon.Param{JSON: []byte("3")}
		}},
		{"logit bias", param(canon.LogitBias, `{"50256":-100}`)},
		{"end user", param(canon.EndUser, `"user-1"`)},
		{"metadata", param(canon.Metadata, `{"team":"a"}`)},
		{"service tier", param(canon.ServiceTier, `"priority"`)},
		{"cache marks", func(r *canon.Request, _ string) { r.Messages[0].Parts[0].Cache = &canon.Cache{} }},
		{"citations in the conversation", func(r *canon.Request, _ string) {
			r.Messages = append(r.Messages, say(canon.Assistant, canon.Part{
				Text: "Rome is sunny.", Citations: []canon.Citation{{Start: 0, End: 4, URL: "https://example.com/rome", Title: "Rome", Cited: "sunny"}},
			}), say(canon.User, words("Sure?")))
		}},
		{"refusals in the conversation", func(r *canon.Request, _ string) {
			r.Messages = append(r.Messages, say(canon.Assistant, canon.Part{Kind: canon.Refusal, Text: "Not that."}), say(canon.User, words("Why?")))
		}},
		{"verbosity", param(canon.Verbosity, `"low"`)},
		{"safety settings", param(canon.Safety, `[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]`)},
	}
}

// native writes a feature in a dialect's own way; ok is false where the dialect has no way for it.
func native(t *testing.T, s *side, f feature) (body string, ok bool) {
	t.Helper()
	req := &canon.Request{Dialect: "canon", Op: s.op, Model: s.model, Messages: []canon.Message{say(canon.User, words("What is the weather?"))}}
	f.build(req, s.speaks.Name())
	written, err := s.codec().WriteRequest(req, s.target(), canon.NewReport(req))
	var un *canon.Unsupported
	if errors.As(err, &un) {
		return "", false
	}
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	again, err := s.codec().ReadRequest(s.match(s.model, req.Stream), written)
	if err != nil {
		t.Fatalf("%s: %v\n%s", f.name, err, written)
	}
	for _, lost := range missing(facts(req), facts(again)) {
		// Ids are each dialect's own; what has none gets them from the gateway.
		if !strings.HasSuffix(lost.what, "'s id") && !(lost.what == "thinking" && lost.value == "off") {
			return "", false
		}
	}
	return string(written), true
}

// outcome is what becomes of a feature between two dialects.
type outcome string

const (
	none         outcome = "-" // the caller's dialect does not have it
	carried      outcome = "carried"
	emulated     outcome = "emulated"
	approximated outcome = "approximated"
	dropped      outcome = "dropped"
	refused      outcome = "refused"
)

// worst is the outcome that a report tells.
func worst(r *canon.Report) outcome {
	switch {
	case len(r.Names(canon.Dropped)) > 0:
		return dropped
	case len(r.Names(canon.Approximated)) > 0:
		return approximated
	case len(r.Names(canon.Emulated)) > 0:
		return emulated
	}
	return carried
}

// crossed is what becomes of a feature from one side to another. A loss that the report does not name fails the test.
func crossed(t *testing.T, from, to *side, f feature) outcome {
	t.Helper()
	body, ok := native(t, from, f)
	if !ok {
		return none
	}
	x := exchange{match: from.match(from.model, f.name == "streaming")}
	x.Request = body
	req, err := from.codec().ReadRequest(x.match, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var un *canon.Unsupported
	if _, err := to.codec().WriteRequest(req, to.target(), canon.NewReport(req)); errors.As(err, &un) {
		return refused
	}
	report, _ := cross(t, from, to, x)
	return worst(report)
}
