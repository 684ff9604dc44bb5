package logs

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"causeway/internal/fault"
)

// groupKey is what makes two failures the same.
type groupKey struct {
	rule   *rule
	over   *rule // what the proxy noticed of it, nil where that is the rule itself
	at     string
	status int
}

type group struct {
	key         groupKey
	failures    int64
	lines       int64
	first, last int64
	statuses    map[int]int64
	examples    []Example
	chain       []Example
	sure        bool
	took        tally
}

// tally is how long the requests of a group took.
type tally struct {
	n, min, max int64
	quick       int64 // those that failed within 20 ms
	seconds     map[int64]int64
}

func (t *tally) add(ns int64) {
	if ns < 0 {
		return
	}
	if t.n == 0 || ns < t.min {
		t.min = ns
	}
	t.max = max(t.max, ns)
	t.n++
	if ns < 20*int64(time.Millisecond) {
		t.quick++
	}
	if t.seconds == nil {
		t.seconds = map[int64]int64{}
	}
	if k := (ns + second/20) / (second / 10); len(t.seconds) < 512 || t.seconds[k] > 0 {
		t.seconds[k]++
	}
}

// constant is the time at which nearly all of them ended, 0 when there is none: a limit fires always
// at the same time. Times below a second are no limit of a proxy.
func (t *tally) constant() time.Duration {
	for k, n := range t.seconds {
		near := n + t.seconds[k-1] + t.seconds[k+1]
		if k >= 10 && near*10 >= t.n*8 && n >= t.seconds[k-1] && n >= t.seconds[k+1] {
			return time.Duration(k) * time.Second / 10
		}
	}
	return 0
}

const (
	mostExamples = 3
	mostGroups   = 400
)

// collector counts what the joiner has found.
type collector struct {
	groups   map[groupKey]*group
	unknown  map[groupKey]*group
	statuses map[int]int64
	answers  int64
	failures int64
	first    int64
	last     int64
	skipped  int64 // lines outside --since and --until
}

func newCollector() *collector {
	return &collector{groups: map[groupKey]*group{}, unknown: map[groupKey]*group{}, statuses: map[int]int64{}}
}

func in(m map[groupKey]*group, k groupKey) *group {
	g := m[k]
	if g == nil {
		if len(m) >= mostGroups {
			k.at = "" // many upstreams: told as one
		}
		if g = m[k]; g == nil {
			g = &group{key: k, statuses: map[int]int64{}}
			m[k] = g
		}
	}
	return g
}

func (g *group) seen(t int64) {
	if t == 0 {
		return
	}
	if g.first == 0 || t < g.first {
		g.first = t
	}
	g.last = max(g.last, t)
}

func (g *group) example(file string, line int64, text string) {
	if len(g.examples) < mostExamples {
		g.examples = append(g.examples, Example{File: file, Line: line, Text: text})
	}
}

func (g *group) link(ev *event) {
	if len(g.chain) >= mostExamples || ev == nil {
		return
	}
	ex := Example{File: ev.src.path, Line: ev.line, Text: ev.text}
	if !slices.Contains(g.chain, ex) {
		g.chain = append(g.chain, ex)
	}
}

// judged takes a failed request, with all that may be said of it read.
func (c *collector) judged(j *joiner, f *failure) {
	c.failures++
	c.statuses[f.status]++
	r, upstream := f.rule, f.upstream
	var line *event
	if ev := j.symptomOf(f); ev != nil && (r == nil || r.shows == symApp) {
		line, r = ev, ev.rule
		ev.used = true
		if ev.upstream != "" {
			upstream = ev.upstream
		}
	}
	shows := guess(f)
	if r != nil {
		shows = r.shows
	}
	if shows == 0 {
		shows = symOther
	}
	cause, behind, sure := j.causeOf(shows, f.time, f.took, line, f.src)
	if r == nil && cause == nil {
		g := in(c.unknown, groupKey{at: f.src.path, status: f.status})
		g.failures++
		g.statuses[f.status]++
		g.seen(f.time)
		g.took.add(f.took)
		g.example(f.src.path, f.line, f.text)
		return
	}
	key := groupKey{rule: r, at: upstream}
	if cause != nil {
		cause.used = true
		key = groupKey{rule: cause.rule, over: r, at: upstream}
	}
	if behind != nil {
		behind.used = true
	}
	g := in(c.groups, key)
	g.failures++
	g.statuses[f.status]++
	g.seen(f.time)
	g.took.add(f.took)
	g.example(f.src.path, f.line, f.text)
	g.sure = g.sure || cause == nil || sure
	g.link(cause)
	g.link(behind)
	g.link(line)
}

// guess is what a status alone shows, when no other line tells: enough to look for a cause, not to
// name one.
func guess(f *failure) symptom {
	switch f.status {
	case 499, 460:
		return symClient
	case 413, 431:
		return symOther
	case 500:
		return symApp
	case 502:
		return symClosed | symRefused
	case 503:
		return symNone | symRefused
	case 504:
		return symTimeout | symConnect
	}
	return symOther
}

