package gateway

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// realtimeRequest asks for a realtime WebSocket; lines are added to its head.
func realtimeRequest(query string, lines ...string) string {
	return get("/v1/realtime"+query, append([]string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, lines...)...)
}

func TestRealtimeIsRefusedBeforeItsUpgrade(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	bearer := "Authorization: Bearer " + key
	limited := `{"error":{"message":"Slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
	r.run(t, up, []scenario{
		{name: "no key", request: realtimeRequest("?model=fast"), status: 401, has: []string{`{"error":{`, `"code":"invalid_api_key"`}},
		{
			name: "a key that is not known, as a browser sends it", request: realtimeRequest("?model=fast", "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.unknown-0123456789abcdef"),
			status: 401, has: []string{`"kind":"key_unknown"`}, lacks: []string{"unknown-0123456789"},
		},
		{name: "no model", request: realtimeRequest("?intent=transcription", bearer), status: 400, has: []string{`"param":"model"`, "?model=MODEL"}},
		{name: "no query", request: realtimeRequest("", bearer), status: 400, has: []string{`"param":"model"`}},
		{name: "two models", request: realtimeRequest("?model=fast&mod%65l=gone/x", bearer), status: 400, has: []string{"more than once"}},
		{name: "a name that only some take for it", request: realtimeRequest("?Model=fast", bearer), status: 400},
		{name: "a model that is not there", request: realtimeRequest("?model=fats", bearer), status: 404, has: []string{`"code":"model_not_found"`, "fast"}},
		{name: "no WebSocket", request: get("/v1/realtime?model=fast", bearer), status: 400, has: []string{`{"error":{`, "Upgrade: websocket"}},
		{name: "another method", request: strings.Replace(realtimeRequest("?model=fast", bearer), "GET", "DELETE", 1), status: 405, has: []string{"Allow: GET\r\n", `{"error":{`}},
		{name: "a part of it that is not served", request: strings.Replace(get("/v1/realtime/sessions", bearer), "GET", "POST", 1), status: 404, has: []string{`{"error":{`}},
		{
			name: "by the provider", request: realtimeRequest("?model=fast", bearer), answers: []string{reply(429, limited, jsonType)},
			status: 429, calls: 1, has: []string{limited, "Causeway-Finding: provider_rate_limited"},
		},
		{
			name: "by the provider, about our key", request: realtimeRequest("?model=fast", bearer), answers: []string{reply(401, `{"error":{"message":"bad key `+providerKey+`","type":"x","param":null,"code":"invalid_api_key"}}`, jsonType)},
			status: 502, calls: 1, has: []string{`"code":"provider_key_rejected"`}, lacks: []string{providerKey},
		},
		{
			name: "by a server that does not know the upgrade", request: realtimeRequest("?model=fast", bearer), answers: []string{reply(200, "<html>")},
			status: 502, calls: 1, has: []string{`"code":"upgrade_failed"`},
		},
		{
			name: "by one that switches to something else", request: realtimeRequest("?model=fast", bearer), answers: []string{"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: smoke\r\n\r\n" + closeAfter},
			status: 502, calls: 1, has: []string{`"code":"upgrade_failed"`, `switched to \"smoke\"`},
		},
		{
			name: "by nobody who is there", request: realtimeRequest("?model=gone/x", bearer),
			status: 502, has: []string{`"code":"connection_refused"`},
		},
	})
}

// TestRealtimeGoesToItsProvider: what the provider is sent, and what is left of the caller's key.
func TestRealtimeGoesToItsProvider(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: realtime\r\n\r\n"
	hello := "\x81\x02hi"
	for name, c := range map[string]struct {
		request string
		sent    []string
	}{
		"as programs call": {
			realtimeRequest("?intent=x&model=fast&v=1", "Authorization: Bearer "+key, "OpenAI-Beta: realtime=v1", "Accept-Encoding: gzip"),
			[]string{"GET /v1/realtime?intent=x&model=gpt-4o-mini&v=1 HTTP/1.1\r\n", "OpenAI-Beta: realtime=v1\r\n"},
		},
		"as browsers call": {
			realtimeRequest("?model=fast", "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key."+key+", openai-beta.realtime-v1"),
			[]string{"GET /v1/realtime?model=gpt-4o-mini HTTP/1.1\r\n", "Sec-WebSocket-Protocol: realtime, openai-beta.realtime-v1\r\n"},
		},
		"with nothing else offered": {
			realtimeRequest("?model=mock%2Fa%20b", "Sec-WebSocket-Protocol: openai-insecure-api-key."+key),
			[]string{"GET /v1/realtime?model=a+b HTTP/1.1\r\n"},
		},
		"with the provider's own name": {realtimeRequest("?model=mock/x", "x-api-key: "+key), []string{"GET /v1/realtime?model=x HTTP/1.1\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			up.replies(switched + hello + "\x88\x06\x03\xf3oops" + closeAfter)
			caller := dial(t, r.addr)
			caller.send(t, c.request)
			all, _ := io.ReadAll(caller.r)
			if !strings.HasPrefix(string(all), "HTTP/1.1 101 ") || !strings.Contains(string(all), "Sec-WebSocket-Protocol: realtime\r\n") || !strings.HasSuffix(string(all), hello+"\x88\x06\x03\xf3oops") {
				t.Errorf("the caller got %q", all)
			}
			sent := up.got()[0].head
			for _, want := range append(c.sent, "Authorization: Bearer "+providerKey+"\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") {
				if !strings.Contains(sent, want) {
					t.Errorf("the provider did not get %q:\n%s", want, sent)
				}
			}
			for _, not := range []string{key, "insecure"} {
				if strings.Contains(sent, not) {
					t.Errorf("the provider got %q:\n%s", not, sent)
				}
			}
			_, rest, _ := strings.Cut(string(all), "Causeway-Call-Id: ")
			id, ok := journey.ParseID(rest[:min(26, len(rest))])
			if !ok {
				t.Fatal("the answer has no call id")
			}
			var j *journey.Journey
			eventually(t, "the call in the log", func() bool {
				got, err := r.ledger.Get(t.Context(), id)
				j = &got
				return err == nil
			})
			tunnel := j.Attempts[0].Tunnel
			if kindOf(j) != fault.WebSocketUpstreamError || !j.Finding.Passed || j.Status != 101 || tunnel == nil || tunnel.Upstream.Code != 1011 || tunnel.MessagesDown != 1 || j.Provider != "mock" {
				t.Errorf("the record: %+v, %+v", j, tunnel)
			}
			if text := j.Finding.Detail + strings.Join(j.Finding.Evidence, "\n") + r.log.String(); strings.Contains(text, key) || strings.Contains(text, providerKey) {
				t.Errorf("a key is told: %s", text)
			}
		})
	}
}

func TestQueryModel(t *testing.T) {
	for query, want := range map[string]struct {
		model string
		at    string
		n     int
	}{
		"model=a":            {"a", "a", 1},
		"x=1&model=a%2Fb&y":  {"a/b", "a%2Fb", 1},
		"model":              {"", "", 1},
		"model=":             {"", "", 1},
		"model=a&model=b":    {"b", "b", 2},
		"MODEL=a":            {"", "a", 1},
		"model=a&%6dodel=b":  {"b", "b", 2},
		"models=a&xmodel=b&": {"", "", 0},
		"model=%zz":          {"", "%zz", 1},
		"model=a+b":          {"a b", "a+b", 1},
		"":                   {"", "", 0},
	} {
		model, at, n := queryModel([]byte(query))
		if model != want.model || query[at.From:at.To] != want.at || n != want.n {
			t.Errorf("%q: %q at %q, %d times; want %+v", query, model, query[at.From:at.To], n, want)
		}
	}
}

func TestWithoutKey(t *testing.T) {
	for value, want := range map[string]string{
		"realtime, openai-insecure-api-key.K, b": "realtime, b", "openai-insecure-api-key.K": "", "realtime,b": "realtime,b",
		"openai-insecure-api-key.K,openai-insecure-api-key.L , a": "a",
	} {
		if got := withoutKey([]byte(value)); string(got) != want {
			t.Errorf("%q became %q, want %q", value, got, want)
		}
	}
}

// TestRealtimeUsage: what the provider says in a session that its answers used is counted, in whichever frames it comes.
func TestRealtimeUsage(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, modelConfig, up))
	frame := func(head byte, text string) string {
		return string([]byte{head, 126, byte(len(text) >> 8), byte(len(text))}) + text
	}
	done := func(in, cached, audioIn, out, audioOut int) string {
		return fmt.Sprintf(`{"type":"response.done","event_id":"e","response":{"id":"r","output":[{"type":"message"}],"usage":{"total_tokens":%d,"input_tokens":%d,"output_tokens":%d,"input_token_details":{"cached_tokens":%d,"text_tokens":1,"audio_tokens":%d},"output_token_details":{"text_tokens":1,"audio_tokens":%d}}}}`,
			in+out, in, out, cached, audioIn, audioOut)
	}
	second := done(30, 20, 5, 7, 3)
	up.replies("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" +
		frame(0x81, `{"type":"session.created","usage":{"input_tokens":1000}}`) +
		frame(0x81, done(10, 0, 4, 20, 15)) +
		frame(0x81, `{"type":"response.output_text.delta","delta":"response.done \"usage\""}`) +
		frame(0x01, second[:60]) + "\x89\x02hi" + frame(0x80, second[60:]) + // in two frames, with a ping between them
		frame(0xc1, done(1000, 0, 0, 0, 0)) + // one that says it is compressed
		frame(0x82, done(1000, 0, 0, 0, 0)) + // no text
		"\x88\x02\x03\xe8" + closeAfter)
	caller := dial(t, r.addr)
	caller.send(t, realtimeRequest("?model=fast", "Authorization: Bearer "+key, "Sec-WebSocket-Extensions: permessage-deflate"))
	all, _ := io.ReadAll(caller.r)
	if !strings.Contains(string(all), second[60:]) {
		t.Errorf("the caller got %q", all)
	}
	if sent := up.got()[0].head; strings.Contains(sent, "permessage-deflate") {
		t.Errorf("what it used could not be read in compressed messages:\n%s", sent)
	}
	j := r.last(t, "/v1/realtime")
	u := j.Usage
	if u.Source != "reported" || u.Input != 40 || u.Output != 27 || u.Cached != 20 || u.Extra == nil || u.Extra.AudioIn != 9 || u.Extra.AudioOut != 18 {
		t.Errorf("the usage: %+v, %+v", u, u.Extra)
	}
}
