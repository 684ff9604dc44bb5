package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/cache"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A model with a cache has its whole, good answers kept in the caller's dialect, under what the request says: dialect,
// operation, the address, the dialect's own fields, and the body in one form for all that say the same. What is kept
// is the answer before guardrails, so that these look at each hit as at a fresh answer. Answers that were streamed and
// others are kept apart: a stream is given again byte for byte, and only to who asks for one.

// recall is what a call of a model with a cache has to do with it.
type recall struct {
	by      *snapshot.ModelCache
	key     cache.Key
	status  []byte // Cache-Status
	outcome cache.Outcome

	hit *cache.Answer // the call's answer
	age time.Duration // since it was stored

	keeps      bool   // the answer may be kept
	recording  bool   // the events that the caller gets are gathered in events
	events     []byte // of a stream
	eventsType string // their content type
	near       *nearness
	refused    bool // before its text was given to a model of embeddings: the application's limits are used up
}

// providerSide are members that name what a provider keeps: what stands behind an id may change, and an answer may
// be about to be kept itself.
var providerSide = []string{
	"previous_response_id", "conversation", "background", "file_id", "file_ids", "fileUri", "file_uri", "container", "vector_store_ids",
	"cachedContent", "cached_content",
}

// recalls looks for a kept answer; true tells that there is one, and what the call may cost does not matter.
func (c *call) recalls() bool {
	r := &recall{by: c.model.Cache, outcome: cache.Bypass}
	body, why := c.comparable()
	said := c.requestControl()
	if why == "" && said.NoStore {
		why = "the call says no-store"
	}
	c.recall = r
	if why != "" {
		return r.passes("bypass", why, c)
	}
	r.outcome, r.keeps = cache.Miss, true
	r.key = c.recallKey(body.Text, body)
	if said.NoCache {
		return r.passes("request", "the call says no-cache", c)
	}
	if r.find(r.key, c) || c.findOther(body) {
		r.status = fmt.Appendf(nil, "causeway; hit; ttl=%d", int64(r.hit.FreshFor(r.age)/time.Second))
		r.say(c, fault.Span(r.age)+" old, made by "+r.hit.Provider+"/"+r.hit.TargetModel+" in call "+r.hit.Call)
		return true
	}
	if r.by.Embeds != nil {
		if r.refused = !c.allowance(); r.refused { // an embedding costs money as well
			return false
		}
		if c.findNear(body) {
			return true
		}
	}
	return r.passes("uri-miss", "", c)
}

// isRefused tells whether the call has failed while a kept answer was looked for. r may be nil.
func (r *recall) isRefused() bool { return r != nil && r.refused }

// find takes what is kept under a key as the call's answer.
func (r *recall) find(key cache.Key, c *call) bool {
	value, age := c.g.cache.Get(key)
	a := cache.ReadAnswer(value)
	if a == nil || a.FreshFor(age) <= 0 || a.Stream != c.llmReq.Stream {
		return false
	}
	r.hit, r.age, r.outcome = a, age, cache.Hit
	return true
}

// passes lets the call go on; forwarded is why, in the words of RFC 9211. It returns false.
func (r *recall) passes(forwarded, why string, c *call) bool {
	r.status = []byte("causeway; fwd=" + forwarded)
	r.say(c, why)
	return false
}

// say writes the outcome into the call's record.
func (r *recall) say(c *call, why string) {
	c.j.Cache = r.outcome.String()
	if why != "" {
		c.j.Cache += " (" + why + ")"
	}
}

// comparable is the call's body in a form in which it can be compared; why tells in a phrase that its answer must not
// be kept, "" that it may.
func (c *call) comparable() (body *cache.Body, why string) {
	switch c.op {
	case llm.Chat, llm.Completions, llm.Responses, llm.Embeddings, llm.Moderations, llm.Rerank:
	default:
		return nil, strings.ReplaceAll(c.op.String(), "_", " ") + " is not kept"
	}
	if c.model.Cache.CallersKeys {
		return nil, "a provider is asked with its callers' own keys"
	}
	if c.guard.answers() && c.llmReq.Stream {
		return nil, "guardrails look at the stream"
	}
	body, err := cache.Normalise(c.body, "model", "stream", "stream_options", "store")
	if err != nil {
		return nil, err.Error()
	}
	for _, name := range providerSide {
		if body.Names[name] {
			return nil, "the call has " + name + ", which a provider keeps"
		}
	}
	switch store := string(body.Left["store"]); {
	case c.op == llm.Responses && store != "false":
		return nil, "the response is stored"
	case c.op == llm.Responses && bytes.Contains(c.body, []byte("item_reference")):
		return nil, "the call names items that are stored"
	case store != "" && store != "false" && store != "null":
		return nil, "the answer is stored"
	}
	return body, ""
}

