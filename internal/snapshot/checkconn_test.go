package snapshot

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/faulty"
	"causeway/internal/wire"
)

func TestChecksOfConnectionsAndCertificates(t *testing.T) {
	lab, err := faulty.New(faulty.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	origin := func(name string) *wire.Origin {
		t.Helper()
		up, err := lab.Start(name, faulty.Params{})
		if err != nil {
			t.Fatal(err)
		}
		var cfg *tls.Config
		if up.CAFile != "" {
			if cfg, _, err = upstreamTLS(catalog.UpstreamTLS{CAFile: up.CAFile, ServerName: up.ServerName}); err != nil {
				t.Fatal(err)
			}
		}
		o, err := wire.NewOrigin(wire.OriginOptions{URL: up.URL, TLS: cfg})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(o.Close)
		return o
	}
	for _, tt := range []struct {
		name, fault, kind string
		valid             time.Duration
		ok                bool
		want              fault.Kind
		says              string
	}{
		{"a port that is open", "answer", "tcp", 0, true, "", ""},
		{"an open port of a server that answers nothing", "no_answer", "tcp", 0, true, "", ""},
		{"a port that is closed", "connection_refused", "tcp", 0, false, fault.ConnectionRefused, "tcp connection"},
		{"a certificate is not looked at", "tls_expired", "tcp", 0, true, "", ""},
		{"a good certificate", "tls", "tls", 0, true, "", ""},
		{"one that ends too soon", "tls", "tls", 100 * 365 * 24 * time.Hour, false, fault.TLSCertificateExpired, "health.min_validity is"},
		{"one that has ended", "tls_expired", "tls", 0, false, fault.TLSCertificateExpired, "tls connection"},
		{"the wrong name", "tls_name_mismatch", "tls", 0, false, fault.TLSNameMismatch, ""},
		{"a handshake without end", "tls_handshake_timeout", "tls", 0, false, fault.TLSHandshakeTimeout, "health.timeout is 2s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := checkConnection(context.Background(), origin(tt.fault), &catalog.Health{Type: tt.kind, Timeout: 2 * time.Second, MinValidity: tt.valid})
			if r.OK != tt.ok || r.Kind != tt.want || !strings.Contains(r.Text, tt.says) || r.Status != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}
