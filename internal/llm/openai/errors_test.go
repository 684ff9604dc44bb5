package openai_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

func noHeader(string) string { return "" }

// TestEveryStringThatIsMatchedHasAFixture reads classify.go: each word and sentence in it must occur
// in a captured error.
func TestEveryStringThatIsMatchedHasAFixture(t *testing.T) {
	var fixtures strings.Builder
	for _, e := range llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl") {
		fixtures.WriteString(strings.ToLower(e.Body))
	}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/recorded.jsonl") {
		if x.Status >= 400 {
			fixtures.WriteString(strings.ToLower(x.Body))
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "classify.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	matched := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
				matched++
				if !strings.Contains(fixtures.String(), text) {
					t.Errorf("%q occurs in no fixture", text)
				}
			}
			return true
		})
	}
	if matched < 50 {
		t.Fatalf("only %d strings were found in classify.go", matched)
	}
}

func TestAnErrorInsideAGoodStatus(t *testing.T) {
	d := openai.New()
	for _, c := range []struct {
		name string
		op   llm.Operation
		body string
		kind fault.Kind
	}{
		{"OpenRouter", llm.Chat, `{"error":{"message":"Rate limited","code":429},"user_id":"u"}`, fault.ProviderRateLimited},
		{"with choices beside", llm.Chat, `{"choices":[],"error":{"message":"Provider returned error","code":502}}`, fault.ProviderError},
		{"null is no error", llm.Chat, `{"choices":[],"error":null}`, ""},
		{"a response that failed", llm.Responses, `{"object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"The model failed."}}`, fault.ProviderError},
		{"a response", llm.Responses, `{"object":"response","status":"completed","output":[],"error":null}`, ""},
		{"no response", llm.Responses, `{"error":{"message":"Rate limited","code":429}}`, fault.ProviderRateLimited},
		{"MiniMax without money", llm.Chat, `{"id":"0","choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}`, fault.QuotaExhausted},
		{"MiniMax's limit", llm.Chat, `{"choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}}`, fault.ProviderRateLimited},
		{"MiniMax's key", llm.Chat, `{"choices":null,"base_resp":{"status_code":1004,"status_msg":"login fail"}}`, fault.ProviderKeyRejected},
		{"MiniMax's filter", llm.Chat, `{"choices":null,"base_resp":{"status_code":1026,"status_msg":"input new_sensitive"}}`, fault.ContentRefused},
		{"MiniMax's context", llm.Chat, `{"choices":null,"base_resp":{"status_code":1039,"status_msg":"token limit"}}`, fault.ContextTooLong},
		{"MiniMax's parameters", llm.Chat, `{"choices":null,"base_resp":{"status_code":2013,"status_msg":"invalid params"}}`, fault.ParameterRejected},
		{"MiniMax's own fault", llm.Chat, `{"choices":null,"base_resp":{"status_code":1000,"status_msg":"unknown error"}}`, fault.ProviderError},
		{"MiniMax, all well", llm.Chat, `{"choices":[],"base_resp":{"status_code":0,"status_msg":""}}`, ""},
		{"embeddings", llm.Embeddings, `{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}`, ""},
		{"moderations", llm.Moderations, `{"results":[{}]}`, ""},
		{"embeddings asked, chat answered", llm.Embeddings, `{"choices":[]}`, fault.IncompatibleResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := d.ReadAnswer(c.op, []byte(c.body))
			whole := strings.Contains(c.body, `"output"`) // only a response passes as one, whatever error it holds
			if got.Kind != c.kind || (got.Kind == "") != (got.Problem == "") || (c.op == llm.Responses && got.Kind != "" && got.Error.Valid != whole) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRecordedAnswersOfOtherOperations(t *testing.T) {
	all := recorded(t)
	d := openai.New()
	if a := d.ReadAnswer(llm.Embeddings, []byte(all["openrouter-0043"].Body)); a.Kind != "" || a.Usage.Input != 7 || a.Usage.Output != 0 {
		t.Errorf("embeddings: %+v", a)
	}
	if a := d.ReadAnswer(llm.Moderations, []byte(all["openai-0282"].Body)); a.Kind != "" || a.Usage != llm.NoUsage() {
		t.Errorf("moderations: %+v", a)
	}
}

// TestTheProvidersKeyNeverLeaves: a rejected key is quoted in the provider's message, short ones whole.
func TestTheProvidersKeyNeverLeaves(t *testing.T) {
	for _, body := range []string{
		`{"error":{"message":"Incorrect API key provided: secret-key. You can find your API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
		`{"error":{"message":"Incorrect API key provided: sk-ab***secret-key","type":"invalid_request_error","code":"invalid_api_key"}}`,
		`{"error":{"message":"Authentication Fails, Your api key: secret-key is invalid","type":"authentication_error","code":"invalid_request_error"}}`,
		`{"error":{"message":"sk-secret-key cannot be used here","code":"invalid_api_key"}}`,
	} {
		e := openai.New().ReadError(401, noHeader, []byte(body), time.Time{})
		if e.Kind != fault.ProviderKeyRejected || e.Passable() {
			t.Errorf("%s: %+v", body, e)
		}
		if told := e.Message + strings.Join(e.Evidence(), "\n"); strings.Contains(told, "secret-key") {
			t.Errorf("the key is told: %s", told)
		}
	}
}

// TestErrorBodiesRaiseTheRightException checks what OpenAI's SDKs look at: the status chooses the
// exception, code and type are given to the program.
func TestErrorBodiesRaiseTheRightException(t *testing.T) {
	for _, c := range []struct {
		kind      fault.Kind
		status    int
		typ, code string
	}{
		{fault.KeyMissing, 401, "authentication_error", "invalid_api_key"},
		{fault.KeyUnknown, 401, "authentication_error", "invalid_api_key"},
		{fault.NotSubscribed, 403, "permission_error", "not_subscribed"},
		{fault.ModelNotFound, 404, "invalid_request_error", "model_not_found"},
		{fault.RouteNotFound, 404, "invalid_request_error", "route_not_found"},
		{fault.BadRequest, 400, "invalid_request_error", "bad_request"},
		{fault.BodyTooLarge, 413, "invalid_request_error", "body_too_large"},
		{fault.ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"},
		{fault.ContentRefused, 400, "invalid_request_error", "content_filter"},
		{fault.RegionBlocked, 403, "request_forbidden", "unsupported_country_region_territory"},
		{fault.RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"},
		{fault.ProviderRateLimited, 429, "rate_limit_error", "rate_limit_exceeded"},
		{fault.QuotaExhausted, 429, "insufficient_quota", "insufficient_quota"},
		{fault.Overloaded, 503, "service_unavailable_error", "server_is_overloaded"},
		{fault.ConnectionRefused, 502, "server_error", "connection_refused"},
		{fault.FirstByteTimeout, 504, "server_error", "first_byte_timeout"},
		{fault.ProviderKeyRejected, 502, "server_error", "provider_key_rejected"},
	} {
		body := openai.New().AppendError(nil, &llm.Failure{Kind: c.kind, Status: c.status, Sentence: "So it is.", CallID: "01J", Param: "model"})
		var got struct {
			Error struct{ Message, Type, Code, Param string }
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		e := got.Error
		if e.Type != c.typ || e.Code != c.code || e.Param != "model" || e.Message != "So it is. ["+string(c.kind)+", 01J]" {
			t.Errorf("%s: %s", c.kind, body)
		}
	}
	if body := string(openai.New().AppendError(nil, &llm.Failure{Kind: fault.BadRequest, Status: 400})); !strings.Contains(body, `"param":null`) || strings.Contains(body, "causeway") {
		t.Errorf("without parameter and members: %s", body)
	}
}

func TestAddresses(t *testing.T) {
	d := openai.New()
	for _, r := range d.Routes() {
		if r.Op == llm.Stored || r.Op == llm.Files || r.Op == llm.Batches {
			continue // TestStoredAddresses, TestKeptAddresses
		}
		path := strings.Replace(r.Path, "*", "meta-llama/llama-3", 1)
		m, ok := d.Lookup(r.Method, path)
		if !ok || m.Op != r.Op || (m.Model != "") != strings.HasSuffix(r.Path, "*") {
			t.Errorf("%s %s: %+v, %v", r.Method, path, m, ok)
		}
		if d.Path(m.Op) == "" {
			t.Errorf("%v has no path at a provider", m.Op)
		}
		if m, ok := d.Lookup(http.MethodPatch, path); ok || m.Allow != r.Method {
			t.Errorf("PATCH %s: %+v, %v", path, m, ok)
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/models/", "/v1/chat", "/v1/chat/completions/", "/v1/images", "/v1/filesystem", "/v1/audio/"} {
		if m, ok := d.Lookup(http.MethodPost, path); ok || m.Allow != "" {
			t.Errorf("%s: %+v, %v", path, m, ok)
		}
	}
}

func TestOtherOperationsReadOnlyWhatTheyHave(t *testing.T) {
	d := openai.New()
	var req llm.Request
	for _, c := range []struct {
		op   llm.Operation
		body string
		ask  bool
	}{
		{llm.Completions, `{"model":"m","prompt":"x","stream":true}`, true},
		{llm.Responses, `{"model":"m","input":"x","stream":true}`, false},
		{llm.Embeddings, `{"model":"m","input":"x","stream":"odd","stream":1}`, false},
		{llm.Moderations, `{"model":"m","input":"x"}`, false},
	} {
		if err := d.ReadRequest(&req, llm.Match{Op: c.op}, []byte(c.body)); err != nil {
			t.Errorf("%v: %v", c.op, err)
		} else if (req.AskUsage.Text != "") != c.ask {
			t.Errorf("%v: asks for usage with %q", c.op, req.AskUsage.Text)
		}
	}
	err := d.ReadRequest(&req, llm.Match{Op: llm.Chat}, []byte(`{"model":"m","stream_options":{"include_usage":true,"include_usage":false},"stream":true}`))
	if err == nil || !strings.HasPrefix(err.Error(), "/stream_options/include_usage stands twice") {
		t.Errorf("a repeated include_usage: %v", err)
	}
	if re, ok := err.(*llm.RequestError); !ok || re.Param() != "stream_options.include_usage" {
		t.Errorf("%+v", err)
	}
}
