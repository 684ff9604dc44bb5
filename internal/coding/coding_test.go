package coding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// flusher is a compressing writer.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// writers make each coding as servers do.
var writers = map[string]func(io.Writer) flusher{
	"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
	"Deflate": func(w io.Writer) flusher { f, _ := flate.NewWriter(w, 6); return f }, // bare, as some send it
	"br":      func(w io.Writer) flusher { return brotli.NewWriter(w) },
	"zstd":    func(w io.Writer) flusher { z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); return z },
}

func fold(t testing.TB, encoding string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := writers[encoding](&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryCodingUnfoldsInAnyPieces(t *testing.T) {
	for encoding := range writers {
		t.Run(encoding, func(t *testing.T) {
			if !Known(encoding) || None(encoding) {
				t.Fatal("it is not known")
			}
			rapid.Check(t, func(rt *rapid.T) {
				text := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(rt, "text")
				text = bytes.Repeat(text, rapid.IntRange(1, 10).Draw(rt, "times"))
				body := fold(t, encoding, text)
				d, err := New(encoding, Limits{})
				if err != nil {
					rt.Fatal(err)
				}
				defer d.Close()
				var got []byte
				take := func(p []byte) { got = append(got, p...) }
				for at := 0; at < len(body); {
					n := rapid.IntRange(1, len(body)-at).Draw(rt, "piece")
					piece := bytes.Clone(body[at : at+n])
					if err := d.Feed(piece, take); err != nil {
						rt.Fatal(err)
					}
					clear(piece) // it is the caller's again
					at += n
				}
				if err := d.Finish(take); err != nil || !bytes.Equal(got, text) {
					rt.Fatalf("%d of %d bytes, %v", len(got), len(text), err)
				}
			})
		})
	}
}

// TestWhatIsFlushedIsReadAtOnce: an event of a stream is known before the next one comes.
func TestWhatIsFlushedIsReadAtOnce(t *testing.T) {
	for encoding, writer := range writers {
		t.Run(encoding, func(t *testing.T) {
			var b bytes.Buffer
			w := writer(&b)
			d, err := New(encoding, Limits{Ratio: MaxRatio})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for i := range 50 {
				event := fmt.Sprintf("data: {\"n\":%d}\n\n", i)
				if _, err := io.WriteString(w, event); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				var got []byte
				if err := d.Feed(b.Bytes(), func(p []byte) { got = append(got, p...) }); err != nil || string(got) != event {
					t.Fatalf("event %d: got %q, %v", i, got, err)
				}
				b.Reset()
			}
		})
	}
}

func TestBrokenBodiesAreNamed(t *testing.T) {
	text := []byte(strings.Repeat("what is said once is said once ", 3000))
	for encoding := range writers {
		body := fold(t, encoding, text)
		if got, err := Append(nil, encoding, body[:len(body)/2], Limits{}); !errors.Is(err, ErrCut) || len(got) >= len(text) || !bytes.HasPrefix(text, got) {
			t.Errorf("%s, cut: %d bytes, %v", encoding, len(got), err)
		}
		if _, err := Append(nil, encoding, nil, Limits{}); !errors.Is(err, ErrCut) {
			t.Errorf("%s, empty: %v", encoding, err)
		}
		if encoding == "br" || strings.EqualFold(encoding, "deflate") {
			continue // without a mark at the begin, some bytes say something by accident
		}
		if got, err := Append(nil, encoding, []byte(`{"object":"chat.completion"}`), Limits{}); err == nil || errors.Is(err, ErrCut) || errors.Is(err, ErrBound) {
			t.Errorf("%s, plain JSON under its name: %q, %v", encoding, got, err)
		}
	}
}

func TestABombEndsTheReading(t *testing.T) {
	bomb := make([]byte, 4<<20)
	for encoding := range writers {
		body := fold(t, encoding, bomb)
		all := body
		d, err := New(encoding, Limits{Ratio: MaxRatio})
		if err != nil {
			t.Fatal(err)
		}
		var got int
		take := func(p []byte) { got += len(p) }
		for len(body) > 0 {
			n := min(len(body), 100)
			if err = d.Feed(body[:n], take); err != nil {
				break
			}
			body = body[n:]
		}
		if !errors.Is(err, ErrBound) || got > ratioFrom+MaxRatio*300+2*pieceSize {
			t.Errorf("%s: read %d bytes, %v", encoding, got, err)
		}
		if again := d.Feed([]byte("x"), take); again != err {
			t.Errorf("%s: then %v", encoding, again)
		}
		d.Close()
		d.Close()
		whole, err := Append([]byte("before "), encoding, all, Limits{Bytes: 1000})
		if !errors.Is(err, ErrBound) || len(whole) != len("before ")+1000 {
			t.Errorf("%s: %d bytes, %v", encoding, len(whole), err)
		}
	}
}

// TestAWindowAboveTheLimitIsRefused: zstd may ask for a window of gigabytes before the first byte.
func TestAWindowAboveTheLimitIsRefused(t *testing.T) {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if _, err := w.Write(make([]byte, 32<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Append(nil, "zstd", b.Bytes(), Limits{Bytes: 1 << 20}); err == nil || errors.Is(err, ErrBound) {
		t.Errorf("got %v", err)
	}
}

func TestSeveralMembersAreOneText(t *testing.T) {
	body := append(fold(t, "gzip", []byte("one ")), fold(t, "gzip", []byte("two"))...)
	if got, err := Append(nil, "gzip", body, Limits{}); err != nil || string(got) != "one two" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOtherCodingsAreNotKnown(t *testing.T) {
	for _, encoding := range []string{"compress", "gzip, br", "exi", "aes128gcm", "dcb", "*"} {
		if Known(encoding) || None(encoding) {
			t.Errorf("%q is known", encoding)
		}
		if _, err := New(encoding, Limits{}); err == nil {
			t.Errorf("%q has a decoder", encoding)
		}
	}
	for _, encoding := range []string{"", "identity", " Identity"} {
		if !None(encoding) {
			t.Errorf("%q is a coding", encoding)
		}
	}
}

// FuzzDecoder: whatever comes, reading ends, stays within its limits and leaves nothing behind.
func FuzzDecoder(f *testing.F) {
	for encoding := range writers {
		f.Add(encoding, fold(f, encoding, []byte("data: {\"usage\":{}}\n\n")), uint8(3))
	}
	f.Fuzz(func(t *testing.T, encoding string, body []byte, step uint8) {
		d, err := New(encoding, Limits{Bytes: 1 << 20, Ratio: MaxRatio})
		if err != nil {
			return
		}
		defer d.Close()
		var got int
		take := func(p []byte) { got += len(p) }
		for at := 0; at < len(body); at += int(step) + 1 {
			if d.Feed(body[at:min(len(body), at+int(step)+1)], take) != nil {
				break
			}
		}
		_ = d.Finish(take)
		if got > 1<<20+pieceSize {
			t.Errorf("%d bytes were read", got)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":"chatcmpl-1","choices":[{"message":{"content":"hello"}}]}`, 20))
	for encoding := range writers {
		body := fold(b, encoding, text)
		b.Run(encoding, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				var err error
				if dst, err = Append(dst[:0], encoding, body, Limits{Bytes: 1 << 20, Ratio: MaxRatio}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
