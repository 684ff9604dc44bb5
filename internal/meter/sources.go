package meter

import "causeway/internal/journey"

// Sources are figures that others keep and that are read at each scrape. A nil function leaves its
// metrics out. The functions are called concurrently and must not block.
type Sources struct {
	Door    func() Door
	Listen  func() Listen
	Targets func() []Target
	Ledger  func() Ledger
	Load    func() Load
	Long    func() Long
	Host    func() *journey.Host // nil before anything is known
	TLS     func() TLS
	// Models and Keys are the targets of models, and the keys of providers.
	Models func() []ModelTarget
	Keys   func() []ProviderKey
	// Incidents are those that were opened, and what hooks have done.
	Incidents func() Incidents
	// Guardrails is what guardrails have found.
	Guardrails func() []GuardrailFound
	// Cache is what the cache of answers holds and has done.
	Cache func() Cache
}

// Door is the state of the gateway's listener.
type Door struct {
	Connections int64 // open now
	Calls       int64 // in flight now
	Accepted    int64 // connections since the start
	TurnedAway  int64 // connections closed at once because a limit was reached
	Silent      int64 // connections that sent nothing in time
	Idle        int64 // connections on which no further call came in time

	HTTP2Connections, HTTP2Streams, HTTP2Calls int64            // over HTTP/2, since the start
	HTTP2Errors                                map[string]int64 // faults of the protocol, by reason
}

// Target is the state of one target's pool. Either Service or Provider is set, to a configured name.
type Target struct {
	Service  string
	Provider string
	Target   string // as configured; user information in it is not shown
	Healthy  bool   // by active checks; true when there are none
	Full     bool   // has as many calls as max_busy allows
	InFlight int    // attempts running now
	Idle     int    // kept-alive connections waiting for a call
	Road     Road
}

// Ledger is the state of the call log. Counters count since the start.
type Ledger struct {
	BacklogBytes  int64 // in the spool and not yet in the store
	Segments      int   // of the spool
	FreeSegments  int
	Full          bool  // only the spool's reserve is left
	Failing       bool  // the store does not take calls at the moment
	StoreBytes    int64 // size of the store
	Kept          int64 // calls committed to the spool
	Stored        int64 // calls brought into the store
	Dropped       int64 // calls that found no room in the spool
	DroppedFailed int64 // of them, calls with a failure
	Refused       int64 // calls turned away for that reason (calls.when_full: refuse)
	Unmarked      int64 // calls that would not be known as killed, for want of a slot
	Killed        int64 // calls found unfinished at the start
	Damaged       int64 // records that could not be read and were set aside
	DeletedChunks int64 // parts of the log removed by retention
}
