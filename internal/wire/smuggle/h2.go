package smuggle

import (
	"fmt"
	"slices"
	"strings"
)

// H2Case is one request over HTTP/2 that could become another one, or two, where it is told to an
// upstream in the words of HTTP/1.1 (RFC 9113 section 10.3). It is sent on a stream of its own
// connection by Send.
type H2Case struct {
	Name string // unique, "h2/path/CRLF"
	Rule string // the rule it is made from, "RFC 9113 8.2.1"
	// Fields are names and values, in turn and in their order, the pseudo-fields among them.
	Fields []string
	Body   []string // DATA frames
	// Trailer are names and values like Fields; with them the stream ends.
	Trailer []string
	Verdict Verdict
	// Sees are the targets that an upstream may see: one for MustServe, none or one otherwise.
	Sees []string
}

// Check is Case.Check for a request over HTTP/2.
func (c H2Case) Check(seen []string) error {
	return Case{Name: c.Name, Rule: c.Rule, Verdict: c.Verdict, Sees: c.Sees}.Check(seen)
}

// field returns the last value of a field.
func (c H2Case) field(name string) (value string) {
	for i := 0; i < len(c.Fields); i += 2 {
		if c.Fields[i] == name {
			value = c.Fields[i+1]
		}
	}
	return value
}

// IsHead tells whether the answer to it has no body.
func (c H2Case) IsHead() bool { return c.field(":method") == "HEAD" }

// H2Cases returns the corpus of HTTP/2, in a fixed order. Every call makes it anew.
func H2Cases() []H2Case {
	return slices.Concat(
		h2Pseudo(), h2Authority(), h2Names(), h2Values(), h2Connection(), h2Lengths(), h2Bodies(), h2Trailers(), h2Methods(),
	)
}

// h2Request is a lawful GET with other values for some pseudo-fields ("" leaves one out) and more fields.
func h2Request(pseudo map[string]string, more ...string) []string {
	var fields []string
	for _, p := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", Host}, {":path", First}} {
		v, given := pseudo[p[0]]
		switch {
		case !given:
			fields = append(fields, p[0], p[1])
		case v != "":
			fields = append(fields, p[0], v)
		}
	}
	return append(fields, more...)
}

func with(name, value string) map[string]string { return map[string]string{name: value} }

// h2Row is a row of a family of cases that have no body.
type h2Row struct {
	name    string
	fields  []string
	verdict Verdict
	sees    []string
}

func h2Family(prefix, rule string, rows []h2Row) (cases []H2Case) {
	for _, r := range rows {
		cases = append(cases, H2Case{Name: "h2/" + prefix + "/" + r.name, Rule: rule, Fields: r.fields, Verdict: r.verdict, Sees: r.sees})
	}
	return cases
}

// injected ends one request line and begins another.
const injected = " HTTP/1.1\r\nHost: " + Host + "\r\n\r\nGET " + Canary

