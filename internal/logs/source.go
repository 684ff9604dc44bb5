package logs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"causeway/internal/fault"
)

// LongestLine is how many bytes of one line are read; what stands behind them is passed over and
// told. A gigabyte without a line break therefore costs no memory.
const LongestLine = 1 << 20

const firstBuffer = 256 << 10

// source reads the lines of one file.
type source struct {
	path  string
	index int
	raw   *counting
	in    io.Reader
	close func()

	buf        []byte
	begin, end int
	line       int64 // the number of the line that next gave last
	ended      bool
	failed     error

	clock   int64 // the latest time seen, 0 before the first
	first   int64
	shift   int64 // added to times, when the file's clock is known to be off
	boot    int64 // when a kernel that counts seconds had started, 0 when not known
	unzoned bool  // it has times that are written without a zone

	lines, blank, unread int64 // unread: lines of no known form
	long, longBytes      int64 // lines that were cut, and bytes of them that were not read
	binary               int64 // lines with bytes that no text has
	forms                [formCount]int64
	fields               *columns // of a W3C log, after its #Fields line
	trace                trace
	newest               *event // the last symptom that was read, for lines that say more of the same
	stamps               int64  // lines with a time of their own
}

// counting counts what was read of the file itself, compressed as it is.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// open makes a source ready to be read; its content says whether it is compressed, not its name.
func (s *source) open() error {
	var file io.ReadCloser = io.NopCloser(os.Stdin)
	if s.path != "-" {
		f, err := os.Open(s.path)
		if err != nil {
			return err
		}
		if info, err := f.Stat(); err == nil && info.IsDir() {
			f.Close()
			return fmt.Errorf("%s is a folder: name the log files in it", s.path)
		}
		file = f
	}
	s.raw = &counting{r: file}
	in := bufio.NewReaderSize(s.raw, 64<<10)
	s.close = func() { file.Close() }
	s.in = in
	magic, _ := in.Peek(4)
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(in)
		if err != nil {
			file.Close()
			return fmt.Errorf("%s: %w", s.path, err)
		}
		s.in = z
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			file.Close()
			return fmt.Errorf("%s: %w", s.path, err)
		}
		s.in, s.close = z, func() { z.Close(); file.Close() }
	case len(magic) >= 2 && (magic[0] == 0xff && magic[1] == 0xfe || magic[0] == 0xfe && magic[1] == 0xff):
		_, _ = in.Discard(2) // Peek has it
		s.in = &wide{in: in, big: magic[0] == 0xfe}
	case bytes.Equal(magic, []byte("LPKS")):
		file.Close()
		return fmt.Errorf("%s is a journal in its binary form: journalctl --file %s -o short-iso | causeway doctor logs -", s.path, s.path)
	case bytes.Equal(magic, []byte("\xfd7zX")) || bytes.HasPrefix(magic, []byte("BZh")):
		file.Close()
		return fmt.Errorf("%s is compressed with xz or bzip2: unpack it first, or pipe it: xzcat FILE | causeway doctor logs -", s.path)
	}
	s.buf = make([]byte, firstBuffer)
	return nil
}

// next gives the next line without its line break, nil at the end. It is valid until the next call.
func (s *source) next() []byte {
	for {
		if i := bytes.IndexByte(s.buf[s.begin:s.end], '\n'); i >= 0 {
			line := s.buf[s.begin : s.begin+i]
			s.begin += i + 1
			s.line++
			if len(line) > 0 && line[len(line)-1] == '\r' {
				line = line[:len(line)-1]
			}
			return line
		}
		if s.ended {
			if s.begin == s.end {
				return nil
			}
			line := s.buf[s.begin:s.end]
			s.begin = s.end
			s.line++
			return line
		}
		if s.begin > 0 {
			s.end = copy(s.buf, s.buf[s.begin:s.end])
			s.begin = 0
		}
		if s.end == len(s.buf) {
			if len(s.buf) >= LongestLine {
				return s.cut()
			}
			bigger := make([]byte, min(2*len(s.buf), LongestLine))
			s.end = copy(bigger, s.buf[:s.end])
			s.buf = bigger
		}
		s.fill()
	}
}

func (s *source) fill() {
	n, err := s.in.Read(s.buf[s.end:])
	s.end += n
	if err != nil {
		s.ended = true
		if err != io.EOF {
			s.failed = err
		}
	}
}

// cut gives the beginning of a line that is too long and passes over the rest of it. The rest is
// read into the second half of the buffer, so that the first stays as it is.
func (s *source) cut() []byte {
	half := len(s.buf) / 2
	s.long++
	s.longBytes += int64(s.end - half)
	line := s.buf[:half]
	s.line++
	s.begin, s.end = half, half
	for !s.ended {
		s.begin, s.end = half, half
		s.fill()
		if i := bytes.IndexByte(s.buf[half:s.end], '\n'); i >= 0 {
			s.longBytes += int64(i)
			s.begin = half + i + 1
			return line
		}
		s.longBytes += int64(s.end - half)
	}
	s.begin, s.end = half, half
	return line
}

func (s *source) shut() {
	if s.close != nil {
		s.close()
		s.close, s.buf = nil, nil
	}
}

// notes says in words what of the file was not read, or not as one might expect.
func (s *source) notes() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case s.failed == nil:
	case errors.Is(s.failed, io.ErrUnexpectedEOF):
		say("it is cut short: its compressed data end in the middle, after line %d; what came before was read", s.line)
	default:
		say("it could not be read beyond line %d: %v", s.line, s.failed)
	}
	if s.long > 0 {
		say("%s longer than %s: only the beginning was read, and %s of them were passed over", count(s.long, "line"), fault.Size(LongestLine/2), fault.Size(s.longBytes))
	}
	if s.binary > 0 {
		say("%s with bytes that no text has (binary data, or blocks that were never written): passed over", count(s.binary, "line"))
	}
	known := s.lines - s.blank - s.unread - s.binary
	if s.lines-s.blank > 0 && known == 0 && s.binary == 0 {
		say("no line of it has a form that is known: nothing could be learnt from it")
	} else if s.unread*2 > s.lines && s.unread > 100 {
		say("%s of %d have no form that is known and were passed over", count(s.unread, "line"), s.lines)
	}
	if s.lines == 0 && s.failed == nil {
		say("it is empty")
	}
	if known > 0 && s.stamps == 0 {
		say("its lines have no times, so they were not joined with other files")
	}
	if s.shift != 0 {
		say("its clock is %s the other files': corrected", ahead(-s.shift))
	}
	return out
}

// count is a number with its noun.
func count(n int64, noun string) string {
	if n == 1 && noun != "" {
		return "1 " + noun
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if noun == "" {
		return text
	}
	if strings.HasSuffix(noun, "s") {
		return text + " " + noun + "es"
	}
	return text + " " + noun + "s"
}
