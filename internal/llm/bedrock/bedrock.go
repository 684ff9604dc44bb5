// Package bedrock is the dialect of Amazon Bedrock's runtime: Converse and ConverseStream in full, CountTokens, and
// InvokeModel, whose bodies are the models' own, as far as passing them on needs.
//
// What differs from other dialects: the address names the model and whether the answer is streamed, the body has neither;
// a stream is made of AWS's binary frames (application/vnd.amazon.eventstream); usage always comes, in the last frame; an
// exception may stand in place of any frame.
//
// Sources: docs.aws.amazon.com/bedrock/latest/APIReference (Converse, ConverseStream, InvokeModel,
// InvokeModelWithResponseStream, CountTokens, Common errors), smithy.io/2.0/aws/amazon-eventstream.html for the frames, and
// the service's model as @aws-sdk/client-bedrock-runtime 3.1164.0 carries it.
package bedrock

import (
	"net/http"
	"net/url"
	"strings"
	"unsafe"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// name is the dialect's name; it also signs what only Bedrock understands.
const name = "bedrock"

// Dialect implements llm.Dialect.
type Dialect struct{}

var (
	_ llm.Dialect      = Dialect{}
	_ llm.Placer       = Dialect{}
	_ llm.Framed       = Dialect{}
	_ canon.Speaker    = Dialect{}
	_ canon.CountCodec = Dialect{}
)

// New returns the dialect.
func New() Dialect { return Dialect{} }

// Name is "bedrock".
func (Dialect) Name() string { return name }

// prefix is what stands before a model in the addresses.
const prefix = "/model/"

// Routes has the one address below which all others are: the model and the verb follow.
func (Dialect) Routes() []llm.Route {
	return []llm.Route{{Method: http.MethodPost, Path: prefix + "*", Op: llm.Chat}}
}

// Lookup finds the operation of /model/{modelId}/{verb}. The model is decoded: the SDKs send an ARN with its colons and
// slashes encoded. One whose slashes are not is understood too.
func (Dialect) Lookup(method, path string) (m llm.Match, ok bool) {
	rest, found := strings.CutPrefix(path, prefix)
	cut := strings.LastIndexByte(rest, '/')
	if !found || cut <= 0 {
		return llm.Match{}, false
	}
	switch rest[cut+1:] {
	case "converse":
		m.Op = llm.Chat
	case "converse-stream":
		m.Op, m.Stream = llm.Chat, true
	case "invoke":
		m.Op = llm.Invoke
	case "invoke-with-response-stream":
		m.Op, m.Stream = llm.Invoke, true
	case "count-tokens":
		m.Op = llm.CountTokens
	default:
		return llm.Match{}, false
	}
	if method != http.MethodPost {
		return llm.Match{Allow: http.MethodPost}, false
	}
	if m.Model = rest[:cut]; strings.IndexByte(m.Model, '%') >= 0 {
		plain, err := url.PathUnescape(m.Model)
		if err != nil {
			return llm.Match{}, false
		}
		m.Model = plain
	}
	return m, true
}

// Path is the part of the addresses before the model; Place makes the whole.
func (Dialect) Path(llm.Operation) string { return strings.TrimSuffix(prefix, "/") }

// Place is the address for a model's name, an inference profile or an ARN. Everything but letters, digits and "-._~" is
// encoded, as the SDKs do it and Signature Version 4 wants it.
func (Dialect) Place(op llm.Operation, model string, stream bool) (path, query string) {
	b := make([]byte, 0, len(prefix)+len(model)+40)
	b = append(b, prefix...)
	for i := range len(model) {
		c := model[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b = append(b, c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	switch {
	case op == llm.CountTokens:
		b = append(b, "/count-tokens"...)
	case op == llm.Invoke && stream:
		b = append(b, "/invoke-with-response-stream"...)
	case op == llm.Invoke:
		b = append(b, "/invoke"...)
	case stream:
		b = append(b, "/converse-stream"...)
	default:
		b = append(b, "/converse"...)
	}
	return string(b), ""
}

// ReadRequest takes model and stream from the address; the body must be a JSON object. That of InvokeModel is the model's
// own and is not looked at.
func (Dialect) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	*req = llm.Request{
		Op: match.Op, Stream: match.Stream, UsageAsked: true,
		Model: unsafe.Slice(unsafe.StringData(match.Model), len(match.Model)), // read only, as req.Model is
	}
	if match.Op == llm.Invoke {
		return nil
	}
	var scan jsonscan.Scanner
	scan.Reset(body)
	m := llm.Enter(&scan, "")
	for {
		if _, ok := m.Next(&scan); !ok {
			return m.Err(&scan)
		}
		scan.Skip()
	}
}

// LongAnswer reads the member usage of the body.
func (Dialect) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswer("usage", func(value []byte) journey.Usage {
		var scan jsonscan.Scanner
		scan.Reset(value)
		return readUsage(&scan)
	})
}

// NewStream follows the frames of a ConverseStream or InvokeModelWithResponseStream. There is nothing to strip.
func (Dialect) NewStream(op llm.Operation, _ bool) *llm.Stream {
	if op == llm.Invoke {
		j := &invokeJudge{}
		return llm.NewFramedStream(j, 0, &j.frames)
	}
	j := &converseJudge{}
	return llm.NewFramedStream(j, 0, &j.frames)
}

// FramedStream is NewStream for application/vnd.amazon.eventstream.
func (d Dialect) FramedStream(op llm.Operation, contentType string) *llm.Stream {
	kind, _, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), streamType) {
		return nil
	}
	return d.NewStream(op, false)
}

// Codec is that of Converse. InvokeModel does not cross to other dialects: its bodies are those of some twenty APIs.
func (Dialect) Codec(op llm.Operation) canon.Codec {
	if op == llm.Chat {
		return codec{}
	}
	return nil
}
