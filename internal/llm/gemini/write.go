package gemini

import (
	"slices"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// writer writes one request.
type writer struct {
	jsontree.Writer
	req    *canon.Request
	to     *canon.Target
	r      *canon.Report
	vertex bool
	own    bool // the caller speaks Gemini's dialect as well
	left   map[string][]jsontree.Node
	err    error
}

// WriteRequest writes the body of generateContent and streamGenerateContent, which are the same.
func (c codec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := c.newWriter(req, to, r)
	w.keep()
	w.Object()
	w.generate()
	w.End()
	return w.Buf, w.err
}

func (c codec) newWriter(req *canon.Request, to *canon.Target, r *canon.Report) *writer {
	w := &writer{req: req, to: to, r: r, vertex: c.vertex, own: req.Dialect == dialect && req.Doc != nil}
	size := 512
	if req.Doc != nil {
		size += len(req.Doc.Root().Copy())
	}
	w.Buf = make([]byte, 0, size)
	return w
}

// keep takes what stands in the caller's body and has no canonical form, to be copied where it stood.
func (w *writer) keep() {
	if !w.own {
		return
	}
	var within []string
	for _, n := range w.req.Doc.Unused() {
		if place := placeOf(n); place != "" && !slices.Contains(within, place) && copies(place) {
			within = append(within, place)
		}
	}
	for _, n := range w.r.Own(dialect, within...) {
		if w.left == nil {
			w.left = map[string][]jsontree.Node{}
		}
		place := placeOf(n)
		w.left[place] = append(w.left[place], n)
	}
}

func placeOf(n jsontree.Node) string {
	return strings.TrimSuffix(strings.TrimSuffix(n.Path(), n.Name()), ".")
}

// copies tells whether leftovers of the object at this place are copied: of generationConfig and toolConfig, of
// parts and of functions.
func copies(place string) bool {
	switch first, rest, _ := strings.Cut(place, "."); first {
	case "generationConfig", "generation_config", "toolConfig", "tool_config":
		return rest == ""
	case "contents":
		return strings.Count(rest, ".") == 2 && strings.Contains(rest, ".parts.")
	case "tools":
		return strings.Count(rest, ".") == 2
	}
	return false
}

// leftovers writes what was kept of the object at these places.
func (w *writer) leftovers(places ...string) {
	if w.left == nil {
		return
	}
	for _, place := range places {
		for _, n := range w.left[place] {
			w.RawMember(n.Name(), n.Copy())
		}
	}
}

// place is where a node of the caller's stands, "" when that does not matter.
func (w *writer) place(at jsontree.Ref) string {
	if w.left == nil {
		return ""
	}
	if n := w.req.Doc.At(at); n.Exists() {
		return n.Path()
	}
	return ""
}

// generate writes the members of a GenerateContentRequest.
func (w *writer) generate() {
	w.system()
	w.Name("contents")
	w.contents()
	w.tools()
	w.toolConfig()
	w.config()
	if v := w.r.Take(canon.Safety); v != nil {
		w.RawMember("safetySettings", v)
	}
	if v := w.r.Take(canon.CachedContent); v != nil {
		w.RawMember("cachedContent", v)
	}
	if w.vertex || w.own {
		if v := w.r.Take(canon.Metadata); v != nil {
			w.RawMember("labels", v)
		}
	}
	if w.own {
		w.leftovers("")
	}
}

// lose notes a loss of a member, by one of its names, of what stands at at; of the whole where it has none.
func (w *writer) lose(at jsontree.Ref, loss canon.Loss, why string, names ...string) {
	n := w.req.Doc.At(at)
	for _, name := range names {
		if m := n.Get(name); m.Said() {
			w.r.Add(m.Path(), loss, why)
			return
		}
	}
	w.r.Lose(at, loss, why)
}

// refuse notes that the request can't be put to the provider. The first reason counts.
func (w *writer) refuse(at jsontree.Ref, why string) {
	if w.err == nil {
		w.err = &canon.Unsupported{Field: w.req.Doc.At(at).Path(), Why: why}
	}
}

// system joins all system and developer messages into systemInstruction.
func (w *writer) system() {
	spoken, begun := false, false
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		if m.Role != canon.System && m.Role != canon.Developer {
			spoken = true
			continue
		}
		if spoken {
			w.r.Lose(m.At, canon.Approximated, "it goes before the conversation, where all of Gemini's system instructions stand")
		}
		w.name(m)
		for k := range m.Parts {
			p := &m.Parts[k]
			if p.Kind != canon.Text {
				w.r.Lose(p.At, canon.Dropped, "a system instruction is text")
				continue
			}
			w.marks(p)
			if p.Text == "" {
				continue
			}
			if !begun {
				begun = true
				w.Name("systemInstruction")
				w.Object()
				if role := w.req.Doc.At(m.At).Get("role"); w.own && role.IsString() {
					w.RawMember("role", role.Copy())
				}
				w.Name("parts")
				w.Array()
			}
			w.Object()
			w.StrMember("text", p.Text)
			w.End()
		}
	}
	if begun {
		w.End()
		w.End()
	}
}

