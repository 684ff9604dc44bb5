package probe

import (
	"bytes"
	"encoding/json"
	"html"
	"mime"
	"strings"
	"unicode/utf8"
)

// Shape is what an answer's body is made of, as opposed to what it says it is.
type Shape struct {
	Said string // the media type of Content-Type, lower case without parameters; "" for none
	// Is is "json", "html", "xml", "events", "text", "binary" or "empty".
	Is string
	// Title is an HTML page's title, or an OpenAPI description's; "" for none.
	Title string
	// OpenAPI is the version of the OpenAPI or Swagger description that the body is, "" when it is none.
	OpenAPI string
	Members []string // the names of a JSON object's first members, at most 12
	Items   int      // of a JSON array; -1 for anything else
	// Problem is one phrase on where what it says and what it is disagree, "" when they agree.
	Problem string
}

// ShapeOf reads a body, or its beginning: whole says which.
func ShapeOf(contentType string, body []byte, whole bool) Shape {
	s := Shape{Items: -1}
	s.Said, _, _ = mime.ParseMediaType(contentType)
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0:
		s.Is = "empty"
	case s.Said == "text/event-stream":
		s.Is = "events"
	case text[0] == '{' || text[0] == '[':
		s.json(text, whole)
	case looksHTML(text):
		s.Is, s.Title = "html", titleOf(text)
	case bytes.HasPrefix(text, []byte("<?xml")):
		s.Is = "xml"
	case !textual(text):
		s.Is = "binary"
	case whole && json.Valid(text):
		s.Is = "json"
	default:
		s.Is = "text"
		s.yaml(text)
	}
	s.compare(whole)
	return s
}

func (s *Shape) saysJSON() bool {
	return s.Said == "application/json" || strings.HasSuffix(s.Said, "+json")
}

// compare sets Problem.
func (s *Shape) compare(whole bool) {
	switch {
	case s.saysJSON() && s.Is == "html":
		s.Problem = "it says " + s.Said + " and is an HTML page"
	case s.saysJSON() && s.Is == "empty" && whole:
		s.Problem = "it says " + s.Said + " and is empty"
	case s.saysJSON() && s.Is != "json" && whole:
		s.Problem = "it says " + s.Said + " and is not valid JSON"
	case s.Said == "text/html" && s.Is == "json" && whole:
		s.Problem = "it says text/html and is JSON"
	}
}

// json reads what begins as JSON. A part of a body can't be told valid; its first members can.
func (s *Shape) json(text []byte, whole bool) {
	if whole && !json.Valid(text) {
		s.Is = "text"
		return
	}
	s.Is = "json"
	d := json.NewDecoder(bytes.NewReader(text))
	if text[0] == '[' {
		s.Items = items(d)
		return
	}
	const most = 12
	_, _ = d.Token()
	for d.More() {
		name, err := d.Token()
		key, ok := name.(string)
		if err != nil || !ok {
			return
		}
		if len(s.Members) < most {
			s.Members = append(s.Members, clip(key))
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return
		}
		switch key {
		case "openapi", "swagger":
			var v string
			if json.Unmarshal(value, &v) == nil {
				s.OpenAPI = clip(v)
			}
		case "info":
			var v struct{ Title, Version string }
			if json.Unmarshal(value, &v) == nil {
				s.Title = clip(strings.TrimSpace(v.Title + " " + v.Version))
			}
		}
	}
	if s.OpenAPI == "" {
		s.Title = ""
	}
}

// items counts an array's elements.
func items(d *json.Decoder) (n int) {
	_, _ = d.Token()
	for d.More() {
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		n++
	}
	return n
}

// yaml knows an OpenAPI description by its first line.
func (s *Shape) yaml(text []byte) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for _, key := range []string{"openapi:", "swagger:"} {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			s.OpenAPI = clip(strings.Trim(string(rest), " \"'\r"))
		}
	}
}

func looksHTML(text []byte) bool {
	head := bytes.ToLower(text[:min(len(text), 256)])
	for _, mark := range []string{"<!doctype html", "<html", "<head", "<body", "<center>"} {
		if bytes.Contains(head, []byte(mark)) {
			return true
		}
	}
	return false
}

func titleOf(text []byte) string {
	lower := bytes.ToLower(text[:min(len(text), 16<<10)])
	from := bytes.Index(lower, []byte("<title"))
	if from < 0 {
		return ""
	}
	open := bytes.IndexByte(lower[from:], '>')
	if open < 0 {
		return ""
	}
	from += open + 1
	to := bytes.Index(lower[from:], []byte("</title"))
	if to < 0 || len(lower) != len(text[:min(len(text), 16<<10)]) {
		return ""
	}
	return clip(strings.Join(strings.Fields(html.UnescapeString(string(text[from:from+to]))), " "))
}

// textual says whether bytes are text that a person could read. A character may be cut at the end.
func textual(b []byte) bool {
	b = b[:min(len(b), 4096)]
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && len(b)-i >= utf8.UTFMax || r == 0 {
			return false
		}
		i += n
	}
	return true
}
