package logs

import "bytes"

// columns are the places of the fields that matter in a W3C log
// (https://www.w3.org/TR/WD-logfile.html), as its #Fields line names them; -1 for one it lacks.
type columns struct {
	date, clock, status, sub, win32, took, client, method, stem, upstream, edge int
	tab                                                                         bool
	seconds                                                                     bool // took is in seconds (CloudFront), else milliseconds (IIS)
}

func (p *parser) w3cHead(s *source, b []byte, e *entry) bool {
	e.form = formW3C
	if !bytes.HasPrefix(b, []byte("#Fields:")) {
		return bytes.HasPrefix(b, []byte("#Software:")) || bytes.HasPrefix(b, []byte("#Version:")) || bytes.HasPrefix(b, []byte("#Date:"))
	}
	c := &columns{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, false, false}
	for i, name := range bytes.Fields(b[len("#Fields:"):]) {
		switch string(name) {
		case "date":
			c.date = i
		case "time":
			c.clock = i
		case "sc-status":
			c.status = i
		case "sc-substatus":
			c.sub = i
		case "sc-win32-status":
			c.win32 = i
		case "time-taken":
			c.took = i
		case "c-ip":
			c.client = i
		case "cs-method":
			c.method = i
		case "cs-uri-stem", "cs-uri":
			c.stem = i
		case "x-edge-detailed-result-type":
			c.edge = i
		case "x-edge-location":
			c.tab, c.seconds = true, true
		}
	}
	if c.status >= 0 {
		s.fields = c
	}
	return true
}

// w3c reads a line of a W3C log. Its times are UTC.
func (p *parser) w3c(c *columns, b []byte, e *entry) bool {
	sep := byte(' ')
	if c.tab {
		sep = '\t'
	}
	var f [40][]byte
	n := 0
	for rest := b; n < len(f); n++ {
		i := bytes.IndexByte(rest, sep)
		if i < 0 {
			f[n] = rest
			n++
			break
		}
		f[n], rest = rest[:i], rest[i+1:]
	}
	get := func(i int) []byte {
		if i < 0 || i >= n {
			return nil
		}
		return f[i]
	}
	status := number(get(c.status))
	if status < 0 || status > 999 {
		return false
	}
	e.form, e.access, e.status = formW3C, true, int(status)
	if c.date >= 0 && c.clock == c.date+1 {
		d := get(c.date)
		if len(d) == 10 && len(get(c.clock)) >= 8 {
			t := f[c.clock]
			y, mo, dd, h, mi, s := digits(d, 0, 4), digits(d, 5, 2), digits(d, 8, 2), digits(t, 0, 2), digits(t, 3, 2), digits(t, 6, 2)
			if valid(y, mo, dd, h, mi, s) {
				e.time, e.zoned = unix(y, mo, dd, h, mi, s)*second, true
			}
		}
	}
	if !failing(e.status) {
		return true
	}
	e.client, e.method, e.target = get(c.client), get(c.method), get(c.stem)
	unit := second / 1000
	if c.seconds {
		unit = second
	}
	e.took = span(get(c.took), unit)
	e.flags, e.details = get(c.win32), get(c.sub)
	if c.edge >= 0 {
		e.flags, e.details = nil, get(c.edge)
	}
	return true
}

// alb reads an access log of an AWS Application Load Balancer
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html):
//
//	https 2026-11-23T09:30:01.123456Z app/my/50dc 1.2.3.4:2817 10.0.0.1:80 0.000 0.001 0.000 502 - 34 366 "GET https://h:443/ HTTP/1.1" ...
func (p *parser) alb(b []byte, e *entry) bool {
	i := bytes.IndexByte(b, ' ')
	if i < 2 || i > 5 {
		return false
	}
	switch string(b[:i]) {
	case "http", "https", "h2", "grpcs", "ws", "wss":
	default:
		return false
	}
	t, n, zoned, ok := p.cal.iso(b[i+1:])
	if !ok {
		return false
	}
	var f [10][]byte
	rest := bytes.TrimLeft(b[i+1+n:], " ")
	for k := range f {
		f[k], rest, ok = bytes.Cut(rest, []byte{' '})
		if !ok {
			return false
		}
	}
	status := number(f[6])
	if status < 0 {
		return false
	}
	e.form, e.time, e.zoned, e.access, e.status = formALB, t, zoned, true, int(status)
	if !failing(e.status) {
		return true
	}
	e.client, e.upStatus = hostOf(f[1]), f[7]
	if len(f[2]) > 1 {
		e.upstream = f[2]
	}
	if q := field(rest, `"`, `"`); q != nil {
		e.request(q)
	}
	e.took = 0
	for _, v := range f[3:6] {
		if bytes.HasPrefix(v, []byte("-1")) {
			e.took = -1
			break
		}
		e.took += max(0, span(v, second))
	}
	e.flags = albPhase(f[3], f[4], f[7])
	return true
}

// albPhase says in a word how far a request had come, from the times that are -1 and from whether the
// target answered.
func albPhase(request, target, status []byte) []byte {
	switch {
	case len(status) == 3:
		return []byte("target")
	case bytes.HasPrefix(request, []byte("-1")):
		return []byte("undispatched")
	case bytes.HasPrefix(target, []byte("-1")):
		return []byte("unanswered")
	}
	return []byte("answered")
}
