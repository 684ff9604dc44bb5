package logs

import (
	"bytes"
	"fmt"
)

// event is a line that says something in words, kept while calls may still need it.
type event struct {
	seq      int64
	time     int64 // 0: its file has no times
	rule     *rule
	src      *source
	line     int64
	text     string
	client   string
	target   string // METHOD PATH, without its query
	upstream string
	name     string
	pid      int
	group    int
	used     bool // by a call, or by another event
}

// failure is a request that was answered with a failure.
type failure struct {
	time     int64
	status   int
	took     int64
	rule     *rule // where its own line says what happened
	src      *source
	line     int64
	text     string
	client   string
	target   string
	upstream string
	upStatus string
	atStart  bool
	form     form
	symptom  *event // the error log's line that is about it, once that is known
}

// How far apart lines about one thing may be, and how much is kept in the meantime: the memory of a
// reading does not depend on how much is read.
const (
	together     = 2 * second   // the clocks of one host's logs
	slowest      = 130 * second // a request whose line has the time of its beginning
	keepSymptoms = 150 * second
	keepCauses   = 24 * 3600 * second
	mostSymptoms = 1 << 15
	mostCauses   = 1 << 11
	mostFailures = 1 << 15
	mostText     = 300
)

// joiner keeps what was read lately and puts together what belongs together.
type joiner struct {
	report   *collector
	nginx    bool // the set has an nginx error log, and none of Apache: access lines have the end's time
	apache   bool
	seq      int64
	symptoms queue[*event]
	byCall   map[string]*event // the newest symptom of CLIENT METHOD PATH
	causes   queue[*event]
	waiting  queue[*failure]
	waits    map[string]*failure // the newest of them of CLIENT METHOD PATH
	mark     int64               // no file will give a line older than this
}

// queue is a first-in first-out list.
type queue[T any] struct {
	items []T
	begin int
}

func (q *queue[T]) push(v T) { q.items = append(q.items, v) }
func (q *queue[T]) len() int { return len(q.items) - q.begin }
func (q *queue[T]) list() []T {
	return q.items[q.begin:]
}

func (q *queue[T]) pop() T {
	v := q.items[q.begin]
	var none T
	q.items[q.begin] = none
	q.begin++
	if q.begin > 1024 && q.begin*2 > len(q.items) {
		n := copy(q.items, q.items[q.begin:])
		clear(q.items[n:])
		q.items, q.begin = q.items[:n], 0
	}
	return v
}

func newJoiner(c *collector) *joiner {
	return &joiner{report: c, byCall: map[string]*event{}, waits: map[string]*failure{}}
}

// event takes a line that a rule fits.
func (j *joiner) event(s *source, line []byte, e *entry) {
	r := e.rule
	ev := &event{
		time: e.time, rule: r, src: s, line: s.line, text: shorten(line), client: string(e.client), target: callTarget(e),
		upstream: string(e.upstream), name: string(e.name), pid: e.pid, group: e.group,
	}
	j.seq++
	ev.seq = j.seq
	if r.shows == 0 || r.level != atProxy {
		if r.explains == 0 && r.quiet {
			return
		}
		j.fold(ev)
		j.causes.push(ev)
		if j.causes.len() > mostCauses {
			j.report.leftover(j, j.causes.pop())
		}
		return
	}
	if old := s.newest; old != nil && !old.used && e.group != 0 && old.group == e.group && ev.time-old.time <= together && alike(old.target, ev.target) && alike(old.client, ev.client) {
		// A server says one failure in several lines; the first with a reason counts.
		if r.vague || old.rule.vague || r == old.rule && ev.target != "" && ev.target == old.target {
			if old.rule.vague && !r.vague {
				old.rule, old.text, old.line = r, ev.text, ev.line
			}
			if old.client == "" {
				old.client = ev.client
			}
			if old.target == "" {
				old.target = ev.target
			}
			if old.upstream == "" {
				old.upstream = ev.upstream
			}
			j.index(old)
			return
		}
	}
	s.newest = ev
	j.symptoms.push(ev)
	j.index(ev)
	if j.symptoms.len() > mostSymptoms {
		j.forget(j.symptoms.pop())
	}
}

// alike says whether two lines may be about the same: one of them does not say, or both say the same.
func alike(a, b string) bool { return a == "" || b == "" || a == b }

