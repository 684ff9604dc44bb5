package paste

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
)

// head is the head of an answer.
type head struct {
	status int
	reason string
	fields http.Header
}

var (
	statusLine = regexp.MustCompile(`^(?:< ?|\s*)HTTP/[\d.]+ (\d{3})(?: ([^\n]*))?$`)
	fieldLine  = regexp.MustCompile(`^(?:< ?)?([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$`)
)

// head finds the head of an answer in a text, as curl -i and curl -v print it; nil when there is none. Of several
// (a 100, a redirect, a proxy's CONNECT) the last counts.
func (r *reader) head(text []byte) (*head, []byte) {
	var h *head
	rest := text
	body := text
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		m := statusLine.FindSubmatch(bytes.TrimRight(line, " "))
		if m == nil {
			rest = after
			continue
		}
		status, _ := strconv.Atoi(string(m[1]))
		h = &head{status: status, reason: string(m[2]), fields: http.Header{}}
		rest, body = h.read(after)
	}
	if h == nil {
		return nil, nil
	}
	r.answered(h, body)
	return h, body
}

// read reads the fields up to an empty line.
func (h *head) read(text []byte) (rest, body []byte) {
	for n := 0; len(text) > 0 && n < 500; n++ {
		line, after, _ := bytes.Cut(text, []byte{'\n'})
		line = bytes.TrimRight(line, " ")
		if len(line) == 0 || bytes.Equal(line, []byte("<")) {
			return after, after
		}
		m := fieldLine.FindSubmatch(line)
		if m == nil {
			if line[0] == '*' || line[0] == '{' && bytes.HasPrefix(line, []byte("{ [")) { // curl's own remarks
				text = after
				continue
			}
			return text, text
		}
		h.fields.Add(string(m[1]), string(m[2]))
		text = after
	}
	return text, text
}

// answered explains an answer by its head.
func (r *reader) answered(h *head, body []byte) {
	if kind := fault.Kind(h.fields.Get("Causeway-Finding")); fault.Lookup(kind) != nil {
		r.add(Finding{What: "an answer's head", Who: "a Causeway", Kind: kind, Status: h.status, Seen: []string{"Causeway-Finding: " + string(kind)}, CallID: callID(h), rank: rankOurs - 5})
	} else if m := ownReason.FindStringSubmatch(h.reason); m != nil && fault.Lookup(fault.Kind(m[1])) != nil {
		r.add(Finding{What: "an answer's head", Who: "a Causeway", Kind: fault.Kind(m[1]), Status: h.status, Seen: []string{"its reason phrase has the kind"}, CallID: callID(h), rank: rankOurs - 5})
	}
	r.proxyStatus(h.fields.Values("Proxy-Status"), callID(h))
	if h.status < 400 {
		if len(r.r.Findings) == 0 && h.status >= 200 {
			r.r.Notes = append(r.r.Notes, fmt.Sprintf("the answer's status is %d: by its head nothing failed", h.status))
		}
		return
	}
	r.byRules(h, body)
}

func callID(h *head) string {
	if _, ok := journey.ParseID(h.fields.Get("Causeway-Call-Id")); ok {
		return h.fields.Get("Causeway-Call-Id")
	}
	return ""
}

// byRules asks the gateway's own rules what they would say of the answer.
func (r *reader) byRules(h *head, body []byte) {
	get := func(name string) string { return h.fields.Get(name) }
	kind := diagnose.Passed(h.status, get)
	if kind == "" && diagnose.SaysPlainToTLS(h.status, body) {
		kind = fault.PlainToTLSPort
	}
	if kind == "" {
		r.status(h.status, "an answer's head", "the server")
		return
	}
	made := diagnose.Judge(diagnose.Input{
		Kind: kind, Method: http.MethodGet, Idempotent: true, Time: r.o.Now, Passed: true,
		Answer: &diagnose.Answer{Status: h.status, Header: get, Body: body[:min(len(body), 1024)]},
	})
	if made == nil {
		return
	}
	f := Finding{
		What: fmt.Sprintf("an answer with status %d", h.status), Who: or(maker(h, body), "the server"), Kind: made.Kind, Cause: made.Cause, Status: h.status, rank: rankStatus + 5,
	}
	for _, line := range made.Evidence {
		f.Seen = append(f.Seen, cleanAll(line))
	}
	if known := r.server(f.Who); known != "" {
		f.Likely, f.Advice = r.ofServer(known, h.status), nil
		f.rank = rankPage
		f.Title = fmt.Sprintf("%s answered %d in the place of the server behind it", f.Who, h.status)
		f.Meaning = f.Title + ": " + proxyMeaning(h.status)
	}
	if after := h.fields.Get("Retry-After"); after != "" {
		f.Advice = append(f.Advice, "Retry-After asks to wait: "+clip(after)+".")
	}
	r.add(f)
}

// proxyMeaning is what a proxy means by a status.
func proxyMeaning(status int) string {
	switch status {
	case 502:
		return "it got no valid answer from it."
	case 503:
		return "it has none that can take the call, or a limit of its own was reached."
	case 504:
		return "none came in time."
	case 500:
		return "it failed itself, by its own configuration mostly."
	}
	return "the call did not get further."
}

