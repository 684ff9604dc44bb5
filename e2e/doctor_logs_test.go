package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Logs that real servers write while they are driven into failure: causeway doctor logs names what was
// done to them, and what to change.

// logApp is an application that dies, hangs and fails when it is asked to.
const logApp = `import os, signal, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        time.sleep(60)
    if path == "/slow":
        time.sleep(3)
    if path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/bug":
        raise ValueError("no such customer")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"well"]
`

type logVerdict struct {
	Answers  int64 `json:"answers"`
	Failures int64 `json:"failures"`
	Causes   []struct {
		ID       string   `json:"id"`
		Kind     string   `json:"kind"`
		Failures int64    `json:"failures"`
		Advice   []string `json:"advice"`
		Examples []struct {
			File string `json:"file"`
			Line int64  `json:"line"`
		} `json:"examples"`
	} `json:"causes"`
	Unexplained []struct {
		Failures int64 `json:"failures"`
	} `json:"unexplained"`
}

// judgeLogs runs the program on log files, until what they hold is all written: proxies and
// applications write after they have answered.
func judgeLogs(t *testing.T, want string, failures int64, advice string, files ...string) {
	t.Helper()
	var v logVerdict
	var r result
	ok := func() bool {
		r = causeway(t, append([]string{"doctor", "logs", "--json"}, files...)...)
		v = logVerdict{}
		if err := json.Unmarshal([]byte(r.out), &v); err != nil {
			t.Fatalf("%v: %s %s", err, r.out, r.err)
		}
		return v.Failures == failures && len(v.Causes) > 0 && v.Causes[0].ID == want && v.Causes[0].Failures == failures
	}
	for deadline := time.Now().Add(patience); !ok() && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	if !ok() {
		t.Errorf("the first cause is not %s with %d failures: %s\n%s", want, failures, r.out, dump(files))
		return
	}
	if r.code != 1 || len(v.Unexplained) != 0 || !strings.Contains(strings.Join(v.Causes[0].Advice, "\n"), advice) {
		t.Errorf("exit %d, unexplained %v, advice %q lacks %q", r.code, v.Unexplained, v.Causes[0].Advice, advice)
	}
	for _, c := range v.Causes[1:] {
		if c.Failures > 0 {
			t.Errorf("a second cause explains %d: %s", c.Failures, c.ID)
		}
	}
	if ex := v.Causes[0].Examples; len(ex) == 0 || ex[0].Line == 0 {
		t.Errorf("no example: %v", ex)
	}
	text := causeway(t, append([]string{"doctor", "logs"}, files...)...)
	contains(t, "the text", text.out, "100 % of them explained", "what to change")
}

