package prompt

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// outcome is what a prompt's caller gets of an answer.
type outcome struct {
	text   string
	finish canon.Finish
	model  string
	usage  canon.Usage
	left   []string // what the answer had besides
}

// gather takes the output out of an answer: the text of its first choice.
func gather(a *canon.Answer) outcome {
	o := outcome{model: a.Model, usage: a.Usage}
	if len(a.Choices) == 0 {
		o.finish = canon.Filtered
		return o
	}
	first := &a.Choices[0]
	o.finish = first.Finish
	var text strings.Builder
	for i := range first.Parts {
		switch p := &first.Parts[i]; p.Kind {
		case canon.Text:
			text.WriteString(p.Text)
		case canon.Refusal:
			o.finish = canon.Refused
			text.WriteString(p.Text)
		default:
			o.left = append(o.left, p.Kind.String())
		}
	}
	o.text = text.String()
	return o
}

// check tells why an outcome is not what the prompt promises: an *canon.Unfit, nil when it is.
func (c *Call) check(o *outcome) error {
	if c.version.Output == nil {
		return nil
	}
	switch o.finish {
	case canon.Refused, canon.Filtered:
		return &canon.Unfit{Kind: fault.ContentRefused, Problem: "the model refused to answer"}
	}
	text := outputJSON(o.text)
	if text == nil {
		problem := "the output is not JSON"
		if o.finish == canon.Length || o.finish == canon.ContextLength {
			problem = "the output is not whole JSON: the model came to the most tokens that it may use"
		}
		return &canon.Unfit{Kind: fault.OutputMismatch, Problem: problem}
	}
	faults := c.version.Output.Check(text)
	if len(faults) == 0 {
		return nil
	}
	unfit := &canon.Unfit{Kind: fault.OutputMismatch, Problem: "the output does not fit the prompt's schema"}
	for _, f := range faults {
		unfit.Evidence = append(unfit.Evidence, "output"+f.Pointer+" "+f.Problem)
	}
	return unfit
}

// outputJSON is the JSON in a model's text: all of it, or what stands in a Markdown fence or between words, as models
// write that were only asked for JSON. nil when there is none.
func outputJSON(text string) []byte {
	text = strings.TrimSpace(text)
	if jsonscan.Valid([]byte(text)) {
		return []byte(text)
	}
	if _, rest, ok := strings.Cut(text, "```"); ok {
		if inner, _, ok := strings.Cut(rest, "```"); ok {
			inner = strings.TrimSpace(strings.TrimPrefix(inner, "json"))
			if jsonscan.Valid([]byte(inner)) {
				return []byte(inner)
			}
		}
	}
	for _, pair := range [...]string{"{}", "[]"} {
		from, to := strings.IndexByte(text, pair[0]), strings.LastIndexByte(text, pair[1])
		if from >= 0 && to > from && jsonscan.Valid([]byte(text[from:to+1])) {
			return []byte(text[from : to+1])
		}
	}
	return nil
}

// finishWords are how an output ended.
var finishWords = map[canon.Finish]string{
	canon.Length: "length", canon.ContextLength: "length", canon.Filtered: "filtered", canon.Refused: "refused",
}

func finishWord(f canon.Finish) string {
	if w := finishWords[f]; w != "" {
		return w
	}
	return "stop"
}

func finishOf(word string) canon.Finish {
	switch word {
	case "length":
		return canon.Length
	case "filtered":
		return canon.Filtered
	case "refused":
		return canon.Refused
	}
	return canon.Stopped
}

// appendResult writes the answer's object on one line.
func (c *Call) appendResult(dst []byte, o *outcome) []byte {
	var w jsontree.Writer
	w.Reset(dst)
	w.Object()
	if c.version.Output == nil {
		w.StrMember("output", o.text)
	} else {
		w.Name("output")
		w.Raw(oneLine(outputJSON(o.text)))
	}
	w.StrMember("finish_reason", finishWord(o.finish))
	w.Name("usage")
	w.Object()
	for _, count := range [...]struct {
		name string
		n    int64
	}{
		{"input_tokens", o.usage.Input},
		{"output_tokens", o.usage.Output},
		{"cached_tokens", o.usage.Cached},
		{"cache_write_tokens", o.usage.CacheWrite},
		{"reasoning_tokens", o.usage.Reasoning},
	} {
		if count.n >= 0 {
			w.IntMember(count.name, count.n)
		}
	}
	w.End()
	w.StrMember("model", o.model)
	w.StrMember("version", c.version.Name)
	w.StrMember("call_id", c.asked.CallID)
	w.End()
	return w.Buf
}

// oneLine is JSON without line ends between its tokens, which would end the data of an event.
func oneLine(json []byte) []byte {
	if json == nil {
		return []byte("null")
	}
	for i, b := range json {
		if b == '\n' || b == '\r' {
			json[i] = ' '
		}
	}
	return json
}
