package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func access(at, client, target string, status int) string {
	return fmt.Sprintf("%s - - [23/Nov/2026:%s +0000] \"GET %s HTTP/1.1\" %d 157 \"-\" \"curl/8\"\n", client, at, target, status)
}

func nginxLine(at, client, target, words, upstream string) string {
	return fmt.Sprintf("2026/11/23 %s [error] 12#12: *1 %s, client: %s, server: _, request: \"GET %s HTTP/1.1\", upstream: \"http://%s%s\", host: \"h\"\n", at, words, client, target, upstream, target)
}

const (
	refusedWords = "connect() failed (111: Connection refused) while connecting to upstream"
	closedWords  = "upstream prematurely closed connection while reading response header from upstream"
	timeoutWords = "upstream timed out (110: Connection timed out) while reading response header from upstream"
	backend      = "127.0.0.1:8000"
	caller       = "192.0.2.7"
)

// want checks the causes of a report, "ID xFAILURES" each, in order.
func want(t *testing.T, r *Report, causes ...string) {
	t.Helper()
	var got []string
	for _, c := range r.Causes {
		got = append(got, fmt.Sprintf("%s x%d", c.ID, c.Failures))
	}
	if strings.Join(got, ", ") != strings.Join(causes, ", ") {
		t.Errorf("causes %q, want %q\n%s", got, causes, r.Text(nil, time.UTC, false))
	}
}

func apacheClosed(target string) string {
	const head = "[Mon Nov 23 09:30:01.5 2026] [proxy:error] [pid 12:tid 34] "
	return head + "(20014)Internal error: [client 192.0.2.7:5] AH01102: error reading status line from remote server 127.0.0.1:8000\n" +
		head + "[client 192.0.2.7:5] AH00898: Error reading from remote server returned by " + target + "\n"
}

