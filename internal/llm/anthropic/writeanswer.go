package anthropic

import (
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// WriteAnswer writes an answer for a caller.
func (codec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	w := answering{r: r}
	var c canon.Choice
	if len(a.Choices) > 0 {
		c = a.Choices[0]
	}
	for i := range a.Choices {
		if i > 0 {
			r.Add("answer.choices."+strconv.Itoa(i), canon.Dropped, "Anthropic's answers are one")
		}
	}
	size := 512
	for i := range c.Parts {
		size += 128 + len(c.Parts[i].Text) + len(c.Parts[i].Signature) + len(c.Parts[i].Raw)
	}
	w.Buf = make([]byte, 0, size)
	w.Object()
	w.StrMember("id", a.ID)
	w.StrMember("type", "message")
	w.StrMember("role", "assistant")
	w.StrMember("model", a.Model)
	w.Name("content")
	w.Array()
	for i := range c.Parts {
		w.part(&c.Parts[i])
	}
	w.End()
	finish := c.Finish
	if a.Blocked != "" {
		finish, w.why = canon.Refused, a.Blocked
	}
	w.fingerprint(a.Fingerprint)
	if len(c.Logprobs) > 0 {
		r.Add("answer.choices.0.logprobs", canon.Dropped, "Anthropic's answers have none")
	}
	reason := stopReason(finish, c.FinishRaw, w.called, w.refused)
	w.brokeOff(finish, c.FinishRaw)
	w.StrMember("stop_reason", reason)
	w.stopped(reason, c.StopWord, w.why)
	w.Name("usage")
	w.usage(&a.Usage, a.ServiceTier, true)
	w.ready("container", "null")
	w.End()
	return w.Buf
}

// answering writes what an answer and the end of a stream have in common.
type answering struct {
	jsontree.Writer
	r       *canon.Report
	called  bool
	refused bool
	why     string // of a refusal
	ids     int    // made for calls that had none
}

// brokeOff tells that the provider did, for which the API has no word.
func (w *answering) brokeOff(f canon.Finish, raw string) {
	if f == canon.Failed {
		w.r.Add("answer.finish_reason", canon.Approximated, "the provider broke off: "+raw)
	}
}

// fingerprint tells that there is no place for one.
func (w *answering) fingerprint(s string) {
	if s != "" {
		w.r.Add("answer.system_fingerprint", canon.Dropped, "")
	}
}

// ready writes a member with ready JSON.
func (w *answering) ready(name, json string) {
	w.Name(name)
	w.RawStr(json)
}

// stopped writes stop_sequence and stop_details.
func (w *answering) stopped(reason, word, why string) {
	w.Name("stop_sequence")
	if reason == "stop_sequence" && word != "" {
		w.Str(word)
	} else {
		w.Null()
	}
	w.Name("stop_details")
	if reason != "refusal" || why == "" {
		w.Null()
		return
	}
	w.Object()
	w.StrMember("type", "refusal")
	w.ready("category", "null")
	w.StrMember("explanation", why)
	w.End()
}

// usage writes a usage object: of a whole message, which has more members, or of message_delta.
func (w *answering) usage(u *canon.Usage, tier string, whole bool) {
	cached, written := max(u.Cached, 0), max(u.CacheWrite, 0)
	input := max(u.Input-cached-written, 0)
	w.Object()
	w.IntMember("input_tokens", input)
	w.maybe("cache_creation_input_tokens", u.CacheWrite)
	w.maybe("cache_read_input_tokens", u.Cached)
	if whole {
		w.Name("cache_creation")
		if u.CacheWrite >= 0 && u.CacheWrite1h >= 0 {
			w.Object()
			w.IntMember("ephemeral_5m_input_tokens", max(u.CacheWrite-u.CacheWrite1h, 0))
			w.IntMember("ephemeral_1h_input_tokens", u.CacheWrite1h)
			w.End()
		} else {
			w.Null()
		}
	}
	w.IntMember("output_tokens", max(u.Output, 0))
	if u.Reasoning >= 0 {
		w.Name("output_tokens_details")
		w.Object()
		w.IntMember("thinking_tokens", u.Reasoning)
		w.End()
	}
	w.Name("server_tool_use")
	if u.Searches >= 0 {
		w.Object()
		w.IntMember("web_search_requests", u.Searches)
		w.IntMember("web_fetch_requests", 0)
		w.End()
	} else {
		w.Null()
	}
	if whole {
		w.Name("service_tier")
		switch tier {
		case "standard", "priority", "batch":
			w.Str(tier)
		case "", "auto":
			w.Null()
		case "default", "on_demand":
			w.Str("standard")
		default:
			w.Null()
			w.r.Add("answer.service_tier", canon.Dropped, "Anthropic has no such tier: "+tier)
		}
		w.ready("inference_geo", "null")
	}
	w.End()
}

// maybe writes a count that may not have been said.
func (w *answering) maybe(name string, v int64) {
	w.Name(name)
	if v < 0 {
		w.Null()
		return
	}
	w.Int(v)
}

// part writes one block of an answer.
func (w *answering) part(p *canon.Part) {
	if p.Signature != "" && p.SignedBy != name && p.SignedBy != "" && p.Kind != canon.Thinking {
		w.lend(p.Signature, p.SignedBy, forNext)
	}
	switch p.Kind {
	case canon.Text:
		w.text(p.Text, p.Citations)
	case canon.Refusal:
		w.refused = true
		if w.why == "" {
			w.why = p.Text
		} else {
			w.why += "\n" + p.Text
		}
	case canon.Thinking:
		w.thinking(p)
	case canon.ToolCall:
		w.call(p)
	case canon.Other:
		if p.SignedBy == name {
			w.Raw(p.Raw)
		} else {
			w.lost("part", "Anthropic has no such part")
		}
	default:
		if p.Media != nil && p.Media.Transcript != "" {
			w.text(p.Media.Transcript, nil)
			w.r.Add("answer."+p.Kind.String(), canon.Approximated, "Anthropic's answers are text: what is heard is written")
			return
		}
		w.lost(p.Kind.String(), "Anthropic's answers are text")
	}
}

func (w *answering) lost(what, why string) { w.r.Add("answer."+what, canon.Dropped, why) }

func (w *answering) text(text string, cited []canon.Citation) {
	w.Object()
	w.StrMember("type", "text")
	w.StrMember("text", text)
	w.Name("citations")
	if len(cited) == 0 { // the description wants the member, and the Vercel AI SDK a list
		w.Array()
		w.End()
	} else {
		w.Array()
		for i := range cited {
			w.citation(&cited[i])
		}
		w.End()
	}
	w.End()
}

// citation writes a source. Those of other dialects become search results, the kind that has a URL.
func (w *answering) citation(c *canon.Citation) {
	if c.SignedBy == name && c.Raw != nil {
		w.Raw(c.Raw)
		return
	}
	if c.Start >= 0 || c.End >= 0 {
		w.r.Add("answer.citations", canon.Approximated, "Anthropic's citations belong to a whole text and to no place in it")
	}
	w.Object()
	w.StrMember("type", "web_search_result_location")
	w.StrMember("cited_text", c.Cited)
	w.StrMember("url", c.URL)
	w.StrMember("title", c.Title) // "" and not null, which the Vercel AI SDK does not take
	w.StrMember("encrypted_index", "")
	w.End()
}

func (w *answering) thinking(p *canon.Part) {
	if p.Text == "" && p.Signature == "" {
		return // there was reasoning, and nothing is told of it
	}
	w.Object()
	signature := canon.WrapSignature(p.Signature, p.SignedBy, name)
	if p.Redacted || p.Text == "" && p.SignedBy != name {
		w.StrMember("type", "redacted_thinking")
		w.StrMember("data", signature)
	} else {
		w.StrMember("type", "thinking")
		w.StrMember("thinking", p.Text)
		w.StrMember("signature", signature)
	}
	w.End()
}

// lend writes the signature of another part, which has no member for it.
func (w *answering) lend(signature, by, mark string) {
	w.Object()
	w.StrMember("type", "redacted_thinking")
	w.StrMember("data", canon.WrapSignature(mark+signature, by, name))
	w.End()
}

// callID is the id of a call; one is made where the provider's dialect has none.
func (w *answering) callID(id string) string {
	if id != "" {
		return wrapID(id)
	}
	w.ids++
	return "toolu_" + strconv.Itoa(w.ids)
}

func (w *answering) call(p *canon.Part) {
	w.called = true
	w.Object()
	w.StrMember("type", "tool_use")
	w.StrMember("id", w.callID(p.Call.ID))
	w.StrMember("name", p.Call.Name)
	w.Name("input")
	args, ok := cleanArgs(p.Call.Args)
	switch {
	case ok && !p.Call.Custom:
		w.RawStr(args)
	default:
		w.Object()
		w.StrMember("input", p.Call.Args)
		w.End()
		if !p.Call.Custom {
			w.r.Add("answer.tool_call.arguments", canon.Approximated, "they are no JSON object: they stand in one as input")
		}
	}
	w.Name("caller")
	w.RawStr(`{"type":"direct"}`)
	w.End()
}

func validJSON(s string) bool { return strings.TrimSpace(s) != "" && jsonscan.Valid([]byte(s)) }
