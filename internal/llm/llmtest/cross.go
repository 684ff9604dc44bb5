package llmtest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

// CrossCase is a request that goes from one dialect to another.
type CrossCase struct {
	Match  llm.Match // what the caller's address said
	Body   string
	Target *canon.Target
	// Back is what the provider's address says of the written request: its Op must be that of the codec to;
	// Gemini's model stands there, and whether a stream is asked for.
	Back llm.Match
	// Allow are differences of the canonical forms (paths of PlainRequest) that mean nothing between these
	// two dialects, as Covers reads them: an id that only one of them has.
	Allow []string
}

// Cross reads a request by the codec from, writes it by the codec to and reads that again, as if the
// provider were a gateway: the two canonical forms must be equal but for what the report names. Before they
// are compared they are brought to one form: messages part by part, each with its role, texts that follow
// each other joined, system and developer one role, results as text and with the names of their calls, what
// is so unless said left out, and so are the model and the parts and tools that the report names. It
// returns the closed report.
func Cross(t testing.TB, from, to canon.Codec, c CrossCase) *canon.Report {
	t.Helper()
	req, err := from.ReadRequest(c.Match, []byte(c.Body))
	if err != nil {
		t.Fatalf("the caller's dialect: %v", err)
	}
	report := canon.NewReport(req)
	written, err := to.WriteRequest(req, c.Target, report)
	if err != nil {
		t.Fatalf("the provider's dialect: %v", err)
	}
	report.Close()
	again, err := to.ReadRequest(c.Back, written)
	if err != nil {
		t.Fatalf("what was written can't be read: %v\n%s", err, written)
	}
	moved := map[string]int{}
	a, places := spoken(req, report, moved)
	b, _ := spoken(again, nil, moved)
	for _, at := range Diff(a, b) {
		if excused(at[1:], places, report) {
			continue
		}
		if rest, _ := Unexpected([]string{at}, c.Allow); len(rest) > 0 {
			t.Errorf("%s (%s) is lost in silence: read %.300s, written %.300s\nreport: %s\nwritten: %.1500s", at, placeOf(at[1:], places),
				Show(Find(a, at[1:])), Show(Find(b, at[1:])), report.Header(), written)
		}
	}
	return report
}

// spoken is the plain form of a request as Cross compares it. Of the caller's request (with a report) the parts
// that the report names are left out and counted in moved; of the other, those that were moved there.
func spoken(r *canon.Request, report *canon.Report, moved map[string]int) (map[string]any, map[string]string) {
	flat := *r
	flat.Model, flat.Dialect, flat.Op, flat.StreamUsage, flat.Framed = "", "", 0, false, false
	flat.Messages, flat.Tools = nil, nil
	for _, m := range r.Messages {
		role := m.Role
		if role == canon.Developer {
			role = canon.System
		}
		for _, p := range m.Parts {
			if gone(r, &p, report, moved) {
				continue
			}
			at := m.At
			if p.At != 0 {
				at = p.At
			}
			if p.Result != nil {
				p.Result = plainResult(r, p.Result, report, moved)
			}
			last := len(flat.Messages) - 1
			if last >= 0 && p.Kind == canon.Text && flat.Messages[last].Role == role && flat.Messages[last].Parts[0].Kind == canon.Text && flat.Messages[last].Name == m.Name {
				flat.Messages[last].Parts[0].Text += p.Text
				continue
			}
			flat.Messages = append(flat.Messages, canon.Message{Role: role, Name: m.Name, Parts: []canon.Part{p}, At: at})
		}
	}
	for _, tool := range r.Tools {
		if report == nil || !named(report, r.Doc.At(tool.At).Path(), canon.Dropped, canon.Emulated) && (tool.BuiltIn == "" || !named(report, r.Doc.At(tool.At).Path(), canon.Approximated)) {
			flat.Tools = append(flat.Tools, tool)
		}
	}
	if flat.Choice.Mode == canon.ToolsAuto && len(flat.Choice.Names) == 0 {
		flat.Choice = canon.ToolChoice{}
	}
	if flat.ParallelTools.On {
		flat.ParallelTools = canon.Flag{}
	}
	return plainRequest(&flat)
}

// gone tells whether a part is left out of the comparison.
func gone(r *canon.Request, p *canon.Part, report *canon.Report, moved map[string]int) bool {
	if p.Kind == canon.ToolCall || p.Kind == canon.ToolResult {
		return false // what the report says of them is about something in them
	}
	key := Show(plain(reflect.ValueOf(p), "", nil, nil))
	if report != nil {
		if !named(report, r.Doc.At(p.At).Path(), canon.Dropped, canon.Emulated) {
			return false
		}
		moved[key]++
		return true
	}
	if moved[key] == 0 {
		return false
	}
	moved[key]--
	return true
}

// plainResult is a tool's result in the form in which results are compared.
func plainResult(r *canon.Request, res *canon.Result, report *canon.Report, moved map[string]int) *canon.Result {
	one := *res
	if one.Name == "" {
		one.Name = r.FindCall(one.ID)
	}
	one.Parts = nil
	if one.JSON != nil {
		one.JSON, one.Parts = nil, []canon.Part{{Kind: canon.Text, Text: string(res.JSON)}}
	}
	for _, p := range res.Parts {
		if gone(r, &p, report, moved) {
			continue
		}
		if last := len(one.Parts) - 1; last >= 0 && p.Kind == canon.Text && one.Parts[last].Kind == canon.Text {
			one.Parts[last].Text += p.Text
			continue
		}
		one.Parts = append(one.Parts, p)
	}
	return &one
}

