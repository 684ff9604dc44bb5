package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// drillReport is what causeway drill --json and GET /api/v1/drill tell.
type drillReport struct {
	Grade    string
	Score    float64
	Notes    []string
	Text     string
	Subjects []struct {
		What, Name, Grade string
		Score             float64
		Faults            []struct {
			Fault    string
			Absorbed bool
			All      *struct {
				ToldRightly bool  `json:"told_rightly"`
				TookMS      int64 `json:"took_ms"`
			} `json:"every_target"`
		}
		Changes []struct{ Key, To, Why string }
	}
}

// untouched is an address that must not be called.
func untouched(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		if n := calls.Load(); n > 0 {
			t.Errorf("the configured address was called %d times", n)
		}
	})
	return l.Addr().String()
}

func drillConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "causeway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const drillFaults = "connection_refused,connect_timeout,dns_servfail,reset_before_response,close_before_response,header_cut_fin,status_502_nginx,no_answer,body_cut_rst,stale_close"

// TestDrillGradesAConfiguration: settings that absorb failures are graded well, the same targets without them are
// not, and the advice names the keys that make the difference.
func TestDrillGradesAConfiguration(t *testing.T) {
	t.Parallel()
	at := untouched(t)
	targets := fmt.Sprintf("[{url: http://%[1]s}, {url: http://%[1]s/b}, {url: http://%[1]s/c}]", at)
	head := "version: 1\nproviders:\n  openai: {kind: openai, base_url: http://" + at + "/v1, keys: ['${DRILL_TEST_KEY}']}\n" +
		"applications:\n  web: {keys: [top-secret-key-of-a-caller], subscribes: [orders]}\n" +
		"services:\n  orders:\n    routes: [{path: /orders/*}]\n    upstream:\n      targets: " + targets + "\n"
	good := drillConfig(t, head+"      timeouts: {first_byte: 3s, idle: 3s}\n      breaker: {}\n      health: {interval: 1s}\n")
	poor := drillConfig(t, head+"      retries: {max: 0}\n")

	junit := filepath.Join(t.TempDir(), "drill.xml")
	for _, tt := range []struct {
		name, file string
		code       int
		grades     string
	}{{"good", good, 0, "AB"}, {"poor", poor, 1, "DF"}} {
		r := command(t, "", binary, "drill", "--config", tt.file, "--only", "service:orders", "--fault", drillFaults, "--json", "--junit", junit)
		var report drillReport
		if r.code != tt.code || json.Unmarshal([]byte(r.out), &report) != nil {
			t.Fatalf("%s: exit %d, %s\n%s", tt.name, r.code, r.err, r.out)
		}
		if !strings.Contains(tt.grades, report.Grade) || len(report.Subjects) != 1 || len(report.Subjects[0].Faults) != 10 {
			t.Errorf("%s: grade %s of %+v", tt.name, report.Grade, report)
		}
		for _, f := range report.Subjects[0].Faults {
			if !f.All.ToldRightly {
				t.Errorf("%s: %s was told by another name", tt.name, f.Fault)
			}
		}
		lacks(t, "the report", r.out+r.err, "top-secret")
		contains(t, "the notes", strings.Join(report.Notes, "\n"), "DRILL_TEST_KEY is not set")
		xml, err := os.ReadFile(junit)
		if err != nil {
			t.Fatal(err)
		}
		want(t, tt.name+": failures in JUnit's XML", strings.Contains(string(xml), "<failure"), tt.code == 1)
		if tt.code == 1 {
			keys := map[string]string{}
			for _, c := range report.Subjects[0].Changes {
				keys[c.Key] = c.To
			}
			want(t, "retries.max", keys["services.orders.upstream.retries.max"], "2")
			want(t, "timeouts.first_byte", keys["services.orders.upstream.timeouts.first_byte"], "10s")
			if keys["services.orders.upstream.breaker"] == "" {
				t.Errorf("no advice on the breaker: %v", keys)
			}
		}
	}
	// The same grade passes or not, as is asked for; people get a table.
	r := command(t, "", binary, "drill", "--config", poor, "--only", "orders", "--fault", "connection_refused", "--min-grade", "F")
	want(t, "exit with --min-grade F", r.code, 0)
	contains(t, "the table", r.out, "service orders", "connection_refused", "services.orders.upstream.retries.max: 2", "Grade F")
	lacks(t, "what is no terminal", r.out, "\x1b")
}

func TestDrillThatCannotRun(t *testing.T) {
	t.Parallel()
	bad := drillConfig(t, "version: 1\nservices:\n  orders:\n    routes: [{path: /x}]\n    upstream: {targets: [{url: http://127.0.0.1:9}], retris: {max: 1}}\n")
	oneLine(t, command(t, "", binary, "drill", "--min-grade", "E"), 2, "--min-grade", "none of A, B, C, D and F")
	oneLine(t, command(t, "", binary, "drill", "--fault", "none_such"), 2, "--fault", "none_such")
	r := command(t, "", binary, "drill", "--config", bad)
	want(t, "exit", r.code, 2)
	contains(t, "the error", r.err, bad+":5:", "retris", "retries")
	r = command(t, "", binary, "drill", "--config", bad+".none")
	want(t, "exit", r.code, 2)
	r = command(t, "", binary, "drill", "--config", drillConfig(t, "version: 1\n"), "--only", "service:none")
	want(t, "exit", r.code, 2)
	contains(t, "the error", r.err, "nothing to drill")
	r = command(t, "", binary, "drill", "--server", "http://127.0.0.1:9")
	want(t, "exit", r.code, 2)
}

// TestDrillOfARunningGateway: the command and the admin API drill what is in force, without a call to its targets.
func TestDrillOfARunningGateway(t *testing.T) {
	t.Parallel()
	at := untouched(t)
	g := serve(t, "version: 1\nservices:\n  orders:\n    access: open\n    routes: [{path: /orders/*}]\n    upstream: {targets: [{url: http://"+at+"}], retries: {max: 0}}\n")
	status, _ := g.get(t, "/api/v1/drill", "application/json")
	want(t, "before a drill", status, http.StatusNotFound)
	r := command(t, "", binary, "drill", "--data", g.Data, "--fault", "reset_before_response", "--json", "--min-grade", "F")
	var report drillReport
	if r.code != 0 || json.Unmarshal([]byte(r.out), &report) != nil {
		t.Fatalf("exit %d: %s\n%s", r.code, r.err, r.out)
	}
	want(t, "the subject", report.Subjects[0].Name, "orders")
	want(t, "the grade", report.Grade, "F")
	status, body := g.get(t, "/api/v1/drill", "application/json")
	want(t, "after a drill", status, http.StatusOK)
	var last drillReport
	decode(t, body, &last)
	want(t, "the last grade", last.Grade, report.Grade)
	contains(t, "its text", last.Text, "Grade F")
}
