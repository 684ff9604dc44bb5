package gateway

import (
	"net/netip"
	"time"
	"unsafe"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/policy"
	"causeway/internal/snapshot"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// call is one call on its way through the rooms. It is pooled: nothing may keep a pointer into it
// after leave.
type call struct {
	facts

	// What is kept from one call to the next for its memory.
	j       journey.Journey
	rec     []byte // the record, encoded
	out     []byte // the request head of the attempt
	answer  wire.Header
	arena   []byte
	pathBuf []byte
	rewrite []byte
	pieces  [][]byte
}

// facts are all that the next call must not find.
type facts struct {
	g     *Gateway
	ex    wire.Exchange
	rq    *wire.Request
	gen   *snapshot.Generation
	slot  ledger.Slot
	began time.Time
	idBuf [26]byte // the id's text, so that header fields can point at it

	// What signpost found. One of svc and model is set once a call is routed.
	svc      *snapshot.Service
	route    *snapshot.Route
	model    *snapshot.Model // the configured name, or one made for PROVIDER/MODEL
	dialect  llm.Dialect     // the caller's; nil for REST
	op       llm.Operation
	own      bool // one of the gateway's own pages
	knocked  bool // and that is only to see whether somebody is there
	details  string
	upstream *snapshot.Upstream // who is being asked: the service's, or a provider's

	// What the guards found.
	caller      *policy.Caller
	dropped     uint64 // fields that do not go upstream: the caller's credential
	rate        policy.Decision
	limited     bool
	client      netip.Addr // the caller's address, behind trusted proxies
	peerText    string     // the address of whoever is connected to us
	trustedPeer bool
	local       bool // on loopback, and nobody spoke for another

	// What luggage decided.
	body       []byte // the whole body, when buffered
	ownBody    bool   // in memory that is this call's alone
	held       []byte // the pooled buffer behind body
	stream     wire.BodySource
	limit      limitedBody
	length     int64
	idempotent bool
	upgrade    bool
	pseudonym  []byte // ours in Via
	target     []byte // path for the upstream

	// LLM.
	provider      *snapshot.Provider
	askedUsage    bool // we asked the provider for usage, the caller did not
	llmReq        llm.Request
	pathModel     string // the model that the address names
	pathStream    bool   // the address asks for a stream
	pathDetail    string // what else it says
	cross         crossing
	prompt        prompted
	money         money
	emulated      bool // the answer is made in a provider's place
	kept          keeping
	owned         owning
	guard         *guarding // nil without guardrails
	streamHead    []byte    // how an event stream began
	long          *llm.LongAnswer
	unfold        unfolding // of an answer in a content coding
	keptCoding    string    // of the answer's body that is kept
	query         []byte    // for the upstream, nil where it is the caller's
	triedModels   uint64
	pick          choosing
	key           *snapshot.Credential // the provider's key in use
	callersKey    *snapshot.Credential // the caller's own, for a provider that wants it
	leg           *leg                 // nil but for a call that is put to several targets at a time
	modelProblem  string
	modelEvidence []string

	// Caches; nil but for a call of a service or of a model that has one.
	shelf  *shelf
	recall *recall

	// The attempts.
	request wire.Call
	tried   upstream.Tried
	reply   *wire.Upcall     // the answer being handed on
	holding *upstream.Target // whose slot the attempt has
	until   int64            // the whole call's limit
	again   int              // attempts made
	// recorded is how many of the attempts the targets' memories were told of.
	recorded int

	finding   *fault.Finding
	allow     string        // for 405
	param     string        // LLM: the parameter at fault
	retryIn   time.Duration // for Retry-After
	committed bool
	counted   bool  // among the calls in flight
	admitted  bool  // at once
	reserved  int64 // bytes of memory for a body that is held
	measured  bool
	rpc       rpcCall
	pretended bool // the sandbox's fault: whoever called is there to read it
}

// since is the time since the call began.
func (c *call) since() time.Duration { return time.Since(c.began) }

// at is the wall clock's time in Unix nanoseconds so long after the call began.
func (c *call) at(after time.Duration) int64 { return c.began.UnixNano() + int64(after) }

// view lets a string share bytes of the request, which stay as they are until leave: no further than
// the journey may it go, and what is kept longer (a finding, a note, the name of a model that a
// provider remembers) is a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// method returns the request's method without allocating for the usual ones.
func method(m []byte) string {
	switch string(m) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "PATCH":
		return "PATCH"
	case "HEAD":
		return "HEAD"
	case "OPTIONS":
		return "OPTIONS"
	}
	return string(m)
}

// idempotentMethod tells whether a method may be repeated (RFC 9110 section 9.2.2).
func idempotentMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		return true
	}
	return false
}
