package snapshot

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/choose"
	"causeway/internal/history"
	"causeway/internal/meter"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// Upstream is who answers: the targets of a service, or a provider. It is safe for concurrent use.
type Upstream struct {
	Name      string // the service's or the provider's
	Timeouts  catalog.Timeouts
	Retries   catalog.Retries
	Retry     *upstream.Retry
	Host      string // catalog.Upstream.Host; "" is the target's
	Rules     *HeaderRules
	Pool      *upstream.Pool
	Pseudonym []byte // ours in Via, different for each upstream
	Hash      upstream.HashBy
	// ProxyHeader is the version of the PROXY protocol's header that targets are sent, 0 for none.
	ProxyHeader int

	// ExtraFields are header lines for every call, in wire form.
	ExtraFields []byte
	// IfMissing are fields for calls whose caller sent none of the name.
	IfMissing []Field
	// Keys are a provider's credentials; empty for a service.
	Keys []Credential

	// KeyPool chooses among Keys.
	KeyPool *choose.KeyPool

	// Revision tells settings apart that connections and answers depend on.
	Revision uint64

	origins []*wire.Origin // by the target's index
	past    []*history.Target
	secrets []string // what tells the keys apart over generations; never shown
}

// Field is a header field; Line is the whole of it in wire form.
type Field struct {
	Name string
	Line []byte
}

// Chosen is a target picked for one attempt. Release must be called once.
type Chosen struct {
	*upstream.Target
	Origin *wire.Origin
	Up     *Upstream
	Key    *Credential // nil when none is needed, or none was chosen yet
}

// Pick chooses a target. Which of the Keys is used is for the KeyPool to say.
func (u *Upstream) Pick(hash uint64, tried *upstream.Tried) (Chosen, *upstream.Refusal) {
	t, refusal := u.Pool.Pick(hash, tried)
	if refusal != nil {
		return Chosen{Up: u}, refusal
	}
	return Chosen{Target: t, Origin: u.origins[t.Index], Up: u}, nil
}

// Healthy is how many targets pass their checks, of how many.
func (u *Upstream) Healthy() (healthy, targets int) {
	list := u.Pool.Targets()
	for _, t := range list {
		if t.Healthy() {
			healthy++
		}
	}
	return healthy, len(list)
}

// Judged tells whether anything says which targets are healthy: checks, or a breaker (ejection is one).
func (u *Upstream) Judged() bool {
	list := u.Pool.Targets()
	return u.Pool.Checks() || len(list) > 0 && list[0].Breaks()
}

// MinValidity is how much longer the targets' certificates must be valid for their checks to pass (health.min_validity),
// 0 where checks do not look at them.
func (u *Upstream) MinValidity() time.Duration { return u.Pool.MinValidity() }

// Idle is the number of kept-alive connections of a target.
func (u *Upstream) Idle(target int) int { return int(u.origins[target].Stats().Idle) }

// Road is the state of a target's connections.
func (u *Upstream) Road(target int) meter.Road {
	o := u.origins[target]
	s := o.Stats()
	return meter.Road{Open: int(s.Open), HTTP2: o.MaySpeakHTTP2(), Shared: int(s.HTTP2), Streams: int(s.Streams), Moved: s.Moved, KeepFor: o.KeepAlive().For, CertEnds: o.CertificateEnds()}
}

// Origin is the target's connections.
func (u *Upstream) Origin(target int) *wire.Origin { return u.origins[target] }

// HeaderRules are upstream.headers, compiled.
type HeaderRules struct{ drop map[string]bool }

