package gemini_test

import (
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/llmtest"
)

// camelNames brings a body to one of the two spellings of its members. What callers name themselves stays.
func camelNames(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, e := range v {
			switch name {
			case "args", "response", "properties", "labels", "responseJsonSchema":
				m[name] = e
				continue
			}
			e = camelNames(e)
			if object, ok := e.(map[string]any); ok && len(object) == 0 && name == "generationConfig" {
				continue // says nothing
			}
			m[camel(name)] = e
		}
		return m
	case []any:
		for i := range v {
			v[i] = camelNames(v[i])
		}
	}
	return v
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

// TestRecordedTrafficComesBackTheSame reads and writes every recorded chat, its request, its answer and its stream.
func TestRecordedTrafficComesBackTheSame(t *testing.T) {
	suite := llmtest.CodecSuite{
		Dialect: gemini.New(), Op: llm.Chat, Normalize: camelNames,
		// What the answers lose is in the report as well: nobody else has a word for it, and between two that
		// speak Gemini's dialect answers pass as they are.
		DifferAnswer: []string{
			"/candidates/*/finishMessage", "/candidates/*/avgLogprobs", "/usageMetadata/trafficType", "/usageMetadata/promptTokensDetails/**",
			"/usageMetadata/candidatesTokensDetails/**", "/usageMetadata/toolUsePromptTokensDetails/**", "/usageMetadata/cacheTokensDetails/**",
			"~/createTime", "+/candidates/*/index", "/candidates/*/groundingMetadata/**", "+/usageMetadata/candidatesTokenCount",
		},
	}
	lost := map[string][]string{}
	for _, x := range recorded(t) {
		if x.match().Op != llm.Chat {
			continue
		}
		suite.CodecRequests = append(suite.CodecRequests, llmtest.CodecRequest{Name: x.ID, Body: x.Request, Match: x.match()})
		switch {
		case x.Status != 200:
		case x.Streamed():
			suite.CodecStreams = append(suite.CodecStreams, llmtest.CodecStream{Name: x.ID, Body: x.Body})
		default:
			a, err := gemini.New().Codec(llm.Chat).ReadAnswer([]byte(x.Body))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range a.Lost {
				lost[path[strings.LastIndexByte(path, '.')+1:]] = append(lost[x.ID], x.ID)
			}
			suite.CodecAnswers = append(suite.CodecAnswers, llmtest.CodecAnswer{Name: x.ID, Body: x.Body, Report: withMark(a.Lost)})
		}
	}
	llmtest.RunCodec(t, suite)
	for name := range lost {
		switch name {
		case "finishMessage", "avgLogprobs", "trafficType", "searchEntryPoint", "webSearchQueries", "cacheTokensDetails", "promptTokensDetails",
			"retrievalMetadata", "domain":
		default:
			t.Errorf("%s is lost of recorded answers: %q", name, lost[name])
		}
	}
}

func withMark(paths []string) (list []string) {
	for _, path := range paths {
		list = append(list, path+";lost")
	}
	return list
}

