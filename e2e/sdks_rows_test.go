package e2e

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"causeway/e2e/sdks/peers"
)

// matrixProvider is a provider of the matrix, by its peer's name.
type matrixProvider struct {
	title, kind, root, keys string
	model                   string // as the provider calls it
	form                    string // the API in which it is asked
	has                     string // operations beyond chats
}

const peerKeys = `keys: ["${PEER_KEY}"]`

var matrixProviders = map[string]matrixProvider{
	"openai":    {"OpenAI", "openai", "/v1", peerKeys, "gpt-5-mini", "chat", "embeddings"},
	"anthropic": {"Anthropic", "anthropic", "", peerKeys, "claude-sonnet-4-5-20250929", "anthropic", ""},
	"gemini":    {"Gemini", "gemini", "", peerKeys, "gemini-2.5-pro", "gemini", "embeddings"},
	"bedrock":   {"Bedrock", "bedrock, region: " + peers.AWSRegion, "", `keys: [{access_key_id: "${PEER_AWS_ID}", secret_access_key: "${PEER_AWS_SECRET}"}]`, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", ""},
	"cohere":    {"Cohere", "cohere", "", peerKeys, "command-a-03-2025", "cohere", "embeddings rerank"},
	"mistral":   {"Mistral", "mistral", "/v1", peerKeys, "mistral-small-latest", "chat", "embeddings"},
	"ollama":    {"Ollama", "ollama", "/v1", peerKeys, "qwen3", "chat", "embeddings"},
}

// matrixTask is a thing that programs do.
type matrixTask struct {
	title, do string
	kase      string // of the recorded answers
	streams   bool
	tools     bool   // there are calls, and an answer to their results
	needs     string // the operation beyond chats, "" for chats
	vectors   []int
	fails     string // how the provider fails
	kind      string // and what the gateway calls it
}

var matrixTasks = map[string]matrixTask{
	"text":             {title: "text", do: "text", kase: "text"},
	"stream":           {title: "streamed text", do: "stream", kase: "text", streams: true},
	"tools":            {title: "parallel tools and their results", do: "tools", kase: "tools", tools: true},
	"tools-stream":     {title: "the same, streamed", do: "tools-stream", kase: "tools", tools: true, streams: true},
	"runner":           {title: "tool runner", do: "runner", kase: "tools", tools: true},
	"schema":           {title: "structured output", do: "schema", kase: "schema"},
	"image":            {title: "image", do: "image", kase: "image"},
	"thinking":         {title: "thinking", do: "thinking", kase: "thinking"},
	"thinking-stream":  {title: "streamed thinking", do: "thinking-stream", kase: "thinking", streams: true},
	"thinking-tools":   {title: "thinking and tools, with what signs it", do: "thinking-tools", kase: "thinking-tools", tools: true},
	"responses":        {title: "Responses", do: "responses", kase: "text"},
	"responses-stream": {title: "streamed Responses", do: "responses-stream", kase: "text", streams: true},
	"generate":         {title: "generate", do: "generate", kase: "text"},
	"generate-stream":  {title: "streamed generate", do: "generate-stream", kase: "text", streams: true},
	"embed":            {title: "embeddings", do: "embed", needs: "embeddings", vectors: []int{peers.Dimensions, peers.Dimensions}},
	"rerank":           {title: "rerank", do: "rerank", needs: "rerank", vectors: []int{0, 1}},
	"count":            {title: "token count", do: "count"},
	"list":             {title: "list of models", do: "list"},
	"fail-429":         {title: "429", do: "fail", fails: peers.FailLimited, kind: "provider_rate_limited"},
	"fail-500":         {title: "500", do: "fail", fails: peers.FailError, kind: "provider_error"},
	"fail-busy":        {title: "overloaded", do: "fail", fails: peers.FailBusy, kind: "overloaded"},
	"fail-cut":         {title: "a stream cut", do: "fail-stream", streams: true, fails: peers.FailCut, kind: "truncated_body"},
	"fail-short":       {title: "a stream that ends early", do: "fail-stream", streams: true, fails: peers.FailShort, kind: "truncated_stream"},
}

// matrixSDK is an SDK, by its file's name.
type matrixSDK struct {
	title           string
	tasks           string // beyond those of all
	responses       bool   // speaks OpenAI's Responses
	usage           bool   // tells the tokens of an answer as the provider does
	thinking        bool   // tells the thinking
	thinkingStreams bool   // thinking and tools are streamed
	effort, plain   bool   // asks for thinking as an effort, or only that it be on
	tellsBreaks     bool   // a stream's error has the gateway's words
	classes         map[string]string
}

// quiet tells whether a provider is not asked for thoughts although the program wants them: OpenAI's programs say how
// much the model is to think, and Gemini's models tell of it only when asked; Cohere's and Ollama's say only that it is
// to think, and OpenAI's models take that for what they do anyway.
func (s matrixSDK) quiet(provider string) bool {
	switch provider {
	case "gemini":
		return s.effort
	case "openai":
		return s.plain
	}
	return false
}

// limits are rows that no gateway can help: what the SDK sends passes through to a provider of the same dialect, or the
// SDK itself refuses a whole answer.
var limits = map[string]string{
	"mistral/tools-stream/openai":     "the SDK takes no calls in pieces, and the provider's own go through",
	"mistral/image/openai":            "the SDK's own form of an image goes through",
	"mistral/embed/gemini":            "the SDK wants an id that only Mistral's vectors have",
	"mistral/embed/cohere":            "the SDK wants an id that only Mistral's vectors have",
	"vercel-anthropic/schema/cohere":  "the SDK does not know that the model fills schemas, and forces a tool",
	"vercel-anthropic/schema/gemini":  "the SDK does not know that the model fills schemas, and forces a tool",
	"vercel-anthropic/schema/mistral": "the SDK does not know that the model fills schemas, and forces a tool",
	"vercel-anthropic/schema/ollama":  "the SDK does not know that the model fills schemas, and forces a tool",
	"vercel-anthropic/schema/openai":  "the SDK does not know that the model fills schemas, and forces a tool",
}

// common are the tasks of all SDKs.
const common = "text stream tools tools-stream schema image thinking thinking-stream fail-429 fail-500 fail-busy fail-cut fail-short"

var matrixSDKs = map[string]matrixSDK{
	"openai-chat":         {effort: true, title: "npm openai, chat completions", tasks: "thinking-tools embed", usage: true, tellsBreaks: true, classes: raised("RateLimitError", "InternalServerError", "InternalServerError", "APIError")},
	"openai-responses":    {title: "npm openai, Responses", tasks: "thinking-tools", responses: true, usage: true, tellsBreaks: true, classes: raised("RateLimitError", "InternalServerError", "InternalServerError", "")},
	"anthropic":           {title: "npm @anthropic-ai/sdk", tasks: "runner thinking-tools count", usage: true, thinking: true, thinkingStreams: true, tellsBreaks: true, classes: raised("RateLimitError", "InternalServerError", "InternalServerError", "APIError")},
	"genai":               {title: "npm @google/genai", tasks: "thinking-tools embed count", usage: true, thinking: true, thinkingStreams: true, classes: raised("ApiError", "ApiError", "ApiError", "")},
	"mistral":             {effort: true, title: "npm @mistralai/mistralai", tasks: "embed", usage: true, classes: raised("MistralError", "MistralError", "MistralError", "")},
	"cohere":              {plain: true, title: "npm cohere-ai", tasks: "embed rerank", usage: true, classes: raised("CohereError", "CohereError", "CohereError", "")},
	"ollama":              {plain: true, title: "npm ollama", tasks: "generate generate-stream embed list", usage: true, tellsBreaks: true, classes: raised("ResponseError", "ResponseError", "ResponseError", "")},
	"bedrock":             {title: "npm @aws-sdk/client-bedrock-runtime, over h2c", tasks: "thinking-tools count", usage: true, thinkingStreams: true, classes: raised("ThrottlingException", "InternalServerException", "ServiceUnavailableException", "")},
	"vercel-openai":       {title: "Vercel AI SDK, @ai-sdk/openai", tasks: "thinking-tools embed", responses: true, thinkingStreams: true, classes: raised("APICallError", "APICallError", "APICallError", "")},
	"vercel-openai-chat":  {effort: true, title: "Vercel AI SDK, @ai-sdk/openai's chat", thinkingStreams: true, classes: raised("APICallError", "APICallError", "APICallError", "")},
	"vercel-anthropic":    {title: "Vercel AI SDK, @ai-sdk/anthropic", tasks: "thinking-tools", thinkingStreams: true, classes: raised("APICallError", "APICallError", "APICallError", "")},
	"vercel-google":       {title: "Vercel AI SDK, @ai-sdk/google", tasks: "thinking-tools embed", thinkingStreams: true, classes: raised("APICallError", "APICallError", "APICallError", "")},
	"langchain-openai":    {effort: true, title: "LangChain.js, @langchain/openai", classes: raised("RateLimitError", "InternalServerError", "InternalServerError", "")},
	"langchain-anthropic": {title: "LangChain.js, @langchain/anthropic", tasks: "thinking-tools", classes: raised("RateLimitError", "InternalServerError", "InternalServerError", "")},
	"go-openai":           {effort: true, title: "Go openai-go", tasks: "responses responses-stream embed", usage: true, tellsBreaks: true, classes: raised("*apierror.Error", "*apierror.Error", "*apierror.Error", "")},
	"go-anthropic":        {title: "Go anthropic-sdk-go", tasks: "thinking-tools count", usage: true, thinkingStreams: true, tellsBreaks: true, classes: raised("*apierror.Error", "*apierror.Error", "*apierror.Error", "")},
	"go-genai":            {title: "Go google.golang.org/genai", tasks: "thinking-tools embed count", usage: true, thinking: true, thinkingStreams: true, classes: raised("genai.APIError", "genai.APIError", "genai.APIError", "")},
}

// raised are an SDK's classes for a failure of each sort: 429, 500, overloaded, a stream that breaks.
func raised(limited, broken, busy, cut string) map[string]string {
	return map[string]string{peers.FailLimited: limited, peers.FailError: broken, peers.FailBusy: busy, peers.FailCut: cut, peers.FailShort: cut}
}

// everyRow is the full matrix, in a fixed order.
func everyRow() (rows []matrixRow) {
	for _, sdk := range sorted(matrixSDKs) {
		tasks := strings.Fields(common + " " + matrixSDKs[sdk].tasks)
		for _, task := range tasks {
			for _, provider := range sorted(matrixProviders) {
				if r := (matrixRow{sdk, task, provider}); limits[r.name()] == "" {
					rows = append(rows, r)
				}
			}
		}
	}
	return rows
}

// pairwise are rows enough that each SDK meets each of its tasks and each provider, and each task each provider.
func pairwise(rows []matrixRow) (few []matrixRow) {
	seen := map[[2]string]bool{}
	pairs := func(r matrixRow) [3][2]string {
		return [3][2]string{{"t " + r.SDK, r.Task}, {"p " + r.SDK, r.Provider}, {"x " + r.Task, r.Provider}}
	}
	for gain := 3; gain > 0; gain-- {
		for _, r := range rows {
			fresh := 0
			for _, p := range pairs(r) {
				if !seen[p] {
					fresh++
				}
			}
			if fresh < gain {
				continue
			}
			few = append(few, r)
			for _, p := range pairs(r) {
				seen[p] = true
			}
		}
	}
	return few
}

func sorted[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// updateSDKs writes docs/sdks.md from the full matrix.
var updateSDKs = flag.Bool("update-sdks", false, "write docs/sdks.md from the full matrix of SDKs")

func TestSDKMatrix(t *testing.T) {
	t.Parallel()
	rows := everyRow()
	full := os.Getenv("CAUSEWAY_SDKS") == "full" || *updateSDKs
	if only := os.Getenv("CAUSEWAY_SDK"); only != "" {
		rows = slices.DeleteFunc(rows, func(r matrixRow) bool { return !strings.Contains(r.name(), only) })
	} else if !full {
		rows = pairwise(rows)
	}
	g, all := matrixGateway(t, rows)
	cells := map[matrixRow]string{}
	for _, o := range walk(t, g, all, rows) {
		t.Run(o.row.name(), func(t *testing.T) { cells[o.row] = o.check(t) })
	}
	for name, p := range all {
		for _, h := range p.Heard() {
			if h.Refused != "" && !strings.HasPrefix(h.Refused, "thread: ") {
				t.Errorf("%s refuses what it was sent at %s: %.700s\n%.900s", name, h.Path, h.Refused, h.Body)
			}
		}
	}
	t.Logf("%d rows", len(rows))
	if *updateSDKs && !t.Failed() {
		writeSDKDocument(t, cells)
	}
}

// writeSDKDocument writes docs/sdks.md: a table for each SDK.
func writeSDKDocument(t *testing.T, cells map[matrixRow]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# SDKs over every provider\n\n<!-- Generated: make test-sdk SDKS=-update-sdks -->\n\n" +
		"Official SDKs, unmodified, only their base URL changed. `ok`: what the program got is what the provider said, and nothing was lost.\n" +
		"A field: it was reported in `Causeway-Translation`. `refused`: the provider has no such operation, and the call is refused with a kind.\n" +
		"The providers are local peers that serve recorded traffic and refuse what the providers' descriptions refuse (e2e/sdks/peers).\n")
	providers := sorted(matrixProviders)
	for _, sdk := range sorted(matrixSDKs) {
		fmt.Fprintf(&b, "\n## %s\n\n| |", matrixSDKs[sdk].title)
		for _, p := range providers {
			b.WriteString(" " + matrixProviders[p].title + " |")
		}
		b.WriteString("\n|" + strings.Repeat(" --- |", len(providers)+1))
		for _, task := range strings.Fields(common + " " + matrixSDKs[sdk].tasks) {
			b.WriteString("\n| " + matrixTasks[task].title + " |")
			for _, p := range providers {
				cell := cells[matrixRow{sdk, task, p}]
				if cell == "" {
					cell = "-"
				}
				b.WriteString(" " + cell + " |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## What is left out\n\nRows that no gateway can help, by SDK, task and provider:\n\n")
	for _, name := range sorted(limits) {
		fmt.Fprintf(&b, "- %s: %s\n", name, limits[name])
	}
	if err := os.WriteFile("../docs/sdks.md", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
