package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"causeway/bench/load"
	"causeway/bench/rig"
	"causeway/bench/stats"
)

// bench is one benchmark under way.
type bench struct {
	rig     rig.Rig
	targets []string // the proxies, in their order in tables
	report  *report
}

// announce says what is about to happen and how long it takes.
func (b *bench) announce(o options) {
	fmt.Printf("%d rows, %d rounds each, beside nginx and HAProxy: about %.0f min, more on a machine with other work. Ctrl-C ends it.\n",
		len(o.plan.rows()), o.plan.pairs, max(o.plan.estimate(len(b.targets)).Minutes(), 1))
	fmt.Printf("proxies on core %d, load and mock on core %d; CPU is user and system time of the proxy's process\n",
		b.rig.Cores.Proxy, b.rig.Cores.Load)
	if average := b.report.Facts.LoadAverage; average > 0.5 {
		fmt.Printf("the machine is busy (load average %.1f): the figures will be noisy\n", average)
	}
	var disk unix.Statfs_t
	const room = 8 << 30
	if err := unix.Statfs(b.rig.Dir, &disk); err == nil && disk.Bavail*uint64(disk.Bsize) < room {
		fmt.Println("less than 8 GiB are free for the proxies' logs in the folder for temporary files: set TMPDIR to a larger one")
	}
	if o.plan.idle+100 > int(b.rig.Descriptors) {
		fmt.Printf("at most %d files may be open, too few for %d idle connections: raise the hard limit (ulimit -Hn)\n", b.rig.Descriptors, o.plan.idle)
	}
}

// measure runs the whole plan.
func (b *bench) measure(ctx context.Context, o planOptions) error {
	for i, r := range o.rows() {
		result, err := b.row(ctx, o, r, filepath.Join(b.rig.Dir, fmt.Sprint("row", i)))
		if err != nil {
			return fmt.Errorf("%s: %w", r.name(), err)
		}
		b.report.Rows = append(b.report.Rows, result)
		result.print(os.Stdout)
	}
	if o.wants(partStreams) && b.report.Subject != "" {
		for _, mode := range []load.Mode{load.SSE, load.CrossedSSE} {
			if err := b.manyStreams(ctx, mode); err != nil {
				return fmt.Errorf("many streams: %w", err)
			}
		}
	}
	if o.wants(partMemory) {
		if err := b.memory(ctx, o); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
		b.report.printMemory(os.Stdout)
	}
	if o.wants(partTruncated) && b.report.Subject != "" {
		if err := b.truncated(ctx, o); err != nil {
			return fmt.Errorf("truncated streams: %w", err)
		}
		b.report.Truncated.print(os.Stdout)
	}
	return nil
}

// with starts an engine and proxies, new for every row, so that no row pays for what another left
// behind, gives them to f, and ends them.
func (b *bench) with(ctx context.Context, dir string, names []string, events int, pace time.Duration, f func(engine *rig.Engine, proxies []rig.Target) error) (err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	defer b.rig.StopAll()
	engine, err := b.rig.StartEngine(ctx, dir, events, pace)
	if err != nil {
		return err
	}
	var proxies []rig.Target
	for _, name := range names {
		proxy, err := b.rig.Start(ctx, name, dir, engine.Mock().Addr)
		if err != nil {
			return err
		}
		proxies = append(proxies, proxy)
	}
	return f(engine, proxies)
}

// row measures one row: rounds in which every target runs once, each round beginning with another.
func (b *bench) row(ctx context.Context, o planOptions, r row, dir string) (*rowResult, error) {
	result := &rowResult{Kind: r.kind, Mode: r.mode, Conns: r.conns}
	var authority string
	if r.mode.Secure() {
		certificate, err := rig.NewCertificate(b.rig.Dir, load.ServerName)
		if err != nil {
			return nil, err
		}
		b.rig.TLS, authority = certificate, certificate.CertFile
		defer func() { b.rig.TLS = nil }()
	}
	err := b.with(ctx, dir, b.targets, r.events(), r.pace(), func(engine *rig.Engine, proxies []rig.Target) error {
		if r.kind == fixedRate {
			capacity, err := b.capacity(ctx, r, engine, proxies)
			if err != nil {
				return err
			}
			result.Rate = rateShare * capacity
		}
		targets := proxies
		if r.direct {
			targets = append([]rig.Target{engine.Mock()}, proxies...)
		}
		for _, t := range targets {
			result.Targets = append(result.Targets, &targetResult{Name: t.Name})
		}
		for round := range o.pairs {
			for i := range targets {
				at := (round + i) % len(targets)
				progress(fmt.Sprintf("%s: round %d of %d, %s", r.name(), round+1, o.pairs, targets[at].Name))
				run, repeats, err := undisturbed(ctx, engine, targets[at], r.spec(result.Rate, authority))
				if err != nil {
					return err
				}
				result.Repeats += repeats
				result.Targets[at].Runs = append(result.Targets[at].Runs, run)
			}
		}
		for i, t := range targets {
			memory, err := t.Memory()
			if err != nil {
				return err
			}
			result.Targets[i].PeakMemory = memory.Peak
		}
		return nil
	})
	progress("")
	result.sumUp()
	return result, err
}

