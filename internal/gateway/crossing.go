package gateway

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/rerank"
	"causeway/internal/snapshot"
)

// chatForm is a chat that crosses.
type chatForm struct {
	from, to canon.Codec
	req      *canon.Request
}

func (f *chatForm) read(m llm.Match, body []byte) (err error) {
	f.req, err = f.from.ReadRequest(m, body)
	return err
}

func (f *chatForm) request() *canon.Request { return f.req }

// provider is the provider's own way to chat; where the model has only the Responses API, that.
func (f *chatForm) provider(p *snapshot.Provider, model string) (llm.Operation, bool) {
	s, ok := p.Dialect.(canon.Speaker)
	if !ok {
		return 0, false
	}
	op := llm.Chat
	if !p.ServesModel(llm.Chat, model) && p.ServesModel(llm.Responses, model) && s.Codec(llm.Responses) != nil {
		op = llm.Responses
	}
	f.to = s.Codec(op)
	return op, f.to != nil
}

func (f *chatForm) write(to *canon.Target, r *canon.Report) ([]byte, error) {
	return f.to.WriteRequest(f.req, to, r)
}

func (f *chatForm) answer(text []byte, r *canon.Report) ([]byte, error) {
	a, err := f.to.ReadAnswer(text)
	if err != nil {
		return nil, err
	}
	if ck, ok := f.from.(canon.Checker); ok {
		if err := ck.CheckAnswer(a); err != nil {
			return nil, err
		}
	}
	addLost(a.Lost, r)
	return f.from.WriteAnswer(a, f.req, r), nil
}

func addLost(paths []string, r *canon.Report) {
	for _, path := range paths {
		r.Add("answer."+path, canon.Dropped, "")
	}
}

// embedForm is a call for embeddings that crosses.
type embedForm struct {
	from, to canon.EmbedCodec
	req      *canon.EmbedRequest
}

func (f *embedForm) read(m llm.Match, body []byte) (err error) {
	f.req, err = f.from.ReadEmbedRequest(m, body)
	return err
}

func (f *embedForm) request() *canon.Request { return &f.req.Request }

func (f *embedForm) provider(p *snapshot.Provider, _ string) (llm.Operation, bool) {
	to, ok := p.Dialect.(canon.EmbedCodec)
	f.to = to
	return llm.Embeddings, ok
}

func (f *embedForm) write(to *canon.Target, r *canon.Report) ([]byte, error) {
	return f.to.WriteEmbedRequest(f.req, to, r)
}

func (f *embedForm) answer(text []byte, r *canon.Report) ([]byte, error) {
	a, err := f.to.ReadEmbedAnswer(text)
	if err != nil {
		return nil, err
	}
	addLost(a.Lost, r)
	return f.from.WriteEmbedAnswer(a, f.req, r), nil
}

// countForm is a count of tokens that crosses.
type countForm struct {
	from canon.CountReader
	to   canon.CountCodec
	req  *canon.Request
}

func (f *countForm) read(m llm.Match, body []byte) (err error) {
	f.req, err = f.from.ReadCountRequest(m, body)
	return err
}

func (f *countForm) request() *canon.Request { return f.req }

func (f *countForm) provider(p *snapshot.Provider, _ string) (llm.Operation, bool) {
	to, ok := p.Dialect.(canon.CountCodec)
	f.to = to
	return llm.CountTokens, ok
}

func (f *countForm) write(to *canon.Target, r *canon.Report) ([]byte, error) {
	return f.to.WriteCountRequest(f.req, to, r)
}

func (f *countForm) answer(text []byte, _ *canon.Report) ([]byte, error) {
	n, err := f.to.ReadCount(text)
	if err != nil {
		return nil, err
	}
	return f.from.WriteCount(n), nil
}

// rerankForm is a call that puts documents in order. Its shapes are those of vendors, not of dialects.
type rerankForm struct {
	from, to rerank.Shape
	req      *rerank.Request
}

func (f *rerankForm) read(_ llm.Match, body []byte) (err error) {
	f.req, err = rerank.Read(f.from, body)
	return err
}

func (f *rerankForm) request() *canon.Request { return &f.req.Request }

func (f *rerankForm) provider(p *snapshot.Provider, _ string) (llm.Operation, bool) {
	f.to = rerank.ShapeOf(p.Kind)
	return llm.Rerank, p.Serves(llm.Rerank) && p.Dialect.Path(llm.Rerank) == f.to.Path()
}

func (f *rerankForm) write(to *canon.Target, r *canon.Report) ([]byte, error) {
	return rerank.Write(f.req, f.to, to.Model, r), nil
}

func (f *rerankForm) answer(text []byte, r *canon.Report) ([]byte, error) {
	a, err := rerank.ReadAnswer(text)
	if err != nil {
		return nil, err
	}
	addLost(a.Lost, r)
	return rerank.WriteAnswer(a, f.req, r), nil
}

// rerankShape is what a caller of the rerank address of a dialect speaks.
func rerankShape(d llm.Dialect) rerank.Shape {
	if d.Path(llm.Rerank) == rerank.Cohere.Path() {
		return rerank.Cohere
	}
	return rerank.Jina
}

// readAnswer is Dialect.ReadAnswer. Of what puts documents in order the shape is not the dialect's.
func readAnswer(d llm.Dialect, op llm.Operation, body []byte) llm.Answer {
	if op != llm.Rerank {
		return d.ReadAnswer(op, body)
	}
	read := rerank.Judge(body)
	if read.Kind != "" {
		if failed := d.ReadAnswer(op, body); failed.Error.Kind != "" {
			return failed
		}
	}
	return read
}
