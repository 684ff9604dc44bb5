package drill

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// helped is which faults a change helps against, in order.
type helped []string

func (h *helped) add(r *Result) {
	if !slices.Contains(*h, r.Fault) {
		*h = append(*h, r.Fault)
	}
}

// advise says which settings would have saved what was lost, the most helpful first.
func (s *subject) advise(found *Subject) (list []Change) {
	if s.service != nil {
		list = s.adviseService(found)
	} else {
		list = s.adviseModel(found)
	}
	slices.SortStableFunc(list, func(a, b Change) int { return cmp.Compare(len(b.Faults), len(a.Faults)) })
	return list
}

// needs are what the results ask for.
type needs struct {
	more    helped            // attempts
	words   map[string]helped // in retries.on
	budget  helped
	other   helped            // another target or provider
	leave   helped            // leaving a bad target alone
	limits  map[string]helped // shorter limits, by key
	endless helped            // a limit where there is none
}

func (s *subject) needs(found *Subject) (n needs) {
	n.words, n.limits = map[string]helped{}, map[string]helped{}
	p := patienceOf(s.what)
	for i := range found.Faults {
		r := &found.Faults[i]
		for _, o := range []*Outcome{r.One, r.Blip} {
			if o == nil || o.Lost == 0 || r.Late {
				continue
			}
			switch {
			case strings.Contains(o.Again, "retries.max is 0"), strings.Contains(o.Again, "attempts are made") && o.Attempts < 3,
				strings.Contains(o.Again, "all 1 attempt"):
				n.more.add(r)
			case strings.Contains(o.Again, "retries.on does not name it"):
				if w := wordFor(r.Fault, o); w != "" {
					h := n.words[w]
					h.add(r)
					n.words[w] = h
				}
			case strings.Contains(o.Again, "the budget of"):
				n.budget.add(r)
			}
		}
		if found.Targets == 1 && !r.Late {
			n.other.add(r)
		}
		for _, o := range []*Outcome{r.One, r.All} {
			if o == nil {
				continue
			}
			l := o.After
			slow := l != nil && l.TookMS > p.patient.Milliseconds()
			if l != nil && (o == r.One && l.Lost > 0 || slow) {
				n.leave.add(r)
			}
			if o.limit != "" && o.TookMS > p.patient.Milliseconds() {
				h := n.limits[o.limit]
				h.add(r)
				n.limits[o.limit] = h
			}
			if o.Endless {
				n.endless.add(r)
			}
		}
	}
	return n
}

// wordFor is what retries.on lacks for a failure.
func wordFor(name string, o *Outcome) string {
	e := fault.Lookup(o.Kind)
	switch {
	case strings.HasPrefix(name, "connect"), strings.HasPrefix(name, "dns_"), strings.HasPrefix(name, "tls_"), name == "unroutable":
		return "connect"
	case strings.Contains(name, "reset_before"), strings.Contains(name, "close_"), strings.HasPrefix(name, "stale"), name == "reset_after_delay",
		strings.Contains(name, "goaway"), strings.Contains(name, "refused_stream"), name == "interim_cut":
		return "reset_before_response"
	case o.Status >= 500:
		return fmt.Sprint(o.Status)
	case e != nil && e.Status >= 500:
		return fmt.Sprint(e.Status)
	}
	return ""
}

func (s *subject) adviseService(found *Subject) (list []Change) {
	n := s.needs(found)
	u := &s.service.Upstream
	at := "services." + s.name + ".upstream."
	add := func(key, from, to, why string, faults helped, apply func(*catalog.Upstream)) {
		if len(faults) == 0 {
			return
		}
		c := Change{Key: at + key, From: from, To: to, Why: why, Faults: faults}
		if apply != nil {
			c.apply = func(s *subject) { apply(&s.service.Upstream) }
		}
		list = append(list, c)
	}
	if found.Targets == 1 {
		add("targets", "1 target", "2 targets or more", "With one target nothing can answer in its place.", n.other, func(u *catalog.Upstream) {
			u.Targets = append(u.Targets, catalog.Target{URL: u.Targets[0].URL + "/second", Weight: u.Targets[0].Weight})
		})
	}
	add("retries.max", fmt.Sprint(u.Retries.Max), "2", "Calls that may be repeated are not, or not often enough.", n.more, func(u *catalog.Upstream) { u.Retries.Max = 2 })
	if len(n.words) > 0 {
		var words []string
		var faults helped
		for _, w := range sortedWords(n.words) {
			words = append(words, w)
			faults = append(faults, n.words[w]...)
		}
		on := append(slices.Clone(u.Retries.On), words...)
		why := "These failures are not repeated because retries.on does not name them."
		if slices.Contains(words, "500") {
			why += " A 500 is repeated for idempotent calls alone; leave it out if yours are the requests' own fault."
		}
		add("retries.on", "["+strings.Join(u.Retries.On, ", ")+"]", "["+strings.Join(on, ", ")+"]", why, faults, func(u *catalog.Upstream) { u.Retries.On = on })
	}
	if u.Retries.Budget < 0.2 {
		add("retries.budget", fmt.Sprintf("%.4g%%", u.Retries.Budget*100), "20%", "The budget was spent before the calls that failed were repeated.", n.budget, func(u *catalog.Upstream) { u.Retries.Budget = 0.2 })
	}
	for _, key := range []string{"first_byte", "idle", "connect", "send"} {
		now := limitOf(u.Timeouts, key)
		to := shorterLimit(key, 10*time.Second)
		if now == 0 || now > to {
			faults := n.limits[key]
			if now == 0 && (key == "first_byte" || key == "idle") {
				faults = append(faults, n.endless...)
			}
			add("timeouts."+key, fault.Span(now), to.String(), limitWhy(key, "10 s"), faults, func(u *catalog.Upstream) { setLimit(&u.Timeouts, key, to) })
		}
	}
	if u.Timeouts.Total == 0 && u.Timeouts.FirstByte > 0 && u.Timeouts.Idle > 0 {
		add("timeouts.total", "0s", "1m", "A target that sends a little now and then is waited for without end. Set it above your longest download.", n.endless, func(u *catalog.Upstream) { u.Timeouts.Total = time.Minute })
	}
	switch {
	case u.Breaker == nil:
		add("breaker", "", "{failures: 50%, min_calls: 20, window: 10s, open_for: 10s}", "A target whose calls fail goes on getting its share; a breaker leaves it alone, and callers are answered at once when nobody is left.", n.leave, func(u *catalog.Upstream) {
			u.Breaker = &catalog.Breaker{Failures: 0.5, MinCalls: 20, Window: 10 * time.Second, OpenFor: 10 * time.Second}
		})
	case u.Health == nil && found.Targets > 1:
		add("health", "", "{path: /healthz, interval: 5s, timeout: 1s}", "A bad target is found by callers alone; a check finds it before them, and that it is back.", n.leave, func(u *catalog.Upstream) {
			u.Health = &catalog.Health{Path: "/healthz", Interval: 5 * time.Second, Timeout: time.Second, HealthyAfter: 2, UnhealthyAfter: 3, StatusFrom: 200, StatusTo: 299}
		})
	}
	return list
}

