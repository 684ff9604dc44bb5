package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// anyOf is a value whose form is not ours to say: a JSON Schema, a default.
func anyOf(noun string) shape { return shape{form: anyForm, noun: noun} }

// anything takes n as it is, and reports keys that stand twice in it.
func (c *checker) anything(v *value, n *node) {
	for _, t := range n.twice {
		c.faults.add(t.at, fmt.Sprintf("`%s` is here twice; the first is at line %d", join(v.path, shorten(t.key)), t.first.line), "keep one of the two")
		v.bad = true
	}
	v.bad = v.bad || n.broken
	for _, f := range n.fields {
		c.anything(v, f.value)
	}
	for _, item := range n.items {
		c.anything(v, item)
	}
}

// jsonable tells whether JSON has such a value.
func jsonable(n *node) bool {
	_, problem := appendJSON(nil, n)
	return problem == nil
}

// appendJSON writes a value of the file as JSON. problem is the first part of it that JSON does not have: a number
// such as .inf or 0x10.
func appendJSON(dst []byte, n *node) (_ []byte, problem *node) {
	switch n.kind {
	case nullNode:
		return append(dst, "null"...), nil
	case boolNode:
		b, err := strconv.ParseBool(n.text)
		if err != nil {
			return dst, n
		}
		return strconv.AppendBool(dst, b), nil
	case numberNode:
		if !json.Valid([]byte(n.text)) {
			return dst, n
		}
		return append(dst, n.text...), nil
	case stringNode:
		text, err := json.Marshal(n.text)
		if err != nil {
			return dst, n
		}
		return append(dst, text...), nil
	case listNode:
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, problem = appendJSON(dst, item); problem != nil {
				return dst, problem
			}
		}
		return append(dst, ']'), nil
	}
	dst = append(dst, '{')
	for i, f := range n.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		name, err := json.Marshal(f.key)
		if err != nil {
			return dst, n
		}
		dst = append(append(dst, name...), ':')
		if dst, problem = appendJSON(dst, f.value); problem != nil {
			return dst, problem
		}
	}
	return append(dst, '}'), nil
}
