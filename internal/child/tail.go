package child

import (
	"bytes"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// keep is how many bytes of each of a process's two outputs are kept, longest how many of one line.
const (
	keep    = 64 << 10
	longest = 4 << 10
)

// tail keeps the last lines of an output with the time at which each came. It may be used concurrently.
type tail struct {
	mu    sync.Mutex
	lines []line
	size  int
	open  []byte // a line that has not ended
	at    time.Time
}

type line struct {
	at   time.Time
	text []byte
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	now, n := time.Now(), len(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		if len(t.open) == 0 {
			t.at = now
		}
		t.open = append(t.open, part[:min(len(part), max(0, longest-len(t.open)))]...)
		if i < 0 {
			break
		}
		t.end()
		p = p[i+1:]
	}
	return n, nil
}

// end closes the open line and lets the oldest go.
func (t *tail) end() {
	t.lines = append(t.lines, line{t.at, bytes.Clone(t.open)})
	t.size += len(t.open) + 1
	t.open = t.open[:0]
	gone := 0
	for t.size > keep {
		t.size -= len(t.lines[gone].text) + 1
		gone++
	}
	if gone > 0 {
		t.lines = append(t.lines[:0], t.lines[gone:]...)
	}
}

// since returns the lines that came at or after a time, the oldest first; the zero time asks for all.
func (t *tail) since(from time.Time) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b []byte
	for _, l := range t.lines {
		if !l.at.Before(from) {
			b = append(append(b, l.text...), '\n')
		}
	}
	if len(t.open) > 0 && !t.at.Before(from) {
		b = append(b, t.open...)
	}
	return b
}

// forget empties the tail, for a process that is started again.
func (t *tail) forget() {
	t.mu.Lock()
	t.lines, t.size, t.open = nil, 0, nil
	t.mu.Unlock()
}

// clean makes lines that a terminal and a page can show: without control characters and the sequences that
// colour a terminal, without what is not UTF-8, and without empty lines.
func clean(b []byte) []string {
	var lines []string
	for l := range strings.Lines(string(b)) {
		l = strings.TrimRight(plain(l), " \t\r\n")
		if l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

func plain(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == 0x1b { // ECMA-48: ESC [ parameters final
			i++
			if i < len(s) && s[i] == '[' {
				for i++; i < len(s) && (s[i] < 0x40 || s[i] > 0x7e); i++ {
				}
				i++
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			b.WriteByte('?')
		case r == '\t':
			b.WriteString("    ")
		case r >= 0x20 && r != 0x7f && (r < 0x80 || r > 0x9f):
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
