package openai

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteAnswer writes a chat completion for the caller of req.
func (chatCodec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	size := 512
	for i := range a.Choices {
		for k := range a.Choices[i].Parts {
			size += len(a.Choices[i].Parts[k].Text) + 128
		}
	}
	o := answerOut{req: req, r: r, legacy: legacy(req)}
	o.w.Buf = make([]byte, 0, size)
	w := &o.w
	w.Object()
	head(w, a, req, "chat.completion", "chatcmpl-")
	w.Name("choices")
	w.Array()
	for i := range a.Choices {
		o.choice(&a.Choices[i])
	}
	if len(a.Choices) == 0 { // the provider would not answer at all
		o.choice(&canon.Choice{Finish: canon.Filtered})
	}
	w.End()
	tail(w, a)
	w.End()
	return w.Buf
}

// head writes the members with which an answer, or a chunk of one, begins.
func head(w *jsontree.Writer, a *canon.Answer, req *canon.Request, object, prefix string) {
	w.StrMember("id", answerID(a.ID, prefix))
	w.StrMember("object", object)
	created, model := a.Created, a.Model
	if created == 0 {
		created = time.Now().Unix()
	}
	if model == "" {
		model = req.Model
	}
	w.IntMember("created", created)
	w.StrMember("model", model)
}

// answerID is the provider's id for an answer, or one of our own.
func answerID(id, prefix string) string {
	if id != "" {
		return id
	}
	var b [12]byte
	rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}

// tierOf is how a call was served, in OpenAI's words where it has one.
func tierOf(tier string) string {
	switch tier {
	case "standard", "STANDARD":
		return "default"
	}
	return tier
}

// tail writes those with which it ends.
func tail(w *jsontree.Writer, a *canon.Answer) {
	if a.Usage.Input >= 0 || a.Usage.Output >= 0 {
		w.Name("usage")
		writeUsage(w, &a.Usage)
	}
	if a.ServiceTier != "" {
		w.StrMember("service_tier", tierOf(a.ServiceTier))
	}
	if a.Fingerprint != "" {
		w.StrMember("system_fingerprint", a.Fingerprint)
	}
}

// answerOut writes the choices of one answer.
type answerOut struct {
	w      jsontree.Writer
	req    *canon.Request
	r      *canon.Report
	legacy bool
}

func (o *answerOut) choice(c *canon.Choice) {
	w := &o.w
	w.Object()
	w.IntMember("index", int64(c.Index))
	w.Name("message")
	o.message(c)
	w.Name("logprobs")
	writeLogprobs(w, c.Logprobs)
	w.StrMember("finish_reason", finishWord(c, o.legacy))
	if c.StopWord != "" { // as vLLM has it
		w.StrMember("stop_reason", c.StopWord)
	}
	loseFinish(o.r, c)
	w.End()
}

// loseFinish tells of a reason that OpenAI has no word for.
func loseFinish(r *canon.Report, c *canon.Choice) {
	var why string
	switch c.Finish {
	case canon.Paused:
		why = "the model paused, and OpenAI has no word for it"
	case canon.BadCall:
		why = "the model's call of a tool was malformed, and OpenAI has no word for it"
	case canon.ContextLength:
		why = "told as length"
	case canon.Refused:
		why = "told as content_filter"
	default:
		return
	}
	r.Add("answer.choices."+strconv.Itoa(c.Index)+".finish_reason", canon.Approximated, why)
}

// message writes what the model said.
func (o *answerOut) message(c *canon.Choice) {
	w := &o.w
	var text, refusal, thinking strings.Builder
	calls, texts := 0, 0
	for i := range c.Parts {
		switch p := &c.Parts[i]; p.Kind {
		case canon.Text:
			text.WriteString(p.Text)
			texts++
		case canon.Refusal:
			refusal.WriteString(p.Text)
		case canon.Thinking:
			thinking.WriteString(p.Text)
		case canon.ToolCall:
			calls++
		case canon.Audio, canon.Image:
		default:
			losePart(o.r, c.Index, i, p)
		}
	}
	w.Object()
	w.StrMember("role", "assistant")
	w.Name("content")
	if texts == 0 && (calls > 0 || refusal.Len() > 0 || hasKind(c.Parts, canon.Audio)) {
		w.Null()
	} else {
		w.Str(text.String())
	}
	w.Name("refusal")
	if refusal.Len() > 0 {
		w.Str(refusal.String())
	} else {
		w.Null()
	}
	if thinking.Len() > 0 {
		w.StrMember("reasoning_content", thinking.String())
	}
	writeDetails(w, c.Parts, false)
	o.annotations(c)
	o.media(c)
	if calls > 0 {
		o.calls(c)
	}
	w.End()
}

func hasKind(parts []canon.Part, kind canon.PartKind) bool {
	for i := range parts {
		if parts[i].Kind == kind {
			return true
		}
	}
	return false
}

func losePart(r *canon.Report, choice, part int, p *canon.Part) {
	r.Add("answer.choices."+strconv.Itoa(choice)+".parts."+strconv.Itoa(part), canon.Dropped, "chat completions have no place for "+p.Kind.String())
}

