package gemini_test

import (
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/llmtest"
)

// embedder is a dialect that has embeddings.
type embedder interface {
	llm.Dialect
	canon.EmbedCodec
}

func TestRecordedEmbeddingsComeBackTheSame(t *testing.T) {
	description := readProtos(t)
	seen := 0
	for _, x := range recorded(t) {
		var d embedder = gemini.New()
		m := x.match()
		if x.Endpoint == "predict" {
			d, m = gemini.NewVertex("p", "l"), llm.Match{Op: llm.Embeddings, Model: x.Model}
		}
		if m.Op != llm.Embeddings {
			continue
		}
		seen++
		t.Run(x.ID, func(t *testing.T) {
			req, err := d.ReadEmbedRequest(m, []byte(x.Request))
			if err != nil {
				t.Fatal(err)
			}
			report := canon.NewReport(&req.Request)
			written, err := d.WriteEmbedRequest(req, &canon.Target{Model: x.Model}, report)
			if report.Close(); err != nil || len(report.Entries) > 0 {
				t.Fatalf("%v, %q", err, report.Lines())
			}
			a, b := camelNames(llmtest.Value(t, []byte(x.Request))), camelNames(llmtest.Value(t, written))
			if differ := llmtest.Diff(a, b); len(differ) > 0 {
				t.Errorf("%q", differ)
			}
			if x.Endpoint != "predict" {
				description.valid(t, "BatchEmbedContentsRequest", written)
			}
			answer, err := d.ReadEmbedAnswer([]byte(x.Body))
			if err != nil || len(answer.Vectors) != len(req.Inputs) || len(answer.Vectors[0]) < 100 {
				t.Fatalf("%v, %d vectors", err, len(answer.Vectors))
			}
			judged := d.ReadAnswer(llm.Embeddings, []byte(x.Body))
			if answer.Usage.Input != judged.Usage.Input || answer.Usage.Output != judged.Usage.Output {
				t.Errorf("usage %+v, and the dialect reads %+v", answer.Usage, judged.Usage)
			}
			for _, lost := range answer.Lost {
				if lost != "metadata" && lost != "metadata.billableCharacterCount" {
					t.Errorf("%s is lost", lost)
				}
			}
			body := d.WriteEmbedAnswer(answer, req, report)
			again, err := d.ReadEmbedAnswer(body)
			if err != nil || again.Usage != answer.Usage {
				t.Fatalf("%v, %+v", err, again.Usage)
			}
			for i := range answer.Vectors {
				for k := range answer.Vectors[i] {
					if answer.Vectors[i][k] != again.Vectors[i][k] {
						t.Fatalf("vector %d differs at %d", i, k)
					}
				}
			}
			differ := llmtest.Diff(llmtest.Value(t, []byte(x.Body)), llmtest.Value(t, body))
			if rest, _ := llmtest.Unexpected(differ, []string{"/metadata/**", "/usageMetadata/promptTokenDetails/**"}); len(rest) > 0 {
				t.Errorf("%.400q", rest)
			}
		})
	}
	if seen < 6 {
		t.Errorf("only %d recorded", seen)
	}
}

func TestEmbeddingsSayWhatTheyAreFor(t *testing.T) {
	d := gemini.New()
	const one = `{"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"T","output_dimensionality":64}`
	req, err := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings, Detail: "embedContent", Model: "e"}, []byte(one))
	if err != nil {
		t.Fatal(err)
	}
	if !req.Single || req.Purpose != "RETRIEVAL_DOCUMENT" || req.Title != "T" || req.Dimensions != 64 || req.Inputs[0].Text != "a" || len(req.Inputs[0].Parts) != 1 {
		t.Errorf("%+v", req)
	}
	report := canon.NewReport(&req.Request)
	written, err := d.WriteEmbedRequest(req, &canon.Target{Model: "gemini-embedding-001"}, report)
	if report.Close(); err != nil || len(report.Entries) > 0 {
		t.Fatalf("%v, %q", err, report.Lines())
	}
	want := `{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"T","outputDimensionality":64}]}`
	if string(written) != want {
		t.Errorf("%s", written)
	}
	vertex, err := gemini.NewVertex("p", "l").WriteEmbedRequest(req, &canon.Target{Model: "text-embedding-005"}, report)
	if want := `{"instances":[{"content":"a\nb","task_type":"RETRIEVAL_DOCUMENT","title":"T"}],"parameters":{"outputDimensionality":64}}`; err != nil || string(vertex) != want {
		t.Errorf("%v: %s", err, vertex)
	}
	if body := string(d.WriteEmbedAnswer(&canon.EmbedAnswer{Vectors: [][]float32{{0.5, 0.013796286}}, Usage: canon.NoUsage()}, req, report)); body != `{"embedding":{"values":[0.5,0.013796286]}}` {
		t.Errorf("%s", body)
	}
	// Requests of a batch that want different things can't be told apart in other dialects.
	const batch = `{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING","outputDimensionality":8},{"content":{"parts":[{"text":"b"}]},"taskType":"CLASSIFICATION","outputDimensionality":8}]}`
	req, err = d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings, Detail: "batchEmbedContents"}, []byte(batch))
	if err != nil {
		t.Fatal(err)
	}
	report = canon.NewReport(&req.Request)
	_, _ = d.WriteEmbedRequest(req, &canon.Target{Model: "e"}, report)
	report.Close()
	if got := report.Header(); got != "requests.1.taskType;dropped" {
		t.Errorf("%q", got)
	}
	req.Inputs[0].Tokens = []byte(`[1]`)
	if _, err := d.WriteEmbedRequest(req, &canon.Target{Model: "e"}, report); err == nil {
		t.Error("tokens are taken for text")
	}
}

