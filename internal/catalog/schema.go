package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Schema is the JSON Schema (2020-12) of the configuration file, made from the same table that
// files are checked against. It says what one key may be; what keys mean to each other (that a
// subscription names a service that is there) only Parse knows. No line break ends it.
func Schema() []byte {
	root := fileShape()
	s := schemaOf(&root)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Causeway configuration"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("the schema is not JSON: %v", err)) // it holds maps, lists and text only
	}
	return bytes.TrimSpace(b.Bytes())
}

func schemaOf(s *shape) map[string]any {
	var out map[string]any
	switch s.form {
	case anyForm:
		return map[string]any{}
	case scalarForm:
		return scalarSchema(s.scalar)
	case objectForm:
		out = objectSchema(s)
	case mappingForm:
		out = map[string]any{
			"type":                 []string{"object", "null"},
			"propertyNames":        map[string]any{"pattern": s.names.pattern},
			"additionalProperties": schemaOf(s.of),
		}
	case listForm:
		out = map[string]any{"type": []string{"array", "null"}, "items": schemaOf(s.of)}
		if s.filled {
			out["type"], out["minItems"] = "array", 1
		}
	}
	if s.word != "" {
		return map[string]any{"anyOf": []any{out, map[string]any{"const": s.word}}}
	}
	if s.or {
		return map[string]any{"anyOf": []any{scalarSchema(s.scalar), out}}
	}
	return out
}

func objectSchema(s *shape) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for i := range s.keys {
		k := &s.keys[i]
		if k.notYet {
			properties[k.name] = map[string]any{"not": map[string]any{}, "description": k.doc + " Not in this version yet."}
			continue
		}
		p := schemaOf(&k.shape)
		p["description"] = k.doc
		if k.def != "" {
			p["default"] = defaultJSON(k)
		}
		if k.required {
			required = append(required, k.name)
		}
		properties[k.name] = p
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	} else {
		out["type"] = []string{"object", "null"}
	}
	return out
}

// scalarSchema admits an environment variable wherever a value may stand.
func scalarSchema(s scalar) map[string]any {
	if s.schema["type"] == "string" && s.schema["pattern"] == nil {
		return copied(s.schema)
	}
	return map[string]any{"anyOf": []any{
		copied(s.schema),
		map[string]any{"type": "string", "pattern": `\$\{[A-Za-z_][A-Za-z0-9_]*\}`},
	}}
}

func copied(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// defaultJSON is a default as the value that YAML would read.
func defaultJSON(k *key) any {
	if k.shape.form == listForm {
		c := &checker{defaults: map[*key]*value{}}
		return texts(c.defaultOf(k))
	}
	v, _ := k.shape.scalar.parse(k.def)
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		if fmt.Sprint(v) == k.def {
			return v
		}
	}
	return k.def
}
