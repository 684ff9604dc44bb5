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
}

type cell struct {
	used     int64
	kept     int64 // of used, what the store has
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
func (m *Memory) Reserve(_ context.Context, key, id string, amount Amount, limit int64, ends time.Time) (Verdict, State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(time.Now())
	c := m.cell(key, ends)
	state := State{c.used, c.reserved}
	switch {
	case c.used >= limit:
		return Spent, state, nil
	case c.used+amount.Least > limit:
		return Short, state, nil
	case c.used+c.reserved+amount.Likely <= limit, len(c.leases) == 0:
		c.leases[id] += amount.Likely
		c.reserved += amount.Likely
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

// Join takes over what the store has, which another process may have written to as well, and lists what it should have:
// the windows that are not over, with what was used here since the last time. changed is false where the store has
// that already. What was listed and is written is told to Wrote.
func (m *Memory) Join(stored []Kept) (list []Kept, changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, k := range stored {
		if !now.Before(k.Ends) {
			continue
		}
		c := m.cell(k.Key, k.Ends)
		c.used, c.kept = c.used+k.Used-c.kept, k.Used
	}
	for key, c := range m.cells {
		if now.Before(c.ends) && c.used > 0 {
			list, changed = append(list, Kept{key, c.used, c.ends}), changed || c.used != c.kept
		}
	}
	return list, changed
}

// Wrote notes that the store has what Join has listed.
func (m *Memory) Wrote(list []Kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range list {
		m.cell(k.Key, k.Ends).kept = k.Used
	}
}
