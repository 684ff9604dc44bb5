package cohere_test

import (
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/llmtest/spec"
	"causeway/internal/llm/rerank"
)

// eventSchemas are the schemas of the events, by their type.
var eventSchemas = map[string]string{
	"message-start": "ChatMessageStartEvent", "content-start": "ChatContentStartEvent", "content-delta": "ChatContentDeltaEvent",
	"content-end": "ChatContentEndEvent", "tool-plan-delta": "ChatToolPlanDeltaEvent", "tool-call-start": "ChatToolCallStartEvent",
	"tool-call-delta": "ChatToolCallDeltaEvent", "tool-call-end": "ChatToolCallEndEvent", "citation-start": "CitationStartEvent",
	"citation-end": "CitationEndEvent", "message-end": "ChatMessageEndEvent",
}

// TestWhatIsWrittenIsWhatTheDescriptionAllows holds all that this package writes against Cohere's own
// description of its API.
func TestWhatIsWrittenIsWhatTheDescriptionAllows(t *testing.T) {
	s := spec.OpenLoose(t, "cohere-openapi.yaml.gz")
	d := cohere.New()
	codec := d.Codec(llm.Chat)
	all := exchanges(t, "testdata/recorded.jsonl")
	for id, x := range exchanges(t, "testdata/made.jsonl") {
		all[id] = x
	}
	asked := &canon.Request{Dialect: "cohere", Op: llm.Chat}
	for id, x := range all {
		switch {
		case x.Endpoint != "" && x.Endpoint != "v2/chat":
			continue
		case x.Request != "":
			req, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(x.Request))
			if err != nil {
				t.Fatal(err)
			}
			for _, dialect := range []string{"cohere", "other"} { // of another, numbers are brought into range
				if req.Dialect = dialect; id == "all-members" && dialect == "cohere" {
					continue // it has a member that the description does not know
				}
				body, err := codec.WriteRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{}}, canon.NewReport(req))
				if err != nil {
					t.Fatal(err)
				}
				s.Request(t, "POST", "/v2/chat", body)
			}
		}
		switch {
		case strings.HasPrefix(x.Body, "event:"):
			w := codec.NewWriter(asked, canon.NewReport(asked))
			out := string(llmtest.CrossPieces(t, d, llm.Chat, "", []byte(x.Body), 100, w).Out)
			for event := range strings.SplitSeq(strings.TrimSuffix(out, "data: [DONE]\n\n"), "\n\n") {
				name, data, ok := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
				// What the description demands of logprobs are members that it does not have.
				if ok && !strings.Contains(data, `"logprobs":`) {
					s.Schema(t, eventSchemas[name], []byte(data))
				}
			}
		case x.Body != "" && (x.Status == 0 || x.Status == 200) && !strings.Contains(x.Body, `"logprobs":`):
			a, err := codec.ReadAnswer([]byte(x.Body))
			if err != nil {
				t.Fatal(err)
			}
			s.Schema(t, "ChatResponseV2", codec.WriteAnswer(a, asked, canon.NewReport(asked)))
		}
	}
	for _, in := range [][]canon.EmbedInput{
		{{Text: "a"}, {Text: "b"}},
		{{Parts: []canon.Part{{Kind: canon.Text, Text: "a"}, {Kind: canon.Image, Media: &canon.Media{Data: "aGk="}}}}},
	} {
		req := &canon.EmbedRequest{Inputs: in, Dimensions: 256, Truncate: "END"}
		body, err := d.WriteEmbedRequest(req, embedTarget, canon.NewReport(&req.Request))
		if err != nil {
			t.Fatal(err)
		}
		s.Request(t, "POST", "/v2/embed", body)
	}
	ranked, err := rerank.Read(rerank.Voyage, []byte(`{"model":"x","query":"q","documents":["a",{"text":"b"}],"top_k":3}`))
	if err != nil {
		t.Fatal(err)
	}
	r := canon.NewReport(&ranked.Request)
	s.Request(t, "POST", "/v2/rerank", rerank.Write(ranked, rerank.Cohere, "rerank-v3.5", r))
	answer := &rerank.Answer{ID: "x", Results: []rerank.Result{{Index: 1, Score: 0.5}}, Usage: canon.NoUsage()}
	ranked.Shape = rerank.Cohere
	s.Answer(t, "POST", "/v2/rerank", "200", rerank.WriteAnswer(answer, ranked, r))
}
