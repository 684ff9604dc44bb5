package logs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// now is the present of the tests, one day after the lines.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// readText reads logs that are given as texts, by their file names.
func readText(t testing.TB, files ...string) *Report {
	t.Helper()
	dir := t.TempDir()
	o := Options{Zone: time.UTC, Now: now}
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, path)
	}
	r, err := Read(context.Background(), o)
	if err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	return r
}

func TestFormsOfLines(t *testing.T) {
	const at = "2026-11-23T09:30:01Z"
	for _, c := range []struct {
		name, line string
		form       form
		status     int
		time       string
		rule       string // by the line alone
		target     string
		upstream   string
	}{
		{"nginx combined", `192.0.2.7 - - [23/Nov/2026:09:30:01 +0000] "GET /a?key=1 HTTP/1.1" 502 157 "-" "curl/8"`, formCLF, 502, at, "", "GET /a", ""},
		{"nginx with another zone", `192.0.2.7 - - [23/Nov/2026:11:30:01 +0200] "GET /a HTTP/1.1" 200 157 "-" "curl/8"`, formCLF, 200, at, "", "", ""},
		{"nginx with its upstream", `192.0.2.7 - - [23/Nov/2026:09:30:01 +0000] "GET /a HTTP/1.1" 504 157 "-" "curl/8" rt=60.001 uct="0.000" uht="-" urt="60.001" upstream_addr="127.0.0.1:8000"`, formCLF, 504, at, "", "GET /a", "127.0.0.1:8000"},
		{"Apache common", `192.0.2.7 - bob [23/Nov/2026:09:30:01 +0000] "POST /b HTTP/1.0" 503 12`, formCLF, 503, at, "", "POST /b", ""},
		{"Traefik's common format", `192.0.2.7 - - [23/Nov/2026:09:30:01 +0000] "GET /a HTTP/1.1" 502 11 "-" "-" 7 "web@docker" "http://10.0.0.5:80" 3ms`, formTraefik, 502, at, "", "GET /a", "10.0.0.5:80"},
		{"nginx error", `2026/11/23 09:30:01 [error] 12#12: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, server: _, request: "GET /a HTTP/1.1", upstream: "http://127.0.0.1:8000/a", host: "h"`, formNginxError, 0, at, "nginx-refused", "GET /a", "127.0.0.1:8000"},
		{"nginx read timeout", `2026/11/23 09:30:01 [error] 12#12: *1 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 192.0.2.7, server: _, request: "GET /a HTTP/1.1", upstream: "http://127.0.0.1:8000/a", host: "h"`, formNginxError, 0, at, "nginx-read-timeout", "GET /a", "127.0.0.1:8000"},
		{"nginx socket", `2026/11/23 09:30:01 [crit] 12#12: *1 connect() to unix:/run/a.sock failed (2: No such file or directory) while connecting to upstream, client: 192.0.2.7, server: _, request: "GET /a HTTP/1.1", upstream: "http://unix:/run/a.sock:/a", host: "h"`, formNginxError, 0, at, "nginx-socket-missing", "GET /a", "unix:/run/a.sock"},
		{"Apache error", `[Mon Nov 23 09:30:01.123456 2026] [proxy:error] [pid 12:tid 34] (111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:9 (127.0.0.1:9) failed`, formApacheError, 0, "2026-11-23T09:30:01.123456Z", "apache-refused", "", "127.0.0.1:9"},
		{"Apache error with a client", `[Mon Nov 23 09:30:01 2026] [proxy_http:error] [pid 12:tid 34] [client 192.0.2.7:1234] AH01102: error reading status line from remote server 127.0.0.1:8000`, formApacheError, 0, at, "apache-closed", "", "127.0.0.1:8000"},
		{"HAProxy", `192.0.2.7:1234 [23/Nov/2026:09:30:01.000] fe be/s1 0/0/0/-1/5000 504 198 - - sH-- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`, formHAProxy, 504, at, "haproxy-timeout", "GET /a", "be/s1"},
		{"HAProxy in syslog", `Nov 23 09:30:01 host haproxy[123]: 192.0.2.7:1234 [23/Nov/2026:09:30:01.000] fe be/<NOSRV> 0/-1/-1/-1/0 503 216 - - SC-- 1/1/0/0/3 0/0 "GET /a HTTP/1.1"`, formHAProxy, 503, at, "haproxy-none", "GET /a", "be/<NOSRV>"},
		{"HAProxy tcplog", `192.0.2.7:1234 [23/Nov/2026:09:30:01.000] fe be/s1 1/-1/0 0 SC 1/1/0/0/3 0/0`, formHAProxy, 503, at, "haproxy-refused", "(TCP)", "be/s1"},
		{"Envoy", `[2026-11-23T09:30:01.000Z] "GET /a HTTP/1.1" 503 UF 0 91 2 - "-" "curl/8" "id" "host" "127.0.0.1:9"`, formEnvoy, 503, at, "envoy-refused", "GET /a", "127.0.0.1:9"},
		{"Istio", `[2026-11-23T09:30:01.000Z] "GET /a HTTP/1.1" 503 UF upstream_reset_before_response_started{connection_failure,TLS_error:_wrong} - "TLS_error" 0 91 2 - "-" "curl/8" "id" "host" "127.0.0.1:9"`, formEnvoy, 503, at, "envoy-tls", "GET /a", "127.0.0.1:9"},
		{"Envoy JSON", `{"start_time":"2026-11-23T09:30:01.000Z","method":"GET","path":"/a","response_code":504,"response_flags":"UT","duration":15000,"upstream_host":"10.0.0.1:80"}`, formEnvoy, 504, at, "envoy-timeout", "GET /a", "10.0.0.1:80"},
		{"Caddy access", `{"level":"error","ts":1795426201,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/a"},"duration":0.01,"status":502}`, formCaddy, 502, at, "", "GET /a", ""},
		{"Caddy error", `{"level":"error","ts":1795426201.0,"logger":"http.log.error","msg":"dial tcp 127.0.0.1:9: connect: connection refused","request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/a"},"status":502}`, formCaddy, 0, at, "go-refused", "GET /a", ""},
		{"nginx JSON with names of its own", `{"ts":"2026-11-23T09:30:01+00:00","remote":"192.0.2.7","req":"GET /a HTTP/1.1","status":502,"rt":0.001,"upstream":"10.0.0.1:80","ust":"502"}`, formJSON, 502, at, "", "GET /a", "10.0.0.1:80"},
		{"nginx JSON with other names of its own", `{"zeit":"23/Nov/2026:09:30:01 +0000","anfrage":"GET /a HTTP/2.0","http_status":"502","ua":"Mozilla/5.0 HTTP/1.1 x"}`, formJSON, 502, at, "", "GET /a", ""},
		{"gunicorn's JSON access log", `{"time":"[23/Nov/2026:09:30:01 +0000]","status":"500","path":"/a","us":36798}`, formJSON, 500, at, "", "/a", ""},
		{"Traefik JSON", `{"ClientHost":"192.0.2.7","DownstreamStatus":502,"Duration":1000000,"RequestMethod":"GET","RequestPath":"/a","ServiceAddr":"10.0.0.5:80","time":"2026-11-23T09:30:01Z"}`, formTraefik, 502, at, "", "GET /a", "10.0.0.5:80"},
		{"ALB", `https 2026-11-23T09:30:01.000000Z app/my/50dc 192.0.2.7:2817 10.0.0.1:80 0.000 -1 -1 502 - 34 366 "GET https://h:443/a HTTP/1.1" "curl/8" - -`, formALB, 502, at, "alb-unanswered", "GET /a", "10.0.0.1:80"},
		{"gunicorn error", `[2026-11-23 09:30:01 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:34)`, formGunicorn, 0, at, "gunicorn-worker-timeout", "", ""},
		{"uvicorn access", `INFO:     192.0.2.7:5000 - "GET /a HTTP/1.1" 500 Internal Server Error`, formUvicorn, 500, "", "", "GET /a", ""},
		{"uWSGI", `[pid: 12|app: 0|req: 1/1] 192.0.2.7 () {28 vars in 320 bytes} [Mon Nov 23 09:30:01 2026] GET /a => generated 11 bytes in 5 msecs (HTTP/1.1 500) 2 headers`, formUWSGI, 500, at, "", "GET /a", ""},
		{"Django's server", `[23/Nov/2026 09:30:01] "GET /a HTTP/1.1" 500 145`, formApp, 500, at, "", "GET /a", ""},
		{"kernel in syslog", `Nov 23 09:30:01 host kernel: [123.456] Out of memory: Killed process 34 (gunicorn) total-vm:1kB`, formKernel, 0, at, "oom-kill", "", ""},
		{"dmesg -T", `[Mon Nov 23 09:30:01 2026] nf_conntrack: nf_conntrack: table full, dropping packet`, formKernel, 0, at, "conntrack-full", "", ""},
		{"dmesg", `[  123.456789] TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.`, formKernel, 0, "", "syn-flood", "", ""},
		{"journal, short-iso", `2026-11-23T09:30:01+0000 host systemd[1]: app.service: Main process exited, code=killed, status=9/KILL`, formSyslog, 0, at, "unit-died", "", ""},
		{"journal, JSON", `{"__REALTIME_TIMESTAMP":"1795426201000000","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"Out of memory: Killed process 34 (python3) total-vm:1kB"}`, formKernel, 0, at, "oom-kill", "", ""},
		{"RFC 5424", `<134>1 2026-11-23T09:30:01Z host gunicorn 12 - - [2026-11-23 09:30:01 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:34)`, formGunicorn, 0, at, "gunicorn-worker-timeout", "", ""},
		{"Go's server", `2026/11/23 09:30:01 http: panic serving 192.0.2.7:1234: boom`, formApp, 0, at, "go-panic-request", "", ""},
		{"our own calls", `{"id":"01KAPZQ4M8X3V7N2T5R9W6YB1C","time":"2026-11-23T09:30:01Z","method":"GET","path":"/a","status":502,"kind":"connection_refused","cause":"software","duration_ms":0}`, formCauseway, 502, at, "causeway-connection_refused", "GET /a", ""},
		{"our own log", `time=2026-11-23T09:30:01.000Z level=WARN msg="the gateway's host is in trouble" kind=gateway_disk_full detail=x`, formCauseway, 0, at, "causeway-gateway_disk_full", "", ""},
		{"a sentence of nobody's", `hello there`, formUnknown, 0, "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(Options{Zone: time.UTC, Now: now})
			var e entry
			ok := r.parser.parse(&source{}, []byte(c.line), &e)
			if ok != (c.form != formUnknown) || e.form != c.form {
				t.Fatalf("recognised %v as %q", ok, formNames[e.form])
			}
			if !ok {
				return
			}
			if e.access && failing(e.status) {
				r.direct(&e)
			}
			if e.status != c.status && !(c.form == formCaddy && c.status == 0) || e.access != (c.status != 0) {
				t.Errorf("status %d, access %v", e.status, e.access)
			}
			got := ""
			if e.time != 0 {
				got = time.Unix(0, e.time).UTC().Format(time.RFC3339Nano)
			}
			if got != c.time {
				t.Errorf("time %s, want %s", got, c.time)
			}
			rule := ""
			if e.rule != nil {
				rule = e.rule.id
			}
			if rule != c.rule {
				t.Errorf("rule %q, want %q", rule, c.rule)
			}
			if c.target != "" && callTarget(&e) != c.target {
				t.Errorf("target %q", callTarget(&e))
			}
			if string(e.upstream) != c.upstream {
				t.Errorf("upstream %q", e.upstream)
			}
		})
	}
}

