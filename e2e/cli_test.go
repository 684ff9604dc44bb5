package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The program as a person at a terminal, and a script, meets it: its exit codes, the one line that
// says what is wrong and what to do, and what it prints and does not print.

// oneLine wants a program to have ended with that code and one line on standard error, and nothing
// on standard output.
func oneLine(t *testing.T, r result, code int, parts ...string) {
	t.Helper()
	want(t, "exit code", r.code, code)
	want(t, "standard output", r.out, "")
	line, rest, _ := strings.Cut(r.err, "\n")
	if line == "" || rest != "" {
		t.Errorf("standard error is not one line: %q", r.err)
	}
	contains(t, "standard error", line, parts...)
	lacks(t, "standard error", r.err, "goroutine ", "panic", "Usage:")
}

const noSuchCall = "01KAPZQ4M8X3V7N2T5R9W6YB1C"

func TestWrongUse(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for _, r := range []struct {
		args  string
		parts []string
	}{
		{"serve --nope", []string{"causeway serve:", "--nope", "--help"}},
		{"serve extra", []string{"extra"}},
		{"serve --data", []string{"--data"}},
		{"serve --log xml", []string{"--log", "text, json or off", "xml"}},
		{"serve --listen nonsense", []string{"--listen nonsense"}},
		{"serve --listen 127.0.0.1:99999", []string{"--listen 127.0.0.1:99999", "a port from 1 to 65535"}},
		{"serve --listen 192.0.2.77:8080", []string{"--listen 192.0.2.77:8080", "no such address"}},
		{"serve --config " + missing, []string{missing}},
		{"serve --config " + t.TempDir(), []string{"is a directory"}},
		{"nonsense", []string{"nonsense"}},
		{"proxy", []string{"causeway proxy:"}},
		{"proxy 8000", []string{`"8000"`, "http://127.0.0.1:PORT"}},
		{"proxy ftp://example.com", []string{"ftp://example.com", "http://"}},
		{"proxy http://user:secret@example.com", []string{"user name or password"}},
		{"proxy http://", []string{"has no host"}},
		{"validate", []string{"causeway validate:"}},
		{"validate --strict x.yaml", []string{"--strict"}},
		{"validate " + missing, []string{missing}},
		{"explain", []string{"causeway explain:"}},
		{"explain 01KAPZQ4M8X3V7N2T5R9W6YB1", []string{`"01KAPZQ4M8X3V7N2T5R9W6YB1"`, "26 letters and digits"}},
		{"explain " + noSuchCall + " --data " + filepath.Dir(missing), []string{filepath.Dir(missing)}},
		{"explain " + noSuchCall + " --server http://127.0.0.1:1", []string{"http://127.0.0.1:1", "connection refused"}},
		{"explain " + noSuchCall + " --server 127.0.0.1:1", []string{"127.0.0.1:1"}},
		{"schema extra", []string{"extra"}},
		{"version --jsn", []string{"--jsn"}},
	} {
		t.Run(r.args, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			got := causeway(t, strings.Fields(r.args)...)
			oneLine(t, got, 2, r.parts...)
			lacks(t, "standard error", got.err, "secret")
			if took := time.Since(begun); took > patience {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "serve", "proxy", "validate", "explain", "schema", "version"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			r := causeway(t, append(strings.Fields(command), "--help")...)
			want(t, "exit code", r.code, 0)
			want(t, "standard error", r.err, "")
			lacks(t, "the help", r.out, "\x1b")
			if command != "" {
				contains(t, "the help", r.out, "Usage:\n  causeway "+command, "Examples:\n  causeway "+command)
			}
		})
	}
	bare := causeway(t)
	want(t, "exit code without arguments", bare.code, 0)
	contains(t, "what it prints", bare.out, "serve", "proxy", "validate", "explain", "schema", "version")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := causeway(t, "version")
	want(t, "exit code", r.code, 0)
	if !regexp.MustCompile(`^causeway \d+\.\d+\.\d+\S*, commit \S+, go1\.\d+\S*\n$`).MatchString(r.out) {
		t.Errorf("version prints %q", r.out)
	}
	r = causeway(t, "version", "--json")
	var v struct{ Version, Commit, Go string }
	decode(t, []byte(r.out), &v)
	if v.Version == "" || v.Commit == "" || !strings.HasPrefix(v.Go, "go1.") {
		t.Errorf("version --json prints %s", r.out)
	}
}

