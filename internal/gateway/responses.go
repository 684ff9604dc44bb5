package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
	"causeway/internal/llm/openai"
	"causeway/internal/responses"
)

// A call of the Responses API may go on from an earlier response, by previous_response_id or by naming its items.
// Where the provider keeps responses itself, the call passes to the one that made it; of such a response only the
// owner is kept here. Where it cannot, the conversation is kept here and put before the call's own input. Either
// way a response belongs to the application that made it, and does not exist for another.

// keeping is what a call of Responses has to do with what is kept.
type keeping struct {
	store    bool              // what comes of it is to be kept
	previous string            // the response that it goes on from
	turns    []openai.KeptTurn // the conversation, when it is kept here
	names    bool              // its input may name items that are kept
	foreign  bool              // its input has reasoning that another dialect's provider signed
	params   [2]canon.Param    // previous_response_id and store, which the gateway sees to in the provider's place
}

// tenant is who owns what this call makes.
func (c *call) tenant() string {
	if c.caller == nil {
		return ""
	}
	return c.caller.Name
}

// goOn finds what a call of Responses goes on from. It returns false when the call has failed.
func (c *call) goOn() bool {
	k := &c.kept
	k.previous, k.store = openai.ReadKeeping(c.body)
	k.store = k.store && c.g.responses.Keeps()
	k.names = bytes.Contains(c.body, []byte(`item_reference`))
	k.foreign = openai.HasForeignThoughts(c.body)
	if k.previous == "" || !c.g.responses.Keeps() {
		return true
	}
	list, err := c.g.responses.Conversation(context.Background(), c.tenant(), k.previous)
	if err != nil {
		return c.notKept("previous_response_id", k.previous, err)
	}
	last := &list[len(list)-1]
	if last.Provider != "" {
		return c.onlyProvider(last)
	}
	for i := range list {
		if list[i].Provider != "" {
			return c.notKept("previous_response_id", k.previous, responses.ErrBroken) // its beginning is the provider's
		}
		k.turns = append(k.turns, openai.KeptTurn{Input: c.maskKept(list[i].Input), Response: c.maskKept(list[i].Response)})
	}
	return true
}

// notKept refuses a call that names what is not there for this caller.
func (c *call) notKept(param, id string, err error) bool {
	f := failure{kind: fault.ResponseNotFound, param: param}
	switch {
	case errors.Is(err, responses.ErrNotFound):
		f.detail = fmt.Sprintf("No response %s is kept for this application.", clipID(id))
	case errors.Is(err, responses.ErrBroken):
		f.detail = fmt.Sprintf("The response %s is kept, and the beginning of its conversation is not any more.", clipID(id))
	case errors.Is(err, responses.ErrTooLarge):
		f.kind = fault.BodyTooLarge
		f.detail = fmt.Sprintf("The conversation of the response %s has become too large to be sent to a model.", clipID(id))
	default:
		f.kind = fault.GatewayBug
		f.detail = "The store of responses can't be read."
		f.evidence = []string{err.Error()}
	}
	f.safe = f.detail
	return c.fail(f)
}

func clipID(id string) string { return strconv.Quote(strings.ToValidUTF8(id[:min(len(id), 80)], "")) }

// onlyProvider leaves the provider that keeps a response as the only one to be asked.
func (c *call) onlyProvider(r *responses.Record) bool {
	var others uint64
	found := false
	for i := range c.model.Targets {
		if c.model.Targets[i].Provider.Name == r.Provider {
			found = true
		} else {
			others |= 1 << i
		}
	}
	if !found {
		text := fmt.Sprintf("The response %s is kept by the provider %s, which the model %s does not use.", clipID(r.ID), r.Provider, c.model.Name)
		return c.fail(failure{kind: fault.ResponseNotFound, detail: text, safe: fmt.Sprintf("The response %s was made by another model, and can't be gone on from by this one.", clipID(r.ID)), param: "previous_response_id"})
	}
	if others != 0 {
		c.triedModels |= others
		c.note("choose", "the response it goes on from is kept by "+r.Provider)
	}
	return true
}

// continueRequest puts what is kept before the input of a request that was read to be translated.
func (c *call) continueRequest() bool {
	if !c.goesOn() {
		return true
	}
	return c.continued(c.cross.form.request())
}

// goesOn tells whether a request may name a response that it goes on from: one for a response, or for a count of its
// tokens.
func (c *call) goesOn() bool {
	return c.op == llm.Responses || c.op == llm.CountTokens && c.dialect.Name() == "openai"
}

