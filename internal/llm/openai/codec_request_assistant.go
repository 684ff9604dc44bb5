package openai

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// assistant writes a message of the model's: its text, and beside it thinking, refusal, audio and calls.
func (o *chatOut) assistant(m *canon.Message) {
	w := &o.w
	w.Object()
	w.StrMember("role", "assistant")
	o.name(m)
	var spoken, thoughts []canon.Part
	var refusal, audio *canon.Part
	calls := 0
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Kind {
		case canon.Text:
			spoken = append(spoken, *p)
		case canon.Thinking:
			thoughts = append(thoughts, *p)
		case canon.ToolCall:
			calls++
		case canon.Refusal:
			refusal = p
		case canon.Audio:
			audio = p
		case canon.Image, canon.Video, canon.Document:
			o.made(p)
		default:
			if o.own && p.SignedBy == dialectName && p.Raw != nil {
				spoken = append(spoken, *p)
				continue
			}
			o.r.Lose(p.At, canon.Dropped, "only the caller's own dialect has it")
		}
	}
	if refusal != nil && !o.takes("refusal") {
		spoken = append(spoken, canon.Part{Kind: canon.Text, At: refusal.At, Text: refusal.Text})
		refusal = nil
	}
	if o.v.ThinkingIn == thinkingParts && len(thoughts) > 0 { // as Mistral has it
		spoken, thoughts = append(thoughts, spoken...), nil
	}
	w.Name("content")
	if len(spoken) == 0 && (calls > 0 || refusal != nil || audio != nil) {
		w.Null()
	} else if !o.own && len(spoken) > 1 && spoken[0].Kind != canon.Thinking && !o.marked(spoken) {
		w.Str(o.run(spoken))
	} else {
		o.content(spoken, true)
	}
	o.thoughts(thoughts)
	if refusal != nil {
		w.StrMember("refusal", refusal.Text)
	}
	if audio != nil {
		o.heard(audio)
	}
	if calls > 0 {
		w.Name("tool_calls")
		w.Array()
		for i := range m.Parts {
			if m.Parts[i].Kind == canon.ToolCall {
				o.call(&m.Parts[i])
			}
		}
		w.End()
	}
	w.End()
}

// thinkingParts is the value of Quirks.ThinkingIn for thinking that is a part of the content.
const thinkingParts = "content"

// marked tells whether a mark of the prompt's cache stands among the parts.
func (o *chatOut) marked(parts []canon.Part) bool {
	for i := range parts {
		if o.marks(parts[i].Cache) {
			return true
		}
	}
	return false
}

// run is the text of several parts that follow each other without a break.
func (o *chatOut) run(parts []canon.Part) string {
	var b strings.Builder
	for i := range parts {
		o.noted(&parts[i])
		b.WriteString(parts[i].Text)
	}
	return b.String()
}

// made tells where a picture goes that the model made: to the user's next message.
func (o *chatOut) made(p *canon.Part) {
	o.r.Lose(p.At, canon.Emulated, "an answer is text there: it follows in a message of the user's")
	o.later = append(o.later, *p)
}

// heard writes audio that the model spoke, by its id; another's is told by what it said.
func (o *chatOut) heard(p *canon.Part) {
	if p.Media == nil || p.Media.ID == "" || o.req.Dialect != dialectName || !o.takes("audio") {
		o.r.Lose(p.At, canon.Dropped, "audio that another provider keeps")
		return
	}
	o.w.Name("audio")
	o.w.Object()
	o.w.StrMember("id", p.Media.ID)
	o.w.End()
}

// thoughts writes thinking back to a vendor that wants it, with the proof of its own where it has a place for it.
func (o *chatOut) thoughts(parts []canon.Part) {
	if len(parts) == 0 {
		return
	}
	member := o.v.ThinkingIn
	proofs := o.has("reasoning_details")
	if member == "" && !proofs {
		for i := range parts {
			o.r.Lose(parts[i].At, canon.Dropped, "the provider takes no thinking back")
		}
		return
	}
	var text strings.Builder
	for i := range parts {
		text.WriteString(parts[i].Text)
		if parts[i].Signature != "" && !proofs {
			o.loseProof(&parts[i])
		}
	}
	if member != "" && text.Len() > 0 {
		o.w.StrMember(member, text.String())
	}
	if proofs {
		writeDetails(&o.w, parts, member == "")
	}
}

// loseProof tells that a proof is left out; of thinking without text it is all there was.
func (o *chatOut) loseProof(p *canon.Part) {
	if p.Text == "" {
		o.r.Lose(p.At, canon.Dropped, "a proof that only its maker can read")
		return
	}
	o.loseMember(p.At, canon.Dropped, "a proof that only its maker can read", "signature", "encrypted_content", "thoughtSignature")
}

func (o *chatOut) call(p *canon.Part) {
	w := &o.w
	w.Object()
	w.StrMember("id", o.ids.ofCall(p.Call))
	if p.Call.Custom && o.customs() {
		w.StrMember("type", "custom")
		w.Name("custom")
		w.Object()
		w.StrMember("name", p.Call.Name)
		w.StrMember("input", p.Call.Args)
		w.End()
	} else {
		w.StrMember("type", "function")
		w.Name("function")
		w.Object()
		w.StrMember("name", p.Call.Name)
		w.StrMember("arguments", callArgs(p.Call))
		w.End()
	}
	switch {
	case p.Signature == "":
	case o.own || o.has("extra_content"):
		writeCallSignature(w, p.Signature, p.SignedBy)
	default:
		o.loseMember(p.At, canon.Dropped, "a proof that only its maker can read", "thoughtSignature", "thought_signature")
	}
	o.cache(p.Cache, p.At)
	w.End()
}

// callArgs are a call's arguments as a function has them.
func callArgs(c *canon.Call) string {
	if c.Custom {
		var w jsontree.Writer
		w.Object()
		w.StrMember("input", c.Args)
		w.End()
		return string(w.Buf)
	}
	return withDefault(c.Args, "{}")
}

// writeCallSignature writes the thought signature of a call where Gemini's OpenAI-compatible API puts it.
func writeCallSignature(w *jsontree.Writer, signature, by string) {
	w.Name("extra_content")
	w.Object()
	w.Name("google")
	w.Object()
	w.StrMember("thought_signature", canon.WrapSignature(signature, by, "gemini"))
	w.End()
	w.End()
}
