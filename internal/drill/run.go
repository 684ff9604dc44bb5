package drill

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// Gateway is the drill's own gateway. It is used by one goroutine, but for Call.
type Gateway interface {
	// URL is where it listens, without trailing slash.
	URL() string
	// Install puts a configuration in force.
	Install(c *catalog.Catalog) error
	// Call is the record of a call by its id.
	Call(ctx context.Context, id string) (*journey.Journey, error)
	// Close ends it.
	Close() error
}

// Options say what is drilled, and how.
type Options struct {
	Catalog *catalog.Catalog
	Config  string // what the report calls the configuration
	// Open opens a gateway with a configuration and an empty data folder.
	Open func(ctx context.Context, c *catalog.Catalog, dataDir string) (Gateway, error)
	// Dir is where the drill makes its own folder, which is removed at the end; "" is the system's for temporary files.
	Dir string
	// Only are the subjects to drill, "service:orders", "model:fast" or a bare name; none: all.
	Only []string
	// Faults are the names of the faults; none: all.
	Faults []string
	Full   bool // keep the limits as they are
	Try    bool // drill again with the suggested changes
	// OnStep is told of each fault that is over, one at a time; may be nil.
	OnStep func(Step)
	Now    func() time.Time // nil: time.Now
}

// Step is how far a drill is.
type Step struct {
	Subject string `json:"subject" example:"service orders" doc:"What is drilled."`
	Fault   string `json:"fault" example:"no_answer" doc:"The fault that is over."`
	Done    int    `json:"done" doc:"How many are over."`
	Total   int    `json:"total" doc:"How many there are; more come when changes are tried."`
	Text    string `json:"text" doc:"The same, to show."`
}

// ErrNothing is wrapped by the error of Run when Only or Faults leave nothing to drill.
var ErrNothing = errors.New("there is nothing to drill")

// atOnce is how many units a gateway has at a time: each has servers of its own and health checks.
const atOnce = 36

// Run drills a configuration. It ends soon after ctx does, with its error.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	began := o.Now()
	d, err := newDrill(ctx, o)
	if err != nil {
		return nil, err
	}
	defer d.close()
	r := &Report{Config: o.Config, Full: o.Full, Time: began.UTC().Format(time.RFC3339), Notes: d.notes}
	if !o.Full {
		r.Notes = append(r.Notes, "Limits were shortened (60 s to 2.1 s, 10 min to 2.9 s), and breakers judge by 3 calls; times are told with the limits as configured.")
	}
	results, err := d.round(ctx, d.subjects)
	if err != nil {
		return nil, err
	}
	var changed []*subject
	var where []int
	for i, s := range d.subjects {
		one := Subject{What: s.what, Name: s.name, Targets: s.places(), Method: s.method, Faults: results[i]}
		one.sum()
		one.Changes = s.advise(&one)
		one.estimate()
		r.Subjects = append(r.Subjects, one)
		if with := s.with(one.Changes); o.Try && with != nil {
			changed, where = append(changed, with), append(where, i)
		}
	}
	if len(changed) > 0 {
		d.total, d.done = d.total+d.count(changed), d.total
		again, err := d.round(ctx, changed)
		if err != nil {
			return nil, err
		}
		for k, s := range changed {
			one := Subject{What: s.what, Name: s.name, Targets: s.places(), Method: s.method, Faults: again[k]}
			one.sum()
			r.Subjects[where[k]].After = &After{Grade: one.Grade, Score: one.Score, Tried: true}
		}
	}
	worst(r.Subjects)
	r.Grade, r.Score = r.Subjects[0].Grade, r.Subjects[0].Score
	r.TookMS = o.Now().Sub(began).Milliseconds()
	r.Text = fmt.Sprintf("Grade %s: the worst of %d is the %s %s.", r.Grade, len(r.Subjects), r.Subjects[0].What, r.Subjects[0].Name)
	return r, nil
}

// drill is one run.
type drill struct {
	o        Options
	dir      string
	stage    stage
	gateway  Gateway
	caller   *caller
	subjects []*subject
	notes    []string

	serial      int
	mu          sync.Mutex
	done, total int
}

func newDrill(ctx context.Context, o Options) (_ *drill, err error) {
	d := &drill{o: o}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	list, notes := subjects(o.Catalog)
	d.notes = notes
	for _, s := range list {
		if len(o.Only) == 0 || slices.Contains(o.Only, s.what+":"+s.name) || slices.Contains(o.Only, s.name) {
			d.subjects = append(d.subjects, s)
		}
	}
	if d.total = d.count(d.subjects); d.total == 0 {
		return nil, fmt.Errorf("%w: no service or model and no fault is left of what was asked for", ErrNothing)
	}
	if d.dir, err = os.MkdirTemp(o.Dir, "cwdrill-"); err != nil {
		return nil, fmt.Errorf("making the drill's folder: %w", err)
	}
	if d.stage.lab, err = faulty.New(faulty.Options{Dir: d.dir}); err != nil {
		return nil, err
	}
	if d.stage.resolver, err = newResolver(); err != nil {
		return nil, err
	}
	if d.stage.well, err = newGood(true); err != nil {
		return nil, err
	}
	if d.stage.closing, err = newGood(false); err != nil {
		return nil, err
	}
	d.stage.full = o.Full
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	key := "drill-" + hex.EncodeToString(secret[:])
	if d.gateway, err = o.Open(ctx, d.empty(key), d.dir); err != nil {
		return nil, fmt.Errorf("starting the drill's gateway: %w", err)
	}
	d.caller = newCaller(d.gateway.URL(), key, d.gateway.Call)
	return d, nil
}

