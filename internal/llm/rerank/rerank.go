// Package rerank reads and writes the calls that put documents in order by how well they answer a query. There is no
// standard for them, but a family of shapes that differ in a few names: what Cohere made, others took over.
//
// A caller's body is read whatever its shape (Read), written for a provider in the provider's (Write), and the answer
// comes back the same way (ReadAnswer, WriteAnswer). Where caller and provider have the same shape the gateway passes
// the bytes on, and Judge tells whether the answer is one and what it used.
//
// Sources: docs.cohere.com/reference/rerank, api.jina.ai/redoc, docs.voyageai.com/reference/reranker-api,
// docs.together.ai/reference/rerank-1, docs.siliconflow.com (create-rerank), docs.vllm.ai (openai_compatible_server).
package rerank

import (
	"bytes"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// Shape is how an API writes a call and its answer.
type Shape uint8

// The shapes.
const (
	// Cohere's second version: documents are texts, the answer has {"index","relevance_score"} and never the
	// documents, usage is meta.billed_units.search_units.
	Cohere Shape = iota
	// Jina's: documents may be objects, return_documents (true unless it says false), usage.total_tokens. vLLM,
	// SiliconFlow and Together speak it, each with its own default for return_documents.
	Jina
	// Voyage's: top_k, the answer's list is data.
	Voyage
)

// ShapeOf is the shape of a kind of provider: Jina's where nothing else is known, since most that are compatible
// with anything are with it.
func ShapeOf(kind string) Shape {
	switch kind {
	case "cohere":
		return Cohere
	case "voyage":
		return Voyage
	}
	return Jina
}

// Path is the address below a provider's base URL: Cohere's is the root, the others' carries the version.
func (s Shape) Path() string {
	if s == Cohere {
		return "/v2/rerank"
	}
	return "/rerank"
}

// Request is a call in its normal form. Its strings are views of the caller's body.
type Request struct {
	canon.Request // Doc, Dialect, Op, Model
	Shape         Shape
	Query         string
	Documents     []Document
	TopN          int64 // 0 is not said: all of them
	TopNAt        jsontree.Ref
	// Return tells that the caller gets the documents back.
	Return canon.Flag
	// MaxTokens is how much of each document counts, 0 is not said.
	MaxTokens   int64
	MaxTokensAt jsontree.Ref
	Truncation  canon.Flag // Voyage's: cut what is too long instead of refusing it
}

// Document is one of the documents: a text, or an object as the caller wrote it. An object's Text is its member text,
// or where it has none all of it as JSON.
type Document struct {
	Text string
	Raw  []byte // the object, nil for a text
	At   jsontree.Ref
}

// Answer is an answer in its normal form.
type Answer struct {
	ID, Model string
	Results   []Result // best first
	Usage     canon.Usage
	Lost      []string // paths of members that nobody looked at
}

// Result is one document's place in the order.
type Result struct {
	Index    int
	Score    float64
	Document []byte // as the provider gave it back, nil when it did not
}

// Read reads a caller's body: model, query, documents (texts or objects), top_n or top_k or limit, return_documents,
// max_tokens_per_doc, truncation. shape is what the address says the caller speaks; the names of all shapes
// are understood at each. The error is a *jsontree.Fault.
func Read(shape Shape, body []byte) (*Request, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	if !root.IsObject() {
		d.Fail(root, "must be a JSON object")
		return nil, d.Fault()
	}
	req := &Request{Request: canon.Request{Doc: d, Op: llm.Rerank}, Shape: shape}
	need := func(name string) jsontree.Node {
		n := root.Get(name)
		if !n.Said() {
			d.Missing(root, name)
		}
		return n
	}
	if model := need("model"); model.Said() {
		if req.Model = model.Str(); req.Model == "" {
			d.Fail(model, "is empty")
		}
	}
	if query := need("query"); query.IsObject() {
		req.Query = query.Get("text").Str() // Jina's multimodal models
	} else {
		req.Query = query.Str()
	}
	list := need("documents")
	switch {
	case list.Said() && !list.IsArray():
		d.Fail(list, "must be an array")
	case list.IsArray() && list.Len() == 0:
		d.Fail(list, "must have at least one document")
	}
	list.Each(func(_ int, e jsontree.Node) {
		doc := Document{At: e.Ref()}
		switch {
		case e.IsString():
			doc.Text = e.Str()
		case e.IsObject():
			text := e.Get("text")
			if doc.Raw = e.Raw(); text.IsString() {
				doc.Text = text.Str()
			} else {
				doc.Text = string(doc.Raw)
			}
		default:
			d.Fail(e, "must be a string or an object")
		}
		req.Documents = append(req.Documents, doc)
	})
	if n := root.First("top_n", "top_k", "limit"); n.Said() {
		if req.TopN, _ = n.Int(); req.TopN < 1 {
			d.Fail(n, "must be 1 or more")
		}
		req.TopNAt = n.Ref()
	}
	if n := root.First("max_tokens_per_doc", "max_chunk_per_doc"); n.Said() {
		req.MaxTokens, _ = n.Int()
		req.MaxTokensAt = n.Ref()
	}
	req.Return = flag(root.Get("return_documents"))
	req.Truncation = flag(root.Get("truncation"))
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

func flag(n jsontree.Node) (f canon.Flag) {
	if n.Said() {
		f.Said, f.At = true, n.Ref()
		f.On, _ = n.Bool()
	}
	return f
}

// returns tells whether the caller gets the documents back: Jina's API gives them unless it is told not to, the
// others do so only when asked.
func (req *Request) returns() bool { return req.Return.On || req.Shape == Jina && !req.Return.Said }

// Write writes req for a provider of this shape and model. What it cannot carry it tells r, which must have been made
// for &req.Request; the caller closes it.
func Write(req *Request, shape Shape, model string, r *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	w.StrMember("model", model)
	w.StrMember("query", req.Query)
	w.Name("documents")
	w.Array()
	for i := range req.Documents {
		doc := &req.Documents[i]
		if doc.Raw != nil && shape == Jina {
			w.Raw(doc.Raw)
			continue
		}
		if doc.Raw != nil && !onlyText(doc.Raw) {
			r.Lose(doc.At, canon.Approximated, "as text: documents are no objects there")
		}
		w.Str(doc.Text)
	}
	w.End()
	if req.TopN > 0 {
		w.IntMember(topName(shape), req.TopN)
	}
	// Documents are put back from the caller's own: what need not travel twice does not.
	if shape != Cohere {
		w.BoolMember("return_documents", false)
	}
	if req.MaxTokens > 0 {
		if shape == Cohere {
			w.IntMember("max_tokens_per_doc", req.MaxTokens)
		} else {
			r.Lose(req.MaxTokensAt, canon.Dropped, "")
		}
	}
	switch {
	case !req.Truncation.Said:
	case shape == Voyage:
		w.BoolMember("truncation", req.Truncation.On)
	case !req.Truncation.On:
		r.Lose(req.Truncation.At, canon.Dropped, "what is too long is cut there")
	}
	w.End()
	return w.Buf
}

func topName(shape Shape) string {
	if shape == Voyage {
		return "top_k"
	}
	return "top_n"
}

// onlyText tells whether an object has nothing but its text.
func onlyText(object []byte) bool {
	d, err := jsontree.Parse(object, true)
	return err == nil && d.Root().Len() == 1 && d.Root().Get("text").IsString()
}

// ReadAnswer reads a provider's answer, whatever its shape.
func ReadAnswer(body []byte) (*Answer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	a := &Answer{Usage: canon.NoUsage()}
	a.ID, a.Model = root.Get("id").Str(), root.Get("model").Str()
	root.Get("object").Settle()
	root.First("results", "data").Each(func(_ int, e jsontree.Node) {
		var res Result
		index, _ := e.Get("index").Int()
		res.Index = int(index)
		res.Score, _ = e.First("relevance_score", "score").Float()
		res.Document = e.Get("document").Raw()
		a.Results = append(a.Results, res)
	})
	readUsage(root, &a.Usage)
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

func readUsage(root jsontree.Node, u *canon.Usage) {
	meta, usage := root.Get("meta"), root.Get("usage")
	meta.Get("api_version").Settle()
	billed := meta.Get("billed_units")
	if v, ok := billed.Get("search_units").Float(); ok {
		u.SearchUnits = int64(v)
	}
	input := func(n jsontree.Node) {
		if v, ok := n.Float(); ok && v >= 0 && u.Input < 0 {
			u.Input = int64(v)
		}
	}
	input(usage.Get("prompt_tokens"))
	input(usage.Get("total_tokens"))
	input(meta.Get("tokens").Get("input_tokens")) // SiliconFlow
	input(billed.Get("input_tokens"))
	meta.Get("tokens").Get("output_tokens").Settle()
	billed.Get("output_tokens").Settle()
	usage.Get("completion_tokens").Settle()
	billed.Get("classifications").Settle()
	if u.Input >= 0 {
		u.Source = "reported"
	}
}

// WriteAnswer writes an answer for the caller of req in the caller's shape, with the documents when it asked for
// them: those of its own request, by their place there.
func WriteAnswer(a *Answer, req *Request, r *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	list := "results"
	if req.Shape == Voyage {
		list = "data"
		w.StrMember("object", "list")
	}
	if a.ID != "" || req.Shape == Cohere {
		w.StrMember("id", a.ID)
	}
	if req.Shape != Cohere {
		model := a.Model
		if model == "" {
			model = req.Model
		}
		w.StrMember("model", model)
	}
	w.Name(list)
	w.Array()
	for i := range a.Results {
		res := &a.Results[i]
		w.Object()
		w.IntMember("index", int64(res.Index))
		w.Name("relevance_score")
		w.Float(res.Score)
		if req.returns() {
			writeDocument(&w, req, res)
		}
		w.End()
	}
	w.End()
	writeUsage(&w, &a.Usage, req.Shape, r)
	w.End()
	return w.Buf
}

func writeDocument(w *jsontree.Writer, req *Request, res *Result) {
	doc := Document{}
	switch {
	case res.Index >= 0 && res.Index < len(req.Documents):
		doc = req.Documents[res.Index]
	case res.Document != nil:
		doc.Raw = res.Document
	default:
		return
	}
	w.Name("document")
	switch {
	case doc.Raw != nil:
		w.Raw(doc.Raw)
	case req.Shape == Voyage:
		w.Str(doc.Text)
	default:
		w.Object()
		w.StrMember("text", doc.Text)
		w.End()
	}
}

func writeUsage(w *jsontree.Writer, u *canon.Usage, shape Shape, r *canon.Report) {
	if shape == Cohere {
		w.Name("meta")
		w.Object()
		w.RawMember("api_version", []byte(`{"version":"2"}`))
		w.Name("billed_units")
		w.Object()
		if u.SearchUnits >= 0 {
			w.IntMember("search_units", u.SearchUnits)
		}
		if u.Input >= 0 {
			w.IntMember("input_tokens", u.Input)
		}
		w.End()
		w.End()
		return
	}
	if u.SearchUnits >= 0 {
		r.Add("answer.meta.billed_units.search_units", canon.Dropped, "tokens are counted here, and the provider counts searches")
	}
	total := max(u.Input, 0)
	w.Name("usage")
	w.Object()
	w.IntMember("total_tokens", total)
	if shape == Jina {
		w.IntMember("prompt_tokens", total)
	}
	w.End()
}

// Judge reads usage of a whole answer and tells whether it is one, as Dialect.ReadAnswer does. What counts
// searches tells them in Usage.Extra.
func Judge(body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		answer.Kind, answer.Problem = fault.IncompatibleResponse, llm.DescribeBody(body)
		return answer
	}
	found := false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "results", "data":
			found = scan.Peek() == jsonscan.Array || found
			scan.Skip()
		case "usage":
			judgeTokens(&scan, &answer.Usage)
		case "meta":
			judgeMeta(&scan, &answer.Usage)
		default:
			scan.Skip()
		}
	}
	switch {
	case !scan.Finished():
		answer.Kind, answer.Problem = fault.IncompatibleResponse, llm.DescribeBody(body)
	case !found:
		answer.Kind, answer.Problem = fault.IncompatibleResponse, `a JSON object without "results"`
	}
	if answer.Usage.Input >= 0 || answer.Usage.Extra != nil {
		answer.Usage.Source = "reported"
	}
	return answer
}

// judgeTokens reads an object with counts: total_tokens, or input_tokens.
func judgeTokens(scan *jsonscan.Scanner, u *journey.Usage) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("search_units") {
			if n := units(scan); n > 0 {
				u.Extra = &journey.UsageExtra{Searches: n}
			}
			continue
		}
		known := k.Is("total_tokens") || k.Is("prompt_tokens") || k.Is("input_tokens")
		if !known || scan.Peek() != jsonscan.Number {
			scan.Skip()
			continue
		}
		if v := jsonscan.Int(scan.Bytes(scan.Skip())); v >= 0 && (u.Input < 0 || k.Is("prompt_tokens")) {
			u.Input = v
		}
	}
}

// units passes a count that may be written with a fraction of nought.
func units(scan *jsonscan.Scanner) int64 {
	if scan.Peek() != jsonscan.Number {
		scan.Skip()
		return 0
	}
	number, _, _ := bytes.Cut(scan.Bytes(scan.Skip()), []byte{'.'})
	return jsonscan.Int(number)
}

func judgeMeta(scan *jsonscan.Scanner, u *journey.Usage) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("tokens") || k.Is("billed_units") {
			judgeTokens(scan, u)
			continue
		}
		scan.Skip()
	}
}
