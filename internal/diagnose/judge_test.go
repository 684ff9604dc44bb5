package diagnose

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"causeway/internal/fault"
)

// TestExpectedVerdicts holds the rules to testdata/expected.tsv, which was written before them.
func TestExpectedVerdicts(t *testing.T) {
	cases := facts()
	for _, row := range expected(t) {
		in, ok := cases[row.name]
		if !ok {
			t.Errorf("row %s %q has no facts", row.number, row.name)
			continue
		}
		delete(cases, row.name)
		t.Run(row.name, func(t *testing.T) {
			f := Judge(in)
			if f == nil {
				t.Fatal("nothing failed, says Judge")
			}
			proxy := fault.Lookup(f.Kind).Proxy
			if proxy == "" {
				proxy = "-"
			}
			got := strings.Join([]string{string(f.Kind), string(f.Cause), strconv.Itoa(f.Status), string(f.Retry), proxy}, " ")
			if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
	for name := range cases {
		t.Errorf("the facts of %q have no expected row", name)
	}
}

type expectation struct{ number, name, want string }

func expected(t *testing.T) []expectation {
	t.Helper()
	b, err := os.ReadFile("testdata/expected.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []expectation
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cell := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cell) != 7 {
			t.Fatalf("expected.tsv: not seven cells: %q", line)
		}
		rows = append(rows, expectation{cell[0], cell[1], strings.Join(cell[2:], " ")})
	}
	return rows
}

// address is what no stranger may see: an IPv4 address with or without port, or a bracketed IPv6 one.
var anyAddress = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}\b|\[[0-9a-fA-F:]{3,}\]`)

func TestSafeViewTellsNoAddressNameOrSecret(t *testing.T) {
	for name, in := range facts() {
		f := Judge(in)
		v := fault.View{CallID: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
		safe := map[string]string{
			"SafeDetail":   f.SafeDetail,
			"problem":      string(fault.Problem(nil, f, v)),
			"Proxy-Status": fault.ProxyStatus(f, v),
			"HTML":         string(fault.HTML(nil, f, v)),
			"reason":       fault.Reason(f),
		}
		for where, text := range safe {
			for _, canary := range []string{canaryHost, canaryAddress, canaryPort, canarySecret, canarySocket, "canary"} {
				if strings.Contains(text, canary) {
					t.Errorf("%s: %s tells %q:\n%s", name, where, canary, text)
				}
			}
			if m := anyAddress.FindString(text); m != "" {
				t.Errorf("%s: %s tells the address %q", name, where, m)
			}
		}
	}
}

func TestFullViewTellsNoCredential(t *testing.T) {
	// The one line that may be shown as it stands is a header line whose field carries no secret:
	// these cases put the secret only where it must be masked.
	shown := map[string]bool{"broken header, another target is there": true, "broken chunk, POST": true, "broken trailer, GET": true}
	for name, in := range facts() {
		if shown[name] {
			continue
		}
		f := Judge(in)
		text := string(fault.Problem(nil, f, fault.View{Full: true}))
		if strings.Contains(text, canarySecret) {
			t.Errorf("%s: the full view tells the secret:\n%s", name, text)
		}
	}
}

func TestEveryFindingIsWhole(t *testing.T) {
	for name, in := range facts() {
		f := Judge(in)
		switch {
		case f.Detail == "" || f.SafeDetail == "" || f.Confidence == "" || f.Cause == "":
			t.Errorf("%s: incomplete: %+v", name, f)
		case strings.Contains(f.Detail, "  ") || strings.Contains(f.Detail, " ,") || strings.Contains(f.Detail, "..") || !strings.HasSuffix(f.Detail, "."):
			t.Errorf("%s: detail is badly put: %q", name, f.Detail)
		case strings.Contains(f.SafeDetail, " ,") || !strings.HasSuffix(f.SafeDetail, "."):
			t.Errorf("%s: safe detail is badly put: %q", name, f.SafeDetail)
		case len(in.Attempts) > 0 && len(f.Evidence) == 0:
			t.Errorf("%s: no evidence", name)
		case len(f.Attempts) != len(in.Attempts):
			t.Errorf("%s: %d attempts of %d", name, len(f.Attempts), len(in.Attempts))
		}
	}
}

func TestJudgeChangesNothingItWasGiven(t *testing.T) {
	long := strings.Repeat("x", lineLimit+50)
	given := make([]string, 1, 8)
	given[0] = long
	in := post(dialFailed(syscall.ECONNREFUSED)).worked()
	in.Evidence, in.RuledOut, in.Advice, in.CallerAdvice = given, given, given, given
	f := Judge(in)
	if given[0] != long || given[:2][1] != "" {
		t.Error("a slice of the input was written to")
	}
	if len(f.Evidence[0]) > lineLimit+3 {
		t.Errorf("a line of %d bytes was not cut", len(f.Evidence[0]))
	}
}

func TestNothingFailed(t *testing.T) {
	if f := Judge(Input{}); f != nil {
		t.Errorf("no attempt and no kind: %+v", f)
	}
	if f := Judge(answered(200, "")); f != nil {
		t.Errorf("a good answer: %+v", f)
	}
}

func TestUnknownKindBecomesUnclassified(t *testing.T) {
	if f := Judge(Input{Kind: "no_such_kind"}); f.Kind != fault.Unclassified {
		t.Errorf("got %s", f.Kind)
	}
}

func BenchmarkPassed(b *testing.B) {
	b.ReportAllocs()
	h := func(string) string { return "" }
	for b.Loop() {
		if Passed(200, h) != "" {
			b.Fatal("a good answer")
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	b.ReportAllocs()
	in := get(dialFailed(syscall.ECONNREFUSED)).worked()
	for b.Loop() {
		if Judge(in) == nil {
			b.Fatal("no finding")
		}
	}
}
