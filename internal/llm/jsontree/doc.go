// Package jsontree reads a JSON text once into a flat list of nodes and notes which of them have been
// looked at. A dialect that translates a request takes what it knows, and what nobody looked at is by
// that known to be lost: the report of a translation does not depend on anybody's memory.
//
// It also writes JSON: Writer appends objects and arrays without a tree.
package jsontree

import (
	"strconv"
	"strings"
	"unsafe"

	"causeway/internal/llm/jsonscan"
)

// maxOpen is how deep containers are laid open; what nests deeper is one node whose Raw is the text.
const maxOpen = 64

// Fault says where a text is not what its reader needs.
type Fault struct {
	Pointer string // RFC 6901, "" for the whole text
	Offset  int    // of the byte in the text
	Problem string // "is missing", "must be a string"
}

func (f *Fault) Error() string {
	what := "the body"
	if f.Pointer != "" {
		what = f.Pointer
	}
	return what + " " + f.Problem + " (at byte " + strconv.Itoa(f.Offset) + ")"
}

type use uint8

const (
	unseen use = iota
	seen       // looked at; its members count for themselves
	whole      // taken with all that is in it
)

type entry struct {
	at      jsonscan.Span // of the value
	key     jsonscan.Span // of the member's name between its quotes; empty in arrays
	parent  int32
	next    int32 // the index after its subtree
	kind    jsonscan.Kind
	escaped bool // the string has escapes
	keyEsc  bool
	open    bool // its members are nodes
	use     use
}

// Doc is one text that has been read. It must not be used concurrently.
type Doc struct {
	text  []byte
	nodes []entry
	share bool
	fault *Fault
}

// Parse reads text, which must stay as it is while the Doc is used. The error is a *Fault whose pointer
// names the value in which the text breaks. With share, strings without escapes are views of text and not copies: right for a body
// that lives as long as what is made of it, wrong for the events of a stream.
func Parse(text []byte, share bool) (*Doc, error) {
	d := &Doc{share: share}
	return d, d.Reset(text)
}

// Reset reads another text and reuses the memory.
func (d *Doc) Reset(text []byte) error {
	d.text, d.nodes, d.fault = text, d.nodes[:0], nil
	if cap(d.nodes) == 0 {
		d.nodes = make([]entry, 0, 16+len(text)/24)
	}
	var scan jsonscan.Scanner
	scan.Reset(text)
	d.value(&scan, -1, 0, jsonscan.Key{})
	if err := scan.Err(); err != nil {
		at, problem := 0, err.Error()
		if s, ok := err.(*jsonscan.SyntaxError); ok {
			at, problem = s.Offset, s.Problem
		}
		d.nodes = d.nodes[:0]
		d.fault = &Fault{Pointer: scan.Place(at), Offset: at, Problem: "is not valid JSON: " + problem}
		return d.fault
	}
	return nil
}

func (d *Doc) value(scan *jsonscan.Scanner, parent int32, depth int, k jsonscan.Key) {
	i := len(d.nodes)
	e := entry{parent: parent, kind: scan.Peek(), keyEsc: k.Escaped}
	if k.Raw != nil {
		e.key = jsonscan.Span{From: k.At + 1, To: k.At + 1 + len(k.Raw)}
	}
	e.at.From = scan.Offset()
	container := e.kind == jsonscan.Object || e.kind == jsonscan.Array
	if !container || depth >= maxOpen {
		if e.kind == jsonscan.String {
			e.at, e.escaped = scan.Text()
		} else {
			e.at = scan.Skip()
		}
		e.next = int32(i + 1)
		d.nodes = append(d.nodes, e)
		return
	}
	e.open = true
	d.nodes = append(d.nodes, e)
	if e.kind == jsonscan.Object {
		var m jsonscan.Key
		for ok := scan.Object(); ok && scan.Member(&m); {
			d.value(scan, int32(i), depth+1, m)
		}
	} else {
		for ok := scan.Array(); ok && scan.Element(); {
			d.value(scan, int32(i), depth+1, jsonscan.Key{})
		}
	}
	d.nodes[i].at.To = scan.Offset()
	d.nodes[i].next = int32(len(d.nodes))
}

// Root is the outermost value. It does not exist when the text was no JSON.
func (d *Doc) Root() Node {
	if len(d.nodes) == 0 {
		return Node{}
	}
	return d.node(0)
}

func (d *Doc) node(i int32) Node {
	if d.nodes[i].use == unseen {
		d.nodes[i].use = seen
	}
	return Node{d, i}
}

