package gemini

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// Vertex is Vertex AI as a provider: the bodies of the Gemini API at the addresses of a project, whose calls carry a
// service account's token (internal/sign). Its name is the dialect's, so that chat passes through; embeddings
// and counts have other bodies there and cross. Of its publishers it asks google alone: others' models
// are asked in their own dialects (anthropic.Vertex, openai.Vertex).
// Source: cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference and .../text-embeddings-api.
type Vertex struct {
	Dialect
	models string // "/v1/projects/P/locations/L/publishers/google/models/"
}

var (
	_ llm.VariantPlacer = Vertex{}
	_ llm.Partial       = Vertex{}
	_ canon.Speaker     = Vertex{}
	_ canon.EmbedCodec  = Vertex{}
	_ canon.CountCodec  = Vertex{}
)

// NewVertex returns Vertex AI for a project and a location such as "europe-west4" or "global".
func NewVertex(project, location string) Vertex {
	return Vertex{models: escapePath("/v1/projects/" + project + "/locations/" + location + "/publishers/google/models/")}
}

// VertexBase is the root of a location's endpoint. Source: cloud.google.com/vertex-ai/generative-ai/docs/learn/locations.
func VertexBase(location string) string {
	if location == "" || location == "global" {
		return "https://aiplatform.googleapis.com"
	}
	return "https://" + location + "-aiplatform.googleapis.com"
}

// Path is the path of the list of models, which is Google's and not the project's.
func (Vertex) Path(llm.Operation) string { return "/v1beta1/publishers/google/models" }

// Place is the path below the endpoint's root, and the query, for a call of op.
func (v Vertex) Place(op llm.Operation, model string, stream bool) (path, query string) {
	return v.PlaceVariant(op, "", model, stream)
}

// PlaceVariant is Place: embeddings have the one address :predict.
func (v Vertex) PlaceVariant(op llm.Operation, _, model string, stream bool) (path, query string) {
	switch op {
	case llm.ListModels:
		return v.Path(op), ""
	case llm.GetModel:
		return v.Path(op) + "/" + escapePath(model), ""
	case llm.Embeddings:
		return v.models + escapePath(model) + ":predict", ""
	}
	word, query := method(op, "", stream)
	return v.models + escapePath(model) + ":" + word, query
}

// Passes is true of chat.
func (Vertex) Passes(op llm.Operation) bool { return op == llm.Chat }

// Codec is the codec of chat.
func (Vertex) Codec(op llm.Operation) canon.Codec {
	if op == llm.Chat {
		return codec{vertex: true}
	}
	return nil
}

// ReadEmbedRequest reads the body of :predict for a model of text embeddings.
func (Vertex) ReadEmbedRequest(m llm.Match, body []byte) (*canon.EmbedRequest, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	req := &canon.EmbedRequest{Request: *newRequest(m, d)}
	root, r := d.Root(), reader{&req.Request, d}
	list := root.Get("instances")
	if !list.Said() {
		d.Missing(root, "instances")
	} else if r.is(list, jsonscan.Array) {
		list.Each(func(i int, n jsontree.Node) {
			if !r.is(n, jsonscan.Object) {
				return
			}
			req.Inputs = append(req.Inputs, canon.EmbedInput{Text: need(d, n, true, "content")})
			task, title := n.First("task_type", "taskType"), n.Get("title")
			if i == 0 {
				req.Purpose, req.PurposeAt, req.Title = task.Str(), task.Ref(), title.Str()
				return
			}
			if task.Str() != req.Purpose {
				task.Leave()
			}
			if title.Str() != req.Title {
				title.Leave()
			}
		})
	}
	if p := root.Get("parameters"); r.is(p, jsonscan.Object) {
		req.Dimensions, _ = p.Get("outputDimensionality").Int()
		if cut, said := p.Get("autoTruncate").Bool(); said {
			req.Truncate = map[bool]string{true: "END", false: "NONE"}[cut]
		}
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

// WriteEmbedRequest writes the body of :predict.
func (Vertex) WriteEmbedRequest(req *canon.EmbedRequest, _ *canon.Target, r *canon.Report) ([]byte, error) {
	var w jsontree.Writer
	w.Object()
	w.Name("instances")
	w.Array()
	for i := range req.Inputs {
		in := &req.Inputs[i]
		text := in.Text
		switch {
		case in.Tokens != nil:
			return nil, &canon.Unsupported{Field: "input", Why: "Vertex AI takes text and not numbers of tokens"}
		case hasMedia(in.Parts):
			return nil, &canon.Unsupported{Field: "input", Why: "Vertex AI's models of text embeddings take text alone"}
		case len(in.Parts) > 0:
			text += "\n" + textOf(in.Parts)
		}
		w.Object()
		w.StrMember("content", text)
		if word := taskType(req.Purpose); word != "" {
			w.StrMember("task_type", word)
		} else if req.Purpose != "" {
			r.Lose(req.PurposeAt, canon.Dropped, "Vertex AI has no such task type")
		}
		if req.Title != "" {
			w.StrMember("title", req.Title)
		}
		w.End()
	}
	w.End()
	if req.Dimensions > 0 || req.Truncate == "END" || req.Truncate == "NONE" {
		w.Name("parameters")
		w.Object()
		if req.Dimensions > 0 {
			w.IntMember("outputDimensionality", req.Dimensions)
		}
		if req.Truncate == "END" || req.Truncate == "NONE" {
			w.BoolMember("autoTruncate", req.Truncate == "END")
		}
		w.End()
	}
	w.End()
	return w.Buf, nil
}

// ReadEmbedAnswer reads the predictions.
func (Vertex) ReadEmbedAnswer(body []byte) (*canon.EmbedAnswer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	a := &canon.EmbedAnswer{Usage: canon.NoUsage()}
	d.Root().Get("predictions").Each(func(_ int, n jsontree.Node) {
		e := n.Get("embeddings")
		a.Vectors = append(a.Vectors, vector(e.Get("values")))
		stats := e.Get("statistics")
		if tokens, ok := stats.Get("token_count").Int(); ok {
			a.Usage.Input, a.Usage.Output = max(a.Usage.Input, 0)+tokens, 0
			a.Usage.Source = "reported"
		}
		if truncated := stats.Get("truncated"); truncated.Kind() == jsonscan.False {
			truncated.Settle()
		} else if truncated.Exists() {
			truncated.Leave()
		}
	})
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

// WriteEmbedAnswer writes predictions. How many tokens a single one took is known when there is but one.
func (Vertex) WriteEmbedAnswer(a *canon.EmbedAnswer, _ *canon.EmbedRequest, _ *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	w.Name("predictions")
	w.Array()
	for i, v := range a.Vectors {
		w.Object()
		w.Name("embeddings")
		w.Object()
		if a.Usage.Input >= 0 {
			tokens := int64(0)
			if i == 0 { // the sum counts
				tokens = a.Usage.Input
			}
			w.Name("statistics")
			w.Object()
			w.BoolMember("truncated", false)
			w.IntMember("token_count", tokens)
			w.End()
		}
		writeValues(&w, v, 64)
		w.End()
		w.End()
	}
	w.End()
	w.End()
	return w.Buf
}

// WriteCountRequest writes contents, systemInstruction, tools and generationConfig side by side.
func (Vertex) WriteCountRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := codec{vertex: true}.newWriter(req, to, r)
	w.keep()
	w.Object()
	w.system()
	w.Name("contents")
	w.contents()
	w.tools()
	w.config()
	w.leftovers("")
	w.End()
	return w.Buf, w.err
}
