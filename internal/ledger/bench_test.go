package ledger

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"causeway/internal/journey"
	"causeway/internal/store"
)

// variedCalls makes records of good REST calls that differ as real ones do.
func variedCalls(n int) []*journey.Journey {
	calls := make([]*journey.Journey, n)
	for i := range calls {
		j := goodCall(time.Now())
		j.Path = fmt.Sprintf("/orders/%d/items", rand.IntN(1_000_000))
		for k := range j.Trace {
			j.Trace[k] = byte(rand.Uint32())
		}
		j.Routed = time.Duration(2000 + rand.IntN(2000))
		j.Admitted = j.Routed + time.Duration(1000+rand.IntN(2000))
		j.FirstByte = time.Duration(300_000 + rand.IntN(1_000_000))
		j.Total = j.FirstByte + time.Duration(rand.IntN(50_000))
		a := &j.Attempts[0]
		a.ConnUses, a.ConnIdle, a.ConnAge = rand.IntN(10_000), time.Duration(rand.IntN(1e7)), time.Duration(rand.Int64N(1e11))
		a.SendTime, a.FirstByte, a.Start = time.Duration(10_000+rand.IntN(10_000)), time.Duration(rand.IntN(1e6)), j.Admitted+1000
		a.Total = a.FirstByte + time.Duration(rand.IntN(20_000))
		calls[i] = j
	}
	return calls
}

func processCPU() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// pause lets the drainer catch up, outside of the measured time: a gateway does more than log.
func pause(b *testing.B, l *Ledger, made int) {
	if made%2048 != 0 || l.Stats().BacklogBytes < 8<<20 {
		return
	}
	b.StopTimer()
	for l.Stats().BacklogBytes > 1<<20 {
		if err := l.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.StartTimer()
}

func BenchmarkOpenCommit(b *testing.B) {
	l := newLedger(b, b.TempDir(), func(o *Options) { o.Store = nowhere{} })
	record := goodCall(time.Now()).AppendRecord(nil)
	record = append(record, make([]byte, 250-len(record))...) // a reader skips what it does not know
	id, start := journey.NewID(time.Now()), time.Now().UnixNano()
	b.ReportAllocs()
	made := 0
	for b.Loop() {
		slot, err := l.Open(id, start, "GET", "/orders/1234567/items")
		if err == nil {
			slot.SetService("orders")
			err = slot.Commit(record)
		}
		if err != nil {
			b.Fatal(err)
		}
		made++
		pause(b, l, made)
	}
}

// BenchmarkWholeCost is the ledger's share of a call's processor time: encoding, Open, Commit and
// all that happens in the background until SQLite has the call, retention included.
func BenchmarkWholeCost(b *testing.B) {
	dir := b.TempDir()
	db, err := store.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	l := newLedger(b, dir, func(o *Options) {
		o.Store, o.MaxSize, o.RetainEvery = db, 32<<20, 50*time.Millisecond
	})
	calls := variedCalls(4096)
	next := func(made int) *journey.Journey {
		j := calls[made%len(calls)]
		j.Start = time.Now()
		j.ID = journey.NewID(j.Start)
		return j
	}
	const trial = 200_000 // what next costs is not the ledger's
	cpu := processCPU()
	for i := range trial {
		next(i)
	}
	own := float64((processCPU() - cpu).Nanoseconds()) / trial
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.ResetTimer()
	cpu, made := processCPU(), 0
	for b.Loop() {
		j := next(made)
		made++
		slot, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
		if err == nil {
			slot.SetService(j.Service)
			buf = AppendRecord(buf[:0], j)
			err = slot.Commit(buf)
		}
		if err != nil {
			b.Fatal(err)
		}
		pause(b, l, made)
	}
	if err := l.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((processCPU()-cpu).Nanoseconds())/float64(made)-own, "cpu-ns/call")
	used, free, _ := db.Size(b.Context())
	b.ReportMetric(float64(used+free)/(1<<20), "MiB-kept")
	s := l.Stats()
	if s.Drained != int64(made) || s.Dropped != 0 {
		b.Fatalf("%d calls made, stats %+v", made, s)
	}
}
