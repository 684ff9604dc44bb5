package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"causeway/internal/coding"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/openai"
	"causeway/internal/llm/rerank"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A call whose provider speaks another dialect than its caller, or lacks the operation that the caller
// asks for, crosses: its body is read into the canonical form once, and written for each provider that
// is asked; the answer, or each event of a stream, comes back the same way. What holds for answers that
// pass through holds here as well: the provider's dialect judges them first, and a stream's end goes out
// only when the provider's came.

// maxCrossed is the most bytes of an answer that are held to be translated.
const maxCrossed = 64 << 20

// crossing tells whether a call crosses. It is small, because every call has one.
type crossing struct {
	on    bool
	query string // ours in the provider's address
	// remade tells that the request passed, and the events of its stream are taken apart and written again.
	remade bool
	*crossed
}

// crossed is what a call needs that crosses.
type crossed struct {
	form    form
	speaks  llm.Dialect   // the provider's
	op      llm.Operation // and what is asked of it there
	report  *canon.Report // of this attempt
	body    []byte        // the request as written for this attempt
	out     []byte        // events written and not sent yet
	reader  canon.Reader
	writer  canon.Writer
	events  []canon.Event
	err     error // an event could not be read
	taken   int   // bytes of the stream's events so far
	told    int   // entries of the report that the caller has been told
	written bool
}

// form is what crosses: a chat, embeddings, a count of tokens.
type form interface {
	// read reads the caller's body.
	read(m llm.Match, body []byte) error
	request() *canon.Request
	// provider finds what writes for a model in the provider's dialect; false when it has no such operation.
	provider(p *snapshot.Provider, model string) (op llm.Operation, ok bool)
	write(to *canon.Target, r *canon.Report) ([]byte, error)
	answer(text []byte, r *canon.Report) ([]byte, error)
}

// passes tells whether the provider gets the caller's own bytes.
func (c *call) passes() bool {
	switch c.op {
	case llm.Stored:
		return true
	case llm.Responses:
		if c.crossesForKept() {
			return false
		}
	case llm.Files, llm.Batches:
		return true
	case llm.Rerank:
		if rerank.ShapeOf(c.provider.Kind) != rerankShape(c.dialect) {
			return false
		}
	}
	return c.provider.Dialect.Name() == c.dialect.Name() && c.provider.ServesModel(c.op, c.j.TargetModel) && !c.misfit()
}

// crossOver is room 5 for the provider that was chosen: its address, and the body it gets. skip tells that this
// provider cannot be asked and another may be.
func (c *call) crossOver() (ok, skip bool) {
	x := &c.cross
	x.on, x.query = false, ""
	if x.remade { // for the stream of an attempt before
		x.remade, x.crossed = false, nil
	}
	if ok, skip := c.takeCallersKey(); !ok {
		return false, skip
	}
	if ok, skip := c.foreignCache(); !ok {
		return false, skip
	}
	if c.passes() {
		if c.op == llm.Chat && c.namesThread() {
			return c.unsupported("thread", "it names a conversation that the provider keeps, and whose it is cannot be told: send all messages")
		}
		c.place(c.dialect, c.op)
		return true, false
	}
	if x.crossed == nil {
		x.crossed = new(crossed)
	}
	x.report, x.told = nil, 0
	if x.written {
		x.form, x.written = nil, false // a writer may have marked what it copied: the next report begins anew
	}
	if x.form == nil {
		if x.form = c.newForm(); x.form == nil {
			return c.notCrossing()
		}
		if err := c.readForm(); err != nil {
			x.form = nil
			return c.badBody(err), false
		}
		x.form.request().Stream = c.llmReq.Stream
		if !c.continueRequest() {
			return false, false
		}
	}
	x.speaks = c.provider.Dialect
	if x.op, ok = x.form.provider(c.provider, c.j.TargetModel); !ok {
		return c.notCrossing()
	}
	x.on = true
	x.report = canon.NewReport(x.form.request())
	if un := c.standIn(); un != nil {
		return c.unsupported(un.Field, un.Why)
	}
	if un := x.unknownPart(); un != nil {
		return c.unsupported(un.Field, un.Why)
	}
	to := &canon.Target{Provider: c.provider.Name, Vendor: c.provider.Vendor, Model: c.j.TargetModel, Fetch: c.fetchMedia()}
	body, err := x.form.write(to, x.report)
	if err != nil {
		var un *canon.Unsupported
		if errors.As(err, &un) {
			return c.unsupported(un.Field, un.Why)
		}
		return c.badBody(err), false
	}
	x.report.Close()
	x.body, x.written = body, true
	if c.model.Strict && len(x.report.Entries) > 0 {
		return c.tooStrict()
	}
	c.place(x.speaks, x.op)
	c.note("translate", c.dialect.Name()+" "+c.op.String()+" -> "+x.speaks.Name()+" "+x.op.String())
	c.noteLosses()
	return true, false
}

