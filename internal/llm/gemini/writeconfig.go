package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// tools writes the functions as one tool and each built-in tool as one.
func (w *writer) tools() {
	search := w.r.Take(canon.WebSearch)
	if len(w.req.Tools) == 0 && search == nil {
		return
	}
	mark := len(w.Buf)
	before := w.Writer
	w.Name("tools")
	w.Array()
	start := len(w.Buf)
	functions := false
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		if t.BuiltIn != "" {
			continue
		}
		if !functions {
			functions = true
			w.Object()
			w.Name("functionDeclarations")
			w.Array()
		}
		w.function(t)
	}
	if functions {
		w.End()
		w.End()
	}
	for i := range w.req.Tools {
		if t := &w.req.Tools[i]; t.BuiltIn != "" {
			w.builtIn(t)
		}
	}
	if search != nil {
		w.Object()
		w.RawMember("googleSearch", []byte("{}"))
		w.End()
		if len(bytes.TrimSpace(search)) > 2 {
			w.r.Lose(w.req.Params[canon.WebSearch].At, canon.Approximated, "Google Search takes no context size and no place")
		}
	}
	if len(w.Buf) == start {
		buf := w.Buf[:mark]
		w.Writer = before
		w.Buf = buf
		return
	}
	w.End()
}

// textArgument is the schema of a tool that takes free text.
const textArgument = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`

func (w *writer) function(t *canon.Tool) {
	w.Object()
	w.StrMember("name", t.Name)
	if t.Description != "" {
		w.StrMember("description", t.Description)
	}
	own := jsontree.Node{}
	if w.own {
		own = w.req.Doc.At(t.At).Get("parameters")
	}
	switch {
	case own.IsObject():
		w.RawMember("parameters", own.Copy())
	case t.Custom:
		w.RawMember("parametersJsonSchema", []byte(textArgument))
		w.r.Lose(t.At, canon.Emulated, "a tool that takes free text is a function with one argument, input")
	case t.Schema != nil:
		w.RawMember("parametersJsonSchema", w.fit(t.Schema, t.At, "parameters", "input_schema"))
	}
	if t.Cache != nil {
		w.lose(t.At, canon.Approximated, "Gemini finds the repeated begin of prompts by itself", "cache_control")
	}
	w.leftovers(w.place(t.At))
	w.End()
}

// fit is a JSON Schema as the API handles it; what it will not enforce is told.
func (w *writer) fit(schema []byte, at jsontree.Ref, names ...string) []byte {
	if w.own {
		return schema
	}
	fit, ignored := handled(schema)
	if len(ignored) > 0 {
		w.lose(at, canon.Approximated, "Gemini does not enforce "+strings.Join(ignored, ", "), append(names, "function")...)
	}
	return fit
}

// builtIn writes a tool that Google runs: the caller's own, or the one that does the same as another provider's.
func (w *writer) builtIn(t *canon.Tool) {
	if w.own {
		name := t.BuiltIn
		if n := w.req.Doc.At(t.At); n.Exists() {
			name = camel(n.Name())
		}
		w.Object()
		w.RawMember(name, t.Raw)
		w.End()
		return
	}
	member := ""
	switch kind := t.BuiltIn; {
	case strings.HasPrefix(kind, "web_search"), kind == "google_search":
		member = "googleSearch"
	case strings.HasPrefix(kind, "code_interpreter"), strings.HasPrefix(kind, "code_execution"):
		member = "codeExecution"
	case strings.HasPrefix(kind, "web_fetch"), kind == "url_context":
		member = "urlContext"
	default:
		w.r.Lose(t.At, canon.Dropped, "Gemini has no such tool")
		return
	}
	w.Object()
	w.RawMember(member, []byte("{}"))
	w.End()
	if options(w.req.Doc.At(t.At)) {
		w.r.Lose(t.At, canon.Approximated, member+" takes its place, without its options")
	}
}

// options tells whether a built-in tool's object says more than which tool it is.
func options(n jsontree.Node) (more bool) {
	n.Each(func(_ int, m jsontree.Node) {
		if name := m.Name(); name != "type" && name != "name" && m.Said() {
			more = true
		}
	})
	return more
}

// toolConfig writes how functions are to be called.
func (w *writer) toolConfig() {
	choice := &w.req.Choice
	if f := w.req.ParallelTools; f.Said && !f.On {
		w.r.Lose(f.At, canon.Dropped, "Gemini can't be kept from calling several functions at once")
	}
	mode := w.strict()
	switch choice.Mode {
	case canon.ToolsAuto:
		mode = orElse(mode, "AUTO")
	case canon.ToolsNone:
		mode = "NONE"
	case canon.ToolsAny, canon.ToolsNamed:
		mode = "ANY"
	}
	left := w.left != nil && len(w.left["toolConfig"])+len(w.left["tool_config"]) > 0
	if mode == "" && !left {
		return
	}
	w.Name("toolConfig")
	w.Object()
	if mode != "" {
		w.Name("functionCallingConfig")
		w.Object()
		w.StrMember("mode", mode)
		if len(choice.Names) > 0 {
			w.strings("allowedFunctionNames", choice.Names)
		}
		w.End()
	}
	w.leftovers("toolConfig", "tool_config")
	w.End()
}

func (w *writer) strings(name string, list []string) {
	w.Name(name)
	w.Array()
	for _, s := range list {
		w.Str(s)
	}
	w.End()
}

// strict is VALIDATED when all functions are to hold to their schema. The mode is for all of them.
func (w *writer) strict() (mode string) {
	strict, loose := 0, 0
	for i := range w.req.Tools {
		switch t := &w.req.Tools[i]; {
		case t.BuiltIn != "":
		case t.Strict.On:
			strict++
		default:
			loose++
		}
	}
	if strict == 0 {
		return ""
	}
	if loose == 0 && w.req.Choice.Mode != canon.ToolsNone {
		return "VALIDATED"
	}
	for i := range w.req.Tools {
		if f := w.req.Tools[i].Strict; f.On && loose > 0 {
			w.r.Lose(f.At, canon.Approximated, "Gemini holds all functions to their schemas or none")
		}
	}
	return ""
}

// maxStops is how many stop sequences the API takes.
const maxStops = 5

// config writes generationConfig, nothing when it would be empty.
func (w *writer) config() {
	mark := len(w.Buf)
	before := w.Writer
	w.Name("generationConfig")
	w.Object()
	start := len(w.Buf)
	for i := range numbers {
		p := &numbers[i]
		if v := w.r.Take(p.id); v != nil && w.fits(p.id, v) {
			w.RawMember(p.camel, v)
		}
	}
	if v := w.r.Take(canon.Logprobs); v != nil {
		w.RawMember("responseLogprobs", v)
	}
	w.stops()
	w.modalities()
	w.resolution()
	w.reasoning()
	w.voice()
	w.format()
	w.leftovers("generationConfig", "generation_config")
	if len(w.Buf) == start {
		buf := w.Buf[:mark]
		w.Writer = before
		w.Buf = buf
		return
	}
	w.End()
}

// fits tells whether a whole number is one of 32 bits, as the API's are.
func (w *writer) fits(id canon.ParamID, v []byte) bool {
	if id != canon.Seed || w.own {
		return true
	}
	if _, err := strconv.ParseInt(string(v), 10, 32); err != nil {
		w.r.Lose(w.req.Params[id].At, canon.Dropped, "Gemini's seeds have 32 bits")
		return false
	}
	return true
}

func (w *writer) stops() {
	v := w.r.Take(canon.Stop)
	if v == nil || string(v) == "[]" {
		return
	}
	list := w.req.Words(canon.Stop)
	if len(list) > maxStops && !w.own {
		list = list[:maxStops]
		w.r.Lose(w.req.Params[canon.Stop].At, canon.Approximated, "Gemini takes five stop sequences")
	}
	w.strings("stopSequences", list)
}

func (w *writer) modalities() {
	if v := w.r.Take(canon.Modalities); v == nil {
		return
	}
	list := w.req.Words(canon.Modalities)
	w.Name("responseModalities")
	w.Array()
	for _, s := range list {
		w.Str(strings.ToUpper(s))
	}
	w.End()
}

// resolution writes the one resolution for all media.
func (w *writer) resolution() {
	if v := w.r.Take(canon.MediaDetail); v != nil {
		w.RawMember("mediaResolution", v)
		return
	}
	switch w.detail() {
	case "low":
		w.StrMember("mediaResolution", "MEDIA_RESOLUTION_LOW")
	case "high":
		w.StrMember("mediaResolution", "MEDIA_RESOLUTION_HIGH")
	}
}

// voice writes the voice in which the answer is spoken. AudioOut is OpenAI's audio.
func (w *writer) voice() {
	v := w.r.Take(canon.AudioOut)
	if v == nil {
		return
	}
	d, err := jsontree.Parse(v, true)
	if err != nil {
		return
	}
	voice := d.Root().Get("voice")
	if voice.IsObject() {
		voice = voice.Get("id")
	}
	w.Name("speechConfig")
	w.Object()
	w.Name("voiceConfig")
	w.Object()
	w.Name("prebuiltVoiceConfig")
	w.Object()
	w.StrMember("voiceName", stringOf(voice))
	w.End()
	w.End()
	w.End()
	if d.Root().Get("format").Said() {
		w.lose(w.req.Params[canon.AudioOut].At, canon.Approximated, "Gemini speaks 24 kHz PCM, and its voices have other names", "format")
	}
}

func (w *writer) format() {
	f := &w.req.Format
	if f.Kind == canon.AnyText {
		return
	}
	w.StrMember("responseMimeType", "application/json")
	if f.Kind != canon.JSONSchema || f.Schema == nil {
		return
	}
	name := ""
	if n := w.req.Doc.At(f.At); w.own {
		name = camel(n.Name())
		if name == "responseSchema" {
			w.RawMember(name, n.Copy())
			return
		}
	}
	w.RawMember("responseJsonSchema", w.fit(f.Described(), f.At, "schema", "json_schema"))
}
