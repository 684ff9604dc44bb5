package anthropic

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads a provider's whole answer.
func (codec) ReadAnswer(body []byte) (*canon.Answer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.Answer{Usage: canon.NoUsage()}
	a.ID, a.Model = root.Get("id").Str(), root.Get("model").Str()
	root.Get("type").Settle()
	root.Get("role").Settle()
	c := canon.Choice{}
	content := root.Get("content")
	if !content.IsArray() {
		d.Fail(content, "must be an array")
	}
	r := reading{d: d}
	c.Parts = make([]canon.Part, 0, content.Len())
	content.Each(func(_ int, e jsontree.Node) {
		if p, ok := r.block(e, canon.Assistant); ok {
			c.Parts = carry(c.Parts, p)
		}
	})
	if n := root.Get("stop_reason"); n.Said() {
		c.FinishRaw = n.Str()
		c.Finish = finishOf(c.FinishRaw)
	}
	c.StopWord = root.Get("stop_sequence").Str()
	refusal(&c, root.Get("stop_details"))
	usage := root.Get("usage")
	tally := noCounts
	readTally(usage, &tally, &a.Usage)
	a.ServiceTier = usage.Get("service_tier").Str()
	settleDefaults(root, usage)
	a.Choices = []canon.Choice{c}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		if path := n.Path(); path != "" {
			a.Lost = append(a.Lost, path)
		}
	}
	return a, nil
}

// settleDefaults passes over what says that nothing was special.
func settleDefaults(root, usage jsontree.Node) {
	switch geo := usage.Get("inference_geo"); {
	case !geo.IsString():
	case geo.Str() == "not_available" || geo.Str() == "global":
	default:
		geo.Leave()
	}
	if managed := root.Get("context_management"); managed.Get("applied_edits").Len() > 0 {
		managed.Leave()
	}
}

// refusal takes from stop_details why the model refused, as a part of its own.
func refusal(c *canon.Choice, details jsontree.Node) {
	if !details.Said() {
		return
	}
	details.Get("type").Settle()
	if why := details.Get("explanation"); why.Said() && why.Str() != "" {
		c.Parts = append(c.Parts, canon.Part{Kind: canon.Refusal, Text: why.Str()})
	}
}

// finishOf is a stop reason's meaning.
func finishOf(reason string) canon.Finish {
	switch reason {
	case "end_turn":
		return canon.Stopped
	case "stop_sequence":
		return canon.StopSequence
	case "max_tokens":
		return canon.Length
	case "model_context_window_exceeded":
		return canon.ContextLength
	case "tool_use":
		return canon.ToolCalls
	case "refusal":
		return canon.Refused
	case "pause_turn", "compaction":
		return canon.Paused
	}
	return canon.Stopped
}

// readTally reads a usage object over c and u: the events of a stream tell it in several pieces.
func readTally(n jsontree.Node, c *counts, u *canon.Usage) {
	if !n.IsObject() {
		return
	}
	for _, m := range [...]struct {
		name string
		to   *int64
	}{
		{"input_tokens", &c.input}, {"output_tokens", &c.output}, {"cache_read_input_tokens", &c.read}, {"cache_creation_input_tokens", &c.written},
	} {
		count(n.Get(m.name), m.to)
	}
	count(n.Get("output_tokens_details").Get("thinking_tokens"), &c.thinking)
	if kept := n.Get("cache_creation"); kept.IsObject() {
		count(kept.Get("ephemeral_1h_input_tokens"), &c.hour)
		kept.Get("ephemeral_5m_input_tokens").Settle() // what is left of all
	}
	if used := n.Get("server_tool_use"); used.IsObject() {
		count(used.Get("web_search_requests"), &c.searches)
		if fetches := used.Get("web_fetch_requests"); fetches.Exists() {
			if v, _ := fetches.Int(); v != 0 {
				fetches.Leave()
			}
		}
	}
	u.Usage, u.CacheWrite1h, u.Searches = c.usage(), c.hour, c.searches
	u.Extra = nil // canon has these counts of its own
}

// count reads a count; anything else changes nothing.
func count(n jsontree.Node, to *int64) {
	if v, ok := n.Int(); ok && v >= 0 {
		*to = v
	}
}

// stopReason is the word for a finish; called tells that the answer holds calls of tools, which some
// providers finish as if it had none.
func stopReason(f canon.Finish, raw string, called, refused bool) string {
	switch f {
	case canon.StopSequence:
		return "stop_sequence"
	case canon.Length, canon.Failed: // the API has no word for a provider that broke off: this one says that more was to come
		return "max_tokens"
	case canon.ContextLength:
		return "model_context_window_exceeded"
	case canon.ToolCalls:
		return "tool_use"
	case canon.Filtered, canon.Refused:
		return "refusal"
	case canon.Paused:
		if raw == "compaction" {
			return raw
		}
		return "pause_turn"
	}
	switch {
	case refused:
		return "refusal"
	case called:
		return "tool_use"
	}
	return "end_turn"
}

// cleanArgs is a call's arguments as JSON object; ok is false where they are none.
func cleanArgs(args string) (json string, ok bool) {
	args = strings.TrimSpace(args)
	switch {
	case args == "":
		return "{}", true
	case args[0] == '{' && validJSON(args):
		return args, true
	}
	return "", false
}
