package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// Embeddings.
//
// Sources: platform.openai.com/docs/api-reference/embeddings, and for what vendors of the dialect add
// docs.voyageai.com (input_type, output_dimension) and jina.ai/embeddings (inputs that are objects).
var _ canon.EmbedCodec = Dialect{}

// ReadEmbedRequest reads a caller's request for embeddings.
func (Dialect) ReadEmbedRequest(_ llm.Match, body []byte) (*canon.EmbedRequest, error) {
	r, err := openRequest(llm.Embeddings, body)
	if err != nil {
		return nil, err
	}
	root := r.doc.Root()
	req := &canon.EmbedRequest{Request: *r.req}
	switch input := root.Get("input"); input.Kind() {
	case jsonscan.String:
		req.Single = true
		req.Inputs = []canon.EmbedInput{{Text: input.Str()}}
	case jsonscan.Array:
		r.inputs(req, input)
	default:
		wrong(r.doc, root, "input", "must be a string or an array")
	}
	if n := root.First("dimensions", "output_dimension"); n.Said() {
		if req.Dimensions, _ = n.Int(); req.Dimensions < 1 {
			r.doc.Fail(n, "must be at least 1")
		}
	}
	switch root.Get("encoding_format").Str() {
	case "", "float":
	case "base64":
		req.Base64 = true
	default:
		wrong(r.doc, root, "encoding_format", "must be float or base64")
	}
	if n := root.Get("input_type"); n.Said() {
		req.PurposeAt = n.Ref()
		switch n.Str() {
		case "query":
			req.Purpose = "RETRIEVAL_QUERY"
		case "document":
			req.Purpose = "RETRIEVAL_DOCUMENT"
		default:
			n.Leave()
		}
	}
	if n := root.Get("user"); n.Said() {
		n.Str()
		req.Set(canon.EndUser, n)
	}
	if fault := r.doc.Fault(); fault != nil {
		return nil, fault
	}
	return req, nil
}

// inputs reads a list of texts, or of tokens, or of lists of tokens.
func (r *chatReader) inputs(req *canon.EmbedRequest, list jsontree.Node) {
	count := list.Len()
	if count == 0 {
		r.doc.Fail(list, "must not be empty")
		return
	}
	tokens := true
	list.Each(func(_ int, e jsontree.Node) { tokens = tokens && e.Kind() == jsonscan.Number })
	if tokens {
		req.Single = true
		req.Inputs = []canon.EmbedInput{{Tokens: list.Raw()}}
		return
	}
	req.Inputs = make([]canon.EmbedInput, 0, count)
	list.Each(func(_ int, e jsontree.Node) {
		switch e.Kind() {
		case jsonscan.String:
			req.Inputs = append(req.Inputs, canon.EmbedInput{Text: e.Str()})
		case jsonscan.Array:
			e.Each(func(_ int, t jsontree.Node) { t.Int() })
			req.Inputs = append(req.Inputs, canon.EmbedInput{Tokens: e.Raw()})
		case jsonscan.Object:
			if text := e.Get("text"); text.Said() {
				req.Inputs = append(req.Inputs, canon.EmbedInput{Text: text.Str()})
				return
			}
			m := &canon.Media{}
			setURL(m, r.text(e, "image"))
			req.Inputs = append(req.Inputs, canon.EmbedInput{Parts: []canon.Part{{Kind: canon.Image, At: e.Ref(), Media: m}}})
		default:
			r.doc.Fail(e, "must be a string or an array of tokens")
		}
	})
}

// WriteEmbedRequest writes a request for embeddings.
func (Dialect) WriteEmbedRequest(req *canon.EmbedRequest, to *canon.Target, r *canon.Report) ([]byte, error) {
	o := newChatOut(&req.Request, to, r)
	w := &o.w
	w.Object()
	w.StrMember("model", to.Model)
	w.Name("input")
	if !req.Single {
		w.Array()
	}
	for i := range req.Inputs {
		in := &req.Inputs[i]
		switch {
		case len(in.Parts) > 0:
			if err := o.embedded(in); err != nil {
				return nil, err
			}
		case in.Tokens != nil:
			w.Raw(in.Tokens)
		default:
			w.Str(in.Text)
		}
	}
	if !req.Single {
		w.End()
	}
	if req.Dimensions > 0 {
		if o.takes("dimensions") {
			w.IntMember(o.named("dimensions"), req.Dimensions)
		} else {
			o.loseOf("dimensions", "output_dimension", "output_dimensionality", "outputDimensionality")
		}
	}
	if req.Base64 && o.takes("encoding_format") {
		w.StrMember("encoding_format", "base64") // where it is refused the gateway does it
	}
	o.purpose(req)
	for _, kind := range req.EmbeddingTypes {
		if kind != "float" && kind != "base64" {
			o.loseOf("embedding_types")
		}
	}
	if req.Title != "" {
		o.loseOf("title")
	}
	if req.Truncate != "" && req.Truncate != "NONE" {
		o.loseOf("truncate")
	}
	if req.Params[canon.EndUser].JSON != nil && o.takes("user") {
		w.RawMember("user", r.Take(canon.EndUser))
	}
	w.End()
	return w.Buf, nil
}

