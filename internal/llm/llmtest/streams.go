package llmtest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

// run feeds pieces to a stream and returns everything that went out. Each piece is overwritten once
// Feed has returned and its output was taken, as a reader's buffer is.
func run(stream *llm.Stream, clean bool, pieces ...[]byte) (out string, end llm.End) {
	var all []byte
	var room [][]byte
	for _, piece := range pieces {
		piece = bytes.Clone(piece)
		room = stream.Feed(piece, room[:0])
		for _, p := range room {
			all = append(all, p...)
		}
		for i := range piece {
			piece[i] = '#'
		}
	}
	room, end = stream.Finish(clean, room[:0])
	for _, p := range room {
		all = append(all, p...)
	}
	return string(all), end
}

// bytewise cuts text into pieces of n bytes.
func bytewise(text string, n int) (pieces [][]byte) {
	for len(text) > n {
		pieces, text = append(pieces, []byte(text[:n])), text[n:]
	}
	return append(pieces, []byte(text))
}

func (s *Suite) stream() *llm.Stream { return s.Dialect.NewStream(s.Op, false) }

func (s *Suite) streams(t *testing.T) {
	for _, c := range s.Streams {
		t.Run(c.Name, func(t *testing.T) {
			s.wholeStream(t, c, c.Body, 1, 3, 64, len(c.Body))
			for how, body := range s.variants(c.Body) {
				t.Run(how, func(t *testing.T) { s.wholeStream(t, c, body, 7, len(body)) })
			}
		})
	}
	t.Run("cut in two at every byte", func(t *testing.T) {
		body := s.Streams[0].Body
		for i := range len(body) {
			if out, end := run(s.stream(), true, []byte(body[:i]), []byte(body[i:])); out != body || !end.Complete {
				t.Fatalf("cut at %d: complete %v (%s), output differs at byte %d", i, end.Complete, end.Problem, firstDifference(out, body))
			}
		}
	})
	t.Run("an event costs no allocation", s.eventsAllocateNothing)
}

// wholeStream feeds body in pieces of these sizes: it must come out the same, and be understood.
func (s *Suite) wholeStream(t *testing.T, c Stream, body string, sizes ...int) {
	for _, size := range sizes {
		stream := s.stream()
		out, end := run(stream, true, bytewise(body, size)...)
		if out != body {
			t.Fatalf("pieces of %d bytes: the output differs at byte %d", size, firstDifference(out, body))
		}
		st := stream.State()
		if !end.Complete || end.Kind != "" || st.Finish != c.Finish || !st.Content {
			t.Fatalf("pieces of %d bytes: %+v, finish %q, content %v", size, end, st.Finish, st.Content)
		}
		if !sameUsage(st.Usage, c.Usage) {
			t.Fatalf("pieces of %d bytes: usage %+v, want %+v", size, st.Usage, c.Usage)
		}
	}
}

// variants are other ways to write the same events.
func (s *Suite) variants(body string) map[string]string {
	if s.Frames != nil {
		return nil
	}
	if s.Lines {
		return map[string]string{
			"blank lines between": strings.ReplaceAll(body, "\n", "\n\n"), "CRLF": strings.ReplaceAll(body, "\n", "\r\n"),
			"the last line without its end": strings.TrimRight(body, "\n"),
		}
	}
	all := map[string]string{
		"with heartbeats":     strings.ReplaceAll(body, "\n\n", "\n\n: ping\n\n"),
		"with comments":       strings.ReplaceAll(body, "data:", ": before data\nretry: 5\nid: 7\ndata:"),
		"with a BOM":          "\ufeff" + body,
		"blank lines between": strings.ReplaceAll(body, "\n\n", "\n\n\n\n"),
	}
	if !strings.Contains(body, "\r") {
		all["CRLF"] = strings.ReplaceAll(body, "\n", "\r\n")
		all["CR"] = strings.ReplaceAll(body, "\n", "\r")
	}
	return all
}

func firstDifference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func (s *Suite) eventsAllocateNothing(t *testing.T) {
	events := s.splitEvents(s.Streams[0].Body)
	event := []byte(events[len(events)/2])
	stream := s.stream()
	out := make([][]byte, 0, 8)
	stream.Feed([]byte(events[0]), out)
	half := len(event) / 2
	if n := testing.AllocsPerRun(200, func() { stream.Feed(event, out) }); n != 0 {
		t.Errorf("%v allocations for a whole event", n)
	}
	if n := testing.AllocsPerRun(200, func() { stream.Feed(event[:half], out); stream.Feed(event[half:], out) }); n != 0 {
		t.Errorf("%v allocations for an event in two pieces", n)
	}
}