func TestJoining(t *testing.T) {
	gunicorn := func(at, words string) string { return "[2026-11-23 " + at + " +0000] [11] " + words + "\n" }
	killed := access("09:30:02", caller, "/slow", 502)
	closed := nginxLine("09:30:02", caller, "/slow", closedWords, backend)
	for _, c := range []struct {
		name        string
		files       []string
		causes      []string
		unexplained int64
		says        []string
	}{
		{
			"an access line with its error line",
			[]string{"access.log", access("09:30:01", caller, "/a", 502) + access("09:30:01", caller, "/b", 200), "error.log", nginxLine("09:30:01", caller, "/a", refusedWords, backend)},
			[]string{"nginx-refused x1"},
			0,
			[]string{"1 request of 2 answers failed: 1 x 502", "100 % of them explained"},
		},
		{
			"a worker that timed out is behind the closed connection",
			[]string{"access.log", killed, "error.log", closed, "gunicorn.log", gunicorn("09:30:02", "[CRITICAL] WORKER TIMEOUT (pid:12)") + gunicorn("09:30:03", "[WARNING] Worker with pid 12 was terminated due to signal 9")},
			[]string{"gunicorn-worker-timeout x1"},
			0,
			[]string{"--timeout", "what was noticed: the upstream closed the connection"},
		},
		{
			"the kernel is behind a worker that was killed",
			[]string{"access.log", killed, "error.log", closed, "gunicorn.log", gunicorn("09:30:02", "[WARNING] Worker with pid 12 was terminated due to signal 9"), "kern.log", "Nov 23 09:30:01 h kernel: [1.5] Out of memory: Killed process 12 (gunicorn) total-vm:1kB\n"},
			[]string{"oom-kill x1"},
			0,
			[]string{"MemoryMax="},
		},
		{
			"the kernel killed another process",
			[]string{"access.log", killed, "error.log", closed, "gunicorn.log", gunicorn("09:30:02", "[WARNING] Worker with pid 12 was terminated due to signal 9"), "kern.log", "Nov 23 09:29:51 h kernel: [1.5] Out of memory: Killed process 99 (postgres) total-vm:1kB\n"},
			[]string{"gunicorn-worker-killed x1", "oom-kill x0"},
			0, nil,
		},
		{
			"an OOM kill long before is not the cause",
			[]string{"access.log", killed, "error.log", closed, "kern.log", "Nov 23 08:00:01 h kernel: [1.5] Out of memory: Killed process 99 (postgres) total-vm:1kB\n"},
			[]string{"nginx-closed x1", "oom-kill x0"},
			0, nil,
		},
		{
			"a restart is behind what was refused meanwhile",
			[]string{"access.log", access("09:30:05", caller, "/a", 502), "error.log", nginxLine("09:30:05", caller, "/a", refusedWords, backend), "journal", "2026-11-23T09:30:01+0000 h systemd[1]: Stopping app.service - App...\n"},
			[]string{"unit-stopped x1"},
			0,
			[]string{"likely: the times fit"},
		},
		{
			"an exception is behind a 500 that was passed on",
			[]string{"access.log", access("09:30:01", caller, "/a", 500), "app.log", "[2026-11-23 09:30:01,123] ERROR in app: Exception on /a [GET]\nTraceback (most recent call last):\n  File \"a.py\", line 1, in a\nValueError: boom\n"},
			[]string{"python-exception x1"},
			0,
			[]string{"ValueError: boom"},
		},
		{
			"a timeout by itself",
			[]string{"access.log", access("09:31:01", caller, "/a", 504), "error.log", nginxLine("09:31:01", caller, "/a", timeoutWords, backend)},
			[]string{"nginx-read-timeout x1"},
			0,
			[]string{"proxy_read_timeout"},
		},
		{
			"no line tells",
			[]string{"access.log", access("09:30:01", caller, "/a", 502)},
			nil, 1,
			[]string{"Not explained", "0 % of them explained"},
		},
		{
			"an error log alone",
			[]string{"error.log", nginxLine("09:30:01", caller, "/a", refusedWords, backend)},
			[]string{"nginx-refused x0"},
			0,
			[]string{"1 line with no failed request"},
		},
		{
			"another caller's error line is not taken",
			[]string{"access.log", access("09:30:01", caller, "/a", 502), "error.log", nginxLine("09:30:01", "198.51.100.9", "/other", refusedWords, backend)},
			[]string{"nginx-refused x0"},
			1, nil,
		},
		{
			"Apache says a failure in two lines",
			[]string{"access.log", access("09:30:01", caller, "/a", 503), "error.log", "[Mon Nov 23 09:30:01.5 2026] [proxy:error] [pid 12:tid 34] (111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:8000 (127.0.0.1:8000) failed\n[Mon Nov 23 09:30:01.5 2026] [proxy_http:error] [pid 12:tid 34] [client 192.0.2.7:5] AH01114: HTTP: failed to make connection to backend: 127.0.0.1\n"},
			[]string{"apache-refused x1"},
			0,
			[]string{"retry=5"},
		},
		{
			"Apache's access line has the time of the request's beginning",
			[]string{"access.log", access("09:30:01", caller, "/a", 502), "error.log", "[Mon Nov 23 09:31:01.5 2026] [proxy_http:error] [pid 12:tid 34] (70007)The timeout specified has expired: [client 192.0.2.7:5] AH01102: error reading status line from remote server 127.0.0.1:8000\n[Mon Nov 23 09:31:01.5 2026] [proxy:error] [pid 12:tid 34] [client 192.0.2.7:5] AH00898: Error reading from remote server returned by /a\n"},
			[]string{"apache-timeout x1"},
			0,
			[]string{"ProxyTimeout"},
		},
		{
			"two calls that one thread of Apache made in a second",
			[]string{
				"access.log", access("09:30:01", caller, "/a", 502) + access("09:30:01", caller, "/b", 502),
				"error.log", apacheClosed("/a") + apacheClosed("/b"),
			},
			[]string{"apache-closed x2"},
			0, nil,
		},
		{
			"a caller with less patience",
			[]string{"access.log", access("09:30:01", caller, "/a", 499), "error.log", nginxLine("09:30:01", caller, "/a", "client prematurely closed connection, so upstream connection is closed too while reading response header from upstream", backend)},
			[]string{"nginx-client-gone x1"},
			0, nil,
		},
		{
			"all is well",
			[]string{"access.log", access("09:30:01", caller, "/a", 200) + access("09:30:01", caller, "/a", 404)},
			nil, 0,
			[]string{"Nothing failed"},
		},
		{
			"a mixed file",
			[]string{"all.log", killed + closed + gunicorn("09:30:02", "[CRITICAL] WORKER TIMEOUT (pid:12)")},
			[]string{"gunicorn-worker-timeout x1"},
			0,
			[]string{"gunicorn log", "nginx error log"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readText(t, c.files...)
			want(t, r, c.causes...)
			var unknown int64
			for _, u := range r.Unexplained {
				unknown += u.Failures
			}
			text := string(r.Text(nil, time.UTC, false))
			if unknown != c.unexplained {
				t.Errorf("%d unexplained, want %d\n%s", unknown, c.unexplained, text)
			}
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("%q is missing in\n%s", s, text)
				}
			}
		})
	}
}

