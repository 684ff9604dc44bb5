package diagnose

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// Longest texts of a finding, in bytes.
const (
	lineLimit   = 600
	quoteLimit  = 200
	bannerLimit = 64
)

// clip cuts s at a limit without splitting a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "..."
}

// clipped is the lists as one new list of lines that are not too long, nil when all are empty.
func clipped(lists ...[]string) []string {
	var out []string
	for _, list := range lists {
		for _, s := range list {
			out = append(out, clip(s, lineLimit))
		}
	}
	return out
}

// quote shows bytes of a peer: printable ASCII, everything else escaped, cut at limit.
func quote(b []byte, limit int) string {
	more := ""
	if len(b) > limit {
		b, more = b[:limit], "..."
	}
	return strconv.QuoteToASCII(string(b)) + more
}

// secretFields are header fields whose values are never shown.
var secretFields = []string{"authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "apikey", "x-api-key", "x-goog-api-key", "x-provider-key", "x-auth-token", "authentication-info"}

// quoteLine shows a header line of a peer, without the value of a field that carries secrets.
func quoteLine(line []byte) string {
	name, value, found := bytes.Cut(line, []byte(":"))
	lower := strings.ToLower(strings.TrimSpace(string(name)))
	for _, s := range secretFields {
		if lower == s || !found && strings.HasPrefix(lower, s) {
			return quote(name[:min(len(name), len(s))], quoteLimit) + fmt.Sprintf(" with a value of %d bytes, not shown", len(value))
		}
	}
	return quote(line, quoteLimit)
}

// cleanTarget is a target as configured without user, password and query.
func cleanTarget(target string) string {
	target, _, _ = strings.Cut(target, "?")
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok {
		return target
	}
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + authority + path
}

// authority is host and port of a target, or its socket's path.
func authority(target string) string {
	target = cleanTarget(target)
	if _, rest, ok := strings.Cut(target, "://"); ok {
		target, _, _ = strings.Cut(rest, "/")
	}
	return target
}

// hostOf is a target's host name without port.
func hostOf(target string) string {
	a := authority(target)
	if i := strings.LastIndexByte(a, ':'); i > strings.LastIndexByte(a, ']') {
		a = a[:i]
	}
	return strings.Trim(a, "[]")
}

// limit writes a duration as the configuration does: "2s", "500ms", "1m", "1h30m".
func limit(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// lastKey is the last part of a dotted configuration key.
func lastKey(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// bytesText writes a number of bytes: exact, with a rounded form when it is large.
func bytesText(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d bytes (%.1f MiB)", n, float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%d bytes (%.1f KiB)", n, float64(n)/(1<<10))
	default:
		return plural(n, "byte")
	}
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatInt(n, 10) + " " + what + "s"
}

// errnoName is the symbolic name of a system error, as manuals and other programs' logs write it.
func errnoName(e syscall.Errno) string {
	for _, n := range errnoNames {
		if n.errno == e {
			return n.name
		}
	}
	return "system error " + strconv.Itoa(int(e)) + " (" + e.Error() + ")"
}

var errnoNames = []struct {
	errno syscall.Errno
	name  string
}{
	{syscall.ECONNREFUSED, "ECONNREFUSED"},
	{syscall.ECONNRESET, "ECONNRESET"},
	{syscall.ECONNABORTED, "ECONNABORTED"},
	{syscall.EPIPE, "EPIPE"},
	{syscall.ETIMEDOUT, "ETIMEDOUT"},
	{syscall.EHOSTUNREACH, "EHOSTUNREACH"},
	{syscall.EHOSTDOWN, "EHOSTDOWN"},
	{syscall.ENETUNREACH, "ENETUNREACH"},
	{syscall.ENETDOWN, "ENETDOWN"},
	{syscall.EADDRNOTAVAIL, "EADDRNOTAVAIL"},
	{syscall.EADDRINUSE, "EADDRINUSE"},
	{syscall.EAFNOSUPPORT, "EAFNOSUPPORT"},
	{syscall.EMFILE, "EMFILE"},
	{syscall.ENFILE, "ENFILE"},
	{syscall.ENOENT, "ENOENT"},
	{syscall.ENOTDIR, "ENOTDIR"},
	{syscall.EACCES, "EACCES"},
	{syscall.EPERM, "EPERM"},
	{syscall.EAGAIN, "EAGAIN"},
	{syscall.EPROTOTYPE, "EPROTOTYPE"},
	{syscall.ELOOP, "ELOOP"},
	{syscall.EIO, "EIO"},
}

// alertName is the name of a TLS alert (RFC 8446 section 6, and its predecessors), "unknown" when
// it is none of those.
func alertName(alert int) string {
	for _, n := range alertNames {
		if n.id == alert {
			return n.name
		}
	}
	return "unknown"
}

var alertNames = []struct {
	id   int
	name string
}{
	{0, "close_notify"},
	{10, "unexpected_message"},
	{20, "bad_record_mac"},
	{22, "record_overflow"},
	{40, "handshake_failure"},
	{42, "bad_certificate"},
	{43, "unsupported_certificate"},
	{44, "certificate_revoked"},
	{45, "certificate_expired"},
	{46, "certificate_unknown"},
	{47, "illegal_parameter"},
	{48, "unknown_ca"},
	{49, "access_denied"},
	{50, "decode_error"},
	{51, "decrypt_error"},
	{70, "protocol_version"},
	{71, "insufficient_security"},
	{80, "internal_error"},
	{86, "inappropriate_fallback"},
	{90, "user_canceled"},
	{109, "missing_extension"},
	{110, "unsupported_extension"},
	{112, "unrecognized_name"},
	{113, "bad_certificate_status_response"},
	{115, "unknown_psk_identity"},
	{116, "certificate_required"},
	{120, "no_application_protocol"},
}

// banner is the protocol whose greeting b is, "" when it is none we know.
func banner(b []byte) string {
	for _, p := range banners {
		if bytes.HasPrefix(b, []byte(p.begins)) {
			return p.name
		}
	}
	if len(b) > 5 && b[4] == 0x0a && bytes.IndexByte(b[5:], 0) > 0 { // protocol version 10 after a 4-byte packet header
		return "MySQL"
	}
	return ""
}

var banners = []struct{ begins, name string }{
	{"SSH-", "SSH"},
	{"220 ", "SMTP or FTP"},
	{"220-", "SMTP or FTP"},
	{"+OK", "POP3 or Redis"},
	{"* OK", "IMAP"},
	{"-ERR", "Redis"},
	{"-DENIED", "Redis"},
	{"RFB ", "VNC"},
	{"AMQP", "AMQP"},
	{"INFO {", "NATS"},
	{"ERROR\r\n", "memcached"},
	{"PRI * HTTP/2.0", "HTTP/2"},
	{"\x00\x00\x00\x04\x00", "HTTP/2"},
	{"\x00\x00\x06\x04\x00", "HTTP/2"},
	{"\x00\x00\x12\x04\x00", "HTTP/2"},
	{"\x00\x00\x18\x04\x00", "HTTP/2"},
	{"<stream:stream", "XMPP"},
	{"<?xml version='1.0'?><stream:", "XMPP"},
	{"<?xml", "XML without an HTTP header"},
	{"<", "HTML without an HTTP header (HTTP/0.9)"},
	{"{", "JSON without an HTTP header"},
	{"ICY ", "Shoutcast"},
	{"RTSP/", "RTSP"},
	{"SIP/", "SIP"},
}
