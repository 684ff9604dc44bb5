package gateway

import (
	"causeway/internal/cache"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

// A call that asks for a stream may be answered by what was kept whole, and the other way round, through the canonical
// form of the caller's own dialect. What is made so is read again: only if it says the same is it given.

// findOther looks for an answer that was kept in the other form.
func (c *call) findOther(body *cache.Body) bool {
	codec := c.answerCodec()
	if codec == nil {
		return false
	}
	if c.llmReq.Stream {
		return c.findForm(codec, c.formKey(body.Text, false, nil), c.streamOf)
	}
	for _, options := range [...]string{"", `{13"include_usage:true,}`} { // as cache.Normalise writes them
		if c.findForm(codec, c.formKey(body.Text, true, []byte(options)), c.wholeOf) {
			return true
		}
	}
	return false
}

// findForm takes what is kept under a key as the call's answer, in another form.
func (c *call) findForm(codec canon.Codec, key cache.Key, form func(canon.Codec, *canon.Request, *cache.Answer) (body []byte, contentType string)) bool {
	r := c.recall
	value, age := c.g.cache.Get(key)
	a := cache.ReadAnswer(value)
	if a == nil || a.FreshFor(age) <= 0 || a.Stream == c.llmReq.Stream {
		return false
	}
	req, err := codec.ReadRequest(c.match(), c.body)
	if err != nil {
		return false
	}
	made, contentType := form(codec, req, a)
	if made == nil {
		return false
	}
	other := *a
	other.Body, other.Stream, other.Fields = made, c.llmReq.Stream, nil
	for _, f := range a.Fields {
		if string(f.Name) == string(nameContentType) {
			f.Value = []byte(contentType)
		}
		other.Fields = append(other.Fields, f)
	}
	r.hit, r.age, r.outcome = &other, age, cache.Hit
	c.note("cache", "the answer was kept in the other form, and was written anew")
	return true
}

// streamOf writes a whole answer as a stream; nil where something of it would be lost.
func (c *call) streamOf(codec canon.Codec, req *canon.Request, a *cache.Answer) ([]byte, string) {
	whole, err := codec.ReadAnswer(a.Body)
	if err != nil || len(whole.Lost) > 0 {
		return nil, ""
	}
	events, ok := whole.Events()
	if !ok {
		return nil, ""
	}
	report := canon.NewReport(req)
	w := codec.NewWriter(req, report)
	var out []byte
	for i := range events {
		out = w.Write(out, &events[i])
	}
	out = w.End(out)
	var again canon.Gatherer
	again.Add(&canon.Event{Kind: canon.Used, Usage: noUsage()})
	if err := c.eachEvent(codec, out, w.ContentType(), again.Add); err != nil {
		return nil, ""
	}
	told, ok := again.Answer()
	if !ok || len(report.Entries) > 0 {
		return nil, ""
	}
	if c.op != llm.Responses && !req.StreamUsage && told.Usage.Output < 0 {
		told.Usage = whole.Usage // the caller did not ask for it
	}
	if !whole.Says(told) {
		return nil, ""
	}
	return out, w.ContentType()
}

// wholeOf writes a stream as a whole answer; nil where something of it would be lost, or is missing in it.
func (c *call) wholeOf(codec canon.Codec, req *canon.Request, a *cache.Answer) ([]byte, string) {
	var g canon.Gatherer
	g.Add(&canon.Event{Kind: canon.Used, Usage: noUsage()})
	if err := c.eachEvent(codec, a.Body, string(a.Get("Content-Type")), g.Add); err != nil {
		return nil, ""
	}
	told, ok := g.Answer()
	if !ok || told.Usage.Output < 0 {
		return nil, ""
	}
	report := canon.NewReport(req)
	out := codec.WriteAnswer(told, req, report)
	again, err := codec.ReadAnswer(out)
	if err != nil || len(report.Entries) > 0 || !told.Says(again) {
		return nil, ""
	}
	contentType := "application/json"
	if t, ok := codec.(canon.Typed); ok {
		contentType = t.AnswerType()
	}
	return out, contentType
}

func noUsage() *canon.Usage {
	u := canon.NoUsage()
	return &u
}
