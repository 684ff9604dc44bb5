package catalog

import "slices"

// Vendors returns the providers' kinds that a file may name, in the order of the documentation: those
// with an API of their own, the large labs, hosts of open models, gateways, and servers of one's own.
// Each row's values are from the page in Source, and where the row says nothing it is not known.
func Vendors() []Vendor {
	return slices.Concat(natives(), labs(), hosts(), gateways(), servers(), []Vendor{{Kind: anyOpenAI, Title: "Any OpenAI-compatible server"}})
}

// natives have an API of their own.
func natives() []Vendor {
	return []Vendor{
		{
			Kind: "openai", Title: "OpenAI", BaseURL: "https://api.openai.com/v1", NeedsKey: true,
			Source: "https://platform.openai.com/docs/api-reference",
			Ops: []string{
				"responses", "stored", "completions", "embeddings", "moderations", "images", "speech", "transcriptions", "translations",
				"files", "batches", "realtime", "count_tokens",
			},
			Quirks: Quirks{MaxTokens: "max_completion_tokens", Developer: true, Has: []string{"allowed_tools", "custom_tools", "reasoning_effort", "web_search_options"}},
		},
		{
			Kind: "anthropic", Title: "Anthropic", Also: []string{"claude"}, Dialect: dialectAnthropic, BaseURL: "https://api.anthropic.com", NeedsKey: true, Auth: "x-api-key",
			Source: "https://docs.anthropic.com/en/api/messages",
			Ops:    []string{"count_tokens"},
		},
		{
			Kind: "gemini", Title: "Google Gemini API", Also: []string{"google", "google-ai-studio"}, Dialect: dialectGemini, BaseURL: "https://generativelanguage.googleapis.com", NeedsKey: true, Auth: "x-goog-api-key",
			Source: "https://ai.google.dev/api/generate-content",
			Ops:    []string{"embeddings", "count_tokens"},
		},
		{
			Kind: "vertex", Title: "Google Vertex AI", Also: []string{"vertex-ai", "vertex_ai"}, Dialect: dialectGemini, Example: "https://LOCATION-aiplatform.googleapis.com", NeedsKey: true, Auth: "google",
			Source: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
			Ops:    []string{}, Translated: []string{"embeddings", "count_tokens"},
		},
		{
			Kind: "bedrock", Title: "Amazon Bedrock", Also: []string{"aws-bedrock"}, Dialect: dialectBedrock, Example: "https://bedrock-runtime.REGION.amazonaws.com", NeedsKey: true, Auth: "aws",
			Source: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
			Ops:    []string{"count_tokens", "invoke"},
		},
		{
			Kind: "cohere", Title: "Cohere", Dialect: dialectCohere, BaseURL: "https://api.cohere.com", NeedsKey: true,
			Source: "https://docs.cohere.com/reference/chat",
			Ops:    []string{"embeddings", "rerank"},
		},
		{
			Kind: "azure-openai", Title: "Azure OpenAI", Also: []string{"azure", "azure_openai"}, Example: "https://RESOURCE.openai.azure.com", NeedsKey: true, Auth: "api-key",
			Source: "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle",
			Ops: []string{
				"responses", "stored", "completions", "embeddings", "images", "speech", "transcriptions", "translations", "files", "batches", "realtime",
			},
			Quirks: Quirks{MaxTokens: "max_completion_tokens", Developer: true, Has: []string{"allowed_tools", "custom_tools", "reasoning_effort", "web_search_options"}},
		},
	}
}

