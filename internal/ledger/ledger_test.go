package ledger

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"causeway/internal/journey"
	"causeway/internal/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		childMain(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// goodCall is a typical good REST call that began at a time.
func goodCall(start time.Time) *journey.Journey {
	j := &journey.Journey{}
	j.Reset()
	j.ID, j.Start = journey.NewID(start), start
	j.Remote, j.Method, j.Host, j.Path, j.Protocol = "127.0.0.1", "GET", "127.0.0.1:8080", "/orders/7c31a/items", "HTTP/1.1"
	j.Service, j.Route, j.Application = "orders", "/orders/*", "web"
	j.Status, j.BytesOut, j.Generation = 200, 1024, 3
	j.Trace = [16]byte{1, 9, 3, 200, 5, 77, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	j.Routed, j.Admitted, j.FirstByte, j.Total = 3100, 5200, 412_345, 431_002
	*j.NewAttempt() = journey.Attempt{
		Target: "http://127.0.0.1:9001", Address: "127.0.0.1:9001", Start: 6100, Reused: true, ConnUses: 812,
		ConnIdle: 1_234_567, ConnAge: 45_000_000_000, Phase: journey.PhaseDone, End: journey.EndComplete,
		SendTime: 11_000, FirstByte: 380_000, Total: 401_000, BytesOut: 311, BytesIn: 1190, BodyIn: 1024, BodyInLen: 1024,
		SendComplete: true, Status: 200,
	}
	return j
}

// nowhere is a store that takes everything and has nothing.
type nowhere struct{}

func (nowhere) Chunks(context.Context, journey.ChunkPage) ([]journey.Chunk, error) { return nil, nil }

func (nowhere) ChunkData(context.Context, int64) ([]byte, error)         { return nil, nil }
func (nowhere) AppendChunks(context.Context, journey.Batch) error        { return nil }
func (nowhere) SpoolMarks(context.Context) ([]journey.SpoolMark, error)  { return nil, nil }
func (nowhere) DropChunks(context.Context, journey.ID, int) (int, error) { return 0, nil }
func (nowhere) Size(context.Context) (int64, int64, error)               { return 0, 0, nil }
func (nowhere) Shrink(context.Context, int64) error                      { return nil }

// newLedger opens a ledger and closes it with the test.
func newLedger(t testing.TB, dir string, change func(o *Options)) *Ledger {
	t.Helper()
	opts := Options{Dir: dir}
	change(&opts)
	l, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// withStore opens a ledger on a real database in the folder.
func withStore(t testing.TB, dir string, change ...func(o *Options)) (*Ledger, *store.DB) {
	t.Helper()
	db := openStore(t, dir)
	return newLedger(t, dir, func(o *Options) {
		o.Store = db
		for _, f := range change {
			f(o)
		}
	}), db
}

func openStore(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// keepCall keeps a call as the gateway does.
func keepCall(t testing.TB, l *Ledger, j *journey.Journey) {
	t.Helper()
	slot, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
	if err == nil {
		slot.SetService(j.Service)
		err = slot.Commit(AppendRecord(nil, j))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flushed(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// finder is what a Ledger and a Reader have in common.
type finder interface {
	Get(ctx context.Context, id journey.ID) (journey.Journey, error)
	Search(ctx context.Context, q Query) (Page, error)
}

// all pages through everything that a query finds.
func all(t testing.TB, f finder, q Query) (calls []journey.Journey) {
	t.Helper()
	for {
		page, err := f.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, page.Calls...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return calls
		}
	}
}

// storedCalls counts the calls in the store's chunks, those kept twice as well.
func storedCalls(t testing.TB, db *store.DB) (n int) {
	t.Helper()
	chunks, err := db.Chunks(t.Context(), journey.ChunkPage{Below: maxID, Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		n += c.Count
	}
	return n
}

// crash copies a data folder as it would be found if its process were killed now. The ledger must
// not be draining at the moment.
func crash(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// quiet keeps a ledger from draining by itself.
func quiet(o *Options) { o.DrainEvery = time.Hour }
