package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsontree"
	"causeway/internal/owner"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// Files and batches are kept by the provider that they were made at, under ids of its own. Calls for them pass to it,
// and what a provider has made belongs to the application that asked for it: for others it does not exist.

// owning is what a call has to do with what a provider keeps.
type owning struct {
	kind   string // owner.File or owner.Batch
	id     string // "" where something is made or listed
	part   string // behind the id: "content", "cancel"
	upload *owner.Upload
	models []string // that a batch to be made names
	list   *listing // nil where none is asked for
}

// headerProvider names the provider at which a file is made or listed; queryProvider is the same in the query.
const (
	headerProvider = "Causeway-Provider"
	queryProvider  = "provider"
)

// ownedWithin bounds the time that a look at whose something is may take.
const ownedWithin = 5 * time.Second

// ownedObject finds the provider that a call for files or batches goes to. It returns true when the call is over.
func (c *call) ownedObject() (over bool) {
	if c.findOwned() {
		return c.owned.list != nil && c.emptyList()
	}
	c.explain()
	return true
}

func (c *call) findOwned() bool {
	o := &c.owned
	o.kind = owner.File
	if c.op == llm.Batches {
		o.kind = owner.Batch
	}
	asked := c.askedProvider()
	id, part, _ := strings.Cut(c.pathDetail, "/")
	if text, err := url.PathUnescape(id); err == nil {
		id = text
	}
	o.id, o.part = strings.Clone(id), strings.Clone(part)
	if o.id == "" && c.op == llm.Files && c.j.Method == http.MethodPost {
		o.upload = &owner.Upload{}
		return c.useKeeper(c.keeperOf(asked)) // the file follows as it comes
	}
	switch {
	case !c.readModelBody():
		return false
	case o.id != "":
		return c.ofOwned(asked)
	case c.j.Method == http.MethodPost:
		return c.newBatch(asked)
	}
	return c.useKeeper(c.keeperOf(asked)) && c.beginList()
}

// askedProvider is the provider that the caller names, "" when it names none. The parameter does not go upstream.
func (c *call) askedProvider() string {
	named := strings.Clone(view(c.rq.Header.Lookup(headerProvider)))
	if c.rq.HasQuery && strings.Contains(view(c.rq.Query), queryProvider+"=") {
		if values, err := url.ParseQuery(string(c.rq.Query)); err == nil {
			if named == "" {
				named = values.Get(queryProvider)
			}
			values.Del(queryProvider)
			c.query = []byte(values.Encode())
		}
	}
	return named
}

// fetchesContent tells whether a file's content is asked for.
func (c *call) fetchesContent() bool { return c.op == llm.Files && c.owned.part == "content" }

// notOwned refuses a call for what is not there for this caller.
func (c *call) notOwned(param, id string, err error) bool {
	f := failure{kind: fault.ObjectNotFound, param: param}
	if f.detail = fmt.Sprintf("No %s %s was made by this application.", c.owned.kind, clipID(id)); !errors.Is(err, owner.ErrNotFound) {
		f.kind, f.detail, f.evidence = fault.GatewayBug, "The store of whose files and batches are whose can't be read.", []string{err.Error()}
	}
	f.safe = f.detail
	return c.fail(f)
}

// ofOwned makes the call one to the provider that keeps the object.
func (c *call) ofOwned(asked string) bool {
	o := &c.owned
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	r, err := c.g.owner.Find(ctx, c.tenant(), asked, o.id)
	if err == nil && r.Kind != o.kind {
		err = owner.ErrNotFound
	}
	if err != nil {
		return c.notOwned(o.kind+"_id", o.id, err)
	}
	o.models = r.Models
	return c.useKeeper(c.keeperNamed(r.Provider, o.id))
}

