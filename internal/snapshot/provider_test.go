package snapshot

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/meter"
	"causeway/internal/sign"
)

// named is OpenAI's dialect under another name, for what only the name matters to.
type named struct {
	openai.Dialect
	name string
}

func (n named) Name() string { return n.name }

// googleSigner is a service account's.
type googleSigner struct{ account string }

func (g *googleSigner) Append(dst []byte, _ *sign.Request) ([]byte, error) {
	return append(dst, "Authorization: Bearer token-of-"+g.account+"\r\n"...), nil
}

func providerDeps(t *testing.T) Deps {
	t.Helper()
	m, err := meter.New(meter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	speak := map[string]llm.Dialect{"openai": openai.New()}
	for _, name := range []string{"anthropic", "gemini", "bedrock", "cohere", "ollama"} {
		speak[name] = named{name: name}
	}
	return Deps{
		Meter: m, SandboxURL: "http://127.0.0.1:1/v1", SandboxModels: []string{"echo"}, Speak: speak,
		Google: func(account []byte) (sign.Signer, error) { return &googleSigner{string(account)}, nil },
	}
}

func compileOn(t *testing.T, config string, old *Generation, d Deps) (*Generation, error) {
	t.Helper()
	c, faults := catalog.Parse("x.yaml", []byte(config), func(string) (string, bool) { return "", false })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return Compile(c, old, d)
}

// account is a service account with a key that nobody has.
var account = func() string {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "me@p.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}()

var allKinds = `
version: 1
providers:
  openai: {kind: openai, keys: [sk-0123456789abcdef-1234]}
  mistral: {kind: mistral, keys: [m-key-0123456789abcdef]}
  claude: {kind: anthropic, keys: [{value: sk-ant-0123456789abcdef, name: main}]}
  gemini: {kind: gemini, keys: [AIza-0123456789abcdef]}
  cohere: {kind: cohere, keys: [co-0123456789abcdef]}
  vertex: {kind: vertex, project: p, location: global, credentials: '` + account + `'}
  token: {kind: vertex, project: p, location: global, keys: [ya29.0123456789abcdef]}
  aws: {kind: bedrock, region: us-east-1, keys: [{access_key_id: AKIAEXAMPLE, secret_access_key: aws-0123456789abcdef}]}
  awskey: {kind: bedrock, region: us-east-1, keys: [bedrock-0123456789abcdef]}
  azure: {kind: azure-openai, base_url: "https://r.openai.azure.com", api_version: "2024-10-21", keys: [azure-0123456789abcdef], deployments: {gpt-4o: mine}, models: [gpt-4o]}
  azurev1: {kind: azure-openai, base_url: "https://r.openai.azure.com", auth: bearer, keys: [entra-0123456789abcdef], deployments: {gpt-4o: mine}}
  foundry: {kind: azure-openai, base_url: "https://r.services.ai.azure.com/models", api_version: "2024-05-01-preview", keys: [foundry-0123456789abcdef]}
  local: {kind: ollama, dialect: ollama}
  glm: {kind: zai, dialect: anthropic, keys: [zai-0123456789abcdef]}
  caller: {kind: openai, keys: caller}
  router: {kind: openrouter, keys: [or-0123456789abcdef], headers: {set: {HTTP-Referer: "https://example.com"}}}
`

func TestProvidersOfEveryKind(t *testing.T) {
	g, err := compileOn(t, allKinds, nil, providerDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, dialect, line, place string
		asks                       bool
	}{
		{"openai", "openai", "Authorization: Bearer sk-0123456789abcdef-1234\r\n", "", true},
		{"mistral", "openai", "Authorization: Bearer m-key-0123456789abcdef\r\n", "", false},
		{"claude", "anthropic", "x-api-key: sk-ant-0123456789abcdef\r\n", "", false},
		{"gemini", "gemini", "x-goog-api-key: AIza-0123456789abcdef\r\n", "", false},
		{"cohere", "cohere", "Authorization: Bearer co-0123456789abcdef\r\n", "", false},
		{"vertex", "gemini", "", "/v1/projects/p/locations/global/publishers/google/models/gpt-4o:generateContent?", false},
		{"token", "gemini", "Authorization: Bearer ya29.0123456789abcdef\r\n", "/v1/projects/p/locations/global/publishers/google/models/gpt-4o:generateContent?", false},
		{"aws", "bedrock", "", "", false},
		{"awskey", "bedrock", "Authorization: Bearer bedrock-0123456789abcdef\r\n", "", false},
		{"azure", "openai", "api-key: azure-0123456789abcdef\r\n", "/openai/deployments/mine/chat/completions?api-version=2024-10-21", true},
		{"azurev1", "openai", "Authorization: Bearer entra-0123456789abcdef\r\n", "", true},
		{"foundry", "openai", "api-key: foundry-0123456789abcdef\r\n", "/chat/completions?api-version=2024-05-01-preview", true},
		{"local", "ollama", "", "", false},
		{"glm", "anthropic", "Authorization: Bearer zai-0123456789abcdef\r\n", "", false},
		{"caller", "openai", "", "", true},
	} {
		p := g.Providers[tc.name]
		if p.Dialect.Name() != tc.dialect || p.Vendor == nil || p.MustAskUsage != tc.asks || p.CallerKey != (tc.name == "caller") {
			t.Errorf("%s: %+v", tc.name, p)
		}
		line := ""
		if keys := p.Upstream.Keys; len(keys) > 0 {
			line = string(keys[0].Line)
			if p.Upstream.KeyPool.Len() != len(keys) {
				t.Errorf("%s: %d keys, and %d in the pool", tc.name, len(keys), p.Upstream.KeyPool.Len())
			}
			if (keys[0].Signer == nil) == (line == "") {
				t.Errorf("%s: a key has either a line or a signer", tc.name)
			}
		}
		if line != tc.line {
			t.Errorf("%s: the key is sent as %q", tc.name, line)
		}
		place := ""
		if placer, ok := p.Placer(); ok {
			path, query := placer.Place(llm.Chat, p.Direct("gpt-4o").Targets[0].Model, false)
			place = path + "?" + query
		}
		if place != tc.place {
			t.Errorf("%s: its address is %q, want %q", tc.name, place, tc.place)
		}
		if got := len(p.Upstream.IfMissing) == 1; got != (tc.dialect == "anthropic") {
			t.Errorf("%s: the version is added: %v", tc.name, got)
		}
	}
	if got := g.Providers["azurev1"].Direct("gpt-4o"); got.Targets[0].Model != "mine" || got.Name != "azurev1/gpt-4o" {
		t.Errorf("a deployment: %+v", got.Targets[0])
	}
	if got := string(g.Providers["router"].Upstream.ExtraFields); got != "HTTP-Referer: https://example.com\r\n" {
		t.Errorf("extra fields: %q", got)
	}
	if !g.Providers["router"].Upstream.Rules.Drops([]byte("http-referer")) {
		t.Error("the caller's own field goes beside the one that is set")
	}
}

func TestAWSKeysSign(t *testing.T) {
	g, err := compileOn(t, allKinds, nil, providerDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	k := &g.Providers["aws"].Upstream.Keys[0]
	lines, err := k.Signer.Append(nil, &sign.Request{Method: "POST", Host: "bedrock-runtime.us-east-1.amazonaws.com", Path: "/model/m/converse", Body: []byte("{}"), Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	if err != nil || !bytes.Contains(lines, []byte("Credential=AKIAEXAMPLE/20260102/us-east-1/bedrock/aws4_request")) {
		t.Errorf("%q, %v", lines, err)
	}
	if k.Name != "AKIAEXAMPLE" || k.Hint != "...cdef" {
		t.Errorf("%v", k)
	}
}

// A service account's token is fetched once: a reload that leaves the account as it was keeps the signer.
func TestSignersStayOverAReload(t *testing.T) {
	d := providerDeps(t)
	first, err := compileOn(t, allKinds, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	second, err := compileOn(t, strings.Replace(allKinds, "location: global", "location: europe-west4", 1), first, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vertex", "aws"} {
		if first.Providers[name].Upstream.Keys[0].Signer != second.Providers[name].Upstream.Keys[0].Signer {
			t.Errorf("%s has another signer", name)
		}
	}
	third, err := compileOn(t, strings.NewReplacer("me@p", "you@p", "AKIAEXAMPLE", "AKIAOTHER").Replace(allKinds), second, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vertex", "aws"} {
		if second.Providers[name].Upstream.Keys[0].Signer == third.Providers[name].Upstream.Keys[0].Signer {
			t.Errorf("%s has the signer of another account", name)
		}
	}
}

func TestAServiceAccountFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, []byte(account), 0o600); err != nil {
		t.Fatal(err)
	}
	config := "version: 1\nproviders: {vertex: {kind: vertex, project: p, location: global, credentials_file: " + file + "}}"
	d := providerDeps(t)
	g, err := compileOn(t, config, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := g.Providers["vertex"].Upstream.Keys[0].Signer.(*googleSigner); s == nil || s.account != account {
		t.Errorf("signer %v", s)
	}
	d.Google = nil
	if g, err = compileOn(t, config, nil, d); err != nil {
		t.Fatal(err)
	}
	if _, ok := g.Providers["vertex"].Upstream.Keys[0].Signer.(*sign.Google); !ok {
		t.Error("the usual signer is another")
	}
	d.Google = func([]byte) (sign.Signer, error) { return nil, errors.New("the key is no RSA key") }
	if _, err = compileOn(t, config, nil, d); err == nil || strings.Contains(err.Error(), "PRIVATE") || !strings.Contains(err.Error(), "vertex: the service account can't be used: the key is no RSA key") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err = compileOn(t, config, nil, d); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestADialectThatNobodySpeaksIsAnError(t *testing.T) {
	d := providerDeps(t)
	delete(d.Speak, "cohere")
	_, err := compileOn(t, allKinds, nil, d)
	if err == nil || err.Error() != "compiling provider cohere: nothing here speaks the dialect cohere" {
		t.Errorf("error %v", err)
	}
}

func TestNoPartOfACredentialIsPrinted(t *testing.T) {
	g, err := compileOn(t, allKinds, nil, providerDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range g.Providers {
		for i := range p.Upstream.Keys {
			k := &p.Upstream.Keys[i]
			for _, v := range []any{k, *k, p.Upstream.Keys} {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
					if text := fmt.Sprintf(verb, v); strings.Contains(text, "0123456789") || strings.Contains(text, "PRIVATE") {
						t.Errorf("%s with %s: %s", name, verb, text)
					}
				}
			}
			if secret := string(k.secret); k.Hint != "" && (!k.QuotedIn([]byte("wrong key: "+secret)) || k.Without("wrong key: "+secret) != "wrong key: [key]") {
				t.Errorf("%s: a quoted key is not found", name)
			}
		}
	}
	if got := g.Providers["claude"].Upstream.Keys[0].String(); got != "[key main ...cdef]" {
		t.Errorf("a key is printed as %s", got)
	}
}

// Every operation that the table of vendors names is one: else Serves would never find it.
func TestVendorsNameOperationsThatExist(t *testing.T) {
	known := map[string]bool{}
	for op := llm.Chat; op <= llm.Invoke; op++ {
		known[op.String()] = true
	}
	for _, v := range catalog.Vendors() {
		for _, op := range v.Ops {
			if !known[op] {
				t.Errorf("%s: there is no operation %s", v.Kind, op)
			}
		}
	}
}
