package wire

import "time"

// MaySpeakHTTP2 tells whether calls may go over HTTP/2 to this target. Where it is false they go over
// HTTP/1.1, whatever the upstream could do.
func (g *Origin) MaySpeakHTTP2() bool { return g.h2 != nil }

// Unhurried is the limit of a ReadBody whose caller may be silent and slow: what it sends are the
// messages of a conversation. It is for HTTP/2, where PING finds out whether the caller is there.
const Unhurried time.Duration = -1
