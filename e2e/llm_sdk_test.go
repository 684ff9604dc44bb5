package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The official openai package, unmodified, as programs use it. One Node process walks the rows of a
// test (sdk/rows.mjs) and prints what a program would get.

// sdkRow is one thing that a program does.
type sdkRow struct {
	Name    string         `json:"name"`
	Base    string         `json:"base"`
	Key     string         `json:"key"`
	Do      string         `json:"do"`
	Params  map[string]any `json:"params"`
	Retries int            `json:"retries"`

	check func(t *testing.T, got sdkResult)
}

// sdkResult is what came of it.
type sdkResult struct {
	Name      string           `json:"name"`
	OK        bool             `json:"ok"`
	Value     json.RawMessage  `json:"value"`
	Text      string           `json:"text"`
	Chunks    int              `json:"chunks"`
	Tool      string           `json:"tool"`
	Arguments string           `json:"arguments"`
	Finish    string           `json:"finish"`
	Usage     map[string]any   `json:"usage"`
	Called    []map[string]any `json:"called"`
	Messages  int              `json:"messages"`
	Events    []string         `json:"events"`
	Lengths   []int            `json:"lengths"`
	IDs       []string         `json:"ids"`
	Error     struct {
		Classes []string `json:"classes"`
		Status  int      `json:"status"`
		Message string   `json:"message"`
		Code    string   `json:"code"`
		Type    string   `json:"type"`
		Param   string   `json:"param"`
		Kind    string   `json:"kind"`
		CallID  string   `json:"callID"` // in the error
		Header  string   `json:"header"` // in the answer's header
	} `json:"error"`
}

// runSDK walks the rows and runs each row's check.
func runSDK(t *testing.T, rows []sdkRow) {
	t.Helper()
	node := needs(t, "node")
	if _, err := os.Stat("sdk/node_modules/openai"); err != nil {
		t.Fatalf("the openai package is not installed (run npm ci in e2e/sdk): %v", err)
	}
	input, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	r := command(t, string(input), node, "sdk/rows.mjs")
	if r.code != 0 {
		t.Fatalf("node: exit code %d\n%s", r.code, r.err)
	}
	want(t, "what node prints on standard error", r.err, "")
	var results []sdkResult
	decode(t, []byte(r.out), &results)
	want(t, "results", len(results), len(rows))
	for i, row := range rows {
		t.Run(row.Name, func(t *testing.T) { row.check(t, results[i]) })
	}
}

func ask(model, prompt string, more ...any) map[string]any {
	p := map[string]any{"model": model, "messages": []map[string]string{{"role": "user", "content": prompt}}}
	for i := 0; i+1 < len(more); i += 2 {
		p[more[i].(string)] = more[i+1]
	}
	return p
}

func good(check func(t *testing.T, got sdkResult)) func(*testing.T, sdkResult) {
	return func(t *testing.T, got sdkResult) {
		if !got.OK {
			t.Fatalf("it failed: %+v", got.Error)
		}
		check(t, got)
	}
}

// raises wants an exception of that class, with what a program needs to know in its message.
func raises(class string, status int, kind string, more ...func(*testing.T, sdkResult)) func(*testing.T, sdkResult) {
	return func(t *testing.T, got sdkResult) {
		if got.OK {
			t.Fatalf("nothing was raised: %+v", got)
		}
		e := got.Error
		if !slices.Contains(e.Classes, class) {
			t.Errorf("raised %v, want %s: %s", e.Classes, class, e.Message)
		}
		want(t, "status", e.Status, status)
		want(t, "kind", e.Kind, kind)
		want(t, "call id's length", len(e.CallID), 26)
		want(t, "the header's call id", e.Header, e.CallID)
		contains(t, "the message", e.Message, "["+kind+", "+e.CallID+"]")
		for _, check := range more {
			check(t, got)
		}
	}
}

