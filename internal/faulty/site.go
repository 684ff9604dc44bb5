package faulty

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// site is one running fault: it owns the listeners, sockets and goroutines, and ends them.
type site struct {
	lab   *Lab
	p     Params
	up    *Upstream
	tally tally
	done  chan struct{} // closed by close; every wait looks at it
	slots chan struct{} // one per connection served at a time
	wg    sync.WaitGroup

	mu     sync.Mutex
	owned  map[io.Closer]struct{} // closed by close
	closed bool
}

func newSite(l *Lab, f Fault, p Params) *site {
	s := &site{
		lab: l, p: p,
		done:  make(chan struct{}),
		slots: make(chan struct{}, l.maxConns),
		owned: make(map[io.Closer]struct{}),
	}
	s.up = &Upstream{Name: f.Name, Kind: f.Kind, site: s}
	return s
}

// own takes c over: close will close it. It closes c at once and says no when the site is closed.
func (s *site) own(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return false
	}
	s.owned[c] = struct{}{}
	return true
}

func (s *site) disown(c io.Closer) {
	s.mu.Lock()
	delete(s.owned, c)
	s.mu.Unlock()
}

// run runs work in a goroutine that close waits for, and says no when the site is closed.
func (s *site) run(work func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(work)
	return true
}

// close ends the site and returns when its last goroutine has ended.
func (s *site) close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		for c := range s.owned {
			_ = c.Close()
		}
		s.owned = nil
	}
	s.mu.Unlock()
	s.wg.Wait()
	s.lab.forget(s)
}

// listen opens a listener and runs the script on each connection. It returns the address.
func (s *site) listen(network, address string, script ...step) (string, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return "", fmt.Errorf("listening on %s: %w", address, err)
	}
	s.serve(ln, script)
	return ln.Addr().String(), nil
}

// serve takes ln over and runs the script on each of its connections.
func (s *site) serve(ln net.Listener, script []step) {
	if s.own(ln) {
		s.run(func() { s.accept(ln, script) })
	}
}

func (s *site) accept(ln net.Listener, script []step) {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.done:
			return
		}
		conn, err := ln.Accept()
		if err != nil {
			<-s.slots
			if errors.Is(err, net.ErrClosed) || !s.wait(20*time.Millisecond) {
				return
			}
			continue // out of files for a moment, or the caller left before it was accepted
		}
		if !s.own(conn) {
			return
		}
		s.tally.add(func(c *Counts) { c.Accepted++; c.Open++ })
		started := s.run(func() {
			defer s.release(conn)
			newPeer(s, conn).play(script)
		})
		if !started {
			return
		}
	}
}

// release ends one connection and gives its slot back.
func (s *site) release(conn net.Conn) {
	_ = conn.Close()
	s.disown(conn)
	s.tally.add(func(c *Counts) { c.Open-- })
	<-s.slots
}

// wait pauses for d and says whether the site is still open.
func (s *site) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}
