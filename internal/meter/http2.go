package meter

var (
	descSilent           = desc("connections_silent_total", "Connections on which nothing came: closed in server.read_header_timeout, or by a caller who had held them for a second or more.")
	descIdleEnded        = desc("connections_idle_total", "Connections closed because no further call came on them in server.idle_timeout.")
	descHTTP2Connections = desc("http2_connections_total", "Connections of callers that spoke HTTP/2.")
	descHTTP2Streams     = desc("http2_streams_total", "Streams that callers opened.")
	descHTTP2Calls       = desc("http2_calls_total", "Calls that came of them. A stream that is none was one too many, broke the framing or was reset before it could begin: none was answered.")
	descHTTP2Errors      = desc("http2_errors_total",
		"Faults of HTTP/2 by callers, of a stream or of a connection, by reason. rapid_reset, broken_requests, control_flood, header_timeout and write_stall are limits of the gateway that end the connection, slowed_down is the one before the first two; the other reasons are those of golang.org/x/net/http2.",
		"reason")
)

func (d *Door) collectHTTP2(e emitter) {
	e.counter(descSilent, float64(d.Silent))
	e.counter(descIdleEnded, float64(d.Idle))
	e.counter(descHTTP2Connections, float64(d.HTTP2Connections))
	e.counter(descHTTP2Streams, float64(d.HTTP2Streams))
	e.counter(descHTTP2Calls, float64(d.HTTP2Calls))
	for reason, n := range d.HTTP2Errors {
		e.counter(descHTTP2Errors, float64(n), reason)
	}
}