// name tells that a participant's name is lost.
func (w *writer) name(m *canon.Message) {
	if m.Name != "" {
		w.lose(m.At, canon.Dropped, "Gemini has no names of participants", "name")
	}
}

// contents writes the turns. Calls that follow each other become one turn and so do their results, since the API
// wants as many results in a turn as there were calls in the one before.
func (w *writer) contents() {
	w.Array()
	said := false
	for i := 0; i < len(w.req.Messages); {
		m := &w.req.Messages[i]
		if m.Role == canon.System || m.Role == canon.Developer {
			i++
			continue
		}
		to := i + 1
		for to < len(w.req.Messages) && w.joins(&w.req.Messages[to-1], &w.req.Messages[to]) {
			to++
		}
		said = w.turn(w.req.Messages[i:to]) || said
		i = to
	}
	if !said {
		w.onlySystem()
	}
	w.End()
}

// joins tells whether b belongs to the turn of a.
func (w *writer) joins(a, b *canon.Message) bool {
	if a.At != 0 && a.At == b.At {
		return (a.Role == canon.Assistant) == (b.Role == canon.Assistant)
	}
	return !w.own && a.Role == b.Role && (a.Role == canon.Assistant || a.Role == canon.ToolRole)
}

// turn writes messages as one content and tells whether there was anything to write.
func (w *writer) turn(messages []canon.Message) bool {
	mark := len(w.Buf)
	before := w.Writer
	w.Object()
	w.StrMember("role", map[bool]string{true: "model", false: "user"}[messages[0].Role == canon.Assistant])
	w.Name("parts")
	w.Array()
	start := len(w.Buf)
	signed := false
	for i := range messages {
		m := &messages[i]
		w.name(m)
		for k := range m.Parts {
			w.part(m, &m.Parts[k], &signed)
		}
	}
	if messages[0].Role != canon.Assistant {
		for i := range messages {
			for k := range messages[i].Parts {
				w.resultMedia(&messages[i].Parts[k])
			}
		}
	}
	if len(w.Buf) == start {
		buf := w.Buf[:mark]
		w.Writer = before
		w.Buf = buf
		return false
	}
	w.End()
	w.End()
	return true
}

// onlySystem says what a request without turns says in its system messages once more as the user's: the API
// takes no request without contents.
func (w *writer) onlySystem() {
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		for k := range m.Parts {
			if m.Parts[k].Kind != canon.Text || m.Parts[k].Text == "" {
				continue
			}
			w.Object()
			w.StrMember("role", "user")
			w.Name("parts")
			w.Array()
			w.Object()
			w.StrMember("text", m.Parts[k].Text)
			w.End()
			w.End()
			w.End()
			w.r.Lose(m.At, canon.Approximated, "there is no other message, and Gemini answers none but the user's")
			return
		}
	}
	w.refuse(0, "Gemini takes no request without a message")
}
