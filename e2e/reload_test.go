package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func (g *gateway) generation(t *testing.T) int {
	t.Helper()
	return int(g.metric(t, "causeway_config_generation"))
}

// awaitGeneration waits until a configuration with that number, or a later one, is in force.
func (g *gateway) awaitGeneration(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprint("configuration ", n, " is in force"), func() bool { return g.generation(t) >= n })
}

// readiness is GET /readyz.
func (g *gateway) readiness(t *testing.T) (status int, r struct {
	Ready         bool
	Reasons       []string
	Configuration struct {
		Generation  int
		Hash, Error string
	}
},
) {
	t.Helper()
	a := fetch(t, client(t), "GET", g.Console+"/readyz", nil)
	decode(t, a.body, &r)
	return a.status, r
}

// Twenty reloads, by SIGHUP and by change alone, each with other routes, targets and limits, while
// several hundred calls a second come in: none is dropped.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 3)
	release := f[2].hold() // for the calls that are in flight over all reloads
	u := startGo(t)
	config := func(n int) string {
		targets := farm{f[n%2]}.targets() // the other's connections end with each reload
		if n%3 == 0 {
			targets = f[:2].targets(1+n, 1)
		}
		return "version: 1\n" + fmt.Sprintf("server: {max_header: %dKiB}\n", 16+n) + "services:\n" +
			openService("steady", fmt.Sprintf("targets: %s, balance: %s, timeouts: {first_byte: %ds}", targets, []string{"round_robin", "least_busy", "random_two"}[n%3], 30+n)) +
			openService("held", "targets: "+f[2:].targets()) +
			fmt.Sprintf("  go:\n    access: open\n    routes: [{path: /go/*, strip_prefix: true}]\n    upstream: {targets: [{url: %q}]}\n", u.URL) +
			fmt.Sprintf("  now:\n    access: open\n    routes: [{path: /now/%d}]\n    upstream: {targets: %s}\n", n, f[:1].targets())
	}
	g := serve(t, config(1))

	var held sync.WaitGroup
	for range 5 {
		held.Go(func() {
			if a, err := try(t.Context(), client(t), "GET", g.URL+"/held/x", nil); err != nil || string(a.body) != "c" {
				t.Errorf("a call over all reloads: %v %+v", err, a)
			}
		})
	}
	eventually(t, "they are at the target", func() bool { return f[2].waiting.Load() == 5 })

	ctx, stop := context.WithCancel(t.Context())
	var made, dropped atomic.Int64
	var load sync.WaitGroup
	body := strings.Repeat("0123456789", 2000)
	for w := range 8 {
		load.Go(func() {
			c := client(t)
			tick := time.NewTicker(12 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				<-tick.C
				var a *answer
				var err error
				good := false
				switch (i + w) % 3 {
				case 0:
					a, err = try(t.Context(), c, "POST", g.URL+"/go/echo", strings.NewReader(body))
					good = err == nil && a.status == 200 && string(a.body) == body
				case 1:
					a, err = try(t.Context(), c, "POST", g.URL+"/go/echo", io.MultiReader(strings.NewReader(body), strings.NewReader(body))) // chunked
					good = err == nil && a.status == 200 && string(a.body) == body+body
				default:
					a, err = try(t.Context(), c, "GET", g.URL+"/steady/x", nil)
					good = err == nil && a.status == 200 && (string(a.body) == "a" || string(a.body) == "b")
				}
				made.Add(1)
				if !good && dropped.Add(1) <= 5 {
					t.Errorf("call %d of worker %d: %v %+v", i, w, err, a)
				}
			}
		})
	}
	c := client(t)
	begun := time.Now()
	for n := 2; n <= 21; n++ {
		before := g.generation(t)
		g.configure(t, config(n))
		if n%5 != 0 {
			g.signal(t, syscall.SIGHUP)
		}
		g.awaitGeneration(t, before+1)
		want(t, fmt.Sprint("a new route after reload ", n), fetch(t, c, "GET", g.URL+fmt.Sprint("/now/", n), nil).status, 200)
		want(t, fmt.Sprint("the old route after reload ", n), fetch(t, c, "GET", g.URL+fmt.Sprint("/now/", n-1), nil).line, "404 Not Found (route_not_found)")
		time.Sleep(60 * time.Millisecond) // calls on this configuration
	}
	took := time.Since(begun)
	stop()
	load.Wait()
	release()
	held.Wait()
	t.Logf("%d calls in %v, %d dropped", made.Load(), took.Round(time.Millisecond), dropped.Load())
	if rate := float64(made.Load()) / took.Seconds(); rate < 200 {
		t.Logf("only %.0f calls a second: the machine is busy", rate)
	}
	want(t, "calls dropped", dropped.Load(), 0)
	want(t, "reloads that failed", g.metric(t, "causeway_config_reload_failures_total"), 0.0)
	want(t, "the last reload was good", g.metric(t, "causeway_config_last_reload_successful"), 1.0)
}

