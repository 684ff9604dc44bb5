package sandbox

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSampledArgumentsSatisfyTheirSchema holds what is made to a real validator.
func TestSampledArgumentsSatisfyTheirSchema(t *testing.T) {
	for name, schema := range map[string]string{
		"every type":        `{"type":"object","properties":{"s":{"type":"string"},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},"z":{"type":"null"},"a":{"type":"array","items":{"type":"integer"}},"o":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}},"required":["s","i","n","b","z","a","o"]}`,
		"strict":            `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":["string","null"]}},"required":["a","b"],"additionalProperties":false}`,
		"enum and const":    `{"type":"object","properties":{"e":{"enum":["x","y"]},"c":{"const":5},"d":{"type":"string","default":"z"}},"required":["e","c","d"]}`,
		"bounds":            `{"type":"object","properties":{"a":{"type":"integer","minimum":10,"maximum":12},"b":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},"c":{"type":"integer","multipleOf":7},"d":{"type":"integer","maximum":-3},"e":{"type":"integer","exclusiveMinimum":4,"multipleOf":5},"f":{"type":"number","minimum":0.25,"maximum":0.5}},"required":["a","b","c","d","e","f"]}`,
		"lengths":           `{"type":"object","properties":{"a":{"type":"string","minLength":40},"b":{"type":"string","maxLength":3},"c":{"type":"array","items":{"type":"string"},"minItems":3}},"required":["a","b","c"]}`,
		"formats":           `{"type":"object","properties":{"a":{"type":"string","format":"date-time"},"b":{"type":"string","format":"date"},"c":{"type":"string","format":"email"},"d":{"type":"string","format":"uri"},"e":{"type":"string","format":"uuid"},"f":{"type":"string","format":"ipv4"}},"required":["a","b","c","d","e","f"]}`,
		"references":        `{"type":"object","properties":{"p":{"$ref":"#/$defs/Place"}},"required":["p"],"$defs":{"Place":{"type":"object","properties":{"lat":{"type":"number"},"near":{"$ref":"#/$defs/Place"}},"required":["lat"]}}}`,
		"choices":           `{"type":"object","properties":{"a":{"anyOf":[{"type":"integer"},{"type":"null"}]},"b":{"oneOf":[{"type":"string"},{"type":"integer"}]},"c":{"allOf":[{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]},{"properties":{"y":{"type":"string"}},"required":["y"]}]}},"required":["a","b","c"]}`,
		"tuples":            `{"type":"object","properties":{"t":{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}},"required":["t"]}`,
		"no type":           `{"properties":{"a":{"minimum":3},"b":{"items":{"type":"boolean"}},"c":{}},"required":["a","b","c"]}`,
		"required, unknown": `{"type":"object","required":["ghost"]}`,
		"empty":             `{}`,
		"nothing required":  `{"type":"object","properties":{"a":{"type":"string"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			arguments, err := sampleArguments(json.RawMessage(schema))
			if err != nil {
				t.Fatal(err)
			}
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
			if err != nil {
				t.Fatal(err)
			}
			compiler := jsonschema.NewCompiler()
			compiler.AssertFormat()
			if err := compiler.AddResource("schema.json", document); err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(arguments))
			if err != nil {
				t.Fatalf("%v: %s", err, arguments)
			}
			if err := compiler.MustCompile("schema.json").Validate(value); err != nil {
				t.Errorf("%s: %v", arguments, err)
			}
		})
	}
}

func TestHostileSchemasEnd(t *testing.T) {
	for _, schema := range []string{
		`{"$ref":"#"}`, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`, `{"$ref":"http://elsewhere"}`, `{"$ref":7}`, `{"anyOf":[{"$ref":"#"}]}`,
		`{"type":"object","properties":{"self":{"$ref":"#"}},"required":["self"]}`, `{"allOf":[{"allOf":[{"$ref":"#"}]}]}`,
		`{"type":"array"}`, `{"type":"object","required":7,"properties":[]}`, `{"type":"object","properties":{"a":{"type":"array","minItems":1e9}},"required":["a"]}`,
		`{"type":"object","properties":{"a":{"minLength":1e12,"maxLength":-1}},"required":["a"]}`,
		`{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},"r":{"$ref":"#/$defs/t"}},"required":["l","r"],"$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},"r":{"$ref":"#/$defs/t"}},"required":["l","r"]}}}`,
	} {
		arguments, err := sampleArguments(json.RawMessage(schema))
		if err != nil || !strings.HasPrefix(arguments, "{") || len(arguments) > 1<<20 {
			t.Errorf("%s: %v, %.100s", schema, err, arguments)
		}
	}
	for _, parameters := range []string{"", "null", " null "} {
		if arguments, err := sampleArguments(json.RawMessage(parameters)); arguments != "{}" || err != nil {
			t.Errorf("%q: %s, %v", parameters, arguments, err)
		}
	}
}

func TestTokensJoinToTheirText(t *testing.T) {
	for text, want := range map[string]int{"": 0, " ": 1, "one": 1, "one two": 2, " one  two\n": 3, "漢字漢字漢字漢字漢字漢字漢字": 2, "\xff\xfe": 1, "antidisestablishmentarianism": 3} {
		if got := strings.Join(split(text), ""); got != text || len(split(text)) != want {
			t.Errorf("%q: %q", text, split(text))
		}
	}
}
