package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// causeway runs the program with its arguments.
func causeway(args ...string) (code int, out, err string) {
	var stdout, stderr strings.Builder
	code = run(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := file("good.yaml", "version: 1\n"), file("bad.yaml", "version: 1\nservices: {s: {routes: [{path: /s}]}}\n")
	const id = "01KAPZQ4M8X3V7N2T5R9W6YB1C"
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
		case !strings.HasSuffix(r.URL.Path, "/"+id+"/explanation"):
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte("as " + r.Header.Get("Accept")))
		}
	}))
	defer admin.Close()
	t.Setenv("CAUSEWAY_SERVER", "")
	t.Setenv("CAUSEWAY_TOKEN", "")
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string // part of standard output
		err  string // part of standard error, one line
	}{
		{"no command shows help", nil, 0, "Usage:", ""},
		{"an unknown command", []string{"serv"}, 2, "", "unknown command"},
		{"an unknown flag", []string{"serve", "--nope"}, 2, "", "causeway serve: unknown flag: --nope"},
		{"an argument too many", []string{"serve", "x"}, 2, "", "causeway serve"},
		{"a flag that is nearly one", []string{"serve", "--confg", "x"}, 2, "", "unknown flag: --confg; did you mean --config?"},
		{"a flag of one letter", []string{"explain", "-j", "x"}, 2, "", "unknown flag: -j"},
		{"a flag without its value", []string{"serve", "--config"}, 2, "", "--config needs a value: configuration file"},
		{"a flag with a wrong value", []string{"doctor", "--timeout", "soon", "http://h"}, 2, "", `--timeout "soon" is not a time such as`},
		{"a number that is none", []string{"incidents", "--limit", "ten"}, 2, "", `--limit "ten" is not a whole number`},
		{"a file where --config belongs", []string{"serve", "causeway.yaml"}, 2, "", "--config causeway.yaml"},
		{"a file where --config belongs, of drill", []string{"drill", "causeway.yaml"}, 2, "", "--config causeway.yaml"},
		{"arguments where none are", []string{"version", "a", "b"}, 2, "", `it takes no argument, and was given "a" "b"`},
		{"an argument missing", []string{"validate"}, 2, "", "FILE is missing; for example: causeway validate causeway.yaml"},
		{"an empty argument", []string{"proxy", ""}, 2, "", "URL is empty; for example: causeway proxy http://127.0.0.1:8000"},
		{"two where one is", []string{"repro", "a", "b"}, 2, "", `one ID is taken, and 2 were given: "a" "b"`},
		{"log files missing", []string{"doctor", "logs"}, 2, "", "FILE is missing; for example: causeway doctor logs /var/log/nginx/error.log"},
		{"a command that is none like any", []string{"xyzzy"}, 2, "", "the commands are "},
		{"a code alone", []string{"explain", "insufficient_quota"}, 0, "quota_exhausted", ""},
		{"an exception's name as long as an id", []string{"explain", "ServiceUnavailableException"}, 0, "overloaded", ""},
		{"a log format that is none", []string{"serve", "--log", "loud"}, 2, "", "--log is text, json or off"},
		{"a configuration with faults", []string{"serve", "--config", bad, "--data", filepath.Join(dir, "none")}, 2, "", bad + ":2:12: "},
		{"a configuration that is not there", []string{"serve", "--config", dir + "/x.yaml", "--data", filepath.Join(dir, "none")}, 2, "", "no such file"},
		{"an address that is none", []string{"serve", "--listen", "nowhere", "--data", filepath.Join(dir, "none")}, 2, "", "--listen nowhere"},
		{"a proxy to what is no URL", []string{"proxy", "localhost:8000"}, 2, "", "http://"},
		{"a proxy to a URL with a password", []string{"proxy", "http://u:hush@h"}, 2, "", "user name or password"},
		{"a valid file", []string{"validate", good}, 0, "is valid", ""},
		{"a file with faults", []string{"validate", bad}, 1, bad + ":2:12: ", ""},
		{"a file with faults as JSON", []string{"validate", "--json", bad}, 1, `"valid":false`, ""},
		{"a file that cannot be read", []string{"validate", dir + "/x.yaml"}, 2, "", "causeway validate: "},
		{"the schema", []string{"schema"}, 0, `"$schema"`, ""},
		{"the version", []string{"version"}, 0, "causeway " + version, ""},
		{"the version as JSON", []string{"version", "--json"}, 0, `"go":"go1`, ""},
		{"the version as a flag", []string{"--version"}, 0, "causeway " + version, ""},
		{"a call's id that is none", []string{"explain", "01KAPZQ4M8X3V7N2T5R9W6YB1"}, 2, "", "is not a call's id"},
		{"a data folder that is not there", []string{"explain", id, "--data", filepath.Join(dir, "none")}, 2, "", "causeway explain: "},
		{"an instance that is not there", []string{"explain", id, "--server", "http://127.0.0.1:1"}, 2, "", "connection refused"},
		{"an instance without a token", []string{"explain", id, "--server", admin.URL}, 2, "", "--token or CAUSEWAY_TOKEN"},
		{"an instance that has the call", []string{"explain", id, "--server", admin.URL, "--token", "token"}, 0, "as text/plain", ""},
		{"as JSON", []string{"explain", "--json", id, "--server", admin.URL + "/", "--token", "token"}, 0, "as application/json", ""},
		{"an instance that does not", []string{"explain", "01KAPZQ4M8X3V7N2T5R9W6YB1D", "--server", admin.URL, "--token", "token"}, 1, "", "no call 01KAPZQ4M8X3V7N2T5R9W6YB1D"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, err := causeway(c.args...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(err, c.err) {
				t.Errorf("exit %d\n%s\n%s", code, out, err)
			}
			if c.err != "" && strings.Count(err, "\n") != 1 {
				t.Errorf("not one line: %q", err)
			}
			if strings.Contains(out+err, "hush") {
				t.Error("a password is shown")
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a start that failed at once made a data folder")
	}
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if code, out, _ := causeway(c.Name(), "--help"); code != 0 || c.Example == "" || !strings.Contains(out, c.Example) {
			t.Errorf("%s: exit %d\n%s", c.Name(), code, out)
		}
	}
}
