package diagnose

import (
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// tunnelKind names how a tunnel ended. An end that either side asked for is no failure, unless the
// close frame that it began with says that something was wrong.
func tunnelKind(a *journey.Attempt) fault.Kind {
	switch a.End {
	case journey.EndOpen:
		return ""
	case journey.EndComplete:
		return closeKind(a.Tunnel)
	case journey.EndEOF:
		if a.Tunnel.BadFrames == journey.SideUpstream {
			return fault.WebSocketProtocolError
		}
		return fault.TunnelClosed
	case journey.EndTimeout:
		return fault.TunnelIdleTimeout
	case journey.EndCancelled:
		return fault.GatewayDraining
	case journey.EndCaller:
		return fault.CallerGone
	default:
		return fault.TunnelReset
	}
}

// closeKind reads the close frame of the side that closed first: the other one's is an echo
// (RFC 6455 section 5.5.1). Codes of applications (3000 to 4999) say nothing to us.
func closeKind(t *journey.TunnelFacts) fault.Kind {
	switch {
	case t.By == journey.SideUpstream:
		switch t.Upstream.Code {
		case 1011:
			return fault.WebSocketUpstreamError
		case 1012, 1013, 1014:
			return fault.WebSocketUnavailable
		case 1002, 1003, 1007, 1008, 1009, 1010:
			return fault.WebSocketRefused
		}
	case t.By == journey.SideCaller && (t.Caller.Code == 1002 || t.Caller.Code == 1007):
		return fault.WebSocketProtocolError
	}
	if t.BadFrames == journey.SideUpstream {
		return fault.WebSocketProtocolError
	}
	return ""
}

// tunnel tells the kinds of what broke after an upgrade.
func (t teller) tunnel(k fault.Kind) string {
	a := t.c.about
	if a.Tunnel == nil {
		return ""
	}
	peer, name := t.peer(), tunnelName(a.Tunnel)
	switch k {
	case fault.TunnelReset:
		return fmt.Sprintf("%s reset the connection of the %s, after %s.", peer, name, tunnelFlow(a.Tunnel))
	case fault.TunnelClosed:
		return fmt.Sprintf("%s closed the connection of the %s without a close frame, after %s.", peer, name, tunnelFlow(a.Tunnel))
	case fault.TunnelIdleTimeout:
		return fmt.Sprintf("nothing moved in the %s in either direction for %s, after %s; %s.", name, silence(a), tunnelFlow(a.Tunnel), t.limitIs("idle"))
	case fault.WebSocketUpstreamError, fault.WebSocketUnavailable, fault.WebSocketRefused:
		return fmt.Sprintf("%s closed the %s with %s, after %s; its close frame was passed on unchanged.", peer, name, t.closing(a.Tunnel.Upstream), tunnelFlow(a.Tunnel))
	case fault.WebSocketProtocolError:
		if a.Tunnel.BadFrames == journey.SideUpstream {
			return fmt.Sprintf("%s sent bytes that are no WebSocket frames: %s.", peer, a.Tunnel.Problem)
		}
		return fmt.Sprintf("the caller closed the %s with %s: it could not read what %s sent.", name, t.closing(a.Tunnel.Caller), peer)
	case fault.GatewayDraining:
		return fmt.Sprintf("the gateway stopped and ended the %s, after %s.", name, tunnelFlow(a.Tunnel))
	}
	return ""
}

// closing is a close frame; the reason, which is a peer's own text, only in the full view.
func (t teller) closing(c journey.CloseFrame) string {
	if !t.full {
		c.Reason = ""
	}
	return fault.CallClosing(c).Text()
}

func tunnelName(t *journey.TunnelFacts) string {
	if t.WebSocket {
		return "WebSocket"
	}
	return "tunnel"
}

// tunnelFlow is what had passed in both directions.
func tunnelFlow(t *journey.TunnelFacts) string {
	if !t.WebSocket {
		return fmt.Sprintf("%s to the caller and %s to the upstream", bytesText(t.Down), bytesText(t.Up))
	}
	return fmt.Sprintf("%s (%s) to the caller and %s (%s) to the upstream",
		plural(t.MessagesDown, "message"), bytesText(t.Down), plural(t.MessagesUp, "message"), bytesText(t.Up))
}

// tunnelLines are the facts of a tunnel.
func tunnelLines(a *journey.Attempt) []string {
	t := a.Tunnel
	lines := []string{"switched to " + quote([]byte(t.Protocol), quoteLimit) + ": " + tunnelFlow(t)}
	if t.Caller.Code != 0 {
		lines = append(lines, "close frame of the caller: "+fault.CallClosing(t.Caller).Text())
	}
	if t.Upstream.Code != 0 {
		lines = append(lines, "close frame of the upstream: "+fault.CallClosing(t.Upstream).Text())
	}
	if t.BadFrames != "" {
		lines = append(lines, fmt.Sprintf("the %s's bytes are no WebSocket frames: %s", t.BadFrames, t.Problem))
	}
	if t.By != "" {
		line := "ended first by the " + string(t.By)
		if a.End == journey.EndEOF || a.End == journey.EndReset {
			line += ", with " + finOrRst(a) + afterSilence(a)
		}
		lines = append(lines, line)
	}
	if t.Told != 0 {
		lines = append(lines, "the caller was told with a close frame: "+fault.CallClosing{Code: t.Told}.Text())
	}
	return lines
}

// tunnelOf is the tunnel as pages and causeway explain tell it.
func tunnelOf(t *journey.TunnelFacts) *fault.CallTunnel {
	if t == nil {
		return nil
	}
	return &fault.CallTunnel{
		Protocol: strings.ToValidUTF8(t.Protocol, "?"), WebSocket: t.WebSocket, Up: t.Up, Down: t.Down,
		MessagesUp: t.MessagesUp, MessagesDown: t.MessagesDown, By: string(t.By),
		Caller: fault.CallClosing(t.Caller), Upstream: fault.CallClosing(t.Upstream), Told: t.Told,
	}
}
