package gemini

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// tools reads the tools: functions of the caller's, and built-in ones by the name of their member.
func (r reader) tools(list jsontree.Node) {
	if list.IsObject() {
		r.tool(list)
		return
	}
	if r.is(list, jsonscan.Array) {
		list.Each(func(_ int, t jsontree.Node) { r.tool(t) })
	}
}

func (r reader) tool(t jsontree.Node) {
	if !t.IsObject() {
		r.d.Fail(t, "must be an object")
		return
	}
	t.Each(func(_ int, n jsontree.Node) {
		switch name := n.Name(); {
		case !n.Said():
		case name == "functionDeclarations" || name == "function_declarations":
			if r.is(n, jsonscan.Array) {
				n.Each(func(_ int, f jsontree.Node) { r.function(f) })
			}
		default:
			r.req.Tools = append(r.req.Tools, canon.Tool{BuiltIn: snake(name), Raw: n.Raw(), At: n.Ref()})
		}
	})
}

// function reads a FunctionDeclaration.
func (r reader) function(f jsontree.Node) {
	if !f.IsObject() {
		r.d.Fail(f, "must be an object")
		return
	}
	t := canon.Tool{Name: need(r.d, f, true, "name"), Description: f.Get("description").Str(), At: f.Ref()}
	if n := f.First("parametersJsonSchema", "parameters_json_schema"); r.is(n, jsonscan.Object) {
		t.Schema = n.Raw()
	} else if n := f.Get("parameters"); r.is(n, jsonscan.Object) {
		t.Schema = schemaOf(n)
	}
	r.req.Tools = append(r.req.Tools, t)
}

// toolConfig reads functionCallingConfig. VALIDATED is AUTO with arguments that hold to their schema.
func (r reader) toolConfig(n jsontree.Node) {
	if !r.is(n, jsonscan.Object) {
		return
	}
	config := n.First("functionCallingConfig", "function_calling_config")
	if !r.is(config, jsonscan.Object) {
		return
	}
	choice := &r.req.Choice
	choice.At = config.Ref()
	mode := config.Get("mode")
	switch strings.ToUpper(mode.Str()) {
	case "", "MODE_UNSPECIFIED":
	case "AUTO":
		choice.Mode = canon.ToolsAuto
	case "VALIDATED":
		choice.Mode = canon.ToolsAuto
		for i := range r.req.Tools {
			r.req.Tools[i].Strict = canon.Flag{Said: true, On: true, At: mode.Ref()}
		}
	case "ANY":
		choice.Mode = canon.ToolsAny
	case "NONE":
		choice.Mode = canon.ToolsNone
	default:
		r.d.Fail(mode, "must be AUTO, ANY, NONE or VALIDATED")
	}
	names := config.First("allowedFunctionNames", "allowed_function_names")
	if r.is(names, jsonscan.Array) {
		choice.Names = make([]string, 0, names.Len())
		names.Each(func(_ int, n jsontree.Node) {
			if r.is(n, jsonscan.String) {
				choice.Names = append(choice.Names, n.Str())
			}
		})
	}
	if choice.Mode == canon.ToolsAny && len(choice.Names) == 1 {
		choice.Mode = canon.ToolsNamed
	}
}

// numbers are the parameters of generationConfig that are numbers everywhere.
var numbers = [...]struct {
	camel, snake string
	id           canon.ParamID
	whole        bool
}{
	{"candidateCount", "candidate_count", canon.N, true},
	{"maxOutputTokens", "max_output_tokens", canon.MaxTokens, true},
	{"temperature", "temperature", canon.Temperature, false},
	{"topP", "top_p", canon.TopP, false},
	{"topK", "top_k", canon.TopK, true},
	{"seed", "seed", canon.Seed, true},
	{"presencePenalty", "presence_penalty", canon.PresencePenalty, false},
	{"frequencyPenalty", "frequency_penalty", canon.FrequencyPenalty, false},
	{"logprobs", "logprobs", canon.TopLogprobs, true},
}

// either is a member under its name in camel case or in snake case.
func either(n jsontree.Node, camel, snake string) jsontree.Node {
	if camel == snake {
		return n.Get(camel)
	}
	return n.First(camel, snake)
}

