package fault

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Where the pages of this package are served. A kind or a call id follows the slash.
const (
	FailuresPath = "/.causeway/failures/"
	CallsPath    = "/.causeway/calls/"
)

// View says to whom a finding is told.
type View struct {
	CallID string // "" when the call has none
	// Full tells addresses, evidence, attempts and the operator's advice. Without it only what a
	// stranger may know is told (contract section 6, "details").
	Full      bool
	PublicURL string    // server.public_url without trailing slash; "" makes links relative
	Time      time.Time // of the call, for the pages; the zero time is left out
}

func (v View) typeURL(k Kind) string { return v.PublicURL + FailuresPath + string(k) }

// helpURL is the call's own page, or the kind's where there is no call id.
func (v View) helpURL(k Kind) string {
	if v.CallID == "" {
		return v.typeURL(k)
	}
	return v.PublicURL + CallsPath + v.CallID
}

// detail is the sentence that the view may see.
func (v View) detail(f *Finding, e *Entry) string {
	switch {
	case v.Full && f.Detail != "":
		return f.Detail
	case f.SafeDetail != "":
		return f.SafeDetail
	default:
		return e.Title + "."
	}
}

// advice is the advice that the view may see. On a failure of the caller's own doing the full
// view begins with the caller's advice too, since whoever reads it is that caller.
func (v View) advice(f *Finding, e *Entry) []string {
	caller := f.CallerAdvice
	if len(caller) == 0 {
		caller = e.CallerAdvice
	}
	if !v.Full {
		return caller
	}
	operator := f.Advice
	if len(operator) == 0 {
		operator = e.OperatorAdvice
	}
	if f.Cause != Caller {
		return operator
	}
	all := make([]string, 0, len(caller)+len(operator))
	return append(append(all, caller...), operator...)
}

// Problem appends f as an application/problem+json object (RFC 9457) to dst. It may be called
// concurrently.
func Problem(dst []byte, f *Finding, v View) []byte { return Members(dst, f, v) }

// Members appends the members of Problem as a JSON object, for the member error.causeway of an
// LLM dialect's error. Invalid UTF-8 becomes U+FFFD.
func Members(dst []byte, f *Finding, v View) []byte {
	e := entryOf(f.Kind)
	o := object{dst: dst}
	o.open()
	o.str("type", v.typeURL(f.Kind))
	o.str("title", e.Title)
	o.num("status", int64(f.Status))
	o.str("detail", v.detail(f, e))
	o.str("kind", string(f.Kind))
	o.str("cause", string(f.Cause))
	if v.CallID != "" {
		o.str("call_id", v.CallID)
	}
	o.str("retry", string(f.Retry))
	o.boolean("retryable", f.Retry == Safe)
	if f.RetryAfterMS > 0 {
		o.num("retry_after_ms", f.RetryAfterMS)
	}
	if v.Full {
		o.strs("evidence", f.Evidence)
		o.attempts("attempts", f.Attempts)
	}
	o.strs("advice", v.advice(f, e))
	o.str("help", v.helpURL(f.Kind))
	o.reasoning(f, v)
	o.close()
	return o.dst
}

// reasoning writes how the verdict was reached, and for everybody what repeating may do twice.
func (o *object) reasoning(f *Finding, v View) {
	o.strIf("warning", f.Warning)
	if !v.Full {
		return
	}
	o.strIf("confidence", f.Confidence)
	o.strIf("pattern", f.Pattern)
	o.strIf("because", f.Because)
	if len(f.RuledOut) > 0 {
		o.strs("ruled_out", f.RuledOut)
	}
	o.strIf("check", f.Check)
}

// object writes one JSON object; the order of its members is the order of the calls.
type object struct {
	dst  []byte
	some bool
}

func (o *object) open()  { o.dst = append(o.dst, '{') }
func (o *object) close() { o.dst = append(o.dst, '}') }

func (o *object) name(name string) {
	if o.some {
		o.dst = append(o.dst, ',')
	}
	o.some = true
	o.dst = append(append(append(o.dst, '"'), name...), `":`...)
}

func (o *object) str(name, s string) {
	o.name(name)
	o.dst = AppendString(o.dst, s)
}

// strIf writes the member only when there is something to say.
func (o *object) strIf(name, s string) {
	if s != "" {
		o.str(name, s)
	}
}

func (o *object) num(name string, n int64) {
	o.name(name)
	o.dst = strconv.AppendInt(o.dst, n, 10)
}

func (o *object) ms(name string, ms float64) {
	o.name(name)
	o.dst = strconv.AppendFloat(o.dst, roundMS(ms), 'f', -1, 64)
}

func (o *object) boolean(name string, b bool) {
	o.name(name)
	o.dst = strconv.AppendBool(o.dst, b)
}

func (o *object) strs(name string, list []string) {
	o.name(name)
	o.dst = append(o.dst, '[')
	for i, s := range list {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = AppendString(o.dst, s)
	}
	o.dst = append(o.dst, ']')
}

func (o *object) attempts(name string, list []Attempt) {
	o.name(name)
	o.dst = append(o.dst, '[')
	for i, a := range list {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		m := object{dst: o.dst}
		m.open()
		m.str("target", a.Target)
		m.strIf("kind", string(a.Kind))
		if a.Status != 0 {
			m.num("status", int64(a.Status))
		}
		m.ms("ms", a.MS)
		m.close()
		o.dst = m.dst
	}
	o.dst = append(o.dst, ']')
}

// roundMS keeps what can be read at a glance: two decimals below a millisecond, one below a
// second, none above.
func roundMS(ms float64) float64 {
	switch {
	case math.IsNaN(ms) || math.IsInf(ms, 0) || ms < 0:
		return 0
	case ms < 1:
		return math.Round(ms*100) / 100
	case ms < 1000:
		return math.Round(ms*10) / 10
	default:
		return math.Round(ms)
	}
}

const hexDigits = "0123456789abcdef"

// isPlain are the bytes that AppendString takes as they are: a finding is mostly of these.
var isPlain = func() (plain [256]bool) {
	for c := byte(0x20); c < 0x7f; c++ {
		plain[c] = c != '"' && c != '\\' && c != '<' && c != '>'
	}
	return plain
}()

// AppendString appends s as a JSON string (RFC 8259 section 7). Invalid UTF-8 becomes U+FFFD, and
// the characters that end a script element or a JavaScript line are escaped, so that the object
// may stand in a page as it is.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		plain := i
		for plain < len(s) && isPlain[s[plain]] {
			plain++
		}
		if dst = append(dst, s[i:plain]...); plain == len(s) {
			break
		}
		i = plain
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c == '\n':
				dst = append(dst, '\\', 'n')
			case c == '\r':
				dst = append(dst, '\\', 'r')
			case c == '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, "\uFFFD"...)
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, '\\', 'u', '2', '0', '2', hexDigits[r&15])
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}
