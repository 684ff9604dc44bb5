package gemini

import (
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// ReadEmbedRequest reads the body of embedContent, or of batchEmbedContents by what Match.Detail says.
func (Dialect) ReadEmbedRequest(m llm.Match, body []byte) (*canon.EmbedRequest, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	req := &canon.EmbedRequest{Request: *newRequest(m, d)}
	e := embedReader{reader{&req.Request, d}, req}
	root := d.Root()
	root.Get("model").Settle() // the address names it
	if m.Detail == "embedContent" {
		req.Single = true
		e.one(root, true)
	} else {
		list := root.Get("requests")
		if !list.Said() {
			d.Missing(root, "requests")
		} else if e.is(list, jsonscan.Array) {
			if list.Len() == 0 {
				d.Fail(list, "must hold at least one request")
			}
			list.Each(func(i int, n jsontree.Node) {
				if e.is(n, jsonscan.Object) {
					n.Get("model").Settle()
					e.one(n, i == 0)
				}
			})
		}
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

// embedReader reads requests for embeddings.
type embedReader struct {
	reader
	embed *canon.EmbedRequest
}

// one reads an EmbedContentRequest. What is said of how to embed counts for all inputs when the first says it; a later
// one that says otherwise is left.
func (e embedReader) one(n jsontree.Node, first bool) {
	var in canon.EmbedInput
	content := n.Get("content")
	switch {
	case !content.Said():
		e.d.Missing(n, "content")
	case e.is(content, jsonscan.Object):
		content.Get("role").Settle()
		in = e.input(content)
	}
	e.embed.Inputs = append(e.embed.Inputs, in)
	req := e.embed
	if v := n.First("taskType", "task_type"); v.Said() {
		if word := v.Str(); first {
			req.Purpose, req.PurposeAt = word, v.Ref()
		} else if word != req.Purpose {
			v.Leave()
		}
	}
	if v := n.Get("title"); v.Said() {
		if word := v.Str(); first {
			req.Title = word
		} else if word != req.Title {
			v.Leave()
		}
	}
	if v := n.First("outputDimensionality", "output_dimensionality"); v.Said() {
		if dim, _ := v.Int(); first {
			req.Dimensions = dim
		} else if dim != req.Dimensions {
			v.Leave()
		}
	}
}

// input reads a content: its first text as the text, what else there is as parts.
func (e embedReader) input(content jsontree.Node) (in canon.EmbedInput) {
	list := content.Get("parts")
	if !list.Said() {
		e.d.Missing(content, "parts")
		return in
	}
	var parts []canon.Part
	if list.IsObject() {
		e.part(list, &parts)
	} else if e.is(list, jsonscan.Array) {
		if list.Len() == 0 {
			e.d.Fail(list, "must hold at least one part")
		}
		list.Each(func(_ int, p jsontree.Node) { e.part(p, &parts) })
	}
	if len(parts) > 0 && parts[0].Kind == canon.Text {
		in.Text, parts = parts[0].Text, parts[1:]
	}
	in.Parts = parts
	return in
}

// WriteEmbedRequest writes the body of batchEmbedContents, also for one input.
func (Dialect) WriteEmbedRequest(req *canon.EmbedRequest, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := codec{}.newWriter(&req.Request, to, r)
	w.Object()
	w.Name("requests")
	w.Array()
	for i := range req.Inputs {
		in := &req.Inputs[i]
		w.Object()
		w.StrMember("model", resource(to.Model))
		w.Name("content")
		w.Object()
		w.Name("parts")
		w.Array()
		start := len(w.Buf)
		if in.Tokens != nil {
			return nil, &canon.Unsupported{Field: "input", Why: "Gemini takes text and not numbers of tokens"}
		}
		if in.Text != "" || len(in.Parts) == 0 {
			w.Object()
			w.StrMember("text", in.Text)
			w.End()
		}
		signed := false
		for k := range in.Parts {
			w.part(&canon.Message{Role: canon.User}, &in.Parts[k], &signed)
		}
		if len(w.Buf) == start && w.err == nil {
			w.refuse(0, "an input is empty")
		}
		w.End()
		w.End()
		w.purpose(req)
		if req.Dimensions > 0 {
			w.IntMember("outputDimensionality", req.Dimensions)
		}
		w.End()
	}
	w.End()
	w.End()
	return w.Buf, w.err
}

// purpose writes what the embeddings are for.
func (w *writer) purpose(req *canon.EmbedRequest) {
	if word := taskType(req.Purpose); word != "" {
		w.StrMember("taskType", word)
	} else if req.Purpose != "" {
		w.r.Lose(req.PurposeAt, canon.Dropped, "Gemini has no such task type")
	}
	if req.Title != "" {
		w.StrMember("title", req.Title)
	}
}

// taskType is a purpose in the API's words, "" for one that it does not know.
func taskType(word string) string {
	switch word {
	case "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING",
		"FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY":
		return word
	}
	return ""
}

// ReadEmbedAnswer reads the answer of embedContent or batchEmbedContents.
func (Dialect) ReadEmbedAnswer(body []byte) (*canon.EmbedAnswer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.EmbedAnswer{Usage: canon.NoUsage()}
	tier := ""
	meta := root.Get("usageMetadata")
	readMetadata(meta, &a.Usage, &tier)
	if details := meta.Get("promptTokenDetails"); counted(details) { // so named in embeddings
		readImages(details, &a.Usage)
	}
	list := root.Get("embeddings")
	a.Vectors = make([][]float32, 0, list.Len())
	list.Each(func(_ int, n jsontree.Node) { a.Vectors = append(a.Vectors, vector(n.Get("values"))) })
	if one := root.Get("embedding"); one.Said() {
		a.Vectors = append(a.Vectors, vector(one.Get("values")))
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

func readImages(details jsontree.Node, u *canon.Usage) {
	var scan jsonscan.Scanner
	scan.Reset(details.Raw())
	readDetails(&scan, &u.AudioIn, &u.ImageIn)
}

func vector(n jsontree.Node) []float32 {
	v := make([]float32, 0, n.Len())
	n.Each(func(_ int, e jsontree.Node) {
		f, _ := e.Float()
		v = append(v, float32(f))
	})
	return v
}

// WriteEmbedAnswer writes the answer of embedContent or of batchEmbedContents, as the caller asked.
func (Dialect) WriteEmbedAnswer(a *canon.EmbedAnswer, req *canon.EmbedRequest, r *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	if req.Single && len(a.Vectors) == 1 {
		w.Name("embedding")
		writeVector(&w, a.Vectors[0], 32)
	} else {
		w.Name("embeddings")
		w.Array()
		for _, v := range a.Vectors {
			writeVector(&w, v, 32)
		}
		w.End()
	}
	if a.Usage.Input >= 0 {
		w.Name("usageMetadata")
		w.Object()
		w.IntMember("promptTokenCount", a.Usage.Input)
		writeDetails(&w, "promptTokenDetails", a.Usage.Input, a.Usage.AudioIn, a.Usage.ImageIn)
		w.End()
	}
	w.End()
	return w.Buf
}

// writeVector writes {"values":[...]}; bits is how exact the numbers are written.
func writeVector(w *jsontree.Writer, v []float32, bits int) {
	w.Object()
	writeValues(w, v, bits)
	w.End()
}

func writeValues(w *jsontree.Writer, v []float32, bits int) {
	w.Name("values")
	w.Array()
	var room [32]byte
	for _, f := range v {
		w.Raw(strconv.AppendFloat(room[:0], float64(f), 'g', -1, bits))
	}
	w.End()
}
