package ledger

import (
	"context"
	"runtime"
	"time"

	"causeway/internal/journey"
)

const (
	batchTarget = 256 << 10 // bytes of records taken over in one transaction
	// yieldEvery is after how many records the drainer lets calls run: some 100 us.
	yieldEvery = 128
	// yieldFor outlasts the way to the scheduler's look at the sockets, and not much more.
	yieldFor    = 20 * time.Microsecond
	backoffLow  = 100 * time.Millisecond
	backoffHigh = 15 * time.Second
)

// drainer moves calls from the spool to the store and old ones out of it. Its methods belong to
// one goroutine.
type drainer struct {
	spool  *spool
	store  ChunkStore
	damage *damaged
	tap    func(record []byte) // nil: nobody

	builders [len(lengthClasses) + 1]builder
	batch    journey.Batch
	spare    []journey.Chunk // their memory is used again
	found    []badRecord     // of this batch, reported once it is in the store
	reads    []read
	records  int64
	begun    int64 // calls opened when it yielded last
}

// read is how far a segment was read for a batch.
type read struct {
	seg  *segment
	to   int64
	done bool
}

type badRecord struct {
	seg    *segment
	at     int64
	reason string
	bytes  []byte
}

func newDrainer(sp *spool, store ChunkStore, damage *damaged) *drainer {
	d := &drainer{spool: sp, store: store, damage: damage}
	for i := range d.builders {
		d.builders[i].reset()
	}
	return d
}

// pass moves one batch, and returns how many calls it moved. more tells that there was more than a
// batch. With an error nothing was moved, and the calls stay in the spool.
func (d *drainer) pass(ctx context.Context) (moved int64, more bool, err error) {
	d.begin()
	size := int64(0)
	for _, seg := range d.spool.segments() {
		r := read{seg: seg, to: seg.drained.Load()}
		size += d.readSegment(&r, batchTarget-size)
		d.reads = append(d.reads, r)
		if size >= batchTarget {
			more = true
			break
		}
	}
	for i := range d.builders {
		d.flush(&d.builders[i])
	}
	if err := d.keep(ctx); err != nil {
		return 0, false, err
	}
	for i := range d.reads {
		r := &d.reads[i]
		r.seg.drained.Store(r.to)
		if r.done && r.seg.sealed.Load() {
			d.tapSegment(r.seg)
			r.seg.tapped = 0
			d.spool.recycle(r.seg)
			d.yield() // clearing a segment takes a while too
		}
	}
	return d.records, more, nil
}

func (d *drainer) begin() {
	d.spare = append(d.spare, d.batch.Chunks...)
	d.batch.Chunks, d.batch.Marks = d.batch.Chunks[:0], d.batch.Marks[:0]
	d.found, d.reads, d.records = d.found[:0], d.reads[:0], 0
	for i := range d.builders { // something is left in them when a pass failed
		d.builders[i].reset()
	}
}

// readSegment collects records until there are no more or size bytes are reached.
func (d *drainer) readSegment(r *read, size int64) (got int64) {
	walk := records{mem: r.seg.mem, pos: r.to, settled: r.seg.found}
	var sum journey.Summary
	for n := 1; got < size; n++ {
		at := walk.pos
		record, bad, reason, done := walk.next()
		if record != nil {
			if err := journey.ReadSummary(record, &sum); err != nil {
				bad, reason = record, err.Error()
			} else {
				d.add(record, &sum)
				got += int64(len(record))
			}
		}
		if bad != nil {
			d.found = append(d.found, badRecord{r.seg, at, reason, bad})
		}
		if done || record == nil && bad == nil {
			r.done = done
			break
		}
		if n%yieldEvery == 0 {
			d.yield()
		}
	}
	r.to = walk.pos
	return got
}

func (d *drainer) add(record []byte, sum *journey.Summary) {
	class := 0
	for class < len(lengthClasses) && sum.Total > lengthClasses[class] {
		class++
	}
	b := &d.builders[class]
	b.add(record, sum)
	d.records++
	if len(b.raw) >= chunkTarget {
		d.flush(b)
	}
}

func (d *drainer) flush(b *builder) {
	if b.count == 0 {
		return
	}
	var reuse journey.Chunk
	if n := len(d.spare); n > 0 {
		reuse, d.spare = d.spare[n-1], d.spare[:n-1]
	}
	d.batch.Chunks = append(d.batch.Chunks, b.chunk(reuse))
	b.reset()
	d.yield()
}

// yield lets calls run that wait for the processor or for a socket. runtime.Gosched alone would not
// look at the sockets: the scheduler polls them only when nothing else can run, so that on a single
// processor every call would wait for the whole batch. Where no calls come in it does not wait.
func (d *drainer) yield() {
	begun := int64(0)
	for i := range d.spool.shards {
		begun += d.spool.shards[i].opened.Load()
	}
	if begun == d.begun {
		runtime.Gosched()
		return
	}
	d.begun = begun
	time.Sleep(yieldFor)
}

// keep gives the batch to the store.
func (d *drainer) keep(ctx context.Context) error {
	d.spool.mu.Lock()
	forget := d.spool.forget
	d.spool.mu.Unlock()
	d.batch.Forget = forget
	for _, r := range d.reads {
		if r.to != r.seg.drained.Load() && r.seg.seq != 0 {
			d.batch.Marks = append(d.batch.Marks, journey.SpoolMark{Segment: r.seg.seq, Offset: r.to})
		}
	}
	if len(d.batch.Chunks)+len(d.batch.Marks)+len(forget) == 0 {
		return nil
	}
	if err := d.store.AppendChunks(ctx, d.batch); err != nil {
		return err
	}
	for _, f := range d.found {
		d.damage.add(f.seg.path, f.at, f.reason, f.bytes)
	}
	d.spool.mu.Lock()
	d.spool.forget = d.spool.forget[len(forget):]
	d.spool.mu.Unlock()
	return nil
}
