package gateway

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/cache"
	"causeway/internal/fault"
	"causeway/internal/snapshot"
)

const cacheConfig = `
version: 1
services:
  open:
    access: open
    routes: [{path: "/open/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}, timeouts: {first_byte: 2s}}
    policies: {cache: {ttl: 1m, max_size: 1KiB}}
  keyed:
    routes: [{path: "/keyed/*"}]
    upstream: {targets: [{url: "http://UP"}]}
    policies: {cache: {ttl: 1m}}
  shared:
    routes: [{path: "/shared/*"}]
    upstream: {targets: [{url: "http://UP"}]}
    policies: {cache: {ttl: 1m, shared: true}}
  stale:
    access: open
    routes: [{path: "/stale/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {max: 0}, timeouts: {first_byte: 2s}}
    policies: {cache: {ttl: 1ms, stale_if_error: 1h}}
applications:
  web: {keys: [KEY], subscribes: [keyed, shared]}
  app: {keys: [app-0123456789abcdef], subscribes: [keyed, shared]}
`

// counted answers with the number of the request in the body, and with fields.
func counted(fields ...string) func(int, *got) string {
	return func(n int, _ *got) string {
		body := fmt.Sprintf("answer %d", n)
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body), strings.Join(append(fields, ""), "\r\n"), body)
	}
}

func TestAnAnswerIsKeptAndGivenAgain(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	up.acts(counted(`ETag: "v1"`, "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT", "Content-Type: text/plain", "X-Own: yes", "Connection: X-Hop", "X-Hop: 1"))
	first := r.call(t, get("/open/a?x=1"))
	if first.body != "answer 1" || first.header.Get("Cache-Status") != "causeway; fwd=uri-miss; stored" {
		t.Fatal(first.whole())
	}
	if j := r.record(t, first); !strings.HasPrefix(j.Cache, "stored (for ") {
		t.Errorf("record: %q", j.Cache)
	}
	second := r.call(t, get("/open/a?x=1"))
	if second.status != 200 || second.body != "answer 1" || second.header.Get("X-Own") != "yes" || second.header.Get("X-Hop") != "" || second.header.Get("Age") != "0" ||
		second.header.Get("Content-Type") != "text/plain" || !strings.HasPrefix(second.header.Get("Cache-Status"), "causeway; hit; ttl=5") ||
		second.header.Get("Causeway-Call-Id") == first.header.Get("Causeway-Call-Id") || second.header.Get("Causeway-Attempts") != "" {
		t.Error(second.whole())
	}
	if j := r.record(t, second); !strings.HasPrefix(j.Cache, "hit (") || len(j.Attempts) != 0 || j.Status != 200 || j.BytesOut != 8 {
		t.Errorf("record: %q, %d attempts, %d bytes", j.Cache, len(j.Attempts), j.BytesOut)
	}
	for name, c := range map[string]struct {
		request string
		status  int
		body    string
	}{
		"another query":         {get("/open/a?x=2"), 200, "answer 2"},
		"HEAD":                  {strings.Replace(get("/open/a?x=1"), "GET", "HEAD", 1), 200, ""},
		"its tag":               {get("/open/a?x=1", `If-None-Match: "v1"`), 304, ""},
		"not changed since":     {get("/open/a?x=1", "If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT"), 304, ""},
		"another tag":           {get("/open/a?x=1", `If-None-Match: "v0"`), 200, "answer 1"},
		"old enough for a call": {get("/open/a?x=1", "Cache-Control: max-age=100"), 200, "answer 1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.call(t, c.request)
			if a.status != c.status || a.body != c.body {
				t.Error(a.whole())
			}
			if a.status == 304 && (a.header.Get("ETag") != `"v1"` || a.header.Get("Content-Type") != "" || a.header.Get("Age") == "") {
				t.Error(a.whole())
			}
		})
	}
	eventually(t, "the calls to be counted", func() bool {
		f := r.gateway.cache.Figures().Calls[cache.Name{Service: "open"}]
		return f[cache.Stored] == 2 && f[cache.Hit] == 6 && f[cache.Miss] == 0
	})
}

