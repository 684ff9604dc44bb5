package wire

import (
	"testing"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// TestWhatAnUpstreamsHTTP2Says is what an attempt's facts tell of peers that contradict themselves, or leave at once.
func TestWhatAnUpstreamsHTTP2Says(t *testing.T) {
	for name, c := range map[string]struct {
		script   func(s *h2Script)
		phase    journey.Phase
		end      journey.End
		signal   journey.HTTP2Signal
		fault    journey.ParseFault
		unworked bool
	}{
		"GOAWAY behind SETTINGS": {func(s *h2Script) {
			_ = s.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
			s.next()
		}, journey.PhaseSend, journey.EndHTTP2, journey.HTTP2GoAway, journey.FaultNone, true},
		"GOAWAY behind SETTINGS, and a reason": {func(s *h2Script) {
			_ = s.fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
			s.next()
		}, journey.PhaseSend, journey.EndHTTP2, journey.HTTP2GoAway, journey.FaultNone, true},
		"REFUSED_STREAM before the answer": {func(s *h2Script) {
			_ = s.fr.WriteRSTStream(s.call(), http2.ErrCodeRefusedStream)
			s.next()
		}, journey.PhaseWait, journey.EndHTTP2, journey.HTTP2Reset, journey.FaultNone, true},
		"REFUSED_STREAM in the answer": {func(s *h2Script) {
			id := s.call()
			s.head(id, false, ":status", "200", "content-length", "10")
			_ = s.fr.WriteData(id, false, []byte("half"))
			_ = s.fr.WriteRSTStream(id, http2.ErrCodeRefusedStream)
			s.next()
		}, journey.PhaseBody, journey.EndHTTP2, journey.HTTP2Reset, journey.FaultNone, false},
		"GOAWAY below the stream, in the answer": {func(s *h2Script) {
			id := s.call()
			s.head(id, false, ":status", "200", "content-length", "10")
			_ = s.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
			s.next()
		}, journey.PhaseBody, journey.EndHTTP2, journey.HTTP2GoAway, journey.FaultNone, false},
		"a trailer with :status": {func(s *h2Script) {
			id := s.call()
			s.head(id, false, ":status", "200")
			s.head(id, true, ":status", "200")
			s.next()
		}, journey.PhaseBody, journey.EndParse, journey.HTTP2Error, journey.FaultHTTP2, false},
		"a trailer that does not end the answer": {func(s *h2Script) {
			id := s.call()
			s.head(id, false, ":status", "200")
			s.head(id, false, "x", "y")
			s.next()
		}, journey.PhaseBody, journey.EndParse, journey.HTTP2Error, journey.FaultHTTP2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h2Scripted(t, OriginOptions{}, c.script)
			o := attempt(g, getCall())
			if o.Phase != c.phase || o.End != c.end || o.HTTP2.Signal != c.signal || o.Fault != c.fault || o.HTTP2.Unworked != c.unworked {
				t.Errorf("%s, phase %v, %+v", o.show(), o.Phase, o.HTTP2)
			}
		})
	}
}

// TestACallIsNotAloneWhereAnotherOneFollowed: what is told of a connection's end is how many it met, not how many there were when
// this call began.
func TestACallIsNotAloneWhereAnotherOneFollowed(t *testing.T) {
	begun := make(chan struct{}, 2)
	g := h2Scripted(t, OriginOptions{}, func(s *h2Script) {
		s.answer(s.call(), "first") // so that the others use it again
		s.call()
		begun <- struct{}{}
		s.call()
		_ = s.nc.Close()
	})
	if o := attempt(g, getCall()); string(o.body) != "first" {
		t.Fatal(o.show())
	}
	met := make(chan *outcome, 2)
	go func() { met <- attempt(g, getCall()) }()
	soon(t, "the call", begun)
	go func() { met <- attempt(g, getCall()) }()
	for range 2 {
		if o := soon(t, "an end", met); !o.none || o.End != journey.EndEOF && o.End != journey.EndReset || o.HTTP2.Streams != 1 {
			t.Errorf("%s %+v", o.show(), o.HTTP2)
		}
	}
}
