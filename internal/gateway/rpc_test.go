package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"causeway/internal/fault"
	"causeway/internal/wire"
)

func TestRPCForms(t *testing.T) {
	for contentType, want := range map[string]rpcForm{
		"application/grpc": rpcGRPC, "application/grpc+proto": rpcGRPC, "Application/GRPC; charset=utf-8": rpcGRPC,
		"application/grpc-web": rpcWeb, "application/grpc-web+proto": rpcWeb, "application/grpc-web-text": rpcWebText,
		"application/grpc-web-text+proto": rpcWebText, "application/grpc-web; a=b": rpcWeb,
		"": rpcNone, "application/json": rpcNone, "application/grpcx": rpcNone, "application/grpc-websocket": rpcNone,
		"text/application/grpc": rpcNone, "application/grp": rpcNone, "application/graphql-response+json": rpcNone,
	} {
		if got := rpcFormOf([]byte(contentType)); got != want {
			t.Errorf("%q is %v, want %v", contentType, got, want)
		}
	}
}

func TestGRPCTimeoutIsRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1S": time.Second, "100m": 100 * time.Millisecond, "99999999n": 99999999, "2H": 2 * time.Hour, "3M": 3 * time.Minute, "7u": 7 * time.Microsecond,
		"99999999H": math.MaxInt64, "0S": 1,
		"": 0, "S": 0, "1": 0, "1s": 0, "-1S": 0, "1.5S": 0, "123456789S": 0, " 1S": 0, "1S ": 0,
	} {
		if got := parseGRPCTimeout([]byte(text)); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// TestGRPCTimeoutIsWritten: never longer than what is left, at most eight digits, and short by less
// than one part in ten thousand (or a nanosecond).
func TestGRPCTimeoutIsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(rt, "left"))
		text := appendGRPCTimeout(nil, d)
		if len(text) > 9 {
			rt.Fatalf("%v became %s", d, text)
		}
		got := parseGRPCTimeout(text)
		if got > d || d-got > d/10000+1 {
			rt.Fatalf("%v became %s, which is %v", d, text, got)
		}
	})
}

func TestRetryPushback(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "1500": 1500 * time.Millisecond, "-1": -1, "soon": -1, "": -1, "99999999999": -1} {
		var h wire.Header
		h.AddString("grpc-retry-pushback-ms", text)
		got, ok := retryPushback(&h)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if got, ok := retryPushback(new(wire.Header)); got != 0 || !ok {
		t.Errorf("without the field: %v %v", got, ok)
	}
}

func TestStatusIsRead(t *testing.T) {
	for text, want := range map[string]fault.Code{"0": 0, "14": fault.CodeUnavailable, "99": 99, "": fault.CodeUnknown, "x": fault.CodeUnknown, "-1": fault.CodeUnknown, "9999999999": fault.CodeUnknown} {
		if got := parseStatus([]byte(text)); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	if got := clipMessage([]byte(strings.Repeat("%E2%98%BA", 500))); len(got) > 203 || !strings.HasSuffix(got, "☺...") {
		t.Errorf("a long message became %q", got)
	}
}

func TestKeptBodyIsWholeOrNothing(t *testing.T) {
	b := limitedBody{keep: true}
	b.kept.add([]byte("one "))
	b.kept.add([]byte("two"))
	if b.isKept() {
		t.Error("it has not been read to its end")
	}
	b.whole.Store(true)
	if !b.isKept() || string(b.kept.buf) != "one two" {
		t.Errorf("%v %q", b.isKept(), b.kept.buf)
	}
	b.kept.add(make([]byte, keptGRPC))
	if b.isKept() {
		t.Error("a part of the body is taken for the whole")
	}
}

// webFrame is a frame of gRPC-Web.
func webFrame(flags byte, content string) []byte {
	b := []byte{flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[1:], uint32(len(content)))
	return append(b, content...)
}

// TestWebTapReadsAnyPieces: however an answer is cut into pieces, its status is found, and only between
// two frames is it said to be between two frames.
func TestWebTapReadsAnyPieces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.Bool().Draw(rt, "text")
		var raw, body []byte
		ends := map[int]bool{0: true}
		for range rapid.IntRange(0, 4).Draw(rt, "messages") {
			frame := webFrame(byte(rapid.IntRange(0, 1).Draw(rt, "compressed")), string(rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "message")))
			raw = append(raw, frame...)
			if text && rapid.Bool().Draw(rt, "encoded alone") {
				body = base64.StdEncoding.AppendEncode(body, raw)
				raw = raw[:0]
			}
			if !text {
				ends[len(raw)] = true
			}
		}
		raw = append(raw, webFrame(0x80, "grpc-status: 5\r\ngrpc-message:not%20found\r\n")...)
		if text {
			body = base64.StdEncoding.AppendEncode(body, raw)
		} else {
			body = raw
		}
		tap := webTap{text: text}
		for at := 0; at < len(body); {
			if !text && tap.between() != ends[at] {
				rt.Fatalf("between frames at byte %d: %v", at, tap.between())
			}
			n := min(rapid.SampledFrom([]int{1, 2, 3, 5, 700, 5000}).Draw(rt, "piece"), len(body)-at)
			tap.feed(body[at : at+n])
			at += n
		}
		if code, message, ok := tap.status(); !ok || code != fault.CodeNotFound || message != "not found" {
			rt.Fatalf("%v %q %v", code, message, ok)
		}
	})
}

