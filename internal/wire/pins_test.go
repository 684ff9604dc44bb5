package wire

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func TestPins(t *testing.T) {
	server, client := testTLS(t)
	leaf, err := x509.ParseCertificate(server.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	right := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	for _, c := range []struct {
		name string
		pins [][32]byte
		skip bool
		good bool
	}{
		{"its key", [][32]byte{{1}, right}, false, true},
		{"its key, unverified", [][32]byte{right}, true, true},
		{"another key", [][32]byte{{1}}, false, false},
		{"another key, unverified", [][32]byte{{1}}, true, false},
	} {
		cfg := trusting(client)
		cfg.InsecureSkipVerify, cfg.VerifyConnection = c.skip, PinnedTo(c.pins)
		addr, _ := startDoor(t, DoorOptions{TLS: server, ReadHeaderTimeout: 5 * time.Second, Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}})
		conn, err := tls.Dial("tcp", addr, cfg)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}