// leftover takes a line that belongs to no failed request that was read.
func (c *collector) leftover(j *joiner, ev *event) {
	if ev.used || ev.rule.quiet || ev.rule.explains == 0 && ev.rule.shows == 0 {
		return
	}
	key := groupKey{rule: ev.rule, at: ev.upstream}
	var cause, behind *event
	sure := true
	if ev.rule.level == atProxy {
		cause, behind, sure = j.causeOf(ev.rule.shows, ev.time, -1, ev, ev.src)
		sure = sure || cause == nil
	}
	if cause != nil {
		cause.used = true
		key = groupKey{rule: cause.rule, over: ev.rule, at: ev.upstream}
	}
	g := in(c.groups, key)
	g.lines++
	g.seen(ev.time)
	g.sure = g.sure || sure
	g.link(cause)
	g.link(behind)
	g.example(ev.src.path, ev.line, ev.text)
}

// causes are the groups as a report tells them, what explains most first.
func (c *collector) causes() []Cause {
	list := make([]*group, 0, len(c.groups))
	for _, g := range c.groups {
		list = append(list, g)
	}
	sort.Slice(list, func(a, b int) bool {
		x, y := list[a], list[b]
		switch {
		case x.failures != y.failures:
			return x.failures > y.failures
		case x.lines != y.lines:
			return x.lines > y.lines
		case x.key.rule.id != y.key.rule.id:
			return x.key.rule.id < y.key.rule.id
		}
		return x.key.at < y.key.at
	})
	out := make([]Cause, 0, len(list))
	for _, g := range list {
		out = append(out, c.cause(g))
	}
	return out
}

func (c *collector) cause(g *group) Cause {
	r := g.key.rule
	out := Cause{
		ID: r.id, Kind: r.kind, Cause: r.cause, Server: r.server, Title: r.title, Upstream: g.key.at, Failures: g.failures, Lines: g.lines,
		Statuses: g.statuses, Confidence: "high", Chain: g.chain, Examples: g.examples, First: when(g.first), Last: when(g.last), Advice: slices.Clone(r.fix),
	}
	if c.failures > 0 {
		out.Share = math.Round(float64(g.failures)/float64(c.failures)*1000) / 1000
	}
	if !g.sure {
		out.Confidence = "likely"
	}
	if over := g.key.over; over != nil && over != r {
		out.Noticed = over.title
		if len(over.fix) > 0 && over.level == atProxy && over.shows != symClosed && over.shows != symNone {
			out.Advice = append(out.Advice, over.fix[len(over.fix)-1])
		}
	}
	if limit := g.took.constant(); limit > 0 && g.took.n >= 2 {
		out.Evidence = append(out.Evidence, fmt.Sprintf("%s ended after %s: a limit of that length", most80(g.took.n, g.failures), fault.Span(limit)))
		if owner := limitOwner(limit); owner != "" {
			out.Evidence = append(out.Evidence, owner)
		}
	} else if g.took.n > 0 && fault.Span(time.Duration(g.took.min)) == fault.Span(time.Duration(g.took.max)) {
		out.Evidence = append(out.Evidence, "it took "+fault.Span(time.Duration(g.took.min)))
	} else if g.took.n > 0 {
		out.Evidence = append(out.Evidence, "they took "+fault.Span(time.Duration(g.took.min))+" to "+fault.Span(time.Duration(g.took.max)))
	}
	if r.shows == symClosed && g.took.n > 0 && g.took.quick*2 > g.took.n {
		out.Confidence = "likely"
		out.Evidence = append(out.Evidence, fmt.Sprintf("%d of %d failed within 20 ms: kept-alive connections that the server had just closed look like this", g.took.quick, g.took.n))
	}
	return out
}

func most80(n, all int64) string {
	if n < all {
		return fmt.Sprintf("nearly all of the %d with a duration", n)
	}
	return "nearly all of them"
}

// limitOwner names who usually has a limit of that length.
func limitOwner(d time.Duration) string {
	for _, l := range []struct {
		at    time.Duration
		owner string
	}{
		{30 * time.Second, "30 s are the default of gunicorn --timeout, of Heroku's router and of Google's balancers"},
		{60 * time.Second, "60 s are the default of nginx's proxy_read_timeout, of Apache's Timeout and of the AWS ALB's idle timeout"},
		{100 * time.Second, "100 s are Cloudflare's limit"},
		{15 * time.Second, "15 s are the default of Envoy's route timeout"},
		{120 * time.Second, "120 s are Node's and aspNetCore's"},
		{300 * time.Second, "300 s are Envoy's stream_idle_timeout"},
		{350 * time.Second, "350 s are the AWS NLB's and NAT gateway's idle timeout"},
	} {
		if diff := d - l.at; diff > -l.at/50 && diff < l.at/50 {
			return l.owner
		}
	}
	return ""
}

func (c *collector) unexplained() []Unexplained {
	var out []Unexplained
	for k, g := range c.unknown {
		u := Unexplained{File: k.at, Status: k.status, Failures: g.failures, First: when(g.first), Last: when(g.last), Examples: g.examples}
		if limit := g.took.constant(); limit > 0 && g.took.n >= 2 {
			u.Evidence = fmt.Sprintf("%s ended after %s: a limit of that length", most80(g.took.n, g.failures), fault.Span(limit))
		}
		out = append(out, u)
	}
	sort.Slice(out, func(a, b int) bool {
		if out[a].Failures != out[b].Failures {
			return out[a].Failures > out[b].Failures
		}
		if out[a].File != out[b].File {
			return out[a].File < out[b].File
		}
		return out[a].Status < out[b].Status
	})
	return out
}

func when(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := time.Unix(0, ns).UTC()
	return &t
}
