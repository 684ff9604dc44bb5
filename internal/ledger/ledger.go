package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/journey"
)

// Ledger is the call log of a running gateway. All its methods may be called concurrently.
type Ledger struct {
	Reader

	opts   Options
	lim    limits
	lock   *DirLock // nil when it is the caller's
	spool  *spool
	damage *damaged
	drain  *drainer

	stop    context.CancelFunc
	stopped chan struct{}
	flushes chan flush
	closing sync.Once
	closed  error

	behind bool // retention has more to do; belongs to run

	// others tells that another process has calls in the spool's folder, left that this one's calls
	// are the last it keeps.
	others, left atomic.Bool
	look         chan struct{}
	lookError    string // said last; belongs to run

	drained, dropped, storeBytes atomic.Int64
	failure                      atomic.Pointer[Failure]
}

// Failure is why calls stay in the spool at the moment.
type Failure struct {
	Err   error
	Since time.Time // when the first attempt of the row failed
}

type flush struct {
	ctx  context.Context
	done chan error
}

// New opens the call log in the data folder and takes over what an earlier process left there:
// its calls come into the store in the background, and are found before that as well. The caller
// closes it, after the gateway and before the store. Errors: ErrInUse, ErrNewer, a full or
// read-only disk, or what the store said, each naming the file.
func New(ctx context.Context, opts Options) (_ *Ledger, err error) {
	if err := opts.fill(); err != nil {
		return nil, err
	}
	l := &Ledger{opts: opts, stopped: make(chan struct{}), flushes: make(chan flush), look: make(chan struct{}, 1)}
	l.lim.set(opts.Limits)
	if opts.Lock == nil {
		if l.lock, err = LockDir(opts.Dir); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil && l.lock != nil {
			_ = l.lock.Release()
		}
	}()
	l.damage = &damaged{dir: filepath.Join(opts.Dir, damagedDir), log: opts.Log}
	spool, others, err := openSpool(filepath.Join(opts.Dir, spoolDir), &l.opts, &l.lim, l.marks(ctx), l.damage)
	if err != nil {
		return nil, fmt.Errorf("opening the call log: %w", err)
	}
	l.spool = spool
	l.others.Store(others)
	l.Reader = Reader{chunks: opts.Store, pending: l.pending, log: opts.Log}
	l.drain = newDrainer(l.spool, opts.Store, l.damage)
	l.drain.tap = opts.Tap
	if len(l.spool.segments()) > 0 {
		l.spool.notify() // there are calls from before
	}
	background, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.run(background)
	return l, nil
}

const spoolDir = "spool"

// marks reads the store's marks when it is called.
func (l *Ledger) marks(ctx context.Context) func() ([]journey.SpoolMark, error) {
	return func() ([]journey.SpoolMark, error) { return l.opts.Store.SpoolMarks(ctx) }
}

// pending gives the records that may not be in the store yet. Those of another process come first:
// what this one takes over in between is among its own then.
func (l *Ledger) pending(f func(record []byte) bool) {
	if l.others.Load() && !readSpool(l.spool.dir, f, l.spool.owns) {
		return
	}
	l.spool.each(f)
}

// Leave tells that another process keeps calls in this folder from now on, and this one only those
// that it has begun: it brings them into the store soon, and leaves deleting old ones to the other.
func (l *Ledger) Leave() {
	l.left.Store(true)
	l.spool.notify()
}

// TakeOver looks at once whether another process has ended, to take over the calls that it left. The
// ledger also looks by itself: each second while there is one.
func (l *Ledger) TakeOver() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// Open notes that a call begins: start in Unix nanoseconds, path without its query. It allocates
// nothing and never waits. The call's goroutine ends the slot with Commit or Discard. ErrFull when
// there is no room and Limits.WhenFull is Refuse, ErrClosed after Close.
func (l *Ledger) Open(id journey.ID, start int64, method, path string) (Slot, error) {
	return l.spool.open(id, start, method, path)
}

// SetLimits changes how long and how much is kept, and what happens without room.
func (l *Ledger) SetLimits(lim Limits) { l.lim.set(lim) }

// Flush brings every call that was committed before it into the store, or says why it cannot. It
// is for a shutdown and for tests: nothing is lost without it.
func (l *Ledger) Flush(ctx context.Context) error {
	f := flush{ctx, make(chan error, 1)}
	select {
	case l.flushes <- f:
		return <-f.done
	case <-l.stopped:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("flushing the call log: %w", ctx.Err())
	}
}

// closePatience bounds the last attempt of Close to bring calls into the store.
const closePatience = 5 * time.Second

// Close brings what is left into the store, if that succeeds soon, and closes the spool. Calls for
// which it does not are taken over by the next process. Later calls of Close return the same.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		l.spool.state.Or(stateClosed)
		l.stop()
		<-l.stopped
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		if err := l.all(ctx); err != nil {
			l.closed = fmt.Errorf("closing the call log: calls are left in the spool: %w", err)
		}
		if err := l.spool.close(); err != nil && l.closed == nil {
			l.closed = fmt.Errorf("closing the call log: %w", err)
		}
		if l.lock != nil {
			if err := l.lock.Release(); err != nil && l.closed == nil {
				l.closed = err
			}
		}
	})
	return l.closed
}