// A file that has not changed is put in force once more by SIGHUP, and by nothing else.
func TestReloadsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	config := "version: 1\n" + tlsConfig(newCertificate(t, "one.test")) + "services:\n" + openService("s", "targets: "+f.targets())
	g := serve(t, config)
	quiet := func(generation int) {
		t.Helper()
		g.awaitGeneration(t, generation)
		time.Sleep(1100 * time.Millisecond) // files are looked at twice in this time
		want(t, "generation when nothing has happened", g.generation(t), generation)
	}
	quiet(1)
	g.configure(t, strings.Replace(config, "/s/*", "/t/*", 1))
	quiet(2)
	g.signal(t, syscall.SIGHUP)
	quiet(3)
}

func TestInvalidFileChangesNothing(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	good := "version: 1\nservices:\n" + openService("s", "targets: "+f.targets())
	g := serve(t, good, withArgs("--log", "json"))
	c := client(t)
	_, before := g.readiness(t)
	want(t, "the metric at the start", g.metric(t, "causeway_config_last_reload_successful"), 1.0)
	want(t, "the error at the start", before.Configuration.Error, "")
	for i, k := range []struct{ name, config, says string }{
		{"unknown key", strings.Replace(good, "routes:", "rotues:", 1), ":5:"},
		{"no YAML", "version: 1\nservices: [", g.File + ":"},
		{"variable that is missing", good + "applications:\n  web: {keys: [\"${E2E_NO_SUCH_VARIABLE}\"], subscribes: [s]}\n", "E2E_NO_SUCH_VARIABLE"},
		{"two routes that can't be told apart", good + openService("t", "targets: "+f.targets()) + strings.Replace(openService("u", "targets: "+f.targets()), "/u/*", "/t/*", 1), "/t/*"},
		{"certificate that is missing", "server: {tls: [{cert_file: missing.pem, key_file: missing.key}]}\n" + good, "missing.pem"},
		{"empty", "", "version"},
	} {
		failures := g.metric(t, "causeway_config_reload_failures_total")
		g.configure(t, k.config)
		if i%2 == 1 {
			g.signal(t, syscall.SIGHUP)
		}
		eventually(t, k.name+" is counted and told", func() bool {
			_, r := g.readiness(t)
			return g.metric(t, "causeway_config_reload_failures_total") > failures && strings.Contains(r.Configuration.Error, k.says)
		})
		want(t, k.name+": metric", g.metric(t, "causeway_config_last_reload_successful"), 0.0)
		status, r := g.readiness(t)
		want(t, k.name+": /readyz", status, 200) // what was in force serves
		want(t, k.name+": hash in force", r.Configuration.Hash, before.Configuration.Hash)
		want(t, k.name+": generation in force", r.Configuration.Generation, 1)
		if _, ok := g.errs.find(patience, func(line string) bool {
			return strings.Contains(line, `"level":"ERROR"`) && strings.Contains(line, "the configuration was not changed") && strings.Contains(line, g.File) && strings.Contains(line, k.says)
		}); !ok {
			t.Errorf("%s: no line says it: %s", k.name, g.errs.all())
		}
		want(t, k.name+": a call", who(t, c, g.URL+"/s/x"), "a")
	}
	// A file that is gone changes nothing either.
	if err := os.Remove(g.File); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing file is reported", func() bool {
		_, r := g.readiness(t)
		return strings.Contains(r.Configuration.Error, "no such file")
	})
	want(t, "a call without a file", who(t, c, g.URL+"/s/x"), "a")

	g.configure(t, strings.Replace(good, "/s/*", "/again/*", 1))
	g.awaitGeneration(t, 2)
	_, r := g.readiness(t)
	want(t, "the error once the file is good again", r.Configuration.Error, "")
	want(t, "the metric", g.metric(t, "causeway_config_last_reload_successful"), 1.0)
	if r.Configuration.Hash == before.Configuration.Hash {
		t.Error("the hash has not changed with the file")
	}
	want(t, "the new route", who(t, c, g.URL+"/again/x"), "a")
}

