package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// crashed is a folder with n calls in the spool and none in the store, as after a crash, and the
// one segment they are in.
func crashed(t *testing.T, n int) (dir, segment string, calls []*journey.Journey, at []int64) {
	t.Helper()
	live := t.TempDir()
	l, _ := withStore(t, live, quiet, small)
	sh := &l.spool.shards[0]
	for range n {
		j := failedCall(time.Now())
		record := j.AppendRecord(nil)
		if err := l.spool.put(Slot{spool: l.spool}, record, true); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, j)
		at = append(at, sh.active.Load().tail.Load()-recordSize(len(record)))
	}
	dir = crash(t, live)
	return dir, filepath.Join(dir, spoolDir, filepath.Base(sh.active.Load().path)), calls, at
}

// small segments make small copies.
func small(o *Options) { o.SegmentSize = 2 * MaxRecord }

func patch(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func damagedLines(t *testing.T, dir string) (list []damagedRecord) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, damagedDir, "records.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r damagedRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func TestADamagedRecordIsSetAsideAndTheRestIsFound(t *testing.T) {
	const n = 10
	inside := func(mem []byte) []byte { // a whole record within the bytes of another
		fake := goodCall(time.Now()).AppendRecord(nil)
		binary.LittleEndian.PutUint32(mem, recordMark)
		binary.LittleEndian.PutUint32(mem[4:], uint32(len(fake)))
		binary.LittleEndian.PutUint32(mem[8:], crc32.Checksum(fake, castagnoli))
		copy(mem[16:], fake)
		return mem[:16+len(fake)]
	}
	cases := []struct {
		name    string
		damage  func(t *testing.T, path string, at []int64)
		lost    []int
		damaged int
		reason  string
	}{
		{"a bit in a record", func(t *testing.T, path string, at []int64) { patch(t, path, at[3]+100, []byte{0xff}) }, []int{3}, 1, "checksum"},
		{"an impossible length", func(t *testing.T, path string, at []int64) { patch(t, path, at[3]+4, []byte{0xff, 0xff, 0xff, 0x7f}) }, []int{3}, 1, "impossible length"},
		{"a length of nothing", func(t *testing.T, path string, at []int64) { patch(t, path, at[3]+4, make([]byte, 4)) }, []int{3}, 1, "impossible length 0"},
		{"a length that leads astray", func(t *testing.T, path string, at []int64) { patch(t, path, at[3]+4, []byte{9, 0, 0, 0}) }, []int{3}, 1, "checksum"},
		{"an unknown mark", func(t *testing.T, path string, at []int64) { patch(t, path, at[3], []byte("????")) }, []int{3}, 1, "unknown mark"},
		{"the first", func(t *testing.T, path string, at []int64) { patch(t, path, at[0], []byte("????")) }, []int{0}, 1, "unknown mark"},
		{"the last", func(t *testing.T, path string, at []int64) { patch(t, path, at[n-1]+50, []byte("????")) }, []int{n - 1}, 1, "checksum"},
		{"a kilobyte of rubbish over two", func(t *testing.T, path string, at []int64) {
			patch(t, path, at[4]+1000, bytes.Repeat([]byte{0xa5}, int(at[5]-at[4])))
		}, []int{4, 5}, 1, "checksum"},
		{"a page of zeros", func(t *testing.T, path string, at []int64) { patch(t, path, at[2], make([]byte, at[5]-at[2])) }, []int{2, 3, 4}, 0, ""},
		{"a mark never written, as by a kill", func(t *testing.T, path string, at []int64) { patch(t, path, at[6], make([]byte, 4)) }, []int{6}, 0, ""},
		{"a record in the bytes of one never marked", func(t *testing.T, path string, at []int64) {
			patch(t, path, at[6], make([]byte, 4))
			patch(t, path, at[6]+64, inside(make([]byte, 600)))
		}, []int{6}, 0, ""},
		{"a record that checks but cannot be read", func(t *testing.T, path string, at []int64) {
			b := []byte("this is no record")
			patch(t, path, at[3]+4, binary.LittleEndian.AppendUint32(nil, uint32(at[4]-at[3]-recordHead)))
			body := make([]byte, at[4]-at[3]-recordHead)
			copy(body, b)
			patch(t, path, at[3]+8, binary.LittleEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)))
			patch(t, path, at[3]+recordHead, body)
		}, []int{3}, 1, "not a readable call record"},
	}
	whole, segment, calls, at := crashed(t, n)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := crash(t, whole)
			c.damage(t, filepath.Join(dir, spoolDir, filepath.Base(segment)), at)
			lost := map[journey.ID]bool{}
			for _, i := range c.lost {
				lost[calls[i].ID] = true
			}
			check := func(when string, f finder) {
				t.Helper()
				if got := len(all(t, f, Query{})); got != n-len(c.lost) {
					t.Errorf("%s: %d calls found, want %d", when, got, n-len(c.lost))
				}
				for i, j := range calls {
					if _, err := f.Get(t.Context(), j.ID); (err == nil) == lost[j.ID] {
						t.Errorf("%s: call %d: %v", when, i, err)
					}
				}
			}
			check("by a reader", openReader(t, dir))
			l, db := withStore(t, dir, quiet, small)
			check("in the spool", l)
			flushed(t, l)
			check("in the store", l)
			if got := storedCalls(t, db); got != n-len(c.lost) {
				t.Errorf("%d calls stored", got)
			}
			lines := damagedLines(t, dir)
			if s := l.Stats(); s.Damaged != int64(c.damaged) || len(lines) != c.damaged {
				t.Fatalf("%d damaged records counted, %d set aside, want %d", s.Damaged, len(lines), c.damaged)
			}
			if c.damaged == 1 {
				if r := lines[0]; !strings.Contains(r.Reason, c.reason) || len(r.Bytes) < 1000 || r.File != filepath.Base(segment) || r.Offset != at[c.lost[0]] {
					t.Errorf("set aside: %s at %d of %s, %d bytes", r.Reason, r.Offset, r.File, len(r.Bytes))
				}
			}
			keepCall(t, l, goodCall(time.Now()))
			flushed(t, l)
		})
	}
}

