package wire

//lint:file-ignore SA1019 net/http's own server takes no connection that has been read from, and gives back no goroutines to wait for

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// HTTP2Options say how the door speaks HTTP/2. Zero values are the defaults of DefaultHTTP2.
type HTTP2Options struct {
	// MaxStreams is how many calls one connection may have open at a time
	// (SETTINGS_MAX_CONCURRENT_STREAMS).
	MaxStreams int
	// StreamWindow and ConnectionWindow are the bytes of request bodies that a caller may send ahead of
	// what is read of them: of one call, and of all calls of a connection together. They bound the
	// memory that a connection's unread bodies take.
	StreamWindow, ConnectionWindow int
	// PingAfter is the silence after which a PING asks whether the caller is still there, and
	// PingTimeout how long its answer may take.
	PingAfter, PingTimeout time.Duration
	// MaxResets is how many calls a connection may give up in a second, each within a tenth of a second of
	// its beginning ("rapid reset", CVE-2023-44487, and its kin in which the caller makes us reset), beyond
	// as many as it lets come to their end; and how many it may send that are malformed.
	MaxResets int
	// MaxControl is how many frames a connection may send in a second that carry nothing: PING,
	// SETTINGS, PRIORITY, RST_STREAM, CONTINUATION, WINDOW_UPDATE, empty DATA, unknown ones. Each call
	// allows four more, and each DATA frame and each KiB that it is sent in that second, so that a
	// client may open its windows as often as it likes.
	MaxControl int
}

// DefaultHTTP2 returns the options that hold where none are given.
func DefaultHTTP2() HTTP2Options {
	return HTTP2Options{
		MaxStreams: 250, StreamWindow: 1 << 20, ConnectionWindow: 4 << 20,
		PingAfter: 30 * time.Second, PingTimeout: 15 * time.Second, MaxResets: 250, MaxControl: 1000,
	}
}

func (o HTTP2Options) filled() HTTP2Options {
	d := DefaultHTTP2()
	for _, p := range []struct {
		v *int
		d int
	}{
		{&o.MaxStreams, d.MaxStreams},
		{&o.StreamWindow, d.StreamWindow},
		{&o.ConnectionWindow, d.ConnectionWindow},
		{&o.MaxResets, d.MaxResets},
		{&o.MaxControl, d.MaxControl},
	} {
		if *p.v <= 0 {
			*p.v = p.d
		}
	}
	o.MaxResets = max(o.MaxResets, o.MaxStreams) // a caller may give up all it has at once
	if o.PingAfter <= 0 {
		o.PingAfter = d.PingAfter
	}
	if o.PingTimeout <= 0 {
		o.PingTimeout = d.PingTimeout
	}
	return o
}

// h2Door is HTTP/2 as one set of options has it.
type h2Door struct {
	o      HTTP2Options
	server *http2.Server
	base   *http.Server
	drains sync.Once
}

func (d *Door) newHTTP2(o *DoorOptions) *h2Door {
	h := &h2Door{o: o.HTTP2.filled()}
	h.base = &http.Server{
		// It is told to callers (SETTINGS_MAX_HEADER_LIST_SIZE), and counts otherwise than our own limit, which
		// is lower and answers with a kind. x/net never sees a head that reaches it.
		MaxHeaderBytes: 2*o.Limits.Head + 32*o.Limits.Fields,
		// What it has to say of a connection is counted by reason and logged by the gateway.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	h.server = &http2.Server{
		MaxConcurrentStreams:         uint32(h.o.MaxStreams),
		MaxUploadBufferPerStream:     int32(h.o.StreamWindow),
		MaxUploadBufferPerConnection: int32(h.o.ConnectionWindow),
		ReadIdleTimeout:              h.o.PingAfter,
		PingTimeout:                  h.o.PingTimeout,
		CountError:                   func(reason string) { d.tellHTTP2(o, reason, "") },
	}
	// It fails for a TLS configuration without HTTP/2's ciphers alone, and there is none.
	_ = http2.ConfigureServer(h.base, h.server)
	return h
}

// drain makes x/net send GOAWAY on every connection; the calls in flight go on.
func (h *h2Door) drain() {
	h.drains.Do(func() {
		_ = h.base.Shutdown(context.Background()) // it has no listeners and no connections of its own to wait for
	})
}

