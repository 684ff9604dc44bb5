// Package fault is the vocabulary of failure: every KIND a call can fail with, what each
// means, and how a failure is told to the one it happened to. It does no I/O.
//
// The catalogue (table.go) is one table; the pages under /.causeway/failures/, docs/failures.md,
// the metrics' label values and the error bodies are all made from it. The rules that choose a
// kind from facts live in internal/diagnose.
package fault

// Kind is the stable name of a way to fail, such as "connection_refused". Callers write code
// against it, so a kind is never renamed.
type Kind string

// Cause is the class of cause that a failure belongs to.
type Cause string

// The causes. Overload to IncompatibleChange are about the upstream's side; Caller is the
// caller's own doing; Gateway is Causeway itself (its limits, its host, its bugs).
const (
	Overload           Cause = "overload"
	Configuration      Cause = "configuration"
	Network            Cause = "network"
	Software           Cause = "software"
	IncompatibleChange Cause = "incompatible_change"
	Caller             Cause = "caller"
	Gateway            Cause = "gateway"
)

// Again says under which condition an attempt that failed so may be repeated. The letters are
// those of the catalogue's retry column.
type Again byte

// The letters.
const (
	Always     Again = 'Y' // nothing reached the application: safe for any method
	Idempotent Again = 'I' // only an idempotent method, or a call with Idempotency-Key
	Delayed    Again = 'D' // after a pause (Retry-After); the same rules as Y
	Elsewhere  Again = 'F' // not on this target; another target may answer
	Never      Again = 'X' // repeating cannot help
)

// Verdict tells the caller whether repeating the call is safe.
type Verdict string

// The verdicts of contract section 6.
const (
	Safe      Verdict = "safe"       // no work was done; repeat freely
	MayRepeat Verdict = "may_repeat" // work may have been done, or billed, and may be again
	No        Verdict = "no"         // repeating cannot help
)

// Place is where on the way from the caller to the upstream a failure shows: what the picture
// on a failure's page marks as broken.
type Place uint8

// The places.
const (
	AtCaller       Place = iota + 1 // what the caller sent, or that it left
	AtGateway                       // a rule, a limit or a bug of the gateway
	AtUpstreamLink                  // between the gateway and the upstream
	AtUpstream                      // the upstream itself
)

var placeNames = [...]string{"", "caller", "gateway", "link", "upstream"}

func (p Place) String() string { return placeNames[p] }

// Entry is one row of the catalogue.
type Entry struct {
	Kind   Kind
	Title  string // "The upstream refused the connection": stable per kind, no addresses
	Status int    // the HTTP status we answer with; 0 where an upstream's own answer is passed on
	Proxy  string // RFC 9209 section 2.3 error type, "" where the gateway made no failure
	Cause  Cause  // what it usually means; diagnose may know better
	Again  Again
	At     Place
	// DependsOn lists kinds that, when found on the same target, or on the gateway's host, are the cause
	// behind this one.
	DependsOn []Kind
	// Explain is one paragraph for the failure's page: what happened, seen from the gateway.
	Explain string
	// CallerAdvice is what the caller can do, without any address or secret.
	CallerAdvice []string
	// OperatorAdvice is what the operator of the gateway or of the upstream can do.
	OperatorAdvice []string
}

// Attempt is one attempt as an error body tells it.
type Attempt struct {
	Target string  `json:"target"`
	Kind   Kind    `json:"kind,omitempty"`
	Status int     `json:"status,omitempty"`
	MS     float64 `json:"ms"`
}

// Finding is what we say about one failed call: a kind with the particulars of this occurrence.
// It is made by diagnose, kept in the call's record, and rendered by the functions of this
// package. A Finding is not changed once its call has ended.
type Finding struct {
	Kind   Kind  `json:"kind"`
	Cause  Cause `json:"cause"`
	Status int   `json:"status"` // the status the caller got (or would have got)
	// Detail is one sentence with addresses and numbers, for callers who may know them.
	Detail string `json:"detail"`
	// SafeDetail is the same sentence without addresses.
	SafeDetail   string    `json:"safe_detail"`
	Retry        Verdict   `json:"retry"`
	RetryAfterMS int64     `json:"retry_after_ms,omitempty"` // 0 when not known
	Evidence     []string  `json:"evidence,omitempty"`       // observed facts, numbers with units
	RuledOut     []string  `json:"ruled_out,omitempty"`
	Attempts     []Attempt `json:"attempts,omitempty"`
	// Advice for those who may know addresses; empty means the entry's OperatorAdvice.
	Advice []string `json:"advice,omitempty"`
	// CallerAdvice overrides the entry's when set.
	CallerAdvice []string `json:"caller_advice,omitempty"`
	// ProxyParams are extra RFC 9209 parameters in order, such as rcode="NXDOMAIN" or alert-id=116.
	ProxyParams []Param `json:"proxy_params,omitempty"`
	// ReceivedStatus is the status an upstream sent, 0 when none was received.
	ReceivedStatus int `json:"received_status,omitempty"`
	// Passed is true when the upstream's own answer went to the caller and this finding only comments on it.
	Passed bool `json:"passed,omitempty"`
	// Confidence is "high", "likely" or "possible".
	Confidence string `json:"confidence,omitempty"`
	// Pattern is the stable word for what tells this failure from its twins, such as "never_worked" or
	// "one_request_shape" (docs/diagnosis.md lists them); "" where nothing does.
	Pattern string `json:"pattern,omitempty"`
	// Because is the reasoning behind Cause and Pattern in a sentence, with addresses and numbers; Check the one
	// thing to look at that would settle it. Both are "" where the kind says all there is.
	Because string `json:"because,omitempty"`
	Check   string `json:"check,omitempty"`
	// Warning says what repeating the call may do twice, without addresses; "" where that does no harm.
	Warning string `json:"warning,omitempty"`
}

// Param is one Proxy-Status parameter. An Int value is rendered as an integer, else Str as a
// string, or as a token when Token is set.
type Param struct {
	Name  string `json:"name"`
	Str   string `json:"str,omitempty"`
	Int   int64  `json:"int,omitempty"`
	IsInt bool   `json:"is_int,omitempty"`
	Token bool   `json:"token,omitempty"`
}

// RepeatCareful is the advice to callers whose call may have been worked on although it failed. It does not concern
// calls that change nothing.
const RepeatCareful = "The upstream may have done the work all the same: before you repeat a call that changes something, check, or send an Idempotency-Key."
