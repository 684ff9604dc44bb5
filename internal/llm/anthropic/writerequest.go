package anthropic

import (
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteRequest writes req for a provider's model.
func (codec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	return writeRequest(req, to, r, true)
}

// writing is a request that is being written.
type writing struct {
	jsontree.Writer
	req   *canon.Request
	to    *canon.Target
	r     *canon.Report
	model traits
	// same tells that the caller speaks this dialect too: what canon has no place for is taken from its body.
	same  bool
	marks int // cache marks so far
	calls int // ids made for calls that had none
	open  []openCall
	err   error
	prose string // an instruction that joins the system prompt
}

// openCall is a call without id that waits for its result.
type openCall struct{ id, name string }

// turn is one message as it is to be written.
type turn struct {
	assistant bool
	parts     []*canon.Part
}

// writeRequest writes a request; whole tells that it is one for a message, and not one to be counted.
func writeRequest(req *canon.Request, to *canon.Target, r *canon.Report, whole bool) ([]byte, error) {
	w := &writing{req: req, to: to, r: r, model: traitsOf(to.Model), same: req.Dialect == name && req.Doc != nil}
	w.Buf = make([]byte, 0, sizeOf(req))
	system, turns := w.turns()
	if len(turns) == 0 && w.err == nil {
		return nil, &canon.Unsupported{Field: "messages", Why: "no message holds anything that this API takes"}
	}
	w.Object()
	w.StrMember("model", to.Model)
	var plan plan
	if w.same || !whole { // copied, or of no weight in a count
		for id := range canon.NumParams {
			r.Take(id)
		}
	}
	if w.same {
		w.rest(req.Doc.Root(), "model", "system", "messages", "tools")
	} else {
		plan = w.plan(turns)
		if whole {
			w.params(&plan)
		}
		w.thinking(&plan)
	}
	w.system(system)
	w.Name("messages")
	w.Array()
	for i := range turns {
		w.turn(&turns[i], i == len(turns)-1)
	}
	w.End()
	w.tools()
	if !w.same && whole && req.Stream {
		w.BoolMember("stream", true)
	}
	w.End()
	if w.err != nil {
		return nil, w.err
	}
	return w.Buf, nil
}

// sizeOf guesses how long the request becomes.
func sizeOf(req *canon.Request) int {
	size := 1024
	for i := range req.Messages {
		for k := range req.Messages[i].Parts {
			p := &req.Messages[i].Parts[k]
			size += 96 + len(p.Text) + len(p.Signature) + len(p.Raw)
			if p.Media != nil {
				size += len(p.Media.Data) + len(p.Media.Text)
			}
			if p.Call != nil {
				size += len(p.Call.Args)
			}
		}
	}
	for i := range req.Tools {
		size += 96 + len(req.Tools[i].Description) + len(req.Tools[i].Schema) + len(req.Tools[i].Raw)
	}
	return size + size/16
}

// rest writes the members of the caller's own object n but for those named, which are written otherwise.
func (w *writing) rest(n jsontree.Node, but ...string) {
	n.Each(func(_ int, m jsontree.Node) {
		name := m.Name()
		for _, b := range but {
			if name == b {
				return
			}
		}
		w.RawMember(name, m.Raw())
	})
}

// at is what stands at a place of the caller's body; it does not exist for a request made by us.
func (w *writing) at(ref jsontree.Ref) jsontree.Node { return w.req.Doc.At(ref) }

// refuse notes that the request can't be made, for the first reason that is met.
func (w *writing) refuse(at jsontree.Ref, why string) {
	if w.err == nil {
		w.err = &canon.Unsupported{Field: w.at(at).Path(), Why: why}
	}
}

// loseIn tells the loss of a member of what stands at at: the first of the names that is there, each a path
// of members ("image_url.detail").
func (w *writing) loseIn(at jsontree.Ref, loss canon.Loss, why string, names ...string) {
	n := w.at(at)
	for _, name := range names {
		m := n
		for _, step := range strings.Split(name, ".") {
			m = m.Get(step)
		}
		if m.Exists() {
			w.r.Lose(m.Ref(), loss, why)
			return
		}
	}
	w.r.Lose(at, loss, why)
}

// turns takes the system prompt out of the conversation, leaves out what this API does not take, and joins
// what the same side says in a row: here two sides take turns, and tool results are the user's.
func (w *writing) turns() (system []*canon.Part, turns []turn) {
	only := true
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		if m.Name != "" {
			w.loseIn(m.At, canon.Dropped, "Anthropic's messages have no names", "name")
		}
		if m.Role != canon.System && m.Role != canon.Developer {
			only = false
			continue
		}
		if !only {
			w.r.Lose(m.At, canon.Approximated, "Anthropic's system prompt stands before the conversation")
		}
	}
	turns = make([]turn, 0, len(w.req.Messages))
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		prompt := m.Role == canon.System || m.Role == canon.Developer
		if prompt && only {
			w.r.Lose(m.At, canon.Approximated, "Anthropic wants a message of the user: the system prompt becomes one")
		}
		for k := range m.Parts {
			p := &m.Parts[k]
			switch {
			case !w.taken(p):
			case prompt && !only:
				system = append(system, p)
			default:
				turns = appendTurn(turns, m.Role == canon.Assistant, p)
			}
		}
	}
	for i := range turns {
		w.resultsFirst(&turns[i])
	}
	if len(turns) > 0 && turns[0].assistant && !w.same {
		w.r.Lose(turns[0].parts[0].At, canon.Approximated, `Anthropic's conversations begin with the user: a turn that says "." stands before it`)
		turns = append([]turn{{parts: []*canon.Part{{Text: "."}}}}, turns...)
	}
	return system, turns
}

