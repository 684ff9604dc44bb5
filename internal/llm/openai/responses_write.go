package openai

import (
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteAnswer writes a whole response.
func (responsesCodec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	o := newResponseObject(req, a.ID, a.Model, a.Created, a.ServiceTier)
	loseOfAnswer(a.Fingerprint, r)
	var items jsontree.Writer
	out := outcome{status: "completed"}
	for i := range a.Choices {
		c := &a.Choices[i]
		if i > 0 {
			r.Add("answer.choices."+strconv.Itoa(c.Index), canon.Dropped, "a response is one answer")
			continue
		}
		refused := false
		for k := range c.Parts {
			refused = refused || c.Parts[k].Kind == canon.Refusal
		}
		out = outcomeOf(c.Finish, c.FinishRaw, refused)
		loseOfFinish(c.Finish, r)
		ow := itemsOut{w: &items, o: o, r: r, probs: c.Logprobs}
		ow.parts(c.Parts, out.status)
	}
	if a.Blocked != "" {
		out = outcome{status: "incomplete", reason: "content_filter"}
	}
	out.usage = &a.Usage
	w := jsontree.Writer{Buf: make([]byte, 0, 1024+len(items.Buf)+len(o.echo))}
	o.write(&w, out, items.Buf)
	return w.Buf
}

func loseOfAnswer(fingerprint string, r *canon.Report) {
	if fingerprint != "" {
		r.Add("answer.system_fingerprint", canon.Dropped, "")
	}
}

func loseOfFinish(f canon.Finish, r *canon.Report) {
	switch f {
	case canon.Paused:
		r.Add("answer.stop_reason", canon.Approximated, "a paused turn is an incomplete response")
	case canon.StopSequence:
		r.Add("answer.stop_sequence", canon.Dropped, "a response does not say which word stopped it")
	}
}

// itemsOut writes the parts of a whole answer as output items.
type itemsOut struct {
	w     *jsontree.Writer
	o     *responseObject
	r     *canon.Report
	probs []canon.Logprob // not given to a text yet
}

// parts writes all items. The last has the status of an answer that is not whole.
func (x *itemsOut) parts(parts []canon.Part, status string) {
	if status != "incomplete" {
		status = "completed"
	}
	for i := 0; i < len(parts); {
		end := i + 1
		for end < len(parts) && goesOn(&parts[end-1], &parts[end]) {
			end++
		}
		state := "completed"
		if end == len(parts) {
			state = status
		}
		x.item(parts[i:end], state)
		i = end
	}
}

// goesOn tells whether b belongs to the item of a. Texts of another dialect that follow each other are one
// message.
func goesOn(a, b *canon.Part) bool {
	if b.Joined {
		return sameItem(a, b)
	}
	return isText(a.Kind) && isText(b.Kind) && a.ID == "" && b.ID == "" && a.Signature == ""
}

func (x *itemsOut) item(parts []canon.Part, status string) {
	p, last := &parts[0], &parts[len(parts)-1]
	switch p.Kind {
	case canon.Text, canon.Refusal:
		x.message(parts, status)
	case canon.Thinking:
		mark := ""
		if last.Redacted {
			mark = sealRedacted
		}
		writeReasoningItem(x.w, parts, x.o.itemID(last.ID, "rs_"), sealed(last.SignedBy, last.Signature, mark), "")
	case canon.ToolCall:
		id := x.o.itemID(p.ID, callPrefix(p.Call))
		callID := x.o.itemID(p.Call.ID, "call_")
		writeCallItem(x.w, p, callID, id, status)
		x.seal(p, callMark(callID))
	case canon.Image:
		x.image(p)
	case canon.Audio:
		if p.Media != nil && p.Media.Transcript != "" {
			x.r.Add("answer.audio", canon.Approximated, "as what it says")
			x.message([]canon.Part{{Text: p.Media.Transcript}}, status)
			return
		}
		x.r.Add("answer.audio", canon.Dropped, "")
	case canon.Other:
		if p.SignedBy == dialectName && isItem(p.Raw) {
			x.w.Raw(llm.AppendLine(nil, p.Raw))
			return
		}
		x.r.Add("answer."+typeOf(p.Raw), canon.Dropped, "")
	default:
		x.r.Add("answer."+p.Kind.String(), canon.Dropped, "")
	}
}

func callPrefix(c *canon.Call) string {
	if c.Custom {
		return "ctc_"
	}
	return "fc_"
}

// typeOf is the type that a part of another dialect names.
func typeOf(raw []byte) string {
	d, err := jsontree.Parse(raw, false)
	if err != nil || !d.Root().Get("type").IsString() {
		return "other"
	}
	return d.Root().Get("type").Str()
}

// isItem tells whether raw can be an output item: parts that chat completions do not know are none.
func isItem(raw []byte) bool {
	d, err := jsontree.Parse(raw, false)
	return err == nil && d.Root().Get("type").IsString() && d.Root().Get("id").IsString()
}

func (x *itemsOut) message(parts []canon.Part, status string) {
	w := x.w
	w.Object()
	w.StrMember("id", x.o.itemID(parts[0].ID, "msg_"))
	w.StrMember("type", "message")
	w.StrMember("status", status)
	w.Name("content")
	w.Array()
	for i := range parts {
		writeOutputContent(w, &parts[i], x.probsOf(parts[i].Text), true)
	}
	w.End()
	if parts[0].Phase != "" {
		w.StrMember("phase", parts[0].Phase)
	}
	w.StrMember("role", "assistant")
	w.End()
	last := &parts[len(parts)-1]
	x.seal(last, sealText)
}

// probsOf takes the logprobs of a text, whose tokens make up its length.
func (x *itemsOut) probsOf(text string) []byte {
	n, length := 0, 0
	for n < len(x.probs) && length < len(text) {
		length += len(x.probs[n].Token)
		n++
	}
	probs := appendProbs(nil, x.probs[:n])
	x.probs = x.probs[n:]
	return probs
}

// seal writes the item that carries the proof of a call or a text.
func (x *itemsOut) seal(p *canon.Part, mark string) {
	if p.Signature != "" && p.SignedBy != dialectName && p.SignedBy != "" {
		writeReasoningItem(x.w, nil, x.o.itemID("", "rs_"), sealed(p.SignedBy, p.Signature, mark), "")
	}
}

// image writes an image as the item that OpenAI's own image tool makes.
func (x *itemsOut) image(p *canon.Part) {
	if p.Media == nil || p.Media.Data == "" {
		if p.Media != nil && p.Media.URL != "" {
			x.r.Add("answer.image", canon.Approximated, "as its URL")
			x.message([]canon.Part{{Text: "![image](" + p.Media.URL + ")"}}, "completed")
			return
		}
		x.r.Add("answer.image", canon.Dropped, "")
		return
	}
	writeImageItem(x.w, x.o.itemID(p.ID, "ig_"), p.Media)
}

func writeImageItem(w *jsontree.Writer, id string, m *canon.Media) {
	w.Object()
	w.StrMember("id", id)
	w.StrMember("type", "image_generation_call")
	w.StrMember("status", "completed")
	if format := m.MIME; len(format) > len("image/") && format != "image/png" {
		w.StrMember("output_format", format[len("image/"):])
	}
	w.StrMember("result", m.Data)
	w.End()
}
