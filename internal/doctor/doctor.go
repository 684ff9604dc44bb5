// Package doctor looks at one target and says what is wrong with it: it is causeway doctor. It goes
// through four parts. Status asks the target itself, layer by layer, directly and through the gateway
// where one runs; Logs reads what the gateway noted of it lately; Performance looks at this host and,
// where its metrics are named, the upstream's; Configuration checks the file. One verdict ends it, in
// the catalogue's words.
//
// The HTTP exchanges go over internal/wire and are judged by internal/diagnose, as calls are, so that
// the doctor and the gateway say the same of the same failure. Addresses that nobody named are not
// asked when they are private, and no key or configured header goes to a host that it is not for.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

// Part is one of the four parts of an examination.
type Part string

// The parts, in their order.
const (
	Status        Part = "status"
	Logs          Part = "logs"
	Performance   Part = "performance"
	Configuration Part = "configuration"
)

// Result is what came of a step.
type Result string

// The results. A warning is worth a look and makes nobody's call fail now; skipped says why in Text.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Faulty  Result = "fault"
	Skipped Result = "skipped"
)

// Step is one thing that was looked at. Strings may hold what a stranger's server sent; Text and the
// JSON escape it.
type Step struct {
	Part   Part       `json:"part"`
	Name   string     `json:"name"`             // "dns", "tcp", "tls", "get", ...
	Target string     `json:"target,omitempty"` // which of several targets it is about
	Result Result     `json:"result"`
	Kind   fault.Kind `json:"kind,omitempty"` // of a failure, "" where the catalogue has none for it
	Text   string     `json:"text"`           // one line
	Lines  []string   `json:"lines,omitempty"`
	Advice []string   `json:"advice,omitempty"`
	MS     float64    `json:"ms"`

	finding *fault.Finding
}

// Verdict is what the doctor says in the end.
type Verdict struct {
	Healthy    bool          `json:"healthy"`
	Kind       fault.Kind    `json:"kind,omitempty"` // "" when healthy, or when the catalogue has no kind for it
	Cause      fault.Cause   `json:"cause,omitempty"`
	Title      string        `json:"title"`
	Target     string        `json:"target,omitempty"`
	Detail     string        `json:"detail"`
	Confidence string        `json:"confidence,omitempty"`
	Retry      fault.Verdict `json:"retry,omitempty"`
	Evidence   []string      `json:"evidence,omitempty"`
	RuledOut   []string      `json:"ruled_out,omitempty"`
	Advice     []string      `json:"advice,omitempty"`
	Warnings   []string      `json:"warnings,omitempty"`
}

// Report is a whole examination.
type Report struct {
	Target string    `json:"target"`
	Time   time.Time `json:"time"`
	MS     float64   `json:"ms"`
	// Looked is false when no step of the status part came to a result: the verdict is then none.
	Looked  bool    `json:"looked"`
	Steps   []Step  `json:"steps"`
	Verdict Verdict `json:"verdict"`
}

// Limits bound each exchange with a target; zero members take the defaults: 5 s to connect, 10 s for
// the first byte, 10 s of silence, 15 s in all.
type Limits struct{ Connect, FirstByte, Idle, Total time.Duration }

