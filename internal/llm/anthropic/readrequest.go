package anthropic

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// codec implements canon.Codec for messages.
type codec struct{}

// ReadRequest reads a caller's request for a message.
func (codec) ReadRequest(m llm.Match, body []byte) (*canon.Request, error) {
	return readRequest(m, body, true)
}

// reading is a request that is being read.
type reading struct {
	d     *jsontree.Doc
	req   *canon.Request
	calls map[string]bool // the ids of the tool_use blocks so far
}

// readRequest reads a request; whole tells that it is one for a message, which has a length, and not one to
// be counted.
func readRequest(m llm.Match, body []byte, whole bool) (*canon.Request, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	r := reading{d: d, req: &canon.Request{Doc: d, Dialect: name, Op: m.Op, StreamUsage: true}}
	root := d.Root()
	if !root.IsObject() {
		d.Fail(root, "must be a JSON object")
		return nil, d.Fault()
	}
	r.req.Model = r.needed(root, "model")
	r.system(root.Get("system"))
	if thread := root.Get("thread"); thread.Said() {
		d.Fail(thread, "asks for a conversation that the provider keeps, and only Anthropic keeps them: send all messages")
	}
	r.messages(root)
	r.tools(root.Get("tools"))
	r.choice(root.Get("tool_choice"))
	r.reasoning(root)
	if whole {
		r.params(root)
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return r.req, nil
}

// needed is a member that must be a string and not empty.
func (r *reading) needed(n jsontree.Node, name string) string {
	m := n.Get(name)
	if !m.Exists() {
		r.d.Missing(n, name)
		return ""
	}
	if !m.IsString() {
		r.d.Fail(m, "must be a string")
		return ""
	}
	s := m.Str()
	if s == "" {
		r.d.Fail(m, "is empty")
	}
	return s
}

// words is a member that must be a string and may be empty.
func (r *reading) words(n jsontree.Node, name string) string {
	m := n.Get(name)
	switch {
	case !m.Exists():
		r.d.Missing(n, name)
	case !m.IsString():
		r.d.Fail(m, "must be a string")
	default:
		return m.Str()
	}
	return ""
}

// object checks that n is an object.
func (r *reading) object(n jsontree.Node) bool {
	if !n.IsObject() {
		r.d.Fail(n, "must be an object")
		return false
	}
	return true
}

func (r *reading) system(n jsontree.Node) {
	if !n.Said() {
		return
	}
	m := canon.Message{Role: canon.System, At: n.Ref()}
	switch {
	case n.IsString():
		if text := n.Str(); text != "" {
			m.Parts = []canon.Part{{Text: text, At: n.Ref()}}
		}
	case n.IsArray():
		m.Parts = make([]canon.Part, 0, n.Len())
		n.Each(func(_ int, e jsontree.Node) {
			if !r.object(e) {
				return
			}
			if t := e.Get("type"); t.Str() != "text" {
				r.d.Fail(t, `must be "text"`)
				return
			}
			m.Parts = append(m.Parts, r.text(e))
		})
	default:
		r.d.Fail(n, "must be a string or an array of text blocks")
	}
	if len(m.Parts) > 0 {
		r.req.Messages = append(r.req.Messages, m)
	}
}

func (r *reading) messages(root jsontree.Node) {
	list := root.Get("messages")
	switch {
	case !list.Exists():
		r.d.Missing(root, "messages")
		return
	case !list.IsArray():
		r.d.Fail(list, "must be an array")
		return
	case list.Len() == 0:
		r.d.Fail(list, "must hold at least one message")
		return
	}
	all := make([]canon.Message, len(r.req.Messages), len(r.req.Messages)+list.Len()+1)
	copy(all, r.req.Messages)
	r.req.Messages = all
	list.Each(func(_ int, e jsontree.Node) { r.message(e) })
}

// message reads one message. The tool results in a user's message become messages of their own.
func (r *reading) message(n jsontree.Node) {
	if !r.object(n) {
		return
	}
	m := canon.Message{At: n.Ref()}
	switch role := n.Get("role"); {
	case !role.Exists():
		r.d.Missing(n, "role")
		return
	case role.IsString() && role.Str() == "user":
		m.Role = canon.User
	case role.IsString() && role.Str() == "assistant":
		m.Role = canon.Assistant
	case role.IsString() && role.Str() == "system": // in the middle, as Claude Code's beta mid-conversation-system has it
		if content := n.Get("content"); content.Said() {
			r.system(content)
		} else {
			r.d.Missing(n, "content")
		}
		return
	default:
		r.d.Fail(role, `must be "user", "assistant" or "system"`)
		return
	}
	content := n.Get("content")
	switch {
	case !content.Exists():
		r.d.Missing(n, "content")
	case content.IsString():
		m.Parts = []canon.Part{{Text: content.Str(), At: content.Ref()}}
		r.req.Messages = append(r.req.Messages, m)
	case !content.IsArray():
		r.d.Fail(content, "must be a string or an array of blocks")
	case content.Len() == 0 && m.Role == canon.User:
		r.d.Fail(content, "must hold at least one block")
	default:
		r.turn(m, content)
	}
}

func (r *reading) turn(m canon.Message, content jsontree.Node) {
	parts := make([]canon.Part, 0, content.Len())
	flush := func() {
		if len(parts) > 0 {
			m.Parts, parts = parts, nil
			r.req.Messages = append(r.req.Messages, m)
		}
	}
	content.Each(func(_ int, e jsontree.Node) {
		p, ok := r.block(e, m.Role)
		switch {
		case !ok:
		case p.Kind == canon.ToolResult:
			flush()
			r.req.Messages = append(r.req.Messages, canon.Message{Role: canon.ToolRole, At: m.At, Parts: []canon.Part{p}})
		default:
			parts = carry(parts, p)
		}
	})
	flush()
}

func (r *reading) tools(list jsontree.Node) {
	if !list.Said() {
		return
	}
	if !list.IsArray() {
		r.d.Fail(list, "must be an array")
		return
	}
	r.req.Tools = make([]canon.Tool, 0, list.Len())
	list.Each(func(_ int, e jsontree.Node) {
		if r.object(e) {
			r.req.Tools = append(r.req.Tools, r.tool(e))
		}
	})
}

func (r *reading) tool(n jsontree.Node) canon.Tool {
	t := canon.Tool{At: n.Ref()}
	if kind := n.Get("type").Str(); kind != "" && kind != "custom" {
		t.BuiltIn, t.Raw = kind, n.Raw()
		if named := n.Get("name"); named.IsString() {
			t.Name = named.Str()
		}
		return t
	}
	t.Name = r.needed(n, "name")
	t.Description = n.Get("description").Str()
	schema := n.Get("input_schema")
	switch {
	case !schema.Exists():
		r.d.Missing(n, "input_schema")
	case r.object(schema):
		t.Schema = schema.Raw()
	}
	t.Strict = flag(n.Get("strict"))
	t.Cache = r.cache(n)
	return t
}

// flag reads true or false.
func flag(n jsontree.Node) canon.Flag {
	on, ok := n.Bool()
	return canon.Flag{Said: ok, On: on, At: n.Ref()}
}

func (r *reading) choice(n jsontree.Node) {
	if !n.Said() || !r.object(n) {
		return
	}
	c := canon.ToolChoice{At: n.Ref()}
	switch kind := r.needed(n, "type"); kind {
	case "auto":
		c.Mode = canon.ToolsAuto
	case "any":
		c.Mode = canon.ToolsAny
	case "none":
		c.Mode = canon.ToolsNone
	case "tool":
		c.Mode, c.Names = canon.ToolsNamed, []string{r.needed(n, "name")}
	case "":
	default:
		r.d.Fail(n.Get("type"), `must be "auto", "any", "tool" or "none"`)
	}
	r.req.Choice = c
	if off := flag(n.Get("disable_parallel_tool_use")); off.Said {
		r.req.ParallelTools = canon.Flag{Said: true, On: !off.On, At: off.At}
	}
}

// params reads what is one value.
func (r *reading) params(root jsontree.Node) {
	if n := root.Get("max_tokens"); !n.Exists() {
		r.d.Missing(root, "max_tokens")
	} else if v, ok := n.Int(); !ok || v < 0 {
		r.d.Fail(n, "must be a whole number, 0 or more")
	} else {
		r.req.Set(canon.MaxTokens, n)
	}
	r.number(root, canon.Temperature, "temperature")
	r.number(root, canon.TopP, "top_p")
	if n := root.Get("top_k"); n.Said() {
		if v, ok := n.Int(); !ok || v < 0 {
			r.d.Fail(n, "must be a whole number, 0 or more")
		}
		r.req.Set(canon.TopK, n)
	}
	if n := root.Get("stop_sequences"); n.Said() {
		if !n.IsArray() {
			r.d.Fail(n, "must be an array of strings")
		}
		n.Each(func(_ int, e jsontree.Node) {
			if !e.IsString() {
				r.d.Fail(e, "must be a string")
			}
		})
		r.req.Set(canon.Stop, n)
	}
	if n := root.Get("service_tier"); n.Said() {
		n.Str()
		r.req.Set(canon.ServiceTier, n)
	}
	if n := root.Get("metadata"); n.Said() && r.object(n) {
		if user := n.Get("user_id"); user.Said() {
			user.Str()
			r.req.Set(canon.EndUser, user)
		}
	}
	r.req.Stream, _ = root.Get("stream").Bool()
}

// number reads a number from 0 to 1.
func (r *reading) number(root jsontree.Node, id canon.ParamID, name string) {
	n := root.Get(name)
	if !n.Said() {
		return
	}
	if v, ok := n.Float(); ok && (v < 0 || v > 1) {
		r.d.Fail(n, "must be from 0 to 1")
	}
	r.req.Set(id, n)
}

// reasoning reads thinking and output_config: how much the model is to think, and in what form its
// answer is to be.
func (r *reading) reasoning(root jsontree.Node) {
	config := root.Get("output_config")
	if config.Said() && !r.object(config) {
		return
	}
	format := config.Get("format")
	if !format.Said() {
		format = root.Get("output_format")
	}
	r.format(format)
	t := &r.req.Reasoning
	if n := root.Get("thinking"); n.Said() && r.object(n) {
		t.Said, t.At = true, n.Ref()
		switch kind := r.needed(n, "type"); kind {
		case "enabled":
			budget := n.Get("budget_tokens")
			if !budget.Exists() {
				r.d.Missing(n, "budget_tokens")
			}
			v, ok := budget.Int()
			if ok && v < 1024 {
				r.d.Fail(budget, "must be at least 1024")
			}
			t.Budget, t.BudgetAt, t.Show = v, budget.Ref(), true
		case "adaptive":
			t.Budget, t.Show = -1, true
		case "disabled":
			t.Off = true
			return // an effort then says how much is written, which no other dialect has a word for
		case "":
		default:
			r.d.Fail(n.Get("type"), `must be "enabled", "adaptive" or "disabled"`)
		}
		if display := n.Get("display"); display.Str() == "omitted" {
			t.Show = false
		}
	}
	effort := config.Get("effort")
	switch word := effort.Str(); word {
	case "":
		return
	case "low", "medium", "high", "xhigh":
		t.Effort = word
	case "max": // more than any other dialect has: the most they have
		t.Effort, t.Most = "xhigh", true
	default:
		r.d.Fail(effort, `must be "low", "medium", "high", "xhigh" or "max"`)
	}
	if t.Budget < 0 { // adaptive: the effort says how much
		t.Budget = 0
	}
	if t.Said = true; t.At == 0 {
		t.At = effort.Ref()
	}
}

func (r *reading) format(n jsontree.Node) {
	if !n.Said() || !r.object(n) {
		return
	}
	if kind := r.needed(n, "type"); kind != "json_schema" && kind != "" {
		r.d.Fail(n.Get("type"), `must be "json_schema"`)
		return
	}
	schema := n.Get("schema")
	if !schema.Exists() {
		r.d.Missing(n, "schema")
		return
	}
	if !r.object(schema) {
		return
	}
	// What this API promises is what the others call strict: the text is held to the schema.
	f := canon.Format{Kind: canon.JSONSchema, At: n.Ref(), Strict: canon.Flag{Said: true, On: true, At: n.Ref()}}
	if title := schema.Get("title"); title.IsString() && isName(title.Str(), 64) {
		f.Name = title.Str()
	}
	f.Schema = schema.Raw()
	r.req.Format = f
}

// isName tells whether s is a name as tools and schemas have it.
func isName(s string, most int) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= most
}
