package llmtest

import (
	"encoding/json"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

// FuzzCodec feeds strangers' bytes to a codec: as a request, as an answer and as a stream. Whatever they
// are, nothing panics; a fault in a request has a place; what could be read is written as JSON; the
// events of a stream keep their order.
func FuzzCodec(f *testing.F, d canon.Speaker, m llm.Match, to *canon.Target, contentType string, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	codec := d.Codec(m.Op)
	f.Fuzz(func(t *testing.T, body []byte) {
		if req, err := codec.ReadRequest(m, body); err != nil {
			if _, ok := PointerOf(err); !ok {
				t.Fatalf("the fault has no place: %v", err)
			}
		} else {
			report := canon.NewReport(req)
			written, err := codec.WriteRequest(req, to, report)
			report.Close()
			if err == nil && !json.Valid(written) {
				t.Fatalf("%q was written as %q", body, written)
			}
		}
		asked := &canon.Request{Dialect: d.Name(), Op: m.Op, Model: "test", Stream: true, StreamUsage: true}
		if a, err := codec.ReadAnswer(body); err == nil {
			if written := codec.WriteAnswer(a, asked, canon.NewReport(asked)); !json.Valid(written) {
				t.Fatalf("%q was written as %q", body, written)
			}
		}
		fuzzStream(t, d, m.Op, contentType, body, codec.NewWriter(asked, canon.NewReport(asked)))
	})
}

func fuzzStream(t *testing.T, d canon.Speaker, op llm.Operation, contentType string, body []byte, writer canon.Writer) {
	stream, reader := streamOf(d, op, contentType), d.Codec(op).NewReader()
	var fold Fold
	var out []byte
	failed := false
	hand := func(events []canon.Event, err error) {
		if failed = failed || err != nil; failed {
			return
		}
		for i := range events {
			if err := fold.Add(&events[i]); err != nil {
				t.Fatalf("%v: %q", err, body)
			}
			out = writer.Write(out, &events[i])
		}
	}
	stream.Tap(func(ev llm.Event) { hand(reader.Read(ev, nil)) })
	stream.Feed(body, nil)
	if _, end := stream.Finish(true, nil); end.Complete && !failed {
		hand(reader.End(nil), nil)
		out = writer.End(out)
		again := streamOf(d, op, writer.ContentType())
		again.Feed(out, nil)
		if _, end := again.Finish(true, nil); !end.Complete {
			t.Fatalf("%q was written as %q, which is not whole: %+v", body, out, end)
		}
	}
}
