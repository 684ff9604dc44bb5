package child

import (
	"strings"
	"testing"
)

func TestTracebacks(t *testing.T) {
	tests := []struct{ name, text, language, err, where string }{
		{
			"Python, chained: the last one counts",
			"127.0.0.1 - - [x] \"GET / HTTP/1.1\" 500 -\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 3, in load\n    d['x']\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n" +
				"Traceback (most recent call last):\n  File \"/usr/lib/python3/wsgi.py\", line 88, in run\n    app()\n  File \"/srv/app.py\", line 12, in handler\n    raise ValueError(\"no total\")\nValueError: no total\nafter it\n",
			"Python", "ValueError: no total", "app.py:12 in handler",
		},
		{
			"Python, behind a logger's prefix", "[2026-11-23 10:00:00 +0000] [7] [ERROR] Traceback (most recent call last):\n  File \"m.py\", line 1, in <module>\nMemoryError\n",
			"Python", "MemoryError", "m.py:1 in <module>",
		},
		{
			"Go, a panic of a handler", "2026/11/23 10:00:00 http: panic serving 127.0.0.1:5: runtime error: index out of range [3]\ngoroutine 20 [running]:\nnet/http.(*conn).serve.func1()\n\t/usr/local/go/src/net/http/server.go:1947 +0xbe\nmain.handle(0x1)\n\t/srv/main.go:14 +0x1d\n",
			"Go", "http: panic serving 127.0.0.1:5: runtime error: index out of range [3]", "main.go:14 in main.handle",
		},
		{
			"Go, out of memory", "fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw()\n\t/usr/local/go/src/runtime/panic.go:1 +0x1\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/eat.go:9 +0x2\n",
			"Go", "fatal error: runtime: out of memory", "eat.go:9 in main.main",
		},
		{
			"Node.js", "/srv/app.js:3\n  throw new TypeError('x is not a function')\n  ^\n\nTypeError: x is not a function\n    at handle (/srv/app.js:3:9)\n    at Server.<anonymous> (node:http:1:2)\n\nNode.js v18.19.0\n",
			"Node.js", "TypeError: x is not a function", "app.js:3:9 in handle",
		},
		{
			"Java", "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)\n\tat com.acme.App.main(App.java:7)\n",
			"Java", "java.lang.OutOfMemoryError: Java heap space", "App.java:7 in com.acme.App.main",
		},
		{"none", "GET / 200\nat the end of the day\n    at noon\n", "", "", ""},
		{"a word that is no panic", "level=info msg=\"do not panic: all is well\"\nmore\n", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := traceback(clean([]byte(tt.text)))
			if got == nil {
				if tt.language != "" {
					t.Fatal("not found")
				}
				return
			}
			if got.Language != tt.language || got.Error != tt.err || got.Where != tt.where {
				t.Errorf("got %s / %s / %s", got.Language, got.Error, got.Where)
			}
		})
	}
}

func TestALongTracebackIsShortened(t *testing.T) {
	text := "Traceback (most recent call last):\n" + strings.Repeat("  File \"a.py\", line 1, in f\n", 500) + "RecursionError: too deep\n"
	got := traceback(clean([]byte(text)))
	if len(got.Lines) != mostFrames || got.Lines[len(got.Lines)-1] != "RecursionError: too deep" {
		t.Errorf("%d lines, the last %q", len(got.Lines), got.Lines[len(got.Lines)-1])
	}
}

func FuzzTraceback(f *testing.F) {
	f.Add([]byte("Traceback (most recent call last):\n  File \"a\", line 1, in f\nE"))
	f.Add([]byte("panic: x\n\ngoroutine 1 [running]:\n"))
	f.Add([]byte("Error\n\tat \n"))
	f.Add([]byte("\x1b["))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, l := range clean(b) {
			if strings.ContainsAny(l, "\x1b\n\x00") {
				t.Errorf("%q", l)
			}
		}
		traceback(clean(b))
	})
}
