package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/route"
)

// configuration is the fourth part: what in the file can't work, or not as it looks.
func (d *doctor) configuration(s *subject) {
	c := d.o.Config
	if c == nil {
		return
	}
	end := d.begin(Configuration, "file", "")
	var found []Step
	if s.service != nil {
		found = append(found, d.timeouts("upstream.", s.service.Upstream.Timeouts, s.service.Upstream.Retries, len(s.service.Upstream.Targets))...)
		found = append(found, healthSettings(s.service)...)
		found = append(found, d.targets(s.service)...)
		found = append(found, d.replicas(s.service)...)
	}
	found = append(found, shadowed(c, s.service)...)
	if s.model != "" {
		found = append(found, d.modelSettings(s)...)
	}
	step := Step{Result: OK, Text: "nothing in " + d.configName() + " speaks against this target"}
	if len(found) > 0 {
		step.Result, step.Text = Warning, fmt.Sprintf("%s in %s", many(len(found), "remark"), d.configName())
	}
	end(step)
	for _, f := range found {
		d.note(Configuration, f.Name, f.Target, f)
	}
}

// remark is one thing about the file.
func remark(name, target string, result Result, advice, format string, args ...any) Step {
	s := Step{Name: name, Target: target, Result: result, Text: fmt.Sprintf(format, args...)}
	if advice != "" {
		s.Advice = []string{advice}
	}
	return s
}

// timeouts adds the limits up.
func (d *doctor) timeouts(at string, t catalog.Timeouts, r catalog.Retries, targets int) (list []Step) {
	const name = "timeouts"
	attempts := 1 + r.Max
	one := t.Connect + t.FirstByte
	var pauses time.Duration
	for i := range r.Max {
		pauses += r.Backoff << min(i, 10)
	}
	all := time.Duration(attempts)*one + pauses
	sum := fmt.Sprintf("%d attempts of up to %s (connect %s + first_byte %s) and %s of backoff are %s", attempts, one, t.Connect, t.FirstByte, pauses, all)
	timeouts := slices.Contains(r.On, "504") || slices.Contains(r.On, "first_byte_timeout")
	if t.Total > 0 {
		switch {
		case t.FirstByte > 0 && t.Total <= t.FirstByte:
			list = append(list, remark(name, "", Warning, fmt.Sprintf("Set %stimeouts.first_byte below %s, so that a silent target is named and another is tried.", at, t.Total),
				"%stimeouts.first_byte is %s and total is %s: the total passes first, and no call is ever tried again after a silence", at, t.FirstByte, t.Total))
		case r.Max > 0 && all > t.Total:
			list = append(list, remark(name, "", Warning, fmt.Sprintf("Raise %stimeouts.total to %s, or lower first_byte to %s.", at, all, share(t.Total, attempts, t.Connect, pauses)),
				"the attempts do not fit into %stimeouts.total of %s: %s", at, t.Total, sum))
		}
	}
	if limit := d.o.CallerTimeout; limit > 0 {
		switch {
		case t.FirstByte > limit:
			list = append(list, remark(name, "", Faulty, fmt.Sprintf("Set %stimeouts.first_byte to %s or less.", at, share(limit, attempts, t.Connect, pauses)),
				"callers wait %s, and %stimeouts.first_byte is %s: they have left before the gateway can tell them anything", limit, at, t.FirstByte))
		case all > limit:
			list = append(list, remark(name, "", Warning, fmt.Sprintf("Set %stimeouts.first_byte to %s or less, or let callers wait for more than %s.", at, share(limit, attempts, t.Connect, pauses), all),
				"callers wait %s, and %s: the last attempts are made for nobody", limit, sum))
		}
	}
	if t.Idle > 0 && t.FirstByte > 0 && t.Total > 0 && t.Idle >= t.Total {
		list = append(list, remark(name, "", Warning, "", "%stimeouts.idle of %s can't pass before total of %s", at, t.Idle, t.Total))
	}
	if r.Max >= targets && targets == 1 && timeouts && one > 30*time.Second {
		list = append(list, remark(name, "", Warning, fmt.Sprintf("Add a second target, or take 504 out of %sretries.on.", at),
			"with one target a retry asks the same server again: a caller waits up to %s for it", all))
	}
	return list
}