func TestSDK(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	key := g.sandboxKey(t)
	const prompt = "Grüße, who is \"there\"? 😀"
	said := func(t *testing.T, got sdkResult) {
		var c completionJSON
		decode(t, got.Value, &c)
		if len(c.Choices) != 1 {
			t.Fatalf("%d choices", len(c.Choices))
		}
		want(t, "content", c.Choices[0].Message.Content, prompt)
		want(t, "finish reason", c.Choices[0].FinishReason, "stop")
	}
	streamed := func(t *testing.T, got sdkResult) {
		want(t, "text", got.Text, prompt)
		want(t, "finish reason", got.Finish, "stop")
		if got.Chunks < 4 {
			t.Errorf("the answer came in %d chunks", got.Chunks)
		}
	}
	weather := map[string]any{
		"type": "function",
		"function": map[string]any{"name": "weather", "parameters": map[string]any{
			"type": "object", "required": []string{"city"}, "properties": map[string]any{"city": map[string]any{"type": "string", "enum": []string{"Oslo"}}},
		}},
	}
	usage := map[string]any{"include_usage": true}
	broke := func(t *testing.T, got sdkResult) {
		want(t, "finish reason of a stream that broke", got.Finish, "")
	}
	rows := []sdkRow{
		{Name: "chat", Do: "chat", Params: ask("sandbox/echo", prompt), check: good(said)},
		{Name: "stream", Do: "stream", Params: ask("sandbox/echo", prompt), check: good(func(t *testing.T, got sdkResult) {
			streamed(t, got)
			want(t, "usage that nobody asked for", len(got.Usage), 0)
		})},
		{Name: "stream with usage", Do: "stream", Params: ask("sandbox/echo", prompt, "stream_options", usage), check: good(func(t *testing.T, got sdkResult) {
			streamed(t, got)
			if got.Usage["completion_tokens"] == nil || got.Usage["total_tokens"] == 0.0 {
				t.Errorf("usage is %v", got.Usage)
			}
		})},
		{Name: "stream, collected", Do: "collected", Params: ask("sandbox/echo", prompt), check: good(said)},
		{Name: "tools", Do: "chat", Params: ask("sandbox/tools", prompt, "tools", []any{weather}), check: good(func(t *testing.T, got sdkResult) {
			var c completionJSON
			decode(t, got.Value, &c)
			want(t, "finish reason", c.Choices[0].FinishReason, "tool_calls")
			want(t, "function", c.Choices[0].Message.ToolCalls[0].Function.Name, "weather")
			want(t, "arguments", c.Choices[0].Message.ToolCalls[0].Function.Arguments, `{"city":"Oslo"}`)
		})},
		{Name: "tools, streamed", Do: "stream", Params: ask("sandbox/tools", prompt, "tools", []any{weather}), check: good(func(t *testing.T, got sdkResult) {
			want(t, "finish reason", got.Finish, "tool_calls")
			want(t, "function", got.Tool, "weather")
			want(t, "arguments", got.Arguments, `{"city":"Oslo"}`)
		})},
		{Name: "tool runner", Do: "tools", Params: ask("sandbox/tools", prompt), check: good(ranTool)},
		{Name: "tool runner, streamed", Do: "tools", Params: ask("sandbox/tools", prompt, "stream", true), check: good(ranTool)},
		{Name: "completions", Do: "completions", Params: map[string]any{"model": "sandbox/echo", "prompt": prompt}, check: good(func(t *testing.T, got sdkResult) {
			contains(t, "the answer", string(got.Value), `"text":"Grüße`)
		})},
		{Name: "responses", Do: "responses", Params: map[string]any{"model": "sandbox/echo", "input": prompt}, check: good(func(t *testing.T, got sdkResult) {
			want(t, "text", got.Text, prompt)
		})},
		{Name: "responses, streamed", Do: "responsesStream", Params: map[string]any{"model": "sandbox/echo", "input": prompt}, check: good(func(t *testing.T, got sdkResult) {
			want(t, "text", got.Text, prompt)
			want(t, "the last event", got.Events[len(got.Events)-1], "response.completed")
		})},
		{Name: "embeddings", Do: "embeddings", Params: map[string]any{"model": "sandbox/echo", "input": []string{"a", "b"}, "dimensions": 8}, check: good(func(t *testing.T, got sdkResult) {
			if !slices.Equal(got.Lengths, []int{8, 8}) {
				t.Errorf("lengths %v", got.Lengths)
			}
		})},
		{Name: "moderations", Do: "moderations", Params: map[string]any{"model": "sandbox/echo", "input": "harmless"}, check: good(func(t *testing.T, got sdkResult) {
			contains(t, "the answer", string(got.Value), `"flagged":false`)
		})},
		{Name: "models", Do: "models", check: good(func(t *testing.T, got sdkResult) {
			want(t, "models", strings.Join(got.IDs, " "), "sandbox/echo sandbox/tools")
		})},
		{Name: "one model", Do: "model", Params: map[string]any{"model": "sandbox/echo"}, check: good(func(t *testing.T, got sdkResult) {
			contains(t, "the model", string(got.Value), `"id":"sandbox/echo"`, `"owned_by":"sandbox"`)
		})},

		{Name: "wrong key", Key: "sk-wrong-0123456789", Do: "chat", Params: ask("sandbox/echo", prompt), check: raises("AuthenticationError", 401, "key_unknown", func(t *testing.T, got sdkResult) {
			want(t, "code", got.Error.Code, "invalid_api_key")
		})},
		{Name: "wrong key, streamed", Key: "sk-wrong-0123456789", Do: "stream", Params: ask("sandbox/echo", prompt), check: raises("AuthenticationError", 401, "key_unknown")},
		{Name: "no subscription", Do: "chat", Params: ask("other/model", prompt), check: raises("NotFoundError", 404, "model_not_found", func(t *testing.T, got sdkResult) {
			want(t, "param", got.Error.Param, "model")
			contains(t, "the message", got.Error.Message, `No provider is named "other"`)
		})},
		{Name: "unknown model", Do: "chat", Params: ask("sandbox-echo", prompt), check: raises("NotFoundError", 404, "model_not_found", func(t *testing.T, got sdkResult) {
			contains(t, "the message", got.Error.Message, "Did you mean sandbox/echo")
		})},
		{Name: "bad request", Do: "chat", Params: map[string]any{"messages": []any{}}, check: raises("BadRequestError", 400, "bad_request", func(t *testing.T, got sdkResult) {
			want(t, "param", got.Error.Param, "model")
		})},
		{Name: "the sandbox refuses a parameter", Do: "chat", Params: ask("sandbox/echo", prompt, "max_tokens", 0), check: passes("BadRequestError", 400, "parameter_rejected")},
		{Name: "429 of ours", Do: "chat", Params: ask("sandbox/fault-rate_limited", prompt), check: raises("RateLimitError", 429, "rate_limited")},
		{Name: "429 of the provider", Do: "chat", Params: ask("sandbox/fault-provider_rate_limited", prompt), check: passes("RateLimitError", 429, "provider_rate_limited")},
		{Name: "no credit left", Do: "chat", Params: ask("sandbox/fault-quota_exhausted", prompt), check: passes("RateLimitError", 429, "quota_exhausted")},
		{Name: "500 of the provider", Do: "chat", Params: ask("sandbox/fault-provider_error", prompt), check: passes("InternalServerError", 500, "provider_error")},
		{Name: "the provider's key", Do: "chat", Params: ask("sandbox/fault-provider_key_rejected", prompt), check: raises("InternalServerError", 502, "provider_key_rejected")},
		{Name: "refused", Do: "chat", Params: ask("sandbox/fault-connection_refused", prompt), check: raises("InternalServerError", 502, "connection_refused")},
		{Name: "refused, streamed", Do: "stream", Params: ask("sandbox/fault-connection_refused", prompt), check: raises("InternalServerError", 502, "connection_refused")},
		{Name: "too slow", Do: "chat", Params: ask("sandbox/fault-first_byte_timeout", prompt), check: raises("InternalServerError", 504, "first_byte_timeout")},
		{Name: "overloaded gateway", Do: "chat", Params: ask("sandbox/fault-gateway_overloaded", prompt), check: raises("InternalServerError", 503, "gateway_overloaded")},
		{Name: "no subscription to a model", Do: "chat", Params: ask("sandbox/fault-not_subscribed", prompt), check: raises("PermissionDeniedError", 403, "not_subscribed")},

		{Name: "a stream that is cut", Do: "stream", Params: ask("sandbox/fault-truncated_stream", prompt), check: raises("APIError", 0, "truncated_stream", broke, func(t *testing.T, got sdkResult) {
			want(t, "what had come", got.Text, " 1 2 3 4 5")
		})},
		{Name: "a stream that is cut, collected", Do: "collected", Params: ask("sandbox/fault-truncated_stream", prompt), check: raises("APIError", 0, "truncated_stream")},
		{Name: "a stream that turns into rubbish", Do: "stream", Params: ask("sandbox/fault-malformed_stream", prompt), check: raises("APIError", 0, "malformed_stream", broke)},
		{Name: "a stream that begins with an error", Do: "stream", Params: ask("sandbox/fault-stream_error", prompt), check: raises("InternalServerError", 502, "stream_error", broke)},
		{Name: "a tool runner whose stream is cut", Do: "tools", Params: ask("sandbox/fault-truncated_stream", prompt, "stream", true), check: raises("APIError", 0, "truncated_stream")},
	}
	for i := range rows {
		rows[i].Base = g.URL + "/v1"
		if rows[i].Key == "" {
			rows[i].Key = key
		}
	}
	runSDK(t, rows)
}

