// Package tokens counts the tokens of texts, for answers whose provider does not tell its usage. With OpenAI's
// models the count of a text is exact; other vendors' models have vocabularies of their own, and it is an estimate
// that is mostly within a fifth. The vocabularies are part of the binary and unfold at the first count, since
// most gateways never need one.
package tokens

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"
)

// Counter counts tokens. It is safe for concurrent use.
type Counter struct {
	mu     sync.Mutex
	codecs map[tokenizer.Encoding]tokenizer.Codec
}

// NewCounter returns a counter that has no vocabulary unfolded yet.
func NewCounter() *Counter { return &Counter{codecs: map[tokenizer.Encoding]tokenizer.Codec{}} }

// maxExact is how much of a text is counted exactly, in bytes: what is longer is counted in part, and the rest in
// proportion, so that no text keeps a CPU for long.
const maxExact = 256 << 10

// Count is how many tokens text has for a model.
func (c *Counter) Count(model, text string) int64 {
	if text == "" {
		return 0
	}
	part := text
	if len(part) > maxExact {
		part = part[:maxExact]
		for len(part) > 0 && !utf8.RuneStart(text[len(part)]) {
			part = part[:len(part)-1]
		}
	}
	codec := c.codec(encoding(model))
	if codec == nil {
		return estimate(text)
	}
	n, err := codec.Count(part)
	if err != nil {
		return estimate(text)
	}
	return int64(float64(n) * float64(len(text)) / float64(len(part)))
}

// estimate is a token for four bytes.
func estimate(text string) int64 { return int64(len(text)+3) / 4 }

func (c *Counter) codec(e tokenizer.Encoding) tokenizer.Codec {
	c.mu.Lock()
	defer c.mu.Unlock()
	if codec, ok := c.codecs[e]; ok {
		return codec
	}
	codec, err := tokenizer.Get(e)
	if err != nil {
		codec = nil
	}
	c.codecs[e] = codec
	return codec
}

// encoding is the vocabulary of a model, by its name without a provider's or owner's part. Models of other vendors
// are counted with OpenAI's newest.
func encoding(model string) tokenizer.Encoding {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	for _, old := range []string{"gpt-4-", "gpt-3.5", "gpt-35", "text-embedding-", "gpt-4.0"} {
		if strings.HasPrefix(name, old) {
			return tokenizer.Cl100kBase
		}
	}
	if name == "gpt-4" {
		return tokenizer.Cl100kBase
	}
	return tokenizer.O200kBase
}

// The tokens that OpenAI's chat format adds to its texts
// (github.com/openai/openai-cookbook, "How to count tokens with tiktoken").
const (
	PerMessage = 4 // for each message: three, and its role
	PerAnswer  = 3 // once: the answer begins with its role
)
