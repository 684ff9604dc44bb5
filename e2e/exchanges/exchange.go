package exchanges

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// Field is a header or trailer field, name and value. A character of either is one byte as it
// stands on the wire (ISO 8859-1), so that every legal value survives JSON.
type Field [2]string

// Request is what a client is told to send.
type Request struct {
	Method string `json:"method"` // "" for GET
	// Path follows the exchange's own prefix, with the query, as it shall stand on the wire where
	// the client lets it.
	Path    string  `json:"path"`
	Headers []Field `json:"headers"`
	// Body is "" for none, "length" or "chunked" (no length known before).
	Body     string  `json:"body"`
	Size     int     `json:"size"` // of the body, in bytes of Pattern; 0 with Text
	Text     string  `json:"text"` // the body itself, in ISO 8859-1
	Trailers []Field `json:"trailers"`
	Expect   bool    `json:"expect"` // wait for 100 (Continue) before the body
	Close    bool    `json:"close"`  // Connection: close
	HTTP10   bool    `json:"http10"`
	Repeat   int     `json:"repeat"`   // that many calls, one after the other, on what connections the client keeps
	Pipeline int     `json:"pipeline"` // that many requests in one write
	Follow   bool    `json:"follow"`   // follow redirects
	Cookies  bool    `json:"cookies"`  // twice: the second time with the cookies that the first one got
}

// Framing is how the origin delimits a body on HTTP/1.1.
type Framing int

// The framings.
const (
	ByLength   Framing = iota
	Chunked            // no Content-Length on HTTP/2
	UntilClose         // ended by closing the connection; as Chunked on HTTP/2
	NoBody             // no framing field at all: 204, 304
)

// End is how the origin ends an answer.
type End int

// The ends.
const (
	Whole    End = iota
	Cut          // closed before the body's end; RST_STREAM on HTTP/2
	Reset        // reset before the body's end
	NoAnswer     // closed without a byte
)

// Interim is an answer before the answer.
type Interim struct {
	Status  int     `json:"status"`
	Headers []Field `json:"headers"`
}

// Answer is what the origin does.
type Answer struct {
	Status   int    // 0 for 200
	Reason   string // "" for the origin's own
	NoReason bool   // none at all
	Headers  []Field
	Interim  []Interim
	Framing  Framing
	Declared int      // Content-Length where there is no body (HEAD, 304), 0 for none
	Pieces   []string // the body, in ISO 8859-1
	Size     int      // of the body, in bytes of Pattern, in place of Pieces
	Pause    time.Duration
	Wait     time.Duration // before the first byte
	Trailers []Field
	Early    bool // answers before it reads the body
	Refuse   bool // does not let a caller that waits for 100 (Continue) go on
	End      End
	HTTP10   bool
	Close    bool // Connection: close
	NoDate   bool
}

// Exchange is one request and its answer.
type Exchange struct {
	Name    string
	About   string // one line for the documentation
	Request Request
	Answer  Answer
	// AnswerTo answers requests that get different ones, in place of Answer.
	AnswerTo func(*Received) Answer
	// Only limits the exchange to these columns; nil for all.
	Only []Column
}

// Received is a request as the origin saw it.
type Received struct {
	Method, Target, Version string
	Headers                 []Field
	Framing                 string // "none", "length" or "chunked"
	Length                  int
	SHA                     string
	Trailers                []Field
	Broken                  bool // the body ended before its end
	Conn                    int  // the connection's number
	Suffix                  string
}

// Seen is what a client saw of one exchange.
type Seen struct {
	Skip  string `json:"skip"`  // why the client cannot do this exchange
	Error string `json:"error"` // the class of the error that its user gets
	// Status is 0 when there was no answer; Reason "" where the client does not show it.
	Status  int     `json:"status"`
	Reason  string  `json:"reason"`
	Headers []Field `json:"headers"`
	// Ordered tells that Headers stand in the order and case of the wire.
	Ordered  bool      `json:"ordered"`
	Trailers []Field   `json:"trailers"`
	Interim  []Interim `json:"interim"`
	Length   int       `json:"length"`
	SHA      string    `json:"sha"`    // of the body; "" where the client does not show it
	Spread   int       `json:"spread"` // milliseconds between the body's first and its last bytes
	Wait     int       `json:"wait"`   // milliseconds before the body's first byte
	Statuses []int     `json:"statuses"`
	URL      string    `json:"url"`     // where a followed redirect led
	Framing  string    `json:"framing"` // "length", "chunked" or "close", where the client shows it
	Version  string    `json:"version"`
	Took     int       `json:"took"` // milliseconds, where the driver tells
}

// Pattern is a body of n bytes, at most 5 MiB, in which every piece of 251 bytes has its like only
// that far away. It must not be written to.
func Pattern(n int) []byte { return pattern()[:n] }

var pattern = sync.OnceValue(func() []byte {
	b := make([]byte, large)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
})

// Sum is the SHA-256 of a body, in hexadecimal.
func Sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// latin turns bytes into text of one character a byte.
func latin(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// bytesOf turns such text into bytes again.
func bytesOf(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

// payload is the body that a request sends.
func (r *Request) payload() []byte {
	if r.Size > 0 {
		return Pattern(r.Size)
	}
	return bytesOf(r.Text)
}

// whole is the body that an answer sends when nothing goes wrong.
func (a *Answer) whole() []byte {
	if a.Size > 0 {
		return Pattern(a.Size)
	}
	var b []byte
	for _, p := range a.Pieces {
		b = append(b, bytesOf(p)...)
	}
	return b
}

// pieces are what the origin writes at a time.
func (a *Answer) pieces() [][]byte {
	if a.Size == 0 {
		var list [][]byte
		for _, p := range a.Pieces {
			list = append(list, bytesOf(p))
		}
		return list
	}
	const most = 64 << 10
	var list [][]byte
	for b := Pattern(a.Size); len(b) > 0; {
		n := min(len(b), most)
		list, b = append(list, b[:n]), b[n:]
	}
	return list
}
