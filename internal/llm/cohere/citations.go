package cohere

import (
	"unicode/utf8"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// A citation of Cohere's says which characters of a content block come from which sources: documents of the
// request, or the outputs of tools. A canonical citation has one source, so that one with several becomes as
// many; the first has the text of the whole (Raw), by which it is written again.

// cite adds the citations of list to the parts that they speak of. first is the place in parts of the content
// block 0.
func cite(parts []canon.Part, list jsontree.Node, first int) {
	list.Each(func(_ int, n jsontree.Node) {
		if p := cited(parts, n, first); p != nil {
			p.Citations = appendCitations(p.Citations, n)
		}
	})
}

// cited is the part that a citation speaks of, nil when there is none.
func cited(parts []canon.Part, n jsontree.Node, first int) *canon.Part {
	if wordOf(n.Get("type")) == "PLAN" {
		for i := range parts {
			if parts[i].Plan {
				return &parts[i]
			}
		}
	}
	if index, ok := n.Get("content_index").Int(); ok {
		if i := first + int(index); i >= 0 && i < len(parts) && speaks(&parts[i]) {
			return &parts[i]
		}
	}
	for i := range parts {
		if parts[i].Kind == canon.Text && !parts[i].Plan {
			return &parts[i]
		}
	}
	return nil
}

func speaks(p *canon.Part) bool { return p.Kind == canon.Text || p.Kind == canon.Thinking }

// appendCitations reads the citation that stands at n.
func appendCitations(list []canon.Citation, n jsontree.Node) []canon.Citation {
	c := canon.Citation{Start: -1, End: -1, SignedBy: dialectName}
	if v, ok := n.Get("start").Int(); ok {
		c.Start = int(v)
	}
	if v, ok := n.Get("end").Int(); ok {
		c.End = int(v)
	}
	from := len(list)
	n.Get("sources").Each(func(_ int, s jsontree.Node) {
		of := s.Get("document")
		if !of.IsObject() {
			of = s.Get("tool_output")
		}
		c := c
		c.FileID = wordOf(s.Get("id"))
		c.URL, c.Title = wordOf(of.Get("url")), wordOf(of.Get("title"))
		if c.FileID == c.URL {
			c.FileID = ""
		}
		for _, name := range [...]string{"text", "snippet", "content"} {
			if c.Cited = wordOf(of.Get(name)); c.Cited != "" {
				break
			}
		}
		list = append(list, c)
	})
	if len(list) == from {
		list = append(list, c)
	}
	list[from].Raw = n.Raw()
	return list
}

// writeCitations writes the elements of a list of citations for the part p, which stands at this content index.
func writeCitations(w *jsontree.Writer, p *canon.Part, index int) {
	for i := range p.Citations {
		writeCitation(w, &p.Citations[i], p.Text, index)
	}
}

// writeCitation writes one, of this text; nothing for a further source of the one before. Where a citation does not say
// which characters it is of, it is of all of them.
func writeCitation(w *jsontree.Writer, c *canon.Citation, text string, index int) {
	if c.SignedBy == dialectName {
		if c.Raw != nil {
			w.Raw(c.Raw)
		}
		return
	}
	start, end := c.Start, c.End
	if start < 0 || end < start {
		start, end = 0, utf8.RuneCountInString(text)
	}
	w.Object()
	w.IntMember("start", int64(start))
	w.IntMember("end", int64(end))
	w.StrMember("text", between(text, start, end))
	w.Name("sources")
	w.Array()
	w.Object()
	w.StrMember("type", "document")
	id := c.URL
	if id == "" {
		id = c.FileID
	}
	w.StrMember("id", id)
	w.Name("document")
	w.Object()
	w.StrMember("id", id)
	for _, m := range [...][2]string{{"title", c.Title}, {"url", c.URL}, {"text", c.Cited}} {
		if m[1] != "" {
			w.StrMember(m[0], m[1])
		}
	}
	w.End()
	w.End()
	w.End()
	w.IntMember("content_index", int64(index))
	w.StrMember("type", "TEXT_CONTENT")
	w.End()
}

// between is what stands in text between two places counted in characters.
func between(text string, start, end int) string {
	from, at := len(text), 0
	for i := range text {
		if at == start {
			from = i
		}
		if at == end {
			return text[min(from, i):i]
		}
		at++
	}
	return text[from:]
}
