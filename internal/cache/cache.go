// Package cache keeps answers for calls that are made again: a bounded store in this process's memory or one in Redis
// or Valkey that several gateways share, the form in which an answer is kept, and the rules of HTTP's shared caches
// (RFC 9111) and of conditional requests (RFC 9110 section 13).
//
// A Cache stands before a Store: it bounds the time that a call spends on one, and makes of every trouble a miss. It
// never fails a call.
package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Key names what is kept. Keys are hashes, so that nothing of a request can be read in one.
type Key [32]byte

// KeyOf is the key of some parts, in order; no two lists of parts have the same.
func KeyOf(parts ...[]byte) (k Key) {
	h := sha256.New()
	var size [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	h.Sum(k[:0])
	return k
}

// Store keeps values. It is safe for concurrent use. What it returns must not be changed, nor what it was given.
type Store interface {
	// Get finds a value, and how long ago it was set. The value is nil where there is none.
	Get(ctx context.Context, key Key) (value []byte, age time.Duration, err error)
	// Set keeps a value for ttl, or shorter.
	Set(ctx context.Context, key Key, value []byte, ttl time.Duration) error
	// Add is Set where no value is kept, and returns the one that is kept then.
	Add(ctx context.Context, key Key, value []byte, ttl time.Duration) (kept []byte, err error)
	// Delete forgets a value.
	Delete(ctx context.Context, key Key) error
	// Size tells what is kept, and how many values had to make room since the start; -1 where that is not known.
	Size() (entries, bytes, evicted int64)
}

// ErrTooLarge is the error of a value that a store has no room for.
var ErrTooLarge = errors.New("the value is larger than the store takes")

// MaxLifetime is the longest that anything is kept.
const MaxLifetime = 7 * 24 * time.Hour

// Outcome is what became of a call for which a cache was asked.
type Outcome uint8

// The outcomes.
const (
	Hit    Outcome = iota // answered from the cache
	Stale                 // answered with what was too old, because a fresh answer could not be got
	Stored                // not kept; the answer was, for calls to come
	Miss                  // not kept, and the answer was not either
	Bypass                // the cache has no say in such a call
	Outcomes
)

func (o Outcome) String() string {
	return [...]string{"hit", "stale", "stored", "miss", "bypass"}[o]
}

// Options of a Cache. The zero value works.
type Options struct {
	// Within is the longest that a call waits for the store; 0 is 250 ms.
	Within time.Duration
	// Rest is how long a store that failed is left alone; 0 is 1 s.
	Rest time.Duration
	// Trouble is told when the store fails, nil nobody. It is called from calls, and must be quick.
	Trouble func(error)
}

// Cache is a Store as calls use it. It is safe for concurrent use.
type Cache struct {
	store Store
	o     Options

	restUntil atomic.Int64 // Unix nanoseconds
	errors    atomic.Int64
	counts    sync.Map // Name -> *[Outcomes]atomic.Int64

	mu     sync.Mutex
	undone map[Key]struct{} // to be deleted as soon as the store can be reached
	owes   atomic.Bool      // undone has some
}

// Name is a configured name that calls to a cache are counted by: one of the two is set.
type Name struct{ Service, Model string }

// New returns a cache over a store.
func New(s Store, o Options) *Cache {
	if o.Within <= 0 {
		o.Within = 250 * time.Millisecond
	}
	if o.Rest <= 0 {
		o.Rest = time.Second
	}
	return &Cache{store: s, o: o, undone: map[Key]struct{}{}}
}

// ask runs one step at the store, within the time that it may take. It returns false where the store is left alone
// or failed.
func (c *Cache) ask(step func(context.Context) error) bool {
	if c.restUntil.Load() > time.Now().UnixNano() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.o.Within)
	defer cancel()
	err := step(ctx)
	if err == nil || errors.Is(err, ErrTooLarge) {
		return err == nil
	}
	c.errors.Add(1)
	c.restUntil.Store(time.Now().Add(c.o.Rest).UnixNano())
	if c.o.Trouble != nil {
		c.o.Trouble(err)
	}
	return false
}

