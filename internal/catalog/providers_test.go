package catalog

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestBaseURLsAreUnderstoodInEitherForm(t *testing.T) {
	for _, tc := range []struct{ kind, more, base, want string }{
		{"openai", "", "", "https://api.openai.com/v1"},
		{"openai", "", "http://127.0.0.1:9", "http://127.0.0.1:9/v1"},
		{"openai", "", "http://127.0.0.1:9/", "http://127.0.0.1:9/v1"},
		{"openai", "", "http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1"},
		{"openai", "", "http://127.0.0.1:9/v1/chat/completions", "http://127.0.0.1:9/v1"},
		{"groq", "", "https://api.groq.com", "https://api.groq.com/openai/v1"},
		{"groq", "", "https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1"},
		{"zai", "", "http://127.0.0.1:9", "http://127.0.0.1:9/api/paas/v4"},
		{"perplexity", "", "https://api.perplexity.ai", "https://api.perplexity.ai"},
		{"openai-compatible", "", "https://llm.example.com", "https://llm.example.com/v1"},
		{"openai-compatible", "", "https://llm.example.com/api/v3", "https://llm.example.com/api/v3"},

		{"ollama", "", "http://10.0.0.1:11434", "http://10.0.0.1:11434/v1"},
		{"ollama", "", "http://10.0.0.1:11434/v1", "http://10.0.0.1:11434/v1"},
		{"ollama", "", "http://10.0.0.1:11434/api", "http://10.0.0.1:11434/v1"},
		{"ollama", "dialect: ollama", "http://10.0.0.1:11434/v1", "http://10.0.0.1:11434"},
		{"ollama", "dialect: ollama", "http://10.0.0.1:11434/api", "http://10.0.0.1:11434"},
		{"ollama", "dialect: ollama", "", "http://127.0.0.1:11434"},

		{"anthropic", "", "", "https://api.anthropic.com"},
		{"anthropic", "", "https://api.anthropic.com/v1", "https://api.anthropic.com"},
		{"anthropic", "", "http://127.0.0.1:9/v1/messages", "http://127.0.0.1:9"},
		{"anthropic", "", "http://127.0.0.1:9/proxy", "http://127.0.0.1:9/proxy"},
		{"gemini", "", "https://generativelanguage.googleapis.com/v1beta", "https://generativelanguage.googleapis.com"},
		{"gemini", "", "https://generativelanguage.googleapis.com/v1beta/openai/", "https://generativelanguage.googleapis.com"},
		{"cohere", "", "https://api.cohere.com/v2", "https://api.cohere.com"},
		{"deepseek", "dialect: anthropic", "", "https://api.deepseek.com/anthropic"},
		{"openai-compatible", "dialect: anthropic", "http://127.0.0.1:9/api/anthropic/v1", "http://127.0.0.1:9/api/anthropic"},

		{"azure-openai", "", "https://r.openai.azure.com", "https://r.openai.azure.com/openai/v1"},
		{"azure-openai", "", "https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai/v1"},
		{"azure-openai", "api_version: preview", "https://r.openai.azure.com/openai", "https://r.openai.azure.com/openai/v1"},
		{"azure-openai", `api_version: "2024-10-21"`, "https://r.openai.azure.com", "https://r.openai.azure.com"},
		{"azure-openai", `api_version: "2024-10-21"`, "https://r.openai.azure.com/openai/v1", "https://r.openai.azure.com"},
		{"azure-openai", `api_version: "2024-05-01-preview"`, "https://r.services.ai.azure.com/models", "https://r.services.ai.azure.com/models"},

		{"vertex", "project: p, location: europe-west4", "", "https://europe-west4-aiplatform.googleapis.com"},
		{"vertex", "project: p, location: global", "", "https://aiplatform.googleapis.com"},
		{"vertex", "project: p, location: eu", "", "https://aiplatform.eu.rep.googleapis.com"},
		{"vertex", "project: p, location: global", "http://127.0.0.1:9/v1beta1/", "http://127.0.0.1:9"},
		{"vertex", "", "http://127.0.0.1:9/proxy/v1/projects/p/locations/l/publishers/google", "http://127.0.0.1:9/proxy"},

		{"bedrock", "region: us-east-1", "", "https://bedrock-runtime.us-east-1.amazonaws.com"},
		{"bedrock", "region: cn-north-1", "", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"},
		{"bedrock", "region: us-east-1", "http://127.0.0.1:9", "http://127.0.0.1:9"},
	} {
		more := tc.more
		if tc.base != "" {
			more += ", base_url: '" + tc.base + "'"
		}
		c := mustParse(t, "version: 1\nproviders: {p: {kind: "+tc.kind+", "+strings.TrimPrefix(more+", ", ", ")+"keys: [k]}}")
		if got := c.Providers["p"].BaseURL; got != tc.want {
			t.Errorf("%s %s with base_url %q is at %s, want %s", tc.kind, tc.more, tc.base, got, tc.want)
		}
	}
}

func TestEveryVendorsRowIsComplete(t *testing.T) {
	vendors := Vendors()
	if n := len(vendors); n < 40 {
		t.Errorf("there are %d", n)
	}
	seen := map[string]bool{}
	for _, v := range vendors {
		t.Run(v.Kind, func(t *testing.T) {
			for _, word := range append([]string{v.Kind}, v.Also...) {
				if seen[word] || word != strings.ToLower(word) || strings.ContainsAny(word, " /") {
					t.Errorf("the word %q is here twice, or is none for a kind", word)
				}
				seen[word] = true
			}
			if v.Title == "" {
				t.Error("it has no title")
			}
			if !slices.Contains([]string{"openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"}, v.Speaks()) {
				t.Errorf("dialect %q", v.Dialect)
			}
			if !slices.Contains([]string{"bearer", "x-api-key", "x-goog-api-key", "api-key", "aws", "google", "none"}, v.Sends()) {
				t.Errorf("auth %q", v.Auth)
			}
			if v.Kind == anyOpenAI {
				return
			}
			if (v.BaseURL == "") == (v.Example == "") {
				t.Errorf("it has the address %q and the example %q: one of the two is wanted", v.BaseURL, v.Example)
			}
			addresses := []string{v.BaseURL + v.Example, v.Source}
			for d, root := range v.Roots {
				if d == v.Speaks() {
					t.Errorf("its own dialect %s is among the others", d)
				}
				addresses = append(addresses, root)
			}
			for _, address := range addresses {
				u, err := url.Parse(address)
				if err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" {
					t.Errorf("%q is no address (%v)", address, err)
				}
				if strings.HasSuffix(address, "/") && address != v.Source {
					t.Errorf("%q ends with a slash", address)
				}
			}
			if v.BaseURL != "" && v.address(spot{base: v.BaseURL}) != v.BaseURL {
				t.Errorf("its own address as a base_url becomes %s", v.address(spot{base: v.BaseURL}))
			}
			if slices.Contains(v.Refuses, "model") || slices.Contains(v.Refuses, "messages") || slices.Contains(v.Refuses, "stream") {
				t.Error("it refuses what every call has")
			}
			for from := range v.Renames {
				if slices.Contains(v.Refuses, from) {
					t.Errorf("%s is refused and has another name", from)
				}
			}
			if !reflect.DeepEqual(v.Quirks, Quirks{}) && v.Speaks() != dialectOpenAI {
				t.Error("it has quirks of a dialect that it does not speak")
			}
		})
	}
}

