package fault

// beneath are the kinds of a target's own trouble: what lies behind a target that is unhealthy
// or whose breaker is open.
var beneath = kindsOf(roadRows, tlsRows, answerRows, upstreamRows)

func kindsOf(parts ...[]Entry) []Kind {
	var kinds []Kind
	for _, e := range join(parts...) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// choosingRows are the failures of choosing a target: no attempt was made.
var choosingRows = []Entry{
	{
		Kind: NoTarget, Status: 500, Proxy: "destination_not_found", Cause: Configuration, Again: Never, At: AtGateway,
		Title:        "The service has no target",
		Explain:      "The call was routed to a service or model whose upstream has no target at all, so there is nowhere to send it.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Add at least one entry under upstream.targets of the service, or under targets of the model.",
			"A target with weight 0 gets no calls: give one of them a weight above it.",
		},
	},
	{
		Kind: NoHealthyTarget, Status: 503, Proxy: "destination_unavailable", Cause: Software, Again: Delayed, At: AtUpstream, DependsOn: beneath,
		Title:        "No target of the service is healthy",
		Explain:      "Every target has failed upstream.health.unhealthy_after checks in a row, so the call was answered at once instead of being sent to a server known to fail. Each target's own reason is in the evidence, and the cause given is theirs.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Begin with each target's own reason in the evidence: it is the fault to mend, and this one ends by itself upstream.health.healthy_after good checks later.",
			"If the targets do work, the check is at fault: see what upstream.health.path answers, and whether upstream.health.status and upstream.health.timeout fit.",
		},
	},
	{
		Kind: NoSlot, Status: 503, Proxy: "connection_limit_reached", Cause: Overload, Again: Delayed, At: AtGateway, DependsOn: []Kind{NoHealthyTarget, BreakerOpen, ConnectTimeout, FirstByteTimeout, IdleTimeout},
		Title:        "Every target is at its limit of calls",
		Explain:      "Each healthy target has as many calls in flight as upstream.max_busy allows, so this one was not sent.",
		CallerAdvice: []string{repeatFreely, "Send fewer calls at once."},
		OperatorAdvice: []string{
			"If the targets have room left, raise upstream.max_busy.",
			"Else add targets, or find out why calls take so long: the number in flight is calls per second times seconds per call.",
			"policies.rate_limit keeps one caller from taking all slots.",
		},
	},
	{
		Kind: BreakerOpen, Status: 503, Proxy: "destination_unavailable", Cause: Overload, Again: Delayed, At: AtUpstream, DependsOn: beneath,
		Title:        "The upstream is being left alone after too many failures",
		Explain:      "More than upstream.breaker.failures of the last calls failed, so the breaker is open: calls are answered at once until upstream.breaker.open_for has passed and a trial call succeeds. The failure that opened it is in the evidence.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Begin with the failure that opened the breaker: it is the fault to mend.",
			"If the breaker opens at few failures, raise upstream.breaker.min_calls or upstream.breaker.failures.",
		},
	},
}

// upstreamRows are failures that the upstream itself answered with. Its answer goes to the
// caller as it is; the finding only comments on it.
var upstreamRows = []Entry{
	{
		Kind: UpstreamError, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered that it failed (500 or another 5xx)",
		Explain:      "The upstream sent a complete answer with status 500, and it was passed on unchanged. The gateway and the way to the upstream work; the application failed on this call.",
		CallerAdvice: []string{"The answer is the upstream's own: its body may say more.", repeatCareful},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call; the traceparent header it got carries the same trace id as this call.",
			"Compare with calls that worked: one path, one caller or one body that always fails points at a bug on that input.",
		},
	},
	{
		Kind: UpstreamBadGateway, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered 502 (bad gateway)",
		Explain:      "The upstream is itself a proxy that could not get an answer from the server behind it, or an application that says so of a service that it called. Its 502 was passed on unchanged: the broken part lies behind it, not between it and Causeway.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Look in the log of the proxy that the evidence names, at the moment of the call, and where it names none in the upstream's own: Causeway reached it without trouble.",
			"With upstream.targets pointing at the server behind such a proxy, Causeway sees the reason itself and says it.",
		},
	},
	{
		Kind: UpstreamUnavailable, Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The upstream answered that it is unavailable (503)",
		Explain:      "The upstream sent a complete answer with status 503, and it was passed on unchanged: it is overloaded, in maintenance, or a load balancer with no server behind it.",
		CallerAdvice: []string{"Wait for the time in Retry-After, or some seconds, and send it again.", repeatCareful},
		OperatorAdvice: []string{
			"If the evidence names a load balancer, look at the health of its own targets.",
			"Else look at the upstream's load and whether it is in maintenance; add replicas or set policies.rate_limit below what it carries.",
		},
	},
	{
		Kind: UpstreamTimeout, Cause: Overload, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered 504 (gateway timeout)",
		Explain:      "The upstream is itself a proxy that waited too long for the server behind it, or an application that says so of a service that it called. Its 504 was passed on unchanged.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Where the evidence names a proxy, look at its timeout (nginx: proxy_read_timeout) and at the server behind it; where it names none, look in the upstream's own log for what it waited for.",
			"Time limits should grow from the inside to the outside: a proxy's below upstream.timeouts.first_byte.",
		},
	},
	{
		Kind: UpstreamRateLimited, Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The upstream limits the rate of calls (429)",
		Explain:      "The upstream sent 429 Too Many Requests, and it was passed on unchanged. The limit is the upstream's own, not one of the gateway's.",
		CallerAdvice: []string{"Wait for the time in Retry-After and send fewer calls."},
		OperatorAdvice: []string{
			"The upstream may count all callers as one, since they all come from the gateway: raise its limit for the gateway, or let it count by X-Forwarded-For.",
			"Set policies.rate_limit below the upstream's limit, so that callers get RateLimit headers and are told when to come back.",
		},
	},
}