// certificate is a certificate and its key in two files.
type certificate struct {
	certFile, keyFile string
	leaf              *x509.Certificate
	pool              *x509.CertPool
}

func newCertificate(t *testing.T, names ...string) *certificate {
	t.Helper()
	dir := shortDir(t)
	c := &certificate{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem")}
	c.renew(t, names...)
	return c
}

// renew writes another certificate to the same files: the key first, as a careless tool does.
func (c *certificate) renew(t *testing.T, names ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if c.leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.pool = x509.NewCertPool()
	c.pool.AddCert(c.leaf)
	for _, f := range []struct {
		path, kind string
		der        []byte
	}{{c.keyFile, "EC PRIVATE KEY", keyDER}, {c.certFile, "CERTIFICATE", der}} {
		if err := os.WriteFile(f.path+".next", pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f.path+".next", f.path); err != nil {
			t.Fatal(err)
		}
	}
}

func tlsConfig(list ...*certificate) string {
	var lines []string
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("{cert_file: %q, key_file: %q}", c.certFile, c.keyFile))
	}
	return "server: {tls: [" + strings.Join(lines, ", ") + "]}\n"
}

// shown is the certificate that the gateway shows to whoever asks for a name.
func shown(t *testing.T, addr, name string) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("asking for %q: %v", name, err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	one, two := newCertificate(t, "one.test", "*.one.test"), newCertificate(t, "two.test")
	g := serve(t, "version: 1\n"+tlsConfig(one, two)+"services:\n"+openService("s", "targets: "+f.targets()))
	if !strings.HasPrefix(g.URL, "https://") {
		t.Errorf("the ready line says %s", g.URL)
	}
	serial := func(c *x509.Certificate) string { return c.SerialNumber.String() }
	for name, cert := range map[string]*certificate{"one.test": one, "a.one.test": one, "two.test": two, "ONE.test": one, "other.test": one, "": one} {
		want(t, "the certificate for "+name, serial(shown(t, g.Addr, name)), serial(cert.leaf))
	}

	// A connection that stands goes on over the change, and a session of before cannot bring the old
	// certificate back.
	sessions := tls.NewLRUClientSessionCache(8)
	old, err := tls.Dial("tcp", g.Addr, &tls.Config{ServerName: "two.test", RootCAs: two.pool, ClientSessionCache: sessions})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	stands := &caller{Conn: old, br: bufio.NewReader(old)}
	ask := func(what string) {
		t.Helper()
		stands.send(t, "GET /s/x HTTP/1.1\r\nHost: two.test\r\n\r\n")
		want(t, what, string(stands.read(t, "GET").body), "a")
	}
	ask("a call before the change")
	was := serial(two.leaf)
	two.renew(t, "two.test")
	eventually(t, "new handshakes see the new certificate", func() bool { return serial(shown(t, g.Addr, "two.test")) == serial(two.leaf) })
	want(t, "the other certificate", serial(shown(t, g.Addr, "one.test")), serial(one.leaf))
	ask("a call on the old connection")
	want(t, "its certificate", serial(old.ConnectionState().PeerCertificates[0]), was)
	again, err := tls.Dial("tcp", g.Addr, &tls.Config{ServerName: "two.test", RootCAs: two.pool, ClientSessionCache: sessions})
	if err != nil {
		t.Fatalf("a handshake with a session of before: %v", err)
	}
	want(t, "the certificate in it", serial(again.ConnectionState().PeerCertificates[0]), serial(two.leaf))
	again.Close()

	// A file that holds no certificate changes nothing.
	failures := g.metric(t, "causeway_certificate_reload_failures_total")
	if err := os.WriteFile(one.certFile, []byte("this is no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the broken file is reported", func() bool {
		return g.metric(t, "causeway_certificate_reload_failures_total") > failures
	})
	want(t, "the configuration's own metric", g.metric(t, "causeway_config_last_reload_successful"), 1.0)
	want(t, "the certificate in force", serial(shown(t, g.Addr, "one.test")), serial(one.leaf))
	one.renew(t, "one.test")
	eventually(t, "its successor is in force", func() bool { return serial(shown(t, g.Addr, "one.test")) == serial(one.leaf) })

	r := command(t, "", needs(t, "curl"), "-sS", "--cacert", one.certFile, "--resolve", "one.test:"+portOf(g.URL)+":127.0.0.1", "https://one.test:"+portOf(g.URL)+"/s/x")
	want(t, "curl with the certificate", r.out+r.err, "a")
}

func TestMaxHeaderChanges(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	config := func(size string) string {
		return "version: 1\nserver: {max_header: " + size + "}\nservices:\n" + openService("s", "targets: "+f.targets())
	}
	g := serve(t, config("16KiB"))
	ask := func(c *caller, size int) string {
		t.Helper()
		c.send(t, "GET /s/x HTTP/1.1\r\nHost: h\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", size))
		return c.read(t, "GET").line
	}
	const good, large = "200 OK", "431 Request Header Fields Too Large (request_header_too_large)"
	old := dial(t, g.Addr)
	want(t, "a large header", ask(old, 8<<10), good)
	want(t, "one above the limit", ask(dial(t, g.Addr), 17<<10), large)
	g.configure(t, config("2KiB"))
	g.awaitGeneration(t, 2)
	want(t, "on a new connection after the limit was lowered", ask(dial(t, g.Addr), 8<<10), large)
	want(t, "a small one", ask(dial(t, g.Addr), 1<<10), good)
	want(t, "on the connection that stood before", ask(old, 8<<10), good)
	g.configure(t, config("64KiB"))
	g.awaitGeneration(t, 3)
	want(t, "on a new connection after the limit was raised", ask(dial(t, g.Addr), 40<<10), good)
}

