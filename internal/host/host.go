// Package host looks at the gateway's own host and process: CPUs, memory, descriptors, ports, the disk
// of the data folder, the clock and name lookups. A Sampler does so on a goroutine of its own, every
// tenth of a second for what the Go runtime knows and every second for the rest, and keeps the last
// seconds, so that a call that failed can be held against what the host was like meanwhile.
//
// Nothing here is an interpretation: what the figures mean for a failure is said by internal/diagnose,
// and what is done about them by internal/shed.
//
// On Linux the figures come from /proc and the control group; elsewhere those that only Linux has are
// left out.
package host

import (
	"context"
	"sync"
	"time"

	"causeway/internal/journey"
)

// How often is looked, and how far back the samples go.
const (
	fastEvery = 100 * time.Millisecond // what the runtime knows
	slowEvery = time.Second            // what the system knows
	keep      = 16                     // samples of slowEvery
	// mergeFor is the longest time that Facts looks back: what was before has little to say about how
	// a call ended.
	mergeFor = 10 * time.Second
)

// Options are what New needs. The zero value samples the process without a data folder.
type Options struct {
	// Dir is the data folder: its free space is looked at every second, the time of a small write to it every
	// ten seconds; "" leaves both out.
	Dir string
	// MemoryMax is how many bytes the process may have, 0 when that is not known.
	MemoryMax int64
	// OnTick is told, every tenth of a second, of what load shedding looks at. It runs on the
	// sampler's goroutine and must not block.
	OnTick func(Tick)
	// OnSample is told of every second's facts, on the sampler's goroutine.
	OnSample func(*journey.Host)
	// System is asked each second; nil is this host.
	System System
	// DiskEvery is how often the disk is looked at; 0 is every ten seconds.
	DiskEvery time.Duration
}

// Tick is what the runtime showed in the last tenth of a second.
type Tick struct {
	// Delay is how long work of this process waited although it could go on: the median wait for a CPU, or
	// the time from when something was there to be read until it was. Upstreams and callers that take their
	// time have no part in it.
	Delay time.Duration
	// Needed is how many bytes the process needs: what a garbage collection would leave.
	Needed int64
	// Resident is how many bytes of the host's memory it takes, files that are mapped left out; 0 when
	// not known.
	Resident int64
}

// System is the host as it is looked at once a second. It is used by one goroutine.
type System interface {
	// Read fills r with totals since the system's or the process's start and with present levels;
	// what is not known stays as it is.
	Read(r *Reading)
	// Close gives back what reading needs.
	Close()
}

// Reading is one look at the system.
type Reading struct {
	// In seconds of CPU time since the start, over all CPUs of the host; Total counts idle time too.
	HostBusy, HostSteal, HostTotal float64
	Own                            float64       // seconds of CPU time that this process has used
	Throttled                      time.Duration // for which the control group has held the process back
	Resident                       int64         // bytes, without mapped files
	Swapped                        int64         // bytes moved from and to swap since the start
	Files, FilesMax                int64
	Ports, PortsMax                int64
}

// Sampler looks at the host until Close. Its methods may be called concurrently.
type Sampler struct {
	o       Options
	system  System
	runtime runtimeReader
	disk    *disk
	probe   *probe
	lookups lookups

	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	samples [keep]sample
	n       int // samples taken
	now     sample
	step    time.Duration // of the wall clock
	stepAt  time.Time
}

// sample is one second, or the begun one.
type sample struct {
	at   time.Time
	span time.Duration
	// shares, 0 to 1
	cpu, steal, own, throttled, gc float64
	delay, pause                   time.Duration
	needed, resident, swap         int64
	files, filesMax                int64
	ports, portsMax                int64
}

