package journey

import (
	"time"

	"causeway/internal/fault"
)

// Past is what the gateway remembers, in the moment of a failure, about the target that failed, its siblings and
// everybody else. It is asked for when a call has failed and is not part of the call's record: what it says of
// the failure becomes the finding's evidence. A Past is not changed once it is made. Durations that are "ago"
// count back from the failure.
type Past struct {
	Watched time.Duration // since when the target has been watched: nothing is known from before

	Good    bool          // it has given a whole answer under the configuration in force
	GoodAgo time.Duration // the last one
	// GoodBefore is true when it had given one under a configuration before; GoodBeforeAgo is the last of those.
	GoodBefore    bool
	GoodBeforeAgo time.Duration
	// Revised is true when the settings of this upstream were changed while the process ran, RevisedAgo when.
	Revised    bool
	RevisedAgo time.Duration

	// Streak is how many attempts failed in a row until now, this one included; RunAgo when the first of them
	// ended, and RunKind what it was.
	Streak  int
	RunAgo  time.Duration
	RunKind fault.Kind
	// CutBefore is true when a call under way broke off shortly before the first of a run of failed connections.
	CutBefore    bool
	CutBeforeAgo time.Duration

	Latency PastLatency
	Busy    int // calls in flight at the target now
	Open    int // of its connections, those that calls are on now
	Usual   int // what that was on average while it was well

	Shape   PastShape
	Elapsed PastCluster // of the failures like this one: how long after the request was sent they came, in ns
	Size    PastCluster // how many bytes had come (or gone, for a broken upload) when it broke
	Idle    PastCluster // for how long reused connections had been idle that turned out to be dead, in ns
	// KeepFor is how long connections to this target are kept since that was learned, 0 when nothing was.
	KeepFor time.Duration

	Changes []PastChange // what changed about the target, latest first
	Outages []PastOutage // earlier runs of failed connections that ended by themselves, latest first

	// Siblings are the other targets of the same service, SameHost the targets of any upstream on the same host
	// at other ports, Others those on other hosts: each as a count.
	Siblings, SameHost, Others PastOthers

	// ClockOff is by how much this host's clock is ahead of what other upstreams wrote in their Date fields, the
	// median over ClockSeen of them; 0 with none.
	ClockOff  time.Duration
	ClockSeen int

	// ModelGood is true when the target has answered for the model of this call, ModelGoodAgo when last.
	ModelGood    bool
	ModelGoodAgo time.Duration
	// Keys is how many keys the provider has, KeysGood how many of them are in use; 0 for none.
	Keys, KeysGood int
}

// PastLatency compares the time to the first byte just before the failures with what it was before that. Counts
// are of samples; both halves are good answers only.
type PastLatency struct {
	Samples        int
	P50, P95       time.Duration // before
	Recent         int
	NewP50, NewP95 time.Duration // in the last samples before the first failure
}

// PastShape is how requests of this call's shape (route, method, model, size) fared beside all others.
type PastShape struct {
	Failed      int // in a row until now, this one included
	Good        int // ever, as far as they were seen
	GoodAgo     time.Duration
	OthersGood  int // answers of other shapes since the first of Failed
	OthersBad   int // failures of other shapes since then
	OthersSince time.Duration
}

// PastCluster is a value that failures have in common.
type PastCluster struct {
	Value int64 // the median of those that agree
	Count int   // how many agree, this one included
	Of    int   // of how many failures of the kind
}

// PastChange is something about the target that is not what it was.
type PastChange struct {
	What     string // "address", "certificate", "Server", "configuration", ...
	From, To string
	Ago      time.Duration
}

// PastOutage is a time for which no connection to the target could be made.
type PastOutage struct {
	Took, Ago time.Duration // Ago: of its end
	Kind      fault.Kind
	Cut       bool // a call under way broke as it began
}

// PastOthers are other targets at the moment of the failure.
type PastOthers struct {
	Known   int           // that have been called within the last minute
	Failing int           // of them, those whose last attempt failed on the road (name, connection, TLS)
	Well    int           // of them, those that answered last
	Reached int           // of them, those that failed last in a way that shows that they were reached
	Name    string        // one of those that are well, else one of those that fail; "" for none
	Ago     time.Duration // when that one was last heard of, or failed
	Kind    fault.Kind    // of its failure
	Hosts   int           // different hosts among the failing
}
