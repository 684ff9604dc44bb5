package llmtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// CodecSuite is what the suite of codecs needs to know of one. A caller and a provider of the same dialect
// do not need a codec; that one nevertheless gives back what it read shows that it reads and writes
// all of its dialect.
type CodecSuite struct {
	Dialect canon.Speaker
	Op      llm.Operation
	// Vendor is the provider that requests are written for, nil one without quirks.
	Vendor *catalog.Vendor
	// Normalize brings a decoded request (of a caller or as written) to one of several forms that mean
	// the same; nil leaves all as it is. NormalizeAnswer does so for answers.
	Normalize, NormalizeAnswer func(v any) any
	// Differ are the differences allowed in all requests, DifferAnswer those in all answers, as Covers
	// reads them; those of single cases are in the cases, and must occur.
	Differ, DifferAnswer []string
	// MayLose are losses of answers that need not be in their Report: what only one provider has, by paths as Covers
	// reads them, "/" for the dots: "/usage/cost/**".
	MayLose []string

	CodecRequests []CodecRequest
	CodecAnswers  []CodecAnswer
	CodecStreams  []CodecStream
	Malformed     []Malformed
}

// CodecRequest is a request to be read and written again.
type CodecRequest struct {
	Name   string
	Body   string
	Match  llm.Match       // Op may be left out
	Vendor *catalog.Vendor // nil is the suite's
	Fetch  func(url string) (mime, data string, err error)
	Differ []string // where the written request may differ: "-/user", "~/messages/*/content"
	Report []string // what the report tells: "user;dropped"
}

// CodecAnswer is a whole answer to be read and written again.
type CodecAnswer struct {
	Name   string
	Body   string
	Differ []string
	Report []string // of Answer.Lost ("x;lost") and of what the writer tells
	// Reread are differences allowed between what was read and what is read of what was written, by paths of
	// PlainAnswer.
	Reread []string
}

// CodecStream is a streamed answer to be read and written again.
type CodecStream struct {
	Name string
	Body string
	// ContentType is the stream's where it is not made of server-sent events.
	ContentType string
	// Whole is the same answer not streamed; "" where there is none. The two must fold to the same, but
	// for the paths that Differ covers (those of PlainAnswer).
	Whole  string
	Differ []string
	Report []string
	Reread []string // as in CodecAnswer
	// NoChoices tells that the stream holds nothing but its frame.
	NoChoices bool
}

// Malformed is a request that can't be read, and the pointer to what is wrong.
type Malformed struct {
	Name    string
	Body    string
	Match   llm.Match
	Pointer string
}

// RunCodec runs the suite of codecs.
func RunCodec(t *testing.T, s CodecSuite) {
	codec := s.Dialect.Codec(s.Op)
	if codec == nil {
		t.Fatalf("no codec for %s", s.Op)
	}
	if s.Vendor == nil {
		s.Vendor = &catalog.Vendor{Kind: "test"}
	}
	t.Run("requests", func(t *testing.T) {
		for _, c := range s.CodecRequests {
			t.Run(c.Name, func(t *testing.T) { s.request(t, codec, c) })
		}
	})
	t.Run("answers", func(t *testing.T) {
		for _, c := range s.CodecAnswers {
			t.Run(c.Name, func(t *testing.T) { s.answer(t, codec, c) })
		}
	})
	t.Run("streams", func(t *testing.T) {
		for _, c := range s.CodecStreams {
			t.Run(c.Name, func(t *testing.T) { s.codecStream(t, codec, c) })
		}
	})
	t.Run("malformed", func(t *testing.T) {
		for _, c := range s.Malformed {
			t.Run(c.Name, func(t *testing.T) {
				_, err := codec.ReadRequest(s.match(c.Match), []byte(c.Body))
				want := c.Pointer
				if !jsonscan.Valid([]byte(c.Body)) {
					want = brokenAt(c.Body, err)
				}
				if pointer, ok := PointerOf(err); !ok || pointer != want {
					t.Errorf("%v (%T), pointer %q, want %q", err, err, pointer, want)
				}
			})
		}
	})
}

