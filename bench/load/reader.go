package load

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"causeway/bench/answers"
)

// phase is where in an answer a reader stands.
type phase uint8

const (
	inHead phase = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
	whole
)

var errNotHTTP = errors.New("not an HTTP/1.1 answer with a length")

// reader follows one answer at a time through the bytes of a connection.
type reader struct {
	phase  phase
	head   []byte // the beginning of a head, or of a line of the framing, that came in parts
	left   int64  // bytes of body or chunk to come
	status int
	close  bool // the server will close the connection
	length int64
	stream stream
	// crossed tells that a gateway wrote the stream's events itself: their length is not known.
	crossed bool
	event   []byte // of a crossed stream: the beginning of an event that came in parts
}

// stream is what of a stream's data matters: its events' times and its end.
type stream struct {
	tail   [len(answers.Done)]byte
	stamp  int64
	events int
}

func (r *reader) reset() {
	*r = reader{head: r.head[:0], event: r.event[:0]}
}

// begun is whether a byte of the answer has come.
func (r *reader) begun() bool { return r.phase != inHead || len(r.head) > 0 }

// endsWithDone is whether the last bytes of the stream were the last event.
func (r *reader) endsWithDone() bool { return string(r.stream.tail[:]) == answers.Done }

// feed takes the next bytes of the connection and returns those after the answer's end. Each
// event's time goes to stamped. It never blocks; phase is whole once the answer has ended.
func (r *reader) feed(b []byte, isStream bool, stamped func(int64)) (rest []byte, err error) {
	for len(b) > 0 && r.phase != whole {
		switch r.phase {
		case inHead:
			b, err = r.feedHead(b)
		case inBody, inChunk:
			n := min(r.left, int64(len(b)))
			if isStream {
				r.scan(b[:n], stamped)
			}
			r.length += n
			b = b[n:]
			if r.left -= n; r.left == 0 {
				if r.phase == inBody {
					r.phase = whole
				} else {
					r.phase = inChunkEnd
				}
			}
		default:
			b, err = r.feedLine(b)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// until takes bytes up to and including mark, across calls; line is nil while it has not come.
func (r *reader) until(b []byte, mark string) (line, rest []byte) {
	if len(r.head) == 0 {
		if i := bytes.Index(b, []byte(mark)); i >= 0 {
			return b[:i+len(mark)], b[i+len(mark):]
		}
		r.head = append(r.head, b...)
		return nil, nil
	}
	from := max(len(r.head)-len(mark)+1, 0)
	had := len(r.head)
	r.head = append(r.head, b...)
	i := bytes.Index(r.head[from:], []byte(mark))
	if i < 0 {
		return nil, nil
	}
	end := from + i + len(mark)
	line, rest = r.head[:end], b[end-had:]
	r.head = r.head[:0] // line stays readable until the next append
	return line, rest
}

func (r *reader) feedHead(b []byte) ([]byte, error) {
	head, rest := r.until(b, "\r\n\r\n")
	if head == nil {
		return nil, nil
	}
	if len(head) < len("HTTP/1.1 200\r\n") || string(head[:7]) != "HTTP/1." {
		return nil, errNotHTTP
	}
	status, err := strconv.Atoi(string(head[9:12]))
	if err != nil {
		return nil, errNotHTTP
	}
	r.status, r.left = status, -1
	chunked := false
	for len(head) > 2 {
		end := bytes.IndexByte(head, '\n')
		line := head[:end]
		head = head[end+1:]
		switch { // by length first: this runs for every header of every answer
		case len(line) > 15 && line[14] == ':' && strings.EqualFold(string(line[:14]), "Content-Length"):
			if r.left, err = strconv.ParseInt(string(bytes.TrimSpace(line[15:])), 10, 64); err != nil || r.left < 0 {
				return nil, errNotHTTP
			}
		case len(line) > 18 && line[17] == ':' && strings.EqualFold(string(line[:17]), "Transfer-Encoding"):
			chunked = strings.EqualFold(string(bytes.TrimSpace(line[18:])), "chunked")
		case len(line) > 11 && line[10] == ':' && strings.EqualFold(string(line[:10]), "Connection"):
			r.close = strings.EqualFold(string(bytes.TrimSpace(line[11:])), "close")
		}
	}
	switch {
	case chunked:
		r.phase, r.left = inChunkSize, 0
	case r.left > 0:
		r.phase = inBody
	case r.left == 0:
		r.phase = whole
	default:
		return nil, errNotHTTP // an answer that only the connection's end delimits can't be checked
	}
	return rest, nil
}

// feedLine takes one line of the chunked framing.
func (r *reader) feedLine(b []byte) ([]byte, error) {
	line, rest := r.until(b, "\r\n")
	if line == nil {
		return nil, nil
	}
	line = line[:len(line)-2]
	switch r.phase {
	case inChunkSize:
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(size)), 16, 64)
		if err != nil || n < 0 {
			return nil, errNotHTTP
		}
		if r.phase, r.left = inChunk, n; n == 0 {
			r.phase = inTrailer
		}
	case inChunkEnd:
		if len(line) != 0 {
			return nil, errNotHTTP
		}
		r.phase = inChunkSize
	case inTrailer:
		if len(line) == 0 {
			r.phase = whole
		}
	}
	return rest, nil
}

// scan reads the times out of a stream's data and keeps its last bytes. r.length is what came before.
func (r *reader) scan(data []byte, stamped func(int64)) {
	if n := len(data); n >= len(r.stream.tail) {
		copy(r.stream.tail[:], data[n-len(r.stream.tail):])
	} else {
		copy(r.stream.tail[:], r.stream.tail[n:])
		copy(r.stream.tail[len(r.stream.tail)-n:], data)
	}
	if r.crossed {
		r.scanCrossed(data, stamped)
		return
	}
	const from, to = answers.StampOffset, answers.StampOffset + answers.StampSize
	at := int(r.length % answers.EventSize)
	for len(data) > 0 {
		step := min(answers.EventSize-at, len(data))
		for i := max(from-at, 0); i < min(to-at, step); i++ {
			r.stream.stamp = r.stream.stamp<<4 | digit(data[i])
		}
		if at < to && at+step >= to {
			stamped(r.stream.stamp)
			r.stream.stamp = 0
		}
		if data, at = data[step:], at+step; at == answers.EventSize {
			r.stream.events++
			at = 0
		}
	}
}

// scanCrossed is scan for events of any length: the time stands where the event's text begins.
func (r *reader) scanCrossed(data []byte, stamped func(int64)) {
	if len(r.event) > 0 {
		r.event = append(r.event, data...)
		data = r.event
	}
	for {
		event, rest, complete := bytes.Cut(data, []byte("\n\n"))
		if !complete {
			break
		}
		data = rest
		_, text, found := bytes.Cut(event, []byte(answers.Content))
		if !found || len(text) < answers.StampSize || text[0] == '"' {
			continue
		}
		var stamp int64
		for _, c := range text[:answers.StampSize] {
			stamp = stamp<<4 | digit(c)
		}
		r.stream.events++
		stamped(stamp)
	}
	r.event = append(r.event[:0], data...)
}

func digit(c byte) int64 {
	if c >= 'a' {
		return int64(c-'a') + 10
	}
	return int64(c - '0')
}
