package catalog

import (
	"net/netip"
	"strconv"
	"strings"
)

// doorTLS checks what the keys of the callers' side say together.
func (c *checker) doorTLS(server *value) {
	speaks := len(server.get("tls").items) > 0 || server.get("acme").set() || server.get("tls").bad
	options := server.get("tls_options")
	if options.set() && !speaks {
		c.faults.add(options.name, "`server.tls_options` says how TLS is spoken, and the gateway doesn't speak it", "add server.tls or server.acme, or remove it")
	}
	if list := options.get("ciphers"); len(list.items) > 0 && as[string](options.get("min_version")) == "1.3" {
		c.faults.add(list.name, "`server.tls_options.ciphers` chooses among the suites of TLS 1.2, which `min_version: 1.3` leaves out", "remove it, or write min_version: 1.2")
	}
	for _, v := range server.get("listen").items {
		if own := v.fields["tls"]; own != nil && own.set() && !own.bad && as[bool](own) && !speaks {
			c.faults.add(own.at, "`"+own.path+": true` asks for TLS, and there is no certificate", "add server.tls or server.acme, or remove it")
		}
	}
	first := map[[2]string]*value{}
	for _, v := range server.get("tls").items {
		files := [2]string{as[string](v.get("cert_file")), as[string](v.get("key_file"))}
		if v.bad || files[0] == "" || files[1] == "" {
			continue
		}
		if before, twice := first[files]; twice {
			c.faults.add(v.at, "`"+v.path+"` is the same as `"+before.path+"` at line "+strconv.Itoa(before.at.line), "remove one of the two")
			continue
		}
		first[files] = v
	}
}

// certificateName is a name in a caller's certificate.
func certificateName(noun string) scalar {
	s := text(noun)
	inner := s.parse
	s.schema = map[string]any{"type": "string", "minLength": 1}
	s.parse = func(name string) (any, *wrong) {
		switch upper := strings.ToUpper(name); {
		case strings.TrimSpace(name) == "":
			return nil, &wrong{message: "is empty, and would name no certificate", fix: "write " + noun + " that the certificate has"}
		case strings.HasPrefix(upper, "CN=") || strings.HasPrefix(upper, "CN ="), strings.Contains(upper, ",CN=") || strings.Contains(upper, ", CN=") || strings.Contains(upper, "/CN="):
			return nil, &wrong{message: "is a whole subject", fix: "write its common name alone, what follows CN="}
		}
		return inner(name)
	}
	return s
}

// serverName is what an upstream is asked for: one name, or an address, for which nothing is asked but which the
// certificate must have.
func serverName() scalar {
	host := hostName()
	s := scalar{noun: host.noun, kinds: host.kinds, schema: host.schema}
	s.parse = func(name string) (any, *wrong) {
		const fix = "write one name that the upstream's certificate is for, such as api.example.com"
		v, w := host.parse(name)
		_, port := netip.ParseAddrPort(name)
		switch {
		case strings.HasPrefix(name, "*"):
			return nil, &wrong{message: "is no single name", fix: fix}
		case w == nil:
			return v, nil
		case port == nil || strings.Contains(w.message, "has a port"):
			return nil, &wrong{message: "has a port", fix: "write the name alone; the port stands in the target's URL"}
		}
		return nil, &wrong{message: w.message, fix: fix}
	}
	return s
}
