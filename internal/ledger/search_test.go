package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// drawCall makes a call of which every field that a query knows takes few values.
func drawCall(rt *rapid.T) *journey.Journey {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(rt, label) }
	start := noon.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(rt, "start")) * time.Millisecond)
	j := &journey.Journey{}
	j.Reset()
	j.ID, j.Start = journey.NewID(start), start
	j.Service, j.Route = pick("service", "", "orders", "users"), pick("route", "", "/orders/*", "/users/{id}")
	j.Application, j.Provider = pick("application", "", "web", "app"), pick("provider", "", "openai", "llama")
	j.Model, j.TargetModel = pick("model", "", "fast", "slow"), pick("target", "", "fast", "gpt-4o")
	j.Method, j.Path = pick("method", "GET", "POST"), pick("path", "/orders/1", "/orders/2", "/users/1")
	j.Status = rapid.SampledFrom([]int{0, 200, 204, 404, 500, 502}).Draw(rt, "status")
	j.Total = rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, 2 * time.Second, time.Hour}).Draw(rt, "total")
	if rapid.Bool().Draw(rt, "failed") {
		j.Finding = &fault.Finding{Kind: fault.Kind(pick("kind", "connection_refused", "caller_gone"))}
	}
	j.RequestBody = bytes.Repeat([]byte("b"), rapid.SampledFrom([]int{0, 10, 5000}).Draw(rt, "body"))
	return j
}

func drawQuery(rt *rapid.T) Query {
	pick := func(label string, from ...string) string {
		return rapid.SampledFrom(append(from, "", "", "", "")).Draw(rt, label)
	}
	when := func(label string) time.Time {
		if rapid.IntRange(0, 2).Draw(rt, label) > 0 {
			return time.Time{}
		}
		return noon.Add(time.Duration(rapid.IntRange(-100, 20_100).Draw(rt, label)) * time.Millisecond)
	}
	return Query{
		From: when("from"), To: when("to"), Service: pick("service", "orders", "none"), Route: pick("route", "/orders/*"),
		Application: pick("application", "web"), Provider: pick("provider", "openai"), Kind: pick("kind", "connection_refused", "caller_gone"),
		Method: pick("method", "GET", "PUT"), Model: pick("model", "fast", "gpt-4o"), PathPrefix: pick("path", "/orders", "/orders/2", "/x"),
		StatusFrom: rapid.SampledFrom([]int{0, 0, 0, 204, 500}).Draw(rt, "status from"), StatusTo: rapid.SampledFrom([]int{0, 0, 0, 200, 499}).Draw(rt, "status to"),
		MinDuration: rapid.SampledFrom([]time.Duration{0, 0, 0, time.Second}).Draw(rt, "min"), MaxDuration: rapid.SampledFrom([]time.Duration{0, 0, 0, time.Second}).Draw(rt, "max"),
		FailedOnly: rapid.IntRange(0, 3).Draw(rt, "failed") == 0, Limit: rapid.IntRange(3, 30).Draw(rt, "limit"),
	}
}

// wanted says in plain words what a query asks.
func wanted(q Query, j *journey.Journey) bool {
	kind := ""
	if j.Finding != nil {
		kind = string(j.Finding.Kind)
	}
	for _, f := range [][2]string{{q.Service, j.Service}, {q.Route, j.Route}, {q.Application, j.Application}, {q.Provider, j.Provider}, {q.Kind, kind}, {q.Method, j.Method}} {
		if f[0] != "" && f[0] != f[1] {
			return false
		}
	}
	switch {
	case q.Model != "" && q.Model != j.Model && q.Model != j.TargetModel,
		!strings.HasPrefix(j.Path, q.PathPrefix),
		!q.From.IsZero() && j.Start.Before(q.From), !q.To.IsZero() && !j.Start.Before(q.To),
		q.StatusFrom > 0 && j.Status < q.StatusFrom, q.StatusTo > 0 && j.Status > q.StatusTo,
		q.MinDuration > 0 && j.Total < q.MinDuration, q.MaxDuration > 0 && j.Total > q.MaxDuration,
		q.FailedOnly && j.Finding == nil:
		return false
	}
	return true
}

