package catalog

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Prompt is a prompt and a model as a REST API.
type Prompt struct {
	Name        string
	Description string
	Default     string // the version that is used when none is asked for
	Versions    map[string]*PromptVersion
}

// PromptVersion is one version of a prompt, whole: what it does not say itself it has from the prompt.
type PromptVersion struct {
	Name       string
	Model      string
	Messages   []PromptMessage
	Variables  []PromptVariable
	Output     *JSONSchema // nil: the answer is text
	Parameters []PromptParameter
}

// PromptMessage is a message whose text has places for variables.
type PromptMessage struct {
	Role   string // system | user | assistant
	Pieces []PromptPiece
}

// PromptPiece is a piece of text, or the place of a variable.
type PromptPiece struct {
	Text     string
	Variable int // its place in Variables, -1 for text
}

// PromptVariable is what a caller gives.
type PromptVariable struct {
	Name        string
	Type        string // string | number | integer | boolean | array | object
	Description string
	Required    bool
	Default     []byte   // JSON, nil for none
	Enum        [][]byte // JSON, nil for any value
	MaxLength   int      // of a string in characters, 0 for any
}

// PromptParameter is a setting of the model, by the name that OpenAI's chat has for it.
type PromptParameter struct {
	Name string
	JSON []byte
}

func promptKeys() []key {
	return append(promptContentKeys(), []key{
		{
			name: "description", shape: scalarOf(prose("a description")),
			doc: "What it does, for its OpenAPI page (`GET /prompts/NAME`).",
		},
		{
			name: "versions", aka: []string{"version"},
			shape: mappingOf(versionName(), `{"2": {system: ...}}`, objectOf("{system: ...}", promptContentKeys())),
			doc:   "Further versions by name, asked for with `?version=NAME` or the header `Causeway-Prompt-Version`. What a version does not say it has from the prompt, whose own text is the version `1`; `system`, `user` and `messages` count as one.",
		},
		{
			name: "default_version", shape: scalarOf(word("a version's name")), aka: []string{"default", "current"},
			doc: "The version that is used when none is asked for. Without it `1`, or the only one that there is.",
		},
	}...)
}

// promptContentKeys are what a prompt and each of its versions may say.
func promptContentKeys() []key {
	return []key{
		{
			name: "model", shape: scalarOf(modelText()),
			doc: "A name under `models`, or PROVIDER/MODEL. Whoever subscribes to the prompt may use it through the prompt.",
		},
		{
			name: "system", shape: scalarOf(prose("a text with {{variables}}")), aka: []string{"prompt", "template", "instructions"},
			doc: "The system message. `{{name}}` is the place of a variable, whose value is put in as it is and never read as a template; `{{{{` is a literal `{{`.",
		},
		{
			name: "user", shape: scalarOf(prose("a text with {{variables}}")), aka: []string{"input"},
			doc: "The user's message.",
		},
		{
			name: "messages",
			shape: listOf("a list such as [{role: user, content: \"Translate: {{text}}\"}]", objectOf("{role: user, content: TEXT}", []key{
				{
					name: "role", required: true, example: "role: user", doc: "Who speaks.",
					shape: scalarOf(oneOf(nil, choice{value: "system", doc: "the instructions"}, choice{value: "user", doc: "who asks"}, choice{value: "assistant", doc: "the model, as an example of an answer"})),
				},
				{name: "content", required: true, example: "content: TEXT", shape: scalarOf(prose("a text with {{variables}}")), aka: []string{"text"}, doc: "The text, with `{{variables}}`."},
			})).notEmpty(),
			doc: "The conversation in place of `user`; `system` stands before it.",
		},
		{
			name:  "variables",
			shape: listOf("a list such as [{name: text, required: true}]", objectOf("{name: text, required: true}", variableKeys()).orScalar(word("a variable's name"))),
			doc:   "What a caller gives in the JSON body of `POST /prompts/NAME`. Each must be used in a text, and each that a text uses must be here.",
		},
		{
			name: "output", shape: anyOf("a JSON Schema such as {type: object, properties: {label: {type: string}}, required: [label]}"), aka: []string{"schema", "response_format", "output_schema"},
			doc: "A JSON Schema (2020-12): the model is asked for JSON of it, and the answer is checked before the caller gets it. One that does not fit goes to the model's next target, else it is the failure `output_mismatch`. Without it the answer is text.",
		},
		{
			name: "parameters", optional: true, shape: objectOf("{temperature: 0.2, max_tokens: 200}", parameterKeys()), aka: []string{"params", "options", "settings"},
			doc: "Settings of the model, as OpenAI's chat names them; what the model's provider does not have is told in `Causeway-Translation`.",
		},
	}
}

