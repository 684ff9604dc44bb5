package bedrock_test

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
)

const (
	sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	opus   = "global.anthropic.claude-opus-4-7-v1"
)

// everything is a request with all that Converse takes.
const everything = `{
 "system":[{"text":"Be brief."},{"cachePoint":{"type":"default","ttl":"1h"}},{"guardContent":{"text":{"text":"guarded","qualifiers":["grounding_source"]}}}],
 "messages":[
  {"role":"user","content":[{"text":"What is this?"},
    {"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},
    {"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://bucket/a.jpg","bucketOwner":"123456789012"}}}},
    {"document":{"format":"pdf","name":"report (1)","source":{"bytes":"JVBERi0="},"context":"for the audit","citations":{"enabled":true}}},
    {"document":{"format":"txt","name":"notes","source":{"text":"plain notes"}}},
    {"document":{"name":"chunks","source":{"content":[{"text":"one"},{"text":"two"}]}}},
    {"video":{"format":"mp4","source":{"s3Location":{"uri":"s3://bucket/v.mp4"}}}},
    {"audio":{"format":"wav","source":{"bytes":"UklGRg=="}}},
    {"guardContent":{"text":{"text":"look at me"}}},
    {"searchResult":{"source":"https://example.com/a","title":"A","content":[{"text":"found"}],"citations":{"enabled":true}}},
    {"cachePoint":{"type":"default"}}]},
  {"role":"assistant","content":[
    {"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"EqQBCkg="}}},
    {"reasoningContent":{"redactedContent":"RW1iZXI="}},
    {"citationsContent":{"content":[{"text":"It is a ruby."}],"citations":[{"title":"A","sourceContent":[{"text":"ruby"}],"location":{"web":{"url":"https://example.com/a","domain":"example.com"}}}]}},
    {"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":{"city":"Paris","days":2}}},
    {"toolUse":{"toolUseId":"tooluse_2","name":"weather","input":{}}}]},
  {"role":"user","content":[
    {"toolResult":{"toolUseId":"tooluse_1","content":[{"json":{"temp":21.50}}],"status":"success"}},
    {"toolResult":{"toolUseId":"tooluse_2","content":[{"text":"no"},{"image":{"format":"gif","source":{"bytes":"R0lGOA=="}}}],"status":"error"}},
    {"text":"So?"}]}],
 "inferenceConfig":{"maxTokens":4096,"temperature":1,"topP":0.95,"stopSequences":["END","STOP"]},
 "toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"The weather","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"}}}},"strict":true}},
   {"cachePoint":{"type":"default"}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"tool":{"name":"weather"}}},
 "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1}}}","name":"out","description":"An answer"}}},"effort":"high"},
 "guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"},
 "additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2048},"top_k":40,"anthropic_beta":["context-1m-2025-08-07"]},
 "additionalModelResponseFieldPaths":["/stop_sequence","/x"],
 "promptVariables":{"v":{"text":"x"}},
 "requestMetadata":{"team":"a","cost center":"42"},
 "performanceConfig":{"latency":"optimized"},
 "serviceTier":{"type":"priority"}
}`

