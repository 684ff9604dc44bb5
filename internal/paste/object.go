package paste

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
)

// mostObjects, mostTries and mostPython bound the work on a text full of braces.
const (
	mostObjects = 4
	mostTries   = 64
	mostPython  = 64 << 10 // bytes of a dict
)

// objects finds JSON objects in a text, Python's form of them as well, and reads those that are errors.
func (r *reader) objects(text []byte, h *head) {
	found := 0
	for i, tries := 0, 0; i < len(text) && tries < mostTries && found < mostObjects; tries++ {
		j := bytes.IndexByte(text[i:], '{')
		if j < 0 {
			return
		}
		i += j
		object, n := objectAt(text[i:])
		if object == nil {
			i++
			continue
		}
		found++
		r.object(object, h, string(text[:i]))
		i += n
	}
}

// objectAt is the object that a text begins with, as JSON, and how long it was; nil for none.
func objectAt(text []byte) ([]byte, int) {
	var raw json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if d.Decode(&raw) == nil {
		return raw, int(d.InputOffset())
	}
	if out, n := fromPython(text); n > 0 && json.Valid(out) {
		return out, n
	}
	return nil, 0
}

// fromPython makes JSON of a dict as Python prints it: single quotes, True, False, None. n is 0 for what is none.
func fromPython(text []byte) (out []byte, n int) {
	depth := 0
	text = text[:min(len(text), mostPython)]
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			s, m := pythonString(text[i:])
			if m == 0 {
				return nil, 0
			}
			out = fault.AppendString(out, s)
			i += m
			continue
		case c == '{' || c == '[' || c == '(':
			depth++
			if c == '(' {
				c = '['
			}
			out = append(out, c)
		case c == '}' || c == ']' || c == ')':
			depth--
			if c == ')' {
				c = ']'
			}
			if out = append(out, c); depth == 0 {
				return out, i + 1
			}
		case bytes.HasPrefix(text[i:], []byte("None")):
			out = append(out, "null"...)
			i += 4
			continue
		case bytes.HasPrefix(text[i:], []byte("True")), bytes.HasPrefix(text[i:], []byte("False")):
			out = append(out, c|0x20)
			for i++; i < len(text) && text[i] >= 'a' && text[i] <= 'z'; i++ {
				out = append(out, text[i])
			}
			continue
		case c == '<': // the repr of an object has no form here
			return nil, 0
		default:
			out = append(out, c)
		}
		i++
	}
	return nil, 0
}

// pythonString reads a string literal; n is 0 where it does not end.
func pythonString(text []byte) (s string, n int) {
	quote := text[0]
	var b []byte
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case quote:
			return string(b), i + 1
		case '\n':
			return "", 0
		case '\\':
			if i++; i == len(text) {
				return "", 0
			}
			switch text[i] {
			case 'n':
				b = append(b, '\n')
			case 't':
				b = append(b, '\t')
			case 'x':
				if v, err := strconv.ParseUint(string(text[i+1:min(i+3, len(text))]), 16, 8); err == nil {
					b = append(b, byte(v))
					i += 2
				}
			default:
				b = append(b, text[i])
			}
		default:
			b = append(b, c)
		}
	}
	return "", 0
}

// ownError is what an error of a Causeway's says of itself.
type ownError struct {
	Kind     fault.Kind    `json:"kind"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail"`
	Cause    fault.Cause   `json:"cause"`
	CallID   string        `json:"call_id"`
	Retry    fault.Verdict `json:"retry"`
	Evidence []string      `json:"evidence"`
	Advice   []string      `json:"advice"`
	Attempts []struct {
		Target string     `json:"target"`
		Kind   fault.Kind `json:"kind"`
		MS     float64    `json:"ms"`
	} `json:"attempts"`
}

// object reads one object.
func (r *reader) object(object []byte, h *head, before string) {
	if own := findOwn(object, 0); own != nil {
		r.own(own)
		return
	}
	if r.problem(object) || r.provider(object, h, before) {
		return
	}
	r.messages(object, h)
}

// findOwn looks for the members of a Causeway's error: the object itself, or error.causeway in a dialect's.
func findOwn(object []byte, deep int) *ownError {
	var own ownError
	if json.Unmarshal(object, &own) == nil && own.Kind != "" && (own.CallID != "" || own.Retry != "") && (fault.Lookup(own.Kind) != nil || own.CallID != "") {
		return &own
	}
	if deep > 4 {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		var list []json.RawMessage
		if json.Unmarshal(object, &list) != nil {
			return nil
		}
		for _, m := range list[:min(len(list), 8)] {
			if own := findOwn(m, deep+1); own != nil {
				return own
			}
		}
		return nil
	}
	for _, name := range []string{"causeway", "error", "body", "details", "response", "detail", "data"} {
		if m := bytes.TrimSpace(members[name]); len(m) > 0 && (m[0] == '{' || m[0] == '[') {
			if own := findOwn(m, deep+1); own != nil {
				return own
			}
		}
	}
	return nil
}

