package logs

import "bytes"

// envoy reads Envoy's default access log and Istio's
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage):
//
//	[2026-11-23T09:30:01.123Z] "GET / HTTP/1.1" 503 UF 0 91 2 - "-" "curl/8" "id" "host" "127.0.0.1:9"
//	[2026-11-23T09:30:01.123Z] "GET / HTTP/1.1" 503 UF upstream_reset_before_response_started{...} - "-" 0 91 2 - ...
func (p *parser) envoy(b []byte, e *entry) bool {
	if len(b) < 30 {
		return false
	}
	t, n, zoned, ok := p.cal.iso(b[1:])
	if !ok || n+4 > len(b) || b[n+1] != ']' || b[n+2] != ' ' || b[n+3] != '"' {
		return false
	}
	end := closing(b, n+4)
	if end < 0 || end+5 > len(b) {
		return false
	}
	status := digits(b, end+2, 3)
	if status < 0 {
		if b[end+2] != '0' { // 0: the caller left before an answer
			return false
		}
		status = 499
	}
	e.form, e.time, e.zoned, e.access, e.status, e.atStart = formEnvoy, t, zoned, true, status, true
	if !failing(status) {
		return true
	}
	e.request(b[n+4 : end])
	rest := b[end+2:]
	if i := bytes.IndexByte(rest, ' '); i >= 0 {
		rest = rest[i+1:]
	}
	e.flags, rest, _ = bytes.Cut(rest, []byte{' '})
	word, after, _ := bytes.Cut(rest, []byte{' '})
	if len(word) > 0 && (word[0] < '0' || word[0] > '9') && word[0] != '-' {
		e.details, rest = word, after
		if _, after, ok := bytes.Cut(rest, []byte("\" ")); ok { // connection details, "transport failure"
			if q := field(rest, `"`, `"`); len(q) > 1 {
				e.note = q
			}
			rest = after
		}
	}
	// received, sent, duration in milliseconds
	for range 2 {
		_, rest, _ = bytes.Cut(rest, []byte{' '})
	}
	word, rest, _ = bytes.Cut(rest, []byte{' '})
	e.took = span(word, second/1000)
	for quoted := 0; len(rest) > 0; quoted++ {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			break
		}
		end := closing(rest, i+1)
		if end < 0 {
			break
		}
		if v := rest[i+1 : end]; quoted >= 3 && (isAddress(v) || bytes.HasPrefix(v, []byte("unix:"))) {
			e.upstream = v
		}
		rest = rest[end+1:]
	}
	return true
}
