package diagnose

import (
	"bytes"
	"strings"

	"causeway/internal/fault"
)

// Hop is the part of the road behind us that another proxy's error is about.
type Hop string

// The hops, nearest first.
const (
	// HopToProxy is our own request as the proxy got it: it refuses what we sent.
	HopToProxy Hop = "to_proxy"
	// HopProxy is the proxy itself: its rules, its limits, its configuration.
	HopProxy Hop = "proxy"
	// HopBehind is between the proxy and the server behind it, or that server.
	HopBehind Hop = "behind"
	// HopUnknown is where the answer does not say.
	HopUnknown Hop = ""
)

// Foreign is what another proxy's error says, translated. It is not changed once it is made.
type Foreign struct {
	Vendor string // "nginx", "Cloudflare": the program or service that made the answer
	// Mark is what gave the vendor away: a header field's lower-case name, or "" for its body.
	Mark string
	// Code is the vendor's own word for the failure: "521", "1016", "H12", "OriginTimeout", an RFC 9209 error
	// type, or a kind of another Causeway. "" where it has none.
	Code string
	// Says is what the answer means, in words that follow "vendor: "; "" when the vendor is all that is known.
	Says string
	Hop  Hop
	// Through is true when the answer came by way of the vendor, which may have made it or only passed it on.
	Through bool
	// Cause is the class of cause that the answer itself states, "" where it leaves that open.
	Cause fault.Cause
	// Key is the setting of the vendor's that decides, with its default, such as "proxy_read_timeout (60 s)";
	// "" where none does.
	Key string
	// Advice is where to look next, the vendor's own log or tool first. Never empty.
	Advice []string
}

// ReadForeign reads an answer of status 400 or above that another proxy has made in the place of the server
// behind it: whose it is, what it says, at which hop, and where to look. It returns nil for an answer that
// shows no such proxy, or whose status is below 400.
//
// It needs no more than what somebody can paste: header returns a field's value by its lower-case name ("" when
// absent) and may be nil; body is the answer's beginning, 1 KiB is enough, and may be empty; status may be 0 when
// it is not known, and is then taken from the body where that names one. It may be called concurrently. The marks
// and sentences come from the vendors' own sources and pages, named beside each table.
func ReadForeign(status int, header func(name string) string, body []byte) *Foreign {
	if header == nil {
		header = func(string) string { return "" }
	}
	if status == 0 {
		status = statusIn(body)
	}
	if status != 0 && status < 400 {
		return nil
	}
	a := &reply{status: status, header: header, body: body}
	f := a.vendor()
	if f == nil {
		return a.byProxyStatus()
	}
	a.saying(f)
	if f.Says == "" {
		// Most hops leave their mark on what they pass on as well. What looks like an application's own words
		// is not blamed on them.
		f.Says = generic[status]
		f.Through = f.Says == "" || !a.bare() || !signs(f.Mark, f.Vendor)
		if f.Hop = HopBehind; f.Through {
			f.Says, f.Hop = "", HopUnknown
		}
	}
	f.Advice = append(f.Advice, a.lookAt(f)...)
	return f
}

// bare tells whether the body holds nothing of an application's: it is empty, or a page.
func (a *reply) bare() bool {
	b := bytes.TrimSpace(a.body)
	return len(b) == 0 || b[0] == '<' && !bytes.Contains(b, []byte("<?xml"))
}

// signs tells whether a mark stands on answers that its vendor has made, rather than on all that pass by.
func signs(field, vendor string) bool {
	return field == "server" || vendor == "another Causeway" || field == "l5d-proxy-error" || field == "x-kong-response-latency"
}

// ForeignCode is what a vendor's code means by itself, for somebody who has nothing else: a Cloudflare status or
// 1xxx code ("522", "error 1016") or a Heroku H-code ("H12"). nil for any other.
func ForeignCode(code string) *Foreign {
	code = strings.ToUpper(strings.TrimSpace(code))
	code = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(code, "ERROR"), " CODE:"))
	for i := range codes {
		if c := &codes[i]; c.code == code {
			f := &Foreign{Vendor: c.vendor, Code: c.code, Says: c.says, Hop: c.hop, Cause: c.cause, Key: c.key}
			f.Advice = append(advised(c.advice), (&reply{}).lookAt(f)...)
			return f
		}
	}
	return nil
}

