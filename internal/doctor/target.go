package doctor

import (
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// subject is what TARGET stands for.
type subject struct {
	name    string // as texts have it
	service *catalog.Service
	model   string // of model:NAME
	places  []*place
}

// place is one server to ask.
type place struct {
	url   *url.URL
	shown string // the URL for texts: without query
	// host is the Host field, fields further header lines: for this server alone.
	host     string
	fields   []byte
	tls      *tls.Config
	protocol wire.Protocol
	proxy    int
	limits   limits
	service  string
	asking   *asking // of a model's provider, nil for a service
	health   *catalog.Health
	named    bool         // the operator named it, so that private addresses may be asked
	asked    []netip.Addr // those of its addresses that are asked
}

// limits are those of one exchange. own tells which of them nobody configured.
type limits struct {
	connect, send, firstByte, idle, total time.Duration
	ownTotal                              bool
}

func (d *doctor) limitsOf(t *catalog.Timeouts) limits {
	l := limits{
		connect: d.o.Limits.Connect, send: d.o.Limits.FirstByte, firstByte: d.o.Limits.FirstByte,
		idle: d.o.Limits.Idle, total: d.o.Limits.Total, ownTotal: true,
	}
	if t == nil {
		return l
	}
	least := func(d *time.Duration, configured time.Duration) {
		if configured > 0 && configured < *d {
			*d = configured
		}
	}
	least(&l.connect, t.Connect)
	least(&l.send, t.Send)
	least(&l.firstByte, t.FirstByte)
	least(&l.idle, t.Idle)
	if t.Total > 0 && t.Total < l.total {
		l.total, l.ownTotal = t.Total, false
	}
	return l
}

// subject finds what TARGET names.
func (d *doctor) subject(target string) (*subject, error) {
	kind, name, _ := strings.Cut(target, ":")
	switch kind {
	case "service":
		return d.serviceSubject(name)
	case "model":
		return d.modelSubject(name)
	}
	if d.o.Config != nil && d.o.Config.Services[target] != nil {
		return d.serviceSubject(target) // nobody's URL is one word
	}
	whole, err := withScheme(target)
	if err != nil {
		return nil, err
	}
	p, err := d.place(whole, nil)
	if err != nil {
		return nil, err
	}
	if p.named = !d.o.OnlyConfigured || d.configured(p); !p.named && p.unix() {
		return nil, cannotf("no target of %s is at %s", d.configName(), p.shown)
	}
	if d.o.Path != "" {
		p.setPath(d.o.Path)
		p.shown = shownURL(p.url)
	}
	s := &subject{name: p.shown, places: []*place{p}}
	s.service = d.serviceAt(p)
	if s.service != nil {
		p.service = s.service.Name
	}
	return s, nil
}

// withScheme is a target as a URL where it was written without a scheme, as a browser takes it: 127.0.0.1:9001,
// example.com/x, /run/app.sock.
func withScheme(target string) (string, error) {
	if strings.HasPrefix(target, "/") {
		return "unix:" + target, nil
	}
	host, _, _ := strings.Cut(target, "/")
	if strings.Contains(host, "@") {
		return "", errCredentials
	}
	if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "unix:") || strings.ContainsAny(host, " ?#") {
		return target, nil
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), ""
	}
	ip, err := netip.ParseAddr(name)
	switch {
	case err == nil && ip.Is6() && port == "":
		host = "[" + name + "]"
	case err == nil, strings.EqualFold(name, "localhost"), strings.Contains(name, "."):
	case port == "":
		return "", cannotf("%q is no target: write a URL such as http://%s, or service:%s or model:%s for a name of the configuration", clip(target), clip(name), clip(name), clip(name))
	case strings.TrimLeft(port, "0123456789") != "":
		return target, nil // mailto:x and the like
	}
	scheme := "http://"
	if port == "443" || port == "8443" || port == "" && err != nil && !strings.EqualFold(name, "localhost") {
		scheme = "https://"
	}
	_, rest, slash := strings.Cut(target, "/")
	if slash {
		host += "/" + rest
	}
	return scheme + host, nil
}

func (d *doctor) needConfig(what string) error {
	if d.o.Config == nil {
		return cannotf("%s is a name in a configuration, and there is none: give --config FILE, or run it where a gateway with one runs (--data, --server)", what)
	}
	return nil
}

func (d *doctor) serviceSubject(name string) (*subject, error) {
	if err := d.needConfig("service:" + name); err != nil {
		return nil, err
	}
	svc := d.o.Config.Services[name]
	if svc == nil {
		return nil, cannotf("%s has no service %q; it has %s", d.configName(), name, namesOf(d.o.Config.Services))
	}
	s := &subject{name: "service:" + name, service: svc}
	for _, t := range svc.Upstream.Targets {
		p, err := d.place(t.URL, &svc.Upstream.Timeouts)
		if err != nil {
			return nil, err
		}
		if err := d.dress(p, svc); err != nil {
			return nil, err
		}
		s.places = append(s.places, p)
	}
	return s, nil
}

