package bedrock

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// ReadRequest reads a call of Converse or ConverseStream. What has no canonical form (guardrailConfig, promptVariables, fields
// of one model) is not looked at: the report tells it, and WriteRequest copies it for Bedrock.
func (codec) ReadRequest(m llm.Match, body []byte) (*canon.Request, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	rd := requestReader{newRequest(m, doc)}
	root := doc.Root()
	if !root.IsObject() {
		doc.Fail(root, "must be a JSON object")
	}
	rd.conversation(root)
	rd.parameters(root)
	if f := doc.Fault(); f != nil {
		return nil, f
	}
	return rd.req, nil
}

func newRequest(m llm.Match, doc *jsontree.Doc) *canon.Request {
	return &canon.Request{Doc: doc, Dialect: name, Op: m.Op, Model: m.Model, Stream: m.Stream, StreamUsage: true}
}

type requestReader struct{ req *canon.Request }

func (rd *requestReader) fail(n jsontree.Node, problem string) { rd.req.Doc.Fail(n, problem) }

// must is the member of this name, whose absence is a fault.
func (rd *requestReader) must(n jsontree.Node, name string) jsontree.Node {
	m := n.Get(name)
	if !m.Said() {
		rd.req.Doc.Missing(n, name)
	}
	return m
}

func (rd *requestReader) mustStr(n jsontree.Node, name string) string {
	m := rd.must(n, name)
	s := m.Str()
	if m.IsString() && s == "" {
		rd.fail(m, "is empty")
	}
	return s
}

// list calls f for each element of an array; anything else is a fault, absence is not.
func (rd *requestReader) list(n jsontree.Node, f func(e jsontree.Node)) {
	switch {
	case !n.Said():
	case !n.IsArray():
		rd.fail(n, "must be an array")
	default:
		n.Each(func(_ int, e jsontree.Node) { f(e) })
	}
}

// object tells whether n is an object; anything else but nothing is a fault.
func (rd *requestReader) object(n jsontree.Node) bool {
	if n.Said() && !n.IsObject() {
		rd.fail(n, "must be an object")
	}
	return n.IsObject()
}

// conversation reads what CountTokens has as well: system, messages and toolConfig.
func (rd *requestReader) conversation(root jsontree.Node) {
	if system := root.Get("system"); system.Said() {
		m := canon.Message{Role: canon.System, At: system.Ref()}
		rd.list(system, func(b jsontree.Node) {
			if rd.object(b) {
				rd.block(b, &m.Parts)
			}
		})
		if len(m.Parts) > 0 {
			rd.req.Messages = append(rd.req.Messages, m)
		}
	}
	rd.list(rd.must(root, "messages"), rd.message)
	rd.tools(root.Get("toolConfig"))
}

func (rd *requestReader) message(n jsontree.Node) {
	if !rd.object(n) {
		return
	}
	role := canon.User
	switch word := rd.must(n, "role"); word.Str() {
	case "user", "":
	case "assistant":
		role = canon.Assistant
	case "system":
		role = canon.System
	default:
		rd.fail(word, "must be user or assistant")
	}
	content := rd.must(n, "content")
	// The results of tools stand in a user's message, and have a role of their own in the canonical form.
	first := len(rd.req.Messages)
	var parts []canon.Part
	flush := func(role canon.Role) {
		if len(parts) > 0 {
			rd.req.Messages = append(rd.req.Messages, canon.Message{Role: role, Parts: parts, At: n.Ref()})
			parts = nil
		}
	}
	current := role
	rd.list(content, func(b jsontree.Node) {
		if !rd.object(b) {
			return
		}
		of := role
		if b.Get("toolResult").Said() && role == canon.User {
			of = canon.ToolRole
		}
		if of != current && !b.Get("cachePoint").Said() {
			flush(current)
			current = of
		}
		if len(parts) == 0 && b.Get("cachePoint").Said() && len(rd.req.Messages) > 0 {
			last := &rd.req.Messages[len(rd.req.Messages)-1]
			rd.block(b, &last.Parts)
			return
		}
		rd.block(b, &parts)
	})
	flush(current)
	if len(rd.req.Messages) == first {
		rd.req.Messages = append(rd.req.Messages, canon.Message{Role: role, At: n.Ref()})
	}
}

