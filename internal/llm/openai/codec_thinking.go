package openai

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// Thinking goes to a caller as reasoning_content, as DeepSeek and most others have it. What proves it goes
// beside it in reasoning_details, as OpenRouter and Vercel have them: entries with a text and a signature,
// a summary, or encrypted data, each with a format that says who made it. A caller that sends the message
// back as it got it sends the proof back with it.

// signers are the formats of reasoning_details and the dialects whose proof they hold.
var signers = [...]struct{ format, dialect string }{
	{"anthropic-claude-v1", "anthropic"}, {"openai-responses-v1", "openai"}, {"google-gemini-v1", "gemini"}, {"xai-responses-v1", "xai"},
}

func signerOf(format string) string {
	for _, s := range signers {
		if s.format == format {
			return s.dialect
		}
	}
	return strings.TrimSuffix(format, "-v1")
}

func formatOf(signer string) string {
	for _, s := range signers {
		if s.dialect == signer {
			return s.format
		}
	}
	if signer == "" {
		return "unknown"
	}
	return signer + "-v1"
}

// readThoughts reads the thinking of an assistant's message into parts.
func readThoughts(parts []canon.Part, n jsontree.Node) []canon.Part {
	plain := n.First("reasoning_content", "reasoning")
	text := ""
	if plain.IsString() {
		text = plain.Str()
	}
	from := len(parts)
	var d details
	n.Get("reasoning_details").Each(func(_ int, e jsontree.Node) { parts = d.add(parts, from, e) })
	if text == "" || d.text {
		return parts
	}
	if len(parts) == from+1 && !parts[from].Redacted {
		parts[from].Text = text
		return parts
	}
	parts = append(parts, canon.Part{})
	copy(parts[from+1:], parts[from:])
	parts[from] = canon.Part{Kind: canon.Thinking, At: plain.Ref(), Text: text}
	return parts
}

// details gathers the entries of reasoning_details.
type details struct {
	text  bool  // some entry has text
	index int64 // of the last
}

// add reads an entry: it goes on with the last part, proves it, or begins another.
func (d *details) add(parts []canon.Part, from int, e jsontree.Node) []canon.Part {
	t := readDetail(e)
	d.text = d.text || t.text != ""
	if len(parts) > from {
		last := &parts[len(parts)-1]
		if same := t.index == d.index && last.Signature == ""; same && (t.data != "" || t.text != "" || t.signature != "") {
			last.Text += t.text
			if proof := t.signature + t.data; proof != "" {
				last.Signature, last.SignedBy = proof, t.by
			}
			if last.ID == "" {
				last.ID = t.id
			}
			return parts
		}
	}
	d.index = t.index
	p := canon.Part{Kind: canon.Thinking, At: e.Ref(), ID: t.id, Text: t.text, Signature: t.signature + t.data}
	if p.Signature != "" {
		p.SignedBy = t.by
	}
	p.Redacted = t.data != "" && t.by == "anthropic"
	return append(parts, p)
}

// detail is one entry of reasoning_details.
type detail struct {
	text, signature, data, by, id string
	index                         int64
}

func readDetail(e jsontree.Node) (t detail) {
	e.Get("type").Settle()
	t.text = e.Get("text").Str() + e.Get("summary").Str()
	t.signature, t.data = e.Get("signature").Str(), e.Get("data").Str()
	t.by = signerOf(e.Get("format").Str())
	t.index, _ = e.Get("index").Int()
	t.id = e.Get("id").Str()
	return t
}

// writeDetails writes the thinking with what proves it as a member; always writes it also where nothing does.
func writeDetails(w *jsontree.Writer, parts []canon.Part, always bool) {
	open := false
	index := int64(0)
	for i := range parts {
		p := &parts[i]
		proof := p.Kind == canon.Text && p.Signature != ""
		if p.Kind != canon.Thinking && !proof {
			continue
		}
		if !open {
			if !always && !anySigned(parts) {
				return
			}
			open = true
			w.Name("reasoning_details")
			w.Array()
		}
		text := p.Text
		if proof {
			text = ""
		}
		writeDetail(w, text, p.Signature, p.SignedBy, p.ID, p.Redacted, index)
		index++
	}
	if open {
		w.End()
	}
}

func anySigned(parts []canon.Part) bool {
	for i := range parts {
		if k := parts[i].Kind; (k == canon.Thinking || k == canon.Text) && parts[i].Signature != "" {
			return true
		}
	}
	return false
}

// writeDetail writes one or two entries for one part: Anthropic's signature stands beside the text it is of,
// the proof of others in an entry of its own.
func writeDetail(w *jsontree.Writer, text, signature, by, id string, redacted bool, index int64) {
	beside := by == "anthropic" && !redacted
	if text != "" || beside {
		w.Object()
		w.StrMember("type", "reasoning.text")
		w.StrMember("text", text)
		if beside && signature != "" {
			w.StrMember("signature", signature)
		}
		writeDetailEnd(w, by, id, index)
	}
	if signature != "" && !beside {
		w.Object()
		w.StrMember("type", "reasoning.encrypted")
		w.StrMember("data", signature)
		writeDetailEnd(w, by, id, index)
	}
}

func writeDetailEnd(w *jsontree.Writer, by, id string, index int64) {
	if id != "" {
		w.StrMember("id", id)
	}
	w.StrMember("format", formatOf(by))
	w.IntMember("index", index)
	w.End()
}
