package canon

// Finish says why a model stopped.
type Finish uint8

// The reasons.
const (
	Unfinished    Finish = iota
	Stopped              // it had said all
	StopSequence         // one of the caller's Stop words came
	Length               // MaxTokens
	ContextLength        // the model's context was full
	ToolCalls            // it waits for results
	Filtered             // the provider's filter
	Refused              // the model would not
	Paused               // Anthropic's pause_turn: go on by sending the answer back
	BadCall              // Gemini's MALFORMED_FUNCTION_CALL and its like
	Failed               // the provider broke off
)

// Answer is a whole answer of Chat.
type Answer struct {
	ID          string // the provider's
	Model       string // the model that answered, as the provider names it
	Created     int64  // Unix seconds, 0 when not said
	Choices     []Choice
	Usage       Usage
	Fingerprint string // OpenAI's system_fingerprint
	ServiceTier string
	// Blocked is why the provider did not answer at all (Gemini's promptFeedback.blockReason), "" when it did.
	Blocked string
	// LatencyMS is how long the provider says that it took, in milliseconds; 0 when it does not.
	LatencyMS int64
	// Lost are paths of the answer's members that no reader looked at: they go to the report.
	Lost []string
}

// Choice is one answer of several; mostly there is one.
type Choice struct {
	Index     int
	Parts     []Part
	Finish    Finish
	FinishRaw string // the provider's own word
	StopWord  string // of StopSequence
	Logprobs  []Logprob
}

// Logprob is how likely a token was.
type Logprob struct {
	Token   string
	Logprob float64
	Bytes   []byte // the token's UTF-8 bytes, nil when not said
	Top     []Logprob
}

// EventKind says what an event of a stream tells.
type EventKind uint8

// The events. A reader makes them in this order: Start first; then for each part a Begin, its
// deltas, and an EndPart before the next part of the same choice begins, except that the calls of
// several tools may be open at once; a choice's Finished after its last part; Used whenever the usage so
// far is told. There is no event for the end: that the answer is whole is the Stream's to say.
const (
	Start      EventKind = iota // ID, Model, Created
	Begin                       // a part begins: Choice, Part, Kind; of a ToolCall also Call (ID, Name); of Media also Media
	Delta                       // Text goes on: of Text, Thinking and Refusal parts; of ToolCall parts it is a piece of Args
	Sign                        // Signature and SignedBy of the part
	Cite                        // Citation of the part
	MediaDelta                  // Text is a piece of Media.Data, Transcript of what is heard; Media, when not nil, has Expires
	EndPart                     // the part is whole
	Probs                       // Logprobs of the choice's text
	Finished                    // Finish, FinishRaw and StopWord of the choice
	Used                        // Usage so far: the last one counts
	Beat                        // a heartbeat; writers pass it on in their own way
)

// Event is one step of a streamed answer. What it holds is valid until the next call of the reader.
type Event struct {
	Kind   EventKind
	Choice int
	Part   int // the part's place in its choice

	PartKind    PartKind // of the part, in each of its events from Begin to EndPart
	Call        *Call    // at its Begin, without Args: they come as Deltas
	Media       *Media
	Text        string
	Transcript  string
	Signature   string
	SignedBy    string
	Redacted    bool
	Citation    *Citation
	Logprobs    []Logprob
	Finish      Finish
	FinishRaw   string
	StopWord    string
	ID          string // Start: the answer's; Begin: the part's
	Plan        bool   // Begin: as in Part
	Model       string
	Created     int64
	Fingerprint string
	ServiceTier string
	Usage       *Usage
	LatencyMS   int64  // Used: as in Answer
	Raw         []byte // of an Other part: the whole of it, at its Begin
	Joined      bool   // Begin: as in Part
	Verbatim    bool   // Begin: as in Part
	Phase       string // Begin: as in Part
}
