// Package gemini is the dialect of Google's Gemini API and of Vertex AI, which speaks the same bodies at
// other addresses: generateContent, streamGenerateContent as server-sent events and as a JSON array,
// embedContent, batchEmbedContents, countTokens and the list of models, as a caller speaks them and as a
// provider does, and their crossing to the other dialects.
//
// Sources: ai.google.dev/api (generate-content, caching, embeddings, tokens, models), the protocol buffers
// google/ai/generativelanguage/v1beta of github.com/googleapis/googleapis, and for Vertex AI
// cloud.google.com/vertex-ai/generative-ai/docs/model-reference.
package gemini

import (
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// dialect is the name of it, in call records and on what it signs.
const dialect = "gemini"

// Dialect implements llm.Dialect, llm.Placer, llm.Framed and the canonical codecs for the Gemini API.
type Dialect struct{}

var (
	_ llm.Dialect       = Dialect{}
	_ llm.VariantPlacer = Dialect{}
	_ llm.Framed        = Dialect{}
	_ canon.Speaker     = Dialect{}
	_ canon.EmbedCodec  = Dialect{}
	_ canon.CountCodec  = Dialect{}
)

// New returns the dialect.
func New() Dialect { return Dialect{} }

// Name is "gemini".
func (Dialect) Name() string { return dialect }

// The addresses begin so; the older version has the calls of models and not their list, which is OpenAI's there.
const (
	betaModels = "/v1beta/models"
	v1Models   = "/v1/models"
)

// Routes lists the addresses under the SDK's base URL http://HOST:PORT. What stands for the star is the
// model, slashes included, and behind its last colon the method.
func (Dialect) Routes() []llm.Route {
	return []llm.Route{
		{Method: http.MethodGet, Path: betaModels, Op: llm.ListModels},
		{Method: http.MethodGet, Path: betaModels + "/*", Op: llm.GetModel},
		{Method: http.MethodPost, Path: betaModels + "/*", Op: llm.Chat},
		{Method: http.MethodPost, Path: v1Models + "/*", Op: llm.Chat},
	}
}

// methods are the words behind the last colon of a model's address.
var methods = [...]struct {
	word   string
	op     llm.Operation
	stream bool
}{
	{"generateContent", llm.Chat, false},
	{"streamGenerateContent", llm.Chat, true},
	{"embedContent", llm.Embeddings, false},
	{"batchEmbedContents", llm.Embeddings, false},
	{"countTokens", llm.CountTokens, false},
}

// Lookup finds the operation of method and path, whose model may be percent-encoded. Match.Detail is the
// word behind the last colon.
func (Dialect) Lookup(method, path string) (m llm.Match, ok bool) {
	rest, beta := strings.CutPrefix(path, betaModels)
	if !beta {
		if rest, ok = strings.CutPrefix(path, v1Models); !ok {
			return llm.Match{}, false
		}
	}
	if rest == "" && beta {
		return getOnly(method, llm.Match{Op: llm.ListModels})
	}
	if len(rest) < 2 || rest[0] != '/' {
		return llm.Match{}, false
	}
	rest = rest[1:]
	if strings.IndexByte(rest, '%') >= 0 {
		plain, err := url.PathUnescape(rest)
		if err != nil {
			return llm.Match{}, false
		}
		rest = plain
	}
	if i := strings.LastIndexByte(rest, ':'); i > 0 {
		for _, known := range methods {
			if rest[i+1:] != known.word {
				continue
			}
			if method == http.MethodPost {
				return llm.Match{Op: known.op, Model: rest[:i], Stream: known.stream, Detail: known.word}, true
			}
			if beta {
				m.Allow = http.MethodPost
			}
			return m, false
		}
	}
	if !beta || method == http.MethodPost && strings.IndexByte(rest, ':') >= 0 {
		return llm.Match{}, false
	}
	return getOnly(method, llm.Match{Op: llm.GetModel, Model: rest})
}

func getOnly(method string, m llm.Match) (llm.Match, bool) {
	if method != http.MethodGet {
		return llm.Match{Allow: http.MethodGet}, false
	}
	return m, true
}

// Path is op's path where it names no model.
func (Dialect) Path(llm.Operation) string { return betaModels }

// Place is the path below the root https://generativelanguage.googleapis.com, and the query, for a call of
// op. Streams are asked for as server-sent events, embeddings as a batch.
func (d Dialect) Place(op llm.Operation, model string, stream bool) (path, query string) {
	return d.PlaceVariant(op, "", model, stream)
}

// PlaceVariant is Place for a call whose own address had the word detail.
func (Dialect) PlaceVariant(op llm.Operation, detail, model string, stream bool) (path, query string) {
	if op == llm.ListModels {
		return betaModels, ""
	}
	path = "/v1beta/" + escapePath(resource(model))
	if op == llm.GetModel {
		return path, ""
	}
	word, query := method(op, detail, stream)
	return path + ":" + word, query
}

// resource is a model's name as the API's bodies have it.
func resource(model string) string {
	if strings.HasPrefix(model, "models/") || strings.HasPrefix(model, "tunedModels/") {
		return model
	}
	return "models/" + model
}

func method(op llm.Operation, detail string, stream bool) (word, query string) {
	switch op {
	case llm.Embeddings:
		if detail == "embedContent" {
			return detail, ""
		}
		return "batchEmbedContents", ""
	case llm.CountTokens:
		return "countTokens", ""
	}
	if stream {
		return "streamGenerateContent", "alt=sse"
	}
	return "generateContent", ""
}

// escapePath percent-encodes what a path can't hold; slashes stay.
func escapePath(s string) string {
	plain := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/@:", c) >= 0
	}
	for i := range len(s) {
		if !plain(s[i]) {
			b := []byte(s[:i])
			for ; i < len(s); i++ {
				if plain(s[i]) {
					b = append(b, s[i])
				} else {
					b = append(b, '%', "0123456789ABCDEF"[s[i]>>4], "0123456789ABCDEF"[s[i]&15])
				}
			}
			return string(b)
		}
	}
	return s
}

// Root is a provider's base URL without the version at its end, which Place writes.
func Root(base string) string {
	base = strings.TrimRight(base, "/")
	for _, version := range [...]string{"/v1beta", "/v1beta1", "/v1"} {
		if root, ok := strings.CutSuffix(base, version); ok {
			return root
		}
	}
	return base
}

// LongAnswer reads the member usageMetadata of the body.
func (Dialect) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswer("usageMetadata", func(value []byte) journey.Usage {
		var scan jsonscan.Scanner
		scan.Reset(value)
		u := canon.NoUsage()
		readUsage(&scan, &u)
		return u.Usage
	})
}

// NewStream follows a streamed answer of server-sent events. Nothing is ever stripped: usage comes unasked.
func (Dialect) NewStream(llm.Operation, bool) *llm.Stream { return llm.NewStream(&judge{}, 0) }

// FramedStream follows a streamed answer that is a JSON array, as streamGenerateContent gives it without
// alt=sse.
func (Dialect) FramedStream(op llm.Operation, contentType string) *llm.Stream {
	kind, _, _ := strings.Cut(contentType, ";")
	if op != llm.Chat || !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return nil
	}
	frames := &arrayFrames{}
	return llm.NewFramedStream(&judge{frames: frames}, 0, frames)
}

// Codec is the codec of chat; embeddings and counts cross by canon.EmbedCodec and canon.CountCodec.
func (Dialect) Codec(op llm.Operation) canon.Codec {
	if op == llm.Chat {
		return codec{}
	}
	return nil
}