func appendTurn(turns []turn, assistant bool, p *canon.Part) []turn {
	if last := len(turns) - 1; last >= 0 && turns[last].assistant == assistant {
		turns[last].parts = append(turns[last].parts, p)
		return turns
	}
	return append(turns, turn{assistant: assistant, parts: []*canon.Part{p}})
}

// resultsFirst puts tool results before what else the user says in the same turn: the API refuses
// them in another place.
func (w *writing) resultsFirst(t *turn) {
	if t.assistant || w.same {
		return
	}
	var results, others []*canon.Part
	moved := false
	for _, p := range t.parts {
		if p.Kind != canon.ToolResult {
			others = append(others, p)
			continue
		}
		if results = append(results, p); len(others) > 0 && !moved {
			moved = true
			w.r.Lose(others[0].At, canon.Approximated, "Anthropic wants tool results before what the user says")
		}
	}
	if moved {
		t.parts = append(results, others...)
	}
}

// taken tells whether this API takes a part, and reports it when it does not.
func (w *writing) taken(p *canon.Part) bool {
	switch p.Kind {
	case canon.Text, canon.Refusal:
		if strings.TrimSpace(p.Text) != "" || w.same {
			if p.Kind == canon.Refusal {
				w.r.Lose(p.At, canon.Approximated, "a refusal goes as text")
			}
			return true
		}
		if p.Text != "" {
			w.r.Lose(p.At, canon.Dropped, "Anthropic takes no blank text")
		}
		return false
	case canon.Thinking:
		if w.same || p.SignedBy == name && p.Signature != "" {
			return true
		}
		why := "reasoning without Anthropic's signature is refused"
		if p.SignedBy != "" {
			why = "only " + p.SignedBy + " can read its own reasoning"
		}
		w.r.Lose(p.At, canon.Dropped, why)
		return false
	case canon.Other:
		if p.SignedBy != name {
			w.r.Lose(p.At, canon.Dropped, "Anthropic has no such part")
			return false
		}
	}
	return true
}

func (w *writing) turn(t *turn, last bool) {
	w.Object()
	role := "user"
	if t.assistant {
		role = "assistant"
	}
	w.StrMember("role", role)
	w.Name("content")
	w.content(t.parts, last && t.assistant && !w.same)
	w.End()
}

// plain is the text of parts that are written as a bare string: one text, where the caller has a string.
func (w *writing) plain(parts []*canon.Part) (text string, ok bool) {
	if len(parts) != 1 {
		return "", false
	}
	p := parts[0]
	if p.Kind != canon.Text && p.Kind != canon.Refusal || p.Cache != nil || len(p.Citations) > 0 {
		return "", false
	}
	n := w.at(p.At)
	return p.Text, !n.Exists() || n.IsString()
}

// content writes parts as a string or as blocks. begun tells that they begin the answer, which then can't
// end in white space.
func (w *writing) content(parts []*canon.Part, begun bool) {
	if text, ok := w.plain(parts); ok && !begun {
		w.Str(text)
		return
	}
	w.Array()
	for i, p := range parts {
		if begun && i == len(parts)-1 && p.Kind == canon.Text {
			if cut := strings.TrimRight(p.Text, " \t\r\n"); cut != p.Text {
				w.r.Lose(p.At, canon.Approximated, "Anthropic does not go on from white space: it is cut off")
				trimmed := *p
				trimmed.Text, p = cut, &trimmed
			}
		}
		w.part(p)
	}
	w.End()
}

func (w *writing) system(parts []*canon.Part) {
	if len(parts) == 0 && w.prose == "" {
		return
	}
	w.Name("system")
	if w.prose == "" {
		for _, p := range parts {
			if p.Kind != canon.Text {
				w.refuse(p.At, "Anthropic's system prompt takes nothing but text")
			}
		}
		w.content(parts, false)
		return
	}
	w.Array()
	for _, p := range parts {
		w.part(p)
	}
	w.part(&canon.Part{Text: w.prose})
	w.End()
}