// reply is an answer while it is read.
type reply struct {
	status int
	header func(string) string
	body   []byte
}

// vendor finds whose answer it is by the first mark that fits; nil for none.
func (a *reply) vendor() *Foreign {
	for i := range vendors {
		v := &vendors[i]
		value := a.header(v.field)
		if value != "" && containsFold(value, v.contains) {
			return &Foreign{Vendor: v.name, Mark: v.field}
		}
	}
	for i := range sayings {
		s := &sayings[i]
		if s.vendor != "" && s.names && s.fits(a) {
			return &Foreign{Vendor: s.vendor, Mark: s.field}
		}
	}
	return nil
}

// saying finds what the answer says in its vendor's own words.
func (a *reply) saying(f *Foreign) {
	if f.Vendor == "another Causeway" {
		a.causeway(f)
		return
	}
	if f.Vendor == "Linkerd" {
		f.Says, f.Hop = "it says "+quote([]byte(a.header("l5d-proxy-error")), quoteLimit), HopBehind
	}
	if f.Vendor == "Cloudflare" || f.Vendor == "Heroku's router" {
		if c := a.code(f.Vendor); c != nil {
			f.Code, f.Says, f.Hop, f.Cause, f.Key = c.code, c.says, c.hop, c.cause, c.key
			f.Advice = advised(c.advice)
			return
		}
	}
	for i := range sayings {
		s := &sayings[i]
		if !sameVendor(s.vendor, f.Vendor) || !s.fits(a) {
			continue
		}
		f.Code, f.Hop, f.Cause, f.Key = s.code, s.hop, s.cause, s.key
		f.Advice = advised(s.advice)
		if f.Vendor != "Linkerd" {
			f.Says = s.says
		}
		if f.Vendor == "Envoy" || f.Vendor == "Envoy (Istio)" {
			if reason := after(a.body, "reset reason: "); reason != "" {
				f.Says += " (" + reason + ")"
			}
		}
		return
	}
}

// code is the row of a vendor's code: Cloudflare's 1xxx stands in the body, its 52x is the status, and Heroku's
// is in the body of a page that was pasted with its log line.
func (a *reply) code(vendor string) *codeRow {
	for i := range codes {
		c := &codes[i]
		if c.vendor != vendor {
			continue
		}
		for _, form := range c.forms {
			if bytes.Contains(a.body, []byte(form)) {
				return c
			}
		}
	}
	for i := range codes {
		if c := &codes[i]; c.vendor == vendor && c.status != 0 && c.status == a.status {
			return c
		}
	}
	return nil
}

// causeway reads the answer of another gateway of our own kind: its problem body, or its Proxy-Status. An answer
// that it only passed on is from further behind, and it names what it read in it.
func (a *reply) causeway(f *Foreign) {
	if kind := a.header("causeway-finding"); kind != "" {
		f.Code, f.Hop = kind, HopBehind
		f.Says = "it passed on an answer of the server behind it, in which it read " + clip(kind, quoteLimit)
		if e := fault.Lookup(fault.Kind(kind)); e != nil {
			f.Cause = e.Cause
		}
		return
	}
	kind := jsonWord(a.body, "kind")
	if kind == "" {
		if _, params := proxyStatus(a.header("proxy-status")); params != "" {
			f.Code = params
			f.Says, f.Hop = "it says "+clip(params, quoteLimit)+" (RFC 9209)", HopBehind
		}
		return
	}
	f.Code, f.Hop = kind, HopBehind
	e := fault.Lookup(fault.Kind(kind))
	if e == nil {
		f.Says = "it says " + clip(kind, quoteLimit)
		return
	}
	f.Says, f.Cause = "it says "+kind+": "+lowerFirst(e.Title), e.Cause
	switch e.At {
	case fault.AtCaller:
		f.Hop = HopToProxy
	case fault.AtGateway:
		f.Hop = HopProxy
	}
}

// byProxyStatus reads the field that any proxy may send (RFC 9209), nil where there is none with an error.
func (a *reply) byProxyStatus() *Foreign {
	name, kind := proxyStatus(a.header("proxy-status"))
	if name == "" || kind == "" {
		return nil
	}
	f := &Foreign{Vendor: "the proxy " + clip(name, 64), Mark: "proxy-status", Code: kind, Hop: HopBehind}
	f.Says = "it says " + clip(kind, quoteLimit) + " (RFC 9209)"
	f.Advice = []string{"Look in the log of " + f.Vendor + " at the time of this call: it made the answer, and names the failure " + clip(kind, quoteLimit) + "."}
	return f
}

