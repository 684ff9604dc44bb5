package ollama

import (
	"math"
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadEmbedRequest reads a call of /api/embed, or one of /api/embeddings (Match.Detail OldEmbed), which has one
// prompt.
func (Dialect) ReadEmbedRequest(m llm.Match, body []byte) (*canon.EmbedRequest, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	if !root.IsObject() {
		d.Fail(root, "must be a JSON object")
		return nil, d.Fault()
	}
	req := &canon.EmbedRequest{Request: canon.Request{Doc: d, Dialect: dialectName, Op: m.Op}}
	if req.Model = root.Get("model").Str(); req.Model == "" {
		d.Missing(root, "model")
	}
	r := requestReader{d: d, req: &req.Request}
	if m.Detail == OldEmbed {
		req.Single = true
		req.Inputs = []canon.EmbedInput{{Text: r.needString(root, "prompt")}}
	} else {
		r.inputs(root, req)
	}
	if n := root.Get("truncate"); n.Said() {
		if on, _ := n.Bool(); on {
			req.Truncate = "END"
		} else {
			req.Truncate = "NONE"
		}
	}
	if v, ok := root.Get("dimensions").Int(); ok {
		req.Dimensions = v
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

func (r *requestReader) inputs(root jsontree.Node, req *canon.EmbedRequest) {
	in := root.Get("input")
	switch {
	case in.IsString():
		req.Single = true
		req.Inputs = []canon.EmbedInput{{Text: in.Str()}}
	case in.IsArray():
		in.Each(func(_ int, e jsontree.Node) {
			if !e.IsString() {
				r.d.Fail(e, "must be a string")
				return
			}
			req.Inputs = append(req.Inputs, canon.EmbedInput{Text: e.Str()})
		})
	default:
		r.need(root, in, "input", "must be a string or an array of strings")
	}
}

// old tells that a request came to /api/embeddings.
func old(req *canon.EmbedRequest) bool {
	return req.Dialect == dialectName && req.Doc != nil && req.Doc.Root().Get("prompt").Exists()
}

// WriteEmbedRequest writes a call of /api/embed: the older address has nothing that it has not.
func (Dialect) WriteEmbedRequest(req *canon.EmbedRequest, to *canon.Target, r *canon.Report) ([]byte, error) {
	var w jsontree.Writer
	w.Object()
	w.StrMember("model", to.Model)
	w.Name("input")
	one := req.Single && len(req.Inputs) == 1
	if !one {
		w.Array()
	}
	for i := range req.Inputs {
		text, err := textOf(&req.Inputs[i], req, to, r)
		if err != nil {
			return nil, err
		}
		w.Str(text)
	}
	if !one {
		w.End()
	}
	switch req.Truncate {
	case "NONE":
		w.BoolMember("truncate", false)
	case "END":
		w.BoolMember("truncate", true)
	case "START":
		r.Add("truncate", canon.Approximated, "Ollama cuts what is too long at its end")
	}
	if req.Dimensions > 0 {
		w.IntMember("dimensions", req.Dimensions)
	}
	if req.Purpose != "" {
		r.Lose(req.PurposeAt, canon.Dropped, "Ollama is not told what vectors are for")
	}
	if req.Title != "" {
		r.Add("title", canon.Dropped, "Ollama embeds no titles")
	}
	for _, n := range r.Own(dialectName) {
		w.RawMember(n.Name(), n.Copy())
	}
	w.End()
	return w.Buf, nil
}

// textOf is the text of one input.
func textOf(in *canon.EmbedInput, req *canon.EmbedRequest, to *canon.Target, r *canon.Report) (string, error) {
	switch {
	case in.Tokens != nil:
		return "", &canon.Unsupported{Field: "input", Why: "Ollama embeds texts and not the numbers of tokens"}
	case in.Parts == nil:
		return in.Text, nil
	}
	for i := range in.Parts {
		if p := &in.Parts[i]; p.Kind == canon.Image {
			r.Lose(p.At, canon.Dropped, "Ollama embeds texts")
		}
	}
	w := requestWriter{req: &req.Request, to: to, r: r}
	return w.text(in.Parts, "\n"), nil
}

// ReadEmbedAnswer reads the vectors of either address.
func (Dialect) ReadEmbedAnswer(body []byte) (*canon.EmbedAnswer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.EmbedAnswer{Model: root.Get("model").Str(), Usage: usageOf(root)}
	root.Get("embeddings").Each(func(_ int, e jsontree.Node) { a.Vectors = append(a.Vectors, vector(e)) })
	if one := root.Get("embedding"); one.IsArray() {
		a.Vectors = append(a.Vectors, vector(one))
	}
	root.Get("total_duration").Settle()
	root.Get("load_duration").Settle()
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

func vector(list jsontree.Node) []float32 {
	v := make([]float32, 0, list.Len())
	list.Each(func(_ int, x jsontree.Node) {
		f, _ := x.Float()
		v = append(v, float32(f))
	})
	return v
}

// WriteEmbedAnswer writes vectors for a caller of either address.
func (Dialect) WriteEmbedAnswer(a *canon.EmbedAnswer, req *canon.EmbedRequest, _ *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	if old(req) {
		w.Name("embedding")
		var v []float32
		if len(a.Vectors) > 0 {
			v = a.Vectors[0]
		}
		writeVector(&w, v)
		w.End()
		return w.Buf
	}
	w.StrMember("model", modelOf(&req.Request, a.Model))
	w.Name("embeddings")
	w.Array()
	for _, v := range a.Vectors {
		writeVector(&w, v)
	}
	w.End()
	if a.Usage.Input >= 0 {
		w.IntMember("prompt_eval_count", a.Usage.Input)
	}
	w.End()
	return w.Buf
}

func writeVector(w *jsontree.Writer, v []float32) {
	w.Array()
	var room [32]byte
	for _, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) { // JSON has neither
			x = 0
		}
		w.Raw(strconv.AppendFloat(room[:0], float64(x), 'g', -1, 32))
	}
	w.End()
}
