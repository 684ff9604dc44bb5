package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// The clock of this package is monotonic nanoseconds since the process began; 0 is "no limit".
var base = time.Now()

func clock() int64 { return int64(time.Since(base)) }

func clockTime(at int64) time.Time { return base.Add(time.Duration(at)) }

// Errors of a socket's own making.
var (
	errTimeout   = errors.New("the limit has passed")
	errCancelled = errors.New("the call was given up")
	errNudged    = errors.New("something has changed that the reader waits beside")
)

// sock reads and writes one connection with limits that cost nothing while they are far away: a
// deadline is set only when none is set or the one set is later than what is asked for; one that
// fires too early is set again. A plain TCP or Unix socket is read by its descriptor, so that a
// buffer is taken only when there are bytes for it and a write of several pieces is one system
// call; TLS goes through its connection.
//
// One goroutine may read while another writes. cancel may be called by anyone at any time.
type sock struct {
	nc net.Conn
	rc syscall.RawConn // nil for TLS

	cancelled atomic.Bool
	nudged    atomic.Bool
	mayNudge  bool  // the read in progress wants to be told of a nudge
	readAt    int64 // when the read deadline that is set fires, 0 none
	writeSet  bool  // a write deadline is set

	rd, wr               rawOp
	wait                 // of writes, since takeWait
	waitFrom, queuedFrom int64
	lane                 *Lane
	work                 Work   // that long bodies are
	by                   Worker // whose they are
	stint                Stint
	greedy               uint8 // pieces of a body in a row that were there at once
	stale                bool
	staleFn              func(fd uintptr)
	peeked               [1]byte
}

// rawOp holds the arguments and results of one direction's system call. The closure is made once
// a connection.
type rawOp struct {
	p, q  []byte // q is written after p
	n     int
	errno syscall.Errno
	again bool // it could not be done at once: written, the kernel's buffer is full; read, nothing was there
	pool  bool // read: take a buffer when there are bytes
	fn    func(fd uintptr) bool
}

func (s *sock) init(nc net.Conn) {
	s.nc = nc
	if sc, ok := nc.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			s.rc = rc
			s.rd.fn, s.wr.fn = s.rd.read, s.wr.write
		}
	}
}

// cancel makes every read and write in progress, and every later one, return errCancelled.
func (s *sock) cancel() {
	s.cancelled.Store(true)
	_ = s.nc.SetDeadline(time.Unix(1, 0)) // a closed socket is as good
}

// uncancel takes a cancel back. The caller knows that no one cancels or reads at the same time.
func (s *sock) uncancel() {
	s.cancelled.Store(false)
	_ = s.nc.SetDeadline(time.Time{})
	s.readAt, s.writeSet = 0, false
}

// nudge makes a readNudged in progress return errNudged; another read goes on.
func (s *sock) nudge() {
	s.nudged.Store(true)
	_ = s.nc.SetReadDeadline(time.Unix(1, 0))
	if s.cancelled.Load() {
		_ = s.nc.SetDeadline(time.Unix(1, 0))
	}
}

// readNudged is read, ended early by nudge.
func (s *sock) readNudged(p []byte, by int64) (int, error) {
	s.mayNudge = true
	n, err := s.read(p, by)
	s.mayNudge = false
	return n, err
}

func (op *rawOp) read(fd uintptr) bool {
	p := op.p
	if op.pool && p == nil {
		p = getBuffer(smallBuffer)
	}
	op.n, op.errno = sysRead(fd, p)
	if op.errno == syscall.EAGAIN {
		if op.pool {
			putBuffer(p)
			op.p = nil
		}
		op.again = true
		return false
	}
	op.p = p
	return true
}

func (op *rawOp) write(fd uintptr) bool {
	op.n, op.errno = sysWrite(fd, op.p, op.q)
	if op.errno == syscall.EAGAIN {
		// The limit must be set before we wait.
		wait := op.again
		op.again = true
		return !wait
	}
	return true
}

