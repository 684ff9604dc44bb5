// Package ollama is the dialect of Ollama's own API: chat, generate and embeddings, on the caller's and on the
// provider's side, its lists of models, and its half of the translation between dialects.
//
// Its streams are lines of JSON (application/x-ndjson), and a request that does not say otherwise asks for one.
// Its base URL is the root, http://127.0.0.1:11434.
//
// Sources: docs.ollama.com/api and the API description in github.com/ollama/ollama/docs.
package ollama

import (
	"net/http"
	"strings"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

const dialectName = "ollama"

// Dialect implements llm.Dialect, llm.Framed, llm.VariantPlacer, llm.Versioned, canon.Speaker and
// canon.EmbedCodec.
type Dialect struct{}

var (
	_ llm.Dialect       = Dialect{}
	_ llm.Framed        = Dialect{}
	_ llm.VariantPlacer = Dialect{}
	_ llm.Versioned     = Dialect{}
	_ canon.Speaker     = Dialect{}
	_ canon.EmbedCodec  = Dialect{}
)

// New returns the dialect.
func New() Dialect { return Dialect{} }

// Name is "ollama".
func (Dialect) Name() string { return dialectName }

// The addresses, the same at the gateway and below a provider's base URL.
const (
	chatPath     = "/api/chat"
	generatePath = "/api/generate"
	embedPath    = "/api/embed"
	oldEmbedPath = "/api/embeddings"
	tagsPath     = "/api/tags"
	psPath       = "/api/ps"
	showPath     = "/api/show"
	versionPath  = "/api/version"
)

// OldEmbed is the Match.Detail of /api/embeddings, which takes one prompt and gives one vector.
const OldEmbed = "embeddings"

// Routes lists the addresses under the client's host http://HOST:PORT. The gateway answers those of models and
// versions itself; what would change a server's models (create, pull, delete ...) is not served.
func (Dialect) Routes() []llm.Route {
	return []llm.Route{
		{Method: http.MethodPost, Path: chatPath, Op: llm.Chat},
		{Method: http.MethodPost, Path: generatePath, Op: llm.Completions},
		{Method: http.MethodPost, Path: embedPath, Op: llm.Embeddings},
		{Method: http.MethodPost, Path: oldEmbedPath, Op: llm.Embeddings},
		{Method: http.MethodGet, Path: tagsPath, Op: llm.ListModels},
		{Method: http.MethodGet, Path: psPath, Op: llm.ListModels},
		{Method: http.MethodPost, Path: showPath, Op: llm.GetModel},
		{Method: http.MethodGet, Path: versionPath, Op: llm.Version},
	}
}

// Lookup finds the operation of method and path. The model of GetModel stands in the body here: ReadRequest
// reads it.
func (Dialect) Lookup(method, path string) (m llm.Match, ok bool) {
	want := http.MethodPost
	switch path {
	case chatPath:
		m.Op = llm.Chat
	case generatePath:
		m.Op = llm.Completions
	case embedPath:
		m.Op = llm.Embeddings
	case oldEmbedPath:
		m.Op, m.Detail = llm.Embeddings, OldEmbed
	case showPath:
		m.Op = llm.GetModel
	case tagsPath, psPath:
		m.Op, want = llm.ListModels, http.MethodGet
	case versionPath:
		m.Op, want = llm.Version, http.MethodGet
	default:
		return llm.Match{}, false
	}
	if method != want {
		return llm.Match{Allow: want}, false
	}
	return m, true
}

// Path is op's path below the root.
func (Dialect) Path(op llm.Operation) string {
	switch op {
	case llm.Chat:
		return chatPath
	case llm.Completions:
		return generatePath
	case llm.Embeddings:
		return embedPath
	case llm.ListModels:
		return tagsPath
	case llm.GetModel:
		return showPath
	case llm.Version:
		return versionPath
	}
	return ""
}

// Place is Path.
func (d Dialect) Place(op llm.Operation, _ string, _ bool) (path, query string) {
	return d.Path(op), ""
}

// PlaceVariant tells the two addresses of embeddings apart.
func (d Dialect) PlaceVariant(op llm.Operation, detail, _ string, _ bool) (path, query string) {
	if op == llm.Embeddings && detail == OldEmbed {
		return oldEmbedPath, ""
	}
	return d.Path(op), ""
}

// Codec is the codec of chat, or of generate (Completions).
func (Dialect) Codec(op llm.Operation) canon.Codec {
	switch op {
	case llm.Chat:
		return codec{}
	case llm.Completions:
		return codec{generate: true}
	}
	return nil
}

// ReadRequest reads model, and of chat and generate stream, which is true unless it says false. Every answer
// reports its usage.
func (Dialect) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	*req = llm.Request{Op: match.Op, UsageAsked: true}
	var scan jsonscan.Scanner
	scan.Reset(body)
	var m llm.Members
	streams := match.Op == llm.Chat || match.Op == llm.Completions
	if streams {
		m = llm.Enter(&scan, "", "model", "stream")
	} else {
		m = llm.Enter(&scan, "", "model")
	}
	req.Stream = streams
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
			null := scan.Peek() == jsonscan.Null
			on, _ := m.Flag(&scan, index)
			req.Stream = on || null
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

// LongAnswer reads the two counts of an answer.
func (Dialect) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswerOf(func(value func(int) []byte) journey.Usage {
		u := llm.NoUsage()
		for i, count := range [...]*int64{&u.Input, &u.Output} {
			if v := value(i); len(v) > 0 {
				*count = jsonscan.Int(v)
			}
		}
		return u
	}, "prompt_eval_count", "eval_count")
}

// NewStream follows a streamed answer: lines of JSON, whatever the answer calls itself.
func (Dialect) NewStream(llm.Operation, bool) *llm.Stream {
	return llm.NewFramedStream(judge{}, 0, &lines{})
}

// ndjson is the type of streams.
const ndjson = "application/x-ndjson"

// FramedStream follows an answer of lines of JSON.
func (d Dialect) FramedStream(op llm.Operation, contentType string) *llm.Stream {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case ndjson, "application/ndjson", "application/jsonl":
		return d.NewStream(op, false)
	}
	return nil
}
