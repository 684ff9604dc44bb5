package admin

import (
	"reflect"
	"testing"

	"causeway/internal/journey"
)

func TestHTTP2OfAnAttemptIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		in   *journey.HTTP2Facts
		want *HTTP2
	}{
		"HTTP/1.1": {nil, nil},
		"good":     {&journey.HTTP2Facts{Stream: 3, Streams: 2, Agreed: "h2"}, &HTTP2{Stream: 3, Streams: 2, Agreed: "h2"}},
		"goaway": {
			&journey.HTTP2Facts{Stream: 7, Signal: journey.HTTP2GoAway, Code: journey.HTTP2EnhanceYourCalm, LastStream: 5, Debug: []byte("a\x00b\"<"), Unworked: true, Moved: 1},
			&HTTP2{Stream: 7, Signal: "goaway", Code: "ENHANCE_YOUR_CALM", LastStream: 5, Debug: `a\x00b\"<`, Unworked: true, Moved: 1},
		},
		"no error is a code too": {&journey.HTTP2Facts{Signal: journey.HTTP2Reset}, &HTTP2{Signal: "rst_stream", Code: "NO_ERROR"}},
		"no preface":             {&journey.HTTP2Facts{Signal: journey.HTTP2Preface}, &HTTP2{Signal: "preface"}},
	} {
		a := journey.Attempt{HTTP2: c.in}
		if got := attemptView(&a).HTTP2; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
