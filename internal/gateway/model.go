package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"causeway/internal/coding"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A model's call is held whole, because the model's name may stand anywhere in it. These are the
// most bytes of a request and of an answer that are held; a longer answer passes while it is read.
const (
	maxModelBody  = 64 << 20
	holdModelBody = 4 << 20
)

// llmAddress tells whether the call is for one of the LLM addresses. done is false when it is not;
// ok is false when the call has failed.
func (c *call) llmAddress() (done, ok bool) {
	g := c.gen
	if g.LLMOff {
		return false, false
	}
	path := view(c.rq.Path)
	if g.LLMPrefix != "" {
		if !strings.HasPrefix(path, g.LLMPrefix) {
			return false, false
		}
		path = path[len(g.LLMPrefix):]
	}
	if done, ok := c.promptAddress(path); done {
		return done, ok
	}
	for _, d := range g.Dialects {
		m, found := d.Lookup(c.j.Method, path)
		if !found && m.Allow == "" {
			continue
		}
		if !g.LLMHost(view(c.rq.Authority)) || c.hostIsNamed() || yields(path) && c.isRouted() {
			return false, false
		}
		c.dialect, c.op, c.pathModel = d, m.Op, m.Model
		c.pathStream, c.pathDetail = m.Stream, m.Detail
		c.j.Dialect, c.j.Route = d.Name(), path
		if m.Model != "" {
			c.j.Route = strings.Replace(c.j.Route, m.Model, "*", 1)
		}
		if m.Op == llm.Stored {
			c.j.Route = strings.TrimSuffix(c.j.Route, m.Detail) + "*"
		}
		if found {
			c.kin(m.Op, path)
			return true, true
		}
		c.allow = m.Allow
		text := "This address takes " + m.Allow + ", not " + c.j.Method + "."
		return true, c.fail(failure{kind: fault.MethodNotAllowed, detail: text, safe: text})
	}
	return false, false
}

// kin gives a call for models to Anthropic's dialect when its SDK makes it: the addresses are those of
// OpenAI's, and the answers are not.
func (c *call) kin(op llm.Operation, path string) {
	if op != llm.ListModels && op != llm.GetModel || c.rq.Header.Lookup("anthropic-version") == nil {
		return
	}
	for _, d := range c.gen.Dialects {
		if m, found := d.Lookup(c.j.Method, path); found && d.Name() == "anthropic" {
			c.dialect, c.pathModel, c.j.Dialect = d, m.Model, d.Name()
		}
	}
}

// notServed begin the OpenAI addresses that the gateway has no room for.
var notServed = []string{
	"/v1/responses/", "/v1/images/", "/v1/audio/", "/v1/realtime/", "/v1/files/", "/v1/batches/", "/v1/uploads", "/v1/vector_stores",
	"/v1/conversations", "/v1/containers", "/v1/fine_tuning/", "/v1/assistants", "/v1/threads", "/v1/evals", "/v1/videos",
}

// unserved tells whether the call is for one of them. Who calls there is an SDK, which reads only
// its own dialect.
func (c *call) unserved() bool {
	path, ok := strings.CutPrefix(c.j.Path, c.gen.LLMPrefix)
	if c.gen.LLMOff || !ok || len(c.gen.Dialects) == 0 || !c.gen.LLMHost(c.j.Host) {
		return false
	}
	for _, address := range notServed {
		if strings.HasPrefix(path, address) {
			c.dialect = c.gen.Dialect("openai")
			c.j.Dialect = c.dialect.Name()
			return true
		}
	}
	return false
}

// misplaced is the model's address that the caller seems to have meant: an SDK whose base URL lacks
// the version or the prefix, or has the version twice, or a slash at the end. "" when it is none. The
// answer is then in the SDK's dialect.
func (c *call) misplaced() string {
	if c.gen.LLMOff || !c.gen.LLMHost(c.j.Host) {
		return ""
	}
	for _, d := range c.gen.Dialects {
		for _, r := range d.Routes() {
			address := c.gen.LLMPrefix + r.Path
			bare := strings.TrimPrefix(r.Path, "/v1")
			if r.Method != c.j.Method {
				continue
			}
			switch c.j.Path {
			case bare, r.Path, address + "/", c.gen.LLMPrefix + bare, c.gen.LLMPrefix + "/v1" + r.Path:
				c.dialect, c.j.Dialect = d, d.Name()
				return address
			}
		}
	}
	return ""
}

