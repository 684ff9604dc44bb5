package fault

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func exampleCall() *Call {
	return &Call{
		ID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Time: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC),
		Method: "GET", Host: "127.0.0.1:8080", Path: "/orders/1", Protocol: "HTTP/1.1",
		Remote: "127.0.0.1", Application: "web", Service: "orders", Route: "/orders/*",
		Status: 502, Total: 900 * time.Microsecond, FirstByte: 800 * time.Microsecond, BytesOut: 640,
		Attempts: []CallAttempt{{
			Target: "http://127.0.0.1:9001", Start: 100 * time.Microsecond, Total: 200 * time.Microsecond, Kind: ConnectionRefused,
			Phases: []PhaseTime{{"dns", 50 * time.Microsecond}, {"connect", 150 * time.Microsecond}}, Why: "not retried: no other target",
		}},
		Policies: []string{"rate_limit: 100/1s by application"},
		Notes:    []string{"0.1 ms choose: 1 of 1 targets"},
		Finding:  example(),
	}
}

// checkPage parses a page and fails on whatever needs anything from elsewhere or runs anything.
func checkPage(t *testing.T, name string, b []byte) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(string(b)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	titles := 0
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			switch n.Data {
			case "script", "link", "img", "iframe", "object", "form", "base":
				t.Errorf("%s: has a <%s>", name, n.Data)
			case "title", "h1":
				titles++
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" {
					t.Errorf("%s: has the attribute %s", name, a.Key)
				}
				if a.Key == "href" && !strings.HasPrefix(a.Val, "/.causeway/") {
					t.Errorf("%s: links to %s", name, a.Val)
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	if titles != 2 {
		t.Errorf("%s: title and h1 are not there once each", name)
	}
	if s := string(b); strings.Contains(s, "@import") || strings.Contains(s, "url(") || strings.Contains(s, "ZgotmplZ") || !strings.Contains(s, "prefers-color-scheme:dark") {
		t.Errorf("%s: its style is not self-contained", name)
	}
	if len(b) > 48<<10 {
		t.Errorf("%s: %d bytes", name, len(b))
	}
}

func TestEveryKindHasItsPage(t *testing.T) {
	for i := range All() {
		e := &All()[i]
		b := FailurePage(nil, e, View{})
		checkPage(t, string(e.Kind), b)
		for _, s := range append(append([]string{e.Title, e.Explain}, e.CallerAdvice...), e.OperatorAdvice...) {
			if !strings.Contains(html.UnescapeString(string(b)), s) {
				t.Errorf("%s: its page lacks %q", e.Kind, s)
			}
		}
		var m map[string]any
		if err := json.Unmarshal(AppendEntry(nil, e, View{PublicURL: "https://x"}), &m); err != nil {
			t.Errorf("%s: %v", e.Kind, err)
		} else if m["kind"] != string(e.Kind) || m["title"] != e.Title || m["type"] != "https://x/.causeway/failures/"+string(e.Kind) {
			t.Errorf("%s: %v", e.Kind, m)
		}
	}
}

func TestEveryKindCanBeTheFailureOfACall(t *testing.T) {
	for i := range All() {
		e := &All()[i]
		f := example()
		f.Kind, f.Cause, f.Status, f.Advice = e.Kind, e.Cause, e.Status, nil
		for _, full := range []bool{false, true} {
			checkPage(t, string(e.Kind), HTML(nil, f, View{CallID: "01J", Full: full, Time: time.Unix(0, 0)}))
			if got := ProxyStatus(f, View{Full: full}); !wellFormedStatus(got) {
				t.Errorf("%s: %s", e.Kind, got)
			}
		}
		c := exampleCall()
		c.Finding, c.Status = f, e.Status
		checkPage(t, string(e.Kind), CallPage(nil, c, View{Full: true}))
	}
}

func TestIndexListsEveryKind(t *testing.T) {
	b := IndexPage(nil, "no<such>", View{})
	checkPage(t, "index", b)
	for _, e := range All() {
		if !strings.Contains(string(b), `href="/.causeway/failures/`+string(e.Kind)+`"`) {
			t.Errorf("%s is not listed", e.Kind)
		}
	}
	if !strings.Contains(string(b), "no&lt;such&gt;") {
		t.Error("the unknown kind is not named")
	}
	var m struct{ Failures []struct{ Kind Kind } }
	if err := json.Unmarshal(AppendIndex(nil, View{}), &m); err != nil || len(m.Failures) != len(All()) {
		t.Errorf("%d kinds, %v", len(m.Failures), err)
	}
}

func TestSafePagesTellNoAddress(t *testing.T) {
	c := exampleCall()
	c.Host = "" // the caller's own words are not a secret to the caller
	c.Remote = "10.9.8.7"
	for name, b := range map[string][]byte{
		"failure": HTML(nil, c.Finding, View{CallID: c.ID}),
		"call":    CallPage(nil, c, View{}),
		"JSON":    AppendCall(nil, c, View{}),
	} {
		if m := regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|9001|rate_limit|choose`).Find(b); m != nil {
			t.Errorf("%s tells %q", name, m)
		}
	}
}

func TestThePictureMarksWhereItBroke(t *testing.T) {
	tests := []struct {
		kind Kind
		want string // the states of caller, link, gateway, link, upstream
	}{
		{KeyMissing, "bad ok ok idle idle"},
		{RouteNotFound, "ok ok bad idle idle"},
		{ConnectionRefused, "ok ok ok bad idle"},
		{FirstByteTimeout, "ok ok ok ok bad"},
	}
	class := regexp.MustCompile(`<li class="(?:node|link) (\w+)"`)
	for _, test := range tests {
		var got []string
		for _, m := range class.FindAllStringSubmatch(string(FailurePage(nil, Lookup(test.kind), View{})), -1) {
			got = append(got, m[1])
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: %s", test.kind, s)
		}
	}
}

func TestCallPageOfAGoodCall(t *testing.T) {
	c := exampleCall()
	c.Finding, c.Status, c.Attempts[0].Kind, c.Attempts[0].Status = nil, 200, "", 200
	b := CallPage(nil, c, View{Full: true})
	checkPage(t, "good call", b)
	if s := string(b); !strings.Contains(s, "Nothing failed") || strings.Contains(s, "What to do") || !strings.Contains(s, "answered 200") {
		t.Error(s)
	}
}

func TestCallAsJSON(t *testing.T) {
	var m struct {
		ID, Time   string
		DurationMS float64 `json:"duration_ms"`
		Attempts   []struct {
			Target string
			Phases map[string]float64
		}
		Finding struct {
			Kind Kind
			Help string
		}
		RuledOut []string `json:"ruled_out"`
	}
	if err := json.Unmarshal(AppendCall(nil, exampleCall(), View{Full: true}), &m); err != nil {
		t.Fatal(err)
	}
	if m.ID != "01ARZ3NDEKTSV4RRFFQ69G5FAV" || m.Time != "2026-03-01T12:00:00.123Z" || m.DurationMS != 0.9 || m.Finding.Kind != ConnectionRefused ||
		m.Finding.Help != CallsPath+m.ID || m.Attempts[0].Phases["connect_ms"] != 0.15 || len(m.RuledOut) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestText(t *testing.T) {
	got := string(Text(nil, exampleCall(), false))
	want, err := os.ReadFile("testdata/explain.txt")
	if *update {
		err = os.WriteFile("testdata/explain.txt", []byte(got), 0o644)
		want = []byte(got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	coloured := string(Text(nil, exampleCall(), true))
	if plain := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(coloured, ""); plain != got || coloured == got {
		t.Errorf("colour changes more than colour:\n%s", plain)
	}
}

func TestTextOfAGoodCall(t *testing.T) {
	c := exampleCall()
	c.Finding, c.Status = nil, 200
	if got := string(Text(nil, c, false)); !strings.Contains(got, "Nothing failed in this call.") || strings.Contains(got, "Repeat it?") {
		t.Error(got)
	}
}
