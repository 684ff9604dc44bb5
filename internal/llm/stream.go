package llm

import (
	"bytes"
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm/jsonscan"
)

// MaxEvent is the longest event that a Stream holds back to look at it. Events of a few MiB exist:
// partial images travel in them as base64.
const MaxEvent = 16 << 20

// Action is what a Judge decides about one event.
type Action uint8

// The actions.
const (
	Pass      Action = iota // the caller gets it as it came
	Drop                    // the caller does not get it
	Cut                     // the caller gets it without StreamState.CutAt
	Fail                    // it says that the provider failed: the stream ends here
	Malformed               // it is not what the dialect allows: the stream ends here
)

// Event is one server-sent event (WHATWG HTML section 9.2.6) with data. Its slices are valid until Judge returns.
type Event struct {
	Name []byte // the event field, nil when there was none
	Data []byte // the data field; several are joined by newlines
}

// StreamState is what is known of a stream so far.
type StreamState struct {
	Events   int64  // events with data that the provider sent
	Content  bool   // some of the answer itself has gone out, so that another provider can't begin anew
	Ended    bool   // the answer is whole as far as its content shows: every choice has its finish reason
	Done     bool   // the dialect's terminal event has come
	Finish   string // the finish reason of the first choice, "" until it came
	Sequence int64  // the last sequence number, in dialects that count events; -1 when none came
	Framed   bool   // the stream is not made of server-sent events
	Usage    journey.Usage
	Error    ProviderError // what the error event said
	Problem  string        // what is malformed
	CutAt    jsonscan.Span // with Cut: what to leave out of the data
}

// Judge decides about the events of one stream and notes in st what they tell. It is called once
// for each event with data, in order, and never after it has answered Fail or Malformed.
type Judge interface {
	Judge(st *StreamState, ev Event) Action
}

// BareJudge is a Judge of a dialect whose provider ends a stream that fails with text that is no event: Gemini
// sends the error body alone. Bare is asked about such a text, without the blank line behind it, and answers
// Fail or Malformed.
type BareJudge interface {
	Judge
	Bare(st *StreamState, text []byte) Action
}

// End is how a stream ended.
type End struct {
	// Complete tells that the provider finished its answer.
	Complete bool
	// Kind is stream_error, malformed_stream or truncated_stream; "" when the stream is complete, and
	// when the transport broke: then its own failure is the finding.
	Kind fault.Kind
	// Problem is one phrase on what is missing or wrong, "" when the stream is complete.
	Problem string
}

// Stream follows one answer of server-sent events, from the pieces in which it arrives to the
// pieces that go to the caller. What passes is never copied: the pieces returned are parts of those
// fed, or of the buffer in which an event waits for its end, so they are valid until the next call.
// Only whole events go out. A terminal event goes out only when it came in, and nothing goes out
// after an error event. It must not be used concurrently.
type Stream struct {
	judge Judge
	limit int
	state StreamState

	held  []byte // bytes of an event whose end has not come
	taken int    // bytes of held that were returned by the last Feed
	line  int    // start of the line being read, in held
	next  int    // first byte of held not searched yet

	joined  []byte // data of an event with several data lines
	frame   []byte // the error event
	tap     func(Event)
	framer  Framer
	begun   bool
	cr      bool // a CR has come, so that lines may end in one
	skipLF  bool // the last event ended in CR: an LF that follows belongs to it
	dropped bool // and it was dropped
	stopped bool
	kind    fault.Kind
}

// NewStream returns a Stream whose events judge decides about. limit is the longest event in bytes;
// 0 means MaxEvent.
func NewStream(judge Judge, limit int) *Stream {
	if limit <= 0 {
		limit = MaxEvent
	}
	s := &Stream{judge: judge, limit: limit}
	s.state.Sequence = -1
	s.state.Usage = NoUsage()
	return s
}

// Framer cuts a stream that is not made of server-sent events: a binary event stream, lines of JSON, a
// JSON array. A Framer serves one stream.
type Framer interface {
	// Cut returns the offset after the first whole frame in data, or -1 when more is needed. An error
	// means that data is no such stream.
	Cut(data []byte) (end int, err error)
	// Event is what a whole frame holds; one without Data is passed on and not judged.
	Event(frame []byte) (Event, error)
}