// eventEnd is what an event ends with.
func (s *Suite) eventEnd() string {
	if s.Lines {
		return "\n"
	}
	return "\n\n"
}

// endsWhole tells whether out, a begin of body, ends with a whole event.
func (s *Suite) endsWhole(out, body string) bool {
	if s.Frames == nil {
		return strings.HasSuffix(out, s.eventEnd())
	}
	for _, e := range s.Frames(body) {
		if out == "" {
			break
		}
		rest, ok := strings.CutPrefix(out, e)
		if !ok {
			return false
		}
		out = rest
	}
	return out == ""
}

// splitEvents splits a stream with LF line ends after each event.
func (s *Suite) splitEvents(body string) (events []string) {
	if s.Frames != nil {
		return s.Frames(body)
	}
	for _, e := range strings.SplitAfter(body, s.eventEnd()) {
		if e != "" {
			events = append(events, e)
		}
	}
	return events
}

func (s *Suite) brokenStreams(t *testing.T) {
	t.Run("cut off at every byte", s.cutOff)
	t.Run("an error event at every place", s.errorEvents)
	t.Run("our own error event", s.ownErrorEvent)
	t.Run("what is not of the dialect", s.malformed)
	t.Run("nothing at all", func(t *testing.T) {
		if out, end := run(s.stream(), true); out != "" || end.Complete || end.Kind != fault.TruncatedStream {
			t.Errorf("%q, %+v", out, end)
		}
		if _, end := run(s.stream(), true, []byte(s.heartbeat())); end.Complete || end.Kind != fault.TruncatedStream {
			t.Errorf("only heartbeats: %+v", end)
		}
	})
}

// cutOff ends the first stream after every byte, both ways in which a body can end.
func (s *Suite) cutOff(t *testing.T) {
	body := s.Streams[0].Body
	for cut := range len(body) {
		for _, clean := range []bool{true, false} {
			stream := s.stream()
			out, end := run(stream, clean, []byte(body[:cut]))
			if !strings.HasPrefix(body, out) {
				t.Fatalf("cut at %d: the output is no prefix of the input", cut)
			}
			st := stream.State()
			if end.Complete && !st.Done && (s.NeedsTerminal || !clean || !st.Ended) {
				t.Fatalf("cut at %d, clean %v: called complete without its end", cut, clean)
			}
			if end.Complete {
				continue
			}
			if s.Terminal != "" && strings.Contains(out, s.Terminal) {
				t.Fatalf("cut at %d: a terminal event went out of a stream that broke", cut)
			}
			if want := map[bool]fault.Kind{true: fault.TruncatedStream}[clean]; end.Kind != want || end.Problem == "" {
				t.Fatalf("cut at %d, clean %v: %+v", cut, clean, end)
			}
			if out != "" && !s.endsWhole(out, body) {
				t.Fatalf("cut at %d: the output does not end with an event: no error event can follow", cut)
			}
			if u := st.Usage; (u.Input >= 0 || u.Output >= 0) != (u.Source == "partial") {
				t.Fatalf("cut at %d: usage %+v", cut, u)
			}
		}
	}
}

// errorEvents puts a provider's error event before each event, the terminal one included: nothing
// of what follows may go out.
func (s *Suite) errorEvents(t *testing.T) {
	events := s.splitEvents(s.Streams[0].Body)
	for i := range events {
		before, after := strings.Join(events[:i], ""), strings.Join(events[i:], "")
		for _, size := range []int{1, 50, 1 << 20} {
			stream := s.stream()
			out, end := run(stream, true, bytewise(before+s.ErrorEvent+after, size)...)
			if out != before || string(stream.ErrorFrame()) != s.ErrorEvent {
				t.Fatalf("before event %d: out went %q and the frame is %q", i, out[max(0, len(out)-200):], stream.ErrorFrame())
			}
			if end.Complete || end.Kind != fault.StreamError || !stream.Stopped() || stream.State().Error.Kind != s.ErrorKind {
				t.Fatalf("before event %d: %+v, error %+v", i, end, stream.State().Error)
			}
		}
	}
	stream := s.stream()
	_, end := run(stream, true, []byte(strings.TrimRight(s.ErrorEvent, "\n")))
	if end.Kind != fault.StreamError || !s.Lines && s.Frames == nil && !bytes.HasSuffix(stream.ErrorFrame(), []byte("\n\n")) {
		t.Errorf("without a blank line: %+v, frame %q", end, stream.ErrorFrame())
	}
}

