package e2e

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runApp is a server of Python's own http.server that dies in the way that the path asks for.
const runApp = `import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/exit":
            print("fatal: the database is gone", file=sys.stderr, flush=True)
            os._exit(3)
        if self.path == "/kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.path == "/segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.path == "/bug":
            raise ValueError("no such customer: 7")
        if self.path == "/crash":
            try:
                {}["price"]
            except KeyError:
                import traceback
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"well\n")

    def log_message(self, *args):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`

// underRun starts the application with causeway run.
func underRun(t *testing.T, flags ...string) *gateway {
	t.Helper()
	app := filepath.Join(t.TempDir(), "app.py")
	if err := os.WriteFile(app, []byte(runApp), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freePort(t))
	args := append(append([]string{"--to", port}, flags...), "--", python(t), app, port)
	return serve(t, "", func(s *settings) { s.command = []string{"run"} }, withArgs(args...))
}

// How the process of the upstream has ended is told with the call that failed with it: in the body, and by
// causeway explain.
func TestRunJoinsTheEndOfTheProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, kind string
		says             []string // in the explanation
	}{
		{"it exits", "/exit", "closed_before_response", []string{"code 3", "fatal: the database is gone", "Start the upstream again"}},
		{"it is killed", "/kill", "closed_before_response", []string{"signal SIGKILL"}},
		{"it crashes in native code", "/segv", "closed_before_response", []string{"signal SIGSEGV"}},
		{"it ends with a traceback", "/crash", "closed_before_response", []string{"code 1", "Python traceback (app.py:", "KeyError: 'price'", "Fix what the traceback names"}},
		{"one request fails with a traceback", "/bug", "closed_before_response", []string{"Python traceback (app.py:", "ValueError: no such customer: 7", "runs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := underRun(t)
			want(t, "a good call", fetch(t, client(t), "GET", g.URL+"/", nil).status, 200)
			a := fetch(t, client(t), "GET", g.URL+c.path, nil)
			want(t, "status", a.status, 502)
			p := a.problem(t)
			want(t, "kind", p.Kind, c.kind, "connection_refused") // the second attempt meets nobody any more
			contains(t, "the body", string(a.body), c.says[0])
			r := causeway(t, "explain", "--data", g.Data, a.id)
			want(t, "exit code of explain", r.code, 0)
			contains(t, "the explanation", r.out, c.says...)
			r = causeway(t, "explain", "--json", "--data", g.Data, a.id)
			if !json.Valid([]byte(r.out)) {
				t.Errorf("%s", r.out)
			}
			contains(t, "the explanation in JSON", r.out, strings.Split(c.says[0], " (")[0])
			again := fetch(t, client(t), "GET", g.URL+"/", nil)
			if c.path == "/bug" {
				want(t, "the call after it", again.status, 200)
				return
			}
			// The gateway stays, and explains the calls after it by the same end.
			want(t, "the kind of the call after it", again.problem(t).Kind, "connection_refused")
			contains(t, "the call after it", string(again.body), c.says[0])
		})
	}
}

func TestRunStartsItAgain(t *testing.T) {
	t.Parallel()
	g := underRun(t, "--restart", "on-failure")
	want(t, "the call that ends it", fetch(t, client(t), "GET", g.URL+"/exit", nil).status, 502)
	eventually(t, "an answer of the next process", func() bool {
		return fetch(t, client(t), "GET", g.URL+"/", nil).status == 200
	})
}

// The exit code is the command's, and a signal to the gateway ends it with all calls answered.
func TestRunEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	g := underRun(t, "--on-exit", "exit")
	want(t, "the call that ends it", fetch(t, client(t), "GET", g.URL+"/exit", nil).status, 502)
	want(t, "exit code", g.wait(t, patience), 3)

	g = underRun(t)
	want(t, "a good call", fetch(t, client(t), "GET", g.URL+"/", nil).status, 200)
	began := time.Now()
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t, patience); code != 0 && code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if took := time.Since(began); took > 2*atOnce {
		t.Errorf("it took %s to end", took)
	}

	r := causeway(t, "run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--wait", "5s", "--", "/bin/sh", "-c", "echo cannot read config >&2; exit 7")
	want(t, "exit code of a command that ends before it listens", r.code, 7)
	contains(t, "standard error", r.err, "cannot read config", "exited with 7")
	r = causeway(t, "run", "--data", t.TempDir(), "--", "/no/such/program")
	want(t, "exit code of a command that is not there", r.code, 2)
	contains(t, "standard error", r.err, "/no/such/program")
}