// noteLosses writes what the report has gained into the call's record.
func (c *call) noteLosses() {
	x := &c.cross
	if x.report == nil {
		return
	}
	lines := x.report.Lines()
	for _, line := range lines[min(x.told, len(lines)):] {
		c.note("translate", line)
	}
	x.told = len(lines)
}

// match is what the caller's address said.
func (c *call) match() llm.Match {
	m := llm.Match{Op: c.op, Model: c.pathModel, Stream: c.pathStream, Detail: c.pathDetail, Query: view(c.rq.Query)}
	switch c.op {
	case llm.Images, llm.Transcriptions, llm.Translations:
		m.ContentType = view(c.rq.Header.Get(wire.ContentType))
	}
	return m
}

func (c *call) newForm() form {
	switch c.op {
	case llm.Embeddings:
		if d, ok := c.dialect.(canon.EmbedCodec); ok {
			return &embedForm{from: d}
		}
	case llm.Rerank:
		return &rerankForm{from: rerankShape(c.dialect)}
	case llm.CountTokens:
		if d, ok := c.dialect.(canon.CountReader); ok {
			return &countForm{from: d}
		}
	default:
		if d, ok := c.dialect.(canon.Speaker); ok {
			if codec := d.Codec(c.op); codec != nil {
				return &chatForm{from: codec}
			}
		}
	}
	return nil
}

// notCrossing refuses a call whose operation the provider does not have in any form.
func (c *call) notCrossing() (ok, skip bool) {
	return c.unsupported("", fmt.Sprintf("%s cannot be asked for %s", c.provider.Name, strings.ReplaceAll(c.op.String(), "_", " ")))
}

// unsupported says that the provider at hand cannot be asked. While others are left it is skipped.
func (c *call) unsupported(field, why string) (ok, skip bool) {
	if c.model.Untried(c.triedModels) {
		c.note("choose", "skipped "+c.provider.Name+"/"+c.j.TargetModel+": "+why)
		return false, true
	}
	if field != "" { // the pointer into the body, as in the refusal of a body that can't be read
		why = "/" + strings.ReplaceAll(field, ".", "/") + ": " + why
	}
	text := "This request can't be put to the provider " + c.provider.Name + ": " + why + "."
	f := failure{kind: fault.UnsupportedFeature, detail: text, safe: text, param: field}
	if field != "" {
		f.evidence = []string{"field: " + field}
	}
	return c.fail(f), false
}

// tooStrict refuses a call that would lose something on a model with strict.
func (c *call) tooStrict() (ok, skip bool) {
	e := c.cross.report.Entries[0]
	if c.model.Untried(c.triedModels) {
		c.note("choose", "skipped "+c.provider.Name+"/"+c.j.TargetModel+": "+e.Field+" would be "+e.Loss.String()+", and the model is strict")
		return false, true
	}
	text := fmt.Sprintf("%s can't be carried over to %s as it is (it would be %s), and the model %s is strict.", e.Field, c.provider.Name, e.Loss, c.model.Name)
	return c.fail(failure{
		kind: fault.UnsupportedFeature, detail: text, safe: text, param: e.Field, evidence: c.cross.report.Lines(),
		advice: []string{"Leave " + e.Field + " out, or set strict: false on models." + c.model.Name + "."},
	}), false
}