// continued puts what is kept before the input of req.
func (c *call) continued(req *canon.Request) bool {
	k := &c.kept
	if openai.HasReferences(req) {
		missing, err := openai.Resolve(req, c.keptItem)
		if missing != "" {
			return c.notKept("input", missing, responses.ErrNotFound)
		}
		if err != nil {
			return c.badBody(err)
		}
	}
	if len(k.turns) > 0 {
		if err := openai.Continue(req, k.turns); err != nil {
			return c.badBody(err)
		}
	}
	k.params = [2]canon.Param{req.Params[canon.PreviousID], req.Params[canon.Store]}
	return true
}

// keptItem finds an item of a response of this application by its id.
func (c *call) keptItem(id string) []byte {
	full, bare := openai.ResponseOf(id)
	for _, name := range []string{full, bare} {
		if name == "" {
			continue
		}
		r, err := c.g.responses.Get(context.Background(), c.tenant(), name)
		if err != nil || r.Provider != "" {
			continue
		}
		if item := openai.KeptItem(openai.KeptTurn{Input: r.Input, Response: r.Response}, id); item != nil {
			return c.maskKept(item)
		}
	}
	return nil
}

// standIn takes out of a request what the gateway does in the provider's place, and tells the report. The error
// is what it cannot do.
func (c *call) standIn() *canon.Unsupported {
	if !c.goesOn() {
		return nil
	}
	c.standBack() // an attempt before may have taken it out
	req, r := c.cross.form.request(), c.cross.report
	why := func(id canon.ParamID, why string) *canon.Unsupported {
		return &canon.Unsupported{Field: req.Doc.At(req.Params[id].At).Path(), Why: why}
	}
	switch {
	case req.True(canon.Background):
		return why(canon.Background, "only a provider that has the Responses API can answer in the background")
	case req.Params[canon.Conversation].JSON != nil:
		return why(canon.Conversation, "conversations are kept by providers that have the Responses API; previous_response_id works with every provider")
	case req.Params[canon.PromptTemplate].JSON != nil:
		return why(canon.PromptTemplate, "prompt templates are kept by providers that have the Responses API")
	case req.Params[canon.PreviousID].JSON != nil && len(c.kept.turns) == 0:
		return why(canon.PreviousID, "nothing is kept by this gateway (llm.keep_responses is 0), and the provider can't keep it")
	}
	if p := req.Params[canon.PreviousID]; p.JSON != nil {
		r.Lose(p.At, canon.Emulated, "the gateway keeps the conversation")
		req.Params[canon.PreviousID] = canon.Param{}
	}
	if p := req.Params[canon.Store]; p.JSON != nil {
		if string(p.JSON) == "true" {
			r.Lose(p.At, canon.Emulated, "the gateway keeps the response")
		}
		req.Params[canon.Store] = canon.Param{}
	}
	return nil
}

// standBack puts back what standIn took out: the answer repeats it.
func (c *call) standBack() {
	if c.goesOn() {
		req := c.cross.form.request()
		req.Params[canon.PreviousID], req.Params[canon.Store] = c.kept.params[0], c.kept.params[1]
	}
}

// keep keeps a response that was made by translation: the caller gets it whole, and may go on from it.
func (c *call) keep(response []byte) {
	k := &c.kept
	if c.op != llm.Responses || !k.store || len(response) == 0 {
		return
	}
	id := openai.ResponseIDOf(response)
	if id == "" {
		return
	}
	input := openai.KeptInput(c.cross.form.request(), id, c.keptItem)
	c.putResponse(responses.Record{ID: id, Previous: k.previous, Input: input, Response: response})
}

// keepStreamed is keep for a stream that has ended.
func (c *call) keepStreamed() {
	w, ok := c.cross.writer.(interface{ Response() []byte })
	switch {
	case !ok:
	case c.cross.remade:
		c.keepPassed(w.Response())
	default:
		c.keep(w.Response())
	}
}

// keepPassed keeps what a provider answered whose own bytes go to the caller: where it keeps responses itself, whose
// it is. text is the response.
func (c *call) keepPassed(text []byte) {
	if c.op != llm.Responses || !c.kept.store || c.cross.on {
		return
	}
	id := openai.ResponseIDOf(text)
	if id == "" {
		return
	}
	r := responses.Record{ID: id, Previous: c.kept.previous}
	if openai.KeepsResponses(c.provider.Kind) {
		r.Provider = c.provider.Name
	} else {
		doc, err := jsontree.Parse(c.body, true)
		if err != nil {
			return
		}
		r.Input = openai.KeptInput(&canon.Request{Doc: doc}, id, c.keptItem)
		r.Response = bytes.Clone(text)
	}
	c.putResponse(r)
}

// watchPassed follows a stream that passes through for what is to be kept of it.
func (c *call) watchPassed(s *llm.Stream) {
	if c.op != llm.Responses || !c.kept.store || c.cross.on {
		return
	}
	owned := openai.KeepsResponses(c.provider.Kind)
	done := false
	s.Tap(func(ev llm.Event) {
		if done {
			return
		}
		if owned { // from its first event: a caller that leaves can read the rest later
			done = true
			c.keepPassed(ev.Data)
		} else if response := openai.LastResponse(ev); response != nil {
			done = true
			c.keepPassed(response)
		}
	})
}

