package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/route"
)

// yields tells whether an LLM address gives way to a service's route without hosts: those of dialects beyond the
// ones that the gateway is known for (Cohere's, Bedrock's and Ollama's) stand where services have theirs, too.
func yields(path string) bool {
	return !strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/v1beta/")
}

// isRouted tells whether a service has a route for the call's path.
func (c *call) isRouted() bool {
	res := c.gen.Routes.Match(c.j.Method, c.rq.Authority, c.rq.Path, c.headerLookup())
	return res.Status != route.NotFound && res.Status != route.BadPath
}

// answerModels answers the calls for lists of models, for one model, and for the server's version: in each
// dialect's form, what this caller may use.
func (c *call) answerModels() {
	var body []byte
	ok := true
	switch c.op {
	case llm.Version:
		if d, has := c.dialect.(llm.Versioned); has {
			body = d.AppendVersion(nil)
		}
	case llm.GetModel:
		var name string
		if name, ok = c.askedModel(); ok && c.resolve(name) {
			body = c.dialect.AppendModel(nil, llm.Model{ID: c.model.Name, OwnedBy: ownerOf(c.model), Created: c.gen.Created})
		} else {
			ok = false
		}
	default:
		body, ok = c.listModels()
	}
	if !ok {
		c.explain()
		return
	}
	c.page(http.StatusOK, typeJSON, body)
}

// askedModel is the model that a call for one names: in the address, or in its body.
func (c *call) askedModel() (name string, ok bool) {
	if c.pathModel != "" {
		// SDKs send the slash of PROVIDER/MODEL as %2F.
		if name, err := url.PathUnescape(c.pathModel); err == nil {
			return name, true
		}
		return c.pathModel, true
	}
	if !c.readModelBody() {
		return "", false
	}
	if err := c.dialect.ReadRequest(&c.llmReq, c.match(), c.body); err != nil {
		return "", c.badBody(err)
	}
	return view(c.llmReq.Model), true
}

func (c *call) listModels() (body []byte, ok bool) {
	var list []llm.Model
	for _, n := range c.usableModels() {
		m, _ := c.gen.Resolve(n)
		list = append(list, llm.Model{ID: n, OwnedBy: ownerOf(m), Created: c.gen.Created})
	}
	d, paged := c.dialect.(llm.Pager)
	if !paged {
		return c.dialect.AppendModels(nil, list), true
	}
	body, err := d.AppendModelPage(nil, list, view(c.rq.Query))
	if err == nil {
		return body, true
	}
	f := failure{kind: fault.BadRequest}
	var wrong *llm.RequestError
	if errors.As(err, &wrong) {
		f.param = wrong.Param()
		f.detail = "The query can't be used: " + f.param + " " + wrong.Problem + "."
	}
	f.safe = f.detail
	return nil, c.fail(f)
}
