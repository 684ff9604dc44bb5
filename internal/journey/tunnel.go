package journey

// Side is one of the two sides of a call.
type Side string

// The sides. SideGateway is for what this program itself began.
const (
	SideNone     Side = ""
	SideCaller   Side = "caller"
	SideUpstream Side = "upstream"
	SideGateway  Side = "gateway"
)

// CloseFrame is the status of a WebSocket close frame (RFC 6455 section 7.4).
type CloseFrame struct {
	Code   int    // 0 when no close frame came, 1005 for one without a status
	Reason string // at most 123 bytes, masked; escaped by whoever shows it
}

// TunnelFacts are what passed after an upgrade. They are nil for an attempt that was not upgraded.
type TunnelFacts struct {
	Protocol  string // the protocol that was switched to, in lower case: "websocket"
	WebSocket bool   // its bytes are WebSocket frames, so that messages and close frames are known

	Up, Down                 int64 // bytes towards the upstream and towards the caller
	MessagesUp, MessagesDown int64 // whole WebSocket messages, without control frames

	// By is who ended it first: with a close frame, with the end of its side, or by breaking it.
	By               Side
	Caller, Upstream CloseFrame // the close frames that came

	// Told is the status of the close frame with which the gateway told the caller of the end, 0 for
	// none.
	Told int
	// BadFrames is whose bytes turned out to be no WebSocket frames (RFC 6455 section 5.2), Problem in
	// what way. The bytes passed all the same.
	BadFrames Side
	Problem   string
}
