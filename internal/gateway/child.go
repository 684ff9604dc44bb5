package gateway

import (
	"causeway/internal/fault"
)

// broke tells whether the call failed, with a kind or with that of its last attempt, because a connection of
// the upstream's broke or could not be made: its process may be dying at this moment.
func (c *call) broke(kind fault.Kind) bool {
	if n := len(c.j.Attempts); kind == "" && n > 0 {
		kind = c.j.Attempts[n-1].Kind
	}
	switch kind {
	case fault.ConnectionRefused, fault.ConnectReset, fault.SocketMissing, fault.ClosedBeforeResponse, fault.ResetBeforeResponse,
		fault.StaleConnection, fault.TruncatedHeader, fault.TruncatedBody, fault.ResetMidBody, fault.TunnelReset, fault.TunnelClosed:
		return true
	}
	return false
}