// config reads generationConfig.
func (r reader) config(n jsontree.Node) {
	if !r.is(n, jsonscan.Object) {
		return
	}
	for i := range numbers {
		p := &numbers[i]
		v := either(n, p.camel, p.snake)
		if !v.Said() {
			continue
		}
		if p.whole {
			v.Int()
		} else {
			v.Float()
		}
		r.req.Set(p.id, v)
	}
	if v := n.First("responseLogprobs", "response_logprobs"); v.Said() {
		v.Bool()
		r.req.Set(canon.Logprobs, v)
	}
	if v := n.First("stopSequences", "stop_sequences"); r.is(v, jsonscan.Array) {
		v.Each(func(_ int, s jsontree.Node) { r.is(s, jsonscan.String) })
		r.req.Set(canon.Stop, v)
	}
	if v := n.First("responseModalities", "response_modalities"); r.is(v, jsonscan.Array) {
		var w jsontree.Writer
		w.Array()
		v.Each(func(_ int, s jsontree.Node) { w.Str(strings.ToLower(s.Str())) })
		w.End()
		r.req.SetJSON(canon.Modalities, v, w.Buf)
	}
	if v := n.First("mediaResolution", "media_resolution"); r.is(v, jsonscan.String) {
		r.req.Set(canon.MediaDetail, v)
	}
	if v := n.First("thinkingConfig", "thinking_config"); r.is(v, jsonscan.Object) {
		r.thinking(v)
	}
	r.voice(n)
	r.format(n)
}

// voice reads speechConfig where it says no more than a voice; else it is left for Vertex AI and the Gemini API.
func (r reader) voice(n jsontree.Node) {
	config := n.First("speechConfig", "speech_config")
	voice := config.First("voiceConfig", "voice_config")
	name := voice.First("prebuiltVoiceConfig", "prebuilt_voice_config").First("voiceName", "voice_name")
	if !config.Said() {
		return
	}
	if config.Len() != 1 || voice.Len() != 1 || !name.IsString() {
		config.Leave()
		return
	}
	var w jsontree.Writer
	w.Object()
	w.StrMember("voice", name.Str())
	w.End()
	r.req.SetJSON(canon.AudioOut, config, w.Buf)
}

// thinking reads thinkingConfig.
func (r reader) thinking(n jsontree.Node) {
	t := &r.req.Reasoning
	t.Said, t.At = true, n.Ref()
	t.Show, _ = n.First("includeThoughts", "include_thoughts").Bool()
	if level := n.First("thinkingLevel", "thinking_level"); level.Said() {
		t.At = level.Ref()
		if t.Effort = strings.ToLower(level.Str()); t.Effort == "thinking_level_unspecified" {
			t.Effort = ""
		}
	}
	budget := n.First("thinkingBudget", "thinking_budget")
	if v, ok := budget.Int(); ok {
		t.Budget, t.Off, t.BudgetAt = max(v, -1), v == 0, budget.Ref()
	}
}

// format reads responseMimeType and the schema, of which there are two forms.
func (r reader) format(n jsontree.Node) {
	f := &r.req.Format
	mime := n.First("responseMimeType", "response_mime_type")
	schema := n.First("responseJsonSchema", "response_json_schema", "_responseJsonSchema")
	older := n.First("responseSchema", "response_schema")
	switch mime.Str() {
	case "", "text/plain":
		if schema.Said() || older.Said() {
			r.d.Missing(n, "responseMimeType")
		}
	case "application/json":
		f.At = mime.Ref()
		f.Kind = canon.JSONObject
		if r.is(schema, jsonscan.Object) {
			f.Kind, f.Schema, f.At = canon.JSONSchema, schema.Raw(), schema.Ref()
		} else if r.is(older, jsonscan.Object) {
			f.Kind, f.Schema, f.At = canon.JSONSchema, schemaOf(older), older.Ref()
		}
	default: // text/x.enum, and forms to come
		for _, v := range [...]jsontree.Node{mime, schema, older} {
			if v.Said() {
				v.Leave()
			}
		}
	}
}

// snake turns googleSearch into google_search.
func snake(name string) string {
	if strings.ToLower(name) == name {
		return name
	}
	b := make([]byte, 0, len(name)+4)
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			b = append(b, '_', c|0x20)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// camel turns google_search into googleSearch.
func camel(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if c := name[i]; c == '_' && i+1 < len(name) {
			i++
			b = append(b, strings.ToUpper(name[i:i+1])...)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
