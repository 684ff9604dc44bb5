package prompt

import (
	"bytes"
	"encoding/json"
	"html/template"

	"causeway/internal/catalog"
)

// Place is where a prompt is served, for its pages.
type Place struct {
	URL  string // of the gateway, with scheme and host, without trailing slash
	Path string // "/prompts/sentiment", with what moves it
}

// AppendOpenAPI appends the description of a version of the prompt (OpenAPI 3.1). The version must be one that it has.
func (a *API) AppendOpenAPI(dst []byte, version string, at Place) []byte {
	v := a.p.Versions[version]
	problem := map[string]any{"description": "A failure (RFC 9457), with the JSON pointer of the variable at fault in errors.", "content": map[string]any{
		"application/problem+json": map[string]any{"schema": map[string]any{
			"type": "object", "required": []string{"type", "title", "status", "detail", "kind", "call_id"},
			"properties": map[string]any{
				"type": typed("string"), "title": typed("string"), "status": typed("integer"), "detail": typed("string"),
				"kind": typed("string"), "cause": typed("string"), "call_id": typed("string"), "retry": typed("string"), "retryable": typed("boolean"),
				"errors": map[string]any{"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{"pointer": typed("string"), "detail": typed("string")}}},
			},
		}},
	}}
	answer := map[string]any{
		"type": "object", "required": []string{"output", "finish_reason", "usage", "model", "version", "call_id"},
		"properties": map[string]any{
			"output":        outputSchema(v),
			"finish_reason": map[string]any{"enum": []string{"stop", "length", "filtered", "refused"}},
			"usage": map[string]any{"type": "object", "properties": map[string]any{
				"input_tokens": typed("integer"), "output_tokens": typed("integer"), "cached_tokens": typed("integer"),
				"cache_write_tokens": typed("integer"), "reasoning_tokens": typed("integer"),
			}},
			"model": typed("string"), "version": typed("string"), "call_id": typed("string"),
		},
	}
	plain := "text/plain"
	if v.Output != nil {
		plain = ""
	}
	contents := map[string]any{
		"application/json":  map[string]any{"schema": answer},
		"text/event-stream": map[string]any{"schema": map[string]any{"type": "string", "description": "With ?stream=true: events delta with {\"text\"}, then done with the whole answer, or error with a problem."}},
	}
	if plain != "" {
		contents[plain] = map[string]any{"schema": typed("string")}
	}
	page := map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": a.Name, "version": version, "description": a.p.Description},
		"servers": []any{map[string]any{"url": at.URL}},
		"paths": map[string]any{at.Path: map[string]any{"post": map[string]any{
			"operationId": "prompt_" + schemaName(a.Name),
			"summary":     "Ask the prompt " + a.Name,
			"parameters": []any{
				map[string]any{"name": "version", "in": "query", "schema": map[string]any{"enum": a.Versions(), "default": a.p.Default}, "description": "The prompt's version; also the header Causeway-Prompt-Version."},
				map[string]any{"name": "stream", "in": "query", "schema": map[string]any{"type": "boolean", "default": false}, "description": "Whether the output comes as events while it is made."},
			},
			"requestBody": map[string]any{"required": len(required(v)) > 0, "content": map[string]any{"application/json": map[string]any{"schema": requestSchema(v)}}},
			"responses":   map[string]any{"200": map[string]any{"description": "The output.", "content": contents}, "default": problem},
		}}},
		"components": map[string]any{"securitySchemes": map[string]any{"key": map[string]any{"type": "http", "scheme": "bearer", "description": "An application's key that has a subscription to prompts/" + a.Name + "."}}},
		"security":   []any{map[string]any{"key": []string{}}},
	}
	text, err := json.MarshalIndent(page, "", "  ")
	if err != nil {
		panic("a prompt's OpenAPI page is not JSON: " + err.Error()) // maps, lists, text and checked JSON only
	}
	return append(append(dst, text...), '\n')
}

func typed(name string) map[string]any { return map[string]any{"type": name} }

func outputSchema(v *catalog.PromptVersion) any {
	if v.Output == nil {
		return typed("string")
	}
	return json.RawMessage(v.Output.JSON)
}

func required(v *catalog.PromptVersion) []string {
	names := []string{}
	for _, x := range v.Variables {
		if x.Required {
			names = append(names, x.Name)
		}
	}
	return names
}