// addresses lists what the caller's dialect has here.
func (c *call) addresses() string {
	var list []string
	for _, r := range c.dialect.Routes() {
		list = append(list, r.Method+" "+c.gen.LLMPrefix+r.Path)
	}
	return strings.Join(list, ", ")
}

// translate is room 5: it reads which model is asked for, and whether the caller may use it.
func (c *call) translate() bool {
	if c.prompt.asked {
		return c.translatePrompt()
	}
	if c.dialect == nil {
		return true
	}
	if c.op == llm.Realtime {
		return c.translateRealtime()
	}
	if c.op == llm.Files || c.op == llm.Batches {
		return true // whose it is has been found, and the body been read unless it is a file
	}
	if !c.readModelBody() {
		return false
	}
	if c.op == llm.Stored {
		c.guardStored()
		return true // whose it is has been found
	}
	if err := c.dialect.ReadRequest(&c.llmReq, c.match(), c.body); err != nil {
		return c.badBody(err)
	}
	c.j.Stream = c.llmReq.Stream
	if c.ownBody && c.renamable() {
		c.llmReq.Model = bytes.Clone(c.llmReq.Model) // its place is written over
	}
	return c.resolve(view(c.llmReq.Model)) && (c.llmReq.Verbatim || c.foreignFile()) && c.guardPrompt() &&
		(c.model.Cache != nil && c.recalls() || !c.recall.isRefused() && c.allowance() && (!c.goesOn() || c.goOn()))
}

func quotePointer(p string) string {
	if p == "" {
		return `"" (the whole body)`
	}
	return p
}

// resolve finds the model and holds the caller to its subscriptions.
func (c *call) resolve(name string) bool {
	if len(name) > longestModel {
		c.j.Model = strings.ToValidUTF8(name[:64], "") + "..."
		text := fmt.Sprintf("The model's name is %d bytes long: at most %d are taken.", len(name), longestModel)
		return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text, param: "model"})
	}
	c.j.Model = name
	m, several := c.gen.Resolve(name)
	if len(several) > 1 {
		several = slices.DeleteFunc(several, func(provider string) bool {
			return c.caller != nil && !c.caller.MayUse(provider+"/"+name, true)
		})
	}
	switch {
	case m == nil && len(several) > 0:
		text := fmt.Sprintf("More than one provider has a model %q: write %s/%s.", name, strings.Join(several, "/"+name+" or "), name)
		return c.fail(failure{kind: fault.ModelNotFound, detail: text, safe: text, param: "model"})
	case m == nil:
		return c.modelUnknown(name)
	}
	if c.caller != nil && !c.prompt.asked && !c.caller.MayUse(m.Name, m.Direct) {
		return c.notSubscribed("the model "+m.Name, "models/"+m.Name)
	}
	c.model = m
	if m.Direct {
		c.j.Model = m.Name
	}
	return true
}

// mostNamed is how many names an error lists.
const mostNamed = 3

func (c *call) modelUnknown(name string) bool {
	text := fmt.Sprintf("There is no model %q here.", name)
	f := failure{kind: fault.ModelNotFound, param: "model"}
	usable := c.usableModels()
	near := nearest(name, usable, mostNamed)
	if len(near) > 0 {
		text += " Did you mean " + strings.Join(near, ", ") + "?"
	} else if provider, model, ok := strings.Cut(name, "/"); ok && model == "" {
		text += " A provider's model has a name behind the slash."
	} else if ok {
		text += fmt.Sprintf(" No provider is named %q.", provider)
	}
	if n := len(usable); n > 0 && len(near) == 0 {
		text += " You may use " + strings.Join(usable[:min(n, mostNamed)], ", ")
		if n > mostNamed {
			text += fmt.Sprintf(" and %d more", n-mostNamed)
		}
		text += "."
	}
	f.detail, f.safe = text, text
	f.evidence = []string{"model as asked: " + name}
	return c.fail(f)
}

