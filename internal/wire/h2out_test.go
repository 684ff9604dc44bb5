package wire

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
)

// TestNothingIsPutBetweenTheFramesOfAFieldBlock: what follows a frame follows the whole of its field block, however the bytes
// arrive (RFC 9113 section 6.10).
func TestNothingIsPutBetweenTheFramesOfAFieldBlock(t *testing.T) {
	var in bytes.Buffer
	fr := http2.NewFramer(&in, nil)
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("first"), EndStream: true})
	_ = fr.WriteContinuation(1, false, nil)
	_ = fr.WriteContinuation(1, true, []byte("last"))
	whole := in.Len()
	_ = fr.WriteData(3, false, []byte("other"))
	all := in.Bytes()
	reset := appendH2Frame(nil, http2.FrameRSTStream, 0, 1, byte(http2.ErrCodeProtocol))
	want := append(append(append([]byte(nil), all[:whole]...), reset...), all[whole:]...)
	for size := 1; size <= len(all); size++ {
		p := &h2Peer{door: &h2Door{o: DefaultHTTP2()}}
		p.change(1, &h2Stream{reset: true})
		var o h2Out
		var got []byte
		for rest := all; len(rest) > 0; {
			n := min(size, len(rest))
			got = append(got, o.rewrite(p, rest[:n])...)
			rest = rest[n:]
		}
		if !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
}