func (d *drill) close() {
	if d.gateway != nil {
		_ = d.gateway.Close()
	}
	for _, s := range []*goodServer{d.stage.well, d.stage.closing} {
		if s != nil {
			s.close()
		}
	}
	if d.stage.resolver != nil {
		d.stage.resolver.close()
	}
	if d.stage.lab != nil {
		_ = d.stage.lab.Close()
	}
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
}

// empty is a configuration with the drill's caller alone.
func (d *drill) empty(key string) *catalog.Catalog {
	c := catalog.Default()
	c.Server.Resolver = d.stage.resolver.addr()
	c.Applications["drill"] = &catalog.Application{
		Name: "drill", Details: "full", Subscribes: []string{"models/*"}, Keys: []catalog.CallerKey{{SHA256: sha256.Sum256([]byte(key))}},
	}
	return c
}

func (d *drill) trials(s *subject) []trial {
	list := s.trials()
	if len(d.o.Faults) > 0 {
		list = slices.DeleteFunc(list, func(t trial) bool { return !slices.Contains(d.o.Faults, t.fault.Name) })
	}
	return list
}

func (d *drill) count(list []*subject) (n int) {
	for _, s := range list {
		n += len(d.trials(s))
	}
	return n
}

// round puts subjects to all of their faults; the results are by subject.
func (d *drill) round(ctx context.Context, list []*subject) ([][]Result, error) {
	out := make([][]Result, len(list))
	var units []*unit
	for i, s := range list {
		trials := d.trials(s)
		out[i] = make([]Result, len(trials))
		long := stretch{}
		if !d.o.Full {
			long = s.stretch()
		}
		for k, t := range trials {
			r := &out[i][k]
			*r = Result{Fault: t.fault.Name, Kind: t.fault.Kind, About: t.fault.About, Late: t.late}
			add := func(w way) {
				d.serial++
				units = append(units, &unit{subject: s, trial: t, how: w, name: fmt.Sprintf("u%d", d.serial), result: r, stretch: long})
			}
			if s.places() > 1 {
				add(oneTarget)
			}
			if t.passing {
				add(oneInTen)
			}
			add(everyTarget)
		}
	}
	// Those that wait for limits wait together.
	slices.SortStableFunc(units, func(a, b *unit) int {
		switch {
		case a.trial.slow == b.trial.slow:
			return 0
		case a.trial.slow:
			return -1
		}
		return 1
	})
	for batch := range slices.Chunk(units, atOnce) {
		if err := d.batch(ctx, batch); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// batch puts some units in force and makes their calls.
func (d *drill) batch(ctx context.Context, units []*unit) error {
	c := d.empty(d.caller.key)
	defer func() {
		for _, u := range units {
			u.close()
		}
	}()
	for _, u := range units {
		if err := u.build(&d.stage, c); err != nil {
			return fmt.Errorf("putting %s to %s: %w", u.subject, u.trial.fault.Name, err)
		}
	}
	if err := d.gateway.Install(c); err != nil {
		return fmt.Errorf("putting the drill's configuration in force: %w", err)
	}
	var wg sync.WaitGroup
	for _, u := range units {
		wg.Go(func() { d.put(ctx, u) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return nil
}

// put makes the calls of one unit.
func (d *drill) put(ctx context.Context, u *unit) {
	patience := u.subject.patience(d.o.Full)
	n := u.subject.places()
	reuse := u.trial.fault.Needs.Reuse
	calls := 3 * n
	switch u.how {
	case oneInTen:
		calls = 2 * oneIn
	case everyTarget:
		calls = 2
		if reuse {
			calls = 2 * n
		}
	case oneTarget:
		if reuse {
			calls *= 2
		}
	}
	o := u.outcome(d.caller.calls(ctx, u, calls, reuse || u.how == oneInTen && !u.trial.slow, patience))
	if u.how != oneInTen && ctx.Err() == nil {
		var wait time.Duration
		if s := u.subject.service; s != nil {
			wait = pause(s.Upstream.Health, d.o.Full)
		}
		if waitFor(ctx, wait) {
			o.After = u.later(d.caller.calls(ctx, u, calls, reuse, patience))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch u.how {
	case oneTarget:
		u.result.One = o
	case oneInTen:
		u.result.Blip = o
	case everyTarget:
		u.result.All = o
		d.done++
		if d.o.OnStep != nil && ctx.Err() == nil {
			d.o.OnStep(Step{
				Subject: u.subject.String(), Fault: u.trial.fault.Name, Done: d.done, Total: d.total,
				Text: fmt.Sprintf("%d of %d: %s, %s", d.done, d.total, u.subject, strings.ReplaceAll(u.trial.fault.Name, "_", " ")),
			})
		}
	}
}

func waitFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
