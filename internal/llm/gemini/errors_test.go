package gemini_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/gemini"
)

func noHeader(string) string { return "" }

// TestEveryStringThatIsMatchedHasAFixture reads classify.go: each word and sentence in it must occur in an error of the
// fixtures.
func TestEveryStringThatIsMatchedHasAFixture(t *testing.T) {
	var fixtures strings.Builder
	for _, name := range []string{"testdata/errors.jsonl", "testdata/recorded.jsonl"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fixtures.WriteString(strings.ToLower(string(text)))
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
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
					matched++
					if !strings.Contains(fixtures.String(), strings.ToLower(text)) {
						t.Errorf("%q occurs in no fixture", text)
					}
				}
			}
			return true
		})
	}
	if matched < 20 {
		t.Fatalf("only %d strings were found in classify.go", matched)
	}
}

func TestWhatAnErrorSaysBesides(t *testing.T) {
	x := byID(t)["gemini-0098"]
	e := gemini.New().ReadError(429, noHeader, []byte(x.Body), time.Time{})
	if e.RetryAfter != 48*time.Second || e.Type != "RESOURCE_EXHAUSTED" || e.Status != 429 {
		t.Errorf("%+v", e)
	}
	after := func(name string) string { return map[string]string{"retry-after": "90"}[name] }
	if e := gemini.New().ReadError(429, after, []byte(x.Body), time.Time{}); e.RetryAfter != 90*time.Second {
		t.Errorf("the longer wait counts: %v", e.RetryAfter)
	}
	e = gemini.New().ReadError(400, noHeader, []byte(byID(t)["gemini-0095"].Body), time.Time{})
	if e.Code != "API_KEY_INVALID" || e.Passable() {
		t.Errorf("%+v", e)
	}
	e = gemini.New().ReadError(400, noHeader, []byte(`{"error":{"code":400,"message":"API key not valid: AIzaSyA-secret.","status":"INVALID_ARGUMENT"}}`), time.Time{})
	if told := e.Message + strings.Join(e.Evidence(), "\n"); strings.Contains(told, "secret") {
		t.Errorf("the key is told: %s", told)
	}
	e = gemini.New().ReadError(400, noHeader, []byte(`{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"generation_config.top_k"}]}]}}`), time.Time{})
	if e.Param != "generation_config.top_k" {
		t.Errorf("%+v", e)
	}
	answer := gemini.New().ReadAnswer(llm.Chat, []byte(`{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`))
	if answer.Kind != fault.Overloaded || answer.Error.Status != 503 {
		t.Errorf("inside a 200: %+v", answer)
	}
}

// TestErrorBodiesRaiseTheRightException checks what Google's SDKs look at: error.code and error.status.
func TestErrorBodiesRaiseTheRightException(t *testing.T) {
	for _, c := range []struct {
		kind           fault.Kind
		status         int
		word, reason   string
		param, wantArg string
	}{
		{fault.KeyMissing, 401, "UNAUTHENTICATED", "CREDENTIALS_MISSING", "", ""},
		{fault.KeyUnknown, 401, "UNAUTHENTICATED", "API_KEY_INVALID", "", ""},
		{fault.NotSubscribed, 403, "PERMISSION_DENIED", "NOT_SUBSCRIBED", "", ""},
		{fault.ModelNotFound, 404, "NOT_FOUND", "MODEL_NOT_FOUND", "", ""},
		{fault.BadRequest, 400, "INVALID_ARGUMENT", "BAD_REQUEST", "contents.0.role", "contents.0.role"},
		{fault.BodyTooLarge, 413, "INVALID_ARGUMENT", "BODY_TOO_LARGE", "", ""},
		{fault.RegionBlocked, 403, "FAILED_PRECONDITION", "REGION_BLOCKED", "", ""},
		{fault.RateLimited, 429, "RESOURCE_EXHAUSTED", "RATE_LIMITED", "", ""},
		{fault.QuotaExhausted, 429, "RESOURCE_EXHAUSTED", "QUOTA_EXHAUSTED", "", ""},
		{fault.Overloaded, 503, "UNAVAILABLE", "OVERLOADED", "", ""},
		{fault.ConnectionRefused, 502, "UNAVAILABLE", "CONNECTION_REFUSED", "", ""},
		{fault.FirstByteTimeout, 504, "DEADLINE_EXCEEDED", "FIRST_BYTE_TIMEOUT", "", ""},
		{fault.ProviderError, 500, "INTERNAL", "PROVIDER_ERROR", "", ""},
	} {
		body := gemini.New().AppendError(nil, &llm.Failure{Kind: c.kind, Status: c.status, Sentence: "So it is.", CallID: "01J", Param: c.param})
		var got struct {
			Error struct {
				Code            int
				Message, Status string
				Details         []struct {
					Reason          string
					Metadata        struct{ Call string }
					FieldViolations []struct{ Field string }
				}
			}
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		e := got.Error
		if e.Code != c.status || e.Status != c.word || e.Details[0].Reason != c.reason || e.Details[0].Metadata.Call != "01J" || e.Message != "So it is. ["+string(c.kind)+", 01J]" {
			t.Errorf("%s: %s", c.kind, body)
		}
		if c.wantArg != "" && (len(e.Details) != 2 || e.Details[1].FieldViolations[0].Field != c.wantArg) {
			t.Errorf("%s: %s", c.kind, body)
		}
	}
}
