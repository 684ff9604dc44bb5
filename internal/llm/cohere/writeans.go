package cohere

import (
	"crypto/rand"
	"strconv"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteAnswer writes an answer for a caller of Cohere's API. It has one choice: others are lost.
func (codec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	var c canon.Choice
	if len(a.Choices) > 0 {
		c = a.Choices[0]
	}
	for i := 1; i < len(a.Choices); i++ {
		r.Add("answer.choices."+strconv.Itoa(i), canon.Dropped, "Cohere's answers have one choice")
	}
	w := requestWriter{req: &canon.Request{}, r: r}
	w.Buf = make([]byte, 0, 1024)
	w.Object()
	w.StrMember("id", idOf(a.ID))
	w.Name("message")
	w.answer(c.Parts)
	reason, exact := reasonOf(c.Finish, c.FinishRaw)
	if !exact {
		r.Add("answer.finish_reason", canon.Approximated, "Cohere has no word for "+c.FinishRaw)
	}
	w.StrMember("finish_reason", reason)
	loseOfEnd(c.StopWord, &a.Usage, r)
	writeUsage(&w.Writer, &a.Usage)
	if len(c.Logprobs) > 0 {
		w.Name("logprobs")
		w.Array()
		for i := range c.Logprobs {
			writeLogprob(&w.Writer, &c.Logprobs[i], r)
		}
		w.End()
	}
	w.End()
	return w.Buf
}

// loseOfEnd tells what an answer's end says that has no member here.
func loseOfEnd(stopWord string, u *canon.Usage, r *canon.Report) {
	if stopWord != "" {
		r.Add("answer.stop_sequence", canon.Dropped, "Cohere does not tell which stop sequence came")
	}
	if u.CacheWrite > 0 {
		r.Add("answer.usage.cache_write_tokens", canon.Dropped, "Cohere counts them with the input alone")
	}
}

// idOf is an answer's id; Cohere's always have one.
func idOf(id string) string {
	if id != "" {
		return id
	}
	return rand.Text()
}

// answer writes the message of an answer.
func (w *requestWriter) answer(parts []canon.Part) {
	w.Object()
	w.StrMember("role", "assistant")
	plan, calls, cites, content := "", 0, 0, 0
	for i := range parts {
		p := &parts[i]
		kind, why := contentOf(p, w.r)
		switch {
		case p.Kind == canon.ToolCall:
			calls++
		case p.Plan:
			plan += p.Text
			cites += len(p.Citations)
		case kind != "":
			if content == 0 {
				w.Name("content")
				w.Array()
			}
			content++
			w.Object()
			w.StrMember("type", kind)
			w.StrMember(kind, p.Text)
			w.End()
			cites += len(p.Citations)
		default:
			w.r.Add("answer."+p.Kind.String(), canon.Dropped, why)
		}
	}
	if content > 0 {
		w.End()
	}
	if plan != "" {
		w.StrMember("tool_plan", plan)
	}
	if calls > 0 {
		w.calls(parts)
	}
	if cites > 0 {
		w.citations(parts)
	}
	w.End()
}

// contentOf is the type of the content block that a part becomes, "" where it becomes none; what else the part
// has and Cohere has not is told.
func contentOf(p *canon.Part, r *canon.Report) (kind, why string) {
	if p.Signature != "" {
		r.Add("answer."+p.Kind.String()+".signature", canon.Dropped, "Cohere's answers are not signed")
	}
	switch p.Kind {
	case canon.Text:
		return "text", ""
	case canon.Refusal:
		r.Add("answer.refusal", canon.Approximated, "as text")
		return "text", ""
	case canon.Thinking:
		if p.Text != "" || !p.Redacted && p.Signature == "" {
			return "thinking", ""
		}
		return "", "thinking that only its own provider can read"
	}
	return "", "Cohere's answers have none"
}

// writeUsage writes the member usage, nothing when there is none.
func writeUsage(w *jsontree.Writer, u *canon.Usage) {
	if u.Input < 0 && u.Output < 0 {
		return
	}
	w.Name("usage")
	w.Object()
	in, out := u.Input, u.Output
	if u.BilledInput > 0 || u.BilledOutput > 0 {
		in, out = u.BilledInput, u.BilledOutput
	}
	counts := func(name string, input, output, reasoning int64) {
		w.Name(name)
		w.Object()
		for _, m := range [...]struct {
			name  string
			value int64
		}{{"input_tokens", input}, {"output_tokens", output}, {"reasoning_tokens", reasoning}} {
			if m.value >= 0 {
				w.IntMember(m.name, m.value)
			}
		}
		w.End()
	}
	counts("billed_units", in, out, -1)
	counts("tokens", u.Input, u.Output, u.Reasoning)
	if u.Cached >= 0 {
		w.IntMember("cached_tokens", u.Cached)
	}
	w.End()
}

// writeLogprob writes one of the entries: token_ids must be there, and other dialects do not tell them.
func writeLogprob(w *jsontree.Writer, p *canon.Logprob, r *canon.Report) {
	if len(p.Top) > 0 {
		r.Add("answer.logprobs.top_logprobs", canon.Dropped, "Cohere's have none")
	}
	w.Object()
	w.StrMember("text", p.Token)
	w.RawMember("token_ids", []byte("[]"))
	w.Name("logprobs")
	w.Array()
	w.Float(p.Logprob)
	w.End()
	w.End()
}