// share is what each attempt may wait for its first byte within a limit.
func share(limit time.Duration, attempts int, connect, pauses time.Duration) time.Duration {
	each := (limit-pauses)/time.Duration(attempts) - connect
	return max(each, 100*time.Millisecond).Round(100 * time.Millisecond)
}

// healthSettings looks at the health check's own figures.
func healthSettings(s *catalog.Service) (list []Step) {
	h := s.Upstream.Health
	if h == nil {
		if len(s.Upstream.Targets) > 1 {
			list = append(list, remark("health check", "", Warning, "Set upstream.health.path, so that a dead target is left out before a call meets it.",
				"%s has %d targets and no health check: a dead one is found by calls", s.Name, len(s.Upstream.Targets)))
		}
		return list
	}
	if h.Timeout >= h.Interval {
		list = append(list, remark("health check", "", Warning, fmt.Sprintf("Set upstream.health.timeout below %s.", h.Interval),
			"upstream.health.timeout of %s is no shorter than its interval of %s: a slow target is always being checked", h.Timeout, h.Interval))
	}
	if until := time.Duration(h.UnhealthyAfter) * h.Interval; until > time.Minute {
		list = append(list, remark("health check", "", Warning, "Lower upstream.health.interval or unhealthy_after.",
			"a dead target is noticed after %s only (%d checks, one each %s)", until, h.UnhealthyAfter, h.Interval))
	}
	return list
}

// targets looks for addresses that are mistakes.
func (d *doctor) targets(s *catalog.Service) (list []Step) {
	seen := map[string]bool{}
	for _, t := range s.Upstream.Targets {
		u, err := url.Parse(t.URL)
		if err != nil || u.Scheme == "unix" {
			continue
		}
		if at := strings.ToLower(authority(u)) + u.EscapedPath(); seen[at] {
			list = append(list, remark("targets", t.URL, Warning, "Name each target once; weight says how much it gets.", "the target is named twice: that is no second server"))
		} else {
			seen[at] = true
		}
		list = append(list, spelling(u, t.URL)...)
		if t.Weight == 0 {
			list = append(list, remark("targets", t.URL, Warning, "Give it a weight, or take it out.", "the target has the weight 0 and gets no calls"))
		}
		for _, l := range d.o.Config.Server.Listen {
			if sameListener(l.Address, u) {
				list = append(list, remark("targets", t.URL, Faulty, "Name the server behind the gateway.", "the target is the gateway's own address (server.listen): calls would go round"))
			}
		}
	}
	return list
}

// sameListener says whether a target is what the gateway listens at itself.
func sameListener(listen string, u *url.URL) bool {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port != portOf(u) {
		return false
	}
	at, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && at.IsLoopback()
	return strings.EqualFold(host, u.Hostname()) || local && (host == "" || host == "0.0.0.0" || host == "::")
}

// spelling looks for a host or port that is likely to be a mistake.
func spelling(u *url.URL, shown string) (list []Step) {
	port := portOf(u)
	switch {
	case u.Scheme == "http" && (port == "443" || port == "8443"):
		list = append(list, remark("address", shown, Warning, "If the server speaks TLS there, write https://.", "http with the port %s, where servers mostly speak TLS", port))
	case u.Scheme == "https" && (port == "80" || port == "8080"):
		list = append(list, remark("address", shown, Warning, "If the server speaks plain HTTP there, write http://.", "https with the port %s, where servers mostly speak plain HTTP", port))
	}
	host := strings.ToLower(u.Hostname())
	at, err := netip.ParseAddr(host)
	switch {
	case host == "localhost":
		list = append(list, remark("address", shown, Warning, "Write 127.0.0.1 or [::1], whichever the server listens on.", "localhost is ::1 and 127.0.0.1: a server on one of them refuses the other"))
	case err == nil && at.IsUnspecified():
		list = append(list, remark("address", shown, Warning, "Write 127.0.0.1, or the server's own address.", "%s is an address to listen on, and none to call: it works on this host alone, where it works", host))
	case err == nil && at.Is4In6():
		list = append(list, remark("address", shown, Warning, "", "%s is an IPv4 address written as IPv6", host))
	}
	return list
}

