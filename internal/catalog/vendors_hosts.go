package catalog

// hosts run open models of others, in OpenAI's dialect.
func hosts() []Vendor {
	// What servers that are made of vLLM and its kin take beyond OpenAI's members.
	sampling := []string{"min_p", "repetition_penalty", "top_k"}
	return []Vendor{
		{
			Kind: "groq", Title: "Groq", BaseURL: "https://api.groq.com/openai/v1", NeedsKey: true,
			Source: "https://console.groq.com/docs/openai",
			Ops:    []string{"responses", "transcriptions", "translations", "speech", "files", "batches"},
			Quirks: Quirks{
				MaxTokens: "max_completion_tokens",
				// The first four are refused with 400.
				Refuses: []string{"logit_bias", "logprobs", "n", "top_logprobs", "frequency_penalty", "metadata", "presence_penalty", "store"},
				Has:     []string{"reasoning_effort", "reasoning_format"}, ThinkingIn: "reasoning",
			},
		},
		{
			Kind: "together", Title: "Together AI", Also: []string{"together-ai", "together_ai"}, BaseURL: "https://api.together.xyz/v1", NeedsKey: true,
			Source: "https://docs.together.ai/docs/openai-api-compatibility",
			Ops:    []string{"completions", "embeddings", "rerank", "images", "speech", "transcriptions", "translations", "files", "batches"},
			Quirks: Quirks{Has: append([]string{"reasoning_effort"}, sampling...), ThinkingIn: "reasoning"},
		},
		{
			Kind: "fireworks", Title: "Fireworks AI", Also: []string{"fireworks-ai", "fireworks_ai"}, BaseURL: "https://api.fireworks.ai/inference/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.fireworks.ai/inference"},
			Source: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
			Ops:    []string{"responses", "stored", "completions", "embeddings", "rerank"},
			Quirks: Quirks{Has: append([]string{"prompt_truncate_len", "reasoning_effort"}, sampling...), ThinkingIn: "reasoning_content"},
		},
		{
			Kind: "cerebras", Title: "Cerebras", BaseURL: "https://api.cerebras.ai/v1", NeedsKey: true,
			Source: "https://inference-docs.cerebras.ai/resources/openai",
			Ops:    []string{"completions"},
			Quirks: Quirks{
				MaxTokens: "max_completion_tokens", Refuses: []string{"frequency_penalty", "logit_bias", "presence_penalty"},
				Has: []string{"reasoning_effort"}, ThinkingIn: "reasoning",
			},
		},
		{
			Kind: "sambanova", Title: "SambaNova", BaseURL: "https://api.sambanova.ai/v1", NeedsKey: true,
			Source: "https://docs.sambanova.ai/docs/en/features/openai-compatibility",
			Ops:    []string{"embeddings", "completions", "transcriptions", "translations"},
			Quirks: Quirks{
				Refuses: []string{"frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "seed", "top_logprobs"},
				Has:     []string{"reasoning_effort", "top_k"},
			},
		},
		{
			Kind: "nvidia", Title: "NVIDIA NIM", Also: []string{"nim", "nvidia-nim"}, BaseURL: "https://integrate.api.nvidia.com/v1", NeedsKey: true,
			Source: "https://docs.api.nvidia.com/nim/reference/llm-apis",
			Ops:    []string{"embeddings", "completions"},
		},
		{
			Kind: "huggingface", Title: "Hugging Face Inference Providers", Also: []string{"hf", "hugging-face"}, BaseURL: "https://router.huggingface.co/v1", NeedsKey: true,
			Source: "https://huggingface.co/docs/inference-providers",
			Ops:    []string{"responses"},
			Quirks: Quirks{Has: []string{"reasoning_effort"}},
		},
		{
			Kind: "deepinfra", Title: "DeepInfra", BaseURL: "https://api.deepinfra.com/v1/openai", NeedsKey: true,
			Source: "https://deepinfra.com/docs/openai_api",
			Ops:    []string{"completions", "embeddings", "images", "speech", "transcriptions", "translations", "files", "batches"},
			Quirks: Quirks{Has: append([]string{"reasoning_effort"}, sampling...), ThinkingIn: "reasoning_content"},
		},
		{
			Kind: "novita", Title: "Novita AI", BaseURL: "https://api.novita.ai/openai/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://api.novita.ai/anthropic"},
			Source: "https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
			Ops:    []string{"completions", "embeddings", "rerank", "files", "batches"},
			Quirks: Quirks{Has: append([]string{"enable_thinking", "separate_reasoning"}, sampling...), ThinkingIn: "reasoning_content", ThinkingSwitch: "enable_thinking"},
		},
		{
			Kind: "siliconflow", Title: "SiliconFlow", BaseURL: "https://api.siliconflow.com/v1", NeedsKey: true,
			Source: "https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions",
			Ops:    []string{"embeddings", "rerank", "images", "speech", "transcriptions", "files", "batches"},
			Quirks: Quirks{Has: []string{"enable_thinking", "min_p", "thinking_budget", "top_k"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "enable_thinking"},
		},
		{
			Kind: "nebius", Title: "Nebius Token Factory", BaseURL: "https://api.tokenfactory.nebius.com/v1", NeedsKey: true,
			Source: "https://docs.tokenfactory.nebius.com",
			Ops:    []string{"completions", "embeddings", "images", "files", "batches"},
			Quirks: Quirks{Has: sampling},
		},
		{
			Kind: "scaleway", Title: "Scaleway Generative APIs", BaseURL: "https://api.scaleway.ai/v1", NeedsKey: true,
			Source: "https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api",
			Ops:    []string{"responses", "embeddings", "rerank", "transcriptions", "files", "batches"},
			Quirks: Quirks{Refuses: []string{"frequency_penalty", "logit_bias", "n", "top_logprobs", "user"}, Has: []string{"reasoning_effort"}},
		},
		{
			Kind: "venice", Title: "Venice AI", BaseURL: "https://api.venice.ai/api/v1", NeedsKey: true,
			Source: "https://docs.venice.ai/api-reference/endpoint/chat/completions",
			Ops:    []string{"embeddings", "images", "speech", "transcriptions"},
			Quirks: Quirks{Has: append([]string{"reasoning_effort", "venice_parameters"}, sampling...), ThinkingIn: "reasoning_content"},
		},
		{
			Kind: "baseten", Title: "Baseten Model APIs", BaseURL: "https://inference.baseten.co/v1", NeedsKey: true,
			Source: "https://docs.baseten.co/development/model-apis/overview",
			Ops:    []string{},
			Quirks: Quirks{Has: []string{"reasoning_effort", "top_k"}},
		},
		{
			Kind: "hyperbolic", Title: "Hyperbolic", BaseURL: "https://api.hyperbolic.xyz/v1", NeedsKey: true,
			Source: "https://docs.hyperbolic.xyz/docs/rest-api",
			Ops:    []string{"completions"},
			Quirks: Quirks{Has: sampling},
		},
		{
			Kind: "featherless", Title: "Featherless", BaseURL: "https://api.featherless.ai/v1", NeedsKey: true,
			Source: "https://featherless.ai/docs/completions",
			Ops:    []string{"completions"},
			Quirks: Quirks{Has: sampling},
		},
		{
			Kind: "chutes", Title: "Chutes", BaseURL: "https://llm.chutes.ai/v1", NeedsKey: true,
			Source: "https://chutes.ai/docs",
			Ops:    []string{"completions", "embeddings"},
			Quirks: Quirks{Has: sampling},
		},
		{
			Kind: "friendli", Title: "FriendliAI", Also: []string{"friendliai"}, BaseURL: "https://api.friendli.ai/serverless/v1", NeedsKey: true,
			Source: "https://friendli.ai/docs/openapi/model-apis/chat-completions",
			Ops:    []string{"completions"},
			Quirks: Quirks{Has: append([]string{"reasoning_effort"}, sampling...), ThinkingIn: "reasoning_content"},
		},
		{
			Kind: "inference-net", Title: "Inference.net", Also: []string{"inference.net"}, BaseURL: "https://api.inference.net/v1", NeedsKey: true,
			Source: "https://docs.inference.net",
			Ops:    []string{"completions", "embeddings", "files", "batches"},
		},
		{
			Kind: "databricks", Title: "Databricks Foundation Model APIs", Example: "https://WORKSPACE.cloud.databricks.com/serving-endpoints", NeedsKey: true,
			Source: "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference",
			Ops:    []string{"completions", "embeddings", "responses"},
			Quirks: Quirks{Has: []string{"reasoning_effort", "top_k"}},
		},
		{
			Kind: "cloudflare", Title: "Cloudflare Workers AI", Also: []string{"workers-ai"}, Example: "https://api.cloudflare.com/client/v4/accounts/ACCOUNT/ai/v1", NeedsKey: true,
			Source: "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
			Ops:    []string{"embeddings", "responses"},
		},
		{
			Kind: "github", Title: "GitHub Models", Also: []string{"github-models"}, BaseURL: "https://models.github.ai/inference", NeedsKey: true,
			Source: "https://docs.github.com/en/rest/models/inference",
			Ops:    []string{"embeddings"},
		},
		{
			Kind: "digitalocean", Title: "DigitalOcean Inference", BaseURL: "https://inference.do-ai.run/v1", NeedsKey: true,
			Source: "https://docs.digitalocean.com/products/gradient-ai-platform/how-to/use-serverless-inference",
			Ops:    []string{"responses", "images"},
		},
		{
			Kind: "ovhcloud", Title: "OVHcloud AI Endpoints", BaseURL: "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
			Source: "https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints-getting-started",
			Ops:    []string{"completions", "embeddings", "transcriptions"},
		},
		{
			Kind: "parasail", Title: "Parasail", BaseURL: "https://api.parasail.io/v1", NeedsKey: true,
			Source: "https://docs.parasail.io",
			Ops:    []string{"completions", "embeddings", "files", "batches"},
			Quirks: Quirks{Has: sampling},
		},
		{
			Kind: "modelscope", Title: "ModelScope", BaseURL: "https://api-inference.modelscope.cn/v1", NeedsKey: true,
			Source: "https://www.modelscope.cn/docs/model-service/API-Inference/intro",
			Quirks: Quirks{Has: []string{"enable_thinking", "top_k"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "enable_thinking"},
		},
		{
			Kind: "gmi", Title: "GMI Cloud", BaseURL: "https://api.gmi-serving.com/v1", NeedsKey: true,
			Source: "https://docs.gmicloud.ai",
			Quirks: Quirks{Has: sampling},
		},
	}
}

// gateways pass calls on to others.
func gateways() []Vendor {
	return []Vendor{
		{
			Kind: "openrouter", Title: "OpenRouter", BaseURL: "https://openrouter.ai/api/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://openrouter.ai/api"},
			Source: "https://openrouter.ai/docs/api/reference/overview",
			Ops:    []string{"responses", "completions", "embeddings", "rerank"},
			Quirks: Quirks{
				Has: []string{
					"cache_control", "min_p", "models", "plugins", "provider", "reasoning", "reasoning_details", "repetition_penalty", "top_a", "top_k",
					"transforms", "video_url",
				},
				ThinkingIn: "reasoning", ThinkingSwitch: "reasoning",
			},
		},
		{
			Kind: "vercel", Title: "Vercel AI Gateway", BaseURL: "https://ai-gateway.vercel.sh/v1", NeedsKey: true,
			Roots:  map[string]string{dialectAnthropic: "https://ai-gateway.vercel.sh"},
			Source: "https://vercel.com/docs/ai-gateway/openai-compat",
			Ops:    []string{"responses", "embeddings"},
			Quirks: Quirks{Has: []string{"cache_control", "providerOptions", "reasoning", "reasoning_details"}, ThinkingIn: "reasoning", ThinkingSwitch: "reasoning"},
		},
		{
			Kind: "requesty", Title: "Requesty", BaseURL: "https://router.requesty.ai/v1", NeedsKey: true,
			Source: "https://docs.requesty.ai/api-reference/endpoint/chat-completions-create",
			Ops:    []string{"embeddings"},
			Quirks: Quirks{Has: []string{"reasoning_effort"}},
		},
		{
			Kind: "poe", Title: "Poe", BaseURL: "https://api.poe.com/v1", NeedsKey: true,
			Source: "https://creator.poe.com/docs/external-applications/openai-compatible-api",
			Ops:    []string{"responses"},
			Quirks: Quirks{Refuses: []string{"logit_bias", "metadata", "modalities", "prediction", "seed", "store", "user"}, NoSchema: true, ThinkingSwitch: "none"},
		},
		{
			Kind: "litellm", Title: "LiteLLM proxy", BaseURL: "http://127.0.0.1:4000/v1",
			Roots:  map[string]string{dialectAnthropic: "http://127.0.0.1:4000"},
			Source: "https://docs.litellm.ai/docs/simple_proxy",
			Quirks: Quirks{Has: []string{"reasoning_effort"}},
		},
	}
}

