package diagnose

import (
	"fmt"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// keepAlive: reused connections die after they have been idle for a certain time.
func (c *judgement) keepAlive(p *journey.Past, a *journey.Attempt) *pattern {
	if c.kind != fault.StaleConnection || a.ConnIdle < rested {
		return nil
	}
	x := &pattern{word: "keepalive_mismatch", cause: fault.Configuration, confidence: "possible"}
	idle := a.ConnIdle
	if p.Idle.Count >= 2 {
		x.confidence = "likely"
		idle = time.Duration(p.Idle.Value)
		x.because = fmt.Sprintf("%d connections that were used again had ended after about %s of idleness: the upstream, or a balancer before it, closes idle connections then.", p.Idle.Count, fault.Span(idle))
	} else {
		x.because = fmt.Sprintf("A connection that was used again had ended after %s of idleness: the upstream, or a balancer before it, may close idle connections then.", fault.Span(idle))
	}
	if p.KeepFor > 0 {
		x.because += fmt.Sprintf(" The gateway has learned that, and lets connections to this target go after %s from now on.", fault.Span(p.KeepFor))
	}
	x.check = "The keep-alive timeout in the upstream's own settings."
	x.advice = []string{"Set the upstream's keep-alive timeout above 60 s, which is for how long the gateway keeps connections: nginx keepalive_timeout, gunicorn --keep-alive, uvicorn --timeout-keep-alive, Node server.keepAliveTimeout, Tomcat keepAliveTimeout."}
	return x
}

// hostDown: every port that is known of the host is silent.
func (c *judgement) hostDown(p *journey.Past, _ *journey.Attempt) *pattern {
	s := p.SameHost
	if !reachKind(c.kind) || s.Failing == 0 || s.Failing < s.Known || !p.Good && !p.GoodBefore {
		return nil
	}
	x := &pattern{word: "host_down", cause: fault.Network, confidence: "possible"}
	if s.Failing >= 2 {
		x.confidence = "likely"
	}
	verb := "cannot be reached"
	if c.kind == fault.ConnectionRefused {
		verb = "refuse connections"
	}
	x.because = fmt.Sprintf("All %d ports that are known of this host %s: the host was restarted or is going down, not one program on it.", s.Failing+1, verb)
	x.check = "Whether the host itself is up: its console, uptime, or its hypervisor."
	return x
}

// wentAway tells a process that crashed from one that is restarted, and both from one that does it again and again.
func (c *judgement) wentAway(p *journey.Past, _ *journey.Attempt) *pattern {
	if c.kind != fault.ConnectionRefused && c.kind != fault.SocketMissing || !p.Good && !p.GoodBefore || p.Streak == 0 {
		return nil
	}
	for _, ch := range p.Changes {
		if ch.What == "address" && ch.Ago-p.RunAgo > -time.Second && ch.Ago-p.RunAgo < soonAfter {
			return nil // it is the name that leads elsewhere
		}
	}
	r := c.runs(p)
	if r.times >= loopTimes {
		return r.loop(c)
	}
	if p.CutBefore {
		x := &pattern{
			word: "crashed", cause: fault.Software, confidence: "likely",
			because: fmt.Sprintf("A call under way lost its connection %s before the first connection was refused: the process did not end in an orderly way.", fault.Span(p.CutBeforeAgo-p.RunAgo)),
			check:   whyItEnded,
			advice:  []string{"Find out why it ended: its log's last lines, and dmesg or journalctl -k for an out-of-memory kill. Have it restarted by itself (systemd Restart=on-failure, docker --restart)."},
		}
		if r.cuts > 1 {
			x.because += fmt.Sprintf(" It did the same %s before.", fault.Span(r.period))
		}
		return x
	}
	if r.before > 0 && p.RunAgo <= 3*r.longest+time.Second {
		x := &pattern{
			word: "restarting", cause: fault.Software, confidence: "likely",
			because: fmt.Sprintf("No call was cut as it went away, and it was away like this %s before, for at most %s: it is probably being restarted or deployed.", times(r.before), fault.Span(r.longest)),
			check:   "Whether it is back: the same call in a moment.",
			advice:  []string{"Let it take over without a gap: start the new process before the old one stops (socket activation, SO_REUSEPORT, or a second entry in " + c.key("targets") + ")."},
		}
		if r.times > 1 { // nobody deploys every few minutes
			x.confidence = "possible"
			x.because = fmt.Sprintf("No call was cut as it went away, but it was away %s ago as well, for %s: it may be restarted or deployed, or it ends by itself and is started again.", fault.Span(r.period), fault.Span(r.longest))
			x.check = whyItEnded
		}
		return x
	}
	x := &pattern{word: "stopped", cause: fault.Software, confidence: "possible"}
	x.because = "No call was cut as it went away"
	if p.RunAgo < coming {
		x.because += fmt.Sprintf(", %s: it was stopped in an orderly way, and may be restarting.", agoText(p.RunAgo))
	} else {
		x.because += fmt.Sprintf(" %s, and it has not come back since: it was stopped, and not started again.", agoText(p.RunAgo))
	}
	x.check = "Whether the process runs: systemctl status, docker ps."
	return x
}

const (
	// loopTimes is how often a target must go away, one time soon after the other, for that to be called a loop.
	loopTimes  = 3
	whyItEnded = "The process's exit code or signal: systemctl status, docker inspect, journalctl -k for the OOM killer."
)

// awayRuns is how often a target went away like this.
type awayRuns struct {
	before  int           // times that are remembered, this one not included
	longest time.Duration // of them
	times   int           // times in a row, none more than soonAfter after the one before, this one included
	cuts    int           // of these, those in which a call under way was cut
	span    time.Duration // from the beginning of the first of these to that of this one
	period  time.Duration // what lies between two of them on average
}

func (c *judgement) runs(p *journey.Past) awayRuns {
	r := awayRuns{times: 1}
	if p.CutBefore {
		r.cuts = 1
	}
	row, last := true, p.RunAgo
	for _, o := range p.Outages {
		if o.Kind != c.kind {
			continue
		}
		if !o.Cut {
			r.before, r.longest = r.before+1, max(r.longest, o.Took)
		}
		began := o.Ago + o.Took
		if row = row && began-last <= soonAfter; row {
			r.times, last = r.times+1, began
			if o.Cut {
				r.cuts++
			}
		}
	}
	if r.span = last - p.RunAgo; r.times > 1 {
		r.period = r.span / time.Duration(r.times-1)
	}
	return r
}

// loop is what is said of a target that goes away again and again.
func (r *awayRuns) loop(c *judgement) *pattern {
	x := &pattern{
		word: "crash_loop", cause: fault.Software, confidence: "possible", check: whyItEnded,
		advice: []string{
			"Find out why it ends each time: the last lines of its log before each end, its exit codes, and dmesg or journalctl -k for an out-of-memory kill. Starting it again does not help.",
			"If it began with a deployment, go back to the version before. Meanwhile a second entry in " + c.key("targets") + " keeps calls alive.",
		},
	}
	x.because = fmt.Sprintf("It has gone away %d times in %s (about every %s) and come back in between", r.times, fault.Span(r.span), fault.Span(r.period))
	if r.cuts > 0 {
		x.confidence = "likely"
		x.because += fmt.Sprintf(", and %s a call under way was cut: it crashes, is started again and crashes again (a crash loop).", timesOf(r.cuts, r.times))
		return x
	}
	x.because += ", with no call cut: it ends by itself and is started again each time (a crash loop), or it was deployed several times in a row."
	return x
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func timesOf(n, all int) string {
	if n == all {
		return "each time"
	}
	return times(n)
}

// noAccept tells a full accept queue from packets that are dropped.
func (c *judgement) noAccept(p *journey.Past, a *journey.Attempt) *pattern {
	if c.kind != fault.ConnectTimeout || !p.Good && !p.GoodBefore {
		return nil
	}
	check := "On the upstream's host, while it happens: ss -ltn for port " + portOf(address(a)) + ". Recv-Q above Send-Q is a full accept queue; an empty one means that packets are dropped on the way."
	climbing := climbs(p.Latency, 0)
	if p.Open > 0 || climbing {
		x := &pattern{word: "accept_queue_full", cause: fault.Overload, confidence: "possible", check: check}
		if p.Open > 0 && climbing || p.Open > 2 {
			x.confidence = "likely"
		}
		x.because = "New connections are not taken"
		if p.Open > 0 {
			x.because += fmt.Sprintf(" while %s of ours still wait for answers on open ones", plural(int64(p.Open), "call"))
		}
		if climbing {
			x.because += "; its answers had become slower before (" + latencyText(p.Latency) + ")"
		}
		x.because += ": it is too busy to accept, and its queue of waiting connections is full."
		x.advice = []string{"Give the upstream more workers, or fewer calls at a time: " + c.key("max_busy") + " below what it can work on at once makes further calls wait or go elsewhere."}
		return x
	}
	x := &pattern{word: "packets_dropped", cause: fault.Network, confidence: "possible", check: check}
	x.because = fmt.Sprintf("It answered %s, with no call of ours in work and none that had become slow: nothing says that it is busy, so packets are more likely dropped on the way (a firewall, a security group, a host that is down).", agoText(lastGood(p)))
	return x
}

func lastGood(p *journey.Past) time.Duration {
	if p.Good {
		return p.GoodAgo
	}
	return p.GoodBeforeAgo
}

// ofLimit is the part of a limit that answers must have come to for it to be their slowness that passed it: a few
// milliseconds more of a minute are no way there, unless they are manifold times what they were.
const (
	ofLimit  = 5
	manifold = 10
)

// climbs tells whether answers had become slower before the failures began. limit is the one that passed, 0 for none.
func climbs(l journey.PastLatency, limit time.Duration) bool {
	return (l.NewP95 >= limit/ofLimit || l.NewP95 >= manifold*l.P50) && l.Samples >= 4 && l.Recent >= 3 && l.NewP50 >= 2*l.P50 && l.NewP50-l.P50 >= 5*time.Millisecond && l.NewP95 >= 2*l.P50
}

// flat tells whether answers were as fast as ever until the failures began.
func flat(l journey.PastLatency, limit time.Duration) bool {
	return l.Samples+l.Recent >= 4 && (l.Recent == 0 || l.NewP95 <= max(2*l.P95+5*time.Millisecond, min(limit/ofLimit, manifold*l.P50)))
}

// passed is the limit of the last attempt that passed, 0 where none did.
func (c *judgement) passed() time.Duration {
	if n := len(c.in.Attempts); n > 0 && c.in.Attempts[n-1].End == journey.EndTimeout {
		return c.in.Attempts[n-1].LimitValue
	}
	return 0
}

func latencyText(l journey.PastLatency) string {
	s := fmt.Sprintf("first byte p50 %s, p95 %s over %s", fault.Span(l.P50), fault.Span(l.P95), plural(int64(l.Samples), "answer"))
	if l.Recent > 0 {
		s += fmt.Sprintf("; just before the failures p50 %s, p95 %s", fault.Span(l.NewP50), fault.Span(l.NewP95))
	}
	return s
}

// climbed: it slowed down, and then did not make it.
func (c *judgement) climbed(p *journey.Past, _ *journey.Attempt) *pattern {
	if !waitKind(c.kind) && !statusKind(c.kind) && c.kind != fault.TLSHandshakeTimeout || c.kind == fault.UpstreamError || !climbs(p.Latency, c.passed()) {
		return nil
	}
	x := &pattern{word: "overload", cause: fault.Overload, confidence: "likely"}
	x.because = "Its answers became slower before the first failure (" + latencyText(p.Latency) + ")"
	if p.Busy > 2*max(p.Usual, 1) {
		x.because += fmt.Sprintf(", and %d calls are in flight where %d are usual", p.Busy, p.Usual)
	}
	x.because += ": it has more to do than it can."
	x.check = "CPU, memory and queue of the upstream at that time; with fewer calls it answers in time again."
	x.advice = []string{
		"Scale the upstream, or keep load off it: " + c.key("max_busy") + " bounds the calls in flight at a target, " + c.key("breaker") + " leaves it alone while it fails. Raising the timeout only lengthens its queue.",
	}
	return x
}

// limitTooLow: our own limit cuts what usually takes about as long.
func (c *judgement) limitTooLow(p *journey.Past, a *journey.Attempt) *pattern {
	l := p.Latency
	if c.kind != fault.FirstByteTimeout || a.End != journey.EndTimeout || a.LimitValue <= 0 || l.Samples+l.Recent < 6 || max(l.P95, l.NewP95)*10 < a.LimitValue*7 {
		return nil
	}
	suggest := roundUp(2 * max(l.P95, l.NewP95))
	return &pattern{
		word: "limit_too_low", cause: fault.Configuration, confidence: "likely",
		because: fmt.Sprintf("Good answers of this target come close to the limit of %s (%s): the limit cuts what is normal for it.", limit(a.LimitValue), latencyText(l)),
		check:   "The same call with the higher limit.",
		advice:  []string{fmt.Sprintf("Set %s to %s (now %s): twice the p95 of its good answers.", c.key("timeouts.first_byte"), limit(suggest), limit(a.LimitValue))},
	}
}

// roundUp rounds to a value that a person would write.
func roundUp(d time.Duration) time.Duration {
	step := 10 * time.Millisecond
	for _, s := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second, 30 * time.Second, time.Minute} {
		if d > 5*s {
			step = s
		}
	}
	return (d + step - 1) / step * step
}

// stoppedAnswering: it was as fast as ever, and then answered nobody.
func (c *judgement) stoppedAnswering(p *journey.Past, a *journey.Attempt) *pattern {
	if !waitKind(c.kind) || a.Phase < journey.PhaseWait || !p.Good && !p.GoodBefore || p.Streak < 2 || !flat(p.Latency, c.passed()) {
		return nil
	}
	x := &pattern{word: "stopped_answering", cause: fault.Software, confidence: "possible"}
	if p.Streak >= 3 {
		x.confidence = "likely"
	}
	x.because = fmt.Sprintf("It was as fast as ever until %s (%s), and has answered none of %s since, though it takes connections: it hangs, as in a deadlock or behind something it waits for, rather than being too slow.",
		agoText(lastGood(p)), latencyText(p.Latency), plural(int64(p.Streak), "attempt"))
	x.check = "A stack dump of the process while it hangs: py-spy dump, jstack, kill -QUIT of a Go or Java process; and what its database or its own upstreams do."
	x.advice = []string{"Restart it to get going, after a stack dump: the dump names the lock or the call it hangs in. A health check (" + c.key("health") + ") takes such a target out of use by itself."}
	return x
}

// oneShape: requests of one shape fail, others are answered in between.
func (c *judgement) oneShape(p *journey.Past, _ *journey.Attempt) *pattern {
	s := p.Shape
	if !servingKind(c.kind) || s.Failed < 2 || s.OthersGood < 1 || s.OthersBad > 0 {
		return nil
	}
	x := &pattern{word: "one_request_shape", cause: fault.Software, confidence: "possible"}
	if s.Failed >= 3 && s.OthersGood >= 2 && !waitKind(c.kind) {
		x.confidence = "likely"
	}
	x.because = fmt.Sprintf("Requests of this shape (route, method, model, size) failed %s in a row, and %s of other shapes came in between: it is this request that the program cannot cope with.", times(s.Failed), plural(int64(s.OthersGood), "good answer"))
	if s.Good > 0 {
		x.because += fmt.Sprintf(" It could until %s.", agoText(s.GoodAgo))
	}
	x.check = "This request by itself, with curl from the gateway's host, and the upstream's log at that moment."
	x.advice = []string{"Find this request's handler in the upstream's log: an exception, a worker's timeout, or a limit that only this request meets."}
	return x
}

// everyRequest: whatever is asked fails.
func (c *judgement) everyRequest(p *journey.Past, _ *journey.Attempt) *pattern {
	if !brokeKind(c.kind) && !statusKind(c.kind) || p.Streak < 3 || p.Shape.OthersGood > 0 || !p.Good && !p.GoodBefore || p.Shape.OthersBad == 0 {
		return nil
	}
	return &pattern{
		word: "every_request", confidence: "likely",
		because: fmt.Sprintf("Requests of all shapes fail since %s, %d in a row: it is the whole program, or what it depends on, and not one request.", agoText(p.RunAgo), p.Streak),
		check:   "The upstream's log at the moment of the first failure.",
	}
}

// providerOutage: a provider fails whatever it is asked, while others answer.
func (c *judgement) providerOutage(p *journey.Past, _ *journey.Attempt) *pattern {
	if !c.in.LLM || p.Streak < 3 || c.kind != fault.ProviderError && c.kind != fault.Overloaded && !reachKind(c.kind) && !waitKind(c.kind) && !brokeKind(c.kind) {
		return nil
	}
	x := &pattern{word: "provider_outage", confidence: "likely"}
	x.because = fmt.Sprintf("The provider has failed %s in a row since %s. A bad key would be rejected and an empty account named as such; neither is said: the provider itself is down.", times(p.Streak), agoText(p.RunAgo))
	x.check = "The provider's status page."
	x.advice = []string{"Give the model a fallback at another provider (models." + c.in.Model + ".fallback): calls go on there by themselves."}
	if c.in.Model == "" {
		x.advice = nil
	}
	return x
}
