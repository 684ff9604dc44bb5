package fault

import (
	"encoding/binary"
	"strings"
	"time"
)

// The wire format of protocol buffers, as far as a google.rpc.Status needs it
// (https://protobuf.dev/programming-guides/encoding/). The generated code of those messages would
// bring in the whole of the protobuf runtime for four of them.

const (
	protoTypeVarint = 0
	protoTypeBytes  = 2
)

// protoVarint appends a field of an integer type; zero is the default and is left out.
func protoVarint(dst []byte, field int, n uint64) []byte {
	if n == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(field)<<3|protoTypeVarint)
	return binary.AppendUvarint(dst, n)
}

// protoBytes appends a field with an encoded message in it.
func protoBytes(dst []byte, field int, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(field)<<3|protoTypeBytes)
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// protoString appends a field of type string, which must be UTF-8; an empty one is left out.
func protoString(dst []byte, field int, s string) []byte {
	if s == "" {
		return dst
	}
	return protoBytes(dst, field, []byte(strings.ToValidUTF8(s, "\uFFFD")))
}

// protoDuration appends a google.protobuf.Duration's fields.
func protoDuration(dst []byte, d time.Duration) []byte {
	dst = protoVarint(dst, 1, uint64(d/time.Second))
	return protoVarint(dst, 2, uint64(d%time.Second))
}

// protoDetail appends a google.protobuf.Any with a message of package google.rpc to a Status's
// details.
func protoDetail(dst []byte, name string, message []byte) []byte {
	any := protoString(nil, 1, "type.googleapis.com/google.rpc."+name)
	return protoBytes(dst, 3, protoBytes(any, 2, message))
}
