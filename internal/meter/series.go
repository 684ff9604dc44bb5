package meter

import (
	"sync"
	"sync/atomic"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// The directions of tokens. Cached and cache-write tokens are part of the input, reasoning tokens
// part of the output, as the providers' usage members define them.
const (
	tokensInput = iota
	tokensOutput
	tokensCached
	tokensCacheWrite
	tokensReasoning
	tokenDirections
)

var directionNames = [tokenDirections]string{"input", "output", "cached", "cache_write", "reasoning"}

// Series is the handle of one service, or of one model at one provider. Its methods may be called
// concurrently, also after a newer configuration has dropped its name.
type Series struct {
	meter  *Meter
	labels labels
	shards []shard

	mu sync.Mutex // held to add a cell, never to count
	// cells are indexed by application; the slice is replaced, not changed.
	cells atomic.Pointer[[]*cell]

	failures        []atomic.Uint64 // by kind: what callers were told
	attemptFailures []atomic.Uint64 // by kind: what single attempts ended with
	rpc             rpcCounts
	tunnels         tunnelCounts
}

// shard is one shard of a series' counters, whole cache lines long.
type shard struct {
	duration  histogram
	firstByte histogram
	bytesIn   atomic.Uint64
	bytesOut  atomic.Uint64
	attempts  atomic.Uint64
	retries   atomic.Uint64
	events    atomic.Uint64
	cut       atomic.Uint64
	tokens    [tokenDirections]atomic.Uint64
	_         [lineSize - shardWords*8%lineSize]byte
}

const shardWords = 2*(len(bounds)+2) + 6 + tokenDirections

// cell counts the calls of one application by status: counts[shard*codeStride+slot].
type cell struct {
	app    *Application // nil: calls without an application
	counts []atomic.Uint64
	cost   atomic.Uint64 // billionths of a dollar
}

func newSeries(m *Meter, l labels) *Series {
	s := &Series{
		meter:           m,
		labels:          l,
		shards:          make([]shard, m.shards),
		failures:        make([]atomic.Uint64, len(m.kinds.names)),
		attemptFailures: make([]atomic.Uint64, len(m.kinds.names)),
	}
	s.cells.Store(&[]*cell{})
	return s
}

// Call counts one ended call: its status and application, its durations, bytes, attempts and
// tokens, and its failure if it had one. app is nil for a call without an application. Nothing of j
// is kept.
func (s *Series) Call(app *Application, j *journey.Journey) {
	n := s.meter.shard()
	who := s.cell(app)
	who.counts[n*codeStride+slotOf(j.Status)].Add(1)
	if j.Usage.Priced {
		add(&who.cost, j.Usage.Cost)
	}

	sh := &s.shards[n]
	sh.duration.observe(j.Total)
	if j.FirstByte > 0 {
		sh.firstByte.observe(j.FirstByte)
	}
	add(&sh.bytesIn, j.BytesIn)
	add(&sh.bytesOut, j.BytesOut)
	if tries := len(j.Attempts); tries > 0 {
		sh.attempts.Add(uint64(tries))
		add(&sh.retries, int64(tries-1))
		for i := range j.Attempts {
			if kind := j.Attempts[i].Kind; kind != "" {
				s.attemptFailures[s.meter.kinds.index(kind)].Add(1)
			}
			if t := j.Attempts[i].Tunnel; t != nil {
				s.tunnels.add(t)
			}
		}
	}
	if j.Usage.Source != "" && j.Usage.Source != journey.FromCache {
		add(&sh.tokens[tokensInput], j.Usage.Input)
		add(&sh.tokens[tokensOutput], j.Usage.Output)
		add(&sh.tokens[tokensCached], j.Usage.Cached)
		add(&sh.tokens[tokensCacheWrite], j.Usage.CacheWrite)
		add(&sh.tokens[tokensReasoning], j.Usage.Reasoning)
	}
	if j.Finding != nil {
		s.failures[s.meter.kinds.index(j.Finding.Kind)].Add(1)
	}
	if j.Cut {
		sh.cut.Add(1)
	}
	if j.RPC != nil {
		s.rpc.add(j.RPC)
	}
}

// Events counts n server-sent events that were passed on; a stream reports them once, at its end.
func (s *Series) Events(n int64) { add(&s.shards[s.meter.shard()].events, n) }

// add leaves out zero and "not said" (-1), which saves the atomic operation as well.
func add(c *atomic.Uint64, n int64) {
	if n > 0 {
		c.Add(uint64(n))
	}
}

// cell finds the counters of an application's calls, and makes them on its first call.
func (s *Series) cell(app *Application) *cell {
	i := 0
	if app != nil {
		i = app.index
	}
	if cells := *s.cells.Load(); i < len(cells) && cells[i] != nil {
		return cells[i]
	}
	return s.addCell(app, i)
}

func (s *Series) addCell(app *Application, i int) *cell {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.cells.Load()
	if i < len(old) && old[i] != nil {
		return old[i]
	}
	cells := make([]*cell, max(len(old), i+1))
	copy(cells, old)
	cells[i] = &cell{app: app, counts: make([]atomic.Uint64, s.meter.shards*codeStride)}
	s.cells.Store(&cells)
	return cells[i]
}

// kindTable numbers the catalogue's failure kinds; the last number is for those not in it.
type kindTable struct {
	numbers map[fault.Kind]int
	names   []string
}

func newKindTable(catalogue []fault.Entry) kindTable {
	t := kindTable{numbers: make(map[fault.Kind]int, len(catalogue))}
	for i := range catalogue {
		t.numbers[catalogue[i].Kind] = i
		t.names = append(t.names, string(catalogue[i].Kind))
	}
	t.names = append(t.names, Other)
	return t
}

func (t *kindTable) index(k fault.Kind) int {
	if i, ok := t.numbers[k]; ok {
		return i
	}
	return len(t.names) - 1
}
