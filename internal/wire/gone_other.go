//go:build unix && !linux

package wire

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// watcher notices callers who leave while nobody reads from them: where there is no epoll, the
// connections of calls in progress are peeked at every 30 ms.
type watcher struct {
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	conns map[*conn]syscall.RawConn
}

func newWatcher() (*watcher, error) {
	w := &watcher{stop: make(chan struct{}), done: make(chan struct{}), conns: map[*conn]syscall.RawConn{}}
	go w.loop()
	return w, nil
}

func (w *watcher) loop() {
	defer close(w.done)
	t := time.NewTicker(30 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-t.C:
		}
		var gone []*conn
		w.mu.Lock()
		for c, rc := range w.conns {
			if c.state.Load() != stateActive {
				continue
			}
			_ = rc.Control(func(fd uintptr) {
				var b [1]byte
				n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
				if n == 0 && err == nil || err == syscall.ECONNRESET {
					gone = append(gone, c)
				}
			})
		}
		w.mu.Unlock()
		for _, c := range gone {
			c.callerGone()
		}
	}
}

func (w *watcher) add(c *conn, nc net.Conn) {
	if sc, ok := nc.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			w.mu.Lock()
			w.conns[c] = rc
			w.mu.Unlock()
		}
	}
}

func (w *watcher) remove(c *conn) {
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
}

func (w *watcher) close() {
	close(w.stop)
	<-w.done
}
