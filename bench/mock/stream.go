package mock

import (
	"time"

	"causeway/bench/answers"
)

// The pace's clock ticks this many times per event, so that streams that began at different times
// keep their distance, but not more often than finestTick.
const (
	ticksPerEvent = 8
	finestTick    = 100 * time.Microsecond
)

// begin writes a stream's head; its events follow in advance.
func (s *Server) begin(c *conn, usage bool) bool {
	s.answered.streams++
	c.stream = stream{
		active: true,
		usage:  usage,
		cut:    every(s.options.CutEvery, s.answered.streams),
		noDone: every(s.options.OmitDoneEvery, s.answered.streams),
		due:    time.Now().Add(s.options.Pace),
	}
	s.streams = append(s.streams, c)
	return s.write(c, s.prebuilt.streamHead)
}

// beginMessage makes a stream that has begun one of Anthropic's dialect.
func (s *Server) beginMessage(c *conn) bool {
	c.stream.message = true
	return s.write(c, s.prebuilt.messageBegin)
}

// keepTicking runs the clock exactly while paced streams are under way.
func (s *Server) keepTicking() error {
	want := s.options.Pace > 0 && len(s.streams) > 0
	if want == s.ticking {
		return nil
	}
	s.ticking = want
	if !want {
		return s.poller.Tick(0)
	}
	return s.poller.Tick(max(s.options.Pace/ticksPerEvent, finestTick))
}

// advance writes the next event of every stream whose time has come.
func (s *Server) advance() {
	now := time.Now()
	for i := len(s.streams) - 1; i >= 0; i-- { // backwards: a stream that ends takes its place's successor away
		c := s.streams[i]
		if c.stream.due.After(now) || len(c.out) > 0 {
			continue
		}
		// A late event is not caught up with: two at once would share one write downstream.
		if c.stream.due = c.stream.due.Add(s.options.Pace); c.stream.due.Before(now) {
			c.stream.due = now.Add(s.options.Pace)
		}
		s.step(c, now)
	}
}

// step writes one event of a stream, each in a write of its own, and its end after the last.
func (s *Server) step(c *conn, now time.Time) {
	st := &c.stream
	switch {
	case st.cut && st.next >= s.options.Events/2:
		s.drop(c)
	case st.next < s.options.Events:
		st.next++
		event, at := s.prebuilt.event, s.prebuilt.stampAt
		switch {
		case st.message:
			event, at = s.prebuilt.messageEvent, s.prebuilt.messageStampAt
		case st.next == s.options.Events:
			event = s.prebuilt.lastEvent
		}
		answers.PutStamp(event[at:], now.UnixNano())
		s.write(c, event)
	case st.usage:
		st.usage = false
		s.write(c, s.prebuilt.usage)
	default:
		last := s.prebuilt.done
		switch {
		case st.message:
			last = s.prebuilt.messageEnd
		case st.noDone:
			last = s.prebuilt.end
		}
		s.forget(c)
		if s.write(c, last) && len(c.in) > 0 {
			s.resume(c)
		}
	}
}

// forget takes a connection out of the streams under way.
func (s *Server) forget(c *conn) {
	if !c.stream.active {
		return
	}
	c.stream.active = false
	for i, other := range s.streams {
		if other == c {
			last := len(s.streams) - 1
			s.streams[i] = s.streams[last]
			s.streams = s.streams[:last]
			return
		}
	}
}
