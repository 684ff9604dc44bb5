package bedrock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// streamType is the Content-Type of a stream.
const streamType = "application/vnd.amazon.eventstream"

// A frame is: its length and that of its headers (4 bytes each, big-endian), the CRC-32 of these eight, the headers, the
// payload, and the CRC-32 of all before. A header is: the length of its name (1), the name, the type of its value (1), and
// for a string its length (2) and bytes.
// Source: smithy.io/2.0/aws/amazon-eventstream.html
const (
	preludeSize = 12
	frameRest   = preludeSize + 4 // a frame's bytes beside headers and payload
	maxHeaders  = 128 << 10
)

// message is what kind of frame the last one was.
type message uint8

const (
	eventMessage     message = iota
	exceptionMessage         // :exception-type names a failure of the service's model
	errorMessage             // :error-code names one that is not in it
)

// frames cuts and reads the frames of one stream; it is its llm.Framer. The judge of the same stream asks it of what kind
// the frame at hand is.
type frames struct {
	kind message
	made []byte // the data of an error frame, which has no payload
}

// Cut finds the end of the first frame and checks both of its checksums.
func (*frames) Cut(data []byte) (end int, err error) {
	if len(data) < preludeSize {
		return -1, nil
	}
	total, _, err := prelude(data)
	if err != nil {
		return 0, err
	}
	if total > len(data) {
		return -1, nil
	}
	if got, want := crc32.ChecksumIEEE(data[:total-4]), binary.BigEndian.Uint32(data[total-4:]); got != want {
		return 0, fmt.Errorf("a frame of %d bytes has the checksum %08x and says %08x", total, got, want)
	}
	return total, nil
}

// prelude reads the lengths that a frame begins with. data has at least preludeSize bytes.
func prelude(data []byte) (total, headers int, err error) {
	if got, want := crc32.ChecksumIEEE(data[:8]), binary.BigEndian.Uint32(data[8:]); got != want {
		return 0, 0, fmt.Errorf("no frame of an AWS event stream begins with %.40q: the checksum of its lengths is wrong", data[:min(len(data), 40)])
	}
	t, h := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	switch {
	case t > llm.MaxEvent:
		return 0, 0, fmt.Errorf("a frame says that it has %d bytes, more than %d", t, llm.MaxEvent)
	case t < frameRest || h > t-frameRest || h > maxHeaders:
		return 0, 0, fmt.Errorf("a frame of %d bytes says that %d of them are headers", t, h)
	}
	return int(t), int(h), nil
}

var errPart = errors.New("the frame is not whole")

// Event reads a frame: its name is its event, exception or error type, its data the payload.
func (f *frames) Event(frame []byte) (ev llm.Event, err error) {
	end, err := f.Cut(frame)
	if err != nil {
		return ev, err
	}
	if end != len(frame) {
		return ev, errPart
	}
	_, size, _ := prelude(frame)
	headers := frame[preludeSize : preludeSize+size]
	ev.Data = frame[preludeSize+size : len(frame)-4]
	var kind, eventType, exceptionType, code, text []byte
	for len(headers) > 0 {
		var h header
		if h, headers, err = readHeader(headers); err != nil {
			return ev, err
		}
		switch string(h.name) {
		case ":message-type":
			kind = h.value
		case ":event-type":
			eventType = h.value
		case ":exception-type":
			exceptionType = h.value
		case ":error-code":
			code = h.value
		case ":error-message":
			text = h.value
		}
	}
	switch string(kind) {
	case "event":
		f.kind, ev.Name = eventMessage, eventType
	case "exception":
		f.kind, ev.Name = exceptionMessage, exceptionType
		if len(ev.Data) == 0 {
			ev.Data = []byte("{}")
		}
	case "error":
		f.kind, ev.Name = errorMessage, code
		f.made = jsonscan.Quote(append(f.made[:0], `{"message":`...), string(text))
		f.made = append(f.made, '}')
		ev.Data = f.made
	default:
		return ev, fmt.Errorf("a frame's :message-type is %.40q", kind)
	}
	return ev, nil
}

type header struct{ name, value []byte } // value is nil where it is no string

var errHeaders = errors.New("a frame's headers are cut off")

// sizes are the lengths of the values of types other than bytes (6) and string (7), which tell their own.
var sizes = [10]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: -1, 7: -1, 8: 8, 9: 16}

// readHeader reads the first header of data, which is not empty.
func readHeader(data []byte) (h header, rest []byte, err error) {
	n := int(data[0])
	if len(data) < n+2 {
		return h, nil, errHeaders
	}
	h.name = data[1 : 1+n]
	kind := data[1+n]
	data = data[2+n:]
	if int(kind) >= len(sizes) {
		return h, nil, fmt.Errorf("a frame's header %.40q has the unknown type %d", h.name, kind)
	}
	size := sizes[kind]
	if size < 0 {
		if len(data) < 2 {
			return h, nil, errHeaders
		}
		size, data = int(binary.BigEndian.Uint16(data)), data[2:]
	}
	if len(data) < size {
		return h, nil, errHeaders
	}
	if kind == 7 {
		h.value = data[:size]
	}
	return h, data[size:], nil
}

// beginFrame appends a frame up to its payload, which the caller appends. kind is "event" or "exception".
func beginFrame(dst []byte, kind, typ string) []byte {
	dst = append(dst, make([]byte, preludeSize)...)
	if kind == "event" {
		dst = appendHeader(dst, ":event-type", typ)
	} else {
		dst = appendHeader(dst, ":exception-type", typ)
	}
	dst = appendHeader(dst, ":content-type", "application/json")
	return appendHeader(dst, ":message-type", kind)
}

func appendHeader(dst []byte, name, value string) []byte {
	dst = append(append(dst, byte(len(name))), name...)
	dst = append(dst, 7)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// endFrame completes the frame that begins at start and whose payload begins at payload.
func endFrame(dst []byte, start, payload int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start+4))
	binary.BigEndian.PutUint32(dst[start+4:], uint32(payload-start-preludeSize))
	binary.BigEndian.PutUint32(dst[start+8:], crc32.ChecksumIEEE(dst[start:start+8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}
