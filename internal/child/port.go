package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ErrEnded is wrapped by errors about a process that has ended before what was waited for came about.
var ErrEnded = errors.New("it has ended")

// look is how often a port is looked for.
const look = 40 * time.Millisecond

// FindPort waits until the process, or one that it has started, listens on a TCP port, and returns its address
// as a gateway on the same host dials it, and the other ports that it listens on. Of several it takes the one
// with the lowest number. The error wraps ErrEnded when the process ends first, and ctx's when that does; on
// systems that do not tell who listens where it is errors.ErrUnsupported.
func (p *Process) FindPort(ctx context.Context) (addr string, others []uint16, err error) {
	for seen := 0; ; {
		list, err := p.listening()
		if err != nil {
			return "", nil, err
		}
		// A server with several ports opens them one after the other: the second look has them all.
		if seen++; len(list) == 0 {
			seen = 0
		}
		if seen >= 2 {
			return choose(list)
		}
		if err := p.pause(ctx); err != nil {
			return "", nil, fmt.Errorf("waiting for a port that %s listens on: %w", p.name, err)
		}
	}
}

// pause waits for the next look.
func (p *Process) pause(ctx context.Context) error {
	t := time.NewTimer(look)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.done:
		return ErrEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func choose(list []netip.AddrPort) (string, []uint16, error) {
	best := list[0]
	for _, a := range list[1:] {
		if a.Port() < best.Port() {
			best = a
		}
	}
	var others []uint16
	for _, a := range list {
		if a.Port() != best.Port() {
			others = append(others, a.Port())
		}
	}
	return reachable(best), others, nil
}

// reachable is a listening address as one dials it from the same host.
func reachable(a netip.AddrPort) string {
	ip := a.Addr().Unmap()
	switch {
	case !ip.IsUnspecified():
	case ip.Is4():
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default: // "::" mostly takes IPv4 as well, and programs that bind it print 127.0.0.1
		four := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
		if c, err := net.DialTimeout("tcp", four, time.Second); err == nil {
			_ = c.Close()
			return four
		}
		ip = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(ip, a.Port()).String()
}

// Await waits until somebody accepts connections at an address. Its errors are those of FindPort.
func (p *Process) Await(ctx context.Context, network, addr string) error {
	d := net.Dialer{Timeout: time.Second}
	for {
		c, err := d.DialContext(ctx, network, addr)
		if err == nil {
			return c.Close()
		}
		if err := p.pause(ctx); err != nil {
			return fmt.Errorf("waiting for %s to listen on %s: %w", p.name, addr, err)
		}
	}
}