// spelling notes what is odd about a target that was given as a URL.
func (d *doctor) spelling(p *place) {
	if p.service != "" || p.asking != nil || p.unix() {
		return // the file's are told with the file
	}
	for _, s := range spelling(p.url, p.shown) {
		if s.Target = p.shown; p.url.Hostname() != "localhost" { // the addresses themselves will tell
			d.note(Status, s.Name, p.shown, s)
		}
	}
}

// replicas looks at limits that count for each replica, or in each instance.
func (d *doctor) replicas(s *catalog.Service) (list []Step) {
	c := d.o.Config
	if room := s.Upstream.MaxBusy * len(s.Upstream.Targets); room > 0 && c.Server.MaxCalls > room {
		list = append(list, remark("limits", "", Warning, fmt.Sprintf("Raise upstream.max_busy above %d, or lower server.max_calls.", c.Server.MaxCalls/len(s.Upstream.Targets)),
			"upstream.max_busy is for each target: %d targets take %d calls at a time, server.max_calls lets in %d", len(s.Upstream.Targets), room, c.Server.MaxCalls))
	}
	if r := s.Policies.RateLimit; r != nil && (c.Storage.Counters == "" || c.Storage.Counters == "memory") {
		list = append(list, remark("limits", "", OK, "Set storage.counters to a Redis where several gateways run.",
			"the rate limit of %d per %s counts in each gateway for itself (storage.counters: memory): n gateways let n times as much pass", r.Requests, r.Per))
	}
	return list
}

// shadowed looks for routes whose calls go elsewhere. only, when set, is the service whose routes count.
func shadowed(c *catalog.Catalog, only *catalog.Service) (list []Step) {
	var rules []route.Rule
	var owner []*catalog.Service
	for _, name := range sortedKeys(c.Services) {
		s := c.Services[name]
		for _, r := range s.Routes {
			rules = append(rules, route.Rule{Owner: name, Path: r.Path, Methods: r.Methods, Hosts: r.Hosts, Headers: r.MatchHeaders})
			owner = append(owner, s)
		}
	}
	table, conflicts := route.Build(rules)
	if len(conflicts) > 0 {
		return nil // validate tells it
	}
	for i := range rules {
		if only != nil && owner[i] != only {
			continue
		}
		list = append(list, shadowOf(table, rules, i)...)
	}
	return list
}

// shadowOf sends sample calls of a route to the table and sees which of them go to another.
func shadowOf(table *route.Table, rules []route.Rule, i int) (list []Step) {
	r := &rules[i]
	methods := r.Methods
	if len(methods) == 0 {
		methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}
	}
	host := "host.invalid"
	if len(r.Hosts) > 0 {
		host = strings.Replace(r.Hosts[0], "*", "www", 1)
	}
	header := func(name string) []byte {
		for k, v := range r.Headers {
			if strings.EqualFold(k, name) {
				if v == "*" {
					v = "x"
				}
				return []byte(v)
			}
		}
		return nil
	}
	paths := []string{samplePath(r.Path)}
	if strings.HasSuffix(r.Path, "*") {
		// Below another route of the same prefix that has parameters or a longer beginning.
		for j := range rules {
			if prefix := strings.TrimSuffix(r.Path, "*"); j != i && strings.HasPrefix(rules[j].Path, prefix) {
				paths = append(paths, samplePath(rules[j].Path))
			}
		}
	}
	told := map[int]bool{}
	for n, path := range paths {
		for _, method := range methods {
			found := table.Match(method, []byte(host), []byte(path), header)
			other := found.Rule
			if other < 0 || other == i || told[other] {
				continue
			}
			switch {
			case found.Status == route.MethodNotAllowed:
				told[other] = true
				list = append(list, remark("routes", r.Owner, Warning,
					fmt.Sprintf("Add %s to the methods of %s, or give the two different paths.", method, rules[other].Path),
					"%s %s is answered with 405: the route %s of %s fits the path better and takes %s alone, so that %s of %s is not asked", method, path, rules[other].Path, rules[other].Owner, found.Allow, r.Path, r.Owner))
			case n == 0 && found.Status == route.Found:
				told[other] = true
				list = append(list, remark("routes", r.Owner, Warning, "Take the route out, or make it tell its calls from the other's.",
					"%s %s goes to the route %s of %s: %s of %s is shadowed", method, path, rules[other].Path, rules[other].Owner, r.Path, r.Owner))
			}
		}
	}
	return list
}

