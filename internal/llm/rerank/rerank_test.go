package rerank_test

import (
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/rerank"
)

// Answers as the providers' pages show them; Cohere's is recorded (cohere-0062 of llm/cohere/testdata).
const (
	cohereAnswer = `{"id":"9ca9","results":[{"index":0,"relevance_score":0.75809944},{"index":2,"relevance_score":0.5515985}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`
	jinaAnswer   = `{"model":"jina-reranker-v2-base-multilingual","object":"list","usage":{"total_tokens":38},"results":[{"index":1,"relevance_score":0.9,"document":{"text":"b"}},{"index":0,"relevance_score":0.1,"document":{"text":"a"}}]}`
	voyageAnswer = `{"object":"list","data":[{"relevance_score":0.4375,"index":0},{"relevance_score":0.421875,"index":1}],"model":"rerank-2","usage":{"total_tokens":26}}`
	flowAnswer   = `{"id":"f","results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"input_tokens":28,"output_tokens":0,"search_units":0,"classifications":0},"tokens":{"input_tokens":28,"output_tokens":0}}}`
)

const asked = `{"model":"rerank-v3.5","query":"q","documents":["a",{"text":"b","id":7},{"text":"c"}],"top_n":2`

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		name   string
		from   rerank.Shape
		body   string
		to     rerank.Shape
		want   string
		report string
	}{
		{"for Cohere", rerank.Jina, asked + `}`, rerank.Cohere, `{"model":"m","query":"q","documents":["a","b","c"],"top_n":2}`, "documents.1;approximated"},
		{"for Jina", rerank.Cohere, asked + `,"max_tokens_per_doc":10}`, rerank.Jina, `{"model":"m","query":"q","documents":["a",{"text":"b","id":7},{"text":"c"}],"top_n":2,"return_documents":false}`, "max_tokens_per_doc;dropped"},
		{"for Voyage", rerank.Cohere, `{"model":"x","query":"q","documents":["a"],"top_n":1,"truncation":false}`, rerank.Voyage, `{"model":"m","query":"q","documents":["a"],"top_k":1,"return_documents":false,"truncation":false}`, ""},
		{"from Voyage", rerank.Voyage, `{"model":"x","query":"q","documents":["a"],"top_k":3,"truncation":false,"return_documents":true}`, rerank.Cohere, `{"model":"m","query":"q","documents":["a"],"top_n":3}`, "truncation;dropped"},
		{"what nobody knows", rerank.Cohere, `{"model":"x","query":"q","documents":["a"],"priority":1}`, rerank.Jina, `{"model":"m","query":"q","documents":["a"],"return_documents":false}`, "priority;dropped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := rerank.Read(c.from, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r := canon.NewReport(&req.Request)
			got := rerank.Write(req, c.to, "m", r)
			r.Close()
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if list := losses(r); list != c.report {
				t.Errorf("the report tells %q, want %q", list, c.report)
			}
		})
	}
}

func losses(r *canon.Report) string {
	var list []string
	for _, e := range r.Entries {
		list = append(list, e.Field+";"+e.Loss.String())
	}
	return strings.Join(list, " ")
}

