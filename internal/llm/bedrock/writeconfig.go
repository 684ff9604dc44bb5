package bedrock

import (
	"slices"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// lose takes a parameter that the model does not take and says why.
func (w *writing) lose(id canon.ParamID, loss canon.Loss, why string) {
	if w.r.Take(id) != nil {
		w.r.Lose(w.req.Params[id].At, loss, why)
	}
}

// inference writes inferenceConfig.
func (w *writing) inference() {
	w.sampling()
	open := false
	member := func(name string, json []byte) {
		if json == nil {
			return
		}
		if !open {
			open = true
			w.Name("inferenceConfig")
			w.Object()
		}
		w.RawMember(name, json)
	}
	member("maxTokens", w.r.Take(canon.MaxTokens))
	temperature := w.r.Take(canon.Temperature)
	if v, err := strconv.ParseFloat(string(temperature), 64); err == nil && v > 1 && !w.same {
		w.r.Lose(w.req.Params[canon.Temperature].At, canon.Approximated, "Bedrock's temperature ends at 1")
		temperature = []byte("1")
	}
	if !w.plan.cold {
		member("temperature", temperature)
	}
	if top := w.r.Take(canon.TopP); !w.plan.noTopP {
		member("topP", top)
	}
	if words := w.req.Words(canon.Stop); len(words) > 0 {
		w.r.Take(canon.Stop)
		var list jsontree.Writer
		list.Array()
		for _, word := range words {
			list.Str(word)
		}
		list.End()
		member("stopSequences", list.Buf)
	}
	if open {
		w.End()
	}
}

// sampling leaves out what the model refuses beside its reasoning.
func (w *writing) sampling() {
	if w.same {
		return
	}
	switch {
	case w.model.adaptiveOnly():
		const why = "this model samples as it likes"
		w.lose(canon.Temperature, canon.Dropped, why)
		w.lose(canon.TopP, canon.Dropped, why)
		w.lose(canon.TopK, canon.Dropped, why)
		w.plan.cold, w.plan.noTopP, w.plan.noTopK = true, true, true
	case w.plan.mode == "enabled" || w.plan.mode == "adaptive":
		if v, err := strconv.ParseFloat(string(w.req.Params[canon.Temperature].JSON), 64); err == nil && v != 1 {
			w.lose(canon.Temperature, canon.Dropped, "Claude thinks at temperature 1")
			w.plan.cold = true
		}
		if v, err := strconv.ParseFloat(string(w.req.Params[canon.TopP].JSON), 64); err == nil && v < 0.95 {
			w.lose(canon.TopP, canon.Dropped, "Claude thinks with top_p from 0.95")
			w.plan.noTopP = true
		}
		w.lose(canon.TopK, canon.Dropped, "Claude thinks without top_k")
		w.plan.noTopK = true
	}
}

// toolConfig writes the tools. Bedrock wants it also where only the conversation has calls and results.
func (w *writing) toolConfig(turns []turn) {
	used := usedTools(turns)
	c := &w.req.Choice
	some := (c.Mode == canon.ToolsAny || c.Mode == canon.ToolsAuto) && len(c.Names) > 0
	if c.Mode == canon.ToolsNone && len(w.req.Tools) > 0 {
		w.r.Lose(c.At, canon.Emulated, "Bedrock has no such choice")
		if len(used) == 0 {
			return // without tools none is called
		}
	}
	open := false
	begin := func() {
		if !open {
			open = true
			w.Name("toolConfig")
			w.Object()
			w.Name("tools")
			w.Array()
		}
	}
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		switch {
		case some && !slices.Contains(c.Names, t.Name):
			w.r.Lose(c.At, canon.Emulated, "Bedrock chooses among all tools: those that are not allowed are left out")
			continue
		case t.BuiltIn != "" && !w.same:
			w.r.Lose(t.At, canon.Dropped, "Bedrock has no tool "+t.BuiltIn)
			continue
		case c.Mode == canon.ToolsNone && !slices.Contains(used, t.Name):
			continue
		}
		begin()
		w.tool(t)
		w.cachePoint(t.Cache, t.At, w.model.cachesTools())
	}
	if !open && len(used) > 0 {
		begin()
		for _, name := range used {
			w.tool(&canon.Tool{Name: name})
		}
		w.r.Add("tools", canon.Emulated, "Bedrock wants the tools of earlier calls to be defined")
	}
	if !open {
		if c.Mode == canon.ToolsAny || c.Mode == canon.ToolsNamed {
			w.r.Lose(c.At, canon.Dropped, "there is no tool to choose")
		}
		return
	}
	w.End()
	w.choice()
	w.End()
	if p := w.req.ParallelTools; p.Said && !p.On && !w.model.oneCall() && !w.same {
		w.r.Lose(p.At, canon.Dropped, "")
	}
}

