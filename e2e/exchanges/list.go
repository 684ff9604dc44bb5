package exchanges

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	text  = "text/plain"
	json  = "application/json"
	large = 5 << 20
)

// onHTTP1 are the columns in which HTTP/1.1's own wire forms can be seen.
var onHTTP1 = []Column{Plain, TLS}

// List is every exchange, in the order of the documentation.
func List() []Exchange {
	return slices.Concat(methods(), bodies(), statuses(), fields(), targets(), interim(), streams(), connections(), breaks())
}

func ok(body string, headers ...Field) Answer {
	return Answer{Headers: append([]Field{{"Content-Type", text}}, headers...), Pieces: []string{body}}
}

func methods() []Exchange {
	return []Exchange{
		{
			Name: "get", About: "GET with a few usual fields",
			Request: Request{Headers: []Field{{"Accept", "application/json, text/plain;q=0.5"}, {"Accept-Language", "de, en;q=0.8"}, {"X-Request-Id", "abc-123"}}},
			Answer: Answer{
				Headers: []Field{
					{"Server", "origin/1.0"},
					{"Content-Type", json},
					{"Cache-Control", "max-age=60, private"},
					{"ETag", `"v1"`},
					{"Last-Modified", "Sat, 05 Nov 1994 08:49:37 GMT"},
					{"X-Request-Id", "abc-123"},
				},
				Pieces: []string{`{"ok":true}`},
			},
		},
		{
			Name: "head", About: "HEAD, whose answer declares a length and has no body",
			Request: Request{Method: "HEAD"}, Answer: Answer{Headers: []Field{{"Content-Type", text}, {"ETag", `"v2"`}}, Framing: NoBody, Declared: 1234},
		},
		{
			Name: "head-chunked", About: "HEAD, whose answer says that its body would be chunked",
			Request: Request{Method: "HEAD"}, Answer: Answer{Headers: []Field{{"Content-Type", text}}, Framing: Chunked},
		},
		{
			Name: "options", About: "OPTIONS",
			Request: Request{Method: "OPTIONS"}, Answer: Answer{Headers: []Field{{"Allow", "GET, HEAD, PUT, OPTIONS"}, {"Accept-Patch", "application/merge-patch+json"}}},
		},
		{
			Name: "preflight", About: "a browser's CORS preflight",
			Request: Request{Method: "OPTIONS", Headers: []Field{{"Origin", "https://shop.example"}, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Headers", "content-type, x-api-version"}}},
			Answer: Answer{Status: 204, Framing: NoBody, Headers: []Field{
				{"Access-Control-Allow-Origin", "https://shop.example"},
				{"Access-Control-Allow-Methods", "GET, PUT"},
				{"Access-Control-Allow-Headers", "content-type, x-api-version"},
				{"Access-Control-Max-Age", "600"},
				{"Vary", "Origin, Access-Control-Request-Method"},
			}},
		},
		{
			Name: "trace", About: "TRACE",
			Request: Request{Method: "TRACE"}, Answer: Answer{Headers: []Field{{"Content-Type", "message/http"}}, Pieces: []string{"TRACE / HTTP/1.1\r\n\r\n"}},
		},
		{
			Name: "put", About: "PUT of JSON, answered 201 with Location",
			Request: Request{Method: "PUT", Headers: []Field{{"Content-Type", json}, {"If-None-Match", "*"}}, Body: "length", Text: `{"name":"one"}`},
			Answer:  Answer{Status: 201, Headers: []Field{{"Location", "/things/1"}, {"Content-Type", json}}, Pieces: []string{`{"id":1}`}},
		},
		{
			Name: "patch", About: "PATCH",
			Request: Request{Method: "PATCH", Headers: []Field{{"Content-Type", "application/merge-patch+json"}}, Body: "length", Text: `{"name":null}`},
			Answer:  ok("patched"),
		},
		{
			Name: "delete", About: "DELETE with a body",
			Request: Request{Method: "DELETE", Headers: []Field{{"Content-Type", json}}, Body: "length", Text: `{"reason":"old"}`},
			Answer:  Answer{Status: 202, Headers: []Field{{"Content-Type", text}}, Pieces: []string{"later"}},
		},
		{
			Name: "propfind", About: "a method of WebDAV with a body, answered 207",
			Request: Request{Method: "PROPFIND", Headers: []Field{{"Depth", "1"}, {"Content-Type", "application/xml"}}, Body: "length", Text: "<propfind xmlns='DAV:'/>"},
			Answer:  Answer{Status: 207, Reason: "Multi-Status", Headers: []Field{{"Content-Type", "application/xml"}, {"DAV", "1, 2"}}, Pieces: []string{"<multistatus xmlns='DAV:'/>"}},
		},
		{
			Name: "purge", About: "a method that nobody registered",
			Request: Request{Method: "PURGE-ALL"}, Answer: ok("gone"),
		},
	}
}

func bodies() []Exchange {
	const phrase = "The same bytes, whatever their coding. "
	said := strings.Repeat(phrase, 40)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write([]byte(said)) // a buffer takes all
	_ = w.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err) // its options are the default ones
	}
	zs := enc.EncodeAll([]byte(said), nil)
	br, err := hex.DecodeString("1b1706401da9539f3c3c42a5a7d8d85cbde555191d6cc08143904730091eb306a960312668b3172a245e28fb570300")
	if err != nil {
		panic(err)
	}
	coded := func(coding string, body []byte) Exchange {
		return Exchange{
			Name: coding, About: "an answer that is coded with " + coding,
			Request: Request{Headers: []Field{{"Accept-Encoding", coding}}},
			Answer:  Answer{Headers: []Field{{"Content-Type", text}, {"Content-Encoding", coding}, {"Vary", "Accept-Encoding"}}, Pieces: []string{latin(body)}},
		}
	}
	form := "--bound\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--bound\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\x01\x02\r\n--bound--\r\n"
	return []Exchange{
		{Name: "post-empty", About: "POST with Content-Length: 0", Request: Request{Method: "POST", Body: "length"}, Answer: Answer{}},
		{Name: "post-one-byte-chunked", About: "POST of one byte, chunked; one byte comes back, chunked", Request: Request{Method: "POST", Body: "chunked", Text: "x"}, Answer: Answer{Framing: Chunked, Pieces: []string{"y"}}},
		{Name: "post-nothing-chunked", About: "POST of nothing, chunked; nothing comes back, chunked", Request: Request{Method: "POST", Body: "chunked"}, Answer: Answer{Framing: Chunked}},
		{Name: "post-5-mib", About: "POST of 5 MiB with its length", Request: Request{Method: "POST", Headers: []Field{{"Content-Type", "application/octet-stream"}}, Body: "length", Size: large}, Answer: ok("got it")},
		{Name: "post-5-mib-chunked", About: "POST of 5 MiB, chunked", Request: Request{Method: "POST", Headers: []Field{{"Content-Type", "application/octet-stream"}}, Body: "chunked", Size: large}, Answer: ok("got it")},
		{Name: "get-5-mib", About: "an answer of 5 MiB with its length", Answer: Answer{Headers: []Field{{"Content-Type", "application/octet-stream"}}, Size: large}},
		{Name: "get-5-mib-chunked", About: "an answer of 5 MiB, chunked", Answer: Answer{Headers: []Field{{"Content-Type", "application/octet-stream"}}, Size: large, Framing: Chunked}},
		{Name: "form", About: "a form in the body", Request: Request{Method: "POST", Headers: []Field{{"Content-Type", "application/x-www-form-urlencoded"}}, Body: "length", Text: "a=1&a=2&b=%C3%BC+%26"}, Answer: ok("ok")},
		{Name: "multipart", About: "a file upload, multipart/form-data", Request: Request{Method: "POST", Headers: []Field{{"Content-Type", "multipart/form-data; boundary=bound"}}, Body: "length", Text: form}, Answer: ok("ok")},
		coded("gzip", gz.Bytes()),
		coded("br", br),
		coded("zstd", zs),
		{Name: "charset", About: "a body in ISO 8859-1, as its Content-Type says", Answer: Answer{Headers: []Field{{"Content-Type", `text/plain; charset="ISO-8859-1"; x=y`}, {"Content-Language", "de"}}, Pieces: []string{"K\u00c3\u00a4se: \u00e4\u00f6\u00fc"}}},
		{
			Name: "range", About: "a range, answered 206",
			Request: Request{Headers: []Field{{"Range", "bytes=100-199"}, {"If-Range", `"v1"`}}},
			Answer:  Answer{Status: 206, Headers: []Field{{"Content-Type", "application/octet-stream"}, {"Content-Range", "bytes 100-199/5000"}, {"Accept-Ranges", "bytes"}, {"ETag", `"v1"`}}, Size: 100},
		},
		{
			Name: "ranges", About: "two ranges, answered by multipart/byteranges",
			Request: Request{Headers: []Field{{"Range", "bytes=0-0,-1"}}},
			Answer: Answer{
				Status: 206, Headers: []Field{{"Content-Type", "multipart/byteranges; boundary=THIS"}},
				Pieces: []string{"--THIS\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--THIS\r\nContent-Range: bytes 8-8/9\r\n\r\nz\r\n--THIS--\r\n"},
			},
		},
		{
			Name: "range-refused", About: "a range that cannot be given, answered 416",
			Request: Request{Headers: []Field{{"Range", "bytes=9000-"}}},
			Answer:  Answer{Status: 416, Headers: []Field{{"Content-Range", "bytes */5000"}}},
		},
	}
}

