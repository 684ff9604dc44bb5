package ollama

import (
	"strconv"
	"strings"
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteAnswer writes an answer for a caller of Ollama's API, which has one choice.
func (c codec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	var choice canon.Choice
	if len(a.Choices) > 0 {
		choice = a.Choices[0]
	}
	for i := 1; i < len(a.Choices); i++ {
		r.Add("answer.choices."+strconv.Itoa(i), canon.Dropped, "Ollama's answers have one choice")
	}
	var w jsontree.Writer
	w.Buf = make([]byte, 0, 1024)
	created := time.Unix(a.Created, 0)
	if a.Created == 0 {
		created = time.Now()
	}
	w.Object()
	head(&w, modelOf(req, a.Model), created)
	c.message(&w, choice.Parts, r)
	if len(choice.Logprobs) > 0 {
		w.Name("logprobs")
		writeLogprobs(&w, choice.Logprobs)
	}
	tail(&w, reasonOf(choice.Finish, choice.FinishRaw, r), &a.Usage)
	loseUsage(&a.Usage, r)
	loseStopWord(choice.StopWord, r)
	if a.LatencyMS > 0 {
		w.IntMember("total_duration", a.LatencyMS*int64(time.Millisecond))
	}
	w.End()
	return w.Buf
}

// modelOf is the model that answered, or the one asked for where the provider does not say.
func modelOf(req *canon.Request, answered string) string {
	if answered != "" {
		return answered
	}
	return req.Model
}

func head(w *jsontree.Writer, model string, created time.Time) {
	w.StrMember("model", model)
	w.Name("created_at")
	var room [len(time.RFC3339Nano) + 2]byte
	text := append(room[:0], '"')
	w.Raw(append(created.UTC().AppendFormat(text, time.RFC3339Nano), '"'))
}

// tail writes what says that an answer is whole.
func tail(w *jsontree.Writer, reason string, u *canon.Usage) {
	w.BoolMember("done", true)
	w.StrMember("done_reason", reason)
	if u.Input >= 0 {
		w.IntMember("prompt_eval_count", u.Input)
	}
	if u.Output >= 0 {
		w.IntMember("eval_count", u.Output)
	}
}

// loseUsage tells what of the usage has no member here.
func loseUsage(u *canon.Usage, r *canon.Report) {
	for _, c := range [...]struct {
		name  string
		count int64
	}{{"reasoning_tokens", u.Reasoning}, {"cached_tokens", u.Cached}, {"cache_write_tokens", u.CacheWrite}} {
		if c.count > 0 {
			r.Add("answer.usage."+c.name, canon.Dropped, "Ollama counts them with the rest alone")
		}
	}
}

func loseStopWord(word string, r *canon.Report) {
	if word != "" {
		r.Add("answer.stop_sequence", canon.Dropped, "Ollama does not tell which stop sequence came")
	}
}

// reasonOf is the reason for a caller.
func reasonOf(f canon.Finish, raw string, r *canon.Report) string {
	switch f {
	case canon.Length, canon.ContextLength:
		return "length"
	case canon.Stopped:
		if raw == "load" || raw == "unload" {
			return raw
		}
	case canon.Filtered, canon.Refused, canon.Paused, canon.BadCall, canon.Failed:
		r.Add("answer.finish_reason", canon.Approximated, "Ollama has no word for "+raw)
	}
	return "stop"
}

// message writes what an answer says: in the member message of a chat, beside the rest of generate.
func (c codec) message(w *jsontree.Writer, parts []canon.Part, r *canon.Report) {
	text, thinking, calls, images := "", "", 0, 0
	for i := range parts {
		p := &parts[i]
		if p.Signature != "" {
			r.Add("answer."+p.Kind.String()+".signature", canon.Dropped, "Ollama's answers are not signed")
		}
		if len(p.Citations) > 0 {
			r.Add("answer.citations", canon.Dropped, "Ollama's answers have none")
		}
		switch {
		case p.Kind == canon.Text:
			text += p.Text
		case p.Kind == canon.Refusal:
			r.Add("answer.refusal", canon.Approximated, "as text")
			text += p.Text
		case p.Kind == canon.Thinking:
			thinking += p.Text
		case p.Kind == canon.ToolCall && !c.generate:
			calls++
		case p.Kind == canon.Image && p.Media != nil && p.Media.Data != "":
			images++
		default:
			r.Add("answer."+p.Kind.String(), canon.Dropped, "Ollama's answers have none")
		}
	}
	if !c.generate {
		w.Name("message")
		w.Object()
		defer w.End()
		w.StrMember("role", "assistant")
	}
	w.StrMember(c.textName(), text)
	if thinking != "" {
		w.StrMember("thinking", thinking)
	}
	if images > 0 {
		w.Name("images")
		w.Array()
		for i := range parts {
			if p := &parts[i]; p.Kind == canon.Image && p.Media != nil && p.Media.Data != "" {
				w.Str(p.Media.Data)
			}
		}
		w.End()
	}
	if calls == 0 {
		return
	}
	w.Name("tool_calls")
	w.Array()
	index := 0
	for i := range parts {
		if parts[i].Kind == canon.ToolCall {
			answerCall(w, parts[i].Call, index, r)
			index++
		}
	}
	w.End()
}

func answerCall(w *jsontree.Writer, c *canon.Call, index int, r *canon.Report) {
	if !writeCall(w, c, index) {
		r.Add("answer.tool_calls."+strconv.Itoa(index)+".arguments", canon.Approximated, "they are no JSON object: they stand under input")
	}
}

func writeLogprobs(w *jsontree.Writer, list []canon.Logprob) {
	w.Array()
	for i := range list {
		p := &list[i]
		w.Object()
		w.StrMember("token", p.Token)
		w.Name("logprob")
		w.Float(p.Logprob)
		if p.Bytes != nil {
			w.Name("bytes")
			w.Array()
			for _, b := range p.Bytes {
				w.Int(int64(b))
			}
			w.End()
		}
		if len(p.Top) > 0 {
			w.Name("top_logprobs")
			writeLogprobs(w, p.Top)
		}
		w.End()
	}
	w.End()
}

// NewWriter writes a stream for a caller of Ollama's API.
func (c codec) NewWriter(req *canon.Request, r *canon.Report) canon.Writer {
	w := &writer{codec: c, r: r, model: req.Model, usage: canon.NoUsage(), begun: time.Now()}
	w.state.Sequence, w.state.Usage, w.state.Framed = -1, llm.NoUsage(), true
	return w
}

// writer writes a line for each piece of text, and one for each call when it is whole.
type writer struct {
	codec
	j     jsontree.Writer
	r     *canon.Report
	state llm.StreamState
	model string
	calls []*call // by part, nil for what is none
	count int

	created      time.Time // as the provider says
	begun, first time.Time // when the stream and when its content began: Ollama tells how long it took
	finish       canon.Finish
	raw          string
	usage        canon.Usage
	latency      time.Duration // as the provider says, 0 when it does not
}

// call is a call whose arguments are still coming.
type call struct {
	canon.Call
	args  []byte
	image bool // it is an image, whose bytes args are
}

// ContentType is that of lines of JSON.
func (w *writer) ContentType() string { return ndjson }

// State is what AppendErrorEvent may ask for.
func (w *writer) State() *llm.StreamState { return &w.state }

// line begins a line.
func (w *writer) line(dst []byte) {
	if w.first.IsZero() {
		w.first = time.Now()
	}
	if w.created.IsZero() {
		w.created = w.begun
	}
	w.j.Reset(dst)
	w.j.Object()
	head(&w.j, w.model, w.created)
	w.state.Events++
}

// end ends a line that is not the last one.
func (w *writer) end() []byte {
	w.j.BoolMember("done", false)
	w.j.End()
	return append(w.j.Buf, '\n')
}

// says writes a line with a text, under this name where it is not the answer's.
func (w *writer) says(dst []byte, thinking, text string) []byte {
	w.line(dst)
	w.open()
	w.j.StrMember(w.textName(), text)
	if thinking != "" {
		w.j.StrMember("thinking", thinking)
	}
	w.close()
	w.state.Content = true
	return w.end()
}

func (w *writer) open() {
	if !w.generate {
		w.j.Name("message")
		w.j.Object()
		w.j.StrMember("role", "assistant")
	}
}

func (w *writer) close() {
	if !w.generate {
		w.j.End()
	}
}

// Write writes one event.
func (w *writer) Write(dst []byte, ev *canon.Event) []byte {
	if ev.Choice != 0 {
		w.r.Add("answer.choices."+strconv.Itoa(ev.Choice), canon.Dropped, "Ollama's answers have one choice")
		return dst
	}
	switch ev.Kind {
	case canon.Start:
		if ev.Model != "" {
			w.model = strings.Clone(ev.Model)
		}
		if ev.Created > 0 {
			w.created = time.Unix(ev.Created, 0)
		}
	case canon.Begin:
		return w.begin(dst, ev)
	case canon.Delta:
		return w.delta(dst, ev)
	case canon.Sign:
		w.r.Add("answer."+ev.PartKind.String()+".signature", canon.Dropped, "Ollama's answers are not signed")
	case canon.Cite:
		w.r.Add("answer.citations", canon.Dropped, "Ollama's answers have none")
	case canon.MediaDelta:
		if c := w.call(ev.Part); c != nil {
			c.args = append(c.args, ev.Text...)
		}
	case canon.EndPart:
		return w.endPart(dst, ev.Part)
	case canon.Probs:
		w.line(dst)
		w.open()
		w.j.StrMember(w.textName(), "")
		w.close()
		w.j.Name("logprobs")
		writeLogprobs(&w.j, ev.Logprobs)
		return w.end()
	case canon.Finished:
		w.finish, w.raw = ev.Finish, strings.Clone(ev.FinishRaw)
		loseStopWord(ev.StopWord, w.r)
	case canon.Used:
		w.usage = *ev.Usage
		w.latency = time.Duration(ev.LatencyMS) * time.Millisecond
	}
	return dst
}

func (w *writer) begin(dst []byte, ev *canon.Event) []byte {
	for len(w.calls) <= ev.Part {
		w.calls = append(w.calls, nil)
	}
	switch {
	case ev.PartKind == canon.Text, ev.PartKind == canon.Thinking:
	case ev.PartKind == canon.Refusal:
		w.r.Add("answer.refusal", canon.Approximated, "as text")
	case ev.PartKind == canon.ToolCall && !w.generate:
		c := &call{}
		c.ID = strings.Clone(ev.Call.ID)
		c.Name = strings.Clone(ev.Call.Name)
		w.calls[ev.Part] = c
	case ev.PartKind == canon.Image:
		c := &call{image: true}
		if ev.Media != nil {
			c.args = append(c.args, ev.Media.Data...)
		}
		w.calls[ev.Part] = c
	default:
		w.r.Add("answer."+ev.PartKind.String(), canon.Dropped, "Ollama's answers have none")
	}
	return dst
}

func (w *writer) delta(dst []byte, ev *canon.Event) []byte {
	switch ev.PartKind {
	case canon.Text, canon.Refusal:
		return w.says(dst, "", ev.Text)
	case canon.Thinking:
		return w.says(dst, ev.Text, "")
	case canon.ToolCall:
		if c := w.call(ev.Part); c != nil {
			c.args = append(c.args, ev.Text...)
		}
	}
	return dst
}

func (w *writer) call(part int) *call {
	if part >= len(w.calls) {
		return nil
	}
	return w.calls[part]
}

// endPart writes the call that is whole now.
func (w *writer) endPart(dst []byte, part int) []byte {
	c := w.call(part)
	if c == nil {
		return dst
	}
	w.calls[part] = nil
	if c.image {
		return w.imagePart(dst, c.args)
	}
	c.Args = string(c.args)
	w.line(dst)
	w.open()
	w.j.StrMember("content", "")
	w.j.Name("tool_calls")
	w.j.Array()
	answerCall(&w.j, &c.Call, w.count, w.r)
	w.j.End()
	w.close()
	w.count++
	w.state.Content = true
	return w.end()
}

// imagePart writes an image that is whole now.
func (w *writer) imagePart(dst, data []byte) []byte {
	if len(data) == 0 {
		w.r.Add("answer.image", canon.Dropped, "Ollama's images are bytes")
		return dst
	}
	w.line(dst)
	w.open()
	w.j.StrMember(w.textName(), "")
	w.j.Name("images")
	w.j.Array()
	w.j.Str(string(data))
	w.j.End()
	w.close()
	w.state.Content = true
	return w.end()
}

// End writes the last line. The durations are those that the gateway saw, but for a total that the provider tells:
// nothing was loaded, and reading the prompt lasted until content came.
func (w *writer) End(dst []byte) []byte {
	reason := reasonOf(w.finish, w.raw, w.r)
	first := w.first
	w.line(dst)
	w.open()
	w.j.StrMember(w.textName(), "")
	w.close()
	tail(&w.j, reason, &w.usage)
	loseUsage(&w.usage, w.r)
	now := time.Now()
	if first.IsZero() {
		first = now
	}
	total := w.latency
	if total == 0 {
		total = now.Sub(w.begun)
	}
	w.j.IntMember("total_duration", int64(total))
	w.j.IntMember("load_duration", 0)
	w.j.IntMember("prompt_eval_duration", int64(first.Sub(w.begun)))
	w.j.IntMember("eval_duration", int64(now.Sub(first)))
	w.j.End()
	w.state.Ended, w.state.Done = true, true
	return append(w.j.Buf, '\n')
}
