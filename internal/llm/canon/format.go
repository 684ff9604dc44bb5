package canon

import (
	"bytes"

	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// Described is the format's schema, with the format's description in it where the schema has none itself: for
// dialects that have no other place for it.
func (f *Format) Described() []byte {
	if f.Description == "" {
		return f.Schema
	}
	d, err := jsontree.Parse(f.Schema, true)
	if err != nil || !d.Root().IsObject() || d.Root().Len() == 0 || d.Root().Get("description").Exists() {
		return f.Schema
	}
	out := append(make([]byte, 0, len(f.Schema)+len(f.Description)+32), `{"description":`...)
	out = append(jsonscan.Quote(out, f.Description), ',')
	return append(out, f.Schema[bytes.IndexByte(f.Schema, '{')+1:]...)
}
