package admin

import "causeway/internal/journey"

// Tunnel is what passed after an upgrade.
type Tunnel struct {
	Protocol      string      `json:"protocol" example:"websocket" doc:"What was switched to, in lower case."`
	BytesUp       int64       `json:"bytes_up" example:"1200" doc:"Bytes from the caller to the upstream."`
	BytesDown     int64       `json:"bytes_down" example:"48000" doc:"Bytes from the upstream to the caller."`
	MessagesUp    *int64      `json:"messages_up,omitempty" example:"12" doc:"Whole WebSocket messages from the caller, without control frames. Missing: it is no WebSocket."`
	MessagesDown  *int64      `json:"messages_down,omitempty" example:"34" doc:"The same from the upstream."`
	EndedBy       string      `json:"ended_by,omitempty" enum:"caller,upstream,gateway" example:"caller" doc:"Who ended it first: with a close frame, with the end of its side, or by breaking it."`
	CallerClose   *CloseFrame `json:"caller_close,omitempty" doc:"The caller's close frame. Missing: none came."`
	UpstreamClose *CloseFrame `json:"upstream_close,omitempty" doc:"The upstream's close frame. Missing: none came."`
	ToldClose     int         `json:"told_close,omitempty" example:"1014" doc:"The code of the close frame with which the gateway told the caller of the end. Missing: it did not."`
	BadFrames     string      `json:"bad_frames,omitempty" enum:"caller,upstream" doc:"Whose bytes were no WebSocket frames; they passed all the same."`
	Problem       string      `json:"problem,omitempty" example:"a frame is masked" doc:"In what way."`
}

// CloseFrame is the status of a WebSocket close frame.
type CloseFrame struct {
	Code   int    `json:"code" example:"1000" doc:"The close code; 1005 for a frame without one."`
	Reason string `json:"reason,omitempty" example:"done" doc:"The reason, masked."`
}

// tunnelView is the tunnel of the last attempt.
func tunnelView(attempts []journey.Attempt) *Tunnel {
	if len(attempts) == 0 {
		return nil
	}
	t := attempts[len(attempts)-1].Tunnel
	if t == nil {
		return nil
	}
	v := &Tunnel{
		Protocol: t.Protocol, BytesUp: t.Up, BytesDown: t.Down, EndedBy: string(t.By), CallerClose: closeView(t.Caller),
		UpstreamClose: closeView(t.Upstream), ToldClose: t.Told, BadFrames: string(t.BadFrames), Problem: t.Problem,
	}
	if t.WebSocket {
		v.MessagesUp, v.MessagesDown = &t.MessagesUp, &t.MessagesDown
	}
	return v
}

func closeView(c journey.CloseFrame) *CloseFrame {
	if c.Code == 0 {
		return nil
	}
	return &CloseFrame{Code: c.Code, Reason: c.Reason}
}
