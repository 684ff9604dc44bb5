package anthropic_test

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
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/llmtest"
)

// recorded returns the recorded exchanges by id.
func recorded(t testing.TB) map[string]llmtest.Exchange {
	t.Helper()
	all := map[string]llmtest.Exchange{}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/recorded.jsonl") {
		all[x.ID] = x
	}
	return all
}

// used is a usage as the tests write it: input, output, cached, written to cache.
func used(input, output, cached, written int64) journey.Usage {
	return journey.Usage{Input: input, Output: output, Cached: cached, CacheWrite: written, Reasoning: -1, Source: "reported"}
}

func searched(input, output, searches int64) journey.Usage {
	u := used(input, output, 0, 0)
	u.Extra = &journey.UsageExtra{Searches: searches}
	return u
}

var streamed = []struct {
	id     string
	usage  journey.Usage
	finish string
}{
	{"anthropic-0035", used(424, 109, 0, 0), "tool_use"},
	{"anthropic-0018", used(502, 137, 0, 0), "tool_use"},
	{"anthropic-0024", used(16, 43, 0, 0), "end_turn"},
	{"anthropic-0042", used(27, 93, 0, 0), "end_turn"},
	{"anthropic-0112", searched(9447, 114, 1), "end_turn"},
}

var whole = []struct {
	id     string
	usage  journey.Usage
	finish string
}{
	{"anthropic-0016", used(507, 137, 0, 0), "tool_use"},
	{"anthropic-0028", used(1921, 78, 0, 0), "end_turn"},
	{"anthropic-0114", used(181, 12, 0, 0), "end_turn"},
}

func TestSuite(t *testing.T) {
	all := recorded(t)
	suite := llmtest.Suite{
		Dialect: anthropic.New(),
		Op:      llm.Chat,
		Requests: []llmtest.Request{
			{Name: "streamed", Body: `{"model":"claude-sonnet-4-5","max_tokens":10,"messages":[{"role":"user","content":"say \"model\":\"x\""}],"stream":true}`, Model: "claude-sonnet-4-5", Stream: true, UsageAsked: true},
			{Name: "model last", Body: "{ \"stream\" : true ,\n \"messages\":[{\"model\":\"inner\"}], \"model\" : \"m\" }\n", Model: "m", Stream: true, UsageAsked: true},
			{Name: "stream null", Body: `{"model":"m","stream":null}`, Model: "m", UsageAsked: true},
			{Name: "recorded", Body: all["anthropic-0035"].Request, Model: "claude-sonnet-4-20250514", Stream: true, UsageAsked: true},
			{Name: "recorded from another client", Body: all["anthropic-0106"].Request, Model: "claude-haiku-4-5-20251001", UsageAsked: true},
		},
		Errors: llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl"),
		Read:   []string{"model", "stream"},

		Terminal:      "message_stop",
		ErrorEvent:    "event: error\ndata: {\"type\":\"error\",\"error\":{\"details\":null,\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
		ErrorKind:     fault.Overloaded,
		NeedsTerminal: true,
	}
	for _, c := range streamed {
		suite.Streams = append(suite.Streams, llmtest.Stream{Name: c.id, Body: all[c.id].Body, Usage: c.usage, Finish: c.finish})
	}
	for _, c := range whole {
		suite.Answers = append(suite.Answers, llmtest.Answer{Name: c.id, Body: all[c.id].Body, Usage: c.usage, Finish: c.finish})
	}
	suite.Answers = append(suite.Answers, llmtest.Answer{
		Name:  "cache and thinking",
		Body:  `{"id":"m","type":"message","content":[],"stop_reason":"max_tokens","usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":15},"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}`,
		Usage: journey.Usage{Input: 130, Output: 7, Cached: 100, CacheWrite: 20, Reasoning: 3, Source: "reported", Extra: &journey.UsageExtra{CacheWrite1h: 15}}, Finish: "max_tokens",
	})
	for id, kind := range map[string]fault.Kind{"anthropic-0105": fault.ProviderKeyRejected, "anthropic-0110": fault.ContextTooLong} {
		x := all[id]
		suite.Errors = append(suite.Errors, llmtest.Error{Name: id, Status: x.Status, Headers: x.Headers, Body: x.Body, Kind: kind, Valid: true})
	}
	llmtest.Run(t, suite)
}

// TestEveryStringThatIsMatchedHasAFixture reads classify.go: each word and sentence in it must occur in a
// captured error.
func TestEveryStringThatIsMatchedHasAFixture(t *testing.T) {
	var fixtures strings.Builder
	for _, e := range llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl") {
		fixtures.WriteString(strings.ToLower(e.Body))
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
	if matched < 20 {
		t.Fatalf("only %d strings were found in classify.go", matched)
	}
}