// tools reads toolConfig.
func (rd *requestReader) tools(n jsontree.Node) {
	if !rd.object(n) {
		return
	}
	rd.list(rd.must(n, "tools"), func(t jsontree.Node) {
		if !rd.object(t) {
			return
		}
		if mark := t.Get("cachePoint"); mark.Said() {
			if last := len(rd.req.Tools) - 1; last >= 0 {
				rd.req.Tools[last].Cache = rd.cache(mark)
			} else {
				t.Leave()
			}
			return
		}
		rd.tool(t)
	})
	choice := n.Get("toolChoice")
	if !rd.object(choice) {
		return
	}
	c := &rd.req.Choice
	c.At = choice.Ref()
	auto, any, named := choice.Get("auto"), choice.Get("any"), choice.Get("tool")
	switch {
	case auto.Said():
		c.Mode = canon.ToolsAuto
	case any.Said():
		c.Mode = canon.ToolsAny
	case named.Said():
		c.Mode = canon.ToolsNamed
		c.Names = []string{rd.mustStr(named, "name")}
	default:
		rd.fail(choice, "must have one of auto, any and tool")
	}
}

func (rd *requestReader) tool(t jsontree.Node) {
	spec, system := t.Get("toolSpec"), t.Get("systemTool")
	switch {
	case rd.object(spec):
		tool := canon.Tool{Name: rd.mustStr(spec, "name"), Description: spec.Get("description").Str(), At: t.Ref()}
		if schema := rd.must(rd.must(spec, "inputSchema"), "json"); rd.object(schema) {
			tool.Schema = schema.Raw()
		}
		strict := spec.Get("strict")
		if on, said := strict.Bool(); said {
			tool.Strict = canon.Flag{Said: true, On: on, At: strict.Ref()}
		}
		rd.req.Tools = append(rd.req.Tools, tool)
	case rd.object(system):
		tool := canon.Tool{BuiltIn: rd.mustStr(system, "name"), At: t.Ref()}
		tool.Raw = t.Raw()
		rd.req.Tools = append(rd.req.Tools, tool)
	default:
		rd.fail(t, "must have one of toolSpec, systemTool and cachePoint")
	}
}

// cache reads a cache point.
func (rd *requestReader) cache(n jsontree.Node) *canon.Cache {
	rd.mustStr(n, "type")
	return &canon.Cache{TTL: n.Get("ttl").Str()}
}

// parameters reads what says how to answer.
func (rd *requestReader) parameters(root jsontree.Node) {
	if c := root.Get("inferenceConfig"); rd.object(c) {
		rd.whole(canon.MaxTokens, c.Get("maxTokens"))
		rd.number(canon.Temperature, c.Get("temperature"))
		rd.number(canon.TopP, c.Get("topP"))
		stop := c.Get("stopSequences")
		rd.list(stop, func(e jsontree.Node) {
			if !e.IsString() {
				rd.fail(e, "must be a string")
			}
		})
		rd.req.Set(canon.Stop, stop)
	}
	rd.output(root.Get("outputConfig"))
	if f := root.Get("additionalModelRequestFields"); rd.object(f) {
		rd.modelFields(f)
	}
	if m := root.Get("requestMetadata"); rd.object(m) {
		m.Each(func(_ int, e jsontree.Node) { e.Str() })
		rd.req.Set(canon.Metadata, m)
	}
	if t := root.Get("serviceTier"); rd.object(t) {
		rd.mustStr(t, "type")
		rd.req.Set(canon.ServiceTier, t.Get("type"))
	}
	if p := root.Get("additionalModelResponseFieldPaths"); p.Said() && !(rd.req.Params[canon.Stop].JSON != nil && modelOf(rd.req.Model).family == claude && isStopPath(p)) {
		p.Leave()
	}
}

// isStopPath tells whether the only field asked for is the stop sequence that came, which has its place in the canonical answer.
func isStopPath(n jsontree.Node) bool {
	only := n.Len() == 1 && n.IsArray()
	if only {
		n.Each(func(_ int, e jsontree.Node) { only = e.IsString() && e.Str() == stopPath })
	}
	return only
}