func h2Pseudo() []H2Case {
	path := func(v string) []string { return h2Request(with(":path", v)) }
	method := func(v string) []string { return h2Request(with(":method", v)) }
	return slices.Concat(
		h2Family("path", "RFC 9113 8.3.1", []h2Row{
			{"as it is", path(First), MustServe, one},
			{"a second request", path(First + injected), MustRefuse, nothing},
			{"CRLF", path(First + "\r\nX-Evil: 1"), MustRefuse, nothing},
			{"LF", path(First + "\nX-Evil: 1"), MustRefuse, nothing},
			{"CR", path(First + "\rX-Evil: 1"), MustRefuse, nothing},
			{"NUL", path(First + "\x00"), MustRefuse, nothing},
			{"DEL", path(First + "\x7f"), MustRefuse, nothing},
			{"a space", path(First + " " + Canary), MustRefuse, nothing},
			{"a version", path(First + " HTTP/1.1"), MustRefuse, nothing},
			{"a space before", path(" " + First), MustRefuse, nothing},
			{"a space behind", path(First + " "), MustRefuse, nothing},
			{"a tab", path(First + "\tx"), MustRefuse, nothing},
			{"a space in the query", path(First + "?a= b"), MustRefuse, nothing},
			{"CRLF in the query", path(First + "?a=\r\n"), MustRefuse, nothing},
			{"a fragment", path(First + "#" + Canary), MustRefuse, nothing},
			{"no slash", path("first"), MustRefuse, nothing},
			{"an absolute URL", path("http://other.test" + Canary), MustRefuse, nothing},
			{"an authority", path("other.test:443"), MustRefuse, nothing},
			{"half an escape", path(First + "%2"), MustRefuse, nothing},
			{"an escape of no digits", path(First + "%zz"), MustRefuse, nothing},
			{"an asterisk", path("*"), MustRefuse, nothing},
			{"missing", h2Request(with(":path", "")), MustRefuse, nothing},
			{"empty", append(h2Request(with(":path", "")), ":path", ""), MustRefuse, nothing},
			{"twice", append(h2Request(nil), ":path", Canary), MustRefuse, nothing},
			{"two slashes", path("//other.test" + First), MayRefuse, []string{"//other.test" + First}},
			{"escaped CRLF", path(First + "%0d%0aX:1"), MayRefuse, []string{First + "%0d%0aX:1"}},
			{"a query", path(First + "?a=b&c=%0d%0a"), MustServe, []string{First + "?a=b&c=%0d%0a"}},
		}),
		h2Family("method", "RFC 9113 8.3.1", []h2Row{
			{"a request line", method("GET " + Canary + " HTTP/1.1\r\nX-A:"), MustRefuse, nothing},
			{"a target", method("GET " + Canary), MustRefuse, nothing},
			{"CRLF", method("GET\r\n"), MustRefuse, nothing},
			{"LF", method("GET\n"), MustRefuse, nothing},
			{"NUL", method("G\x00T"), MustRefuse, nothing},
			{"a space", method("GET "), MustRefuse, nothing},
			{"a space before", method(" GET"), MustRefuse, nothing},
			{"a tab", method("GET\t"), MustRefuse, nothing},
			{"a colon", method("GET:"), MustRefuse, nothing},
			{"a slash", method("GET/"), MustRefuse, nothing},
			{"a Latin-1 letter", method("G\xcaT"), MustRefuse, nothing},
			{"missing", h2Request(with(":method", "")), MustRefuse, nothing},
			{"empty", append(h2Request(with(":method", "")), ":method", ""), MustRefuse, nothing},
			{"twice", append(h2Request(nil), ":method", "DELETE"), MustRefuse, nothing},
		}),
		h2Family("scheme", "RFC 9113 8.3.1", []h2Row{
			{"CRLF", h2Request(with(":scheme", "http\r\nX-Evil: 1")), MustRefuse, nothing},
			{"a URL", h2Request(with(":scheme", "http://other.test/?")), MustRefuse, nothing},
			{"another", h2Request(with(":scheme", "ftp")), MustRefuse, nothing},
			{"missing", h2Request(with(":scheme", "")), MustRefuse, nothing},
			{"twice", append(h2Request(nil), ":scheme", "https"), MustRefuse, nothing},
		}),
		h2Family("pseudo", "RFC 9113 8.3", []h2Row{
			{"unknown", append(h2Request(nil), ":evil", "1"), MustRefuse, nothing},
			{"an answer's", append(h2Request(nil), ":status", "200"), MustRefuse, nothing},
			{"behind a field", []string{":method", "GET", ":scheme", "http", ":authority", Host, "x-a", "b", ":path", First}, MustRefuse, nothing},
			{"in capitals", append(h2Request(with(":path", "")), ":Path", First), MustRefuse, nothing},
			{":protocol without CONNECT", append(h2Request(nil), ":protocol", "websocket"), MustRefuse, nothing},
			{":host", append(h2Request(nil), ":host", "other.test"), MustRefuse, nothing},
		}),
	)
}

