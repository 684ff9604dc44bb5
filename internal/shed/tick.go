package shed

// The share of new calls that is turned away grows by a step while the gateway stays late, and shrinks
// by a factor as soon as it is not: the next tenth of a second shows what came of it. Some calls are
// always let in, because without any there would be nothing to see.
const (
	lateTicks = 5 // ticks in a row before any call is turned away: what is shorter is a burst
	grow      = (1 << 16) / 10
	mostShare = (1 << 16) * 9 / 10
)

// Tick takes in what the last tenth of a second has shown.
func (g *Gate) Tick(s Signal) {
	g.delay.Store(int64(s.Delay))
	g.needed.Store(s.Needed)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tickDelay(s)
	g.tickMemory(s)
	g.setOpen()
}

func (g *Gate) tickDelay(s Signal) {
	share := g.share.Load()
	if g.limits.MaxDelay > 0 && s.Delay > g.limits.MaxDelay {
		if g.late++; g.late >= lateTicks {
			share = min(share+grow, mostShare)
		}
	} else {
		g.late = 0
		if share = share * 3 / 4; share < 1<<10 {
			share = 0
		}
	}
	g.share.Store(share)
}

// tickMemory finds the level. It is left again a tenth below where it was entered, so that it does not
// come and go with every collection.
func (g *Gate) tickMemory(s Signal) {
	l := &g.limits
	level := g.level.Load()
	above := func(used, mark int64, was uint32) bool {
		if level >= was {
			mark -= mark / 10
		}
		return mark > 0 && used > mark
	}
	switch {
	case above(s.Needed, l.HardMemory, memoryHard), s.Resident > l.Memory-l.Memory/32 && l.Memory > 0:
		level = memoryHard
	case above(s.Needed, l.SoftMemory, memorySoft):
		level = memorySoft
	default:
		level = memoryFine
	}
	g.level.Store(level)
}

// Reserve asks for room for n bytes that a call is about to hold. It returns false when they are not to
// be had: the process is above its soft mark, or they would take what is held so far above half of it.
// Give back with Release what was reserved.
func (g *Gate) Reserve(n int64) bool { return g.room(g.reserved.Add(n)) || g.refuse(n) }

// Fits tells whether Reserve would have room for n bytes now. It takes nothing, and counts a refusal.
func (g *Gate) Fits(n int64) bool { return g.room(g.reserved.Load()+n) || g.refuse(0) }

// room tells whether calls may hold so many bytes in all.
func (g *Gate) room(held int64) bool {
	g.mu.Lock()
	soft := g.limits.SoftMemory
	g.mu.Unlock()
	return soft <= 0 || held <= soft/2 && g.level.Load() < memorySoft
}

func (g *Gate) refuse(taken int64) bool {
	g.reserved.Add(-taken)
	g.refused[LowMemory].Add(1)
	return false
}

// Release gives back what Reserve took.
func (g *Gate) Release(n int64) { g.reserved.Add(-n) }
