package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"causeway/internal/journey"
)

// h2conn is one HTTP/2 connection to an upstream. It has two goroutines: one reads frames and hands
// them to the streams, one writes what streams have queued. A call waits for neither of them beyond
// its own limits, whatever its peer does to the others.
type h2conn struct {
	pool    *h2pool
	nc      net.Conn
	secure  bool
	agreed  string   // what ALPN agreed on
	own     identity // what the handshake showed of us
	address string
	dialled int64

	// Of the reading goroutine.
	br    *bufio.Reader
	hdec  *hpack.Decoder
	block h2Fields
	first []byte // the first bytes received, until SETTINGS have come
	begun bool   // SETTINGS have come

	mu      sync.Mutex
	streams map[uint32]*h2stream
	next    uint32 // the next stream's number
	uses    int    // streams opened
	booked  int    // streams promised by reserve and not opened yet
	retired bool   // no new streams; closed when the last one ends
	alone   bool   // the stream that is open may send a trailer: no other one shares the connection (see mayTrail)
	fail    *h2Failure
	goAway  *h2GoAway

	// Sending.
	out      []byte // queued, not yet taken by the writer
	wake     *sync.Cond
	queued   int64 // bytes ever queued, of them taken by the writer, and of them written
	taken    int64
	written  int64
	marks    []h2Mark
	waiting  []*h2stream // streams that wait for room in out or for a window
	window   int64       // the connection's, as the peer gives it
	initial  int64       // a new stream's
	maxFrame int
	most     int   // streams that the peer allows
	began    bool  // the first field block has been queued
	connect  bool  // the peer takes extended CONNECT
	progress int64 // when bytes were last written

	// Receiving.
	spent    int   // of our window for the connection since the last WINDOW_UPDATE
	lastRead int64 // when a frame last came
	heard    int64 // when the last HEADERS or DATA came
	pinged   int64 // when our PING went out, 0 while none is unanswered
	pings    int   // sent since heard

	idleSince int64
	tick      *time.Timer
	ready     chan struct{} // closed when SETTINGS have come or the connection has failed
	isReady   bool
	heardAll  chan struct{} // closed when the reader has ended
	done      sync.WaitGroup
}

// h2Mark is the end of a stream's request among the bytes that are queued.
type h2Mark struct {
	at int64
	s  *h2stream
}

// h2GoAway is what a GOAWAY said.
type h2GoAway struct {
	last  uint32
	code  uint32
	debug []byte
}

// h2Failure is how a connection, or a stream of it, ended otherwise than well.
type h2Failure struct {
	end     journey.End
	errno   syscall.Errno
	fault   journey.ParseFault
	signal  journey.HTTP2Signal
	code    uint32
	goAway  *h2GoAway
	detail  string
	first   []byte
	tls     *journey.TLSFacts
	ended   bool  // the stream ended before its length
	sending bool  // it showed in writing
	err     error // what Next returns
}

const (
	// h2MaxStreams is how many calls share one connection at most, however many the peer allows.
	h2MaxStreams = 100
	// h2Queue is how much may be queued before a stream's body has to wait.
	h2Queue = 256 << 10
	// h2Flood is how much may be queued at all: a peer that makes us answer frames (PING, SETTINGS) and
	// does not read the answers is left.
	h2Flood = 4 << 20
)

