package journey

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
)

// The encoded form of a call, a "record":
//
//	version   1 byte, recordVersion
//	present   5 bytes, little endian: which fields follow (the has... bits)
//	id        16 bytes: the ULID's 128 bits, or 26 bytes of text with hasTextID
//	fields    in the order of their bits, each only if its bit is set
//
// A field that is zero has no bit and costs nothing; a true bool is its bit alone. Numbers are
// varints (zigzag where they may be negative), strings and byte strings have a varint length
// before them, and every nested value (an attempt, the finding, a note) is a length, a mask and
// fields in the same manner. A new field takes the next free bit and is so written behind all
// older ones: a reader skips what stands behind the last field it knows. What a search filters by
// comes first, so that ReadSummary stops early. Another version byte is another format.
const recordVersion = 1

// maskBytes is the width of the mask of a record and of an attempt.
const maskBytes = 5

// maxItems bounds every list of a record. The gateway's own limits are far below it.
const maxItems = 1000

// The fields of a record in the order they are written.
const (
	hasTextID uint64 = 1 << iota
	hasStart
	hasMethod
	hasPath
	hasService
	hasRoute
	hasApplication
	hasProvider
	hasModel
	hasTargetModel
	hasKind
	hasStatus
	hasTotal
	hasRemote // the first field that is not in a Summary
	hasHost
	hasProtocol
	hasStream
	hasTLS
	hasCut
	hasBytesIn
	hasBytesOut
	hasTrace
	hasGeneration
	hasRouted
	hasAdmitted
	hasFirstByte
	hasAttempts
	hasUsage
	hasFinding
	hasNotes
	hasPolicies
	hasRequestBody
	hasResponseBody
	hasDialect
	hasRPC
	hasGatewayHost
	hasRepeated // more than one attempt; a reader has it from the attempts
	hasCache
	hasSent
)

