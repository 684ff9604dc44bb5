package matrix

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
)

// recordedAnswers takes each recorded answer of each dialect, whole or streamed, to a caller of each other: what
// the caller gets is what its dialect's own description allows, ends only where the provider's ended, and read again
// says the same but for what the report names. A stream says what the whole answer would have said.
func recordedAnswers(t *testing.T, all []*side) {
	for _, provider := range all {
		for _, caller := range all {
			if provider == caller {
				continue
			}
			t.Run(provider.name+" to "+caller.name, func(t *testing.T) {
				for _, x := range provider.exchanges {
					if x.Body == "" {
						continue
					}
					t.Run(x.ID, func(t *testing.T) {
						if x.streamed() {
							crossStream(t, provider, caller, x)
						} else {
							crossAnswer(t, provider, caller, x.Body)
						}
					})
				}
			})
		}
	}
}

// asked is a request of the caller's dialect that the answer is for.
func asked(caller *side) *canon.Request {
	return &canon.Request{Dialect: caller.speaks.Name(), Op: caller.op, Model: "m", Stream: true, StreamUsage: true}
}

func crossAnswer(t *testing.T, provider, caller *side, body string) *canon.Report {
	t.Helper()
	if judged := provider.speaks.ReadAnswer(provider.op, []byte(body)); judged.Kind != "" {
		t.Fatalf("it is no answer: %s", judged.Problem)
	}
	a, err := provider.codec().ReadAnswer([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	report, back := rewrite(t, a, caller)
	for _, f := range missing(answerFacts(a), answerFacts(back)) {
		if !answerCovered(f, a, report, caller) {
			t.Errorf("the %s of the answer is lost in silence: %.200s\nreport: %s\nprovider: %.700s", f.what, f.value, report.Header(), body)
		}
	}
	return report
}

// rewrite writes an answer for a caller, holds it against the dialect's description and reads it again.
func rewrite(t *testing.T, a *canon.Answer, caller *side) (*canon.Report, *canon.Answer) {
	t.Helper()
	req := asked(caller)
	report := canon.NewReport(req)
	for _, path := range a.Lost {
		report.Add("answer."+path, canon.Dropped, "")
	}
	written := caller.codec().WriteAnswer(a, req, report)
	if judged := caller.speaks.ReadAnswer(caller.op, written); judged.Kind != "" && !(caller.name == "cohere" && a.Choices[0].Finish == canon.Filtered) { // its ERROR
		t.Errorf("what is written is no answer: %s\n%.1500s", judged.Problem, written)
	}
	if caller.validAnswer != nil {
		caller.validAnswer(t, written)
	}
	back, err := caller.codec().ReadAnswer(written)
	if err != nil {
		t.Fatalf("what is written can't be read: %v\n%.1500s", err, written)
	}
	return report, back
}

func crossStream(t *testing.T, provider, caller *side, x exchange) {
	req := asked(caller)
	report := canon.NewReport(req)
	there := llmtest.CrossPieces(t, provider.speaks, provider.op, x.Headers["content-type"], []byte(x.Body), 1000, caller.codec().NewWriter(req, report))
	if !there.End.Complete {
		t.Fatalf("the provider's stream is not whole: %+v", there.End)
	}
	if problem := there.Fold.Whole(); problem != "" {
		t.Error(problem)
	}
	back := llmtest.CrossPieces(t, caller.speaks, caller.op, there.Writer.ContentType(), there.Out, 7, nil)
	if !back.End.Complete {
		t.Fatalf("what the caller gets is not whole: %+v\n%.1500s", back.End, there.Out)
	}
	events(t, caller, there.Writer.ContentType(), there.Out)
	for _, f := range missing(answerFacts(&there.Fold.Answer), answerFacts(&back.Fold.Answer)) {
		if !lent(f, there.Out) && !answerCovered(f, &there.Fold.Answer, report, caller) {
			t.Errorf("the %s of the stream is lost in silence: %.200s\nreport: %s\ncaller: %.1000s", f.what, f.value, report.Header(), there.Out)
		}
	}
	_, whole := rewrite(t, &there.Fold.Answer, caller)
	wholeFacts, streamFacts := withoutMadeIDs(answerFacts(whole), &there.Fold.Answer), withoutMadeIDs(answerFacts(&back.Fold.Answer), &there.Fold.Answer)
	for _, f := range missing(wholeFacts, streamFacts) {
		if lent(f, there.Out) {
			continue
		}
		t.Errorf("the stream does not say the %s that the whole answer says: %.200s\ncaller: %.1000s", f.what, f.value, there.Out)
	}
	for _, f := range missing(streamFacts, wholeFacts) {
		t.Errorf("the whole answer does not say the %s that the stream says: %.200s", f.what, f.value)
	}
}

// lent tells whether a signature goes in a block of its own behind the part that it belongs to, which is told when it
// comes: callers send it back as it came.
func lent(f fact, out []byte) bool {
	return f.what == "thinking signature" && bytes.Contains(out, []byte(f.value))
}

// events holds each event of what a caller gets against its dialect's description.
func events(t *testing.T, caller *side, contentType string, out []byte) {
	t.Helper()
	if caller.validEvent == nil {
		return
	}
	if !llm.IsEventStream(contentType) {
		for line := range bytes.Lines(out) {
			caller.validEvent(t, "", line)
		}
		return
	}
	for event := range strings.SplitSeq(string(out), "\n\n") {
		name, data := "", ""
		for line := range strings.Lines(event) {
			line = strings.TrimRight(line, "\n")
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				name = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				data = v
			}
		}
		if data != "" && data != "[DONE]" {
			caller.validEvent(t, name, []byte(data))
		}
	}
}

// answerFacts lists what an answer says.
func answerFacts(a *canon.Answer) (list []fact) {
	add := func(what, value string) {
		if value != "" && value != "-1" {
			list = append(list, fact{what: what, value: value})
		}
	}
	empty := &canon.Request{}
	add("model", a.Model)
	add("block", a.Blocked)
	for i := range a.Choices {
		c := &a.Choices[i]
		add("choice", fmt.Sprint(c.Index))
		for k := range c.Parts {
			list = append(list, partFacts(empty, "assistant", &c.Parts[k], "")...)
		}
		finish := c.Finish
		if finish == canon.StopSequence {
			add("stop word", c.StopWord)
			finish = canon.Stopped
		}
		if slices.ContainsFunc(c.Parts, func(p canon.Part) bool { return p.Kind == canon.ToolCall }) && finish == canon.Stopped {
			finish = canon.ToolCalls // as most dialects say it
		}
		if finish == canon.Refused {
			finish = canon.Filtered // one word for both in most dialects
		}
		add("finish", fmt.Sprint(finish))
		if len(c.Logprobs) > 0 {
			text := ""
			for _, p := range c.Logprobs {
				text += fmt.Sprintf("%s %.3f;", p.Token, p.Logprob)
			}
			add("logprobs", text)
		}
	}
	u := &a.Usage
	add("input tokens", fmt.Sprint(u.Input))
	add("output tokens", fmt.Sprint(u.Output))
	add("cached tokens", fmt.Sprint(max(u.Cached, 0)))
	add("cache write tokens", fmt.Sprint(max(u.CacheWrite, 0)))
	add("reasoning tokens", fmt.Sprint(max(u.Reasoning, 0)))
	return list
}

// answerCovered tells whether the report names the fact, or the caller's dialect has it in another way.
func answerCovered(f fact, a *canon.Answer, r *canon.Report, caller *side) bool {
	u := &a.Usage
	switch {
	case f.what == "model" && (caller.name == "bedrock" || caller.name == "cohere"):
		return true // their answers name none: it is the one that was asked for
	case f.what == "tool call's id" && caller.name == "bedrock" && strings.ContainsAny(f.value, ".:"):
		return true // Bedrock's callers can't send such ids back
	case f.what == "input tokens" && u.Cached > u.Input:
		return true // told wrongly by the provider: a part can't be more than the whole
	case len(a.Choices) > 1 && strings.Contains(r.Header(), "answer.choices"):
		return true
	case f.what == "what only one dialect has":
		return strings.Contains(r.Header(), "parts") || len(r.Names(canon.Dropped)) > 0
	}
	for _, e := range r.Entries {
		for _, word := range strings.Fields(f.what) {
			if strings.Contains(e.Field, strings.TrimSuffix(word, "s")) {
				return true
			}
		}
	}
	return false
}

// withoutMadeIDs leaves out the ids of calls to which the provider gave none: each writer makes one.
func withoutMadeIDs(list []fact, a *canon.Answer) (rest []fact) {
	made := false
	for i := range a.Choices {
		for k := range a.Choices[i].Parts {
			c := a.Choices[i].Parts[k].Call
			made = made || c != nil && c.ID == ""
		}
	}
	for _, f := range list {
		if !made || f.what != "tool call's id" {
			rest = append(rest, f)
		}
	}
	return rest
}
