package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/http2"
)

// TestTheGuardCountsTheSameHoweverFramesArrive: whole, or a byte at a time.
func TestTheGuardCountsTheSameHoweverFramesArrive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b bytes.Buffer
		fr := http2.NewFramer(&b, nil)
		fr.AllowIllegalWrites = true
		b.WriteString(http2.ClientPreface)
		var control, streams int
		id := uint32(1)
		for range 100 {
			switch r.IntN(9) {
			case 0:
				_ = fr.WriteData(1, false, make([]byte, 1+r.IntN(100)))
			case 1:
				_ = fr.WriteData(1, false, nil)
				control++
			case 2:
				_ = fr.WriteData(1, true, nil) // an end carries something
			case 3:
				_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: make([]byte, r.IntN(50)), EndHeaders: true})
				id += 2
				streams++
			case 4:
				_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: false})
				_ = fr.WriteContinuation(id, true, make([]byte, r.IntN(50)))
				id += 2
				streams++
				control++
			case 5:
				_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true}) // a trailer, once there is a stream
				if streams == 0 {
					id, streams = 3, 1
				}
			case 6:
				_ = fr.WritePing(false, [8]byte{})
				control++
			case 7:
				_ = fr.WriteWindowUpdate(0, 1)
				control++
			case 8:
				_ = fr.WriteRawFrame(0xff, 0, 0, make([]byte, r.IntN(300)))
				control++
			}
		}
		g := h2Guard{most: 1 << 30, preface: len(http2.ClientPreface)}
		for p := b.Bytes(); len(p) > 0; {
			n := min(1+r.IntN(40), len(p))
			g.feed(p[:n], 1, h2Tally{})
			p = p[n:]
		}
		if g.waiting() {
			t.Fatal("it waits for more than there is")
		}
		if int(g.opened) != streams || g.control != control-streams*controlPerCall {
			t.Fatalf("counted %d streams and %d, want %d and %d", g.opened, g.control, streams, control-streams*controlPerCall)
		}
	}
}

// TestTheGuardKnowsWhatIsHalfThere: heads have a limit in time, bodies have another.
func TestTheGuardKnowsWhatIsHalfThere(t *testing.T) {
	frame := func(write func(fr *http2.Framer)) []byte {
		var b bytes.Buffer
		write(http2.NewFramer(&b, nil))
		return b.Bytes()
	}
	headers := frame(func(fr *http2.Framer) {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 10), EndHeaders: true})
	})
	open := frame(func(fr *http2.Framer) {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 10)})
	})
	data := frame(func(fr *http2.Framer) { _ = fr.WriteData(1, false, make([]byte, 10)) })
	for _, c := range []struct {
		name    string
		bytes   []byte
		waiting bool
	}{
		{"nothing", nil, false},
		{"half a frame's head", headers[:5], true},
		{"half a head", headers[:12], true},
		{"a head", headers, false},
		{"a head that goes on", open, true},
		{"half a body", data[:12], false},
		{"a body and half a head", append(bytes.Clone(data), headers[:15]...), true},
	} {
		g := h2Guard{most: 1000}
		g.feed(c.bytes, 7, h2Tally{})
		if g.waiting() != c.waiting || c.waiting && g.since != 7 {
			t.Errorf("%s: waiting %v since %d", c.name, g.waiting(), g.since)
		}
	}
}

func TestYoungStreamsAreTold(t *testing.T) {
	g := h2Guard{most: 1000}
	at := int64(10 * h2Young)
	send := func(write func(fr *http2.Framer)) {
		var b bytes.Buffer
		write(http2.NewFramer(&b, nil))
		g.feed(b.Bytes(), at, h2Tally{})
	}
	open := func(id uint32) {
		send(func(fr *http2.Framer) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x82}, EndHeaders: true})
		})
	}
	reset := func(id uint32) { send(func(fr *http2.Framer) { _ = fr.WriteRSTStream(id, http2.ErrCodeCancel) }) }
	open(1)
	open(3)
	reset(1)
	if g.resets != 1 {
		t.Errorf("a stream reset at once counts %d times", g.resets)
	}
	at += int64(2*h2Young) + 1
	open(5)
	reset(3)
	if g.resets != 1 {
		t.Errorf("an old stream counts as well: %d", g.resets)
	}
	reset(5)
	g.feed(nil, at, h2Tally{ends: 2})
	if g.resets != 0 {
		t.Errorf("two streams ended well, and %d count", g.resets)
	}
}

func TestTheGuardReadsWhatIsSent(t *testing.T) {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	_ = fr.WriteSettings()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 30), EndHeaders: true})
	_ = fr.WriteData(1, false, make([]byte, 5000))
	_ = fr.WriteData(1, false, make([]byte, 10)) // all that a small window allows
	_ = fr.WriteData(1, true, nil)
	_ = fr.WriteRSTStream(3, http2.ErrCodeNo)
	_ = fr.WriteRSTStream(5, http2.ErrCodeInternal)
	_ = fr.WriteRSTStream(7, http2.ErrCodeProtocol)
	_ = fr.WriteRSTStream(9, http2.ErrCodeStreamClosed)
	for step := 1; step < 40; step++ {
		var s h2Sent
		for p := b.Bytes(); len(p) > 0; {
			n := min(step, len(p))
			s.feed(p[:n])
			p = p[n:]
		}
		if want := (h2Tally{control: 2 - controlPerFrame - 5000>>10, provoked: 1, ends: 1}); s.tally != want {
			t.Fatalf("in steps of %d: %+v, want %+v", step, s.tally, want)
		}
	}
}