func TestASegmentWithADamagedHeadGivesUpItsRecords(t *testing.T) {
	for name, damage := range map[string]struct {
		at int64
		b  string
	}{"magic": {0, "?"}, "checksum": {17, "\xff\xff"}, "size": {13, "\x01"}} {
		t.Run(name, func(t *testing.T) {
			dir, segment, calls, _ := crashed(t, 5)
			patch(t, segment, damage.at, []byte(damage.b))
			if got := len(all(t, openReader(t, dir), Query{})); got != len(calls) {
				t.Errorf("a reader finds %d of %d", got, len(calls))
			}
			l, db := withStore(t, dir, quiet, small)
			if got := len(all(t, l, Query{})); got != len(calls) {
				t.Errorf("%d of %d are found", got, len(calls))
			}
			flushed(t, l)
			if got := storedCalls(t, db); got != len(calls) {
				t.Errorf("%d of %d are stored", got, len(calls))
			}
			if aside, err := filepath.Glob(filepath.Join(dir, damagedDir, "*-segment-*.log")); err != nil || len(aside) != 1 {
				t.Errorf("set aside: %v, %v", aside, err)
			}
			if _, err := os.Stat(segment); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file is still in the spool: %v", err)
			}
		})
	}
}

func TestAlienFilesInTheSpool(t *testing.T) {
	dir, _, calls, _ := crashed(t, 3)
	spool := filepath.Join(dir, spoolDir)
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(spool, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("notes.txt", []byte("mine"))
	write("segment-000090.log", nil)                 // a crash while it was made
	write("segment-000091.log", make([]byte, 1<<20)) // the same, a little later
	write("open-000092.table", make([]byte, tableSize))
	write("open-000093.table", []byte("rubbish that is no table at all"))
	write("segment-000094.log", []byte("rubbish that is no segment at all"))
	l, _ := withStore(t, dir, quiet, small)
	flushed(t, l)
	if got := len(all(t, l, Query{})); got != len(calls) {
		t.Errorf("%d calls found, want %d", got, len(calls))
	}
	if b, err := os.ReadFile(filepath.Join(spool, "notes.txt")); err != nil || string(b) != "mine" {
		t.Errorf("somebody's file: %q, %v", b, err)
	}
	if s := l.Stats(); s.Damaged != 1 {
		t.Errorf("%d damaged, want the table", s.Damaged)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left := spoolFiles(t, dir); len(left) != 1 {
		t.Errorf("left in the spool: %v", left)
	}
}

func TestASpoolOfANewerVersionIsRefusedAndLeftAlone(t *testing.T) {
	for _, name := range []string{"segment", "open"} {
		t.Run(name, func(t *testing.T) {
			dir, _, _, _ := crashed(t, 3)
			files, err := filepath.Glob(filepath.Join(dir, spoolDir, name+"-*"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				b[8]++
				binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
				if err := os.WriteFile(file, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err = New(t.Context(), Options{Dir: dir, Store: openStore(t, dir)})
			if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "version 2") {
				t.Errorf("got %v", err)
			}
			for _, file := range files {
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestSlotsThatCannotBeRight(t *testing.T) {
	live := t.TempDir()
	l, _ := withStore(t, live, quiet)
	var slots []Slot
	for range 4 {
		j := goodCall(time.Now())
		slot, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, slot)
		defer slot.Discard()
	}
	dir := crash(t, live)
	files, err := filepath.Glob(filepath.Join(dir, spoolDir, "open-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	slot := func(i int) int64 { return int64(slots[i].index) * slotSize }
	patch(t, files[0], slot(0), []byte{9})             // no such state
	patch(t, files[0], slot(1)+slotID, []byte("\x00")) // no id
	patch(t, files[0], slot(2)+slotLengths, []byte{200})
	l2, _ := withStore(t, dir, quiet)
	if s := l2.Stats(); s.Killed != 1 || s.Damaged != 1 {
		t.Errorf("%d calls found open, %d damages; want 1 and 1", s.Killed, s.Damaged)
	}
	if lines := damagedLines(t, dir); len(lines) != 1 || !strings.HasPrefix(lines[0].Reason, "3 slots") {
		t.Errorf("set aside: %+v", lines)
	}
	calls := all(t, l2, Query{Kind: string(fault.GatewayKilled)})
	if len(calls) != 1 {
		t.Errorf("%d calls of kind gateway_killed", len(calls))
	}
}

func TestWhatIsSetAsideIsBounded(t *testing.T) {
	d := &damaged{dir: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	path := filepath.Join(d.dir, "records.jsonl")
	d.add("segment-000001.log", 1, "test", []byte("bytes"))
	if err := os.Truncate(path, damagedMost-100); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		d.add("segment-000001.log", int64(i), "test", make([]byte, MaxRecord))
	}
	if info, err := os.Stat(path); err != nil || info.Size() != damagedMost-100 {
		t.Errorf("%v, %v", info, err)
	}
	if n := d.count.Load(); n != 4 {
		t.Errorf("%d counted", n)
	}
}

func TestADatabaseThatBreaksWhileInUse(t *testing.T) {
	dir := t.TempDir()
	l, db := withStore(t, dir, quiet)
	for range 3000 { // enough for the file to have pages that no cache holds
		keepCall(t, l, failedCall(time.Now()))
	}
	flushed(t, l)
	info, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	patch(t, db.Path(), 0, bytes.Repeat([]byte("broken! "), int(info.Size()/8)))
	for _, end := range []string{"-wal", "-shm"} {
		if f, err := os.OpenFile(db.Path()+end, os.O_RDWR, 0); err == nil {
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
	}
	later := failedCall(time.Now())
	keepCall(t, l, later)
	err = l.Flush(t.Context())
	if err == nil || !strings.Contains(err.Error(), db.Path()) {
		t.Fatalf("Flush gave %v, want an error naming the file", err)
	}
	if _, err := l.Get(t.Context(), later.ID); err != nil {
		t.Errorf("a call that waits in the spool: %v", err)
	}
	if st := l.Stats(); st.Failure == nil || st.BacklogBytes == 0 {
		t.Errorf("stats %+v", st)
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "left in the spool") {
		t.Errorf("Close gave %v", err)
	}
	l.closed = nil // as expected: not for the test's own Close
	_ = db.Close()

	// The way out that the error tells: move it aside and start again.
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(db.Path()+end, filepath.Join(dir, fmt.Sprintf("aside%s", end))); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	l2, _ := withStore(t, dir, quiet)
	flushed(t, l2)
	if _, err := l2.Get(t.Context(), later.ID); err != nil {
		t.Errorf("after the database was moved aside: %v", err)
	}
}

func TestADamagedChunkIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	l, db := withStore(t, dir, quiet)
	var calls []*journey.Journey
	for i := range 3 {
		j := goodCall(noon.Add(time.Duration(i) * time.Second))
		keepCall(t, l, j)
		flushed(t, l)
		calls = append(calls, j)
	}
	chunks, err := db.Chunks(t.Context(), journey.ChunkPage{Below: maxID, Limit: 10})
	if err != nil || len(chunks) != 3 {
		t.Fatal(len(chunks), err)
	}
	good, err := db.ChunkData(t.Context(), chunks[1].Key)
	if err != nil {
		t.Fatal(err)
	}
	bad := func(change func(b []byte) []byte) []byte { return change(bytes.Clone(good)) }
	for name, data := range map[string][]byte{
		"empty":          {},
		"short":          good[:3],
		"cut":            good[:len(good)-5],
		"flipped":        bad(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"wrong checksum": bad(func(b []byte) []byte { b[0] ^= 1; return b }),
		"said to hold 4 GB": bad(func(b []byte) []byte {
			return append(append(b[:4:4], 0xff, 0xff, 0xff, 0xff, 0x0f), b[6:]...)
		}),
	} {
		r := &Reader{chunks: replaced{db, chunks[1].Key, data}, pending: func(func([]byte) bool) {}, log: l.opts.Log}
		if got := len(all(t, r, Query{})); got != 2 || r.badChunks.Load() != 1 {
			t.Errorf("%s: %d calls found, %d damaged chunks counted", name, got, r.badChunks.Load())
		}
		if _, err := r.Get(t.Context(), calls[1].ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: Get gave %v", name, err)
		}
	}
}

// replaced is a store in which one chunk has other contents.
type replaced struct {
	ChunkReader
	key  int64
	data []byte
}

func (r replaced) ChunkData(ctx context.Context, key int64) ([]byte, error) {
	if key == r.key {
		return r.data, nil
	}
	return r.ChunkReader.ChunkData(ctx, key)
}
