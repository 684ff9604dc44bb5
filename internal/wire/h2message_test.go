package wire

import (
	"io"
	"testing"
)

// TestTheSpacesOfAGRPCMessageStay: gRPC lets them stand bare at a message's ends, where HTTP takes none
// (RFC 9113 section 8.2.1). They are the message's, and pass percent-encoded; those of other fields are
// taken away.
func TestTheSpacesOfAGRPCMessageStay(t *testing.T) {
	for sent, want := range map[string]string{
		"":               "",
		"plain words":    "plain words",
		"no order ":      "no order%20",
		"  both %20 x  ": "%20%20both %20 x%20%20",
		"   ":            "%20%20%20",
	} {
		t.Run(sent, func(t *testing.T) {
			g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
				stream := s.call()
				s.head(stream, false, ":status", "200", "grpc-message", sent, "x-other", " a ")
				s.head(stream, true, "grpc-status", "5", "grpc-message", sent, "x-other", " a ")
				s.next()
			})
			o := &outcome{}
			u := g.Try(uploadCall(0), &o.Attempt, nobody{})
			if u == nil {
				t.Fatal(o.show())
			}
			defer u.Release()
			for {
				if _, err := u.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			for where, h := range map[string]*Header{"head": &u.Response.Header, "trailer": u.Trailer()} {
				if got := string(h.Lookup("grpc-message")); got != want {
					t.Errorf("grpc-message in the %s is %q, want %q", where, got, want)
				}
				if got := string(h.Lookup("x-other")); got != "a" {
					t.Errorf("x-other in the %s is %q", where, got)
				}
			}
		})
	}
}
