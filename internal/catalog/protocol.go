package catalog

import "strings"

// protocolKey is the row that says what is spoken to an upstream; def is its default.
func protocolKey(def, doc string) key {
	return key{
		name: "protocol", def: def, aka: []string{"http_version", "proxy_http_version", "http2"},
		shape: scalarOf(oneOf(nil,
			choice{value: "http1", doc: "HTTP/1.1"},
			choice{value: "auto", doc: "over `https` what TLS agrees on, HTTP/2 before HTTP/1.1; HTTP/1.1 else"},
			choice{value: "h2", doc: "HTTP/2 over `https`; an upstream that does not agree to it fails the call"},
			choice{value: "h2c", doc: "HTTP/2 without TLS, begun at once (prior knowledge)"})),
		doc: doc,
	}
}

// checkUpstream holds an upstream's keys to each other.
func checkUpstream(c *checker, v *value) {
	checkProxyOut(c, v)
	checkGRPCHealth(c, v)
	if kind := v.get("health").get("type"); as[string](kind) == "tls" {
		for _, t := range v.get("targets").items {
			if url := as[string](t.get("url")); url != "" && !strings.HasPrefix(url, "https:") {
				c.faults.add(kind.at, "`"+kind.path+"` is tls, and "+url+" has no TLS", "write type: tcp, or https:// in the target")
				break
			}
		}
	}
	for _, t := range v.get("targets").items {
		checkScheme(c, v.get("protocol"), as[string](t.get("url")))
	}
}

// checkGRPCHealth refuses a check by gRPC where HTTP/1.1 would be spoken, and a service's name for another
// kind of check.
func checkGRPCHealth(c *checker, v *value) {
	kind, service := v.get("health").get("type"), v.get("health").get("service")
	if as[string](kind) != "grpc" {
		if service.set() && service.node != nil {
			c.faults.add(service.at, "`"+service.path+"` is of health checks by gRPC, and `health.type` is "+as[string](kind), "write type: grpc beside it, or leave it out")
		}
		return
	}
	secure := true
	for _, t := range v.get("targets").items {
		secure = secure && strings.HasPrefix(as[string](t.get("url")), "https:")
	}
	switch p := as[string](v.get("protocol")); {
	case p == "http1", p == "auto" && !secure:
		c.faults.add(kind.at, "`"+kind.path+"` is grpc, which is spoken over HTTP/2 alone, and these targets are asked over HTTP/1.1", "write upstream.protocol: h2c, or h2 for targets with https://")
	}
}

// checkScheme refuses a protocol that a target's scheme can't have.
func checkScheme(c *checker, protocol *value, url string) {
	secure := strings.HasPrefix(url, "https:")
	switch p := as[string](protocol); {
	case url == "":
	case p == "h2" && !secure:
		c.faults.add(protocol.at, "`"+protocol.path+"` is h2, which is HTTP/2 over TLS, and "+url+" has no TLS", "write protocol: h2c, or https:// in the target")
	case p == "h2c" && secure:
		c.faults.add(protocol.at, "`"+protocol.path+"` is h2c, which is HTTP/2 without TLS, and "+url+" has TLS", "write protocol: h2, or http:// in the target")
	}
}
