package catalog

import (
	"net/netip"
	"path/filepath"
	"time"
)

// builder makes the Catalog of a file that has no faults.
type builder struct{ folder string }

func (b builder) catalog(root *value) *Catalog {
	c := &Catalog{
		Server:       b.server(root.get("server")),
		LLM:          llmAddresses(root.get("llm")),
		Calls:        calls(root.get("calls")),
		Incidents:    incidents(root.get("incidents")),
		Hooks:        hooks(root.get("hooks")),
		Storage:      Storage{Database: as[string](root.get("storage").get("database")), Counters: as[string](root.get("storage").get("counters")), CacheSize: as[int64](root.get("storage").get("cache_size"))},
		Prices:       modelPrices(root.get("prices")),
		Guardrails:   guardrails(root.get("guardrails")),
		Providers:    map[string]*Provider{},
		Models:       map[string]*Model{},
		Services:     map[string]*Service{},
		Prompts:      map[string]*Prompt{},
		Applications: map[string]*Application{},
	}
	for _, name := range root.get("providers").names {
		c.Providers[name] = b.provider(name, root.get("providers").get(name))
	}
	for _, name := range root.get("models").names {
		c.Models[name] = model(name, root.get("models").get(name), root.get("models"))
	}
	for _, name := range root.get("services").names {
		c.Services[name] = b.service(name, root.get("services").get(name))
	}
	for _, name := range root.get("prompts").names {
		c.Prompts[name] = prompt(name, root.get("prompts").get(name))
	}
	for _, name := range root.get("applications").names {
		c.Applications[name] = application(name, root.get("applications").get(name))
	}
	return c
}

// file is a file's name as seen from the working folder.
func (b builder) file(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.folder, name)
}

func (b builder) server(v *value) Server {
	s := Server{
		PublicURL:         as[string](v.get("public_url")),
		Listen:            listeners(v.get("listen")),
		ReusePort:         number(v.get("reuse_port")),
		HooksAllow:        texts(v.get("hooks_allow")),
		ProxyProtocol:     proxyProtocol(v.get("proxy_protocol")),
		TrustedProxies:    prefixes(v.get("trusted_proxies")),
		Resolver:          as[string](v.get("resolver")),
		MaxConnections:    number(v.get("max_connections")),
		MaxCalls:          number(v.get("max_calls")),
		MaxHeader:         as[int64](v.get("max_header")),
		MaxBody:           as[int64](v.get("max_body")),
		ReadHeaderTimeout: as[time.Duration](v.get("read_header_timeout")),
		IdleTimeout:       as[time.Duration](v.get("idle_timeout")),
		Drain:             as[time.Duration](v.get("drain")),
	}
	s.HTTP2 = http2Of(v.get("http2"))
	s.MinRate, s.MinRateAfter, s.Overload = as[int64](v.get("min_rate")), as[time.Duration](v.get("min_rate_after")), overload(v.get("overload"))
	for _, pair := range v.get("tls").items {
		s.TLS = append(s.TLS, Certificate{
			CertFile: b.file(as[string](pair.get("cert_file"))),
			KeyFile:  b.file(as[string](pair.get("key_file"))),
			OCSPFile: b.file(as[string](pair.get("ocsp_file"))),
		})
	}
	s.TLSOptions, s.ClientAuth, s.ACME = tlsOptions(v.get("tls_options")), b.clientAuth(v.get("client_auth")), b.acme(v.get("acme"))
	return s
}

func llmAddresses(v *value) LLM {
	return LLM{
		Hosts: texts(v.get("hosts")), Prefix: as[string](v.get("prefix")),
		KeepResponses: as[time.Duration](v.get("keep_responses")), KeepResponsesSize: as[int64](v.get("keep_responses_size")),
		Fetch: fetchOf(v.get("fetch")), Guardrails: texts(v.get("guardrails")), KeepBodies: as[string](v.get("keep_bodies")),
	}
}

func calls(v *value) Calls {
	return Calls{
		Keep:     as[time.Duration](v.get("keep")),
		MaxSize:  as[int64](v.get("max_size")),
		WhenFull: as[string](v.get("when_full")),
	}
}

func (b builder) service(name string, v *value) *Service {
	s := &Service{
		Name:       name,
		Team:       as[string](v.get("team")),
		Access:     as[string](v.get("access")),
		KeepBodies: as[string](v.get("keep_bodies")),
		Details:    as[string](v.get("details")),
		Upstream:   b.upstream(v.get("upstream")),
		Policies:   policies(v.get("policies")),
	}
	for _, r := range v.get("routes").items {
		s.Routes = append(s.Routes, Route{
			Path:         as[string](r.get("path")),
			Methods:      texts(r.get("methods")),
			StripPrefix:  as[bool](r.get("strip_prefix")),
			Hosts:        texts(r.get("hosts")),
			MatchHeaders: stringMap(r.get("match_headers")),
		})
	}
	return s
}

