package llmtest

import (
	"bytes"
	"fmt"
	"strings"

	"causeway/internal/llm/canon"
)

// Fold makes the whole answer of the events of a stream, and holds the events to what canon promises of
// their order. The zero Fold is ready.
type Fold struct {
	Answer  canon.Answer
	started bool
	choices map[int]*folded
}

type folded struct {
	at   int          // in Answer.Choices
	open map[int]bool // the parts that began and did not end
	done bool
}

// Add takes the next event and keeps nothing of it. The error says how it breaks the promise.
func (f *Fold) Add(ev *canon.Event) error {
	switch ev.Kind {
	case canon.Beat:
		return nil
	case canon.Start:
		if f.started {
			return fmt.Errorf("a second Start")
		}
		f.started = true
		f.Answer.ID, f.Answer.Model, f.Answer.Created = strings.Clone(ev.ID), strings.Clone(ev.Model), ev.Created
		f.Answer.Fingerprint, f.Answer.ServiceTier = strings.Clone(ev.Fingerprint), strings.Clone(ev.ServiceTier)
		f.Answer.Usage = canon.NoUsage()
		return nil
	}
	if !f.started {
		return fmt.Errorf("event %d before Start", ev.Kind)
	}
	if ev.Kind == canon.Used {
		if ev.Usage == nil {
			return fmt.Errorf("a Used without Usage")
		}
		f.Answer.Usage = *ev.Usage
		f.Answer.Usage.Source = ""
		if ev.LatencyMS != 0 {
			f.Answer.LatencyMS = ev.LatencyMS
		}
		if ev.ServiceTier != "" {
			f.Answer.ServiceTier = strings.Clone(ev.ServiceTier)
		}
		return nil
	}
	return f.ofChoice(ev)
}

func (f *Fold) ofChoice(ev *canon.Event) error {
	c := f.choices[ev.Choice]
	if c == nil {
		if f.choices == nil {
			f.choices = map[int]*folded{}
		}
		c = &folded{at: len(f.Answer.Choices), open: map[int]bool{}}
		f.choices[ev.Choice] = c
		f.Answer.Choices = append(f.Answer.Choices, canon.Choice{Index: ev.Choice})
	}
	choice := &f.Answer.Choices[c.at]
	switch ev.Kind {
	case canon.Probs:
		choice.Logprobs = append(choice.Logprobs, cloneProbs(ev.Logprobs)...)
		return nil
	case canon.Finished:
		if len(c.open) > 0 || c.done || ev.Finish == canon.Unfinished {
			return fmt.Errorf("the end of choice %d: open parts %v, finished before %v, reason %d", ev.Choice, c.open, c.done, ev.Finish)
		}
		c.done = true
		choice.Finish, choice.FinishRaw, choice.StopWord = ev.Finish, strings.Clone(ev.FinishRaw), strings.Clone(ev.StopWord)
		return nil
	case canon.Begin:
		return f.begin(choice, c, ev)
	}
	if !c.open[ev.Part] {
		return fmt.Errorf("event %d of part %d of choice %d, which is not open", ev.Kind, ev.Part, ev.Choice)
	}
	p := &choice.Parts[ev.Part]
	if ev.PartKind != p.Kind {
		return fmt.Errorf("event %d of part %d of choice %d says %s and began as %s", ev.Kind, ev.Part, ev.Choice, ev.PartKind, p.Kind)
	}
	switch ev.Kind {
	case canon.Delta:
		if p.Call != nil {
			p.Call.Args += strings.Clone(ev.Text)
		} else {
			p.Text += strings.Clone(ev.Text) // "" + s is s itself
		}
	case canon.Sign:
		p.Signature, p.SignedBy = strings.Clone(ev.Signature), strings.Clone(ev.SignedBy)
		p.Redacted = p.Redacted || ev.Redacted
	case canon.Cite:
		if ev.Citation == nil {
			return fmt.Errorf("a Cite without Citation")
		}
		p.Citations = append(p.Citations, cloneCitation(*ev.Citation))
	case canon.MediaDelta:
		if p.Media == nil {
			p.Media = &canon.Media{}
		}
		p.Media.Data += strings.Clone(ev.Text)
		p.Media.Transcript += strings.Clone(ev.Transcript)
		if ev.Media != nil && ev.Media.Expires != 0 {
			p.Media.Expires = ev.Media.Expires
		}
	case canon.EndPart:
		delete(c.open, ev.Part)
	default:
		return fmt.Errorf("an unknown event %d", ev.Kind)
	}
	return nil
}

