// Package cohere is the dialect of Cohere's API, version 2: chat, embed and rerank, on the caller's and
// on the provider's side, and its half of the translation between dialects.
//
// Its base URL is the root, https://api.cohere.com: the version stands in the paths of the operations.
//
// Sources: docs.cohere.com/reference (chat, chat-stream, embed, rerank), docs.cohere.com/reference/errors
// and the API description in github.com/cohere-ai/cohere-developer-experience.
package cohere

import (
	"net/http"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// dialectName is the dialect's name, and what its own signatures and citations are signed by.
const dialectName = "cohere"

// Dialect implements llm.Dialect, canon.Speaker and canon.EmbedCodec.
type Dialect struct{}

var (
	_ llm.Dialect      = Dialect{}
	_ canon.Speaker    = Dialect{}
	_ canon.EmbedCodec = Dialect{}
)

// New returns the dialect.
func New() Dialect { return Dialect{} }

// Name is "cohere".
func (Dialect) Name() string { return dialectName }

// The addresses, the same at the gateway and below a provider's base URL.
const (
	chatPath   = "/v2/chat"
	embedPath  = "/v2/embed"
	rerankPath = "/v2/rerank"
)

// Routes lists the addresses under the SDK's base URL http://HOST:PORT. Cohere's list of models stands where
// OpenAI's does (/v1/models), which answers there.
func (Dialect) Routes() []llm.Route {
	return []llm.Route{
		{Method: http.MethodPost, Path: chatPath, Op: llm.Chat},
		{Method: http.MethodPost, Path: embedPath, Op: llm.Embeddings},
		{Method: http.MethodPost, Path: rerankPath, Op: llm.Rerank},
	}
}

// Lookup finds the operation of method and path.
func (Dialect) Lookup(method, path string) (m llm.Match, ok bool) {
	switch path {
	case chatPath:
		m.Op = llm.Chat
	case embedPath:
		m.Op = llm.Embeddings
	case rerankPath:
		m.Op = llm.Rerank
	default:
		return llm.Match{}, false
	}
	if method != http.MethodPost {
		return llm.Match{Allow: http.MethodPost}, false
	}
	return m, true
}

// Path is op's path below the root.
func (Dialect) Path(op llm.Operation) string {
	switch op {
	case llm.Chat:
		return chatPath
	case llm.Embeddings:
		return embedPath
	case llm.Rerank:
		return rerankPath
	case llm.ListModels, llm.GetModel:
		return "/v1/models" // there is no second version of it
	}
	return ""
}

// Codec is the codec of chat, the one operation whose answers may be streams.
func (Dialect) Codec(op llm.Operation) canon.Codec {
	if op == llm.Chat {
		return codec{}
	}
	return nil
}

// ReadRequest reads model, and for chat stream. Cohere's streams always report their usage.
func (Dialect) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	*req = llm.Request{Op: match.Op, UsageAsked: true}
	var scan jsonscan.Scanner
	scan.Reset(body)
	var m llm.Members
	if match.Op == llm.Chat {
		m = llm.Enter(&scan, "", "model", "stream")
	} else {
		m = llm.Enter(&scan, "", "model")
	}
	for {
		index, ok := m.Next(&scan)
		if !ok {
			break
		}
		switch index {
		case 0:
			if problem := llm.ReadModel(&scan, req); problem != "" {
				m.Fail(index, problem)
			}
		case 1:
			req.Stream, _ = m.Flag(&scan, index)
		default:
			scan.Skip()
		}
	}
	if err := m.Err(&scan); err != nil {
		return err
	}
	if !m.Saw(0) {
		return &llm.RequestError{Pointer: "/model", Offset: len(body), Problem: "is missing"}
	}
	return nil
}

// LongAnswer reads the usage of a chat, and of embeddings and rerank the member meta.
func (Dialect) LongAnswer(op llm.Operation) *llm.LongAnswer {
	member := "usage"
	if op != llm.Chat {
		member = "meta"
	}
	return llm.NewLongAnswer(member, func(value []byte) journey.Usage {
		var scan jsonscan.Scanner
		scan.Reset(value)
		u := llm.NoUsage()
		readUsage(&scan, &u)
		return u
	})
}

// NewStream follows a streamed chat. There is nothing to strip: usage is not asked for.
func (Dialect) NewStream(llm.Operation, bool) *llm.Stream { return llm.NewStream(&judge{}, 0) }
