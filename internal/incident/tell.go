package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Told is an incident in words, ready to show.
type Told struct {
	Title    string   // "The upstream refused the connection: orders, http://127.0.0.1:9001"
	Sentence string   // who, since when, how many, why, what changed
	Timeline []Moment // in the order of time
	Evidence []string
	RuledOut []string
	Advice   []string
	// Check is the one look that would settle it: a command, or a sentence.
	Check      string
	Retry      fault.Verdict
	Confidence string // high, likely or possible
}

// Moment is one line of a timeline.
type Moment struct {
	At   time.Time
	Text string
}

const clock = "15:04:05.000 MST"

// Tell puts an incident into words as it is at now. It may be called concurrently.
func Tell(i *Incident, now time.Time) Told {
	e := fault.Lookup(i.Kind)
	if e == nil {
		e = fault.Lookup(fault.Unclassified)
	}
	t := Told{Title: e.Title, Retry: verdict(i, e), Confidence: "likely"}
	if about := i.about(); about != "" {
		t.Title += ": " + about
	}
	t.Sentence = i.sentence(e, now)
	t.Timeline = i.timeline()
	t.Evidence = i.evidence()
	t.Advice = e.OperatorAdvice
	if f := i.Finding; f != nil {
		t.RuledOut = f.RuledOut
		if f.Confidence != "" {
			t.Confidence = f.Confidence
		}
		if len(f.Advice) > 0 {
			t.Advice = f.Advice
		}
		if f.Warning != "" {
			t.Advice = append(slices.Clone(t.Advice), "Before calls are repeated: "+f.Warning)
		}
	}
	if c := i.lastChange(); c != nil && i.Side == Upstream {
		t.Advice = append([]string{"Look first at what changed just before: " + c.Text + "."}, t.Advice...)
	}
	t.Check = i.check()
	return t
}

// lastChange is the one closest before the onset that may explain it; nil where there is none. That the target was
// away before explains less than what was changed about it.
func (i *Incident) lastChange() *Change {
	var away *Change
	for n := range i.Changes {
		switch c := &i.Changes[n]; c.What {
		case Start:
		case Restart, recovery:
			if away == nil {
				away = c
			}
		default:
			return c
		}
	}
	return away
}

func verdict(i *Incident, e *fault.Entry) fault.Verdict {
	if i.Finding != nil && i.Finding.Retry != "" {
		return i.Finding.Retry
	}
	switch e.Again {
	case fault.Always, fault.Delayed:
		return fault.Safe
	case fault.Idempotent:
		return fault.MayRepeat
	}
	return fault.No
}

// about names what the incident is about.
func (i *Incident) about() string {
	var parts []string
	if i.Caller != "" {
		parts = append(parts, i.Caller)
	}
	if i.Side != Caller && len(i.Services) > 0 {
		parts = append(parts, some(i.Services, 3))
	}
	if i.Provider != "" {
		p := i.Provider
		if i.Model != "" {
			p += "/" + i.Model
		}
		if !slices.Contains(i.Services, p) {
			parts = append(parts, p)
		}
	}
	if i.Target != "" {
		parts = append(parts, i.Target)
	}
	return strings.Join(parts, ", ")
}

