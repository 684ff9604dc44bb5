package openai

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// completionsCodec is the codec of OpenAI's older text completions: a prompt and what follows it. As a caller's
// it becomes a conversation with one message of the user's; as a provider's the conversation is written
// as a text.
//
// Source: platform.openai.com/docs/api-reference/completions, and CreateCompletionRequest and
// CreateCompletionResponse of the API's OpenAPI description.
type completionsCodec struct{}

var _ canon.Codec = completionsCodec{}

// completionParams are the members that mean the same as in chat completions.
var completionParams = [...]string{
	"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty", "seed", "n", "logit_bias", "user",
}

// ReadRequest reads a caller's completion.
func (completionsCodec) ReadRequest(_ llm.Match, body []byte) (*canon.Request, error) {
	r, err := openRequest(llm.Completions, body)
	if err != nil {
		return nil, err
	}
	root, req := r.doc.Root(), r.req
	r.prompt(root)
	for _, name := range completionParams {
		for i := range chatParams {
			if p := &chatParams[i]; p.name == name {
				if n := root.Get(name); n.Said() {
					p.kind.hold(r.doc, n)
					req.Set(p.id, n)
				}
			}
		}
	}
	if n := root.Get("max_tokens"); n.Said() {
		n.Int()
		req.Set(canon.MaxTokens, n)
	}
	r.stop(root.Get("stop"))
	if n := root.Get("logprobs"); n.Said() { // a number there: how many tokens beside the one chosen
		n.Int()
		req.SetJSON(canon.Logprobs, n, []byte("true"))
		req.Set(canon.TopLogprobs, n)
	}
	if echo, _ := root.Get("echo").Bool(); !echo {
		root.Get("echo").Settle()
	}
	if best, said := root.Get("best_of").Int(); said && best > 1 {
		root.Get("best_of").Leave()
	}
	if fault := r.doc.Fault(); fault != nil {
		return nil, fault
	}
	return req, nil
}

// prompt reads the text to go on with. A list of several texts asks for several answers to different
// questions, and numbers are another vocabulary's tokens: neither can cross.
func (r *chatReader) prompt(root jsontree.Node) {
	n := root.Get("prompt")
	text := n
	switch n.Kind() {
	case jsonscan.String:
	case jsonscan.Array:
		n.Each(func(i int, e jsontree.Node) {
			switch {
			case !e.IsString():
				r.doc.Fail(e, "must be text: tokens mean something to one model only")
			case i > 0:
				r.doc.Fail(e, "is a second prompt, and a chat model answers one in each call")
			}
			text = e
		})
		if n.Len() == 0 {
			r.doc.Fail(n, "must not be empty")
		}
	default:
		wrong(r.doc, root, "prompt", "must be a string")
		return
	}
	m := canon.Message{Role: canon.User, At: n.Ref()}
	if s := text.Str(); s != "" {
		m.Parts = []canon.Part{{Kind: canon.Text, At: text.Ref(), Text: s}}
	}
	r.req.Messages = []canon.Message{m}
}

// WriteRequest writes the conversation as a text that the model goes on with.
func (completionsCodec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	if err := needsItsProvider(req); err != nil {
		return nil, err
	}
	o := newChatOut(req, to, r)
	own := req.Dialect == dialectName && req.Op == llm.Completions && req.Doc != nil
	w := &o.w
	w.Object()
	w.StrMember("model", to.Model)
	w.StrMember("prompt", o.asText())
	for i := range req.Tools {
		r.Lose(req.Tools[i].At, canon.Dropped, "text completions have no tools")
	}
	if len(req.Tools) > 0 {
		o.loseChoice("text completions have no tools")
	}
	if req.Format.Kind != canon.AnyText {
		r.Lose(req.Format.At, canon.Dropped, "text completions have no form")
	}
	if req.Reasoning.Said && !req.Reasoning.Off {
		r.Lose(req.Reasoning.At, canon.Dropped, "text completions do not think")
	}
	for i := range chatParams {
		p := &chatParams[i]
		if req.Params[p.id].JSON == nil || !o.takes(p.name) || p.own && !own && !o.has(p.name) {
			continue
		}
		for _, name := range completionParams {
			if name == p.name {
				w.RawMember(o.named(name), r.Take(p.id))
			}
		}
	}
	if length := r.Take(canon.MaxTokens); length != nil {
		w.RawMember("max_tokens", length)
	}
	if req.Params[canon.Stop].JSON != nil {
		w.RawMember("stop", r.Take(canon.Stop))
	}
	if req.True(canon.Logprobs) {
		r.Take(canon.Logprobs)
		w.Name("logprobs")
		if top := r.Take(canon.TopLogprobs); top != nil {
			w.Raw(top)
		} else {
			w.Int(0)
		}
	}
	o.streamed()
	if own {
		for _, n := range r.Own(dialectName) {
			w.RawMember(n.Name(), n.Copy())
		}
		if n := req.Doc.Root().Get("echo"); n.Said() {
			w.RawMember("echo", n.Raw())
		}
	}
	w.End()
	return w.Buf, nil
}

