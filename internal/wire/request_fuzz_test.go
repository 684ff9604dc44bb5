package wire

import (
	"bytes"
	"testing"

	"causeway/internal/wire/smuggle"
)

// FuzzRequest holds the request parser to its promise: what it accepts net/http's server accepts
// as well, with the same request line, host, fields and body, and with the same first byte of the
// next request. It may refuse what net/http accepts; stricter_test.go lists where it does.
func FuzzRequest(f *testing.F) {
	for _, c := range smuggle.Cases() {
		if len(c.Bytes) < 4096 {
			f.Add([]byte(c.Bytes))
		}
	}
	for _, s := range strictRequests {
		f.Add([]byte(s.bytes))
	}
	for _, s := range []string{
		browserHead,
		"GET http://[::1]:80/a?b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://a?b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nCookie: a\r\nCookie: b\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-A: 1\r\n\r\nGET",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		end := HeadEnd(data, 0)
		if again := headEndBytewise(data); again != end {
			t.Fatalf("HeadEnd is %d at once and %d byte by byte", end, again)
		}
		ours, ok := ourRequest(data)
		if !bytes.Equal(data, before) {
			t.Fatal("the bytes were changed")
		}
		if !ok {
			return
		}
		theirs, err := theirRequest(data)
		if err != nil {
			t.Fatalf("net/http refuses what we accept: %v", err)
		}
		if err := agree(ours, theirs); err != nil {
			t.Fatal(err)
		}
		if !ours.whole && theirs.whole {
			// We refuse the body; net/http's laxity is no fault of ours, but it must be a refusal
			// and not a wait for more.
			if d := dechunk(data[end:], nil, len(data), true); d.err == nil {
				t.Fatalf("net/http has the whole body %q, we wait for more", theirs.body)
			}
		}
		if ours.header.Get("Transfer-Encoding") == "" && end < len(data) {
			if err := everySplit(data[end:], true); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// headEndBytewise finds a head's end as a connection does to which the bytes come one by one.
func headEndBytewise(data []byte) int {
	for n := 1; n <= len(data); n++ {
		if end := HeadEnd(data[:n], n-1); end > 0 {
			return end
		}
	}
	return 0
}

const browserHead = "GET /products/42?tab=reviews&page=2 HTTP/1.1\r\n" +
	"Host: shop.example.com\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Referer: https://shop.example.com/products\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=0f4c1d2e3b5a69788796a5b4c3d2e1f0; consent=1; theme=dark\r\n\r\n"
