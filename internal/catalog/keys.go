package catalog

import "math"

// fileShape is the table of every key of the configuration file: contract and behaviour in one
// place. The check of a file, the defaults, the JSON Schema and docs/configuration.md all come
// from it, so a key is added here and nowhere else but in build.go, which gives it to the Catalog.
func fileShape() shape {
	return objectOf("the configuration", []key{
		{
			name: "version", required: true, example: "version: 1", shape: scalarOf(fileVersion()),
			doc: "The version of this file's format. It is 1.",
		},
		{
			name: "server", shape: objectOf("{drain: 30s}", append(append(serverKeys(), hooksAllowKey()), listenKeys()...)),
			doc: "The gateway's own listeners and their limits.",
		},
		{
			name: "llm", shape: objectOf("{hosts: [llm.example.com]}", llmKeys()),
			doc: "Where the LLM addresses (`/v1/chat/completions` and the others) are.",
		},
		{
			name: "calls", shape: objectOf("{keep: 30d}", callsKeys()),
			doc: "How long and in how much space the records of calls are kept.",
		},
		{
			name: "incidents", shape: objectOf("{open_after: 3}", incidentKeys()),
			doc: "When failures become an incident, and when one is over ([incidents](incidents.md)).",
		},
		{
			name: "hooks", shape: listOf("a list such as [{webhook: {url: https://hooks.example.com/causeway}}]", objectOf("{on: [opened], webhook: {url: https://hooks.example.com/causeway}}", hookKeys())), aka: []string{"webhooks", "alerts", "notifications"},
			doc: "What is done when an incident opens or closes: a webhook is called, or a command of `server.hooks_allow` is run ([incidents](incidents.md#hooks)).",
		},
		{
			name: "storage", shape: objectOf("{database: sqlite}", storageKeys()),
			doc: "Where calls and counters are kept.",
		},
		{
			name: "providers", shape: mappingOf(objectName("a provider's name"), "{NAME: {kind: openai, keys: [\"${API_KEY}\"]}}", objectOf("{kind: openai, keys: [\"${API_KEY}\"]}", providerKeys()).checked(checkProvider)),
			doc: "Where models come from, by a name of your choice. Callers may use PROVIDER/MODEL. The provider `sandbox` is built in.",
		},
		{
			name: "models", shape: mappingOf(modelName(), "{NAME: {targets: [{model: PROVIDER/MODEL}]}}", objectOf("{targets: [{model: PROVIDER/MODEL}]}", modelKeys())),
			doc: "Names that callers may use as a model; each stands for one model of a provider, or for several.",
		},
		{
			name: "prices", shape: mappingOf(modelName(), "{PROVIDER/MODEL: {input: 0.15, output: 0.60}}", objectOf("{input: 0.15, output: 0.60}", priceKeys())),
			doc: "What models cost, by PROVIDER/MODEL with a provider of this file, in US dollars for a million tokens; over the prices that come with the binary (docs/money.md).",
		},
		{
			name: "guardrails", shape: mappingOf(objectName("a guardrail's name"), "{NAME: {detect: [email, card, secret]}}", objectOf("{detect: [email, card, secret]}", guardrailKeys()).checked(checkGuardrail)),
			doc: "What must not go to a model or come back from it, by a name of your choice (docs/guardrails.md). A guardrail holds where it is named: under `llm`, a model or an application.",
		},
		{
			name: "services", shape: mappingOf(objectName("a service's name"), "{NAME: {routes: [...], upstream: {...}}}", objectOf("{routes: [...], upstream: {...}}", serviceKeys())),
			doc: "REST APIs of your own, by name.",
		},
		{
			name: "prompts", shape: mappingOf(objectName("a prompt's name"), `{NAME: {model: fast, system: "...{{text}}", variables: [text]}}`, objectOf(`{model: fast, system: "...{{text}}", variables: [text]}`, promptKeys())),
			doc: "A prompt and a model as a REST API: `POST /prompts/NAME` ([prompts](prompts.md)).",
		},
		{
			name: "applications", shape: mappingOf(objectName("an application's name"), "{NAME: {keys: [...], subscribes: [...]}}", objectOf("{keys: [...], subscribes: [...]}", applicationKeys()).checked(checkApplication)),
			doc: "Who calls, by name.",
		},
	})
}

func (s shape) checked(rule func(*checker, *value)) shape { s.rule = rule; return s }
func (s shape) notEmpty() shape                           { s.filled = true; return s }
func (s shape) hidden() shape                             { s.secret = true; return s }