// Whatever lies in the store, in the spool or in both, a search finds what a look at every call would.
func TestSearchMatchesBruteForce(t *testing.T) {
	dir := t.TempDir()
	l, db := withStore(t, dir, quiet, func(o *Options) { o.SegmentSize = 2 * MaxRecord })
	beside := openReader(t, dir)
	rapid.Check(t, func(rt *rapid.T) {
		flushed(t, l)
		for {
			if n, err := db.DropChunks(t.Context(), maxID, 100); err != nil || n == 0 {
				break
			}
		}
		calls := rapid.SliceOfN(rapid.Custom(drawCall), 0, 40).Draw(rt, "calls")
		for _, j := range calls {
			keepCall(t, l, j)
			if rapid.IntRange(0, 9).Draw(rt, "flush") == 0 {
				flushed(t, l)
			}
		}
		finders := []struct {
			name string
			finder
		}{{"the ledger", l}, {"the ledger", l}, {"a reader beside it", beside}}
		for _, f := range finders {
			q := drawQuery(rt)
			var want, got []journey.ID
			for _, j := range calls {
				if wanted(q, j) {
					want = append(want, j.ID)
				}
			}
			slices.SortFunc(want, func(a, b journey.ID) int { return bytes.Compare(b[:], a[:]) })
			for _, j := range all(t, f, q) {
				// A reader may see the spool's old records until their place is used again: here, calls
				// of earlier rounds, whose chunks were dropped.
				if f.finder != finder(beside) || slices.ContainsFunc(calls, func(c *journey.Journey) bool { return c.ID == j.ID }) {
					got = append(got, j.ID)
				}
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("%s: %+v found %d of %d:\n%v\nwant\n%v", f.name, q, len(got), len(want), got, want)
			}
		}
	})
}

func TestPagesStayStableWhileCallsComeIn(t *testing.T) {
	l, _ := withStore(t, t.TempDir(), quiet)
	ids := map[journey.ID]bool{}
	for i := range 90 {
		j := goodCall(time.Now().Add(time.Duration(i-200) * time.Millisecond))
		ids[j.ID] = true
		keepCall(t, l, j)
		if i == 40 {
			flushed(t, l)
		}
	}
	q := Query{Limit: 25}
	var sizes []int
	for {
		page, err := l.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Calls))
		for _, j := range page.Calls {
			if !ids[j.ID] {
				t.Errorf("%s is on two pages, or new", j.ID)
			}
			delete(ids, j.ID)
		}
		keepCall(t, l, goodCall(time.Now().Add(time.Hour))) // newer than all
		flushed(t, l)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(ids) != 0 || !slices.Equal(sizes, []int{25, 25, 25, 15}) {
		t.Errorf("%d calls were on no page; pages of %v", len(ids), sizes)
	}
	for _, cursor := range []string{"x", strings.Repeat("!", 26)} {
		if _, err := l.Search(t.Context(), Query{Cursor: cursor}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q gave %v", cursor, err)
		}
	}
}

func TestSearchLeavesBodiesOutAndGetHasThem(t *testing.T) {
	l, _ := withStore(t, t.TempDir(), quiet)
	j := goodCall(time.Now())
	j.RequestBody, j.ResponseBody = []byte("request"), make([]byte, 60_000)
	keepCall(t, l, j)
	for range 2 {
		page, err := l.Search(t.Context(), Query{})
		if err != nil || len(page.Calls) != 1 || page.Calls[0].RequestBody != nil || page.Calls[0].ResponseBody != nil || page.Calls[0].Path != j.Path {
			t.Errorf("%d calls, %v", len(page.Calls), err)
		}
		if got, err := l.Get(t.Context(), j.ID); err != nil || len(got.ResponseBody) != 60_000 || string(got.RequestBody) != "request" {
			t.Errorf("Get: %v", err)
		}
		flushed(t, l)
	}
}

// counted is a store that counts the chunks that are opened.
type counted struct {
	ChunkReader
	opened int
}

func (c *counted) ChunkData(ctx context.Context, key int64) ([]byte, error) {
	c.opened++
	return c.ChunkReader.ChunkData(ctx, key)
}

