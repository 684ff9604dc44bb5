package gemini_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/jsontree"
	"causeway/internal/llm/llmtest"
)

// at is the place of a path in a body.
func at(d *jsontree.Doc, path string) jsontree.Ref {
	n := d.Root()
	for _, name := range strings.Split(path, ".") {
		if i, err := strconv.Atoi(name); err == nil {
			var found jsontree.Node
			n.Each(func(k int, e jsontree.Node) {
				if k == i {
					found = e
				}
			})
			n = found
			continue
		}
		n = n.Get(name)
	}
	return n.Ref()
}

// foreign is a request of another dialect: the body gives places to what loses something.
func foreign(t *testing.T, body string, fill func(r *canon.Request, at func(path string) jsontree.Ref)) *canon.Request {
	t.Helper()
	d, err := jsontree.Parse([]byte(body), true)
	if err != nil {
		t.Fatal(err)
	}
	r := &canon.Request{Doc: d, Dialect: "openai", Op: llm.Chat, Model: "m"}
	fill(r, func(path string) jsontree.Ref { return at(d, path) })
	d.Root().Settle()
	return r
}

func say(text string) canon.Message {
	return canon.Message{Role: canon.User, Parts: []canon.Part{{Kind: canon.Text, Text: text}}}
}

// TestWrittenFromOtherDialects shows what the provider gets of requests that were made in another dialect; all of it
// is valid by the API's own description.
func TestWrittenFromOtherDialects(t *testing.T) {
	type ref = func(path string) jsontree.Ref
	fetch := func(url string) (string, string, error) {
		if strings.Contains(url, "gone") {
			return "", "", errors.New("the server answered 404")
		}
		return "image/webp", "UklGRg==", nil
	}
	description := readProtos(t)
	for _, c := range []struct {
		name   string
		body   string // of the caller, for places
		model  string
		vertex bool
		fill   func(r *canon.Request, at ref)
		want   string
		report []string
		refuse string
		beyond string // a member that came after the description
	}{
		{
			name: "system and developer messages go first",
			body: `{"messages":[1,2,3,{"content":"late"}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{
					{Role: canon.System, Parts: []canon.Part{{Text: "a"}}},
					{Role: canon.Developer, Parts: []canon.Part{{Text: "b"}}},
					say("hi"),
					{Role: canon.System, Parts: []canon.Part{{Text: "c"}}, At: at("messages.3")},
				}
			},
			want:   `{"systemInstruction":{"parts":[{"text":"a"},{"text":"b"},{"text":"c"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
			report: []string{"messages.3;approximated"},
		},
		{
			name: "instructions alone",
			body: `{"messages":["s"]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{{Role: canon.System, Parts: []canon.Part{{Text: "a"}}, At: at("messages.0")}}
			},
			want:   `{"systemInstruction":{"parts":[{"text":"a"}]},"contents":[{"role":"user","parts":[{"text":"a"}]}]}`,
			report: []string{"messages.0;approximated"},
		},
		{
			name:   "nothing at all",
			body:   `{}`,
			fill:   func(*canon.Request, ref) {},
			refuse: "without a message",
		},
		{
			name: "parallel calls and their results are one turn each",
			body: `{"messages":[]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{
					say("go"),
					{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: "1", Name: "f", Args: `{"a": 1}`}}}},
					{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: "2", Name: "g"}}}},
					{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "1", Parts: []canon.Part{{Text: "5"}}}}}},
					{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "2", Error: true, Parts: []canon.Part{{Text: "no"}, {Text: "way"}}}}}},
				}
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{"a":1}}},{"functionCall":{"id":"2","name":"g","args":{}}}]},
			 {"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"result":"5"}}},{"functionResponse":{"id":"2","name":"g","response":{"error":"no\nway"}}}]}]}`,
		},
		{
			name: "a newer model's turn without signatures, and media in its results",
			body: `{"messages":[]}`, model: "gemini-3-pro-preview",
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{
					{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: "1", Name: "f"}}, {Kind: canon.ToolCall, Call: &canon.Call{ID: "2", Name: "f"}}}},
					{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "1", Parts: []canon.Part{{Kind: canon.Image, Media: &canon.Media{Data: "iVBORw0KGgo="}}}}}}},
				}
			},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"2","name":"f","args":{}}}]},
			 {"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"result":""},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}}]}]}`,
		},
		{
			name: "Vertex AI has no ids of calls, and media stand behind results",
			body: `{"messages":[{"image":"x"}],"metadata":{"team":"a"}}`, vertex: true,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{
					{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.ToolCall, Signature: "c2ln", SignedBy: "gemini", Call: &canon.Call{ID: "1", Name: "f"}}}},
					{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "1", JSON: []byte(`{"a":1}`), Parts: []canon.Part{{Kind: canon.Image, At: at("messages.0"), Media: &canon.Media{MIME: "image/png", Data: "aaaa", Name: "x.png"}}}}}}},
				}
				r.Params[canon.Metadata] = canon.Param{JSON: []byte(`{"team":"a"}`), At: at("metadata")}
			},
			want:   `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"c2ln"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1}}},{"inlineData":{"mimeType":"image/png","data":"aaaa","displayName":"x.png"}}]}],"labels":{"team":"a"}}`,
			report: []string{"messages.0;approximated"},
			beyond: "labels|displayName",
		},
		{
			name: "a result of no call",
			body: `{"messages":[{"content":"x"}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, At: at("messages.0"), Result: &canon.Result{ID: "1"}}}}}
			},
			refuse: "messages.0: Gemini wants the function's name",
		},
		{
			name: "others' reasoning and signatures stay behind",
			body: `{"messages":[{"thinking":"x","text":"y","name":"bob"}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{
					{Role: canon.Assistant, At: at("messages.0"), Name: "bob", Parts: []canon.Part{
						{Kind: canon.Thinking, Text: "hm", Signature: "s", SignedBy: "anthropic", At: at("messages.0.thinking")},
						{Kind: canon.Text, Text: "so", Signature: "s", SignedBy: "anthropic", At: at("messages.0.text")},
						{Kind: canon.Thinking, Text: "own", Signature: "c2ln", SignedBy: "gemini"},
					}},
				}
			},
			want:   `{"contents":[{"role":"model","parts":[{"text":"so"},{"text":"own","thought":true,"thoughtSignature":"c2ln"}]}]}`,
			report: []string{"messages.0.name;dropped", "messages.0.thinking;dropped", "messages.0.text;dropped"},
		},
		{
			name: "images at URLs are fetched, files are not another's",
			body: `{"messages":[{"content":["a","b","c"]}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{{Role: canon.User, Parts: []canon.Part{
					{Kind: canon.Image, At: at("messages.0.content.0"), Media: &canon.Media{URL: "https://example.com/a.webp", Detail: "low"}},
					{Kind: canon.Video, At: at("messages.0.content.1"), Media: &canon.Media{URL: "https://youtu.be/1"}},
					{Kind: canon.Document, At: at("messages.0.content.2"), Media: &canon.Media{FileID: "gs://b/x.pdf", MIME: "application/pdf"}},
					{Kind: canon.Document, Media: &canon.Media{Text: "plain"}},
				}}}
			},
			want: `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/webp","data":"UklGRg=="}},{"fileData":{"fileUri":"https://youtu.be/1"}},{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/x.pdf"}},
			 {"inlineData":{"mimeType":"text/plain","data":"cGxhaW4="}}]}],"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}}`,
			report: []string{"messages.0.content.0;emulated"},
		},
		{
			name: "an image that can't be fetched",
			body: `{"messages":[{"content":["a"]}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{{Role: canon.User, Parts: []canon.Part{{Kind: canon.Image, At: at("messages.0.content.0"), Media: &canon.Media{URL: "https://example.com/gone"}}}}}
			},
			refuse: "messages.0.content.0: what stands at the URL can't be fetched for Gemini: the server answered 404",
		},
		{
			name: "a file of another provider's",
			body: `{"messages":[{"content":["a"]}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{{Role: canon.User, Parts: []canon.Part{{Kind: canon.Image, At: at("messages.0.content.0"), Media: &canon.Media{FileID: "file-abc"}}}}}
			},
			refuse: "messages.0.content.0: the file file-abc is kept by another provider",
		},
		{
			name: "tools, strict and free, and the choice of one",
			body: `{"tools":[1,{"custom":"x"},{"type":"web_search","search_context_size":"low"},{"type":"code_interpreter"},{"type":"mcp"}],"parallel_tool_calls":false}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{say("hi")}
				r.Tools = []canon.Tool{
					{Name: "f", Description: "F.", Schema: []byte(`{"type":"object","properties":{"a":{"const":"x"},"const":{"$ref":"#/definitions/d"}},"definitions":{"d":{"type":"string"}},"additionalProperties":false}`), Strict: canon.Flag{Said: true, On: true}},
					{Name: "c", Custom: true, At: at("tools.1"), Strict: canon.Flag{Said: true, On: true}},
					{BuiltIn: "web_search", At: at("tools.2")},
					{BuiltIn: "code_interpreter", At: at("tools.3")},
					{BuiltIn: "mcp", At: at("tools.4")},
				}
				r.ParallelTools = canon.Flag{Said: true, At: at("parallel_tool_calls")}
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"F.","parametersJsonSchema":{"type":"object","properties":{"a":{"enum":["x"]},"const":{"$ref":"#/$defs/d"}},"$defs":{"d":{"type":"string"}},"additionalProperties":false}},
			 {"name":"c","parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}]},{"googleSearch":{}},{"codeExecution":{}}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}`,
			report: []string{"tools.1;emulated", "tools.2;approximated", "tools.4;dropped", "parallel_tool_calls;dropped"},
		},
		{
			name: "one function by name, and a schema with what is not enforced",
			body: `{"tools":[{"parameters":{"x":1}}]}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{say("hi")}
				r.Tools = []canon.Tool{{Name: "f", At: at("tools.0"), Schema: []byte(`{"type":"object","properties":{"pattern":{"type":"string","pattern":"^a"}},"not":{}}`)}}
				r.Choice = canon.ToolChoice{Mode: canon.ToolsNamed, Names: []string{"f"}}
			},
			want:   `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"pattern":{"type":"string","pattern":"^a"}},"not":{}}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}`,
			report: []string{"tools.0.parameters;approximated"},
		},
		{
			name: "parameters",
			body: `{"seed":99999999999,"stop":["a"],"audio":{"voice":"alloy","format":"mp3"},"web_search_options":{},"user":"u"}`,
			fill: func(r *canon.Request, at ref) {
				r.Messages = []canon.Message{say("hi")}
				set := func(id canon.ParamID, name, json string) {
					r.Params[id] = canon.Param{JSON: []byte(json), At: at(name)}
				}
				set(canon.MaxTokens, "seed", "100")
				set(canon.N, "seed", "2")
				set(canon.Seed, "seed", "99999999999")
				set(canon.Stop, "stop", `["1","2","3","4","5","6"]`)
				set(canon.Modalities, "seed", `["text","audio"]`)
				set(canon.AudioOut, "audio", `{"voice":"alloy","format":"mp3"}`)
				set(canon.Logprobs, "seed", "true")
				set(canon.TopLogprobs, "seed", "4")
				set(canon.WebSearch, "web_search_options", "{}")
				set(canon.EndUser, "user", `"u"`)
				r.Format = canon.Format{Kind: canon.JSONSchema, Schema: []byte(`{"type":"object"}`)}
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"googleSearch":{}}],"generationConfig":{"candidateCount":2,"maxOutputTokens":100,"logprobs":4,"responseLogprobs":true,"stopSequences":["1","2","3","4","5"],
			 "responseModalities":["TEXT","AUDIO"],"speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"alloy"}}},"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}}`,
			report: []string{"seed;dropped", "stop;approximated", "audio.format;approximated", "user;dropped"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := foreign(t, c.body, c.fill)
			var codec canon.Codec = gemini.New().Codec(llm.Chat)
			if c.vertex {
				codec = gemini.NewVertex("p", "l").Codec(llm.Chat)
			}
			model := c.model
			if model == "" {
				model = "gemini-2.5-flash"
			}
			report := canon.NewReport(req)
			written, err := codec.WriteRequest(req, &canon.Target{Provider: "google", Model: model, Fetch: fetch}, report)
			if c.refuse != "" {
				var unsupported *canon.Unsupported
				if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), c.refuse) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			report.Close()
			if differ := llmtest.Diff(llmtest.Value(t, []byte(c.want)), llmtest.Value(t, written)); len(differ) > 0 {
				t.Errorf("%q\n%s", differ, written)
			}
			var got []string
			for _, e := range report.Entries {
				got = append(got, e.Field+";"+e.Loss.String())
			}
			slices.Sort(got)
			slices.Sort(c.report)
			if !slices.Equal(got, c.report) {
				t.Errorf("report %q\n%s", got, strings.Join(report.Lines(), "\n"))
			}
			if c.beyond == "" {
				c.beyond = "-"
			}
			description.valid(t, "GenerateContentRequest", written, strings.Split(c.beyond, "|")...)
		})
	}
}

