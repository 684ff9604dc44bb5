package route

import "bytes"

// Strip takes the literal part of a rule's pattern before its first wildcard off the path that
// the caller sent, byte for byte: the rest is not normalized. What is left begins with "/";
// for "/orders/*" the path "/orders/1%2F2" becomes "/1%2F2" and "/orders" becomes "/". It is
// right too where the caller escaped or detoured the prefix ("/x/../%6Frders/1"). Nothing is
// allocated for a path in normal form, except after a pattern like "/orders*".
//
// path must have been matched to the rule; for one that was not the result may be nil. The result
// shares path's memory where nothing is allocated.
func (t *Table) Strip(rule int, path []byte) []byte {
	p := &t.patterns[rule]
	if p.whole {
		return path[:1]
	}
	if p.literal == "" {
		return path
	}
	normal, _, err := scan(path)
	if err != nil {
		return nil
	}
	cut := len(p.literal)
	if normal {
		if !bytes.HasPrefix(path, []byte(p.literal)) {
			return nil
		}
	} else {
		n := normalizer{out: make([]byte, 0, len(path)), from: make([]int, 0, len(path)), track: true}
		n.path(path)
		switch {
		case !bytes.HasPrefix(n.out, []byte(p.literal)):
			return nil
		case len(n.out) == cut:
			return path[:1]
		}
		cut = n.from[cut]
	}
	left := path[cut:]
	switch {
	case len(left) == 0:
		return path[:1]
	case left[0] == '/':
		return left
	}
	return append([]byte("/"), left...)
}
