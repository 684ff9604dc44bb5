package meter

import (
	"testing"

	"causeway/internal/journey"
)

// endedTunnel is a call whose tunnel ended so.
func endedTunnel(t journey.TunnelFacts) *journey.Journey {
	j := &journey.Journey{Status: 101, BytesIn: t.Up, BytesOut: t.Down, Usage: journey.Usage{Input: -1}}
	j.NewAttempt().Tunnel = &t
	return j
}

func TestTunnelsAreCounted(t *testing.T) {
	m := newMeter(t, Options{})
	set := m.NewSet()
	s := set.Service("chat")
	m.Install(set, 1)
	s.TunnelOpened()
	p := scrape(t, m)
	p.want(t, `causeway_tunnels_open{model="",provider="",service="chat"}`, 1)
	s.TunnelOpened()
	s.TunnelClosed()
	ws := journey.TunnelFacts{Protocol: "websocket", WebSocket: true, Up: 10, Down: 20, MessagesUp: 2, MessagesDown: 3}
	for _, change := range []func(*journey.TunnelFacts){
		func(f *journey.TunnelFacts) { f.By, f.Caller.Code, f.Upstream.Code = journey.SideCaller, 1000, 1000 },
		func(f *journey.TunnelFacts) { f.By, f.Upstream.Code = journey.SideUpstream, 4100 },
		func(f *journey.TunnelFacts) { f.By, f.Upstream.Code = journey.SideUpstream, 1 },
		func(f *journey.TunnelFacts) { f.By = journey.SideGateway },
	} {
		f := ws
		change(&f)
		s.Call(nil, endedTunnel(f))
	}
	s.Call(nil, endedTunnel(journey.TunnelFacts{Protocol: "echo/1", By: journey.SideCaller}))
	p = scrape(t, m)
	for series, want := range map[string]float64{
		`causeway_tunnels_open{model="",provider="",service="chat"}`:                                           1,
		`causeway_tunnels_total{ended_by="caller",model="",protocol="websocket",provider="",service="chat"}`:   1,
		`causeway_tunnels_total{ended_by="upstream",model="",protocol="websocket",provider="",service="chat"}`: 2,
		`causeway_tunnels_total{ended_by="gateway",model="",protocol="websocket",provider="",service="chat"}`:  1,
		`causeway_tunnels_total{ended_by="caller",model="",protocol="other",provider="",service="chat"}`:       1,
		`causeway_websocket_messages_total{direction="up",model="",provider="",service="chat"}`:                8,
		`causeway_websocket_messages_total{direction="down",model="",provider="",service="chat"}`:              12,
		`causeway_websocket_closes_total{code="1000",model="",provider="",service="chat"}`:                     1,
		`causeway_websocket_closes_total{code="4xxx",model="",provider="",service="chat"}`:                     1,
		`causeway_websocket_closes_total{code="other",model="",provider="",service="chat"}`:                    1,
		`causeway_websocket_closes_total{code="none",model="",provider="",service="chat"}`:                     1,
	} {
		p.want(t, series, want)
	}
}