// Drops tells whether a caller's field does not go upstream, because it is removed or set.
func (r *HeaderRules) Drops(name []byte) bool {
	var lower [64]byte
	if len(name) > len(lower) {
		return r.drop[strings.ToLower(string(name))]
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return r.drop[string(lower[:len(name)])]
}

func compileRules(h catalog.HeaderRules) (rules *HeaderRules, lines []byte) {
	if len(h.Set)+len(h.Add)+len(h.Remove) == 0 {
		return nil, nil
	}
	rules = &HeaderRules{drop: map[string]bool{}}
	for _, name := range h.Remove {
		rules.drop[strings.ToLower(name)] = true
	}
	for _, m := range []map[string]string{h.Set, h.Add} {
		names := make([]string, 0, len(m))
		for name := range m {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			lines = append(lines, name+": "+m[name]+"\r\n"...)
		}
	}
	for name := range h.Set {
		rules.drop[strings.ToLower(name)] = true
	}
	return rules, lines
}

// upstreamSpec is what an Upstream is compiled from.
type upstreamSpec struct {
	name     string
	targets  []catalog.Target
	balance  string
	host     string
	headers  catalog.HeaderRules
	timeouts catalog.Timeouts
	retries  catalog.Retries
	health   *catalog.Health
	tls      catalog.UpstreamTLS
	maxBusy  int
	breaker  *catalog.Breaker
	keys     []catalog.ProviderKey
	proxy    int    // catalog.Upstream.ProxyProtocol
	protocol string // catalog.Upstream.Protocol; "" is http1

	credentials []Credential // of keys, one for each
	ifMissing   []Field
}

func (b *builder) upstream(s upstreamSpec, old *Upstream) (*Upstream, error) {
	u := &Upstream{Name: s.name, Timeouts: s.timeouts, Retries: s.retries, Host: s.host, ProxyHeader: s.proxy}
	if u.Host == "target" {
		u.Host = ""
	}
	u.Rules, u.ExtraFields = compileRules(b.headerRules(s.headers))
	sum := sha256.Sum256([]byte(b.deps.Instance + "\x00" + s.name))
	u.Pseudonym = []byte("causeway-" + hex.EncodeToString(sum[:5]))
	cfg, tlsKey, err := upstreamTLS(s.tls)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	specs := make([]upstream.TargetSpec, len(s.targets))
	for i, t := range s.targets {
		specs[i] = upstream.TargetSpec{URL: t.URL, Weight: t.Weight}
		o, err := b.origin(t.URL, cfg, tlsKey, s.proxy, s.protocol)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		u.origins = append(u.origins, o)
	}
	if u.Retry, err = upstream.NewRetry(s.retries, b.deps.now()); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	u.Pool, err = upstream.New(upstream.Options{
		Name: s.name, Targets: specs, Balance: s.balance, MaxBusy: s.maxBusy, Health: s.health, Breaker: s.breaker, Opened: b.opened(s.name, s.targets),
		Check: func(ctx context.Context, target int) upstream.CheckResult {
			return checkHealth(ctx, u, s.health, target)
		},
		Log: b.deps.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if old != nil {
		u.Pool.Adopt(old.Pool)
		u.Retry.Adopt(old.Retry)
	}
	u.Hash = u.Pool.HashBy()
	u.Keys, u.IfMissing = s.credentials, s.ifMissing
	u.keyPool(s.keys, old)
	b.pools = append(b.pools, u.Pool)
	u.remember(b, &s)
	return u, nil
}

// opened tells the log that a breaker leaves a target alone.
func (b *builder) opened(name string, targets []catalog.Target) func(int, upstream.Reason, time.Time) {
	log := b.deps.Log
	return func(i int, why upstream.Reason, until time.Time) {
		log.Warn("a target is left alone: its breaker is open", "upstream", name, "target", targets[i].URL, "kind", string(why.Kind), "reason", why.Text, "until", until.UTC().Format(time.RFC3339))
	}
}

// origin returns the connections to a target: those of the generation before where nothing about
// them has changed.
func (b *builder) origin(url string, cfg *tls.Config, tlsKey string, proxy int, protocol string) (*wire.Origin, error) {
	key := url + "\x00" + tlsKey + "\x00" + b.deps.ResolverName + "\x00" + strconv.Itoa(proxy) + "\x00" + protocol
	if o := b.origins[key]; o != nil {
		return o, nil
	}
	if b.old != nil {
		if o := b.old.origins[key]; o != nil {
			b.origins[key] = o
			return o, nil
		}
	}
	o, err := wire.NewOrigin(wire.OriginOptions{URL: url, TLS: cfg, Resolver: b.deps.Resolver, OnLookup: b.deps.OnLookup, Lane: b.deps.Lane, OnKeepAlive: b.learnedKeep(url), ProxyHeader: proxy, Protocol: protocolOf(protocol, proxy)})
	if err != nil {
		return nil, err
	}
	b.origins[key] = o
	return o, nil
}

// protocolOf is the catalogue's word for the road. A connection that tells who calls carries the calls
// of one caller, one after the other.
func protocolOf(word string, proxy int) wire.Protocol {
	switch {
	case proxy != 0:
		return wire.ProtocolHTTP1
	case word == "auto":
		return wire.ProtocolAuto
	case word == "h2":
		return wire.ProtocolHTTP2
	case word == "h2c":
		return wire.ProtocolH2C
	}
	return wire.ProtocolHTTP1
}

// LastGood is when a target last gave a good answer, by its configured URL.
func (u *Upstream) LastGood(url string) (at time.Time, ever, known bool) {
	for _, t := range u.Pool.Targets() {
		if t.URL == url {
			at, ever = t.LastGood()
			return at, ever, true
		}
	}
	return time.Time{}, false, false
}

func trustedList(list []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = p.Masked()
	}
	return out
}

// Peer says how to reach a single target that no configuration names.
type Peer struct {
	TLS      catalog.UpstreamTLS
	Protocol string // as upstream.protocol; "" is http1
	Resolver *net.Resolver
	Timeouts catalog.Timeouts
}

// Single makes an upstream of one target without retries or checks. Close ends it.
func Single(name, url string, p Peer, d Deps) (*Upstream, error) {
	if p.Resolver != nil {
		d.Resolver = p.Resolver
	}
	d.History = nil // it stands in no configuration, and says nothing about those that do
	b := &builder{deps: d, origins: map[string]*wire.Origin{}}
	return b.upstream(upstreamSpec{
		name: name, targets: []catalog.Target{{URL: url, Weight: 1}}, timeouts: p.Timeouts, tls: p.TLS, protocol: p.Protocol,
	}, nil)
}

// Close ends what Single made; calls in flight on it end as they would have.
func (u *Upstream) Close() {
	u.Pool.Stop()
	for _, o := range u.origins {
		o.Close()
	}
}
