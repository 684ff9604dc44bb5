package logs

import (
	"strings"
	"time"

	"causeway/internal/fault"
)

// Known is one thing that a log can say.
type Known struct {
	ID     string
	Kind   fault.Kind
	Cause  fault.Cause
	Server string   // whose words they are
	Title  string   // what happened, as a sentence without addresses
	Says   []string // texts of the log that tell it, the usual one first; none where a code or a flag does
	Advice []string // what to change, in that server's own settings
}

// Line is what one line of a log says.
type Line struct {
	Form   string // "nginx error log"; see the forms in the package's documentation
	Access bool   // it is about one request that was answered
	Status int    // of an access line, else 0
	Took   time.Duration
	// Flags are HAProxy's termination state or Envoy's response flags. Target is the request's method and path, without query.
	Flags, Target, Upstream, Client string
	Known                           *Known // what it says went wrong, nil where it says nothing of that
}

// Recogniser reads single lines. It may not be used concurrently.
type Recogniser struct {
	run    *run
	source source
}

// NewRecogniser makes a Recogniser. Times without a year are taken as those of now.
func NewRecogniser(now time.Time) *Recogniser {
	return &Recogniser{run: newRun(Options{Zone: time.UTC, Now: now})}
}

// Reset forgets the lines that were read, before those of another text.
func (r *Recogniser) Reset() { r.source = source{} }

// Line reads one line without its line break; false when it has no known form. Lines of one text are
// given in their order, since a stack trace has several.
func (r *Recogniser) Line(b []byte) (Line, bool) {
	var e entry
	if len(b) == 0 || !r.run.parser.parse(&r.source, b, &e) {
		return Line{}, false
	}
	if e.access && failing(e.status) {
		r.run.direct(&e)
	}
	l := Line{
		Form: formNames[e.form], Access: e.access, Status: e.status, Took: time.Duration(max(e.took, 0)), Flags: string(e.flags),
		Target: callTarget(&e), Upstream: string(e.upstream), Client: string(e.client),
	}
	if e.rule != nil {
		l.Known = e.rule.known()
	}
	return l, true
}

// Termination is what a HAProxy termination state says, nil when it says no failure.
func (r *Recogniser) Termination(state string) *Known {
	return r.byID(termination([]byte(state), 502, nil))
}

// Flag is what an Envoy response flag says, nil for one that is not known.
func (r *Recogniser) Flag(flag string) *Known { return r.byID(flagged([]byte(flag), nil)) }

func (r *Recogniser) byID(id string) *Known {
	if found := r.run.parser.known.byID[id]; found != nil {
		return found.known()
	}
	return nil
}

// OfServer lists what a server's own log can say of a failure that shows as a status: 502, 503, 504, 499, or 413 and
// others that its own limits make. The list is in the order of the rules, the usual things first.
func (r *Recogniser) OfServer(server string, status int) (list []*Known) {
	var shows symptom
	switch status {
	case 502:
		shows = symRefused | symClosed
	case 503:
		shows = symNone
	case 504:
		shows = symTimeout | symConnect
	case 499, 460:
		shows = symClient
	}
	rules := r.run.parser.known.rules
	for i := range rules {
		k := &rules[i]
		if k.server != server || k.level != atProxy || k.vague || k.quiet {
			continue
		}
		e := fault.Lookup(k.kind)
		if k.shows&shows != 0 || k.shows == symOther && e != nil && e.Status == status {
			list = append(list, k.known())
		}
	}
	return list
}

func (r *rule) known() *Known {
	k := &Known{ID: r.id, Kind: r.kind, Cause: r.cause, Server: r.server, Title: r.title, Advice: r.fix}
	for _, way := range r.any {
		k.Says = append(k.Says, strings.Join(way, " ... "))
	}
	return k
}
