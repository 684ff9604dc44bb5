package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"causeway/internal/journey"
)

// Reader finds calls: those in the store and those that wait in the spool. A Ledger is one; for
// the folder of a process that is stopped, or that somebody else runs, OpenReader gives one. Its
// methods may be called concurrently.
type Reader struct {
	chunks ChunkReader
	// pending gives the records that may not be in the store yet.
	pending   func(f func(record []byte) bool)
	log       *slog.Logger
	badChunks atomic.Int64
}

// OpenReader reads a data folder without changing or locking anything in it, whether a process is
// using it or not. chunks is its store, opened for reading. There is nothing to close.
func OpenReader(dir string, chunks ChunkReader) (*Reader, error) {
	folder := filepath.Join(dir, spoolDir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("reading the data folder: %s is not a folder that can be read (%w)", dir, errors.Join(err, fs.ErrInvalid))
	}
	r := &Reader{chunks: chunks, log: slog.New(slog.DiscardHandler)}
	r.pending = func(f func(record []byte) bool) { readSpool(folder, f, nil) }
	return r, nil
}

// readSpool gives all records of the folder's segments but those of processes that are left out, and
// tells whether f wants more. The files are copied, since their owner may clear them at any moment: a
// copy taken in between has records that fail their checksum.
func readSpool(folder string, f func(record []byte) bool, leaveOut func(process int) bool) (more bool) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return true // no spool: everything is in the store
	}
	for _, entry := range entries {
		kind, process, _, ok := fileName(entry.Name())
		if !ok || kind != "segment" || !entry.Type().IsRegular() || leaveOut != nil && leaveOut(process) {
			continue
		}
		mem := copySegment(filepath.Join(folder, entry.Name()))
		if mem == nil {
			continue
		}
		walk := records{mem: mem, pos: segmentHead, settled: true}
		for done := false; !done; {
			var record []byte
			if record, _, _, done = walk.next(); record != nil && !f(record) {
				return false
			}
		}
	}
	return true
}

// copySegment reads a segment with records; nil when it has none, or is gone by now.
func copySegment(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var head [segmentHead]byte
	info, err := f.Stat()
	if _, headErr := f.ReadAt(head[:], 0); err != nil || headErr != nil {
		return nil
	}
	// A head that is damaged does not keep the records from being read.
	if seq, err := checkSegment(path, head[:], info.Size()); err == nil && seq == 0 || errors.Is(err, ErrNewer) {
		return nil
	}
	mem := make([]byte, info.Size())
	if _, err := f.ReadAt(mem, 0); err != nil {
		return nil
	}
	return mem
}

// Get finds a call by its id; ErrNotFound. A call that was committed is found at once.
func (r *Reader) Get(ctx context.Context, id journey.ID) (journey.Journey, error) {
	var found []byte
	look := func(record []byte) bool {
		if journey.RecordIs(record, id) {
			found = append(found, record...)
		}
		return found == nil
	}
	// The spool first: what leaves it in between is in the store then.
	if r.pending(look); found == nil {
		page := journey.ChunkPage{From: id, Below: after(id), Limit: pageChunks}
		err := r.each(ctx, page, func(c *journey.Chunk, open func(func([]byte) bool) error) (bool, error) {
			err := open(look)
			return found == nil, err
		})
		if err != nil {
			return journey.Journey{}, fmt.Errorf("reading the call %s: %w", id, err)
		}
	}
	if found == nil {
		return journey.Journey{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	j, err := journey.DecodeRecord(found)
	if err != nil {
		return journey.Journey{}, fmt.Errorf("reading the call %s: %w", id, err)
	}
	return j, nil
}

// after is the smallest id above id.
func after(id journey.ID) journey.ID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i] != 0xff {
			id[i]++
			return id
		}
		id[i] = 0
	}
	return maxID
}

const pageChunks = 128

// each lists chunks, newest first, to f, which opens those it wants; it ends when f says false. A
// chunk that is damaged is counted and passed over.
func (r *Reader) each(ctx context.Context, page journey.ChunkPage,
	f func(c *journey.Chunk, open func(func([]byte) bool) error) (bool, error),
) error {
	var raw []byte
	for {
		list, err := r.chunks.Chunks(ctx, page)
		if err != nil {
			return err
		}
		for i := range list {
			c := &list[i]
			open := func(give func([]byte) bool) error {
				data, err := r.chunks.ChunkData(ctx, c.Key)
				if err != nil || data == nil {
					return err
				}
				if raw, err = openChunk(data, raw, give); err != nil {
					r.badChunks.Add(1)
					r.log.Error("a chunk of calls is passed over", "chunk", c.Key, "error", err)
				}
				return nil
			}
			if more, err := f(c, open); err != nil || !more {
				return err
			}
		}
		if len(list) < page.Limit {
			return nil
		}
		last := list[len(list)-1]
		page.After = &journey.ChunkMark{Last: last.Last, Key: last.Key}
	}
}
