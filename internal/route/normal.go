package route

import (
	"bytes"
	"errors"
)

// Errors of Normalize and Match: the path is not one that a URI can have.
var (
	ErrNotAPath  = errors.New("the path does not begin with /")
	ErrBadEscape = errors.New("a % in the path is not followed by two hexadecimal digits")
	ErrNUL       = errors.New("the path contains a NUL byte")
)

// The classes of bytes in a path.
const (
	classPlain   = iota // stands for itself in the normal form, and nothing else reads it otherwise
	classSlash          // may be doubled
	classDot            // may be a dot segment
	classPercent        // an escape
	classOdd            // stands for itself, but some servers read more into it (;)
	classIllegal        // may not stand in a path unescaped (RFC 3986 section 3.3)
	classNUL
)

// classes maps each byte to its class: pchar without "%" is plain.
var classes = func() (c [256]uint8) {
	for i := range c {
		c[i] = classIllegal
	}
	const pchar = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"
	for _, b := range []byte(pchar) {
		c[b] = classPlain
	}
	c['/'], c['.'], c['%'], c[';'], c[0] = classSlash, classDot, classPercent, classOdd, classNUL
	return c
}()

const upperhex = "0123456789ABCDEF"

// Normalize returns the one form of a path that routing and policies see: unreserved characters
// percent-decoded, other escapes in upper case, bytes that may not stand in a path escaped, dot
// segments removed (RFC 3986 sections 6.2.2.1 to 6.2.2.3), and runs of slashes merged into one as
// most servers do. An escaped slash stays escaped: it belongs to its segment.
//
// raw is the path without its query. When it is in normal form already, raw itself is returned
// with same true and nothing is allocated; otherwise the form is appended to dst[:0]. Normalizing
// twice changes nothing. dst must not overlap raw. The error is ErrNotAPath, ErrBadEscape or ErrNUL.
func Normalize(dst, raw []byte) (norm []byte, same bool, err error) {
	normal, _, err := scan(raw)
	if err != nil {
		return nil, false, err
	}
	if normal {
		return raw, true, nil
	}
	n := normalizer{out: dst[:0]}
	n.path(raw)
	return n.out, false, nil
}

// scan looks at a path once. normal: it is in normal form. odd: it has something that servers
// read in different ways even in normal form, so that loose may give another path.
func scan(p []byte) (normal, odd bool, err error) {
	if len(p) == 0 || p[0] != '/' {
		return false, false, ErrNotAPath
	}
	normal = true
	for i := 0; i < len(p); i++ {
		switch classes[p[i]] {
		case classPlain:
			for i+1 < len(p) && classes[p[i+1]] == classPlain {
				i++
			}
		case classSlash:
			if i > 0 && p[i-1] == '/' {
				normal = false
			}
		case classDot:
			if p[i-1] == '/' && isDots(p[i:]) {
				normal = false
			}
		case classPercent:
			v, ok := unhex(p[i:])
			if !ok {
				return false, false, ErrBadEscape
			}
			if v == 0 {
				return false, false, ErrNUL
			}
			if unreserved(v) || p[i+1] != upperhex[v>>4] || p[i+2] != upperhex[v&15] {
				normal = false
			}
			odd = true
			i += 2
		case classOdd:
			odd = true
		case classIllegal:
			normal, odd = false, true
		case classNUL:
			return false, false, ErrNUL
		}
	}
	return normal, odd, nil
}

// isDots reports whether p begins with a segment "." or "..".
func isDots(p []byte) bool {
	if len(p) > 1 && p[1] == '.' {
		p = p[1:]
	}
	return len(p) == 1 || p[1] == '/'
}

// normalizer builds the normal form of a path.
type normalizer struct {
	out     []byte
	seg     int   // where the current segment begins in out
	track   bool  // remember in from, for every byte of out, where in the raw path it came from
	from    []int // see track
	decoded bool  // the path has no escapes left: a "%" is one
	keep    bool  // keep runs of slashes, as RFC 3986 section 5.2.4 does
}

// path appends the normal form of raw, which scan has found well formed, to n.out, which is empty.
func (n *normalizer) path(raw []byte) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch class := classes[c]; {
		case class == classSlash:
			dots := n.endSegment()
			if last := len(n.out) - 1; last < 0 || n.out[last] != '/' || n.keep && !dots {
				n.emit('/', i)
			}
			n.seg = len(n.out)
		case class == classPercent && !n.decoded:
			if v, _ := unhex(raw[i:]); unreserved(v) {
				n.emit(v, i)
			} else {
				n.escape(v, i)
			}
			i += 2
		case class >= classIllegal || class == classPercent:
			n.escape(c, i)
		default:
			n.emit(c, i)
		}
	}
	n.endSegment()
}

// endSegment drops the current segment when it is a dot segment, with its parent when it is "..".
func (n *normalizer) endSegment() (dots bool) {
	switch string(n.out[n.seg:]) {
	case ".":
		n.cut(n.seg)
	case "..":
		parent := max(n.seg-1, 0)
		for parent > 0 && n.out[parent-1] != '/' {
			parent--
		}
		n.cut(max(parent, 1)) // the root has no parent
	default:
		return false
	}
	return true
}

func (n *normalizer) cut(to int) {
	n.out = n.out[:to]
	if n.track {
		n.from = n.from[:to]
	}
	n.seg = to
}

func (n *normalizer) emit(c byte, at int) {
	n.out = append(n.out, c)
	if n.track {
		n.from = append(n.from, at)
	}
}

func (n *normalizer) escape(c byte, at int) {
	n.emit('%', at)
	n.emit(upperhex[c>>4], at)
	n.emit(upperhex[c&15], at)
}

// rfc returns the path in the normal form of RFC 3986 alone, with runs of slashes kept:
// "/a//../b" is "/a/b" to those who keep them and "/b" to those who merge them first.
func rfc(raw []byte) []byte {
	n := normalizer{out: make([]byte, 0, len(raw)), keep: true}
	n.path(raw)
	return n.out
}

// loose returns the path as the laxest servers read it: escapes decoded as often as there are
// any, "\" taken for "/", ";parameters" of segments dropped; then in normal form. It is matched
// only to find paths that mean one route here and another one behind us. raw must be well formed.
func loose(raw []byte, keep bool) []byte {
	p := bytes.Clone(raw)
	for range 4 { // more layers than any server takes off
		q := decode(p)
		if len(q) == len(p) {
			break
		}
		p = q
	}
	kept := p[:0]
	skip := false
	for _, c := range p {
		switch {
		case c == '/' || c == '\\':
			skip = false
			kept = append(kept, '/')
		case c == ';':
			skip = true
		case !skip:
			kept = append(kept, c)
		}
	}
	n := normalizer{out: make([]byte, 0, len(kept)), decoded: true, keep: keep}
	n.path(kept)
	return n.out
}

// decode takes one layer of percent-encoding off p, in place; what is no escape stays.
func decode(p []byte) []byte {
	out := p[:0]
	for i := 0; i < len(p); i++ {
		if p[i] == '%' {
			if v, ok := unhex(p[i:]); ok {
				out = append(out, v)
				i += 2
				continue
			}
		}
		out = append(out, p[i])
	}
	return out
}

// unhex reads the escape that p begins with.
func unhex(p []byte) (v byte, ok bool) {
	if len(p) < 3 {
		return 0, false
	}
	hi, lo := hexValue(p[1]), hexValue(p[2])
	return hi<<4 | lo&15, hi < 16 && lo < 16
}

func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// unreserved is RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
