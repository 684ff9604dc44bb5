package wire

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// fact is what one attempt at a bad upstream must say.
type fact struct {
	phase journey.Phase
	end   journey.End
	more  []check
}

// check looks at one more thing.
type check func(*outcome) error

func is[T comparable](what string, got func(*outcome) T, want ...T) check {
	return func(o *outcome) error {
		if g := got(o); !slices.Contains(want, g) {
			return fmt.Errorf("%s is %v, want %v", what, g, want)
		}
		return nil
	}
}

func errnoIs(want ...syscall.Errno) check {
	return is("Errno", func(o *outcome) syscall.Errno { return o.Errno }, want...)
}

func faultIs(want journey.ParseFault) check {
	return is("Fault", func(o *outcome) journey.ParseFault { return o.Fault }, want)
}

func limitIs(key string, value time.Duration) check {
	return func(o *outcome) error {
		if o.Limit != key || o.LimitValue != value {
			return fmt.Errorf("limit is %s %v, want %s %v", o.Limit, o.LimitValue, key, value)
		}
		return nil
	}
}

func statusIs(want int) check { return is("Status", func(o *outcome) int { return o.Status }, want) }

func bodyIs(in, declared int64) check {
	return func(o *outcome) error {
		if o.BodyIn != in || o.BodyInLen != declared || int64(len(o.body)) != in {
			return fmt.Errorf("body is %d of %d, %d handed on; want %d of %d", o.BodyIn, o.BodyInLen, len(o.body), in, declared)
		}
		return nil
	}
}

func lineIs(offset int64, line string) check {
	return func(o *outcome) error {
		if o.Offset != offset || string(o.Line) != line {
			return fmt.Errorf("the fault stands at %d in %q, want %d in %q", o.Offset, o.Line, offset, line)
		}
		return nil
	}
}

func firstIs(prefix string) check {
	return func(o *outcome) error {
		if !bytes.HasPrefix(o.First, []byte(prefix)) || len(o.First) > 200 {
			return fmt.Errorf("first bytes are %q, want %q", o.First, prefix)
		}
		return nil
	}
}

func dnsIs(rcode string, notFound, timeout bool) check {
	return func(o *outcome) error {
		d := o.DNS
		if d == nil || d.Name != "orders.test" || d.RCode != rcode || d.NotFound != notFound || d.Timeout != timeout || d.Err == "" {
			return fmt.Errorf("DNS is %+v, want %s", d, rcode)
		}
		return nil
	}
}

func tlsIs(reason string, alert int, more ...func(*journey.TLSFacts) bool) check {
	return func(o *outcome) error {
		f := o.TLS
		if f == nil || f.Reason != reason || f.Alert != alert || f.Err == "" && reason != "timeout" {
			return fmt.Errorf("TLS is %+v, want %s, alert %d", f, reason, alert)
		}
		for i, ok := range more {
			if !ok(f) {
				return fmt.Errorf("TLS is %+v: check %d", f, i)
			}
		}
		return nil
	}
}

func triesAre(errnos ...syscall.Errno) check {
	return func(o *outcome) error {
		var got []syscall.Errno
		for _, t := range o.Tries {
			got = append(got, t.Errno)
		}
		if !slices.Equal(got, errnos) || o.Tries[len(o.Tries)-1].Address != o.Address {
			return fmt.Errorf("tries %+v of %s, want %v", o.Tries, o.Address, errnos)
		}
		return nil
	}
}

func reused(o *outcome) error {
	if !o.Reused || o.ConnUses != 1 || o.ConnAge <= 0 || o.ConnIdle < 0 || o.ConnIdle > o.ConnAge {
		return fmt.Errorf("reused %v, %d uses, age %v, idle %v", o.Reused, o.ConnUses, o.ConnAge, o.ConnIdle)
	}
	return nil
}

func fresh(o *outcome) error {
	if o.Reused || o.ConnUses != 0 {
		return fmt.Errorf("reused %v after %d uses", o.Reused, o.ConnUses)
	}
	return nil
}

// short is the limit that fires in these tests.
const short = 250 * time.Millisecond

