package bedrock_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
)

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// frame makes a frame with these headers as they stand on the wire.
func frame(headers, payload string) []byte {
	total := uint32(16 + len(headers) + len(payload))
	b := prelude12(total, uint32(len(headers)))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crcOf(b))
}

// header is a header with a string.
func header(name, value string) string {
	return string(rune(len(name))) + name + "\x07" + string(binary.BigEndian.AppendUint16(nil, uint16(len(value)))) + value
}

func TestHeadersOfEveryTypeAreRead(t *testing.T) {
	others := "\x01a\x00" + "\x01b\x01" + "\x01c\x02x" + "\x01d\x03xy" + "\x01e\x04wxyz" + "\x01f\x0512345678" + "\x01g\x06\x00\x02hi" + "\x01h\x0812345678" + "\x01i\x091234567890123456"
	s := bedrock.New().NewStream(llm.Chat, false)
	body := frame(others+header(":message-type", "event")+header(":event-type", "messageStop"), `{"stopReason":"end_turn"}`)
	if out, end := finish(s, string(body), 3); !end.Complete || out != string(body) || s.State().Finish != "end_turn" {
		t.Errorf("%+v", end)
	}
	for name, headers := range map[string]string{
		"no message type":    header(":event-type", "messageStop"),
		"an unknown kind":    header(":message-type", "other") + header(":event-type", "messageStop"),
		"an unknown type":    "\x01a\x0a",
		"a name cut off":     "\x05a",
		"no type":            "\x01a",
		"a number cut off":   "\x01a\x04xx",
		"a length cut off":   "\x01a\x07\x00",
		"a text cut off":     "\x01a\x07\x00\x05abc",
		"a kind as a number": "\x0d:message-type\x04wxyz",
	} {
		s := bedrock.New().NewStream(llm.Chat, false)
		if out, end := finish(s, string(frame(headers, `{"stopReason":"end_turn"}`)), 1000); end.Complete || end.Problem == "" || out != "" {
			t.Errorf("%s: %+v", name, end)
		}
	}
}

// FuzzFrames: whatever bytes come, nothing panics, what goes out is a begin of what came in, and the pieces in which it comes
// do not matter.
func FuzzFrames(f *testing.F) {
	for _, body := range streams(f) {
		f.Add([]byte(body), uint8(7))
		f.Add([]byte(body[:len(body)/2]), uint8(1))
	}
	f.Add(frame("\x01a\x07\x00\x05abc", "{}"), uint8(3))
	f.Add(frame(header(":message-type", "exception"), ""), uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, size uint8) {
		for _, op := range []llm.Operation{llm.Chat, llm.Invoke} {
			one, many := bedrock.New().NewStream(op, false), bedrock.New().NewStream(op, false)
			out, end := finish(one, string(body), max(len(body), 1))
			again, other := finish(many, string(body), int(size)+1)
			if out != again || end.Complete != other.Complete || end.Kind != other.Kind {
				t.Fatalf("%+v and %+v", end, other)
			}
			if !bytes.HasPrefix(body, []byte(out)) {
				t.Fatal("the output is no begin of the input")
			}
		}
	})
}

// FuzzEvents gives the reader of streams frames whose checksums are right and whose payload is a stranger's: the events that
// it makes keep their order, and the writer makes frames of them.
func FuzzEvents(f *testing.F) {
	names := []string{"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "other"}
	for _, body := range streams(f) {
		for _, one := range frames(body) {
			f.Add(uint8(2), payload([]byte(one)), uint8(1), []byte(`{"contentBlockIndex":0,"delta":{"text":"a"}}`))
			f.Add(uint8(1), []byte(`{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}`), uint8(2), payload([]byte(one)))
		}
	}
	codec := bedrock.New().Codec(llm.Chat)
	f.Fuzz(func(t *testing.T, a uint8, first []byte, b uint8, second []byte) {
		reader := codec.NewReader()
		asked := &canon.Request{Dialect: "bedrock", Op: llm.Chat}
		writer := codec.NewWriter(asked, canon.NewReport(asked))
		var fold llmtest.Fold
		var out []byte
		hand := func(events []canon.Event) {
			for i := range events {
				if err := fold.Add(&events[i]); err != nil {
					t.Fatal(err)
				}
				out = writer.Write(out, &events[i])
			}
		}
		for _, ev := range []llm.Event{
			{Name: []byte(names[int(a)%len(names)]), Data: first},
			{Name: []byte(names[int(b)%len(names)]), Data: second},
			{Name: []byte("messageStop"), Data: []byte(`{"stopReason":"end_turn"}`)},
		} {
			if string(ev.Name) == "messageStop" && len(fold.Answer.Choices) > 0 && fold.Answer.Choices[0].Finish != canon.Unfinished {
				break // the judge lets nothing follow
			}
			events, err := reader.Read(ev, nil)
			if err != nil {
				return
			}
			hand(events)
			if string(ev.Name) == "messageStop" {
				break
			}
		}
		hand(reader.End(nil))
		out = writer.End(out)
		if _, end := finish(bedrock.New().NewStream(llm.Chat, false), string(out), len(out)); !end.Complete {
			t.Fatalf("what was written is not whole: %+v", end)
		}
	})
}

// BenchmarkEvent is what one event of a stream costs on its way from Bedrock to a caller of Bedrock.
func BenchmarkEvent(b *testing.B) {
	codec := bedrock.New().Codec(llm.Chat)
	asked := &canon.Request{Dialect: "bedrock", Op: llm.Chat}
	reader, writer := codec.NewReader(), codec.NewWriter(asked, canon.NewReport(asked))
	stream := bedrock.New().NewStream(llm.Chat, false)
	all := frames(streams(b)["text"])
	var events []canon.Event
	var out []byte
	stream.Tap(func(ev llm.Event) {
		events, _ = reader.Read(ev, events[:0])
		out = out[:0]
		for i := range events {
			out = writer.Write(out, &events[i])
		}
	})
	room := make([][]byte, 0, 4)
	stream.Feed([]byte(all[0]), room)
	event := []byte(all[1])
	b.ReportAllocs()
	for b.Loop() {
		stream.Feed(event, room)
	}
}

// BenchmarkRequest reads a request and writes it again.
func BenchmarkRequest(b *testing.B) {
	codec := bedrock.New().Codec(llm.Chat)
	body := []byte(recorded(b)["bedrock-0083"].Request)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req, err := codec.ReadRequest(llm.Match{Op: llm.Chat, Model: sonnet}, body)
		if err != nil {
			b.Fatal(err)
		}
		r := canon.NewReport(req)
		if _, err := codec.WriteRequest(req, &canon.Target{Model: sonnet}, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}
