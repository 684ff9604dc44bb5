package wire

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Handler serves calls. Both methods run on the connection's goroutine, and a connection's calls come
// one after the other; over HTTP/2 each call has a goroutine of its own.
type Handler interface {
	// Serve serves one call. When it returns, an answer that was not ended is cut.
	Serve(Exchange)
	// Refuse answers a call whose head could not be read or that the door itself turns away. The
	// request holds what could be understood. The connection is closed afterwards.
	Refuse(Exchange, *Refusal)
}

// RefusalReason is why the door turned a call away.
type RefusalReason uint8

// The reasons.
const (
	RefuseMalformed   RefusalReason = iota // the head is not HTTP/1.1 as this package reads it
	RefuseHeadTooBig                       // more header bytes or fields than the limit
	RefuseHeadTimeout                      // the head was not complete in time
	RefuseConnections                      // too many connections
	RefuseVersion                          // an HTTP version that is not spoken here
	RefuseExpectation                      // an Expect other than 100-continue
	RefuseCoding                           // a transfer coding other than chunked
	RefuseNoPreamble                       // no PROXY protocol header where there must be one
	RefusePreamble                         // one that is malformed
)

// Refusal is what was wrong, without the caller's bytes.
type Refusal struct {
	Reason RefusalReason
	Head   *HeadError    // what the parser found; nil for the rest
	Limit  string        // the setting that was reached, "server.max_header"
	Value  string        // its value as configured
	Seen   string        // what was seen, "65537 bytes"
	After  time.Duration // since the head's first byte
}

// Canceller is something that a caller's leaving must stop. Cancel is called on another
// goroutine, at most once a Watch, and must not block.
type Canceller interface{ Cancel(Reason) }

// Reason is why a call is given up.
type Reason uint32

// The reasons.
const (
	ReasonNone       Reason = iota
	ReasonCallerGone        // the caller closed or reset its connection
	ReasonUpload            // the caller's body broke
	ReasonDrain             // the gateway stops
	ReasonHedged            // another attempt of the same call has answered first
)

// Exchange is one call at the door: what a room sees of the caller's connection, whatever the
// protocol: over HTTP/2 it is a stream, and what is said of the connection below is done to the stream
// alone. It is used by the goroutine that serves the call; only ReadBody may be called by one
// other goroutine at the same time as the writing methods.
type Exchange interface {
	// Request is the head. It is valid until Serve returns.
	Request() *Request
	// Protocol is "HTTP/1.1", "HTTP/1.0" or "HTTP/2".
	Protocol() string
	// Began is when the head's first byte was there.
	Began() time.Time
	Remote() netip.AddrPort // the peer's address; the zero value for a Unix socket
	RemoteIP() string       // the same as text, without port; made once a connection
	Local() netip.AddrPort
	TLS() *tls.ConnectionState // nil on a plain connection

	// Continue sends 100 (Continue) if the caller waits for it. ReadBody does so by itself on its
	// first read.
	Continue() error
	// Buffered returns the whole body if it has already arrived, without reading from the socket.
	Buffered() ([]byte, bool)
	// Malformed returns the *BodyError of a body whose framing is already seen to be broken in what has arrived, so that
	// nobody is asked for its sake; nil where it is good so far. It reads nothing from the socket.
	Malformed() error
	// ReadBody reads the request's body, after framing. It returns io.EOF at its end and a *BodyError
	// when it breaks. limit is the longest silence, 0 for none, Unhurried for neither that nor the least
	// rate (DoorOptions.MinRate).
	ReadBody(p []byte, limit time.Duration) (int, error)
	// BodyError is how reading the body failed, nil when it has not.
	BodyError() *BodyError
	// Trailer is the request's trailer, empty before the body's end.
	Trailer() *Header
	// StopReading makes the ReadBody in progress, or else the next one, return at once. If some of
	// the body has been read, the connection is closed after the answer; if not, the body can still
	// be read from its start.
	StopReading()

	// Inform sends an interim answer (1xx); on HTTP/1.0 it is left out.
	Inform(status int, h *Header) error
	// Start begins the answer: its head is kept until the first Flush or until there is enough to
	// send. reason may be empty. length is the body's length, LengthChunked when it is not known;
	// declared is the Content-Length to show where there is no body (HEAD, 304), -1 for none.
	Start(status int, reason string, h *Header, length, declared int64) error
	// Write adds to the body. It may keep what it is given until Flush; p is not used after it returns.
	Write(p []byte) error
	// Flush sends what was kept.
	Flush() error
	// End ends the body, with a trailer where there is one (chunked framing only), and flushes.
	End(trailer *Header) error
	// Withdraw takes a begun answer back, as if Start had not been called. It returns false when
	// some of it has already been sent.
	Withdraw() bool
	// Switch answers 101 (Switching Protocols) with the fields and the name of the protocol.
	Switch(upgrade []byte, h *Header) error
	// Abort cuts the connection without ending the answer, so that the caller sees the break.
	Abort()
	// WriteLimit sets the longest time for which the caller may take no byte of the answer.
	WriteLimit(time.Duration)

	Started() bool   // Start was called
	BytesIn() int64  // request body bytes read
	BytesOut() int64 // answer body bytes given to Write

	// Watch makes the caller's leaving cancel c until Unwatch; when the caller has already left, c
	// is cancelled at once. When Unwatch has returned, c will not be cancelled any more.
	Watch(c Canceller)
	Unwatch()
	// Gone tells whether the caller was seen to leave.
	Gone() bool
	// Close makes the connection end after this answer.
	Close()
	// Hijack hands the connection over after an upgrade; the exchange is over for the door.
	Hijack() (*Tunnel, error)
}

// BodyError is how reading a request's body failed.
type BodyError struct {
	// Reason is "aborted" (the caller closed or reset), "timeout", "slow" (fewer bytes a second than
	// Rate), "malformed" or "stopped".
	Reason string
	Detail string // what the chunked framing's fault was; "" otherwise
	Got    int64  // body bytes read before
	Want   int64  // declared length, -1 when chunked
	Limit  time.Duration
	Waited time.Duration // for the caller, in all
	Rate   int64         // bytes a second that it must send
}

func (e *BodyError) Error() string {
	if e.Detail != "" {
		return "reading the request body: " + e.Reason + ": " + e.Detail
	}
	return "reading the request body: " + e.Reason
}