// run is the ledger's one goroutine.
func (l *Ledger) run(ctx context.Context) {
	defer close(l.stopped)
	stayBehind()
	drain := time.NewTimer(l.opts.DrainEvery)
	defer drain.Stop()
	retain := time.NewTimer(min(l.opts.RetainEvery, 5*time.Second)) // not while everything else starts
	defer retain.Stop()
	look := time.NewTimer(l.lookAgain())
	defer look.Stop()
	tap := l.tapTicks()
	defer tap.Stop()
	backoff := time.Duration(0)
	step := func() {
		next := l.opts.DrainEvery
		if l.left.Load() {
			next = min(next, leavingEvery)
		}
		switch more, err := l.step(ctx); {
		case err != nil:
			backoff = min(max(2*backoff, backoffLow), backoffHigh)
			next = backoff
		case more:
			backoff, next = 0, 0
		default:
			backoff = 0
			if l.spool.state.Load()&stateTight != 0 {
				next = min(next, growAgain) // look again whether the disk has room
			}
		}
		drain.Reset(next)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.spool.wake:
			if backoff == 0 { // else the timer decides
				step()
			}
		case <-drain.C:
			step()
		case <-tap.C:
			l.drain.tapAll()
		case f := <-l.flushes:
			l.drain.tapAll()
			f.done <- l.all(f.ctx)
		case <-retain.C:
			retain.Reset(l.retainStep(ctx))
		case <-l.look:
			l.takeOver(ctx)
			look.Reset(l.lookAgain())
		case <-look.C:
			l.takeOver(ctx)
			look.Reset(l.lookAgain())
		}
	}
}

const (
	// leavingEvery is how long a call may wait for its batch once another process has taken over.
	leavingEvery = time.Second
	// lookEvery is how often the end of another process is looked for while there is one.
	lookEvery = time.Second
)

// lookAgain is when the end of another process is looked for next: one may have come and gone
// without this one's knowing.
func (l *Ledger) lookAgain() time.Duration {
	if l.others.Load() {
		return min(lookEvery, l.opts.RetainEvery)
	}
	return l.opts.RetainEvery
}

// takeOver takes over the calls of processes that have ended.
func (l *Ledger) takeOver(ctx context.Context) {
	before := l.spool.killed.Load()
	found, others, err := l.spool.takeOver(l.marks(ctx), l.damage)
	l.others.Store(others)
	if err != nil {
		if text := err.Error(); text != l.lookError && ctx.Err() == nil {
			l.lookError = text
			l.opts.Log.Error("the calls of a process that has ended cannot be taken over; they stay in the spool", "error", text)
		}
		return
	}
	l.lookError = ""
	if found > 0 {
		l.opts.Log.Info("took over the calls of a process that has ended", "processes", found, "cut_short", l.spool.killed.Load()-before)
		l.spool.notify()
	}
}

// step moves one batch and keeps the books on it.
func (l *Ledger) step(ctx context.Context) (more bool, err error) {
	moved, more, err := l.drain.pass(ctx)
	l.spool.keepAhead()
	l.report(err)
	l.drained.Add(moved)
	for range retainSteps { // as fast as calls come in
		if l.behind {
			l.retainStep(ctx)
		}
	}
	return more, err
}

// all moves everything that is committed now.
func (l *Ledger) all(ctx context.Context) error {
	for {
		if more, err := l.step(ctx); err != nil || !more {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// report tells of the first failure in a row and of its end.
func (l *Ledger) report(err error) {
	was := l.failure.Load()
	switch {
	case err != nil && was == nil:
		l.failure.Store(&Failure{err, time.Now()})
		l.opts.Log.Error("calls cannot be brought into the database; they wait in the spool", "error", err)
	case err != nil:
		l.failure.Store(&Failure{err, was.Since})
	case was != nil:
		l.failure.Store(nil)
		l.opts.Log.Info("calls come into the database again", "failed_for", time.Since(was.Since).Round(time.Millisecond).String())
	}
}

// retainStep takes a step of retention and says when the next one is due.
func (l *Ledger) retainStep(ctx context.Context) time.Duration {
	if l.left.Load() {
		return l.opts.RetainEvery
	}
	dropped, more, err := l.drain.retain(ctx, l.lim.get(), time.Now())
	l.dropped.Add(int64(dropped))
	if l.behind = more && err == nil; l.behind {
		return time.Millisecond // other work comes between
	}
	if err != nil {
		if ctx.Err() == nil {
			l.opts.Log.Error("old calls cannot be deleted", "error", err)
		}
		return l.opts.RetainEvery
	}
	if used, free, err := l.opts.Store.Size(ctx); err == nil {
		l.storeBytes.Store(used + free)
	}
	return l.opts.RetainEvery
}
