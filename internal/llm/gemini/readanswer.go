package gemini

import (
	"time"
	"unicode/utf8"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads a GenerateContentResponse.
func (codec) ReadAnswer(body []byte) (*canon.Answer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.Answer{Usage: canon.NoUsage()}
	a.ID, a.Model = root.Get("responseId").Str(), root.Get("modelVersion").Str()
	a.Created = created(root)
	readMetadata(root.Get("usageMetadata"), &a.Usage, &a.ServiceTier)
	list := root.Get("candidates")
	a.Choices = make([]canon.Choice, 0, list.Len())
	list.Each(func(i int, n jsontree.Node) { a.Choices = append(a.Choices, readCandidate(d, n, i)) })
	if reason := root.Get("promptFeedback").Get("blockReason").Str(); reason != "" && len(a.Choices) == 0 {
		a.Blocked = reason
		a.Choices = append(a.Choices, canon.Choice{Finish: canon.Filtered, FinishRaw: reason})
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

// created is Vertex AI's createTime in Unix seconds, 0 when not said. A time that can't be read stays to be told.
func created(root jsontree.Node) int64 {
	n := root.Get("createTime")
	if !n.IsString() {
		return 0
	}
	at, err := time.Parse(time.RFC3339, n.Str())
	if err != nil {
		n.Leave()
		return 0
	}
	return at.Unix()
}

// readMetadata reads usageMetadata; what it says of the traffic is left.
func readMetadata(n jsontree.Node, u *canon.Usage, tier *string) {
	if !n.IsObject() {
		return
	}
	var scan jsonscan.Scanner
	scan.Reset(n.Copy())
	readUsage(&scan, u)
	if u.Input >= 0 || u.Output >= 0 {
		u.Source = "reported"
	}
	for _, name := range [...]string{
		"promptTokenCount", "candidatesTokenCount", "responseTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount",
		"totalTokenCount", "cachedContentTokenCount",
	} {
		n.Get(name).Settle()
	}
	for _, name := range [...]string{"promptTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails"} {
		if details := n.Get(name); counted(details) {
			details.Settle()
		} else if details.Exists() {
			details.Leave()
		}
	}
	*tier = n.Get("serviceTier").Str()
}

// counted tells whether counts by modality say no more than usage does: text, images and audio.
func counted(list jsontree.Node) bool {
	if !list.IsArray() {
		return false
	}
	known := true
	list.Each(func(_ int, n jsontree.Node) {
		switch stringOf(n.Get("modality")) {
		case "TEXT", "IMAGE", "AUDIO":
		default:
			known = false
		}
	})
	return known
}

func readCandidate(d *jsontree.Doc, n jsontree.Node, i int) canon.Choice {
	c := canon.Choice{Index: i}
	if v, ok := n.Get("index").Int(); ok {
		c.Index = int(v)
	}
	content := n.Get("content")
	content.Get("role").Settle()
	parts := content.Get("parts")
	c.Parts = make([]canon.Part, 0, parts.Len())
	calls := false
	parts.Each(func(_ int, p jsontree.Node) {
		if p.IsObject() && p.Len() > 0 {
			c.Parts = append(c.Parts, readPart(d, p, false))
			calls = calls || c.Parts[len(c.Parts)-1].Kind == canon.ToolCall
		}
	})
	for i := range c.Parts {
		c.Parts[i].At = 0 // places are those of requests
	}
	c.FinishRaw = n.Get("finishReason").Str()
	if c.Finish, _ = finishOf(c.FinishRaw); c.Finish == canon.Stopped && calls {
		c.Finish = canon.ToolCalls
	}
	c.Logprobs = readLogprobs(n.Get("logprobsResult"))
	for _, cite := range readCitations(n) {
		if p := citedPart(c.Parts, cite.part); p != nil {
			cite.Start, cite.End = runesIn(p.Text, cite.Start), runesIn(p.Text, cite.End)
			p.Citations = append(p.Citations, cite.Citation)
		}
	}
	return c
}

// citedPart is the text that a segment is of.
func citedPart(parts []canon.Part, index int) *canon.Part {
	if index < len(parts) && parts[index].Kind == canon.Text {
		return &parts[index]
	}
	for i := range parts {
		if parts[i].Kind == canon.Text {
			return &parts[i]
		}
	}
	return nil
}

// runesIn is an offset in bytes as one in characters; -1 for none.
func runesIn(text string, offset int) int {
	if offset < 0 || offset > len(text) {
		return -1
	}
	return utf8.RuneCountInString(text[:offset])
}

// citation is a canon.Citation whose offsets are those of bytes in a part.
type citation struct {
	canon.Citation
	part int
}

// readCitations reads the sources of groundingMetadata and citationMetadata: first those of places in the text, then
// those of the answer as a whole.
func readCitations(candidate jsontree.Node) (list []citation) {
	grounding := candidate.Get("groundingMetadata")
	chunks := grounding.Get("groundingChunks")
	cited := make([]bool, chunks.Len())
	grounding.Get("groundingSupports").Each(func(_ int, s jsontree.Node) {
		at := segment(s.Get("segment"))
		s.Get("groundingChunkIndices").Each(func(_ int, n jsontree.Node) {
			if i, ok := n.Int(); ok && i >= 0 && int(i) < len(cited) {
				cited[i] = true
				at.Citation = source(chunks, int(i), at.Citation)
				list = append(list, at)
			}
		})
	})
	meta := candidate.Get("citationMetadata")
	sources := meta.First("citationSources", "citations") // the latter: Vertex AI
	sources.Each(func(_ int, s jsontree.Node) {
		at := segment(s)
		at.URL, at.Title = s.Get("uri").Str(), s.Get("title").Str()
		list = append(list, at)
	})
	for i := range cited {
		if !cited[i] {
			list = append(list, citation{Citation: source(chunks, i, canon.Citation{Start: -1, End: -1})})
		}
	}
	return list
}

// segment reads a place in the text. An offset of 0 may be left out.
func segment(n jsontree.Node) citation {
	c := citation{Citation: canon.Citation{Start: -1, End: -1}}
	if part, ok := n.Get("partIndex").Int(); ok {
		c.part = int(max(part, 0))
	}
	if end, ok := n.Get("endIndex").Int(); ok && end >= 0 {
		c.Start, c.End = 0, int(end)
	}
	if start, ok := n.Get("startIndex").Int(); ok && start >= 0 {
		c.Start = int(start)
	}
	n.Get("text").Settle() // the answer's own words
	return c
}

// source fills in what a grounding chunk names.
func source(chunks jsontree.Node, index int, c canon.Citation) canon.Citation {
	chunks.Each(func(i int, n jsontree.Node) {
		if i != index {
			return
		}
		for _, kind := range [...]string{"web", "retrievedContext", "maps"} {
			if s := n.Get(kind); s.Said() {
				c.URL, c.Title, c.Cited = s.Get("uri").Str(), s.Get("title").Str(), s.Get("text").Str()
			}
		}
	})
	return c
}

// readLogprobs reads a LogprobsResult.
func readLogprobs(n jsontree.Node) []canon.Logprob {
	chosen := n.Get("chosenCandidates")
	if !chosen.IsArray() {
		return nil
	}
	list := make([]canon.Logprob, 0, chosen.Len())
	chosen.Each(func(_ int, c jsontree.Node) { list = append(list, readLogprob(c)) })
	n.Get("topCandidates").Each(func(i int, top jsontree.Node) {
		top.Get("candidates").Each(func(_ int, c jsontree.Node) {
			if i < len(list) {
				list[i].Top = append(list[i].Top, readLogprob(c))
			}
		})
	})
	return list
}

func readLogprob(n jsontree.Node) canon.Logprob {
	p, _ := n.Get("logProbability").Float()
	n.Get("tokenId").Settle() // a number in a vocabulary that no other has
	return canon.Logprob{Token: n.Get("token").Str(), Logprob: p}
}