func TestW3CLogs(t *testing.T) {
	r := readText(t, "iis.log", "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken\n"+
		"2026-11-23 09:30:01 10.0.0.1 GET /a key=hush 80 - 192.0.2.7 curl 502 3 12002 30015\n2026-11-23 09:30:02 10.0.0.1 GET /b - 80 - 192.0.2.7 curl 200 0 0 5\n",
		"cf.log", "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status x-edge-detailed-result-type\n2026-11-23\t09:30:01\tAMS\t10\t192.0.2.7\tGET\th\t/a\t502\tOriginConnectError\n")
	if r.Failures != 2 || len(r.Causes) != 2 || r.Answers != 3 {
		t.Fatalf("%+v", r)
	}
	text := string(r.Text(nil, time.UTC, false))
	for _, want := range []string{"502.3 12002", "CloudFront got no valid answer", "requestTimeout of aspNetCore"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hush") {
		t.Errorf("a query's value is shown:\n%s", text)
	}
}

func TestEveryRuleIsComplete(t *testing.T) {
	c := newCatalogue()
	seen := map[string]bool{}
	for i := range c.rules {
		r := &c.rules[i]
		if seen[r.id] {
			t.Errorf("%s stands twice", r.id)
		}
		seen[r.id] = true
		if r.title == "" || r.server == "" || r.cause == "" || len(r.fix) == 0 || c.byKind[r.kind] == nil {
			t.Errorf("%s is not complete: %+v", r.id, r)
		}
		if r.level == atProxy && r.shows == 0 || r.level != atProxy && r.explains == 0 && !r.quiet {
			t.Errorf("%s neither shows nor explains anything", r.id)
		}
	}
	for _, state := range []string{"SC", "sC", "sH", "SH", "SD", "sD", "sQ", "PH", "PC", "CH", "D-", "K-", "--"} {
		if id := termination([]byte(state), 502, nil); c.byID[id] == nil {
			t.Errorf("termination state %s has no rule: %q", state, id)
		}
	}
	for _, flag := range strings.Fields("UF UC UR LR UT UH LH UO NR NC UPE DC RL RLSE SI DT UMSDR DF OM") {
		if id := flagged([]byte(flag), nil); c.byID[id] == nil {
			t.Errorf("response flag %s has no rule: %q", flag, id)
		}
	}
}
