package exchanges

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Rule is a difference that has a reason. Document makes the table in docs/protocols.md of them.
type Rule struct {
	What string // what differs, for the documentation
	Why  string
	// Where and Fields say which differences the rule speaks of: "status", or "header via".
	Where  Where
	Fields []string
	// Exchanges are those in which it is so; nil for all.
	Exchanges []string
	// Holds looks at the values; nil where any will do.
	Holds func(d *Difference) bool
	// Road tells that it is so where the gateway calls the server over HTTP/2, and only there.
	Road bool
	// Racy tells that it depends on who is faster, so that it is not seen each time.
	Racy bool
}

// explains tells whether the rule is the reason of a difference.
func (r *Rule) explains(d *Difference) bool {
	return d.Where == r.Where && (d.Road || !r.Road) && slices.Contains(r.Fields, d.Field) &&
		(r.Exchanges == nil || slices.Contains(r.Exchanges, d.Exchange)) && (r.Holds == nil || r.Holds(d))
}

// Explain finds the rule for a difference, nil when it has no reason.
func Explain(rules []Rule, d *Difference) *Rule {
	for i := range rules {
		if rules[i].explains(d) {
			return &rules[i]
		}
	}
	return nil
}

// added tells that a field came in between, with a value of that form.
func added(form string) func(*Difference) bool {
	re := regexp.MustCompile(`^(?:` + form + `)$`)
	return func(d *Difference) bool { return d.Direct == "" && re.MatchString(d.Through) }
}

// becomes tells both values' forms.
func becomes(direct, through string) func(*Difference) bool {
	a, b := regexp.MustCompile(`^(?:`+direct+`)$`), regexp.MustCompile(`^(?:`+through+`)$`)
	return func(d *Difference) bool { return a.MatchString(d.Direct) && b.MatchString(d.Through) }
}

// goes tells that a field was left out.
func goes(d *Difference) bool { return d.Direct != "" && d.Through == "" }

// Rules are the differences that have a reason, in the order of the documentation.
func Rules() []Rule {
	return slices.Concat(requestRules(), answerRules(), http2Rules(), roadRules(), failureRules())
}

func requestRules() []Rule {
	return []Rule{
		{
			What: "`Host` is the target's", Why: "`upstream.host: target` is the default, as servers choose by it; `caller` passes the caller's",
			Where: InRequest, Fields: []string{"header host"}, Holds: becomes(`|\[SERVER\]`, `\[TARGET\]`),
		},
		{
			What: "`X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `Forwarded` are the gateway's", Why: "the server shall know who called, and how; what a caller says of itself is not believed unless it is a trusted proxy",
			Where: InRequest, Fields: []string{"header x-forwarded-for", "header x-forwarded-proto", "header x-forwarded-host", "header forwarded"},
			Holds: becomes(`|\[203\.0\.113\.9\]`, `\[(?:127\.0\.0\.1|https?|SERVER|for=127\.0\.0\.1(?:;host="SERVER")?;proto=https?)\]`),
		},
		{
			What: "a caller's `X-Real-IP` is left out", Why: "the same",
			Where: InRequest, Fields: []string{"header x-real-ip"}, Holds: goes,
		},
		{
			What: "`Via` has one more hop", Why: "RFC 9110 section 7.6.3; it is how a loop is found",
			Where: InRequest, Fields: []string{"header via"}, Holds: becomes(`|\[1\.1 edge\]`, `(?:\[1\.1 edge\])?\[(?:1\.[01]|2\.0|2) causeway-[0-9a-f]+\]`),
		},
		{
			What: "`traceparent` has another parent id, or is new", Why: "W3C Trace Context: each hop has an id of its own in the caller's trace",
			Where: InRequest, Fields: []string{"header traceparent"}, Holds: becomes(`|\[00-0af7651916cd43dd8448eb211c80319c-.*\]`, `\[00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\]`),
		},
		{
			What: "those that the gateway writes stand behind the caller's", Why: "a caller's `traceparent` and `X-Forwarded-For` are written anew at that place; all others keep theirs",
			Where: InRequest, Fields: []string{"order"}, Exchanges: []string{"tracing"}, Holds: sameBut(append([]string{"traceparent", "x-forwarded-for", "via"}, written...)...),
		},
		{
			What: "`Host` stands first, `Content-Length` and `Transfer-Encoding` last, in this spelling", Why: "the gateway writes them anew: they hold for its own connection and for the body that it sends",
			Where: InRequest, Fields: []string{"order", "names"}, Holds: sameBut(written...),
		},
		{
			What: "`Proxy-Authorization` is left out", Why: "it is meant for the next proxy, and that is the gateway (RFC 9110 section 11.7.2)",
			Where: InRequest, Fields: []string{"header proxy-authorization"}, Exchanges: []string{"proxy-credentials"}, Holds: goes,
		},
		{
			What: "`Connection` and what it names, `Keep-Alive`, `TE` and `Expect` are left out", Why: "they belong to the caller's connection (RFC 9110 section 7.6.1); the gateway itself asks the caller to go on when the guards have let the call through",
			Where: InRequest, Fields: []string{"header connection", "header keep-alive", "header te", "header x-mine", "header expect"}, Holds: goes,
		},
		{
			What: "the version is that of the upstream's connection", Why: "the two connections are two (RFC 9110 section 2.5)",
			Where: InRequest, Fields: []string{"version"}, Holds: becomes(`HTTP/(?:1\.0|2)`, `HTTP/1\.1`),
		},
		{
			What: "an upload ends when its answer is whole", Why: "so do many clients, by themselves; the caller is told by `Connection: close`",
			Where: InRequest, Fields: []string{"body"}, Exchanges: []string{"early-answer"},
			Holds: func(d *Difference) bool { return d.Direct == "broken off" || d.Through == "broken off" }, Racy: true,
		},
		{
			What: "the body comes although the server would have refused it before", Why: "the caller was asked to go on by the gateway, since `Expect` does not pass; the server's refusal passes as it is",
			Where: InRequest, Fields: []string{"body"}, Exchanges: []string{"continue-refused"},
		},
	}
}

