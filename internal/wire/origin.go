package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// OriginOptions name one target and say how to reach it.
type OriginOptions struct {
	// URL is http://host[:port][/prefix], https://... or unix:/path/to.sock[:/prefix].
	URL string
	// TLS is used for https; nil means the system's roots and the host's name.
	TLS *tls.Config
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver *net.Resolver
	// OnLookup is told of each lookup of the name: how long it took, and whether there was an answer (that
	// the name does not exist is one). It may be called concurrently; nil is nobody.
	OnLookup func(name string, took time.Duration, answered bool)
	Limits   Limits
	// Lane is what bodies share that come as fast as they are read; nil holds none back.
	Lane *Lane
	// MaxIdle is the most connections kept open without a call, IdleFor the longest time one is kept.
	MaxIdle int
	IdleFor time.Duration
	// OnKeepAlive is told when the origin has learned that the upstream ends connections which were idle for so
	// long, and for how long it keeps them itself from now on. It must not block; nil is nobody.
	OnKeepAlive func(idle, keep time.Duration)
	// ProxyHeader is the version of the PROXY protocol's header that each connection begins with, 1 or
	// 2; 0 is none. A connection is then used again only for the same caller, and speaks HTTP/1.1.
	ProxyHeader int
	// Protocol is what is spoken; the zero value is HTTP/1.1. An upgrade always goes over HTTP/1.1.
	Protocol Protocol
	// MaxAge is how old an HTTP/2 connection becomes before another one takes the new calls. PingAfter
	// is the silence, while calls wait, after which its peer is asked whether it is there (PING), and
	// PingTimeout how long it has for its answer. 0 is 30 minutes, 30 s and 15 s.
	MaxAge, PingAfter, PingTimeout time.Duration
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
	names  names
	h2     *h2pool // nil where every call goes over HTTP/1.1

	mu   sync.Mutex
	idle []*Upcall // the one used last is at the end
	resting
	keep   keepAlive
	closed bool

	certEnds atomic.Int64 // Unix time; 0 where no handshake has gone well

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
	if o.ProxyHeader != 0 {
		o.Protocol = ProtocolHTTP1
	}
	o.h2Defaults()
	g := &Origin{o: o, Scheme: u.Scheme}
	switch u.Scheme {
	case "unix":
		g.Scheme, g.unix, g.Host = "http", true, "localhost"
		var prefix string
		if g.name, prefix, _ = strings.Cut(u.EscapedPath(), ":/"); prefix != "" {
			g.Prefix = "/" + strings.TrimRight(prefix, "/")
		}
		if g.name, err = url.PathUnescape(g.name); err != nil || g.name == "" {
			return nil, errors.New("a unix target needs a path: unix:/run/app.sock")
		}
		g.h2 = newH2Pool(g, o.Protocol)
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
	g.h2 = newH2Pool(g, o.Protocol)
	return g, nil
}

// URL is the target as configured.
func (g *Origin) URL() string { return g.o.URL }

// OriginStats are an origin's counts: Open and Idle connections now, Dials and Reuses since it was
// made. HTTP2 are those of the open ones that speak it, Streams the calls on them now, and Moved the
// calls since it was made that a closing connection had turned away and that went to another one.
type OriginStats struct{ Open, Idle, Dials, Reuses, HTTP2, Streams, Moved int64 }

// Stats returns the counts.
func (g *Origin) Stats() OriginStats {
	g.mu.Lock()
	idle := len(g.idle)
	g.mu.Unlock()
	s := OriginStats{Open: g.open.Load(), Idle: int64(idle), Dials: g.dials.Load(), Reuses: g.reuses.Load()}
	if g.h2 != nil {
		g.h2.addStats(&s)
	}
	return s
}

// take returns the kept-alive connection used last that is still good now, or nil.
func (g *Origin) take(now int64) *Upcall {
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
		if now < u.idleUntil && !u.sock.pending() {
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
	if !g.stays(u) {
		u.discard()
		return
	}
	keep := g.o.IdleFor
	if u.keepFor > 0 && u.keepFor < keep {
		keep = u.keepFor
	}
	if g.o.ProxyHeader != 0 {
		g.makeWay()
	}
	g.mu.Lock()
	g.keep.lives(u.waited, u.idleSince)
	u.idleUntil = u.idleSince + g.keep.keepFor(int64(keep), u.idleSince)
	if g.closed || len(g.idle) >= g.o.MaxIdle {
		g.mu.Unlock()
		u.discard()
		return
	}
	g.idle = append(g.idle, u)
	if g.sweeper == nil {
		g.sweeper = time.AfterFunc(time.Duration(g.keep.keepFor(int64(g.o.IdleFor), u.idleSince)), g.sweep)
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
		g.sweeper.Reset(max(time.Duration(g.keep.keepFor(int64(g.o.IdleFor), now)/4), 50*time.Millisecond))
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
	g.endRest()
	for _, u := range idle {
		u.discard()
	}
	if g.h2 != nil {
		g.h2.close()
	}
}