// fields reads lines of a header that come without a status line.
func (r *reader) fields(text []byte) {
	h := &head{fields: http.Header{}}
	for line := range bytes.Lines(text) {
		if m := fieldLine.FindSubmatch(bytes.TrimSpace(line)); m != nil {
			h.fields.Add(string(m[1]), string(m[2]))
		}
	}
	if kind := fault.Kind(h.fields.Get("Causeway-Finding")); fault.Lookup(kind) != nil {
		r.add(Finding{What: "a header field", Who: "a Causeway", Kind: kind, CallID: callID(h), Seen: []string{"Causeway-Finding: " + string(kind)}, rank: rankOurs - 5})
	}
	if v := h.fields.Get("L5d-Proxy-Error"); v != "" {
		r.pages([]byte("l5d-proxy-error: "+v), nil)
	}
	values := h.fields.Values("Proxy-Status")
	if line := bytes.TrimSpace(text); len(values) == 0 && bareProxyStatus.Match(line) {
		values = []string{string(line)}
	}
	r.proxyStatus(values, callID(h))
}

// bareProxyStatus is the value of a Proxy-Status field without its name, as whoever copies it out of a table
// of headers has it.
var bareProxyStatus = regexp.MustCompile(`^[A-Za-z*"][^;,\n]{0,200};[ \t]*(?:error|received-status)=[^\n]+$`)

// proxyStatus reads Proxy-Status fields (RFC 9209): each member is an intermediary, the one nearest to the
// origin first.
func (r *reader) proxyStatus(values []string, id string) {
	for i, m := range members(strings.Join(values, ", ")) {
		if m.param["error"] == "" && m.param["received-status"] == "" {
			continue
		}
		kind := kindOfType(m.param["error"])
		who := "the proxy " + clip(m.name)
		f := Finding{What: "a Proxy-Status field", Who: who, Kind: kind, CallID: id, rank: rankField - i}
		if m.name == "causeway" {
			f.Who = "a Causeway"
		}
		if kind == "" {
			f.Title = "A proxy tells of a failure"
			f.Meaning = who + " names no error that RFC 9209 knows."
		}
		if e := m.param["error"]; e != "" {
			f.Seen = append(f.Seen, clip(m.name)+" says error="+clip(e))
		}
		for _, name := range []string{"received-status", "rcode", "alert-id", "next-hop", "next-protocol", "status-code", "details"} {
			if v := m.param[name]; v != "" {
				f.Seen = append(f.Seen, name+": "+clip(masked(v)))
			}
		}
		if d := m.param["details"]; d != "" && m.name == "causeway" {
			f.Meaning = cleanAll(d)
		}
		if status, err := strconv.Atoi(m.param["received-status"]); err == nil && kind == "" {
			if kind = diagnose.Passed(status, nil); kind != "" {
				f.Kind, f.Title, f.Meaning = kind, "", ""
			}
		}
		if id != "" || m.name == "causeway" {
			f.rank = rankField + 3
		}
		r.add(f)
	}
}

// typeKinds are the kinds of the error types of RFC 9209, section 2.3.
var typeKinds = map[string]fault.Kind{
	"dns_timeout": fault.DNSTimeout, "dns_error": fault.DNSNotFound, "destination_not_found": fault.NoTarget, "destination_unavailable": fault.NoHealthyTarget,
	"destination_ip_prohibited": fault.AddressProhibited, "destination_ip_unroutable": fault.Unroutable, "connection_refused": fault.ConnectionRefused, "connection_terminated": fault.ClosedBeforeResponse,
	"connection_timeout": fault.ConnectTimeout, "connection_read_timeout": fault.IdleTimeout, "connection_write_timeout": fault.SendTimeout, "connection_limit_reached": fault.NoSlot,
	"tls_protocol_error": fault.TLSProtocolError, "tls_certificate_error": fault.TLSCertificateInvalid, "tls_alert_received": fault.TLSAlert, "http_request_error": fault.BadRequest,
	"http_request_denied": fault.AddressNotAllowed, "http_response_incomplete": fault.TruncatedBody, "http_response_header_section_size": fault.ResponseHeaderTooLarge, "http_response_header_size": fault.ResponseHeaderTooLarge,
	"http_response_body_size": fault.ResponseBodyTooLarge, "http_response_trailer_section_size": fault.ResponseHeaderTooLarge, "http_response_trailer_size": fault.ResponseHeaderTooLarge,
	"http_response_transfer_coding": fault.MalformedChunking, "http_response_content_coding": fault.MalformedResponse, "http_response_timeout": fault.FirstByteTimeout, "http_upgrade_failed": fault.UpgradeFailed,
	"http_protocol_error": fault.MalformedResponse, "proxy_internal_error": fault.GatewayBug, "proxy_loop_detected": fault.LoopDetected,
}

func kindOfType(t string) fault.Kind { return typeKinds[t] }

// member is one member of a Proxy-Status list.
type member struct {
	name  string
	param map[string]string
}

// members reads a list of RFC 8941 as far as Proxy-Status uses it, and leaves out what it can't read.
func members(s string) (list []member) {
	for len(s) > 0 && len(list) < 16 {
		var name string
		if name, s = item(strings.TrimLeft(s, " \t,")); name == "" {
			return list
		}
		m := member{name, map[string]string{}}
		for len(s) > 0 {
			if s = strings.TrimLeft(s, " \t"); s == "" || s[0] != ';' {
				break
			}
			key, rest := key(strings.TrimLeft(s[1:], " \t"))
			if key == "" {
				return append(list, m)
			}
			value := "?1"
			if strings.HasPrefix(rest, "=") {
				value, rest = item(rest[1:])
			}
			m.param[key], s = value, rest
		}
		if list = append(list, m); s != "" && s[0] != ',' {
			return list
		}
	}
	return list
}

// key is a parameter's name.
func key(s string) (name, rest string) {
	i := strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("_-.*", c))
	})
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// item is a token, a number or a string.
func item(s string) (value, rest string) {
	if s == "" || s[0] != '"' {
		i := strings.IndexAny(s, ";, \t")
		if i < 0 {
			return s, ""
		}
		return s[:i], s[i:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