// keeperNamed is the provider of what the caller owns. That the application may not use it any more does not take
// from it what is its own.
func (c *call) keeperNamed(name, id string) *snapshot.Provider {
	p := c.gen.Providers[name]
	if p == nil {
		f := failure{kind: fault.ObjectNotFound, param: c.owned.kind + "_id"}
		f.detail = fmt.Sprintf("The %s %s is kept by the provider %s, which is not configured any more.", c.owned.kind, clipID(id), name)
		f.safe = fmt.Sprintf("The %s %s can't be reached any more.", c.owned.kind, clipID(id))
		c.fail(f)
	}
	return p
}

// keeperOf is the provider at which something is made or listed: the one that the caller names, else the only one
// among those that the application may use of which it is known that it has such things. nil when the call has
// failed.
func (c *call) keeperOf(asked string) *snapshot.Provider {
	what := c.op.String()
	if asked != "" {
		p := c.gen.Providers[asked]
		switch {
		case p == nil:
			text := fmt.Sprintf("There is no provider %q here.", clipText(asked))
			c.fail(failure{kind: fault.BadRequest, detail: text, safe: text, param: queryProvider})
			return nil
		case !c.mayUseProvider(p):
			c.notSubscribed("the provider "+p.Name, "models/"+p.Name+"/*")
			return nil
		case !c.keeps(p):
			text := "The provider " + p.Name + " has no " + what + "."
			c.fail(failure{kind: fault.UnsupportedFeature, detail: text, safe: text, param: queryProvider})
			return nil
		}
		return p
	}
	var known, others []string
	for name, p := range c.gen.Providers {
		switch {
		case !c.keeps(p) || !c.mayUseProvider(p):
		case p.Vendor.Ops != nil:
			known = append(known, name)
		default:
			others = append(others, name)
		}
	}
	if len(known) == 0 {
		known = others
	}
	if len(known) == 1 {
		return c.gen.Providers[known[0]]
	}
	f := failure{kind: fault.UnsupportedFeature, param: queryProvider}
	f.detail = "None of the providers that this application may use has " + what + "."
	if len(known) > 1 {
		slices.Sort(known)
		f.kind = fault.BadRequest
		f.detail = fmt.Sprintf("Several providers have %s: name one with the header %s or ?%s=: %s.", what, headerProvider, queryProvider, strings.Join(known, ", "))
	}
	f.safe = f.detail
	c.fail(f)
	return nil
}

// keeps tells whether calls for files or batches can pass to a provider.
func (c *call) keeps(p *snapshot.Provider) bool {
	return !p.Sandbox && p.Dialect != nil && p.Dialect.Path(c.op) == c.dialect.Path(c.op) && p.Serves(c.op)
}

// mayUseProvider tells whether the application may use any model of a provider.
func (c *call) mayUseProvider(p *snapshot.Provider) bool {
	if c.caller == nil || c.mayUseAll(p) {
		return true
	}
	for _, s := range c.caller.Subscribes {
		if strings.HasPrefix(s, "models/"+p.Name+"/") {
			return true
		}
	}
	return c.reaches(p, func(string) bool { return true })
}

// mayUseAll tells whether the application may use every model of a provider by its own name.
func (c *call) mayUseAll(p *snapshot.Provider) bool { return c.caller.MayUse(p.Name+"/", true) }

// reaches tells whether a configured model that the application may use leads to one of a provider's.
func (c *call) reaches(p *snapshot.Provider, wanted func(model string) bool) bool {
	for name, m := range c.gen.Models {
		if !c.caller.MayUse(name, false) {
			continue
		}
		for i := range m.Targets {
			if m.Targets[i].Provider == p && wanted(m.Targets[i].Model) {
				return true
			}
		}
	}
	return false
}

// useKeeper makes the call one to a provider, nil when it has failed.
func (c *call) useKeeper(p *snapshot.Provider) bool {
	if p == nil {
		return false
	}
	c.model = p.Direct(c.op.String())
	c.j.Model, c.llmReq.Op = c.model.Name, c.op
	return true
}

