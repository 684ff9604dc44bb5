package exchanges

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated part of docs/protocols.md anew")

// TestDocument keeps the differences in docs/protocols.md the same as the rules.
func TestDocument(t *testing.T) {
	const file = "../../docs/protocols.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(raw), DocumentBegin)
	_, after, ends := strings.Cut(rest, DocumentEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for what e2e/exchanges writes", file)
	}
	text := before + Document() + after
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(raw) {
		t.Errorf("%s is not what the rules say: run go test ./e2e/exchanges -update", file)
	}
}

// TestList holds what the drivers and the origin rely on.
func TestList(t *testing.T) {
	names := map[string]bool{}
	for _, e := range List() {
		if names[e.Name] || strings.ContainsAny(e.Name, "/?.") || e.About == "" {
			t.Errorf("exchange %q: its name must be its own, stand in a path, and say what it is about", e.Name)
		}
		names[e.Name] = true
	}
	if len(names) < 40 {
		t.Errorf("%d exchanges", len(names))
	}
	for _, r := range Rules() {
		if r.What == "" || r.Why == "" || len(r.Fields) == 0 {
			t.Errorf("a rule without a reason: %+v", r)
		}
		if i := slices.IndexFunc(r.Exchanges, func(name string) bool { return !names[name] }); i >= 0 {
			t.Errorf("a rule speaks of the exchange %q, which there is not", r.Exchanges[i])
		}
	}
}

// A difference is explained by its own rule and by none that is only like it.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name      string
		d         Difference
		explained bool
	}{
		{"the gateway's Via", Difference{Exchange: "get", Where: InRequest, Field: "header via", Through: "[1.1 causeway-0123456789]"}, true},
		{"another Via", Difference{Exchange: "get", Where: InRequest, Field: "header via", Through: "[1.1 nginx]"}, false},
		{"a lost Via", Difference{Exchange: "get", Where: InRequest, Field: "header via", Direct: "[1.1 edge]"}, false},
		{"Via in the answer", Difference{Exchange: "get", Where: InAnswer, Field: "header via", Through: "[1.1 causeway-0123456789]"}, false},
		{"a call id", Difference{Exchange: "get", Where: InAnswer, Field: "header causeway-call-id", Through: "[01M83DCSAXFVYYD0ECH7N23PZS]"}, true},
		{"Date where the server sent one", Difference{Exchange: "get", Where: InAnswer, Field: "header date", Direct: "[" + date + "]", Through: "[Mon, 23 Nov 2026 05:19:02 GMT]"}, false},
		{"another status", Difference{Exchange: "get", Where: InAnswer, Field: "status", Direct: "200", Through: "502", seen: [2]*Seen{{Status: 200}, {Status: 502}}}, false},
		{"another body", Difference{Exchange: "get", Where: InAnswer, Field: "body", Direct: "1 bytes a", Through: "2 bytes b"}, false},
		{"other fields' order", Difference{Exchange: "tracing", Where: InRequest, Field: "order", Direct: "a b via", Through: "b a via"}, false},
	} {
		if got := Explain(Rules(), &c.d) != nil; got != c.explained {
			t.Errorf("%s: explained is %v", c.name, got)
		}
	}
}

// Compare sees what differs, and nothing where nothing does.
func TestCompare(t *testing.T) {
	e := Exchange{Name: "x", Answer: ok("x")}
	base := func() Outcome {
		return Outcome{
			Seen: Seen{Status: 200, Reason: "OK", Ordered: true, Headers: []Field{{"A", "1"}, {"b", "2"}, {"A", "3"}}, Trailers: []Field{{"T", "1"}}, Length: 3, SHA: "abc", Interim: []Interim{{103, []Field{{"Link", "x"}}}}},
			Got:  []Received{{Method: "GET", Target: "/x", Headers: []Field{{"H", "1"}, {"I", "2"}}, Framing: "length", Length: 2, SHA: "d"}},
		}
	}
	if list := Compare("c", Plain, false, &e, base(), base()); len(list) > 0 {
		t.Errorf("the same differs: %v", list)
	}
	for field, change := range map[string]func(*Outcome){
		"answer status":     func(o *Outcome) { o.Seen.Status = 201 },
		"answer error":      func(o *Outcome) { o.Seen.Error = "EOF" },
		"answer reason":     func(o *Outcome) { o.Seen.Reason = "Fine" },
		"answer header a":   func(o *Outcome) { o.Seen.Headers = []Field{{"A", "3"}, {"b", "2"}, {"A", "1"}} },
		"answer names":      func(o *Outcome) { o.Seen.Headers = []Field{{"A", "1"}, {"B", "2"}, {"A", "3"}} },
		"answer order":      func(o *Outcome) { o.Seen.Headers = []Field{{"b", "2"}, {"A", "1"}, {"A", "3"}} },
		"answer trailer t":  func(o *Outcome) { o.Seen.Trailers = nil },
		"answer body":       func(o *Outcome) { o.Seen.SHA = "xyz" },
		"answer interim":    func(o *Outcome) { o.Seen.Interim = nil },
		"request target":    func(o *Outcome) { o.Got[0].Target = "/y" },
		"request count":     func(o *Outcome) { o.Got = append(o.Got, o.Got[0]) },
		"request header i":  func(o *Outcome) { o.Got[0].Headers = []Field{{"H", "1"}, {"I", "3"}} },
		"request order":     func(o *Outcome) { o.Got[0].Headers = []Field{{"I", "2"}, {"H", "1"}} },
		"request framing":   func(o *Outcome) { o.Got[0].Framing = "chunked" },
		"request body":      func(o *Outcome) { o.Got[0].Broken = true },
		"request trailer t": func(o *Outcome) { o.Got[0].Trailers = []Field{{"T", "1"}} },
	} {
		other := base()
		change(&other)
		list := Compare("c", Plain, false, &e, base(), other)
		if len(list) != 1 || string(list[0].Where)+" "+list[0].Field != field {
			t.Errorf("%s: found %v", field, list)
		}
	}
}
