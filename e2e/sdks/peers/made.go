package peers

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
)

// Tokens is what each peer counts for any prompt.
const Tokens = 17

// vector begins the one that Gemini's gemini-embedding-2 gave for "Ruby is a programmer's best friend"
// (github.com/crmne/ruby_llm, MIT): eight of its numbers are enough.
var vector = []float64{0.020942502, 0.020953933, 0.043206424, 0.0018469453, 0.015545371, -0.00752606, -0.044388685, 0.0117922025}

// Dimensions is the length of the vectors.
const Dimensions = 8

// made answers what depends on the request: as many vectors as texts, a count. They are made after the recorded ones.
func made(q *ask) (string, bool) {
	var v any
	many := func(n int, each func(i int) any) []any {
		all := make([]any, n)
		for i := range all {
			all[i] = each(i)
		}
		return all
	}
	plain := func(int) any { return vector }
	switch q.form {
	case "embeddings":
		n := 1
		if l := list(q.body["input"]); l != nil {
			n = len(l)
		}
		v = map[string]any{"id": "edcb80878ce141e1b8d8762c73ad1006", "object": "list", "model": q.model, "usage": map[string]int{"prompt_tokens": 8, "total_tokens": 8}, "data": many(n, func(i int) any {
			one := map[string]any{"object": "embedding", "index": i, "embedding": vector}
			if text(q.body["encoding_format"]) == "base64" {
				var b []byte
				for _, f := range vector {
					b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
				}
				one["embedding"] = base64.StdEncoding.EncodeToString(b)
			}
			return one
		})}
	case "gemini-embed":
		v = map[string]any{"embedding": map[string]any{"values": vector}}
	case "gemini-embeds":
		v = map[string]any{"embeddings": many(len(list(q.body["requests"])), func(int) any { return map[string]any{"values": vector} })}
	case "cohere-embed":
		texts := list(q.body["texts"])
		n := len(texts)
		if n == 0 {
			n = len(list(q.body["inputs"]))
		}
		v = map[string]any{
			"id": "edcb8087-8ce1-41e1-b8d8-762c73ad1006", "texts": texts, "embeddings": map[string]any{"float": many(n, plain)}, "response_type": "embeddings_by_type",
			"meta": map[string]any{"api_version": map[string]string{"version": "2"}, "billed_units": map[string]int{"input_tokens": 8}},
		}
	case "cohere-rerank":
		v = map[string]any{
			"id": "c5a1f0b2-3b1e-4f0f-9f56-0b7e9d1a2c3d", "meta": map[string]any{"api_version": map[string]string{"version": "2"}, "billed_units": map[string]int{"search_units": 1}},
			"results": many(len(list(q.body["documents"])), func(i int) any { return map[string]any{"index": i, "relevance_score": 0.9 / float64(i+1)} }),
		}
	case "count":
		v = map[string]any{"input_tokens": Tokens}
		if q.body["input"] != nil {
			v = map[string]any{"inputTokens": Tokens}
		} else if q.body["contents"] != nil || q.body["generateContentRequest"] != nil {
			v = map[string]any{"totalTokens": Tokens, "promptTokensDetails": []any{map[string]any{"modality": "TEXT", "tokenCount": Tokens}}}
		}
	default:
		return "", false
	}
	body, _ := json.Marshal(v)
	return string(body), true
}
