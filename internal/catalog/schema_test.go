package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// sample is testdata/sample.yaml, the sample of the public contract, word for word.
func sample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sampleOfThisVersion is the sample without what this version does not have, with the values of
// its variables in place.
func sampleOfThisVersion(t *testing.T) string {
	t.Helper()
	text := sample(t)
	for _, cut := range []string{
		"    fallback: [claude/claude-3-5-haiku-latest]\n",
		"      breaker: {failures: 50%, min_calls: 20, window: 10s, open_for: 10s}\n",
		"      cache: {ttl: 30s}\n",
		"    limits: {tokens: 100000, per: 1m, budget: {usd: 50, per: month}}\n",
	} {
		before := text
		if text = strings.Replace(text, cut, "", 1); text == before {
			t.Fatalf("the sample does not hold %q", cut)
		}
	}
	return regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllString(text, "value-of-$1")
}

func TestEveryKeyOfTheSampleIsInThisVersion(t *testing.T) {
	_, faults := Parse("sample.yaml", []byte(sample(t)), func(name string) (string, bool) { return "value-of-" + name, true })
	if got := faults.String(); got != "" {
		t.Errorf("faults:\n%s", got)
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("causeway.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("causeway.schema.json") // validates it against its own meta-schema, too
	if err != nil {
		t.Fatalf("the schema is not valid: %v", err)
	}
	return s
}

// asJSON is a YAML file as the values that a JSON Schema validator takes.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheSchemaAcceptsWhatParseAccepts(t *testing.T) {
	s := compiledSchema(t)
	if err := s.Validate(asJSON(t, sampleOfThisVersion(t))); err != nil {
		t.Errorf("the contract's sample: %v", err)
	}
	files, _ := filepath.Glob("testdata/faults/valid-*.yaml")
	examples, _ := filepath.Glob("../../docs/examples/*.yaml")
	if len(files) < 4 || len(examples) < 3 {
		t.Fatalf("found %d valid files and %d examples", len(files), len(examples))
	}
	for _, file := range slices.Concat(files, examples) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, string(data))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// These are faults of single values and keys: the schema can see them, too.
func TestTheSchemaRefusesWhatParseRefuses(t *testing.T) {
	s := compiledSchema(t)
	for _, name := range []string{
		"unknown-top", "unknown-nested", "missing-keys", "version-missing", "version-wrong", "wrong-forms", "wrong-scalars",
		"integers", "durations", "sizes", "percentages", "urls", "choices", "not-yet", "no-targets", "route-paths", "names", "caller-keys", "route-methods",
	} {
		data, err := os.ReadFile("testdata/faults/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(asJSON(t, string(data))) == nil {
			t.Errorf("%s.yaml is valid by the schema", name)
		}
	}
}

func TestTheReferenceIsUpToDate(t *testing.T) {
	const file = "../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(file, Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, Reference()) {
		t.Errorf("%s is not what the table of keys says: run go test ./internal/catalog -update", file)
	}
}

// Each key of the sample is in the reference: the contract's keys and ours are the same.
func TestTheReferenceHasEveryKeyOfTheSample(t *testing.T) {
	reference := string(Reference())
	var visit func(v any)
	var missing []string
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				if !slices.Contains([]string{"orders", "web", "fast", "sentiment", "openai", "claude", "gemini", "mistral", "llama", "anything", "X-From"}, k) &&
					!strings.Contains(reference, k+"`") && !strings.Contains(reference, "."+k) && !strings.Contains(reference, "## "+k) {
					missing = append(missing, k)
				}
				if k != "prompts" && k != "limits" && k != "breaker" && k != "cache" {
					visit(inner)
				}
			}
		case []any:
			for _, inner := range v {
				visit(inner)
			}
		}
	}
	visit(asJSON(t, sample(t)))
	if len(missing) > 0 {
		t.Errorf("the reference does not have %v", missing)
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	files, _ := filepath.Glob("../../docs/examples/*.yaml")
	if len(files) < 3 {
		t.Fatalf("found %d examples", len(files))
	}
	for _, file := range files {
		c, faults, err := Load(file, func(name string) (string, bool) { return "value-of-" + name, true })
		if err != nil || len(faults) > 0 || c == nil {
			t.Errorf("%s: %v\n%s", file, err, faults)
		}
	}
}