func (s *subject) adviseModel(found *Subject) (list []Change) {
	n := s.needs(found)
	if found.Targets == 1 {
		c := Change{
			Key: "models." + s.name + ".fallback", To: "[a model of another provider]",
			Why: "With one provider nothing can answer in its place.", Faults: n.other,
			apply: func(s *subject) {
				from := s.model.Targets
				if len(from) == 0 {
					return
				}
				own := *s.providers[from[0].Provider]
				own.Name = "fallback"
				s.providers["fallback"] = &own
				t := from[0]
				t.Provider = "fallback"
				s.model.Fallback = append(slices.Clone(s.model.Fallback), t)
			},
		}
		if strings.HasSuffix(s.name, "/*") {
			c.Key, c.To = "models", "{NAME: {targets: [{model: "+strings.TrimSuffix(s.name, "*")+"MODEL}], fallback: [a model of another provider]}}"
		}
		if len(c.Faults) > 0 {
			list = append(list, c)
		}
	}
	for _, name := range s.order {
		p := s.providers[name]
		if found.Targets == 1 && p.Retries.Max == 0 && len(n.more) > 0 {
			list = append(list, Change{
				Key: "providers." + name + ".retries.max", From: "0", To: "2", Why: "Calls that may be repeated are not.", Faults: n.more,
				apply: func(s *subject) { s.providers[name].Retries.Max = 2 },
			})
		}
		for _, key := range []string{"first_byte", "idle", "connect"} {
			now, to := limitOf(p.Timeouts, key), shorterLimit(key, 30*time.Second)
			faults := n.limits[key]
			if now == 0 && key != "connect" {
				faults = append(faults, n.endless...)
			}
			if len(faults) == 0 || now > 0 && now <= to {
				continue
			}
			why := limitWhy(key, "30 s")
			if key == "first_byte" {
				why += " A stream begins sooner than a whole answer: where calls don't stream, or models reason for long, choose more."
			}
			list = append(list, Change{
				Key: "providers." + name + ".timeouts." + key, From: fault.Span(now), To: to.String(), Why: why, Faults: faults,
				apply: func(s *subject) { setLimit(&s.providers[name].Timeouts, key, to) },
			})
		}
	}
	return list
}

func limitWhy(key, patient string) string {
	return "Callers wait for " + key + " to pass, for each attempt. Set it a little above the longest that good answers take; " + patient + " is what most callers bear."
}

func shorterLimit(key string, most time.Duration) time.Duration {
	if key == "connect" {
		return 2 * time.Second
	}
	return most
}

func limitOf(t catalog.Timeouts, key string) time.Duration {
	switch key {
	case "connect":
		return t.Connect
	case "send":
		return t.Send
	case "first_byte":
		return t.FirstByte
	case "idle":
		return t.Idle
	}
	return t.Total
}

func setLimit(t *catalog.Timeouts, key string, d time.Duration) {
	switch key {
	case "connect":
		t.Connect = d
	case "send":
		t.Send = d
	case "first_byte":
		t.FirstByte = d
	case "idle":
		t.Idle = d
	}
}

func sortedWords(m map[string]helped) (list []string) {
	for w := range m {
		list = append(list, w)
	}
	slices.Sort(list)
	return list
}

// with is the subject with the changes made, nil when there are none to make.
func (s *subject) with(changes []Change) *subject {
	if len(changes) == 0 {
		return nil
	}
	c := s.clone()
	for i := range changes {
		if f := changes[i].apply; f != nil {
			f(c)
		}
	}
	if c.service == nil {
		c = c.clone() // its providers anew, in the order in which they are asked now
	}
	return c
}

// estimate is what the grade would be if everything that a change helps against were well.
func (s *Subject) estimate() {
	if len(s.Changes) == 0 {
		return
	}
	var helps []string
	for _, c := range s.Changes {
		helps = append(helps, c.Faults...)
	}
	var total float64
	for i := range s.Faults {
		score := s.Faults[i].Score
		if slices.Contains(helps, s.Faults[i].Fault) {
			// What comes in place of a loss still takes its time.
			score = max(score, 0.9)
		}
		total += score
	}
	score := tenth(100 * total / float64(len(s.Faults)))
	s.After = &After{Grade: grade(score), Score: score}
}