func statuses() []Exchange {
	return []Exchange{
		{Name: "204", About: "204", Request: Request{Method: "DELETE"}, Answer: Answer{Status: 204, Framing: NoBody, Headers: []Field{{"X-Left", "3"}}}},
		{Name: "204-length", About: "204, with Content-Length: 0", Request: Request{Method: "DELETE"}, Answer: Answer{Status: 204}},
		{Name: "205", About: "205, with Content-Length: 0", Request: Request{Method: "POST", Body: "length", Text: "a=1"}, Answer: Answer{Status: 205}},
		{
			Name: "304", About: "a conditional request, answered 304",
			Request: Request{Headers: []Field{{"If-None-Match", `W/"v1", "v2"`}, {"If-Modified-Since", "Sat, 05 Nov 1994 08:49:37 GMT"}}},
			Answer:  Answer{Status: 304, Framing: NoBody, Declared: 4321, Headers: []Field{{"ETag", `"v2"`}, {"Cache-Control", "no-cache"}, {"Expires", "0"}}},
		},
		{Name: "412", About: "a condition that fails, answered 412", Request: Request{Method: "PUT", Headers: []Field{{"If-Match", `"v0"`}, {"If-Unmodified-Since", "Sat, 05 Nov 1994 08:49:37 GMT"}}, Body: "length", Text: "new"}, Answer: Answer{Status: 412}},
		{
			Name: "redirect", About: "302 to an absolute address, not followed",
			AnswerTo: func(r *Received) Answer {
				return Answer{Status: 302, Headers: []Field{{"Location", "http://other.example/a?b=c#d"}, {"Content-Type", "text/html"}}, Pieces: []string{"<a href='http://other.example/a?b=c#d'>there</a>"}}
			},
		},
		{
			Name: "redirects", About: "relative redirects, followed to the end: 301, then 307 of a POST, then 303",
			Request: Request{Method: "POST", Path: "/a/start", Body: "length", Text: "again", Follow: true, Headers: []Field{{"Content-Type", text}}},
			AnswerTo: func(r *Received) Answer {
				to := func(status int, where string) Answer {
					return Answer{Status: status, Headers: []Field{{"Location", where}}}
				}
				switch r.Suffix {
				case "/a/start":
					return to(308, "../b/next?x=1")
				case "/b/next?x=1":
					return to(307, "?x=2")
				case "/b/next?x=2":
					return to(303, "./end%20here")
				}
				return ok("at the end by " + r.Method)
			},
		},
		{
			Name: "401", About: "401 with two challenges",
			Answer: Answer{Status: 401, Headers: []Field{{"WWW-Authenticate", `Basic realm="orders", charset="UTF-8"`}, {"WWW-Authenticate", `Bearer realm="orders", error="invalid_token"`}, {"Content-Type", json}}, Pieces: []string{`{"error":"who are you"}`}},
		},
		{Name: "basic", About: "Basic credentials pass on an open service", Request: Request{Headers: []Field{{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}}}, Answer: ok("welcome")},
		{Name: "proxy-credentials", About: "credentials for a proxy", Request: Request{Headers: []Field{{"Proxy-Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}}}, Answer: ok("welcome")},
		{
			Name: "503", About: "the server's own 503, with its body and Retry-After",
			Answer: Answer{Status: 503, Headers: []Field{{"Retry-After", "120"}, {"Content-Type", "application/problem+json"}}, Pieces: []string{`{"title":"closed for lunch","status":503}`}},
		},
		{Name: "no-reason", About: "a status without a reason phrase, as hypercorn and Tomcat send it", Answer: Answer{NoReason: true, Headers: []Field{{"Content-Type", text}}, Pieces: []string{"ok"}}},
		{Name: "426", About: "426, which names the protocol to switch to", Only: onHTTP1, Answer: Answer{Status: 426, Headers: []Field{{"Connection", "Upgrade"}, {"Upgrade", "TLS/1.2"}, {"Content-Type", text}}, Pieces: []string{"not so"}}},
		{Name: "odd-status", About: "a status that nobody registered, with a reason of its own", Answer: Answer{Status: 299, Reason: "Fine, but (see) notes", Headers: []Field{{"Content-Type", text}}, Pieces: []string{"notes"}}},
	}
}

func fields() []Exchange {
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, "c"+strings.Repeat("x", i)+"="+strings.Repeat("v", i*3))
		}
		return list
	}
	var set []Field
	for _, c := range many(12) {
		set = append(set, Field{"Set-Cookie", c + "; Path=/; HttpOnly; Expires=Wed, 21 Oct 2065 07:28:00 GMT"})
	}
	return []Exchange{
		{Name: "cookies", About: "twelve cookies set, and many sent", Request: Request{Headers: []Field{{"Cookie", strings.Join(many(20), "; ")}}}, Answer: ok("set", set...)},
		{Name: "cookie-jar", About: "a client's own cookie jar: what the first call sets the second one sends", Request: Request{Cookies: true}, Answer: ok("set", Field{"Set-Cookie", "session=abc; Path=/"}, Field{"Set-Cookie", `odd="a b"; Path=/`})},
		{
			Name: "repeated-fields", About: "fields that stand more than once, both ways",
			Request: Request{Headers: []Field{{"X-Tag", "one"}, {"Accept", "text/html"}, {"X-Tag", "two"}, {"Cache-Control", "no-cache"}, {"X-Tag", "one"}}},
			Answer:  ok("ok", Field{"Link", "</a>; rel=preload"}, Field{"Vary", "Accept"}, Field{"Link", "</b>; rel=preload"}, Field{"Vary", "Origin"}, Field{"Warning", `199 - "x, y"`}, Field{"Link", "</a>; rel=preload"}),
		},
		{
			Name: "case-and-order", About: "names in odd case and order, both ways",
			Request: Request{Headers: []Field{{"x-lower", "1"}, {"X-UPPER", "2"}, {"aCcEpT", "*/*"}, {"x_under", "3"}, {"X-Mixed-caSe", "4"}}},
			Answer:  Answer{Headers: []Field{{"z-last", "1"}, {"X-UPPER", "2"}, {"content-length", "2"}, {"content-TYPE", text}, {"a-first", "3"}, {"eTAG", `"x"`}, {"x_under", "4"}}, Pieces: []string{"ok"}},
		},
		{
			Name: "odd-values", About: "legal values that are rare: empty, with bytes above 127, tabs, quotes, many commas",
			Request: Request{Headers: []Field{{"X-Empty", ""}, {"X-Bytes", "caf\u00e9 \u00c3\u00a9"}, {"X-Tab", "a\tb"}, {"X-Quotes", `"a, \"b\"", 'c'; d="e;f"`}, {"X-Commas", ",,a,,b,"}, {"X-Signs", "!#$%&'*+-.^_`|~()<>@:\\/[]?={}"}}},
			Answer:  ok("ok", Field{"X-Empty", ""}, Field{"X-Bytes", "caf\u00e9 \u00c3\u00a9"}, Field{"X-Tab", "a\tb"}, Field{"X-Quotes", `"a, \"b\"", 'c'; d="e;f"`}, Field{"X-Commas", ",,a,,b,"}),
		},
		{
			Name: "long-fields", About: "fields of 30 KiB, both ways",
			Request: Request{Headers: []Field{{"X-Long", strings.Repeat("0123456789", 3<<10)}}},
			Answer:  ok("ok", Field{"X-Long", strings.Repeat("9876543210", 3<<10)}),
		},
		{Name: "many-fields", About: "a hundred fields, both ways", Request: Request{Headers: numbered(100)}, Answer: ok("ok", numbered(90)...)},
		{
			Name: "disposition", About: "a file's name in UTF-8",
			Answer: ok("data", Field{"Content-Disposition", "attachment; filename=\"na\u00c3\u00afve \u00e2\u0082\u00ac.txt\"; filename*=UTF-8''na%C3%AFve%20%e2%82%ac.txt"}),
		},
		{
			Name: "tracing", About: "trace context, baggage and the fields of other gateways",
			Request: Request{Headers: []Field{{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, {"tracestate", "vendor=1,other=2"}, {"baggage", "a=1"}, {"X-Amzn-Trace-Id", "Root=1-2-3"}, {"X-Forwarded-For", "203.0.113.9"}, {"X-Real-IP", "203.0.113.9"}, {"Via", "1.1 edge"}}},
			Answer:  ok("ok", Field{"Via", "1.1 cache"}, Field{"Age", "12"}, Field{"Server-Timing", "db;dur=53"}, Field{"Proxy-Status", "cache; fwd=miss"}),
		},
		{
			Name: "hop-by-hop", About: "fields of one connection, which no proxy may pass on", Only: onHTTP1,
			Request: Request{Headers: []Field{{"Connection", "x-mine, keep-alive"}, {"X-Mine", "1"}, {"Keep-Alive", "timeout=9"}, {"TE", "deflate"}, {"X-Kept", "1"}}},
			Answer:  ok("ok", Field{"Connection", "X-Theirs"}, Field{"X-Theirs", "1"}, Field{"Keep-Alive", "timeout=5, max=100"}, Field{"X-Kept", "1"}),
		},
		{Name: "no-date", About: "an answer without Date and without Content-Type", Answer: Answer{Pieces: []string{"when?"}, NoDate: true}},
	}
}

func numbered(n int) (list []Field) {
	for i := range n {
		list = append(list, Field{"X-Number-" + string(rune('a'+i/26)) + string(rune('a'+i%26)), strings.Repeat("n", i%7)})
	}
	return list
}

func targets() []Exchange {
	return []Exchange{
		{Name: "query", About: "an odd query", Request: Request{Path: "?a=1&a=2&b=%20+%2B&&=&x[]=1&q=a;b?c/d&utf=%c3%A9&e"}, Answer: ok("ok")},
		{Name: "empty-query", About: "a query that is empty", Request: Request{Path: "/x?"}, Answer: ok("ok")},
		{Name: "escapes", About: "escapes in the path, of either case, of what needs none and of a slash", Request: Request{Path: "/a%20b/%7Euser/%c3%a9%C3%A9/c%2Fd/+;v=1,2/@:!$&'()*"}, Answer: ok("ok")},
		{Name: "dots", About: "dot segments and empty segments in the path", Request: Request{Path: "/a/./b/../c//d/..."}, Answer: ok("ok")},
		{Name: "long-target", About: "a target of 8 KiB", Request: Request{Path: "/" + strings.Repeat("segment/", 512) + "?" + strings.Repeat("k=v&", 1000)}, Answer: ok("ok")},
	}
}

func interim() []Exchange {
	const wanted = "100-continue"
	return []Exchange{
		{
			Name: "continue", About: "Expect: 100-continue, and the server lets the caller go on",
			Request: Request{Method: "POST", Headers: []Field{{"Content-Type", text}}, Body: "length", Size: 100 << 10, Expect: true}, Answer: ok("got " + wanted),
		},
		{
			Name: "continue-refused", About: "Expect: 100-continue, and the server refuses before the body",
			Request: Request{Method: "POST", Headers: []Field{{"Content-Type", text}}, Body: "length", Size: 100 << 10, Expect: true},
			Answer:  Answer{Status: 413, Headers: []Field{{"Content-Type", text}}, Pieces: []string{"too large"}, Refuse: true, Close: true},
		},
		{
			Name: "early-hints", About: "two interim answers, 103",
			Answer: Answer{
				Interim: []Interim{{103, []Field{{"Link", "</style.css>; rel=preload; as=style"}}}, {103, []Field{{"Link", "</app.js>; rel=preload; as=script"}, {"X-Hint", "2"}}}},
				Headers: []Field{{"Content-Type", text}}, Pieces: []string{"page"},
			},
		},
	}
}

func streams() []Exchange {
	var events []string
	for i := range 5 {
		events = append(events, "id: "+string(rune('0'+i))+"\ndata: {\"n\":"+string(rune('0'+i))+"}\n\n")
	}
	return []Exchange{
		{
			Name: "events", About: "server-sent events, one at a time",
			Request: Request{Headers: []Field{{"Accept", "text/event-stream"}, {"Last-Event-ID", "41"}}},
			Answer:  Answer{Headers: []Field{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}}, Framing: Chunked, Pieces: events, Pause: 100 * time.Millisecond},
		},
		{Name: "slow", About: "a first byte that takes its time", Answer: Answer{Headers: []Field{{"Content-Type", text}}, Pieces: []string{"at last"}, Wait: 400 * time.Millisecond}},
		{Name: "drip", About: "a body with a length whose pieces come slowly", Answer: Answer{Headers: []Field{{"Content-Type", text}}, Pieces: []string{strings.Repeat("a", 9000), strings.Repeat("b", 9000), strings.Repeat("c", 9000)}, Pause: 150 * time.Millisecond}},
		{
			Name: "trailers", About: "an answer with trailers",
			Request: Request{Headers: []Field{{"TE", "trailers"}}},
			Answer:  Answer{Headers: []Field{{"Content-Type", text}, {"Trailer", "X-Sum, X-Rows"}}, Framing: Chunked, Pieces: []string{"one ", "two"}, Trailers: []Field{{"X-Sum", "abc"}, {"X-Rows", "2"}}},
		},
		{
			Name: "request-trailers", About: "a request with trailers",
			Request: Request{Method: "POST", Headers: []Field{{"Trailer", "X-Sum"}}, Body: "chunked", Text: "counted", Trailers: []Field{{"X-Sum", "abc"}}}, Answer: ok("ok"),
		},
		{
			Name: "early-answer", About: "an answer in the middle of an upload of 5 MiB, which the server reads to its end",
			Request: Request{Method: "POST", Headers: []Field{{"Content-Type", "application/octet-stream"}}, Body: "length", Size: large},
			Answer:  Answer{Status: 202, Headers: []Field{{"Content-Type", text}}, Pieces: []string{"go on"}, Early: true},
		},
	}
}

func connections() []Exchange {
	return []Exchange{
		{Name: "ten-calls", About: "ten calls, one after the other, on one connection", Request: Request{Repeat: 10}, Answer: ok("again")},
		{Name: "server-closes", About: "the server closes after its answer", Only: onHTTP1, Answer: Answer{Headers: []Field{{"Content-Type", text}}, Pieces: []string{"bye"}, Close: true}},
		{Name: "client-closes", About: "the caller asks for Connection: close", Only: onHTTP1, Request: Request{Close: true}, Answer: ok("bye")},
		{Name: "until-close", About: "a body that ends with its connection", Answer: Answer{Headers: []Field{{"Content-Type", text}}, Framing: UntilClose, Pieces: []string{"as long ", "as it is"}}},
		{Name: "http10-server", About: "a server that speaks HTTP/1.0", Only: onHTTP1, Answer: Answer{Headers: []Field{{"Content-Type", text}}, Framing: UntilClose, HTTP10: true, Pieces: []string{"old"}}},
		{Name: "http10-client", About: "a caller that speaks HTTP/1.0", Only: onHTTP1, Request: Request{HTTP10: true}, Answer: ok("old")},
		{Name: "pipeline", About: "five requests in one write", Only: onHTTP1, Request: Request{Pipeline: 5}, Answer: ok("next")},
	}
}

func breaks() []Exchange {
	return []Exchange{
		{Name: "cut-short", About: "less than the declared length, of a body below 8 KiB", Answer: Answer{Headers: []Field{{"Content-Type", text}}, Size: 4000, End: Cut}},
		{Name: "cut-long", About: "less than the declared length, of a long body", Answer: Answer{Headers: []Field{{"Content-Type", "application/octet-stream"}}, Size: 1 << 20, End: Cut}},
		{Name: "cut-chunked", About: "no last chunk", Answer: Answer{Headers: []Field{{"Content-Type", text}}, Pieces: []string{"half", "half"}, Framing: Chunked, End: Cut, Pause: 30 * time.Millisecond}},
		{Name: "reset", About: "a reset in the middle of the body", Answer: Answer{Headers: []Field{{"Content-Type", text}}, Pieces: []string{"half", "half"}, Framing: Chunked, End: Reset, Pause: 30 * time.Millisecond}},
		{Name: "no-answer", About: "a connection that is closed without an answer", Request: Request{Method: "POST", Body: "length", Text: "x"}, Answer: Answer{End: NoAnswer}},
	}
}
