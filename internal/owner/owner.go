// Package owner remembers who made what providers keep under ids of their own: files and batches. The gateway calls
// a provider with keys that all applications share, so that the provider would show each of them everybody's;
// here is written down which application an object belongs to. For all others it does not exist.
package owner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The kinds of objects.
const (
	File  = "file"
	Batch = "batch"
)

// AnyModel stands in Record.Models where it is not known which models an upload names.
const AnyModel = "*"

// Record is one object of one provider.
type Record struct {
	Tenant   string // the application that made it
	Provider string
	ID       string // the provider's own
	Kind     string
	Created  time.Time
	// Models are those that an uploaded batch names, each once; AnyModel alone when that is not known.
	Models []string
}

// ErrNotFound is the error for an object that does not exist, or not for this tenant.
var ErrNotFound = errors.New("there is no such object")

// Store keeps records. It is safe for concurrent use.
type Store interface {
	// PutOwned keeps r. With replace it takes the place of a record of the same provider and id; without, that one
	// stays.
	PutOwned(ctx context.Context, r Record, replace bool) error
	// Owned lists the records with an id, of whatever tenant and provider, the newest first.
	Owned(ctx context.Context, id string) ([]Record, error)
	// OwnedBy lists the ids of a tenant's objects of one kind at a provider.
	OwnedBy(ctx context.Context, tenant, provider, kind string) ([]string, error)
	// DropOwned removes a record; it is no error if there is none.
	DropOwned(ctx context.Context, provider, id string) error
	// BillOwned notes that an object's use has been counted. first is true for one caller alone.
	BillOwned(ctx context.Context, provider, id string) (first bool, err error)
}

// mostCached is how many ids are remembered.
const mostCached = 4096

// Registry answers whose an object is. It is safe for concurrent use.
type Registry struct {
	store Store
	now   func() time.Time

	mu    sync.Mutex
	cache map[string][]Record // by id; what is not there is not known
}

// New returns a Registry over store; nil keeps records in memory.
func New(store Store) *Registry {
	if store == nil {
		store = NewMemory()
	}
	return &Registry{store: store, now: time.Now, cache: map[string][]Record{}}
}

// Made notes that a provider has made an object for a tenant.
func (g *Registry) Made(ctx context.Context, r Record) error { return g.put(ctx, r, true) }

// Seen notes an object that came of another one, such as a batch's output: it belongs to whose it was first.
func (g *Registry) Seen(ctx context.Context, r Record) error {
	if list, _ := g.find(ctx, r.ID); slices.ContainsFunc(list, func(o Record) bool { return o.Provider == r.Provider }) {
		return nil
	}
	return g.put(ctx, r, false)
}

func (g *Registry) put(ctx context.Context, r Record, replace bool) error {
	if r.Created.IsZero() {
		r.Created = g.now()
	}
	err := g.store.PutOwned(ctx, r, replace)
	g.forget(r.ID)
	return err
}

func (g *Registry) forget(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.cache, id)
}

// find lists the records with an id.
func (g *Registry) find(ctx context.Context, id string) ([]Record, error) {
	g.mu.Lock()
	list, ok := g.cache[id]
	g.mu.Unlock()
	if ok {
		return list, nil
	}
	list, err := g.store.Owned(ctx, id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.cache) >= mostCached {
		clear(g.cache)
	}
	g.cache[id] = list
	return list, nil
}

// Find is the tenant's object with an id, at a provider or, with provider "", at any: then the newest. The error is
// ErrNotFound, or the store's.
func (g *Registry) Find(ctx context.Context, tenant, provider, id string) (Record, error) {
	list, err := g.find(ctx, id)
	if err != nil {
		return Record{}, err
	}
	for _, r := range list {
		if r.Tenant == tenant && (provider == "" || r.Provider == provider) {
			return r, nil
		}
	}
	return Record{}, ErrNotFound
}

// Foreign tells whether an id is known to belong to other tenants alone.
func (g *Registry) Foreign(ctx context.Context, tenant, id string) (bool, error) {
	list, err := g.find(ctx, id)
	return len(list) > 0 && !slices.ContainsFunc(list, func(r Record) bool { return r.Tenant == tenant }), err
}

// IDs are those of a tenant's objects of one kind at a provider.
func (g *Registry) IDs(ctx context.Context, tenant, provider, kind string) (map[string]bool, error) {
	list, err := g.store.OwnedBy(ctx, tenant, provider, kind)
	ids := make(map[string]bool, len(list))
	for _, id := range list {
		ids[id] = true
	}
	return ids, err
}

// Gone forgets an object that its provider has deleted.
func (g *Registry) Gone(ctx context.Context, provider, id string) error {
	err := g.store.DropOwned(ctx, provider, id)
	g.forget(id)
	return err
}

// Bill tells whether an object's use is to be counted now: true once for each.
func (g *Registry) Bill(ctx context.Context, provider, id string) (first bool, err error) {
	return g.store.BillOwned(ctx, provider, id)
}
