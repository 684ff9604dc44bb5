package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"causeway/internal/catalog"
)

func TestACertificateIsChosenByName(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	first := ca.issue(t, "ecdsa", named("first.test", "www.first.test"))
	wild := ca.issue(t, "ecdsa", named("*.wild.test"))
	exact := ca.issue(t, "ecdsa", named("exact.wild.test"))
	server := catalog.Server{TLS: []catalog.Certificate{dir.files(t, "first", first), dir.files(t, "wild", wild), dir.files(t, "exact", exact)}}
	r := newRig(t, server, nil)
	for name, want := range map[string]*leaf{
		"first.test": first, "www.first.test": first, "FIRST.test": first,
		"a.wild.test": wild, "exact.wild.test": exact,
		"a.b.wild.test": first, "wild.test": first, "other.test": first, "": first,
	} {
		if got := r.shown(t, name); got != want.serial() {
			t.Errorf("%q is shown certificate %s, want that of %s", name, got, want.cert.Subject.CommonName)
		}
	}
	server.TLSOptions.UnknownNames = "refuse"
	if err := r.Load(server); err != nil {
		t.Fatal(err)
	}
	for name, refused := range map[string]bool{"first.test": false, "a.wild.test": false, "": false, "other.test": true, "a.b.wild.test": true} {
		_, err := r.meet(&tls.Config{ServerName: name, InsecureSkipVerify: true})
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%q: %v, refused must be %v", name, err, refused)
		}
	}
}

// An old caller that knows RSA alone gets the RSA certificate of two for the same names.
func TestOfTwoCertificatesTheCallerGetsOneThatItCanUse(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	ec, rsa := ca.issue(t, "ecdsa", named("a.test")), ca.issue(t, "rsa", named("a.test"))
	r := newRig(t, catalog.Server{TLS: []catalog.Certificate{dir.files(t, "ec", ec), dir.files(t, "rsa", rsa)}}, nil)
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	for _, name := range []string{"a.test", "unknown.test", ""} {
		old.ServerName = name
		st, err := r.meet(old)
		if err != nil || st.PeerCertificates[0].SerialNumber.String() != rsa.serial() {
			t.Errorf("an old caller that asks for %q: %v", name, err)
		}
		if got := r.shown(t, name); got != ec.serial() {
			t.Errorf("a new one that asks for %q is not shown the first certificate", name)
		}
	}
}

func TestVersionsAndCiphers(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	l := ca.issue(t, "rsa", named("a.test"))
	server := catalog.Server{TLS: []catalog.Certificate{dir.files(t, "a", l)}}
	r := newRig(t, server, nil)
	meet := func(version, cipher uint16) error {
		cfg := &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}
		if cipher != 0 {
			cfg.CipherSuites = []uint16{cipher}
		}
		_, err := r.meet(cfg)
		return err
	}
	const gcm128, gcm256, cbc = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
	check := func(what string, version, cipher uint16, good bool) {
		t.Helper()
		if err := meet(version, cipher); (err == nil) != good {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("TLS 1.1", tls.VersionTLS11, cbc, false)
	check("TLS 1.2", tls.VersionTLS12, gcm128, true)
	check("TLS 1.2 with CBC", tls.VersionTLS12, cbc, false)
	check("TLS 1.3", tls.VersionTLS13, 0, true)

	server.TLSOptions.Ciphers = []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}
	if err := r.Load(server); err != nil {
		t.Fatal(err)
	}
	check("a suite that is named", tls.VersionTLS12, gcm256, true)
	check("another one", tls.VersionTLS12, cbc, true)
	check("one that is not", tls.VersionTLS12, gcm128, false)

	server.TLSOptions.MinVersion = "1.3"
	if err := r.Load(server); err != nil {
		t.Fatal(err)
	}
	check("TLS 1.2 below the least version", tls.VersionTLS12, gcm256, false)
	check("TLS 1.3 with it", tls.VersionTLS13, 0, true)
}

// check looks at the files as often as it takes a change to settle.
func (r *rig) check() {
	r.Check()
	r.Check()
}