// brokenAt is the pointer that a text must be refused with that stops being JSON.
func brokenAt(text string, err error) string {
	var request *llm.RequestError
	var fault *jsontree.Fault
	switch {
	case errors.As(err, &request):
		return jsonscan.Place([]byte(text), request.Offset)
	case errors.As(err, &fault):
		return jsonscan.Place([]byte(text), fault.Offset)
	}
	return "an error"
}

// PointerOf is the JSON pointer of an error that ReadRequest returned.
func PointerOf(err error) (pointer string, ok bool) {
	var request *llm.RequestError
	var fault *jsontree.Fault
	switch {
	case err == nil:
		return "", false
	case errors.As(err, &request):
		return request.Pointer, request.Problem != ""
	case errors.As(err, &fault):
		return fault.Pointer, fault.Problem != ""
	}
	return "", false
}

func (s *CodecSuite) match(m llm.Match) llm.Match {
	if m.Op == llm.NoOperation {
		m.Op = s.Op
	}
	return m
}

func entries(r *canon.Report) (list []string) {
	for _, e := range r.Entries {
		list = append(list, e.Field+";"+e.Loss.String())
	}
	return list
}

func sameList(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}

// differ compares two values and reports what is not allowed.
func differ(t *testing.T, what string, a, b any, general, special []string) {
	t.Helper()
	differences := Diff(a, b)
	rest, _ := Unexpected(differences, general)
	bad, _ := Unexpected(rest, special)
	if _, needless := Unexpected(differences, special); len(needless) > 0 {
		t.Errorf("%s: these differences were expected and are not there: %q", what, needless)
	}
	for i, at := range bad {
		if i == 12 {
			t.Errorf("%s: and %d more", what, len(bad)-i)
			break
		}
		t.Errorf("%s: %s: read %.300s, written %.300s", what, at, Show(Find(a, at[1:])), Show(Find(b, at[1:])))
	}
}

