package catalog

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Incidents says when failures become an incident, and when one is over.
type Incidents struct {
	OpenAfter    int
	Window       time.Duration
	Share        float64 // 0 to 1
	RecoverCalls int
	RecoverAfter time.Duration
	QuietAfter   time.Duration
	CallerBurst  int
}

// Hook is what is done when an incident opens or closes: a Webhook is called, or a Command is run.
type Hook struct {
	Name       string // as written, or hooks[N]
	On         []string
	Kinds      []fault.Kind // of these alone; none: all
	Causes     []fault.Cause
	Services   []string // services or models; none: all
	Webhook    *Webhook // nil with a Command
	Command    []string // the program and its arguments, with placeholders
	Timeout    time.Duration
	MaxPerHour int
}

// Webhook is an address that is told of incidents.
type Webhook struct {
	URL     Secret // may hold a token
	Headers map[string]Secret
	Secret  Secret // that signs; "" for none
	Private bool   // its name may lead to a private address
	Retries int
}

// HookPlaceholders are what an argument of a hook's command may hold, as {NAME}.
var HookPlaceholders = []string{"event", "id", "state", "kind", "cause", "service", "target", "host", "port", "provider", "model"}

func incidentKeys() []key {
	return []key{
		{
			name: "open_after", def: "3", shape: scalarOf(integer("a number of failures", 1, 1_000_000)), aka: []string{"min_failures", "threshold"},
			doc: "Failures of one kind at one place, within `window`, that open an incident: calls that failed, and attempts that another attempt saved. A failed health check that makes a target unhealthy opens one at once.",
		},
		{
			name: "window", def: "1m", shape: scalarOf(duration(time.Second)), aka: []string{"interval"},
			doc: "The time over which failures are counted.",
		},
		{
			name: "share", def: "1%", shape: scalarOf(percentage()), aka: []string{"percent", "error_rate"},
			doc: "The share of the service's calls in `window` that must have met the failure as well; ten times `open_after` failed calls open an incident whatever the share. 0% = any.",
		},
		{
			name: "recover_calls", def: "5", shape: scalarOf(integer("a number of calls", 1, 1_000_000)), aka: []string{"close_after"},
			doc: "Good calls without a failure between them after which an incident has recovered, once `recover_after` has passed too.",
		},
		{
			name: "recover_after", def: "10s", shape: scalarOf(duration(time.Second)), aka: []string{"resolve_after"},
			doc: "The time without a failure that recovery takes at least.",
		},
		{
			name: "quiet_after", def: "10m", shape: scalarOf(duration(time.Second)),
			doc: "The time without any call after which an incident is `quiet`: nobody knows whether it is over.",
		},
		{
			name: "caller_burst", def: "20", shape: scalarOf(integer("a number of calls", 1, 1_000_000)),
			doc: "Refusals of one caller (an unknown key, a limit) within `window` that open an incident of that caller.",
		},
	}
}

func incidents(v *value) Incidents {
	return Incidents{
		OpenAfter: number(v.get("open_after")), Window: as[time.Duration](v.get("window")), Share: as[float64](v.get("share")),
		RecoverCalls: number(v.get("recover_calls")), RecoverAfter: as[time.Duration](v.get("recover_after")),
		QuietAfter: as[time.Duration](v.get("quiet_after")), CallerBurst: number(v.get("caller_burst")),
	}
}

// hooksAllowKey is in the server section: what the machine allows, beside what is asked of it.
func hooksAllowKey() key {
	return key{
		name: "hooks_allow", shape: listOf("a list of programs such as [/usr/bin/systemctl]", scalarOf(program())), aka: []string{"allow_commands", "hook_commands"},
		doc: "The programs that `hooks` may run, by their whole paths; none without it. Name small programs that do one thing: a shell or an interpreter would allow everything.",
	}
}

func program() scalar {
	return scalar{
		noun: "a program's whole path such as /usr/bin/systemctl", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^/"},
		parse: func(s string) (any, *wrong) {
			switch {
			case unprintable(s) != nil:
				return nil, unprintable(s)
			case !filepath.IsAbs(s):
				return nil, &wrong{message: "is not a whole path", fix: "write it from / on, such as /usr/bin/systemctl; PATH is not searched"}
			case filepath.Clean(s) != s || s == "/":
				return nil, &wrong{message: "is not in plain form", fix: "write " + filepath.Clean(s)}
			}
			return s, nil
		},
	}
}

