package openai

import (
	"net/url"

	"causeway/internal/llm"
)

// Azure is the dialect as Azure OpenAI speaks it: OpenAI's bodies at addresses with an api-version. With a
// dated version the deployment stands in the path, and the base URL is the resource's root
// (https://RESOURCE.openai.azure.com); with one of the v1 API's ("preview") it stands in the body as the
// model, and the base URL ends with the version path. The v1 API without an api-version is OpenAI's
// dialect itself.
//
// Sources: learn.microsoft.com/azure/ai-foundry/openai/reference (dated versions),
// learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (v1).
type Azure struct {
	Dialect
	query string // "api-version=2024-10-21"
	paths bool   // deployments stand in the path
}

var _ llm.VariantPlacer = Azure{}

// NewAzure returns the dialect for an api-version. paths tells that the deployment stands in the path.
func NewAzure(version string, paths bool) Azure {
	return Azure{query: "api-version=" + url.QueryEscape(version), paths: paths}
}

// Place is the path and query for a call of op to a deployment.
func (a Azure) Place(op llm.Operation, deployment string, stream bool) (path, query string) {
	return a.PlaceVariant(op, "", deployment, stream)
}

// PlaceVariant is Place for a call whose own address had more behind op's path: detail, as in Match.
func (a Azure) PlaceVariant(op llm.Operation, detail, deployment string, _ bool) (path, query string) {
	path = a.Path(op)
	if detail != "" {
		path += "/" + detail
	}
	query = a.query
	switch {
	case !a.paths:
	case ofDeployment(op):
		path = "/openai/deployments/" + url.PathEscape(deployment) + path
	case op == llm.Realtime:
		path, query = "/openai"+path, query+"&deployment="+url.QueryEscape(deployment)
	default:
		path = "/openai" + path
	}
	return path, query
}

// ofDeployment tells whether an operation's address names the deployment. Of the others the body does
// (responses), or no model is asked for at all (files, batches).
func ofDeployment(op llm.Operation) bool {
	switch op {
	case llm.Chat, llm.Completions, llm.Embeddings, llm.Images, llm.Speech, llm.Transcriptions, llm.Translations:
		return true
	}
	return false
}
