package gateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
)

// fold compresses a text.
func fold(tb testing.TB, encoding, text string) string {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		if err != nil {
			tb.Fatal(err)
		}
		w = z
	}
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// level is gzip of a certain level.
func level(tb testing.TB, level int, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// folded is an answer in a content coding.
func folded(tb testing.TB, status int, encoding, text string, fields ...string) string {
	return reply(status, fold(tb, encoding, text), append(fields, "Content-Encoding: "+encoding)...)
}

// foldedEvents is a stream of events in a content coding, each flushed; cut leaves the end out.
func foldedEvents(tb testing.TB, cut bool, list ...string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	out := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
	for i, e := range list {
		if _, err := io.WriteString(w, "data: "+e+"\n\n"); err != nil {
			tb.Fatal(err)
		}
		end := w.Flush
		if i == len(list)-1 && !cut {
			end = w.Close
		}
		if err := end(); err != nil {
			tb.Fatal(err)
		}
		out += fmt.Sprintf("%x\r\n%s\r\n", b.Len(), b.String())
		b.Reset()
	}
	return out
}

const jsonType = "Content-Type: application/json"

func noted(text string) func(*testing.T, *journey.Journey) {
	return func(t *testing.T, j *journey.Journey) {
		for _, n := range j.Notes {
			if strings.Contains(n.Text, text) {
				return
			}
		}
		t.Errorf("no note says %q: %+v", text, j.Notes)
	}
}

func TestModelAnswersInAContentCoding(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	random := make([]byte, 2200<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	long := `{"object":"list","data":["` + hex.EncodeToString(random) + `"],"usage":{"prompt_tokens":5,"total_tokens":5}}`
	bomb := `{"object":"list","data":["` + strings.Repeat("x", 2<<20) + `"],"usage":{"prompt_tokens":5,"total_tokens":5}}`
	longFolded, stored := level(t, gzip.HuffmanOnly, long), level(t, gzip.NoCompression, long)
	limited := `{"error":{"message":"Slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
	rejected := `{"error":{"message":"Incorrect API key provided: ` + providerKey + `.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`
	embeddings := strings.Replace(chat("fast"), "/chat/completions", "/embeddings", 1)
	var table []scenario
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		body := fold(t, encoding, completionBody)
		table = append(table, scenario{
			name: encoding + ", goes out as it came and is counted", request: chat("fast", "Accept-Encoding: "+encoding), answers: []string{folded(t, 200, encoding, completionBody, jsonType)},
			status: 200, calls: 1, has: []string{"Content-Encoding: " + encoding + "\r\n", body}, lacks: []string{"Causeway-Finding"},
			sent: []string{"Accept-Encoding: " + encoding + "\r\n"}, record: used(10, 2, "reported"),
		}, scenario{
			name: encoding + ", a refusal passes as it came and is named", request: chat("fast", "Accept-Encoding: "+encoding), answers: []string{folded(t, 429, encoding, limited, jsonType)},
			status: 429, calls: 1, has: []string{"Content-Encoding: " + encoding + "\r\n", fold(t, encoding, limited), "Causeway-Finding: provider_rate_limited"},
		}, scenario{
			name: encoding + ", a page that is no answer is told", request: chat("fast", "Accept-Encoding: "+encoding), answers: []string{folded(t, 200, encoding, "<html><title>Log in</title>", "Content-Type: text/html")},
			status: 502, calls: 1, has: []string{`"code":"incompatible_response"`, "Log in"}, lacks: []string{"Content-Encoding"},
		})
	}
	r.run(t, up, append(table, []scenario{
		{
			name: "what quotes our key is told without it", request: chat("fast", "Accept-Encoding: gzip"), answers: []string{folded(t, 401, "gzip", rejected, jsonType)},
			status: 502, calls: 1, has: []string{`"code":"provider_key_rejected"`}, lacks: []string{providerKey, "Content-Encoding"},
		},
		{
			name: "a text too long to be held is read beside", request: embeddings, answers: []string{reply(200, longFolded, jsonType, "Content-Encoding: gzip")},
			status: 200, calls: 1, has: []string{longFolded}, record: used(5, 0, "reported"),
		},
		{
			name: "and one whose bytes are too many while it passes", request: embeddings, answers: []string{reply(200, stored, jsonType, "Content-Encoding: gzip")},
			status: 200, calls: 1, has: []string{stored}, record: used(5, 0, "reported"),
		},
		{
			name: "a bomb passes, and only its reading ends", request: embeddings, answers: []string{folded(t, 200, "gzip", bomb, jsonType)},
			status: 200, calls: 1, has: []string{fold(t, "gzip", bomb)}, record: noted("it unfolds to more than is read"),
		},
		{
			name: "a coding that is not known passes unread", request: chat("fast"), answers: []string{reply(200, "????", jsonType, "Content-Encoding: exi")},
			status: 200, calls: 1, has: []string{"Content-Encoding: exi\r\n", "????"}, record: noted("the coding exi"),
		},
		{
			name: "a body that is not in its coding is told, as a client could not read it", request: chat("fast"), answers: []string{reply(200, completionBody, jsonType, "Content-Encoding: gzip")},
			status: 502, calls: 1, has: []string{`"code":"incompatible_response"`, "not in the coding that it names"},
		},
		{
			name: "only codings that can be read are asked for", request: chat("fast", "Accept-Encoding: gzip;q=0.5, exi, dcb, br", "Accept-Encoding: identity;q=0, *"), answers: []string{completion},
			status: 200, calls: 1, sent: []string{"Accept-Encoding: gzip;q=0.5, br, identity;q=0\r\n"},
		},
		{
			name: "and none where none can", request: chat("fast", "Accept-Encoding: exi"), answers: []string{completion},
			status: 200, calls: 1, sent: []string{"Accept-Encoding: identity\r\n"},
		},
		{
			name: "nothing is said where the caller said nothing", request: chat("fast"), answers: []string{completion},
			status: 200, calls: 1, unsent: []string{"Accept-Encoding"},
		},
		{
			name: "a stream is asked for without a coding", request: strings.Replace(streamed("fast"), "\n\n", "\nAccept-Encoding: gzip, br\n\n", 1), answers: []string{events(deltaEvent, finishEvent, doneEvent) + lastChunk},
			status: 200, calls: 1, sent: []string{"Accept-Encoding: identity\r\n"}, unsent: []string{"gzip"},
		},
		{
			name: "one that comes in a coding all the same goes out as its text", request: streamed("fast"), answers: []string{foldedEvents(t, false, deltaEvent, finishEvent, usageEvent, doneEvent) + lastChunk},
			status: 200, calls: 1, has: []string{"data: " + deltaEvent + "\n\n", "data: [DONE]\n\n"}, lacks: []string{"Content-Encoding", usageEvent}, record: used(3, 4, "reported"),
		},
		{
			name: "and ends with an error event where it breaks", request: streamed("fast"), answers: []string{foldedEvents(t, true, deltaEvent) + closeAfter},
			status: 200, calls: 1, has: []string{"data: " + deltaEvent + "\n\n", `"kind":"truncated_body"`}, lacks: []string{"[DONE]"},
		},
		{
			name: "also where its compressed bytes end early", request: streamed("fast"), answers: []string{foldedEvents(t, true, deltaEvent) + lastChunk},
			status: 200, calls: 1, has: []string{"data: " + deltaEvent + "\n\n", `"kind":"malformed_stream"`, "it ends in the middle"}, lacks: []string{"[DONE]"},
		},
		{
			name: "or unfold without end", request: streamed("fast"), answers: []string{foldedEvents(t, false, deltaEvent, strings.Repeat(" ", 2<<20), doneEvent) + lastChunk},
			status: 200, calls: 1, has: []string{"data: " + deltaEvent + "\n\n", `"kind":"malformed_stream"`, "unfolds to more"}, lacks: []string{"[DONE]"},
		},
		{
			name: "before any of it came another try is told so", request: streamed("fast"), answers: []string{strings.Replace(events("x"), "\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n", 1) + lastChunk},
			status: 502, calls: 1, has: []string{`"kind":"malformed_stream"`},
		},
	}...))
}

// TestRESTBodiesInAContentCoding: REST answers pass untouched; what is read in them is their text.
func TestRESTBodiesInAContentCoding(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, `
version: 1
services:
  plain: {access: open, keep_bodies: true, routes: [{path: /plain/*}], upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}}
`, up))
	plainToTLS := "<html><body>The plain HTTP request was sent to HTTPS port</body></html>"
	secret := `{"password":"hunter2hunter2"}`
	r.run(t, up, []scenario{
		{
			name: "untouched", request: get("/plain/a", "Accept-Encoding: br, exi;q=0.1"), answers: []string{folded(t, 200, "br", "hello")},
			status: 200, calls: 1, has: []string{"Content-Encoding: br\r\n", fold(t, "br", "hello")}, sent: []string{"Accept-Encoding: br, exi;q=0.1\r\n"},
			record: func(t *testing.T, j *journey.Journey) {
				if string(j.ResponseBody) != "hello" {
					t.Errorf("the log keeps %q", j.ResponseBody)
				}
			},
		},
		{
			name: "a proxy's page is understood", request: get("/plain/a"), answers: []string{folded(t, 400, "gzip", plainToTLS, "Server: nginx")},
			status: 400, calls: 1, has: []string{"Causeway-Finding: " + string(fault.PlainToTLSPort)},
		},
		{
			name: "no secret is kept behind a coding", request: get("/plain/a"), answers: []string{folded(t, 200, "zstd", secret, jsonType)},
			status: 200, calls: 1, record: func(t *testing.T, j *journey.Journey) {
				if len(j.ResponseBody) == 0 || strings.Contains(string(j.ResponseBody), "hunter2") || !strings.Contains(string(j.ResponseBody), "password") {
					t.Errorf("the log keeps %q", j.ResponseBody)
				}
			},
		},
		{
			name: "nothing is kept of a coding that is not known", request: get("/plain/a"), answers: []string{reply(200, secret, "Content-Encoding: exi")},
			status: 200, calls: 1, has: []string{secret}, record: func(t *testing.T, j *journey.Journey) {
				if len(j.ResponseBody) != 0 {
					t.Errorf("the log keeps %q", j.ResponseBody)
				}
			},
		},
	})
}

// TestTheBeginOfAStreamedBodyIsKept: bodies that are passed on while they come are in the log as well.
func TestTheBeginOfAStreamedBodyIsKept(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, `
version: 1
services:
  all: {access: open, keep_bodies: true, routes: [{path: /all/*}], upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}}
  broken: {access: open, keep_bodies: failures, routes: [{path: /broken/*}], upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}}
  none: {access: open, routes: [{path: /none/*}], upstream: {targets: [{url: "http://UP"}], retries: {max: 0}}}
`, up))
	text := `{"password":"hunter2hunter2","text":"` + strings.Repeat("0123456789", 10_000) + `"}`
	long := func(path string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\nHost: h\nContent-Type: application/json\nContent-Length: %d\n\n%s", path, len(text), text)
	}
	chunked := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n%x\r\n%s\r\n0\r\n\r\n", path, len(body), body)
	}
	kept := func(want string, most int) func(*testing.T, *journey.Journey) {
		return func(t *testing.T, j *journey.Journey) {
			got := string(j.RequestBody)
			if !strings.HasPrefix(got, want) || want == "" && got != "" || len(got) > most || strings.Contains(got, "hunter2") {
				t.Errorf("the log keeps %d bytes: %.100q", len(got), got)
			}
		}
	}
	r.run(t, up, []scenario{
		{name: "a long one", request: long("/all/a"), status: 200, calls: 1, sent: []string{text}, record: kept(`{"password":"`, mostKept+100)},
		{name: "a chunked one", request: chunked("/all/a", "hello there"), status: 200, calls: 1, record: kept("hello there", 11)},
		{name: "a good one where failures are kept", request: chunked("/broken/a", "hello there"), status: 200, calls: 1, record: kept("", 0)},
		{name: "a failed one there", request: chunked("/broken/a", "hello there"), answers: []string{reply(503, "no")}, status: 503, calls: 1, record: kept("hello there", 11)},
		{name: "where nothing is kept", request: long("/none/a"), status: 200, calls: 1, record: kept("", 0)},
	})
}

