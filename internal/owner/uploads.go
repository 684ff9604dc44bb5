package owner

import (
	"bytes"
	"slices"
	"sync"
)

// The longest name of a model that is kept of an upload, and how many names.
const (
	maxModel  = 256
	maxModels = 64
)

// Upload reads on its way which models a file of batched calls names: of each line that is a JSON object, the member
// model of the member body. Its memory does not grow with the file. Feed and Models may be called concurrently.
type Upload struct {
	mu     sync.Mutex
	models []string
	unsure bool

	line   uint8 // what kind of line this is
	prefix []byte
	depth  int
	inText bool
	escape bool
	name   bool   // the text is a member's name
	odd    bool   // the text has an escape
	text   []byte // of the name, or of the model
	long   bool   // it did not fit
	key    string // the name of the member whose value comes, at the depths that matter
	inBody bool
}

// What a line is.
const (
	lineBegins uint8 = iota
	lineOther        // a form's delimiter, header or field
	lineObject
)

// Feed takes the next piece of the upload.
func (u *Upload) Feed(p []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(p) > 0 {
		if u.line == lineOther {
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				u.header(p)
				return
			}
			u.header(p[:i])
			p = p[i:]
		} else if u.line == lineObject && u.inText && !u.escape && u.text == nil {
			// The inside of a text that nobody asks for goes by in one go.
			i := bytes.IndexAny(p, "\"\\\n")
			if i < 0 {
				return
			}
			p = p[i:]
		}
		u.take(p[0])
		p = p[1:]
	}
}

// header looks out for a transfer coding in which lines could not be read.
func (u *Upload) header(p []byte) {
	if room := 64 - len(u.prefix); room > 0 {
		u.prefix = append(u.prefix, p[:min(room, len(p))]...)
	}
}

func (u *Upload) endLine() {
	low := bytes.ToLower(u.prefix)
	if field, value, ok := bytes.Cut(low, []byte{':'}); ok && string(bytes.TrimSpace(field)) == "content-transfer-encoding" {
		switch string(bytes.TrimSpace(value)) {
		case "binary", "8bit", "7bit":
		default:
			u.unsure = true
		}
	}
	if u.line == lineObject && u.depth != 0 {
		u.unsure = true // an object that goes over several lines
	}
	u.line, u.prefix, u.depth, u.inText, u.escape, u.inBody, u.key, u.text = lineBegins, u.prefix[:0], 0, false, false, false, "", nil
}

func (u *Upload) take(c byte) {
	if c == '\n' {
		u.endLine()
		return
	}
	switch u.line {
	case lineBegins:
		switch c {
		case ' ', '\t', '\r', 0xef, 0xbb, 0xbf:
		case '{':
			u.line, u.depth, u.name = lineObject, 1, true
		case '[':
			u.line, u.unsure = lineOther, true
		default:
			u.line, u.prefix = lineOther, append(u.prefix[:0], c)
		}
	case lineObject:
		u.object(c)
	}
}

// object takes a byte of a line that is an object.
func (u *Upload) object(c byte) {
	if u.inText {
		u.inside(c)
		return
	}
	switch c {
	case '"':
		u.inText, u.odd, u.long = true, false, false
		atName := u.name && (u.depth == 1 || u.depth == 2 && u.inBody)
		if u.text = nil; atName || u.depth == 2 && u.inBody && u.key == "model" {
			u.text = make([]byte, 0, 32)
		}
	case '{', '[':
		if u.depth == 1 && u.key == "body" {
			u.inBody = c == '{'
		}
		if u.depth == 2 && u.inBody && u.key == "model" {
			u.unsure = true
		}
		u.depth++
		u.name = c == '{'
		u.key = ""
	case '}', ']':
		if u.depth--; u.depth <= 1 {
			u.inBody = false
		}
		u.name, u.key = false, ""
	case ':':
		u.name = false
	case ',':
		// Behind it comes a name where it stands in an object: at the depths that matter these are the line and its body.
		u.name, u.key = u.depth == 1 || u.depth == 2 && u.inBody, ""
	}
}

// inside takes a byte of a text.
func (u *Upload) inside(c byte) {
	switch {
	case u.escape:
		u.escape = false
	case c == '\\':
		u.escape, u.odd = true, true
	case c == '"':
		u.inText = false
		u.over()
		return
	}
	if u.text != nil {
		if u.long = u.long || len(u.text) >= maxModel; !u.long {
			u.text = append(u.text, c)
		}
	}
}

// over ends a text.
func (u *Upload) over() {
	if u.text == nil {
		return
	}
	text := string(u.text)
	switch {
	case u.name:
		u.key = text
		u.unsure = u.unsure || u.odd // it may be any name
	case u.odd || u.long:
		u.unsure = true
	case !slices.Contains(u.models, text):
		if len(u.models) == maxModels {
			u.unsure = true
			break
		}
		u.models = append(u.models, text)
	}
	u.text = nil
}

// Models are those that the upload has named, as Record.Models has them.
func (u *Upload) Models() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.unsure || len(u.models) == 0 {
		return []string{AnyModel}
	}
	return slices.Clone(u.models)
}
