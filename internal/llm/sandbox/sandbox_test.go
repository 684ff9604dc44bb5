package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/llm/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the sandbox on a socket, without pauses.
func start(t *testing.T, o sandbox.Options) string {
	t.Helper()
	if o.Pace == 0 {
		o.Pace = -1
	}
	server := httptest.NewServer(sandbox.New(o))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	return server.URL
}

func post(t *testing.T, url, body string) (status int, header http.Header, answer string) {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

// ask posts and decodes a good answer into v.
func ask(t *testing.T, url, body string, v any) {
	t.Helper()
	status, _, answer := post(t, url, body)
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, answer)
	}
	if err := json.Unmarshal([]byte(answer), v); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
}

type completion struct {
	ID, Object, Model string
	Choices           []struct {
		Message struct {
			Role      string
			Content   *string
			ToolCalls []toolCall `json:"tool_calls"`
		}
		Text         string
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
}

type toolCall struct {
	Index    int
	ID       string
	Type     string
	Function struct{ Name, Arguments string }
}

const chat = "/v1/chat/completions"

func TestEchoAnswersWithThePrompt(t *testing.T) {
	url := start(t, sandbox.Options{})
	for _, c := range []struct{ name, body, want, finish string }{
		{"a text", `{"model":"echo","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hello, <you> & me\n 漢字"}]}`, "Hello, <you> & me\n 漢字", "stop"},
		{"with the provider's name", `{"model":"sandbox/echo","messages":[{"role":"user","content":"Hi"}]}`, "Hi", "stop"},
		{"the last of several", `{"model":"echo","messages":[{"role":"user","content":"One"},{"role":"assistant","content":"Two"},{"role":"user","content":"Three"},{"role":"assistant","content":"Four"}]}`, "Three", "stop"},
		{"text parts", `{"model":"echo","messages":[{"role":"user","content":[{"type":"text","text":"a "},{"type":"image_url","image_url":{"url":"data:,"}},{"type":"text","text":"b"}]}]}`, "a b", "stop"},
		{"no user", `{"model":"echo","messages":[{"role":"system","content":"Only this"}]}`, "Only this", "stop"},
		{"empty", `{"model":"echo","messages":[{"role":"user","content":""}]}`, "", "stop"},
		{"cut off", `{"model":"echo","max_completion_tokens":2,"messages":[{"role":"user","content":"one two three"}]}`, "one two", "length"},
		{"cut off, by the older name", `{"model":"echo","max_tokens":1,"messages":[{"role":"user","content":"one two three"}]}`, "one", "length"},
		{"a limit just reached", `{"model":"echo","max_tokens":3,"messages":[{"role":"user","content":"one two three"}]}`, "one two three", "stop"},
		{"tools are not its thing", `{"model":"echo","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"Hi"}]}`, "Hi", "stop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a completion
			ask(t, url+chat, c.body, &a)
			if len(a.Choices) != 1 || *a.Choices[0].Message.Content != c.want || a.Choices[0].FinishReason != c.finish || a.Object != "chat.completion" {
				t.Errorf("%+v", a)
			}
			text, finish, usage := streamed(t, url, c.body, llm.Chat)
			if text != c.want || finish != c.finish {
				t.Errorf("streamed: %q, %q", text, finish)
			}
			if usage.Input != int64(a.Usage.Prompt) || usage.Output != int64(a.Usage.Completion) || a.Usage.Total != a.Usage.Prompt+a.Usage.Completion {
				t.Errorf("usage %+v, streamed %+v", a.Usage, usage)
			}
		})
	}
}