const (
	inConnect = journey.PhaseConnect
	inTLS     = journey.PhaseTLS
	inSend    = journey.PhaseSend
	inWait    = journey.PhaseWait
	inHead    = journey.PhaseHead
	inBody    = journey.PhaseBody
	allDone   = journey.PhaseDone
)

// Heads of the lab's answers: where the line behind the status line begins, and behind Content-Type.
const (
	line2 = int64(len("HTTP/1.1 200 OK\r\n"))
	line3 = line2 + int64(len("Content-Type: text/plain\r\n"))
	chunk = line3 + int64(len("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
)

func parse(fault journey.ParseFault, more ...check) fact {
	return fact{inHead, journey.EndParse, append(more, faultIs(fault), statusIs(0))}
}

func broken(fault journey.ParseFault, more ...check) fact {
	return fact{inBody, journey.EndParse, append(more, faultIs(fault), statusIs(200))}
}

func cert(reason string, more ...func(*journey.TLSFacts) bool) fact {
	more = append(more, func(f *journey.TLSFacts) bool {
		return f.Chain == 1 && f.Subject != "" && f.Issuer != "" && len(f.Names) > 0 && !f.NotBefore.IsZero() && !f.NotAfter.IsZero() && !f.AfterComplete
	})
	return fact{inTLS, journey.EndTLS, []check{tlsIs(reason, -1, more...)}}
}

func alert(number int, more ...func(*journey.TLSFacts) bool) fact {
	more = append(more, func(f *journey.TLSFacts) bool { return f.AlertText != "" })
	return fact{inTLS, journey.EndTLS, []check{tlsIs("alert", number, more...)}}
}

func notTLS(first string) fact {
	return fact{inTLS, journey.EndTLS, []check{tlsIs("not_tls", -1, func(f *journey.TLSFacts) bool {
		return strings.HasPrefix(string(f.First), first)
	})}}
}

func answer(status int, more ...check) fact {
	return fact{allDone, journey.EndComplete, append(more, statusIs(status), errnoIs(0), func(o *outcome) error {
		if o.err != nil || o.none || o.Limit != "" || o.Fault != "" {
			return fmt.Errorf("a good answer: %s", o.show())
		}
		return nil
	})}
}

// facts is what wire says of every fault of the lab that shows on one call. Answers that are whole
// HTTP, whatever they say, are in the list by their status.
var facts = map[string]fact{
	"connection_refused":  {inConnect, journey.EndErrno, []check{errnoIs(syscall.ECONNREFUSED), triesAre(syscall.ECONNREFUSED)}},
	"connect_timeout":     {inConnect, journey.EndTimeout, []check{limitIs("connect", short), errnoIs(0)}},
	"unroutable":          {inConnect, journey.EndErrno, []check{errnoIs(syscall.ENETUNREACH)}},
	"unix_socket_missing": {inConnect, journey.EndErrno, []check{errnoIs(syscall.ENOENT)}},
	"unix_socket_denied":  {inConnect, journey.EndErrno, []check{errnoIs(syscall.EACCES)}},
	"unix_socket_stale":   {inConnect, journey.EndErrno, []check{errnoIs(syscall.ECONNREFUSED)}},
	"unix_socket":         answer(200, bodyIs(3, 3)),

	"dns_nxdomain":       {journey.PhaseDNS, journey.EndDNS, []check{dnsIs("NXDOMAIN", true, false)}},
	"dns_nodata":         {journey.PhaseDNS, journey.EndDNS, []check{dnsIs("NOERROR", true, false)}},
	"dns_servfail":       {journey.PhaseDNS, journey.EndDNS, []check{dnsIs("SERVFAIL", false, false)}},
	"dns_refused":        {journey.PhaseDNS, journey.EndDNS, []check{dnsIs("REFUSED", false, false)}},
	"dns_server_down":    {journey.PhaseDNS, journey.EndDNS, []check{dnsIs("", false, false)}},
	"dns_timeout":        {journey.PhaseDNS, journey.EndTimeout, []check{dnsIs("", false, true), limitIs("connect", short)}},
	"dns_slow":           answer(200),
	"dns_truncated":      answer(200),
	"dns_dead_then_live": answer(200, triesAre(syscall.ECONNREFUSED, 0)),
	"dns_dead_only":      {inConnect, journey.EndErrno, []check{errnoIs(syscall.ECONNREFUSED), triesAre(syscall.ECONNREFUSED, syscall.ECONNREFUSED)}},

	"tls":                      answer(200, bodyIs(3, 3)),
	"tls_unknown_authority":    cert("unknown_authority"),
	"tls_self_signed":          cert("self_signed"),
	"tls_intermediate_missing": cert("missing_intermediate"),
	"tls_expired":              cert("expired"),
	"tls_not_yet_valid":        cert("not_yet_valid"),
	"tls_name_mismatch": cert("name_mismatch", func(f *journey.TLSFacts) bool {
		return f.ServerName == "orders.test" && slices.Contains(f.Names, "other.test")
	}),
	"tls_wrong_usage": cert("wrong_usage"),
	"tls_intermediate_expired": chained("issuer_expired", func(f *journey.TLSFacts) bool {
		return f.Chain == 2 && f.Subject == "CN=Faulty Lab Intermediate,O=Causeway fault lab" && f.NotAfter.Before(time.Now())
	}),
	"tls_intermediate_not_yet_valid": chained("issuer_not_yet_valid", func(f *journey.TLSFacts) bool { return f.NotBefore.After(time.Now()) }),
	"tls_name_constraint":            chained("name_constraint"),
	"tls_not_an_authority":           chained("not_an_authority"),
	"tls_weak_signature":             cert("weak_signature"),
	"tls_chain_too_long":             chained("chain_too_long"),
	"tls_pin_mismatch":               cert("pin_mismatch", func(f *journey.TLSFacts) bool { return strings.Contains(f.Err, "its pin is sha256/") }),
	"tls_client_unknown":             {inWait, journey.EndTLS, []check{tlsIs("alert", 48, shown)}},
	"tls_client_unknown_12":          alert(48, shown),
	"tls_client_expired":             {inWait, journey.EndTLS, []check{tlsIs("alert", 45, shown)}},
	"tls_client_wrong_usage":         {inWait, journey.EndTLS, []check{tlsIs("alert", 42, shown)}},
	"tls_client_certificate": {inWait, journey.EndTLS, []check{tlsIs("alert", 116, func(f *journey.TLSFacts) bool {
		return f.Asked && f.AfterComplete
	})}},
	"tls_client_certificate_12": alert(40, func(f *journey.TLSFacts) bool { return f.Asked && !f.AfterComplete }),
	"tls_old_versions":          alert(70),
	"tls_old_hello":             {inTLS, journey.EndTLS, []check{tlsIs("protocol", -1)}},
	"tls_unrecognized_name":     alert(112, func(f *journey.TLSFacts) bool { return f.ServerName == "gone.test" }),
	"tls_alert":                 alert(80),
	"tls_alert_handshake":       alert(40, func(f *journey.TLSFacts) bool { return !f.Asked }),
	"tls_alert_protocol":        alert(120),
	"tls_handshake_closed":      {inTLS, journey.EndTLS, []check{tlsIs("eof", -1)}},
	"tls_handshake_cut":         {inTLS, journey.EndTLS, []check{tlsIs("eof", -1)}},
	"tls_handshake_reset":       {inTLS, journey.EndTLS, []check{tlsIs("reset", -1)}},
	"tls_handshake_timeout":     {inTLS, journey.EndTimeout, []check{tlsIs("timeout", -1), limitIs("connect", short)}},
	"tls_garbage":               {inTLS, journey.EndTLS, []check{tlsIs("protocol", -1)}},
	"tls_not_tls":               notTLS("\xfe\xed"),
	"tls_to_plain":              notTLS("HTTP/1.1 400"),
	"tls_to_plain_nginx":        notTLS("HTTP/1.1 400"),
	"tls_to_ssh":                notTLS("SSH-2.0-"),
	"tls_body_cut_rst":          {inBody, journey.EndReset, []check{errnoIs(syscall.ECONNRESET), bodyIs(10, 100)}},
	"tls_close_before_response": {inWait, journey.EndEOF, []check{fresh}},

	"plain_to_tls":        answer(400, bodyIs(48, -1)),
	"plain_to_tls_nginx":  answer(400),
	"plain_to_tls_apache": answer(400),
	"plain_to_tls_alert":  parse(journey.FaultTLSBytes, firstIs("\x15\x03\x03")),

	"banner_ssh":   parse(journey.FaultNotHTTP, firstIs("SSH-2.0-OpenSSH_9.6\r\n")),
	"banner_smtp":  parse(journey.FaultNotHTTP, firstIs("220 mail")),
	"banner_mysql": parse(journey.FaultNotHTTP, firstIs("\x4a\x00\x00\x00\x0a8.0.36")),
	"banner_redis": parse(journey.FaultNotHTTP, firstIs("-ERR unknown command")),
	"http_09":      parse(journey.FaultNotHTTP, firstIs("<html>")),
	"empty_lines":  parse(journey.FaultNotHTTP, firstIs("\r\n\r\nHTTP/1.1 200")),
	"h2_only":      parse(journey.FaultNotHTTP, firstIs("\x00\x00\x00\x04")),

	"status_not_a_number":       parse(journey.FaultStatusLine, lineIs(0, "HTTP/1.1 abc OK")),
	"status_two_digits":         parse(journey.FaultStatusLine, lineIs(0, "HTTP/1.1 20 OK")),
	"status_four_digits":        parse(journey.FaultStatusLine, lineIs(0, "HTTP/1.1 2000 OK")),
	"status_missing":            parse(journey.FaultStatusLine, lineIs(0, "HTTP/1.1")),
	"version_unknown":           parse(journey.FaultVersion, lineIs(0, "HTTP/3.7 200 OK")),
	"version_two":               parse(journey.FaultVersion, lineIs(0, "HTTP/2 200 OK")),
	"version_garbled":           parse(journey.FaultVersion, lineIs(0, "HTTP/one.one 200 OK")),
	"header_without_colon":      parse(journey.FaultFieldLine, lineIs(line2, "X-Broken value")),
	"header_space_before_colon": parse(journey.FaultFieldName, lineIs(line2, "X-Broken : value")),
	"header_bad_name":           parse(journey.FaultFieldName, lineIs(line2, "X-(Broken): value")),
	"header_empty_name":         parse(journey.FaultFieldName, lineIs(line2, ": value")),
	"header_nul":                parse(journey.FaultFieldValue, lineIs(line2, "X-Broken: a\x00b")),
	"header_control":            parse(journey.FaultFieldValue, lineIs(line2, "X-Broken: a\x01b")),
	"header_bare_cr":            parse(journey.FaultFieldValue, lineIs(line2, "X-Broken: a\rX-Smuggled: b")),
	"header_newline":            parse(journey.FaultFieldLine, lineIs(line2+60, "ValueError")),
	"header_folded_first":       parse(journey.FaultFieldLine, lineIs(line2, " X-Broken: value")),
	"header_too_large":          parse(journey.FaultHeadTooLarge),
	"header_too_many":           parse(journey.FaultHeadTooLarge),
	"header_endless":            parse(journey.FaultHeadTooLarge),

	"header_cut_fin":      {inHead, journey.EndEOF, []check{firstIs("HTTP/1.1 200 OK\r\nContent-Type"), statusIs(0)}},
	"header_cut_rst":      {inHead, journey.EndReset, []check{firstIs("HTTP/1.1 200 OK\r\nContent-Type"), errnoIs(syscall.ECONNRESET)}},
	"status_line_cut_fin": {inHead, journey.EndEOF, []check{firstIs("HTTP/1.1 2")}},
	"status_line_cut_rst": {inHead, journey.EndReset, []check{firstIs("HTTP/1.1 2")}},
	"header_end_missing":  {inHead, journey.EndEOF, []check{statusIs(0)}},

	"cl_and_te":       parse(journey.FaultFraming, lineIs(line3+19, "Transfer-Encoding: chunked")),
	"cl_two":          parse(journey.FaultContentLength, lineIs(line3+19, "Content-Length: 3")),
	"cl_list":         parse(journey.FaultContentLength, lineIs(line3, "Content-Length: 5, 3")),
	"cl_not_a_number": parse(journey.FaultContentLength, lineIs(line3, "Content-Length: five")),
	"cl_negative":     parse(journey.FaultContentLength, lineIs(line3, "Content-Length: -5")),
	"cl_plus":         parse(journey.FaultContentLength, lineIs(line3, "Content-Length: +5")),
	"cl_hex":          parse(journey.FaultContentLength, lineIs(line3, "Content-Length: 0x5")),
	"cl_huge":         parse(journey.FaultContentLength, lineIs(line3, "Content-Length: 99999999999999999999")),
	"cl_empty":        parse(journey.FaultContentLength, lineIs(line3, "Content-Length: ")),
	"te_gzip":         parse(journey.FaultCoding, lineIs(line3, "Transfer-Encoding: gzip, chunked")),
	"te_unknown":      parse(journey.FaultCoding, lineIs(line3, "Transfer-Encoding: xchunked")),
	"te_identity":     parse(journey.FaultCoding, lineIs(line3, "Transfer-Encoding: identity")),
	"te_twice":        parse(journey.FaultCoding, lineIs(line3, "Transfer-Encoding: chunked, chunked")),
	"te_two_lines":    parse(journey.FaultCoding, lineIs(line3, "Transfer-Encoding: chunked")),
	"cl_repeated":     answer(200, bodyIs(5, 5)),

	"body_cut_fin":             {inBody, journey.EndEOF, []check{bodyIs(10, 100), statusIs(200)}},
	"body_missing":             {inBody, journey.EndEOF, []check{bodyIs(0, 100), statusIs(200)}},
	"body_cut_rst":             {inBody, journey.EndReset, []check{bodyIs(10, 100), errnoIs(syscall.ECONNRESET)}},
	"body_close_delimited":     answer(200, bodyIs(3, -1)),
	"body_close_delimited_rst": {inBody, journey.EndReset, []check{bodyIs(3, -1), errnoIs(syscall.ECONNRESET)}},
	"body_too_large":           answer(200), // the limit is the gateway's
	"extra_bytes":              answer(200, bodyIs(3, 3)),
	"204_with_body":            answer(204, bodyIs(0, 0)),
	"304_with_body":            answer(304, bodyIs(0, 0)),
	"head_with_body":           answer(200, bodyIs(0, 0)),

	"chunk_bad_size":          broken(journey.FaultChunk, bodyIs(5, -1), lineIs(chunk, "zz")),
	"chunk_no_crlf":           broken(journey.FaultChunk, bodyIs(10, -1), lineIs(chunk+8, "0")),
	"chunk_huge":              broken(journey.FaultChunk, bodyIs(5, -1), lineIs(chunk, "fffffffffffffffff")),
	"chunk_negative":          broken(journey.FaultChunk, bodyIs(5, -1), lineIs(chunk, "-5")),
	"chunk_empty_size":        broken(journey.FaultChunk, bodyIs(5, -1), lineIs(chunk, "")),
	"chunk_bad_trailer":       broken(journey.FaultTrailer, bodyIs(5, -1), lineIs(chunk+3, "Checksum 12")),
	"chunk_endless_extension": broken(journey.FaultChunk, bodyIs(0, -1)),
	"chunk_cut_fin":           {inBody, journey.EndEOF, []check{bodyIs(10, -1)}},
	"chunk_cut_rst":           {inBody, journey.EndReset, []check{bodyIs(10, -1), errnoIs(syscall.ECONNRESET)}},
	"chunk_last_missing":      {inBody, journey.EndEOF, []check{bodyIs(5, -1)}},

	"close_before_response": {inWait, journey.EndEOF, []check{fresh, statusIs(0)}},
	"close_on_accept":       {inWait, journey.EndEOF, []check{fresh}},
	"reset_before_response": {inWait, journey.EndReset, []check{fresh, errnoIs(syscall.ECONNRESET)}},
	"reset_after_delay":     {inWait, journey.EndReset, []check{fresh, errnoIs(syscall.ECONNRESET)}},

	"stale_close":      {inWait, journey.EndEOF, []check{reused}},
	"stale_reset":      {inWait, journey.EndReset, []check{reused, errnoIs(syscall.ECONNRESET)}},
	"stale_cut":        {inHead, journey.EndEOF, []check{reused}},
	"stale_idle_close": answer(200, fresh),
	"stale_idle_reset": answer(200, fresh),

	"send_timeout":         {inSend, journey.EndTimeout, []check{limitIs("send", short), statusIs(0)}},
	"upload_stall":         {inSend, journey.EndTimeout, []check{limitIs("send", short)}},
	"upload_reset":         {inSend, journey.EndReset, []check{errnoIs(syscall.ECONNRESET, syscall.EPIPE)}},
	"upload_close":         {inWait, journey.EndEOF, nil},
	"early_413":            answer(413, bodyIs(10, 10)),
	"early_413_reset":      answer(413, bodyIs(10, 10)),
	"early_413_keep_alive": answer(413, bodyIs(10, 10)),
	"refuse_expect":        answer(200),

	"no_answer":            {inWait, journey.EndTimeout, []check{limitIs("first_byte", short)}},
	"slow_answer":          {inWait, journey.EndTimeout, []check{limitIs("first_byte", short)}},
	"interim_then_silence": {inWait, journey.EndTimeout, []check{limitIs("first_byte", short), statusIs(0)}},
	"stall_mid_body":       {inBody, journey.EndTimeout, []check{limitIs("idle", short), bodyIs(10, 100)}},
	"stall_mid_chunk":      {inBody, journey.EndTimeout, []check{limitIs("idle", short), bodyIs(10, -1)}},
	"stall_in_head":        {inHead, journey.EndTimeout, []check{limitIs("idle", short), firstIs("HTTP/1.1 200 OK\r\nContent-Ty")}},
	"slow_drip":            {inBody, journey.EndTimeout, []check{limitIs("total", short)}},
	"slow_head":            {inHead, journey.EndTimeout, []check{limitIs("total", short)}},

	"interim_flood": parse(journey.FaultInterim),
	"interim_cut":   {inWait, journey.EndEOF, []check{statusIs(0)}},
	"interim_100":   answer(200),
	"interim_102":   answer(200),
	"interim_103":   answer(200),
	"upgrade_other": answer(101), // which protocol was agreed to, and what becomes of it, is the gateway's to see
	"upgrade_reset": answer(101),
	"upgrade_stall": answer(101),

	"websocket_unclosed": answer(101),
	"websocket_1011":     answer(101),
	"websocket_1013":     answer(101),
	"websocket_1008":     answer(101),
	"websocket_masked":   answer(101),

	"switch_unasked": {inHead, journey.EndParse, []check{faultIs(journey.FaultUpgrade), statusIs(101)}},
}

// tuned are the parameters that keep these tests short.
var tuned = map[string]faulty.Params{
	"header_endless":    {Bytes: 4 << 20},
	"body_too_large":    {Bytes: 1 << 20},
	"slow_answer":       {Delay: 4 * short},
	"slow_drip":         {Interval: short / 10},
	"slow_head":         {Interval: short / 10},
	"dns_slow":          {Delay: 20 * time.Millisecond},
	"reset_after_delay": {Delay: 20 * time.Millisecond},
}

// tight are the limits of the faults that let one fire: all of them, so that the one that is named
// is the one that the phase asks for.
var tight = AttemptLimits{Connect: short, Send: short, FirstByte: short, Idle: short}

func TestFactsOfEveryFault(t *testing.T) {
	lab := newLab(t)
	maps.Copy(facts, http2FaultFacts())
	used := map[string]bool{}
	for _, f := range faulty.All() {
		if f.LLM || f.Needs.Target || f.Name == "connect_reset" {
			continue
		}
		want, ok := facts[f.Name]
		if !ok && f.Status != 0 {
			want, ok = answer(f.Status), true
		}
		if !ok {
			t.Errorf("no facts are written down for %s", f.Name)
			continue
		}
		used[f.Name] = true
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			if err := f.Needs.Met(); err != nil {
				t.Skip(err)
			}
			checkFacts(t, lab, f, want)
		})
	}
	for name := range facts {
		if !used[name] {
			t.Errorf("facts of %s, which is not a fault of the lab", name)
		}
	}
}

