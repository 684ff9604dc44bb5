package matrix

import (
	"testing"

	"causeway/internal/llm/canon"
)

// answerFeature is one thing that an answer can say, built in the canonical form.
type answerFeature struct {
	name  string
	build func(a *canon.Answer, own string)
}

func parts(list ...canon.Part) func(*canon.Answer, string) {
	return func(a *canon.Answer, _ string) { a.Choices[0].Parts = list }
}

func finished(f canon.Finish, raw string) func(*canon.Answer, string) {
	return func(a *canon.Answer, _ string) { a.Choices[0].Finish, a.Choices[0].FinishRaw = f, raw }
}

func counted(set func(u *canon.Usage)) func(*canon.Answer, string) {
	return func(a *canon.Answer, _ string) { set(&a.Usage) }
}

// answerFeatures are what the matrix of answers shows.
func answerFeatures() []answerFeature {
	return []answerFeature{
		{"text", func(*canon.Answer, string) {}},
		{"thinking", parts(canon.Part{Kind: canon.Thinking, Text: "Hm.", Verbatim: true}, words("Sunny."))},
		{"thinking with its proof", func(a *canon.Answer, own string) {
			a.Choices[0].Parts = []canon.Part{{Kind: canon.Thinking, Text: "Hm.", Signature: "EqQBCkgIBRABGAI=", SignedBy: own}, words("Sunny.")}
		}},
		{"a tool call with its id", func(a *canon.Answer, _ string) {
			a.Choices[0].Parts, a.Choices[0].Finish = []canon.Part{callOf("call_1", "Rome")}, canon.ToolCalls
		}},
		{"parallel calls", func(a *canon.Answer, _ string) {
			a.Choices[0].Parts, a.Choices[0].Finish = []canon.Part{words("Let me look."), callOf("call_1", "Rome"), callOf("call_2", "Oslo")}, canon.ToolCalls
		}},
		{"citations", parts(canon.Part{Text: "Rome is sunny.", Citations: []canon.Citation{{Start: 0, End: 4, URL: "https://example.com/rome", Title: "Rome", Cited: "sunny"}}})},
		{"a refusal", func(a *canon.Answer, _ string) {
			a.Choices[0].Parts, a.Choices[0].Finish = []canon.Part{{Kind: canon.Refusal, Text: "Not that."}}, canon.Refused
		}},
		{"an image", parts(words("Here."), canon.Part{Kind: canon.Image, Media: &canon.Media{MIME: "image/png", Data: pixel}})},
		{"several choices", func(a *canon.Answer, _ string) {
			a.Choices = append(a.Choices, canon.Choice{Index: 1, Parts: []canon.Part{words("Cloudy.")}, Finish: canon.Stopped})
		}},
		{"logprobs", func(a *canon.Answer, _ string) {
			a.Choices[0].Logprobs = []canon.Logprob{{Token: "Sunny", Logprob: -0.25, Bytes: []byte("Sunny")}, {Token: ".", Logprob: -0.5, Bytes: []byte(".")}}
		}},
		{"finish: length", finished(canon.Length, "")},
		{"finish: stop sequence", func(a *canon.Answer, _ string) {
			a.Choices[0].Finish, a.Choices[0].StopWord = canon.StopSequence, "END"
		}},
		{"finish: filtered", finished(canon.Filtered, "")},
		{"usage: input and output", func(*canon.Answer, string) {}},
		{"usage: cached", counted(func(u *canon.Usage) { u.Cached = 60 })},
		{"usage: cache write", counted(func(u *canon.Usage) { u.CacheWrite = 20 })},
		{"usage: reasoning", counted(func(u *canon.Usage) { u.Reasoning = 5 })},
	}
}

// answered is what becomes of a feature of a provider's answer on its way to a caller.
func answered(t *testing.T, provider, caller *side, f answerFeature) outcome {
	t.Helper()
	a := &canon.Answer{ID: "answer-1", Model: "m", Created: 1700000000, Usage: canon.NoUsage(), Choices: []canon.Choice{{Parts: []canon.Part{words("Sunny.")}, Finish: canon.Stopped}}}
	a.Usage.Input, a.Usage.Output = 100, 10
	f.build(a, provider.speaks.Name())
	req := asked(provider)
	own := canon.NewReport(req)
	written := provider.codec().WriteAnswer(a, req, own)
	if len(own.Entries) > 0 {
		return none
	}
	back, err := provider.codec().ReadAnswer(written)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	for _, lost := range missing(answerFacts(a), answerFacts(back)) {
		if lost.what != "tool call's id" && lost.what != "model" {
			return none
		}
	}
	report := crossAnswer(t, provider, caller, string(written))
	return worst(report)
}