func h2Authority() []H2Case {
	authority := func(v string) []string { return h2Request(with(":authority", v)) }
	none := with(":authority", "")
	return h2Family("authority", "RFC 9113 8.3.1", []h2Row{
		{"a port", authority(Host + ":8080"), MustServe, one},
		{"Host alone", h2Request(none, "host", Host), MustServe, one},
		{"Host beside it, the same", h2Request(nil, "host", Host), MustServe, one},
		{"Host beside it, another", h2Request(nil, "host", "other.test"), MustRefuse, nothing},
		{"Host beside it, with a port", h2Request(nil, "host", Host+":81"), MustRefuse, nothing},
		{"Host twice", h2Request(none, "host", Host, "host", Host), MustRefuse, nothing},
		{"Host twice, and another", h2Request(nil, "host", Host, "host", "other.test"), MustRefuse, nothing},
		{"Host with CRLF", h2Request(none, "host", Host+"\r\nX-Evil: 1"), MustRefuse, nothing},
		{"missing, and Host", h2Request(none), MustRefuse, nothing},
		{"empty", append(h2Request(none), ":authority", ""), MustRefuse, nothing},
		{"twice", append(h2Request(nil), ":authority", "other.test"), MustRefuse, nothing},
		{"CRLF", authority(Host + "\r\nX-Evil: 1"), MustRefuse, nothing},
		{"a second request", authority(Host + "\r\n\r\nGET " + Canary + " HTTP/1.1\r\nHost: " + Host), MustRefuse, nothing},
		{"LF", authority(Host + "\nX-Evil: 1"), MustRefuse, nothing},
		{"NUL", authority(Host + "\x00"), MustRefuse, nothing},
		{"a space", authority(Host + " other.test"), MustRefuse, nothing},
		{"a user", authority("user@" + Host), MustRefuse, nothing},
		{"a path", authority(Host + "/evil"), MustRefuse, nothing},
		{"a query", authority(Host + "?evil"), MustRefuse, nothing},
		{"a scheme", authority("http://" + Host), MustRefuse, nothing},
		{"a list", authority(Host + ",other.test"), MayRefuse, one},
		{"a port of letters", authority(Host + ":http"), MustRefuse, nothing},
		{"two ports", authority(Host + ":80:81"), MustRefuse, nothing},
		{"a backslash", authority(`gateway.test\other.test`), MustRefuse, nothing},
	})
}

func h2Names() []H2Case {
	name := func(n string) []string { return h2Request(nil, n, "b") }
	return h2Family("name", "RFC 9113 8.2.1", []h2Row{
		{"as it is", name("x-a"), MustServe, one},
		{"a capital", name("X-A"), MustRefuse, nothing},
		{"capitals that frame", h2Request(nil, "Content-Length", "5"), MustRefuse, nothing},
		{"a space", name("x a"), MustRefuse, nothing},
		{"a space behind", h2Request(nil, "content-length ", "5"), MustRefuse, nothing},
		{"a colon", name("x-a:"), MustRefuse, nothing},
		{"a field in it", name("x-a: b\r\ntransfer-encoding"), MustRefuse, nothing},
		{"CRLF", name("x-a\r\n"), MustRefuse, nothing},
		{"LF before", name("\nx-a"), MustRefuse, nothing},
		{"NUL", name("x-\x00a"), MustRefuse, nothing},
		{"empty", name(""), MustRefuse, nothing},
		{"a Latin-1 letter", name("x-\xe4"), MustRefuse, nothing},
		{"a request", name("x-a: b\r\n\r\nget " + Canary + " http/1.1\r\nx-b"), MustRefuse, nothing},
	})
}

func h2Values() []H2Case {
	value := func(v string) []string { return h2Request(nil, "x-a", v) }
	return h2Family("value", "RFC 9113 8.2.1", []h2Row{
		{"a tab inside", value("b\tc"), MustServe, one},
		{"empty", value(""), MustServe, one},
		{"Latin-1", value("caf\xe9"), MustServe, one},
		{"a field", value("b\r\nX-Evil: 1"), MustRefuse, nothing},
		{"a field by LF", value("b\nX-Evil: 1"), MustRefuse, nothing},
		{"a field by CR", value("b\rX-Evil: 1"), MustRefuse, nothing},
		{"a request", value("b" + "\r\n\r\nGET " + Canary + " HTTP/1.1\r\nHost: " + Host + "\r\n\r\n"), MustRefuse, nothing},
		{"a fold", value("b\r\n c"), MustRefuse, nothing},
		{"NUL", value("b\x00c"), MustRefuse, nothing},
		{"another control byte", value("b\x01c"), MustRefuse, nothing},
		{"DEL", value("b\x7fc"), MustRefuse, nothing},
		{"a space before", value(" b"), MustRefuse, nothing},
		{"a tab behind", value("b\t"), MustRefuse, nothing},
		{"CRLF in a cookie", h2Request(nil, "cookie", "a=1", "cookie", "b=2\r\nX-Evil: 1"), MustRefuse, nothing},
		{"cookies in crumbs", h2Request(nil, "cookie", "a=1", "cookie", "b=2"), MustServe, one},
	})
}

