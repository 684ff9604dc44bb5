package load_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/bench/answers"
	"causeway/bench/load"
	"causeway/bench/rig"
)

func TestModesOverTLSGetWholeAnswers(t *testing.T) {
	certificate, err := rig.NewCertificate(t.TempDir(), load.ServerName)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificate.CertFile, certificate.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	size := answers.SizeREST1K
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != answers.PathREST1K {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(strings.Repeat("x", int(size))))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	defer s.Close()
	spec := load.Spec{
		Addr: strings.TrimPrefix(s.URL, "https://"), Conns: 4, Authority: certificate.CertFile,
		Duration: 100 * time.Millisecond,
	}
	for _, mode := range []load.Mode{load.TLS, load.Handshake, load.Resumed} {
		spec.Mode = mode
		r, err := load.RunSecure(context.Background(), spec, nil)
		if err != nil || r.Answers == 0 || r.Bad() != 0 || r.Latency.P50 <= 0 {
			t.Errorf("%s: %v, %d answers, %d bad: %s", mode, err, r.Answers, r.Bad(), r.Example)
		}
	}
	size--
	spec.Mode = load.TLS
	if r, err := load.RunSecure(context.Background(), spec, nil); err != nil || r.Wrong == 0 || r.Answers != 0 {
		t.Errorf("answers that are too short: %v, %+v", err, r)
	}
}