// undisturbed repeats a run during which something else took much of the cores, and gives the last
// one. What it looks at is the others' use of the cores, never the figure itself.
func undisturbed(ctx context.Context, engine *rig.Engine, t rig.Target, spec load.Spec) (run load.Result, repeats int, err error) {
	for repeats = 0; ; repeats++ {
		run, err = engine.Load(ctx, t, spec)
		if err != nil || repeats == mostRepeats || !run.Disturbed() || run.Bad() > 0 {
			return run, repeats, err
		}
	}
}

// capacity is the slowest proxy's calls per second in a closed loop: from the row that measured
// it, or from one short run each.
func (b *bench) capacity(ctx context.Context, r row, engine *rig.Engine, proxies []rig.Target) (float64, error) {
	slowest := 0.0
	take := func(perSecond float64) {
		if slowest == 0 || perSecond < slowest {
			slowest = perSecond
		}
	}
	if i := slices.IndexFunc(b.report.Rows, func(x *rowResult) bool {
		return x.Kind == closedLoop && x.Mode == r.mode && x.Conns == r.conns
	}); i >= 0 {
		for _, t := range b.report.Rows[i].Targets {
			take(t.PerSecond)
		}
		return slowest, nil
	}
	for _, proxy := range proxies {
		progress(r.name() + ": calibrating, " + proxy.Name)
		run, _, err := undisturbed(ctx, engine, proxy, load.Spec{Mode: r.mode, Conns: r.conns, Warm: warm, Duration: calibration})
		if err != nil {
			return 0, err
		}
		take(float64(run.Answers) / run.Elapsed.Seconds())
	}
	return slowest, nil
}

// memory measures each proxy's memory just started, and with idle connections that have each made
// one call.
func (b *bench) memory(ctx context.Context, o planOptions) error {
	for _, name := range b.targets {
		dir := filepath.Join(b.rig.Dir, "memory")
		err := b.with(ctx, dir, []string{name}, streamEvents, streamPace, func(engine *rig.Engine, proxies []rig.Target) error {
			progress("memory: " + name)
			m := memoryResult{Name: name, Conns: o.idle}
			if err := pause(ctx, memorySettle); err != nil {
				return err
			}
			idle, err := proxies[0].Memory()
			if err != nil {
				return err
			}
			m.Idle = idle.Now
			m.Closed, err = engine.Hold(ctx, proxies[0], o.idle, func() error {
				if err := pause(ctx, memorySettle); err != nil {
					return err
				}
				held, err := proxies[0].Memory()
				m.Held, m.HeldPeak = held.Now, held.Peak
				return err
			})
			b.report.Memory = append(b.report.Memory, m)
			return err
		})
		if err != nil {
			return err
		}
	}
	progress("")
	return nil
}

// manyStreams runs few streams through the subject, then many, and looks at what each of those more took.
func (b *bench) manyStreams(ctx context.Context, mode load.Mode) error {
	name := b.report.Subject
	return b.with(ctx, filepath.Join(b.rig.Dir, "streams"), []string{name}, manyEvents, manyPace, func(engine *rig.Engine, proxies []rig.Target) error {
		progress(fmt.Sprintf("%d streams, %s: %s", manyStreams, mode, name))
		m := streamsResult{Name: name, Mode: mode, Few: barConns, Many: manyStreams}
		spec := load.Spec{Mode: mode, Conns: barConns, Events: manyEvents, Steady: true, Warm: warm, Duration: manyRun, Stagger: manyStagger}
		var err error
		if _, m.FewMemory, err = watched(ctx, engine, proxies[0], spec); err != nil {
			return err
		}
		spec.Conns = manyStreams
		m.Run, m.ManyMemory, err = watched(ctx, engine, proxies[0], spec)
		b.report.Streams = append(b.report.Streams, m)
		progress("")
		m.print(os.Stdout)
		return err
	})
}

// watched does one run and looks at the target's memory all the while; usual is the median of what it saw, which is
// neither a garbage collection's peak nor its valley.
func watched(ctx context.Context, engine *rig.Engine, t rig.Target, spec load.Spec) (run load.Result, usual int64, err error) {
	const every = 50 * time.Millisecond
	done := make(chan struct{})
	median := make(chan int64)
	go func() {
		var seen []float64
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if m, err := t.Memory(); err == nil { // one that is gone ends the run with an error
					seen = append(seen, float64(m.Now))
				}
			case <-done:
				median <- int64(stats.Median(seen))
				return
			}
		}
	}()
	run, err = engine.Load(ctx, t, spec)
	close(done)
	return run, <-median, err
}

// truncated streams as many short answers through the subject as the plan says, as fast as its core
// can.
func (b *bench) truncated(ctx context.Context, o planOptions) error {
	err := b.with(ctx, filepath.Join(b.rig.Dir, "truncated"), []string{b.report.Subject}, truncatedEvents, 0, func(engine *rig.Engine, proxies []rig.Target) error {
		progress("truncated: " + b.report.Subject)
		const atMost = 10 * time.Minute
		run, err := engine.Load(ctx, proxies[0], load.Spec{
			Mode: load.SSE, Conns: truncatedConns, Events: truncatedEvents, Answers: o.streams, Duration: atMost,
		})
		b.report.Truncated = &truncatedResult{Name: b.report.Subject, Run: run}
		return err
	})
	progress("")
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// progress shows what runs at the moment in one line that the next one replaces, on a terminal only.
func progress(what string) {
	if term.IsTerminal(int(os.Stdout.Fd())) {
		fmt.Printf("\r\x1b[K%s", what)
	}
}