// place sets the path, and the query where it is ours, for a call of op to the provider in its dialect.
func (c *call) place(d llm.Dialect, op llm.Operation) {
	p, ok := c.provider.Placer()
	switch {
	case !ok:
		c.pathBuf = append(c.pathBuf[:0], d.Path(op)...)
		if c.pathDetail != "" && !c.cross.on {
			c.pathBuf = append(append(c.pathBuf, '/'), c.pathDetail...)
		}
	default:
		path, query := "", ""
		if v, ok := p.(llm.VariantPlacer); ok && !c.cross.on {
			path, query = v.PlaceVariant(op, c.pathDetail, c.j.TargetModel, c.llmReq.Stream)
		} else {
			path, query = p.Place(op, c.j.TargetModel, c.llmReq.Stream)
		}
		c.pathBuf = append(c.pathBuf[:0], path...)
		if _, own := c.dialect.(llm.Placer); c.cross.on || !own {
			c.cross.query = query // else the caller's own says the same
		}
	}
	c.target = c.pathBuf
}

// appendModelQuery writes the query of a model's call: the provider's own, and behind it the caller's where the
// call passes through.
func (c *call) appendModelQuery(dst []byte) []byte {
	mark := byte('?')
	if c.cross.query != "" {
		dst = append(append(dst, mark), c.cross.query...)
		mark = '&'
	}
	if c.cross.on || !c.rq.HasQuery {
		return dst
	}
	query := c.rq.Query
	if c.query != nil {
		query = c.query
	}
	if len(query) == 0 && (mark == '&' || c.query != nil) {
		return dst
	}
	return append(append(dst, mark), query...)
}

// crossedFields are what a call that crosses says of its body; the caller's own such fields, and those of
// its dialect, stay behind.
const crossedFields = "Content-Type: application/json\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"

