package catalog

import (
	"slices"
	"strings"
)

// onlyAPI checks `api` of a model's target: it chooses between two APIs of OpenAI's dialect, which its provider must
// speak, and must have the one that is named. name is the value that names the model.
func (c *checker) onlyAPI(t, name, root *value) {
	api := t.get("api")
	if !api.set() || api.bad || name.bad || !name.set() {
		return
	}
	text := as[string](name)
	if root.get("models").fields[text] != nil {
		c.faults.add(api.name, "`"+api.path+"` is said of "+text+", which is a model here with targets of its own",
			"remove it, and write it at a target of models."+text)
		return
	}
	provider, model, _ := strings.Cut(text, "/")
	if provider == sandboxName {
		return
	}
	v := root.get("providers").fields[provider]
	if v == nil || v.bad {
		return
	}
	vendor, _, known := providerOf(v)
	if !known {
		return
	}
	speaks := vendor.Speaks()
	if vendor.Kind == "vertex" {
		speaks = vertexSpeaks(model)
	}
	word := as[string](api)
	switch {
	case speaks != dialectOpenAI:
		c.faults.add(api.name, "`"+api.path+"` chooses one of OpenAI's two APIs, and `providers."+provider+"` is asked for "+model+" in another dialect, "+speaks,
			"remove it: calls by either API are translated")
	case word == APIResponses && (vendor.Kind == "vertex" || vendor.Ops != nil && !slices.Contains(vendor.Ops, "responses")):
		c.faults.add(api.at, "`"+api.path+": "+word+"` can't be: "+vendor.Kind+" has no Responses API",
			"remove it: calls by that API are translated to Chat Completions")
	}
}

// vertexSpeaks is the dialect in which Vertex AI is asked for a model, which is its publisher's.
func vertexSpeaks(model string) string {
	publisher, _, named := strings.Cut(model, "/")
	switch {
	case publisher == "anthropic", !named && strings.HasPrefix(model, "claude-"):
		return dialectAnthropic
	case named && publisher != "google", strings.HasPrefix(model, "mistral-"), strings.HasPrefix(model, "codestral-"):
		return dialectOpenAI
	}
	return dialectGemini
}
