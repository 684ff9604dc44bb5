package diagnose

import (
	"fmt"
	"strings"

	"causeway/internal/fault"
)

// mostEarlier is how many attempts are told of that ended otherwise than the last.
const mostEarlier = 3

// earlier says how the attempts before the last ended, where that was not as the last did: the call has the kind of the last
// one, and what began it may have been something else, such as the crash that a refused connection follows. It is ""
// where there is no more to say.
func (c *judgement) earlier(full bool) string {
	list := c.in.Attempts
	if len(list) < 2 || c.entry.Cause == fault.Caller && c.entry.At == fault.AtCaller {
		return ""
	}
	if c.about != nil { // the sentence is about the last one already
		list = list[:len(list)-1]
	}
	var told []string
	var last fault.Kind
	more := 0
	for i := range list {
		a := &list[i]
		kind := kindOf(a)
		if kind == "" || kind == c.kind || kind == last {
			continue
		}
		if last = kind; len(told) >= mostEarlier {
			more++
			continue
		}
		s := fmt.Sprintf("attempt %d of %d", i+1, len(c.in.Attempts))
		if full && a.Target != c.in.Attempts[len(c.in.Attempts)-1].Target {
			s += " (" + cleanTarget(a.Target) + ")"
		}
		s += " met " + string(kind)
		if e := fault.Lookup(kind); e != nil && kind != fault.Unclassified {
			s += ": " + lowerFirst(strings.TrimSuffix(e.Title, "."))
		}
		told = append(told, s)
	}
	if len(told) == 0 {
		return ""
	}
	text := "It began otherwise: " + strings.Join(told, "; ")
	if more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text + "."
}
