package gemini_test

import (
	"net/http"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/llmtest"
)

// exchange is a recorded exchange; the model and the query stood in its URL.
type exchange struct {
	llmtest.Exchange
	Model string `json:"model"`
	Query string `json:"query"`
}

// match is what the address of the recorded call says.
func (x *exchange) match() llm.Match {
	m, _ := gemini.New().Lookup(http.MethodPost, "/v1beta/models/"+x.Model+":"+x.Endpoint)
	m.Query = x.Query
	return m
}

func recorded(t testing.TB) (list []exchange) {
	t.Helper()
	return llmtest.Lines[exchange](t, "testdata/recorded.jsonl")
}

func byID(t testing.TB) map[string]exchange {
	all := map[string]exchange{}
	for _, x := range recorded(t) {
		all[x.ID] = x
	}
	return all
}

func used(input, output, cached, reasoning int64) journey.Usage {
	return journey.Usage{Input: input, Output: output, Cached: cached, CacheWrite: -1, Reasoning: reasoning, Source: "reported"}
}

func TestSuite(t *testing.T) {
	all := byID(t)
	lines := func(id string) string { return strings.ReplaceAll(all[id].Body, "\r\n", "\n") }
	suite := llmtest.Suite{
		Dialect: gemini.New(), Op: llm.Chat, InPath: true, BareError: true,
		Requests: []llmtest.Request{
			{Name: "made", Body: `{"contents":[{"parts":[{"text":"say \"model\""}]}]}`, Model: "gemini-2.5-flash", Stream: true, UsageAsked: true},
			{Name: "named twice", Body: `{"model":"models/gemini-2.5-flash","contents":[]}`, Model: "gemini-2.5-flash", UsageAsked: true},
			{Name: "recorded", Body: all["gemini-0003"].Request, Model: "gemini-2.5-flash", UsageAsked: true},
		},
		Answers: []llmtest.Answer{
			{Name: "gemini-0003", Body: all["gemini-0003"].Body, Usage: used(125, 109, -1, 73), Finish: "STOP"},
			{Name: "built-in tools count as input", Body: all["gemini-0090"].Body, Usage: used(83, 139, -1, 109), Finish: "STOP"},
			{Name: "cached", Body: all["vertex-0036"].Body, Usage: used(9613, 72, 9602, 39), Finish: "STOP"},
			{
				Name: "only thoughts", Body: `{"candidates":[{"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":4,"totalTokenCount":13,"thoughtsTokenCount":9}}`,
				Usage: used(4, 9, -1, 9), Finish: "MAX_TOKENS",
			},
			{
				Name: "blocked", Body: `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}`,
				Usage: used(4, 0, -1, -1), Finish: "PROHIBITED_CONTENT",
			},
		},
		Streams: []llmtest.Stream{
			{Name: "gemini-0014 with LF", Body: lines("gemini-0014"), Usage: used(646, 39, -1, 20), Finish: "STOP"},
			{Name: "gemini-0014", Body: all["gemini-0014"].Body, Usage: used(646, 39, -1, 20), Finish: "STOP"},
			{Name: "gemini-0013", Body: all["gemini-0013"].Body, Usage: used(157, 470, -1, 438), Finish: "STOP"},
			{Name: "vertex-0010", Body: all["vertex-0010"].Body, Usage: used(57, 79, -1, 69), Finish: "STOP"},
		},
		Errors:     llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl"),
		Read:       []string{"model"},
		ErrorEvent: "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded. Please try again later.\",\"status\":\"UNAVAILABLE\"}}\n\n",
		ErrorKind:  fault.Overloaded,
	}
	for id, kind := range map[string]fault.Kind{"gemini-0095": fault.ProviderKeyRejected, "gemini-0098": fault.ProviderRateLimited, "vertex-0044": fault.ContextTooLong} {
		x := all[id]
		suite.Errors = append(suite.Errors, llmtest.Error{Name: id, Status: x.Status, Headers: x.Headers, Body: x.Body, Kind: kind, Valid: true})
	}
	llmtest.Run(t, suite)
}

