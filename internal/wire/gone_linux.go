package wire

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// watcher notices callers who leave while nobody reads from them. Every connection is added once
// to one epoll descriptor, edge-triggered and for EPOLLRDHUP alone, so that it costs nothing until
// the peer closes or resets.
//
// That descriptor is itself one that Go's poller waits for. A thread that waited in epoll_wait would keep
// a processor from the calls after each event, until the runtime takes it away, which may take 10 ms.
type watcher struct {
	epfd int
	file *os.File // it; closing it ends the loop
	done chan struct{}

	mu     sync.Mutex
	serial uint32
	conns  map[int32]*conn
}

const (
	epollRDHUP = 0x2000
	epollET    = 1 << 31
)

func newWatcher() (*watcher, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	if err := syscall.SetNonblock(epfd, true); err != nil { // which is how os.NewFile knows that it can be polled
		_ = syscall.Close(epfd)
		return nil, fmt.Errorf("fcntl of an epoll descriptor: %w", err)
	}
	w := &watcher{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), done: make(chan struct{}), conns: map[int32]*conn{}}
	rc, err := w.file.SyscallConn()
	if err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("polling an epoll descriptor: %w", err)
	}
	go w.loop(rc)
	return w, nil
}

func (w *watcher) loop(rc syscall.RawConn) {
	defer close(w.done)
	events := make([]syscall.EpollEvent, 64)
	_ = rc.Read(func(fd uintptr) (failed bool) { // it ends when the file is closed
		for {
			n, err := syscall.EpollWait(int(fd), events, 0)
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				return true
			}
			for _, e := range events[:n] {
				w.tell(e)
			}
			if n < len(events) {
				return false // there is no more: wait
			}
		}
	})
}

// tell ends the call of the connection that the event is about.
func (w *watcher) tell(e syscall.EpollEvent) {
	w.mu.Lock()
	c := w.conns[e.Fd]
	if c != nil && c.serial != uint32(e.Pad) {
		c = nil // an event of the connection that had this descriptor before
	}
	w.mu.Unlock()
	if c != nil {
		c.callerGone()
	}
}

func (w *watcher) add(c *conn, nc net.Conn) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.serial++
		c.fd, c.serial = int32(fd), w.serial
		w.conns[c.fd] = c
		events := uint32(epollRDHUP)
		events |= epollET
		ev := syscall.EpollEvent{Events: events, Fd: c.fd, Pad: int32(c.serial)}
		if syscall.EpollCtl(w.epfd, syscall.EPOLL_CTL_ADD, int(fd), &ev) != nil {
			delete(w.conns, c.fd)
			c.fd = -1
		}
	})
}

// remove forgets c; closing the descriptor takes it out of the epoll set.
func (w *watcher) remove(c *conn) {
	w.mu.Lock()
	if c.fd >= 0 && w.conns[c.fd] == c {
		delete(w.conns, c.fd)
	}
	w.mu.Unlock()
}

// close ends the loop and waits for it.
func (w *watcher) close() {
	_ = w.file.Close()
	<-w.done
}
