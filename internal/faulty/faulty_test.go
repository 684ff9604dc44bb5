package faulty

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proof shows on the socket that an upstream does what its fault claims.
type proof func(*testing.T, *Upstream)

// TestFaults starts every fault of the list and looks at it with a client of its own. A fault
// that is not in this table has no proof, and fails the test.
func TestFaults(t *testing.T) {
	l := newLab(t, Options{})
	proofs := proofs()
	maps.Copy(proofs, http2Proofs())
	maps.Copy(proofs, chainProofs())
	for _, f := range All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			prove, ok := proofs[f.Name]
			if !ok {
				t.Fatal("this fault has no proof")
			}
			if err := f.Needs.Met(); err != nil && !f.Needs.NotRoot {
				t.Skip(err)
			}
			u, err := l.StartFault(f, quick[f.Name])
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			prove(t, u)
		})
	}
	for name := range proofs {
		if _, ok := Find(name); !ok {
			t.Errorf("there is a proof for %q, which is not on the list", name)
		}
	}
}

// quick are parameters that let a slow fault be seen in a short time.
var quick = map[string]Params{
	"dns_slow":       {Delay: 60 * time.Millisecond},
	"slow_answer":    {Delay: 60 * time.Millisecond},
	"slow_drip":      {Interval: 5 * time.Millisecond, Count: 10},
	"slow_head":      {Interval: 5 * time.Millisecond, Count: 10},
	"stream_slow":    {Interval: 5 * time.Millisecond, After: 10},
	"header_endless": {Bytes: 4 << 20},
	"body_too_large": {Bytes: 4 << 20},
	"loop":           {Target: "127.0.0.1:1"},
}

