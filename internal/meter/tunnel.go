package meter

import (
	"strconv"
	"sync/atomic"

	"causeway/internal/journey"
)

// The metrics of tunnels. Their bytes are in request_body_bytes_total and response_body_bytes_total.
var (
	descTunnelsOpen = desc("tunnels_open", "WebSockets and other tunnels that are open after an upgrade.", seriesLabels...)
	descTunnels     = desc("tunnels_total",
		"WebSockets and other tunnels that ended. protocol is websocket or other; ended_by is who ended it first: caller, upstream or gateway.",
		"service", "model", "provider", "protocol", "ended_by")
	descMessages = desc("websocket_messages_total",
		"Whole WebSocket messages that passed, without control frames. direction is up (to the upstream) or down (to the caller).",
		"service", "model", "provider", "direction")
	descCloses = desc("websocket_closes_total",
		"WebSockets that ended, by the close code of the side that closed first; 3xxx and 4xxx are those of libraries and applications, none is an end without a close frame.",
		"service", "model", "provider", "code")
)

var tunnelEnders = [...]journey.Side{journey.SideCaller, journey.SideUpstream, journey.SideGateway}

// The slots of close codes: 1000 to 1015, then these.
const (
	close3xxx = 16 + iota
	close4xxx
	closeOther
	closeNone
	closeSlots
)

// tunnelCounts counts the tunnels of a series. They are not split over shards: a tunnel costs many
// times what the contention does.
type tunnelCounts struct {
	open     atomic.Int64
	ended    [2][len(tunnelEnders)]atomic.Uint64 // other protocols, WebSocket
	messages [2]atomic.Uint64                    // up, down
	closes   [closeSlots]atomic.Uint64
}

// TunnelOpened and TunnelClosed count the tunnels that are open.
func (s *Series) TunnelOpened() { s.tunnels.open.Add(1) }

// TunnelClosed is TunnelOpened's reverse.
func (s *Series) TunnelClosed() { s.tunnels.open.Add(-1) }

func (c *tunnelCounts) add(t *journey.TunnelFacts) {
	kind := 0
	if t.WebSocket {
		kind = 1
		add(&c.messages[0], t.MessagesUp)
		add(&c.messages[1], t.MessagesDown)
		c.closes[closeSlot(t)].Add(1)
	}
	for i, side := range tunnelEnders {
		if t.By == side {
			c.ended[kind][i].Add(1)
		}
	}
}

func closeSlot(t *journey.TunnelFacts) int {
	code := 0
	switch t.By {
	case journey.SideCaller:
		code = t.Caller.Code
	case journey.SideUpstream:
		code = t.Upstream.Code
	}
	switch {
	case code == 0:
		return closeNone
	case code >= 1000 && code < 1016:
		return code - 1000
	case code >= 3000 && code < 4000:
		return close3xxx
	case code >= 4000 && code < 5000:
		return close4xxx
	}
	return closeOther
}

func (c *tunnelCounts) collect(e emitter, l []string) {
	ended := false
	for kind, protocol := range [...]string{Other, "websocket"} {
		for i, side := range tunnelEnders {
			if n := c.ended[kind][i].Load(); n > 0 {
				ended = true
				e.counter(descTunnels, float64(n), l[0], l[1], l[2], protocol, string(side))
			}
		}
	}
	if n := c.open.Load(); n != 0 || ended {
		e.gauge(descTunnelsOpen, float64(n), l...)
	}
	for i, direction := range [...]string{"up", "down"} {
		if n := c.messages[i].Load(); n > 0 {
			e.counter(descMessages, float64(n), l[0], l[1], l[2], direction)
		}
	}
	for slot := range c.closes {
		n := c.closes[slot].Load()
		if n == 0 {
			continue
		}
		code := strconv.Itoa(1000 + slot)
		switch slot {
		case close3xxx:
			code = "3xxx"
		case close4xxx:
			code = "4xxx"
		case closeOther:
			code = Other
		case closeNone:
			code = "none"
		}
		e.counter(descCloses, float64(n), l[0], l[1], l[2], code)
	}
}