func h2Connection() []H2Case {
	field := func(n, v string) []string { return h2Request(nil, n, v) }
	return h2Family("connection", "RFC 9113 8.2.2", []h2Row{
		{"Transfer-Encoding", field("transfer-encoding", "chunked"), MustRefuse, nothing},
		{"Transfer-Encoding of nothing", field("transfer-encoding", "identity"), MustRefuse, nothing},
		{"Transfer-Encoding, empty", field("transfer-encoding", ""), MustRefuse, nothing},
		{"Connection", field("connection", "close"), MustRefuse, nothing},
		{"Connection that names a field", h2Request(nil, "connection", "x-forwarded-for"), MustRefuse, nothing},
		{"Keep-Alive", field("keep-alive", "timeout=5"), MustRefuse, nothing},
		{"Proxy-Connection", field("proxy-connection", "keep-alive"), MustRefuse, nothing},
		{"Upgrade", field("upgrade", "websocket"), MustRefuse, nothing},
		{"Upgrade to h2c", field("upgrade", "h2c"), MustRefuse, nothing},
		{"TE: trailers", field("te", "trailers"), MustServe, one},
		{"TE: gzip", field("te", "gzip"), MustRefuse, nothing},
		{"TE: trailers, chunked", field("te", "trailers, chunked"), MustRefuse, nothing},
		{"Expect of something", field("expect", "200-ok"), MustRefuse, nothing},
	})
}

func h2Lengths() (cases []H2Case) {
	post := with(":method", "POST")
	for _, r := range []struct {
		name    string
		length  []string
		body    []string
		verdict Verdict
	}{
		{"equal", []string{"5"}, []string{"hello"}, MustServe},
		{"equal, in pieces", []string{"5"}, []string{"he", "", "llo"}, MustServe},
		{"0", []string{"0"}, nil, MustServe},
		{"0, and an empty frame", []string{"0"}, []string{""}, MustServe},
		{"less than there is", []string{"5"}, []string{"hello" + hidden}, MustRefuse},
		{"less than there is, by frames", []string{"5"}, []string{"hello", hidden}, MustRefuse},
		{"0, and a request", []string{"0"}, []string{hidden}, MustRefuse},
		{"more than there is", []string{"50"}, []string{"hello"}, MustRefuse},
		{"more than nothing", []string{"5"}, nil, MustRefuse},
		{"more than an empty frame", []string{"5"}, []string{""}, MustRefuse},
		{"twice the same", []string{"5", "5"}, []string{"hello"}, MustRefuse},
		{"twice, the first right", []string{"5", "50"}, []string{"hello"}, MustRefuse},
		{"twice, the second right", []string{"50", "5"}, []string{"hello"}, MustRefuse},
		{"a list", []string{"5, 5"}, []string{"hello"}, MustRefuse},
		{"a plus", []string{"+5"}, []string{"hello"}, MustRefuse},
		{"a minus", []string{"-5"}, []string{"hello"}, MustRefuse},
		{"hexadecimal", []string{"0x5"}, []string{"hello"}, MustRefuse},
		{"a space before", []string{" 5"}, []string{"hello"}, MustRefuse},
		{"a space behind", []string{"5 "}, []string{"hello"}, MustRefuse},
		{"a letter", []string{"5a"}, []string{"hello"}, MustRefuse},
		{"empty", []string{""}, []string{"hello"}, MustRefuse},
		{"above every number", []string{"99999999999999999999"}, []string{"hello"}, MustRefuse},
		{"CRLF", []string{"5\r\nTransfer-Encoding: chunked"}, []string{"hello"}, MustRefuse},
	} {
		c := H2Case{Name: "h2/length/" + r.name, Rule: "RFC 9113 8.1.1", Fields: h2Request(post), Body: r.body, Verdict: r.verdict, Sees: nothing}
		for _, l := range r.length {
			c.Fields = append(c.Fields, "content-length", l)
		}
		if r.verdict != MustRefuse {
			c.Sees = one
		}
		cases = append(cases, c)
	}
	return cases
}