// Options are what Run needs. Only Target must be set; what is missing leaves its steps out.
type Options struct {
	// Target is a URL (http, https or unix), service:NAME or model:NAME.
	Target string
	// Path is asked for in place of the target's own, or of the service's health path; "" is theirs.
	Path string
	// Config is the configuration that names are looked up in, and which is checked; ConfigName is what
	// texts call it.
	Config     *catalog.Catalog
	ConfigName string
	// Compile makes the runtime form of a configuration; needed for service:NAME and model:NAME.
	Compile func(*catalog.Catalog) (*snapshot.Generation, error)
	Prices  *price.Catalogue

	// Resolver is the DNS server to go by, "192.0.2.53:53"; "" is server.resolver, else the system's way.
	Resolver string
	// Resolvers are further DNS servers whose answers are compared.
	Resolvers []string
	// AllowPrivate lets private addresses be asked that a redirect or a changed name leads to.
	AllowPrivate bool
	// OnlyConfigured is for those who ask a running gateway to look: a URL counts as named by the operator
	// only where Config has its host and port among its targets and providers.
	OnlyConfigured bool
	// Ask sends a model one short question, which costs a few tokens.
	Ask    bool
	Limits Limits
	// CallerTimeout is how long callers wait, for the sum of the timeouts; 0 is not known.
	CallerTimeout time.Duration

	// Gateway is the address of a running gateway, "http://127.0.0.1:8080", Key a key for it.
	Gateway, Key string
	// Calls finds calls in the gateway's log, newest first.
	Calls func(context.Context, CallQuery) ([]Call, error)
	// ReadLogs reads log files that were given and says what they tell of the target.
	ReadLogs func(ctx context.Context, target string) (LogReport, error)
	// Host is what this host was like since the examination began, nil before that is known. It is asked
	// last, so that it had a second to look.
	Host func(context.Context) *journey.Host
	// Metrics is the URL of the upstream's node_exporter (or of another page in the Prometheus text
	// format), or of a Prometheus server.
	Metrics string

	// OnBegin is told when a step begins, OnStep when it is over. Both are called from one goroutine.
	OnBegin func(part Part, name, target string)
	OnStep  func(Step)
}

// ErrCannotLook is wrapped by Run's errors: the target can't be examined at all.
var ErrCannotLook = errors.New("cannot look")

// cannot is a reason why nothing can be looked at.
type cannot string

func (c cannot) Error() string { return string(c) }
func (c cannot) Unwrap() error { return ErrCannotLook }

func cannotf(format string, args ...any) error { return cannot(fmt.Sprintf(format, args...)) }

// doctor is one examination.
type doctor struct {
	o      Options
	gen    *snapshot.Generation // nil without a configuration
	steps  []Step
	began  time.Time
	direct map[string]*look // what came of asking each place directly, by its shown URL
	host   *journey.Host
}

// look is what the status part found at one place.
type look struct {
	get     *answer // nil when no request was made
	failed  bool
	address string
}

// Run examines a target until it is done or ctx ends. The error wraps ErrCannotLook when there is
// nothing to look at: a target that can't be read, or a name that the configuration lacks. Run may be
// called concurrently.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.Limits = o.Limits.filled()
	d := &doctor{o: o, began: time.Now(), direct: map[string]*look{}}
	if o.Config != nil && o.Compile != nil {
		var err error
		if d.gen, err = o.Compile(o.Config); err != nil {
			return nil, cannotf("the configuration cannot be put together: %v", err)
		}
		defer d.gen.Retire(nil)
	}
	s, err := d.subject(o.Target)
	if err != nil {
		return nil, err
	}
	d.status(ctx, s)
	d.logs(ctx, s)
	d.performance(ctx, s)
	d.configuration(s)
	r := &Report{Target: s.name, Time: d.began.UTC(), MS: millis(time.Since(d.began)), Looked: d.looked() > 0, Steps: d.steps}
	r.Verdict = d.verdict(s)
	return r, nil
}

func (l Limits) filled() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&l.Connect, 5*time.Second)
	def(&l.FirstByte, 10*time.Second)
	def(&l.Idle, 10*time.Second)
	def(&l.Total, 15*time.Second)
	return l
}

// begin starts a step; the function that it returns ends it.
func (d *doctor) begin(part Part, name, target string) func(Step) {
	if d.o.OnBegin != nil {
		d.o.OnBegin(part, name, target)
	}
	at := time.Now()
	return func(s Step) {
		s.Part, s.Name, s.Target, s.MS = part, name, target, millis(time.Since(at))
		d.steps = append(d.steps, s)
		if d.o.OnStep != nil {
			d.o.OnStep(s)
		}
	}
}

// note adds a step that took no time.
func (d *doctor) note(part Part, name, target string, s Step) { d.begin(part, name, target)(s) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// failed makes the step of a finding.
func failed(f *fault.Finding) Step {
	return Step{Result: Faulty, Kind: f.Kind, Text: f.Detail, finding: f}
}