// Away tells whether the store could not be reached of late.
func (c *Cache) Away() bool { return c.restUntil.Load() > time.Now().UnixNano() }

// Get finds a value and how long ago it was set; nil where there is none, or the store could not tell in time.
func (c *Cache) Get(key Key) (value []byte, age time.Duration) {
	if c.owes.Load() && !c.settle(key) {
		return nil, 0
	}
	ok := c.ask(func(ctx context.Context) (err error) {
		value, age, err = c.store.Get(ctx, key)
		return err
	})
	if !ok {
		return nil, 0
	}
	return value, max(age, 0)
}

// Set keeps a value; false tells that it is not kept.
func (c *Cache) Set(key Key, value []byte, ttl time.Duration) bool {
	if ttl <= 0 {
		return false
	}
	return c.ask(func(ctx context.Context) error { return c.store.Set(ctx, key, value, min(ttl, MaxLifetime)) })
}

// Epoch is a mark of what stands below key, made where there is none. Keys of what depends on it are made with it:
// once the mark is dropped nobody finds them any more, nor what a call that began before puts there afterwards. nil
// tells that the store can't be used.
func (c *Cache) Epoch(key Key) (mark []byte) {
	if mark, _ = c.Get(key); mark != nil {
		return mark
	}
	if c.owes.Load() && !c.settle(key) {
		return nil
	}
	fresh := make([]byte, 16)
	_, _ = rand.Read(fresh) // it never fails
	ok := c.ask(func(ctx context.Context) (err error) {
		mark, err = c.store.Add(ctx, key, fresh, 2*MaxLifetime)
		return err
	})
	if !ok {
		return nil
	}
	return mark
}

// mostUndone is how many values are remembered that could not be deleted.
const mostUndone = 10_000

// Delete forgets a value. Where the store can't be reached the value counts as forgotten by this gateway, and is
// deleted when it can.
func (c *Cache) Delete(key Key) {
	if c.ask(func(ctx context.Context) error { return c.store.Delete(ctx, key) }) {
		return
	}
	c.mu.Lock()
	if len(c.undone) < mostUndone {
		c.undone[key] = struct{}{}
		c.owes.Store(true)
	}
	c.mu.Unlock()
}

// settle makes up for a deletion that is due; false tells that key must not be used yet.
func (c *Cache) settle(key Key) bool {
	c.mu.Lock()
	_, due := c.undone[key]
	c.mu.Unlock()
	if !due {
		return true
	}
	if !c.ask(func(ctx context.Context) error { return c.store.Delete(ctx, key) }) {
		return false
	}
	c.mu.Lock()
	delete(c.undone, key)
	c.owes.Store(len(c.undone) > 0)
	c.mu.Unlock()
	return true
}

// Count counts a call.
func (c *Cache) Count(n Name, o Outcome) {
	counts, ok := c.counts.Load(n)
	if !ok {
		counts, _ = c.counts.LoadOrStore(n, new([Outcomes]atomic.Int64))
	}
	counts.(*[Outcomes]atomic.Int64)[o].Add(1)
}

// Figures are a cache's counters since the start.
type Figures struct {
	Entries, Bytes, Evicted int64 // -1 where the store does not say
	Errors                  int64 // of the store
	Away                    bool
	Calls                   map[Name][Outcomes]int64
}

// Figures tells what the cache holds and has done.
func (c *Cache) Figures() Figures {
	f := Figures{Errors: c.errors.Load(), Away: c.Away(), Calls: map[Name][Outcomes]int64{}}
	f.Entries, f.Bytes, f.Evicted = c.store.Size()
	c.counts.Range(func(name, counts any) bool {
		var n [Outcomes]int64
		for i := range n {
			n[i] = counts.(*[Outcomes]atomic.Int64)[i].Load()
		}
		f.Calls[name.(Name)] = n
		return true
	})
	return f
}
