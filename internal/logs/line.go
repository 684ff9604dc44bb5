package logs

import "bytes"

// form is the shape that a line was recognised by.
type form uint8

const (
	formUnknown form = iota
	formCLF
	formNginxError
	formApacheError
	formHAProxy
	formEnvoy
	formTraefik
	formCaddy
	formW3C
	formALB
	formGunicorn
	formUvicorn
	formUWSGI
	formApp
	formTrace
	formKernel
	formJournal
	formSyslog
	formJSON
	formCauseway
	formCount
)

var formNames = [formCount]string{
	"unknown", "access log (common or combined)", "nginx error log", "Apache error log", "HAProxy log", "Envoy access log", "Traefik access log",
	"Caddy log", "W3C log (IIS, CloudFront)", "AWS ALB access log", "gunicorn log", "uvicorn log", "uWSGI log", "application log", "stack traces",
	"kernel log", "systemd journal", "syslog", "JSON log", "Causeway log",
}

// entry is what one line says. Its slices point into the line.
type entry struct {
	form  form
	time  int64 // Unix nanoseconds, 0 where the line has none
	zoned bool  // the time was written with its zone

	// Of a line about a request that was answered.
	access   bool
	status   int
	atStart  bool  // the time is that of the request's beginning, not of its end
	took     int64 // nanoseconds, -1 when not said
	flags    []byte
	details  []byte
	upStatus []byte

	// Of both kinds of lines.
	client, method, target, upstream []byte
	host                             []byte

	// Of a line that says something in words.
	rule  *rule
	text  []byte // what it says, without its head
	pid   int    // of the process it is about
	group int    // lines with the same number belong together: a request's connection, a process and its thread
	name  []byte // of the program
	note  []byte // joined to the text of a direct rule, such as a termination state
}

func (e *entry) reset() { *e = entry{took: -1} }

// parser reads lines; it keeps nothing of a line but the calendar's last minute.
type parser struct {
	cal     calendar
	known   *catalogue
	set     found
	scratch []byte // an unescaped message
}

// parse reads one line. It reports false for a line that has no known form.
func (p *parser) parse(s *source, b []byte, e *entry) bool {
	e.reset()
	if len(b) == 0 {
		return false
	}
	if s.fields != nil && b[0] != '#' && p.w3c(s.fields, b, e) {
		return true
	}
	switch c := b[0]; {
	case c == '{':
		return p.json(b, e)
	case c == '[':
		return p.bracket(s, b, e)
	case c == '#':
		return p.w3cHead(s, b, e)
	case c == '<':
		return p.priority(s, b, e)
	case c >= '0' && c <= '9':
		if len(b) > 20 && (b[4] == '/' || b[4] == '-') && b[7] == b[4] {
			return p.dated(s, b, e)
		}
		return p.clf(b, e) || p.haproxy(b, e) || p.plain(s, b, e)
	case c == ' ' || c == '\t':
		return p.plain(s, b, e)
	}
	if len(b) > 15 && b[3] == ' ' && month(b, 0) > 0 {
		if p.syslog(s, b, e) {
			return true
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte("time=")):
		return p.logfmt(b, e)
	case p.alb(b, e), p.uvicorn(s, b, e), p.clf(b, e), p.haproxy(b, e):
		return true
	}
	return p.plain(s, b, e)
}

// parseMessage reads the words behind the head of another log: syslog's, the journal's, a container
// runtime's. It keeps the head's time where the words have none.
func (p *parser) parseMessage(s *source, program, b []byte, e *entry) bool {
	outer := *e
	inner := entry{took: -1}
	ok := false
	if len(b) > 0 {
		switch {
		case bytes.Equal(program, []byte("kernel")):
			ok = p.kernel(b, &inner)
		case b[0] == '{':
			ok = p.json(b, &inner)
		case b[0] == '[':
			ok = p.bracket(s, b, &inner)
		case b[0] >= '0' && b[0] <= '9' && len(b) > 20 && (b[4] == '/' || b[4] == '-') && b[7] == b[4]:
			ok = p.dated(s, b, &inner)
		default:
			ok = p.haproxy(b, &inner) || p.clf(b, &inner) || p.uvicorn(s, b, &inner) || p.plain(s, b, &inner)
		}
	}
	if !ok {
		*e = outer
		return true // its head was understood: a line that says nothing here
	}
	*e = inner
	if e.time == 0 || !e.zoned && outer.zoned && !e.access {
		e.time, e.zoned = outer.time, outer.zoned
	}
	if e.form == formApp || e.form == formUnknown {
		e.form = outer.form
	}
	if len(e.name) == 0 {
		e.name = program
	}
	if e.pid == 0 {
		e.pid = outer.pid
	}
	return true
}

// plain reads a line that has no head: a sentence of an application, a part of a stack trace.
func (p *parser) plain(s *source, b []byte, e *entry) bool {
	e.text = b
	if p.match(e, b) {
		e.form = formApp
		return true
	}
	return s.trace.step(p, b, e)
}

// match finds the rule that an entry's words fit.
func (p *parser) match(e *entry, text []byte) bool {
	if len(text) > 8<<10 {
		text = text[:8<<10]
	}
	p.set = found{}
	p.known.needles.scan(text, &p.set)
	if p.set == (found{}) {
		return false
	}
	if r := p.known.find(&p.set, e.form); r != nil {
		e.rule, e.text = r, text
		if e.pid == 0 || r.process != "" {
			if n := numberAfter(text, r.process); n > 0 {
				e.pid = n
			}
		}
		return true
	}
	return false
}

// numberAfter reads the number behind a text; 0 when there is none.
func numberAfter(b []byte, after string) int {
	if after == "" {
		return 0
	}
	i := bytes.Index(b, []byte(after))
	if i < 0 {
		return 0
	}
	i += len(after)
	n := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9' && n < 1<<40; i++ {
		n = n*10 + int(b[i]-'0')
	}
	return n
}

// field gives the value behind a name and up to the next end: `client: ` .. `,`.
func field(b []byte, name, end string) []byte {
	i := bytes.Index(b, []byte(name))
	if i < 0 {
		return nil
	}
	v := b[i+len(name):]
	if j := bytes.Index(v, []byte(end)); j >= 0 {
		return v[:j]
	}
	return v
}

// request splits GET /path HTTP/1.1.
func (e *entry) request(b []byte) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		e.target = b
		return
	}
	e.method, b = b[:i], b[i+1:]
	if j := bytes.LastIndexByte(b, ' '); j >= 0 && bytes.HasPrefix(b[j+1:], []byte("HTTP/")) {
		b = b[:j]
	}
	e.target = b
}

// number reads a whole decimal number; -1 when b is none.
func number(b []byte) int64 {
	if len(b) == 0 || len(b) > 18 {
		return -1
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// span reads a number with fraction as so many of a unit, in nanoseconds; -1 when b is none. It reads
// the last of nginx's several, separated by commas or colons.
func span(b []byte, unit int64) int64 {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ',' || b[i] == ' ' || b[i] == ':' {
			b = b[i+1:]
			break
		}
	}
	whole, rest, _ := bytes.Cut(b, []byte{'.'})
	n := number(whole)
	if n < 0 || n > 1<<40 && unit > 1 {
		return -1
	}
	t := n * unit
	for i := 0; i < len(rest) && unit > 1; i++ {
		if rest[i] < '0' || rest[i] > '9' {
			break
		}
		unit /= 10
		t += int64(rest[i]-'0') * unit
	}
	return t
}
