package journey

import "encoding/binary"

// The fields of TunnelFacts.
const (
	tunnelProtocol uint64 = 1 << iota
	tunnelWebSocket
	tunnelUp
	tunnelDown
	tunnelMessagesUp
	tunnelMessagesDown
	tunnelBy
	tunnelCallerCode
	tunnelCallerReason
	tunnelUpstreamCode
	tunnelUpstreamReason
	tunnelTold
	tunnelBadFrames
	tunnelProblem
)

func appendTunnel(dst []byte, t *TunnelFacts) []byte {
	mask := flag(tunnelWebSocket, t.WebSocket)
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	dst = optString(dst, &mask, tunnelProtocol, t.Protocol)
	dst = optInt(dst, &mask, tunnelUp, t.Up)
	dst = optInt(dst, &mask, tunnelDown, t.Down)
	dst = optInt(dst, &mask, tunnelMessagesUp, t.MessagesUp)
	dst = optInt(dst, &mask, tunnelMessagesDown, t.MessagesDown)
	dst = optString(dst, &mask, tunnelBy, string(t.By))
	dst = optInt(dst, &mask, tunnelCallerCode, int64(t.Caller.Code))
	dst = optString(dst, &mask, tunnelCallerReason, t.Caller.Reason)
	dst = optInt(dst, &mask, tunnelUpstreamCode, int64(t.Upstream.Code))
	dst = optString(dst, &mask, tunnelUpstreamReason, t.Upstream.Reason)
	dst = optInt(dst, &mask, tunnelTold, int64(t.Told))
	dst = optString(dst, &mask, tunnelBadFrames, string(t.BadFrames))
	dst = optString(dst, &mask, tunnelProblem, t.Problem)
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

func (r *reader) tunnel(a *Attempt) {
	in := r.nested()
	mask := in.mask(2)
	o := optional{&in, mask}
	t := &TunnelFacts{WebSocket: o.has(tunnelWebSocket)}
	t.Protocol = o.text(tunnelProtocol)
	t.Up = o.number(tunnelUp)
	t.Down = o.number(tunnelDown)
	t.MessagesUp = o.number(tunnelMessagesUp)
	t.MessagesDown = o.number(tunnelMessagesDown)
	t.By = Side(o.text(tunnelBy))
	t.Caller.Code = int(o.number(tunnelCallerCode))
	t.Caller.Reason = o.text(tunnelCallerReason)
	t.Upstream.Code = int(o.number(tunnelUpstreamCode))
	t.Upstream.Reason = o.text(tunnelUpstreamReason)
	t.Told = int(o.number(tunnelTold))
	t.BadFrames = Side(o.text(tunnelBadFrames))
	t.Problem = o.text(tunnelProblem)
	a.Tunnel = t
	r.close(&in)
}
