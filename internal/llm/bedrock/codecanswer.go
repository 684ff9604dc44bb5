package bedrock

import (
	"crypto/rand"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads an answer of Converse.
func (codec) ReadAnswer(body []byte) (*canon.Answer, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	a := &canon.Answer{Usage: canon.NoUsage()}
	message := root.Get("output").Get("message")
	message.Get("role").Settle()
	word := root.Get("stopReason").Str()
	choice := canon.Choice{Finish: finishOf(word), FinishRaw: word}
	choice.StopWord = stopWord(root.Get("additionalModelResponseFields"))
	content := message.Get("content")
	content.Each(func(_ int, b jsontree.Node) {
		if p, ok := readBlock(b, doc); ok {
			p.At = 0 // it stands in no request
			choice.Parts = append(choice.Parts, p)
		}
		b.Get("toolUse").Get("type").Settle() // "tool_use"
	})
	if message.IsObject() {
		a.Choices = []canon.Choice{choice}
	}
	if u := root.Get("usage"); u.IsObject() {
		a.Usage = usageOf(u)
	}
	a.ServiceTier = root.Get("serviceTier").Get("type").Str()
	a.LatencyMS, _ = root.Get("metrics").Get("latencyMs").Int()
	if f := doc.Fault(); f != nil {
		return nil, f
	}
	for _, n := range doc.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

// stopWord is the stop sequence that came, which Bedrock tells when it was asked for it.
func stopWord(fields jsontree.Node) string {
	if !fields.IsObject() {
		return ""
	}
	if w := fields.Get("stop_sequence"); w.IsString() {
		return w.Str()
	}
	return ""
}

// usageOf reads a TokenUsage.
func usageOf(n jsontree.Node) canon.Usage {
	u := canon.NoUsage()
	var c tokenCounts
	c.none()
	of := func(name string) int64 {
		if v, ok := n.Get(name).Int(); ok && v >= 0 {
			return v
		}
		return -1
	}
	c.input, c.output, c.total = of("inputTokens"), of("outputTokens"), of("totalTokens")
	c.read, c.written = of("cacheReadInputTokens"), of("cacheWriteInputTokens")
	u.Usage = c.usage()
	n.Get("cacheDetails").Each(func(_ int, d jsontree.Node) {
		v, ok := d.Get("inputTokens").Int()
		if ttl := d.Get("ttl").Str(); ok && ttl == "1h" {
			u.CacheWrite1h = v
		}
	})
	// Older names of what stands beside them, and an empty list of the tools that Bedrock ran itself.
	n.Get("cacheReadInputTokenCount").Settle()
	n.Get("cacheWriteInputTokenCount").Settle()
	if tools := n.Get("serverToolUsage"); tools.Len() > 0 {
		tools.Leave()
	}
	return u
}

// WriteAnswer writes an answer of Converse. Bedrock's have no id and do not name the model.
func (codec) WriteAnswer(a *canon.Answer, _ *canon.Request, r *canon.Report) []byte {
	w := &jsonWriter{Buf: make([]byte, 0, 1024)}
	var choice canon.Choice
	for i := range a.Choices {
		if i == 0 {
			choice = a.Choices[0]
		} else {
			r.Add("answer.choices", canon.Dropped, "Bedrock's answers have one choice")
		}
	}
	if len(a.Choices) == 0 && a.Blocked != "" {
		choice.Finish = canon.Filtered
	}
	if len(choice.Logprobs) > 0 {
		r.Add("answer.logprobs", canon.Dropped, "Bedrock's answers have none")
	}
	w.Object()
	w.Name("output")
	w.Object()
	w.Name("message")
	w.Object()
	w.StrMember("role", "assistant")
	w.Name("content")
	w.Array()
	for i := range choice.Parts {
		answerPart(w, &choice.Parts[i], r)
	}
	w.End()
	w.End()
	w.End()
	writeStop(w, &choice)
	w.Name("usage")
	writeUsage(w, &a.Usage)
	loseUsage(&a.Usage, r)
	w.Name("metrics")
	w.Object()
	w.IntMember("latencyMs", a.LatencyMS)
	w.End()
	writeTier(w, a.ServiceTier, r)
	w.End()
	return w.Buf
}

// writeTier writes how the call was served; what others call standard is Bedrock's default.
func writeTier(w *jsonWriter, tier string, r *canon.Report) {
	switch tier {
	case "":
		return
	case "standard":
		tier = "default"
	}
	switch tier {
	default:
		r.Add("answer.service_tier", canon.Dropped, "Bedrock has no such tier")
	case "default", "flex", "priority", "reserved":
		w.Name("serviceTier")
		w.Object()
		w.StrMember("type", tier)
		w.End()
	}
}

// writeStop writes why the model stopped.
func writeStop(w *jsonWriter, c *canon.Choice) {
	w.StrMember("stopReason", wordOf(c.Finish, c.FinishRaw))
	if c.StopWord != "" {
		w.Name("additionalModelResponseFields")
		w.Object()
		w.StrMember("stop_sequence", c.StopWord)
		w.End()
	}
}

// loseRefusal tells that a refusal goes as text; why the model stopped says that it is one.
func loseRefusal(kind canon.PartKind, r *canon.Report) {
	if kind == canon.Refusal {
		r.Add("answer.refusal", canon.Approximated, "as text")
	}
}

// loseUsage tells what of the usage has no member here.
func loseUsage(u *canon.Usage, r *canon.Report) {
	if u.Reasoning > 0 {
		r.Add("answer.usage.reasoning_tokens", canon.Dropped, "Bedrock counts them with the output alone")
	}
}

// writeUsage writes a TokenUsage; the three counts that it must have are 0 where nobody said them.
func writeUsage(w *jsonWriter, u *canon.Usage) {
	input, output := max(u.Input, 0), max(u.Output, 0)
	w.Object()
	w.IntMember("inputTokens", max(input-max(u.Cached, 0)-max(u.CacheWrite, 0), 0))
	w.IntMember("outputTokens", output)
	w.IntMember("totalTokens", input+output)
	if u.Cached >= 0 {
		w.IntMember("cacheReadInputTokens", u.Cached)
	}
	if u.CacheWrite >= 0 {
		w.IntMember("cacheWriteInputTokens", u.CacheWrite)
	}
	if u.CacheWrite1h >= 0 {
		w.Name("cacheDetails")
		w.Array()
		for _, d := range [...]struct {
			ttl    string
			tokens int64
		}{{"1h", u.CacheWrite1h}, {"5m", max(u.CacheWrite-u.CacheWrite1h, 0)}} {
			w.Object()
			w.StrMember("ttl", d.ttl)
			w.IntMember("inputTokens", d.tokens)
			w.End()
		}
		w.End()
	}
	w.End()
}

// answerPart writes one block of an answer.
func answerPart(w *jsonWriter, p *canon.Part, r *canon.Report) {
	lostSignature(p.Kind, p.Signature, p.SignedBy, r)
	switch {
	case p.Raw != nil && p.SignedBy == name:
		w.Raw(p.Raw)
	case p.Kind == canon.Text && len(p.Citations) > 0:
		writeCited(w, p)
	case p.Kind == canon.Text, p.Kind == canon.Refusal:
		loseRefusal(p.Kind, r)
		w.Object()
		w.StrMember("text", p.Text)
		w.End()
	case p.Kind == canon.Thinking:
		if p.Text != "" || p.Signature != "" {
			writeThought(w, p)
		}
	case p.Kind == canon.ToolCall:
		writeCall(w, answerID(p.Call), p.Call)
	case (p.Kind == canon.Image || p.Kind == canon.Audio) && p.Media != nil && p.Media.Data != "":
		answerMedia(w, p)
	default:
		r.Add("answer."+p.Kind.String(), canon.Dropped, "Bedrock's answers have no such block")
	}
}

// lostSignature tells of a signature that has no place: only reasoning has one.
func lostSignature(kind canon.PartKind, signature, by string, r *canon.Report) {
	if signature != "" && kind != canon.Thinking && by != name {
		r.Add("answer."+kind.String()+".signature", canon.Dropped, "on Bedrock only reasoning is signed")
	}
}

// answerID is the id of a call in an answer. One that has none (Gemini's) gets one that no other turn has.
func answerID(c *canon.Call) string {
	if c.ID == "" {
		return "tooluse_" + rand.Text()
	}
	return validID(c.ID)
}

func answerMedia(w *jsonWriter, p *canon.Part) {
	mime, _, _ := strings.Cut(p.Media.MIME, ";")
	word := wordFor(p.Kind, mime)
	if word == "" {
		_, word, _ = strings.Cut(mime, "/")
	}
	w.Object()
	w.Name(p.Kind.String())
	w.Object()
	w.StrMember("format", word)
	w.Name("source")
	w.Object()
	w.StrMember("bytes", p.Media.Data)
	w.End()
	w.End()
	w.End()
}