func variableKeys() []key {
	return []key{
		{name: "name", shape: scalarOf(word("a variable's name")), doc: "The name in `{{...}}` and in the caller's JSON: letters, digits and _, no digit first."},
		{
			name: "type", def: "string", doc: "What the caller gives: arrays and objects are put in as JSON.",
			shape: scalarOf(oneOf(nil, choice{value: "string"}, choice{value: "number"}, choice{value: "integer"}, choice{value: "boolean"}, choice{value: "array"}, choice{value: "object"})),
		},
		{name: "required", def: "false", shape: scalarOf(boolean()), doc: "A call without it is refused (400). One that is not required and not given is empty, or its `default`."},
		{name: "default", shape: anyOf("a value of the variable's type"), doc: "The value when the caller gives none."},
		{name: "enum", shape: listOf("a list such as [short, long]", anyOf("a value")).notEmpty(), aka: []string{"values", "choices"}, doc: "The values that it may have."},
		{name: "max_length", shape: scalarOf(integer("a number of characters", 1, 100_000_000)), aka: []string{"maxLength"}, doc: "The longest string, in characters."},
		{name: "description", shape: scalarOf(prose("a description")), doc: "What it is, for the OpenAPI page."},
	}
}

func parameterKeys() []key {
	return []key{
		{name: "max_tokens", shape: scalarOf(integer("a number of tokens", 1, 100_000_000)), aka: []string{"max_completion_tokens", "max_output_tokens"}, doc: "The most tokens of an answer."},
		{name: "temperature", shape: scalarOf(decimal("a number from 0 to 2", 0, 2)), doc: "0 to 2: how much chance there is in the answer."},
		{name: "top_p", shape: scalarOf(decimal("a number from 0 to 1", 0, 1)), doc: "0 to 1: only the likeliest tokens of this share are drawn from."},
		{name: "top_k", shape: scalarOf(integer("a number of tokens", 1, 1_000_000)), doc: "Only so many of the likeliest tokens are drawn from."},
		{name: "frequency_penalty", shape: scalarOf(decimal("a number from -2 to 2", -2, 2)), doc: "-2 to 2: against tokens that came often."},
		{name: "presence_penalty", shape: scalarOf(decimal("a number from -2 to 2", -2, 2)), doc: "-2 to 2: against tokens that came at all."},
		{name: "seed", shape: scalarOf(integer("a number", 0, math.MaxInt32)), doc: "For answers that can be repeated, where the provider has that."},
		{name: "stop", shape: listOf("a list such as [END]", scalarOf(prose("a text"))).notEmpty(), doc: "Texts at which the answer ends."},
		{
			name: "reasoning_effort", aka: []string{"effort"}, doc: "How much the model thinks first.",
			shape: scalarOf(oneOf(nil, choice{value: "none"}, choice{value: "minimal"}, choice{value: "low"}, choice{value: "medium"}, choice{value: "high"}, choice{value: "xhigh"})),
		},
	}
}

// prose is text of several lines, up to 256 KiB.
func prose(noun string) scalar {
	const most = 256 << 10
	return scalar{
		noun: noun, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string"},
		parse: func(s string) (any, *wrong) {
			for _, r := range s {
				if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
					return nil, &wrong{message: fmt.Sprintf("has the control character U+%04X in it", r), fix: "remove it"}
				}
			}
			if len(s) > most {
				return nil, &wrong{message: "is longer than 256 KiB", fix: "make it shorter"}
			}
			return s, nil
		},
	}
}

// word is a short name; a number may be written without quotes.
func word(noun string) scalar {
	s := text(noun)
	s.kinds = []nodeKind{stringNode, numberNode}
	s.schema = map[string]any{"type": []string{"string", "number"}}
	return s
}

func decimal(noun string, least, most float64) scalar {
	return scalar{
		noun: noun, kinds: []nodeKind{numberNode},
		schema: map[string]any{"type": "number", "minimum": least, "maximum": most},
		parse: func(s string) (any, *wrong) {
			n, err := strconv.ParseFloat(s, 64)
			number, rest := leadingNumber(strings.TrimPrefix(s, "-"))
			switch {
			case err != nil || number == "" || rest != "":
				return nil, &wrong{message: "is not a plain number", fix: "write " + noun}
			case n < least || n > most:
				return nil, outOfRange(strconv.FormatFloat(least, 'g', -1, 64), strconv.FormatFloat(most, 'g', -1, 64))
			}
			return n, nil
		},
	}
}

