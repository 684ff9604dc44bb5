package openai

// MustAskUsage tells whether a provider of this kind reports the usage of a stream only when
// stream_options asks for it. Those listed report it unasked, and some of them refuse the member.
// An unknown kind is asked: OpenAI, Azure, Groq, DeepSeek, OpenRouter, xAI, Z.ai, Hugging Face,
// Ollama, vLLM and llama.cpp understand it.
func MustAskUsage(kind string) bool {
	switch kind {
	case "mistral": // no stream_options in its API description; recorded streams have usage in the last chunk
		return false
	case "perplexity": // every chunk has usage
		return false
	}
	return true
}
