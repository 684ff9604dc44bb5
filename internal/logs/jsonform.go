package logs

import (
	"bytes"

	"causeway/internal/fault"
)

// record is what the members of a JSON line say, whoever wrote it.
type record struct {
	status, upStatus, message, text, program, pid, flags, details, kind, id []byte
	unit                                                                    int64 // of took
	took                                                                    []byte
	journal, traefik, envoy, caddy, errorLog                                bool
}

// json reads the JSON logs of Caddy, Traefik, Envoy, nginx (its variables by their names), Google's
// balancers, journald, our own program, and our own calls as the admin API gives them.
func (p *parser) json(b []byte, e *entry) bool {
	var r record
	r.unit = second
	whole := members(b, 1, func(key, v []byte, text bool) { p.member(&r, e, key, v, text) })
	if r.message == nil && r.status == nil && e.time == 0 {
		return false
	}
	e.form = formJSON
	if r.pid != nil {
		e.pid = int(max(0, number(r.pid)))
	}
	switch {
	case r.journal:
		e.form = formJournal
		p.scratch = unescape(p.scratch[:0], r.message)
		return p.parseMessage(&source{}, r.program, p.scratch, e)
	case r.traefik:
		e.form = formTraefik
	case r.caddy:
		e.form = formCaddy
	case r.envoy:
		e.form, e.atStart = formEnvoy, true
	case r.kind != nil || len(r.id) == 26:
		e.form, e.atStart = formCauseway, true
	}
	status := int(number(r.status))
	if status >= 100 && status < 1000 && (e.target != nil || e.method != nil) && !r.errorLog {
		e.access, e.status = true, status
		if !failing(status) {
			return true
		}
		e.flags, e.details, e.upStatus = r.flags, r.details, r.upStatus
		if r.took != nil {
			e.took = span(r.took, r.unit)
		}
		if r.kind != nil {
			e.rule = p.known.ofKind(fault.Kind(r.kind))
			e.flags = nil
		} else if r.text != nil {
			e.note = r.text
		}
		return true
	}
	if r.message != nil || r.text != nil {
		if r.text != nil && string(r.text) == "EOF" {
			r.text = []byte("error: EOF")
		}
		if string(r.message) == "EOF" {
			r.message = []byte("error: EOF")
		}
		p.scratch = unescape(p.scratch[:0], r.message)
		p.scratch = append(p.scratch, ' ')
		p.scratch = unescape(p.scratch, r.text)
		p.match(e, p.scratch)
	}
	return whole || e.rule != nil || e.time != 0
}

// member takes what one member says.
func (p *parser) member(r *record, e *entry, key, v []byte, text bool) {
	switch string(key) {
	case "status", "DownstreamStatus", "statusCode", "sc_status", "status_code", "http_status", "response_status", "resp_status":
		if number(v) >= 0 {
			r.status = v
		}
		r.traefik = r.traefik || key[0] == 'D'
	case "response_code":
		r.status, r.envoy = v, true
	case "OriginStatus", "upstream_status", "ust":
		r.upStatus = v
	case "time", "ts", "@timestamp", "timestamp", "start_time", "StartUTC", "time_iso8601", "time_local", "msec", "t", "__REALTIME_TIMESTAMP":
		p.memberTime(e, v, text)
		r.journal = r.journal || key[0] == '_'
	case "MESSAGE", "msg", "message":
		r.message = v
	case "error", "err", "exception", "stack", "upstream_transport_failure_reason":
		if text {
			r.text = v
		}
	case "SYSLOG_IDENTIFIER":
		r.program = v
	case "_PID", "pid":
		r.pid = v
	case "uri", "path", "RequestPath", "request_uri", "requestUrl", "target", "url":
		if text {
			e.target = v
		}
	case "request":
		if text {
			e.request(v)
		}
	case "method", "RequestMethod", "request_method", "requestMethod":
		e.method = v
	case "remote_ip", "client_ip", "ClientHost", "remote_addr", "downstream_remote_address", "remoteIp", "remote":
		e.client = hostOf(v)
	case "upstream_host", "upstream_addr", "ServiceAddr", "upstream", "service":
		if text {
			e.upstream = v
		}
	case "response_flags":
		r.flags, r.envoy = v, true
	case "response_code_details", "statusDetails", "error_reason":
		r.details = v
	case "duration":
		r.took = v
		if r.envoy {
			r.unit = second / 1000
		}
	case "Duration":
		r.took, r.unit = v, 1
	case "duration_ms", "latency_ms", "response_time_ms":
		r.took, r.unit = v, second/1000
	case "duration_us", "us":
		r.took, r.unit = v, second/1000000
	case "request_time", "rt":
		r.took = v
	case "kind":
		if text && fault.Lookup(fault.Kind(v)) != nil {
			r.kind = v
		}
	case "id":
		if text {
			r.id = v
		}
	case "logger":
		if bytes.HasPrefix(v, []byte("http.")) {
			r.caddy = true
			r.errorLog = bytes.HasPrefix(v, []byte("http.log.error"))
		}
	default:
		if text {
			p.byValue(e, v)
		}
	}
}

// byValue takes what a member of a name of somebody's own says by the form of its value: a request's line, a time.
func (p *parser) byValue(e *entry, v []byte) {
	switch {
	case len(v) < 10:
	case e.method == nil && e.target == nil && v[0] >= 'A' && v[0] <= 'Z' && bytes.Contains(v, []byte(" HTTP/")):
		if verb := bytes.IndexByte(v, ' '); verb >= 3 && verb <= 8 && verb+1 < len(v) && v[verb+1] == '/' {
			e.request(v)
		}
	case e.time == 0 && len(v) >= 19 && len(v) <= 40 && (v[0] == '[' || v[0] >= '0' && v[0] <= '9'):
		if v[0] == '[' || v[4] == '-' || v[2] == '/' { // no number, which can be anything
			p.memberTime(e, v, true)
		}
	}
}

// memberTime reads a time in any of the forms that JSON logs have: a text, or a number of seconds,
// milliseconds, microseconds or nanoseconds, which its size tells apart.
func (p *parser) memberTime(e *entry, v []byte, text bool) {
	v = bytes.Trim(v, "[]") // gunicorn's %(t)s
	if t, _, zoned, ok := p.cal.iso(v); ok {
		e.time, e.zoned = t, zoned
		return
	}
	if t, _, zoned, ok := p.cal.clf(v); ok {
		e.time, e.zoned = t, zoned
		return
	}
	whole, rest, _ := bytes.Cut(v, []byte{'.'})
	n := number(whole)
	if n < 1e8 {
		return
	}
	unit := second
	for m := n; m > 1e10 && unit > 1; m /= 1000 {
		unit /= 1000
	}
	e.time, e.zoned = n*unit, true
	for _, c := range rest {
		unit /= 10
		if c < '0' || c > '9' || unit == 0 {
			break
		}
		e.time += int64(c-'0') * unit
	}
}

// logfmt reads our own log in its text form: time=2026-11-23T09:30:01.123Z level=WARN msg="..." kind=...
func (p *parser) logfmt(b []byte, e *entry) bool {
	t, _, zoned, ok := p.cal.iso(b[len("time="):])
	if !ok {
		return false
	}
	e.form, e.time, e.zoned = formCauseway, t, zoned
	if !p.match(e, b) {
		e.text = b
	}
	if k := field(b, " kind=", " "); k != nil && e.rule == nil {
		e.rule = p.known.ofKind(fault.Kind(k))
	}
	return true
}
