package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Connection is how connecting to one address went.
type Connection struct {
	Address netip.AddrPort
	Local   string        // our own end, "" when it failed
	Errno   syscall.Errno // 0 when it stood, or when nothing answered
	Timeout bool          // nothing answered
	Err     string        // "" when it stood
	Took    time.Duration
}

// Good says whether the connection stood.
func (c *Connection) Good() bool { return c.Err == "" }

// most connections that Connect opens at a time.
const atOnce = 8

// Connect connects to each address and closes the connection again, each within the limit. The result
// is in the order of the addresses.
func Connect(ctx context.Context, addresses []netip.AddrPort, limit time.Duration) []Connection {
	list := make([]Connection, len(addresses))
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, at := range addresses {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			list[i] = connect(ctx, at, limit)
		})
	}
	all.Wait()
	return list
}

func connect(ctx context.Context, at netip.AddrPort, limit time.Duration) Connection {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := Connection{Address: at}
	began := time.Now()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", at.String())
	c.Took = time.Since(began)
	if err == nil {
		c.Local = nc.LocalAddr().String()
		_ = nc.Close()
		return c
	}
	c.Err = plainError(err)
	var late net.Error
	if !errors.As(err, &c.Errno) {
		c.Timeout = errors.As(err, &late) && late.Timeout() || ctx.Err() != nil
	}
	if c.Timeout = c.Timeout || c.Errno == syscall.ETIMEDOUT; c.Timeout {
		c.Err = "nothing answered"
	}
	return c
}
