package snapshot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"causeway/internal/catalog"
)

// pair writes a certificate and its key.
func pair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestUpstreamTLSTellsOneWayFromAnother: connections are kept over a reload only where nothing about
// them has changed, files included.
func TestUpstreamTLSTellsOneWayFromAnother(t *testing.T) {
	cert, key := pair(t)
	otherCert, otherKey := pair(t)
	seen := map[string]string{}
	for name, settings := range map[string]catalog.UpstreamTLS{
		"none": {}, "a name": {ServerName: "a.test"}, "unverified": {InsecureSkipVerify: true}, "TLS 1.3": {MinVersion: "1.3"},
		"an authority": {CAFile: cert}, "another authority": {CAFile: otherCert}, "a certificate": {CertFile: cert, KeyFile: key},
		"another certificate": {CertFile: otherCert, KeyFile: otherKey}, "a pin": {Pins: [][32]byte{{1}}}, "another pin": {Pins: [][32]byte{{2}}},
		"two pins": {Pins: [][32]byte{{1}, {2}}},
	} {
		cfg, text, err := upstreamTLS(settings)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if before, twice := seen[text]; twice {
			t.Errorf("%s is taken for %s", name, before)
		}
		seen[text] = name
		if (cfg == nil) != (name == "none") {
			t.Errorf("%s: %v", name, cfg)
		}
	}
	if cfg, text, err := upstreamTLS(catalog.UpstreamTLS{MinVersion: "1.2"}); cfg != nil || text != "" || err != nil {
		t.Errorf("the default version is a setting: %q, %v", text, err)
	}
	if cfg, _, err := upstreamTLS(catalog.UpstreamTLS{MinVersion: "1.3"}); err != nil || cfg.MinVersion != tls.VersionTLS13 {
		t.Errorf("TLS 1.3 alone: %v", err)
	}
	for name, settings := range map[string]catalog.UpstreamTLS{
		"no authority": {CAFile: key}, "no file": {CAFile: cert + ".gone"}, "another's key": {CertFile: cert, KeyFile: otherKey}, "no certificate": {CertFile: key + ".gone", KeyFile: key},
	} {
		if _, _, err := upstreamTLS(settings); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestCertificatesInFieldsAreTheGatewaysAlone(t *testing.T) {
	rules, _ := compileRules((&builder{}).headerRules(catalog.HeaderRules{Remove: []string{"X-A"}}))
	if rules.Drops([]byte("Client-Cert")) {
		t.Error("it is taken out although nobody is asked for certificates")
	}
	rules, _ = compileRules((&builder{asked: true}).headerRules(catalog.HeaderRules{Remove: []string{"X-A"}}))
	for _, name := range []string{"Client-Cert", "client-cert-chain", "X-Forwarded-Client-Cert", "x-a"} {
		if !rules.Drops([]byte(name)) {
			t.Errorf("%s goes upstream", name)
		}
	}
}
