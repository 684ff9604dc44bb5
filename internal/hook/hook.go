// Package hook does what is asked for when an incident opens or closes: it calls a webhook, or runs a command of
// an allow-list. Each hook has a queue and a goroutine of its own, so that a slow one holds up nobody, and runs
// at most so often in an hour. What it does is logged: what was left out, too.
//
// No shell is involved. A command's arguments are those of the configuration; a placeholder in one is replaced
// by a value that is made of plain characters only, or the command is not run. Its environment is empty but for
// a PATH, the incident is on its standard input, its output and time are bounded, and what it has started ends
// with it. A webhook's redirects are not followed, and a name that leads to a private address is refused unless
// the configuration allows it.
package hook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// Event is what hooks are told of.
type Event struct {
	What     string // opened or closed
	ID       string // the incident's
	Kind     fault.Kind
	Cause    fault.Cause
	Services []string
	// Values are those of the placeholders (catalog.HookPlaceholders), "" for what is not known.
	Values map[string]string
	// Body is the incident as JSON.
	Body []byte
}

// Figure is how often a hook did what, since the start.
type Figure struct {
	Hook   string
	Result string // ok, failed, suppressed (by the rate limit), dropped (its queue was full)
	N      int64
}

// Options are what New needs; the zero value works.
type Options struct {
	Log *slog.Logger     // nil discards
	Now func() time.Time // nil: time.Now
	// Pause is the time before a webhook's first retry, which doubles each time; 0: 1s.
	Pause time.Duration
}

// queued is how many events wait for one hook.
const queued = 32

// Runner runs hooks. Its methods may be called concurrently.
type Runner struct {
	o      Options
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	hooks  []*hook
	counts map[[2]string]int64
	closed bool
}