// fold marks lines that say once more what another tells better, so that they are not told as causes
// of their own: the kill that follows a worker's timeout, a server's line about an exception.
func (j *joiner) fold(ev *event) {
	list := j.causes.list()
	for i := len(list) - 1; i >= 0 && i >= len(list)-8; i-- {
		old := list[i]
		near := abs(ev.time-old.time) <= 5*second
		switch {
		case !near || old.rule.level != atApp || ev.rule.level != atApp:
		case ev.pid > 0 && ev.pid == old.pid && rank(old) != rank(ev), old.src == ev.src && ev.line-old.line < 200 && (rank(old) == 0) != (rank(ev) == 0):
			if rank(old) > rank(ev) {
				ev.used = true
			} else {
				old.used = true
			}
		}
	}
}

func (j *joiner) index(ev *event) {
	if ev.target != "" || ev.client != "" {
		k := callKey(ev.client, ev.target)
		j.byCall[k] = ev
		if f := j.waits[k]; f != nil && f.symptom == nil && f.near(ev) {
			f.symptom, ev.used = ev, true
		}
	}
}

// near says whether a line's time allows it to be about a failed request.
func (f *failure) near(ev *event) bool {
	late, early := together, 2*together
	if f.atStart {
		late = slowest
	}
	if f.took > 0 {
		early += f.took
	}
	return !ev.rule.quiet && ev.time >= f.time-early && ev.time <= f.time+late
}

func callKey(client, target string) string { return client + " " + target }

// forget lets a symptom go: what no call was found for is counted as a line.
func (j *joiner) forget(ev *event) {
	if k := callKey(ev.client, ev.target); j.byCall[k] == ev {
		delete(j.byCall, k)
	}
	j.report.leftover(j, ev)
}

// failure takes the line of a failed request.
func (j *joiner) failure(s *source, line []byte, e *entry) {
	f := &failure{
		time: e.time, status: e.status, took: e.took, rule: e.rule, src: s, line: s.line, text: shorten(line), client: string(e.client),
		target: callTarget(e), upstream: string(e.upstream), upStatus: string(lastWord(e.upStatus)), atStart: e.atStart && e.took < 0, form: e.form,
	}
	if e.atStart && e.took >= 0 {
		f.time += e.took
	}
	if f.form == formW3C { // its own line holds queries and cookies in columns of their own
		f.text = fmt.Sprintf("%s -> %d.%s %s", f.target, f.status, e.details, e.flags)
	}
	if f.form == formCLF && j.nginx && !j.apache {
		f.time, f.atStart = e.time, false
	}
	if f.time == 0 {
		j.report.judged(j, f)
		return
	}
	k := callKey(f.client, f.target)
	if ev := j.byCall[k]; ev != nil && !ev.used && f.near(ev) {
		f.symptom, ev.used = ev, true
	} else {
		j.waits[k] = f
	}
	j.waiting.push(f)
	if j.waiting.len() > mostFailures {
		j.judge()
	}
}

// judge judges the failure that has waited longest.
func (j *joiner) judge() {
	f := j.waiting.pop()
	if k := callKey(f.client, f.target); j.waits[k] == f {
		delete(j.waits, k)
	}
	j.report.judged(j, f)
}

// advance tells that no file will give a line older than mark.
func (j *joiner) advance(mark int64) {
	if mark <= j.mark {
		return
	}
	j.mark = mark
	for j.waiting.len() > 0 {
		f := j.waiting.list()[0]
		hold := 3 * together
		if f.atStart {
			hold = slowest
		}
		if f.time+hold > mark {
			break
		}
		j.judge()
	}
	for j.symptoms.len() > 0 {
		ev := j.symptoms.list()[0]
		if ev.time+keepSymptoms+slowest > mark {
			break
		}
		j.forget(j.symptoms.pop())
	}
	for j.causes.len() > 0 {
		ev := j.causes.list()[0]
		if ev.time+keepCauses > mark {
			break
		}
		j.report.leftover(j, j.causes.pop())
	}
}

// finish judges what is left.
func (j *joiner) finish() {
	for j.waiting.len() > 0 {
		j.judge()
	}
	for j.symptoms.len() > 0 {
		j.forget(j.symptoms.pop())
	}
	for j.causes.len() > 0 {
		j.report.leftover(j, j.causes.pop())
	}
}

