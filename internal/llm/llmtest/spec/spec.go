// Package spec holds JSON against the descriptions that providers publish of their APIs: tests show by
// it that what is sent to a provider, and what is answered in its dialect, is what the provider describes.
// Only tests import it.
package spec

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed testdata/*.gz
var files embed.FS

// Spec is one OpenAPI description of version 3.1, whose schemas are JSON Schema. It must not be used
// concurrently.
type Spec struct {
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// Open reads a description in this package's testdata, gzipped YAML or JSON, such as
// "anthropic-openapi.yaml.gz".
func Open(t testing.TB, file string) *Spec {
	t.Helper()
	return open(t, file, false)
}

// OpenLoose is Open for a description whose alternatives overlap although it says oneOf (the types of Cohere's
// citations and formats): one of them must hold, and others may.
func OpenLoose(t testing.TB, file string) *Spec {
	t.Helper()
	return open(t, file, true)
}

func open(t testing.TB, file string, loose bool) *Spec {
	t.Helper()
	f, err := files.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(zip); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	doc, err := decode(text.Bytes())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if loose {
		loosen(doc)
	}
	modernize(doc)
	s := &Spec{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	s.compiler.DefaultDraft(jsonschema.Draft2020)
	s.compiler.UseRegexpEngine(expression)
	if err := s.compiler.AddResource("spec.json", doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

// loosen makes each oneOf an anyOf.
func loosen(v any) {
	switch v := v.(type) {
	case map[string]any:
		if list, ok := v["oneOf"].([]any); ok {
			delete(v, "oneOf")
			v["anyOf"] = list
		}
		for _, e := range v {
			loosen(e)
		}
	case []any:
		for _, e := range v {
			loosen(e)
		}
	}
}

// modernize brings what descriptions still say in older drafts of JSON Schema to the form of 2020-12: nullable, and
// schemas that contain themselves, which are not followed.
func modernize(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, old := v["$recursiveAnchor"].(bool); old {
			delete(v, "$recursiveAnchor")
		}
		if _, old := v["$recursiveRef"].(string); old {
			delete(v, "$recursiveRef")
		}
		for _, e := range v {
			modernize(e)
		}
		if v["nullable"] == true {
			one := maps.Clone(v)
			clear(v)
			delete(one, "nullable")
			v["anyOf"] = []any{one, map[string]any{"type": "null"}}
		}
	case []any:
		for _, e := range v {
			modernize(e)
		}
	}
}

// decode reads a description, which most write in YAML.
func decode(text []byte) (any, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return jsonschema.UnmarshalJSON(bytes.NewReader(text))
	}
	ready, err := yaml.YAMLToJSON(large.ReplaceAll(text, []byte("$0.0")))
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(ready))
}

// large are bounds beyond 64 bits, which the YAML reader takes for text: with a fraction they are numbers.
var large = regexp.MustCompile(`(?m)(maximum|minimum): -?\d{19,}$`)

// anything is an expression that Go does not have: it holds nothing to it.
type anything string

func (anything) MatchString(string) bool { return true }
func (a anything) String() string        { return string(a) }

// expression reads a pattern of ECMA 262, of which Go has most.
func expression(pattern string) (jsonschema.Regexp, error) {
	if re, err := regexp.Compile(pattern); err == nil {
		return re, nil
	}
	return anything(pattern), nil
}

// Request checks a request's body against what the description says of method and path.
func (s *Spec) Request(t testing.TB, method, path string, body []byte) {
	t.Helper()
	s.check(t, "/paths/"+escape(path)+"/"+strings.ToLower(method)+"/requestBody/content/application~1json/schema", body)
}

// Answer checks an answer's body against what the description says of method, path and status.
func (s *Spec) Answer(t testing.TB, method, path, status string, body []byte) {
	t.Helper()
	s.check(t, "/paths/"+escape(path)+"/"+strings.ToLower(method)+"/responses/"+status+"/content/application~1json/schema", body)
}

// Schema checks JSON against one of the description's schemas by its name, such as "MessageStreamEvent".
func (s *Spec) Schema(t testing.TB, name string, text []byte) {
	t.Helper()
	s.check(t, "/components/schemas/"+escape(name), text)
}

func (s *Spec) check(t testing.TB, pointer string, text []byte) {
	t.Helper()
	schema := s.compiled[pointer]
	if schema == nil {
		var err error
		if schema, err = s.compiler.Compile("spec.json#" + pointer); err != nil {
			t.Fatal(err)
		}
		s.compiled[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%v: %.2000s", err, text)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v\n%.2000s", pointer, err, indent(text))
	}
}

func indent(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", " ") != nil {
		return string(text)
	}
	return b.String()
}

func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }
