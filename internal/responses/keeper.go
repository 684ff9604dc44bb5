package responses

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultKeep is how long a conversation is kept after its last turn, as OpenAI does.
	DefaultKeep = 30 * 24 * time.Hour
	// DefaultMaxSize is how much is kept.
	DefaultMaxSize = 1 << 30
	// maxRecord is the largest record: a call's body is bounded, and its answer adds to it.
	maxRecord = 80 << 20
	// maxWaiting is how much may wait for the store.
	maxWaiting = 128 << 20
	// maxTurns is the longest conversation, and maxConversation the largest.
	maxTurns        = 4096
	maxConversation = 64 << 20
	sweepEvery      = 10 * time.Minute
	maxBatch        = 64
	tries           = 5
)

// Options are a Keeper's. The zero value of a field means its default.
type Options struct {
	Keep    time.Duration // negative: nothing is kept
	MaxSize int64
	Now     func() time.Time
	// Failed is told of an error of the store that cost records. It must not block.
	Failed func(lost int, err error)
}

type key struct{ tenant, id string }

// Keeper keeps responses. Its methods may be called concurrently. Run must be running for records to reach the
// store.
type Keeper struct {
	store   Store
	now     func() time.Time
	failed  func(int, error)
	keep    atomic.Int64
	maxSize atomic.Int64

	mu      sync.Mutex
	waiting map[key]*Record
	queue   []*Record
	size    int64
	wake    chan struct{}
}

// New returns a Keeper over store.
func New(store Store, o Options) *Keeper {
	k := &Keeper{store: store, now: o.Now, failed: o.Failed, waiting: map[key]*Record{}, wake: make(chan struct{}, 1)}
	if k.now == nil {
		k.now = time.Now
	}
	if k.failed == nil {
		k.failed = func(int, error) {}
	}
	k.Configure(o.Keep, o.MaxSize)
	return k
}

// Configure changes how long and how much is kept from now on; 0 means the default, a negative keep that nothing is
// kept.
func (k *Keeper) Configure(keep time.Duration, maxSize int64) {
	if keep == 0 {
		keep = DefaultKeep
	}
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	k.keep.Store(int64(keep))
	k.maxSize.Store(maxSize)
}

// Keeps tells whether anything is kept. A nil Keeper keeps nothing.
func (k *Keeper) Keeps() bool { return k != nil && k.keep.Load() > 0 }

// Put keeps r, whose slices must not change afterwards. It returns at once; the error is ErrTooLarge, ErrBusy, or
// ErrNotFound where nothing is kept.
func (k *Keeper) Put(ctx context.Context, r Record) error {
	if !k.Keeps() {
		return ErrNotFound
	}
	size := r.Size()
	if size > maxRecord || size > k.maxSize.Load() {
		return ErrTooLarge
	}
	if r.Created.IsZero() {
		r.Created = k.now()
	}
	r.Expires = k.now().Add(time.Duration(k.keep.Load()))
	r.Root = r.ID
	if r.Previous != "" {
		before, err := k.Get(ctx, r.Tenant, r.Previous)
		switch {
		case err == nil:
			r.Root = before.Root
		case !errors.Is(err, ErrNotFound): // it was deleted meanwhile: the conversation begins here
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.size+size > maxWaiting {
		return ErrBusy
	}
	k.size += size
	k.waiting[key{r.Tenant, r.ID}] = &r
	k.queue = append(k.queue, &r)
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// Get is the tenant's response; ErrNotFound.
func (k *Keeper) Get(ctx context.Context, tenant, id string) (Record, error) {
	if !k.Keeps() {
		return Record{}, ErrNotFound
	}
	k.mu.Lock()
	r := k.waiting[key{tenant, id}]
	k.mu.Unlock()
	if r != nil {
		return *r, nil
	}
	return k.store.Response(ctx, tenant, id, k.now())
}

// Conversation is the tenant's response with all before it, the first one first. Errors: ErrNotFound; ErrBroken when
// one of those before is not kept any more; ErrTooLarge for one that cannot be sent on.
func (k *Keeper) Conversation(ctx context.Context, tenant, id string) ([]Record, error) {
	var list []Record
	var size int64
	for id != "" {
		r, err := k.Get(ctx, tenant, id)
		if errors.Is(err, ErrNotFound) && len(list) > 0 {
			return nil, ErrBroken
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		if size += r.Size(); len(list) > maxTurns || size > maxConversation {
			return nil, ErrTooLarge
		}
		if id = r.Previous; r.Provider != "" {
			break // what was before, the provider knows
		}
	}
	slices.Reverse(list)
	return list, nil
}

// Delete forgets the tenant's response; ErrNotFound.
func (k *Keeper) Delete(ctx context.Context, tenant, id string) error {
	if !k.Keeps() {
		return ErrNotFound
	}
	k.mu.Lock()
	r := k.waiting[key{tenant, id}]
	if r != nil {
		delete(k.waiting, key{tenant, id}) // the queue passes over it
	}
	k.mu.Unlock()
	err := k.store.DeleteResponse(ctx, tenant, id)
	if r != nil && errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Run writes records to the store and removes what is over, until ctx is done. What then waits is still written.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	k.sweep(ctx)
	for {
		select {
		case <-k.wake:
			k.flush(ctx)
		case <-tick.C:
			k.sweep(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			k.flush(last)
			return
		}
	}
}

func (k *Keeper) sweep(ctx context.Context) {
	if _, err := k.store.SweepResponses(ctx, k.now(), k.maxSize.Load()); err != nil && ctx.Err() == nil {
		k.failed(0, err)
	}
}

// flush writes what waits, in batches.
func (k *Keeper) flush(ctx context.Context) {
	for {
		batch := k.next()
		if len(batch) == 0 {
			return
		}
		records := make([]Record, len(batch))
		for i, r := range batch {
			records[i] = *r
		}
		if err := k.write(ctx, records); err != nil {
			k.failed(len(records), err)
		}
		k.written(ctx, batch)
	}
}

// next takes a batch from the queue; what was deleted meanwhile is passed over.
func (k *Keeper) next() (batch []*Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, r := range k.queue {
		if len(batch) == maxBatch {
			break
		}
		n++
		if k.waiting[key{r.Tenant, r.ID}] == r {
			batch = append(batch, r)
		} else {
			k.size -= r.Size()
		}
	}
	k.queue = slices.Delete(k.queue, 0, n)
	return batch
}

func (k *Keeper) write(ctx context.Context, records []Record) (err error) {
	for try := range tries {
		if err = k.store.PutResponses(ctx, records); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond << try):
		case <-ctx.Done():
			return err
		}
	}
	return err
}

// written forgets a batch that is in the store, and takes out of the store what was deleted while it was written.
func (k *Keeper) written(ctx context.Context, batch []*Record) {
	var gone []*Record
	k.mu.Lock()
	for _, r := range batch {
		k.size -= r.Size()
		switch at := (key{r.Tenant, r.ID}); k.waiting[at] {
		case r:
			delete(k.waiting, at)
		case nil:
			gone = append(gone, r)
		}
	}
	k.mu.Unlock()
	for _, r := range gone {
		if err := k.store.DeleteResponse(ctx, r.Tenant, r.ID); err != nil && !errors.Is(err, ErrNotFound) {
			k.failed(0, err)
		}
	}
}