// TestEveryRecordedAnswerIsOne reads the recorded answers of all operations.
func TestEveryRecordedAnswerIsOne(t *testing.T) {
	for _, x := range recorded(t) {
		if x.Status != http.StatusOK {
			continue
		}
		m := x.match()
		if m.Op == llm.NoOperation {
			m.Op = llm.Embeddings // Vertex AI's predict
		}
		var req llm.Request
		if err := gemini.New().ReadRequest(&req, m, []byte(x.Request)); err != nil {
			t.Errorf("%s: %v", x.ID, err)
		}
		if x.Streamed() {
			stream := gemini.New().NewStream(m.Op, false)
			stream.Feed([]byte(x.Body), nil)
			if _, end := stream.Finish(true, nil); !end.Complete || stream.State().Usage.Output <= 0 {
				t.Errorf("%s: %+v, %+v", x.ID, end, stream.State().Usage)
			}
			continue
		}
		if a := gemini.New().ReadAnswer(m.Op, []byte(x.Body)); a.Kind != "" {
			t.Errorf("%s: %+v", x.ID, a)
		}
	}
}

func TestAddresses(t *testing.T) {
	d := gemini.New()
	for _, c := range []struct {
		method, path string
		op           llm.Operation
		model        string
		stream       bool
		allow        string
	}{
		{"POST", "/v1beta/models/gemini-2.5-flash:generateContent", llm.Chat, "gemini-2.5-flash", false, ""},
		{"POST", "/v1/models/gemini-2.5-flash:streamGenerateContent", llm.Chat, "gemini-2.5-flash", true, ""},
		{"POST", "/v1beta/models/openrouter/meta-llama/llama-3:free:streamGenerateContent", llm.Chat, "openrouter/meta-llama/llama-3:free", true, ""},
		{"POST", "/v1beta/models/openrouter%2Fmeta-llama%2Fllama-3%3Afree%3AgenerateContent", llm.Chat, "openrouter/meta-llama/llama-3:free", false, ""},
		{"POST", "/v1beta/models/llama/llama3.2:1b:countTokens", llm.CountTokens, "llama/llama3.2:1b", false, ""},
		{"POST", "/v1beta/models/m:embedContent", llm.Embeddings, "m", false, ""},
		{"POST", "/v1beta/models/m:batchEmbedContents", llm.Embeddings, "m", false, ""},
		{"GET", "/v1beta/models", llm.ListModels, "", false, ""},
		{"GET", "/v1beta/models/llama/llama3.2:1b", llm.GetModel, "llama/llama3.2:1b", false, ""},
		{"GET", "/v1beta/models/m:generateContent", 0, "", false, "POST"},
		{"POST", "/v1beta/models", 0, "", false, "GET"},
		{"PUT", "/v1beta/models/m", 0, "", false, "GET"},
		{"POST", "/v1beta/models/m:batchGenerateContent", 0, "", false, ""},
		{"GET", "/v1/models", 0, "", false, ""},
		{"GET", "/v1/models/m", 0, "", false, ""},
		{"POST", "/v1/models/m", 0, "", false, ""},
		{"POST", "/v1beta/models/:generateContent", 0, "", false, ""},
		{"POST", "/v1beta/models/%zz:generateContent", 0, "", false, ""},
		{"GET", "/v1beta/modelsx", 0, "", false, ""},
		{"GET", "/", 0, "", false, ""},
	} {
		m, ok := d.Lookup(c.method, c.path)
		if m.Op != c.op || m.Model != c.model || m.Stream != c.stream || m.Allow != c.allow || ok != (c.op != 0) {
			t.Errorf("%s %s: %+v, %v", c.method, c.path, m, ok)
		}
	}
	for _, r := range d.Routes() {
		path := strings.Replace(r.Path, "*", "gemini-2.5-flash", 1)
		if r.Op == llm.Chat {
			path += ":generateContent"
		}
		if m, ok := d.Lookup(r.Method, path); !ok || m.Op != r.Op {
			t.Errorf("%s %s: %+v, %v", r.Method, path, m, ok)
		}
	}
}

