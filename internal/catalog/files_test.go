package catalog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pair makes a self-signed certificate and its key.
func pair(t *testing.T) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestCertificateFilesAreReadFromTheFilesFolderAndMustBelongTogether(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t)
	_, otherKey := pair(t)
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("gw.pem", cert)
	write("gw.key", key)
	write("other.key", otherKey)
	write("text.pem", []byte("hello"))
	write("big.pem", make([]byte, maxFile+1))

	for _, tc := range []struct{ name, cert, key, ca, want string }{
		{"a pair", "gw.pem", "gw.key", "gw.pem", ""},
		{"absolute names", filepath.Join(dir, "gw.pem"), filepath.Join(dir, "gw.key"), "", ""},
		{"another certificate's key", "gw.pem", "other.key", "", ":2:46: `server.tls[0].key_file: other.key` is not the key of the certificate in `server.tls[0].cert_file`; name the key that the certificate was made for"},
		{"no certificate", "text.pem", "gw.key", "", ":2:28: `server.tls[0].cert_file: text.pem` holds no certificate in PEM; name a file that begins with -----BEGIN CERTIFICATE-----"},
		{"the key in place of the certificate", "gw.key", "gw.key", "", ":2:28: `server.tls[0].cert_file: gw.key` holds no certificate in PEM; name a file that begins with -----BEGIN CERTIFICATE-----"},
		{"no key", "gw.pem", "text.pem", "", ":2:46: `server.tls[0].key_file: text.pem` holds no private key in PEM that can be used; name a file that begins with -----BEGIN PRIVATE KEY----- and has no passphrase"},
		{"no file", "gone.pem", "gw.key", "", ":2:28: `server.tls[0].cert_file: gone.pem` does not exist; put the file there, or name another; relative names are taken from this file's folder"},
		{"a huge file", "big.pem", "gw.key", "", ":2:28: `server.tls[0].cert_file: big.pem` can't be read: it is larger than a certificate file can be; make it a file that the gateway may read"},
		{"no authority", "gw.pem", "gw.key", "text.pem", ":3:50: `providers.p.tls.ca_file: text.pem` holds no certificate in PEM; name a file that begins with -----BEGIN CERTIFICATE-----"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(dir, "causeway.yaml")
			text := "version: 1\nserver: {tls: [{cert_file: " + tc.cert + ", key_file: " + tc.key + "}]}\nproviders: {p: {kind: ollama, tls: {ca_file:     '" + tc.ca + "'}}}\n"
			write("causeway.yaml", []byte(text))
			c, faults, err := Load(file, noEnv)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tc.want != "" {
				want = file + tc.want + "\n"
			}
			if faults.String() != want {
				t.Errorf("faults:\n%swant:\n%s", faults, want)
			}
			if c != nil && c.Server.TLS[0].CertFile != filepath.Join(dir, "gw.pem") {
				t.Errorf("the certificate is %s", c.Server.TLS[0].CertFile)
			}
		})
	}
	// Parse reads no files.
	if _, faults := Parse("x.yaml", []byte("version: 1\nserver: {tls: [{cert_file: gone.pem, key_file: gone.key}]}"), noEnv); len(faults) > 0 {
		t.Errorf("Parse looked for files: %s", faults)
	}
}