// servers run on the reader's own machines. The addresses are what each listens on when nothing is said.
func servers() []Vendor {
	return []Vendor{
		{
			Kind: "ollama", Title: "Ollama", BaseURL: "http://127.0.0.1:11434/v1",
			Roots:  map[string]string{dialectOllama: "http://127.0.0.1:11434", dialectAnthropic: "http://127.0.0.1:11434"},
			Source: "https://docs.ollama.com/api/openai-compatibility",
			Ops:    []string{"responses", "completions", "embeddings"},
			Quirks: Quirks{
				Refuses: []string{"logit_bias", "n", "tool_choice", "user"}, Has: []string{"reasoning", "reasoning_effort"},
				ThinkingIn: "reasoning", NoImageURL: true,
			},
		},
		{
			Kind: "llamacpp", Title: "llama.cpp server", Also: []string{"llama.cpp", "llama-server", "llamafile"}, BaseURL: "http://127.0.0.1:8080/v1",
			Roots:  map[string]string{dialectAnthropic: "http://127.0.0.1:8080"},
			Source: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
			Ops:    []string{"responses", "completions", "embeddings", "rerank"},
			Quirks: Quirks{
				Renames: map[string]string{"repetition_penalty": "repeat_penalty"},
				Has:     []string{"cache_prompt", "min_p", "reasoning_format", "repeat_penalty", "top_k"}, ThinkingIn: "reasoning_content", ThinkingSwitch: "none",
			},
		},
		{
			Kind: "vllm", Title: "vLLM", BaseURL: "http://127.0.0.1:8000/v1",
			Roots:  map[string]string{dialectAnthropic: "http://127.0.0.1:8000"},
			Source: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
			Ops:    []string{"responses", "stored", "completions", "embeddings", "rerank", "transcriptions", "translations"},
			Quirks: Quirks{Has: []string{"chat_template_kwargs", "min_p", "reasoning_effort", "repetition_penalty", "top_k"}},
		},
		{
			Kind: "sglang", Title: "SGLang", BaseURL: "http://127.0.0.1:30000/v1",
			Source: "https://docs.sglang.ai/basic_usage/openai_api.html",
			Ops:    []string{"responses", "completions", "embeddings", "rerank"},
			Quirks: Quirks{Has: []string{"chat_template_kwargs", "min_p", "reasoning_effort", "repetition_penalty", "separate_reasoning", "top_k"}, ThinkingIn: "reasoning_content"},
		},
		{
			Kind: "lmstudio", Title: "LM Studio", Also: []string{"lm-studio"}, BaseURL: "http://127.0.0.1:1234/v1",
			Roots:  map[string]string{dialectAnthropic: "http://127.0.0.1:1234"},
			Source: "https://lmstudio.ai/docs/app/api/endpoints/openai",
			Ops:    []string{"responses", "completions", "embeddings"},
			Quirks: Quirks{
				Renames: map[string]string{"repetition_penalty": "repeat_penalty"},
				Has:     []string{"repeat_penalty", "top_k"}, NoImageURL: true,
			},
		},
		{
			Kind: "localai", Title: "LocalAI", BaseURL: "http://127.0.0.1:8080/v1",
			Source: "https://localai.io/features",
			Ops:    []string{"completions", "embeddings", "rerank", "images", "speech", "transcriptions"},
			Quirks: Quirks{Has: []string{"min_p", "top_k"}},
		},
		{
			Kind: "docker", Title: "Docker Model Runner", Also: []string{"docker-model-runner"}, BaseURL: "http://127.0.0.1:12434/engines/v1",
			Source: "https://docs.docker.com/ai/model-runner/api-reference",
			Ops:    []string{"completions", "embeddings"},
			Quirks: Quirks{Has: []string{"min_p", "top_k"}},
		},
	}
}
