package wire

import (
	"bytes"
	"net/http"
	"testing"

	"causeway/internal/journey"
)

// FuzzRoad holds a whole connection to an upstream to the promise that FuzzResponse holds the
// parser to: an answer that is taken for whole, in whatever pieces it arrives, is one that
// net/http's client takes for whole, with the same status and body; and a connection is kept only
// if net/http would keep it and nothing is left on it.
func FuzzRoad(f *testing.F) {
	for i, s := range answers {
		f.Add([]byte(s), uint16(i), i%5 == 0)
	}
	for i, s := range strictResponses {
		f.Add([]byte(s.bytes), uint16(i), s.head)
	}
	for i, h := range hostiles {
		all := ""
		for _, p := range h.reply("call") {
			all += p
		}
		f.Add([]byte(all), uint16(i), h.method == "HEAD")
	}
	g, err := NewOrigin(OriginOptions{URL: "http://a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(g.Close)
	f.Fuzz(func(t *testing.T, data []byte, pieces uint16, head bool) {
		s := newScript(data, pieces)
		body, facts, kept := overRoad(g, s, head)
		if facts.End != journey.EndComplete {
			if kept {
				t.Fatalf("a connection is kept whose answer ended by %s", facts.End)
			}
			return
		}
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		theirs, err := theirResponse(data, method)
		if err != nil {
			t.Fatalf("net/http refuses an answer of status %d that we take for whole: %v", facts.Status, err)
		}
		if !theirs.whole || !bytes.Equal(body, theirs.body) {
			t.Fatalf("ours %q, theirs %q, whole %v", body, theirs.body, theirs.whole)
		}
		if kept && (theirs.close || theirs.end != len(data)-len(s.rest)) {
			t.Fatalf("we keep the connection with %d of %d bytes read; theirs closes %v, and the answer has %d",
				len(data)-len(s.rest), len(data), theirs.close, theirs.end)
		}
	})
}

// overRoad makes an attempt on a script and reads the answer.
func overRoad(g *Origin, s *script, head bool) (body []byte, a journey.Attempt, kept bool) {
	call := getCall()
	call.IsHead = head
	call.Limits = AttemptLimits{}
	u := &Upcall{origin: g, connected: true, watch: nobody{}}
	u.sock.init(s)
	g.open.Add(1)
	u.begin(call, &a)
	if !u.send(call, &a, clock()) || !u.readHead(call, &a) {
		u.endUpload()
		u.discard()
		return nil, a, false
	}
	for {
		p, err := u.Next()
		if err != nil {
			break
		}
		body = append(body, p...)
	}
	u.Release()
	g.mu.Lock()
	kept = len(g.idle) > 0
	g.idle = g.idle[:0]
	g.mu.Unlock()
	if kept {
		u.discard()
	}
	return body, a, kept
}