func (f *Fold) begin(choice *canon.Choice, c *folded, ev *canon.Event) error {
	if ev.Part != len(choice.Parts) || c.done {
		return fmt.Errorf("part %d of choice %d begins after %d parts, finished: %v", ev.Part, ev.Choice, len(choice.Parts), c.done)
	}
	for i := range c.open {
		if ev.PartKind != canon.ToolCall || choice.Parts[i].Kind != canon.ToolCall {
			return fmt.Errorf("%s part %d of choice %d begins while %s part %d is open", ev.PartKind, ev.Part, ev.Choice, choice.Parts[i].Kind, i)
		}
	}
	p := canon.Part{
		Kind: ev.PartKind, ID: strings.Clone(ev.ID), Text: strings.Clone(ev.Text), Redacted: ev.Redacted,
		Signature: strings.Clone(ev.Signature), SignedBy: strings.Clone(ev.SignedBy), Raw: bytes.Clone(ev.Raw),
		Plan: ev.Plan, Joined: ev.Joined, Verbatim: ev.Verbatim, Phase: strings.Clone(ev.Phase),
	}
	switch {
	case ev.PartKind == canon.ToolCall && (ev.Call == nil || ev.Call.Name == ""):
		return fmt.Errorf("a tool's call begins without its name")
	case ev.PartKind == canon.ToolCall && ev.Call.Args != "":
		return fmt.Errorf("a tool's call begins with arguments: they come as Delta")
	case ev.PartKind == canon.ToolCall:
		call := *ev.Call
		call.ID, call.Name = strings.Clone(call.ID), strings.Clone(call.Name)
		p.Call = &call
	case ev.PartKind == canon.Other && len(ev.Raw) == 0:
		return fmt.Errorf("an Other part begins without Raw")
	case ev.Text != "":
		return fmt.Errorf("a part begins with Text: it comes as Delta")
	}
	if ev.Media != nil {
		m := *ev.Media
		for _, s := range []*string{&m.MIME, &m.URL, &m.Data, &m.FileID, &m.Text, &m.Name, &m.Detail, &m.Context, &m.Transcript, &m.ID} {
			*s = strings.Clone(*s)
		}
		p.Media = &m
	}
	choice.Parts = append(choice.Parts, p)
	c.open[ev.Part] = true
	return nil
}

func cloneProbs(list []canon.Logprob) []canon.Logprob {
	var all []canon.Logprob
	for _, p := range list {
		p.Token, p.Bytes, p.Top = strings.Clone(p.Token), bytes.Clone(p.Bytes), cloneProbs(p.Top)
		all = append(all, p)
	}
	return all
}

func cloneCitation(c canon.Citation) canon.Citation {
	for _, s := range []*string{&c.URL, &c.Title, &c.Cited, &c.FileID, &c.SignedBy} {
		*s = strings.Clone(*s)
	}
	c.Raw = bytes.Clone(c.Raw)
	return c
}

// Whole tells what is missing at the end of a stream that was whole, "" when nothing is.
func (f *Fold) Whole() string {
	if !f.started {
		return "nothing was told"
	}
	for i, c := range f.choices {
		if len(c.open) > 0 || !c.done {
			return fmt.Sprintf("choice %d has open parts %v, finished: %v", i, c.open, c.done)
		}
	}
	return ""
}