// annotations writes the sources of the texts, whose places are counted in the whole of the content.
func (o *answerOut) annotations(c *canon.Choice) {
	open, before := false, 0
	for i := range c.Parts {
		p := &c.Parts[i]
		if p.Kind != canon.Text {
			continue
		}
		length := -1
		for k := range p.Citations {
			if p.Citations[k].URL == "" {
				o.r.Add("answer.choices."+strconv.Itoa(c.Index)+".citations", canon.Dropped, "chat completions cite URLs only")
				continue
			}
			if !open {
				open = true
				o.w.Name("annotations")
				o.w.Array()
			}
			if length < 0 {
				length = utf8.RuneCountInString(p.Text)
			}
			writeURLCitation(&o.w, &p.Citations[k], before, length)
		}
		before += utf8.RuneCountInString(p.Text)
	}
	if open {
		o.w.End()
	}
}

// writeURLCitation writes a citation of a text that begins before characters into the content; one without
// a place is of the whole text.
func writeURLCitation(w *jsontree.Writer, c *canon.Citation, before, length int) {
	start, end := c.Start, c.End
	if start < 0 {
		start = 0
	}
	if end < 0 {
		end = length
	}
	w.Object()
	w.StrMember("type", "url_citation")
	w.Name("url_citation")
	w.Object()
	w.StrMember("url", c.URL)
	w.StrMember("title", c.Title)
	w.IntMember("start_index", int64(before+start))
	w.IntMember("end_index", int64(before+end))
	if c.Cited != "" { // OpenRouter
		w.StrMember("content", c.Cited)
	}
	w.End()
	w.End()
}

// media writes audio and pictures that the model made.
func (o *answerOut) media(c *canon.Choice) {
	pictures := false
	for i := range c.Parts {
		p := &c.Parts[i]
		switch {
		case p.Kind == canon.Audio && p.Media != nil:
			o.w.Name("audio")
			writeSpokenAudio(&o.w, p.Media)
		case p.Kind == canon.Image && p.Media != nil:
			pictures = true
		}
	}
	if !pictures {
		return
	}
	o.w.Name("images")
	o.w.Array()
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Kind == canon.Image && p.Media != nil {
			writePicture(&o.w, p.Media)
		}
	}
	o.w.End()
}

func writePicture(w *jsontree.Writer, m *canon.Media) {
	url := m.URL
	if m.Data != "" {
		url = dataURL(withDefault(m.MIME, "image/png"), m.Data)
	}
	w.Object()
	w.StrMember("type", "image_url")
	w.Name("image_url")
	w.Object()
	w.StrMember("url", url)
	w.End()
	w.End()
}

func writeSpokenAudio(w *jsontree.Writer, m *canon.Media) {
	w.Object()
	w.StrMember("id", m.ID)
	w.IntMember("expires_at", m.Expires)
	w.StrMember("data", m.Data)
	w.StrMember("transcript", m.Transcript)
	w.End()
}

// calls writes the tools' calls, or the one call of an older caller.
func (o *answerOut) calls(c *canon.Choice) {
	w := &o.w
	first := true
	for i := range c.Parts {
		p := &c.Parts[i]
		if p.Kind != canon.ToolCall {
			continue
		}
		if o.legacy {
			if !first {
				o.r.Add("answer.choices."+strconv.Itoa(c.Index)+".parts."+strconv.Itoa(i), canon.Dropped, "function_call holds one call only")
				continue
			}
			first = false
			w.Name("function_call")
			writeFunction(w, p.Call)
			continue
		}
		if first {
			first = false
			w.Name("tool_calls")
			w.Array()
		}
		o.call(p)
	}
	if !o.legacy {
		w.End()
	}
}

func (o *answerOut) call(p *canon.Part) {
	w := &o.w
	w.Object()
	w.StrMember("id", answerID(p.Call.ID, "call_"))
	if p.Call.Custom || isCustom(o.req, p.Call.Name) {
		w.StrMember("type", "custom")
		w.Name("custom")
		w.Object()
		w.StrMember("name", p.Call.Name)
		w.StrMember("input", customInput(p.Call))
		w.End()
	} else {
		w.StrMember("type", "function")
		w.Name("function")
		writeFunction(w, p.Call)
	}
	if p.Signature != "" {
		writeCallSignature(w, p.Signature, p.SignedBy)
	}
	w.End()
}

func writeFunction(w *jsontree.Writer, c *canon.Call) {
	w.Object()
	w.StrMember("name", c.Name)
	w.StrMember("arguments", withDefault(c.Args, "{}"))
	w.End()
}

// customInput is the text of a custom tool's call, also where the provider called the function that took
// its place.
func customInput(c *canon.Call) string {
	if c.Custom {
		return c.Args
	}
	d, err := jsontree.Parse([]byte(c.Args), true)
	if err != nil || !d.Root().Get("input").IsString() {
		return c.Args
	}
	return d.Root().Get("input").Str()
}

// writeLogprobs writes the value of logprobs.
func writeLogprobs(w *jsontree.Writer, list []canon.Logprob) {
	if len(list) == 0 {
		w.Null()
		return
	}
	w.Object()
	w.Name("content")
	w.Array()
	for i := range list {
		writeProb(w, &list[i], true)
	}
	w.End()
	w.Name("refusal")
	w.Null()
	w.End()
}

// finishWord is OpenAI's word for why a choice ended.
func finishWord(c *canon.Choice, legacy bool) string {
	switch c.Finish {
	case canon.Length, canon.ContextLength:
		return "length"
	case canon.ToolCalls:
		if legacy {
			return "function_call"
		}
		return "tool_calls"
	case canon.Filtered, canon.Refused:
		return "content_filter"
	case canon.Failed:
		return "error"
	}
	return "stop"
}
