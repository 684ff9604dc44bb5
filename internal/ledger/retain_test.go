package ledger

import (
	"crypto/rand"
	"errors"
	"os"
	"testing"
	"time"

	"causeway/internal/journey"
)

// eventually waits for what the ledger's goroutine will bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 10 s: " + what)
		}
	}
}

// bulky is a call that takes 100 kB in the store.
func bulky(start time.Time) *journey.Journey {
	j := goodCall(start)
	j.ResponseBody = make([]byte, 100_000)
	_, _ = rand.Read(j.ResponseBody) // does not compress
	return j
}

func TestCallsOlderThanKeepAreDeleted(t *testing.T) {
	l, db := withStore(t, t.TempDir(), quiet, func(o *Options) { o.Keep, o.RetainEvery = time.Hour, time.Millisecond })
	now := time.Now()
	var old []*journey.Journey
	for i := range 30 {
		j := goodCall(now.Add(-time.Hour - time.Duration(i+1)*time.Minute))
		old = append(old, j)
		keepCall(t, l, j)
		flushed(t, l)
	}
	young := goodCall(now.Add(-50 * time.Minute))
	keepCall(t, l, young)
	flushed(t, l)
	eventually(t, "only the young call is left", func() bool { return storedCalls(t, db) == 1 })
	if _, err := l.Get(t.Context(), young.ID); err != nil {
		t.Errorf("the young call: %v", err)
	}
	if _, err := l.Get(t.Context(), old[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("an old call: %v", err)
	}
	eventually(t, "the chunks are counted", func() bool { return l.Stats().Deleted == 30 })
	l.SetLimits(Limits{Keep: time.Minute})
	eventually(t, "the new limit holds", func() bool { return storedCalls(t, db) == 0 })
}

func TestMaxSizeBoundsTheFileAndTheOldestGoFirst(t *testing.T) {
	const most = 4 << 20
	l, db := withStore(t, t.TempDir(), quiet, func(o *Options) { o.RetainEvery = time.Millisecond })
	start := time.Now().Add(-time.Hour)
	var calls []*journey.Journey
	for i := range 300 { // 30 MB
		j := bulky(start.Add(time.Duration(i) * time.Second))
		calls = append(calls, j)
		keepCall(t, l, j)
		if i%10 == 9 {
			flushed(t, l) // a chunk holds only calls of neighbouring times
		}
	}
	if used, _, err := db.Size(t.Context()); err != nil || used < 20<<20 {
		t.Fatalf("%d bytes in use, %v", used, err)
	}
	l.SetLimits(Limits{MaxSize: most})
	eventually(t, "the file is small again", func() bool {
		used, free, err := db.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return used <= most && free <= shrinkFrom
	})
	left := all(t, l, Query{Limit: 500})
	if len(left) < 10 || len(left) > 60 || left[0].ID != calls[299].ID {
		t.Errorf("%d calls are left", len(left))
	}
	// Chunks go whole, so the order is exact but for the calls of one.
	if oldest := calls[300-len(left)-20]; left[len(left)-1].Start.Before(oldest.Start) {
		t.Errorf("an old call is left: %s", left[len(left)-1].ID)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(db.Path()); err != nil || info.Size() > most+shrinkFrom+1<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}

func TestRetentionKeepsUpWithCallsThatComeIn(t *testing.T) {
	const most = 2 << 20
	l, db := withStore(t, t.TempDir(), func(o *Options) { o.MaxSize, o.RetainEvery = most, time.Millisecond })
	var worst int64
	for i := range 200 {
		keepCall(t, l, bulky(time.Now()))
		if i%10 == 0 {
			flushed(t, l)
			used, _, err := db.Size(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			worst = max(worst, used)
		}
	}
	if worst > most+4<<20 {
		t.Errorf("%d bytes in use at times", worst)
	}
}