// usableModels are the names that this caller may use, those that it subscribes to by name among them.
func (c *call) usableModels() (names []string) {
	for _, n := range c.gen.ModelNames() {
		if c.caller == nil || c.caller.MayUse(n, c.gen.Models[n] == nil) {
			names = append(names, n)
		}
	}
	if c.caller == nil {
		return names
	}
	for _, entry := range c.caller.Subscribes {
		n, ok := strings.CutPrefix(entry, "models/")
		if !ok || strings.HasSuffix(n, "*") || slices.Contains(names, n) {
			continue
		}
		if m, _ := c.gen.Resolve(n); m != nil {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func ownerOf(m *snapshot.Model) string {
	if m == nil || len(m.Targets) == 0 {
		return "causeway"
	}
	return m.Targets[0].Provider.Name
}

// pretend ends a call for a sandbox model whose fault no upstream can have. A kind that never is an
// answer of ours gets the status of what its caller would see.
func (c *call) pretend(kind fault.Kind) bool {
	f := failure{kind: kind, evidence: []string{"made by the sandbox because " + c.j.Model + " was asked for"}}
	if e := fault.Lookup(kind); e != nil && e.Status == 0 {
		switch kind {
		case fault.UpstreamRateLimited:
			f.status = http.StatusTooManyRequests
		case fault.UpstreamUnavailable:
			f.status = http.StatusServiceUnavailable
		case fault.UpstreamTimeout:
			f.status = http.StatusGatewayTimeout
		case fault.UpstreamError:
			f.status = http.StatusInternalServerError
		default:
			f.status = http.StatusBadGateway
		}
	}
	c.pretended = true
	return c.fail(f)
}

// deliverModel is room 10 for a model's answer: it is held to the dialect before the caller gets it.
func (c *call) deliverModel(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	res := &u.Response
	if res.Status == 101 {
		return c.tunnel(t, u, a)
	}
	ok := res.Status >= 200 && res.Status < 300
	if ok && c.op == llm.Realtime {
		c.releaseAnswer()
		return c.modelFailed(a, fault.UpgradeFailed, "the call asked for a WebSocket, and the answer is an ordinary one", nil)
	}
	if s := c.streams(view(res.Header.Get(wire.ContentType))); ok && s != nil {
		if !c.llmReq.Stream {
			// An SDK that asked for JSON would hand its program the events as one text, and raise nothing.
			c.releaseAnswer()
			return c.modelFailed(a, fault.IncompatibleResponse, "the call asked for one JSON body, and the answer is a stream of events", nil)
		}
		return c.deliverStream(t, u, a, s)
	}
	if c.cross.on || ok && c.guard.answers() && !c.isMedia(res.Header.Get(wire.ContentType)) {
		return c.crossHeld(t, u, a, ok)
	}
	if ok && c.isMedia(res.Header.Get(wire.ContentType)) {
		return c.passModel(t, u, a, nil)
	}
	if res.Header.Has(wire.ContentEncoding) {
		if encoding := string(res.Header.Get(wire.ContentEncoding)); !coding.None(encoding) {
			return c.deliverCoded(t, u, a, encoding, ok)
		}
	}
	body, whole, err := holdAnswer(u, holdModelBody)
	if whole {
		a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	}
	switch {
	case err != nil:
		c.releaseAnswer()
		return c.broken(t, a)
	case !whole:
		if !ok {
			c.releaseAnswer()
			return c.modelFailed(a, fault.ResponseBodyTooLarge, "an error answer of more than "+snapshotSize(holdModelBody), nil)
		}
		if c.owned.list != nil {
			c.releaseAnswer()
			return c.modelFailed(a, fault.ResponseBodyTooLarge, "a list of more than "+snapshotSize(holdModelBody), nil)
		}
		if problem := c.unpassable(body); problem != "" {
			evidence := []string{"the body begins with " + llm.DescribeBody(body[:min(len(body), 200)])}
			c.releaseAnswer()
			return c.modelFailed(a, fault.IncompatibleResponse, problem, evidence)
		}
		return c.passModel(t, u, a, body)
	case ok:
		return c.wholeAnswer(t, u, a, body, body)
	}
	return c.providerError(t, u, a, body, body)
}

// unpassable says why the begin of an answer that is too long to be held cannot be passed on: it is none of those that
// the call asked for. It is "" otherwise.
func (c *call) unpassable(begin []byte) string {
	text := bytes.TrimLeft(begin, " \t\r\n")
	switch {
	case c.llmReq.Stream && c.op != llm.Transcriptions:
		return "the call asked for a stream of events, and the answer is one body of more than " + snapshotSize(holdModelBody)
	case len(text) == 0 || text[0] != '{':
		return "the answer is no JSON object, and has more than " + snapshotSize(holdModelBody)
	}
	return ""
}

// holdAnswer reads a body up to a limit. whole is false when there is more.
func holdAnswer(u *wire.Upcall, limit int) (body []byte, whole bool, err error) {
	u.HoldHead() // which goes out behind the body, or is told of
	for {
		p, err := u.Next()
		if err == io.EOF {
			return body, true, nil
		}
		if err != nil {
			return body, false, err
		}
		if body == nil && u.Complete() {
			return p, true, nil // one piece, still in the connection's buffer
		}
		if room := len(body) + len(p); room > cap(body) {
			// Up to the declared length, as far as the beginning makes it likely.
			body = slices.Grow(body, max(len(p), min(int(u.Response.Length), limit+len(p), 8*room)-len(body)))
		}
		body = append(body, p...)
		if len(body) > limit {
			return body, false, nil
		}
	}
}

// wholeAnswer hands a 2xx answer on, if it is one of its dialect. text is its body without a coding.
func (c *call) wholeAnswer(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, body, text []byte) bool {
	dialect, op := c.answerDialect()
	read := readAnswer(dialect, op, text)
	c.j.Usage = read.Usage
	if read.Kind == "" && c.llmReq.Stream && op != llm.Transcriptions { // some models transcribe without a stream, whatever is asked
		read.Kind, read.Problem = fault.IncompatibleResponse, "the call asked for a stream of events, and the answer is one JSON body"
	}
	if read.Kind != "" && c.op == llm.Responses && !c.cross.on && read.Error.Passable() {
		// A response object that tells of its own failure is a whole answer of its dialect.
		a.Kind = read.Kind
		c.finding = diagnose.Judge(c.input(diagnose.Input{
			Kind: read.Kind, Attempts: c.j.Attempts, Evidence: read.Error.Evidence(), Passed: true,
			Answer: &diagnose.Answer{Status: u.Response.Status, Header: c.lookupAnswer(u)},
		}))
		c.j.Finding = c.finding
		if c.guard.answers() {
			return c.handGuarded(t, u, a, text)
		}
		return c.hand(t, u, a, body)
	}
	if read.Kind != "" {
		evidence := append(read.Error.Evidence(), "content type: "+string(u.Response.Header.Get(wire.ContentType)))
		c.releaseAnswer()
		return c.modelFailed(a, read.Kind, read.Problem, evidence)
	}
	if c.j.Usage.Source == "" {
		c.countMissing(text, 0)
	}
	if c.cross.on {
		return c.crossAnswer(t, u, a, text)
	}
	if c.recall != nil {
		c.keepReply(text, string(u.Response.Header.Get(wire.ContentType)))
	}
	if c.guard.answers() {
		return c.handGuarded(t, u, a, text)
	}
	if c.op == llm.Files || c.op == llm.Batches {
		return c.keepObject(t, u, a, body, text)
	}
	c.keepPassed(text)
	c.storedGone(u.Response.Status)
	return c.hand(t, u, a, body)
}

// hand passes a held body on.
func (c *call) hand(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, body []byte) bool {
	c.answerHead(u)
	return c.sendHeld(t, u, a, body)
}

// sendHeld sends a body whose fields are ready.
func (c *call) sendHeld(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, body []byte) bool {
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

// passModel passes a body on that is too long to hold, or that cannot be read; its usage is read on
// the way where it can be.
func (c *call) passModel(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, held []byte) bool {
	c.answerHead(u)
	length := u.Response.Length
	if length == wire.LengthUntilClose {
		length = wire.LengthChunked
	}
	c.j.Status = u.Response.Status
	if c.ex.Start(u.Response.Status, view(u.Response.Reason), &c.answer, length, u.Response.Declared) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	if held != nil {
		c.long = c.dialect.LongAnswer(c.op)
	}
	return c.relay(t, u, a, held)
}

// finishLong takes the usage out of an answer that was too long to hold.
func (c *call) finishLong(clean bool) {
	if c.long == nil {
		return
	}
	c.finishUnfold(clean)
	read, ok := c.long.Finish(clean && c.unfold.err == nil)
	c.long, c.j.Usage = nil, read.Usage
	if !ok {
		c.note("translate", "the answer was passed on while it came, and is not one of its dialect: "+read.Problem)
	}
}

// providerError handles an answer whose status says that the provider refused or failed. text is its
// body without a coding.
func (c *call) providerError(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, body, text []byte) bool {
	dialect, _ := c.answerDialect()
	if c.provider.Reshape() != nil {
		dialect = c.provider.Dialect // whose errors may differ as well
	}
	pe := dialect.ReadError(u.Response.Status, c.lookupAnswer(u), text, time.Now())
	a.Kind = pe.Kind
	if a.Kind == "" {
		a.Kind = fault.ProviderError
	}
	if c.lacks(u.Response.Status, &pe) {
		a.Again = "asked again in another form: the provider has no " + c.op.String()
		c.pick.moved = true
		c.releaseAnswer()
		return false
	}
	if c.hasOnly(&pe) {
		_, op := c.answerDialect()
		a.Again = "asked again in another form: the model has no " + op.String()
		c.pick.moved = true
		c.releaseAnswer()
		return false
	}
	if c.moveOn(a, pe.RetryAfter) {
		c.releaseAnswer()
		return false
	}
	c.retryIn = pe.RetryAfter
	in := diagnose.Input{
		Kind: a.Kind, Attempts: c.j.Attempts, Evidence: pe.Evidence(), RetryAfter: pe.RetryAfter,
		Answer: &diagnose.Answer{Status: u.Response.Status, Header: c.lookupAnswer(u)},
	}
	if !c.passable(&pe, text) || c.cross.on {
		if c.key != nil && c.key.Hint != "" {
			in.Evidence = append(in.Evidence, "the key that was used: "+c.key.Hint)
		}
		c.failWith(in) // while the answer's fields are still there to be looked at
		c.releaseAnswer()
		return c.explained()
	}
	in.Passed = true
	c.finding = diagnose.Judge(c.input(in))
	c.j.Finding = c.finding
	body = bytes.Clone(body)
	c.answerHead(u)
	if !u.Response.Header.Has(wire.XShouldRetry) {
		c.answer.Add(wire.XShouldRetry, nameShouldRetry, c.shouldRetry(c.finding))
	}
	c.j.Status, c.j.BytesOut = u.Response.Status, int64(len(body))
	if c.ex.Start(u.Response.Status, view(u.Response.Reason), &c.answer, int64(len(body)), -1) != nil || c.ex.Write(body) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	return c.complete(t, u, a)
}

// explained answers with the finding that is set. It returns true: the call is over.
func (c *call) explained() bool {
	c.explain()
	return true
}

// modelFailed ends an attempt whose answer is not one of the dialect. It returns false, so that
// travel inspects it.
func (c *call) modelFailed(a *journey.Attempt, kind fault.Kind, problem string, evidence []string) bool {
	a.Kind = kind
	c.modelEvidence = evidence
	c.modelProblem = problem
	return false
}