const faultyConfig = `version: 1
server:
  max_bdy: 1MiB
  drain: soon
services:
  orders:
    routes: [{path: /orders/*}]
    upstream:
      targets: [{url: "http://127.0.0.1:9001"}]
      tls: {ca_file: "${E2E_NO_SUCH_VARIABLE}"}
    policies: {body_limit: 1MiB}
applications:
  web: {keys: [0123456789abcdef], subscribes: [ordres]}
providers:
  sealed: {kind: openai, keys: [{sealed: abc}]}
`

func TestValidate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "causeway.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(faultyConfig)
	r := causeway(t, "validate", file)
	want(t, "exit code", r.code, 1)
	want(t, "standard error", r.err, "")
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	for i, line := range []struct {
		at    string
		parts []string
	}{
		{"3:3", []string{"max_bdy", "max_body"}},
		{"4:10", []string{"soon", "30s"}},
		{"10:23", []string{"E2E_NO_SUCH_VARIABLE"}},
		{"13:48", []string{"ordres", "orders"}},
		{"15:34", []string{"sealed", "version"}},
	} {
		if i >= len(lines) {
			t.Fatalf("%d faults are told, want 5:\n%s", len(lines), r.out)
		}
		want(t, "fault at "+line.at, strings.HasPrefix(lines[i], file+":"+line.at+": "), true)
		contains(t, "fault", lines[i], line.parts...)
	}
	want(t, "faults", len(lines), 5)

	j := causeway(t, "validate", "--json", file)
	want(t, "exit code with --json", j.code, 1)
	var told struct {
		Valid  bool `json:"valid"`
		Faults []struct {
			File    string `json:"file"`
			Line    int    `json:"line"`
			Column  int    `json:"column"`
			Message string `json:"message"`
		} `json:"faults"`
	}
	decode(t, []byte(j.out), &told)
	want(t, "valid", told.Valid, false)
	want(t, "faults as JSON", len(told.Faults), 5)
	want(t, "the first one's line", told.Faults[0].Line, 3)
	want(t, "the first one's column", told.Faults[0].Column, 3)

	// serve says the same, and does not start.
	data := filepath.Join(dir, "data")
	s := causeway(t, "serve", "--config", file, "--data", data, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	want(t, "exit code of serve", s.code, 2)
	want(t, "what serve says", s.err, r.out)
	want(t, "its standard output", s.out, "")
	if _, err := os.Stat(data); err == nil {
		t.Error("serve made a data folder for a configuration that it refused")
	}

	write("version: 1\nservices: [\n")
	r = causeway(t, "validate", file)
	want(t, "exit code of a file that is no YAML", r.code, 1)
	if !regexp.MustCompile(`^` + regexp.QuoteMeta(file) + `:\d+:\d+: .+\n$`).MatchString(r.out) {
		t.Errorf("a file that is no YAML: %q", r.out)
	}

	write("version: 1\nproviders:\n  openai: {kind: openai, keys: [\"${E2E_SUCH_A_KEY}\"]}\n")
	r = commandEnv(t, []string{"E2E_SUCH_A_KEY=sk-0123456789abcdef"}, "", binary, "validate", file)
	want(t, "exit code of a valid file", r.code, 0)
	want(t, "what is said of it", r.out, file+" is valid\n")
	j = commandEnv(t, []string{"E2E_SUCH_A_KEY=sk-0123456789abcdef"}, "", binary, "validate", "--json", file)
	decode(t, []byte(j.out), &told)
	want(t, "valid", told.Valid, true)
	r = causeway(t, "validate", file)
	want(t, "exit code without the variable", r.code, 1)
	want(t, "its place", strings.HasPrefix(r.out, file+":3:34: "), true)
}

// The schema is one, and it agrees with validate about the examples and about a wrong file.
func TestSchema(t *testing.T) {
	t.Parallel()
	r := causeway(t, "schema")
	want(t, "exit code", r.code, 0)
	want(t, "standard error", r.err, "")
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(r.out))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("causeway.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("causeway.schema.json")
	if err != nil {
		t.Fatalf("not a JSON Schema: %v", err)
	}
	check := func(text []byte) error {
		t.Helper()
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(instance)
	}
	examples, err := filepath.Glob("../docs/examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, name := range examples {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var env []string
		for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(string(text), -1) {
			env = append(env, m[1]+"=value-of-"+m[1]+"-0123456789")
		}
		if r := commandEnv(t, env, "", binary, "validate", name); r.code != 0 {
			t.Errorf("validate %s: exit code %d\n%s", name, r.code, r.out)
		}
	}
	if check([]byte(faultyConfig)) == nil {
		t.Error("the schema takes a file that validate refuses")
	}
}