func answerRules() []Rule {
	return []Rule{
		{
			What: "`Causeway-Call-Id` and `Causeway-Attempts` are added", Why: "the call's name for the log and for support, and how often servers were asked",
			Where: InAnswer, Fields: []string{"header causeway-call-id", "header causeway-attempts"}, Holds: added(`\[[0-9A-HJKMNP-TV-Z]{26}\]|\[1\]`),
		},
		{
			What: "`Causeway-Finding` is added to a failure that passes", Why: "what we read in the server's own failure",
			Where: InAnswer, Fields: []string{"header causeway-finding"}, Exchanges: []string{"503"}, Holds: added(`\[upstream_unavailable\]`),
		},
		{
			What: "`Date` is added where it is missing", Why: "RFC 9110 section 6.6.1 asks it of whoever keeps an answer or passes it on",
			Where: InAnswer, Fields: []string{"header date"}, Exchanges: []string{"no-date"}, Holds: added(`\[\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\]`),
		},
		{
			What: "`Connection` and what it names, such as `Upgrade`, and `Keep-Alive` are the gateway's", Why: "they belong to one connection: the server's close does not close the caller's, and the caller's not the server's",
			Where: InAnswer, Fields: []string{"header connection", "header keep-alive", "header upgrade", "header x-theirs"},
			Holds: func(d *Difference) bool { return goes(d) || d.Field == "header connection" && d.Through == "[close]" },
		},
		{
			What: "`Content-Length` and `Transfer-Encoding` stand last, in this spelling", Why: "the gateway writes them anew: they hold for the body that it sends",
			Where: InAnswer, Fields: []string{"order", "names"}, Holds: sameBut(written...),
		},
		{
			What: "a status without a reason phrase gets the registered one", Why: "some clients cannot read a status line without one; nobody may go by it (RFC 9112 section 4)",
			Where: InAnswer, Fields: []string{"reason"}, Exchanges: []string{"no-reason"}, Holds: becomes(``, `OK`),
		},
		{
			What: "an answer without a body has no `Transfer-Encoding`", Why: "there is nothing to frame (RFC 9112 section 6.1)",
			Where: InAnswer, Fields: []string{"header transfer-encoding", "framing"}, Exchanges: []string{"head-chunked"}, Holds: func(d *Difference) bool { return d.Through != "chunked" },
		},
		{
			What: "204 has no `Content-Length`", Why: "it must have none (RFC 9110 section 8.6)",
			Where: InAnswer, Fields: []string{"header content-length", "framing"}, Exchanges: []string{"204-length"}, Holds: func(d *Difference) bool { return d.Field == "framing" || goes(d) },
		},
		{
			What: "an answer that ends with its connection is chunked", Why: "so that its end can be told from a break, and the caller's connection is kept",
			Where: InAnswer, Fields: []string{"header transfer-encoding", "framing"}, Exchanges: []string{"until-close", "http10-server"}, Holds: becomes(`|close`, `\[?chunked\]?`),
		},
		{
			What: "the version is that of the caller's connection", Why: "the two connections are two",
			Where: InAnswer, Fields: []string{"version"}, Exchanges: []string{"http10-server"}, Holds: becomes(`HTTP/1\.0`, `HTTP/1\.1`),
		},
	}
}