// everything is a request with all that the API knows.
const everything = `{
  "systemInstruction": {"role":"user","parts":[{"text":"Be terse."},{"text":"Be kind."}]},
  "contents": [
    {"role":"user","parts":[
      {"text":"Look."},
      {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
      {"fileData":{"mimeType":"video/mp4","fileUri":"gs://bucket/film.mp4"},"videoMetadata":{"startOffset":"1s","fps":2}},
      {"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}},
      {"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="},"partMetadata":{"name":"x"}}]},
    {"role":"model","parts":[
      {"text":"hm","thought":true,"thoughtSignature":"c2ln"},
      {"functionCall":{"id":"c1","name":"look","args":{"at":1.50}},"thoughtSignature":"c2lnMg=="},
      {"functionCall":{"id":"c2","name":"look","args":{}}},
      {"executableCode":{"language":"PYTHON","code":"1"}},
      {"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},
      {"text":"","thoughtSignature":"c2lnMw=="}]},
    {"role":"user","parts":[
      {"functionResponse":{"id":"c1","name":"look","response":{"result":"a"},"parts":[{"inlineData":{"mimeType":"image/png","data":"aaaa"}}]}},
      {"functionResponse":{"id":"c2","name":"look","response":{"error":"none"}}},
      {"text":"Go on."}]}],
  "tools": [
    {"functionDeclarations":[
      {"name":"look","description":"Looks.","parameters":{"type":"OBJECT","properties":{"at":{"type":"NUMBER","nullable":true}}},"behavior":"BLOCKING"},
      {"name":"see","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string","pattern":"x"}}}}]},
    {"googleSearch":{"timeRangeFilter":{"startTime":"2026-01-01T00:00:00Z","endTime":"2026-02-01T00:00:00Z"}}},
    {"codeExecution":{}},{"urlContext":{}}],
  "toolConfig": {"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["look","see"]},"retrievalConfig":{"languageCode":"en"}},
  "safetySettings": [{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],
  "cachedContent": "cachedContents/1",
  "labels": {"team":"a"},
  "generationConfig": {
    "candidateCount":2,"stopSequences":["a","b"],"maxOutputTokens":100,"temperature":0.5,"topP":0.9,"topK":40,"seed":7,
    "presencePenalty":0.1,"frequencyPenalty":-0.1,"responseLogprobs":true,"logprobs":3,
    "responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING","enum":["x"]}},"propertyOrdering":["a"]},
    "responseModalities":["TEXT","AUDIO"],"mediaResolution":"MEDIA_RESOLUTION_LOW",
    "thinkingConfig":{"includeThoughts":true,"thinkingBudget":1024},
    "speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}},
    "imageConfig":{"aspectRatio":"16:9"},"enableEnhancedCivicAnswers":true}
}`