func TestASpentLimitTellsWhenItIsFullAgain(t *testing.T) {
	now := time.Date(2026, 8, 19, 14, 34, 0, 0, time.UTC)
	body := []byte(`{"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"req_1"}`)
	for _, c := range []struct {
		name   string
		header map[string]string
		want   time.Duration
		id     string
	}{
		{"none", nil, 0, "req_1"},
		{"not spent", map[string]string{"anthropic-ratelimit-requests-remaining": "5", "anthropic-ratelimit-requests-reset": "2026-08-19T14:34:57Z"}, 0, "req_1"},
		{"spent", map[string]string{"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-08-19T14:34:57Z", "request-id": "req_2"}, 57 * time.Second, "req_2"},
		{"two spent: the later", map[string]string{
			"anthropic-ratelimit-input-tokens-remaining": "0", "anthropic-ratelimit-input-tokens-reset": "2026-08-19T14:35:00Z",
			"anthropic-ratelimit-output-tokens-remaining": "0", "anthropic-ratelimit-output-tokens-reset": "2026-08-19T14:36:00Z",
		}, 2 * time.Minute, "req_1"},
		{"retry-after counts first", map[string]string{"retry-after": "3", "anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-08-19T14:36:00Z"}, 3 * time.Second, "req_1"},
		{"nonsense", map[string]string{"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "soon"}, 0, "req_1"},
		{"past", map[string]string{"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-08-19T14:30:00Z"}, 0, "req_1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := anthropic.New().ReadError(429, func(name string) string { return c.header[name] }, body, now)
			if e.RetryAfter != c.want || e.RequestID != c.id {
				t.Errorf("wait %v, request %q; want %v, %q", e.RetryAfter, e.RequestID, c.want, c.id)
			}
		})
	}
}

func TestTheProvidersKeyNeverLeaves(t *testing.T) {
	e := anthropic.New().ReadError(401, func(string) string { return "" },
		[]byte(`{"type":"error","error":{"type":"authentication_error","message":"the key sk-ant-api03-secret is invalid"}}`), time.Time{})
	if e.Passable() || strings.Contains(e.Message+strings.Join(e.Evidence(), " "), "secret") {
		t.Errorf("%+v", e)
	}
}

// TestErrorBodiesHaveTheWordOfTheirStatus checks what programs look at: the SDKs choose the exception by
// the status, and give the type to the program.
func TestErrorBodiesHaveTheWordOfTheirStatus(t *testing.T) {
	for _, c := range []struct {
		kind   fault.Kind
		status int
		typ    string
	}{
		{fault.BadRequest, 400, "invalid_request_error"},
		{fault.KeyMissing, 401, "authentication_error"},
		{fault.QuotaExhausted, 429, "billing_error"},
		{fault.NotSubscribed, 403, "permission_error"},
		{fault.ModelNotFound, 404, "not_found_error"},
		{fault.RouteNotFound, 404, "not_found_error"},
		{fault.BodyTooLarge, 413, "request_too_large"},
		{fault.RateLimited, 429, "rate_limit_error"},
		{fault.ConnectionRefused, 502, "api_error"},
		{fault.FirstByteTimeout, 504, "timeout_error"},
		{fault.Overloaded, 529, "overloaded_error"},
		{fault.ContextTooLong, 400, "invalid_request_error"},
	} {
		body := anthropic.New().AppendError(nil, &llm.Failure{Kind: c.kind, Status: c.status, Sentence: "So it is.", CallID: "01J", Param: "messages.0"})
		var got struct {
			Type      string
			Error     struct{ Type, Message, Param string }
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != "error" || got.Error.Type != c.typ || got.RequestID != "01J" || got.Error.Param != "messages.0" || got.Error.Message != "So it is. ["+string(c.kind)+", 01J]" {
			t.Errorf("%s: %s", c.kind, body)
		}
	}
}

func TestAddresses(t *testing.T) {
	d := anthropic.New()
	for _, r := range d.Routes() {
		path := strings.Replace(r.Path, "*", "openrouter/meta-llama/llama-3", 1)
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
	for _, path := range []string{"/", "/v1", "/v1/models/", "/v1/messages/", "/v1/messages/batches", "/v1/complete"} {
		if m, ok := d.Lookup(http.MethodPost, path); ok || m.Allow != "" {
			t.Errorf("%s: %+v, %v", path, m, ok)
		}
	}
}

func TestModelsAreOnePage(t *testing.T) {
	d := anthropic.New()
	at := time.Date(2026, 2, 5, 1, 2, 3, 0, time.UTC)
	var list struct {
		Data []struct {
			ID, Type, DisplayName string
			CreatedAt             time.Time `json:"created_at"`
		}
		FirstID, LastID string
		HasMore         bool `json:"has_more"`
	}
	body := d.AppendModels(nil, []llm.Model{{ID: "fast", Created: at}, {ID: "slow"}})
	text := strings.NewReplacer("first_id", "FirstID", "last_id", "LastID", "display_name", "DisplayName").Replace(string(body))
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	if list.FirstID != "fast" || list.LastID != "slow" || list.HasMore || list.Data[0].Type != "model" || list.Data[0].DisplayName != "fast" || !list.Data[0].CreatedAt.Equal(at) {
		t.Errorf("%s", body)
	}
}

func TestAnErrorInsideAGoodStatus(t *testing.T) {
	d := anthropic.New()
	for _, c := range []struct {
		name string
		op   llm.Operation
		body string
		kind fault.Kind
	}{
		{"overloaded", llm.Chat, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, fault.Overloaded},
		{"OpenAI's shape", llm.Chat, `{"error":{"message":"no","type":"server_error"}}`, fault.ProviderError},
		{"a count", llm.CountTokens, `{"input_tokens":5}`, ""},
		{"no count", llm.CountTokens, `{"tokens":5}`, fault.IncompatibleResponse},
		{"models", llm.ListModels, `{"data":[],"has_more":false}`, ""},
		{"a model", llm.GetModel, `{"id":"m","type":"model"}`, ""},
		{"an answer of OpenAI", llm.Chat, `{"choices":[]}`, fault.IncompatibleResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := d.ReadAnswer(c.op, []byte(c.body)); got.Kind != c.kind || (got.Kind == "") != (got.Problem == "") {
				t.Errorf("%+v", got)
			}
		})
	}
}
