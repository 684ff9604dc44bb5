package openai

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// readChatUsage reads a usage object as readUsage does, with the parts that only translation needs.
func readChatUsage(n jsontree.Node) (u canon.Usage, said bool) {
	u = canon.NoUsage()
	if !n.IsObject() {
		return u, false
	}
	u.Input, u.Output = countOf(n.Get("prompt_tokens")), countOf(n.Get("completion_tokens"))
	total := countOf(n.Get("total_tokens"))
	if d := n.Get("prompt_tokens_details"); d.IsObject() {
		u.Cached, u.CacheWrite = countOf(d.Get("cached_tokens")), countOf(d.Get("cache_write_tokens"))
		u.AudioIn, u.ImageIn = countOf(d.Get("audio_tokens")), countOf(d.Get("image_tokens"))
		d.Get("text_tokens").Settle() // what is left of the sum
	}
	if d := n.Get("completion_tokens_details"); d.IsObject() {
		u.Reasoning = countOf(d.Get("reasoning_tokens"))
		u.AudioOut, u.ImageOut = countOf(d.Get("audio_tokens")), countOf(d.Get("image_tokens"))
		u.Predicted, u.PredictedWrong = countOf(d.Get("accepted_prediction_tokens")), countOf(d.Get("rejected_prediction_tokens"))
		d.Get("text_tokens").Settle()
	}
	if d := n.Get("prompt_token_details"); u.Cached < 0 { // Mistral's second spelling
		u.Cached = countOf(d.Get("cached_tokens"))
	} else {
		d.Settle()
	}
	for _, name := range [...]string{"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"} { // DeepSeek; Moonshot and Together; Mistral
		if hit := n.Get(name); u.Cached < 0 {
			u.Cached = countOf(hit)
		} else {
			hit.Settle() // the same again
		}
	}
	n.Get("prompt_cache_miss_tokens").Settle()                                         // the rest of the prompt
	if w := countOf(n.Get("cache_creation_input_tokens")); u.CacheWrite < 0 && w > 0 { // Vercel
		u.CacheWrite = w
	}
	searches := n.Get("server_tool_use").Get("web_search_requests") // OpenRouter
	if !searches.Exists() {
		searches = n.First("num_search_queries", "num_sources_used") // Perplexity, xAI
	}
	if v := countOf(searches); v > 0 {
		u.Searches = v
	}
	switch {
	case u.Output < 0 && u.Input >= 0 && total >= u.Input:
		u.Output = total - u.Input
	case u.Reasoning > 0 && u.Input >= 0 && total == u.Input+u.Output+u.Reasoning, u.Output >= 0 && u.Reasoning > u.Output: // xAI counts it beside, and Vercel's gateway
		u.Output += u.Reasoning
	}
	return u, u.Input >= 0 || u.Output >= 0
}

// countOf is a number when it is a count, else -1.
func countOf(n jsontree.Node) int64 {
	if n.Kind() != jsonscan.Number {
		return -1
	}
	return jsonscan.Int(n.Raw())
}

// writeUsage writes the value of usage.
func writeUsage(w *jsontree.Writer, u *canon.Usage) {
	in, out := max(u.Input, 0), max(u.Output, 0)
	w.Object()
	w.IntMember("prompt_tokens", in)
	w.IntMember("completion_tokens", out)
	w.IntMember("total_tokens", in+out)
	if max(u.Cached, u.CacheWrite, u.AudioIn, u.ImageIn) >= 0 {
		w.Name("prompt_tokens_details")
		w.Object()
		countMember(w, "cached_tokens", u.Cached)
		countMember(w, "cache_write_tokens", u.CacheWrite)
		countMember(w, "audio_tokens", u.AudioIn)
		countMember(w, "image_tokens", u.ImageIn)
		w.End()
	}
	if max(u.Reasoning, u.AudioOut, u.ImageOut, u.Predicted, u.PredictedWrong) >= 0 {
		w.Name("completion_tokens_details")
		w.Object()
		countMember(w, "reasoning_tokens", u.Reasoning)
		countMember(w, "audio_tokens", u.AudioOut)
		countMember(w, "image_tokens", u.ImageOut)
		countMember(w, "accepted_prediction_tokens", u.Predicted)
		countMember(w, "rejected_prediction_tokens", u.PredictedWrong)
		w.End()
	}
	if u.Searches > 0 {
		w.Name("server_tool_use")
		w.Object()
		w.IntMember("web_search_requests", u.Searches)
		w.End()
	}
	w.End()
}

func countMember(w *jsontree.Writer, name string, v int64) {
	if v >= 0 {
		w.IntMember(name, v)
	}
}