func TestEverythingOfTheAPI(t *testing.T) {
	minimal := func(config string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":` + config + `}`
	}
	llmtest.RunCodec(t, llmtest.CodecSuite{
		Dialect: gemini.New(), Op: llm.Chat, Normalize: camelNames,
		CodecRequests: []llmtest.CodecRequest{
			{Name: "all", Body: everything},
			{Name: "a level of thinking", Body: minimal(`{"thinkingConfig":{"thinkingLevel":"LOW"}}`)},
			{Name: "no thinking", Body: minimal(`{"thinkingConfig":{"thinkingBudget":0}}`)},
			{Name: "thinking as the model likes", Body: minimal(`{"thinkingConfig":{"thinkingBudget":-1}}`)},
			{Name: "an enum", Body: minimal(`{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}`)},
			{Name: "a JSON Schema", Body: minimal(`{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","not":{}}}`)},
			{Name: "two voices", Body: minimal(`{"speechConfig":{"multiSpeakerVoiceConfig":{"speakerVoiceConfigs":[]}}}`)},
			{Name: "snake case", Body: `{"system_instruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"aaaa"}}]}],"generation_config":{"max_output_tokens":5,"stop_sequences":["x"],"thinking_config":{"thinking_budget":8,"include_thoughts":true}},"tool_config":{"function_calling_config":{"mode":"NONE"}},"safety_settings":[],"tools":[{"google_search":{}}]}`},
			{Name: "validated calls", Body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}`},
		},
		CodecAnswers: []llmtest.CodecAnswer{
			{
				Name: "candidates, sources, probabilities",
				Body: `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Grüße an a","thoughtSignature":"cw=="},{"inlineData":{"mimeType":"image/png","data":"aaaa"}}],"role":"model"},"finishReason":"STOP","index":0,
				 "logprobsResult":{"topCandidates":[{"candidates":[{"token":"G","logProbability":-0.5},{"token":"H","logProbability":-1}]}],"chosenCandidates":[{"token":"G","logProbability":-0.5}]},
				 "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b","title":"B"}}],"groundingSupports":[{"segment":{"partIndex":1,"startIndex":8,"endIndex":12},"groundingChunkIndices":[0]}]}},
				 {"content":{"parts":[{"functionCall":{"id":"x","name":"f","args":{"a":1}}}],"role":"model"},"finishReason":"STOP","index":1}],
				 "usageMetadata":{"promptTokenCount":30,"candidatesTokenCount":8,"totalTokenCount":48,"thoughtsTokenCount":10,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"AUDIO","tokenCount":5},{"modality":"IMAGE","tokenCount":15}],"serviceTier":"flex"},"modelVersion":"m","responseId":"r"}`,
			},
			{Name: "blocked", Body: `{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":0,"totalTokenCount":3},"modelVersion":"m"}`},
			{Name: "a call that failed", Body: `{"candidates":[{"content":{"parts":[],"role":"model"},"finishReason":"MALFORMED_FUNCTION_CALL","index":0}],"modelVersion":"m"}`},
		},
		CodecStreams: []llmtest.CodecStream{
			{
				Name: "two candidates, thoughts, an image, sources",
				Body: chunks(
					`{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0},{"content":{"parts":[{"text":"B"}]},"index":1}],"modelVersion":"m","responseId":"r"}`,
					`{"candidates":[{"content":{"parts":[{"text":"m","thought":true},{"text":"Hel"}],"role":"model"},"finishReason":"STOP","index":0}]}`,
					`{"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},"index":0,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a"}}],"groundingSupports":[{"segment":{"endIndex":5,"text":"Hello"},"groundingChunkIndices":[0]}]}}]}`,
					`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aaaa"}},{"executableCode":{"code":"1","language":"PYTHON"}}]},"finishReason":"STOP","index":0},{"finishReason":"MAX_TOKENS","index":1}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7}}`,
				),
			},
			{Name: "blocked", Body: chunks(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3},"modelVersion":"m","responseId":"r"}`)},
			{Name: "an array", ContentType: "application/json; charset=UTF-8", Body: "[{\"modelVersion\":\"m\",\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a]\\\"}\"}]}}]}\n,\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":1},\"modelVersion\":\"m\"}\n]\n"},
		},
		Malformed: malformed,
	})
}

func chunks(list ...string) (body string) {
	for _, c := range list {
		body += "data: " + c + "\r\n\r\n"
	}
	return body
}

// malformed are requests that the API would refuse, each with the pointer to what is wrong.
var malformed = []llmtest.Malformed{
	{Name: "no JSON", Body: `{"contents":[`, Pointer: ""},
	{Name: "an array", Body: `[]`, Pointer: ""},
	{Name: "nothing said", Body: `{}`, Pointer: "/contents"},
	{Name: "contents null", Body: `{"contents":null}`, Pointer: "/contents"},
	{Name: "contents of text", Body: `{"contents":"hi"}`, Pointer: "/contents"},
	{Name: "no contents", Body: `{"contents":[]}`, Pointer: "/contents"},
	{Name: "a content of text", Body: `{"contents":["hi"]}`, Pointer: "/contents/0"},
	{Name: "an unknown role", Body: `{"contents":[{"role":"assistant","parts":[{"text":"a"}]}]}`, Pointer: "/contents/0/role"},
	{Name: "a role that is a number", Body: `{"contents":[{"role":1,"parts":[{"text":"a"}]}]}`, Pointer: "/contents/0/role"},
	{Name: "no parts", Body: `{"contents":[{"role":"user"}]}`, Pointer: "/contents/0/parts"},
	{Name: "empty parts", Body: `{"contents":[{"parts":[]}]}`, Pointer: "/contents/0/parts"},
	{Name: "parts of text", Body: `{"contents":[{"parts":["a"]}]}`, Pointer: "/contents/0/parts/0"},
	{Name: "an empty part", Body: `{"contents":[{"parts":[{"text":"a"},{}]}]}`, Pointer: "/contents/0/parts/1"},
	{Name: "text that is a number", Body: `{"contents":[{"parts":[{"text":1}]}]}`, Pointer: "/contents/0/parts/0/text"},
	{Name: "thought that is a text", Body: `{"contents":[{"parts":[{"text":"a","thought":"yes"}]}]}`, Pointer: "/contents/0/parts/0/thought"},
	{Name: "text twice", Body: `{"contents":[{"parts":[{"text":"a","text":"b"}]}]}`, Pointer: "/contents/0/parts/0/text"},
	{Name: "an image without its type", Body: `{"contents":[{"parts":[{"inlineData":{"data":"aaaa"}}]}]}`, Pointer: "/contents/0/parts/0/inlineData/mimeType"},
	{Name: "an image without its bytes", Body: `{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png"}}]}]}`, Pointer: "/contents/0/parts/0/inline_data/data"},
	{Name: "an image that is text", Body: `{"contents":[{"parts":[{"inlineData":"aaaa"}]}]}`, Pointer: "/contents/0/parts/0/inlineData"},
	{Name: "a file without its place", Body: `{"contents":[{"parts":[{"fileData":{"mimeType":"image/png"}}]}]}`, Pointer: "/contents/0/parts/0/fileData/fileUri"},
	{Name: "a call without its name", Body: `{"contents":[{"role":"model","parts":[{"functionCall":{"args":{}}}]}]}`, Pointer: "/contents/0/parts/0/functionCall/name"},
	{Name: "arguments in a text", Body: `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]}]}`, Pointer: "/contents/0/parts/0/functionCall/args"},
	{Name: "a result without its name", Body: `{"contents":[{"parts":[{"functionResponse":{"response":{}}}]}]}`, Pointer: "/contents/0/parts/0/functionResponse/name"},
	{Name: "a result without its object", Body: `{"contents":[{"parts":[{"functionResponse":{"name":"f"}}]}]}`, Pointer: "/contents/0/parts/0/functionResponse/response"},
	{Name: "a result that is text", Body: `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":"ok"}}]}]}`, Pointer: "/contents/0/parts/0/functionResponse/response"},
	{Name: "instructions without parts", Body: `{"systemInstruction":{},"contents":[{"parts":[{"text":"a"}]}]}`, Pointer: "/systemInstruction/parts"},
	{Name: "tools that are text", Body: `{"contents":[{"parts":[{"text":"a"}]}],"tools":"search"}`, Pointer: "/tools"},
	{Name: "a function without its name", Body: `{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"description":"x"}]}]}`, Pointer: "/tools/0/functionDeclarations/0/name"},
	{Name: "parameters that are a list", Body: `{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":[]}]}]}`, Pointer: "/tools/0/functionDeclarations/0/parameters"},
	{Name: "an unknown mode", Body: `{"contents":[{"parts":[{"text":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}`, Pointer: "/toolConfig/functionCallingConfig/mode"},
	{Name: "a temperature in words", Body: `{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"temperature":"hot"}}`, Pointer: "/generationConfig/temperature"},
	{Name: "half a token", Body: `{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":1.5}}`, Pointer: "/generationConfig/maxOutputTokens"},
	{Name: "a stop word alone", Body: `{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"stopSequences":"x"}}`, Pointer: "/generationConfig/stopSequences"},
	{Name: "a stop word that is a number", Body: `{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"stop_sequences":["a",1]}}`, Pointer: "/generationConfig/stop_sequences/1"},
	{Name: "a schema without a type", Body: `{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"responseSchema":{"type":"OBJECT"}}}`, Pointer: "/generationConfig/responseMimeType"},
	{Name: "a budget in words", Body: `{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":"much"}}}`, Pointer: "/generationConfig/thinkingConfig/thinkingBudget"},
	{Name: "safety settings in an object", Body: `{"contents":[{"parts":[{"text":"a"}]}],"safetySettings":{}}`, Pointer: "/safetySettings"},
}

func FuzzChat(f *testing.F) {
	to := &canon.Target{Provider: "gemini", Model: "gemini-2.5-flash"}
	llmtest.FuzzCodec(f, gemini.New(), llm.Match{Op: llm.Chat, Model: "m", Stream: true, Query: "alt=sse"}, to, "text/event-stream",
		everything, `{"contents":[{"parts":[{"text":"a"}]}]}`, chunks(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`),
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}]},"finishReason":"STOP"}]}`, `{"error":{"code":400,"message":"x","status":"INTERNAL"}}`)
}

func FuzzArray(f *testing.F) {
	to := &canon.Target{Provider: "gemini", Model: "gemini-2.5-flash"}
	llmtest.FuzzCodec(f, gemini.New(), llm.Match{Op: llm.Chat, Model: "m", Stream: true}, to, "application/json",
		"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}]", "[]", "[,", `[{"error":{"code":503,"message":"x"}}]`, `{"error":{}}`)
}
