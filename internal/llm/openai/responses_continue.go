package openai

import (
	"strconv"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// KeptTurn is one response that was kept with what was put in: Input is a JSON array of items, Response the response
// object. They must not change while a request made of them is used.
type KeptTurn struct{ Input, Response []byte }

// Continue puts the conversation of turns, the first one first, before the input of req: what previous_response_id
// asks for. Instructions are not part of a conversation: those of req stay at its beginning, and earlier ones do
// not come back (API reference, instructions). What comes from turns has no place in the caller's body.
func Continue(req *canon.Request, turns []KeptTurn) error {
	said := req.Messages
	t := reader{}
	if len(said) > 0 && req.Doc.At(said[0].At).Path() == "instructions" {
		t.list, said = append(t.list, said[0]), said[1:]
	}
	for i := range turns {
		if err := t.read(turns[i].Input, ""); err != nil {
			return err
		}
		if err := t.read(turns[i].Response, "output"); err != nil {
			return err
		}
	}
	t.join(said)
	req.Messages = t.list
	return nil
}

// Resolve puts items in the places of references to them (item_reference). find is the item with an id, nil when
// there is none; Resolve then returns the id that was not found.
func Resolve(req *canon.Request, find func(id string) []byte) (missing string, err error) {
	t := reader{}
	for i, m := range req.Messages {
		if !isReference(&m) {
			t.join(req.Messages[i : i+1])
			continue
		}
		item := find(m.ID)
		if item == nil {
			return m.ID, nil
		}
		if err := t.read(item, ""); err != nil {
			return "", err
		}
	}
	req.Messages = t.list
	return "", nil
}

// HasReferences tells whether req refers to items that are kept elsewhere.
func HasReferences(req *canon.Request) bool {
	for i := range req.Messages {
		if isReference(&req.Messages[i]) {
			return true
		}
	}
	return false
}

// isReference tells whether a message is a reference: those stand alone, and only they have an id of their own among
// the model's turns.
func isReference(m *canon.Message) bool {
	return m.Role == canon.Assistant && m.ID != "" && len(m.Parts) == 1 && m.Parts[0].Kind == canon.Other && m.Parts[0].ID == m.ID
}

// reader makes messages of texts that are not the caller's body.
type reader struct{ turns }

// read reads a JSON array of items, or one item, or the items in a member of an object.
func (t *reader) read(text []byte, member string) error {
	doc, err := jsontree.Parse(text, true)
	if err != nil {
		return err
	}
	t.doc, t.unplaced = doc, true
	n := doc.Root()
	if member != "" {
		n = n.Get(member)
	}
	if n.IsArray() {
		t.items(n)
	} else {
		t.item(n)
	}
	if f := doc.Fault(); f != nil {
		return f
	}
	return nil
}

// join appends messages; the model's turn goes on where one was open.
func (t *turns) join(list []canon.Message) {
	for _, m := range list {
		if m.Role == canon.Assistant && !isReference(&m) {
			t.said(m.At, m.Parts...)
			continue
		}
		t.list = append(t.list, m)
	}
}

// KeptInput is the input of req as it is to be kept with its response: an array of items, each with an id and its
// type. find gives the items in the places of references.
func KeptInput(req *canon.Request, responseID string, find func(id string) []byte) []byte {
	base := strings.TrimPrefix(responseID, responsePrefix)
	var w jsontree.Writer
	w.Array()
	input := jsontree.Node{}
	if req.Doc != nil {
		input = req.Doc.Root().Get("input")
	}
	n := 0
	id := func(prefix string) string {
		n++
		return prefix + base + "_in" + strconv.Itoa(n)
	}
	switch {
	case input.IsString():
		w.Object()
		w.StrMember("id", id("msg_"))
		w.StrMember("type", "message")
		w.StrMember("status", "completed")
		w.StrMember("role", "user")
		w.Name("content")
		w.Array()
		w.Object()
		w.StrMember("type", "input_text")
		w.StrMember("text", input.Str())
		w.End()
		w.End()
		w.End()
	case input.IsArray():
		input.Each(func(_ int, e jsontree.Node) {
			own, kind := member(e, "id"), member(e, "type")
			if own != "" && (kind == itemReference || kind == "" && !e.Get("role").Said()) {
				if item := find(own); item != nil {
					w.Raw(item)
				}
				return
			}
			if kind == "" {
				kind = "message"
			}
			w.Object()
			if own == "" {
				w.StrMember("id", id(idPrefix(kind)))
			} else {
				w.StrMember("id", own)
			}
			w.StrMember("type", kind)
			e.Each(func(_ int, m jsontree.Node) {
				if name := m.Name(); name != "id" && name != "type" {
					w.RawMember(name, m.Copy())
				}
			})
			w.End()
		})
	}
	w.End()
	return w.Buf
}

func member(n jsontree.Node, name string) string {
	if m := n.Get(name); m.IsString() {
		return m.Str()
	}
	return ""
}

// idPrefix is how the ids of items of a type begin.
func idPrefix(kind string) string {
	switch kind {
	case "message":
		return "msg_"
	case "reasoning":
		return "rs_"
	case "function_call", "function_call_output":
		return "fc_"
	case "custom_tool_call", "custom_tool_call_output":
		return "ctc_"
	}
	return "item_"
}

// KeptItem finds an item of a kept turn by its id; nil when it has none of it.
func KeptItem(turn KeptTurn, id string) []byte {
	if item := itemIn(turn.Response, "output", id); item != nil {
		return item
	}
	return itemIn(turn.Input, "", id)
}

func itemIn(text []byte, list, id string) (item []byte) {
	doc, err := jsontree.Parse(text, true)
	if err != nil {
		return nil
	}
	n := doc.Root()
	if list != "" {
		n = n.Get(list)
	}
	n.Each(func(_ int, e jsontree.Node) {
		if item == nil && member(e, "id") == id {
			item = e.Copy()
		}
	})
	return item
}

// ItemPage says which items of a list are asked for (API reference, list input items).
type ItemPage struct {
	Limit     int    // 0 is 20
	After     string // the id behind which it begins
	Ascending bool   // oldest first
}

// AppendItems appends the body that lists the input items of the last of turns: all that was before its output.
func AppendItems(dst []byte, turns []KeptTurn, page ItemPage) []byte {
	var items []jsontree.Node
	add := func(text []byte, list string) {
		doc, err := jsontree.Parse(text, true)
		if err != nil {
			return
		}
		n := doc.Root()
		if list != "" {
			n = n.Get(list)
		}
		n.Each(func(_ int, e jsontree.Node) { items = append(items, e) })
	}
	for i := range turns {
		add(turns[i].Input, "")
		if i < len(turns)-1 {
			add(turns[i].Response, "output")
		}
	}
	if !page.Ascending {
		for i, k := 0, len(items)-1; i < k; i, k = i+1, k-1 {
			items[i], items[k] = items[k], items[i]
		}
	}
	if page.After != "" {
		for i, e := range items {
			if member(e, "id") == page.After {
				items = items[i+1:]
				break
			}
		}
	}
	limit := page.Limit
	if limit <= 0 {
		limit = 20
	}
	more := len(items) > limit
	items = items[:min(limit, len(items))]
	w := jsontree.Writer{Buf: dst}
	w.Object()
	w.StrMember("object", "list")
	w.Name("data")
	w.Array()
	first, last := "", ""
	for i, e := range items {
		if last = member(e, "id"); i == 0 {
			first = last
		}
		w.Raw(e.Copy())
	}
	w.End()
	w.StrMember("first_id", first)
	w.StrMember("last_id", last)
	w.BoolMember("has_more", more)
	w.End()
	return w.Buf
}

// AppendDeleted appends the body that says that a response was deleted.
func AppendDeleted(dst []byte, id string) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonscan.Quote(dst, id)
	return append(dst, `,"object":"response","deleted":true}`...)
}