// named tells whether the report has an entry with exactly this path.
func named(report *canon.Report, path string, losses ...canon.Loss) bool {
	return path != "" && slices.Contains(report.Names(losses...), path)
}

// placeOf is the place in the caller's body of what stands at a path of the plain form, or of the
// nearest thing around it.
func placeOf(path string, places map[string]string) string {
	for path != "" {
		if place := places[path]; place != "" {
			return place
		}
		path = path[:strings.LastIndexByte(path, '/')]
	}
	return ""
}

// excused tells whether the report names the place, something in it, or something around it.
func excused(path string, places map[string]string, r *canon.Report) bool {
	place := placeOf(path, places)
	if place == "" {
		return false
	}
	for _, e := range r.Entries {
		if e.Field == place || strings.HasPrefix(e.Field, place+".") || strings.HasPrefix(place, e.Field+".") {
			return true
		}
	}
	return false
}

// CrossAnswer reads a provider's whole answer by the codec from, writes it by the codec to for the caller
// of req, and reads that again: the two must be equal but for the paths of PlainAnswer that allow covers. They
// are compared with texts that follow each other joined, and without what only the dialect that made it
// understands, which the report must name. It returns what the caller gets and the report.
func CrossAnswer(t testing.TB, from, to canon.Codec, req *canon.Request, body string, allow ...string) ([]byte, *canon.Report) {
	t.Helper()
	a, err := from.ReadAnswer([]byte(body))
	if err != nil {
		t.Fatalf("the provider's dialect: %v", err)
	}
	before := told(a)
	report := canon.NewReport(req)
	written := to.WriteAnswer(a, req, report)
	again, err := to.ReadAnswer(written)
	if err != nil {
		t.Fatalf("what was written can't be read: %v\n%s", err, written)
	}
	compareAnswers(t, before, told(again), allow, written)
	namesOthers(t, a, again, report)
	return written, report
}

// told is the plain form of an answer as CrossAnswer compares it: the provider's word for its end is not said,
// and neither is the time of an answer whose dialect has none.
func told(a *canon.Answer) any {
	one := *a
	one.Created, one.Usage.Source, one.Choices = 0, "", nil
	for _, c := range a.Choices {
		c.FinishRaw = ""
		var parts []canon.Part
		for _, p := range c.Parts {
			if p.Kind == canon.Other {
				continue
			}
			var cites []canon.Citation
			for _, cite := range p.Citations {
				cites = append(cites, canon.Citation{URL: cite.URL, Title: cite.Title})
			}
			p.Citations = cites
			if last := len(parts) - 1; last >= 0 && p.Kind == canon.Text && parts[last].Kind == canon.Text {
				parts[last].Text += p.Text
				parts[last].Citations = append(parts[last].Citations, p.Citations...)
				continue
			}
			parts = append(parts, p)
		}
		c.Parts = parts
		one.Choices = append(one.Choices, c)
	}
	return PlainAnswer(&one)
}

// namesOthers holds the report to what only the provider's dialect understands.
func namesOthers(t testing.TB, a, again *canon.Answer, report *canon.Report) {
	t.Helper()
	count := func(a *canon.Answer) (n int) {
		for _, c := range a.Choices {
			for _, p := range c.Parts {
				if p.Kind == canon.Other {
					n++
				}
			}
		}
		return n
	}
	if lost := count(a) - count(again); lost > 0 && len(report.Names(canon.Dropped, canon.Approximated, canon.Emulated)) == 0 {
		t.Errorf("%d parts that only the provider's dialect has are lost in silence", lost)
	}
}

func compareAnswers(t testing.TB, a, b any, allow []string, written []byte) {
	t.Helper()
	bad, _ := Unexpected(Diff(a, b), allow)
	for _, at := range bad {
		t.Errorf("%s: read %.300s, written %.300s\nwritten: %.1500s", at, Show(Find(a, at[1:])), Show(Find(b, at[1:])), written)
	}
}

// CrossStream takes a provider's whole stream of one dialect to a caller of another, holds what the caller
// gets against the caller's dialect, and reads it again: the two must fold to the same, as CrossAnswer compares
// them. It returns the crossing and the report.
func CrossStream(t testing.TB, from, to canon.Speaker, fromOp, toOp llm.Operation, req *canon.Request, contentType, body string, allow ...string) (*Crossing, *canon.Report) {
	t.Helper()
	report := canon.NewReport(req)
	x := CrossPieces(t, from, fromOp, contentType, []byte(body), len(body), to.Codec(toOp).NewWriter(req, report))
	if !x.End.Complete {
		t.Fatalf("the provider's stream is not whole: %+v", x.End)
	}
	if missing := x.Fold.Whole(); missing != "" {
		t.Error(missing)
	}
	back := CrossPieces(t, to, toOp, x.Writer.ContentType(), x.Out, len(x.Out), nil)
	if !back.End.Complete {
		t.Fatalf("what the caller gets is not whole: %+v\n%s", back.End, x.Out)
	}
	compareAnswers(t, told(&x.Fold.Answer), told(&back.Fold.Answer), allow, x.Out)
	namesOthers(t, &x.Fold.Answer, &back.Fold.Answer, report)
	return x, report
}