func TestSearchOpensFewChunks(t *testing.T) {
	l, db := withStore(t, t.TempDir(), quiet)
	var last journey.ID
	for i := range 300 { // a chunk each
		j := goodCall(noon.Add(time.Duration(i) * time.Second))
		if i == 5 {
			j = failedCall(j.Start)
			j.Service, j.Total, j.Method, j.Model = "rare", time.Minute, "PUT", "slow"
		}
		keepCall(t, l, j)
		flushed(t, l)
		last = j.ID
	}
	c := &counted{ChunkReader: db}
	r := &Reader{chunks: c, pending: func(func([]byte) bool) {}, log: l.opts.Log}
	for _, s := range []struct {
		name string
		q    Query
		want int
	}{
		{"the newest", Query{Limit: 10}, 11},
		{"by service", Query{Service: "rare"}, 1},
		{"by an unknown service", Query{Service: "none"}, 0},
		{"by kind", Query{Kind: string(fault.ConnectionRefused)}, 1},
		{"failed", Query{FailedOnly: true}, 1},
		{"by status", Query{StatusFrom: 500}, 1},
		{"slow ones", Query{MinDuration: time.Second}, 1},
		{"by method", Query{Method: "PUT"}, 1},
		{"by model", Query{Model: "slow"}, 1},
		{"by time", Query{From: noon.Add(100 * time.Second), To: noon.Add(110 * time.Second)}, 10},
	} {
		c.opened = 0
		if _, err := r.Search(t.Context(), s.q); err != nil || c.opened != s.want {
			t.Errorf("%s: %d chunks opened, want %d (%v)", s.name, c.opened, s.want, err)
		}
	}
	c.opened = 0
	if _, err := r.Get(t.Context(), last); err != nil || c.opened != 1 {
		t.Errorf("Get: %d chunks opened, %v", c.opened, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Search(ctx, Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that was cancelled gave %v", err)
	}
}

func TestLongCallsGetChunksOfTheirOwn(t *testing.T) {
	l, db := withStore(t, t.TempDir(), quiet)
	end := noon
	for i := range 300 {
		j := goodCall(end)
		if i%100 == 0 {
			j = goodCall(end.Add(-time.Hour))
			j.Total = time.Hour
		}
		keepCall(t, l, j)
		end = end.Add(time.Millisecond)
	}
	flushed(t, l)
	chunks, err := db.Chunks(t.Context(), journey.ChunkPage{Below: maxID, Limit: 10})
	if err != nil || len(chunks) != 2 {
		t.Fatalf("%d chunks, %v", len(chunks), err)
	}
	for _, c := range chunks {
		if d := c.Last.Time().Sub(c.First.Time()); d > time.Second {
			t.Errorf("a chunk of %d calls covers %v", c.Count, d)
		}
	}
}

func TestZone(t *testing.T) {
	var z zone
	z.reset()
	for i := range 40 {
		z.add(&journey.Summary{Service: fmt.Appendf(nil, "s%d", i), Route: []byte("r"), Method: []byte("GET"), Status: 200 + i, Total: time.Duration(i), Failed: i == 0})
	}
	got, err := readZone(z.append(nil))
	if err != nil || got.minStatus != 200 || got.maxStatus != 239 || got.maxTotal != 39 || got.failed != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, want := range [zoneFields]bool{zoneService: true, zoneRoute: false, zoneMethod: false} {
		if got.names[i].any != want {
			t.Errorf("field %d: any is %v", i, got.names[i].any)
		}
	}
	if s := &got.names[zoneRoute]; !s.mayHold("r") || !s.mayHold("") || s.mayHold("x") {
		t.Errorf("routes: %+v", s)
	}
	if !got.names[zoneService].mayHold("anything") {
		t.Error("a field with too many names rules one out")
	}
	long := nameSet{}
	long.add(make([]byte, zoneBytes+1))
	if !long.any {
		t.Error("a name that is too long was listed")
	}
	z.reset()
	if again, err := readZone(z.append(nil)); err != nil || again.names[zoneService].any || !reflect.DeepEqual(again.names[zoneRoute].list, [][]byte(nil)) {
		t.Errorf("after a reset: %+v, %v", again, err)
	}
	for n := range z.append(nil) {
		if _, err := readZone(z.append(nil)[:n]); err == nil {
			t.Errorf("cut after %d bytes: no error", n)
		}
	}
}

func FuzzReadZone(f *testing.F) {
	var z zone
	z.reset()
	z.add(&journey.Summary{Service: []byte("s"), Kind: []byte("k")})
	f.Add(z.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = readZone(b) })
}

func FuzzOpenChunk(f *testing.F) {
	var b builder
	b.reset()
	b.add([]byte("record"), &journey.Summary{})
	f.Add(b.chunk(journey.Chunk{}).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := openChunk(data, nil, func([]byte) bool { return true })
		if err == nil && len(raw) > chunkMost {
			t.Fatalf("%d bytes", len(raw))
		}
	})
}

func FuzzRecords(f *testing.F) {
	seg := &segment{size: 4096, mem: make([]byte, 4096)}
	seg.tail.Store(segmentHead)
	for range 5 {
		record := []byte("some record of a call")
		at, _ := seg.reserve(recordSize(len(record)))
		seg.write(at, record)
		seg.mark(at, recordMark)
	}
	f.Add(seg.mem, true)
	f.Fuzz(func(t *testing.T, mem []byte, settled bool) {
		mem = bytes.Clone(mem) // aligned as a mapping is
		walk := records{mem: mem, pos: segmentHead, settled: settled}
		for steps := 0; ; steps++ {
			at := walk.pos
			record, bad, _, done := walk.next()
			if done || record == nil && bad == nil {
				return
			}
			if walk.pos <= at || steps > len(mem) {
				t.Fatalf("no way forward at %d", at)
			}
		}
	})
}
