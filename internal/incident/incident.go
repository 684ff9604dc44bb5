// Package incident folds the failures of many calls into a few incidents: one for each thing that is wrong,
// from its first failing call to its recovery, with one explanation.
//
// The Engine is given facts and the time, and has neither a clock nor a network of its own: finished calls
// (Call), what health checks say (Health), what has changed (Changed). Tick decides what opens and what has
// ended. Nothing of it is on a call's path.
//
// What is folded together is said by the fingerprint: kind, and the target, or the service, or the provider's
// model, or the caller that it is about. Two relations fold further. A symptom goes under its
// cause: no_healthy_target under the connection_refused of the service's target (the catalogue's
// depends-on), the connections that were cut under the refusals that follow (aftermath.go). And a blip stays
// quiet: what is rarer than Settings.OpenAfter in Settings.Window, or rarer than Settings.Share of the calls,
// opens nothing.
package incident

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// State is where an incident stands.
type State string

// The states.
const (
	Open      State = "open"
	Quiet     State = "quiet"     // nothing fails any more, and nothing is called any more: nobody knows whether it is over
	Recovered State = "recovered" // calls go well again
	Folded    State = "folded"    // it turned out to be a symptom of another incident, Incident.Under
)

// Side is whose trouble an incident is.
type Side string

// The sides.
const (
	Upstream Side = "upstream"
	Caller   Side = "caller"
	Gateway  Side = "gateway"
)

// Settings are the thresholds. Fields that are 0 have the defaults given.
type Settings struct {
	OpenAfter    int           // failures in Window that open an incident; 3
	Window       time.Duration // 1m
	Share        float64       // of the calls in Window that must have failed as well, 0 to 1; 0.01, negative for none
	RecoverCalls int           // good calls in a row; 5
	RecoverAfter time.Duration // the time without a failure that recovery takes as well; 10s
	QuietAfter   time.Duration // the time without any call after which it is quiet; 10m
	CallerBurst  int           // refusals of one caller in Window that open an incident; 20
	Ceiling      int           // incidents that are open at a time; 200
}

func (s *Settings) fill() {
	if s.OpenAfter == 0 {
		s.OpenAfter = 3
	}
	if s.Window == 0 {
		s.Window = time.Minute
	}
	if s.Share == 0 {
		s.Share = 0.01
	}
	if s.RecoverCalls == 0 {
		s.RecoverCalls = 5
	}
	if s.RecoverAfter == 0 {
		s.RecoverAfter = 10 * time.Second
	}
	if s.QuietAfter == 0 {
		s.QuietAfter = 10 * time.Minute
	}
	if s.CallerBurst == 0 {
		s.CallerBurst = 20
	}
	if s.Ceiling == 0 {
		s.Ceiling = 200
	}
}

// Incident is one thing that is, or was, wrong. It can be kept as JSON. What Engine returns is a copy.
type Incident struct {
	ID    string      `json:"id"` // a ULID of the onset's time, as a call's
	State State       `json:"state"`
	Kind  fault.Kind  `json:"kind"`
	Cause fault.Cause `json:"cause"`
	Side  Side        `json:"side"`
	// What it is about; what does not apply is "".
	Target   string `json:"target,omitempty"` // as configured, without user and query
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"`  // the provider's name for it
	Caller   string `json:"caller,omitempty"` // of a caller's incident: an application, or an address

	Services []string `json:"services,omitempty"` // services and models that were hit, sorted

	Onset    time.Time `json:"onset"`     // the first failure of the run
	Opened   time.Time `json:"opened"`    // when it was opened, which is later
	LastSeen time.Time `json:"last_seen"` // the last failure
	// Ended is when calls went well again, or when it went quiet or was folded; zero while it is open.
	Ended time.Time `json:"ended"`

	Calls    int64 `json:"calls"`    // that failed with it
	Absorbed int64 `json:"absorbed"` // that met it and went well by another attempt
	Checks   int64 `json:"checks"`   // times that a health check was found failing with it
	// Callers are some of those who were hit, CallerCount all of them, at most MostCallers.
	Callers     []string             `json:"callers,omitempty"`
	CallerCount int                  `json:"caller_count"`
	Symptoms    map[fault.Kind]int64 `json:"symptoms,omitempty"` // calls that failed with a kind that is its consequence
	Changes     []Change             `json:"changes,omitempty"`  // what changed shortly before the onset, the last first
	Samples     []string             `json:"samples,omitempty"`  // ids of the first and the last of the calls
	Finding     *fault.Finding       `json:"finding,omitempty"`  // of the first call; nil where only checks have seen it
	Seen        string               `json:"seen,omitempty"`     // what a health check saw last
	First       fault.Kind           `json:"first,omitempty"`    // the kind it was opened with, where that was a symptom
	Under       string               `json:"under,omitempty"`    // the incident that it was folded into
	LastGood    time.Time            `json:"last_good"`          // the last good call before the onset, as far as seen
	Again       int                  `json:"again,omitempty"`    // times that it went on after it had gone quiet

	fingerprint string
}

// Fingerprint is what failures of the same incident have in common.
func (i *Incident) Fingerprint() string { return i.fingerprint }

// Ongoing tells whether it has neither recovered nor been folded.
func (i *Incident) Ongoing() bool { return i.State == Open || i.State == Quiet }

// MostCallers is how many callers of one incident are told apart.
const MostCallers = 1000

// recovery is the Change.What of an incident of the same target that was over.
const recovery = "recovery"

const (
	listedCallers = 10
	listedChanges = 10
	listedBlips   = 5 // samples at either end
)

// Change is something that became different.
type Change struct {
	At time.Time `json:"at"`
	// What is configuration, version (a field in which the target names itself), certificate, protocol, address,
	// content, restart (of the target: it was away, and came back), recovery, or Start.
	What string `json:"what"`
	Text string `json:"text"`
	// Before and After are what it was and what it became, in a few words; "" where Text says all.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Until is when a restarted target was back; zero for everything else.
	Until time.Time `json:"until,omitzero"`
	// Services and Target are what it touches; both empty: everything.
	Services []string `json:"services,omitempty"`
	Target   string   `json:"target,omitempty"`
}

// Restart is the Change.What of a target that was away for a while: At is when it went.
const Restart = "restart"

// Start is the Change.What of the process's own start: it stands in the timeline, and explains nothing alone.
const Start = "start"

// Event is what Tick found.
type Event struct {
	What     string // "opened", "closed" or "changed"
	Incident Incident
}

// The events.
const (
	Opened  = "opened"
	Closed  = "closed"  // recovered, quiet or folded
	Changed = "changed" // new figures, to be kept
)

// TargetHealth is what the checks of a target say.
type TargetHealth struct {
	Service, Provider string // one of them is set
	Target            string
	Healthy           bool
	Kind              fault.Kind // of the last failed check, while it is not healthy
	Text              string
	Since             time.Time // of the present state
}

// Memory tells what else is known to have changed about a target between two moments, the last first; of all targets
// of a service or provider where target is "". It may be called while the engine's lock is held.
type Memory func(upstream, target string, from, to time.Time) []Change

// Judge makes the finding of one attempt that failed in a call that went well in the end.
type Judge func(j *journey.Journey, attempt int) *fault.Finding
