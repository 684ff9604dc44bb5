package gateway

import (
	"strings"
	"testing"

	"causeway/internal/journey"
)

// A body whose framing is broken in what has come with its head costs no attempt and no upstream's connection.
func TestABodyThatIsSeenToBeBrokenAsksNobody(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(headConfig, "TRUSTED", "192.0.2.1", 1), up))
	const head = "POST /plain/a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n"
	nobody := func(t *testing.T, j *journey.Journey) {
		if len(j.Attempts) != 0 {
			t.Errorf("%d attempts were made: %+v", len(j.Attempts), j.Attempts)
		}
	}
	var table []scenario
	for name, body := range map[string]string{
		"a size that is none":      "xyz\r\n",
		"data beyond its size":     "1\r\nab\r\n0\r\n\r\n",
		"a second chunk":           "1\r\na\r\n-1\r\n",
		"a trailer that is none":   "1\r\na\r\n0\r\nbad trailer\r\n\r\n",
		"a size that is too large": "fffffffffffffffff\r\n",
	} {
		table = append(table, scenario{name: name, request: head + body, status: 400, has: []string{`"kind":"malformed_request"`, "Connection: close"}, record: nobody})
	}
	r.run(t, up, append(table,
		scenario{name: "a good one passes", request: head + "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", status: 200, calls: 1, sent: []string{"abc"}},
		scenario{name: "and one without a byte", request: head + "0\r\n\r\n", status: 200, calls: 1},
	))
}
