package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"causeway/internal/listen"
)

// takeOverWithin is how long a new process may take until it serves.
const takeOverWithin = time.Minute

// HandOver starts the program anew, as SIGUSR2 does, and lets it take over the addresses; then Run
// drains and returns. Where the new process does not get ready, this one goes on. It returns at once.
func (a *App) HandOver() {
	select {
	case a.handOver <- struct{}{}:
	default:
	}
}

// startSuccessor is one attempt to hand over; nil when another process serves by now.
func (a *App) startSuccessor(ctx context.Context) error {
	if os.Getpid() == 1 {
		return errors.New("this is process 1 of a container, whose end would end the new process as well: start a new container in its place")
	}
	if a.o.Program == "" {
		return errors.New("it is not known how this program was started")
	}
	h := listen.HandOver{
		Path: a.o.Program, Args: os.Args[1:], Patience: takeOverWithin,
		Listeners: a.sockets(),
		Files:     map[string]*os.File{roleLock: a.lock.File()},
	}
	a.log.Info("handing over to a new process", "program", h.Path)
	s, err := listen.Start(ctx, h)
	if err != nil {
		return err
	}
	a.successor = s
	a.tell(fmt.Sprintf("MAINPID=%d", s.PID))
	a.log.Info("handed over", "process", s.PID)
	return nil
}

// sockets are all that this process listens at.
func (a *App) sockets() []*listen.Listener {
	return slices.Concat(a.consoles, []*listen.Listener{a.socketL}, a.listeners)
}

// takeOver tells whoever started this process that it serves: systemd, and the process that hands over.
func (a *App) takeOver() {
	defer a.tell("READY=1", fmt.Sprintf("MAINPID=%d", os.Getpid()), "STATUS=serving")
	in := a.o.Inherited
	if in == nil {
		return
	}
	if err := in.Serving(); err != nil {
		a.log.Warn("the process before has ended by itself", "error", err.Error())
	}
	if err := a.lock.Own(); err != nil {
		a.log.Warn("the folder's lock names another process", "error", err.Error())
	}
	a.log.Info("took over", "from_process", in.Predecessor)
}

// awaitPredecessor takes over what the process before has left as soon as it has ended, until ctx ends.
func (a *App) awaitPredecessor(ctx context.Context) {
	in := a.o.Inherited
	if in == nil {
		return
	}
	select {
	case <-in.Gone():
		a.ledger.TakeOver()
		a.incidents.inherit(ctx)
		a.log.Info("the process before has ended", "process", in.Predecessor)
	case <-ctx.Done():
	}
}

// leave is drain for a process that has handed over: callers are asked to connect anew, which brings
// them to the new process, and none is cut off as long as server.drain lasts. ctx ends when this process
// is to stop, as drain does.
func (a *App) leave(ctx, now context.Context) error {
	for _, l := range a.sockets() {
		if a.successor.Serves(l) {
			l.Forsake()
		}
	}
	a.gateway.Drain()
	a.door.StopAccepting()
	for _, l := range append(slices.Clone(a.consoles), a.socketL) {
		_ = l.Close() // what is in their queues is the new process's
	}
	a.log.Info("the new process takes every new connection", "connections", a.door.Stats().Open, "limit", a.gateway.Generation().Catalog.Server.Drain.String())
	a.ledger.Leave()
	left := make(chan struct{})
	go func() { // callers do not wait for the store
		defer close(left)
		a.incidents.leave(now)
	}()
	quiet, cancel := context.WithTimeout(now, consolePatience)
	defer cancel()
	consoles := make(chan struct{})
	go func() {
		defer close(consoles)
		for _, s := range []*http.Server{a.console, a.socket} {
			_ = s.Shutdown(quiet) // what is left when its time is over is closed by drain
		}
	}()
	limit, end := context.WithTimeout(ctx, a.gateway.Generation().Catalog.Server.Drain)
	defer end()
	began := time.Now()
	if a.door.Leave(limit) == nil { // else drain says what is cut
		a.log.Info("the last caller has left", "after", time.Since(began).Round(time.Millisecond).String())
	}
	if ctx.Err() == nil {
		// The time is over, or nobody is left: what there is now is ended at once.
		var stop context.CancelFunc
		now, stop = context.WithDeadline(now, began.Add(a.gateway.Generation().Catalog.Server.Drain))
		defer stop()
	}
	<-left
	err := a.drain(now)
	cancel()
	<-consoles
	return err
}

// consolePatience is how long requests to the console may take after another process serves it.
const consolePatience = 5 * time.Second

// tell tells systemd the state of the service.
func (a *App) tell(lines ...string) {
	if err := listen.Notify(lines...); err != nil {
		a.log.Warn("systemd could not be told the state", "error", err.Error())
	}
}

// tellReloading begins what the next READY=1 ends (systemd.service(5), Type=notify-reload).
func (a *App) tellReloading() {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err == nil {
		a.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", t.Nano()/1000))
	}
}
