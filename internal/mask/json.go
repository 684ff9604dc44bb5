package mask

import (
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Rewrite is what JSON does to the texts of a body.
type Rewrite struct {
	Mask   *Masker // nil masks nothing
	Hide   *Vault  // where reversible rules hide; nil hides for good
	Reveal *Vault  // what this has hidden is put back; nil puts nothing back
	// Answer tells that the body is an answer: the likelihoods of its tokens, which spell its text out, are taken out
	// when something masks it.
	Answer bool

	Found   []Found // what was found
	Blocked *Found  // what a rule with Block found: the body must not go on
	Size    int64   // bytes of text that were looked at
}

// errJSON is the error of a body that is no JSON. It quotes nothing of it.
var errJSON = errors.New("the body is not JSON")

// JSON masks the texts of a JSON body and puts back what was hidden. Members that only name things (type, role, id,
// the names of tools), addresses of media and their bytes, and signatures stay as they are; a string that holds JSON
// itself, as the arguments of a tool's call do, stays JSON. The result is body itself when nothing changed.
func (r *Rewrite) JSON(body []byte) ([]byte, error) {
	w := walker{r: r, in: body, out: make([]byte, 0, len(body)+64)}
	w.space()
	if !w.value(inBody, "", false) || func() bool { w.space(); return w.at != len(body) }() {
		return nil, errJSON
	}
	if !w.changed {
		return body, nil
	}
	return w.out, nil
}

// Text masks one text and puts back what was hidden.
func (r *Rewrite) Text(text string) string { return r.text(text, true) }

func (r *Rewrite) text(text string, reveal bool) string {
	r.Size += int64(len(text))
	if r.Mask != nil {
		masked, found, blocked := r.Mask.Text(text, r.Hide)
		r.note(found, blocked)
		text = masked
	}
	if reveal {
		text = r.Reveal.Reveal(text)
	}
	return text
}

func (r *Rewrite) note(found []Found, blocked *Found) {
	r.Found = append(r.Found, found...)
	if r.Blocked == nil {
		r.Blocked = blocked
	}
}

// place says how a value's strings are to be taken.
type place uint8

const (
	inBody   place = iota // of a dialect: some members only name things
	inFree                // a caller's own data: every string is text
	inSchema              // a JSON Schema: what is written for people is text
)

// mostNested bounds how deep a body is followed.
const mostNested = 1000

type walker struct {
	r       *Rewrite
	in, out []byte
	at      int
	depth   int
	trail   []step
	changed bool
}

func (w *walker) space() {
	for w.at < len(w.in) && (w.in[w.at] == ' ' || w.in[w.at] == '\n' || w.in[w.at] == '\t' || w.in[w.at] == '\r') {
		w.at++
	}
}

func (w *walker) peek() byte {
	if w.at < len(w.in) {
		return w.in[w.at]
	}
	return 0
}

// value takes one value, which is the member name of its object ("" in an array). It returns false at what is no JSON.
func (w *walker) value(where place, name string, thought bool) bool {
	if p := w.path(); p != nil {
		return w.atPath(p)
	}
	switch c := w.peek(); {
	case c == '{':
		return w.object(where, thought)
	case c == '[':
		return w.array(where, name, thought)
	case c == '"':
		return w.str(where, name, thought)
	default:
		return w.plain(where)
	}
}

func (w *walker) object(where place, thought bool) bool {
	if w.depth++; w.depth > mostNested {
		return false
	}
	w.at++
	w.out = append(w.out, '{')
	written := false
	for w.space(); w.peek() != '}'; w.space() {
		from := w.at
		end, ok := skipString(w.in, w.at)
		if !ok {
			return false
		}
		key := w.in[from:end]
		name := unquote(key[1 : len(key)-1])
		w.at = end
		if w.space(); w.peek() != ':' {
			return false
		}
		w.at++
		w.space()
		mark := len(w.out)
		if written {
			w.out = append(w.out, ',')
		}
		w.out = append(append(w.out, key...), ':')
		w.trail = append(w.trail, step{name: name})
		var removed bool
		if ok, removed = w.member(where, name, thought); !ok {
			return false
		}
		w.trail = w.trail[:len(w.trail)-1]
		if removed {
			w.out = w.out[:mark]
		} else {
			written = true
		}
		if w.space(); w.peek() == ',' {
			w.at++
			if w.space(); w.peek() != '"' {
				return false
			}
		} else if w.peek() != '}' {
			return false
		}
	}
	w.at++
	w.depth--
	w.out = append(w.out, '}')
	return true
}

// member takes the value of a member.
func (w *walker) member(where place, name string, thought bool) (ok, removed bool) {
	if p := w.path(); p != nil && p.rule.Remove {
		return w.remove(p), true
	}
	opens := w.peek() == '{' || w.peek() == '['
	if where == inBody {
		switch name {
		case "signature", "thoughtSignature", "thought_signature", "encrypted_content", "cache_control", "cachePoint", "usage", "usageMetadata", "embedding", "embeddings":
			return w.skip(), false
		case "logprobs", "logprobsResult":
			if w.r.Answer && w.r.Mask != nil && opens {
				mark := len(w.out)
				ok := w.skip()
				w.out = append(w.out[:mark], "null"...)
				w.changed = true
				return ok, false
			}
			return w.skip(), false
		case "arguments", "args", "metadata", "labels", "variables":
			where = inFree
		case "input", "response", "json", "data", "parameters":
			// Objects of the caller's own where they are objects: a tool's arguments and results.
			if w.peek() == '{' {
				if where = inFree; name == "parameters" {
					where = inSchema
				}
			}
		case "input_schema", "inputSchema", "schema", "responseSchema", "response_schema", "responseJsonSchema", "_responseJsonSchema",
			"parametersJsonSchema", "parameters_json_schema", "parameter_definitions", "format", "response_format":
			where = inSchema
		case "thinking", "reasoning_content", "reasoning":
			thought = true
		}
	}
	return w.value(where, name, thought), false
}

func (w *walker) array(where place, name string, thought bool) bool {
	if w.depth++; w.depth > mostNested {
		return false
	}
	w.at++
	w.out = append(w.out, '[')
	written := false
	for i := 0; ; i++ {
		w.space()
		if w.peek() == ']' && i == 0 {
			break
		}
		mark := len(w.out)
		if written {
			w.out = append(w.out, ',')
		}
		w.trail = append(w.trail, step{index: i, array: true})
		if p := w.path(); p != nil && p.rule.Remove {
			if !w.remove(p) {
				return false
			}
			w.out = w.out[:mark]
		} else {
			if !w.value(where, name, thought) {
				return false
			}
			written = true
		}
		w.trail = w.trail[:len(w.trail)-1]
		if w.space(); w.peek() != ',' {
			break
		}
		w.at++
	}
	if w.peek() != ']' {
		return false
	}
	w.at++
	w.depth--
	w.out = append(w.out, ']')
	return true
}

// str takes a string.
func (w *walker) str(where place, name string, thought bool) bool {
	from := w.at
	end, ok := skipString(w.in, w.at)
	if !ok {
		return false
	}
	w.at = end
	raw := w.in[from:end]
	if where == inBody && names(name) || where == inSchema && !described(name) {
		w.out = append(w.out, raw...)
		return true
	}
	text := unquote(raw[1 : len(raw)-1])
	if where == inBody && untouched(name, text) || inlined(text) {
		w.out = append(w.out, raw...)
		return true
	}
	after := w.nested(text, thought)
	if after == text {
		w.out = append(w.out, raw...)
		return true
	}
	w.changed = true
	w.out = quote(w.out, after)
	return true
}

// nested changes a text, which may be JSON itself.
func (w *walker) nested(text string, thought bool) string {
	if t := strings.TrimLeft(text, " \n\t\r"); t != "" && (t[0] == '{' || t[0] == '[') && w.depth < mostNested {
		inner := walker{r: w.r, in: []byte(text), depth: w.depth + 1}
		found, size, blocked := len(w.r.Found), w.r.Size, w.r.Blocked
		inner.space()
		if inner.value(inFree, "", thought) {
			if inner.space(); inner.at == len(inner.in) {
				if inner.changed {
					return string(inner.out)
				}
				return text
			}
		}
		w.r.Found, w.r.Size, w.r.Blocked = w.r.Found[:found], size, blocked // it is a text that only begins so
	}
	return w.r.text(text, !thought)
}

// plain takes a number, true, false or null. A number of the caller's own may be one that is looked for.
func (w *walker) plain(where place) bool {
	from := w.at
	for w.at < len(w.in) && strings.IndexByte(",]} \n\t\r", w.in[w.at]) < 0 {
		w.at++
	}
	raw := w.in[from:w.at]
	switch string(raw) {
	case "true", "false", "null":
	default:
		if !number(raw) {
			return false
		}
	}
	if where == inFree && w.r.Mask != nil && len(raw) > 7 {
		if after := w.r.text(string(raw), false); after != string(raw) {
			w.changed = true
			w.out = quote(w.out, after)
			return true
		}
	}
	w.out = append(w.out, raw...)
	return true
}

// number tells whether raw may be a number.
func number(raw []byte) bool {
	if len(raw) == 0 || !digit(raw[0]) && (raw[0] != '-' || len(raw) == 1) {
		return false
	}
	for _, c := range raw[1:] {
		if !digit(c) && strings.IndexByte(".eE+-", c) < 0 {
			return false
		}
	}
	return true
}

// skip copies a value as it is.
func (w *walker) skip() bool {
	from, depth := w.at, 0
	for w.at < len(w.in) {
		switch w.in[w.at] {
		case '"':
			end, ok := skipString(w.in, w.at)
			if !ok {
				return false
			}
			w.at = end
		case '{', '[':
			depth++
			w.at++
		case '}', ']', ',':
			if depth == 0 {
				w.out = append(w.out, w.in[from:w.at]...)
				return w.at > from
			}
			if w.in[w.at] != ',' {
				depth--
			}
			w.at++
			if depth == 0 && w.in[w.at-1] != ',' {
				w.out = append(w.out, w.in[from:w.at]...)
				return true
			}
		default:
			w.at++
		}
	}
	if depth == 0 {
		w.out = append(w.out, w.in[from:w.at]...)
	}
	return depth == 0 && w.at > from
}

// names tells whether a member of a dialect only names something of the dialect's.
func names(name string) bool {
	switch name {
	case "type", "role", "model", "id", "object", "status", "mime_type", "mimeType", "media_type", "finish_reason", "finishReason",
		"stop_reason", "modelVersion", "system_fingerprint", "service_tier", "tool_choice", "reasoning_effort", "effort", "detail",
		"encoding_format", "anthropic_version", "mode", "include", "modalities", "created_at", "createTime", "event", "tool_call_id",
		"call_id", "tool_use_id", "toolUseId", "item_id", "file_id", "previous_response_id", "responseId", "response_id":
		return true
	}
	return false
}

// described tells whether a member of a schema is written for people, or stands in answers as it is.
func described(name string) bool {
	switch name {
	case "description", "title", "default", "examples", "example", "enum", "const":
		return true
	}
	return false
}

// untouched tells whether a text is the name of a tool, or the address of media.
func untouched(name, text string) bool {
	switch name {
	case "name", "allowed_function_names", "allowedFunctionNames":
		if len(text) > 128 {
			return false
		}
		for i := range len(text) {
			if !alnum(text[i]) && strings.IndexByte("_-.:/", text[i]) < 0 {
				return false
			}
		}
		return true
	case "url", "uri", "image_url", "file_url", "fileUri", "file_uri":
		scheme, _, ok := strings.Cut(text, "://")
		return ok && (scheme == "http" || scheme == "https" || scheme == "gs" || scheme == "s3")
	case "data", "bytes", "file_data", "b64_json":
		return base64Text(text)
	}
	return false
}

// inlined tells whether a text is a data: URL with bytes in it.
func inlined(text string) bool {
	if !strings.HasPrefix(text, "data:") {
		return false
	}
	head, rest, ok := strings.Cut(text, ";base64,")
	return ok && len(head) < 256 && !strings.ContainsAny(head, " \n") && base64Text(rest)
}

func base64Text(text string) bool {
	for i := range len(text) {
		if !alnum(text[i]) && strings.IndexByte("+/=_-\r\n", text[i]) < 0 {
			return false
		}
	}
	return true
}

// skipString returns where the string that begins at at ends.
func skipString(in []byte, at int) (end int, ok bool) {
	if at >= len(in) || in[at] != '"' {
		return 0, false
	}
	for i := at + 1; i < len(in); i++ {
		switch {
		case in[i] == '"':
			return i + 1, true
		case in[i] == '\\':
			i++
		case in[i] < ' ':
			return 0, false
		}
	}
	return 0, false
}

// unquote is the text of a string's inside.
func unquote(raw []byte) string {
	if strings.IndexByte(string(raw), '\\') < 0 {
		return string(raw)
	}
	var u unescaper
	var b []byte
	for _, c := range raw {
		b = u.add(b, c)
	}
	return string(u.end(b))
}

// unescaper takes a JSON string's inside byte by byte.
type unescaper struct {
	esc  []byte // an escape that is not whole yet, from its backslash
	high rune   // the first half of a pair of surrogates
}

func (u *unescaper) add(dst []byte, c byte) []byte {
	switch {
	case len(u.esc) == 0 && c != '\\':
		return append(u.lone(dst), c)
	case len(u.esc) == 0:
		u.esc = append(u.esc, c)
		return dst
	case len(u.esc) == 1 && c != 'u':
		u.esc = u.esc[:0]
		dst = u.lone(dst)
		if i := strings.IndexByte("bfnrt", c); i >= 0 {
			c = "\b\f\n\r\t"[i]
		}
		return append(dst, c)
	}
	if u.esc = append(u.esc, c); len(u.esc) < 6 {
		return dst
	}
	r := rune(0)
	for _, h := range u.esc[2:] {
		switch {
		case digit(h):
			r = r<<4 | rune(h-'0')
		case hexDigit(h):
			r = r<<4 | rune(h|0x20-'a'+10)
		}
	}
	u.esc = u.esc[:0]
	if u.high != 0 {
		if full := utf16.DecodeRune(u.high, r); full != utf8.RuneError {
			u.high = 0
			return utf8.AppendRune(dst, full)
		}
		dst = u.lone(dst)
	}
	if utf16.IsSurrogate(r) && r < 0xdc00 {
		u.high = r
		return dst
	}
	return utf8.AppendRune(dst, r)
}

// lone writes a half pair whose other half did not come.
func (u *unescaper) lone(dst []byte) []byte {
	if u.high != 0 {
		u.high = 0
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	return dst
}

func (u *unescaper) end(dst []byte) []byte { return u.lone(dst) }

// quote appends a text as a JSON string.
func quote(dst []byte, text string) []byte {
	return append(escape(append(dst, '"'), text), '"')
}

func escape(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
