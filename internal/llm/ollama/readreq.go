package ollama

import (
	"strconv"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// codec implements canon.Codec for chat, and for generate.
type codec struct{ generate bool }

// madeID begins the ids of calls that had none: Ollama's conversations go without, others need them.
const madeID = "call_ollama_"

// ReadRequest reads a chat or a call of generate. What only Ollama has (keep_alive, the options of its runner,
// template, suffix ...) is left unread: another dialect's writer loses it, ours copies it.
func (c codec) ReadRequest(m llm.Match, body []byte) (*canon.Request, error) {
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
	on, said := root.Get("stream").Bool()
	req.Stream = on || !said
	r := requestReader{d: d, req: req}
	if c.generate {
		r.prompt(root)
	} else {
		r.messages(root)
		r.tools(root.Get("tools"))
	}
	r.format(root.Get("format"))
	r.think(root.Get("think"))
	r.options(root.Get("options"))
	r.logprobs(root)
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

type requestReader struct {
	d    *jsontree.Doc
	req  *canon.Request
	open []*canon.Call // calls without a result so far
	made int
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

func (r *requestReader) messages(root jsontree.Node) {
	list := root.Get("messages")
	switch {
	case !list.IsArray():
		r.need(root, list, "messages", "must be an array")
		return
	case list.Len() == 0:
		r.d.Fail(list, "must have at least one message")
		return
	}
	r.req.Messages = make([]canon.Message, 0, list.Len())
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
	case word == "user", word == "system":
		if m.Role = canon.System; word == "user" {
			m.Role = canon.User
		}
		m.Parts = r.content(n)
		if len(m.Parts) == 0 && !n.Get("content").Said() {
			r.d.Missing(n, "content")
		}
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

// content reads a message's text and images.
func (r *requestReader) content(n jsontree.Node) (parts []canon.Part) {
	c := n.Get("content")
	if text := c.Str(); text != "" {
		parts = append(parts, canon.Part{Kind: canon.Text, At: c.Ref(), Text: text})
	}
	return r.images(n, parts)
}

func (r *requestReader) images(n jsontree.Node, parts []canon.Part) []canon.Part {
	list := n.Get("images")
	if list.Said() && !list.IsArray() {
		r.d.Fail(list, "must be an array")
	}
	list.Each(func(_ int, e jsontree.Node) {
		if !e.IsString() {
			r.d.Fail(e, "must be a string")
			return
		}
		data := e.Str()
		media := &canon.Media{Data: data}
		if rest, ok := strings.CutPrefix(data, "data:"); ok {
			media.MIME, media.Data, _ = strings.Cut(rest, ";base64,")
		} else if media.MIME = sniff(data); !isBase64(data) {
			r.d.Fail(e, "must be an image in base64")
			return
		}
		parts = append(parts, canon.Part{Kind: canon.Image, At: e.Ref(), Media: media})
	})
	return parts
}

// sniff tells an image's type by how its base64 begins.
func sniff(data string) string {
	for _, s := range [...]struct{ begins, mime string }{
		{"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"}, {"Qk", "image/bmp"},
	} {
		if strings.HasPrefix(data, s.begins) {
			return s.mime
		}
	}
	return ""
}

func isBase64(s string) bool {
	if len(s) == 0 || len(s)%4 != 0 {
		return false
	}
	for _, c := range []byte(strings.TrimRight(s, "=")) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

func (r *requestReader) assistant(n jsontree.Node) (parts []canon.Part) {
	if t := n.Get("thinking"); t.Str() != "" {
		parts = append(parts, canon.Part{Kind: canon.Thinking, At: t.Ref(), Text: t.Str()})
	}
	parts = append(parts, r.content(n)...)
	calls := n.Get("tool_calls")
	if calls.Said() && !calls.IsArray() {
		r.d.Fail(calls, "must be an array")
	}
	if len(parts) == 0 && !calls.Said() && !n.Get("content").Said() {
		r.d.Missing(n, "content")
	}
	calls.Each(func(_ int, e jsontree.Node) {
		f := e.Get("function")
		if !f.IsObject() {
			if !e.IsObject() {
				r.d.Fail(e, "must be an object")
				return
			}
			r.need(e, f, "function", "must be an object")
			return
		}
		e.Get("type").Settle()
		f.Get("index").Settle()
		call := &canon.Call{ID: e.Get("id").Str(), Name: r.needString(f, "name")}
		if args := f.Get("arguments"); args.Said() {
			if !args.IsObject() {
				r.d.Fail(args, "must be an object")
			}
			call.Args = string(args.Raw())
		}
		if call.ID == "" {
			r.made++
			call.ID = madeID + strconv.Itoa(r.made)
		}
		r.open = append(r.open, call)
		parts = append(parts, canon.Part{Kind: canon.ToolCall, At: e.Ref(), Call: call})
	})
	return parts
}

// result reads a message of a tool. The call that it answers is named by tool_call_id, or it is the first one
// open of the tool's name, or, without a name, the first one open.
func (r *requestReader) result(n jsontree.Node) *canon.Result {
	content := n.Get("content")
	if !content.IsString() {
		r.need(n, content, "content", "must be a string")
	}
	res := &canon.Result{ID: n.Get("tool_call_id").Str(), Name: n.First("tool_name", "name").Str()}
	res.Parts = []canon.Part{{Kind: canon.Text, At: content.Ref(), Text: content.Str()}}
	res.Parts = r.images(n, res.Parts)
	for i, call := range r.open {
		if res.ID != "" && call.ID == res.ID || res.ID == "" && (res.Name == "" || call.Name == res.Name) {
			res.ID, res.Name = call.ID, call.Name
			r.open = append(r.open[:i:i], r.open[i+1:]...)
			return res
		}
	}
	if res.ID == "" {
		r.d.Fail(n, "answers no tool call: none before it is of that name and still open")
	}
	return res
}

func (r *requestReader) tools(list jsontree.Node) {
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
		tool := canon.Tool{At: e.Ref(), Name: r.needString(f, "name"), Description: f.Get("description").Str()}
		if p := f.Get("parameters"); p.Said() {
			if !p.IsObject() {
				r.d.Fail(p, "must be an object")
			}
			tool.Schema = p.Raw()
		}
		r.req.Tools = append(r.req.Tools, tool)
	})
}

// prompt reads what generate is asked: a system message and one of the user.
func (r *requestReader) prompt(root jsontree.Node) {
	if s := root.Get("system"); s.Str() != "" {
		r.req.Messages = append(r.req.Messages, canon.Message{Role: canon.System, At: s.Ref(), Parts: []canon.Part{{Kind: canon.Text, At: s.Ref(), Text: s.Str()}}})
	}
	p := root.Get("prompt")
	if p.Str() == "" {
		if p.Kind() == jsonscan.None || p.Kind() == jsonscan.Null {
			r.d.Missing(root, "prompt")
		} else {
			r.d.Fail(p, "is empty: a gateway has no model to load")
		}
		return
	}
	parts := []canon.Part{{Kind: canon.Text, At: p.Ref(), Text: p.Str()}}
	r.req.Messages = append(r.req.Messages, canon.Message{Role: canon.User, At: p.Ref(), Parts: r.images(root, parts)})
}

// format reads "json", or a JSON Schema.
func (r *requestReader) format(n jsontree.Node) {
	f := &r.req.Format
	f.At = n.Ref()
	switch {
	case n.IsObject():
		f.Kind, f.Schema = canon.JSONSchema, n.Raw()
	case n.IsString() && n.Str() == "json":
		f.Kind = canon.JSONObject
	case n.IsString() && n.Str() == "":
		f.At = 0
	case n.Said():
		r.d.Fail(n, `must be "json" or a JSON Schema`)
	default:
		f.At = 0
	}
}

// think reads true, false or a level. Ollama's max is the highest there is.
func (r *requestReader) think(n jsontree.Node) {
	t := &r.req.Reasoning
	if !n.Said() {
		return
	}
	t.Said, t.Show, t.At = true, true, n.Ref()
	if !n.IsString() {
		on, _ := n.Bool()
		t.Off, t.Show = !on, on
		return
	}
	switch word := n.Str(); word {
	case "low", "medium", "high":
		t.Effort = word
	case "max":
		t.Effort, t.Most = "xhigh", true
	default:
		r.d.Fail(n, "must be true, false, low, medium, high or max")
	}
}

// optionParams are the members of options that other dialects have too.
var optionParams = [...]struct {
	name  string
	id    canon.ParamID
	whole bool
}{
	{"temperature", canon.Temperature, false},
	{"top_p", canon.TopP, false},
	{"top_k", canon.TopK, true},
	{"min_p", canon.MinP, false},
	{"seed", canon.Seed, true},
	{"repeat_penalty", canon.RepetitionPenalty, false},
	{"presence_penalty", canon.PresencePenalty, false},
	{"frequency_penalty", canon.FrequencyPenalty, false},
}

func (r *requestReader) options(n jsontree.Node) {
	if !n.Said() {
		return
	}
	if !n.IsObject() {
		r.d.Fail(n, "must be an object")
		return
	}
	for _, p := range optionParams {
		v := n.Get(p.name)
		if p.whole {
			v.Int()
		} else {
			v.Float()
		}
		r.req.Set(p.id, v)
	}
	if v := n.Get("num_predict"); v.Said() {
		if limit, ok := v.Int(); ok && limit >= 0 {
			r.req.Set(canon.MaxTokens, v)
		} // below 0 there is no limit: as if it were not said
	}
	stop := n.Get("stop")
	switch {
	case stop.IsString():
		r.req.SetJSON(canon.Stop, stop, append(append([]byte{'['}, stop.Copy()...), ']'))
	case stop.IsArray():
		stop.Each(func(_ int, e jsontree.Node) {
			if !e.IsString() {
				r.d.Fail(e, "must be a string")
			}
		})
		r.req.Set(canon.Stop, stop)
	case stop.Said():
		r.d.Fail(stop, "must be a string or an array")
	}
}

func (r *requestReader) logprobs(root jsontree.Node) {
	if n := root.Get("logprobs"); n.Said() {
		n.Bool()
		r.req.Set(canon.Logprobs, n)
	}
	if n := root.Get("top_logprobs"); n.Said() {
		n.Int()
		r.req.Set(canon.TopLogprobs, n)
	}
}
