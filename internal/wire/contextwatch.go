package wire

import (
	"context"
	"errors"
	"sync"
)

// ContextWatch is a Watcher for an attempt that no caller waits for: it cancels it when the context is cancelled. That the
// context's time is over is left to the attempt's own limits, which say where it was spent.
type ContextWatch struct {
	Context context.Context // set before the first Watch
	stop    func() bool

	mu   sync.Mutex
	call Canceller
}

// Watch implements Watcher.
func (w *ContextWatch) Watch(c Canceller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.call = c
	w.stop = context.AfterFunc(w.Context, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.call != nil && !errors.Is(w.Context.Err(), context.DeadlineExceeded) {
			w.call.Cancel(ReasonDrain)
		}
	})
}

// Unwatch implements Watcher: after it, a connection that was kept is not touched any more.
func (w *ContextWatch) Unwatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.call != nil {
		w.stop()
		w.call = nil
	}
}
