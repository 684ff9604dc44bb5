package faulty

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"causeway/internal/fault"
)

// streamFaults are streamed chat completions (server-sent events in the OpenAI dialect) that break.
// Params.After is how many tokens come first, Params.Interval the pause between them.
func streamFaults() []Fault {
	breaks := func(name, row string, kind fault.Kind, about string, script ...step) Fault {
		return Fault{
			Name: name, Kind: kind, Row: row, About: about, LLM: true,
			Needs: Needs{Stream: true}, Defaults: Params{After: 5}, start: tcp(append([]step{request}, script...)...),
		}
	}
	also := func(f Fault, kinds ...fault.Kind) Fault {
		f.Also = kinds
		return f
	}
	broken := apiError{Type: "server_error", Code: "server_error", Message: "The server had an error processing your request."}
	busy := apiError{Type: "server_error", Code: "server_is_overloaded", Message: "The engine is currently overloaded."}
	const openHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
	return []Fault{
		breaks("stream_cut_clean", "42", fault.TruncatedStream,
			"chunked and properly ended, but without finish_reason and [DONE]",
			send(streamHead), speakTokens(chunk), send(lastChunk), fin),
		breaks("stream_cut_fin", "42", fault.TruncatedStream,
			"a stream that ends with its connection: FIN after some tokens looks like a good end to HTTP",
			send(openHead), speakTokens(plainly), fin),
		breaks("stream_cut_mid_event", "42", fault.TruncatedStream,
			"FIN inside an event of a stream that ends with its connection",
			send(openHead), speakTokens(plainly), send(`data: {"id":"chatcmpl-faulty","obj`), fin),
		also(breaks("stream_cut_chunk", "42", fault.TruncatedBody,
			"chunked, then FIN without the last chunk", send(streamHead), speakTokens(chunk), fin), fault.TruncatedStream),
		also(breaks("stream_cut_rst", "42", fault.ResetMidBody,
			"chunked, then RST", send(streamHead), speakTokens(chunk), settle, rst), fault.TruncatedStream),
		also(breaks("stream_no_done", "42", fault.TruncatedStream,
			"finish_reason came, [DONE] did not; chunked and properly ended",
			send(streamHead), speakTokens(chunk), send(chunks(finished)+lastChunk), fin), ""),
		also(breaks("stream_error_first", "43", fault.StreamError,
			"the first event is an error", send(streamHead), send(chunks(broken.event())+lastChunk), fin), fault.ProviderError),
		also(breaks("stream_error_later", "43", fault.StreamError,
			"an error event after some tokens", send(streamHead), speakTokens(chunk), send(chunks(broken.event())+lastChunk), fin), fault.ProviderError),
		also(breaks("stream_overloaded", "43", fault.Overloaded,
			"the first event is an error that says overloaded", send(streamHead), send(chunks(busy.event())+lastChunk), fin), fault.StreamError),
		breaks("stream_malformed", "44", fault.MalformedStream,
			"an event that is not JSON, after some tokens",
			send(streamHead), speakTokens(chunk), send(chunks("data: {\"id\":\"chatcmpl-faulty\",choices:[}\n\n", done)+lastChunk), fin),
		also(breaks("stream_html", "44", fault.MalformedStream,
			"a page instead of a stream, under the stream's content type",
			send(streamHead), send(chunks("<html><head><title>Sign in</title></head><body>Sign in</body></html>\n")+lastChunk), fin), fault.IncompatibleResponse),
		breaks("stream_html_typed", "76", fault.IncompatibleResponse,
			"a page instead of a stream, and it says so",
			send(text(200, "<html><head><title>Sign in</title></head><body>Sign in</body></html>\n", html, "Connection: close")), fin),
		breaks("stream_stall", "36", fault.IdleTimeout,
			"some tokens, then nothing", send(streamHead), speakTokens(chunk), silence),
		{
			Name: "stream_slow", Kind: fault.TotalTimeout, Also: []fault.Kind{""}, Row: "37", LLM: true, Needs: Needs{Stream: true},
			Defaults: Params{After: 3000, Interval: 100 * time.Millisecond},
			About:    "After tokens, Interval apart, and a proper end: a failure only where a limit is shorter",
			start:    tcp(request, send(streamHead), speakTokens(chunk), send(chunks(finished, done)+lastChunk), fin),
		},
		{
			Name: "stream", Status: 200, LLM: true, Needs: Needs{Stream: true}, Defaults: Params{After: 5},
			About: "After tokens, finish_reason, usage, [DONE]: a healthy stream",
			start: tcp(loop(request, send(streamHead), speakTokens(chunk), send(chunks(finished, usage, done)+lastChunk))),
		},
	}
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" +
	"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"

const (
	done     = "data: [DONE]\n\n"
	finished = `data: {"id":"chatcmpl-faulty","object":"chat.completion.chunk","created":1700000000,"model":"gpt-test",` +
		`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}` + "\n\n"
	usage = `data: {"id":"chatcmpl-faulty","object":"chat.completion.chunk","created":1700000000,"model":"gpt-test",` +
		`"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}` + "\n\n"
)

// token is the event of one piece of content; the first of an answer brings the role.
func token(first bool, content string) string {
	role := ""
	if first {
		role = `"role":"assistant",`
	}
	quoted, _ := json.Marshal(content) // a string always marshals
	return fmt.Sprintf(`data: {"id":"chatcmpl-faulty","object":"chat.completion.chunk","created":1700000000,"model":"gpt-test",`+
		`"choices":[{"index":0,"delta":{%s"content":%s},"logprobs":null,"finish_reason":null}]}`+"\n\n", role, quoted)
}

// event is the error as an event of a stream.
func (e apiError) event() string { return "data: " + e.body() + "\n\n" }

// chunks frames each event as a chunk of its own.
func chunks(events ...string) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(chunk(e))
	}
	return b.String()
}

func plainly(s string) string { return s }

// speakTokens sends Params.After tokens, each framed and written by itself.
func speakTokens(frame func(string) string) step {
	return func(c *peer) error {
		for i := range c.p.After {
			if err := c.put(frame(token(i == 0, fmt.Sprintf(" %d", i+1)))); err != nil {
				return err
			}
			if !c.site.wait(c.p.Interval) {
				return errEnd
			}
		}
		return nil
	}
}
