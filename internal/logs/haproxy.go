package logs

import "bytes"

// haproxy reads HAProxy's httplog, its httpslog and its tcplog
// (https://docs.haproxy.org/2.8/configuration.html#8.2.3):
//
//	127.0.0.1:33317 [23/Nov/2026:09:30:01.655] http-in static/srv1 10/0/30/69/109 503 2750 - - SC-- 1/1/1/1/0 0/0 "GET / HTTP/1.1"
//
// The fields are counted from the date on, so that what stands before it may be missing.
func (p *parser) haproxy(b []byte, e *entry) bool {
	i := bytes.IndexByte(b, '[')
	if i < 0 || i+30 > len(b) {
		return false
	}
	t, n, zoned, ok := p.cal.clf(b[i+1:])
	if !ok || i+1+n >= len(b) || b[i+1+n] != ']' {
		return false
	}
	var f [16][]byte
	rest := b[i+n+2:]
	count := 0
	for count < len(f) {
		for len(rest) > 0 && rest[0] == ' ' {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0] == '"' {
			break
		}
		j := bytes.IndexByte(rest, ' ')
		if j < 0 {
			j = len(rest)
		}
		f[count], rest = rest[:j], rest[j:]
		count++
	}
	if count < 6 || bytes.Count(f[2], []byte{'/'}) < 2 {
		return false
	}
	e.form, e.time, e.zoned, e.atStart = formHAProxy, t, zoned, true
	if j := bytes.LastIndexByte(bytes.TrimRight(b[:i], " "), ' '); j >= 0 {
		e.client = hostOf(bytes.TrimRight(b[j+1:i], " "))
	} else {
		e.client = hostOf(bytes.TrimRight(b[:i], " "))
	}
	e.upstream = f[1]
	total := f[2]
	if j := bytes.LastIndexByte(total, '/'); j >= 0 {
		total = total[j+1:]
	}
	e.took = span(bytes.TrimLeft(total, "+"), second/1000)
	if bytes.Count(f[2], []byte{'/'}) < 4 { // tcplog: bytes, state
		e.access, e.flags = true, f[4]
		if len(e.flags) != 2 || e.flags[0] == '-' || e.flags[0] == 'C' || e.flags[0] == 'c' {
			return true
		}
		e.status, e.target = 503, []byte("(TCP)")
		return true
	}
	e.access = true
	e.status = int(number(f[3]))
	if e.status < 0 {
		e.status = 0
	}
	e.flags, e.details = f[7], f[8] // the connections' counters, for the load at that moment
	if len(rest) > 1 {
		if end := bytes.LastIndexByte(rest[1:], '"'); end >= 0 {
			e.request(rest[1 : end+1])
		}
	}
	if e.status == 0 && len(e.flags) >= 2 && e.flags[0] == 'C' {
		e.status = 499
	}
	return true
}

// hostOf is an address without its port.
func hostOf(b []byte) []byte {
	if i := bytes.LastIndexByte(b, ':'); i > 0 && number(b[i+1:]) >= 0 && (bytes.IndexByte(b, ':') == i || b[0] == '[') {
		b = b[:i]
	}
	return bytes.Trim(b, "[]")
}
