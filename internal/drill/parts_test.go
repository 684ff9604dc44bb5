package drill

import (
	"bytes"
	"encoding/xml"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

func TestLimitsAreShortenedInTheirOrder(t *testing.T) {
	last := time.Duration(-1)
	for _, d := range []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond, 600 * time.Millisecond, time.Second, 2 * time.Second, time.Minute, 10 * time.Minute, 24 * time.Hour} {
		s := Shorten(d)
		if s > d || s <= last || s > 5*time.Second {
			t.Errorf("%s became %s, after %s", d, s, last)
		}
		last = s
	}
	s := shorten(catalog.Timeouts{Connect: 2 * time.Second, FirstByte: 60 * time.Second, Idle: 60 * time.Second, Total: 3 * time.Minute})
	if n := float64(s.Total) / float64(s.FirstByte); n < 2.8 || n > 3.2 {
		t.Errorf("three attempts fitted into total, now %.1f do", n)
	}
	if s.Send != 0 {
		t.Errorf("a limit that was off is %s", s.Send)
	}
}

func TestAtLeastFortyFaultsForEverySubject(t *testing.T) {
	for name, list := range map[string][]trial{
		"HTTP/1.1": serviceTrials(false, false), "https": serviceTrials(true, false), "HTTP/2": serviceTrials(false, true), "a model": modelTrials(false),
	} {
		seen := map[string]bool{}
		for _, tr := range list {
			if seen[tr.fault.Name] {
				t.Errorf("%s: %s is there twice", name, tr.fault.Name)
			}
			seen[tr.fault.Name] = true
			if tr.fault.Kind == "" {
				t.Errorf("%s: %s is no fault", name, tr.fault.Name)
			}
		}
		if len(seen) < 40 {
			t.Errorf("%s: %d faults", name, len(seen))
		}
	}
}

// TestEveryNameIsAFault holds the lists of the plan against the engine's: a name that is misspelt would be left out silently.
func TestEveryNameIsAFault(t *testing.T) {
	all := Faults()
	for _, names := range []string{road, http1, http1Late, secure, model, modelStream, modelStreamLate} {
		for _, n := range strings.Fields(names) {
			if !slices.Contains(all, n) {
				t.Errorf("%s is no fault that this host can provoke", n)
			}
		}
	}
	for _, names := range []string{passing, slow, h2Late} {
		for _, n := range strings.Fields(names) {
			if !slices.Contains(all, n) {
				t.Errorf("%s is marked and is nobody's fault", n)
			}
		}
	}
}

func TestScores(t *testing.T) {
	p := patienceOf("service")
	saved := &Outcome{Calls: 9, Hit: 3, TookMS: 5, Told: true, After: &Later{Calls: 9, TookMS: 5}}
	lost := &Outcome{Calls: 9, Hit: 3, Lost: 3, TookMS: 5, Told: true, After: &Later{Calls: 9, Hit: 3, Lost: 3, TookMS: 5}}
	waits := &Outcome{Calls: 9, Hit: 3, TookMS: 60_000, Told: true, After: &Later{Calls: 9, TookMS: 5}}
	all := func(ms int64) *Outcome {
		return &Outcome{Calls: 2, Hit: 2, Lost: 2, TookMS: ms, Told: true, After: &Later{Calls: 2, Hit: 2, Lost: 2, TookMS: ms}}
	}
	for _, tt := range []struct {
		name     string
		r        Result
		targets  int
		from, to float64
	}{
		{"all saved", Result{One: saved, All: all(3)}, 3, 1, 1},
		{"lost at one target", Result{One: lost, All: all(3)}, 3, 0.2, 0.3},
		{"saved after a minute", Result{One: waits, All: all(3)}, 3, 0.5, 0.6},
		{"everybody waits for a minute", Result{One: saved, All: all(60_000)}, 3, 0.7, 0.72},
		{"one target alone", Result{All: all(3)}, 1, 0.6, 0.7},
		{"one target alone, a blip that is saved", Result{Blip: saved, All: all(3)}, 1, 0.8, 0.9},
		{"one target alone, a blip that is lost", Result{Blip: lost, All: all(3)}, 1, 0.3, 0.4},
		{"the answer had begun", Result{Late: true, One: lost, All: all(3)}, 3, 0.45, 0.55},
	} {
		if s := tt.r.score(p, tt.targets); s < tt.from || s > tt.to {
			t.Errorf("%s: %.2f, want %.2f to %.2f", tt.name, s, tt.from, tt.to)
		}
	}
	for _, tt := range []struct {
		score float64
		want  string
	}{{100, "A"}, {90, "A"}, {89.9, "B"}, {70, "C"}, {60, "D"}, {59, "F"}} {
		if got := grade(tt.score); got != tt.want {
			t.Errorf("%.1f is %s, want %s", tt.score, got, tt.want)
		}
	}
	if Below("A", "C") || Below("C", "C") || !Below("D", "C") || !Below("F", "D") {
		t.Error("the grades' order is wrong")
	}
}

func TestTheResolverKnowsOnlyTheDrillsNames(t *testing.T) {
	r, err := newResolver()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	other, err := newResolver()
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	r.name("u1-0", other.addr())
	for name, want := range map[string]string{"u1-0.drill.test.": other.addr(), "u2-0.drill.test.": "", "api.example.com.": "", "u1-0.example.com.": ""} {
		q := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		packed, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := r.of(packed); got != want {
			t.Errorf("%s is asked of %q, want %q", name, got, want)
		}
		c, err := net.Dial("udp", r.addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write(packed); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 512)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		var m dnsmessage.Message
		if err := m.Unpack(buf[:n]); err != nil || m.RCode != dnsmessage.RCodeNameError {
			t.Errorf("%s: %v, %v", name, m.RCode, err)
		}
	}
}

func TestJUnitFailsWhatIsBelow(t *testing.T) {
	r := &Report{Subjects: []Subject{{
		What: "service", Name: "a<b", Grade: "D", Targets: 2, Faults: []Result{
			{Fault: "no_answer", Kind: fault.FirstByteTimeout, One: &Outcome{Calls: 6, Hit: 3, Lost: 3, Status: 504, Kind: fault.FirstByteTimeout}},
			{Fault: "status_503", Kind: fault.UpstreamUnavailable, One: &Outcome{Calls: 6, Hit: 3, By: "failover"}, Absorbed: true},
		},
	}}}
	for least, want := range map[string]int{"C": 1, "D": 0} {
		var b bytes.Buffer
		if err := JUnit(&b, r, least); err != nil {
			t.Fatal(err)
		}
		var back struct {
			Suites []struct {
				Failures int `xml:"failures,attr"`
				Tests    int `xml:"tests,attr"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if len(back.Suites) != 1 || back.Suites[0].Tests != 2 || back.Suites[0].Failures != want {
			t.Errorf("min-grade %s: %+v", least, back)
		}
	}
}
