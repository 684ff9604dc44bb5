package matrix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// fact is one thing that a request or an answer says, in words that are the same whatever dialect it was read from.
type fact struct {
	what  string // "temperature", "tool call arguments"
	value string
	place string // its path in the caller's body
	in    bool   // value need only be a part of the values of what
}

// normal is JSON in one spelling, its object members in order; what is no JSON stays.
func normal(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text)
	}
	out, _ := json.Marshal(plainNumbers(v))
	return string(out)
}

// plainNumbers writes numbers that are the same in the same way.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			v[name] = plainNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plainNumbers(e)
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && !strings.ContainsAny(string(v), "123456789") || f != float64(int64(f)) || strings.Contains(string(v), ".") {
			return f
		}
	}
	return v
}

// paramNames are the parameters by their number, in the order of canon.
var paramNames = [...]string{
	"max tokens", "temperature", "top_p", "top_k", "min_p", "top_a", "frequency penalty", "presence penalty", "repetition penalty", "seed", "stop", "n",
	"logprobs", "top logprobs", "logit bias", "end user", "metadata", "service tier", "store", "verbosity", "modalities", "audio out", "prediction",
	"safety settings", "cache key", "cache retention", "previous id", "conversation", "include", "truncation", "max tool calls", "background", "web search",
	"cached content", "media detail", "safety user", "prompt template", "cache options", "moderation",
}

// facts lists what a request says.
func facts(r *canon.Request) (list []fact) {
	at := func(ref jsontree.Ref) string { return r.Doc.At(ref).Path() }
	add := func(what, value, place string) {
		if value != "" {
			list = append(list, fact{what: what, value: value, place: place})
		}
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		role := m.Role
		if role == canon.Developer {
			role = canon.System
		}
		add("participant's name", m.Name, at(m.At))
		for k := range m.Parts {
			p := &m.Parts[k]
			place := at(p.At)
			if place == "" {
				place = at(m.At)
			}
			list = append(list, partFacts(r, role.String(), p, place)...)
		}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		place := at(t.At)
		switch {
		case t.BuiltIn != "":
			add("built-in tool", builtIn(t.BuiltIn), place)
			continue
		case t.Custom:
			add("custom tool", t.Name, place)
		}
		add("tool", t.Name, place)
		add("tool's description", t.Description, place)
		if t.Schema != nil {
			add("tool's schema", schemaOf(t.Schema), place)
		}
		if t.Strict.On {
			strict := place
			if t.Strict.At != 0 {
				strict = at(t.Strict.At)
			}
			add("strict tool", t.Name, strict)
		}
		if t.Cache != nil {
			add("cache mark of a tool", t.Name, place)
		}
	}
	if mode := r.Choice.Mode; mode > canon.ToolsAuto || len(r.Choice.Names) > 0 {
		names := slices.Clone(r.Choice.Names)
		slices.Sort(names)
		if mode == canon.ToolsAny && len(names) == 1 {
			mode = canon.ToolsNamed // the same
		}
		add("tool choice", fmt.Sprint(mode, names), at(r.Choice.At))
	}
	if r.ParallelTools.Said && !r.ParallelTools.On {
		add("no parallel calls", "true", at(r.ParallelTools.At))
	}
	list = append(list, formatFacts(r)...)
	list = append(list, thinkingFacts(r)...)
	for id := range canon.NumParams {
		if id == canon.WebSearch && r.Params[id].JSON != nil {
			add("built-in tool", builtIn("web_search"), at(r.Params[id].At))
			continue
		}
		if p := r.Params[id]; p.JSON != nil && !saysNothing(id, string(p.JSON)) {
			value := normal(p.JSON)
			if id == canon.Stop && p.JSON[0] == '"' {
				value = "[" + value + "]"
			}
			add(paramNames[id], value, at(p.At))
		}
	}
	return list
}

// builtIn is what a provider's own tool is for, by its type's name.
func builtIn(name string) string {
	switch {
	case strings.HasPrefix(name, "web_search"), name == "google_search", name == "googleSearch", name == "nova_grounding":
		return "search"
	case strings.HasPrefix(name, "code_"), name == "codeExecution":
		return "code"
	}
	return name
}

// saysNothing tells whether a parameter asks for what is so without it, or for what only its own dialect has to ask for.
func saysNothing(id canon.ParamID, json string) bool {
	switch id {
	case canon.Store, canon.Logprobs, canon.Background:
		return json == "false"
	case canon.N:
		return json == "1"
	case canon.Truncation:
		return json == `"disabled"`
	case canon.ServiceTier:
		return json == `"auto"` || json == `"default"`
	case canon.FrequencyPenalty, canon.PresencePenalty, canon.TopLogprobs:
		return json == "0" || json == "0.0"
	case canon.Metadata:
		return json == "{}"
	case canon.Include:
		return true
	}
	return false
}

// schemaOf is a JSON Schema as it is compared: by the names of its properties, since each provider has its own subset.
func schemaOf(schema []byte) string {
	var v any
	if json.Unmarshal(schema, &v) != nil {
		return string(schema)
	}
	var names []string
	var walk func(v any, path string)
	walk = func(v any, path string) {
		m, _ := v.(map[string]any)
		properties, _ := m["properties"].(map[string]any)
		for name, e := range properties {
			names = append(names, path+"/"+name)
			walk(e, path+"/"+name)
		}
		if items := m["items"]; items != nil {
			walk(items, path+"/*")
		}
	}
	walk(v, "")
	slices.Sort(names)
	return strings.Join(names, " ")
}

