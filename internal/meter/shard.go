package meter

import "sync/atomic"

const (
	maxShards = 8
	lineSize  = 64 // bytes in a cache line on what we run on
)

// shardCount is a power of two, at least one shard per processor up to maxShards.
func shardCount(procs int) int {
	n := 1
	for n < procs && n < maxShards {
		n *= 2
	}
	return n
}

// pin is a shard's number, kept in a sync.Pool: the pool hands a processor the pin that was last
// used on it, which is as near to "my core's shard" as Go lets us come.
type pin struct{ shard int }

// pinner is the New of the pool. It hands out shards in turn and never allocates.
func pinner(shards int) func() any {
	pins := make([]pin, shards)
	for i := range pins {
		pins[i].shard = i
	}
	var next atomic.Uint32
	return func() any { return &pins[int(next.Add(1))&(shards-1)] }
}

// shard is the number of the shard that this goroutine's processor should add to.
func (m *Meter) shard() int {
	if m.shards == 1 {
		return 0
	}
	p := m.pins.Get().(*pin)
	n := p.shard
	m.pins.Put(p)
	return n
}