func http2Rules() []Rule {
	return []Rule{
		{
			What: "an empty answer without a length has `Content-Length: 0`", Why: "its end is known when its head is sent",
			Where: InAnswer, Fields: []string{"header content-length"}, Exchanges: []string{"post-nothing-chunked"}, Holds: added(`\[0\]`),
		},
		{
			What: "curl 7.88 and httpx 0.23 may wait for their own time limit", Why: "after a whole answer the rest of an upload is stopped by RST_STREAM (NO_ERROR, RFC 9113 section 8.1); they wait in the same way before Go's net/http",
			Where: InAnswer, Fields: []string{"error", "status", "version"}, Exchanges: []string{"early-answer"}, Racy: true,
			Holds: func(d *Difference) bool {
				end := d.seen[1].Error
				return d.Column.HTTP2() && (d.Client == "curl" && end == "exit code 28" || d.Client == "httpx" && (end == "ReadTimeout" || end == "LocalProtocolError"))
			},
		},
	}
}

func roadRules() []Rule {
	return []Rule{
		{
			What: "the server is asked over HTTP/2", Why: "`upstream.protocol` says so; names are in lower case there, and their order means nothing",
			Where: InRequest, Fields: []string{"version"}, Road: true, Holds: becomes(`HTTP/1\.[01]`, `HTTP/2`),
		},
		{
			What: "the reason phrase is the registered one", Why: "HTTP/2 has none (RFC 9113 section 8.3.2)",
			Where: InAnswer, Fields: []string{"reason"}, Road: true, Holds: registered,
		},
		{
			What: "an empty answer whose end comes with its head has `Content-Length: 0`", Why: "it needs no chunk to say so",
			Where: InAnswer, Fields: []string{"framing", "header transfer-encoding"}, Exchanges: []string{"post-nothing-chunked"}, Road: true, Racy: true,
			Holds: func(d *Difference) bool { return value(d.seen[1].Headers, "Content-Length") == "0" },
		},
	}
}

// registered tells that a reason phrase is that of its status, or empty where there is none.
func registered(d *Difference) bool {
	return d.Through == http.StatusText(d.seen[1].Status) || d.Through == ""
}

func failureRules() []Rule {
	return []Rule{
		{
			What: "no answer, or one that breaks before any of it was sent on, is answered 502 with the reason", Why: "the caller can still be told what happened; a body with a length below 8 KiB is sent when all of it has come",
			Where: InAnswer, Fields: []string{"error", "status", "version"}, Exchanges: []string{"no-answer", "cut-short", "cut-chunked", "cut-long", "reset"},
			Holds: func(d *Difference) bool { return d.seen[1].Status == 502 && d.seen[1].Error == "" },
		},
		{
			What: "it is asked once", Why: "a browser sends a request again when a kept connection ended without an answer; the gateway gave it one",
			Where: InRequest, Fields: []string{"count"}, Exchanges: []string{"no-answer"}, Holds: becomes(`[2-9]`, `1`), Racy: true,
		},
		{
			What: "a reset in the middle of an answer becomes a close without its end", Why: "the caller's connection is another; either way its client sees that the answer is not whole",
			Where: InAnswer, Fields: []string{"error"}, Exchanges: []string{"reset"},
			Holds: func(d *Difference) bool { return d.Direct != "" && d.Through != "" },
		},
	}
}

// written are the fields that the gateway writes anew.
var written = []string{"host", "content-length", "transfer-encoding"}

// sameBut tells that the order, or the spelling, is the same when these names are left out.
func sameBut(names ...string) func(*Difference) bool {
	rest := func(s string) string {
		list := slices.DeleteFunc(strings.Fields(s), func(name string) bool { return slices.Contains(names, strings.ToLower(name)) })
		return strings.Join(list, " ")
	}
	return func(d *Difference) bool { return rest(d.Direct) == rest(d.Through) }
}