// newBatch looks at a batch that is to be made: its file must be the caller's own, and the models that the file names
// among those that it may use.
func (c *call) newBatch(asked string) bool {
	doc, err := jsontree.Parse(c.body, true)
	if err != nil {
		return c.badBody(err)
	}
	root := doc.Root()
	file := root.Get("input_file_id")
	switch {
	case !root.IsObject():
		doc.Fail(root, "must be a JSON object")
	case !file.Said():
		doc.Missing(root, "input_file_id")
	}
	id := strings.Clone(file.Str())
	if f := doc.Fault(); f != nil {
		return c.badBody(f)
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	r, err := c.g.owner.Find(ctx, c.tenant(), asked, id)
	if err != nil || r.Kind != owner.File {
		c.owned.kind = owner.File
		if err == nil {
			err = owner.ErrNotFound
		}
		return c.notOwned("input_file_id", id, err)
	}
	p := c.keeperNamed(r.Provider, id)
	if p == nil {
		return false
	}
	c.owned.models = r.Models
	return c.mayBatch(p) && c.useKeeper(p) && c.batchAllowance(p)
}

// mayBatch holds a batch to the subscriptions of who asks for it.
func (c *call) mayBatch(p *snapshot.Provider) bool {
	if c.caller == nil || c.mayUseAll(p) {
		return true
	}
	for _, model := range c.owned.models {
		named := model != owner.AnyModel
		if named && (c.caller.MayUse(p.Name+"/"+model, true) || c.reaches(p, func(m string) bool { return m == model })) {
			continue
		}
		if !named {
			return c.notSubscribed("all models of "+p.Name+", and which of them this file names could not be read", "models/"+p.Name+"/*")
		}
		return c.notSubscribed("the model "+p.Name+"/"+clipText(model)+", which this batch's file names", "models/"+p.Name+"/"+model)
	}
	return true
}

// keepObject notes what a good answer tells of files and batches, and hands it on.
func (c *call) keepObject(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, body, text []byte) bool {
	c.j.Usage = llm.NoUsage() // a batch tells its use each time it is looked at
	o := &c.owned
	doc, err := jsontree.Parse(text, true)
	if err != nil {
		c.releaseAnswer()
		return c.modelFailed(a, fault.IncompatibleResponse, "the answer could not be read: "+err.Error(), nil)
	}
	root := doc.Root()
	if o.list != nil {
		return c.passList(t, u, a, root)
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	switch {
	case c.j.Method == http.MethodDelete:
		c.noteOwned(c.g.owner.Gone(ctx, c.provider.Name, o.id))
	case o.id == "":
		if o.upload != nil {
			o.models = o.upload.Models()
		}
		if id := strings.Clone(root.Get("id").Str()); id != "" {
			c.noteOwned(c.g.owner.Made(ctx, owner.Record{Tenant: c.owns(), Provider: c.provider.Name, ID: id, Kind: o.kind, Models: o.models}))
		}
	}
	if c.op == llm.Batches {
		c.seeBatch(ctx, root, text)
	}
	return c.hand(t, u, a, body)
}

// owns is the name under which something is noted as the caller's.
func (c *call) owns() string { return strings.Clone(c.tenant()) }

func (c *call) noteOwned(err error) {
	if err != nil {
		c.note("translate", "whose the "+c.owned.kind+" is could not be noted: "+err.Error())
		c.g.log.Error("whose a provider's object is could not be noted", "call", c.j.ID.String(), "provider", c.provider.Name, "error", err.Error())
	}
}

// foreignFile refuses a request that names a file of another application.
func (c *call) foreignFile() bool {
	ids := llm.FileIDs(c.body)
	if len(ids) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	for _, id := range ids {
		foreign, err := c.g.owner.Foreign(ctx, c.tenant(), id)
		if err == nil && !foreign {
			continue
		}
		if c.owned.kind = owner.File; err == nil {
			err = owner.ErrNotFound
		}
		return c.notOwned("file_id", id, err)
	}
	return true
}