// orWord lets one word stand in place of the list.
func (s shape) orWord(word string) shape { s.word = word; return s }

// orScalar lets the object be written as one value, too.
func (s shape) orScalar(short scalar) shape {
	s.or, s.scalar = true, short
	s.noun = short.noun + " or " + s.noun
	return s
}

func serverKeys() []key {
	return []key{
		{
			name: "public_url", shape: scalarOf(orEmpty(webURL())), aka: []string{"url", "external_url", "base_url"},
			doc: "The address that callers know the gateway by; it makes the links in error bodies absolute.",
		},
		{name: "tls", shape: listOf("a list of {cert_file, key_file}", objectOf("{cert_file: FILE, key_file: FILE}", []key{
			{
				name: "cert_file", required: true, example: "cert_file: gw.pem", shape: scalarOf(fileName()), aka: []string{"cert", "certificate", "certFile"},
				doc: "A PEM file with the certificate and then the certificates between it and its root (fullchain.pem).",
			},
			{
				name: "key_file", required: true, example: "key_file: gw.key", shape: scalarOf(fileName()), aka: []string{"key", "private_key", "keyFile"},
				doc: "A PEM file with the certificate's private key.",
			},
			{
				name: "ocsp_file", shape: scalarOf(orEmpty(fileName())), aka: []string{"ocsp", "staple", "ocsp_staple"},
				doc: "A file with the authority's OCSP answer for the certificate (DER), to be shown with it (stapled) while it is fresh. Another program keeps it up to date.",
			},
		})), doc: "Certificates; with one or more the gateway speaks HTTPS and chooses by the name that the caller asks for: the exact name, else a wildcard, else `tls_options.unknown_names`; of several that fit, the first that the caller can use. Files are read again when they change. Relative files are taken from this file's folder."},
		{name: "tls_options", shape: objectOf("{min_version: \"1.3\"}", tlsOptionKeys()), doc: "How the gateway speaks TLS with callers."},
		{
			name: "client_auth", optional: true, shape: objectOf("{ca_file: clients.pem}", clientAuthKeys()), aka: []string{"mtls", "client_certificates", "clientAuth"},
			doc: "Asks callers for a certificate of their own (mutual TLS). Which application it stands for says `applications.*.certificates`.",
		},
		{
			name: "acme", optional: true, shape: objectOf("{hosts: [api.example.com], accept_terms: true}", acmeKeys()), aka: []string{"letsencrypt", "auto_https", "autocert"},
			doc: "Gets certificates from an authority by itself, and renews them (ACME, RFC 8555). They are kept in the data folder.",
		},
		{
			name: "trusted_proxies", shape: listOf(`a list of networks such as ["127.0.0.0/8"]`, scalarOf(network())),
			doc: "Proxies before the gateway, whose `Forwarded` and `X-Forwarded-*` are believed. An address alone is that address.",
		},
		{
			name: "resolver", example: "resolver: 127.0.0.1:53", shape: scalarOf(resolverAddress()),
			doc: "The DNS server that looks up upstreams' names; without it the system's.",
		},
		{
			name: "max_connections", def: "100000", shape: scalarOf(integer("a number of connections", 1, 100_000_000)),
			doc: "Connections of callers at a time.",
		},
		{
			name: "max_calls", def: "0", shape: scalarOf(integer("a number of calls", 0, 100_000_000)),
			doc: "Calls in flight at a time; 0 = by memory and file descriptors.",
		},
		{
			name: "max_header", def: "64KiB", shape: scalarOf(size(1<<10, 64<<20)),
			doc: "The largest head of a request, request line included.",
		},
		{
			name: "max_body", def: "10GiB", shape: scalarOf(size(1, math.MaxInt64/2)),
			doc: "The largest body of a request.",
		},
		{
			name: "read_header_timeout", def: "10s", shape: scalarOf(duration(1)),
			doc: "How long a request's head may take from its first byte.",
		},
		{
			name: "idle_timeout", def: "120s", shape: scalarOf(duration(1)),
			doc: "How long a connection may wait for its next request.",
		},
		{
			name: "drain", def: "30s", shape: scalarOf(duration(0)),
			doc: "How long calls in flight may take to end when the gateway stops; 0 = they are cut.",
		},
		{
			name: "min_rate", def: "128", shape: scalarOf(size(0, 1<<30)),
			doc: "The least bytes a second, on average over the time that the gateway waits for it, at which a caller must send a body and take an answer; below it the call ends with `request_body_too_slow` or `caller_too_slow`. A body in chunks counts until its answer begins. 0 = any rate.",
		},
		{
			name: "min_rate_after", def: "20s", shape: scalarOf(duration(0)),
			doc: "How long a caller is waited for, in all, before `min_rate` counts.",
		},
		{
			name: "http2", shape: objectOf("{max_streams: 250}", http2Keys()), aka: []string{"h2"},
			doc: "How callers may speak HTTP/2, and what a connection of theirs may ask for.",
		},
		{
			name: "overload", shape: objectOf("{queue: 1000, wait: 500ms}", overloadKeys()).checked(checkOverload),
			doc: "When calls are turned away so that the gateway stays well.",
		},
	}
}

