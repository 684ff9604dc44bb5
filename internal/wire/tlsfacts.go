package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"syscall"

	"causeway/internal/journey"
)

// tapConn stands below TLS and keeps the first bytes that the peer sent and how it ended.
type tapConn struct {
	net.Conn
	first []byte
	err   error // the last one, after the handshake as well
	done  bool  // the handshake is over; no more bytes are kept
}

func (t *tapConn) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if !t.done {
		if room := 200 - len(t.first); room > 0 && n > 0 {
			t.first = append(t.first, p[:min(n, room)]...)
		}
	}
	if err != nil {
		t.err = err
	}
	return n, err
}

// SyscallConn gives the socket below, for the check of idle connections.
func (t *tapConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := t.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Unannounced tells whether a body that only its connection's end delimits was ended without TLS saying so
// (close_notify, RFC 9112 section 9.8): then it may have been cut, and anybody on the way can have done that. Many
// servers end their connections like that, and clients take the body for whole. It is for the time before Release.
func (u *Upcall) Unannounced() bool {
	if !u.eof || u.Response.Length != LengthUntilClose {
		return false
	}
	tc, ok := u.sock.nc.(*tls.Conn)
	if !ok {
		return false
	}
	tap, ok := tc.NetConn().(*tapConn)
	return ok && isEOF(tap.err)
}

// tlsFacts reads a failed handshake.
func tlsFacts(name string, err error, tap *tapConn) *journey.TLSFacts {
	f := &journey.TLSFacts{ServerName: name, Alert: -1, Err: err.Error(), Reason: "protocol"}
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) {
		certificateFacts(f, bad)
		return f
	}
	var pin *PinError
	if errors.As(err, &pin) {
		showCertificates(f, pin.Chain)
		f.Reason = "pin_mismatch"
		return f
	}
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &notTLS):
		f.Reason, f.First = "not_tls", tap.first
	case remoteAlert(err, f):
		f.Reason = "alert"
	case isTimeout(err) || isTimeout(tap.err):
		f.Reason = "timeout"
	case isReset(err) || isReset(tap.err):
		f.Reason = "reset"
	case isEOF(err) || isEOF(tap.err):
		f.Reason = "eof"
		if len(tap.first) > 0 && tap.first[0] != 0x15 && tap.first[0] != 0x16 {
			f.Reason, f.First = "not_tls", tap.first
		}
	}
	return f
}

// remoteAlert finds the alert that the peer sent. crypto/tls keeps its type to itself: it is the
// error inside a net.OpError with the operation "remote error", and its value is the number.
func remoteAlert(err error, f *journey.TLSFacts) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		f.Alert = int(v.Uint())
	}
	f.AlertText = op.Err.Error()
	return true
}
