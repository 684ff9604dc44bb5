package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// OriginOptions name one target and say how to reach it.
type OriginOptions struct {
	// URL is http://host[:port][/prefix], https://... or unix:/path/to.sock.
	URL string
	// TLS is used for https; nil means the system's roots and the host's name.
	TLS *tls.Config
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver *net.Resolver
	Limits   Limits
	// MaxIdle is the most connections kept open without a call, IdleFor the longest time one is kept.
	MaxIdle int
	IdleFor time.Duration
}

// Origin is one target: where it is, how to reach it, and its kept-alive connections, the one used
// last first. It is safe for concurrent use.
type Origin struct {
	o      OriginOptions
	Scheme string // "http" or "https"
	Host   string // host[:port] as a Host field shows it
	Prefix string // the URL's path without a trailing slash
	name   string // host without port, or the socket's path
	port   string
	unix   bool
	tls    *tls.Config

	mu     sync.Mutex
	idle   []*Upcall // the one used last is at the end
	closed bool

	open    atomic.Int64
	dials   atomic.Int64
	reuses  atomic.Int64
	sweeper *time.Timer
}

// NewOrigin checks the options and makes an origin. It does not connect.
func NewOrigin(o OriginOptions) (*Origin, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the target's URL: %w", err)
	}
	if o.Limits.Head <= 0 {
		o.Limits.Head = 256 << 10
	}
	if o.Limits.Fields <= 0 {
		o.Limits.Fields = 1000
	}
	if o.MaxIdle <= 0 {
		o.MaxIdle = 1024
	}
	if o.IdleFor <= 0 {
		o.IdleFor = 60 * time.Second
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	g := &Origin{o: o, Scheme: u.Scheme}
	switch u.Scheme {
	case "unix":
		g.Scheme, g.unix, g.name, g.Host = "http", true, u.Path, "localhost"
		if u.Path == "" {
			return nil, errors.New("a unix target needs a path: unix:/run/app.sock")
		}
		return g, nil
	case "http", "https":
	default:
		return nil, fmt.Errorf("a target's URL begins with http://, https:// or unix:, not %q", u.Scheme)
	}
	g.name, g.port, g.Host = u.Hostname(), u.Port(), u.Host
	if g.name == "" {
		return nil, errors.New("a target's URL needs a host")
	}
	for len(u.Path) > 0 && u.Path[len(u.Path)-1] == '/' {
		u.Path = u.Path[:len(u.Path)-1]
		u.RawPath = ""
	}
	g.Prefix = u.EscapedPath()
	if g.port == "" {
		g.port = "80"
		if u.Scheme == "https" {
			g.port = "443"
		}
	}
	if u.Scheme == "https" {
		cfg := &tls.Config{}
		if o.TLS != nil {
			cfg = o.TLS.Clone()
		}
		if cfg.ServerName == "" {
			cfg.ServerName = g.name
		}
		if cfg.ClientSessionCache == nil {
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(64)
		}
		cfg.NextProtos = []string{"http/1.1"}
		g.tls = cfg
	}
	return g, nil
}

// URL is the target as configured.
func (g *Origin) URL() string { return g.o.URL }

// OriginStats are an origin's counts: Open and Idle now, Dials and Reuses since it was made.
type OriginStats struct{ Open, Idle, Dials, Reuses int64 }

// Stats returns the counts.
func (g *Origin) Stats() OriginStats {
	g.mu.Lock()
	idle := len(g.idle)
	g.mu.Unlock()
	return OriginStats{g.open.Load(), int64(idle), g.dials.Load(), g.reuses.Load()}
}

// take returns the kept-alive connection used last that is still good, or nil.
func (g *Origin) take() *Upcall {
	for {
		g.mu.Lock()
		n := len(g.idle)
		if n == 0 {
			g.mu.Unlock()
			return nil
		}
		u := g.idle[n-1]
		g.idle[n-1] = nil
		g.idle = g.idle[:n-1]
		g.mu.Unlock()
		// Bytes or an end that came while nobody asked make the connection useless: they would be
		// read as the next call's answer.
		if clock() < u.idleUntil && !u.sock.pending() {
			g.reuses.Add(1)
			return u
		}
		u.discard()
	}
}

// put keeps a connection for the next call.
func (g *Origin) put(u *Upcall) {
	if u.idleSince = u.lastByte; u.idleSince == 0 {
		u.idleSince = clock()
	}
	keep := g.o.IdleFor
	if u.keepFor > 0 && u.keepFor < keep {
		keep = u.keepFor
	}
	u.idleUntil = u.idleSince + int64(keep)
	g.mu.Lock()
	if g.closed || len(g.idle) >= g.o.MaxIdle {
		g.mu.Unlock()
		u.discard()
		return
	}
	g.idle = append(g.idle, u)
	if g.sweeper == nil {
		g.sweeper = time.AfterFunc(g.o.IdleFor, g.sweep)
	}
	g.mu.Unlock()
}

// sweep closes the connections that have been idle for too long; it runs while there are any.
func (g *Origin) sweep() {
	now := clock()
	var old []*Upcall
	g.mu.Lock()
	kept := g.idle[:0]
	for _, u := range g.idle {
		if u.idleUntil <= now {
			old = append(old, u)
		} else {
			kept = append(kept, u)
		}
	}
	clear(g.idle[len(kept):])
	g.idle = kept
	if len(kept) > 0 && !g.closed {
		g.sweeper.Reset(max(g.o.IdleFor/4, 50*time.Millisecond))
	} else {
		g.sweeper = nil
	}
	g.mu.Unlock()
	for _, u := range old {
		u.discard()
	}
}

// Close ends the idle connections; those in use end with their calls. An origin may be closed
// more than once, and attempts on a closed one still work, without keeping connections.
func (g *Origin) Close() {
	g.mu.Lock()
	idle := g.idle
	g.idle, g.closed = nil, true
	if g.sweeper != nil {
		g.sweeper.Stop()
		g.sweeper = nil
	}
	g.mu.Unlock()
	for _, u := range idle {
		u.discard()
	}
}