// Fail notes that n is not what it must be. The first such fault counts.
func (d *Doc) Fail(n Node, problem string) {
	if d.fault == nil {
		d.fault = &Fault{Pointer: n.Pointer(), Offset: n.Offset(), Problem: problem}
	}
}

// Missing notes that the member name of n must be there and is not.
func (d *Doc) Missing(n Node, name string) {
	if d.fault == nil {
		d.fault = &Fault{Pointer: n.Pointer() + "/" + escapePointer(name), Offset: n.Offset(), Problem: "is missing"}
	}
}

// Fault is the first thing found wrong, nil when nothing was.
func (d *Doc) Fault() *Fault { return d.fault }

// Ref names a node of a Doc, to be kept in what was made of it. The zero Ref names none.
type Ref int32

// At is the node that r names; without one, a node that does not exist.
func (d *Doc) At(r Ref) Node {
	if d == nil || r <= 0 || int(r) > len(d.nodes) {
		return Node{}
	}
	return Node{d, int32(r) - 1}
}

// Unused lists the outermost nodes that nobody has looked at. Members that are null say nothing and are
// left out.
func (d *Doc) Unused() (list []Node) {
	for i := int32(0); int(i) < len(d.nodes); {
		e := &d.nodes[i]
		switch {
		case e.use == whole:
			i = e.next
		case e.use == seen:
			i++
		default:
			if e.kind != jsonscan.Null {
				list = append(list, Node{d, i})
			}
			i = e.next
		}
	}
	return list
}

// Node is one value of a Doc. The zero Node does not exist: it has no kind, no members and no text.
type Node struct {
	d *Doc
	i int32
}

// Exists tells whether there is such a value, be it null.
func (n Node) Exists() bool { return n.d != nil }

// Said tells whether there is such a value and it is not null.
func (n Node) Said() bool { return n.d != nil && n.d.nodes[n.i].kind != jsonscan.Null }

// Kind is the value's kind, jsonscan.None where it does not exist.
func (n Node) Kind() jsonscan.Kind {
	if n.d == nil {
		return jsonscan.None
	}
	return n.d.nodes[n.i].kind
}

// IsString, IsObject and IsArray tell the kind.
func (n Node) IsString() bool { return n.Kind() == jsonscan.String }

// IsObject tells whether the value is an object.
func (n Node) IsObject() bool { return n.Kind() == jsonscan.Object }

// IsArray tells whether the value is an array.
func (n Node) IsArray() bool { return n.Kind() == jsonscan.Array }

// Ref names the node.
func (n Node) Ref() Ref {
	if n.d == nil {
		return 0
	}
	return Ref(n.i + 1)
}

// Offset is where the value begins in the text.
func (n Node) Offset() int {
	if n.d == nil {
		return 0
	}
	return n.d.nodes[n.i].at.From
}

// Name is the member's name, "" for an element.
func (n Node) Name() string {
	if n.d == nil {
		return ""
	}
	e := &n.d.nodes[n.i]
	raw := e.key.Of(n.d.text)
	if e.keyEsc {
		return string(jsonscan.Unquote(nil, raw))
	}
	return string(raw)
}

// Get is the object's member of this name, one that does not exist when there is none or n is no
// object. A name that stands twice is a fault: which of the two counts is not defined.
func (n Node) Get(name string) Node {
	var found Node
	if n.Kind() != jsonscan.Object {
		return found
	}
	d := n.d
	for i, end := n.i+1, d.nodes[n.i].next; i < end; i = d.nodes[i].next {
		e := &d.nodes[i]
		if e.key.Len() != len(name) && !e.keyEsc {
			continue
		}
		raw := e.key.Of(d.text)
		if string(raw) != name && (!e.keyEsc || string(jsonscan.Unquote(nil, raw)) != name) {
			continue
		}
		if found.d != nil {
			d.Fail(Node{d, i}, "stands twice, and which of the two counts is not defined")
			return found
		}
		if e.keyEsc {
			d.Fail(Node{d, i}, "is written in a way that some readers take for \""+name+"\" and others do not")
		}
		found = d.node(i)
	}
	return found
}

// First is the first of several members that is said: an API's name for it in snake case and in camel
// case, or an old name and a new one. All of them count as looked at.
func (n Node) First(names ...string) Node {
	var found Node
	for _, name := range names {
		if m := n.Get(name); m.Said() && !found.Exists() {
			found = m
		}
	}
	return found
}