func TestAFileThatChangesIsReadAgain(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	one, two := ca.issue(t, "ecdsa", named("a.test")), ca.issue(t, "ecdsa", named("a.test"))
	r := newRig(t, catalog.Server{TLS: []catalog.Certificate{dir.files(t, "a", one)}}, nil)
	sessions := tls.NewLRUClientSessionCache(4)
	cfg := &tls.Config{ServerName: "a.test", RootCAs: ca.pool(), ClientSessionCache: sessions}
	if st, err := r.meet(cfg); err != nil || st.DidResume {
		t.Fatalf("the first handshake: %v, resumed %v", err, st.DidResume)
	}
	before := r.Config()

	// The certificate first and its key a moment later: what stands between them changes nothing.
	dir.put(t, "a.pem", two.pem)
	r.check()
	if got := r.shown(t, "a.test"); got != one.serial() {
		t.Error("half a change is in force")
	}
	report := r.Report()
	if report.ReloadFailures != 1 || report.Certificates[0].OK || !report.Certificates[0].NotAfter.Equal(one.cert.NotAfter) {
		t.Errorf("half a change is reported as %+v", report)
	}
	if p := r.Problems(); len(p) != 1 || p[0].Kind != "certificate_not_loaded" || !strings.Contains(p[0].Text, dir.path("a.key")+" is not the key of the certificate in "+dir.path("a.pem")) {
		t.Errorf("half a change: %+v", p)
	}
	if !strings.Contains(r.log.String(), "the certificate was not replaced") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}
	r.check()
	if n := r.Report().ReloadFailures; n != 1 {
		t.Errorf("the same files were tried %d times", n)
	}
	dir.put(t, "a.key", two.keyPEM(t))
	r.check()
	if got := r.shown(t, "a.test"); got != two.serial() {
		t.Error("the new certificate is not in force")
	}
	if p := r.Problems(); len(p) != 0 {
		t.Errorf("problems of before: %+v", p)
	}
	// Tickets survive: the door keeps its configuration, and the session of before is resumed.
	if r.Config() != before {
		t.Error("the door has another configuration")
	}
	if st, err := r.meet(cfg); err != nil || !st.DidResume {
		t.Errorf("after the change: %v, resumed %v", err, st.DidResume)
	}
	if err := os.Remove(dir.path("a.pem")); err != nil {
		t.Fatal(err)
	}
	r.check()
	if got := r.shown(t, "a.test"); got != two.serial() {
		t.Error("a file that is gone took its certificate with it")
	}
}

// TestAHalfWrittenChainIsNotPutInForce: the certificate is whole and fits its key, and what stands behind it is cut. The
// callers who need that would refuse it.
func TestAHalfWrittenChainIsNotPutInForce(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	one := ca.issue(t, "ecdsa", named("a.test"))
	r := newRig(t, catalog.Server{TLS: []catalog.Certificate{dir.files(t, "a", one)}}, nil)
	whole := append(slices.Clone(one.pem), one.pem...)
	for name, text := range map[string][]byte{
		"cut in the base64": whole[:len(one.pem)+100],
		"cut in the mark":   whole[:len(one.pem)+20],
		"cut in the end":    whole[:len(whole)-10],
	} {
		dir.put(t, "a.pem", text)
		r.check()
		p := r.Problems()
		line := 1 + bytes.Count(text[:bytes.LastIndex(text, []byte("-----BEGIN "))], []byte("\n"))
		if want := fmt.Sprintf("%s has a block at its line %d that is cut short or damaged", dir.path("a.pem"), line); len(p) != 1 || !strings.Contains(p[0].Text, want) {
			t.Errorf("%s: %+v, want %s", name, p, want)
		}
		if st, err := r.meet(&tls.Config{ServerName: "a.test", RootCAs: ca.pool()}); err != nil || len(st.PeerCertificates) != 2 {
			t.Errorf("%s: shown %d certificates, %v", name, len(st.PeerCertificates), err)
		}
	}
	dir.put(t, "a.pem", whole)
	r.check()
	if st, err := r.meet(&tls.Config{ServerName: "a.test", RootCAs: ca.pool()}); err != nil || len(st.PeerCertificates) != 4 || len(r.Problems()) != 0 {
		t.Errorf("the whole chain: %d certificates, %v, %+v", len(st.PeerCertificates), err, r.Problems())
	}
}

