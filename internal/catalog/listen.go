package catalog

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Listener is one address that the gateway listens at.
type Listener struct {
	Address string      // "127.0.0.1:8080", "[::1]:8080", ":8080", "unix:/run/causeway.sock", "systemd" or "systemd:NAME"
	Mode    fs.FileMode // of a Unix socket; 0 is the default
	Plain   bool        // without TLS, whatever there are certificates for
}

// ProxyProtocol says whose connections begin with a PROXY protocol header.
type ProxyProtocol struct {
	From     []netip.Prefix
	Unix     bool // those on Unix sockets too
	Required bool
	Timeout  time.Duration
}

// listenKeys are the rows of server that say where connections come in.
func listenKeys() []key {
	return []key{
		{
			name: "listen", aka: []string{"port", "address", "addr", "bind", "listeners", "addresses"},
			shape: listOf(`a list of addresses such as ["0.0.0.0:8080"]`, listenerShape()),
			doc:   "Where calls come in, unless `--listen` says so; without both, 127.0.0.1:8080. `HOST:PORT`; `[::]:PORT` or `:PORT` for every address of this machine; `unix:/PATH`; `systemd` or `systemd:NAME` for sockets that systemd has opened. A change needs a restart (SIGUSR2 does it without losing a call).",
		},
		{
			name: "reuse_port", def: "1", shape: scalarOf(integer("a number of sockets", 1, 64)), aka: []string{"reuseport", "so_reuseport"},
			doc: "Sockets that share each TCP address (SO_REUSEPORT), each with a queue and a goroutine of its own that accepts. More than one helps only where tens of thousands of connections are opened each second.",
		},
		{
			name: "proxy_protocol", optional: true, shape: objectOf("{from: [10.0.0.0/8]}", proxyProtocolKeys()).checked(checkProxyProtocol), aka: []string{"accept_proxy", "proxyProtocol"},
			doc: "Load balancers that say who calls with the PROXY protocol (version 1 or 2) before the connection's first byte. The address that they tell is the caller's everywhere.",
		},
	}
}

func listenerShape() shape {
	return objectOf(`{address: "0.0.0.0:8080"}`, []key{
		{name: "address", shape: scalarOf(listenAddress()), aka: []string{"addr", "bind", "port"}, doc: "The address."},
		{
			name: "tls", def: "true", shape: scalarOf(boolean()),
			doc: "`false` for an address that speaks plain HTTP although there are certificates.",
		},
		{
			name: "mode", shape: scalarOf(fileMode()), aka: []string{"permissions", "umask"},
			doc: "Who may connect to a Unix socket, as `chmod` writes it; without it \"0660\".",
		},
	}).orScalar(listenAddress()).checked(checkListener)
}

func proxyProtocolKeys() []key {
	return []key{
		{
			name: "from", required: true, example: "from: [10.0.0.0/8]", shape: listOf(`a list of networks such as ["10.0.0.0/8"]`, scalarOf(proxyPeer())).notEmpty(), aka: []string{"allow", "trusted", "networks"},
			doc: "The load balancers' addresses, and `unix` for those that connect to a Unix socket. From others no header is taken: one that they send makes their request invalid.",
		},
		{
			name: "required", def: "true", shape: scalarOf(boolean()),
			doc: "Whether each of their connections must begin with a header. With `false` one without is served with the connection's own address.",
		},
		{
			name: "timeout", def: "5s", shape: scalarOf(duration(1)),
			doc: "How long the header may take from the connection's start.",
		},
	}
}

// ParseListener reads an address as server.listen and --listen have it. The error says what would be
// right.
func ParseListener(text string) (Listener, error) {
	v, w := listenAddress().parse(text)
	if w != nil {
		return Listener{}, errors.New(w.message + ": " + w.fix)
	}
	return Listener{Address: v.(string)}, nil
}

var socketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,254}$`)

func listenAddress() scalar {
	const fix = "write HOST:PORT such as 127.0.0.1:8080, [::1]:8080 or :8080, unix:/run/causeway.sock, systemd or systemd:NAME"
	return scalar{
		noun: "an address such as 127.0.0.1:8080 or unix:/run/causeway.sock", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "minLength": 1},
		parse: func(s string) (any, *wrong) {
			if name, ok := strings.CutPrefix(s, "systemd:"); ok && !socketName.MatchString(name) {
				return nil, &wrong{message: "names no socket of systemd's", fix: "write systemd:NAME with the FileDescriptorName= of the .socket unit"}
			}
			switch {
			case s == "systemd", strings.HasPrefix(s, "systemd:"):
				return s, nil
			case strings.HasPrefix(s, "unix:"):
				if strings.Contains(strings.TrimPrefix(s, "unix:"), ":/") {
					return nil, &wrong{message: "has something behind the socket's path", fix: "write unix:/run/causeway.sock"}
				}
				v, w := targetURL().parse(s)
				if w != nil {
					w.fix = strings.ReplaceAll(w.fix, "/run/app.sock", "/run/causeway.sock")
				}
				return v, w
			case strings.Contains(s, "://"):
				return nil, &wrong{message: "is a URL", fix: fix}
			}
			if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65536 {
				return nil, &wrong{message: "is a port alone", fix: "write 127.0.0.1:" + s + ", or :" + s + " for every address of this machine"}
			}
			host, port, err := net.SplitHostPort(s)
			if err != nil {
				if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
					return nil, &wrong{message: "has no port", fix: "write " + net.JoinHostPort(a.String(), "8080")}
				}
				return nil, &wrong{message: "is not an address with a port", fix: fix}
			}
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
				return nil, &wrong{message: "has a port that is not one", fix: "write a port from 1 to 65535, or 0 for any free one"}
			}
			if host == "*" {
				host = ""
			}
			if a, err := netip.ParseAddr(host); err == nil {
				return net.JoinHostPort(a.Unmap().String(), port), nil
			}
			if host != "" && !isHost(host) {
				return nil, &wrong{message: "has no valid host", fix: fix}
			}
			return net.JoinHostPort(host, port), nil
		},
	}
}

// fileMode is permissions in octal digits; it is kept as fs.FileMode.
func fileMode() scalar {
	return scalar{
		noun: `permissions such as "0660"`, kinds: []nodeKind{stringNode, numberNode},
		schema: map[string]any{"type": []string{"string", "integer"}, "pattern": "^0?[0-7]{3}$"},
		parse: func(s string) (any, *wrong) {
			digits := strings.TrimPrefix(strings.TrimPrefix(s, "0o"), "0")
			n, err := strconv.ParseUint(digits, 8, 9)
			if err != nil || len(digits) != 3 {
				return nil, &wrong{message: "is not a file's permissions", fix: `write "0660" for owner and group, "0666" for everybody, "0600" for the owner alone`}
			}
			return fs.FileMode(n), nil
		},
	}
}

// proxyPeer is a network, or the word unix, which is kept as the zero netip.Prefix.
func proxyPeer() scalar {
	s := network()
	s.noun = "a network such as 10.0.0.0/8, or unix"
	s.schema = map[string]any{"type": "string", "pattern": "^([0-9A-Fa-f.:]+(/[0-9]{1,3})?|unix)$"}
	inner := s.parse
	s.parse = func(text string) (any, *wrong) {
		if text == "unix" {
			return netip.Prefix{}, nil
		}
		return inner(text)
	}
	return s
}

func checkListener(c *checker, v *value) {
	address := as[string](v.get("address"))
	switch {
	case v.fields["address"] == nil && len(v.meant) == 0:
		c.faults.add(v.at, "`"+v.path+"` has no `address`", `add address: "127.0.0.1:8080"`)
	case v.get("mode").set() && address != "" && !strings.HasPrefix(address, "unix:"):
		c.faults.add(v.get("mode").name, "`"+v.path+".mode` is for Unix sockets, and this is none", "remove it")
	}
}

func checkProxyProtocol(c *checker, v *value) {
	for _, item := range v.get("from").items {
		if p, ok := item.v.(netip.Prefix); ok && p.IsValid() && p.Bits() == 0 {
			c.faults.add(item.at, "`"+item.path+"` is every address there is: anybody could say who calls", "write the load balancers' networks")
		}
	}
}

// listeners are what server.listen holds.
func listeners(v *value) (list []Listener) {
	for _, item := range v.items {
		l := Listener{Address: as[string](item.get("address")), Mode: as[fs.FileMode](item.get("mode")), Plain: !as[bool](item.get("tls"))}
		if short := as[string](item.get("value")); short != "" {
			l.Address = short
		}
		list = append(list, l)
	}
	return list
}

func proxyProtocol(v *value) *ProxyProtocol {
	if !v.set() {
		return nil
	}
	p := &ProxyProtocol{Required: as[bool](v.get("required")), Timeout: as[time.Duration](v.get("timeout"))}
	for _, item := range v.get("from").items {
		if n := as[netip.Prefix](item); n.IsValid() {
			p.From = append(p.From, n)
		} else {
			p.Unix = true
		}
	}
	return p
}

// proxyVersion is what an upstream is sent; it is kept as an int, 0 for none.
func proxyVersion() scalar {
	s := oneOf(nil,
		choice{value: "off", doc: "no header"},
		choice{value: "v1", doc: "version 1, a line of text"},
		choice{value: "v2", doc: "version 2, in binary"})
	inner := s.parse
	s.parse = func(text string) (any, *wrong) {
		v, w := inner(text)
		if w != nil {
			return nil, w
		}
		return map[any]int{"off": 0, "v1": 1, "v2": 2}[v], nil
	}
	return s
}

// proxyOutKey is the row of upstream that sends the header.
func proxyOutKey() key {
	return key{
		name: "proxy_protocol", def: "off", shape: scalarOf(proxyVersion()), aka: []string{"send_proxy", "proxyProtocol"},
		doc: "Tells the targets who calls with a PROXY protocol header before each connection's first byte; the targets must expect it. A connection is then used again only for calls of the same caller's connection, so the upstream speaks HTTP/1.1.",
	}
}

// checkProxyOut refuses the header where one connection carries the calls of many callers.
func checkProxyOut(c *checker, v *value) {
	protocol, _ := v.get("protocol").v.(string)
	if version := v.get("proxy_protocol"); as[int](version) != 0 && (protocol == "h2" || protocol == "h2c") {
		c.faults.add(version.name, "`"+version.path+"` tells of one caller for each connection, and HTTP/2 carries many on one", "remove it, or write protocol: http1")
	}
}
