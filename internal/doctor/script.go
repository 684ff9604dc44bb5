package doctor

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// shellScript is a POSIX shell script that makes a request with curl, for the upstream's owner, as it is being
// written. What the configuration adds to calls may be secret: each such value is an environment variable that must
// be set. What the caller sent stands there as it is kept, without credentials.
type shellScript struct {
	b    strings.Builder
	args []string
	pipe string
	url  string
}

func (w *shellScript) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func newScript(p *place, rq *request, r *Repro) *shellScript {
	w := &shellScript{args: []string{"curl -sS -i --max-time 120", "-X " + quoteShell(rq.method)}}
	w.line("#!/bin/sh")
	w.line("# The request of call %s as it was sent again to %s, without the gateway.", r.CallID, comment(p.target()))
	w.line("# What was seen then: %s", comment(seen(&r.Kept)))
	if r.Direct != nil {
		w.line("# What was seen without the gateway on %s: %s", r.began(), comment(seen(r.Direct)))
	}
	for _, n := range r.Notes {
		w.line("# Note: %s", comment(n))
	}
	w.line("set -eu")
	return w
}

// script is the direct request to a service's target.
func script(o *ReproOptions, svc *catalog.Service, p *place, rq *request, r *Repro) string {
	w := newScript(p, rq, r)
	if p.unix() {
		w.args = append(w.args, "--unix-socket "+quoteShell(p.url.Path))
	} else if p.host != "" && p.host != p.url.Host {
		w.args = append(w.args, "-H "+quoteShell("Host: "+p.host))
	}
	switch {
	case svc.Upstream.TLS.CAFile != "":
		w.args = append(w.args, `--cacert "${UPSTREAM_CA_FILE:?the authority of the upstream, PEM}"`)
	case svc.Upstream.TLS.InsecureSkipVerify:
		w.args = append(w.args, "--insecure")
	}
	if svc.Upstream.TLS.CertFile != "" {
		w.args = append(w.args, `--cert "${UPSTREAM_CERT_FILE:?the client certificate}"`, `--key "${UPSTREAM_KEY_FILE:?its key}"`)
	}
	switch svc.Upstream.Protocol {
	case "h2":
		w.args = append(w.args, "--http2")
	case "h2c":
		w.args = append(w.args, "--http2-prior-knowledge")
	}
	shown := map[string]bool{}
	w.secret(sortedKeys(svc.Upstream.Headers.Set), shown)
	w.secret(sortedKeys(svc.Upstream.Headers.Add), shown)
	w.given(o, shown)
	w.callers(rq.fields, shown)
	w.body(rq, o.Body != nil)
	path := rq.path
	if o.Query != "" { // one that was given may be secret
		path, _, _ = strings.Cut(path, "?")
		w.url = `"?${QUERY:?the query that was sent}"`
	}
	return w.finish(p, path)
}

// secret adds fields whose values are environment variables.
func (w *shellScript) secret(names []string, shown map[string]bool) {
	for _, name := range names {
		if lower := strings.ToLower(name); !shown[lower] {
			shown[lower] = true
			w.args = append(w.args, fmt.Sprintf(`-H "%s: ${%s:?value of the header %s}"`, name, variable(name), name))
		}
	}
}

// configured adds the fields that the configuration has in lines, as secrets.
func (w *shellScript) configured(lines []byte, shown map[string]bool) {
	for line := range strings.SplitSeq(string(lines), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(name, "anthropic-version") && !shown["anthropic-version"] {
			shown["anthropic-version"] = true // no secret
			w.args = append(w.args, "-H "+quoteShell(name+": "+value))
		} else if ok {
			w.secret([]string{name}, shown)
		}
	}
}

// given adds the fields of --header, whose values may be secret.
func (w *shellScript) given(o *ReproOptions, shown map[string]bool) {
	var names []string
	for _, h := range o.Headers {
		name, _, _ := strings.Cut(h, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	w.secret(names, shown)
}

// callers adds what is left of the fields that were sent: those that were kept.
func (w *shellScript) callers(lines []byte, shown map[string]bool) {
	for line := range strings.SplitSeq(string(lines), "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && !shown[strings.ToLower(name)] && plainText([]byte(line)) {
			w.args = append(w.args, "-H "+quoteShell(line))
		}
	}
}

// body adds the body; one that was given stays a file.
func (w *shellScript) body(rq *request, given bool) {
	switch {
	case len(rq.body) == 0:
	case given:
		w.args = append(w.args, `--data-binary "@${BODY_FILE:?file with the body that was sent}"`)
	case plainText(rq.body):
		w.args = append(w.args, "--data-binary "+quoteShell(string(rq.body)))
	default:
		w.pipe = "printf %s " + quoteShell(base64.StdEncoding.EncodeToString(rq.body)) + " | base64 -d | "
		w.args = append(w.args, "--data-binary @-")
	}
	if len(rq.body) > 0 && headField(rq.fields, "content-type") == "" {
		w.args = append(w.args, "-H 'Content-Type: application/json'")
	}
}

func (w *shellScript) finish(p *place, path string) string {
	url := p.target() + path
	if p.unix() {
		url = "http://localhost" + path
	}
	w.line("%s%s \\\n  %s%s", w.pipe, strings.Join(w.args, " \\\n  "), quoteShell(url), w.url)
	return w.b.String()
}

func (r *Repro) began() string { return r.sent.UTC().Format("2006-01-02 15:04:05 UTC") }

// seen is an answer in one line.
func seen(a *ReproAnswer) string {
	s := fmt.Sprintf("%d", a.Status)
	if a.Status == 0 {
		s = "no answer"
	}
	if a.Kind != "" {
		s += " (" + string(a.Kind) + ")"
	}
	s += fmt.Sprintf(" after %.0f ms", a.MS)
	if a.Status != 0 {
		s += fmt.Sprintf(", %d bytes", a.Bytes)
	}
	return s
}

// plainText tells whether a body can stand in a script that is shown on a terminal.
func plainText(body []byte) bool {
	return strings.IndexFunc(string(body), func(c rune) bool {
		return c == unicode.ReplacementChar || !unicode.IsPrint(c) && c != '\n' && c != '\t'
	}) < 0
}

// comment keeps a text within its line.
func comment(s string) string { return fault.Clean(s) }

// quoteShell quotes a word for a POSIX shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// variable is the environment variable for a header's value.
func variable(name string) string {
	up := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c - 32
		}
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, name)
	return "UPSTREAM_" + up
}