// Each calls f for each element of an array, or each member of an object, and looks at them.
func (n Node) Each(f func(i int, e Node)) {
	if n.d == nil {
		return
	}
	k := 0
	for i, end := n.i+1, n.d.nodes[n.i].next; i < end; i = n.d.nodes[i].next {
		f(k, n.d.node(i))
		k++
	}
}

// Len is how many elements or members the value has.
func (n Node) Len() (count int) {
	if n.d == nil {
		return 0
	}
	for i, end := n.i+1, n.d.nodes[n.i].next; i < end; i = n.d.nodes[i].next {
		count++
	}
	return count
}

// Str is the value of a string; "" of null and of what does not exist. Anything else is a fault.
func (n Node) Str() string {
	switch n.Kind() {
	case jsonscan.String:
		return n.text()
	case jsonscan.None, jsonscan.Null:
	default:
		n.d.Fail(n, "must be a string")
	}
	return ""
}

func (n Node) text() string {
	e := &n.d.nodes[n.i]
	raw := n.d.text[e.at.From+1 : e.at.To-1]
	switch {
	case e.escaped:
		return view(jsonscan.Unquote(make([]byte, 0, len(raw)), raw))
	case n.d.share:
		return view(raw)
	}
	return string(raw)
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Int is the value of a whole number; ok is false of null and of what does not exist. Anything else is a
// fault.
func (n Node) Int() (v int64, ok bool) {
	switch n.Kind() {
	case jsonscan.Number:
		raw := n.d.nodes[n.i].at.Of(n.d.text)
		if v, err := strconv.ParseInt(view(raw), 10, 64); err == nil {
			return v, true
		}
		if f, err := strconv.ParseFloat(view(raw), 64); err == nil && f == float64(int64(f)) {
			return int64(f), true
		}
		n.d.Fail(n, "must be a whole number")
	case jsonscan.None, jsonscan.Null:
	default:
		n.d.Fail(n, "must be a whole number")
	}
	return 0, false
}

// Float is the value of a number; ok is false of null and of what does not exist. Anything else is a fault.
func (n Node) Float() (v float64, ok bool) {
	switch n.Kind() {
	case jsonscan.Number:
		v, err := strconv.ParseFloat(view(n.d.nodes[n.i].at.Of(n.d.text)), 64)
		if err == nil {
			return v, true
		}
		n.d.Fail(n, "is too large a number")
	case jsonscan.None, jsonscan.Null:
	default:
		n.d.Fail(n, "must be a number")
	}
	return 0, false
}

// Bool is the value of true or false; ok is false of null and of what does not exist. Anything else is a
// fault.
func (n Node) Bool() (v, ok bool) {
	switch n.Kind() {
	case jsonscan.True:
		return true, true
	case jsonscan.False:
		return false, true
	case jsonscan.None, jsonscan.Null:
	default:
		n.d.Fail(n, "must be true or false")
	}
	return false, false
}

// Raw is the value's own text, and counts as taken with all that is in it; nil where it does not exist.
func (n Node) Raw() []byte {
	if n.d == nil {
		return nil
	}
	e := &n.d.nodes[n.i]
	e.use = whole
	return e.at.Of(n.d.text)
}

// Copy is Raw for one that copies what no reader knows: how the value was looked at stays as it is.
func (n Node) Copy() []byte {
	if n.d == nil {
		return nil
	}
	return n.d.nodes[n.i].at.Of(n.d.text)
}

// Settle counts the value as taken with all that is in it: what it says is carried by other means, or
// asks for nothing that is not so anyway.
func (n Node) Settle() {
	if n.d != nil {
		n.d.nodes[n.i].use = whole
	}
}

// Leave undoes that the value was looked at: it is to be told as lost.
func (n Node) Leave() {
	if n.d != nil {
		n.d.nodes[n.i].use = unseen
	}
}

// Pointer is the value's RFC 6901 pointer, "" for the outermost.
func (n Node) Pointer() string { return n.path("/", escapePointer) }

// Path is the value's place as error messages and reports write it: "messages.0.content".
func (n Node) Path() string {
	return strings.TrimPrefix(n.path(".", func(s string) string { return s }), ".")
}

func (n Node) path(sep string, escape func(string) string) string {
	if n.d == nil || n.i == 0 {
		return ""
	}
	d := n.d
	parent := Node{d, d.nodes[n.i].parent}
	name := ""
	if parent.Kind() == jsonscan.Array {
		at := 0
		for i := parent.i + 1; i < n.i; i = d.nodes[i].next {
			at++
		}
		name = strconv.Itoa(at)
	} else {
		name = escape(n.Name())
	}
	return parent.path(sep, escape) + sep + name
}

func escapePointer(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}