// params writes what is one value.
func (w *writing) params(plan *plan) {
	w.IntMember("max_tokens", plan.maxTokens)
	w.sampling(plan)
	if list := w.req.Words(canon.Stop); list != nil {
		w.stops(list)
	}
	w.r.Take(canon.Stop)
	w.user()
	w.tier()
	if string(w.req.Params[canon.Store].JSON) == "false" {
		w.r.Take(canon.Store) // nothing is stored here
	}
}

func (w *writing) stops(list []string) {
	open := false
	for _, s := range list {
		if strings.TrimSpace(s) == "" {
			w.r.Lose(w.req.Params[canon.Stop].At, canon.Approximated, "Anthropic takes no stop sequence of nothing but white space")
			continue
		}
		if !open {
			open = true
			w.Name("stop_sequences")
			w.Array()
		}
		w.Str(s)
	}
	if open {
		w.End()
	}
}

// user writes the end user's name, for which the others have one or two members.
func (w *writing) user() {
	id := canon.EndUser
	if w.req.Params[id].JSON == nil {
		id = canon.SafetyUser
	}
	user := w.req.Word(id)
	if w.r.Take(id); user == "" {
		return
	}
	if len(user) > 512 {
		w.r.Lose(w.req.Params[id].At, canon.Dropped, "Anthropic's metadata.user_id has at most 512 characters")
		return
	}
	if w.req.Word(canon.SafetyUser) == user {
		w.r.Take(canon.SafetyUser)
	}
	w.Name("metadata")
	w.Object()
	w.StrMember("user_id", user)
	w.End()
}

func (w *writing) tier() {
	at := w.req.Params[canon.ServiceTier].At
	switch tier := w.req.Word(canon.ServiceTier); tier {
	case "auto", "standard_only":
		w.r.Take(canon.ServiceTier)
		w.StrMember("service_tier", tier)
	case "default", "standard":
		w.r.Take(canon.ServiceTier)
		w.StrMember("service_tier", "standard_only")
	case "priority":
		w.r.Take(canon.ServiceTier)
		w.StrMember("service_tier", "auto")
		w.r.Lose(at, canon.Approximated, "Anthropic uses priority capacity where the account has some: auto")
	}
}

// sampling writes temperature, top_p and top_k, as far as the model takes them and thinking allows.
func (w *writing) sampling(plan *plan) {
	temperature, hasT := w.value(canon.Temperature)
	topP, hasP := w.value(canon.TopP)
	_, hasK := w.value(canon.TopK)
	drop := func(id canon.ParamID, why string) {
		w.r.Lose(w.req.Params[id].At, canon.Dropped, why)
	}
	if hasT {
		fixed := min(max(temperature, 0), 1)
		switch {
		case !w.model.samples() && temperature != 1:
			drop(canon.Temperature, "this model refuses it")
		case plan.on() && temperature != 1:
			drop(canon.Temperature, "Anthropic refuses it beside thinking")
		case !w.model.samples() || plan.on():
			// 1 is what the model has without it
		default:
			if fixed != temperature {
				w.r.Lose(w.req.Params[canon.Temperature].At, canon.Approximated, "Anthropic's range is 0 to 1: "+strconv.FormatFloat(fixed, 'g', -1, 64))
			}
			w.Name("temperature")
			w.Float(fixed)
		}
	}
	if hasP {
		switch {
		case topP == 1 && (hasT || !w.model.samples()):
			// 1 is what the model has without it
		case !w.model.samples():
			drop(canon.TopP, "this model refuses it")
		case plan.on() && topP < 0.95:
			drop(canon.TopP, "Anthropic takes no less than 0.95 beside thinking")
		case hasT && w.model.samplesOne():
			drop(canon.TopP, "this model takes temperature or top_p")
		case topP < 0 || topP > 1:
			drop(canon.TopP, "Anthropic's range is 0 to 1")
		default:
			w.Name("top_p")
			w.Float(topP)
		}
	}
	if hasK {
		v, ok := w.req.Int(canon.TopK)
		switch {
		case !ok:
			drop(canon.TopK, "Anthropic wants a whole number, 0 or more")
		case !w.model.samples():
			drop(canon.TopK, "this model refuses it")
		case plan.on():
			drop(canon.TopK, "Anthropic refuses it beside thinking")
		default:
			w.IntMember("top_k", v)
		}
	}
}

// value is a parameter that is a number, to be carried.
func (w *writing) value(id canon.ParamID) (v float64, ok bool) {
	json := w.r.Take(id)
	if json == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(json), 64)
	if err != nil {
		w.r.Lose(w.req.Params[id].At, canon.Dropped, "it is no number")
	}
	return v, err == nil
}
