package journey

import (
	"encoding/binary"

	"causeway/internal/fault"
)

// The fields of a finding that its own mask has no bit for. A new one takes the next free bit here.
const (
	moreFinPattern uint64 = 1 << iota
	moreFinBecause
	moreFinCheck
	moreFinWarning
)

func appendFindingMore(dst []byte, f *fault.Finding) []byte {
	var mask uint64
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	dst = optString(dst, &mask, moreFinPattern, f.Pattern)
	dst = optString(dst, &mask, moreFinBecause, f.Because)
	dst = optString(dst, &mask, moreFinCheck, f.Check)
	dst = optString(dst, &mask, moreFinWarning, f.Warning)
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

func (r *reader) findingMore(f *fault.Finding) {
	in := r.nested()
	mask := in.mask(2)
	o := optional{&in, mask}
	f.Pattern = o.text(moreFinPattern)
	f.Because = o.text(moreFinBecause)
	f.Check = o.text(moreFinCheck)
	f.Warning = o.text(moreFinWarning)
	r.close(&in)
}