// read reads into p until the time by. It returns io.EOF-like ends as n == 0 with err == nil.
func (s *sock) read(p []byte, by int64) (int, error) {
	s.rd.p, s.rd.pool = p, false
	return s.readOp(by)
}

// readFirst waits for bytes without holding a buffer, and returns the buffer that got them; it is
// the caller's to give back, also when n is 0 and err is nil (the peer has closed).
func (s *sock) readFirst(by int64) (buf []byte, n int, err error) { return s.readAgain(nil, by) }

// readAgain is readFirst for one who has a small buffer in hand, and gives it away: what is there
// already is read into it. nil is none.
func (s *sock) readAgain(buf []byte, by int64) (_ []byte, n int, err error) {
	if s.rc == nil {
		if buf == nil {
			buf = getBuffer(smallBuffer)
		}
		if n, err = s.read(buf, by); err != nil {
			putBuffer(buf)
			buf = nil
		}
		return buf, n, err
	}
	s.rd.p, s.rd.pool = buf, true
	n, err = s.readOp(by)
	buf, s.rd.p = s.rd.p, nil
	return buf, n, err
}

func (s *sock) readOp(by int64) (int, error) {
	s.rd.again = false
	for {
		if by != 0 && (s.readAt == 0 || s.readAt > by) {
			s.readAt = by
			_ = s.nc.SetReadDeadline(clockTime(by))
			if s.cancelled.Load() {
				return 0, errCancelled
			}
			if s.mayNudge && s.nudged.Swap(false) {
				return 0, errNudged // its deadline may have been the one that ours replaced
			}
		}
		n, err := s.readOnce()
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			if s.cancelled.Load() {
				return n, errCancelled
			}
			return n, err
		}
		if s.cancelled.Load() {
			return n, errCancelled
		}
		if by != 0 && clock() >= by {
			return n, errTimeout
		}
		// It fired for an earlier limit, which no longer holds, or somebody nudged.
		s.readAt = 0
		if s.nudged.Swap(false) && s.mayNudge {
			_ = s.nc.SetReadDeadline(time.Time{})
			s.recancel()
			return n, errNudged
		}
		if by == 0 {
			_ = s.nc.SetReadDeadline(time.Time{})
			if s.cancelled.Load() {
				return 0, errCancelled
			}
		}
	}
}

// turns is how many pieces of a body in a row may be there at once before others get the CPU.
const turns = 2

// share is called after each piece of a body was read. A long body that comes as fast as it is read would
// keep its CPU, and a caller with a short call would wait until the runtime takes it away.
func (s *sock) share() {
	if s.rd.again {
		s.greedy = 0
		s.stint.Waited()
		return
	}
	if s.greedy++; s.greedy >= turns {
		s.greedy = 0
		s.lane.Share(&s.stint, s.work, s.by)
	}
}

func (s *sock) readOnce() (int, error) {
	if s.rc == nil {
		n, err := s.nc.Read(s.rd.p)
		if n > 0 || err == io.EOF {
			// Not io.ErrUnexpectedEOF: an end inside a record is a cut, whatever the framing says.
			return n, nil
		}
		return n, err
	}
	if err := s.rc.Read(s.rd.fn); err != nil {
		return 0, err
	}
	if s.rd.errno != 0 {
		if s.rd.pool {
			putBuffer(s.rd.p)
			s.rd.p = nil
		}
		return 0, s.rd.errno
	}
	return s.rd.n, nil
}

// write writes p and then q whole. limit is the longest time during which not one byte may be
// taken; by, when not 0, is when it must be over. It returns the bytes written also on an error.
func (s *sock) write(p, q []byte, limit time.Duration, by int64) (total int, err error) {
	for len(p)+len(q) > 0 {
		n, err := s.writeOnce(p, q, limit, by)
		total += n
		if err != nil {
			return total, err
		}
		if n >= len(p) {
			p, q = q[n-len(p):], nil
		} else {
			p = p[n:]
		}
	}
	return total, nil
}