// ofDialect tells whether a field is a vendor's own, which means nothing to another vendor.
func ofDialect(f *wire.Field) bool {
	if f.ID == wire.ContentType || f.ID == wire.Accept {
		return true
	}
	for _, prefix := range [...]string{"anthropic-", "openai-", "x-stainless-", "x-goog-", "x-amz-", "amz-sdk-", "x-client-name", "causeway-prompt-"} {
		if len(f.Name) >= len(prefix) && wire.EqualFold(f.Name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// lacks tells whether a provider of which it was not known turns out not to have the operation that a call passed
// through to: it has no such address, and says so in no dialect. The call then crosses to one that it has, and later
// calls do so at once.
func (c *call) lacks(status int, pe *llm.ProviderError) bool {
	if status != http.StatusNotFound && status != http.StatusMethodNotAllowed && status != http.StatusNotImplemented {
		return false
	}
	if c.cross.on || pe.Kind == fault.ModelNotFound || c.op != llm.Responses && c.op != llm.Completions || c.provider.Vendor == nil || c.provider.Vendor.Ops != nil || c.newForm() == nil {
		return false
	}
	c.provider.Lacks(c.op)
	return true
}

// hasOnly tells whether a provider says that the model has only the other of OpenAI's two APIs, by which the call can
// be asked as well. Later calls are at once.
func (c *call) hasOnly(pe *llm.ProviderError) bool {
	d, op := c.answerDialect()
	other, ok := openai.OnlyAPI(pe, op)
	if !ok || !c.provider.ServesModel(other, c.j.TargetModel) {
		return false
	}
	if s, ok := d.(canon.Speaker); !ok || d.Path(other) == "" || s.Codec(other) == nil {
		return false
	}
	if !c.cross.on && c.newForm() == nil {
		return false
	}
	c.provider.LacksFor(op, c.j.TargetModel)
	return true
}

// answerDialect is who judges the provider's answer, and by which operation.
func (c *call) answerDialect() (llm.Dialect, llm.Operation) {
	if c.cross.on {
		return c.cross.speaks, c.cross.op
	}
	return c.dialect, c.op
}

// crossAnswer hands a whole answer on in the caller's dialect.
func (c *call) crossAnswer(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, text []byte) bool {
	c.standBack()
	body, err := c.cross.form.answer(text, c.cross.report)
	if err != nil {
		kind, problem, evidence := unfit(err)
		if kind == "" {
			kind, problem, evidence = fault.IncompatibleResponse, "the answer could not be translated: "+err.Error(), []string{"the body is " + llm.DescribeBody(text)}
		}
		c.releaseAnswer()
		return c.modelFailed(a, kind, problem, evidence)
	}
	if c.recall != nil {
		c.keepReply(body, c.answerType())
	}
	var ok bool
	if body, ok = c.guardAnswer(body); !ok {
		return c.answerBlocked(t, a)
	}
	c.keep(body)
	c.noteLosses()
	c.crossedHead(u, c.answerType())
	c.j.Status, c.j.BytesOut = u.Response.Status, int64(len(body))
	if c.ex.Start(u.Response.Status, view(u.Response.Reason), &c.answer, int64(len(body)), -1) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	c.ended(t, a)
	if c.ex.Write(body) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	return c.complete(t, u, a)
}

// unfit takes apart the error of an answer that is not what its caller was promised; kind is "" for any other.
func unfit(err error) (kind fault.Kind, problem string, evidence []string) {
	var u *canon.Unfit
	if !errors.As(err, &u) {
		return "", "", nil
	}
	return u.Kind, u.Problem, u.Evidence
}

// answerType is the Content-Type of an answer that crossed.
func (c *call) answerType() string {
	if f, ok := c.cross.form.(*chatForm); ok {
		if t, ok := f.from.(canon.Typed); ok {
			return t.AnswerType()
		}
	}
	return "application/json"
}

// checkStreamed holds a stream that was whole to what its caller was promised.
func (c *call) checkStreamed() (kind fault.Kind, problem string, evidence []string) {
	if w, ok := c.cross.writer.(canon.CheckedWriter); ok {
		return unfit(w.CheckEnd())
	}
	return "", "", nil
}

// crossHeld is deliverModel for an answer that crosses and is no stream: it is held whole, whatever its coding.
func (c *call) crossHeld(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, ok bool) bool {
	limit := maxCrossed
	if !ok {
		limit = holdModelBody
	}
	if u.Response.Length > int64(limit) {
		return c.answerTooLong(a, fmt.Sprintf("it says that it has %d bytes", u.Response.Length), limit)
	}
	body, whole, err := holdAnswer(u, limit)
	if whole {
		a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	}
	switch {
	case err != nil:
		c.releaseAnswer()
		return c.broken(t, a)
	case !whole:
		return c.answerTooLong(a, "it was cut there", limit)
	}
	text := body
	if encoding := string(u.Response.Header.Get(wire.ContentEncoding)); !coding.None(encoding) {
		if text, err = coding.Append(nil, encoding, body, c.sharing(coding.Limits{Bytes: maxCrossed, Ratio: coding.MaxRatio})); err != nil {
			if errors.Is(err, coding.ErrBound) {
				c.tellUnread("answer", err)
				return c.answerTooLong(a, fmt.Sprintf("%d bytes of %s %s", len(body), encoding, err), maxCrossed)
			}
			evidence := []string{"Content-Encoding: " + clipText(encoding), "the body is " + llm.DescribeBody(body)}
			c.releaseAnswer()
			return c.modelFailed(a, fault.IncompatibleResponse, "the answer's body is not in the coding that it names: "+err.Error(), evidence)
		}
	}
	if ok {
		return c.wholeAnswer(t, u, a, body, text)
	}
	return c.providerError(t, u, a, body, text)
}

// answerTooLong ends an attempt whose answer is longer than what may be held.
func (c *call) answerTooLong(a *journey.Attempt, how string, limit int) bool {
	c.releaseAnswer()
	return c.modelFailed(a, fault.ResponseBodyTooLarge, "an answer of more than "+snapshotSize(int64(limit)), []string{how})
}

// errLongStream ends a stream that is written anew: what was said so far is kept for its last event.
var errLongStream = errors.New("it has more than " + snapshotSize(maxCrossed))

// crossedHead is answerHead for an answer whose body is ours.
func (c *call) crossedHead(u *wire.Upcall, contentType string) {
	h := &u.Response.Header
	if h.Has(wire.Connection) {
		c.dropNominated(h)
	}
	const ours = 1<<wire.CausewayCallID | 1<<wire.CausewayAttempts | 1<<wire.CausewayFinding |
		1<<wire.ContentType | 1<<wire.ContentEncoding | 1<<wire.ContentLength
	c.answer.Reset()
	c.answer.Add(wire.ContentType, nameContentType, []byte(contentType))
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.ID != wire.Other && uint64(ours)&(1<<f.ID) != 0 || ofBody(f.Name) {
			continue
		}
		c.answer.Add(f.ID, f.Name, f.Value)
	}
	c.addOurs()
	if c.cross.crossed == nil || c.cross.report == nil {
		return
	}
	if value := c.cross.report.Header(); value != "" {
		c.answer.Add(wire.Other, nameTranslation, []byte(value))
	}
}

// ofBody tells whether a field speaks of the bytes of a body.
func ofBody(name []byte) bool {
	for _, n := range [...]string{"etag", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges", "content-disposition"} {
		if wire.EqualFold(name, n) {
			return true
		}
	}
	return false
}

var nameTranslation = []byte("Causeway-Translation")

// beginCrossed gets ready to translate the events of s.
func (c *call) beginCrossed(s *llm.Stream) {
	x := &c.cross
	if x.on {
		c.standBack()
	}
	if c.guard != nil {
		c.guard.stream = nil
	}
	chat := x.form.(*chatForm)
	x.taken = 0
	x.reader, x.writer, x.out, x.err = chat.to.NewReader(), chat.from.NewWriter(chat.req, x.report), x.out[:0], nil
	s.Tap(func(ev llm.Event) {
		if x.err != nil {
			return
		}
		if x.taken += len(ev.Data); x.taken > maxCrossed {
			x.err = errLongStream
			return
		}
		if x.events, x.err = x.reader.Read(ev, x.events[:0]); x.err != nil {
			return
		}
		for i := range x.events {
			c.writeEvent(&x.events[i])
		}
	})
}

// endCrossed writes the end of a stream that was whole.
func (c *call) endCrossed() {
	x := &c.cross
	for _, ev := range x.reader.End(x.events[:0]) {
		c.writeEvent(&ev)
	}
	if c.endGuarded(); c.guard.stopped() {
		return
	}
	x.out = x.writer.End(x.out)
	c.keepStreamed()
}

// sendCrossed sends the events that were written.
func (c *call) sendCrossed() bool {
	x := &c.cross
	if len(x.out) == 0 {
		return true
	}
	if c.j.FirstByte == 0 {
		c.j.FirstByte = c.since()
	}
	c.j.BytesOut += int64(len(x.out))
	if c.recall != nil {
		c.recall.addEvents(x.out)
	}
	err := c.ex.Write(x.out)
	x.out = x.out[:0]
	return err == nil
}

// streams tells whether an answer of this type is a stream, and how it is followed.
func (c *call) streams(contentType string) (s *llm.Stream) {
	d, op := c.answerDialect()
	if llm.IsEventStream(contentType) {
		return d.NewStream(op, c.askedUsage && !c.cross.on)
	}
	if f, ok := d.(llm.Framed); ok && c.llmReq.Stream {
		return f.FramedStream(op, contentType)
	}
	return nil
}

// fetchMedia is how media at a URL are got for a provider that takes bytes only; nil where nothing may be.
func (c *call) fetchMedia() func(url string) (mime, data string, err error) {
	if c.g.fetch == nil {
		return nil
	}
	return func(url string) (string, string, error) {
		ctx, left := context.WithCancel(context.Background())
		defer left()
		c.ex.Watch(&leaver{left: left})
		defer c.ex.Unwatch()
		return c.g.fetch(ctx, url)
	}
}