func TestLoadKeepsWhatWasInForceOnAnError(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	one := ca.issue(t, "ecdsa", named("a.test"))
	files := dir.files(t, "a", one)
	r := newRig(t, catalog.Server{TLS: []catalog.Certificate{files}}, nil)
	for what, c := range map[string]catalog.Server{
		"a certificate that is not there": {TLS: []catalog.Certificate{files, {CertFile: dir.path("no.pem"), KeyFile: dir.path("no.key")}}},
		"an authority that is not there":  {TLS: []catalog.Certificate{files}, ClientAuth: &catalog.ClientAuth{CAFile: dir.path("no.pem"), Mode: "require"}},
		"acme without a folder":           {ACME: &catalog.ACME{Hosts: []string{"a.test"}}},
	} {
		if err := r.Load(c); err == nil {
			t.Errorf("%s is no error", what)
		}
		if got := r.shown(t, "a.test"); got != one.serial() {
			t.Errorf("%s changed the certificate", what)
		}
	}
	// A pair that was in force and is broken now stays, and the rest of the configuration changes.
	dir.put(t, "a.pem", []byte("nonsense"))
	other := ca.issue(t, "ecdsa", named("b.test"))
	if err := r.Load(catalog.Server{TLS: []catalog.Certificate{files, dir.files(t, "b", other)}}); err != nil {
		t.Fatal(err)
	}
	if r.shown(t, "a.test") != one.serial() || r.shown(t, "b.test") != other.serial() {
		t.Error("a broken pair took the others with it")
	}
	if err := r.Load(catalog.Server{}); err != nil || r.Config() != nil {
		t.Errorf("without certificates there is a configuration, %v", err)
	}
}

// TestTicketsEndWithWhatWasAskedOfCallers: a session says who a caller was when other rules held.
func TestTicketsEndWithWhatWasAskedOfCallers(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	files := dir.files(t, "a", ca.issue(t, "ecdsa", named("a.test")))
	clients := newAuthority(t, "clients")
	own := clients.issue(t, "ecdsa", named("me.test")).pair()
	auth := &catalog.ClientAuth{CAFile: dir.put(t, "clients.pem", clients.pem()), Mode: "optional"}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r := newRig(t, catalog.Server{TLS: []catalog.Certificate{files}, ClientAuth: auth}, nil)
		cfg := &tls.Config{ServerName: "a.test", RootCAs: ca.pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4), Certificates: []tls.Certificate{own}, MaxVersion: version}
		if _, err := r.meet(cfg); err != nil {
			t.Fatal(err)
		}
		if err := r.Load(catalog.Server{TLS: []catalog.Certificate{files}, ClientAuth: auth, TLSOptions: catalog.TLSOptions{UnknownNames: "refuse"}}); err != nil {
			t.Fatal(err)
		}
		if st, err := r.meet(cfg); err != nil || !st.DidResume {
			t.Errorf("after a change of something else: %v, resumed %v", err, st.DidResume)
		}
		stricter := *auth
		stricter.Mode = "require"
		if err := r.Load(catalog.Server{TLS: []catalog.Certificate{files}, ClientAuth: &stricter}); err != nil {
			t.Fatal(err)
		}
		if st, err := r.meet(cfg); err != nil || st.DidResume {
			t.Errorf("after a change of the mode: %v, resumed %v", err, st.DidResume)
		}
	}
}