// ReadKeeping reads what a call of Responses says about keeping: the response that it goes on from, and whether
// the provider is asked to keep its own (store is true unless it is said to be false).
func ReadKeeping(body []byte) (previous string, store bool) {
	store = true
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return "", store
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch {
		case k.Is("previous_response_id") && scan.Peek() == jsonscan.String:
			previous = string(jsonscan.Unquote(nil, scan.Inner()))
		case k.Is("store") && scan.Peek() == jsonscan.False:
			scan.Skip()
			store = false
		default:
			scan.Skip()
		}
	}
	return previous, store
}

// KeepsResponses tells whether a provider of this kind keeps responses itself, so that a call may go on from one by
// its id. Others have the Responses API without that, or not at all: OpenRouter's is stateless, Groq's does not take
// previous_response_id, vLLM keeps none unless it is started so.
// Sources: platform.openai.com/docs/guides/conversation-state, learn.microsoft.com/azure/ai-foundry/openai/how-to/responses,
// docs.x.ai/docs/guides/responses-api, openrouter.ai/docs/api/reference/responses/overview, console.groq.com/docs/responses-api.
func KeepsResponses(kind string) bool {
	return kind == "openai" || kind == "azure-openai" || kind == "xai"
}

// LastResponse is the response in the event that ends a stream of Responses well, nil in any other.
func LastResponse(ev llm.Event) []byte {
	if ev.Name != nil && string(ev.Name) != "response.completed" && string(ev.Name) != "response.incomplete" {
		return nil
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return nil
	}
	var response []byte
	last := false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch {
		case k.Is("type"):
			kind := string(scan.Bytes(scan.Skip()))
			last = kind == `"response.completed"` || kind == `"response.incomplete"`
		case k.Is("response") && scan.Peek() == jsonscan.Object:
			response = scan.Bytes(scan.Skip())
		default:
			scan.Skip()
		}
	}
	if !last {
		return nil
	}
	return response
}

// ResponseIDOf is the id of a response in a provider's whole answer, or in an event of its stream; "" when text is
// none.
func ResponseIDOf(text []byte) string {
	var scan jsonscan.Scanner
	scan.Reset(text)
	return idIn(&scan, true)
}

func idIn(scan *jsonscan.Scanner, outer bool) (id string) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch {
		case k.Is("id") && id == "" && scan.Peek() == jsonscan.String:
			id = string(jsonscan.Unquote(nil, scan.Inner()))
		case outer && k.Is("response"):
			id = idIn(scan, false)
		default:
			scan.Skip()
		}
	}
	return id
}
