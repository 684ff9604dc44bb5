package diagnose

import (
	"bytes"
	"fmt"
	"strings"

	"causeway/internal/fault"
)

// Passed is the kind read in the status of an upstream's own complete answer, "" for an answer
// that says no failure. h returns a header field's value by its lower-case name; it is asked only
// for statuses that mean something else from vendor to vendor, and may be nil. It runs on every
// good call and allocates nothing.
func Passed(status int, h func(name string) string) fault.Kind {
	if status < 429 {
		return ""
	}
	switch status {
	case 429:
		return fault.UpstreamRateLimited
	case 500:
		return fault.UpstreamError
	case 502:
		return fault.UpstreamBadGateway
	case 503:
		return fault.UpstreamUnavailable
	case 504:
		return fault.UpstreamTimeout
	}
	if status >= 520 && status <= 530 && h != nil && h("cf-ray") != "" {
		if status == 522 || status == 524 {
			return fault.UpstreamTimeout
		}
		return fault.UpstreamBadGateway
	}
	if status > 505 && status < 600 { // 501 and 505 say that the request was at fault
		return fault.UpstreamError
	}
	return ""
}

// plainToTLS are the sentences with which servers say that HTTP came to their HTTPS port: nginx,
// Go's net/http, Apache httpd, Tomcat.
var plainToTLS = []string{
	"The plain HTTP request was sent to HTTPS port",
	"Client sent an HTTP request to an HTTPS server.",
	"You're speaking plain HTTP to an SSL-enabled server port.",
	"This combination of host and port requires TLS.",
}

// SaysPlainToTLS says whether an upstream's answer to a plain HTTP request complains that its
// port wants TLS: fault.PlainToTLSPort, in an answer that is passed on. body is its beginning.
func SaysPlainToTLS(status int, body []byte) bool {
	if status != 400 {
		return false
	}
	for _, s := range plainToTLS {
		if bytes.Contains(body, []byte(s)) {
			return true
		}
	}
	return false
}

// nested is the other proxy that made an answer, nil when nothing tells of one. It is looked for where an answer
// says that something is wrong on the server's side; below that an application says more than the hop before it.
func nested(a *Answer) *Foreign {
	if a == nil || a.Status < 500 && a.Status != 429 {
		return nil
	}
	f := ReadForeign(a.Status, a.Header, a.Body)
	if f != nil && a.Status == 429 && (f.Through || f.Says == "") {
		return nil // most limits are an application's own
	}
	if f != nil && f.Through && a.Status == 500 {
		return nil // an application's own, whoever handed it on
	}
	return f
}

// traces are the marks of an application's own stack trace.
var traces = []struct{ contains, what string }{
	{"Traceback (most recent call last)", "a Python traceback"},
	{"goroutine 1 [", "a Go panic"},
	{" [running]:", "a Go panic"},
	{"panic: ", "a Go panic"},
	{"Exception in thread", "a Java exception"},
	{"java.lang.", "a Java exception"},
	{".java:", "a Java exception"},
	{"java.sql.", "a Java exception"},
	{"at Object.<anonymous>", "a Node.js stack"},
	{".js:", "a Node.js stack"},
	{"Fatal error: Uncaught", "a PHP error"},
	{"Fatal error</b>", "a PHP error"},
	{"PHP Fatal error", "a PHP error"},
	{"ActionController::", "a Rails exception"},
	{"System.NullReferenceException", "a .NET exception"},
	{".cs:line ", "a .NET exception"},
	{"   at System.", "a .NET exception"},
}

// exception is the class of the first exception that a body names, such as KeyError or
// java.lang.NullPointerException; "" for none. What the exception says is left out: it may hold anything.
func exception(body []byte) string {
	for i := 0; i < len(body); {
		if !classByte(body[i]) {
			i++
			continue
		}
		end := i
		for end < len(body) && classByte(body[end]) {
			end++
		}
		word := string(bytes.Trim(body[i:end], "."))
		i = end
		last := word[strings.LastIndexByte(word, '.')+1:]
		for _, suffix := range [...]string{"Exception", "Error"} {
			if len(last) > len(suffix) && len(word) <= 80 && last[0] >= 'A' && last[0] <= 'Z' && strings.HasSuffix(last, suffix) {
				return word
			}
		}
	}
	return ""
}

func classByte(c byte) bool {
	return c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// answerEvidence tells what an upstream's own answer shows, for the full view. A body is named,
// never quoted.
func answerEvidence(a *Answer) []string {
	if a == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("the upstream sent a complete answer with status %d", a.Status)}
	lines = append(lines, rpcEvidence(a.RPC)...)
	if p := nested(a); p != nil {
		by := "its body"
		if p.Mark != "" {
			by = "its header " + p.Mark + ": " + quote([]byte(a.header(p.Mark)), quoteLimit)
		}
		how := "was made by "
		if p.Through {
			how = "came by way of "
		}
		line := "the answer " + how + p.Vendor + " (" + by + ")"
		if p.Says != "" {
			line += ": " + p.Says
		}
		if p.Key != "" {
			line += "; its setting: " + p.Key
		}
		lines = append(lines, line)
	} else if s := a.header("server"); s != "" {
		lines = append(lines, "Server: "+quote([]byte(s), quoteLimit))
	}
	for _, name := range []string{"proxy-status", "retry-after"} {
		if v := a.header(name); v != "" {
			lines = append(lines, name+": "+quote([]byte(v), quoteLimit))
		}
	}
	for _, t := range traces {
		if bytes.Contains(a.Body, []byte(t.contains)) {
			line := "its body looks like " + t.what
			if name := exception(a.Body); name != "" {
				line += " (" + name + ")"
			}
			lines = append(lines, line)
			break
		}
	}
	return lines
}