// recallKey is the key of the answer to a call whose body says text.
func (c *call) recallKey(text []byte, body *cache.Body) cache.Key {
	return c.formKey(text, c.llmReq.Stream, body.Left["stream_options"])
}

// formKey is recallKey for an answer that is streamed, with these options, or whole.
func (c *call) formKey(text []byte, stream bool, options []byte) cache.Key {
	tenant := ""
	if !c.model.Cache.Shared {
		tenant = c.tenant()
	}
	form, query := []byte("whole"), url.Values{}
	if values, err := url.ParseQuery(string(c.rq.Query)); err == nil {
		query = values
	}
	query.Del("key")
	if stream {
		form = append([]byte("stream "), options...)
	} else {
		query.Del("alt") // of Gemini's addresses: how a stream is framed
	}
	return cache.KeyOf(
		[]byte("model"), c.model.Cache.Seed, []byte(tenant), []byte(c.dialect.Name()), []byte(c.op.String()), []byte(c.pathDetail),
		[]byte(query.Encode()), []byte(c.dialectFields()), form, text,
	)
}

// dialectFields are the fields by which a call says more than in its body, in order.
func (c *call) dialectFields() string {
	var lines []string
	for i := range c.rq.Header.Fields {
		f := &c.rq.Header.Fields[i]
		name := strings.ToLower(string(f.Name))
		if strings.HasPrefix(name, "anthropic-") || strings.HasPrefix(name, "openai-") {
			lines = append(lines, name+": "+string(f.Value))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// replay answers with what is kept. The call has then cost nothing.
func (c *call) replay() {
	a := c.recall.hit
	body := a.Body
	if !a.Stream {
		var ok bool
		if body, ok = c.guardAnswer(body); !ok {
			c.fail(c.blockedFailure())
			c.explain()
			return
		}
	}
	h := &c.answer
	h.Reset()
	for _, f := range a.Fields {
		h.Add(wire.Identify(f.Name), f.Name, f.Value)
	}
	c.addOurs()
	u := &c.j.Usage
	u.Input, u.Output, u.Cached, u.CacheWrite, u.Reasoning = a.Usage[0], a.Usage[1], a.Usage[2], a.Usage[3], a.Usage[4]
	u.Source, u.Cost, u.Priced = journey.FromCache, 0, true
	c.j.Status, c.j.BytesOut = http.StatusOK, int64(len(body))
	c.commit()
	c.ex.WriteLimit(time.Minute)
	length := int64(len(body))
	if a.Stream {
		length = wire.LengthChunked
	}
	if c.ex.Start(http.StatusOK, "", h, length, -1) != nil || c.ex.Write(body) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
	}
}

// keepReply keeps a whole answer, if it is a good one. body is what the caller gets, but for guardrails.
func (c *call) keepReply(body []byte, contentType string) {
	r := c.recall
	if !r.keeps || c.llmReq.Stream {
		return
	}
	if why := c.imperfect(body); why != "" {
		r.say(c, why)
		return
	}
	c.store(body, contentType)
}

// beginEvents gets ready to gather the events that the caller gets.
func (c *call) beginEvents() {
	r := c.recall
	r.recording, r.events = r.keeps && !c.guard.answers(), r.events[:0]
	if r.recording {
		r.eventsType = string(c.answer.Get(wire.ContentType)) // which is gone when the stream is read on
	}
}

// addEvents gathers events.
func (r *recall) addEvents(p []byte) {
	if !r.recording {
		return
	}
	if int64(len(r.events)+len(p)) > r.by.MaxSize {
		r.recording, r.events = false, nil
		return
	}
	r.events = append(r.events, p...)
}

// keepStreamReply keeps the events of a stream that was whole, if it was a good one.
func (c *call) keepStreamReply() {
	r := c.recall
	if !r.keeps {
		return
	}
	if !r.recording {
		r.say(c, "the answer is larger than max_size")
		return
	}
	r.recording = false
	if why := c.imperfectStream(r.events, r.eventsType); why != "" {
		r.say(c, why)
		return
	}
	c.store(r.events, r.eventsType)
}

// store keeps an answer.
func (c *call) store(body []byte, contentType string) {
	r := c.recall
	if int64(len(body)) > r.by.MaxSize {
		r.say(c, "the answer is larger than max_size")
		return
	}
	u := &c.j.Usage
	a := &cache.Answer{
		Status: http.StatusOK, Lifetime: r.by.TTL, Body: body,
		Fields: []cache.Field{{Name: nameContentType, Value: []byte(contentType)}},
		Model: cache.Model{
			Stream: c.llmReq.Stream, Usage: [5]int64{u.Input, u.Output, u.Cached, u.CacheWrite, u.Reasoning},
			Provider: c.j.Provider, TargetModel: c.j.TargetModel, Call: c.j.ID.String(),
		},
	}
	if c.cross.crossed != nil && c.cross.report != nil {
		if lost := c.cross.report.Header(); lost != "" {
			a.Fields = append(a.Fields, cache.Field{Name: nameTranslation, Value: []byte(lost)})
		}
	}
	if !c.g.cache.Set(r.key, a.Append(nil), r.by.TTL) {
		r.say(c, "the cache had no room, or can't be reached")
		return
	}
	r.outcome = cache.Stored
	r.say(c, "for "+fault.Span(r.by.TTL))
	if !c.llmReq.Stream {
		r.status = append(r.status, "; stored"...)
	}
	c.storeNear()
}

// imperfect tells in a phrase why a whole answer is not kept, "" where it is.
func (c *call) imperfect(body []byte) string {
	codec := c.answerCodec()
	if codec == nil {
		return ""
	}
	a, err := codec.ReadAnswer(body)
	if err != nil {
		return "the answer can't be read"
	}
	if a.Blocked != "" || len(a.Choices) == 0 {
		return "the model gave no answer"
	}
	for i := range a.Choices {
		if why := imperfectFinish(a.Choices[i].Finish); why != "" {
			return why
		}
		for j := range a.Choices[i].Parts {
			if a.Choices[i].Parts[j].Kind == canon.Refusal {
				return "the model refused"
			}
		}
	}
	return ""
}

// imperfectStream is imperfect for the events of a stream.
func (c *call) imperfectStream(events []byte, contentType string) (why string) {
	codec := c.answerCodec()
	if codec == nil {
		return ""
	}
	open := map[int]bool{}
	err := c.eachEvent(codec, events, contentType, func(ev *canon.Event) {
		switch {
		case ev.Kind == canon.Begin && ev.PartKind == canon.Refusal:
			why = "the model refused"
		case ev.Kind == canon.Begin:
			open[ev.Choice] = open[ev.Choice] || false
		case ev.Kind == canon.Finished && why == "":
			open[ev.Choice] = true
			why = imperfectFinish(ev.Finish)
		}
	})
	if err != nil {
		return err.Error()
	}
	if why != "" {
		return why
	}
	if len(open) == 0 {
		return "the model gave no answer"
	}
	for _, finished := range open {
		if !finished {
			return "the stream is not whole"
		}
	}
	return ""
}

// eachEvent reads a whole stream of the caller's dialect. The error is in a phrase why it can't be read.
func (c *call) eachEvent(codec canon.Codec, events []byte, contentType string, look func(*canon.Event)) (err error) {
	var s *llm.Stream
	if llm.IsEventStream(contentType) {
		s = c.dialect.NewStream(c.op, false)
	} else if f, ok := c.dialect.(llm.Framed); ok {
		s = f.FramedStream(c.op, contentType)
	}
	if s == nil {
		return errUnreadable
	}
	reader := codec.NewReader()
	var list []canon.Event
	each := func() {
		for i := range list {
			look(&list[i])
		}
	}
	s.Tap(func(ev llm.Event) {
		var bad error
		if list, bad = reader.Read(ev, list[:0]); bad != nil {
			err = errUnreadable
		}
		each()
	})
	s.Feed(events, nil)
	if _, end := s.Finish(true, nil); !end.Complete {
		return errors.New("the stream is not whole")
	}
	list = reader.End(nil)
	each()
	return err
}

var errUnreadable = errors.New("the stream can't be read")

// imperfectFinish tells why an answer that ended so is not kept.
func imperfectFinish(f canon.Finish) string {
	switch f {
	case canon.Stopped, canon.StopSequence, canon.ToolCalls:
		return ""
	case canon.Length, canon.ContextLength:
		return "the answer was cut at its length"
	case canon.Filtered, canon.Refused:
		return "the content was refused"
	}
	return "the answer is not finished"
}

// answerCodec reads what the caller gets; nil where an answer has no finish.
func (c *call) answerCodec() canon.Codec {
	switch c.op {
	case llm.Chat, llm.Completions, llm.Responses:
		if s, ok := c.dialect.(canon.Speaker); ok {
			return s.Codec(c.op)
		}
	}
	return nil
}
