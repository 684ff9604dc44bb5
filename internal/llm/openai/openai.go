// Package openai is the dialect of OpenAI's API, as OpenAI and the many servers compatible with it
// speak it. Of what passes from a caller to a provider of this dialect it reads only what that needs (model,
// stream, usage, end, errors). Chat completions, responses, completions and embeddings also cross to other dialects
// and from them: codec_*.go and responses_*.go.
//
// Sources: platform.openai.com/docs/api-reference (chat, streaming, errors), and for the vendors'
// own ways the pages and recordings named where they are handled.
package openai

import (
	"net/http"
	"strings"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// Dialect implements llm.Dialect.
type Dialect struct{}

var _ llm.Dialect = Dialect{}

// New returns the dialect.
func New() Dialect { return Dialect{} }

// Name is "openai".
func (Dialect) Name() string { return "openai" }

// modelsPath is the address of the list of models; one model's is below it.
const modelsPath = "/v1/models"

// Routes lists the addresses under the SDK's base URL http://HOST:PORT/v1.
func (Dialect) Routes() []llm.Route {
	return append([]llm.Route{
		{Method: http.MethodPost, Path: "/v1/chat/completions", Op: llm.Chat},
		{Method: http.MethodPost, Path: "/v1/completions", Op: llm.Completions},
		{Method: http.MethodPost, Path: "/v1/responses", Op: llm.Responses},
		{Method: http.MethodPost, Path: countPath, Op: llm.CountTokens},
		{Method: http.MethodGet, Path: storedPath + "*", Op: llm.Stored},
		{Method: http.MethodDelete, Path: storedPath + "*", Op: llm.Stored},
		{Method: http.MethodPost, Path: storedPath + "*", Op: llm.Stored},
		{Method: http.MethodPost, Path: "/v1/embeddings", Op: llm.Embeddings},
		{Method: http.MethodPost, Path: "/v1/moderations", Op: llm.Moderations},
		{Method: http.MethodGet, Path: "/v1/realtime", Op: llm.Realtime},
		{Method: http.MethodGet, Path: modelsPath, Op: llm.ListModels},
		{Method: http.MethodGet, Path: modelsPath + "/*", Op: llm.GetModel},
	}, mediaRoutes()...)
}

// Lookup finds the operation of method and path.
func (Dialect) Lookup(method, path string) (m llm.Match, ok bool) {
	if !strings.HasPrefix(path, "/v1/") {
		return m, false // so do all that follow
	}
	want := http.MethodPost
	switch path {
	case "/v1/chat/completions":
		m.Op = llm.Chat
	case "/v1/completions":
		m.Op = llm.Completions
	case "/v1/responses":
		m.Op = llm.Responses
	case countPath:
		m.Op = llm.CountTokens
	case "/v1/embeddings":
		m.Op = llm.Embeddings
	case "/v1/moderations":
		m.Op = llm.Moderations
	case "/v1/realtime":
		m.Op, want = llm.Realtime, http.MethodGet
	case modelsPath:
		m.Op, want = llm.ListModels, http.MethodGet
	default:
		if id, found := strings.CutPrefix(path, storedPath); found {
			return lookupStored(method, id)
		}
		model, found := strings.CutPrefix(path, modelsPath+"/")
		if !found || model == "" {
			return lookupMedia(method, path)
		}
		m.Op, m.Model, want = llm.GetModel, model, http.MethodGet
	}
	if method != want {
		return llm.Match{Allow: want}, false
	}
	return m, true
}

// storedPath is the address below which kept responses are.
const storedPath = "/v1/responses/"

// lookupStored finds what is asked of a kept response; Detail is its id and what stands behind it.
func lookupStored(method, rest string) (m llm.Match, ok bool) {
	id, part, _ := strings.Cut(rest, "/")
	m = llm.Match{Op: llm.Stored, Detail: rest}
	allow := ""
	switch {
	case id == "" || method == http.MethodPost && (rest == "compact" || rest == "input_tokens"):
		return llm.Match{}, false // these make something of a request, and keep nothing
	case part == "":
		allow = "GET, DELETE"
		ok = method == http.MethodGet || method == http.MethodDelete
	case part == "input_items":
		allow, ok = http.MethodGet, method == http.MethodGet
	case part == "cancel":
		allow, ok = http.MethodPost, method == http.MethodPost
	}
	if !ok {
		return llm.Match{Allow: allow}, false
	}
	return m, true
}

// Path is op's path below a base URL such as https://api.groq.com/openai/v1.
func (Dialect) Path(op llm.Operation) string {
	switch op {
	case llm.Chat:
		return "/chat/completions"
	case llm.Completions:
		return "/completions"
	case llm.Responses, llm.Stored:
		return "/responses"
	case llm.CountTokens:
		return "/responses/input_tokens"
	case llm.Embeddings:
		return "/embeddings"
	case llm.Moderations:
		return "/moderations"
	case llm.Realtime:
		return "/realtime"
	case llm.ListModels, llm.GetModel:
		return "/models"
	case llm.Rerank:
		return "/rerank"
	case llm.Images:
		return "/images"
	case llm.Speech:
		return "/audio/speech"
	case llm.Transcriptions:
		return "/audio/transcriptions"
	case llm.Translations:
		return "/audio/translations"
	case llm.Files:
		return "/files"
	case llm.Batches:
		return "/batches"
	}
	return ""
}

// LongAnswer reads the member usage of the body.
func (Dialect) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswer("usage", func(value []byte) journey.Usage {
		var scan jsonscan.Scanner
		scan.Reset(value)
		return readUsage(&scan)
	})
}

// NewStream follows a streamed answer. strip takes out the usage that was asked for only by us: the
// chunk without choices that carries it, and the "usage":null of the chunks before.
func (Dialect) NewStream(op llm.Operation, strip bool) *llm.Stream {
	switch op {
	case llm.Responses, llm.Stored:
		return llm.NewStream(&responsesJudge{}, 0)
	case llm.Images, llm.Speech, llm.Transcriptions, llm.Translations:
		return llm.NewStream(mediaJudge{}, 0)
	}
	return llm.NewStream(&chatJudge{strip: strip}, 0)
}
