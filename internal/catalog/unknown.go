package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// unknown reports a key that the table does not have, with the one that was probably meant.
func (c *checker) unknown(v *value, s *shape, f field) {
	if c.faults.full() {
		return
	}
	known := s.keyNames()
	best, near := nearest(f.key, known)
	where := "`" + v.path + "`"
	if v.path == "" {
		where = "the file"
	}
	if v.meant == nil {
		v.meant = map[string]bool{}
	}
	if s.secret && !near && s.meant(f.key) == "" {
		// A key in the place of a name may be the secret itself.
		v.meant["value"] = true
		c.faults.add(f.at, fmt.Sprintf("unknown key in %s", where), "its keys are "+listed(known, "and"))
		return
	}
	fix := fmt.Sprintf("the nearest is `%s`; the keys here are %s", best, listed(known, "and"))
	if meant := s.meant(f.key); meant != "" {
		v.meant[meant] = true
		fix = fmt.Sprintf("did you mean `%s`?", meant)
	} else if inner := places(s, f.key); len(inner) > 0 {
		fix = fmt.Sprintf("`%s` belongs at `%s`", f.key, join(v.path, inner[0]))
	} else if near {
		v.meant[best] = true
		fix = fmt.Sprintf("did you mean `%s`?", best)
	} else if far := places(c.root, f.key); len(far) > 0 {
		fix = fmt.Sprintf("`%s` belongs at `%s`", f.key, strings.Join(far[:min(len(far), 2)], "` or `"))
	}
	c.faults.add(f.at, fmt.Sprintf("unknown key `%s` in %s", shorten(f.key), where), fix)
}

// meant returns the key that users of other gateways know by this name.
func (s *shape) meant(name string) string {
	for _, k := range s.keys {
		if !k.notYet && slices.Contains(k.aka, name) {
			return k.name
		}
	}
	return ""
}

// places lists where below s a key of this name belongs, the highest first: "upstream.targets".
func places(s *shape, name string) []string {
	type step struct {
		shape *shape
		path  string
	}
	var found []string
	for queue := []step{{s, ""}}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		if here.shape == nil {
			continue
		}
		for i := range here.shape.keys {
			k := &here.shape.keys[i]
			path := join(here.path, k.name)
			if k.notYet {
				continue
			}
			if k.name == name {
				found = append(found, path)
			}
			switch k.shape.form {
			case objectForm:
				queue = append(queue, step{&k.shape, path})
			case listForm:
				queue = append(queue, step{k.shape.of, path + "[]"})
			case mappingForm:
				queue = append(queue, step{k.shape.of, path + ".NAME"})
			}
		}
	}
	return found
}