func TestThinkingIsSaidInBudgets(t *testing.T) {
	for _, c := range []struct {
		name, model string
		r           canon.Reasoning
		want        string
		lost        bool
	}{
		{"low", "gemini-2.5-flash", canon.Reasoning{Said: true, Effort: "low"}, `{"thinkingBudget":2048}`, false},
		{"high, shown", "gemini-2.5-pro", canon.Reasoning{Said: true, Effort: "high", Show: true}, `{"thinkingBudget":24576,"includeThoughts":true}`, false},
		{"a budget", "gemini-3-pro-preview", canon.Reasoning{Said: true, Budget: 4000}, `{"thinkingBudget":4000}`, false},
		{"as the model likes", "gemini-2.5-flash", canon.Reasoning{Said: true, Budget: -1}, `{"thinkingBudget":-1}`, false},
		{"not at all", "gemini-2.5-flash", canon.Reasoning{Said: true, Off: true, Show: true}, `{"thinkingBudget":0}`, false},
		{"not at all, which the model can't", "gemini-2.5-pro", canon.Reasoning{Said: true, Effort: "none"}, `{"thinkingBudget":128}`, true},
		{"too much", "gemini-2.5-flash", canon.Reasoning{Said: true, Effort: "xhigh"}, `{"thinkingBudget":24576}`, true},
		{"shown", "gemini-2.5-flash", canon.Reasoning{Said: true, Show: true}, `{"includeThoughts":true}`, false},
		{"an unknown effort", "gemini-2.5-flash", canon.Reasoning{Said: true, Effort: "huge"}, ``, true},
		{"a model that does not think", "gemini-2.0-flash", canon.Reasoning{Said: true, Effort: "low"}, ``, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := foreign(t, `{"reasoning_effort":"x"}`, func(r *canon.Request, at func(string) jsontree.Ref) {
				r.Messages = []canon.Message{say("hi")}
				r.Reasoning = c.r
				r.Reasoning.At = at("reasoning_effort")
			})
			report := canon.NewReport(req)
			written, err := gemini.New().Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: c.model}, report)
			if err != nil {
				t.Fatal(err)
			}
			got := llmtest.Show(llmtest.Find(llmtest.Value(t, written), "/generationConfig/thinkingConfig"))
			want := llmtest.Show(nil)
			if c.want != "" {
				want = llmtest.Show(llmtest.Value(t, []byte(c.want)))
			}
			if got != want || (len(report.Entries) > 0) != c.lost {
				t.Errorf("%s, report %+v", written, report.Entries)
			}
		})
	}
}

