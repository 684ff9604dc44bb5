package wire

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"causeway/internal/journey"
)

// headStart is how long an address is waited for before the next one is tried beside it (RFC 8305 section 5).
const headStart = 250 * time.Millisecond

// dialled is how connecting to one address has ended.
type dialled struct {
	nc    net.Conn
	err   error
	place int // of its address
	took  time.Duration
}

// race connects to the first of several addresses that answers: the next one is tried when the one before has failed,
// or has not answered within headStart. Connections that come too late are closed.
func (u *Upcall) race(ctx context.Context, addresses []string, limit time.Duration, a *journey.Attempt) net.Conn {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialled, len(addresses))
	var running sync.WaitGroup
	begin := func(i int) {
		running.Go(func() {
			var d net.Dialer
			at := clock()
			nc, err := d.DialContext(ctx, "tcp", addresses[i])
			results <- dialled{nc, err, i, time.Duration(clock() - at)}
		})
	}
	defer func() {
		cancel()
		go func() { // nobody waits for the others
			running.Wait()
			close(results)
			for r := range results {
				if r.nc != nil {
					_ = r.nc.Close()
				}
			}
		}()
	}()
	timer := time.NewTimer(headStart)
	defer timer.Stop()
	begin(0)
	begun, ended := 1, 0
	next := func() {
		if begun < len(addresses) && ctx.Err() == nil {
			begin(begun)
			begun++
			timer.Reset(headStart)
		}
	}
	for ended < begun {
		var r dialled
		select {
		case r = <-results:
		case <-timer.C:
			next()
			continue
		}
		ended++
		a.Address = addresses[r.place]
		if r.err == nil {
			a.End, a.Errno, a.Limit, a.LimitValue = journey.EndOpen, 0, "", 0 // another address's failure
			a.Tries = append(a.Tries, journey.AddressTry{Address: a.Address, Took: r.took})
			return r.nc
		}
		if u.gaveUp(a) {
			return nil
		}
		u.failedAt(r, limit, a)
		next()
	}
	return nil
}

// failedAt notes that an address could not be connected to.
func (u *Upcall) failedAt(r dialled, limit time.Duration, a *journey.Attempt) {
	try := journey.AddressTry{Address: a.Address, Errno: errno(r.err), Took: r.took}
	try.Timeout = try.Errno == 0 && isTimeout(r.err) || try.Errno == syscall.ETIMEDOUT
	a.Tries = append(a.Tries, try)
	if try.Timeout {
		timedOut(a, "connect", limit)
		return
	}
	a.End, a.Errno, a.Limit, a.LimitValue = journey.EndErrno, try.Errno, "", 0
	if a.Errno == syscall.ECONNRESET {
		a.End = journey.EndReset
	}
}