func versionName() names { return objectName("a version's name") }

// isVariable tells whether s can be a variable.
func isVariable(s string) bool {
	return s != "" && len(s) <= 64 && only(s, "_") && (s[0] < '0' || s[0] > '9')
}

// prompt builds a prompt that has been checked.
func prompt(name string, v *value) *Prompt {
	p := &Prompt{Name: name, Description: as[string](v.get("description")), Versions: map[string]*PromptVersion{}}
	if hasText(v) {
		p.Versions[firstVersion] = promptVersion(firstVersion, v, v)
	}
	for _, version := range v.get("versions").names {
		p.Versions[version] = promptVersion(version, v.get("versions").get(version), v)
	}
	p.Default = as[string](v.get("default_version"))
	if p.Default == "" {
		p.Default = firstVersion
		if _, ok := p.Versions[firstVersion]; !ok {
			for only := range maps.Keys(p.Versions) {
				p.Default = only
			}
		}
	}
	return p
}

// firstVersion is the name of what the prompt says itself.
const firstVersion = "1"

// hasText tells whether v says what is asked of the model.
func hasText(v *value) bool {
	return v.get("system").set() || v.get("user").set() || v.get("messages").set()
}

// own is the value that says what v says of a key: v itself, or the prompt that it is a version of.
func own(v, base *value, key string) *value {
	switch key {
	case "system", "user", "messages":
		if hasText(v) {
			return v.get(key)
		}
	default:
		if v.get(key).set() {
			return v.get(key)
		}
	}
	return base.get(key)
}

func promptVersion(name string, v, base *value) *PromptVersion {
	p := &PromptVersion{Name: name, Model: as[string](own(v, base, "model"))}
	for _, item := range own(v, base, "variables").items {
		p.Variables = append(p.Variables, promptVariable(item))
	}
	for _, t := range promptTexts(v, base) {
		pieces, _ := cutTemplate(as[string](t.text))
		m := PromptMessage{Role: t.role}
		for _, piece := range pieces {
			at := -1
			if piece.variable {
				at = slices.IndexFunc(p.Variables, func(v PromptVariable) bool { return v.Name == piece.text })
				m.Pieces = append(m.Pieces, PromptPiece{Variable: at})
				continue
			}
			m.Pieces = append(m.Pieces, PromptPiece{Text: piece.text, Variable: at})
		}
		p.Messages = append(p.Messages, m)
	}
	if out := own(v, base, "output"); out.set() {
		text, _ := appendJSON(nil, out.node)
		p.Output, _ = NewJSONSchema(text) // it was compiled when the file was checked
	}
	parameters := own(v, base, "parameters")
	for _, k := range parameterKeys() {
		if set := parameters.get(k.name); set.set() {
			text, _ := appendJSON(nil, set.node)
			p.Parameters = append(p.Parameters, PromptParameter{k.name, text})
		}
	}
	return p
}

// nameOf is the value with a variable's name, which may be written alone.
func nameOf(item *value) *value {
	if short := item.get("value"); short.set() {
		return short
	}
	return item.get("name")
}

func promptVariable(item *value) PromptVariable {
	v := PromptVariable{
		Name: as[string](nameOf(item)), Type: as[string](item.get("type")), Required: as[bool](item.get("required")),
		Description: as[string](item.get("description")), MaxLength: number(item.get("max_length")),
	}
	if d := item.get("default"); d.set() {
		v.Default, _ = appendJSON(nil, d.node)
	}
	for _, e := range item.get("enum").items {
		text, _ := appendJSON(nil, e.node)
		v.Enum = append(v.Enum, text)
	}
	return v
}

// roleText is a text with who says it.
type roleText struct {
	role string
	text *value
}

// promptTexts are the texts of a version in their order.
func promptTexts(v, base *value) (list []roleText) {
	if s := own(v, base, "system"); s.set() {
		list = append(list, roleText{"system", s})
	}
	for _, m := range own(v, base, "messages").items {
		list = append(list, roleText{as[string](m.get("role")), m.get("content")})
	}
	if u := own(v, base, "user"); u.set() {
		list = append(list, roleText{"user", u})
	}
	return list
}
