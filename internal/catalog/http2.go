package catalog

import "time"

// HTTP2 says how callers may speak HTTP/2.
type HTTP2 struct {
	Enabled          bool
	MaxStreams       int   // calls of a connection at a time
	StreamWindow     int64 // bytes of one body that a caller may send ahead
	ConnectionWindow int64 // bytes of all bodies of a connection
	PingAfter        time.Duration
	PingTimeout      time.Duration
	MaxResets        int // calls that a connection may give up in a second
	MaxControlFrames int // frames that carry nothing, of a connection in a second
}

func http2Keys() []key {
	return []key{
		{
			name: "enabled", def: "true", shape: scalarOf(boolean()), aka: []string{"enable", "on"},
			doc: "Whether callers may speak HTTP/2: agreed on in the TLS handshake (ALPN `h2`), and on plain listeners by prior knowledge (h2c).",
		},
		{
			name: "max_streams", def: "250", shape: scalarOf(integer("a number of calls", 1, 100_000)), aka: []string{"max_concurrent_streams", "streams", "concurrent_streams"},
			doc: "Calls that one connection may have open at a time (SETTINGS_MAX_CONCURRENT_STREAMS).",
		},
		{
			name: "stream_window", def: "1MiB", shape: scalarOf(size(64<<10-1, 1<<30)), aka: []string{"window", "initial_window", "initial_stream_window_size", "initial_window_size"},
			doc: "Bytes of one call's body that a caller may send before they are read: with a time of 100 ms to the caller, 1 MiB lets it send 10 MiB a second.",
		},
		{
			name: "connection_window", def: "4MiB", shape: scalarOf(size(64<<10-1, 1<<30)), aka: []string{"initial_connection_window_size"},
			doc: "The same for all calls of a connection together, and the most memory that one connection's unread bodies take.",
		},
		{
			name: "ping_after", def: "30s", shape: scalarOf(duration(time.Second)), aka: []string{"ping_interval", "keepalive_interval"},
			doc: "The silence of a connection after which a PING asks whether the caller is still there.",
		},
		{
			name: "ping_timeout", def: "15s", shape: scalarOf(duration(time.Second)), aka: []string{"keepalive_timeout"},
			doc: "How long the answer to it may take before the connection is closed and its calls count as given up.",
		},
		{
			name: "max_resets", def: "250", shape: scalarOf(integer("a number of calls", 1, 1_000_000)), aka: []string{"max_rst_stream", "max_rst_stream_frames"},
			doc: "Calls that a connection may give up in a second, each within 100 ms of its beginning, beyond as many as it lets end; one that gives up more (\"rapid reset\") is closed. As many may be malformed. A caller that does either 16 times in a second is read more slowly, and closed after three such seconds. It is at least `max_streams`.",
		},
		{
			name: "max_control_frames", def: "1000", shape: scalarOf(integer("a number of frames", 10, 10_000_000)),
			doc: "Frames that carry nothing (PING, SETTINGS, PRIORITY, RST_STREAM, CONTINUATION, WINDOW_UPDATE, empty DATA, unknown ones) that a connection may send in a second; its calls and what it is sent allow more, so that it may open its windows as often as it likes. One that sends more is closed.",
		},
	}
}

func http2Of(v *value) HTTP2 {
	return HTTP2{
		Enabled: as[bool](v.get("enabled")), MaxStreams: number(v.get("max_streams")),
		StreamWindow: as[int64](v.get("stream_window")), ConnectionWindow: as[int64](v.get("connection_window")),
		PingAfter: as[time.Duration](v.get("ping_after")), PingTimeout: as[time.Duration](v.get("ping_timeout")),
		MaxResets: number(v.get("max_resets")), MaxControlFrames: number(v.get("max_control_frames")),
	}
}
