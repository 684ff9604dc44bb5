package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ownPath is an address of the gateway itself.
type ownPath struct {
	path string // as the documentation writes it
	llm  bool   // llm.hosts and llm.prefix move it
}

// yieldingPaths are the gateway's addresses in dialects whose paths services have as well: a service's route that
// takes one wins, with hosts or without.
func yieldingPaths() []string {
	return []string{
		"/v2/chat", "/v2/embed", "/v2/rerank", // Cohere
		"/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show", "/api/tags", "/api/ps", "/api/version", // Ollama
		"/model/{id}/converse", "/model/{id}/converse-stream", "/model/{id}/invoke", "/model/{id}/invoke-with-response-stream", "/model/{id}/count-tokens", // Bedrock
	}
}

// ownPaths are the gateway's addresses (docs/configuration.md, "The gateway's own paths").
func ownPaths() []ownPath {
	return []ownPath{
		{"/v1/chat/completions", true},
		{"/v1/completions", true},
		{"/v1/responses", true},
		{"/v1/responses/{id}", true},
		{"/v1/embeddings", true},
		{"/v1/images/*", true},
		{"/v1/audio/*", true},
		{"/v1/moderations", true},
		{"/v1/rerank", true},
		{"/v1/files*", true},
		{"/v1/batches*", true},
		{"/v1/realtime", true},
		{"/v1/models", true},
		{"/v1/messages", true},
		{"/v1/messages/count_tokens", true},
		{"/v1beta/models/*", true},
		{"/prompts/*", true},
		{"/.causeway/*", false},
		{"/mcp", false},
		{"/mcp/*", false},
		{"/portal", false},
		{"/portal/*", false},
	}
}

// routeAt is one route of the file with what tells it from others.
type routeAt struct {
	value   *value // of its path
	path    string // normal form
	hosts   []string
	methods []string
	headers map[string]string // names in lower case
}

func (c *checker) routes(root *value) {
	var all []routeAt
	for _, name := range root.get("services").names {
		for _, r := range root.get("services").get(name).get("routes").items {
			path := r.get("path")
			if path.bad || !path.set() {
				continue
			}
			all = append(all, routeAt{
				value:   path,
				path:    normal(as[string](path)),
				hosts:   texts(r.get("hosts")),
				methods: texts(r.get("methods")),
				headers: lowerKeys(r.get("match_headers")),
			})
		}
	}
	c.ownPathOverlaps(root.get("llm"), all)
	c.sameRoutes(all)
}

// ownPathOverlaps reports the routes without hosts that would take calls meant for the gateway.
func (c *checker) ownPathOverlaps(llm *value, all []routeAt) {
	prefix, moved := as[string](llm.get("prefix")), len(llm.get("hosts").items) > 0
	own := ownPaths()
	for i := range own {
		if own[i].llm {
			own[i].path = prefix + own[i].path
		}
	}
	for _, r := range all {
		if len(r.hosts) > 0 {
			continue
		}
		for _, o := range own {
			if o.llm && moved || !overlap(r.path, normal(o.path)) {
				continue
			}
			fix := "give the route hosts, or a path of its own"
			if o.llm {
				fix += "; llm.hosts or llm.prefix move the gateway's path"
			}
			c.faults.add(r.value.at, fmt.Sprintf("%s overlaps the gateway's own path %s", subjectOf(r.value), o.path), fix)
			break // one of them is enough to see the point
		}
	}
}

// maxAlike is how many routes may have one host and one path: each is compared with each.
const maxAlike = 1000

// sameRoutes reports the routes that a call could match alike.
func (c *checker) sameRoutes(all []routeAt) {
	type place struct{ host, path string }
	groups := map[place][]*routeAt{}
	var order []place
	for i := range all {
		r := &all[i]
		hosts := r.hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, host := range slices.Compact(slices.Sorted(slices.Values(hosts))) {
			at := place{host, r.path}
			if groups[at] == nil {
				order = append(order, at)
			}
			groups[at] = append(groups[at], r)
			if len(groups[at]) == maxAlike+1 {
				c.faults.add(r.value.at, fmt.Sprintf("%s is the path of more than %d routes", subjectOf(r.value), maxAlike), "use fewer of them, or other paths")
			}
		}
	}
	told := map[*routeAt]bool{}
	for _, at := range order {
		group := groups[at]
		if len(group) > maxAlike {
			continue
		}
		for j, r := range group {
			for _, before := range group[:j] {
				if told[r] || !undecided(group, before, r) {
					continue
				}
				told[r] = true
				c.faults.add(r.value.at,
					fmt.Sprintf("%s can't be told from `%s` at line %d, column %d: a call may match both", subjectOf(r.value), before.value.path, before.value.at.line, before.value.at.col),
					"give one of them another path, host or method, or a header in match_headers")
			}
		}
	}
}

// undecided tells whether a call could match a and b, of the same group, with nothing to prefer:
// both name methods or neither does, with one in common, and they have as many header conditions,
// none against another. A third route that asks for the conditions of both decides.
func undecided(group []*routeAt, a, b *routeAt) bool {
	if len(a.headers) != len(b.headers) || (len(a.methods) == 0) != (len(b.methods) == 0) {
		return false
	}
	both, ok := together(a.headers, b.headers)
	if !ok {
		return false
	}
	methods := a.methods
	if len(methods) == 0 {
		methods = []string{""}
	}
	for _, m := range methods {
		if m != "" && !slices.Contains(b.methods, m) {
			continue
		}
		decided := slices.ContainsFunc(group, func(r *routeAt) bool {
			if len(r.headers) <= len(a.headers) || len(r.methods) > 0 && !slices.Contains(r.methods, m) {
				return false
			}
			all, ok := together(both, r.headers)
			return ok && len(all) == len(both)
		})
		if !decided {
			return true
		}
	}
	return false
}

// together joins the header conditions of two routes; ok is false when no call meets both. The
// value * is any.
func together(a, b map[string]string) (both map[string]string, ok bool) {
	both = maps.Clone(a)
	for name, v := range b {
		w, has := both[name]
		switch {
		case !has || w == "*":
			both[name] = v
		case v != "*" && v != w:
			return nil, false
		}
	}
	return both, true
}

func texts(list *value) []string {
	var out []string
	for _, item := range list.items {
		if !item.bad {
			out = append(out, as[string](item))
		}
	}
	return out
}

func stringMap(m *value) map[string]string {
	out := map[string]string{}
	for name, v := range m.fields {
		out[name] = as[string](v)
	}
	return out
}

func lowerKeys(m *value) map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		out[strings.ToLower(name)] = as[string](m.fields[name])
	}
	return out
}