func ranTool(t *testing.T, got sdkResult) {
	want(t, "calls of the function", len(got.Called), 1)
	want(t, "its argument", got.Called[0]["city"], any("Oslo"))
	want(t, "the last answer", got.Text, "sunny in Oslo")
	want(t, "messages", got.Messages, 4)
}

// passes wants a provider's own error: its body as it came, and what we read in it in the header.
func passes(class string, status int, kind string) func(*testing.T, sdkResult) {
	return func(t *testing.T, got sdkResult) {
		if got.OK {
			t.Fatalf("nothing was raised: %+v", got)
		}
		e := got.Error
		if !slices.Contains(e.Classes, class) {
			t.Errorf("raised %v, want %s: %s", e.Classes, class, e.Message)
		}
		want(t, "status", e.Status, status)
		want(t, "kind", e.Kind, kind)
		want(t, "call id's length", len(e.Header), 26)
		want(t, "our call id in a body of the provider's", e.CallID, "")
	}
}

// The SDK repeats a failed call twice unless x-should-retry says otherwise. What cannot help must
// not be repeated, and what never reached a provider may be.
func TestSDKRepeatsOnlyWhatHelps(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	var rows []sdkRow
	for _, c := range []struct {
		kind  string
		calls int
	}{
		{"provider_key_rejected", 1},
		{"quota_exhausted", 1},
		{"first_byte_timeout", 1},
		{"truncated_body", 1},
		{"reset_before_response", 1},
		{"tls_certificate_expired", 1},
		{"gateway_bug", 1},
		{"rate_limited", 1},
	} {
		model := "sandbox/fault-" + c.kind
		rows = append(rows, sdkRow{
			Name: c.kind, Base: g.URL + "/v1", Key: g.sandboxKey(t), Do: "chat", Params: ask(model, "hello"), Retries: 2,
			check: func(t *testing.T, got sdkResult) {
				want(t, "ok", got.OK, false)
				want(t, "calls", len(g.calls(t, "model="+model)), c.calls)
			},
		})
	}
	runSDK(t, rows)
}

