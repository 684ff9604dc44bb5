package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// nodeKind is what a value is in YAML.
type nodeKind int

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	mapNode
	listNode
)

// String names the kind for a message.
func (k nodeKind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a mapping", "a list"}[k]
}

// node is one value of the file: aliases resolved, merge keys merged, environment variables put
// in. Nodes are shared between the places that alias them and never changed.
type node struct {
	kind   nodeKind
	at     pos
	text   string  // a scalar's text
	source string  // a scalar's text as it is written, when it takes environment variables; else ""
	broken bool    // a fault was reported for it already; its text means nothing
	fields []field // of a mapping, in the order of the file
	twice  []repeated
	items  []*node // of a list
	size   int     // values in it, itself included
}

type field struct {
	key   string
	at    pos
	value *node
}

// repeated is a key that its mapping has already. Whoever knows what the keys mean reports it:
// a key may be a secret in the wrong place.
type repeated struct {
	key       string
	at, first pos
}

// readYAML turns a file's bytes into a tree, or reports why it can't. The tree is nil when the
// file is not YAML that can be read; other faults leave broken nodes in it. aliases tells whether
// there are any.
func readYAML(faults *faultList, data []byte, env func(string) (string, bool)) (root *node, aliases bool) {
	if len(data) > maxFile {
		faults.add(pos{1, 1}, fmt.Sprintf("the file is larger than %d MiB", maxFile>>20), "split off what is not configuration")
		return nil, false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !plainText(faults, data) {
		return nil, false
	}
	source := string(data)
	file := parseYAML(faults, source)
	if file == nil {
		return nil, false
	}
	r := &reader{faults: faults, env: env, lines: strings.Split(source, "\n"), anchors: map[string]*node{}}
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.CommentGroupNode:
		case *ast.DirectiveNode:
			faults.add(at(body.GetToken()), "a YAML directive (a line that begins with %) means nothing here", "remove the line")
			return nil, false
		default:
			if root != nil {
				faults.add(at(firstToken(body)), "a second YAML document begins here", "keep one document in a file: remove the --- line before it")
				return nil, false
			}
			root = r.read(body)
		}
	}
	if root == nil {
		faults.add(pos{1, 1}, "the file holds no configuration", "begin with version: 1")
	}
	return root, r.expanded > 0
}

// plainText reports the first byte that YAML text can't hold.
func plainText(faults *faultList, data []byte) bool {
	here := pos{1, 1}
	tabs, tabWork := 0, 0
	indent := true // nothing but white space on this line yet
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			faults.add(here, "the file is not UTF-8 text: a byte here belongs to no character", "save the file as UTF-8")
			return false
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f:
			faults.add(here, fmt.Sprintf("the file holds a control character (U+%04X)", r), `remove it, or write it as "\x`+fmt.Sprintf("%02x", r)+`" in double quotes`)
			return false
		case indent && r > 0x7f && unicode.IsSpace(r) && r != '\u0085' && r != '\u2028' && r != '\u2029':
			faults.add(here, fmt.Sprintf("this line is indented with U+%04X, which looks like a space and is none", r), "indent with plain spaces")
			return false
		}
		indent = r == '\n' || r == '\r' || indent && r == ' '
		i += size
		here.col++
		switch r {
		case '\t':
			tabs++
		case '\n':
			tabWork += tabs * here.col
			here, tabs = pos{here.line + 1, 1}, 0
		}
		if tabWork+tabs*here.col > maxTabWork {
			faults.add(here, "the file has too many tabs", "indent with spaces")
			return false
		}
	}
	return true
}

// parseYAML is the YAML library's parser behind our bounds. It returns nil after a fault.
func parseYAML(faults *faultList, source string) (file *ast.File) {
	// The parser is not ours; a bug in it must be one refused file, not the end of the gateway.
	defer func() {
		if recover() != nil {
			faults.add(pos{1, 1}, "the file could not be read as YAML", "check its indentation, quotes and brackets")
			file = nil
		}
	}()
	tokens, ok := tokenize(faults, source, maxTokens)
	if !ok {
		return nil
	}
	file, err := parser.Parse(wholeScalars(tokens), 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file
	}
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		faults.add(pos{1, 1}, "the file could not be read as YAML", "check its indentation, quotes and brackets")
		return nil
	}
	message, fix := explainSyntax(syntax.GetMessage(), lineAfter(source, syntax.GetToken()))
	faults.add(at(syntax.GetToken()), message, fix)
	return nil
}

// lineAfter is what follows a token's beginning on its line.
func lineAfter(source string, tk *token.Token) string {
	where, line := at(tk), 1
	for text := range strings.Lines(source) {
		if line == where.line {
			return text[byteAt(text, where.col):]
		}
		line++
	}
	return ""
}

func at(tk *token.Token) pos {
	if tk == nil || tk.Position == nil {
		return pos{1, 1}
	}
	return pos{tk.Position.Line, tk.Position.Column}
}
