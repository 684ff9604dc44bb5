package catalog

import (
	"math"
	"time"
)

// serviceKeys are the rows of one service.
func serviceKeys() []key {
	return []key{
		{name: "team", shape: scalarOf(text("a team's name")), doc: "The team that owns the service."},
		{
			name: "access", def: "key", aka: []string{"auth"}, shape: scalarOf(oneOf(nil,
				choice{value: "key", doc: "an application's key that subscribes to the service"},
				choice{value: "open", doc: "everyone; off loopback the gateway then needs --allow-open"})),
			doc: "Who may call.",
		},
		{
			name: "keep_bodies", def: "false", shape: scalarOf(keepBodies()),
			doc: "Whether bodies are kept with a call's record, cut at a limit and with secrets masked.",
		},
		{name: "details", def: "auto", shape: scalarOf(details()), doc: "What error bodies tell."},
		{
			name: "routes", required: true, example: "routes: [{path: /NAME/*}]", shape: listOf("a list such as [{path: /orders/*}]", objectOf("{path: /orders/*}", routeKeys())).notEmpty(),
			doc: "Which calls are the service's.",
		},
		{
			name: "upstream", required: true, example: "upstream: {targets: [{url: http://127.0.0.1:9001}]}", aka: []string{"backend", "upstreams", "origin"},
			shape: objectOf("{targets: [{url: http://127.0.0.1:9001}]}", upstreamKeys()).checked(checkUpstream), doc: "Who answers them.",
		},
		{name: "policies", shape: objectOf("{body_limit: 10MiB}", policyKeys()), aka: []string{"plugins", "guards", "middlewares"}, doc: "What guards the service."},
	}
}

func routeKeys() []key {
	return []key{
		{
			name: "path", required: true, example: "path: /NAME/*", shape: scalarOf(routePath()), aka: []string{"paths", "uri", "url"},
			doc: "The path: exact (`/orders`), with `{param}` for one whole segment (`/orders/{id}`), or with `*` at its end for the rest, slashes included: `/orders/*` is `/orders` and everything below it. Exact wins over `{param}`, and that over the longest `*`; the order in the file means nothing.",
		},
		{
			name: "methods", shape: listOf("a list such as [GET, POST]", scalarOf(method())), aka: []string{"method"},
			doc: "The methods; none = all.",
		},
		{
			name: "strip_prefix", def: "false", shape: scalarOf(boolean()), aka: []string{"strip_path"},
			doc: "Takes the part of the path before the first `*` or `{` off what is sent upstream.",
		},
		{
			name: "hosts", shape: listOf("a list such as [api.example.com]", scalarOf(hostName())), aka: []string{"host"},
			doc: "The hosts, without ports; `*.example.com` is every name under it; none = every host. A route with hosts goes before one without, and on its hosts before the gateway's own paths.",
		},
		{
			name: "match_headers", shape: mappingOf(headerName(), "{X-Version: \"2\"}", scalarOf(headerValue()).hidden()), aka: []string{"headers"},
			doc: "Headers that the request must have, with exactly these values; `\"*\"` is any value.",
		},
	}
}

func upstreamKeys() []key {
	return []key{
		{
			name: "targets", required: true, example: "targets: [{url: http://127.0.0.1:9001}]",
			shape: listOf("a list such as [{url: http://127.0.0.1:9001}]", objectOf("{url: http://127.0.0.1:9001, weight: 1}", []key{
				{
					name: "url", required: true, example: "url: http://127.0.0.1:9001", shape: scalarOf(targetURL()), aka: []string{"host", "address", "target"},
					doc: "`http://`, `https://` or `unix:/path.sock`; a path in it (`unix:/path.sock:/prefix`) goes before the call's.",
				},
				{name: "weight", def: "1", shape: scalarOf(weight()), doc: "The target's share of the calls."},
			})).notEmpty(), doc: "The servers.",
		},
		{
			name: "balance", def: "round_robin", aka: []string{"strategy", "load_balancing", "lb"}, shape: scalarOf(oneOf(isToken,
				choice{value: "round_robin", doc: "in turn, by weight"},
				choice{value: "least_busy", doc: "the one with the fewest calls in flight for its weight"},
				choice{value: "random_two", doc: "the less busy of two at random"},
				choice{value: "hash_ip", doc: "the same target for the same caller's address"},
				choice{value: "hash_header", arg: "NAME", doc: "the same target for the same value of that header"},
				choice{value: "hash_cookie", arg: "NAME", doc: "the same target for the same value of that cookie"})),
			doc: "How a target is chosen.",
		},
		protocolKey("http1", "What is spoken to the targets. gRPC needs `h2`, `h2c` or `auto`. Over HTTP/2 up to 100 calls share one connection, so that a balancer of connections before the targets can't spread them."),
		{name: "host", def: "target", shape: scalarOf(upstreamHost()), doc: "The `Host` sent upstream; a value is sent as it is."},
		{name: "headers", shape: objectOf("{set: {X-From: causeway}}", []key{
			{name: "set", shape: mappingOf(sentHeader(), "{X-From: causeway}", scalarOf(headerValue()).hidden()), doc: "Headers to set, in place of the caller's."},
			{name: "add", shape: mappingOf(sentHeader(), "{X-From: causeway}", scalarOf(headerValue()).hidden()), doc: "Headers to add beside the caller's."},
			{name: "remove", shape: listOf("a list such as [X-Debug]", scalarOf(removedHeader())), doc: "Headers of the caller's to take out, before the others are set."},
		}), doc: "Changes to the request that is sent upstream."},
		{name: "timeouts", shape: timeouts("60s", "60s"), aka: []string{"timeout"}, doc: "Limits on the time of a call. 0 = off."},
		{name: "retries", shape: retries(), aka: []string{"retry"}, doc: "What is tried again, and how often."},
		{
			name: "health", optional: true, shape: objectOf("{path: /healthz}", healthKeys()), aka: []string{"healthcheck", "health_check", "health_checks"},
			doc: "Checks each target; without it there are no checks. Write `{}` for one with the defaults.",
		},
		{
			name: "breaker", optional: true, shape: objectOf("{failures: 50%}", breakerKeys()), aka: []string{"circuit_breaker", "outliers"},
			doc: "Leaves a target alone that fails, and finds out by single calls when it is well again; without it every target is called while its health checks pass. Write `{}` for one with the defaults.",
		},
		{name: "tls", shape: upstreamTLS(), doc: "How `https` targets are verified."},
		{
			name: "max_busy", def: "0", shape: scalarOf(integer("a number of calls", 0, 100_000_000)),
			doc: "Calls that a target may have at a time; 0 = no limit.",
		},
		proxyOutKey(),
	}
}

