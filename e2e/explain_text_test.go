package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A failure that was copied from somewhere is explained without a gateway, and one of ours leads back to it.
func TestExplainText(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "error.txt")
	if err := os.WriteFile(file, []byte("curl: (52) Empty reply from server\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
		says        []string
	}{
		{"an argument", "", []string{"522"}, 0, []string{"connect_timeout", "Cloudflare"}},
		{"standard input", "HTTP/1.1 504 Gateway Time-out\r\nServer: nginx\r\n\r\n", []string{"-"}, 0, []string{"nginx", "proxy_read_timeout"}},
		{"a file", "", []string{"--file", file}, 0, []string{"closed_before_response", "curl"}},
		{"JSON", "", []string{"--json", "ECONNREFUSED"}, 0, []string{`"kind": "connection_refused"`, `"likely"`}},
		{"an unknown text", "", []string{"hello world"}, 1, []string{"not recognised", "hello world"}},
		{"nothing", "", []string{"-"}, 1, []string{"the text is empty"}},
		{"bytes that are no text", "\x00\x01\x02\xff\x1b[2J", []string{"-"}, 1, []string{"not recognised"}},
		{"more than is read", strings.Repeat("y", 1<<20) + "\nECONNREFUSED", []string{"-"}, 1, []string{"only the first 1 MiB"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := command(t, c.stdin, binary, append([]string{"explain", "--data", t.TempDir()}, c.args...)...)
			want(t, "exit code", r.code, c.code)
			contains(t, "what it prints", r.out, c.says...)
			lacks(t, "what it prints", r.out, "\x1b", "\x00")
		})
	}
	r := causeway(t, "explain", "--file", filepath.Join(t.TempDir(), "none"))
	oneLine(t, r, 2, "none")

	g := serve(t, "version: 1\nservices:\n  dead: {access: open, routes: [{path: /dead/*}], upstream: {targets: [{url: \"http://"+freePort(t)+"\"}], retries: {max: 0}}}\n")
	a := fetch(t, client(t), "GET", g.URL+"/dead/x", nil)
	r = command(t, string(a.body), binary, "explain", "-")
	want(t, "exit code", r.code, 0)
	contains(t, "what is told of our own error", r.out, "connection_refused", "a Causeway", "causeway explain "+a.id)
}