// own tells an error of a Causeway's, which has said everything itself.
func (r *reader) own(o *ownError) {
	f := Finding{
		What: "an error body", Who: "a Causeway", Kind: o.Kind, Cause: o.Cause, Status: o.Status, Title: clip(o.Title), Meaning: cleanAll(o.Detail), Retry: o.Retry, rank: rankOurs,
	}
	for _, e := range o.Evidence[:min(len(o.Evidence), 12)] {
		f.Seen = append(f.Seen, cleanAll(e))
	}
	for i, a := range o.Attempts[:min(len(o.Attempts), 8)] {
		f.Seen = append(f.Seen, fmt.Sprintf("attempt %d: %s %s after %g ms", i+1, clip(a.Target), clip(string(a.Kind)), a.MS))
	}
	for _, a := range o.Advice[:min(len(o.Advice), 12)] {
		f.Advice = append(f.Advice, cleanAll(a))
	}
	if _, ok := journey.ParseID(o.CallID); ok {
		f.CallID = o.CallID
	}
	if fault.Lookup(o.Kind) == nil {
		f.Kind = fault.Kind(clip(string(o.Kind)))
		r.r.Notes = append(r.r.Notes, "the kind is of another version of Causeway; what is told of it is its own words")
	}
	r.add(f)
}

// cleanAll bounds a sentence that is shown whole.
func cleanAll(s string) string {
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "") + "..."
	}
	return fault.Clean(masked(s))
}

// problem reads a problem detail (RFC 9457) of somebody else's.
func (r *reader) problem(object []byte) bool {
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	if json.Unmarshal(object, &p) != nil || p.Title == "" || p.Status == 0 || p.Type == "" && p.Detail == "" {
		return false
	}
	before := len(r.r.Findings)
	r.status(p.Status, "a problem detail (RFC 9457)", "the application")
	if len(r.r.Findings) == before {
		return false
	}
	f := &r.r.Findings[len(r.r.Findings)-1]
	f.rank = rankPage
	f.Title, f.Meaning = clip(p.Title), or(cleanAll(p.Detail), f.Meaning)
	f.Seen = append(f.Seen, "type "+strconv.Quote(clip(p.Type)))
	return true
}

// provider reads a provider's error.
func (r *reader) provider(object []byte, h *head, before string) bool {
	var shape struct {
		Type      string
		Message   json.RawMessage
		Code      json.RawMessage
		Error     json.RawMessage
		TypeError string `json:"__type"`
	}
	if json.Unmarshal(object, &shape) != nil {
		return false
	}
	names := dialectsOf(object, shape.Error, shape.Type, shape.TypeError)
	status := statusIn(before)
	var fields http.Header
	if h != nil {
		status, fields = h.status, h.fields
	}
	for _, name := range names {
		i := slices.IndexFunc(r.o.Dialects, func(d llm.Dialect) bool { return d.Name() == name })
		if i < 0 {
			continue
		}
		e := r.o.Dialects[i].ReadError(status, fields.Get, object, r.o.Now)
		if !e.Valid || e.Kind == "" || e.Kind == fault.ProviderError && e.Message == "" {
			continue
		}
		f := Finding{What: "an error body of the dialect " + name, Who: providerNames[name], Kind: e.Kind, Status: e.Status, rank: rankError}
		if e.Message != "" {
			f.Meaning = sentenceOf(fault.Lookup(e.Kind)) + " It says: " + strconv.Quote(cleanAll(e.Message)) + "."
		}
		for _, line := range e.Evidence() {
			f.Seen = append(f.Seen, cleanAll(line))
		}
		if e.RequestID != "" {
			f.Advice = append(f.Advice, "Its support finds the call by the request id "+clip(e.RequestID)+".")
		}
		r.add(f)
		return true
	}
	return false
}

var providerNames = map[string]string{
	"openai": "a provider with OpenAI's dialect", "anthropic": "Anthropic", "gemini": "Google (Gemini)", "bedrock": "Amazon Bedrock", "cohere": "Cohere", "ollama": "Ollama",
}

func sentenceOf(e *fault.Entry) string {
	if e == nil {
		return ""
	}
	return e.Title + "."
}

// dialectsOf are the dialects whose error an object can be, the likeliest first.
func dialectsOf(object, inner json.RawMessage, typ, aws string) []string {
	var e struct {
		Code    json.RawMessage
		Status  string
		Message string
	}
	_ = json.Unmarshal(inner, &e) // what is no object stays empty
	switch {
	case aws != "":
		return []string{"bedrock"}
	case typ == "error" && len(inner) > 0:
		return []string{"anthropic"}
	case e.Status != "" && len(e.Code) > 0 && e.Code[0] != '"':
		return []string{"gemini", "openai"}
	case e.Message != "":
		return []string{"openai"}
	case len(inner) > 0 && inner[0] == '"':
		return []string{"ollama", "openai"}
	case bytes.Contains(object, []byte(`"object":"error"`)), bytes.Contains(object, []byte(`"object": "error"`)):
		return []string{"openai"}
	}
	return nil
}

