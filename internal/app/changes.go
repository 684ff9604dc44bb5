package app

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"causeway/internal/child"
	"causeway/internal/fault"
	"causeway/internal/history"
	"causeway/internal/incident"
)

// changesOf is what the process remembers of a target's changes, in the words of an incident; target is as the
// incident has it, without what may be a secret.
func (a *App) changesOf(upstream, target string, from, to time.Time) (list []incident.Change) {
	for _, c := range a.history.Changes(upstream, target, from, to) {
		list = append(list, changeOf(&c, target))
	}
	if a.o.Endings != nil {
		for _, e := range a.o.Endings() {
			if !e.At.Before(from) && !e.At.After(to) {
				list = append(list, endingOf(&e))
			}
		}
	}
	return list
}

func changeOf(c *history.Change, target string) incident.Change {
	about, its := "the upstream", "the upstream's"
	if target != "" {
		about, its = target, target+"'s"
	}
	i := incident.Change{At: c.At, Target: target, Before: c.From, After: c.To}
	switch what, content := strings.CutPrefix(c.What, "content type of "); {
	case c.What == history.Away:
		i.What, i.Until = incident.Restart, c.At.Add(c.Took)
		i.Text = fmt.Sprintf("%s was away for %s (%s) and came back", about, fault.Span(c.Took), c.Kind)
		i.Before, i.After = "calls went well", "calls went well again"
		if c.Cut {
			i.Text = fmt.Sprintf("%s broke a call off, was away for %s (%s) and came back", about, fault.Span(c.Took), c.Kind)
			i.Before = "a call under way broke off"
		}
		return i
	case c.What == "address":
		i.What = "address"
		i.Text = fmt.Sprintf("the name in %s leads to %s, and led to %s before", about, c.To, c.From)
		return i
	case c.What == "certificate":
		i.What, i.Text = "certificate", fmt.Sprintf("%s certificate changed from %s to %s (the first bytes of their SHA-256)", its, c.From, c.To)
		return i
	case c.What == "ALPN":
		i.What, i.Text = "protocol", fmt.Sprintf("%s agreed protocol changed from %q to %q", its, c.From, c.To)
		return i
	case content:
		i.What, i.Text = "content", fmt.Sprintf("%s answers to %s changed their Content-Type from %q to %q", its, what, c.From, c.To)
		return i
	}
	i.What, i.Text = "version", fmt.Sprintf("%s %s field changed from %q to %q", its, http.CanonicalHeaderKey(c.What), c.From, c.To)
	return i
}

// endingOf is a process that causeway run has seen end, and started again or not.
func endingOf(e *child.Ending) incident.Change {
	i := incident.Change{
		At: e.At, What: incident.Restart, Until: e.Again,
		Before: fmt.Sprintf("process %d, which had run for %s", e.PID, fault.Span(e.Ran)), After: "not started again",
		Text: fmt.Sprintf("the upstream's process %s", e.String()),
	}
	if !e.Again.IsZero() {
		i.After = fmt.Sprintf("process %d", e.Next)
		i.Text += fmt.Sprintf(" and was started again after %s", fault.Span(e.Again.Sub(e.At)))
	}
	return i
}
