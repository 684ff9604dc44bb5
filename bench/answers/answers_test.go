package answers

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAnswersAreValidJSONOfTheirSize(t *testing.T) {
	event := func(last bool) []byte {
		e := Event(last)
		PutStamp(e[StampOffset:], 1_700_000_000_123_456_789)
		return []byte(strings.TrimSuffix(strings.TrimPrefix(string(e), "data: "), "\n\n"))
	}
	const framing = len("data: \n\n")
	for _, test := range []struct {
		name string
		body []byte
		size int
	}{
		{"rest 1k", JSON(SizeREST1K), SizeREST1K},
		{"rest 64k", JSON(SizeREST64K), SizeREST64K},
		{"the smallest", JSON(64), 64},
		{"chat", Chat(), SizeChat},
		{"event", event(false), EventSize - framing},
		{"last event", event(true), EventSize - framing},
		{"request", ChatRequest(CallerModel, true), len(ChatRequest(CallerModel, false)) + len(`,"stream":true`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !json.Valid(test.body) {
				t.Errorf("not JSON: %s", test.body)
			}
			if len(test.body) != test.size {
				t.Errorf("%d bytes, want %d", len(test.body), test.size)
			}
		})
	}
}

func TestTheModelsNamesAreEquallyLong(t *testing.T) {
	if len(CallerModel) != len(UpstreamModel) {
		t.Errorf("%q and %q: a rewritten answer would change its length", CallerModel, UpstreamModel)
	}
}
