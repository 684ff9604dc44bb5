package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
)

// alertTap stands below TLS with a caller and keeps the last bytes that came before the handshake was done: under TLS
// 1.3 many callers say in the open why they end it, where crypto/tls expects what is encrypted (see plainAlert).
type alertTap struct {
	net.Conn
	last [alertLength]byte
	done bool // the handshake is over; no more is kept
}

// alertLength is that of an alert's record: type, version, length, level, number (RFC 8446 sections 5.1 and 6).
const alertLength = 7

func (t *alertTap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if t.done || n <= 0 {
		return n, err
	}
	if n < alertLength {
		copy(t.last[:], t.last[n:])
		copy(t.last[alertLength-n:], p[:n])
	} else {
		copy(t.last[:], p[n-alertLength:n])
	}
	return n, err
}

// SyscallConn gives the socket below.
func (t *alertTap) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := t.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// plainAlert is the error of a handshake, read again: OpenSSL, and so curl, Python, Node and many others, send an alert
// about the certificate in the open, because a server might not have got far enough to decrypt it. crypto/tls tries to,
// and calls it a record with a wrong MAC. The result is then what it says of an alert that it could read.
func (t *alertTap) plainAlert(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "local error" || !strings.Contains(op.Err.Error(), "bad record MAC") {
		return err
	}
	a := t.last
	if a[0] != 21 || a[1] != 3 || a[3] != 0 || a[4] != 2 || a[5] != 1 && a[5] != 2 {
		return err
	}
	return &net.OpError{Op: "remote error", Err: tls.AlertError(a[6])}
}
