package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/snapshot"
)

// output gathers what the program prints.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func options(t *testing.T) Options {
	return Options{
		DataDir: shortDir(t), Listen: []string{"127.0.0.1:0"}, Console: "127.0.0.1:0", Version: "test",
		Getenv: func(string) string { return "correct-horse-battery" },
	}
}

// running is a program that runs until stop, or the test's end.
type running struct {
	*App
	out  *output
	end  context.CancelFunc
	done chan error
}

func run(t *testing.T, o Options) *running {
	t.Helper()
	r := &running{out: &output{}, done: make(chan error, 1)}
	o.Stdout = r.out
	var err error
	if r.App, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	r.end = end
	go func() { r.done <- r.Run(ctx, context.Background()) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.end()
	if err := <-r.done; err != nil {
		t.Errorf("stopping: %v", err)
	}
	r.done <- nil // for whoever stops it again
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// fetch makes one call on a connection of its own.
func getPage(t *testing.T, url string, root *x509.CertPool, header ...string) (status int, body string, h http.Header, err error) {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: root, ServerName: "localhost"}}
	res, err := tr.RoundTrip(rq)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header, err
}

func TestFromStartToStop(t *testing.T) {
	o := options(t)
	r := run(t, o)
	eventually(t, "the ready line", func() bool { return strings.Contains(r.out.String(), "ready gateway=http://127.0.0.1:") })
	key, err := os.ReadFile(filepath.Join(o.DataDir, "sandbox.key"))
	if err != nil {
		t.Fatal(err)
	}
	status, body, h, err := getPage(t, r.GatewayURL()+"/v1/models", nil, "Authorization", "Bearer "+strings.TrimSpace(string(key)))
	if err != nil || status != 200 || !strings.Contains(body, `"sandbox/echo"`) {
		t.Errorf("%d %s %v", status, body, err)
	}
	if status, body, _, err := getPage(t, r.ConsoleURL()+"/metrics", nil); err != nil || status != 200 || !strings.Contains(body, "causeway_calls_total") {
		t.Errorf("%d %v", status, err)
	}
	// The folder can be read by others while the program runs, as causeway explain does.
	id, _ := journey.ParseID(h.Get("Causeway-Call-Id"))
	calls, err := OpenCalls(t.Context(), o.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if j, err := calls.Get(t.Context(), id); err != nil || j.Path != "/v1/models" {
		t.Errorf("%+v, %v", j, err)
	}
	if err := calls.Close(); err != nil {
		t.Error(err)
	}
	r.stop(t)
	if _, err := os.Stat(SocketPath(o.DataDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	again := run(t, o)
	if strings.Contains(again.out.String(), "shown this once") {
		t.Error("what is shown once was shown again")
	}
	if _, err := again.ledger.Get(t.Context(), id); err != nil {
		t.Errorf("the call is gone: %v", err)
	}
}

// TestAStartThatFailsLeavesNothing: ports, lock and goroutines (see TestMain) are given back, and the
// error names what is wrong.
func TestAStartThatFailsLeavesNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(o *Options)
		says   string
	}{
		{"the gateway's address in use", func(o *Options) { o.Listen = []string{busy.Addr().String()} }, "--listen " + busy.Addr().String() + ": the address is in use"},
		{"the console's address in use", func(o *Options) { o.Console = busy.Addr().String() }, "--console"},
		{"a data folder that is a file", func(o *Options) { o.DataDir = file }, "--data"},
		{"a data folder that is too deep for its socket", func(o *Options) { o.DataDir = filepath.Join(o.DataDir, strings.Repeat("d", 100)) }, "socket"},
		{"a configuration that is not there", func(o *Options) { o.ConfigFile = file + ".yaml" }, "no such file"},
		{"a configuration that is not one", func(o *Options) { o.ConfigFile = file }, "file:1:1: "},
		{"an open service off loopback", func(o *Options) {
			o.Listen, o.ConfigFile = []string{"0.0.0.0:0"}, write(t, "version: 1\nservices: {s: {access: open, routes: [{path: /s}], upstream: {targets: [{url: \"http://h\"}]}}}\n")
		}, "--allow-open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t)
			c.change(&o)
			a, err := New(t.Context(), o)
			if err == nil {
				_ = a.close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is: %v", err)
			}
			if lock, err := ledger.LockDir(o.DataDir); err == nil {
				_ = lock.Release()
			} else if o.DataDir != file && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is locked: %v", err)
			}
		})
	}
}