// Words that are so common that a record holds a number for them. Their order is part of the
// format; 0 means that the word itself follows.
var (
	methodWords   = [...]string{"", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"}
	protocolWords = [...]string{"", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/2", "HTTP/3"}
)

// noUsage is the Usage of a call whose answer said nothing, as Reset leaves it. It is not written.
var noUsage = Usage{Input: -1, Output: -1, Cached: -1, CacheWrite: -1, Reasoning: -1}

// AppendRecord appends the encoded form of j to dst and returns it; it allocates only where dst
// has no room. DecodeRecord gives back an equal Journey, with these exceptions: times come back in
// UTC without their monotonic reading, empty slices as nil, and of a list no more than the first
// 1,000 entries are kept. A good REST call takes about 190 bytes.
func (j *Journey) AppendRecord(dst []byte) []byte {
	var mask uint64
	dst = append(dst, recordVersion)
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0)

	if packed, ok := packID(j.ID); ok {
		dst = append(dst, packed[:]...)
	} else {
		mask |= hasTextID
		dst = append(dst, j.ID[:]...)
	}
	if !j.Start.IsZero() {
		mask |= hasStart
		// Since the id holds the millisecond, this is one byte and the rest of the nanoseconds.
		ms := j.Start.UnixMilli()
		dst = binary.AppendVarint(dst, ms-idMillis(j.ID))
		dst = binary.AppendUvarint(dst, uint64(j.Start.Nanosecond()%int(time.Millisecond)))
	}
	if j.Method != "" {
		mask |= hasMethod
		dst = appendWord(dst, methodWords[:], j.Method)
	}
	dst = optString(dst, &mask, hasPath, j.Path)
	dst = optString(dst, &mask, hasService, j.Service)
	dst = optString(dst, &mask, hasRoute, j.Route)
	dst = optString(dst, &mask, hasApplication, j.Application)
	dst = optString(dst, &mask, hasProvider, j.Provider)
	dst = optString(dst, &mask, hasModel, j.Model)
	dst = optString(dst, &mask, hasTargetModel, j.TargetModel)
	if j.Finding != nil {
		dst = optString(dst, &mask, hasKind, string(j.Finding.Kind))
	}
	dst = optInt(dst, &mask, hasStatus, int64(j.Status))
	dst = optInt(dst, &mask, hasTotal, int64(j.Total))

	dst = optString(dst, &mask, hasRemote, j.Remote)
	dst = optString(dst, &mask, hasHost, j.Host)
	if j.Protocol != "" {
		mask |= hasProtocol
		dst = appendWord(dst, protocolWords[:], j.Protocol)
	}
	mask |= flag(hasStream, j.Stream) | flag(hasTLS, j.TLS) | flag(hasCut, j.Cut) | flag(hasRepeated, len(j.Attempts) > 1)
	dst = optInt(dst, &mask, hasBytesIn, j.BytesIn)
	dst = optInt(dst, &mask, hasBytesOut, j.BytesOut)
	if j.Trace != ([16]byte{}) {
		mask |= hasTrace
		dst = append(dst, j.Trace[:]...)
	}
	if j.Generation != 0 {
		mask |= hasGeneration
		dst = binary.AppendUvarint(dst, j.Generation)
	}
	dst = optInt(dst, &mask, hasRouted, int64(j.Routed))
	dst = optInt(dst, &mask, hasAdmitted, int64(j.Admitted))
	dst = optInt(dst, &mask, hasFirstByte, int64(j.FirstByte))
	if len(j.Attempts) > 0 {
		mask |= hasAttempts
		attempts := j.Attempts[:min(len(j.Attempts), maxItems)]
		dst = binary.AppendUvarint(dst, uint64(len(attempts)))
		for i := range attempts {
			dst = appendAttempt(dst, &attempts[i])
		}
	}
	if j.Usage != noUsage {
		mask |= hasUsage
		dst = appendUsage(dst, &j.Usage)
	}
	if j.Finding != nil {
		mask |= hasFinding
		dst = appendFinding(dst, j.Finding)
	}
	if len(j.Notes) > 0 {
		mask |= hasNotes
		dst = appendNotes(dst, j.Notes)
	}
	if len(j.Policies) > 0 {
		mask |= hasPolicies
		dst = appendStrings(dst, j.Policies)
	}
	dst = optBytes(dst, &mask, hasRequestBody, j.RequestBody)
	dst = optBytes(dst, &mask, hasResponseBody, j.ResponseBody)
	dst = optString(dst, &mask, hasDialect, j.Dialect)
	if j.RPC != nil {
		mask |= hasRPC
		dst = appendRPC(dst, j.RPC)
	}
	if j.GatewayHost != nil {
		mask |= hasGatewayHost
		dst = appendHost(dst, j.GatewayHost)
	}
	dst = optString(dst, &mask, hasCache, j.Cache)
	if j.Sent != nil {
		mask |= hasSent
		dst = appendSent(dst, j.Sent)
	}

	putMask(dst[at:], mask)
	return dst
}

func appendUsage(dst []byte, u *Usage) []byte {
	dst, at := openSized(dst)
	for _, n := range [...]int64{u.Input, u.Output, u.Cached, u.CacheWrite, u.Reasoning} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = appendString(dst, u.Source)
	if u.BilledInput != 0 || u.BilledOutput != 0 || u.Priced || u.Extra != nil {
		dst = binary.AppendVarint(binary.AppendVarint(dst, u.BilledInput), u.BilledOutput)
	}
	if u.Priced || u.Extra != nil {
		dst = append(dst, flagByte(u.Priced))
		dst = binary.AppendVarint(dst, u.Cost)
	}
	if x := u.Extra; x != nil {
		for _, n := range x.counts() {
			dst = binary.AppendVarint(dst, *n)
		}
		dst = append(dst, flagByte(x.Batch))
	}
	return closeSized(dst, at)
}

func flagByte(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// counts are the numbers of x in the order of their encoding.
func (x *UsageExtra) counts() [8]*int64 {
	return [8]*int64{&x.CacheWrite1h, &x.AudioIn, &x.AudioOut, &x.ImageIn, &x.ImageOut, &x.Searches, &x.Images, &x.Milliseconds}
}

func appendNotes(dst []byte, notes []Note) []byte {
	notes = notes[:min(len(notes), maxItems)]
	dst = binary.AppendUvarint(dst, uint64(len(notes)))
	for i := range notes {
		var at int
		dst, at = openSized(dst)
		dst = binary.AppendVarint(dst, int64(notes[i].At))
		dst = appendString(dst, notes[i].Room)
		dst = appendString(dst, notes[i].Text)
		dst = closeSized(dst, at)
	}
	return dst
}

// putMask writes a record's or attempt's mask into the first maskBytes of dst.
func putMask(dst []byte, mask uint64) {
	dst[0], dst[1], dst[2], dst[3], dst[4] = byte(mask), byte(mask>>8), byte(mask>>16), byte(mask>>24), byte(mask>>32)
}

// openSized begins a nested value with room for a length of one byte; closeSized fills it in and
// makes more room where the value turned out longer.
func openSized(dst []byte) ([]byte, int) { return append(dst, 0), len(dst) }

func closeSized(dst []byte, at int) []byte {
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(length[:], uint64(n))
	dst = append(dst, length[1:k]...)
	copy(dst[at+k:], dst[at+1:at+1+n])
	copy(dst[at:], length[:k])
	return dst
}

func flag(bit uint64, set bool) uint64 {
	if set {
		return bit
	}
	return 0
}

func optString(dst []byte, mask *uint64, bit uint64, s string) []byte {
	if s == "" {
		return dst
	}
	*mask |= bit
	return appendString(dst, s)
}

func optBytes(dst []byte, mask *uint64, bit uint64, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	*mask |= bit
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func optInt(dst []byte, mask *uint64, bit uint64, n int64) []byte {
	if n == 0 {
		return dst
	}
	*mask |= bit
	return binary.AppendVarint(dst, n)
}

func optTime(dst []byte, mask *uint64, bit uint64, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	*mask |= bit
	dst = binary.AppendVarint(dst, t.Unix())
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}

func appendString(dst []byte, s string) []byte {
	if len(s) < 0x80 {
		dst = append(dst, byte(len(s)))
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
	}
	return append(dst, s...)
}

func appendStrings(dst []byte, list []string) []byte {
	list = list[:min(len(list), maxItems)]
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}

func appendWord(dst []byte, words []string, s string) []byte {
	for i := 1; i < len(words); i++ {
		if words[i] == s {
			return append(dst, byte(i))
		}
	}
	return appendString(append(dst, 0), s)
}

// packID gives the 128 bits that an id's text stands for; ok is false when it holds more (a first
// letter above 7) or is no ULID at all, so that every ID can be given back as it was.
func packID(id ID) (out [16]byte, ok bool) {
	var bad byte
	var hi, lo uint64 // the first 13 letters are 65 bits: the top one must be zero
	for _, c := range id[:13] {
		v := unletter[c]
		bad |= v
		hi = hi<<5 | uint64(v&31)
	}
	for _, c := range id[13:] {
		v := unletter[c]
		bad |= v
		lo = lo<<5 | uint64(v&31)
	}
	if bad&0x80 != 0 || unletter[id[0]] > 7 {
		return out, false
	}
	// 130 bits: 65 in each half, of which the first two are zero. The low half's top bit was pushed
	// out of its word; it is the first bit of letter 13.
	top := uint64(unletter[id[13]]) >> 4
	binary.BigEndian.PutUint64(out[:8], hi<<1|top)
	binary.BigEndian.PutUint64(out[8:], lo)
	return out, true
}

// unpackID is the reverse of packID.
func unpackID(b []byte) (id ID) {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:16])
	id[13] = crockford[(hi&1)<<4|lo>>60]
	hi >>= 1
	for i := 12; i >= 0; i-- {
		id[i] = crockford[hi&31]
		hi >>= 5
	}
	for i := 25; i >= 14; i-- {
		id[i] = crockford[lo&31]
		lo >>= 5
	}
	return id
}

// idMillis is the id's time in Unix milliseconds, 0 when it has none.
func idMillis(id ID) int64 {
	var ms uint64
	for _, c := range id[:10] {
		v := unletter[c]
		if v&0x80 != 0 {
			return 0
		}
		ms = ms<<5 | uint64(v)
	}
	return int64(ms)
}

// MinID is the smallest id that a call beginning at t can have: every call at or after t sorts at
// or above it, every call of an earlier millisecond below. Times before 1970 give the smallest id.
func MinID(t time.Time) (id ID) {
	ms := max(t.UnixMilli(), 0)
	if ms > math.MaxInt64>>15 { // 48 bits
		ms = math.MaxInt64 >> 15
	}
	copy(id[10:], strings.Repeat("0", 16))
	for i := 9; i >= 0; i-- {
		id[i] = crockford[ms&31]
		ms >>= 5
	}
	return id
}

// unletter gives the value of each letter of Crockford's alphabet, 0x80 for every other byte.
var unletter = func() (table [256]byte) {
	for i := range table {
		table[i] = 0x80
	}
	for i := range len(crockford) {
		table[crockford[i]] = byte(i)
	}
	return table
}()