// message is what a program says in a JSON object's member message, detail or error.
type message struct {
	says, who string
	kind      fault.Kind
	advice    []string
}

// messages are the sentences of gateways and frameworks that answer in JSON, exactly as they write them.
var messages = []message{
	{"An invalid response was received from the upstream server", "Kong", fault.UpstreamBadGateway, []string{"Kong's error.log at that second has the reason in nginx's words: connect() failed, prematurely closed, SSL_do_handshake.", "Correct host, port and protocol of the service: GET /services/NAME at its Admin API."}},
	{"The upstream server is timing out", "Kong", fault.FirstByteTimeout, []string{"Kong: read_timeout and connect_timeout of the service (60000 ms each)."}},
	{"failure to get a peer from the ring-balancer", "Kong", fault.NoHealthyTarget, []string{"Kong: GET /upstreams/NAME/health shows which targets its checks have taken out."}},
	{"name resolution failed", "Kong", fault.DNSNotFound, []string{"Kong: host of the service, and dns_resolver."}},
	{"no Route matched with those values", "Kong", fault.RouteNotFound, []string{"Kong: hosts, paths, methods and headers of the routes; strip_path takes the path away."}},
	{"No API key found in request", "Kong", fault.KeyMissing, []string{"Send the key in the header that the key-auth plugin names (apikey)."}},
	{"API rate limit exceeded", "Kong", fault.UpstreamRateLimited, []string{"Kong: the rate-limiting plugin of the route, service or consumer."}},
	{"Endpoint request timed out", "AWS API Gateway", fault.FirstByteTimeout, []string{"API Gateway waits 29 s (REST) or 30 s (HTTP): answer at once and let the caller ask for the result, or ask AWS for a higher integration timeout."}},
	{"Missing Authentication Token", "AWS API Gateway", fault.RouteNotFound, []string{"Path or method is not in the deployed stage: this message means that, and seldom a token. Deploy the stage, mind its name in the path."}},
	{"Service Unavailable", "AWS API Gateway", fault.UpstreamUnavailable, []string{"HTTP APIs say so when the integration can't be reached or takes longer than 30 s: $context.integrationErrorMessage in the access log."}},
	{"Internal server error", "AWS API Gateway (or the application)", fault.UpstreamError, []string{"API Gateway: the Lambda function's answer lacks statusCode or has a body that is no string, or the function failed: its CloudWatch log, and $context.integrationErrorMessage."}},
	{"Task timed out after", "AWS Lambda", fault.FirstByteTimeout, []string{"Lambda: raise Timeout of the function, and its memory, with which CPU comes."}},
	{"Rate exceeded", "an AWS API", fault.UpstreamRateLimited, nil},
	{"upstream connect error", "Envoy", "", nil},
	{"Bad Gateway", "a gateway", fault.UpstreamBadGateway, nil},
	{"Gateway Timeout", "a gateway", fault.UpstreamTimeout, nil},
	{"Internal Server Error", "the application", fault.UpstreamError, nil},
	{"Not authenticated", "FastAPI", fault.KeyMissing, nil},
	{"Not Found", "the application (FastAPI, Starlette)", fault.RouteNotFound, []string{"The path, a missing slash at its end, or a prefix that the proxy took away (root_path)."}},
	{"Method Not Allowed", "the application (FastAPI, Starlette)", fault.MethodNotAllowed, nil},
	{"the server is currently unable to handle the request", "the Kubernetes API server", fault.UpstreamUnavailable, []string{"kubectl get apiservices shows which aggregated API is not available."}},
}

// messages reads what other programs say in JSON.
func (r *reader) messages(object []byte, h *head) {
	var m map[string]json.RawMessage
	if json.Unmarshal(object, &m) != nil {
		return
	}
	for _, name := range []string{"message", "Message", "detail", "error", "errorMessage", "msg", "error_description"} {
		var s string
		if json.Unmarshal(m[name], &s) != nil || s == "" {
			continue
		}
		for _, c := range messages {
			if c.kind != "" && strings.Contains(s, c.says) {
				r.add(Finding{What: "an error in JSON", Who: c.who, Kind: c.kind, Advice: c.advice, Seen: []string{name + " says " + strconv.Quote(clip(s))}, rank: rankPage + 1})
				return
			}
		}
		// Nobody's that is known: the words may be those of an exception, and the status tells the rest.
		if len(s) > 3 && h == nil {
			status := 0
			for _, key := range []string{"status", "statusCode", "status_code", "code"} {
				if n, ok := isStatus(string(m[key])); ok {
					status = n
				}
			}
			if status != 0 {
				r.status(status, "an error in JSON", "the application")
				f := &r.r.Findings[len(r.r.Findings)-1]
				f.Seen = append(f.Seen, name+" says "+strconv.Quote(clip(masked(s))))
			}
			return
		}
	}
}