// usedTools are the tools that the conversation has calls of.
func usedTools(turns []turn) (names []string) {
	for _, t := range turns {
		for _, p := range t.parts {
			name := ""
			switch {
			case p.Kind == canon.ToolCall:
				name = p.Call.Name
			case p.Kind == canon.ToolResult && len(names) == 0:
				if name = p.Result.Name; name == "" {
					name = "tool"
				}
			}
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (w *writing) tool(t *canon.Tool) {
	if t.BuiltIn != "" {
		w.Raw(t.Raw)
		return
	}
	if !w.same && !isToolName(t.Name) {
		w.refuse(t.At, "Bedrock's tools have names of letters, digits, _ and -, at most 64")
	}
	w.Object()
	w.Name("toolSpec")
	w.Object()
	w.StrMember("name", t.Name)
	if t.Description != "" {
		w.StrMember("description", t.Description)
	}
	schema := t.Schema
	if t.Custom {
		schema = []byte(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`)
		w.r.Lose(t.At, canon.Emulated, "Bedrock's tools take an object: the free text is its member input")
	}
	strict := t.Strict
	switch {
	case !strict.Said || w.same:
	case w.model.noSchema():
		if strict.On {
			w.r.Lose(strict.At, canon.Approximated, "this model is told the schema and not held to it")
		}
		strict.Said = false
	case strict.On:
		if narrowed, lost := narrow(schema); narrowed != nil {
			if schema = narrowed; lost != "" {
				w.r.Lose(strict.At, canon.Approximated, "Bedrock does not hold arguments to "+lost+": told in descriptions")
			}
		}
	}
	w.Name("inputSchema")
	w.Object()
	w.Name("json")
	if isObject(schema) {
		w.Raw(schema)
	} else {
		w.RawStr(`{"type":"object","properties":{}}`)
	}
	w.End()
	if strict.Said && (strict.On || w.same) {
		w.BoolMember("strict", strict.On)
	}
	w.End()
	w.End()
}

func isToolName(s string) bool {
	for i := range len(s) {
		if !isIDByte(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (w *writing) choice() {
	c := &w.req.Choice
	if w.plan.mode == "enabled" && (c.Mode == canon.ToolsAny || c.Mode == canon.ToolsNamed) && !w.same {
		w.r.Lose(c.At, canon.Approximated, "Claude does not think before a call that is forced: it chooses itself")
		return
	}
	word := ""
	switch c.Mode {
	case canon.ToolsAuto:
		word = "auto"
	case canon.ToolsAny:
		word = "any"
	case canon.ToolsNamed:
		if len(c.Names) == 0 {
			return
		}
		word = "tool"
	default:
		return
	}
	w.Name("toolChoice")
	w.Object()
	w.Name(word)
	w.Object()
	if word == "tool" {
		w.StrMember("name", c.Names[0])
	}
	w.End()
	w.End()
}

// instruct decides what is asked for in words because the model has no member for it.
func (w *writing) instruct() {
	f := &w.req.Format
	switch {
	case f.Kind == canon.JSONObject:
		w.told = append(w.told, "Answer with one JSON object and nothing else: no text around it, no code fence.")
		w.r.Lose(f.At, canon.Emulated, "Bedrock holds answers to a schema only: the model is asked for JSON in words")
	case f.Kind == canon.JSONSchema && w.model.noSchema() && !w.same:
		w.told = append(w.told, "Answer with one JSON value and nothing else: no text around it, no code fence. It must match this JSON Schema:\n"+string(f.Schema))
		w.r.Lose(f.At, canon.Emulated, "this model can't be held to a schema: it is told in words")
	}
}

// outputConfig writes the form of the answer and the effort.
func (w *writing) outputConfig() {
	f := &w.req.Format
	schema := f.Kind == canon.JSONSchema && (w.same || !w.model.noSchema())
	if !schema && w.plan.effort == "" {
		return
	}
	w.Name("outputConfig")
	w.Object()
	if schema {
		text := f.Schema
		if !w.same {
			if narrowed, lost := narrow(f.Schema); narrowed != nil {
				if text = narrowed; lost != "" {
					w.r.Lose(f.At, canon.Approximated, "Bedrock does not hold answers to "+lost+": told in descriptions")
				}
			}
		}
		w.Name("textFormat")
		w.Object()
		w.StrMember("type", "json_schema")
		w.Name("structure")
		w.Object()
		w.Name("jsonSchema")
		w.Object()
		w.StrMember("schema", string(text))
		if f.Name != "" {
			w.StrMember("name", f.Name)
		}
		if f.Description != "" {
			w.StrMember("description", f.Description)
		}
		w.End()
		w.End()
		w.End()
	}
	if w.plan.effort != "" {
		w.StrMember("effort", w.plan.effort)
	}
	w.End()
}

// modelFields writes additionalModelRequestFields: what only some models take, and what a Bedrock caller has there beyond it.
func (w *writing) modelFields() {
	open := false
	begin := func() {
		if !open {
			open = true
			w.Name("additionalModelRequestFields")
			w.Object()
		}
	}
	member := func(id canon.ParamID, name string) {
		if w.req.Params[id].JSON != nil {
			begin()
			w.RawMember(name, w.r.Take(id))
		}
	}
	if w.plan.mode != "" {
		begin()
		w.thinking()
	}
	if w.plan.word != "" {
		begin()
		w.StrMember("reasoning_effort", w.plan.word)
	}
	if w.plan.nova != "" {
		begin()
		w.Name("reasoningConfig")
		w.Object()
		if w.plan.nova == "disabled" {
			w.StrMember("type", "disabled")
		} else {
			w.StrMember("type", "enabled")
			w.StrMember("maxReasoningEffort", w.plan.nova)
		}
		w.End()
	}
	if p := w.req.ParallelTools; p.Said && (w.same || w.model.oneCall() && !p.On && len(w.req.Tools) > 0 && w.req.Choice.Mode <= canon.ToolsAuto) {
		begin()
		w.Name("tool_choice")
		w.Object()
		w.StrMember("type", "auto")
		w.BoolMember("disable_parallel_tool_use", !p.On)
		w.End()
	} else if p.Said && !p.On && w.model.oneCall() {
		w.r.Lose(p.At, canon.Dropped, "")
	}
	if !w.plan.noTopK {
		switch w.model.family {
		case claude, mistral:
			member(canon.TopK, "top_k")
		case cohere:
			member(canon.TopK, "k")
		case nova:
			if w.req.Params[canon.TopK].JSON != nil {
				begin()
				w.Name("inferenceConfig")
				w.Object()
				w.RawMember("topK", w.r.Take(canon.TopK))
				w.End()
			}
		default:
			if w.same {
				member(canon.TopK, "top_k")
			}
		}
	}
	switch {
	case w.model.family == cohere || w.same:
		member(canon.FrequencyPenalty, "frequency_penalty")
		member(canon.PresencePenalty, "presence_penalty")
		member(canon.Seed, "seed")
	case w.model.family == ai21:
		member(canon.FrequencyPenalty, "frequency_penalty")
		member(canon.PresencePenalty, "presence_penalty")
	}
	for _, n := range w.r.Own(name, ownFields) {
		if _, deep, _ := strings.Cut(n.Path(), "."); deep != "" {
			begin()
			w.RawMember(n.Name(), n.Copy())
		}
	}
	if open {
		w.End()
	}
}

const ownFields = "additionalModelRequestFields"

// around writes what is about the call and not the answer, and what only Bedrock knows.
func (w *writing) around() {
	if json := w.r.Take(canon.Metadata); json != nil && string(json) != "{}" {
		w.metadata(json)
	}
	if tier := w.req.Word(canon.ServiceTier); tier == "flex" || tier == "priority" || tier == "reserved" || tier == "default" && w.same {
		w.r.Take(canon.ServiceTier)
		w.Name("serviceTier")
		w.Object()
		w.StrMember("type", tier)
		w.End()
	}
	paths := false
	for _, n := range w.r.Own(name) {
		w.RawMember(n.Name(), n.Copy())
		paths = paths || n.Name() == "additionalModelResponseFieldPaths"
	}
	if w.req.Params[canon.Stop].JSON != nil && w.model.family == claude && !paths {
		// Bedrock tells which stop sequence came only when it is asked.
		w.RawMember("additionalModelResponseFieldPaths", []byte(`["`+stopPath+`"]`))
	}
}

// metadata writes requestMetadata: at most 16 entries of letters, digits and some signs.
// Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, requestMetadata.
func (w *writing) metadata(json []byte) {
	d, err := jsontree.Parse(json, true)
	if err != nil || !d.Root().IsObject() {
		w.r.Lose(w.req.Params[canon.Metadata].At, canon.Dropped, "it is no object")
		return
	}
	w.Name("requestMetadata")
	w.Object()
	count := 0
	d.Root().Each(func(_ int, e jsontree.Node) {
		key, value := e.Name(), string(e.Copy())
		if e.IsString() {
			value = e.Str()
		}
		if count >= 16 || key == "" || !isMetadata(key) || !isMetadata(value) {
			w.loseIn(w.req.Params[canon.Metadata].At, key, canon.Dropped, "Bedrock takes 16 entries of letters, digits, spaces and :_@$#=/+,-.")
			return
		}
		count++
		w.StrMember(key, value)
	})
	w.End()
}

func isMetadata(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != ' ' && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') && strings.IndexByte(":_@$#=/+,-.", c) < 0 {
			return false
		}
	}
	return len(s) <= 256
}