func TestTwoProgramsOnOneFolder(t *testing.T) {
	o := options(t)
	run(t, o)
	if a, err := New(t.Context(), o); err == nil {
		_ = a.close()
		t.Error("the second one started")
	} else if !errors.Is(err, ledger.ErrInUse) {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "causeway.yaml")
	overwrite(t, file, text)
	return file
}

func overwrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const open = `
services:
  %s: {access: open, routes: [{path: /%s}], upstream: {targets: [{url: "http://127.0.0.1:1"}], retries: {max: 0}}}
`

func TestReloading(t *testing.T) {
	o := options(t)
	o.ConfigFile = write(t, "version: 1"+fmt.Sprintf(open, "one", "one"))
	r := run(t, o)
	status := func(path string) int {
		code, _, _, err := getPage(t, r.GatewayURL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if status("/one") != 502 || status("/two") != 404 {
		t.Fatal("the first configuration is not in force")
	}
	overwrite(t, o.ConfigFile, "version: 1"+fmt.Sprintf(open, "two", "two"))
	eventually(t, "the second configuration", func() bool { return status("/two") == 502 && status("/one") == 404 })

	overwrite(t, o.ConfigFile, "version: 1\nservicess: {}\n")
	eventually(t, "the fault", func() bool { return r.readiness(t.Context()).ConfigError != "" })
	if text := r.failure(); !strings.Contains(text, "causeway.yaml:2:1") || !strings.Contains(text, "services") {
		t.Errorf("the fault is %s", text)
	}
	if status("/two") != 502 {
		t.Error("a faulty file changed something")
	}
	if _, metrics, _, _ := getPage(t, r.ConsoleURL()+"/metrics", nil); !strings.Contains(metrics, "causeway_config_reload_failures_total 1\n") || !strings.Contains(metrics, "causeway_config_last_reload_successful 0\n") {
		t.Error("the metrics do not tell of one failure")
	}
	overwrite(t, o.ConfigFile, "version: 1"+fmt.Sprintf(open, "three", "three"))
	r.Reload()
	eventually(t, "the third configuration", func() bool { return status("/three") == 502 && r.failure() == "" })
}

// certificate writes a self-signed certificate for localhost; the key can be written later.
func certificate(t *testing.T, file string) (pool *x509.CertPool, writeKey func()) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, file+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return pool, func() {
		overwrite(t, file+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	}
}

// TestACertificateIsReplacedInTwoSteps: between the certificate and its key the old pair serves.
func TestACertificateIsReplacedInTwoSteps(t *testing.T) {
	o := options(t)
	o.ConfigFile = write(t, "version: 1\nserver: {tls: [{cert_file: gw.pem, key_file: gw.key}]}\n")
	file := filepath.Join(filepath.Dir(o.ConfigFile), "gw")
	first, writeKey := certificate(t, file)
	writeKey()
	r := run(t, o)
	if !strings.HasPrefix(r.GatewayURL(), "https://") {
		t.Fatal(r.GatewayURL())
	}
	get := func(root *x509.CertPool) error {
		_, _, _, err := getPage(t, r.GatewayURL()+"/.causeway/failures/", root)
		return err
	}
	if err := get(first); err != nil {
		t.Fatal(err)
	}
	second, writeKey := certificate(t, file)
	eventually(t, "the warning", func() bool { return len(r.certificateWarnings()) == 1 })
	if text := r.certificateWarnings()[0]; !strings.HasPrefix(text, "certificate_not_loaded: ") {
		t.Errorf("the warning is %s", text)
	}
	if err := get(first); err != nil {
		t.Errorf("between the two steps: %v", err)
	}
	writeKey()
	eventually(t, "the second certificate", func() bool { return get(second) == nil && len(r.certificateWarnings()) == 0 })
	if n := r.gateway.Generation().Number; n != 1 || r.failure() != "" {
		t.Errorf("the configuration was compiled again: generation %d, %q", n, r.failure())
	}
}

// TestWhatWasMissingIsFoundLater: a file that a faulty configuration names is not watched, so the
// configuration is read again.
func TestWhatWasMissingIsFoundLater(t *testing.T) {
	o := options(t)
	o.ConfigFile = write(t, "version: 1\n")
	r := run(t, o)
	overwrite(t, o.ConfigFile, "version: 1\nserver: {tls: [{cert_file: late.pem, key_file: late.key}]}\n")
	eventually(t, "the fault", func() bool { return r.failure() != "" })
	root, writeKey := certificate(t, filepath.Join(filepath.Dir(o.ConfigFile), "late"))
	writeKey()
	eventually(t, "the certificate", func() bool {
		_, _, _, err := getPage(t, r.GatewayURL()+"/.causeway/failures/", root)
		return err == nil && r.failure() == ""
	})
	if n := r.gateway.Generation().Number; n != 2 {
		t.Errorf("it took %d generations", n)
	}
}

// TestAConfigurationIsReadOnce also when it names files that the one before did not.
func TestAConfigurationIsReadOnce(t *testing.T) {
	before := map[string]stamp{"config": {size: 1}, "old": {size: 1}}
	seen := earlier(before, map[string]stamp{"config": {size: 2}, "new": {size: 3}})
	if !same(seen, map[string]stamp{"config": {size: 1}, "new": {size: 3}}) {
		t.Errorf("%v", seen)
	}
}

func TestTheSandboxStartsEachFaultOnce(t *testing.T) {
	r := run(t, options(t))
	ask := func(model string) (*snapshot.Upstream, fault.Kind) {
		up, kind, _ := r.sandbox.Upstream(model, false)
		return up, kind
	}
	var wg sync.WaitGroup
	ups := make([]*snapshot.Upstream, 8)
	for i := range ups {
		wg.Go(func() { ups[i], _ = ask("fault-connection_refused") })
	}
	wg.Wait()
	for _, up := range ups {
		if up == nil || up != ups[0] {
			t.Fatal("it was started more than once, or not at all")
		}
	}
	if up, kind := ask("fault-no_slot"); up != nil || kind != fault.NoSlot {
		t.Errorf("a fault that no upstream has: %v, %s", up, kind)
	}
	if up, kind := ask("fault-nonsense"); up != nil || kind != fault.ModelNotFound {
		t.Errorf("a fault that is none: %v, %s", up, kind)
	}
	if up, kind := ask("echo"); up != nil || kind != "" {
		t.Errorf("no fault: %v, %s", up, kind)
	}
}

// TestASecondSignalEndsAtOnce: a call that would hold the drain is cut.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	o := options(t)
	o.ConfigFile = write(t, "version: 1\nservices: {s: {access: open, routes: [{path: /s}], upstream: {targets: [{url: \"http://"+silent.Addr().String()+"\"}]}}}\n")
	o.Stdout = io.Discard
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	drain, stop := context.WithCancel(context.Background())
	now, stopNow := context.WithCancel(context.Background())
	defer stopNow()
	done := make(chan error, 1)
	go func() { done <- a.Run(drain, now) }()
	answered := make(chan string, 1)
	go func() {
		status, body, _, err := getPage(t, a.GatewayURL()+"/s", nil)
		answered <- fmt.Sprint(status, body, err)
	}()
	eventually(t, "the call", func() bool { return a.gateway.InFlight() == 1 })
	stop()
	eventually(t, "the drain", a.gateway.Draining)
	if ready := a.readiness(t.Context()); !ready.Draining {
		t.Error("it says that it is ready")
	}
	stopNow()
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}
	if got := <-answered; !strings.Contains(got, "gateway_draining") {
		t.Errorf("the caller got %s", got)
	}
}