func TestOtherWordsForAKind(t *testing.T) {
	for word, kind := range map[string]string{"azure": "azure-openai", "qwen": "alibaba", "dashscope": "alibaba", "google": "gemini", "kimi": "moonshot", "claude": "anthropic"} {
		c, faults := Parse("f.yaml", []byte("version: 1\nproviders: {p: {kind: "+word+", base_url: http://127.0.0.1:1}}"), noEnv)
		if len(faults) > 0 || c.Providers["p"].Kind != kind {
			t.Errorf("%s: %v", word, faults)
		}
	}
}

func TestProvidersOfEachKindHaveWhatTheyNeed(t *testing.T) {
	c := mustParse(t, `
version: 1
providers:
  aws: {kind: bedrock, base_url: "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", keys: [{access_key_id: AKIA, secret_access_key: "${API_KEY}", session_token: token}]}
  azure: {kind: azure-openai, base_url: "https://r.openai.azure.com", api_version: "2024-10-21", auth: bearer, keys: ["${API_KEY}"], deployments: {gpt-4o: mine}}
  vertex: {kind: vertex, project: p, location: global, credentials_file: account.json}
  path: {kind: vertex, base_url: "https://us-east5-aiplatform.googleapis.com/v1/projects/p2/locations/us-east5", credentials_file: account.json}
  caller: {kind: openai, keys: caller, headers: {set: {X-Team: 7}}}
  glm: {kind: zai, dialect: anthropic, keys: ["${API_KEY}"]}
  own: {kind: openai-compatible, base_url: http://127.0.0.1:9, dialect: gemini, keys: ["${API_KEY}"]}
  mistral: {kind: mistral, keys: [{value: "${API_KEY}", name: main, priority: 2}], quirks: {usage_always: false, refuses: [], any_tool: required}}
`)
	p := c.Providers
	if got := p["aws"]; got.Region != "us-gov-west-1" || got.Keys[0].AccessKeyID != "AKIA" || got.Keys[0].SecretAccessKey.Reveal() != "sk-secret-api" || got.Keys[0].SessionToken.Reveal() != "token" || got.Vendor.Auth != "aws" {
		t.Errorf("aws: %+v", got)
	}
	if got := p["azure"]; !got.DatedAPI() || got.APIVersion != "2024-10-21" || got.Deployments["gpt-4o"] != "mine" || got.Vendor.Sends() != "bearer" {
		t.Errorf("azure: %+v", got)
	}
	if got := p["path"]; got.Project != "p2" || got.Location != "us-east5" || got.BaseURL != "https://us-east5-aiplatform.googleapis.com" {
		t.Errorf("vertex by its address: %+v", got)
	}
	if got := p["vertex"]; got.Project != "p" || got.Location != "global" || got.CredentialsFile != "account.json" || got.Vendor.Speaks() != "gemini" {
		t.Errorf("vertex: %+v", got)
	}
	if got := p["caller"]; !got.CallerKey || got.Keys != nil || got.Headers["X-Team"] != "7" {
		t.Errorf("caller: %+v", got)
	}
	if got := p["glm"]; got.Vendor.Speaks() != "anthropic" || got.Vendor.Sends() != "bearer" || got.BaseURL != "https://api.z.ai/api/anthropic" || got.Vendor.Ops != nil || got.Vendor.NoSchema {
		t.Errorf("glm: %+v %+v", got, got.Vendor)
	}
	if got := p["own"]; got.Vendor.Speaks() != "gemini" || got.Vendor.Sends() != "x-goog-api-key" {
		t.Errorf("own: %+v", got.Vendor)
	}
	if got := p["mistral"]; got.Vendor.UsageAlways || len(got.Vendor.Refuses) != 0 || got.Vendor.AnyTool != "" || got.Vendor.Renames["seed"] != "random_seed" || got.Keys[0].Name != "main" || got.Keys[0].Priority != 2 {
		t.Errorf("mistral: %+v", got.Vendor)
	}
	if row, _ := Find("mistral"); !row.UsageAlways || len(row.Refuses) == 0 {
		t.Error("the table was changed")
	}
}

