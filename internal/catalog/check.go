package catalog

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// value is a checked value: one that the file holds, or a default.
type value struct {
	node   *node // nil for a default
	at     pos
	name   pos    // of its key, or of itself in a list
	path   string // "services.orders.routes[0].path"
	bad    bool   // a fault was reported for it or for something in it that it can't do without
	v      any    // of a scalar, what its parse returned; nil when absent or bad
	fields map[string]*value
	names  []string // of a mapping: its keys in the order of the file
	keyAt  map[string]pos
	items  []*value
	// meant holds the keys that are there under another name, which was reported.
	meant map[string]bool
}

// set tells whether the file holds it.
func (v *value) set() bool { return v.node != nil }

// get returns the value of a key of the table. It is never nil.
func (v *value) get(name string) *value {
	if f := v.fields[name]; f != nil {
		return f
	}
	return &value{at: v.at, path: join(v.path, name)}
}

// as is the value as a T, or T's zero when it is absent or bad.
func as[T any](v *value) T {
	t, _ := v.v.(T)
	return t
}

// checker holds a file against the table of keys.
type checker struct {
	faults   *faultList
	root     *shape
	defaults map[*key]*value
	// done holds what was checked already, in a file with aliases: what is wrong with a value is
	// said once, wherever it is used again.
	done map[checked]bool
	// guesses counts the names that were compared with an unknown one, to bound that work.
	guesses int
}

type checked struct {
	node  *node
	shape *shape
}

// check returns what n is. at is where to point when n itself is nothing.
func (c *checker) check(n *node, s *shape, path string, at pos) *value {
	v := &value{node: n, at: n.at, name: at, path: path}
	if n.broken {
		v.bad = true
		return v
	}
	if c.done != nil {
		if was := (checked{n, s}); c.done[was] {
			before := c.faults
			c.faults = &faultList{}
			defer func() { c.faults = before }()
		} else {
			c.done[was] = true
		}
	}
	if s.form == anyForm {
		c.anything(v, n)
		return v
	}
	if s.form == scalarForm || s.or && n.kind != mapNode && n.kind != listNode {
		c.scalar(v, s, at)
		if s.or {
			return c.long(v, s)
		}
		return v
	}
	want := mapNode
	if s.form == listForm {
		want = listNode
		if s.word != "" && n.kind == stringNode && n.text == s.word {
			v.v = s.word
			return v
		}
	}
	if n.kind != want && n.kind != nullNode {
		c.faults.add(n.at, fmt.Sprintf("`%s` must be %s, and this is %s", path, want, n.kind), "write "+s.noun)
		v.bad = true
		return v
	}
	if n.kind == nullNode {
		v.at = at
	}
	switch s.form {
	case objectForm:
		c.object(v, s)
	case mappingForm:
		c.mapping(v, s)
	case listForm:
		for i, item := range n.items {
			v.items = append(v.items, c.check(item, s.of, fmt.Sprintf("%s[%d]", path, i), item.at))
		}
	}
	if s.filled && len(n.items) == 0 {
		c.faults.add(v.at, fmt.Sprintf("`%s` is empty", path), "write "+s.noun)
		v.bad = true
	}
	if s.rule != nil {
		s.rule(c, v)
	}
	return v
}

// long makes an object of a value that was written the short way.
func (c *checker) long(short *value, s *shape) *value {
	v := &value{node: short.node, at: short.at, name: short.name, path: short.path, bad: short.bad, fields: map[string]*value{}}
	for i := range s.keys {
		if k := &s.keys[i]; k.def != "" {
			v.fields[k.name] = c.defaultOf(k)
		}
	}
	v.fields["value"] = short
	return v
}

func (c *checker) scalar(v *value, s *shape, at pos) {
	n := v.node
	switch n.kind {
	case nullNode:
		v.bad = true
		c.faults.add(at, fmt.Sprintf("`%s` has no value", v.path), "write "+s.noun)
		return
	case mapNode, listNode:
		v.bad = true
		c.faults.add(n.at, fmt.Sprintf("`%s` must be %s, and this is %s", v.path, s.noun, n.kind), "write one value")
		return
	}
	parsed, w := s.scalar.parse(n.text)
	if w == nil && n.source == "" && !slices.Contains(s.scalar.kinds, n.kind) {
		w = &wrong{message: "is " + n.kind.String() + ", and it must be text", fix: "put it in quotes"}
		if n.kind == stringNode {
			w = &wrong{message: "is text, and it must be " + s.noun, fix: "remove the quotes"}
		}
	}
	if w == nil {
		v.v = parsed
		return
	}
	v.bad = true
	hidden := s.secret || w.secret
	subject, fix := v.path, w.fix
	switch {
	case n.source != "" && hidden:
	case n.source != "":
		// What a variable holds may be a secret: neither it nor a fix made from it is shown.
		subject += ": " + shorten(n.source)
		fix = "set the variable to " + s.noun
	case !hidden:
		subject += ": " + shorten(n.text)
	}
	if strings.Contains(n.text, ": ") && n.source == "" && !w.secret {
		fix += "; or is a comma or a line break missing before the next key?"
	}
	c.faults.add(n.at, fmt.Sprintf("`%s` %s", subject, w.message), fix)
}