func TestAnswers(t *testing.T) {
	const two = `{"model":"x","query":"q","documents":["a",{"text":"b"}]`
	for _, c := range []struct {
		name, answer string
		shape        rerank.Shape
		body, want   string
		report       string
	}{
		{"Cohere to Cohere", cohereAnswer, rerank.Cohere, asked + `}`, cohereAnswer, ""},
		{"Jina to Cohere", jinaAnswer, rerank.Cohere, two + `}`, `{"id":"","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":38}}}`, ""},
		{"Jina to a caller who wants the documents", jinaAnswer, rerank.Cohere, two + `,"return_documents":true}`, `{"id":"","results":[{"index":1,"relevance_score":0.9,"document":{"text":"b"}},{"index":0,"relevance_score":0.1,"document":{"text":"a"}}],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":38}}}`, ""},
		{"Voyage to Jina", voyageAnswer, rerank.Jina, two + `}`, `{"model":"rerank-2","results":[{"index":0,"relevance_score":0.4375,"document":{"text":"a"}},{"index":1,"relevance_score":0.421875,"document":{"text":"b"}}],"usage":{"total_tokens":26,"prompt_tokens":26}}`, ""},
		{"Cohere to Voyage", cohereAnswer, rerank.Voyage, two + `}`, `{"object":"list","id":"9ca9","model":"x","data":[{"index":0,"relevance_score":0.75809944},{"index":2,"relevance_score":0.5515985}],"usage":{"total_tokens":0}}`, "answer.meta.billed_units.search_units;dropped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := rerank.Read(c.shape, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			a, err := rerank.ReadAnswer([]byte(c.answer))
			if err != nil || len(a.Lost) > 0 {
				t.Fatalf("%v, lost %q", err, a.Lost)
			}
			r := canon.NewReport(&req.Request)
			if got := rerank.WriteAnswer(a, req, r); string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if list := losses(r); list != c.report {
				t.Errorf("the report tells %q, want %q", list, c.report)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	for body, input := range map[string]int64{cohereAnswer: -1, jinaAnswer: 38, voyageAnswer: 26, flowAnswer: 28} {
		a := rerank.Judge([]byte(body))
		if a.Kind != "" || a.Usage.Input != input {
			t.Errorf("%s: %+v", body, a)
		}
		read, err := rerank.ReadAnswer([]byte(body))
		if err != nil || read.Usage.Input != input || len(read.Lost) > 0 {
			t.Errorf("%s: %v, %+v", body, err, read)
		}
	}
	for _, body := range []string{"", "<html>", "[]", `{"ok":true}`, `{"results":{}}`, cohereAnswer + "{}", cohereAnswer[:40]} {
		if a := rerank.Judge([]byte(body)); a.Kind != fault.IncompatibleResponse || a.Problem == "" {
			t.Errorf("%q: %+v", body, a)
		}
	}
	if n := testing.AllocsPerRun(100, func() { rerank.Judge([]byte(jinaAnswer)) }); n > 1 { // the one is the conversion here
		t.Errorf("%v allocations", n)
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct{ name, body, pointer string }{
		{"not JSON", `{"model"`, "/model"},
		{"a list", `[]`, ""},
		{"no model", `{"query":"q","documents":["a"]}`, "/model"},
		{"model empty", `{"model":"","query":"q","documents":["a"]}`, "/model"},
		{"no query", `{"model":"m","documents":["a"]}`, "/query"},
		{"query a number", `{"model":"m","query":1,"documents":["a"]}`, "/query"},
		{"no documents", `{"model":"m","query":"q"}`, "/documents"},
		{"documents a string", `{"model":"m","query":"q","documents":"a"}`, "/documents"},
		{"no document", `{"model":"m","query":"q","documents":[]}`, "/documents"},
		{"a document that is a number", `{"model":"m","query":"q","documents":["a",1]}`, "/documents/1"},
		{"top_n of nothing", `{"model":"m","query":"q","documents":["a"],"top_n":0}`, "/top_n"},
		{"top_k in words", `{"model":"m","query":"q","documents":["a"],"top_k":"two"}`, "/top_k"},
		{"return_documents a string", `{"model":"m","query":"q","documents":["a"],"return_documents":"yes"}`, "/return_documents"},
		{"documents twice", `{"model":"m","query":"q","documents":["a"],"documents":["b"]}`, "/documents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rerank.Read(rerank.Cohere, []byte(c.body))
			if pointer, ok := llmtest.PointerOf(err); !ok || pointer != c.pointer {
				t.Errorf("%v, pointer %q, want %q", err, pointer, c.pointer)
			}
		})
	}
}

func TestPath(t *testing.T) {
	for kind, want := range map[string]string{"cohere": "/v2/rerank", "voyage": "/rerank", "jina": "/rerank", "vllm": "/rerank"} {
		if got := rerank.ShapeOf(kind).Path(); got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func FuzzRerank(f *testing.F) {
	for _, s := range []string{asked + "}", cohereAnswer, jinaAnswer, voyageAnswer, flowAnswer} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, shape uint8) {
		rerank.Judge(body)
		s := rerank.Shape(shape % 3)
		req, err := rerank.Read(s, body)
		if err != nil {
			if _, ok := llmtest.PointerOf(err); !ok {
				t.Fatal(err)
			}
			req = &rerank.Request{Shape: s, Documents: []rerank.Document{{Text: "a"}}}
		}
		r := canon.NewReport(&req.Request)
		llmtest.Value(t, rerank.Write(req, rerank.Shape((shape+1)%3), "m", r))
		r.Close()
		if a, err := rerank.ReadAnswer(body); err == nil {
			llmtest.Value(t, rerank.WriteAnswer(a, req, r))
		}
	})
}
