package catalog

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// webURL is an http or https URL without user, query and fragment.
func webURL() scalar {
	return scalar{
		noun: "a URL such as https://api.example.com", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^(https?://.+)?$"},
		parse: func(s string) (any, *wrong) {
			return parseURL(s, "https://api.example.com")
		},
	}
}

// targetURL also takes unix:/path.sock, and unix:/path.sock:/prefix.
func targetURL() scalar {
	return scalar{
		noun: "a URL such as http://127.0.0.1:9001 or unix:/run/app.sock", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^(https?://.+|unix:/.+)$"},
		parse: func(s string) (any, *wrong) {
			path, unix := strings.CutPrefix(s, "unix:")
			if !unix {
				return parseURL(s, "http://127.0.0.1:9001")
			}
			path = "/" + strings.TrimLeft(path, "/")
			path, prefix, hasPrefix := strings.Cut(path, ":/")
			if prefix = strings.TrimRight(prefix, "/"); hasPrefix && prefix != "" {
				u, err := url.Parse("/" + prefix)
				if err != nil || u.RawQuery != "" || u.Fragment != "" || unprintable(prefix) != nil || strings.ContainsAny(prefix, " ?#") {
					return nil, &wrong{message: "has a prefix behind its socket that is no path", fix: "write unix:/run/app.sock:/prefix"}
				}
				prefix = ":/" + prefix
			}
			switch {
			case !strings.HasPrefix(s, "unix:/"):
				return nil, &wrong{message: "names its socket by a relative path", fix: "write the whole path: unix:/run/app.sock"}
			case path == "/" || unprintable(path) != nil:
				return nil, &wrong{message: "names no socket", fix: "write unix:/run/app.sock"}
			// struct sockaddr_un has 108 bytes on Linux (unix(7)) and 104 on BSD and macOS.
			case len(path) > 103:
				return nil, &wrong{message: "is longer than a socket's path can be", fix: "use a path of at most 103 bytes"}
			}
			return "unix:" + path + prefix, nil
		},
	}
}

// parseURL returns s without trailing slashes. A URL with an @ in it is not shown, whatever is
// wrong with it: a password may stand there.
func parseURL(s, example string) (any, *wrong) {
	v, w := cleanURL(s, example)
	if w != nil && strings.Contains(s, "@") {
		w = &wrong{message: "holds a user or password", fix: "write " + example + ", without what is before the @", secret: true}
	}
	return v, w
}

func cleanURL(s, example string) (any, *wrong) {
	u, err := url.Parse(s)
	switch {
	case err != nil && !strings.Contains(s, "://"), err == nil && u.Host == "" && u.Scheme != "http" && u.Scheme != "https":
		if isHostPort(s) {
			return nil, &wrong{message: "has no scheme", fix: "write http://" + s + " or https://" + s}
		}
		return nil, &wrong{message: "is not a URL", fix: "write " + example}
	case err != nil:
		return nil, &wrong{message: "is not a URL", fix: "write " + example}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &wrong{message: "has a scheme that is not supported", fix: "write a URL that begins with http:// or https://"}
	case u.User != nil:
		return nil, &wrong{message: "holds a user or password", fix: "remove what is before the @"}
	case u.Hostname() == "" || strings.ContainsFunc(u.Hostname(), noHostHas):
		return nil, &wrong{message: "has no valid host", fix: "write " + example}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return nil, &wrong{message: "has a query or fragment", fix: "remove what begins with ? or #"}
	case !validPort(u):
		return nil, &wrong{message: "has a port that is not one", fix: "write a port from 1 to 65535"}
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// noHostHas tells whether r is in no host's name and no address: white space, an IPv6 zone, a wildcard,
// quotes.
func noHostHas(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(" %*<>{}|^`'\"\\,;()!$&+=~", r)
}

func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if u.Port() == "" {
		return true
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n >= 1 && n <= 65535
}

// isHostPort tells whether s looks like an address that lacks its scheme.
func isHostPort(s string) bool {
	u, err := url.Parse("http://" + s)
	return err == nil && u.User == nil && isHost(u.Hostname()) && validPort(u) && u.RawQuery == ""
}

// network is a CIDR or a plain address.
func network() scalar {
	return scalar{
		noun: `an address or network such as 10.0.0.0/8 or ::1`, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"},
		parse: func(s string) (any, *wrong) {
			if p, err := netip.ParsePrefix(s); err == nil {
				return unmapped(p), nil
			}
			if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
				return unmapped(netip.PrefixFrom(a, a.BitLen())), nil
			}
			fix := "write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"
			if host, bits, ok := strings.Cut(s, "/"); ok {
				if a, err := netip.ParseAddr(host); err == nil && bits != "" {
					fix = "write a number from 0 to " + strconv.Itoa(a.BitLen()) + " after the /"
				}
			}
			return nil, &wrong{message: "is not an address or network", fix: fix}
		},
	}
}

// unmapped makes an IPv4 network of one written as IPv6 (::ffff:10.0.0.0/104), as callers'
// addresses are compared as IPv4, and clears the bits after the prefix.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// hostName is a name or address that callers use, without a port.
func hostName() scalar {
	return scalar{
		noun: "a host such as api.example.com", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": `^[^:/\s]+$|^\[?[0-9A-Fa-f:.]+\]?$`},
		parse: func(s string) (any, *wrong) {
			host := strings.ToLower(strings.TrimSuffix(s, "."))
			if inner, ok := strings.CutPrefix(host, "["); ok {
				host = strings.TrimSuffix(inner, "]")
			}
			if a, err := netip.ParseAddr(host); err == nil && a.Is6() && a.Zone() == "" {
				return "[" + a.String() + "]", nil
			}
			wild, name := "", host
			if after, ok := strings.CutPrefix(host, "*."); ok {
				wild, name = "*.", after
			}
			// Callers ask for an international name in its ASCII form (RFC 5891 section 4.4).
			if ascii, err := idna.Lookup.ToASCII(name); err == nil && !isHost(name) {
				name = ascii
			}
			switch {
			case host == "*":
				return nil, &wrong{message: "is every host", fix: "leave hosts out for that"}
			case strings.Contains(s, "://"):
				return nil, &wrong{message: "is a URL", fix: "write the host alone, such as api.example.com"}
			case strings.Contains(host, ":"):
				return nil, &wrong{message: "has a port", fix: "write the host alone; a route holds for every port"}
			case !isHost(name):
				return nil, &wrong{message: "is not a host", fix: "write api.example.com, or *.example.com for every name under it"}
			}
			return wild + name, nil
		},
	}
}

// isHost tells whether s is a name as DNS has them (RFC 1123 section 2.1, with _ as in use), or
// an address.
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !only(label, "-_") {
			return false
		}
	}
	return true
}

// upstreamHost is what is sent upstream as Host.
func upstreamHost() scalar {
	return scalar{
		noun: "target, caller or a host such as api.internal:8443", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "minLength": 1}, besides: "a host",
		choices: []choice{{value: "target", doc: "the target's own host"}, {value: "caller", doc: "what the caller sent"}},
		parse: func(s string) (any, *wrong) {
			if !isHostPort(s) || strings.ContainsAny(s, "/#@") {
				return nil, &wrong{message: "is not a host", fix: "write target, caller or a host such as api.internal:8443"}
			}
			return s, nil
		},
	}
}

// resolverAddress is a DNS server: an address with a port, 53 where there is none.
func resolverAddress() scalar {
	const noun = "an address such as 127.0.0.1:53"
	return scalar{
		noun: noun, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string"},
		parse: func(s string) (any, *wrong) {
			if a, err := netip.ParseAddr(s); err == nil {
				return netip.AddrPortFrom(a, 53).String(), nil
			}
			if ap, err := netip.ParseAddrPort(s); err == nil && ap.Port() != 0 {
				return ap.String(), nil
			}
			return nil, &wrong{message: "is not an address", fix: "write " + noun}
		},
	}
}
