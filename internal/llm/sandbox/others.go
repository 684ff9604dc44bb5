package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
)

type completionsRequest struct {
	Model         string          `json:"model"`
	Prompt        json.RawMessage `json:"prompt"`
	Stream        bool            `json:"stream"`
	StreamOptions *streamOptions  `json:"stream_options"`
	MaxTokens     *int            `json:"max_tokens"`
}

// completions answers POST completions: each prompt is answered with itself.
func (s *server) completions(w http.ResponseWriter, r *http.Request) error {
	var q completionsRequest
	if err := read(w, r, &q); err != nil {
		return err
	}
	if _, err := known(q.Model); err != nil {
		return err
	}
	prompts, err := texts(q.Prompt, "prompt")
	if err != nil {
		return err
	}
	most, err := limit(q.MaxTokens, "max_tokens", nil, "")
	if err != nil {
		return err
	}
	all := reply{input: count(prompts...)}
	finish := make([]string, len(prompts))
	for i, p := range prompts {
		var short bool
		if prompts[i], short = cut(p, most); short {
			finish[i] = "length"
		} else {
			finish[i] = "stop"
		}
		all.output += count(prompts[i])
	}
	answer := map[string]any{"id": s.id("cmpl-"), "object": "text_completion", "created": s.now().Unix(), "model": q.Model}
	choice := func(i int, text string, finish any) map[string]any {
		return map[string]any{"index": i, "text": text, "logprobs": nil, "finish_reason": finish}
	}
	if !q.Stream {
		choices := []any{}
		for i, text := range prompts {
			choices = append(choices, choice(i, text, finish[i]))
		}
		answer["choices"], answer["usage"] = choices, all.usageOfChat()
		return writeJSON(w, http.StatusOK, answer)
	}
	out := s.stream(w, r, all.output)
	withUsage := q.StreamOptions != nil && q.StreamOptions.IncludeUsage
	send := func(usage any, choices ...any) error {
		answer["choices"] = append([]any{}, choices...)
		if withUsage {
			answer["usage"] = usage
		}
		return out.send("", answer)
	}
	for i, text := range prompts {
		if err := out.tokens(text, func(token string) error { return send(nil, choice(i, token, nil)) }); err != nil {
			return err
		}
		if err := send(nil, choice(i, "", finish[i])); err != nil {
			return err
		}
	}
	if withUsage {
		if err := send(all.usageOfChat()); err != nil {
			return err
		}
	}
	return out.sendRaw("", []byte("[DONE]"))
}

// texts reads a text or a list of texts; a list of token numbers counts as one text.
func texts(raw json.RawMessage, param string) ([]string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil && string(raw) != "null" {
		return []string{one}, nil
	}
	var all []string
	if json.Unmarshal(raw, &all) == nil && len(all) > 0 {
		return all, nil
	}
	var tokens []int
	if json.Unmarshal(raw, &tokens) == nil && len(tokens) > 0 {
		return []string{string(raw)}, nil
	}
	return nil, invalid(param, fmt.Sprintf("Invalid '%s': expected a string or an array of strings.", param))
}

type embeddingsRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	Dimensions     *int            `json:"dimensions"`
	EncodingFormat string          `json:"encoding_format"`
}

// dimensions is the length of an embedding when the request does not say.
const dimensions = 64

// embeddings answers POST embeddings, as numbers or, as the SDKs ask by default, as base64 of
// little-endian 32-bit floats.
func (s *server) embeddings(w http.ResponseWriter, r *http.Request) error {
	var q embeddingsRequest
	if err := read(w, r, &q); err != nil {
		return err
	}
	if _, err := known(q.Model); err != nil {
		return err
	}
	input, err := texts(q.Input, "input")
	if err != nil {
		return err
	}
	length := dimensions
	if q.Dimensions != nil {
		if length = *q.Dimensions; length < 1 || length > 4096 {
			return invalid("dimensions", "Invalid 'dimensions': expected a value between 1 and 4096.")
		}
	}
	data := []any{}
	for i, text := range input {
		vector := embed(text, length)
		var value any = vector
		if q.EncodingFormat == "base64" {
			var raw []byte
			for _, v := range vector {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
			}
			value = base64.StdEncoding.EncodeToString(raw)
		}
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": value})
	}
	n := count(input...)
	return writeJSON(w, http.StatusOK, map[string]any{
		"object": "list", "model": q.Model, "data": data,
		"usage": map[string]any{"prompt_tokens": n, "total_tokens": n},
	})
}

// embed makes a vector of length 1 from a hash of text.
func embed(text string, dimensions int) []float32 {
	h := fnv.New128a()
	_, _ = h.Write([]byte(text)) // a hash's Write never fails
	seed := h.Sum(nil)
	source := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed), binary.BigEndian.Uint64(seed[8:])))
	vector := make([]float32, dimensions)
	sum := 0.0
	for i := range vector {
		v := source.NormFloat64()
		vector[i] = float32(v)
		sum += v * v
	}
	for i := range vector {
		vector[i] /= float32(math.Sqrt(sum))
	}
	return vector
}

type moderationsRequest struct {
	Model string          `json:"model"`
	Input json.RawMessage `json:"input"`
}

// moderations answers POST moderations: nothing is ever flagged.
func (s *server) moderations(w http.ResponseWriter, r *http.Request) error {
	var q moderationsRequest
	if err := read(w, r, &q); err != nil {
		return err
	}
	if _, err := known(q.Model); err != nil {
		return err
	}
	input, err := texts(q.Input, "input")
	if err != nil {
		return err
	}
	results := []any{}
	for range input {
		flags, scores := map[string]any{}, map[string]any{}
		for _, c := range []string{"harassment", "hate", "illicit", "self-harm", "sexual", "violence"} {
			flags[c], scores[c] = false, 0.0
		}
		results = append(results, map[string]any{"flagged": false, "categories": flags, "category_scores": scores})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"id": s.id("modr-"), "model": q.Model, "results": results})
}
