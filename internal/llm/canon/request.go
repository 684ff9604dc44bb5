package canon

import (
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// Request is a call of Chat: what a caller asks of a model. Its strings may be views of the caller's
// body, which stays as it is until the call is over.
type Request struct {
	Doc     *jsontree.Doc // the caller's body; nil for a request made by us
	Dialect string        // the caller's
	Op      llm.Operation // the caller's: Chat, Responses, Generate, CountTokens ...
	Model   string        // as the caller named it
	Stream  bool
	// StreamUsage tells that the caller gets the usage of a stream: it asked for it, or its dialect
	// always tells it.
	StreamUsage bool
	// Framed tells that the caller wants a stream in the other framing that its dialect has: Gemini's JSON array.
	Framed bool

	// Messages are the conversation in the caller's order, system and developer messages among them: those
	// dialects that keep them apart put them first.
	Messages      []Message
	Tools         []Tool
	Choice        ToolChoice
	ParallelTools Flag
	Format        Format
	Reasoning     Reasoning
	Params        [NumParams]Param
}

// Role says who speaks.
type Role uint8

// The roles. Tool results stand in messages of the role Tool, whatever the dialect: Anthropic's and
// Gemini's stand in user messages there, and their readers split them off in order.
const (
	System Role = iota
	Developer
	User
	Assistant
	ToolRole
)

func (r Role) String() string {
	return [...]string{"system", "developer", "user", "assistant", "tool"}[r]
}

// Message is one turn. Several in a row may have the same role; writers join them where their dialect
// wants turns to alternate.
type Message struct {
	Role  Role
	Name  string // the participant's, "" mostly
	Parts []Part
	At    jsontree.Ref
	ID    string // the dialect's own name for it, in Responses
}

// PartKind says what a part is.
type PartKind uint8

// The kinds of parts.
const (
	Text       PartKind = iota
	Thinking            // the model's reasoning, or a summary of it (Text), with what proves it (Signature)
	ToolCall            // Call
	ToolResult          // Result
	Image               // Media
	Audio               // Media
	Video               // Media
	Document            // Media: PDF, text, any other file
	Refusal             // Text: why the model does not answer
	Other               // Raw: what only the dialect that made it understands, such as a built-in tool's call
)

func (k PartKind) String() string {
	return [...]string{"text", "thinking", "tool_call", "tool_result", "image", "audio", "video", "document", "refusal", "other"}[k]
}

// Part is one piece of a message or of an answer.
type Part struct {
	Kind PartKind
	At   jsontree.Ref
	Text string
	// Signature is what a provider wants back with a Thinking, Text or ToolCall part to know its own
	// reasoning again: Anthropic's signature or redacted data, Gemini's thoughtSignature, OpenAI's
	// encrypted_content. SignedBy is the dialect that made it; another provider can't read it, so
	// that it is left out of what goes there (Report.Lose as Dropped).
	Signature string
	SignedBy  string
	// Redacted tells that a Thinking part has no text by the provider's will.
	Redacted  bool
	Media     *Media
	Call      *Call
	Result    *Result
	Cache     *Cache // the prompt's cache may end behind this part
	Citations []Citation
	ID        string // the dialect's own name for the part, in Responses
	Plan      bool   // of Text: Cohere's tool_plan, which says what the calls behind it are for
	Raw       []byte // of Other: ready JSON of the dialect named by SignedBy
	// Joined tells that the part goes on the output item of the part before it, in Responses: a message
	// with several texts, reasoning whose summary has several parts.
	Joined bool
	// Verbatim tells that a Thinking part is the reasoning itself where Responses tells that from a summary.
	Verbatim bool
	Phase    string // Responses' phase of a message: commentary or final_answer
}

// Media is something other than text. One of URL, Data, FileID and Text is set.
type Media struct {
	MIME      string // "" when the caller did not say
	URL       string // http or https; a data: URL is taken apart into MIME and Data
	Data      string // base64 (RFC 4648 section 4)
	FileID    string // a file kept by the provider
	Text      string // a document that is plain text
	Name      string // the file's, or the document's title
	Detail    string // OpenAI's low, high or auto; Gemini's media resolution is said so as well
	Context   string // Anthropic: what the document is for
	CitedBack bool   // Anthropic: the answer is to cite it
	// Transcript is what an Audio part of an answer says; ID is the dialect's name for it and Expires its
	// end in Unix seconds.
	Transcript string
	ID         string
	Expires    int64
}

// Call is a tool's call by the model.
type Call struct {
	ID   string // "" where the dialect has none (Gemini): the writer of the caller's dialect makes one
	Name string
	// Args is a JSON object, "" and "{}" mean none; of a Custom tool it is free text.
	Args   string
	Custom bool
}

// Result is what a tool gave back.
type Result struct {
	ID    string
	Name  string // "" where the dialect names the call by ID alone: found by FindCall
	Parts []Part // text, images, documents
	// JSON is the result as an object, where the dialect has results so (Gemini's response); Parts are
	// then empty.
	JSON   []byte
	Error  bool
	Custom bool // it answers a Custom tool's call
}

// Cache is a mark behind which a provider may keep the prompt so far.
type Cache struct{ TTL string } // "" or "5m", "1h"

// Citation is a source of what a Text part says.
type Citation struct {
	Start, End int // of the text in characters, -1 when not said
	URL, Title string
	Cited      string // the source's own words
	FileID     string
	Raw        []byte // as the dialect SignedBy wrote it
	SignedBy   string
}

// Tool is what a model may call.
type Tool struct {
	Name        string
	Description string
	Schema      []byte // JSON Schema of the arguments, nil when there are none
	Strict      Flag
	Cache       *Cache
	At          jsontree.Ref
	// Custom is OpenAI's tool that takes free text; Raw is then its format, nil for any text.
	Custom bool
	// BuiltIn is a tool that the provider runs itself, by its type's name ("web_search_20250305",
	// "google_search"); Raw is its JSON in the caller's dialect.
	BuiltIn string
	Raw     []byte
}

// ToolMode says whether the model is to call tools.
type ToolMode uint8

// The modes.
const (
	ToolsUnsaid ToolMode = iota
	ToolsAuto
	ToolsNone
	ToolsAny   // at least one of them, or of Names
	ToolsNamed // the one in Names
)

// ToolChoice is what the caller says about calling tools.
type ToolChoice struct {
	Mode  ToolMode
	Names []string
	At    jsontree.Ref
}

// Flag is true, false or not said.
type Flag struct {
	Said, On bool
	At       jsontree.Ref
}

// FormatKind says in what form the text is to be.
type FormatKind uint8

// The forms.
const (
	AnyText FormatKind = iota
	JSONObject
	JSONSchema
)

// Format is the form of the answer's text.
type Format struct {
	Kind        FormatKind
	Name        string
	Description string
	Schema      []byte // of JSONSchema
	Strict      Flag
	At          jsontree.Ref
}

// Reasoning is how much the model is to think.
type Reasoning struct {
	Said   bool
	Off    bool   // not at all
	Effort string // "", or none, minimal, low, medium, high, xhigh
	Budget int64  // tokens; 0 is not said, -1 as the model likes
	// Show tells that the caller wants to read the thoughts or a summary of them: Gemini's includeThoughts,
	// Responses' reasoning.summary (Summary is its word), Anthropic's thinking as such.
	Show    bool
	Summary string
	// Encrypted tells that the caller wants what proves the reasoning, to send it back (Responses'
	// include reasoning.encrypted_content). Dialects that always send it need not look.
	Encrypted bool
	At        jsontree.Ref
	// BudgetAt is where the budget stands, when it has its own place.
	BudgetAt jsontree.Ref
	// Most tells that the caller's word was max, which is above xhigh where a dialect has both; Effort is xhigh.
	Most bool
}

// ParamID names a parameter that is one value in most dialects.
type ParamID uint8

// The parameters, with the form of their value.
const (
	MaxTokens         ParamID = iota // whole number: of the answer, thoughts included
	Temperature                      // number, OpenAI's range 0 to 2
	TopP                             // number
	TopK                             // whole number
	MinP                             // number
	TopA                             // number
	FrequencyPenalty                 // number
	PresencePenalty                  // number
	RepetitionPenalty                // number
	Seed                             // whole number
	Stop                             // array of strings
	N                                // whole number: how many answers
	Logprobs                         // true or false
	TopLogprobs                      // whole number
	LogitBias                        // object: token -> bias
	EndUser                          // string: the end user's name with the caller
	Metadata                         // object of strings
	ServiceTier                      // string: auto, default, flex, priority, standard_only ...
	Store                            // true or false
	Verbosity                        // string: low, medium, high
	Modalities                       // array of strings: text, audio, image
	AudioOut                         // object: OpenAI's audio
	Prediction                       // object: OpenAI's prediction
	Safety                           // array: Gemini's safetySettings
	CacheKey                         // string: OpenAI's prompt_cache_key
	CacheRetention                   // string
	PreviousID                       // string: Responses' previous_response_id
	Conversation                     // string or object: Responses' conversation
	Include                          // array of strings: Responses' include
	Truncation                       // string
	MaxToolCalls                     // whole number
	Background                       // true or false
	WebSearch                        // object: OpenAI's web_search_options
	CachedContent                    // string: Gemini's cachedContent
	MediaDetail                      // string: Gemini's mediaResolution
	SafetyUser                       // string: OpenAI's safety_identifier
	PromptTemplate                   // object: Responses' prompt, which the provider keeps
	CacheOptions                     // object: OpenAI's prompt_cache_options
	Moderation                       // object: OpenAI's moderation
	NumParams
)

// Param is one parameter: ready JSON in the form that its ParamID tells, whatever the caller's dialect.
type Param struct {
	JSON []byte // nil when not said
	At   jsontree.Ref
}

// Set notes a parameter that stands at n as it is.
func (r *Request) Set(id ParamID, n jsontree.Node) {
	if n.Said() {
		r.Params[id] = Param{JSON: n.Raw(), At: n.Ref()}
	}
}

// SetJSON notes a parameter in another form than it stands at n.
func (r *Request) SetJSON(id ParamID, n jsontree.Node, json []byte) {
	n.Settle()
	r.Params[id] = Param{JSON: json, At: n.Ref()}
}

// Int is a parameter that is a whole number.
func (r *Request) Int(id ParamID) (v int64, ok bool) {
	if json := r.Params[id].JSON; json != nil {
		v = jsonscan.Int(json)
		return v, v >= 0
	}
	return 0, false
}

// True tells whether a parameter is true.
func (r *Request) True(id ParamID) bool { return string(r.Params[id].JSON) == "true" }

// Words is a parameter that is a string or an array of strings.
func (r *Request) Words(id ParamID) (list []string) {
	if r.Params[id].JSON == nil {
		return nil
	}
	d, err := jsontree.Parse(r.Params[id].JSON, true)
	if err != nil {
		return nil
	}
	if root := d.Root(); root.IsString() {
		return []string{root.Str()}
	}
	d.Root().Each(func(_ int, e jsontree.Node) {
		if e.IsString() {
			list = append(list, e.Str())
		}
	})
	return list
}

// Word is a parameter that is a string, "" when not said.
func (r *Request) Word(id ParamID) string {
	if list := r.Words(id); len(list) > 0 {
		return list[0]
	}
	return ""
}

// FindCall is the name of the tool whose call has this id, "" when no message has it.
func (r *Request) FindCall(id string) string {
	for i := range r.Messages {
		for k := range r.Messages[i].Parts {
			if c := r.Messages[i].Parts[k].Call; c != nil && c.ID == id {
				return c.Name
			}
		}
	}
	return ""
}

// Usage is what a call used. Every dialect's counts are brought to the meaning of journey.Usage; the
// others here are parts of Input and Output; -1 is not said.
type Usage struct {
	journey.Usage
	CacheWrite1h              int64 // of CacheWrite: kept for an hour
	AudioIn, AudioOut         int64
	ImageIn, ImageOut         int64
	ToolPrompt                int64 // of Input: made by built-in tools
	Searches                  int64 // calls of the provider's own web search
	Predicted, PredictedWrong int64 // of Output: OpenAI's accepted and rejected prediction
	SearchUnits               int64 // Cohere's unit for rerank: a query with up to 100 documents
}

// NoUsage is the usage of an answer that said nothing.
func NoUsage() Usage {
	return Usage{
		Usage: llm.NoUsage(), CacheWrite1h: -1, AudioIn: -1, AudioOut: -1, ImageIn: -1, ImageOut: -1,
		ToolPrompt: -1, Searches: -1, Predicted: -1, PredictedWrong: -1, SearchUnits: -1,
	}
}
