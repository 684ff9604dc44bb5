package cohere

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads a whole chat answer. Cohere does not say which model it came from.
func (codec) ReadAnswer(body []byte) (*canon.Answer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.Answer{ID: root.Get("id").Str(), Usage: canon.NoUsage()}
	message := root.Get("message")
	message.Get("role").Settle()
	c := canon.Choice{Parts: readContent(message)}
	reason := root.Get("finish_reason").Str()
	c.Finish, c.FinishRaw = finishOf(reason), reason
	usageOf(root.Get("usage"), &a.Usage)
	c.Logprobs = logprobs(root.Get("logprobs"))
	a.Choices = []canon.Choice{c}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

// readContent reads what a message of the assistant says: its content, the plan for its calls, the calls.
func readContent(message jsontree.Node) (parts []canon.Part) {
	content := message.Get("content")
	if content.IsString() {
		parts = append(parts, canon.Part{Kind: canon.Text, Text: content.Str()})
	}
	content.Each(func(_ int, e jsontree.Node) {
		switch wordOf(e.Get("type")) {
		case "thinking":
			parts = append(parts, canon.Part{Kind: canon.Thinking, Text: e.Get("thinking").Str()})
		case "text":
			parts = append(parts, canon.Part{Kind: canon.Text, Text: e.Get("text").Str()})
		default:
			e.Leave()
		}
	})
	if plan := message.Get("tool_plan"); plan.Str() != "" {
		parts = append(parts, canon.Part{Kind: canon.Text, Plan: true, Text: plan.Str()})
	}
	cite(parts, message.Get("citations"), 0)
	message.Get("tool_calls").Each(func(_ int, e jsontree.Node) {
		parts = append(parts, canon.Part{Kind: canon.ToolCall, Call: callOf(e)})
	})
	return parts
}

func callOf(e jsontree.Node) *canon.Call {
	e.Get("type").Settle()
	f := e.Get("function")
	return &canon.Call{ID: e.Get("id").Str(), Name: f.Get("name").Str(), Args: f.Get("arguments").Str()}
}

func finishOf(reason string) canon.Finish {
	switch reason {
	case reasonStop:
		return canon.StopSequence
	case reasonLength:
		return canon.Length
	case reasonTools:
		return canon.ToolCalls
	case reasonError, reasonTimeout:
		return canon.Failed
	}
	return canon.Stopped
}

// reasonOf is the finish reason for a caller; exact tells that it says all.
func reasonOf(f canon.Finish, raw string) (reason string, exact bool) {
	switch f {
	case canon.Stopped, canon.Unfinished:
		return reasonComplete, true
	case canon.StopSequence:
		return reasonStop, true
	case canon.Length:
		return reasonLength, true
	case canon.ContextLength:
		return reasonLength, true // "or the model's context length", says the description
	case canon.ToolCalls:
		return reasonTools, true
	case canon.Refused, canon.Paused:
		return reasonComplete, false
	case canon.Failed:
		if raw == reasonTimeout {
			return reasonTimeout, true
		}
	}
	return reasonError, f == canon.Failed
}

// usageOf reads the usage of a chat as readUsage does.
func usageOf(n jsontree.Node, u *canon.Usage) {
	number := func(n jsontree.Node) int64 {
		if v, ok := n.Float(); ok && v >= 0 {
			return int64(v)
		}
		return -1
	}
	tokens, billed := n.Get("tokens"), n.Get("billed_units")
	u.Input, u.Output = number(tokens.Get("input_tokens")), number(tokens.Get("output_tokens"))
	u.Reasoning = number(tokens.Get("reasoning_tokens"))
	u.Cached = number(n.Get("cached_tokens"))
	in, out := number(billed.Get("input_tokens")), number(billed.Get("output_tokens"))
	if u.Input < 0 && u.Output < 0 {
		u.Input, u.Output = in, out
	} else if in != u.Input || out != u.Output {
		u.BilledInput, u.BilledOutput = max(in, 0), max(out, 0)
	}
	u.SearchUnits = number(billed.Get("search_units"))
	if u.Input >= 0 || u.Output >= 0 {
		u.Source = "reported"
	}
}

// logprobs reads {"text","token_ids","logprobs"}: one entry for each piece of text, its tokens' logarithms
// added up.
func logprobs(n jsontree.Node) (list []canon.Logprob) {
	if n.IsObject() {
		return append(list, logprob(n))
	}
	n.Each(func(_ int, e jsontree.Node) { list = append(list, logprob(e)) })
	return list
}

func logprob(e jsontree.Node) canon.Logprob {
	p := canon.Logprob{Token: e.Get("text").Str()}
	e.Get("logprobs").Each(func(_ int, v jsontree.Node) {
		x, _ := v.Float()
		p.Logprob += x
	})
	return p
}
