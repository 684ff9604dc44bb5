package logs

import "bytes"

// trace follows a stack trace over its lines, since the line that says what happened is the last one
// of Python's and the one before the first frame of Node's.
type trace struct {
	python bool   // between "Traceback" and the exception
	inNode bool   // among "    at" lines
	last   []byte // a copy of the line before, for Node
}

const keptBefore = 300

func (t *trace) remember(b []byte) {
	if len(b) > keptBefore {
		b = b[:keptBefore]
	}
	t.last = append(t.last[:0], b...)
}

// step reads a line without a head that no rule fits. It reports false for one that is no part of a
// stack trace.
func (t *trace) step(p *parser, b []byte, e *entry) bool {
	if t.python {
		if len(b) == 0 || b[0] == ' ' || b[0] == '\t' || bytes.HasPrefix(b, []byte("During handling")) || bytes.HasPrefix(b, []byte("The above exception")) {
			e.form = formTrace
			return true
		}
		if bytes.HasPrefix(b, []byte("Traceback (most")) {
			e.form = formTrace
			return true
		}
		t.python = false
		if named(b) {
			e.form, e.rule, e.text = formTrace, p.known.byID["python-exception"], b
			return true
		}
	}
	if bytes.HasPrefix(b, []byte("Traceback (most recent call last)")) || bytes.HasPrefix(bytes.TrimLeft(b, " |+"), []byte("Traceback (most recent call last)")) {
		t.python = true
		e.form = formTrace
		return true
	}
	frame := bytes.HasPrefix(b, []byte("    at ")) || bytes.HasPrefix(b, []byte("\tat "))
	if frame {
		e.form = formTrace
		if !t.inNode && named(t.last) {
			id := "node-exception"
			if b[0] == '\t' || bytes.Contains(b, []byte(".java:")) {
				id = "java-exception"
			}
			e.rule, e.text = p.known.byID[id], t.last
		}
		t.inNode = true
		return true
	}
	t.inNode = false
	t.remember(b)
	return false
}

// named says whether a line begins with an exception's name: letters, digits, dots and underscores up
// to a colon, or all of it, with a capital and one of the usual endings.
func named(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("Uncaught "))
	end := len(b)
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		end = i
	}
	name := b[:end]
	if len(name) == 0 || len(name) > 120 {
		return false
	}
	for _, c := range name {
		if c != '.' && c != '_' && c != '$' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	for _, ending := range []string{"Error", "Exception", "Exit", "Interrupt", "Timeout", "Warning", "Throwable", "Refused", "Failure"} {
		if bytes.HasSuffix(name, []byte(ending)) {
			return true
		}
	}
	return bytes.IndexByte(name, '.') > 0
}
