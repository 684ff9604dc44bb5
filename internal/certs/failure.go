package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Kind names the failure of a handshake with a caller, with a sentence about this one. now tells an
// expired certificate from one that is not valid yet. crypto/tls has no types for most of what it
// refuses; its texts are matched here and nowhere else, and the tests provoke each.
func Kind(err error, now time.Time) (fault.Kind, string) {
	var record tls.RecordHeaderError
	var bad *tls.CertificateVerificationError
	var waiting *ErrNotIssued
	switch {
	case errors.As(err, &waiting):
		return fault.CertificateNotIssued, waiting.Error()
	case err == nil:
		return fault.Unclassified, ""
	case errors.As(err, &record):
		return notTLS(record)
	case errors.As(err, &bad):
		return clientCertificate(bad, now)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.CallerTLSTimeout, "not done within server.read_header_timeout"
	}
	if number, text, ok := remoteAlert(err); ok {
		return alert(number, text)
	}
	text := strings.TrimPrefix(err.Error(), "tls: ")
	for _, known := range texts {
		if strings.HasPrefix(text, known.begins) {
			return known.kind, text
		}
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return fault.CallerTLSClosed, "the caller closed the connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fault.CallerTLSClosed, "the caller reset the connection"
	}
	return fault.CallerTLSBroken, text
}

// texts are how crypto/tls begins what it says of a caller, after "tls: ".
var texts = []struct {
	begins string
	kind   fault.Kind
}{
	{"client offered only unsupported versions", fault.CallerTLSVersion},
	{"client offered TLS version older", fault.CallerTLSVersion},
	{"client using inappropriate protocol fallback", fault.CallerTLSVersion},
	{"no cipher suite supported by both", fault.CallerTLSCipher},
	{"no key exchanges supported by both", fault.CallerTLSCipher},
	{"no ECDHE curve supported by both", fault.CallerTLSCipher},
	{"peer doesn't support any of the certificate's signature algorithms", fault.CallerTLSCipher},
	{"client offered only incompatible point formats", fault.CallerTLSCipher},
	{"client requested unsupported application protocols", fault.CallerTLSProtocol},
	{"no certificates configured", fault.CallerTLSUnknownName},
	{"client didn't provide a certificate", fault.ClientCertMissing},
	{"failed to parse client certificate", fault.ClientCertInvalid},
	{"client certificate", fault.ClientCertInvalid},
	{"client sent certificate containing RSA key larger", fault.ClientCertInvalid},
	{"invalid signature by the client certificate", fault.ClientCertInvalid},
}

// notTLS tells a plain HTTP request from other bytes.
func notTLS(e tls.RecordHeaderError) (fault.Kind, string) {
	detail := fmt.Sprintf("the first bytes are %q", e.RecordHeader[:])
	switch first := string(e.RecordHeader[:]); {
	case journey.BeginsRequest(e.RecordHeader):
		return fault.CallerTLSPlainHTTP, detail
	case first == "PROXY" || first == "\r\n\r\n\x00":
		detail += ", as the PROXY protocol begins (server.proxy_protocol)"
	case first[:4] == "SSH-":
		detail += ", as SSH begins"
	}
	return fault.CallerTLSNotTLS, detail
}

// clientCertificate tells why a caller's certificate was refused.
func clientCertificate(bad *tls.CertificateVerificationError, now time.Time) (fault.Kind, string) {
	whose := ""
	if len(bad.UnverifiedCertificates) > 0 {
		leaf := bad.UnverifiedCertificates[0]
		whose = fmt.Sprintf("certificate of %q, issued by %q", leaf.Subject.String(), leaf.Issuer.String())
	}
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(bad.Err, &authority):
		return fault.ClientCertUntrusted, whose
	case !errors.As(bad.Err, &invalid):
		return fault.ClientCertInvalid, whose + ": " + strings.TrimPrefix(bad.Err.Error(), "x509: ")
	case invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		return fault.ClientCertNotYet, whose + ", valid from " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339)
	case invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fault.ClientCertExpired, whose + ", valid until " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339)
	case invalid.Reason == x509.IncompatibleUsage:
		return fault.ClientCertUsage, whose
	}
	return fault.ClientCertInvalid, whose + ": " + strings.TrimPrefix(bad.Err.Error(), "x509: ")
}

// remoteAlert finds the alert that a caller sent: crypto/tls keeps its type to itself, and puts it into
// a net.OpError with the operation "remote error".
func remoteAlert(err error) (number int, text string, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return 0, "", false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return int(v.Uint()), strings.TrimPrefix(op.Err.Error(), "tls: "), true
	}
	return -1, op.Err.Error(), true
}

// alert reads an alert that a caller sent in the handshake (RFC 8446 section 6).
func alert(number int, text string) (fault.Kind, string) {
	detail := fmt.Sprintf("alert %d: %s", number, text)
	switch number {
	case 42, 43, 44, 45, 46, 48, 49, 113: // about our certificate
		return fault.CallerTLSDistrust, detail
	case 70:
		return fault.CallerTLSVersion, detail
	case 40, 71:
		return fault.CallerTLSCipher, detail
	case 0, 90: // close_notify, user_canceled
		return fault.CallerTLSClosed, detail
	}
	return fault.CallerTLSAlert, detail
}