// TestClocksThatDisagree has an error log in another zone than was assumed, and one of a host whose
// clock is off.
func TestClocksThatDisagree(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration
		says string
	}{
		{"another zone", 2 * time.Hour, "2 h ahead of the other files'"},
		{"a clock that is off", 47 * time.Second, "47.0 s ahead of the other files'"},
		{"agreeing", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
			var good, bad strings.Builder
			for i := range 50 {
				at := begin.Add(time.Duration(i) * time.Minute)
				target := fmt.Sprintf("/item/%d", i)
				good.WriteString(access(at.Format("15:04:05"), caller, target, 502))
				bad.WriteString(nginxLine(at.Add(c.off).Format("15:04:05"), caller, target, refusedWords, backend))
			}
			r := readText(t, "access.log", good.String(), "error.log", bad.String())
			want(t, r, "nginx-refused x50")
			text := string(r.Text(nil, time.UTC, false))
			if c.says != "" && !strings.Contains(text, c.says) || c.says == "" && strings.Contains(text, "clock is") {
				t.Errorf("the note on the clock is not %q:\n%s", c.says, text)
			}
		})
	}
}

func TestALimitIsNamedByItsLength(t *testing.T) {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "%s:1 [23/Nov/2026:09:30:%02d.000] fe be/s1 0/0/0/-1/30001 504 198 - - sH-- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"\n", caller, i)
	}
	r := readText(t, "haproxy.log", b.String())
	want(t, r, "haproxy-timeout x10")
	if got := strings.Join(r.Causes[0].Evidence, "\n"); !strings.Contains(got, "30.0 s: a limit") || !strings.Contains(got, "gunicorn --timeout") {
		t.Errorf("evidence %q", got)
	}
}

func TestRotatedFilesAreOneLog(t *testing.T) {
	r := readText(t, "access.log", access("09:31:00", caller, "/b", 502), "access.log.1", access("09:30:00", caller, "/a", 502),
		"error.log", nginxLine("09:30:00", caller, "/a", refusedWords, backend)+nginxLine("09:31:00", caller, "/b", closedWords, backend))
	want(t, r, "nginx-closed x1", "nginx-refused x1")
}

func TestSecretsAreNotShown(t *testing.T) {
	line := access("09:30:01", caller, "/a?key=hush-1", 502) + "{\"level\":\"error\",\"ts\":1795426201.0,\"logger\":\"http.log.error\",\"msg\":\"dial tcp 127.0.0.1:9: connect: connection refused Authorization: Bearer hush-2 x-api-key: hush-3 sk-hushhushhushhushhush4\"}\n" +
		"2026/11/23 09:30:01 http: panic serving 1.2.3.4: \x1b[2J\a password=hush-5\n"
	r := readText(t, "a.log", line)
	text := string(r.Text(nil, time.UTC, false))
	if strings.Contains(text, "hush") || strings.ContainsAny(text, "\x1b\a") {
		t.Error(text)
	}
	if len(r.Causes) == 0 {
		t.Error("nothing was found")
	}
}
