package openai

import (
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
)

// sign writes what proves a part: of a call beside it, else in reasoning_details, with the text that it is of.
func (s *chunks) sign(dst []byte, c *chunkChoice, p *chunkPart, ev *canon.Event) []byte {
	if ev.Signature == "" {
		return dst
	}
	s.open(dst, c)
	w := &s.w
	if p.kind == canon.ToolCall {
		if s.legacy {
			return s.close(nil, nil)
		}
		w.Name("tool_calls")
		w.Array()
		w.Object()
		w.IntMember("index", int64(p.call))
		if !p.custom { // the Vercel AI SDK takes no piece of a call without one
			w.Name("function")
			w.Object()
			w.StrMember("name", "")
			w.StrMember("arguments", "")
			w.End()
		}
		writeCallSignature(w, ev.Signature, ev.SignedBy)
		w.End()
		w.End()
		return s.close(nil, nil)
	}
	w.Name("reasoning_details")
	w.Array()
	writeDetail(w, string(p.text), ev.Signature, ev.SignedBy, p.id, p.redacted || ev.Redacted, int64(c.details))
	w.End()
	c.details++
	return s.close(nil, nil)
}

// cite writes a source of the text at hand. One that is of all of it waits for the text's end, which is its own.
func (s *chunks) cite(dst []byte, c *chunkChoice, p *chunkPart, cite *canon.Citation) []byte {
	if cite.URL != "" && cite.End < 0 && !p.ended {
		p.cites = append(p.cites, canon.Citation{
			Start: cite.Start, End: -1, URL: strings.Clone(cite.URL), Title: strings.Clone(cite.Title), Cited: strings.Clone(cite.Cited),
		})
		return dst
	}
	if cite.URL == "" {
		s.r.Add("answer.choices."+strconv.Itoa(c.index)+".citations", canon.Dropped, "chat completions cite URLs only")
		return dst
	}
	s.open(dst, c)
	s.w.Name("annotations")
	s.w.Array()
	writeURLCitation(&s.w, cite, c.before, c.length)
	s.w.End()
	return s.close(nil, nil)
}

func (s *chunks) beginAudio(dst []byte, c *chunkChoice, p *chunkPart) []byte {
	s.state.Content = true
	if p.media.ID == "" {
		p.media.ID = answerID("", "audio_")
	}
	s.open(dst, c)
	s.w.Name("audio")
	s.w.Object()
	s.w.StrMember("id", p.media.ID)
	if p.media.Data != "" {
		s.w.StrMember("data", p.media.Data)
	}
	if p.media.Transcript != "" {
		s.w.StrMember("transcript", p.media.Transcript)
	}
	s.w.End()
	return s.close(nil, nil)
}

// media writes a piece of audio; pictures go out whole.
func (s *chunks) media(dst []byte, c *chunkChoice, p *chunkPart, ev *canon.Event) []byte {
	if p.kind != canon.Audio {
		p.text = append(p.text, ev.Text...)
		return dst
	}
	s.open(dst, c)
	w := &s.w
	w.Name("audio")
	w.Object()
	if ev.Text != "" {
		w.StrMember("data", ev.Text)
	}
	if ev.Transcript != "" {
		w.StrMember("transcript", ev.Transcript)
	}
	if ev.Media != nil && ev.Media.Expires != 0 {
		w.IntMember("expires_at", ev.Media.Expires)
	}
	w.End()
	return s.close(nil, nil)
}

// end writes what was held of a part.
func (s *chunks) end(dst []byte, c *chunkChoice, p *chunkPart) []byte {
	switch {
	case p.kind == canon.Text:
		p.ended = true
		for i := range p.cites {
			dst = s.cite(dst, c, p, &p.cites[i])
		}
		c.before, c.length = c.before+c.length, 0
	case p.kind == canon.Image:
		s.state.Content = true
		p.media.Data += string(p.text)
		s.open(dst, c)
		s.w.Name("images")
		s.w.Array()
		writePicture(&s.w, &p.media)
		s.w.End()
		dst = s.close(nil, nil)
	case p.hold:
		dst = s.args(dst, c, p, customInput(&canon.Call{Args: string(p.text)}))
	}
	for i := range c.parts {
		if &c.parts[i] == p {
			last := len(c.parts) - 1
			copy(c.parts[i:], c.parts[i+1:])
			c.parts[last] = chunkPart{}
			c.parts = c.parts[:last]
			break
		}
	}
	return dst
}

// End appends the finish reasons, the usage where the caller wants it, and [DONE].
func (s *chunks) End(dst []byte) []byte {
	if s.head == nil {
		s.start(&canon.Event{})
	}
	if len(s.choices) == 0 { // the provider would not answer at all
		s.of(0).finished.Finish = canon.Filtered
	}
	for i := range s.choices {
		c := &s.choices[i]
		empty := !c.begun
		s.open(dst, c)
		if empty {
			s.w.StrMember("content", "")
		}
		loseFinish(s.r, &c.finished)
		dst = s.close(nil, &c.finished)
	}
	if s.used && s.req.StreamUsage {
		dst = append(append(dst, "data: "...), s.head...)
		dst = append(append(dst, s.foot...), `,"usage":`...)
		s.w.Reset(dst)
		writeUsage(&s.w, &s.usage)
		dst = append(s.w.Buf, "}\n\n"...)
		s.w.Reset(nil)
	}
	s.state.Done = true
	return append(dst, "data: [DONE]\n\n"...)
}
