package meter

var (
	descSilent           = desc("connections_silent_total", "Connections closed because nothing came on them in time.")
	descHTTP2Connections = desc("http2_connections_total", "Connections of callers that spoke HTTP/2.")
	descHTTP2Streams     = desc("http2_streams_total", "Streams that callers opened.")
	descHTTP2Calls       = desc("http2_calls_total", "Calls that came of them. A stream that is none was malformed, one too many, or had a head far above server.max_header: it was reset, or answered 400 or 431 without a record.")
	descHTTP2Errors      = desc("http2_errors_total",
		"Faults of HTTP/2 by callers, of a stream or of a connection, by reason. rapid_reset, broken_requests, control_flood, header_timeout and write_stall are limits of the gateway that end the connection, slowed_down is the one before the first two; the other reasons are those of golang.org/x/net/http2.",
		"reason")
)

func (d *Door) collectHTTP2(e emitter) {
	e.counter(descSilent, float64(d.Silent))
	e.counter(descHTTP2Connections, float64(d.HTTP2Connections))
	e.counter(descHTTP2Streams, float64(d.HTTP2Streams))
	e.counter(descHTTP2Calls, float64(d.HTTP2Calls))
	for reason, n := range d.HTTP2Errors {
		e.counter(descHTTP2Errors, float64(n), reason)
	}
}