func llmKeys() []key {
	return []key{
		{
			name: "hosts", shape: listOf("a list of hosts such as [llm.example.com]", scalarOf(hostName())),
			doc: "Hosts that the LLM addresses are on; none = every host that no service names.",
		},
		{
			name: "prefix", shape: scalarOf(orEmpty(pathPrefix())),
			doc: "What stands before `/v1` in the LLM addresses, such as `/ai`.",
		},
		{
			name: "keep_responses", def: "30d", shape: scalarOf(duration(0)),
			doc: "How long a conversation of the Responses API is kept after its last turn, for `previous_response_id` where the provider can't, and for `GET /v1/responses/{id}`; 0 = not at all. Calls with `store: false` are never kept. It is in the data folder, readable by its owner alone.",
		},
		{
			name: "keep_responses_size", def: "1GiB", shape: scalarOf(size(1<<20, math.MaxInt64/2)),
			doc: "How much of them is kept: beyond it the oldest go first.",
		},
		{
			name: "fetch", shape: objectOf("{from: public, max_size: 20MiB}", fetchKeys()),
			doc: "Which images, documents and recordings the gateway fetches, where a caller writes a URL and the provider takes bytes.",
		},
		guardrailNames("Guardrails for every call to a model."),
		{
			name: "keep_bodies", def: "false", shape: scalarOf(keepBodies()),
			doc: "Whether the bodies of calls to models, with what stands in prompts, are kept with a call's record as `services.NAME.keep_bodies` keeps those of services. `causeway repro` needs them.",
		},
	}
}

func callsKeys() []key {
	return []key{
		{
			name: "keep", def: "30d", shape: scalarOf(duration(1)), aka: []string{"retention", "ttl"},
			doc: "How long a call's record is kept.",
		},
		{
			name: "max_size", def: "10GiB", shape: scalarOf(size(1, math.MaxInt64/2)),
			doc: "The most space that records may take.",
		},
		{
			name: "when_full", def: "drop", shape: scalarOf(oneOf(nil,
				choice{value: "drop", doc: "records of good calls are dropped first, and counted"},
				choice{value: "refuse", doc: "calls are refused"})),
			doc: "What happens when there is no space for a record.",
		},
	}
}

func storageKeys() []key {
	return []key{
		{
			name: "database", def: "sqlite", shape: scalarOf(store("sqlite", "postgres", "postgresql")).hidden(),
			doc: "`sqlite`, a file in the data folder.",
		},
		{
			name: "counters", def: "memory", shape: scalarOf(counters()).hidden(),
			doc: "`memory`, this process's own.",
		},
		{
			name: "cache_size", def: "64MiB", shape: scalarOf(size(1<<20, 1<<40)),
			doc: "How much memory answers take that are kept (`policies.cache`, `models.NAME.cache`). With counters in Redis or Valkey they are kept there, and this does not count.",
		},
	}
}