func FuzzWebTap(f *testing.F) {
	f.Add([]byte("\x80\x00\x00\x00\x0egrpc-status:0\r"), false)
	f.Add([]byte("gAAAAA9ncnBjLXN0YXR1czowDQo="), true)
	f.Add([]byte("\x00\xff\xff\xff\xff"), false)
	f.Fuzz(func(t *testing.T, b []byte, text bool) {
		whole, parts := webTap{text: text}, webTap{text: text}
		whole.feed(b)
		for i := range b {
			parts.feed(b[i : i+1])
		}
		if len(whole.tail) > webTrailerMost || whole.lost != parts.lost || !whole.lost && whole.between() != parts.between() {
			t.Fatalf("whole %+v, in parts %+v", whole, parts)
		}
	})
}

const rpcConfig = `
version: 1
services:
  plain:
    access: open
    routes: [{path: "/plain.Service/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}
  locked:
    details: safe
    routes: [{path: "/locked.Service/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}
  refused:
    access: open
    details: safe
    routes: [{path: "/refused.Service/*"}]
    upstream: {targets: [{url: "http://127.0.0.1:1"}], retries: {max: 0}}
`

func rpcCallTo(path, contentType, body string, fields ...string) string {
	head := "POST " + path + " HTTP/1.1\nHost: h\nContent-Type: " + contentType + "\nContent-Length: " + strconv.Itoa(len(body)) + "\n"
	for _, f := range fields {
		head += f + "\n"
	}
	return head + "\n" + body
}

func TestGRPCOverHTTP1IsRefusedAsGRPC(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, rpcConfig, up))
	a := r.call(t, rpcCallTo("/plain.Service/Do", "application/grpc+proto", "12345"))
	h := a.header
	if a.status != 200 || h.Get("Content-Type") != "application/grpc" || h.Get("Grpc-Status") != "13" || a.body != "" {
		t.Errorf("got %d %v %q", a.status, h, a.body)
	}
	if m := h.Get("Grpc-Message"); !strings.Contains(m, "came over HTTP/1.1; gRPC needs HTTP/2") || !strings.Contains(m, "(grpc_over_http1, call "+h.Get("Causeway-Call-Id")+")") {
		t.Errorf("message %q", m)
	}
	if h.Get("Grpc-Retry-Pushback-Ms") != "-1" || h.Get("Grpc-Status-Details-Bin") == "" || !strings.HasPrefix(h.Get("Proxy-Status"), "causeway; error=http_request_error") {
		t.Errorf("fields %v", h)
	}
	if len(up.got()) != 0 {
		t.Error("the upstream was asked")
	}
	j := r.record(t, a)
	if j.Status != 200 || j.Finding.Kind != fault.GRPCOverHTTP1 || j.RPC == nil || !j.RPC.Own || j.RPC.Code != fault.CodeInternal || j.RPC.Form != "grpc" {
		t.Errorf("the record has %d %v %+v", j.Status, j.Finding.Kind, j.RPC)
	}
	if log := r.log.String(); !strings.Contains(log, "grpc_status=INTERNAL") {
		t.Errorf("the log lacks the status: %s", log)
	}
}

// webStatusOf reads the one frame of a gRPC-Web failure.
func webStatusOf(t *testing.T, a *answer, text bool) http.Header {
	t.Helper()
	body := []byte(a.body)
	if text {
		raw, err := base64.StdEncoding.DecodeString(a.body)
		if err != nil {
			t.Fatal(err)
		}
		body = raw
	}
	if len(body) < webFrameHead || body[0] != 0x80 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-webFrameHead {
		t.Fatalf("no trailer frame: %q", body)
	}
	h := http.Header{}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(body[webFrameHead:], []byte("\r\n")), []byte("\r\n")) {
		name, value, _ := strings.Cut(string(line), ": ")
		if name != strings.ToLower(name) {
			t.Errorf("%s is not in lower case", name)
		}
		h.Set(name, value)
	}
	return h
}