func proofs() map[string]proof {
	const ok = "HTTP/1.1 200 OK\r\n"
	return map[string]proof{
		// names
		"dns_nxdomain":       resolves(0, func(e *net.DNSError) bool { return e.IsNotFound }),
		"dns_nodata":         resolves(0, func(e *net.DNSError) bool { return e.IsNotFound }),
		"dns_servfail":       resolves(0, func(e *net.DNSError) bool { return !e.IsNotFound && e.IsTemporary }),
		"dns_server_down":    resolverDown,
		"dns_refused":        resolves(0, func(e *net.DNSError) bool { return !e.IsNotFound && !e.IsTemporary && !e.IsTimeout }),
		"dns_timeout":        resolves(200*time.Millisecond, func(e *net.DNSError) bool { return e.IsTimeout }),
		"dns_slow":           takes(60*time.Millisecond, answers(200, "ok\n")),
		"dns_truncated":      askedOverTCP,
		"dns_dead_then_live": deadThenLive,
		"dns_dead_only":      dialFails(syscall.ECONNREFUSED),

		// connections
		"connection_refused":  dialFails(syscall.ECONNREFUSED),
		"connect_timeout":     connectTimesOut,
		"connect_reset":       resetAtOnce,
		"unroutable":          dialFails(syscall.ENETUNREACH),
		"unix_socket_missing": dialFails(syscall.ENOENT),
		"unix_socket_denied":  deniedToOthers,
		"unix_socket_stale":   dialFails(syscall.ECONNREFUSED),
		"unix_socket":         answers(200, "ok\n"),

		// TLS
		"tls_unknown_authority":    rejected[x509.UnknownAuthorityError](nil),
		"tls_self_signed":          rejected[x509.UnknownAuthorityError](nil),
		"tls_intermediate_missing": rejected[x509.UnknownAuthorityError](nil),
		"tls_expired": rejected(func(e x509.CertificateInvalidError) bool {
			return e.Reason == x509.Expired && e.Cert.NotAfter.Before(time.Now())
		}),
		"tls_not_yet_valid": rejected(func(e x509.CertificateInvalidError) bool {
			return e.Reason == x509.Expired && e.Cert.NotBefore.After(time.Now())
		}),
		"tls_name_mismatch":         rejected(func(e x509.HostnameError) bool { return e.Host == "orders.test" }),
		"tls_wrong_usage":           rejected(func(e x509.CertificateInvalidError) bool { return e.Reason == x509.IncompatibleUsage }),
		"tls_client_certificate":    demandsCertificate(tls.VersionTLS13, "tls: certificate required"),
		"tls_client_certificate_12": demandsCertificate(tls.VersionTLS12, "tls: handshake failure"),
		"tls_old_versions":          handshakeFails("remote error: tls: protocol version not supported"),
		"tls_old_hello":             handshakeFails("tls: server selected unsupported protocol version 301"),
		"tls_unrecognized_name":     handshakeFails("remote error: tls: unrecognized name"),
		"tls_alert":                 handshakeFails("remote error: tls: internal error"),
		"tls_alert_handshake":       handshakeFails("remote error: tls: handshake failure"),
		"tls_alert_protocol":        handshakeFails("remote error: tls: no application protocol"),
		"tls_handshake_closed":      sees("", endFIN),
		"tls_handshake_cut":         sees(serverHello10[:20], endFIN),
		"tls_handshake_reset":       handshakeFails("connection reset by peer"),
		"tls_handshake_timeout":     sees("", endSilent),
		"tls_garbage":               handshakeFails("tls: "),
		"tls_not_tls":               handshakeFails("tls: first record does not look like a TLS handshake"),
		"tls":                       answers(200, "ok\n"),
		"tls_body_cut_rst":          overTLS(cutBody, syscall.ECONNRESET),
		"tls_close_before_response": overTLS("", io.EOF),
		"tls_to_plain":              plainToHello("HTTP/1.1 400 Bad Request\r\n"),
		"tls_to_plain_nginx":        plainToHello("<center>nginx/"),
		"tls_to_ssh":                plainToHello("SSH-2.0-"),
		"plain_to_tls":              sees("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", endFIN),
		"plain_to_tls_nginx":        sees("<center>The plain HTTP request was sent to HTTPS port</center>", endFIN),
		"plain_to_tls_apache":       sees("You're speaking plain HTTP to an SSL-enabled server port.", endFIN),
		"plain_to_tls_alert":        sees("\x15\x03\x03\x00\x02\x02\x0a", endFIN),

		// not HTTP
		"banner_ssh":   speaksFirst("SSH-2.0-OpenSSH_9.6\r\n"),
		"banner_smtp":  speaksFirst("220 mail.example.test ESMTP Postfix\r\n"),
		"banner_mysql": speaksFirst("\x4a\x00\x00\x00\x0a8.0.36\x00"),
		"banner_redis": sees("-ERR unknown command", endFIN),
		"http_09":      sees("<html>", endFIN),
		"empty_lines":  sees("\r\n\r\n"+ok, endFIN),
		"h2_only":      sees("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07", endFIN),

		// malformed heads
		"status_not_a_number":       sees("HTTP/1.1 abc OK\r\n", endFIN),
		"status_two_digits":         sees("HTTP/1.1 20 OK\r\n", endFIN),
		"status_four_digits":        sees("HTTP/1.1 2000 OK\r\n", endFIN),
		"status_missing":            sees("HTTP/1.1\r\n", endFIN),
		"version_unknown":           sees("HTTP/3.7 200 OK\r\n", endFIN),
		"version_two":               sees("HTTP/2 200 OK\r\n", endFIN),
		"version_garbled":           sees("HTTP/one.one 200 OK\r\n", endFIN),
		"header_without_colon":      sees("\r\nX-Broken value\r\n", endFIN),
		"header_space_before_colon": sees("\r\nX-Broken : value\r\n", endFIN),
		"header_bad_name":           sees("\r\nX-(Broken): value\r\n", endFIN),
		"header_empty_name":         sees("\r\n: value\r\n", endFIN),
		"header_nul":                sees("X-Broken: a\x00b\r\n", endFIN),
		"header_control":            sees("X-Broken: a\x01b\r\n", endFIN),
		"header_bare_cr":            sees("X-Broken: a\rX-Smuggled: b\r\n", endFIN),
		"header_newline":            sees("could not save\n  Traceback", endFIN),
		"header_folded_first":       sees(ok+" X-Broken", endFIN),
		"header_cut_fin":            ends("text/plain\r\nX-Reque", endFIN),
		"header_cut_rst":            ends("text/plain\r\nX-Reque", endRST),
		"status_line_cut_fin":       ends("HTTP/1.1 2", endFIN),
		"status_line_cut_rst":       ends("HTTP/1.1 2", endRST),
		"header_end_missing":        ends("text/plain\r\n", endFIN),
		"header_too_large":          both(longer(1<<20), sees("\r\nSet-Cookie: session=xxxx", endFIN), ends("xxx\r\nContent-Length: 3\r\n\r\nok\n", endFIN)),
		"header_too_many":           many("X-Trace: hop\r\n", 20_000),
		"header_endless":            both(longer(4<<20), ends("\r\nX-Trace: hop\r\n", endFIN)),

		// framing
		"cl_and_te":       sees("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", endFIN),
		"cl_two":          sees("Content-Length: 5\r\nContent-Length: 3\r\n\r\nhello", endFIN),
		"cl_list":         sees("Content-Length: 5, 3\r\n\r\nhello", endFIN),
		"cl_not_a_number": sees("Content-Length: five\r\n\r\nhello", endFIN),
		"cl_negative":     sees("Content-Length: -5\r\n\r\nhello", endFIN),
		"cl_plus":         sees("Content-Length: +5\r\n\r\nhello", endFIN),
		"cl_hex":          sees("Content-Length: 0x5\r\n\r\nhello", endFIN),
		"cl_huge":         sees("Content-Length: 99999999999999999999\r\n\r\nhello", endFIN),
		"cl_empty":        sees("Content-Length: \r\n\r\nhello", endFIN),
		"cl_repeated":     answers(200, "hello"),
		"te_gzip":         sees("Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello", endFIN),
		"te_unknown":      sees("Transfer-Encoding: xchunked\r\n\r\n5\r\nhello", endFIN),
		"te_identity":     sees("Transfer-Encoding: identity\r\n\r\nhello", endFIN),
		"te_twice":        sees("Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello", endFIN),
		"te_two_lines":    sees("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", endFIN),

		// chunks
		"chunk_bad_size":          ends("hello\r\nzz\r\nworld\r\n0\r\n\r\n", endFIN),
		"chunk_no_crlf":           ends("hello\r\n5\r\nworld0\r\n\r\n", endFIN),
		"chunk_huge":              ends("hello\r\nfffffffffffffffff\r\nworld\r\n0\r\n\r\n", endFIN),
		"chunk_negative":          ends("hello\r\n-5\r\nworld\r\n0\r\n\r\n", endFIN),
		"chunk_empty_size":        ends("hello\r\n\r\nworld\r\n0\r\n\r\n", endFIN),
		"chunk_bad_trailer":       ends("hello\r\n0\r\nChecksum 12\r\n\r\n", endFIN),
		"chunk_endless_extension": both(longer(1<<20), sees("\r\n\r\n5;note=xxx", endFIN)),
		"chunk_cut_fin":           ends("64\r\n0123456789", endFIN),
		"chunk_cut_rst":           ends("64\r\n0123456789", endRST),
		"chunk_last_missing":      ends("\r\n\r\n5\r\nhello\r\n", endFIN),

		// bodies
		"body_cut_fin":             ends("Content-Length: 100\r\n\r\n0123456789", endFIN),
		"body_missing":             ends("Content-Length: 100\r\n\r\n", endFIN),
		"body_cut_rst":             ends("Content-Length: 100\r\n\r\n0123456789", endRST),
		"body_close_delimited":     ends("text/plain\r\n\r\nok\n", endFIN),
		"body_close_delimited_rst": ends("text/plain\r\n\r\nok\n", endRST),
		"body_too_large":           largeBody,
		"extra_bytes":              poisons(getX, "\r\n\r\nok\n"),
		"204_with_body":            poisons(getX, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
		"304_with_body":            poisons(getX, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello"),
		"head_with_body":           poisons(strings.Replace(getX, "GET", "HEAD", 1), "Content-Length: 5\r\n\r\nhello"),
		"gzip_lie":                 answers(200, `{"ok":true}`),
		"gzip_cut":                 answers(200, "\x1f\x8b"),

		// before any answer
		"close_before_response": sees("", endFIN),
		"close_on_accept":       closesUnasked,
		"reset_before_response": sees("", endRST),
		"reset_after_delay":     takes(100*time.Millisecond, sees("", endRST)),

		// kept-alive connections
		"stale_close":      secondFails("", endFIN),
		"stale_reset":      secondFails("", endRST),
		"stale_cut":        secondFails("HTTP/1.1 200 OK\r\nContent-Ty", endFIN),
		"stale_idle_close": idleEnds(endFIN),
		"stale_idle_reset": idleEnds(endRST),

		// uploads
		"send_timeout":         uploadBlocks(0),
		"upload_stall":         uploadBlocks(64 << 10),
		"upload_reset":         upload("", endRST),
		"upload_close":         upload("", endFIN),
		"early_413":            upload("HTTP/1.1 413 ", endFIN),
		"early_413_reset":      upload("HTTP/1.1 413 ", endRST),
		"early_413_keep_alive": uploadTwice,
		"refuse_expect":        refusesExpect,

		// silences
		"no_answer":            waits(""),
		"slow_answer":          takes(60*time.Millisecond, answers(200, "ok\n")),
		"interim_then_silence": waits("Link: </style.css>\r\n\r\n"),
		"stall_mid_body":       waits("\r\n\r\n0123456789"),
		"stall_mid_chunk":      waits("\r\n64\r\n0123456789"),
		"stall_in_head":        waits("Content-Ty"),
		"slow_drip":            takes(50*time.Millisecond, ends(strings.Repeat("1\r\nx\r\n", 10)+lastChunk, endFIN)),
		"slow_head":            takes(50*time.Millisecond, both(many("X-Wait: 1\r\n", 10), ends("\r\n\r\nok\n", endFIN))),

		// 1xx and upgrades
		"interim_flood":   many("HTTP/1.1 103 Early Hints\r\n", 10_000),
		"interim_100":     both(sees("HTTP/1.1 100 Continue\r\n\r\n"+ok, endSilent), answers(200, "ok\n")),
		"interim_102":     both(sees("HTTP/1.1 102 Processing\r\n\r\n"+ok, endSilent), answers(200, "ok\n")),
		"interim_103":     both(sees("rel=preload\r\n\r\n"+ok, endSilent), answers(200, "ok\n")),
		"interim_cut":     ends("rel=preload\r\n\r\n", endFIN),
		"switch_unasked":  sees("HTTP/1.1 101 Switching Protocols\r\n", endFIN),
		"upgrade_refused": answers(403, "no websockets here\n"),
		"upgrade_ignored": answers(200, "<html>"),
		"upgrade_other":   upgrades("Upgrade: smoke-signals/1\r\n", endFIN),
		"upgrade_reset":   upgrades("\r\n\r\ntunneled", endRST),
		"upgrade_stall":   upgrades("Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", endSilent),
		"upgrade":         echoes,

		"websocket_unclosed": upgrades("\r\n\r\n\x81\x05hello", endFIN),
		"websocket_1011":     upgrades("hello\x88\x06\x03\xf3oops", endFIN),
		"websocket_1013":     upgrades("\r\n\r\n\x88\x02\x03\xf5", endFIN),
		"websocket_1008":     upgrades("\x88\x0a\x03\xf0no token", endFIN),
		"websocket_masked":   upgrades("\x81\x82abcd\x09\x0b", endFIN),

		// complete answers
		"answer":                answers(200, "OK\n"),
		"status_400":            answers(400, "Bad Request\n"),
		"status_401":            answers(401, "", `Www-Authenticate: Bearer realm="orders"`),
		"status_403":            answers(403, ""),
		"status_404":            answers(404, ""),
		"status_405":            answers(405, "", "Allow: GET, HEAD"),
		"status_408":            answersOnce(408, "Request Timeout\n"),
		"status_410":            answers(410, "", "Sunset: Sat, 01 Aug 2026 00:00:00 GMT"),
		"status_413":            answers(413, ""),
		"redirect_301":          answers(301, "", "Location: https://orders.test/v2/"),
		"redirect_302":          answers(302, "", "Location: /login"),
		"redirect_308":          answers(308, "", "Location: /orders/"),
		"status_429":            answers(429, "", "Retry-After: 7"),
		"status_500":            answers(500, "Traceback (most recent call last):"),
		"status_503":            answers(503, "", "Retry-After: 30"),
		"status_503_envoy":      answers(503, "reset reason: connection failure", "Server: envoy"),
		"status_502_nginx":      answers(502, "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/", "Server: nginx/1.26.0"),
		"status_502_envoy":      answers(502, "upstream connect error", "Server: envoy"),
		"status_502_haproxy":    answersOnce(502, "The server returned an invalid or incomplete response."),
		"status_502_alb":        answers(502, "<center><h1>502 Bad Gateway</h1></center>", "Server: awselb/2.0"),
		"status_502_linkerd":    answersOnce(502, "", "L5d-Proxy-Error: endpoint 10.0.0.5:8080: connection refused"),
		"status_520_cloudflare": answers(520, "error code: 520", "Server: cloudflare"),
		"status_504_nginx":      answers(504, "<h1>504 Gateway Time-out</h1>"),
		"status_504":            answers(504, "Gateway Timeout\n"),
		"loop":                  sees("", endFIN), // nothing listens at the target: TestLoopRelaysToTheTarget shows the rest

		// models
		"llm_invalid_api_key":       refuses(401, "invalid_request_error", "invalid_api_key"),
		"llm_forbidden":             refuses(403, "invalid_request_error", "insufficient_permissions"),
		"llm_region":                refuses(403, "request_forbidden", "unsupported_country_region_territory"),
		"llm_model_not_found":       refuses(404, "invalid_request_error", "model_not_found"),
		"llm_rate_limit":            both(refuses(429, "requests", "rate_limit_exceeded"), answers(429, "", "Retry-After: 7", "X-Ratelimit-Reset-Tokens: 2s", "X-Ratelimit-Remaining-Requests: 0")),
		"llm_quota":                 refuses(429, "insufficient_quota", "insufficient_quota"),
		"llm_context_length":        refuses(400, "invalid_request_error", "context_length_exceeded"),
		"llm_content_filter":        refuses(400, "invalid_request_error", "content_filter"),
		"llm_unsupported_parameter": refuses(400, "invalid_request_error", "unsupported_parameter"),
		"llm_server_error":          refuses(500, "server_error", ""),
		"llm_overloaded":            refuses(503, "service_unavailable_error", "server_is_overloaded"),
		"llm_error_in_200":          refuses(200, "server_error", "internal_error"),
		"llm_html":                  answers(200, "<!DOCTYPE html>", "Content-Type: text/html; charset=utf-8"),
		"llm_bad_gateway_page":      answers(502, "<center>nginx/"),
		"llm_empty":                 emptyAnswer,
		"llm_truncated_json":        notJSON,
		"llm_wrong_shape":           answers(200, `"choices":{"text":"ok"}`),

		// streams
		"stream_cut_clean":     stream(5, lastChunk, endFIN),
		"stream_cut_fin":       stream(5, "\"finish_reason\":null}]}\n\n", endFIN),
		"stream_cut_mid_event": stream(5, `data: {"id":"chatcmpl-faulty","obj`, endFIN),
		"stream_cut_chunk":     stream(5, "\"finish_reason\":null}]}\n\n\r\n", endFIN),
		"stream_cut_rst":       stream(5, "\"finish_reason\":null}]}\n\n\r\n", endRST),
		"stream_no_done":       both(stream(5, lastChunk, endFIN), streamHas(`"finish_reason":"stop"`)),
		"stream_error_first":   both(stream(0, lastChunk, endFIN), streamHas(`data: {"error":{"message":"The server had an error`)),
		"stream_error_later":   both(stream(5, lastChunk, endFIN), streamHas(`data: {"error":{"message":"The server had an error`)),
		"stream_overloaded":    both(stream(0, lastChunk, endFIN), streamHas(`"code":"server_is_overloaded"`)),
		"stream_malformed":     both(stream(5, lastChunk, endFIN), streamHas(`data: {"id":"chatcmpl-faulty",choices:[}`)),
		"stream_html":          both(stream(0, lastChunk, endFIN), streamHas("\r\n<html>")),
		"stream_html_typed":    sees("Content-Type: text/html\r\n", endFIN),
		"stream_stall":         stream(5, "\"finish_reason\":null}]}\n\n\r\n", endSilent),
		"stream_slow":          takes(50*time.Millisecond, stream(10, "data: [DONE]\n\n\r\n"+lastChunk, endFIN)),
		"stream":               stream(5, "data: [DONE]\n\n\r\n"+lastChunk, endSilent),
	}
}