func (b builder) upstream(v *value) Upstream {
	u := Upstream{
		Balance: as[string](v.get("balance")),
		Host:    as[string](v.get("host")),
		Headers: HeaderRules{
			Set:    stringMap(v.get("headers").get("set")),
			Add:    stringMap(v.get("headers").get("add")),
			Remove: texts(v.get("headers").get("remove")),
		},
		Timeouts: limits(v.get("timeouts")),
		Retries:  retriesOf(v.get("retries")),
		TLS:      b.tls(v.get("tls")),
		MaxBusy:  number(v.get("max_busy")),
		Protocol: as[string](v.get("protocol")),

		ProxyProtocol: as[int](v.get("proxy_protocol")),
	}
	for _, t := range v.get("targets").items {
		u.Targets = append(u.Targets, Target{URL: as[string](t.get("url")), Weight: number(t.get("weight"))})
	}
	if h := v.get("health"); h.set() {
		status := as[[2]int](h.get("status"))
		u.Health = &Health{
			Type: as[string](h.get("type")), MinValidity: as[time.Duration](h.get("min_validity")),
			Path:           as[string](h.get("path")),
			Service:        as[string](h.get("service")),
			Interval:       as[time.Duration](h.get("interval")),
			Timeout:        as[time.Duration](h.get("timeout")),
			HealthyAfter:   number(h.get("healthy_after")),
			UnhealthyAfter: number(h.get("unhealthy_after")),
			StatusFrom:     status[0],
			StatusTo:       status[1],
		}
	}
	if b := v.get("breaker"); b.set() {
		u.Breaker = &Breaker{
			Failures: as[float64](b.get("failures")), MinCalls: number(b.get("min_calls")), Window: as[time.Duration](b.get("window")),
			OpenFor: as[time.Duration](b.get("open_for")), Slow: float64(number(b.get("slow"))),
		}
	}
	return u
}

func policies(v *value) Policies {
	p := Policies{IPAllow: prefixes(v.get("ip_allow")), BodyLimit: as[int64](v.get("body_limit")), Cache: serviceCache(v.get("cache"))}
	if r := v.get("rate_limit"); r.set() {
		p.RateLimit = &RateLimit{
			Requests: number(r.get("requests")),
			Per:      as[time.Duration](r.get("per")),
			By:       as[string](r.get("by")),
		}
	}
	return p
}

func application(name string, v *value) *Application {
	a := &Application{
		Name:       name,
		Team:       as[string](v.get("team")),
		Details:    as[string](v.get("details")),
		Subscribes: texts(v.get("subscribes")),
		Limits:     applicationLimits(v.get("limits")),
		Guardrails: texts(v.get("guardrails")),
	}
	for _, k := range v.get("keys").items {
		hash, _ := keyHash(k)
		a.Keys = append(a.Keys, CallerKey{SHA256: hash, Expires: as[time.Time](k.get("expires"))})
	}
	for _, v := range v.get("certificates").items {
		a.Certificates = append(a.Certificates, callerCertificate(v))
	}
	return a
}

func limits(v *value) Timeouts {
	return Timeouts{
		Connect:   as[time.Duration](v.get("connect")),
		Send:      as[time.Duration](v.get("send")),
		FirstByte: as[time.Duration](v.get("first_byte")),
		Idle:      as[time.Duration](v.get("idle")),
		Total:     as[time.Duration](v.get("total")),
	}
}

func retriesOf(v *value) Retries {
	return Retries{
		Max:     number(v.get("max")),
		On:      texts(v.get("on")),
		Budget:  as[float64](v.get("budget")),
		Backoff: as[time.Duration](v.get("backoff")),
	}
}

func (b builder) tls(v *value) UpstreamTLS {
	return UpstreamTLS{
		CAFile:             b.file(as[string](v.get("ca_file"))),
		ServerName:         as[string](v.get("server_name")),
		InsecureSkipVerify: as[bool](v.get("insecure_skip_verify")),
		CertFile:           b.file(as[string](v.get("cert_file"))),
		KeyFile:            b.file(as[string](v.get("key_file"))),
		MinVersion:         as[string](v.get("min_version")),
		Pins:               pinsOf(v.get("pins")),
	}
}

func number(v *value) int { return int(as[int64](v)) }

func prefixes(list *value) []netip.Prefix {
	var out []netip.Prefix
	for _, item := range list.items {
		out = append(out, as[netip.Prefix](item))
	}
	return out
}
