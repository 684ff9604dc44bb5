package cache

import (
	"context"
	"sync"
	"time"
)

// Memory keeps values in this process, the least recently used of which make room for new ones. Its times do not
// depend on the wall clock.
type Memory struct {
	most, each int64
	now        func() time.Time

	mu      sync.Mutex
	values  map[Key]*held
	newest  *held // used last
	oldest  *held
	bytes   int64
	evicted int64
}

// held is a value in a list by time of use.
type held struct {
	key          Key
	value        []byte
	set, expires time.Time
	older, newer *held
}

// overhead is what a value takes beside its bytes: its place in the map and in the list.
const overhead = 200

// NewMemory keeps values of up to most bytes together, and up to each bytes alone (0: as much as fits). now is the
// clock, nil for the system's.
func NewMemory(most, each int64, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	if each <= 0 || each > most {
		each = most
	}
	return &Memory{most: most, each: each, now: now, values: map[Key]*held{}}
}

// Resize changes how many bytes are kept together; what is too much is forgotten.
func (m *Memory) Resize(most int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most, m.each = most, most
	m.makeRoom(0)
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key Key) ([]byte, time.Duration, error) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.alive(key, now)
	if h == nil {
		return nil, 0, nil
	}
	m.unlink(h)
	m.link(h)
	return h.value, now.Sub(h.set), nil
}

// Set implements Store.
func (m *Memory) Set(_ context.Context, key Key, value []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(key, value, m.now(), ttl)
}

// Add implements Store.
func (m *Memory) Add(_ context.Context, key Key, value []byte, ttl time.Duration) ([]byte, error) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.alive(key, now); h != nil {
		return h.value, nil
	}
	return value, m.put(key, value, now, ttl)
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, key Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.values[key]; h != nil {
		m.drop(h)
	}
	return nil
}

// Size implements Store.
func (m *Memory) Size() (entries, bytes, evicted int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.values)), m.bytes, m.evicted
}

// alive finds what has not expired.
func (m *Memory) alive(key Key, now time.Time) *held {
	h := m.values[key]
	if h != nil && !now.Before(h.expires) {
		m.drop(h)
		return nil
	}
	return h
}

func (m *Memory) put(key Key, value []byte, now time.Time, ttl time.Duration) error {
	if h := m.values[key]; h != nil {
		m.drop(h)
	}
	size := int64(len(value)) + overhead
	if size > m.each {
		return ErrTooLarge
	}
	for h := m.oldest; h != nil && !now.Before(h.expires); h = m.oldest {
		m.drop(h) // what nobody asks for any more need not wait until there is no room
	}
	m.makeRoom(size)
	h := &held{key: key, value: value, set: now, expires: now.Add(ttl)}
	m.values[key] = h
	m.bytes += size
	m.link(h)
	return nil
}

func (m *Memory) makeRoom(size int64) {
	for m.oldest != nil && m.bytes+size > m.most {
		m.drop(m.oldest)
		m.evicted++
	}
}

func (m *Memory) drop(h *held) {
	m.unlink(h)
	delete(m.values, h.key)
	m.bytes -= int64(len(h.value)) + overhead
}

func (m *Memory) link(h *held) {
	h.older, h.newer = m.newest, nil
	if m.newest != nil {
		m.newest.newer = h
	} else {
		m.oldest = h
	}
	m.newest = h
}

func (m *Memory) unlink(h *held) {
	if h.older != nil {
		h.older.newer = h.newer
	} else {
		m.oldest = h.newer
	}
	if h.newer != nil {
		h.newer.older = h.older
	} else {
		m.newest = h.older
	}
}