// dress gives a place what the service's configuration says of its upstream.
func (d *doctor) dress(p *place, svc *catalog.Service) (err error) {
	u := &svc.Upstream
	p.named, p.service, p.proxy = true, svc.Name, u.ProxyProtocol
	if h := u.Health; h != nil && h.Type != "tcp" && h.Type != "tls" { // those ask for no page
		p.health = h
	}
	p.protocol = protocolOf(u.Protocol)
	if u.Host != "" && u.Host != "target" && u.Host != "caller" {
		p.host = u.Host
	}
	if p.tls, err = snapshot.UpstreamTLS(u.TLS); err != nil {
		return cannotf("%s: %v", svc.Name, err)
	}
	if d.gen != nil {
		if s := d.gen.Services[svc.Name]; s != nil {
			p.fields = s.Upstream.ExtraFields
		}
	}
	if !p.unix() {
		path := "/"
		if u.Health != nil {
			path = u.Health.Path // what the service says it answers well
		}
		if d.o.Path != "" {
			path = d.o.Path
		}
		p.setPath(strings.TrimRight(p.url.Path, "/") + path)
	}
	return nil
}

// serviceAt is the configured service that has a URL among its targets, nil when none has.
func (d *doctor) serviceAt(p *place) *catalog.Service {
	if d.o.Config == nil {
		return nil
	}
	for _, name := range sortedKeys(d.o.Config.Services) {
		for _, t := range d.o.Config.Services[name].Upstream.Targets {
			if u, err := url.Parse(t.URL); err == nil && u.Scheme == p.url.Scheme && strings.EqualFold(authority(u), authority(p.url)) {
				return d.o.Config.Services[name]
			}
		}
	}
	return nil
}

// configured says whether the configuration has a place's host and port among its targets or providers.
func (d *doctor) configured(p *place) bool {
	if d.serviceAt(p) != nil {
		return true
	}
	if d.o.Config == nil {
		return false
	}
	for _, c := range d.o.Config.Providers {
		if u, err := url.Parse(c.BaseURL); err == nil && u.Scheme == p.url.Scheme && u.Host != "" && strings.EqualFold(authority(u), authority(p.url)) {
			return true
		}
	}
	return false
}

// authority is a URL's host and port, with the port that its scheme has.
func authority(u *url.URL) string {
	if u.Scheme == "unix" {
		return u.Path
	}
	return net.JoinHostPort(u.Hostname(), portOf(u))
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// errCredentials keeps what could be a password from being quoted.
const errCredentials = cannot("the URL holds a user name or password; they would be shown: leave them out")

// place reads a URL.
func (d *doctor) place(text string, t *catalog.Timeouts) (*place, error) {
	u, err := url.Parse(text)
	if err != nil && strings.Contains(text, "@") || err == nil && u.User != nil {
		return nil, errCredentials
	}
	if err != nil {
		return nil, cannotf("%q is not a URL: %v", clip(text), errorOf(err))
	}
	p := &place{url: u, limits: d.limitsOf(t), shown: shownURL(u)}
	switch u.Scheme {
	case "unix":
		if u.Path == "" {
			return nil, cannotf("a unix target needs a path: unix:/run/app.sock")
		}
		p.host = "localhost"
		return p, nil
	case "http", "https":
	default:
		return nil, cannotf("%q is no target: write a URL that begins with http://, https:// or unix:, or service:NAME, or model:NAME", clip(text))
	}
	if u.Hostname() == "" {
		return nil, cannotf("%q has no host", clip(text))
	}
	if u.Scheme == "https" {
		p.protocol = wire.ProtocolAuto
	}
	p.host = u.Host
	return p, nil
}

// setPath sets the path of the request.
func (p *place) setPath(path string) {
	rest, query, _ := strings.Cut(path, "?")
	p.url.Path, p.url.RawPath, p.url.RawQuery = rest, "", query
	if raw, err := url.PathUnescape(rest); err == nil && raw != rest {
		p.url.Path, p.url.RawPath = raw, rest
	}
}

// literal is the place's address where its URL names one.
func (p *place) literal() (netip.Addr, bool) {
	ip, err := netip.ParseAddr(p.url.Hostname())
	return ip.Unmap(), err == nil
}

// target is the place as advice names it: without a path, which advice may add to.
func (p *place) target() string {
	if p.unix() {
		return p.shown
	}
	return p.url.Scheme + "://" + p.url.Host
}

func (p *place) unix() bool   { return p.url.Scheme == "unix" }
func (p *place) secure() bool { return p.url.Scheme == "https" }

// requestPath is the path of the request, with the query that the operator gave.
func (p *place) requestPath() string {
	if p.unix() {
		if p.health != nil {
			return p.health.Path
		}
		return "/"
	}
	path := p.url.EscapedPath()
	if path == "" {
		path = "/"
	}
	if p.url.RawQuery != "" {
		path += "?" + p.url.RawQuery
	}
	return path
}

// shownURL is a URL without what could be a secret in it.
func shownURL(u *url.URL) string {
	v := *u
	v.User, v.RawQuery, v.Fragment, v.ForceQuery = nil, "", "", false
	s := v.String()
	if u.RawQuery != "" {
		s += "?..."
	}
	return clip(s)
}

func protocolOf(word string) wire.Protocol {
	switch word {
	case "auto":
		return wire.ProtocolAuto
	case "h2":
		return wire.ProtocolHTTP2
	case "h2c":
		return wire.ProtocolH2C
	}
	return wire.ProtocolHTTP1
}

func (d *doctor) configName() string {
	if d.o.ConfigName != "" {
		return d.o.ConfigName
	}
	return "the configuration"
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	list := make([]K, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// namesOf lists the names of what a configuration has.
func namesOf[V any](m map[string]V) string {
	list := sortedKeys(m)
	const most = 12
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > most:
		return strings.Join(list[:most], ", ") + ", ..."
	}
	return strings.Join(list, ", ")
}

// clip bounds what a stranger wrote.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// errorOf is an error of reading a URL without the URL.
func errorOf(err error) error {
	if ue, ok := err.(*url.Error); ok {
		return ue.Err
	}
	return err
}
