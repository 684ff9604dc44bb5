package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	docAPI = `Everything that the console can do, for scripts.

Sign in with POST /api/v1/session, which sets a cookie, or send a personal access token (POST /api/v1/tokens) as ` + "`Authorization: Bearer`" + `. Over the socket in the data folder no proof is needed.

Errors are application/problem+json (RFC 9457); errors[].pointer names the member or parameter that is wrong. Times are RFC 3339 in UTC, durations end in _ms. Lists take limit and cursor.

While the console listens on loopback only, it answers to loopback hosts only (421 otherwise).`
	docOpenAPI = `The OpenAPI 3.1 description of this API, made from the routes that serve it.`
)

var docTags = []*huma.Tag{
	{Name: "calls", Description: "Calls that went through the gateway, and why they went as they did."},
	{Name: "incidents", Description: "What is and was wrong, one for each thing, and how everything behind the gateway is."},
	{Name: "models", Description: "Providers, models and prompts as they are configured, and how they are now."},
	{Name: "usage", Description: "What was used and what it cost."},
	{Name: "doctor", Description: "Targets, examined step by step."},
	{Name: "drill", Description: "What callers would see of an upstream's failures."},
	{Name: "failures", Description: "The catalogue of failures."},
	{Name: "session", Description: "Signing in and out."},
	{Name: "tokens", Description: "Personal access tokens, for scripts."},
	{Name: "operation", Description: "State of the process, for probes and scrapers."},
	{Name: "pages", Description: "Pages for people and tools."},
}

func (a *api) getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the client has left, and there is no one else to tell.
	_, _ = w.Write(a.spec)
}
