package mask

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

func rewritten(t testing.TB, r *Rewrite, body string) string {
	t.Helper()
	out, err := r.JSON([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if !json.Valid(out) {
		t.Fatalf("%s became what is no JSON: %s", body, out)
	}
	return string(out)
}

// What people wrote is masked wherever it stands; what names things of the dialect stays.
func TestTextsOfABody(t *testing.T) {
	m := masker(t, Rule{Name: "r", Detect: []string{"email", "card"}, Keywords: []string{"user", "falcon"}})
	for name, tt := range map[string]struct{ body, want string }{
		"a chat":                 {`{"model":"a@b.com","messages":[{"role":"user","content":"I am jane@x.com"}]}`, `{"model":"a@b.com","messages":[{"role":"user","content":"I am [EMAIL]"}]}`},
		"nothing to be masked":   {`{ "messages" : [ {"content":"hi"} ] }`, `{ "messages" : [ {"content":"hi"} ] }`},
		"an escape before it":    {`{"content":"to:\njane@x.com"}`, `{"content":"to:\n[EMAIL]"}`},
		"escaped letters":        {`{"content":"j\u0061ne\u0040x.com \ud83d\ude00"}`, `{"content":"[EMAIL] 😀"}`},
		"arguments are JSON":     {`{"arguments":"{\"to\":\"\\njane@x.com\",\"n\":1}"}`, `{"arguments":"{\"to\":\"\\n[EMAIL]\",\"n\":1}"}`},
		"a tool's input":         {`{"type":"tool_use","id":"u","name":"falcon","input":{"name":"falcon","type":"user","card":4111111111111111}}`, `{"type":"tool_use","id":"u","name":"falcon","input":{"name":"[WORD]","type":"[WORD]","card":"[CARD]"}}`},
		"a participant's name":   {`{"name":"jane@x.com"}`, `{"name":"[EMAIL]"}`},
		"a tool's schema":        {`{"parameters":{"type":"object","description":"falcon's","properties":{"user":{"type":"string","enum":["falcon"]}},"required":["user"]}}`, `{"parameters":{"type":"object","description":"[WORD]'s","properties":{"user":{"type":"string","enum":["[WORD]"]}},"required":["user"]}}`},
		"signatures stay":        {`{"thinking":"jane@x.com","signature":"jane@x.com"}`, `{"thinking":"[EMAIL]","signature":"jane@x.com"}`},
		"media stay":             {`{"source":{"type":"base64","data":"4111111111111111"},"image_url":{"url":"https://x.com/jane@x.com"}}`, `{"source":{"type":"base64","data":"4111111111111111"},"image_url":{"url":"https://x.com/jane@x.com"}}`},
		"a document's text":      {`{"source":{"type":"text","data":"from jane@x.com"}}`, `{"source":{"type":"text","data":"from [EMAIL]"}}`},
		"a data URL of text":     {`{"text":"data: jane@x.com"}`, `{"text":"data: [EMAIL]"}`},
		"a list of inputs":       {`{"input":["jane@x.com",[1,2],"b"]}`, `{"input":["[EMAIL]",[1,2],"b"]}`},
		"unknown members":        {`{"x_new":{"y":["jane@x.com",true,null,1.5e3]}}`, `{"x_new":{"y":["[EMAIL]",true,null,1.5e3]}}`},
		"text that looks like":   {`{"content":"[not JSON: jane@x.com"}`, `{"content":"[not JSON: [EMAIL]"}`},
		"JSON in JSON in a text": {`{"content":"{\"a\":\"{\\\"b\\\":\\\"jane@x.com\\\"}\"}"}`, `{"content":"{\"a\":\"{\\\"b\\\":\\\"[EMAIL]\\\"}\"}"}`},
	} {
		if got := rewritten(t, &Rewrite{Mask: m}, tt.body); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
		}
	}
}

func TestPathsOfABody(t *testing.T) {
	body := `{"metadata":{"user":"j","n":12,"o":{"a":[1]}},"messages":[{"name":"jane","content":"x"},{"name":"joe","content":"y"}],"ssn":"1"}`
	for _, tt := range []struct {
		path   string
		remove bool
		way    Way
		want   string
	}{
		{"$.metadata.user", false, Full, `{"metadata":{"user":"[VALUE]","n":12,"o":{"a":[1]}},"messages":[{"name":"jane","content":"x"},{"name":"joe","content":"y"}],"ssn":"1"}`},
		{"$.metadata", true, Full, `{"messages":[{"name":"jane","content":"x"},{"name":"joe","content":"y"}],"ssn":"1"}`},
		{"$.metadata.*", false, Full, `{"metadata":{"user":"[VALUE]","n":"[VALUE]","o":"[VALUE]"},"messages":[{"name":"jane","content":"x"},{"name":"joe","content":"y"}],"ssn":"1"}`},
		{"$.messages[*].name", true, Full, `{"metadata":{"user":"j","n":12,"o":{"a":[1]}},"messages":[{"content":"x"},{"content":"y"}],"ssn":"1"}`},
		{"$.messages[0]", true, Full, `{"metadata":{"user":"j","n":12,"o":{"a":[1]}},"messages":[{"name":"joe","content":"y"}],"ssn":"1"}`},
		{"$..name", false, Partial, `{"metadata":{"user":"j","n":12,"o":{"a":[1]}},"messages":[{"name":"***","content":"x"},{"name":"***","content":"y"}],"ssn":"1"}`},
		{"$['ssn']", false, Reversible, `{"metadata":{"user":"j","n":12,"o":{"a":[1]}},"messages":[{"name":"jane","content":"x"},{"name":"joe","content":"y"}],"ssn":"[VALUE_1]"}`},
		{"$.none", true, Full, body},
	} {
		r := &Rewrite{Mask: masker(t, Rule{Name: "p", Paths: []PathRule{{tt.path, tt.remove}}, Way: tt.way}), Hide: &Vault{}}
		if got := rewritten(t, r, body); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.path, got, tt.want)
		}
	}
	r := &Rewrite{Mask: masker(t, Rule{Name: "p", Paths: []PathRule{{Path: "$.ssn"}}, Way: Block})}
	if rewritten(t, r, body); r.Blocked == nil || r.Blocked.Rule != "p" {
		t.Errorf("blocked: %+v", r.Blocked)
	}
	for _, path := range []string{"", "a", "$", "$.", "$..", "$.a[", "$.a[x]", "$.a[-1]", "$a", "$['a"} {
		if CheckPath(path) == nil {
			t.Errorf("%q is taken for a path", path)
		}
	}
}

