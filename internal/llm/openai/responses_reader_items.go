package openai

import (
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

func itoa(i int64) string { return strconv.FormatInt(i, 10) }

// inside reads an event about a part of an item.
func (s *responsesReader) inside(it *readItem, kind string, root jsontree.Node, out []canon.Event) []canon.Event {
	content, summary := root.Get("content_index"), root.Get("summary_index")
	switch kind {
	case "output_text.delta":
		out = s.at(it, canon.Text, "c", content, out)
		if probs := readProbs(root.Get("logprobs")); probs != nil {
			out = append(out, canon.Event{Kind: canon.Probs, Part: it.part, PartKind: it.of, Logprobs: probs})
		}
		return s.delta(it, root.Get("delta").Str(), out)
	case "output_text.done":
		return s.rest(it, root.Get("text").Str(), s.at(it, canon.Text, "c", content, out))
	case "refusal.delta":
		return s.delta(it, root.Get("delta").Str(), s.at(it, canon.Refusal, "c", content, out))
	case "refusal.done":
		return s.rest(it, root.Get("refusal").Str(), s.at(it, canon.Refusal, "c", content, out))
	case "reasoning_text.delta":
		return s.delta(it, root.Get("delta").Str(), s.at(it, canon.Thinking, "c", content, out))
	case "reasoning_text.done":
		return s.rest(it, root.Get("text").Str(), s.at(it, canon.Thinking, "c", content, out))
	case "reasoning_summary_text.delta":
		return s.delta(it, root.Get("delta").Str(), s.at(it, canon.Thinking, "s", summary, out))
	case "reasoning_summary_text.done":
		return s.rest(it, root.Get("text").Str(), s.at(it, canon.Thinking, "s", summary, out))
	case "function_call_arguments.delta", "custom_tool_call_input.delta":
		return s.delta(it, root.Get("delta").Str(), out)
	case "function_call_arguments.done":
		return s.rest(it, root.Get("arguments").Str(), out)
	case "custom_tool_call_input.done":
		return s.rest(it, root.Get("input").Str(), out)
	case "content_part.added":
		switch root.Get("part").Get("type").Str() {
		case "output_text":
			return s.at(it, canon.Text, "c", content, out)
		case "refusal":
			return s.at(it, canon.Refusal, "c", content, out)
		}
	case "content_part.done":
		if it.kind == "message" { // reasoning waits for what proves it
			return s.endPart(it, out)
		}
	case "output_text.annotation.added":
		out = s.at(it, canon.Text, "c", content, out)
		if n := root.Get("annotation"); n.IsObject() {
			s.cite = readAnnotation(n)
			out = append(out, canon.Event{Kind: canon.Cite, Part: it.part, PartKind: it.of, Citation: &s.cite})
		}
	}
	return out
}

// done reads an item that is whole.
func (s *responsesReader) done(root jsontree.Node, out []canon.Event) []canon.Event {
	n := root.Get("item")
	if !n.IsObject() {
		return out
	}
	it := s.item(root)
	if it == nil { // it was not said to begin
		s.added(root)
		it = &s.items[len(s.items)-1]
	}
	out = s.whole(it, n, out)
	index := it.index
	for i := range s.items {
		if s.items[i].index == index {
			s.items = append(s.items[:i], s.items[i+1:]...)
			break
		}
	}
	return out
}

// whole tells what an item holds and was not told of it, and ends it.
func (s *responsesReader) whole(it *readItem, n jsontree.Node, out []canon.Event) []canon.Event {
	switch n.Get("type").Str() {
	case "message":
		if it.phase == "" {
			it.phase = strings.Clone(n.Get("phase").Str())
		}
		if it.count == 0 {
			out = s.message(it, n, out)
		}
	case "reasoning":
		out = s.reasoning(it, n, out)
	case "function_call", "custom_tool_call":
		if it.count == 0 {
			it.call = canon.Call{ID: strings.Clone(n.Get("call_id").Str()), Name: strings.Clone(n.Get("name").Str()), Custom: n.Get("type").Str() == "custom_tool_call"}
			if it.call.Name == "" {
				return out
			}
			out = s.begin(it, canon.ToolCall, "", out)
		}
		if it.told == 0 {
			out = s.rest(it, n.Get(argsMember(it)).Str(), out)
		}
	case "image_generation_call":
		if n.Get("result").Str() == "" {
			out = s.other(it, n, out)
			break
		}
		out = s.begin(it, canon.Image, "", out)
		media := canon.Media{MIME: "image/png"}
		if format := n.Get("output_format").Str(); format != "" {
			media.MIME = "image/" + format
		}
		out[len(out)-1].Media = &media
		out = append(out, canon.Event{Kind: canon.MediaDelta, Part: it.part, PartKind: it.of, Text: n.Get("result").Str()})
	default:
		out = s.other(it, n, out)
	}
	return s.endPart(it, out)
}

func (s *responsesReader) other(it *readItem, n jsontree.Node, out []canon.Event) []canon.Event {
	out = s.begin(it, canon.Other, "", out)
	last := &out[len(out)-1]
	last.Raw, last.SignedBy = n.Raw(), dialectName
	return out
}

// message tells a message that was not streamed.
func (s *responsesReader) message(it *readItem, n jsontree.Node, out []canon.Event) []canon.Event {
	n.Get("content").Each(func(i int, e jsontree.Node) {
		switch e.Get("type").Str() {
		case "output_text":
			out = s.begin(it, canon.Text, "c"+itoa(int64(i)), out)
			if probs := readProbs(e.Get("logprobs")); probs != nil {
				out = append(out, canon.Event{Kind: canon.Probs, Part: it.part, PartKind: it.of, Logprobs: probs})
			}
			out = s.delta(it, e.Get("text").Str(), out)
			for _, c := range readAnnotations(e.Get("annotations")) {
				out = append(out, canon.Event{Kind: canon.Cite, Part: it.part, PartKind: it.of, Citation: &c})
			}
		case "refusal":
			out = s.delta(it, e.Get("refusal").Str(), s.begin(it, canon.Refusal, "c"+itoa(int64(i)), out))
		}
	})
	return out
}

// reasoning ends a reasoning item: with what was not streamed, and with what proves it.
func (s *responsesReader) reasoning(it *readItem, n jsontree.Node, out []canon.Event) []canon.Event {
	if it.count == 0 {
		for _, list := range [...]string{"content", "summary"} {
			n.Get(list).Each(func(i int, e jsontree.Node) {
				out = s.begin(it, canon.Thinking, list[:1]+itoa(int64(i)), out)
				out = s.delta(it, e.Get("text").Str(), out)
			})
		}
		if it.count == 0 {
			out = s.begin(it, canon.Thinking, "s", out)
		}
	}
	signature := n.Get("encrypted_content").Str()
	if signature == "" {
		return out
	}
	if it.part < 0 { // its last part was ended by another item: the proof has a part of its own
		out = s.begin(it, canon.Thinking, "s", out)
	}
	p := canon.Part{Signature: signature, SignedBy: dialectName}
	unseal(&p, []canon.Part{p})
	by, rest, ok := opened(signature)
	if ok && !strings.HasPrefix(rest, sealText) && !strings.HasPrefix(rest, sealCall) {
		p.SignedBy = by
	}
	return append(out, canon.Event{Kind: canon.Sign, Part: it.part, PartKind: it.of, Signature: p.Signature, SignedBy: p.SignedBy, Redacted: p.Redacted})
}
