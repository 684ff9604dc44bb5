package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mark is how an attack is named: it is counted in one of the series, and the log says one of the texts.
type mark struct {
	series []string // as Prometheus writes them, with no label or some
	says   []string
}

// failed marks calls that fail with a kind.
func failed(kind string) mark {
	return mark{[]string{`causeway_failures_total{kind="` + kind + `"}`}, []string{`"kind":"` + kind + `"`}}
}

// breaks marks callers who break the rules of HTTP/2, for one of these reasons.
func breaks(reasons ...string) (m mark) {
	for _, r := range reasons {
		m.series = append(m.series, `causeway_http2_errors_total{reason="`+r+`"}`)
		m.says = append(m.says, `"reason":"`+r+`"`)
	}
	return m
}

// Marks of what fails no call.
var (
	silentConnections = mark{[]string{"causeway_connections_silent_total"}, []string{"many connections are opened on which nothing comes"}}
	idleConnections   = mark{[]string{"causeway_connections_idle_total"}, []string{"many connections are kept without a further call"}}
	tinyChunks        = mark{[]string{`causeway_long_work_turns_total{work="tiny_chunks"}`}, []string{`"work":"tiny_chunks"`}}
	longTexts         = mark{[]string{`causeway_long_work_turns_total{work="coded_text"}`}, []string{`"work":"coded_text"`}}
	bombs             = mark{[]string{`causeway_coded_texts_unread_total{of="answer",provider="bomb",reason="ratio"}`}, []string{`"of":"answer","reason":"ratio"`}}
	resets            = breaks(
		"rapid_reset",
		// On a busy machine the attackers come not so far: they are slowed down, or x/net is the first to notice, as it
		// can't begin the calls.
		"slowed_down", "conn_ENHANCE_YOUR_CALM_too_many_early_resets",
	)
	brokenRequests = breaks(append([]string{"broken_requests"}, strings.Fields("slowed_down conn_ENHANCE_YOUR_CALM_too_many_early_resets")...)...)
)

// drill is one attack, how many connections make it, and how each is named.
type drill struct {
	name        string
	conns, full int
	marks       []mark
	heads       time.Duration // server.read_header_timeout, 0 for two seconds
}

// marked is how often an attack was counted as a mark says; "" as the series that it was.
func (g *gateway) marked(t *testing.T, m mark) (n float64, series string) {
	t.Helper()
	for _, s := range m.series {
		name, label, labelled := strings.Cut(s, "{")
		v := 0.0
		if labelled {
			v = g.sum(t, name, strings.TrimSuffix(label, "}"))
		} else {
			v = g.metric(t, name)
		}
		if v > 0 && series == "" {
			series = s
		}
		n += v
	}
	return n, series
}

// said tells whether the log names an attack as a mark says.
func (g *gateway) said(m mark) bool {
	log := g.errs.all()
	for _, text := range m.says {
		if strings.Contains(log, text) {
			return true
		}
	}
	return false
}

// named tells whether an attack was counted and logged as what it is.
func (g *gateway) named(t *testing.T, d drill) bool {
	t.Helper()
	for _, m := range d.marks {
		if n, _ := g.marked(t, m); n == 0 || !g.said(m) {
			return false
		}
	}
	return true
}

// wasNamed checks that an attack took place, was counted and is in the log, and says how it was counted.
func (g *gateway) wasNamed(t *testing.T, d drill, during attacked) (counted string) {
	t.Helper()
	r := during.reports[d.name]
	if r.Dialled == 0 {
		t.Errorf("%s: no attack took place: %+v", d.name, r)
	}
	var list []string
	for _, m := range d.marks {
		n, series := g.marked(t, m)
		if n == 0 {
			t.Errorf("%s: nothing was counted as %s; the attackers saw %v", d.name, m.series, r.Statuses)
		}
		if !g.said(m) {
			t.Errorf("%s: the log says none of %q", d.name, m.says)
		}
		list = append(list, fmt.Sprintf("%s: %.0f", series, n))
	}
	return strings.Join(list, ", ")
}

