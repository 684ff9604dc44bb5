// Package paste explains a failure from what somebody has copied of it: an error body, a response's head, a
// Proxy-Status field, a line of a log, an exception's text, a code. It is causeway explain without a running
// gateway. Nothing is looked up anywhere: all that is known is the text.
//
// Each recogniser looks for one form and adds what it has found; the finding that says most comes first. What a
// text does not say is told as causes in the order of their likelihood, each with what tells it apart.
package paste

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/logs"
)

// Most is how many bytes of a text are read; what stands behind them is told and left out.
const Most = 1 << 20

// Options are what Read knows beside the text. The zero value works, without providers' errors.
type Options struct {
	Dialects []llm.Dialect // whose error bodies are read
	Now      time.Time     // for years and waits that a text leaves out; zero is the present
	// Log reads lines of logs; nil makes one, which costs a few milliseconds. With one Read may not be called
	// concurrently.
	Log *logs.Recogniser
}

// Report is what a text says.
type Report struct {
	// Findings come in the order of how much they say; the first is the explanation.
	Findings []Finding `json:"findings"`
	// NotRecognised quotes what was not understood, in short; Notes say what was not read.
	NotRecognised []string `json:"not_recognised,omitempty"`
	Notes         []string `json:"notes,omitempty"`
}

// Finding is one thing that was recognised.
type Finding struct {
	What    string        `json:"what"`           // "a 502 page", "an error log's line"
	Who     string        `json:"who"`            // whose words they are
	Kind    fault.Kind    `json:"kind,omitempty"` // "" where the catalogue has none for it
	Cause   fault.Cause   `json:"cause,omitempty"`
	Status  int           `json:"status,omitempty"`
	Title   string        `json:"title"`
	Meaning string        `json:"meaning"`
	Seen    []string      `json:"seen,omitempty"` // what in the text says so
	Likely  []Likely      `json:"likely,omitempty"`
	Advice  []string      `json:"advice,omitempty"`
	Retry   fault.Verdict `json:"retry,omitempty"`
	CallID  string        `json:"call_id,omitempty"` // of the call at a Causeway, for causeway explain

	rank int
}

// Likely is one possible cause.
type Likely struct {
	Cause string `json:"cause"`
	Tell  string `json:"tell"`         // what tells it apart from the others
	Do    string `json:"do,omitempty"` // what to change, and where
}

// Ranks: how much a recogniser knows.
const (
	rankStatus  = 10 // a status alone
	rankTrouble = 30 // an exception's words
	rankPage    = 40 // another proxy's page
	rankField   = 45 // a Proxy-Status field
	rankError   = 50 // a provider's error
	rankLine    = 60 // a log's line
	rankOurs    = 80 // our own error
	rankWord    = 90 // a kind or a code, alone
)

// reader is one reading.
type reader struct {
	o     Options
	known *logs.Recogniser
	r     Report
}

// Read explains a text. It may be called concurrently, without Options.Log.
func Read(text []byte, o Options) *Report {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Log == nil {
		o.Log = logs.NewRecogniser(o.Now)
	}
	o.Log.Reset()
	r := &reader{o: o, known: o.Log}
	text = r.prepare(text)
	plain := bytes.TrimSpace(text)
	if len(plain) == 0 {
		r.r.Notes = append(r.r.Notes, "the text is empty")
		return &r.r
	}
	if r.word(string(plain)); len(r.r.Findings) > 0 {
		return r.done(plain)
	}
	head, body := r.head(plain)
	if head == nil {
		body = plain
		r.fields(plain)
	}
	r.objects(body, head)
	r.pages(body, head)
	r.foreign(bytes.TrimSpace(body), head)
	words := string(r.lines(plain))
	r.troubles(words)
	r.codes(words, false)
	return r.done(plain)
}

// prepare bounds a text and takes out what terminals and editors put in.
func (r *reader) prepare(text []byte) []byte {
	if len(text) > Most {
		r.r.Notes = append(r.r.Notes, "only the first "+fault.Size(Most)+" were read, of more")
		text = text[:Most]
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(text, 0) >= 0 {
		r.r.Notes = append(r.r.Notes, "the text has bytes that no text has; they were read as they are")
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if bytes.IndexByte(text, 0x1b) < 0 {
		return text
	}
	return withoutEscapes(text)
}

// withoutEscapes takes a terminal's colours out of a text.
func withoutEscapes(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != 0x1b || i+1 >= len(text) || text[i+1] != '[' {
			out = append(out, text[i])
			continue
		}
		for i += 2; i < len(text) && (text[i] < 0x40 || text[i] > 0x7e); i++ {
		}
	}
	return out
}

// add notes a finding and fills in what the catalogue says of its kind.
func (r *reader) add(f Finding) {
	if o, ok := outside[f.Kind]; ok && f.Who != "a Causeway" && f.Who != "Causeway" {
		f.Title, f.Meaning = or(f.Title, o.title), or(f.Meaning, o.meaning)
	}
	if e := fault.Lookup(f.Kind); e != nil {
		if f.Title == "" {
			f.Title = e.Title
		}
		if f.Meaning == "" {
			f.Meaning = e.Explain
		}
		if f.Cause == "" {
			f.Cause = e.Cause
		}
		if f.Retry == "" {
			f.Retry = again(e.Again)
		}
	}
	if len(f.Likely) == 0 {
		f.Likely = causesOf(f.Kind)
	}
	if e := fault.Lookup(f.Kind); e != nil && len(f.Advice) == 0 && len(f.Likely) == 0 {
		f.Advice = e.OperatorAdvice
		if f.Cause == fault.Caller {
			f.Advice = slices.Concat(e.CallerAdvice, e.OperatorAdvice)
		}
	}
	r.r.Findings = append(r.r.Findings, f)
}

// again is a letter of repetition as a verdict on a call of which nothing but the failure is known.
func again(a fault.Again) fault.Verdict {
	switch a {
	case fault.Always, fault.Delayed:
		return fault.Safe
	case fault.Idempotent:
		return fault.MayRepeat
	}
	return fault.No
}

// mostFindings is how many different things of one text are told.
const mostFindings = 8

// done orders the findings and says each once.
func (r *reader) done(text []byte) *Report {
	list := r.r.Findings
	slices.SortStableFunc(list, func(a, b Finding) int { return b.rank - a.rank })
	var out []Finding
	left := 0
	for _, f := range list {
		same := slices.IndexFunc(out, func(o Finding) bool {
			return o.Kind == f.Kind && o.Title == f.Title && (o.Who == f.Who || f.Kind != "")
		})
		switch {
		case same >= 0:
			for _, s := range f.Seen {
				if !slices.Contains(out[same].Seen, s) && !strings.HasPrefix(s, "the status is ") && len(out[same].Seen) < 8 {
					out[same].Seen = append(out[same].Seen, s)
				}
			}
		case len(out) == mostFindings:
			left++
		default:
			out = append(out, f)
		}
	}
	if left > 0 {
		r.r.Notes = append(r.r.Notes, fmt.Sprintf("%d more things in it are left out", left))
	}
	if len(out) == 0 {
		r.r.NotRecognised = quoteLines(text)
	}
	r.r.Findings = out
	return &r.r
}

// quoteLines are the first lines of a text, short.
func quoteLines(text []byte) (list []string) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if list = append(list, clip(string(line))); len(list) == 3 {
				break
			}
		}
	}
	return list
}

// clip bounds a piece of a text and makes it safe to show.
func clip(s string) string {
	const most = 160
	s = strings.TrimSpace(s)
	if len(s) > most {
		n := most
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "..."
	}
	return fault.Clean(s)
}
