package snapshot

import (
	"fmt"
	"time"

	"causeway/internal/choose"
	"causeway/internal/history"
	"causeway/internal/journey"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// remember opens the memory of each target. The revision is that of the settings which a connection or an answer
// depends on: with others, a target that had worked until then may not work any more.
func (u *Upstream) remember(b *builder, s *upstreamSpec) {
	u.Revision = history.Hash(fmt.Sprintf("%v\x00%v\x00%v\x00%v\x00%v\x00%v\x00%v",
		s.targets, s.host, s.headers, s.timeouts, s.tls, s.proxy, s.protocol))
	for _, t := range s.targets {
		u.past = append(u.past, b.deps.History.Open(s.name, t.URL, b.deps.now()))
	}
}

// Past is what is remembered of a target by its configured URL, with the target itself; both are nil where there
// is none of that URL. A nil memory may be asked as well.
func (u *Upstream) Past(url string) (*history.Target, *upstream.Target) {
	for i, t := range u.Pool.Targets() {
		if t.URL == url {
			if i < len(u.past) {
				return u.past[i], t
			}
			return nil, t
		}
	}
	return nil, nil
}

// Remembered is the memory of a target by its index.
func (u *Upstream) Remembered(target int) *history.Target {
	if target >= len(u.past) {
		return nil
	}
	return u.past[target]
}

// Keeps fills in what is known of the target's connections and of the provider's keys.
func (u *Upstream) Keeps(p *journey.Past, target int) {
	if u.KeyPool != nil {
		for _, s := range u.KeyPool.States(wire.Now()) {
			if p.Keys++; s.Why == choose.InUse {
				p.KeysGood++
			}
		}
	}
	if target < len(u.origins) {
		p.KeepFor = u.origins[target].KeepAlive().For
		s := u.origins[target].Stats()
		p.Open = int(s.Open - s.Idle)
	}
}

// begin tells the memories which settings are in force from now on, and forgets the targets that are gone.
func (g *Generation) begin() {
	if g.history == nil {
		return
	}
	now := time.Now()
	known := map[string]bool{}
	each := func(u *Upstream) {
		for i, t := range u.past {
			t.Revise(u.Revision, now)
			known[u.Name+"\x00"+u.Pool.Targets()[i].URL] = true
		}
	}
	for _, s := range g.Services {
		each(s.Upstream)
	}
	for _, p := range g.Providers {
		each(p.Upstream)
	}
	g.history.Keep(func(upstream, target string) bool {
		return known[upstream+"\x00"+target]
	})
}

// learnedKeep tells the log that connections to a target are let go earlier from now on.
func (b *builder) learnedKeep(target string) func(idle, keep time.Duration) {
	log := b.deps.Log
	if log == nil {
		return nil
	}
	return func(idle, keep time.Duration) {
		log.Info("an upstream closes idle connections: they are let go earlier from now on", "target", target, "closed_after", idle.String(), "kept_for", keep.String())
	}
}