// Find is the value at a path of Diff, without its sign.
func Find(v any, path string) any {
	for _, name := range strings.Split(path, "/")[1:] {
		switch c := v.(type) {
		case map[string]any:
			v = c[name]
		case []any:
			i := -1
			if _, err := fmt.Sscan(name, &i); err != nil || i < 0 || i >= len(c) {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return v
}

// Show is a decoded value for a message.
func Show(v any) string { return fmt.Sprintf("%#v", v) }

func normalized(v any, with func(any) any) any {
	if with == nil {
		return v
	}
	return with(v)
}

func (s *CodecSuite) request(t *testing.T, codec canon.Codec, c CodecRequest) {
	body := []byte(c.Body)
	req, err := codec.ReadRequest(s.match(c.Match), body)
	if err != nil {
		t.Fatal(err)
	}
	if req.Dialect != s.Dialect.Name() || req.Op != s.match(c.Match).Op || req.Doc == nil {
		t.Errorf("dialect %q, operation %s, Doc %v", req.Dialect, req.Op, req.Doc != nil)
	}
	vendor := c.Vendor
	if vendor == nil {
		vendor = s.Vendor
	}
	report := canon.NewReport(req)
	written, err := codec.WriteRequest(req, &canon.Target{Provider: "test", Vendor: vendor, Model: req.Model, Fetch: c.Fetch}, report)
	if err != nil {
		t.Fatal(err)
	}
	report.Close()
	if string(body) != c.Body {
		t.Error("the caller's body was changed")
	}
	if got := entries(report); !sameList(got, c.Report) {
		t.Errorf("the report tells %q, want %q\n%s", got, c.Report, strings.Join(report.Lines(), "\n"))
	}
	a, b := normalized(Value(t, body), s.Normalize), normalized(Value(t, written), s.Normalize)
	differ(t, "request", a, b, s.Differ, c.Differ)

	again := canon.NewReport(req)
	if twice, err := codec.WriteRequest(req, &canon.Target{Provider: "test", Vendor: vendor, Model: req.Model, Fetch: c.Fetch}, again); err != nil || !bytes.Equal(twice, written) {
		t.Errorf("written a second time it is another: %v\n%s\n%s", err, written, twice)
	}
}

func (s *CodecSuite) answer(t *testing.T, codec canon.Codec, c CodecAnswer) {
	body := []byte(c.Body)
	judged := s.Dialect.ReadAnswer(s.Op, body)
	if judged.Kind != "" {
		t.Fatalf("the answer is none: %s", judged.Problem)
	}
	answer, err := codec.ReadAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	before := PlainAnswer(answer)
	if u := answer.Usage.Usage; u.Input != judged.Usage.Input || u.Output != judged.Usage.Output || u.Cached != judged.Usage.Cached || u.Reasoning != judged.Usage.Reasoning {
		t.Errorf("usage %+v, and the dialect reads %+v", u, judged.Usage)
	}
	req := s.asked()
	report := canon.NewReport(req)
	written := codec.WriteAnswer(answer, req, report)
	got := entries(report)
	for _, lost := range answer.Lost {
		if rest, _ := Unexpected([]string{"-/" + strings.ReplaceAll(lost, ".", "/")}, s.MayLose); len(rest) > 0 {
			got = append(got, lost+";lost")
		}
	}
	if !sameList(got, c.Report) {
		t.Errorf("the report tells %q, want %q", got, c.Report)
	}
	if string(body) != c.Body {
		t.Error("the body was changed")
	}
	differ(t, "answer", normalized(Value(t, body), s.NormalizeAnswer), normalized(Value(t, written), s.NormalizeAnswer), s.DifferAnswer, c.Differ)
	if again := s.Dialect.ReadAnswer(s.Op, written); again.Kind != "" || again.Finish != judged.Finish || !sameUsage(again.Usage, judged.Usage) {
		t.Errorf("written it reads as %+v, before as %+v", again, judged)
	}
	reread, err := codec.ReadAnswer(written)
	if err != nil {
		t.Fatalf("what was written can't be read: %v\n%s", err, written)
	}
	differ(t, "read again", before, PlainAnswer(reread), nil, c.Reread)
}

// asked is a request of the suite's dialect that an answer is for.
func (s *CodecSuite) asked() *canon.Request {
	return &canon.Request{Dialect: s.Dialect.Name(), Op: s.Op, Model: "test", Stream: true, StreamUsage: true}
}

// streamOf is the stream that judges an answer of this type.
func streamOf(d llm.Dialect, op llm.Operation, contentType string) *llm.Stream {
	if contentType != "" && !llm.IsEventStream(contentType) {
		if f, ok := d.(llm.Framed); ok {
			if s := f.FramedStream(op, contentType); s != nil {
				return s
			}
		}
	}
	return d.NewStream(op, false)
}

// Crossing is a stream on its way from a provider of one dialect to a caller of another.
type Crossing struct {
	Out    []byte  // what the caller gets, the terminal event only after a whole answer
	Fold   Fold    // what was told in between
	End    llm.End // how the provider's stream ended
	State  *llm.StreamState
	Writer canon.Writer
	Events int // canonical events
}

// CrossPieces feeds body, in pieces of size bytes, through the provider's Stream, the reader and the
// writer, as the gateway does. Memory that a reader or writer must not keep is overwritten.
func CrossPieces(t testing.TB, from canon.Speaker, op llm.Operation, contentType string, body []byte, size int, writer canon.Writer) *Crossing {
	t.Helper()
	x := &Crossing{Writer: writer}
	stream := streamOf(from, op, contentType)
	reader := from.Codec(op).NewReader()
	var events []canon.Event
	hand := func() {
		for i := range events {
			x.Events++
			if err := x.Fold.Add(&events[i]); err != nil {
				t.Fatalf("after %d events: %v", x.Events, err)
			}
			if writer != nil {
				x.Out = writer.Write(x.Out, &events[i])
			}
		}
	}
	stream.Tap(func(ev llm.Event) {
		lent := llm.Event{Name: bytes.Clone(ev.Name), Data: bytes.Clone(ev.Data)}
		var err error
		if events, err = reader.Read(lent, events[:0]); err != nil {
			t.Fatalf("event %d: %v: %s", x.Events, err, ev.Data)
		}
		hand()
		for i := range lent.Data {
			lent.Data[i] = '#'
		}
		for i := range lent.Name {
			lent.Name[i] = '#'
		}
	})
	for _, piece := range bytewise(string(body), size) {
		stream.Feed(piece, nil)
	}
	_, x.End = stream.Finish(true, nil)
	x.State = stream.State()
	if x.End.Complete {
		events = reader.End(events[:0])
		hand()
		if writer != nil {
			x.Out = writer.End(x.Out)
		}
	}
	return x
}

func (s *CodecSuite) codecStream(t *testing.T, codec canon.Codec, c CodecStream) {
	req := s.asked()
	report := canon.NewReport(req)
	first := CrossPieces(t, s.Dialect, s.Op, c.ContentType, []byte(c.Body), len(c.Body), codec.NewWriter(req, report))
	if !first.End.Complete {
		t.Fatalf("the stream is not whole: %+v", first.End)
	}
	if missing := first.Fold.Whole(); missing != "" {
		t.Error(missing)
	}
	if len(first.Fold.Answer.Choices) == 0 && !c.NoChoices {
		t.Error("the stream told no choice")
	}
	if got := entries(report); !sameList(got, c.Report) {
		t.Errorf("the report tells %q, want %q", got, c.Report)
	}
	contentType := first.Writer.ContentType()
	second := CrossPieces(t, s.Dialect, s.Op, contentType, first.Out, 7, nil)
	if !second.End.Complete {
		t.Fatalf("what was written is not whole: %+v\n%s", second.End, first.Out)
	}
	if !sameUsage(second.State.Usage, first.State.Usage) || second.State.Finish != first.State.Finish {
		t.Errorf("written: usage %+v, finish %q; before %+v, %q", second.State.Usage, second.State.Finish, first.State.Usage, first.State.Finish)
	}
	if u, st := first.Fold.Answer.Usage.Usage, first.State.Usage; u.Input != st.Input || u.Output != st.Output || u.Cached != st.Cached || u.Reasoning != st.Reasoning {
		t.Errorf("the events tell the usage %+v, and the dialect reads %+v", u, st)
	}
	differ(t, "stream", PlainAnswer(&first.Fold.Answer), PlainAnswer(&second.Fold.Answer), nil, c.Reread)
	if c.Whole != "" {
		whole, err := codec.ReadAnswer([]byte(c.Whole))
		if err != nil {
			t.Fatal(err)
		}
		whole.Usage.Source = ""
		differ(t, "whole answer against stream", PlainAnswer(whole), PlainAnswer(&first.Fold.Answer), nil, c.Differ)
	}
	s.broken(t, codec, c)
}

// broken ends the stream at some forty places: what was written never looks finished, and our error event
// can follow.
func (s *CodecSuite) broken(t *testing.T, codec canon.Codec, c CodecStream) {
	for cut := 0; cut < len(c.Body); cut += 1 + len(c.Body)/40 {
		req := s.asked()
		x := CrossPieces(t, s.Dialect, s.Op, c.ContentType, []byte(c.Body[:cut]), len(c.Body), codec.NewWriter(req, canon.NewReport(req)))
		if x.End.Complete {
			continue
		}
		contentType := x.Writer.ContentType()
		stream := streamOf(s.Dialect, s.Op, contentType)
		stream.Feed(x.Out, nil)
		if _, end := stream.Finish(true, nil); end.Complete {
			t.Fatalf("cut at %d of %d: what was written looks finished:\n%s", cut, len(c.Body), x.Out)
		}
		stream = streamOf(s.Dialect, s.Op, contentType)
		stream.Feed(s.Dialect.AppendErrorEvent(x.Out, s.Op, failure(), x.Writer.State()), nil)
		if _, end := stream.Finish(true, nil); end.Complete || stream.ErrorFrame() == nil {
			t.Fatalf("cut at %d of %d: after our error event: %+v\n%s", cut, len(c.Body), end, x.Out)
		}
	}
}