// samplePath is a path that a pattern matches.
func samplePath(pattern string) string {
	segments := strings.Split(strings.TrimSuffix(pattern, "*"), "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "1"
		}
	}
	path := strings.Join(segments, "/")
	if path == "" {
		return "/"
	}
	return path
}

func takes(r *catalog.Route, method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}

// modelSettings looks at a model's keys, prices and fallbacks.
func (d *doctor) modelSettings(s *subject) (list []Step) {
	c := d.o.Config
	for _, p := range s.places {
		conf := c.Providers[p.asking.provider]
		if conf.Vendor.NeedsKey && len(conf.Keys) == 0 && !conf.CallerKey && conf.Credentials == "" && conf.CredentialsFile == "" {
			step := remark("keys", conf.Name, Faulty, fmt.Sprintf("Give providers.%s.keys a key of %s.", conf.Name, conf.Vendor.Title), "%s has no key, and %s answers nothing without one", conf.Name, conf.Vendor.Title)
			step.Kind = fault.ProviderKeyRejected
			list = append(list, step)
		}
		list = append(list, d.timeouts("providers."+conf.Name+".", conf.Timeouts, conf.Retries, 1)...)
		for _, model := range p.asking.models {
			if p.asking.p.PriceOf(model) == nil {
				list = append(list, remark("prices", conf.Name+"/"+model, Warning, "Set the target's price, so that its cost is counted and budgets hold.", "what %s/%s costs is not known: budgets in dollars don't count it", conf.Name, model))
			}
		}
	}
	if m := c.Models[s.model]; m != nil {
		list = append(list, deadFallbacks(c, m)...)
	}
	return list
}

// deadFallbacks looks for fallbacks that fail with what they stand in for.
func deadFallbacks(c *catalog.Catalog, m *catalog.Model) (list []Step) {
	providers, targets := map[string]bool{}, map[string]bool{}
	var add func(t catalog.ModelTarget, deep int)
	add = func(t catalog.ModelTarget, deep int) {
		if t.Provider == "" {
			if other := c.Models[t.Model]; other != nil && deep < 8 {
				for _, o := range other.Targets {
					add(o, deep+1)
				}
			}
			return
		}
		providers[t.Provider], targets[t.Provider+"/"+t.Model] = true, true
	}
	for _, t := range m.Targets {
		add(t, 0)
	}
	for _, f := range m.Fallback {
		switch {
		case f.Provider == "":
			other := c.Models[f.Model]
			if other != nil && !slices.ContainsFunc(other.Targets, func(t catalog.ModelTarget) bool { return !targets[t.Provider+"/"+t.Model] }) {
				list = append(list, remark("fallbacks", m.Name, Warning, "Name a model that has other targets.", "the fallback %s has no target that %s has not: it is asked in vain", f.Model, m.Name))
			}
		case targets[f.Provider+"/"+f.Model]:
			list = append(list, remark("fallbacks", m.Name, Warning, "Name another model, best of another provider.", "the fallback %s/%s is a target of %s already: it is asked in vain", f.Provider, f.Model, m.Name))
		case providers[f.Provider] && len(providers) == 1 && len(c.Providers[f.Provider].Keys) < 2:
			list = append(list, remark("fallbacks", m.Name, Warning, "Put a model of another provider behind it.", "the fallback %s/%s is at the same provider, with the same key: it helps when the model fails, and not when %s does", f.Provider, f.Model, f.Provider))
		}
		add(f, 0)
	}
	return list
}
