package certs

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/certs/acmetest"
	"causeway/internal/fault"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// listenPort is the port of a rig that does not exist yet.
func listenPort(t *testing.T) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, l.Addr().(*net.TCPAddr).Port
}

func TestACertificateIsGotFromAnAuthority(t *testing.T) {
	t.Parallel()
	// What it issues lasts six seconds and is renewed when a third of that is left.
	dir := t.TempDir()
	r := newRig(t, catalog.Server{}, func(o *Options) { o.ACMEDir, o.RenewEvery = dir, 100*time.Millisecond })
	ca := acmetest.Start(t, acmetest.Options{TLSPort: r.o.TLSPort, HTTPPort: 1, Blocked: []string{"blocked.test"}, Validity: 6 * time.Second})
	acme := &catalog.ACME{Hosts: []string{"a.test", "blocked.test"}, Directory: ca.Directory, CAFile: ca.CAFile, AcceptTerms: true}
	if err := r.Load(catalog.Server{ACME: acme, ClientAuth: &catalog.ClientAuth{Mode: "optional"}}); err != nil {
		t.Fatal(err)
	}
	roots, _ := ca.Roots(t)
	cfg := &tls.Config{ServerName: "a.test", RootCAs: roots}
	eventually(t, "a certificate for a.test", func() bool { _, err := r.meet(cfg); return err == nil })
	if !strings.Contains(r.log.String(), "certificate issued") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}
	first := r.shown(t, "a.test")
	if got := r.shown(t, "elsewhere.test"); got != first {
		t.Error("an unknown name does not get the first host's certificate")
	}

	// The other name was refused: log, problems and handshakes say why.
	eventually(t, "the refusal", func() bool { return len(r.Problems()) == 1 })
	p := r.Problems()[0]
	if p.Kind != fault.CertificateNotIssued || !strings.Contains(p.Text, "blocked.test: "+ca.Directory+" issued no certificate: rejectedIdentifier: ") {
		t.Errorf("the problem is %+v", p)
	}
	if !strings.Contains(r.log.String(), "the authority issued no certificate") || !strings.Contains(r.log.String(), "kind=certificate_not_issued") {
		t.Errorf("the log does not tell the refusal:\n%s", r.log)
	}
	for len(r.fails) > 0 {
		<-r.fails
	}
	if _, err := r.meet(&tls.Config{ServerName: "blocked.test", InsecureSkipVerify: true}); err == nil {
		t.Error("a name without a certificate shakes hands")
	}
	if kind, detail := Kind(<-r.fails, time.Now()); kind != fault.CertificateNotIssued || !strings.Contains(detail, "rejectedIdentifier") {
		t.Errorf("the handshake failed with %s: %s", kind, detail)
	}
	report := r.Report().Certificates
	if len(report) != 2 || !report[0].OK || report[0].Source != "acme" || time.Until(report[0].NotAfter) <= 0 || report[1].OK || !report[1].NotAfter.IsZero() {
		t.Errorf("the report is %+v", report)
	}

	eventually(t, "the renewal", func() bool { return r.shown(t, "a.test") != first })
	if _, err := r.meet(cfg); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

// Each test has names of its own: certmagic keeps the open proofs of a process by name.
func TestARestartAsksForNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, port := listenPort(t)
	l.Close()
	r := newRig(t, catalog.Server{}, func(o *Options) { o.ACMEDir = dir })
	ca := acmetest.Start(t, acmetest.Options{TLSPort: 1, HTTPPort: port})
	server := catalog.Server{ACME: &catalog.ACME{Hosts: []string{"restart.test"}, Directory: ca.Directory, CAFile: ca.CAFile, AcceptTerms: true, HTTPPort: port}}
	if err := r.Load(server); err != nil {
		t.Fatal(err)
	}
	// The authority finds nobody under its port for TLS-ALPN-01, and its proof on the plain one.
	eventually(t, "a certificate", func() bool { return r.Report().Certificates[0].OK })
	orders, serial := ca.Orders(), r.shown(t, "restart.test")
	if orders == 0 {
		t.Fatalf("no order is in the authority's log:\n%s", ca.Log())
	}
	again := newRig(t, server, func(o *Options) { o.ACMEDir = dir })
	eventually(t, "the certificate", func() bool { return again.Report().Certificates[0].OK })
	if again.shown(t, "restart.test") != serial || ca.Orders() != orders {
		t.Errorf("another certificate, or %d orders after %d", ca.Orders(), orders)
	}
	// The same settings once more change nothing, others begin anew.
	was := again.acme
	if err := again.Load(server); err != nil || again.acme != was {
		t.Errorf("the same settings began anew: %v", err)
	}
	if err := again.Load(catalog.Server{}); err != nil || again.Config() != nil {
		t.Errorf("without acme: %v", err)
	}
}

// TestAProofIsAnsweredOnAPlainAddressOfOurs: the authority's HTTP-01 question is given to Challenge.
func TestAProofIsAnsweredOnAPlainAddressOfOurs(t *testing.T) {
	t.Parallel()
	l, port := listenPort(t)
	r := newRig(t, catalog.Server{}, func(o *Options) { o.ACMEDir = t.TempDir() })
	var mu sync.Mutex
	var asked []string
	plain := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
		body, ok := r.Challenge(rq.Context(), rq.Host, rq.URL.Path)
		mu.Lock()
		asked = append(asked, rq.URL.Path)
		mu.Unlock()
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(body)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = plain.Serve(l)
	}()
	defer func() {
		_ = plain.Close()
		<-done
	}()
	ca := acmetest.Start(t, acmetest.Options{TLSPort: 1, HTTPPort: port})
	if err := r.Load(catalog.Server{ACME: &catalog.ACME{Hosts: []string{"proof.test"}, Directory: ca.Directory, CAFile: ca.CAFile, AcceptTerms: true, HTTPPort: port}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a certificate", func() bool { return r.Report().Certificates[0].OK })
	mu.Lock()
	defer mu.Unlock()
	if len(asked) == 0 || !strings.HasPrefix(asked[0], ChallengePath) {
		t.Errorf("the authority asked for %q", asked)
	}
	for _, path := range []string{ChallengePath, ChallengePath + "nonsense", ChallengePath + "../x"} {
		if body, ok := r.Challenge(t.Context(), "proof.test", path); ok {
			t.Errorf("%s is answered with %q", path, body)
		}
	}
}

func TestAnAuthorityThatCannotBeReachedIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, catalog.Server{ACME: &catalog.ACME{Hosts: []string{"a.test"}, Directory: "https://127.0.0.1:1/dir", AcceptTerms: true}}, func(o *Options) { o.ACMEDir = t.TempDir() })
	eventually(t, "the problem", func() bool { return len(r.Problems()) == 1 })
	if p := r.Problems()[0]; !strings.Contains(p.Text, "connection refused") {
		t.Errorf("%+v", p)
	}
}
