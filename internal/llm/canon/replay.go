package canon

import "strings"

// Events tells a whole answer as the events of a stream, in their order; false where that can't be done: media are
// streamed in other pieces than they are told whole. The events share memory with a.
func (a *Answer) Events() (list []Event, ok bool) {
	list = append(list, Event{Kind: Start, ID: a.ID, Model: a.Model, Created: a.Created, Fingerprint: a.Fingerprint, ServiceTier: a.ServiceTier})
	for i := range a.Choices {
		c := &a.Choices[i]
		for n := range c.Parts {
			p := &c.Parts[n]
			if p.Media != nil || p.Result != nil {
				return nil, false
			}
			list = p.events(list, Event{Choice: c.Index, Part: n, PartKind: p.Kind})
		}
		if len(c.Logprobs) > 0 {
			list = append(list, Event{Kind: Probs, Choice: c.Index, Logprobs: c.Logprobs})
		}
		list = append(list, Event{Kind: Finished, Choice: c.Index, Finish: c.Finish, FinishRaw: c.FinishRaw, StopWord: c.StopWord})
	}
	usage := a.Usage
	return append(list, Event{Kind: Used, Usage: &usage, LatencyMS: a.LatencyMS}), true
}

// events appends those of one part; at is where it stands.
func (p *Part) events(list []Event, at Event) []Event {
	begin, text := at, p.Text
	begin.Kind, begin.ID, begin.Plan, begin.Raw, begin.Redacted = Begin, p.ID, p.Plan, p.Raw, p.Redacted
	begin.Joined, begin.Verbatim, begin.Phase = p.Joined, p.Verbatim, p.Phase
	if p.Call != nil {
		call := *p.Call
		text, call.Args = call.Args, ""
		begin.Call = &call
	}
	list = append(list, begin)
	if text != "" {
		delta := at
		delta.Kind, delta.Text = Delta, text
		list = append(list, delta)
	}
	if p.Signature != "" {
		sign := at
		sign.Kind, sign.Signature, sign.SignedBy, sign.Redacted = Sign, p.Signature, p.SignedBy, p.Redacted
		list = append(list, sign)
	}
	for i := range p.Citations {
		cite := at
		cite.Kind, cite.Citation = Cite, &p.Citations[i]
		list = append(list, cite)
	}
	at.Kind = EndPart
	return append(list, at)
}

// Gatherer makes a whole answer of the events of a stream. The zero value is ready for use, for one stream.
type Gatherer struct {
	answer  Answer
	choices []gathered
	unfit   bool
}

// gathered is a choice with the places that its parts have in the stream.
type gathered struct {
	choice Choice
	places []int
}

// Add takes the next event, and copies what it needs of it.
func (g *Gatherer) Add(ev *Event) {
	a := &g.answer
	switch ev.Kind {
	case Start:
		a.ID, a.Model, a.Created = strings.Clone(ev.ID), strings.Clone(ev.Model), ev.Created
		a.Fingerprint, a.ServiceTier = strings.Clone(ev.Fingerprint), strings.Clone(ev.ServiceTier)
	case Used:
		if ev.Usage != nil {
			a.Usage = *ev.Usage
		}
		a.LatencyMS = max(a.LatencyMS, ev.LatencyMS)
	case Beat:
	case Probs:
		g.unfit = true // they alias the reader's memory deeply, and few ask for them
	case Finished:
		c := &g.of(ev.Choice).choice
		c.Finish, c.FinishRaw, c.StopWord = ev.Finish, strings.Clone(ev.FinishRaw), strings.Clone(ev.StopWord)
	default:
		g.part(ev)
	}
}

func (g *Gatherer) of(choice int) *gathered {
	for i := range g.choices {
		if g.choices[i].choice.Index == choice {
			return &g.choices[i]
		}
	}
	g.choices = append(g.choices, gathered{choice: Choice{Index: choice}})
	return &g.choices[len(g.choices)-1]
}

func (g *Gatherer) part(ev *Event) {
	c := g.of(ev.Choice)
	var p *Part
	for i, place := range c.places {
		if place == ev.Part {
			p = &c.choice.Parts[i]
		}
	}
	if p == nil {
		c.places = append(c.places, ev.Part)
		c.choice.Parts = append(c.choice.Parts, Part{Kind: ev.PartKind})
		p = &c.choice.Parts[len(c.choice.Parts)-1]
	}
	switch ev.Kind {
	case Begin:
		p.ID, p.Plan, p.Redacted = strings.Clone(ev.ID), ev.Plan, ev.Redacted
		p.Joined, p.Verbatim, p.Phase = ev.Joined, ev.Verbatim, strings.Clone(ev.Phase)
		if ev.Call != nil {
			p.Call = &Call{ID: strings.Clone(ev.Call.ID), Name: strings.Clone(ev.Call.Name), Args: strings.Clone(ev.Call.Args), Custom: ev.Call.Custom}
		}
		g.unfit = g.unfit || ev.Media != nil || ev.PartKind == Other
	case Delta:
		if p.Call != nil {
			p.Call.Args += ev.Text
		} else {
			p.Text += ev.Text
		}
	case Sign:
		p.Signature, p.SignedBy = strings.Clone(ev.Signature), strings.Clone(ev.SignedBy)
		p.Redacted = p.Redacted || ev.Redacted
	case Cite, MediaDelta:
		g.unfit = true
	}
}

// Answer is the answer, once the stream has ended; false where it can't be told whole: one with media, citations,
// likelihoods of tokens, or parts that only their dialect understands.
func (g *Gatherer) Answer() (*Answer, bool) {
	if g.unfit || len(g.choices) == 0 {
		return nil, false
	}
	a := g.answer
	for i := range g.choices {
		a.Choices = append(a.Choices, g.choices[i].choice)
	}
	return &a, true
}

// Says tells whether two answers say the same: the same choices with the same parts and ends, the same identity and
// the same number of tokens.
func (a *Answer) Says(b *Answer) bool {
	if a.ID != b.ID || a.Model != b.Model || a.Usage.Input != b.Usage.Input || a.Usage.Output != b.Usage.Output || len(a.Choices) != len(b.Choices) {
		return false
	}
	for i := range a.Choices {
		x, y := &a.Choices[i], &b.Choices[i]
		if x.Index != y.Index || x.Finish != y.Finish || x.StopWord != y.StopWord || len(x.Parts) != len(y.Parts) || len(x.Logprobs) != len(y.Logprobs) {
			return false
		}
		for n := range x.Parts {
			p, q := &x.Parts[n], &y.Parts[n]
			if p.Kind != q.Kind || p.Text != q.Text || p.Signature != q.Signature || p.Redacted != q.Redacted || (p.Call == nil) != (q.Call == nil) ||
				p.Call != nil && *p.Call != *q.Call || len(p.Citations) != len(q.Citations) {
				return false
			}
		}
	}
	return true
}
