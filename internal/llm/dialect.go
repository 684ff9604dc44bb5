package llm

import (
	"time"

	"causeway/internal/fault"
)

// Operation is what a call asks of a provider, whatever the dialect it is said in.
type Operation uint8

// The operations.
const (
	NoOperation Operation = iota
	Chat                  // OpenAI: POST chat/completions; Anthropic: POST messages
	Completions           // OpenAI's older text completion
	Responses             // OpenAI: POST responses
	Embeddings
	Moderations
	ListModels
	GetModel
	Realtime // OpenAI: GET realtime, a WebSocket whose model stands in the query
	CountTokens
	Rerank
	Images         // OpenAI: images/generations, images/edits, images/variations
	Speech         // OpenAI: audio/speech
	Transcriptions // OpenAI: audio/transcriptions, a form
	Translations   // OpenAI: audio/translations, a form
	Files          // OpenAI: files and what is below
	Batches        // OpenAI: batches and what is below
	Stored         // OpenAI: GET, DELETE and POST below responses/{id}
	Invoke         // Bedrock: InvokeModel, whose body is the model's own
	Version        // Ollama: GET api/version
)

var operationNames = [...]string{
	"none", "chat", "completions", "responses", "embeddings", "moderations", "list_models", "get_model", "realtime",
	"count_tokens", "rerank", "images", "speech", "transcriptions", "translations", "files", "batches", "stored",
	"invoke", "version",
}

func (o Operation) String() string { return operationNames[o] }

// Route is one address of a dialect at the gateway.
type Route struct {
	Method string
	Path   string // "/v1/chat/completions"; "/v1/models/*" matches the rest, slashes included
	Op     Operation
}

// Match is what an address asks for.
type Match struct {
	Op    Operation
	Model string // the model that the path names, "" when the body does
	// Stream tells that the address itself asks for a stream (Gemini's streamGenerateContent), Detail what
	// else it says: a variant of the operation, or what stands behind the address ("file-abc/content").
	Stream bool
	Detail string
	Query  string // as the caller sent it; set by the gateway
	// ContentType is that of the body, where it may be a form; set by the gateway.
	ContentType string
	Allow       string // when the path is known and the method is not: the methods that are, for a 405
}

// Model is one entry of the list of models.
type Model struct {
	ID      string
	OwnedBy string
	Created time.Time
}

// Failure is a failed call as a dialect's error body tells it.
type Failure struct {
	Kind     fault.Kind
	Status   int    // the HTTP status of the answer; of a stream that broke, what it would have been
	Sentence string // what happened; without addresses where the caller may not know them
	CallID   string
	Param    string // the parameter at fault as the dialect writes it, "" when none is
	Members  []byte // the object that stands under error.causeway, ready JSON; nil leaves it out
}

// Message is the error's message: the sentence, then kind and call in brackets, because a message
// is often the one thing of an error that a client shows or logs.
func (f *Failure) Message() string {
	return f.Sentence + " [" + string(f.Kind) + ", " + f.CallID + "]"
}

// Dialect is the wire format of one vendor's API, on the caller's and on the provider's side.
// Its methods keep no state and may be called concurrently. Every implementation passes the suite
// in llm/llmtest.
type Dialect interface {
	// Name is the dialect's name in call records, such as "openai".
	Name() string

	// Routes lists the addresses that the dialect serves.
	Routes() []Route

	// Lookup finds what method and path (without query) ask for. ok is false when no route has them; Allow
	// is then set if another method would do.
	Lookup(method, path string) (m Match, ok bool)

	// Path is op's path below a provider's base URL, such as "/chat/completions".
	Path(op Operation) string

	// ReadRequest reads the body of a call to m into req, which aliases body afterwards. The error is a
	// *RequestError. It allocates nothing for a request without fault.
	ReadRequest(req *Request, m Match, body []byte) error

	// ReadAnswer reads the whole body of a 2xx answer that is no event stream.
	ReadAnswer(op Operation, body []byte) Answer

	// LongAnswer returns a reader for the body of a 2xx answer that is too long to be kept.
	LongAnswer(op Operation) *LongAnswer

	// ReadError says what a provider's answer with another status means. header returns the first
	// value of a field, "" when absent; now is the time at which waits given as dates begin.
	ReadError(status int, header func(name string) string, body []byte, now time.Time) ProviderError

	// NewStream returns the state machine for a streamed answer to op. With strip, what a provider
	// sends only because Request.AskUsage was applied is taken out again.
	NewStream(op Operation, strip bool) *Stream

	// AppendError appends the dialect's error body for f.
	AppendError(dst []byte, f *Failure) []byte

	// AppendErrorEvent appends the event that ends a broken stream of op. It is never an event that
	// ends a whole one. state is the broken stream's.
	AppendErrorEvent(dst []byte, op Operation, f *Failure, state *StreamState) []byte

	// AppendModels appends the body that lists models.
	AppendModels(dst []byte, models []Model) []byte

	// AppendModel appends the body for one model.
	AppendModel(dst []byte, m Model) []byte
}

// Placer is a Dialect whose addresses name the model.
type Placer interface {
	// Place is the path below a provider's base URL, and the query without its "?", for a call of op to a
	// provider's model.
	Place(op Operation, model string, stream bool) (path, query string)
}

// VariantPlacer is a Placer with operations that have several addresses. A call that passes through keeps
// the one it came to: detail is its Match.Detail, "" the usual one.
type VariantPlacer interface {
	Placer
	PlaceVariant(op Operation, detail, model string, stream bool) (path, query string)
}

// Reshape is a Dialect of providers whose requests differ from what callers of the dialect send, also where a call
// passes through.
type Reshape interface {
	// AppendBody appends to dst what is sent in the place of body, a request of op. It does not change body.
	AppendBody(dst, body []byte, op Operation) []byte
}

// Versioned is a Dialect whose clients ask the server which version it is (the operation Version). The
// gateway answers that itself.
type Versioned interface {
	// AppendVersion appends the body of the answer.
	AppendVersion(dst []byte) []byte
}

// Pager is a Dialect whose list of models comes in pages.
type Pager interface {
	// AppendModelPage is AppendModels for the page that a query asks for; without a word about it that is all of
	// them. The error is a *RequestError whose Pointer names the parameter at fault.
	AppendModelPage(dst []byte, models []Model, query string) ([]byte, error)
}

// Partial is a provider's Dialect that shares its name with another and the bodies of some operations only: the
// others cross even to a caller of the same name.
type Partial interface {
	Dialect
	// Passes tells whether a caller's body for op can pass through.
	Passes(op Operation) bool
}

// Framed is a Dialect that has streams of another framing than server-sent events.
type Framed interface {
	// FramedStream is NewStream for an answer of this Content-Type; nil when it is no stream.
	FramedStream(op Operation, contentType string) *Stream
}

// AppendLine appends ready JSON on one line: white space between tokens may be line ends, which
// would end the data of an event.
func AppendLine(dst, json []byte) []byte {
	at := len(dst)
	dst = append(dst, json...)
	for i, c := range dst[at:] {
		if c == '\n' || c == '\r' {
			dst[at+i] = ' '
		}
	}
	return dst
}
