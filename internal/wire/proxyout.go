package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"causeway/internal/journey"
)

// ProxyAddresses are what an upstream is told of a caller with the PROXY protocol: who calls, and where
// the caller had connected to. Not valid ones mean that a call is the gateway's own, or comes from a Unix
// socket.
type ProxyAddresses struct{ From, To netip.AddrPort }

// appendProxyHeader appends the PROXY protocol's header of version 1 or 2 (sections 2.1 and 2.2 of
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt).
func appendProxyHeader(dst []byte, version int, who ProxyAddresses) []byte {
	from, to := who.From.Addr().Unmap().WithZone(""), who.To.Addr().Unmap().WithZone("")
	known := from.IsValid() && to.IsValid()
	v4 := known && from.Is4() && to.Is4()
	if version == 1 {
		if !known {
			return append(dst, "PROXY UNKNOWN\r\n"...)
		}
		protocol := "PROXY TCP4 "
		if !v4 { // of two kinds: the one of IPv4 is written as IPv6
			protocol = "PROXY TCP6 "
			from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
		}
		dst = append(dst, protocol...)
		dst = from.AppendTo(dst)
		dst = to.AppendTo(append(dst, ' '))
		dst = strconv.AppendUint(append(dst, ' '), uint64(who.From.Port()), 10)
		dst = strconv.AppendUint(append(dst, ' '), uint64(who.To.Port()), 10)
		return append(dst, '\r', '\n')
	}
	dst = append(dst, "\r\n\r\n\x00\r\nQUIT\n"...)
	switch {
	case !known:
		return append(dst, 0x20, 0, 0, 0) // LOCAL: the addresses are the connection's own
	case v4:
		dst = append(dst, 0x21, 0x11, 0, 12)
		dst = append(append(dst, from.AsSlice()...), to.AsSlice()...)
	default:
		a, b := from.As16(), to.As16()
		dst = append(dst, 0x21, 0x21, 0, 36)
		dst = append(append(dst, a[:]...), b[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, who.From.Port())
	return binary.BigEndian.AppendUint16(dst, who.To.Port())
}

// announce sends the header on a new connection; nil when that failed.
func (u *Upcall) announce(ctx context.Context, nc net.Conn, limit time.Duration, a *journey.Attempt) net.Conn {
	if by, ok := ctx.Deadline(); ok {
		_ = nc.SetWriteDeadline(by) // fails on a closed connection, as Write does
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := nc.Write(appendProxyHeader(nil, u.origin.o.ProxyHeader, u.who))
	stop()
	if err == nil {
		_ = nc.SetWriteDeadline(time.Time{})
		return nc
	}
	_ = nc.Close()
	switch {
	case u.gaveUp(a):
	case isTimeout(err) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		timedOut(a, "connect", limit)
	case isReset(err):
		a.End, a.Errno = journey.EndReset, errno(err)
	default:
		a.End, a.Errno = journey.EndErrno, errno(err)
	}
	return nil
}

// takeFor is take for connections that were announced for one caller each: it returns one of the same
// caller's, or nil.
func (g *Origin) takeFor(who ProxyAddresses) *Upcall {
	for {
		g.mu.Lock()
		at := -1
		for i := len(g.idle) - 1; i >= 0; i-- {
			if g.idle[i].who == who {
				at = i
				break
			}
		}
		if at < 0 {
			g.mu.Unlock()
			return nil
		}
		u := g.idle[at]
		g.idle = slices.Delete(g.idle, at, at+1)
		g.mu.Unlock()
		if clock() < u.idleUntil && !u.sock.pending() {
			g.reuses.Add(1)
			return u
		}
		u.discard()
	}
}

// makeWay closes the oldest idle connection when there are as many as may be: with one for each caller
// it is the one least likely to be used again.
func (g *Origin) makeWay() {
	g.mu.Lock()
	if len(g.idle) < g.o.MaxIdle {
		g.mu.Unlock()
		return
	}
	oldest := g.idle[0]
	g.idle = slices.Delete(g.idle, 0, 1)
	g.mu.Unlock()
	oldest.discard()
}
