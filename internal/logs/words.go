package logs

import "bytes"

// dated reads the logs whose lines begin with a date: nginx's error log, Go's, Python's and most
// applications', the journal with -o short-iso, syslog with RFC 3339 times, Docker's.
func (p *parser) dated(s *source, b []byte, e *entry) bool {
	t, n, zoned, ok := p.cal.iso(b)
	if !ok {
		return false
	}
	e.form, e.time, e.zoned = formApp, t, zoned
	rest := bytes.TrimLeft(b[n:], " \t|")
	if b[4] == '/' && len(rest) > 2 && rest[0] == '[' {
		return p.nginxError(rest, e)
	}
	if b[4] == '/' {
		// Go's log package, which Go's own server writes its panics with.
		return p.free(s, rest, e)
	}
	// HOST PROGRAM[PID]: words, as journalctl -o short-iso and rsyslog write them.
	if host, after, ok := bytes.Cut(rest, []byte{' '}); ok && len(host) > 0 && host[0] != '[' {
		if name, pid, words, ok := program(after); ok {
			e.form, e.pid = formSyslog, pid
			return p.parseMessage(s, name, words, e)
		}
	}
	return p.free(s, rest, e)
}

// free reads an application's words behind a time. A line whose words mean nothing to us is still
// one of a known form.
func (p *parser) free(s *source, b []byte, e *entry) bool {
	outer := *e
	if p.plain(s, b, e) {
		e.form = outer.form
		return true
	}
	*e = outer
	e.text = b
	s.trace.remember(b)
	return true
}

// program reads NAME[PID]: WORDS.
func program(b []byte) (name []byte, pid int, words []byte, ok bool) {
	i := bytes.IndexByte(b, ':')
	if i <= 0 || i > 80 || i+1 < len(b) && b[i+1] != ' ' {
		return nil, 0, nil, false
	}
	name = b[:i]
	if j := bytes.IndexByte(name, '['); j > 0 && name[len(name)-1] == ']' {
		pid = int(max(0, number(name[j+1:len(name)-1])))
		name = name[:j]
	}
	if bytes.IndexByte(name, ' ') >= 0 || len(name) == 0 {
		return nil, 0, nil, false
	}
	return name, pid, bytes.TrimLeft(b[i+1:], " "), true
}

// nginxError reads what follows the time in nginx's error log (https://nginx.org/en/docs/ngx_core_module.html#error_log):
//
//	[error] 12#13: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:8000/", host: "h"
func (p *parser) nginxError(b []byte, e *entry) bool {
	i := bytes.Index(b, []byte("] "))
	if i < 0 || i > 10 {
		return false
	}
	j := bytes.IndexByte(b, '#')
	k := bytes.Index(b, []byte(": "))
	if j < 0 || k < j {
		return false
	}
	e.form, e.name = formNginxError, []byte("nginx")
	words := b[k+2:]
	if !p.match(e, words) {
		e.text = words
		return true
	}
	if words[0] == '*' {
		e.group = int(max(0, number(words[1:min(len(words), 1+digitsOf(words[1:]))])))
	}
	e.client = field(words, ", client: ", ",")
	if q := field(words, `, request: "`, `", `); q != nil {
		e.request(bytes.TrimSuffix(q, []byte{'"'}))
	}
	if u := field(words, `, upstream: "`, `"`); u != nil {
		e.upstream = authority(u)
	}
	e.host = field(words, `, host: "`, `"`)
	return true
}

