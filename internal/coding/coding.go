// Package coding reads texts that came in a content coding (RFC 9110 section 8.4.1): gzip, deflate,
// br (RFC 7932) and zstd (RFC 8878). It is for looking at what passes, never for changing it: a
// gateway that reads on the side must not be held up, and must not be filled up, by what a peer sends.
// So everything here is bounded by Limits, and what goes beyond them ends the reading with ErrBound.
package coding

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Limits bound what a text may unfold to. The zero value bounds nothing.
type Limits struct {
	// Bytes is the longest text, 0 for any.
	Bytes int64
	// Ratio is how many bytes one byte may unfold to, of those that are used up, counted from the first mebibyte of text
	// on, 0 for any. DEFLATE cannot do more than 1032; br and zstd can do much more.
	Ratio int64
	// Share, when not nil, is called after each piece of a text: a small body can unfold to a large one, which would
	// keep its CPU for long.
	Share func()
}

// share lets others run after a whole piece.
func (l *Limits) share(piece int) {
	if piece == pieceSize && l.Share != nil {
		l.Share()
	}
}

// MaxRatio is far above what answers compress to (tens), and far below what a bomb needs.
const MaxRatio = 250

// ratioFrom is the length from which on Limits.Ratio counts: a short text may be one letter a
// thousand times.
const ratioFrom = 1 << 20

// maxWindow is the largest window of zstd that is kept: RFC 9659 lets senders of HTTP use no more.
const maxWindow = 8 << 20

// The errors of reading. Any other one says that the bytes are not what their coding wants.
var (
	// ErrBound is wrapped by the error of a text that goes beyond its Limits.
	ErrBound = errors.New("it unfolds to more than is read")
	// ErrRatio is wrapped as well where it was Limits.Ratio.
	ErrRatio = errors.New("unfold to more than")
	// ErrCut is wrapped by the error of a text that ended early.
	ErrCut = errors.New("it ends in the middle")
)

// Known tells whether a Content-Encoding is one that can be read: a single coding of the four.
func Known(encoding string) bool {
	switch name(encoding) {
	case "gzip", "deflate", "br", "zstd":
		return true
	}
	return false
}

// None tells whether a Content-Encoding says that there is no coding.
func None(encoding string) bool {
	n := name(encoding)
	return n == "" || n == "identity"
}

// name is the coding in lower case; x-gzip is gzip (RFC 9110 section 8.4.1.3).
func name(encoding string) string {
	switch encoding { // as they usually come, without a copy
	case "", "gzip", "br", "zstd", "deflate":
		return encoding
	}
	n := strings.ToLower(strings.TrimSpace(encoding))
	if n == "x-gzip" {
		return "gzip"
	}
	return n
}

// reader unfolds a text, and can be used for another one.
type reader interface {
	io.Reader
	Reset(io.Reader) error
}

// The readers that are worth keeping: making one costs more than a short text.
var gzips, brotlis, zstds sync.Pool

// open returns what unfolds r; keep gives it back.
func open(coding string, r io.Reader) (io.Reader, error) {
	var pool *sync.Pool
	switch coding {
	case "gzip":
		pool = &gzips
	case "br":
		pool = &brotlis
	case "zstd":
		pool = &zstds
	case "deflate":
		return inflate(r)
	default:
		return nil, fmt.Errorf("the coding %.40q is not one that can be read", coding)
	}
	if kept, ok := pool.Get().(reader); ok {
		return kept, kept.Reset(r)
	}
	switch coding {
	case "gzip":
		return gzip.NewReader(r) // a nil one with an error
	case "br":
		return brotli.NewReader(r), nil
	}
	// One block at a time on this goroutine: nothing runs on when reading is given up.
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

// keep takes a reader back whose text is over, whatever came of it.
func keep(r io.Reader) {
	switch r := r.(type) {
	case *gzip.Reader:
		if r != nil {
			gzips.Put(r)
		}
	case *brotli.Reader:
		brotlis.Put(r)
	case *zstd.Decoder:
		if r != nil && r.Reset(nil) == nil { // it lets go of its input
			zstds.Put(r)
		}
	}
}

// inflate reads the zlib format, which deflate means, or bare DEFLATE data, which some servers send
// under that name (RFC 9110 section 8.4.1.2).
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// bound counts what a text unfolds to.
type bound struct {
	limits Limits
	out    int64
}

// check takes how many bytes the text so far came from.
func (b *bound) check(in int) error {
	switch {
	case b.limits.Bytes > 0 && b.out > b.limits.Bytes:
		return fmt.Errorf("%w: above %d bytes", ErrBound, b.limits.Bytes)
	case b.limits.Ratio > 0 && b.out > ratioFrom && b.out/int64(max(in, 1)) > b.limits.Ratio:
		return fmt.Errorf("%w: %d bytes %w %d times as many", ErrBound, in, ErrRatio, b.limits.Ratio)
	}
	return nil
}

// broken names what is wrong with the bytes; an end in the middle is one error, whatever the coding's
// own reader calls it.
func broken(coding string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = ErrCut
	}
	return fmt.Errorf("reading %s: %w", coding, err)
}