// runAlone runs each drill alone, in full, before a gateway of its own, prints what was seen and, where CAUSEWAY_ATTACKS_DOC
// names a page, writes it there.
func runAlone(t *testing.T, protocol string, list []drill) {
	span, err := time.ParseDuration(os.Getenv("CAUSEWAY_ATTACKS"))
	if err != nil {
		t.Skip("CAUSEWAY_ATTACKS=10s runs it")
	}
	raiseFiles()
	fmt.Printf("%-30s %7s %8s %9s %9s %9s %9s %8s %8s  %s\n", "attack", "conns", "dialled", "calm p99", "p99", "rise", "worst", "anon MiB", "files", "counted as")
	var rows []string
	for _, d := range list {
		t.Run(d.name, func(t *testing.T) {
			if d.full == asManyAsFiles {
				d.full = min(20_000, mostFiles()-1000)
			}
			g := attackedGateway(t, d.heads)
			calm := watchCallers(t, g, 3*time.Second)
			before := g.usage(t)
			during := g.underAttack(t, []attackOrder{{Name: d.name, Conns: d.full, For: span}})
			// What ends with the attackers' connections is counted and told when the gateway has seen their end.
			eventually(t, "the attackers' connections to be closed", func() bool { return g.metric(t, "causeway_connections_open") == 0 })
			counted, rise := g.wasNamed(t, d, during), during.callers.p99-calm.p99
			fmt.Printf("%-30s %7d %8d %9s %9s %9s %9s %8d %8d  %s\n", d.name, d.full, during.reports[d.name].Dialled,
				short(calm.p99), short(during.callers.p99), short(rise), short(during.callers.worst), during.peak.anonymous>>20, during.peak.files, counted)
			rows = append(rows, fmt.Sprintf("| %s | %d | %s | %s | %s | %s | %d MiB | %d | `%s` |", d.name, d.full,
				short(calm.p99), short(during.callers.p99), short(rise), short(during.callers.worst), during.peak.anonymous>>20, during.peak.files, strings.ReplaceAll(counted, ", ", "`, `")))
			during.check(t, calm, mostFullRise)
			g.recovers(t, before)
			g.logIsBounded(t, span+20*time.Second)
		})
	}
	if page := os.Getenv("CAUSEWAY_ATTACKS_DOC"); page != "" {
		writeAttackTable(t, page, protocol, span, rows)
	}
}

// asManyAsFiles are as many connections as this process, and so the gateway, may have.
const asManyAsFiles = -1

// mostFiles is how many descriptors this process may have.
func mostFiles() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 2000
	}
	return int(min(r.Cur, 1<<30))
}

// writeAttackTable writes the page of what was measured, or one protocol's part of it where the other is there.
func writeAttackTable(t *testing.T, page, protocol string, span time.Duration, rows []string) {
	t.Helper()
	parts := map[string]string{}
	if old, err := os.ReadFile(page); err == nil {
		for _, part := range strings.Split(string(old), "\n## ")[1:] {
			name, text, _ := strings.Cut(part, "\n")
			parts[name] = strings.TrimSpace(text)
		}
	}
	parts[protocol] = fmt.Sprintf("%v for each attack.\n\n", span) +
		"| attack | connections | p99 before | during | rise | worst | memory | descriptors | counted as |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n" +
		strings.Join(rows, "\n")
	text := fmt.Sprintf(attacksPage, giveWay("")[0], runtime.NumCPU())
	for _, name := range []string{"HTTP/1.1", "HTTP/2"} {
		if part, ok := parts[name]; ok {
			text += "\n## " + name + "\n\n" + part + "\n"
		}
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// attacksPage is how the page begins.
const attacksPage = "# Attacks\n\n" +
	"Written by `make attacks`, never by hand. What strangers can do to the gateway, each attack alone and in full, and what of it its other callers feel. " +
	"At most 5 ms of rise and 300 MiB of memory are allowed; more fails the run.\n\n" +
	"- **p99, rise, worst**: four callers that have no part in the attack each make a call every 5 ms on a kept-alive connection, of an upstream that answers at once: for three seconds before the attack, and while it lasts.\n" +
	"- **memory** is the most that the gateway's process had of its own (`RssAnon`), with `GOMEMLIMIT=256MiB`; **descriptors** the most that it had open.\n" +
	"- **counted as** is the series in `/metrics` that names the attack, and what it had counted in the end. The run fails where the log does not name it as well.\n" +
	"- Gateway, callers, attackers and upstreams are on one machine with %[2]d processors, over loopback. Attackers and hostile upstreams, which would have machines of their own, give way to all others (`%[1]s`): " +
	"what is measured is what they do to the gateway, not what they take from it on this machine.\n" +
	"- A new connection follows where the gateway closes one, until the time is over.\n" +
	"- What each attack does is in `e2e/attackers_test.go`, `e2e/attacks_h2_test.go` and, for upstreams, `e2e/attackedup_test.go`.\n"