// Through the configuration file, before a server that speaks OpenAI's dialect, nothing is different.
func TestSDKThroughConfiguration(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	g := providerGateway(t, p.URL, p.URL, "")
	rows := []sdkRow{
		{Name: "chat", Do: "chat", Params: ask("fast", "hello"), check: good(func(t *testing.T, got sdkResult) {
			var c completionJSON
			decode(t, got.Value, &c)
			want(t, "content", c.Choices[0].Message.Content, "café")
			want(t, "model", c.Model, "gpt-real")
			want(t, "tokens", *c.Usage, usageJSON{11, 7, 18})
		})},
		{Name: "stream", Do: "stream", Params: ask("fast", "hello"), check: good(func(t *testing.T, got sdkResult) {
			want(t, "text", got.Text, "café")
			want(t, "finish reason", got.Finish, "stop")
			want(t, "chunks", got.Chunks, 2)
			want(t, "usage that nobody asked for", len(got.Usage), 0)
		})},
		{Name: "stream with usage", Do: "stream", Params: ask("fast", "hello", "stream_options", map[string]any{"include_usage": true}), check: good(func(t *testing.T, got sdkResult) {
			want(t, "text", got.Text, "café")
			want(t, "chunks", got.Chunks, 3)
			want(t, "tokens", got.Usage["total_tokens"], any(18.0))
		})},
		{Name: "stream, collected", Do: "collected", Params: ask("beta/org/a-model", "hello"), check: good(func(t *testing.T, got sdkResult) {
			contains(t, "the answer", string(got.Value), "café", `"model":"org/a-model"`)
		})},
		{Name: "models by subscription", Key: limitedKey, Do: "models", check: good(func(t *testing.T, got sdkResult) {
			want(t, "models", strings.Join(got.IDs, " "), "beta/only-beta fast")
		})},
		{Name: "a model by name", Do: "model", Params: map[string]any{"model": "alpha/only-alpha"}, check: good(func(t *testing.T, got sdkResult) {
			contains(t, "the model", string(got.Value), `"owned_by":"alpha"`)
		})},
		{Name: "a model that another application has", Key: limitedKey, Do: "chat", Params: ask("spread", "hello"), check: raises("PermissionDeniedError", 403, "not_subscribed")},
		{Name: "a model that nobody has", Do: "chat", Params: ask("fasst", "hello"), check: raises("NotFoundError", 404, "model_not_found", func(t *testing.T, got sdkResult) {
			contains(t, "the message", got.Error.Message, "Did you mean fast")
		})},
		{Name: "the provider rejects our key", Do: "chat", Params: ask("alpha/fail-key", "hello"), Retries: 2, check: raises("InternalServerError", 502, "provider_key_rejected", func(t *testing.T, got sdkResult) {
			lacks(t, "the message", got.Error.Message, providerKey)
			want(t, "requests at the provider", p.models()["fail-key"], 1)
		})},
		{Name: "the provider has no credit", Do: "chat", Params: ask("alpha/fail-quota", "hello"), Retries: 2, check: func(t *testing.T, got sdkResult) {
			passes("RateLimitError", 429, "quota_exhausted")(t, got)
			want(t, "code", got.Error.Code, "insufficient_quota")
			want(t, "requests at the provider", p.models()["fail-quota"], 1)
		}},
		{Name: "a page for an answer", Do: "chat", Params: ask("alpha/fail-html", "hello"), check: raises("InternalServerError", 502, "incompatible_response")},
		{Name: "a page for a stream", Do: "stream", Params: ask("alpha/fail-html", "hello"), check: raises("InternalServerError", 502, "incompatible_response")},
		{Name: "an error in a 200", Do: "chat", Params: ask("alpha/fail-error_in_200", "hello"), check: raises("InternalServerError", 502, "provider_error")},
	}
	for i := range rows {
		rows[i].Base = g.URL + "/v1"
		if rows[i].Key == "" {
			rows[i].Key = webKey
		}
	}
	runSDK(t, rows)
}

// A stream of a response that breaks must not look finished either; it has an error event of its own.
func TestSDKResponseThatBreaks(t *testing.T) {
	t.Parallel()
	breaks := listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq == nil {
			return
		}
		event := func(text string) string {
			name, data, _ := strings.Cut(text, " ")
			return "event: " + name + "\ndata: " + data + "\n\n"
		}
		c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" +
			event(`response.created {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[]}}`) +
			event(`response.output_text.delta {"type":"response.output_text.delta","sequence_number":1,"item_id":"i","output_index":0,"content_index":0,"delta":"half of"}`))
	})
	g := providerGateway(t, breaks.URL, breaks.URL, "")
	runSDK(t, []sdkRow{{
		Name: "responses", Base: g.URL + "/v1", Key: webKey, Do: "responsesStream", Params: map[string]any{"model": "fast", "input": "hello"},
		check: raises("APIError", 0, "truncated_stream", func(t *testing.T, got sdkResult) {
			want(t, "what had come", got.Text, "half of")
			lacks(t, "the events", strings.Join(got.Events, " "), "response.completed")
		}),
	}})
}