// grow returns dst with room for n more bytes. The runtime cannot interrupt the copying or the clearing of memory, which
// takes milliseconds where the kernel has yet to find the pages; its garbage collector spins on a processor for as long.
// So it is done in pieces: make clears large memory in pieces of its own.
func grow(dst []byte, n int) []byte {
	return appendPieces(make([]byte, 0, len(dst)+n), dst)
}

func appendPieces(dst, p []byte) []byte {
	for len(p) > 64<<10 {
		dst = append(dst, p[:64<<10]...)
		p = p[64<<10:]
	}
	return append(dst, p...)
}

// input is a body that is read in small steps: readers that take much at a time would hide how little a text came from.
type input []byte

const inputStep = 4 << 10

func (in *input) Read(p []byte) (int, error) {
	if len(*in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), inputStep)], *in)
	*in = (*in)[n:]
	return n, nil
}

func (in *input) ReadByte() (byte, error) {
	if len(*in) == 0 {
		return 0, io.EOF
	}
	c := (*in)[0]
	*in = (*in)[1:]
	return c, nil
}

// mostBegun is how much is returned of a text that goes beyond its Limits.
const mostBegun = 64 << 10

// Append unfolds a whole body and appends the text to dst. On an error it returns what came before
// it: of a text beyond its Limits the begin, of at most Limits.Bytes bytes and 64 KiB.
//
// A text takes memory of its own once its length is known. Until then it is in pieces that are used again: memory that
// grows in steps is several times as much, and large memory is what starts the garbage collector.
func Append(dst []byte, encoding string, body []byte, limits Limits) (text []byte, err error) {
	coding := name(encoding)
	begin := len(dst)
	var held []*[pieceSize]byte // full ones, and the last
	last := 0                   // bytes in the last
	defer func() {
		if p := recover(); p != nil { // a reader that stumbles over hostile bytes ends the reading alone
			text, err = dst[:begin], fmt.Errorf("reading %s: %v", coding, p)
		}
	}()
	in := input(body)
	r, err := open(coding, &in)
	if err != nil {
		return dst, broken(coding, err)
	}
	b := bound{limits: limits}
	for err == nil {
		room := dst[len(dst):cap(dst)]
		if held != nil || len(room) == 0 {
			if held == nil || last == pieceSize {
				held, last = append(held, pieces.Get().(*[pieceSize]byte)), 0
			}
			room = held[len(held)-1][last:]
		}
		if limits.Bytes > 0 {
			room = room[:min(int64(len(room)), limits.Bytes+1-b.out)] // one more shows that there is more
		}
		room = room[:min(len(room), pieceSize)]
		var n int
		n, err = r.Read(room)
		if held == nil {
			dst = dst[:len(dst)+n]
		} else {
			last += n
		}
		b.out += int64(n)
		limits.share(n)
		if err == nil {
			err = b.check(len(body) - len(in))
		}
	}
	keep(r)
	switch {
	case err == io.EOF && len(body) > 0:
		err = b.check(len(body) - len(in))
	case !errors.Is(err, ErrBound):
		err = broken(coding, err)
	}
	most := begin + int(b.out)
	if errors.Is(err, ErrBound) {
		most = min(most, begin+mostBegun)
		if limits.Bytes > 0 {
			most = min(most, begin+int(limits.Bytes))
		}
	}
	if most > cap(dst) {
		dst = grow(dst, most-len(dst))
	}
	for i, p := range held {
		n := pieceSize
		if i == len(held)-1 {
			n = last
		}
		dst = appendPieces(dst, p[:max(0, min(n, most-len(dst)))])
		pieces.Put(p)
	}
	return dst[:min(len(dst), most)], err
}
