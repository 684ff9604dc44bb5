package fault

// moneyRows are the refusals of what an application may use of models, and of what its texts may hold.
var moneyRows = []Entry{
	{
		Kind: TokensSpent, Status: 429, Proxy: "http_request_denied", Cause: Caller, Again: Delayed, At: AtGateway,
		Title:        "The application has used up its tokens",
		Explain:      "The application may use so many tokens of models in a time, and they are used up, or reserved by calls that are still running. Retry-After says when the next window begins.",
		CallerAdvice: []string{"Wait for the time in Retry-After, or send less at once."},
		OperatorAdvice: []string{
			"Raise applications.NAME.limits.tokens, or make limits.per shorter.",
		},
	},
	{
		Kind: BudgetSpent, Status: 429, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "The application's budget is spent",
		Explain:      "What the application's calls cost has reached its budget for this day, week or month, or calls that are still running have reserved what is left of it. Unlike a rate limit this does not pass soon, and repeating does not help.",
		CallerAdvice: []string{"Ask whoever runs this gateway to raise the application's budget, or wait until its next window begins."},
		OperatorAdvice: []string{
			"Raise applications.NAME.limits.budget.usd.",
			"Look at the call log for the application's dearest calls: GET /api/v1/calls?application=NAME.",
		},
	},
	{
		Kind: PriceUnknown, Status: 403, Proxy: "http_request_denied", Cause: Configuration, Again: Elsewhere, At: AtGateway,
		Title:        "What the model costs is not known",
		Explain:      "The application has a budget, and the model has no price, neither in the catalogue of the binary nor in the configuration, so that the call could not be counted. It was not sent.",
		CallerAdvice: []string{"Use another model, or tell whoever runs this gateway that this one has no price."},
		OperatorAdvice: []string{
			"Add the model under prices: prices: {PROVIDER/MODEL: {input: 0.15, output: 0.60}}, in US dollars for a million tokens; 0 where it costs nothing.",
		},
	},
	{
		Kind: PromptBlocked, Status: 403, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "The prompt holds what a guardrail keeps in",
		Explain:      "A guardrail of this gateway found something in the prompt that must not go to a model: personal data, a secret, or a word or pattern of whoever runs the gateway. The call was not sent. The failure names the guardrail and what kind of thing it found, never the text.",
		CallerAdvice: []string{"Take out of the prompt what the failure names, and send it again."},
		OperatorAdvice: []string{
			"Where it should be masked and the call go on, set guardrails.NAME.with to full, partial, hash or reversible.",
		},
	},
	{
		Kind: PromptTooLarge, Status: 413, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "The prompt is larger than a guardrail allows",
		Explain:      "A guardrail of this gateway bounds how much text a prompt may have. The call was not sent.",
		CallerAdvice: []string{"Send less text: shorten the conversation, or leave documents out."},
		OperatorAdvice: []string{
			"Raise guardrails.NAME.max_prompt.",
		},
	},
	{
		Kind: AnswerBlocked, Status: 403, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "The model's answer holds what a guardrail keeps out",
		Explain:      "A guardrail of this gateway found something in the model's answer that must not reach callers. The model has answered, and may have billed the call; a stream was ended at that place. The failure names the guardrail and what kind of thing it found, never the text.",
		CallerAdvice: []string{"Ask for something else, or tell whoever runs this gateway that the guardrail is too strict."},
		OperatorAdvice: []string{
			"Where it should be masked and the answer go on, set guardrails.NAME.with to full, partial or hash.",
		},
	},
	{
		Kind: OutputMismatch, Status: 502, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The model's output does not fit the prompt's schema",
		Explain:      "The prompt promises JSON of a schema, and what the model answered is not of it: other JSON, text around none, or JSON that ends because max_tokens was reached. It was not handed on. The next target of the prompt's model is asked where there is one; the provider bills each attempt.",
		CallerAdvice: []string{"Send it again: models vary. If it keeps failing, tell whoever runs this API, and give the call id."},
		OperatorAdvice: []string{
			"Use a model that can be held to a schema (structured output), or add one under fallback of the prompt's model.",
			"Raise parameters.max_tokens of the prompt when the output ends too early.",
			"Describe the wanted JSON in the prompt's text, and keep the schema small.",
		},
	},
	{
		Kind: PromptNotFound, Status: 404, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtGateway,
		Title:        "There is no such prompt",
		Explain:      "The call names a prompt, or a version of one, that the configuration does not have under prompts.",
		CallerAdvice: []string{"Check the name in the path /prompts/NAME and the version; GET /prompts/NAME describes a prompt that is there."},
		OperatorAdvice: []string{
			"Add it under prompts, and prompts/NAME to subscribes of the applications that may call it.",
		},
	},
}
