package gateway

import (
	"bytes"

	"causeway/internal/llm"
)

// nameRoom is how much room a body's buffer has behind it, so that a longer name of the model can be written into a
// form without a copy.
const nameRoom = 256

// kept tells whether an operation is about what a provider keeps: there is no model to be named in its body.
func kept(op llm.Operation) bool {
	return op == llm.Stored || op == llm.Files || op == llm.Batches
}

// isMedia tells whether a good answer of this Content-Type is no JSON to be looked at: sound, a transcript as plain
// text or subtitles, a file. It passes byte for byte while it comes.
func (c *call) isMedia(contentType []byte) bool {
	switch c.op {
	case llm.Files:
		if c.fetchesContent() {
			return true // a file may be anything
		}
	case llm.Speech, llm.Transcriptions, llm.Translations:
	default:
		return false
	}
	kind, _, _ := bytes.Cut(bytes.ToLower(contentType), []byte{';'})
	kind = bytes.TrimSpace(kind)
	return !bytes.HasSuffix(kind, []byte("json")) && !bytes.Equal(kind, []byte("text/html"))
}