func providerKeys() []key {
	return append(append([]key{
		{
			name: "kind", required: true, example: "kind: openai-compatible and a base_url", shape: scalarOf(providerKind()), aka: []string{"type", "vendor"},
			doc: "The vendor, or `openai-compatible` for any server that speaks OpenAI's dialect; the list is below.",
		},
		{
			name: "base_url", shape: scalarOf(webURL()), aka: []string{"url", "endpoint", "api_base", "baseUrl"},
			doc: "Where the provider is: with its version path (`https://api.groq.com/openai/v1`) where OpenAI's dialect is spoken, else its root. The other form is understood too: an address without a path gets the vendor's, or `/v1`. Optional where the vendor has one.",
		},
		{
			name: "keys", aka: []string{"key", "api_key", "api_keys", "apikey", "token", "secret"},
			shape: listOf(`a list such as ["${API_KEY}"]`, providerKeyShape()).hidden().orWord(callerWord),
			doc:   "The keys to send, chosen by weight. None for a server that asks for none; `caller` lets the caller's own provider key through.",
		},
		{
			name: "models", shape: listOf("a list of models' names", scalarOf(modelText())),
			doc: "Names of models that the provider has: they are in `GET /v1/models`, and a caller may use one alone, without the provider, where only one provider lists it.",
		},
	}, reachKeys()...),
		key{name: "timeouts", shape: timeouts("10m", "5m"), doc: "Limits on the time of a call."},
		key{name: "retries", shape: retries(), doc: "What is tried again, and how often."},
		protocolKey("auto", "What is spoken to the provider."),
		key{name: "tls", shape: upstreamTLS(), doc: "How the provider's certificate is verified."},
	)
}

func providerKeyShape() shape {
	return objectOf("{value: KEY, weight: 1}", append([]key{
		{
			name: "value", shape: scalarOf(secretText("a key")).hidden(), aka: []string{"key", "token"},
			doc: "The key.",
		},
		{
			name: "weight", def: "1", shape: scalarOf(weight()),
			doc: "Its share of the calls, against the weights of the other keys of its priority.",
		},
		{
			name: "priority", def: "1", shape: scalarOf(integer("a priority", 1, 100)),
			doc: "Keys of a higher number are used only while none of a lower one can be: because the provider limits, rejects or no longer pays for them.",
		},
		{
			name: "name", shape: scalarOf(keyName()), aka: []string{"label", "id"},
			doc: "What the key is called in records of calls, beside its last four characters.",
		},
		{
			name: "sealed", notYet: true, example: `write value: "${API_KEY}" in its place`, shape: shape{secret: true},
			doc: "A key as `causeway export` seals it.",
		},
	}, awsKeys()...)).orScalar(secretText("a key")).hidden().checked(checkProviderKey)
}

func applicationKeys() []key {
	return []key{
		{
			name: "team", shape: scalarOf(text("a team's name")),
			doc: "The team that the application belongs to. It sees full error details of its own team's services.",
		},
		{name: "details", def: "auto", shape: scalarOf(details()), doc: "What error bodies tell this application."},
		{
			name: "keys", aka: []string{"key", "api_key", "api_keys", "token"},
			shape: listOf(`a list such as ["${WEB_KEY}"]`, callerKeyShape()).notEmpty().hidden(),
			doc:   "The keys that let it in. Two applications can't have the same one. Required, unless it has `certificates`.",
		},
		{
			name: "certificates", optional: true, aka: []string{"certificate", "client_certificates", "mtls"},
			shape: listOf("a list such as [{san: billing.internal}]", callerCertificateShape()).notEmpty(),
			doc:   "Client certificates that let it in where a call has no key; they need `server.client_auth`. Two applications can't have the same one.",
		},
		{
			name: "subscribes", aka: []string{"subscriptions", "allow", "scopes"},
			shape: listOf("a list such as [orders, models/fast]", scalarOf(text("a subscription"))),
			doc:   "What it may call: a service's name; `models/NAME` for a model of this file; `models/PROVIDER/MODEL`, `models/PROVIDER/*` or `models/*` for a provider's models directly; `prompts/NAME` for a prompt of this file, or `prompts/*`.",
		},
		{
			name: "limits", shape: objectOf("{tokens: 100000, per: 1m, budget: {usd: 50, per: month}}", limitKeys()),
			doc: "What it may use of models in a time.",
		},
		guardrailNames("Guardrails for its calls to models, with those of the model and of `llm`."),
	}
}

func callerKeyShape() shape {
	return objectOf("{value: KEY, expires: 2027-01-31}", []key{
		{
			name: "value", shape: scalarOf(secretText("a key")).hidden(), aka: []string{"key", "token"},
			doc: "The key itself. It is hashed when the file is read, and not kept.",
		},
		{
			name: "sha256", shape: scalarOf(hash()).hidden(), aka: []string{"hash"},
			doc: "In place of `value`: the key's SHA-256, 64 hexadecimal digits.",
		},
		{
			name: "expires", shape: scalarOf(date()), aka: []string{"expires_at", "expiry"},
			doc: "From when on the key is refused: a moment as RFC 3339 has them, or a day, which means its beginning in UTC.",
		},
	}).orScalar(secretText("a key")).hidden().checked(checkCallerKey)
}

