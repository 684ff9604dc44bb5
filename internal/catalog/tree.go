package catalog

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader makes our tree from the YAML library's.
type reader struct {
	faults   *faultList
	env      func(string) (string, bool)
	lines    []string         // the file's
	anchors  map[string]*node // nil while the anchored value itself is being read
	expanded int
}

// read returns the tree of n. What is faulty becomes a broken node.
func (r *reader) read(n ast.Node) *node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(n.Values, mappingAt(n))
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{n}, at(n.Key.GetToken()))
	case *ast.SequenceNode:
		list := &node{kind: listNode, at: at(n.Start), size: 1}
		for _, item := range n.Values {
			v := r.read(item)
			list.items = append(list.items, v)
			list.size += v.size
		}
		return list
	case *ast.AnchorNode:
		return r.anchor(n)
	case *ast.AliasNode:
		return r.alias(n)
	case *ast.LiteralNode:
		return r.scalar(stringNode, n.Value.Value, at(n.Start))
	case *ast.StringNode:
		return r.scalar(stringNode, n.Value, at(n.Token))
	case *ast.NullNode:
		return &node{kind: nullNode, at: at(n.Token), size: 1}
	case *ast.BoolNode:
		return &node{kind: boolNode, at: at(n.Token), text: n.Token.Value, size: 1}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: numberNode, at: at(n.GetToken()), text: n.GetToken().Value, size: 1}
	}
	where := pos{1, 1}
	if n != nil {
		where = at(n.GetToken())
	}
	r.faults.add(where, "this YAML means nothing in a configuration", "write a key, a value or a list")
	return brokenAt(where)
}

func brokenAt(where pos) *node { return &node{kind: nullNode, at: where, broken: true, size: 1} }

// mapping reads the keys and values, then what is merged in: a key of its own always wins, and
// an earlier merge wins over a later one.
func (r *reader) mapping(values []*ast.MappingValueNode, where pos) *node {
	m := &node{kind: mapNode, at: where, size: 1}
	first := make(map[string]pos, len(values))
	var merges []*node
	for _, v := range values {
		key, where, ok := r.key(v.Key)
		if !ok {
			continue
		}
		if before, twice := first[key]; twice {
			m.twice = append(m.twice, repeated{key: key, at: where, first: before})
			continue
		}
		first[key] = where
		value := r.read(v.Value)
		m.size += value.size
		if key == "<<" && v.Key.IsMergeKey() {
			merges = append(merges, value)
			continue
		}
		m.fields = append(m.fields, field{key: key, at: where, value: value})
	}
	for _, merge := range merges {
		r.merge(m, merge, first)
	}
	return m
}

func (r *reader) merge(m, from *node, has map[string]pos) {
	switch {
	case from.kind == mapNode:
		for _, f := range from.fields {
			if _, taken := has[f.key]; !taken {
				has[f.key] = f.at
				m.fields = append(m.fields, f)
			}
		}
	case from.kind == listNode:
		for _, item := range from.items {
			r.merge(m, item, has)
		}
	case !from.broken:
		r.faults.add(from.at, "<< merges a mapping, and this is "+from.kind.String(), "write <<: *NAME, where NAME is the anchor of a mapping")
	}
}

// key returns a mapping key's text. Environment variables are for values only.
func (r *reader) key(k ast.MapKeyNode) (string, pos, bool) {
	switch k := k.(type) {
	case *ast.MergeKeyNode:
		return "<<", at(k.Token), true
	case *ast.StringNode:
		return k.Value, at(k.Token), true
	case *ast.AnchorNode, *ast.AliasNode, *ast.MappingKeyNode, *ast.TagNode, *ast.LiteralNode:
		r.faults.add(at(k.GetToken()), "a key must be plain text", "write the key's name itself")
		return "", pos{}, false
	}
	return k.GetToken().Value, at(k.GetToken()), true
}

func (r *reader) anchor(n *ast.AnchorNode) *node {
	name := n.Name.GetToken().Value
	r.anchors[name] = nil
	value := r.read(n.Value)
	r.anchors[name] = value
	return value
}

func (r *reader) alias(n *ast.AliasNode) *node {
	where := at(n.Start)
	name := n.Value.GetToken().Value
	value, known := r.anchors[name]
	switch {
	case !known:
		names := slices.Sorted(maps.Keys(r.anchors))
		fix := fmt.Sprintf("put &%s before the value that it stands for, above this line", name)
		if best, near := nearest(name, names); near {
			fix = fmt.Sprintf("did you mean *%s?", best)
		}
		r.faults.add(where, fmt.Sprintf("the alias *%s stands for nothing: no anchor &%s comes before it", name, name), fix)
		return brokenAt(where)
	case value == nil:
		r.faults.add(where, fmt.Sprintf("the alias *%s is inside its own anchor &%s", name, name), "an alias can't hold itself: write the value out")
		return brokenAt(where)
	}
	if r.expanded += value.size; r.expanded > maxExpanded {
		r.faults.add(where, fmt.Sprintf("the file's aliases stand for more than %d values", maxExpanded), "write fewer aliases of aliases")
		return brokenAt(where)
	}
	return value
}

// scalar reads text, with the environment variables put in.
func (r *reader) scalar(kind nodeKind, text string, where pos) *node {
	n := &node{kind: kind, at: where, text: text, size: 1}
	r.substitute(n)
	return n
}

// mappingAt is where a mapping begins: its { or its first key.
func mappingAt(n *ast.MappingNode) pos {
	if n.IsFlowStyle || len(n.Values) == 0 {
		return at(n.Start)
	}
	return at(n.Values[0].Key.GetToken())
}

func firstToken(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	return n.GetToken()
}