// New makes a runner without hooks. The caller closes it.
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pause == 0 {
		o.Pause = time.Second
	}
	r := &Runner{o: o, counts: map[[2]string]int64{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// hook is one of the configuration, at work.
type hook struct {
	set        catalog.Hook
	allowed    []string
	print      [32]byte // of its settings
	queue      chan Event
	ran        []time.Time // in the last hour; belongs to the runner's lock
	suppressed int         // since it ran last
}

// Configure puts hooks in the place of those before. One whose settings are the same goes on, with what it has
// run in the last hour and what waits for it. allowed are the programs that may be run.
func (r *Runner) Configure(list []catalog.Hook, allowed []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	old := r.hooks
	r.hooks = nil
	for _, set := range list {
		p := fingerprint(&set, allowed)
		if i := slices.IndexFunc(old, func(h *hook) bool { return h.print == p }); i >= 0 {
			r.hooks = append(r.hooks, old[i])
			old = slices.Delete(slices.Clone(old), i, i+1)
			continue
		}
		h := &hook{set: set, allowed: allowed, print: p, queue: make(chan Event, queued)}
		for _, o := range old { // a change of settings does not reset the limit
			if o.set.Name == set.Name {
				h.ran = o.ran
			}
		}
		r.hooks = append(r.hooks, h)
		r.wg.Go(func() { r.work(h) })
	}
	for _, h := range old {
		close(h.queue) // what waits is still done
	}
}

// fingerprint tells one hook's settings from another's, secrets included.
func fingerprint(h *catalog.Hook, allowed []string) [32]byte {
	text := fmt.Sprintf("%q %q %q %q %q %q %v %d %q", h.Name, h.On, h.Kinds, h.Causes, h.Services, h.Command, h.Timeout, h.MaxPerHour, allowed)
	if w := h.Webhook; w != nil {
		text += fmt.Sprintf("%q %q %v %d", w.URL.Reveal(), w.Secret.Reveal(), w.Private, w.Retries)
		for _, name := range sortedNames(w.Headers) {
			text += fmt.Sprintf("%q %q", name, w.Headers[name].Reveal())
		}
	}
	return sha256.Sum256([]byte(text))
}

// Tell hands an event to every hook that is for it, and returns at once.
func (r *Runner) Tell(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	for _, h := range r.hooks {
		if !h.wants(&e) {
			continue
		}
		if !h.may(r.o.Now()) {
			h.suppressed++
			r.count(h, "suppressed")
			r.o.Log.Warn("hook left out: it has run as often as it may in an hour", "hook", h.set.Name, "event", e.What, "incident", e.ID, "max_per_hour", h.set.MaxPerHour)
			continue
		}
		select {
		case h.queue <- e:
		default:
			r.count(h, "dropped")
			r.o.Log.Warn("hook left out: too many events wait for it", "hook", h.set.Name, "event", e.What, "incident", e.ID, "waiting", queued)
		}
	}
}

// wants tells whether the hook is for an event.
func (h *hook) wants(e *Event) bool {
	return slices.Contains(h.set.On, e.What) &&
		(len(h.set.Kinds) == 0 || slices.Contains(h.set.Kinds, e.Kind)) &&
		(len(h.set.Causes) == 0 || slices.Contains(h.set.Causes, e.Cause)) &&
		(len(h.set.Services) == 0 || slices.ContainsFunc(e.Services, func(s string) bool { return slices.Contains(h.set.Services, s) }))
}

// may takes one of the hour's runs.
func (h *hook) may(now time.Time) bool {
	h.ran = slices.DeleteFunc(h.ran, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(h.ran) >= h.set.MaxPerHour {
		return false
	}
	h.ran = append(h.ran, now)
	return true
}

func (r *Runner) count(h *hook, result string) { r.counts[[2]string{h.set.Name, result}]++ }

// Figures tells how often each hook did what.
func (r *Runner) Figures() (list []Figure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, n := range r.counts {
		list = append(list, Figure{k[0], k[1], n})
	}
	slices.SortFunc(list, func(a, b Figure) int {
		if a.Hook != b.Hook {
			return compare(a.Hook, b.Hook)
		}
		return compare(a.Result, b.Result)
	})
	return list
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// work is a hook's goroutine.
func (r *Runner) work(h *hook) {
	for e := range h.queue {
		r.run(h, e)
	}
}

// outcome is how a run went.
type outcome struct {
	err    error
	tries  int
	status int    // of a webhook, 0 without an answer
	exit   int    // of a command, -1 when a signal ended it or it did not start
	output string // of a command that failed: its end
}

func (r *Runner) run(h *hook, e Event) {
	if r.ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	left := h.suppressed
	h.suppressed = 0
	r.mu.Unlock()
	began := time.Now()
	var o outcome
	if h.set.Webhook != nil {
		o = r.post(h, &e, left)
	} else {
		o = r.command(h, &e)
	}
	attrs := []any{"hook", h.set.Name, "event", e.What, "incident", e.ID, "kind", string(e.Kind), "took", time.Since(began).Round(time.Millisecond).String()}
	if h.set.Webhook != nil {
		attrs = append(attrs, "status", o.status, "tries", o.tries)
	} else {
		attrs = append(attrs, "program", h.set.Command[0], "exit_code", o.exit)
	}
	if left > 0 {
		attrs = append(attrs, "left_out_before", left)
	}
	result := "ok"
	if o.err != nil {
		result = "failed"
		attrs = append(attrs, "error", o.err.Error())
		if o.output != "" {
			attrs = append(attrs, "output", o.output)
		}
		r.o.Log.Error("hook failed", attrs...)
	} else {
		r.o.Log.Info("hook ran", attrs...)
	}
	r.mu.Lock()
	r.count(h, result)
	r.mu.Unlock()
}

// Close ends every run and waits for it. What waits in the queues is left out.
func (r *Runner) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		for _, h := range r.hooks {
			close(h.queue)
		}
	}
	r.mu.Unlock()
	r.stop()
	r.wg.Wait()
	return nil
}

// errStopped ends a run when the gateway does.
var errStopped = errors.New("the gateway is stopping")
