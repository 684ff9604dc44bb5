package wire

import (
	"bytes"
	"errors"
)

// Bounds of chunked framing. A chunk's line may be at most maxChunkLine bytes long, and the
// extensions of one body together at most maxChunkExtra, so that nobody sends a flood of
// extensions around a few bytes (net/http counts them likewise).
const (
	maxChunkLine  = 4096
	maxChunkExtra = 16 << 10
	maxTrailer    = 4 << 10
)

// What can be wrong with chunked framing.
var (
	errChunkSize    = errors.New("the chunk size is not a hexadecimal number")
	errChunkTooBig  = errors.New("the chunk size is too large")
	errChunkLine    = errors.New("the chunk line does not end with CRLF or is too long")
	errChunkEnd     = errors.New("the chunk's data is not followed by CRLF")
	errChunkExtra   = errors.New("the chunk extensions are too long")
	errTrailer      = errors.New("the trailer section is malformed")
	errTrailerLarge = errors.New("the trailer section is too large")
)

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkCRLF
	chunkTrailer
	chunkDone
)

// chunked decodes the chunked transfer coding (RFC 9112 section 7.1). The zero value is ready.
type chunked struct {
	state chunkState
	left  int64 // of the chunk's data
	extra int   // bytes of extensions so far
}

// next looks at the unread bytes p. It returns the next piece of data, a part of p and at most most
// bytes long, and how many bytes of p are spent with it. Neither data nor spent bytes means that p is too short and more
// must be read; state tells when the body is done. Trailer fields are put into trailer; their
// slices are parts of p.
func (c *chunked) next(p []byte, most int, strict bool, trailer *Header) (data []byte, n int, err error) {
	for {
		rest := p[n:]
		switch c.state {
		case chunkSize:
			if len(rest) == 0 {
				return nil, n, nil
			}
			size, used, err := c.line(rest, strict)
			if err != nil || used == 0 {
				return nil, n, err
			}
			n += used
			c.left = size
			if size == 0 {
				c.state = chunkTrailer
			} else {
				c.state = chunkData
			}
		case chunkData:
			if len(rest) == 0 {
				return nil, n, nil
			}
			k := min(int64(len(rest)), c.left, int64(most))
			if c.left -= k; c.left == 0 {
				c.state = chunkCRLF
			}
			return rest[:k], n + int(k), nil
		case chunkCRLF:
			if len(rest) > 0 && rest[0] != '\r' || len(rest) > 1 && rest[1] != '\n' {
				return nil, n, errChunkEnd
			}
			if len(rest) < 2 {
				return nil, n, nil
			}
			n += 2
			c.state = chunkSize
		case chunkTrailer:
			if len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n' {
				c.state = chunkDone
				return nil, n + 2, nil
			}
			if len(rest) > 0 && rest[0] == '\n' {
				return nil, n, errTrailer
			}
			end := HeadEnd(rest, 0)
			if end == 0 {
				if len(rest) > maxTrailer {
					return nil, n, errTrailerLarge
				}
				return nil, n, nil
			}
			if end > maxTrailer {
				return nil, n, errTrailerLarge
			}
			trailer.Reset()
			if e := parseFields(rest[:end], 0, trailer, 100, true); e != nil {
				return nil, n, errTrailer
			}
			c.state = chunkDone
			return nil, n + end, nil
		default:
			return nil, n, nil
		}
	}
}

// line reads "SIZE[;extensions]CRLF".
func (c *chunked) line(p []byte, strict bool) (size int64, used int, err error) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		if len(p) >= maxChunkLine {
			return 0, 0, errChunkLine
		}
		// What cannot become a size is refused before the rest of the line is there.
		if len(p) > 0 && class[p[0]]&isHex == 0 {
			return 0, 0, errChunkSize
		}
		return 0, 0, nil
	}
	if i < 1 || p[i-1] != '\r' || i >= maxChunkLine {
		return 0, 0, errChunkLine
	}
	line := p[:i-1]
	digits := 0
	for digits < len(line) && class[line[digits]]&isHex != 0 {
		if digits >= 15 {
			return 0, 0, errChunkTooBig
		}
		size = size<<4 | int64(unhex(line[digits]))
		digits++
	}
	if digits == 0 {
		return 0, 0, errChunkSize
	}
	ext := line[digits:]
	if len(ext) > 0 {
		if !strict {
			// Some servers pad the line with spaces.
			for n := len(ext); n > 0 && (ext[n-1] == ' ' || ext[n-1] == '\t'); n-- {
				ext = ext[:n-1]
			}
		}
		if len(ext) > 0 && (ext[0] != ';' || !validValue(ext)) {
			return 0, 0, errChunkSize
		}
		if c.extra += len(ext); c.extra > maxChunkExtra {
			return 0, 0, errChunkExtra
		}
	}
	return size, i + 1, nil
}

// appendChunkSize writes "SIZE CRLF".
func appendChunkSize(dst []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 0
	for n>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return append(dst, '\r', '\n')
}