func details() scalar {
	return oneOf(nil,
		choice{value: "auto", doc: "`full` for callers on loopback and applications of the service's team, else `safe`"},
		choice{value: "full", doc: "addresses, evidence, attempts and advice for operators"},
		choice{value: "safe", doc: "no addresses"})
}

func weight() scalar { return integer("a weight", 1, 10_000) }

func timeouts(firstByte, idle string) shape {
	return objectOf("{connect: 2s, first_byte: 60s}", []key{
		{name: "connect", def: "2s", shape: scalarOf(duration(0)), doc: "One attempt's DNS, TCP and TLS."},
		{name: "send", def: "60s", shape: scalarOf(duration(0)), doc: "The longest wait while sending the request."},
		{
			name: "first_byte", def: firstByte, shape: scalarOf(duration(0)), aka: []string{"read", "response"},
			doc: "From the last byte of the request sent to the first of the answer; of a model's stream, to the first of its content: heartbeats don't count.",
		},
		{
			name: "idle", def: idle, shape: scalarOf(duration(0)),
			doc: "The longest silence in either direction after the first byte; after an upgrade (WebSocket) it alone holds.",
		},
		{name: "total", def: "0s", shape: scalarOf(duration(0)), doc: "The whole call with all its attempts, to the last byte of the answer; 0 = off."},
	})
}

func retries() shape {
	return objectOf("{max: 2, on: [connect, 503]}", []key{
		{
			name: "max", def: "2", shape: scalarOf(integer("a number of retries", 0, 10)), aka: []string{"attempts", "count"},
			doc: "Retries after the first attempt; 0 = none.",
		},
		{
			name: "on", def: "[connect, reset_before_response, 502, 503, 504]", shape: listOf("a list such as [connect, 503]", scalarOf(retryReason())),
			doc: "What is tried again: `connect` (no connection was made), `reset_before_response` (it was lost before an answer), or a status from 400 to 599. Only what is safe to repeat is: nothing had reached the upstream, or the method is idempotent, or the call has an `Idempotency-Key`.",
		},
		{
			name: "budget", def: "20%", shape: scalarOf(percentage()),
			doc: "The most retries as a share of the calls over the last 10 s; 3 are always allowed.",
		},
		{name: "backoff", def: "50ms", shape: scalarOf(duration(0)), doc: "The pause before a retry. It doubles with each, and a random half is taken off. The first retry at a target that has not failed this call is made at once."},
	})
}

func upstreamTLS() shape {
	return objectOf("{ca_file: ca.pem}", []key{
		{
			name: "ca_file", shape: scalarOf(orEmpty(fileName())), aka: []string{"ca", "ca_cert"},
			doc: "A PEM file of certificates to trust in place of the system's. Relative files are taken from this file's folder.",
		},
		{
			name: "server_name", shape: scalarOf(orEmpty(serverName())), aka: []string{"sni"},
			doc: "The name to ask for and to find in the certificate, where it isn't the URL's.",
		},
		{
			name: "insecure_skip_verify", def: "false", shape: scalarOf(boolean()), aka: []string{"insecure", "skip_verify"},
			doc: "Takes any certificate: anyone on the way can then read and change calls, unless `pins` knows the server's key.",
		},
		{
			name: "cert_file", shape: scalarOf(orEmpty(fileName())), aka: []string{"cert", "certificate", "client_cert"},
			doc: "A PEM file with the gateway's own certificate, shown when the upstream asks for one (mutual TLS). It is read again when it changes.",
		},
		{name: "key_file", shape: scalarOf(orEmpty(fileName())), aka: []string{"key", "private_key", "client_key"}, doc: "A PEM file with that certificate's private key."},
		{name: "min_version", def: "1.2", shape: scalarOf(tlsVersion()), doc: "The oldest version of TLS to speak with the upstream."},
		{
			name: "pins", shape: listOf("a list of pins such as [\"sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]", scalarOf(pin())), aka: []string{"pin", "pinned_keys"},
			doc: "Public keys (SHA-256 of the SubjectPublicKeyInfo, RFC 7469), one of which must be in the upstream's verified chain. Name a spare one before you change keys. With `insecure_skip_verify` only the server's own key counts.",
		},
	}).checked(checkUpstreamTLS)
}
