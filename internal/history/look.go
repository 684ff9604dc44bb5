package history

import (
	"slices"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Question is what Look is asked about: a failure that Bad was told of.
type Question struct {
	Attempt *journey.Attempt
	Kind    fault.Kind
	Shape   uint64
	Model   uint64
	Busy    int
	Now     time.Time
}

// Look tells what is remembered that has to do with a failure; nil for a target that is not watched.
func (t *Target) Look(q Question) *journey.Past {
	if t == nil {
		return nil
	}
	now := q.Now.UnixNano()
	ago := func(at int64) time.Duration { return time.Duration(max(now-at, 0)) }
	p := &journey.Past{Watched: ago(t.began), Busy: q.Busy}
	t.mu.Lock()
	t.lookSelf(p, q, now, ago)
	t.mu.Unlock()
	t.lookAround(p, now, ago)
	return p
}

func (t *Target) lookSelf(p *journey.Past, q Question, now int64, ago func(int64) time.Duration) {
	if last := t.good.Load(); last != 0 {
		if t.goodRev == t.revision {
			p.Good, p.GoodAgo = true, ago(last)
			if t.goodOld != 0 {
				p.GoodBefore, p.GoodBeforeAgo = true, ago(t.goodOld)
			}
		} else {
			p.GoodBefore, p.GoodBeforeAgo = true, ago(last)
		}
	}
	if t.revised != 0 {
		p.Revised, p.RevisedAgo = true, ago(t.revised)
	}
	before := now
	if t.streak > 0 {
		p.Streak, p.RunAgo, p.RunKind, before = t.streak, ago(t.runFrom), t.runKind, t.runFrom
		if t.runCut != 0 {
			p.CutBefore, p.CutBeforeAgo = true, ago(t.runCut)
		}
	}
	p.Usual = int(t.busy + 0.5)
	p.Latency = t.latency(before, now)
	for i := range t.shapes {
		if s := &t.shapes[i]; s.id == q.Shape && s.id != 0 {
			p.Shape = journey.PastShape{Failed: s.failed, Good: s.good, OthersGood: s.othersG, OthersBad: s.other}
			if s.goodAt != 0 {
				p.Shape.GoodAgo = ago(s.goodAt)
			}
			if s.failed > 0 {
				p.Shape.OthersSince = ago(s.since)
			}
		}
	}
	t.clusters(p, q, now)
	for i := range min(t.nChanges, maxChanges) {
		c := &t.changes[(t.nChanges-1-i)%maxChanges]
		p.Changes = append(p.Changes, journey.PastChange{What: c.what, From: c.from, To: c.to, Ago: ago(c.at)})
	}
	for i := range min(t.nOutages, maxOutages) {
		o := &t.outages[(t.nOutages-1-i)%maxOutages]
		p.Outages = append(p.Outages, journey.PastOutage{Took: time.Duration(o.to - o.from), Ago: ago(o.to), Kind: o.kind, Cut: o.cut})
	}
	for i := range t.models {
		if m := &t.models[i]; m.id == q.Model && m.id != 0 {
			p.ModelGood, p.ModelGoodAgo = true, ago(m.at)
		}
	}
}

// clusters finds what the latest failures of this kind have in common.
func (t *Target) clusters(p *journey.Past, q Question, now int64) {
	if q.Attempt == nil {
		return
	}
	var elapsed, size, idle []int64
	for i := range min(t.nFailed, maxFailures) {
		f := &t.failures[i]
		if now-f.at > stale || f.kind != q.Kind {
			continue
		}
		elapsed = append(elapsed, f.elapsed)
		size = append(size, f.size)
		if f.idle > 0 {
			idle = append(idle, f.idle)
		}
	}
	took := Elapsed(q.Attempt)
	p.Elapsed = cluster(elapsed, took, max(took/50, late))
	n := q.Attempt.BodyIn
	if q.Attempt.Phase <= journey.PhaseSend {
		n = q.Attempt.BodyOut
	}
	if n > 0 {
		p.Size = cluster(size, n, 0)
	}
	if q.Attempt.ConnIdle > 0 {
		p.Idle = cluster(idle, int64(q.Attempt.ConnIdle), int64(q.Attempt.ConnIdle)/5)
	}
}

// late is how late a timer may fire on a busy host.
const late = int64(100 * time.Millisecond)

// cluster counts which values are no further from one than near, and gives their median.
func cluster(list []int64, around, near int64) journey.PastCluster {
	c := journey.PastCluster{Of: len(list)}
	var like []int64
	for _, v := range list {
		d := v - around
		if d < 0 {
			d = -d
		}
		if d <= near {
			like = append(like, v)
		}
	}
	if c.Count = len(like); c.Count > 0 {
		slices.Sort(like)
		c.Value = like[len(like)/2]
	}
	return c
}

// lately is how fresh news of others has to be.
const lately = int64(time.Minute)

// mostLooked is how many other targets a failure looks at.
const mostLooked = 256

// lookAround looks at everybody else, without a lock.
func (t *Target) lookAround(p *journey.Past, now int64, ago func(int64) time.Duration) {
	list := t.book.list.Load()
	if list == nil {
		return
	}
	var hosts [8]string
	var skews []int64
	for i, o := range *list {
		if i >= mostLooked {
			break
		}
		if o == t {
			continue
		}
		if o.skewed.Load() && now-o.good.Load() < lately {
			skews = append(skews, o.skew.Load())
		}
		good, bad := o.good.Load(), o.bad.Load()
		last := max(good, bad)
		if last == 0 || now-last > lately {
			continue
		}
		if o.upstream == t.upstream {
			count(&p.Siblings, o, o.link.Load(), good, bad, ago)
		}
		if o.host == t.host {
			if o.url != t.url {
				count(&p.SameHost, o, o.link.Load(), good, bad, ago)
			}
			continue
		}
		n := p.Others.Failing
		count(&p.Others, o, o.road.Load(), good, bad, ago)
		for j := range hosts {
			if p.Others.Failing == n || hosts[j] == o.host {
				break
			}
			if hosts[j] == "" {
				hosts[j] = o.host
				p.Others.Hosts++
				break
			}
		}
	}
	if len(skews) > 0 {
		slices.Sort(skews)
		p.ClockOff, p.ClockSeen = time.Duration(skews[len(skews)/2]), len(skews)
	}
}

// count adds one target. It is well when it answered after its last failure, or with the very failure.
func count(p *journey.PastOthers, o *Target, failed bool, good, bad int64, ago func(int64) time.Duration) {
	p.Known++
	switch {
	case good >= bad:
		if p.Well++; p.Well == 1 || ago(good) < p.Ago {
			p.Name, p.Ago, p.Kind = o.url, ago(good), ""
		}
	case failed:
		if p.Failing++; p.Well == 0 {
			p.Name, p.Ago = o.url, ago(bad)
			if k := o.badKind.Load(); k != nil {
				p.Kind = *k
			}
		}
	default:
		p.Reached++
	}
}