// Start begins to sample. The caller closes the Sampler.
func Start(o Options) *Sampler {
	if o.System == nil {
		o.System = newSystem()
	}
	if o.DiskEvery <= 0 {
		o.DiskEvery = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sampler{o: o, system: o.System, stop: cancel}
	s.runtime.init()
	if o.Dir != "" {
		s.disk = newDisk(o.Dir)
		s.done.Go(func() { s.disk.run(ctx, o.DiskEvery) })
	}
	var first Reading
	s.system.Read(&first)
	s.probe = newProbe()
	s.done.Go(s.probe.run)
	s.done.Go(func() { s.run(ctx, first) })
	return s
}

// Close ends the sampling and gives back what it held. A write that a disk does not take is not waited
// for.
func (s *Sampler) Close() error {
	s.stop()
	s.probe.close()
	done := make(chan struct{})
	go func() {
		s.done.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return nil
}

func (s *Sampler) run(ctx context.Context, was Reading) {
	defer s.system.Close()
	is := was
	var life lifetime
	life.begin(s.runtime.read())
	clock := newWallClock()
	began, at := time.Now(), time.Now()
	t := time.NewTicker(fastEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		late := now.Sub(at) - fastEvery
		at = now
		tick := life.tick(s.runtime.read(), late, s.probe.look(now))
		tick.Resident = is.Resident
		if s.o.OnTick != nil {
			s.o.OnTick(tick)
		}
		s.fast(&life, tick)
		if step := clock.step(now); step != 0 {
			s.stepped(step, now)
		}
		if now.Sub(began) < slowEvery-fastEvery/2 {
			continue
		}
		is = was // what cannot be read this time stays as it was
		s.system.Read(&is)
		s.slow(&was, &is, now.Sub(began), now, &life)
		was, began = is, now
		if s.o.OnSample != nil {
			s.o.OnSample(s.Facts(now.Add(-time.Millisecond)))
		}
	}
}

// fast notes what the begun second has shown so far.
func (s *Sampler) fast(l *lifetime, t Tick) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.delay, s.now.pause, s.now.needed = l.delay, l.pause, t.Needed
}

// slow closes a second.
func (s *Sampler) slow(was, is *Reading, span time.Duration, now time.Time, l *lifetime) {
	x := sample{
		at: now, span: span, delay: l.delay, pause: l.pause, gc: l.gcShare(is.Own - was.Own),
		needed: l.needed, resident: is.Resident, files: is.Files, filesMax: is.FilesMax, ports: is.Ports, portsMax: is.PortsMax,
	}
	if total := is.HostTotal - was.HostTotal; total > 0 {
		x.cpu = share((is.HostBusy - was.HostBusy) / total)
		x.steal = share((is.HostSteal - was.HostSteal) / total)
	}
	x.own = share((is.Own - was.Own) / span.Seconds() / float64(cpus()))
	x.throttled = share(float64(is.Throttled-was.Throttled) / float64(span))
	x.swap = int64(float64(is.Swapped-was.Swapped) / span.Seconds())
	l.next()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples[s.n%keep] = x
	s.n++
	s.now.delay, s.now.pause = 0, 0
}

func share(x float64) float64 { return max(0, min(x, 1)) }

func (s *Sampler) stepped(by time.Duration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.stepAt = by, at
}

// Facts is what the host was like from since until now, looking back at most ten seconds: shares are
// means, delays the longest, the rest is as it was last seen. It is nil before the first second is
// over.
func (s *Sampler) Facts(since time.Time) *journey.Host {
	now := time.Now()
	if since.Before(now.Add(-mergeFor)) {
		since = now.Add(-mergeFor)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return nil
	}
	last := &s.samples[(s.n-1)%keep]
	h := &journey.Host{
		CPUs: int64(cpus()), Delay: s.now.delay, Pause: s.now.pause,
		Memory: s.now.needed, MemoryMax: s.o.MemoryMax, Swap: last.swap,
		Files: last.files, FilesMax: last.filesMax, Ports: last.ports, PortsMax: last.portsMax,
	}
	var sum sample
	for i := s.n - 1; i >= 0 && i >= s.n-keep; i-- {
		x := &s.samples[i%keep]
		if i < s.n-1 && !x.at.After(since) {
			break
		}
		sum.span += x.span
		w := x.span.Seconds()
		sum.cpu += w * x.cpu
		sum.steal += w * x.steal
		sum.own += w * x.own
		sum.throttled += w * x.throttled
		sum.gc += w * x.gc
		h.Delay, h.Pause = max(h.Delay, x.delay), max(h.Pause, x.pause)
	}
	h.Span = sum.span
	percent := func(x float64) int64 { return int64(100*x/sum.span.Seconds() + 0.5) }
	h.CPU, h.Steal, h.Own, h.Throttled, h.GC = percent(sum.cpu), percent(sum.steal), percent(sum.own), percent(sum.throttled), percent(sum.gc)
	if s.step != 0 {
		h.ClockStep, h.ClockAgo = s.step, now.Sub(s.stepAt)
	}
	if s.disk != nil {
		h.DiskFree, h.DiskWrite, h.DiskError = s.disk.state(now)
	}
	s.lookups.fill(h, now)
	return h
}

// Lookup notes one name lookup: how long it took, and whether it was not answered. It is what dials
// call.
func (s *Sampler) Lookup(name string, took time.Duration, failed bool) {
	s.lookups.add(name, took, failed, time.Now())
}