// NewFramedStream returns a Stream of another framing.
func NewFramedStream(judge Judge, limit int, framer Framer) *Stream {
	s := NewStream(judge, limit)
	s.framer = framer
	s.state.Framed = true
	return s
}

// Tap makes tap be told of each event with data that passes, after it was judged and before it goes out.
// It must not keep the event.
func (s *Stream) Tap(tap func(Event)) { s.tap = tap }

// State returns what is known so far. Its Usage has Source "" until Finish.
func (s *Stream) State() *StreamState { return &s.state }

// Stopped tells that the stream failed and Feed ignores what follows: the provider sent an error
// event (see ErrorFrame), or bytes that are not of the dialect. The attempt can be closed.
func (s *Stream) Stopped() bool { return s.stopped }

// ErrorFrame returns the provider's own error event, framing included, nil when there was none. It
// was not passed: while State().Content is false another provider may still be asked instead.
func (s *Stream) ErrorFrame() []byte { return s.frame }

// Feed takes the next piece of the answer and appends to out the pieces that may go to the caller.
func (s *Stream) Feed(p []byte, out [][]byte) [][]byte {
	if s.stopped || len(p) == 0 {
		return out
	}
	if s.skipLF {
		s.skipLF = false
		if p[0] == '\n' {
			if !s.dropped {
				out = append(out, p[:1])
			}
			p = p[1:]
		}
	}
	s.cr = s.cr || bytes.IndexByte(p, '\r') >= 0
	s.release()
	data := p
	if len(s.held) > 0 {
		s.held = append(s.held, p...)
		data = s.held
	}
	out, rest := s.events(data, out)
	if s.stopped {
		return out
	}
	if len(s.held) > 0 {
		s.taken = rest
	} else {
		s.held = append(s.held, data[rest:]...)
	}
	if len(data)-rest > s.limit {
		s.malformed(data[rest:], fmt.Sprintf("an event is longer than %d bytes", s.limit))
	}
	return out
}

// release forgets the held bytes that the last Feed returned.
func (s *Stream) release() {
	if s.taken > 0 {
		s.held = s.held[:copy(s.held, s.held[s.taken:])]
		s.taken = 0
	}
}

// events judges the whole events in data, appends what passes to out and returns where the rest,
// the begin of an event, starts. Neighbours that pass go out as one piece.
func (s *Stream) events(data []byte, out [][]byte) (_ [][]byte, rest int) {
	if s.framer != nil {
		return s.frames(data, out)
	}
	from := 0 // the first byte that passes and is not in out yet
	start := 0
	line, next := s.line, s.next
	for {
		end, crOnly := 0, false
		end, line, next, crOnly = eventEnd(data, line, next, s.cr)
		if end < 0 {
			break
		}
		action, cut := s.block(data[start:end])
		switch action {
		case Pass:
		case Drop:
			out = appendPiece(out, data[from:start])
			from = end
		case Cut:
			out = appendPiece(out, data[from:start+cut.From])
			from = start + cut.To
		default:
			out = appendPiece(out, data[from:start])
			s.stop(action, data[start:end])
			return out, end
		}
		s.skipLF, s.dropped = crOnly, action == Drop
		start = end
	}
	s.line, s.next = line-start, next-start
	return appendPiece(out, data[from:start]), start
}

// frames is events for another framing. Nothing is cut out of a frame.
func (s *Stream) frames(data []byte, out [][]byte) (_ [][]byte, rest int) {
	from, start := 0, 0
	for start < len(data) {
		n, err := s.framer.Cut(data[start:])
		if err != nil {
			s.malformed(data[start:], err.Error())
			return appendPiece(out, data[from:start]), start
		}
		if n < 0 {
			break
		}
		action := s.frameOf(data[start : start+n])
		switch action {
		case Pass, Cut:
		case Drop:
			out = appendPiece(out, data[from:start])
			from = start + n
		default:
			out = appendPiece(out, data[from:start])
			s.stop(action, data[start:start+n])
			return out, start + n
		}
		start += n
	}
	return appendPiece(out, data[from:start]), start
}

