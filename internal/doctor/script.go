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

// script is a POSIX shell script that makes the direct request with curl, for the upstream's owner. What the
// configuration adds to calls may be secret: each such value is an environment variable that must be set.
func script(o *ReproOptions, svc *catalog.Service, p *place, rq *request, r *Repro) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/sh")
	line("# The request of call %s as it was sent again to %s, without the gateway.", r.CallID, comment(p.target()))
	line("# What was seen then: %s", comment(seen(&r.Kept)))
	if r.Direct != nil {
		line("# What was seen without the gateway on %s: %s", r.began(), comment(seen(r.Direct)))
	}
	for _, n := range r.Notes {
		line("# Note: %s", comment(n))
	}
	line("set -eu")
	args := []string{"curl -sS -i --max-time 120", "-X " + quoteShell(rq.method)}
	url := p.target() + rq.path
	if p.unix() {
		args = append(args, "--unix-socket "+quoteShell(p.url.Path))
		url = "http://localhost" + rq.path
	} else if p.host != "" && p.host != p.url.Host {
		args = append(args, "-H "+quoteShell("Host: "+p.host))
	}
	switch {
	case svc.Upstream.TLS.CAFile != "":
		args = append(args, `--cacert "${UPSTREAM_CA_FILE:?the authority of the upstream, PEM}"`)
	case svc.Upstream.TLS.InsecureSkipVerify:
		args = append(args, "--insecure")
	}
	if svc.Upstream.TLS.CertFile != "" {
		args = append(args, `--cert "${UPSTREAM_CERT_FILE:?the client certificate}"`, `--key "${UPSTREAM_KEY_FILE:?its key}"`)
	}
	switch svc.Upstream.Protocol {
	case "h2":
		args = append(args, "--http2")
	case "h2c":
		args = append(args, "--http2-prior-knowledge")
	}
	names := sortedKeys(svc.Upstream.Headers.Set)
	names = append(names, sortedKeys(svc.Upstream.Headers.Add)...)
	for _, h := range o.Headers {
		name, _, _ := strings.Cut(h, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		args = append(args, fmt.Sprintf(`-H "%s: ${%s:?value of the header %s}"`, name, variable(name), name))
	}
	if kind := headField(rq.fields, "content-type"); kind != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, "content-type") }) {
		args = append(args, "-H "+quoteShell("Content-Type: "+kind))
	}
	pipe := ""
	switch {
	case len(rq.body) == 0:
	case o.Body != nil:
		args = append(args, `--data-binary "@${BODY_FILE:?file with the body that was sent}"`)
	case plainText(rq.body):
		args = append(args, "--data-binary "+quoteShell(string(rq.body)))
	default:
		pipe = "printf %s " + quoteShell(base64.StdEncoding.EncodeToString(rq.body)) + " | base64 -d | "
		args = append(args, "--data-binary @-")
	}
	if i := strings.IndexByte(url, '?'); i >= 0 {
		url = url[:i] // a query may be secret as well
		line(`%s%s \`+"\n"+`  %s"?${QUERY:?the query that was sent}"`, pipe, strings.Join(args, " \\\n  "), quoteShell(url))
	} else {
		line("%s%s \\\n  %s", pipe, strings.Join(args, " \\\n  "), quoteShell(url))
	}
	return b.String()
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
