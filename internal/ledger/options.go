package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"causeway/internal/journey"
)

// WhenFull says what becomes of calls when the spool has no room.
type WhenFull uint8

// The ways of calls.when_full.
const (
	Drop   WhenFull = iota // calls go on, good ones first without being kept; counted
	Refuse                 // new calls are refused: Open returns ErrFull
)

// The errors of this package, for errors.Is.
var (
	// ErrFull: Open in a full spool under Refuse. The call should be answered with call_log_full.
	ErrFull = errors.New("the call log is full")
	// ErrDropped: Commit found no room. The call is counted and gone.
	ErrDropped = errors.New("the call log is full: the call was not kept")
	// ErrTooLarge: Commit got a record above MaxRecord. The call is counted as dropped.
	ErrTooLarge = errors.New("the call's record is too large to keep")
	// ErrClosed: the ledger was closed.
	ErrClosed = errors.New("the call log is closed")
	// ErrNotFound: no call has this id, or it is no longer kept.
	ErrNotFound = errors.New("no such call")
	// ErrCursor: a Query's cursor is not one that a Page gave.
	ErrCursor = errors.New("not a cursor of this list")
	// ErrInUse: another process uses the data folder.
	ErrInUse = errors.New("the data folder is in use")
	// ErrNewer: the spool was written by a newer version.
	ErrNewer = errors.New("the spool was written by a newer version")
)

// MaxRecord is the largest record that Commit takes, in bytes. AppendRecord keeps below it.
const MaxRecord = 256 << 10

// ChunkReader is what searching needs of a store. Its methods are called concurrently.
type ChunkReader interface {
	// Chunks lists chunks by Last and Key, both descending, without Data. The first page, with
	// After nil, may be longer than Limit: it holds all chunks that reach over Below.
	Chunks(ctx context.Context, page journey.ChunkPage) ([]journey.Chunk, error)
	// ChunkData reads a chunk's contents; nil when it has been dropped since it was listed.
	ChunkData(ctx context.Context, key int64) ([]byte, error)
}

// ChunkStore is where calls are kept. Methods that change it are called by one goroutine.
type ChunkStore interface {
	ChunkReader
	// AppendChunks keeps a whole batch in one transaction, or nothing.
	AppendChunks(ctx context.Context, batch journey.Batch) error
	// SpoolMarks lists the marks of all batches that are not forgotten.
	SpoolMarks(ctx context.Context) ([]journey.SpoolMark, error)
	// DropChunks deletes up to limit of the oldest chunks whose Last is below before.
	DropChunks(ctx context.Context, before journey.ID, limit int) (dropped int, err error)
	// Size tells the bytes in use, and those that Shrink can give back.
	Size(ctx context.Context) (used, free int64, err error)
	// Shrink gives up to limit bytes back to the file system.
	Shrink(ctx context.Context, limit int64) error
}

// Limits can be changed while a ledger works.
type Limits struct {
	Keep     time.Duration // how long calls are kept; 0: without end
	MaxSize  int64         // bytes that the store may use; 0: no bound
	WhenFull WhenFull
}

// Options are what New needs. Zero values of the fields below Store have the defaults given.
type Options struct {
	Dir   string     // the data folder; made where missing
	Store ChunkStore // stays the caller's to close, after the ledger

	Limits
	SpoolSize   int64         // bytes that the spool may take; default 256 MiB
	SegmentSize int64         // default 1 MiB; for tests
	DrainEvery  time.Duration // how long a call may wait for its batch; default 30s
	RetainEvery time.Duration // how often old calls are looked for; default 1m
	// Tap is told of each call within TapEvery (default 250ms) of its Commit, apart from those that an earlier
	// process left. It runs in the background, must return soon, and must not keep or change the record. nil: nobody.
	Tap      func(record []byte)
	TapEvery time.Duration
	// Lock is the data folder's lock when the caller holds it already (from LockDir) and will
	// release it. nil: New takes it and Close releases it.
	Lock *DirLock
	Log  *slog.Logger // default: discards
}

func (o *Options) fill() error {
	if o.Dir == "" || o.Store == nil {
		return errors.New("opening the call log: no data folder or no store given")
	}
	if o.Keep < 0 || o.MaxSize < 0 || o.WhenFull > Refuse {
		return fmt.Errorf("opening the call log: impossible limits %+v", o.Limits)
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = 1 << 20
	}
	if o.SegmentSize < 2*MaxRecord || o.SegmentSize > 1<<30 || o.SegmentSize%4096 != 0 {
		return fmt.Errorf("opening the call log: segments cannot have %d bytes", o.SegmentSize)
	}
	if o.SpoolSize == 0 {
		o.SpoolSize = 256 << 20
	}
	if o.DrainEvery == 0 {
		o.DrainEvery = 30 * time.Second
	}
	if o.TapEvery == 0 {
		o.TapEvery = 250 * time.Millisecond
	}
	if o.RetainEvery == 0 {
		o.RetainEvery = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// limits holds Limits for concurrent use.
type limits struct{ now atomic.Pointer[Limits] }

func (l *limits) get() Limits  { return *l.now.Load() }
func (l *limits) set(v Limits) { l.now.Store(&v) }
