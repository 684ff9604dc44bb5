package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"causeway/internal/doctor"
)

func TestDoctorsExitCodes(t *testing.T) {
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(well.Close)
	ill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(ill.Close)
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"healthy", []string{well.URL}, 0, "Nothing is wrong with this target", ""},
		{"a fault", []string{ill.URL}, 1, "upstream_bad_gateway", ""},
		{"no target", []string{"orders"}, 2, "", "or service:orders or model:orders"},
		{"no configuration", []string{"service:orders"}, 2, "", "--config FILE"},
		{"a file that is not there", []string{"--config", "missing.yaml", "service:orders"}, 2, "", "missing.yaml"},
		{"a wrong flag", []string{"--resolver", "dns", well.URL}, 2, "", "192.0.2.53"},
		{"no argument", nil, 2, "", "TARGET is missing; for example: causeway doctor http"},
		{"a URL without its scheme", []string{strings.TrimPrefix(well.URL, "http://")}, 0, "Nothing is wrong with this target", ""},
		{"the sandbox, which needs no file", []string{"model:sandbox/echo"}, 0, "Nothing is wrong with this target", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, err bytes.Buffer
			code := run(append([]string{"doctor", "--data", t.TempDir()}, c.args...), &out, &err)
			if code != c.code || !strings.Contains(out.String(), c.stdout) || !strings.Contains(err.String(), c.stderr) {
				t.Errorf("exit %d, %q, %q; want %d, %q, %q", code, out.String(), err.String(), c.code, c.stdout, c.stderr)
			}
			if strings.Contains(out.String(), "\x1b") {
				t.Error("colour without a terminal")
			}
		})
	}
	t.Run("json", func(t *testing.T) {
		var out, err bytes.Buffer
		code := run([]string{"doctor", "--json", "--data", t.TempDir(), ill.URL}, &out, &err)
		var r doctor.Report
		if code != 1 || json.Unmarshal(out.Bytes(), &r) != nil || r.Verdict.Kind != "upstream_bad_gateway" || len(r.Steps) < 3 {
			t.Errorf("exit %d, %s", code, out.String())
		}
	})
}
