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
type watcher struct {
	epfd int
	stop *os.File // closing it ends the loop
	wake int
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
	r, w, err := os.Pipe()
	if err != nil {
		_ = syscall.Close(epfd)
		return nil, fmt.Errorf("pipe: %w", err)
	}
	fd := int(r.Fd())
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLHUP, Fd: -1}
	if err := syscall.EpollCtl(epfd, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		_, _, _ = syscall.Close(epfd), r.Close(), w.Close()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	ww := &watcher{epfd: epfd, stop: w, wake: fd, done: make(chan struct{}), conns: map[int32]*conn{}}
	go ww.loop(r)
	return ww, nil
}

func (w *watcher) loop(r *os.File) {
	defer close(w.done)
	defer r.Close()
	defer syscall.Close(w.epfd)
	events := make([]syscall.EpollEvent, 64)
	for {
		n, err := syscall.EpollWait(w.epfd, events, -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			if e.Fd == -1 {
				return
			}
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
	_ = w.stop.Close()
	<-w.done
}