// streamed asks for a stream with usage and puts its text, or a call's arguments, together. The
// stream must be whole for the dialect that will read it.
func streamed(t *testing.T, url, body string, op llm.Operation) (text, finish string, usage struct{ Input, Output int64 }) {
	t.Helper()
	dialect := openai.New()
	body = strings.TrimSuffix(body, "}") + `,"stream":true}`
	var req llm.Request
	if err := dialect.ReadRequest(&req, llm.Match{Op: op}, []byte(body)); err != nil {
		t.Fatal(err)
	}
	status, header, answer := post(t, url+"/v1"+dialect.Path(op), string(req.Rewrite(nil, []byte(body), string(req.Model), true)))
	if status != http.StatusOK || !llm.IsEventStream(header.Get("Content-Type")) {
		t.Fatalf("%d %v: %s", status, header, answer)
	}
	stream := dialect.NewStream(op, false)
	stream.Feed([]byte(answer), nil)
	if _, end := stream.Finish(true, nil); !end.Complete || !stream.State().Done {
		t.Fatalf("%+v:\n%s", end, answer)
	}
	for _, event := range strings.Split(answer, "\n\n") {
		_, data, _ := strings.Cut(event, "data: ")
		var chunk struct {
			Type    string
			Delta   string
			Choices []struct {
				Text  string
				Delta struct {
					Content   string
					ToolCalls []toolCall `json:"tool_calls"`
				}
			}
		}
		if data == "" || data == "[DONE]" {
			continue
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		if strings.HasSuffix(chunk.Type, ".delta") {
			text += chunk.Delta
		}
		for _, c := range chunk.Choices {
			text += c.Text + c.Delta.Content
			for _, call := range c.Delta.ToolCalls {
				text += call.Function.Arguments
			}
		}
	}
	st := stream.State()
	return text, st.Finish, struct{ Input, Output int64 }{st.Usage.Input, st.Usage.Output}
}

func TestUsageInAStreamOnlyWhenAsked(t *testing.T) {
	url := start(t, sandbox.Options{})
	for _, c := range []struct {
		options string
		want    int
	}{{"", 0}, {`,"stream_options":{}`, 0}, {`,"stream_options":{"include_usage":true}`, 1}} {
		_, _, answer := post(t, url+chat, `{"model":"echo","stream":true,"messages":[{"role":"user","content":"a b"}]`+c.options+`}`)
		if got := strings.Count(answer, `"usage":{`); got != c.want || !strings.HasSuffix(answer, "data: [DONE]\n\n") {
			t.Errorf("%s: %d usages in\n%s", c.options, got, answer)
		}
	}
}

func TestTokensGoOutOneByOne(t *testing.T) {
	url := start(t, sandbox.Options{Pace: sandbox.DefaultPace})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+chat, strings.NewReader(`{"model":"echo","stream":true,"messages":[{"role":"user","content":"`+strings.Repeat("word ", 5000)+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for events := 0; events < 3 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") {
			events++
		}
	}
	if strings.Contains(lines.Text(), "[DONE]") || !strings.Contains(lines.Text(), " word") {
		t.Errorf("the third event is %s", lines.Text())
	}
	// Leaving in the middle ends the server's work: the leak check waits for it.
}

const weather = `{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}`

func TestToolsCallsTheFirstTool(t *testing.T) {
	url := start(t, sandbox.Options{})
	other := `{"type":"function","function":{"name":"other"}}`
	for _, c := range []struct{ name, body, tool, arguments string }{
		{"the first", `{"model":"tools","tools":[` + weather + `,` + other + `],"messages":[{"role":"user","content":"Hi"}]}`, "weather", `{"city":"sample city"}`},
		{"the one chosen", `{"model":"tools","tool_choice":{"type":"function","function":{"name":"other"}},"tools":[` + weather + `,` + other + `],"messages":[{"role":"user","content":"Hi"}]}`, "other", `{}`},
		{"required", `{"model":"tools","tool_choice":"required","tools":[` + weather + `],"messages":[{"role":"user","content":"Hi"}]}`, "weather", `{"city":"sample city"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a completion
			ask(t, url+chat, c.body, &a)
			m := a.Choices[0].Message
			if a.Choices[0].FinishReason != "tool_calls" || m.Content != nil || len(m.ToolCalls) != 1 {
				t.Fatalf("%+v", a)
			}
			if call := m.ToolCalls[0]; call.Function.Name != c.tool || call.Function.Arguments != c.arguments || call.ID == "" || call.Type != "function" {
				t.Errorf("%+v", call)
			}
			if text, finish, _ := streamed(t, url, c.body, llm.Chat); text != c.arguments || finish != "tool_calls" {
				t.Errorf("streamed: %s, %s", text, finish)
			}
		})
	}
	for _, c := range []struct{ name, body, want string }{
		{"after the tool's result", `{"model":"tools","tools":[` + weather + `],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","tool_call_id":"a","content":"22 degrees"},{"role":"tool","tool_call_id":"b","content":"sunny"}]}`, "22 degrees\nsunny"},
		{"none wanted", `{"model":"tools","tool_choice":"none","tools":[` + weather + `],"messages":[{"role":"user","content":"Hi"}]}`, "Hi"},
		{"none offered", `{"model":"tools","messages":[{"role":"user","content":"Hi"}]}`, "No tool was offered, so that none was called."},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a completion
			ask(t, url+chat, c.body, &a)
			if got := *a.Choices[0].Message.Content; got != c.want || a.Choices[0].FinishReason != "stop" {
				t.Errorf("%q, %s", got, a.Choices[0].FinishReason)
			}
		})
	}
	// Once the user speaks again, a tool is called again.
	var a completion
	ask(t, url+chat, `{"model":"tools","tools":[`+weather+`],"messages":[{"role":"tool","tool_call_id":"a","content":"22"},{"role":"user","content":"And now?"}]}`, &a)
	if a.Choices[0].FinishReason != "tool_calls" {
		t.Errorf("%+v", a)
	}
}