// shorten makes a value fit for a message: one line, printable, not long.
func shorten(s string) string {
	var b strings.Builder
	count := 0
	for _, r := range s {
		if count++; count > 60 {
			b.WriteString("...")
			break
		}
		if !unicode.IsPrint(r) {
			r = '\ufffd'
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return `""`
	}
	return b.String()
}

func (c *checker) object(v *value, s *shape) {
	v.fields = make(map[string]*value, len(s.keys))
	for _, f := range v.node.fields {
		k := s.find(f.key)
		switch {
		case k == nil:
			c.unknown(v, s, f)
		case k.notYet:
			fix := "remove it"
			if k.example != "" {
				fix = k.example
			}
			c.faults.add(f.at, fmt.Sprintf("`%s` is not in this version yet", join(v.path, f.key)), fix)
			v.fields[k.name] = &value{node: f.value, at: f.at, path: join(v.path, f.key), bad: true}
		case f.value.kind == nullNode && !f.value.broken && (k.optional || k.shape.form == scalarForm):
			fix := "write " + k.shape.noun
			if !k.required {
				fix += ", or remove the key"
			}
			c.faults.add(f.at, fmt.Sprintf("`%s` has no value", join(v.path, f.key)), fix)
			v.fields[k.name] = &value{node: f.value, at: f.at, path: join(v.path, f.key), bad: true}
		default:
			v.fields[k.name] = c.check(f.value, &k.shape, join(v.path, f.key), f.at)
		}
	}
	c.twice(v, s)
	for i := range s.keys {
		k := &s.keys[i]
		if v.fields[k.name] != nil || k.notYet {
			continue
		}
		switch {
		case v.meant[k.name]:
			v.bad = true
		case k.required:
			v.bad = true
			c.missing(v, k)
		case k.def != "" || k.shape.form == objectForm && !k.optional:
			v.fields[k.name] = c.defaultOf(k)
		}
	}
}

func (c *checker) missing(v *value, k *key) {
	owner := "`" + v.path + "`"
	if v.path == "" {
		owner = "the file"
	}
	c.faults.add(v.name, fmt.Sprintf("%s has no `%s`", owner, k.name), "add "+k.example)
}

// defaultOf is the value of a key that the file does not hold. It is shared: a default is the
// same everywhere.
func (c *checker) defaultOf(k *key) *value {
	if v, ok := c.defaults[k]; ok {
		return v
	}
	v := &value{path: k.name}
	switch {
	case k.shape.form == objectForm:
		v.fields = map[string]*value{}
		for i := range k.shape.keys {
			inner := &k.shape.keys[i]
			if inner.def != "" || inner.shape.form == objectForm && !inner.optional && !inner.notYet {
				v.fields[inner.name] = c.defaultOf(inner)
			}
		}
	case k.shape.form == listForm:
		for item := range strings.SplitSeq(strings.Trim(k.def, "[]"), ", ") {
			parsed, _ := k.shape.of.scalar.parse(item)
			v.items = append(v.items, &value{path: k.name, v: parsed})
		}
	default:
		v.v, _ = k.shape.scalar.parse(k.def)
	}
	c.defaults[k] = v
	return v
}

func (c *checker) mapping(v *value, s *shape) {
	v.fields = make(map[string]*value, len(v.node.fields))
	v.keyAt = make(map[string]pos, len(v.node.fields))
	folded := map[string]pos{}
	for _, f := range v.node.fields {
		if w := s.names.check(f.key); w != nil {
			fix := w.fix
			if strings.Contains(f.key, "${") {
				fix = "environment variables are for values: write the name itself"
			}
			c.faults.add(f.at, fmt.Sprintf("`%s` %s", join(v.path, shorten(f.key)), w.message), fix)
		}
		if lower := strings.ToLower(f.key); s.names.anyCase {
			if first, twice := folded[lower]; twice {
				c.faults.add(f.at, fmt.Sprintf("`%s` is the same header as that at line %d: case does not tell them apart", join(v.path, shorten(f.key)), first.line), "keep one of the two")
			} else {
				folded[lower] = f.at
			}
		}
		v.names = append(v.names, f.key)
		v.keyAt[f.key] = f.at
		v.fields[f.key] = c.check(f.value, s.of, join(v.path, shorten(f.key)), f.at)
	}
	c.twice(v, s)
}

// twice reports the keys that the mapping holds more than once.
func (c *checker) twice(v *value, s *shape) {
	for _, t := range v.node.twice {
		name := "`" + join(v.path, shorten(t.key)) + "`"
		if s.secret && s.find(t.key) == nil {
			name = "a key in `" + v.path + "`"
		}
		c.faults.add(t.at, fmt.Sprintf("%s is here twice; the first is at line %d", name, t.first.line), "keep one of the two")
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
