package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
	"causeway/internal/wire"
)

// badBody refuses a body that the caller has to mend. It returns false.
func (c *call) badBody(err error) bool {
	f := failure{kind: fault.BadRequest}
	f.detail = "The request's body can't be used: " + err.Error() + "."
	var re *llm.RequestError
	var jf *jsontree.Fault
	if errors.As(err, &jf) {
		re = &llm.RequestError{Pointer: jf.Pointer, Offset: jf.Offset, Problem: jf.Problem}
	}
	if re != nil || errors.As(err, &re) {
		f.param = re.Param()
		if c.prompt.asked {
			f.param = re.Pointer
		}
		f.evidence = []string{"JSON pointer: " + quotePointer(re.Pointer), fmt.Sprintf("at byte %d of the body", re.Offset)}
		if re.Pointer == "" && re.Problem == llm.NotAnObject {
			f.detail = "The request's body can't be used: it must be a JSON object, and it is " + describeRequest(c.body) + "."
			if t := c.rq.Header.Get(wire.ContentType); len(t) > 0 {
				f.evidence = append(f.evidence, "Content-Type: "+clipText(string(t)))
			}
		}
	}
	f.safe = f.detail
	return c.fail(f)
}

// describeRequest says in a phrase what a body is that is no JSON object. It quotes nothing: what was sent by mistake
// may be anything.
func describeRequest(body []byte) string {
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0:
		return "empty"
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return "text behind a byte order mark (EF BB BF), which JSON must not begin with"
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")), len(text) > 1 && (text[0] == 0 || text[1] == 0):
		return "UTF-16 or binary, and not UTF-8"
	case bytes.HasPrefix(text, []byte{0x1f, 0x8b}), bytes.HasPrefix(text, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "compressed, and no Content-Encoding says so"
	case bytes.HasPrefix(text, []byte("--")):
		return "a form (multipart/form-data)"
	case text[0] == '<':
		return "HTML or XML"
	case jsonscan.Valid(text):
		return "other JSON"
	}
	return "something else"
}

// readForm reads the caller's body into the form in which it crosses. What passes through is the provider's to judge;
// what is written anew has to be text, and to hold what can be carried.
func (c *call) readForm() error {
	if err := mustBeText(c.body); err != nil {
		return err
	}
	if err := c.cross.form.read(c.match(), c.body); err != nil {
		return err
	}
	return c.cross.form.request().Check()
}

// mustBeText says where a body stops being UTF-8.
func mustBeText(body []byte) error {
	if utf8.Valid(body) {
		return nil
	}
	at := 0
	for at < len(body) {
		r, n := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return &llm.RequestError{Pointer: jsonscan.Place(body, at), Offset: at, Problem: "is not valid UTF-8"}
}

// threadMember is how Anthropic's bodies go on from a conversation that the provider keeps.
var threadMember = []byte(`"thread"`)

// namesThread tells whether a body that passes names a message of a conversation that the provider keeps. With a key
// that several applications share it may be another's: nothing at hand says whose. Anthropic's SDKs take the refusal as a
// word to send the whole conversation.
func (c *call) namesThread() bool {
	if c.provider.CallerKey || c.dialect.Name() != "anthropic" || !bytes.Contains(c.body, threadMember) {
		return false
	}
	var scan jsonscan.Scanner
	scan.Reset(c.body)
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !k.Is("thread") || scan.Peek() != jsonscan.Object {
			scan.Skip()
			continue
		}
		for ok := scan.Object(); ok && scan.Member(&k); {
			kind := scan.Peek()
			if scan.Skip(); !k.Is("type") && kind != jsonscan.Null {
				return true
			}
		}
	}
	return false
}