func TestResponses(t *testing.T) {
	url := start(t, sandbox.Options{})
	type answer struct {
		Status string
		Output []struct {
			Type, Name, Arguments string
			CallID                string `json:"call_id"`
			Content               []struct{ Type, Text string }
		}
		Usage struct {
			Input  int `json:"input_tokens"`
			Output int `json:"output_tokens"`
		}
	}
	tool := `[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]`
	for _, c := range []struct{ name, body, status, want string }{
		{"a text", `{"model":"echo","input":"Hello there"}`, "completed", "Hello there"},
		{"messages", `{"model":"echo","instructions":"Be kind.","input":[{"role":"user","content":[{"type":"input_text","text":"Hello"}]}]}`, "completed", "Hello"},
		{"cut off", `{"model":"echo","max_output_tokens":1,"input":"Hello there"}`, "incomplete", "Hello"},
		{"after the tool's result", `{"model":"tools","tools":` + tool + `,"input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"a","name":"weather","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"22 degrees"}]}`, "completed", "22 degrees"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a answer
			ask(t, url+"/v1/responses", c.body, &a)
			if a.Status != c.status || len(a.Output) != 1 || a.Output[0].Content[0].Text != c.want {
				t.Errorf("%+v", a)
			}
			text, _, usage := streamed(t, url, c.body, llm.Responses)
			if text != c.want || usage.Input != int64(a.Usage.Input) || usage.Output != int64(a.Usage.Output) {
				t.Errorf("streamed: %q, %+v", text, usage)
			}
		})
	}
	t.Run("a call", func(t *testing.T) {
		var a answer
		body := `{"model":"tools","tools":` + tool + `,"input":"Hi"}`
		ask(t, url+"/v1/responses", body, &a)
		if o := a.Output[0]; o.Type != "function_call" || o.Name != "weather" || o.Arguments != `{"city":"sample city"}` || o.CallID == "" {
			t.Errorf("%+v", a)
		}
		if text, _, _ := streamed(t, url, body, llm.Responses); text != `{"city":"sample city"}` {
			t.Errorf("streamed: %s", text)
		}
	})
}

func TestCompletions(t *testing.T) {
	url := start(t, sandbox.Options{})
	var a completion
	ask(t, url+"/v1/completions", `{"model":"echo","prompt":["one two","three"],"max_tokens":1}`, &a)
	if len(a.Choices) != 2 || a.Choices[0].Text != "one" || a.Choices[0].FinishReason != "length" || a.Choices[1].Text != "three" || a.Choices[1].FinishReason != "stop" {
		t.Errorf("%+v", a)
	}
	if text, finish, usage := streamed(t, url, `{"model":"echo","prompt":"one two"}`, llm.Completions); text != "one two" || finish != "stop" || usage.Output != 2 {
		t.Errorf("%q, %q, %+v", text, finish, usage)
	}
}

