package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The bounds of what is made: a schema may refer to itself, once or many times over. What lies
// beyond them is left empty.
const (
	maxSampleDepth  = 32
	maxSampleValues = 2000
	maxSampleText   = 4096
)

// sampleArguments makes arguments that satisfy a tool's parameters: the required properties, each
// with a value of its type. Without parameters it is {}.
func sampleArguments(parameters json.RawMessage) (string, error) {
	if p := bytes.TrimSpace(parameters); len(p) == 0 || string(p) == "null" {
		return "{}", nil
	}
	var root any
	dec := json.NewDecoder(bytes.NewReader(parameters))
	dec.UseNumber()
	if err := dec.Decode(&root); err != nil {
		return "", err
	}
	schema, ok := root.(map[string]any)
	if !ok {
		return "", fmt.Errorf("expected an object, got %.50s", parameters)
	}
	s := sampler{root: schema}
	value := s.value("argument", schema, 0)
	if _, ok := value.(map[string]any); !ok {
		value = map[string]any{} // arguments are an object, whatever the schema says
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// sampler makes values from the schemas of one document.
type sampler struct {
	root  map[string]any
	spent int // schemas looked at
}

// over tells that a bound is reached.
func (s *sampler) over(depth int) bool {
	s.spent++
	return depth > maxSampleDepth || s.spent > maxSampleValues
}

// value makes a value for a schema. name is the property's, for texts.
func (s *sampler) value(name string, schema map[string]any, depth int) any {
	schema = s.resolve(schema, depth)
	for _, keyword := range []string{"const", "default"} {
		if v, ok := schema[keyword]; ok {
			return v
		}
	}
	for _, keyword := range []string{"enum", "examples"} {
		if list, ok := schema[keyword].([]any); ok && len(list) > 0 {
			return list[0]
		}
	}
	switch kind := kindOf(schema); kind {
	case "object":
		return s.object(schema, depth)
	case "array":
		return s.array(name, schema, depth)
	case "integer", "number":
		return number(schema, kind == "integer")
	case "boolean":
		return true
	case "null":
		return nil
	}
	return text(name, schema)
}

// resolve follows $ref and takes the first of anyOf and oneOf and all of allOf into the schema.
func (s *sampler) resolve(schema map[string]any, depth int) map[string]any {
	for !s.over(depth) {
		switch {
		case schema["$ref"] != nil:
			ref, _ := schema["$ref"].(string)
			schema = merge(schema, s.lookup(ref), "$ref")
		case first(schema["anyOf"]) != nil:
			schema = merge(schema, first(schema["anyOf"]), "anyOf")
		case first(schema["oneOf"]) != nil:
			schema = merge(schema, first(schema["oneOf"]), "oneOf")
		case first(schema["allOf"]) != nil:
			list := schema["allOf"].([]any)
			merged := merge(schema, nil, "allOf")
			for _, v := range list {
				if one, ok := v.(map[string]any); ok {
					merged = merge(merged, s.resolve(one, depth+1), "")
				}
			}
			schema = merged
		default:
			return schema
		}
	}
	return map[string]any{}
}

// merge returns a schema without the keyword drop and with what more says; lists of required
// members and properties are joined.
func merge(schema, more map[string]any, drop string) map[string]any {
	out := map[string]any{}
	for k, v := range schema {
		if k != drop {
			out[k] = v
		}
	}
	for k, v := range more {
		switch have := out[k].(type) {
		case []any:
			if list, ok := v.([]any); ok && k == "required" {
				v = slices.Concat(have, list)
			}
		case map[string]any:
			if properties, ok := v.(map[string]any); ok && k == "properties" {
				v = merge(have, properties, "")
			}
		}
		out[k] = v
	}
	return out
}

func first(list any) map[string]any {
	all, _ := list.([]any)
	if len(all) == 0 {
		return nil
	}
	one, _ := all[0].(map[string]any)
	return one
}

// lookup finds a reference inside the document, such as #/$defs/Place; nil when there is none.
func (s *sampler) lookup(ref string) map[string]any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := s.root
	for _, step := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if at, ok = at[step].(map[string]any); !ok {
			return nil
		}
	}
	return at
}

