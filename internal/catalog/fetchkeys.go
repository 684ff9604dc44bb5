package catalog

import (
	"net/netip"
	"strings"
	"time"
)

// Fetch says which media the gateway may fetch for a provider that takes bytes where the caller wrote a URL.
type Fetch struct {
	From     string         // public | allowed | off
	Hosts    []string       // of allow: names, "*.corp.example" for all below
	Networks []netip.Prefix // of allow
	MaxSize  int64          // bytes
	Timeout  time.Duration
}

func fetchKeys() []key {
	return []key{
		{
			name: "from", def: "public", shape: scalarOf(oneOf(nil,
				choice{value: "public", doc: "public addresses, and what `allow` lists"},
				choice{value: "allowed", doc: "only what `allow` lists"},
				choice{value: "off", doc: "nothing: such a call is refused"})),
			doc: "Where media may be fetched from. Loopback, private, link-local and other special addresses are never public, by whatever name or redirect they are reached.",
		},
		{
			name: "allow", shape: listOf(`a list of hosts and networks such as [media.internal, "10.1.0.0/16"]`, scalarOf(hostOrNetwork())),
			doc: "Hosts (`*.corp.example` for all below) and networks that may be asked although their addresses are not public.",
		},
		{
			name: "max_size", def: "20MiB", shape: scalarOf(size(1, 64<<20)),
			doc: "The most bytes of one file.",
		},
		{
			name: "timeout", def: "10s", shape: scalarOf(duration(time.Millisecond)),
			doc: "How long one file may take, redirects included.",
		},
	}
}

// hostOrNetwork is a host's name, or an address or network.
func hostOrNetwork() scalar {
	return scalar{
		noun: "a host or network such as media.internal, *.corp.example or 10.1.0.0/16", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "minLength": 1},
		parse: func(s string) (any, *wrong) {
			if inner, ok := strings.CutPrefix(s, "["); ok { // an IPv6 address as URLs have it
				s = strings.TrimSuffix(inner, "]")
			}
			if _, err := netip.ParseAddr(s); err == nil || strings.Contains(s, "/") && !strings.Contains(s, "://") {
				return network().parse(s)
			}
			v, w := hostName().parse(s)
			if w != nil && strings.HasPrefix(w.message, "has a port") {
				w.fix = "write the host alone: it may be asked at any port"
			}
			return v, w
		},
	}
}

func fetchOf(v *value) Fetch {
	f := Fetch{From: as[string](v.get("from")), MaxSize: as[int64](v.get("max_size")), Timeout: as[time.Duration](v.get("timeout"))}
	for _, item := range v.get("allow").items {
		switch a := item.v.(type) {
		case netip.Prefix:
			f.Networks = append(f.Networks, a)
		case string:
			f.Hosts = append(f.Hosts, a)
		}
	}
	return f
}