func (s *Stream) frameOf(frame []byte) Action {
	ev, err := s.framer.Event(frame)
	if err != nil {
		s.state.Problem = err.Error()
		return Malformed
	}
	if len(ev.Data) == 0 {
		return Pass
	}
	s.state.Events++
	action := s.judge.Judge(&s.state, ev)
	if s.tap != nil && (action == Pass || action == Cut) {
		s.tap(ev)
	}
	return action
}

func appendPiece(out [][]byte, p []byte) [][]byte {
	if len(p) == 0 {
		return out
	}
	return append(out, p)
}

// eventEnd looks for the blank line that ends the event at hand. line is the offset of the line
// being read, next the first byte not searched yet. It returns the offset after the blank line, or
// -1 with the place to go on from. crs tells that there may be a CR in data; crOnly tells that the blank line is a CR at the very end of
// data: whether an LF belongs to it is not known yet.
func eventEnd(data []byte, line, next int, crs bool) (end, newLine, newNext int, crOnly bool) {
	for {
		if next == line && next < len(data) && data[next] == '\n' {
			return next + 1, next + 1, next + 1, false
		}
		i := bytes.IndexByte(data[next:], '\n')
		if i < 0 {
			i = len(data) - next
		}
		if crs {
			if cr := bytes.IndexByte(data[next:next+i], '\r'); cr >= 0 {
				i = cr
			}
		}
		if i += next; i == len(data) {
			return -1, line, i, false
		}
		after := i + 1
		if data[i] == '\r' {
			if after == len(data) {
				if i == line {
					return after, after, after, true
				}
				return -1, line, i, false
			}
			if data[after] == '\n' {
				after++
			}
		}
		if i == line {
			return after, after, after, false
		}
		line, next = after, after
	}
}

// block judges the lines of one event, which is not empty. cut is relative to block.
func (s *Stream) block(block []byte) (action Action, cut jsonscan.Span) {
	lines := block
	if !s.begun {
		s.begun = true
		lines = bytes.TrimPrefix(lines, []byte("\xef\xbb\xbf"))
	}
	var ev Event
	dataLines, dataAt := 0, 0
	var strange []byte
	for len(lines) > 0 {
		if lines[0] == '\n' {
			lines = lines[1:]
			continue
		}
		at := len(block) - len(lines)
		var line []byte
		line, lines = cutLine(lines, s.cr)
		if len(line) == 0 || line[0] == ':' {
			continue
		}
		name, value := line, []byte(nil)
		if i := bytes.IndexByte(line, ':'); i >= 0 {
			name, value = line[:i], line[i+1:]
			at += i + 1
			if len(value) > 0 && value[0] == ' ' {
				value = value[1:]
				at++
			}
		}
		switch string(name) {
		case "data":
			if dataLines++; dataLines == 1 {
				ev.Data, dataAt = value, at
				continue
			}
			if dataLines == 2 {
				s.joined = append(s.joined[:0], ev.Data...)
			}
			s.joined = append(append(s.joined, '\n'), value...)
			ev.Data = s.joined
		case "event":
			ev.Name = value
		case "id", "retry":
		default:
			strange = line
		}
	}
	if len(ev.Data) == 0 {
		if strange != nil {
			if bare, ok := s.judge.(BareJudge); ok && bare.Bare(&s.state, bytes.TrimSpace(block)) == Fail {
				return Fail, cut
			}
			s.state.Problem = fmt.Sprintf("a line is no server-sent event: %.200q", strange)
			return Malformed, cut
		}
		if last := block[len(block)-1]; last != '\n' && last != '\r' {
			return Malformed, cut // the stream ended inside a line
		}
		return Pass, cut
	}
	s.state.Events++
	action = s.judge.Judge(&s.state, ev)
	if s.tap != nil && (action == Pass || action == Cut) {
		s.tap(ev)
	}
	if action == Cut {
		if dataLines > 1 {
			// The span is one of the joined data. The member stays: it is null and says nothing.
			return Pass, cut
		}
		cut = jsonscan.Span{From: dataAt + s.state.CutAt.From, To: dataAt + s.state.CutAt.To}
	}
	return action, cut
}

