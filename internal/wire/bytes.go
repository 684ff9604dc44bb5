package wire

import "encoding/binary"

// Classes of bytes, as bits.
const (
	isToken  = 1 << iota // RFC 9110 section 5.6.2
	isTarget             // what a request target may hold: no control byte, no space, no '#'
	isHost               // host and port of RFC 3986 section 3.2.2, but no percent sign: no DNS name is escaped
	isHex
)

var class = buildClass()

func buildClass() (t [256]uint8) {
	for c := 0; c < 256; c++ {
		b := byte(c)
		letter := b|0x20 >= 'a' && b|0x20 <= 'z'
		digit := b >= '0' && b <= '9'
		if letter || digit || containsByte("!#$%&'*+-.^_`|~", b) {
			t[c] |= isToken
		}
		if b > ' ' && b != 0x7f && b != '#' {
			t[c] |= isTarget
		}
		if letter || digit || containsByte("-._~!$&'()*+,;=:[]", b) {
			t[c] |= isHost
		}
		if digit || b|0x20 >= 'a' && b|0x20 <= 'f' {
			t[c] |= isHex
		}
	}
	return t
}

func containsByte(s string, b byte) bool {
	for i := range len(s) {
		if s[i] == b {
			return true
		}
	}
	return false
}

func all(p []byte, c uint8) bool {
	for _, b := range p {
		if class[b]&c == 0 {
			return false
		}
	}
	return true
}

// validValue tells whether p may stand in a field value: no control byte but HTAB (RFC 9110
// section 5.5). It looks at eight bytes at a time: a byte below 0x20 borrows into its top bit, and
// 0x7f is the byte that becomes zero.
func validValue(p []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(p) >= 8 {
		x := binary.LittleEndian.Uint64(p)
		low := (x - ones*0x20) &^ x & tops
		y := x ^ ones*0x7f
		del := (y - ones) &^ y & tops
		if low|del != 0 && !validSlow(p[:8]) {
			return false
		}
		p = p[8:]
	}
	return validSlow(p)
}

func validSlow(p []byte) bool {
	for _, b := range p {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// trim takes spaces and tabs off both ends.
func trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}

// parseDecimal reads a Content-Length: digits only, at most 18 of them; -1 when it is not one.
func parseDecimal(p []byte) int64 {
	if len(p) == 0 || len(p) > 18 {
		return -1
	}
	var n int64
	for _, b := range p {
		if b < '0' || b > '9' {
			return -1
		}
		n = n*10 + int64(b-'0')
	}
	return n
}

func unhex(b byte) byte {
	switch {
	case b <= '9':
		return b - '0'
	default:
		return b | 0x20 - 'a' + 10
	}
}

// EachToken calls yield with every element of a comma-separated list, trimmed, empty ones left
// out (RFC 9110 section 5.6.1). It stops when yield returns false.
func EachToken(list []byte, yield func([]byte) bool) {
	for len(list) > 0 {
		i := 0
		for i < len(list) && list[i] != ',' {
			i++
		}
		if t := trim(list[:i]); len(t) > 0 && !yield(t) {
			return
		}
		if i == len(list) {
			return
		}
		list = list[i+1:]
	}
}
