package journey

import "encoding/binary"

// The fields of AttemptUsage.
const (
	usageInput uint64 = 1 << iota
	usageOutput
	usageSource
	usageCost
	usagePriced
)

func appendAttemptUsage(dst []byte, u *AttemptUsage) []byte {
	mask := flag(usagePriced, u.Priced)
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	dst = optInt(dst, &mask, usageInput, u.Input)
	dst = optInt(dst, &mask, usageOutput, u.Output)
	dst = optString(dst, &mask, usageSource, u.Source)
	dst = optInt(dst, &mask, usageCost, u.Cost)
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

func (r *reader) attemptUsage(a *Attempt) {
	in := r.nested()
	o := optional{&in, in.mask(2)}
	u := &AttemptUsage{Priced: o.has(usagePriced)}
	u.Input = o.number(usageInput)
	u.Output = o.number(usageOutput)
	u.Source = o.text(usageSource)
	u.Cost = o.number(usageCost)
	a.Usage = u
	r.close(&in)
}