func (s *sock) writeOnce(p, q []byte, limit time.Duration, by int64) (int, error) {
	if s.rc == nil {
		if len(q) > 0 && len(p) > 0 && len(p) < mediumBuffer {
			// One record, and one system call, for as much as a record holds: 16 KiB (RFC 8446 section 5.1).
			b := getBuffer(mediumBuffer)
			defer putBuffer(b)
			p = b[:copy(b, p)+copy(b[len(p):], q)]
		} else if len(p) == 0 {
			p = q
		}
		s.armWrite(limit, by)
		began := clock()
		n, err := s.nc.Write(p)
		if took := clock() - began; took > int64(time.Millisecond) {
			s.wait.waited, s.wait.moved = s.wait.waited+took, s.wait.moved+int64(n)
		}
		return n, s.writeError(err)
	}
	s.wr.p, s.wr.q, s.wr.again = p, q, false
	for {
		if err := s.rc.Write(s.wr.fn); err != nil {
			s.wr.p, s.wr.q = nil, nil
			s.endWait(0)
			return 0, s.writeError(err)
		}
		if s.wr.errno != syscall.EAGAIN {
			break
		}
		s.armWrite(limit, by)
		s.beginWait()
	}
	s.wr.p, s.wr.q = nil, nil
	if s.wr.again {
		s.disarmWrite()
		s.endWait(max(s.wr.n, 0))
	}
	if s.wr.errno != 0 {
		return 0, s.wr.errno
	}
	return s.wr.n, nil
}

func (s *sock) armWrite(limit time.Duration, by int64) {
	at := by
	if limit > 0 {
		if t := clock() + int64(limit); by == 0 || t < by {
			at = t
		}
	}
	if at == 0 {
		s.disarmWrite()
		return
	}
	_ = s.nc.SetWriteDeadline(clockTime(at))
	s.writeSet = true
	s.recancel()
}

// disarmWrite takes the deadline off, which would else fail a later write that need not wait.
func (s *sock) disarmWrite() {
	if !s.writeSet {
		return
	}
	s.writeSet = false
	_ = s.nc.SetWriteDeadline(time.Time{})
	s.recancel()
}

// recancel puts back the deadline of a cancel that came just before ours was set.
func (s *sock) recancel() {
	if s.cancelled.Load() {
		_ = s.nc.SetDeadline(time.Unix(1, 0))
	}
}

func (s *sock) writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case s.cancelled.Load():
		return errCancelled
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	}
	return err
}

// pending tells whether the peer has sent something, or closed, while the connection was not in
// use. It does not wait and takes nothing out.
func (s *sock) pending() bool {
	if s.rc == nil && s.ahead() {
		return true
	}
	rc := s.below()
	if rc == nil {
		return false
	}
	if s.staleFn == nil {
		s.staleFn = func(fd uintptr) { s.stale = sysPending(fd) }
	}
	err := rc.Control(s.staleFn)
	return err != nil || s.stale
}

// wasReset tells whether the peer has reset the connection. It is for when that is not known from an
// error: Linux reports a reset once, to whoever reads or writes first.
func (s *sock) wasReset() (yes bool) {
	if rc := s.below(); rc != nil {
		_ = rc.Control(func(fd uintptr) { yes = sysReset(fd) })
	}
	return yes
}

// below is the plain connection, below TLS if there is any; nil when it has no descriptor.
func (s *sock) below() syscall.RawConn {
	if s.rc != nil {
		return s.rc
	}
	inner, ok := s.nc.(interface{ NetConn() net.Conn })
	if !ok {
		return nil
	}
	sc, ok := inner.NetConn().(syscall.Conn)
	if !ok {
		return nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return rc
}

// ahead tells whether TLS has taken more from the socket than it has given out, such as a second
// record of the segment that ended the last answer: the kernel knows nothing of it. The read may
// not wait, so it sees what TLS holds and nothing else.
func (s *sock) ahead() bool {
	_ = s.nc.SetReadDeadline(time.Unix(1, 0))
	n, err := s.nc.Read(s.peeked[:])
	_ = s.nc.SetReadDeadline(time.Time{})
	s.readAt = 0
	return n > 0 || !errors.Is(err, os.ErrDeadlineExceeded)
}
