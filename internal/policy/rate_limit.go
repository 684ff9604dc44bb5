package policy

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"causeway/internal/catalog"
)

// By is what a rate limit counts by.
type By uint8

// The ways to count.
const (
	ByApplication By = iota // on an open service, where there is none: by address
	ByIP
	ByHeader  // the value of a header; calls without it count as one caller
	ByService // all calls together
)

// RateLimiter lets a number of calls through in a time, for each key: never more in any window
// of that length, wherever it begins, however many calls come at once. A call's place is free
// again at the latest 1/64 of the time after it should be, which bounds the memory of a key.
//
// It keeps at most MaxRateKeys keys. A key that has been idle for the limit's time is forgotten.
// When there is no room for a new key, new keys share one count (of 1/64 of all keys each) until
// others have become idle: a flood of keys cannot get past the limit, nor take more memory.
type RateLimiter struct {
	By     By
	Header string // the header's name, for ByHeader

	limit    int64
	per      time.Duration
	text     string
	policy   []byte // the value of RateLimit-Policy
	counters *counters
}

// NewRateLimiter compiles a limit that the catalogue has checked.
func NewRateLimiter(c catalog.RateLimit) *RateLimiter {
	l := &RateLimiter{limit: int64(c.Requests), per: c.Per}
	switch name, isHeader := strings.CutPrefix(c.By, "header:"); {
	case isHeader:
		l.By, l.Header = ByHeader, name
	case c.By == "ip":
		l.By = ByIP
	case c.By == "service":
		l.By = ByService
	}
	by := c.By
	if by == "" {
		by = "application"
	}
	calls := "requests"
	if c.Requests == 1 {
		calls = "request"
	}
	l.text = fmt.Sprintf("%d %s per %s by %s", c.Requests, calls, short(c.Per), by)
	l.policy = fmt.Appendf(nil, `"default";q=%d;w=%d`, c.Requests, Seconds(c.Per))
	l.counters = newCounters(l.limit, l.per)
	return l
}

// short writes 1m0s as 1m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// Adopt lets l go on with the counts of old when the limit has not changed; both then share
// them. It must be called before l is used.
func (l *RateLimiter) Adopt(old *RateLimiter) {
	if l.text == old.text {
		l.counters = old.counters
	}
}

// String is the limit as a person reads it: "100 requests per 1s by application".
func (l *RateLimiter) String() string { return l.text }

// Take counts a call of a key, if the limit lets it through. It reads the clock itself, so that
// calls count when they pass and not when they began.
func (l *RateLimiter) Take(key RateKey) Decision {
	d := l.counters.take(key)
	d.policy = l.policy
	return d
}

// Decision is what a limit says of one call. It is valid as long as its RateLimiter.
type Decision struct {
	OK        bool
	Limit     int64
	Remaining int64 // calls that could follow at once
	// ResetAfter is when the earliest counted calls are forgotten: Remaining then grows.
	ResetAfter time.Duration
	// RetryAfter is when the next call may be let through, 0 when OK.
	RetryAfter time.Duration

	policy []byte
}

// AppendPolicy appends the value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10):
// "default";q=100;w=1 with the window in seconds, rounded up.
func (d *Decision) AppendPolicy(dst []byte) []byte { return append(dst, d.policy...) }

// AppendState appends the value of RateLimit: "default";r=99;t=1.
func (d *Decision) AppendState(dst []byte) []byte {
	dst = append(dst, `"default";r=`...)
	dst = strconv.AppendInt(dst, d.Remaining, 10)
	dst = append(dst, ";t="...)
	return strconv.AppendInt(dst, Seconds(d.ResetAfter), 10)
}

// Seconds rounds up to whole seconds, as Retry-After needs (RFC 9110 section 10.2.3).
func Seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// RateKey is whose calls are counted together. Keys of different makers never meet; the zero
// value is the key of all calls.
type RateKey struct {
	maker  uint8
	hi, lo uint64
}

// NumberKey is the key of a number, such as Caller.Index.
func NumberKey(n int) RateKey { return RateKey{1, 0, uint64(n)} }

// AddressKey is the key of an address. IPv6 addresses count by their /64, which is what one
// customer gets: one by one they would be no limit at all.
func AddressKey(a netip.Addr) RateKey {
	a = a.Unmap()
	b := a.As16()
	k := RateKey{maker: 2}
	for i := range 8 {
		k.hi = k.hi<<8 | uint64(b[i])
		k.lo = k.lo<<8 | uint64(b[i+8])
	}
	if !a.Is4() {
		k.maker, k.lo = 3, 0
	}
	return k
}

// textSeeds make 128 bits of hash that nobody outside can aim at.
var textSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// TextKey is the key of a text, such as a header's value. No text and an empty one are the same.
func TextKey(text []byte) RateKey {
	return RateKey{4, maphash.Bytes(textSeeds[0], text), maphash.Bytes(textSeeds[1], text)}
}
