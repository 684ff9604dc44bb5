package diagnose

import (
	"bytes"
	"strings"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// staleWithin is how soon a kept-alive connection that the upstream had already closed says so.
// A FIN or RST that answers the request comes within a round trip; one that comes later means
// that the upstream had read the request.
const staleWithin = time.Second

// uploadRead is how much of a body a closed connection can swallow into socket buffers before its
// RST is noticed; beyond it somebody was reading.
const uploadRead = 1 << 20

// Kind names what happened on the socket of one attempt: its phase, its end and the details. It
// is "" while the attempt is good or still runs, and Unclassified for what has no name. A kind
// that an attempt of EndRefused already has (loop_detected) is kept.
func Kind(a *journey.Attempt) fault.Kind {
	if a.Tunnel != nil {
		return tunnelKind(a)
	}
	if a.End == journey.EndHedged {
		return "" // nothing failed: another target was faster
	}
	if a.HTTP2 != nil {
		if k := http2Kind(a); k != "" {
			return k
		}
	}
	switch a.End {
	case journey.EndOpen, journey.EndComplete:
		return ""
	case journey.EndEOF:
		return closed(a)
	case journey.EndReset:
		return reset(a)
	case journey.EndErrno:
		return errno(a)
	case journey.EndTimeout:
		return timeout(a)
	case journey.EndParse:
		return parse(a)
	case journey.EndDNS:
		return lookup(a.DNS)
	case journey.EndTLS:
		if a.TLS != nil && a.Phase >= journey.PhaseSend {
			return afterHandshake(a)
		}
		return handshake(a.TLS)
	case journey.EndCaller:
		if a.Phase == journey.PhaseSend && !a.SendComplete && a.BodyOutLen != 0 {
			return fault.RequestBodyAborted
		}
		return fault.CallerGone
	case journey.EndCancelled:
		return fault.GatewayDraining
	case journey.EndRefused:
		if a.Kind != "" {
			return a.Kind
		}
		return fault.AddressProhibited
	default:
		return fault.Unclassified
	}
}

// closed is what a FIN means in each phase.
func closed(a *journey.Attempt) fault.Kind {
	switch a.Phase {
	case journey.PhaseTLS:
		return fault.TLSHandshakeClosed
	case journey.PhaseSend, journey.PhaseWait:
		if stale(a) {
			return fault.StaleConnection
		}
		return fault.ClosedBeforeResponse
	case journey.PhaseHead:
		return fault.TruncatedHeader
	case journey.PhaseBody:
		return fault.TruncatedBody
	case journey.PhaseDone:
		return "" // the answer was whole; that the connection is not kept is nobody's failure
	default:
		return fault.Unclassified
	}
}

// reset is what an RST means in each phase.
func reset(a *journey.Attempt) fault.Kind {
	switch a.Phase {
	case journey.PhaseConnect:
		return fault.ConnectReset
	case journey.PhaseTLS:
		return fault.TLSHandshakeReset
	case journey.PhaseSend:
		switch {
		case stale(a):
			return fault.StaleConnection
		case a.BodyOutLen == 0 && a.BodyOut == 0:
			return fault.ResetBeforeResponse
		default:
			return fault.ResetDuringUpload
		}
	case journey.PhaseWait:
		if stale(a) {
			return fault.StaleConnection
		}
		return fault.ResetBeforeResponse
	case journey.PhaseHead:
		return fault.TruncatedHeader
	case journey.PhaseBody:
		return fault.ResetMidBody
	case journey.PhaseDone:
		return ""
	default:
		return fault.Unclassified
	}
}

// stale says whether a broken connection is one that the upstream closed as we used it again.
func stale(a *journey.Attempt) bool {
	if a.HTTP2 != nil && a.HTTP2.Streams > 0 {
		return false // it was in use, so that nobody closed it for being idle
	}
	return a.Reused && a.BytesIn == 0 && a.Silence < staleWithin && a.BodyOut < uploadRead
}

// errno names the other system errors. Those about routes and descriptors count only before the
// connection stands: later they break a request that was already under way.
func errno(a *journey.Attempt) fault.Kind {
	switch a.Errno {
	case syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED:
		return reset(a)
	case syscall.ETIMEDOUT:
		return kernelTimeout(a)
	}
	if a.Phase > journey.PhaseConnect {
		switch a.Errno {
		case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ECONNREFUSED:
			return reset(a) // an ICMP message broke the connection
		}
		return fault.Unclassified
	}
	unix := isUnix(a)
	switch a.Errno {
	case syscall.ECONNREFUSED:
		return fault.ConnectionRefused
	case syscall.EAGAIN, syscall.EPROTOTYPE: // a Unix socket whose backlog is full; one for datagrams
		return fault.ConnectionRefused
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP:
		if unix {
			return fault.SocketMissing
		}
	case syscall.EACCES, syscall.EPERM:
		if unix {
			return fault.SocketDenied
		}
		return fault.EgressDenied
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EAFNOSUPPORT:
		return fault.Unroutable
	case syscall.EADDRNOTAVAIL, syscall.EADDRINUSE:
		return fault.GatewayPortsExhausted
	case syscall.EMFILE, syscall.ENFILE:
		return fault.GatewayFilesExhausted
	}
	return fault.Unclassified
}

func isUnix(a *journey.Attempt) bool {
	return strings.HasPrefix(a.Target, "unix:") || strings.HasPrefix(a.Address, "/") || strings.HasPrefix(a.Address, "@")
}

// kernelTimeout is ETIMEDOUT: the kernel sent again and again and nobody acknowledged.
func kernelTimeout(a *journey.Attempt) fault.Kind {
	switch a.Phase {
	case journey.PhaseNone, journey.PhaseConnect:
		return fault.ConnectTimeout
	case journey.PhaseTLS:
		return fault.TLSHandshakeTimeout
	case journey.PhaseSend:
		return fault.SendTimeout
	case journey.PhaseWait:
		return fault.FirstByteTimeout
	case journey.PhaseHead, journey.PhaseBody:
		return fault.IdleTimeout
	default:
		return fault.Unclassified
	}
}

// timeout is one of our own limits that fired.
func timeout(a *journey.Attempt) fault.Kind {
	switch lastKey(a.Limit) {
	case "total":
		return fault.TotalTimeout
	case RPCLimit:
		return fault.DeadlineExceeded
	case "first_byte":
		return fault.FirstByteTimeout
	case "idle":
		return fault.IdleTimeout
	case "send":
		return fault.SendTimeout
	case "connect", "":
		if a.Phase == journey.PhaseDNS {
			return fault.DNSTimeout
		}
		return kernelTimeout(a)
	default:
		return fault.Unclassified
	}
}

// parse is an answer that is not what HTTP/1.1 allows.
func parse(a *journey.Attempt) fault.Kind {
	switch a.Fault {
	case journey.FaultNotHTTP, journey.FaultTLSBytes:
		switch {
		case a.Reused || a.ConnUses > 0:
			return fault.MalformedResponse // it spoke HTTP before: these are leftovers of the last answer
		case a.Fault == journey.FaultTLSBytes || isTLSRecord(a.First):
			return fault.PlainToTLSPort
		case strayHTTP(a.First):
			return fault.MalformedResponse
		default:
			return fault.NotHTTP
		}
	case journey.FaultStatusLine, journey.FaultVersion, journey.FaultFieldName, journey.FaultFieldValue, journey.FaultFieldLine, journey.FaultInterim:
		return fault.MalformedResponse
	case journey.FaultHeadTooLarge, journey.FaultTooManyFields:
		return fault.ResponseHeaderTooLarge
	case journey.FaultContentLength, journey.FaultFraming:
		return fault.FramingConflict
	case journey.FaultCoding:
		return fault.UnknownTransferCoding
	case journey.FaultChunk, journey.FaultTrailer:
		return fault.MalformedChunking
	case journey.FaultUpgrade:
		return fault.UnexpectedUpgrade
	default:
		return fault.Unclassified
	}
}

// isTLSRecord says whether b begins as a TLS record: an alert or a handshake message (RFC 8446
// section 5.1).
func isTLSRecord(b []byte) bool {
	return len(b) >= 2 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 0x03
}

// lookup is a failed DNS lookup.
func lookup(d *journey.DNSFacts) fault.Kind {
	switch {
	case d == nil:
		return fault.Unclassified
	case d.Timeout:
		return fault.DNSTimeout
	case d.RCode == "NXDOMAIN":
		return fault.DNSNotFound
	case d.RCode == "NOERROR":
		return fault.DNSNoAddress
	case d.RCode == "REFUSED":
		return fault.DNSRefused
	case d.NotFound:
		return fault.DNSNotFound
	default:
		return fault.DNSServerFailure // SERVFAIL, or nobody to ask
	}
}

// handshake is a failed TLS handshake.
func handshake(t *journey.TLSFacts) fault.Kind {
	if t == nil {
		return fault.Unclassified
	}
	if k := certificateKind(t.Reason); k != "" {
		return k
	}
	switch t.Reason {
	case "alert":
		return alert(t)
	case "not_tls":
		return notTLS(t.First)
	case "eof":
		return fault.TLSHandshakeClosed
	case "reset":
		return fault.TLSHandshakeReset
	case "timeout":
		return fault.TLSHandshakeTimeout
	case "protocol":
		if strings.Contains(t.Err, "unsupported protocol version") {
			return fault.TLSVersionMismatch // crypto/tls, of a ServerHello with a version below ours
		}
		return fault.TLSProtocolError
	default:
		return fault.Unclassified
	}
}

// afterHandshake is a TLS failure on a connection that stood. A TLS 1.3 server refuses a client's
// certificate only then; whatever else breaks there breaks a request or an answer under way.
func afterHandshake(a *journey.Attempt) fault.Kind {
	switch {
	case a.Phase >= journey.PhaseHead, a.TLS.Reason == "eof":
		return closed(a)
	case a.TLS.Reason == "reset":
		return reset(a)
	case a.TLS.Reason == "timeout":
		return kernelTimeout(a)
	default:
		return handshake(a.TLS)
	}
}

// alert reads the number of a TLS alert (RFC 8446 section 6, RFC 7301 for 120).
func alert(t *journey.TLSFacts) fault.Kind {
	if t.Own != "" {
		switch t.Alert {
		case 40, 42, 43, 44, 45, 46, 48, 49, 116: // the server has seen ours
			return fault.TLSClientCertRejected
		}
	}
	switch t.Alert {
	case 116: // certificate_required
		return fault.TLSClientCertificate
	case 42, 43, 44, 45, 46, 48, 49: // about a certificate: ours, if the server asked for one
		if t.Asked {
			return fault.TLSClientCertificate
		}
		return fault.TLSAlert
	case 40: // handshake_failure: also how TLS 1.2 servers say that a certificate is missing
		if t.Asked {
			return fault.TLSClientCertificate
		}
		return fault.TLSVersionMismatch
	case 70, 71, 120: // protocol_version, insufficient_security, no_application_protocol
		return fault.TLSVersionMismatch
	case 112: // unrecognized_name
		return fault.TLSUnrecognizedName
	default:
		return fault.TLSAlert
	}
}

// strayHTTP tells whether what came is HTTP after all, with something before its first line (a program that prints
// where its answer goes), with its version in small letters, or without it.
func strayHTTP(first []byte) bool {
	if banner(first) != "" {
		return false
	}
	return bytes.HasPrefix(bytes.ToLower(first), []byte("http/1.")) || bytes.Contains(first, []byte("\nHTTP/1.")) || bareStatus(first)
}

// bareStatus tells whether what came is "200 OK", without the version, and a field in the line below.
func bareStatus(first []byte) bool {
	line, rest, ok := bytes.Cut(first, []byte("\n"))
	if !ok || len(line) < 6 || line[3] != ' ' {
		return false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return false
		}
	}
	name, _, ok := bytes.Cut(rest, []byte(": "))
	return ok && len(name) > 1 && !bytes.ContainsAny(name, " \r\n\t")
}

// notTLS tells what answered a ClientHello in plain text.
func notTLS(first []byte) fault.Kind {
	trimmed := bytes.ToLower(bytes.TrimSpace(first))
	switch {
	case bytes.HasPrefix(trimmed, []byte("http/")), bytes.HasPrefix(trimmed, []byte("<")):
		return fault.TLSToPlainPort
	case banner(first) != "":
		return fault.NotHTTP
	default:
		return fault.TLSProtocolError
	}
}