// newH2 begins HTTP/2 on a connection.
func (p *h2pool) newH2(nc net.Conn, agreed string, own identity) *h2conn {
	c := &h2conn{
		pool: p, nc: nc, secure: p.origin.tls != nil, agreed: agreed, own: own, dialled: clock(),
		br: bufio.NewReaderSize(nc, h2MaxFrame), streams: map[uint32]*h2stream{}, next: 1,
		window: h2DefaultWindow, initial: h2DefaultWindow, maxFrame: h2MaxFrame, most: h2MaxStreams,
		ready: make(chan struct{}), heardAll: make(chan struct{}), idleSince: clock(),
	}
	c.wake = sync.NewCond(&c.mu)
	c.hdec = hpack.NewDecoder(4096, nil)
	c.hdec.SetMaxStringLength(4 * p.origin.o.Limits.Head)
	c.hdec.SetEmitFunc(func(f hpack.HeaderField) { c.block.take(f) })
	c.address = p.origin.name
	if !p.origin.unix {
		c.address = nc.RemoteAddr().String()
	}
	c.out = appendH2Preface(c.out, p.origin.o.Limits.Head)
	c.queued = int64(len(c.out))
	c.lastRead, c.heard, c.progress = c.dialled, c.dialled, c.dialled
	c.tick = time.AfterFunc(p.origin.o.IdleFor, c.onTick)
	p.origin.open.Add(1)
	c.done.Add(2)
	go c.write()
	go c.read()
	return c
}

// write is the writing goroutine.
func (c *h2conn) write() {
	defer c.done.Done()
	var spare []byte
	c.mu.Lock()
	for {
		for len(c.out) == 0 && c.fail == nil {
			c.wake.Wait()
		}
		if len(c.out) == 0 {
			c.mu.Unlock()
			_ = c.nc.Close()
			c.pool.forget(c)
			return
		}
		p := c.out
		c.taken = c.queued
		c.out = spare[:0]
		last := c.fail != nil // what is queued then is the last word
		c.mu.Unlock()
		if last {
			_ = c.nc.SetWriteDeadline(time.Now().Add(250 * time.Millisecond))
		}
		n, err := c.nc.Write(p)
		if spare = p; cap(spare) > 2*h2Queue {
			spare = nil
		}
		c.mu.Lock()
		now := clock()
		c.written += int64(n)
		if n > 0 {
			c.progress = now
		}
		for len(c.marks) > 0 && c.marks[0].at <= c.written {
			c.marks[0].s.sentAt = now
			c.marks = c.marks[1:]
		}
		if err != nil {
			c.out = nil
			f := c.socketFailure(err)
			f.sending = true
			if c.secure && f.end == journey.EndReset {
				c.hearOut()
			}
			c.failLocked(f)
			continue
		}
		if len(c.waiting) > 0 && len(c.out) < h2Queue/2 {
			c.wakeWaiting()
		}
	}
}

// lastWords is how long a reader is given to read what a peer had sent before it closed.
const lastWords = 250 * time.Millisecond

// hearOut lets the reader come to the end of what has arrived, when writing failed: a peer that ends a TLS connection
// says why in an alert, which is read after the write that followed it has failed. The caller holds mu.
func (c *h2conn) hearOut() {
	late := time.NewTimer(lastWords)
	defer late.Stop()
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-c.heardAll:
	case <-late.C:
	}
}

// socketFailure files an error of the socket.
func (c *h2conn) socketFailure(err error) *h2Failure {
	f := &h2Failure{end: journey.EndErrno, errno: errno(err), err: err}
	switch {
	case isReset(err):
		f.end = journey.EndReset
	case isEOF(err):
		f.end, f.errno = journey.EndEOF, 0
		f.err = io.ErrUnexpectedEOF // io.EOF would be the good end of a body
	case c.secure && f.errno == 0:
		f.tls = tlsFacts(c.pool.tls.ServerName, err, &tapConn{})
		f.tls.AfterComplete = true
		c.own.note(f.tls)
		f.end = journey.EndTLS
	}
	return f
}

// wakeWaiting lets the streams that wait to send look again.
func (c *h2conn) wakeWaiting() {
	for i, s := range c.waiting {
		s.queuedFor = false
		wakeUp(s.room)
		c.waiting[i] = nil
	}
	c.waiting = c.waiting[:0]
}

