package openai

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// writeOutputContent writes a part of a message of the model. probs is ready JSON, nil for none; full writes the
// members that the description asks for in an answer.
func writeOutputContent(w *jsontree.Writer, p *canon.Part, probs []byte, full bool) {
	w.Object()
	if p.Kind == canon.Refusal {
		w.StrMember("type", "refusal")
		w.StrMember("refusal", p.Text)
		w.End()
		return
	}
	w.StrMember("type", "output_text")
	if full || len(p.Citations) > 0 {
		w.Name("annotations")
		w.Array()
		for i := range p.Citations {
			writeAnnotation(w, &p.Citations[i], len(p.Text))
		}
		w.End()
	}
	if full {
		writeProbsMember(w, probs)
	}
	w.StrMember("text", p.Text)
	w.End()
}

func writeProbsMember(w *jsontree.Writer, probs []byte) {
	w.Name("logprobs")
	w.Array()
	w.Embed(probs)
	w.End()
}

// writeAnnotation writes a source. Other dialects do not say which words of a text it is for: then it is for all
// of its length.
func writeAnnotation(w *jsontree.Writer, c *canon.Citation, length int) {
	if c.Raw != nil && c.SignedBy == dialectName && c.URL == "" {
		w.Raw(c.Raw)
		return
	}
	start, end := int64(max(c.Start, 0)), int64(c.End)
	if c.End < 0 {
		end = int64(length)
	}
	w.Object()
	if c.URL == "" {
		w.StrMember("type", "file_citation")
		w.StrMember("file_id", c.FileID)
		w.StrMember("filename", c.Title)
		w.IntMember("index", end)
		w.End()
		return
	}
	w.StrMember("type", "url_citation")
	w.IntMember("start_index", start)
	w.IntMember("end_index", end)
	w.StrMember("title", c.Title)
	w.StrMember("url", c.URL)
	w.End()
}

// writeCallItem writes a tool's call. An item of an answer has an id and a status.
func writeCallItem(w *jsontree.Writer, p *canon.Part, callID, id, status string) {
	w.Object()
	if id != "" {
		w.StrMember("id", id)
	}
	name, member := "function_call", "arguments"
	if p.Call.Custom {
		name, member = "custom_tool_call", "input"
	}
	w.StrMember("type", name)
	if status != "" && !p.Call.Custom {
		w.StrMember("status", status)
	}
	w.StrMember("call_id", callID)
	w.StrMember("name", p.Call.Name)
	args := p.Call.Args
	if args == "" && !p.Call.Custom && status != "in_progress" {
		args = "{}"
	}
	w.StrMember(member, args)
	w.End()
}

// writeReasoningItem writes reasoning from its parts. encrypted is ready for the member of that name.
func writeReasoningItem(w *jsontree.Writer, parts []canon.Part, id, encrypted, status string) {
	w.Object()
	if id != "" {
		w.StrMember("id", id)
	}
	w.StrMember("type", "reasoning")
	verbatim := false
	w.Name("summary")
	w.Array()
	for i := range parts {
		verbatim = verbatim || parts[i].Verbatim
		if !parts[i].Verbatim && parts[i].Text != "" {
			writeThought(w, "summary_text", parts[i].Text)
		}
	}
	w.End()
	if verbatim {
		w.Name("content")
		w.Array()
		for i := range parts {
			if parts[i].Verbatim {
				writeThought(w, "reasoning_text", parts[i].Text)
			}
		}
		w.End()
	}
	if encrypted != "" {
		w.StrMember("encrypted_content", encrypted)
	}
	if status != "" {
		w.StrMember("status", status)
	}
	w.End()
}

func writeThought(w *jsontree.Writer, kind, text string) {
	w.Object()
	w.StrMember("type", kind)
	w.StrMember("text", text)
	w.End()
}

// appendProbs appends logprobs as members of an array.
func appendProbs(dst []byte, list []canon.Logprob) []byte {
	w := jsontree.Writer{Buf: dst}
	for i := range list {
		if len(w.Buf) > 0 && i == 0 {
			w.Buf = append(w.Buf, ',')
		}
		writeProb(&w, &list[i], true)
	}
	return w.Buf
}

func writeProb(w *jsontree.Writer, p *canon.Logprob, top bool) {
	w.Object()
	w.StrMember("token", p.Token)
	w.Name("bytes")
	w.Array()
	bytes := p.Bytes
	if bytes == nil {
		bytes = []byte(p.Token)
	}
	for _, b := range bytes {
		w.Int(int64(b))
	}
	w.End()
	w.Name("logprob")
	w.Float(p.Logprob)
	if top {
		w.Name("top_logprobs")
		w.Array()
		for i := range p.Top {
			writeProb(w, &p.Top[i], false)
		}
		w.End()
	}
	w.End()
}

// readProbs reads logprobs.
func readProbs(list jsontree.Node) (all []canon.Logprob) {
	list.Each(func(_ int, n jsontree.Node) {
		p := canon.Logprob{Token: n.Get("token").Str()}
		p.Logprob, _ = n.Get("logprob").Float()
		if bytes := n.Get("bytes"); bytes.IsArray() {
			p.Bytes = make([]byte, 0, bytes.Len())
			bytes.Each(func(_ int, e jsontree.Node) {
				b, _ := e.Int()
				p.Bytes = append(p.Bytes, byte(b))
			})
		}
		p.Top = readProbs(n.Get("top_logprobs"))
		all = append(all, p)
	})
	return all
}
