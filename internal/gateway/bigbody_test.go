package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// bigRig is a gateway before providers that keep nothing of a body but its digest.
type bigRig struct {
	*rig
	mu     sync.Mutex
	digest []string // of the bodies
	length []int64
	fields []http.Header
	refuse int // how many calls are refused before one is answered
}

func newBigRig(t testing.TB) *bigRig {
	b := &bigRig{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := sha256.New()
		n, _ := io.Copy(h, q.Body)
		b.mu.Lock()
		b.digest, b.length, b.fields = append(b.digest, fmt.Sprintf("%x", h.Sum(nil))), append(b.length, n), append(b.fields, q.Header)
		refuse := b.refuse > 0
		b.refuse--
		b.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case refuse:
			w.WriteHeader(503)
			_, _ = io.WriteString(w, problem("The server is overloaded", "server_error", "server_is_overloaded"))
		case strings.Contains(q.URL.Path, "audio"):
			_, _ = io.WriteString(w, `{"text":"hello"}`)
		default:
			_, _ = io.WriteString(w, completionBody)
		}
	}))
	t.Cleanup(up.Close)
	b.rig = newRigWith(t, strings.ReplaceAll(`
version: 1
providers:
  openai: {kind: openai, base_url: "UP/v1", keys: [provider-key-0123], retries: {max: 0}}
models:
  big: {targets: [{model: openai/first}], fallback: [openai/the-second-one-with-a-longer-name]}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*]}
`, "UP", up.URL), withAllDialects)
	return b
}

var letters = strings.Repeat("x", 4096)

// filler reads as n letters.
type filler struct{ n int64 }

func (f *filler) Read(p []byte) (int, error) {
	if f.n == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.n)]
	for rest := p; len(rest) > 0; {
		rest = rest[copy(rest, letters):]
	}
	f.n -= int64(len(p))
	return len(p), nil
}

// post makes a call whose body is head, n letters, and tail, and tells how much memory that took in all.
func (b *bigRig) post(t testing.TB, path, head string, n int64, tail string, fields ...string) (status int, text string, took uint64) {
	t.Helper()
	body := io.MultiReader(strings.NewReader(head), &filler{n}, strings.NewReader(tail))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(head)+len(tail)) + n
	req.Header.Set("Authorization", "Bearer web-key-0123456789")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	runtime.ReadMemStats(&after)
	return res.StatusCode, string(answer), after.TotalAlloc - before.TotalAlloc
}

// TestTheModelMayStandLastInALongBody: in 20 MB of JSON, and behind the file of a form. The body is held once, and its
// model's name changed where it stands; a second attempt needs a copy, and sends the same with another name.
func TestTheModelMayStandLastInALongBody(t *testing.T) {
	const n = 20 << 20
	b := newBigRig(t)
	form := func(model string) (head, tail string) {
		return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n",
			"\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" + model + "\r\n--b--\r\n"
	}
	json := func(model string) (head, tail string) {
		return `{"messages":[{"role":"user","content":"`, `"}],"stream":false,"model":"` + model + `"}`
	}
	first := func(model string) (head, tail string) {
		return `{"model":"` + model + `","messages":[{"role":"user","content":"`, `"}]}`
	}
	for _, c := range []struct {
		name, path, contentType string
		body                    func(model string) (head, tail string)
	}{
		{"JSON", "/v1/chat/completions", "application/json", json},
		{"JSON, the model first", "/v1/chat/completions", "application/json", first},
		{"a form", "/v1/audio/transcriptions", "multipart/form-data; boundary=b", form},
	} {
		for _, refused := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s, refused %d times", c.name, refused), func(t *testing.T) {
				b.mu.Lock()
				b.digest, b.length, b.refuse = nil, nil, refused
				b.mu.Unlock()
				head, tail := c.body("big")
				status, text, took := b.post(t, c.path, head, n, tail, "Content-Type", c.contentType)
				if status != 200 {
					t.Fatalf("%d %s", status, text)
				}
				for i, model := range []string{"first", "the-second-one-with-a-longer-name"}[:refused+1] {
					h := sha256.New()
					head, tail := c.body(model)
					_, _ = io.Copy(h, io.MultiReader(strings.NewReader(head), &filler{n}, strings.NewReader(tail)))
					if i >= len(b.digest) || b.digest[i] != fmt.Sprintf("%x", h.Sum(nil)) {
						t.Errorf("attempt %d: another body came to the provider, of %v bytes", i+1, b.length)
					}
				}
				// The buffer grows to 2 MiB by doubling, and is then made as long as the body.
				most := uint64(n + 6<<20 + refused*(n+1<<20))
				if took > most {
					t.Errorf("a body of %d MiB took %d KiB of memory", n>>20, took>>10)
				}
			})
		}
	}
}

func gzipped(t testing.TB, head string, n int64, tail string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.Copy(w, io.MultiReader(strings.NewReader(head), &filler{n}, strings.NewReader(tail))); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	return out.String()
}

func zstded(t testing.TB, head string, n int64, tail string) string {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, io.MultiReader(strings.NewReader(head), &filler{n}, strings.NewReader(tail))); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	return out.String()
}

// TestCodedBodies: gzip and zstd are read, the provider gets the text, and what unfolds to too much is refused before
// it has taken the memory.
func TestCodedBodies(t *testing.T) {
	b := newBigRig(t)
	const head, tail = `{"messages":[{"role":"user","content":"`, `"}],"model":"big"}`
	sum := func(n int64) string {
		h := sha256.New()
		_, _ = io.Copy(h, io.MultiReader(strings.NewReader(head), &filler{n}, strings.NewReader(strings.Replace(tail, "big", "first", 1))))
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	for encoding, fold := range map[string]func(testing.TB, string, int64, string) string{"gzip": gzipped, "x-gzip": gzipped, "zstd": zstded} {
		for _, n := range []int64{10, 500 << 10} {
			body := fold(t, head, n, tail)
			status, text, _ := b.post(t, "/v1/chat/completions", body, 0, "", "Content-Encoding", encoding)
			if status != 200 || b.digest[len(b.digest)-1] != sum(n) {
				t.Errorf("%s of %d: %d %s", encoding, n, status, text)
			}
			if f := b.fields[len(b.fields)-1]; f.Get("Content-Encoding") != "" {
				t.Errorf("the provider is told of a coding: %v", f)
			}
		}
		calls := len(b.digest)
		bomb := fold(t, head, 32<<20, tail)
		status, text, took := b.post(t, "/v1/chat/completions", bomb, 0, "", "Content-Encoding", encoding)
		if got := tellOf(t, "openai", status, text); status != 413 || got.kind != "body_too_large" || len(b.digest) != calls {
			t.Errorf("a bomb in %s of %d bytes: %d %s", encoding, len(bomb), status, text)
		}
		if took > 24<<20+20*uint64(len(bomb)) {
			t.Errorf("a bomb in %s of %d KiB took %d KiB of memory", encoding, len(bomb)>>10, took>>10)
		}
	}
}
