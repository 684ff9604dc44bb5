package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"regexp"
	"strings"
)

//go:embed words.md
var words string

// page is the document.
func page(list []provoked, results []result, versions struct{ Requests, Httpx, Python string }) []byte {
	var b bytes.Buffer
	before, after, _ := strings.Cut(words, "<!-- figures -->\n")
	b.WriteString(before)
	b.WriteString("Versions: ")
	for _, r := range results {
		fmt.Fprintf(&b, "%s (%s); ", r.proxy.name, r.version)
	}
	fmt.Fprintf(&b, "Python %s with requests %s and httpx %s.\n\n", versions.Python, versions.Requests, versions.Httpx)
	b.WriteString("| fault |")
	for _, r := range results {
		fmt.Fprintf(&b, " %s |", r.proxy.name)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(results)) + "\n")
	caller, operator := make([]int, len(results)), make([]int, len(results))
	for i, f := range list {
		fmt.Fprintf(&b, "| [%s](#%s) |", f.title, anchor(f.title))
		for n, r := range results {
			o := r.outcomes[i]
			// The reason phrase and the body are the caller's; what the client says by itself of a broken answer is not
			// the proxy's doing, but it is told.
			told := f.names.MatchString(unquoted(o.requests.Said, f.name)) || f.names.MatchString(unquoted(o.requests.Body, f.name))
			logged := f.names.MatchString(strings.Join(withoutPath(o.log, f.name), "\n"))
			if told {
				caller[n]++
			}
			if logged {
				operator[n]++
			}
			fmt.Fprintf(&b, " %s %s %s |", status(o.requests.Status), mark(told, "caller"), mark(logged, "log"))
		}
		b.WriteString("\n")
	}
	b.WriteString("| **named to the caller, in the log** |")
	for n := range results {
		fmt.Fprintf(&b, " **%d, %d** of %d |", caller[n], operator[n], len(list))
	}
	b.WriteString("\n\n")
	b.WriteString(after)
	for i, f := range list {
		fmt.Fprintf(&b, "\n### %s\n\n| | requests | httpx | of the body | its log |\n| --- | --- | --- | --- | --- |\n", f.title)
		for _, r := range results {
			o := r.outcomes[i]
			log := strings.Join(o.log, "\n")
			if log == "" {
				log = "(nothing)"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.proxy.name, cell(o.requests.Said), cell(o.httpx.Said), cell(telling(o.requests.Body, f)), cell(log))
		}
	}
	return b.Bytes()
}

// unquoted and withoutPath take the fault's name out of what only repeats the address asked for.
func unquoted(s, name string) string {
	if i := strings.Index(s, " for url"); i >= 0 {
		s = s[:i]
	}
	return strings.ReplaceAll(s, "/"+name+"/", "/")
}

// telling is the line of a body that names the fault, or else its first that is more than the beginning of markup.
func telling(body string, f provoked) string {
	first := ""
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if f.names.MatchString(unquoted(line, f.name)) {
			return line
		}
		if first == "" && line != "<html>" && line != "<html><head>" && !strings.HasPrefix(line, "<!DOCTYPE") {
			first = line
		}
	}
	return first
}

func withoutPath(lines []string, name string) []string {
	out := make([]string, len(lines))
	for i, s := range lines {
		s = strings.ReplaceAll(s, "/"+name+"/x", "/x")
		s = strings.ReplaceAll(s, " "+name+"/", " backend/") // HAProxy: backend/server
		s = strings.ReplaceAll(s, "service="+name, "service=x")
		out[i] = s
	}
	return out
}

func status(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}

func mark(named bool, where string) string {
	if named {
		return where
	}
	return "~~" + where + "~~"
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 -]`)

func anchor(title string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// longest is what of a text is shown: the beginning, which is what people read.
const longest = 420

var resolvers = regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}:53\b`)

var ports = regexp.MustCompile(`(127\.0\.0\.1|localhost|127\.0\.0\.\d):\d{4,5}`)

func cell(s string) string {
	if s == "" {
		return "(empty)"
	}
	s = resolvers.ReplaceAllString(ports.ReplaceAllString(s, "$1:PORT"), "RESOLVER")
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + " ..."
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = "<code>" + strings.ReplaceAll(html.EscapeString(l), "|", "&#124;") + "</code>"
	}
	return strings.Join(lines, "<br>")
}
