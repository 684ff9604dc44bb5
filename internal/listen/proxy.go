package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a PROXY protocol header says of a connection
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt).
type Header struct {
	Version int // 1 or 2
	// From and To are the caller's address and the one that it had connected to. They are zero where the
	// header tells none: it speaks for the load balancer itself (LOCAL, UNKNOWN), or of a Unix socket.
	From, To netip.AddrPort
}

// The bounds of a header: version 1 as the protocol has it, version 2 as most receivers.
const (
	maxV1 = 107
	maxV2 = 4096
)

var signature = []byte("\r\n\r\n\x00\r\nQUIT\n") // of version 2

// ErrMissing: what comes is no PROXY protocol header.
var ErrMissing = errors.New("the connection does not begin with a PROXY protocol header")

// MalformedError is a header that begins as one and is none.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return "the PROXY protocol header is malformed: " + e.Reason }

func malformed(format string, args ...any) error {
	return &MalformedError{fmt.Sprintf(format, args...)}
}

// Parse reads a header at the beginning of b and tells how many bytes it has: 0 without an error when
// there may be a header but not all of it is there. Errors are ErrMissing and *MalformedError; they
// hold nothing of what was sent.
func Parse(b []byte) (h Header, n int, err error) {
	word := []byte("PROXY ")
	switch {
	case bytes.HasPrefix(b, word):
		return parseV1(b)
	case bytes.HasPrefix(b, signature):
		return parseV2(b)
	case bytes.HasPrefix(word, b), bytes.HasPrefix(signature, b):
		return h, 0, nil
	}
	return h, 0, ErrMissing
}

// parseV1 reads the line of version 1 (section 2.1).
func parseV1(b []byte) (h Header, n int, err error) {
	h.Version = 1
	end := bytes.IndexByte(b[:min(len(b), maxV1)], '\n')
	if end < 0 {
		if len(b) >= maxV1 {
			return h, 0, malformed("the line has more than %d bytes", maxV1)
		}
		return h, 0, nil
	}
	line, ok := bytes.CutSuffix(b[:end+1], []byte("\r\n"))
	if !ok {
		return h, 0, malformed("the line does not end with CR LF")
	}
	fields := strings.Split(string(line), " ")
	switch {
	case fields[1] == "UNKNOWN":
		return h, end + 1, nil // whatever else stands there
	case fields[1] != "TCP4" && fields[1] != "TCP6":
		return h, 0, malformed("the protocol is neither TCP4, TCP6 nor UNKNOWN")
	case len(fields) != 6:
		return h, 0, malformed("the line has %d words and not 6", len(fields))
	}
	if h.From, err = addressV1(fields[1], fields[2], fields[4]); err == nil {
		h.To, err = addressV1(fields[1], fields[3], fields[5])
	}
	if err != nil {
		return Header{}, 0, err
	}
	return h, end + 1, nil
}

func addressV1(protocol, address, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() != (protocol == "TCP4") || a.Zone() != "" {
		return netip.AddrPort{}, malformed("an address is none of %s", protocol)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port {
		return netip.AddrPort{}, malformed("a port is not one")
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}

// Of version 2's header (section 2.2): the signature, version and command, family and transport, the
// length of what follows.
const (
	headV2     = 16
	cmdLocal   = 0x20
	cmdProxy   = 0x21
	typeCRC32C = 0x03
)

func parseV2(b []byte) (h Header, n int, err error) {
	h.Version = 2
	if len(b) < headV2 {
		return h, 0, nil
	}
	n = headV2 + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case b[12]>>4 != 2:
		return h, 0, malformed("its version is %d", b[12]>>4)
	case b[12] != cmdLocal && b[12] != cmdProxy:
		return h, 0, malformed("its command is %d", b[12]&0x0f)
	case n > maxV2:
		return h, 0, malformed("it has %d bytes, and %d are the most", n, maxV2)
	case len(b) < n:
		return h, 0, nil
	}
	size, known := familySize(b[13])
	switch {
	case !known && b[12] == cmdLocal:
		return h, n, nil // the family is nothing to look at there, and without it no field is found
	case !known:
		return h, 0, malformed("its family and transport are 0x%02x", b[13])
	}
	body := b[headV2:n]
	said := b[12] == cmdProxy && size > 0
	if said && len(body) < size {
		return h, 0, malformed("its addresses are cut short")
	}
	// Of a connection that is the load balancer's own, all but the checksum is passed over.
	if err := checkTLVs(b[:n], headV2+min(size, len(body)), said); err != nil {
		return h, 0, err
	}
	if said {
		h.From, h.To = addressesV2(b[13], body)
	}
	return h, n, nil
}

// familySize is how many bytes the addresses of a family and transport have.
func familySize(family byte) (size int, known bool) {
	switch family {
	case 0x00: // not told
		return 0, true
	case 0x11, 0x12: // IPv4, TCP or UDP
		return 12, true
	case 0x21, 0x22: // IPv6
		return 36, true
	case 0x31, 0x32: // Unix sockets
		return 216, true
	}
	return 0, false
}

// addressesV2 are those of TCP over IP; a connection here cannot be of the others.
func addressesV2(family byte, b []byte) (from, to netip.AddrPort) {
	switch family {
	case 0x11:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint16(b[8:])),
			netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), binary.BigEndian.Uint16(b[10:]))
	case 0x21:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[32:])),
			netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[16:])).Unmap(), binary.BigEndian.Uint16(b[34:]))
	}
	return from, to
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkTLVs goes through what stands behind the addresses and checks the checksum, where there is one.
// Unless strict, it ends where that makes no sense.
func checkTLVs(header []byte, at int, strict bool) error {
	for at < len(header) {
		if at+3 > len(header) || at+3+int(binary.BigEndian.Uint16(header[at+1:])) > len(header) {
			if strict {
				return malformed("a field behind its addresses is cut short")
			}
			return nil
		}
		size := int(binary.BigEndian.Uint16(header[at+1:]))
		if header[at] == typeCRC32C {
			if size != 4 {
				return malformed("its checksum has %d bytes", size)
			}
			sum := crc32.Update(0, castagnoli, header[:at+3])
			sum = crc32.Update(sum, castagnoli, make([]byte, 4))
			sum = crc32.Update(sum, castagnoli, header[at+7:])
			if sum != binary.BigEndian.Uint32(header[at+3:]) {
				return malformed("its checksum is wrong")
			}
		}
		at += 3 + size
	}
	return nil
}