// symptomOf finds the line of an error log that is about a failed request.
func (j *joiner) symptomOf(f *failure) *event {
	if f.symptom != nil {
		return f.symptom
	}
	for _, k := range []string{callKey(f.client, f.target), callKey("", f.target), callKey(f.client, path(f.target)), callKey(f.client, "")} {
		if ev := j.byCall[k]; ev != nil && f.near(ev) && (ev.target == "" || ev.target == f.target || ev.target == path(f.target)) {
			return ev
		}
	}
	// The newest of a call is not always its own: the same request may have failed before. Look at
	// the last ones.
	list := j.symptoms.list()
	var near *event
	for i := len(list) - 1; i >= 0 && i >= len(list)-256; i-- {
		ev := list[i]
		if !f.near(ev) {
			continue
		}
		if ev.target == f.target && (ev.client == "" || ev.client == f.client) {
			return ev
		}
		if near == nil && ev.target == "" && (ev.client == "" || ev.client == f.client) && (ev.upstream == "" || f.upstream == "" || ev.upstream == f.upstream) && ev.time >= f.time-together {
			near = ev
		}
	}
	return near
}

// causeOf finds what lies behind a symptom: the deepest line of an application, of the kernel or of
// who watches them, at or shortly before it.
func (j *joiner) causeOf(shows symptom, at int64, took int64, symptom *event, src *source) (cause, behind *event, sure bool) {
	list := j.causes.list()
	var app, host, change *event
	for i := len(list) - 1; i >= 0 && i >= len(list)-512; i-- {
		ev := list[i]
		if ev.rule.explains&shows == 0 {
			continue
		}
		if at == 0 || ev.time == 0 {
			if ev.src != src || symptom != nil && symptom.line < ev.line {
				continue
			}
		} else {
			early := ev.rule.before * second
			if shows == symTimeout && took > 0 {
				early += took
			}
			if ev.time > at+together || ev.time < at-early {
				continue
			}
		}
		switch ev.rule.level {
		case atApp:
			if app == nil || better(ev, app, at) {
				app = ev
			}
		case atHost:
			if host == nil {
				host = ev
			}
		case atChange:
			if change == nil {
				change = ev
			}
		}
	}
	if app != nil && host == nil && app.pid > 0 {
		host = j.hostOf(app)
	}
	switch {
	case app != nil && host != nil:
		same := app.pid > 0 && host.pid == app.pid
		if app.pid > 0 && host.pid > 0 && !same {
			return app, nil, true
		}
		if app.rule.id == "gunicorn-worker-timeout" && !same {
			return app, nil, true
		}
		return host, app, same || host.pid == 0
	case host != nil:
		return host, nil, false
	case app != nil:
		return app, nil, true
	case change != nil:
		return change, nil, false
	}
	return nil, nil, false
}

// rank says how much a line of an application tells: the timeout that made gunicorn kill a worker tells
// more than the kill, an exception's own line more than a server's about it.
func rank(e *event) int {
	switch e.rule.id {
	case "gunicorn-worker-timeout", "uwsgi-harakiri":
		return 3
	case "gunicorn-worker-killed", "uwsgi-died", "segfault", "gunicorn-boot":
		return 2
	case "app-error", "haproxy-down":
		return 0
	}
	return 1
}

// better says whether one of two lines of an application is more likely what lies behind a failure at
// that time: of one process, or of one moment in one file, what tells more; else what is nearer.
func better(a, b *event, at int64) bool {
	if a.pid > 0 && a.pid == b.pid || a.src == b.src && (a.pid == 0 || b.pid == 0) && abs(a.time-b.time) <= together {
		return rank(a) > rank(b)
	}
	if da, db := abs(a.time-at), abs(b.time-at); da != db {
		return da < db
	}
	return rank(a) > rank(b)
}

// hostOf finds the kernel's line about the process of an application's line.
func (j *joiner) hostOf(app *event) *event {
	list := j.causes.list()
	for i := len(list) - 1; i >= 0 && i >= len(list)-512; i-- {
		ev := list[i]
		if ev.rule.level == atHost && ev.pid == app.pid && ev.time <= app.time+together && ev.time >= app.time-60*second {
			return ev
		}
	}
	return nil
}

// callTarget is what a request asked for, without the query, which may hold secrets.
func callTarget(e *entry) string {
	t := e.target
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		t = t[:i]
	}
	if i := bytes.Index(t, []byte("://")); i >= 0 && i < 8 {
		t = t[i+3:]
		if k := bytes.IndexByte(t, '/'); k >= 0 {
			t = t[k:]
		} else {
			t = []byte("/")
		}
	}
	if len(t) > 512 {
		t = t[:512]
	}
	if len(e.method) == 0 {
		return string(t)
	}
	return string(e.method) + " " + string(t)
}

// path is a target without its method.
func path(target string) string {
	for i := range len(target) {
		if target[i] == ' ' {
			return target[i+1:]
		}
	}
	return target
}

func lastWord(b []byte) []byte {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ' ' || b[i] == ',' {
			return b[i+1:]
		}
	}
	return b
}
