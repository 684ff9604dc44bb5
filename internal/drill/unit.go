package drill

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"causeway/internal/catalog"
	"causeway/internal/faulty"
)

// way is how a fault is put to a subject.
type way uint8

const (
	oneTarget way = iota // at one of several targets, lasting
	oneInTen             // at one connection in ten
	everyTarget
)

// unit is one subject, one fault and one way: a service or model of the drill's gateway.
type unit struct {
	subject *subject
	trial   trial
	how     way
	name    string // the service's first label, or the model's name
	result  *Result
	stretch stretch

	peers  []*faulty.Upstream
	relays []*relay
}

// stage is what the units of a batch share.
type stage struct {
	lab      *faulty.Lab
	resolver *resolver
	well     *goodServer
	closing  *goodServer // it keeps no connection
	full     bool
}

// answer is a target as a unit's services are told of it.
type answer struct {
	url      string
	tls      catalog.UpstreamTLS
	protocol string
}

// bad starts a faulty target.
func (u *unit) bad(st *stage, n int) (answer, error) {
	var p faulty.Params
	if f := u.trial.fault; u.how == oneInTen && f.Status != 0 {
		p.Header = append(slices.Clone(f.Defaults.Header), "Connection: close") // else one connection is many calls
	}
	peer, err := st.lab.StartFault(u.trial.fault, p)
	if err != nil {
		return answer{}, err
	}
	u.peers = append(u.peers, peer)
	a := answer{
		url: peer.URL, protocol: peer.Protocol,
		tls: catalog.UpstreamTLS{CAFile: peer.CAFile, ServerName: peer.ServerName, CertFile: peer.ShowCertFile, KeyFile: peer.ShowKeyFile, Pins: peer.Pins},
	}
	if peer.Resolver == "" {
		return a, nil
	}
	at, err := url.Parse(peer.URL)
	if err != nil {
		return answer{}, err
	}
	label := fmt.Sprintf("%s-%d", u.name, n)
	st.resolver.name(label, peer.Resolver)
	at.Host = strings.Replace(at.Host, at.Hostname(), label+"."+zone, 1)
	a.url = at.String()
	return a, nil
}

// good is a target that is well and speaks as the bad ones do.
func (u *unit) good(st *stage, protocol string, n int) (string, error) {
	if protocol != "h2" {
		return fmt.Sprintf("http://%s/%s-%d", st.well.addr(), u.name, n), nil
	}
	peer, err := st.lab.Start("h2", faulty.Params{})
	if err != nil {
		return "", err
	}
	u.peers = append(u.peers, peer)
	return peer.URL, nil
}

// targets starts what stands behind the unit, n servers in all: the bad ones first.
func (u *unit) targets(st *stage, n int) (urls []string, a answer, err error) {
	bad := n
	if u.how == oneTarget {
		bad = 1
	}
	if u.how == oneInTen {
		if a, err = u.bad(st, 0); err != nil {
			return nil, a, err
		}
		count := new(atomic.Int64)
		for range n {
			r, err := newRelay(strings.TrimPrefix(a.url, "http://"), st.closing.addr(), count)
			if err != nil {
				return nil, a, err
			}
			u.relays = append(u.relays, r)
			urls = append(urls, r.url())
		}
		return urls, a, nil
	}
	for i := range bad {
		if a, err = u.bad(st, i); err != nil {
			return nil, a, err
		}
		if slices.Contains(urls, a.url) { // some faults have one address
			a.url += fmt.Sprintf("/%d", i)
		}
		urls = append(urls, a.url)
	}
	for i := range n - bad {
		g, err := u.good(st, a.protocol, i)
		if err != nil {
			return nil, a, err
		}
		urls = append(urls, g)
	}
	return urls, a, nil
}

// close ends what targets has started.
func (u *unit) close() {
	for _, r := range u.relays {
		r.close()
	}
	for _, p := range u.peers {
		p.Close()
	}
	u.relays, u.peers = nil, nil
}

// build adds the unit to the gateway's configuration.
func (u *unit) build(st *stage, c *catalog.Catalog) error {
	urls, a, err := u.targets(st, u.subject.places())
	if err != nil {
		return err
	}
	if u.subject.service != nil {
		return u.buildService(st, c, urls, a)
	}
	return u.buildModel(st, c, urls, a)
}

func (u *unit) buildService(st *stage, c *catalog.Catalog, urls []string, a answer) error {
	from := &u.subject.service.Upstream
	up := catalog.Upstream{
		Balance: from.Balance, Host: "target", Timeouts: from.Timeouts, Retries: shortRetries(from.Retries, st.full), MaxBusy: from.MaxBusy,
		Health: shortHealth(from.Health, st.full), Breaker: shortBreaker(from.Breaker), TLS: a.tls, Protocol: a.protocol,
	}
	if !st.full {
		up.Timeouts = shorten(from.Timeouts)
	}
	if up.Protocol == "" {
		up.Protocol = "http1"
		if from.Protocol == "h2" || from.Protocol == "h2c" {
			up.Protocol = "h2c"
		}
	}
	for i, t := range from.Targets {
		up.Targets = append(up.Targets, catalog.Target{URL: urls[i], Weight: t.Weight})
	}
	c.Services[u.name] = &catalog.Service{
		Name: u.name, Access: "open", KeepBodies: "false", Details: "full", Upstream: up,
		Routes: []catalog.Route{{Path: "/*", Hosts: []string{u.host()}}},
	}
	return nil
}

func (u *unit) host() string { return u.name + "." + zone }

func (u *unit) buildModel(st *stage, c *catalog.Catalog, urls []string, a answer) error {
	vendor, ok := catalog.Find("openai-compatible")
	if !ok {
		return errors.New("there is no kind openai-compatible")
	}
	for i, name := range u.subject.order {
		from := u.subject.providers[name]
		p := &catalog.Provider{
			Name: u.provider(name), Kind: vendor.Kind, Vendor: &vendor, BaseURL: urls[i] + "/v1", Timeouts: from.Timeouts,
			Retries: shortRetries(from.Retries, st.full), Protocol: "http1", TLS: a.tls,
		}
		if a.protocol != "" {
			p.Protocol = a.protocol
		}
		if !st.full {
			p.Timeouts = shorten(from.Timeouts)
		}
		for k := range max(1, len(from.Keys)) {
			p.Keys = append(p.Keys, catalog.ProviderKey{Value: catalog.Secret(fmt.Sprintf("drill-no-secret-%s-%d", p.Name, k)), Weight: 1, Priority: 1})
		}
		c.Providers[p.Name] = p
	}
	for name, m := range u.subject.models {
		c.Models[u.name+"-"+name] = u.modelOf(u.name+"-"+name, m)
	}
	c.Models[u.name] = u.modelOf(u.name, u.subject.model)
	return nil
}

func (u *unit) provider(name string) string { return u.name + "-p-" + name }

func (u *unit) modelOf(name string, from *catalog.Model) *catalog.Model {
	m := *from
	m.Name = name
	m.Targets, m.Fallback = slices.Clone(from.Targets), slices.Clone(from.Fallback)
	if len(m.Targets) == 0 {
		m.Targets, m.Fallback = m.Fallback, nil
	}
	for _, list := range [][]catalog.ModelTarget{m.Targets, m.Fallback} {
		for i := range list {
			if t := &list[i]; t.Provider == "" {
				t.Model = u.name + "-" + t.Model
			} else {
				t.Provider = u.provider(t.Provider)
			}
		}
	}
	return &m
}
