package logs

import (
	"bufio"
	"unicode/utf16"
	"unicode/utf8"
)

// wide reads UTF-16 as UTF-8: what PowerShell's > writes. Half a character at the end is left out.
type wide struct {
	in   *bufio.Reader
	big  bool   // the byte that counts more comes first
	left []byte // of the characters that have not been asked for yet
}

func (w *wide) Read(p []byte) (int, error) {
	for len(w.left) == 0 {
		w.left = w.left[:0]
		for len(w.left) < 4<<10 {
			r, err := w.unit()
			if err == nil && utf16.IsSurrogate(r) {
				var low rune
				if low, err = w.unit(); err == nil {
					r = utf16.DecodeRune(r, low)
				}
			}
			if err != nil {
				if len(w.left) > 0 {
					break // what came before it is read first; the error comes again
				}
				return 0, err
			}
			w.left = utf8.AppendRune(w.left, r)
		}
	}
	n := copy(p, w.left)
	w.left = w.left[n:]
	return n, nil
}

// unit is the next 16 bits.
func (w *wide) unit() (rune, error) {
	b, err := w.in.Peek(2)
	if err != nil {
		return 0, err
	}
	r := rune(b[0]) | rune(b[1])<<8
	if w.big {
		r = rune(b[1]) | rune(b[0])<<8
	}
	_, err = w.in.Discard(2)
	return r, err
}
