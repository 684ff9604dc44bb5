package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

func TestInputThatIsNotAsItShould(t *testing.T) {
	good := access("09:30:01", caller, "/a", 502) + access("09:30:02", caller, "/b", 200)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(strings.Repeat(good, 2000)))
	_ = z.Close()
	var zs bytes.Buffer
	e, _ := zstd.NewWriter(&zs)
	_, _ = e.Write([]byte(good))
	_ = e.Close()
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, path string
		failures   int64
		nothing    bool
		says       string
	}{
		{"gzip, by its content", file("a.log", packed.Bytes()), 2000, false, ""},
		{"zstd", file("b.log.1", zs.Bytes()), 1, false, ""},
		{"gzip that is cut short", file("c.gz", packed.Bytes()[:packed.Len()-30]), -1, false, "cut short"},
		{"gzip that is damaged", file("d.gz", append(bytes.Clone(packed.Bytes()[:40]), bytes.Repeat([]byte{7}, 100)...)), 0, true, "could not be read beyond"},
		{"a last line without its end", file("e.log", []byte(strings.TrimSuffix(good, "\n"))), 1, false, ""},
		{"lines that end in CR LF", file("f.log", []byte(strings.ReplaceAll(good, "\n", "\r\n"))), 1, false, ""},
		{"UTF-16, as PowerShell writes it", file("k.log", wideText(good+good, binary.LittleEndian)), 2, false, ""},
		{"UTF-16, the other way round", file("l.log", wideText(good+"\U0001F600\r\n"+good, binary.BigEndian)), 2, false, ""},
		{"UTF-16 that is cut in a character", file("m.log", append(wideText(good, binary.LittleEndian), 'x')), 1, false, ""},
		{"blocks of zero bytes, as after a crash", file("g.log", []byte(good+strings.Repeat("\x00", 4096)+"\n"+good)), 2, false, "1 line with bytes that no text has"},
		{"a program", file("h.log", bytes.Repeat([]byte{0x7f, 'E', 0, 1, '\n', 0xff}, 1000)), 0, true, "bytes that no text has"},
		{"a text that is no log", file("i.log", []byte("hello\nthere\n")), 0, true, "no line of it has a form that is known"},
		{"an empty file", file("j.log", nil), 0, true, "it is empty"},
		{"a folder", dir, 0, true, "is a folder"},
		{"a file that is not there", filepath.Join(dir, "none"), 0, true, "no such file"},
		{"a binary journal", file("k.journal", []byte("LPKSHHRH........")), 0, true, "journalctl --file"},
		{"xz", file("l.xz", []byte("\xfd7zXZ\x00\x00")), 0, true, "xzcat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Read(context.Background(), Options{Files: []string{c.path}, Zone: time.UTC, Now: now})
			if c.nothing != errors.Is(err, ErrNothingRead) || !c.nothing && err != nil {
				t.Fatalf("error %v", err)
			}
			text := string(r.Text(nil, time.UTC, false))
			if c.failures >= 0 && r.Failures != c.failures || !strings.Contains(text, c.says) {
				t.Errorf("%d failures, want %d and %q in\n%s", r.Failures, c.failures, c.says, text)
			}
		})
	}
}

// wideText is a text in UTF-16 with its mark.
func wideText(text string, order binary.AppendByteOrder) (b []byte) {
	for _, u := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// endless gives a log of any size without keeping it: what before, a fill of n bytes, what after.
type endless struct {
	before, after string
	fill          []byte
	n             int64
}

func (e *endless) write(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, _ = io.WriteString(f, e.before)
	for done := int64(0); done < e.n; done += int64(len(e.fill)) {
		if _, err := f.Write(e.fill); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.WriteString(f, e.after)
}

// watch runs fn and gives the most heap that was in use meanwhile beyond what was before.
func watch(fn func()) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, stop, ended := m.HeapAlloc, make(chan struct{}), make(chan struct{})
	var most atomic.Uint64
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				if m.HeapAlloc > before && m.HeapAlloc-before > most.Load() {
					most.Store(m.HeapAlloc - before)
				}
			}
		}
	}()
	fn()
	close(stop)
	<-ended
	return most.Load()
}

func TestALineWithoutEndCostsNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	first, last := access("09:30:01", caller, "/a", 502), access("09:30:03", caller, "/b", 502)
	(&endless{before: first + "x", fill: bytes.Repeat([]byte("0123456789abcdef"), 1<<12), n: 64 << 20, after: "\n" + last}).write(t, path)
	var r *Report
	used := watch(func() {
		var err error
		if r, err = Read(context.Background(), Options{Files: []string{path}, Zone: time.UTC, Now: now}); err != nil {
			t.Error(err)
		}
	})
	if r.Failures != 2 || used > 16<<20 {
		t.Errorf("%d failures, %d KiB of memory", r.Failures, used>>10)
	}
	if text := string(r.Text(nil, time.UTC, false)); !strings.Contains(text, "1 line longer than 512 KiB: only the beginning was read, and 64 MiB") {
		t.Error(text)
	}
}

// bigLog is a block of an access log's lines, of which one in a thousand failed, and the times of
// which go on from block to block.
func bigLog(t testing.TB, dir string, bytesOf int64) (files []string, lines int64) {
	t.Helper()
	accessPath, errorPath := filepath.Join(dir, "access.log"), filepath.Join(dir, "error.log")
	a, err := os.Create(accessPath)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	e, err := os.Create(errorPath)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var block, errs bytes.Buffer
	begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for n, second := int64(0), 0; n < bytesOf; second++ {
		block.Reset()
		errs.Reset()
		at := begin.Add(time.Duration(second) * time.Second)
		stamp := at.Format("02/Jan/2006:15:04:05")
		for i := range 1000 {
			status := 200
			if i == 500 {
				status = 502
				fmt.Fprintf(&errs, "%s [error] 12#12: *1 %s, client: %s, server: _, request: \"GET /item/%d/%d HTTP/1.1\", upstream: \"http://%s/\", host: \"h\"\n", at.Format("2006/01/02 15:04:05"), refusedWords, caller, second, i, backend)
			}
			fmt.Fprintf(&block, "%s - - [%s +0000] \"GET /item/%d/%d HTTP/1.1\" %d 5123 \"https://www.example.com/catalogue/%d\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\"\n", caller, stamp, second, i, status, i)
		}
		lines += 1000
		n += int64(block.Len())
		if _, err := a.Write(block.Bytes()); err != nil {
			t.Fatal(err)
		}
		_, _ = e.Write(errs.Bytes())
	}
	return []string{accessPath, errorPath}, lines
}

func TestALargeLogIsReadInConstantMemory(t *testing.T) {
	size := int64(128 << 20)
	if testing.Short() {
		size = 16 << 20
	}
	files, lines := bigLog(t, t.TempDir(), size)
	var r *Report
	used := watch(func() {
		var err error
		if r, err = Read(context.Background(), Options{Files: files, Zone: time.UTC, Now: now}); err != nil {
			t.Error(err)
		}
	})
	if r.Answers != lines || r.Failures != lines/1000 {
		t.Errorf("%d answers, %d failures of %d lines", r.Answers, r.Failures, lines)
	}
	want(t, r, fmt.Sprintf("nginx-refused x%d", lines/1000))
	if used > 32<<20 {
		t.Errorf("%d KiB of memory for %d MiB", used>>10, size>>20)
	}
}

// TestAStormOfFailuresIsBounded has every line fail, and each with an error line.
func TestAStormOfFailuresIsBounded(t *testing.T) {
	var a, e strings.Builder
	for i := range 40000 {
		at := fmt.Sprintf("09:30:%02d", i/4000)
		a.WriteString(access(at, caller, fmt.Sprintf("/%d", i), 502))
		e.WriteString(nginxLine(at, caller, fmt.Sprintf("/%d", i), refusedWords, fmt.Sprintf("10.0.%d.%d:80", i>>8&255, i&255)))
	}
	r := readText(t, "access.log", a.String(), "error.log", e.String())
	var explained int64
	for _, c := range r.Causes {
		explained += c.Failures
	}
	if r.Failures != 40000 || explained < 39000 || len(r.Causes) > mostGroups+2 {
		t.Errorf("%d failures, %d explained, %d causes", r.Failures, explained, len(r.Causes))
	}
}

