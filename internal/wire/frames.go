package wire

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"causeway/internal/journey"
)

// The opcodes of RFC 6455 section 5.2 that matter here.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPong         = 0xa
)

// closeWithout is the status of a close frame that has none (RFC 6455 section 7.4.1).
const closeWithout = 1005

// frames follows one direction of a WebSocket by the heads of its frames (RFC 6455 section 5.2). It
// counts messages and reads the close frame; it looks into no message but those that text asks for, and it changes nothing.
type frames struct {
	masked   bool // the caller's are masked, the upstream's must not be
	head     [14]byte
	n        int    // bytes of head that are there
	left     uint64 // of the payload
	open     bool   // a message has begun that is not complete
	messages int64  // whole ones
	problem  string // what is no WebSocket frame; nothing is followed after it

	// text, when not nil, is given each whole text message, as long as it is at most maxText long and not compressed.
	text    func([]byte)
	taking  bool   // the message at hand is one for text
	message []byte // what of it has come

	last    bool // the frame at hand is a message's last
	data    bool // the frame at hand is part of a message
	inClose bool
	payload []byte // of the close frame, masked as it came
	close   journey.CloseFrame
}

// between tells whether a frame may begin.
func (f *frames) between() bool { return f.n == 0 && f.left == 0 && f.problem == "" }

func (f *frames) feed(p []byte) {
	for len(p) > 0 && f.problem == "" {
		if f.left > 0 {
			k := min(uint64(len(p)), f.left)
			if f.inClose {
				f.payload = append(f.payload, p[:k]...)
			}
			if f.taking && f.data {
				f.take(p[:k])
			}
			f.left -= k
			if p = p[k:]; f.left == 0 {
				f.finish()
			}
			continue
		}
		f.head[f.n] = p[0]
		f.n++
		p = p[1:]
		if f.n >= 2 && f.n == f.headLength() {
			f.begin()
		}
	}
}

// headLength is how long the head at hand is, known from its second byte on.
func (f *frames) headLength() int {
	n := 2
	switch f.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin takes a complete head.
func (f *frames) begin() {
	f.n = 0
	fin, op, masked := f.head[0]&0x80 != 0, f.head[0]&0x0f, f.head[1]&0x80 != 0
	size := uint64(f.head[1] & 0x7f)
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		size = binary.BigEndian.Uint64(f.head[2:])
	}
	switch {
	case masked != f.masked && f.masked:
		f.problem = "a frame is not masked"
	case masked != f.masked:
		f.problem = "a frame is masked"
	case op > opPong || op > opBinary && op < opClose:
		f.problem = fmt.Sprintf("a frame has the opcode %d, which is reserved", op)
	case op >= opClose && (!fin || size > 125):
		f.problem = "a control frame is fragmented or longer than 125 bytes"
	case size>>63 != 0:
		f.problem = "a frame's length has its highest bit set"
	case op == opContinuation && !f.open:
		f.problem = "a frame continues a message that has not begun"
	case (op == opText || op == opBinary) && f.open:
		f.problem = "a message begins inside another"
	}
	if f.problem != "" {
		return
	}
	if f.data = op < opClose; f.data {
		f.open = !fin
		if op != opContinuation {
			f.taking = f.text != nil && op == opText && f.head[0]&0x70 == 0 // RSV1: compressed (RFC 7692 section 6)
		}
	}
	f.last, f.inClose = fin && op < opClose, op == opClose
	if f.left = size; size == 0 {
		f.finish()
	}
}

// finish takes the end of a frame.
func (f *frames) finish() {
	if f.last {
		f.messages++
		if f.taking {
			f.taking = false
			f.text(f.message)
			f.message = f.message[:0]
		}
	}
	if f.inClose {
		f.closed()
	}
}

// maxText is the longest text message that is read.
const maxText = 1 << 20

// take keeps a part of a text message; of one that is too long nothing is kept.
func (f *frames) take(p []byte) {
	if len(f.message)+len(p) > maxText {
		f.taking, f.message = false, nil
		return
	}
	f.message = append(f.message, p...)
}

// closed reads the close frame's payload; only the first one counts.
func (f *frames) closed() {
	f.inClose = false
	if f.close.Code != 0 {
		return
	}
	f.close.Code = closeWithout
	p := f.payload
	f.payload = nil
	if len(p) < 2 {
		if len(p) == 1 {
			f.problem = "a close frame's payload is one byte, and a status has two"
		}
		return
	}
	if f.masked {
		key := f.head[f.headLength()-4:]
		for i := range p {
			p[i] ^= key[i&3]
		}
	}
	f.close.Code, f.close.Reason = int(binary.BigEndian.Uint16(p)), string(p[2:])
	if !sendableClose(f.close.Code) {
		f.problem = fmt.Sprintf("a close frame has the status %d, which may not be sent", f.close.Code)
	}
}

// sendableClose tells whether a status may stand in a close frame: the registered ones but for those that
// say that none came, and those of libraries and applications (RFC 6455 section 7.4). Readers fail the
// connection over others.
func sendableClose(code int) bool {
	switch code {
	case 1004, closeWithout, 1006:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// CloseFrame is a WebSocket close frame as a server sends it, with a status and a reason of at most
// 123 bytes.
func CloseFrame(status int, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	return append([]byte{0x80 | opClose, byte(2 + len(reason)), byte(status >> 8), byte(status)}, reason...)
}

// maskedCloseFrame is a close frame as a client sends it (RFC 6455 section 5.3).
func maskedCloseFrame(status int) []byte {
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	return []byte{0x80 | opClose, 0x80 | 2, key[0], key[1], key[2], key[3], byte(status>>8) ^ key[0], byte(status) ^ key[1]}
}