// TestSignaturesOfOthersComeBack: a caller of Gemini's dialect sends back what another provider signed, in a member
// that holds base64.
func TestSignaturesOfOthersComeBack(t *testing.T) {
	codec := gemini.New().Codec(llm.Chat)
	req := &canon.Request{Dialect: "gemini", Op: llm.Chat, Model: "m"}
	a := &canon.Answer{Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: canon.Stopped, Parts: []canon.Part{
		{Kind: canon.Thinking, Text: "hm", Signature: "EqQB.x/+=", SignedBy: "anthropic"},
		{Kind: canon.Thinking, Signature: "redacted", SignedBy: "anthropic", Redacted: true},
		{Kind: canon.Text, Text: "so"},
	}}}}
	answer := codec.WriteAnswer(a, req, canon.NewReport(req))
	parts := answer[strings.Index(string(answer), `"content":`)+len(`"content":`) : strings.Index(string(answer), `,"finishReason"`)]
	back, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(`{"contents":[`+string(parts)+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := back.Messages[0].Parts
	if len(got) != 3 || got[0].Signature != "EqQB.x/+=" || got[0].SignedBy != "anthropic" || got[0].Redacted ||
		got[1].Signature != "redacted" || !got[1].Redacted || got[1].SignedBy != "anthropic" || got[2].Signature != "" {
		t.Errorf("%+v\n%s", got, answer)
	}
	if strings.ContainsAny(strings.SplitN(strings.SplitN(string(answer), `"thoughtSignature":"`, 2)[1], `"`, 2)[0], "._-") {
		t.Errorf("no base64: %s", answer)
	}
}