// beside runs serve to its end beside whatever is there already.
func beside(t *testing.T, data string, more ...string) result {
	t.Helper()
	return causeway(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"}, more...)...)
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	console := strings.TrimPrefix(g.Console, "http://")
	data := filepath.Join(t.TempDir(), "data")
	oneLine(t, causeway(t, "serve", "--data", data, "--listen", g.Addr, "--console", "127.0.0.1:0"), 2, "--listen "+g.Addr, "in use", "choose another address")
	oneLine(t, causeway(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--console", console), 2, "--console "+console, "in use")
	if _, err := os.Stat(data); err == nil {
		t.Error("a data folder was made for a start that failed")
	}
	want(t, "the first one", fetch(t, client(t), "GET", g.Console+"/healthz", nil).status, 200)
}

func TestOpenServicesStayOnLoopback(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	file := filepath.Join(dir, "open.yaml")
	if err := os.WriteFile(file, []byte(`
version: 1
services:
  orders: {access: open, routes: [{path: /orders/*}], upstream: {targets: [{url: "http://127.0.0.1:1"}]}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	for listen, named := range map[string]string{"0.0.0.0:0": "0.0.0.0:", ":0": "[::]:", "[::]:0": "[::]:"} {
		r := causeway(t, "serve", "--config", file, "--data", data, "--listen", listen, "--console", "127.0.0.1:0")
		oneLine(t, r, 2, "orders", "access: open", named, "--allow-open")
	}
	oneLine(t, causeway(t, "proxy", "http://127.0.0.1:1", "--data", data, "--listen", "0.0.0.0:0", "--console", "127.0.0.1:0"), 2, "--allow-open")
	g := launch(t, "", withArgs("--config", file, "--allow-open"), listenOn("0.0.0.0:0"))
	if !g.awaitReady(ample) {
		t.Errorf("with --allow-open it does not start: %s", g.errs.all())
	}
}

func TestExplainCommand(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	key := g.sandboxKey(t)
	a := g.chat(t, client(t), key, chatBody("sandbox/fault-connection_refused", "hello", false))
	good := g.chat(t, client(t), key, chatBody("sandbox/echo", "hello", false))
	token := g.token(t)

	oneLine(t, causeway(t, "explain", noSuchCall, "--data", g.Data), 1, noSuchCall)
	running := causeway(t, "explain", a.id, "--data", g.Data)
	want(t, "exit code", running.code, 0)
	want(t, "standard error", running.err, "")
	contains(t, "the explanation", running.out, a.id, "(connection_refused)", "refused the TCP connection")
	contains(t, "the explanation of a good call", causeway(t, "explain", good.id, "--data", g.Data).out, good.id, "200")
	lower := causeway(t, "explain", strings.ToLower(a.id), "--data", g.Data)
	want(t, "the explanation of an id in small letters", lower.out, running.out)

	jsonOf := func(r result) (kind string) {
		t.Helper()
		want(t, "exit code with --json", r.code, 0)
		var x struct{ Finding finding }
		decode(t, []byte(r.out), &x)
		return x.Finding.Kind
	}
	want(t, "kind with --json", jsonOf(causeway(t, "explain", "--json", a.id, "--data", g.Data)), "connection_refused")

	// Over the network, as from another machine.
	r := causeway(t, "explain", a.id, "--server", g.Console, "--token", token)
	want(t, "what --server says", r.out, running.out)
	want(t, "its exit code", r.code, 0)
	r = commandEnv(t, []string{"CAUSEWAY_SERVER=" + g.Console, "CAUSEWAY_TOKEN=" + token}, "", binary, "explain", a.id)
	want(t, "what CAUSEWAY_SERVER says", r.out, running.out)
	want(t, "kind with --server --json", jsonOf(causeway(t, "explain", "--json", a.id, "--server", g.Console, "--token", token)), "connection_refused")
	oneLine(t, causeway(t, "explain", a.id, "--server", g.Console), 2, g.Console, "--token", "CAUSEWAY_TOKEN")
	oneLine(t, causeway(t, "explain", a.id, "--server", g.Console, "--token", "cw_pat_wrong"), 2, g.Console)
	oneLine(t, causeway(t, "explain", noSuchCall, "--server", g.Console, "--token", token), 1, noSuchCall)
	oneLine(t, causeway(t, "explain", a.id, "--server", g.URL, "--token", token), 2, g.URL, "its console") // the gateway is none

	// Without a process the folder is read.
	want(t, "exit code of the gateway", g.stop(t), 0)
	offline := causeway(t, "explain", a.id, "--data", g.Data)
	want(t, "what it says once the gateway has stopped", offline.out, running.out)
	want(t, "kind with --json once the gateway has stopped", jsonOf(causeway(t, "explain", "--json", a.id, "--data", g.Data)), "connection_refused")
	oneLine(t, causeway(t, "explain", noSuchCall, "--data", g.Data), 1, noSuchCall)
}

// token signs in and makes a personal access token.
func (g *gateway) token(t *testing.T) string {
	t.Helper()
	c := client(t)
	a := fetch(t, c, "POST", g.Console+"/api/v1/session", strings.NewReader(`{"username":"admin","password":"`+adminPassword+`"}`), "Content-Type", "application/json")
	if a.status != http.StatusOK {
		t.Fatalf("signing in: %s %s", a.line, a.body)
	}
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	a = fetch(t, c, "POST", g.Console+"/api/v1/tokens", strings.NewReader(`{"name":"e2e"}`), "Content-Type", "application/json", "Cookie", cookie, "Origin", g.Console)
	var made struct{ Token string }
	decode(t, a.body, &made)
	if made.Token == "" {
		t.Fatalf("making a token: %s %s", a.line, a.body)
	}
	return made.Token
}

// Standard output is for scripts: what is promised, and nothing else. The first start shows what is
// shown once.
func TestStandardOutput(t *testing.T) {
	t.Parallel()
	first := serve(t, "", withEnv("CAUSEWAY_ADMIN_PASSWORD="))
	fetch(t, client(t), "GET", first.URL+"/nowhere", nil)
	want(t, "exit code", first.stop(t), 0)
	lines := strings.Split(first.out.all(), "\n")
	if len(lines) != 3 {
		t.Fatalf("the first start prints %d lines, want 3:\n%s", len(lines), first.out.all())
	}
	if !regexp.MustCompile(`^console account: admin, password: \S{12,} `).MatchString(lines[0]) {
		t.Errorf("the first line is %q", lines[0])
	}
	contains(t, "the second line", lines[1], "sandbox key: "+first.sandboxKey(t))
	if !readyLine.MatchString(lines[2]) {
		t.Errorf("the last line is %q", lines[2])
	}

	second := serve(t, "", inData(first.Data), withEnv("CAUSEWAY_ADMIN_PASSWORD="))
	t.Logf("ready on an existing folder after %v, on a new one after %v", second.Ready, first.Ready)
	for n := 1; second.Ready > max(2*time.Second, 2*first.Ready); n++ {
		if n == 5 {
			t.Errorf("ready after %v at best", second.Ready)
			break
		}
		want(t, "exit code", second.stop(t), 0) // a busy machine may have kept it waiting
		second = serve(t, "", inData(first.Data), withEnv("CAUSEWAY_ADMIN_PASSWORD="))
	}
	fetch(t, client(t), "GET", second.URL+"/nowhere", nil)
	second.signal(t, os.Interrupt)
	want(t, "exit code after an interrupt", second.wait(t, patience), 0)
	if all := second.out.all(); !readyLine.MatchString(all) {
		t.Errorf("the second start prints %q", all)
	}
	lacks(t, "both starts", first.errs.all()+second.errs.all(), "password", "sandbox key", "\x1b")
}

// On a terminal there is colour, and the first things to try; NO_COLOR takes the colour away.
func TestTerminal(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no terminals of this kind here")
	}
	py := python(t)
	const script = `
import os, pty, sys
until = sys.argv[1].encode()
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
while not (until and until in seen):
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
if until:
    os.kill(pid, 15)
os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
`
	dir := shortDir(t)
	data := filepath.Join(dir, "d")
	r := command(t, "", py, "-c", script, "Explain a call by its id", binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	contains(t, "the first start on a terminal", r.out, "ready gateway=http://127.0.0.1:", "Five things to try", "curl", "/v1/chat/completions", "sandbox/echo")
	want(t, "things to try", len(regexp.MustCompile(`(?m)^  \d\. `).FindAllString(r.out, -1)), 5)

	g := serve(t, "", inData(data))
	a := fetch(t, client(t), "GET", g.URL+"/nowhere", nil)
	want(t, "exit code of the gateway", g.stop(t), 0)
	plain := causeway(t, "explain", a.id, "--data", data)
	lacks(t, "an explanation in a pipe", plain.out, "\x1b")
	colourful := command(t, "", py, "-c", script, "", binary, "explain", a.id, "--data", data)
	contains(t, "an explanation on a terminal", colourful.out, "\x1b[")
	without := commandEnv(t, []string{"NO_COLOR=1"}, "", py, "-c", script, "", binary, "explain", a.id, "--data", data)
	want(t, "an explanation on a terminal with NO_COLOR", strings.ReplaceAll(without.out, "\r\n", "\n"), plain.out)
}