func dump(files []string) string {
	var b strings.Builder
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Fprintf(&b, "== %s\n%s", f, text)
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get asks for a path and wants a status.
func getStatus(t *testing.T, addr, path string, status int) {
	t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	want(t, "status of "+path, res.StatusCode, status)
}

// logNginx runs nginx before an address with logs in dir.
func logNginx(t *testing.T, dir, backend string) (addr, access, errs string) {
	t.Helper()
	addr, access, errs = freePort(t), filepath.Join(dir, "access.log"), filepath.Join(dir, "error.log")
	config := filepath.Join(dir, "nginx.conf")
	write(t, config, fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events {}
http {
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  access_log %[1]s/access.log combined;
  server {
    listen %[2]s;
    location / { proxy_pass http://%[3]s; }
    location /slow { proxy_read_timeout 1s; proxy_pass http://%[3]s; }
    location /upload { client_max_body_size 1; proxy_pass http://%[3]s; }
  }
}
`, dir, addr, backend))
	awaitListener(t, start(t, nil, needs(t, "nginx", "/usr/sbin/nginx"), "-c", config, "-e", errs), addr)
	return addr, access, errs
}

func logGunicorn(t *testing.T, dir string) (p *process, addr, log string) {
	t.Helper()
	addr, log = freePort(t), filepath.Join(dir, "gunicorn.log")
	write(t, filepath.Join(dir, "app.py"), logApp)
	p = start(t, nil, needs(t, "gunicorn"), "--chdir", dir, "--bind", addr, "--workers", "1", "--timeout", "4", "--error-logfile", log, "app:app")
	awaitListener(t, p, addr)
	return p, addr, log
}

var workerPID = regexp.MustCompile(`with pid (\d+) was terminated due to signal 9|\(pid:(\d+)\) was sent SIGKILL`)

func TestDoctorLogsOfNginxAndGunicorn(t *testing.T) {
	t.Parallel()
	t.Run("a worker that timed out", func(t *testing.T) {
		t.Parallel()
		dir := shortDir(t)
		_, app, appLog := logGunicorn(t, dir)
		addr, access, errs := logNginx(t, dir, app)
		getStatus(t, addr, "/", 200)
		getStatus(t, addr, "/hang", 502)
		judgeLogs(t, "gunicorn-worker-timeout", 1, "--timeout", access, errs, appLog)
	})
	killed := func(t *testing.T, oom bool) {
		dir := shortDir(t)
		_, app, appLog := logGunicorn(t, dir)
		addr, access, errs := logNginx(t, dir, app)
		getStatus(t, addr, "/", 200)
		getStatus(t, addr, "/die", 502)
		files := []string{access, errs, appLog}
		if !oom {
			judgeLogs(t, "gunicorn-worker-killed", 1, "dmesg", files...)
			return
		}
		pid := ""
		eventually(t, "gunicorn noticing the dead worker", func() bool {
			b, _ := os.ReadFile(appLog)
			m := workerPID.FindSubmatch(b)
			if m != nil {
				pid = string(m[1]) + string(m[2])
			}
			return m != nil
		})
		kernel := filepath.Join(dir, "kern.log")
		write(t, kernel, fmt.Sprintf("%s host kernel: [ 4217.331] Out of memory: Killed process %s (gunicorn) total-vm:1854320kB, anon-rss:1520032kB, file-rss:0kB, shmem-rss:0kB, UID:33 pgtables:3320kB oom_score_adj:0\n", time.Now().Format(time.Stamp), pid))
		judgeLogs(t, "oom-kill", 1, "MemoryMax=", append(files, kernel)...)
	}
	t.Run("a worker that was killed", func(t *testing.T) { t.Parallel(); killed(t, false) })
	t.Run("a worker that the kernel killed", func(t *testing.T) { t.Parallel(); killed(t, true) })
	t.Run("slower than proxy_read_timeout", func(t *testing.T) {
		t.Parallel()
		dir := shortDir(t)
		_, app, appLog := logGunicorn(t, dir)
		addr, access, errs := logNginx(t, dir, app)
		getStatus(t, addr, "/slow", 504)
		judgeLogs(t, "nginx-read-timeout", 1, "proxy_read_timeout", access, errs, appLog)
	})
	t.Run("a bug in the application", func(t *testing.T) {
		t.Parallel()
		dir := shortDir(t)
		_, app, appLog := logGunicorn(t, dir)
		addr, access, errs := logNginx(t, dir, app)
		getStatus(t, addr, "/bug", 500)
		judgeLogs(t, "python-exception", 1, "traceback", access, errs, appLog)
	})
	t.Run("an application that was stopped", func(t *testing.T) {
		t.Parallel()
		dir := shortDir(t)
		p, app, appLog := logGunicorn(t, dir)
		addr, access, errs := logNginx(t, dir, app)
		getStatus(t, addr, "/", 200)
		p.stop(t)
		getStatus(t, addr, "/a", 502)
		getStatus(t, addr, "/b", 502)
		judgeLogs(t, "gunicorn-stop", 2, "Restart without a gap", access, errs, appLog)
	})
	t.Run("an upload that is too large", func(t *testing.T) {
		t.Parallel()
		dir := shortDir(t)
		addr, access, errs := logNginx(t, dir, freePort(t))
		res, err := http.Post("http://"+addr+"/upload", "text/plain", strings.NewReader("two"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		want(t, "status", res.StatusCode, 413)
		judgeLogs(t, "nginx-body-big", 1, "client_max_body_size", access, errs)
	})
}

// silent accepts connections, reads what comes and then does what it is told.
func silent(t *testing.T, then func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				if n, _ := c.Read(b); n > 0 {
					then(c)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// hold keeps a connection open until its peer leaves.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestDoctorLogsOfHAProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, backend, id, advice string
		status                    int
	}{
		{"a dead server", freePort(t), "haproxy-refused", "server line", 503},
		{"a slow server", silent(t, hold), "haproxy-timeout", "timeout server", 504},
		{"a server that closes", silent(t, func(net.Conn) {}), "haproxy-closed", "retry-on", 502},
		{"a server that does not speak HTTP", silent(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); hold(c) }), "haproxy-invalid", "show errors", 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, addr := shortDir(t), freePort(t)
			config := filepath.Join(dir, "haproxy.cfg")
			write(t, config, fmt.Sprintf("global\n  log stdout format raw local0\n  maxconn 100\ndefaults\n  mode http\n  log global\n  option httplog\n  retries 0\n  timeout connect 1s\n  timeout client 5s\n  timeout server 1s\nfrontend fe\n  bind %s\n  default_backend be\nbackend be\n  server s1 %s\n", addr, c.backend))
			p := start(t, nil, needs(t, "haproxy", "/usr/sbin/haproxy"), "-db", "-f", config)
			awaitListener(t, p, addr)
			getStatus(t, addr, "/a", c.status)
			getStatus(t, addr, "/b", c.status)
			log := filepath.Join(dir, "haproxy.log")
			eventually(t, "HAProxy writing its log", func() bool { return strings.Count(p.out.all(), "\"GET /") == 2 })
			write(t, log, p.out.all()+"\n")
			judgeLogs(t, c.id, 2, c.advice, log)
		})
	}
}

func TestDoctorLogsOfApache(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, backend, id, advice string
		status                    int
	}{
		{"a dead backend", freePort(t), "apache-refused", "retry=", 503},
		{"a slow backend", silent(t, hold), "apache-timeout", "ProxyTimeout", 502},
		{"a backend that closes", silent(t, func(net.Conn) {}), "apache-closed", "ttl=", 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, addr := shortDir(t), freePort(t)
			config := filepath.Join(dir, "httpd.conf")
			var modules strings.Builder
			for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http"} {
				fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
			}
			write(t, config, fmt.Sprintf(`%sServerRoot %[2]s
PidFile %[2]s/pid
DefaultRuntimeDir %[2]s
Mutex file:%[2]s default
Listen %[3]s
ServerName localhost
ErrorLog %[2]s/error.log
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
CustomLog %[2]s/access.log combined
ProxyTimeout 1
ProxyPass / http://%[4]s/ retry=0
`, modules.String(), dir, addr, c.backend))
			awaitListener(t, start(t, nil, needs(t, "/usr/sbin/apache2", "apache2"), "-DFOREGROUND", "-f", config), addr)
			getStatus(t, addr, "/a", c.status)
			getStatus(t, addr, "/b", c.status)
			judgeLogs(t, c.id, 2, c.advice, filepath.Join(dir, "access.log"), filepath.Join(dir, "error.log"))
		})
	}
}
