package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"causeway/internal/catalog"
)

func TestCatalogChange(t *testing.T) {
	const base = `version: 1
providers:
  far: {kind: openai-compatible, base_url: "http://127.0.0.1:9/v1", keys: [a]}
models:
  fast: {targets: [{model: far/one}]}
services:
  orders:
    routes: [{path: /orders/*}]
    upstream: {targets: [{url: "http://127.0.0.1:9001"}], timeouts: {connect: 2s}, max_busy: 3}
  stock:
    routes: [{path: /stock/*}]
    upstream: {targets: [{url: "http://127.0.0.1:9002"}]}
`
	load := func(text string) *catalog.Catalog {
		t.Helper()
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, faults, err := catalog.Load(file, os.LookupEnv)
		if err != nil || len(faults) > 0 {
			t.Fatal(err, faults)
		}
		return c
	}
	for _, c := range []struct {
		name, from, to string
		text, names    string
	}{
		{"a comment", "version: 1\n", "version: 1 # one\n", "", ""},
		{"a timeout and a limit", "connect: 2s}, max_busy: 3", "connect: 3s}, max_busy: 4", "service orders (upstream.timeouts, upstream.max_busy)", "orders"},
		{"a target", "9002", "9003", "service stock (upstream.targets)", "stock"},
		{"a service less", "  stock:\n    routes: [{path: /stock/*}]\n    upstream: {targets: [{url: \"http://127.0.0.1:9002\"}]}\n", "", "service stock (removed)", "stock"},
		{"a model and its provider", "far", "near", "model fast (targets); provider far (removed), near (new)", "fast far near"},
		{"a key of a provider", "keys: [a]", "keys: [b]", "provider far (keys)", "far"},
		{"what concerns all", "version: 1\n", "version: 1\nserver: {max_header: 32KiB}\n", "server", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, names := catalogChange(load(base), load(strings.ReplaceAll(base, c.from, c.to)))
			if text != c.text || strings.Join(names, " ") != c.names {
				t.Errorf("got %q about %q, want %q about %q", text, names, c.text, c.names)
			}
		})
	}
}
