package jsontree_test

import (
	"testing"

	"causeway/internal/llm/jsontree"
)

// TestReadyJSONStaysOnOneLine gives values over several lines, as a provider that indents its JSON sends them: an event
// of a stream with a line end in it would be cut there.
func TestReadyJSONStaysOnOneLine(t *testing.T) {
	const indented = "{\r\n  \"tz\": \"a\\nb\",\n\n  \"n\": [\n1]\r}"
	const want = `{"args":{    "tz": "a\nb",    "n": [ 1] },"more":{    "tz": "a\nb",    "n": [ 1] }}`
	var w jsontree.Writer
	w.Reset([]byte("event: x\ndata: "))
	w.Object()
	w.RawMember("args", []byte(indented))
	w.Name("more")
	w.RawStr(indented)
	w.End()
	if got := string(w.Buf); got != "event: x\ndata: "+want {
		t.Errorf("%q", got)
	}
}