func suite(t testing.TB) llmtest.CodecSuite {
	rec, str := recorded(t), streams(t)
	at := llm.Match{Model: sonnet}
	return llmtest.CodecSuite{
		Dialect: bedrock.New(), Op: llm.Chat,
		DifferAnswer: []string{"-/output/message/content/*/toolUse/type", "-/usage/cacheReadInputTokenCount", "-/usage/cacheWriteInputTokenCount", "-/usage/serverToolUsage"},
		CodecRequests: []llmtest.CodecRequest{
			{Name: "0082", Body: rec["bedrock-0082"].Request, Match: at, Differ: []string{"-/inferenceConfig"}},
			{Name: "0083", Body: rec["bedrock-0083"].Request, Match: at, Differ: []string{"-/inferenceConfig"}},
			{Name: "0084", Body: rec["bedrock-0084"].Request, Match: at, Differ: []string{"-/inferenceConfig"}},
			{Name: "0085", Body: rec["bedrock-0085"].Request, Match: at, Differ: []string{"-/inferenceConfig"}},
			{Name: "everything", Body: everything, Match: at, Differ: []string{"-/messages/2/content/0/toolResult/status"}},
			{
				Name: "Nova", Match: llm.Match{Model: "us.amazon.nova-2-lite-v1:0", Stream: true},
				Body: `{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"inferenceConfig":{"topK":20},"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"}}}`,
			},
			{
				Name: "OpenAI's open models", Match: llm.Match{Model: "openai.gpt-oss-120b-1:0"},
				Body: `{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"reasoning_effort":"low","seed":1}}`,
			},
			{
				Name: "no parallel calls", Match: at,
				Body: `{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}}`,
			},
			{
				Name: "a stop sequence asked back", Match: at,
				Body: `{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"stopSequences":["x"]},"additionalModelResponseFieldPaths":["/stop_sequence"]}`,
			},
			{
				Name: "a block that is not known", Match: at,
				Body: `{"messages":[{"role":"user","content":[{"toolAddition":{"tool":{"name":"x"}}},{"text":"Hi"}]}]}`,
			},
		},
		CodecAnswers: []llmtest.CodecAnswer{
			{Name: "0083", Body: rec["bedrock-0083"].Body},
			{Name: "0084", Body: rec["bedrock-0084"].Body},
			{
				Name: "everything", Report: []string{"trace;lost", "performanceConfig;lost"},
				Differ: []string{"-/trace", "-/performanceConfig"},
				Body: `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"EqQBCkg="}}},{"reasoningContent":{"redactedContent":"RW1iZXI="}},
 {"text":"So "},{"citationsContent":{"content":[{"text":"it is."}],"citations":[{"title":"A","location":{"documentPage":{"documentIndex":0,"start":1,"end":1}}}]}},
 {"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},{"toolUse":{"toolUseId":"t-1","name":"f","input":{"a":[1,2.50]}}},{"toolUse":{"toolUseId":"t-2","name":"search","input":{"q":"x"},"type":"server_tool_use"}}]}},
 "stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"},"usage":{"inputTokens":20,"outputTokens":90,"totalTokens":1310,"cacheReadInputTokens":1000,"cacheWriteInputTokens":200,"cacheDetails":[{"ttl":"1h","inputTokens":150},{"ttl":"5m","inputTokens":50}]},
 "metrics":{"latencyMs":812},"trace":{"guardrail":{}},"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"priority"}}`,
			},
			{
				Name: "a guardrail",
				Body: `{"output":{"message":{"role":"assistant","content":[{"text":"Sorry."}]}},"stopReason":"guardrail_intervened","usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0},"metrics":{"latencyMs":1}}`,
			},
		},
		CodecStreams: []llmtest.CodecStream{
			{
				Name: "text", Body: str["text"], ContentType: streamType,
				Whole: `{"output":{"message":{"role":"assistant","content":[{"text":"Hello, \"you\"\nΩ😀"}]}},"stopReason":"end_turn","usage":{"inputTokens":12,"outputTokens":7,"totalTokens":19},"metrics":{"latencyMs":812}}`,
			},
			{Name: "thinking and tools", Body: str["thinking and tools"], ContentType: streamType},
			{
				Name: "redacted thinking and citations", Body: str["redacted thinking and citations"], ContentType: streamType,
				Whole: `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"redactedContent":"RW1iZXJBcQ=="}},{"citationsContent":{"content":[{"text":"The sky is blue"}],"citations":[{"title":"Sky","sourceContent":[{"text":"blue"}],"location":{"documentPage":{"documentIndex":0,"start":1,"end":2}}}]}}]}},"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"},"usage":{"inputTokens":5,"outputTokens":4,"totalTokens":9},"metrics":{"latencyMs":812}}`,
			},
			{Name: "image", Body: str["image"], ContentType: streamType},
		},
		Malformed: malformed,
	}
}

