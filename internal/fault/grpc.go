package fault

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Code is a gRPC status code (https://grpc.io/docs/guides/status-codes/). Numbers above
// CodeUnauthenticated are no codes of the specification, but peers may send them.
type Code uint32

// The codes.
const (
	CodeOK Code = iota
	CodeCancelled
	CodeUnknown
	CodeInvalidArgument
	CodeDeadlineExceeded
	CodeNotFound
	CodeAlreadyExists
	CodePermissionDenied
	CodeResourceExhausted
	CodeFailedPrecondition
	CodeAborted
	CodeOutOfRange
	CodeUnimplemented
	CodeInternal
	CodeUnavailable
	CodeDataLoss
	CodeUnauthenticated
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// Codes is how many codes the specification has; they are numbered from 0.
const Codes = len(codeNames)

// String is the code's name in the specification, or its number where it has none there.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return strconv.FormatUint(uint64(c), 10)
}

// Label is the code for a reader: its name and number, or the number alone where it has no name.
func (c Code) Label() string {
	if int(c) < len(codeNames) {
		return codeNames[c] + " (" + strconv.Itoa(int(c)) + ")"
	}
	return c.String()
}

// ErrorDomain is the domain of the google.rpc.ErrorInfo that GRPCDetails makes. Its reason is the
// kind in upper case, and unique within the domain.
const ErrorDomain = "causeway"

// Most bytes of a status's texts: a client may take no more than 8 KiB of trailers (grpc-java's
// default), and the details' base64 is longer by a third.
const (
	messageLimit  = 1000
	debugLimit    = 2000
	grpcHelpLimit = 300
)

// GRPCMessage appends the grpc-message of f: the sentence that the view may see with the kind and the
// call's id, percent-encoded (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md,
// Responses).
func GRPCMessage(dst []byte, f *Finding, v View) []byte {
	return AppendPercent(dst, grpcMessage(f, v))
}

func grpcMessage(f *Finding, v View) string {
	s := cut(v.detail(f, entryOf(f.Kind)), messageLimit) + " (" + string(f.Kind)
	if v.CallID != "" {
		s += ", call " + v.CallID
	}
	return s + ")"
}

// GRPCDetails appends the grpc-status-details-bin of f: a google.rpc.Status in unpadded base64. Its
// details are an ErrorInfo (reason: the kind in upper case, domain: ErrorDomain, metadata: call_id,
// kind, cause, retry), a RetryInfo where the pause is known and repeating is safe, a Help with the
// pages of the call and of the kind, and, in the full view, a DebugInfo with the evidence
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto).
func GRPCDetails(dst []byte, f *Finding, v View) []byte {
	e := entryOf(f.Kind)
	m := protoVarint(nil, 1, uint64(GRPCCode(f.Kind)))
	m = protoString(m, 2, grpcMessage(f, v))
	m = protoDetail(m, "ErrorInfo", errorInfo(f, v))
	if f.Retry == Safe && f.RetryAfterMS > 0 {
		m = protoDetail(m, "RetryInfo", protoBytes(nil, 1, protoDuration(nil, time.Duration(f.RetryAfterMS)*time.Millisecond)))
	}
	m = protoDetail(m, "Help", grpcHelp(f, e, v))
	if d := debugInfo(f, e, v); len(d) > 0 {
		m = protoDetail(m, "DebugInfo", d)
	}
	return base64.RawStdEncoding.AppendEncode(dst, m)
}

func errorInfo(f *Finding, v View) []byte {
	m := protoString(nil, 1, strings.ToUpper(string(f.Kind)))
	m = protoString(m, 2, ErrorDomain)
	for _, p := range [...]struct{ key, value string }{
		{"call_id", v.CallID}, {"cause", string(f.Cause)}, {"kind", string(f.Kind)}, {"retry", string(f.Retry)},
	} {
		if p.value != "" {
			m = protoBytes(m, 3, protoString(protoString(nil, 1, p.key), 2, p.value))
		}
	}
	return m
}

func grpcHelp(f *Finding, e *Entry, v View) (m []byte) {
	link := func(description, url string) {
		m = protoBytes(m, 1, protoString(protoString(nil, 1, cut(description, grpcHelpLimit)), 2, url))
	}
	if v.CallID != "" {
		link("What happened in this call", v.helpURL(f.Kind))
	}
	link("What this failure is: "+e.Title, v.typeURL(f.Kind))
	return m
}

// debugInfo is what only those get who may know addresses.
func debugInfo(f *Finding, e *Entry, v View) (m []byte) {
	if !v.Full {
		return nil
	}
	left := debugLimit
	for _, s := range f.Evidence {
		if left -= len(s); left < 0 {
			break
		}
		m = protoString(m, 1, s)
	}
	if advice := v.advice(f, e); len(advice) > 0 {
		m = protoString(m, 2, cut(advice[0], max(left, grpcHelpLimit)))
	}
	return m
}

// cut shortens s to a limit of bytes without splitting a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "..."
}

// AppendPercent appends s as grpc-message wants it: printable ASCII as it is but for the percent
// sign, every other byte of its UTF-8 as %XX.
func AppendPercent(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// DecodePercent is the reverse of AppendPercent. What is no valid escape stays as it is, as the
// specification asks; invalid UTF-8 becomes U+FFFD.
func DecodePercent(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			hi, lo := unhex(b[i+1]), unhex(b[i+2])
			if hi|lo < 16 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// unhex is the value of a hexadecimal digit, above 15 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
