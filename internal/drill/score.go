package drill

import (
	"fmt"
	"slices"
	"time"

	"causeway/internal/fault"
)

// patience is how long callers can be kept waiting: up to patient a failure costs little, from hopeless on it is as bad as
// no answer.
type patience struct{ patient, hopeless time.Duration }

// quick is what nobody notices.
const quick = time.Second

func patienceOf(what string) patience {
	if what == "model" {
		return patience{30 * time.Second, 5 * time.Minute} // answers that are well take that long, too
	}
	return patience{10 * time.Second, time.Minute}
}

// promptness is 1 for what was over at once, less from patient on, and 0 from hopeless on.
func (p patience) promptness(ms int64) float64 {
	switch d := time.Duration(ms) * time.Millisecond; {
	case d <= quick:
		return 1
	case d <= p.patient:
		return 0.95
	case d >= p.hopeless:
		return 0
	default:
		return 0.95 * float64(p.hopeless-d) / float64(p.hopeless-p.patient)
	}
}

// saved is the share of the calls that met a fault and ended well.
func saved(hit, lost int) float64 {
	if hit == 0 {
		return 1
	}
	return max(0, 1-float64(lost)/float64(hit))
}

// What the parts of a result weigh. With one target a lasting fault is lost: that is less than a result's half, as
// nothing in the gateway's settings can save it.
const (
	weighOne   = 3
	weighLater = 2
	weighBlip  = 3
	weighAll   = 1
	weighAlone = 1
)

// score is what a result is worth, 0 to 1: how much was absorbed, and how soon callers were told of the rest.
func (r *Result) score(p patience, targets int) float64 {
	var sum, weight float64
	add := func(w, s float64) { sum, weight = sum+w*s, weight+w }
	if o := r.One; o != nil {
		if !r.Late {
			add(weighOne, saved(o.Hit, o.Lost)*p.promptness(o.TookMS))
		}
		if l := o.After; l != nil {
			add(weighLater, saved(l.Hit, l.Lost)*p.promptness(l.TookMS))
		}
	} else if targets == 1 && !r.Late {
		add(weighAlone, 0)
	}
	if o := r.Blip; o != nil && !r.Late {
		add(weighBlip, saved(o.Hit, o.Lost)*p.promptness(o.TookMS))
	}
	if o := r.All; o != nil {
		s := p.promptness(o.TookMS)
		if o.Endless {
			s = 0
		}
		if !o.Told {
			s /= 2
		}
		add(weighAll, s)
		if l := o.After; l != nil {
			add(weighAll, p.promptness(l.TookMS))
		}
	}
	if weight == 0 {
		return 1
	}
	return sum / weight
}

// absorbed tells whether callers would have noticed nothing, and whether that could have been.
func (r *Result) absorbed() (yes, could bool) {
	if r.Late {
		return false, false
	}
	for _, o := range []*Outcome{r.One, r.Blip} {
		if o == nil {
			continue
		}
		if could = true; o.Lost > 0 || o.Endless || o.After != nil && o.After.Lost > 0 {
			return false, true
		}
	}
	return could, could
}

// sum fills in what follows from the results.
func (s *Subject) sum() {
	p := patienceOf(s.What)
	var total float64
	s.Absorbed, s.Of = 0, 0
	for i := range s.Faults {
		r := &s.Faults[i]
		r.Score = r.score(p, s.Targets)
		total += r.Score
		yes, could := r.absorbed()
		if r.Absorbed = yes; yes {
			s.Absorbed++
		}
		if could {
			s.Of++
		}
	}
	if len(s.Faults) > 0 {
		s.Score = tenth(100 * total / float64(len(s.Faults)))
	}
	s.Grade = grade(s.Score)
	s.Reasons = s.reasons(p)
}

func tenth(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }

// reasons say in sentences what made the grade.
func (s *Subject) reasons(p patience) (list []string) {
	var lost, blips, later, slow, endless, untold []string
	longest := int64(0)
	for i := range s.Faults {
		r := &s.Faults[i]
		if o := r.One; o != nil && !r.Late && o.Lost > 0 {
			lost = append(lost, r.Fault)
		}
		if o := r.One; o != nil && o.After != nil && o.After.Lost > 0 {
			later = append(later, r.Fault)
		}
		if o := r.Blip; o != nil && o.Lost > 0 {
			blips = append(blips, r.Fault)
		}
		if o := r.All; o != nil {
			switch {
			case o.Endless:
				endless = append(endless, r.Fault)
			case o.TookMS > p.patient.Milliseconds():
				slow = append(slow, r.Fault)
				longest = max(longest, o.TookMS)
			}
			if !o.Told {
				untold = append(untold, r.Fault)
			}
		}
	}
	say := func(names []string, format string, args ...any) {
		if len(names) > 0 {
			list = append(list, fmt.Sprintf(format, args...)+": "+few(names)+".")
		}
	}
	if s.Of > 0 {
		list = append(list, fmt.Sprintf("%d of %d faults that could be absorbed were, without a caller noticing.", s.Absorbed, s.Of))
	}
	if s.Targets == 1 {
		list = append(list, "There is one "+s.place()+" alone: whatever lasts there is lost.")
	}
	say(lost, "With one of %d %ss bad, callers see %s at first", s.Targets, s.place(), faults(lost))
	say(later, "%s at one %s still reached callers once there was time to leave it alone", faults(later), s.place())
	say(blips, "%s reached callers when one connection in ten had it", faults(blips))
	say(endless, "In %s no limit ends the wait", faults(endless))
	say(slow, "In %s callers wait for more than %s, up to %s", faults(slow), fault.Span(p.patient), fault.Span(time.Duration(longest)*time.Millisecond))
	say(untold, "%s was told by another name", faults(untold))
	return list
}

func (s *Subject) place() string {
	if s.What == "model" {
		return "provider"
	}
	return "target"
}

// faults counts them.
func faults(list []string) string {
	if len(list) == 1 {
		return "1 fault"
	}
	return fmt.Sprintf("%d faults", len(list))
}

// few names some of the names.
func few(names []string) string {
	const most = 4
	text := ""
	for i, n := range names[:min(most, len(names))] {
		if i > 0 {
			text += ", "
		}
		text += n
	}
	if n := len(names) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// worst orders subjects, the worst first.
func worst(list []Subject) {
	slices.SortStableFunc(list, func(a, b Subject) int {
		switch {
		case a.Score < b.Score:
			return -1
		case a.Score > b.Score:
			return 1
		}
		return 0
	})
}
