package fault

// modelRows are the failures of models and of the providers they come from.
var modelRows = []Entry{
	{
		Kind: Overloaded, Status: 503, Proxy: "destination_unavailable", Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The model's provider is overloaded",
		Explain:      "The provider refused the call because it has no capacity left at the moment (503, Anthropic: 529). It is not about this account or its limits.",
		CallerAdvice: []string{"Wait and send it again, with a growing pause.", "Try another model in the meantime."},
		OperatorAdvice: []string{
			"Add a model of another provider under fallback of the model, so that calls go on there.",
			"Look at the provider's status page.",
		},
	},
	{
		Kind: QuotaExhausted, Status: 429, Proxy: "http_request_error", Cause: Configuration, Again: Elsewhere, At: AtUpstream,
		Title:        "The provider's account has no credit left",
		Explain:      "The provider refused the call because the account's credit, budget or spending limit is used up. Unlike a rate limit this does not pass by itself, and repeating cannot help.",
		CallerAdvice: []string{"Repeating does not help. Tell whoever runs this API that the provider's account is out of credit, and give the call id."},
		OperatorAdvice: []string{
			"Add credit, or raise the spending limit, on the billing page of the provider.",
			"Add a key of another account under providers.NAME.keys, or another provider under fallback of the model.",
		},
	},
	{
		Kind: ProviderRateLimited, Status: 429, Proxy: "http_request_error", Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The provider limits the rate of calls",
		Explain:      "The provider refused the call because the account sent too many requests or tokens in the last minute or day.",
		CallerAdvice: []string{"Wait for the time in Retry-After, then go on with fewer or smaller calls."},
		OperatorAdvice: []string{
			"Add keys of further accounts under providers.NAME.keys: calls are spread by weight.",
			"Ask the provider for a higher tier, or give each application limits.tokens below the account's limit.",
		},
	},
	{
		Kind: ProviderKeyRejected, Status: 502, Proxy: "proxy_configuration_error", Cause: Configuration, Again: Elsewhere, At: AtUpstream,
		Title:        "The provider rejected the gateway's key",
		Explain:      "The provider answered that the key the gateway uses is wrong, revoked, or not allowed to do this. Your own key, with which you called the gateway, is fine.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Replace the key under providers.NAME.keys; the evidence says which one, by its last characters.",
			"Check that the key belongs to this provider and base_url, and that its project may use this model.",
		},
	},
	{
		Kind: ProviderError, Status: 502, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The provider failed",
		Explain:      "The provider answered with an error of its own (500 or alike). The request reached it, so it may have worked on it, and may bill it.",
		CallerAdvice: []string{"Send it again if an answer that is billed twice does no harm."},
		OperatorAdvice: []string{
			"Quote the provider's request id from the evidence in its support channel, and look at its status page.",
			"Add a model of another provider under fallback of the model.",
		},
	},
	{
		Kind: ModelNotFound, Status: 404, Proxy: "http_request_error", Cause: Configuration, Again: Elsewhere, At: AtCaller,
		Title:        "There is no such model",
		Explain:      "Neither the gateway nor the provider it asked knows a model of this name, or the key has no access to it.",
		CallerAdvice: []string{"GET /v1/models lists the models you may use.", "A model of a provider is named PROVIDER/MODEL, such as openai/gpt-4o-mini."},
		OperatorAdvice: []string{
			"Add the name under models, with a target PROVIDER/MODEL.",
			"If it worked before, the provider has retired the model: map the old name to its successor under models.",
		},
	},
	{
		Kind: ContextTooLong, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Elsewhere, At: AtCaller,
		Title:        "The request is too long for the model",
		Explain:      "Prompt and requested answer together have more tokens than the model can hold.",
		CallerAdvice: []string{"Shorten the prompt or the conversation, or lower max_tokens.", "Use a model with a larger context."},
		OperatorAdvice: []string{
			"Add a model with a larger context under fallback of the model.",
		},
	},
	{
		Kind: ContentRefused, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The provider refused the content",
		Explain:      "The provider's safety rules refused the prompt or the answer.",
		CallerAdvice: []string{"Change the prompt; the same one will be refused again."},
		OperatorAdvice: []string{
			"If the refusal is wrong, look at the content filter settings of the provider's account (Azure, Gemini).",
		},
	},
	{
		Kind: ParameterRejected, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Elsewhere, At: AtCaller,
		Title:        "The provider does not accept a parameter",
		Explain:      "The provider or the model does not know a parameter of the request, or not this value of it. If the same request worked before, the provider has changed.",
		CallerAdvice: []string{"Leave out or change the parameter named in the detail. Newer OpenAI models, for example, want max_completion_tokens for max_tokens."},
		OperatorAdvice: []string{
			"If callers cannot change, point the name under models at a model that accepts the parameter.",
		},
	},
	{
		Kind: RegionBlocked, Status: 403, Proxy: "http_request_error", Cause: Configuration, Again: Elsewhere, At: AtUpstream,
		Title:        "The provider does not serve the gateway's region",
		Explain:      "The provider refuses calls from the country or region that the gateway's address belongs to.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Use an endpoint of the provider in an allowed region (base_url), or the same model at a cloud that serves yours.",
			"Check which address the gateway's calls leave from: a VPN or a NAT may be in another country.",
		},
	},
	{
		Kind: IncompatibleResponse, Status: 502, Proxy: "http_protocol_error", Cause: IncompatibleChange, Again: Elsewhere, At: AtUpstream,
		Title:        "The provider's answer is not what its API promises",
		Explain:      "The provider answered, but the answer cannot be read as its dialect: HTML instead of JSON, a missing or changed field, or an error in a form that is not its own.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Check base_url of the provider: a login page or a website in place of the API answers HTML with status 200.",
			"Check that kind is right: a server that is merely like OpenAI's wants openai-compatible.",
			"If it is new, the provider has changed its API: look at its changelog.",
		},
	},
	{
		Kind: TruncatedStream, Status: 502, Proxy: "http_response_incomplete", Cause: Software, Again: Never, At: AtUpstream,
		Title:        "The model's stream ended before its end",
		Explain:      "The provider closed the stream without the event that ends it, so the answer is not complete. HTTP itself shows no error there: only the missing last event does.",
		CallerAdvice: []string{"What you received is not complete: do not use it as an answer.", "Sending it again may be billed again."},
		OperatorAdvice: []string{
			"Look for a proxy between gateway and provider that ends long answers after a fixed time.",
			"On a model server of your own, read its log: a worker that dies of memory ends its streams like this.",
		},
	},
	{
		Kind: StreamError, Status: 502, Cause: Overload, Again: Never, At: AtUpstream,
		Title:        "The provider reported an error inside its stream",
		Explain:      "The stream had begun with status 200, and the provider then sent an error event instead of the rest of the answer.",
		CallerAdvice: []string{"What you received is not complete: do not use it as an answer.", "Sending it again may be billed again."},
		OperatorAdvice: []string{
			"The provider's own message is in the evidence; overloaded and server errors pass by themselves.",
		},
	},
	{
		Kind: MalformedStream, Status: 502, Proxy: "http_protocol_error", Cause: IncompatibleChange, Again: Elsewhere, At: AtUpstream,
		Title:        "The provider's stream cannot be read",
		Explain:      "An event of the stream is not what the provider's dialect allows: no JSON, or HTML in the place of events.",
		CallerAdvice: []string{"What you received is not complete: do not use it as an answer.", tellOperator},
		OperatorAdvice: []string{
			"Check base_url and kind of the provider: the dialect spoken there is another.",
			"Look for a proxy between that answers in the provider's place.",
		},
	},
	{
		Kind: UnsupportedFeature, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Elsewhere, At: AtCaller,
		Title:        "The request uses something this model's provider does not have",
		Explain:      "The request cannot be carried over to the dialect of the provider without losing something that matters, so it was not sent.",
		CallerAdvice: []string{"Leave out the feature named in the detail, or use a model whose provider has it."},
		OperatorAdvice: []string{
			"Point the name under models at a provider that has the feature.",
		},
	},
}
