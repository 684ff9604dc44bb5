package openai

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads a provider's chat completion.
func (chatCodec) ReadAnswer(body []byte) (*canon.Answer, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	a := openAnswer(root)
	root.Get("choices").Each(func(i int, n jsontree.Node) {
		c := canon.Choice{Index: i}
		if v, ok := n.Get("index").Int(); ok {
			c.Index = int(v)
		}
		message := n.Get("message")
		n.Get("delta").Settle() // Perplexity has an empty one beside
		c.Parts = readSpoken(message)
		readLogprobs(&c, n.Get("logprobs"))
		readFinish(&c, n)
		a.Choices = append(a.Choices, c)
	})
	citeSources(a, sources(root))
	if fault := doc.Fault(); fault != nil {
		return nil, fault
	}
	a.Lost = lostMembers(doc)
	return a, nil
}

// lostMembers are the members of an answer that nobody looked at, but for those that say that there is nothing.
func lostMembers(doc *jsontree.Doc) (list []string) {
	for _, n := range doc.Unused() {
		switch string(n.Copy()) {
		case "0", "0.0", "false", `""`, "[]", "{}":
		default:
			list = append(list, n.Path())
		}
	}
	return list
}

// openAnswer reads what answers of the dialect have beside their choices.
func openAnswer(root jsontree.Node) *canon.Answer {
	a := &canon.Answer{
		ID: root.Get("id").Str(), Model: root.Get("model").Str(),
		Fingerprint: root.Get("system_fingerprint").Str(), ServiceTier: tierOf(root.Get("service_tier").Str()),
	}
	if created := root.Get("created"); created.Kind() == jsonscan.Number {
		v, _ := created.Float() // some servers have a fraction
		a.Created = int64(v)
	}
	root.Get("object").Settle()
	if base := root.Get("base_resp"); base.IsObject() && string(base.Get("status_code").Raw()) == "0" { // MiniMax: all is well
		base.Settle()
	}
	usage := root.Get("usage")
	a.Usage, _ = readChatUsage(usage)
	if tier := usage.Get("service_tier"); tier.IsString() && a.ServiceTier == "" { // Mistral
		a.ServiceTier = tierOf(tier.Str())
	}
	return a
}

// readSpoken reads an assistant's message of an answer.
func readSpoken(n jsontree.Node) (parts []canon.Part) {
	n.Get("role").Settle()
	parts = readThoughts(nil, n)
	from := len(parts)
	switch content := n.Get("content"); content.Kind() {
	case jsonscan.String:
		if text := content.Str(); text != "" {
			parts = append(parts, canon.Part{Kind: canon.Text, Text: text})
		}
	case jsonscan.Array: // Mistral
		content.Each(func(_ int, e jsontree.Node) { parts = readPiece(parts, e) })
	}
	if notes := n.Get("annotations"); notes.IsArray() {
		if cites := chatCitations(notes); len(cites) > 0 {
			for i := from; i < len(parts); i++ {
				if parts[i].Kind == canon.Text {
					parts[i].Citations = cites
					break
				}
			}
		}
	}
	if text := n.Get("refusal").Str(); text != "" {
		parts = append(parts, canon.Part{Kind: canon.Refusal, Text: text})
	}
	if audio := n.Get("audio"); audio.IsObject() {
		parts = append(parts, canon.Part{Kind: canon.Audio, Media: spokenAudio(audio)})
	}
	n.Get("images").Each(func(_ int, e jsontree.Node) {
		p := imagePart(e)
		p.At = 0
		parts = append(parts, p)
	})
	n.Get("tool_calls").Each(func(_ int, e jsontree.Node) { parts = append(parts, readToolCall(e)) })
	if f := n.Get("function_call"); f.IsObject() {
		parts = append(parts, canon.Part{Kind: canon.ToolCall, Call: &canon.Call{Name: f.Get("name").Str(), Args: argsOf(f.Get("arguments"))}})
	}
	for i := range parts {
		parts[i].At = 0 // places are of the caller's body
	}
	return parts
}

