package journey

import (
	"syscall"
	"time"

	"causeway/internal/fault"
)

// Phase is how far an attempt got. Phases are entered in this order; an attempt on a kept-alive
// connection goes from PhaseNone to PhaseSend.
type Phase uint8

// The phases of one attempt.
const (
	PhaseNone    Phase = iota
	PhaseDNS           // the name is being looked up
	PhaseConnect       // TCP (or the Unix socket) is being connected
	PhaseTLS           // the handshake runs
	PhaseSend          // the request is being written
	PhaseWait          // the request is out, no answer byte yet
	PhaseHead          // the first answer byte came, the head is not complete
	PhaseBody          // the head is complete, the body is being read
	PhaseDone          // the answer was read to its end
)

var phaseNames = [...]string{"none", "dns", "connect", "tls", "send", "wait", "head", "body", "done"}

func (p Phase) String() string { return phaseNames[p] }

// End is how an attempt ended, as the socket showed it. With the phase it is what the rules of
// internal/diagnose work from: nothing here is an interpretation.
type End uint8

// The ends of an attempt.
const (
	EndOpen      End = iota // still running
	EndComplete             // the whole answer was read
	EndEOF                  // the peer closed (FIN)
	EndReset                // the peer reset (RST; ECONNRESET or EPIPE)
	EndErrno                // another system error: see Errno
	EndTimeout              // one of our limits fired: see Limit and LimitValue
	EndParse                // bytes came that are not what HTTP/1.1 allows here: see Fault and Offset
	EndDNS                  // the lookup failed: see DNS
	EndTLS                  // the handshake failed: see TLS
	EndCaller               // the caller left or its upload broke; not the upstream's doing
	EndCancelled            // we gave it up (drain, shutdown)
	EndRefused              // we did not start it: prohibited address, loop
	EndHTTP2                // the HTTP/2 layer ended it: see HTTP2
	EndHedged               // we gave it up because another attempt of the same call answered first
)

var endNames = [...]string{"open", "complete", "eof", "reset", "errno", "timeout", "parse", "dns", "tls", "caller", "cancelled", "refused", "http2", "hedged"}

func (e End) String() string { return endNames[e] }

// ParseFault names what was wrong with the bytes of an answer.
type ParseFault string

// The ways in which an answer is not HTTP.
const (
	FaultNone          ParseFault = ""
	FaultNotHTTP       ParseFault = "not_http"        // the first bytes are not "HTTP/"
	FaultTLSBytes      ParseFault = "tls_bytes"       // the first bytes are a TLS record
	FaultStatusLine    ParseFault = "status_line"     // begins as HTTP, the status line is wrong
	FaultVersion       ParseFault = "version"         // an HTTP version we do not speak
	FaultFieldName     ParseFault = "field_name"      // a field name with a byte that is not a token
	FaultFieldValue    ParseFault = "field_value"     // a control byte in a value
	FaultFieldLine     ParseFault = "field_line"      // a line without colon, or otherwise not a field
	FaultHeadTooLarge  ParseFault = "head_too_large"  // more than the limit of header bytes
	FaultTooManyFields ParseFault = "too_many_fields" // more than the limit of header fields
	FaultContentLength ParseFault = "content_length"  // not a number, or two that differ
	FaultFraming       ParseFault = "framing"         // Content-Length beside Transfer-Encoding
	FaultCoding        ParseFault = "coding"          // a transfer coding other than chunked
	FaultChunk         ParseFault = "chunk"           // chunked framing is broken
	FaultTrailer       ParseFault = "trailer"         // the trailer section is broken or too large
	FaultUpgrade       ParseFault = "upgrade"         // 101 that nobody asked for
	FaultInterim       ParseFault = "interim"         // too many 1xx answers
	FaultHTTP2         ParseFault = "http2"           // not what RFC 9113 allows: see HTTP2.Detail
)

// AddressTry is one address that was dialled.
type AddressTry struct {
	Address string // "127.0.0.1:9001", or a socket's path
	Errno   syscall.Errno
	Timeout bool
	Took    time.Duration
}