// TestTextsThatUnfoldToTooMuchAreTold: by whose they are and why, whatever became of the call.
func TestTextsThatUnfoldToTooMuchAreTold(t *testing.T) {
	calls := make(chan Unread, 10)
	up := newOrigin(t)
	r := newRigFull(t, fill(t, modelConfig, up), &memory{}, &sandboxes{}, func(*snapshot.Deps) {}, func(o *Options) {
		o.OnUnread = func(u Unread) { calls <- u }
	})
	bomb := `{"object":"list","data":["` + strings.Repeat("x", 2<<20) + `"]}`
	embeddings := strings.Replace(chat("fast"), "/chat/completions", "/embeddings", 1)
	body := fold(t, "gzip", `{"model":"fast","messages":[{"role":"user","content":"`+strings.Repeat("x", 2<<20)+`"}]}`)
	head, _, _ := strings.Cut(chat("fast", "Content-Encoding: gzip"), "\n\n")
	lines := strings.Split(head, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Content-Length: ") {
			lines[i] = fmt.Sprint("Content-Length: ", len(body))
		}
	}
	for _, c := range []struct {
		s    scenario
		want []Unread
	}{
		{scenario{name: "an answer", request: embeddings, answers: []string{folded(t, 200, "gzip", bomb, jsonType)}, status: 200, calls: 1}, []Unread{{Of: "answer", Provider: "mock", Reason: "ratio", Peer: "http://127.0.0.1:"}}},
		{scenario{name: "an error's body", request: embeddings, answers: []string{folded(t, 400, "gzip", bomb, jsonType)}, status: 502, calls: 1}, []Unread{{Of: "answer", Provider: "mock", Reason: "ratio", Peer: "http://127.0.0.1:"}}},
		{
			scenario{name: "a stream", request: streamed("fast"), answers: []string{foldedEvents(t, false, deltaEvent, strings.Repeat(" ", 2<<20), doneEvent) + lastChunk}, status: 200, calls: 1, has: []string{`"kind":"malformed_stream"`}},
			[]Unread{{Of: "answer", Provider: "mock", Reason: "ratio", Peer: "http://127.0.0.1:"}},
		},
		{scenario{name: "a request", request: strings.Join(lines, "\n") + "\n\n" + body, status: 413, has: []string{"body_too_large"}}, []Unread{{Of: "request", Reason: "ratio", Peer: "127.0.0.1"}}},
		{scenario{name: "one that is cut is another matter", request: streamed("fast"), answers: []string{foldedEvents(t, true, deltaEvent) + lastChunk}, status: 200, calls: 1, has: []string{`"kind":"malformed_stream"`}}, nil},
	} {
		r.run(t, up, []scenario{c.s})
		var told []Unread
		for len(calls) > 0 {
			told = append(told, <-calls)
		}
		if len(told) != len(c.want) {
			t.Errorf("%s: told of %+v, want %+v", c.s.name, told, c.want)
			continue
		}
		for i, want := range c.want {
			got := told[i]
			if !strings.Contains(got.Why, "unfolds to more than is read") || !strings.HasPrefix(got.Peer, want.Peer) {
				t.Errorf("%s: told of %+v", c.s.name, got)
			}
			if got.Why, got.Peer = "", want.Peer; got != want {
				t.Errorf("%s: told of %+v, want %+v", c.s.name, got, want)
			}
		}
	}
}
