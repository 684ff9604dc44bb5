package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
)

// CheckResult is what one health check saw.
type CheckResult struct {
	OK     bool       // a complete answer came, whose status decides; or all that was to be seen was well
	Kind   fault.Kind // what failed, when not OK
	Status int        // 0 when no answer came, or none was asked for
	Text   string     // one line: what was asked and seen
	Took   time.Duration
}

// verdict is what the checks of one target have shown. It outlives the pool: Adopt hands it on.
type verdict struct {
	healthy atomic.Bool

	mu     sync.Mutex
	since  time.Time // of the present state
	passed int       // in a row
	failed int       // in a row
	reason Reason    // of the last failed check
	last   time.Time // the last check's end
	took   time.Duration
}

func newVerdict(now time.Time) *verdict {
	v := &verdict{since: now}
	v.healthy.Store(true)
	return v
}

func (v *verdict) describe(s *Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.Healthy, s.Since, s.Reason = v.healthy.Load(), v.since, v.reason
	s.Passed, s.Failed, s.LastCheck, s.LastTook = v.passed, v.failed, v.last, v.took
}

// add counts one check and reports whether the state changed.
func (v *verdict) add(good bool, why Reason, took time.Duration, now time.Time, healthyAfter, unhealthyAfter int) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.took = now, took
	healthy := v.healthy.Load()
	if good {
		v.passed, v.failed = v.passed+1, 0
		changed = !healthy && v.passed >= healthyAfter
	} else {
		v.passed, v.failed, v.reason = 0, v.failed+1, why
		changed = healthy && v.failed >= unhealthyAfter
	}
	if changed {
		v.healthy.Store(!healthy)
		v.since = now
	}
	return changed
}

// Start begins the health checks, one goroutine for each target; without health settings it does
// nothing. Further calls do nothing.
func (p *Pool) Start() {
	p.start.Do(func() {
		if p.health == nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		p.mu.Lock()
		p.stop = cancel
		p.mu.Unlock()
		for _, t := range p.targets {
			p.done.Go(func() { p.watch(ctx, t) })
		}
	})
}

// Stop ends the checks and waits until the last one has returned. A pool that was stopped can
// still be picked from; it keeps its last verdicts. It may be called more than once, and before
// Start, which then does nothing.
func (p *Pool) Stop() {
	p.start.Do(func() {})
	p.mu.Lock()
	stop := p.stop
	p.mu.Unlock()
	if stop != nil {
		stop()
	}
	p.done.Wait()
}

// watch checks one target until ctx ends. The first check comes within a fifth of the interval,
// so that the checks of many targets do not fall together, and each further one an interval,
// give or take a tenth, after the one before began.
func (p *Pool) watch(ctx context.Context, t *Target) {
	interval := p.health.Interval
	wait := rand.N(interval/5 + 1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := p.now()
		p.checkOnce(ctx, t)
		wait = interval - interval/10 + rand.N(interval/5+1)
		timer.Reset(max(0, wait-p.now().Sub(began)))
	}
}

// checkOnce makes one check and counts it, unless it was broken off by the end of ctx.
func (p *Pool) checkOnce(ctx context.Context, t *Target) {
	limited, cancel := context.WithTimeout(ctx, p.health.Timeout)
	res := p.check(limited, t.Index)
	cancel()
	if ctx.Err() != nil {
		return
	}
	good, why := p.judge(res)
	changed := t.verdict.add(good, why, res.Took, p.now(), p.health.HealthyAfter, p.health.UnhealthyAfter)
	p.setTurns() // after every check: a pool that shares the verdicts may have changed them too
	if !changed {
		return
	}
	if good {
		p.log.LogAttrs(ctx, slog.LevelInfo, "target is healthy again", slog.String("upstream", p.name), slog.String("target", t.URL), slog.Int("checks", p.health.HealthyAfter))
	} else {
		p.log.LogAttrs(ctx, slog.LevelWarn, "target is unhealthy", slog.String("upstream", p.name), slog.String("target", t.URL), slog.Int("checks", p.health.UnhealthyAfter),
			slog.String("kind", string(why.Kind)), slog.String("reason", why.Text))
	}
	if p.changed != nil {
		p.changed(t.Index, good, why)
	}
}

// judge decides whether a check was good.
func (p *Pool) judge(res CheckResult) (good bool, why Reason) {
	h := p.health
	if !res.OK {
		why = Reason{res.Kind, res.Text}
		if why.Kind == "" {
			why.Kind = fault.Unclassified
		}
		if why.Text == "" {
			why.Text = fmt.Sprintf("the check failed: %s", why.Kind)
		}
		return false, why
	}
	if res.Status == 0 { // a check that asks for no answer
		return true, Reason{}
	}
	if res.Status >= h.StatusFrom && res.Status <= h.StatusTo {
		return true, Reason{}
	}
	return false, Reason{statusKind(res.Status), fmt.Sprintf("%s answered %d, not within %d-%d", h.Path, res.Status, h.StatusFrom, h.StatusTo)}
}

// statusKind names a status that a check did not expect.
func statusKind(status int) fault.Kind {
	switch status {
	case 502:
		return fault.UpstreamBadGateway
	case 503:
		return fault.UpstreamUnavailable
	case 504:
		return fault.UpstreamTimeout
	case 429:
		return fault.UpstreamRateLimited
	}
	return fault.UpstreamError
}