func TestWhatIsNotKept(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	for name, c := range map[string]struct {
		request string
		answer  func(int, *got) string
		record  string
	}{
		"no-store in the call":     {get("/open/P", "Cache-Control: no-store"), counted(), "bypass (the call says no-store)"},
		"a part is asked for":      {get("/open/P", "Range: bytes=0-1"), counted(), "bypass (the call has Range)"},
		"another method":           {"POST /open/P HTTP/1.1\nHost: h\nContent-Length: 0\n\n", counted(), "bypass (POST)"},
		"a GET with a body":        {"GET /open/P HTTP/1.1\nHost: h\nContent-Length: 1\n\nx", counted(), "bypass (the call has a body)"},
		"no-store":                 {get("/open/P"), counted("Cache-Control: no-store"), "miss (the answer says no-store)"},
		"private":                  {get("/open/P"), counted("Cache-Control: private, max-age=60"), "miss (the answer says private)"},
		"a cookie":                 {get("/open/P"), counted("Set-Cookie: a=b"), "miss (the answer sets a cookie)"},
		"credentials":              {get("/open/P", "Authorization: Basic eHg="), counted(), "miss (the call carried credentials to the upstream, and the answer is not said to be public)"},
		"a cookie of the caller's": {get("/open/P", "Cookie: session=1"), counted("Cache-Control: max-age=60"), "miss (the call carried credentials to the upstream, and the answer is not said to be public)"},
		"too large":                {get("/open/P"), func(int, *got) string { return reply(200, strings.Repeat("x", 1025)) }, "miss (the answer is larger than max_size)"},
		"too large in chunks": {get("/open/P"), func(int, *got) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n" + strings.Repeat("x", 1025) + "\r\n0\r\n\r\n"
		}, "miss (the answer is larger than max_size)"},
		"a failure":       {get("/open/P"), func(int, *got) string { return reply(500, "broken") }, "miss (answers of status 500 are not kept)"},
		"until it closes": {get("/open/P"), func(int, *got) string { return "HTTP/1.1 200 OK\r\n\r\nall" + closeAfter }, "miss (the answer ends with its connection, so that nobody knows whether it is whole)"},
		"HEAD":            {strings.Replace(get("/open/P"), "GET", "HEAD", 1), func(int, *got) string { return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" }, "miss"},
		"behind a trailer": {get("/open/P"), func(int, *got) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n1\r\nx\r\n0\r\nX-T: 1\r\n\r\n"
		}, "miss (the answer has a trailer)"},
		"varies by everything": {get("/open/P"), counted("Vary: *"), "miss (the answer says Vary: *)"},
	} {
		t.Run(name, func(t *testing.T) {
			up.acts(c.answer)
			request := strings.Replace(c.request, "/P", "/"+strings.ReplaceAll(name, " ", "-"), 1)
			for n := range 2 {
				a := r.call(t, request)
				if strings.Contains(a.header.Get("Cache-Status"), "hit") {
					t.Errorf("call %d: %s", n+1, a.whole())
				}
				if j := r.record(t, a); j.Cache != c.record {
					t.Errorf("call %d: %q", n+1, j.Cache)
				}
			}
			if n := len(up.got()); n != 2 {
				t.Errorf("%d calls reached the upstream", n)
			}
		})
	}
}

func TestABrokenAnswerIsNeverKept(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	for name, broken := range map[string]string{
		"of a declared length": "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf" + closeAfter,
		"in chunks":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n" + closeAfter,
	} {
		t.Run(name, func(t *testing.T) {
			path := "/open/" + strings.ReplaceAll(name, " ", "-")
			up.acts(func(n int, rq *got) string {
				if n == 1 {
					return broken
				}
				return counted()(n, rq)
			})
			if a := r.call(t, get(path)); a.err == nil && a.status == 200 {
				t.Error("the first answer is whole: ", a.whole())
			}
			if a := r.call(t, get(path)); a.body != "answer 2" || a.err != nil {
				t.Error(a.whole())
			}
			if a := r.call(t, get(path)); a.body != "answer 2" || len(up.got()) != 2 {
				t.Error(a.whole())
			}
		})
	}
}