func hookKeys() []key {
	return []key{
		{name: "name", shape: scalarOf(text("a name such as page-oncall")), doc: "What logs and metrics call it; without it `hooks[0]` and so on."},
		{
			name: "on", def: "[opened, closed]", aka: []string{"events", "when"},
			shape: listOf("a list such as [opened]", scalarOf(oneOf(nil,
				choice{value: "opened", doc: "an incident has opened"},
				choice{value: "closed", doc: "it has recovered, gone quiet, or turned out to be a part of another"}))).notEmpty(),
			doc: "The events it is for.",
		},
		{
			name: "kinds", shape: listOf("a list of failure kinds such as [connection_refused]", scalarOf(failureKind())), aka: []string{"kind"},
			doc: "Only incidents of these kinds ([failures](failures.md)).",
		},
		{
			name: "causes", aka: []string{"cause"},
			shape: listOf("a list such as [software, overload]", scalarOf(oneOf(nil,
				choice{value: string(fault.Overload), doc: "too much for it"},
				choice{value: string(fault.Configuration), doc: "a setting"},
				choice{value: string(fault.Network), doc: "the way there"},
				choice{value: string(fault.Software), doc: "a crash or a bug"},
				choice{value: string(fault.IncompatibleChange), doc: "it answers otherwise than before"},
				choice{value: string(fault.Caller), doc: "the caller"},
				choice{value: string(fault.Gateway), doc: "the gateway itself"}))),
			doc: "Only incidents of these causes.",
		},
		{
			name: "services", shape: listOf("a list of names such as [orders]", scalarOf(text("the name of a service or model"))), aka: []string{"service", "models"},
			doc: "Only incidents that have hit one of these services or models.",
		},
		{
			name: "webhook", optional: true, aka: []string{"url", "http"},
			shape: objectOf("{url: https://hooks.example.com/causeway}", webhookKeys()).orScalar(hookURL()),
			doc:   "An address that gets the incident as JSON in a `POST`; or the URL alone.",
		},
		{
			name: "command", shape: listOf("a list such as [/usr/bin/systemctl, restart, orders.service]", scalarOf(text("a program or an argument"))).notEmpty(), aka: []string{"exec", "run", "cmd"},
			doc: "A program of `server.hooks_allow` and its arguments. No shell reads them; {kind}, {service}, {target}, {host} and others stand for the incident's ([incidents](incidents.md)). It gets the incident as JSON on its standard input.",
		},
		{name: "timeout", def: "10s", shape: scalarOf(duration(100 * time.Millisecond)), doc: "How long a command, or one try of a webhook, may take."},
		{
			name: "max_per_hour", def: "12", shape: scalarOf(integer("a number of runs", 1, 10_000)), aka: []string{"rate_limit", "limit"},
			doc: "How often it runs in any hour; what is left out is logged and counted.",
		},
	}
}

func webhookKeys() []key {
	return []key{
		{name: "url", shape: scalarOf(hookURL()).hidden(), aka: []string{"address", "endpoint"}, doc: "Where to. It may hold a token; it is never logged or shown. Redirects are not followed."},
		{
			name: "headers", shape: mappingOf(sentHeader(), "{X-Token: \"${TOKEN}\"}", scalarOf(headerValue()).hidden()),
			doc: "Header fields to send along.",
		},
		{
			name: "secret", shape: scalarOf(secretText("a secret")).hidden(), aka: []string{"signing_secret", "hmac"},
			doc: "Signs what is sent: `Causeway-Signature: t=TIME,v1=HEX` with the HMAC-SHA256 of `TIME.BODY`.",
		},
		{
			name: "allow_private", def: "false", shape: scalarOf(boolean()),
			doc: "Its host's name may lead to a loopback, private or link-local address. An address that the URL itself names is always allowed.",
		},
		{name: "retries", def: "3", shape: scalarOf(integer("a number of retries", 0, 10)), doc: "How often it is tried again, with growing pauses, after no answer, 408, 429 or 5xx."},
	}
}

// hookURL is a web address that may have a query.
func hookURL() scalar {
	return scalar{
		noun: "a URL such as https://hooks.example.com/causeway", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^https?://.+"},
		parse: func(s string) (any, *wrong) {
			u, err := url.Parse(s)
			const example = "write a URL such as https://hooks.example.com/causeway"
			switch {
			case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !validPort(u) || unprintable(s) != nil:
				return nil, &wrong{message: "is not the URL of a webhook", fix: example, secret: true}
			case u.User != nil:
				return nil, &wrong{message: "holds a user or password", fix: "remove what is before the @, and put it into headers: {Authorization: ...}", secret: true}
			case u.Fragment != "":
				return nil, &wrong{message: "has a fragment, which is never sent", fix: "remove what begins with #", secret: true}
			}
			return s, nil
		},
	}
}

func failureKind() scalar {
	return scalar{
		noun: "a failure kind such as connection_refused", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string"},
		parse: func(s string) (any, *wrong) {
			if fault.Lookup(fault.Kind(s)) != nil {
				return s, nil
			}
			known := make([]string, len(fault.All()))
			for i, e := range fault.All() {
				known[i] = string(e.Kind)
			}
			fix := "docs/failures.md lists them"
			if best, near := nearest(s, known); near {
				fix = "did you mean " + best + "?"
			}
			return nil, &wrong{message: "is not a failure kind", fix: fix}
		},
	}
}

