package gateway

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/shed"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// shedLimits are what a generation holds the gateway's load to.
func (g *Gateway) shedLimits(gen *snapshot.Generation) shed.Limits {
	o := gen.Catalog.Server.Overload
	return shed.Limits{
		Calls: gen.MaxCalls, Queue: o.Queue, Wait: o.Wait, MaxDelay: o.MaxDelay, Memory: g.memoryKill,
		SoftMemory: int64(o.MemorySoft * float64(g.memoryMax)), HardMemory: int64(o.MemoryHard * float64(g.memoryMax)),
	}
}

// Tick takes in what the process showed in the last tenth of a second: load shedding goes by it.
func (g *Gateway) Tick(s shed.Signal) { g.gate.Tick(s) }

// Load is how loaded the gateway is.
func (g *Gateway) Load() shed.State { return g.gate.State() }

// turn is asked for a call that cannot come in at once: it waits for its turn, or is turned away.
func (c *call) turn() bool {
	gone := &waiter{gone: make(chan struct{})}
	c.ex.Watch(gone)
	began := c.since()
	v := c.g.gate.Ask(bytes.HasPrefix(c.rq.Path, ownPrefix), gone.gone)
	c.ex.Unwatch()
	if v == shed.Admitted {
		if waited := c.since() - began; waited >= noteWait {
			c.note("hall", "waited "+fault.Span(waited)+" for one of the calls in flight to end")
		}
		return true
	}
	c.counted = false
	if v == shed.Left {
		return c.fail(failure{kind: c.leftKind()})
	}
	if r := c.g.refusals[v].Load(); r != nil && r.generation == c.gen.Number && c.began.Sub(r.at) < refusalFor {
		c.finding, c.j.Finding, c.j.GatewayHost, c.j.Status = r.finding, r.finding, r.host, r.finding.Status
		return false
	}
	c.refuseLoad(v)
	c.g.refusals[v].Store(&refusal{c.finding, c.j.GatewayHost, c.began, c.gen.Number})
	return false
}

// refusal is why calls are turned away at the moment. It is made anew every tenth of a second: a refusal
// must cost less than a call, and what is said in it does not change faster.
type refusal struct {
	finding    *fault.Finding
	host       *journey.Host
	at         time.Time
	generation uint64
}

const refusalFor = 100 * time.Millisecond

// refuseLoad says why a call is turned away.
func (c *call) refuseLoad(v shed.Verdict) bool {
	s := c.g.gate.State()
	switch v {
	case shed.LowMemory:
		return c.memoryLow(&s, "server.overload.memory_hard")
	case shed.Late:
		return c.fail(failure{
			kind: fault.GatewayOverloaded,
			detail: fmt.Sprintf("this gateway is late with its own work, by %s (server.overload.max_delay is %s), and turns %d %% of new calls away.",
				fault.Span(s.Delay), s.Limits.MaxDelay, int(100*s.TurnedAway+0.5)),
			safe:     "this gateway is late with its own work, and turns some of the new calls away.",
			evidence: []string{fmt.Sprintf("the gateway's own work waits %s for a CPU, calls in flight: %d", fault.Span(s.Delay), s.Busy)},
		})
	}
	limit := "server.max_calls is " + strconv.FormatInt(s.Ceiling, 10)
	evidence := fmt.Sprintf("calls in flight: %d, server.max_calls: %d, calls waiting: %d, server.overload.queue: %d", s.Busy, s.Ceiling, s.Waiting, s.Limits.Queue)
	if v == shed.Waited {
		limit += ", and none ended within " + s.Limits.Wait.String() + " (server.overload.wait)"
	}
	return c.fail(failure{
		kind:     fault.GatewayOverloaded,
		detail:   "this gateway already carries " + plural(s.Busy, "call") + "; " + limit + ".",
		safe:     "this gateway already carries as many calls as it can.",
		evidence: []string{evidence},
	})
}

// noteWait is how long a call must have waited for the record to say so.
const noteWait = time.Millisecond

// leftKind is what a call is called whose caller left, or whose gateway stops, before it had its turn.
func (c *call) leftKind() fault.Kind {
	if c.ex.Gone() {
		return fault.CallerGone
	}
	return fault.GatewayDraining
}

// copies is how often a body is held: once as it comes, once as it is rewritten for the provider.
const copies = 2

// mayNeedMemory refuses a body whose declared n bytes could not be held now. It takes nothing: a caller that declares
// much and sends little would keep it from the others, for as long as it likes to be slow.
func (c *call) mayNeedMemory(n int64) bool {
	if c.g.gate.Fits(n * copies) {
		return true
	}
	s := c.g.gate.State()
	return c.memoryLow(&s, "server.overload.memory_soft")
}

// needMemory asks for room for n bytes of a body that is to be held, beside what the call has already.
func (c *call) needMemory(n int64) bool {
	if n *= copies; c.g.gate.Reserve(n) {
		c.reserved += n
		return true
	}
	s := c.g.gate.State()
	return c.memoryLow(&s, "server.overload.memory_soft")
}

func (c *call) memoryLow(s *shed.State, setting string) bool {
	share := s.Limits.SoftMemory
	if s.MemoryLow == "hard" {
		share = s.Limits.HardMemory
	}
	return c.fail(failure{
		kind: fault.GatewayMemoryLow,
		detail: fmt.Sprintf("this gateway has too little memory left: it needs %s, %s allows %s.",
			roundSize(s.Needed), setting, roundSize(share)),
		safe: "this gateway has too little memory left for this call.",
		evidence: []string{
			fmt.Sprintf("memory the gateway needs: %s, and %s for bodies that it holds", roundSize(s.Needed), roundSize(s.Reserved)),
		},
	})
}

func roundSize(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<19)>>20) }

// slowTaker names a caller that stayed connected and took its answer too slowly, "" when it did not.
func (c *call) slowTaker() (failure, bool) {
	s := wire.StallOf(c.ex)
	if s == nil {
		return failure{}, false
	}
	f := failure{kind: fault.CallerTooSlow}
	if s.Limit > 0 {
		f.detail = fmt.Sprintf("The caller took nothing of the answer for %s.", fault.Span(s.Limit))
	} else {
		f.detail = fmt.Sprintf("The caller took %d bytes of the answer in %s; server.min_rate is %d bytes a second.", s.Took, fault.Span(s.Waited), s.Rate)
	}
	f.safe = f.detail
	f.evidence = []string{fmt.Sprintf("waited %s in all for the caller to take the answer; it took %d bytes in that time", fault.Span(s.Waited), s.Took)}
	return f, true
}

// uploadBroke ends a call whose answer had been begun, and whose body then turned out to be too large, too
// slow or malformed while its caller is still there. It returns false when that is not what happened.
func (c *call) uploadBroke() bool {
	status := c.j.Status
	if c.ex.Gone() || !c.uploadFault() {
		return false
	}
	c.finishLong(false)
	if c.ex.Withdraw() {
		c.j.BytesOut, c.j.FirstByte = 0, 0
		return c.explained()
	}
	c.finding.Status, c.j.Status, c.j.Cut = status, status, true
	c.commit()
	c.logFailure()
	c.ex.Abort()
	return true
}
