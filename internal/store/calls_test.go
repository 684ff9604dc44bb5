package store

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"causeway/internal/journey"
)

var day = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

func chunk(from, to time.Duration, size int) journey.Chunk {
	return journey.Chunk{
		First: journey.MinID(day.Add(from)), Last: journey.MinID(day.Add(to)), Count: 3, Failed: 1, Zone: []byte("zone"),
		Data: bytes.Repeat([]byte{byte(size)}, size),
	}
}

func keep(t *testing.T, db *DB, chunks ...journey.Chunk) []journey.Chunk {
	t.Helper()
	if err := db.AppendChunks(t.Context(), journey.Batch{Chunks: chunks}); err != nil {
		t.Fatal(err)
	}
	return chunks
}

func TestChunksAndMarksAreKeptTogether(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	batch := journey.Batch{
		Chunks: []journey.Chunk{chunk(0, time.Second, 70_000), chunk(time.Second, time.Minute, 5)},
		Marks:  []journey.SpoolMark{{Segment: 7, Offset: 100}, {Segment: 8, Offset: 5}},
	}
	if err := db.AppendChunks(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := db.AppendChunks(ctx, journey.Batch{Marks: []journey.SpoolMark{{Segment: 7, Offset: 200}}, Forget: []int64{8, 9}}); err != nil {
		t.Fatal(err)
	}
	if marks, err := db.SpoolMarks(ctx); err != nil || !reflect.DeepEqual(marks, []journey.SpoolMark{{Segment: 7, Offset: 200}}) {
		t.Errorf("marks %v, %v", marks, err)
	}
	for _, c := range batch.Chunks {
		if data, err := db.ChunkData(ctx, c.Key); err != nil || !bytes.Equal(data, c.Data) {
			t.Errorf("chunk %d holds %d bytes, %v", c.Key, len(data), err)
		}
	}
	bad := journey.Batch{Chunks: []journey.Chunk{chunk(0, 0, 1), {}}, Marks: []journey.SpoolMark{{Segment: 7, Offset: 300}}} // a chunk without zone
	if err := db.AppendChunks(ctx, bad); err == nil {
		t.Fatal("a chunk without zone was taken")
	}
	list, err := db.Chunks(ctx, journey.ChunkPage{Below: journey.MinID(day.Add(time.Hour)), Limit: 10})
	if marks, _ := db.SpoolMarks(ctx); err != nil || len(list) != 2 || marks[0].Offset != 200 {
		t.Errorf("after a batch that failed: %d chunks, marks %v, %v", len(list), marks, err)
	}
	if data, err := db.ChunkData(ctx, 99); err != nil || data != nil {
		t.Errorf("an unknown chunk gave %v, %v", data, err)
	}
}

// Paging through any set of chunks must give what a look at every one of them would.
func TestListingMatchesBruteForce(t *testing.T) {
	db := open(t, t.TempDir())
	length := rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, 400), rapid.IntRange(0, 8000), rapid.IntRange(0, 30_000))
	rapid.Check(t, func(rt *rapid.T) {
		for _, table := range []string{"chunks", "chunk_data"} {
			if _, err := db.write.Exec("DELETE FROM " + table); err != nil {
				rt.Fatal(err)
			}
		}
		var all []journey.Chunk
		for range rapid.IntRange(0, 25).Draw(rt, "chunks") {
			from := time.Duration(rapid.IntRange(0, 40_000).Draw(rt, "from")) * time.Second
			all = append(all, chunk(from, from+time.Duration(length.Draw(rt, "length"))*time.Second, 1))
		}
		if err := db.AppendChunks(t.Context(), journey.Batch{Chunks: all}); err != nil {
			rt.Fatal(err)
		}
		moment := func(label string) journey.ID {
			return journey.MinID(day.Add(time.Duration(rapid.IntRange(-10, 80_000).Draw(rt, label)) * time.Second))
		}
		page := journey.ChunkPage{From: moment("from"), Below: moment("below"), Limit: rapid.IntRange(1, 5).Draw(rt, "limit")}
		var got []int64
		for {
			list, err := db.Chunks(t.Context(), page)
			if err != nil {
				rt.Fatal(err)
			}
			for _, c := range list {
				got = append(got, c.Key)
			}
			if len(list) == 0 || len(list) < page.Limit && page.After != nil {
				break
			}
			last := list[len(list)-1]
			page.After = &journey.ChunkMark{Last: last.Last, Key: last.Key}
		}
		slices.SortFunc(all, func(a, b journey.Chunk) int {
			if c := bytes.Compare(b.Last[:], a.Last[:]); c != 0 {
				return c
			}
			return int(b.Key - a.Key)
		})
		var want []int64
		for _, c := range all {
			if bytes.Compare(c.Last[:], page.From[:]) >= 0 && bytes.Compare(c.First[:], page.Below[:]) < 0 {
				want = append(want, c.Key)
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("listed %v, want %v", got, want)
		}
	})
}

func TestListingGoesByAnIndex(t *testing.T) {
	db := open(t, t.TempDir())
	rows, err := db.write.Query("EXPLAIN QUERY PLAN "+listChunks, "b", 1, "a", 5)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if got := strings.Join(plan, "; "); !strings.Contains(got, "USING INDEX chunks_last (last_id>? AND last_id<?)") || strings.Contains(got, "TEMP B-TREE") {
		t.Errorf("plan: %s", got)
	}
}

func TestDroppingTheOldestGivesSpaceBack(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	var chunks []journey.Chunk
	for i := range 60 {
		at := time.Duration(i) * time.Minute
		chunks = append(chunks, chunk(at, at+time.Second, 100_000))
	}
	chunks = keep(t, db, chunks...)
	before, _, err := db.Size(ctx)
	if err != nil || before < 6_000_000 {
		t.Fatalf("%d bytes in use, %v", before, err)
	}
	cutoff := journey.MinID(day.Add(50 * time.Minute))
	for _, want := range []int{20, 20, 10, 0} {
		if n, err := db.DropChunks(ctx, cutoff, 20); err != nil || n != want {
			t.Fatalf("%d dropped, %v, want %d", n, err, want)
		}
	}
	list, err := db.Chunks(ctx, journey.ChunkPage{Below: journey.MinID(day.Add(time.Hour)), Limit: 100})
	if err != nil || len(list) != 10 || list[9].Key != chunks[50].Key {
		t.Errorf("%d chunks left, %v", len(list), err)
	}
	if data, err := db.ChunkData(ctx, chunks[0].Key); err != nil || data != nil {
		t.Errorf("the data of a dropped chunk: %d bytes, %v", len(data), err)
	}
	used, free, err := db.Size(ctx)
	if err != nil || used > before/4 || free < before/2 {
		t.Fatalf("%d bytes in use, %d free, %v", used, free, err)
	}
	if err := db.Shrink(ctx, 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, less, err := db.Size(ctx); err != nil || less != free-1<<20 {
		t.Errorf("%d bytes free after giving back 1 MiB of %d, %v", less, free, err)
	}
	if err := db.Shrink(ctx, free); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(db.Path()); err != nil || info.Size() > used+1<<20 {
		t.Errorf("the file has %d bytes with %d in use, %v", info.Size(), used, err)
	}
}