// hooks checks what one hook's keys alone don't show.
func (c *checker) hooks(root *value) {
	var allowed []string
	for _, p := range root.get("server").get("hooks_allow").items {
		if !p.bad {
			allowed = append(allowed, as[string](p))
		}
	}
	seen := map[string]bool{}
	for _, h := range root.get("hooks").items {
		if h.bad {
			continue
		}
		if name := as[string](h.get("name")); name != "" {
			if seen[name] {
				c.faults.add(h.get("name").at, subjectOf(h.get("name"))+" is the name of another hook as well", "give each its own")
			}
			seen[name] = true
		}
		webhook, command := h.get("webhook"), h.get("command")
		switch {
		case webhook.set() && command.set():
			c.faults.add(command.name, "`"+h.path+"` has both `webhook` and `command`", "make two hooks of it")
		case !webhook.set() && !command.set() && !h.meant["webhook"] && !h.meant["command"]:
			c.faults.add(h.at, "`"+h.path+"` does nothing", "add webhook: {url: https://...}, or command: [/usr/bin/systemctl, restart, orders.service]")
		case webhook.set() && !webhook.bad && !urlOfHook(webhook).set() && !webhook.meant["url"]:
			c.faults.add(webhook.at, "`"+webhook.path+"` has no `url`", "add url: https://hooks.example.com/causeway")
		}
		c.command(command, allowed)
		c.hookServices(root, h.get("services"))
	}
}

func urlOfHook(webhook *value) *value {
	if short := webhook.get("value"); short.set() {
		return short
	}
	return webhook.get("url")
}

// command holds a hook's command against the list of programs that are allowed, and its arguments against the
// placeholders there are.
func (c *checker) command(v *value, allowed []string) {
	for i, a := range v.items {
		if a.bad {
			continue
		}
		s := as[string](a)
		if i == 0 {
			if !slices.Contains(allowed, s) {
				fix := "add it to server.hooks_allow"
				switch {
				case !filepath.IsAbs(s):
					fix = "write its whole path, such as /usr/bin/" + s + ", here and in server.hooks_allow"
				case len(allowed) > 0:
					fix += ", which has " + listed(allowed, "and")
				}
				c.faults.add(a.at, subjectOf(a)+" is not a program that hooks may run", fix)
			}
			continue
		}
		for rest := s; ; {
			_, after, found := strings.Cut(rest, "{")
			name, then, closed := strings.Cut(after, "}")
			if !found || !closed {
				break
			}
			if !slices.Contains(HookPlaceholders, name) {
				c.faults.add(a.at, subjectOf(a)+" has a placeholder that is not one", "use "+listed(braced(HookPlaceholders), "or"))
				break
			}
			rest = then
		}
	}
}

func braced(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "{" + n + "}"
	}
	return out
}

// hookServices finds names of services and models that there are not.
func (c *checker) hookServices(root, list *value) {
	known := slices.Concat(root.get("services").names, root.get("models").names)
	for _, s := range list.items {
		name := as[string](s)
		if s.bad || slices.Contains(known, name) || strings.Contains(name, "/") { // PROVIDER/MODEL
			continue
		}
		c.faults.add(s.at, subjectOf(s)+" is neither a service nor a model", c.suggest(name, known, "write a name of services or models"))
	}
}

func hooks(v *value) (list []Hook) {
	for _, h := range v.items {
		x := Hook{
			Name: as[string](h.get("name")), On: texts(h.get("on")), Services: texts(h.get("services")), Command: texts(h.get("command")),
			Timeout: as[time.Duration](h.get("timeout")), MaxPerHour: number(h.get("max_per_hour")),
		}
		if x.Name == "" {
			x.Name = h.path
		}
		for _, k := range texts(h.get("kinds")) {
			x.Kinds = append(x.Kinds, fault.Kind(k))
		}
		for _, k := range texts(h.get("causes")) {
			x.Causes = append(x.Causes, fault.Cause(k))
		}
		if w := h.get("webhook"); w.set() {
			x.Webhook = &Webhook{
				URL: Secret(as[string](urlOfHook(w))), Secret: Secret(as[string](w.get("secret"))),
				Private: as[bool](w.get("allow_private")), Retries: number(w.get("retries")),
			}
			for name, value := range stringMap(w.get("headers")) {
				if x.Webhook.Headers == nil {
					x.Webhook.Headers = map[string]Secret{}
				}
				x.Webhook.Headers[name] = Secret(value)
			}
		}
		list = append(list, x)
	}
	return list
}