// SIGTERM lets calls in flight end, whatever they are doing, and begins no more.
func TestDrain(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	u := startGo(t)
	g := restGateway(t, "", map[string]string{"row": f[0].URL, "go": u.URL})
	release := f[0].hold()
	idle := dial(t, g.Addr)
	idle.send(t, "GET /go/echo HTTP/1.1\r\nHost: h\r\n\r\n")
	want(t, "a call before", idle.read(t, "GET").status, 200)

	waiting := dial(t, g.Addr) // for its first byte
	waiting.send(t, "GET /row/x HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "the call is at the target", func() bool { return f[0].waiting.Load() == 1 })
	stream, err := client(t).Get(g.URL + "/go/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	events := bufio.NewReader(stream.Body)
	u.events <- struct{}{}
	if line, err := events.ReadString('\n'); err != nil || line != "data: event 0\n" {
		t.Fatalf("%q, %v", line, err)
	}
	upload := dial(t, g.Addr) // in the middle of its body
	upload.send(t, "POST /go/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n%s", strings.Repeat("x", 100000))
	eventually(t, "the upload has begun", func() bool { return g.metric(t, "causeway_calls_in_flight") == 3 })

	g.signal(t, syscall.SIGTERM)
	eventually(t, "no new connection is accepted", func() bool {
		conn, err := net.Dial("tcp", g.Addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if _, err := idle.br.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection ends with %v", err)
	}
	status, r := g.readiness(t)
	want(t, "/readyz while draining", status, 503)
	contains(t, "its reasons", strings.Join(r.Reasons, "; "), "shutting down")

	upload.send(t, "%s", strings.Repeat("x", 100000))
	a, closes := upload.readLast(t, "POST")
	want(t, "the upload's answer", a.status, 200)
	contains(t, "what the upstream got", string(a.body), "200000 ")
	want(t, "it says that the connection ends", closes, true)
	u.events <- struct{}{}
	close(u.events)
	rest, err := io.ReadAll(events)
	if err != nil || !bytes.Contains(rest, []byte("data: event 1\n")) {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	select {
	case <-g.done:
		t.Fatal("the gateway has ended with a call in flight")
	default:
	}
	release()
	b := waiting.read(t, "GET")
	want(t, "the answer of the call that was waiting", fmt.Sprint(b.status, " ", string(b.body)), "200 a")
	want(t, "exit code", g.wait(t, patience), 0)
	for what, id := range map[string]string{"the upload": a.id, "the stream": stream.Header.Get("Causeway-Call-Id"), "the call that was waiting": b.id} {
		r := causeway(t, "explain", id, "--data", g.Data)
		want(t, "exit code of explain for "+what, r.code, 0)
		contains(t, what, r.out, id, "200")
	}
}

// Calls that do not end in time are told why, and the gateway ends.
func TestDrainHasALimit(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	g := serve(t, "version: 1\nserver: {drain: 400ms}\nservices:\n"+openService("s", "targets: "+f.targets()))
	defer f[0].hold()()
	c := dial(t, g.Addr)
	c.send(t, "GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "the call is at the target", func() bool { return f[0].waiting.Load() == 1 })
	begun := time.Now()
	g.signal(t, syscall.SIGTERM)
	a := c.read(t, "GET")
	took := time.Since(begun)
	want(t, "the answer", a.line, "503 Service Unavailable (gateway_draining)")
	if took < 400*time.Millisecond || took > 400*time.Millisecond+atOnce {
		t.Errorf("it came after %v, server.drain is 400ms", took)
	}
	want(t, "exit code", g.wait(t, patience), 0)
	r := causeway(t, "explain", a.id, "--data", g.Data)
	contains(t, "the call in the log", r.out, a.id, "gateway_draining")
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	g := serve(t, "version: 1\nservices:\n"+openService("s", "targets: "+f.targets()))
	defer f[0].hold()()
	c := dial(t, g.Addr)
	c.send(t, "GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "the call is at the target", func() bool { return f[0].waiting.Load() == 1 })
	g.signal(t, syscall.SIGTERM)
	eventually(t, "the gateway drains", func() bool {
		status, _ := g.readiness(t)
		return status == 503
	})
	select {
	case <-g.done:
		t.Fatal("the first signal ended it")
	case <-time.After(200 * time.Millisecond):
	}
	begun := time.Now()
	g.signal(t, syscall.SIGTERM)
	a := c.read(t, "GET")
	want(t, "the answer", a.line, "503 Service Unavailable (gateway_draining)")
	g.wait(t, patience)
	if took := time.Since(begun); took > 2*atOnce { // server.drain is 30 s
		t.Errorf("the second signal took %v", took)
	}
	contains(t, "the call in the log", causeway(t, "explain", a.id, "--data", g.Data).out, "gateway_draining")
}

func TestInterruptIsLikeSIGTERM(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	g.signal(t, os.Interrupt)
	want(t, "exit code", g.wait(t, patience), 0)
	if took := time.Since(g.begun); took > patience {
		t.Errorf("it took %v", took)
	}
	// A gateway that ended so starts again on its data.
	again := serve(t, "", inData(g.Data))
	want(t, "an answer", fetch(t, client(t), "GET", again.URL+"/nowhere", nil).status, http.StatusNotFound)
}
