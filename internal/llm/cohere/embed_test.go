package cohere_test

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/llmtest"
)

var embedTarget = &canon.Target{Provider: "cohere", Vendor: &catalog.Vendor{Kind: "cohere"}, Model: "embed-v4.0"}

func TestEmbeddingsRoundTrip(t *testing.T) {
	d, all := cohere.New(), exchanges(t, "testdata/recorded.jsonl")
	for name, body := range map[string]string{
		"recorded": all["cohere-0061"].Request,
		"images":   `{"model":"embed-v4.0","inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}],"input_type":"search_query","embedding_types":["int8","base64"],"truncate":"START","max_tokens":9,"priority":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			req, err := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings}, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			r := canon.NewReport(&req.Request)
			got, err := d.WriteEmbedRequest(req, embedTarget, r)
			r.Close()
			if err != nil || len(r.Entries) > 0 {
				t.Fatalf("%v, %v", err, r.Entries)
			}
			if diff := llmtest.Diff(llmtest.Value(t, []byte(body)), llmtest.Value(t, got)); len(diff) > 0 {
				t.Errorf("%q: %s", diff, got)
			}
		})
	}
	x := all["cohere-0061"]
	req, _ := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings}, []byte(x.Request))
	a, err := d.ReadEmbedAnswer([]byte(x.Body))
	if err != nil || len(a.Lost) > 0 || len(a.Vectors) != 1 || len(a.Vectors[0]) != 1024 || a.Usage.Input != 7 || a.Usage.ImageIn != 0 {
		t.Fatalf("%v: %d vectors, lost %q, usage %+v", err, len(a.Vectors), a.Lost, a.Usage)
	}
	got := d.WriteEmbedAnswer(a, req, canon.NewReport(&req.Request))
	if diff := llmtest.Diff(llmtest.Value(t, []byte(x.Body)), llmtest.Value(t, got)); len(diff) > 0 {
		t.Errorf("%q", diff[:min(len(diff), 5)])
	}
}

func TestWhatTheVectorsAreFor(t *testing.T) {
	for _, c := range []struct {
		purpose string
		image   bool
		want    string
		report  string
	}{
		{"", false, "search_document", "input_type;approximated"},
		{"", true, "image", ""},
		{"RETRIEVAL_QUERY", false, "search_query", ""},
		{"CLUSTERING", false, "clustering", ""},
		{"SEMANTIC_SIMILARITY", false, "clustering", "taskType;approximated"},
		{"SOMETHING_NEW", false, "search_document", "taskType;approximated"},
	} {
		t.Run(c.purpose, func(t *testing.T) {
			base, err := cohere.New().Codec(llm.Chat).ReadRequest(llm.Match{}, []byte(`{"model":"m","taskType":"x","messages":[`+user+`]}`))
			if err != nil {
				t.Fatal(err)
			}
			req := &canon.EmbedRequest{Request: *base, Purpose: c.purpose, PurposeAt: base.Doc.Root().Get("taskType").Ref(), Inputs: []canon.EmbedInput{{Text: "a"}}}
			req.Dialect = "other"
			if c.image {
				req.Inputs[0] = canon.EmbedInput{Parts: []canon.Part{{Kind: canon.Image, Media: &canon.Media{Data: "aGk="}}}}
			}
			r := canon.NewReport(&req.Request)
			body, err := cohere.New().WriteEmbedRequest(req, embedTarget, r)
			if err != nil {
				t.Fatal(err)
			}
			if got := llmtest.Find(llmtest.Value(t, body), "/input_type"); got != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
			var list []string
			for _, e := range r.Entries {
				list = append(list, e.Field+";"+e.Loss.String())
			}
			if strings.Join(list, " ") != c.report {
				t.Errorf("%q, want %q", list, c.report)
			}
		})
	}
}

func TestTokensCannotBeEmbedded(t *testing.T) {
	req := &canon.EmbedRequest{Inputs: []canon.EmbedInput{{Tokens: []byte("[1,2]")}}}
	var un *canon.Unsupported
	if _, err := cohere.New().WriteEmbedRequest(req, embedTarget, canon.NewReport(&req.Request)); !errors.As(err, &un) || un.Field != "input" {
		t.Errorf("%v", err)
	}
}

func TestVectorsInTheTypesAskedFor(t *testing.T) {
	req := &canon.EmbedRequest{EmbeddingTypes: []string{"float", "int8", "binary", "ubinary", "base64"}, Inputs: []canon.EmbedInput{{Text: "a"}}}
	r := canon.NewReport(&req.Request)
	a := &canon.EmbedAnswer{Vectors: [][]float32{{1, -1, 0.5, -0.5, 0, 1, 1, 1, 1}}, Usage: canon.NoUsage()}
	got := llmtest.Value(t, cohere.New().WriteEmbedAnswer(a, req, r))
	for path, want := range map[string]string{
		"/embeddings/ubinary/0/0": "167", "/embeddings/ubinary/0/1": "128", "/embeddings/binary/0/0": "39", "/embeddings/float/0/2": "0.5",
		"/embeddings/base64/0": "AACAPwAAgL8AAAA/AAAAvwAAAAAAAIA/AACAPwAAgD8AAIA/",
	} {
		if v := strings.Trim(llmtest.Show(llmtest.Find(got, path)), `"`); v != want {
			t.Errorf("%s is %s, want %s", path, v, want)
		}
	}
	if len(r.Entries) != 1 || r.Entries[0].Field != "answer.embeddings.int8" {
		t.Errorf("%v", r.Entries)
	}
	back, err := cohere.New().ReadEmbedAnswer([]byte(`{"id":"x","embeddings":{"base64":["AACAPwAAgL8="]}}`))
	if err != nil || len(back.Vectors) != 1 || back.Vectors[0][0] != 1 || back.Vectors[0][1] != -1 {
		t.Errorf("%v, %+v", err, back)
	}
}

