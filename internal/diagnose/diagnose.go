// Package diagnose tells why a call failed: facts in, a finding out. Its rules are pure functions
// without clock and network, so that a stored call can be explained again. Kind names what one
// attempt's socket showed; Judge makes the finding of a whole call; Passed reads an upstream's
// own answer. Only Passed runs for calls that went well.
//
// What the rules do not recognise is fault.Unclassified, with all its evidence: they never guess
// a kind.
package diagnose

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Input is what is known about a call that failed. Judge changes nothing in it.
type Input struct {
	Service  string // the configured name, "" where none matched
	Provider string // the configured name, "" for REST
	Model    string // as the caller named it
	Method   string
	// Idempotent is true when the method is idempotent (RFC 9110 section 9.2.2) or the call carries
	// Idempotency-Key. On a model's route the key does not count: providers bill each call.
	Idempotent bool
	LLM        bool
	Time       time.Time // when the call began; the zero time leaves ages of certificates out

	Attempts []journey.Attempt // all of them, in order
	// Kind is set when a room already knows it (a guard, the router, a dialect); "" lets the last
	// attempt decide.
	Kind   fault.Kind
	Status int // what the caller gets, 0 for the kind's own (or the answer's, when passed on)
	// Detail and SafeDetail are the room's own sentence with and without addresses, "" for ours.
	// SafeDetail must hold no address, host name or port: it goes to strangers as it is.
	Detail, SafeDetail string
	// Evidence and RuledOut come before ours; Advice and CallerAdvice before the catalogue's.
	Evidence, RuledOut, Advice, CallerAdvice []string
	// KeyHeader and URL make the curl of a 401: "apikey: YOUR_KEY" and the address called, without
	// query. Both empty leave it out.
	KeyHeader, URL string

	// Answer is the upstream's own complete answer, nil where none came. Passed is true when it
	// went to the caller unchanged.
	Answer *Answer
	Passed bool

	// History is what this target did before; the zero value means not known.
	History History
	// Past is what else is remembered of the target and of others, nil where nothing is.
	Past *journey.Past
	// Targets is how many targets the service or model has, Healthy how many of them are; 0 and 0
	// when not known.
	Targets, Healthy int
	// Unjudged is true where nothing judges targets (no health check, no breaker, no ejection): Healthy then says
	// nothing.
	Unjudged bool
	// HealthReasons is each target's own trouble, for no_healthy_target, breaker_open and no_slot.
	HealthReasons []TargetReason

	// Host is what the gateway's own host was like while the call ran, nil when that is not known. Limit is
	// the limit of a room that passed, 0 where an attempt's did or none.
	Host  *journey.Host
	Limit time.Duration

	// Child is what is known of the upstream's process where the gateway has started it, nil where it has not.
	Child *journey.Child

	// RetryAfter is the pause that an upstream, a limiter or a health check named, 0 when none did.
	RetryAfter time.Duration
	// Backoff is the configured pause (retries.backoff) that is told when nothing was sent, 0 for none.
	Backoff time.Duration
}

// History is what the gateway remembers about a target under the configuration in force.
type History struct {
	Known    bool
	EverGood bool          // it has given a whole answer
	LastGood time.Duration // how long ago, 0 when not known
}

// TargetReason is why one target is not used.
type TargetReason struct {
	Target string     // as configured
	Kind   fault.Kind // of its last failure, "" when it has no name
	Text   string     // what its last check saw, with addresses; "" when nothing more is known
	Never  bool       // it has not given one good answer under this configuration
}

// Answer is an upstream's complete answer, as far as the rules look at it.
type Answer struct {
	Status int
	// Header returns a field's value by its lower-case name, "" when absent. nil means no fields.
	Header func(name string) string
	Body   []byte // its beginning; 1 KiB is enough
	// RPC is the gRPC status that it ended with, nil where it has none.
	RPC *journey.RPC
}

func (a *Answer) header(name string) string {
	if a == nil || a.Header == nil {
		return ""
	}
	return a.Header(name)
}

// Judge makes the finding of a call, nil when nothing in it failed. It may be called concurrently.
func Judge(in Input) *fault.Finding {
	kind, about := in.decide()
	if kind == "" {
		return nil
	}
	e := fault.Lookup(kind)
	if e == nil {
		kind, e = fault.Unclassified, fault.Lookup(fault.Unclassified)
	}
	c := judgement{in: &in, kind: kind, entry: e, about: about, troubles: HostTroubles(in.Host)}
	c.behind = c.hostBehind()
	f := &fault.Finding{Kind: kind, Status: c.status(), Passed: in.Passed}
	c.cause(f)
	c.detail(f)
	f.Evidence = clipped(in.Evidence, c.evidence())
	f.RuledOut = clipped(in.RuledOut, f.RuledOut)
	f.Attempts = attempts(in.Attempts)
	f.ProxyParams = c.proxyParams()
	f.ReceivedStatus = c.received()
	f.Retry = c.verdict()
	f.Warning = c.warning(f.Retry)
	f.Because, f.Check = clip(f.Because, lineLimit), clip(c.check(f), lineLimit)
	f.RetryAfterMS = c.retryAfter(f.Retry)
	c.advice(f)
	return f
}

// judgement is the working state of one Judge.
type judgement struct {
	in       *Input
	kind     fault.Kind
	entry    *fault.Entry
	about    *journey.Attempt // the attempt that the finding is about, nil when none is
	troubles []HostTrouble    // of the gateway's own host
	behind   *HostTrouble     // the one that lies behind the failure, nil when none does
	found    *pattern         // what tells the failure from its twins, nil when nothing does
}

// decide chooses the kind, and the attempt it is about.
func (in *Input) decide() (fault.Kind, *journey.Attempt) {
	var last *journey.Attempt
	if n := len(in.Attempts); n > 0 {
		last = &in.Attempts[n-1]
	}
	switch {
	case in.Kind != "":
		if last != nil && kindOf(last) != in.Kind && ownWork(in.Kind) {
			last = nil
		}
		return in.Kind, last
	case last == nil:
		return "", nil
	default:
		return kindOf(last), last
	}
}

// ownWork says whether a kind arises in the gateway itself and not on an attempt's connection.
func ownWork(k fault.Kind) bool {
	switch k {
	case fault.NoHealthyTarget, fault.BreakerOpen:
		return true
	}
	e := fault.Lookup(k)
	return e != nil && e.At == fault.AtGateway
}

// kindOf is the attempt's kind as inspected before, or as its facts say.
func kindOf(a *journey.Attempt) fault.Kind {
	if a.Kind != "" {
		return a.Kind
	}
	return Kind(a)
}

func (c *judgement) status() int {
	switch {
	case c.in.Status != 0:
		return c.in.Status
	case c.in.Passed && c.in.Answer != nil:
		return c.in.Answer.Status
	default:
		return c.entry.Status
	}
}

// received is the status an upstream sent for this call's last attempt, 0 when none came.
func (c *judgement) received() int {
	switch {
	case c.in.Answer != nil:
		return c.in.Answer.Status
	case c.about != nil:
		return c.about.Status
	default:
		return 0
	}
}

// attempts is the list as the error body tells it.
func attempts(list []journey.Attempt) []fault.Attempt {
	if len(list) == 0 {
		return nil
	}
	out := make([]fault.Attempt, len(list))
	for i := range list {
		a := &list[i]
		out[i] = fault.Attempt{Target: cleanTarget(a.Target), Kind: kindOf(a), Status: a.Status, MS: float64(a.Total) / float64(time.Millisecond)}
	}
	return out
}
