package cohere

import (
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// codec implements canon.Codec for chat.
type codec struct{}

// ReadRequest reads a chat. What only Cohere has (safety_mode, citation_options, priority, and what this
// package does not know) is left unread: another dialect's writer loses it, ours copies it.
func (codec) ReadRequest(m llm.Match, body []byte) (*canon.Request, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	if !root.IsObject() {
		d.Fail(root, "must be a JSON object")
		return nil, d.Fault()
	}
	req := &canon.Request{Doc: d, Dialect: dialectName, Op: m.Op, StreamUsage: true}
	if req.Model = root.Get("model").Str(); req.Model == "" {
		d.Missing(root, "model")
	}
	req.Stream, _ = root.Get("stream").Bool()
	r := requestReader{d: d, req: req}
	r.messages(root)
	r.documents(root.Get("documents"))
	r.tools(root)
	r.format(root.Get("response_format"))
	r.thinking(root.Get("thinking"))
	r.params(root)
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

type requestReader struct {
	d   *jsontree.Doc
	req *canon.Request
}

func (r *requestReader) messages(root jsontree.Node) {
	list := root.Get("messages")
	switch {
	case !list.Said():
		r.d.Missing(root, "messages")
		return
	case !list.IsArray():
		r.d.Fail(list, "must be an array")
		return
	case list.Len() == 0:
		r.d.Fail(list, "must have at least one message")
		return
	}
	r.req.Messages = make([]canon.Message, 0, list.Len()+1)
	list.Each(func(_ int, n jsontree.Node) {
		if !n.IsObject() {
			r.d.Fail(n, "must be an object")
			return
		}
		r.message(n)
	})
}

func (r *requestReader) message(n jsontree.Node) {
	m := canon.Message{At: n.Ref()}
	role := n.Get("role")
	switch word := role.Str(); {
	case !role.Said():
		r.d.Missing(n, "role")
	case word == "user":
		m.Role = canon.User
		m.Parts = r.content(n, true)
	case word == "system":
		m.Role = canon.System
		m.Parts = r.content(n, true)
	case word == "assistant":
		m.Role = canon.Assistant
		m.Parts = r.assistant(n)
	case word == "tool":
		m.Role = canon.ToolRole
		m.Parts = []canon.Part{{Kind: canon.ToolResult, At: n.Ref(), Result: r.result(n)}}
	case role.IsString():
		r.d.Fail(role, "must be user, assistant, system or tool")
	}
	r.req.Messages = append(r.req.Messages, m)
}

// content reads a message's content: a string, or an array of parts.
func (r *requestReader) content(n jsontree.Node, needed bool) (parts []canon.Part) {
	c := n.Get("content")
	switch {
	case c.IsString():
		return []canon.Part{{Kind: canon.Text, At: c.Ref(), Text: c.Str()}}
	case c.IsArray():
		parts = make([]canon.Part, 0, c.Len())
		c.Each(func(_ int, e jsontree.Node) {
			if p, ok := r.part(e); ok {
				parts = append(parts, p)
			}
		})
		return parts
	case c.Said():
		r.d.Fail(c, "must be a string or an array")
	case needed:
		r.d.Missing(n, "content")
	}
	return nil
}

func (r *requestReader) part(e jsontree.Node) (p canon.Part, ok bool) {
	p.At = e.Ref()
	if !e.IsObject() {
		r.d.Fail(e, "must be an object")
		return p, false
	}
	kind := e.Get("type")
	switch word := kind.Str(); {
	case !kind.Said():
		r.d.Missing(e, "type")
	case word == "text":
		p.Kind, p.Text = canon.Text, r.needString(e, "text")
		return p, true
	case word == "thinking":
		p.Kind, p.Text = canon.Thinking, r.needString(e, "thinking")
		return p, true
	case word == "image_url":
		image := e.Get("image_url")
		if !image.IsObject() {
			r.need(e, image, "image_url", "must be an object")
			return p, false
		}
		p.Kind, p.Media = canon.Image, media(r.needString(image, "url"))
		p.Media.Detail = image.Get("detail").Str()
		return p, true
	case word == "document":
		doc := e.Get("document")
		if !doc.IsObject() {
			r.need(e, doc, "document", "must be an object")
			return p, false
		}
		return r.document(doc, e), true
	case kind.IsString():
		r.d.Fail(kind, "must be text, thinking, image_url or document")
	}
	return p, false
}

// need notes that the member n of parent is missing, or else that it is not what it must be.
func (r *requestReader) need(parent, n jsontree.Node, name, problem string) {
	if n.Said() {
		r.d.Fail(n, problem)
		return
	}
	r.d.Missing(parent, name)
}

func (r *requestReader) needString(n jsontree.Node, name string) string {
	v := n.Get(name)
	if !v.IsString() {
		r.need(n, v, name, "must be a string")
		return ""
	}
	return v.Str()
}

// media takes a data: URL apart.
func media(url string) *canon.Media {
	if rest, ok := strings.CutPrefix(url, "data:"); ok {
		if mime, data, ok := strings.Cut(rest, ";base64,"); ok {
			return &canon.Media{MIME: mime, Data: data}
		}
	}
	return &canon.Media{URL: url}
}

// document reads a document, which stands at n and counts as the whole of at. Its text for other dialects is
// the member text of its data, or where data has others than title and text, all of them as lines.
func (r *requestReader) document(n, at jsontree.Node) canon.Part {
	p := canon.Part{Kind: canon.Document, At: at.Ref(), SignedBy: dialectName, Media: &canon.Media{MIME: "text/plain", CitedBack: true}}
	if n.IsString() {
		p.Media.Text = n.Str()
		p.Raw = n.Raw()
		return p
	}
	p.Media.ID = n.Get("id").Str()
	data := n.Get("data")
	if !data.IsObject() {
		r.need(n, data, "data", "must be an object")
		return p
	}
	p.Media.Name = wordOf(data.Get("title"))
	text, lines, others := "", strings.Builder{}, false
	data.Each(func(_ int, e jsontree.Node) {
		switch name := e.Name(); {
		case name == "title":
		case name == "text" && e.IsString():
			text = e.Str()
			fallthrough
		default:
			others = others || name != "text"
			if lines.Len() > 0 {
				lines.WriteByte('\n')
			}
			lines.WriteString(name + ": " + asText(e))
		}
	})
	if p.Media.Text = text; others {
		p.Media.Text = lines.String()
	}
	p.Raw = n.Raw()
	at.Settle()
	return p
}

func wordOf(n jsontree.Node) string {
	if n.IsString() {
		return n.Str()
	}
	return ""
}

// asText is a value as people read it: a string without its quotes.
func asText(n jsontree.Node) string {
	if n.IsString() {
		return n.Str()
	}
	return string(n.Raw())
}

// documents adds the request's documents to its last user message, before what that says: where other dialects
// have them.
func (r *requestReader) documents(list jsontree.Node) {
	if !list.Said() {
		return
	}
	if !list.IsArray() {
		r.d.Fail(list, "must be an array")
		return
	}
	var parts []canon.Part
	list.Each(func(_ int, e jsontree.Node) {
		if !e.IsString() && !e.IsObject() {
			r.d.Fail(e, "must be a string or an object")
			return
		}
		parts = append(parts, r.document(e, e))
	})
	if len(parts) == 0 {
		return
	}
	for i := len(r.req.Messages) - 1; i >= 0; i-- {
		if m := &r.req.Messages[i]; m.Role == canon.User {
			m.Parts = append(parts, m.Parts...)
			return
		}
	}
	r.req.Messages = append(r.req.Messages, canon.Message{Role: canon.User, Parts: parts, At: list.Ref()})
}

func (r *requestReader) assistant(n jsontree.Node) (parts []canon.Part) {
	calls := n.Get("tool_calls")
	if parts = r.content(n, false); parts == nil && !n.Get("content").Said() && !calls.Said() {
		r.d.Missing(n, "content")
	}
	if list := n.Get("citations"); list.Said() {
		cite(parts, list, 0)
	}
	if plan := n.Get("tool_plan"); plan.Str() != "" {
		parts = append(parts, canon.Part{Kind: canon.Text, Plan: true, At: plan.Ref(), Text: plan.Str()})
	}
	if calls.Said() && !calls.IsArray() {
		r.d.Fail(calls, "must be an array")
	}
	calls.Each(func(_ int, e jsontree.Node) {
		if !e.IsObject() {
			r.d.Fail(e, "must be an object")
			return
		}
		f := e.Get("function")
		if !f.IsObject() {
			r.need(e, f, "function", "must be an object")
			return
		}
		e.Get("type").Str()
		parts = append(parts, canon.Part{Kind: canon.ToolCall, At: e.Ref(), Call: &canon.Call{
			ID: r.needString(e, "id"), Name: r.needString(f, "name"), Args: f.Get("arguments").Str(),
		}})
	})
	return parts
}

func (r *requestReader) result(n jsontree.Node) *canon.Result {
	result := &canon.Result{ID: r.needString(n, "tool_call_id"), Parts: r.content(n, true)}
	result.Name = r.req.FindCall(result.ID)
	return result
}

func (r *requestReader) tools(root jsontree.Node) {
	strict := canon.Flag{}
	list := root.Get("tools")
	if list.Len() > 0 {
		if n := root.Get("strict_tools"); n.Said() {
			on, _ := n.Bool()
			strict = canon.Flag{Said: true, On: on, At: n.Ref()}
		}
	}
	if list.Said() && !list.IsArray() {
		r.d.Fail(list, "must be an array")
	}
	list.Each(func(_ int, e jsontree.Node) {
		if !e.IsObject() {
			r.d.Fail(e, "must be an object")
			return
		}
		if kind := e.Get("type"); kind.Str() != "function" && kind.Said() {
			r.d.Fail(kind, "must be function")
		}
		f := e.Get("function")
		if !f.IsObject() {
			r.need(e, f, "function", "must be an object")
			return
		}
		tool := canon.Tool{At: e.Ref(), Name: r.needString(f, "name"), Description: f.Get("description").Str(), Strict: strict}
		if p := f.Get("parameters"); p.Said() {
			if !p.IsObject() {
				r.d.Fail(p, "must be an object")
			}
			tool.Schema = p.Raw()
		}
		r.req.Tools = append(r.req.Tools, tool)
	})
	choice := root.Get("tool_choice")
	if !choice.Said() {
		return
	}
	r.req.Choice.At = choice.Ref()
	switch choice.Str() {
	case "REQUIRED":
		r.req.Choice.Mode = canon.ToolsAny
	case "NONE":
		r.req.Choice.Mode = canon.ToolsNone
	default:
		r.d.Fail(choice, "must be REQUIRED or NONE")
	}
}

func (r *requestReader) format(n jsontree.Node) {
	if !n.Said() {
		return
	}
	f := &r.req.Format
	f.At = n.Ref()
	kind := n.Get("type")
	schema := n.First("json_schema", "schema")
	switch word := kind.Str(); {
	case !n.IsObject():
		r.d.Fail(n, "must be an object")
	case !kind.Said():
		r.d.Missing(n, "type")
	case word == "text":
	case word == "json_object" && schema.Said():
		if !schema.IsObject() {
			r.d.Fail(schema, "must be an object")
		}
		f.Kind, f.Schema = canon.JSONSchema, schema.Raw()
	case word == "json_object":
		f.Kind = canon.JSONObject
	case kind.IsString():
		r.d.Fail(kind, "must be text or json_object")
	}
}

func (r *requestReader) thinking(n jsontree.Node) {
	if !n.Said() {
		return
	}
	if !n.IsObject() {
		r.d.Fail(n, "must be an object")
		return
	}
	t := &r.req.Reasoning
	kind := n.Get("type")
	switch word := kind.Str(); {
	case !kind.Said():
		r.d.Missing(n, "type")
	case word == "disabled":
		t.Off = true
	case word != "enabled" && kind.IsString():
		r.d.Fail(kind, "must be enabled or disabled")
	}
	t.Said, t.Show, t.At = true, !t.Off, n.Ref()
	if budget := n.Get("token_budget"); budget.Said() {
		if t.Budget, _ = budget.Int(); t.Budget < 1 {
			r.d.Fail(budget, "must be 1 or more")
		}
		t.BudgetAt = budget.Ref()
	}
}

func (r *requestReader) params(root jsontree.Node) {
	whole := func(id canon.ParamID, name string) {
		n := root.Get(name)
		if _, ok := n.Int(); ok {
			r.req.Set(id, n)
		}
	}
	number := func(id canon.ParamID, name string) {
		n := root.Get(name)
		if _, ok := n.Float(); ok {
			r.req.Set(id, n)
		}
	}
	whole(canon.MaxTokens, "max_tokens")
	whole(canon.TopK, "k")
	if n := root.Get("seed"); n.Kind() == jsonscan.Number {
		r.req.Set(canon.Seed, n) // up to 2^64-1
	} else if n.Said() {
		r.d.Fail(n, "must be a whole number")
	}
	number(canon.Temperature, "temperature")
	number(canon.TopP, "p")
	number(canon.FrequencyPenalty, "frequency_penalty")
	number(canon.PresencePenalty, "presence_penalty")
	if n := root.Get("logprobs"); n.Said() {
		n.Bool()
		r.req.Set(canon.Logprobs, n)
	}
	if n := root.Get("stop_sequences"); n.Said() {
		if !n.IsArray() {
			r.d.Fail(n, "must be an array")
		}
		n.Each(func(_ int, e jsontree.Node) {
			if !e.IsString() {
				r.d.Fail(e, "must be a string")
			}
		})
		r.req.Set(canon.Stop, n)
	}
}