// asText is the conversation as a text: a single message as it is, more with their speakers before them.
func (o *chatOut) asText() string {
	list := o.req.Messages
	if len(list) == 1 && list[0].Role == canon.User {
		return o.joined(list[0].Parts)
	}
	var b strings.Builder
	for i := range list {
		m := &list[i]
		o.r.Lose(m.At, canon.Approximated, "told as a line of the prompt")
		var parts []canon.Part
		for _, p := range m.Parts {
			switch {
			case p.Kind == canon.ToolResult && p.Result.JSON != nil:
				parts = append(parts, canon.Part{Kind: canon.Text, Text: string(p.Result.JSON)})
			case p.Kind == canon.ToolResult:
				parts = append(parts, p.Result.Parts...)
			case p.Kind == canon.ToolCall:
				parts = append(parts, canon.Part{Kind: canon.Text, Text: p.Call.Name + "(" + p.Call.Args + ")"})
			default:
				parts = append(parts, p)
			}
		}
		b.WriteString(m.Role.String() + ": " + o.joined(parts) + "\n\n")
	}
	b.WriteString("assistant:")
	return b.String()
}

// ReadAnswer reads a provider's completion.
func (completionsCodec) ReadAnswer(body []byte) (*canon.Answer, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	a := openAnswer(root)
	root.Get("choices").Each(func(i int, n jsontree.Node) {
		c := canon.Choice{Index: i}
		if v, ok := n.Get("index").Int(); ok {
			c.Index = int(v)
		}
		if text := n.Get("text").Str(); text != "" {
			c.Parts = []canon.Part{{Kind: canon.Text, Text: text}}
		}
		c.Logprobs = readOldProbs(n.Get("logprobs"))
		readFinish(&c, n)
		a.Choices = append(a.Choices, c)
	})
	if fault := doc.Fault(); fault != nil {
		return nil, fault
	}
	a.Lost = lostMembers(doc)
	return a, nil
}

// readOldProbs reads the logprobs of a completion: lists side by side.
func readOldProbs(n jsontree.Node) (all []canon.Logprob) {
	if !n.IsObject() {
		return nil
	}
	n.Get("text_offset").Settle() // counted from the tokens
	n.Get("tokens").Each(func(_ int, e jsontree.Node) { all = append(all, canon.Logprob{Token: e.Str()}) })
	n.Get("token_logprobs").Each(func(i int, e jsontree.Node) {
		if i < len(all) {
			all[i].Logprob, _ = e.Float()
		}
	})
	n.Get("top_logprobs").Each(func(i int, e jsontree.Node) {
		if i >= len(all) {
			return
		}
		e.Each(func(_ int, t jsontree.Node) {
			top := canon.Logprob{Token: strings.Clone(t.Name())}
			top.Logprob, _ = t.Float()
			all[i].Top = append(all[i].Top, top)
		})
	})
	return all
}

// writeOldProbs writes them; offset is where the text begins in characters.
func writeOldProbs(w *jsontree.Writer, list []canon.Logprob, offset int) {
	if len(list) == 0 {
		w.Null()
		return
	}
	w.Object()
	w.Name("tokens")
	w.Array()
	for i := range list {
		w.Str(list[i].Token)
	}
	w.End()
	w.Name("token_logprobs")
	w.Array()
	for i := range list {
		w.Float(list[i].Logprob)
	}
	w.End()
	w.Name("top_logprobs")
	w.Array()
	for i := range list {
		w.Object()
		for k := range list[i].Top {
			w.Name(list[i].Top[k].Token)
			w.Float(list[i].Top[k].Logprob)
		}
		w.End()
	}
	w.End()
	w.Name("text_offset")
	w.Array()
	for i := range list {
		w.Int(int64(offset))
		offset += utf8.RuneCountInString(list[i].Token)
	}
	w.End()
	w.End()
}

// echoedPrompt is the prompt that stands before the answer when the caller wants it so.
func echoedPrompt(req *canon.Request) string {
	if req.Doc == nil || req.Dialect != dialectName || req.Op != llm.Completions || len(req.Messages) == 0 || len(req.Messages[0].Parts) == 0 {
		return ""
	}
	if echo, _ := req.Doc.Root().Get("echo").Bool(); !echo {
		return ""
	}
	return req.Messages[0].Parts[0].Text
}

// WriteAnswer writes a completion for the caller of req.
func (completionsCodec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	head(&w, a, req, "text_completion", "cmpl-")
	w.Name("choices")
	w.Array()
	for i := range a.Choices {
		c := &a.Choices[i]
		var text strings.Builder
		text.WriteString(echoedPrompt(req))
		offset := utf8.RuneCountInString(text.String())
		for k := range c.Parts {
			switch p := &c.Parts[k]; p.Kind {
			case canon.Text, canon.Refusal:
				text.WriteString(p.Text)
			default:
				r.Add("answer.choices."+strconv.Itoa(c.Index)+".parts."+strconv.Itoa(k), canon.Dropped, "a text completion holds text only")
			}
		}
		w.Object()
		w.StrMember("text", text.String())
		w.IntMember("index", int64(c.Index))
		w.Name("logprobs")
		writeOldProbs(&w, c.Logprobs, offset)
		w.StrMember("finish_reason", finishWord(c, false))
		if c.StopWord != "" {
			w.StrMember("stop_reason", c.StopWord)
		}
		loseFinish(r, c)
		w.End()
	}
	w.End()
	tail(&w, a)
	w.End()
	return w.Buf
}