func failure() *llm.Failure {
	return &llm.Failure{
		Kind: fault.TruncatedStream, Status: 502, Sentence: "sandbox: the \"stream\" ended\nearly.", CallID: "01J0000000000000000000TEST",
		Members: []byte("{\"kind\":\"truncated_stream\",\n\"retry\":\"may_repeat\"}"),
	}
}

// ownErrorEvent checks the last word of a broken stream against the dialect's own reader.
func (s *Suite) ownErrorEvent(t *testing.T) {
	events := s.splitEvents(s.Streams[0].Body)
	before := strings.Join(events[:len(events)/2], "")
	broken := s.stream()
	run(broken, false, []byte(before))
	event := s.Dialect.AppendErrorEvent(nil, s.Op, failure(), broken.State())
	end := []byte(s.eventEnd())
	if s.BareError {
		end = []byte("\n")
	}
	if s.Terminal != "" && bytes.Contains(event, []byte(s.Terminal)) || s.Frames == nil && (!bytes.HasSuffix(event, end) || bytes.Count(event, end) != 1) {
		t.Fatalf("%q", event)
	}
	stream := s.stream()
	out, ended := run(stream, true, []byte(before), event)
	if out != before || ended.Kind != fault.StreamError || !bytes.Equal(bytes.TrimRight(stream.ErrorFrame(), "\n"), bytes.TrimRight(event, "\n")) {
		t.Fatalf("read back as %+v, frame %q", ended, stream.ErrorFrame())
	}
	if m := stream.State().Error.Message; !strings.Contains(m, "[truncated_stream, 01J0000000000000000000TEST]") {
		t.Errorf("message %q", m)
	}
	if i := bytes.Index(event, []byte("data:")); i >= 0 && !s.Lines {
		event = event[i+len("data:"):]
	}
	if s.Payload != nil {
		event = s.Payload(event)
	}
	s.hasMembers(t, event)
}

// heartbeat is what says only that the connection lives.
func (s *Suite) heartbeat() string {
	if s.Frames != nil {
		return ""
	}
	if s.Lines {
		return "\n"
	}
	return ": ping\n\n"
}

// hasMembers checks the members under error.causeway; where error has to be a text, which its client
// shows, they stand beside it.
func (s *Suite) hasMembers(t *testing.T, text []byte) {
	t.Helper()
	var body struct {
		Error    json.RawMessage
		Causeway map[string]string
	}
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	message := ""
	if json.Unmarshal(body.Error, &message) != nil {
		var inner struct {
			Message  string
			Causeway map[string]string
		}
		if err := json.Unmarshal(body.Error, &inner); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		message, body.Causeway = inner.Message, inner.Causeway
	}
	if body.Causeway["kind"] != "truncated_stream" || body.Causeway["retry"] != "may_repeat" {
		t.Errorf("error.causeway is %v", body.Causeway)
	}
	if want := "sandbox: the \"stream\" ended\nearly. [truncated_stream, 01J0000000000000000000TEST]"; message != want {
		t.Errorf("error.message is %q", message)
	}
}

func (s *Suite) malformed(t *testing.T) {
	events := s.splitEvents(s.Streams[0].Body)
	before, after := strings.Join(events[:2], ""), strings.Join(events[2:], "")
	all := []string{
		"data: <html><body>502 Bad Gateway</body></html>\n\n",
		"<html>\n<body>502 Bad Gateway</body>\n</html>\n\n",
		"data: {\"choices\":[\n\n",
		"data: null\n\n",
		"data: [1,2]\n\n",
		"data: {} {}\n\n",
		"{\"detail\":\"raw JSON\"}\n\n",
		"data: \x00\n\n",
	}
	if s.Lines {
		all = []string{"<html>\n", "data: {}\n", "{\"message\":\n", "null\n", "[1,2]\n", "{} {}\n", "\x00\n", "event: x\n"}
	}
	if s.Frames != nil {
		all = s.BadFrames
	}
	for _, bad := range all {
		for _, size := range []int{1, 1 << 20} {
			stream := s.stream()
			out, end := run(stream, true, bytewise(before+bad+after, size)...)
			if out != before || end.Complete || end.Kind != fault.MalformedStream || end.Problem == "" || !stream.Stopped() {
				t.Errorf("%q: %+v, out %q", bad, end, out[min(len(out), len(before)):])
			}
		}
	}
}