func some(list []string, most int) string {
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

func (i *Incident) sentence(e *fault.Entry, now time.Time) string {
	var b strings.Builder
	begin := i.Onset.UTC().Format(clock)
	switch i.State {
	case Recovered:
		fmt.Fprintf(&b, "For %s from %s ", fault.Span(i.Ended.Sub(i.Onset)), begin)
	case Quiet:
		fmt.Fprintf(&b, "From %s to %s ", begin, i.LastSeen.UTC().Format(clock))
	default:
		fmt.Fprintf(&b, "Since %s (%s ago) ", begin, fault.Span(max(now.Sub(i.Onset), 0)))
	}
	b.WriteString(i.hit())
	switch f := i.Finding; {
	case f != nil && f.Detail != "":
		b.WriteString(". " + strings.TrimSuffix(upper(f.Detail), "."))
		if f.Because != "" {
			b.WriteString(". " + strings.TrimSuffix(upper(f.Because), "."))
		}
	case i.Seen != "":
		b.WriteString(". A health check saw: " + strings.TrimSuffix(i.Seen, "."))
	default:
		b.WriteString(". " + e.Title)
	}
	b.WriteByte('.')
	if c := i.lastChange(); c != nil {
		if d := i.Onset.Sub(c.At); d >= 0 {
			fmt.Fprintf(&b, " %s before the first failure %s.", upper(fault.Span(d)), c.Text)
		} else {
			fmt.Fprintf(&b, " At the same moment %s.", c.Text)
		}
	}
	switch i.State {
	case Recovered:
		fmt.Fprintf(&b, " It recovered after %s.", fault.Span(i.Ended.Sub(i.Onset)))
	case Quiet:
		b.WriteString(" Nothing has called it since, so that it is not known whether it is over.")
	case Folded:
		fmt.Fprintf(&b, " It is a consequence of the incident %s.", i.Under)
	}
	return b.String()
}

// hit says whom it hit.
func (i *Incident) hit() string {
	if i.Calls+i.Absorbed == 0 {
		return "health checks fail; no call has met it"
	}
	of := ""
	if i.Side != Caller && len(i.Services) > 0 {
		of = " of " + some(i.Services, 3)
	}
	s := ""
	switch {
	case i.Calls > 0:
		s = fmt.Sprintf("%s%s failed", count(i.Calls, "call"), of)
		if i.Absorbed > 0 {
			s += fmt.Sprintf(" and %d more were saved by another attempt", i.Absorbed)
		}
	default:
		s = fmt.Sprintf("%s%s met it, each of which another attempt saved", count(i.Absorbed, "call"), of)
	}
	if i.CallerCount > 0 {
		more := ""
		if i.CallerCount >= MostCallers {
			more = " or more"
		}
		s += fmt.Sprintf(", from %s%s (%s)", count(int64(i.CallerCount), "caller"), more, some(i.Callers, 3))
	}
	return s
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func upper(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.Contains(strings.SplitN(s, " ", 2)[0], ":") {
		return s // a name stays as it is written
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (i *Incident) timeline() (list []Moment) {
	add := func(at time.Time, text string) {
		if !at.IsZero() {
			list = append(list, Moment{at, text})
		}
	}
	add(i.LastGood, "the last good call")
	for _, c := range i.Changes {
		add(c.At, c.Text)
		if c.What == Restart && !c.Until.IsZero() {
			add(c.Until, c.about()+" was back")
		}
	}
	add(i.Onset, "the first failure")
	if i.First != "" {
		add(i.Opened, "the incident was opened as "+string(i.First)+", which turned out to be a consequence of "+string(i.Kind))
	} else {
		add(i.Opened, "the incident was opened")
	}
	if i.State != Open || i.Calls+i.Absorbed > 1 {
		add(i.LastSeen, "the last failure")
	}
	switch i.State {
	case Recovered:
		add(i.Ended, "calls go well again")
	case Quiet:
		add(i.Ended, "the last sign of it; nothing was called since")
	case Folded:
		add(i.Ended, "it was put under the incident "+i.Under)
	}
	slices.SortStableFunc(list, func(a, b Moment) int { return a.At.Compare(b.At) })
	return list
}

// about names what has changed.
func (c *Change) about() string {
	if c.Target != "" {
		return c.Target
	}
	return "the upstream"
}

func (i *Incident) evidence() (list []string) {
	list = append(list, upper(i.hit()))
	for _, k := range slices.Sorted(maps.Keys(i.Symptoms)) {
		list = append(list, fmt.Sprintf("%s with %s, which follows from it", count(i.Symptoms[k], "call"), k))
	}
	if i.Seen != "" {
		list = append(list, "health check: "+i.Seen)
	}
	if i.LastGood.IsZero() {
		if i.Side == Upstream {
			list = append(list, "no good call of it was seen before")
		}
	} else {
		list = append(list, "the last good call ended "+fault.Span(i.Onset.Sub(i.LastGood))+" before the first failure")
	}
	if i.Finding != nil {
		for _, line := range i.Finding.Evidence {
			list = append(list, "first call: "+line)
		}
	}
	return list
}

// check is the one look that would settle what is behind the incident.
func (i *Incident) check() string {
	switch {
	case i.Finding != nil && i.Finding.Check != "":
		return i.Finding.Check
	case i.Side == Caller:
		return "causeway explain " + i.sampled()
	case i.Side == Gateway:
		return "curl -s CONSOLE/readyz"
	case i.Provider == "" && i.Target != "":
		return "causeway doctor " + i.Target
	case len(i.Services) > 0 && i.Provider == "":
		return "causeway doctor service:" + i.Services[0]
	case i.Provider != "" && len(i.Services) > 0:
		return "causeway doctor model:" + i.Services[0]
	}
	return "causeway explain " + i.sampled()
}

func (i *Incident) sampled() string {
	if len(i.Samples) == 0 {
		return "ID"
	}
	return i.Samples[0]
}
