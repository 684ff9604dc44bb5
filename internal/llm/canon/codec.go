package canon

import (
	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsontree"
)

// Codec is the half of a dialect that crosses to others. Its methods keep no state and may be called
// concurrently; readers and writers of streams serve one stream. Every implementation passes the suite
// in llm/llmtest.
type Codec interface {
	// ReadRequest reads a caller's request. m is what the address said; the model of a Gemini path is in
	// it. The error is a *llm.RequestError (or a *jsontree.Fault, which means the same).
	ReadRequest(m llm.Match, body []byte) (*Request, error)

	// WriteRequest writes req for a provider's model and tells r what it could not carry. The caller of
	// it closes the report. The error is a *Unsupported: the call can't be made at all.
	WriteRequest(req *Request, to *Target, r *Report) ([]byte, error)

	// ReadAnswer reads a provider's whole answer, which Dialect.ReadAnswer has found valid.
	ReadAnswer(body []byte) (*Answer, error)

	// WriteAnswer writes an answer for a caller whose request was req, and tells r what is lost of it.
	WriteAnswer(a *Answer, req *Request, r *Report) []byte

	// NewReader reads the events of a provider's stream that Dialect.NewStream has passed.
	NewReader() Reader

	// NewWriter writes a stream for a caller whose request was req. It is told what is lost while it
	// goes, which only the call's log can still tell.
	NewWriter(req *Request, r *Report) Writer
}

// Reader turns the events of a provider's stream into canonical ones.
type Reader interface {
	// Read appends what ev tells to out.
	Read(ev llm.Event, out []Event) ([]Event, error)
	// End appends what is still open when the provider's answer was whole: parts to end.
	End(out []Event) []Event
}

// Writer turns canonical events into the bytes of the caller's stream.
type Writer interface {
	// Write appends to dst what ev is in the dialect; a writer may hold things back.
	Write(dst []byte, ev *Event) []byte
	// End appends the rest and the dialect's terminal event. It is called only when the provider's
	// answer was whole; a stream that broke gets Dialect.AppendErrorEvent instead.
	End(dst []byte) []byte
	// State is what Dialect.AppendErrorEvent needs to know of the stream.
	State() *llm.StreamState
	// ContentType is that of the stream: "text/event-stream" mostly.
	ContentType() string
}

// Speaker is a Dialect that can be translated.
type Speaker interface {
	llm.Dialect
	// Codec is the codec for op on either side; nil when op does not cross to other dialects.
	Codec(op llm.Operation) Codec
}

// Checker is a Codec that has promised its caller something of the answers, such as a schema.
type Checker interface {
	// CheckAnswer tells in what an answer is not what was promised: an *Unfit, nil when it is.
	CheckAnswer(a *Answer) error
}

// CheckedWriter is a Writer that has promised its caller something of the whole answer.
type CheckedWriter interface {
	Writer
	// CheckEnd is asked before End: an *Unfit when what was written is not what was promised.
	CheckEnd() error
}

// Typed is a Codec whose answers are not all application/json.
type Typed interface {
	// AnswerType is the Content-Type of what WriteAnswer writes.
	AnswerType() string
}

// Unfit says that a valid answer is not what its caller was promised.
type Unfit struct {
	Kind     fault.Kind
	Problem  string // one phrase
	Evidence []string
}

func (e *Unfit) Error() string { return e.Problem }

// Target is who a request is written for.
type Target struct {
	Provider string // its name in the configuration
	Vendor   *catalog.Vendor
	Model    string // the provider's name for it
	// Fetch gets what stands at a URL, for a provider that takes bytes only: its type and base64. nil
	// where nothing may be fetched. Its error says why in one phrase.
	Fetch func(url string) (mime, data string, err error)
}

// Unsupported says that a request can't be put to a provider at all.
type Unsupported struct {
	Field string // its path in the caller's request, "" for the whole
	Why   string
}

func (e *Unsupported) Error() string {
	if e.Field == "" {
		return e.Why
	}
	return e.Field + ": " + e.Why
}

// EmbedRequest asks for embeddings.
type EmbedRequest struct {
	Request        // Doc, Dialect, Op, Model; EndUser
	Inputs         []EmbedInput
	Single         bool   // the caller gave one input and not a list
	Dimensions     int64  // 0 is not said
	Base64         bool   // the caller wants vectors as base64 of little-endian float32
	Purpose        string // Gemini's taskType in its words, "" when not said
	PurposeAt      jsontree.Ref
	Title          string
	Truncate       string // Cohere's NONE, START, END
	EmbeddingTypes []string
}

// EmbedInput is one thing to embed: text, tokens or parts.
type EmbedInput struct {
	Text   string
	Tokens []byte // JSON array of token numbers, nil when it is text
	Parts  []Part // other than text
}

// EmbedAnswer holds embeddings in the order of the inputs.
type EmbedAnswer struct {
	ID, Model string
	Vectors   [][]float32
	Usage     Usage
	Lost      []string
}

// EmbedCodec is the part of a dialect that has embeddings.
type EmbedCodec interface {
	ReadEmbedRequest(m llm.Match, body []byte) (*EmbedRequest, error)
	// WriteEmbedRequest writes req for a provider; the error is as in WriteRequest.
	WriteEmbedRequest(req *EmbedRequest, to *Target, r *Report) ([]byte, error)
	ReadEmbedAnswer(body []byte) (*EmbedAnswer, error)
	WriteEmbedAnswer(a *EmbedAnswer, req *EmbedRequest, r *Report) []byte
}

// CountReader is the part of a dialect in which a caller has the tokens of a request counted.
type CountReader interface {
	// ReadCountRequest reads a request whose tokens are to be counted.
	ReadCountRequest(m llm.Match, body []byte) (*Request, error)
	WriteCount(tokens int64) []byte
}

// CountCodec is the part of a dialect whose providers count the tokens of any caller's request.
type CountCodec interface {
	CountReader
	WriteCountRequest(req *Request, to *Target, r *Report) ([]byte, error)
	ReadCount(body []byte) (tokens int64, err error)
}
