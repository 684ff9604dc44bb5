package wire

import (
	"bytes"
	"fmt"
)

// Limits bound what one head may be.
type Limits struct {
	Head   int // bytes of the start line and the fields together
	Fields int
}

// HeadError says what is wrong with a head. It never holds the peer's bytes.
type HeadError struct {
	Part   string // "request line", "field name", "Content-Length", ...
	Reason string
	Offset int // of the line at fault, from the head's first byte
	// Status is what a request with this fault is answered with: 400, 431, 501 or 505.
	Status int
}

func (e *HeadError) Error() string {
	return fmt.Sprintf("%s at byte %d: %s", e.Part, e.Offset, e.Reason)
}

func badHead(offset int, part, reason string) *HeadError {
	return &HeadError{Part: part, Reason: reason, Offset: offset, Status: 400}
}

// lineOf returns the offset of the line on which a field's value, which is a part of head, stands.
func lineOf(head, value []byte) int {
	// Both end where the capacity of the buffer does.
	return bytes.LastIndexByte(head[:cap(head)-cap(value)], '\n') + 1
}

// HeadEnd looks for the empty line that ends a head. It returns the offset after it, or 0 when
// buf does not hold a whole head. from is where to look on: the length that buf had in the last
// fruitless call, so that no byte is looked at twice.
func HeadEnd(buf []byte, from int) int {
	// The empty line may have begun up to three bytes before the new data.
	from = max(from-3, 0)
	for {
		i := bytes.IndexByte(buf[from:], '\n')
		if i < 0 {
			return 0
		}
		at := from + i // of this LF
		switch {
		case at == 0, at == 1 && buf[0] == '\r':
			return at + 1 // the head begins with an empty line; the parser says so
		case at+1 < len(buf) && buf[at+1] == '\n':
			return at + 2
		case at+2 < len(buf) && buf[at+1] == '\r' && buf[at+2] == '\n':
			return at + 3
		case at >= 1 && buf[at-1] == '\n', at >= 2 && buf[at-1] == '\r' && buf[at-2] == '\n':
			return at + 1
		}
		from = at + 1
	}
}

// parseFields reads the field lines in head[at:], up to and with the empty line, into h.
// In a request (strict) every line ends with CRLF and obs-fold is refused; in an answer a bare LF
// ends a line too, and obs-fold is replaced by spaces in place (RFC 9112 section 5.2), but not in
// the fields that frame the message.
func parseFields(head []byte, at int, h *Header, limit int, strict bool) *HeadError {
	for {
		rest := head[at:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return badHead(at, "field line", "it does not end")
		}
		line := rest[:i]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		} else if strict {
			return badHead(at, "field line", "it ends with a bare LF; CRLF is required")
		}
		next := at + i + 1
		if len(line) == 0 {
			return nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return badHead(at, "field line", "it begins with white space")
		}
		folded := false
		if !strict {
			// Join the lines that continue this one.
			for next < len(head) && (head[next] == ' ' || head[next] == '\t') {
				j := bytes.IndexByte(head[next:], '\n')
				if j < 0 {
					return badHead(at, "field line", "it does not end")
				}
				for k := at + len(line); k < next; k++ {
					head[k] = ' '
				}
				end := next + j
				next = end + 1
				if head[end-1] == '\r' {
					end--
				}
				line, folded = head[at:end], true
			}
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			return badHead(at, "field line", "it has no colon")
		}
		if colon == 0 {
			return badHead(at, "field name", "it is empty")
		}
		name := line[:colon:colon]
		id := Identify(name)
		if id == Other && !all(name, isToken) {
			if white := bytes.IndexAny(name, " \t"); white >= 0 && all(name[:white], isToken) {
				return badHead(at, "field name", "white space stands in or after it")
			}
			return badHead(at, "field name", "it holds a byte that no name may hold")
		}
		value := trim(line[colon+1:])
		if !validValue(value) {
			return badHead(at, "field value", "it holds a control byte")
		}
		if len(h.Fields) >= limit {
			return &HeadError{"fields", "there are too many", at, 431}
		}
		if folded && (id == ContentLength || id == TransferEncoding) {
			return badHead(at, "field line", "a field that frames the message is folded")
		}
		h.Add(id, name, value)
		at = next
	}
}
