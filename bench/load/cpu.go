package load

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time, user and system, that a process has used since it began, all of its
// threads together, ended ones included: the sum of utime and stime in /proc/PID/stat, read from
// the process's CPU clock because that counts nanoseconds and not hundredths of a second.
func CPU(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the clock of a process is its complement, shifted, with the bits for
	// "the scheduler's own count".
	const schedulerClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &t); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

func cpuOf(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		used, err := CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// clocks are what the processes, this one and the processes' core had used at one moment.
type clocks struct {
	at              time.Time
	used, own, core time.Duration
}

func (g *generator) look() (clocks, error) {
	c := clocks{at: time.Now()}
	var err error
	if c.used, err = cpuOf(g.spec.PIDs); err != nil {
		return c, err
	}
	if c.own, err = CPU(os.Getpid()); err != nil {
		return c, err
	}
	if len(g.spec.PIDs) > 0 {
		c.core, err = coreBusy(g.spec.Core)
	}
	return c, err
}

// between takes the time between two looks into a result.
func (g *generator) between(r *Result, begin, end clocks) {
	r.Elapsed, r.CPU = end.at.Sub(begin.at), end.used-begin.used
	if g.beside != nil {
		r.Lost = max(1-float64(end.own-begin.own)/float64(r.Elapsed), 0)
	}
	if len(g.spec.PIDs) > 0 {
		r.Foreign = max(float64(end.core-begin.core-r.CPU)/float64(r.Elapsed), 0)
	}
}

// coreBusy is the time that a core was not idle, as the kernel samples it: good to a few percent
// over a second. A kernel that does not tell of this core says 0.
func coreBusy(core int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("reading what the cores did: %w", err)
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	var busy time.Duration
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != "cpu"+strconv.Itoa(core) {
			continue
		}
		for _, i := range []int{1, 2, 3, 6, 7, 8} { // all but idle and iowait; guests are in user
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading what the cores did: %w", err)
			}
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}

// Limits of the wait for quiet.
const (
	quietShare  = 100 // quiet is less than 1/quietShare of one core
	longestWait = 30 * time.Second
)

// untilQuiet waits until the processes have done almost nothing for the spec's time, and returns
// their CPU clock before that time; ok is false when they never stopped.
func (g *generator) untilQuiet(ctx context.Context) (used time.Duration, ok bool, err error) {
	quiet := g.spec.Quiet
	used, err = cpuOf(g.spec.PIDs)
	if err != nil || quiet <= 0 {
		return used, true, err
	}
	g.sleep = true
	defer func() { g.sleep = false }()
	for began := time.Now(); time.Since(began) < longestWait; {
		for looked := time.Now(); time.Since(looked) < quiet; {
			if err := g.round(ctx); err != nil {
				return used, false, err
			}
		}
		now, err := cpuOf(g.spec.PIDs)
		if err != nil {
			return used, false, err
		}
		if now-used < quiet/quietShare {
			return used, true, nil
		}
		used = now
	}
	return used, false, nil
}
