package ollama_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/llmtest/spec"
	"causeway/internal/llm/ollama"
)

// TestWhatIsWrittenIsWhatTheDescriptionAllows holds all that this package writes against Ollama's own
// description of its API.
func TestWhatIsWrittenIsWhatTheDescriptionAllows(t *testing.T) {
	s := spec.Open(t, "ollama-openapi.yaml.gz")
	d := ollama.New()
	for id, x := range exchanges(t) {
		op, path, answer, event := llm.Chat, "/api/chat", "ChatResponse", "ChatStreamEvent"
		if x.Endpoint == "api/generate" {
			op, path, answer, event = llm.Completions, "/api/generate", "GenerateResponse", "GenerateStreamEvent"
		}
		codec := d.Codec(op)
		asked := &canon.Request{Dialect: "ollama", Op: op, Model: "m"}
		if x.Request != "" {
			req, err := codec.ReadRequest(llm.Match{Op: op}, []byte(x.Request))
			if err != nil {
				t.Fatal(id, err)
			}
			body, err := codec.WriteRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{}}, canon.NewReport(req))
			if err != nil {
				t.Fatal(id, err)
			}
			s.Request(t, "POST", path, body)
		}
		switch {
		case strings.Contains(x.Body, "}\n{"):
			w := codec.NewWriter(asked, canon.NewReport(asked))
			out := string(llmtest.CrossPieces(t, d, op, w.ContentType(), []byte(x.Body), 100, w).Out)
			for line := range strings.Lines(out) {
				s.Schema(t, event, []byte(line))
			}
		case x.Body != "" && (x.Status == 0 || x.Status == 200):
			a, err := codec.ReadAnswer([]byte(x.Body))
			if err != nil {
				t.Fatal(id, err)
			}
			s.Schema(t, answer, codec.WriteAnswer(a, asked, canon.NewReport(asked)))
		}
	}
	models := []llm.Model{{ID: "fast", OwnedBy: "causeway", Created: time.Unix(1760742847, 0)}}
	s.Answer(t, "GET", "/api/tags", "200", d.AppendModels(nil, models))
	s.Answer(t, "GET", "/api/ps", "200", d.AppendModels(nil, models))
	s.Answer(t, "POST", "/api/show", "200", d.AppendModel(nil, models[0]))
	s.Answer(t, "GET", "/api/version", "200", d.AppendVersion(nil))
	for _, single := range []bool{true, false} {
		req := &canon.EmbedRequest{Inputs: []canon.EmbedInput{{Text: "a"}}, Single: single, Dimensions: 2, Truncate: "NONE"}
		body, err := d.WriteEmbedRequest(req, embedTarget, canon.NewReport(&req.Request))
		if err != nil {
			t.Fatal(err)
		}
		s.Request(t, "POST", "/api/embed", body)
		s.Answer(t, "POST", "/api/embed", "200", d.WriteEmbedAnswer(&canon.EmbedAnswer{Vectors: [][]float32{{1, 2}}, Usage: canon.NoUsage()}, req, canon.NewReport(&req.Request)))
	}
}