// TestWhatIsWrittenIsValid holds all that is written of recorded traffic against the API's description. Two members of
// answers came after it.
func TestWhatIsWrittenIsValid(t *testing.T) {
	description := readProtos(t)
	codec := gemini.New().Codec(llm.Chat)
	for _, x := range recorded(t) {
		if x.match().Op != llm.Chat || x.Status != 200 {
			continue
		}
		req, err := codec.ReadRequest(x.match(), []byte(x.Request))
		if err != nil {
			t.Fatal(err)
		}
		written, err := codec.WriteRequest(req, &canon.Target{Model: x.Model}, canon.NewReport(req))
		if err != nil {
			t.Fatal(err)
		}
		description.valid(t, "GenerateContentRequest", written, "executableCode/id", "codeExecutionResult/id")
		if x.Streamed() {
			crossed := llmtest.CrossPieces(t, gemini.New(), llm.Chat, "", []byte(x.Body), len(x.Body), codec.NewWriter(req, canon.NewReport(req)))
			for _, line := range strings.Split(string(crossed.Out), "\n") {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					description.valid(t, "GenerateContentResponse", []byte(data), "/createTime")
				}
			}
			continue
		}
		a, err := codec.ReadAnswer([]byte(x.Body))
		if err != nil {
			t.Fatal(err)
		}
		description.valid(t, "GenerateContentResponse", codec.WriteAnswer(a, req, canon.NewReport(req)), "/createTime", "/serviceTier", "executableCode/id", "codeExecutionResult/id")
	}
}
