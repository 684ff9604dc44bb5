// Package poll is the little of epoll that the mock upstream and the load generator share: one
// thread, many sockets, as few system calls per request as there can be, so that what the
// benchmark itself costs stays small beside what it measures. Linux only.
package poll

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Poller waits for sockets, a timer and a wake-up. Only Wake may be called by another goroutine
// than the one that waits.
type Poller struct {
	epoll, event, timer int
	ready               [256]unix.EpollEvent
}

// New opens a poller; its Close is the caller's.
func New() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening epoll: %w", err)
	}
	p := &Poller{epoll: epoll, event: -1, timer: -1}
	if p.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, errors.Join(fmt.Errorf("opening eventfd: %w", err), p.Close())
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, errors.Join(fmt.Errorf("opening timerfd: %w", err), p.Close())
	}
	for _, fd := range []int{p.event, p.timer} {
		if err := p.Add(fd, false); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// Close closes the poller, not the sockets added to it.
func (p *Poller) Close() error {
	var errs []error
	for _, fd := range []int{p.timer, p.event, p.epoll} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}

// Add begins to watch a socket for reading and, with write, for room to write.
func (p *Poller) Add(fd int, write bool) error { return p.control(unix.EPOLL_CTL_ADD, fd, write) }

// Change says anew what an added socket is watched for.
func (p *Poller) Change(fd int, write bool) error { return p.control(unix.EPOLL_CTL_MOD, fd, write) }

func (p *Poller) control(operation, fd int, write bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if write {
		event.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(p.epoll, operation, fd, &event); err != nil {
		return fmt.Errorf("watching a socket: %w", err)
	}
	return nil
}

// Tick makes Wait return tick=true once per period, from now on; 0 stops it.
func (p *Poller) Tick(period time.Duration) error {
	spec := unix.NsecToTimespec(int64(period))
	if err := unix.TimerfdSettime(p.timer, 0, &unix.ItimerSpec{Interval: spec, Value: spec}, nil); err != nil {
		return fmt.Errorf("setting the timer: %w", err)
	}
	return nil
}

// Wake makes the Wait under way, or the next one, return woken=true.
func (p *Poller) Wake() {
	// Only a counter at its limit can refuse this write, and then Wait is about to return anyway.
	_, _ = unix.Write(p.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// Wait returns the sockets that are ready (good until the next Wait), and whether the timer or a
// Wake came. A negative timeout waits for ever.
func (p *Poller) Wait(timeout time.Duration) (ready []unix.EpollEvent, tick, woken bool, err error) {
	milliseconds := -1
	if timeout >= 0 {
		milliseconds = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(p.epoll, p.ready[:], milliseconds)
	if err != nil {
		if errors.Is(err, unix.EINTR) {
			return nil, false, false, nil
		}
		return nil, false, false, fmt.Errorf("waiting for sockets: %w", err)
	}
	ready = p.ready[:0]
	for _, event := range p.ready[:n] {
		switch int(event.Fd) {
		case p.timer:
			tick = true
			p.drain(p.timer)
		case p.event:
			woken = true
			p.drain(p.event)
		default:
			ready = append(ready, event)
		}
	}
	return ready, tick, woken, nil
}

func (p *Poller) drain(fd int) {
	var counter [8]byte
	// Both descriptors are non-blocking counters: a read that finds nothing is as good as one that does.
	_, _ = unix.Read(fd, counter[:])
}
