package logs

import "bytes"

// members calls fn for each member of a JSON object, and of the objects directly in it, until fn
// says stop. A string's value comes without its quotes and with its escapes. It stops at the first
// byte that JSON does not have there and reports false.
func members(b []byte, depth int, fn func(key, value []byte, text bool)) bool {
	i := blank(b, 1)
	if i < len(b) && b[i] == '}' {
		return true
	}
	for i < len(b) {
		if b[i] != '"' {
			return false
		}
		end := quoteEnd(b, i+1)
		if end < 0 {
			return false
		}
		key := b[i+1 : end]
		if i = blank(b, end+1); i >= len(b) || b[i] != ':' {
			return false
		}
		if i = blank(b, i+1); i >= len(b) {
			return false
		}
		switch b[i] {
		case '"':
			end := quoteEnd(b, i+1)
			if end < 0 {
				fn(key, b[i+1:], true) // cut: what is there still tells
				return false
			}
			fn(key, b[i+1:end], true)
			i = end + 1
		case '{', '[':
			end := valueEnd(b, i)
			if end < 0 {
				return false
			}
			if b[i] == '{' && depth > 0 {
				members(b[i:end], depth-1, fn)
			}
			i = end
		default:
			end := i
			for end < len(b) && b[end] != ',' && b[end] != '}' && b[end] != ' ' {
				end++
			}
			fn(key, b[i:end], false)
			i = end
		}
		i = blank(b, i)
		if i >= len(b) || b[i] != ',' {
			return i < len(b) && b[i] == '}'
		}
		i = blank(b, i+1)
	}
	return false
}

func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// quoteEnd finds the quote that ends a JSON string.
func quoteEnd(b []byte, from int) int {
	for i := from; i < len(b); {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return -1
		}
		i += j
		back := 0
		for k := i - 1; k >= from && b[k] == '\\'; k-- {
			back++
		}
		if back%2 == 0 {
			return i
		}
		i++
	}
	return -1
}

// valueEnd finds the place behind an object or an array.
func valueEnd(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			end := quoteEnd(b, i+1)
			if end < 0 {
				return -1
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// unescape appends a JSON string's text.
func unescape(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			dst = append(dst, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'u':
			if i+4 < len(b) && b[i+1] == '0' && b[i+2] == '0' {
				hi, lo := hex(b[i+3]), hex(b[i+4])
				if hi >= 0 && lo >= 0 && hi < 8 {
					dst = append(dst, byte(hi<<4|lo))
					i += 4
					continue
				}
			}
			dst = append(dst, '?')
			i = min(i+4, len(b)-1)
		default:
			dst = append(dst, b[i])
		}
	}
	return dst
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