// staple makes an authority's OCSP answer for l.
func (a *authority) staple(t *testing.T, l *leaf, status int, from, to time.Time) []byte {
	t.Helper()
	der, err := ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{
		Status: status, SerialNumber: l.cert.SerialNumber, ThisUpdate: from, NextUpdate: to, RevokedAt: from, IssuerHash: crypto.SHA1,
	}, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestOCSPAnswersAreStapledWhileTheyAreFresh(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	l := ca.issue(t, "ecdsa", named("a.test"))
	now := time.Now()
	fresh := ca.staple(t, l, ocsp.Good, now.Add(-time.Hour), now.Add(time.Hour))
	other := newAuthority(t, "other")
	for _, c := range []struct {
		name, says string // "" when it is stapled
		der, chain []byte
	}{
		{"a fresh one", "", fresh, nil},
		{"one that is out of date", "out of date since", ca.staple(t, l, ocsp.Good, now.Add(-2*time.Hour), now.Add(-time.Hour)), nil},
		{"one from the future", "from the future", ca.staple(t, l, ocsp.Good, now.Add(time.Hour), now.Add(2*time.Hour)), nil},
		{"a revoked certificate", "revoked since", ca.staple(t, l, ocsp.Revoked, now.Add(-time.Hour), now.Add(time.Hour)), nil},
		{"an unknown certificate", "does not know", ca.staple(t, l, ocsp.Unknown, now.Add(-time.Hour), now.Add(time.Hour)), nil},
		{"another authority's", "reading the OCSP answer", other.staple(t, l, ocsp.Good, now.Add(-time.Hour), now.Add(time.Hour)), nil},
		{"another certificate's", "reading the OCSP answer", ca.staple(t, ca.issue(t, "ecdsa", named("b.test")), ocsp.Good, now.Add(-time.Hour), now.Add(time.Hour)), nil},
		{"no OCSP answer", "reading the OCSP answer", []byte("hello"), nil},
		{"a chain without the issuer", "lacks the issuer's certificate", fresh, l.pem[:len(l.pem)-len(ca.pem())]},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := dir.files(t, "a", l)
			if c.chain != nil {
				dir.put(t, "a.pem", c.chain)
			}
			files.OCSPFile = dir.put(t, "a.ocsp", c.der)
			r := newRig(t, catalog.Server{TLS: []catalog.Certificate{files}}, nil)
			st, err := r.meet(&tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
			if err != nil || (len(st.OCSPResponse) > 0) != (c.says == "") {
				t.Errorf("%v, %d bytes are stapled", err, len(st.OCSPResponse))
			}
			p := r.Problems()
			if c.says == "" && len(p) > 0 || c.says != "" && (len(p) != 1 || !strings.Contains(p[0].Text, c.says)) {
				t.Errorf("problems %+v, want %q", p, c.says)
			}
			if until := r.Report().Certificates[0].OCSPUntil; until.IsZero() != (c.says != "") {
				t.Errorf("it is fresh until %v", until)
			}
		})
	}

	t.Run("one that goes out of date while the gateway runs", func(t *testing.T) {
		files := dir.files(t, "a", l)
		files.OCSPFile = dir.put(t, "a.ocsp", ca.staple(t, l, ocsp.Good, now.Add(-time.Hour), now.Add(time.Minute)))
		r := newRig(t, catalog.Server{TLS: []catalog.Certificate{files}}, nil)
		stapled := func() bool {
			st, err := r.meet(&tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
			return err == nil && len(st.OCSPResponse) > 0
		}
		if r.Check(); !stapled() {
			t.Error("it is not stapled at first")
		}
		r.clock.set(now.Add(2 * time.Minute))
		if r.Check(); stapled() || !strings.Contains(r.log.String(), "no longer stapled") || len(r.Problems()) != 1 {
			t.Errorf("it is still stapled, or nobody says so: %+v\n%s", r.Problems(), r.log)
		}
		r.clock.set(time.Time{})
		dir.put(t, "a.ocsp", fresh)
		if r.check(); !stapled() {
			t.Error("its successor is not stapled")
		}
	})
}

func TestHandshakesAreCounted(t *testing.T) {
	dir, ca := folder(t.TempDir()), newAuthority(t, "ca")
	r := newRig(t, catalog.Server{TLS: []catalog.Certificate{dir.files(t, "a", ca.issue(t, "ecdsa", named("a.test")))}}, nil)
	cfg := &tls.Config{ServerName: "a.test", RootCAs: ca.pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for range 3 {
		if _, err := r.meet(cfg); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.meet(&tls.Config{ServerName: "a.test", RootCAs: ca.pool(), MaxVersion: tls.VersionTLS12}); err != nil {
		t.Fatal(err)
	}
	want := []Handshakes{{"1.2", false, 1}, {"1.2", true, 0}, {"1.3", false, 1}, {"1.3", true, 2}}
	for i, h := range r.Report().Handshakes {
		if h != want[i] {
			t.Errorf("counted %+v, want %+v", h, want[i])
		}
	}
}

// Failed handshakes are all counted, and a few of them logged.
func TestTheLogOfFailedHandshakesHasALimit(t *testing.T) {
	log := &buffer{}
	at := &clock{}
	at.set(time.Unix(1_000_000, 0))
	s := New(Options{Log: textLog(log), Now: at.now})
	for range 100 {
		s.Failed("192.0.2.1:5", "a.test", tls.RecordHeaderError{RecordHeader: [5]byte{'G', 'E', 'T', ' ', '/'}})
	}
	if n := strings.Count(log.String(), "TLS handshake failed"); n != mostLines {
		t.Errorf("%d lines", n)
	}
	at.set(time.Unix(1_000_001, 0))
	s.Failed("192.0.2.1:5", "", tls.RecordHeaderError{RecordHeader: [5]byte{1, 2, 3, 4, 5}})
	if !strings.Contains(log.String(), "lines_left_out=95") {
		t.Errorf("the next second's line does not say how many were left out:\n%s", log)
	}
	if f := s.Report().Failures; f["caller_tls_plain_http"] != 100 || f["caller_tls_not_tls"] != 1 {
		t.Errorf("counted %v", f)
	}
}
