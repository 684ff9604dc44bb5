package wire

import (
	"bytes"
	"strings"
	"testing"

	"causeway/internal/wire/smuggle"
)

// FuzzChunked holds the chunk decoder to its promise: however the bytes arrive it says the same,
// and what it decodes net/http decodes to the same bytes with the same end, as a request's body
// (strict) and as an answer's.
func FuzzChunked(f *testing.F) {
	for _, c := range smuggle.Cases() {
		if _, body, ok := strings.Cut(c.Bytes, "\r\n\r\n"); ok && strings.Contains(c.Name, "chunk") && len(body) < 2000 {
			f.Add([]byte(body), true)
		}
	}
	for _, s := range []string{
		"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nnext", "5;a=b\r\nhello\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\nnext",
		"a\r\n0123456789\r\n1\r\nx\r\n00\r\n\r\n", "1\r\na\r\n1 \r\nb\r\n0\t\r\n\r\n", "1 ;a\r\na\r\n0\r\n\r\n",
		"7fffffffffffffff\r\nx", "fffffffffffffff\r\nx", "0;" + strings.Repeat("a", 4093) + "\r\n\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, strict bool) {
		if err := everySplit(data, strict); err != nil {
			t.Fatal(err)
		}
		ours := dechunk(data, nil, len(data)+1, strict)
		head := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		read := func(b []byte) (message, error) { return theirResponse(b, "GET") }
		if strict {
			head, read = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", theirRequest
		}
		theirs, err := read(append([]byte(head), data...))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ours.done && !theirs.whole:
			t.Fatalf("net/http refuses what we decode to %q", ours.body)
		case ours.done && (!bytes.Equal(ours.body, theirs.body) || ours.end != theirs.end-len(head)):
			t.Fatalf("ours %q ends at %d, theirs %q at %d", ours.body, ours.end, theirs.body, theirs.end-len(head))
		case !ours.done && ours.err == nil && theirs.whole:
			t.Fatalf("net/http has the whole body %q, we wait for more", theirs.body)
		case !bytes.HasPrefix(theirs.body, ours.body) && !bytes.HasPrefix(ours.body, theirs.body):
			t.Fatalf("before a fault: ours %q, theirs %q", ours.body, theirs.body)
		}
	})
}
