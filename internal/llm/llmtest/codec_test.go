package llmtest_test

import (
	"slices"
	"testing"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
)

func TestDiff(t *testing.T) {
	a := llmtest.Value(t, []byte(`{"same":1.0,"list":[1,{"x":"y"}],"gone":true,"nothing":null,"kind":1}`))
	b := llmtest.Value(t, []byte(`{"same":1,"list":[1,{"x":"z"},2],"new":[],"kind":"1"}`))
	want := []string{"+/list/2", "+/new", "-/gone", "~/kind", "~/list/1/x"}
	if got := llmtest.Diff(a, b); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	unexpected, needless := llmtest.Unexpected(want, []string{"/list/**", "-/gone", "+/kind", "/new"})
	if !slices.Equal(unexpected, []string{"~/kind"}) || !slices.Equal(needless, []string{"+/kind"}) {
		t.Errorf("unexpected %q, needless %q", unexpected, needless)
	}
}

// TestFoldHoldsTheOrder shows that events out of order are found.
func TestFoldHoldsTheOrder(t *testing.T) {
	start := canon.Event{Kind: canon.Start}
	begin := func(part int, kind canon.PartKind) canon.Event {
		ev := canon.Event{Kind: canon.Begin, Part: part, PartKind: kind}
		if kind == canon.ToolCall {
			ev.Call = &canon.Call{Name: "f"}
		}
		return ev
	}
	delta := func(part int, kind canon.PartKind) canon.Event {
		return canon.Event{Kind: canon.Delta, Part: part, PartKind: kind, Text: "x"}
	}
	end := func(part int, kind canon.PartKind) canon.Event {
		return canon.Event{Kind: canon.EndPart, Part: part, PartKind: kind}
	}
	finished := canon.Event{Kind: canon.Finished, Finish: canon.Stopped}
	usage := canon.NoUsage()
	for _, c := range []struct {
		name   string
		events []canon.Event
		wrong  int // the event that is, -1 for none
		whole  bool
	}{
		{"text", []canon.Event{start, begin(0, canon.Text), delta(0, canon.Text), end(0, canon.Text), finished, {Kind: canon.Used, Usage: &usage}}, -1, true},
		{"calls that are open at once", []canon.Event{start, begin(0, canon.ToolCall), begin(1, canon.ToolCall), delta(0, canon.ToolCall), end(1, canon.ToolCall), end(0, canon.ToolCall), finished}, -1, true},
		{"no start", []canon.Event{begin(0, canon.Text)}, 0, false},
		{"two starts", []canon.Event{start, start}, 1, true},
		{"a delta of nothing", []canon.Event{start, delta(0, canon.Text)}, 1, false},
		{"a delta of another kind", []canon.Event{start, begin(0, canon.Text), delta(0, canon.Thinking)}, 2, false},
		{"a part while another is open", []canon.Event{start, begin(0, canon.Text), begin(1, canon.ToolCall)}, 2, false},
		{"a part that skips one", []canon.Event{start, begin(1, canon.Text)}, 1, false},
		{"a call without name", []canon.Event{start, {Kind: canon.Begin, PartKind: canon.ToolCall, Call: &canon.Call{}}}, 1, false},
		{"a call with arguments", []canon.Event{start, {Kind: canon.Begin, PartKind: canon.ToolCall, Call: &canon.Call{Name: "f", Args: "{}"}}}, 1, false},
		{"finished with an open part", []canon.Event{start, begin(0, canon.Text), finished}, 2, false},
		{"finished twice", []canon.Event{start, finished, finished}, 2, true},
		{"a part behind the end", []canon.Event{start, finished, begin(0, canon.Text)}, 2, true},
		{"no reason", []canon.Event{start, {Kind: canon.Finished}}, 1, false},
		{"not finished", []canon.Event{start, begin(0, canon.Text), end(0, canon.Text)}, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f llmtest.Fold
			at := -1
			for i := range c.events {
				if err := f.Add(&c.events[i]); err != nil {
					at = i
					break
				}
			}
			if at != c.wrong || (f.Whole() == "") != c.whole {
				t.Errorf("event %d is wrong, want %d; missing: %q", at, c.wrong, f.Whole())
			}
		})
	}
}