var malformed = []llmtest.Malformed{
	{Name: "no JSON", Body: `{"messages":`, Pointer: ""},
	{Name: "an array", Body: `[]`, Pointer: ""},
	{Name: "no messages", Body: `{"system":[{"text":"x"}]}`, Pointer: "/messages"},
	{Name: "messages no array", Body: `{"messages":{"role":"user"}}`, Pointer: "/messages"},
	{Name: "a message no object", Body: `{"messages":["Hi"]}`, Pointer: "/messages/0"},
	{Name: "no role", Body: `{"messages":[{"content":[{"text":"x"}]}]}`, Pointer: "/messages/0/role"},
	{Name: "an unknown role", Body: `{"messages":[{"role":"tool","content":[]}]}`, Pointer: "/messages/0/role"},
	{Name: "no content", Body: `{"messages":[{"role":"user"}]}`, Pointer: "/messages/0/content"},
	{Name: "content a string", Body: `{"messages":[{"role":"user","content":"Hi"}]}`, Pointer: "/messages/0/content"},
	{Name: "a block a string", Body: `{"messages":[{"role":"user","content":["Hi"]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "an empty block", Body: `{"messages":[{"role":"user","content":[{}]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "two blocks in one", Body: `{"messages":[{"role":"user","content":[{"text":"a","image":{}}]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "text a number", Body: `{"messages":[{"role":"user","content":[{"text":1}]}]}`, Pointer: "/messages/0/content/0/text"},
	{Name: "an image without source", Body: `{"messages":[{"role":"user","content":[{"image":{"format":"png"}}]}]}`, Pointer: "/messages/0/content/0/image/source"},
	{Name: "a source of nothing", Body: `{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{}}}]}]}`, Pointer: "/messages/0/content/0/image/source"},
	{Name: "a document without name", Body: `{"messages":[{"role":"user","content":[{"document":{"format":"pdf","source":{"bytes":"YQ=="}}}]}]}`, Pointer: "/messages/0/content/0/document/name"},
	{Name: "a place in S3 without address", Body: `{"messages":[{"role":"user","content":[{"video":{"format":"mp4","source":{"s3Location":{}}}}]}]}`, Pointer: "/messages/0/content/0/video/source/s3Location/uri"},
	{Name: "a call without id", Body: `{"messages":[{"role":"assistant","content":[{"toolUse":{"name":"f","input":{}}}]}]}`, Pointer: "/messages/0/content/0/toolUse/toolUseId"},
	{Name: "a call without input", Body: `{"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f"}}]}]}`, Pointer: "/messages/0/content/0/toolUse/input"},
	{Name: "a call's input a string", Body: `{"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":"{}"}}]}]}`, Pointer: "/messages/0/content/0/toolUse/input"},
	{Name: "a result without id", Body: `{"messages":[{"role":"user","content":[{"toolResult":{"content":[]}}]}]}`, Pointer: "/messages/0/content/0/toolResult/toolUseId"},
	{Name: "a result's content a string", Body: `{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":"x"}}]}]}`, Pointer: "/messages/0/content/0/toolResult/content"},
	{Name: "an empty thought", Body: `{"messages":[{"role":"assistant","content":[{"reasoningContent":{}}]}]}`, Pointer: "/messages/0/content/0/reasoningContent"},
	{Name: "a cache point without type", Body: `{"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{}}]}]}`, Pointer: "/messages/0/content/1/cachePoint/type"},
	{Name: "system a string", Body: `{"messages":[],"system":"Be brief."}`, Pointer: "/system"},
	{Name: "maxTokens a string", Body: `{"messages":[],"inferenceConfig":{"maxTokens":"10"}}`, Pointer: "/inferenceConfig/maxTokens"},
	{Name: "maxTokens negative", Body: `{"messages":[],"inferenceConfig":{"maxTokens":-1}}`, Pointer: "/inferenceConfig/maxTokens"},
	{Name: "a stop sequence a number", Body: `{"messages":[],"inferenceConfig":{"stopSequences":["a",1]}}`, Pointer: "/inferenceConfig/stopSequences/1"},
	{Name: "toolConfig without tools", Body: `{"messages":[],"toolConfig":{}}`, Pointer: "/toolConfig/tools"},
	{Name: "a tool of nothing", Body: `{"messages":[],"toolConfig":{"tools":[{}]}}`, Pointer: "/toolConfig/tools/0"},
	{Name: "a tool without name", Body: `{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"inputSchema":{"json":{}}}}]}}`, Pointer: "/toolConfig/tools/0/toolSpec/name"},
	{Name: "a tool without schema", Body: `{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}}`, Pointer: "/toolConfig/tools/0/toolSpec/inputSchema"},
	{Name: "a schema a string", Body: `{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":"{}"}}}]}}`, Pointer: "/toolConfig/tools/0/toolSpec/inputSchema/json"},
	{Name: "a choice of nothing", Body: `{"messages":[],"toolConfig":{"tools":[],"toolChoice":{}}}`, Pointer: "/toolConfig/toolChoice"},
	{Name: "a form that is not known", Body: `{"messages":[],"outputConfig":{"textFormat":{"type":"xml"}}}`, Pointer: "/outputConfig/textFormat/type"},
	{Name: "a schema that is no JSON", Body: `{"messages":[],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{"}}}}}`, Pointer: "/outputConfig/textFormat/structure/jsonSchema/schema"},
	{Name: "thinking without budget", Body: `{"messages":[],"additionalModelRequestFields":{"thinking":{"type":"enabled"}}}`, Pointer: "/additionalModelRequestFields/thinking/budget_tokens"},
	{Name: "metadata a number", Body: `{"messages":[],"requestMetadata":{"a":1}}`, Pointer: "/requestMetadata/a"},
	{Name: "messages twice", Body: `{"messages":[],"messages":[]}`, Pointer: "/messages"},
}

func TestTheCodecGivesBackWhatItReads(t *testing.T) { llmtest.RunCodec(t, suite(t)) }

func FuzzCodec(f *testing.F) {
	rec := recorded(f)
	seeds := []string{everything, rec["bedrock-0083"].Request, rec["bedrock-0083"].Body, rec["bedrock-0084"].Body}
	for _, m := range malformed {
		seeds = append(seeds, m.Body)
	}
	for _, s := range streams(f) {
		seeds = append(seeds, s)
	}
	llmtest.FuzzCodec(f, bedrock.New(), llm.Match{Op: llm.Chat, Model: sonnet}, &canon.Target{Model: sonnet}, streamType, seeds...)
}

// written writes a request made by us for a model of Bedrock and returns what is sent and the losses. Its body is there only
// for the report's paths.
func written(t *testing.T, req *canon.Request, model string) (string, *canon.Report) {
	t.Helper()
	r := canon.NewReport(req)
	body, err := bedrock.New().Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: model, Fetch: fetch}, r)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return string(body), r
}

func fetch(url string) (mime, data string, err error) {
	if strings.Contains(url, "secret") {
		return "", "", errors.New("it leads to a private address")
	}
	return "image/png", "iVBORw0KGgo=", nil
}
