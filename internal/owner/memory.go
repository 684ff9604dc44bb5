package owner

import (
	"context"
	"slices"
	"sync"
)

// Memory is a Store that forgets with the process.
type Memory struct {
	mu      sync.Mutex
	records []Record // the newest last
	billed  map[place]bool
}

type place struct{ provider, id string }

var _ Store = (*Memory)(nil)

// NewMemory returns an empty one.
func NewMemory() *Memory { return &Memory{billed: map[place]bool{}} }

// PutOwned implements Store.
func (m *Memory) PutOwned(_ context.Context, r Record, replace bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.at(r.Provider, r.ID)
	switch {
	case i >= 0 && !replace:
		return nil
	case i >= 0:
		m.records = slices.Delete(m.records, i, i+1)
		delete(m.billed, place{r.Provider, r.ID})
	}
	m.records = append(m.records, r)
	return nil
}

func (m *Memory) at(provider, id string) int {
	return slices.IndexFunc(m.records, func(r Record) bool { return r.Provider == provider && r.ID == id })
}

// Owned implements Store.
func (m *Memory) Owned(_ context.Context, id string) (list []Record, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range slices.Backward(m.records) {
		if r.ID == id {
			list = append(list, r)
		}
	}
	return list, nil
}

// OwnedBy implements Store.
func (m *Memory) OwnedBy(_ context.Context, tenant, provider, kind string) (ids []string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Tenant == tenant && r.Provider == provider && r.Kind == kind {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

// DropOwned implements Store.
func (m *Memory) DropOwned(_ context.Context, provider, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.at(provider, id); i >= 0 {
		m.records = slices.Delete(m.records, i, i+1)
		delete(m.billed, place{provider, id})
	}
	return nil
}

// BillOwned implements Store.
func (m *Memory) BillOwned(_ context.Context, provider, id string) (first bool, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := place{provider, id}
	first = m.at(provider, id) >= 0 && !m.billed[at]
	m.billed[at] = m.billed[at] || first
	return first, nil
}
