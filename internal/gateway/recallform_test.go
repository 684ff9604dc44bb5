package gateway

import (
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/openai"
	"causeway/internal/snapshot"
)

// toolAnswer is an answer of a model that calls a tool, and says something before.
const toolAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Let me \"look\".","tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"at\":[1,2]}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`

func TestAnAnswerThatWasKeptInTheOtherForm(t *testing.T) {
	up := newOrigin(t)
	all := []llm.Dialect{openai.New(), anthropic.New(), gemini.New()}
	r := newRigWith(t, fill(t, modelCacheConfig, up), func(d *snapshot.Deps) { d.Dialects = all })
	for _, c := range []struct {
		name          string
		whole, stream string // the call, without and with a stream
		answer        string // of the provider's, OpenAI's chat
		streamHas     []string
		wholeHas      []string
	}{
		{
			"chat", asks("kept", "", appKey), asks("kept", `,"stream":true,"stream_options":{"include_usage":true}`, appKey), completionBody,
			[]string{`"content":"hi"`, `"finish_reason":"stop"`, `"completion_tokens":2`, "data: [DONE]\n\n"},
			[]string{`"content":"hi"`, `"finish_reason":"stop"`, `"completion_tokens":2`},
		},
		{
			"chat with a tool", asks("kept", `,"a":1`, appKey), asks("kept", `,"a":1,"stream":true,"stream_options":{"include_usage":true}`, appKey), toolAnswer,
			[]string{`"content":"Let me \"look\"."`, `"call_1"`, `{\"at\":[1,2]}`, `"finish_reason":"tool_calls"`, "data: [DONE]\n\n"},
			[]string{`"content":"Let me \"look\"."`, `"call_1"`, `{\"at\":[1,2]}`, `"tool_calls"`},
		},
		{
			"messages", messages(`"stream":false,`), messages(`"stream":true,`), toolAnswer,
			[]string{`event: content_block_start`, `"call_1"`, `{\"at\":[1,2]}`, `"stop_reason":"tool_use"`, "event: message_stop\n"},
			[]string{`"type":"tool_use"`, `"at":[1,2]`, `"stop_reason":"tool_use"`},
		},
	} {
		t.Run(c.name+", kept whole", func(t *testing.T) {
			up.acts(func(int, *got) string { return reply(200, c.answer, "Content-Type: application/json") })
			if a := r.call(t, c.whole); a.status != 200 || !strings.Contains(a.header.Get("Cache-Status"), "stored") {
				t.Fatal(a.whole())
			}
			a := r.call(t, c.stream)
			if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || !strings.Contains(a.header.Get("Cache-Status"), "hit") {
				t.Fatal(a.whole())
			}
			for _, want := range c.streamHas {
				if !strings.Contains(a.body, want) {
					t.Errorf("no %s in %s", want, a.body)
				}
			}
			if n := len(up.got()); n != 1 {
				t.Errorf("%d calls reached the provider", n)
			}
			// The stream is made into a whole answer by a gateway that has only that.
			other := newRigWith(t, fill(t, modelCacheConfig, up), func(d *snapshot.Deps) { d.Dialects = all })
			up.acts(func(int, *got) string { return toStream(c.answer) })
			if a := other.call(t, c.stream); a.status != 200 || !strings.HasPrefix(other.record(t, a).Cache, "stored") {
				t.Fatal(other.record(t, a).Cache, a.whole())
			}
			a = other.call(t, c.whole)
			if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || !strings.Contains(a.header.Get("Cache-Status"), "hit") {
				t.Fatal(a.whole())
			}
			for _, want := range c.wholeHas {
				if !strings.Contains(a.body, want) {
					t.Errorf("no %s in %s", want, a.body)
				}
			}
		})
	}
	// What a stream can't tell is asked for anew.
	logprobs := strings.Replace(completionBody, `"finish_reason":"stop"`, `"finish_reason":"stop","strange":{"x":1}`, 1)
	up.acts(func(int, *got) string { return reply(200, logprobs, "Content-Type: application/json") })
	r.call(t, asks("kept", `,"a":9`, appKey))
	up.acts(func(int, *got) string { return toStream(completionBody) })
	if a := r.call(t, asks("kept", `,"a":9,"stream":true`, appKey)); strings.Contains(a.header.Get("Cache-Status"), "hit") || len(up.got()) != 1 {
		t.Error(a.whole())
	}
}

// toStream is an OpenAI answer as its provider streams it.
func toStream(answer string) string {
	if answer == toolAnswer {
		return events(
			strings.Replace(deltaEvent, `"hi"`, `"Let me \"look\"."`, 1),
			strings.Replace(deltaEvent, `{"content":"hi"}`, `{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"at\":[1,2]}"}}]}`, 1),
			strings.Replace(finishEvent, "stop", "tool_calls", 1), strings.Replace(usageEvent, `"completion_tokens":4`, `"completion_tokens":2`, 1), doneEvent) + lastChunk
	}
	return events(deltaEvent, finishEvent, strings.Replace(usageEvent, `"completion_tokens":4`, `"completion_tokens":2`, 1), doneEvent) + lastChunk
}

func messages(rest string) string {
	body := `{"model":"kept",` + rest + `"max_tokens":100,"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"look","input_schema":{"type":"object"}}]}`
	return strings.Replace(chatBody(body), "/v1/chat/completions", "/v1/messages", 1)
}