// BenchmarkRead reads an access log with its error log; LOGS_BENCH_MIB says how large (64).
func BenchmarkRead(b *testing.B) {
	size := int64(64)
	if s := os.Getenv("LOGS_BENCH_MIB"); s != "" {
		if _, err := fmt.Sscan(s, &size); err != nil {
			b.Fatal(err)
		}
	}
	files, _ := bigLog(b, b.TempDir(), size<<20)
	var total int64
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		total += info.Size()
	}
	b.SetBytes(total)
	b.ResetTimer()
	for b.Loop() {
		if _, err := Read(context.Background(), Options{Files: files, Zone: time.UTC, Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkForms reads the lines of each form over and over.
func BenchmarkForms(b *testing.B) {
	for name, line := range map[string]string{
		"combined":    strings.TrimSuffix(access("09:30:01", caller, "/a/b/c", 200), "\n"),
		"nginx-error": strings.TrimSuffix(nginxLine("09:30:01", caller, "/a/b/c", refusedWords, backend), "\n"),
		"haproxy":     `192.0.2.7:1234 [23/Nov/2026:09:30:01.000] fe be/s1 0/0/0/5/5 200 198 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`,
		"caddy":       `{"level":"info","ts":1795426201.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","method":"GET","host":"h","uri":"/a","headers":{"User-Agent":["curl/8"]}},"duration":0.01,"status":200}`,
		"application": `2026-11-23 09:30:01,123 INFO app.views handled the order 12345 of the customer 6789 in 12 ms with 3 queries`,
	} {
		b.Run(name, func(b *testing.B) {
			r := newRun(Options{Zone: time.UTC, Now: now})
			s, in := &source{}, []byte(line)
			var e entry
			b.SetBytes(int64(len(in) + 1))
			b.ReportAllocs()
			for b.Loop() {
				r.parser.parse(s, in, &e)
			}
		})
	}
}

// FuzzLines gives any bytes as a log: nothing may panic, and no secret or control character may be shown.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		access("09:30:01", caller, "/a?k=v", 502), nginxLine("09:30:01", caller, "/a", closedWords, backend),
		"#Fields: date time sc-status cs-uri-stem time-taken\n2026-11-23 09:30:01 502 /a 5\n", "[  12.5] Out of memory: Killed process 1 (a)\n", "{\"status\":502,\"uri\":\"/a\",\"ts\":1795426201}\n",
		"Traceback (most recent call last):\n  File \"a\"\nValueError: x\n", "h2 2026-11-23T09:30:01Z a b:1 c:2 0 -1 -1 502 - 1 2 \"GET / HTTP/1.1\"\n", "<134>1 2026-11-23T09:30:01Z h p 1 - [a b] x\n", "[pid: 1|] x () {} [Mon Nov 23 09:30:01 2026] GET / => generated 1 bytes in 5 msecs (HTTP/1.1 500)\n",
		"192.0.2.7:1 [23/Nov/2026:09:30:01.000] fe be/s1 1/2/3/4/5 504 1 - - sH-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n", "[2026-11-23T09:30:01.000Z] \"GET / HTTP/1.1\" 503 UF a - \"b\" 0 91 2 - \"-\" \"c\" \"i\" \"h\" \"127.0.0.1:9\"\n",
	} {
		f.Add([]byte(s))
	}
	r := newRun(Options{Zone: time.UTC, Now: now})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &source{path: "f"}
		run := &run{o: r.o, parser: r.parser, found: newCollector(), since: r.since, until: r.until}
		run.joiner = newJoiner(run.found)
		var e entry
		for _, line := range bytes.Split(b, []byte{'\n'}) {
			s.line++
			run.one(s, line, &e)
		}
		run.joiner.finish()
		rep := &Report{Causes: run.found.causes(), Unexplained: run.found.unexplained(), Failures: run.found.failures, Statuses: run.found.statuses}
		for _, c := range rep.Text(nil, time.UTC, false) {
			if c < ' ' && c != '\n' || c == 0x7f {
				t.Fatalf("a control character is shown: %q", c)
			}
		}
	})
}