// stalled is how long a connection may take no byte of ours: as long as an unanswered PING takes to
// be noticed.
func (h *h2Door) stalled() time.Duration { return h.o.PingAfter + h.o.PingTimeout }

// withALPN returns c with the protocols that the door speaks, in the order of its preference. One that
// chooses a configuration for each caller says there what is spoken.
func withALPN(c *tls.Config, http2on bool) *tls.Config {
	if c.GetConfigForClient != nil {
		return c
	}
	want := []string{"http/1.1", "http/1.0"} // curl --http1.0 offers the latter alone
	if http2on {
		want = []string{http2.NextProtoTLS, "http/1.1", "http/1.0"}
	}
	for _, p := range c.NextProtos {
		if p != http2.NextProtoTLS && p != "http/1.1" && p != "http/1.0" {
			want = append(want, p)
		}
	}
	if slices.Equal(want, c.NextProtos) {
		return c
	}
	c = c.Clone()
	c.NextProtos = want
	return c
}

var h2Preface = []byte(http2.ClientPreface)

// startsHTTP2 tells whether the connection's first bytes are HTTP/2's preface (RFC 9113 section
// 3.4). Where they are its beginning, it reads on until that is decided.
func (c *conn) startsHTTP2() bool {
	if c.o.h2 == nil || c.tls != nil {
		return false // over TLS it is agreed on by ALPN and not otherwise (RFC 9113 section 3.2)
	}
	for {
		head := c.buf[c.r:c.w]
		n := min(len(head), len(h2Preface))
		if !bytes.Equal(head[:n], h2Preface[:n]) {
			return false
		}
		if n == len(h2Preface) {
			return true
		}
		m, err := c.sock.read(c.buf[c.w:], c.headLimit())
		if m == 0 || err != nil {
			return false // what is there is no request: readHead says so
		}
		c.w += m
	}
}

// h2TurnAway is said to a caller of HTTP/2 who is one too many: SETTINGS, and a GOAWAY that takes no
// stream and asks for less (ENHANCE_YOUR_CALM).
var h2TurnAway = func() []byte {
	const why = "too_many_connections: server.max_connections"
	b := []byte{0, 0, 0, byte(http2.FrameSettings), 0, 0, 0, 0, 0}
	b = append(b, 0, 0, 8+byte(len(why)), byte(http2.FrameGoAway), 0, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, byte(http2.ErrCodeEnhanceYourCalm))
	return append(b, why...)
}()

// h2Counts are the door's figures for HTTP/2.
type h2Counts struct {
	connections, opened, calls atomic.Int64

	mu     sync.Mutex
	errors map[string]int64
}

// maxReasons is how many names of errors are told apart. The names are x/net's and ours, none is a
// caller's text; a new version may have others.
const maxReasons = 200

// tellHTTP2 counts a fault, and tells of it.
func (d *Door) tellHTTP2(o *DoorOptions, reason, remote string) {
	d.countHTTP2(reason)
	if o.OnHTTP2 != nil {
		o.OnHTTP2(reason, remote)
	}
}

func (d *Door) countHTTP2(reason string) {
	d.h2.mu.Lock()
	defer d.h2.mu.Unlock()
	if d.h2.errors == nil {
		d.h2.errors = map[string]int64{}
	}
	if _, known := d.h2.errors[reason]; !known && len(d.h2.errors) >= maxReasons {
		reason = "other"
	}
	d.h2.errors[reason]++
}

// HTTP2Stats are the door's counts since the start: connections that spoke HTTP/2, streams that were
// opened on them, calls that came of these (a stream that x/net refuses is none), and faults of the
// protocol by reason, those of one stream and those that ended a connection.
type HTTP2Stats struct {
	Connections, Streams, Calls int64
	Errors                      map[string]int64
}

// HTTP2 returns the counts.
func (d *Door) HTTP2() HTTP2Stats {
	d.h2.mu.Lock()
	defer d.h2.mu.Unlock()
	s := HTTP2Stats{
		Connections: d.h2.connections.Load(), Streams: d.h2.opened.Load(), Calls: d.h2.calls.Load(),
		Errors: make(map[string]int64, len(d.h2.errors)),
	}
	for reason, n := range d.h2.errors {
		s.Errors[reason] = n
	}
	return s
}
