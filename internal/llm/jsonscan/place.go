package jsonscan

import (
	"strconv"
	"strings"
)

// level is an object or an array around a byte.
type level struct {
	object bool
	name   string // of the member at hand
	named  bool   // it has come
	index  int    // of the element at hand, -1 before the first
}

// begin notes that an element of the innermost array has begun.
func begin(open []level) {
	if n := len(open); n > 0 && open[n-1].index < 0 {
		open[n-1].index = 0
	}
}

// longestPlace is the longest pointer that Place gives, in bytes.
const longestPlace = 200

// Place is the RFC 6901 pointer to the value in which the byte at offset stands, as far as the text before it tells: for
// naming where a text stops being JSON. It is "" for the outermost value. Where the pointer would be longer than a person
// reads, it names the nearest value around that has a short one. It allocates.
func Place(text []byte, offset int) string {
	var open []level
	for i, end := 0, min(offset, len(text)); i < end; i++ {
		switch c := text[i]; c {
		case '{', '[':
			if len(open) == MaxDepth {
				i = end
				break
			}
			begin(open)
			open = append(open, level{object: c == '{', index: -1})
		case '}', ']':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case ',':
			if len(open) > 0 {
				l := &open[len(open)-1]
				l.index = max(l.index, 0) + 1
				l.name, l.named = "", false
			}
		case ' ', '\t', '\r', '\n', ':':
		case '"':
			begin(open)
			to, _, problem := skipString(text[:end], i)
			if problem != "" { // the text breaks in this string
				i = end
				break
			}
			if len(open) > 0 && open[len(open)-1].object && !open[len(open)-1].named {
				l := &open[len(open)-1]
				l.name, l.named = string(Unquote(nil, text[i+1:to-1])), true
			}
			i = to - 1
		default:
			begin(open)
		}
	}
	if offset < len(text) { // an element begins here, and cannot be read
		begin(open)
	}
	var b strings.Builder
	for _, l := range open {
		step := ""
		switch {
		case !l.object && l.index >= 0:
			step = "/" + strconv.Itoa(l.index)
		case l.named:
			step = "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(l.name)
		}
		if b.Len()+len(step) > longestPlace {
			break
		}
		b.WriteString(step)
	}
	return b.String()
}