func breakerKeys() []key {
	return []key{
		{name: "failures", def: "50%", shape: scalarOf(someShare()), aka: []string{"threshold", "error_rate"}, doc: "The share of a target's calls in the window that must have failed: no connection, no answer in time, a broken answer, or a status of 500 and above."},
		{name: "min_calls", def: "20", shape: scalarOf(integer("a number of calls", 1, 1_000_000)), doc: "Calls in the window before anything is judged."},
		{name: "window", def: "10s", shape: scalarOf(duration(100 * time.Millisecond)), doc: "The time that is looked back on."},
		{name: "open_for", def: "10s", shape: scalarOf(duration(10 * time.Millisecond)), aka: []string{"sleep", "timeout"}, doc: "How long the target is left alone before one call tries it. After a good trial its share of calls grows over five seconds."},
		{name: "slow", def: "0", shape: scalarOf(integer("a factor", 0, 1000)), doc: "Also leaves a target alone whose answers begin this many times later than those of the others on average (and at least 20 ms later); 0 = never."},
	}
}

func healthKeys() []key {
	return []key{
		{
			name: "type", def: "http", shape: scalarOf(oneOf(nil,
				choice{value: "http", doc: "GET of `path`, whose status decides"},
				choice{value: "tcp", doc: "a connection is made and closed"},
				choice{value: "tls", doc: "a connection with its handshake is made and closed: the certificate must be valid, for `min_validity` more"},
				choice{value: "grpc", doc: "`grpc.health.v1.Health/Check` is asked whether `service` is SERVING; with `protocol` h2, h2c, or auto over https"})),
			doc: "What a check does.",
		},
		{name: "service", optional: true, shape: scalarOf(text("a gRPC service such as shop.v1.Orders")), aka: []string{"grpc_service", "service_name"}, doc: "Which service is asked about, of `type: grpc`; without it the server as a whole."},
		{name: "path", def: "/healthz", shape: scalarOf(checkPath()), doc: "What is asked for with GET; of `type: http`."},
		{name: "min_validity", def: "0s", shape: scalarOf(duration(0)), aka: []string{"expires_in"}, doc: "How much longer a target's certificate must be valid; of `type: tls`. With 24h a target is left out a day before its certificate ends, while others have a newer one."},
		{name: "interval", def: "5s", shape: scalarOf(duration(1)), doc: "From one check to the next."},
		{name: "timeout", def: "1s", shape: scalarOf(duration(1)), doc: "How long a check may take."},
		{
			name: "healthy_after", def: "2", shape: scalarOf(integer("a number of checks", 1, 1000)),
			doc: "Good checks in a row that make a failed target healthy again.",
		},
		{
			name: "unhealthy_after", def: "3", shape: scalarOf(integer("a number of checks", 1, 1000)),
			doc: "Failed checks in a row that make a target unhealthy; until then it is healthy.",
		},
		{name: "status", def: "200-299", shape: scalarOf(statusRange()), doc: "The statuses that are good: one, or a range."},
	}
}

func policyKeys() []key {
	return []key{
		{name: "rate_limit", optional: true, shape: objectOf("{requests: 100, per: 1s}", []key{
			{
				name: "requests", required: true, example: "requests: 100", shape: scalarOf(integer("a number of requests", 1, 1_000_000_000)), aka: []string{"limit", "max"},
				doc: "How many requests.",
			},
			{name: "per", required: true, example: "per: 1s", shape: scalarOf(duration(1)), aka: []string{"window", "period"}, doc: "In how much time."},
			{
				name: "by", def: "application", aka: []string{"key"}, shape: scalarOf(oneOf(isToken,
					choice{value: "application", doc: "each application; on an open service, each address"},
					choice{value: "ip", doc: "each caller's address"},
					choice{value: "header", arg: "NAME", doc: "each value of that header"},
					choice{value: "service", doc: "the whole service"})),
				doc: "What is counted together.",
			},
		}), aka: []string{"ratelimit", "limit"}, doc: "The most requests in a time."},
		{
			name: "cache", optional: true, shape: objectOf("{ttl: 30s}", serviceCacheKeys()), aka: []string{"caching"},
			doc: "Keeps answers to GET, by the rules of HTTP's shared caches; see docs/cache.md.",
		},
		{
			name: "ip_allow", optional: true, shape: listOf(`a list of networks such as ["10.0.0.0/8"]`, scalarOf(network())).notEmpty(), aka: []string{"allow", "allow_ips"},
			doc: "The only networks that may call; without it, all may.",
		},
		{
			name: "body_limit", optional: true, shape: scalarOf(size(1, math.MaxInt64/2)), aka: []string{"max_body"},
			doc: "The largest body of a request; without it, `server.max_body`.",
		},
	}
}