func TestGRPCWebFailuresAreATrailerFrame(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, rpcConfig, up))
	for _, test := range []struct {
		path, contentType string
		text              bool
		status, kind      string
		code              fault.Code
	}{
		{"/refused.Service/Do", "application/grpc-web+proto", false, "14", "connection_refused", fault.CodeUnavailable},
		{"/refused.Service/Do", "application/grpc-web-text", true, "14", "connection_refused", fault.CodeUnavailable},
		{"/locked.Service/Do", "application/grpc-web", false, "16", "key_missing", fault.CodeUnauthenticated},
		{"/nowhere.Service/Do", "application/grpc-web", false, "12", "route_not_found", fault.CodeUnimplemented},
	} {
		a := r.call(t, rpcCallTo(test.path, test.contentType+"; charset=x", "12345"))
		h := webStatusOf(t, a, test.text)
		if a.status != 200 || a.header.Get("Content-Type") != test.contentType || h.Get("Grpc-Status") != test.status {
			t.Errorf("%s: got %d %v, %v", test.path, a.status, a.header, h)
		}
		if m := h.Get("Grpc-Message"); !strings.Contains(m, "("+test.kind+", call ") || test.path == "/refused.Service/Do" && strings.Contains(m, "127.0.0.1") {
			t.Errorf("%s: message %q", test.path, m)
		}
		if j := r.record(t, a); j.RPC == nil || j.RPC.Code != test.code || !j.RPC.Own || string(j.Finding.Kind) != test.kind {
			t.Errorf("%s: the record has %+v", test.path, j.RPC)
		}
	}
}

func TestGRPCWebPassesAndItsStatusIsRead(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, rpcConfig, up))
	ok := string(webFrame(0, "message")) + string(webFrame(0x80, "grpc-status:0\r\n"))
	failed := string(webFrame(0, "message")) + string(webFrame(0x80, "grpc-status: 14\r\ngrpc-message: try%20later\r\n"))
	chunks := func(parts ...string) string {
		b := "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nTransfer-Encoding: chunked\r\n\r\n"
		for _, p := range parts {
			b += strconv.FormatInt(int64(len(p)), 16) + "\r\n" + p + "\r\n"
		}
		return b
	}
	for _, test := range []struct {
		name, answer, body string
		ended              bool
		code               fault.Code
		kind               fault.Kind
	}{
		{"OK", reply(200, ok, "Content-Type: application/grpc-web+proto"), ok, true, 0, ""},
		{"UNAVAILABLE", reply(200, failed, "Content-Type: application/grpc-web+proto"), failed, true, fault.CodeUnavailable, fault.GRPCUnavailable},
		{"in pieces", chunks(failed[:3], failed[3:20], failed[20:]) + "0\r\n\r\n", failed, true, fault.CodeUnavailable, fault.GRPCUnavailable},
		{"text", reply(200, base64.StdEncoding.EncodeToString([]byte(ok)), "Content-Type: application/grpc-web-text"), base64.StdEncoding.EncodeToString([]byte(ok)), true, 0, ""},
		{"in the head", reply(200, "", "Content-Type: application/grpc-web", "grpc-status: 12"), "", true, fault.CodeUnimplemented, fault.GRPCUnimplemented},
		{"what is no gRPC-Web", reply(200, "<html>", "Content-Type: text/html"), "<html>", false, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			up.replies(test.answer)
			a := r.call(t, rpcCallTo("/plain.Service/Do", "application/grpc-web+proto", "12345", "grpc-timeout: 5S"))
			if a.status != 200 || a.body != test.body || a.err != nil {
				t.Errorf("got %d %q %v", a.status, a.body, a.err)
			}
			j := r.record(t, a)
			kind := fault.Kind("")
			if j.Finding != nil {
				kind = j.Finding.Kind
			}
			if j.RPC == nil || j.RPC.Ended != test.ended || j.RPC.Code != test.code || j.RPC.Own || kind != test.kind || j.RPC.Timeout != 5*time.Second {
				t.Errorf("the record has %+v, %s", j.RPC, kind)
			}
			if got := up.got()[0].head; !strings.Contains(got, "grpc-timeout: 5") && !strings.Contains(got, "grpc-timeout: 4") || strings.Count(got, "grpc-timeout") != 1 {
				t.Errorf("the upstream was told %q", got)
			}
		})
	}
	t.Run("broken between two frames", func(t *testing.T) {
		message := string(webFrame(0, "message"))
		up.replies(chunks(message) + closeAfter)
		a := r.call(t, rpcCallTo("/plain.Service/Do", "application/grpc-web+proto", "12345"))
		if a.err != nil || !strings.HasPrefix(a.body, message) {
			t.Fatalf("got %q %v", a.body, a.err)
		}
		a.body = a.body[len(message):]
		if h := webStatusOf(t, a, false); h.Get("Grpc-Status") != "14" || !strings.Contains(h.Get("Grpc-Message"), "truncated_body") {
			t.Errorf("the last frame says %v", h)
		}
		if j := r.record(t, a); !j.Cut || j.RPC.Code != fault.CodeUnavailable || !j.RPC.Own {
			t.Errorf("the record has %+v", j.RPC)
		}
	})
	t.Run("broken in a frame", func(t *testing.T) {
		up.replies(chunks("\x00\x00\x00\x00\x09mess") + closeAfter)
		a := r.call(t, rpcCallTo("/plain.Service/Do", "application/grpc-web+proto", "12345"))
		if a.err == nil {
			t.Errorf("a frame of ours would be read as the rest of the message: %q", a.body)
		}
	})
}
