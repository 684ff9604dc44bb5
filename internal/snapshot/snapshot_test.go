package snapshot

import (
	"context"
	"strings"
	"testing"
	"time"
	"unsafe"

	"causeway/internal/catalog"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

func compile(t *testing.T, config string) *Generation {
	t.Helper()
	c, faults := catalog.Parse("x.yaml", []byte(config), func(string) (string, bool) { return "", false })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	m, err := meter.New(meter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := Compile(c, nil, Deps{Meter: m, SandboxURL: "http://127.0.0.1:1/v1", SandboxModels: []string{"echo"}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLLMHost(t *testing.T) {
	everywhere := compile(t, "version: 1\n")
	some := compile(t, `{version: 1, llm: {hosts: [LLM.example.com, "*.ai.example.com", "[2001:db8::1]"]}}`)
	for host, want := range map[string]bool{
		"llm.example.com": true, "llm.example.com:8080": true, "LLM.EXAMPLE.COM": true, "llm.example.com.": true, "a.ai.example.com": true, "a.b.ai.example.com:1": true,
		"[2001:db8::1]": true, "[2001:db8::1]:80": true,
		"ai.example.com": false, ".ai.example.com": false, "xai.example.com": false, "example.com": false, "": false,
	} {
		if some.LLMHost(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
		if !everywhere.LLMHost(host) {
			t.Errorf("%q is not everywhere", host)
		}
	}
}

func TestResolve(t *testing.T) {
	g := compile(t, `
version: 1
providers:
  one: {kind: openai-compatible, base_url: "http://h/v1", models: [shared, "org/model"]}
  two: {kind: openai-compatible, base_url: "http://h/v1", models: [shared, lone]}
models:
  fast: {targets: [{model: one/x}]}
  one/odd: {targets: [{model: two/y}]}
`)
	for name, want := range map[string]string{
		"fast": "fast -> one/x", "one/x": "one/x -> one/x", "one/a/b:c": "one/a/b:c -> one/a/b:c", "one/odd": "one/odd -> two/y",
		"lone": "two/lone -> two/lone", "org/model": "one/org/model -> one/org/model", "sandbox/echo": "sandbox/echo -> sandbox/echo",
		"shared": "one two", "nothing": "", "three/x": "", "one/": "",
	} {
		m, several := g.Resolve(name)
		got := strings.Join(several, " ")
		if m != nil {
			got = m.Name + " -> " + m.Targets[0].Provider.Name + "/" + m.Targets[0].Model
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	a, _ := g.Resolve("one/x")
	b, _ := g.Resolve("one/x")
	if a != b {
		t.Error("the same name is made twice")
	}
}

// TestDirectNamesAreCopied: a name comes out of a request's buffer, which others write to later.
func TestDirectNamesAreCopied(t *testing.T) {
	g := compile(t, "version: 1\n")
	buf := []byte("echo")
	m := g.Providers["sandbox"].Direct(unsafe.String(&buf[0], len(buf)))
	copy(buf, "XXXX")
	if m.Name != "sandbox/echo" || m.Targets[0].Model != "echo" {
		t.Errorf("the name is %s now", m.Name)
	}
	if again := g.Providers["sandbox"].Direct("echo"); again != m {
		t.Error("it is not found again")
	}
}

func TestCORSIsRemembered(t *testing.T) {
	s := &Service{}
	answer := func(origin, credentials string) {
		var h wire.Header
		h.AddString("Access-Control-Allow-Origin", origin)
		if credentials != "" {
			h.AddString("Access-Control-Allow-Credentials", credentials)
		}
		s.RememberCORS(&h)
	}
	allowed := func(origin string) string {
		var h wire.Header
		s.CORS().Append(&h, []byte(origin))
		return string(h.Get(wire.AllowOrigin)) + string(h.Get(wire.AllowCredentials))
	}
	if got := allowed("https://a"); got != "" {
		t.Errorf("before any answer: %q", got)
	}
	answer("https://a", "true")
	answer("https://b", "true")
	for origin, want := range map[string]string{"https://a": "https://atrue", "https://b": "https://btrue", "https://c": "", "": ""} {
		if got := allowed(origin); got != want {
			t.Errorf("%s: %q, want %q", origin, got, want)
		}
	}
	answer("*", "")
	if got := allowed("https://c"); got != "*" {
		t.Errorf("after *: %q", got)
	}
	for i := range 3 * mostOrigins {
		answer("https://"+strings.Repeat("x", i+1), "")
	}
	if n := len(s.CORS().Origins); n > mostOrigins {
		t.Errorf("%d origins are remembered", n)
	}
}

// cancelled counts.
type cancelled struct{ reasons chan wire.Reason }

func (c cancelled) Cancel(r wire.Reason) { c.reasons <- r }

func TestACheckIsCalledOffOnlyByItsEnd(t *testing.T) {
	check := cancelled{make(chan wire.Reason, 1)}
	over, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	<-over.Done()
	w := &wire.ContextWatch{Context: over}
	w.Watch(check)
	w.Unwatch()

	ended, end := context.WithCancel(t.Context())
	w = &wire.ContextWatch{Context: ended}
	w.Watch(check)
	end()
	select {
	case <-check.reasons:
	case <-time.After(5 * time.Second):
		t.Fatal("it was not called off")
	}
	w.Unwatch()
	if len(check.reasons) != 0 {
		t.Error("a check whose time was over was called off")
	}
}

func TestHeaderRules(t *testing.T) {
	rules, lines := compileRules(catalog.HeaderRules{Set: map[string]string{"X-B": "2", "X-A": "1"}, Add: map[string]string{"X-C": "3"}, Remove: []string{"X-D"}})
	if string(lines) != "X-A: 1\r\nX-B: 2\r\nX-C: 3\r\n" {
		t.Errorf("%q", lines)
	}
	for name, want := range map[string]bool{"x-a": true, "X-B": true, "X-C": false, "x-D": true, strings.Repeat("x", 100): false} {
		if rules.Drops([]byte(name)) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if rules, lines := compileRules(catalog.HeaderRules{}); rules != nil || lines != nil {
		t.Error("no rules are something")
	}
}

func TestDefaultCeiling(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  int
		memory int64
		want   int
	}{
		{"nothing is known", 0, 0, 50000},
		{"two descriptors a call", 10200, 0, 5000},
		{"half of the memory", 1 << 20, 1 << 30, 3276},
		{"whichever is less", 10200, 1 << 40, 5000},
		{"a host of any size has some", 256, 1 << 20, 100},
	} {
		if got := defaultCeiling(c.files, c.memory); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