func TestMalformedEmbedRequests(t *testing.T) {
	for _, c := range []struct{ name, body, pointer string }{
		{"not JSON", `{`, ""},
		{"a list", `[]`, ""},
		{"no model", `{"texts":["a"]}`, "/model"},
		{"nothing to embed", `{"model":"m"}`, "/texts"},
		{"texts a string", `{"model":"m","texts":"a"}`, "/texts"},
		{"a text that is a number", `{"model":"m","texts":["a",1]}`, "/texts/1"},
		{"texts and images", `{"model":"m","texts":["a"],"images":["data:image/png;base64,aGk="]}`, "/images"},
		{"an input without content", `{"model":"m","inputs":[{"text":"a"}]}`, "/inputs/0/content"},
		{"another input_type", `{"model":"m","texts":["a"],"input_type":"query"}`, "/input_type"},
		{"another truncate", `{"model":"m","texts":["a"],"truncate":true}`, "/truncate"},
		{"a dimension in words", `{"model":"m","texts":["a"],"output_dimension":"many"}`, "/output_dimension"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cohere.New().ReadEmbedRequest(llm.Match{Op: llm.Embeddings}, []byte(c.body))
			if pointer, ok := llmtest.PointerOf(err); !ok || pointer != c.pointer {
				t.Errorf("%v, pointer %q, want %q", err, pointer, c.pointer)
			}
		})
	}
}

func FuzzEmbed(f *testing.F) {
	f.Add([]byte(`{"model":"embed-v4.0","texts":["a"],"input_type":"search_query","embedding_types":["binary"]}`))
	f.Add([]byte(`{"id":"x","embeddings":{"base64":["AACAPwAAgL8="],"float":[[1e300]]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := cohere.New()
		req, err := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings}, body)
		if err != nil {
			req = &canon.EmbedRequest{}
		} else {
			r := canon.NewReport(&req.Request)
			if out, err := d.WriteEmbedRequest(req, embedTarget, r); err == nil {
				llmtest.Value(t, out)
			}
			r.Close()
		}
		if a, err := d.ReadEmbedAnswer(body); err == nil {
			llmtest.Value(t, d.WriteEmbedAnswer(a, req, canon.NewReport(&req.Request)))
		}
	})
}
