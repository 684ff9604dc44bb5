package mask

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func masker(t testing.TB, rules ...Rule) *Masker {
	t.Helper()
	m, err := New(rules, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatDetectorsFind(t *testing.T) {
	m := masker(t, Rule{Name: "all", Detect: Detectors()})
	for _, tt := range []struct{ text, want string }{
		{"write to jane.doe+x@mail.example.com.", "write to [EMAIL]."},
		{"<a@b.co>, c@d, @e.com, f@g.1", "<[EMAIL]>, c@d, @e.com, f@g.1"},
		{"card 4111 1111 1111 1111, or 5500-0000-0000-0004!", "card [CARD], or [CARD]!"},
		{"order 4111111111111112 and 1234567890123", "order 4111111111111112 and 1234567890123"},
		{"378282246310005", "[CARD]"},
		{"IBAN DE89 3704 0044 0532 0130 00 please", "IBAN [IBAN] please"},
		{"GB82WEST12345698765432", "[IBAN]"},
		{"DE89370400440532013001", "DE89370400440532013001"},
		{"SSN 078-05-1120, not 000-12-3456", "SSN [ID], not 000-12-3456"},
		{"11010519491231002X", "[ID]"},
		{"529.982.247-25 and 529.982.247-26", "[ID] and 529.982.247-26"},
		{"12345678Z, 12345678A, X1234567L", "[ID], 12345678A, [ID]"},
		{"from 203.0.113.7:443 or 2001:db8::1", "from [IP]:443 or [IP]"},
		{"127.0.0.1 and version 1.2.3 at 12:30:45", "127.0.0.1 and version 1.2.3 at 12:30:45"},
		{"call +49 (30) 901820 or (212) 555-0123", "call [PHONE] or [PHONE]"},
		{"0049 30 901820, 212-555-0123, 212.555.0123", "[PHONE], [PHONE], [PHONE]"},
		{"1 + 2 = 3, 20261123, 1234567890 and 3.14159265", "1 + 2 = 3, 20261123, 1234567890 and 3.14159265"},
		{"key sk-proj-abcdefghijklmnopqrstuvwx and AKIAIOSFODNN7EXAMPLE", "key [SECRET] and [SECRET]"},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk", "[SECRET]"},
		{"task-force and risk-averse sk-short", "task-force and risk-averse sk-short"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- tail", "[SECRET] tail"},
		{"grüße von müller", "grüße von müller"},
	} {
		got, found, _ := m.Text(tt.text, nil)
		if got != tt.want {
			t.Errorf("%q\n got %q\nwant %q", tt.text, got, tt.want)
		}
		if (len(found) > 0) != (got != tt.text) {
			t.Errorf("%q: found %v", tt.text, found)
		}
	}
}

func TestWays(t *testing.T) {
	text := "mail jane@example.com, card 4111 1111 1111 1111, Project Falcon"
	rule := func(w Way) Rule {
		return Rule{Name: "r", Detect: []string{"email", "card"}, Keywords: []string{"project falcon"}, Way: w}
	}
	for _, tt := range []struct {
		way  Way
		want string
	}{
		{Full, "mail [EMAIL], card [CARD], [WORD]"},
		{Partial, "mail j***@example.com, card **** **** **** 1111, P***n"},
		{Reversible, "mail [EMAIL_1], card [CARD_1], [WORD_1]"},
	} {
		v := &Vault{}
		got, _, _ := masker(t, rule(tt.way)).Text(text, v)
		if got != tt.want {
			t.Errorf("%v: %q", tt.way, got)
		}
		if tt.way == Reversible && v.Reveal("for [EMAIL_1] [EMAIL_2] [x] [CARD_1]") != "for jane@example.com [EMAIL_2] [x] 4111 1111 1111 1111" {
			t.Errorf("revealed: %q", v.Reveal("for [EMAIL_1] [EMAIL_2] [x] [CARD_1]"))
		}
	}
	m := masker(t, rule(Hash))
	one, _, _ := m.Text("jane@example.com", nil)
	two, _, _ := m.Text("x jane@example.com", nil)
	other, _, _ := m.Text("joan@example.com", nil)
	if !strings.HasPrefix(one, "[EMAIL:") || two != "x "+one || other == one {
		t.Errorf("hashes: %s, %s, %s", one, two, other)
	}
	if _, _, blocked := masker(t, rule(Block)).Text(text, nil); blocked == nil || blocked.Rule != "r" || blocked.Label != "EMAIL" {
		t.Errorf("blocked: %+v", blocked)
	}
	v := &Vault{}
	if got, _, _ := masker(t, rule(Reversible)).Text("a@b.com a@b.com c@d.com", v); got != "[EMAIL_1] [EMAIL_1] [EMAIL_2]" {
		t.Errorf("the same twice: %q", got)
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	for name, r := range map[string]Rule{
		"a detector": {Detect: []string{"mail"}}, "an expression": {Expressions: []string{"("}},
		"matches nothing": {Expressions: []string{"a*"}}, "an empty word": {Keywords: []string{""}},
	} {
		if _, err := New([]Rule{r}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// However a text is cut, the same comes out, and nothing of what is masked leaves before it is whole.
func TestAStreamIsMaskedAsItsWhole(t *testing.T) {
	m := masker(t, Rule{Name: "all", Detect: Detectors(), Keywords: []string{"Project Falcon"}, Expressions: []string{`EMP-\d{6}`}})
	text := "Hello, jane.doe@example.com wrote: my card is 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00. " +
		"Call +49 (30) 901820 or 203.0.113.7; EMP-123456 of project falcon has sk-proj-abcdefghijklmnopqrstuvwx. " +
		"Grüße, 世界! 12345678Z, 078-05-1120 and 1 2 3 4 5 6 7 8 9 numbers that are none."
	want, _, _ := m.Text(text, nil)
	secrets := []string{"jane", "4111", "DE89", "901820", "203.0", "EMP-", "falcon", "sk-proj", "12345678Z", "078-05"}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 500 {
		s := NewStream(m, nil, nil)
		var out strings.Builder
		for rest := text; rest != ""; {
			n := min(1+r.IntN(1+round%20), len(rest))
			out.WriteString(s.Feed(rest[:n]))
			rest = rest[n:]
			for _, secret := range secrets {
				if strings.Contains(out.String(), secret) {
					t.Fatalf("round %d: %q has left: %q", round, secret, out.String())
				}
			}
		}
		out.WriteString(s.End())
		if out.String() != want {
			t.Fatalf("round %d:\n got %q\nwant %q", round, out.String(), want)
		}
		if len(s.Found()) != 10 {
			t.Fatalf("found %d: %v", len(s.Found()), s.Found())
		}
	}
}

func TestAStreamPutsBackWhatWasHidden(t *testing.T) {
	v := &Vault{}
	m := masker(t, Rule{Name: "r", Detect: []string{"email"}, Way: Reversible})
	hidden, _, _ := m.Text("jane@example.com and joe@example.com", v)
	if hidden != "[EMAIL_1] and [EMAIL_2]" {
		t.Fatal(hidden)
	}
	answer := "Dear [EMAIL_2], [EMAIL_1] says [hi] [EMAIL_9] [EMAIL_1"
	want := "Dear joe@example.com, jane@example.com says [hi] [EMAIL_9] [EMAIL_1"
	for size := 1; size < 12; size++ {
		s := NewStream(nil, nil, v)
		got := ""
		for chunk := range slices.Chunk([]byte(answer), size) {
			got += s.Feed(string(chunk))
		}
		if got += s.End(); got != want {
			t.Errorf("pieces of %d: %q", size, got)
		}
	}
}

func TestABlockedStreamSaysNoMore(t *testing.T) {
	s := NewStream(masker(t, Rule{Name: "b", Keywords: []string{"stop here"}, Way: Block}), nil, nil)
	out := s.Feed("fine until you ") + s.Feed("stop he") + s.Feed("re and then some more of it") + s.End()
	if out != "fine until you " || s.Blocked() == nil || s.Blocked().Rule != "b" {
		t.Errorf("%q, %+v", out, s.Blocked())
	}
}

// What nothing is found in goes on without much delay.
func TestPlainTextIsHardlyHeldBack(t *testing.T) {
	s := NewStream(masker(t, Rule{Name: "all", Detect: Detectors()}), nil, nil)
	in, most := "", 0
	out := ""
	for _, w := range strings.SplitAfter(strings.Repeat("the quick brown fox jumps over the lazy dog and 3 cats. ", 50), " ") {
		in += w
		out += s.Feed(w)
		most = max(most, len(in)-len(out))
	}
	if most > 24 {
		t.Errorf("%d bytes were held back", most)
	}
}

func FuzzStream(f *testing.F) {
	m := masker(f, Rule{Name: "all", Detect: Detectors(), Way: Partial})
	f.Add("jane@example.com +49 30 901820 4111 1111 1111 1111", uint8(3))
	f.Add("\xff@b.co [EMAIL_1]", uint8(1))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		if len(text) > 1<<12 {
			return
		}
		s := NewStream(m, nil, nil)
		var out strings.Builder
		for chunk := range slices.Chunk([]byte(text), int(size)%16+1) {
			out.WriteString(s.Feed(string(chunk)))
		}
		out.WriteString(s.End())
		if want, _, _ := m.Text(text, nil); out.Len() == 0 && want != "" {
			t.Errorf("%q became nothing", text)
		}
	})
}

func BenchmarkText(b *testing.B) {
	m := masker(b, Rule{Name: "all", Detect: Detectors()})
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, and 42 others. ", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m.Text(text, nil)
	}
}
