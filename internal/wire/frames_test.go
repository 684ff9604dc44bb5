package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"causeway/internal/journey"
)

// frame writes a WebSocket frame; key nil leaves it unmasked.
func frame(first byte, payload, key []byte) []byte {
	out := []byte{first}
	mask := byte(0)
	if key != nil {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		out = append(out, mask|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), uint64(n))
	}
	out = append(out, key...)
	for i, b := range payload {
		if key != nil {
			b ^= key[i&3]
		}
		out = append(out, b)
	}
	return out
}

// TestFramesAreFollowedInAnyPieces: whatever the lengths, the masks and the places where reads end,
// messages are counted, the first close frame is read, and a frame may begin exactly between two.
func TestFramesAreFollowedInAnyPieces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := frames{masked: rapid.Bool().Draw(rt, "masked")}
		var all []byte
		ends := map[int]bool{0: true}
		messages, open := int64(0), false
		var want journey.CloseFrame
		for range rapid.IntRange(0, 12).Draw(rt, "frames") {
			var key []byte
			if f.masked {
				key = rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "key")
			}
			size := rapid.SampledFrom([]int{0, 1, 125, 126, 127, 65535, 65536}).Draw(rt, "size")
			payload := make([]byte, size)
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				all = append(all, frame(0x80|0x9, payload[:min(size, 125)], key)...) // a ping, also between fragments
			case 1:
				code, reason := rapid.SampledFrom([]int{1000, 1003, 1007, 1014, 3000, 4999}).Draw(rt, "code"), strings.Repeat("r", min(size, 123))
				body := append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
				if rapid.Bool().Draw(rt, "bare") {
					body, code, reason = nil, 1005, ""
				}
				if want.Code == 0 {
					want = journey.CloseFrame{Code: code, Reason: reason}
				}
				all = append(all, frame(0x88, body, key)...)
			default:
				first, fin := byte(0x1), rapid.Bool().Draw(rt, "fin")
				if open {
					first = 0
				}
				if open = !fin; fin {
					first |= 0x80
					messages++
				}
				first |= byte(rapid.IntRange(0, 1).Draw(rt, "compressed")) << 6
				all = append(all, frame(first, payload, key)...)
			}
			ends[len(all)] = true
		}
		for at := 0; at < len(all); {
			n := rapid.IntRange(1, len(all)-at).Draw(rt, "piece")
			f.feed(all[at : at+n])
			at += n
			if f.between() != ends[at] {
				rt.Fatalf("after %d bytes a frame may begin: %v", at, f.between())
			}
		}
		if f.messages != messages || f.close != want || f.problem != "" {
			rt.Fatalf("%d messages, close %+v, problem %q; want %d and %+v", f.messages, f.close, f.problem, messages, want)
		}
	})
}

func TestBytesThatAreNoFramesAreNamed(t *testing.T) {
	key := []byte{1, 2, 3, 4}
	for name, c := range map[string]struct {
		masked  bool
		bytes   []byte
		problem string
	}{
		"a masked server":          {false, frame(0x81, []byte("x"), key), "a frame is masked"},
		"a bare client":            {true, frame(0x81, []byte("x"), nil), "a frame is not masked"},
		"a reserved opcode":        {false, frame(0x83, nil, nil), "a frame has the opcode 3, which is reserved"},
		"a reserved control frame": {false, frame(0x8b, nil, nil), "a frame has the opcode 11, which is reserved"},
		"a long ping":              {false, frame(0x89, make([]byte, 126), nil), "a control frame is fragmented or longer than 125 bytes"},
		"a fragmented close":       {false, frame(0x08, nil, nil), "a control frame is fragmented or longer than 125 bytes"},
		"a length above 63 bits":   {false, []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, "a frame's length has its highest bit set"},
		"a stray continuation":     {false, frame(0x80, nil, nil), "a frame continues a message that has not begun"},
		"a message in a message":   {false, append(frame(0x01, nil, nil), frame(0x81, nil, nil)...), "a message begins inside another"},
		"plain text":               {false, []byte("tunneled"), "a frame has the opcode 4, which is reserved"},
	} {
		f := frames{masked: c.masked}
		f.feed(c.bytes)
		if f.problem != c.problem || f.between() {
			t.Errorf("%s: %q, want %q", name, f.problem, c.problem)
		}
		f.feed(frame(0x88, []byte{3, 232}, nil))
		if f.close.Code != 0 || f.messages != 0 {
			t.Errorf("%s: followed after its fault: %+v", name, f)
		}
	}
}

func TestCloseFrames(t *testing.T) {
	f := frames{}
	f.feed(CloseFrame(1014, strings.Repeat("x", 200)))
	if f.close.Code != 1014 || len(f.close.Reason) != 123 || !f.between() {
		t.Errorf("%+v", f)
	}
	f = frames{masked: true}
	f.feed(maskedCloseFrame(1001))
	if f.close.Code != 1001 || f.problem != "" || !f.between() {
		t.Errorf("%+v", f)
	}
}

// TestCloseFramesThatMayNotBeSent are followed no further and named; their status is on record all the same.
func TestCloseFramesThatMayNotBeSent(t *testing.T) {
	for code, problem := range map[int]bool{
		0: true, 999: true, 1000: false, 1003: false, 1004: true, 1005: true, 1006: true, 1007: false, 1014: false, 1015: true, 1016: true, 2999: true,
		3000: false, 4999: false, 5000: true, 65535: true,
	} {
		f := frames{}
		f.feed(CloseFrame(code, "why"))
		if got := f.problem != ""; got != problem || f.close.Code != code || f.close.Reason != "why" {
			t.Errorf("%d: problem %q, close %+v", code, f.problem, f.close)
		}
		if problem && f.problem != fmt.Sprintf("a close frame has the status %d, which may not be sent", code) {
			t.Errorf("%d: %q", code, f.problem)
		}
	}
	f := frames{masked: true}
	f.feed(frame(0x88, []byte{3}, []byte{1, 2, 3, 4}))
	if f.problem != "a close frame's payload is one byte, and a status has two" || f.close.Code != closeWithout {
		t.Errorf("one byte: %+v", f)
	}
}

func BenchmarkFrames(b *testing.B) {
	piece := append(frame(0x81, make([]byte, 100), nil), frame(0x82, make([]byte, 16000), nil)...)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	f := frames{}
	for b.Loop() {
		f.feed(piece)
	}
}
