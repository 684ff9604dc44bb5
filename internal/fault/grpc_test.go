package fault

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEveryKindHasOneGRPCCode(t *testing.T) {
	seen := map[Kind]bool{}
	for _, row := range grpcCodes {
		for _, k := range row.kinds {
			if seen[k] {
				t.Errorf("%s has two codes", k)
			}
			seen[k] = true
			if Lookup(k) == nil {
				t.Errorf("%s is in the table of codes and not in the catalogue", k)
			}
		}
		if row.code == CodeOK || int(row.code) >= Codes {
			t.Errorf("%v is no code of a failure", row.code)
		}
	}
	for i := range All() {
		if k := All()[i].Kind; !seen[k] {
			t.Errorf("%s has no gRPC code: give it one in table_codes.go", k)
		}
	}
}

// TestCodesThatInviteToRepeat: clients repeat UNAVAILABLE by themselves where they are told to, so no
// kind may have it whose repetition is pointless or whose work may be going on.
func TestCodesThatInviteToRepeat(t *testing.T) {
	for kind, want := range map[Kind]Code{
		ConnectionRefused: CodeUnavailable, ConnectTimeout: CodeUnavailable, NoHealthyTarget: CodeUnavailable, GatewayOverloaded: CodeUnavailable,
		FirstByteTimeout: CodeDeadlineExceeded, IdleTimeout: CodeDeadlineExceeded, DeadlineExceeded: CodeDeadlineExceeded,
		KeyMissing: CodeUnauthenticated, NotSubscribed: CodePermissionDenied, RouteNotFound: CodeUnimplemented, RateLimited: CodeResourceExhausted,
		BodyTooLarge: CodeResourceExhausted, CallerGone: CodeCancelled, GatewayBug: CodeInternal, NotHTTP: CodeInternal, GRPCUpstreamHTTP1: CodeInternal,
		GRPCUnimplemented: CodeUnimplemented, GRPCUnauthenticated: CodeUnauthenticated, GRPCDataLoss: CodeDataLoss, "of_another_version": CodeUnknown,
	} {
		if got := GRPCCode(kind); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

func TestCodeNames(t *testing.T) {
	for c, want := range map[Code]string{CodeOK: "OK", CodeUnavailable: "UNAVAILABLE", CodeUnauthenticated: "UNAUTHENTICATED", 17: "17", 4294967295: "4294967295"} {
		if got := c.String(); got != want {
			t.Errorf("%d: %s, want %s", uint32(c), got, want)
		}
	}
}

// field is one field of a decoded message.
type field struct {
	number int
	varint uint64
	bytes  []byte
}

// decode reads a message of varints and length-delimited fields.
func decode(t *testing.T, b []byte) (fields []field) {
	t.Helper()
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		b = b[max(n, 0):]
		v, m := binary.Uvarint(b)
		if n <= 0 || m <= 0 {
			t.Fatalf("not a message: %x", b)
		}
		b = b[m:]
		f := field{number: int(tag >> 3), varint: v}
		if tag&7 == protoTypeBytes {
			f.bytes, b = b[:v], b[v:]
		}
		fields = append(fields, f)
	}
	return fields
}

// tell is a status's details as lines.
func tell(t *testing.T, header []byte) (lines []string) {
	t.Helper()
	raw, err := base64.RawStdEncoding.DecodeString(string(header))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range decode(t, raw) {
		switch f.number {
		case 1:
			lines = append(lines, fmt.Sprintf("code %d", f.varint))
		case 2:
			lines = append(lines, "message "+string(f.bytes))
		case 3:
			detail := decode(t, f.bytes)
			name := strings.TrimPrefix(string(detail[0].bytes), "type.googleapis.com/google.rpc.")
			for _, m := range decode(t, detail[1].bytes) {
				line := fmt.Sprintf("%s.%d ", name, m.number)
				if m.number == 3 && name == "ErrorInfo" || name == "Help" {
					pair := decode(t, m.bytes)
					line += string(pair[0].bytes) + "=" + string(pair[1].bytes)
				} else if name == "RetryInfo" {
					for _, d := range decode(t, m.bytes) {
						line += fmt.Sprintf("%d:%d ", d.number, d.varint)
					}
				} else {
					line += string(m.bytes)
				}
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func TestGRPCDetails(t *testing.T) {
	f := example()
	safe := tell(t, GRPCDetails(nil, f, View{CallID: "01J", PublicURL: "https://api.example.com"}))
	want := []string{
		"code 14",
		"message orders: the upstream refused the TCP connection after 0.2 ms; nothing listens there. (connection_refused, call 01J)",
		"ErrorInfo.1 CONNECTION_REFUSED", "ErrorInfo.2 causeway",
		"ErrorInfo.3 call_id=01J", "ErrorInfo.3 cause=software", "ErrorInfo.3 kind=connection_refused", "ErrorInfo.3 retry=safe",
		"RetryInfo.1 2:500000000",
		"Help.1 What happened in this call=https://api.example.com/.causeway/calls/01J",
		"Help.1 What this failure is: The upstream refused the connection=https://api.example.com/.causeway/failures/connection_refused",
	}
	if !slices.Equal(safe, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(safe, "\n"), strings.Join(want, "\n"))
	}
	full := tell(t, GRPCDetails(nil, f, View{CallID: "01J", Full: true}))
	for _, line := range []string{
		"DebugInfo.1 TCP connect to 127.0.0.1:9001: ECONNREFUSED after 0.2 ms", "DebugInfo.1 last good answer from this target: 41 s ago",
		"DebugInfo.2 Check that the service runs on 127.0.0.1:9001 ...",
	} {
		if !slices.Contains(full, line) {
			t.Errorf("the full view lacks %q: %q", line, full)
		}
	}
	f.Retry = MayRepeat
	if got := tell(t, GRPCDetails(nil, f, View{})); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "RetryInfo") }) {
		t.Error("a pause before a repetition that may do harm is told")
	}
}

// TestGRPCStatusOfEveryKind: the texts fit into the metadata that clients take, and a reason has the
// form that google.rpc.ErrorInfo asks for.
func TestGRPCStatusOfEveryKind(t *testing.T) {
	reason := regexp.MustCompile(`^[A-Z][A-Z0-9_]+[A-Z0-9]$`)
	for i := range All() {
		f := example()
		f.Kind, f.Detail, f.SafeDetail = All()[i].Kind, strings.Repeat("ä\n%", 5000), ""
		f.Evidence = []string{strings.Repeat("x", 1500), strings.Repeat("y", 1500)}
		v := View{CallID: "01KAPZQ4M8X3V7N2T5R9W6YB1C", Full: true, PublicURL: "https://a-rather-long-name.api.example.com:8443"}
		if r := strings.ToUpper(string(f.Kind)); !reason.MatchString(r) || len(r) > 63 {
			t.Errorf("%s is no reason", r)
		}
		message, details := GRPCMessage(nil, f, v), GRPCDetails(nil, f, v)
		if len(message)+len(details) > 8<<10-512 {
			t.Errorf("%s: %d bytes of message and %d of details", f.Kind, len(message), len(details))
		}
		for _, line := range tell(t, details) {
			if !utf8.ValidString(line) {
				t.Errorf("%s: %q", f.Kind, line)
			}
		}
	}
}

func TestPercentEncoding(t *testing.T) {
	for _, c := range []struct{ text, encoded string }{
		{"", ""},
		{"plain text, with ~ and space", "plain text, with ~ and space"},
		{"100% of it", "100%25 of it"},
		{"\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n", "%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A"},
	} {
		if got := string(AppendPercent(nil, c.text)); got != c.encoded {
			t.Errorf("%q became %q, want %q", c.text, got, c.encoded)
		}
		if got := DecodePercent([]byte(c.encoded)); got != c.text {
			t.Errorf("%q became %q, want %q", c.encoded, got, c.text)
		}
	}
	for encoded, want := range map[string]string{"50%": "50%", "%4": "%4", "%zz%41": "%zzA", "%e2%98%ba": "☺", "%ff": "\uFFFD"} {
		if got := DecodePercent([]byte(encoded)); got != want {
			t.Errorf("%q became %q, want %q", encoded, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.String().Draw(rt, "text")
		if got := DecodePercent(AppendPercent(nil, s)); got != s {
			rt.Fatalf("%q became %q", s, got)
		}
	})
}
