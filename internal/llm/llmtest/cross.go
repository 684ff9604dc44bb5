package llmtest

import (
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
// provider were a gateway: the two canonical forms must be equal but for what the report names. Messages
// are compared part by part, each with its role, since dialects join and split turns; system and developer
// are one role, and the model is not compared. It returns the closed report.
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
	a, places := spoken(req)
	b, _ := spoken(again)
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

// spoken is the plain form of a request in which messages are taken apart.
func spoken(r *canon.Request) (map[string]any, map[string]string) {
	flat := *r
	flat.Doc, flat.Model, flat.Dialect, flat.Op = r.Doc, "", "", 0
	flat.Messages = nil
	for _, m := range r.Messages {
		role := m.Role
		if role == canon.Developer {
			role = canon.System
		}
		for _, p := range m.Parts {
			at := m.At
			if p.At != 0 {
				at = p.At
			}
			flat.Messages = append(flat.Messages, canon.Message{Role: role, Name: m.Name, Parts: []canon.Part{p}, At: at})
		}
	}
	return plainRequest(&flat)
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
// of req, and reads that again: the two must be equal but for the paths of PlainAnswer that allow covers. It
// returns what the caller gets and the report.
func CrossAnswer(t testing.TB, from, to canon.Codec, req *canon.Request, body string, allow ...string) ([]byte, *canon.Report) {
	t.Helper()
	a, err := from.ReadAnswer([]byte(body))
	if err != nil {
		t.Fatalf("the provider's dialect: %v", err)
	}
	before := PlainAnswer(a)
	report := canon.NewReport(req)
	written := to.WriteAnswer(a, req, report)
	again, err := to.ReadAnswer(written)
	if err != nil {
		t.Fatalf("what was written can't be read: %v\n%s", err, written)
	}
	compareAnswers(t, before, PlainAnswer(again), allow, written)
	return written, report
}

func compareAnswers(t testing.TB, a, b any, allow []string, written []byte) {
	t.Helper()
	bad, _ := Unexpected(Diff(a, b), allow)
	for _, at := range bad {
		t.Errorf("%s: read %.300s, written %.300s\nwritten: %.1500s", at, Show(Find(a, at[1:])), Show(Find(b, at[1:])), written)
	}
}

// CrossStream takes a provider's whole stream of one dialect to a caller of another, holds what the caller
// gets against the caller's dialect, and reads it again: the two must fold to the same but for the paths
// of PlainAnswer that allow covers. It returns the crossing and the report.
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
	compareAnswers(t, PlainAnswer(&x.Fold.Answer), PlainAnswer(&back.Fold.Answer), allow, x.Out)
	return x, report
}