// kindOf is the schema's type, or the one that its keywords mean.
func kindOf(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		for _, one := range t {
			if name, ok := one.(string); ok && name != "null" {
				return name
			}
		}
		return "null"
	}
	switch {
	case schema["properties"] != nil || schema["required"] != nil:
		return "object"
	case schema["items"] != nil:
		return "array"
	case schema["minimum"] != nil || schema["maximum"] != nil:
		return "number"
	}
	return "string"
}

func (s *sampler) object(schema map[string]any, depth int) map[string]any {
	out := map[string]any{}
	if s.over(depth) {
		return out
	}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, v := range required {
		if name, ok := v.(string); ok {
			property, _ := properties[name].(map[string]any)
			out[name] = s.value(name, property, depth+1)
		}
	}
	return out
}

func (s *sampler) array(name string, schema map[string]any, depth int) []any {
	out := []any{}
	if s.over(depth) {
		return out
	}
	items, _ := schema["items"].(map[string]any)
	prefix, _ := schema["prefixItems"].([]any)
	n := max(int(min(bound(schema, "minItems", 1), maxSampleValues)), len(prefix))
	for i := range n {
		item := items
		if i < len(prefix) {
			item, _ = prefix[i].(map[string]any)
		}
		out = append(out, s.value(name, item, depth+1))
	}
	return out
}

// bound reads a number of the schema.
func bound(schema map[string]any, keyword string, otherwise float64) float64 {
	if n, ok := schema[keyword].(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			return f
		}
	}
	return otherwise
}

// number makes a number within the schema's bounds: 1 where that is allowed.
func number(schema map[string]any, integer bool) any {
	low, high := bound(schema, "minimum", math.Inf(-1)), bound(schema, "maximum", math.Inf(1))
	above, below := bound(schema, "exclusiveMinimum", math.Inf(-1)), bound(schema, "exclusiveMaximum", math.Inf(1))
	multiple := bound(schema, "multipleOf", 0)
	low, high = max(low, above), min(high, below)
	allowed := func(v float64) bool {
		whole := multiple <= 0 || math.Mod(v, multiple) == 0
		return v >= low && v <= high && v > above && v < below && whole && (!integer || v == math.Trunc(v))
	}
	candidates := []float64{1, 0, low, high, low + 1, high - 1, math.Floor(low) + 1, math.Ceil(high) - 1, (low + high) / 2}
	if multiple > 0 {
		up, down := math.Ceil(low/multiple)*multiple, math.Floor(high/multiple)*multiple
		candidates = append(candidates, multiple, up, down, up+multiple, down-multiple)
	}
	value := 1.0
	for _, v := range candidates {
		if allowed(v) {
			value = v
			break
		}
	}
	if integer {
		return int64(value)
	}
	return value
}

// text makes a text of the right form and length.
func text(name string, schema map[string]any) string {
	format, _ := schema["format"].(string)
	switch format {
	case "date-time":
		return "2026-01-01T12:00:00Z"
	case "date":
		return "2026-01-01"
	case "time":
		return "12:00:00Z"
	case "email":
		return "someone@example.com"
	case "uri", "url":
		return "https://example.com/"
	case "hostname":
		return "example.com"
	case "ipv4":
		return "192.0.2.1"
	case "ipv6":
		return "2001:db8::1"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	}
	value := "sample " + name
	if shortest := int(min(bound(schema, "minLength", 0), maxSampleText)); len([]rune(value)) < shortest {
		value += strings.Repeat("x", shortest-len([]rune(value)))
	}
	if longest := bound(schema, "maxLength", math.Inf(1)); float64(len([]rune(value))) > longest {
		value = string([]rune(value)[:int(max(longest, 0))])
	}
	return value
}
