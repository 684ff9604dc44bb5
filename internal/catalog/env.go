package catalog

import (
	"strings"
	"unicode/utf8"
)

// substitute puts environment variables into a scalar: ${NAME} anywhere in it, and $${ for a
// literal ${. It works on the value that YAML has read, so what a variable holds is never YAML.
func (r *reader) substitute(n *node) {
	if !strings.Contains(n.text, "${") {
		return
	}
	var (
		b     strings.Builder
		rest  = n.text
		taken bool
		find  = finder{lines: r.lines, at: n.at}
	)
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			find.next("$${")
			continue
		}
		b.WriteString(rest[:i])
		name, after, closed := strings.Cut(rest[i+2:], "}")
		if !closed || !variableName(name) {
			message, fix := wrongReference(name, closed)
			r.faults.add(find.next("${"), message, fix)
			n.broken = true
			return
		}
		where := find.next("${" + name + "}")
		value, found := r.env(name)
		if !found {
			r.faults.add(where, "the environment variable `"+name+"` is not set", "set "+name+" before the gateway starts, or write the value here")
			n.broken = true
		}
		b.WriteString(value)
		rest, taken = after, true
	}
	b.WriteString(rest)
	if taken {
		n.source = n.text
	}
	n.text = b.String()
}

func wrongReference(name string, closed bool) (message, fix string) {
	const literal = "write ${NAME} with the name of an environment variable, or $${ for a literal ${"
	switch {
	case !closed:
		return "${ is not closed with }", literal
	case name == "":
		return "${} names no environment variable", literal
	}
	if bare, _, ok := strings.Cut(name, ":"); ok && variableName(bare) {
		return "${" + bare + ":...} has a default, and defaults are not supported", "write ${" + bare + "} and set the variable, or write the value itself"
	}
	return "what is between ${ and } is not the name of an environment variable", literal
}

// variableName tells whether s is a name as POSIX has them: letters, digits and _, no digit first.
func variableName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// finder finds the places of references in the source of a scalar, one after the other.
type finder struct {
	lines []string
	at    pos // where to look from
}

// next returns the place of the next text. Escapes in double quotes can hide it; then the place
// is the scalar's own.
func (f *finder) next(text string) pos {
	for line := f.at.line; line <= len(f.lines) && line < f.at.line+1000; line++ {
		s, skipped := f.lines[line-1], 0
		if line == f.at.line {
			skipped = byteAt(s, f.at.col)
		}
		if i := strings.Index(s[skipped:], text); i >= 0 {
			found := pos{line, utf8.RuneCountInString(s[:skipped+i]) + 1}
			f.at = pos{line, found.col + utf8.RuneCountInString(text)}
			return found
		}
	}
	return f.at
}

// byteAt is the index of the character in column col.
func byteAt(s string, col int) int {
	for i := range s {
		if col--; col <= 0 {
			return i
		}
	}
	return len(s)
}
