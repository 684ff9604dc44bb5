package responses

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a Store in memory, for a gateway without a data folder. It never holds more than the size it was
// made with: the oldest records go first.
type Memory struct {
	max int64

	mu      sync.Mutex
	records map[key]*Record
	order   []*Record // as they were put; those replaced or deleted stay until they come to the front
	size    int64
}

var _ Store = (*Memory)(nil)

// NewMemory returns a Memory of at most maxSize bytes.
func NewMemory(maxSize int64) *Memory {
	return &Memory{max: maxSize, records: map[key]*Record{}}
}

// PutResponses implements Store.
func (m *Memory) PutResponses(_ context.Context, records []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		at := key{r.Tenant, r.ID}
		m.drop(at)
		m.records[at] = &r
		m.order = append(m.order, &r)
		m.size += r.Size()
		if r.Root == r.ID {
			continue // the first of its conversation
		}
		for _, other := range m.records {
			if other.Tenant == r.Tenant && other.Root == r.Root && other.Expires.Before(r.Expires) {
				other.Expires = r.Expires
			}
		}
	}
	m.shrink(m.max)
	m.tidy()
	return nil
}

// tidy takes out of the order what is not there any more, when that has become the most of it.
func (m *Memory) tidy() {
	if len(m.order) > 2*len(m.records)+64 {
		m.order = slices.DeleteFunc(m.order, func(r *Record) bool { return m.records[key{r.Tenant, r.ID}] != r })
	}
}

func (m *Memory) drop(at key) bool {
	r := m.records[at]
	if r == nil {
		return false
	}
	delete(m.records, at)
	m.size -= r.Size()
	return true
}

// shrink removes the oldest until the rest fits.
func (m *Memory) shrink(limit int64) (removed int64) {
	for len(m.order) > 0 {
		oldest := m.order[0]
		at := key{oldest.Tenant, oldest.ID}
		live := m.records[at] == oldest
		if live && m.size <= limit {
			break
		}
		if live {
			m.drop(at)
			removed++
		}
		m.order[0] = nil
		m.order = m.order[1:]
	}
	return removed
}

// Response implements Store.
func (m *Memory) Response(_ context.Context, tenant, id string, now time.Time) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[key{tenant, id}]
	if r == nil || !now.Before(r.Expires) {
		return Record{}, ErrNotFound
	}
	return *r, nil
}

// DeleteResponse implements Store.
func (m *Memory) DeleteResponse(_ context.Context, tenant, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.drop(key{tenant, id}) {
		return ErrNotFound
	}
	return nil
}

// SweepResponses implements Store.
func (m *Memory) SweepResponses(_ context.Context, now time.Time, maxSize int64) (removed int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at, r := range m.records {
		if !now.Before(r.Expires) {
			m.drop(at)
			removed++
		}
	}
	return removed + m.shrink(min(maxSize, m.max)), nil
}
