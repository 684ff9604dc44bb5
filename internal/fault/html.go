package fault

import (
	"bytes"
	"embed"
	"html/template"
	"sync"
	"time"
)

// ContentSecurityPolicy is the policy under which the pages of this package work: they load
// nothing and run nothing.
const ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed pages
var pageFiles embed.FS

// pages are parsed when the first page is asked for, so that a start costs nothing.
var pages = sync.OnceValue(func() *template.Template {
	style, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return template.Must(template.New("pages").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) },
		"inc":   func(i int) int { return i + 1 },
		"ms":    func(ms float64) string { return Span(time.Duration(ms * float64(time.Millisecond))) },
	}).ParseFS(pageFiles, "pages/pages.html"))
})

// page runs a template over data of this package. It cannot fail on such data, which the tests
// hold it to for every kind; if it does, the gateway's own recovery answers.
func page(dst []byte, name string, data any) []byte {
	var b bytes.Buffer
	b.Grow(12 << 10)
	if err := pages().ExecuteTemplate(&b, name, data); err != nil {
		panic("fault: rendering a page: " + err.Error())
	}
	return append(dst, b.Bytes()...)
}

// way is the picture of the way from the caller to the upstream. States are "ok", "bad" and
// "idle" (not reached).
type way struct {
	Caller, In, Gateway, Out, Upstream station
	Summary                            string
}

type station struct{ State, Word string }

func wayOf(at Place) *way {
	ok, here, idle := station{"ok", "works"}, station{"bad", "failed here"}, station{"idle", "not reached"}
	w := &way{Caller: ok, In: ok, Gateway: ok, Out: ok, Upstream: ok}
	switch at {
	case AtCaller:
		w.Caller, w.Out, w.Upstream = here, idle, idle
		w.Summary = "The failure is on the caller's side."
	case AtGateway:
		w.Gateway, w.Out, w.Upstream = here, idle, idle
		w.Summary = "Caller works; the failure is in the gateway; the upstream was not reached."
	case AtUpstreamLink:
		w.Out, w.Upstream = here, idle
		w.Summary = "Caller and gateway work; the failure is between the gateway and the upstream."
	case AtUpstream:
		w.Upstream = here
		w.Summary = "Caller and gateway work; the failure is in the upstream."
	}
	return w
}

// findingPage is what the template "failure" shows, and the part of "call" about its finding.
type findingPage struct {
	Heading, Reason, Title, Detail string
	Way                            *way
	CallID, When, HelpURL, TypeURL string
	Kind                           Kind
	Cause                          string
	Because, Check                 string
	Evidence, RuledOut, Advice     []string
	Attempts                       []Attempt
	Retry                          string
}

func newFindingPage(f *Finding, v View) findingPage {
	e := entryOf(f.Kind)
	p := findingPage{
		Heading: e.Title, Reason: headline(f), Title: e.Title, Detail: v.detail(f, e),
		Way:    wayOf(e.At),
		CallID: v.CallID, When: timeText(v.Time), HelpURL: v.helpURL(f.Kind), TypeURL: v.typeURL(f.Kind),
		Kind: f.Kind, Cause: causeText(f.Cause),
		Advice: v.advice(f, e), Retry: retrySentence(f),
	}
	if v.Full {
		p.Evidence, p.RuledOut, p.Attempts = f.Evidence, f.RuledOut, f.Attempts
		p.Because, p.Check = f.Because, f.Check
	}
	return p
}

// HTML appends a whole page about f to dst: a picture of where it broke, what happened, what to
// do, and links to the call's and the kind's own pages. It needs nothing but itself. It may be
// called concurrently.
func HTML(dst []byte, f *Finding, v View) []byte {
	return page(dst, "failure", newFindingPage(f, v))
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// causeText tells a cause in words.
func causeText(c Cause) string {
	switch c {
	case Overload:
		return "overload: more work than the upstream can do"
	case Configuration:
		return "configuration: a setting of the gateway or of the upstream"
	case Network:
		return "network: the way between gateway and upstream"
	case Software:
		return "software: the upstream's program"
	case IncompatibleChange:
		return "incompatible change: the upstream is no longer what it was"
	case Caller:
		return "caller: the request itself, or whoever sent it"
	case Gateway:
		return "gateway: Causeway itself or its host"
	default:
		return string(c)
	}
}