// stopPath asks Claude for the stop sequence that came.
const stopPath = "/stop_sequence"

func (rd *requestReader) whole(id canon.ParamID, n jsontree.Node) {
	if v, ok := n.Int(); ok && v < 0 {
		rd.fail(n, "must not be negative")
	}
	rd.req.Set(id, n)
}

func (rd *requestReader) number(id canon.ParamID, n jsontree.Node) {
	n.Float()
	rd.req.Set(id, n)
}

// output reads outputConfig.
func (rd *requestReader) output(n jsontree.Node) {
	if !rd.object(n) {
		return
	}
	if effort := n.Get("effort"); effort.Said() {
		rd.effort(effort)
	}
	f := n.Get("textFormat")
	if !rd.object(f) {
		return
	}
	if word := rd.must(f, "type"); word.Said() && word.Str() != "json_schema" {
		rd.fail(word, "must be json_schema")
	}
	def := rd.must(rd.must(f, "structure"), "jsonSchema")
	if !rd.object(def) {
		return
	}
	text := rd.must(def, "schema")
	schema := []byte(text.Str())
	if text.IsString() && !jsonscan.Valid(schema) {
		rd.fail(text, "must be a JSON Schema, written as a string")
	}
	rd.req.Format = canon.Format{
		Kind: canon.JSONSchema, Name: def.Get("name").Str(), Description: def.Get("description").Str(), Schema: schema, At: f.Ref(),
	}
}

func (rd *requestReader) effort(n jsontree.Node) {
	r := &rd.req.Reasoning
	r.Said, r.Effort = true, n.Str()
	if r.At == 0 {
		r.At = n.Ref()
	}
	if r.Effort == "max" {
		r.Effort, r.Most = "xhigh", true
	}
}

// modelFields reads of additionalModelRequestFields what several models have. What is one model's own is not looked at.
func (rd *requestReader) modelFields(f jsontree.Node) {
	if t := f.First("thinking", "reasoning_config"); rd.object(t) { // Claude
		r := &rd.req.Reasoning
		r.Said, r.Show, r.At = true, true, t.Ref()
		switch word := rd.must(t, "type"); word.Str() {
		case "enabled":
			budget := rd.must(t, "budget_tokens")
			r.Budget, _ = budget.Int()
			r.BudgetAt = budget.Ref()
		case "adaptive":
			r.Budget = -1
		case "disabled":
			r.Off = true
		case "":
		default:
			rd.fail(word, "must be enabled, adaptive or disabled")
		}
	}
	if c := f.Get("reasoningConfig"); rd.object(c) { // Nova 2
		r := &rd.req.Reasoning
		r.Said, r.At = true, c.Ref()
		r.Off = c.Get("type").Str() == "disabled"
		if e := c.Get("maxReasoningEffort"); e.Said() {
			rd.effort(e)
		}
	}
	if e := f.Get("reasoning_effort"); e.Said() { // OpenAI's open models
		rd.effort(e)
	}
	if c := f.Get("output_config"); c.IsObject() { // Claude, before outputConfig was there
		if e := c.Get("effort"); e.Said() {
			rd.effort(e)
		}
	}
	if k := f.First("top_k", "topK", "k"); k.Said() {
		rd.whole(canon.TopK, k)
	}
	if c := f.Get("inferenceConfig"); c.IsObject() { // Nova
		if k := c.Get("topK"); k.Said() {
			rd.whole(canon.TopK, k)
		}
	}
	if k := f.Get("frequency_penalty"); k.Said() {
		rd.number(canon.FrequencyPenalty, k)
	}
	if k := f.Get("presence_penalty"); k.Said() {
		rd.number(canon.PresencePenalty, k)
	}
	if k := f.Get("seed"); k.Said() {
		rd.whole(canon.Seed, k)
	}
	if c := f.Get("tool_choice"); c.IsObject() {
		off := c.Get("disable_parallel_tool_use")
		if on, said := off.Bool(); said {
			rd.req.ParallelTools = canon.Flag{Said: true, On: !on, At: off.Ref()}
		}
		if c.Get("type").Str() != "auto" {
			c.Get("type").Leave()
		}
	}
}