// crossesForKept tells whether a call cannot pass through because it goes on from what is kept here, or from what
// another dialect's provider said.
func (c *call) crossesForKept() bool {
	return c.kept.foreign || len(c.kept.turns) > 0 || c.kept.names && !openai.KeepsResponses(c.provider.Kind)
}

func (c *call) putResponse(r responses.Record) {
	r.Input, r.Response = c.revealKept(r.Input), c.revealKept(r.Response)
	r.Tenant, r.Model = strings.Clone(c.tenant()), strings.Clone(c.j.TargetModel)
	if err := c.g.responses.Put(context.Background(), r); err != nil {
		c.note("translate", "the response is not kept: "+err.Error())
	}
}

// stored answers GET, DELETE and POST below /v1/responses/. It returns true when the call is over, and false when it
// goes on to the provider that keeps the response.
func (c *call) stored() (over bool) {
	id, part, _ := strings.Cut(c.pathDetail, "/")
	if text, err := url.PathUnescape(id); err == nil {
		id = text
	}
	id = strings.Clone(id)
	if !c.g.responses.Keeps() {
		c.notKept("response_id", id, responses.ErrNotFound)
		c.explain()
		return true
	}
	r, err := c.g.responses.Get(context.Background(), c.tenant(), id)
	if err != nil {
		c.notKept("response_id", id, err)
		c.explain()
		return true
	}
	if r.Provider != "" {
		return c.storedAtProvider(&r)
	}
	query, _ := url.ParseQuery(string(c.rq.Query))
	switch {
	case c.j.Method == http.MethodDelete:
		if err := c.g.responses.Delete(context.Background(), c.tenant(), id); err != nil {
			c.notKept("response_id", id, err)
			c.explain()
			return true
		}
		c.page(http.StatusOK, typeJSON, openai.AppendDeleted(nil, id))
	case part == "cancel":
		return c.refuseStored("response_id", "Only a response that is made in the background can be cancelled, and this one is made.")
	case part == "input_items":
		return c.inputItems(id, query)
	case query.Get("stream") == "true":
		return c.refuseStored("stream", "Only a response that is made in the background can be streamed again.")
	default:
		c.page(http.StatusOK, typeJSON, r.Response)
	}
	return true
}

func (c *call) refuseStored(param, text string) bool {
	c.fail(failure{kind: fault.BadRequest, detail: text, safe: text, param: param})
	c.explain()
	return true
}

func (c *call) inputItems(id string, query url.Values) bool {
	page := openai.ItemPage{After: query.Get("after"), Ascending: query.Get("order") == "asc"}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return c.refuseStored("limit", "limit must be a whole number from 1 to 100.")
		}
		page.Limit = n
	}
	list, err := c.g.responses.Conversation(context.Background(), c.tenant(), id)
	if err != nil {
		c.notKept("response_id", id, err)
		c.explain()
		return true
	}
	turns := make([]openai.KeptTurn, len(list))
	for i := range list {
		turns[i] = openai.KeptTurn{Input: list[i].Input, Response: list[i].Response}
	}
	c.page(http.StatusOK, typeJSON, openai.AppendItems(nil, turns, page))
	return true
}

// storedAtProvider makes the call one to the provider that keeps the response. The application has used the model
// before: that it may not any more does not take from it what is its own.
func (c *call) storedAtProvider(r *responses.Record) bool {
	m, _ := c.gen.Resolve(r.Provider + "/" + r.Model)
	if m == nil || len(m.Targets) == 0 || m.Targets[0].Provider.Name != r.Provider {
		text := "The response " + clipID(r.ID) + " is kept by the provider " + r.Provider + ", which is not configured any more."
		c.fail(failure{kind: fault.ResponseNotFound, detail: text, safe: "No response " + clipID(r.ID) + " can be reached any more.", param: "response_id"})
		c.explain()
		return true
	}
	c.model = m
	c.j.Model = m.Name
	c.llmReq.Op = llm.Stored
	c.llmReq.Stream = strings.Contains(view(c.rq.Query), "stream=true")
	c.kept.previous = r.ID
	return false
}

// storedGone forgets a response that its provider has deleted.
func (c *call) storedGone(status int) {
	if c.op != llm.Stored || c.j.Method != http.MethodDelete || status >= http.StatusMultipleChoices {
		return
	}
	if err := c.g.responses.Delete(context.Background(), c.tenant(), c.kept.previous); err != nil && !errors.Is(err, responses.ErrNotFound) {
		c.note("translate", "the response's owner is still kept: "+err.Error())
	}
}
