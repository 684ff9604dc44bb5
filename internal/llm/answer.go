package llm

import (
	"bytes"
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm/jsonscan"
)

// Answer is what we read of a 2xx answer that is no event stream.
type Answer struct {
	// Kind is "" when the answer is a valid one of its dialect and operation; incompatible_response when
	// it is not; or the kind of the error that it carries in spite of its status.
	Kind fault.Kind
	// Problem is one phrase on what is wrong, "" when Kind is "".
	Problem string
	Error   ProviderError // set when the answer carries an error
	Usage   journey.Usage
	Finish  string // the finish reason of the first choice, "" when it has none
}

// IsEventStream tells whether a Content-Type is that of server-sent events.
func IsEventStream(contentType string) bool {
	const want = "text/event-stream"
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), want)
}

// DescribeBody says in one phrase what a body is that is not the JSON that was expected, such as
// `an HTML page titled "Log in"`.
func DescribeBody(body []byte) string {
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return "an empty body"
	case isHTML(text):
		if title := htmlTitle(text); title != "" {
			return fmt.Sprintf("an HTML page titled %q", title)
		}
		return "an HTML page"
	case bytes.HasPrefix(text, []byte("<")):
		return fmt.Sprintf("an XML document: %.80q", text)
	case bytes.HasPrefix(text, []byte("data:")) || bytes.HasPrefix(text, []byte("event:")):
		return "an event stream that nobody asked for"
	}
	var scan jsonscan.Scanner
	scan.Reset(body)
	scan.Skip()
	if err := scan.Err(); err != nil && (text[0] == '{' || text[0] == '[') {
		return err.Error()
	} else if err != nil {
		return fmt.Sprintf("text that is not JSON: %.80q", text)
	}
	return fmt.Sprintf("other JSON than expected: %.80q", text)
}

func isHTML(text []byte) bool {
	head := bytes.ToLower(text[:min(len(text), 512)])
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html")) ||
		(head[0] == '<' && bytes.Contains(head, []byte("<head")))
}

func htmlTitle(text []byte) string {
	text = text[:min(len(text), 16<<10)]
	lower := bytes.ToLower(text)
	i := bytes.Index(lower, []byte("<title"))
	if i < 0 || len(lower) != len(text) {
		return ""
	}
	open := bytes.IndexByte(lower[i:], '>')
	if open < 0 {
		return ""
	}
	i += open + 1
	j := bytes.Index(lower[i:], []byte("</title"))
	if j < 0 {
		return ""
	}
	title := strings.Join(strings.Fields(string(text[i:i+j])), " ")
	return title[:min(len(title), 120)]
}

// LongAnswer reads the usage of an answer that is passed on while it arrives because it is too long
// to be kept. Its memory does not grow with the answer. It must not be used concurrently.
type LongAnswer struct {
	skim    *jsonscan.Skimmer
	usage   func(value []byte) journey.Usage
	members func(value func(i int) []byte) journey.Usage // instead, where the usage is several members
}

// NewLongAnswer returns a reader that takes the usage from the outermost member of this name;
// usage reads its value.
func NewLongAnswer(member string, usage func(value []byte) journey.Usage) *LongAnswer {
	return &LongAnswer{skim: jsonscan.NewSkimmer(member), usage: usage}
}

// NewLongAnswerOf returns a reader that takes the usage from the outermost members of these names; usage reads
// the value of each by its place among the names, nil when it has not come.
func NewLongAnswerOf(usage func(value func(i int) []byte) journey.Usage, names ...string) *LongAnswer {
	return &LongAnswer{skim: jsonscan.NewSkimmer(names...), members: usage}
}

// Feed takes the next piece of the body.
func (a *LongAnswer) Feed(p []byte) { a.skim.Feed(p) }

// Finish tells what the answer used, and the kind incompatible_response with the problem when the
// whole of it is not JSON. clean as in Stream.Finish; of a body that broke, only the usage counts.
func (a *LongAnswer) Finish(clean bool) (Answer, bool) {
	answer := Answer{Usage: NoUsage()}
	if a.members != nil {
		answer.Usage = a.members(a.skim.Value)
	} else if value := a.skim.Value(0); value != nil {
		answer.Usage = a.usage(value)
	}
	err := a.skim.Err()
	if err != nil && clean {
		answer.Kind, answer.Problem = fault.IncompatibleResponse, err.Error()
	}
	setSource(&answer.Usage, err == nil && clean)
	return answer, answer.Kind == ""
}