// labs make models, and serve them in OpenAI's dialect.
func labs() []Vendor {
	return []Vendor{
		{
			Kind: "mistral", Title: "Mistral AI", BaseURL: "https://api.mistral.ai/v1", NeedsKey: true,
			Source: "https://docs.mistral.ai/api",
			Ops:    []string{"embeddings", "moderations", "files", "transcriptions", "speech"},
			Quirks: Quirks{
				UsageAlways: true, ShortCallIDs: true,
				Strict:  true, // unknown members are refused with 422
				Efforts: []string{"high", "none"},
				Refuses: []string{
					"audio", "logit_bias", "logprobs", "modalities", "prompt_cache_retention", "safety_identifier", "service_tier", "store",
					"top_logprobs", "user", "verbosity", "web_search_options",
				},
				Renames: map[string]string{"seed": "random_seed"},
				Has:     []string{"prompt_mode", "random_seed", "reasoning_effort", "safe_prompt"}, ThinkingIn: "content",
				AnyTool: "any",
			},
		},
		{
			Kind: "deepseek", Title: "DeepSeek", BaseURL: "https://api.deepseek.com/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.deepseek.com/anthropic"},
			Source: "https://api-docs.deepseek.com/api/create-chat-completion",
			Ops:    []string{"responses"},
			Quirks: Quirks{
				Refuses: []string{
					"audio", "frequency_penalty", "logit_bias", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty",
					"seed", "service_tier", "store", "user", "verbosity", "web_search_options",
				},
				Has:      []string{"reasoning_effort", "thinking"},
				NoSchema: true, ThinkingIn: "reasoning_content", ThinkingSwitch: "thinking", Text: true,
			},
		},
		{
			Kind: "xai", Title: "xAI", Also: []string{"grok"}, BaseURL: "https://api.x.ai/v1", NeedsKey: true,
			Source: "https://docs.x.ai/docs/api-reference",
			Ops:    []string{"responses", "stored", "images", "files"},
			Quirks: Quirks{
				Refuses: []string{"audio", "logit_bias", "metadata", "modalities", "prediction", "store", "verbosity"},
				Has:     []string{"deferred", "reasoning_effort", "search_parameters"}, ThinkingIn: "reasoning_content",
			},
		},
		{
			Kind: "perplexity", Title: "Perplexity", BaseURL: "https://api.perplexity.ai", NeedsKey: true,
			Source: "https://docs.perplexity.ai/api-reference/chat-completions-post",
			Ops:    []string{},
			Quirks: Quirks{
				UsageAlways: true,
				Refuses: []string{
					"audio", "logit_bias", "logprobs", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "seed", "service_tier",
					"stop", "store", "tool_choice", "tools", "top_logprobs", "user", "verbosity",
				},
				Has: []string{"reasoning_effort", "search_domain_filter", "search_mode", "search_recency_filter", "top_k"},
			},
		},
		{
			Kind: "ai21", Title: "AI21 Labs", BaseURL: "https://api.ai21.com/studio/v1", NeedsKey: true,
			Source: "https://docs.ai21.com/reference/jamba-1-6-api-ref",
			Ops:    []string{"files"},
			Quirks: Quirks{Text: true, ThinkingSwitch: "none"},
		},
		{
			Kind: "alibaba", Title: "Qwen (Alibaba Cloud Model Studio)", Also: []string{"qwen", "dashscope"}, BaseURL: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://dashscope-intl.aliyuncs.com/apps/anthropic"},
			Source: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
			Ops:    []string{"embeddings", "completions", "files", "batches"},
			Quirks: Quirks{
				Refuses: []string{"logit_bias", "metadata", "service_tier", "store"},
				Has:     []string{"enable_search", "enable_thinking", "thinking_budget", "top_k"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "enable_thinking",
			},
		},
		{
			Kind: "moonshot", Title: "Moonshot AI (Kimi)", Also: []string{"kimi"}, BaseURL: "https://api.moonshot.ai/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.moonshot.ai/anthropic"},
			Source: "https://platform.kimi.ai/docs/api/chat",
			Ops:    []string{"responses", "files", "batches"},
			Quirks: Quirks{
				Refuses: []string{"logit_bias", "logprobs", "seed", "top_logprobs", "user"},
				Has:     []string{"reasoning_effort", "thinking"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "thinking",
				NoImageURL: true, // base64 or a file's ms:// name
			},
		},
		{
			Kind: "zhipu", Title: "Zhipu AI (BigModel)", Also: []string{"bigmodel", "glm"}, BaseURL: "https://open.bigmodel.cn/api/paas/v4", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://open.bigmodel.cn/api/anthropic"},
			Source: "https://docs.bigmodel.cn",
			Ops:    []string{"embeddings", "rerank", "images", "speech", "transcriptions", "files", "batches"},
			Quirks: glmQuirks(),
		},
		{
			Kind: "zai", Title: "Z.ai", Also: []string{"z-ai"}, BaseURL: "https://api.z.ai/api/paas/v4", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.z.ai/api/anthropic"},
			Source: "https://docs.z.ai/api-reference/llm/chat-completion",
			Ops:    []string{"images", "transcriptions", "files"},
			Quirks: glmQuirks(),
		},
		{
			Kind: "minimax", Title: "MiniMax", BaseURL: "https://api.minimax.io/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.minimax.io/anthropic"},
			Source: "https://platform.minimax.io/docs/api-reference/text-openai-api",
			Ops:    []string{"files"},
			Quirks: Quirks{
				Refuses: []string{"frequency_penalty", "logit_bias", "n", "presence_penalty"},
				Has:     []string{"reasoning_split"}, ThinkingSwitch: "none",
			},
		},
		{
			Kind: "volcengine", Title: "Volcengine Ark (Doubao)", Also: []string{"doubao", "ark"}, BaseURL: "https://ark.cn-beijing.volces.com/api/v3", NeedsKey: true,
			Source: "https://www.volcengine.com/docs/82379/1494384",
			Ops:    []string{"responses", "stored", "embeddings", "images", "files"},
			Quirks: Quirks{
				Refuses: []string{"metadata", "store", "user"},
				Has:     []string{"reasoning_effort", "thinking"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "thinking",
			},
		},
		{
			Kind: "hunyuan", Title: "Tencent Hunyuan", Also: []string{"tencent"}, BaseURL: "https://api.hunyuan.cloud.tencent.com/v1", NeedsKey: true,
			Source: "https://cloud.tencent.com/document/product/1729/111007",
			Ops:    []string{"embeddings"},
			Quirks: Quirks{Has: []string{"enable_enhancement", "enable_thinking", "top_k"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "enable_thinking"},
		},
		{
			Kind: "baichuan", Title: "Baichuan", BaseURL: "https://api.baichuan-ai.com/v1", NeedsKey: true,
			Source: "https://platform.baichuan-ai.com/docs/api",
			Ops:    []string{"embeddings", "files"},
			Quirks: Quirks{Has: []string{"top_k"}, ThinkingSwitch: "none", Text: true},
		},
		{
			Kind: "stepfun", Title: "StepFun", BaseURL: "https://api.stepfun.com/v1", NeedsKey: true,
			Source: "https://platform.stepfun.com/docs/api-reference/chat/chat-completion-create",
			Ops:    []string{"images", "speech", "transcriptions", "files"},
			Quirks: Quirks{Has: []string{"reasoning_effort"}},
		},
		{
			Kind: "qianfan", Title: "Baidu Qianfan", Also: []string{"baidu"}, BaseURL: "https://qianfan.baidubce.com/v2", NeedsKey: true,
			Source: "https://cloud.baidu.com/doc/qianfan-api/s/3m9b5lqft",
			Ops:    []string{"embeddings", "rerank", "images"},
			Quirks: Quirks{Has: []string{"enable_thinking", "penalty_score", "top_k"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "enable_thinking"},
		},
		{
			Kind: "upstage", Title: "Upstage", BaseURL: "https://api.upstage.ai/v1", NeedsKey: true,
			Source: "https://console.upstage.ai/api/chat",
			Ops:    []string{"embeddings"},
			Quirks: Quirks{Has: []string{"reasoning_effort"}},
		},
		{
			Kind: "xiaomi-mimo", Title: "Xiaomi MiMo", BaseURL: "https://api.xiaomimimo.com/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.xiaomimimo.com/anthropic"},
			Source: "https://platform.xiaomimimo.com/#/docs/api/text-generation/openai-api",
			Quirks: Quirks{Has: []string{"thinking"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "thinking"},
		},
		{
			Kind: "inception", Title: "Inception", BaseURL: "https://api.inceptionlabs.ai/v1", NeedsKey: true,
			Source: "https://docs.inceptionlabs.ai/api-reference",
		},
		{
			Kind: "jina", Title: "Jina AI (no chat)", BaseURL: "https://api.jina.ai/v1", NeedsKey: true,
			Source: "https://jina.ai/embeddings",
			Ops:    []string{"embeddings", "rerank"},
		},
		{
			Kind: "voyage", Title: "Voyage AI (no chat)", Also: []string{"voyageai"}, BaseURL: "https://api.voyageai.com/v1", NeedsKey: true,
			Source: "https://docs.voyageai.com/reference/embeddings-api",
			Ops:    []string{"embeddings", "rerank"},
			Quirks: Quirks{Refuses: []string{"user"}, Renames: map[string]string{"dimensions": "output_dimension"}, Has: []string{"input_type", "truncation"}},
		},
	}
}

// glmQuirks are those of Zhipu's models at its two addresses.
func glmQuirks() Quirks {
	return Quirks{
		Refuses: []string{
			"audio", "frequency_penalty", "logit_bias", "logprobs", "metadata", "modalities", "n", "parallel_tool_calls", "prediction",
			"presence_penalty", "seed", "service_tier", "store", "top_logprobs", "verbosity",
		},
		Renames:  map[string]string{"user": "user_id"},
		Has:      []string{"do_sample", "thinking", "tool_stream", "user_id"},
		NoSchema: true, ThinkingIn: "reasoning_content", ThinkingSwitch: "thinking",
	}
}
