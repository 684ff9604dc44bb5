package child

import (
	"fmt"
	"time"

	"causeway/internal/journey"
)

const (
	// mostWait is how long Facts waits to see a process die whose connection broke just now, mostWords how long
	// for the last words of one that is seen to have died.
	mostWait  = 50 * time.Millisecond
	mostWords = 3 * lastWords
	// mostLast is how many of the last lines are told, mostLine how much of each.
	mostLast = 8
	mostLine = 240
	// soon is how far apart two crashes may be and belong together.
	soon = 5 * time.Minute
)

// Facts is what is known of the process now, for a call that began at since and has just failed. With wait the
// call's connection broke: as a process's sockets are closed a moment before its parent is told that it died, its
// end is then waited for, for up to 50 ms. It never returns nil.
func (p *Process) Facts(since time.Time, wait bool) *journey.Child {
	now := time.Now()
	if wait {
		p.settle(now)
	}
	p.mu.Lock()
	f := &journey.Child{Name: p.name, PID: p.id, Running: p.running, Restarts: p.restarts}
	f.Crashes, f.CrashSpan = p.crashes(soon)
	e, m, started := p.ended, p.memory, p.started
	p.mu.Unlock()
	f.MemoryMax = m.limit()
	if e != nil && (!f.Running || !e.at.Before(since)) {
		f.Ended, f.PID, f.Ago, f.Ran, f.Code, f.Signal = true, e.pid, now.Sub(e.at), e.Ran, e.code, e.Signal
		f.OutOfMemory, f.MemoryCounted = e.OutOfMemory, e.known
		since = time.Time{} // all its words
	}
	if f.Running && f.Ended && started.After(e.at) {
		return f // the words kept are those of the one that runs
	}
	if !f.Ended {
		f.OutOfMemory, f.MemoryCounted = p.risen(m, since)
	}
	lines := clean(p.o.Mask(p.err.since(since)))
	if f.Trace = traceback(lines); f.Trace != nil {
		f.Trace.Error = clip(f.Trace.Error)
	}
	if n := len(lines); n > mostLast {
		lines = lines[n-mostLast:]
	}
	for _, l := range lines {
		f.Last = append(f.Last, clip(l))
	}
	return f
}

func clip(s string) string {
	if len(s) <= mostLine {
		return s
	}
	cut := mostLine
	for cut > 0 && s[cut]&0xc0 == 0x80 { // inside of a rune
		cut--
	}
	return s[:cut] + "..."
}

// settle waits for a process that is about to be seen dead.
func (p *Process) settle(now time.Time) {
	for {
		p.mu.Lock()
		changed, left := p.changed, time.Duration(0)
		switch {
		case p.dying:
			left = mostWords
		case p.running && (p.ended == nil || now.Sub(p.ended.at) > time.Second):
			left = mostWait
		}
		p.mu.Unlock()
		left -= time.Since(now)
		if left <= 0 {
			return
		}
		t := time.NewTimer(left)
		select {
		case <-changed:
			t.Stop()
		case <-t.C:
			return
		}
	}
}

// risen says whether the control group's counter rose since a time while the process ran: one that it has
// started, such as a server's worker, was then ended for want of memory.
func (p *Process) risen(m *memory, since time.Time) (how string, counted bool) {
	n, counted := m.kills()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > p.kills {
		p.kills, p.killedAt = n, time.Now()
	}
	if p.killedAt.IsZero() || p.killedAt.Before(since) || n == 0 {
		return "", counted
	}
	return fmt.Sprintf("the OOM killer's counter of its control group rose, to %d since it was started: one of its processes was ended", n), counted
}