// queue adds frames; the caller holds mu.
func (c *h2conn) queue(frames func([]byte) []byte) {
	if c.fail != nil {
		return
	}
	n := len(c.out)
	c.out = frames(c.out)
	c.queued += int64(len(c.out) - n)
	if n == 0 {
		c.wake.Signal()
	}
	if len(c.out) > h2Flood {
		c.failLocked(c.broke(breachH2(http2.ErrCodeEnhanceYourCalm, "it sends frames that have to be answered and does not read the answers")))
	}
}

// broke is the failure of a connection whose peer broke the protocol. The peer is told.
func (c *h2conn) broke(b *h2Breach) *h2Failure {
	return &h2Failure{end: journey.EndParse, fault: journey.FaultHTTP2, signal: journey.HTTP2Error, code: uint32(b.code), detail: b.detail, err: b}
}

// failLocked ends the connection: every stream learns of it, and no other is opened.
func (c *h2conn) failLocked(f *h2Failure) {
	if c.fail != nil {
		return
	}
	if g := c.goAway; g != nil && (f.end == journey.EndEOF || f.end == journey.EndReset) {
		// It said why before it closed, if it had a reason.
		f = &h2Failure{end: f.end, errno: f.errno, signal: journey.HTTP2GoAway, code: g.code, goAway: g, err: f.err}
		if g.code != uint32(http2.ErrCodeNo) {
			f.end, f.errno = journey.EndHTTP2, 0
		}
	}
	if f.signal == journey.HTTP2Error {
		c.out = appendH2GoAway(c.out, 0, http2.ErrCode(f.code))
	}
	c.fail, c.retired = f, true
	c.pool.origin.open.Add(-1)
	for _, s := range c.streams {
		s.beside = len(c.streams) - 1
		s.failLocked(f)
	}
	c.wakeWaiting()
	c.setReady()
	c.tick.Stop()
	c.wake.Signal()
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // the reader leaves; the writer closes after its last word
}

func (c *h2conn) setReady() {
	if !c.isReady {
		c.isReady = true
		close(c.ready)
	}
}

// Errors of streams and connections, for whoever asks Next: the facts say more.
var (
	errH2Closed = errors.New("the connection was closed by the gateway")
	errH2Reset  = errors.New("the upstream reset the stream")
	errH2GoAway = errors.New("the upstream ended the connection")
	errH2Answer = errors.New("the answer is not one of HTTP/2")
)

// retire lets no new stream begin; the connection is closed when it has none.
func (c *h2conn) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retireLocked()
}

func (c *h2conn) retireLocked() {
	c.retired = true
	c.closeIfDone()
}

// closeIfDone closes a retired connection that has no stream left.
func (c *h2conn) closeIfDone() {
	if c.fail != nil || !c.retired || len(c.streams) > 0 || c.booked > 0 {
		return
	}
	c.queue(func(p []byte) []byte { return appendH2GoAway(p, 0, http2.ErrCodeNo) })
	c.failLocked(&h2Failure{end: journey.EndEOF, err: errH2Closed})
}

// reserve promises a stream, if the connection can have one more; where alone is set, one that no other
// stands beside. The caller holds mu.
func (c *h2conn) reserve(alone bool) bool {
	if !c.retired && clock()-c.dialled > int64(c.pool.origin.o.MaxAge) {
		c.retireLocked()
	}
	if c.retired || len(c.streams)+c.booked >= min(c.most, h2MaxStreams) {
		return false
	}
	if c.pinged != 0 {
		return false // it is being asked whether it is still there
	}
	if c.alone || alone && len(c.streams)+c.booked > 0 {
		return false
	}
	c.booked++
	c.alone = alone
	return true
}

