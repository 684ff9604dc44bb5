package gemini

import (
	"time"
	"unicode/utf8"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteAnswer writes a GenerateContentResponse.
func (codec) WriteAnswer(a *canon.Answer, req *canon.Request, r *canon.Report) []byte {
	var w jsontree.Writer
	w.Object()
	if a.Blocked != "" {
		w.Name("promptFeedback")
		w.Object()
		w.StrMember("blockReason", a.Blocked)
		w.End()
	} else {
		w.Name("candidates")
		w.Array()
		for i := range a.Choices {
			writeCandidate(&w, &a.Choices[i], r)
		}
		w.End()
	}
	writeMetadata(&w, &a.Usage, a.ServiceTier)
	loseUsage(&a.Usage, r)
	model := a.Model
	if model == "" {
		model = req.Model
	}
	writeFrame(&w, a.ID, model, a.Created)
	w.End()
	if a.Fingerprint != "" {
		r.Add("answer.system_fingerprint", canon.Dropped, "")
	}
	return w.Buf
}

// writeFrame writes what stands beside the candidates, in an answer and in each chunk.
func writeFrame(w *jsontree.Writer, id, model string, created int64) {
	if model != "" {
		w.StrMember("modelVersion", model)
	}
	if created != 0 {
		w.StrMember("createTime", time.Unix(created, 0).UTC().Format(time.RFC3339))
	}
	if id != "" {
		w.StrMember("responseId", id)
	}
}

func writeCandidate(w *jsontree.Writer, c *canon.Choice, r *canon.Report) {
	w.Object()
	w.Name("content")
	w.Object()
	w.Name("parts")
	w.Array()
	var cites []citation
	at := 0
	for i := range c.Parts {
		p := &c.Parts[i]
		if !writeAnswerPart(w, p, r) {
			continue
		}
		for _, cite := range p.Citations {
			tellCitation(&cite, r)
			cites = append(cites, citation{Citation: inBytes(p.Text, cite), part: at})
		}
		at++
	}
	w.End()
	w.StrMember("role", "model")
	w.End()
	if c.Finish != canon.Unfinished {
		w.StrMember("finishReason", finishWord(c.Finish, c.FinishRaw))
	}
	w.IntMember("index", int64(c.Index))
	loseStopWord(c.StopWord, r)
	writeLogprobs(w, c.Logprobs)
	writeCitations(w, cites)
	w.End()
}

func loseRefusal(kind canon.PartKind, r *canon.Report) {
	if kind == canon.Refusal {
		r.Add("answer.refusal", canon.Approximated, "as text")
	}
}

func loseStopWord(word string, r *canon.Report) {
	if word != "" {
		r.Add("answer.stop_sequence", canon.Dropped, "Gemini does not tell which stop sequence came")
	}
}

// writeAnswerPart writes one part; false when it has no place in an answer of the API's.
func writeAnswerPart(w *jsontree.Writer, p *canon.Part, r *canon.Report) bool {
	switch p.Kind {
	case canon.Other:
		if p.SignedBy != dialect || p.Raw == nil {
			r.Add("answer."+orElse(p.SignedBy, "other")+"_part", canon.Dropped, "only its own dialect knows it")
			return false
		}
		w.Raw(p.Raw)
		return true
	case canon.ToolResult:
		r.Add("answer.tool_result", canon.Dropped, "")
		return false
	}
	w.Object()
	switch {
	case p.Kind == canon.ToolCall && p.Call != nil:
		writeFunctionCall(w, p.Call, r)
	case p.Media != nil:
		writeMedia(w, p.Media, p.Media.Data, r)
	default: // text, thoughts, refusals
		loseRefusal(p.Kind, r)
		w.StrMember("text", p.Text)
		if p.Kind == canon.Thinking {
			w.BoolMember("thought", true)
		}
	}
	if p.Signature != "" {
		w.StrMember("thoughtSignature", packSignature(p))
	}
	w.End()
	return true
}

func writeFunctionCall(w *jsontree.Writer, c *canon.Call, r *canon.Report) {
	w.Name("functionCall")
	w.Object()
	if c.ID != "" {
		w.StrMember("id", c.ID)
	}
	w.StrMember("name", c.Name)
	w.Name("args")
	if !writeArgs(w, c) {
		r.Add("answer.arguments", canon.Approximated, "they are no JSON object; they come as the argument input")
	}
	w.End()
}

func writeMedia(w *jsontree.Writer, m *canon.Media, data string, r *canon.Report) {
	if m.Transcript != "" {
		r.Add("answer.transcript", canon.Dropped, "")
	}
	if data == "" && (m.URL != "" || m.FileID != "") {
		w.Name("fileData")
		w.Object()
		if m.MIME != "" {
			w.StrMember("mimeType", m.MIME)
		}
		w.StrMember("fileUri", orElse(m.URL, m.FileID))
		w.End()
		return
	}
	w.Name("inlineData")
	w.Object()
	w.StrMember("mimeType", m.MIME)
	w.StrMember("data", data)
	w.End()
}

// inBytes is a citation with offsets in bytes of text.
func inBytes(text string, c canon.Citation) canon.Citation {
	c.Start, c.End = bytesIn(text, c.Start), bytesIn(text, c.End)
	return c
}

func bytesIn(text string, runes int) int {
	if runes < 0 {
		return -1
	}
	for i := range text {
		if runes == 0 {
			return i
		}
		runes--
	}
	if runes == 0 {
		return len(text)
	}
	return -1
}

// tellCitation tells what groundingMetadata has no place for.
func tellCitation(c *canon.Citation, r *canon.Report) {
	if c.FileID != "" && c.URL == "" {
		r.Add("answer.citations", canon.Approximated, "a document's id stands as its address")
	}
}

// writeCitations writes groundingMetadata: the sources once each, and where they support the text.
func writeCitations(w *jsontree.Writer, cites []citation) {
	if len(cites) == 0 {
		return
	}
	type key struct{ url, file, title, cited string }
	keyOf := func(c *citation) key { return key{c.URL, c.FileID, c.Title, c.Cited} }
	index, chunks := map[key]int{}, 0
	w.Name("groundingMetadata")
	w.Object()
	w.Name("groundingChunks")
	w.Array()
	for i := range cites {
		c := &cites[i]
		if c.End >= 0 { // one without a place has a chunk of its own
			if _, ok := index[keyOf(c)]; ok {
				continue
			}
			index[keyOf(c)] = chunks
		}
		chunks++
		w.Object()
		kind := "web"
		if c.Cited != "" || c.URL == "" && c.FileID != "" {
			kind = "retrievedContext"
		}
		w.Name(kind)
		w.Object()
		if source := orElse(c.URL, c.FileID); source != "" {
			w.StrMember("uri", source)
		}
		if c.Title != "" {
			w.StrMember("title", c.Title)
		}
		if c.Cited != "" {
			w.StrMember("text", c.Cited)
		}
		w.End()
		w.End()
	}
	w.End()
	w.Name("groundingSupports")
	w.Array()
	for i := range cites {
		c := &cites[i]
		if c.End < 0 {
			continue
		}
		w.Object()
		w.Name("segment")
		w.Object()
		if c.part > 0 {
			w.IntMember("partIndex", int64(c.part))
		}
		if c.Start > 0 {
			w.IntMember("startIndex", int64(c.Start))
		}
		w.IntMember("endIndex", int64(c.End))
		w.End()
		w.Name("groundingChunkIndices")
		w.Array()
		w.Int(int64(index[keyOf(c)]))
		w.End()
		w.End()
	}
	w.End()
	w.End()
}

// writeLogprobs writes a LogprobsResult.
func writeLogprobs(w *jsontree.Writer, list []canon.Logprob) {
	if len(list) == 0 {
		return
	}
	w.Name("logprobsResult")
	w.Object()
	w.Name("topCandidates")
	w.Array()
	for i := range list {
		w.Object()
		w.Name("candidates")
		w.Array()
		for k := range list[i].Top {
			writeLogprob(w, &list[i].Top[k])
		}
		w.End()
		w.End()
	}
	w.End()
	w.Name("chosenCandidates")
	w.Array()
	for i := range list {
		writeLogprob(w, &list[i])
	}
	w.End()
	w.End()
}

func writeLogprob(w *jsontree.Writer, p *canon.Logprob) {
	w.Object()
	token := p.Token
	if p.Bytes != nil && !utf8.ValidString(token) {
		token = string(p.Bytes)
	}
	w.StrMember("token", token)
	w.Name("logProbability")
	w.Float(p.Logprob)
	w.End()
}

// loseUsage tells what of the usage has no member here.
func loseUsage(u *canon.Usage, r *canon.Report) {
	if u.CacheWrite > 0 {
		r.Add("answer.usage.cache_write_tokens", canon.Dropped, "Gemini counts them with the input alone")
	}
}

// writeMetadata writes usageMetadata, whose counts stand beside each other.
func writeMetadata(w *jsontree.Writer, u *canon.Usage, tier string) {
	if u.Input < 0 && u.Output < 0 && tier == "" {
		return
	}
	w.Name("usageMetadata")
	w.Object()
	if u.Input >= 0 {
		w.IntMember("promptTokenCount", max(u.Input-max(u.ToolPrompt, 0), 0))
	}
	if u.Output >= 0 {
		w.IntMember("candidatesTokenCount", max(u.Output-max(u.Reasoning, 0), 0))
	}
	if u.Input >= 0 || u.Output >= 0 {
		w.IntMember("totalTokenCount", max(u.Input, 0)+max(u.Output, 0))
	}
	optional := func(name string, n int64) {
		if n >= 0 {
			w.IntMember(name, n)
		}
	}
	optional("cachedContentTokenCount", u.Cached)
	optional("thoughtsTokenCount", u.Reasoning)
	optional("toolUsePromptTokenCount", u.ToolPrompt)
	writeDetails(w, "promptTokensDetails", u.Input-max(u.ToolPrompt, 0), u.AudioIn, u.ImageIn)
	writeDetails(w, "candidatesTokensDetails", u.Output-max(u.Reasoning, 0), u.AudioOut, u.ImageOut)
	if tier != "" {
		w.StrMember("serviceTier", tier)
	}
	w.End()
}

func writeDetails(w *jsontree.Writer, name string, all, audio, image int64) {
	if audio < 0 && image < 0 {
		return
	}
	w.Name(name)
	w.Array()
	each := func(modality string, n int64) {
		if n >= 0 {
			w.Object()
			w.StrMember("modality", modality)
			w.IntMember("tokenCount", n)
			w.End()
		}
	}
	each("TEXT", max(all-max(audio, 0)-max(image, 0), 0))
	each("AUDIO", audio)
	each("IMAGE", image)
	w.End()
}
