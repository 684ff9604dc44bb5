package logs

import "bytes"

// clf reads the common and combined formats and what people add behind them
// (https://httpd.apache.org/docs/2.4/logs.html, https://nginx.org/en/docs/http/ngx_http_log_module.html):
//
//	127.0.0.1 - user [23/Nov/2026:09:30:01 +0000] "GET / HTTP/1.1" 502 157 "-" "curl/8" ...
func (p *parser) clf(b []byte, e *entry) bool {
	i := bytes.IndexByte(b, '[')
	if i < 4 || i+28 > len(b) || b[i-1] != ' ' {
		return false
	}
	t, n, zoned, ok := p.cal.clf(b[i+1:])
	if !ok {
		return false
	}
	i += 1 + n
	if i+8 > len(b) || b[i] != ']' || b[i+1] != ' ' || b[i+2] != '"' {
		return false
	}
	end := closing(b, i+3)
	if end < 0 || end+5 > len(b) {
		return false
	}
	status := digits(b, end+2, 3)
	if status < 100 || end+5 < len(b) && b[end+5] != ' ' {
		return false
	}
	e.form, e.time, e.zoned, e.access, e.status = formCLF, t, zoned, true, status
	if !failing(status) {
		return true
	}
	if j := bytes.IndexByte(b, ' '); j > 0 {
		e.client = b[:j]
	}
	e.request(b[i+3 : end])
	e.atStart = true // Apache's; join learns better where the set is nginx's
	e.tail(b[end+5:])
	return true
}

// failing says whether an answer is one that has to be explained.
func failing(status int) bool {
	return status >= 500 || status == 499 || status == 413 || status == 431 || status == 460
}

// closing finds the quote that ends a quoted text; \" does not.
func closing(b []byte, from int) int {
	for i := from; i < len(b); {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return -1
		}
		i += j
		if i == from || b[i-1] != '\\' {
			return i
		}
		i++
	}
	return -1
}

// tail reads what people log behind the usual fields: name=value with nginx's variables, or bare
// values, of which an address with a port is taken for the upstream. Traefik's own format ends in
// a number, the router, the server and a duration.
func (e *entry) tail(b []byte) {
	quoted := 0
	for i := 0; i < len(b); {
		if b[i] == ' ' {
			i++
			continue
		}
		var name, value []byte
		if b[i] == '"' {
			end := closing(b, i+1)
			if end < 0 {
				return
			}
			value = b[i+1 : end]
			i = end + 1
			quoted++
		} else {
			end := i
			for end < len(b) && b[end] != ' ' {
				if b[end] == '=' && name == nil {
					name = b[i:end]
					if end+1 < len(b) && b[end+1] == '"' {
						close := closing(b, end+2)
						if close < 0 {
							return
						}
						value = b[end+2 : close]
						end = close + 1
						break
					}
					i = end + 1
				}
				end++
			}
			if value == nil {
				value = b[i:end]
			}
			i = end
		}
		e.extra(name, value, quoted)
	}
}

func (e *entry) extra(name, value []byte, quoted int) {
	switch string(name) {
	case "":
		switch {
		case quoted > 2 && bytes.HasPrefix(value, []byte("http")) && bytes.Contains(value, []byte("://")):
			e.upstream, e.form = authority(value), formTraefik
		case quoted >= 2 && len(e.upstream) == 0 && isAddress(value):
			e.upstream = value
		case bytes.HasSuffix(value, []byte("ms")) && e.form == formTraefik:
			e.took = span(value[:len(value)-2], second/1000)
		}
	case "rt", "request_time", "request_length_time", "req_time", "duration", "time":
		if t := span(value, second); t >= 0 {
			e.took = t
		}
	case "urt", "upstream_response_time", "uht", "upstream_header_time", "us_time":
		if t := span(value, second); t >= 0 && e.took < 0 {
			e.took = t
		}
	case "D", "usec", "time_us":
		e.took = span(value, second/1e6)
	case "upstream_status", "us", "ups_status", "ustatus":
		e.upStatus = value
	case "upstream_addr", "upstream", "ua", "up", "uaddr", "ups_addr", "backend":
		if isAddress(value) || bytes.HasPrefix(value, []byte("unix:")) {
			e.upstream = value
		}
	}
	// Of several attempts the last decided.
	if i := bytes.LastIndexByte(e.upstream, ' '); i >= 0 {
		e.upstream = e.upstream[i+1:]
	}
}

// isAddress says whether a value looks like HOST:PORT, with an address for host.
func isAddress(b []byte) bool {
	i := bytes.LastIndexByte(b, ':')
	if i < 2 || number(b[i+1:]) < 1 {
		return false
	}
	c := b[0]
	return c >= '0' && c <= '9' || c == '['
}

// authority is the HOST:PORT of a URL.
func authority(b []byte) []byte {
	if i := bytes.Index(b, []byte("://")); i >= 0 {
		b = b[i+3:]
	}
	if bytes.HasPrefix(b, []byte("unix:")) {
		if i := bytes.Index(b, []byte(":/")); i >= 0 {
			if j := bytes.Index(b[i+1:], []byte(":/")); j >= 0 {
				return b[:i+1+j]
			}
		}
		return b
	}
	if i := bytes.IndexByte(b, '/'); i >= 0 {
		b = b[:i]
	}
	return b
}