// lookAt is the advice that ends every translation: in whose log the truth is, and under what.
func (a *reply) lookAt(f *Foreign) []string {
	for i := range lookers {
		l := &lookers[i]
		if !sameVendor(l.vendor, f.Vendor) {
			continue
		}
		line := strings.ReplaceAll(l.where, "{status}", statusWord(a.status))
		if f.Through {
			line = strings.Replace(line, "came from ", "came by way of ", 1) + " It may also be the server behind it that said so."
		}
		if id := a.mark(l.id); id != "" {
			line += " Its own id of this call is " + id + "."
		}
		return []string{line}
	}
	return []string{"Look in the log of " + f.Vendor + " at the time of this call: it made this answer, not the server behind it."}
}

// mark is the value of an id field, quoted; "" where the answer has none.
func (a *reply) mark(field string) string {
	if field == "" || a.header == nil {
		return ""
	}
	v := a.header(field)
	if v == "" {
		return ""
	}
	return clip(v, 80)
}

// fits tells whether a row is about this answer.
func (s *sayingRow) fits(a *reply) bool {
	if s.status != 0 && a.status != 0 && s.status != a.status {
		return false
	}
	if s.field != "" {
		v := a.header(s.field)
		return v != "" && containsFold(v, s.contains)
	}
	return s.contains != "" && bytes.Contains(a.body, []byte(s.contains))
}

// sameVendor compares without what stands in brackets: OpenResty is nginx, Istio is Envoy.
func sameVendor(row, name string) bool {
	return row == name ||
		row == "nginx" && (name == "OpenResty (nginx)" || name == "Tengine (nginx)" || name == "Kong" || name == "Apache APISIX") ||
		row == "Envoy" && (name == "Envoy (Istio)" || name == "a Google load balancer")
}

func advised(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func containsFold(s, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// after is what follows a mark up to the end of its line or its element, printable and short.
func after(body []byte, mark string) string {
	_, rest, ok := bytes.Cut(body, []byte(mark))
	if !ok {
		return ""
	}
	if i := bytes.IndexAny(rest, "\r\n<"); i >= 0 {
		rest = rest[:i]
	}
	return strings.Trim(quote(bytes.TrimSpace(rest), quoteLimit), `"`)
}

// jsonWord is the value of a string member whose value is one plain word; "" for anything else.
func jsonWord(body []byte, member string) string {
	_, rest, ok := bytes.Cut(body, []byte(`"`+member+`"`))
	if !ok {
		return ""
	}
	rest = bytes.TrimLeft(rest, ": \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return ""
	}
	word, _, ok := bytes.Cut(rest[1:], []byte(`"`))
	if !ok || len(word) > 64 || !plainWord(word) {
		return ""
	}
	return string(word)
}

func plainWord(b []byte) bool {
	for _, c := range b {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(b) > 0
}

// proxyStatus is the first member of the field, which is the proxy nearest to the origin, that names an error.
func proxyStatus(value string) (name, kind string) {
	for member := range strings.SplitSeq(value, ",") {
		name, params, _ := strings.Cut(member, ";")
		for p := range strings.SplitSeq(params, ";") {
			if k, v, _ := strings.Cut(strings.TrimSpace(p), "="); k == "error" && plainWord([]byte(v)) {
				return strings.Trim(strings.TrimSpace(name), `"`), v
			}
		}
	}
	return "", ""
}

// statusIn is the status that a page names, such as "<title>502 Bad Gateway</title>"; 0 for none.
func statusIn(body []byte) int {
	for _, mark := range []string{"<title>", "<h1>", "<TITLE>", "HTTP/1.1 ", "HTTP/2 ", "Error "} {
		_, rest, ok := bytes.Cut(body, []byte(mark))
		if !ok || len(rest) < 3 {
			continue
		}
		n := 0
		for _, c := range rest[:3] {
			if c < '0' || c > '9' {
				n = 0
				break
			}
			n = n*10 + int(c-'0')
		}
		if n >= 400 && n <= 599 && (len(rest) == 3 || rest[3] < '0' || rest[3] > '9') {
			return n
		}
	}
	return 0
}
