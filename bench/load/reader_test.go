package load

import (
	"fmt"
	"strings"
	"testing"

	"causeway/bench/answers"
)

// streamed is a whole chunked answer with n events whose times are 1000, 1001, ..., its data cut
// into chunks of the given size.
func streamed(n, chunk int) string {
	var data []byte
	for i := range n {
		event := answers.Event(i == n-1)
		answers.PutStamp(event[answers.StampOffset:], int64(1000+i))
		data = append(data, event...)
	}
	data = append(data, answers.Done...)
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\ntransfer-encoding:  chunked\r\n\r\n")
	for len(data) > 0 {
		step := min(chunk, len(data))
		fmt.Fprintf(&b, "%x;ext=1\r\n%s\r\n", step, data[:step])
		data = data[step:]
	}
	b.WriteString("0\r\nTrailer: x\r\n\r\n")
	return b.String()
}

func TestAnswersAreReadAlikeHoweverTheyArrive(t *testing.T) {
	const plain = "HTTP/1.1 404 Not Found\r\nX: y\r\nCONTENT-LENGTH: 5\r\nConnection: close\r\n\r\nhello"
	for _, test := range []struct {
		name, wire     string
		stream         bool
		status, events int
		length         int64
		close          bool
	}{
		{"a length", plain, false, 404, 0, 5, true},
		{"no body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, 0, 0, false},
		{"a chunk per event", streamed(7, answers.EventSize), true, 200, 7, answers.StreamLength(7), false},
		{"chunks across events", streamed(7, 33), true, 200, 7, answers.StreamLength(7), false},
		{"one big chunk", streamed(7, 1<<20), true, 200, 7, answers.StreamLength(7), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 64, 1000, len(test.wire)} {
				var r reader
				var stamps []int64
				wire := []byte(test.wire + "next")
				var rest []byte
				for at := 0; at < len(wire) && r.phase != whole; at += size {
					var err error
					part := append([]byte(nil), wire[at:min(at+size, len(wire))]...)
					if rest, err = r.feed(part, test.stream, func(s int64) { stamps = append(stamps, s) }); err != nil {
						t.Fatalf("in parts of %d: %v", size, err)
					}
				}
				if r.phase != whole || r.status != test.status || r.length != test.length || r.close != test.close || r.stream.events != test.events {
					t.Fatalf("in parts of %d: %+v", size, r)
				}
				if !strings.HasPrefix("next", string(rest)) {
					t.Errorf("in parts of %d: %q is left over", size, rest)
				}
				if test.stream && !r.endsWithDone() {
					t.Errorf("in parts of %d: the last event is %q", size, r.stream.tail)
				}
				for i, s := range stamps {
					if s != int64(1000+i) {
						t.Fatalf("in parts of %d: event %d has the time %d", size, i, s)
					}
				}
				if len(stamps) != test.events {
					t.Errorf("in parts of %d: %d times in %d events", size, len(stamps), test.events)
				}
			}
		})
	}
}

func TestWhatIsNotHTTPIsAnError(t *testing.T) {
	for _, wire := range []string{
		"220 ready\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
	} {
		var r reader
		if _, err := r.feed([]byte(wire), false, nil); err == nil {
			t.Errorf("%q is read as an answer", wire)
		}
	}
}
