package admin

import "net/http"

// routes is the whole API. The guard of each route enforces the access in its row, and the OpenAPI
// page shows the same.
func (a *api) routes() {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete

	page := func(r route, contentType, doc string, h http.HandlerFunc) { plain(a, r, contentType, doc, h) }
	page(route{get, "/", public, "pages", "getIndex", "What is where"}, "text/html", docIndex, a.getIndex)
	page(route{get, "/metrics", public, "operation", "getMetrics", "Metrics for Prometheus"}, "text/plain", docMetrics, a.Metrics.ServeHTTP)
	page(route{get, "/api/openapi.json", public, "pages", "getOpenAPI", "This page"}, "application/json", docOpenAPI, a.getOpenAPI)

	handle(a, route{get, "/healthz", public, "operation", "getHealth", "Whether the process is alive"}, docHealth, a.getHealth)
	handle(a, route{get, "/readyz", public, "operation", "getReadiness", "Whether traffic can be served"}, docReadiness, a.getReadiness, answersNotReady)
	handle(a, route{get, "/api/v1/status", viewer, "operation", "getStatus", "What runs here"}, docStatus, a.getStatus)

	handle(a, route{post, "/api/v1/session", public, "session", "signIn", "Sign in"}, docSignIn, a.signIn, takesBody, fails(401, 403, 429, 503))
	handle(a, route{get, "/api/v1/session", viewer, "session", "getSession", "Who am I"}, docSession, a.getSession)
	handle(a, route{del, "/api/v1/session", viewer, "session", "signOut", "Sign out"}, docSignOut, a.signOut)

	handle(a, route{post, "/api/v1/tokens", viewer, "tokens", "createToken", "Make a personal access token"}, docCreateToken, a.createToken, takesBody, created)
	handle(a, route{get, "/api/v1/tokens", viewer, "tokens", "listTokens", "List your tokens"}, docListTokens, a.listTokens)
	handle(a, route{del, "/api/v1/tokens/{id}", viewer, "tokens", "deleteToken", "Revoke a token"}, docDeleteToken, a.deleteToken, fails(404))

	handle(a, route{get, "/api/v1/calls", viewer, "calls", "listCalls", "Search calls"}, docListCalls, a.listCalls)
	handle(a, route{get, "/api/v1/calls/{id}", viewer, "calls", "getCall", "One call"}, docCall, a.getCall, fails(404))
	handle(a, route{get, "/api/v1/calls/{id}/explanation", viewer, "calls", "explainCall", "Why a call went as it did"}, docExplanation, a.explainCall, fails(404), answersText)

	handle(a, route{get, "/api/v1/incidents", viewer, "incidents", "listIncidents", "What is and was wrong"}, docListIncidents, a.listIncidents)
	handle(a, route{get, "/api/v1/incidents/stream", viewer, "incidents", "streamIncidents", "Incidents as they open and close"}, docStreamIncidents, a.streamIncidents, answersIncidents)
	handle(a, route{get, "/api/v1/incidents/{id}", viewer, "incidents", "getIncident", "One incident"}, docGetIncident, a.getIncident, fails(404))
	handle(a, route{get, "/api/v1/health", viewer, "incidents", "getUpstreamHealth", "How targets and providers are"}, docUpstreamHealth, a.getUpstreamHealth)

	handle(a, route{post, "/api/v1/calls/{id}/repro", admin, "calls", "reproduceCall", "Send a call again"}, docRepro, a.reproduce, takesBody, takesLargeBody, fails(404, 409, 422, 501, 503))

	handle(a, route{get, "/api/v1/providers", viewer, "models", "listProviders", "Providers and their keys"}, docListProviders, a.listProviders)
	handle(a, route{get, "/api/v1/models", viewer, "models", "listModels", "Models, their targets and prices"}, docListModels, a.listModels)
	handle(a, route{get, "/api/v1/prompts", viewer, "models", "listPrompts", "Prompts"}, docListPrompts, a.listPrompts)
	handle(a, route{get, "/api/v1/limits", viewer, "usage", "listLimits", "What is left of applications' limits"}, docListLimits, a.listLimits, fails(503))
	handle(a, route{get, "/api/v1/usage", viewer, "usage", "getUsage", "Tokens and costs, added up"}, docUsage, a.getUsage)
	handle(a, route{get, "/api/v1/usage/export", viewer, "usage", "exportUsage", "Tokens and costs of each call, as CSV"}, docUsageExport, a.exportUsage, answersCSV)
	handle(a, route{post, "/api/v1/usage/reconcile", viewer, "usage", "reconcileUsage", "Compare with a provider's bill"}, docReconcile, a.reconcile, takesCSV)

	handle(a, route{post, "/api/v1/doctor", admin, "doctor", "startDoctor", "Examine a target"}, docStartDoctor, a.startDoctor, takesBody, fails(422, 501, 503), answersEvents)
	handle(a, route{get, "/api/v1/doctor", viewer, "doctor", "listDoctor", "Past examinations"}, docListDoctor, a.listDoctor)
	handle(a, route{get, "/api/v1/doctor/{id}", viewer, "doctor", "getDoctor", "One examination"}, docGetDoctor, a.getDoctor, fails(404))
	handle(a, route{post, "/api/v1/drill", admin, "drill", "startDrill", "Grade the configuration in force"}, docStartDrill, a.startDrill, takesBody, fails(409, 422, 501), answersDrill)
	handle(a, route{get, "/api/v1/drill", viewer, "drill", "getDrill", "The last grades"}, docLastDrill, a.lastDrill, fails(404))

	handle(a, route{get, "/api/v1/failures", viewer, "failures", "listFailures", "Every way to fail"}, docFailures, a.listFailures)
}
