package cohere

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// What the vectors are for, in Cohere's words and in Gemini's, which are the canonical ones.
const (
	forDocument = "search_document"
	forImage    = "image"
)

var purposes = []struct{ own, canonical string }{
	{forDocument, "RETRIEVAL_DOCUMENT"},
	{"search_query", "RETRIEVAL_QUERY"},
	{"classification", "CLASSIFICATION"},
	{"clustering", "CLUSTERING"},
	{forImage, ""},
	// Gemini's others, and what is nearest.
	{"search_query", "QUESTION_ANSWERING"},
	{"search_query", "FACT_VERIFICATION"},
	{"search_query", "CODE_RETRIEVAL_QUERY"},
	{"clustering", "SEMANTIC_SIMILARITY"},
}

// ReadEmbedRequest reads a call of /v2/embed.
func (Dialect) ReadEmbedRequest(m llm.Match, body []byte) (*canon.EmbedRequest, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	req := &canon.EmbedRequest{Request: canon.Request{Doc: d, Dialect: dialectName, Op: m.Op}}
	if !root.IsObject() {
		d.Fail(root, "must be a JSON object")
		return nil, d.Fault()
	}
	if req.Model = root.Get("model").Str(); req.Model == "" {
		d.Missing(root, "model")
	}
	r := requestReader{d: d, req: &req.Request}
	given := 0
	list := func(name string, read func(e jsontree.Node)) {
		n := root.Get(name)
		if !n.Said() {
			return
		}
		if given++; !n.IsArray() {
			d.Fail(n, "must be an array")
		} else if given > 1 {
			d.Fail(n, "stands beside another of texts, images and inputs: one is allowed")
		}
		n.Each(func(_ int, e jsontree.Node) { read(e) })
	}
	str := func(e jsontree.Node) string {
		if !e.IsString() {
			d.Fail(e, "must be a string")
			return ""
		}
		return e.Str()
	}
	list("texts", func(e jsontree.Node) { req.Inputs = append(req.Inputs, canon.EmbedInput{Text: str(e)}) })
	list("images", func(e jsontree.Node) {
		part := canon.Part{Kind: canon.Image, At: e.Ref(), Media: media(str(e))}
		req.Inputs = append(req.Inputs, canon.EmbedInput{Parts: []canon.Part{part}})
	})
	list("inputs", func(e jsontree.Node) {
		if content := e.Get("content"); !content.IsArray() {
			r.need(e, content, "content", "must be an array")
			return
		}
		in := canon.EmbedInput{Parts: r.content(e, true)}
		if len(in.Parts) == 1 && in.Parts[0].Kind == canon.Text {
			in = canon.EmbedInput{Text: in.Parts[0].Text}
		}
		req.Inputs = append(req.Inputs, in)
	})
	if given == 0 {
		d.Missing(root, "texts")
	}
	if n := root.Get("input_type"); n.Said() {
		word := n.Str()
		i := slices.IndexFunc(purposes, func(p struct{ own, canonical string }) bool { return p.own == word })
		if i < 0 && n.IsString() {
			d.Fail(n, "must be search_document, search_query, classification, clustering or image")
		} else if i >= 0 {
			req.Purpose, req.PurposeAt = purposes[i].canonical, n.Ref()
		}
	}
	root.Get("embedding_types").Each(func(_ int, e jsontree.Node) {
		word := str(e)
		req.EmbeddingTypes = append(req.EmbeddingTypes, word)
		req.Base64 = req.Base64 || word == "base64"
	})
	if v, ok := root.Get("output_dimension").Int(); ok {
		req.Dimensions = v
	}
	if n := root.Get("truncate"); n.Said() {
		if req.Truncate = n.Str(); n.IsString() && !slices.Contains([]string{"NONE", "START", "END"}, req.Truncate) {
			d.Fail(n, "must be NONE, START or END")
		}
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

// WriteEmbedRequest writes a call of /v2/embed. Cohere wants to know what the vectors are for: documents to be
// searched, unless the caller says.
func (Dialect) WriteEmbedRequest(req *canon.EmbedRequest, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := requestWriter{req: &req.Request, to: to, r: r}
	texts, images := true, len(req.Inputs) > 0
	for i := range req.Inputs {
		in := &req.Inputs[i]
		if in.Tokens != nil {
			return nil, &canon.Unsupported{Field: "input", Why: "Cohere embeds texts and not the numbers of tokens"}
		}
		texts = texts && in.Parts == nil
		images = images && len(in.Parts) == 1 && in.Parts[0].Kind == canon.Image
	}
	w.Object()
	w.StrMember("model", to.Model)
	if texts {
		w.Name("texts")
		w.Array()
		for i := range req.Inputs {
			w.Str(req.Inputs[i].Text)
		}
		w.End()
	} else {
		w.Name("inputs")
		w.Array()
		for i := range req.Inputs {
			w.input(&req.Inputs[i])
		}
		w.End()
	}
	w.StrMember("input_type", purposeOf(req, images, r))
	w.Name("embedding_types")
	w.Array()
	if len(req.EmbeddingTypes) == 0 || req.Dialect != dialectName {
		w.Str("float")
	} else {
		for _, t := range req.EmbeddingTypes {
			w.Str(t)
		}
	}
	w.End()
	if req.Dimensions > 0 {
		w.IntMember("output_dimension", req.Dimensions)
	}
	if req.Truncate != "" {
		w.StrMember("truncate", req.Truncate)
	}
	if req.Title != "" {
		r.Add("title", canon.Dropped, "Cohere embeds no titles")
	}
	for _, n := range r.Own(dialectName) {
		w.RawMember(n.Name(), n.Copy())
	}
	w.End()
	return w.Buf, nil
}

func (w *requestWriter) input(in *canon.EmbedInput) {
	w.Object()
	w.Name("content")
	w.Array()
	if in.Parts == nil {
		w.text(in.Text)
	}
	for i := range in.Parts {
		switch p := &in.Parts[i]; p.Kind {
		case canon.Text:
			w.text(p.Text)
		case canon.Image:
			w.embedImage(p)
		default:
			w.r.Lose(p.At, canon.Dropped, "Cohere embeds text and images")
		}
	}
	w.End()
	w.End()
}

// embedImage writes an image inline: embed takes no other.
func (w *requestWriter) embedImage(p *canon.Part) {
	m := *p.Media
	if m.Data == "" && m.URL != "" && w.to.Fetch != nil {
		mime, data, err := w.to.Fetch(m.URL)
		if err != nil {
			w.r.Lose(p.At, canon.Dropped, "it can't be fetched: "+err.Error())
			return
		}
		m = canon.Media{MIME: mime, Data: data}
	}
	m.Detail = ""
	w.image(&canon.Part{At: p.At, Media: &m})
}

func purposeOf(req *canon.EmbedRequest, images bool, r *canon.Report) string {
	switch {
	case req.Purpose == "" && images:
		return forImage
	case req.Purpose == "":
		r.Add("input_type", canon.Approximated, "Cohere must be told what the vectors are for: search_document is taken")
		return forDocument
	}
	for _, p := range purposes {
		if p.canonical != req.Purpose {
			continue
		}
		if i := slices.IndexFunc(purposes, func(q struct{ own, canonical string }) bool { return q.own == p.own }); purposes[i].canonical != req.Purpose {
			r.Lose(req.PurposeAt, canon.Approximated, "as "+p.own)
		}
		return p.own
	}
	r.Lose(req.PurposeAt, canon.Approximated, "as "+forDocument)
	return forDocument
}

// ReadEmbedAnswer reads the vectors: as numbers where they are there, else from base64, else of the integers.
func (Dialect) ReadEmbedAnswer(body []byte) (*canon.EmbedAnswer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.EmbedAnswer{ID: root.Get("id").Str(), Usage: canon.NoUsage()}
	by := root.Get("embeddings")
	for _, name := range [...]string{"float", "int8", "uint8", "binary", "ubinary"} {
		if list := by.Get(name); list.IsArray() {
			a.Vectors = vectors(list)
			break
		}
	}
	if a.Vectors == nil {
		by.Get("base64").Each(func(_ int, e jsontree.Node) { a.Vectors = append(a.Vectors, unpack(e.Str())) })
	}
	root.Get("texts").Settle()
	root.Get("images").Settle()
	root.Get("response_type").Settle()
	meta := root.Get("meta")
	meta.Get("api_version").Settle()
	usageOf(meta, &a.Usage)
	if v, ok := meta.Get("billed_units").Get("image_tokens").Float(); ok {
		a.Usage.ImageIn = int64(v)
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

func vectors(list jsontree.Node) [][]float32 {
	all := make([][]float32, 0, list.Len())
	list.Each(func(_ int, e jsontree.Node) {
		v := make([]float32, 0, e.Len())
		e.Each(func(_ int, x jsontree.Node) {
			f, _ := x.Float()
			v = append(v, float32(f))
		})
		all = append(all, v)
	})
	return all
}

// unpack reads little-endian float32 from base64.
func unpack(text string) []float32 {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	v := make([]float32, len(raw)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v
}

// WriteEmbedAnswer writes vectors for a caller of Cohere's API, in the types that it asked for: float and base64
// as they are, binary and ubinary by the sign of each number, which is how they are defined. For int8 and uint8
// each model of Cohere's has its own scale: float takes their place.
func (Dialect) WriteEmbedAnswer(a *canon.EmbedAnswer, req *canon.EmbedRequest, r *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	w.StrMember("id", a.ID)
	w.Name("embeddings")
	w.Object()
	types := req.EmbeddingTypes
	if len(types) == 0 {
		types = []string{"float"}
	}
	done := map[string]bool{}
	for _, t := range types {
		if t == "int8" || t == "uint8" {
			r.Add("answer.embeddings."+t, canon.Approximated, "as float")
			t = "float"
		}
		if done[t] {
			continue
		}
		done[t] = true
		w.Name(t)
		w.Array()
		for _, v := range a.Vectors {
			vector(&w, t, v)
		}
		w.End()
	}
	w.End()
	w.Name("texts")
	w.Array()
	for i := range req.Inputs {
		if in := &req.Inputs[i]; in.Parts == nil && in.Tokens == nil {
			w.Str(in.Text)
		}
	}
	w.End()
	w.Name("meta")
	w.Object()
	w.RawMember("api_version", []byte(`{"version":"2"}`))
	if a.Usage.Input >= 0 {
		w.Name("billed_units")
		w.Object()
		w.IntMember("input_tokens", a.Usage.Input)
		if a.Usage.ImageIn >= 0 {
			w.IntMember("image_tokens", a.Usage.ImageIn)
		}
		w.End()
	}
	w.End()
	w.StrMember("response_type", "embeddings_by_type")
	w.End()
	return w.Buf
}

func vector(w *jsontree.Writer, kind string, v []float32) {
	switch kind {
	case "base64":
		raw := make([]byte, 0, 4*len(v))
		for _, x := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		w.Str(base64.StdEncoding.EncodeToString(raw))
		return
	case "binary", "ubinary":
		w.Array()
		for i := 0; i < len(v); i += 8 {
			bits := int64(0)
			for k := range 8 {
				if bits <<= 1; i+k < len(v) && v[i+k] > 0 {
					bits |= 1
				}
			}
			if kind == "binary" {
				bits -= 128
			}
			w.Int(bits)
		}
		w.End()
		return
	}
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