func TestMalformedEmbeddingsAndCounts(t *testing.T) {
	for _, c := range []struct{ op, detail, body, pointer string }{
		{"embed", "embedContent", `{}`, "/content"},
		{"embed", "embedContent", `{"content":{"parts":[]}}`, "/content/parts"},
		{"embed", "embedContent", `{"content":{"parts":[{"text":1}]}}`, "/content/parts/0/text"},
		{"embed", "embedContent", `{"content":"a"}`, "/content"},
		{"embed", "embedContent", `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":"many"}`, "/outputDimensionality"},
		{"embed", "batchEmbedContents", `{}`, "/requests"},
		{"embed", "batchEmbedContents", `{"requests":[]}`, "/requests"},
		{"embed", "batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{}}]}`, "/requests/1/content/parts"},
		{"embed", "batchEmbedContents", `[]`, ""},
		{"count", "countTokens", `{}`, "/contents"},
		{"count", "countTokens", `{"generateContentRequest":{}}`, "/generateContentRequest/contents"},
		{"count", "countTokens", `{"generateContentRequest":[]}`, "/generateContentRequest"},
		{"count", "countTokens", `{"contents":[{"parts":[{"text":"a"}]}],"generateContentRequest":{"contents":[]}}`, "/generateContentRequest"},
		{"count", "countTokens", `{"contents":[{"role":"x","parts":[{"text":"a"}]}]}`, "/contents/0/role"},
	} {
		var err error
		if m := (llm.Match{Detail: c.detail}); c.op == "embed" {
			_, err = gemini.New().ReadEmbedRequest(m, []byte(c.body))
		} else {
			_, err = gemini.New().ReadCountRequest(m, []byte(c.body))
		}
		if pointer, ok := llmtest.PointerOf(err); !ok || pointer != c.pointer {
			t.Errorf("%s: %v, pointer %q, want %q", c.body, err, pointer, c.pointer)
		}
	}
}

func TestRecordedCountsComeBackTheSame(t *testing.T) {
	description := readProtos(t)
	seen := 0
	for _, x := range recorded(t) {
		if x.match().Op != llm.CountTokens {
			continue
		}
		seen++
		d := gemini.New()
		req, err := d.ReadCountRequest(x.match(), []byte(x.Request))
		if err != nil {
			t.Fatal(err)
		}
		report := canon.NewReport(req)
		written, err := d.WriteCountRequest(req, &canon.Target{Model: x.Model}, report)
		if report.Close(); err != nil || len(report.Entries) > 0 {
			t.Fatalf("%v, %q", err, report.Lines())
		}
		description.valid(t, "CountTokensRequest", written)
		rest, _ := llmtest.Unexpected(llmtest.Diff(llmtest.Value(t, []byte(x.Request)), llmtest.Value(t, written)), nil)
		if x.ID == "gemini-0093" { // a whole request that is but its contents is written as contents
			if len(rest) != 2 || rest[0] != "+/contents" || rest[1] != "-/generateContentRequest" {
				t.Errorf("%q", rest)
			}
		} else if len(rest) > 0 {
			t.Errorf("%s: %q", x.ID, rest)
		}
		tokens, err := d.ReadCount([]byte(x.Body))
		if err != nil || tokens <= 0 || !strings.Contains(string(d.WriteCount(tokens)), `"totalTokens"`) {
			t.Errorf("%s: %d, %v", x.ID, tokens, err)
		}
		vertex, err := gemini.NewVertex("p", "l").WriteCountRequest(req, &canon.Target{Model: x.Model}, canon.NewReport(req))
		if err != nil || strings.Contains(string(vertex), "generateContentRequest") {
			t.Errorf("%s: %v, %s", x.ID, err, vertex)
		}
	}
	if seen < 3 {
		t.Errorf("only %d recorded", seen)
	}
	if _, err := gemini.New().ReadCount([]byte(`{"total":1}`)); err == nil {
		t.Error("another answer is taken for a count")
	}
}