// DNSFacts are what the resolver said.
type DNSFacts struct {
	Name     string
	Server   string // the resolver asked, "" when not known
	NotFound bool   // NXDOMAIN or no data
	Timeout  bool
	// RCode is "NXDOMAIN", "SERVFAIL", "REFUSED", "NOERROR" (exists, without addresses), or "" when not known.
	RCode string
	Err   string // the resolver's error as text
}

// TLSFacts are what the handshake showed.
type TLSFacts struct {
	ServerName string // what we asked for (SNI)
	// Reason is what is wrong with the server's certificate ("unknown_authority", "self_signed",
	// "missing_intermediate", "expired", "not_yet_valid", "issuer_expired", "issuer_not_yet_valid",
	// "name_mismatch", "wrong_usage", "name_constraint", "weak_signature", "not_an_authority",
	// "chain_too_long", "pin_mismatch" or "invalid"), else "alert", "not_tls", "eof", "reset", "timeout"
	// or "protocol".
	Reason        string
	Alert         int // the alert received, -1 when none
	AlertText     string
	Asked         bool   // the server asked for a client certificate
	Own           string // the one that it was shown, "" for none
	Subject       string
	Issuer        string
	Names         []string
	NotBefore     time.Time
	NotAfter      time.Time
	Chain         int    // certificates the server sent
	First         []byte // the first bytes received, when they are not TLS
	Err           string
	AfterComplete bool // a TLS 1.3 server refused after the handshake was done on our side
}

// Attempt is one attempt at one target, with the facts of what happened on its socket.
// wire fills it in while it works; nothing in it is shared, and it may be read once wire has
// returned. Durations are zero for phases that did not happen.
type Attempt struct {
	Target  string        // the target as configured, "http://127.0.0.1:9001"
	Address string        // the address of the connection used, "127.0.0.1:9001"
	Start   time.Duration // since the call's start

	Reused   bool          // on a kept-alive connection
	ConnUses int           // calls this connection had served before
	ConnIdle time.Duration // how long it had been idle
	ConnAge  time.Duration

	Phase Phase
	End   End
	Errno syscall.Errno

	// Limit is the configuration key of the limit that fired ("first_byte"), LimitValue its value.
	Limit      string
	LimitValue time.Duration

	DNSTime     time.Duration
	ConnectTime time.Duration
	TLSTime     time.Duration
	SendTime    time.Duration
	FirstByte   time.Duration // from the last request byte sent to the first answer byte
	Total       time.Duration

	BytesOut     int64 // request bytes written to the socket (the body alone is BodyOut)
	BodyOut      int64
	BodyOutLen   int64         // the request body's declared length, -1 unknown, 0 none
	BytesIn      int64         // answer bytes read from the socket
	BodyIn       int64         // body bytes read, after framing
	BodyInLen    int64         // declared; -1 chunked or until close
	Silence      time.Duration // since the last byte in either direction, at the end
	SendComplete bool          // the whole request was written

	Status int // 0 when none was received

	Fault  ParseFault
	Offset int64  // where in the answer the fault stands
	First  []byte // the first answer bytes (at most 200), kept when they could not be understood
	Line   []byte // the offending line, escaped by whoever shows it (at most 200)

	Tries  []AddressTry
	DNS    *DNSFacts
	TLS    *TLSFacts
	HTTP2  *HTTP2Facts  // nil over HTTP/1.1
	Tunnel *TunnelFacts // nil without an upgrade

	// Usage is what the provider may bill of an attempt that we gave up while it worked, because another one answered
	// first; nil for any other.
	Usage *AttemptUsage

	// Kind is what inspect.go found; "" while the attempt is good.
	Kind fault.Kind
	// Again tells why another attempt followed, or did not: "retried: idempotent", "not retried: budget spent".
	Again string
}

// AttemptUsage is what an attempt that did not answer its call may be billed for. It counts against the limits of the
// application, and is not part of the call's own Usage.
type AttemptUsage struct {
	Input, Output int64
	Source        string // "partial": what the provider had told of until then; Estimated: nothing was told
	// Cost is in billionths of a US dollar, when Priced: the model's price was known.
	Cost   int64
	Priced bool
}

// Estimated is the Source of a usage that nobody has told or counted.
const Estimated = "estimated"
