package budget

import (
	"context"
	"sync"
	"time"
)

// Memory keeps counters in this process. The zero value is not ready: use NewMemory.
type Memory struct {
	mu    sync.Mutex
	cells map[string]*cell
	sweep time.Time
	dirty bool
}

type cell struct {
	used     int64
	reserved int64
	leases   map[string]int64
	ends     time.Time
	changed  chan struct{}
}

// sweepEvery is how often windows that are over are looked for.
const sweepEvery = time.Minute

// NewMemory returns counters that are all zero.
func NewMemory() *Memory { return &Memory{cells: map[string]*cell{}} }

func (m *Memory) cell(key string, ends time.Time) *cell {
	c := m.cells[key]
	if c == nil {
		c = &cell{leases: map[string]int64{}, ends: ends, changed: make(chan struct{})}
		m.cells[key] = c
	}
	return c
}

func (m *Memory) forget(now time.Time) {
	if now.Before(m.sweep) {
		return
	}
	m.sweep = now.Add(sweepEvery)
	for key, c := range m.cells {
		if now.After(c.ends) && len(c.leases) == 0 {
			delete(m.cells, key)
		}
	}
}

// Reserve implements Counters.
func (m *Memory) Reserve(_ context.Context, key, id string, amount, limit int64, ends time.Time) (Verdict, State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(time.Now())
	c := m.cell(key, ends)
	state := State{c.used, c.reserved}
	switch {
	case c.used >= limit:
		return Spent, state, nil
	case c.used+c.reserved+amount <= limit, len(c.leases) == 0:
		c.leases[id] += amount
		c.reserved += amount
		return Granted, state, nil
	}
	return Busy, state, nil
}

// Settle implements Counters.
func (m *Memory) Settle(_ context.Context, key, id string, used int64, ends time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.cell(key, ends)
	c.reserved -= c.leases[id]
	delete(c.leases, id)
	c.used += used
	m.dirty = true
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// Look implements Counters.
func (m *Memory) Look(_ context.Context, key string) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.cells[key]; c != nil {
		return State{c.used, c.reserved}, nil
	}
	return State{}, nil
}

// Changed implements Counters.
func (m *Memory) Changed(key string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.cells[key]; c != nil {
		return c.changed
	}
	return nil
}

// Kept is a window as it outlives the process.
type Kept struct {
	Key  string
	Used int64
	Ends time.Time
}

// Changes lists the windows that are not over, when something has changed since the last time; nil when not.
func (m *Memory) Changes() (list []Kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirty {
		return nil
	}
	m.dirty = false
	now := time.Now()
	for key, c := range m.cells {
		if now.Before(c.ends) && c.used > 0 {
			list = append(list, Kept{key, c.used, c.ends})
		}
	}
	return list
}

// Restore adds what was kept.
func (m *Memory) Restore(list []Kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range list {
		m.cell(k.Key, k.Ends).used += k.Used
	}
}