// testAccount is a service account with a key that nobody has.
func testAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "me@p.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAServiceAccountIsReadWhenTheFileIsChecked(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"account.json": testAccount(t), "other.json": `{"type":"external_account"}`,
		"causeway.yaml": "version: 1\nproviders:\n  a: {kind: vertex, project: p, location: global, credentials_file: account.json}\n" +
			"  b: {kind: vertex, project: p, location: global, credentials_file: other.json}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, faults, err := Load(filepath.Join(folder, "causeway.yaml"), noEnv)
	if err != nil || len(faults) != 1 || faults[0].Line != 4 || !strings.Contains(faults[0].Message, `has no "type": "service_account"`) {
		t.Errorf("%v %v", faults, err)
	}
}

func TestNoPartOfAProvidersKeyIsPrinted(t *testing.T) {
	c := mustParse(t, `
version: 1
providers:
  aws: {kind: bedrock, region: us-east-1, keys: [{access_key_id: AKIA, secret_access_key: "${API_KEY}", session_token: "${WEB_KEY}"}]}
  vertex: {kind: vertex, project: p, location: global, credentials: '`+testAccount(t)+`'}
`)
	for name, p := range c.Providers {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, *p); strings.Contains(text, "secret-") || strings.Contains(text, "PRIVATE KEY") {
				t.Errorf("%s with %s: %s", name, verb, text)
			}
		}
	}
}

func TestTheListOfProvidersIsUpToDate(t *testing.T) {
	const file = "../../docs/providers.md"
	if *update {
		if err := os.WriteFile(file, ProviderReference(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, ProviderReference()) {
		t.Errorf("%s is not what the table of vendors says: run go test ./internal/catalog -update", file)
	}
}

func TestTheExampleOfProvidersIsValid(t *testing.T) {
	_, rest, _ := strings.Cut(string(ProviderReference()), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	_, faults := Parse("providers.md", []byte("version: 1\n"+example), func(name string) (string, bool) { return "value-of-" + name, true })
	if !found || len(faults) > 0 {
		t.Errorf("%s", faults)
	}
}

// Each member of Quirks has a key, and each key sets one.
func TestEveryQuirkCanBeConfigured(t *testing.T) {
	c, faults, err := Load("testdata/faults/valid-providers.yaml", testEnv)
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	q := reflect.ValueOf(c.Providers["other"].Vendor.Quirks)
	for i := range q.NumField() {
		if q.Field(i).IsZero() {
			t.Errorf("no key sets %s", q.Type().Field(i).Name)
		}
	}
	if keys := len(quirkKeys()); keys != q.NumField() {
		t.Errorf("there are %d keys for %d quirks", keys, q.NumField())
	}
}