// open turns a reservation into a stream and queues the request's head. It returns false when the
// connection has ended meanwhile, or takes no new streams: nothing of the request was sent then.
func (c *h2conn) open(s *h2stream, block []byte, end bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.booked--
	if c.fail != nil || c.goAway != nil {
		c.closeIfDone()
		return false
	}
	now := clock()
	s.c, s.id = c, c.next
	s.facts.Stream, s.facts.Streams = s.id, len(c.streams)
	s.window, s.recv = c.initial, h2Window
	s.uses, s.idle, s.age = c.uses, 0, time.Duration(now-c.dialled)
	if len(c.streams) == 0 {
		s.idle = time.Duration(now - c.idleSince)
		c.heard, c.pings = now, 0
		c.tick.Reset(c.pool.origin.o.PingAfter)
	}
	s.opened = now
	c.next += 2
	c.uses++
	if c.next > h2LastStream {
		c.retired = true
	}
	c.streams[s.id] = s
	first := !c.began
	c.began = true
	c.queue(func(p []byte) []byte {
		if first {
			block = append([]byte{h2NoTable}, block...)
		}
		return appendH2Headers(p, block, s.id, end, c.maxFrame)
	})
	s.headEnd = c.queued
	if end {
		s.sendEnded = true
		s.mark()
	}
	return true
}

// drop takes a stream out of the connection. One that is not over is reset.
func (c *h2conn) drop(s *h2stream, code http2.ErrCode) {
	if s.gone {
		return
	}
	s.gone = true
	delete(c.streams, s.id)
	if c.fail != nil {
		return
	}
	silent := false
	if !s.over() {
		c.queue(func(p []byte) []byte { return appendH2Reset(p, s.id, code) })
		silent = c.lastRead < s.opened && clock()-s.opened > int64(h2Suspect)
	}
	if len(c.streams) > 0 {
		if silent && c.pings == 0 {
			c.ping(clock())
		}
		return
	}
	c.alone = c.alone && c.booked > 0
	c.idleSince = clock()
	if silent || c.retired || c.pool.closed.Load() {
		c.retireLocked() // nobody can tell whether it is still there, and nobody needs it
		return
	}
	c.tick.Reset(c.pool.origin.o.IdleFor)
}

const (
	// h2Suspect is how long a call must have waited before that it got no frame says something about
	// its connection.
	h2Suspect = time.Second
	// h2LastStream is where a connection is replaced: far below the last number that there is.
	h2LastStream = 1 << 30
)

// onTick looks after a connection that is idle, or silent while calls wait on it.
func (c *h2conn) onTick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return
	}
	now, o := clock(), &c.pool.origin.o
	if len(c.streams)+c.booked == 0 {
		c.retireLocked() // it has been idle for as long as it may be
		return
	}
	if now-c.dialled > int64(o.MaxAge) && !c.retired {
		c.retireLocked()
	}
	if c.pinged != 0 {
		if c.lastRead < c.pinged {
			c.failLocked(&h2Failure{
				end: journey.EndHTTP2, signal: journey.HTTP2Ping, err: errTimeout,
				detail: "no answer to PING within " + o.PingTimeout.String(),
			})
			return
		}
		c.pinged = 0
	}
	// Servers count PINGs between two answers (gRPC's allow one in five minutes), so that after one
	// that was answered the next has time.
	after := o.PingAfter
	if c.pings > 0 {
		after = max(after, h2PingAgain)
	}
	if silent := now - max(c.lastRead, c.heard); silent < int64(after) {
		c.tick.Reset(time.Duration(int64(after) - silent))
		return
	}
	c.ping(now)
}

// h2PingAgain is the pause between two PINGs while nothing else comes.
const h2PingAgain = 5 * time.Minute

// ping asks the peer whether it is there. The caller holds mu.
func (c *h2conn) ping(now int64) {
	if c.pinged != 0 || c.fail != nil {
		return
	}
	c.pinged = now
	c.pings++
	c.queue(func(p []byte) []byte { return appendH2Ping(p, 0, [8]byte{'c', 'a', 'u', 's', 'e', 'w', 'a', 'y'}) })
	c.tick.Reset(c.pool.origin.o.PingTimeout)
}

// wakeUp signals a channel of one place.
func wakeUp(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
