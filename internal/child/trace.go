package child

import (
	"strings"

	"causeway/internal/journey"
)

// mostFrames is how many lines of a traceback are kept: its begin and its end say most.
const mostFrames = 14

// traceback finds the last traceback among lines, nil where there is none. It knows the forms that Python,
// Node.js, Go and Java print by themselves; what a logger puts before them on the same line may stand there.
func traceback(lines []string) *journey.Traceback {
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i:]
		for _, read := range []func([]string) *journey.Traceback{python, golang, atLines} {
			if t := read(rest); t != nil {
				t.Lines = shorten(t.Lines)
				return t
			}
		}
	}
	return nil
}

func shorten(lines []string) []string {
	if len(lines) <= mostFrames {
		return lines
	}
	const head = 4
	short := append([]string{}, lines[:head]...)
	short = append(short, "    ...")
	return append(short, lines[len(lines)-(mostFrames-head-1):]...)
}

func indented(s string) bool { return strings.HasPrefix(s, " ") }

// python reads the form of the module traceback: a headline, indented frames, the exception's line.
func python(lines []string) *journey.Traceback {
	if !strings.HasSuffix(lines[0], "Traceback (most recent call last):") {
		return nil
	}
	t := &journey.Traceback{Language: "Python", Lines: lines[:1]}
	for i, l := range lines[1:] {
		t.Lines = lines[:i+2]
		if !indented(l) {
			t.Error = l
			break
		}
		if file, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimLeft(l, " "), "File \""), "\", line "); ok && strings.Contains(l, "File \"") {
			number, in, _ := strings.Cut(rest, ", in ")
			t.Where = base(file) + ":" + number
			if in != "" {
				t.Where += " in " + in
			}
		}
	}
	return t
}

// golang reads a panic or a fatal error of Go's runtime, and that which net/http recovers from: a line with the
// reason, and soon after it a goroutine's frames.
func golang(lines []string) *journey.Traceback {
	first := lines[0]
	at := -1
	for _, mark := range []string{"panic: ", "fatal error: ", "http: panic serving "} {
		if i := strings.Index(first, mark); i >= 0 {
			at = i
			break
		}
	}
	if at < 0 {
		return nil
	}
	t := &journey.Traceback{Language: "Go", Error: first[at:]}
	frames := false
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "goroutine "):
			if frames {
				return t
			}
			frames = true
		case !frames && i > 12:
			return nil
		case frames && t.Where == "" && indented(l):
			place, _, _ := strings.Cut(strings.TrimLeft(l, " "), " +0x")
			if ours := strings.HasSuffix(place, ".go") || strings.Contains(place, ".go:"); ours && !strings.Contains(place, "/src/runtime/") && !strings.Contains(place, "/src/net/http/") {
				t.Where = base(place)
				if i > 0 {
					function, _, _ := strings.Cut(lines[i-1], "(")
					t.Where += " in " + function
				}
			}
		}
		t.Lines = lines[:i+1]
	}
	if !frames {
		return nil
	}
	return t
}

// atLines reads the forms of V8 and of the JVM: the exception's line, then lines that begin with "at".
func atLines(lines []string) *journey.Traceback {
	if len(lines) < 2 || indented(lines[0]) || !strings.HasPrefix(strings.TrimLeft(lines[1], " "), "at ") || !indented(lines[1]) {
		return nil
	}
	t := &journey.Traceback{Language: "Node.js", Error: strings.TrimPrefix(lines[0], "Uncaught ")}
	for i, l := range lines[1:] {
		l = strings.TrimLeft(l, " ")
		place, ok := strings.CutPrefix(l, "at ")
		if !ok && !strings.HasPrefix(l, "... ") && !strings.HasPrefix(l, "Caused by: ") {
			break
		}
		t.Lines = lines[:i+2]
		if strings.Contains(place, ".java:") || strings.Contains(place, "(Native Method)") || strings.Contains(place, "(Unknown Source)") {
			t.Language = "Java"
		}
		if t.Where == "" && ok && !strings.Contains(place, "node:") && !strings.HasPrefix(place, "java.") && !strings.HasPrefix(place, "java.base/") {
			t.Where = frame(place)
		}
	}
	if name, rest, ok := strings.Cut(t.Error, "\" "); ok && strings.HasPrefix(name, "Exception in thread") {
		t.Error, t.Language = rest, "Java"
	}
	if !strings.Contains(t.Error, "Error") && !strings.Contains(t.Error, "Exception") {
		return nil
	}
	return t
}

// frame is "handle (/srv/app.js:12:5)" or "com.acme.App.main(App.java:7)" as a place.
func frame(place string) string {
	function, file, ok := strings.Cut(strings.TrimSuffix(place, ")"), "(")
	if !ok {
		return base(place)
	}
	return base(file) + " in " + strings.TrimSpace(function)
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
