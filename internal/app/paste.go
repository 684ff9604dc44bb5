package app

import "causeway/internal/paste"

// ExplainText explains a failure from a text that somebody has copied. It needs no running instance.
func ExplainText(text []byte) *paste.Report {
	return paste.Read(text, paste.Options{Dialects: dialects()})
}
