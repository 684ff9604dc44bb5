package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever asks at the wrong place, or with the wrong token, is told which of them is wrong.
func TestWhereAnExplanationIsAskedFor(t *testing.T) {
	const id = "01KAPZQ4M8X3V7N2T5R9W6YB1C"
	console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("explained " + r.URL.Path))
	}))
	defer console.Close()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Causeway-Call-Id", id)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer gateway.Close()
	t.Setenv("CAUSEWAY_SERVER", "")
	t.Setenv("CAUSEWAY_TOKEN", "")
	empty := t.TempDir()
	for _, tt := range []struct {
		name string
		args []string
		code int
		out  string
		err  string
	}{
		{"by its id", []string{id, "--server", console.URL, "--token", "good"}, 0, "explained /api/v1/calls/" + id, ""},
		{"by the address in help", []string{"/.causeway/calls/" + id, "--server", console.URL, "--token", "good"}, 0, "explained /api/v1/calls/" + id, ""},
		{"by the whole address in help", []string{"https://api.example.com/gw/.causeway/calls/" + id, "--server", console.URL, "--token", "good"}, 0, "explained /api/v1/calls/" + id, ""},
		{"without a token", []string{id, "--server", console.URL}, 2, "", "asks for a personal access token"},
		{"with a token that is wrong", []string{id, "--server", console.URL, "--token", "stale"}, 2, "", "does not take this personal access token"},
		{"at the gateway's address", []string{id, "--server", gateway.URL, "--token", "good"}, 2, "", "is where a gateway takes calls; --server takes the address of its console"},
		{"at what is no URL", []string{id, "--server", "console", "--token", "good"}, 2, "", `--server "console" is not a URL such as`},
		{"in a folder that is none", []string{id, "--data", empty}, 2, "", "no instance runs on the data folder " + empty},
	} {
		code, out, err := causeway(append([]string{"explain"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(err, tt.err) || strings.Count(err, "\n") > 1 || strings.Contains(err, "stale") {
			t.Errorf("%s: exit %d\n%s\n%s", tt.name, code, out, err)
		}
	}
}

// What keeps a command out is told alike by all that ask a running instance.
func TestCommandsTellWhyAnInstanceKeepsThemOut(t *testing.T) {
	console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer console.Close()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Causeway-Call-Id", "01JDAA0000000000000000000A")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer gateway.Close()
	t.Setenv("CAUSEWAY_SERVER", "")
	t.Setenv("CAUSEWAY_TOKEN", "")
	bill := filepath.Join(t.TempDir(), "bill.csv")
	if err := os.WriteFile(bill, []byte("date,model,cost\n2026-11-01,gpt-4o,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"incidents"}, {"repro", "01JDAA0000000000000000000A"}, {"reconcile", bill, "--provider", "openai"}, {"drill"}} {
		for _, tt := range []struct{ server, token, err string }{
			{console.URL, "", console.URL + " asks for a personal access token: --token or CAUSEWAY_TOKEN"},
			{console.URL, "stale", console.URL + " does not take this personal access token"},
			{gateway.URL, "good", gateway.URL + " is where a gateway takes calls; --server takes the address of its console"},
		} {
			args := append(command[:len(command):len(command)], "--server", tt.server)
			if tt.token != "" {
				args = append(args, "--token", tt.token)
			}
			code, _, err := causeway(args...)
			if code != 2 || !strings.Contains(err, tt.err) || strings.Count(err, "\n") > 1 || strings.Contains(err, "stale") {
				t.Errorf("%v: exit %d\n%s", args, code, err)
			}
		}
	}
}
