package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/prompt"
	"causeway/internal/wire"
)

// A prompt is called like any REST API. Behind its address it is a chat in a dialect of our own (llm/prompt), and
// goes through the same rooms as every other.

// prompted is what a call of a prompt is.
type prompted struct {
	asked bool // its address is one of prompts
	name  string
	api   *prompt.API // nil when there is none of that name
	call  *prompt.Call
}

// promptAddress tells whether the call is for a prompt. path is without llm.prefix.
func (c *call) promptAddress(path string) (done, ok bool) {
	name, found := strings.CutPrefix(path, prompt.Path)
	if !found {
		return false, false
	}
	if !c.gen.LLMHost(view(c.rq.Authority)) || c.hostIsNamed() {
		return false, false
	}
	p := &c.prompt
	p.asked, p.name = true, strings.Clone(name)
	p.api = c.gen.Prompts[p.name]
	c.j.Dialect, c.j.Route = "prompt", prompt.Path+"*"
	if p.api != nil {
		c.j.Route = prompt.Path + p.api.Name
	}
	c.op = llm.Chat
	switch c.j.Method {
	case http.MethodPost, http.MethodGet, http.MethodHead:
		return true, true
	}
	c.allow = "GET, HEAD, POST"
	text := "A prompt takes POST with its variables, and GET for its description, not " + c.j.Method + "."
	return true, c.fail(failure{kind: fault.MethodNotAllowed, detail: text, safe: text})
}

// openPrompt finds the prompt and the version that are asked for, once it is known who asks.
func (c *call) openPrompt() bool {
	p := &c.prompt
	if p.api == nil {
		text := fmt.Sprintf("There is no prompt %q here.", p.name)
		if near := nearest(p.name, c.usablePrompts(), 3); len(near) > 0 {
			text += " Did you mean " + strings.Join(near, ", ") + "?"
		}
		return c.fail(failure{kind: fault.PromptNotFound, detail: text, safe: text})
	}
	if c.caller != nil && !c.caller.MayAsk(p.name) {
		return c.notSubscribed("the prompt "+p.name, "prompts/"+p.name)
	}
	asked := prompt.Asked{CallID: c.j.ID.String(), Version: string(c.rq.Header.Lookup("Causeway-Prompt-Version"))}
	query, err := url.ParseQuery(string(c.rq.Query))
	if err != nil {
		text := "The query is malformed: " + err.Error() + "."
		return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text})
	}
	for name, values := range query {
		switch value := values[len(values)-1]; {
		case name == "version":
			asked.Version = value
		case name == "stream" && (value == "true" || value == "1"):
			asked.Stream = true
		case name == "stream" && (value == "false" || value == "0"):
		case name == "stream":
			text := "The query's stream is true or false, and not " + clipText(value) + "."
			return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text})
		default:
			text := "A prompt's query has version and stream, and not " + clipText(name) + "; its variables go into the JSON body."
			return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text})
		}
	}
	asked.Plain = prefersText(string(c.rq.Header.Get(wire.Accept)))
	call, ok := p.api.Begin(asked)
	if !ok {
		text := fmt.Sprintf("The prompt %s has no version %q; it has %s.", p.name, clipText(asked.Version), strings.Join(p.api.Versions(), ", "))
		return c.fail(failure{kind: fault.PromptNotFound, detail: text, safe: text})
	}
	p.call = call
	c.note("signpost", "prompt "+p.name+", version "+call.Version())
	return true
}

// prefersText tells whether an Accept ranks text/plain first: it names it before application/json and any wildcard.
func prefersText(accept string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/plain":
			return true
		case "application/json", "text/event-stream", "*/*", "text/*", "application/*", "text/html":
			return false
		}
	}
	return false
}

func (c *call) usablePrompts() (names []string) {
	for name := range c.gen.Prompts {
		if c.caller == nil || c.caller.MayAsk(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// promptPage answers GET: the prompt's OpenAPI page, or a page for people.
func (c *call) promptPage() {
	p := &c.prompt
	own := c.ownURL()
	at := prompt.Place{URL: strings.TrimSuffix(own, c.j.Path), Path: c.j.Path}
	if c.wantsHTML() {
		c.page(http.StatusOK, typeHTML, p.api.AppendPage(nil, p.call.Version(), at))
		return
	}
	c.page(http.StatusOK, typeJSON, p.api.AppendOpenAPI(nil, p.call.Version(), at))
}

// translatePrompt is room 5 for a prompt: its variables become a chat.
func (c *call) translatePrompt() bool {
	c.dialect = c.prompt.call
	if !c.readModelBody() {
		return false
	}
	if err := mustBeText(c.body); err != nil { // a variable goes into a body that we write
		return c.badBody(err)
	}
	body, err := c.prompt.call.Render(c.body)
	if err != nil {
		return c.badBody(err)
	}
	c.body = body
	if err := c.dialect.ReadRequest(&c.llmReq, c.match(), c.body); err != nil {
		return c.badBody(err)
	}
	c.j.Stream = c.llmReq.Stream
	return c.resolve(view(c.llmReq.Model)) && c.allowance()
}