// What was hidden comes back in an answer, as JSON where the answer has JSON, and not in thoughts that are signed.
func TestAnswersAreRevealed(t *testing.T) {
	v := &Vault{}
	hidden := rewritten(t, &Rewrite{Mask: masker(t, Rule{Name: "r", Expressions: []string{`"J" Doe`}, Way: Reversible}), Hide: v}, `{"content":"I am \"J\" Doe"}`)
	if hidden != `{"content":"I am [TEXT_1]"}` {
		t.Fatal(hidden)
	}
	answer := `{"thinking":"[TEXT_1]","signature":"s","content":"hi [TEXT_1]","arguments":"{\"who\":\"[TEXT_1]\"}","input":{"who":"[TEXT_1]"}}`
	want := `{"thinking":"[TEXT_1]","signature":"s","content":"hi \"J\" Doe","arguments":"{\"who\":\"\\\"J\\\" Doe\"}","input":{"who":"\"J\" Doe"}}`
	if got := rewritten(t, &Rewrite{Reveal: v, Answer: true}, answer); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestLikelihoodsOfMaskedAnswersGo(t *testing.T) {
	m := masker(t, Rule{Name: "r", Detect: []string{"email"}})
	if got := rewritten(t, &Rewrite{Mask: m, Answer: true}, `{"logprobs":{"content":[{"token":"jane"}]},"content":"x"}`); got != `{"logprobs":null,"content":"x"}` {
		t.Error(got)
	}
	if got := rewritten(t, &Rewrite{Mask: m}, `{"logprobs":true,"top_logprobs":3}`); got != `{"logprobs":true,"top_logprobs":3}` {
		t.Error(got)
	}
}

func TestWhatIsNoJSON(t *testing.T) {
	m := masker(t, Rule{Name: "r", Detect: []string{"email"}})
	for _, body := range []string{"", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]x`, `{"a":"b`, `{a:1}`, `{"a":1}{}`, strings.Repeat("[", 5000)} {
		if _, err := (&Rewrite{Mask: m}).JSON([]byte(body)); err == nil {
			t.Errorf("%.20q was taken", body)
		}
	}
}

// However a tool's arguments are cut, the same comes out, it is JSON, and nothing of what is masked leaves early.
func TestAStreamOfJSONStaysJSON(t *testing.T) {
	m := masker(t, Rule{Name: "r", Detect: Detectors(), Keywords: []string{"Project Falcon"}})
	text := ` {"jane":"\njane.doe@example.com","n":[4111111111111111,1.5,true,null],"\"k\"":{"t":"caf\u00e9 \ud83d\ude00 of project falcon","e":""},"ip":"203.0.113.7"}`
	want := ` {"jane":"\n[EMAIL]","n":["[CARD]",1.5,true,null],"\"k\"":{"t":"café 😀 of [WORD]","e":""},"ip":"[IP]"}`
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		s := NewJSONStream(m, nil, nil)
		var out strings.Builder
		for rest := text; rest != ""; {
			n := min(1+r.IntN(1+round%15), len(rest))
			out.WriteString(s.Feed(rest[:n]))
			rest = rest[n:]
			for _, secret := range []string{"doe", "4111", "falcon", "203"} {
				if strings.Contains(out.String(), secret) {
					t.Fatalf("%q has left: %s", secret, out.String())
				}
			}
		}
		out.WriteString(s.End())
		if out.String() != want || len(s.Found()) != 4 {
			t.Fatalf("round %d, found %d:\n got %s\nwant %s", round, len(s.Found()), out.String(), want)
		}
	}
	plain := NewJSONStream(m, nil, nil)
	if got := plain.Feed("mail jane@") + plain.Feed("x.com") + plain.End(); got != "mail [EMAIL]" {
		t.Error(got)
	}
}

func TestABlockedStreamOfJSONSaysNoMore(t *testing.T) {
	s := NewJSONStream(masker(t, Rule{Name: "b", Keywords: []string{"stop"}, Way: Block}), nil, nil)
	out := s.Feed(`{"a":"fine","b":"then st`) + s.Feed(`op now","c":"more"}`) + s.Feed(`{}`) + s.End()
	if out != `{"a":"fine","b":"then ` || s.Blocked() == nil {
		t.Errorf("%q, %v", out, s.Blocked())
	}
}

func FuzzJSON(f *testing.F) {
	m := masker(f, Rule{Name: "r", Detect: Detectors(), Paths: []PathRule{{Path: "$..a", Remove: true}, {Path: "$.b"}}})
	for _, seed := range []string{`{"a":1,"b":[{"a":"x"}],"c":"jane@x.com"}`, `["\ud800\u0041",{"arguments":"{\"a\":\"b@c.de\"}"}]`, `{"x":{"a":1}}`, `[[1,2],[]]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		out, err := (&Rewrite{Mask: m, Answer: true}).JSON([]byte(body))
		if json.Valid([]byte(body)) && len(body) < mostNested && (err != nil || !json.Valid(out)) {
			t.Errorf("%q: %v, %q", body, err, out)
		}
		s := NewJSONStream(m, nil, nil)
		s.Feed(body[:len(body)/2])
		s.Feed(body[len(body)/2:])
		s.End()
	})
}

// What is held back for the sake of a keyword never cuts a placeholder.
func TestAStreamRevealsWhatItHoldsBack(t *testing.T) {
	v := &Vault{}
	hidden, _, _ := masker(t, Rule{Name: "r", Detect: []string{"email"}, Way: Reversible}).Text("jane@x.com, joe@x.com", v)
	m := masker(t, Rule{Name: "k", Keywords: []string{"a phrase of some length"}, Expressions: []string{"EMP-[0-9]{6}"}, Detect: Detectors()})
	text := strings.Repeat("from "+hidden+" to EMP-123456 ", 20)
	want := strings.Repeat("from jane@x.com, joe@x.com to [TEXT] ", 20)
	for size := 1; size < 40; size++ {
		s := NewStream(m, nil, v)
		got := ""
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got += s.Feed(rest[:n])
			rest = rest[n:]
		}
		if got += s.End(); got != want {
			t.Fatalf("pieces of %d: %s", size, got)
		}
	}
}
