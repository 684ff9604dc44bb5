package wire

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
)

// opener writes an alert in the open where TLS would encrypt it, as OpenSSL does in a TLS 1.3 handshake.
type opener struct {
	net.Conn
	alert  byte
	pieces bool // byte by byte
}

func (o *opener) Write(p []byte) (int, error) {
	open := 0 // what is not encrypted passes
	for open < len(p) && p[open] != 23 {
		open += 5 + int(p[open+3])<<8 + int(p[open+4])
	}
	if open >= len(p) {
		return o.Conn.Write(p)
	}
	record := append(append([]byte(nil), p[:open]...), 21, 3, 3, 0, 2, 2, o.alert)
	step := len(record)
	if o.pieces {
		step = 1
	}
	for len(record) > 0 {
		if _, err := o.Conn.Write(record[:step]); err != nil {
			return 0, err
		}
		record = record[step:]
	}
	return len(p), nil
}

// TestAnAlertInTheOpenIsRead: OpenSSL's callers say so that they distrust a certificate, where crypto/tls sees a
// record with a wrong MAC.
func TestAnAlertInTheOpenIsRead(t *testing.T) {
	server, client := testTLS(t)
	failed := make(chan error, 1)
	addr, _ := startDoor(t, DoorOptions{
		Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}, TLS: server, ReadHeaderTimeout: 5 * time.Second,
		OnHandshake: func(f HandshakeFailure) { failed <- f.Err },
	})
	for _, pieces := range []bool{false, true} {
		for _, alert := range []byte{48, 42, 45, 80} {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := tls.Client(&opener{nc, alert, pieces}, &tls.Config{ServerName: "localhost"}).Handshake(); err == nil {
				t.Error("an unknown certificate was accepted")
			}
			err = soon(t, "the failed handshake", failed)
			_ = nc.Close()
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "remote error" || op.Err != tls.AlertError(alert) {
				t.Errorf("alert %d, in pieces %v: %v", alert, pieces, err)
			}
		}
	}
	// A record that really is damaged is called so.
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = tls.Client(&damager{Conn: nc}, trusting(client)).Handshake()
	if err := soon(t, "the failed handshake", failed); err == nil || err.Error() != "local error: tls: bad record MAC" {
		t.Errorf("a damaged record: %v", err)
	}
}

// TestPlainHTTPOnATLSDoorIsAnswered: with a body whose length is told, and that is JSON.
func TestPlainHTTPOnATLSDoorIsAnswered(t *testing.T) {
	server, _ := testTLS(t)
	addr, _ := startDoor(t, DoorOptions{Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}, TLS: server, ReadHeaderTimeout: 5 * time.Second})
	c := dial(t, addr)
	c.send("%s", get("/"))
	res, err := readResponse(c)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	var p struct {
		Kind, Title string
		Status      int
		Advice      []string
	}
	entry := fault.Lookup(fault.CallerTLSPlainHTTP)
	if err != nil || json.Unmarshal(body, &p) != nil || res.StatusCode != 400 || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%v, %v: %s", res, err, body)
	}
	if p.Kind != string(entry.Kind) || p.Title != entry.Title || p.Status != entry.Status || !slices.Equal(p.Advice, entry.CallerAdvice) || !strings.HasSuffix(plainOnTLS, "\r\n\r\n"+string(body)) {
		t.Errorf("it says %+v, the catalogue %+v", p, entry)
	}
	for _, other := range []string{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "SSH-2.0-a\r\n"} {
		c := dial(t, addr)
		c.send("%s", other)
		if got, _ := io.ReadAll(c); len(got) > 0 {
			t.Errorf("%q is answered with %q", other, got)
		}
	}
}

// follower sends a call right behind what ends its handshake, as a TLS 1.3 client may, and many do.
type follower struct {
	net.Conn
	extra []byte
}

func (f *follower) Write(p []byte) (int, error) {
	if p[0] == 22 && f.extra != nil && len(p) > 5 && p[5] == 1 { // the ClientHello
		return f.Conn.Write(p)
	}
	n, err := f.Conn.Write(append(append([]byte(nil), p...), f.extra...))
	return min(n, len(p)), err
}

// TestTheReasonOfARefusedHandshakeArrives: although the caller had sent its call already.
func TestTheReasonOfARefusedHandshakeArrives(t *testing.T) {
	server, client := testTLS(t)
	server = server.Clone()
	server.ClientAuth = tls.RequireAnyClientCert
	addr, _ := startDoor(t, DoorOptions{Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}, TLS: server, ReadHeaderTimeout: 5 * time.Second})
	for i := range 20 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(&follower{nc, bytes.Repeat([]byte("x"), 50_000)}, trusting(client))
		err = c.Handshake()
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if err == nil || err.Error() != "remote error: tls: certificate required" {
			t.Fatalf("the caller of connection %d is told %v", i, err)
		}
		// Linux gives out what came before a reset, other systems do not; and curl looks whether it is still connected.
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		if rest, err := io.ReadAll(nc); err != nil {
			t.Fatalf("connection %d: %q and %v, want the end", i, rest, err)
		}
		_ = nc.Close()
	}
}

// damager changes the last byte of everything that is encrypted.
type damager struct{ net.Conn }

func (d *damager) Write(p []byte) (int, error) {
	if p[0] != 22 {
		p = append([]byte(nil), p...)
		p[len(p)-1] ^= 1
	}
	return d.Conn.Write(p)
}
