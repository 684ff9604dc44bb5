package doctor

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/catalog"
	"causeway/internal/journey"
)

// sent is what is sent of the caller's header fields and query, and what of them can't be.
type sent struct {
	fields  []byte   // lines
	query   string   // without its question mark
	masked  []string // names of fields and parameters whose values were credentials
	decoded bool     // the body is kept as text, and was sent in a content coding
}

// notAgain are fields of the call of then that say nothing of what was asked.
var notAgain = []string{"traceparent", "tracestate", "content-length", "transfer-encoding", "connection", "host", "content-encoding"}

// again is what was kept of the caller's header fields and query, less what was masked and what is given in its place.
func (o *ReproOptions) again() (s sent) {
	given := make([]string, 0, len(o.Headers))
	for _, h := range o.Headers {
		name, _, _ := strings.Cut(h, ":")
		given = append(given, strings.ToLower(name))
	}
	s.query = strings.TrimPrefix(o.Query, "?")
	if kept := o.Call.Sent; kept != nil {
		for line := range bytes.SplitSeq(kept.Header, []byte("\r\n")) {
			name, value, ok := strings.Cut(string(line), ":")
			lower := strings.ToLower(name)
			switch {
			case !ok || slices.Contains(given, lower):
			case lower == "content-encoding":
				s.decoded = o.Body == nil && !strings.EqualFold(strings.TrimSpace(value), "identity")
			case slices.Contains(notAgain, lower):
			case strings.Contains(value, journey.MaskedValue):
				s.masked = append(s.masked, name)
			default:
				s.fields = append(append(s.fields, line...), "\r\n"...)
			}
		}
		if s.query == "" && kept.HasQuery {
			var pairs []string
			for pair := range strings.SplitSeq(kept.Query, "&") {
				if name, value, _ := strings.Cut(pair, "="); strings.Contains(value, journey.MaskedValue) {
					s.masked = append(s.masked, "?"+name)
					continue
				}
				pairs = append(pairs, pair)
			}
			s.query = strings.Join(pairs, "&")
		}
	}
	for _, h := range o.Headers {
		s.fields = append(append(s.fields, h...), "\r\n"...)
	}
	return s
}

// notes say what of the caller's is not sent.
func (s *sent) notes(o *ReproOptions, keep string) (list []string) {
	switch kept := o.Call.Sent; {
	case kept == nil && (len(o.Headers) > 0 || o.Query != ""):
		list = append(list, "of the caller's header fields and query only what was given is sent: they were not kept with this call ("+keep+" keeps them)")
	case kept == nil:
		list = append(list, "the caller's header fields and query were not kept with this call, and are not sent ("+keep+" keeps them; --header, --query)")
	case kept.Left > 0:
		list = append(list, fmt.Sprintf("%s of the caller's are not kept, since all together were too long", many(kept.Left, "header field")))
	}
	if len(s.masked) > 0 {
		list = append(list, "credentials are never kept, so these are not sent: "+strings.Join(s.masked, ", ")+" (--header, --query, --key)")
	}
	if s.decoded {
		list = append(list, "the body was sent in a content coding and is kept as text: it is sent as text")
	}
	return list
}

// without takes the fields out that a service's configuration sets or removes by itself.
func without(fields []byte, h *catalog.HeaderRules) []byte {
	if len(h.Set) == 0 && len(h.Remove) == 0 {
		return fields
	}
	var out []byte
	for line := range bytes.SplitAfterSeq(fields, []byte("\r\n")) {
		name, _, _ := strings.Cut(string(line), ":")
		same := func(other string) bool { return strings.EqualFold(other, name) }
		if slices.ContainsFunc(sortedKeys(h.Set), same) || slices.ContainsFunc(h.Remove, same) {
			continue
		}
		out = append(out, line...)
	}
	return out
}

// wholeBody says why the body that is to be sent is not the caller's, where it is not.
func (o *ReproOptions) wholeBody(keep string, s *sent) error {
	j := o.Call
	switch {
	case o.Body != nil || j.BytesIn == 0:
	case j.RequestBody == nil:
		return cannotf("the request had a body of %d bytes, and it is not kept: set %s to failures (or true), or give the body (--body FILE)", j.BytesIn, keep)
	case bytes.Contains(j.RequestBody, []byte(journey.MaskedValue)):
		return cannotf("secrets were masked in the kept body, so that it is not what the caller sent: give the whole body (--body FILE)")
	case s.decoded && len(j.RequestBody) < mostKeptBody:
	case int64(len(j.RequestBody)) != j.BytesIn:
		return cannotf("of the request's body %d of %d bytes are kept: give the whole body (--body FILE)", len(j.RequestBody), j.BytesIn)
	}
	return nil
}

// mostKeptBody is how much of a body the call log keeps.
const mostKeptBody = 16 << 10
