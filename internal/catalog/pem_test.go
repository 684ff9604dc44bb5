package catalog

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPEMFilesAreReadWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	one, key := pair(t)
	two, _ := pair(t)
	der, _ := pem.Decode(key)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	lost := bytes.SplitAfter(two, []byte("\n"))
	const (
		certAt = ":2:29: `server.tls[0].cert_file: c.pem` "
		keyAt  = ":2:47: `server.tls[0].key_file: k.pem` "
		caAt   = ":3:34: `server.client_auth.ca_file: ca.pem` "
		again  = "; write the file again, whole, and rename it into place"
	)
	second := "has a block at its line " + "LINE that is cut short or damaged" + again
	for _, c := range []struct {
		name          string
		cert, key, ca []byte
		want          string // LINE stands for where the second certificate begins
	}{
		{"a chain", join(one, two), key, join(one, two), ""},
		{"a byte order mark", join([]byte("\xef\xbb\xbf"), one), join([]byte("\xef\xbb\xbf"), key), join([]byte("\xef\xbb\xbf"), one), ""},
		{"CR LF", bytes.ReplaceAll(one, []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n")), one, ""},
		{"text around", join([]byte("Subject: a\n"), one, []byte("and then:\n"), two, []byte("that was it")), join([]byte("Bag Attributes\n"), key), one, ""},
		{"one file for both", join(key, one), join(key, one), one, ""},
		{"cut in a certificate", join(one, two[:60]), key, one, certAt + second},
		{"cut in a mark", join(one, two[:15]), key, one, certAt + second},
		{"no end", join(one, two[:len(two)-12]), key, one, certAt + second},
		{"damaged, and a good one behind", join(one, two[:60], []byte("\n"), one), key, one, certAt + second},
		{"half a line", join(one, bytes.Replace(two, lost[2], lost[2][7:], 1)), key, one, certAt + second},
		{"a line is gone", join(one, bytes.Replace(two, lost[2], nil, 1)), key, one, certAt + second},
		{"the key's own certificate second", join(two, one), key, one, certAt + "has the certificate of the key at its line LINE, behind another one; put that first, then the one that signed it, and so on"},
		{"another key", two, key, one, keyAt + "is not the key of the certificate in `server.tls[0].cert_file`; name the key that the certificate was made for"},
		{"a key with a passphrase", one, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der.Bytes}), one, keyAt + "holds a private key with a passphrase, for which nobody is there to ask; take it off: openssl pkey -in OLD -out NEW"},
		{"an old key with a passphrase", one, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: der.Bytes}), one, keyAt + "holds a private key with a passphrase, for which nobody is there to ask; take it off: openssl pkey -in OLD -out NEW"},
		{"half a key", one, key[:80], one, keyAt + "has a block at its line 1 that is cut short or damaged" + again},
		{"a certificate for a key", one, one, one, keyAt + "holds no private key in PEM that can be used; name a file that begins with -----BEGIN PRIVATE KEY----- and has no passphrase"},
		{"a request", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der.Bytes}), key, one, certAt + "holds no certificate in PEM, but a certificate request; name a file that begins with -----BEGIN CERTIFICATE-----"},
		{"nothing", nil, key, one, certAt + "holds no certificate in PEM; name a file that begins with -----BEGIN CERTIFICATE-----"},
		{"an authority cut", one, key, join(one, two[:60]), caAt + strings.ReplaceAll(second, "LINE", "ONE")},
		{"an authority of a kind that is not known beside a good one", one, key, join(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}}), one), ""},
		{"that alone", one, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}}), caAt + "holds no certificate that can be read; name a file of X.509 certificates in PEM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "version: 1\nserver: {tls: [{cert_file:  c.pem, key_file:  k.pem}],\n         client_auth: {ca_file:  ca.pem}}\n"
			for name, data := range map[string][]byte{"c.pem": c.cert, "k.pem": c.key, "ca.pem": c.ca, "x.yaml": []byte(text)} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, "x.yaml")
			_, faults, err := Load(file, noEnv)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if c.want != "" {
				line := func(first []byte) string { return strconv.Itoa(1 + bytes.Count(first, []byte("\n"))) }
				first := one
				if bytes.HasPrefix(c.cert, two) {
					first = two
				}
				want = file + strings.NewReplacer("LINE", line(first), "ONE", line(one)).Replace(c.want) + "\n"
			}
			if faults.String() != want {
				t.Errorf("faults:\n%swant:\n%s", faults, want)
			}
		})
	}
}