// readPiece reads one of several pieces of an answer's content.
func readPiece(parts []canon.Part, e jsontree.Node) []canon.Part {
	typ := e.Get("type")
	switch typ.Str() {
	case "text", "output_text":
		return append(parts, canon.Part{Kind: canon.Text, Text: e.Get("text").Str()})
	case "thinking":
		p := canon.Part{Kind: canon.Thinking, Text: thinkingText(e)}
		return append(parts, p)
	case "refusal":
		return append(parts, canon.Part{Kind: canon.Refusal, Text: e.Get("refusal").Str()})
	case "image_url":
		return append(parts, imagePart(e))
	}
	return append(parts, canon.Part{Kind: canon.Other, Raw: e.Raw(), SignedBy: dialectName})
}

// thinkingText is the text of Mistral's thinking part.
func thinkingText(e jsontree.Node) (text string) {
	e.Get("closed").Settle()
	e.Get("thinking").Each(func(_ int, t jsontree.Node) {
		t.Get("type").Settle()
		text += t.Get("text").Str()
	})
	return text
}

func readToolCall(n jsontree.Node) canon.Part {
	p := canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: n.Get("id").Str()}}
	n.Get("type").Settle()
	n.Get("index").Settle()
	if c := n.Get("custom"); c.IsObject() {
		p.Call.Name, p.Call.Args, p.Call.Custom = c.Get("name").Str(), c.Get("input").Str(), true
	} else {
		f := n.Get("function")
		p.Call.Name, p.Call.Args = f.Get("name").Str(), argsOf(f.Get("arguments"))
	}
	signCall(&p, n)
	return p
}

// readLogprobs reads the tokens' probabilities, of text and of refusals alike.
func readLogprobs(c *canon.Choice, n jsontree.Node) {
	c.Logprobs = append(readProbs(n.Get("content")), readProbs(n.Get("refusal"))...)
}

// readFinish reads why a choice ended.
func readFinish(c *canon.Choice, n jsontree.Node) {
	c.FinishRaw = n.Get("finish_reason").Str()
	c.Finish = finishOf(c.FinishRaw)
	n.Get("native_finish_reason").Settle()
	if word := n.First("stop_reason", "matched_stop"); word.IsString() { // vLLM, SGLang
		c.Finish, c.StopWord = canon.StopSequence, word.Str()
	}
	if c.Finish == canon.Stopped {
		for i := range c.Parts {
			if c.Parts[i].Kind == canon.ToolCall { // some servers say stop all the same
				c.Finish = canon.ToolCalls
			}
		}
	}
}

// finishOf brings the finish reasons of OpenAI and its dialect's vendors to canonical ones.
func finishOf(word string) canon.Finish {
	switch word {
	case "":
		return canon.Unfinished
	case "length", "max_tokens":
		return canon.Length
	case "model_length", "model_context_window_exceeded": // Mistral, Z.ai
		return canon.ContextLength
	case "tool_calls", "function_call":
		return canon.ToolCalls
	case "content_filter", "sensitive": // the second is Zhipu's
		return canon.Filtered
	case "error", "insufficient_system_resource", "network_error": // OpenRouter and Mistral, DeepSeek, Zhipu
		return canon.Failed
	case "stop_sequence":
		return canon.StopSequence
	}
	return canon.Stopped
}

// sources are the pages that an answer of Perplexity or xAI names for the whole of it.
func sources(root jsontree.Node) (list []canon.Citation) {
	results := root.Get("search_results")
	results.Each(func(_ int, e jsontree.Node) {
		list = append(list, canon.Citation{Start: -1, End: -1, URL: e.Get("url").Str(), Title: e.Get("title").Str(), Cited: e.Get("snippet").Str()})
	})
	if urls := root.Get("citations"); len(list) > 0 {
		urls.Settle()
	} else {
		urls.Each(func(_ int, e jsontree.Node) {
			if e.IsString() {
				list = append(list, canon.Citation{Start: -1, End: -1, URL: e.Str()})
			}
		})
	}
	return list
}

// citeSources gives them to the answer's first text.
func citeSources(a *canon.Answer, list []canon.Citation) {
	if len(list) == 0 || len(a.Choices) == 0 {
		return
	}
	for i := range a.Choices[0].Parts {
		if p := &a.Choices[0].Parts[i]; p.Kind == canon.Text {
			p.Citations = append(p.Citations, list...)
			return
		}
	}
}