func TestApplicationsDoNotSeeEachOthersAnswers(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	up.acts(counted("Cache-Control: public, max-age=60"))
	web, app := "apikey: "+key, "apikey: app-0123456789abcdef"
	for i, step := range []struct{ path, who, want string }{
		{"/keyed/a", web, "answer 1"},
		{"/keyed/a", app, "answer 2"},
		{"/keyed/a", web, "answer 1"},
		{"/keyed/a", app, "answer 2"},
		{"/shared/a", web, "answer 3"},
		{"/shared/a", app, "answer 3"},
	} {
		if a := r.call(t, get(step.path, step.who)); a.body != step.want {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
	}
}

func TestAnswersThatVary(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	up.acts(counted("Vary: Accept-Language"))
	for i, step := range []struct{ language, want, status string }{
		{"de", "answer 1", "uri-miss"}, {"fr", "answer 2", "vary-miss"}, {"de", "answer 1", "hit"}, {"fr", "answer 2", "hit"}, {"", "answer 3", "vary-miss"}, {"", "answer 3", "hit"},
	} {
		lines := []string{}
		if step.language != "" {
			lines = append(lines, "Accept-Language: "+step.language)
		}
		if a := r.call(t, get("/open/v", lines...)); a.body != step.want || !strings.Contains(a.header.Get("Cache-Status"), step.status) {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
	}
	// A coding that the upstream chose is not given to who did not ask for it, although the answer does not say Vary.
	up.acts(func(n int, rq *got) string {
		if strings.Contains(rq.head, "gzip") {
			return counted("Content-Encoding: gzip")(n, rq)
		}
		return counted()(n, rq)
	})
	if a := r.call(t, get("/open/z", "Accept-Encoding: gzip")); a.body != "answer 1" {
		t.Error(a.whole())
	}
	if a := r.call(t, get("/open/z")); a.body != "answer 2" || a.header.Get("Content-Encoding") != "" {
		t.Error(a.whole())
	}
}

func TestAMethodThatChangesMakesWhatIsKeptOld(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	up.acts(func(n int, rq *got) string {
		if strings.HasPrefix(rq.head, "DELETE") {
			return reply(409, "no")
		}
		return counted("Cache-Control: public, max-age=60")(n, rq)
	})
	web, app := "apikey: "+key, "apikey: app-0123456789abcdef"
	r.call(t, get("/keyed/a", web))
	r.call(t, get("/keyed/a", app))
	r.call(t, "DELETE /keyed/a HTTP/1.1\nHost: h\n"+web+"\n\n")
	if a := r.call(t, get("/keyed/a", web)); a.body != "answer 1" {
		t.Errorf("after a method that failed: %s", a.whole())
	}
	r.call(t, "PUT /keyed/a HTTP/1.1\nHost: h\n"+web+"\nContent-Length: 1\n\nx")
	if a := r.call(t, get("/keyed/a", web)); a.body != "answer 5" {
		t.Errorf("after a method that worked: %s", a.whole())
	}
	if a := r.call(t, get("/keyed/a", app)); a.body != "answer 6" {
		t.Errorf("another application after it: %s", a.whole())
	}
}

func TestAnAnswerThatWasUnderWayWhenTheAddressChangedIsNotFound(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	asked, goOn := make(chan struct{}), make(chan struct{})
	up.acts(func(n int, rq *got) string {
		if n == 1 {
			close(asked)
			<-goOn
		}
		return counted()(n, rq)
	})
	var slow sync.WaitGroup
	slow.Go(func() {
		if a := r.call(t, get("/open/r")); a.body != "answer 1" {
			t.Error(a.whole())
		}
	})
	<-asked
	r.call(t, "PUT /open/r HTTP/1.1\nHost: h\nContent-Length: 1\n\nx")
	close(goOn)
	slow.Wait()
	if a := r.call(t, get("/open/r")); a.body != "answer 3" {
		t.Errorf("what was read before the change is given: %s", a.whole())
	}
}

func TestACallCanAskForAFreshAnswer(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	up.acts(counted())
	for i, step := range []struct{ line, want string }{
		{"", "answer 1"},
		{"Cache-Control: no-cache", "answer 2"},
		{"", "answer 2"},
		{"Pragma: no-cache", "answer 3"},
		{"Cache-Control: min-fresh=3600", "answer 4"},
		{"Cache-Control: no-store", "answer 5"},
		{"", "answer 4"},
	} {
		a := r.call(t, strings.Replace(get("/open/f", step.line), "\n\n\n", "\n\n", 1))
		if a.body != step.want {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
	}
}

func TestWhatIsOldServesWhileTheUpstreamFails(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, cacheConfig, up))
	up.acts(counted("Content-Type: text/plain"))
	if a := r.call(t, get("/stale/a")); a.body != "answer 1" {
		t.Fatal(a.whole())
	}
	old := func(t *testing.T, kind fault.Kind, status string) {
		t.Helper()
		eventually(t, "the answer to be old", func() bool { // a millisecond passes
			a := r.call(t, get("/stale/a"))
			if a.status != 200 || a.body != "answer 1" {
				t.Fatal(a.whole())
			}
			if strings.Contains(a.header.Get("Cache-Status"), "hit") {
				return false
			}
			if s := a.header.Get("Cache-Status"); !strings.HasPrefix(s, status) || !strings.HasSuffix(s, "detail=stale-if-error") || a.header.Get("Causeway-Finding") != string(kind) {
				t.Errorf("%s", a.whole())
			}
			j := r.record(t, a)
			if !strings.HasPrefix(j.Cache, "stale (") || j.Finding == nil || j.Finding.Kind != kind || j.Status != 200 {
				t.Errorf("record: %q, %+v", j.Cache, j.Finding)
			}
			return true
		})
	}
	t.Run("an answer of 503", func(t *testing.T) {
		up.acts(func(int, *got) string { return reply(503, "down") })
		old(t, fault.UpstreamUnavailable, "causeway; fwd=stale; fwd-status=503; ttl=")
	})
	t.Run("a client's error is an answer", func(t *testing.T) {
		up.acts(func(int, *got) string { return reply(400, "yours") })
		eventually(t, "the answer to be old", func() bool { return r.call(t, get("/stale/a")).status == 400 })
	})
	t.Run("nobody there", func(t *testing.T) {
		up.stop()
		old(t, fault.ConnectionRefused, "causeway; fwd=stale; ttl=")
	})
}

func TestACacheThatCannotBeReachedFailsNoCall(t *testing.T) {
	up := newOrigin(t)
	far, err := cache.Dial("redis://"+closedPort(t), "x/", 1<<20, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	r := newRigCached(t, fill(t, cacheConfig, up), cache.New(far, cache.Options{}))
	up.acts(counted())
	for n := 1; n <= 2; n++ {
		a := r.call(t, get("/open/x"))
		if a.body != fmt.Sprint("answer ", n) || a.header.Get("Cache-Status") != "causeway; fwd=miss" {
			t.Error(a.whole())
		}
		if j := r.record(t, a); j.Cache != "miss (the cache can't be reached)" {
			t.Errorf("%q", j.Cache)
		}
	}
	if f := r.gateway.cache.Figures(); f.Errors != 1 || !f.Away {
		t.Errorf("%+v", f)
	}
}

func TestTwoGatewaysShareACacheInRedis(t *testing.T) {
	socket := startRedis(t)
	up := newOrigin(t)
	var rigs [2]*rig
	for i := range rigs {
		far, err := cache.Dial("unix://"+socket, "causeway/cache/", 1<<20, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		rigs[i] = newRigCached(t, fill(t, cacheConfig, up), cache.New(far, cache.Options{Within: 5 * time.Second}))
	}
	up.acts(counted("Vary: Accept"))
	for i, step := range []struct {
		rig  int
		call string
		want string
	}{
		{0, get("/open/a", "Accept: a"), "answer 1"},
		{1, get("/open/a", "Accept: a"), "answer 1"},
		{1, get("/open/a", "Accept: b"), "answer 2"},
		{0, get("/open/a", "Accept: b"), "answer 2"},
		{1, "PUT /open/a HTTP/1.1\nHost: h\nContent-Length: 1\n\nx", "answer 3"},
		{0, get("/open/a", "Accept: a"), "answer 4"},
		{0, get("/keyed/a", "apikey: "+key), "answer 5"},
		{1, get("/keyed/a", "apikey: "+key), "answer 5"},
		{1, get("/keyed/a", "apikey: "+appKey), "answer 6"},
	} {
		if a := rigs[step.rig].call(t, step.call); a.body != step.want {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
	}
}

// startRedis runs a server of its own on a socket in a temporary folder.
func startRedis(t *testing.T) (socket string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: scripts/need.sh redis-server")
	}
	dir := t.TempDir()
	socket = filepath.Join(dir, "redis.sock")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "redis-server", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return socket
}

// newRigCached serves a configuration with a cache of its own.
func newRigCached(t *testing.T, config string, answers *cache.Cache) *rig {
	t.Helper()
	return newRigFull(t, config, &memory{}, &sandboxes{}, func(*snapshot.Deps) {}, func(o *Options) { o.Cache = answers })
}
