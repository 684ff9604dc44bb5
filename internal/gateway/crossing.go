package gateway

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
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

func (f *chatForm) provider(d llm.Dialect) (llm.Operation, bool) {
	s, ok := d.(canon.Speaker)
	if !ok {
		return 0, false
	}
	f.to = s.Codec(llm.Chat)
	return llm.Chat, f.to != nil
}

func (f *chatForm) write(to *canon.Target, r *canon.Report) ([]byte, error) {
	return f.to.WriteRequest(f.req, to, r)
}

func (f *chatForm) answer(text []byte, r *canon.Report) ([]byte, error) {
	a, err := f.to.ReadAnswer(text)
	if err != nil {
		return nil, err
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

func (f *embedForm) provider(d llm.Dialect) (llm.Operation, bool) {
	to, ok := d.(canon.EmbedCodec)
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
	from, to canon.CountCodec
	req      *canon.Request
}

func (f *countForm) read(m llm.Match, body []byte) (err error) {
	f.req, err = f.from.ReadCountRequest(m, body)
	return err
}

func (f *countForm) request() *canon.Request { return f.req }

func (f *countForm) provider(d llm.Dialect) (llm.Operation, bool) {
	to, ok := d.(canon.CountCodec)
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