func h2Bodies() (cases []H2Case) {
	post := with(":method", "POST")
	for _, r := range []struct {
		name   string
		fields []string
		body   []string
	}{
		{"of unknown length", nil, []string{"hello"}},
		{"a request", nil, []string{hidden}},
		{"the last chunk and a request", nil, []string{"0\r\n\r\n" + hidden}},
		{"a chunk", nil, []string{"5\r\nhello\r\n0\r\n\r\n"}},
		{"a request, with its length", []string{"content-length", fmt.Sprint(len(hidden))}, []string{hidden}},
		{"a request in pieces", nil, strings.SplitAfter(hidden, "\r\n")},
		{"100-continue", []string{"expect", "100-continue"}, []string{"hello"}},
	} {
		cases = append(cases, H2Case{Name: "h2/body/" + r.name, Rule: "RFC 9113 8.1", Fields: h2Request(post, r.fields...), Body: r.body, Verdict: MustServe, Sees: one})
	}
	cases = append(cases, H2Case{
		Name: "h2/body/Transfer-Encoding, the last chunk and a request", Rule: "RFC 9113 8.2.2",
		Fields: h2Request(post, "transfer-encoding", "chunked"), Body: []string{"0\r\n\r\n" + hidden}, Verdict: MustRefuse, Sees: nothing,
	}, H2Case{
		Name: "h2/body/Transfer-Encoding beside Content-Length", Rule: "RFC 9113 8.2.2",
		Fields: h2Request(post, "content-length", "5", "transfer-encoding", "chunked"), Body: []string{"0\r\n\r\n"}, Verdict: MustRefuse, Sees: nothing,
	})
	return cases
}

func h2Trailers() (cases []H2Case) {
	post := with(":method", "POST")
	for _, r := range []struct {
		name     string
		announce string
		trailer  []string
		verdict  Verdict
	}{
		{"a field", "x-sum", []string{"x-sum", "1"}, MustServe},
		{"not announced", "", []string{"x-sum", "1"}, MustServe},
		{"CRLF", "x-sum", []string{"x-sum", "1\r\n\r\n" + hidden}, MustRefuse},
		{"a capital", "x-sum", []string{"X-Sum", "1"}, MustRefuse},
		{"a pseudo-field", "", []string{":path", Canary}, MustRefuse},
		{"Content-Length", "content-length", []string{"content-length", "50"}, MayRefuse},
		{"Transfer-Encoding", "transfer-encoding", []string{"transfer-encoding", "chunked"}, MayRefuse},
		{"Host", "host", []string{"host", "other.test"}, MayRefuse},
		{"Authorization", "authorization", []string{"authorization", "Bearer x"}, MayRefuse},
		{"a name with CRLF", "x-sum", []string{"x-sum\r\nx-evil", "1"}, MustRefuse},
	} {
		c := H2Case{Name: "h2/trailer/" + r.name, Rule: "RFC 9113 8.1", Fields: h2Request(post), Body: []string{"hello"}, Trailer: r.trailer, Verdict: r.verdict, Sees: nothing}
		if r.announce != "" {
			c.Fields = append(c.Fields, "trailer", r.announce)
		}
		if r.verdict != MustRefuse {
			c.Sees = one
		}
		cases = append(cases, c)
	}
	return cases
}

func h2Methods() []H2Case {
	connect := []string{":method", "CONNECT", ":authority", "other.test:443"}
	return slices.Concat(
		h2Family("method", "RFC 9110 9", []h2Row{
			{"HEAD", h2Request(with(":method", "HEAD")), MustServe, one},
			{"DELETE", h2Request(with(":method", "DELETE")), MustServe, one},
			{"OPTIONS", h2Request(with(":method", "OPTIONS")), MustServe, one},
			{"in small letters", h2Request(with(":method", "get")), MayRefuse, one},
		}),
		h2Family("CONNECT", "RFC 9113 8.5", []h2Row{
			{"as it is", connect, MustRefuse, nothing},
			{"with a path", append(slices.Clone(connect), ":path", First, ":scheme", "http"), MustRefuse, nothing},
			{"without an authority", []string{":method", "CONNECT"}, MustRefuse, nothing},
			{"CRLF", []string{":method", "CONNECT", ":authority", "other.test\r\n\r\n" + hidden}, MustRefuse, nothing},
		}),
	)
}
