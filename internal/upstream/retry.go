package upstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Retry decides whether a failed attempt is made again. It may be used concurrently.
type Retry struct {
	max      int
	connect  bool
	reset    bool
	statuses []int
	backoff  time.Duration
	budget   *Budget
}

// NewRetry compiles the retry settings of a service; now begins its budget's time.
func NewRetry(c catalog.Retries, now time.Time) (*Retry, error) {
	r := &Retry{max: c.Max, backoff: c.Backoff, budget: NewBudget(c.Budget, now)}
	for _, word := range c.On {
		status, err := strconv.Atoi(word)
		switch {
		case word == "connect":
			r.connect = true
		case word == "reset_before_response":
			r.reset = true
		case err == nil && status >= 400 && status <= 599:
			r.statuses = append(r.statuses, status)
		default:
			return nil, fmt.Errorf("retries.on: %q is none of connect, reset_before_response and the statuses 400 to 599", word)
		}
	}
	return r, nil
}

// Adopt lets r go on with the budget of old when the share has not changed. It must be called
// before r is used.
func (r *Retry) Adopt(old *Retry) {
	if old != nil && old.budget.share == r.budget.share {
		r.budget = old.budget
	}
}

// Call counts a call for the budget.
func (r *Retry) Call(now time.Time) { r.budget.Call(now) }

// Names reports whether retries.on names a status.
func (r *Retry) Names(status int) bool { return slices.Contains(r.statuses, status) }

// Failure is a failed attempt, with what decides about another one.
type Failure struct {
	Kind   fault.Kind
	Again  fault.Again   // the letter of the kind in the catalogue
	Status int           // that the upstream answered, or that we would answer for the kind
	Phase  journey.Phase // how far the attempt got
	// NothingSent: no byte of the request reached the upstream.
	NothingSent bool
	// Idempotent: the method is (see IdempotentMethod) or the call carries Idempotency-Key.
	Idempotent bool
	// Replayable: the request body, if any, can be sent again from its first byte.
	Replayable bool
	// AnswerBegun: the caller has got bytes of an answer.
	AnswerBegun bool
	// OtherTarget: a target that has not been tried is left (see Pool.Untried).
	OtherTarget bool
	// Attempts made until now, this one included.
	Attempts int
}

// Allow decides whether another attempt follows, and takes it from the budget if so. why says it
// for the record: "retried: ..." or "not retried: ...".
func (r *Retry) Allow(f Failure, now time.Time) (ok bool, why string) {
	switch {
	case r.max == 0:
		return false, "not retried: retries.max is 0"
	case f.AnswerBegun:
		return false, "not retried: the answer had begun"
	case f.Attempts > r.max:
		return false, fmt.Sprintf("not retried: all %d attempts are made (retries.max: %d)", f.Attempts, r.max)
	case !r.listed(f):
		return false, "not retried: retries.on does not name it"
	}
	ok, why = MayRepeat(f.Again, f.NothingSent, f.Idempotent, f.OtherTarget)
	switch {
	case !ok:
		return false, "not retried: " + why
	case !f.Replayable:
		return false, "not retried: the request body cannot be sent again"
	case !r.budget.Allow(now):
		return false, fmt.Sprintf("not retried: the budget of %.4g%% of calls in 10 s is spent", r.budget.share*100)
	}
	return true, "retried: " + why
}

// listed reports whether the settings name a failure. "connect" is everything before the request
// could be sent: DNS, TCP and TLS. A status is one that the upstream answered, or a failure for
// which we would answer with it: 504 covers first_byte_timeout.
func (r *Retry) listed(f Failure) bool {
	switch {
	case r.connect && f.Phase > journey.PhaseNone && f.Phase <= journey.PhaseTLS:
		return true
	case r.reset && slices.Contains(resets[:], f.Kind):
		return true
	}
	return slices.Contains(r.statuses, f.Status)
}

// resets are the kinds that "reset_before_response" covers: the connection ended before the
// first byte of an answer.
var resets = [...]fault.Kind{
	fault.ResetBeforeResponse, fault.ClosedBeforeResponse, fault.StaleConnection, fault.ResetDuringUpload,
	fault.HTTP2Draining, fault.HTTP2StreamRefused, fault.HTTP2EnhanceYourCalm, fault.HTTP2GoAway, fault.HTTP2StreamReset,
	fault.HTTP2StreamCancelled, fault.HTTP2InternalError, fault.HTTP2PingTimeout,
}

// MayRepeat is the rule of what is safe, by the letter that the catalogue gives a kind:
//
//	Y  always: nothing reached the application
//	I  nothing was sent, or the call is idempotent
//	D  as I, after a pause
//	F  as I, on another target
//	X  never
func MayRepeat(again fault.Again, nothingSent, idempotent, otherTarget bool) (ok bool, why string) {
	switch {
	case again == fault.Never:
		return false, "it would fail again"
	case again == fault.Elsewhere && !otherTarget:
		return false, "this target would fail again, and no other is left"
	case nothingSent:
		return true, "nothing had reached the upstream"
	case again == fault.Always:
		return true, "the upstream had not worked on it"
	case idempotent:
		return true, "the call is idempotent"
	}
	return false, "the upstream may have worked on it, and the call is neither idempotent nor carries Idempotency-Key"
}

// IdempotentMethod is RFC 9110 section 9.2.2.
func IdempotentMethod(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// How long a call waits between attempts at most.
const (
	maxBackoff = 5 * time.Second
	maxAsked   = 5 * time.Second
)

// Pause is how long to wait before the nth retry (from 1): the configured backoff, doubled with
// each further retry up to 5 s, of which a random half is taken off so that calls that failed
// together do not come back together. asked is what the upstream asked for in Retry-After, 0
// when nothing; a longer wait than 5 s is not worth a caller's time, and ok is false.
func (r *Retry) Pause(n int, asked time.Duration) (d time.Duration, ok bool) {
	if asked > maxAsked {
		return 0, false
	}
	if r.backoff > 0 {
		d = min(r.backoff<<min(max(n-1, 0), 16), maxBackoff)
		if d <= 0 { // shifted out of range
			d = maxBackoff
		}
		d = d/2 + rand.N(d/2+1)
	}
	return max(d, asked), true
}