// requestSchema is what a caller sends.
func requestSchema(v *catalog.PromptVersion) map[string]any {
	properties := map[string]any{}
	for i := range v.Variables {
		x := &v.Variables[i]
		s := typed(x.Type)
		if x.Description != "" {
			s["description"] = x.Description
		}
		if x.Default != nil {
			s["default"] = json.RawMessage(x.Default)
		}
		if x.Enum != nil {
			var list []json.RawMessage
			for _, e := range x.Enum {
				list = append(list, e)
			}
			s["enum"] = list
		}
		if x.MaxLength > 0 {
			s["maxLength"] = x.MaxLength
		}
		properties[x.Name] = s
	}
	return map[string]any{"type": "object", "properties": properties, "required": required(v), "additionalProperties": false}
}

// pageData is what the page for people shows.
type pageData struct {
	Name, Description, Version, Default, URL, Path, Example, Output string
	Versions                                                        []string
	Variables                                                       []catalog.PromptVariable
}

// AppendPage appends the page about a version of the prompt for people. The version must be one that it has.
func (a *API) AppendPage(dst []byte, version string, at Place) []byte {
	v := a.p.Versions[version]
	d := pageData{
		Name: a.Name, Description: a.p.Description, Version: version, Default: a.p.Default, URL: at.URL, Path: at.Path,
		Versions: a.Versions(), Variables: v.Variables, Example: string(example(v)),
	}
	if v.Output != nil {
		var b bytes.Buffer
		if json.Indent(&b, v.Output.JSON, "", "  ") == nil {
			d.Output = b.String()
		}
	}
	b := bytes.NewBuffer(dst)
	if err := pageTemplate.Execute(b, d); err != nil {
		panic("a prompt's page can't be made: " + err.Error()) // the template and its data are ours
	}
	return b.Bytes()
}

// example is a body that the prompt takes.
func example(v *catalog.PromptVersion) []byte {
	m := map[string]any{}
	for _, x := range v.Variables {
		switch {
		case x.Default != nil && !x.Required:
		case x.Enum != nil:
			m[x.Name] = json.RawMessage(x.Enum[0])
		case x.Type == "string":
			m[x.Name] = "..."
		case x.Type == "boolean":
			m[x.Name] = true
		case x.Type == "array":
			m[x.Name] = []any{}
		case x.Type == "object":
			m[x.Name] = map[string]any{}
		default:
			m[x.Name] = 1
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return []byte("{}")
	}
	return text
}

var pageTemplate = template.Must(template.New("prompt").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Prompt {{.Name}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}pre{background:#f4f4f4;padding:1rem;overflow:auto}code{font-size:.9em}@media (prefers-color-scheme:dark){body{background:#161616;color:#eee}pre{background:#222}th,td{border-color:#444}a{color:#8bf}}</style></head>
<body><main><h1>Prompt {{.Name}}</h1>
{{with .Description}}<p>{{.}}</p>{{end}}
<p>Version {{.Version}}{{if eq .Version .Default}} (the default){{end}} of {{range $i, $v := .Versions}}{{if $i}}, {{end}}{{$v}}{{end}}. For programs this page is OpenAPI 3.1: ask for it with <code>Accept: application/json</code>.</p>
<h2>Call it</h2>
<pre>curl {{.URL}}{{.Path}} \
  -H "Authorization: Bearer YOUR_KEY" -H "Content-Type: application/json" \
  -d '{{.Example}}'</pre>
<h2>Variables</h2>
{{if .Variables}}<table><thead><tr><th scope="col">name</th><th scope="col">type</th><th scope="col">required</th><th scope="col">meaning</th></tr></thead><tbody>
{{range .Variables}}<tr><td><code>{{.Name}}</code></td><td>{{.Type}}</td><td>{{if .Required}}yes{{else}}no{{end}}</td><td>{{.Description}}</td></tr>
{{end}}</tbody></table>{{else}}<p>It has none.</p>{{end}}
<h2>Answer</h2>
{{if .Output}}<p>JSON whose <code>output</code> is of this schema:</p><pre>{{.Output}}</pre>{{else}}<p>JSON whose <code>output</code> is text; with <code>Accept: text/plain</code> the text alone.</p>{{end}}
<p>With <code>?stream=true</code>: events <code>delta</code>, then <code>done</code>.</p>
</main></body></html>
`))
