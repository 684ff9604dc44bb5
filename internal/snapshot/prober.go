package snapshot

import (
	"context"
	"strings"
	"sync"
	"time"

	"causeway/internal/choose"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/wire"
)

// prober looks at models' targets that are left alone because calls to them failed: it asks the
// provider for its list of models, which costs no tokens and is no call of anybody's. The zero value
// is ready for use.
type prober struct {
	mu      sync.Mutex
	stopped bool
	timers  map[*choose.Target]*time.Timer
	running sync.WaitGroup
	end     context.CancelFunc
	ctx     context.Context
}

// Limits of a probe.
const (
	probeFirstByte = 3 * time.Second
	probeTotal     = 10 * time.Second
)

// Watch looks at a dead target at growing intervals until it is well again or the generation is
// retired. Further calls for the same one do nothing.
func (g *Generation) Watch(t *ModelTarget) {
	if t.Provider.Upstream == nil || t.Provider.Sandbox {
		return
	}
	g.watch(t.Provider, t.State)
}

func (g *Generation) watch(p *Provider, t *choose.Target) {
	after, dead := t.Probe()
	if !dead {
		return
	}
	b := &g.prober
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped || b.timers[t] != nil {
		return
	}
	if b.timers == nil {
		b.timers = map[*choose.Target]*time.Timer{}
		b.ctx, b.end = context.WithCancel(context.Background())
	}
	b.timers[t] = time.AfterFunc(after, func() { g.probe(p, t) })
}

// watchDead goes on with the targets that were dead in the generation before.
func (g *Generation) watchDead() {
	for _, m := range g.Models {
		for i := range m.Targets {
			if len(m.Targets) > 1 {
				g.Watch(&m.Targets[i])
			}
		}
	}
}

// probe makes one probe and plans the next.
func (g *Generation) probe(p *Provider, t *choose.Target) {
	b := &g.prober
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return
	}
	delete(b.timers, t)
	b.running.Add(1)
	b.mu.Unlock()
	defer b.running.Done()
	if _, dead := t.Probe(); !dead {
		return
	}
	answers := p.answers(b.ctx)
	if b.ctx.Err() != nil {
		return
	}
	t.Probed(wire.Now(), answers)
	g.watch(p, t)
}

// stop ends all probes and waits for those that run.
func (b *prober) stop() {
	b.mu.Lock()
	b.stopped = true
	for _, t := range b.timers {
		t.Stop()
	}
	if b.end != nil {
		b.end()
	}
	b.mu.Unlock()
	b.running.Wait()
}

// answers tells whether anything that is not in trouble answers at the provider: any whole answer with a
// status below 500.
func (p *Provider) answers(ctx context.Context) bool {
	u := p.Upstream
	o := u.origins[0]
	path := p.Dialect.Path(llm.ListModels)
	if path == "" {
		path = "/"
	}
	var head strings.Builder
	head.WriteString("GET " + o.Prefix + path + " HTTP/1.1\r\nHost: " + o.Host + "\r\nUser-Agent: causeway-probe\r\nAccept: */*\r\n")
	head.Write(u.ExtraFields)
	if len(u.Keys) > 0 {
		i, _, _, _ := u.KeyPool.Soonest(wire.Now())
		head.Write(u.Keys[i].Line)
	}
	head.WriteString("\r\n")
	first := probeFirstByte
	if t := u.Timeouts.FirstByte; t > 0 {
		first = min(first, t)
	}
	call := wire.Call{
		Head:   []byte(head.String()),
		Limits: wire.AttemptLimits{Connect: u.Timeouts.Connect, Send: first, FirstByte: first, Idle: first, Total: probeTotal, Until: wire.Now() + int64(probeTotal)},
	}
	var a journey.Attempt
	answer := o.Try(&call, &a, &wire.ContextWatch{Context: ctx})
	if answer == nil {
		return false
	}
	defer answer.Release()
	for n := 0; n < 1<<20; {
		piece, err := answer.Next()
		n += len(piece)
		if err != nil {
			break
		}
	}
	return answer.Response.Status < 500
}