// cutLine splits b after its first line; line comes without its end. crs tells that there may be a CR in b.
func cutLine(b []byte, crs bool) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		i = len(b)
	}
	if crs {
		if cr := bytes.IndexByte(b[:i], '\r'); cr >= 0 {
			i = cr
		}
	}
	line, rest = b[:i], b[i:]
	switch {
	case crs && bytes.HasPrefix(rest, []byte("\r\n")):
		return line, rest[2:]
	case len(rest) > 0:
		return line, rest[1:]
	}
	return line, nil
}

func (s *Stream) stop(action Action, block []byte) {
	if action == Malformed {
		s.malformed(block, s.state.Problem)
		return
	}
	s.stopped, s.kind = true, fault.StreamError
	s.frame = bytes.Clone(block)
}

func (s *Stream) malformed(block []byte, problem string) {
	s.stopped, s.kind = true, fault.MalformedStream
	if s.state.Problem = problem; problem == "" {
		s.state.Problem = fmt.Sprintf("an event is not of the dialect: %.200q", block)
	}
}

// Finish ends the stream. clean tells that the transport delivered the body whole, as far as it can
// know (a body that ends with its connection counts as whole). It appends the last pieces for the
// caller to out and says how the stream ended. What went out before an End that is not Complete
// ends with a blank line, so that an error event can follow.
func (s *Stream) Finish(clean bool, out [][]byte) ([][]byte, End) {
	s.release()
	var last [][]byte
	cut := false
	if clean && !s.stopped && len(s.held) > 0 {
		last, cut = s.last()
	}
	end := s.end(clean, cut)
	setSource(&s.state.Usage, end.Complete)
	if end.Complete {
		out = append(out, last...)
	}
	return out, end
}

// last judges what stands after the last blank line: some servers end without one. cut tells that it
// is the begin of something longer.
func (s *Stream) last() (pieces [][]byte, cut bool) {
	if s.framer != nil {
		return s.lastFrame()
	}
	action, at := s.block(s.held)
	switch action {
	case Pass:
		pieces = [][]byte{s.held}
	case Cut:
		pieces = [][]byte{s.held[:at.From], s.held[at.To:]}
	case Fail:
		s.stop(action, append(s.held, "\n\n"...))
	case Malformed:
		s.state.Problem = ""
		cut = true
	}
	return pieces, cut
}

// lastFrame judges a last line without its end, where the framing has such: one that Event takes.
func (s *Stream) lastFrame() (pieces [][]byte, cut bool) {
	if len(bytes.TrimSpace(s.held)) == 0 {
		return [][]byte{s.held}, false
	}
	switch action := s.frameOf(s.held); action {
	case Pass, Cut:
		pieces = [][]byte{s.held}
	case Fail:
		s.stop(action, s.held)
	case Malformed:
		s.state.Problem = ""
		cut = true
	}
	return pieces, cut
}

func (s *Stream) end(clean, cut bool) End {
	switch {
	case s.kind == fault.StreamError:
		return End{Kind: s.kind, Problem: "the provider sent an error event"}
	case s.stopped:
		return End{Kind: s.kind, Problem: s.state.Problem}
	case s.state.Done:
		return End{Complete: true}
	case !clean:
		return End{Problem: "the connection broke before the answer was whole"}
	case cut:
		return End{Kind: fault.TruncatedStream, Problem: "the stream ended inside an event"}
	case s.state.Ended:
		return End{Complete: true}
	case s.state.Events == 0:
		return End{Kind: fault.TruncatedStream, Problem: "the stream ended without any event"}
	}
	return End{Kind: fault.TruncatedStream, Problem: fmt.Sprintf("the stream ended after %d events, without finish reason and without its last event", s.state.Events)}
}
