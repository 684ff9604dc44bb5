package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/fault"
)

// mostDifferences is how many differences of two bodies are listed.
const mostDifferences = 12

// ownFields are the gateway's, and those that differ from one answer to the next by their nature.
var ownFields = []string{
	"Date", "Age", "Via", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Proxy-Status", "Causeway-Call-Id", "Causeway-Attempts", "Causeway-Finding", "Alt-Svc", "Ratelimit", "Ratelimit-Policy", "Server-Timing",
}

// differences are those between the direct answer and the gateway's.
func differences(d, g *ReproAnswer) (list []string) {
	if d.Status != g.Status {
		list = append(list, fmt.Sprintf("status: directly %s, through the gateway %s", statusOf(d), statusOf(g)))
	}
	if d.Status == 0 || g.Status == 0 {
		return list
	}
	list = append(list, fieldDifferences(d.header, g.header)...)
	return append(list, bodyDifferences(d, g)...)
}

func statusOf(a *ReproAnswer) string {
	if a.Status == 0 {
		return "none (" + string(a.Kind) + ")"
	}
	return strconv.Itoa(a.Status)
}

func fieldDifferences(d, g http.Header) (list []string) {
	var names []string
	for _, h := range []http.Header{d, g} {
		for name := range h {
			if !slices.Contains(names, name) && !slices.Contains(ownFields, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		a, b := d.Get(name), g.Get(name)
		show := func(v string) string {
			if name == "Set-Cookie" {
				return "a cookie"
			}
			return strconv.Quote(clip(v))
		}
		switch {
		case a == b:
		case a == "":
			list = append(list, fmt.Sprintf("header %s: through the gateway only, %s", name, show(b)))
		case b == "":
			list = append(list, fmt.Sprintf("header %s: directly only, %s", name, show(a)))
		default:
			list = append(list, fmt.Sprintf("header %s: directly %s, through the gateway %s", name, show(a), show(b)))
		}
		if len(list) == mostDifferences {
			return append(list, "further header fields differ")
		}
	}
	return list
}

// bodyDifferences compares bodies: JSON by its members, else by its bytes.
func bodyDifferences(d, g *ReproAnswer) []string {
	if bytes.Equal(d.body, g.body) {
		return nil
	}
	var a, b any
	if decodeNumbers(d.body, &a) && decodeNumbers(g.body, &b) {
		var list []string
		jsonDifferences(&list, "", a, b)
		return list // none: the same members in another order or spacing
	}
	at := 0
	for at < len(d.body) && at < len(g.body) && d.body[at] == g.body[at] {
		at++
	}
	return []string{fmt.Sprintf("body: directly %d bytes, through the gateway %d; they part at byte %d", len(d.body), len(g.body), at)}
}

func decodeNumbers(body []byte, into *any) bool {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return dec.Decode(into) == nil && !dec.More()
}

func jsonDifferences(list *[]string, at string, a, b any) {
	if len(*list) >= mostDifferences {
		return
	}
	add := func(format string, args ...any) {
		where := at
		if where == "" {
			where = "/"
		}
		if *list = append(*list, "body "+clip(where)+": "+fmt.Sprintf(format, args...)); len(*list) == mostDifferences {
			*list = append(*list, "further members differ")
		}
	}
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		names := sortedKeys(x)
		for _, name := range sortedKeys(y) {
			if _, there := x[name]; !there {
				names = append(names, name)
			}
		}
		for _, name := range names {
			v, inA := x[name]
			w, inB := y[name]
			next := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			switch {
			case inA && inB:
				jsonDifferences(list, next, v, w)
			case inA:
				*list = append(*list, "body "+clip(next)+": directly only")
			default:
				*list = append(*list, "body "+clip(next)+": through the gateway only")
			}
			if len(*list) >= mostDifferences {
				return
			}
		}
		return
	case []any:
		y, ok := b.([]any)
		if !ok {
			break
		}
		if len(x) != len(y) {
			add("directly %d elements, through the gateway %d", len(x), len(y))
			return
		}
		for i := range x {
			jsonDifferences(list, at+"/"+strconv.Itoa(i), x[i], y[i])
		}
		return
	}
	if short(a) != short(b) {
		add("directly %s, through the gateway %s", short(a), short(b))
	}
}

// short is a JSON value as a report shows it.
func short(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	const most = 60
	if len(out) > most {
		return fault.Clean(string(out[:most])) + "..."
	}
	return fault.Clean(string(out))
}
