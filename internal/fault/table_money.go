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
}