func TestEmbeddings(t *testing.T) {
	url := start(t, sandbox.Options{})
	type answer[T any] struct {
		Data []struct {
			Embedding T
			Index     int
		}
		Usage struct {
			Prompt int `json:"prompt_tokens"`
		}
	}
	var numbers answer[[]float32]
	ask(t, url+"/v1/embeddings", `{"model":"echo","input":["a","b","a"],"dimensions":8}`, &numbers)
	sum := 0.0
	for _, v := range numbers.Data[0].Embedding {
		sum += float64(v) * float64(v)
	}
	same := func(a, b []float32) bool { return len(a) == 8 && len(b) == 8 && a[0] == b[0] && a[7] == b[7] }
	if len(numbers.Data) != 3 || !same(numbers.Data[0].Embedding, numbers.Data[2].Embedding) || same(numbers.Data[0].Embedding, numbers.Data[1].Embedding) || math.Abs(sum-1) > 1e-3 || numbers.Usage.Prompt != 3 {
		t.Errorf("%+v", numbers)
	}
	var packed answer[string]
	ask(t, url+"/v1/embeddings", `{"model":"echo","input":"a","dimensions":8,"encoding_format":"base64"}`, &packed)
	raw, err := base64.StdEncoding.DecodeString(packed.Data[0].Embedding)
	first := math.Float32frombits(uint32(raw[0]) | uint32(raw[1])<<8 | uint32(raw[2])<<16 | uint32(raw[3])<<24)
	if err != nil || len(raw) != 32 || first != numbers.Data[0].Embedding[0] {
		t.Errorf("%v, %d bytes, %v", err, len(raw), first)
	}
}

func TestModelsAndModerations(t *testing.T) {
	url := start(t, sandbox.Options{})
	for path, want := range map[string]string{"/v1/models": `"id":"tools"`, "/models": `"id":"echo"`, "/v1/models/echo": `"id":"echo"`, "/v1/models/sandbox/echo": `"id":"echo"`} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	var m struct{ Results []struct{ Flagged bool } }
	ask(t, url+"/v1/moderations", `{"model":"echo","input":["a","b"]}`, &m)
	if len(m.Results) != 2 || m.Results[0].Flagged {
		t.Errorf("%+v", m)
	}
}

func TestRefusals(t *testing.T) {
	url := start(t, sandbox.Options{})
	for _, c := range []struct {
		name, path, body string
		status           int
		code, param      string
	}{
		{"unknown model", chat, `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}`, 404, "model_not_found", "model"},
		{"no model", chat, `{"messages":[{"role":"user","content":"x"}]}`, 400, "invalid_value", "model"},
		{"no messages", chat, `{"model":"echo"}`, 400, "invalid_value", "messages"},
		{"content of another type", chat, `{"model":"echo","messages":[{"role":"user","content":7}]}`, 400, "invalid_value", "messages[0].content"},
		{"unknown role", chat, `{"model":"echo","messages":[{"role":"king","content":"x"}]}`, 400, "invalid_value", "messages[0].role"},
		{"stream of another type", chat, `{"model":"echo","stream":"yes"}`, 400, "invalid_value", "stream"},
		{"no tokens", chat, `{"model":"echo","max_tokens":0,"messages":[{"role":"user","content":"x"}]}`, 400, "invalid_value", "max_tokens"},
		{"unknown tool chosen", chat, `{"model":"tools","tool_choice":{"function":{"name":"x"}},"tools":[` + weather + `],"messages":[{"role":"user","content":"x"}]}`, 400, "invalid_value", "tool_choice"},
		{"parameters of another type", chat, `{"model":"tools","tools":[{"type":"function","function":{"name":"f","parameters":[1]}}],"messages":[{"role":"user","content":"x"}]}`, 400, "invalid_value", "tools"},
		{"not JSON", chat, `{"model"`, 400, "invalid_value", ""},
		{"no input", "/v1/responses", `{"model":"echo"}`, 400, "invalid_value", "input"},
		{"no prompt", "/v1/completions", `{"model":"echo"}`, 400, "invalid_value", "prompt"},
		{"too many dimensions", "/v1/embeddings", `{"model":"echo","input":"x","dimensions":5000}`, 400, "invalid_value", "dimensions"},
		{"unknown address", "/v1/chat", `{}`, 404, "unknown_url", ""},
		{"another method", "/v1/models", `{}`, 405, "method_not_allowed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, body := post(t, url+c.path, c.body)
			var got struct {
				Error struct {
					Message, Type, Code string
					Param               *string
				}
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			param := ""
			if got.Error.Param != nil {
				param = *got.Error.Param
			}
			if status != c.status || got.Error.Code != c.code || param != c.param || got.Error.Message == "" {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}
