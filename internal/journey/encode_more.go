package journey

import "encoding/binary"

// The mask of an attempt has no bit left: what came later is nested, in a value with a mask of its
// own. A new fact takes the next free bit here.
const (
	moreHTTP2 uint64 = 1 << iota
	moreTunnel
	moreUsage
)

// appendMore writes the facts of an attempt that its own mask has no bit for.
func appendMore(dst []byte, a *Attempt) []byte {
	var mask uint64
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	if a.HTTP2 != nil {
		mask |= moreHTTP2
		dst = appendHTTP2(dst, a.HTTP2)
	}
	if a.Tunnel != nil {
		mask |= moreTunnel
		dst = appendTunnel(dst, a.Tunnel)
	}
	if a.Usage != nil {
		mask |= moreUsage
		dst = appendAttemptUsage(dst, a.Usage)
	}
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

// hasMore tells whether appendMore has anything to write.
func (a *Attempt) hasMore() bool { return a.HTTP2 != nil || a.Tunnel != nil || a.Usage != nil }

func (r *reader) more(a *Attempt) {
	in := r.nested()
	mask := in.mask(2)
	if mask&moreHTTP2 != 0 {
		in.http2(a)
	}
	if mask&moreTunnel != 0 {
		in.tunnel(a)
	}
	if mask&moreUsage != 0 {
		in.attemptUsage(a)
	}
	r.close(&in)
}

// The fields of HTTP2Facts.
const (
	http2Stream uint64 = 1 << iota
	http2Streams
	http2Signal
	http2Code
	http2LastStream
	http2Debug
	http2Detail
	http2Unworked
	http2Ended
	http2Moved
	http2Agreed
)

func appendHTTP2(dst []byte, h *HTTP2Facts) []byte {
	mask := flag(http2Unworked, h.Unworked) | flag(http2Ended, h.Ended)
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	dst = optInt(dst, &mask, http2Stream, int64(h.Stream))
	dst = optInt(dst, &mask, http2Streams, int64(h.Streams))
	dst = optString(dst, &mask, http2Signal, string(h.Signal))
	dst = optInt(dst, &mask, http2Code, int64(h.Code))
	dst = optInt(dst, &mask, http2LastStream, int64(h.LastStream))
	dst = optBytes(dst, &mask, http2Debug, h.Debug)
	dst = optString(dst, &mask, http2Detail, h.Detail)
	dst = optInt(dst, &mask, http2Moved, int64(h.Moved))
	dst = optString(dst, &mask, http2Agreed, h.Agreed)
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

func (r *reader) http2(a *Attempt) {
	in := r.nested()
	mask := in.mask(2)
	o := optional{&in, mask}
	h := &HTTP2Facts{Unworked: o.has(http2Unworked), Ended: o.has(http2Ended)}
	h.Stream = uint32(o.number(http2Stream))
	h.Streams = int(o.number(http2Streams))
	h.Signal = HTTP2Signal(o.text(http2Signal))
	h.Code = uint32(o.number(http2Code))
	h.LastStream = uint32(o.number(http2LastStream))
	if o.has(http2Debug) {
		h.Debug = in.bytes()
	}
	h.Detail = o.text(http2Detail)
	h.Moved = int(o.number(http2Moved))
	h.Agreed = o.text(http2Agreed)
	a.HTTP2 = h
	r.close(&in)
}
