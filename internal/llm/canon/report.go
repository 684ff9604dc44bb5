package canon

import (
	"slices"
	"strconv"
	"strings"

	"causeway/internal/llm/jsontree"
)

// Loss says what became of a field that another dialect can't say.
type Loss uint8

// The losses.
const (
	Dropped      Loss = iota // the provider does not get it
	Approximated             // the provider gets something that is nearly it
	Emulated                 // the gateway does it in the provider's place
)

func (l Loss) String() string { return [...]string{"dropped", "approximated", "emulated"}[l] }

// Entry is one line of a translation report.
type Entry struct {
	Field string // its path in the caller's request, or "answer." and its path in the provider's answer
	Loss  Loss
	Why   string // one phrase, "" when the name says it
}

// maxEntries bounds a report; what is beyond is counted.
const maxEntries = 64

// Report is what a translation could not carry over as it was. It must not be used concurrently.
type Report struct {
	Entries []Entry
	More    int // entries left out
	req     *Request
	taken   [NumParams]bool
	copied  []jsontree.Ref
}

// NewReport begins the report about a request.
func NewReport(req *Request) *Report { return &Report{req: req} }

// Add notes a loss by the field's path.
func (r *Report) Add(field string, loss Loss, why string) {
	for i := range r.Entries {
		if r.Entries[i].Field == field {
			return
		}
	}
	if len(r.Entries) >= maxEntries {
		r.More++
		return
	}
	r.Entries = append(r.Entries, Entry{field, loss, why})
}

// Lose notes a loss of what stands at at in the caller's body. What has no place there was not said by
// the caller and is not told.
func (r *Report) Lose(at jsontree.Ref, loss Loss, why string) {
	if n := r.req.Doc.At(at); n.Exists() {
		r.Add(n.Path(), loss, why)
	}
}

// Take is a parameter for the writer to carry, nil when the caller did not say it. What is never
// taken is told as dropped.
func (r *Report) Take(id ParamID) []byte {
	r.taken[id] = true
	return r.req.Params[id].JSON
}

// Own is for a writer of the caller's own dialect: it lists what stands in the caller's outermost object, or in
// the objects named in within, and no reader looked at. The writer copies it as it is, so that it is not told as
// lost. Of another dialect's request there is nothing.
func (r *Report) Own(dialect string, within ...string) (list []jsontree.Node) {
	if r.req.Dialect != dialect || r.req.Doc == nil {
		return nil
	}
	for _, n := range r.req.Doc.Unused() {
		place, _, deep := strings.Cut(n.Path(), ".")
		if place == "" || deep && !slices.Contains(within, strings.TrimSuffix(n.Path(), "."+n.Name())) {
			continue
		}
		r.copied = append(r.copied, n.Ref())
		list = append(list, n)
	}
	return list
}

// Close completes the report when the request has been written: with the parameters that were not
// taken, and with what the reader did not look at.
func (r *Report) Close() {
	for id := range NumParams {
		if p := &r.req.Params[id]; p.JSON != nil && !r.taken[id] && !asIf(id, p.JSON) {
			r.Lose(p.At, Dropped, "")
		}
	}
	if r.req.Doc == nil {
		return
	}
	for _, n := range r.req.Doc.Unused() {
		if path := n.Path(); path != "" && !slices.Contains(r.copied, n.Ref()) {
			r.Add(path, Dropped, "")
		}
	}
}

// asIf tells whether a parameter asks for what is so without it.
func asIf(id ParamID, json []byte) bool {
	switch v := string(json); id {
	case N:
		return v == "1"
	case Logprobs, Background, Store:
		return v == "false"
	case FrequencyPenalty, PresencePenalty, TopLogprobs:
		return v == "0" || v == "0.0"
	case RepetitionPenalty:
		return v == "1" || v == "1.0"
	case Stop, Include, Safety:
		return v == "[]"
	case Metadata, LogitBias:
		return v == "{}"
	case ServiceTier:
		return v == `"auto"` || v == `"default"`
	case Modalities:
		return strings.EqualFold(strings.ReplaceAll(v, " ", ""), `["text"]`)
	case Truncation:
		return v == `"disabled"`
	}
	return false
}

// Header is the report as the field Causeway-Translation: a list of RFC 9651, each field a token or, where
// it can't be one, a string, with what became of it as a parameter without value.
func (r *Report) Header() string {
	var b strings.Builder
	for _, e := range r.Entries {
		if b.Len() > 2048 {
			break
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if isToken(e.Field) {
			b.WriteString(e.Field)
		} else {
			b.WriteByte('"')
			for _, c := range []byte(e.Field) {
				switch {
				case c == '"' || c == '\\':
					b.WriteByte('\\')
					b.WriteByte(c)
				case c < ' ' || c >= 0x7f:
					b.WriteByte('?')
				default:
					b.WriteByte(c)
				}
			}
			b.WriteByte('"')
		}
		b.WriteByte(';')
		b.WriteString(e.Loss.String())
	}
	return b.String()
}

// Lines is the report for people, one sentence an entry.
func (r *Report) Lines() (lines []string) {
	for _, e := range r.Entries {
		line := e.Field + " was " + e.Loss.String()
		if e.Why != "" {
			line += ": " + e.Why
		}
		lines = append(lines, line)
	}
	if r.More > 0 {
		lines = append(lines, "and "+strconv.Itoa(r.More)+" more")
	}
	return lines
}

// Names lists the fields of these losses.
func (r *Report) Names(losses ...Loss) (names []string) {
	for _, e := range r.Entries {
		if slices.Contains(losses, e.Loss) {
			names = append(names, e.Field)
		}
	}
	return names
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '*'
		if !letter && (i == 0 || !(c >= '0' && c <= '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~:/", rune(c))) {
			return false
		}
	}
	return s != ""
}