// loseOf tells as dropped the first of these outermost members that the caller sent.
func (o *chatOut) loseOf(names ...string) {
	if o.req.Doc == nil {
		return
	}
	for _, name := range names {
		if n := o.req.Doc.Root().Get(name); n.Said() {
			o.r.Add(n.Path(), canon.Dropped, "")
			return
		}
	}
}

// purpose tells what the embeddings are for, where the vendor has a word for it.
func (o *chatOut) purpose(req *canon.EmbedRequest) {
	word := map[string]string{"RETRIEVAL_QUERY": "query", "RETRIEVAL_DOCUMENT": "document"}[req.Purpose]
	switch {
	case req.Purpose == "":
	case word != "" && o.has("input_type"):
		o.w.StrMember("input_type", word)
	default:
		o.r.Lose(req.PurposeAt, canon.Dropped, "the provider's embeddings are for every purpose")
	}
}

// embedded writes an input that is not one text.
func (o *chatOut) embedded(in *canon.EmbedInput) error {
	text := ""
	for i := range in.Parts {
		if in.Parts[i].Kind != canon.Text {
			text = ""
			break
		}
		text += in.Parts[i].Text
	}
	if text != "" {
		o.w.Str(text)
		return nil
	}
	if len(in.Parts) == 1 {
		p := &in.Parts[0]
		if p.Kind == canon.Image && p.Media != nil && o.has("image") {
			url := p.Media.URL
			if p.Media.Data != "" {
				url = dataURL(withDefault(p.Media.MIME, "image/png"), p.Media.Data)
			}
			o.w.Object()
			o.w.StrMember("image", url)
			o.w.End()
			return nil
		}
	}
	return &canon.Unsupported{Field: o.req.Doc.At(in.Parts[0].At).Path(), Why: "the provider embeds texts only"}
}

// ReadEmbedAnswer reads a provider's embeddings, as numbers or as base64 of little-endian float32.
func (Dialect) ReadEmbedAnswer(body []byte) (*canon.EmbedAnswer, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	a := &canon.EmbedAnswer{ID: root.Get("id").Str(), Model: root.Get("model").Str()}
	root.Get("object").Settle()
	data := root.Get("data")
	a.Vectors = make([][]float32, data.Len())
	data.Each(func(i int, n jsontree.Node) {
		if v, said := n.Get("index").Int(); said && v >= 0 && int(v) < len(a.Vectors) {
			i = int(v)
		}
		n.Get("object").Settle()
		a.Vectors[i] = vectorOf(doc, n.Get("embedding"))
	})
	a.Usage, _ = readChatUsage(root.Get("usage"))
	if fault := doc.Fault(); fault != nil {
		return nil, fault
	}
	a.Lost = lostMembers(doc)
	return a, nil
}

func vectorOf(doc *jsontree.Doc, n jsontree.Node) []float32 {
	if n.IsString() {
		raw, err := base64.StdEncoding.DecodeString(n.Str())
		if err != nil || len(raw)%4 != 0 {
			doc.Fail(n, "must be base64 of float32 numbers")
			return nil
		}
		v := make([]float32, len(raw)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return v
	}
	v := make([]float32, 0, n.Len())
	n.Each(func(_ int, e jsontree.Node) {
		f, _ := e.Float()
		v = append(v, float32(f))
	})
	return v
}

// WriteEmbedAnswer writes embeddings in the encoding that the caller of req asked for.
func (Dialect) WriteEmbedAnswer(a *canon.EmbedAnswer, req *canon.EmbedRequest, _ *canon.Report) []byte {
	size := 256
	for _, v := range a.Vectors {
		size += 13*len(v) + 64
	}
	w := jsontree.Writer{Buf: make([]byte, 0, size)}
	w.Object()
	w.StrMember("object", "list")
	w.Name("data")
	w.Array()
	for i, v := range a.Vectors {
		w.Object()
		w.StrMember("object", "embedding")
		w.IntMember("index", int64(i))
		w.Name("embedding")
		if req.Base64 {
			w.Str(base64Of(v))
		} else {
			w.Array()
			for _, f := range v {
				var room [24]byte
				if f != f || f-f != 0 { // JSON has no such numbers
					w.Null()
					continue
				}
				w.Raw(strconv.AppendFloat(room[:0], float64(f), 'g', -1, 32))
			}
			w.End()
		}
		w.End()
	}
	w.End()
	w.StrMember("model", withDefault(a.Model, req.Model))
	if a.ID != "" {
		w.StrMember("id", a.ID)
	}
	input := max(a.Usage.Input, 0)
	w.Name("usage")
	w.Object()
	w.IntMember("prompt_tokens", input)
	w.IntMember("total_tokens", input)
	w.End()
	w.End()
	return w.Buf
}

func base64Of(v []float32) string {
	raw := make([]byte, 4*len(v))
	for i, f := range v {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