func digitsOf(b []byte) int {
	n := 0
	for n < len(b) && n < 18 && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

// bracket reads the logs whose lines begin with a bracket.
func (p *parser) bracket(s *source, b []byte, e *entry) bool {
	if len(b) < 4 {
		return false
	}
	switch c := b[1]; {
	case c >= '0' && c <= '9' && len(b) > 12 && (b[5] == '-' || b[5] == '/'):
		return p.envoy(b, e) || p.bracketISO(s, b, e)
	case c >= '0' && c <= '9' && b[3] == '/':
		return p.django(b, e) || p.plain(s, b, e)
	case c == ' ' || c >= '0' && c <= '9':
		return p.dmesg(s, b, e)
	case bytes.HasPrefix(b, []byte("[pid: ")):
		return p.uwsgi(b, e)
	case len(b) > 26 && b[4] == ' ' && b[8] == ' ':
		return p.bracketCtime(b, e)
	}
	return p.plain(s, b, e)
}

// bracketISO reads gunicorn's error log, [2026-11-23 09:30:01 +0000] [123] [CRITICAL] WORKER TIMEOUT (pid:124),
// and others of that shape.
func (p *parser) bracketISO(s *source, b []byte, e *entry) bool {
	t, n, zoned, ok := p.cal.iso(b[1:])
	if !ok || n+2 >= len(b) || b[n+1] != ']' {
		return false
	}
	e.form, e.time, e.zoned = formApp, t, zoned
	rest := bytes.TrimLeft(b[n+2:], " ")
	if len(rest) > 3 && rest[0] == '[' {
		if pid, after, ok := bytes.Cut(rest[1:], []byte("] [")); ok && number(pid) > 0 {
			e.form, e.pid = formGunicorn, int(number(pid))
			if _, words, ok := bytes.Cut(after, []byte("] ")); ok {
				rest = words
			}
		}
	}
	return p.free(s, rest, e)
}

// bracketCtime reads Apache's error log and dmesg -T:
//
//	[Mon Nov 23 09:30:01.123456 2026] [proxy:error] [pid 12:tid 34] (111)Connection refused: AH00957: HTTP: attempt to connect to 127.0.0.1:9 (127.0.0.1) failed
//	[Mon Nov 23 09:30:01 2026] Out of memory: Killed process 12 (python3)
func (p *parser) bracketCtime(b []byte, e *entry) bool {
	t, n, ok := p.cal.ctime(b[1:])
	if !ok || n+1 >= len(b) || b[n+1] != ']' {
		return false
	}
	rest := bytes.TrimLeft(b[n+2:], " ")
	e.time = t
	if len(rest) == 0 || rest[0] != '[' {
		return p.kernel(rest, e)
	}
	e.form, e.name = formApacheError, []byte("Apache")
	pid := field(rest, "[pid ", "]")
	if pid != nil {
		process, thread, _ := bytes.Cut(pid, []byte(":tid "))
		e.group = int(max(0, number(process)))*1000003 + int(max(0, number(thread)))
	}
	if c := field(rest, "[client ", "]"); c != nil {
		e.client = hostOf(c)
	}
	// The words begin behind the brackets; an error's number and text may stand before the client's.
	words := rest
	for len(words) > 0 && words[0] == '[' && !bytes.HasPrefix(words, []byte("[client ")) {
		i := bytes.IndexByte(words, ']')
		if i < 0 {
			return true
		}
		words = bytes.TrimLeft(words[i+1:], " ")
	}
	if !p.match(e, words) {
		e.text = words
		return true
	}
	if v := field(words, "remote server ", " "); v != nil && isAddress(v) {
		e.upstream = v
	} else if v := field(words, "attempt to connect to ", " "); v != nil {
		e.upstream = v
	}
	if v := field(words, " returned by ", ","); v != nil {
		e.target = v
	}
	return true
}

// django reads the line of Django's development server: [23/Nov/2026 09:30:01] "GET / HTTP/1.1" 500 145
func (p *parser) django(b []byte, e *entry) bool {
	t, n, zoned, ok := p.cal.clf(b[1:])
	if !ok || n+4 > len(b) || b[n+1] != ']' || b[n+3] != '"' {
		return false
	}
	end := closing(b, n+4)
	if end < 0 || end+5 > len(b) {
		return false
	}
	status := digits(b, end+2, 3)
	if status < 100 {
		return false
	}
	e.form, e.time, e.zoned, e.access, e.status = formApp, t, zoned, true, status
	e.request(b[n+4 : end])
	return true
}

// uwsgi reads uWSGI's request line:
//
//	[pid: 12|app: 0|req: 1/1] 127.0.0.1 () {28 vars in 320 bytes} [Mon Nov 23 09:30:01 2026] GET / => generated 11 bytes in 5 msecs (HTTP/1.1 500) 2 headers
func (p *parser) uwsgi(b []byte, e *entry) bool {
	i := bytes.Index(b, []byte("} ["))
	if i < 0 {
		return false
	}
	t, n, ok := p.cal.ctime(b[i+3:])
	j := bytes.Index(b, []byte("(HTTP/"))
	if !ok || j < i {
		return false
	}
	status := digits(b, j+10, 3)
	if status < 100 {
		return false
	}
	e.form, e.time, e.access, e.status, e.atStart = formUWSGI, t, true, status, true
	e.pid = numberAfter(b, "[pid: ")
	e.client = field(b, "] ", " ")
	e.request(bytes.TrimLeft(field(b[i+3+n:], "]", " =>"), " "))
	e.took = span(field(b, " bytes in ", " msecs"), second/1000)
	return true
}

// uvicorn reads uvicorn's lines, which have no time:
//
//	INFO:     127.0.0.1:5000 - "GET / HTTP/1.1" 500 Internal Server Error
func (p *parser) uvicorn(s *source, b []byte, e *entry) bool {
	i := bytes.IndexByte(b, ':')
	if i < 3 || i > 8 || i+6 > len(b) || b[i+1] != ' ' {
		return false
	}
	switch string(b[:i]) {
	case "INFO", "ERROR", "WARNING", "CRITICAL", "DEBUG":
	default:
		return false
	}
	e.form = formUvicorn
	rest := bytes.TrimLeft(b[i+1:], " ")
	if q := bytes.Index(rest, []byte(` - "`)); q > 0 {
		if end := closing(rest, q+4); end > 0 && end+5 <= len(rest) {
			if status := digits(rest, end+2, 3); status >= 100 {
				e.access, e.status = true, status
				e.client = hostOf(rest[:q])
				e.request(rest[q+4 : end])
				return true
			}
		}
	}
	return p.free(s, rest, e)
}

// syslog reads Nov 23 09:30:01 host program[pid]: words (RFC 3164 section 4.1), as journalctl's short
// format and most of /var/log have it.
func (p *parser) syslog(s *source, b []byte, e *entry) bool {
	t, n, ok := p.cal.syslog(b)
	if !ok || n+2 > len(b) {
		return false
	}
	e.form, e.time = formSyslog, t
	rest := bytes.TrimLeft(b[n:], " ")
	if name, pid, words, ok := program(rest); ok { // HAProxy writes no host
		e.pid = pid
		return p.parseMessage(s, name, words, e)
	}
	_, rest, _ = bytes.Cut(rest, []byte{' '})
	if name, pid, words, ok := program(rest); ok {
		e.pid = pid
		return p.parseMessage(s, name, words, e)
	}
	return p.parseMessage(s, nil, rest, e)
}

// priority reads a syslog line with its priority: <134>Nov 23 ..., <134>1 2026-11-23T... (RFC 5424).
func (p *parser) priority(s *source, b []byte, e *entry) bool {
	i := bytes.IndexByte(b, '>')
	if i < 2 || i > 4 || number(b[1:i]) < 0 {
		return p.plain(s, b, e)
	}
	rest := b[i+1:]
	if !bytes.HasPrefix(rest, []byte("1 ")) {
		if p.syslog(s, rest, e) {
			return true
		}
		return p.kernelOrPlain(s, rest, e)
	}
	t, n, zoned, ok := p.cal.iso(rest[2:])
	if !ok {
		return false
	}
	e.form, e.time, e.zoned = formSyslog, t, zoned
	var f [5][]byte // host, program, pid, message id, structured data
	words := bytes.TrimLeft(rest[2+n:], " ")
	for k := range f {
		if k == 4 && len(words) > 0 && words[0] == '[' {
			if j := bytes.IndexByte(words, ']'); j >= 0 {
				words = bytes.TrimLeft(words[j+1:], " ")
			}
			break
		}
		f[k], words, _ = bytes.Cut(words, []byte{' '})
	}
	e.pid = int(max(0, number(f[2])))
	return p.parseMessage(s, f[1], bytes.TrimPrefix(words, []byte("\xef\xbb\xbf")), e)
}

func (p *parser) kernelOrPlain(s *source, b []byte, e *entry) bool {
	if len(b) > 0 && b[0] == '[' {
		return p.dmesg(s, b, e)
	}
	return p.plain(s, b, e)
}

// dmesg reads [12345.678901] words: seconds since the kernel's start.
func (p *parser) dmesg(s *source, b []byte, e *entry) bool {
	i := bytes.IndexByte(b, ']')
	if i < 3 || i > 24 {
		return p.plain(s, b, e)
	}
	since := span(bytes.TrimLeft(b[1:i], " "), second)
	if since < 0 || bytes.IndexByte(b[:i], '.') < 0 {
		return p.plain(s, b, e)
	}
	if s.boot != 0 {
		e.time = s.boot + since
	}
	return p.kernel(bytes.TrimLeft(b[i+1:], " "), e)
}

// kernel reads the kernel's own words.
func (p *parser) kernel(b []byte, e *entry) bool {
	e.form, e.name = formKernel, []byte("kernel")
	if len(b) > 0 && b[0] == '[' { // journals keep the kernel's own seconds
		if i := bytes.IndexByte(b, ']'); i > 0 && i < 24 {
			b = bytes.TrimLeft(b[i+1:], " ")
		}
	}
	if !p.match(e, b) {
		e.text = b
	} else if v := field(b, "(", ")"); v != nil && e.rule.process != "" {
		e.name = v
	}
	return true
}