func formatFacts(r *canon.Request) (list []fact) {
	f, place := &r.Format, r.Doc.At(r.Format.At).Path()
	switch f.Kind {
	case canon.JSONObject:
		list = append(list, fact{what: "JSON", value: "asked for", place: place})
	case canon.JSONSchema:
		list = append(list, fact{what: "JSON", value: "asked for", place: place}, fact{what: "answer's schema", value: schemaOf(f.Schema), place: place})
		if f.Description != "" {
			list = append(list, fact{what: "answer's schema described", value: f.Description, place: place})
		} else if v := jsonMember(f.Schema, "description"); v != "" {
			list = append(list, fact{what: "answer's schema described", value: v, place: place})
		}
	}
	return list
}

func jsonMember(text []byte, name string) string {
	var m map[string]any
	if json.Unmarshal(text, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

func thinkingFacts(r *canon.Request) (list []fact) {
	think, place := &r.Reasoning, r.Doc.At(r.Reasoning.At).Path()
	if !think.Said {
		return nil
	}
	if think.Off || think.Effort == "none" {
		return []fact{{what: "thinking", value: "off", place: place}}
	}
	list = append(list, fact{what: "thinking", value: "on", place: place})
	effort := think.Effort
	if effort == "" {
		effort = canon.EffortOf(max(think.Budget, 0))
	}
	if effort != "" {
		list = append(list, fact{what: "thinking effort", value: effort, place: place})
	}
	return list
}

// partFacts lists what one part of a message says.
func partFacts(r *canon.Request, role string, p *canon.Part, place string) (list []fact) {
	add := func(what, value string) {
		if value != "" {
			list = append(list, fact{what: what, value: value, place: place})
		}
	}
	text := func(what, value string) {
		if value = strings.Join(strings.Fields(value), ""); value != "" { // dialects join texts in their own ways
			list = append(list, fact{what: what, value: value, place: place, in: true})
		}
	}
	switch p.Kind {
	case canon.Text:
		text(role+" text", p.Text)
	case canon.Refusal:
		text("refusal", p.Text)
	case canon.Thinking:
		text("thinking text", p.Text)
		if p.Redacted {
			add("redacted thinking", strconv.FormatBool(p.Redacted))
		}
	case canon.ToolCall:
		add("tool call", p.Call.Name)
		add("tool call's id", p.Call.ID)
		if args := p.Call.Args; args != "" && args != "{}" {
			add("tool call's arguments", normal([]byte(args)))
		}
	case canon.ToolResult:
		list = append(list, resultFacts(r, p.Result, place)...)
	case canon.Other:
		add("what only one dialect has", normal(p.Raw))
	default:
		list = append(list, mediaFacts(p, place)...)
	}
	// Without the name of who made it and the mark of the part that it belongs to, which come before it in other dialects.
	add("thinking signature", strings.TrimLeft(p.Signature[strings.LastIndexAny(p.Signature, ".:")+1:], "<>"))
	if p.Cache != nil {
		add("cache mark", "here")
		if p.Cache.TTL == "1h" {
			add("cache mark's time", p.Cache.TTL)
		}
	}
	for _, c := range p.Citations {
		switch {
		case c.URL != "":
			add("citation", c.URL)
		case c.Title != "":
			add("citation", c.Title)
		default:
			add("citation", c.FileID)
		}
	}
	return list
}

func mediaFacts(p *canon.Part, place string) (list []fact) {
	m := p.Media
	value := m.URL + m.FileID
	if m.Data != "" {
		value = m.Data
	}
	if m.Text != "" {
		value = m.Text
	}
	kind := p.Kind.String()
	if value != "" {
		list = append(list, fact{what: kind, value: value, place: place})
	}
	if m.Detail != "" && m.Detail != "auto" {
		list = append(list, fact{what: kind + " detail", value: m.Detail, place: place})
	}
	return list
}

func resultFacts(r *canon.Request, res *canon.Result, place string) (list []fact) {
	add := func(what, value string) {
		if value != "" {
			list = append(list, fact{what: what, value: value, place: place})
		}
	}
	name := res.Name
	if name == "" {
		name = r.FindCall(res.ID)
	}
	add("tool result of", name)
	add("tool result's id", res.ID)
	text := string(res.JSON)
	for i := range res.Parts {
		if p := &res.Parts[i]; p.Kind == canon.Text {
			text += p.Text
		} else {
			list = append(list, partFacts(r, "tool", p, place)...)
		}
	}
	list = append(list, fact{what: "tool result", value: strings.Join(strings.Fields(unwrapped(text)), ""), place: place, in: true})
	if res.Error {
		add("tool error", "true")
	}
	return list
}

// unwrapped is a result without the object in which dialects put it that want one.
func unwrapped(text string) string {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &m) == nil && len(m) == 1 {
		for _, name := range []string{"result", "error", "output"} {
			var s string
			if v, ok := m[name]; ok && json.Unmarshal(v, &s) == nil {
				return unwrapped(s)
			} else if ok {
				return normal(v)
			}
		}
	}
	return normal([]byte(text))
}

// missing lists the facts of a that b does not have.
func missing(a, b []fact) (gone []fact) {
	all := map[string]string{}
	left := map[string]int{}
	for _, f := range b {
		all[f.what] += f.value
		left[f.what+"\n"+f.value]++
	}
	for _, f := range a {
		key := f.what + "\n" + f.value
		switch {
		case f.in && strings.Contains(all[f.what], f.value):
		case !f.in && left[key] > 0:
			left[key]--
		default:
			gone = append(gone, f)
		}
	}
	return gone
}

// covered tells whether the report names the place, something in it, or something around it.
func covered(place string, r *canon.Report) bool {
	for _, e := range r.Entries {
		if place != "" && (e.Field == place || strings.HasPrefix(e.Field, place+".") || strings.HasPrefix(place, e.Field+".")) {
			return true
		}
	}
	return false
}