func TestPlaces(t *testing.T) {
	type placer = llm.VariantPlacer
	var api, vertex placer = gemini.New(), gemini.NewVertex("my-project", "europe-west4")
	const v = "/v1/projects/my-project/locations/europe-west4/publishers/google/models/"
	for _, c := range []struct {
		p                   placer
		op                  llm.Operation
		detail, model, want string
		stream              bool
	}{
		{api, llm.Chat, "", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent?", false},
		{api, llm.Chat, "", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", true},
		{api, llm.Chat, "", "tunedModels/mine", "/v1beta/tunedModels/mine:generateContent?", false},
		{api, llm.Chat, "", "models/m", "/v1beta/models/m:generateContent?", false},
		{api, llm.Chat, "", "a b?c#%", "/v1beta/models/a%20b%3Fc%23%25:generateContent?", false},
		{api, llm.Embeddings, "", "e", "/v1beta/models/e:batchEmbedContents?", false},
		{api, llm.Embeddings, "embedContent", "e", "/v1beta/models/e:embedContent?", false},
		{api, llm.CountTokens, "", "m", "/v1beta/models/m:countTokens?", false},
		{api, llm.ListModels, "", "", "/v1beta/models?", false},
		{api, llm.GetModel, "", "m", "/v1beta/models/m?", false},
		{vertex, llm.Chat, "", "gemini-2.5-flash", v + "gemini-2.5-flash:generateContent?", false},
		{vertex, llm.Chat, "", "gemini-2.5-flash@001", v + "gemini-2.5-flash@001:streamGenerateContent?alt=sse", true},
		{vertex, llm.Embeddings, "embedContent", "text-embedding-005", v + "text-embedding-005:predict?", false},
		{vertex, llm.CountTokens, "", "m", v + "m:countTokens?", false},
		{vertex, llm.ListModels, "", "", "/v1beta1/publishers/google/models?", false},
	} {
		path, query := c.p.PlaceVariant(c.op, c.detail, c.model, c.stream)
		if path+"?"+query != c.want {
			t.Errorf("%s?%s, want %s", path, query, c.want)
		}
		if c.detail == "" {
			if p, q := c.p.Place(c.op, c.model, c.stream); p != path || q != query {
				t.Errorf("Place differs: %s?%s", p, q)
			}
		}
	}
	for base, want := range map[string]string{
		"https://generativelanguage.googleapis.com": "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/": "https://generativelanguage.googleapis.com",
		"https://h/x/v1": "https://h/x", "https://h/v1beta1": "https://h", "": "",
	} {
		if got := gemini.Root(base); got != want {
			t.Errorf("Root(%q) = %q", base, got)
		}
	}
	if gemini.VertexBase("global") != "https://aiplatform.googleapis.com" || gemini.VertexBase("europe-west4") != "https://europe-west4-aiplatform.googleapis.com" {
		t.Error("the endpoint of a location is another")
	}
}

// TestNamesInBodiesFollowTheModel: where a body names the model again it has to be the provider's.
func TestNamesInBodiesFollowTheModel(t *testing.T) {
	d := gemini.New()
	for _, c := range []struct {
		op         llm.Operation
		body, want string
	}{
		{llm.Embeddings, `{"requests":[{"model":"models/fast","content":{}},{"content":{},"model": "models/fast" }]}`, `{"requests":[{"model":"models/gemini-embedding-001","content":{}},{"content":{},"model": "models/gemini-embedding-001" }]}`},
		{llm.Embeddings, `{"content":{},"model":"fast"}`, `{"content":{},"model":"models/gemini-embedding-001"}`},
		{llm.CountTokens, `{"generateContentRequest":{"model":"models/fast","contents":[{"model":"x"}]}}`, `{"generateContentRequest":{"model":"models/gemini-embedding-001","contents":[{"model":"x"}]}}`},
		{llm.Chat, `{"contents":[{"model":"x"}]}`, `{"contents":[{"model":"x"}]}`},
	} {
		var req llm.Request
		if err := d.ReadRequest(&req, llm.Match{Op: c.op, Model: "fast"}, []byte(c.body)); err != nil {
			t.Fatal(err)
		}
		if got := string(req.Rewrite(nil, []byte(c.body), "gemini-embedding-001", true)); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}
