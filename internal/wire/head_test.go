package wire

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"causeway/internal/wire/smuggle"
)

// headEndReference finds the first empty line by its definition: a line end (LF or CRLF) that
// follows a line end or begins the head.
func headEndReference(p string) int {
	for i := 0; i < len(p); i++ {
		if p[i] != '\n' {
			continue
		}
		if line := strings.TrimSuffix(p[:i], "\r"); line == "" || strings.HasSuffix(line, "\n") {
			return i + 1
		}
	}
	return 0
}

func TestHeadEndAtEverySplit(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, p string) {
		want := headEndReference(p)
		if got := HeadEnd([]byte(p), 0); got != want {
			t.Fatalf("%q ends at %d, want %d", p, got, want)
		}
		for cut := range p {
			first := HeadEnd([]byte(p[:cut]), 0)
			if first == 0 {
				first = HeadEnd([]byte(p), cut)
			}
			if first != want {
				t.Fatalf("%q with a read that ends at %d ends at %d, want %d", p, cut, first, want)
			}
		}
		if got := headEndBytewise([]byte(p)); got != want {
			t.Fatalf("%q byte by byte ends at %d, want %d", p, got, want)
		}
	}
	t.Run("heads", func(t *testing.T) {
		for _, p := range append(answers, browserHead, "\n", "\r\n", "\r", "", "\r\r\n\r\n", "a\r\n\r\n", "a\n\n", "a\n\r\n", "a\r\n\n", "a\r\n\r", "a\r\n \r\n\r\n") {
			check(t, p)
		}
	})
	t.Run("any lines", rapid.MakeCheck(func(t *rapid.T) {
		check(t, string(rapid.SliceOfN(rapid.SampledFrom([]byte("ab: \r\n\r\n")), 0, 40).Draw(t, "head")))
	}))
}

func TestEveryRefusalSaysWhereAndNeverWhat(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range smuggle.Cases() {
		data := []byte(c.Bytes)
		end := HeadEnd(data, 0)
		if end == 0 {
			continue
		}
		var rq Request
		err := ParseRequest(data[:end:end], noLimits, &rq)
		if err == nil {
			continue
		}
		seen[err.Part] = true
		if err.Part == "" || err.Reason == "" || err.Offset < 0 || err.Offset >= end {
			t.Errorf("%s: %+v", c.Name, err)
		}
		if err.Offset > 0 && data[err.Offset-1] != '\n' {
			t.Errorf("%s: offset %d is not a line's first byte", c.Name, err.Offset)
		}
		switch err.Part {
		case "Transfer-Encoding", "Content-Length", "Expect", "Trailer":
			if !bytes.HasPrefix(bytes.ToLower(data[err.Offset:]), []byte(strings.ToLower(err.Part))) {
				t.Errorf("%s: the fault of %s stands at %.20q", c.Name, err.Part, data[err.Offset:])
			}
		}
		switch err.Status {
		case 400, 417, 431, 501, 505:
		default:
			t.Errorf("%s: status %d", c.Name, err.Status)
		}
		if strings.Contains(err.Error(), "smuggled") || strings.Contains(err.Error(), "gateway.test") || strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("%s: the error holds the peer's bytes: %s", c.Name, err)
		}
	}
	for _, part := range []string{"request line", "request target", "field line", "field name", "field value", "Host", "Transfer-Encoding", "Content-Length", "Expect", "Trailer"} {
		if !seen[part] {
			t.Errorf("no case of the corpus is refused for its %s", part)
		}
	}
}

func TestTooManyFieldsAre431(t *testing.T) {
	head := []byte("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nX-A: c\r\n\r\n")
	var rq Request
	if err := ParseRequest(head, Limits{Head: 1 << 10, Fields: 3}, &rq); err != nil {
		t.Errorf("three of three: %v", err)
	}
	err := ParseRequest(head, Limits{Head: 1 << 10, Fields: 2}, &rq)
	if err == nil || err.Status != 431 {
		t.Errorf("three of two: %v", err)
	}
}

func TestObsFoldOfAnAnswerBecomesSpaces(t *testing.T) {
	head := []byte("HTTP/1.1 200 OK\r\nX-A: b\r\n  c\r\n\td \r\nX-E:\n f\r\n\r\n")
	var res Response
	if _, err := ParseResponse(head, noLimits, false, &res); err != nil {
		t.Fatal(err)
	}
	if got := squeeze(string(res.Header.Lookup("X-A"))) + "|" + string(res.Header.Lookup("X-E")); got != "b c d|f" {
		t.Errorf("got %q", got)
	}
	for _, f := range res.Header.Fields {
		if strings.ContainsAny(string(f.Value), "\r\n") {
			t.Errorf("a line end is left in %q", f.Value)
		}
	}
}

// The chunk line's limit is net/http's: the longest that its reader takes is the longest for us.
func TestChunkLineLimitIsNetHTTPs(t *testing.T) {
	for n := 4080; n < 4110; n++ {
		line := "1;" + strings.Repeat("x", n-4) + "\r\n"
		body := line + "a\r\n0\r\n\r\n"
		ours := dechunk([]byte(body), nil, len(body), true)
		// net/http's server reads with a buffer of 4096 bytes.
		if want := len(line) <= 4096; ours.done != want {
			t.Errorf("a chunk line of %d bytes: accepted is %v, want %v (%v)", len(line), ours.done, want, ours.err)
		}
		if err := everySplit([]byte(body), true); err != nil {
			t.Errorf("a chunk line of %d bytes: %v", len(line), err)
		}
	}
}

func TestChunkExtensionsAreBoundedTogether(t *testing.T) {
	body := strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\na\r\n", 200) + "0\r\n\r\n"
	if d := dechunk([]byte(body), nil, len(body), true); d.err != errChunkExtra {
		t.Errorf("20 KB of extensions around 200 bytes: %v", d.err)
	}
	theirs, err := theirRequest([]byte("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body))
	if err != nil || theirs.whole {
		t.Errorf("net/http takes them: %v", err)
	}
}
