package fault

// callerRows are the failures on the caller's side: what it sent, what it may do, that it left.
var callerRows = []Entry{
	{
		Kind: MalformedRequest, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request is not valid HTTP",
		Explain:      "The bytes that came break the grammar of HTTP, or say the request's length in two ways. The gateway does not guess, since a request read in two ways is how requests are smuggled past guards.",
		CallerAdvice: []string{"Use an HTTP library instead of writing the request by hand.", "Speaking HTTPS to a plain port, or another protocol, ends here too: check the scheme and the port."},
		OperatorAdvice: []string{
			"If many callers are hit, look at the proxy or load balancer in front of the gateway: it passes their requests on in this form.",
		},
	},
	{
		Kind: RequestHeaderTooBig, Status: 431, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request's header is too large",
		Explain:      "The request line and the header together have more bytes, or more fields, than server.max_header allows.",
		CallerAdvice: []string{"Send fewer or smaller headers; cookies and tokens that grow are the usual reason."},
		OperatorAdvice: []string{
			"Raise server.max_header if such headers are meant to be.",
		},
	},
	{
		Kind: RequestHeaderTimeout, Status: 408, Proxy: "http_request_error", Cause: Caller, Again: Always, At: AtCaller,
		Title:        "The request's header did not come in time",
		Explain:      "The request had begun and its header was not complete within server.read_header_timeout.",
		CallerAdvice: []string{"Send the whole header at once. The request did no work, so it can be sent again."},
		OperatorAdvice: []string{
			"Raise server.read_header_timeout only if callers are on very slow links: it keeps slow connections from holding the gateway.",
		},
	},
	{
		Kind: RequestBodyTimeout, Status: 408, Proxy: "http_request_error", Cause: Caller, Again: Idempotent, At: AtCaller,
		Title:        "The request's body did not come in time",
		Explain:      "The caller announced a body and then sent nothing for upstream.timeouts.idle. Part of it may have reached the upstream.",
		CallerAdvice: []string{"Check that as many bytes are sent as Content-Length announces.", repeatCareful},
		OperatorAdvice: []string{
			"Raise upstream.timeouts.idle if callers upload with long pauses.",
		},
	},
	{
		Kind: RequestBodyTooSlow, Status: 408, Proxy: "http_request_error", Cause: Caller, Again: Idempotent, At: AtCaller,
		Title:        "The request's body came too slowly",
		Explain:      "The caller sent its body, but in so small pieces and with so long pauses that on average fewer bytes a second came than server.min_rate asks for. Part of it may have reached the upstream.",
		CallerAdvice: []string{"Send the body as fast as the network allows, or collect it first and send it then.", repeatCareful},
		OperatorAdvice: []string{
			"Lower server.min_rate if callers are meant to send so slowly; 0 takes any rate.",
			"Many such calls from few addresses are an attack that tries to keep connections and upstreams busy.",
		},
	},
	{
		Kind: RequestBodyAborted, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request's body broke off",
		Explain:      "The caller ended the connection, or broke its chunked framing, before the whole body was there. The upstream is not to blame.",
		CallerAdvice: []string{"Check that as many bytes are sent as Content-Length announces, and that the file does not change while it is sent."},
		OperatorAdvice: []string{
			"Aborts at always the same time are a timeout of the caller or of a load balancer in front of the gateway.",
		},
	},
	{
		Kind: VersionNotSupported, Status: 505, Proxy: "proxy_internal_response", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request's HTTP version is not supported",
		Explain:      "The request line names a version of HTTP that the gateway does not speak on this port. It speaks HTTP/1.0 and HTTP/1.1.",
		CallerAdvice: []string{"Send HTTP/1.1."},
		OperatorAdvice: []string{
			"Set the load balancer in front of the gateway to HTTP/1.1 towards its backends.",
		},
	},
	{
		Kind: ExpectationFailed, Status: 417, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request expects something other than 100-continue",
		Explain:      "The request has an Expect header with a value other than 100-continue, the only one that HTTP defines.",
		CallerAdvice: []string{"Remove the Expect header, or send Expect: 100-continue."},
		OperatorAdvice: []string{
			"Nothing to change on the gateway: the calling program sets this header.",
		},
	},
	{
		Kind: BodyTooLarge, Status: 413, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request's body is too large",
		Explain:      "The body has more bytes than policies.body_limit of the service or server.max_body allows.",
		CallerAdvice: []string{"Send a smaller body, or in parts where the API allows it."},
		OperatorAdvice: []string{
			"Raise policies.body_limit of the service, or server.max_body, if such bodies are meant to be; the upstream must accept them as well.",
		},
	},
	{
		Kind: BadRequest, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request is not what this address takes",
		Explain:      "The request is valid HTTP, but its content is not what the address needs: no JSON, a missing field, a key that occurs twice, a value of the wrong type.",
		CallerAdvice: []string{"Correct the field named in the detail."},
		OperatorAdvice: []string{
			"If many callers are hit at once, look at what they all use: an SDK of a new version, a proxy that rewrites bodies.",
		},
	},
	{
		Kind: CallerGone, Status: 499, Cause: Caller, Again: Idempotent, At: AtCaller,
		Title:        "The caller left before the answer",
		Explain:      "The caller closed its connection while the call was running, so the call to the upstream was cancelled. The status 499 is only in the log: nobody was there to get it.",
		CallerAdvice: []string{"Raise your client's timeout if the call is meant to take that long.", repeatCareful},
		OperatorAdvice: []string{
			"Calls left after always the same time are a timeout of the client, or of a load balancer in front of the gateway, that is shorter than the upstream is slow.",
			"If calls used to be quicker, the upstream's slowness is the cause: compare the time to the first byte.",
		},
	},
	{
		Kind: CallerTooSlow, Status: 499, Cause: Caller, Again: Idempotent, At: AtCaller,
		Title:        "The caller did not take the answer",
		Explain:      "The caller stayed connected but took nothing of the answer for as long as upstream.timeouts.idle allows, or fewer bytes a second than server.min_rate, so the answer was cut: whoever does not read holds the upstream as well. The status 499 is only in the log, where nothing of the answer had left.",
		CallerAdvice: []string{"Read the answer to its end, or close the connection; a program that is stopped in a debugger or waits for itself ends here too.", repeatCareful},
		OperatorAdvice: []string{
			"Lower server.min_rate, or raise upstream.timeouts.idle, if callers are on very slow links or pause while they read.",
			"Many such calls from few addresses are an attack that tries to keep connections and upstreams busy.",
		},
	},
	{
		Kind: RouteNotFound, Status: 404, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "No route matches this address",
		Explain:      "No service of the gateway has a route for this host and path. The routes that came closest are in the detail.",
		CallerAdvice: []string{"Check the path, and the host you called, for a typing error."},
		OperatorAdvice: []string{
			"Add a route under services.NAME.routes, such as {path: /orders/*}; /orders/* matches /orders as well.",
			"If a route looks right, check its hosts and match_headers, and that the newest configuration is in force (causeway validate FILE).",
		},
	},
	{
		Kind: MethodNotAllowed, Status: 405, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "This address does not take this method",
		Explain:      "A route matches host and path, but not the method of the request. The Allow header lists those it takes.",
		CallerAdvice: []string{"Use one of the methods in the Allow header."},
		OperatorAdvice: []string{
			"Add the method to methods of the route, or leave methods out to take all.",
		},
	},
	{
		Kind: AmbiguousPath, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The path can be read in two ways",
		Explain:      "Encoded slashes or dot segments give the path two readings that would match different routes. Taking either would be a way round the guards of the other, so the request was not sent.",
		CallerAdvice: []string{"Send the path without %2F, // and .. where a plain path is meant."},
		OperatorAdvice: []string{
			"If such paths are meant to be, give both readings to one route with a wider path.",
		},
	},
	{
		Kind: KeyMissing, Status: 401, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request carries no key",
		Explain:      "The service or model is open only to applications with a key, and the request has none in the places where one is looked for.",
		CallerAdvice: []string{"Send your key: in the header apikey or Authorization: Bearer for a service; in Authorization: Bearer, x-api-key or x-goog-api-key for a model."},
		OperatorAdvice: []string{
			"Give the caller a key under applications.NAME.keys and subscribe it to the service under subscribes.",
			"With access: open the service needs no key.",
		},
	},
	{
		Kind: KeyUnknown, Status: 401, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The key is not known",
		Explain:      "The request carries a key that belongs to no application of this gateway. Where the header apikey is present, no other header is looked at.",
		CallerAdvice: []string{"Check the key: copied as a whole, for this gateway, in the right header.", "A provider's own key (sk-...) is not a key of the gateway."},
		OperatorAdvice: []string{
			"Add the key under applications.NAME.keys; if it comes from the environment, check that the variable held it when the configuration was read.",
		},
	},
	{
		Kind: KeyExpired, Status: 401, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The key has expired",
		Explain:      "The key belongs to an application of this gateway, but the time until which it is valid has passed.",
		CallerAdvice: []string{"Ask whoever runs this API for a new key."},
		OperatorAdvice: []string{
			"Add a new key under applications.NAME.keys, let the caller change over, and remove the old one.",
		},
	},
	{
		Kind: NotSubscribed, Status: 403, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "The application is not subscribed to this",
		Explain:      "The key is good, but its application has no subscription to this service or model.",
		CallerAdvice: []string{"Ask whoever runs this API for a subscription, and give the call id."},
		OperatorAdvice: []string{
			"Add the service, or models/NAME, to subscribes of the application.",
			"A subscription to models/fast grants what fast leads to through that name only: direct use needs models/PROVIDER/MODEL.",
		},
	},
	{
		Kind: AddressNotAllowed, Status: 403, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "Calls from this address are not allowed",
		Explain:      "The caller's address is not in policies.ip_allow of the service.",
		CallerAdvice: []string{"Call from an allowed network, or ask whoever runs this API to allow yours."},
		OperatorAdvice: []string{
			"Add the caller's network to policies.ip_allow of the service.",
			"If all callers seem to have one address, a load balancer stands in front: name its network in server.trusted_proxies.",
		},
	},
	{
		Kind: RateLimited, Status: 429, Proxy: "http_request_denied", Cause: Caller, Again: Delayed, At: AtGateway,
		Title:        "Too many calls",
		Explain:      "The caller has used up what policies.rate_limit allows in this time. The RateLimit headers say how much is left and when it begins anew.",
		CallerAdvice: []string{"Wait for the time in Retry-After, then go on more slowly."},
		OperatorAdvice: []string{
			"Raise policies.rate_limit.requests if the upstream carries more.",
			"by: says who shares one count: with service, all callers share it.",
		},
	},
	{
		Kind: CallNotFound, Status: 404, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "There is no such call",
		Explain:      "No call with this id is kept, or it was made with another key than the one asking.",
		CallerAdvice: []string{"Ask with the key with which the call was made.", "Check the id: it is in the Causeway-Call-Id header of the answer."},
		OperatorAdvice: []string{
			"Calls are kept for calls.keep and up to calls.max_size; older ones are gone.",
			"causeway explain ID finds any call, whoever made it.",
		},
	},
	{
		Kind: ObjectNotFound, Status: 404, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "There is no such file or batch",
		Explain:      "No file, batch or cached content with this id was made through the gateway by the application that asks. What another application made, or what was made at the provider itself, does not exist for it.",
		CallerAdvice: []string{"Ask with a key of the application that made it.", "Upload the file through the gateway, and use the id that the answer names.", "Send what a cached content holds in the request itself."},
		OperatorAdvice: []string{
			"Whose files and batches are whose is kept in the database of the gateway; what was made elsewhere can't be claimed.",
			"Gemini's cached contents are made at the provider, so that whose they are is not known: where several applications share a provider's key none of them may use one. With keys: caller on the provider each uses its own.",
		},
	},
	{
		Kind: ProviderKeyMissing, Status: 401, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The request carries no key for the provider",
		Explain:      "The provider is configured with keys: caller: each caller brings its own key for it, and this request has none.",
		CallerAdvice: []string{"Send your own key for the provider in the header x-provider-key, beside your key for the gateway."},
		OperatorAdvice: []string{
			"With keys under providers.NAME.keys the gateway has keys of its own, and callers need none.",
		},
	},
	{
		Kind: ResponseNotFound, Status: 404, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtGateway,
		Title:   "There is no such response",
		Explain: "No response or item with this id is kept for the application that asks: it was made with store: false, by another application, before the gateway kept such things, or it has expired or was deleted.",
		CallerAdvice: []string{
			"Send the whole conversation as input instead of previous_response_id or item_reference.",
			"Leave store unsaid, or say store: true, in calls that are to be gone on from.",
			"Ask with a key of the application that made the response.",
		},
		OperatorAdvice: []string{
			"Conversations are kept for llm.keep_responses after their last turn, up to llm.keep_responses_size in all; the oldest go first.",
		},
	},
}
