package wire

import "bytes"

// Field is one header or trailer field as it stood on the wire: its name in the sender's case.
// The slices point into a connection's buffer and are valid only as long as their owner says.
type Field struct {
	Name  []byte
	Value []byte // without surrounding white space
	ID    ID     // what the name is, ignoring case; Other for a name the gateway has no use for
}

// Header is a field section in the order of the wire.
type Header struct {
	Fields []Field
	// seen has a bit for each ID that occurs, so that a missing field costs nothing to look for.
	seen uint64
}

// Reset empties h and keeps its memory.
func (h *Header) Reset() { h.Fields, h.seen = h.Fields[:0], 0 }

// Add appends a field. The slices are kept, not copied.
func (h *Header) Add(id ID, name, value []byte) {
	h.Fields = append(h.Fields, Field{name, value, id})
	h.seen |= 1 << id
}

// AddString appends a field whose name and value are strings, copying both.
func (h *Header) AddString(name, value string) {
	h.Add(Identify([]byte(name)), []byte(name), []byte(value))
}

// Has tells whether a field with this id occurs. It must not be called with Other.
func (h *Header) Has(id ID) bool { return h.seen&(1<<id) != 0 }

// Get returns the first value of a field, nil when it does not occur. For a field that occurs
// with an empty value it returns an empty slice that is not nil.
func (h *Header) Get(id ID) []byte {
	if h.seen&(1<<id) == 0 {
		return nil
	}
	for i := range h.Fields {
		if h.Fields[i].ID == id {
			return h.Fields[i].Value
		}
	}
	return nil
}

// Count returns how many fields with this id there are.
func (h *Header) Count(id ID) (n int) {
	if h.seen&(1<<id) == 0 {
		return 0
	}
	for i := range h.Fields {
		if h.Fields[i].ID == id {
			n++
		}
	}
	return n
}

// Lookup returns the first value of the field with this name, ignoring case; nil when it does not occur.
func (h *Header) Lookup(name string) []byte {
	for i := range h.Fields {
		if f := &h.Fields[i]; len(f.Name) == len(name) && equalFold(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// Del removes every field with this id and keeps the order of the rest.
func (h *Header) Del(id ID) {
	if h.seen&(1<<id) == 0 {
		return
	}
	kept := h.Fields[:0]
	for _, f := range h.Fields {
		if f.ID != id {
			kept = append(kept, f)
		}
	}
	h.Fields = kept
	h.seen &^= 1 << id
}

// DelName removes every field with this name, ignoring case.
func (h *Header) DelName(name []byte) {
	if id := Identify(name); id != Other {
		h.Del(id)
		return
	}
	kept := h.Fields[:0]
	for _, f := range h.Fields {
		if len(f.Name) != len(name) || !equalFold(f.Name, string(name)) {
			kept = append(kept, f)
		}
	}
	h.Fields = kept
}

// closes tells whether Connection ends the connection behind this message (RFC 9112 section 9.3):
// "close" does wherever it stands, even in an element that is malformed ("x close"), and HTTP/1.0
// (minor 0) does without "keep-alive" in the first field.
func (h *Header) closes(minor int) bool {
	if !h.Has(Connection) {
		return minor == 0
	}
	closing, keeping, first := false, minor > 0, true
	for i := range h.Fields {
		if h.Fields[i].ID == Connection {
			EachToken(h.Fields[i].Value, func(t []byte) bool {
				closing = closing || hasWord(t, "close")
				keeping = keeping || first && EqualFold(t, "keep-alive")
				return !closing
			})
			first = false
		}
	}
	return closing || !keeping
}

// hasWord tells whether one of the words of t, which white space separates, is word.
func hasWord(t []byte, word string) bool {
	for len(t) >= len(word) {
		i := bytes.IndexAny(t, " \t")
		if i < 0 {
			return EqualFold(t, word)
		}
		if EqualFold(t[:i], word) {
			return true
		}
		t = t[i+1:]
	}
	return false
}

// announcesFraming tells whether Trailer announces a field that may never be in a trailer because
// it frames the message (RFC 9110 section 6.5.1).
func (h *Header) announcesFraming() (found bool) {
	if !h.Has(Trailer) {
		return false
	}
	for i := range h.Fields {
		if h.Fields[i].ID == Trailer {
			EachToken(h.Fields[i].Value, func(t []byte) bool {
				switch Identify(t) {
				case ContentLength, TransferEncoding, Trailer:
					found = true
				}
				return !found
			})
		}
	}
	return found
}

// equalFold compares ASCII names of the same length without regard to case.
func equalFold(a []byte, b string) bool {
	for i := range a {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// EqualFold compares ASCII text without regard to case.
func EqualFold(a []byte, b string) bool { return len(a) == len(b) && equalFold(a, b) }