func checkFacts(t *testing.T, lab *faulty.Lab, f faulty.Fault, want fact) {
	u, err := lab.StartFault(f, tuned[f.Name])
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	g := originOf(t, u)
	defer g.Close()
	call := getCall()
	if f.Needs.Upload {
		call = uploadCall(8 << 20)
	}
	call.IsHead, call.Upgrade = f.Needs.Head, f.Needs.Upgrade
	if want.end == journey.EndTimeout {
		call.Limits = tight
		if strings.HasPrefix(f.Name, "slow_d") || strings.HasPrefix(f.Name, "slow_h") {
			call.Limits.Total, call.Limits.Until = short, Now()+int64(short)
		}
	}
	o := attempt(g, call)
	if f.Needs.Reuse {
		if strings.HasPrefix(f.Name, "stale_idle") {
			// The connection's end is seen when it is taken.
			for !g.idle[0].sock.pending() {
				time.Sleep(time.Millisecond)
			}
		}
		o = attempt(g, call)
	}
	if o.Phase != want.phase || o.End != want.end {
		t.Errorf("it ended in %s by %s, want %s by %s", o.Phase, o.End, want.phase, want.end)
	}
	for _, c := range want.more {
		if err := c(o); err != nil {
			t.Error(err)
		}
	}
	if o.Target != u.URL || o.Total <= 0 {
		t.Errorf("target %q, total %v", o.Target, o.Total)
	}
	if o.Phase > inConnect && o.Address == "" {
		t.Error("no address")
	}
	if bad := o.End != journey.EndComplete; bad != (o.none || o.err != nil) {
		t.Errorf("end %s, answer %v, body %v", o.End, !o.none, o.err)
	}
	if o.Phase >= inWait && !o.SendComplete && !f.Needs.Upload {
		t.Error("the request was sent, and SendComplete is false")
	}
	if o.SendComplete && o.BodyOut != max(o.BodyOutLen, 0) {
		t.Errorf("sent whole: %d of %d", o.BodyOut, o.BodyOutLen)
	}
	if o.BytesOut < o.BodyOut || o.BytesIn < o.BodyIn {
		t.Errorf("%d bytes out with a body of %d, %d in with %d", o.BytesOut, o.BodyOut, o.BytesIn, o.BodyIn)
	}
	if want.end == journey.EndTimeout && (o.Total < short || o.Total > short+3*time.Second) && !f.Needs.Upload && o.Status == 0 {
		t.Errorf("a limit of %v fired after %v", short, o.Total)
	}
	if t.Failed() {
		t.Log(o.show())
	}
}

// TestAResetRightBehindAccept may be seen by whichever step comes first, and is a reset to all of them.
func TestAResetRightBehindAccept(t *testing.T) {
	u, err := newLab(t).Start("connect_reset", faulty.Params{})
	if err != nil {
		t.Fatal(err)
	}
	g := originOf(t, u)
	for range 30 {
		o := attempt(g, getCall())
		if o.End != journey.EndReset || o.Errno != syscall.ECONNRESET && o.Errno != syscall.EPIPE || o.Phase > inWait || o.BytesIn != 0 {
			t.Error(o.show())
		}
	}
}

// chained is cert for a server that sends more than its own certificate.
func chained(reason string, more ...func(*journey.TLSFacts) bool) fact {
	more = append(more, func(f *journey.TLSFacts) bool { return f.Chain >= 2 && f.Subject != "" && len(f.Names) > 0 })
	return fact{inTLS, journey.EndTLS, []check{tlsIs(reason, -1, more...)}}
}

// shown: the server asked for a certificate and was shown the lab's.
func shown(f *journey.TLSFacts) bool {
	return f.Asked && strings.HasPrefix(f.Own, `"CN=gateway.test,`)
}