// NewReader reads the chunks of a provider's stream.
func (completionsCodec) NewReader() canon.Reader { return newChatReader(true) }

// NewWriter writes the chunks of a stream for the caller of req.
func (completionsCodec) NewWriter(req *canon.Request, r *canon.Report) canon.Writer {
	s := &textChunks{req: req, r: r}
	s.state.Sequence, s.state.Usage = -1, llm.NoUsage()
	return s
}

// textChunks writes the chunks of a text completion.
type textChunks struct {
	req     *canon.Request
	r       *canon.Report
	w       jsontree.Writer
	head    []byte
	choices []textChoice
	usage   canon.Usage
	used    bool
	state   llm.StreamState
}

type textChoice struct {
	begun    bool
	finished canon.Choice
}

// ContentType is that of server-sent events.
func (s *textChunks) ContentType() string { return "text/event-stream" }

// State is what AppendErrorEvent needs to know.
func (s *textChunks) State() *llm.StreamState { return &s.state }

func (s *textChunks) of(index int) *textChoice {
	for i := range s.choices {
		if s.choices[i].finished.Index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, textChoice{finished: canon.Choice{Index: index}})
	return &s.choices[len(s.choices)-1]
}

// Write appends what ev is.
func (s *textChunks) Write(dst []byte, ev *canon.Event) []byte {
	switch ev.Kind {
	case canon.Start:
		s.start(ev)
		return dst
	case canon.Beat:
		return append(dst, ": ping\n\n"...)
	case canon.Used:
		s.usage, s.used = *ev.Usage, true
		s.state.Usage = ev.Usage.Usage
		return dst
	}
	c := s.of(ev.Choice)
	switch ev.Kind {
	case canon.Finished:
		c.finished.Finish, c.finished.StopWord = ev.Finish, strings.Clone(ev.StopWord)
	case canon.Delta:
		if ev.PartKind == canon.Text || ev.PartKind == canon.Refusal {
			s.state.Content = true
			return s.chunk(dst, c, ev.Text, nil, false)
		}
	case canon.Probs:
		return s.chunk(dst, c, "", ev.Logprobs, false)
	case canon.Begin:
		if ev.PartKind != canon.Text && ev.PartKind != canon.Refusal {
			s.r.Add("answer.choices."+strconv.Itoa(ev.Choice)+".parts."+strconv.Itoa(ev.Part), canon.Dropped, "a text completion holds text only")
		}
	}
	return dst
}

func (s *textChunks) start(ev *canon.Event) {
	a := canon.Answer{ID: ev.ID, Model: ev.Model, Created: ev.Created}
	s.w.Reset(s.head[:0])
	s.w.Object()
	head(&s.w, &a, s.req, "text_completion", "cmpl-")
	if ev.Fingerprint != "" {
		s.w.StrMember("system_fingerprint", ev.Fingerprint)
	}
	s.head = append(s.w.Buf, `,"choices":[`...)
	s.w.Reset(nil)
}

func (s *textChunks) chunk(dst []byte, c *textChoice, text string, probs []canon.Logprob, last bool) []byte {
	if s.head == nil {
		s.start(&canon.Event{})
	}
	if !c.begun {
		c.begun = true
		if prompt := echoedPrompt(s.req); prompt != "" {
			dst = s.chunk(dst, c, prompt, nil, false)
		}
	}
	w := &s.w
	w.Reset(append(append(dst, "data: "...), s.head...))
	w.Object()
	w.StrMember("text", text)
	w.IntMember("index", int64(c.finished.Index))
	w.Name("logprobs")
	writeOldProbs(w, probs, 0)
	w.Name("finish_reason")
	if last {
		w.Str(finishWord(&c.finished, false))
		if c.finished.StopWord != "" {
			w.StrMember("stop_reason", c.finished.StopWord)
		}
	} else {
		w.Null()
	}
	w.End()
	dst = append(w.Buf, "]}\n\n"...)
	w.Reset(nil)
	return dst
}

// End appends the finish reasons, the usage where the caller wants it, and [DONE].
func (s *textChunks) End(dst []byte) []byte {
	if len(s.choices) == 0 {
		s.of(0).finished.Finish = canon.Filtered
	}
	for i := range s.choices {
		c := &s.choices[i]
		loseFinish(s.r, &c.finished)
		dst = s.chunk(dst, c, "", nil, true)
	}
	if s.used && s.req.StreamUsage {
		s.w.Reset(append(append(append(dst, "data: "...), s.head...), `],"usage":`...))
		writeUsage(&s.w, &s.usage)
		dst = append(s.w.Buf, "}\n\n"...)
		s.w.Reset(nil)
	}
	s.state.Done = true
	return append(dst, "data: [DONE]\n\n"...)
}
