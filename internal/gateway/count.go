package gateway

import (
	"net/http"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/tokens"
	"causeway/internal/wire"
)

// A provider that cannot count the tokens of a request leaves it to the gateway, which says so in
// Causeway-Translation: exact for OpenAI's models, an estimate for others.

// perMedia is what an image, a document or a sound is taken to be in tokens: what providers charge for a picture
// of a megapixel. What it really is depends on its size, which is not looked at.
const perMedia = 1000

// countHere answers a call for a count, when the model's provider cannot. It returns false when it can.
func (c *call) countHere() bool {
	from, ok := c.dialect.(canon.CountReader)
	if !ok || len(c.model.Targets) == 0 {
		return false
	}
	t := &c.model.Targets[0]
	if _, ok := t.Provider.Dialect.(canon.CountCodec); ok {
		return false
	}
	if t.Provider.Kind == "openai" && t.Provider.Dialect.Name() == c.dialect.Name() && !(c.goesOn() && c.crossesForKept()) {
		return false // it has the address; of servers that are merely like it none is known to
	}
	req, err := from.ReadCountRequest(c.match(), c.body)
	if err != nil {
		c.badBody(err)
		c.explain()
		return true
	}
	if c.goesOn() && !c.continued(req) {
		c.explain()
		return true
	}
	c.note("translate", t.Provider.Name+" cannot count tokens: they were counted here")
	c.emulated = true
	c.page(http.StatusOK, typeJSON, from.WriteCount(countRequest(c.g.tokens, t.Model, req)))
	return true
}

// countRequest counts what a request has a model read.
func countRequest(counter *tokens.Counter, model string, req *canon.Request) int64 {
	n := int64(tokens.PerAnswer)
	for i := range req.Messages {
		n += tokens.PerMessage + countParts(counter, model, req.Messages[i].Parts)
	}
	for i := range req.Tools {
		t := &req.Tools[i]
		n += tokens.PerMessage + counter.Count(model, t.Name) + counter.Count(model, t.Description) + counter.Count(model, view(t.Schema))
	}
	return n + counter.Count(model, view(req.Format.Schema))
}

func countParts(counter *tokens.Counter, model string, parts []canon.Part) (n int64) {
	for i := range parts {
		p := &parts[i]
		n += counter.Count(model, p.Text)
		if p.Call != nil {
			n += counter.Count(model, p.Call.Name) + counter.Count(model, p.Call.Args)
		}
		if p.Result != nil {
			n += countParts(counter, model, p.Result.Parts) + counter.Count(model, view(p.Result.JSON))
		}
		if p.Media != nil {
			if p.Media.Text != "" {
				n += counter.Count(model, p.Media.Text)
			} else {
				n += perMedia
			}
		}
	}
	return n
}

// addEmulated tells that an answer was made in a provider's place.
func (c *call) addEmulated() {
	if c.emulated {
		c.answer.Add(wire.Other, nameTranslation, []byte("input_tokens;emulated"))
	}
}

// countMissing counts what a call used whose provider did not say: its input, and of an answer that is at hand its
// output. It costs milliseconds, so that a call that reports its usage never comes here.
func (c *call) countMissing(answer []byte, events int64) {
	u := &c.j.Usage
	if u.Source != "" || c.op != llm.Chat && c.op != llm.Responses && c.op != llm.Completions {
		return
	}
	req := c.canonical()
	if req == nil {
		return
	}
	u.Input, u.Source = countRequest(c.g.tokens, c.j.TargetModel, req), "counted"
	u.Output = events // most providers send a token an event
	if answer == nil {
		return
	}
	d, op := c.answerDialect()
	speaker, ok := d.(canon.Speaker)
	if !ok || speaker.Codec(op) == nil {
		return
	}
	a, err := speaker.Codec(op).ReadAnswer(answer)
	if err != nil {
		return
	}
	u.Output = 0
	for i := range a.Choices {
		u.Output += countParts(c.g.tokens, c.j.TargetModel, a.Choices[i].Parts)
	}
}

// canonical is the caller's request in the canonical form, nil when it has none.
func (c *call) canonical() *canon.Request {
	if x := c.cross.crossed; x != nil && x.form != nil {
		return x.form.request()
	}
	speaker, ok := c.dialect.(canon.Speaker)
	if !ok || speaker.Codec(c.op) == nil {
		return nil
	}
	req, err := speaker.Codec(c.op).ReadRequest(c.match(), c.body)
	if err != nil {
		return nil
	}
	return req
}
