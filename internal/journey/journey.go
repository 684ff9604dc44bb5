// Package journey is the record of one call: who called, what it went through, every attempt
// with its facts, the tokens it used and the finding it ended with. A journey is written by the
// one goroutine that serves the call and is read only after the call has ended.
package journey

import (
	"time"

	"causeway/internal/fault"
)

// Journey is one call from door to ledger. The zero value is ready for Reset.
type Journey struct {
	ID    ID
	Start time.Time // wall clock, when the head's first byte was there

	Remote   string // the caller's address after trusted proxies, without port
	Method   string
	Host     string
	Path     string // as the caller sent it, the query removed
	Protocol string // "HTTP/1.1"

	Service     string // the configured name, "" before routing or where none matched
	Route       string // the matched pattern
	Application string // the configured name of the caller, "" when open
	Provider    string
	Model       string // the model as the caller named it (a configured name, or PROVIDER/MODEL)
	TargetModel string // the model asked of the provider
	Dialect     string // the caller's dialect, "" for REST
	Stream      bool

	Status     int   // what the caller got; 0 when it left before any answer
	BytesIn    int64 // request body
	BytesOut   int64 // answer body
	Trace      [16]byte
	TLS        bool
	Cut        bool // the answer broke after its head was sent
	Generation uint64

	// Where the time went, since Start. Zero when the point was not reached.
	Routed    time.Duration // rooms 1 to 3 done
	Admitted  time.Duration // guards passed
	FirstByte time.Duration // the first answer byte was written to the caller
	Total     time.Duration

	Attempts []Attempt
	Usage    Usage
	Finding  *fault.Finding
	RPC      *RPC // nil for a call that is not gRPC's
	// GatewayHost is what the gateway's own host was like, for a call that failed; else nil.
	GatewayHost *Host
	Notes       []Note
	// Cache is what a cache that was asked did with the call: hit, stale, stored, miss or bypass, and behind it in
	// brackets what else is known of it; "" where none was asked.
	Cache    string
	Policies []string // policies that changed the call or ended it, "rate_limit: 100/1s by application"

	RequestBody  []byte // kept only by configuration, cut and masked
	ResponseBody []byte
	Sent         *Sent // nil where it is not kept, as RequestBody
}

// Usage is what the provider's answer said it used. Counts are -1 when it said nothing.
type Usage struct {
	Input, Output, Cached, CacheWrite, Reasoning int64
	// BilledInput and BilledOutput are what the provider charges for, where it says that this is less than what was
	// used (Cohere's billed_units); 0 where it does not.
	BilledInput, BilledOutput int64
	Source                    string // "reported", "partial" (the stream broke), "counted" by us, FromCache, "" when none
	// Cost is in billionths of a US dollar, when Priced: the model's price was known.
	Cost   int64
	Priced bool
	// Extra is what else the provider told of tokens that cost more or less than others; nil mostly. It is not
	// changed once it is here.
	Extra *UsageExtra
}

// FromCache is the Source of the usage of an answer that was kept: nobody used it for this call.
const FromCache = "cached"

// UsageExtra are parts of a Usage that have prices of their own. A count that was not said is 0.
type UsageExtra struct {
	CacheWrite1h      int64 // of CacheWrite: kept for an hour
	AudioIn, AudioOut int64
	ImageIn, ImageOut int64
	Searches, Images  int64 // calls of the provider's own search; images made
	Milliseconds      int64 // of audio, where that is what counts
	Batch             bool  // asked of a batch API
}

// Note is one line that a room leaves for the explanation.
type Note struct {
	At   time.Duration
	Room string // "signpost", "luggage", "choose", ...
	Text string
}

// Reset makes j ready for the next call and keeps its memory.
func (j *Journey) Reset() {
	attempts, notes, policies := j.Attempts, j.Notes, j.Policies
	clear(attempts)
	*j = Journey{}
	j.Attempts, j.Notes, j.Policies = attempts[:0], notes[:0], policies[:0]
	u := &j.Usage
	u.Input, u.Output, u.Cached, u.CacheWrite, u.Reasoning = -1, -1, -1, -1, -1
}

// NewAttempt adds an attempt and returns it. The pointer is valid until the next NewAttempt.
func (j *Journey) NewAttempt() *Attempt {
	j.Attempts = append(j.Attempts, Attempt{})
	return &j.Attempts[len(j.Attempts)-1]
}

// Note adds a line for the explanation, at the time since the call's start.
func (j *Journey) Note(at time.Duration, room, text string) {
	j.Notes = append(j.Notes, Note{at, room, text})
}
