// Package anthropic is the dialect of Anthropic's Messages API, on both sides: messages and
// count_tokens, streamed and not, and the lists of models. Dialect passes calls between callers and
// providers that both speak it; its codec takes them to and from the others by way of canon.
//
// Sources: docs.claude.com/en/api (messages, streaming, errors, rate limits, models) and Anthropic's
// API description. docs/dialects/anthropic.md tells what crosses and how.
package anthropic

import (
	"net/http"
	"strings"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// VersionHeader is the field that every caller of this API sends and every provider of it wants; it
// tells an Anthropic SDK from another at the addresses that it shares with OpenAI's: /v1/models and below.
const VersionHeader = "anthropic-version"

// Version is the value of VersionHeader to send where the caller's own dialect has none.
const Version = "2023-06-01"

// name is the dialect's name, by which signatures and raw parts are known to be its own.
const name = "anthropic"

// Dialect implements llm.Dialect, canon.Speaker and canon.CountCodec.
type Dialect struct{}

var (
	_ llm.Dialect      = Dialect{}
	_ canon.Speaker    = Dialect{}
	_ canon.CountCodec = Dialect{}
)

// New returns the dialect.
func New() Dialect { return Dialect{} }

// Name is "anthropic".
func (Dialect) Name() string { return name }

// The addresses.
const (
	messagesPath = "/v1/messages"
	countPath    = "/v1/messages/count_tokens"
	modelsPath   = "/v1/models"
)

// Routes lists the addresses under the SDK's base URL http://HOST:PORT. Those of models are OpenAI's as
// well: VersionHeader tells whose caller it is.
func (Dialect) Routes() []llm.Route {
	return []llm.Route{
		{Method: http.MethodPost, Path: messagesPath, Op: llm.Chat},
		{Method: http.MethodPost, Path: countPath, Op: llm.CountTokens},
		{Method: http.MethodGet, Path: modelsPath, Op: llm.ListModels},
		{Method: http.MethodGet, Path: modelsPath + "/*", Op: llm.GetModel},
	}
}

// Lookup finds the operation of method and path.
func (Dialect) Lookup(method, path string) (m llm.Match, ok bool) {
	want := http.MethodPost
	switch path {
	case messagesPath:
		m.Op = llm.Chat
	case countPath:
		m.Op = llm.CountTokens
	case modelsPath:
		m.Op, want = llm.ListModels, http.MethodGet
	default:
		model, found := strings.CutPrefix(path, modelsPath+"/")
		if !found || model == "" {
			return llm.Match{}, false
		}
		m.Op, m.Model, want = llm.GetModel, model, http.MethodGet
	}
	if method != want {
		return llm.Match{Allow: want}, false
	}
	return m, true
}

// Path is op's path below a base URL that is the root, such as https://api.anthropic.com; "" for what
// this API does not have.
func (Dialect) Path(op llm.Operation) string {
	switch op {
	case llm.Chat:
		return messagesPath
	case llm.CountTokens:
		return countPath
	case llm.ListModels, llm.GetModel:
		return modelsPath
	}
	return ""
}

// Codec is the codec of messages; nil for other operations. Counting crosses by the dialect's own
// methods (canon.CountCodec).
func (Dialect) Codec(op llm.Operation) canon.Codec {
	if op == llm.Chat {
		return codec{}
	}
	return nil
}

// LongAnswer reads the member usage of the body.
func (Dialect) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswer("usage", func(value []byte) journey.Usage {
		var scan jsonscan.Scanner
		scan.Reset(value)
		c := noCounts
		readUsage(&scan, &c)
		return c.usage()
	})
}

// NewStream follows a streamed message. Usage comes unasked: there is nothing to strip.
func (Dialect) NewStream(llm.Operation, bool) *llm.Stream {
	return llm.NewStream(&judge{counts: noCounts, told: noCounts}, 0)
}
