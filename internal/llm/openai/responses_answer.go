package openai

import (
	"cmp"
	"errors"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads a provider's response.
func (responsesCodec) ReadAnswer(body []byte) (*canon.Answer, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	output := root.Get("output")
	if !output.IsArray() {
		return nil, errors.New("a response without output")
	}
	a := &canon.Answer{Usage: canon.NoUsage()}
	readResponseHead(root, &a.ID, &a.Model, &a.Created)
	a.ServiceTier = root.Get("service_tier").Str()
	readResponsesUsage(root, &a.Usage)
	if a.Usage.Input >= 0 || a.Usage.Output >= 0 {
		a.Usage.Source = "reported"
	}
	choice := canon.Choice{}
	said := []canon.Message{{Role: canon.Assistant, Parts: make([]canon.Part, 0, output.Len())}}
	t := turns{doc: doc, unplaced: true, list: said}
	output.Each(func(_ int, item jsontree.Node) { choice.Logprobs = readOutputItem(&t, item, choice.Logprobs) })
	choice.Parts = t.list[0].Parts
	choice.Finish, choice.FinishRaw = readResponseEnd(root, choice.Parts)
	a.Choices = []canon.Choice{choice}
	if f := doc.Fault(); f != nil {
		return nil, f
	}
	settleEcho(root)
	for _, n := range doc.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

func readResponseHead(root jsontree.Node, id, model *string, created *int64) {
	*id, *model = root.Get("id").Str(), root.Get("model").Str()
	if at, ok := root.Get("created_at").Float(); ok { // Bedrock writes it with a fraction
		*created = int64(at)
	}
}

// readResponseEnd reads why the model stopped.
func readResponseEnd(root jsontree.Node, parts []canon.Part) (canon.Finish, string) {
	calls, refused := false, false
	for i := range parts {
		calls = calls || parts[i].Kind == canon.ToolCall
		refused = refused || parts[i].Kind == canon.Refusal
	}
	status := root.Get("status").Str()
	reason := root.Get("incomplete_details").Get("reason").Str()
	return responseFinish(status, reason, calls, refused), cmp.Or(reason, status)
}

func responseFinish(status, reason string, calls, refused bool) canon.Finish {
	switch {
	case reason == "content_filter":
		return canon.Filtered
	case reason == "max_output_tokens" || status == "incomplete":
		return canon.Length
	case status == "failed" || status == "cancelled":
		return canon.Failed
	case calls:
		return canon.ToolCalls
	case refused:
		return canon.Refused
	}
	return canon.Stopped
}

// echoed are the members of a response that say again what the caller said, or what is so by itself.
var echoed = [...]string{
	"object", "background", "completed_at", "error", "instructions", "max_output_tokens", "max_tool_calls", "parallel_tool_calls",
	"previous_response_id", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "reasoning", "safety_identifier", "store",
	"temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user", "metadata", "frequency_penalty",
	"presence_penalty", "conversation", "prompt", "output_text",
}

func settleEcho(root jsontree.Node) {
	for _, name := range echoed {
		root.Get(name).Settle()
	}
}

// readOutputItem reads an item of an answer into the one turn of t, and appends its logprobs.
func readOutputItem(t *turns, n jsontree.Node, probs []canon.Logprob) []canon.Logprob {
	switch kind := n.Get("type").Str(); kind {
	case "message":
		id, phase, first := n.Get("id").Str(), n.Get("phase").Str(), true
		n.Get("role").Settle()
		n.Get("status").Settle() // the response's says the same
		n.Get("content").Each(func(_ int, e jsontree.Node) {
			probs = append(probs, readProbs(e.Get("logprobs"))...)
			if p, ok := t.content(e, true); ok {
				p.ID, p.Phase, p.Joined = id, phase, !first
				t.said(0, p)
				first = false
			}
		})
	case "reasoning":
		t.reasoning(n)
		n.Get("status").Settle()
	case "function_call", "custom_tool_call":
		t.call(n, kind == "custom_tool_call")
		n.Get("status").Settle()
	case "image_generation_call":
		if data := n.Get("result").Str(); data != "" {
			n.Get("status").Settle()
			m := &canon.Media{MIME: "image/" + cmp.Or(n.Get("output_format").Str(), "png"), Data: data}
			t.said(0, canon.Part{Kind: canon.Image, Media: m, ID: n.Get("id").Str()})
			break
		}
		fallthrough
	default:
		t.said(0, canon.Part{Kind: canon.Other, Raw: n.Raw(), SignedBy: dialectName, ID: n.Get("id").Str()})
	}
	return probs
}

// readResponsesUsage reads the usage of a response, and what its built-in tools did.
func readResponsesUsage(root jsontree.Node, u *canon.Usage) {
	if n := root.Get("usage"); n.IsObject() {
		*u = canon.NoUsage()
		countIn(n, "input_tokens", &u.Input)
		countIn(n, "output_tokens", &u.Output)
		in, out := n.Get("input_tokens_details"), n.Get("output_tokens_details")
		countIn(in, "cached_tokens", &u.Cached)
		countIn(in, "cache_write_tokens", &u.CacheWrite)
		countIn(in, "audio_tokens", &u.AudioIn)
		countIn(in, "image_tokens", &u.ImageIn)
		in.Get("text_tokens").Settle()
		countIn(out, "reasoning_tokens", &u.Reasoning)
		countIn(out, "audio_tokens", &u.AudioOut)
		countIn(out, "image_tokens", &u.ImageOut)
		out.Get("text_tokens").Settle()
		total := int64(-1)
		countIn(n, "total_tokens", &total)
		if u.Reasoning > 0 && u.Input >= 0 && total == u.Input+u.Output+u.Reasoning {
			u.Output += u.Reasoning // counted beside the output by some, inside it by most
		}
		n.Get("context_details").Settle() // xAI's: the same counts again
		for _, name := range [...]string{"num_sources_used", "num_server_side_tools_used"} {
			if m := n.Get(name); m.Said() {
				if v, _ := m.Int(); v > 0 {
					m.Leave()
				}
			}
		}
	}
	tools := root.Get("tool_usage")
	countIn(tools.Get("web_search"), "num_requests", &u.Searches)
	if images := tools.Get("image_gen"); images.IsObject() {
		if total, _ := images.Get("total_tokens").Int(); total == 0 {
			images.Settle()
		} else {
			images.Leave()
		}
	}
}

// countIn reads a count of tokens.
func countIn(n jsontree.Node, name string, into *int64) {
	if v, ok := n.Get(name).Int(); ok && v >= 0 {
		*into = v
	}
}
